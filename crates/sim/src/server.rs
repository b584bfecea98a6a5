//! One server: the real engine and the real store, on a disk and by clocks that fail.
//!
//! *Lives here:* [`Server`] with its [`Process`]: how it starts and ends; the owner's turn. `server/journal.rs` has the journal's.
//! *May know:* engine and store as the real shell knows them; what goes wrong around them.
//! *Must not know:* clients.
//!
//! The order of things is the shell's: the owner decides, seals a batch and hands it to the journal; the journal appends,
//! syncs, and then lets go what rests on it. Both go on at the same time: while a sync takes its time, the owner decides.

mod beside;
pub(crate) mod dhcpd;
mod journal;
mod life;
pub(crate) mod partner;

use crate::checkers::{At, Queues, Seen, is_grant};
use crate::clock::{Machine, Moment, Stillness};
use crate::count::Count;
use crate::disk::{DiskTally, VirtualDisk};
use crate::history::{Party, What};
use crate::line::Arrival;
use crate::outside::{Datagram, Event, Outside, Sent};
use crate::planted::Planted;
use crate::random::Random;
use dhcp::{Message, MessageType};
use engine::clock::{Change, Clock};
use engine::config::Config;
use engine::counter::Counter;
use engine::{
    Batch, Destination, Engine, Input, Interface, InterfaceId, LeaseFilter, LeaseView, LinkId, Outbox,
    Packet, Position, SnapshotCursor, StorageHealth,
};
use failover::time::{Interval, Time};
use std::collections::VecDeque;
use store::Store;

pub(crate) use life::Ending;

/// Batches that may wait for the disk: at this bound the owner stops.
pub(crate) const BATCHES: usize = 64;

/// Datagrams that the socket holds; more are lost.
const SOCKET: usize = 1500;

/// Slots that one piece of a snapshot goes through.
const SLOTS_PER_PIECE: usize = 3;

const INTERFACE: InterfaceId = InterfaceId(2);

/// What the owner hands to the journal, in order.
#[derive(Debug)]
enum Job {
    Batch(Batch),
    BeginSnapshot,
    Piece { count: u32, bytes: Vec<u8> },
    FinishSnapshot,
}

/// What the journal is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Journal {
    Idle,
    /// It will look at its jobs.
    Woken,
    /// A sync is on its way.
    Syncing,
}

/// A process between its start and its end.
#[derive(Debug)]
struct Process {
    engine: Engine,
    store: Store<VirtualDisk>,
    /// `None` until engine time can be had.
    clock: Option<Clock>,
    started: Moment,
    /// What the store had: position and bindings, until the checkers have seen it.
    replayed: Option<(u64, Vec<Seen>)>,
    outbox: Outbox,
    jobs: VecDeque<Job>,
    /// Appended, and not synced yet.
    in_flight: Vec<Batch>,
    /// Batches that are done: their memory is used again.
    spare: Vec<Batch>,
    journal: Journal,
    snapshot: Option<SnapshotCursor>,
    /// When the owner will be called anyway.
    owner_at: Option<Moment>,
    storage: StorageHealth,
    /// What the engine was told of that.
    told: Option<StorageHealth>,
    /// It has seen that the machine stood still: the record of that is below this position.
    saw_stillness: Option<(Position, Stillness)>,
    /// It has been told to end.
    stopping: bool,
}

/// A datagram in the socket, with what CLOCK_BOOTTIME was when it came.
#[derive(Debug)]
struct Arrived {
    datagram: Datagram,
    at: Interval,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) number: usize,
    config: Config,
    store_options: store::Options,
    planted: Planted,
    pub(crate) disk: VirtualDisk,
    pub(crate) machine: Machine,
    process: Option<Process>,
    pub(crate) incarnation: u64,
    /// The process does nothing until then.
    pub(crate) stands_until: Moment,
    /// Nor the whole machine until then.
    pub(crate) frozen_until: Moment,
    socket: VecDeque<Arrived>,
    /// What came on connections to the partner.
    inbox: VecDeque<(LinkId, Arrival)>,
    /// Entropy of the next store that is made.
    store_identity: u8,
    /// Syncs take seconds until then.
    pub(crate) slow_until: Moment,
    /// How the next crash inside of a call ends.
    pub(crate) ending: Ending,
    /// Starts may be cut off too.
    pub(crate) crashes_in_recovery: bool,
    pub(crate) wrong_battery_clock: bool,
    pub(crate) late_network_time: bool,
    /// How often it looks at its clocks, at least; in milliseconds.
    pub(crate) look_every: u64,
    /// How long it is away when its process ends the next time.
    pub(crate) away: Option<u64>,
    healed: bool,
    /// It does not come back when its process has ended.
    pub(crate) is_gone: bool,
    /// How much of what came on connections it takes in one turn.
    pub(crate) takes_at_once: usize,
    /// A batch of which nothing is left does not go to the journal.
    pub(crate) is_brief: bool,
    /// It is one.
    dhcpd: Option<dhcpd::Dhcpd>,
    /// The next turn of a dhcpd that is due by time.
    turns_at: Moment,
    tally: DiskTally,
    random: Random,
}

impl Server {
    pub(crate) fn new(number: usize, config: Config, planted: Planted, mut random: Random) -> Server {
        // All that came from a partner while a process stood still is decided in one turn.
        let is_pair = !config.relationships().is_empty();
        let store_options = store::Options {
            segment_size: random.pick(if is_pair { &[65_536, 131_072] } else { &[8192, 16_384, 65_536] }),
            snapshot_at_least: random.pick(&[4096, 12_000, 40_000]),
            snapshot_sync_every: random.pick(&[256, 1024, 8192]),
            planted: planted.store,
        };
        Server {
            number,
            config,
            store_options,
            planted,
            disk: VirtualDisk::new(random.split()),
            machine: Machine::new(&mut random),
            process: None,
            incarnation: 0,
            stands_until: 0,
            frozen_until: 0,
            socket: VecDeque::new(),
            inbox: VecDeque::new(),
            store_identity: u8::try_from(number).unwrap_or(0),
            slow_until: 0,
            ending: Ending::Killed,
            crashes_in_recovery: false,
            wrong_battery_clock: false,
            late_network_time: false,
            look_every: 20_000,
            away: None,
            healed: false,
            is_gone: false,
            takes_at_once: usize::MAX,
            is_brief: false,
            dhcpd: None,
            turns_at: 0,
            tally: DiskTally::default(),
            random,
        }
    }

    /// It lives for days: what is rare in an hour need not be so in a day.
    pub(crate) fn settle(&mut self) {
        // After hours of standing still there may be hundreds of connections.
        self.takes_at_once = 32;
        self.is_brief = true;
        self.store_options.snapshot_at_least *= 5;
    }

    pub(crate) fn is_serving(&self) -> bool {
        if let Some(dhcpd) = &self.dhcpd {
            return dhcpd.runs();
        }
        self.process.as_ref().is_some_and(|process| process.clock.is_some() && !process.stopping)
    }

    /// It serves, does not stand still, and its store takes everything.
    pub(crate) fn is_well(&self, now: Moment) -> bool {
        if let Some(dhcpd) = &self.dhcpd {
            return dhcpd.runs() && self.stands_until <= now;
        }
        let takes_everything =
            self.process.as_ref().is_some_and(|process| process.storage == StorageHealth::Ok);
        self.is_serving() && takes_everything && self.stands_until <= now
    }

    /// Nothing is on its way to the disk.
    pub(crate) fn is_quiet(&self) -> bool {
        self.process.as_ref().is_some_and(|process| {
            process.jobs.is_empty() && process.in_flight.is_empty() && process.snapshot.is_none()
        })
    }

    /// What the engine shows of all addresses.
    pub(crate) fn views(&self) -> Vec<LeaseView> {
        self.process.as_ref().map_or_else(Vec::new, |process| all_views(&process.engine))
    }

    pub(crate) fn at(&self, now: Moment) -> At {
        if self.dhcpd.is_some() {
            return self.dhcpd_at(now);
        }
        let since_boot = self.machine.since_boot(now);
        let clock = self.process.as_ref().and_then(|process| process.clock.as_ref());
        At { now, server: self.number, engine: clock.map_or(Time::ZERO, |clock| clock.at(since_boot)) }
    }

    /// Whether the whole machine stands still, its clock too.
    pub(crate) fn is_frozen(&self, now: Moment) -> bool {
        now < self.frozen_until
    }

    /// A datagram reaches the machine.
    pub(crate) fn arrives(&mut self, outside: &mut Outside, datagram: Datagram) {
        if self.is_frozen(outside.now) || !self.is_serving() || self.socket.len() >= SOCKET {
            return;
        }
        self.socket.push_back(Arrived { datagram, at: self.machine.since_boot(outside.now) });
        let at = outside.now + self.random.below(3);
        if self.dhcpd.is_some() {
            return self.turn_at(outside, at);
        }
        self.call_owner(outside, at);
    }

    /// Calls the owner then, unless it is called before.
    fn call_owner(&mut self, outside: &mut Outside, at: Moment) {
        let (server, incarnation) = (self.number, self.incarnation);
        // Before it knows the time it does nothing; its start calls it.
        let Some(process) = self.process.as_mut().filter(|process| process.clock.is_some()) else { return };
        if process.owner_at.is_none_or(|already| at < already) {
            process.owner_at = Some(at);
            outside.schedule(at, Event::Owner { server, incarnation });
        }
    }

    fn call_journal(&mut self, outside: &mut Outside, wait: u64) {
        let (server, incarnation) = (self.number, self.incarnation);
        let Some(process) = &mut self.process else { return };
        if process.journal == Journal::Idle {
            process.journal = Journal::Woken;
            outside.schedule(outside.now + wait, Event::Journal { server, incarnation });
        }
    }

    /// One turn of the owner: what is due, what has come, then a batch for the journal.
    pub(crate) fn owner_turn(&mut self, outside: &mut Outside) {
        if self.dhcpd.is_some() {
            return self.dhcpd_turn(outside);
        }
        let at = self.at(outside.now);
        let Some(process) = &mut self.process else { return };
        // An earlier call than this one has been made instead.
        if process.owner_at.is_none_or(|at| at > outside.now) || process.clock.is_none() {
            return;
        }
        process.owner_at = None;
        if process.jobs.len() >= BATCHES {
            return;
        }
        let before = decisions(&process.engine);
        let mut queues = Queues::default();
        let storage = process.storage;
        let is_news = process.told.replace(storage) != Some(storage);
        let mut handle = |process: &mut Process, input: Input<'_>| {
            let position = process.outbox.position();
            process.engine.handle(at.engine, input, &mut process.outbox);
            let made = process.outbox.position().0 - position.0;
            queues.records_in_a_call = queues.records_in_a_call.max(made);
            made > 0
        };
        handle(process, if is_news { Input::Storage(storage) } else { Input::Wake });
        self.hear_partner(outside, at);
        let Some(process) = &mut self.process else { return };
        while !process.outbox.is_full() || self.planted.read_past_bound {
            let Some(arrived) = self.socket.pop_front() else { break };
            let received = process.clock.as_ref().map_or(at.engine, |clock| clock.at(arrived.at));
            let Datagram { source, destination, bytes, message } = &arrived.datagram;
            let packet =
                Packet { interface: INTERFACE, source: *source, destination: *destination, received, bytes };
            let recorded = handle(process, Input::Packet(packet));
            note_handled(outside, at, bytes, *message, recorded);
        }
        for ((_, count), (before, after)) in
            DECISIONS.iter().zip(before.iter().zip(decisions(&process.engine)))
        {
            outside.counts.add(*count, after - before);
        }
        self.seal(outside, at, queues);
        if let Some(process) = &mut self.process {
            process.piece_of_snapshot();
        }
        self.after_turn(outside, at);
    }

    /// Seals what was decided, lets go what rests on nothing, and hands the rest to the journal.
    fn seal(&mut self, outside: &mut Outside, at: At, mut queues: Queues) {
        let Some(process) = &mut self.process else { return };
        if !process.outbox.is_empty() {
            let batch = process.outbox.seal(process.spare.pop().unwrap_or_default());
            for event in batch.events().0 {
                outside.note(|| format!("server {}: {event}", at.server));
                if let engine::event::Event::StateChanged { to, .. } = event {
                    outside.record(|| What::State { server: at.server, state: *to });
                }
            }
            (queues.replies, queues.events) = (batch.waiting(), batch.events().0.len());
            let records = outside.checkers.read(at.server, &batch);
            for seen in &records {
                let (server, address, status) = (at.server, seen.address, seen.status);
                outside.record(|| What::Recorded { server, address, status });
            }
            let views = views_of(&process.engine, &records);
            outside.checkers.sealed(at, &batch, &records, views);
            process.jobs.push_back(Job::Batch(batch));
            let stable = Position(process.store.stable_position().0);
            let waiting = process.jobs.len() + process.in_flight.len();
            if let Some(Job::Batch(batch)) = process.jobs.back_mut() {
                release(outside, &self.disk, at, batch, stable);
                // Of what is for the partner only CONTACT overtakes.
                if waiting == 1 {
                    partner::release_to_partner(&mut process.engine, outside, at, batch, stable);
                } else {
                    partner::release_contacts(&mut process.engine, outside, at, batch);
                }
                let is_done =
                    batch.records().1 == 0 && batch.waiting() == 0 && batch.waiting_for_partner() == 0;
                if is_done && self.is_brief {
                    process.spare.push(std::mem::take(batch));
                    process.jobs.pop_back();
                }
            }
        }
        queues.batches = (process.jobs.iter().filter(|job| matches!(job, Job::Batch(_))).count(), BATCHES);
        queues.files = (self.disk.file_count(), journal::FILES);
        let status = self.random.chance(5).then(|| process.engine.status(at.engine));
        if let Some(status) = status {
            let sum = |of: fn(&engine::PoolView) -> u64| status.networks.iter().map(of).sum();
            queues.offers = (sum(|network| network.offered), sum(|network| network.size));
        }
        outside.checkers.queues(&queues);
    }

    fn after_turn(&mut self, outside: &mut Outside, at: At) {
        let Some(process) = &self.process else { return };
        let deadline = process.engine.next_deadline();
        let (has_jobs, more) = (!process.jobs.is_empty(), process.snapshot.is_some());
        if has_jobs {
            let wait = self.random.below(2);
            self.call_journal(outside, wait);
        }
        if more || !self.socket.is_empty() || !self.inbox.is_empty() {
            let wait = self.random.between(1, 20);
            self.call_owner(outside, outside.now + wait);
        }
        if let Some(deadline) = deadline.filter(|deadline| *deadline != Time::NEVER) {
            let wait = self.machine.takes(deadline.since(at.engine));
            self.call_owner(outside, outside.now + wait.max(1));
        }
    }

    /// Looks at the clocks, and records how they stand.
    pub(crate) fn look(&mut self, outside: &mut Outside) {
        let (server, incarnation) = (self.number, self.incarnation);
        // When all is well there is little to see.
        let shortest = if self.healed { 200_000 } else { self.look_every };
        outside.schedule(
            outside.now + self.random.between(shortest, 3 * shortest),
            Event::Look { server, incarnation },
        );
        let reading = self.machine.reading(outside.now);
        let Some(process) = &mut self.process else { return };
        let Some(clock) = &mut process.clock else { return };
        let (_, change) = clock.read(&reading);
        match change {
            Change::None => {}
            Change::WallStepped { by } => {
                outside.counts.one(Count::WallSteps);
                outside.note(|| format!("server {server}: the wall clock was stepped by {by} ms"));
            }
            Change::TimeLost { by } => {
                outside.counts.one(Count::TimeLost);
                outside.lost_time += by.as_millis();
                outside.note(|| format!("server {server}: engine time jumps by {by}"));
            }
        }
        let stamp = clock.stamp(&reading);
        if change != Change::None || self.random.chance(100) {
            process.engine.note_clock(stamp, &mut process.outbox);
        }
        self.see_stillness();
        self.call_owner(outside, outside.now);
        // A store without a reserve tries again.
        self.call_journal(outside, 1);
    }

    /// The clocks have been looked at, and what they showed is in the outbox.
    fn see_stillness(&mut self) {
        let Some(process) = &mut self.process else { return };
        let seen = self.machine.shows_stillness();
        if seen != process.saw_stillness.map(|(_, before)| before) {
            process.saw_stillness = seen.map(|seen| (process.outbox.position(), seen));
        }
        self.remember_stillness();
    }

    /// What of that is stable now will be known after a power cut.
    fn remember_stillness(&mut self) {
        let Some(process) = &mut self.process else { return };
        let stable = Position(process.store.stable_position().0);
        if let Some((_, seen)) = process.saw_stillness.take_if(|(recorded, _)| *recorded <= stable) {
            self.machine.was_recorded(seen);
        }
    }

    /// Compares the engine with one that is rebuilt from a copy of its disk.
    pub(crate) fn rebuild(&mut self, outside: &mut Outside) {
        let at = self.at(outside.now);
        let memory = self.views();
        let mut engine = Engine::new(self.config.clone(), 5);
        let opened = Store::open(self.disk.copy(), self.store_options.clone(), [7; 16], &mut |record| {
            engine.replay(record).map_err(|error| error.to_string())
        });
        if let Err(error) = opened {
            outside.checkers.judge("S16", Err(format!("a copy of the disk cannot be opened: {error}")));
            return;
        }
        engine.start(at.engine, &mut Outbox::new(Position::START));
        outside.counts.one(Count::Rebuilt);
        let running = self.process.as_ref().map(|process| bindings_of(&process.engine));
        if running.is_some_and(|running| running != bindings_of(&engine)) {
            let text = "a snapshot of the engine that runs and one of that rebuilt from its disk differ";
            outside.checkers.judge("S16", Err(text.to_owned()));
        }
        outside.checkers.rebuilt(&memory, &all_views(&engine));
    }
}

impl Process {
    fn piece_of_snapshot(&mut self) {
        // What a piece says is in the log before it.
        let Some(cursor) = self.snapshot.as_mut().filter(|_| self.outbox.is_empty()) else { return };
        let mut bytes = Vec::new();
        let (count, last) = self.engine.snapshot(cursor, SLOTS_PER_PIECE, &mut bytes);
        self.jobs.push_back(Job::Piece { count, bytes });
        if last {
            self.snapshot = None;
            self.jobs.push_back(Job::FinishSnapshot);
        }
    }

    /// A lease has been recorded, and its DHCPACK has not left.
    fn owes_answers(&self) -> bool {
        let waiting =
            self.jobs.iter().filter_map(|job| if let Job::Batch(batch) = job { Some(batch) } else { None });
        waiting.chain(&self.in_flight).any(|batch| batch.waiting() > 0 && batch.records().1 > 0)
    }
}

fn interfaces(server: usize) -> [Interface; 1] {
    [Interface { id: INTERFACE, addresses: vec![crate::scene::server_address(server)] }]
}

fn note_handled(outside: &mut Outside, at: At, bytes: &[u8], number: u64, recorded: bool) {
    let Ok(message) = Message::parse(bytes) else { return };
    if message.message_type() == Some(MessageType::Release) {
        outside.counts.one(Count::Releases);
    }
    let text = || Some(crate::report::describe(&message));
    outside.record(|| What::Heard { message: number, by: Party::Server(at.server), text: text() });
    if let (Some(MessageType::Release | MessageType::Decline), Some(client)) =
        (message.message_type(), client_of(&message))
    {
        let address = message.requested_address().unwrap_or(message.ciaddr());
        outside.record(|| What::GivenBack { client, address });
    }
    outside.checkers.handled(at, message, recorded);
}

/// The number of the client that a message is from or for: clients of this world have it in their hardware address.
fn client_of(message: &Message<'_>) -> Option<u8> {
    message.hardware_address().as_ethernet().map(|[.., number]| number)
}

/// Lets go of what rests on what is stable.
fn release(outside: &mut Outside, disk: &VirtualDisk, at: At, batch: &mut Batch, stable: Position) {
    if batch.waiting() == 0 {
        return;
    }
    let mut replies: Vec<(Destination, Vec<u8>)> = Vec::new();
    let released =
        batch.release(stable, at.engine, |destination, bytes| replies.push((*destination, bytes.to_vec())));
    outside.counts.add(Count::TooOld, released.too_old as u64);
    let mut on_disk = None;
    for (destination, bytes) in replies {
        let number = outside.next_message();
        if let Ok(message) = Message::parse(&bytes) {
            let frames = batch.records().2;
            let on_disk = !is_grant(&message)
                || *on_disk.get_or_insert_with(|| !frames.is_empty() && disk.is_stable(frames));
            outside.record(|| What::Sends {
                message: number,
                from: Party::Server(at.server),
                // Strangers are nobody in particular.
                to: client_of(&message).filter(|to| *to != u8::MAX).map(Party::Client).into_iter().collect(),
                name: crate::report::name_of(&message),
                brief: crate::report::brief(&message),
                text: crate::report::contents(&message),
            });
            outside.checkers.left(at, &message, on_disk);
        }
        outside.stir(&bytes);
        outside.sent.push(Sent { server: at.server, destination, bytes, message: number });
    }
}

/// What is counted of a turn.
const DECISIONS: [(Counter, Count); 7] = [
    (Counter::Expiry, Count::Expiries),
    (Counter::Reallocation, Count::Reallocations),
    (Counter::OfferLapsed, Count::OffersLapsed),
    (Counter::AbandonedFreed, Count::AbandonedFreed),
    (Counter::Decline, Count::Declines),
    (Counter::AckInform, Count::Informs),
    (Counter::DroppedTooOld, Count::TooOld),
];

fn decisions(engine: &Engine) -> [u64; DECISIONS.len()] {
    DECISIONS.map(|(counter, _)| engine.counters().get(counter))
}

fn all_views(engine: &Engine) -> Vec<LeaseView> {
    engine.leases(&LeaseFilter { unused: true, ..LeaseFilter::default() }, usize::MAX).0
}

/// What a snapshot has of bindings: flags and times too, that no view shows.
fn bindings_of(engine: &Engine) -> Vec<u8> {
    let (mut cursor, mut frames) = (SnapshotCursor::default(), Vec::new());
    while !engine.snapshot(&mut cursor, 1000, &mut frames).1 {}
    let (mut rest, mut bindings) = (&frames[..], Vec::new());
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((record, behind)) = behind.split_at_checked(length) else { break };
        if record.first() == Some(&1) {
            bindings.extend_from_slice(record);
        }
        rest = behind;
    }
    bindings
}

fn views_of(engine: &Engine, records: &[Seen]) -> Vec<LeaseView> {
    let view = |seen: &Seen| {
        let filter = LeaseFilter { from: Some(seen.address), unused: true, ..LeaseFilter::default() };
        engine.leases(&filter, 1).0.pop()
    };
    records.iter().filter_map(view).collect()
}
