//! Old copies of stores: what is one is known as one, and what is none is not taken for one (D12 5.16, Q45).

#![allow(clippy::expect_used, reason = "a broken test may stop")]

mod common;
mod link;

use common::{Client, seconds};
use failover::state::FailoverState;
use link::{MCLT, Pair};

const NORMAL: (FailoverState, FailoverState) = (FailoverState::Normal, FailoverState::Normal);

/// A store as it was: what is in it, who it is, how often it was opened.
fn copy(pair: &Pair, n: usize) -> (Vec<Vec<u8>>, [u8; 16], u64) {
    let node = &pair.nodes[n];
    (node.log.clone(), node.store, node.generation)
}

fn restore(pair: &mut Pair, n: usize, copy: (Vec<Vec<u8>>, [u8; 16], u64)) {
    pair.kill(n);
    (pair.nodes[n].log, pair.nodes[n].store, pair.nodes[n].generation) = copy;
    pair.start(n);
    pair.pass(seconds(30));
}

fn waits(pair: &Pair, n: usize) -> bool {
    let view = pair.view(n);
    view.state == FailoverState::RecoverWait && view.storage_lost
}

#[test]
fn who_stood_still_did_not_hear_the_partner_meanwhile() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        pair.freeze(1 - n);
        pair.pass(seconds(10));
        pair.kill(n);
        pair.pass(seconds(900));
        pair.start(n);
        pair.pass(seconds(5));
        pair.thaw(1 - n);
        pair.pass(seconds(20));
        assert_eq!(pair.states(), NORMAL, "node {n}: its store is sound");
        assert!(!pair.view(n).storage_lost);
    }
}

#[test]
fn a_backup_of_an_hour_ago_is_noticed_within_one_connection() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let backup = copy(&pair, n);
        pair.pass(seconds(3600));
        restore(&mut pair, n, backup);
        assert!(waits(&pair, n), "node {n}");
        pair.pass(seconds(MCLT + 60));
        assert_eq!(pair.states(), NORMAL);
        pair.assert_equal();
    }
}

#[test]
fn a_backup_is_noticed_by_a_partner_that_restarted_since() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let backup = copy(&pair, n);
        pair.pass(seconds(200));
        pair.kill(n);
        pair.pass(seconds(100));
        pair.kill(1 - n);
        pair.start(1 - n);
        pair.pass(seconds(100));
        restore(&mut pair, n, backup);
        assert!(waits(&pair, n), "node {n}");
    }
}

#[test]
fn a_backup_of_seconds_ago_is_noticed_when_the_store_was_opened_since() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let backup = copy(&pair, n);
        pair.kill(n);
        pair.start(n);
        pair.pass(seconds(20));
        assert!(pair.bind(&Client::new(1)).is_some());
        restore(&mut pair, n, backup);
        assert!(waits(&pair, n), "node {n}");
    }
}

#[test]
fn a_store_that_was_replaced_does_not_come_back() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let backup = copy(&pair, n);
        pair.lose_disk(n);
        pair.start(n);
        pair.pass(seconds(MCLT + 60));
        assert_eq!(pair.states(), NORMAL);
        restore(&mut pair, n, backup);
        assert!(waits(&pair, n), "node {n}");
    }
}

#[test]
fn an_old_copy_that_crashes_while_it_recovers_goes_on_recovering() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let backup = copy(&pair, n);
        pair.pass(seconds(300));
        restore(&mut pair, n, backup);
        pair.kill(n);
        pair.start(n);
        pair.pass(seconds(30));
        assert!(waits(&pair, n), "node {n}");
    }
}
