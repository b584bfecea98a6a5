//! Real clients that are watched.
//!
//! *Lives here:* [`Guest`], a client with its machine and what was wrong with it at some look; [`Guests`], all of a story.
//! *Must not know:* servers.
//!
//! They are judged by what their interfaces have: who had an address must have it still, and alone.

use crate::client::{Client, ClientKind, INTERFACE, hardware_address};
use crate::network::Lab;
use crate::node::Node;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// A client on its own machine.
#[derive(Debug)]
pub struct Guest {
    /// Its name in the story.
    pub name: String,
    /// The program.
    pub client: Client,
    /// Its machine.
    pub node: Node,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// What it has since it was bound.
    pub address: Option<Ipv4Addr>,
    /// When it was started.
    pub started: Instant,
    /// How long it took.
    pub bound_after: Duration,
    /// What was wrong at some look.
    pub faults: BTreeSet<String>,
}

/// All clients of a story.
#[derive(Debug, Default)]
pub struct Guests {
    /// In the order in which they came.
    pub all: Vec<Guest>,
}

impl Guests {
    /// Nobody yet.
    pub fn new() -> Guests {
        Guests::default()
    }

    /// Starts a client on the wire `lan`, and does not wait for its address.
    pub fn begin(&mut self, lab: &Lab, kind: ClientKind, name: &str) -> usize {
        let node = lab.node(name);
        lab.connect("lan", &node, INTERFACE, "");
        let mac = hardware_address(&node, INTERFACE);
        let started = Instant::now();
        let client = Client::start(&node, kind);
        self.all.push(Guest {
            name: name.to_owned(),
            client,
            node,
            mac,
            address: None,
            started,
            bound_after: Duration::ZERO,
            faults: BTreeSet::new(),
        });
        self.all.len() - 1
    }

    /// Starts a client on the wire `lan`, and waits for its address; that of the others is watched meanwhile. Its number.
    #[track_caller]
    pub fn add(&mut self, lab: &Lab, kind: ClientKind, name: &str, within: Duration) -> usize {
        let number = self.begin(lab, kind, name);
        loop {
            let guest = &mut self.all[number];
            guest.address = Client::address(&guest.node);
            guest.bound_after = guest.started.elapsed();
            if guest.address.is_some() {
                return number;
            }
            assert!(
                guest.bound_after < within,
                "{name} got no address in {} s:\n{}",
                within.as_secs(),
                guest.client.process().log()
            );
            self.look();
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// One of each kind, each with its address.
    #[track_caller]
    pub fn one_of_each(&mut self, lab: &Lab) {
        for kind in ClientKind::ALL {
            self.add(lab, kind, kind.name(), Duration::from_secs(40));
        }
    }

    /// Looks at every client's interface.
    pub fn look(&mut self) {
        let mut held = BTreeSet::new();
        for guest in &mut self.all {
            let Some(had) = guest.address else { continue };
            match Client::address(&guest.node) {
                Some(has) if has == had => {}
                Some(has) => {
                    guest.faults.insert(format!("had {had}, then {has}"));
                }
                None => {
                    guest.faults.insert(format!("lost {had}"));
                }
            }
            if !held.insert(had) {
                guest.faults.insert(format!("shares {had}"));
            }
        }
    }

    /// Watches all of them for a time, or until something is over; whether it is.
    pub fn watch(&mut self, within: Duration, mut is_over: impl FnMut() -> bool) -> bool {
        let start = Instant::now();
        loop {
            self.look();
            if is_over() {
                return true;
            }
            if start.elapsed() > within {
                return false;
            }
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// All faults of all of them.
    pub fn faults(&self) -> Vec<String> {
        let of = |guest: &Guest| {
            guest.faults.iter().map(|fault| format!("{}: {fault}", guest.name)).collect::<Vec<_>>()
        };
        self.all.iter().flat_map(of).collect()
    }
}
