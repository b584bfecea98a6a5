//! What a small world begins with.
//!
//! *Lives here:* [`Setup`].
//! *May know:* the parts of a configuration.
//! *Must not know:* what becomes of it.

use super::world::World;
use crate::scene::{Reserved, Scene, Terms};
use dhcp::HardwareAddress;
use engine::config::{
    Boot, LeaseTimes, OptionSet, Parts, PoolParts, ReservationKey, SharedNetworkParts, SubnetParts,
};
use failover::state::Role;
use failover::time::Interval;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// Sizes and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Addresses of the one pool.
    pub addresses: u8,
    /// How many clients there are; four at most.
    pub clients: u8,
    /// MCLT, in seconds.
    pub mclt: u32,
    /// Lease time, in seconds.
    pub lease: u32,
    /// How long an address that was found in use is kept, in seconds.
    pub decline: u32,
    /// BNDUPDs that may wait for their BNDACK.
    pub max_unacked: u32,
    /// An operator may say that a partner is down that is not: two clients may get one address then.
    pub wrong_operator: bool,
    /// The first address is reserved for the first client.
    pub reserved: bool,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup::DEFAULT
    }
}

impl Setup {
    /// What most begin with.
    pub const DEFAULT: Setup = Setup {
        addresses: 1,
        clients: 2,
        mclt: 60,
        lease: 600,
        decline: 300,
        max_unacked: 10,
        wrong_operator: false,
        reserved: false,
    };

    /// The first address of the pool.
    pub fn address(self, number: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, 10 + number)
    }

    pub(super) fn scene(self) -> Scene {
        let terms = Terms {
            mclt: Interval::from_seconds(self.mclt.into()),
            // Clients say that they have waited for long: either server answers.
            delayed_service: Some(1),
            split: 128,
            receive_timer: Interval::from_seconds(600),
            max_unacked: self.max_unacked,
            skew: 0,
            wrong_operator: self.wrong_operator,
        };
        let time = Interval::from_seconds(self.decline.into());
        let servers = [Role::Primary, Role::Secondary].map(|role| Parts {
            shared_networks: vec![self.network()],
            options: OptionSet::default(),
            offer_time: Interval::from_seconds(20),
            decline_time: time,
            relationships: vec![terms.relationship(role)],
        });
        Scene {
            dhcpd: None,
            terms: Some(terms),
            servers: servers.to_vec(),
            clients: Vec::new(),
            reserved: self.reservation().into_iter().collect(),
            pace: 0,
            longest: u64::from(self.lease) * 1000,
            decline_time: time,
            offer_time: Interval::ZERO,
            lasts: 0,
            are_days: false,
        }
    }

    fn reservation(self) -> Option<Reserved> {
        let key = ReservationKey::Hardware(HardwareAddress::ethernet(World::hardware(0)));
        self.reserved.then_some(Reserved { address: self.address(0), key })
    }

    fn network(self) -> SharedNetworkParts {
        let pool = PoolParts {
            first: self.address(0),
            last: self.address(self.addresses.saturating_sub(1)),
            options: OptionSet::default(),
            failover: Some(0),
            dynamic_bootp: false,
        };
        let subnet = SubnetParts {
            prefix: Ipv4Net::new(Ipv4Addr::new(10, 0, 0, 0), 24).unwrap_or_default(),
            lease: LeaseTimes::of(Interval::from_seconds(self.lease.into())),
            options: OptionSet::default(),
            boot: Boot::default(),
            pools: vec![pool],
            reservations: self.reservation().iter().map(Reserved::parts).collect(),
        };
        SharedNetworkParts { name: "wire".to_owned(), subnets: vec![subnet] }
    }
}
