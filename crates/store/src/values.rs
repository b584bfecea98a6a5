//! *Lives here*: the small words of the store: positions, identity, options, health. *May know*: nothing else. *Must not know*:
//! files.

use std::fmt;

/// The number of a record in the log, counted from 0 and never used twice in the life of a store.
///
/// As a *bound*, "stable up to `p`" means that every record with a number **less than** `p` is on stable storage. So the
/// next record's number is also the count of all records ever appended, and a batch of `n` records appended at `p` is stable
/// once the stable position is at least `p + n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// The position `count` records further on.
    #[must_use]
    pub fn after(self, count: u32) -> Self {
        Self(self.0.saturating_add(u64::from(count)))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Who this store is: a UUID (RFC 9562, version 4), made when the store was.
///
/// With the generation it lets a partner notice a restored backup, a cloned machine or a rolled-back snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreIdentity(pub [u8; 16]);

impl StoreIdentity {
    /// The identity made of 16 random bytes; six bits are overwritten with version and variant (RFC 9562 section 5.4).
    pub fn from_entropy(mut entropy: [u8; 16]) -> Self {
        entropy[6] = (entropy[6] & 0x0f) | 0x40;
        entropy[8] = (entropy[8] & 0x3f) | 0x80;
        Self(entropy)
    }
}

impl fmt::Display for StoreIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for StoreIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreIdentity({self})")
    }
}

/// How large things get. [`Options::default`] suits a server; the simulator takes smaller ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes set aside for one file of the log, 64 MiB; less than 4 KiB counts as 4 KiB. A batch must fit into one.
    pub segment_size: u64,
    /// No snapshot is wanted before the log since the last one has this many bytes, 1 GiB.
    pub snapshot_at_least: u64,
    /// While a snapshot is written, its file is synced each time this many bytes were added, 8 MiB: so the last sync is
    /// no longer a pause than the others.
    pub snapshot_sync_every: u64,
    /// Faults on purpose. Leave this alone: it is for the simulator's self-test.
    pub planted: Planted,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_size: 64 << 20,
            snapshot_at_least: 1 << 30,
            snapshot_sync_every: 8 << 20,
            planted: Planted::default(),
        }
    }
}

/// Faults built in on purpose, **for the simulator's self-test only**: it plants one and shows that its checkers find it. A checker
/// that never failed proves nothing. The default has none; no configuration can reach these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planted {
    /// A batch whose payload is torn is replayed as if it were whole.
    pub accept_torn_tail: bool,
    /// A chunk of a snapshot that has one record is taken for an empty one.
    pub snapshot_loses_record: bool,
}

/// Whether the store can take what the server would like to promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// All is well.
    Ok,
    /// The last segment that was set aside is in use and another could not be made: grant nothing, so that what must be
    /// recorded (releases, expiries, changes of state) still fits. [`Store::maintain`](crate::Store::maintain) tries again.
    ReserveOnly,
    /// A sync failed. The process must end; nothing more can be stored.
    Poisoned,
}

/// What [`Store::open`](crate::Store::open) found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opened {
    /// There was no store before.
    pub new: bool,
    /// The generation of this opening, 1 for the first.
    pub generation: u64,
    /// Records replayed from the snapshot.
    pub snapshot_records: u64,
    /// Records replayed from the log.
    pub log_records: u64,
    /// Bytes of an unfinished batch or batches, never declared stable, that were cut off. 0 after an orderly end.
    pub torn_bytes: u64,
    /// Bytes of batches not known to be stable that were copied to a new file. 0 after an orderly end.
    pub copied_bytes: u64,
}
