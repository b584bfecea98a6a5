//! From values to the bytes of an option.
//!
//! *Lives here:* encoders for the formats of [`crate::options::OptionFormat`] that take more than a cast.
//! *Must not know:* configuration text.

use std::net::Ipv4Addr;

/// Addresses one after the other.
pub fn addresses(addresses: &[Ipv4Addr]) -> Vec<u8> {
    addresses.iter().flat_map(Ipv4Addr::octets).collect()
}

/// Why a text is no domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadDomainName {
    /// No label, or an empty one between two dots.
    #[error("a domain name is made of labels with single dots between, as in campus.example")]
    EmptyLabel,
    /// A label of more than 63 bytes.
    #[error("a label of a domain name has at most 63 bytes")]
    LabelTooLong,
    /// More than 255 bytes in all.
    #[error("a domain name has at most 255 bytes on the wire")]
    TooLong,
}

/// A domain name in the uncompressed wire encoding of RFC 1035 3.1; a dot at the end changes nothing.
///
/// # Errors
/// When it is no domain name.
pub fn domain_name(name: &str) -> Result<Vec<u8>, BadDomainName> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut wire = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        if label.is_empty() {
            return Err(BadDomainName::EmptyLabel);
        }
        let length = u8::try_from(label.len()).ok().filter(|length| *length <= 63);
        wire.push(length.ok_or(BadDomainName::LabelTooLong)?);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    if wire.len() > 255 { Err(BadDomainName::TooLong) } else { Ok(wire) }
}

/// A destination and its router as RFC 3442 writes them: the length of the prefix, its significant bytes, the router.
/// Bits behind the prefix length are cleared.
pub fn classless_route(destination: Ipv4Addr, prefix_length: u8, router: Ipv4Addr) -> Vec<u8> {
    let prefix_length = prefix_length.min(32);
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix_length)).unwrap_or(0);
    let significant = usize::from(prefix_length.div_ceil(8));
    let mut bytes = vec![prefix_length];
    bytes.extend((u32::from(destination) & mask).to_be_bytes().into_iter().take(significant));
    bytes.extend(router.octets());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_names_follow_rfc_1035() {
        assert_eq!(domain_name("a.example.").unwrap(), b"\x01a\x07example\x00");
        assert_eq!(domain_name("a..b"), Err(BadDomainName::EmptyLabel));
        assert_eq!(domain_name(""), Err(BadDomainName::EmptyLabel));
        assert_eq!(domain_name(&"x".repeat(64)), Err(BadDomainName::LabelTooLong));
        assert_eq!(domain_name(&["x"; 128].join(".")), Err(BadDomainName::TooLong));
    }

    #[test]
    fn routes_follow_the_examples_of_rfc_3442() {
        let router = Ipv4Addr::new(10, 0, 0, 1);
        for (length, bytes) in [
            (0, vec![0, 10, 0, 0, 1]),
            (8, vec![8, 10, 10, 0, 0, 1]),
            (17, vec![17, 10, 17, 0, 10, 0, 0, 1]),
            (32, vec![32, 10, 17, 0, 25, 10, 0, 0, 1]),
        ] {
            assert_eq!(classless_route(Ipv4Addr::new(10, 17, 0, 25), length, router), bytes);
        }
    }
}
