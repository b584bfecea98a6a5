//! Two real servers in network namespaces, with a wire for clients and one of their own. Needs root.

use super::{Folder, told};
use std::fs::{self, File};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Three hosts on one wire, and a second wire between the two servers; they go away with all that is in them.
pub struct Wire(String);

impl Wire {
    /// `name` tells it from those of other tests.
    pub fn new(name: &str) -> Wire {
        let wire = Wire(format!("tandem-{name}-{}", std::process::id()));
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

    pub fn host(&self, name: &str) -> String {
        format!("{}-{name}", self.0)
    }

    pub fn command(&self, host: &str, program: &str) -> Command {
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

pub fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().unwrap();
    assert!(done.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A program that is killed if the test fails before it ends.
pub struct Running(pub Child);

impl Running {
    pub fn signal(&self, signal: &str) {
        let number = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &number]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One of the two servers.
pub struct Server<'w> {
    pub wire: &'w Wire,
    pub host: &'static str,
    pub config: String,
    pub log: std::path::PathBuf,
    pub running: Option<Running>,
}

impl<'w> Server<'w> {
    /// One with more lines in its `[[failover]]`; it is not running yet.
    pub fn new(wire: &'w Wire, folder: &Folder, host: &'static str, role: &str, lines: &str) -> Server<'w> {
        let (ours, theirs) = if host == "a" { (1, 2) } else { (2, 1) };
        let text = format!(
            "interfaces = [\"eth0\"]\nstate-directory = \"{}\"\nclock-wait = 0\nsegment-size = 1048576\n\
             lease-time = \"1h\"\n[[failover]]\nname = \"campus\"\nrole = \"{role}\"\nlisten = \"192.0.2.{ours}\"\n\
             partner = \"192.0.2.{theirs}\"\nmclt = \"10s\"\nreceive-timer = \"5s\"\nstartup-wait = \"1s\"\n\
             {lines}[[subnet]]\nprefix = \"10.77.0.0/24\"\n[[subnet.pool]]\nrange = \"10.77.0.10-10.77.0.29\"\n\
             failover = \"campus\"\n",
            folder.0.join(host).display()
        );
        let config = folder.file(&format!("{host}.toml"), &text);
        Server { wire, host, config, log: folder.0.join(host).with_extension("log"), running: None }
    }

    /// What it has logged.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn start(&mut self) {
        let log = File::options().append(true).create(true).open(&self.log).unwrap();
        let mut serve = self.wire.command(self.host, env!("CARGO_BIN_EXE_tandem"));
        serve.args(["serve", "-c", &self.config]).stderr(log);
        self.running = Some(Running(serve.spawn().unwrap()));
    }

    pub fn ask(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut tandem = self.wire.command(self.host, env!("CARGO_BIN_EXE_tandem"));
        told(&tandem.args(arguments).args(["-c", &self.config]).output().unwrap())
    }

    pub fn is_normal(&self) -> bool {
        self.ask(&["failover", "status"]).0 == 0
    }

    pub fn pair(&self) -> serde_json::Value {
        let (_, out, _) = self.ask(&["failover", "status", "--json"]);
        serde_json::from_str::<serde_json::Value>(&out).map(|pairs| pairs[0].clone()).unwrap_or_default()
    }

    /// Status and end of the lease of an address.
    pub fn lease(&self, address: &str) -> (String, u64) {
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

pub fn wait(what: &str, seconds: u64, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
