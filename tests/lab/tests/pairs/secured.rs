//! The two speak over TLS, and the clients do not notice either.

use crate::nobody_noticed;
use lab::pair::usual;
use lab::{ClientKind, Guests, Pair, Side, seconds};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// MCLT of the pair, in seconds: as long as the leases.
const MCLT: u32 = 60;

/// A folder that goes away again.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A certificate for a side that signs itself, and its key, made as README says.
fn certificate(folder: &Path, side: Side) {
    let at = |what: &str| folder.join(format!("{}.{what}", side.name()));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ed25519", "-noenc", "-days", "3650", "-subj", "/CN=tandem-a"]);
    openssl.args(["-addext", &format!("subjectAltName=IP:{}", side.link_address())]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.arg("-keyout").arg(at("key")).arg("-out").arg(at("crt"));
    let output = openssl.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mode = fs::metadata(at("key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "openssl lets others read the key");
}

/// Hardware addresses of all clients that have a lease, as bytes.
fn hardware_addresses(pair: &Pair) -> Vec<Vec<u8>> {
    let bindings = pair.bindings(Side::A);
    let active = bindings.values().filter(|binding| binding["binding-status"] == "ACTIVE");
    let written = active.map(|binding| binding["client-hardware-address"].replace([':', '-'], ""));
    let digits = |text: String| -> Vec<u8> {
        let digits = &text[text.len() - 12..];
        (0..6).map(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).unwrap()).collect()
    };
    written.map(digits).collect()
}

#[test]
fn over_tls_one_is_killed_and_returns() {
    let folder = Folder(std::env::temp_dir().join(format!("lab-tls-{}", std::process::id())));
    fs::create_dir_all(&folder.0).unwrap();
    for side in Side::BOTH {
        certificate(&folder.0, side);
    }
    let at = |side: Side, what: &str| folder.0.join(format!("{}.{what}", side.name())).display().to_string();
    let mut pair = Pair::start("tls", |side| {
        let mut setup = usual(side, MCLT);
        let lines = format!(
            "\n[failover.tls]\ncertificate = \"{}\"\nkey = \"{}\"\ntrust = \"{}\"\n",
            at(side, "crt"),
            at(side, "key"),
            at(side.other(), "crt")
        );
        setup.failover.as_mut().unwrap().extra.push_str(&lines);
        setup
    });
    pair.wait_for_normal(30);
    let mut guests = Guests::new();
    guests.one_of_each(&pair.lab);
    pair.wait_until_equal(20);
    pair.kill(Side::A);
    pair.wait_for_state(Side::B, "COMMUNICATIONS-INTERRUPTED", 10);
    guests.add(&pair.lab, ClientKind::Udhcpc, "late", seconds(20));
    guests.watch(seconds(70), || false);
    pair.restart(Side::A);
    pair.wait_for_normal(30);
    pair.wait_until_equal(20);
    for side in Side::BOTH {
        assert!(pair.has_said(side, "over TLS, which is 10.99.0."), "{} does not say so", side.name());
    }
    let clients = hardware_addresses(&pair);
    assert!(clients.len() >= 4, "{clients:?}");
    nobody_noticed(&mut pair, &mut guests);
    pair.link.end();
    let seen = fs::read(pair.link.file()).unwrap();
    assert!(seen.windows(6).any(|bytes| bytes == b"campus"), "the CONNECT in clear is not in the capture");
    for client in clients {
        let is_there = seen.windows(6).any(|bytes| bytes == client);
        assert!(!is_there, "{client:02x?} could be read between the two servers");
    }
}
