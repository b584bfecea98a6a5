//! What people read: help, the report of `check`, errors. Each text is a snapshot, so that a change of it is seen.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod common;

use common::{Folder, run, tandem, told};

#[test]
fn help() {
    for command in ["", "serve", "check", "status", "leases", "reset", "sim"] {
        let arguments = [command, "--help"];
        let (code, out, _) = run(if command.is_empty() { &arguments[1..] } else { &arguments });
        assert_eq!(code, 0);
        insta::assert_snapshot!(format!("help-{command}"), out);
    }
}

#[test]
fn help_of_failover() {
    for command in
        ["", "status", "check", "partner-down", "serve-alone", "recover", "pause", "shutdown", "resync"]
    {
        let arguments = ["failover", command, "--help"];
        let arguments: Vec<&str> = arguments.into_iter().filter(|argument| !argument.is_empty()).collect();
        let (code, out, _) = run(&arguments);
        assert_eq!(code, 0);
        insta::assert_snapshot!(format!("help-failover-{command}"), out);
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_2() {
    let wrong: [&[&str]; 25] = [
        &["failover", "check"],
        &["failover", "check", "--ours", "a"],
        &["reset"],
        &["reset", "10.0.0", "--yes-nobody-uses-it"],
        &["failover"],
        &["failover", "recover", "campus"],
        &["failover", "recover", "--storage-lost", "--first-run"],
        &["failover", "recover", "--first-run", "--down-since", "2026-11-24T23:06:58Z"],
        &["failover", "recover", "--storage-lost", "--yes-it-never-served"],
        &[],
        &["serv"],
        &["leases", "--status", "BUSY"],
        &["leases", "--from", "10.0.0"],
        &["status", "-c", "a", "--socket", "b"],
        &["check", "--json"],
        &["leases", "--from", "10.0.0.1", "10.0.0.2"],
        &["leases", "--unused", "10.0.0.2"],
        &["sim", "--seeds", "0"],
        &["sim", "--replay", "1", "--seeds", "2"],
        &["sim", "--planted", "none"],
        &["sim", "--html", "a.html"],
        &["sim", "--step"],
        &["sim", "--shrink", "1", "--replay", "1"],
        &["sim", "--replay", "1", "--without", "everything"],
        &["sim", "--replay", "1", "--html", "a.html", "--from", "noon"],
    ];
    for arguments in wrong {
        let (code, out, err) = run(arguments);
        assert!(code == 2 && out.is_empty() && !err.is_empty(), "{arguments:?}: {code}");
    }
    insta::assert_snapshot!(run(&["leases", "--status", "BUSY"]).2);
}

/// Fourteen mistakes of different kinds.
const BROKEN: &str = r#"interfaces = []
colour = "blue"
log-level = "loud"
lease-time = "8 hours"
clock-wait = -1
segment-size = 1000
options = { routters = ["10.1.0.1"], 51 = "hex:00000e10" }

[[subnet]]
prefix = "10.1.0.5/24"
lease-time = "1h"
max-lease-time = "30m"
options = { interface-mtu = "large" }

[[subnet.pool]]
range = "10.1.0.10-10.1.0.99"

[[subnet.pool]]
range = "10.1.0.90-10.1.1.7"

[[subnet.pool]]
range = "10.1.0.200-10.1.0.150"

[[subnet.reservation]]
hardware-address = "02:00:00:00:00:0g"
address = "10.1.0.9"

[[subnet.reservation]]
client-identifier = "text:printer"
address = "10.1.0.255"

[[subnet]]
prefix = "10.1.0.0/25"
lease-time = "1h"

[[shared-network]]
name = "hall"
subnets = ["10.9.0.0/24"]
"#;

#[test]
fn check_says_all_that_is_wrong_at_once() {
    let folder = Folder::new("broken");
    let path = folder.file("tandem.toml", BROKEN);
    let (code, out, err) = run(&["check", "-c", &path]);
    assert_eq!((code, err.as_str()), (1, ""));
    assert!(out.matches("error: ").count() >= 14, "{}", out.matches("error: ").count());
    insta::assert_snapshot!(folder.hidden(&out));
}

#[test]
fn check_of_text_that_is_no_toml() {
    let folder = Folder::new("toml");
    let path =
        folder.file("tandem.toml", "interfaces = [\"eth0\"\nstate-directory = \"/x\"\nlease-time = 8h\n");
    let (code, out, _) = run(&["check", "--no-host", "-c", &path]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(folder.hidden(&out));
}

#[test]
fn warnings_are_0() {
    let folder = Folder::new("warnings");
    let text = "interfaces = [\"lo\", \"lo\"]\nstate-directory = \"/var/lib/tandem\"\nlease-time = \"30s\"\n\
                [[subnet]]\nprefix = \"127.0.0.0/8\"\n";
    let path = folder.file("tandem.toml", text);
    let (code, out, _) = run(&["check", "--no-host", "-c", &path]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(folder.hidden(&out));
}

#[test]
fn check_looks_at_this_host() {
    let folder = Folder::new("host");
    let file = folder.file("file", "");
    let text = format!(
        "interfaces = [\"no-such-name\"]\nstate-directory = \"{file}\"\nlease-time = \"1h\"\n\
         [[subnet]]\nprefix = \"10.1.0.0/24\"\n[[subnet.pool]]\nrange = \"10.1.0.10-10.1.0.20\"\n"
    );
    let path = folder.file("tandem.toml", &text);
    let (code, out, _) = run(&["check", "-c", &path]);
    assert_eq!(code, 1);
    let said = |what: &str| assert!(out.contains(what), "{out}");
    said(
        "error: it does not exist: create it, or name in `interfaces` one that `ip link` lists\n --> this host: interface no-such-name",
    );
    said(&format!(
        "error: it is not a folder: name another, or remove it\n --> this host: state-directory {file}"
    ));
    assert_eq!(run(&["check", "--no-host", "-c", &path]).0, 0);
}

#[test]
fn serve_starts_nothing_with_a_broken_configuration() {
    let folder = Folder::new("serve");
    let path = folder.file("tandem.toml", "interfaces = [\"lo\"]\nlease-time = \"1h\"\n");
    let (code, out, err) = run(&["serve", "-c", &path]);
    assert_eq!((code, out.as_str()), (1, ""));
    insta::assert_snapshot!(folder.hidden(&err));
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
    assert_eq!(run(&["serve", "-c", "/nonexistent/tandem.toml"]).0, 1);
}

#[test]
fn a_server_that_cannot_be_reached_is_3_with_the_reason() {
    let folder = Folder::new("unreachable");
    let socket = folder.0.join("control.sock");
    let at = socket.to_str().unwrap();
    let mut texts = Vec::new();
    let mut ask = |arguments: &[&str], wanted: i32| {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str()), (wanted, ""), "{arguments:?}");
        texts.push(folder.hidden(&err));
    };
    ask(&["status", "--socket", at], 3);
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    ask(&["leases", "--json", "10.0.0.1", "--socket", at], 3);
    std::fs::remove_file(&socket).unwrap();
    common::canned(&socket, |_| (503, "{\"error\":\"the server is stopping\"}".to_owned()));
    ask(&["status", "--socket", at], 3);
    std::fs::remove_file(&socket).unwrap();
    common::canned(&socket, |_| (200, "{}".to_owned()));
    ask(&["status", "--socket", at], 3);
    let no_socket = folder.file("tandem.toml", "lease-time = \"1h\"\n");
    ask(&["status", "-c", &no_socket], 1);
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn colour_is_for_terminals_only() {
    let folder = Folder::new("colour");
    let path = folder.file("tandem.toml", BROKEN);
    let output =
        tandem(&["check", "-c", &path]).env("TERM", "xterm").env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(!told(&output).1.contains('\x1b'));
}

#[test]
fn the_example_configuration_has_no_fault() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/tandem.toml");
    let (code, out, _) = run(&["check", "--no-host", "-c", example]);
    assert_eq!(code, 0, "{out}");
    assert!(out.ends_with("tandem.toml: 0 errors, 0 warnings\n"), "{out}");
    assert!(out.starts_with("on eth0: 3 networks, 4 subnets, 5 pools with "), "{out}");
}
