//! From parts to a configuration, or to all that is wrong with them.
//!
//! *Lives here:* [`Fault`], [`Problem`], [`Place`] and the checks.
//! *Must not know:* lines and files.

use super::{
    Boot, ByAddress, Config, LeaseTimes, MAX_ADDRESSES, NetworkId, OptionSet, Parts, Pool, PoolId,
    RelationshipId, Reservation, ReservationId, ReservationKey, Reserved, SET_BY_SERVER, SharedNetwork,
    Subnet, SubnetId, SubnetParts,
};
use dhcp::options::code;
use failover::dialect::Dialect;
use failover::time::Interval;
use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Something that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What.
    pub problem: Problem,
}

/// A part by its numbers in [`Parts`], counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The whole configuration.
    Whole,
    /// A shared network.
    SharedNetwork(usize),
    /// A subnet of a shared network.
    Subnet(usize, usize),
    /// A pool of a subnet of a shared network.
    Pool(usize, usize, usize),
    /// A reservation of a subnet of a shared network.
    Reservation(usize, usize, usize),
    /// A relationship.
    Relationship(usize),
}

/// What can be wrong. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No subnet.
    #[error("there is nothing to serve: add at least one [[subnet]]")]
    NoSubnet,
    /// A network without subnets.
    #[error("shared network \"{0}\" has no subnet: add one, or remove it")]
    EmptySharedNetwork(String),
    /// Two networks of one name.
    #[error("another shared network is called \"{0}\" too: rename one of them")]
    SameName(String),
    /// Bits are set behind the prefix length.
    #[error("{written} has bits set behind its length: write {meant}")]
    HostBits {
        /// As written.
        written: Ipv4Net,
        /// What it covers.
        meant: Ipv4Net,
    },
    /// Two subnets share addresses.
    #[error("it overlaps subnet {other}: a client's subnet must be certain")]
    SubnetsOverlap {
        /// The other, which stands earlier.
        other: Ipv4Net,
        /// Where the other stands.
        at: Place,
    },
    /// A range that ends before it begins.
    #[error("the range ends before it begins: write {last}-{first}")]
    Backwards {
        /// As written.
        first: Ipv4Addr,
        /// As written.
        last: Ipv4Addr,
    },
    /// A range outside its subnet.
    #[error(
        "{address} is not an address of subnet {subnet}: keep the range inside the subnet, or move it to the subnet it belongs to"
    )]
    OutsideSubnet {
        /// The first address that is outside.
        address: Ipv4Addr,
        /// The subnet.
        subnet: Ipv4Net,
    },
    /// A range or reservation includes the network or broadcast address.
    #[error("{address} is the {what} address of subnet {subnet}, which no client can have: leave it out")]
    NotForClients {
        /// The address.
        address: Ipv4Addr,
        /// "network" or "broadcast".
        what: &'static str,
        /// The subnet.
        subnet: Ipv4Net,
    },
    /// Two pools share addresses.
    #[error("it overlaps the pool {first}-{last}: an address must be in one pool only")]
    PoolsOverlap {
        /// First address of the other.
        first: Ipv4Addr,
        /// Last address of the other.
        last: Ipv4Addr,
        /// Where the other stands.
        at: Place,
    },
    /// More addresses than fit.
    #[error(
        "the pools have {count} addresses together, more than the {MAX_ADDRESSES} that this server can hold: divide them over several pairs of servers"
    )]
    TooManyAddresses {
        /// How many.
        count: u64,
    },
    /// Two reservations for one address.
    #[error("{address} is reserved already: an address can belong to one client only")]
    ReservedTwice {
        /// The address.
        address: Ipv4Addr,
        /// Where the other stands.
        at: Place,
    },
    /// Two reservations for one client in one shared network.
    #[error(
        "this client has a reservation in the same network already: a client gets one address per network"
    )]
    SameClient {
        /// Where the other stands.
        at: Place,
    },
    /// A client-identifier of no or too many bytes.
    #[error("a client-identifier has 1 to 255 bytes, this one has {0}")]
    IdentifierLength(usize),
    /// A lease of no length.
    #[error("a lease needs at least one second")]
    NoLeaseTime,
    /// Minimum above lease time, or lease time above maximum.
    #[error(
        "the lease times contradict each other: min-lease-time {minimum} <= lease-time {lease} <= max-lease-time {maximum} must hold"
    )]
    LeaseTimes {
        /// Minimum.
        minimum: Interval,
        /// Default.
        lease: Interval,
        /// Maximum.
        maximum: Interval,
    },
    /// T1 not before T2, or T2 not before the end.
    #[error("renewal-time < rebinding-time < lease-time must hold (RFC 2131 4.4.5)")]
    RenewalTimes,
    /// An option that the server decides.
    #[error("option {0} is set by the server itself: remove it")]
    ServerOption(u8),
    /// An option whose value is too long to send.
    #[error("option {code} has {length} bytes; replies have room for at most {MAX_OPTION}")]
    OptionLength {
        /// Its code.
        code: u8,
        /// Its length.
        length: usize,
    },
    /// A boot field that is too long.
    #[error("{field} has room for {room} bytes, this has {length}")]
    BootLength {
        /// Which field.
        field: &'static str,
        /// Its room.
        room: usize,
        /// The length.
        length: usize,
    },
    /// A relationship without a name, or with one that does not fit.
    #[error("a relationship needs a name of 1 to 255 bytes, the same on both servers")]
    RelationshipName,
    /// Two relationships of one name.
    #[error("another relationship is called \"{name}\" too: rename one of them")]
    SameRelationship {
        /// The name.
        name: String,
        /// Where the other stands.
        at: Place,
    },
    /// An MCLT that is too short or too long.
    #[error("mclt must be from 10s to 4294967295s, and the same on both servers (F07 5.2.1)")]
    Mclt,
    /// A window of no size, or of one that is too large.
    #[error(
        "max-unacked must be from 1 to {MAX_UNACKED}: more than 10 and less than 100 is advised (F07 7.8.1)"
    )]
    MaxUnacked,
    /// A split above the number of buckets.
    #[error("split is how many of the 256 hash buckets the primary serves: 0 to 256")]
    Split,
    /// Timers that cannot work.
    #[error("receive-timer must be from 3s to 10m: a partner that is silent for so long counts as lost")]
    ReceiveTimer,
    /// A pool with dynamic BOOTP whose partner gives its addresses away without asking.
    #[error(
        "a dhcpd takes addresses of its partner's in PARTNER-DOWN, and so may give away what a BOOTP client holds: remove \
         dynamic-bootp, or reserve addresses for BOOTP clients (F07 5.13)"
    )]
    BootpBesideDhcpd,
    /// A partner that is called too often, or too seldom.
    #[error("connect-interval must be from 1s to 10m: so often a partner is called that is not there")]
    ConnectInterval,
    /// A difference that two good clocks may seem to have.
    #[error(
        "max-clock-difference must be at least 5s: the way of a message and whole seconds look like a difference, too. \
         Leave it out to correct any difference"
    )]
    ClockDifference,
    /// A difference that the partner does not put up with.
    #[error("max-clock-difference is at most {0} with this partner, which refuses more")]
    ClockDifferenceOfPartner(Interval),
    /// Draft-07, and no addresses.
    #[error("in draft-07 two servers know each other by their addresses: name both")]
    NoAddresses,
    /// A relationship that no pool names.
    #[error("no pool names the relationship \"{0}\": add `failover = \"{0}\"` to the pools that it shares")]
    UnusedRelationship(String),
    /// A pool that names a relationship that is not there.
    #[error("there is no relationship with number {0}")]
    NoSuchRelationship(usize),
    /// Offers that are kept for no time.
    #[error("offer-time must be at least one second: a client needs time to answer an offer")]
    NoOfferTime,
}

/// Longest option value in bytes: what fits beside the rest into the smallest reply that every client must take
/// (576 bytes with headers, RFC 2131 2), with the fields file and sname used for it.
const MAX_OPTION: usize = 400;

/// Most BNDUPDs that may wait for their BNDACK, so that what a partner can make us keep is bounded.
pub const MAX_UNACKED: u32 = 1000;

pub(super) fn check(parts: &Parts) -> Result<Config, Vec<Fault>> {
    let mut checker = Checker {
        faults: Vec::new(),
        config: Config {
            offer_time: parts.offer_time,
            decline_time: parts.decline_time,
            relationships: parts.relationships.clone(),
            networks: Vec::new(),
            subnets: Vec::new(),
            pools: Vec::new(),
            reservations: Vec::new(),
            by_address: ByAddress::default(),
            reserved: Reserved::default(),
        },
        subnet_places: Vec::new(),
        pool_places: Vec::new(),
        reservation_places: Vec::new(),
    };
    checker.whole(parts);
    let mut names = BTreeSet::new();
    for (n, network) in parts.shared_networks.iter().enumerate() {
        let id = NetworkId(number(n));
        if !names.insert(network.name.as_str()) {
            checker.fault(Place::SharedNetwork(n), Problem::SameName(network.name.clone()));
        }
        if network.subnets.is_empty() {
            checker.fault(Place::SharedNetwork(n), Problem::EmptySharedNetwork(network.name.clone()));
        }
        let shared = SharedNetwork { name: network.name.clone(), subnets: Vec::new(), pools: Vec::new() };
        checker.config.networks.push(shared);
        for (s, subnet) in network.subnets.iter().enumerate() {
            checker.subnet(parts, (n, s), id, subnet);
        }
    }
    checker.finish()
}

struct Checker {
    faults: Vec<Fault>,
    config: Config,
    subnet_places: Vec<Place>,
    pool_places: Vec<Place>,
    reservation_places: Vec<Place>,
}

impl Checker {
    fn fault(&mut self, place: Place, problem: Problem) {
        self.faults.push(Fault { place, problem });
    }

    fn whole(&mut self, parts: &Parts) {
        if parts.shared_networks.is_empty() {
            self.fault(Place::Whole, Problem::NoSubnet);
        }
        if parts.offer_time < Interval::from_seconds(1) {
            self.fault(Place::Whole, Problem::NoOfferTime);
        }
        self.options(Place::Whole, &parts.options);
        self.relationships(parts);
    }

    fn relationships(&mut self, parts: &Parts) {
        let used: BTreeSet<usize> = parts
            .shared_networks
            .iter()
            .flat_map(|network| &network.subnets)
            .flat_map(|subnet| &subnet.pools)
            .filter_map(|pool| pool.failover)
            .collect();
        for (n, relationship) in parts.relationships.iter().enumerate() {
            let place = Place::Relationship(n);
            let name = &relationship.name;
            if name.is_empty() || name.len() > 255 {
                self.fault(place, Problem::RelationshipName);
            }
            if let Some(at) = parts.relationships[..n].iter().position(|other| other.name == *name) {
                let at = Place::Relationship(at);
                self.fault(place, Problem::SameRelationship { name: name.clone(), at });
            }
            let mclt = relationship.mclt.as_seconds();
            if mclt < 10 || mclt > u64::from(u32::MAX) {
                self.fault(place, Problem::Mclt);
            }
            if relationship.max_unacked == 0 || relationship.max_unacked > MAX_UNACKED {
                self.fault(place, Problem::MaxUnacked);
            }
            if relationship.split > 256 {
                self.fault(place, Problem::Split);
            }
            if !(3..=600).contains(&relationship.receive_timer.as_seconds()) {
                self.fault(place, Problem::ReceiveTimer);
            }
            if !(1..=600).contains(&relationship.connect_interval.as_seconds()) {
                self.fault(place, Problem::ConnectInterval);
            }
            if let Some(most) = relationship.max_clock_difference {
                self.clock_difference(place, most, relationship.dialect.clock_limit());
            }
            if relationship.addresses.is_none() && !relationship.dialect.has_relationship_name() {
                self.fault(place, Problem::NoAddresses);
            }
            if !used.contains(&n) {
                self.fault(place, Problem::UnusedRelationship(name.clone()));
            }
        }
    }

    fn clock_difference(&mut self, place: Place, most: Interval, partner: Option<Interval>) {
        if most < Interval::from_seconds(5) {
            self.fault(place, Problem::ClockDifference);
        }
        if let Some(limit) = partner.filter(|limit| most > *limit) {
            self.fault(place, Problem::ClockDifferenceOfPartner(limit));
        }
    }

    fn subnet(&mut self, parts: &Parts, (n, s): (usize, usize), network: NetworkId, subnet: &SubnetParts) {
        let place = Place::Subnet(n, s);
        let id = SubnetId(number(self.config.subnets.len()));
        let prefix = subnet.prefix.trunc();
        if prefix != subnet.prefix {
            self.fault(place, Problem::HostBits { written: subnet.prefix, meant: prefix });
        }
        self.lease_times(place, &subnet.lease);
        self.options(place, &subnet.options);
        self.boot(place, &subnet.boot);
        let mut own = OptionSet::default();
        own.set(code::SUBNET_MASK, prefix.netmask().octets());
        if prefix.prefix_len() < 31 {
            own.set(code::BROADCAST_ADDRESS, prefix.broadcast().octets());
        }
        let options = own.merged(&parts.options).merged(&subnet.options);
        self.pools(parts, (n, s), (network, id), subnet, &options);
        self.reservations((n, s), id, subnet, prefix, &options);
        self.config.networks[network.0 as usize].subnets.push(id);
        self.subnet_places.push(place);
        self.config.subnets.push(Subnet {
            prefix,
            network,
            lease: subnet.lease,
            options,
            boot: subnet.boot.clone(),
        });
    }

    fn pools(
        &mut self,
        parts: &Parts,
        (n, s): (usize, usize),
        (network, id): (NetworkId, SubnetId),
        subnet: &SubnetParts,
        options: &OptionSet,
    ) {
        let prefix = subnet.prefix.trunc();
        for (p, pool) in subnet.pools.iter().enumerate() {
            let place = Place::Pool(n, s, p);
            self.options(place, &pool.options);
            if pool.first > pool.last {
                self.fault(place, Problem::Backwards { first: pool.first, last: pool.last });
                continue;
            }
            for address in [pool.first, pool.last] {
                self.inside(place, prefix, address);
            }
            let pool_id = PoolId(number(self.config.pools.len()));
            self.config.networks[network.0 as usize].pools.push(pool_id);
            self.pool_places.push(place);
            let options = options.merged(&pool.options);
            let failover = pool.failover.map(|n| RelationshipId(number(n)));
            if let Some(n) = pool.failover.filter(|n| *n >= parts.relationships.len()) {
                self.fault(place, Problem::NoSuchRelationship(n));
            }
            let partner = pool.failover.and_then(|n| parts.relationships.get(n));
            if pool.dynamic_bootp && partner.is_some_and(|partner| partner.dialect == Dialect::Dhcpd) {
                self.fault(place, Problem::BootpBesideDhcpd);
            }
            self.config.pools.push(Pool {
                first: pool.first,
                last: pool.last,
                subnet: id,
                options,
                failover,
                dynamic_bootp: pool.dynamic_bootp,
            });
        }
    }

    fn reservations(
        &mut self,
        (n, s): (usize, usize),
        id: SubnetId,
        subnet: &SubnetParts,
        prefix: Ipv4Net,
        options: &OptionSet,
    ) {
        for (r, reservation) in subnet.reservations.iter().enumerate() {
            let place = Place::Reservation(n, s, r);
            self.options(place, &reservation.options);
            self.boot(place, &reservation.boot);
            self.inside(place, prefix, reservation.address);
            if let ReservationKey::ClientIdentifier(bytes) = &reservation.key
                && !(1..=255).contains(&bytes.len())
            {
                self.fault(place, Problem::IdentifierLength(bytes.len()));
            }
            self.reservation_places.push(place);
            self.config.reservations.push(Reservation {
                key: reservation.key.clone(),
                address: reservation.address,
                subnet: id,
                options: options.merged(&reservation.options),
                boot: merged_boot(&subnet.boot, &reservation.boot),
            });
        }
    }

    fn inside(&mut self, place: Place, subnet: Ipv4Net, address: Ipv4Addr) {
        if !subnet.contains(&address) {
            self.fault(place, Problem::OutsideSubnet { address, subnet });
        } else if subnet.prefix_len() < 31 && address == subnet.network() {
            self.fault(place, Problem::NotForClients { address, what: "network", subnet });
        } else if subnet.prefix_len() < 31 && address == subnet.broadcast() {
            self.fault(place, Problem::NotForClients { address, what: "broadcast", subnet });
        }
    }

    fn lease_times(&mut self, place: Place, times: &LeaseTimes) {
        if times.lease < Interval::from_seconds(1) || times.minimum < Interval::from_seconds(1) {
            self.fault(place, Problem::NoLeaseTime);
        } else if times.minimum > times.lease || times.lease > times.maximum {
            let (minimum, lease, maximum) = (times.minimum, times.lease, times.maximum);
            self.fault(place, Problem::LeaseTimes { minimum, lease, maximum });
        }
        let renewal = times.renewal.unwrap_or(times.lease.fraction(1, 2));
        let rebinding = times.rebinding.unwrap_or(times.lease.fraction(7, 8));
        let set = times.renewal.is_some() || times.rebinding.is_some();
        if set && (renewal >= rebinding || rebinding >= times.lease) {
            self.fault(place, Problem::RenewalTimes);
        }
    }

    fn options(&mut self, place: Place, options: &OptionSet) {
        for (code, value) in options.iter() {
            if SET_BY_SERVER.contains(&code) {
                self.fault(place, Problem::ServerOption(code));
            }
            if value.len() > MAX_OPTION {
                self.fault(place, Problem::OptionLength { code, length: value.len() });
            }
        }
    }

    fn boot(&mut self, place: Place, boot: &Boot) {
        for (field, value, room) in [("server-name", &boot.server_name, 63), ("boot-file", &boot.file, 127)] {
            if value.len() > room {
                self.fault(place, Problem::BootLength { field, room, length: value.len() });
            }
        }
    }

    /// What can only be seen when all parts are there: overlaps, doubles, sums.
    fn finish(mut self) -> Result<Config, Vec<Fault>> {
        self.subnets_overlap();
        self.pools_overlap();
        self.reservations_collide();
        if self.faults.is_empty() {
            return Ok(self.config);
        }
        self.faults.sort_by_key(|fault| fault.place);
        Err(self.faults)
    }

    fn subnets_overlap(&mut self) {
        let mut by_address: Vec<(u32, u32, SubnetId)> = self
            .config
            .subnets
            .iter()
            .zip(0..)
            .map(|(subnet, id)| {
                (subnet.prefix.network().into(), subnet.prefix.broadcast().into(), SubnetId(id))
            })
            .collect();
        by_address.sort_unstable();
        let ranges: Vec<(u32, u32)> = by_address.iter().map(|(first, last, _)| (*first, *last)).collect();
        for (a, b) in overlaps(&ranges) {
            let (a, b) = (by_address[a].2, by_address[b].2);
            let (earlier, later) = (a.min(b), a.max(b));
            let other = self.config.subnet(earlier).prefix;
            let at = self.subnet_places[earlier.0 as usize];
            self.fault(self.subnet_places[later.0 as usize], Problem::SubnetsOverlap { other, at });
        }
        self.config.by_address =
            ByAddress::new(by_address.into_iter().map(|(first, last, id)| (first, last, id.0)));
    }

    fn pools_overlap(&mut self) {
        let pools = &self.config.pools;
        let mut order: Vec<usize> = (0..pools.len()).collect();
        order.sort_unstable_by_key(|&n| (pools[n].first, pools[n].last));
        let ranges: Vec<(u32, u32)> =
            order.iter().map(|&n| (pools[n].first.into(), pools[n].last.into())).collect();
        let count: u64 = ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum();
        let found: Vec<(usize, usize)> =
            overlaps(&ranges).into_iter().map(|(a, b)| (order[a], order[b])).collect();
        for (a, b) in found {
            let (earlier, later) = (a.min(b), a.max(b));
            let Pool { first, last, .. } = self.config.pools[earlier];
            let at = self.pool_places[earlier];
            self.fault(self.pool_places[later], Problem::PoolsOverlap { first, last, at });
        }
        let count = count + self.config.reservations.len() as u64;
        if count > MAX_ADDRESSES {
            self.fault(Place::Whole, Problem::TooManyAddresses { count });
        }
    }

    fn reservations_collide(&mut self) {
        let mut by_address = Vec::new();
        let mut by_key = Vec::new();
        for (reservation, id) in self.config.reservations.iter().zip(0..) {
            let id = ReservationId(id);
            by_address.push((reservation.address, id));
            by_key.push((self.config.subnet(reservation.subnet).network, reservation.key.clone(), id));
        }
        by_address.sort();
        by_key.sort();
        for pair in by_address.windows(2) {
            if pair[0].0 == pair[1].0 {
                let at = self.reservation_places[pair[0].1.0 as usize];
                let place = self.reservation_places[pair[1].1.0 as usize];
                self.fault(place, Problem::ReservedTwice { address: pair[0].0, at });
            }
        }
        for pair in by_key.windows(2) {
            if (pair[0].0, &pair[0].1) == (pair[1].0, &pair[1].1) {
                let at = self.reservation_places[pair[0].2.0 as usize];
                self.fault(self.reservation_places[pair[1].2.0 as usize], Problem::SameClient { at });
            }
        }
        let Config { reservations, networks, subnets, reserved, .. } = &mut self.config;
        *reserved = Reserved::new(reservations, networks.len(), |subnet| subnets[subnet.0 as usize].network);
    }
}

/// Pairs of sorted ranges that share a number: each range with the one before it that reaches farthest.
fn overlaps(sorted: &[(u32, u32)]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut farthest = 0;
    for (n, (first, last)) in sorted.iter().enumerate().skip(1) {
        if *first <= sorted[farthest].1 {
            found.push((farthest, n));
        }
        if *last > sorted[farthest].1 {
            farthest = n;
        }
    }
    found
}

fn merged_boot(subnet: &Boot, own: &Boot) -> Boot {
    let pick = |own: &Vec<u8>, subnet: &Vec<u8>| if own.is_empty() { subnet.clone() } else { own.clone() };
    Boot {
        next_server: own.next_server.or(subnet.next_server),
        server_name: pick(&own.server_name, &subnet.server_name),
        file: pick(&own.file, &subnet.file),
    }
}

fn number(n: usize) -> u32 {
    // Each part takes more than a byte of configuration text, which is far below 4 GiB.
    u32::try_from(n).unwrap_or(u32::MAX)
}
