//! How a server's process starts and ends.
//!
//! *Lives here:* [`Ending`], starts, crashes.
//! *Must not know:* why.

use super::{Journal, Process, Server, all_views, interfaces};
use crate::checkers::Seen;
use crate::clock::Moment;
use crate::count::Count;
use crate::disk::VirtualDisk;
use crate::history::What;
use crate::outside::{Event, Outside};
use engine::clock::{Clock, Start};
use engine::{Engine, Input, Outbox, Position, StorageHealth};
use failover::state::FailoverState;
use failover::time::Interval;
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use store::{OpenError, Store};

/// How long a start waits for a synchronised clock (design: `clock-wait`).
const CLOCK_WAIT: Interval = Interval::from_seconds(60);

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// SIGKILL.
    Killed,
    /// And the machine with it.
    PowerCut,
    /// By itself, because a sync failed.
    Failed,
    /// As it was told to.
    Stopped,
}

impl Server {
    /// The process ends now; another one starts by and by.
    pub(crate) fn end(&mut self, outside: &mut Outside, ending: Ending) {
        let server = self.number;
        // A machine that stood still and lost its power before the server had seen that by its clocks, and put it on stable
        // storage: nothing that is left tells how far the leases reach that it gave in between. This is out of scope.
        let ending = match ending {
            Ending::PowerCut if self.machine.is_behind() => Ending::Killed,
            ending => ending,
        };
        self.tally_engine(outside);
        if let Some(process) = self.process.take() {
            let untold = |batch: &engine::Batch| batch.records().1 > 0 && batch.waiting_for_partner() > 0;
            if process.in_flight.iter().any(untold) && ending != Ending::Stopped {
                outside.counts.one(Count::BetweenRecordAndPartner);
            }
            if process.clock.is_some() {
                outside.checkers.ended(server, &all_views(&process.engine));
            }
            if process.owes_answers() && ending != Ending::Stopped {
                outside.counts.one(Count::BetweenRecordAndRelease);
            }
            if process.snapshot.is_some() {
                outside.counts.one(Count::SnapshotsLost);
            }
        }
        if let Some(dhcpd) = &mut self.dhcpd {
            dhcpd.die();
            self.turns_at = 0;
        }
        outside.record(|| What::Ends { server, how: format!("{ending:?}") });
        self.disk.process_died();
        match ending {
            Ending::PowerCut => {
                outside.counts.one(Count::PowerCuts);
                self.disk.power_cut();
            }
            Ending::Killed => outside.counts.one(Count::Kills),
            Ending::Stopped => outside.counts.one(Count::Stops),
            Ending::Failed => {}
        }
        self.socket.clear();
        self.inbox.clear();
        outside.ended.push((server, ending == Ending::PowerCut));
        self.incarnation += 1;
        (self.stands_until, self.frozen_until) = (0, 0);
        if self.is_gone {
            return;
        }
        let away = match self.random.below(10) {
            _ if self.healed => 1000,
            _ if self.away.is_some() => self.away.take().unwrap_or_default().max(500),
            9 if !self.config.relationships().is_empty() => self.random.between(60_000, 1_800_000),
            0..6 => self.random.between(500, 5000),
            6..9 => self.random.between(5000, 300_000),
            _ => self.random.between(300_000, 14_400_000),
        };
        if ending == Ending::PowerCut {
            self.boot(outside, outside.now + away);
        }
        let incarnation = self.incarnation;
        outside.schedule(outside.now + away + 1, Event::Start { server, incarnation });
    }

    /// The machine is on again at `at`.
    fn boot(&mut self, outside: &mut Outside, at: Moment) {
        // A wrong battery clock is behind, never ahead: what a machine believes after `clock-wait` must not be later than the
        // truth, for it is trusted (design, Time).
        let tenths = i64::try_from(self.random.between(1, 1000)).unwrap_or(1);
        let error = if self.wrong_battery_clock { -tenths * 360_000 } else { -400 };
        self.machine.reboot(at, error, &mut self.random);
        let longest = if self.late_network_time { 3_600_000 } else { 50_000 };
        let wait = self.random.between(1000, longest);
        outside.schedule(at + wait, Event::NetworkTime { server: self.number });
    }

    /// The process starts, or goes on waiting for the clock.
    pub(crate) fn start(&mut self, outside: &mut Outside) {
        if self.dhcpd.is_some() {
            return self.start_dhcpd(outside);
        }
        if self.process.is_none() && !self.open(outside) {
            return;
        }
        let reading = self.machine.reading(outside.now);
        let (server, incarnation, boot) = (self.number, self.incarnation, self.machine.boot());
        let Some(process) = &mut self.process else { return };
        if process.clock.is_some() {
            return;
        }
        let stored = process.engine.stored_clock().copied();
        let waited = Interval::from_millis(outside.now - process.started);
        let latest = process.engine.last_operation();
        let Start::Go(clock, origin) =
            Clock::start(stored.as_ref(), latest, boot, &reading, waited, CLOCK_WAIT)
        else {
            if waited == Interval::ZERO {
                outside.counts.one(Count::ClockHolds);
            }
            outside.schedule(outside.now + 1000, Event::Start { server, incarnation });
            return;
        };
        process.clock = Some(clock);
        let now = clock.at(reading.since_boot);
        outside.lost_time += outside.checkers.shifted(self.at(outside.now));
        if stored.is_some_and(|stamp| stamp.went_back(&clock.stamp(&reading)) > Interval::ZERO) {
            let at = self.at(outside.now);
            outside.checkers.time_went_back(at);
        }
        let Some(process) = &mut self.process else { return };
        outside.record(|| {
            let text = format!("engine time {} on ({origin:?})", now.as_seconds());
            What::Serves { server, text }
        });
        if !self.config.relationships().is_empty() {
            outside.record(|| What::State { server, state: FailoverState::Startup });
        }
        let identity = (process.store.identity().0, process.store.generation());
        process.engine.set_store(identity.0, identity.1);
        process.engine.start(now, &mut process.outbox);
        let (position, replayed) = process.replayed.take().unwrap_or_default();
        let views = all_views(&process.engine);
        process.engine.note_clock(clock.stamp(&reading), &mut process.outbox);
        process.engine.handle(now, Input::Interfaces(&interfaces(server)), &mut process.outbox);
        self.see_stillness();
        outside.checkers.recovered(self.at(outside.now), position, &replayed, views);
        self.call_owner(outside, outside.now);
        outside.schedule(outside.now + 30_000, Event::Look { server, incarnation });
    }

    /// Opens the store; false when it could not be opened now.
    fn open(&mut self, outside: &mut Outside) -> bool {
        if self.crashes_in_recovery && self.random.chance(150) {
            let after = self.random.below(40);
            self.disk.set_faults(|faults| faults.crash_after = Some(after));
        }
        let mut engine = Engine::new(self.config.clone(), 3);
        engine.plant(self.planted.engine);
        let (mut records, mut latest) = (Vec::<Seen>::new(), BTreeMap::<Ipv4Addr, Seen>::new());
        let entropy = [self.store_identity; 16];
        let opened = Store::open(self.disk.clone(), self.store_options.clone(), entropy, &mut |record| {
            if let Some(seen) = Seen::read(record, |address| latest.get(&address).cloned()) {
                latest.insert(seen.address, seen.clone());
                records.push(seen);
            }
            engine.replay(record).map_err(|error| error.to_string())
        });
        if self.disk.crashed() {
            outside.counts.one(Count::CrashesInRecovery);
            let ending = self.ending;
            self.end(outside, ending);
            return false;
        }
        self.disk.set_faults(|faults| faults.crash_after = None);
        match opened {
            Ok(store) => {
                self.opened(outside, engine, store, records);
                true
            }
            Err(OpenError::Disk(error)) => {
                let (server, incarnation) = (self.number, self.incarnation);
                outside.note(|| format!("server {server}: cannot open its store: {error}"));
                outside.schedule(outside.now + 5000, Event::Start { server, incarnation });
                false
            }
            Err(error) => {
                outside.checkers.judge("S3", Err(format!("the store cannot be opened any more: {error}")));
                false
            }
        }
    }

    fn opened(
        &mut self,
        outside: &mut Outside,
        engine: Engine,
        store: Store<VirtualDisk>,
        records: Vec<Seen>,
    ) {
        let found = *store.opened();
        outside.counts.add(Count::TornTails, u64::from(found.torn_bytes > 0));
        outside.counts.add(Count::TailsCopied, u64::from(found.copied_bytes > 0));
        outside.counts.add(Count::FromSnapshot, u64::from(found.snapshot_records > 0));
        outside.counts.add(Count::Recovered, u64::from(!found.new));
        let position = store.next_position().0;
        let server = self.number;
        outside.note(|| format!("server {server}: starts with {position} records: {found:?}"));
        self.process = Some(Process {
            outbox: Outbox::new(Position(position)),
            engine,
            store,
            clock: None,
            started: outside.now,
            replayed: Some((position, records)),
            jobs: VecDeque::new(),
            in_flight: Vec::new(),
            spare: Vec::new(),
            journal: Journal::Idle,
            snapshot: None,
            owner_at: None,
            storage: StorageHealth::Ok,
            told: None,
            saw_stillness: None,
            stopping: false,
        });
    }

    /// The process is told to end in order.
    pub(crate) fn stop(&mut self, outside: &mut Outside) {
        if self.dhcpd.is_some() {
            return self.end(outside, Ending::Stopped);
        }
        if let Some(process) = &mut self.process {
            process.stopping = true;
            self.socket.clear();
            self.call_journal(outside, 1);
        }
    }

    /// From now on the machine is well.
    pub(crate) fn heal(&mut self) {
        (self.healed, self.crashes_in_recovery, self.slow_until) = (true, false, 0);
        self.disk.set_faults(|faults| *faults = crate::disk::DiskFaults::default());
        self.machine.synchronise(0);
    }

    /// Counts what the disk did wrong since this was asked last.
    pub(crate) fn count_disk_faults(&mut self, outside: &mut Outside) {
        let (before, after) = (self.tally, self.disk.tally());
        outside.counts.add(Count::FailedSyncs, after.failed_syncs - before.failed_syncs);
        outside.counts.add(Count::FailedWrites, after.failed_writes - before.failed_writes);
        outside.counts.add(Count::DiskFull, u64::from(after.full > before.full));
        self.tally = after;
    }
}
