//! Two engines and a link between them, with time that the test moves.

#![allow(
    dead_code,
    clippy::expect_used,
    reason = "each test file uses its part of this, and a broken test may stop"
)]

use super::common::{Client, INTERFACE, Reply, START, ip, records, seconds, small};
use dhcp::MessageType;
use engine::config::{Config, Parts, RelationshipId, RelationshipParts};
use engine::record::Record;
use engine::{
    Batch, Commanded, EndpointView, Engine, Input, Interface, LeaseFilter, LeaseView, Link, LinkId, Outbox,
    Packet, Position, SnapshotCursor, ToPartner,
};
use failover::binding::BindingStatus;
use failover::endpoint::Command;
use failover::message::MessageType as Said;
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};

pub const CAMPUS: RelationshipId = RelationshipId(0);
pub const MCLT: u64 = 600;

pub fn parts(role: Role, lease: u64) -> Parts {
    let mut parts = small(20);
    parts.relationships = vec![RelationshipParts::new("campus", role, seconds(MCLT))];
    let subnet = &mut parts.shared_networks[0].subnets[0];
    subnet.lease = engine::config::LeaseTimes::of(seconds(lease));
    subnet.pools[0].failover = Some(0);
    parts
}

pub struct Node {
    pub parts: Parts,
    pub engine: Engine,
    pub outbox: Outbox,
    pub log: Vec<Vec<u8>>,
    pub address: Ipv4Addr,
    pub store: [u8; 16],
    pub generation: u64,
    pub link: Option<LinkId>,
    pub is_up: bool,
    pub replies: Vec<Reply>,
    /// The numbers of what people were told.
    pub told: Vec<&'static str>,
    /// What waits for a disk that stands.
    pub held: Vec<Batch>,
}

impl Node {
    pub fn start(&mut self, now: Time) {
        let config = Config::check(&self.parts).expect("a configuration without faults");
        self.engine = Engine::new(config, 7);
        self.generation += 1;
        self.engine.set_store(self.store, self.generation);
        for record in &self.log {
            self.engine.replay(record).expect("our own record");
        }
        self.outbox = Outbox::new(Position(self.log.len() as u64));
        self.held.clear();
        self.engine.start(now, &mut self.outbox);
        let interfaces = [Interface { id: INTERFACE, addresses: vec![self.address] }];
        self.engine.handle(now, Input::Interfaces(&interfaces), &mut self.outbox);
        self.is_up = true;
        self.link = None;
    }

    /// The records of bindings in a snapshot of what a replay makes of these.
    pub fn replayed<'r>(&self, log: impl IntoIterator<Item = &'r Vec<u8>>) -> Vec<Vec<u8>> {
        let mut engine = Engine::new(self.engine.config().clone(), 7);
        for record in log {
            engine.replay(record).expect("our own record");
        }
        // What the configuration does not have is taken in there.
        engine.start(Time::from_seconds(START), &mut Outbox::new(Position::START));
        bindings_of(&engine)
    }

    /// No change of a binding was left unrecorded: not beside one that a short record was thought to be enough for either.
    pub fn assert_recorded(&self) {
        if self.held.is_empty() && self.outbox.is_empty() {
            assert_eq!(self.replayed(&self.log), bindings_of(&self.engine));
        }
    }

    /// What is recorded is stable at once, unless the disk stands; what goes to clients is kept, what goes to the partner comes back.
    pub fn drain(&mut self, now: Time, syncs: bool) -> Vec<ToPartner> {
        let batch = self.outbox.seal(Batch::default());
        self.told.extend(batch.events().0.iter().map(|event| event.entry().id));
        if std::env::var_os("SHOW").is_some() {
            for event in batch.events().0 {
                eprintln!("{} {} {event}", now.as_seconds() - START, self.address);
            }
        }
        self.held.push(batch);
        let mut out = Vec::new();
        for batch in &mut self.held {
            if syncs {
                self.log.extend(records(batch.records().2));
            }
            let stable = if syncs { batch.end() } else { Position(self.log.len() as u64) };
            let replies = &mut self.replies;
            batch.release(stable, now, |destination, bytes| {
                replies.push(Reply {
                    destination: *destination,
                    bytes: bytes.to_vec(),
                    rests_on_record: true,
                });
            });
            batch.release_partners(stable, |to| out.push(to));
        }
        if syncs {
            self.held.clear();
        }
        out
    }
}

/// The records of bindings in a snapshot.
pub fn bindings_of(engine: &Engine) -> Vec<Vec<u8>> {
    let (mut cursor, mut bytes) = (SnapshotCursor::default(), Vec::new());
    while !engine.snapshot(&mut cursor, 1000, &mut bytes).1 {}
    let mut records = records(&bytes);
    records.retain(|record| matches!(Record::decode(record), Ok(Record::Binding(_))));
    records
}

/// What happens in the middle of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// The link is cut.
    Cut,
    /// This node is killed.
    Kill(usize),
}

pub struct Pair {
    pub now: Time,
    pub nodes: [Node; 2],
    pub is_cut: bool,
    pub next_link: u64,
    /// To which node, and what.
    pub wire: VecDeque<(usize, LinkId, Vec<u8>)>,
    /// What came to a node that stands still.
    pub unread: VecDeque<(usize, LinkId, Vec<u8>)>,
    pub wants: [bool; 2],
    /// Messages that wait for one node come to it in one piece.
    pub in_one_segment: bool,
    /// By how much the clock of each is ahead of the test's.
    pub ahead: [Interval; 2],
    /// So many segments arrive, those of CONTACT alone not counted; the next is lost, and this happens.
    pub interruption: Option<(usize, Interruption)>,
    /// Its disk syncs nothing: what it decides waits.
    pub disk_stands: [bool; 2],
    /// Who said what.
    pub said: Vec<(usize, Said)>,
}

impl Pair {
    pub fn new(lease: u64) -> Pair {
        Pair::of(|role| parts(role, lease))
    }

    pub fn of(parts: impl Fn(Role) -> Parts) -> Pair {
        let now = Time::from_seconds(START);
        let node = |role, address: &str, store| {
            let parts = parts(role);
            let config = Config::check(&parts).expect("a configuration without faults");
            Node {
                engine: Engine::new(config, 7),
                parts,
                outbox: Outbox::new(Position::START),
                log: Vec::new(),
                address: ip(address),
                store: [store; 16],
                generation: 0,
                link: None,
                is_up: false,
                replies: Vec::new(),
                told: Vec::new(),
                held: Vec::new(),
            }
        };
        let mut pair = Pair {
            now,
            nodes: [node(Role::Primary, "10.0.0.1", 1), node(Role::Secondary, "10.0.0.2", 2)],
            is_cut: false,
            next_link: 0,
            wire: VecDeque::new(),
            unread: VecDeque::new(),
            wants: [false; 2],
            in_one_segment: false,
            ahead: [Interval::ZERO; 2],
            interruption: None,
            disk_stands: [false; 2],
            said: Vec::new(),
        };
        pair.nodes[0].start(now);
        pair.nodes[1].start(now);
        pair.settle();
        pair
    }

    /// In NORMAL, pools balanced.
    pub fn normal(lease: u64) -> Pair {
        let mut pair = Pair::new(lease);
        pair.pass(seconds(60));
        assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
        pair
    }

    /// What the clock of a node says.
    pub fn at(&self, node: usize) -> Time {
        self.now.plus(self.ahead[node])
    }

    pub fn view(&self, node: usize) -> EndpointView {
        self.nodes[node].engine.endpoints(self.at(node)).remove(0)
    }

    pub fn states(&self) -> (FailoverState, FailoverState) {
        (self.view(0).state, self.view(1).state)
    }

    pub fn settle(&mut self) {
        for turn in 0.. {
            assert!(turn < 100_000, "the two never come to rest: {:?}", self.states());
            let mut busy = false;
            for n in 0..2 {
                if !self.nodes[n].is_up {
                    continue;
                }
                for to in self.nodes[n].drain(self.at(n), !self.disk_stands[n]) {
                    busy = true;
                    self.carry(n, to);
                }
            }
            busy |= self.connect();
            if let Some((n, link, mut bytes)) = self.wire.pop_front() {
                busy = true;
                if self.is_interrupted(&bytes) {
                    continue;
                }
                while self.in_one_segment
                    && self.wire.front().is_some_and(|(to, of, _)| (*to, *of) == (n, link))
                {
                    bytes.extend(self.wire.pop_front().map(|(_, _, more)| more).unwrap_or_default());
                }
                if !self.nodes[n].is_up {
                    self.unread.push_back((n, link, bytes));
                } else if self.nodes[n].link == Some(link) {
                    self.hand(n, Link::Received { link, at: self.at(n), bytes: &bytes });
                }
            }
            if !busy {
                return;
            }
        }
    }

    fn is_interrupted(&mut self, segment: &[u8]) -> bool {
        if matches!(segment, [0, 12, kind, ..] if *kind == Said::Contact.number() && segment.len() == 12) {
            return false;
        }
        match self.interruption.take() {
            Some((0, what)) => {
                match what {
                    Interruption::Cut => self.cut(),
                    Interruption::Kill(n) => self.kill(n),
                }
                return true;
            }
            Some((left, what)) => self.interruption = Some((left - 1, what)),
            None => {}
        }
        false
    }

    /// What was interrupted goes on: the link is whole, and both run.
    pub fn repair(&mut self) {
        self.mend();
        self.repair_nodes();
    }

    /// Both run.
    pub fn repair_nodes(&mut self) {
        for n in 0..2 {
            if !self.nodes[n].is_up {
                self.start(n);
            }
        }
    }

    pub fn hand(&mut self, n: usize, link: Link<'_>) {
        let now = self.at(n);
        let Node { engine, outbox, .. } = &mut self.nodes[n];
        engine.handle(now, Input::Link(link), outbox);
    }

    pub fn carry(&mut self, n: usize, to: ToPartner) {
        if std::env::var_os("SHOW").is_some() {
            eprintln!("{} node {n} {to:?}", self.now.as_seconds() - START);
        }
        match to {
            ToPartner::Connect { .. } => self.wants[n] = true,
            ToPartner::StartTls { link } => self.hand(n, Link::TlsStarted { link, peer: "partner.example" }),
            ToPartner::Send { link, outgoing } => {
                self.said.push((n, outgoing.message.message_type()));
                let mut bytes = Vec::new();
                let now = self.at(n);
                self.nodes[n].engine.encode(now, link, outgoing, &mut bytes).expect("our own message");
                if self.nodes[n].link == Some(link) && !bytes.is_empty() {
                    // What is said in one breath comes in one piece, as over TCP.
                    match self.wire.back_mut() {
                        Some((to, of, tail)) if (*to, *of) == (1 - n, link) => tail.extend(bytes),
                        _ => self.wire.push_back((1 - n, link, bytes)),
                    }
                }
            }
            ToPartner::Close { link } => {
                // What was said before arrives before the end does.
                while let Some(at) = self.wire.iter().position(|(to, of, _)| (*to, *of) == (1 - n, link)) {
                    let Some((to, _, bytes)) = self.wire.remove(at) else { break };
                    if self.nodes[to].link == Some(link) {
                        self.hand(to, Link::Received { link, at: self.at(to), bytes: &bytes });
                    }
                }
                self.close(link);
            }
        }
    }

    pub fn connect(&mut self) -> bool {
        for n in 0..2 {
            if !std::mem::take(&mut self.wants[n]) || !self.nodes[n].is_up {
                continue;
            }
            if self.is_cut || !self.nodes[1 - n].is_up || self.nodes[n].link.is_some() {
                self.hand(n, Link::Failed { relationship: CAMPUS });
                return true;
            }
            self.next_link += 1;
            let link = LinkId(self.next_link);
            for node in &mut self.nodes {
                node.link = Some(link);
            }
            self.hand(n, Link::Connected { link, relationship: CAMPUS });
            self.hand(1 - n, Link::Accepted { link, relationship: CAMPUS });
            return true;
        }
        false
    }

    pub fn close(&mut self, link: LinkId) {
        for n in 0..2 {
            if self.nodes[n].link == Some(link) {
                self.nodes[n].link = None;
                if self.nodes[n].is_up {
                    self.hand(n, Link::Closed { link });
                }
            }
        }
        self.wire.retain(|(_, of, _)| *of != link);
    }

    pub fn cut(&mut self) {
        self.is_cut = true;
        if let Some(link) = self.nodes[0].link.or(self.nodes[1].link) {
            self.close(link);
        }
        self.settle();
    }

    pub fn mend(&mut self) {
        self.is_cut = false;
    }

    pub fn kill(&mut self, n: usize) {
        if self.nodes[n].is_up {
            self.nodes[n].assert_recorded();
        }
        self.nodes[n].is_up = false;
        self.wire.clear();
        self.unread.clear();
        if let Some(link) = self.nodes[n].link {
            self.close(link);
        }
        self.settle();
    }

    pub fn start(&mut self, n: usize) {
        let now = self.at(n);
        self.nodes[n].start(now);
        self.settle();
    }

    /// Its process stands still; nobody is told, and what comes waits until it goes on.
    pub fn freeze(&mut self, n: usize) {
        self.nodes[n].is_up = false;
    }

    pub fn thaw(&mut self, n: usize) {
        self.nodes[n].is_up = true;
        self.wire.append(&mut self.unread);
    }

    pub fn lose_disk(&mut self, n: usize) {
        self.kill(n);
        self.nodes[n].log.clear();
        self.nodes[n].store = [99; 16];
        self.nodes[n].generation = 0;
    }

    pub fn command(&mut self, n: usize, command: Command) -> Commanded {
        let now = self.at(n);
        let Node { engine, outbox, .. } = &mut self.nodes[n];
        let done = engine.command_partner(now, CAMPUS, command, outbox);
        self.settle();
        done
    }

    pub fn pass(&mut self, interval: Interval) {
        let end = self.now.plus(interval);
        for turn in 0.. {
            assert!(
                turn < 200_000,
                "something is due for ever: {:?} {:?} {:?}",
                self.states(),
                self.now,
                self.nodes.each_ref().map(|node| node.engine.next_deadline())
            );
            let next = (0..2)
                .filter(|n| self.nodes[*n].is_up)
                .filter_map(|n| Some(self.nodes[n].engine.next_deadline()?.minus(self.ahead[n])))
                .min()
                .filter(|at| *at <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            for n in 0..2 {
                let now = self.at(n);
                let due = self.nodes[n].engine.next_deadline().is_some_and(|at| at <= now);
                if self.nodes[n].is_up && due {
                    let Node { engine, outbox, .. } = &mut self.nodes[n];
                    engine.handle(now, Input::Wake, outbox);
                }
            }
            self.settle();
        }
        self.now = end;
    }

    /// Everybody on the wire hears it; what they answer.
    pub fn send(&mut self, client: &Client, only: Option<usize>, bytes: &[u8]) -> Vec<(usize, Reply)> {
        let mut replies = Vec::new();
        for n in 0..2 {
            if !self.nodes[n].is_up || only.is_some_and(|only| only != n) {
                continue;
            }
            let packet = Packet {
                interface: INTERFACE,
                source: SocketAddrV4::new(client.source, 68),
                destination: if only.is_some() { self.nodes[n].address } else { Ipv4Addr::BROADCAST },
                received: self.at(n),
                bytes,
            };
            let now = self.at(n);
            let Node { engine, outbox, .. } = &mut self.nodes[n];
            engine.handle(now, Input::Packet(packet), outbox);
        }
        self.settle();
        for n in 0..2 {
            replies.extend(self.nodes[n].replies.drain(..).map(|reply| (n, reply)));
        }
        replies
    }

    /// DISCOVER to ACK; who leased which address for how long.
    pub fn bind(&mut self, client: &Client) -> Option<(usize, Ipv4Addr, u32)> {
        let discover = client.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[]);
        let (n, offer) = self.send(client, None, &discover).into_iter().next()?;
        let (address, server) = (offer.yiaddr().octets(), self.nodes[n].address.octets());
        let options: [(u8, &[u8]); 2] =
            [(dhcp::code::REQUESTED_ADDRESS, &address), (dhcp::code::SERVER_IDENTIFIER, &server)];
        let request = client.message(MessageType::Request, Ipv4Addr::UNSPECIFIED, &options);
        let replies = self.send(client, None, &request);
        assert_eq!(replies.len(), 1, "one server answers a selected offer");
        let (n, ack) = &replies[0];
        (ack.kind() == MessageType::Ack).then(|| (*n, ack.yiaddr(), ack.lease()))
    }

    pub fn renew(&mut self, client: &Client, n: usize, address: Ipv4Addr) -> Option<Reply> {
        let mut client = client.clone();
        client.source = address;
        let request = client.message(MessageType::Request, address, &[]);
        self.send(&client, Some(n), &request).pop().map(|(_, reply)| reply)
    }

    pub fn release(&mut self, client: &Client, n: usize, address: Ipv4Addr) {
        let server = self.nodes[n].address.octets();
        let request =
            client.message(MessageType::Release, address, &[(dhcp::code::SERVER_IDENTIFIER, &server)]);
        assert!(self.send(client, Some(n), &request).is_empty());
    }

    pub fn decline(&mut self, client: &Client, n: usize, address: Ipv4Addr) {
        let server = self.nodes[n].address.octets();
        let options: [(u8, &[u8]); 2] =
            [(dhcp::code::REQUESTED_ADDRESS, &address.octets()), (dhcp::code::SERVER_IDENTIFIER, &server)];
        let decline = client.message(MessageType::Decline, Ipv4Addr::UNSPECIFIED, &options);
        assert!(self.send(client, Some(n), &decline).is_empty());
    }

    pub fn leases(&self, n: usize) -> Vec<LeaseView> {
        let filter = LeaseFilter { unused: true, ..LeaseFilter::default() };
        self.nodes[n].engine.leases(&filter, usize::MAX).0
    }

    pub fn lease(&self, n: usize, address: Ipv4Addr) -> LeaseView {
        self.leases(n).into_iter().find(|lease| lease.address == address).expect("a binding")
    }

    pub fn status(&self, address: Ipv4Addr) -> [BindingStatus; 2] {
        [0, 1].map(|n| self.lease(n, address).status)
    }

    pub fn counts(&self, n: usize) -> (u64, u64) {
        (self.view(n).free, self.view(n).backup)
    }

    /// L2: address by address the same.
    pub fn assert_equal(&self) {
        for (a, b) in self.leases(0).iter().zip(self.leases(1)) {
            assert_eq!((a.address, a.status, &a.client), (b.address, b.status, &b.client));
            assert_eq!(a.lease_expiration, b.lease_expiration, "{}", a.address);
        }
        for n in 0..2 {
            let view = self.view(n);
            assert_eq!((view.queued, view.unacked, view.refused, view.unagreed), (0, 0, 0, 0), "node {n}");
        }
    }
}
