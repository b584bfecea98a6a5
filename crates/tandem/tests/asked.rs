//! `status` and `leases` against a server with canned answers: pages, filters, JSON, exit codes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod common;

use common::{Folder, canned, run, tandem};
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

fn lease(n: u32) -> String {
    let address = std::net::Ipv4Addr::from(0x0a00_0000 + n);
    format!(
        "{{\"assigned-IP-address\":\"{address}\",\"binding-status\":\"ACTIVE\",\
         \"client\":{{\"kind\":\"hardware-address\",\"hex\":\"0200{n:08x}\"}},\
         \"client-hardware-address\":\"02:00:00:00:00:{:02x}\",\"start-time-of-state\":null,\
         \"client-last-transaction-time\":null,\"lease-expiration-time\":\
         {{\"time\":\"2026-11-25T07:00:00Z\",\"seconds\":1795590000}},\"reserved\":false,\"orphan\":false,\
         \"host-name\":{{\"hex\":\"68\",\"text\":\"host-{n}\"}}}}",
        n % 256
    )
}

/// `count` leases from 10.0.0.1 on, in pages as asked for, each with the paths that were asked.
fn server_of(folder: &Folder, count: u32) -> (String, Arc<Mutex<Vec<String>>>) {
    let socket = folder.0.join("control.sock");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    canned(&socket, move |path| {
        log.lock().unwrap().push(path.to_owned());
        let parameter = |name: &str| {
            let query = path.split_once('?').map_or("", |(_, query)| query);
            query.split('&').find_map(|pair| pair.strip_prefix(name).map(str::to_owned))
        };
        let from: u32 = parameter("from=")
            .map_or(1, |from| u32::from(from.parse::<std::net::Ipv4Addr>().unwrap()) - 0x0a00_0000);
        let limit: u32 = parameter("limit=").unwrap().parse().unwrap();
        let end = count.min(from + limit - 1);
        let mut body = String::from("{\"leases\":[");
        for n in from..=end {
            write!(body, "{}{}", if n == from { "" } else { "," }, lease(n)).unwrap();
        }
        let next = std::net::Ipv4Addr::from(0x0a00_0000 + end + 1);
        write!(body, "],\"next\":{}}}", if end < count { format!("\"{next}\"") } else { "null".to_owned() })
            .unwrap();
        (200, body)
    });
    (socket.to_str().unwrap().to_owned(), asked)
}

#[test]
fn a_few_leases() {
    let folder = Folder::new("few");
    let (socket, _) = server_of(&folder, 3);
    let (code, out, err) = run(&["leases", "--socket", &socket]);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(out);
    let (_, json, _) = run(&["leases", "--json", "--socket", &socket]);
    let leases: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!((leases.len(), json.lines().count()), (3, 4));
    assert_eq!(leases[2]["assigned-IP-address"], "10.0.0.3");
}

#[test]
fn pages_follow_each_other_to_the_end() {
    let folder = Folder::new("pages");
    let (socket, asked) = server_of(&folder, 2500);
    let (code, out, _) =
        run(&["leases", "--unused", "--status", "active", "--from", "10.0.0.1", "--socket", &socket]);
    assert_eq!((code, out.lines().count()), (0, 2501));
    assert!(out.lines().last().unwrap().starts_with("10.0.9.196 "), "{:?}", out.lines().last());
    let wanted = ["10.0.0.1", "10.0.3.233", "10.0.7.209"]
        .map(|from| format!("/v1/leases?limit=1000&unused=true&from={from}&status=active"));
    assert_eq!(*asked.lock().unwrap(), wanted);
}

#[test]
fn one_lease_by_address_or_client() {
    let folder = Folder::new("one");
    let (socket, asked) = server_of(&folder, 1200);
    let ask = |which: &str| run(&["leases", which, "--socket", &socket]);
    let (code, out, _) = ask("10.0.0.7");
    assert_eq!((code, asked.lock().unwrap().len()), (0, 1), "an address needs one question");
    insta::assert_snapshot!(out);
    assert_eq!(ask("HOST-7").1, out);
    assert_eq!(ask("02:00:00:00:00:07").1.matches("client-hardware-address").count(), 5);
    let (code, out, _) = ask("nobody");
    assert_eq!(
        (code, out.as_str()),
        (0, "no lease: the address is in no pool, or the client has never had one here\n")
    );
    assert_eq!(run(&["leases", "--json", "nobody", "--socket", &socket]).1, "[]\n");
}

#[test]
fn who_stops_reading_is_no_error() {
    let folder = Folder::new("head");
    let (socket, asked) = server_of(&folder, 1_000_000);
    let mut child = tandem(&["leases", "--socket", &socket])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("ADDRESS"));
    assert!(lines.next().unwrap().unwrap().starts_with("10.0.0.1 "));
    drop(lines);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    assert!(asked.lock().unwrap().len() < 100, "it went on asking");
}

const STATUS: &str = r#"{"version":"1.2.3","uptime-seconds":60,"now":null,
    "health":{"state":"STATE","problems":[],"warnings":[]},
    "store":{"identity":"x","generation":1,"health":"ok","stable-position":1,"next-position":1,"new":true,
        "snapshot-records":0,"log-records":0,"torn-bytes":0},
    "interfaces":[],"networks":[],"orphans":0,"counters":{},"shell-counters":{},"of-a-later-version":7}"#;

#[test]
fn an_unhealthy_server_is_4() {
    for (state, wanted) in [("ok", 0), ("unhealthy", 4)] {
        let folder = Folder::new(state);
        let socket = folder.0.join("control.sock");
        canned(&socket, move |path| {
            assert_eq!(path, "/v1/status");
            (200, STATUS.replace("STATE", state))
        });
        let config = folder.file("tandem.toml", &format!("control-socket = \"{}\"\n", socket.display()));
        let (code, out, _) = run(&["status", "-c", &config]);
        assert_eq!(code, wanted);
        assert!(out.starts_with(if wanted == 0 { "HEALTHY  " } else { "UNHEALTHY  " }), "{out}");
        let (code, out, _) = run(&["status", "--json", "-c", &config]);
        assert_eq!(code, wanted);
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json["health"]["state"], state);
    }
}
