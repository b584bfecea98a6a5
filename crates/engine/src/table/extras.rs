//! What a client sent along and is kept with its binding for people and hooks.
//!
//! *Lives here:* [`Extras`]: all of it in one piece of memory, because there are millions of them.
//! *Must not know:* what becomes of a binding.

/// Host name, option 82, vendor class, and a hardware address that does not fit into six bytes (hardware type first).
const PIECES: usize = 4;

/// Four lengths of two bytes.
const HEAD: usize = 2 * PIECES;

/// Four byte strings, of which at least one is not empty: their lengths, then their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extras(Box<[u8]>);

/// One of the byte strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extra {
    HostName,
    RelayAgentInformation,
    VendorClass,
    Hardware,
}

impl Extras {
    /// The bytes of one; empty when the client sent none.
    pub(crate) fn get(&self, extra: Extra) -> &[u8] {
        let place = extra as usize;
        let start = HEAD + (0..place).map(|before| self.length(before)).sum::<usize>();
        self.0.get(start..start + self.length(place)).unwrap_or_default()
    }

    /// Puts all four in the place of what is kept, in the same memory where the whole is as long as before. Each is shorter
    /// than 64 KiB; a longer one is not kept.
    pub(crate) fn replace(kept: &mut Option<Extras>, pieces: [&[u8]; PIECES]) {
        let pieces = pieces.map(|piece| if u16::try_from(piece.len()).is_ok() { piece } else { &[] });
        let content: usize = pieces.iter().map(|piece| piece.len()).sum();
        if content == 0 {
            *kept = None;
            return;
        }
        match kept {
            Some(Extras(bytes)) if bytes.len() == HEAD + content => write(bytes, pieces),
            _ => {
                let mut bytes = vec![0; HEAD + content].into_boxed_slice();
                write(&mut bytes, pieces);
                *kept = Some(Extras(bytes));
            }
        }
    }

    fn length(&self, place: usize) -> usize {
        let length = self.0.get(2 * place..).and_then(|rest| rest.first_chunk());
        length.map_or(0, |length| usize::from(u16::from_le_bytes(*length)))
    }
}

/// Fills `bytes`, which has just the room.
fn write(bytes: &mut [u8], pieces: [&[u8]; PIECES]) {
    let (head, mut rest) = bytes.split_at_mut(HEAD);
    for (length, piece) in head.chunks_exact_mut(2).zip(pieces) {
        length.copy_from_slice(&u16::try_from(piece.len()).unwrap_or(0).to_le_bytes());
        let (target, after) = rest.split_at_mut(piece.len());
        target.copy_from_slice(piece);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(extras: &Extras) -> [&[u8]; PIECES] {
        [Extra::HostName, Extra::RelayAgentInformation, Extra::VendorClass, Extra::Hardware]
            .map(|extra| extras.get(extra))
    }

    #[test]
    fn each_piece_comes_back() {
        let mut kept = None;
        let long = [7; 1024];
        for pieces in [
            [&b"laptop"[..], &[1, 2, 0, 7], b"", &[6, 1, 2, 3, 4, 5, 6]],
            [b"", b"", b"MSFT 5.0", b""],
            [&long, &long, &long, &[]],
            [b"", b"", b"", &[32, 9]],
        ] {
            Extras::replace(&mut kept, pieces);
            assert_eq!(all(kept.as_ref().unwrap()), pieces);
        }
        Extras::replace(&mut kept, [b""; PIECES]);
        assert_eq!(kept, None);
    }

    #[test]
    fn memory_is_used_again_where_it_has_the_size() {
        let mut kept = None;
        Extras::replace(&mut kept, [b"abc", &[1, 1, 7], b"", b""]);
        let before = kept.as_ref().unwrap().0.as_ptr();
        Extras::replace(&mut kept, [b"ab", &[1, 1, 8, 9], b"", b""]);
        assert_eq!(kept.as_ref().unwrap().0.as_ptr(), before);
        assert_eq!(all(kept.as_ref().unwrap()), [&b"ab"[..], &[1, 1, 8, 9], b"", b""]);
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let mut kept = None;
        Extras::replace(&mut kept, [&vec![1; 65_536], b"", b"x", b""]);
        assert_eq!(all(kept.as_ref().unwrap()), [&b""[..], b"", b"x", b""]);
    }
}
