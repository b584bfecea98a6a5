//! A reader of records that is not the engine's.
//!
//! *Lives here:* [`Seen`]: of a binding's bytes (the table in `engine::record`) what checkers ask.
//! *Must not know:* the engine's own reader.

use dhcp::ClientIdentity;
use failover::binding::BindingStatus;
use failover::time::Time;
use std::net::Ipv4Addr;

/// Stamps count seconds from 2020-01-01.
const EPOCH: u64 = 1_577_836_800;
const BINDING: u8 = 1;

/// A binding as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) address: Ipv4Addr,
    pub(crate) status: BindingStatus,
    /// The partner has not acknowledged this.
    pub(crate) is_unseen: bool,
    pub(crate) since: Time,
    /// client-last-transaction-time.
    pub(crate) heard: Time,
    pub(crate) end: Time,
    /// Potential-expiration-times: sent, acked, received.
    pub(crate) potentials: [Time; 3],
    pub(crate) identity: Option<ClientIdentity>,
}

impl Seen {
    /// A binding in these bytes; `None` for another kind of record.
    pub(crate) fn read(bytes: &[u8]) -> Option<Seen> {
        let (head, rest) = bytes.split_at_checked(34)?;
        if head[0] != BINDING {
            return None;
        }
        let stamp = |at: usize| {
            let seconds = u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
            match seconds {
                0 => Time::ZERO,
                u32::MAX => Time::NEVER,
                seconds => Time::from_seconds(EPOCH + u64::from(seconds)),
            }
        };
        let (_, rest) = rest.split_at_checked(usize::from(head[33]))?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let identity = rest.get(..usize::from(u16::from_le_bytes(*length)))?;
        Some(Seen {
            address: Ipv4Addr::new(head[4], head[5], head[6], head[7]),
            status: BindingStatus::from_number(head[2])?,
            is_unseen: head[3] & 1 != 0,
            since: stamp(8),
            heard: stamp(12),
            end: stamp(16),
            potentials: [stamp(20), stamp(24), stamp(28)],
            identity: ClientIdentity::from_bytes(identity),
        })
    }

    /// An address of which nothing was ever recorded.
    pub(crate) fn never(address: Ipv4Addr) -> Seen {
        Seen {
            address,
            status: BindingStatus::Free,
            is_unseen: false,
            since: Time::ZERO,
            heard: Time::ZERO,
            end: Time::ZERO,
            potentials: [Time::ZERO; 3],
            identity: None,
        }
    }

    /// It was not always FREE.
    pub(crate) fn has_past(&self) -> bool {
        self.status != BindingStatus::Free || self.since != Time::ZERO
    }

    /// FREE or BACKUP.
    pub(crate) fn is_available(&self) -> bool {
        self.status.is_available()
    }

    /// The latest of the four times of F07 7.1.5.
    pub(crate) fn latest(&self) -> Time {
        self.potentials.into_iter().fold(self.end, Time::max)
    }

    /// All bindings in a run of records, each behind its length.
    pub(crate) fn all(mut frames: &[u8]) -> Vec<Seen> {
        let mut seen = Vec::new();
        while let Some((length, rest)) = frames.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let Some((record, rest)) = rest.split_at_checked(length) else { break };
            seen.extend(Seen::read(record));
            frames = rest;
        }
        seen
    }

    pub(crate) fn is_active(&self) -> bool {
        self.status == BindingStatus::Active
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.status == BindingStatus::Abandoned
    }
}
