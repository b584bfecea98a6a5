//! The relay agent information option.
//!
//! *Lives here:* [`RelayAgentInformation`]: option 82 as it came, and a look inside.
//! *May know:* RFC 3046 and the RFCs that define sub-options.
//! *Must not know:* what a server makes of circuits and links.

use crate::value::OptionValue;
use std::net::Ipv4Addr;

/// Codes of the sub-options that have accessors here (IANA, "DHCP Relay Agent Sub-Option Codes").
pub mod sub_option {
    /// Where the client is attached (RFC 3046 3.1).
    pub const CIRCUIT_ID: u8 = 1;
    /// Who is at the far end of the circuit (RFC 3046 3.2).
    pub const REMOTE_ID: u8 = 2;
    /// The link of the client, when `giaddr` does not tell it (RFC 3527).
    pub const LINK_SELECTION: u8 = 5;
    /// A string of the relay agent's operator (RFC 3993).
    pub const SUBSCRIBER_ID: u8 = 6;
    /// The address with which the server is to name itself to the client (RFC 5107).
    pub const SERVER_IDENTIFIER_OVERRIDE: u8 = 11;
}

/// Option 82: to be echoed byte for byte whatever it holds (RFC 3046 2.2), and to be looked into where it is well
/// formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayAgentInformation<'a> {
    value: OptionValue<'a>,
}

impl<'a> RelayAgentInformation<'a> {
    /// The value of an option 82 as it came.
    pub const fn new(value: OptionValue<'a>) -> RelayAgentInformation<'a> {
        RelayAgentInformation { value }
    }

    /// The value of an option 82 that was stored.
    pub const fn from_bytes(value: &'a [u8]) -> RelayAgentInformation<'a> {
        RelayAgentInformation::new(OptionValue::from_slice(value))
    }

    /// The bytes, without code and length.
    pub const fn value(&self) -> OptionValue<'a> {
        self.value
    }

    /// Bytes that the option needs in a reply: as many as it had in the message, codes and lengths included.
    pub fn size(&self) -> usize {
        self.value.fragments().map(crate::writer::size).sum()
    }

    /// Whether it consists of sub-options from end to end, with at least one. When it does not, none is found in it:
    /// where one length is wrong, none can be trusted.
    pub fn is_well_formed(&self) -> bool {
        self.find(None).is_some()
    }

    /// The first sub-option with this code; `None` when there is none, or the option is not
    /// [well formed](Self::is_well_formed).
    pub fn sub_option(&self, code: u8) -> Option<OptionValue<'a>> {
        let (at, length) = self.find(Some(code))??;
        self.value.part(at, length)
    }

    /// Where the client is attached; at least one byte (RFC 3046 3.1).
    pub fn circuit_id(&self) -> Option<OptionValue<'a>> {
        self.not_empty(sub_option::CIRCUIT_ID)
    }

    /// Who is at the far end; at least one byte (RFC 3046 3.2).
    pub fn remote_id(&self) -> Option<OptionValue<'a>> {
        self.not_empty(sub_option::REMOTE_ID)
    }

    /// The subscriber, as the operator of the relay agent calls it; at least one byte (RFC 3993).
    pub fn subscriber_id(&self) -> Option<OptionValue<'a>> {
        self.not_empty(sub_option::SUBSCRIBER_ID)
    }

    /// An address of the client's link, to be used for choosing the subnet in the place of `giaddr` (RFC 3527).
    pub fn link_selection(&self) -> Option<Ipv4Addr> {
        self.sub_option(sub_option::LINK_SELECTION)?.to_array::<4>().map(Ipv4Addr::from)
    }

    /// The address to be put into option 54 in the place of the server's own (RFC 5107).
    pub fn server_identifier_override(&self) -> Option<Ipv4Addr> {
        self.sub_option(sub_option::SERVER_IDENTIFIER_OVERRIDE)?.to_array::<4>().map(Ipv4Addr::from)
    }

    fn not_empty(&self, code: u8) -> Option<OptionValue<'a>> {
        self.sub_option(code).filter(|value| !value.is_empty())
    }

    /// Walks to the end, past the sub-option that is sought: `None` when not well formed, else where that one lies
    /// (offset and length), if there.
    #[expect(clippy::option_option, reason = "not well formed, and well formed without it, are two answers")]
    fn find(&self, wanted: Option<u8>) -> Option<Option<(usize, usize)>> {
        let total = self.value.len();
        if total == 0 {
            return None;
        }
        let mut found = None;
        let mut bytes = self.value.iter();
        let mut at = 0;
        while at < total {
            let code = bytes.next()?;
            let length = usize::from(bytes.next()?);
            at += 2;
            if length > total - at {
                return None;
            }
            if found.is_none() && wanted == Some(code) {
                found = Some((at, length));
            }
            if length > 0 {
                bytes.nth(length - 1)?;
            }
            at += length;
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_options_are_found() {
        let option = RelayAgentInformation::from_bytes(&[
            2, 2, 0xaa, 0xbb, 1, 3, 1, 2, 3, 1, 1, 9, 5, 4, 10, 1, 2, 3, 11, 4, 10, 0, 0, 1, 151, 0, 6, 1, 7,
        ]);
        assert!(option.is_well_formed());
        assert_eq!(option.circuit_id().unwrap().to_vec(), [1, 2, 3], "the first of two");
        assert_eq!(option.remote_id().unwrap().to_vec(), [0xaa, 0xbb]);
        assert_eq!(option.subscriber_id().unwrap().to_vec(), [7]);
        assert_eq!(option.link_selection(), Some(Ipv4Addr::new(10, 1, 2, 3)));
        assert_eq!(option.server_identifier_override(), Some(Ipv4Addr::new(10, 0, 0, 1)));
        assert!(option.sub_option(151).unwrap().is_empty());
        assert_eq!(option.sub_option(9), None);
    }

    #[test]
    fn nothing_is_found_where_a_length_is_wrong() {
        for bytes in [
            &[][..],
            &[1],
            &[1, 2, 7],
            &[1, 1, 7, 5],
            &[1, 1, 7, 5, 4, 10, 0, 0],
            &[1, 1, 7, 255],
            &[0, 0, 0],
        ] {
            let option = RelayAgentInformation::from_bytes(bytes);
            assert!(!option.is_well_formed(), "{bytes:?}");
            for code in 0..=255 {
                assert_eq!(option.sub_option(code), None, "{bytes:?}");
            }
        }
    }

    #[test]
    fn a_sub_option_of_wrong_length_alone_is_absent() {
        let option =
            RelayAgentInformation::from_bytes(&[5, 3, 10, 0, 0, 11, 5, 1, 2, 3, 4, 5, 1, 0, 2, 1, 8]);
        assert!(option.is_well_formed());
        assert_eq!(option.link_selection(), None);
        assert_eq!(option.server_identifier_override(), None);
        assert_eq!(option.circuit_id(), None);
        assert_eq!(option.remote_id().unwrap().to_vec(), [8]);
    }
}
