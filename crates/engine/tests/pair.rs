//! Two engines and a link between them: what a pair promises.

#![allow(clippy::expect_used, reason = "a broken test may stop")]

mod common;
mod link;

use common::{Client, ip, seconds};
use dhcp::MessageType;
use engine::config::Parts;
use engine::{Commanded, Destination};
use failover::binding::BindingStatus;
use failover::endpoint::Command;
use failover::state::{FailoverState, Role};
use link::{MCLT, Pair, bindings_of, parts};
use std::net::Ipv4Addr;

#[test]
fn two_new_servers_are_in_normal_within_seconds_and_share_the_pool() {
    let mut pair = Pair::new(3600);
    pair.pass(seconds(2));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
    pair.pass(seconds(40));
    assert_eq!((pair.counts(0), pair.counts(1)), ((10, 10), (10, 10)));
    pair.assert_equal();
}

/// F07-9.3.2-06.
#[test]
fn everything_in_one_segment_is_heard_in_its_order() {
    let mut pair = Pair::normal(3600);
    pair.in_one_segment = true;
    for n in [0, 1] {
        pair.kill(n);
        pair.start(n);
        pair.pass(seconds(6));
        assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal), "no need of STARTUP's end");
    }
}

/// A store of a pair grows by that, and its syncs with it.
/// F07-5.2.1-08.
#[test]
fn a_lease_is_recorded_whole_once_at_each_and_its_acknowledgement_in_sixteen_bytes() {
    let mut pair = Pair::normal(3600);
    pair.pass(seconds(40));
    let client = Client::new(1);
    let made = |pair: &Pair, n: usize, from: usize| -> Vec<(u8, usize)> {
        let made = pair.nodes[n].log[from..].iter().map(|record| (record[0], record.len()));
        made.filter(|(kind, _)| matches!(kind, 1 | 5)).collect()
    };
    let before = [0, 1].map(|n| pair.nodes[n].log.len());
    let (n, address, _) = pair.bind(&client).expect("a lease");
    assert_eq!(made(&pair, n, before[n]), [(1, 50), (5, 16)]);
    assert_eq!(made(&pair, 1 - n, before[1 - n]), [(1, 50)]);
    pair.pass(seconds(600));
    let before = [0, 1].map(|n| pair.nodes[n].log.len());
    pair.renew(&client, n, address).expect("an answer");
    assert_eq!(made(&pair, n, before[n]), [(1, 50), (5, 16)]);
    assert_eq!(made(&pair, 1 - n, before[1 - n]), [(1, 50)]);
    // It is told that it is over, and then that the partner agreed: another status is a whole record.
    let before = [0, 1].map(|n| pair.nodes[n].log.len());
    pair.release(&client, n, address);
    pair.pass(seconds(5));
    assert_eq!(made(&pair, n, before[n])[..2], [(1, 50 + 7), (5, 16)]);
    assert_eq!(made(&pair, n, before[n]).last(), Some(&(1, 50 + 7)));
    for node in &pair.nodes {
        node.assert_recorded();
    }
}

#[test]
fn a_log_on_top_of_any_later_snapshot_gives_what_is_in_memory() {
    let mut pair = Pair::normal(3600);
    pair.pass(seconds(40));
    let (mut snapshots, mut addresses) = (Vec::new(), Vec::new());
    let keep = |pair: &Pair, snapshots: &mut Vec<(usize, usize, Vec<Vec<u8>>)>| {
        for (n, node) in pair.nodes.iter().enumerate() {
            snapshots.push((n, node.log.len(), bindings_of(&node.engine)));
        }
    };
    for round in 0..4 {
        for client in (1..=4).map(Client::new) {
            let (n, address, _) = pair.bind(&client).expect("a lease");
            addresses.push((n, address));
            keep(&pair, &mut snapshots);
            match round {
                0 => pair.release(&client, n, address),
                1 => drop(pair.renew(&client, n, address)),
                2 => pair.pass(seconds(3700)),
                _ => pair.cut(),
            }
            keep(&pair, &mut snapshots);
            pair.repair();
            pair.pass(seconds(90));
        }
    }
    let kinds = pair.nodes[0].log.iter().filter(|record| record[0] == 5).count();
    assert!(kinds > 20, "{kinds} short records");
    // The log that goes with a snapshot begins with what was recorded as it was begun; its pieces may be later.
    for (n, made, snapshot) in &snapshots {
        let (node, expected) = (&pair.nodes[*n], bindings_of(&pair.nodes[*n].engine));
        for begun in made.saturating_sub(12)..=*made {
            assert_eq!(node.replayed(snapshot.iter().chain(&node.log[begun..])), expected, "{begun} {made}");
        }
    }
}

#[test]
fn a_large_pool_is_shared_within_a_minute() {
    let mut pair = Pair::of(|role| {
        let mut parts = parts(role, 3600);
        let subnet = &mut parts.shared_networks[0].subnets[0];
        subnet.prefix = "10.0.0.0/16".parse().expect("a prefix");
        (subnet.pools[0].first, subnet.pools[0].last) = (ip("10.0.16.0"), ip("10.0.63.255"));
        parts
    });
    pair.pass(seconds(60));
    let (free, backup) = pair.counts(0);
    // Within the misbalance that the rule leaves alone (D12-5.4-05).
    assert!(
        free + backup == 12_288 && backup.abs_diff(free) <= 12_288 * 3 / 10,
        "{free} FREE, {backup} BACKUP"
    );
    pair.pass(seconds(5));
    assert_eq!(pair.counts(0), pair.counts(1));
    pair.assert_equal();
}

/// F07-7.6.2-05, D12-5.4-04, -06.
#[test]
fn a_secondary_with_nearly_everything_gives_back_no_more_than_its_surplus() {
    let mut pair = Pair::of(|role| {
        let mut parts = parts(role, 3600);
        let subnet = &mut parts.shared_networks[0].subnets[0];
        subnet.prefix = "10.0.0.0/16".parse().expect("a prefix");
        (subnet.pools[0].first, subnet.pools[0].last) = (ip("10.0.16.0"), ip("10.0.31.255"));
        if role == Role::Primary {
            // It serves all clients, from FREE addresses.
            parts.relationships[0].split = 256;
        }
        parts
    });
    pair.pass(seconds(60));
    for number in 0..1500_u16 {
        let [high, low] = number.to_be_bytes();
        let mut client = Client::new(0);
        client.hardware = dhcp::HardwareAddress::new(1, &[2, 0, 0, 1, high, low]).expect("six bytes");
        assert!(pair.bind(&client).is_some());
    }
    assert_eq!(pair.counts(0), (548, 2048));
    // Leases of the MCLT: they have not ended yet.
    pair.pass(seconds(120));
    let (free, backup) = pair.counts(0);
    assert_eq!(free + backup, 2596);
    assert!(backup.abs_diff(free) <= 2596 * 3 / 10, "{free} FREE, {backup} BACKUP");
    pair.assert_equal();
}

/// F07-9.7.1-02.
#[test]
fn a_partner_that_said_that_it_pauses_alarms_nobody() {
    let mut pair = Pair::normal(3600);
    assert!(matches!(pair.command(0, Command::Pause), Commanded::Done(_)));
    pair.pass(seconds(60));
    assert!(pair.nodes[1].told.contains(&"TDM-2017") && !pair.nodes[1].told.contains(&"TDM-2004"));
    let mut pair = Pair::normal(3600);
    pair.cut();
    pair.pass(seconds(60));
    assert!(pair.nodes[1].told.contains(&"TDM-2004") && !pair.nodes[1].told.contains(&"TDM-2017"));
}

/// F07-9.11.2-01, F07-9.12.3-01.
#[test]
fn who_has_paused_talks_to_nobody_again() {
    for (command, other) in [
        (Command::Pause, FailoverState::CommunicationsInterrupted),
        (Command::Shutdown, FailoverState::PartnerDown),
    ] {
        let mut pair = Pair::normal(3600);
        assert!(matches!(pair.command(0, command), Commanded::Done(_)));
        pair.pass(seconds(300));
        assert_eq!((pair.view(0).in_contact, pair.view(1).in_contact), (false, false), "{command:?}");
        assert_eq!(pair.view(1).state, other, "{command:?}");
    }
}

/// F07-5.4-02.
#[test]
fn each_client_is_answered_by_one_and_known_to_both() {
    let mut pair = Pair::normal(3600);
    let mut by = [0, 0];
    for number in 1..=10 {
        let client = Client::new(number);
        let (n, address, lease) = pair.bind(&client).expect("an address");
        by[n] += 1;
        assert_eq!(u64::from(lease), MCLT, "a new client gets the MCLT");
        assert_eq!(pair.status(address), [BindingStatus::Active; 2]);
    }
    assert!(by[0] > 0 && by[1] > 0, "the load is shared: {by:?}");
    pair.assert_equal();
}

/// F07-3.1.1-01, F07-5.2.1-11, -13, F07-7.2.2-01, F07-9.6.2-01.
#[test]
fn the_second_lease_has_the_full_length_from_either_server() {
    let mut pair = Pair::normal(3600);
    let client = Client::new(1);
    let (n, address, _) = pair.bind(&client).expect("an address");
    pair.pass(seconds(300));
    let ack = pair.renew(&client, 1 - n, address).expect("an answer");
    assert_eq!((ack.kind(), ack.lease()), (MessageType::Ack, 3600));
    pair.assert_equal();
}

/// F07-5.2.2-04, F07-5.10-17, D12-5.4-01.
#[test]
fn a_released_address_is_the_primarys_once_both_know() {
    let mut pair = Pair::normal(3600);
    let client = Client::new(1);
    let (n, address, _) = pair.bind(&client).expect("an address");
    pair.release(&client, n, address);
    assert_eq!(pair.status(address), [BindingStatus::Free; 2]);
    pair.assert_equal();
}

/// A lease is as long as the longest that its client was promised, whoever promised it and whoever heard the client last (trap T19).
#[test]
fn the_longest_promise_of_the_two_is_what_both_remember() {
    // A promises much and tells nobody; B hears the client later, promises little, and takes it to be over.
    let mut pair = Pair::normal(3600);
    let mut client = Client::new(1);
    let (_, address, _) = pair.bind(&client).expect("an address");
    pair.pass(seconds(MCLT / 2));
    pair.cut();
    assert_eq!(pair.renew(&client, 0, address).expect("an answer").lease(), 3600);
    let end = pair.lease(0, address).lease_expiration;
    client.wish = Some(60);
    pair.pass(seconds(10));
    assert_eq!(pair.renew(&client, 1, address).expect("an answer").lease(), 60);
    pair.pass(seconds(MCLT));
    assert_eq!(pair.status(address), [BindingStatus::Active, BindingStatus::Expired]);
    pair.mend();
    pair.pass(seconds(90));
    assert_eq!(pair.status(address), [BindingStatus::Active; 2]);
    assert_eq!(pair.lease(1, address).lease_expiration, end);
    pair.assert_equal();
}

#[test]
fn a_lease_that_was_given_back_to_one_and_begun_again_there_is_the_same_to_both() {
    let mut pair = Pair::normal(3600);
    let mut client = Client::new(1);
    let (_, address, _) = pair.bind(&client).expect("an address");
    pair.pass(seconds(MCLT / 2));
    assert_eq!(pair.renew(&client, 0, address).expect("an answer").lease(), 3600);
    pair.pass(seconds(60));
    let end = pair.lease(0, address).lease_expiration;
    pair.cut();
    pair.release(&client, 1, address);
    pair.freeze(0);
    client.wish = Some(120);
    let (_, again, lease) = pair.bind(&client).expect("an address");
    assert_eq!((again, lease), (address, 120));
    pair.thaw(0);
    pair.mend();
    pair.pass(seconds(90));
    // A was not told of the release, and it may be the older of the two: what it promised stands.
    assert_eq!(pair.lease(0, address).lease_expiration, end);
    pair.assert_equal();
}

/// F07-5.2.2-02.
#[test]
fn without_the_partner_a_released_address_waits() {
    let mut pair = Pair::normal(3600);
    let client = Client::new(1);
    let (n, address, _) = pair.bind(&client).expect("an address");
    pair.cut();
    pair.release(&client, n, address);
    assert_eq!(pair.lease(n, address).status, BindingStatus::Released);
    for number in 2..=9 {
        if let Some((_, other, _)) = pair.bind(&Client::new(number)) {
            assert_ne!(other, address);
        }
    }
    pair.mend();
    pair.pass(seconds(60));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
    assert_eq!(pair.status(address), [BindingStatus::Free; 2]);
}

/// F07-3.3-01, F07-9.6.4-03, F07-9.7.2-03.
#[test]
fn cut_off_each_serves_all_from_its_own_pool_and_they_find_together() {
    let mut pair = Pair::normal(3600);
    pair.cut();
    assert_eq!(
        pair.states(),
        (FailoverState::CommunicationsInterrupted, FailoverState::CommunicationsInterrupted)
    );
    let mut given = std::collections::BTreeSet::new();
    for number in 1..=5 {
        let client = Client::new(number);
        let discover = client.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[]);
        let offers = pair.send(&client, None, &discover);
        assert_eq!(offers.len(), 2, "both answer");
        let addresses: Vec<_> = offers.iter().map(|(_, offer)| offer.yiaddr()).collect();
        assert_ne!(addresses[0], addresses[1]);
        let (_, address, lease) = pair.bind(&client).expect("an address");
        assert!(given.insert(address));
        assert_eq!(u64::from(lease), MCLT);
    }
    pair.mend();
    pair.pass(seconds(60));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
    pair.assert_equal();
}

/// F07-4.1-02, -04, F07-9.2-07.
#[test]
fn a_killed_server_is_not_missed_and_comes_back_by_itself() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let clients: Vec<(Client, Ipv4Addr)> = (1..=6)
            .map(|number| {
                let client = Client::new(number);
                let (_, address, _) = pair.bind(&client).expect("an address");
                (client, address)
            })
            .collect();
        pair.kill(n);
        pair.pass(seconds(300));
        for (client, address) in &clients {
            let ack = pair.renew(client, 1 - n, *address).expect("an answer");
            assert_eq!((ack.kind(), ack.lease()), (MessageType::Ack, 3600));
        }
        pair.start(n);
        pair.pass(seconds(60));
        assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
        pair.assert_equal();
    }
}

/// F07-5.2.2-01, F07-5.10-15, F07-9.4.1-01, F07-9.4.2-04.
#[test]
fn in_partner_down_all_addresses_are_used_after_the_wait() {
    let mut pair = Pair::normal(3600);
    pair.kill(0);
    assert_eq!(pair.command(1, Command::PartnerDown), Commanded::Done(FailoverState::PartnerDown));
    let mut got = 0;
    for number in 1..=15 {
        got += u32::from(pair.bind(&Client::new(number)).is_some());
    }
    assert_eq!(got, 10, "its own half only");
    pair.pass(seconds(MCLT + 60));
    for number in 16..=25 {
        assert!(pair.bind(&Client::new(number)).is_some(), "client {number}");
    }
    pair.start(0);
    pair.pass(seconds(30));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal), "its own wait is over by then");
    pair.pass(seconds(2 * MCLT));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
    pair.assert_equal();
}

/// F07-4.1-08, F07-9.5-01.
#[test]
fn a_lost_disk_is_refilled_and_waits() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let (_, address, _) = pair.bind(&Client::new(1)).expect("an address");
        pair.lose_disk(n);
        pair.pass(seconds(30));
        pair.start(n);
        pair.pass(seconds(60));
        assert_eq!(pair.view(n).state, FailoverState::RecoverWait);
        assert_eq!(pair.view(1 - n).state, FailoverState::CommunicationsInterrupted);
        assert_eq!(pair.lease(n, address).client, pair.lease(1 - n, address).client);
        pair.pass(seconds(2 * MCLT));
        assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
        pair.pass(seconds(60));
        pair.assert_equal();
    }
}

#[test]
fn a_conflict_is_resolved() {
    let mut pair = Pair::normal(3600);
    pair.cut();
    assert_eq!(pair.command(1, Command::PartnerDown), Commanded::Done(FailoverState::PartnerDown));
    pair.pass(seconds(100));
    pair.bind(&Client::new(1)).expect("an address");
    pair.mend();
    pair.pass(seconds(60));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
    pair.pass(seconds(60));
    pair.assert_equal();
}

/// F07-3.1.2-02.
#[test]
fn what_the_dead_server_leased_in_its_last_second_is_taken_over() {
    let mut pair = Pair::normal(3600);
    // The link is cut first, so that the partner never hears of the lease.
    pair.cut();
    let client = Client::new(1);
    let (n, address, _) = pair.bind(&client).expect("an address");
    pair.kill(n);
    pair.pass(seconds(500));
    let mut rebinding = client.clone();
    rebinding.source = address;
    let request = rebinding.message(MessageType::Request, address, &[]);
    let replies = pair.send(&rebinding, None, &request);
    assert_eq!(replies.len(), 1);
    assert_eq!((replies[0].1.kind(), replies[0].1.yiaddr()), (MessageType::Ack, address));
    assert!(matches!(replies[0].1.destination, Destination::Link { .. } | Destination::Broadcast { .. }));
    assert!(u64::from(replies[0].1.lease()) <= MCLT);
}

#[test]
fn a_restart_alone_gives_nothing_beyond_mclt_after_its_end() {
    let mut pair = Pair::normal(3600);
    let (_, _, _) = pair.bind(&Client::new(1)).expect("an address");
    pair.kill(0);
    pair.kill(1);
    pair.pass(seconds(MCLT + 100));
    pair.is_cut = true;
    pair.start(0);
    pair.pass(seconds(70));
    assert_eq!(pair.view(0).state, FailoverState::CommunicationsInterrupted);
    assert!(pair.bind(&Client::new(2)).is_none(), "trap T15");
    pair.command(0, Command::ServeAlone);
    assert!(pair.bind(&Client::new(2)).is_some());
}

#[test]
fn an_old_copy_of_a_store_that_was_being_refilled_waits_anew() {
    let mut pair = Pair::normal(3600);
    pair.lose_disk(0);
    pair.start(0);
    pair.pass(seconds(60));
    assert_eq!(pair.view(0).state, FailoverState::RecoverWait);
    let copy = pair.nodes[0].log.clone();
    pair.pass(seconds(2 * MCLT));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
    pair.kill(0);
    pair.nodes[0].log = copy;
    pair.start(0);
    pair.pass(seconds(60));
    assert_eq!(
        pair.view(0).state,
        FailoverState::RecoverWait,
        "it may have promised anything until just now"
    );
}

/// Somebody releases the lease of a client that still uses it. While the two are apart the primary may have leased the address to
/// another, so that the secondary does not believe the first before all that it can have been promised is over (trap T20).
#[test]
fn nobody_is_believed_about_an_address_that_was_given_back() {
    let lease = 3600;
    let mut pair = Pair::normal(lease);
    let client = Client::new(1);
    let (n, address, _) = pair.bind(&client).expect("an address");
    pair.renew(&client, n, address).expect("an answer");
    pair.release(&client, n, address);
    pair.pass(seconds(30));
    pair.command(0, Command::Resync);
    // Whose address it is not now.
    let not_the_owner = |pair: &Pair| {
        let [here, there] = pair.status(address);
        assert!(here == there && matches!(here, BindingStatus::Free | BindingStatus::Backup), "{here}");
        usize::from(here == BindingStatus::Free)
    };
    for restarted in [false, true] {
        let other = not_the_owner(&pair);
        pair.cut();
        if restarted {
            pair.kill(other);
            pair.start(other);
            pair.pass(seconds(60));
        }
        assert!(pair.renew(&client, other, address).is_none(), "it may be another's since");
        pair.mend();
        pair.pass(seconds(60));
    }
    pair.pass(seconds(3 * lease));
    let other = not_the_owner(&pair);
    pair.cut();
    assert!(
        pair.renew(&client, other, address).is_some(),
        "the partner may have leased it in its last second"
    );
}

#[test]
fn an_old_copy_of_a_store_stays_old_until_the_partner_was_met() {
    let mut pair = Pair::normal(3600);
    let copy = pair.nodes[0].log.clone();
    pair.pass(seconds(2 * MCLT));
    pair.kill(0);
    pair.nodes[0].log = copy;
    pair.is_cut = true;
    pair.start(0);
    pair.pass(seconds(100));
    pair.kill(0);
    pair.mend();
    pair.start(0);
    pair.pass(seconds(30));
    assert!(pair.view(0).storage_lost);
}

#[test]
fn a_partner_that_noticed_late_that_we_were_gone_shows_no_old_store() {
    let mut pair = Pair::of(|role| {
        let mut parts = parts(role, 3600);
        parts.relationships[0].receive_timer = seconds(60);
        parts
    });
    pair.pass(seconds(64));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
    // The last stamps were not stable when the power went, and nothing told the partner of it.
    let stamped = pair.nodes[1].log.len();
    pair.pass(seconds(18));
    pair.nodes[1].log.truncate(stamped);
    (pair.nodes[1].is_up, pair.nodes[1].link) = (false, None);
    pair.wire.clear();
    pair.pass(seconds(100));
    assert!(!pair.view(0).in_contact);
    pair.kill(1);
    pair.start(1);
    pair.pass(seconds(30));
    assert!(!pair.view(1).storage_lost && pair.view(1).in_contact);
}

#[test]
fn a_copy_from_before_the_partner_was_first_met_is_an_old_one() {
    let mut pair = Pair::new(3600);
    let copy: Vec<_> = pair.nodes[1].log[..1].to_vec();
    pair.pass(seconds(600));
    pair.kill(1);
    pair.nodes[1].log = pair.nodes[1].log.iter().take(4).cloned().collect();
    assert_eq!(pair.nodes[1].log[..1], copy);
    pair.start(1);
    pair.pass(seconds(60));
    assert_eq!((pair.view(1).storage_lost, pair.view(1).state), (true, FailoverState::RecoverWait));
}

#[test]
fn a_partner_that_met_us_for_a_moment_vouches_for_that_moment() {
    let mut pair = Pair::normal(3600);
    pair.kill(0);
    pair.pass(seconds(2 * MCLT));
    pair.start(0);
    // Both end before either has recorded anew how late it is.
    pair.kill(0);
    pair.kill(1);
    pair.pass(seconds(300));
    pair.start(0);
    pair.start(1);
    pair.pass(seconds(60));
    assert!(!pair.view(0).storage_lost && !pair.view(1).storage_lost);
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
}

/// F07-7.5-01.
#[test]
fn a_refusal_for_what_is_abandoned_is_an_answer() {
    let mut pair = Pair::normal(3600);
    let client = Client::new(1);
    pair.cut();
    // The secondary finds that an address of its own is in use by a stranger, and loses the word of the primary for it.
    let (n, address, _) = pair.bind(&client).expect("an address");
    let options: [(u8, &[u8]); 2] = [
        (dhcp::code::REQUESTED_ADDRESS, &address.octets()),
        (dhcp::code::SERVER_IDENTIFIER, &pair.nodes[n].address.octets()),
    ];
    let decline = client.message(MessageType::Decline, Ipv4Addr::UNSPECIFIED, &options);
    pair.send(&client, Some(n), &decline);
    assert_eq!(pair.lease(n, address).status, BindingStatus::Abandoned);
    assert_eq!(pair.command(1 - n, Command::PartnerDown), Commanded::Done(FailoverState::PartnerDown));
    pair.mend();
    pair.pass(seconds(60));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
}

#[test]
fn a_stored_partner_down_vouches_for_nothing_after_an_orderly_restart() {
    let mut pair = Pair::normal(3600);
    for n in [0, 1] {
        pair.kill(n);
    }
    pair.pass(seconds(100));
    pair.is_cut = true;
    // Not in NORMAL since its start, and rightly told that the other is down.
    pair.start(1);
    pair.pass(seconds(70));
    assert_eq!(pair.command(1, Command::PartnerDown), Commanded::Done(FailoverState::PartnerDown));
    pair.command(1, Command::Pause);
    pair.kill(1);
    pair.start(1);
    pair.pass(seconds(3 * MCLT));
    assert_eq!(pair.view(1).state, FailoverState::PartnerDown);
    assert!(pair.bind(&Client::new(2)).is_none(), "model M4");
}

#[test]
fn a_second_lost_disk_is_another_loss() {
    let mut pair = Pair::normal(3600);
    let (_, address, _) = pair.bind(&Client::new(1)).expect("an address");
    pair.lose_disk(0);
    pair.start(0);
    pair.pass(seconds(2 * MCLT));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
    pair.renew(&Client::new(1), 1, address).expect("an answer");
    pair.lose_disk(0);
    pair.nodes[0].store = [98; 16];
    let before = pair.lease(1, address).lease_expiration;
    pair.start(0);
    pair.pass(seconds(30));
    let raised = pair.lease(1, address).lease_expiration;
    assert!(raised >= before.plus(seconds(MCLT)), "trap T16: {before:?} {raised:?}");
}

#[test]
fn an_old_backup_has_no_say_against_the_partner() {
    let mut pair = Pair::normal(3600);
    let client = Client::new(1);
    let (n, address, _) = pair.bind(&client).expect("an address");
    // In the backup the address is declined, and its time as ABANDONED is nearly over.
    let (address_bytes, server) = (address.octets(), pair.nodes[n].address.octets());
    let options: [(u8, &[u8]); 2] =
        [(dhcp::code::REQUESTED_ADDRESS, &address_bytes), (dhcp::code::SERVER_IDENTIFIER, &server)];
    let decline = client.message(MessageType::Decline, Ipv4Addr::UNSPECIFIED, &options);
    pair.send(&client, None, &decline);
    assert_eq!(pair.status(address), [BindingStatus::Abandoned; 2]);
    // That lasts for as long as the client can have been promised anything, too.
    pair.pass(seconds(4400));
    assert_eq!(pair.status(address), [BindingStatus::Abandoned; 2]);
    let backup = pair.nodes[0].log.clone();
    pair.pass(seconds(300));
    assert_eq!(pair.status(address), [BindingStatus::Free; 2]);
    // Then somebody has it.
    let mut holder = None;
    for number in 2..=21 {
        let client = Client::new(number);
        if pair.bind(&client).is_some_and(|(_, got, _)| got == address) {
            holder = Some(client);
        }
    }
    let holder = holder.expect("the address is given out again");
    pair.kill(0);
    pair.nodes[0].log = backup;
    pair.start(0);
    pair.pass(seconds(2 * MCLT));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
    let expected =
        Some(dhcp::ClientIdentity::from_hardware(1, holder.hardware.as_bytes()).expect("an identity"));
    for n in 0..2 {
        let lease = pair.lease(n, address);
        assert_eq!((lease.status, &lease.client), (BindingStatus::Active, &expected), "node {n}");
    }
}

fn with_pool_of(role: Role, pool: (u8, u8)) -> Parts {
    let mut parts = parts(role, 3600);
    let range = &mut parts.shared_networks[0].subnets[0].pools[0];
    (range.first, range.last) = (ip(&format!("10.0.0.{}", pool.0)), ip(&format!("10.0.0.{}", pool.1)));
    parts
}

#[test]
fn where_pools_overlap_the_secondary_gets_of_those_that_both_have() {
    let mut pair = Pair::of(|role| match role {
        Role::Primary => with_pool_of(role, (100, 199)),
        Role::Secondary => with_pool_of(role, (150, 220)),
    });
    pair.pass(seconds(120));
    assert_eq!(pair.counts(0), (75, 25), "half of the fifty that both have");
    assert_eq!(pair.counts(1).1, 25);
    let served = (0..20).filter(|number| pair.bind(&Client::new(*number)).is_some()).count();
    assert_eq!(served, 20);
}

/// F07-4.1-07.
#[test]
fn a_client_whose_server_has_no_address_for_it_is_served_by_the_other() {
    // Nothing in common; and one address, which the balance leaves to the primary.
    for pools in [[(100, 119), (150, 169)], [(100, 100), (100, 100)]] {
        for number in 0..8 {
            let mut pair = Pair::of(|role| with_pool_of(role, pools[usize::from(role == Role::Secondary)]));
            pair.pass(seconds(120));
            assert_eq!(pair.counts(0).1, 0);
            assert!(pair.bind(&Client::new(number)).is_some(), "client {number} of {pools:?}");
        }
    }
}
