//! Names and addresses in what a client or a partner sent, as text.
//!
//! *Lives here:* [`DnsUpdates`], [`fqdn`], [`address`].
//! *Must not know:* what is made of a name.
//!
//! Whatever the bytes are, the text has letters, digits, `-`, `_`, and `.` between labels; each other byte is `\` and three
//! digits (RFC 1035 5.1).

use super::Octets;
use failover::message::Ddns;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::net::Ipv4Addr;

/// What the partner said of its DNS updates (F07 12.9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DnsUpdates {
    /// The name; `null` where the bytes are none.
    pub name: Option<String>,
    /// The name's address is in DNS (C).
    pub name_done: bool,
    /// The partner controls that record (A).
    pub controls_name: bool,
    /// The address's name is in DNS (D).
    pub address_done: bool,
    /// The partner controls that record (P).
    pub controls_address: bool,
}

impl From<&Ddns> for DnsUpdates {
    fn from(ddns: &Ddns) -> DnsUpdates {
        DnsUpdates {
            name: wire_name(&ddns.name),
            name_done: ddns.name_done,
            controls_name: ddns.controls_name,
            address_done: ddns.address_done,
            controls_address: ddns.controls_address,
        }
    }
}

/// Option 81 (RFC 4702 2): three bytes, then a name in the form that the E flag says.
pub(super) fn fqdn(option: &[u8]) -> Option<Octets> {
    let name = option.split_first_chunk::<3>().and_then(|(head, name)| match head[0] & 4 {
        0 => Some(escaped(name)),
        _ => wire_name(name),
    });
    Some(Octets { text: name.filter(|name| !name.is_empty()), ..Octets::of(option)? })
}

/// Option 118 (RFC 3011): the address of a subnet.
pub(super) fn address(option: &[u8]) -> Option<Octets> {
    let address = <[u8; 4]>::try_from(option).ok().map(|bytes| Ipv4Addr::from(bytes).to_string());
    Some(Octets { text: address, ..Octets::of(option)? })
}

/// A name as DNS has it on the wire, with or without the root's empty label at its end; `None` for what is none.
fn wire_name(mut bytes: &[u8]) -> Option<String> {
    let mut name = String::new();
    while let Some((length, rest)) = bytes.split_first() {
        if *length == 0 {
            return rest.is_empty().then(|| name + ".");
        }
        let (label, rest) = rest.split_at_checked(usize::from(*length)).filter(|_| *length < 64)?;
        if !name.is_empty() {
            name.push('.');
        }
        for byte in label {
            push(*byte, b"-_", &mut name);
        }
        bytes = rest;
    }
    (!name.is_empty()).then_some(name)
}

fn escaped(bytes: &[u8]) -> String {
    let mut name = String::new();
    for byte in bytes {
        push(*byte, b"-_.", &mut name);
    }
    name
}

fn push(byte: u8, harmless: &[u8], name: &mut String) {
    if byte.is_ascii_alphanumeric() || harmless.contains(&byte) {
        name.push(char::from(byte));
    } else {
        // Writing to a String cannot fail.
        let _ = write!(name, "\\{byte:03}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(option: Option<Octets>) -> Option<String> {
        option.unwrap().text
    }

    #[test]
    fn names_are_text_and_harmless() {
        assert_eq!(text(fqdn(b"\x04\0\0\x06laptop\x07example\0")).as_deref(), Some("laptop.example."));
        assert_eq!(text(fqdn(b"\x05\0\0\x06laptop")).as_deref(), Some("laptop"));
        assert_eq!(text(fqdn(b"\x01\0\0laptop.example")).as_deref(), Some("laptop.example"));
        assert_eq!(text(fqdn(b"\x04\0\0\x03a.\x1b\0")).as_deref(), Some("a\\046\\027."));
        for none in
            [&b"\x04\0\0\x07short"[..], b"\x04\0\0\xc0\x0c", b"\x04\0\0\x01a\0more", b"\x01\0\0", b"\x01"]
        {
            assert_eq!(text(fqdn(none)), None, "{none:?}");
        }
        assert_eq!(fqdn(b""), None);
        assert_eq!(text(address(&[10, 1, 0, 0])).as_deref(), Some("10.1.0.0"));
        assert_eq!(text(address(&[10, 1, 0])), None);
    }
}
