//! *Lives here:* two desks with real sockets between them, on addresses of the loopback, and a disk that the test moves; in the
//! folder the same with TLS and secrets, and with somebody in between.
//! *Must not know:* threads.

mod field;
mod meddling;
mod secured;

use super::*;
use crate::desk::JournalEnds;
use crate::journal::Outlet;
use crate::log::EventLog;
use crate::shared::{Shared, Spent, Work};
use engine::{Destination, Engine, Interface, InterfaceId, Outbox, Position};
use failover::state::FailoverState;
use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use store::Health;

const PORT: u16 = 6470;

/// Addresses that no other test has.
fn address(test: u8, node: u8) -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 100 + test, high.wrapping_mul(7) ^ low, node)
}

/// What leaves for clients at once.
#[derive(Clone, Default)]
struct Clients(Arc<Mutex<Vec<Vec<u8>>>>);

impl Outlet for Clients {
    fn add(&mut self, _: &Destination, bytes: &[u8]) {
        self.0.lock().unwrap().push(bytes.to_vec());
    }

    fn flush(&mut self) {}

    fn take_error(&mut self) -> Option<Errno> {
        None
    }
}

struct Node {
    desk: Desk,
    partners: Partners,
    ends: JournalEnds,
    shared: Arc<Shared>,
    /// What the disk has not synced yet.
    held: Vec<Work>,
    disk_stands: bool,
    start: Instant,
    /// Number and text of what people were told.
    told: Vec<(&'static str, String)>,
    clients: Clients,
}

/// What a node is made with.
#[derive(Debug, Clone, Copy)]
struct Made<'t> {
    /// The last bytes of its own address, and of its partner's.
    ours: u8,
    theirs: u8,
    role: Role,
    /// More lines of its `[[failover]]`.
    lines: &'t str,
}

impl Node {
    fn new(test: u8, role: Role, start: Instant) -> Node {
        let (ours, theirs) = if role == Role::Primary { (1, 2) } else { (2, 1) };
        Node::made(test, Made { ours, theirs, role, lines: "" }, start)
    }

    fn made(test: u8, Made { ours, theirs, role, lines }: Made<'_>, start: Instant) -> Node {
        let text = format!(
            "interfaces = [\"x\"]\nstate-directory = \"/\"\nlease-time = \"1h\"\n[[failover]]\nname = \"campus\"\n\
             role = \"{role}\"\nlisten = \"{}:{PORT}\"\npartner = \"{}:{PORT}\"\nreceive-timer = \"3s\"\n\
             startup-wait = \"2s\"\n{lines}[[subnet]]\nprefix = \"10.0.0.0/16\"\n[[subnet.pool]]\n\
             range = \"10.0.1.0-10.0.1.19\"\nfailover = \"campus\"\n",
            address(test, ours),
            address(test, theirs)
        );
        let (config, _) =
            config::parse("test", &text).unwrap_or_else(|report| panic!("{}", report.render(false)));
        let mut engine = Engine::new(config.engine, 1);
        engine.set_store([ours; 16], 1);
        let counters = Arc::<ShellCounters>::default();
        let shared = Arc::new(Shared::new(Arc::clone(&counters), Position::START, Health::Ok));
        let now = Time::from_seconds(1_800_000_000);
        let partners =
            Partners::new(engine.config(), &config.partners, &config.partner_tls, now, Arc::clone(&counters))
                .unwrap();
        let events = EventLog::new(config.log_level, counters);
        let clients = Clients::default();
        let outlet = Box::new(clients.clone());
        let (mut desk, ends) =
            Desk::new(engine, Outbox::new(Position::START), outlet, Arc::clone(&shared), events);
        desk.start(now);
        let interfaces = [Interface { id: InterfaceId(1), addresses: vec![Ipv4Addr::new(10, 0, 0, ours)] }];
        desk.handle(now, Input::Interfaces(&interfaces)).unwrap();
        Node {
            desk,
            partners,
            ends,
            shared,
            held: Vec::new(),
            disk_stands: false,
            start,
            told: Vec::new(),
            clients,
        }
    }

    fn now(&self) -> Time {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap();
        Time::from_seconds(1_800_000_000).plus(Interval::from_millis(millis))
    }

    /// One turn of the owner, and one of the journal.
    fn turn(&mut self) {
        let now = self.now();
        self.partners.carry(now, &mut self.desk);
        if self.desk.engine.next_deadline().is_some_and(|at| at <= now) {
            self.desk.handle(now, Input::Wake).unwrap();
        }
        self.partners.due(now, &mut self.desk).unwrap();
        self.partners.ready(now, &mut self.desk).unwrap();
        self.desk.seal().unwrap();
        self.partners.carry(now, &mut self.desk);
        self.held.extend(std::iter::from_fn(|| self.ends.work.try_recv()));
        if !self.disk_stands {
            for work in self.held.drain(..) {
                let Work::Batch(batch) = work else { continue };
                self.told.extend(batch.events().0.iter().map(|event| (event.entry().id, event.to_string())));
                self.shared.set_stable(batch.end());
                self.ends.spent.send(Spent::Batch(batch)).unwrap();
            }
        }
    }

    fn state(&self) -> (FailoverState, bool) {
        let view = self.desk.engine.endpoints(self.now()).remove(0);
        (view.state, view.in_contact)
    }

    fn counted(&self, counter: ShellCounter) -> u64 {
        self.shared.counters.get(counter)
    }
}

fn run(nodes: &mut [Node], long: Duration, until: impl Fn(&[Node]) -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < long {
        nodes.iter_mut().for_each(Node::turn);
        if until(nodes) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

fn pair(test: u8) -> Vec<Node> {
    let start = Instant::now();
    [Role::Primary, Role::Secondary].map(|role| Node::new(test, role, start)).into()
}

fn are_normal(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| node.state() == (FailoverState::Normal, true))
}

/// F07-7.2-01.
#[test]
fn nothing_is_said_before_the_disk_has_it_and_a_slow_disk_is_no_dead_partner() {
    let mut nodes = pair(1);
    nodes[0].disk_stands = true;
    let secondary_in_contact = |nodes: &[Node]| nodes[1].state().1;
    assert!(!run(&mut nodes, Duration::from_secs(1), secondary_in_contact), "STATE came before the sync");
    nodes[0].disk_stands = false;
    assert!(run(&mut nodes, Duration::from_secs(10), are_normal), "{:?}", nodes[0].state());
    // Two receive timers without a sync: CONTACT goes on.
    nodes[0].disk_stands = true;
    let is_lost = |nodes: &[Node]| !nodes[0].state().1 || !nodes[1].state().1;
    assert!(!run(&mut nodes, Duration::from_secs(7), is_lost), "a slow disk looks like a dead partner");
    nodes[0].disk_stands = false;
    assert!(run(&mut nodes, Duration::from_secs(5), are_normal));
}

/// F07-7.8.1-02.
#[test]
fn two_that_speak_draft_07_find_together() {
    let start = Instant::now();
    let node = |role| {
        let (ours, theirs) = if role == Role::Primary { (1, 2) } else { (2, 1) };
        // A first run cannot be told in draft-07: both wait for the MCLT.
        Node::made(60, Made { ours, theirs, role, lines: "dialect = \"draft-07\"\nmclt = \"10s\"\n" }, start)
    };
    let mut nodes = vec![node(Role::Primary), node(Role::Secondary)];
    let in_contact = |nodes: &[Node]| nodes.iter().all(|node| node.state().1);
    assert!(run(&mut nodes, Duration::from_secs(10), in_contact), "{:?}", nodes[0].told);
    assert!(run(&mut nodes, Duration::from_secs(40), are_normal), "{:?}", nodes[0].state());
    let losses = nodes.iter().flat_map(|node| &node.told).filter(|(id, _)| *id == "TDM-2002").count();
    assert_eq!(losses, 0, "{:?}", nodes.iter().map(|node| &node.told).collect::<Vec<_>>());
}

#[test]
fn a_partner_that_goes_is_missed_at_once_and_found_again() {
    let mut nodes = pair(2);
    assert!(run(&mut nodes, Duration::from_secs(10), are_normal));
    let mut primary: Vec<Node> = nodes.drain(..1).collect();
    drop(nodes);
    let is_alone = |nodes: &[Node]| nodes[0].state() == (FailoverState::CommunicationsInterrupted, false);
    assert!(run(&mut primary, Duration::from_secs(1), is_alone), "{:?}", primary[0].state());
    let tried = |nodes: &[Node]| nodes[0].counted(ShellCounter::PartnerUnreachable) >= 2;
    assert!(run(&mut primary, Duration::from_secs(15), tried), "it is not tried again");
    assert_eq!(primary[0].partners.wires.len(), 0);
    let start = primary[0].start;
    primary.push(Node::new(2, Role::Secondary, start));
    let in_contact = |nodes: &[Node]| nodes.iter().all(|node| node.state().1);
    assert!(run(&mut primary, Duration::from_secs(40), in_contact), "{:?}", primary[0].state());
}

/// F07-5.1.1-04, F07-8.2-02, D12-7.8.2-03, D12-8.2-05, -06.
#[test]
fn strangers_are_closed_and_connections_of_partners_bounded() {
    let mut nodes = pair(3);
    nodes.truncate(1);
    let at = SocketAddrV4::new(address(3, 1), PORT);
    let from = |node: u8| {
        let source = SocketAddrV4::new(address(3, node), PORT);
        socket::connecting(source, at, Interval::from_seconds(5)).unwrap()
    };
    let mut stranger = from(9);
    let closed = |nodes: &[Node]| nodes[0].counted(ShellCounter::PartnerStrangers) == 1;
    assert!(run(&mut nodes, Duration::from_secs(2), closed));
    stranger.set_nonblocking(false).unwrap();
    assert!(matches!(stranger.read(&mut [0; 1]), Ok(0) | Err(_)), "it is still open");
    let calls: Vec<TcpStream> = (0..20).map(|_| from(2)).collect();
    let all_taken = |nodes: &[Node]| {
        nodes[0].counted(ShellCounter::PartnerAccepted) + nodes[0].counted(ShellCounter::PartnerRefused) == 20
    };
    assert!(run(&mut nodes, Duration::from_secs(2), all_taken));
    assert!(nodes[0].counted(ShellCounter::PartnerRefused) > 0);
    assert!(nodes[0].partners.wires.len() <= MAX_LINKS);
    drop(calls);
    let none_left = |nodes: &[Node]| nodes[0].partners.wires.is_empty();
    assert!(run(&mut nodes, Duration::from_secs(5), none_left), "{:?}", nodes[0].partners.wires);
}

#[test]
fn a_port_that_another_has_is_an_error_and_a_missing_address_is_waited_for() {
    let nodes = pair(4);
    let now = Time::from_seconds(100);
    let taken = SocketAddrV4::new(address(4, 1), PORT);
    let error = Listening::all(&[taken], now).unwrap_err().to_string();
    assert!(error.contains("in use by another program"), "{error}");
    drop(nodes);
    let missing = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 77), PORT);
    let mut listening = Listening::all(&[missing, missing], now).unwrap();
    assert_eq!(listening.len(), 1);
    let again = listening[0].deadline().unwrap();
    assert!(again > now && !listening[0].look(again));
    listening[0].at = taken;
    assert!(!listening[0].look(again), "it is tried before its time");
    let again = listening[0].deadline().unwrap();
    assert!(listening[0].look(again));
    assert_eq!(listening[0].deadline(), None);
}
