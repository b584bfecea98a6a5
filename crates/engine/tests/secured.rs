//! A pair with TLS, or with a shared secret: who is not the partner leaves no trace but an event.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken test may stop")]

mod common;
mod link;

use common::{Client, START, seconds};
use engine::Link;
use engine::config::{Parts, TlsParts};
use failover::digest::Secret;
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time};
use link::{Pair, parts};

const NOT_AUTHENTICATED: &str = "TDM-2018";
const EXPIRES: &str = "TDM-2019";
const EXPIRED: &str = "TDM-2020";
const DAY: u64 = 86_400;

fn with_tls(role: Role, tls: [Option<bool>; 2]) -> Parts {
    let mut parts = parts(role, 3600);
    let own = if role == Role::Primary { tls[0] } else { tls[1] };
    let certificate_expires = Time::from_seconds(START + 400 * DAY);
    parts.relationships[0].tls = own.map(|is_required| TlsParts { is_required, certificate_expires });
    parts
}

fn with_secrets(role: Role, secrets: [&str; 2]) -> Parts {
    let mut parts = parts(role, 3600);
    let own = if role == Role::Primary { secrets[0] } else { secrets[1] };
    parts.relationships[0].secret = Secret::new(own.as_bytes().to_vec());
    parts
}

fn told(pair: &Pair, node: usize, id: &str) -> usize {
    pair.nodes[node].told.iter().filter(|told| **told == id).count()
}

/// No lease of one is known to the other, and both say why.
fn assert_strangers(mut pair: Pair, case: &str) {
    pair.pass(seconds(100));
    for node in 0..2 {
        assert!(!pair.view(node).in_contact, "{case}");
        assert_eq!(pair.view(node).partner, None, "{case}");
    }
    assert!(told(&pair, 0, NOT_AUTHENTICATED) + told(&pair, 1, NOT_AUTHENTICATED) > 0, "{case}");
}

#[test]
fn tls_is_begun_where_both_can_and_one_that_must_does_not_do_without() {
    for (tls, over_tls) in [
        ([Some(true), Some(true)], true),
        ([Some(false), Some(true)], true),
        ([Some(true), Some(false)], true),
        ([Some(false), Some(false)], true),
        ([Some(false), None], false),
        ([None, Some(false)], false),
    ] {
        let mut pair = Pair::of(|role| with_tls(role, tls));
        pair.pass(seconds(60));
        assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal), "{tls:?}");
        for node in 0..2 {
            let peer = pair.view(node).tls_peer;
            assert_eq!(peer.as_deref(), over_tls.then_some("partner.example"), "{tls:?}");
        }
        let (n, address, _) = pair.bind(&Client::new(1)).unwrap();
        pair.pass(seconds(1));
        assert_eq!(pair.lease(1 - n, address).client, pair.lease(n, address).client);
    }
    assert_strangers(Pair::of(|role| with_tls(role, [None, Some(true)])), "plain primary");
    let mut pair = Pair::of(|role| with_tls(role, [Some(true), None]));
    pair.pass(seconds(100));
    assert!((0..2).all(|node| !pair.view(node).in_contact && pair.view(node).partner.is_none()));
}

#[test]
fn tls_that_breaks_ends_contact_and_is_begun_anew() {
    let mut pair = Pair::of(|role| with_tls(role, [Some(true), Some(true)]));
    pair.pass(seconds(60));
    let link = pair.nodes[1].link.unwrap();
    pair.hand(1, Link::TlsFailed { link, why: "somebody interferes" });
    pair.settle();
    assert_eq!(pair.states().1, FailoverState::CommunicationsInterrupted);
    assert_eq!((told(&pair, 0, NOT_AUTHENTICATED), told(&pair, 1, NOT_AUTHENTICATED)), (0, 1));
    pair.pass(seconds(70));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
}

#[test]
fn a_secret_must_be_the_same() {
    for secrets in [["one", "other"], ["one", ""], ["", "other"]] {
        assert_strangers(Pair::of(|role| with_secrets(role, secrets)), &format!("{secrets:?}"));
    }
}

/// A CONNECT in the second of the last one would count as replayed (D12-11.1-01), and hold the pair apart for a minute.
#[test]
fn with_a_secret_a_cut_is_mended_in_a_second() {
    let mut pair = Pair::of(|role| with_secrets(role, ["same", "same"]));
    pair.pass(seconds(60));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
    for _ in 0..3 {
        pair.cut();
        pair.mend();
        let soon = pair.now.plus(seconds(2));
        while !(0..2).all(|node| pair.view(node).in_contact) {
            assert!(pair.now < soon, "{:?}", pair.states());
            pair.pass(Interval::from_millis(100));
        }
    }
    assert_eq!((told(&pair, 0, NOT_AUTHENTICATED), told(&pair, 1, NOT_AUTHENTICATED)), (0, 0));
}

#[test]
fn the_end_of_a_certificate_is_told_in_time_and_every_day() {
    let expires = |days| {
        let certificate_expires = Time::from_seconds(START + days * DAY);
        Pair::of(|role| {
            let mut parts = parts(role, 3600);
            let is_primary = role == Role::Primary;
            parts.relationships[0].tls =
                is_primary.then_some(TlsParts { is_required: false, certificate_expires });
            parts
        })
    };
    let mut pair = expires(31);
    pair.pass(seconds(3600));
    assert_eq!(told(&pair, 0, EXPIRES), 0);
    pair.pass(seconds(DAY));
    assert_eq!(told(&pair, 0, EXPIRES), 1);
    pair.pass(seconds(2 * DAY));
    assert_eq!((told(&pair, 0, EXPIRES), told(&pair, 1, EXPIRES)), (3, 0));
    let mut pair = expires(0);
    pair.pass(seconds(2 * DAY + 10));
    assert_eq!((told(&pair, 0, EXPIRES), told(&pair, 0, EXPIRED)), (0, 3));
}
