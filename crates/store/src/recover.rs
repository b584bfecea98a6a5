//! *Lives here*: how a store comes back: the snapshot, then the log, then the question what of its end can be trusted. *May know*:
//! files, frames, chains. *Must not know*: how batches are appended.
//!
//! The log is followed frame by frame: each names its number, the number of its first record and the checksum of the
//! one before. Where that chain ends, the log ends. What lies behind is *damage* only if a whole frame there declares
//! something stable that was not reached: unsynced pages reach a disk in any order, so bad-then-good is what a plain
//! power cut leaves. What nobody declared stable is a torn tail and is cut.
//!
//! The end of the log that no later frame vouches for may be in the page cache only: after a failed sync the kernel shows
//! data that the disk never got. So it is copied to a fresh segment, and that is synced, before anybody is answered. Until
//! the old copy is gone both are there; the second reading of a frame with the same number and checksum is skipped.

use crate::disk::{Disk, DiskError};
use crate::error::{OpenError, Trouble};
use crate::folder::{
    Folder, make_segment, segment_name, snapshot_name, sync, sync_folder, write_segment_head,
};
use crate::format::{FILE_HEAD, FileKind, FrameHead, FrameKind, HEAD_BYTES, Head, HeadRead, Seed, VERSION};
use crate::identity::Known;
use crate::read::{FrameRead, Window};
use crate::records::RecordsRef;
use crate::values::{Opened, Options, Position};

/// What takes the records.
pub(crate) type Replay<'r> = &'r mut dyn FnMut(&[u8]) -> Result<(), String>;

/// Where the log goes on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct End {
    pub position: Position,
    pub sequence: u64,
    pub chain: u32,
}

/// What the recovery hands over to the running store.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub end: End,
    /// The segment to append to, from this offset on.
    pub active: u64,
    pub offset: u64,
    pub log_bytes: u64,
    pub snapshot_bytes: u64,
    /// The segment with which the log begins.
    pub first: u64,
}

/// A frame that nobody has declared stable yet.
#[derive(Debug, Clone, Copy)]
struct Unvouched {
    segment: u64,
    offset: u64,
    size: u64,
    /// Position behind its records.
    end: u64,
}

struct Recovery<'a, D: Disk> {
    disk: &'a mut D,
    seed: Seed,
    known: Known,
    options: &'a Options,
    window: Window,
    end: End,
    /// Everything below this was declared stable by what was read.
    stable: u64,
    unvouched: Vec<Unvouched>,
    /// Segments in which nothing was found behind the head.
    empty: Vec<u64>,
    /// The checksum of each batch of the log, the last one that of the end.
    read: Vec<u32>,
    /// The last segment that belongs to the log, and where its log ends.
    last: Option<(u64, u64)>,
    log_bytes: u64,
}

pub(crate) fn recover<D: Disk>(
    disk: &mut D,
    folder: &Folder,
    known: Known,
    options: &Options,
    opened: &mut Opened,
    replay: Replay<'_>,
) -> Result<Recovered, OpenError> {
    let seed = Seed::new(known.identity);
    let mut recovery = Recovery {
        disk,
        seed,
        known,
        options,
        window: Window::default(),
        end: End::default(),
        stable: known.stable.0,
        unvouched: Vec::new(),
        empty: Vec::new(),
        read: Vec::new(),
        last: None,
        log_bytes: 0,
    };
    let snapshot = folder.snapshots.last().copied();
    let snapshot_bytes = match snapshot {
        Some(number) => recovery.read_snapshot(number, opened, replay)?,
        None => 0,
    };
    let segments: Vec<u64> = folder
        .segments
        .iter()
        .copied()
        .filter(|number| snapshot.is_none_or(|from| *number >= from))
        .collect();
    for number in &segments {
        recovery.read_segment(*number, opened, replay)?;
    }
    recovery.look_behind_the_end(&segments, opened)?;
    let (active, offset) = recovery.settle(&segments, opened)?;
    let Recovery { end, log_bytes, .. } = recovery;
    // A power cut brings back what the snapshot had replaced. By now the name of the snapshot is stable.
    for name in snapshot.into_iter().flat_map(|segment| folder.replaced_by(segment)) {
        drop(disk.remove(&name));
    }
    let first = segments.first().copied().unwrap_or(active);
    Ok(Recovered { end, active, offset, log_bytes, snapshot_bytes, first })
}

impl<D: Disk> Recovery<'_, D> {
    /// A snapshot has its final name only after all of it was stable: whatever is wrong with it is damage.
    fn read_snapshot(
        &mut self,
        number: u64,
        opened: &mut Opened,
        replay: Replay<'_>,
    ) -> Result<u64, OpenError> {
        let name = snapshot_name(number);
        let head = self.file_head(&name, FileKind::Snapshot)?;
        let head = head.ok_or_else(|| self.damaged(&name, 0, "the head of the snapshot is wrong"))?;
        self.window.turn_to(&name);
        let (mut offset, mut sequence, mut chain) = (FILE_HEAD, 0, 0);
        loop {
            let frame = match self.window.frame(self.disk, self.seed, offset)? {
                FrameRead::Whole(frame) if frame.sequence == sequence + 1 && frame.chain == chain => frame,
                FrameRead::Newer(version) => return Err(newer(&name, version)),
                _ => return Err(self.damaged(&name, offset, "a part of the snapshot is missing")),
            };
            match frame.kind {
                FrameKind::Chunk => self.replay_frame(&name, offset, &frame, replay)?,
                FrameKind::End if frame.first == opened.snapshot_records => break,
                _ => return Err(self.damaged(&name, offset, "the snapshot does not end as it should")),
            }
            opened.snapshot_records += u64::from(frame.count);
            (sequence, chain) = (frame.sequence, frame.crc);
            offset += frame.frame_size() as u64;
        }
        self.end = End { position: Position(head.position), sequence: head.sequence, chain: head.chain };
        self.stable = self.stable.max(head.position);
        Ok(offset)
    }

    fn read_segment(
        &mut self,
        number: u64,
        opened: &mut Opened,
        replay: Replay<'_>,
    ) -> Result<(), OpenError> {
        let name = segment_name(number);
        if self.file_head(&name, FileKind::Log)?.is_none() {
            // Never used, or damaged: then what it held is missed by the look behind the end.
            return Ok(());
        }
        self.window.turn_to(&name);
        let mut offset = FILE_HEAD;
        loop {
            let frame = match self.window.frame(self.disk, self.seed, offset)? {
                FrameRead::Whole(frame) => frame,
                FrameRead::Torn(frame) if self.options.planted.accept_torn_tail => frame,
                FrameRead::Newer(version) => return Err(newer(&name, version)),
                FrameRead::Torn(_) | FrameRead::Bad => return Ok(()),
            };
            let size = frame.frame_size() as u64;
            if !self.was_read(&frame) {
                if !self.continues(&frame) {
                    return Ok(());
                }
                self.replay_frame(&name, offset, &frame, replay)?;
                let end = frame.first + u64::from(frame.count);
                self.end = End { position: Position(end), sequence: frame.sequence, chain: frame.crc };
                self.stable = self.stable.max(frame.stable);
                let stable = self.stable;
                self.unvouched.retain(|frame| frame.end > stable);
                self.read.push(frame.crc);
                self.unvouched.push(Unvouched { segment: number, offset, size, end });
                self.last = Some((number, offset + size));
                self.log_bytes += size;
                opened.log_records += u64::from(frame.count);
            }
            offset += size;
        }
    }

    fn continues(&self, frame: &FrameHead) -> bool {
        frame.kind == FrameKind::Batch
            && frame.sequence == self.end.sequence + 1
            && frame.first == self.end.position.0
            && frame.chain == self.end.chain
    }

    /// Another copy of a batch that was read: an earlier opening copied it, and its copy is in use since. The first one is cut off
    /// then, but a power cut brings back what was cut off and not synced, however long ago that was.
    fn was_read(&self, frame: &FrameHead) -> bool {
        let back = self.end.sequence.checked_sub(frame.sequence).and_then(|back| usize::try_from(back).ok());
        back.and_then(|back| self.read.iter().nth_back(back)) == Some(&frame.crc)
    }

    fn replay_frame(
        &mut self,
        name: &str,
        offset: u64,
        frame: &FrameHead,
        replay: Replay<'_>,
    ) -> Result<(), OpenError> {
        let bytes = self.window.payload(self.disk, offset, frame)?;
        for (number, record) in (frame.first..).zip(RecordsRef { count: frame.count, bytes }) {
            replay(record).map_err(|reason| OpenError::Record { file: name.to_owned(), number, reason })?;
        }
        Ok(())
    }

    /// Goes through all that lies behind the end of the log: a whole frame there that declares more stable than was
    /// reached means that records are lost.
    fn look_behind_the_end(&mut self, segments: &[u64], opened: &mut Opened) -> Result<(), OpenError> {
        let (last, end) = self.last.unwrap_or((0, FILE_HEAD));
        let mut declared = self.stable;
        for number in segments.iter().copied().filter(|number| *number >= last) {
            let name = segment_name(number);
            let from = if number == last { end } else { FILE_HEAD };
            let (frames, bytes) = self.search(&name, from)?;
            opened.torn_bytes += bytes;
            if from == FILE_HEAD && bytes == 0 {
                self.empty.push(number);
            }
            declared = frames.iter().map(|frame| frame.stable).max().unwrap_or(0).max(declared);
        }
        if declared > self.end.position.0 {
            let name = segment_name(last.max(segments.first().copied().unwrap_or(0)));
            return Err(OpenError::Damaged {
                file: name,
                offset: end,
                what: "the chain of batches ends here".to_owned(),
                first_lost: self.end.position,
                last_lost: Position(declared - 1),
            });
        }
        Ok(())
    }

    /// Whole frames that were not read, from an offset of a segment on, and how many bytes there are not zero.
    fn search(&mut self, name: &str, from: u64) -> Result<(Vec<FrameHead>, u64), OpenError> {
        const STRIDE: usize = 1 << 16;
        /// Nearly all that is searched is a segment set aside, so that to find nothing must be cheap.
        static NOTHING: [u8; STRIDE] = [0; STRIDE];
        let length = self.disk.length(name)?;
        self.window.turn_to(name);
        let (mut found, mut offset, mut bytes_left) = (Vec::new(), from, 0);
        while offset < length {
            let here = self.window.bytes(self.disk, offset, STRIDE)?;
            if here.is_empty() {
                break;
            }
            let advance = here.len() as u64;
            if NOTHING.get(..here.len()) != Some(here) {
                bytes_left += here.iter().filter(|byte| **byte != 0).count() as u64;
                for at in (offset..offset + advance).step_by(8) {
                    if let FrameRead::Whole(frame) = self.window.frame(self.disk, self.seed, at)?
                        && !self.was_read(&frame)
                    {
                        found.push(frame);
                    }
                }
            }
            offset += advance;
        }
        Ok((found, bytes_left))
    }

    /// Puts what nobody vouches for into a fresh segment, and that on stable storage; then removes what is behind.
    fn settle(&mut self, segments: &[u64], opened: &mut Opened) -> Result<(u64, u64), OpenError> {
        let highest = segments.last().copied().unwrap_or(0).max(self.last.map_or(0, |(number, _)| number));
        let number = if let Some(number) = self.fresh_segment(segments)? {
            // Its head may be in the page cache only: the sync that made it may be the one that failed.
            write_segment_head(self.disk, &segment_name(number), self.known.identity, number)?;
            number
        } else {
            let size = self.options.segment_size;
            make_segment(self.disk, &segment_name(highest + 1), self.known.identity, highest + 1, size)?;
            highest + 1
        };
        let active = segment_name(number);
        let mut offset = FILE_HEAD;
        for frame in std::mem::take(&mut self.unvouched) {
            let size = usize::try_from(frame.size).unwrap_or(usize::MAX);
            self.window.turn_to(&segment_name(frame.segment));
            let bytes = self.window.bytes(self.disk, frame.offset, size)?.to_vec();
            self.disk.write(&active, offset, &bytes)?;
            offset += frame.size;
            opened.copied_bytes += frame.size;
            if let Some((last, end)) = &mut self.last {
                let earlier = (frame.segment, frame.offset);
                if earlier < (*last, *end) {
                    (*last, *end) = earlier;
                }
            }
        }
        sync(self.disk, &active).map_err(Trouble::from)?;
        sync_folder(self.disk).map_err(Trouble::from)?;
        self.remove_what_is_behind(segments, number)?;
        Ok((number, offset))
    }

    /// A segment behind the log that was set aside and never written to.
    fn fresh_segment(&mut self, segments: &[u64]) -> Result<Option<u64>, OpenError> {
        let last = self.last.map_or(0, |(number, _)| number);
        for number in segments.iter().copied().filter(|number| *number > last) {
            let name = segment_name(number);
            let usable = self.file_head(&name, FileKind::Log)?.is_some()
                && self.disk.length(&name)? >= self.options.segment_size
                && self.empty.contains(&number);
            if usable {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    fn remove_what_is_behind(&mut self, segments: &[u64], active: u64) -> Result<(), OpenError> {
        let (last, end) = self.last.unwrap_or((0, FILE_HEAD));
        for number in segments.iter().copied().filter(|number| *number != active) {
            let name = segment_name(number);
            if number > last {
                self.disk.remove(&name)?;
            } else if number == last && self.disk.length(&name)? > end {
                self.disk.truncate(&name, end)?;
                sync(self.disk, &name).map_err(Trouble::from)?;
            }
        }
        sync_folder(self.disk).map_err(Trouble::from)?;
        Ok(())
    }

    fn file_head(&mut self, name: &str, kind: FileKind) -> Result<Option<Head>, OpenError> {
        let mut bytes = [0; HEAD_BYTES];
        let got = self.disk.read(name, 0, &mut bytes).map_err(|error: DiskError| OpenError::Disk(error))?;
        match Head::decode(kind, &bytes[..got]) {
            HeadRead::Good(head) if head.identity == self.known.identity => Ok(Some(head)),
            HeadRead::Newer(version) => Err(newer(name, version)),
            HeadRead::Good(_) | HeadRead::Bad => Ok(None),
        }
    }

    fn damaged(&self, file: &str, offset: u64, what: &str) -> OpenError {
        OpenError::Damaged {
            file: file.to_owned(),
            offset,
            what: what.to_owned(),
            first_lost: self.end.position,
            last_lost: Position(self.stable.max(1) - 1),
        }
    }
}

fn newer(file: &str, version: u8) -> OpenError {
    OpenError::NewerVersion { file: file.to_owned(), version, known: VERSION }
}
