//! A disk whose syncs take their time, and tell when they were.
//!
//! *Lives here:* [`SlowSync`], and [`never_sync`].
//! *Must not know:* who syncs.

use crate::build;
use std::fs;
use std::path::{Path, PathBuf};

/// The variables by which a program has no sync at all: what it writes outlives it, and no power cut. For one whose disk is not the
/// subject.
#[track_caller]
pub fn never_sync(folder: &Path) -> Vec<(&'static str, String)> {
    let library = folder.join("never_sync.so");
    build::compiled("slow_sync.c", &library, &["-shared", "-fPIC", "-pthread"]);
    vec![("LD_PRELOAD", library.display().to_string()), ("SLOW_SYNC_NEVER", "1".to_owned())]
}

/// Loaded into a program, it holds each `fsync` and `fdatasync`.
#[derive(Debug)]
pub struct SlowSync {
    library: PathBuf,
    log: PathBuf,
    milliseconds: u32,
    lie: bool,
}

/// One sync: from when to when, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sync {
    /// When it was asked for.
    pub begun: u64,
    /// When what it covers was on the disk.
    pub done: u64,
}

impl SlowSync {
    /// Each sync takes so many milliseconds. With `lie` the program is told at once that it was done.
    #[track_caller]
    pub fn new(folder: &Path, milliseconds: u32, lie: bool) -> SlowSync {
        let library = folder.join("slow_sync.so");
        build::compiled("slow_sync.c", &library, &["-shared", "-fPIC", "-pthread"]);
        SlowSync { library, log: folder.join("syncs"), milliseconds, lie }
    }

    /// The variables that load it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("SLOW_SYNC_LOG", self.log.display().to_string()),
            ("SLOW_SYNC_MS", self.milliseconds.to_string()),
        ];
        if self.lie {
            all.push(("SLOW_SYNC_LIE", "1".to_owned()));
        }
        all
    }

    /// All syncs that are over.
    pub fn syncs(&self) -> Vec<Sync> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let parse = |line: &str| {
            let mut words = line.split(' ');
            let mut number = || words.next()?.parse().ok();
            Some(Sync { begun: number()?, done: number()? })
        };
        text.lines().filter_map(parse).collect()
    }
}
