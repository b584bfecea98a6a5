//! A disk in memory that crashes, tears, loses, fills and lies.

#![allow(
    dead_code,
    clippy::expect_used,
    reason = "each test file uses its part of this, and a broken test may stop"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use store::{Disk, DiskError, DiskErrorKind};

const SECTOR: usize = 512;

/// One file: what a reader sees, and what would be there after a crash.
#[derive(Debug, Clone, Default)]
struct Content {
    seen: Vec<u8>,
    stable: Vec<u8>,
    /// Sectors that a sync would write.
    dirty: BTreeSet<usize>,
}

impl Content {
    fn sync(&mut self) {
        self.stable.resize(self.seen.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            let from = (sector * SECTOR).min(self.seen.len());
            let to = (from + SECTOR).min(self.seen.len());
            self.stable[from..to].copy_from_slice(&self.seen[from..to]);
        }
    }
}

#[derive(Debug, Default)]
pub struct State {
    files: Vec<Content>,
    seen_names: BTreeMap<String, usize>,
    stable_names: BTreeMap<String, usize>,
    pub calls: u64,
    /// The process dies at this call.
    pub crash_at: Option<u64>,
    /// This call of sync fails, and the pages are lost.
    pub fail_sync_at: Option<u64>,
    pub syncs: u64,
    /// Bytes that all files together may have.
    pub space: Option<u64>,
    pub crashed: bool,
    random: u64,
}

/// A handle: clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct TestDisk(pub Rc<RefCell<State>>);

impl TestDisk {
    pub fn new(seed: u64) -> TestDisk {
        let disk = TestDisk::default();
        disk.0.borrow_mut().random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        disk
    }

    /// Power is cut: of each file that was not synced any sectors survive, of the names any that changed.
    pub fn power_cut(&self) {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        for content in &mut state.files {
            let length = if next(&mut state.random).is_multiple_of(2) {
                content.seen.len()
            } else {
                content.stable.len()
            };
            let mut after = content.stable.clone();
            after.resize(length, 0);
            for sector in std::mem::take(&mut content.dirty) {
                let (at, end) = (sector * SECTOR, (sector * SECTOR + SECTOR).min(length));
                if at < end && content.seen.len() >= end && next(&mut state.random).is_multiple_of(2) {
                    after[at..end].copy_from_slice(&content.seen[at..end]);
                }
            }
            content.seen.clone_from(&after);
            content.stable = after;
        }
        let names: Vec<String> = state.seen_names.keys().chain(state.stable_names.keys()).cloned().collect();
        for name in names {
            if next(&mut state.random).is_multiple_of(2) {
                match state.seen_names.get(&name).copied() {
                    Some(file) => state.stable_names.insert(name, file),
                    None => state.stable_names.remove(&name),
                };
            }
        }
        state.seen_names = state.stable_names.clone();
        (state.crash_at, state.fail_sync_at, state.crashed) = (None, None, false);
    }

    /// The process dies, the kernel lives: nothing that was written is lost.
    pub fn process_dies(&self) {
        let mut state = self.0.borrow_mut();
        (state.crash_at, state.fail_sync_at, state.crashed) = (None, None, false);
    }

    /// Turns one bit of a file.
    pub fn flip(&self, name: &str, byte: usize) {
        let mut state = self.0.borrow_mut();
        let file = state.seen_names[name];
        state.files[file].seen[byte] ^= 0x10;
        state.files[file].stable[byte] ^= 0x10;
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.0.borrow();
        state.files[state.seen_names[name]].seen.clone()
    }

    pub fn names(&self) -> Vec<String> {
        self.0.borrow().seen_names.keys().cloned().collect()
    }

    fn call(&self) -> Result<(), DiskError> {
        let mut state = self.0.borrow_mut();
        state.calls += 1;
        if state.crashed || state.crash_at == Some(state.calls) {
            state.crashed = true;
            return Err(DiskError::new(DiskErrorKind::Io, "crashed"));
        }
        Ok(())
    }
}

fn next(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random >> 8
}

impl State {
    fn at(&self, name: &str) -> Result<usize, DiskError> {
        self.seen_names.get(name).copied().ok_or_else(|| DiskError::new(DiskErrorKind::NotFound, name))
    }

    fn used(&self) -> u64 {
        self.seen_names.values().map(|file| self.files[*file].seen.len() as u64).sum()
    }

    fn room_for(&self, more: u64) -> Result<(), DiskError> {
        if more > 0 && self.space.is_some_and(|space| self.used() + more > space) {
            return Err(DiskError::new(DiskErrorKind::NoSpace, "full"));
        }
        Ok(())
    }
}

impl Disk for TestDisk {
    fn lock(&mut self) -> Result<(), DiskError> {
        self.call()
    }

    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        self.call()?;
        Ok(self.names())
    }

    fn create(&mut self, name: &str, preallocate: u64) -> Result<(), DiskError> {
        self.call()?;
        let mut state = self.0.borrow_mut();
        state.room_for(preallocate)?;
        let seen = vec![0; usize::try_from(preallocate).expect("small")];
        state.files.push(Content { seen, ..Content::default() });
        let file = state.files.len() - 1;
        state.seen_names.insert(name.to_owned(), file);
        Ok(())
    }

    fn length(&mut self, name: &str) -> Result<u64, DiskError> {
        self.call()?;
        let state = self.0.borrow();
        Ok(state.files[state.at(name)?].seen.len() as u64)
    }

    fn read(&mut self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        self.call()?;
        let state = self.0.borrow();
        let bytes = &state.files[state.at(name)?].seen;
        let from = usize::try_from(offset).expect("small").min(bytes.len());
        let count = buffer.len().min(bytes.len() - from);
        buffer[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let crash = self.call();
        let mut state = self.0.borrow_mut();
        let file = state.at(name)?;
        let from = usize::try_from(offset).expect("small");
        let end = from + bytes.len();
        let growth = end.saturating_sub(state.files[file].seen.len());
        state.room_for(growth as u64)?;
        let seen = &mut state.files[file].seen;
        if seen.len() < end {
            seen.resize(end, 0);
        }
        // A write that the crash interrupts gets as far as its middle.
        let reach = if crash.is_err() { bytes.len() / 2 } else { bytes.len() };
        seen[from..from + reach].copy_from_slice(&bytes[..reach]);
        if reach > 0 {
            state.files[file].dirty.extend(from / SECTOR..=(from + reach - 1) / SECTOR);
        }
        crash
    }

    fn fill(&mut self, name: &str, offset: u64, length: u64) -> Result<bool, DiskError> {
        let (from, count) =
            (usize::try_from(offset).expect("small"), usize::try_from(length).expect("small"));
        let is_new = self.bytes(name)[from..from + count].iter().all(|byte| *byte == 0);
        assert!(is_new, "{name} is filled where it was written to, from {offset} on");
        self.write(name, offset, &vec![0; count])?;
        self.sync(name)?;
        Ok(true)
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        self.call()?;
        let mut state = self.0.borrow_mut();
        let file = state.at(name)?;
        state.syncs += 1;
        if state.fail_sync_at == Some(state.syncs) {
            // The kernel drops the pages and shows them as clean: no later sync writes them.
            state.files[file].dirty.clear();
            return Err(DiskError::new(DiskErrorKind::Io, "sync failed"));
        }
        state.files[file].sync();
        Ok(())
    }

    fn truncate(&mut self, name: &str, length: u64) -> Result<(), DiskError> {
        self.call()?;
        let mut state = self.0.borrow_mut();
        let file = state.at(name)?;
        state.files[file].seen.truncate(usize::try_from(length).expect("small"));
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.call()?;
        let mut state = self.0.borrow_mut();
        let file = state.at(from)?;
        state.seen_names.remove(from);
        state.seen_names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.call()?;
        let mut state = self.0.borrow_mut();
        state.at(name)?;
        state.seen_names.remove(name);
        Ok(())
    }

    fn sync_folder(&mut self) -> Result<(), DiskError> {
        self.call()?;
        let mut state = self.0.borrow_mut();
        state.stable_names = state.seen_names.clone();
        Ok(())
    }
}
