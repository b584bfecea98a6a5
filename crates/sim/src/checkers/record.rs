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
const ACKNOWLEDGED: u8 = 5;

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

/// What a record says of a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// All.
    Whole(Seen),
    /// What the partner knows of the one that was recorded last: whether it has not acknowledged it, and the times sent and acked.
    Acknowledged { address: Ipv4Addr, status: BindingStatus, is_unseen: bool, times: [Time; 2] },
}

impl Said {
    fn read(bytes: &[u8]) -> Option<Said> {
        if bytes.first() != Some(&ACKNOWLEDGED) {
            return Seen::whole(bytes).map(Said::Whole);
        }
        let head = bytes.first_chunk::<16>()?;
        Some(Said::Acknowledged {
            address: Ipv4Addr::new(head[4], head[5], head[6], head[7]),
            status: BindingStatus::from_number(head[2])?,
            is_unseen: head[3] & 1 != 0,
            times: [stamp(head, 8), stamp(head, 12)],
        })
    }
}

fn stamp(bytes: &[u8], at: usize) -> Time {
    let seconds = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    match seconds {
        0 => Time::ZERO,
        u32::MAX => Time::NEVER,
        seconds => Time::from_seconds(EPOCH + u64::from(seconds)),
    }
}

impl Seen {
    /// The binding after the record in these bytes; `None` for another kind of record. `before` has what was recorded of an address
    /// until then. What is said of another status than that says nothing: see `engine`'s replay.
    pub(crate) fn read(bytes: &[u8], before: impl Fn(Ipv4Addr) -> Option<Seen>) -> Option<Seen> {
        match Said::read(bytes)? {
            Said::Whole(seen) => Some(seen),
            Said::Acknowledged { address, status, is_unseen, times: [sent, acked] } => {
                let before = before(address).unwrap_or_else(|| Seen::never(address));
                let [.., received] = before.potentials;
                let potentials = [sent, acked, received];
                (before.status == status).then_some(Seen { is_unseen, potentials, ..before })
            }
        }
    }

    fn whole(bytes: &[u8]) -> Option<Seen> {
        let (head, rest) = bytes.split_at_checked(34)?;
        if head[0] != BINDING {
            return None;
        }
        let stamp = |at| stamp(head, at);
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

    /// All bindings in a run of records, each behind its length, as each record leaves them; and where one says what the partner knows
    /// of a binding that is not what is recorded, so that a replay would make something else of it.
    pub(crate) fn all(
        mut frames: &[u8],
        before: impl Fn(Ipv4Addr) -> Option<Seen>,
    ) -> (Vec<Seen>, Result<(), String>) {
        let (mut all, mut verdict) = (Vec::<Seen>::new(), Ok(()));
        while let Some((length, rest)) = frames.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let Some((record, rest)) = rest.split_at_checked(length) else { break };
            let latest = |address| {
                let latest = all.iter().rev().find(|seen| seen.address == address);
                latest.cloned().or_else(|| before(address))
            };
            let after = Seen::read(record, latest);
            if after.is_none()
                && let Some(Said::Acknowledged { address, status, .. }) = Said::read(record)
            {
                verdict = Err(format!("{address}: acknowledged as {status}, which is not what is recorded"));
            }
            all.extend(after);
            frames = rest;
        }
        (all, verdict)
    }

    pub(crate) fn is_active(&self) -> bool {
        self.status == BindingStatus::Active
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.status == BindingStatus::Abandoned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::record::{AcknowledgedRecord, Flags, Record, Stamp};

    #[test]
    fn what_the_partner_knows_is_read_on_top_of_what_was_recorded() {
        let address = Ipv4Addr::new(10, 0, 0, 9);
        let [sent, acked] = [7, 9].map(|minutes| Time::from_seconds(EPOCH + minutes * 60));
        let record = |status| {
            let record = AcknowledgedRecord {
                address,
                status,
                flags: Flags::UNSEEN,
                sent_potential_expiration: Stamp::at_or_after(sent),
                acked_potential_expiration: Stamp::at_or_after(acked),
            };
            let mut bytes = Vec::new();
            Record::Acknowledged(record).encode(&mut bytes);
            bytes
        };
        let before = Seen {
            status: BindingStatus::Active,
            end: sent,
            potentials: [Time::ZERO, Time::ZERO, Time::NEVER],
            identity: ClientIdentity::from_client_identifier(b"one"),
            ..Seen::never(address)
        };
        let after = Seen::read(&record(BindingStatus::Active), |_| Some(before.clone()));
        let expected = Seen { is_unseen: true, potentials: [sent, acked, Time::NEVER], ..before.clone() };
        assert_eq!(after, Some(expected));
        assert_eq!(Seen::read(&record(BindingStatus::Expired), |_| Some(before.clone())), None);
        assert!(Seen::read(&record(BindingStatus::Free), |_| None).is_some());
    }
}
