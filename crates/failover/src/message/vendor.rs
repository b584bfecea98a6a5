//! What one Tandem tells another that the drafts have no option for (Q45).
//!
//! *Lives here:* [`TandemInfo`] and [`HeardStore`], their way into vendor-specific-options and out of them.
//! *May know:* F07 12.27, 12.28: embedded options with two bytes of code and two of length.
//! *Must not know:* what is made of it.
//!
//! | code | length | what |
//! | --- | --- | --- |
//! | 1 | 16 | identity of the sender's store |
//! | 2 | 8 | its generation |
//! | 3 | 4 | last communicated, by the sender's clock |
//! | 4 | 8 | digest of what both configurations must agree on |
//! | 5 | 4 | the sender lost its bindings: since when, by its clock |
//! | 6 | 28 | what it last heard of the receiver: identity (16), generation (8), time by the receiver's clock (4) |

use crate::time::WireTime;

/// vendor-class-identifier of this implementation (F07-12.27-01).
pub const VENDOR_CLASS: &[u8] = concat!("tandem-", env!("CARGO_PKG_VERSION")).as_bytes();

/// How the vendor class of every Tandem starts.
const PREFIX: &[u8] = b"tandem-";

const STORE_IDENTITY: u16 = 1;
const STORE_GENERATION: u16 = 2;
const LAST_COMMUNICATED: u16 = 3;
const CONFIGURATION: u16 = 4;
const STORAGE_LOST: u16 = 5;
const HEARD_STORE: u16 = 6;

/// What a server last heard of its partner: by this the partner sees whether its store is an older copy (D12 5.16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeardStore {
    /// Identity of the partner's store.
    pub identity: [u8; 16],
    /// Its generation.
    pub generation: u64,
    /// The time in the header of the last message, as the partner's own clock had it: compared with what that clock had
    /// recorded, no other clock and no difference of clocks counts.
    pub at: WireTime,
}

/// What one Tandem tells another beside the drafts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TandemInfo {
    /// Identity of the sender's store (a UUID).
    pub store_identity: [u8; 16],
    /// Generation of that store: another one means that it was lost or restored (D12-5.16-02).
    pub store_generation: u64,
    /// When the sender was last in contact in this relationship, by its clock; 0 for never (D12 5.16).
    pub last_communicated: WireTime,
    /// Digest of what both configurations must agree on.
    pub configuration: [u8; 8],
    /// The sender lost its bindings and has not got them back (T16): when it was down, or found that out, by its clock. By this two
    /// losses differ that left the same store behind: an old copy that was put in place twice.
    pub storage_lost: Option<WireTime>,
    /// What it last heard of the receiver; told in CONNECT and CONNECTACK.
    pub heard: Option<HeardStore>,
}

impl TandemInfo {
    /// Appends the embedded options (F07-13-01).
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        option(out, STORE_IDENTITY, &self.store_identity);
        option(out, STORE_GENERATION, &self.store_generation.to_be_bytes());
        option(out, LAST_COMMUNICATED, &self.last_communicated.0.to_be_bytes());
        option(out, CONFIGURATION, &self.configuration);
        if let Some(since) = self.storage_lost {
            option(out, STORAGE_LOST, &since.0.to_be_bytes());
        }
        if let Some(heard) = &self.heard {
            option(out, HEARD_STORE, &heard.to_bytes());
        }
    }

    /// What a Tandem said; `None` when the vendor is another, or there is no identity. Unknown options are skipped;
    /// one that is cut short ends the reading.
    pub(super) fn parse(vendor_class: Option<&[u8]>, mut options: &[u8]) -> Option<TandemInfo> {
        // F07-12.28-01.
        if !vendor_class.is_some_and(|class| class.starts_with(PREFIX)) {
            return None;
        }
        let mut info = TandemInfo::default();
        let mut identified = false;
        while let Some((head, rest)) = options.split_first_chunk::<4>() {
            let code = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let Some((value, rest)) = rest.split_at_checked(length) else { break };
            options = rest;
            match (code, value) {
                (STORE_IDENTITY, value) => {
                    if let Ok(identity) = value.try_into() {
                        info.store_identity = identity;
                        identified = true;
                    }
                }
                (STORE_GENERATION, value) => {
                    info.store_generation = value.try_into().map_or(0, u64::from_be_bytes);
                }
                (LAST_COMMUNICATED, value) => {
                    info.last_communicated = WireTime(value.try_into().map_or(0, u32::from_be_bytes));
                }
                (CONFIGURATION, value) => info.configuration = value.try_into().unwrap_or_default(),
                (STORAGE_LOST, value) => {
                    info.storage_lost = Some(WireTime(value.try_into().map_or(0, u32::from_be_bytes)));
                }
                (HEARD_STORE, value) => info.heard = value.try_into().ok().map(HeardStore::from_bytes),
                _ => {}
            }
        }
        identified.then_some(info)
    }
}

impl HeardStore {
    fn to_bytes(self) -> [u8; 28] {
        let mut bytes = [0; 28];
        bytes[..16].copy_from_slice(&self.identity);
        bytes[16..24].copy_from_slice(&self.generation.to_be_bytes());
        bytes[24..].copy_from_slice(&self.at.0.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; 28]) -> HeardStore {
        let (mut identity, mut generation, mut at) = ([0; 16], [0; 8], [0; 4]);
        identity.copy_from_slice(&bytes[..16]);
        generation.copy_from_slice(&bytes[16..24]);
        at.copy_from_slice(&bytes[24..]);
        let (generation, at) = (u64::from_be_bytes(generation), WireTime(u32::from_be_bytes(at)));
        HeardStore { identity, generation, at }
    }
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend_from_slice(&code.to_be_bytes());
    // Every value here has at most 28 bytes.
    out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F07-12.28-01.
    #[test]
    fn another_vendor_says_nothing_to_us() {
        let mut bytes = Vec::new();
        let heard = HeardStore { identity: [3; 16], generation: 4, at: WireTime(5) };
        let info = TandemInfo {
            store_generation: 9,
            storage_lost: Some(WireTime(7)),
            heard: Some(heard),
            ..TandemInfo::default()
        };
        info.encode(&mut bytes);
        assert_eq!(TandemInfo::parse(Some(VENDOR_CLASS), &bytes), Some(info));
        assert_eq!(TandemInfo::parse(Some(b"isc-4.4.3"), &bytes), None);
        assert_eq!(TandemInfo::parse(None, &bytes), None);
        assert_eq!(TandemInfo::parse(Some(VENDOR_CLASS), &bytes[..5]), None);
        bytes.splice(0..0, [0, 99, 0, 1, 7]);
        assert_eq!(TandemInfo::parse(Some(b"tandem-9"), &bytes), Some(info), "a later Tandem may say more");
    }
}
