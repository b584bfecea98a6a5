//! What owner and journal tell each other beside the two channels.
//!
//! *Lives here:* [`Shared`], [`Work`], [`Spent`].
//! *Must not know:* what either does with it.

use crate::clocks::since_boot;
use crate::counter::ShellCounters;
use engine::{Batch, Position};
use failover::time::{Interval, Time};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use store::Health;

/// Batches between owner and journal, spare ones included. With [`engine::outbox::REPLIES_PER_BATCH`] it bounds the
/// replies that wait for the disk.
pub(crate) const BATCHES: usize = 32;

/// Goes from the owner to the journal, in order.
#[derive(Debug)]
pub(crate) enum Work {
    /// To write, and then to release.
    Batch(Batch),
    /// A snapshot begins here.
    BeginSnapshot,
    /// A piece of the snapshot.
    Chunk(Chunk),
    /// The owner has ended.
    Stop,
}

/// Records of a snapshot, as `Engine::snapshot` writes them.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) count: u32,
    pub(crate) bytes: Vec<u8>,
    /// The snapshot ends with it.
    pub(crate) is_last: bool,
}

/// Comes back from the journal, to be used again.
#[derive(Debug)]
pub(crate) enum Spent {
    /// A batch that was released.
    Batch(Batch),
    /// A piece of the snapshot; `false` when the snapshot was given up.
    Chunk(Chunk, bool),
}

/// Values that one side sets and the other reads.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) counters: Arc<ShellCounters>,
    /// The owner has nothing left to fill: wake it when a batch comes back.
    pub(crate) owner_waits: AtomicBool,
    /// The log has grown enough for a snapshot.
    pub(crate) snapshot_wanted: AtomicBool,
    /// The server is to end: the journal waits for no disk any more.
    pub(crate) stopping: AtomicBool,
    stable: AtomicU64,
    reserve_only: AtomicBool,
    /// Engine time minus CLOCK_BOOTTIME, in milliseconds.
    time_offset: AtomicU64,
}

impl Shared {
    pub(crate) fn new(counters: Arc<ShellCounters>, stable: Position, health: Health) -> Shared {
        Shared {
            counters,
            owner_waits: AtomicBool::new(false),
            snapshot_wanted: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            stable: AtomicU64::new(stable.0),
            reserve_only: AtomicBool::new(health != Health::Ok),
            time_offset: AtomicU64::new(0),
        }
    }

    /// Every record below this is on stable storage.
    pub(crate) fn stable(&self) -> Position {
        Position(self.stable.load(Ordering::Acquire))
    }

    /// Set by the journal, after a sync.
    pub(crate) fn set_stable(&self, stable: Position) {
        self.stable.store(stable.0, Ordering::Release);
    }

    /// Whether the store has room for releases and expiries only.
    pub(crate) fn is_reserve_only(&self) -> bool {
        self.reserve_only.load(Ordering::Acquire)
    }

    /// Set by the journal; says whether it is news.
    pub(crate) fn set_reserve_only(&self, reserve_only: bool) -> bool {
        self.reserve_only.swap(reserve_only, Ordering::AcqRel) != reserve_only
    }

    /// Set by the owner, whenever engine time begins or jumps.
    pub(crate) fn set_time(&self, engine: Time, since_boot: Interval) {
        let offset = engine.as_millis().wrapping_sub(since_boot.as_millis());
        self.time_offset.store(offset, Ordering::Release);
    }

    /// Engine time now, for who does not own the clock.
    pub(crate) fn now(&self) -> nix::Result<Time> {
        let offset = self.time_offset.load(Ordering::Acquire);
        Ok(Time::from_millis(since_boot()?.as_millis().wrapping_add(offset)))
    }
}
