//! Pairs of servers in worlds that fail: what must hold does, and checkers find what was put in on purpose.

#![allow(clippy::expect_used, clippy::panic, reason = "a broken test may stop")]

use sim::{Kind, Options, find_planted, run, run_seeds};

fn pairs() -> Options {
    Options { kind: Kind::Pair, ..Options::default() }
}

/// Seeds that once failed.
const ONCE_FAILED: [u64; 38] = [
    5, 10, 29, 33, 46, 58, 59, 65, 75, 81, 91, 97, 107, 119, 122, 126, 127, 129, 141, 155, 156, 160, 195,
    198, 275, 303, 344, 394, 458, 507, 537, 653, 768, 847, 944, 1106, 1787, 1800,
];

#[test]
fn nothing_is_violated_in_pairs() {
    let summary = run_seeds(1, 60, &pairs(), &mut |_| {});
    assert_eq!(summary.failed, 0, "{summary}");
}

#[test]
fn what_once_failed_does_not() {
    for seed in ONCE_FAILED {
        let report = run(seed, &pairs());
        assert_eq!(report.violation, None, "{report}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(run(3, &pairs()), run(3, &pairs()));
}

/// The bugs that runs by chance find, and the checkers that must be the ones to find them; empty for any.
#[test]
fn planted_bugs_are_found() {
    let bugs: [(&str, &[&str]); 16] = [
        ("drop-mclt", &["S2"]),
        ("times-outlive-client", &["S2", "S5"]),
        ("always-alive", &["S2"]),
        ("bndack-before-stable", &["S4"]),
        ("state-before-stable", &["S10"]),
        ("skip-recover-wait", &["S9", "S10", "S12"]),
        ("swap-pools", &["S7"]),
        ("keeps-what-it-gave", &["S7"]),
        ("short-wait", &["S6"]),
        ("updone-early", &["S14"]),
        ("seen-over-reconnection", &["L2", "L5"]),
        ("expired-freed-alone", &["S6"]),
        ("same-client-after-told", &["S6"]),
        ("believe-old-copy", &["S12"]),
        ("no-raise", &[]),
        ("ack-frees-whatever", &[]),
    ];
    for (bug, checkers) in bugs {
        let found = find_planted(bug, 1, 300).unwrap_or_else(|| panic!("{bug} was not found"));
        let checker = found.report.violation.expect("it failed").checker;
        println!("{bug}: found by {checker} after {} seeds", found.seeds);
        assert!(checkers.is_empty() || checkers.contains(&checker), "{bug} was found by {checker}");
    }
}
