//! Who answers whom: numbers 22, 26, 34.

use crate::common::{Client, seconds};
use crate::link::{MCLT, Pair, parts};
use crate::{LEASE, NORMAL, busy};
use dhcp::{MessageType, code};
use failover::binding::BindingStatus;
use failover::state::Role;
use std::net::Ipv4Addr;

/// The client takes the offer of this server; who answers what.
fn select(pair: &mut Pair, client: &Client, n: usize, address: Ipv4Addr) -> Vec<(usize, MessageType)> {
    let (address, server) = (address.octets(), pair.nodes[n].address.octets());
    let options: [(u8, &[u8]); 2] = [(code::REQUESTED_ADDRESS, &address), (code::SERVER_IDENTIFIER, &server)];
    let request = client.message(MessageType::Request, Ipv4Addr::UNSPECIFIED, &options);
    let replies = pair.send(client, None, &request);
    replies.into_iter().map(|(by, reply)| (by, reply.kind())).collect()
}

/// F07-9.6.2-01.
#[test]
fn field_22_who_offered_an_address_leases_it() {
    // While they were apart both offered; when the client chooses, they are together again, and its hash may say the other one.
    let mut crossed = 0;
    for number in 0..30 {
        for chosen in [0, 1] {
            let mut pair = Pair::normal(LEASE);
            let client = Client::new(number);
            pair.cut();
            let discover = client.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[]);
            let offers = pair.send(&client, None, &discover);
            assert_eq!(offers.len(), 2);
            let offered = offers[chosen].1.yiaddr();
            pair.mend();
            pair.pass(seconds(20));
            assert_eq!(pair.states(), NORMAL);
            let answers = select(&mut pair, &client, chosen, offered);
            assert_eq!(answers, [(chosen, MessageType::Ack)], "client {number}, offer of node {chosen}");
            assert_eq!(pair.status(offered), [BindingStatus::Active; 2]);
            let again = pair.send(&client, None, &discover);
            crossed += usize::from(again.first().is_some_and(|(by, _)| *by != chosen));
        }
    }
    assert!(crossed > 5, "the hash always said the same: {crossed}");
    // In NORMAL one offers, and it is the one that leases.
    let mut pair = Pair::normal(LEASE);
    for number in 0..20 {
        let client = Client::new(number);
        let discover = client.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[]);
        let offers = pair.send(&client, None, &discover);
        let [(n, offer)] = offers.as_slice() else { panic!("{} offers to client {number}", offers.len()) };
        let answers = select(&mut pair, &client, *n, offer.yiaddr());
        assert_eq!(answers, [(*n, MessageType::Ack)], "client {number}");
    }
}

/// F07-5.3-02.
#[test]
fn field_26_all_clients_are_one_servers() {
    for (split, serves) in [(256, 0), (0, 1)] {
        let mut pair = Pair::of(|role| {
            let mut parts = parts(role, LEASE);
            if role == Role::Primary {
                parts.relationships[0].split = split;
            }
            parts
        });
        pair.pass(seconds(60));
        assert_eq!(pair.states(), NORMAL);
        let mut by = [0, 0];
        for number in 0..8 {
            let (n, ..) = pair.bind(&Client::new(number)).expect("an address");
            by[n] += 1;
        }
        assert_eq!(by[serves], 8, "split {split}: {by:?}");
        // No address is out of reach because the other has no clients.
        // Alone, either serves all.
        for n in [0, 1] {
            pair.kill(n);
            for number in 0..8 {
                assert!(pair.bind(&Client::new(number)).is_some(), "split {split}, node {n} is down");
            }
            pair.start(n);
            pair.pass(seconds(60));
        }
        // No address is out of reach because the other has no clients.
        for number in 8..20 {
            pair.pass(seconds(10));
            assert!(pair.bind(&Client::new(number)).is_some(), "split {split}, client {number}");
        }
    }
}

/// `secs` does not matter where nothing is configured; a client that has waited for longer than configured is answered by both.
#[test]
fn field_26_seconds_of_waiting() {
    for delayed in [None, Some(1), Some(255)] {
        let mut pair = Pair::of(|role| {
            let mut parts = parts(role, LEASE);
            parts.relationships[0].delayed_service = delayed;
            parts
        });
        pair.pass(seconds(60));
        for number in 0..8 {
            for secs in [0_u16, 1, 2, 0x0200, u16::MAX] {
                let client = Client::new(number);
                let mut discover = client.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[]);
                discover[8..10].copy_from_slice(&secs.to_be_bytes());
                // Some clients have the bytes of it the wrong way round.
                let waited = if secs == 0x0200 { 2 } else { secs };
                let both = delayed.is_some_and(|delayed| waited > u16::from(delayed));
                let answers = pair.send(&client, None, &discover).len();
                assert_eq!(answers, if both { 2 } else { 1 }, "delayed {delayed:?}, secs {secs}");
            }
        }
    }
}

/// The hash is for who has no address yet. All else is answered by the server that is asked.
///
/// F07-9.6.2-02.
#[test]
fn field_34_only_discovers_and_reboots_are_balanced() {
    for n in [0, 1] {
        let (mut pair, holders) = busy();
        for (client, address) in &holders {
            let client = Client { source: *address, ..client.clone() };
            let inform = client.message(MessageType::Inform, *address, &[]);
            let answers = pair.send(&client, Some(n), &inform);
            assert_eq!(answers.first().map(|(by, reply)| (*by, reply.kind())), Some((n, MessageType::Ack)));
            // By unicast, and by broadcast.
            assert_eq!(pair.renew(&client, n, *address).map(|reply| reply.kind()), Some(MessageType::Ack));
            let rebind = client.message(MessageType::Request, *address, &[]);
            assert_eq!(pair.send(&client, None, &rebind).len(), 2, "both extend the lease of {address}");
        }
        for (at, (client, address)) in holders.iter().enumerate() {
            if at % 2 == 0 {
                pair.release(client, n, *address);
                assert_eq!(pair.status(*address), [BindingStatus::Free; 2], "node {n}: {address}");
            } else {
                pair.decline(client, n, *address);
                assert_eq!(pair.status(*address), [BindingStatus::Abandoned; 2], "node {n}: {address}");
            }
        }
        pair.pass(seconds(MCLT));
        pair.assert_equal();
    }
}
