//! *Lives here*: everything that can go wrong with a store, and what to do about it. *May know*: file names and positions. *Must
//! not know*: how it came about.

use crate::disk::DiskError;
use crate::values::Position;
use thiserror::Error;

/// A sync failed: nobody knows what of the last writes is on the disk, and asking again would get a false "yes".
///
/// This is the end of the process. It must stop without answering anything that rests on records not yet stable; at the next
/// start the store writes what it cannot vouch for to a new file before it answers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{file} could not be synced: {error}. Nothing that was not stable before may be answered: stop the process; check the disk"
)]
pub struct SyncFailed {
    /// The file, or the folder, that could not be synced.
    pub file: String,
    /// What the disk said.
    pub error: DiskError,
}

/// Why a store could not be opened. Nothing was changed that matters, and trying again is harmless.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("another process uses this store ({0}): stop it first, or give this one another folder")]
    Locked(DiskError),
    /// Records that had been declared stable cannot be read. What had been promised by them is not known any more.
    #[error(
        "{file} is damaged at byte {offset} ({what}): {}. Restore the folder from a backup; once there is a failover partner, \
         start with an empty folder instead and let the partner send everything (UPDREQALL)",
        lost(*.first_lost, *.last_lost)
    )]
    Damaged {
        /// The file in which reading ended.
        file: String,
        /// The byte at which reading ended.
        offset: u64,
        /// What is wrong there.
        what: String,
        /// The first record that cannot be read.
        first_lost: Position,
        /// The last record that was declared stable; with `first_lost` behind it, no record of the log is known to be lost.
        last_lost: Position,
    },
    /// A newer Tandem wrote this store.
    #[error(
        "{file} has format version {version}, this program knows versions up to {known}: start the newer program again"
    )]
    NewerVersion {
        /// The file.
        file: String,
        /// Its version.
        version: u8,
        /// The newest that is known here.
        known: u8,
    },
    /// The disk did not do its part.
    #[error("the disk failed while the store was opened: {0}")]
    Disk(#[from] DiskError),
    /// The caller did not accept a record.
    #[error("{file}: record {number} is whole but was not understood: {reason}")]
    Record {
        /// The file that holds it.
        file: String,
        /// Its position in the log, or its number in the snapshot.
        number: u64,
        /// What the caller said.
        reason: String,
    },
}

/// Why a batch was not appended. Nothing of it will be replayed because of this call, except after [`AppendError::Disk`],
/// where a crash before the next append may leave it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AppendError {
    /// A sync failed before.
    #[error(transparent)]
    Poisoned(#[from] SyncFailed),
    /// The batch does not follow the last one: a fault of the caller.
    #[error("a batch was given position {given}, but the next is {expected}")]
    OutOfOrder {
        /// The position that comes next.
        expected: Position,
        /// The position that was given.
        given: Position,
    },
    /// Count and bytes do not agree: a fault of the caller.
    #[error("the batch is not a run of records")]
    Malformed,
    /// The batch is larger than a batch may be, or than a segment can hold.
    #[error("a batch of {size} bytes: more than {most} do not fit into one")]
    TooLarge {
        /// Bytes of the batch.
        size: usize,
        /// Bytes that a batch may have.
        most: usize,
    },
    /// The disk is full. The same batch, or another, can be appended when there is space.
    #[error("the disk is full: {0}")]
    NoSpace(DiskError),
    /// The disk could not write. The same batch, or another, can be tried again.
    #[error("the disk could not write: {0}")]
    Disk(DiskError),
}

/// Why a step of a snapshot failed. Unless the step came out of order, the snapshot is abandoned, the last one and the
/// whole log remain, and a new one can be begun.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// A sync failed, now or before.
    #[error(transparent)]
    Poisoned(#[from] SyncFailed),
    /// One is being written already.
    #[error("a snapshot is being written already")]
    InProgress,
    /// None is being written.
    #[error("no snapshot is being written")]
    NotBegun,
    /// Count and bytes of a chunk do not agree: a fault of the caller.
    #[error("the chunk is not a run of records")]
    Malformed,
    /// The chunk is larger than a chunk may be.
    #[error("a chunk of {size} bytes: more than {most} do not fit into one")]
    TooLarge {
        /// Bytes of the chunk.
        size: usize,
        /// Bytes that a chunk may have.
        most: usize,
    },
    /// The disk is full, or failed.
    #[error("the snapshot could not be written: {0}")]
    Disk(DiskError),
}

/// What went wrong on the disk, inside the store: a failed sync is never mixed with the rest.
#[derive(Debug)]
pub(crate) enum Trouble {
    Disk(DiskError),
    Sync(SyncFailed),
}

impl From<DiskError> for Trouble {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl From<Trouble> for OpenError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Disk(error) => Self::Disk(error),
            // Nothing was promised yet: for an open that fails, a failed sync is an error like any other.
            Trouble::Sync(failed) => Self::Disk(failed.error),
        }
    }
}

fn lost(first: Position, last: Position) -> String {
    if first > last {
        "no record of the log is known to be lost".into()
    } else {
        format!("records {first} to {last}, which had been stable, cannot all be read")
    }
}
