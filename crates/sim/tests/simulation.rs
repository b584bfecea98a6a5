//! Seeds without a violation, and the same report for the same seed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

use sim::cli::{Arguments, sim};
use sim::{Options, Without, run, run_seeds};

/// How many seeds the clean run has; more for a long night.
fn seeds() -> u64 {
    std::env::var("TANDEM_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

#[test]
fn many_seeds_are_clean_and_not_quiet() {
    let summary = run_seeds(1, seeds(), &Options::default(), 1, &mut |_| {});
    println!("{summary}");
    assert_eq!(summary.failed, 0, "{summary}");
    assert_eq!(summary.missing(), Vec::<&str>::new(), "these never happened");
    assert!(summary.is_good());
}

#[test]
fn seeds_that_once_failed_do_not_fail_again() {
    let text = include_str!("seeds/once-failed.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let seeds: Vec<u64> = lines.map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(!seeds.is_empty());
    // They failed before anybody spoke BOOTP.
    let without = Without { bootp: true, ..Without::default() };
    for seed in seeds {
        let options = Options { traced: true, without: without.clone(), ..Options::default() };
        let report = run(seed, &options);
        assert!(report.violation.is_none(), "{report}");
    }
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let traced = Options { traced: true, ..Options::default() };
    for seed in [3, 14, 77] {
        let (first, second) = (run(seed, &traced), run(seed, &traced));
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        assert!(first.lines().count() > 100, "{} lines", first.lines().count());
        // A trace does not change what happens.
        let quiet = run(seed, &Options::default());
        assert_eq!((quiet.digest, quiet.counts), (first.digest, first.counts));
    }
    assert_ne!(run(3, &Options::default()).digest, run(4, &Options::default()).digest);
}

fn output(arguments: &Arguments) -> (bool, String) {
    let mut out = Vec::new();
    let good = sim(arguments, &mut out).unwrap();
    (good, String::from_utf8(out).unwrap())
}

#[test]
fn a_failing_seed_is_shown_with_its_last_steps_and_the_command_that_repeats_it() {
    let planted = Some("ack-before-stable".to_owned());
    let (good, text) = output(&Arguments { planted: planted.clone(), ..Arguments::default() });
    assert!(good, "the bug is found: that is what was asked for");
    assert!(text.contains("again: tandem sim --single --replay 4 --planted ack-before-stable"), "{text}");
    assert!(text.contains("S3 violated at 0d 00:"), "{text}");
    // The last forty steps, and six lines about them.
    assert!((10..=46).contains(&text.lines().count()), "{text}");
    let (good, again) = output(&Arguments { planted, replay: Some(4), ..Arguments::default() });
    assert!(!good);
    let violation = |text: &str| text.lines().find(|line| line.contains("violated")).map(str::to_owned);
    assert_eq!(violation(&text), violation(&again));
}

#[test]
fn too_few_seeds_are_no_proof_and_an_unknown_bug_is_named() {
    let (good, text) = output(&Arguments { seeds: 1, ..Arguments::default() });
    assert!(!good && text.contains("never happened: "), "{text}");
    let (good, text) = output(&Arguments { planted: Some("none".to_owned()), ..Arguments::default() });
    assert!(!good && text.contains("ack-before-stable"), "{text}");
    let (good, text) = output(&Arguments { replay: Some(2), ..Arguments::default() });
    assert!(good && text.contains("client 1: sends DHCPDISCOVER"), "{text}");
}
