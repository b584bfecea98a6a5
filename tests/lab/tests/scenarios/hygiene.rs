//! This machine stays as it was: its name servers, its leases, its running programs' files, its addresses.

use crate::server_under_test;
use lab::client::INTERFACE;
use lab::{Client, ClientKind, Lab, Server, Setup};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where clients, relays and servers write.
const PLACES: [&str; 9] = [
    "/etc/resolv.conf",
    "/etc/dhcp",
    "/etc/udhcpc",
    "/var/lib/dhcp",
    "/var/lib/dhcpcd",
    "/var/lib/misc",
    "/run/dhcpcd",
    "/run/dhclient.pid",
    "/run/resolvconf",
];

/// Each file in these places with its bytes and the time of its last change, and the addresses of this machine.
fn snapshot() -> Vec<String> {
    let mut found = Vec::new();
    for place in PLACES {
        visit(Path::new(place), &mut found);
    }
    let shown = Command::new("ip").args(["-o", "addr", "show"]).output().unwrap();
    found.extend(String::from_utf8(shown.stdout).unwrap().lines().map(|line| {
        // Life times count down by themselves.
        line.split("valid_lft").next().unwrap_or_default().to_owned()
    }));
    found
}

fn visit(path: &Path, found: &mut Vec<String>) {
    let Ok(data) = fs::symlink_metadata(path) else {
        found.push(format!("{}: none", path.display()));
        return;
    };
    found.push(format!("{}: {:?} {:?}", path.display(), data.modified().unwrap(), fs::read(path).ok()));
    if data.is_dir() {
        let mut inner: Vec<PathBuf> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        inner.sort();
        for path in inner {
            visit(&path, found);
        }
    }
}

#[test]
fn this_machine_stays_as_it_was() {
    let before = snapshot();
    let lab = Lab::new("hygiene");
    lab.wire("lan");
    let server_node = lab.node("server");
    lab.connect("lan", &server_node, "eth0", "10.1.0.1/24");
    let server = Server::start(&server_node, server_under_test(), &Setup::usual());
    for kind in ClientKind::ALL {
        let node = lab.node(kind.name());
        lab.connect("lan", &node, INTERFACE, "");
        let mut client = Client::start(&node, kind);
        client.wait_for_address(&node, 30);
        // The clients did write, each in its own file tree.
        lab::wait_for("name servers", lab::seconds(10), || {
            node.run("cat /etc/resolv.conf").contains("192.0.2.53").then_some(())
        });
        assert_eq!(before, snapshot(), "{} changed this machine", kind.name());
    }
    assert_eq!(server.leases(&server_node).len(), 3);
    let folder = lab.folder().to_owned();
    drop(server);
    drop(server_node);
    drop(lab);
    assert_eq!(before, snapshot());
    assert!(!folder.exists());
}

#[test]
fn a_scenario_that_fails_leaves_no_process() {
    let process = std::thread::spawn(|| {
        let lab = Lab::new("failing");
        let node = lab.node("node");
        let mut sleeping = node.spawn("sleep", &["1000"]);
        assert!(sleeping.ended().is_none());
        // Not by a panic: its message would stand among those of tests that failed.
        sleeping.pid()
    });
    let pid = process.join().unwrap();
    lab::wait_for("the end of all", lab::seconds(5), || {
        (!Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    });
}
