//! How long a lease is, how it ends, and what is left of it: numbers 10, 11, 12, 13, 14, 15, 18, 19.

use crate::common::{Client, seconds};
use crate::link::{MCLT, Pair, parts};
use crate::{LEASE, NORMAL, assert_whole, busy};
use dhcp::MessageType;
use engine::Commanded;
use failover::binding::BindingStatus;
use failover::endpoint::Command;
use failover::state::{FailoverState as S, Role};
use std::net::Ipv4Addr;

/// What a wait is longer than it must be (design of times): 10 s and a thousandth, and a second for stamps.
const SLACK: u64 = 12;

fn is_available(status: BindingStatus) -> bool {
    matches!(status, BindingStatus::Free | BindingStatus::Backup)
}

/// All times of a binding are equal when its lease ends: what was sent was acknowledged, and came back. Over many lives of each
/// address nothing is left over.
///
/// F07-5.2.2-04.
#[test]
fn field_10_what_ended_is_free_again_however_its_times_stand() {
    let mut pair = Pair::of(|role| {
        let mut parts = parts(role, LEASE);
        parts.shared_networks[0].subnets[0].pools[0].last = Ipv4Addr::new(10, 0, 0, 15);
        parts
    });
    pair.pass(seconds(60));
    for round in 0..8_u8 {
        for number in 0..6 {
            let client = Client::new(round * 6 + number);
            let (n, address, _) = pair.bind(&client).expect("an address: none is left over");
            // Not at all, by the same, by the other, or by both one after the other.
            for server in [n, 1 - n].into_iter().take(usize::from(number) % 3) {
                pair.pass(seconds(20));
                pair.renew(&client, server, address).expect("an answer");
            }
            if number > 3 {
                pair.release(&client, n, address);
            }
        }
        pair.pass(seconds(2 * LEASE));
        for n in [0, 1] {
            let left: Vec<_> = pair.leases(n).into_iter().filter(|l| !is_available(l.status)).collect();
            assert!(left.is_empty(), "round {round}, node {n}: {left:?}");
        }
    }
    pair.assert_equal();
}

/// Nobody says anything: no client, no partner, no restart.
#[test]
fn field_11_lease_expires_in_partner_down() {
    for n in [0, 1] {
        let (mut pair, holders) = busy();
        pair.kill(1 - n);
        assert_eq!(pair.command(n, Command::PartnerDown), Commanded::Done(S::PartnerDown));
        pair.pass(seconds(LEASE - 60));
        for (_, address) in &holders {
            assert_eq!(pair.lease(n, *address).status, BindingStatus::Active, "it still runs");
        }
        // The other may have promised up to the potential end, and MCLT more.
        pair.pass(seconds(2 * LEASE + MCLT));
        for (_, address) in &holders {
            assert_eq!(pair.lease(n, *address).status, BindingStatus::Free, "node {n}: {address}");
        }
        let mut given: Vec<Ipv4Addr> = Vec::new();
        for number in 20..40 {
            let (_, address, _) = pair.bind(&Client::new(number)).expect("all twenty are given again");
            assert!(!given.contains(&address));
            given.push(address);
        }
        pair.start(1 - n);
        pair.pass(seconds(2 * MCLT));
        assert_eq!(pair.states(), NORMAL);
        pair.assert_equal();
    }
}

/// F07-9.4.2-04.
#[test]
fn field_12_partner_down_waits_for_mclt_once() {
    for n in [0, 1] {
        let mut pair = Pair::normal(LEASE);
        pair.kill(1 - n);
        pair.pass(seconds(300));
        assert_eq!(pair.command(n, Command::PartnerDown), Commanded::Done(S::PartnerDown));
        let mut number = 0;
        while pair.bind(&Client::new(number)).is_some() {
            number += 1;
        }
        assert_eq!(number, 10, "its own");
        pair.pass(seconds(MCLT - 1));
        assert!(pair.bind(&Client::new(50)).is_none(), "node {n}: too early");
        pair.pass(seconds(1 + SLACK));
        assert!(pair.bind(&Client::new(50)).is_some(), "node {n}: too late");
        // What it leased itself since, and what ended meanwhile, waits no longer either.
        let (_, address, _) = pair.bind(&Client::new(51)).expect("an address");
        pair.release(&Client::new(51), n, address);
        let released = pair.now;
        let free_at = (0..400).find(|_| {
            pair.pass(seconds(30));
            pair.lease(n, address).status == BindingStatus::Free
        });
        assert!(free_at.is_some());
        let waited = pair.now.since(released);
        assert!(waited <= seconds(LEASE + MCLT / 2 + MCLT + SLACK + 30), "{waited}");
    }
}

/// D12-7.8.2-02.
#[test]
fn field_13_a_secondary_that_never_met_its_primary_gives_whole_leases() {
    let mut pair = Pair::of(|role| {
        let mut parts = parts(role, LEASE);
        parts.relationships[0].start_alone = role == Role::Secondary;
        parts
    });
    for n in [0, 1] {
        pair.kill(n);
        pair.nodes[n].log.clear();
        pair.nodes[n].generation = 0;
    }
    pair.start(1);
    pair.pass(seconds(2 * MCLT));
    assert_eq!(pair.view(1).state, S::PartnerDown);
    let client = Client::new(1);
    let (_, address, lease) = pair.bind(&client).expect("an address");
    assert_eq!(u64::from(lease), MCLT, "that of its own configuration");
    // It knows the primary's once it has met it, and also when the primary is gone again and it was restarted.
    pair.nodes[0].parts.relationships[0].mclt = seconds(2 * MCLT);
    pair.start(0);
    pair.pass(seconds(6 * MCLT));
    assert_eq!(pair.states(), NORMAL);
    pair.kill(0);
    pair.kill(1);
    pair.start(1);
    pair.pass(seconds(70));
    let new = (2..10).find_map(|number| pair.bind(&Client::new(number))).expect("an address");
    // Within what was stably agreed: MCLT after it was last known to be alive (trap T15).
    assert!(u64::from(new.2) > MCLT && u64::from(new.2) <= 2 * MCLT, "{} s", new.2);
    assert_ne!(address, new.1);
}

/// F07-5.2.1-11, F07-7.1.5-03.
#[test]
fn field_14_each_renewal_gives_the_whole_lease() {
    for lease in [LEASE, 40 * LEASE] {
        let mut pair = Pair::normal(lease);
        let client = Client::new(1);
        let (n, address, first) = pair.bind(&client).expect("an address");
        assert_eq!(u64::from(first), MCLT);
        pair.pass(seconds(MCLT / 2));
        for turn in 0..10 {
            // By the same server twice, then by the other twice.
            let server = (n + turn / 2) % 2;
            let reply = pair.renew(&client, server, address).expect("an answer");
            assert_eq!(u64::from(reply.lease()), lease, "renewal {turn} by node {server}");
            pair.pass(seconds(lease / 2));
        }
        // The last acknowledged potential end is far enough for the next one, too: with no partner to ask.
        pair.renew(&client, n, address).expect("an answer");
        pair.kill(1 - n);
        pair.pass(seconds(lease / 2));
        let reply = pair.renew(&client, n, address).expect("an answer");
        assert_eq!(u64::from(reply.lease()), lease, "one more, alone");
    }
}

/// F07-5.10-05.
#[test]
fn field_15_declined_at_one_server_only() {
    for n in [0, 1] {
        for is_cut in [false, true] {
            let (mut pair, mut holders) = busy();
            let (client, address) = holders.remove(3);
            if is_cut {
                pair.cut();
            }
            pair.decline(&client, n, address);
            pair.pass(seconds(30));
            pair.mend();
            pair.pass(seconds(60));
            assert_eq!(pair.status(address), [BindingStatus::Abandoned; 2], "node {n}, cut: {is_cut}");
            assert_whole(&mut pair, &holders, &format!("node {n}, cut: {is_cut}"));
            // Neither gives it to anybody.
            for number in 20..40 {
                if let Some((_, given, _)) = pair.bind(&Client::new(number)) {
                    assert_ne!(given, address);
                }
            }
            // Until it is free again, on both.
            pair.pass(seconds(3 * LEASE));
            assert!(pair.status(address).into_iter().all(is_available), "{:?}", pair.status(address));
            pair.assert_equal();
        }
    }
}

/// One heard the client last, the other tells of what was before.
///
/// F07-7.1.3-02.
#[test]
fn field_18_an_update_of_before_takes_nothing_from_what_was_heard_since() {
    for n in [0, 1] {
        let (mut pair, holders) = busy();
        let (client, address) = &holders[0];
        pair.pass(seconds(60));
        pair.cut();
        pair.renew(client, 1 - n, *address).expect("an answer");
        pair.pass(seconds(500));
        let heard = pair.now;
        pair.renew(client, n, *address).expect("an answer");
        pair.pass(seconds(60));
        pair.mend();
        pair.pass(seconds(60));
        for node in [0, 1] {
            let lease = pair.lease(node, *address);
            assert_eq!(lease.client_last_transaction_time.as_seconds(), heard.as_seconds(), "at node {node}");
            assert!(lease.lease_expiration >= heard.plus(seconds(LEASE)), "at node {node}");
        }
        assert_eq!(pair.states(), NORMAL);
        pair.assert_equal();
    }
}

#[test]
fn field_19_nothing_of_the_former_client_is_left() {
    let mut pair = Pair::of(|role| {
        let mut parts = parts(role, LEASE);
        parts.shared_networks[0].subnets[0].pools[0].last = Ipv4Addr::new(10, 0, 0, 10);
        parts
    });
    pair.pass(seconds(60));
    let mut full = Client::new(1);
    full.identifier = Some(b"\x01former".to_vec());
    full.host_name = Some("former");
    let bare = Client::new(2);
    let mut other = Client::new(3);
    other.identifier = Some(b"\x01other".to_vec());
    for (turn, client) in [&full, &bare, &full, &other, &bare].into_iter().enumerate() {
        let (n, address, _) = pair.bind(client).expect("the one address");
        let identity = match &client.identifier {
            Some(identifier) => dhcp::ClientIdentity::from_client_identifier(identifier),
            None => dhcp::ClientIdentity::from_hardware(1, client.hardware.as_bytes()),
        };
        for node in [0, 1] {
            let lease = pair.lease(node, address);
            assert_eq!((lease.client, lease.hardware), (identity.clone(), Some(client.hardware)), "{turn}");
            assert_eq!(lease.host_name, client.host_name.unwrap_or_default().as_bytes(), "{turn}, {node}");
        }
        // It is given back, or it runs out.
        if turn % 2 == 0 {
            pair.release(client, n, address);
        }
        pair.pass(seconds(2 * LEASE));
        assert!(pair.status(address).into_iter().all(is_available));
        // A restart brings nothing of it back.
        pair.kill(turn % 2);
        pair.start(turn % 2);
        pair.pass(seconds(60));
    }
    let reply = pair.bind(&full).map(|(n, address, _)| pair.renew(&full, 1 - n, address));
    assert_eq!(reply.flatten().map(|reply| reply.kind()), Some(MessageType::Ack));
}
