//! *Lives here*: the running store: batches go in, a position comes out. *May know*: the active segment, the one in reserve.
//! *Must not know*: how a store comes back after a crash.

use crate::disk::{Disk, DiskError, DiskErrorKind};
use crate::error::{AppendError, OpenError, SyncFailed, Trouble};
use crate::folder::{Folder, IDENTITY_NEXT, make_segment, segment_name, sync};
use crate::format::{FILE_HEAD, FRAME_OVERHEAD, FrameHead, FrameKind, MAXIMUM_BATCH, Seed};
use crate::identity::{Known, read_identity, write_identity};
use crate::records::RecordsRef;
use crate::recover::{End, recover};
use crate::snapshot::Snapshot;
use crate::values::{Health, Opened, Options, Position, StoreIdentity};

/// Segments beyond those that a log would fill until a snapshot is wanted anyway.
const MOST_SHORT_SEGMENTS: u64 = 64;

/// Bytes that one call fills: acknowledgements wait for it, not much longer than for a sync of their own.
const FILL: u64 = 256 << 10;

/// A part of a file is filled by whole blocks of the file system.
const BLOCK: u64 = 4096;

/// The smallest segment.
const MINIMUM_SEGMENT: u64 = 4096;

/// An append log with a snapshot, open for writing by this process alone.
#[derive(Debug)]
pub struct Store<D: Disk> {
    pub(crate) disk: D,
    pub(crate) options: Options,
    pub(crate) known: Known,
    pub(crate) seed: Seed,
    opened: Opened,
    pub(crate) end: End,
    stable: Position,
    pub(crate) active: u64,
    /// Its name.
    name: String,
    offset: u64,
    reserve: Option<u64>,
    /// Up to where the active segment and the one in reserve are filled ([`Disk::fill`]).
    filled: [u64; 2],
    /// The disk gains by it.
    fills: bool,
    /// The last attempt to set a segment aside failed.
    starved: bool,
    poisoned: Option<SyncFailed>,
    frame: Vec<u8>,
    /// Bytes of the log since the last snapshot began, and of that snapshot.
    pub(crate) log_bytes: u64,
    pub(crate) snapshot_bytes: u64,
    /// The segment with which the log begins.
    pub(crate) first: u64,
    pub(crate) snapshot: Option<Snapshot>,
    /// Files that the last snapshot replaced and that are not removed yet.
    pub(crate) replaced: Vec<String>,
}

impl<D: Disk> Store<D> {
    /// Opens the store in this folder, or makes one, and hands each record of it to `replay`: first those of the
    /// snapshot, then those of the log, in order. `entropy` makes the identity of a new store.
    ///
    /// When this returns, everything replayed is on stable storage.
    ///
    /// # Errors
    /// See [`OpenError`]; the store is as it was.
    pub fn open(
        mut disk: D,
        mut options: Options,
        entropy: [u8; 16],
        replay: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<Store<D>, OpenError> {
        options.segment_size = options.segment_size.max(MINIMUM_SEGMENT);
        disk.lock().map_err(|error| match error.kind {
            DiskErrorKind::Locked => OpenError::Locked(error),
            _ => OpenError::Disk(error),
        })?;
        let folder = Folder::read(&mut disk)?;
        for name in &folder.unfinished {
            disk.remove(name)?;
        }
        let mut opened = Opened::default();
        let mut known = if folder.identity {
            read_identity(&mut disk)?
        } else {
            opened.new = true;
            if let Some(number) = folder.segments.first().or(folder.snapshots.first()) {
                return Err(identity_missing(*number));
            }
            let identity = StoreIdentity::from_entropy(entropy);
            let known = Known { identity, generation: 0, stable: Position(0) };
            // Before the first segment: a crash between the two leaves an empty store, not one without identity.
            write_identity(&mut disk, &known)?;
            known
        };
        let recovered = recover(&mut disk, &folder, known, &options, &mut opened, replay)?;
        known.generation += 1;
        known.stable = recovered.end.position;
        write_identity(&mut disk, &known)?;
        opened.generation = known.generation;
        let mut store = Store {
            seed: Seed::new(known.identity),
            disk,
            options,
            known,
            opened,
            stable: recovered.end.position,
            end: recovered.end,
            active: recovered.active,
            name: segment_name(recovered.active),
            offset: recovered.offset,
            reserve: None,
            filled: [0; 2],
            fills: true,
            starved: false,
            poisoned: None,
            frame: Vec::new(),
            log_bytes: recovered.log_bytes,
            snapshot_bytes: recovered.snapshot_bytes,
            first: recovered.first,
            snapshot: None,
            replaced: Vec::new(),
        };
        store.maintain();
        Ok(store)
    }

    /// Who this store is.
    pub fn identity(&self) -> StoreIdentity {
        self.known.identity
    }

    /// How often it was opened, this time included.
    pub fn generation(&self) -> u64 {
        self.known.generation
    }

    /// What opening it found.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The number of the next record.
    pub fn next_position(&self) -> Position {
        self.end.position
    }

    /// Every record below this is on stable storage.
    pub fn stable_position(&self) -> Position {
        self.stable
    }

    /// The disk, for whoever lent it.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Whether the store can take what the server would like to promise.
    pub fn health(&self) -> Health {
        if self.poisoned.is_some() {
            Health::Poisoned
        } else if self.starved && self.reserve.is_none() {
            Health::ReserveOnly
        } else {
            Health::Ok
        }
    }

    /// Appends one batch, whose first record has the number `first`. It is stable after the next [`Store::sync`].
    ///
    /// # Errors
    /// See [`AppendError`]. After [`AppendError::NoSpace`] and [`AppendError::Disk`] the same batch may be tried again.
    pub fn append(&mut self, first: Position, records: RecordsRef<'_>) -> Result<(), AppendError> {
        self.usable()?;
        if first != self.end.position {
            return Err(AppendError::OutOfOrder { expected: self.end.position, given: first });
        }
        if !records.is_well_formed() {
            return Err(AppendError::Malformed);
        }
        if records.is_empty() {
            return Ok(());
        }
        let room =
            usize::try_from(self.options.segment_size - FILE_HEAD).unwrap_or(usize::MAX) - FRAME_OVERHEAD;
        let most = room.min(MAXIMUM_BATCH);
        if records.bytes.len() > most {
            return Err(AppendError::TooLarge { size: records.bytes.len(), most });
        }
        let head = FrameHead {
            kind: FrameKind::Batch,
            sequence: self.end.sequence + 1,
            first: first.0,
            stable: self.stable.0,
            count: records.count,
            length: 0,
            chain: self.end.chain,
            payload_crc: 0,
            crc: 0,
        };
        let crc = head.encode(self.seed, records.bytes, &mut self.frame);
        let size = self.frame.len() as u64;
        if self.offset + size > self.options.segment_size {
            self.next_segment().map_err(|trouble| self.append_failed(trouble))?;
        }
        let written = self.disk.write(&self.name, self.offset, &self.frame);
        written.map_err(|error| self.append_failed(error.into()))?;
        self.offset += size;
        self.log_bytes += size;
        self.end = End { position: first.after(records.count), sequence: head.sequence, chain: crc };
        Ok(())
    }

    /// Makes everything appended stable; says up to where.
    ///
    /// # Errors
    /// A failed sync is the end of this store: every later call fails too.
    pub fn sync(&mut self) -> Result<Position, SyncFailed> {
        self.usable()?;
        if self.stable < self.end.position {
            sync(&mut self.disk, &self.name).map_err(|failed| self.poison(failed))?;
            self.stable = self.end.position;
        }
        Ok(self.stable)
    }

    /// Sets a segment aside, if none is. To be called after a sync, when nothing waits.
    pub fn maintain(&mut self) {
        if self.poisoned.is_some() || self.reserve.is_some() {
            return;
        }
        let number = self.active + 1;
        let made = make_segment(
            &mut self.disk,
            &segment_name(number),
            self.known.identity,
            number,
            self.options.segment_size,
        );
        match made {
            Ok(()) => {
                self.reserve = Some(number);
                self.filled[1] = 0;
                self.starved = false;
            }
            Err(Trouble::Disk(_)) => self.starved = true,
            Err(Trouble::Sync(failed)) => {
                self.poison(failed);
            }
        }
    }

    /// Whether a part of the log is still to be filled: [`Store::fill`] is to be called again.
    pub fn has_unfilled(&self) -> bool {
        self.unfilled().is_some()
    }

    /// Has the disk fill the next piece of the log that nothing was written to, of the segment in use and then of the one in
    /// reserve. To be called after a sync.
    pub fn fill(&mut self) {
        let Some((which, number, from)) = self.unfilled() else { return };
        let length = FILL.min(self.options.segment_size - from);
        let name = segment_name(number);
        match self.disk.fill(&name, from, length) {
            Ok(fills) => self.fills = fills,
            // Space was set aside, and yet there is none: a disk that copies what it overwrites.
            Err(error) if error.kind == DiskErrorKind::NoSpace => self.fills = false,
            // Nobody knows what became of the rest of the file.
            Err(error) => {
                self.poison(SyncFailed { file: name, error });
            }
        }
        self.filled[which] = from + length;
    }

    /// Which segment is to be filled next, and from where.
    fn unfilled(&self) -> Option<(usize, u64, u64)> {
        if !self.fills || self.poisoned.is_some() {
            return None;
        }
        let active = (0, self.active, self.offset);
        let reserve = self.reserve.map(|number| (1, number, FILE_HEAD));
        let parts = [Some(active), reserve].into_iter().flatten();
        // What was written to is never filled.
        parts
            .map(|(which, number, used)| {
                (which, number, self.filled[which].max(used.next_multiple_of(BLOCK)))
            })
            .find(|(_, _, from)| *from < self.options.segment_size)
    }

    /// Whether it is time for a snapshot: the log has outgrown it twice, and is not small; or it is in many pieces, because each
    /// start goes on in a segment of its own.
    pub fn wants_snapshot(&self) -> bool {
        let enough = self.options.snapshot_at_least.max(2 * self.snapshot_bytes);
        let pieces = self.active.saturating_sub(self.first);
        let is_long = self.log_bytes >= enough;
        let is_scattered = pieces >= MOST_SHORT_SEGMENTS + enough.div_ceil(self.options.segment_size);
        self.snapshot.is_none() && self.poisoned.is_none() && (is_long || is_scattered)
    }

    /// Goes on in the segment set aside. What was written to the one before is synced first, so that a sync never has
    /// to reach into two files.
    pub(crate) fn next_segment(&mut self) -> Result<(), Trouble> {
        if self.reserve.is_none() {
            self.maintain();
        }
        if let Some(failed) = &self.poisoned {
            return Err(Trouble::Sync(failed.clone()));
        }
        let Some(number) = self.reserve else {
            let text = "no room for another segment of the log";
            return Err(Trouble::Disk(DiskError::new(DiskErrorKind::NoSpace, text)));
        };
        self.sync()?;
        self.reserve = None;
        (self.active, self.name) = (number, segment_name(number));
        self.offset = FILE_HEAD;
        self.filled = [self.filled[1], 0];
        Ok(())
    }

    pub(crate) fn usable(&self) -> Result<(), SyncFailed> {
        self.poisoned.clone().map_or(Ok(()), Err)
    }

    pub(crate) fn poison(&mut self, failed: SyncFailed) -> SyncFailed {
        self.poisoned = Some(failed.clone());
        failed
    }

    fn append_failed(&mut self, trouble: Trouble) -> AppendError {
        match trouble {
            Trouble::Sync(failed) => AppendError::Poisoned(self.poison(failed)),
            Trouble::Disk(error) if error.kind == DiskErrorKind::NoSpace => {
                self.starved = true;
                AppendError::NoSpace(error)
            }
            Trouble::Disk(error) => AppendError::Disk(error),
        }
    }
}

fn identity_missing(number: u64) -> OpenError {
    OpenError::Damaged {
        file: IDENTITY_NEXT.trim_end_matches(".next").to_owned(),
        offset: 0,
        what: format!("the file is missing, but there is {}", segment_name(number)),
        first_lost: Position(1),
        last_lost: Position(0),
    }
}
