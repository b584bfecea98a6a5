//! `make demo`: two servers, real clients, `kill -9` of one of the two, and nobody notices.
//!
//! *Lives here:* the story, told with times as it happens, the table at its end, and the exit code: 0 only when it is true.
//! *May know:* all of the lab.
//! *Must not know:* what the servers' parts are.
//!
//! The clients are judged by what their interfaces have, asked four times a second from the first lease to the end, and
//! all leases by what was on the wire. With `--forget` both disks are deleted at the end: what the demo says of servers
//! that forget.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a demo that cannot be built may stop")]

use dhcp::MessageType::{Ack, Nak, Request};
use lab::capture::now;
use lab::{ClientKind, Guests, Pair, Seen, Side, build, seconds, truth};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// MCLT, in seconds.
const MCLT: u32 = 60;

/// Longer than a lease: who was not answered in it has lost its address.
const A_LEASE: Duration = seconds(65);

/// At most so long for anything that a client does by itself: a lease.
const PATIENCE: Duration = seconds(60);

/// What happened to a client's lease since the kill.
#[derive(Debug, Default, Clone)]
struct Life {
    /// Who gave the first lease.
    by: Option<Side>,
    /// Requests by unicast, at T1, and to all, at T2.
    asked: (usize, usize),
    /// Leases extended.
    extended: usize,
}

struct Demo {
    pair: Pair,
    guests: Guests,
    /// Until when the capture was told.
    told: u64,
    /// Requests on the wire, and whether they went to all.
    requests: BTreeMap<(u32, Vec<u8>), bool>,
    lives: Vec<Life>,
}

impl Demo {
    fn new() -> Demo {
        let pair = Pair::start("demo", |side| lab::pair::usual(side, MCLT));
        let [a, b] = Side::BOTH.map(Side::address);
        pair.say(&format!(
            "A ({a}, primary) and B ({b}, secondary) share 10.1.0.100 to 10.1.0.199: leases of 60 s, T1 after 20 s, T2 after \
             30 s, MCLT {MCLT} s"
        ));
        Demo { pair, guests: Guests::new(), told: 0, requests: BTreeMap::new(), lives: Vec::new() }
    }

    fn side_of(seen: &Seen) -> Option<Side> {
        let server = seen.message().server_identifier()?;
        Side::BOTH.into_iter().find(|side| side.address() == server)
    }

    /// Tells what clients and servers said to each other since it was told last.
    fn tell(&mut self) {
        let seen = self.pair.clients.seen();
        for seen in seen.iter().filter(|seen| seen.at > self.told) {
            let Some(kind) = seen.kind() else { continue };
            let Some(number) = self.guests.all.iter().position(|guest| guest.mac[..] == seen.chaddr()) else {
                continue;
            };
            self.lives.resize(self.guests.all.len(), Life::default());
            let (name, life) = (&self.guests.all[number].name, &mut self.lives[number]);
            let key = (seen.message().xid().0, seen.chaddr());
            let is_extension = !seen.message().ciaddr().is_unspecified();
            if kind == Request && is_extension {
                self.requests.insert(key, seen.is_broadcast());
                if seen.is_broadcast() { life.asked.1 += 1 } else { life.asked.0 += 1 }
            } else if kind == Ack {
                let side = Demo::side_of(seen);
                let (by, address) = (side.map_or("nobody", Side::name), seen.message().yiaddr());
                match self.requests.remove(&key) {
                    Some(to_all) => {
                        let when = if to_all { "after T2, asking all" } else { "after T1" };
                        life.extended += 1;
                        self.pair
                            .say(&format!("    {name} extends its lease of {address} {when}: {by} answers"));
                    }
                    None => life.by = life.by.or(side),
                }
            } else if kind == Nak {
                self.pair.say(&format!("    {name} is refused by {:?}", Demo::side_of(seen)));
            }
        }
        self.told = seen.last().map_or(self.told, |seen| seen.at.max(self.told));
    }

    /// Watches all clients for a time, or until something is over; whether it is.
    fn watch(&mut self, within: Duration, mut is_over: impl FnMut(&Demo) -> bool) -> bool {
        let start = Instant::now();
        loop {
            self.guests.look();
            self.tell();
            if is_over(self) {
                return true;
            }
            if start.elapsed() > within {
                return false;
            }
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// A client that comes, and gets an address.
    fn add(&mut self, kind: ClientKind, name: &str) {
        let number = self.guests.add(&self.pair.lab, kind, name, PATIENCE);
        self.tell();
        let guest = &self.guests.all[number];
        let by = self.lives[number].by.map_or("nobody", Side::name);
        self.pair.say(&format!(
            "{name} has {} from {by}, {:.1} s after it was started",
            guest.address.unwrap(),
            guest.bound_after.as_secs_f64()
        ));
    }

    fn normal_again(&mut self, within: Duration) {
        let start = Instant::now();
        let is_normal = |demo: &Demo| {
            Side::BOTH.into_iter().all(|side| {
                demo.pair
                    .standing(side)
                    .is_some_and(|standing| standing.state == "NORMAL" && standing.in_contact)
            })
        };
        assert!(self.watch(within, is_normal), "the pair did not come back to NORMAL");
        self.pair
            .say(&format!("both are in NORMAL, by themselves, after {:.1} s", start.elapsed().as_secs_f64()));
        let count = self.pair.wait_until_equal(20);
        assert!(count > 0);
    }

    /// A client is leased an address by A, of which B cannot know; in that moment A dies.
    fn last_lease_and_kill(&mut self) {
        self.pair.cut_link(true);
        for n in 1..=12 {
            let name = if n == 1 { "last".to_owned() } else { format!("last{n}") };
            let number = self.guests.begin(&self.pair.lab, ClientKind::Udhcpc, &name);
            let mac = self.guests.all[number].mac;
            let start = Instant::now();
            let ack = loop {
                let seen = self.pair.clients.seen();
                let mine = |seen: &&Seen| seen.kind() == Some(Ack) && seen.chaddr() == mac;
                if let Some(ack) = seen.iter().find(mine) {
                    break ack.clone();
                }
                assert!(start.elapsed() < PATIENCE, "{name} got no lease");
                std::thread::sleep(Duration::from_millis(2));
            };
            if Demo::side_of(&ack) == Some(Side::A) {
                self.pair.of_mut(Side::A).server.process().kill();
                let after = (now() - ack.at) / 1_000_000;
                self.pair.say(&format!(
                    "A leases {} to {name}, and is dead {after} ms later by kill -9; B was never told",
                    ack.message().yiaddr()
                ));
                self.bound(number);
                return;
            }
            self.pair.say(&format!("B leases {} to {name}", ack.message().yiaddr()));
            self.bound(number);
        }
        panic!("B answered twelve new clients of twelve");
    }

    /// The client puts the address that it was leased on its interface.
    fn bound(&mut self, number: usize) {
        let guest = &mut self.guests.all[number];
        guest.address = Some(guest.client.wait_for_address(&guest.node, 10));
        self.tell();
    }

    /// The table, and whether all is well.
    fn verdict(&mut self) -> bool {
        self.watch(Duration::from_secs(1), |_| false);
        println!("\nclient    address       leased by  asked at T1  asked at T2  extended  verdict");
        for (guest, life) in self.guests.all.iter().zip(&self.lives) {
            let address = guest.address.map_or("none".to_owned(), |address| address.to_string());
            let faults: Vec<&str> = guest.faults.iter().map(String::as_str).collect();
            let verdict = if faults.is_empty() { "kept its address".to_owned() } else { faults.join("; ") };
            println!(
                "{:<8}  {address:<12}  {:<9}  {:>11}  {:>11}  {:>8}  {verdict}",
                guest.name,
                life.by.map_or("-", Side::name),
                life.asked.0,
                life.asked.1,
                life.extended
            );
        }
        let shared = truth::shared(&self.pair.clients.stop());
        for case in &shared {
            println!("{case}");
        }
        shared.is_empty() && self.guests.faults().is_empty()
    }
}

/// The story; whether all is well.
fn story(forget: bool) -> bool {
    let mut demo = Demo::new();
    demo.normal_again(seconds(30));
    for kind in ClientKind::ALL {
        demo.add(kind, kind.name());
    }
    demo.last_lease_and_kill();
    demo.add(ClientKind::Dhclient, "new");
    demo.pair.say("A stays dead for longer than a lease lasts");
    demo.watch(A_LEASE, |_| false);
    demo.pair.cut_link(false);
    demo.pair.restart(Side::A);
    demo.normal_again(PATIENCE);
    demo.add(ClientKind::Dhcpcd, "newer");
    demo.pair.kill(Side::A);
    demo.pair.lose(Side::A);
    if forget {
        demo.pair.kill(Side::B);
        demo.pair.lose(Side::B);
        demo.pair.restart(Side::B);
    }
    demo.pair.restart(Side::A);
    demo.watch(seconds(2), |_| false);
    demo.pair.say("A fetches what B knows, and is silent for MCLT: it might have promised what it forgot");
    if forget {
        demo.watch(A_LEASE, |_| false);
    } else {
        demo.normal_again(seconds(u64::from(MCLT) + 40));
        demo.add(ClientKind::Udhcpc, "newest");
    }
    let is_well = demo.verdict();
    let end = if is_well {
        "Nobody lost an address, and nobody shared one"
    } else {
        "Not every client kept its address"
    };
    println!();
    demo.pair.say(end);
    is_well
}

fn main() -> ExitCode {
    let forget = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--forget") => true,
        Some(other) => {
            eprintln!("{other}: there is only --forget");
            return ExitCode::from(2);
        }
    };
    println!("tandem: {}", build::tandem().display());
    if story(forget) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
