//! Many clients through the pair, and a kill in the middle.

use crate::nobody_shares;
use dhcp::MessageType::Ack;
use lab::Seen;
use lab::load::{Load, granted};
use lab::pair::usual;
use lab::{Lease, Pair, Side, seconds};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

/// Every lease that was told to a client, and is not over, is known to both; at least so many were told. What a client had before it
/// took another address is nobody's: dhcpd ends it then.
#[track_caller]
pub fn told_is_known(pair: &Pair, seen: &[Seen], least: usize) {
    let acks = seen.iter().filter(|seen| seen.kind() == Some(Ack));
    let last: BTreeMap<_, _> = acks.map(|seen| (seen.chaddr(), seen.message().yiaddr())).collect();
    let current: BTreeSet<Ipv4Addr> = last.into_values().collect();
    let promised: BTreeMap<Ipv4Addr, u64> = granted(seen)
        .into_iter()
        .filter(|granted| current.contains(&granted.address))
        .map(|granted| (granted.address, granted.ends))
        .collect();
    pair.say(&format!("{} leases were told to clients", promised.len()));
    assert!(promised.len() > least, "only {} leases", promised.len());
    for side in Side::BOTH {
        let member = pair.of(side);
        let leases = member.server.leases(&member.node);
        // New clients are leased the MCLT: where the machine is slow the first may be over, and rightly forgotten.
        let now = lab::capture::now() / 1_000_000_000;
        let live = promised.iter().filter(|(_, ends)| **ends > now);
        let known =
            |address, ends: u64| leases.get(address).is_some_and(|lease: &Lease| lease.ends + 1 >= ends);
        let missing: Vec<_> = live.clone().filter(|(address, ends)| !known(address, **ends)).collect();
        pair.say(&format!("{} of the leases are not over at {}", live.count(), side.name()));
        let first = missing.first().map(|(address, ends)| (address, ends, leases.get(address)));
        assert_eq!(
            missing.len(),
            0,
            "{} does not know of leases that clients were told, as {first:?}",
            side.name()
        );
    }
}

/// A minute of 500 leases a second, one of the two killed after half of it, and started again while it goes on: then both
/// say the same of every address, and every lease that was told to a client is there.
fn kill_under_load(side: Side) {
    let mut pair = Pair::start(&format!("load-{}", side.name()), |side| {
        let mut setup = usual(side, 300);
        setup.subnets[0].prefix = "10.0.0.0/8";
        setup.subnets[0].pool = (Ipv4Addr::new(10, 8, 0, 0), Ipv4Addr::new(10, 8, 255, 255));
        setup.subnets[0].times = (4000, 2000, 3500);
        setup.log_level = "info";
        setup
    });
    pair.wait_for_normal(30);
    let relay = pair.lab.node("relay");
    pair.lab.connect("lan", &relay, "eth0", "10.1.0.9/8");
    let mut load = Load::start_for_all(&relay, "eth0", (500, 60, 60_000), "02:0c:00:00:00:00");
    std::thread::sleep(seconds(30));
    pair.kill(side);
    std::thread::sleep(seconds(8));
    pair.restart(side);
    load.process().wait(Duration::from_mins(2));
    pair.say("the load is over");
    pair.wait_for_normal(60);
    let count = pair.wait_until_equal(90);
    assert_eq!(count, 65_536);
    let seen = pair.clients.stop();
    told_is_known(&pair, &seen, 10_000);
    nobody_shares(&mut pair);
}

#[test]
fn the_primary_is_killed_under_load() {
    kill_under_load(Side::A);
}

#[test]
fn the_secondary_is_killed_under_load() {
    kill_under_load(Side::B);
}
