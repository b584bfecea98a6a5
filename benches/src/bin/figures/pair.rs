//! Two engines with a wire between them that takes no time.
//!
//! *Lives here:* how many bindings a second one tells the other: as leases are given, and after UPDREQALL.
//! *Must not know:* sockets, disks.

use crate::processor;
use benches::{Client, INTERFACE, Kind, Outcome, RELAY, SERVER, checked, parts};
use engine::config::{RelationshipId, RelationshipParts};
use engine::{Batch, Commanded, Engine, Input, Interface, Link, LinkId, Outbox, Packet, Position, ToPartner};
use failover::endpoint::Command;
use failover::message::Message;
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time};
use std::collections::VecDeque;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

const CAMPUS: RelationshipId = RelationshipId(0);
const LINK: LinkId = LinkId(1);

/// Leases given between two looks at the wire.
const AT_ONCE: u32 = 256;

struct Node {
    engine: Engine,
    outbox: Outbox,
    spare: Batch,
    wants: bool,
}

struct Pair {
    nodes: [Node; 2],
    now: Time,
    is_connected: bool,
    /// To which node.
    wire: VecDeque<(usize, Vec<u8>)>,
    /// Bindings told, messages, bytes.
    told: (u64, u64, u64),
}

/// All leases of one server are told to the other as they are given, and once more when it asks for all.
pub(crate) fn updates(leases: u32) -> Result<(), Box<dyn Error>> {
    // The secondary has addresses of its own.
    let mut pair = Pair::new(leases.checked_mul(2).ok_or("too many")? + 1000);
    pair.pass(120)?;
    let before = processor()?;
    for first in (0..leases).step_by(AT_ONCE as usize) {
        for number in first..leases.min(first + AT_ONCE) {
            pair.lease(Client::new(number, Kind::Plain)).ok_or("a client got no address")?;
        }
        pair.settle()?;
    }
    pair.settle()?;
    report("updates-as-leased", leases, &pair, processor()?.saturating_sub(before));
    pair.told = (0, 0, 0);
    let before = processor()?;
    let Node { engine, outbox, .. } = &mut pair.nodes[1];
    if !matches!(engine.command_partner(pair.now, CAMPUS, Command::Resync, outbox), Commanded::Done(_)) {
        return Err("the secondary does not ask for all".into());
    }
    pair.settle()?;
    if pair.told.0 < u64::from(leases) {
        return Err(format!("{} of {leases} bindings were told", pair.told.0).into());
    }
    report("updates-all", leases, &pair, processor()?.saturating_sub(before));
    Ok(())
}

fn report(name: &str, leases: u32, pair: &Pair, took: Duration) {
    let (bindings, messages, bytes) = pair.told;
    let a_second = u128::from(bindings) * 1_000_000 / took.as_micros().max(1);
    println!("{name} {leases} leases");
    println!("{name}-bindings {bindings} bindings");
    println!("{name}-a-message {} bindings", bindings / messages.max(1));
    println!("{name}-bytes {} bytes-a-binding", bytes / bindings.max(1));
    println!("{name}-rate {a_second} bindings-a-second-of-processor-of-both");
}

impl Pair {
    fn new(addresses: u32) -> Pair {
        let now = Time::from_seconds(1_800_000_000);
        let node = |role: Role, store: u8| {
            let mut all = parts(addresses);
            let mut relationship = RelationshipParts::new("campus", role, Interval::from_seconds(60));
            // The primary serves all clients.
            relationship.split = 256;
            all.relationships = vec![relationship];
            all.shared_networks[0].subnets[0].pools[0].failover = Some(0);
            let mut engine = Engine::new(checked(&all), 7);
            engine.set_store([store; 16], 1);
            let mut outbox = Outbox::new(Position::START);
            engine.start(now, &mut outbox);
            let interfaces = [Interface { id: INTERFACE, addresses: vec![SERVER] }];
            engine.handle(now, Input::Interfaces(&interfaces), &mut outbox);
            Node { engine, outbox, spare: Batch::default(), wants: false }
        };
        let nodes = [node(Role::Primary, 1), node(Role::Secondary, 2)];
        Pair { nodes, now, is_connected: false, wire: VecDeque::new(), told: (0, 0, 0) }
    }

    /// Until both are in NORMAL, for so many seconds.
    fn pass(&mut self, seconds: u64) -> Result<(), Box<dyn Error>> {
        for _ in 0..seconds {
            self.now = self.now.plus(Interval::from_seconds(1));
            self.settle()?;
        }
        let states = [0, 1].map(|node| self.nodes[node].engine.endpoints(self.now).remove(0).state);
        if states == [FailoverState::Normal; 2] { Ok(()) } else { Err(format!("{states:?}").into()) }
    }

    /// DISCOVER and REQUEST to the primary.
    fn lease(&mut self, client: Client) -> Option<Ipv4Addr> {
        let offered = self.ask(&client.discover()).address?;
        self.ask(&client.select(offered)).address
    }

    fn ask(&mut self, bytes: &[u8]) -> Outcome {
        let packet = Packet {
            interface: INTERFACE,
            source: SocketAddrV4::new(RELAY, 67),
            destination: SERVER,
            received: self.now,
            bytes,
        };
        let Node { engine, outbox, .. } = &mut self.nodes[0];
        engine.handle(self.now, Input::Packet(packet), outbox);
        self.drain(0)
    }

    /// All that one node decided is stable at once; what is for the other goes on the wire.
    fn drain(&mut self, node: usize) -> Outcome {
        let Node { outbox, spare, .. } = &mut self.nodes[node];
        let mut batch = outbox.seal(std::mem::take(spare));
        let mut outcome = Outcome::default();
        batch.release(batch.end(), self.now, |_, bytes| {
            outcome.replied = bytes.len();
            outcome.address = bytes.get(16..).and_then(<[u8]>::first_chunk).copied().map(Ipv4Addr::from);
        });
        let mut all = Vec::new();
        batch.release_partners(batch.end(), |to| all.push(to));
        self.nodes[node].spare = batch;
        for to in all {
            match to {
                ToPartner::Connect { .. } => self.nodes[node].wants = true,
                ToPartner::Send { link, outgoing } => {
                    if let Message::BndUpd(updates) = &outgoing.message {
                        self.told.0 += updates.updates.len() as u64;
                        self.told.1 += 1;
                    }
                    let is_update = matches!(outgoing.message, Message::BndUpd(_));
                    let mut bytes = Vec::new();
                    // It can be said: it came from this engine.
                    let _ = self.nodes[node].engine.encode(self.now, link, outgoing, &mut bytes);
                    self.told.2 += if is_update { bytes.len() as u64 } else { 0 };
                    self.wire.push_back((1 - node, bytes));
                }
                ToPartner::StartTls { .. } | ToPartner::Close { .. } => self.is_connected = false,
            }
        }
        outcome
    }

    fn hand(&mut self, node: usize, link: Link<'_>) {
        let Node { engine, outbox, .. } = &mut self.nodes[node];
        engine.handle(self.now, Input::Link(link), outbox);
        self.drain(node);
    }

    /// Until nothing is due and nothing is on the wire.
    fn settle(&mut self) -> Result<(), Box<dyn Error>> {
        loop {
            let mut busy = false;
            for node in 0..2 {
                let Node { engine, outbox, .. } = &mut self.nodes[node];
                if engine.next_deadline().is_some_and(|at| at <= self.now) {
                    busy = true;
                    engine.handle(self.now, Input::Wake, outbox);
                }
                self.drain(node);
            }
            if !self.is_connected && self.nodes.iter().any(|node| node.wants) {
                let opener = usize::from(!self.nodes[0].wants);
                self.is_connected = true;
                self.hand(opener, Link::Connected { link: LINK, relationship: CAMPUS });
                self.hand(1 - opener, Link::Accepted { link: LINK, relationship: CAMPUS });
            }
            while let Some((node, bytes)) = self.wire.pop_front() {
                busy = true;
                self.hand(node, Link::Received { link: LINK, at: self.now, bytes: &bytes });
                if !self.is_connected {
                    return Err("the two parted".into());
                }
            }
            if !busy {
                return Ok(());
            }
        }
    }
}
