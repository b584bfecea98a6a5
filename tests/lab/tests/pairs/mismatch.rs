//! Configurations that do not fit together: refused, or said clearly.

use crate::nobody_noticed;
use lab::Side::{self, A, B};
use lab::pair::usual;
use lab::{ClientKind, Guests, Pair, Setup, seconds};
use std::net::Ipv4Addr;

/// A pair of which B has another configuration than it should.
fn pair(name: &str, change: impl Fn(&mut Setup)) -> Pair {
    Pair::start(name, |side| {
        let mut setup = usual(side, 60);
        if side == B {
            change(&mut setup);
        }
        setup
    })
}

/// The two do not come together, and each says why, in words that name the setting.
#[track_caller]
fn is_refused(pair: &mut Pair, words: &[(Side, &str)]) {
    std::thread::sleep(seconds(8));
    for side in Side::BOTH {
        let standing = pair.standing(side).unwrap();
        assert!(!standing.in_contact, "{}: {standing:?}", side.name());
        assert_ne!(standing.state, "NORMAL", "{}", side.name());
        let log = pair.of_mut(side).server.process().log();
        let events = log.matches("TDM-2002").count();
        assert!(events <= 12, "{} says {events} times in 8 s that there is no partner", side.name());
    }
    for (side, word) in words {
        pair.wait_for_log(*side, word, 1);
    }
}

#[test]
fn another_relationship_name_is_refused() {
    let mut pair = pair("names", |setup| setup.failover.as_mut().unwrap().name = "kampus".to_owned());
    let words = "set the same `name` on both servers";
    is_refused(&mut pair, &[(A, words), (B, words)]);
}

#[test]
fn two_primaries_are_refused() {
    let mut pair = pair("primaries", |setup| setup.failover.as_mut().unwrap().role = "primary");
    is_refused(&mut pair, &[(A, "both servers are primary"), (B, "both servers are primary")]);
}

#[test]
fn two_secondaries_are_refused() {
    let mut pair = Pair::start("secondaries", |side| {
        let mut setup = usual(side, 60);
        setup.failover.as_mut().unwrap().role = "secondary";
        setup
    });
    is_refused(&mut pair, &[]);
    // Whoever was called and heard nothing says it.
    assert!(Side::BOTH.into_iter().any(|side| pair.has_said(side, "if it is secondary too")));
}

/// The primary's MCLT counts (F07-5.2.1-07); the other is told that it is not its own.
#[test]
fn another_mclt_is_the_primarys_and_that_is_said() {
    let mut pair = pair("mclts", |setup| setup.failover.as_mut().unwrap().mclt = 40);
    pair.wait_for_normal(30);
    for side in Side::BOTH {
        let member = pair.of(side);
        let status = member.server.status(&member.node);
        assert_eq!(status["failover"][0]["MCLT"], 60, "{}", side.name());
    }
    pair.wait_for_log(B, "TDM-2016", 5);
    pair.wait_for_log(A, "TDM-2016", 5);
}

/// It is said, once, every client gets an address, and nobody shares one: who has one for a client gives it, whosever client
/// that is.
fn different_pools(name: &str, pool: (u8, u8)) {
    let mut pair = pair(name, |setup| {
        setup.subnets[0].pool = (Ipv4Addr::new(10, 1, 0, pool.0), Ipv4Addr::new(10, 1, 0, pool.1));
    });
    let mut guests = Guests::new();
    for side in Side::BOTH {
        pair.wait_for_log(side, "TDM-2016", 10);
    }
    for n in 0..6 {
        guests.add(&pair.lab, ClientKind::Udhcpc, &format!("client{n}"), seconds(30));
    }
    guests.watch(seconds(65), || false);
    for side in Side::BOTH {
        let log = pair.of_mut(side).server.process().log();
        assert_eq!(log.matches("TDM-2016").count(), 1, "{}", side.name());
        let warnings = log.lines().filter(|line| line.contains(" WARN ")).count();
        assert!(warnings < 10, "{} warns {warnings} times", side.name());
    }
    nobody_noticed(&mut pair, &mut guests);
}

#[test]
fn pools_that_overlap_are_told() {
    different_pools("overlap", (150, 220));
}

#[test]
fn pools_that_have_nothing_in_common_are_told() {
    different_pools("strange", (10, 50));
}
