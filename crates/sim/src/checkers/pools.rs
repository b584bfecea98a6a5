//! The pools that two servers share, by their configuration.
//!
//! *Lives here:* [`Pools`].
//! *Must not know:* what became of an address.

use crate::scene::Scene;
use failover::time::Interval;
use std::net::Ipv4Addr;

#[derive(Debug, Clone)]
struct Shared {
    first: Ipv4Addr,
    last: Ipv4Addr,
    /// How long a lease usually is.
    lease: Interval,
    /// Clients of BOOTP get addresses of it too.
    serves_bootp: bool,
}

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct Pools(Vec<Shared>);

impl Pools {
    pub(super) fn of(scene: &Scene) -> Pools {
        let networks = scene.servers.iter().flat_map(|parts| &parts.shared_networks);
        let subnets = networks.flat_map(|network| &network.subnets);
        let pools = subnets.flat_map(|subnet| {
            subnet.pools.iter().map(|pool| Shared {
                first: pool.first,
                last: pool.last,
                lease: subnet.lease.lease,
                serves_bootp: pool.dynamic_bootp,
            })
        });
        Pools(pools.collect())
    }

    fn of_address(&self, address: Ipv4Addr) -> Option<&Shared> {
        self.0.iter().find(|pool| (pool.first..=pool.last).contains(&address))
    }

    pub(super) fn has(&self, address: Ipv4Addr) -> bool {
        self.of_address(address).is_some()
    }

    pub(super) fn usual_lease(&self, address: Ipv4Addr) -> Option<Interval> {
        self.of_address(address).map(|pool| pool.lease)
    }

    pub(super) fn serves_bootp(&self, address: Ipv4Addr) -> bool {
        self.of_address(address).is_some_and(|pool| pool.serves_bootp)
    }
}
