//! `tandem failover check`: what is printed, and the exit code.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod common;

use common::{Folder, run};
use std::net::TcpListener;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/tests/examples");

fn example(name: &str) -> String {
    format!("{EXAMPLES}/{name}")
}

/// Exit code and standard output; nothing may be on standard error.
fn checked(ours: &str, partner: &str, more: &[&str]) -> (i32, String) {
    let mut arguments = vec!["failover", "check", "--ours", ours, "--partner", partner];
    arguments.extend(more);
    let (code, out, err) = run(&arguments);
    assert_eq!(err, "");
    (code, out.replace(EXAMPLES, "/EXAMPLES"))
}

#[test]
fn a_tandem_that_fits_is_0_and_one_that_does_not_is_1() {
    let (code, out) = checked(&example("secondary.toml"), &example("primary.conf"), &[]);
    assert_eq!(code, 0);
    insta::assert_snapshot!("a_tandem_that_fits", out);
    let folder = Folder::new("fits");
    let text = std::fs::read_to_string(example("secondary.toml")).unwrap();
    let text =
        text.replace("role = \"secondary\"", "role = \"primary\"").replace("10.1.127.255", "10.1.128.9");
    let path = folder.file("tandem.toml", &text.replace("mclt = \"30m\"", "mclt = \"20m\""));
    let (code, out) = checked(&path, &example("primary.conf"), &[]);
    assert_eq!(code, 1);
    insta::assert_snapshot!("a_tandem_that_does_not_fit", folder.hidden(&out));
}

#[test]
fn json_has_the_same() {
    let folder = Folder::new("fits-json");
    let text = std::fs::read_to_string(example("primary.conf")).unwrap().replace("mclt 1800", "mclt 900");
    std::fs::copy(example("campus.conf"), folder.0.join("campus.conf")).unwrap();
    let path = folder.file("dhcpd.conf", &text);
    let (code, out) = checked(&example("secondary.toml"), &path, &["--json"]);
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &found["errors"], &found["warnings"]), (0, &0.into(), &1.into()));
    assert_eq!(found["relationships"], serde_json::json!(["campus"]));
    let first = &found["findings"][0];
    assert_eq!((&first["number"], &first["severity"]), (&"PAIR-210".into(), &"warning".into()));
    let places = first["places"].as_array().unwrap();
    assert_eq!((&places[0]["line"], &places[0]["text"]), (&14.into(), &"mclt = \"30m\"".into()));
    assert_eq!((&places[1]["line"], &places[1]["text"]), (&16.into(), &"mclt 900;".into()));
}

#[test]
fn a_file_that_cannot_be_read_is_1() {
    let arguments = ["failover", "check", "--ours", "/nonexistent/a", "--partner", "/nonexistent/b"];
    let (code, out, err) = run(&arguments);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("the file cannot be read") && err.contains("/nonexistent/a"), "{err}");
}

#[test]
fn live_looks_at_this_host_and_reaches_for_the_partner() {
    let folder = Folder::new("fits-live");
    let partner = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = partner.local_addr().unwrap().port();
    let text = std::fs::read_to_string(example("secondary.conf")).unwrap();
    let text = text
        .replace("address 192.0.2.2;", "address 203.0.113.77;")
        .replace("peer address 192.0.2.1;", "peer address 127.0.0.1;")
        .replace("peer port 647;", &format!("peer port {port};"));
    std::fs::copy(example("campus.conf"), folder.0.join("campus.conf")).unwrap();
    let path = folder.file("dhcpd.conf", &text);
    let (code, out) = checked(&path, &example("primary.conf"), &["--live"]);
    // Nobody has this address (RFC 5737).
    assert_eq!(code, 1);
    for number in ["PAIR-204", "PAIR-601", "PAIR-603", "PAIR-608"] {
        assert!(out.contains(number), "{number}: {out}");
    }
    assert!(out.contains("it listens. It said nothing by itself"), "{out}");
    drop(partner);
    let (_, out) = checked(&path, &example("primary.conf"), &["--live"]);
    assert!(out.contains("PAIR-602") && out.contains("nobody listens there"), "{out}");
}
