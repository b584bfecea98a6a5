//! One engine, and a partner that says what the test wants: its end of the connection is real, the rest of it is not there.

#![allow(
    dead_code,
    clippy::expect_used,
    clippy::panic,
    reason = "each test file uses its part of this, and a broken test may stop"
)]

use super::common::{Client, INTERFACE, Reply, START, ip, records, seconds};
use super::link::parts;
use dhcp::MessageType as DhcpType;
use engine::config::{Config, Parts, RelationshipId};
use engine::{
    Batch, EndpointView, Engine, Input, Interface, LeaseFilter, LeaseView, Link, LinkId, Outbox, Packet,
    Position, ToPartner,
};
use failover::balance::{HashBucketAssignment, Service};
use failover::binding::BindingStatus;
use failover::connection::{Connection, Opener, Outgoing, Output, Settings, TlsPolicy};
use failover::dialect::Dialect;
use failover::message::{
    BindingAck, BindingUpdate, Codec, Envelope, Message, Parsed, RejectReason, Relationship,
    RelationshipName, StateMessage, TandemInfo, Xid, frame_length,
};
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time, WallOffset, WireTime};
use std::net::{Ipv4Addr, SocketAddrV4};

const CAMPUS: RelationshipId = RelationshipId(0);

pub struct Puppet {
    pub now: Time,
    pub parts: Parts,
    pub engine: Engine,
    pub outbox: Outbox,
    pub log: Vec<Vec<u8>>,
    pub replies: Vec<Reply>,
    /// What people were told.
    pub events: Vec<String>,
    /// The partner's end.
    pub partner: Option<Connection>,
    pub settings: Settings,
    /// By how much the partner's clock is ahead.
    pub skew: Interval,
    /// For how long a message lies before it is read.
    pub lag: Interval,
    pub link: LinkId,
    /// Connections that the engine closed.
    pub closed: Vec<LinkId>,
    /// Whether the partner can be reached.
    pub is_there: bool,
    /// All that the engine said but CONTACT, in its order.
    pub heard: Vec<Envelope>,
    /// The partner answers requests by itself, and accepts everything.
    pub obeys: bool,
    generation: u64,
    next_client: u8,
}

impl Puppet {
    pub fn new(role: Role) -> Puppet {
        Puppet::of(parts(role, 3600))
    }

    pub fn of(parts: Parts) -> Puppet {
        let now = Time::from_seconds(START);
        let role = parts.relationships[0].role.other();
        let config = Config::check(&parts).expect("a configuration without faults");
        let name = Relationship::Name(RelationshipName::new(b"campus").expect("a name"));
        let settings = Settings {
            role,
            codec: Codec::new(Dialect::Draft12, ip("10.0.0.9"))
                .with_secret(parts.relationships[0].secret.clone()),
            relationship: name.clone(),
            partner: name,
            max_unacked_bndupd: 64,
            receive_timer: seconds(3600),
            mclt: parts.relationships[0].mclt,
            service: Service { buckets: HashBucketAssignment::from_split(128), delayed_service: None },
            tls: TlsPolicy::No,
            max_clock_difference: None,
            wall: WallOffset::default(),
            handshake_wait: seconds(15),
            ack_wait: seconds(3600),
            tandem: TandemInfo { store_identity: [9; 16], store_generation: 1, ..TandemInfo::default() },
            last_connect: WireTime(0),
        };
        let mut puppet = Puppet {
            now,
            engine: Engine::new(config, 7),
            parts,
            outbox: Outbox::new(Position::START),
            log: Vec::new(),
            replies: Vec::new(),
            events: Vec::new(),
            partner: None,
            settings,
            skew: Interval::ZERO,
            lag: Interval::ZERO,
            link: LinkId(0),
            closed: Vec::new(),
            is_there: false,
            heard: Vec::new(),
            obeys: true,
            generation: 0,
            next_client: 0,
        };
        puppet.start();
        puppet
    }

    /// Connected, and in NORMAL; nothing was balanced yet.
    pub fn normal(role: Role) -> Puppet {
        Puppet::of(parts(role, 3600)).in_normal()
    }

    pub fn in_normal(mut self) -> Puppet {
        if self.partner.is_none() {
            self.connect();
        }
        self.state(FailoverState::Recover);
        self.state(FailoverState::RecoverDone);
        self.state(FailoverState::Normal);
        assert_eq!(self.view().state, FailoverState::Normal);
        self
    }

    /// The status of the first address of the pool, as a server has it that starts from this log.
    pub fn restored(&self) -> BindingStatus {
        let mut engine = Engine::new(Config::check(&self.parts).expect("a configuration without faults"), 7);
        for record in &self.log {
            engine.replay(record).expect("our own record");
        }
        engine.start(self.now, &mut Outbox::new(Position(self.log.len() as u64)));
        let all = LeaseFilter { unused: true, ..LeaseFilter::default() };
        engine.leases(&all, 1).0.remove(0).status
    }

    /// The engine starts from what is in its log.
    pub fn start(&mut self) {
        let config = Config::check(&self.parts).expect("a configuration without faults");
        self.engine = Engine::new(config, 7);
        self.generation += 1;
        self.engine.set_store([1; 16], self.generation);
        for record in &self.log {
            self.engine.replay(record).expect("our own record");
        }
        self.outbox = Outbox::new(Position(self.log.len() as u64));
        self.partner = None;
        self.engine.start(self.now, &mut self.outbox);
        let interfaces = [Interface { id: INTERFACE, addresses: vec![ip("10.0.0.1")] }];
        self.engine.handle(self.now, Input::Interfaces(&interfaces), &mut self.outbox);
        self.settle();
    }

    /// The partner can be reached: a connection is made, by whoever makes it.
    pub fn connect(&mut self) {
        self.is_there = true;
        if self.settings.role == Role::Primary {
            self.open(Opener::Us);
        } else {
            self.pass(seconds(60));
        }
        assert!(self.partner.is_some(), "{:?}", self.events);
    }

    pub fn open(&mut self, opener: Opener) {
        self.link = LinkId(self.link.0 + 1);
        let (link, relationship) = (self.link, CAMPUS);
        let mut outputs = Vec::new();
        self.partner =
            Some(Connection::new(self.settings.clone(), opener, self.now.plus(self.skew), &mut outputs));
        match opener {
            Opener::Us => self.hand(Link::Accepted { link, relationship }),
            Opener::Partner => self.hand(Link::Connected { link, relationship }),
        }
        self.obey(outputs);
        self.settle();
    }

    /// TCP breaks.
    pub fn lose(&mut self) {
        self.partner = None;
        self.is_there = false;
        self.hand(Link::Closed { link: self.link });
        self.settle();
    }

    pub fn hand(&mut self, link: Link<'_>) {
        self.engine.handle(self.now, Input::Link(link), &mut self.outbox);
    }

    /// Seals what was decided. What leaves before any of its records is stable comes first, then the rest.
    pub fn seal(&mut self) -> [Vec<ToPartner>; 2] {
        let mut batch = self.outbox.seal(Batch::default());
        let (first, _, frames) = batch.records();
        self.log.extend(records(frames));
        self.events.extend(batch.events().0.iter().map(ToString::to_string));
        let (end, replies) = (batch.end(), &mut self.replies);
        let mut out = [Vec::new(), Vec::new()];
        batch.release_partners(first, |to| out[0].push(to));
        batch.release_partners(end, |to| out[1].push(to));
        batch.release(end, self.now, |destination, bytes| {
            replies.push(Reply { destination: *destination, bytes: bytes.to_vec(), rests_on_record: true });
        });
        out
    }

    pub fn settle(&mut self) {
        loop {
            let out = self.seal().concat();
            if out.is_empty() {
                return;
            }
            for to in out {
                self.carry(to);
            }
        }
    }

    fn carry(&mut self, to: ToPartner) {
        match to {
            ToPartner::Connect { relationship } => {
                if self.is_there && self.settings.role == Role::Secondary && self.partner.is_none() {
                    self.open(Opener::Partner);
                } else {
                    self.hand(Link::Failed { relationship });
                }
            }
            ToPartner::Send { link, outgoing } => {
                let mut bytes = Vec::new();
                self.engine.encode(self.now, link, outgoing, &mut bytes).expect("our own message");
                if link == self.link {
                    self.hear(&bytes);
                }
            }
            ToPartner::StartTls { link } => self.hand(Link::TlsStarted { link, peer: "partner.example" }),
            ToPartner::Close { link } => {
                self.closed.push(link);
                if link == self.link {
                    self.partner = None;
                }
                self.hand(Link::Closed { link });
            }
        }
    }

    fn hear(&mut self, mut bytes: &[u8]) {
        let mut outputs = Vec::new();
        if let Some(partner) = &mut self.partner {
            partner.receive(self.now.plus(self.skew), bytes, &mut outputs);
        }
        let from = self.heard.len();
        while let Some(length) = frame_length(bytes).expect("a message") {
            let (frame, rest) = bytes.split_at(length);
            let Ok(Parsed::Message(envelope)) = self.settings.codec.parse(frame) else { panic!("{frame:?}") };
            if envelope.message != Message::Contact {
                self.heard.push(envelope);
            }
            bytes = rest;
        }
        self.obey(outputs);
        if self.obeys {
            for at in from..self.heard.len() {
                let envelope = self.heard[at].clone();
                self.answer(&envelope);
            }
        }
    }

    fn obey(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(outgoing) => self.deliver(outgoing),
                Output::Close(_) => {
                    self.partner = None;
                    self.hand(Link::Closed { link: self.link });
                }
                _ => {}
            }
        }
    }

    fn deliver(&mut self, outgoing: Outgoing) {
        let Some(partner) = &mut self.partner else { return };
        let mut bytes = Vec::new();
        let at = self.now.minus(self.lag);
        partner.encode(at.plus(self.skew), outgoing, &mut bytes).expect("a message");
        self.hand(Link::Received { link: self.link, at, bytes: &bytes });
    }

    /// Does what the message asks for, and says that everything was well.
    pub fn answer(&mut self, to: &Envelope) {
        let answer = match &to.message {
            Message::BndUpd(updates) => {
                let acks = updates.updates.iter().map(|update| BindingAck::accepted(update.address));
                Message::BndAck(acks.collect())
            }
            Message::UpdReq | Message::UpdReqAll => Message::UpdDone,
            Message::PoolReq => Message::PoolResp { addresses_transferred: 0 },
            _ => return,
        };
        self.reply(to.xid, answer);
    }

    pub fn reply(&mut self, to: Xid, message: Message) {
        self.deliver(Connection::reply(to, message));
        self.settle();
    }

    /// Rejects all of a BNDUPD.
    pub fn reject(&mut self, to: &Envelope, reason: RejectReason) {
        let acks = updates_in(to).iter().map(|update| BindingAck::rejected(update.address, reason)).collect();
        self.reply(to.xid, Message::BndAck(acks));
    }

    /// The partner says this.
    pub fn say(&mut self, message: Message) {
        let outgoing = self.partner.as_mut().expect("a connection").request(message);
        self.deliver(outgoing);
        self.settle();
    }

    pub fn state(&mut self, state: FailoverState) {
        let since = self.now.plus(self.skew).to_wire();
        self.say(Message::State(StateMessage { state, startup: false, since, tandem: None }));
    }

    pub fn tell(&mut self, updates: Vec<BindingUpdate>) -> Vec<BindingAck> {
        self.say(Message::BndUpd(updates.into()));
        match self.heard.last().map(|envelope| &envelope.message) {
            Some(Message::BndAck(acks)) => acks.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Time goes on; both ends do what is due.
    pub fn pass(&mut self, interval: Interval) {
        let end = self.now.plus(interval);
        for turn in 0.. {
            assert!(turn < 100_000, "something is due for ever");
            let partner =
                self.partner.as_ref().and_then(Connection::next_deadline).map(|at| at.minus(self.skew));
            let next = self.engine.next_deadline().into_iter().chain(partner).min().filter(|at| *at <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            let mut outputs = Vec::new();
            if let Some(partner) = &mut self.partner {
                partner.wake(self.now.plus(self.skew), &mut outputs);
            }
            self.obey(outputs);
            self.engine.handle(self.now, Input::Wake, &mut self.outbox);
            self.settle();
        }
        self.now = end;
    }

    pub fn view(&self) -> EndpointView {
        self.engine.endpoints(self.now).remove(0)
    }

    pub fn leases(&self) -> Vec<LeaseView> {
        self.engine.leases(&LeaseFilter { unused: true, ..LeaseFilter::default() }, usize::MAX).0
    }

    pub fn lease(&self, address: Ipv4Addr) -> LeaseView {
        self.leases().into_iter().find(|lease| lease.address == address).expect("a binding")
    }

    /// What the engine answers to a client.
    pub fn ask(&mut self, client: &Client, bytes: &[u8]) -> Option<Reply> {
        let packet = Packet {
            interface: INTERFACE,
            source: SocketAddrV4::new(client.source, 68),
            destination: Ipv4Addr::BROADCAST,
            received: self.now,
            bytes,
        };
        self.engine.handle(self.now, Input::Packet(packet), &mut self.outbox);
        self.settle();
        self.replies.pop()
    }

    pub fn discover(&mut self, client: &Client) -> Option<Ipv4Addr> {
        let discover = client.message(DhcpType::Discover, Ipv4Addr::UNSPECIFIED, &[]);
        self.ask(client, &discover).map(|reply| reply.yiaddr())
    }

    pub fn bind(&mut self, client: &Client) -> Option<(Ipv4Addr, u32)> {
        let address = self.discover(client)?;
        let options: [(u8, &[u8]); 2] = [
            (dhcp::code::REQUESTED_ADDRESS, &address.octets()),
            (dhcp::code::SERVER_IDENTIFIER, &ip("10.0.0.1").octets()),
        ];
        let request = client.message(DhcpType::Request, Ipv4Addr::UNSPECIFIED, &options);
        let ack = self.ask(client, &request).filter(|reply| reply.kind() == DhcpType::Ack)?;
        Some((address, ack.lease()))
    }

    /// The next client that this server serves, with its lease.
    pub fn bind_one(&mut self) -> (Client, Ipv4Addr) {
        loop {
            self.next_client += 1;
            assert!(self.next_client < 100, "no client of this server's buckets");
            let client = Client::new(self.next_client);
            if let Some((address, _)) = self.bind(&client) {
                return (client, address);
            }
        }
    }

    pub fn give_back(&mut self, client: &Client, kind: DhcpType, address: Ipv4Addr) {
        let mut options: Vec<(u8, &[u8])> = Vec::new();
        let (asked, server) = (address.octets(), ip("10.0.0.1").octets());
        options.push((dhcp::code::SERVER_IDENTIFIER, &server));
        let ciaddr = if kind == DhcpType::Decline {
            options.push((dhcp::code::REQUESTED_ADDRESS, &asked));
            Ipv4Addr::UNSPECIFIED
        } else {
            address
        };
        let message = client.message(kind, ciaddr, &options);
        assert!(self.ask(client, &message).is_none());
    }

    /// All updates that the engine sent since `from`.
    pub fn updates_since(&self, from: usize) -> Vec<BindingUpdate> {
        self.heard[from..].iter().flat_map(updates_in).collect()
    }

    /// All BNDUPDs that the engine sent since `from`.
    pub fn bndupds_since(&self, from: usize) -> Vec<Envelope> {
        self.heard[from..].iter().filter(|envelope| !updates_in(envelope).is_empty()).cloned().collect()
    }
}

pub fn updates_in(envelope: &Envelope) -> Vec<BindingUpdate> {
    match &envelope.message {
        Message::BndUpd(updates) => updates.updates.clone(),
        _ => Vec::new(),
    }
}
