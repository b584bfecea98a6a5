//! Pairs of servers in worlds that fail: what must hold does.

use sim::{Kind, Options, run, run_seeds};

fn pairs() -> Options {
    Options { kind: Kind::Pair, ..Options::default() }
}

/// Seeds that once failed.
const ONCE_FAILED: [u64; 48] = [
    5, 10, 12, 13, 29, 33, 44, 46, 58, 59, 65, 75, 81, 91, 97, 107, 119, 122, 126, 127, 129, 141, 155, 156,
    160, 195, 198, 223, 275, 303, 344, 394, 458, 504, 507, 537, 653, 768, 847, 944, 1106, 1526, 1787, 1800,
    1968, 1980, 2004, 2046,
];

#[test]
fn nothing_is_violated_in_pairs() {
    let summary = run_seeds(1, 60, &pairs(), 1, &mut |_| {});
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
