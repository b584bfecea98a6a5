//! Pairs of servers in worlds that fail: what must hold does.

use sim::{Count, Kind, Options, Planted, Without, run, run_seeds};

fn pairs() -> Options {
    Options { kind: Kind::Pair, ..Options::default() }
}

/// Pairs that are troubled for three days.
fn days() -> Options {
    Options { hours: Some(72), ..pairs() }
}

/// Seeds that failed when some spoke BOOTP.
const FAILED_SINCE: [u64; 9] = [1714, 8246, 11609, 11821, 14323, 15725, 16750, 18738, 19666];

/// Seeds that once failed, before anybody spoke BOOTP.
const ONCE_FAILED: [u64; 62] = [
    5, 10, 12, 13, 29, 33, 44, 46, 58, 59, 65, 75, 81, 91, 97, 107, 119, 122, 126, 127, 129, 141, 155, 156,
    160, 195, 198, 223, 275, 303, 344, 394, 458, 504, 507, 537, 653, 768, 847, 944, 1106, 1526, 1787, 1800,
    1968, 1980, 2004, 2046, 4429, 4531, 4638, 6582, 7170, 9839, 10120, 10285, 13347, 14813, 14827, 16439,
    17210, 17361,
];

#[test]
fn nothing_is_violated_in_pairs() {
    let summary = run_seeds(1, 20, &pairs(), 1, &mut |_| {});
    assert_eq!(summary.failed, 0, "{summary}");
}

/// The stage `simulation` has two thousand of them.
#[test]
fn nothing_is_violated_in_days() {
    let summary = run_seeds(1, 8, &days(), 1, &mut |_| {});
    assert_eq!(summary.failed, 0, "{summary}");
    assert_eq!(summary.troubled_millis, 8 * 72 * 3_600_000);
    assert!(summary.virtual_millis > summary.troubled_millis && summary.troubles > 800, "{summary}");
    assert!(summary.to_string().contains("576 of them with all that fails"), "{summary}");
}

#[test]
fn a_run_of_days_that_fails_names_its_length() {
    let planted = Some(("sent-end-bounds".to_owned(), Planted::named("sent-end-bounds").unwrap_or_default()));
    let summary = run_seeds(1, 3, &Options { planted, ..days() }, 1, &mut |_| {});
    assert!(summary.failed > 0, "{summary}");
    let seed = summary.failed_seeds[0];
    let again = format!("again: tandem sim --pair --hours 72 --replay {seed} --planted sent-end-bounds");
    assert!(summary.to_string().contains(&again), "{summary}");
}

#[test]
fn what_once_failed_does_not() {
    let without = Without { bootp: true, ..Without::default() };
    for seed in ONCE_FAILED {
        let report = run(seed, &Options { without: without.clone(), ..pairs() });
        assert_eq!(report.violation, None, "{report}");
    }
    for seed in FAILED_SINCE {
        let report = run(seed, &pairs());
        assert_eq!(report.violation, None, "{report}");
    }
}

/// Where nobody speaks BOOTP a seed is the run that it was before anybody did; the digest of such a run is from then.
#[test]
fn bootp_is_spoken_in_some_worlds_and_can_be_left_out() {
    let silent = Options { without: Without { bootp: true, ..Without::default() }, ..pairs() };
    let speak = |seed: &u64| run(*seed, &pairs()).counts.get(Count::BootpGrants) > 0;
    let speakers: Vec<u64> = (1..30).filter(speak).collect();
    assert!((3..15).contains(&speakers.len()), "{speakers:?}");
    for seed in [speakers[0], 1] {
        let report = run(seed, &silent);
        assert_eq!(report.counts.get(Count::BootpGrants), 0);
        assert!(report.command().ends_with("--without bootp"), "{}", report.command());
        assert_eq!(report.digest == run(seed, &pairs()).digest, !speakers.contains(&seed));
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(run(3, &pairs()), run(3, &pairs()));
    assert_eq!(run(3, &days()), run(3, &days()));
    assert_ne!(run(3, &pairs()).digest, run(3, &days()).digest);
}
