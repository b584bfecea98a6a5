//! The message-digest of a relationship with a shared secret.
//!
//! *Lives here:* [`Secret`], and the sum over a message with the place of the digest zeroed, as either draft wants it.
//! *May know:* F07 11.1 and draft-12 11.1, 12.17 (table 1.18 of the catalogue, Q19).
//! *Must not know:* options; it is told where in the message the 16 bytes stand.

use crate::dialect::Dialect;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use std::fmt;

/// Bytes of a digest.
pub const DIGEST_LENGTH: usize = 16;

/// The type byte in front of the digest in draft-12: HMAC-MD5 (D12-12.17-01).
pub const TYPE_HMAC_MD5: u8 = 1;

/// The secret that both servers know. It is never sent and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The secret with these bytes; `None` for no bytes at all, which would authenticate everybody.
    pub fn new(bytes: Vec<u8>) -> Option<Secret> {
        if bytes.is_empty() { None } else { Some(Secret(bytes)) }
    }

    /// The digest of `message`, whose 16 bytes at `place` count as zero. `None` when they do not lie in it.
    /// F07-11.1-05.
    pub fn digest(&self, dialect: Dialect, message: &[u8], place: usize) -> Option<[u8; DIGEST_LENGTH]> {
        let before = message.get(..place)?;
        let after = message.get(place.checked_add(DIGEST_LENGTH)?..)?;
        let parts = [before, &[0; DIGEST_LENGTH], after];
        if dialect == Dialect::Draft07 {
            let mut sum = Md5::new();
            for part in parts {
                sum.update(part);
            }
            sum.update(&self.0);
            return Some(sum.finalize().into());
        }
        let mut sum = Hmac::<Md5>::new_from_slice(&self.0).ok()?;
        for part in parts {
            sum.update(part);
        }
        Some(sum.finalize().into_bytes().into())
    }

    /// Whether the 16 bytes at `place` are the digest of `message`. Takes the same time whatever differs.
    pub fn verifies(&self, dialect: Dialect, message: &[u8], place: usize) -> bool {
        let Some(digest) = self.digest(dialect, message, place) else { return false };
        let received = &message[place..place + DIGEST_LENGTH];
        let difference = digest.iter().zip(received).fold(0, |sum, (ours, theirs)| sum | (ours ^ theirs));
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // F07-11.1-08.
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: [u8; 16]) -> String {
        bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// F07-11.1-05.
    #[test]
    fn draft_12_is_hmac_md5_with_the_digest_zeroed() {
        // Both sums were made with another implementation (Python's hmac and hashlib).
        let secret = Secret::new(b"campus secret".to_vec()).unwrap();
        let mut message = vec![7; 40];
        message[10..26].fill(0xee);
        assert_eq!(
            hex(secret.digest(Dialect::Draft12, &message, 10).unwrap()),
            "f62ce2252379d706e7182a9e5226c90c"
        );
        assert_eq!(
            hex(secret.digest(Dialect::Draft07, &message, 10).unwrap()),
            "c5b9329cdcebf16fbabf94f9f329062a"
        );
    }

    /// F07-11.1-06.
    #[test]
    fn any_changed_bit_is_noticed() {
        let secret = Secret::new(b"s".to_vec()).unwrap();
        for dialect in Dialect::ALL {
            let mut message: Vec<u8> = (0..50).collect();
            let digest = secret.digest(dialect, &message, 20).unwrap();
            message[20..36].copy_from_slice(&digest);
            assert!(secret.verifies(dialect, &message, 20));
            for byte in 0..message.len() {
                for bit in 0..8 {
                    message[byte] ^= 1 << bit;
                    assert!(!secret.verifies(dialect, &message, 20), "byte {byte} bit {bit}");
                    message[byte] ^= 1 << bit;
                }
            }
            assert!(!Secret::new(b"t".to_vec()).unwrap().verifies(dialect, &message, 20));
        }
    }

    /// F07-11.1-08.
    #[test]
    fn a_place_outside_the_message_verifies_nothing() {
        let secret = Secret::new(b"s".to_vec()).unwrap();
        assert!(!secret.verifies(Dialect::Draft12, &[0; 20], 5));
        assert!(!secret.verifies(Dialect::Draft12, &[0; 20], usize::MAX));
        assert_eq!(Secret::new(Vec::new()), None);
        assert_eq!(format!("{secret:?}"), "Secret");
    }
}
