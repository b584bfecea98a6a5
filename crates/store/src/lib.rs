//! An append log of opaque records, and a snapshot that lets the log stay short.
//!
//! *Lives here*: the log, the snapshot, the small file with the store's identity, how they recover from a crash, and
//! the Linux implementation of [`Disk`]. *May know*: files in one folder, bytes, checksums, positions. *Must not know*:
//! what a record means; DHCP, bindings, engine, clocks, threads.
//!
//! How it is used: [`Store::open`] replays what is stable; [`Store::append`] adds one batch; [`Store::sync`] makes all that was
//! appended stable and says up to which [`Position`]; [`Store::maintain`], called when there is nothing better to do,
//! keeps one segment in reserve and removes what a snapshot has made superfluous. `docs/store-format.md` describes each
//! byte on the disk; the recovery is told at the top of `recover.rs`.
//!
//! Memory is bounded: one frame of at most [`MAXIMUM_BATCH`] bytes for writing, one window of at most 1 MiB more than that
//! for reading while the store opens, and a list of file names.

mod disk;
mod error;
mod folder;
mod format;
mod identity;
mod linux;
mod read;
mod records;
mod recover;
mod snapshot;
mod store;
mod values;

pub use disk::{Disk, DiskError, DiskErrorKind};
pub use error::{AppendError, OpenError, SnapshotError, SyncFailed};
pub use format::{FILE_HEAD, FRAME_OVERHEAD, MAXIMUM_BATCH};
pub use linux::LinuxDisk;
pub use records::{Iter, Records, RecordsRef};
pub use store::Store;
pub use values::{Health, Opened, Options, Planted, Position, StoreIdentity};
