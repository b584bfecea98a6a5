//! What broke failover in the field and needs whole servers: `docs/field.md`, number 37. Needs root.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod common;

use common::Folder;
use common::wire::{Server, Wire, wait};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The longest that an answer of the control socket may take, and that of a whole lease; neither waits for the other.
const PATIENCE: Duration = Duration::from_secs(8);

/// Commands and questions without a pause, while clients come and go: a server that holds a lock for the one and waits for the other
/// stands still.
#[test]
fn field_37_commands_and_leases_at_the_same_time() {
    let folder = Folder::new("field");
    let wire = Wire::new("field");
    let mut a = Server::new(&wire, &folder, "a", "primary", "");
    let mut b = Server::new(&wire, &folder, "b", "secondary", "");
    a.start();
    b.start();
    wait("NORMAL", 20, || a.is_normal() && b.is_normal());
    let done = AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        let askers: Vec<_> = [&a, &b].map(|server| scope.spawn(|| ask_without_end(server, &done))).into();
        for number in 0..16 {
            let begin = Instant::now();
            let mut udhcpc = wire.command("client", "udhcpc");
            // Another identifier is another client; it takes its lease and ends.
            let identifier = format!("0x3d:ff{number:02x}");
            udhcpc.args(["-f", "-q", "-n", "-i", "eth0", "-s", "/bin/true", "-x", &identifier]);
            udhcpc.args(["-t", "5", "-T", "1", "-A", "1"]);
            let leased = udhcpc.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            assert!(leased.success(), "client {number} got no lease");
            assert!(begin.elapsed() < PATIENCE, "client {number} waited for {:?}", begin.elapsed());
        }
        done.store(true, Ordering::Release);
        askers.into_iter().map(|asker| asker.join().unwrap()).collect::<Vec<usize>>()
    });
    assert!(asked.iter().all(|count| *count > 10), "{asked:?} commands and questions");
    wait("NORMAL in the end", 20, || a.is_normal() && b.is_normal());
    let active = |server: &Server| {
        let (_, out, _) = server.ask(&["leases", "--json", "--status", "active"]);
        serde_json::from_str::<serde_json::Value>(&out).unwrap().as_array().map_or(0, Vec::len)
    };
    wait("what was leased on both", 10, || active(&a) == active(&b) && active(&a) > 0);
}

/// How many were answered. Some are refused by the state, and none is left without an answer.
fn ask_without_end(server: &Server, done: &AtomicBool) -> usize {
    let all: [&[&str]; 4] = [
        &["failover", "resync"],
        &["leases", "--json"],
        &["failover", "serve-alone", "--yes-it-is-off"],
        &["status", "--json"],
    ];
    let mut answered = 0;
    for arguments in all.iter().cycle() {
        let begin = Instant::now();
        let (code, out, error) = server.ask(arguments);
        assert!(begin.elapsed() < PATIENCE, "{arguments:?} waited for {:?}", begin.elapsed());
        assert!(matches!(code, 0 | 6), "{arguments:?}: {code}\n{out}{error}");
        answered += 1;
        if done.load(Ordering::Acquire) {
            break;
        }
    }
    answered
}
