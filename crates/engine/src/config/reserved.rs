//! Which address is reserved for whom.
//!
//! *Lives here:* [`Reserved`], by client and by address.
//! *Must not know:* networks beside their numbers, what else is configured for a reservation.
//!
//! Each packet asks whether something is reserved for its client, and mostly nothing is in that network: one byte says so.

use super::{NetworkId, Reservation, ReservationId, ReservationKey, SubnetId};
use dhcp::HardwareAddress;
use foldhash::fast::FixedState;
use hashbrown::{Equivalent, HashMap};
use std::net::Ipv4Addr;

/// Reservations, found in one step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reserved {
    /// By network: which keys its reservations have.
    keys: Vec<Keys>,
    /// The keys are the operator's and no client's, so that their places in the table need not be kept secret.
    by_key: HashMap<Owned, ReservationId, FixedState>,
    by_address: HashMap<Ipv4Addr, ReservationId, FixedState>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Keys {
    hardware: bool,
    client_identifier: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Owned(NetworkId, ReservationKey);

/// As [`Owned`], with the same hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Borrowed<'a>(NetworkId, BorrowedKey<'a>);

/// As [`ReservationKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum BorrowedKey<'a> {
    Hardware(HardwareAddress),
    ClientIdentifier(&'a [u8]),
}

impl Equivalent<Owned> for Borrowed<'_> {
    fn equivalent(&self, Owned(network, key): &Owned) -> bool {
        let is_same = match (self.1, key) {
            (BorrowedKey::Hardware(own), ReservationKey::Hardware(hardware)) => own == *hardware,
            (BorrowedKey::ClientIdentifier(own), ReservationKey::ClientIdentifier(bytes)) => own == bytes,
            _ => false,
        };
        is_same && self.0 == *network
    }
}

impl Reserved {
    /// These reservations, in so many networks.
    pub(super) fn new(
        reservations: &[Reservation],
        networks: usize,
        network_of: impl Fn(SubnetId) -> NetworkId,
    ) -> Reserved {
        let mut reserved = Reserved { keys: vec![Keys::default(); networks], ..Reserved::default() };
        for (reservation, id) in reservations.iter().zip(0..) {
            let network = network_of(reservation.subnet);
            let keys = &mut reserved.keys[network.0 as usize];
            match reservation.key {
                ReservationKey::Hardware(_) => keys.hardware = true,
                ReservationKey::ClientIdentifier(_) => keys.client_identifier = true,
            }
            reserved.by_key.insert(Owned(network, reservation.key.clone()), ReservationId(id));
            reserved.by_address.insert(reservation.address, ReservationId(id));
        }
        reserved
    }

    /// See [`super::Config::reservation_of`].
    pub(super) fn of(
        &self,
        network: NetworkId,
        client_identifier: Option<&[u8]>,
        hardware: Option<HardwareAddress>,
    ) -> Option<ReservationId> {
        let keys = self.keys.get(network.0 as usize)?;
        let find = |key| self.by_key.get(&Borrowed(network, key)).copied();
        let identifier = client_identifier.filter(|_| keys.client_identifier);
        let hardware = hardware.filter(|_| keys.hardware);
        let by_identifier = identifier.and_then(|bytes| find(BorrowedKey::ClientIdentifier(bytes)));
        by_identifier.or_else(|| find(BorrowedKey::Hardware(hardware?)))
    }

    /// See [`super::Config::reservation_at`].
    pub(super) fn at(&self, address: Ipv4Addr) -> Option<ReservationId> {
        self.by_address.get(&address).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Boot, OptionSet};

    fn reservation(key: ReservationKey, subnet: u32, last: u8) -> Reservation {
        Reservation {
            key,
            address: Ipv4Addr::new(10, 0, 0, last),
            subnet: SubnetId(subnet),
            options: OptionSet::default(),
            boot: Boot::default(),
        }
    }

    #[test]
    fn a_client_is_found_in_its_network_by_identifier_first() {
        let hardware = HardwareAddress::ethernet([2, 0, 0, 0, 0, 1]);
        let other = HardwareAddress::new(32, &[7; 16]).unwrap();
        let identifier = ReservationKey::ClientIdentifier(b"printer".to_vec());
        let all = [
            reservation(ReservationKey::Hardware(hardware), 0, 1),
            reservation(identifier.clone(), 0, 2),
            reservation(identifier, 1, 3),
            reservation(ReservationKey::Hardware(other), 2, 4),
        ];
        let reserved = Reserved::new(&all, 4, |subnet| NetworkId(subnet.0));
        let of = |network, identifier, hardware| reserved.of(NetworkId(network), identifier, hardware);
        let named: Option<&[u8]> = Some(b"printer");
        assert_eq!(of(0, named, Some(hardware)), Some(ReservationId(1)));
        assert_eq!(of(0, Some(b"another"), Some(hardware)), Some(ReservationId(0)));
        assert_eq!(of(0, None, Some(hardware)), Some(ReservationId(0)));
        assert_eq!((of(1, named, None), of(1, None, Some(hardware))), (Some(ReservationId(2)), None));
        assert_eq!((of(2, named, Some(other)), of(2, named, Some(hardware))), (Some(ReservationId(3)), None));
        assert_eq!((of(3, named, Some(hardware)), of(4, named, Some(hardware))), (None, None));
        assert_eq!(reserved.at(Ipv4Addr::new(10, 0, 0, 3)), Some(ReservationId(2)));
        assert_eq!(reserved.at(Ipv4Addr::new(10, 0, 0, 5)), None);
    }
}
