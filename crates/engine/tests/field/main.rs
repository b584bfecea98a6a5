//! What broke failover in the field, number by number: `docs/field.md` has the list. Each is played here by two engines; those that
//! one server shows are scripts in `tests/scripts/field`.

#![allow(clippy::expect_used, reason = "a broken test may stop")]

#[path = "../common/mod.rs"]
mod common;
mod exchange;
mod interrupted;
mod leases;
#[path = "../link/mod.rs"]
mod link;
mod names;
mod pools;
#[path = "../puppet/mod.rs"]
mod puppet;
mod service;

use common::{Client, seconds};
use dhcp::MessageType;
use failover::state::FailoverState;
use link::Pair;
use std::net::Ipv4Addr;

const NORMAL: (FailoverState, FailoverState) = (FailoverState::Normal, FailoverState::Normal);

/// Leases of two hours, so that none ends while a server waits for MCLT.
const LEASE: u64 = 7200;

/// A client that has an address, and which.
type Holder = (Client, Ipv4Addr);

/// A pair in NORMAL. Twelve clients have leases, six by each server, all of the full length.
fn busy() -> (Pair, Vec<Holder>) {
    let mut pair = Pair::normal(LEASE);
    let mut holders = Vec::new();
    for number in 1..=12 {
        let client = Client::new(number);
        let (_, address, _) = pair.bind(&client).expect("an address");
        holders.push((client, address));
    }
    pair.pass(seconds(300));
    for (at, (client, address)) in holders.iter().enumerate() {
        pair.renew(client, at % 2, *address).expect("an answer");
    }
    (pair, holders)
}

/// Both are in NORMAL with equal bindings, and each of the clients has its address still.
fn assert_whole(pair: &mut Pair, holders: &[Holder], place: &str) {
    assert_eq!(pair.states(), NORMAL, "{place}");
    pair.assert_equal();
    for (at, (client, address)) in holders.iter().enumerate() {
        let reply = pair.renew(client, at % 2, *address).expect("an answer");
        assert_eq!((reply.kind(), reply.yiaddr()), (MessageType::Ack, *address), "{place}: client {at}");
    }
}
