//! What was answered is on the disk: no DHCPACK before the sync that covers it, and none is forgotten by `kill -9`.

use crate::server_under_test;
use lab::load::{Granted, Load, granted};
use lab::shim::{SlowSync, Sync};
use lab::{Capture, Lab, Node, Server, ServerKind, Setup};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

/// A pool for a hundred thousand clients behind one relay address, leases long enough not to end.
fn many_clients() -> Setup {
    let mut setup = Setup::usual();
    setup.subnets[0].prefix = "10.0.0.0/8";
    setup.subnets[0].pool = (Ipv4Addr::new(10, 8, 0, 0), Ipv4Addr::new(10, 9, 255, 255));
    setup.subnets[0].times = (4000, 2000, 3500);
    // What is logged of each client is not our subject here.
    setup.log_level = "info";
    setup
}

/// The clients' node comes with its own address, as a relay has.
fn two_nodes(lab: &Lab) -> (Node, Node) {
    lab.wire("lan");
    let (server, clients) = (lab.node("server"), lab.node("clients"));
    lab.connect("lan", &server, "eth0", "10.1.0.1/8");
    lab.connect("lan", &clients, "eth0", "10.1.0.2/8");
    (server, clients)
}

/// The DHCPACKs that left although no sync had begun after their request came in and ended before they left. A record
/// cannot be written before the request for it is there; so the sync that covers it began later.
fn too_early(granted: &[Granted], syncs: &[Sync]) -> usize {
    let covers = |granted: &Granted, sync: &Sync| sync.begun > granted.asked && sync.done < granted.acked;
    granted.iter().filter(|granted| !syncs.iter().any(|sync| covers(granted, sync))).count()
}

/// DHCPACKs and syncs of a server whose every sync takes 300 ms, under a few clients a second.
fn with_slow_syncs(name: &str, lie: bool) -> (Vec<Granted>, Vec<Sync>) {
    let lab = Lab::new(name);
    let (server_node, clients) = two_nodes(&lab);
    let shim = SlowSync::new(server_node.folder(), 300, lie);
    let mut server =
        Server::start_with(&server_node, server_under_test(), &many_clients(), shim.environment());
    let mut capture = Capture::start(&server_node, "eth0");
    let mut load = Load::start(&clients, "eth0", SERVER, (30, 8, 1000), "02:0a:00:00:00:00");
    load.process().wait(Duration::from_mins(1));
    // A lying disk is late: what it says it has done is done 300 ms after.
    std::thread::sleep(Duration::from_secs(1));
    assert!(server.process().ended().is_none(), "the server has ended:\n{}", server.process().log());
    (granted(&capture.stop()), shim.syncs())
}

#[test]
fn no_ack_leaves_before_the_sync_that_covers_it() {
    let (granted, syncs) = with_slow_syncs("slow-sync", false);
    println!("{} DHCPACKs, {} syncs of 300 ms", granted.len(), syncs.len());
    // dhcpd syncs for each DHCPACK: three a second.
    assert!(granted.len() > 15, "only {} DHCPACKs", granted.len());
    let held = syncs.iter().filter(|sync| sync.done - sync.begun >= 300_000_000).count();
    assert!(held > 5 && held == syncs.len(), "the disk was not slow: {held} of {}", syncs.len());
    assert_eq!(too_early(&granted, &syncs), 0, "DHCPACKs before they were stable");
    assert!(granted.iter().all(|granted| granted.acked - granted.asked >= 300_000_000));
}

/// The same question to a server whose disk says "done" at once and does it later: the check can fail.
#[test]
fn the_check_of_syncs_finds_a_disk_that_lies() {
    let (granted, syncs) = with_slow_syncs("lying-sync", true);
    assert!(granted.len() > 50, "only {} DHCPACKs", granted.len());
    let early = too_early(&granted, &syncs);
    println!("{} DHCPACKs, {early} of them before what they rest on was on the disk", granted.len());
    // Not all: an answer may be late enough, on a machine with much to do, for the disk to have done it by then.
    assert!(early * 2 > granted.len(), "{early} of {} were found", granted.len());
}

/// What is missing in `leases` of what was granted: addresses whose lease is gone, or ends too early.
fn forgotten(promised: &BTreeMap<Ipv4Addr, u64>, server: &Server, node: &Node) -> Vec<String> {
    let leases = server.leases(node);
    let is_there = |address: &Ipv4Addr, ends: u64| {
        leases.get(address).is_some_and(|lease| lease.status == "active" && lease.ends >= ends)
    };
    let missing = promised.iter().filter(|(address, ends)| !is_there(address, **ends));
    missing
        .map(|(address, ends)| format!("{address} until {ends}, but now: {:?}", leases.get(address)))
        .collect()
}

/// dhcpd, which needs seconds for its first leases of so large a pool, is not asked.
#[test]
fn twenty_kills_under_load_and_no_ack_is_forgotten() {
    const ROUNDS: u32 = 20;
    let lab = Lab::new("kills");
    let (server_node, clients) = two_nodes(&lab);
    let mut server = Server::start(&server_node, ServerKind::Tandem, &many_clients());
    let mut promised: BTreeMap<Ipv4Addr, u64> = BTreeMap::new();
    let mut acks = 0;
    for round in 0..ROUNDS {
        let mut capture = Capture::start(&server_node, "eth0");
        let base = format!("02:0b:{round:02x}:00:00:00");
        let mut load = Load::start(&clients, "eth0", SERVER, (2000, 20, 100_000), &base);
        // Not at the same place of each second.
        let wait = Duration::from_millis(1200 + u64::from(round * 37 % 400));
        let start = Instant::now();
        std::thread::sleep(wait);
        server.process().kill();
        let killed = lab::capture::now();
        std::thread::sleep(Duration::from_millis(100));
        load.process().kill();
        let seen = capture.stop();
        let of_round = granted(&seen);
        assert!(seen.iter().any(|seen| seen.at > killed), "the kill came after the load, not in its middle");
        assert!(
            of_round.len() > 300,
            "round {round}: only {} DHCPACKs in {:?}",
            of_round.len(),
            start.elapsed()
        );
        let last = of_round.iter().map(|granted| granted.acked).max().unwrap_or(0);
        println!(
            "round {round}: {} DHCPACKs, the last {} ms before the kill was over",
            of_round.len(),
            killed.saturating_sub(last) / 1_000_000
        );
        acks += of_round.len();
        for granted in of_round {
            let ends = promised.entry(granted.address).or_default();
            *ends = granted.ends.max(*ends);
        }
        server.restart(&server_node);
        let missing = forgotten(&promised, &server, &server_node);
        assert!(missing.is_empty(), "round {round}: {} forgotten, as {}", missing.len(), missing[0]);
    }
    println!("{acks} DHCPACKs for {} addresses, {ROUNDS} kills, none forgotten", promised.len());
    // The question can be answered with no: an end that nobody promised is not there.
    if let Some(ends) = promised.values_mut().next() {
        *ends += 100_000;
    }
    assert_eq!(forgotten(&promised, &server, &server_node).len(), 1);
}
