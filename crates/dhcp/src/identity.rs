//! Who a client is.
//!
//! *Lives here:* [`ClientIdentity`], the key under which a server remembers a client.
//! *May know:* RFC 2131 4.2: the client-identifier, else the hardware address.
//! *Must not know:* bindings, reservations.

use crate::hardware::{HardwareAddress, write_hexadecimal};
use crate::message::Message;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Most bytes of a client-identifier that a server remembers.
pub const MAX_CLIENT_IDENTIFIER: usize = 255;

/// Bytes, with the one for the kind, that need no allocation.
const INLINE: usize = 22;

/// The identity of a client: its client-identifier, or its hardware type and address (RFC 2131 4.2).
///
/// Never empty, at most 255 bytes and one for the kind. 24 bytes large; up to 22 bytes of identity lie within (an
/// Ethernet client, and most client-identifiers, take no allocation), and clones of a longer one share it. The order is that of the bytes, kind first.
#[derive(Clone)]
pub struct ClientIdentity(Store);

#[derive(Clone)]
enum Store {
    Inline { length: u8, bytes: [u8; INLINE] },
    Heap(Arc<[u8]>),
}

/// What an identity is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum IdentityKind {
    /// The client-identifier (option 61).
    ClientIdentifier = 0,
    /// `htype` and `chaddr`.
    Hardware = 1,
}

/// Why a message names no client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoIdentity {
    /// Neither a client-identifier of at least one byte nor a hardware address.
    #[error("the message has neither a client-identifier nor a hardware address")]
    Absent,
    /// A client-identifier of more than [`MAX_CLIENT_IDENTIFIER`] bytes. The hardware address does not stand in for
    /// it: the client would be another one.
    #[error("the client-identifier is longer than 255 bytes")]
    TooLong,
}

impl ClientIdentity {
    /// The client that sent this message: its client-identifier if it has at least one byte, else its hardware address
    /// if that has at least one.
    pub fn from_message(message: &Message<'_>) -> Result<ClientIdentity, NoIdentity> {
        let Some(identifier) = message.client_identifier() else {
            return Self::from_hardware(message.htype(), message.chaddr()).ok_or(NoIdentity::Absent);
        };
        let mut buffer = [0; MAX_CLIENT_IDENTIFIER];
        let identifier = identifier.copy_into(&mut buffer).ok_or(NoIdentity::TooLong)?;
        Self::from_client_identifier(identifier).ok_or(NoIdentity::Absent)
    }

    /// From the value of option 61; `None` when that is empty or longer than [`MAX_CLIENT_IDENTIFIER`].
    pub fn from_client_identifier(identifier: &[u8]) -> Option<ClientIdentity> {
        (1..=MAX_CLIENT_IDENTIFIER)
            .contains(&identifier.len())
            .then(|| Self::assemble(&[IdentityKind::ClientIdentifier as u8], identifier))
    }

    /// From a hardware type (any: 0 too, which careless clients send) and address; `None` when the address is empty
    /// or longer than 16 bytes.
    pub fn from_hardware(htype: u8, address: &[u8]) -> Option<ClientIdentity> {
        (1..=HardwareAddress::MAX_LENGTH)
            .contains(&address.len())
            .then(|| Self::assemble(&[IdentityKind::Hardware as u8, htype], address))
    }

    /// From what [`as_bytes`](Self::as_bytes) gave; `None` for bytes that it never gives.
    pub fn from_bytes(bytes: &[u8]) -> Option<ClientIdentity> {
        match bytes {
            [0, identifier @ ..] => Self::from_client_identifier(identifier),
            [1, htype, address @ ..] => Self::from_hardware(*htype, address),
            _ => None,
        }
    }

    /// The bytes, 2 to 256: a byte for the kind (0 client-identifier, 1 hardware), then the client-identifier, or
    /// `htype` and the hardware address.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Store::Inline { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or(bytes),
            Store::Heap(bytes) => bytes,
        }
    }

    /// What it is made of.
    pub fn kind(&self) -> IdentityKind {
        match self.as_bytes() {
            [1, ..] => IdentityKind::Hardware,
            _ => IdentityKind::ClientIdentifier,
        }
    }

    /// The value of option 61, if it was made of that.
    pub fn client_identifier(&self) -> Option<&[u8]> {
        match self.as_bytes() {
            [0, identifier @ ..] => Some(identifier),
            _ => None,
        }
    }

    /// The hardware address, if it was made of that.
    pub fn hardware_address(&self) -> Option<HardwareAddress> {
        match self.as_bytes() {
            [1, htype, address @ ..] => HardwareAddress::new(*htype, address),
            _ => None,
        }
    }

    /// `head` and `tail`, together at most 256 bytes.
    fn assemble(head: &[u8], tail: &[u8]) -> ClientIdentity {
        let length = head.len() + tail.len();
        let mut bytes = [0; 1 + MAX_CLIENT_IDENTIFIER];
        for (target, source) in bytes.iter_mut().zip(head.iter().chain(tail)) {
            *target = *source;
        }
        match (bytes.first_chunk(), u8::try_from(length)) {
            (Some(bytes), Ok(length)) if usize::from(length) <= INLINE => {
                ClientIdentity(Store::Inline { length, bytes: *bytes })
            }
            _ => ClientIdentity(Store::Heap(bytes[..length].into())),
        }
    }
}

impl PartialEq for ClientIdentity {
    fn eq(&self, other: &ClientIdentity) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for ClientIdentity {}

impl PartialOrd for ClientIdentity {
    fn partial_cmp(&self, other: &ClientIdentity) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ClientIdentity {
    fn cmp(&self, other: &ClientIdentity) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for ClientIdentity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

/// `id 01:02:00:…` for a client-identifier, `hw 1/02:00:…` (the hardware type before the slash) for an address.
impl fmt::Display for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_bytes() {
            [1, htype, address @ ..] => {
                write!(f, "hw {htype}/")?;
                write_hexadecimal(f, address.iter().copied())
            }
            bytes => {
                f.write_str("id ")?;
                write_hexadecimal(f, bytes.iter().copied().skip(1))
            }
        }
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientIdentity({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_24_bytes() {
        assert_eq!(size_of::<ClientIdentity>(), 24);
        assert_eq!(size_of::<Option<ClientIdentity>>(), 24);
    }

    #[test]
    fn bytes_round_trip_at_every_length() {
        for length in 0..=300 {
            let bytes: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let identity = ClientIdentity::from_client_identifier(&bytes);
            assert_eq!(identity.is_some(), (1..=255).contains(&length));
            if let Some(identity) = identity {
                assert_eq!(identity.as_bytes(), [&[0], &bytes[..]].concat());
                assert_eq!(identity.client_identifier(), Some(&bytes[..]));
                assert_eq!(identity.hardware_address(), None);
                assert_eq!(ClientIdentity::from_bytes(identity.as_bytes()), Some(identity));
            }
            let identity = ClientIdentity::from_hardware(6, &bytes);
            assert_eq!(identity.is_some(), (1..=16).contains(&length));
            if let Some(identity) = identity {
                assert_eq!(identity.as_bytes(), [&[1, 6], &bytes[..]].concat());
                assert_eq!(identity.hardware_address().unwrap().as_bytes(), bytes);
                assert_eq!(identity.client_identifier(), None);
                assert_eq!(ClientIdentity::from_bytes(identity.as_bytes()), Some(identity));
            }
        }
    }

    #[test]
    fn other_bytes_are_no_identity() {
        for bytes in [&[][..], &[0], &[1], &[1, 1], &[2, 1, 1], &[255, 255]] {
            assert_eq!(ClientIdentity::from_bytes(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn equality_and_order_are_those_of_the_bytes() {
        let short = ClientIdentity::from_client_identifier(&[5; 21]).unwrap();
        let long = ClientIdentity::from_client_identifier(&[5; 22]).unwrap();
        let hardware = ClientIdentity::from_hardware(5, &[5]).unwrap();
        assert!(matches!((&short.0, &long.0), (Store::Inline { .. }, Store::Heap(_))));
        assert!(short < long && long < hardware);
        assert_eq!(short.clone(), short);
        assert_eq!(long.clone(), long);
        assert_ne!(ClientIdentity::from_client_identifier(&[1, 5]), ClientIdentity::from_hardware(1, &[5]));
    }

    #[test]
    fn as_text() {
        let identity = ClientIdentity::from_client_identifier(&[1, 2, 0xab]).unwrap();
        assert_eq!(identity.to_string(), "id 01:02:ab");
        assert_eq!(identity.kind(), IdentityKind::ClientIdentifier);
        let identity = ClientIdentity::from_hardware(1, &[2, 0, 0, 0, 0, 1]).unwrap();
        assert_eq!(identity.to_string(), "hw 1/02:00:00:00:00:01");
        assert_eq!(identity.kind(), IdentityKind::Hardware);
    }
}
