//! What grows and must not cost: full pools, leases that end together, subnets, reservations, relationships.
//!
//! *Lives here:* one function for each; each prints what the same costs where it is small.
//! *Must not know:* sockets, disks.

use crate::processor;
use benches::{Client, FIRST, Kind, RELAY, Site, checked, configuration, parts};
use engine::config::{
    Boot, LeaseTimes, OptionSet, Parts, PoolParts, RelationshipParts, ReservationKey, ReservationParts,
    SharedNetworkParts, SubnetParts,
};
use engine::counter::Counter;
use engine::{Engine, Input, Position};
use failover::state::Role;
use failover::time::Interval;
use std::error::Error;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Exchanges of which the mean is told.
const SAMPLE: u32 = 20_000;

/// Nanoseconds of processor for each of `count`.
fn each(count: u32, work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<u128, Box<dyn Error>> {
    let before = processor()?;
    work()?;
    Ok(processor()?.saturating_sub(before).as_nanos() / u128::from(count.max(1)))
}

/// New clients, one after the other.
fn lease(site: &mut Site, numbers: std::ops::Range<u32>) -> Result<(), Box<dyn Error>> {
    for number in numbers {
        site.lease(&Client::new(number, Kind::Plain)).ok_or("a client got no address")?;
    }
    Ok(())
}

/// DISCOVER to ACK for the first clients of a pool, for the last, and what a DISCOVER costs when none is left.
pub(crate) fn pool(addresses: u32) -> Result<(), Box<dyn Error>> {
    if addresses < 4 * SAMPLE {
        return Err(format!("at least {} addresses", 4 * SAMPLE).into());
    }
    let mut site = Site::new(addresses);
    // What grows on its first use has grown.
    lease(&mut site, 0..SAMPLE)?;
    let first = each(SAMPLE, || lease(&mut site, SAMPLE..2 * SAMPLE))?;
    lease(&mut site, 2 * SAMPLE..addresses - SAMPLE)?;
    let last = each(SAMPLE, || lease(&mut site, addresses - SAMPLE..addresses))?;
    let none = each(SAMPLE, || {
        for number in addresses..addresses + SAMPLE {
            if site.exchange(&Client::new(number, Kind::Plain).discover()).replied > 0 {
                return Err("an address was offered that there is not".into());
            }
        }
        Ok(())
    })?;
    println!("pool-first-leases {first} ns");
    println!("pool-last-leases {last} ns");
    println!("pool-none-left {none} ns");
    Ok(())
}

/// Leases that end in the same second, while new clients ask.
pub(crate) fn expiry(leases: u32) -> Result<(), Box<dyn Error>> {
    let mut site = Site::with_engine(Engine::new(configuration(leases + SAMPLE), 7), Position::START);
    lease(&mut site, 0..leases)?;
    site.now = site.now.plus(Interval::from_seconds(3700));
    let (mut calls, mut most) = (0_u32, 0);
    let (mut longest, mut by_clock, used) = (Duration::ZERO, Duration::ZERO, processor()?);
    let until = site.now.plus(Interval::from_seconds(60));
    while let Some(at) = site.engine.next_deadline().filter(|at| *at <= until) {
        // What one millisecond may do is done: time goes on.
        site.now = site.now.max(at);
        let (began, before) = (Instant::now(), processor()?);
        site.engine.handle(site.now, Input::Wake, &mut site.outbox);
        let took = processor()?.saturating_sub(before);
        (longest, by_clock) = (longest.max(took), by_clock.max(began.elapsed()));
        calls += 1;
        site.settle(|_, count, _| most = most.max(count));
        // Whoever asks meanwhile is answered at once.
        if calls.is_multiple_of(100) && calls / 100 <= SAMPLE {
            lease(&mut site, leases + calls / 100..leases + calls / 100 + 1)?;
        }
    }
    let used = processor()?.saturating_sub(used);
    let ended = site.engine.counters().get(Counter::Expiry);
    if ended < u64::from(leases) {
        return Err(format!("{ended} of {leases} leases ended").into());
    }
    println!("expiry-calls {calls} calls");
    println!("expiry-most-records {most} in-a-call");
    println!("expiry-longest-call {} us-of-processor", longest.as_micros());
    println!("expiry-longest-call-by-clock {} us", by_clock.as_micros());
    println!("expiry-all {} ms-of-processor", used.as_millis());
    Ok(())
}

/// A network of one /24 behind a relay at its first address; addresses 16 to 200 are a pool.
fn network(number: u32, reserved: u32) -> SharedNetworkParts {
    let prefix = Ipv4Addr::from_bits(0x0b00_0000 + (number << 8));
    let at = |last: u32| Ipv4Addr::from_bits(prefix.to_bits() + last);
    let reservations = (0..reserved).map(|each| ReservationParts {
        key: ReservationKey::Hardware(reserved_client(number, each).hardware()),
        address: at(201 + each),
        options: OptionSet::default(),
        boot: Boot::default(),
    });
    SharedNetworkParts {
        name: format!("network {number}"),
        subnets: vec![SubnetParts {
            prefix: format!("{prefix}/24").parse().unwrap_or_default(),
            lease: LeaseTimes::of(Interval::from_seconds(3600)),
            options: OptionSet::default(),
            boot: Boot::default(),
            pools: vec![PoolParts {
                failover: None,
                dynamic_bootp: false,
                first: at(16),
                last: at(200),
                options: OptionSet::default(),
            }],
            reservations: reservations.collect(),
        }],
    }
}

fn relay(network: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0b00_0001 + (network << 8))
}

fn reserved_client(network: u32, each: u32) -> Client {
    Client::new(0x8000_0000 + network * 64 + each, Kind::Plain).behind(relay(network))
}

fn site_of(parts: &Parts) -> Site {
    Site::with_engine(Engine::new(checked(parts), 7), Position::START)
}

/// DISCOVER to ACK, and a renewal, of clients all over many subnets; the same of clients with reservations; and in one subnet with
/// as many addresses, in which the clients lie as far apart.
pub(crate) fn subnets(subnets: u32, reservations: u32, sizes: &[&str]) -> Result<(), Box<dyn Error>> {
    let reserved = reservations / subnets.max(1);
    if !(100..=65_000).contains(&subnets) || reserved > 50 {
        return Err("100 to 65,000 subnets, with at most 50 reservations each".into());
    }
    let leases = subnets * 10;
    for name in sizes {
        let is_flat = *name == "one";
        let mut all = parts(subnets * 185);
        if !is_flat {
            all.shared_networks = (0..subnets).map(|number| network(number, reserved)).collect();
        }
        let mut site = site_of(&all);
        // From one client to the next everything is somewhere else, in the one as in the other.
        let scattered = |at: u32| u64::from(at) * 7_919_191 % u64::from(leases);
        let mut leased = Vec::new();
        for number in 0..leases {
            let relay = if is_flat { RELAY } else { relay(number % subnets) };
            let client = Client::new(number, Kind::Plain).behind(relay);
            // Ten of each 185 addresses, here as there.
            let wished = Ipv4Addr::from_bits(FIRST + number % subnets * 185 + number / subnets);
            let address = if is_flat { site.lease_wished(&client, wished) } else { site.lease(&client) };
            leased.push((client, address.ok_or("a client got no address")?));
        }
        let at = |at: u32| -> Result<&(Client, Ipv4Addr), Box<dyn Error>> {
            Ok(&leased[usize::try_from(scattered(at))?])
        };
        let renewed = each(leases, || {
            for number in 0..leases {
                let (client, address) = at(number)?;
                site.exchange(&client.renew(*address)).address.ok_or("a renewal got no answer")?;
            }
            Ok(())
        })?;
        let bound = each(leases, || {
            for number in 0..leases {
                site.lease(&at(number)?.0).ok_or("a client got no address again")?;
            }
            Ok(())
        })?;
        println!("subnets-{name}-renewal {renewed} ns");
        println!("subnets-{name}-lease-again {bound} ns");
        if !is_flat && reserved > 0 {
            let of_reserved = each(leases, || reserved_leases(&mut site, leases, subnets, reserved))?;
            println!("subnets-{name}-reserved-lease {of_reserved} ns");
        }
    }
    Ok(())
}

fn reserved_leases(site: &mut Site, leases: u32, subnets: u32, reserved: u32) -> Result<(), Box<dyn Error>> {
    for number in 0..leases {
        let (network, own) = (number.wrapping_mul(7919) % subnets, number % reserved);
        let address = site.lease(&reserved_client(network, own));
        if address != Some(Ipv4Addr::from_bits(relay(network).to_bits() + 200 + own)) {
            return Err(format!("a reservation was not kept: {address:?}").into());
        }
    }
    Ok(())
}

/// DISCOVER to ACK, and a renewal, where each network is shared with a partner of its own, none of whom was ever heard.
pub(crate) fn relationships(count: u32) -> Result<(), Box<dyn Error>> {
    // One that shares nothing and one partner are the measure.
    for (name, count) in [("one", 1), ("many", count)] {
        let networks = 400;
        let mut all = parts(1);
        let partner = |number| {
            let mut parts = RelationshipParts::new(
                &format!("partner {number}"),
                Role::Primary,
                Interval::from_seconds(600),
            );
            // Nobody else is there.
            parts.start_alone = true;
            parts
        };
        all.relationships = (0..count).map(partner).collect();
        all.shared_networks = (0..networks).map(|number| network(number, 0)).collect();
        for (network, number) in all.shared_networks.iter_mut().zip(0..) {
            network.subnets[0].pools[0].failover = Some(usize::try_from(number % count)?);
        }
        let mut site = site_of(&all);
        for _ in 0..300 {
            site.now = site.now.plus(Interval::from_seconds(1));
            site.engine.handle(site.now, Input::Wake, &mut site.outbox);
            site.settle(|_, _, _| {});
        }
        let mut leased = Vec::new();
        let mut bind = |site: &mut Site, numbers: std::ops::Range<u32>| -> Result<(), Box<dyn Error>> {
            for number in numbers {
                let client = Client::new(number, Kind::Plain).behind(relay(number % networks));
                leased.push((client, site.lease(&client).ok_or("a client got no address")?));
            }
            Ok(())
        };
        bind(&mut site, 0..SAMPLE)?;
        let bound = each(SAMPLE, || bind(&mut site, SAMPLE..2 * SAMPLE))?;
        let renewed = each(2 * SAMPLE, || {
            for (client, address) in &leased {
                site.exchange(&client.renew(*address)).address.ok_or("a renewal got no answer")?;
                // As a server asks after each turn.
                std::hint::black_box(site.engine.next_deadline());
            }
            Ok(())
        })?;
        println!("relationships-{name}-lease {bound} ns");
        println!("relationships-{name}-renewal {renewed} ns");
    }
    Ok(())
}
