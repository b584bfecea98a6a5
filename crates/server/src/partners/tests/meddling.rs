//! Somebody sits between two nodes and changes, drops, repeats or swaps what passes.
//!
//! *Lives here:* [`Between`], what it does at which byte, and that it wins nothing but the end of a connection.
//! *Must not know:* keys and secrets.

use super::secured::{Authority, secret_lines, statuses};
use super::*;
use std::io::Write;
use std::net::TcpListener;

/// What is done to the bytes that pass.
#[derive(Debug, Clone, Copy)]
enum Meddling {
    /// Bits of one byte are turned over.
    Change,
    /// One byte is taken away.
    Drop,
    /// So many are taken away.
    DropMany(usize),
    /// So many come once more.
    Repeat(usize),
    /// Two neighbours, each so long, change places.
    Swap(usize),
}

const ALL: [Meddling; 5] =
    [Meddling::Change, Meddling::Drop, Meddling::DropMany(97), Meddling::Repeat(61), Meddling::Swap(41)];

/// Bytes on either side of the place that are held back until it can be done.
const REACH: usize = 100;

/// One direction of a connection.
#[derive(Debug, Default)]
struct Way {
    /// All that came.
    came: Vec<u8>,
    /// How much of it is through.
    through: usize,
}

/// Listens where the primary looks for the secondary, and connects to the secondary from where the primary is.
struct Between {
    listener: TcpListener,
    test: u8,
    nodes: [u8; 2],
    /// The first connection, meddled with, and those after it, left alone: the primary's end, the secondary's, both ways.
    lines: Vec<(TcpStream, TcpStream, [Way; 2])>,
    /// In which way, at which byte, what.
    plan: Option<(usize, usize, Meddling)>,
    is_done: bool,
}

impl Between {
    fn new(test: u8, [primary, secondary, own]: [u8; 3], plan: Option<(usize, usize, Meddling)>) -> Between {
        let listener = TcpListener::bind((address(test, own), PORT)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Between { listener, test, nodes: [primary, secondary], lines: Vec::new(), plan, is_done: false }
    }

    fn turn(&mut self) {
        if let Ok((from_primary, _)) = self.listener.accept() {
            from_primary.set_nonblocking(true).unwrap();
            let [primary, secondary] =
                self.nodes.map(|node| SocketAddrV4::new(address(self.test, node), PORT));
            let to_secondary = socket::connecting(primary, secondary, Interval::from_seconds(5)).unwrap();
            self.lines.push((from_primary, to_secondary, Default::default()));
        }
        let Between { lines, plan, is_done, .. } = self;
        for (number, (primary, secondary, ways)) in lines.iter_mut().enumerate() {
            let plan = plan.filter(|_| number == 0);
            for (way, passed) in ways.iter_mut().enumerate() {
                let (from, to) = if way == 0 { (&*primary, &*secondary) } else { (&*secondary, &*primary) };
                let here =
                    plan.filter(|(which, ..)| *which == way && !*is_done).map(|(_, at, how)| (at, how));
                if pass(from, to, passed, here) {
                    *is_done = true;
                }
            }
        }
    }
}

/// Passes on what came; says whether it was meddled with.
fn pass(mut from: &TcpStream, mut to: &TcpStream, way: &mut Way, plan: Option<(usize, Meddling)>) -> bool {
    let mut buffer = [0; 4096];
    match from.read(&mut buffer) {
        Ok(0) => drop(to.shutdown(std::net::Shutdown::Write)),
        Ok(count) => way.came.extend_from_slice(&buffer[..count]),
        Err(_) => {}
    }
    let rest = &way.came[way.through..];
    let (out, done) = match plan {
        Some((at, how)) if way.came.len() >= at + REACH => (meddled(rest, at - way.through, how), true),
        // What stands before the place goes on, as long as it can be done later.
        Some((at, _)) => (rest[..at.saturating_sub(way.through).min(rest.len())].to_vec(), false),
        None => (rest.to_vec(), false),
    };
    way.through = if done { way.came.len() } else { way.through + out.len() };
    // What one of them does not take any more is lost with its connection.
    drop(to.write_all(&out));
    done
}

fn meddled(bytes: &[u8], at: usize, how: Meddling) -> Vec<u8> {
    let mut out = bytes.to_vec();
    match how {
        Meddling::Change => out[at] ^= 0x41,
        Meddling::Drop => drop(out.remove(at)),
        Meddling::DropMany(count) => drop(out.drain(at..at + count)),
        Meddling::Repeat(count) => drop(out.splice(at..at, bytes[at..at + count].to_vec())),
        Meddling::Swap(count) => out[at..at + 2 * count].rotate_left(count),
    }
    out
}

/// A pair with somebody in between.
struct Trial {
    nodes: Vec<Node>,
    between: Between,
}

impl Trial {
    fn turn(&mut self) {
        self.between.turn();
        self.nodes.iter_mut().for_each(Node::turn);
    }

    fn ended(&self) -> bool {
        self.nodes.iter().any(|node| node.told.iter().any(|(id, _)| matches!(*id, "TDM-2002" | "TDM-2018")))
    }
}

/// Whether the place lies in the clear beginning of a TLS connection: CONNECT, or CONNECTACK.
fn is_in_clear(trial: &Trial, way: usize, at: usize) -> bool {
    let came = &trial.between.lines[0].2[way].came;
    at < usize::from(u16::from_be_bytes([came[0], came[1]]))
}

/// One trial for each place and each way to meddle, all at once; how many were meddled with.
fn meddle(test: u8, lines: impl Fn(Ipv4Addr) -> String, partner_name: bool, places: &[usize]) -> usize {
    let start = Instant::now();
    let mut trials = Vec::new();
    let plans = (0..2).flat_map(|way| places.iter().map(move |at| (way, *at)));
    for (number, (way, at)) in plans.enumerate() {
        let how = ALL[number % ALL.len()];
        let first = u8::try_from(number * 3 + 1).unwrap();
        let [primary, secondary, own] = [first, first + 1, first + 2];
        // The primary looks for its partner where somebody else is; so the name is said.
        let named = |node| {
            if partner_name { format!("partner-name = \"{}\"\n", address(test, node)) } else { String::new() }
        };
        let texts = [
            lines(address(test, primary)) + &named(secondary),
            lines(address(test, secondary)) + &named(primary),
        ];
        let made = [
            Made { ours: primary, theirs: own, role: Role::Primary, lines: &texts[0] },
            Made { ours: secondary, theirs: primary, role: Role::Secondary, lines: &texts[1] },
        ];
        let nodes = made.map(|made| Node::made(test, made, start)).into();
        let between = Between::new(test, [primary, secondary, own], Some((way, at, how)));
        trials.push(Trial { nodes, between });
    }
    while start.elapsed() < Duration::from_secs(25)
        && !trials.iter().all(|trial| trial.between.is_done && trial.ended())
    {
        trials.iter_mut().for_each(Trial::turn);
        std::thread::sleep(Duration::from_millis(2));
    }
    let done = trials.iter().filter(|trial| trial.between.is_done);
    for trial in done.clone() {
        let (way, at, how) = trial.between.plan.unwrap();
        let told: Vec<_> = trial.nodes.iter().map(|node| &node.told).collect();
        // What is changed before TLS begins is said once more over TLS, or TLS does not begin.
        let harmless = partner_name && is_in_clear(trial, way, at);
        assert!(trial.ended() || harmless, "{how:?} at {at} of way {way}: {told:#?}");
        won_nothing(trial);
    }
    done.count()
}

/// What the secondary has of the primary's is what the primary gave it, and the other way round: an address that is not FREE is
/// the same on both, or on its way.
fn won_nothing(trial: &Trial) {
    use failover::binding::BindingStatus::{Backup, Free};
    for ((at, ours), (_, theirs)) in statuses(&trial.nodes[0]).into_iter().zip(statuses(&trial.nodes[1])) {
        assert!(
            matches!((ours, theirs), (Free, Free) | (Backup, Free | Backup)),
            "{at}: {ours:?} {theirs:?} {:?}",
            trial.between.plan
        );
    }
}

#[test]
fn who_meddles_with_signed_messages_ends_the_connection_and_no_more() {
    let authority = Authority::new("meddling-secret");
    let lines = secret_lines(&authority, "secret");
    let places: Vec<usize> = [3, 40].into_iter().chain((0..18).map(|n| 210 + n * 83)).collect();
    let done = meddle(9, |_| lines.clone(), false, &places);
    assert!(done >= 20, "only {done} were meddled with");
}

#[test]
fn who_meddles_with_tls_ends_the_connection_and_no_more() {
    let authority = Authority::new("meddling-tls");
    let places: Vec<usize> = [3, 40].into_iter().chain((0..18).map(|n| 230 + n * 131)).collect();
    let done = meddle(10, |of| authority.lines(of, &authority, ""), true, &places);
    assert!(done >= 20, "only {done} were meddled with");
}

/// Plays the recorded bytes of one way to whoever connects, or to where somebody listens.
fn play(stream: &mut TcpStream, bytes: &[u8]) {
    stream.set_nonblocking(false).unwrap();
    drop(stream.write_all(bytes));
    stream.set_nonblocking(true).unwrap();
}

fn recorded(test: u8, lines: [&str; 2]) -> (Vec<Node>, [Vec<u8>; 2]) {
    let start = Instant::now();
    let made = [
        Made { ours: 1, theirs: 3, role: Role::Primary, lines: lines[0] },
        Made { ours: 2, theirs: 1, role: Role::Secondary, lines: lines[1] },
    ];
    let mut trial = Trial {
        nodes: made.map(|made| Node::made(test, made, start)).into(),
        between: Between::new(test, [1, 2, 3], None),
    };
    while start.elapsed() < Duration::from_secs(12) && !are_normal(&trial.nodes) {
        trial.turn();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(are_normal(&trial.nodes), "{:?}", trial.nodes[0].told);
    let longest = trial.between.lines.iter().max_by_key(|(_, _, ways)| ways[0].came.len()).unwrap();
    let both = [0, 1].map(|way| longest.2[way].came.clone());
    (trial.nodes, both)
}

/// The partner goes; somebody plays what it said, to who is left.
fn plays_nothing_new(test: u8, lines: [&str; 2]) {
    let (mut nodes, [of_primary, of_secondary]) = recorded(test, lines);
    let secondary_at = SocketAddrV4::new(address(test, 2), PORT);
    let primary_at = SocketAddrV4::new(address(test, 1), PORT);
    drop(nodes.remove(0));
    let alone = |nodes: &[Node]| !nodes[0].state().1;
    assert!(run(&mut nodes, Duration::from_secs(5), alone));
    nodes[0].told.clear();
    let before = statuses(&nodes[0]);
    let mut stream = socket::connecting(primary_at, secondary_at, Interval::from_seconds(5)).unwrap();
    run(&mut nodes, Duration::from_millis(200), |_| false);
    play(&mut stream, &of_primary);
    let said = |nodes: &[Node]| nodes[0].told.iter().any(|(id, _)| matches!(*id, "TDM-2018" | "TDM-2002"));
    assert!(run(&mut nodes, Duration::from_secs(5), said), "{:?}", nodes[0].told);
    assert!(!nodes[0].told.iter().any(|(id, _)| *id == "TDM-2001"), "{:?}", nodes[0].told);
    assert_eq!(statuses(&nodes[0]), before);
    drop(nodes);
    // A primary that starts anew, without any memory of its own, finds somebody where its partner was.
    let listener = TcpListener::bind((address(test, 3), PORT)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let made = Made { ours: 1, theirs: 3, role: Role::Primary, lines: lines[0] };
    let mut nodes = [Node::made(test, made, Instant::now())];
    let mut calls = Vec::new();
    for _ in 0..3000 {
        nodes.iter_mut().for_each(Node::turn);
        if let Ok((mut stream, _)) = listener.accept() {
            play(&mut stream, &of_secondary);
            calls.push(stream);
        }
        assert!(!nodes[0].state().1 && nodes[0].desk.engine.endpoints(nodes[0].now())[0].partner.is_none());
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(!calls.is_empty(), "nobody called");
}

#[test]
fn a_recorded_connection_with_digests_is_not_taken_again() {
    let authority = Authority::new("replay-secret");
    let lines = secret_lines(&authority, "secret");
    plays_nothing_new(11, [&lines, &lines]);
}

#[test]
fn a_recorded_connection_over_tls_is_not_taken_again() {
    let authority = Authority::new("replay-tls");
    let named = |node| format!("partner-name = \"{}\"\n", address(12, node));
    let lines =
        [(1, 2), (2, 1)].map(|(own, partner)| authority.lines(address(12, own), &authority, &named(partner)));
    plays_nothing_new(12, [&lines[0], &lines[1]]);
}
