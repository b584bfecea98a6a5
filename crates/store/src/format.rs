//! *Lives here*: each byte that the store writes: the head of a file and the frame around a run of records, as
//! `docs/store-format.md` shows them. *May know*: bytes and CRC-32C. *Must not know*: disks, recovery.

use crate::values::StoreIdentity;

/// The largest payload of a batch or chunk in bytes, lengths of the records included: 4 MiB.
pub const MAXIMUM_BATCH: usize = 4 << 20;
/// Bytes before the first frame of a segment or a snapshot; one sector, so that no write of a frame touches the head.
pub const FILE_HEAD: u64 = 512;
/// The same, as the size of a buffer.
pub(crate) const FILE_HEAD_SIZE: usize = 512;
/// The most bytes that a frame takes besides its payload: head, padding, end mark.
pub const FRAME_OVERHEAD: usize = FRAME_HEAD + 7 + FRAME_END;

/// The version of everything written here.
pub(crate) const VERSION: u8 = 1;
pub(crate) const HEAD_BYTES: usize = 64;
pub(crate) const FRAME_HEAD: usize = 56;
const FRAME_END: usize = 8;
const FRAME_MAGIC: [u8; 4] = *b"TDMf";
const END_MAGIC: [u8; 4] = *b"END\n";

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Identity,
    Log,
    Snapshot,
}

impl FileKind {
    fn magic(self) -> [u8; 8] {
        match self {
            Self::Identity => *b"TDM-IDY\n",
            Self::Log => *b"TDM-LOG\n",
            Self::Snapshot => *b"TDM-SNP\n",
        }
    }
}

/// The head of a file. The numbers mean: in the identity file generation and stable position; in a segment its number;
/// in a snapshot the segment, position, sequence and chain from which the log goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub identity: StoreIdentity,
    pub number: u64,
    pub position: u64,
    pub sequence: u64,
    pub chain: u32,
}

/// What 64 bytes turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadRead {
    Good(Head),
    Newer(u8),
    Bad,
}

impl Head {
    pub(crate) fn encode(&self, kind: FileKind) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0..8].copy_from_slice(&kind.magic());
        bytes[8] = VERSION;
        bytes[16..32].copy_from_slice(&self.identity.0);
        bytes[32..40].copy_from_slice(&self.number.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.position.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.chain.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(kind: FileKind, bytes: &[u8]) -> HeadRead {
        let Some(bytes) = bytes.first_chunk::<HEAD_BYTES>() else { return HeadRead::Bad };
        if bytes[0..8] != kind.magic() || crc32c::crc32c(&bytes[..60]) != u32_at(bytes, 60) {
            return HeadRead::Bad;
        }
        if bytes[8] > VERSION {
            return HeadRead::Newer(bytes[8]);
        }
        let mut identity = [0; 16];
        identity.copy_from_slice(&bytes[16..32]);
        HeadRead::Good(Self {
            identity: StoreIdentity(identity),
            number: u64_at(bytes, 32),
            position: u64_at(bytes, 40),
            sequence: u64_at(bytes, 48),
            chain: u32_at(bytes, 56),
        })
    }
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// A batch of the log.
    Batch,
    /// Records of a snapshot.
    Chunk,
    /// The last frame of a snapshot.
    End,
}

impl FrameKind {
    fn code(self) -> u8 {
        match self {
            Self::Batch => 1,
            Self::Chunk => 2,
            Self::End => 3,
        }
    }
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub kind: FrameKind,
    /// 1, 2, 3, … through the life of the log, or within one snapshot.
    pub sequence: u64,
    /// Number of the first record.
    pub first: u64,
    /// Every record of the log below this was stable when the frame was written.
    pub stable: u64,
    pub count: u32,
    pub length: u32,
    /// [`FrameHead::crc`] of the frame before.
    pub chain: u32,
    pub payload_crc: u32,
    /// Over all of the above, hence over the payload too.
    pub crc: u32,
}

/// What bytes turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameHeadRead {
    Good(FrameHead),
    Newer(u8),
    Bad,
}

/// Where the checksums of one store begin. Other stores' bytes, and bytes that a client had put into a record to look like a
/// frame, do not add up with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn new(identity: StoreIdentity) -> Self {
        Self(crc32c::crc32c(&identity.0))
    }

    pub(crate) fn crc(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, bytes)
    }
}

impl FrameHead {
    /// Replaces `frame` by the bytes of one; returns its CRC, which the next one names. `payload_crc` and `crc` of `self`
    /// are computed, `length` is taken from the payload, which must not exceed [`MAXIMUM_BATCH`].
    pub(crate) fn encode(&self, seed: Seed, payload: &[u8], frame: &mut Vec<u8>) -> u32 {
        frame.clear();
        frame.extend_from_slice(&FRAME_MAGIC);
        frame.extend_from_slice(&[VERSION, self.kind.code(), 0, 0]);
        frame.extend_from_slice(&self.sequence.to_le_bytes());
        frame.extend_from_slice(&self.first.to_le_bytes());
        frame.extend_from_slice(&self.stable.to_le_bytes());
        frame.extend_from_slice(&self.count.to_le_bytes());
        frame.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        frame.extend_from_slice(&self.chain.to_le_bytes());
        frame.extend_from_slice(&seed.crc(payload).to_le_bytes());
        let crc = seed.crc(frame);
        frame.extend_from_slice(&crc.to_le_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        frame.resize(FRAME_HEAD + padded(payload.len()), 0);
        frame.extend_from_slice(&end_mark(crc));
        crc
    }

    /// Reads the head of a frame; the payload is not looked at.
    pub(crate) fn decode(seed: Seed, bytes: &[u8]) -> FrameHeadRead {
        let Some(bytes) = bytes.first_chunk::<FRAME_HEAD>() else { return FrameHeadRead::Bad };
        if bytes[0..4] != FRAME_MAGIC || seed.crc(&bytes[..48]) != u32_at(bytes, 48) {
            return FrameHeadRead::Bad;
        }
        if bytes[4] > VERSION {
            return FrameHeadRead::Newer(bytes[4]);
        }
        let kind = match bytes[5] {
            1 => FrameKind::Batch,
            2 => FrameKind::Chunk,
            3 => FrameKind::End,
            _ => return FrameHeadRead::Bad,
        };
        let head = Self {
            kind,
            sequence: u64_at(bytes, 8),
            first: u64_at(bytes, 16),
            stable: u64_at(bytes, 24),
            count: u32_at(bytes, 32),
            length: u32_at(bytes, 36),
            chain: u32_at(bytes, 40),
            payload_crc: u32_at(bytes, 44),
            crc: u32_at(bytes, 48),
        };
        if head.payload_size() > MAXIMUM_BATCH { FrameHeadRead::Bad } else { FrameHeadRead::Good(head) }
    }

    /// Bytes of the payload.
    pub(crate) fn payload_size(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }

    /// Bytes of the whole frame.
    pub(crate) fn frame_size(&self) -> usize {
        frame_size(self.payload_size())
    }

    /// Whether what follows the head is the payload and end mark that it tells of. `rest` starts after the head.
    pub(crate) fn fits(&self, seed: Seed, rest: &[u8]) -> bool {
        let payload = self.payload_size();
        let Some(end) = rest.get(padded(payload)..padded(payload) + FRAME_END) else { return false };
        end == end_mark(self.crc) && seed.crc(&rest[..payload]) == self.payload_crc
    }
}

/// Bytes of a frame with a payload of this many.
pub(crate) fn frame_size(payload: usize) -> usize {
    FRAME_HEAD + padded(payload) + FRAME_END
}

/// The end mark is never zero: a write that stopped short can not look whole because the rest would have been zeros.
fn end_mark(crc: u32) -> [u8; FRAME_END] {
    let mut mark = [0; FRAME_END];
    mark[..4].copy_from_slice(&crc.to_le_bytes());
    mark[4..].copy_from_slice(&END_MAGIC);
    mark
}

/// Frames begin at multiples of 8, so that a search need not look at every byte.
fn padded(length: usize) -> usize {
    length.saturating_add(7) & !7
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(value)
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: StoreIdentity = StoreIdentity([7; 16]);

    fn frame(payload: &[u8]) -> (FrameHead, Vec<u8>) {
        let head = FrameHead {
            kind: FrameKind::Batch,
            sequence: 3,
            first: 40,
            stable: 38,
            count: 1,
            length: 0,
            chain: 0xdead_beef,
            payload_crc: 0,
            crc: 0,
        };
        let mut bytes = Vec::new();
        head.encode(Seed::new(IDENTITY), payload, &mut bytes);
        (head, bytes)
    }

    #[test]
    fn a_frame_comes_back_and_any_flipped_bit_is_noticed() {
        let seed = Seed::new(IDENTITY);
        let (head, bytes) = frame(b"\x05\0\0\0hello");
        let FrameHeadRead::Good(read) = FrameHead::decode(seed, &bytes) else { panic!("not read") };
        assert_eq!(
            (read.sequence, read.first, read.stable, read.count, read.length, read.chain),
            (head.sequence, head.first, head.stable, head.count, 9, head.chain)
        );
        assert_eq!((read.frame_size(), bytes.len() % 8), (bytes.len(), 0));
        assert!(read.fits(seed, &bytes[FRAME_HEAD..]));
        let padding = FRAME_HEAD + 9..FRAME_HEAD + 16;
        for bit in 0..bytes.len() * 8 {
            if padding.contains(&(bit / 8)) || (52..56).contains(&(bit / 8)) {
                continue;
            }
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let whole = matches!(FrameHead::decode(seed, &flipped), FrameHeadRead::Good(h) if h.fits(seed, &flipped[FRAME_HEAD..]));
            assert!(!whole, "bit {bit}");
        }
    }

    #[test]
    fn a_write_that_stopped_short_over_zeros_is_never_whole() {
        let seed = Seed::new(IDENTITY);
        let (_, bytes) = frame(&[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for end in 0..bytes.len() {
            let mut short = bytes[..end].to_vec();
            short.resize(bytes.len(), 0);
            let whole = matches!(FrameHead::decode(seed, &short), FrameHeadRead::Good(h) if h.fits(seed, &short[FRAME_HEAD..]));
            assert!(!whole, "stopped at {end}");
        }
    }

    #[test]
    fn a_frame_of_another_store_is_no_frame() {
        let (_, bytes) = frame(b"");
        assert_eq!(FrameHead::decode(Seed::new(StoreIdentity([8; 16])), &bytes), FrameHeadRead::Bad);
    }

    #[test]
    fn a_head_comes_back_and_its_kind_and_version_count() {
        let head = Head { identity: IDENTITY, number: 1, position: 2, sequence: 3, chain: 4 };
        let bytes = head.encode(FileKind::Log);
        assert_eq!(Head::decode(FileKind::Log, &bytes), HeadRead::Good(head));
        assert_eq!(Head::decode(FileKind::Snapshot, &bytes), HeadRead::Bad);
        assert_eq!(Head::decode(FileKind::Log, &bytes[..63]), HeadRead::Bad);
        let mut newer = bytes;
        newer[8] = 9;
        let crc = crc32c::crc32c(&newer[..60]);
        newer[60..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Head::decode(FileKind::Log, &newer), HeadRead::Newer(9));
    }
}
