//! *Lives here*: the trait that stands between the store and a disk. *May know*: names, offsets, bytes. *Must not know*: what
//! the files mean.

use thiserror::Error;

/// Flat files in one folder: what the store asks of an operating system, and what the simulator breaks.
///
/// Nothing is stable until [`sync`](Disk::sync) of that file returned, and a name (of a file that was created, renamed or
/// removed) not until [`sync_folder`](Disk::sync_folder) returned. Between the two, any subset of what was asked for may
/// survive a crash, in any order. Names are made of `a`–`z`, `0`–`9`, `-` and `.`.
pub trait Disk {
    /// Keeps everybody else from this folder as long as this value lives. [`DiskErrorKind::Locked`] if somebody has it.
    fn lock(&mut self) -> Result<(), DiskError>;

    /// The names of all files in the folder, in any order. Names that the store does not know are left alone.
    fn list(&mut self) -> Result<Vec<String>, DiskError>;

    /// Makes a file of `preallocate` zero bytes, for which the disk has set space aside: writes inside of it do not
    /// fail for want of space. A file that had this name is replaced. When it fails, an empty file may remain.
    fn create(&mut self, name: &str, preallocate: u64) -> Result<(), DiskError>;

    /// The length of a file in bytes; what was preallocated counts.
    fn length(&mut self, name: &str) -> Result<u64, DiskError>;

    /// Reads from `offset` until `buffer` is full or the file ends; how many bytes were read.
    fn read(&mut self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError>;

    /// Writes all of `bytes` at `offset`; the file grows if need be. After an error any part may have been written, but
    /// never all of it after [`DiskErrorKind::NoSpace`].
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    /// Writes `length` zeros at `offset` into the preallocated part of a file, where nothing was written yet, and makes them stable; `false`
    /// when this disk gains nothing by it. On many file systems, space that was set aside is noted as never written: the first
    /// write to each block of it changes that note, and the sync of that write waits for the journal of the file system too.
    fn fill(&mut self, name: &str, offset: u64, length: u64) -> Result<bool, DiskError> {
        let _ = (name, offset, length);
        Ok(false)
    }

    /// Returns when every byte written to this file, and its length, is on stable storage.
    fn sync(&mut self, name: &str) -> Result<(), DiskError>;

    /// Cuts a file to `length` bytes (never more than it has) and gives the space back.
    fn truncate(&mut self, name: &str, length: u64) -> Result<(), DiskError>;

    /// Gives a file another name, at once; a file that had that name is gone.
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes a file.
    fn remove(&mut self, name: &str) -> Result<(), DiskError>;

    /// Returns when every name created, renamed or removed is on stable storage.
    fn sync_folder(&mut self) -> Result<(), DiskError>;
}

/// Why a disk did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct DiskError {
    /// The sort of trouble, as far as the store acts by it.
    pub kind: DiskErrorKind,
    /// What the operating system says, with the name of the file.
    pub message: String,
}

impl DiskError {
    /// An error of this sort with this text.
    pub fn new(kind: DiskErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The sorts of trouble that the store tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiskErrorKind {
    /// The disk, or the quota, is full: what was asked for may work later.
    NoSpace,
    /// Somebody else has locked the folder.
    Locked,
    /// There is no such file.
    NotFound,
    /// Anything else.
    Io,
}
