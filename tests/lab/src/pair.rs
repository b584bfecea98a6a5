//! Two servers that share their pools.
//!
//! *Lives here:* [`Pair`]: two Tandems, or one and a dhcpd, on the clients' wire `lan` and on a wire of their own, `between`;
//! what can be cut, what their states are, whether their bindings are the same.
//! *May know:* Tandem's command line, the names of states.
//! *Must not know:* clients.

use crate::capture::Capture;
use crate::dhcpd;
use crate::network::Lab;
use crate::node::Node;
use crate::partners;
use crate::seconds;
use crate::server::{Lease, Relationship, Server, ServerKind, Setup};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first, which is the primary.
    A,
    /// The second.
    B,
}

impl Side {
    /// Both.
    pub const BOTH: [Side; 2] = [Side::A, Side::B];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Side::A => "A",
            Side::B => "B",
        }
    }

    /// Its address where clients are.
    pub const fn address(self) -> Ipv4Addr {
        match self {
            Side::A => Ipv4Addr::new(10, 1, 0, 1),
            Side::B => Ipv4Addr::new(10, 1, 0, 2),
        }
    }

    /// Its address where its partner is.
    pub const fn link_address(self) -> Ipv4Addr {
        match self {
            Side::A => Ipv4Addr::new(10, 99, 0, 1),
            Side::B => Ipv4Addr::new(10, 99, 0, 2),
        }
    }

    const fn role(self) -> &'static str {
        match self {
            Side::A => "primary",
            Side::B => "secondary",
        }
    }
}

/// The interface of a server where clients are, and the one where its partner is.
const CLIENTS: &str = "eth0";
const LINK: &str = "eth1";

/// One of the two at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its state, as `NORMAL`.
    pub state: String,
    /// Whether it hears its partner.
    pub in_contact: bool,
    /// Updates that wait to be sent, or for their acknowledgement, or were rejected.
    pub untold: u64,
    /// FREE and BACKUP addresses.
    pub available: (u64, u64),
}

/// A binding, as far as both servers must say the same of it.
pub type Binding = BTreeMap<&'static str, String>;

/// What both must say of an address. When a status began is each server's own (F07-7.1.2), where nobody holds it.
const AGREED: [&str; 5] = [
    "binding-status",
    "client",
    "client-hardware-address",
    "lease-expiration-time",
    "client-last-transaction-time",
];

/// A server of the pair and its machine.
#[derive(Debug)]
pub struct Member {
    /// The program.
    pub server: Server,
    /// Its machine.
    pub node: Node,
}

/// Two servers, and what was seen on their two wires. Servers end before the network does.
#[derive(Debug)]
pub struct Pair {
    members: [Member; 2],
    /// What went over the clients' wire.
    pub clients: Capture,
    /// What went from server to server.
    pub link: Capture,
    start: Instant,
    /// By how many seconds the clock of B is ahead of A's, where that is meant to be so.
    pub b_ahead: i64,
    /// The network.
    pub lab: Lab,
}

/// The configuration of one side: leases of a minute, T1 after 20 s, T2 after 30 s, as `Setup::usual`.
pub fn usual(side: Side, mclt: u32) -> Setup {
    let mut setup = Setup::usual();
    setup.failover = Some(Relationship {
        name: "campus".to_owned(),
        role: side.role(),
        addresses: (side.link_address(), side.other().link_address()),
        mclt,
        extra: "receive-timer = \"5s\"\nstartup-wait = \"3s\"".to_owned(),
    });
    setup
}

/// The configuration of one side of a pair in which `tandem` is Tandem and the other dhcpd.
pub fn usual_beside_dhcpd(side: Side, tandem: Side, mclt: u32) -> Setup {
    let mut setup = usual(side, mclt);
    let relationship = setup.failover.as_mut().unwrap();
    if side == tandem {
        relationship.extra.push_str("\npartner-kind = \"dhcpd\"");
    } else {
        relationship.extra.clear();
    }
    setup
}

impl Pair {
    /// Two servers that are usual, in NORMAL.
    #[track_caller]
    pub fn normal(name: &str, mclt: u32) -> Pair {
        let pair = Pair::start(name, |side| usual(side, mclt));
        pair.wait_for_normal(30);
        pair
    }

    /// Two servers of these configurations.
    #[track_caller]
    pub fn start(name: &str, setup: impl Fn(Side) -> Setup) -> Pair {
        Pair::start_with(name, setup, |_, _| Vec::new())
    }

    /// Two servers of these configurations, with variables in their environments that the second function makes.
    #[track_caller]
    pub fn start_with(
        name: &str,
        setup: impl Fn(Side) -> Setup,
        environment: impl Fn(Side, &Node) -> Vec<(&'static str, String)>,
    ) -> Pair {
        Pair::start_of(name, [ServerKind::Tandem; 2], setup, environment)
    }

    /// Tandem on one side, dhcpd on the other, with the usual pools, leases and balance.
    #[track_caller]
    pub fn with_dhcpd(name: &str, tandem: Side, mclt: u32) -> Pair {
        Pair::with_dhcpd_as(name, tandem, |side| usual_beside_dhcpd(side, tandem, mclt))
    }

    /// Two dhcpd, as many have today.
    #[track_caller]
    pub fn two_dhcpd(name: &str, mclt: u32) -> Pair {
        // What is not Tandem here is dhcpd.
        let setup = |side: Side| usual_beside_dhcpd(side, side.other(), mclt);
        Pair::start_of(name, [ServerKind::Dhcpd; 2], setup, |_, _| Vec::new())
    }

    /// Ends one, and starts a Tandem of this configuration in its place, with nothing stored, or with what a Tandem stored there.
    #[track_caller]
    pub fn replace(&mut self, side: Side, mut setup: Setup) {
        let Member { server, node } = self.of_mut(side);
        server.stop();
        setup.state = Some(node.folder().join("tandem"));
        *server = Server::start(node, ServerKind::Tandem, &setup);
        self.say(&format!("a Tandem of another configuration is {}", side.name()));
    }

    /// The same with configurations of one's own.
    #[track_caller]
    pub fn with_dhcpd_as(name: &str, tandem: Side, setup: impl Fn(Side) -> Setup) -> Pair {
        Pair::with_dhcpd_in(name, tandem, setup, |_, _| Vec::new())
    }

    /// The same with variables in their environments.
    #[track_caller]
    pub fn with_dhcpd_in(
        name: &str,
        tandem: Side,
        setup: impl Fn(Side) -> Setup,
        environment: impl Fn(Side, &Node) -> Vec<(&'static str, String)>,
    ) -> Pair {
        let mut kinds = [ServerKind::Dhcpd; 2];
        kinds[tandem as usize] = ServerKind::Tandem;
        Pair::start_of(name, kinds, setup, environment)
    }

    #[track_caller]
    fn start_of(
        name: &str,
        kinds: [ServerKind; 2],
        setup: impl Fn(Side) -> Setup,
        environment: impl Fn(Side, &Node) -> Vec<(&'static str, String)>,
    ) -> Pair {
        let start = Instant::now();
        let lab = Lab::new(name);
        lab.wire("lan");
        lab.wire("between");
        let clients = Capture::start(lab.switch(), "lan");
        let link = Capture::start_partners(lab.switch(), "between");
        let nodes = Side::BOTH.map(|side| {
            let node = lab.node(&side.name().to_lowercase());
            let setup = setup(side);
            let prefix = setup.subnets[0].prefix.split_once('/').unwrap().1.to_owned();
            lab.connect("lan", &node, CLIENTS, &format!("{}/{prefix}", side.address()));
            lab.connect("between", &node, LINK, &format!("{}/24", side.link_address()));
            (side, node, setup)
        });
        let members = nodes.map(|(side, node, setup)| {
            let kind = kinds[side as usize];
            let server = Server::start_with(&node, kind, &setup, environment(side, &node));
            Member { server, node }
        });
        Pair { members, clients, link, start, b_ahead: 0, lab }
    }

    /// Says what happens, and when, for who reads along.
    pub fn say(&self, text: &str) {
        println!("{:6.1} s  {text}", self.start.elapsed().as_secs_f64());
    }

    /// One of the two.
    pub fn of(&self, side: Side) -> &Member {
        &self.members[side as usize]
    }

    /// One of the two.
    pub fn of_mut(&mut self, side: Side) -> &mut Member {
        &mut self.members[side as usize]
    }

    /// Ends one at once, as a power cut would.
    pub fn kill(&mut self, side: Side) {
        self.of_mut(side).server.process().kill();
        self.say(&format!("kill -9 of {}", side.name()));
    }

    /// Asks one to end, and sees that it does so well.
    #[track_caller]
    pub fn stop(&mut self, side: Side) {
        self.of_mut(side).server.stop();
        self.say(&format!("{} ended by SIGTERM", side.name()));
    }

    /// Stops one as it is, or lets it go on.
    pub fn freeze(&mut self, side: Side, frozen: bool) {
        self.of_mut(side).server.process().signal(if frozen { Signal::SIGSTOP } else { Signal::SIGCONT });
        self.say(&format!("{} {}", side.name(), if frozen { "stands still" } else { "goes on" }));
    }

    /// Starts one that has ended.
    #[track_caller]
    pub fn restart(&mut self, side: Side) {
        let Member { server, node } = self.of_mut(side);
        server.restart(node);
        self.say(&format!("{} is started again", side.name()));
    }

    /// Deletes all that one wrote, which has ended.
    pub fn lose(&mut self, side: Side) {
        let state = self.of(side).server.state();
        fs::remove_dir_all(state).unwrap();
        fs::create_dir_all(state).unwrap();
        self.say(&format!("the disk of {} is lost", side.name()));
    }

    /// Cuts what the two say to each other, or mends it.
    pub fn cut_link(&self, cut: bool) {
        self.lab.join("between", &self.of(Side::B).node, LINK, !cut);
        self.say(if cut {
            "the link between A and B is cut"
        } else {
            "the link between A and B is whole again"
        });
    }

    /// Makes the link between the two so slow that an exchange of all bindings takes its time, or as it was.
    pub fn slow_link(&self, slow: bool) {
        for side in Side::BOTH {
            let node = &self.of(side).node;
            node.run(&if slow {
                format!("tc qdisc replace dev {LINK} root tbf rate 64kbit burst 3kb latency 60s")
            } else {
                format!("tc qdisc del dev {LINK} root")
            });
        }
        self.say(if slow { "the link between A and B is slow" } else { "the link is as fast as it was" });
    }

    /// Cuts one off from all clients, or mends that.
    pub fn cut_clients(&self, side: Side, cut: bool) {
        self.lab.join("lan", &self.of(side).node, CLIENTS, !cut);
        let what = if cut { "hears no client any more" } else { "hears clients again" };
        self.say(&format!("{} {what}", side.name()));
    }

    /// Draws the plug of one towards its clients, or puts it back: the server can see that.
    pub fn draw_plug(&self, side: Side, drawn: bool) {
        self.lab.plug(&self.of(side).node, CLIENTS, !drawn);
        self.say(&format!("the plug of {} is {}", side.name(), if drawn { "drawn" } else { "in again" }));
    }

    /// A command about the partner; what it says is not our subject, that it is obeyed is.
    #[track_caller]
    pub fn command(&self, side: Side, words: &[&str]) {
        let Member { server, node } = self.of(side);
        assert_eq!(server.kind(), ServerKind::Tandem, "dhcpd knows no such commands");
        server.ask(node, &[&["failover"], words].concat());
        self.say(&format!("operator to {}: {}", side.name(), words.join(" ")));
    }

    /// The operator of one says that the other is down, and it is.
    #[track_caller]
    pub fn partner_down(&self, side: Side) {
        let Member { server, node } = self.of(side);
        match server.kind() {
            ServerKind::Tandem => self.command(side, &["partner-down", "--yes-it-is-off"]),
            ServerKind::Dhcpd => {
                dhcpd::partner_down(node, "campus");
                self.say(&format!("operator to {}: local-state 4, which is partner-down", side.name()));
            }
        }
    }

    /// How one stands; `None` while it does not answer. dhcpd tells its states, in its file; it takes its partner for lost when
    /// it leaves NORMAL.
    pub fn standing(&self, side: Side) -> Option<Standing> {
        let Member { server, node } = self.of(side);
        if server.kind() == ServerKind::Dhcpd {
            let (state, partner) = dhcpd::states(&server.dhcpd_leases())?;
            let available = |status: &str| {
                let leases = server.leases(node);
                u64::try_from(leases.values().filter(|lease| lease.status == status).count()).unwrap()
            };
            let in_contact = state == "NORMAL" && partner == "NORMAL";
            return Some(Standing {
                state,
                in_contact,
                untold: 0,
                available: (available("free"), available("backup")),
            });
        }
        let output = server.command(node, &["status", "--json"]).output().unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).ok()?;
        let one = &status["failover"][0];
        let number = |key: &str| one[key].as_u64();
        Some(Standing {
            state: one["state"].as_str()?.to_owned(),
            in_contact: one["in-contact"].as_bool()?,
            untold: number("queued")? + number("unacked")? + number("rejected")?,
            available: (number("free")?, number("backup")?),
        })
    }

    /// Waits until one is in a state.
    #[track_caller]
    pub fn wait_for_state(&self, side: Side, state: &str, within: u64) {
        let start = Instant::now();
        loop {
            let standing = self.standing(side);
            if standing.as_ref().is_some_and(|standing| standing.state == state) {
                break;
            }
            let is_late = start.elapsed() > seconds(within);
            assert!(!is_late, "after {within} s {} is not in {state}: {standing:?}", side.name());
            std::thread::sleep(Duration::from_millis(100));
        }
        self.say(&format!("{} is in {state}", side.name()));
    }

    /// Waits until both are in NORMAL and hear each other.
    #[track_caller]
    pub fn wait_for_normal(&self, within: u64) {
        let start = Instant::now();
        let is_normal = |standing: &Option<Standing>| {
            standing.as_ref().is_some_and(|standing| standing.state == "NORMAL" && standing.in_contact)
        };
        loop {
            let standings = Side::BOTH.map(|side| self.standing(side));
            if standings.iter().all(is_normal) {
                break;
            }
            assert!(start.elapsed() < seconds(within), "after {within} s not both in NORMAL: {standings:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
        self.say("both are in NORMAL");
    }

    /// All addresses of one, as JSON.
    #[track_caller]
    pub fn bindings(&self, side: Side) -> BTreeMap<Ipv4Addr, Binding> {
        let Member { server, node } = self.of(side);
        let said = server.ask(node, &["leases", "--json", "--unused"]);
        let all: Vec<Value> = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        let binding = |lease: &Value| AGREED.map(|key| (key, plain(&lease[key]))).into();
        all.iter()
            .map(|lease| (lease["assigned-IP-address"].as_str().unwrap().parse().unwrap(), binding(lease)))
            .collect()
    }

    /// The addresses of which the two do not say the same.
    #[track_caller]
    pub fn differences(&self) -> Vec<String> {
        if Side::BOTH.iter().any(|side| self.of(*side).server.kind() == ServerKind::Dhcpd) {
            return self.differences_from_dhcpd();
        }
        let [of_a, of_b] = Side::BOTH.map(|side| self.bindings(side));
        let addresses: std::collections::BTreeSet<_> = of_a.keys().chain(of_b.keys()).collect();
        let differ = addresses.into_iter().filter(|address| of_a.get(address) != of_b.get(address));
        differ
            .map(|address| format!("{address}: A {:?}, B {:?}", of_a.get(address), of_b.get(address)))
            .collect()
    }

    /// The same where one of them is dhcpd: status, and of a lease the client and the end. Times are whole seconds, corrected by
    /// what was measured.
    fn differences_from_dhcpd(&self) -> Vec<String> {
        let [of_a, of_b] = Side::BOTH.map(|side| self.of(side).server.addresses(&self.of(side).node));
        let addresses: std::collections::BTreeSet<_> = of_a.keys().chain(of_b.keys()).copied().collect();
        let unknown = Lease { status: "free".to_owned(), hardware: String::new(), ends: 0 };
        let differ = |address: &Ipv4Addr| {
            let (a, b) = (of_a.get(address).unwrap_or(&unknown), of_b.get(address).unwrap_or(&unknown));
            let same = a.status == b.status
                && (a.status != "active"
                    || a.hardware == b.hardware
                        && a.ends.saturating_add_signed(self.b_ahead).abs_diff(b.ends) <= 2);
            (!same).then(|| format!("{address}: A {a:?}, B {b:?}"))
        };
        addresses.iter().filter_map(differ).collect()
    }

    /// Waits until both databases are equal, address by address, and nothing is left to be told; how many addresses that is.
    #[track_caller]
    pub fn wait_until_equal(&self, within: u64) -> usize {
        let start = Instant::now();
        loop {
            let untold = Side::BOTH.map(|side| self.standing(side).map(|standing| standing.untold));
            let differences = if untold == [Some(0); 2] { self.differences() } else { Vec::new() };
            if untold == [Some(0); 2] && differences.is_empty() {
                let Member { server, node } = self.of(Side::A);
                let count = server.addresses(node).len();
                self.say(&format!("both say the same of all {count} addresses"));
                return count;
            }
            assert!(
                start.elapsed() < seconds(within),
                "after {within} s the databases are not equal: untold {untold:?}, {} addresses differ, as {:?}",
                differences.len(),
                differences.first()
            );
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// What any dhcpd of the two complained of in its logs, but for lines in which one of these is.
    pub fn complaints(&self, in_order: &[&str]) -> Vec<String> {
        let of = |side| dhcpd::complaints(self.of(side).node.folder(), in_order);
        Side::BOTH.into_iter().flat_map(of).collect()
    }

    /// Whether a line of the log of one has this in it.
    pub fn has_said(&mut self, side: Side, text: &str) -> bool {
        self.of_mut(side).server.process().log().contains(text)
    }

    /// Waits until the log of one has this in it.
    #[track_caller]
    pub fn wait_for_log(&mut self, side: Side, text: &str, within: u64) {
        self.of_mut(side).server.process().wait_for_log(text, seconds(within));
        self.say(&format!("{} says: {text}", side.name()));
    }

    /// Ends the capture of the link: what the two said to each other, none of it malformed by tshark.
    #[track_caller]
    pub fn messages(&mut self) -> Vec<partners::Said> {
        self.link.end();
        partners::said(self.link.file())
    }
}

/// A value without what only explains it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            fields.get("seconds").or_else(|| fields.get("hex")).map_or(value.to_string(), Value::to_string)
        }
        other => other.to_string(),
    }
}
