//! Every two states from which two servers can start: they find together, and have the same bindings.

#![allow(clippy::expect_used, reason = "a broken test may stop")]

mod common;
mod link;

use common::{Client, seconds};
use engine::record::{EndpointRecord, Record};
use failover::state::FailoverState as S;
use failover::time::Interval;
use link::{MCLT, Pair};

const NORMAL: (S, S) = (S::Normal, S::Normal);
const LEASE: u64 = 3600;

/// What a store says of the state; of PAUSED and SHUTDOWN where they were before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    /// This one.
    State(S),
    /// PAUSED or SHUTDOWN, and this before.
    Left(S, S),
    /// The store is empty.
    Empty,
    /// RECOVER, and the bindings are known to be lost.
    Lost,
}

const ALL: [Stored; 15] = [
    Stored::State(S::Normal),
    Stored::State(S::CommunicationsInterrupted),
    Stored::State(S::PartnerDown),
    Stored::State(S::PotentialConflict),
    Stored::State(S::Recover),
    Stored::State(S::RecoverWait),
    Stored::State(S::RecoverDone),
    Stored::State(S::ResolutionInterrupted),
    Stored::State(S::ConflictDone),
    Stored::Left(S::Paused, S::Normal),
    Stored::Left(S::Paused, S::PartnerDown),
    Stored::Left(S::Shutdown, S::Normal),
    Stored::Left(S::Shutdown, S::Recover),
    Stored::Empty,
    Stored::Lost,
];

/// Two that no history leaves behind, and why.
fn impossible(stored: [Stored; 2]) -> Option<&'static str> {
    match stored {
        [_, Stored::State(S::ConflictDone)] => Some("only a primary is in CONFLICT-DONE"),
        _ => None,
    }
}

fn endpoint(log: &[Vec<u8>]) -> EndpointRecord {
    let found = log.iter().rev().find_map(|record| match Record::decode(record) {
        Ok(Record::Endpoint(endpoint)) => Some(endpoint),
        _ => None,
    });
    found.expect("a record of the endpoint")
}

/// The node has this in its store, and was stopped so much later than the last word that it recorded.
fn put(pair: &mut Pair, node: usize, stored: Stored, lived_on: Interval) {
    if stored == Stored::Empty {
        pair.nodes[node].log.clear();
        pair.nodes[node].store = [90 + u8::try_from(node).expect("0 or 1"); 16];
        pair.nodes[node].generation = 0;
        return;
    }
    let mut record = endpoint(&pair.nodes[node].log);
    let mut inside = record.stored.expect("a state");
    (inside.state, inside.previous) = match stored {
        Stored::State(state) => (state, state),
        Stored::Left(state, before) => (state, before),
        Stored::Empty | Stored::Lost => (S::Recover, S::Recover),
    };
    let stopped = record.last_operation.plus(lived_on);
    (record.last_operation, record.vouched_for, record.alive) = (stopped, stopped, stopped);
    (inside.entered, inside.down_since) = (stopped, stopped);
    if stored == Stored::Lost {
        (inside.storage_lost, inside.surely_lost) = (true, true);
        pair.nodes[node].log.clear();
    }
    record.stored = Some(inside);
    let mut bytes = Vec::new();
    Record::Endpoint(record).encode(&mut bytes);
    pair.nodes[node].log.push(bytes);
}

/// Two that were in NORMAL, and then apart: each has leased an address, had one released and one declined, unheard by the other.
fn apart() -> Pair {
    let mut pair = Pair::normal(LEASE);
    let mut held = Vec::new();
    for number in 1..=6 {
        let client = Client::new(number);
        let (node, address, _) = pair.bind(&client).expect("an address");
        held.push((client, node, address));
    }
    pair.pass(seconds(60));
    pair.cut();
    pair.pass(seconds(5));
    for (client, node, address) in &held[..4] {
        pair.renew(client, *node, *address).expect("an answer");
    }
    let (client, node, address) = &held[4];
    pair.release(client, *node, *address);
    let (client, node, address) = &held[5];
    pair.decline(client, *node, *address);
    for number in 7..=10 {
        assert!(pair.bind(&Client::new(number)).is_some());
    }
    pair.pass(seconds(20));
    for node in [0, 1] {
        pair.kill(node);
    }
    pair.mend();
    pair
}

/// How long it took until both were in NORMAL; `None`: longer than `most`.
fn together(pair: &mut Pair, most: u64) -> Option<u64> {
    (0..most / 5).find_map(|turn| {
        pair.pass(seconds(5));
        (pair.states() == NORMAL).then_some(5 * (turn + 1))
    })
}

/// RECOVER-WAIT and its slack, and STARTUP: nobody waits twice.
const BOUND: u64 = MCLT + 11 + 20;

#[test]
fn two_servers_find_together_from_every_two_stored_states() {
    let mut faults = Vec::new();
    let (mut tried, mut longest) = (0, 0);
    for primary in ALL {
        for secondary in ALL {
            if impossible([primary, secondary]).is_some() {
                continue;
            }
            // Who went to PARTNER-DOWN may have done so before or after the other stopped (F07-9.3.2-07).
            for (first, lived_on) in
                [0, 1].into_iter().flat_map(|first| [[0, 0], [20, 0], [0, 20]].map(|on| (first, on)))
            {
                tried += 1;
                let mut pair = apart();
                put(&mut pair, 0, primary, seconds(lived_on[0]));
                put(&mut pair, 1, secondary, seconds(lived_on[1]));
                pair.pass(seconds(30));
                pair.start(first);
                pair.pass(seconds(3));
                pair.start(1 - first);
                let place = format!("{primary:?}, {secondary:?}, node {first} first, {lived_on:?}");
                match together(&mut pair, BOUND) {
                    None => faults.push(format!("{place}: {:?}", pair.states())),
                    Some(time) => {
                        longest = longest.max(time);
                        pair.pass(seconds(60));
                        faults.extend(difference(&pair).map(|difference| format!("{place}: {difference}")));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} of {tried}, longest {longest} s\n{}", faults.len(), faults.join("\n"));
    assert_eq!(tried, 14 * 15 * 6, "all of them");
    assert!(longest > MCLT, "{longest} s: nobody waited");
}

/// What the two do not agree about.
fn difference(pair: &Pair) -> Option<String> {
    for (ours, theirs) in pair.leases(0).iter().zip(pair.leases(1)) {
        let [ours, theirs] = [ours, &theirs]
            .map(|lease| (lease.address, lease.status, lease.client.clone(), lease.lease_expiration));
        if ours != theirs {
            return Some(format!("{ours:?} and {theirs:?}"));
        }
    }
    (0..2).find_map(|node| {
        let view = pair.view(node);
        let open = (view.queued, view.unacked, view.refused, view.unagreed);
        (open != (0, 0, 0, 0)).then(|| format!("node {node} has something to say: {open:?}"))
    })
}
