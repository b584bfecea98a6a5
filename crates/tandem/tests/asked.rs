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

const PAIR: &str = r#"{"relationship-name":"campus","role":"primary","partner":"192.0.2.2:647",
    "state":"STATE","state-since":{"time":"2026-11-24T23:06:58Z","seconds":1795561618},"answers":true,
    "what-to-do":"Look at it.","partner-state":"NORMAL",
    "partner-state-since":{"time":"2026-11-24T23:06:59Z","seconds":1795561619},"in-contact":true,
    "last-communicated":null,"tls-peer":null,"signed":false,"clock-difference":-2,"MCLT":3600,"queued":1200,"unacked":64,"rejected":0,
    "unagreed":0,"free":2000,"backup":1999,"storage-lost":false,"alive":null}"#;

/// A server with these relationships.
fn paired(folder: &Folder, pairs: &str) -> String {
    let socket = folder.0.join("control.sock");
    let failover = format!("\"failover\":[{pairs}],\"orphans\"");
    let body = STATUS.replace("STATE", "ok").replace("\"orphans\"", &failover);
    canned(&socket, move |path| {
        assert_eq!(path, "/v1/status");
        (200, body.clone())
    });
    socket.to_str().unwrap().to_owned()
}

#[test]
fn the_pair_is_0_in_normal_and_else_7() {
    let folder = Folder::new("pair");
    let other = PAIR.replace("campus", "hall").replace("STATE", "PARTNER-DOWN");
    let socket = paired(&folder, &format!("{},{other}", PAIR.replace("STATE", "NORMAL")));
    let status =
        |arguments: &[&str]| run(&[&["failover", "status", "--socket", &socket], arguments].concat());
    let (code, out, err) = status(&["campus"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("FAILOVER campus") && !out.contains("hall"), "{out}");
    assert_eq!(status(&["hall"]).0, 7);
    let (code, out, _) = status(&[]);
    assert_eq!(code, 7);
    insta::assert_snapshot!(out);
    let (code, out, _) = status(&["--json"]);
    let pairs: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    assert_eq!((code, pairs.len(), &pairs[1]["state"]), (7, 2, &serde_json::json!("PARTNER-DOWN")));
    let (code, _, err) = status(&["campu"]);
    assert!(code == 2 && err.contains("no relationship \"campu\""), "{code} {err}");
    let (code, out, _) = run(&["status", "--socket", &socket]);
    assert!(code == 0 && out.contains("\n\nFAILOVER campus"), "{out}");
}

#[test]
fn a_server_without_a_partner_has_no_state() {
    let folder = Folder::new("alone");
    let socket = paired(&folder, "");
    let (code, _, err) = run(&["failover", "status", "--socket", &socket]);
    assert!(code == 2 && err.contains("no [[failover]]"), "{code} {err}");
}

#[test]
fn commands_say_what_became_of_them() {
    let folder = Folder::new("commands");
    let socket = folder.0.join("control.sock");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    canned(&socket, move |path| {
        log.lock().unwrap().push(path.to_owned());
        let done = |state: &str| {
            let text = r#"{"relationship-name":"campus","state-before":"NORMAL","state":"#;
            (200, format!("{text}\"{state}\"}}"))
        };
        let refused = |code, why: &str| (code, format!("{{\"error\":\"{why}\"}}"));
        match path.split('?').next().unwrap() {
            "/v1/failover/partner-down" => done("PARTNER-DOWN"),
            "/v1/failover/resync" => done("NORMAL"),
            "/v1/failover/first-run" => refused(409, "campus: refused: this is not possible in NORMAL"),
            "/v1/failover/pause" => refused(400, "which relationship is meant? Name one of campus"),
            "/v1/failover/shutdown" => refused(503, "the server is stopping"),
            _ => done("RECOVER"),
        }
    });
    let socket = socket.to_str().unwrap().to_owned();
    let command = |arguments: &[&str]| run(&[&["failover"], arguments, &["--socket", &socket]].concat());
    let told = |arguments: &[&str]| {
        let (code, out, _) = command(arguments);
        (code, out)
    };
    let done = |text: &str| (0, format!("campus: {text}\n"));
    assert_eq!(told(&["partner-down", "--yes-it-is-off"]), done("done; NORMAL -> PARTNER-DOWN"));
    assert_eq!(told(&["resync", "a b/\u{e9}"]), done("done; the state is NORMAL"));
    let lost = ["recover", "--storage-lost", "--down-since", "2026-11-24T23:06:58Z"];
    assert_eq!(told(&lost), done("done; NORMAL -> RECOVER"));
    assert_eq!(told(&["recover", "--first-run", "--yes-it-never-served"]), (6, String::new()));
    assert_eq!(told(&["pause"]), (2, String::new()));
    assert_eq!(told(&["shutdown"]), (3, String::new()));
    let before = asked.lock().unwrap().len();
    // Nobody can be asked: standard input is no terminal.
    for arguments in [&["partner-down"][..], &["serve-alone", "campus"], &["recover", "--first-run"]] {
        let (code, _, err) = command(arguments);
        assert_eq!(code, 2);
        insta::assert_snapshot!(format!("asked_before_{}", arguments[0]), err);
    }
    assert_eq!(asked.lock().unwrap().len(), before, "a command was sent that nobody confirmed");
    assert_eq!(asked.lock().unwrap()[1], "/v1/failover/resync?relationship=a+b%2F%C3%A9");
    assert_eq!(asked.lock().unwrap()[2], "/v1/failover/storage-lost?down-since=2026-11-24T23%3A06%3A58Z");
    let (_, _, err) = command(&["recover", "--first-run", "--yes-it-never-served"]);
    assert_eq!(err, "error: campus: refused: this is not possible in NORMAL\n");
}

#[test]
fn each_address_is_reset_or_refused_by_itself() {
    let folder = Folder::new("reset");
    let socket = folder.0.join("control.sock");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    canned(&socket, move |path| {
        log.lock().unwrap().push(path.to_owned());
        let address = path.split('/').nth(3).unwrap();
        let done = |before: &str, status: &str| {
            let text = "{\"assigned-IP-address\":\"ADDRESS\",\"binding-status-before\":\"BEFORE\",\"binding-status\":\"STATUS\"}";
            (200, text.replace("ADDRESS", address).replace("BEFORE", before).replace("STATUS", status))
        };
        match address {
            "10.0.0.1" => done("ABANDONED", "FREE"),
            "10.0.0.2" => done("ABANDONED", "RESET"),
            "10.0.0.3" => (409, "{\"error\":\"10.0.0.3 is FREE\"}".to_owned()),
            "10.0.0.4" => (404, "{\"error\":\"10.0.0.4 is in no pool\"}".to_owned()),
            _ => (503, "{\"error\":\"the server is stopping\"}".to_owned()),
        }
    });
    let socket = socket.to_str().unwrap().to_owned();
    let reset = |arguments: &[&str]| run(&[&["reset", "--socket", &socket], arguments].concat());
    let (code, out, err) = reset(&["10.0.0.1"]);
    assert_eq!((code, out.as_str()), (2, ""), "nobody can be asked");
    assert!(asked.lock().unwrap().is_empty(), "a command was sent that nobody confirmed");
    insta::assert_snapshot!("asked_before_reset", err);
    let yes = "--yes-nobody-uses-it";
    let (code, out, err) = reset(&[yes, "10.0.0.1", "10.0.0.3", "10.0.0.2"]);
    let done = "10.0.0.1: done; ABANDONED -> FREE\n10.0.0.2: done; ABANDONED -> RESET; it is FREE when the partner agrees\n";
    assert_eq!((code, out.as_str(), err.as_str()), (6, done, "error: 10.0.0.3 is FREE\n"));
    assert_eq!(reset(&[yes, "10.0.0.1"]).0, 0);
    assert_eq!(reset(&[yes, "10.0.0.4"]).0, 2);
    assert_eq!(reset(&[yes, "10.0.0.5", "10.0.0.1"]).0, 3);
    assert_eq!(reset(&[yes, "--leased", "10.0.0.1"]).0, 0);
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0], "/v1/leases/10.0.0.1/reset?leased=false");
    assert_eq!(asked.last().unwrap(), "/v1/leases/10.0.0.1/reset?leased=true");
    assert_eq!(asked.len(), 7, "after a server that does not answer nothing more is asked");
}
