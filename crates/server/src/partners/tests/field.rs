//! What broke failover in the field and shows at sockets alone: `docs/field.md`, numbers 6, 7, 35 and 36.
//!
//! *Lives here:* partners that are no servers: they close, say nothing, or take nothing. Time is moved, so that no test waits for it.
//! *Must not know:* what messages say.

use super::*;
use engine::Packet;
use nix::sys::socket::{Backlog, listen};
use std::io::Write;
use std::net::{Shutdown, TcpListener};

/// Longer than the engine waits with another try, and than a connection may take to come about.
const WHILE: Duration = Duration::from_secs(16);

/// A server whose partner is whatever the test makes of it.
fn lone(test: u8) -> Vec<Node> {
    vec![Node::new(test, Role::Primary, Instant::now())]
}

/// Time goes on without anybody waiting for it.
fn moved(nodes: &mut [Node], by: Duration) {
    for node in nodes {
        node.start = node.start.checked_sub(by).expect("a machine that runs for longer");
    }
}

/// Something that listens where the partner should.
fn stand_in(test: u8) -> TcpListener {
    let listener = socket::listener(SocketAddrV4::new(address(test, 2), PORT)).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

/// The next connection of the node, however long it waits with it.
fn taken(nodes: &mut [Node], listener: &TcpListener) -> TcpStream {
    for _ in 0..10 {
        let mut found = None;
        let begin = Instant::now();
        while found.is_none() && begin.elapsed() < Duration::from_millis(300) {
            nodes.iter_mut().for_each(Node::turn);
            found = listener.accept().ok();
        }
        if let Some((stream, _)) = found {
            return stream;
        }
        moved(nodes, WHILE);
    }
    panic!("nobody connects any more");
}

/// A client without a lease is answered, and nothing waits meanwhile.
fn assert_serves(nodes: &mut [Node]) {
    let node = &mut nodes[0];
    let mut bytes = vec![0; 240];
    bytes[..3].copy_from_slice(&[1, 1, 6]);
    bytes[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 7]);
    bytes[236..].copy_from_slice(&[99, 130, 83, 99]);
    bytes.extend([53, 1, 1, 255]);
    node.clients.0.lock().unwrap().clear();
    let begin = Instant::now();
    let now = node.now();
    let packet = Packet {
        interface: InterfaceId(1),
        source: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68),
        destination: Ipv4Addr::BROADCAST,
        received: now,
        bytes: &bytes,
    };
    node.desk.handle(now, Input::Packet(packet)).unwrap();
    node.turn();
    assert_eq!(node.clients.0.lock().unwrap().len(), 1, "an OFFER, in {:?}", node.state());
    assert!(begin.elapsed() < Duration::from_secs(1), "it took {:?}", begin.elapsed());
}

/// It has been in NORMAL, has addresses, and its partner is gone.
fn interrupted(test: u8) -> Vec<Node> {
    let mut nodes = pair(test);
    assert!(run(&mut nodes, Duration::from_secs(10), are_normal), "{:?}", nodes[0].state());
    drop(nodes.pop());
    let is_alone = |nodes: &[Node]| nodes[0].state() == (FailoverState::CommunicationsInterrupted, false);
    assert!(run(&mut nodes, Duration::from_secs(2), is_alone), "{:?}", nodes[0].state());
    nodes
}

/// Nothing is open, and nothing is ready without end.
fn assert_quiet(nodes: &mut [Node]) {
    let has_none = |nodes: &[Node]| nodes[0].partners.wires.is_empty();
    assert!(run(nodes, Duration::from_secs(5), has_none), "{:?}", nodes[0].partners.wires);
    let mut events = [EpollEvent::empty(); EVENTS];
    let ready = nodes[0].partners.epoll.wait(&mut events, EpollTimeout::ZERO).unwrap();
    assert!(ready == 0 || !nodes[0].partners.calls.is_empty(), "{ready} are ready for ever");
}

/// Q14.
#[test]
fn field_06_connection_lost_before_connect_was_done() {
    let test = 21;
    let mut nodes = lone(test);
    for round in 0..2 {
        // Nobody is there: refused.
        let before = nodes[0].counted(ShellCounter::PartnerUnreachable);
        moved(&mut nodes, WHILE);
        let refused = |nodes: &[Node]| nodes[0].counted(ShellCounter::PartnerUnreachable) > before;
        assert!(run(&mut nodes, Duration::from_secs(2), refused), "it is not tried in round {round}");
        // Closed at once; behind CONNECT; after half of an answer; without a word that anything is over.
        for stage in 0..4 {
            let listener = stand_in(test);
            let mut stream = taken(&mut nodes, &listener);
            if stage > 0 {
                stream.set_nonblocking(true).unwrap();
                let mut head = [0; 4];
                let begin = Instant::now();
                while stream.read(&mut head).unwrap_or(0) == 0 {
                    assert!(begin.elapsed() < Duration::from_secs(2), "no CONNECT in round {round}");
                    nodes[0].turn();
                }
                assert_eq!(head[2], 5, "CONNECT");
            }
            if stage == 2 {
                stream.write_all(&[0, 200, 6, 12, 0]).unwrap();
                nodes[0].turn();
            }
            if stage == 3 {
                moved(&mut nodes, WHILE);
                assert_quiet(&mut nodes);
            }
            drop((stream, listener));
            assert_quiet(&mut nodes);
        }
    }
    // The real one is found within what a try may take.
    let start = nodes[0].start;
    nodes.push(Node::new(test, Role::Secondary, start));
    moved(&mut nodes, WHILE);
    let in_contact = |nodes: &[Node]| nodes.iter().all(|node| node.state().1);
    assert!(run(&mut nodes, Duration::from_secs(10), in_contact), "{:?}", nodes[0].state());
}

/// File descriptors of this process, those of other tests included.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn field_07_tries_that_fail_use_up_nothing() {
    let test = 22;
    let mut nodes = interrupted(test);
    let own = std::mem::replace(
        &mut nodes[0].partners.known[0].addresses.listen,
        SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 77), PORT),
    );
    let before = descriptors();
    let tried = nodes[0].counted(ShellCounter::PartnerUnreachable);
    for _ in 0..2000 {
        moved(&mut nodes, Duration::from_secs(6));
        for _ in 0..3 {
            nodes[0].turn();
        }
    }
    let tried = nodes[0].counted(ShellCounter::PartnerUnreachable) - tried;
    assert!(tried > 1000, "{tried} tries in three hours");
    assert!(nodes[0].partners.calls.is_empty() && nodes[0].partners.wires.is_empty());
    // Other tests have some, and none has hundreds.
    assert!(
        descriptors() < before + 300,
        "{} descriptors after {tried} tries, {before} before",
        descriptors()
    );
    assert_serves(&mut nodes);
    nodes[0].partners.known[0].addresses.listen = own;
    let start = nodes[0].start;
    nodes.push(Node::new(test, Role::Secondary, start));
    moved(&mut nodes, WHILE);
    let in_contact = |nodes: &[Node]| nodes.iter().all(|node| node.state().1);
    assert!(run(&mut nodes, Duration::from_secs(10), in_contact), "{:?}", nodes[0].state());
}

/// By whole and by half, with and without something unread.
#[test]
fn field_35_a_socket_that_the_partner_closed() {
    let test = 23;
    let mut nodes = interrupted(test);
    for how in [None, Some(Shutdown::Write), Some(Shutdown::Read), Some(Shutdown::Both)] {
        let listener = stand_in(test);
        let stream = taken(&mut nodes, &listener);
        match how {
            None => drop(stream),
            // The other half stays open, and nobody reads it.
            Some(how) => {
                stream.shutdown(how).unwrap();
                if how == Shutdown::Read {
                    moved(&mut nodes, WHILE);
                }
                assert_quiet(&mut nodes);
            }
        }
        drop(listener);
        assert_quiet(&mut nodes);
        assert_serves(&mut nodes);
    }
}

/// A firewall that drops what comes: a listening socket whose queue is full does the same with a SYN.
#[test]
fn field_36_a_connection_that_never_comes_about() {
    let test = 24;
    let mut nodes = interrupted(test);
    let listener = stand_in(test);
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let from = SocketAddrV4::new(address(test, 5), PORT);
    let at = SocketAddrV4::new(address(test, 2), PORT);
    let full: Vec<TcpStream> =
        (0..4).map(|_| socket::connecting(from, at, Interval::from_seconds(60)).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(50));
    for _ in 0..3 {
        let before = nodes[0].counted(ShellCounter::PartnerUnreachable);
        let begins = |nodes: &[Node]| !nodes[0].partners.calls.is_empty();
        moved(&mut nodes, WHILE);
        assert!(run(&mut nodes, Duration::from_secs(2), begins), "it is not tried");
        let ends = |nodes: &[Node]| nodes[0].partners.calls.is_empty();
        assert!(!run(&mut nodes, Duration::from_millis(300), ends), "the queue is not full");
        // Clients are served while it hangs, and it does not hang for ever.
        assert_serves(&mut nodes);
        moved(&mut nodes, Duration::from_secs(5));
        assert!(run(&mut nodes, Duration::from_secs(2), ends), "it hangs for ever");
        assert_eq!(nodes[0].counted(ShellCounter::PartnerUnreachable), before + 1);
    }
    drop((full, listener));
    let start = nodes[0].start;
    nodes.push(Node::new(test, Role::Secondary, start));
    moved(&mut nodes, WHILE);
    let in_contact = |nodes: &[Node]| nodes.iter().all(|node| node.state().1);
    assert!(run(&mut nodes, Duration::from_secs(10), in_contact), "{:?}", nodes[0].state());
}
