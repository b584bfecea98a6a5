//! The bytes of packets that wait.
//!
//! *Lives here:* [`Memory`]: blocks of one size; a packet lies in one of them, a long one in several.
//! *Must not know:* what the bytes say, in which order they are wanted.

use dhcp::message::MAX_MESSAGE_SIZE;

/// Bytes of a block: nearly every message of a client fits into one.
pub const BLOCK: usize = 640;

/// Blocks of the longest message.
const MOST: usize = MAX_MESSAGE_SIZE.div_ceil(BLOCK);

/// So many blocks and no more.
#[derive(Debug)]
pub(super) struct Memory {
    /// Pages of it that nobody has written cost nothing.
    blocks: Box<[[u8; BLOCK]]>,
    /// For a block in use, the next of the same packet; for one that was used and is free, the next of these.
    next: Vec<Option<u32>>,
    free: Option<u32>,
    used: usize,
    /// Where the pieces of a long packet are put together.
    whole: Box<[u8; MOST * BLOCK]>,
}

impl Memory {
    /// So many blocks, and as many as the longest packet takes at least.
    pub(super) fn new(blocks: u32) -> Memory {
        let blocks = usize::try_from(blocks).unwrap_or(MOST).max(MOST);
        Memory {
            blocks: vec![[0; BLOCK]; blocks].into_boxed_slice(),
            next: Vec::with_capacity(blocks),
            free: None,
            used: 0,
            whole: Box::new([0; MOST * BLOCK]),
        }
    }

    pub(super) fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Whether a packet of this length can be kept, or is so long that none can.
    pub(super) fn has_room(&self, length: usize) -> bool {
        length > MAX_MESSAGE_SIZE || self.used + needed(length) <= self.blocks.len()
    }

    /// Keeps a packet; the first of its blocks. `None` when there is no room, or it is longer than any message.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Option<u32> {
        if bytes.len() > MAX_MESSAGE_SIZE || !self.has_room(bytes.len()) {
            return None;
        }
        // From its end to its beginning: each block knows the next one.
        let mut after = None;
        for at in (0..needed(bytes.len())).rev() {
            let number = self.take()?;
            let piece = &bytes[at * BLOCK..bytes.len().min((at + 1) * BLOCK)];
            self.blocks[number as usize][..piece.len()].copy_from_slice(piece);
            self.next[number as usize] = after;
            after = Some(number);
        }
        after
    }

    /// Writes over a packet that lies in one block, with one that does too.
    pub(super) fn write(&mut self, block: u32, bytes: &[u8]) {
        let length = bytes.len().min(BLOCK);
        self.blocks[block as usize][..length].copy_from_slice(&bytes[..length]);
    }

    /// The bytes of a packet that lies in one block, where they are.
    pub(super) fn whole(&self, block: u32, length: usize) -> Option<&[u8]> {
        self.blocks[block as usize].get(..length)
    }

    /// The bytes of a packet.
    pub(super) fn read(&mut self, block: u32, length: usize) -> &[u8] {
        if length <= BLOCK {
            return &self.blocks[block as usize][..length];
        }
        let mut at = Some(block);
        for piece in self.whole.chunks_exact_mut(BLOCK) {
            let Some(number) = at else { break };
            piece.copy_from_slice(&self.blocks[number as usize]);
            at = self.next[number as usize];
        }
        self.whole.get(..length).unwrap_or(&[])
    }

    /// Gives back the blocks of a packet.
    pub(super) fn free(&mut self, block: u32) {
        let mut at = Some(block);
        while let Some(number) = at {
            at = self.next[number as usize];
            self.next[number as usize] = self.free;
            self.free = Some(number);
            self.used -= 1;
        }
    }

    fn take(&mut self) -> Option<u32> {
        let number = match self.free {
            Some(number) => {
                self.free = self.next[number as usize];
                number
            }
            None if self.next.len() < self.blocks.len() => {
                self.next.push(None);
                u32::try_from(self.next.len() - 1).ok()?
            }
            None => return None,
        };
        self.used += 1;
        Some(number)
    }
}

/// Blocks of a packet of this length; one without bytes has its own too.
fn needed(length: usize) -> usize {
    length.div_ceil(BLOCK).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: usize, salt: usize) -> Vec<u8> {
        (0..length).map(|at| u8::try_from((at * 7 + at / BLOCK + salt) % 251).unwrap()).collect()
    }

    #[test]
    fn what_is_kept_is_read_whatever_its_length() {
        let mut memory = Memory::new(20);
        for length in [0, 1, 300, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, MAX_MESSAGE_SIZE] {
            let (one, other) = (bytes(length, 1), bytes(length, 2));
            let first = memory.keep(&one).unwrap();
            let second = memory.keep(&other).unwrap();
            assert_eq!(memory.used, 2 * needed(length));
            assert_eq!(memory.read(first, length), one);
            assert_eq!(memory.read(second, length), other);
            memory.free(first);
            assert_eq!(memory.read(second, length), other, "what others free is not ours");
            memory.free(second);
            assert_eq!(memory.used, 0);
        }
        assert_eq!(memory.keep(&[0; MAX_MESSAGE_SIZE + 1]), None);
        assert!(memory.has_room(MAX_MESSAGE_SIZE + 1), "nobody has to go for what is not kept");
    }

    #[test]
    fn there_is_no_more_than_there_is() {
        let mut memory = Memory::new(0);
        assert_eq!(memory.blocks(), MOST);
        let kept: Vec<u32> = (0..MOST).map(|_| memory.keep(&[7; 300]).unwrap()).collect();
        assert!(!memory.has_room(1));
        assert_eq!(memory.keep(&[8]), None);
        memory.free(kept[3]);
        assert!(memory.has_room(BLOCK) && !memory.has_room(BLOCK + 1));
        assert_eq!(memory.keep(&[8]), Some(kept[3]));
    }
}
