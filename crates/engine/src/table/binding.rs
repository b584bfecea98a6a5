//! One binding in memory.
//!
//! *Lives here:* [`Binding`], small because there are millions of them; its way to and from a record.
//! *Must not know:* lists, wheels, indexes.

use super::Available;
use super::extras::{Extras, Pieces};
use crate::record::{AcknowledgedRecord, BindingRecord, ClientDetails, Flags, Stamp};
use dhcp::{ClientIdentity, HardwareAddress};
use failover::binding::BindingStatus;
use failover::lease::Times;
use failover::time::{Interval, Time};
use std::net::Ipv4Addr;

/// No offer.
pub(crate) const NO_OFFER: u32 = u32::MAX;

/// An address and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    pub(crate) address: u32,
    /// Number of the offer that holds it, or [`NO_OFFER`]. Not durable.
    pub(crate) offer: u32,
    pub(crate) status: BindingStatus,
    /// What is still to be settled with the partner.
    pub(crate) flags: Flags,
    /// The index finds this binding by its client. Not durable.
    pub(crate) indexed: bool,
    /// The configuration reserves this address. Not durable.
    pub(crate) reserved: bool,
    pub(crate) start_time_of_state: Stamp,
    pub(crate) client_last_transaction_time: Stamp,
    pub(crate) lease_expiration: Stamp,
    pub(crate) sent_potential_expiration: Stamp,
    pub(crate) acked_potential_expiration: Stamp,
    pub(crate) received_potential_expiration: Stamp,
    /// See [`BindingRecord::doubted_until`]. It outlives the client.
    pub(crate) doubted_until: Stamp,
    pub(crate) client: Option<ClientIdentity>,
    hardware: SmallHardware,
    extras: Option<Extras>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SmallHardware {
    None,
    Ethernet([u8; 6]),
    /// In the extras.
    Long,
}

impl Binding {
    /// An address that no client ever had.
    pub(crate) fn unused(address: u32) -> Binding {
        Binding {
            address,
            offer: NO_OFFER,
            status: BindingStatus::Free,
            flags: Flags::NONE,
            indexed: false,
            reserved: false,
            start_time_of_state: Stamp::NONE,
            client_last_transaction_time: Stamp::NONE,
            lease_expiration: Stamp::NONE,
            sent_potential_expiration: Stamp::NONE,
            acked_potential_expiration: Stamp::NONE,
            received_potential_expiration: Stamp::NONE,
            doubted_until: Stamp::NONE,
            client: None,
            hardware: SmallHardware::None,
            extras: None,
        }
    }

    pub(crate) fn ip(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.address)
    }

    pub(crate) fn hardware(&self) -> Option<HardwareAddress> {
        match self.hardware {
            SmallHardware::None => None,
            SmallHardware::Ethernet(bytes) => Some(HardwareAddress::ethernet(bytes)),
            SmallHardware::Long => match self.pieces().hardware {
                [htype, address @ ..] => HardwareAddress::new(*htype, address),
                [] => None,
            },
        }
    }

    /// What client, relay and partner said along.
    pub(crate) fn details(&self) -> ClientDetails<'_> {
        self.pieces().details
    }

    /// See [`BindingRecord::reserved_for`].
    pub(crate) fn reserved_for(&self) -> Option<[u8; 8]> {
        self.pieces().reserved_for
    }

    fn pieces(&self) -> Pieces<'_> {
        self.extras.as_ref().map_or_else(Pieces::default, Extras::pieces)
    }

    pub(crate) fn set_reserved_for(&mut self, key: Option<[u8; 8]>) {
        if self.reserved_for() != key {
            let before = self.extras.clone();
            let pieces = before.as_ref().map_or_else(Pieces::default, Extras::pieces);
            Extras::replace(&mut self.extras, &Pieces { reserved_for: key, ..pieces });
        }
    }

    /// Keeps what was said along with the last word of the client; allocates only where the whole has another length than before.
    /// F07-7.1.1-14.
    pub(crate) fn set_client_details(
        &mut self,
        hardware: Option<HardwareAddress>,
        details: ClientDetails<'_>,
    ) {
        let reserved_for = self.reserved_for();
        self.keep(hardware, details, reserved_for);
    }

    fn keep(
        &mut self,
        hardware: Option<HardwareAddress>,
        details: ClientDetails<'_>,
        reserved_for: Option<[u8; 8]>,
    ) {
        let mut long = [0; 1 + HardwareAddress::MAX_LENGTH];
        let mut length = 0;
        self.hardware = match &hardware {
            None => SmallHardware::None,
            Some(hardware) => {
                if let Some(bytes) = hardware.as_ethernet() {
                    SmallHardware::Ethernet(bytes)
                } else {
                    let address = hardware.as_bytes();
                    length = 1 + address.len();
                    long[0] = hardware.htype();
                    long[1..length].copy_from_slice(address);
                    SmallHardware::Long
                }
            }
        };
        Extras::replace(&mut self.extras, &Pieces { details, hardware: &long[..length], reserved_for });
    }

    /// The times of F07 7.1.5 belong to an address *and* a client: they end with it (trap T14).
    pub(crate) fn clear_times(&mut self) {
        self.lease_expiration = Stamp::NONE;
        self.sent_potential_expiration = Stamp::NONE;
        self.acked_potential_expiration = Stamp::NONE;
        self.received_potential_expiration = Stamp::NONE;
    }

    /// Its lease was given back at `now`, here or at the partner. Whoever had it may not know that, if it was not the client that
    /// said so, until the latest end that either server can have promised: that much after what each knew of the other
    /// (F07-5.2.1-01). To be called while the times still are those of the lease.
    pub(crate) fn was_given_back(&mut self, now: Time, mclt: Interval) {
        self.doubted_until = self.doubted_if_given_back(now, mclt);
    }

    /// Until when nobody is believed about it, if it is given back at `now`.
    pub(crate) fn doubted_if_given_back(&self, now: Time, mclt: Interval) -> Stamp {
        self.doubted_until.max(Stamp::at_or_after(self.times().latest().max(now).plus(mclt)))
    }

    /// When it has been ABANDONED for `decline_time`, and what it was leased for is over.
    pub(crate) fn probation_end(&self, decline_time: Interval) -> Time {
        self.start_time_of_state.time().plus(decline_time).max(self.lease_expiration.time())
    }

    /// Nothing is left of the client (F07 table 7.1-1: ABANDONED has none).
    pub(crate) fn clear_client(&mut self) {
        self.client = None;
        self.flags = self.flags.without(Flags::BOOTP.with(Flags::FEARED));
        self.hardware = SmallHardware::None;
        self.extras = None;
    }

    /// Whether this differs from an address that no client ever had.
    pub(crate) fn is_worth_a_record(&self) -> bool {
        self.status != BindingStatus::Free
            || self.flags.durable() != Flags::NONE
            || self.client.is_some()
            || self.reserved_for().is_some()
            || self.start_time_of_state != Stamp::NONE
    }

    /// In whose list of available addresses this belongs.
    pub(crate) fn available(&self) -> Option<Available> {
        match self.status {
            BindingStatus::Free => Some(Available::Free),
            BindingStatus::Backup => Some(Available::Backup),
            _ => None,
        }
    }

    /// The four times of F07 7.1.5.
    pub(crate) fn times(&self) -> Times {
        Times {
            lease_expiration: self.lease_expiration.time(),
            sent_potential_expiration: self.sent_potential_expiration.time(),
            acked_potential_expiration: self.acked_potential_expiration.time(),
            received_potential_expiration: self.received_potential_expiration.time(),
        }
    }

    pub(crate) fn set_times(&mut self, times: Times) {
        self.lease_expiration = Stamp::at_or_after(times.lease_expiration);
        self.sent_potential_expiration = Stamp::at_or_after(times.sent_potential_expiration);
        self.acked_potential_expiration = Stamp::at_or_after(times.acked_potential_expiration);
        self.received_potential_expiration = Stamp::at_or_after(times.received_potential_expiration);
    }

    /// When the client was last heard.
    pub(crate) fn heard(&self) -> Option<Time> {
        let heard = self.client_last_transaction_time;
        (heard != Stamp::NONE).then(|| heard.time())
    }

    /// The client is heard at `now`, in another state than before: never in the same second as the last time, by which the
    /// partner would take the one for as old as the other (figure 7.1.3-1, time(1)).
    pub(crate) fn heard_anew(&self, now: Time) -> Stamp {
        Stamp::at_or_before(now).max(self.client_last_transaction_time.next())
    }

    /// How long the lease was that ends at `lease_expiration`.
    pub(crate) fn leased_for(&self) -> Interval {
        self.lease_expiration.time().since(self.client_last_transaction_time.time())
    }

    /// Whether its client should have had it rebound before `now`, and has not.
    pub(crate) fn is_past_rebinding(&self, now: Time) -> bool {
        let rebinding = self.client_last_transaction_time.time().plus(self.leased_for().fraction(7, 8));
        self.status == BindingStatus::Active && rebinding < now
    }

    pub(crate) fn record(&self) -> BindingRecord<'_> {
        BindingRecord {
            address: self.ip(),
            status: self.status,
            flags: self.flags.durable(),
            start_time_of_state: self.start_time_of_state,
            client_last_transaction_time: self.client_last_transaction_time,
            lease_expiration: self.lease_expiration,
            sent_potential_expiration: self.sent_potential_expiration,
            acked_potential_expiration: self.acked_potential_expiration,
            received_potential_expiration: self.received_potential_expiration,
            doubted_until: self.doubted_until,
            hardware: self.hardware(),
            identity: self.client.as_ref().map_or(&[], ClientIdentity::as_bytes),
            details: self.details(),
            reserved_for: self.reserved_for(),
        }
    }

    /// What the partner knows of it, for when all else is recorded already.
    pub(crate) fn acknowledged(&self) -> AcknowledgedRecord {
        AcknowledgedRecord {
            address: self.ip(),
            status: self.status,
            flags: self.flags.durable(),
            sent_potential_expiration: self.sent_potential_expiration,
            acked_potential_expiration: self.acked_potential_expiration,
        }
    }

    /// Takes what the partner knows from a record of the same address.
    ///
    /// This may be a later state than the one that the record speaks of: a piece of a snapshot is as late as the moment it was made, and
    /// the log that is replayed on top of it begins before. Then all that led to that later state follows in the log. So another status
    /// is no damage, and nothing that the record says holds for it; and with the same status, of another lease say, what is wrong
    /// after this is put right by the whole record that follows, before anybody is answered.
    pub(crate) fn restore_acknowledged(&mut self, record: &AcknowledgedRecord) {
        if self.status == record.status {
            self.flags = record.flags.durable();
            self.sent_potential_expiration = record.sent_potential_expiration;
            self.acked_potential_expiration = record.acked_potential_expiration;
        }
    }

    /// Takes everything durable from a record of the same address.
    pub(crate) fn restore(&mut self, record: &BindingRecord<'_>) {
        self.status = record.status;
        self.flags = record.flags.durable();
        self.start_time_of_state = record.start_time_of_state;
        self.client_last_transaction_time = record.client_last_transaction_time;
        self.lease_expiration = record.lease_expiration;
        self.sent_potential_expiration = record.sent_potential_expiration;
        self.acked_potential_expiration = record.acked_potential_expiration;
        self.received_potential_expiration = record.received_potential_expiration;
        self.doubted_until = record.doubted_until;
        self.client = ClientIdentity::from_bytes(record.identity);
        self.keep(record.hardware, record.details, record.reserved_for);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_bindings_fit() {
        assert!(size_of::<Binding>() <= 88, "a binding takes {} bytes", size_of::<Binding>());
    }

    #[test]
    fn a_record_restores_what_is_durable() {
        let mut binding = Binding::unused(0x0a01_0203);
        binding.status = BindingStatus::Active;
        binding.client = ClientIdentity::from_client_identifier(b"a client with a very long identifier");
        let details = ClientDetails { host_name: b"name", ddns: &[0, 1, 0], ..ClientDetails::default() };
        binding.set_client_details(HardwareAddress::new(32, &[7; 16]), details);
        binding.set_reserved_for(Some([3; 8]));
        binding.lease_expiration = Stamp::NEVER;
        binding.was_given_back(Time::from_seconds(1_800_000_000), Interval::from_seconds(60));
        let mut restored = Binding::unused(0x0a01_0203);
        restored.restore(&binding.record());
        assert_eq!(restored.record(), binding.record());
        assert_eq!(restored.hardware(), HardwareAddress::new(32, &[7; 16]));
        binding.flags = Flags::TOLD.with(Flags::OWED);
        binding.acked_potential_expiration = Stamp::NEVER;
        restored.restore_acknowledged(&binding.acknowledged());
        assert_eq!(restored.record(), binding.record());
        binding.status = BindingStatus::Expired;
        binding.flags = Flags::UNSEEN;
        restored.restore_acknowledged(&binding.acknowledged());
        assert_eq!((restored.status, restored.flags), (BindingStatus::Active, Flags::TOLD));
        for hardware in [HardwareAddress::new(32, &[7; 16]), HardwareAddress::new(1, &[7; 6]), None] {
            restored.set_client_details(hardware, ClientDetails::default());
            let kept = (restored.hardware(), restored.details(), restored.reserved_for());
            assert_eq!(
                kept,
                (hardware, ClientDetails::default(), Some([3; 8])),
                "it is no word of the client"
            );
        }
    }
}
