//! One server, and what a script lets happen to it: a partner that says what stands there, clients, an operator, time.

use super::super::common::{INTERFACE, Reply, START, records, seconds};
use super::claim::Claim;
use super::crash::Start;
use super::ground::Ground;
use super::log::Log;
use super::message::{self, Defaults};
use super::setup::{addresses_of, parts};
use super::visited::Visited;
use super::words::{Fields, Outcome, number, show_time, time};
use super::{record, reply};
use engine::config::{Config, Parts, RelationshipId};
use engine::record::Record;
use engine::{
    Batch, Commanded, Engine, Input, Interface, Link, LinkId, Outbox, Packet, Position, StorageHealth,
    ToPartner,
};
use failover::binding::BindingStatus;
use failover::digest::Secret;
use failover::endpoint::Command;
use failover::message::{
    BindingAck, BindingUpdate, Codec, Envelope, Message, MessageType, Parsed, TandemInfo, Xid, frame_length,
};
use failover::state::FailoverState;
use failover::time::{ClockDelta, Interval, Time, WireTime};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};

const CAMPUS: RelationshipId = RelationshipId(0);

/// Calls at one moment at most: a server that always has something due is a defect.
const AT_ONCE: usize = 10_000;

/// The partner, as far as it does anything by itself.
#[derive(Clone)]
struct Partner {
    /// How far its clock is ahead.
    ahead: i64,
    next_xid: u32,
    is_tandem: bool,
    /// It sends CONTACT; one that is silent does not.
    contact_at: Option<Time>,
    /// TLS runs on the newest connection.
    has_tls: bool,
    /// What it was asked and has not answered.
    asked: VecDeque<(Envelope, LinkId)>,
}

pub struct World {
    parts: Parts,
    config: Config,
    engine: Engine,
    outbox: Outbox,
    now: Time,
    own: Ipv4Addr,
    log: Log,
    ground: Option<Box<dyn Ground>>,
    /// At each record a copy of the server crashes.
    crashes: bool,
    /// Something was recorded that is more than a stamp.
    is_news: bool,
    store: u8,
    generation: u64,
    runs: bool,
    links: Vec<LinkId>,
    next_link: u64,
    codec: Codec,
    partner: Partner,
    lines: Vec<String>,
    /// Updates of the present line, and our status before it.
    judging: Vec<(BindingStatus, BindingUpdate)>,
    edges: Vec<(FailoverState, FailoverState)>,
}

impl World {
    pub fn new(text: &str, ground: Option<Box<dyn Ground>>) -> Outcome<World> {
        let parts = parts(text)?;
        let config = Config::check(&parts).map_err(|faults| format!("{faults:?}"))?;
        let relationship = &parts.relationships[0];
        let [own, other] = addresses_of(relationship.role);
        let codec = Codec::new(relationship.dialect, other);
        Ok(World {
            engine: Engine::new(config.clone(), 7),
            config,
            outbox: Outbox::new(Position::START),
            now: Time::from_seconds(START),
            own,
            log: Log::default(),
            ground,
            crashes: true,
            is_news: false,
            store: 1,
            generation: 0,
            runs: false,
            links: Vec::new(),
            next_link: 0,
            codec: codec.with_secret(relationship.secret.clone()),
            partner: Partner {
                ahead: 0,
                next_xid: 101,
                is_tandem: false,
                contact_at: None,
                has_tls: false,
                asked: VecDeque::new(),
            },
            parts,
            lines: Vec::new(),
            judging: Vec::new(),
            edges: Vec::new(),
        })
    }

    /// Lets what a line says happen; all that comes of it.
    pub fn step(&mut self, meant: &str, visited: &mut Visited) -> Outcome<Vec<String>> {
        let (what, rest) = meant.split_once(' ').unwrap_or((meant, ""));
        self.crashes = !visited.is_beginning;
        if let Some(ground) = &mut self.ground {
            ground.look(self.crashes);
        }
        match what {
            "stored" => {
                let relationship = &self.parts.relationships[0];
                let record = record::read(rest, relationship.role, relationship.mclt)?;
                if let Some(ground) = &mut self.ground {
                    ground.put(&record);
                }
                self.log.append(record)?;
            }
            "start" => self.start(rest)?,
            "restart" => {
                self.stop();
                self.start(rest)?;
            }
            "at" => self.pass(time(rest)?)?,
            _ if !self.runs => return Err("the server has not started".to_owned()),
            "partner" => self.partner(rest)?,
            ">" => self.partner_says(rest, visited)?,
            "client" => self.client(rest)?,
            "operator" => self.operator(rest)?,
            "storage" => {
                let health = if rest == "full" { StorageHealth::ReserveOnly } else { StorageHealth::Ok };
                self.hand(Input::Storage(health))?;
            }
            "interface" => {
                let interfaces = Interface { id: INTERFACE, addresses: vec![self.own] };
                let interfaces = if rest == "up" { vec![interfaces] } else { Vec::new() };
                self.hand(Input::Interfaces(&interfaces))?;
            }
            _ => return Err(format!("`{what}` means nothing")),
        }
        if self.runs && self.crashes && self.ground.is_none() {
            self.crash().compare(&self.engine, &self.log.records)?;
        }
        self.judging.clear();
        Ok(std::mem::take(&mut self.lines))
    }

    pub fn note_edges(&mut self, visited: &mut Visited) {
        self.note_counted();
        visited.edges.extend(self.edges.iter().copied());
    }

    fn crash(&self) -> Start<'_> {
        let store = ([self.store; 16], self.generation + 1);
        Start { config: &self.config, store, now: self.now }
    }

    fn start(&mut self, how: &str) -> Outcome<()> {
        let mut fields = Fields::of(how);
        if fields.flag("empty") {
            // Another disk.
            self.log = Log::default();
            self.store += 10;
            self.generation = 0;
            if let Some(ground) = &mut self.ground {
                ground.replace();
            }
        }
        fields.end()?;
        self.engine = Engine::new(self.config.clone(), 7);
        self.generation += 1;
        self.engine.set_store([self.store; 16], self.generation);
        for record in &self.found()? {
            self.engine.replay(record).map_err(|error| error.to_string())?;
        }
        self.outbox = Outbox::new(Position(self.log.count));
        self.engine.start(self.now, &mut self.outbox);
        self.runs = true;
        let interfaces = [Interface { id: INTERFACE, addresses: vec![self.own] }];
        self.hand(Input::Interfaces(&interfaces))
    }

    /// The records that a process finds when it starts.
    fn found(&mut self) -> Outcome<Vec<Vec<u8>>> {
        let Some(mut ground) = self.ground.take() else { return Ok(self.log.records.clone()) };
        let found = ground.open(&self.crash());
        self.ground = Some(ground);
        found
    }

    fn stop(&mut self) {
        self.note_counted();
        self.runs = false;
        self.links.clear();
        self.partner.asked.clear();
        self.partner.contact_at = None;
    }

    fn note_counted(&mut self) {
        let counters = self.engine.counters();
        for from in FailoverState::ALL {
            for to in FailoverState::ALL {
                if counters.edges(from, to) > 0 && !self.edges.contains(&(from, to)) {
                    self.edges.push((from, to));
                }
            }
        }
    }

    /// Gives something to the engine, and then all the time that it wants at this moment.
    fn hand(&mut self, input: Input<'_>) -> Outcome<()> {
        self.engine.handle(self.now, input, &mut self.outbox);
        self.drain()?;
        for _ in 0..AT_ONCE {
            if self.engine.next_deadline().is_none_or(|at| at > self.now) {
                return Ok(());
            }
            self.engine.handle(self.now, Input::Wake, &mut self.outbox);
            self.drain()?;
        }
        Err("something is due for ever".to_owned())
    }

    /// Time goes on. What happens at a deadline is told with its time; stamps and CONTACT alone are counted.
    fn pass(&mut self, until: Time) -> Outcome<()> {
        if until < self.now {
            return Err(format!("it is {} already", show_time(self.now)));
        }
        let (mut stamps, mut contacts) = (0_u64, 0_u64);
        loop {
            let own = if self.runs { self.engine.next_deadline() } else { None };
            let Some(next) = own.into_iter().chain(self.partner.contact_at).min().filter(|at| *at <= until)
            else {
                break;
            };
            self.now = self.now.max(next);
            let (told, recorded) = (self.lines.len(), self.log.count);
            self.is_news = false;
            if self.partner.contact_at.is_some_and(|at| at <= self.now) {
                self.partner_keeps_contact()?;
            }
            self.hand(Input::Wake)?;
            let is_contact = |line: &String| line.starts_with("< CONTACT");
            if !self.is_news
                && self.lines[told..].iter().all(|line| is_contact(line) || line.starts_with('!'))
            {
                stamps += self.log.count - recorded;
                contacts += self.lines[told..].iter().map(|line| u64::from(is_contact(line))).sum::<u64>();
                self.lines.truncate(told);
            } else {
                self.lines.insert(told, format!("@ {}", show_time(self.now)));
            }
        }
        self.now = until;
        if stamps + contacts > 0 {
            self.lines.push(format!("~ {stamps} stamps, {contacts} CONTACT"));
        }
        Ok(())
    }

    /// What was decided: each record, and behind it what rests on it and on nothing later.
    fn drain(&mut self) -> Outcome<()> {
        while !self.outbox.is_empty() {
            let mut batch = self.outbox.seal(Batch::default());
            let told = batch.events().0.iter().map(|event| format!("= {} {event}", event.entry().id));
            self.lines.extend(told);
            let mut closed = Vec::new();
            let (Position(first), _, frames) = batch.records();
            let new = records(frames);
            self.release(&mut batch, first, &mut closed)?;
            let before = std::mem::take(&mut self.is_news);
            if let Some(mut ground) = self.ground.take() {
                let kept = ground.keep(&batch, &self.crash());
                self.ground = Some(ground);
                kept?;
            }
            for (record, end) in new.into_iter().zip(first + 1..) {
                let shown = Record::decode(&record).map_err(|error| error.to_string())?;
                self.lines.push(format!("! {}", record::show(&shown)));
                if self.log.append(record)? {
                    self.is_news = true;
                    if self.crashes && self.ground.is_none() {
                        self.crash().starts(&self.log.records)?;
                    }
                }
                self.release(&mut batch, end, &mut closed)?;
            }
            if let Some(mut ground) = self.ground.take() {
                let rested = ground.rest(&self.engine, &self.crash(), self.is_news);
                self.ground = Some(ground);
                rested?;
            }
            self.is_news |= before;
            for link in closed {
                self.engine.handle(self.now, Input::Link(Link::Closed { link }), &mut self.outbox);
            }
        }
        Ok(())
    }

    fn release(&mut self, batch: &mut Batch, stable: u64, closed: &mut Vec<LinkId>) -> Outcome<()> {
        let mut replies = Vec::new();
        batch.release(Position(stable), self.now, |destination, bytes| {
            replies.push(Reply { destination: *destination, bytes: bytes.to_vec(), rests_on_record: true });
        });
        for reply in replies {
            self.rests_on_record(&reply)?;
            self.lines.push(format!("* {}", reply::show(&reply)));
        }
        let mut to_partner = Vec::new();
        batch.release_partners(Position(stable), |to| to_partner.push(to));
        for to in to_partner {
            match to {
                ToPartner::Connect { .. } => self.lines.push("< opens a connection".to_owned()),
                ToPartner::StartTls { .. } => self.lines.push("< begins TLS".to_owned()),
                ToPartner::Close { link } => {
                    self.lines.push(format!("< closes the connection{}", self.which(link)));
                    self.forget(link);
                    closed.push(link);
                }
                ToPartner::Send { link, outgoing } => {
                    let mut bytes = Vec::new();
                    self.engine
                        .encode(self.now, link, outgoing, &mut bytes)
                        .map_err(|error| error.to_string())?;
                    self.sent(link, &bytes)?;
                }
            }
        }
        Ok(())
    }

    /// A connection is named where it is not the newest.
    fn which(&self, link: LinkId) -> String {
        let is_newest = self.links.last().is_none_or(|newest| *newest == link);
        if is_newest { String::new() } else { format!(" on connection {}", link.0) }
    }

    fn forget(&mut self, link: LinkId) {
        self.links.retain(|other| *other != link);
        self.partner.asked.retain(|(_, of)| *of != link);
        if self.links.is_empty() {
            self.partner.contact_at = None;
        }
    }

    fn sent(&mut self, link: LinkId, mut bytes: &[u8]) -> Outcome<()> {
        while let Some(length) = frame_length(bytes).map_err(|error| error.to_string())? {
            let (frame, rest) = bytes.split_at(length);
            bytes = rest;
            let Ok(Parsed::Message(envelope)) = self.codec.parse(frame) else {
                return Err("the server says what cannot be read".to_owned());
            };
            self.is_stable(&envelope)?;
            self.names_its_sender(frame)?;
            let to = self.which(link);
            self.lines.push(format!("< {}{to}", message::show(&envelope)));
            if !envelope.message.message_type().is_response() {
                self.partner.asked.push_back((envelope, link));
            }
        }
        Ok(())
    }

    /// What is signed in draft-07 has the address of its sender (F07-12.21-01).
    fn names_its_sender(&self, frame: &[u8]) -> Outcome<()> {
        let mut option = vec![0, 21, 0, 4];
        option.extend(self.own.octets());
        let is_wanted = self.codec.has_secret() && !self.codec.dialect().has_relationship_name();
        let has_it = frame.windows(option.len()).any(|bytes| bytes == option);
        if has_it || !is_wanted { Ok(()) } else { Err("the message does not name its sender".to_owned()) }
    }

    /// What is told of the own state (F07-9.2-01), and what is acknowledged (F07-7.2-01), is on stable storage first.
    fn is_stable(&mut self, envelope: &Envelope) -> Outcome<()> {
        match &envelope.message {
            Message::State(said) => self.claim(&Claim::State { state: said.state, since: said.since }),
            Message::BndAck(acks) => {
                let mut accepted = acks.iter().filter(|ack| ack.rejected.is_none());
                accepted.try_for_each(|ack| self.is_taken(ack.address))
            }
            _ => Ok(()),
        }
    }

    /// The update of this line about an address, as far as it is on stable storage.
    fn is_taken(&mut self, address: Ipv4Addr) -> Outcome<()> {
        let Some((_, update)) = self.judging.iter().find(|(_, update)| update.address == address) else {
            return Ok(());
        };
        let is_active = update.status == BindingStatus::Active;
        let promised = update.potential_expiration.filter(|_| is_active).unwrap_or_default();
        let promised = promised.to_time(ClockDelta(-self.partner.ahead));
        self.claim(&Claim::Acknowledged { address, status: update.status, promised })
    }

    fn rests_on_record(&mut self, reply: &Reply) -> Outcome<()> {
        let message = reply.message();
        let (address, Some(lease)) = (message.yiaddr(), message.lease_time()) else { return Ok(()) };
        if reply.kind() != dhcp::MessageType::Ack || lease == u32::MAX {
            return Ok(());
        }
        let ends = self.now.plus(seconds(u64::from(lease)));
        self.claim(&Claim::Leased { address, hardware: message.chaddr().to_vec(), ends })
    }

    fn claim(&mut self, claim: &Claim) -> Outcome<()> {
        claim.holds(&self.log)?;
        if let Some(ground) = &mut self.ground {
            ground.said(claim);
        }
        Ok(())
    }

    fn partner(&mut self, what: &str) -> Outcome<()> {
        match what {
            "accepts" | "connects" => {
                self.next_link += 1;
                let link = LinkId(self.next_link);
                self.links.push(link);
                self.partner.next_xid = 101;
                self.partner.has_tls = false;
                let relationship = CAMPUS;
                self.hand(Input::Link(match what {
                    "accepts" => Link::Connected { link, relationship },
                    _ => Link::Accepted { link, relationship },
                }))
            }
            "refuses" => self.hand(Input::Link(Link::Failed { relationship: CAMPUS })),
            "closes" => {
                let link = *self.links.last().ok_or("there is no connection")?;
                self.forget(link);
                self.hand(Input::Link(Link::Closed { link }))
            }
            "begins TLS" => {
                let link = *self.links.last().ok_or("there is no connection")?;
                self.partner.has_tls = true;
                self.hand(Input::Link(Link::TlsStarted { link, peer: "partner.example" }))
            }
            "fails TLS" => {
                let link = *self.links.last().ok_or("there is no connection")?;
                self.hand(Input::Link(Link::TlsFailed { link, why: "the certificate has expired" }))
            }
            "is silent" => {
                self.partner.contact_at = None;
                Ok(())
            }
            "is a Tandem" => {
                self.partner.is_tandem = true;
                Ok(())
            }
            _ => match what.strip_prefix("clock ") {
                Some(text) => {
                    self.partner.ahead = number(text.trim_end_matches('s'))?;
                    Ok(())
                }
                None => Err(format!("`partner {what}` means nothing")),
            },
        }
    }

    fn partner_time(&self) -> WireTime {
        let seconds = i64::try_from(self.now.as_seconds()).unwrap_or(i64::MAX) + self.partner.ahead;
        WireTime(u32::try_from(seconds).unwrap_or(0))
    }

    fn contact_interval(&self) -> Interval {
        self.parts.relationships[0].receive_timer.fraction(1, 3)
    }

    fn partner_keeps_contact(&mut self) -> Outcome<()> {
        self.partner.contact_at = Some(self.now.plus(self.contact_interval()));
        let xid = self.own_xid();
        self.partner_sends(xid, Message::Contact)
    }

    fn own_xid(&mut self) -> Xid {
        self.partner.next_xid += 1;
        Xid(self.partner.next_xid - 1)
    }

    fn partner_says(&mut self, text: &str, visited: &mut Visited) -> Outcome<()> {
        if let Some(bytes) = text.strip_prefix("bytes ") {
            let bytes = super::words::bytes(bytes)?;
            return self.receive(&bytes);
        }
        let (text, secret) = match text.split_once(" signed ") {
            Some((text, secret)) => (text, Some(secret)),
            None => (text, None),
        };
        let configuration = self.config.digest_of(CAMPUS);
        let [_, other] = addresses_of(self.parts.relationships[0].role);
        let tandem = TandemInfo {
            store_identity: [2; 16],
            store_generation: 1,
            configuration,
            ..TandemInfo::default()
        };
        let defaults = Defaults {
            now: self.partner_time(),
            mclt: self.parts.relationships[0].mclt,
            tandem: self.partner.is_tandem.then_some(tandem),
            has_tls: self.partner.has_tls,
            address: if self.codec.dialect().has_relationship_name() { None } else { Some(other) },
        };
        let (message, xid) = message::read(text, &defaults)?;
        let kind = message.as_ref().map_or(MessageType::BndAck, Message::message_type);
        let mut answered = None;
        if kind.is_response() {
            let at = self.partner.asked.iter().position(|(asked, _)| {
                answers(asked.message.message_type(), kind) && xid.is_none_or(|xid| asked.xid == Xid(xid))
            });
            answered = at.and_then(|at| self.partner.asked.remove(at));
        }
        let xid = match (xid, &answered) {
            (Some(xid), _) => Xid(xid),
            (None, Some((asked, _))) => asked.xid,
            (None, None) if kind.is_response() => {
                return Err(format!("nothing was asked that {kind} answers"));
            }
            (None, None) => self.own_xid(),
        };
        let message = match (message, answered) {
            (Some(message), _) => message,
            (None, Some((Envelope { message: Message::BndUpd(updates), .. }, _))) => {
                let accepted = updates.updates.iter().map(|update| BindingAck::accepted(update.address));
                Message::BndAck(accepted.collect())
            }
            (None, _) => return Err("a BNDACK for what?".to_owned()),
        };
        self.note_visit(&message, visited);
        let usual = self.codec.clone();
        match secret {
            Some("nothing") => self.codec = usual.clone().with_secret(None),
            Some(secret) => {
                self.codec = usual.clone().with_secret(Secret::new(secret.as_bytes().to_vec()));
            }
            None => {}
        }
        let mut bytes = Vec::new();
        let envelope = Envelope { time: self.partner_time(), xid, message };
        let encoded = self.codec.encode(&envelope, &mut bytes).map_err(|error| error.to_string());
        self.codec = usual;
        encoded?;
        self.receive(&bytes)?;
        self.note_verdicts(visited);
        if self.partner.contact_at.is_none() && !self.links.is_empty() && kind == MessageType::State {
            self.partner.contact_at = Some(self.now.plus(self.contact_interval()));
        }
        Ok(())
    }

    fn partner_sends(&mut self, xid: Xid, message: Message) -> Outcome<()> {
        let mut bytes = Vec::new();
        let envelope = Envelope { time: self.partner_time(), xid, message };
        self.codec.encode(&envelope, &mut bytes).map_err(|error| error.to_string())?;
        self.receive(&bytes)
    }

    fn receive(&mut self, bytes: &[u8]) -> Outcome<()> {
        let link = *self.links.last().ok_or("there is no connection")?;
        self.hand(Input::Link(Link::Received { link, at: self.now, bytes }))
    }

    fn note_visit(&mut self, message: &Message, visited: &mut Visited) {
        let view = self.engine.endpoints(self.now).remove(0);
        match message {
            Message::State(said) => {
                visited.cells.insert((view.role, view.state, said.state));
                let stored = self.log.endpoint().and_then(|endpoint| endpoint.stored);
                if let Some(stored) = stored.filter(|_| view.state == FailoverState::Startup) {
                    visited.starts.insert((stored.state, said.state));
                }
            }
            Message::BndUpd(updates) => {
                let filter = engine::LeaseFilter { unused: true, ..engine::LeaseFilter::default() };
                let leases = self.engine.leases(&filter, usize::MAX).0;
                self.judging = updates
                    .updates
                    .iter()
                    .filter_map(|update| {
                        let ours = leases.iter().find(|lease| lease.address == update.address)?;
                        Some((ours.status, update.clone()))
                    })
                    .collect();
            }
            _ => {}
        }
    }

    /// What the BNDACK of this line says of each cell.
    fn note_verdicts(&mut self, visited: &mut Visited) {
        for line in self.lines.iter().filter(|line| line.starts_with("< BNDACK")) {
            for item in super::words::split(line, ';').iter().skip(1) {
                let mut fields = Fields::of(item);
                let address = fields.take_first().map(|(address, _)| address).unwrap_or_default();
                let reason = fields.take("reject-reason").and_then(|text| text.parse().ok());
                let of = self.judging.iter().find(|(_, update)| update.address.to_string() == address);
                visited.judged.extend(of.map(|(ours, update)| (*ours, update.status, reason)));
            }
        }
    }

    fn client(&mut self, text: &str) -> Outcome<()> {
        let said = reply::read(text, self.own)?;
        let before: Vec<(String, u64)> = self.engine.counters().iter().collect();
        let packet = Packet {
            interface: INTERFACE,
            source: SocketAddrV4::new(said.source, 68),
            destination: said.destination,
            received: self.now,
            bytes: &said.bytes,
        };
        self.hand(Input::Packet(packet))?;
        if !self.lines.iter().any(|line| line.starts_with('*')) {
            let after = self.engine.counters().iter();
            let why = after.zip(before).find(|((name, after), (_, before))| {
                after > before && (name.starts_with("dropped-") || name.starts_with("refused-"))
            });
            let why = why.map_or_else(|| "no answer is due".to_owned(), |((name, _), _)| name);
            self.lines.push(format!("= silence: {why}"));
        }
        Ok(())
    }

    fn operator(&mut self, text: &str) -> Outcome<()> {
        let (what, since) = text.split_once(" since ").unwrap_or((text, ""));
        let command = match what {
            "partner-down" => Command::PartnerDown,
            "serve-alone" => Command::ServeAlone,
            "storage-lost" => {
                let down_since = if since.is_empty() { None } else { Some(time(since)?) };
                Command::StorageLost { down_since }
            }
            "first-run" => Command::FirstRun,
            "resync" => Command::Resync,
            "pause" => Command::Pause,
            "shutdown" => Command::Shutdown,
            _ => return Err(format!("`{what}` is no command")),
        };
        let done = self.engine.command_partner(self.now, CAMPUS, command, &mut self.outbox);
        self.lines.push(match done {
            Commanded::Done(state) => format!("= done: {state}"),
            Commanded::Refused(why) => format!("= refused: {why}"),
            Commanded::Unknown => "= unknown".to_owned(),
        });
        self.hand(Input::Wake)
    }
}

fn answers(asked: MessageType, answer: MessageType) -> bool {
    match answer {
        MessageType::BndAck => asked == MessageType::BndUpd,
        MessageType::PoolResp => asked == MessageType::PoolReq,
        MessageType::UpdDone => matches!(asked, MessageType::UpdReq | MessageType::UpdReqAll),
        _ => asked == MessageType::Connect,
    }
}
