//! What the two configurations of a pair must agree on, and what holds where they do not.

#![allow(clippy::expect_used, reason = "a broken test may stop")]

mod common;
mod link;

use common::{Client, Server, ip, reservation, seconds};
use dhcp::HardwareAddress;
use engine::config::ReservationKey;
use engine::record::Record;
use failover::binding::BindingStatus;
use failover::endpoint::Command;
use failover::state::{FailoverState as S, Role};
use link::{MCLT, Pair, parts};

/// F07-7.6.2-03.
#[test]
fn each_pool_is_shared_in_its_proportion() {
    let mut pair = Pair::of(|role| {
        let mut parts = parts(role, 3600);
        let pools = &mut parts.shared_networks[0].subnets[0].pools;
        let mut second = pools[0].clone();
        (second.first, second.last) = (ip("10.0.0.100"), ip("10.0.0.105"));
        pools.push(second);
        parts
    });
    pair.pass(seconds(60));
    for n in [0, 1] {
        let backup = |from, to| {
            let leases = pair.leases(n);
            let of = leases.iter().filter(|lease| (from..=to).contains(&lease.address.octets()[3]));
            of.filter(|lease| lease.status == BindingStatus::Backup).count()
        };
        assert_eq!((backup(10, 29), backup(100, 105)), (10, 3));
    }
}

/// F07-7.8.2-11, -13, D12-7.8.2-01, -02.
#[test]
fn the_primarys_mclt_and_buckets_are_kept_by_the_secondary() {
    let mut pair = Pair::of(|role| {
        let mut parts = parts(role, 7200);
        if role == Role::Secondary {
            parts.relationships[0].mclt = seconds(1234);
            parts.relationships[0].split = 0;
        }
        parts
    });
    pair.pass(seconds(60));
    assert_eq!(pair.view(1).mclt, seconds(MCLT));
    pair.cut();
    pair.kill(1);
    pair.start(1);
    pair.pass(seconds(70));
    assert_eq!(pair.view(1).state, S::CommunicationsInterrupted);
    assert_eq!(pair.view(1).mclt, seconds(MCLT));
    pair.command(1, Command::ServeAlone);
    pair.kill(0);
    let (_, _, lease) = pair.bind(&Client::new(1)).expect("an address");
    assert_eq!(u64::from(lease), MCLT);
    let stored = pair.nodes[1].log.iter().rev().find_map(|record| match Record::decode(record) {
        Ok(Record::Endpoint(endpoint)) => Some(endpoint),
        _ => None,
    });
    let buckets = stored.and_then(|endpoint| endpoint.buckets).expect("buckets");
    assert_eq!(buckets.iter().map(|byte| byte.count_ones()).sum::<u32>(), 128);
}

/// F07-5.12-01, -02, -05.
#[test]
fn a_reservation_of_one_server_alone_lets_it_give_nothing_of_the_others() {
    // At the secondary alone, for an address that is FREE: it stays the primary's. At the primary alone, for one that is BACKUP: it
    // is given when the secondary has let it go.
    for (n, address) in [(1, "10.0.0.25"), (0, "10.0.0.12")] {
        let hardware = HardwareAddress::ethernet([2, 0, 0, 0, 0, 1]);
        let reserved = reservation(ReservationKey::Hardware(hardware), address);
        let mut pair = Pair::of(|role| {
            let mut parts = parts(role, 3600);
            parts.relationships[0].split = if n == 0 { 256 } else { 0 };
            parts
        });
        pair.pass(seconds(60));
        pair.kill(n);
        pair.nodes[n].parts.shared_networks[0].subnets[0].reservations.push(reserved);
        pair.start(n);
        pair.pass(seconds(60));
        assert_eq!(pair.states(), (S::Normal, S::Normal));
        assert_eq!(pair.status(ip(address)), [BindingStatus::Free; 2]);
        assert!(pair.nodes[n].told.contains(&"TDM-2016"), "people are told");
        let (by, got, _) = pair.bind(&Client::new(1)).expect("an address");
        assert_eq!((by, got == ip(address)), (n, n == 0), "who is not the primary may not give what is FREE");
    }
}

/// D12-5.16-01.
#[test]
fn a_server_that_had_no_partner_tells_its_first_one_all_that_it_leased() {
    for n in [0, 1] {
        let mut alone = parts(Role::Primary, 3600);
        alone.relationships.clear();
        alone.shared_networks[0].subnets[0].pools[0].failover = None;
        let mut server = Server::new(&alone);
        let clients: Vec<Client> = (1..=8).map(Client::new).collect();
        let held: Vec<_> = clients.iter().map(|client| client.bind(&mut server)).collect();
        let mut pair = Pair::new(3600);
        for node in [0, 1] {
            pair.lose_disk(node);
        }
        pair.nodes[1 - n].store = [98; 16];
        pair.nodes[n].log = server.log;
        pair.start(0);
        pair.start(1);
        pair.pass(seconds(120));
        assert_eq!(pair.states(), (S::Normal, S::Normal), "node {n}");
        for address in &held {
            assert_eq!(pair.status(*address), [BindingStatus::Active; 2], "node {n}: {address}");
        }
        pair.assert_equal();
    }
}
