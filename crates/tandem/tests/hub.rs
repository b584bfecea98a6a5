//! Three real servers in network namespaces: a hub with two partners, secondary of the one and primary of the other. What becomes of
//! one relationship is nothing to the other (F07-5.1.1-01, -02). Needs root.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod common;

use common::wire::{Running, ip, wait};
use common::{Folder, told};
use serde_json::Value;
use std::fs::{self, File};
use std::process::{Command, Stdio};

/// The hub, and a wire from it to each of the others; they go away with all that is in them.
struct Wires(String);

impl Wires {
    fn new() -> Wires {
        let wires = Wires(format!("tandem-hub-{}", std::process::id()));
        for host in ["hub", "west", "east"] {
            ip(&["netns", "add", &wires.host(host)]);
        }
        let hub = wires.host("hub");
        for (host, net) in [("west", 1), ("east", 2)] {
            let far = wires.host(host);
            ip(&["-n", &hub, "link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", &far]);
            for (name, interface, number) in [(&hub, host, 1), (&far, "eth0", 2)] {
                ip(&["-n", name, "addr", "add", &format!("10.81.{net}.{number}/24"), "dev", interface]);
                ip(&["-n", name, "link", "set", interface, "up"]);
            }
        }
        wires
    }

    fn host(&self, name: &str) -> String {
        format!("{}-{name}", self.0)
    }

    fn command(&self, host: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.host(host), program]);
        command
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        for host in ["hub", "west", "east"] {
            let _ = Command::new("ip").args(["netns", "del", &self.host(host)]).status();
        }
    }
}

/// One of the three servers.
struct Server<'w> {
    wires: &'w Wires,
    host: &'static str,
    config: String,
    log: std::path::PathBuf,
    running: Option<Running>,
}

/// One relationship, with its subnet and pool. The hub serves all clients of both.
fn shared(net: u8, name: &str, role: &str, ours: u8) -> String {
    let split = if name == "west" { 0 } else { 256 };
    format!(
        "[[failover]]\nname = \"{name}\"\nrole = \"{role}\"\nlisten = \"10.81.{net}.{ours}\"\n\
         partner = \"10.81.{net}.{theirs}\"\nmclt = \"10s\"\nreceive-timer = \"5s\"\nstartup-wait = \"1s\"\n\
         split = {split}\n\
         [[subnet]]\nprefix = \"10.81.{net}.0/24\"\n[[subnet.pool]]\n\
         range = \"10.81.{net}.10-10.81.{net}.29\"\nfailover = \"{name}\"\n",
        theirs = 3 - ours
    )
}

impl<'w> Server<'w> {
    fn new(wires: &'w Wires, folder: &Folder, host: &'static str) -> Server<'w> {
        let (interfaces, rest) = match host {
            "hub" => {
                ("\"west\", \"east\"", shared(1, "west", "secondary", 1) + &shared(2, "east", "primary", 1))
            }
            "west" => ("\"eth0\"", shared(1, "west", "primary", 2)),
            _ => ("\"eth0\"", shared(2, "east", "secondary", 2)),
        };
        let text = format!(
            "interfaces = [{interfaces}]\nstate-directory = \"{}\"\nclock-wait = 0\nsegment-size = 1048576\n\
             lease-time = \"1h\"\n{rest}",
            folder.0.join(host).display()
        );
        let config = folder.file(&format!("{host}.toml"), &text);
        let log = folder.0.join(host).with_extension("log");
        let mut server = Server { wires, host, config, log, running: None };
        server.start();
        server
    }

    fn serve(&self) -> Command {
        let mut serve = self.wires.command(self.host, env!("CARGO_BIN_EXE_tandem"));
        serve.args(["serve", "-c", &self.config]);
        serve
    }

    fn start(&mut self) {
        let log = File::options().append(true).create(true).open(&self.log).unwrap();
        self.running = Some(Running(self.serve().stderr(log).spawn().unwrap()));
    }

    fn ask(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut tandem = self.wires.command(self.host, env!("CARGO_BIN_EXE_tandem"));
        told(&tandem.args(arguments).args(["-c", &self.config]).output().unwrap())
    }

    fn relationship(&self, name: &str) -> Value {
        let (_, out, _) = self.ask(&["failover", "status", "--json", name]);
        serde_json::from_str::<Value>(&out).map(|pairs| pairs[0].clone()).unwrap_or_default()
    }

    fn leased(&self) -> Vec<String> {
        let (_, out, _) = self.ask(&["leases", "--json", "--status", "ACTIVE"]);
        let leases: Vec<Value> = serde_json::from_str(&out).unwrap_or_default();
        leases.iter().filter_map(|lease| lease["assigned-IP-address"].as_str().map(str::to_owned)).collect()
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}:\n{}", self.host, fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// A client on the wire to `host`; its address.
fn lease(wires: &Wires, host: &str, hub: &Server<'_>) -> String {
    let before = hub.leased();
    let mut udhcpc = wires.command(host, "udhcpc");
    udhcpc.args(["-n", "-q", "-i", "eth0", "-s", "/bin/true", "-t", "5", "-T", "1"]);
    let done = udhcpc.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(done.success(), "a client at {host} gets no lease");
    hub.leased().into_iter().find(|address| !before.contains(address)).unwrap()
}

#[test]
fn one_partner_is_nothing_to_the_other() {
    let folder = Folder::new("hub");
    let wires = Wires::new();
    let mut hub = Server::new(&wires, &folder, "hub");
    let west = Server::new(&wires, &folder, "west");
    let mut east = Server::new(&wires, &folder, "east");
    let is_normal = |server: &Server<'_>| server.ask(&["failover", "status"]).0 == 0;
    wait("NORMAL", 30, || [&hub, &west, &east].iter().all(|server| is_normal(server)));
    let (_, out, _) = hub.ask(&["failover", "status"]);
    assert!(out.contains("FAILOVER west") && out.contains("FAILOVER east"), "{out}");
    let since = hub.relationship("west")["state-since"].clone();

    // It stands still, and its connection with it: nothing is taken from the hub any more.
    east.running.as_ref().unwrap().signal("-STOP");
    let address = lease(&wires, "east", &hub);
    assert!(address.starts_with("10.81.2."), "{address}");
    wait("the hub notices", 15, || hub.relationship("east")["state"] == "COMMUNICATIONS-INTERRUPTED");
    let address = lease(&wires, "west", &hub);
    wait("the lease at the other partner", 5, || west.leased().contains(&address));
    east.running.as_ref().unwrap().signal("-CONT");
    wait("NORMAL after standing still", 30, || is_normal(&hub) && is_normal(&east));
    east.running.as_ref().unwrap().signal("-KILL");
    east.running = None;
    wait("the hub notices", 15, || hub.relationship("east")["state"] == "COMMUNICATIONS-INTERRUPTED");
    assert_eq!((hub.ask(&["failover", "status"]).0, hub.ask(&["failover", "status", "west"]).0), (7, 0));
    assert_eq!(hub.relationship("west")["state-since"], since, "it was in NORMAL all the time");

    // An operator ends the lease of a client that is gone.
    let (code, out, err) = hub.ask(&["reset", &address, "--yes-nobody-uses-it"]);
    assert!(code == 6 && err.contains("is ACTIVE"), "{code} {out} {err}");
    let (code, out, _) = hub.ask(&["reset", &address, "--yes-nobody-uses-it", "--leased"]);
    assert!(code == 0 && out.starts_with(&format!("{address}: done; ACTIVE -> RESET")), "{code} {out}");
    let is_free = |server: &Server<'_>| server.ask(&["leases", &address]).1.contains("FREE");
    wait("the partner agrees", 5, || is_free(&hub) && is_free(&west));

    // The pool cannot be taken from a partner that goes on to lease it.
    let stopped = hub.running.take().unwrap();
    stopped.signal("-TERM");
    wait("the hub ends", 10, || hub.ask(&["status"]).0 == 3);
    drop(stopped);
    let before = fs::read_to_string(&hub.config).unwrap();
    let alone = before.replace("failover = \"west\"\n", "");
    let alone =
        alone.replace(&shared(1, "west", "secondary", 1).split("[[subnet]]").next().unwrap().to_owned(), "");
    fs::write(&hub.config, alone).unwrap();
    let (code, _, err) = told(&hub.serve().output().unwrap());
    assert!(code == 1 && err.contains("10.81.1.10 to 10.81.1.29 were shared as \"west\""), "{code} {err}");
    fs::write(&hub.config, before).unwrap();
    hub.start();
    wait("NORMAL as before", 30, || hub.ask(&["failover", "status", "west"]).0 == 0);
}
