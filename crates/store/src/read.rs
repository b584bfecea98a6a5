//! *Lives here*: reading files piece by piece in bounded memory. *May know*: frames. *Must not know*: what a bad one means.

use crate::disk::{Disk, DiskError};
use crate::format::{FRAME_HEAD, FrameHead, FrameHeadRead, Seed};

/// Bytes read ahead.
const AHEAD: usize = 1 << 20;

/// A stretch of one file in memory. At most a frame and [`AHEAD`] bytes.
#[derive(Debug, Default)]
pub(crate) struct Window {
    file: String,
    buffer: Vec<u8>,
    start: u64,
    filled: usize,
}

/// What stands at a place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameRead {
    /// A frame with the payload that its head tells of.
    Whole(FrameHead),
    /// A good head; what follows is not what it tells of.
    Torn(FrameHead),
    Newer(u8),
    Bad,
}

impl Window {
    /// Turns to another file.
    pub(crate) fn turn_to(&mut self, file: &str) {
        file.clone_into(&mut self.file);
        self.start = 0;
        self.filled = 0;
    }

    /// The bytes from `offset`, `length` of them or fewer where the file ends.
    pub(crate) fn bytes<D: Disk>(
        &mut self,
        disk: &mut D,
        offset: u64,
        length: usize,
    ) -> Result<&[u8], DiskError> {
        let inside = offset.checked_sub(self.start).and_then(|from| usize::try_from(from).ok());
        if let Some(from) = inside
            && from.checked_add(length).is_some_and(|to| to <= self.filled)
        {
            return Ok(&self.buffer[from..from + length]);
        }
        let want = length.max(AHEAD);
        if self.buffer.len() < want {
            self.buffer.resize(want, 0);
        }
        self.filled = 0;
        self.filled = disk.read(&self.file, offset, &mut self.buffer[..want])?;
        self.start = offset;
        Ok(&self.buffer[..length.min(self.filled)])
    }

    /// The frame at `offset`.
    pub(crate) fn frame<D: Disk>(
        &mut self,
        disk: &mut D,
        seed: Seed,
        offset: u64,
    ) -> Result<FrameRead, DiskError> {
        let head = match FrameHead::decode(seed, self.bytes(disk, offset, FRAME_HEAD)?) {
            FrameHeadRead::Good(head) => head,
            FrameHeadRead::Newer(version) => return Ok(FrameRead::Newer(version)),
            FrameHeadRead::Bad => return Ok(FrameRead::Bad),
        };
        let rest = self.bytes(disk, offset, head.frame_size())?.get(FRAME_HEAD..).unwrap_or_default();
        Ok(if head.fits(seed, rest) { FrameRead::Whole(head) } else { FrameRead::Torn(head) })
    }

    /// The payload of the frame at `offset`.
    pub(crate) fn payload<D: Disk>(
        &mut self,
        disk: &mut D,
        offset: u64,
        head: &FrameHead,
    ) -> Result<&[u8], DiskError> {
        let size = head.payload_size();
        let from = offset.saturating_add(FRAME_HEAD as u64);
        self.bytes(disk, from, size)
    }
}
