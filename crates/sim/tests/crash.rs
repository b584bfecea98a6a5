//! A crash at every call that a server makes to its disk, in every script of `tests/scripts`.
//!
//! Each script is played over the real store. In each call that changes the disk the process dies, or the power is cut and anything of
//! what was not synced is lost; then another process starts. It must be accepted, have every record that was vouched for, be the
//! server that these records make, and nothing that was said to a client or the partner may rest on a record that is gone (S3, S4, S10).

#![allow(
    dead_code,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "scripts are files, a broken test may stop, and the engine's tests use more of what is shared"
)]

#[path = "../../engine/tests/common/mod.rs"]
mod common;
#[path = "crash/disk.rs"]
mod disk;
#[path = "crash/ground.rs"]
mod ground;
#[path = "../../engine/tests/script/mod.rs"]
mod script;

use ground::{Bugs, Stored, Tally};
use script::visited::Visited;
use script::{files, folder, play};
use std::cell::RefCell;
use std::fs;
use std::rc::Rc;
use store::Planted;

/// Plays the files whose name has this in it; how much was done, and what went wrong first.
fn crash_in(name: &str, bugs: Bugs) -> (usize, usize, Tally, Result<(), String>) {
    let tally = Rc::new(RefCell::new(Tally::default()));
    let (mut played, mut scripts, mut went) = (0, 0, Ok(()));
    for path in files(&folder()).into_iter().filter(|path| path.to_string_lossy().contains(name)) {
        let text = fs::read_to_string(&path).expect("a script can be read");
        played += 1;
        scripts += text.lines().filter(|line| line.starts_with("== ")).count().max(1);
        let mut beneath = || Some(Box::new(Stored::new(bugs, Rc::clone(&tally))) as Box<_>);
        match play(&text, &mut Visited::default(), &mut beneath) {
            // What a server does is the same, wherever its records go.
            Ok(new) if new == text => {}
            Ok(new) => went = Err(format!("{}:\n{}", path.display(), script::text::difference(&text, &new))),
            Err(fault) => went = Err(format!("{}: {fault}", path.display())),
        }
        if went.is_err() {
            break;
        }
    }
    let tally = std::mem::take(&mut *tally.borrow_mut());
    (played, scripts, tally, went)
}

#[test]
fn a_crash_at_every_call_of_every_script_loses_nothing_that_was_said() {
    let (played, scripts, tally, went) = crash_in("", Bugs::default());
    let crashes = tally.kills + tally.cuts;
    println!("{played} files, {scripts} scripts, {} calls, {crashes} crashes: {tally:?}", tally.calls);
    assert_eq!(went, Ok(()));
    assert!(played >= 70 && crashes >= 10_000, "{tally:?}");
    let each = [tally.more_than_vouched, tally.from_snapshot, tally.torn, tally.claims];
    assert!(each.iter().all(|count| *count > 100), "{tally:?}");
}

/// The fault of a bug that is there.
fn fault(bugs: Bugs) -> String {
    crash_in("", bugs).3.expect_err("a bug on purpose is found")
}

#[test]
fn an_answer_before_the_sync_is_found() {
    let found = fault(Bugs { answers_first: true, ..Bugs::default() });
    assert!(found.contains("was said, rests on record"), "{found}");
}

#[test]
fn a_record_that_a_snapshot_loses_is_found() {
    let store = Planted { snapshot_loses_record: true, ..Planted::default() };
    let found = fault(Bugs { store, ..Bugs::default() });
    assert!(found.contains("differ"), "{found}");
}

#[test]
fn a_torn_batch_that_is_believed_is_found() {
    let store = Planted { accept_torn_tail: true, ..Planted::default() };
    let found = fault(Bugs { store, ..Bugs::default() });
    assert!(
        found.contains("a start is refused") || found.contains("differ") || found.contains("after a crash"),
        "{found}"
    );
}
