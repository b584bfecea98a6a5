//! The value of an option, wherever its parts lie.
//!
//! *Lives here:* [`OptionValue`], and the walk over the options of a message that it and [`crate::Message`] share.
//! *May know:* RFC 3396 (long options), RFC 2131 4.1 (overload).
//! *Must not know:* what any option means.

use crate::options::code;
use std::fmt;

/// The fields of a message that hold options, in the order in which RFC 3396 section 7 concatenates them: options,
/// file, sname. A field that holds none is empty.
#[derive(Clone, Copy)]
pub(crate) struct Areas<'a>(pub(crate) [&'a [u8]; 3]);

impl<'a> Areas<'a> {
    pub(crate) fn segments(self) -> Segments<'a> {
        Segments { areas: self, current: 0 }
    }
}

/// Walks over options as they lie in a message. Ends a field where it ends, at END, and at what does not fit into it
/// (which [`crate::Message::parse`] has refused before anybody walks).
#[derive(Clone, Copy)]
pub(crate) struct Segments<'a> {
    areas: Areas<'a>,
    current: usize,
}

#[expect(
    clippy::copy_iterator,
    reason = "a value keeps one to begin from again; each walk copies it on purpose"
)]
impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let area = self.areas.0.get_mut(self.current)?;
            match *area {
                [code::PAD, rest @ ..] => *area = rest,
                [option, length, rest @ ..] if *option != code::END && rest.len() >= usize::from(*length) => {
                    let (value, rest) = rest.split_at(usize::from(*length));
                    *area = rest;
                    return Some((*option, value));
                }
                _ => self.current += 1,
            }
        }
    }
}

/// The value of an option: one piece, or several that count as one (RFC 3396). Copying it copies no bytes.
///
/// Two values are equal when their bytes are, however they are cut.
#[derive(Clone, Copy)]
pub struct OptionValue<'a>(Parts<'a>);

#[derive(Clone, Copy)]
enum Parts<'a> {
    Whole(&'a [u8]),
    /// `length` bytes, after the first `skip`, of what the options with this code hold together.
    Split {
        segments: Segments<'a>,
        code: u8,
        skip: usize,
        length: usize,
    },
}

impl<'a> OptionValue<'a> {
    /// A value in one piece.
    pub const fn from_slice(bytes: &'a [u8]) -> OptionValue<'a> {
        OptionValue(Parts::Whole(bytes))
    }

    /// All options with this code together.
    pub(crate) fn concatenated(areas: Areas<'a>, code: u8) -> OptionValue<'a> {
        let segments = areas.segments();
        let length = segments.filter(|(option, _)| *option == code).map(|(_, value)| value.len()).sum();
        OptionValue(Parts::Split { segments, code, skip: 0, length })
    }

    /// The bytes from `from` on, `count` of them, of this value; `None` if it has not so many.
    pub fn part(&self, from: usize, count: usize) -> Option<OptionValue<'a>> {
        let end = from.checked_add(count)?;
        match self.0 {
            Parts::Whole(bytes) => bytes.get(from..end).map(OptionValue::from_slice),
            Parts::Split { segments, code, skip, length } => (end <= length)
                .then_some(OptionValue(Parts::Split { segments, code, skip: skip + from, length: count })),
        }
    }

    /// Number of bytes, 0 to [`crate::message::MAX_MESSAGE_SIZE`].
    pub fn len(&self) -> usize {
        match self.0 {
            Parts::Whole(bytes) => bytes.len(),
            Parts::Split { length, .. } => length,
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, when they lie in one piece. See [`copy_into`](Self::copy_into) for the other case.
    pub fn as_slice(&self) -> Option<&'a [u8]> {
        match self.0 {
            Parts::Whole(bytes) => Some(bytes),
            Parts::Split { .. } => {
                let mut fragments = self.fragments().filter(|fragment| !fragment.is_empty());
                let first = fragments.next().unwrap_or_default();
                fragments.next().is_none().then_some(first)
            }
        }
    }

    /// The pieces as they lie in the message, empty ones too.
    pub fn fragments(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        match self.0 {
            Parts::Whole(bytes) => Fragments {
                whole: Some(bytes),
                segments: Areas([&[]; 3]).segments(),
                code: 0,
                skip: 0,
                left: 0,
            },
            Parts::Split { segments, code, skip, length } => {
                Fragments { whole: None, segments, code, skip, left: length }
            }
        }
    }

    /// The bytes, one by one.
    pub fn iter(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        self.fragments().flat_map(|fragment| fragment.iter().copied())
    }

    /// Copies the bytes to the start of `buffer` and returns that part of it; `None`, and nothing copied, when
    /// `buffer` is too small.
    pub fn copy_into<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let target = buffer.get_mut(..self.len())?;
        let mut rest = &mut *target;
        for fragment in self.fragments() {
            let (head, tail) = rest.split_at_mut_checked(fragment.len())?;
            head.copy_from_slice(fragment);
            rest = tail;
        }
        Some(target)
    }

    /// The bytes as an array; `None` when there are more or fewer than `N`.
    pub fn to_array<const N: usize>(&self) -> Option<[u8; N]> {
        let mut array = [0; N];
        (self.copy_into(&mut array)?.len() == N).then_some(array)
    }

    /// The bytes in a vector of their own. The only accessor that allocates.
    pub fn to_vec(&self) -> Vec<u8> {
        self.iter().collect()
    }
}

/// Iterator behind [`OptionValue::fragments`].
#[derive(Clone)]
struct Fragments<'a> {
    whole: Option<&'a [u8]>,
    segments: Segments<'a>,
    code: u8,
    skip: usize,
    left: usize,
}

impl<'a> Iterator for Fragments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if let Some(bytes) = self.whole.take() {
            return Some(bytes);
        }
        loop {
            let code = self.code;
            let (_, segment) = self.segments.find(|(option, _)| *option == code)?;
            let Some(segment) = segment.get(self.skip..) else {
                self.skip -= segment.len();
                continue;
            };
            self.skip = 0;
            let fragment = segment.get(..self.left).unwrap_or(segment);
            self.left -= fragment.len();
            return Some(fragment);
        }
    }
}

impl PartialEq for OptionValue<'_> {
    fn eq(&self, other: &OptionValue<'_>) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for OptionValue<'_> {}

impl PartialEq<[u8]> for OptionValue<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        *self == OptionValue::from_slice(other)
    }
}

/// The bytes in hexadecimal, two digits each, separated by colons: harmless in any log.
impl fmt::Debug for OptionValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::hardware::write_hexadecimal(f, self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(areas: [&[u8]; 3]) -> OptionValue<'_> {
        OptionValue::concatenated(Areas(areas), 61)
    }

    #[test]
    fn pieces_count_as_one_whatever_lies_between() {
        let value = split([
            &[61, 2, 1, 2, 53, 1, 1, 61, 0, 0, 61, 1, 3, 255, 61, 1, 9],
            &[61, 1, 4, 255],
            &[61, 1, 5],
        ]);
        assert_eq!(value.len(), 5);
        assert_eq!(value.to_vec(), [1, 2, 3, 4, 5]);
        assert_eq!(value.as_slice(), None);
        assert_eq!(value.fragments().count(), 5, "the empty one is a piece too");
        assert_eq!(value, OptionValue::from_slice(&[1, 2, 3, 4, 5]));
        assert_eq!(value.to_array::<5>(), Some([1, 2, 3, 4, 5]));
        assert_eq!(value.to_array::<4>(), None);
        assert_eq!(value.to_array::<6>(), None);
        assert_eq!(value.copy_into(&mut [0; 4]), None);
        assert_eq!(format!("{value:?}"), "01:02:03:04:05");
    }

    #[test]
    fn parts_of_it_cross_pieces() {
        let value = split([&[61, 2, 1, 2, 61, 3, 3, 4, 5], &[], &[]]);
        for from in 0..=6 {
            for count in 0..=6 {
                let expected = [1, 2, 3, 4, 5].get(from..from + count);
                let part = value.part(from, count);
                assert_eq!(part.map(|part| part.to_vec()), expected.map(<[u8]>::to_vec), "{from} {count}");
                let nested =
                    value.part(1, 4).and_then(|outer| outer.part(from, count)).map(|part| part.to_vec());
                assert_eq!(nested, [2, 3, 4, 5].get(from..from + count).map(<[u8]>::to_vec));
            }
        }
        assert_eq!(value.part(usize::MAX, 2), None);
        assert_eq!(value.part(2, 2).and_then(|part| part.as_slice()), Some(&[3, 4][..]), "within one piece");
        assert_eq!(value.part(1, 2).and_then(|part| part.as_slice()), None, "across two");
    }

    #[test]
    fn only_empty_pieces_are_an_empty_slice() {
        let value = split([&[61, 0, 61, 0], &[], &[]]);
        assert!(value.is_empty());
        assert_eq!(value.as_slice(), Some(&[][..]));
    }
}
