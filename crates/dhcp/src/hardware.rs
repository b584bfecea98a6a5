//! Hardware addresses.
//!
//! *Lives here:* [`HardwareAddress`], its text and the parser of that text.
//! *May know:* `htype`, `hlen` and `chaddr` of RFC 2131.
//! *Must not know:* interfaces, frames.

use std::fmt;
use std::str::FromStr;

/// A hardware type and an address of up to 16 bytes: `htype`, `hlen` and `chaddr` of a message (RFC 2131 section 2).
///
/// As text, an Ethernet address is `02:00:00:00:00:01`; with any other hardware type, the type stands before it:
/// `6/02:00:00:00:00:01`. An address of no bytes is written `-`, and not read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HardwareAddress {
    htype: u8,
    length: u8,
    bytes: [u8; 16],
}

impl HardwareAddress {
    /// Hardware type of Ethernet (RFC 1700).
    pub const ETHERNET: u8 = 1;

    /// Most bytes that an address may have: the width of `chaddr`.
    pub const MAX_LENGTH: usize = 16;

    /// An address of 0 to 16 bytes; `None` when there are more.
    pub fn new(htype: u8, address: &[u8]) -> Option<HardwareAddress> {
        let mut bytes = [0; Self::MAX_LENGTH];
        bytes.get_mut(..address.len())?.copy_from_slice(address);
        Some(HardwareAddress { htype, length: u8::try_from(address.len()).ok()?, bytes })
    }

    /// An Ethernet address.
    pub fn ethernet(address: [u8; 6]) -> HardwareAddress {
        let mut bytes = [0; Self::MAX_LENGTH];
        bytes[..6].copy_from_slice(&address);
        HardwareAddress { htype: Self::ETHERNET, length: 6, bytes }
    }

    /// IANA's hardware type; 1 is Ethernet.
    pub const fn htype(&self) -> u8 {
        self.htype
    }

    /// The bytes of the address, 0 to 16.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&self.bytes)
    }

    /// The address, if it is an Ethernet address of 6 bytes: one to which a frame can be sent.
    pub fn as_ethernet(&self) -> Option<[u8; 6]> {
        if self.htype == Self::ETHERNET { self.as_bytes().try_into().ok() } else { None }
    }
}

impl fmt::Display for HardwareAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.htype != Self::ETHERNET {
            write!(f, "{}/", self.htype)?;
        }
        if self.length == 0 {
            return f.write_str("-");
        }
        write_hexadecimal(f, self.as_bytes().iter().copied())
    }
}

impl fmt::Debug for HardwareAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HardwareAddress({self})")
    }
}

/// Writes bytes as pairs of hexadecimal digits with colons between.
pub(crate) fn write_hexadecimal(f: &mut fmt::Formatter<'_>, bytes: impl Iterator<Item = u8>) -> fmt::Result {
    for (index, byte) in bytes.enumerate() {
        if index > 0 {
            f.write_str(":")?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

/// Why a text is no hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a hardware address: write 1 to 16 bytes in hexadecimal, as in 02:00:00:00:00:01, or with a hardware type other than Ethernet's, as in 6/02:00:00:00:00:01"
)]
pub struct BadHardwareAddress;

impl FromStr for HardwareAddress {
    type Err = BadHardwareAddress;

    /// Reads what `Display` writes; also one digit for a small byte, `-` for `:` throughout, and capitals.
    fn from_str(text: &str) -> Result<HardwareAddress, BadHardwareAddress> {
        let (htype, digits) = match text.split_once('/') {
            Some((htype, digits)) => (decimal(htype)?, digits),
            None => (Self::ETHERNET, text),
        };
        let separator = if digits.contains('-') { '-' } else { ':' };
        let mut bytes = [0; Self::MAX_LENGTH];
        let mut length = 0;
        for byte in digits.split(separator) {
            *bytes.get_mut(length).ok_or(BadHardwareAddress)? = hexadecimal(byte)?;
            length += 1;
        }
        Self::new(htype, bytes.get(..length).ok_or(BadHardwareAddress)?).ok_or(BadHardwareAddress)
    }
}

fn decimal(text: &str) -> Result<u8, BadHardwareAddress> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().map_err(|_| BadHardwareAddress) } else { Err(BadHardwareAddress) }
}

fn hexadecimal(text: &str) -> Result<u8, BadHardwareAddress> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits {
        u8::from_str_radix(text, 16).map_err(|_| BadHardwareAddress)
    } else {
        Err(BadHardwareAddress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in [
            "02:00:00:00:00:01",
            "6/02:00:00:00:00:ff",
            "0/00",
            "32/00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f",
        ] {
            let address: HardwareAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn other_spellings_are_read() {
        let address = HardwareAddress::ethernet([2, 0, 0, 0, 0, 0xab]);
        for text in ["2:0:0:0:0:ab", "02-00-00-00-00-AB", "1/02:00:00:00:00:ab"] {
            assert_eq!(text.parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let too_long = "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10";
        for text in [
            "", "-", ":", "02:", "002:01", "0g", "+1", "1/", "/02", "256/02", "+1/02", "1/2/3", "02:00-01",
            "é", too_long,
        ] {
            assert_eq!(text.parse::<HardwareAddress>(), Err(BadHardwareAddress), "{text}");
        }
    }

    #[test]
    fn an_address_has_at_most_16_bytes() {
        assert_eq!(HardwareAddress::new(1, &[0; 17]), None);
        assert_eq!(HardwareAddress::new(1, &[7; 16]).unwrap().as_bytes(), [7; 16]);
        assert_eq!(HardwareAddress::new(1, &[]).unwrap().to_string(), "-");
        assert_eq!(HardwareAddress::new(32, &[]).unwrap().to_string(), "32/-");
    }

    #[test]
    fn only_six_bytes_of_ethernet_take_a_frame() {
        assert_eq!(HardwareAddress::new(1, &[1; 6]).unwrap().as_ethernet(), Some([1; 6]));
        assert_eq!(HardwareAddress::new(1, &[1; 5]).unwrap().as_ethernet(), None);
        assert_eq!(HardwareAddress::new(6, &[1; 6]).unwrap().as_ethernet(), None);
    }
}
