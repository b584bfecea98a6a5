//! One server with two partners, primary of the one and secondary of the other: what one does or does not concerns the other
//! in nothing (F07-5.1.1-01, -02).

#![allow(clippy::expect_used, reason = "a broken test may stop")]

mod common;

use common::{Client, INTERFACE, Reply, START, ip, records, seconds};
use dhcp::MessageType;
use engine::config::{Config, Parts, RelationshipId, RelationshipParts};
use engine::{
    Batch, Commanded, Destination, EndpointView, Engine, Input, Interface, Link, LinkId, Outbox, Packet,
    Position, ToPartner,
};
use failover::endpoint::Command;
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

const HUB: usize = 0;
const WEST: usize = 1;
const EAST: usize = 2;
const MCLT: u64 = 600;
const WINDOW: u32 = 3;

/// The networks are behind relays, so that none depends on which server has an address there.
const RELAYS: [&str; 3] = ["", "10.1.0.1", "10.2.0.1"];

fn parts(node: usize) -> Parts {
    let mut networks = Vec::new();
    let mut relationships = Vec::new();
    for (side, name, hub) in [(WEST, "west", Role::Secondary), (EAST, "east", Role::Primary)] {
        if node != HUB && node != side {
            continue;
        }
        let (prefix, first, last) =
            (format!("10.{side}.0.0/24"), format!("10.{side}.0.10"), format!("10.{side}.0.49"));
        let mut subnet = common::subnet(&prefix, 3600, Some((&first, &last)));
        subnet.pools[0].failover = Some(relationships.len());
        networks.push(engine::config::SharedNetworkParts { name: name.into(), subnets: vec![subnet] });
        let role = if node == HUB { hub } else { hub.other() };
        let mut relationship = RelationshipParts::new(name, role, seconds(MCLT));
        relationship.max_unacked = WINDOW;
        // The hub serves all clients of both.
        relationship.split = if side == WEST { 0 } else { 256 };
        relationships.push(relationship);
    }
    let mut parts = common::parts(Vec::new());
    (parts.shared_networks, parts.relationships) = (networks, relationships);
    parts
}

struct Node {
    number: usize,
    engine: Engine,
    outbox: Outbox,
    log: Vec<Vec<u8>>,
    generation: u64,
    is_up: bool,
    replies: Vec<Reply>,
}

impl Node {
    fn new(number: usize) -> Node {
        let config = Config::check(&parts(number)).expect("a configuration without faults");
        let (outbox, log, replies) = (Outbox::new(Position::START), Vec::new(), Vec::new());
        Node { number, engine: Engine::new(config, 7), outbox, log, generation: 0, is_up: false, replies }
    }

    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, u8::try_from(self.number).expect("a small number") + 1)
    }

    fn start(&mut self, now: Time) {
        let config = Config::check(&parts(self.number)).expect("a configuration without faults");
        self.engine = Engine::new(config, 7);
        self.generation += 1;
        self.engine.set_store([u8::try_from(self.number).expect("small"); 16], self.generation);
        for record in &self.log {
            self.engine.replay(record).expect("our own record");
        }
        self.outbox = Outbox::new(Position(self.log.len() as u64));
        self.engine.start(now, &mut self.outbox);
        let interfaces = [Interface { id: INTERFACE, addresses: vec![self.address()] }];
        self.engine.handle(now, Input::Interfaces(&interfaces), &mut self.outbox);
        self.is_up = true;
    }

    /// Everything recorded is stable at once.
    fn drain(&mut self, now: Time) -> Vec<ToPartner> {
        let mut batch = self.outbox.seal(Batch::default());
        self.log.extend(records(batch.records().2));
        let (end, replies) = (batch.end(), &mut self.replies);
        batch.release(end, now, |destination: &Destination, bytes| {
            replies.push(Reply { destination: *destination, bytes: bytes.to_vec(), rests_on_record: true });
        });
        let mut out = Vec::new();
        batch.release_partners(end, |to| out.push(to));
        out
    }
}

/// The relationship of a node with the partner on this side.
fn relationship(node: usize, side: usize) -> RelationshipId {
    RelationshipId(u32::from(node == HUB && side == EAST))
}

struct Star {
    now: Time,
    nodes: [Node; 3],
    /// Each connection: to which side. Both ends know it by the same number.
    links: BTreeMap<LinkId, usize>,
    next_link: u64,
    /// To which node, on which connection, what.
    wire: VecDeque<(usize, LinkId, Vec<u8>)>,
    /// This node does nothing at all; its connections stand.
    is_stuck: [bool; 3],
    /// Connections whose end it has not seen.
    unseen: Vec<(usize, LinkId)>,
}

impl Star {
    fn new() -> Star {
        let nodes = [HUB, WEST, EAST].map(Node::new);
        let (links, wire) = (BTreeMap::new(), VecDeque::new());
        let now = Time::from_seconds(START);
        let mut star =
            Star { now, nodes, links, next_link: 0, wire, is_stuck: [false; 3], unseen: Vec::new() };
        for n in 0..3 {
            star.nodes[n].start(now);
        }
        star.settle();
        star.pass(seconds(60));
        star
    }

    fn hand(&mut self, n: usize, link: Link<'_>) {
        let Node { engine, outbox, is_up, .. } = &mut self.nodes[n];
        if *is_up {
            engine.handle(self.now, Input::Link(link), outbox);
        }
    }

    fn settle(&mut self) {
        loop {
            let mut is_busy = false;
            for n in 0..3 {
                if self.nodes[n].is_up {
                    for to in self.nodes[n].drain(self.now) {
                        is_busy = true;
                        self.carry(n, to);
                    }
                }
            }
            let next = self.wire.iter().position(|(to, ..)| !self.is_stuck[*to]);
            if let Some((n, link, bytes)) = next.and_then(|at| self.wire.remove(at)) {
                is_busy = true;
                if self.links.contains_key(&link) {
                    self.hand(n, Link::Received { link, at: self.now, bytes: &bytes });
                }
            }
            if !is_busy {
                return;
            }
        }
    }

    fn carry(&mut self, n: usize, to: ToPartner) {
        match to {
            ToPartner::Connect { relationship: of } => {
                let side = if n == HUB { [WEST, EAST][of.0 as usize] } else { n };
                let other = if n == HUB { side } else { HUB };
                // That of a secondary only asks for the primary's.
                let is_primary = n == if side == WEST { WEST } else { HUB };
                let stands = self.links.values().any(|linked| *linked == side);
                if !is_primary || stands || !self.nodes[other].is_up || self.is_stuck[other] {
                    return self.hand(n, Link::Failed { relationship: of });
                }
                self.next_link += 1;
                let link = LinkId(self.next_link);
                self.links.insert(link, side);
                self.hand(n, Link::Connected { link, relationship: of });
                self.hand(other, Link::Accepted { link, relationship: relationship(other, side) });
            }
            ToPartner::Send { link, outgoing } => {
                let mut bytes = Vec::new();
                self.nodes[n].engine.encode(self.now, link, outgoing, &mut bytes).expect("our own message");
                if let Some(side) = self.links.get(&link).filter(|_| !bytes.is_empty()) {
                    self.wire.push_back((if n == HUB { *side } else { HUB }, link, bytes));
                }
            }
            ToPartner::Close { link } => self.close(link),
            ToPartner::StartTls { link } => self.hand(n, Link::TlsStarted { link, peer: "partner" }),
        }
    }

    fn close(&mut self, link: LinkId) {
        if let Some(side) = self.links.remove(&link) {
            for n in [HUB, side] {
                if self.is_stuck[n] {
                    self.unseen.push((n, link));
                } else {
                    self.hand(n, Link::Closed { link });
                }
            }
        }
    }

    fn kill(&mut self, n: usize) {
        self.nodes[n].is_up = false;
        let linked: Vec<LinkId> =
            self.links.iter().filter(|(_, side)| n == HUB || **side == n).map(|(link, _)| *link).collect();
        for link in linked {
            self.close(link);
        }
        self.settle();
    }

    fn start(&mut self, n: usize) {
        self.nodes[n].start(self.now);
        self.settle();
    }

    fn goes_on(&mut self, n: usize) {
        self.is_stuck[n] = false;
        for (n, link) in std::mem::take(&mut self.unseen) {
            self.hand(n, Link::Closed { link });
        }
        self.settle();
    }

    fn pass(&mut self, interval: Interval) {
        let end = self.now.plus(interval);
        loop {
            let stuck = self.is_stuck;
            let due = |node: &Node| node.engine.next_deadline().filter(|_| node.is_up && !stuck[node.number]);
            let Some(next) = self.nodes.iter().filter_map(due).min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            for node in &mut self.nodes {
                if node.is_up
                    && !stuck[node.number]
                    && node.engine.next_deadline().is_some_and(|at| at <= self.now)
                {
                    node.engine.handle(self.now, Input::Wake, &mut node.outbox);
                }
            }
            self.settle();
        }
        self.now = end;
    }

    /// What the hub shows of its two endpoints.
    fn hub(&self) -> (EndpointView, EndpointView) {
        let mut views = self.nodes[HUB].engine.endpoints(self.now);
        let east = views.pop().expect("two endpoints");
        (views.pop().expect("two endpoints"), east)
    }

    fn states(&self) -> (FailoverState, FailoverState) {
        let (west, east) = self.hub();
        (west.state, east.state)
    }

    /// The hub alone hears this.
    fn ask(&mut self, bytes: &[u8]) -> Vec<Reply> {
        let node = &mut self.nodes[HUB];
        let packet = Packet {
            interface: INTERFACE,
            source: SocketAddrV4::new(ip("10.9.9.9"), 67),
            destination: node.address(),
            received: self.now,
            bytes,
        };
        node.engine.handle(self.now, Input::Packet(packet), &mut node.outbox);
        self.settle();
        std::mem::take(&mut self.nodes[HUB].replies)
    }

    /// A client on this side gets a lease from the hub: which, and for how long.
    fn bind(&mut self, side: usize, number: u8) -> Option<(Ipv4Addr, u32)> {
        let mut client = Client::new(number);
        client.giaddr = ip(RELAYS[side]);
        let discover = client.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[]);
        let offer = self.ask(&discover).pop()?;
        let (address, server) = (offer.yiaddr().octets(), self.nodes[HUB].address().octets());
        let options: [(u8, &[u8]); 2] =
            [(dhcp::code::REQUESTED_ADDRESS, &address), (dhcp::code::SERVER_IDENTIFIER, &server)];
        let ack = self.ask(&client.message(MessageType::Request, Ipv4Addr::UNSPECIFIED, &options)).pop()?;
        (ack.kind() == MessageType::Ack).then(|| (ack.yiaddr(), ack.lease()))
    }
}

const NORMAL: FailoverState = FailoverState::Normal;

/// Settled in every respect.
fn assert_quiet(view: &EndpointView) {
    assert_eq!((view.queued, view.unacked, view.refused), (0, 0, 0), "{}", view.name);
}

/// F07-2.2-01, F07-4.1-06.
#[test]
fn each_endpoint_has_its_own_role_pools_and_state() {
    let mut star = Star::new();
    let (west, east) = star.hub();
    assert_eq!((west.role, east.role), (Role::Secondary, Role::Primary));
    assert_eq!((west.state, east.state), (NORMAL, NORMAL));
    assert_eq!((west.free, west.backup, east.free, east.backup), (20, 20, 20, 20));
    assert!(star.bind(WEST, 1).is_some() && star.bind(EAST, 1).is_some(), "one client on both sides");
    star.pass(seconds(40));
    let (west, east) = star.hub();
    assert_eq!((west.free + west.backup, east.free + east.backup), (39, 39));
    assert_quiet(&west);
    assert_quiet(&east);
    for side in [WEST, EAST] {
        assert_eq!(star.nodes[side].engine.endpoints(star.now)[0].state, NORMAL);
    }
}

#[test]
fn a_dead_partner_concerns_the_other_in_nothing() {
    for (dead, alive) in [(WEST, EAST), (EAST, WEST)] {
        let of = |star: &Star, side| if side == WEST { star.hub().0 } else { star.hub().1 };
        let mut star = Star::new();
        star.kill(dead);
        for number in 1..=15 {
            assert!(star.bind(dead, number).is_some() && star.bind(alive, number).is_some());
        }
        assert_eq!(of(&star, dead).state, FailoverState::CommunicationsInterrupted);
        assert_eq!(of(&star, dead).queued, 15);
        assert_eq!(of(&star, alive).state, NORMAL);
        assert_quiet(&of(&star, alive));
        // What the one acknowledged makes no lease of the other's longer (F07-5.2.1-01).
        star.pass(seconds(200));
        let lease = |star: &mut Star, side| star.bind(side, 1).expect("a lease").1;
        assert_eq!(
            (lease(&mut star, dead), lease(&mut star, alive)),
            (u32::try_from(MCLT).expect("it fits"), 3600)
        );
        // An operator's word is about one of them.
        let down = star.nodes[HUB].engine.relationship(&of(&star, dead).name).expect("it is there");
        let Node { engine, outbox, .. } = &mut star.nodes[HUB];
        let done = engine.command_partner(star.now, down, Command::PartnerDown, outbox);
        assert_eq!(done, Commanded::Done(FailoverState::PartnerDown));
        star.pass(seconds(2 * MCLT));
        assert_eq!((of(&star, dead).state, of(&star, alive).state), (FailoverState::PartnerDown, NORMAL));
        star.start(dead);
        star.pass(seconds(2 * MCLT));
        assert_eq!(star.states(), (NORMAL, NORMAL));
        assert_quiet(&of(&star, dead));
    }
}

/// F07-9.6.4-02.
#[test]
fn a_partner_that_does_not_answer_fills_its_own_window_alone() {
    for (stuck, alive) in [(WEST, EAST), (EAST, WEST)] {
        let of = |star: &Star, side| if side == WEST { star.hub().0 } else { star.hub().1 };
        let mut star = Star::new();
        star.is_stuck[stuck] = true;
        for number in 1..=15 {
            assert!(star.bind(stuck, number).is_some() && star.bind(alive, number).is_some(), "nobody waits");
            assert_quiet(&of(&star, alive));
        }
        let view = of(&star, stuck);
        assert_eq!((view.unacked, view.queued), (WINDOW as usize, 15 - WINDOW), "F07-7.3.2-08");
        // The other goes on being heard and told, while this one is given up.
        star.pass(seconds(60));
        assert_eq!(of(&star, stuck).state, FailoverState::CommunicationsInterrupted);
        assert_eq!(of(&star, alive).state, NORMAL);
        star.goes_on(stuck);
        star.pass(seconds(60));
        assert_eq!(star.states(), (NORMAL, NORMAL));
        assert_quiet(&of(&star, stuck));
    }
}

#[test]
fn a_lost_disk_of_one_partner_raises_and_tells_its_own_bindings_alone() {
    for (lost, whole) in [(WEST, EAST), (EAST, WEST)] {
        let mut star = Star::new();
        for number in 1..=10 {
            assert!(star.bind(lost, number).is_some() && star.bind(whole, number).is_some());
        }
        let ends = |star: &Star, side: usize| {
            let leases = star.nodes[HUB].engine.leases(&engine::LeaseFilter::default(), 1000).0;
            let of = leases.iter().filter(|lease| usize::from(lease.address.octets()[1]) == side);
            of.map(|lease| lease.lease_expiration).max().expect("a lease")
        };
        let before = [ends(&star, lost), ends(&star, whole)];
        star.kill(lost);
        (star.nodes[lost].log, star.nodes[lost].generation) = (Vec::new(), 0);
        star.start(lost);
        star.pass(seconds(30));
        assert!(ends(&star, lost) > before[0], "trap T16");
        assert_eq!(ends(&star, whole), before[1]);
        star.pass(seconds(2 * MCLT));
        assert_eq!(star.states(), (NORMAL, NORMAL));
    }
}
