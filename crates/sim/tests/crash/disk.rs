//! A disk that keeps what it would be after a crash in each of its calls.
//!
//! *Lives here:* [`ForkingDisk`], [`Files`], and all that a power cut may leave of them.
//! *May know:* `store::Disk`.
//! *Must not know:* what the files mean.
//!
//! A crash in a call that only reads is one before the next that changes something, so that only those are counted. Sectors of 512 bytes
//! are written whole or not at all; each dirty sector, each changed length and each changed name survives a power cut or does not.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use store::{Disk, DiskError, DiskErrorKind};

const SECTOR: usize = 512;

/// As many ways to survive are tried for one power cut; where there are no more, all.
const MOST_CUTS: u64 = 16;

/// One file: what a reader sees, and what has been synced.
#[derive(Debug, Clone, Default)]
struct Content {
    seen: Rc<Vec<u8>>,
    stable: Rc<Vec<u8>>,
    dirty: BTreeSet<usize>,
    resized: bool,
}

/// All files at one moment.
#[derive(Debug, Clone, Default)]
pub struct Files {
    contents: BTreeMap<u64, Content>,
    next: u64,
    seen: BTreeMap<String, u64>,
    stable: BTreeMap<String, u64>,
}

/// What a power cut may take or leave.
enum Doubt {
    Name(String),
    Length(u64),
    Sector(u64, usize),
}

impl Files {
    /// What may be there after the power was cut now: each combination of what was not synced, or some of many.
    pub fn cuts(&self) -> Vec<Files> {
        let doubts = self.doubts();
        if doubts.is_empty() {
            return Vec::new();
        }
        let all = 1_u64.checked_shl(u32::try_from(doubts.len()).unwrap_or(64)).unwrap_or(u64::MAX);
        let survivors: BTreeSet<u64> = if all <= MOST_CUTS {
            (0..all).collect()
        } else {
            let some = (1..MOST_CUTS - 1).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17));
            some.chain([0, u64::MAX]).collect()
        };
        survivors.into_iter().map(|bits| self.cut(&doubts, bits)).collect()
    }

    fn doubts(&self) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        for (number, content) in &self.contents {
            doubts.extend(content.resized.then_some(Doubt::Length(*number)));
            doubts.extend(content.dirty.iter().map(|sector| Doubt::Sector(*number, *sector)));
        }
        let names: BTreeSet<&String> = self.seen.keys().chain(self.stable.keys()).collect();
        let changed = names.into_iter().filter(|name| self.seen.get(*name) != self.stable.get(*name));
        doubts.extend(changed.map(|name| Doubt::Name(name.clone())));
        doubts
    }

    fn cut(&self, doubts: &[Doubt], bits: u64) -> Files {
        let mut after = self.clone();
        let mut survives: Vec<(&Doubt, bool)> =
            doubts.iter().zip(0..).map(|(doubt, at)| (doubt, bits >> (at % 64) & 1 == 1)).collect();
        // A sector beyond the length that survived is gone with it.
        survives.sort_by_key(|(doubt, _)| !matches!(doubt, Doubt::Length(_)));
        for (doubt, survives) in survives {
            match doubt {
                Doubt::Length(number) if survives => after.change(*number, |content| {
                    let length = content.seen.len();
                    Rc::make_mut(&mut content.stable).resize(length, 0);
                }),
                Doubt::Sector(number, sector) if survives => {
                    after.change(*number, |content| content.settle(*sector));
                }
                Doubt::Name(name) if survives => {
                    match self.seen.get(name) {
                        Some(number) => after.stable.insert(name.clone(), *number),
                        None => after.stable.remove(name),
                    };
                }
                _ => {}
            }
        }
        for content in after.contents.values_mut() {
            content.seen = Rc::clone(&content.stable);
            content.dirty.clear();
            content.resized = false;
        }
        after.seen.clone_from(&after.stable);
        after
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut Content)) {
        if let Some(content) = self.contents.get_mut(&number) {
            change(content);
        }
    }

    fn at(&self, name: &str) -> Result<u64, DiskError> {
        self.seen.get(name).copied().ok_or_else(|| DiskError::new(DiskErrorKind::NotFound, name))
    }

    fn write(&mut self, number: u64, from: usize, bytes: &[u8]) {
        self.change(number, |content| {
            let seen = Rc::make_mut(&mut content.seen);
            let end = from + bytes.len();
            if seen.len() < end {
                seen.resize(end, 0);
                content.resized = true;
            }
            seen[from..end].copy_from_slice(bytes);
            if !bytes.is_empty() {
                content.dirty.extend(from / SECTOR..=(end - 1) / SECTOR);
            }
        });
    }

    fn forget_unnamed(&mut self) {
        let Files { contents, seen, stable, .. } = self;
        contents.retain(|file, _| seen.values().chain(stable.values()).any(|named| named == file));
    }
}

impl Content {
    fn settle(&mut self, sector: usize) {
        let from = sector * SECTOR;
        let to = (from + SECTOR).min(self.seen.len()).min(self.stable.len());
        if from < to {
            Rc::make_mut(&mut self.stable)[from..to].copy_from_slice(&self.seen[from..to]);
        }
    }
}

#[derive(Debug, Default)]
struct State {
    files: Files,
    /// What there would be after a crash in each call since they were taken last.
    forks: Vec<Files>,
    is_forking: bool,
    calls: u64,
}

/// A handle: clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct ForkingDisk(Rc<RefCell<State>>);

impl ForkingDisk {
    /// A disk with these files, which does not fork.
    pub fn of(files: Files) -> ForkingDisk {
        ForkingDisk(Rc::new(RefCell::new(State { files, ..State::default() })))
    }

    pub fn files(&self) -> Files {
        self.0.borrow().files.clone()
    }

    /// Whether what a crash would leave is kept from now on.
    pub fn set_forking(&self, is_forking: bool) {
        self.0.borrow_mut().is_forking = is_forking;
    }

    /// How many calls changed something, and what a process that died in each would have left.
    pub fn take_forks(&self) -> (u64, Vec<Files>) {
        let mut state = self.0.borrow_mut();
        (std::mem::take(&mut state.calls), std::mem::take(&mut state.forks))
    }

    /// A call that changes something begins.
    fn change<T>(&self, change: impl FnOnce(&mut Files) -> T) -> T {
        let mut state = self.0.borrow_mut();
        if state.is_forking {
            state.calls += 1;
            let fork = state.files.clone();
            state.forks.push(fork);
        }
        change(&mut state.files)
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

impl Disk for ForkingDisk {
    fn lock(&mut self) -> Result<(), DiskError> {
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        Ok(self.0.borrow().files.seen.keys().cloned().collect())
    }

    fn create(&mut self, name: &str, preallocate: u64) -> Result<(), DiskError> {
        self.change(|files| {
            let content =
                Content { seen: Rc::new(vec![0; size(preallocate)]), resized: true, ..Content::default() };
            files.contents.insert(files.next, content);
            files.seen.insert(name.to_owned(), files.next);
            files.next += 1;
            files.forget_unnamed();
        });
        Ok(())
    }

    fn length(&mut self, name: &str) -> Result<u64, DiskError> {
        let state = self.0.borrow();
        let number = state.files.at(name)?;
        Ok(state.files.contents[&number].seen.len() as u64)
    }

    fn read(&mut self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let state = self.0.borrow();
        let bytes = &state.files.contents[&state.files.at(name)?].seen;
        let from = size(offset).min(bytes.len());
        let count = buffer.len().min(bytes.len() - from);
        buffer[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let number = self.0.borrow().files.at(name)?;
        let mut torn = Vec::new();
        self.change(|files| {
            // A write that a crash interrupts gets to some place within.
            for reach in [bytes.len() / 2, bytes.len() - 1] {
                let mut part = files.clone();
                part.write(number, size(offset), &bytes[..reach]);
                torn.push(part);
            }
            files.write(number, size(offset), bytes);
        });
        let mut state = self.0.borrow_mut();
        if state.is_forking {
            state.forks.extend(torn);
        }
        Ok(())
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        let number = self.0.borrow().files.at(name)?;
        self.change(|files| {
            files.change(number, |content| {
                content.stable = Rc::clone(&content.seen);
                content.dirty.clear();
                content.resized = false;
            });
        });
        Ok(())
    }

    fn truncate(&mut self, name: &str, length: u64) -> Result<(), DiskError> {
        let number = self.0.borrow().files.at(name)?;
        self.change(|files| {
            files.change(number, |content| {
                Rc::make_mut(&mut content.seen).truncate(size(length));
                content.resized = true;
            });
        });
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let number = self.0.borrow().files.at(from)?;
        self.change(|files| {
            files.seen.remove(from);
            files.seen.insert(to.to_owned(), number);
            files.forget_unnamed();
        });
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.0.borrow().files.at(name)?;
        self.change(|files| {
            files.seen.remove(name);
            files.forget_unnamed();
        });
        Ok(())
    }

    fn sync_folder(&mut self) -> Result<(), DiskError> {
        self.change(|files| {
            files.stable.clone_from(&files.seen);
            files.forget_unnamed();
        });
        Ok(())
    }
}
