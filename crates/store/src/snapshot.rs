//! *Lives here*: writing a snapshot while the log goes on. *May know*: the running store. *Must not know*: what a record means.
//!
//! A snapshot may be fuzzy: it is taken piece by piece while records change. It begins by turning the log to a new
//! segment; whatever changes from then on is in the log from there, and is replayed after the snapshot. It counts only
//! when all of it is stable, *and* the log up to its last piece is: only then does it get its name, and what it replaces
//! go.

use crate::disk::Disk;
use crate::error::{SnapshotError, Trouble};
use crate::folder::{Folder, SNAPSHOT_TEMPORARY, snapshot_name, sync, sync_folder};
use crate::format::{
    FILE_HEAD, FILE_HEAD_SIZE, FileKind, FrameHead, FrameKind, HEAD_BYTES, Head, MAXIMUM_BATCH,
};
use crate::records::RecordsRef;
use crate::store::Store;

/// Bytes of a file that are given back to the disk at once.
const AT_ONCE: u64 = 1 << 20;

/// A snapshot that is being written.
#[derive(Debug)]
pub(crate) struct Snapshot {
    segment: u64,
    offset: u64,
    unsynced: u64,
    sequence: u64,
    chain: u32,
    records: u64,
    /// Bytes of the log that it replaces.
    replaces: u64,
    frame: Vec<u8>,
}

impl<D: Disk> Store<D> {
    /// Begins a snapshot: everything that is true now, or becomes true before [`Store::finish_snapshot`], is to be
    /// handed in by [`Store::snapshot_chunk`].
    ///
    /// # Errors
    /// See [`SnapshotError`]; the store goes on without.
    pub fn begin_snapshot(&mut self) -> Result<(), SnapshotError> {
        self.usable()?;
        if self.snapshot.is_some() {
            return Err(SnapshotError::InProgress);
        }
        self.next_segment().map_err(|trouble| self.snapshot_failed(trouble))?;
        let head = Head {
            identity: self.known.identity,
            number: self.active,
            position: self.end.position.0,
            sequence: self.end.sequence,
            chain: self.end.chain,
        };
        let mut sector = [0; FILE_HEAD_SIZE];
        sector[..HEAD_BYTES].copy_from_slice(&head.encode(FileKind::Snapshot));
        let made = self
            .disk
            .create(SNAPSHOT_TEMPORARY, 0)
            .and_then(|()| self.disk.write(SNAPSHOT_TEMPORARY, 0, &sector));
        made.map_err(|error| self.snapshot_failed(error.into()))?;
        self.snapshot = Some(Snapshot {
            segment: self.active,
            offset: FILE_HEAD,
            unsynced: 0,
            sequence: 0,
            chain: 0,
            records: 0,
            replaces: self.log_bytes,
            frame: Vec::new(),
        });
        Ok(())
    }

    /// Adds records to the snapshot.
    ///
    /// # Errors
    /// See [`SnapshotError`].
    pub fn snapshot_chunk(&mut self, records: RecordsRef<'_>) -> Result<(), SnapshotError> {
        self.usable()?;
        if !records.is_well_formed() {
            return Err(SnapshotError::Malformed);
        }
        if records.bytes.len() > MAXIMUM_BATCH {
            return Err(SnapshotError::TooLarge { size: records.bytes.len(), most: MAXIMUM_BATCH });
        }
        let is_lost = self.options.planted.snapshot_loses_record && records.count == 1;
        if records.is_empty() || is_lost {
            return if self.snapshot.is_some() { Ok(()) } else { Err(SnapshotError::NotBegun) };
        }
        self.snapshot_frame(FrameKind::Chunk, records)
    }

    /// Ends the snapshot; removes what it replaces.
    ///
    /// # Errors
    /// See [`SnapshotError`].
    pub fn finish_snapshot(&mut self) -> Result<(), SnapshotError> {
        self.usable()?;
        self.snapshot_frame(FrameKind::End, RecordsRef::default())?;
        let Some(snapshot) = self.snapshot.take() else { return Err(SnapshotError::NotBegun) };
        self.sync()?;
        let finished = self.name_snapshot(&snapshot);
        finished.map_err(|trouble| self.snapshot_failed(trouble))?;
        self.snapshot_bytes = snapshot.offset;
        self.first = snapshot.segment;
        self.log_bytes = self.log_bytes.saturating_sub(snapshot.replaces);
        self.remove_replaced(snapshot.segment);
        Ok(())
    }

    /// Gives up the snapshot that is being written; without one, nothing happens.
    pub fn abort_snapshot(&mut self) {
        if self.snapshot.take().is_some() {
            // What remains is removed at the next opening, if not now.
            drop(self.disk.remove(SNAPSHOT_TEMPORARY));
        }
    }

    fn snapshot_frame(&mut self, kind: FrameKind, records: RecordsRef<'_>) -> Result<(), SnapshotError> {
        let Some(snapshot) = &mut self.snapshot else { return Err(SnapshotError::NotBegun) };
        let head = FrameHead {
            kind,
            sequence: snapshot.sequence + 1,
            first: snapshot.records,
            stable: 0,
            count: records.count,
            length: 0,
            chain: snapshot.chain,
            payload_crc: 0,
            crc: 0,
        };
        snapshot.chain = head.encode(self.seed, records.bytes, &mut snapshot.frame);
        snapshot.sequence += 1;
        snapshot.records += u64::from(records.count);
        let size = snapshot.frame.len() as u64;
        let mut result =
            self.disk.write(SNAPSHOT_TEMPORARY, snapshot.offset, &snapshot.frame).map_err(Trouble::from);
        snapshot.offset += size;
        snapshot.unsynced += size;
        if result.is_ok() && snapshot.unsynced >= self.options.snapshot_sync_every {
            snapshot.unsynced = 0;
            result = sync(&mut self.disk, SNAPSHOT_TEMPORARY).map_err(Trouble::from);
        }
        result.map_err(|trouble| self.snapshot_failed(trouble))
    }

    fn name_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Trouble> {
        sync(&mut self.disk, SNAPSHOT_TEMPORARY)?;
        self.disk.rename(SNAPSHOT_TEMPORARY, &snapshot_name(snapshot.segment))?;
        sync_folder(&mut self.disk)?;
        Ok(())
    }

    /// Whether files that the last snapshot replaced are still there: [`Store::shrink_replaced`] is to be called again.
    pub fn has_replaced(&self) -> bool {
        !self.replaced.is_empty()
    }

    /// Takes the last mebibyte off a file that the last snapshot replaced, or removes what is left of one. To remove a long file at
    /// once takes the kernel as long as a hundred syncs, and nobody is answered meanwhile.
    pub fn shrink_replaced(&mut self) {
        let Some(name) = self.replaced.last() else { return };
        let left = self.disk.length(name).map(|length| length.saturating_sub(AT_ONCE));
        let done = match left {
            Ok(left @ 1..) => self.disk.truncate(name, left).is_err(),
            Ok(0) => {
                drop(self.disk.remove(name));
                true
            }
            Err(_) => true,
        };
        if done {
            self.replaced.pop();
        }
    }

    /// Removes what is short, and notes what is long. What stays behind because of an error, or of the end of the process, is
    /// removed at the next opening.
    fn remove_replaced(&mut self, segment: u64) {
        let Ok(folder) = Folder::read(&mut self.disk) else { return };
        for name in folder.replaced_by(segment) {
            if self.disk.length(&name).is_ok_and(|length| length > AT_ONCE) {
                self.replaced.push(name);
            } else {
                drop(self.disk.remove(&name));
            }
        }
    }

    fn snapshot_failed(&mut self, trouble: Trouble) -> SnapshotError {
        self.abort_snapshot();
        match trouble {
            Trouble::Sync(failed) => SnapshotError::Poisoned(self.poison(failed)),
            Trouble::Disk(error) => SnapshotError::Disk(error),
        }
    }
}
