//! The interfaces of this host, as requests ask about them.
//!
//! *Lives here:* [`Interfaces`].
//! *May know:* in which subnets our own addresses lie.
//! *Must not know:* requests.
//!
//! A hub may have hundreds of interfaces, and each packet asks: so what follows from the configuration is found out once.

use crate::config::{Config, NetworkId};
use crate::input::{Interface, InterfaceId};
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use std::net::Ipv4Addr;

/// All of them. Their numbers and addresses are this host's and no client's, so that their places in the tables need not be kept
/// secret.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interfaces {
    /// `None` for one without an address.
    by_id: HashMap<InterfaceId, Option<Own>, FixedState>,
    addresses: HashSet<Ipv4Addr, FixedState>,
}

/// An interface that has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Own {
    /// Our address on it: the first that lies in a subnet, else the first.
    pub(crate) local: Ipv4Addr,
    /// The shared network of that address, if one is configured.
    pub(crate) link: Option<NetworkId>,
}

impl Interfaces {
    /// These; of two with the same number the first counts.
    pub(crate) fn new(config: &Config, interfaces: &[Interface]) -> Interfaces {
        let mut all = Interfaces::default();
        for interface in interfaces {
            all.addresses.extend(&interface.addresses);
            let mut addresses = interface.addresses.iter().copied();
            let served = addresses
                .clone()
                .find_map(|local| config.network_of(local).map(|network| Own { local, link: Some(network) }));
            let own = served.or_else(|| addresses.next().map(|local| Own { local, link: None }));
            all.by_id.entry(interface.id).or_insert(own);
        }
        all
    }

    /// The interface with this number, if it has an address.
    pub(crate) fn get(&self, id: InterfaceId) -> Option<&Own> {
        self.by_id.get(&id)?.as_ref()
    }

    /// Whether an address is one of ours.
    pub(crate) fn has(&self, address: Ipv4Addr) -> bool {
        self.addresses.contains(&address)
    }

    /// Whether there is none, with an address or without.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_a_subnet_goes_before_the_first() {
        let [far, near, nearer, alone] =
            [[192, 0, 2, 1], [10, 0, 0, 1], [10, 0, 0, 2], [192, 0, 2, 2]].map(Ipv4Addr::from);
        let interface =
            |id, addresses: &[Ipv4Addr]| Interface { id: InterfaceId(id), addresses: addresses.to_vec() };
        let all = [
            interface(1, &[far, near, nearer]),
            interface(2, &[alone]),
            interface(3, &[]),
            interface(3, &[alone]),
        ];
        let config = Config::of_one_subnet("10.0.0.0/24", Vec::new());
        let own = Interfaces::new(&config, &all);
        let link = Some(NetworkId(0));
        assert_eq!(own.get(InterfaceId(1)), Some(&Own { local: near, link }));
        assert_eq!(own.get(InterfaceId(2)), Some(&Own { local: alone, link: None }));
        assert_eq!((own.get(InterfaceId(3)), own.get(InterfaceId(4))), (None, None));
        assert!([far, near, nearer, alone].iter().all(|address| own.has(*address)));
        assert!(!own.has(Ipv4Addr::new(10, 0, 0, 3)) && !own.is_empty());
        assert!(!Interfaces::new(&config, &all[2..3]).is_empty() && Interfaces::default().is_empty());
    }
}
