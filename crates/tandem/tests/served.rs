//! A real server in a network namespace of its own, asked by the real command line. Needs root.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod common;

use common::{Folder, tandem, told};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A namespace with one interface, `wire0`, and the other end of its wire; it goes away with all that is in it.
struct Namespace(String);

impl Namespace {
    fn new() -> Namespace {
        let namespace = Namespace(format!("tandem-cli-{}", std::process::id()));
        ip(&["netns", "add", &namespace.0]);
        ip(&["-n", &namespace.0, "link", "add", "wire0", "type", "veth", "peer", "name", "wire1"]);
        ip(&["-n", &namespace.0, "addr", "add", "10.77.0.1/24", "dev", "wire0"]);
        ip(&["-n", &namespace.0, "link", "set", "wire1", "up"]);
        ip(&["-n", &namespace.0, "link", "set", "wire0", "up"]);
        namespace
    }

    fn tandem(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, env!("CARGO_BIN_EXE_tandem")]).args(arguments);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().unwrap();
    assert!(done.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Killed if the test fails before it ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_is_checked_asked_and_stopped() {
    let folder = Folder::new("served");
    let namespace = Namespace::new();
    let state = folder.0.join("state");
    let text = format!(
        "interfaces = [\"wire0\"]\nstate-directory = \"{}\"\nclock-wait = 0\nsegment-size = 1048576\nlease-time = \"1h\"\n\
         [[subnet]]\nprefix = \"10.77.0.0/24\"\n[[subnet.pool]]\nrange = \"10.77.0.10-10.77.0.19\"\n",
        state.display()
    );
    let config = folder.file("tandem.toml", &text);
    let run = |arguments: &[&str]| {
        told(&namespace.tandem(&[arguments, &["-c", &config]].concat()).output().unwrap())
    };

    let (code, out, _) = run(&["check"]);
    assert!(code == 0 && out.starts_with("on wire0: 1 network, 1 subnet, 1 pool with 10 addresses"), "{out}");
    assert_eq!(run(&["status"]).0, 3);

    let mut server = Server(namespace.tandem(&["serve", "-c", &config]).spawn().unwrap());
    let begin = Instant::now();
    while run(&["status"]).0 != 0 {
        assert!(begin.elapsed() < Duration::from_secs(20), "the server does not come up");
        std::thread::sleep(Duration::from_millis(100));
    }
    let (code, out, _) = run(&["status"]);
    assert!(code == 0 && out.starts_with("HEALTHY"), "{out}");
    assert!(out.contains("wire0      up     10.77.0.1"), "{out}");
    let (_, out, _) = run(&["leases", "--unused"]);
    assert_eq!(out.matches(" FREE ").count(), 10, "{out}");
    assert_eq!(run(&["leases"]).1.lines().last(), Some("no leases"));
    let (code, out, _) = run(&["check"]);
    assert!(code == 0 && out.contains("the server runs already"), "{out}");
    let (code, _, err) = run(&["serve"]);
    assert!(code == 5 && err.contains("in use"), "a second server: {code} {err}");

    ip(&["-n", &namespace.0, "link", "set", "wire0", "down"]);
    let begin = Instant::now();
    while run(&["status"]).0 != 4 {
        assert!(begin.elapsed() < Duration::from_secs(10), "an interface that is down is no problem");
        std::thread::sleep(Duration::from_millis(100));
    }

    let number = server.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &number]).status().unwrap().success());
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
    let (code, _, err) = told(&tandem(&["status", "-c", &config]).output().unwrap());
    assert!(code == 3 && err.contains("there is no control socket"), "{err}");
}
