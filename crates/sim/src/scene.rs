//! Who and what is in the world of one seed.
//!
//! *Lives here:* [`Scene`]: servers with their configuration, clients, how long all of it lasts.
//! *May know:* the parts of a configuration.
//! *Must not know:* what becomes of it.

use crate::client::Person;
use crate::net::Link;
use crate::random::Random;
use dhcp::HardwareAddress;
use engine::config::{
    Boot, LeaseTimes, OptionSet, Parts, PoolParts, RelationshipParts, ReservationKey, ReservationParts,
    SharedNetworkParts, SubnetParts,
};
use failover::state::Role;
use failover::time::Interval;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// A reserved address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reserved {
    pub(crate) address: Ipv4Addr,
    pub(crate) key: ReservationKey,
}

impl Reserved {
    /// As it stands in a configuration.
    pub(crate) fn parts(&self) -> ReservationParts {
        ReservationParts {
            key: self.key.clone(),
            address: self.address,
            options: OptionSet::default(),
            boot: Boot::default(),
        }
    }
}

/// On what terms two servers share their pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) mclt: Interval,
    /// Clients that have waited longer are answered by either server.
    pub(crate) delayed_service: Option<u8>,
    pub(crate) split: u16,
    pub(crate) receive_timer: Interval,
    pub(crate) max_unacked: u32,
    /// By how much the clock of the second server is ahead of the truth, in milliseconds.
    pub(crate) skew: i64,
    /// The operator says `partner-down` of a partner that is alive: then no checker asks who holds what.
    pub(crate) wrong_operator: bool,
}

/// What a seed begins with.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    /// Two servers share all pools.
    pub(crate) terms: Option<Terms>,
    /// Which of the two is a dhcpd.
    pub(crate) dhcpd: Option<usize>,
    /// The configuration of each server. Without failover, no address is in two of them.
    pub(crate) servers: Vec<Parts>,
    pub(crate) clients: Vec<(Person, Link)>,
    pub(crate) reserved: Vec<Reserved>,
    /// Shortest lease time, in milliseconds.
    pub(crate) pace: u64,
    /// Longest lease time that is not endless, in milliseconds.
    pub(crate) longest: u64,
    pub(crate) decline_time: Interval,
    pub(crate) offer_time: Interval,
    /// How long everything may fail, in milliseconds.
    pub(crate) lasts: u64,
    /// That was asked for: times are as long as in the world.
    pub(crate) are_days: bool,
}

/// Address of a server on the wire.
pub(crate) fn server_address(server: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, 1 + u8::try_from(server).unwrap_or(0))
}

/// In so many worlds out of a thousand BOOTP is spoken.
const WITH_BOOTP: u64 = 250;

struct Times {
    leases: [u64; 3],
    /// How many times the usual a client may ask for.
    stretch: u64,
    endless: bool,
    fixed_renewal: bool,
}

impl Times {
    /// Shortest lease time, in milliseconds.
    fn pace(&self) -> u64 {
        self.leases.iter().copied().min().unwrap_or(60) * 1000
    }

    /// Longest lease time that is not endless, in milliseconds: a client may ask for more than the usual.
    fn longest(&self) -> u64 {
        self.leases.iter().copied().max().unwrap_or(60) * self.stretch * 1000
    }
}

/// From what the times of a pair are drawn, in seconds.
struct Scale {
    leases: &'static [u64],
    mclt: &'static [u64],
    receive_timer: &'static [u64],
    decline: &'static [u64],
}

impl Scale {
    /// Everything within hours.
    const SHORT: Scale = Scale {
        leases: &[90, 120, 300, 600, 600, 1200, 2400],
        mclt: &[60, 90, 120, 300, 600],
        receive_timer: &[5, 20, 20, 60],
        decline: &[60, 300],
    };

    /// Leases and MCLTs as people have them, from minutes to a day.
    fn long(random: &mut Random) -> Scale {
        let (leases, mclt): (&[u64], &[u64]) = match random.below(6) {
            0 => (&[600, 1200, 2400], &[120, 300, 600]),
            1 | 2 => (&[1800, 3600, 7200], &[600, 1800, 3600]),
            3 | 4 => (&[14_400, 28_800, 43_200], &[1800, 3600, 3600]),
            _ => (&[600, 3600, 28_800, 86_400], &[300, 3600]),
        };
        Scale { leases, mclt, receive_timer: &[20, 60, 60, 60, 60], decline: &[300, 3600, 14_400] }
    }
}

impl Scene {
    pub(crate) fn draw(random: &mut Random) -> Scene {
        const SHORT: [u64; 4] = [60, 90, 120, 300];
        const MIDDLE: [u64; 3] = [600, 1800, 3600];
        const LONG: [u64; 3] = [14_400, 86_400, 259_200];
        let choice: &[u64] = match random.below(8) {
            0 | 1 => &SHORT,
            2..5 => &MIDDLE,
            5 => &LONG,
            _ => &[120, 600, 3600, 14_400, 86_400],
        };
        let times = Times {
            leases: [random.pick(choice), random.pick(choice), random.pick(choice)],
            stretch: 4,
            endless: random.chance(150),
            fixed_renewal: random.chance(150),
        };
        let two_servers = random.chance(250);
        let pool = random.between(3, 10);
        let client_count = u8::try_from(pool + random.between(1, 2 * pool)).unwrap_or(9);
        let reserved = reservations(random);
        let offer_time = Interval::from_seconds(random.pick(&[20, 60, 120]));
        let decline_time = Interval::from_seconds(random.pick(&[300, 3600, 86_400]));
        let second_subnet = random.chance(400);
        let servers = (0..=u8::from(two_servers))
            .map(|server| Parts {
                shared_networks: networks(server, pool, second_subnet, &times, &reserved),
                options: OptionSet::default(),
                offer_time,
                decline_time,
                relationships: Vec::new(),
            })
            .collect();
        let pace = times.pace();
        let clients = draw_clients(client_count, pool, pace, &reserved, random);
        Scene {
            terms: None,
            dhcpd: None,
            servers,
            clients,
            reserved,
            pace,
            longest: times.longest(),
            decline_time,
            offer_time,
            lasts: (pace * random.between(60, 240)).min(20 * 86_400_000),
            are_days: false,
        }
    }

    /// Two servers that share all pools. Time is short here, because endpoints record that they are alive every few seconds; but
    /// where everything may fail for so many `hours` it is as long as in the world.
    pub(crate) fn draw_pair(random: &mut Random, hours: Option<u32>) -> Scene {
        let scale = if hours.is_some() { Scale::long(random) } else { Scale::SHORT };
        let lease = |random: &mut Random| random.pick(scale.leases);
        let leases = [lease(random), lease(random), lease(random)];
        let are_long = leases.iter().any(|lease| *lease > 7200);
        let times = Times {
            leases,
            stretch: if are_long { 1 } else { 4 },
            endless: random.chance(30),
            fixed_renewal: random.chance(150),
        };
        let terms = Terms {
            mclt: Interval::from_seconds(random.pick(scale.mclt)),
            delayed_service: random.chance(900).then(|| random.pick(&[2, 4, 10])),
            split: random.pick(&[0, 64, 128, 128, 128, 256]),
            receive_timer: Interval::from_seconds(random.pick(scale.receive_timer)),
            max_unacked: random.pick(&[1, 2, 10, 64]),
            skew: random.pick(&[0, 0, -700, 5000, -90_000, 3_600_000, 86_400_000]),
            wrong_operator: random.chance(120),
        };
        let pool = random.between(2, 9);
        let client_count = u8::try_from(pool + random.between(1, pool)).unwrap_or(9);
        let reserved = if random.chance(400) { reservations(random) } else { Vec::new() };
        let offer_time = Interval::from_seconds(random.pick(&[20, 60]));
        let decline_time = Interval::from_seconds(random.pick(scale.decline));
        let second_subnet = random.chance(300);
        let servers = [Role::Primary, Role::Secondary]
            .into_iter()
            .map(|role| {
                let mut shared_networks = networks(0, pool, second_subnet, &times, &reserved);
                for subnet in shared_networks.iter_mut().flat_map(|network| &mut network.subnets) {
                    for pool in &mut subnet.pools {
                        pool.failover = Some(0);
                    }
                }
                Parts {
                    shared_networks,
                    options: OptionSet::default(),
                    offer_time,
                    decline_time,
                    relationships: vec![terms.relationship(role)],
                }
            })
            .collect();
        let pace = times.pace();
        let clients = draw_clients(client_count, pool, pace, &reserved, random);
        Scene {
            terms: Some(terms),
            dhcpd: None,
            servers,
            clients,
            reserved,
            pace,
            longest: times.longest(),
            decline_time,
            offer_time,
            are_days: hours.is_some(),
            lasts: match hours {
                Some(hours) => u64::from(hours) * 3_600_000,
                None => random.between(20, 80) * terms.mclt.as_millis().max(180_000),
            },
        }
    }

    /// In some worlds pools serve BOOTP too, and one or two more clients begin with it. Drawn from a chance of its own: all else is as it
    /// was before anybody spoke it.
    pub(crate) fn draw_bootp(&mut self, seed: u64) {
        let random = &mut Random::new(!seed);
        if !random.chance(WITH_BOOTP) {
            return;
        }
        let networks = random.pick(&[&["wire"][..], &["wire"], &["far"], &["wire", "far"]]);
        for network in self.servers.iter_mut().flat_map(|parts| &mut parts.shared_networks) {
            let serves = networks.contains(&network.name.as_str());
            for pool in network.subnets.iter_mut().flat_map(|subnet| &mut subnet.pools) {
                pool.dynamic_bootp = serves;
            }
        }
        let first = self.clients.iter().map(|(person, _)| person.number).max().unwrap_or(0) + 1;
        for number in first..=first + u8::from(random.chance(500)) {
            let link = if random.pick(networks) == "wire" { Link::Wire } else { Link::Far };
            let person = Person { identifier: None, bootp: true, ..person(number, self.pace, &[], random) };
            self.clients.push((person, link));
        }
        // Who has a reservation needs no pool for it.
        let has_hardware = |person: &Person| {
            self.has_reservation([2, 0, 0, 0, 0, person.number], None) && person.identifier.is_none()
        };
        let reserved = self.clients.iter().position(|(person, _)| has_hardware(person));
        if let Some(place) = reserved.filter(|_| random.chance(500)) {
            self.clients[place].0.bootp = true;
        }
    }

    /// Whether clients of BOOTP get addresses of the pool that has this one.
    pub(crate) fn serves_bootp(&self, address: Ipv4Addr) -> bool {
        let networks = self.servers.iter().flat_map(|parts| &parts.shared_networks);
        let mut pools = networks.flat_map(|network| &network.subnets).flat_map(|subnet| &subnet.pools);
        pools.any(|pool| pool.dynamic_bootp && (pool.first..=pool.last).contains(&address))
    }

    /// Whether a lease of this client may be moved to an address that is reserved for it.
    pub(crate) fn has_reservation(&self, hardware: [u8; 6], identifier: Option<&[u8]>) -> bool {
        self.reserved.iter().any(|reserved| match &reserved.key {
            ReservationKey::Hardware(key) => key.as_ethernet() == Some(hardware),
            ReservationKey::ClientIdentifier(key) => identifier == Some(key),
        })
    }
}

impl Terms {
    pub(crate) fn relationship(&self, role: Role) -> RelationshipParts {
        RelationshipParts {
            delayed_service: self.delayed_service,
            split: self.split,
            receive_timer: self.receive_timer,
            max_unacked: self.max_unacked,
            ..RelationshipParts::new("pair", role, self.mclt)
        }
    }
}

fn draw_clients(
    count: u8,
    pool: u64,
    pace: u64,
    reserved: &[Reserved],
    random: &mut Random,
) -> Vec<(Person, Link)> {
    let gossip: Vec<Ipv4Addr> = (10..10 + u8::try_from(pool).unwrap_or(1))
        .flat_map(|last| [Ipv4Addr::new(10, 0, 0, last), Ipv4Addr::new(10, 9, 0, last)])
        .chain(reserved.iter().map(|reserved| reserved.address))
        .collect();
    (1..=count)
        .map(|number| {
            let link = if random.chance(350) { Link::Far } else { Link::Wire };
            (person(number, pace, &gossip, random), link)
        })
        .collect()
}

fn person(number: u8, pace: u64, gossip: &[Ipv4Addr], random: &mut Random) -> Person {
    let identifier = random.chance(300).then(|| identifier_of(number));
    Person {
        number,
        identifier,
        broadcast: random.chance(300),
        fresh_transactions: random.chance(500),
        declines: 0,
        wishes: 0,
        pace,
        gossip: gossip.to_vec(),
        bootp: false,
    }
}

fn identifier_of(number: u8) -> Vec<u8> {
    vec![0xff, 0, 1, number]
}

/// One by hardware address outside of the pools, one inside, one by client-identifier.
fn reservations(random: &mut Random) -> Vec<Reserved> {
    let by_hardware =
        |number: u8| ReservationKey::Hardware(HardwareAddress::ethernet([2, 0, 0, 0, 0, number]));
    let all = [
        Reserved { address: Ipv4Addr::new(10, 0, 0, 200), key: by_hardware(1) },
        Reserved { address: Ipv4Addr::new(10, 0, 0, 10), key: by_hardware(2) },
        Reserved {
            address: Ipv4Addr::new(10, 9, 0, 200),
            key: ReservationKey::ClientIdentifier(identifier_of(3)),
        },
    ];
    all.into_iter().filter(|_| random.chance(500)).collect()
}

fn networks(
    server: u8,
    pool: u64,
    second_subnet: bool,
    times: &Times,
    reserved: &[Reserved],
) -> Vec<SharedNetworkParts> {
    let first = 10 + 100 * server;
    let size = u8::try_from(pool).unwrap_or(1);
    let subnet = |octet: [u8; 2], lease: u64, size: u8| {
        let at = |last: u8| Ipv4Addr::new(10, octet[0], octet[1], last);
        let prefix = Ipv4Net::new(at(0), 24).unwrap_or_default();
        let reservations =
            reserved.iter().filter(|reserved| server == 0 && prefix.contains(&reserved.address));
        SubnetParts {
            prefix,
            lease: lease_times(lease, times),
            options: OptionSet::default(),
            boot: Boot::default(),
            pools: vec![PoolParts {
                first: at(first),
                last: at(first + size - 1),
                options: OptionSet::default(),
                failover: None,
                dynamic_bootp: false,
            }],
            reservations: reservations.map(Reserved::parts).collect(),
        }
    };
    let mut wire = vec![subnet([0, 0], times.leases[0], size)];
    if second_subnet {
        wire.push(subnet([0, 1], times.leases[1], 2));
    }
    let far = vec![subnet([9, 0], times.leases[2], size.div_ceil(2))];
    vec![
        SharedNetworkParts { name: "wire".to_owned(), subnets: wire },
        SharedNetworkParts { name: "far".to_owned(), subnets: far },
    ]
}

fn lease_times(lease: u64, times: &Times) -> LeaseTimes {
    let seconds = Interval::from_seconds;
    LeaseTimes {
        lease: seconds(lease),
        minimum: seconds(lease.min(60)),
        maximum: if times.endless { Interval::INFINITE } else { seconds(times.stretch * lease) },
        renewal: times.fixed_renewal.then(|| seconds(lease / 3)),
        rebinding: times.fixed_renewal.then(|| seconds(lease / 2)),
    }
}
