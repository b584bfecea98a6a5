//! Two real servers in network namespaces, and a real client: what a pair is for, once through. Needs root.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod common;

use common::Folder;
use common::wire::{Running, Server, Wire, wait};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

/// What a client does with what it was told.
const SCRIPT: &str = "#!/bin/sh\n\
    case \"$1\" in\n\
    bound|renew) ip addr flush dev \"$interface\"; ip addr add \"$ip/${mask:-24}\" dev \"$interface\"\n\
        echo \"$1 $ip $serverid $lease\" >> \"$TOLD\";;\n\
    deconfig) ip addr flush dev \"$interface\"; echo lost >> \"$TOLD\";;\n\
    esac\n";

#[test]
fn either_is_killed_or_stopped_and_the_client_keeps_its_address() {
    let folder = Folder::new("paired");
    let wire = Wire::new("pair");
    let mut a = Server::new(&wire, &folder, "a", "primary", "");
    let mut b = Server::new(&wire, &folder, "b", "secondary", "");
    a.start();
    b.start();
    wait("NORMAL", 20, || a.is_normal() && b.is_normal());

    let script = folder.file("script", SCRIPT);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let told = folder.0.join("told");
    let mut udhcpc = wire.command("client", "udhcpc");
    udhcpc.args(["-f", "-i", "eth0", "-s", &script, "-t", "5", "-T", "1", "-A", "1"]).env("TOLD", &told);
    let _client = Running(udhcpc.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let lines = || fs::read_to_string(&told).unwrap_or_default();
    wait("a lease", 20, || lines().contains("bound "));
    let bound = lines().lines().find(|line| line.starts_with("bound ")).unwrap().to_owned();
    let words: Vec<&str> = bound.split(' ').collect();
    let (address, giver) = (words[1], words[2]);
    assert_eq!(words[3], "10", "a new client gets the MCLT");
    wait("the lease on both", 5, || a.lease(address).0 == "ACTIVE" && b.lease(address) == a.lease(address));

    let (gives, other) = if giver == "10.77.0.1" { (&mut a, &mut b) } else { (&mut b, &mut a) };
    gives.running.as_ref().unwrap().signal("-KILL");
    gives.running = None;
    wait("the other notices", 5, || other.pair()["state"] == "COMMUNICATIONS-INTERRUPTED");
    assert_eq!(other.ask(&["failover", "status"]).0, 7);
    assert_eq!(other.ask(&["status"]).0, 0, "clients are answered: that is no reason to be unhealthy");
    wait("a renewal by the other", 30, || lines().contains("renew "));
    let renewed = lines().lines().last().unwrap().to_owned();
    let words: Vec<&str> = renewed.split(' ').collect();
    let theirs = if giver == "10.77.0.1" { "10.77.0.2" } else { "10.77.0.1" };
    assert_eq!(words[..3], ["renew", address, theirs]);
    // The giver had told it how long it would have liked the lease to be: it is not cut to the MCLT again.
    assert!(words[3].parse::<u64>().unwrap() > 1000, "{renewed}");

    gives.start();
    wait("NORMAL after a kill", 30, || gives.is_normal() && other.is_normal());
    let mut stopped = other.running.take().unwrap();
    stopped.signal("-TERM");
    assert_eq!(stopped.0.wait().unwrap().code(), Some(0));
    wait("the other is told", 2, || gives.pair()["partner-state"] == "PAUSED");
    other.start();
    wait("NORMAL after a stop", 30, || gives.is_normal() && other.is_normal());
    wait("the same leases", 10, || {
        [&*gives, &*other].iter().all(|server| server.pair()["unacked"] == 0 && server.pair()["queued"] == 0)
            && gives.ask(&["leases", "--unused"]).1 == other.ask(&["leases", "--unused"]).1
    });
    assert_eq!(lines().matches("bound ").count(), 1, "the client began anew:\n{}", lines());
    // udhcpc says so once, when it starts.
    assert_eq!(lines().matches("lost").count(), 1, "the client lost its address:\n{}", lines());
    let (code, out, _) = gives.ask(&["failover", "shutdown"]);
    assert!(code == 0 && out == "campus: done; NORMAL -> SHUTDOWN\n", "{code} {out}");
    assert_eq!(gives.running.take().unwrap().0.wait().unwrap().code(), Some(0));
    wait("the other takes over", 2, || other.pair()["state"] == "PARTNER-DOWN");
}
