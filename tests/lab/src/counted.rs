//! A program whose calls are counted.
//!
//! *Lives here:* [`Counting`], and the [`Calls`] that it finds.
//! *Must not know:* why a program calls.

use crate::build;
use std::fs;
use std::ops::Sub;
use std::path::{Path, PathBuf};

/// How often a process called, all its threads together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// Waits for something to happen.
    pub epoll_wait: u64,
    /// Calls that receive datagrams.
    pub recvmmsg: u64,
    /// Calls that send datagrams or frames.
    pub sendmmsg: u64,
    /// Writes to files.
    pub pwrite: u64,
    /// Syncs of files.
    pub fdatasync: u64,
    /// Readings of a clock, which take no system call.
    pub clock_gettime: u64,
    /// Requests for memory.
    pub allocations: u64,
}

/// Loaded into a program, it counts.
#[derive(Debug)]
pub struct Counting {
    library: PathBuf,
    file: PathBuf,
}

impl Counting {
    /// Everything in this folder.
    #[track_caller]
    pub fn new(folder: &Path) -> Counting {
        let library = folder.join("count_calls.so");
        build::compiled("count_calls.c", &library, &["-shared", "-fPIC"]);
        Counting { library, file: folder.join("calls") }
    }

    /// The variables that load it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("COUNT_CALLS", self.file.display().to_string()),
        ]
    }

    /// The calls so far.
    #[track_caller]
    pub fn calls(&self) -> Calls {
        let bytes = fs::read(&self.file).unwrap();
        let all: Vec<u64> =
            bytes.chunks_exact(8).map(|count| u64::from_ne_bytes(count.try_into().unwrap())).collect();
        let [epoll_wait, recvmmsg, sendmmsg, pwrite, fdatasync, clock_gettime, allocations] = all[..] else {
            panic!("{} numbers", all.len());
        };
        Calls { epoll_wait, recvmmsg, sendmmsg, pwrite, fdatasync, clock_gettime, allocations }
    }
}

impl Sub for Calls {
    type Output = Calls;

    fn sub(self, before: Calls) -> Calls {
        Calls {
            epoll_wait: self.epoll_wait - before.epoll_wait,
            recvmmsg: self.recvmmsg - before.recvmmsg,
            sendmmsg: self.sendmmsg - before.sendmmsg,
            pwrite: self.pwrite - before.pwrite,
            fdatasync: self.fdatasync - before.fdatasync,
            clock_gettime: self.clock_gettime - before.clock_gettime,
            allocations: self.allocations - before.allocations,
        }
    }
}
