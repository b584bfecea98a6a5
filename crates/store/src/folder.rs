//! *Lives here*: the names of the store's files, and how one is made. *May know*: names, heads. *Must not know*: frames.

use crate::disk::{Disk, DiskError};
use crate::error::{SyncFailed, Trouble};
use crate::format::{FILE_HEAD_SIZE, FileKind, HEAD_BYTES, Head};
use crate::values::StoreIdentity;

pub(crate) const IDENTITY: &str = "identity";
pub(crate) const IDENTITY_NEXT: &str = "identity.next";
pub(crate) const SNAPSHOT_TEMPORARY: &str = "snapshot.tmp";

/// What lies in the folder, by what it is; names that the store did not give are left out.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub identity: bool,
    /// Numbers of the segments, ascending.
    pub segments: Vec<u64>,
    /// Numbers of the segments with which the log goes on after each snapshot, ascending.
    pub snapshots: Vec<u64>,
    /// Files that were being written when the store stopped.
    pub unfinished: Vec<String>,
}

impl Folder {
    pub(crate) fn read<D: Disk>(disk: &mut D) -> Result<Self, DiskError> {
        let mut folder = Self::default();
        for name in disk.list()? {
            if name == IDENTITY {
                folder.identity = true;
            } else if name == SNAPSHOT_TEMPORARY {
                folder.unfinished.push(name);
            } else if let Some(number) = number_in(&name, "log-") {
                folder.segments.push(number);
            } else if let Some(number) = number_in(&name, "snapshot-") {
                folder.snapshots.push(number);
            }
        }
        folder.segments.sort_unstable();
        folder.snapshots.sort_unstable();
        Ok(folder)
    }

    /// Names of all that the snapshot with which the log goes on in `segment` has replaced.
    pub(crate) fn replaced_by(&self, segment: u64) -> impl Iterator<Item = String> {
        let segments = self.segments.iter().filter(move |number| **number < segment);
        let snapshots = self.snapshots.iter().filter(move |number| **number < segment);
        segments.map(|number| segment_name(*number)).chain(snapshots.map(|number| snapshot_name(*number)))
    }
}

pub(crate) fn segment_name(number: u64) -> String {
    format!("log-{number:016x}")
}

pub(crate) fn snapshot_name(segment: u64) -> String {
    format!("snapshot-{segment:016x}")
}

/// Makes an empty segment and has it, its head and its name stable before anything is written to it: so a segment whose
/// head cannot be read was either never used or is damaged.
pub(crate) fn make_segment<D: Disk>(
    disk: &mut D,
    name: &str,
    identity: StoreIdentity,
    number: u64,
    size: u64,
) -> Result<(), Trouble> {
    disk.create(name, size)?;
    write_segment_head(disk, name, identity, number)?;
    sync(disk, name)?;
    sync_folder(disk)?;
    Ok(())
}

/// Writes the head of a segment, the same one each time: it is stable after the next sync of the file.
pub(crate) fn write_segment_head<D: Disk>(
    disk: &mut D,
    name: &str,
    identity: StoreIdentity,
    number: u64,
) -> Result<(), DiskError> {
    let head = Head { identity, number, position: 0, sequence: 0, chain: 0 };
    let mut sector = [0; FILE_HEAD_SIZE];
    sector[..HEAD_BYTES].copy_from_slice(&head.encode(FileKind::Log));
    disk.write(name, 0, &sector)
}

pub(crate) fn sync<D: Disk>(disk: &mut D, name: &str) -> Result<(), SyncFailed> {
    disk.sync(name).map_err(|error| SyncFailed { file: name.to_owned(), error })
}

pub(crate) fn sync_folder<D: Disk>(disk: &mut D) -> Result<(), SyncFailed> {
    disk.sync_folder().map_err(|error| SyncFailed { file: "the folder".to_owned(), error })
}

impl From<SyncFailed> for Trouble {
    fn from(failed: SyncFailed) -> Self {
        Self::Sync(failed)
    }
}

fn number_in(name: &str, prefix: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?;
    let exact = digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if exact { u64::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_taken() {
        assert_eq!(number_in(&segment_name(0x2a), "log-"), Some(42));
        for name in
            ["log-", "log-2a", "log-000000000000002A", "log-000000000000002a.tmp", "log-+00000000000002a"]
        {
            assert_eq!(number_in(name, "log-"), None, "{name}");
        }
    }
}
