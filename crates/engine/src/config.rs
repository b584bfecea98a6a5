//! The checked configuration: a value without contradictions.
//!
//! *Lives here:* [`Parts`] (what a reader of some text hands in), [`Config`] (what the engine runs on),
//! [`Fault`] (what is wrong with the parts, all of it at once).
//! *May know:* networks, pools, reservations, options as bytes.
//! *Must not know:* TOML, files, lines: a [`Place`] names a part by its numbers, the reader knows where it stood.

mod by_address;
mod check;
mod options;
mod relationship;
mod reserved;

pub(crate) use by_address::ByAddress;
pub(crate) use check::MAX_UNACKED;
pub use check::{Fault, Place, Problem};
pub use options::{OptionSet, SET_BY_SERVER};
pub use relationship::{Addresses, CERTIFICATE_WARNING, RelationshipId, RelationshipParts, TlsParts};

use dhcp::HardwareAddress;
use failover::time::Interval;
use ipnet::Ipv4Net;
use reserved::Reserved;
use std::net::Ipv4Addr;

/// Most addresses that all pools and reservations together may have: a slot is about 100 bytes of memory.
pub const MAX_ADDRESSES: u64 = 1 << 25;

/// What a reader of configuration text hands in, in the order of the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// All networks. A subnet that stands alone is a shared network of one.
    pub shared_networks: Vec<SharedNetworkParts>,
    /// Options for every client.
    pub options: OptionSet,
    /// How long an offered address is kept for the client that it was offered to; at least 1 s.
    pub offer_time: Interval,
    /// How long a declined address stays ABANDONED.
    pub decline_time: Interval,
    /// Partners with which pools are shared.
    pub relationships: Vec<RelationshipParts>,
}

/// Several subnets on one wire: the unit of which a client gets one address (F07-2.2-05).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SharedNetworkParts {
    /// Its name; for a subnet that stands alone its prefix.
    pub name: String,
    /// Its subnets.
    pub subnets: Vec<SubnetParts>,
}

/// A subnet with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetParts {
    /// Its addresses.
    pub prefix: Ipv4Net,
    /// How long leases are.
    pub lease: LeaseTimes,
    /// Options for its clients.
    pub options: OptionSet,
    /// Where clients boot from.
    pub boot: Boot,
    /// Dynamic pools.
    pub pools: Vec<PoolParts>,
    /// Reserved addresses.
    pub reservations: Vec<ReservationParts>,
}

/// How long leases are, and when a client renews and rebinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// For a client that has no wish; [`Interval::INFINITE`] is a lease without end.
    pub lease: Interval,
    /// A client that wishes less gets no less than this.
    pub minimum: Interval,
    /// A client that wishes more gets no more than this.
    pub maximum: Interval,
    /// T1 (RFC 2131 4.4.5): an interval of its own, else half of what was granted.
    pub renewal: Option<Interval>,
    /// T2: an interval of its own, else seven eighths of what was granted.
    pub rebinding: Option<Interval>,
}

impl LeaseTimes {
    /// Leases of `lease` for everybody who does not wish less; T1 and T2 at one half and seven eighths.
    pub fn of(lease: Interval) -> LeaseTimes {
        LeaseTimes {
            lease,
            minimum: Interval::from_seconds(60).min(lease),
            maximum: lease,
            renewal: None,
            rebinding: None,
        }
    }
}

/// Fixed fields of the header for clients that boot over the network (RFC 2131 table 1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Boot {
    /// siaddr.
    pub next_server: Option<Ipv4Addr>,
    /// sname; at most 63 bytes.
    pub server_name: Vec<u8>,
    /// file; at most 127 bytes.
    pub file: Vec<u8>,
}

/// A range of addresses for dynamic allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolParts {
    /// First address.
    pub first: Ipv4Addr,
    /// Last address, included.
    pub last: Ipv4Addr,
    /// Options for its clients, over those of the subnet.
    pub options: OptionSet,
    /// Which partner shares it: its number in [`Parts::relationships`].
    pub failover: Option<usize>,
    /// BOOTP clients get addresses of it too, for ever (F07 5.13); the same on both servers.
    pub dynamic_bootp: bool,
}

/// An address that belongs to one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationParts {
    /// Whose it is.
    pub key: ReservationKey,
    /// The address, in the subnet; it may lie in a pool, which then gives it to nobody else.
    pub address: Ipv4Addr,
    /// Options for this client, over those of the pool and the subnet.
    pub options: OptionSet,
    /// Where this client boots from, where that differs from the subnet.
    pub boot: Boot,
}

/// How a client is recognised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReservationKey {
    /// By htype and chaddr, whatever client-identifier it sends.
    Hardware(HardwareAddress),
    /// By its client-identifier (option 61), byte for byte.
    ClientIdentifier(Vec<u8>),
}

impl ReservationKey {
    /// A digest of whom it names: it only has to differ where they do.
    pub fn digest(&self) -> [u8; 8] {
        let mut digest = Digest::new();
        digest.add_key(self);
        digest.finish()
    }
}

/// FNV-1a.
struct Digest(u64);

impl Digest {
    fn new() -> Digest {
        Digest(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn add_key(&mut self, key: &ReservationKey) {
        match key {
            ReservationKey::Hardware(hardware) => {
                self.add(&[0, hardware.htype()]);
                self.add(hardware.as_bytes());
            }
            ReservationKey::ClientIdentifier(identifier) => {
                self.add(&[1]);
                self.add(identifier);
            }
        }
    }

    fn finish(&self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

/// Number of a shared network in [`Config`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(pub u32);

/// Number of a subnet in [`Config`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubnetId(pub u32);

/// Number of a pool in [`Config`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId(pub u32);

/// Number of a reservation in [`Config`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReservationId(pub u32);

/// The configuration that the engine runs on. Made by [`Config::check`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    offer_time: Interval,
    decline_time: Interval,
    relationships: Vec<RelationshipParts>,
    networks: Vec<SharedNetwork>,
    subnets: Vec<Subnet>,
    pools: Vec<Pool>,
    reservations: Vec<Reservation>,
    /// Subnets: they do not overlap.
    by_address: ByAddress,
    reserved: Reserved,
}

/// A checked shared network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedNetwork {
    /// Its name.
    pub name: String,
    /// Its subnets, in the order of the text.
    pub subnets: Vec<SubnetId>,
    /// Its pools, in the order of the text.
    pub pools: Vec<PoolId>,
}

/// A checked subnet. Its options include the global ones, subnet-mask and broadcast-address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Its addresses.
    pub prefix: Ipv4Net,
    /// The shared network that it is part of.
    pub network: NetworkId,
    /// How long leases are.
    pub lease: LeaseTimes,
    /// Options for its clients, merged.
    pub options: OptionSet,
    /// Where clients boot from.
    pub boot: Boot,
}

/// A checked pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// First address.
    pub first: Ipv4Addr,
    /// Last address, included.
    pub last: Ipv4Addr,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Options for its clients, merged.
    pub options: OptionSet,
    /// Which partner shares it (F07-5.1.1-03: one at most).
    /// F07-4.2-01.
    pub failover: Option<RelationshipId>,
    /// BOOTP clients get addresses of it too, for ever.
    pub dynamic_bootp: bool,
}

/// A checked reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Whose it is.
    pub key: ReservationKey,
    /// The address.
    pub address: Ipv4Addr,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Options for this client, merged.
    pub options: OptionSet,
    /// Where this client boots from, merged.
    pub boot: Boot,
}

impl Config {
    /// Checks everything at once.
    ///
    /// # Errors
    /// All faults that were found, in the order of the parts.
    pub fn check(parts: &Parts) -> Result<Config, Vec<Fault>> {
        check::check(parts)
    }

    /// How long an offered address is kept for its client.
    pub fn offer_time(&self) -> Interval {
        self.offer_time
    }

    /// How long a declined address stays ABANDONED.
    pub fn decline_time(&self) -> Interval {
        self.decline_time
    }

    /// All relationships with partners, by number.
    pub fn relationships(&self) -> &[RelationshipParts] {
        &self.relationships
    }

    /// The relationship with this number, which came from this configuration.
    pub fn relationship(&self, id: RelationshipId) -> &RelationshipParts {
        &self.relationships[id.0 as usize]
    }

    /// A digest of what both configurations of a relationship must agree on: its MCLT, its pools and what is reserved in them
    /// (F07-5.12-01, Q45).
    pub fn digest_of(&self, id: RelationshipId) -> [u8; 8] {
        let mut digest = Digest::new();
        digest.add(&self.relationship(id).mclt.as_millis().to_be_bytes());
        let mut pools: Vec<_> = self.pools.iter().filter(|pool| pool.failover == Some(id)).collect();
        pools.sort_unstable_by_key(|pool| pool.first);
        for pool in pools {
            digest.add(&pool.first.octets());
            digest.add(&pool.last.octets());
            if pool.dynamic_bootp {
                digest.add(&[1]);
            }
        }
        let shared = |address: Ipv4Addr| {
            let in_it = |pool: &Pool| (pool.first..=pool.last).contains(&address);
            self.pools.iter().any(|pool| pool.failover == Some(id) && in_it(pool))
        };
        let mut reserved: Vec<_> = self.reservations.iter().filter(|of| shared(of.address)).collect();
        reserved.sort_unstable_by_key(|reservation| reservation.address);
        for reservation in reserved {
            digest.add(&reservation.address.octets());
            digest.add_key(&reservation.key);
        }
        digest.finish()
    }

    /// All shared networks, by number.
    pub fn networks(&self) -> &[SharedNetwork] {
        &self.networks
    }

    /// All subnets, by number.
    pub fn subnets(&self) -> &[Subnet] {
        &self.subnets
    }

    /// All pools, by number.
    pub fn pools(&self) -> &[Pool] {
        &self.pools
    }

    /// All reservations, by number.
    pub fn reservations(&self) -> &[Reservation] {
        &self.reservations
    }

    /// The subnet with this number, which came from this configuration.
    pub fn subnet(&self, id: SubnetId) -> &Subnet {
        &self.subnets[id.0 as usize]
    }

    /// The pool with this number, which came from this configuration.
    pub fn pool(&self, id: PoolId) -> &Pool {
        &self.pools[id.0 as usize]
    }

    /// The network with this number, which came from this configuration.
    pub fn network(&self, id: NetworkId) -> &SharedNetwork {
        &self.networks[id.0 as usize]
    }

    /// The reservation with this number, which came from this configuration.
    pub fn reservation(&self, id: ReservationId) -> &Reservation {
        &self.reservations[id.0 as usize]
    }

    /// The subnet in which `address` lies.
    pub fn subnet_of(&self, address: Ipv4Addr) -> Option<SubnetId> {
        self.by_address.find(address.into()).map(SubnetId)
    }

    /// The network in which `address` lies.
    pub(crate) fn network_of(&self, address: Ipv4Addr) -> Option<NetworkId> {
        self.subnet_of(address).map(|subnet| self.subnet(subnet).network)
    }

    /// The reservation of a client in a network: by client-identifier first, then by hardware address.
    pub fn reservation_of(
        &self,
        network: NetworkId,
        client_identifier: Option<&[u8]>,
        hardware: Option<HardwareAddress>,
    ) -> Option<ReservationId> {
        self.reserved.of(network, client_identifier, hardware)
    }

    /// The reservation of an address.
    pub fn reservation_at(&self, address: Ipv4Addr) -> Option<ReservationId> {
        self.reserved.at(address)
    }
}

#[cfg(test)]
impl Config {
    /// One network, "one", with one subnet, for tests of rooms that need a configuration.
    pub(crate) fn of_one_subnet(prefix: &str, pools: Vec<PoolParts>) -> Config {
        let subnet = SubnetParts {
            prefix: prefix.parse().unwrap(),
            lease: LeaseTimes::of(Interval::from_seconds(600)),
            options: OptionSet::default(),
            boot: Boot::default(),
            pools,
            reservations: Vec::new(),
        };
        let parts = Parts {
            shared_networks: vec![SharedNetworkParts { name: "one".into(), subnets: vec![subnet] }],
            offer_time: Interval::from_seconds(60),
            decline_time: Interval::from_seconds(600),
            ..Parts::default()
        };
        Config::check(&parts).unwrap()
    }
}
