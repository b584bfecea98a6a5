//! The real store beneath a script, and a crash in each call that it makes to its disk.
//!
//! *Lives here:* [`Stored`], in the order of the shell: append, sync, let go; then house-keeping and pieces of a snapshot.
//! *May know:* the store, and what a script's server said.
//! *Must not know:* what the script is about.
//!
//! The call is not made to fail: what would be there if the process had died in it is kept, and looked at when the call is over. So one
//! pass through a script has a crash at every n.

use super::disk::{Files, ForkingDisk};
use super::script::claim::Claim;
use super::script::crash::{Start, same};
use super::script::ground::Ground;
use super::script::log::Log;
use super::script::words::Outcome;
use engine::{Batch, Engine, SnapshotCursor};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use store::{Options, Planted, Position, RecordsRef, Store};

/// Of batches that say nothing but that time has passed, and of snapshots that begin then, one of so many is looked at.
const SAME: u64 = 100;

/// What is wrong on purpose.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bugs {
    /// What was decided is let go first, and stored then.
    pub answers_first: bool,
    pub store: Planted,
}

/// How much was done.
#[derive(Debug, Default)]
pub struct Tally {
    pub calls: u64,
    pub kills: u64,
    pub cuts: u64,
    /// Crashes after which what was appended, and not vouched for, was there.
    pub more_than_vouched: u64,
    /// Crashes after which the records came from a snapshot.
    pub from_snapshot: u64,
    /// Crashes in which something was torn.
    pub torn: u64,
    pub claims: u64,
    /// Snapshots that were looked at.
    pub snapshots: u64,
    /// Batches without news, and snapshots begun then, that were not looked at.
    pub left_out: u64,
}

/// What would be there after a crash, and what must be.
struct Fork {
    files: Files,
    /// Called stable by a sync or a start.
    vouched: u64,
    appended: u64,
    /// So many records what was said outside needs.
    needed: u64,
    needed_by: String,
}

pub struct Stored {
    disk: ForkingDisk,
    bugs: Bugs,
    store: Option<Store<ForkingDisk>>,
    tally: Rc<RefCell<Tally>>,
    looks: bool,
    /// Put there before the server starts.
    put: Vec<Vec<u8>>,
    /// All records before the present batch, and those of it.
    before: Log,
    batch: Vec<Vec<u8>>,
    frames: Vec<u8>,
    needed: u64,
    needed_by: String,
    forks: Vec<Fork>,
    snapshot: Option<SnapshotCursor>,
    /// Whether the snapshot under way is looked at.
    looks_at_snapshot: bool,
    quiet_batches: u64,
    quiet_snapshots: u64,
}

impl Stored {
    pub fn new(bugs: Bugs, tally: Rc<RefCell<Tally>>) -> Stored {
        Stored {
            disk: ForkingDisk::default(),
            bugs,
            store: None,
            tally,
            looks: false,
            put: Vec::new(),
            before: Log::default(),
            batch: Vec::new(),
            frames: Vec::new(),
            needed: 0,
            needed_by: String::new(),
            forks: Vec::new(),
            snapshot: None,
            looks_at_snapshot: false,
            quiet_batches: 0,
            quiet_snapshots: 0,
        }
    }

    fn options(&self) -> Options {
        Options {
            segment_size: 4096,
            snapshot_at_least: 1500,
            snapshot_sync_every: 256,
            planted: self.bugs.store,
        }
    }

    /// Opens the store on a disk; the store, and all its records.
    fn opened(&self, disk: ForkingDisk) -> Outcome<(Store<ForkingDisk>, Vec<Vec<u8>>)> {
        let mut found = Vec::new();
        let opened = Store::open(disk, self.options(), [7; 16], &mut |record| {
            found.push(record.to_vec());
            Ok(())
        });
        let store = opened.map_err(|error| format!("a start is refused: {error}"))?;
        Ok((store, found))
    }

    /// Keeps what a crash in each call since then would have left.
    fn collect(&mut self, vouched: u64) {
        let (calls, forks) = self.disk.take_forks();
        self.tally.borrow_mut().calls += calls;
        let appended = self.before.count + self.batch.len() as u64;
        let (needed, needed_by) = (self.needed, self.needed_by.clone());
        self.forks.extend(forks.into_iter().map(|files| Fork {
            files,
            vouched,
            appended,
            needed,
            needed_by: needed_by.clone(),
        }));
    }

    /// The records up to this position.
    fn up_to(&self, position: u64) -> Outcome<Log> {
        let mut log = self.before.clone();
        let more = usize::try_from(position - self.before.count).map_err(|error| error.to_string())?;
        for record in &self.batch[..more] {
            log.append(record.clone())?;
        }
        Ok(log)
    }

    /// Lets each crash happen that was kept.
    fn crash(&mut self, start: &Start<'_>) -> Outcome<()> {
        let mut should_be = BTreeMap::new();
        for fork in std::mem::take(&mut self.forks) {
            self.tally.borrow_mut().kills += 1;
            let disk = self.recovers(&fork, fork.files.clone(), start, &mut should_be)?;
            // What the start vouched for is there after a power cut right behind it.
            let worst = disk.files().cuts().into_iter().next();
            if let Some(files) = worst {
                self.tally.borrow_mut().cuts += 1;
                self.recovers(&fork, files, start, &mut should_be)?;
            }
            for files in fork.files.cuts() {
                self.tally.borrow_mut().cuts += 1;
                self.recovers(&fork, files, start, &mut should_be)?;
            }
        }
        Ok(())
    }

    /// A start on what is left: it is accepted, has all that was vouched for and all that was said, and is the server that these records
    /// make.
    fn recovers(
        &self,
        fork: &Fork,
        files: Files,
        start: &Start<'_>,
        should_be: &mut BTreeMap<u64, Engine>,
    ) -> Outcome<ForkingDisk> {
        let disk = ForkingDisk::of(files);
        let (store, found) = self.opened(disk.clone())?;
        let end = store.next_position().0;
        let Fork { vouched, appended, needed, needed_by, .. } = fork;
        if end < *needed {
            return Err(format!("{needed_by} was said, rests on record {needed}, and {end} are left"));
        }
        if end < *vouched || end > *appended {
            return Err(format!("{vouched} records were vouched for, {appended} appended, {end} are left"));
        }
        if store.stable_position() != store.next_position() {
            return Err("a start vouches for less than it has".to_owned());
        }
        let mut tally = self.tally.borrow_mut();
        tally.more_than_vouched += u64::from(end > *vouched);
        tally.from_snapshot += u64::from(store.opened().snapshot_records > 0);
        tally.torn += u64::from(store.opened().torn_bytes > 0);
        if let std::collections::btree_map::Entry::Vacant(vacant) = should_be.entry(end) {
            vacant.insert(start.rebuilt(&self.up_to(end)?.records)?);
        }
        same("what was recorded and what is left", &should_be[&end], &start.rebuilt(&found)?)?;
        Ok(disk)
    }

    fn store(&mut self) -> Outcome<&mut Store<ForkingDisk>> {
        self.store.as_mut().ok_or_else(|| "no process runs".to_owned())
    }

    fn append_and_sync(&mut self) -> Outcome<()> {
        let first = Position(self.before.count);
        let count = u32::try_from(self.batch.len()).map_err(|error| error.to_string())?;
        let frames = std::mem::take(&mut self.frames);
        let records = RecordsRef { count, bytes: &frames };
        let store = self.store()?;
        store.append(first, records).map_err(|error| error.to_string())?;
        store.sync().map_err(|error| error.to_string())?;
        self.collect(first.0);
        Ok(())
    }

    /// One piece of a snapshot, or the beginning of one.
    fn snapshot(&mut self, engine: &Engine, is_news: bool) -> Outcome<()> {
        let mut cursor = self.snapshot.take();
        let store = self.store.as_mut().ok_or("no process runs")?;
        let went = match &mut cursor {
            Some(cursor) => {
                let mut bytes = Vec::new();
                let (count, is_last) = engine.snapshot(cursor, 2, &mut bytes);
                let wrote = store.snapshot_chunk(RecordsRef { count, bytes: &bytes });
                if is_last {
                    wrote.and_then(|()| store.finish_snapshot()).map(|()| true)
                } else {
                    wrote.map(|()| false)
                }
            }
            None if store.wants_snapshot() => {
                cursor = Some(SnapshotCursor::default());
                self.looks_at_snapshot = is_news || one_of_the_same(&mut self.quiet_snapshots);
                let mut tally = self.tally.borrow_mut();
                let of = if self.looks_at_snapshot { &mut tally.snapshots } else { &mut tally.left_out };
                *of += u64::from(self.looks);
                store.begin_snapshot().map(|()| false)
            }
            None => Ok(true),
        };
        let is_over = went.map_err(|error| error.to_string())?;
        self.snapshot = cursor.filter(|_| !is_over);
        Ok(())
    }
}

impl Ground for Stored {
    fn look(&mut self, looks: bool) {
        self.looks = looks;
        self.disk.set_forking(looks);
    }

    fn put(&mut self, record: &[u8]) {
        self.put.push(record.to_vec());
    }

    fn replace(&mut self) {
        (self.store, self.snapshot) = (None, None);
        self.disk = ForkingDisk::default();
        self.disk.set_forking(self.looks);
        (self.before, self.needed) = (Log::default(), 0);
    }

    fn open(&mut self, start: &Start<'_>) -> Outcome<Vec<Vec<u8>>> {
        (self.store, self.snapshot) = (None, None);
        if !self.put.is_empty() {
            let (mut store, _) = self.opened(self.disk.clone())?;
            for record in std::mem::take(&mut self.put) {
                let mut records = store::Records::new();
                records.push(&record);
                let first = Position(self.before.count);
                store.append(first, records.as_ref()).map_err(|error| error.to_string())?;
                self.before.append(record)?;
            }
            store.sync().map_err(|error| error.to_string())?;
            let _ = self.disk.take_forks();
        }
        let (store, found) = self.opened(self.disk.clone())?;
        self.store = Some(store);
        self.collect(self.before.count);
        self.crash(start)?;
        Ok(found)
    }

    fn keep(&mut self, batch: &Batch, _: &Start<'_>) -> Outcome<()> {
        let (_, _, frames) = batch.records();
        self.frames = frames.to_vec();
        self.batch = super::common::records(frames);
        if self.bugs.answers_first { Ok(()) } else { self.append_and_sync() }
    }

    fn said(&mut self, claim: &Claim) {
        self.tally.borrow_mut().claims += 1;
        let end = self.before.count + self.batch.len() as u64;
        // The fewest records of which it is true.
        let fewest = (self.before.count..=end)
            .find(|position| self.up_to(*position).is_ok_and(|log| claim.holds(&log).is_ok()));
        if let Some(fewest) = fewest.filter(|fewest| *fewest > self.needed) {
            (self.needed, self.needed_by) = (fewest, format!("{claim:?}"));
        }
    }

    fn rest(&mut self, engine: &Engine, start: &Start<'_>, is_news: bool) -> Outcome<()> {
        if self.bugs.answers_first {
            self.append_and_sync()?;
        }
        if !self.batch.is_empty() && !is_news && !one_of_the_same(&mut self.quiet_batches) {
            self.tally.borrow_mut().left_out += u64::from(self.looks);
            self.forks.clear();
        }
        self.crash(start)?;
        for record in std::mem::take(&mut self.batch) {
            self.before.append(record)?;
        }
        self.store()?.maintain();
        self.snapshot(engine, is_news)?;
        self.collect(self.before.count);
        if !is_news && !self.looks_at_snapshot {
            self.forks.clear();
        }
        self.crash(start)
    }
}

/// Counts one more of the same sort; whether it is one of those that are looked at.
fn one_of_the_same(count: &mut u64) -> bool {
    *count += 1;
    *count % SAME == 1
}
