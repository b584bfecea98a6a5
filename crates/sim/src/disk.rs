//! A disk that crashes at any call, tears, loses, fills, stalls and lies.
//!
//! *Lives here:* [`VirtualDisk`], and what happens to it.
//! *May know:* `store::Disk`.
//! *Must not know:* what the files mean.
//!
//! Sectors of 512 bytes are written whole or not at all. What was written is *dirty* until a sync of its file; after a
//! power cut each dirty sector, each changed length and each changed name has survived or not, by itself. A sync that
//! fails has lost the dirty sectors for good, and reads still show them until the machine restarts.

use crate::random::Random;
use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use store::{Disk, DiskError, DiskErrorKind};

const SECTOR: usize = 512;

/// How many writes are remembered for [`VirtualDisk::is_stable`]: more than an owner can hand over while one sync lasts, and what the
/// store writes of itself between.
const REMEMBERED: usize = 4 * super::server::BATCHES;

/// A handle: clones are the same disk.
#[derive(Debug, Clone)]
pub(crate) struct VirtualDisk(Rc<RefCell<State>>);

#[derive(Debug, Clone)]
struct State {
    files: BTreeMap<u64, Content>,
    next_file: u64,
    seen_names: BTreeMap<String, u64>,
    stable_names: BTreeMap<String, u64>,
    random: Random,
    calls: u64,
    faults: DiskFaults,
    crashed: bool,
    recent: VecDeque<(u64, usize, usize)>,
    tally: DiskTally,
}

/// One file: what a reader sees, and what would be there after a power cut.
#[derive(Debug, Clone, Default)]
struct Content {
    seen: Vec<u8>,
    stable: Vec<u8>,
    dirty: BTreeSet<usize>,
    /// The length, or a sector that was never written, is not stable.
    resized: bool,
}

/// What is about to go wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DiskFaults {
    /// The process dies in the middle of the call that comes after so many.
    pub(crate) crash_after: Option<u64>,
    /// The sync that comes after so many fails, and its pages are lost.
    pub(crate) fail_sync_after: Option<u64>,
    /// The write that comes after so many fails.
    pub(crate) fail_write_after: Option<u64>,
    /// Bytes that all files together may have.
    pub(crate) space: Option<u64>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DiskTally {
    pub(crate) failed_syncs: u64,
    pub(crate) failed_writes: u64,
    pub(crate) full: u64,
}

impl VirtualDisk {
    pub(crate) fn new(random: Random) -> VirtualDisk {
        VirtualDisk(Rc::new(RefCell::new(State {
            files: BTreeMap::new(),
            next_file: 0,
            seen_names: BTreeMap::new(),
            stable_names: BTreeMap::new(),
            random,
            calls: 0,
            faults: DiskFaults::default(),
            crashed: false,
            recent: VecDeque::new(),
            tally: DiskTally::default(),
        })))
    }

    /// Another disk with the same content as seen now, and without faults.
    pub(crate) fn copy(&self) -> VirtualDisk {
        let mut state = self.state().clone();
        (state.faults, state.crashed) = (DiskFaults::default(), false);
        VirtualDisk(Rc::new(RefCell::new(state)))
    }

    pub(crate) fn set_faults(&self, change: impl FnOnce(&mut DiskFaults)) {
        change(&mut self.state_mut().faults);
    }

    /// Whether the process has died in one of its calls.
    pub(crate) fn crashed(&self) -> bool {
        self.state().crashed
    }

    pub(crate) fn tally(&self) -> DiskTally {
        self.state().tally
    }

    /// Bytes that are in use.
    pub(crate) fn used(&self) -> u64 {
        self.state().used()
    }

    /// How many files there are.
    pub(crate) fn file_count(&self) -> usize {
        self.state().seen_names.len()
    }

    /// Whether these bytes, written lately in one piece, would be there after the worst power cut.
    pub(crate) fn is_stable(&self, bytes: &[u8]) -> bool {
        let state = self.state();
        state.recent.iter().rev().any(|(file, from, to)| {
            let named = state.stable_names.values().any(|named| named == file);
            let content = state.files.get(file).map_or(&[][..], |content| &content.stable);
            let here = content.get(*from..*to).unwrap_or(&[]);
            named && here.windows(bytes.len().max(1)).any(|window| window == bytes)
        })
    }

    /// The process is gone; the kernel lives, and nothing that was written is lost.
    pub(crate) fn process_died(&self) {
        let mut state = self.state_mut();
        let space = state.faults.space;
        state.faults = DiskFaults { space, ..DiskFaults::default() };
        state.crashed = false;
    }

    /// The power was cut: what was not synced survives or not, piece by piece.
    pub(crate) fn power_cut(&self) {
        self.process_died();
        let mut state = self.state_mut();
        let State { files, seen_names, stable_names, random, .. } = &mut *state;
        // In some cuts the disk had written nearly everything, in others next to nothing.
        let survival = random.pick(&[0, 100, 500, 500, 900, 1000]);
        for content in files.values_mut() {
            content.lose(random, survival);
        }
        let names: BTreeSet<String> = seen_names.keys().chain(stable_names.keys()).cloned().collect();
        for name in names.iter().filter(|_| random.chance(survival)) {
            match seen_names.get(name) {
                Some(file) => stable_names.insert(name.clone(), *file),
                None => stable_names.remove(name),
            };
        }
        seen_names.clone_from(stable_names);
        state.forget_unnamed();
    }

    fn state(&self) -> Ref<'_, State> {
        self.0.borrow()
    }

    fn state_mut(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }
}

impl Content {
    fn lose(&mut self, random: &mut Random, survival: u64) {
        let length =
            if self.resized && !random.chance(survival) { self.stable.len() } else { self.seen.len() };
        self.stable.resize(length, 0);
        for sector in std::mem::take(&mut self.dirty) {
            if random.chance(survival) {
                self.settle(sector);
            }
        }
        self.seen.clone_from(&self.stable);
        self.resized = false;
    }

    /// Makes a sector stable, as far as both lengths reach.
    fn settle(&mut self, sector: usize) {
        let from = sector * SECTOR;
        let to = (from + SECTOR).min(self.seen.len()).min(self.stable.len());
        if from < to {
            self.stable[from..to].copy_from_slice(&self.seen[from..to]);
        }
    }

    fn sync(&mut self) {
        self.stable.resize(self.seen.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            self.settle(sector);
        }
        self.resized = false;
    }
}

impl State {
    /// Counts a call; says whether the process dies in it.
    fn call(&mut self) -> Result<(), DiskError> {
        self.calls += 1;
        if self.crashed || counted_down(&mut self.faults.crash_after) {
            self.crashed = true;
            return Err(DiskError::new(DiskErrorKind::Io, "the process died in this call"));
        }
        Ok(())
    }

    fn at(&self, name: &str) -> Result<u64, DiskError> {
        self.seen_names.get(name).copied().ok_or_else(|| DiskError::new(DiskErrorKind::NotFound, name))
    }

    fn content(&mut self, name: &str) -> Result<(u64, &mut Content), DiskError> {
        let file = self.at(name)?;
        match self.files.get_mut(&file) {
            Some(content) => Ok((file, content)),
            None => Err(DiskError::new(DiskErrorKind::NotFound, name)),
        }
    }

    fn used(&self) -> u64 {
        let files = self.seen_names.values().filter_map(|file| self.files.get(file));
        files.map(|content| content.seen.len() as u64).sum()
    }

    fn room_for(&mut self, more: u64) -> Result<(), DiskError> {
        if more > 0 && self.faults.space.is_some_and(|space| self.used() + more > space) {
            self.tally.full += 1;
            return Err(DiskError::new(DiskErrorKind::NoSpace, "no space left on the disk"));
        }
        Ok(())
    }

    fn forget_unnamed(&mut self) {
        let State { files, seen_names, stable_names, .. } = self;
        files.retain(|file, _| seen_names.values().chain(stable_names.values()).any(|named| named == file));
    }
}

/// Counts down; yes when it was at zero, and then never again.
fn counted_down(left: &mut Option<u64>) -> bool {
    match left {
        Some(0) => {
            *left = None;
            true
        }
        Some(more) => {
            *more -= 1;
            false
        }
        None => false,
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

impl Disk for VirtualDisk {
    fn lock(&mut self) -> Result<(), DiskError> {
        self.state_mut().call()
    }

    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        let mut state = self.state_mut();
        state.call()?;
        Ok(state.seen_names.keys().cloned().collect())
    }

    fn create(&mut self, name: &str, preallocate: u64) -> Result<(), DiskError> {
        let mut state = self.state_mut();
        state.call()?;
        let full = state.room_for(preallocate);
        // When there is no room an empty file may remain.
        let length = if full.is_ok() { size(preallocate) } else { 0 };
        let number = state.next_file;
        state.next_file += 1;
        let content = Content { seen: vec![0; length], resized: true, ..Content::default() };
        state.files.insert(number, content);
        state.seen_names.insert(name.to_owned(), number);
        state.forget_unnamed();
        full
    }

    fn length(&mut self, name: &str) -> Result<u64, DiskError> {
        let mut state = self.state_mut();
        state.call()?;
        Ok(state.content(name)?.1.seen.len() as u64)
    }

    fn read(&mut self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let mut state = self.state_mut();
        state.call()?;
        let bytes = &state.content(name)?.1.seen;
        let from = size(offset).min(bytes.len());
        let count = buffer.len().min(bytes.len() - from);
        buffer[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let mut state = self.state_mut();
        let mut result = state.call();
        if result.is_ok() && counted_down(&mut state.faults.fail_write_after) {
            state.tally.failed_writes += 1;
            result = Err(DiskError::new(DiskErrorKind::Io, "write error"));
        }
        let from = size(offset);
        let length = state.content(name)?.1.seen.len();
        if result.is_ok() {
            state.room_for((from + bytes.len()).saturating_sub(length) as u64)?;
        }
        // A write that fails, or in which the process dies, gets to some place within.
        let reach =
            if result.is_ok() { bytes.len() } else { size(state.random.below(bytes.len() as u64 + 1)) };
        let end = from + reach;
        let (file, content) = state.content(name)?;
        if content.seen.len() < end {
            content.seen.resize(end, 0);
            content.resized = true;
        }
        content.seen[from..end].copy_from_slice(&bytes[..reach]);
        if reach > 0 {
            content.dirty.extend(from / SECTOR..=(end - 1) / SECTOR);
        }
        state.recent.push_back((file, from, end));
        if state.recent.len() > REMEMBERED {
            state.recent.pop_front();
        }
        result
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        let mut state = self.state_mut();
        state.call()?;
        let fails = counted_down(&mut state.faults.fail_sync_after);
        let (_, content) = state.content(name)?;
        if fails {
            // The kernel drops what is dirty, calls it clean, and goes on showing it.
            content.dirty.clear();
            state.tally.failed_syncs += 1;
            return Err(DiskError::new(DiskErrorKind::Io, "sync error"));
        }
        content.sync();
        Ok(())
    }

    fn truncate(&mut self, name: &str, length: u64) -> Result<(), DiskError> {
        let mut state = self.state_mut();
        state.call()?;
        let (_, content) = state.content(name)?;
        content.seen.truncate(size(length));
        content.resized = true;
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let mut state = self.state_mut();
        state.call()?;
        let file = state.at(from)?;
        state.seen_names.remove(from);
        state.seen_names.insert(to.to_owned(), file);
        state.forget_unnamed();
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        let mut state = self.state_mut();
        state.call()?;
        state.at(name)?;
        state.seen_names.remove(name);
        state.forget_unnamed();
        Ok(())
    }

    fn sync_folder(&mut self) -> Result<(), DiskError> {
        let mut state = self.state_mut();
        state.call()?;
        let fails = counted_down(&mut state.faults.fail_sync_after);
        if fails {
            state.tally.failed_syncs += 1;
            return Err(DiskError::new(DiskErrorKind::Io, "sync error"));
        }
        state.stable_names = state.seen_names.clone();
        state.forget_unnamed();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(seed: u64) -> VirtualDisk {
        let mut disk = VirtualDisk::new(Random::new(seed));
        disk.create("log", 2048).unwrap();
        disk.sync("log").unwrap();
        disk.sync_folder().unwrap();
        disk
    }

    fn bytes(disk: &mut VirtualDisk) -> Vec<u8> {
        let mut bytes = vec![9; 2048];
        let count = disk.read("log", 0, &mut bytes).unwrap();
        bytes.truncate(count);
        bytes
    }

    #[test]
    fn a_power_cut_loses_sectors_one_by_one_and_nothing_that_was_synced() {
        let (mut torn, mut whole) = (0, 0);
        for seed in 0..200 {
            let mut disk = disk(seed);
            disk.write("log", 0, &[1; 512]).unwrap();
            disk.sync("log").unwrap();
            disk.write("log", 512, &[2; 1024]).unwrap();
            assert!(disk.is_stable(&[1; 512]) && !disk.is_stable(&[2; 1024]));
            disk.power_cut();
            let after = bytes(&mut disk);
            assert_eq!(after[..512], [1; 512]);
            let sectors = [after[512..1024] == [2; 512], after[1024..1536] == [2; 512]];
            torn += u32::from(sectors[0] != sectors[1]);
            whole += u32::from(sectors == [true; 2]);
            assert!(after[512..1536].chunks(512).all(|sector| sector == [2; 512] || sector == [0; 512]));
        }
        assert!(torn > 20 && whole > 20, "{torn} torn, {whole} whole");
    }

    #[test]
    fn a_failed_sync_has_lost_its_pages_for_good() {
        let mut disk = disk(1);
        disk.write("log", 0, &[1; 512]).unwrap();
        disk.set_faults(|faults| faults.fail_sync_after = Some(0));
        assert!(disk.sync("log").is_err());
        assert!(disk.sync("log").is_ok(), "the next one says yes");
        assert_eq!(bytes(&mut disk)[..512], [1; 512], "and reads show it");
        disk.power_cut();
        assert_eq!(bytes(&mut disk)[..512], [0; 512]);
    }

    #[test]
    fn a_name_is_lost_without_a_sync_of_the_folder() {
        let outcomes: BTreeSet<bool> = (0..50)
            .map(|seed| {
                let mut disk = disk(seed);
                disk.rename("log", "snapshot").unwrap();
                disk.power_cut();
                disk.list().unwrap().contains(&"snapshot".to_owned())
            })
            .collect();
        assert_eq!(outcomes.len(), 2);
    }

    #[test]
    fn a_full_disk_takes_what_was_set_aside_and_no_more() {
        let mut disk = disk(1);
        let space = disk.used();
        disk.set_faults(|faults| faults.space = Some(space));
        assert!(disk.write("log", 1024, &[1; 1024]).is_ok());
        assert_eq!(disk.write("log", 2000, &[1; 100]).unwrap_err().kind, DiskErrorKind::NoSpace);
        assert_eq!(disk.create("more", 10).unwrap_err().kind, DiskErrorKind::NoSpace);
        disk.set_faults(|faults| faults.space = None);
        assert!(disk.create("more", 10).is_ok());
    }

    #[test]
    fn the_process_dies_in_the_call_that_was_chosen_and_in_each_after_it() {
        let mut disk = disk(1);
        disk.set_faults(|faults| faults.crash_after = Some(1));
        assert!(disk.length("log").is_ok());
        assert!(disk.length("log").is_err() && disk.crashed() && disk.list().is_err());
        disk.process_died();
        assert!(disk.length("log").is_ok());
    }
}
