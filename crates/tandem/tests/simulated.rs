//! `sim`: its exit codes, and that what it prints to repeat a run does repeat it.

#![allow(clippy::unwrap_used, reason = "a broken test may stop")]

mod common;

use common::{Folder, run};

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

#[test]
fn a_run_that_is_replayed_becomes_a_page() {
    let folder = Folder::new("html");
    let path = folder.0.join("run.html");
    let file = path.to_str().unwrap();
    let replay = ["sim", "--single", "--replay", "3", "--html", file];
    let (code, out, err) = run(&replay);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("seed 3: "), "{out}");
    let (code, _, _) = run(&[&replay[..], &["--from", "00:10", "--to", "0d 00:20:00.5"]].concat());
    let part = std::fs::read_to_string(&path).unwrap();
    assert!(code == 0 && part != page && part.contains("What was asked for, 0d 00:1"), "{code}");
    let (code, _, err) = run(&["sim", "--replay", "3", "--html", "/nonexistent/run.html"]);
    assert!(code == 5 && err.contains("/nonexistent/run.html"), "{code}: {err}");
}
