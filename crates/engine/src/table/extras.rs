//! What is kept with a binding beside its times, for people and for the partner.
//!
//! *Lives here:* [`Extras`]: all of it in one piece of memory, because there are millions of them.
//! *Must not know:* what becomes of a binding.

use crate::record::{ClientDetails, MAX_EXTRA};

/// Most bytes of all together, so that a record has room for them. What comes last is not kept.
const MOST: usize = 3000;

/// Number (1 byte) and length (2 bytes) before each.
const HEAD: usize = 3;

/// A hardware address that does not fit into six bytes, hardware type first: a number that no item of a record has.
const HARDWARE: u8 = 255;

/// For whom the address is reserved, as the two servers know it; the number of its item in a record.
const RESERVED_FOR: u8 = 10;

/// What is kept, and is not empty: each with its number and its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extras(Box<[u8]>);

/// Byte strings to be kept.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pieces<'a> {
    pub(crate) details: ClientDetails<'a>,
    /// hardware type and address, where they do not fit into six bytes.
    pub(crate) hardware: &'a [u8],
    /// See [`crate::record::BindingRecord::reserved_for`].
    pub(crate) reserved_for: Option<[u8; 8]>,
}

impl Pieces<'_> {
    fn is_empty(&self) -> bool {
        self.hardware.is_empty()
            && self.reserved_for.is_none()
            && self.details.items().iter().all(|(_, value)| value.is_empty())
    }
}

impl Extras {
    /// All that is kept.
    pub(crate) fn pieces(&self) -> Pieces<'_> {
        let mut pieces = Pieces::default();
        let mut rest = &self.0[..];
        while let Some((head, after)) = rest.split_first_chunk::<HEAD>() {
            let length = usize::from(u16::from_le_bytes([head[1], head[2]]));
            let Some((value, after)) = after.split_at_checked(length) else { break };
            rest = after;
            match head[0] {
                HARDWARE => pieces.hardware = value,
                RESERVED_FOR => pieces.reserved_for = value.try_into().ok(),
                number => {
                    pieces.details.set(number, value);
                }
            }
        }
        pieces
    }

    /// Puts these in the place of what is kept, in the same memory where the whole is as long as before.
    pub(crate) fn replace(kept: &mut Option<Extras>, pieces: &Pieces<'_>) {
        // Most clients say nothing of it, and a start asks for each binding.
        if pieces.is_empty() {
            *kept = None;
            return;
        }
        let mut all: [(u8, &[u8]); ClientDetails::COUNT + 2] = [(0, &[]); ClientDetails::COUNT + 2];
        let reserved_for = pieces.reserved_for.as_ref().map_or(&[][..], |key| key);
        all[0] = (RESERVED_FOR, reserved_for);
        all[1] = (HARDWARE, pieces.hardware);
        all[2..].copy_from_slice(&pieces.details.items());
        let mut size = 0;
        for (_, value) in &mut all {
            if value.is_empty() || value.len() > MAX_EXTRA || size + HEAD + value.len() > MOST {
                *value = &[];
            } else {
                size += HEAD + value.len();
            }
        }
        if size == 0 {
            *kept = None;
            return;
        }
        match kept {
            Some(Extras(bytes)) if bytes.len() == size => write(bytes, &all),
            _ => {
                let mut bytes = vec![0; size].into_boxed_slice();
                write(&mut bytes, &all);
                *kept = Some(Extras(bytes));
            }
        }
    }
}

/// Fills `bytes`, which has just the room for what is not empty.
fn write(mut bytes: &mut [u8], all: &[(u8, &[u8])]) {
    for (number, value) in all.iter().filter(|(_, value)| !value.is_empty()) {
        let (head, rest) = bytes.split_at_mut(HEAD);
        let (target, after) = rest.split_at_mut(value.len());
        head[0] = *number;
        head[1..].copy_from_slice(&u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
        target.copy_from_slice(value);
        bytes = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details<'a>(host_name: &'a [u8], relay_agent_information: &'a [u8]) -> Pieces<'a> {
        let details = ClientDetails { host_name, relay_agent_information, ..ClientDetails::default() };
        Pieces { details, ..Pieces::default() }
    }

    #[test]
    fn each_piece_comes_back() {
        let mut kept = None;
        let all = ClientDetails {
            host_name: b"laptop",
            relay_agent_information: &[1, 2, 0, 7],
            vendor_class: b"MSFT 5.0",
            client_fqdn: &[0, 0, 0, b'x'],
            user_class: &[1, b'u'],
            subnet_selection: &[10, 0, 0, 0],
            ddns: &[0, 3, 1, b'x', 0],
            reply_options: &[99, 130, 83, 99, 58, 4, 0, 0, 0, 9],
        };
        for (details, hardware, reserved_for) in [
            (all, &[32, 9][..], Some([7; 8])),
            (ClientDetails::default(), &[], Some([8; 8])),
            (ClientDetails { ddns: &[0, 0], ..ClientDetails::default() }, &[], None),
        ] {
            Extras::replace(&mut kept, &Pieces { details, hardware, reserved_for });
            let pieces = kept.as_ref().unwrap().pieces();
            assert_eq!(
                (pieces.details, pieces.hardware, pieces.reserved_for),
                (details, hardware, reserved_for)
            );
        }
        Extras::replace(&mut kept, &Pieces::default());
        assert_eq!(kept, None);
    }

    #[test]
    fn memory_is_used_again_where_it_has_the_size() {
        let mut kept = None;
        Extras::replace(&mut kept, &details(b"abc", &[1, 1, 7]));
        let before = kept.as_ref().unwrap().0.as_ptr();
        Extras::replace(&mut kept, &details(b"ab", &[1, 1, 8, 9]));
        assert_eq!(kept.as_ref().unwrap().0.as_ptr(), before);
        assert_eq!(kept.as_ref().unwrap().pieces().details, details(b"ab", &[1, 1, 8, 9]).details);
    }

    #[test]
    fn what_is_too_long_is_not_kept_nor_what_is_too_much() {
        let (mut kept, long, too_long) = (None, [1; MAX_EXTRA], [1; MAX_EXTRA + 1]);
        Extras::replace(&mut kept, &details(&too_long, b"x"));
        assert_eq!(kept.as_ref().unwrap().pieces().details, details(b"", b"x").details);
        let mut all = details(&long, &long);
        (all.details.vendor_class, all.details.user_class) = (&long, b"short");
        Extras::replace(&mut kept, &all);
        all.details.vendor_class = b"";
        assert_eq!(kept.as_ref().unwrap().pieces().details, all.details);
        assert!(kept.unwrap().0.len() <= MOST);
    }
}
