//! Runs that fail, made smaller: never larger, by the same checker, and again the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

use sim::{Options, Planted, Search, Shrunk, find_planted, run, shrink};

/// The first run in which this bug is found, made smaller; with the options that it was made with.
fn small(name: &str) -> (Shrunk, Options) {
    let found = find_planted(name, Search::of(1, 300)).unwrap_or_else(|| panic!("{name} was not found"));
    let planted = Some((name.to_owned(), Planted::named(name).unwrap()));
    let options = Options { kind: Planted::kind(name), planted, ..Options::default() };
    let shrunk = shrink(found.report.seed, &options, &mut |_, _| {}).unwrap();
    assert_eq!(shrunk.checker, found.report.violation.unwrap().checker);
    (shrunk, options)
}

#[test]
fn a_small_run_is_never_larger_and_can_be_made_again() {
    for name in ["short-wait", "keeps-what-it-gave", "release-not-recorded"] {
        let (shrunk, options) = small(name);
        let (before, after) = (shrunk.before, shrunk.after);
        println!("{name}: before {before}; after {after}; {} runs", shrunk.trials);
        assert!(after.troubles * 2 <= before.troubles && after.clients <= before.clients, "{name}: {after}");
        assert!(after.steps <= before.steps && after.millis <= before.millis, "{name}: {after}");
        let report = &shrunk.report;
        assert_eq!(report.violation.as_ref().unwrap().checker, shrunk.checker);
        assert_eq!((report.befallen.len(), report.virtual_millis), (after.troubles, after.millis));
        // What is written on the command line makes it again.
        let without = report.without.to_string().parse().unwrap();
        let again = run(report.seed, &Options { without, traced: true, ..options });
        assert_eq!(&again, report);
        assert!(report.command().ends_with(&format!("--without {}", report.without)));
    }
}

#[test]
fn the_same_run_becomes_the_same_small_one() {
    let (first, second) = (small("keeps-what-it-gave").0, small("keeps-what-it-gave").0);
    assert_eq!(first, second);
}

#[test]
fn what_does_not_fail_has_no_smaller_run() {
    assert_eq!(shrink(3, &Options::default(), &mut |_, _| panic!("nothing is smaller")), None);
}
