//! The journal thread: writes, syncs, then sends what became stable.
//!
//! *Lives here:* [`Journal`]: takes all batches that wait, appends each, syncs once, and releases them.
//! *May know:* the store, positions.
//! *Must not know:* what a record or a reply says.
//!
//! A failed sync ends the process here and now: nobody knows what reached the disk, and nothing that is not released
//! yet may leave. A full disk does not: the batch is kept and tried again, and nothing behind it passes it.

#[cfg(test)]
mod tests;

use crate::counter::ShellCounter;
use crate::error::{EXIT_STORE, ServeError};
use crate::handle::OwnerHandle;
use crate::log;
use crate::mailbox::{Receiver, Sender};
use crate::shared::{BATCHES, Chunk, Shared, Spent, Work};
use engine::{Batch, Destination, Position};
use nix::errno::Errno;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use store::{AppendError, Disk, Health, RecordsRef, SnapshotError, Store, SyncFailed};

/// How long the journal waits before it tries a full disk again.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// How long the journal waits for work before it takes the next piece off a file that a snapshot replaced.
const NEXT_PIECE: Duration = Duration::from_millis(5);

/// How long after one snapshot began the next one does at the earliest, whatever became of it.
const NEXT_SNAPSHOT: Duration = Duration::from_mins(1);

/// Most bytes of records in one append: a batch with more is written in pieces, each whole records. Half of the
/// smallest segment that a configuration can ask for.
const PIECE: usize = 512 << 10;

/// Where released replies go.
pub(crate) trait Outlet {
    /// Takes one reply; it leaves at [`Outlet::flush`] at the latest.
    fn add(&mut self, destination: &Destination, bytes: &[u8]);

    /// Sends all that waits.
    fn flush(&mut self);

    /// Why sending failed since the last time, if it did.
    fn take_error(&mut self) -> Option<Errno>;
}

/// Owns the store.
pub(crate) struct Journal<D: Disk, O: Outlet> {
    store: Store<D>,
    outlet: O,
    work: Receiver<Work>,
    spent: Sender<Spent>,
    owner: OwnerHandle,
    shared: Arc<Shared>,
    /// Batches that one sync covers.
    group: Vec<Batch>,
    /// What is to be done after the group.
    then: Option<Work>,
    snapshot_after: Option<Instant>,
    next_attempt: Instant,
}

impl<D: Disk, O: Outlet> Journal<D, O> {
    pub(crate) fn new(
        store: Store<D>,
        outlet: O,
        work: Receiver<Work>,
        spent: Sender<Spent>,
        owner: OwnerHandle,
        shared: Arc<Shared>,
    ) -> Journal<D, O> {
        Journal {
            store,
            outlet,
            work,
            spent,
            owner,
            shared,
            group: Vec::with_capacity(BATCHES),
            then: None,
            snapshot_after: None,
            next_attempt: Instant::now(),
        }
    }

    /// Works until the owner has ended, and everything it said is stable and released.
    ///
    /// # Errors
    /// When the disk took no more until the end.
    pub(crate) fn run(mut self) -> Result<(), ServeError> {
        loop {
            self.gather();
            if !self.group.is_empty() {
                self.write_group()?;
            }
            match self.then.take() {
                Some(Work::Stop) => return Ok(()),
                Some(Work::BeginSnapshot) => self.begin_snapshot(),
                Some(Work::Chunk(chunk)) => self.snapshot_chunk(chunk),
                Some(Work::Batch(_)) | None => {}
            }
            self.maintain();
        }
    }

    /// Waits for work, and takes all that is there up to the next thing that is no batch.
    fn gather(&mut self) {
        let patience = match self.store.health() {
            Health::Ok if self.store.has_unfilled() => Some(Duration::ZERO),
            Health::Ok if self.store.has_replaced() => Some(NEXT_PIECE),
            Health::Ok => None,
            _ => Some(TRY_AGAIN),
        };
        let next = match patience {
            None => self.work.recv().map(Some),
            Some(patience) => self.work.recv_within(patience),
        };
        let mut next = next.unwrap_or(Some(Work::Stop));
        while let Some(work) = next {
            match work {
                Work::Batch(batch) => self.group.push(batch),
                other => {
                    self.then = Some(other);
                    return;
                }
            }
            next = self.work.try_recv();
        }
    }

    fn write_group(&mut self) -> Result<(), ServeError> {
        // What rests on nothing, or on what is stable already, need not wait.
        self.release(self.shared.stable(), false);
        for index in 0..self.group.len() {
            self.append(index)?;
        }
        self.sync();
        self.release(self.shared.stable(), true);
        self.shared.counters.add(ShellCounter::Batches, self.group.len() as u64);
        // What is for partners leaves by the owner, which may be asleep.
        let mut wakes = false;
        for batch in self.group.drain(..) {
            wakes |= batch.is_for_partners();
            // The owner ends only after the journal, or with the process.
            let _ = self.spent.send(Spent::Batch(batch));
        }
        if self.shared.owner_waits.swap(false, Ordering::SeqCst) || wakes {
            self.owner.wake();
        }
        Ok(())
    }

    /// Appends one batch of the group; waits as long as the disk takes nothing.
    fn append(&mut self, index: usize) -> Result<(), ServeError> {
        let mut done = 0;
        loop {
            let Err(error) = append_from(&mut self.store, &self.group[index], &mut done) else {
                let (_, count, _) = self.group[index].records();
                self.shared.counters.add(ShellCounter::Records, u64::from(count));
                return Ok(());
            };
            self.shared.counters.count(ShellCounter::AppendFailures);
            match error {
                AppendError::NoSpace(error) | AppendError::Disk(error) => {
                    self.tell_health(true);
                    log::append_failed(&error.message);
                    if self.shared.stopping.load(Ordering::Acquire) {
                        return Err(ServeError::Unwritten(error.to_string()));
                    }
                    // What was written before goes its way; then the same once more.
                    self.sync();
                    self.release(self.shared.stable(), true);
                    std::thread::sleep(TRY_AGAIN);
                    self.store.maintain();
                    self.end_if_poisoned();
                }
                fatal => end("a batch could not be appended", &fatal.to_string()),
            }
        }
    }

    fn sync(&mut self) {
        if self.store.next_position() == self.store.stable_position() {
            return;
        }
        let before = Instant::now();
        match self.store.sync() {
            Ok(stable) => self.shared.set_stable(Position(stable.0)),
            Err(failed) => end_by(&failed),
        }
        let micros = u64::try_from(before.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.shared.counters.count(ShellCounter::Syncs);
        self.shared.counters.add(ShellCounter::SyncMicros, micros);
    }

    /// Sends what of the group may leave.
    fn release(&mut self, stable: Position, after_sync: bool) {
        if self.group.iter().all(|batch| batch.waiting() == 0) {
            return;
        }
        let now = match self.shared.now() {
            Ok(now) => now,
            Err(error) => end("the clock cannot be read", error.desc()),
        };
        let counters = Arc::clone(&self.shared.counters);
        for batch in &mut self.group {
            let released =
                batch.release(stable, now, |destination, bytes| self.outlet.add(destination, bytes));
            counters.add(ShellCounter::RepliesTooOld, released.too_old as u64);
            if after_sync {
                counters.add(ShellCounter::RepliesAfterSync, released.sent as u64);
            }
        }
        self.outlet.flush();
        if let Some(error) = self.outlet.take_error() {
            log::send_failed(error);
        }
    }

    /// What can be done when nothing waits; and a little of what must be done some time.
    fn maintain(&mut self) {
        self.store.shrink_replaced();
        self.store.fill();
        self.end_if_poisoned();
        if self.store.health() != Health::Ok {
            if self.next_attempt > Instant::now() {
                return self.tell_health(false);
            }
            self.next_attempt = Instant::now() + TRY_AGAIN;
        }
        if self.work.is_empty() || self.store.health() != Health::Ok {
            self.store.maintain();
            self.end_if_poisoned();
        }
        self.tell_health(false);
        if self.store.wants_snapshot() && self.snapshot_after.is_none_or(|at| at <= Instant::now()) {
            self.snapshot_after = Some(Instant::now() + NEXT_SNAPSHOT);
            self.shared.snapshot_wanted.store(true, Ordering::Release);
            self.owner.wake();
        }
    }

    /// Tells the owner what the store can take, when that is news. `full` overrules the store.
    fn tell_health(&mut self, full: bool) {
        let reserve_only = full || self.store.health() != Health::Ok;
        if self.shared.set_reserve_only(reserve_only) {
            self.owner.wake();
        }
    }

    fn begin_snapshot(&mut self) {
        if let Err(error) = self.store.begin_snapshot() {
            self.snapshot_failed(error);
        }
    }

    fn snapshot_chunk(&mut self, mut chunk: Chunk) {
        let records = RecordsRef { count: chunk.count, bytes: &chunk.bytes };
        let mut result = self.store.snapshot_chunk(records);
        if result.is_ok() && chunk.is_last {
            result = self.store.finish_snapshot();
            self.shared.set_stable(Position(self.store.stable_position().0));
        }
        let went_well = result.is_ok();
        match result {
            Ok(()) if chunk.is_last => self.shared.counters.count(ShellCounter::Snapshots),
            Ok(()) => {}
            Err(error) => self.snapshot_failed(error),
        }
        chunk.bytes.clear();
        let _ = self.spent.send(Spent::Chunk(chunk, went_well));
        self.owner.wake();
    }

    fn snapshot_failed(&mut self, error: SnapshotError) {
        match error {
            SnapshotError::Poisoned(failed) => end_by(&failed),
            // The chunk after a snapshot that could not begin.
            SnapshotError::NotBegun => {}
            error => {
                self.shared.counters.count(ShellCounter::SnapshotsFailed);
                log::snapshot_failed(&error.to_string());
            }
        }
    }

    fn end_if_poisoned(&mut self) {
        if self.store.health() == Health::Poisoned
            && let Err(failed) = self.store.sync()
        {
            end_by(&failed);
        }
    }
}

/// Appends what of the batch is not appended yet: `done` counts its records that are.
fn append_from<D: Disk>(store: &mut Store<D>, batch: &Batch, done: &mut u32) -> Result<(), AppendError> {
    let (first, count, bytes) = batch.records();
    if *done == 0 && bytes.len() <= PIECE {
        store.append(store::Position(first.0), RecordsRef { count, bytes })?;
        *done = count;
        return Ok(());
    }
    let mut rest = bytes;
    for _ in 0..*done {
        rest = split_record(rest).1;
    }
    while *done < count {
        let (mut piece, mut length) = (0, 0);
        while let (record, after) = split_record(&rest[length..])
            && !record.is_empty()
            && (piece == 0 || length + record.len() <= PIECE)
        {
            (piece, length) = (piece + 1, rest.len() - after.len());
        }
        if piece == 0 {
            return Err(AppendError::Malformed);
        }
        let records = RecordsRef { count: piece, bytes: &rest[..length] };
        store.append(store::Position(first.0 + u64::from(*done)), records)?;
        *done += piece;
        rest = &rest[length..];
    }
    Ok(())
}

/// The first record with its length, and what comes after; nothing where there is no whole record.
fn split_record(bytes: &[u8]) -> (&[u8], &[u8]) {
    let length =
        bytes.first_chunk::<4>().and_then(|length| usize::try_from(u32::from_le_bytes(*length)).ok());
    let end = length.and_then(|length| length.checked_add(4));
    end.and_then(|end| bytes.split_at_checked(end)).unwrap_or((&[], bytes))
}

fn end_by(failed: &SyncFailed) -> ! {
    end("a sync failed", &failed.to_string())
}

/// The end of the process, at once: nothing more leaves it.
fn end(what: &str, why: &str) -> ! {
    log::fatal(what, why);
    std::process::exit(EXIT_STORE)
}
