//! Two real servers with TLS, their certificates made as the manual says. Needs root.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod common;

use common::wire::{Running, Server, Wire, wait};
use common::{Folder, run};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, SanType};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

/// A certificate for a host that signs itself, and its key.
fn certificate(folder: &Folder, host: &str, number: u8, years: (i32, i32)) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::new(192, 0, 2, number)))];
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    folder.file(&format!("{host}.crt"), &params.self_signed(&key).unwrap().pem());
    let path = folder.file(&format!("{host}.key"), &key.serialize_pem());
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn lines(folder: &Folder, own: &str, partner: &str) -> String {
    let at = |name: String| folder.0.join(name).display().to_string();
    format!(
        "[failover.tls]\ncertificate = \"{}\"\nkey = \"{}\"\ntrust = \"{}\"\n",
        at(format!("{own}.crt")),
        at(format!("{own}.key")),
        at(format!("{partner}.crt"))
    )
}

/// Leases of clients, as the server tells them.
fn leases(server: &Server<'_>) -> String {
    server.ask(&["leases"]).1
}

#[test]
fn leases_cross_over_tls_and_a_killed_server_comes_back() {
    let folder = Folder::new("secured");
    certificate(&folder, "a", 1, (2025, 2100));
    certificate(&folder, "b", 2, (2025, 2100));
    let wire = Wire::new("secured");
    let mut a = Server::new(&wire, &folder, "a", "primary", &lines(&folder, "a", "b"));
    let mut b = Server::new(&wire, &folder, "b", "secondary", &lines(&folder, "b", "a"));
    a.start();
    b.start();
    wait("NORMAL", 20, || a.is_normal() && b.is_normal());
    assert_eq!((&a.pair()["tls-peer"], &b.pair()["tls-peer"]), (&"192.0.2.2".into(), &"192.0.2.1".into()));
    assert!(a.ask(&["failover", "status"]).1.contains("TLS, the partner is 192.0.2.2"));
    let script = folder.file("script", "#!/bin/sh\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut udhcpc = wire.command("client", "udhcpc");
    udhcpc.args(["-f", "-i", "eth0", "-s", &script, "-t", "5", "-T", "1", "-A", "1"]);
    let _client = Running(udhcpc.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    wait("a lease on both", 20, || leases(&a).contains("ACTIVE") && leases(&b).contains("ACTIVE"));
    a.running.as_ref().unwrap().signal("-KILL");
    a.running = None;
    wait("the other notices", 5, || b.pair()["state"] == "COMMUNICATIONS-INTERRUPTED");
    a.start();
    wait("NORMAL after a kill", 30, || a.is_normal() && b.is_normal());
    for server in [&a, &b] {
        assert!(server.said().contains("over TLS, which is 192.0.2."), "{}", server.said());
        assert!(!server.said().contains("PRIVATE"));
    }
    let (code, out, _) = run(&["check", "--no-host", "-c", &a.config]);
    assert!(code == 0 && out.contains("0 errors, 0 warnings"), "{out}");
}

#[test]
fn a_certificate_that_has_ended_is_told_before_and_refused_by_the_partner() {
    let folder = Folder::new("expired");
    certificate(&folder, "a", 1, (2020, 2021));
    certificate(&folder, "b", 2, (2025, 2100));
    let wire = Wire::new("expired");
    let mut a = Server::new(&wire, &folder, "a", "primary", &lines(&folder, "a", "b"));
    let mut b = Server::new(&wire, &folder, "b", "secondary", &lines(&folder, "b", "a"));
    let (code, out, _) = run(&["check", "--no-host", "-c", &a.config]);
    assert!(code == 0 && out.contains("the certificate has expired on 2021-01-01"), "{out}");
    a.start();
    b.start();
    wait("both say why", 20, || a.said().contains("TDM-2018") && b.said().contains("TDM-2018"));
    assert!(a.said().contains("TDM-2020") && a.said().contains("(CertificateExpired)"), "{}", a.said());
    assert!(b.said().contains("the certificate of the partner has expired"), "{}", b.said());
    for server in [&a, &b] {
        assert_eq!(server.pair()["partner-state"], serde_json::Value::Null);
        assert_eq!(server.pair()["in-contact"], false);
    }
}
