//! All that can happen in small worlds: nothing is violated, and the bugs that runs by chance miss are found.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

use sim::Planted;
use sim::small::{Options, places, search};

/// States of each place; more for a long night. The release build visits a million by `tandem sim --small`.
fn states() -> usize {
    let usual = if cfg!(debug_assertions) { 2_000 } else { 25_000 };
    std::env::var("TANDEM_SMALL_STATES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn options(states: usize, planted: Planted) -> Options {
    Options { states, threads: 1, come_together_every: 50, planted }
}

#[test]
fn nothing_is_violated_in_small_worlds() {
    let states = states();
    for place in places() {
        let outcome = search(&place, &options(states, Planted::default())).unwrap();
        println!("{}: {outcome}", place.name);
        assert_eq!(outcome.found, None, "{}: {outcome}", place.name);
        assert!(outcome.is_closed || outcome.states >= states, "{}: {outcome}", place.name);
    }
}

#[test]
fn the_result_does_not_depend_on_threads() {
    let place = &places()[0];
    let of = |threads| search(place, &Options { threads, ..options(3000, Planted::default()) }).unwrap();
    let (one, two) = (of(1), of(2));
    assert_eq!(one, two);
}

/// Each bug with the place where the search finds it, and within how many states.
#[test]
fn planted_bugs_are_found() {
    let bugs = [
        ("alive-at-contact", "conflict", 1000),
        ("reserved-is-own", "reserved", 2000),
        ("leased-since-at-once", "alone and back", 1000),
        ("always-alive", "alone", 4000),
        ("short-wait", "alone", 4000),
        ("conflict-with-who-forgot", "forgot in conflict", 3000),
        ("releases-by-the-second", "quiet", 8000),
        ("ignore-unagreed", "taken over", 20_000),
        ("taken-over-is-agreed", "taken over", 20_000),
        ("no-raise", "forgot", 20_000),
        ("raise-leaves-ended", "forgot", 30_000),
        ("updates-cross", "quiet", 30_000),
    ];
    for (bug, name, states) in bugs {
        let place = places().into_iter().find(|place| place.name == name).unwrap();
        let planted = Planted::named(bug).unwrap();
        let outcome =
            search(&place, &Options { come_together_every: 0, ..options(states, planted) }).unwrap();
        let Some(found) = &outcome.found else { panic!("{bug} was not found in {states} states") };
        let (moves, checker) = (found.moves.len(), found.violation.checker);
        println!("{bug}: found by {checker} after {} states, with {moves} moves", outcome.states);
    }
}
