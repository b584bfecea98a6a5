//! A machine whose clock is not right.
//!
//! *Lives here:* [`FakeClock`], libfaketime for one program.
//! *May know:* the variables of libfaketime.
//! *Must not know:* what the program does with the time.

use crate::node::Node;
use std::fs;
use std::path::PathBuf;

/// The wall clock of the programs that it is loaded into; what counts from the start of the machine is as it is.
///
/// The kernel stamps packets by the right time, whatever a program is told: a Tandem whose clock is ahead takes each packet for
/// an old one, and drops it. Set its clock back.
#[derive(Debug)]
pub struct FakeClock {
    library: PathBuf,
    file: PathBuf,
}

impl FakeClock {
    /// For programs on a node: right, until it is set.
    #[track_caller]
    pub fn new(node: &Node) -> FakeClock {
        let places = fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path());
        let mut libraries = places.map(|place| place.join("faketime/libfaketimeMT.so.1"));
        let library = libraries.find(|library| library.exists());
        let library = library.expect("faketime is installed: scripts/setup.sh does that");
        let clock = FakeClock { library, file: node.folder().join("clock") };
        clock.set(0);
        clock
    }

    /// Sets it so many seconds before the right time, or behind where that is negative. A running program sees it within a second.
    pub fn set(&self, ahead: i64) {
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{ahead:+}s\n")).unwrap();
        // At once: who reads it meanwhile reads either.
        fs::rename(new, &self.file).unwrap();
    }

    /// The variables that load it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}
