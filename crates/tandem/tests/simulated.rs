//! `sim`: its exit codes, and that what it prints to repeat a run does repeat it.

#![allow(clippy::unwrap_used, reason = "a broken test may stop")]

mod common;

use common::run;

#[test]
fn one_seed_is_too_quiet_to_prove_anything() {
    let (code, out, err) = run(&["sim", "--seeds", "1", "--first-seed", "7"]);
    assert_eq!((code, err.as_str()), (5, ""), "{out}");
    assert!(out.contains("1 seeds from 7 on") && out.contains("never happened: "), "{out}");
}

#[test]
fn a_planted_bug_is_found_and_repeated_by_the_command_that_is_shown() {
    let (code, out, _) = run(&["sim", "--planted", "ack-before-stable"]);
    assert_eq!(code, 0, "{out}");
    let command = out.lines().find_map(|line| line.strip_prefix("again: tandem ")).unwrap();
    let (code, again, _) = run(&command.split(' ').collect::<Vec<_>>());
    assert_eq!(code, 5, "{again}");
    let violation = |text: &str| text.lines().find(|line| line.contains("S3 violated")).unwrap().to_owned();
    assert_eq!(violation(&out), violation(&again));
}
