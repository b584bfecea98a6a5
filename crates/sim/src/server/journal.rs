//! The journal of a server: appends, syncs, and then lets go what became stable.
//!
//! *Lives here:* its turns.
//! *Must not know:* what is in a record.

use super::{BATCHES, Ending, Job, Journal, Server, partner, release};
use crate::count::Count;
use crate::outside::{Event, Outside};
use engine::{Batch, Position, SnapshotCursor, StorageHealth};
use store::{AppendError, Health, RecordsRef, SnapshotError};

/// Files that a store may have: identity and its next version, a snapshot and the one being written, and segments of the
/// log since the last snapshot.
pub(super) const FILES: usize = 80;

/// How the journal's work went on.
enum Went {
    /// As it should.
    Well,
    /// The disk could not take it now; later perhaps.
    Again,
    /// The process is at its end.
    Ended,
}

impl Server {
    pub(crate) fn journal_turn(&mut self, outside: &mut Outside) {
        let Some(process) = &mut self.process else { return };
        let went = if std::mem::replace(&mut process.journal, Journal::Idle) == Journal::Syncing {
            self.synced(outside)
        } else {
            self.append_jobs(outside)
        };
        if self.disk.crashed() {
            outside.counts.one(Count::CrashesInCall);
            let ending = self.ending;
            self.end(outside, ending);
            return;
        }
        match went {
            Went::Ended => self.end(outside, Ending::Failed),
            Went::Again => self.call_journal(outside, 1000),
            Went::Well => self.go_on(outside),
        }
    }

    fn go_on(&mut self, outside: &mut Outside) {
        let Some(process) = &mut self.process else { return };
        if !process.in_flight.is_empty() && process.journal == Journal::Idle {
            process.journal = Journal::Syncing;
            let (server, incarnation) = (self.number, self.incarnation);
            let slow = outside.now < self.slow_until;
            let takes = if slow { self.random.between(500, 12_000) } else { self.random.between(1, 12) };
            if slow {
                outside.counts.one(Count::SlowSyncs);
            }
            outside.schedule(outside.now + takes, Event::Journal { server, incarnation });
        } else if !process.jobs.is_empty() {
            self.call_journal(outside, 1);
        } else if process.stopping && process.in_flight.is_empty() {
            self.end(outside, Ending::Stopped);
        }
    }

    /// The time that a sync takes is over: it has done what it does.
    fn synced(&mut self, outside: &mut Outside) -> Went {
        let at = self.at(outside.now);
        let Some(process) = &mut self.process else { return Went::Well };
        let Ok(stable) = process.store.sync() else {
            let server = self.number;
            outside.note(|| format!("server {server}: a sync failed"));
            return Went::Ended;
        };
        if self.disk.crashed() {
            return Went::Ended;
        }
        let told = process.in_flight.iter().filter(|batch| batch.waiting_for_partner() > 0);
        for frames in told.map(|batch| batch.records().2).filter(|frames| !frames.is_empty()) {
            let is_stable = self.disk.is_stable(frames);
            let verdict = if is_stable { Ok(()) } else { Err("a sync left records unstable".to_owned()) };
            outside.checkers.judge("S4", verdict);
        }
        outside.checkers.synced(at.server, stable.0);
        for mut batch in process.in_flight.drain(..) {
            let stable = Position(stable.0);
            release(outside, &self.disk, at, &mut batch, stable);
            partner::release_to_partner(&mut process.engine, outside, at, &mut batch, stable);
            process.spare.push(batch);
        }
        self.remember_stillness();
        self.keep_house(outside)
    }

    /// When nothing waits: a segment in reserve, and a snapshot if it is time for one.
    fn keep_house(&mut self, outside: &mut Outside) -> Went {
        let Some(process) = &mut self.process else { return Went::Well };
        process.store.maintain();
        let storage = match process.store.health() {
            Health::Ok => StorageHealth::Ok,
            Health::ReserveOnly => StorageHealth::ReserveOnly,
            Health::Poisoned => return Went::Ended,
        };
        if storage != process.storage && storage == StorageHealth::ReserveOnly {
            outside.counts.one(Count::ReserveOnly);
        }
        let changed = storage != process.storage;
        process.storage = storage;
        let begins = process.store.wants_snapshot()
            && process.snapshot.is_none()
            && !process.jobs.iter().any(|job| !matches!(job, Job::Batch(_)));
        if begins {
            process.snapshot = Some(SnapshotCursor::default());
            process.jobs.push_back(Job::BeginSnapshot);
        }
        // An owner that stopped at the bound goes on.
        let goes_on = process.owner_at.is_none() && process.jobs.len() < BATCHES;
        if begins || changed || goes_on {
            self.call_owner(outside, outside.now);
        }
        Went::Well
    }

    fn append_jobs(&mut self, outside: &mut Outside) -> Went {
        let mut did = false;
        while let Some(job) = self.process.as_mut().and_then(|process| process.jobs.pop_front()) {
            did = true;
            let went = match job {
                Job::Batch(batch) => self.append(outside, batch),
                snapshot => self.snapshot_job(outside, &snapshot),
            };
            if !matches!(went, Went::Well) || self.disk.crashed() {
                return went;
            }
        }
        if did { Went::Well } else { self.keep_house(outside) }
    }

    fn append(&mut self, outside: &mut Outside, batch: Batch) -> Went {
        let Some(process) = &mut self.process else { return Went::Well };
        let (first, count, bytes) = batch.records();
        let appended = process.store.append(store::Position(first.0), RecordsRef { count, bytes });
        match appended {
            Ok(()) => {
                process.in_flight.push(batch);
                return Went::Well;
            }
            Err(AppendError::Poisoned(_)) => return Went::Ended,
            Err(AppendError::NoSpace(_)) if process.storage == StorageHealth::Ok => {
                process.storage = StorageHealth::ReserveOnly;
                outside.counts.one(Count::ReserveOnly);
            }
            Err(AppendError::NoSpace(_) | AppendError::Disk(_)) => {}
            Err(error) => {
                outside.checkers.judge("S15", Err(format!("the store does not take a batch: {error}")));
            }
        }
        process.jobs.push_front(Job::Batch(batch));
        Went::Again
    }

    /// The bug of that name: what waits behind the end of a snapshot is taken to be covered by the sync of that.
    fn release_unsynced(&mut self, outside: &mut Outside) {
        let at = self.at(outside.now);
        let Some(process) = self.process.as_mut().filter(|_| self.planted.release_unsynced) else { return };
        for job in &mut process.jobs {
            if let Job::Batch(batch) = job {
                let end = batch.end();
                release(outside, &self.disk, at, batch, end);
            }
        }
    }

    fn snapshot_job(&mut self, outside: &mut Outside, job: &Job) -> Went {
        let Some(process) = &mut self.process else { return Went::Well };
        let result = match job {
            Job::BeginSnapshot => process.store.begin_snapshot(),
            Job::Piece { count, bytes } => process.store.snapshot_chunk(RecordsRef { count: *count, bytes }),
            Job::FinishSnapshot | Job::Batch(_) => process.store.finish_snapshot(),
        };
        match result {
            Ok(()) if matches!(job, Job::FinishSnapshot) => {
                outside.counts.one(Count::Snapshots);
                self.release_unsynced(outside);
            }
            Ok(()) => {}
            Err(SnapshotError::Poisoned(_)) => return Went::Ended,
            Err(_) => {
                // Given up; another one begins when it is time.
                process.snapshot = None;
                process.jobs.retain(|job| matches!(job, Job::Batch(_)));
                outside.counts.one(Count::SnapshotsLost);
            }
        }
        Went::Well
    }
}
