//! Who says what, and whether it arrives: numbers 8, 9, 16, 17, 25, 28, 30, 32, 33.

use crate::common::{Client, START, seconds};
use crate::link::{CAMPUS, MCLT, Pair, parts};
use crate::{Holder, LEASE, NORMAL, assert_whole, busy};
use dhcp::MessageType;
use engine::counter::Counter;
use engine::{Commanded, LeaseView, Link, LinkId};
use failover::balance::HashBucketAssignment;
use failover::binding::BindingStatus;
use failover::dialect::Dialect;
use failover::endpoint::Command;
use failover::message::{
    Codec, Connect, Envelope, Message, MessageType as Said, PROTOCOL_VERSION, Relationship, TlsRequest, Xid,
};
use failover::state::{FailoverState as S, Role};
use failover::time::WireTime;
use std::net::Ipv4Addr;

/// By how much the clock of one may be ahead of the other's: beyond what a dhcpd refuses.
const AHEAD: [u64; 4] = [61, 3600, 86_400, 400 * 86_400];

/// F07-5.9-01.
#[test]
fn field_08_clocks_more_than_sixty_seconds_apart() {
    for (by, n) in AHEAD.into_iter().flat_map(|by| [(by, 0), (by, 1)]) {
        let mut pair = Pair::normal(LEASE);
        for node in [0, 1] {
            pair.kill(node);
            pair.nodes[node].log.clear();
            pair.nodes[node].generation = 0;
        }
        pair.ahead[n] = seconds(by);
        pair.start(0);
        pair.start(1);
        pair.pass(seconds(60));
        assert_eq!(pair.states(), NORMAL, "node {n} is {by} s ahead");
        let client = Client::new(1);
        let (_, address, _) = pair.bind(&client).expect("an address");
        for server in [n, 1 - n, n] {
            pair.pass(seconds(MCLT / 2));
            let reply = pair.renew(&client, server, address).expect("an answer");
            assert_eq!((reply.kind(), u64::from(reply.lease())), (MessageType::Ack, LEASE), "{by} s");
            let ends = [0, 1].map(|node| pair.lease(node, address).lease_expiration.minus(pair.ahead[node]));
            let differ = ends[0].since(ends[1]).max(ends[1].since(ends[0]));
            assert!(differ <= seconds(2), "the two say ends {differ} apart, clocks {by} s");
        }
        pair.pass(seconds(LEASE - 5));
        assert_eq!(pair.status(address), [BindingStatus::Active; 2], "{by} s");
        pair.pass(seconds(60));
        assert_eq!(pair.status(address), [BindingStatus::Free; 2], "{by} s");
    }
}

/// F07-8.2-12, D12-12.22-01.
#[test]
fn field_09_names_of_one_length_that_differ() {
    let mut pair = Pair::of(|role| {
        let mut parts = parts(role, LEASE);
        parts.relationships[0].name = if role == Role::Primary { "campus" } else { "campos" }.to_owned();
        parts
    });
    pair.pass(seconds(600));
    assert!(pair.said.contains(&(0, Said::Connect)), "they do talk");
    for n in [0, 1] {
        let view = pair.view(n);
        assert_eq!((view.state, view.in_contact), (S::Recover, false), "node {n}");
        assert!(pair.nodes[n].told.contains(&"TDM-2002"), "people are told: {:?}", pair.nodes[n].told);
    }
}

/// All of them ask for more time, and both servers hear it: what each says of them crosses what the other says.
fn all_rebind(pair: &mut Pair, holders: &[Holder]) {
    for (client, address) in holders {
        let client = Client { source: *address, ..client.clone() };
        let request = client.message(MessageType::Request, *address, &[]);
        let replies = pair.send(&client, None, &request);
        assert_eq!(replies.len(), 2, "both extend the lease of {address}");
    }
}

/// Trap T22.
#[test]
fn field_16_updates_of_one_address_that_cross() {
    let (mut pair, holders) = busy();
    for round in 0..10 {
        pair.pass(seconds(200));
        all_rebind(&mut pair, &holders[round..]);
        let (client, address) = &holders[round];
        // One is given back at one server while the other extends it.
        let extended = client.message(MessageType::Request, *address, &[]);
        let server = pair.nodes[1].address.octets();
        let released =
            client.message(MessageType::Release, *address, &[(dhcp::code::SERVER_IDENTIFIER, &server)]);
        let from = Client { source: *address, ..client.clone() };
        pair.disk_stands = [true; 2];
        pair.send(&from, Some(0), &extended);
        pair.send(&from, Some(1), &released);
        // Another asks one server, and soon after the other: what that says of it is later, and is refused at first.
        let (client, address) = &holders[11];
        let from = Client { source: *address, ..client.clone() };
        let extended = client.message(MessageType::Request, *address, &[]);
        pair.send(&from, Some(0), &extended);
        pair.pass(seconds(2));
        pair.send(&from, Some(1), &extended);
        pair.disk_stands = [false; 2];
        pair.settle();
        pair.nodes.iter_mut().for_each(|node| node.replies.clear());
    }
    let refused = pair.nodes[0].engine.counters().get(Counter::BndupdRefused);
    assert!(refused > 9, "nothing crossed: {refused}");
    pair.pass(seconds(20));
    assert_eq!(pair.states(), NORMAL);
    pair.assert_equal();
}

/// Neither takes more than one BNDUPD at a time, and both have many to tell: who waits with its BNDACK until its own updates are
/// through waits for ever.
///
/// F07-7.2-02.
#[test]
fn field_17_answers_go_before_updates_that_wait() {
    let mut pair = Pair::of(|role| {
        let mut parts = parts(role, LEASE);
        parts.relationships[0].max_unacked = 1;
        parts
    });
    pair.pass(seconds(60));
    let mut holders = Vec::new();
    for number in 1..=16 {
        let client = Client::new(number);
        let (_, address, _) = pair.bind(&client).expect("an address");
        holders.push((client, address));
    }
    pair.pass(seconds(300));
    pair.disk_stands = [true; 2];
    for (at, (client, address)) in holders.iter().enumerate() {
        let client = Client { source: *address, ..client.clone() };
        let request = client.message(MessageType::Request, *address, &[]);
        pair.send(&client, Some(at % 2), &request);
    }
    assert!((0..2).all(|n| pair.view(n).queued > 5), "both have much to say");
    pair.disk_stands = [false; 2];
    pair.settle();
    // Within this instant: no timer had to help.
    pair.assert_equal();
    assert_eq!(pair.states(), NORMAL);
}

/// A disk that takes its time, for whatever reason: nothing is told before it is stable, and then all is told.
#[test]
fn field_25_what_waits_for_the_disk_is_told_when_it_is_stable() {
    for n in [0, 1] {
        let (mut pair, holders) = busy();
        pair.pass(seconds(600));
        let said = pair.said.len();
        pair.disk_stands[n] = true;
        for (client, address) in &holders {
            let client = Client { source: *address, ..client.clone() };
            let request = client.message(MessageType::Request, *address, &[]);
            assert!(pair.send(&client, Some(n), &request).is_empty(), "no DHCPACK before its record");
        }
        let is_told = |pair: &Pair| pair.said[said..].contains(&(n, Said::BndUpd));
        assert!(!is_told(&pair), "no BNDUPD before its record");
        pair.disk_stands[n] = false;
        // Nothing else happens that could carry them along.
        pair.settle();
        assert!(is_told(&pair));
        assert_eq!(pair.nodes[n].replies.len(), holders.len());
        pair.nodes[n].replies.clear();
        pair.assert_equal();
        // What is in the store of either is what both know.
        for node in [0, 1] {
            let lives = |pair: &Pair| -> Vec<_> {
                let is_leased = |lease: &LeaseView| lease.status == BindingStatus::Active;
                let leases = pair.leases(node).into_iter().filter(is_leased);
                leases.map(|lease| (lease.address, lease.client, lease.lease_expiration)).collect()
            };
            let before = lives(&pair);
            pair.kill(node);
            pair.start(node);
            assert_eq!(lives(&pair), before, "node {node}");
        }
        pair.pass(seconds(60));
        assert_whole(&mut pair, &holders, &format!("node {n}"));
    }
}

/// What was promised to nobody is gone with a crash; and the pair goes on.
#[test]
fn field_25_a_crash_before_the_sync_leaves_nothing_half_told() {
    for n in [0, 1] {
        let (mut pair, holders) = busy();
        pair.pass(seconds(600));
        let before = pair.leases(1 - n);
        pair.disk_stands[n] = true;
        for (client, address) in &holders {
            let client = Client { source: *address, ..client.clone() };
            let request = client.message(MessageType::Request, *address, &[]);
            pair.send(&client, Some(n), &request);
        }
        pair.kill(n);
        pair.disk_stands[n] = false;
        assert_eq!(pair.leases(1 - n), before, "node {n}");
        pair.start(n);
        pair.pass(seconds(60));
        assert_whole(&mut pair, &holders, &format!("node {n}"));
    }
}

/// A CONNECT of draft-07: its options have other numbers, and the version does not say so.
fn older_connect() -> Vec<u8> {
    let connect = Connect {
        relationship: Relationship::Address(Ipv4Addr::new(10, 0, 0, 1)),
        max_unacked_bndupd: 10,
        receive_timer: seconds(60),
        vendor_class: b"older".to_vec(),
        protocol_version: PROTOCOL_VERSION,
        tls_request: Some(TlsRequest::No),
        mclt: seconds(MCLT),
        buckets: HashBucketAssignment::from_split(128),
        delayed_service: None,
        tandem: None,
    };
    let time = WireTime(u32::try_from(START).expect("32 bits"));
    let envelope = Envelope { time, xid: Xid(1), message: Message::Connect(connect) };
    let mut bytes = Vec::new();
    Codec::new(Dialect::Draft07, Ipv4Addr::new(10, 0, 0, 1))
        .encode(&envelope, &mut bytes)
        .expect("a CONNECT");
    bytes
}

/// It is refused, people are told, nobody stops, and the partner is brought up to date whenever somebody does so.
#[test]
fn field_28_a_partner_of_the_older_draft() {
    let (mut pair, holders) = busy();
    pair.kill(0);
    for turn in 0..20 {
        pair.pass(seconds(30));
        pair.nodes[1].told.clear();
        let link = LinkId(1000 + turn);
        pair.nodes[1].link = Some(link);
        pair.hand(1, Link::Accepted { link, relationship: CAMPUS });
        let bytes = older_connect();
        pair.hand(1, Link::Received { link, at: pair.at(1), bytes: &bytes });
        pair.settle();
        assert_eq!(pair.nodes[1].link, None, "the connection is closed");
        let view = pair.view(1);
        assert_eq!((view.state, view.in_contact), (S::CommunicationsInterrupted, false));
        if turn == 0 {
            assert!(pair.nodes[1].told.contains(&"TDM-2002"), "{:?}", pair.nodes[1].told);
        }
    }
    for (client, address) in &holders {
        assert!(pair.renew(client, 1, *address).is_some());
    }
    pair.start(0);
    pair.pass(seconds(120));
    assert_whole(&mut pair, &holders, "the partner speaks as we do");
}

/// F07-9.6.4-01.
#[test]
fn field_30_partner_down_while_both_talk() {
    for n in [0, 1] {
        let (mut pair, mut holders) = busy();
        let theirs: Vec<Ipv4Addr> = pair
            .leases(n)
            .iter()
            .filter(|lease| lease.status == if n == 0 { BindingStatus::Backup } else { BindingStatus::Free })
            .map(|lease| lease.address)
            .collect();
        // The partner is slow: for a while only this server knows.
        pair.disk_stands[1 - n] = true;
        assert!(matches!(pair.command(n, Command::PartnerDown), Commanded::Done(_)));
        assert_eq!(pair.view(n).state, S::PartnerDown);
        assert!(pair.nodes[n].told.contains(&"TDM-2005"), "people are told");
        for number in 20..40 {
            let new = Client::new(number);
            if let Some((by, address, _)) = pair.bind(&new) {
                assert_eq!(by, n);
                assert!(!theirs.contains(&address), "{address} is the partner's, who is alive");
                holders.push((new, address));
            }
        }
        assert!(holders.len() > 12, "some were its own");
        pair.disk_stands[1 - n] = false;
        pair.settle();
        pair.nodes[1 - n].replies.clear();
        pair.pass(seconds(60));
        assert_whole(&mut pair, &holders, &format!("node {n}"));
        // And nothing of it comes up later.
        pair.pass(seconds(2 * MCLT));
        assert_whole(&mut pair, &holders, &format!("node {n}, later"));
    }
}

/// One clock is set while they talk, and an hour later the other is, too: neither ends anything.
#[test]
fn field_32_clocks_that_are_right_again() {
    for n in [0, 1] {
        let (mut pair, holders) = busy();
        for sets in [n, 1 - n] {
            pair.ahead[sets] = seconds(3600);
            for _ in 0..6 {
                pair.pass(seconds(600));
                assert_eq!(pair.states(), NORMAL, "node {sets} was set");
                for (at, (client, address)) in holders.iter().enumerate() {
                    let reply = pair.renew(client, at % 2, *address).expect("an answer");
                    assert_eq!((reply.kind(), u64::from(reply.lease())), (MessageType::Ack, LEASE));
                }
            }
            assert_eq!(pair.view(0).clock_difference.abs() > 60, pair.ahead[0] != pair.ahead[1]);
        }
        assert!(pair.nodes.iter().any(|node| node.told.contains(&"TDM-2011")), "people are told");
    }
}

/// What the two refuse each other for their configurations is no failure of the partner: nobody takes it to be down, and what both
/// have goes on.
#[test]
fn field_33_configurations_that_differ_are_no_failure() {
    let mut pair = Pair::of(|role| {
        let mut parts = parts(role, LEASE);
        let pool = &mut parts.shared_networks[0].subnets[0].pools[0];
        let (first, last) = if role == Role::Primary { (100, 149) } else { (125, 169) };
        pool.first = Ipv4Addr::new(10, 0, 0, first);
        pool.last = Ipv4Addr::new(10, 0, 0, last);
        parts.relationships[0].safe_period = Some(seconds(900));
        parts
    });
    pair.pass(seconds(60));
    let mut held = Vec::new();
    for number in 1..=30 {
        let client = Client::new(number);
        let (n, address, _) = pair.bind(&client).expect("an address");
        held.push((client, n, address));
    }
    for _ in 0..40 {
        pair.pass(seconds(280));
        for (client, n, address) in &held {
            let reply = pair.renew(client, *n, *address).expect("an answer");
            assert_eq!(reply.kind(), MessageType::Ack);
        }
        assert_eq!(pair.states(), NORMAL);
    }
    let rejected = (0..2).map(|n| pair.nodes[n].engine.counters().get(Counter::BndupdRejected));
    assert!(rejected.sum::<u64>() > 30, "they did refuse each other");
    for n in [0, 1] {
        assert!(pair.nodes[n].told.contains(&"TDM-2016"), "people are told: {:?}", pair.nodes[n].told);
        assert!(!pair.nodes[n].told.contains(&"TDM-2005"), "PARTNER-DOWN");
    }
}
