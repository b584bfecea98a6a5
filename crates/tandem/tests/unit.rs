//! The systemd unit is one that systemd takes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod common;

use common::Folder;
use std::process::Command;

const UNIT: &str = include_str!("../../../packaging/tandem.service");

#[test]
fn systemd_accepts_the_unit() {
    let folder = Folder::new("unit");
    // What a package would install: the program in its place, and the user.
    let unit = UNIT.replace("/usr/sbin/tandem", env!("CARGO_BIN_EXE_tandem"));
    let unit = unit.replace("User=tandem", "User=root").replace("Group=tandem", "Group=root");
    assert_ne!(unit, UNIT);
    let path = folder.file("tandem.service", &unit);
    let Ok(verified) = Command::new("systemd-analyze").args(["verify", "--man=no", &path]).output() else {
        eprintln!("systemd-analyze is not here: the unit is not verified");
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    // It also speaks of other units of this machine.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("tandem.service")).collect();
    assert!(verified.status.success() && ours.is_empty(), "{said}");
}

#[test]
fn the_unit_says_what_the_server_needs() {
    let has = |line: &str| assert!(UNIT.lines().any(|found| found == line), "{line}");
    has("After=network-online.target time-sync.target");
    has("Wants=network-online.target time-sync.target");
    has("Type=notify");
    has("Restart=on-failure");
    has("StateDirectory=tandem");
    has("RuntimeDirectory=tandem");
    has("AmbientCapabilities=CAP_NET_RAW CAP_NET_BIND_SERVICE CAP_NET_ADMIN");
    has("RestrictAddressFamilies=AF_UNIX AF_INET AF_NETLINK AF_PACKET");
    // It would forbid adjtimex, by which the server asks whether the clock is synchronised.
    assert!(!UNIT.lines().any(|line| line.starts_with("ProtectClock=")));
}
