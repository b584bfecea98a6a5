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

/// Options by code, each at most once, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionSet(Vec<(u8, Box<[u8]>)>);

impl OptionSet {
    /// Sets an option; returns whether it was set before.
    pub fn set(&mut self, code: u8, value: impl Into<Box<[u8]>>) -> bool {
        match self.0.binary_search_by_key(&code, |(code, _)| *code) {
            Ok(at) => {
                self.0[at].1 = value.into();
                true
            }
            Err(at) => {
                self.0.insert(at, (code, value.into()));
                false
            }
        }
    }

    /// The value of an option.
    pub fn get(&self, code: u8) -> Option<&[u8]> {
        let at = self.0.binary_search_by_key(&code, |(code, _)| *code).ok()?;
        self.0.get(at).map(|(_, value)| &**value)
    }

    /// All, by code.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.0.iter().map(|(code, value)| (*code, &**value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
}
