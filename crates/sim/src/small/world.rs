//! The small world itself.
//!
//! *Lives here:* [`World`]: what each move does.
//! *May know:* servers, the line between them, clients by their own view, checkers.
//! *Must not know:* who chooses the moves.

use super::essence::Essence;
use super::line::{Arrival, Line};
use super::moves::{Client, Move, Server};
use super::server::{Disk, INTERFACE, Left, Server as Node, engine_time};
use super::setup::Setup;
use crate::checkers::{Checkers, Violation, l1};
use crate::client::message::{Contents, compose};
use crate::client::{How, Why};
use crate::clock::Moment;
use crate::count::Counts;
use crate::history::{Happening, Party, What};
use crate::planted::Planted;
use crate::report;
use crate::scene::server_address;
use crate::server::partner::PAIR;
use crate::words::{brief, contents};
use dhcp::{ClientIdentity, Message, MessageType};
use engine::config::Config;
use engine::{Commanded, EndpointView, Input, Link, LinkId, Packet, ToPartner};
use failover::dialect::Dialect;
use failover::endpoint::Command;
use failover::message::{Codec, Message as Said, Parsed};
use failover::state::FailoverState;
use failover::time::{ClockDelta, Interval};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Deliveries of one [`Move::Settle`] at most: two that never come to rest are a defect (trap T24).
const SETTLES: usize = 2000;

/// Looks at what is due at one moment at most.
const AT_ONCE: usize = 100;

/// How much later than a copy was made its server must have been heard, in milliseconds.
const NOTICED_AFTER: Moment = 75_000;

/// A client by its own view.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) transaction: u32,
    /// What each server offered.
    pub(super) offers: [Option<Ipv4Addr>; 2],
    /// The address, until when, and from which server.
    pub(super) lease: Option<(Ipv4Addr, Moment, Server)>,
    pub(super) last: Option<Ipv4Addr>,
    pub(super) is_deaf: bool,
}

/// A move that cannot be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impossible(pub String);

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Two servers, clients, and what is between them.
#[derive(Debug, Clone)]
pub struct World {
    pub(super) setup: Setup,
    pub(super) now: Moment,
    pub(super) servers: [Node; 2],
    pub(super) clients: Vec<Person>,
    pub(super) line: Line,
    pub(super) checkers: Checkers,
    pub(super) codec: Codec,
    /// What happened, for people; `None` while nobody looks at it.
    history: Option<Vec<Happening>>,
    messages: u64,
    /// When each was last heard by the other.
    heard: [Moment; 2],
    /// How often a process has ended, and for each server which of these ends was its last and in which state it was then.
    ends: u64,
    ended: [(u64, Option<FailoverState>); 2],
    /// This server runs on an old copy, and has not met the other yet, which alone can tell it so.
    pub(super) calm: Option<Server>,
}

fn unless(wrong: bool, why: &str) -> Result<(), Impossible> {
    if wrong { Err(Impossible(why.to_owned())) } else { Ok(()) }
}

impl World {
    /// Two servers that never ran, with these bugs in.
    ///
    /// # Errors
    /// When there can be no configuration with these numbers.
    pub fn new(setup: Setup, planted: Planted) -> Result<World, Impossible> {
        let scene = setup.scene();
        let checkers = Checkers::new(&scene);
        let node = |number: usize| {
            let config = Config::check(&scene.servers[number]);
            let config = config.map_err(|faults| Impossible(format!("{faults:?}")))?;
            Ok(Node::new(number, config, planted))
        };
        let (primary, secondary) = (node(0)?, node(1)?);
        let person = Person { transaction: 0, offers: [None; 2], lease: None, last: None, is_deaf: false };
        Ok(World {
            setup,
            now: 1000,
            servers: [primary, secondary],
            clients: vec![person; usize::from(setup.clients)],
            line: Line::default(),
            checkers,
            codec: Codec::new(Dialect::Draft12, Ipv4Addr::UNSPECIFIED),
            history: None,
            messages: 0,
            heard: [0; 2],
            ends: 0,
            ended: [(0, None); 2],
            calm: None,
        })
    }

    /// Two servers that have met, and are in NORMAL with their pools level.
    ///
    /// # Errors
    /// When there can be no configuration with these numbers.
    pub fn paired(setup: Setup, planted: Planted) -> Result<World, Impossible> {
        let mut world = World::new(setup, planted)?;
        for server in Server::ALL {
            world.start(server.number());
        }
        world.apply(Move::Connect)?;
        for _ in 0..4 {
            world.apply(Move::Settle)?;
            world.apply(Move::Pass(15))?;
        }
        Ok(world)
    }

    /// From now on what happens is kept for people.
    pub fn keep_trace(&mut self) {
        self.history = Some(Vec::new());
        for server in 0..2 {
            self.look(server);
        }
    }

    /// What was kept so far.
    pub fn history(&self) -> &[Happening] {
        self.history.as_deref().unwrap_or_default()
    }

    /// The lines of it.
    pub fn trace(&self) -> Vec<String> {
        self.history().iter().filter_map(Happening::line).collect()
    }

    /// The first violation that a checker has found.
    pub fn violation(&self) -> Option<&Violation> {
        self.checkers.violation.as_ref()
    }

    /// Makes a move.
    ///
    /// # Errors
    /// When it cannot be made now. The world is as it was then.
    pub fn apply(&mut self, one: Move) -> Result<(), Impossible> {
        self.can(one)?;
        self.note(|| format!("-- {one}"));
        self.tell_trouble(one);
        match one {
            Move::Pass(seconds) => self.pass(u64::from(seconds) * 1000),
            Move::Discover(client, server) => self.discover(client, server),
            Move::Request(client, server) => self.request(client, server),
            Move::Lease(client, server) => {
                self.discover(client, server);
                if self.can(Move::Request(client, server)).is_ok() {
                    self.request(client, server);
                }
            }
            Move::Renew(client, server) => self.extend(client, server, false),
            Move::Rebind(client, server) => self.extend(client, server, true),
            Move::Reboot(client, server) => self.reboot(client, server),
            Move::Release(client, server) => self.give_back(client, server, MessageType::Release),
            Move::Forge(client, server) => self.forge(client, server),
            Move::Decline(client, server) => self.give_back(client, server, MessageType::Decline),
            Move::Deafen(client) => self.clients[client.number()].is_deaf = true,
            Move::Deliver(server) => self.deliver(server.number()),
            Move::Settle => self.settle(),
            Move::Cut => self.line.cut(),
            Move::Notice(server) => {
                for link in self.line.notice(server.number()) {
                    self.hear(server.number(), &Link::Closed { link });
                }
            }
            Move::Connect => self.connect(),
            _ => self.mishap(one),
        }
        Ok(())
    }

    /// What happens to a server.
    fn mishap(&mut self, one: Move) {
        self.servers.iter_mut().for_each(Node::changed);
        match one {
            Move::Stall(server) => self.servers[server.number()].is_stalled = true,
            Move::Sync(server) => {
                self.servers[server.number()].is_stalled = false;
                self.end_turn(server.number());
            }
            Move::Crash(server) => {
                self.ends += 1;
                self.ended[server.number()] = (self.ends, self.state(server));
                self.line.crashed(server.number());
                self.servers[server.number()].crash(self.now, &mut self.checkers);
                self.record(|| What::Ends { server: server.number(), how: "Crash".to_owned() });
            }
            Move::Restart(server) => self.start(server.number()),
            Move::LoseDisk(server) => {
                let disk = &mut self.servers[server.number()].disk;
                *disk = Disk::empty(disk.identity.wrapping_add(16));
                self.lost_store(server);
            }
            Move::Copy(server) => {
                let node = &mut self.servers[server.number()];
                node.copy = Some((self.now, node.disk.clone()));
            }
            Move::Restore(server) => {
                let node = &mut self.servers[server.number()];
                node.disk = node.copy.clone().unwrap_or_default().1;
                self.calm = Some(server);
                self.lost_store(server);
            }
            Move::PartnerDown(server) => self.command(server, Command::PartnerDown),
            Move::ServeAlone(server) => self.command(server, Command::ServeAlone),
            Move::Recover(server) => self.command(server, Command::StorageLost { down_since: None }),
            _ => {}
        }
    }

    fn lost_store(&mut self, server: Server) {
        self.checkers.at(self.now);
        self.checkers.lost_store(server.number());
    }

    /// Whether a move can be made now.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn can(&self, one: Move) -> Result<(), Impossible> {
        let node = |server: Server| &self.servers[server.number()];
        let is_up = |server: Server| unless(node(server).engine.is_none(), "the server is down");
        let is_down = |server: Server| unless(node(server).engine.is_some(), "the server is up");
        let exists =
            |client: Client| unless(client.number() >= self.clients.len(), "there is no such client");
        match one {
            Move::Pass(_) | Move::Settle | Move::Copy(_) => Ok(()),
            Move::Discover(client, server) | Move::Lease(client, server) => exists(client).and(is_up(server)),
            Move::Request(client, server) => {
                exists(client).and(is_up(server))?;
                let offer = self.clients[client.number()].offers[server.number()];
                unless(offer.is_none(), "nothing was offered")
            }
            Move::Reboot(client, server) => {
                exists(client).and(is_up(server))?;
                unless(self.clients[client.number()].last.is_none(), "the client never had an address")
            }
            Move::Renew(client, server)
            | Move::Rebind(client, server)
            | Move::Release(client, server)
            | Move::Forge(client, server)
            | Move::Decline(client, server) => {
                exists(client).and(is_up(server))?;
                unless(self.held_by(client).is_none(), "the client has no lease")
            }
            Move::Deafen(client) => exists(client),
            Move::Deliver(server) => unless(self.line.is_empty(server.number()), "nothing is on its way"),
            Move::Cut => unless(!self.line.can_cut(), "there is no connection"),
            Move::Notice(server) => {
                unless(!self.line.has_dead(server.number()), "the server has no dead connection")
            }
            Move::Connect => {
                is_up(Server::P).and(is_up(Server::S))?;
                unless(!self.servers.iter().any(|node| node.asks), "nobody wants a connection")
            }
            Move::Stall(server) => {
                is_up(server)?;
                unless(node(server).is_stalled, "the disk is stalled")
            }
            Move::Sync(server) => unless(!node(server).is_stalled, "the disk is not stalled"),
            Move::Crash(server) | Move::Recover(server) => is_up(server),
            Move::PartnerDown(server) | Move::ServeAlone(server) => {
                is_up(server)?;
                let mut trial = node(server).clone();
                let command = command_of(one);
                let done = trial.command(self.now, |engine, now, outbox| {
                    engine.command_partner(now, PAIR, command, outbox)
                });
                unless(!matches!(done, Some(Commanded::Done(_))), "the server refuses")
            }
            Move::Restart(server) | Move::LoseDisk(server) => is_down(server),
            Move::Restore(server) => {
                is_down(server)?;
                unless(node(server).copy.is_none(), "there is no copy")
            }
        }
    }

    fn start(&mut self, server: usize) {
        self.checkers.at(self.now);
        let left = self.servers[server].start(self.now, &mut self.checkers);
        self.record(|| What::Serves { server, text: "what is stable".to_owned() });
        self.leaves(server, left);
        self.handle(server, Input::Wake);
    }

    fn command(&mut self, server: Server, command: Command) {
        let number = server.number();
        let node = &mut self.servers[number];
        let at = node.at(self.now);
        let done =
            node.command(self.now, |engine, now, outbox| engine.command_partner(now, PAIR, command, outbox));
        if matches!(done, Some(Commanded::Done(_))) {
            self.checkers.commanded(at, command);
        }
        self.end_turn(number);
    }

    /// Time goes on; both do what is due, each at its time.
    fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        loop {
            let due = |n: usize| self.servers[n].deadline().filter(|at| *at <= end).map(|at| (at, n));
            let Some((at, server)) = due(0).into_iter().chain(due(1)).min() else { break };
            // A deadline that is past is work that was left over.
            self.now = self.now.max(at);
            self.handle(server, Input::Wake);
        }
        self.now = end;
        self.checkers.at(end);
    }

    fn handle(&mut self, server: usize, input: Input<'_>) {
        self.servers[server].turn(self.now, input);
        self.end_turn(server);
    }

    /// What was decided becomes stable and leaves; then what is still due is done.
    fn end_turn(&mut self, server: usize) {
        for _ in 0..AT_ONCE {
            let left = self.servers[server].seal(self.now, &mut self.checkers);
            self.look(server);
            self.leaves(server, left);
            if self.servers[server].deadline().is_none_or(|at| at > self.now) {
                return;
            }
            self.servers[server].turn(self.now, Input::Wake);
        }
        self.checkers.judge("S15", Err(format!("server {server} finds no end of what is due")));
    }

    fn leaves(&mut self, server: usize, left: Left) {
        for bytes in left.replies {
            self.reply(server, &bytes);
        }
        let mut closed = Vec::new();
        for to in left.to_partner {
            self.servers[server].changed();
            match to {
                ToPartner::Connect { .. } => self.servers[server].asks = true,
                // No server of this world is configured for TLS.
                ToPartner::StartTls { .. } => {}
                ToPartner::Close { link } => {
                    self.line.close(server, link);
                    closed.push(link);
                }
                ToPartner::Send { link, outgoing } => {
                    let Some(engine) = &mut self.servers[server].engine else { continue };
                    let mut bytes = Vec::new();
                    let encoded = engine.encode(engine_time(self.now), link, outgoing, &mut bytes);
                    self.checkers.judge("S14", encoded.map_err(|error| error.to_string()));
                    self.say(server, link, bytes);
                }
            }
        }
        for link in closed {
            self.hear(server, &Link::Closed { link });
        }
    }

    fn say(&mut self, server: usize, link: LinkId, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let at = self.servers[server].at(self.now);
        let said = self.checkers.said_to_partner(at, link, &bytes, ClockDelta::default());
        // CONTACT is heard at once, or not at all: it only shows that the server lives.
        let is_contact = matches!(said, Some(Said::Contact));
        self.messages += 1;
        let message = self.messages;
        if let Some(said) = said {
            self.record(|| What::Sends {
                message,
                from: Party::Server(server),
                to: vec![Party::Server(1 - server)],
                name: said.message_type().name(),
                brief: brief(&said),
                text: contents(link, &said),
            });
        }
        let is_next = self.line.is_empty(1 - server);
        if !is_contact || is_next {
            let essence = Essence::of(self.codec.parse(&bytes)).into();
            self.line.send(server, link, Arrival::Bytes { bytes, essence, message });
        }
        if is_contact && is_next {
            self.deliver(1 - server);
        }
    }

    /// What these bytes say.
    pub(super) fn said(&self, bytes: &[u8]) -> Option<Said> {
        match self.codec.parse(bytes) {
            Ok(Parsed::Message(envelope)) => Some(envelope.message),
            _ => None,
        }
    }

    fn hear(&mut self, server: usize, link: &Link<'_>) {
        if let Link::Received { link, bytes, .. } = link {
            let at = self.servers[server].at(self.now);
            self.checkers.at(self.now);
            self.checkers.heard_partner(at, *link, bytes, &mut Counts::default());
        }
        self.handle(server, Input::Link(*link));
        let taker = Server::ALL[server];
        if matches!(link, Link::Received { .. }) && self.endpoint(taker).is_some_and(|view| view.in_contact) {
            self.heard[1 - server] = self.now;
        }
        if self.calm.is_some_and(|calm| self.endpoint(calm).is_some_and(|view| view.in_contact)) {
            self.calm = None;
        }
    }

    /// Whether it is true that this server may serve alone: the other is off, ended first, and was not alone itself.
    pub(super) fn may_serve_alone(&self, server: Server) -> bool {
        let other = server.other();
        let (fell, state) = self.ended[other.number()];
        self.state(other).is_none()
            && fell < self.ended[server.number()].0
            && state != Some(FailoverState::PartnerDown)
    }

    /// Whether the copy of this server's store is so old that the other must notice it: it was heard a good while after that was made
    /// (D12 5.16).
    pub(super) fn copy_is_old(&self, server: Server) -> bool {
        let copy = &self.servers[server.number()].copy;
        copy.as_ref().is_some_and(|(made, _)| made + NOTICED_AFTER <= self.heard[server.number()])
    }

    fn deliver(&mut self, to: usize) {
        match self.line.take(to) {
            Some((link, Arrival::Bytes { bytes, message, .. })) => {
                self.record(|| What::Heard { message, by: Party::Server(to), text: None });
                self.hear(to, &Link::Received { link, at: engine_time(self.now), bytes: &bytes });
            }
            Some((link, Arrival::End)) => self.hear(to, &Link::Closed { link }),
            None => {}
        }
    }

    fn settle(&mut self) {
        for _ in 0..SETTLES {
            let Some(to) = (0..2).find(|to| !self.line.is_empty(*to)) else { return };
            self.deliver(to);
        }
        self.checkers.judge("L1", Err("the two talk on and on in one moment".to_owned()));
    }

    /// One of those that asked opens a connection; the handshake is over at once.
    fn connect(&mut self) {
        for _ in 0..2 {
            let Some(opener) = (0..2).find(|n| self.servers[*n].asks) else { break };
            self.servers[opener].asks = false;
            let link = self.line.open();
            self.hear(opener, &Link::Connected { link, relationship: PAIR });
            self.hear(1 - opener, &Link::Accepted { link, relationship: PAIR });
            while let Some(to) = (0..2).find(|to| self.is_handshake(*to)) {
                self.deliver(to);
            }
            if opener == 0 {
                break;
            }
        }
        // Of two that try at once, one comes too late.
        for server in 0..2 {
            if std::mem::take(&mut self.servers[server].asks) {
                self.hear(server, &Link::Failed { relationship: PAIR });
            }
        }
    }

    fn is_handshake(&self, to: usize) -> bool {
        match self.line.next(to) {
            Some(Arrival::Bytes { bytes, .. }) => {
                matches!(self.said(bytes), Some(Said::Connect(_) | Said::ConnectAck(_)))
            }
            Some(Arrival::End) => self.servers[to].asks && to == 0,
            None => false,
        }
    }

    /// From now on nothing fails: the two must come together (L1), and know the same (L2); whoever has an address and asks
    /// for more is not refused (L4).
    pub fn come_together(&mut self) {
        let end = self.now + l1::bound(Interval::from_seconds(self.setup.mclt.into()));
        while self.now < end && self.are_one().is_err() && self.violation().is_none() {
            for server in Server::ALL {
                // Each where it can be done.
                let _ = self.apply(Move::Sync(server));
                let _ = self.apply(Move::Restart(server));
                let _ = self.apply(Move::Notice(server));
            }
            let _ = self.apply(Move::Connect);
            self.settle();
            self.pass(5000);
        }
        self.settle();
        let endpoints: Vec<EndpointView> = Server::ALL.iter().filter_map(|one| self.endpoint(*one)).collect();
        self.checkers.judge("L1", l1::both_normal(&endpoints));
        let verdict = self.are_one();
        self.checkers.judge("L2", verdict);
        self.heal();
    }

    /// From now on nothing fails: no client that holds an address may be refused it (L4).
    pub fn heal(&mut self) {
        self.checkers.at(self.now);
        self.checkers.healed();
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        self.record(|| What::Note(line()));
    }

    fn record(&mut self, what: impl FnOnce() -> What) {
        let at = self.now;
        if let Some(history) = &mut self.history {
            history.push(Happening { at, what: what() });
        }
    }

    /// Records the state of a server, if it is another than the one that was recorded last.
    fn look(&mut self, server: usize) {
        if self.history.is_none() {
            return;
        }
        let of_server = |one: &Happening| match one.what {
            What::State { server: of, state } if of == server => Some(Some(state)),
            What::Ends { server: of, .. } if of == server => Some(None),
            _ => None,
        };
        let known = self.history().iter().rev().find_map(of_server).flatten();
        if let Some(state) = self.state(Server::ALL[server]).filter(|state| Some(*state) != known) {
            self.record(|| What::State { server, state });
        }
    }

    /// Records a move that is a trouble.
    fn tell_trouble(&mut self, one: Move) {
        let whom = match one {
            Move::Cut => Party::Pair,
            Move::Stall(server)
            | Move::Sync(server)
            | Move::Crash(server)
            | Move::Restart(server)
            | Move::LoseDisk(server)
            | Move::Restore(server)
            | Move::PartnerDown(server)
            | Move::ServeAlone(server)
            | Move::Recover(server) => Party::Server(server.number()),
            Move::Deafen(client) => Party::Client(number(client)),
            _ => return,
        };
        let kind = one.to_string();
        let kind = kind.split('(').next().unwrap_or_default().to_owned();
        self.record(|| What::Trouble { number: None, whom, kind });
    }

    /// Records a message of or for a client.
    fn tell_dhcp(&mut self, from: Party, to: Party, bytes: &[u8], is_heard: bool) {
        self.messages += 1;
        let message = self.messages;
        let Ok(said) = Message::parse(bytes) else { return };
        self.record(|| What::Sends {
            message,
            from,
            to: vec![to],
            name: report::name_of(&said),
            brief: report::brief(&said),
            text: report::contents(&said),
        });
        if is_heard {
            self.record(|| What::Heard { message, by: to, text: None });
        }
    }
}

fn command_of(one: Move) -> Command {
    if matches!(one, Move::ServeAlone(_)) { Command::ServeAlone } else { Command::PartnerDown }
}

/// Clients.
impl World {
    pub(super) fn hardware(client: usize) -> [u8; 6] {
        [2, 0, 0, 0, 0, 1 + u8::try_from(client).unwrap_or(0)]
    }

    pub(super) fn identity(client: usize) -> Option<ClientIdentity> {
        ClientIdentity::from_hardware(1, &World::hardware(client))
    }

    /// The address that a client holds, by its own view.
    pub fn held_by(&self, client: Client) -> Option<Ipv4Addr> {
        let (address, until, _) = self.clients.get(client.number())?.lease?;
        (until > self.now).then_some(address)
    }

    /// Sends a message of a client to one server. `to` is its address, or broadcast.
    fn ask(
        &mut self,
        client: Client,
        server: Server,
        kind: MessageType,
        contents: &Contents<'_>,
        to: Ipv4Addr,
    ) {
        let bytes = compose(Some(kind), contents);
        let from = Party::Client(number(client));
        let (number, now) = (server.number(), engine_time(self.now));
        let port = |address, port| SocketAddrV4::new(address, port);
        let packet = Packet {
            interface: INTERFACE,
            source: port(contents.ciaddr, 68),
            destination: to,
            received: now,
            bytes: &bytes,
        };
        self.tell_dhcp(from, Party::Server(number), &bytes, true);
        let recorded = self.servers[number].turn(self.now, Input::Packet(packet));
        if let Ok(message) = Message::parse(&bytes) {
            let at = self.servers[number].at(self.now);
            self.checkers.at(self.now);
            self.checkers.handled(at, message, recorded);
        }
        self.end_turn(number);
    }

    fn contents(&self, client: Client) -> Contents<'static> {
        Contents {
            hardware: World::hardware(client.number()),
            identifier: None,
            transaction: self.clients[client.number()].transaction,
            secs: 600,
            broadcast: false,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            wanted: None,
            server: None,
            wish: None,
            relayed: false,
        }
    }

    fn begin(&mut self, client: Client) -> Contents<'static> {
        self.clients[client.number()].transaction += 1;
        self.contents(client)
    }

    fn discover(&mut self, client: Client, server: Server) {
        self.lets_go(client, Why::Forgot);
        let contents = self.begin(client);
        self.clients[client.number()].offers[server.number()] = None;
        self.ask(client, server, MessageType::Discover, &contents, Ipv4Addr::BROADCAST);
    }

    fn request(&mut self, client: Client, server: Server) {
        let wanted = self.clients[client.number()].offers[server.number()].take();
        let contents =
            Contents { wanted, server: Some(server_address(server.number())), ..self.contents(client) };
        self.ask(client, server, MessageType::Request, &contents, Ipv4Addr::BROADCAST);
    }

    fn extend(&mut self, client: Client, server: Server, rebinds: bool) {
        let ciaddr = self.held_by(client).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let contents = Contents { ciaddr, ..self.begin(client) };
        let to = if rebinds { Ipv4Addr::BROADCAST } else { server_address(server.number()) };
        self.ask(client, server, MessageType::Request, &contents, to);
    }

    fn reboot(&mut self, client: Client, server: Server) {
        let wanted = self.clients[client.number()].last;
        let contents = Contents { wanted, ..self.begin(client) };
        self.ask(client, server, MessageType::Request, &contents, Ipv4Addr::BROADCAST);
    }

    fn give_back(&mut self, client: Client, server: Server, kind: MessageType) {
        let Some(address) = self.held_by(client) else { return };
        self.lets_go(client, Why::Released);
        let named = Some(server_address(server.number()));
        let contents = Contents { server: named, ..self.begin(client) };
        let contents = if kind == MessageType::Release {
            Contents { ciaddr: address, ..contents }
        } else {
            Contents { wanted: Some(address), ..contents }
        };
        let to =
            if kind == MessageType::Release { server_address(server.number()) } else { Ipv4Addr::BROADCAST };
        self.ask(client, server, kind, &contents, to);
    }

    fn forge(&mut self, client: Client, server: Server) {
        let ciaddr = self.held_by(client).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let address = server_address(server.number());
        let contents = Contents { server: Some(address), ciaddr, ..self.contents(client) };
        self.ask(client, server, MessageType::Release, &contents, address);
    }

    fn lets_go(&mut self, client: Client, why: Why) {
        if let Some((address, _, _)) = self.clients[client.number()].lease.take() {
            self.checkers.at(self.now);
            self.checkers.lets_go(number(client), address, why, why == Why::Refused);
            self.record(|| What::LetsGo { client: number(client), address, why: why.name() });
        }
    }

    /// A reply has left a server.
    fn reply(&mut self, server: usize, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else { return };
        let Some(client) = Client::ALL.into_iter().find(|client| {
            client.number() < self.clients.len() && message.chaddr() == &World::hardware(client.number())[..]
        }) else {
            return;
        };
        let person = &mut self.clients[client.number()];
        let is_heard = message.xid().0 == person.transaction && !std::mem::take(&mut person.is_deaf);
        self.tell_dhcp(Party::Server(server), Party::Client(number(client)), bytes, is_heard);
        if !is_heard {
            return;
        }
        let person = &mut self.clients[client.number()];
        let address = message.yiaddr();
        match (message.message_type(), message.lease_time()) {
            (Some(MessageType::Offer), _) => person.offers[server] = Some(address),
            (Some(MessageType::Ack), Some(seconds)) => {
                let until = self.now + u64::from(seconds) * 1000;
                person.lease = Some((address, until, Server::ALL[server]));
                (person.last, person.offers) = (Some(address), [None; 2]);
                if let Some(identity) = World::identity(client.number()) {
                    self.checkers.holds(number(client), &identity, address, until, How::Selected);
                    let (client, how) = (number(client), How::Selected.name());
                    self.record(|| What::Holds { client, address, until, how });
                }
            }
            (Some(MessageType::Nak), _) => {
                person.last = None;
                self.lets_go(client, Why::Refused);
            }
            _ => {}
        }
    }
}

fn number(client: Client) -> u8 {
    1 + u8::try_from(client.number()).unwrap_or(0)
}
