//! Whose an unused address is: numbers 20, 21, 23, 24.

use crate::common::{Client, seconds};
use crate::link::{MCLT, Pair, parts};
use crate::{LEASE, NORMAL};
use engine::Commanded;
use engine::config::{Config, Parts};
use engine::counter::Counter;
use engine::{Engine, UnsafeChange};
use failover::binding::BindingStatus;
use failover::endpoint::Command;
use failover::message::MessageType as Said;
use failover::state::{FailoverState as S, Role};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

fn with_addresses(size: u8) -> Pair {
    let mut pair = Pair::of(|role| {
        let mut parts = parts(role, LEASE);
        parts.shared_networks[0].subnets[0].pools[0].last = Ipv4Addr::new(10, 0, 0, 9 + size);
        parts
    });
    pair.pass(seconds(180));
    assert_eq!(pair.states(), NORMAL);
    pair
}

/// How often that was said since.
fn count(pair: &Pair, since: usize, what: Said) -> usize {
    pair.said[since..].iter().filter(|(_, said)| *said == what).count()
}

/// F07-7.6-03, Q12.
#[test]
fn field_20_pool_requests_end() {
    for size in 1..=33 {
        for leased in [0, 1, 2, size / 3, size / 2] {
            let mut pair = with_addresses(size);
            let mut holders = Vec::new();
            for number in 0..leased {
                let client = Client::new(number);
                holders.extend(pair.bind(&client).map(|(n, address, _)| (client, n, address)));
            }
            pair.pass(seconds(MCLT / 2));
            for (client, n, address) in &holders {
                pair.renew(client, *n, *address).expect("an answer");
            }
            pair.pass(seconds(300));
            // Nothing happens any more, and so nothing is said but CONTACT.
            let since = pair.said.len();
            pair.pass(seconds(3600));
            for what in [Said::PoolReq, Said::PoolResp, Said::BndUpd] {
                let said = count(&pair, since, what);
                assert_eq!(said, 0, "{what} with {size} addresses, {leased} of them leased");
            }
            let (free, backup) = pair.counts(0);
            assert_eq!(pair.counts(1), (free, backup));
            // 15 % may be uneven, and one more where the number is odd (D12-5.4-05).
            let uneven = (free + backup) * 3 / 10 + 1;
            assert!(free.abs_diff(backup) <= uneven, "{free} FREE, {backup} BACKUP");
        }
    }
}

/// Numbers of clients that this server serves by their hash.
fn clients_of(role: Role) -> Vec<u8> {
    let pair = Pair::normal(LEASE);
    let n = usize::from(role == Role::Secondary);
    let mut pair = pair;
    let mut found = Vec::new();
    for number in 1..=60 {
        let discover = Client::new(number).message(dhcp::MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[]);
        let by = pair.send(&Client::new(number), None, &discover).first().map(|(by, _)| *by);
        found.extend((by == Some(n)).then_some(number));
        pair.pass(seconds(61));
    }
    found
}

/// D12-5.4-08.
#[test]
fn field_21_unused_addresses_stay_where_they_are() {
    // What nobody ever had.
    let mut pair = with_addresses(41);
    let (since, before) = (pair.said.len(), [pair.leases(0), pair.leases(1)]);
    pair.pass(seconds(86_400));
    assert_eq!(count(&pair, since, Said::BndUpd), 0);
    assert_eq!([pair.leases(0), pair.leases(1)], before);
    // And what clients had who come and go: the hash that says who answers a client also says whose its old address becomes.
    let mut pair = with_addresses(40);
    let [ours, theirs] = [Role::Primary, Role::Secondary].map(clients_of);
    let clients: Vec<Client> =
        ours.iter().take(6).chain(theirs.iter().take(6)).map(|number| Client::new(*number)).collect();
    let mut had = [BTreeSet::new(), BTreeSet::new()];
    for day in 0..6 {
        for (at, client) in clients.iter().enumerate() {
            let (by, address, _) = pair.bind(client).expect("an address");
            had[at / 6].insert(address);
            assert_eq!(by, at / 6, "day {day}: each is answered by the server of its bucket");
        }
        pair.pass(seconds(2 * 3600));
        let since = pair.said.len();
        pair.pass(seconds(20 * 3600));
        assert_eq!(count(&pair, since, Said::BndUpd), 0, "day {day}: nothing moves");
        for lease in pair.leases(0) {
            let last = clients.iter().position(|client| lease.hardware == Some(client.hardware));
            let is_theirs = lease.status == BindingStatus::Backup && last.is_some_and(|at| at < 6);
            assert!(!is_theirs, "day {day}: {} is BACKUP, and its client is the primary's", lease.address);
        }
    }
    assert!(pair.nodes[0].engine.counters().get(Counter::GivenToSecondary) > 20, "addresses did move");
    // What moves are those that its clients had: they share a few, and do not wander through all that nobody ever had.
    let had = had.map(|addresses| addresses.len());
    assert!(had[0] == 6 && had[1] <= 24, "{had:?}");
}

/// F07-9.4.2-04, L7.
#[test]
fn field_23_partner_down_leases_what_the_partner_had() {
    for n in [0, 1] {
        let mut pair = Pair::normal(LEASE);
        // Its own are used up, all that is left is the partner's.
        let mut held = 0;
        for number in 0..60 {
            if pair.counts(0).0.min(pair.counts(0).1) == 0 {
                break;
            }
            held += u32::from(pair.bind(&Client::new(number)).is_some());
        }
        pair.kill(1 - n);
        let mut number = 60;
        while pair.bind(&Client::new(number)).is_some() {
            (number, held) = (number + 1, held + 1);
        }
        let left = if n == 0 { pair.counts(n).1 } else { pair.counts(n).0 };
        assert_eq!(
            (u64::from(held) + left, if n == 0 { pair.counts(n).0 } else { pair.counts(n).1 }),
            (20, 0)
        );
        assert_eq!(pair.command(n, Command::PartnerDown), Commanded::Done(S::PartnerDown));
        assert!(pair.bind(&Client::new(200)).is_none(), "not before MCLT is over");
        pair.pass(seconds(MCLT - 30));
        for (number, lease) in pair.leases(n).into_iter().filter(|l| l.hardware.is_some()).enumerate() {
            // Those who have one keep it, so that nothing becomes free by the way.
            let mut client = Client::new(u8::try_from(number).expect("few"));
            client.hardware = lease.hardware.expect("a client");
            pair.renew(&client, n, lease.address);
        }
        pair.pass(seconds(60));
        let got = (0..left).filter(|at| {
            let number = 100 + u8::try_from(*at).expect("few");
            pair.bind(&Client::new(number)).is_some()
        });
        assert_eq!(got.count() as u64, left, "node {n}: each of the partner's");
    }
}

fn alone(parts: &mut Parts) {
    parts.shared_networks[0].subnets[0].pools[0].failover = None;
    parts.relationships.clear();
}

/// What is refused, if node `n` starts so.
fn refused(pair: &Pair, n: usize) -> Vec<UnsafeChange> {
    let mut parts = pair.nodes[n].parts.clone();
    alone(&mut parts);
    let mut engine = Engine::new(Config::check(&parts).expect("a configuration without faults"), 7);
    for record in &pair.nodes[n].log {
        engine.replay(record).expect("our own record");
    }
    engine.unsafe_changes(pair.now)
}

#[test]
fn field_24_a_pool_that_leaves_failover_has_all_its_addresses() {
    for n in [0, 1] {
        let mut pair = Pair::normal(LEASE);
        assert!(pair.counts(n).1 > 0, "some are BACKUP");
        assert!(!refused(&pair, n).is_empty(), "not while the partner may lease them");
        pair.command(1 - n, Command::Shutdown);
        pair.kill(1 - n);
        assert_eq!(pair.view(n).state, S::PartnerDown);
        pair.pass(seconds(MCLT + 60));
        assert_eq!(refused(&pair, n), []);
        pair.kill(n);
        alone(&mut pair.nodes[n].parts);
        // `Pair` looks at endpoints, and there is none any more: the node is asked by itself.
        let now = pair.now;
        pair.nodes[n].start(now);
        assert!(pair.leases(n).iter().all(|lease| lease.status == BindingStatus::Free), "node {n}");
        for number in 0..20 {
            assert!(pair.bind(&Client::new(number)).is_some(), "node {n}, client {number}");
        }
    }
}
