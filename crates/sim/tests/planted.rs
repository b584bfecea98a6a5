//! A checker that has never failed proves nothing: each finds a bug that was put in on purpose. Those of a pair that show in runs by
//! chance are hunted by `tandem sim --planted all`, a stage of its own (scripts/test.sh).

#![allow(clippy::panic, reason = "a broken test may stop")]

use sim::{BUGS, Bug, Kind, Search, Shown, find_planted, hunt};
use std::collections::BTreeSet;

/// Seeds within which a bug that shows in runs by chance must be found.
const MOST: u64 = 120;

/// Looks for each of these bugs; the checkers that found them.
fn found(which: impl Fn(Shown) -> bool) -> BTreeSet<&'static str> {
    let find = |bug: &Bug| {
        let Some(catch) = hunt(bug, Search::of(1, MOST)) else { panic!("{} was not found", bug.name) };
        println!("{}: found by {} after {}", bug.name, catch.checker, catch.after);
        assert!(bug.checkers.contains(&catch.checker), "{} was found by {}", bug.name, catch.checker);
        catch.checker
    };
    BUGS.iter().filter(|bug| which(bug.shown)).map(find).collect()
}

#[test]
fn bugs_of_one_server_are_found() {
    let checkers = found(|shown| shown == Shown::Seeds(Kind::Single));
    let all = ["L4", "L5", "S3", "S15", "S16", "S17"];
    assert!(all.iter().all(|checker| checkers.contains(checker)), "{checkers:?}");
    assert_eq!(find_planted("nothing", Search::of(1, 5)), None);
}

#[test]
fn bugs_that_only_a_dhcpd_shows_are_found_beside_one() {
    let checkers = found(|shown| shown == Shown::Seeds(Kind::Dhcpd));
    assert!(checkers.contains("D1") && checkers.len() > 1, "{checkers:?}");
}

#[test]
fn bugs_of_a_pair_are_found_in_small_worlds() {
    let checkers = found(|shown| !matches!(shown, Shown::Seeds(_)));
    let all = ["S1", "S3", "S13", "L1"];
    assert!(all.iter().all(|checker| checkers.contains(checker)), "{checkers:?}");
}

/// More than fifty of them are bugs of the pair, or of the engine; the others are bugs of stores and of the shell.
#[test]
fn there_are_enough_bugs() {
    let names: BTreeSet<&str> = BUGS.iter().map(|bug| bug.name).collect();
    let around = ["accept-torn-tail", "snapshot-loses-record", "read-past-bound", "release-unsynced"];
    assert_eq!(names.len(), BUGS.len(), "each has a name of its own");
    assert!(names.len() - around.len() >= 50 && around.iter().all(|name| names.contains(name)));
}
