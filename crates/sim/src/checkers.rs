//! What must hold, looked at from outside.
//!
//! *Lives here:* [`Checkers`]: what happened in the world goes in, a [`Violation`] comes out; one room for each invariant
//! of the catalogue.
//! *May know:* what clients hold by their own clocks, messages that reached a server or left one, bytes that reached a disk.
//! *Must not know:* anything of the engine's insides. Records are read by a reader of its own.
//!
//! Beside a dhcpd there is D1: a Tandem says nothing that stops a dhcpd, and tells no end of a lease to one that it has not asked.
//!
//! There is one for each of S1 to S17 and L1 to L8; `tests/planted.rs` has seen each of them fire. What they cannot see:
//!
//! - S9: which of the two answers a client in NORMAL. By what is heard from outside either may: a client that has waited is anybody's.
//! - S11: figure 7.1.3-1 cell by cell. A cell is decided by what the receiver knows, and tests of `failover` have each.
//! - S15: memory. Queues, records and files are counted; bytes are measured in `engine`.
//! - S16: that a seed gives the same bytes is asked by tests that run it twice.
//! - L6: leases of clients that wish for a time of their own, and renewals more than MCLT after what both know.
//! - L8: a server that is cut off from its clients alone: neither it nor its partner can know that (see `l8`).
//! - S1, S2, S3, S6, S13 and L4 are not asked in a world whose operator is wrong about PARTNER-DOWN: two clients may have one
//!   address there by the drafts. L1, L2 and the rest are.

mod book;
pub(crate) mod l1;
pub(crate) mod l2;
pub(crate) mod l3;
pub(crate) mod l4;
pub(crate) mod l5;
mod l6;
pub(crate) mod l7;
mod l8;
mod ledger;
mod pools;
mod promise;
mod record;
mod s1;
mod s10;
mod s11;
mod s12;
mod s13;
mod s14;
mod s15;
mod s16;
mod s17;
mod s2;
mod s3;
mod s4;
mod s5;
mod s6;
mod s7;
mod s9;
mod update;

pub(crate) use promise::is_grant;
pub(crate) use record::Seen;
pub(crate) use update::client_of;

use crate::client::{How, Why};
use crate::clock::Moment;
use crate::count::Counts;
use crate::scene::Scene;
use crate::server::dhcpd::Habit;
use dhcp::{ClientIdentity, Message, MessageType};
use engine::event::Event;
use engine::{Batch, LeaseView, LinkId};
use failover::endpoint::Command;
use failover::message::Message as PartnerMessage;
use failover::state::FailoverState;
use failover::time::{ClockDelta, Interval, Time};
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

/// Something that must not happen, and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The invariant: a number of the catalogue.
    pub checker: &'static str,
    /// When, in milliseconds since the run began.
    pub at: u64,
    /// What.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} violated at {}: {}", self.checker, crate::report::Clocked(self.at), self.text)
    }
}

/// Where and when a server is: what most checkers want to know first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) now: Moment,
    pub(crate) server: usize,
    /// Engine time of that server.
    pub(crate) engine: Time,
}

/// A message that a server has decided about.
#[derive(Debug)]
pub(crate) struct Handled<'a> {
    pub(crate) message: Message<'a>,
    pub(crate) identity: ClientIdentity,
    /// Whether a record was made of it.
    pub(crate) recorded: bool,
    /// In the order in which all messages were decided.
    pub(crate) order: u64,
}

impl Handled<'_> {
    /// The address that the message is about.
    fn address(&self) -> Option<Ipv4Addr> {
        let ciaddr = self.message.ciaddr();
        self.message.requested_address().or_else(|| (!ciaddr.is_unspecified()).then_some(ciaddr))
    }

    fn gives_back(&self) -> bool {
        matches!(self.message.message_type(), Some(MessageType::Release | MessageType::Decline))
    }
}

/// What passed between a client and its servers about one address: when each happened last, in the order of decisions.
#[derive(Debug, Clone, Default)]
struct Dealing {
    granted: u64,
    /// The grant that the client has heard of.
    heard_of: u64,
    /// By the client, or by somebody in its name.
    given_back: u64,
}

/// All dealings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dealings(BTreeMap<(Ipv4Addr, ClientIdentity), Dealing>);

impl Dealings {
    fn note(&mut self, handled: &Handled<'_>) {
        let Some(address) = handled.address() else { return };
        let dealing = self.0.entry((address, handled.identity.clone())).or_default();
        if handled.gives_back() {
            dealing.given_back = handled.order;
        } else if handled.recorded {
            dealing.granted = handled.order;
        }
    }

    fn granted(&mut self, address: Ipv4Addr, identity: &ClientIdentity, order: u64) {
        self.0.entry((address, identity.clone())).or_default().granted = order;
    }

    /// Whether what the server granted last has been given back since.
    fn given_back(&self, address: Ipv4Addr, identity: &ClientIdentity) -> bool {
        let dealing = self.0.get(&(address, identity.clone()));
        dealing.is_some_and(|dealing| dealing.given_back > dealing.granted)
    }

    /// A client holds an address: is that void, because what it has heard of was given back? `anew`: it has just heard.
    fn is_void(&mut self, address: Ipv4Addr, identity: &ClientIdentity, anew: bool) -> bool {
        let dealing = self.0.entry((address, identity.clone())).or_default();
        if anew {
            dealing.heard_of = dealing.granted;
        }
        dealing.given_back > dealing.heard_of
    }
}

/// All checkers, and the first violation that one of them found.
#[derive(Debug, Clone)]
pub(crate) struct Checkers {
    pub(crate) violation: Option<Violation>,
    dealings: Dealings,
    s1: s1::S1,
    s3: Vec<s3::S3>,
    s15: s15::S15,
    s16: Vec<s16::S16>,
    s17: Vec<s17::S17>,
    l4: l4::L4,
    l8: l8::L8,
    receive_timer: Interval,
    /// What the two servers of a pair told each other and wrote down.
    ledger: Option<ledger::Ledger>,
    /// Two clients may have been given one address: an operator was wrong. Who holds what is not asked then.
    is_lax: bool,
    order: u64,
    now: Moment,
    /// Requests of BOOTP of this turn, of which records were made: they name no address. By server, with their order.
    bootp: Vec<Vec<(ClientIdentity, u64)>>,
    /// One of the two is a dhcpd: by which of its habits two clients may have an address, until when; and how often they had.
    broken: BTreeMap<Ipv4Addr, Vec<(Moment, Habit)>>,
    excused: BTreeMap<Habit, u64>,
}

impl Checkers {
    pub(crate) fn new(scene: &Scene) -> Checkers {
        let each = || scene.servers.iter();
        let offer_time = if scene.terms.is_some() { Interval::ZERO } else { scene.offer_time };
        Checkers {
            violation: None,
            dealings: Dealings::default(),
            s1: s1::S1::default(),
            s3: each().map(|_| s3::S3::new(offer_time, &scene.reserved)).collect(),
            s15: s15::S15,
            s16: each().map(|_| s16::S16::default()).collect(),
            s17: each()
                .map(|_| s17::S17::new(&scene.reserved, scene.decline_time, scene.terms.is_some()))
                .collect(),
            l4: l4::L4::default(),
            l8: l8::L8::default(),
            receive_timer: scene.terms.map_or(Interval::INFINITE, |terms| terms.receive_timer),
            ledger: scene.terms.map(|terms| ledger::Ledger::new(terms.mclt, scene)),
            is_lax: scene.terms.is_some_and(|terms| terms.wrong_operator),
            order: 0,
            bootp: each().map(|_| Vec::new()).collect(),
            now: 0,
            broken: BTreeMap::new(),
            excused: BTreeMap::new(),
        }
    }

    /// Notes what a checker says.
    pub(crate) fn judge(&mut self, checker: &'static str, verdict: Result<(), String>) {
        // How long a lease becomes is not Tandem's alone to keep: a dhcpd puts a shorter end in place of a longer one.
        let beside = self.ledger.as_ref().is_some_and(|ledger| ledger.beside_dhcpd);
        if beside && checker == "L6" {
            return;
        }
        let forgiven = self.is_lax && matches!(checker, "S1" | "S2" | "S3" | "S6" | "S13" | "L4");
        if let (Err(text), None, false) = (verdict, &self.violation, forgiven) {
            self.violation = Some(Violation { checker, at: self.now, text });
        }
    }

    /// A dhcpd did something by which two clients may have this address until then.
    pub(crate) fn broke(&mut self, address: Ipv4Addr, until: Moment, habit: Habit) {
        let broken = self.broken.entry(address).or_default();
        broken.retain(|(until, _)| *until >= self.now);
        broken.push((until, habit));
    }

    /// What a dhcpd has broken is counted by its habit, and no violation.
    fn excuse(&mut self, address: Ipv4Addr, verdict: Result<(), String>) -> Result<(), String> {
        let (now, held) = (self.now, self.s1.held_until(address));
        let mut broken = self.broken.get_mut(&address).into_iter().flatten();
        match broken.rfind(|(until, _)| *until >= now) {
            Some((until, habit)) if verdict.is_err() => {
                *self.excused.entry(*habit).or_default() += 1;
                // Who had it first has a right to it that nobody can keep, until its own lease ends.
                *until = held.unwrap_or(*until).max(*until);
                Ok(())
            }
            _ => verdict,
        }
    }

    /// How often two clients had one address by a habit of a dhcpd.
    pub(crate) fn excused(&self) -> impl Iterator<Item = (Habit, u64)> {
        self.excused.iter().map(|(habit, count)| (*habit, *count))
    }

    /// What the clock of a server shows that is a dhcpd.
    pub(crate) fn clock_of(&mut self, at: At) {
        if let Some(ledger) = &mut self.ledger {
            ledger.sees(at);
        }
    }

    /// So many BNDUPDs a dhcpd takes at once.
    pub(crate) fn window_of(&mut self, link: LinkId, server: usize, window: u32) {
        if let Some(ledger) = &mut self.ledger {
            ledger.windows.insert((link, server), window);
        }
    }

    pub(crate) fn at(&mut self, now: Moment) {
        self.now = now;
    }

    /// A client uses an address from now on, until then.
    pub(crate) fn holds(
        &mut self,
        client: u8,
        identity: &ClientIdentity,
        address: Ipv4Addr,
        until: Moment,
        how: How,
    ) {
        let void = self.dealings.is_void(address, identity, how != How::StillIts);
        let verdict = self.s1.holds(self.now, client, identity, address, until, void);
        let verdict = self.excuse(address, verdict);
        self.judge("S1", verdict);
    }

    /// A client stops to use an address.
    pub(crate) fn lets_go(&mut self, client: u8, address: Ipv4Addr, why: Why, bound_to_stay: bool) {
        let held_until = self.s1.lets_go(client, address);
        let verdict = self.l4.lets_go(self.now, client, address, why, held_until, bound_to_stay);
        let verdict = self.excuse(address, verdict);
        self.judge("L4", verdict);
    }

    /// A server has decided about a message.
    pub(crate) fn handled(&mut self, at: At, message: Message<'_>, recorded: bool) {
        let Ok(identity) = ClientIdentity::from_message(&message) else { return };
        self.order += 1;
        let handled = Handled { message, identity, recorded, order: self.order };
        if recorded && handled.message.message_type().is_none() {
            self.bootp[at.server].push((handled.identity.clone(), self.order));
        }
        self.dealings.note(&handled);
        self.s1.handled(self.now, &handled);
        for (server, s3) in self.s3.iter_mut().enumerate() {
            if server == at.server {
                s3.handled(at, &handled);
            } else if self.ledger.is_some() {
                s3.handled_by_partner(&handled);
            }
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.handled(at, &handled);
        }
        self.s17[at.server].handled(&handled);
    }

    /// The bindings in the records of a batch that this server has made. No record may say what the partner knows of another binding
    /// than the one that is recorded.
    pub(crate) fn read(&mut self, server: usize, batch: &Batch) -> Vec<Seen> {
        let ledger = self.ledger.as_ref();
        let latest = |address| ledger?.books[server].sealed.get(&address).cloned();
        let (records, verdict) = Seen::all(batch.records().2, latest);
        self.judge("S16", verdict);
        records
    }

    /// A server has made a batch of records, and what its memory shows of their addresses.
    pub(crate) fn sealed(&mut self, at: At, batch: &Batch, records: &[Seen], views: Vec<LeaseView>) {
        self.granted_by_bootp(at.server, records);
        self.s3[at.server].sealed(at, records);
        self.s16[at.server].sealed(batch.end().0, views);
        if let Some(ledger) = &mut self.ledger {
            let verdicts = ledger.sealed(at, batch, records);
            let is_alone = batch
                .events()
                .0
                .iter()
                .any(|event| matches!(event, Event::StateChanged { to: FailoverState::PartnerDown, .. }));
            if is_alone {
                // By the operator's word the other is dead, and with it what only that one knew.
                for (address, client) in ledger.known_to_nobody_else(1 - at.server) {
                    self.s1.forgotten(address, &client);
                    self.s3[1 - at.server].forgotten(address, &client);
                }
            }
            self.judge_all(verdicts);
        }
        let verdict = self.s17[at.server].sealed(at, records);
        self.judge("S17", verdict);
    }

    /// Which addresses went to clients of BOOTP, or stayed theirs.
    fn granted_by_bootp(&mut self, server: usize, records: &[Seen]) {
        for (identity, order) in std::mem::take(&mut self.bootp[server]) {
            let is_its = |seen: &&Seen| seen.is_active() && seen.identity.as_ref() == Some(&identity);
            for seen in records.iter().filter(is_its) {
                self.dealings.granted(seen.address, &identity, order);
                if let Some(ledger) = &mut self.ledger {
                    ledger.granted(server, seen.address, &identity);
                }
            }
        }
    }

    /// A reply has left. `stable` says whether all records of its batch would survive a power cut now.
    pub(crate) fn left(&mut self, at: At, reply: &Message<'_>, stable: bool) {
        let Ok(identity) = ClientIdentity::from_message(reply) else { return };
        let verdict = self.s3[at.server].left(at, reply, &identity, stable, &self.s1, &self.dealings);
        let verdict = self.excuse(reply.yiaddr(), verdict);
        self.judge("S3", verdict);
        let verdict = self.s17[at.server].left(at, reply, &identity);
        self.judge("S17", verdict);
        if let Some(ledger) = &self.ledger {
            let given_back = self.dealings.given_back(reply.yiaddr(), &identity);
            let verdicts = [
                ("S2", s2::left(ledger, at, reply, &identity, given_back)),
                ("S9", s9::left(ledger, at, reply)),
                ("S12", s12::left(ledger, at, reply)),
                ("L6", l6::left(ledger, at, reply, &identity)),
            ];
            self.judge_all(verdicts);
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.left(at, reply);
        }
    }

    fn judge_all(&mut self, verdicts: impl IntoIterator<Item = (&'static str, Result<(), String>)>) {
        for (checker, verdict) in verdicts {
            self.judge(checker, verdict);
        }
    }

    /// A process is gone; what its memory showed at the end, and how many records it had made.
    pub(crate) fn ended(&mut self, server: usize, views: &[LeaseView]) {
        self.s3[server].ended();
        let verdict = self.s16[server].ended(views);
        self.judge("S16", verdict);
        if let Some(ledger) = &mut self.ledger {
            ledger.ended(server);
        }
    }

    /// A store was opened, and an engine made from its records.
    pub(crate) fn recovered(&mut self, at: At, position: u64, records: &[Seen], views: Vec<LeaseView>) {
        let now = self.now;
        let broken =
            |address| self.broken.get(&address).is_some_and(|all| all.iter().any(|(until, _)| *until >= now));
        let verdict = self.s3[at.server].recovered(at, records, &broken);
        self.judge("S3", verdict);
        let verdict = self.s16[at.server].recovered(position, views);
        self.judge("S16", verdict);
        self.s17[at.server].recovered(records);
        if let Some(ledger) = &mut self.ledger {
            let verdict = ledger.recovered(at, records);
            self.judge("S4", verdict);
        }
    }

    /// A running engine, and one rebuilt from a copy of its disk.
    pub(crate) fn rebuilt(&mut self, memory: &[LeaseView], disk: &[LeaseView]) {
        let verdict = s16::same("the engine that runs", memory, "the one rebuilt from its disk", disk);
        self.judge("S16", verdict);
    }

    /// Queues of a server at the end of a turn.
    pub(crate) fn queues(&mut self, queues: &s15::Queues) {
        let verdict = self.s15.look(queues);
        self.judge("S15", verdict);
    }

    /// Bytes of the partner that a server takes in now.
    pub(crate) fn heard_partner(&mut self, at: At, link: LinkId, bytes: &[u8], counts: &mut Counts) {
        if let Some(ledger) = &mut self.ledger {
            let verdicts = ledger.heard(at, link, bytes, counts);
            self.judge_all(verdicts);
        }
    }

    /// A message to the partner has left, whose times are by a clock from which ours differs by `clock`: what it says.
    pub(crate) fn said_to_partner(
        &mut self,
        at: At,
        link: LinkId,
        bytes: &[u8],
        clock: ClockDelta,
    ) -> Option<PartnerMessage> {
        let (said, verdicts) = self.ledger.as_mut()?.said(at, link, bytes, clock);
        self.judge_all(verdicts);
        said
    }

    /// A server has been told by its disk that all records up to this one are stable.
    pub(crate) fn synced(&mut self, server: usize, position: u64) {
        self.s16[server].stable(position);
        if let Some(ledger) = &mut self.ledger {
            ledger.synced(server, position);
        }
    }

    /// An operator's command was obeyed.
    pub(crate) fn commanded(&mut self, at: At, command: Command) {
        if let Some(ledger) = &mut self.ledger {
            ledger.commanded(at, command);
        }
    }

    /// The store of a server is gone, or replaced by an older one.
    pub(crate) fn lost_store(&mut self, server: usize) {
        self.s3[server].lost_store();
        self.s16[server].lost_store();
        if let Some(ledger) = &mut self.ledger {
            for (address, client) in ledger.known_to_nobody_else(server) {
                self.s1.forgotten(address, &client);
            }
            ledger.lost_store(server, self.now);
        }
    }

    /// Whether a server has all that it ever wrote down, or has got it back.
    pub(crate) fn has_everything(&self, server: usize) -> bool {
        self.ledger.as_ref().is_none_or(|ledger| ledger.books[server].lost.is_none())
    }

    /// The state that a server of a pair said last that it is in.
    pub(crate) fn state_of(&self, server: usize) -> Option<FailoverState> {
        self.ledger.as_ref().map(|ledger| ledger.books[server].state())
    }

    /// Whether two servers share an address.
    pub(crate) fn is_shared(&self, address: Ipv4Addr) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| ledger.is_shared(address))
    }

    /// By how much the clock of the second server is ahead of the first's, in milliseconds.
    pub(crate) fn ahead(&self) -> i128 {
        self.ledger.as_ref().map_or(0, ledger::Ledger::ahead)
    }

    /// By how much engine time at a new start stands otherwise to the truth than it did, in milliseconds.
    pub(crate) fn shifted(&self, at: At) -> u64 {
        self.ledger.as_ref().map_or(0, |ledger| ledger.shifted(at))
    }

    /// The clocks of a server that starts do not show that its time went on: it may count on nothing that is from before.
    pub(crate) fn time_went_back(&mut self, at: At) {
        if let Some(ledger) = &mut self.ledger {
            ledger.books[at.server].time_began = at.engine;
        }
    }

    /// How many BNDUPDs and POOLREQs the two have sent.
    pub(crate) fn talk(&self) -> u64 {
        self.ledger.as_ref().map_or(0, |ledger| ledger.talk)
    }

    /// Whether each server of a pair can serve its clients now.
    pub(crate) fn serve(&mut self, able: [bool; 2]) {
        let states = [0, 1].map(|server| self.state_of(server));
        let verdict = self.l8.look(self.now, able, states, self.receive_timer);
        self.judge("L8", verdict);
    }

    /// All is well from now on.
    pub(crate) fn healed(&mut self) {
        self.l4.healed(self.now);
    }
}

pub(crate) use s15::Queues;
