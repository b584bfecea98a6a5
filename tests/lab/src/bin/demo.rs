//! `make demo`: one server, three real clients, `kill -9`, and nobody loses an address.
//!
//! *Lives here:* the story, told with times as it happens, the table at its end, and the exit code: 0 only when it is true.
//! *May know:* all of the lab.
//! *Must not know:* what the server's parts are.
//!
//! The clients are judged by what their interfaces have, asked four times a second from the first lease to the end.
//! With `--forget` the server's store is deleted while it is dead: what the demo says of a server that forgets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a demo that cannot be built may stop")]

use dhcp::MessageType::{Ack, Request};
use lab::capture::now;
use lab::client::{INTERFACE, hardware_address};
use lab::{Capture, Client, ClientKind, Lab, Node, Server, ServerKind, Setup, build};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long the server stays dead: past the T1 of each client, so that all ask in vain, and not so long that one of them
/// gives its lease up, as udhcpc does after 54 s.
const DEAD: Duration = Duration::from_secs(34);

/// At most so long for anything that a client does by itself: a lease.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server on its own node. Issue by issue there are more of them.
struct Site {
    name: &'static str,
    server: Server,
    capture: Capture,
    node: Node,
}

/// A client on its own node, and what was seen of it.
struct Guest {
    client: Client,
    node: Node,
    mac: [u8; 6],
    address: Option<Ipv4Addr>,
    bound_after: Duration,
    /// Requests that nobody answered while the server was dead.
    in_vain: usize,
    renewed: Option<Duration>,
    /// What was wrong at some look.
    faults: BTreeSet<String>,
}

struct Demo {
    start: Instant,
    on_terminal: bool,
    sites: Vec<Site>,
    guests: Vec<Guest>,
    lab: Lab,
}

impl Demo {
    fn new() -> Demo {
        let start = Instant::now();
        let lab = Lab::new("demo");
        lab.wire("lan");
        let on_terminal = std::io::stdout().is_terminal();
        Demo { start, on_terminal, sites: Vec::new(), guests: Vec::new(), lab }
    }

    fn say(&self, text: &str) {
        let clear = if self.on_terminal { "\r\x1b[K" } else { "" };
        println!("{clear}{:6.1} s  {text}", self.start.elapsed().as_secs_f64());
    }

    /// One line at the foot of a terminal: what is waited for, and who has what.
    fn progress(&self, waiting: &str) {
        if !self.on_terminal {
            return;
        }
        let has = |guest: &Guest| guest.address.map_or("-".to_owned(), |address| address.to_string());
        let guests: Vec<String> = self
            .guests
            .iter()
            .map(|guest| format!("{} {}", guest.client.kind().name(), has(guest)))
            .collect();
        print!("\r\x1b[K{:6.1} s  … {waiting}   {}", self.start.elapsed().as_secs_f64(), guests.join("  "));
        let _ = std::io::stdout().flush();
    }

    /// Looks at every client's interface; who had an address must have it still, and alone.
    fn look(&mut self) {
        let at = self.start.elapsed().as_secs_f64();
        let mut held = BTreeSet::new();
        for guest in &mut self.guests {
            let Some(had) = guest.address else { continue };
            match Client::address(&guest.node) {
                Some(has) if has == had => {}
                Some(has) => {
                    guest.faults.insert(format!("had {had}, then {has}"));
                }
                None if guest.faults.iter().any(|fault| fault.starts_with("lost")) => {}
                None => {
                    guest.faults.insert(format!("lost {had} at {at:.0} s"));
                }
            }
            if !held.insert(had) {
                guest.faults.insert(format!("shares {had}"));
            }
        }
    }

    /// Waits, looking at all clients, until `is_over` or the patience ends; whether it is over.
    fn wait(&mut self, what: &str, within: Duration, mut is_over: impl FnMut(&mut Demo) -> bool) -> bool {
        let start = Instant::now();
        loop {
            self.look();
            if is_over(self) {
                return true;
            }
            if start.elapsed() > within {
                return false;
            }
            self.progress(what);
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    fn add_server(&mut self, name: &'static str, address: &str) {
        let node = self.lab.node(name);
        self.lab.connect("lan", &node, "eth0", address);
        let mut server = Server::start(&node, ServerKind::Tandem, &Setup::usual());
        let capture = Capture::start(&node, "eth0");
        self.say(&format!(
            "{name} serves 10.1.0.100 to 10.1.0.199 as process {}; leases of 60 s, T1 after 20 s, T2 after 30 s",
            server.process().pid()
        ));
        self.sites.push(Site { name, server, capture, node });
    }

    /// Starts a client and waits for its first address.
    fn add_client(&mut self, kind: ClientKind, name: &str) {
        let node = self.lab.node(name);
        self.lab.connect("lan", &node, INTERFACE, "");
        let mac = hardware_address(&node, INTERFACE);
        let started = Instant::now();
        let client = Client::start(&node, kind);
        self.guests.push(Guest {
            client,
            node,
            mac,
            address: None,
            bound_after: Duration::ZERO,
            in_vain: 0,
            renewed: None,
            faults: BTreeSet::new(),
        });
        let last = self.guests.len() - 1;
        let bound = self.wait(&format!("{name} asks for an address"), PATIENCE, |demo| {
            let guest = &mut demo.guests[last];
            guest.address = Client::address(&guest.node);
            guest.bound_after = started.elapsed();
            guest.address.is_some()
        });
        let guest = &mut self.guests[last];
        if bound {
            let (address, after) = (guest.address.unwrap(), guest.bound_after.as_secs_f64());
            self.say(&format!("{name} has {address}, {after:.1} s after it was started"));
        } else {
            guest.faults.insert("never got an address".to_owned());
            self.say(&format!("{name} got no address"));
        }
    }

    /// Ends a server as a power cut would, leaves it dead, and counts who asked in vain.
    fn kill_and_wait(&mut self, site: usize) {
        let killed = now();
        self.sites[site].server.process().kill();
        let name = self.sites[site].name;
        self.say(&format!("kill -9 of {name}; it stays dead for {} s, past T1", DEAD.as_secs()));
        self.wait("nobody answers", DEAD, |_| false);
        let seen = self.sites[site].capture.seen();
        for guest in &mut self.guests {
            let asked = |seen: &&lab::Seen| seen.kind() == Some(Request) && seen.chaddr() == guest.mac;
            guest.in_vain = seen.iter().filter(|seen| seen.at > killed).filter(asked).count();
        }
        let asked: Vec<String> = self
            .guests
            .iter()
            .map(|guest| format!("{} {}", guest.client.kind().name(), guest.in_vain))
            .collect();
        self.say(&format!("requests that nobody answered meanwhile: {}", asked.join(", ")));
    }

    /// Deletes all that a dead server wrote.
    fn forget(&self, site: usize) {
        let Site { name, server, .. } = &self.sites[site];
        std::fs::remove_dir_all(server.state()).unwrap();
        self.say(&format!("the store of {name} is deleted"));
    }

    /// Starts a server again; its leases must be those that it gave.
    fn restart(&mut self, site: usize) {
        let started = Instant::now();
        let Site { name, server, node, .. } = &mut self.sites[site];
        server.restart(node);
        let (name, leases) = (*name, server.leases(node));
        for guest in &mut self.guests {
            let lease = guest.address.and_then(|address| leases.get(&address));
            if lease.is_none_or(|lease| lease.status != "active") {
                guest.faults.insert("its lease was forgotten".to_owned());
            }
        }
        self.say(&format!(
            "{name} serves again after {:.1} s, and knows {} leases",
            started.elapsed().as_secs_f64(),
            leases.len()
        ));
    }

    /// Each client renews, or rebinds, by its own timer.
    fn wait_for_renewals(&mut self, site: usize) {
        let restarted = now();
        self.wait("each client renews by its own timer", PATIENCE, |demo| {
            let seen = demo.sites[site].capture.seen();
            for index in 0..demo.guests.len() {
                let Guest { mac, address, renewed, .. } = &demo.guests[index];
                let extended = seen
                    .iter()
                    .find(|seen| seen.at > restarted && seen.kind() == Some(Ack) && seen.chaddr() == *mac);
                let Some(ack) = extended.filter(|_| renewed.is_none()) else { continue };
                let (got, had) = (ack.message().yiaddr(), *address);
                let guest = &mut demo.guests[index];
                guest.renewed = Some(demo.start.elapsed());
                if Some(got) != had {
                    guest.faults.insert(format!("was given {got} instead"));
                }
                let name = demo.guests[index].client.kind().name();
                demo.say(&format!("{name} extended its lease of {got} by its own timer"));
            }
            demo.guests.iter().all(|guest| guest.renewed.is_some() || guest.address.is_none())
        });
        for guest in self.guests.iter_mut().filter(|guest| guest.renewed.is_none()) {
            guest.faults.insert("did not renew".to_owned());
        }
    }

    /// The table, and whether all is well.
    fn verdict(&self) -> bool {
        println!("\nclient    address       first lease  unanswered  extended at  verdict");
        for guest in &self.guests {
            let address = guest.address.map_or("none".to_owned(), |address| address.to_string());
            let renewed = guest.renewed.map_or("-".to_owned(), |at| format!("{:.0} s", at.as_secs_f64()));
            let faults: Vec<&str> = guest.faults.iter().map(String::as_str).collect();
            let verdict = if faults.is_empty() { "kept its address".to_owned() } else { faults.join("; ") };
            println!(
                "{:<8}  {address:<12}  {:>11}  {:>10}  {renewed:>11}  {verdict}",
                guest.client.kind().name(),
                format!("{:.1} s", guest.bound_after.as_secs_f64()),
                guest.in_vain,
            );
        }
        self.guests.iter().all(|guest| guest.faults.is_empty())
    }
}

fn main() -> ExitCode {
    let is_forgetful = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--forget") => true,
        Some(other) => {
            eprintln!("{other}: there is only --forget");
            return ExitCode::from(2);
        }
    };
    println!("tandem: {}", build::tandem().display());
    let mut demo = Demo::new();
    demo.add_server("server", "10.1.0.1/24");
    for kind in ClientKind::ALL {
        demo.add_client(kind, kind.name());
    }
    demo.kill_and_wait(0);
    if is_forgetful {
        demo.forget(0);
    }
    demo.restart(0);
    demo.wait_for_renewals(0);
    // A client that comes later gets none of the addresses that are taken.
    demo.add_client(ClientKind::Udhcpc, "late");
    if let Some(late) = demo.guests.last_mut() {
        late.renewed = Some(demo.start.elapsed());
    }
    demo.look();
    let is_well = demo.verdict();
    let seconds = demo.start.elapsed().as_secs();
    if is_well {
        println!("\nNobody lost an address, and nobody shared one ({seconds} s).");
        ExitCode::SUCCESS
    } else {
        println!("\nNot every client kept its address ({seconds} s): see the table.");
        ExitCode::FAILURE
    }
}
