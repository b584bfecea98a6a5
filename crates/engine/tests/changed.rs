//! A configuration that changed between two starts: what the bindings of before allow, and what is refused (F07-5.1.1-03, F07-5.4-01).

#![allow(clippy::expect_used, reason = "a broken test may stop")]

mod common;
mod link;
mod puppet;

use common::{Client, ip, seconds};
use engine::config::{Config, Parts, PoolParts, RelationshipParts};
use engine::record::{BindingRecord, ClientDetails, EndpointRecord, Flags, PoolRecord, Record, Stamp};
use engine::{Engine, UnsafeChange};
use failover::binding::BindingStatus;
use failover::endpoint::Command;
use failover::endpoint::Stored;
use failover::message::Message;
use failover::state::{FailoverState, Role};
use failover::time::Time;
use link::{MCLT, Pair};
use puppet::Puppet;

const NORMAL: (FailoverState, FailoverState) = (FailoverState::Normal, FailoverState::Normal);

/// What is refused, if node `n` starts with its configuration changed so.
fn refused(pair: &Pair, n: usize, change: impl Fn(&mut Parts)) -> Vec<UnsafeChange> {
    let mut parts = pair.nodes[n].parts.clone();
    change(&mut parts);
    let mut engine = Engine::new(Config::check(&parts).expect("a configuration without faults"), 7);
    for record in &pair.nodes[n].log {
        engine.replay(record).expect("our own record");
    }
    engine.unsafe_changes(pair.now)
}

/// Restarts node `n` with its configuration changed so.
fn restart(pair: &mut Pair, n: usize, change: impl Fn(&mut Parts)) {
    pair.kill(n);
    change(&mut pair.nodes[n].parts);
    assert_eq!(refused(pair, n, |_| {}), [], "the change is safe");
    pair.start(n);
}

fn pool(parts: &mut Parts) -> &mut PoolParts {
    &mut parts.shared_networks[0].subnets[0].pools[0]
}

fn alone(parts: &mut Parts) {
    pool(parts).failover = None;
    parts.relationships.clear();
}

fn swap(parts: &mut Parts) {
    parts.relationships[0].role = parts.relationships[0].role.other();
}

fn rename(parts: &mut Parts) {
    parts.relationships[0].name = "hall".into();
}

/// The partner of node `n` is down, and the wait is over.
fn drained(n: usize) -> Pair {
    let mut pair = Pair::normal(3600);
    pair.kill(1 - n);
    pair.command(n, Command::PartnerDown);
    pair.pass(seconds(MCLT + 60));
    pair
}

#[test]
fn a_pool_is_not_taken_from_a_partner_that_may_lease_it() {
    let mut pair = Pair::normal(3600);
    let split = |parts: &mut Parts, second: Option<usize>| {
        let whole = pool(parts).clone();
        pool(parts).last = ip("10.0.0.19");
        let rest = PoolParts { first: ip("10.0.0.20"), failover: second, ..whole };
        parts.shared_networks[0].subnets[0].pools.push(rest);
    };
    let part_moves = |parts: &mut Parts| {
        parts.relationships.push(RelationshipParts::new("hall", Role::Primary, seconds(MCLT)));
        split(parts, Some(1));
    };
    for n in [0, 1] {
        let change = |first, is: &str| UnsafeChange::Pool {
            first: ip(first),
            last: ip("10.0.0.29"),
            was: "campus".to_owned(),
            is: is.to_owned(),
            mclt: seconds(MCLT),
        };
        assert_eq!(refused(&pair, n, |_| {}), []);
        assert_eq!(refused(&pair, n, alone), [change("10.0.0.10", "")]);
        assert_eq!(refused(&pair, n, rename), [change("10.0.0.10", "hall")]);
        assert_eq!(refused(&pair, n, part_moves), [change("10.0.0.20", "hall")]);
        assert_eq!(refused(&pair, n, |parts| split(parts, None)), [change("10.0.0.20", "")]);
    }
    // Nor while the wait of PARTNER-DOWN lasts, nor after a pause in which the partner may have come back.
    pair.kill(1);
    assert_eq!(refused(&pair, 0, alone).len(), 1, "COMMUNICATIONS-INTERRUPTED");
    pair.command(0, Command::PartnerDown);
    assert_eq!(refused(&pair, 0, alone).len(), 1, "the wait");
    pair.pass(seconds(MCLT + 60));
    assert_eq!(refused(&pair, 0, alone), []);
    pair.kill(0);
    pair.now = pair.now.plus(seconds(MCLT + 60));
    assert_eq!(refused(&pair, 0, alone).len(), 1, "a pause");
}

#[test]
fn a_pool_that_is_removed_and_comes_back_is_still_whose_it_was() {
    let mut pair = Pair::normal(3600);
    let (n, _, _) = pair.bind(&Client::new(1)).expect("a lease");
    let shared = pair.nodes[n].parts.clone();
    pair.cut();
    restart(&mut pair, n, |parts| {
        alone(parts);
        let pool = pool(parts);
        (pool.first, pool.last) = (ip("10.0.0.200"), ip("10.0.0.209"));
    });
    pair.pass(seconds(30));
    // What a snapshot keeps is no less than the log.
    let node = &mut pair.nodes[n];
    let (mut cursor, mut bytes) = (engine::SnapshotCursor::default(), Vec::new());
    assert!(node.engine.snapshot(&mut cursor, 1000, &mut bytes).1);
    node.log.clear();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (record, rest) = rest.split_at(usize::try_from(u32::from_le_bytes(*length)).expect("short"));
        node.log.push(record.to_vec());
        bytes = rest.to_vec();
    }
    pair.kill(n);
    pair.nodes[n].parts = shared;
    assert_eq!(refused(&pair, n, alone).len(), 1);
    assert_eq!(refused(&pair, n, |_| {}), []);
    pair.mend();
    pair.start(n);
    pair.pass(seconds(60));
    assert_eq!(pair.states(), NORMAL, "the endpoint goes on from what was remembered");
    pair.assert_equal();
}

#[test]
fn a_pool_left_alone_has_all_its_addresses_when_nobody_can_hold_them() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let (client, other) = (Client::new(1), Client::new(2));
        let (_, address, _) = pair.bind(&client).expect("a lease");
        let (by, released, _) = pair.bind(&other).expect("a lease");
        assert!(pair.renew(&client, n, address).is_some());
        pair.cut();
        pair.pass(seconds(10));
        if by == n {
            pair.release(&other, n, released);
        }
        pair.kill(1 - n);
        pair.command(n, Command::PartnerDown);
        pair.pass(seconds(MCLT + 60));
        let before = pair.lease(n, address);
        restart(&mut pair, n, alone);
        let after = pair.lease(n, address);
        assert_eq!((after.status, after.client), (BindingStatus::Active, before.client));
        assert!(after.lease_expiration >= before.lease_expiration, "the partner may have promised more");
        for lease in pair.leases(n) {
            assert!(
                !matches!(
                    lease.status,
                    BindingStatus::Backup | BindingStatus::Released | BindingStatus::Expired
                ),
                "{} is {}",
                lease.address,
                lease.status
            );
        }
        pair.pass(seconds(4 * 3600));
        assert!(pair.leases(n).iter().all(|lease| lease.status == BindingStatus::Free));
        pair.kill(n);
        pair.start(n);
        assert!(pair.leases(n).iter().all(|lease| lease.status == BindingStatus::Free), "it is recorded");
    }
}

#[test]
fn who_shares_its_pool_tells_a_new_partner_of_all_leases_before_both_are_in_normal() {
    for n in [0, 1] {
        let mut pair = Pair::new(3600);
        for node in [0, 1] {
            pair.kill(node);
            pair.nodes[node].log.clear();
        }
        let shared = pair.nodes[n].parts.clone();
        alone(&mut pair.nodes[n].parts);
        pair.start(n);
        let leased: Vec<_> =
            (1..=15).map(|number| pair.bind(&Client::new(number)).expect("a lease").1).collect();
        pair.kill(n);
        pair.nodes[n].parts = shared;
        assert_eq!(refused(&pair, n, |_| {}), []);
        pair.start(n);
        pair.start(1 - n);
        for second in 0..600 {
            pair.pass(seconds(1));
            for number in 20..25 {
                // Whoever answers, and whenever.
                if let Some((_, address, _)) = pair.bind(&Client::new(number)) {
                    assert!(!leased.contains(&address), "{address} has two clients after {second} s");
                }
            }
        }
        pair.pass(seconds(MCLT));
        assert_eq!(pair.states(), NORMAL);
        pair.assert_equal();
    }
}

#[test]
fn a_pool_that_joins_a_pair_brings_its_leases() {
    for n in [0, 1] {
        let of = |shared: bool, has_both: bool| {
            move |parts: &mut Parts| {
                let subnet = &mut parts.shared_networks[0].subnets[0];
                subnet.pools.truncate(1);
                subnet.pools[0].last = ip("10.0.0.19");
                let rest =
                    PoolParts { first: ip("10.0.0.20"), last: ip("10.0.0.29"), ..subnet.pools[0].clone() };
                let rest = PoolParts { failover: if shared { Some(0) } else { None }, ..rest };
                subnet.pools.extend(has_both.then_some(rest));
            }
        };
        let mut pair = Pair::new(3600);
        for node in [0, 1] {
            pair.kill(node);
            pair.nodes[node].log.clear();
            of(false, node == n)(&mut pair.nodes[node].parts);
        }
        pair.start(0);
        pair.start(1);
        pair.pass(seconds(60));
        assert_eq!(pair.states(), NORMAL);
        let client = |number| Client { giaddr: ip("10.0.0.254"), ..Client::new(number) };
        let leased: Vec<_> = (1..=14).filter_map(|number| pair.bind(&client(number))).collect();
        let own = leased.iter().filter(|(_, address, _)| *address >= ip("10.0.0.20"));
        assert!(own.count() > 2, "{leased:?}");
        for node in [1 - n, n] {
            restart(&mut pair, node, of(true, true));
        }
        for _ in 0..60 {
            pair.pass(seconds(1));
            for number in 20..25 {
                if let Some((_, address, _)) = pair.bind(&client(number)) {
                    assert!(leased.iter().all(|(_, leased, _)| *leased != address), "{address}");
                }
            }
        }
        assert_eq!(pair.states(), NORMAL);
        pair.assert_equal();
    }
}

#[test]
fn roles_are_swapped_where_one_has_all() {
    for n in [0, 1] {
        let pair = Pair::normal(3600);
        let was = pair.view(n).role;
        let role = UnsafeChange::Role {
            relationship: "campus".to_owned(),
            was,
            is: was.other(),
            mclt: seconds(MCLT),
        };
        assert_eq!(refused(&pair, n, swap), [role]);

        let mut pair = Pair::normal(3600);
        let (client, other) = (Client::new(1), Client::new(2));
        let (_, address, _) = pair.bind(&client).expect("a lease");
        pair.command(1 - n, Command::Shutdown);
        pair.kill(1 - n);
        assert_eq!(pair.view(n).state, FailoverState::PartnerDown);
        assert_eq!(refused(&pair, n, swap).len(), 1, "not before the wait is over");
        pair.pass(seconds(MCLT + 60));
        restart(&mut pair, n, swap);
        assert_eq!(pair.view(n).role, was.other());
        pair.pass(seconds(70));
        assert_eq!(pair.view(n).state, FailoverState::PartnerDown);
        assert!(pair.renew(&client, n, address).is_some());
        let (_, between, _) = pair.bind(&other).expect("it serves alone");
        restart(&mut pair, 1 - n, swap);
        pair.pass(seconds(30));
        assert!(!pair.view(1 - n).answers, "it fetches all first");
        pair.pass(seconds(MCLT + 120));
        assert_eq!(pair.states(), NORMAL);
        assert_eq!(pair.status(between), pair.status(address));
        pair.assert_equal();
    }
}

#[test]
fn who_is_new_to_a_relationship_may_be_what_it_likes() {
    let mut pair = Pair::normal(3600);
    pair.lose_disk(0);
    assert_eq!(refused(&pair, 0, swap), []);
    assert_eq!(refused(&pair, 0, alone), []);
    assert_eq!(refused(&drained(0), 0, rename), []);
}

#[test]
fn two_of_one_role_do_not_come_together() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let (_, address, _) = pair.bind(&Client::new(1)).expect("a lease");
        pair.command(1 - n, Command::Shutdown);
        pair.kill(1 - n);
        pair.pass(seconds(MCLT + 60));
        // The one that was shut down comes first with its new role, and has nothing to say by itself.
        restart(&mut pair, 1 - n, swap);
        pair.pass(seconds(300));
        assert_eq!(pair.view(n).state, FailoverState::PartnerDown);
        assert!(!pair.view(1 - n).answers);
        let status = pair.lease(n, address).status;
        restart(&mut pair, n, swap);
        pair.pass(seconds(2 * MCLT));
        assert_eq!(pair.states(), NORMAL, "node {n}");
        assert_ne!(status, BindingStatus::Backup);
        pair.assert_equal();
    }
}

/// An endpoint that was left in this state an hour ago.
fn endpoint(name: &str, state: FailoverState, now: Time) -> EndpointRecord {
    let before = now.minus(seconds(3600));
    let mut record = EndpointRecord::new(name, Role::Primary);
    (record.last_operation, record.vouched_for, record.alive) = (now, now, now);
    record.mclt = seconds(MCLT);
    record.stored = Some(Stored {
        state,
        entered: before,
        previous: state,
        partner: Some((FailoverState::Normal, before)),
        last_contact: before,
        storage_lost: false,
        surely_lost: false,
        first_run: false,
        down_since: before,
        owes_everything: false,
        partner_loss: None,
        unproven: false,
        partner_forgot: false,
    });
    record
}

/// A lease of the first address that its partner of then has acknowledged up to an hour from now.
fn acknowledged(client: &Client, now: Time) -> BindingRecord<'static> {
    let hour = Stamp::at_or_after(now.plus(seconds(3600)));
    BindingRecord {
        address: ip("10.0.0.10"),
        status: BindingStatus::Active,
        flags: Flags::NONE,
        start_time_of_state: Stamp::at_or_before(now),
        client_last_transaction_time: Stamp::at_or_before(now),
        lease_expiration: hour,
        sent_potential_expiration: hour,
        acked_potential_expiration: hour,
        received_potential_expiration: hour,
        doubted_until: Stamp::NONE,
        hardware: Some(client.hardware),
        identity: &[1, 1, 2, 0, 0, 0, 0, 1],
        details: ClientDetails::default(),
        reserved_for: None,
    }
}

/// D12-5.16-01, D12-5.17-01.
#[test]
fn a_pool_that_goes_to_a_relationship_that_stands_forgets_what_the_former_partner_acknowledged() {
    for was in ["hall", "campus"] {
        let client = Client::new(1);
        let mut puppet = Puppet::of(link::parts(Role::Primary, 7200));
        let now = puppet.now;
        let pool = PoolRecord { first: ip("10.0.0.10"), last: ip("10.0.0.29"), relationship: was };
        puppet.log = [
            Record::Endpoint(endpoint("hall", FailoverState::PartnerDown, now)),
            Record::Endpoint(endpoint("campus", FailoverState::CommunicationsInterrupted, now)),
            Record::Pool(pool),
            Record::Binding(acknowledged(&client, now)),
        ]
        .iter()
        .map(|record| {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            bytes
        })
        .collect();
        puppet.start();
        puppet.obeys = false;
        puppet.connect();
        puppet.state(FailoverState::CommunicationsInterrupted);
        let mut at_home = client.clone();
        at_home.source = ip("10.0.0.10");
        let from = puppet.heard.len();
        puppet.say(Message::UpdReq);
        let told = puppet.updates_since(0).iter().filter(|update| update.address == at_home.source).count();
        let request = client.message(dhcp::MessageType::Request, at_home.source, &[]);
        let lease = puppet.ask(&at_home, &request).expect("it is renewed").lease();
        if was == "hall" {
            assert!(told > 0, "this partner never heard of it: {:?}", &puppet.heard[from..]);
            assert_eq!(u64::from(lease), MCLT, "nothing is agreed upon with this partner");
        } else {
            assert_eq!(told, 0, "it has acknowledged it");
            let agreed = now.plus(seconds(3600)).since(puppet.now).as_seconds();
            assert_eq!(u64::from(lease), agreed + MCLT);
        }
    }
}
