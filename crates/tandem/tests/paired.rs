//! Two real servers in network namespaces, and a real client: what a pair is for, once through. Needs root.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod common;

use common::processes::{Running, ip, wait};
use common::{Folder, told};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// Three hosts on one wire, and a second wire between the two servers; they go away with all that is in them.
struct Wire(String);

impl Wire {
    fn new() -> Wire {
        let wire = Wire(format!("tandem-pair-{}", std::process::id()));
        for host in ["wire", "a", "b", "client"] {
            ip(&["netns", "add", &wire.host(host)]);
        }
        let switch = wire.host("wire");
        ip(&["-n", &switch, "link", "add", "br0", "type", "bridge"]);
        ip(&["-n", &switch, "link", "set", "br0", "up"]);
        for host in ["a", "b", "client"] {
            let (name, far) = (wire.host(host), format!("to-{host}"));
            ip(&["-n", &name, "link", "set", "lo", "up"]);
            ip(&["-n", &name, "link", "add", "eth0", "type", "veth", "peer", "name", &far, "netns", &switch]);
            ip(&["-n", &switch, "link", "set", &far, "master", "br0", "up"]);
            ip(&["-n", &name, "link", "set", "eth0", "up"]);
        }
        let (a, b) = (wire.host("a"), wire.host("b"));
        ip(&["-n", &a, "link", "add", "pair0", "type", "veth", "peer", "name", "pair0", "netns", &b]);
        for (name, number) in [(&a, 1), (&b, 2)] {
            ip(&["-n", name, "addr", "add", &format!("10.77.0.{number}/24"), "dev", "eth0"]);
            ip(&["-n", name, "addr", "add", &format!("192.0.2.{number}/24"), "dev", "pair0"]);
            ip(&["-n", name, "link", "set", "pair0", "up"]);
        }
        wire
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

impl Drop for Wire {
    fn drop(&mut self) {
        for host in ["client", "a", "b", "wire"] {
            let _ = Command::new("ip").args(["netns", "del", &self.host(host)]).status();
        }
    }
}

/// One of the two servers.
struct Server<'w> {
    wire: &'w Wire,
    host: &'static str,
    config: String,
    log: std::path::PathBuf,
    running: Option<Running>,
}

impl<'w> Server<'w> {
    fn new(wire: &'w Wire, folder: &Folder, host: &'static str, role: &str) -> Server<'w> {
        let (ours, theirs) = if host == "a" { (1, 2) } else { (2, 1) };
        let text = format!(
            "interfaces = [\"eth0\"]\nstate-directory = \"{}\"\nclock-wait = 0\nsegment-size = 1048576\n\
             lease-time = \"1h\"\n[[failover]]\nname = \"campus\"\nrole = \"{role}\"\nlisten = \"192.0.2.{ours}\"\n\
             partner = \"192.0.2.{theirs}\"\nmclt = \"10s\"\nreceive-timer = \"5s\"\nstartup-wait = \"1s\"\n\
             [[subnet]]\nprefix = \"10.77.0.0/24\"\n[[subnet.pool]]\nrange = \"10.77.0.10-10.77.0.29\"\n\
             failover = \"campus\"\n",
            folder.0.join(host).display()
        );
        let config = folder.file(&format!("{host}.toml"), &text);
        let mut server =
            Server { wire, host, config, log: folder.0.join(host).with_extension("log"), running: None };
        server.start();
        server
    }

    fn start(&mut self) {
        let log = File::options().append(true).create(true).open(&self.log).unwrap();
        let mut serve = self.wire.command(self.host, env!("CARGO_BIN_EXE_tandem"));
        serve.args(["serve", "-c", &self.config]).stderr(log);
        self.running = Some(Running(serve.spawn().unwrap()));
    }

    fn ask(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut tandem = self.wire.command(self.host, env!("CARGO_BIN_EXE_tandem"));
        told(&tandem.args(arguments).args(["-c", &self.config]).output().unwrap())
    }

    fn is_normal(&self) -> bool {
        self.ask(&["failover", "status"]).0 == 0
    }

    fn pair(&self) -> serde_json::Value {
        let (_, out, _) = self.ask(&["failover", "status", "--json"]);
        serde_json::from_str::<serde_json::Value>(&out).map(|pairs| pairs[0].clone()).unwrap_or_default()
    }

    /// Status and end of the lease of an address.
    fn lease(&self, address: &str) -> (String, u64) {
        let (_, out, _) = self.ask(&["leases", "--json", address]);
        let leases: serde_json::Value = serde_json::from_str(&out).unwrap_or_default();
        let lease = &leases[0];
        let end = lease["lease-expiration-time"]["seconds"].as_u64().unwrap_or(0);
        (lease["binding-status"].as_str().unwrap_or("").to_owned(), end)
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}:\n{}", self.host, fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

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
    let wire = Wire::new();
    let mut a = Server::new(&wire, &folder, "a", "primary");
    let mut b = Server::new(&wire, &folder, "b", "secondary");
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
