//! `sim`: its exit codes, and that what it prints to repeat a run does repeat it.

#![allow(clippy::unwrap_used, reason = "a broken test may stop")]

mod common;

use common::{Folder, run, tandem, told};
use std::io::Write;
use std::process::Stdio;

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

/// What `--step` prints of these orders.
fn stepped(replay: &[&str], orders: &str) -> (i32, String) {
    let mut command = tandem(&[replay, &["--step"]].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(orders.as_bytes()).unwrap();
    let (code, out, _) = told(&child.wait_with_output().unwrap());
    (code, out)
}

#[test]
fn a_run_that_is_replayed_can_be_gone_through() {
    let (code, out) = stepped(&["sim", "--pair", "--replay", "3"], "2\n/holds 10.\ns\nq\n");
    assert_eq!(code, 0, "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[1].contains("starts with 0 records") && lines.iter().any(|line| line.contains(" holds 10."))
    );
    let table = &lines[lines.len() - 3..];
    assert!(table[0].contains("server 0  NORMAL") && table[1].contains("server 1  NORMAL"), "{out}");
    assert!(table[2].starts_with("  10.") && table[2].contains("  client "), "{out}");
}

#[test]
fn a_run_that_fails_is_made_smaller_and_shown_by_the_command_that_is_printed() {
    let (code, out, err) = run(&["sim", "--planted", "keeps-what-it-gave", "--first-seed", "2"]);
    assert_eq!(code, 0, "{out}{err}");
    let smaller = out.lines().find_map(|line| line.strip_prefix("smaller: tandem ")).unwrap();
    let (code, out, _) = run(&smaller.split(' ').collect::<Vec<_>>());
    assert!(code == 0 && out.contains("\nbefore: ") && out.contains("\nafter: "), "{out}");
    let again = out.lines().find_map(|line| line.strip_prefix("again: tandem ")).unwrap();
    let again: Vec<&str> = again.split(' ').collect();
    assert!(again.contains(&"--without"), "{out}");
    let violation = out.lines().find(|line| line.contains(" violated at ")).unwrap();
    let (code, stepped) = stepped(&again, "1000000\n");
    assert!(code == 5 && stepped.ends_with(&format!("{violation}\n")), "{stepped}");
    let folder = Folder::new("small");
    let file = folder.0.join("small.html");
    assert_eq!(run(&[&again[..], &["--html", file.to_str().unwrap()]].concat()).0, 5);
    assert!(std::fs::read_to_string(&file).unwrap().contains(" was violated</b>"));
    let (code, out, _) = run(&["sim", "--single", "--shrink", "3"]);
    assert!(code == 5 && out.contains("seed 3: nothing is violated"), "{out}");
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
