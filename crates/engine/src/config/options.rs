//! Options as bytes, ready to be written into a reply.
//!
//! *Lives here:* [`OptionSet`].
//! *Must not know:* how values are written in configuration text.

use dhcp::options::code;

/// Options that the server itself decides: a configuration cannot set them.
pub const SET_BY_SERVER: [u8; 14] = [
    0,
    code::REQUESTED_ADDRESS,
    code::LEASE_TIME,
    code::OPTION_OVERLOAD,
    code::DHCP_MESSAGE_TYPE,
    code::SERVER_IDENTIFIER,
    code::PARAMETER_REQUEST_LIST,
    code::MESSAGE,
    code::MAX_MESSAGE_SIZE,
    code::RENEWAL_TIME,
    code::REBINDING_TIME,
    code::CLIENT_IDENTIFIER,
    code::RELAY_AGENT_INFORMATION,
    255,
];

/// Options by code, each at most once, sorted. All values lie in one piece: a reply takes several, of a subnet that nobody asked
/// for a while ago.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionSet {
    /// Codes, each with the end of its value.
    ends: Vec<(u8, usize)>,
    values: Vec<u8>,
}

impl OptionSet {
    /// Sets an option; returns whether it was set before.
    pub fn set(&mut self, code: u8, value: impl AsRef<[u8]>) -> bool {
        let value = value.as_ref();
        let (at, was_set) = match self.find(code) {
            Ok(at) => (at, true),
            Err(at) => {
                self.ends.insert(at, (code, self.start(at)));
                (at, false)
            }
        };
        let before = self.start(at)..self.ends[at].1;
        for (_, end) in &mut self.ends[at..] {
            *end = *end - before.len() + value.len();
        }
        self.values.splice(before, value.iter().copied());
        was_set
    }

    /// The value of an option.
    pub fn get(&self, code: u8) -> Option<&[u8]> {
        self.find(code).ok().and_then(|at| self.values.get(self.start(at)..self.ends[at].1))
    }

    /// All, by code.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest = &self.values[..];
        let mut start = 0;
        self.ends.iter().map(move |(code, end)| {
            let (value, after) = rest.split_at(end - start);
            (rest, start) = (after, *end);
            (*code, value)
        })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// These options, with those of `over` in place of the same codes.
    #[must_use]
    pub fn merged(&self, over: &OptionSet) -> OptionSet {
        let mut merged = self.clone();
        for (code, value) in over.iter() {
            merged.set(code, value);
        }
        merged
    }

    fn find(&self, code: u8) -> Result<usize, usize> {
        self.ends.binary_search_by_key(&code, |(code, _)| *code)
    }

    /// Where the value of the option in this place begins.
    fn start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_is_a_map_in_the_order_of_codes(
            steps in prop::collection::vec((0..9_u8, prop::collection::vec(any::<u8>(), 0..4)), 0..30),
            over in prop::collection::vec((0..9_u8, prop::collection::vec(any::<u8>(), 0..4)), 0..5),
        ) {
            let (mut set, mut map) = (OptionSet::default(), BTreeMap::new());
            for (code, value) in steps {
                prop_assert_eq!(set.set(code, &value), map.insert(code, value).is_some());
            }
            let mut other = OptionSet::default();
            for (code, value) in over {
                other.set(code, &value);
                map.insert(code, value);
            }
            let merged = set.merged(&other);
            prop_assert!(merged.iter().eq(map.iter().map(|(code, value)| (*code, &value[..]))));
            for code in 0..10 {
                prop_assert_eq!(merged.get(code), map.get(&code).map(|value| &value[..]));
            }
            prop_assert_eq!(merged.is_empty(), map.is_empty());
        }
    }
}
