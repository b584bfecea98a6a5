//! What an exchange costs the whole process, counted: system calls, readings of the clock, requests for memory. No times.

use crate::avalanche::for_many;
use dhcp::MessageType::{Ack, Discover, Offer};
use lab::crowd::{Answer, Crowd};
use lab::{Calls, Counting, Lab, Node, Server, ServerKind, seconds};
use std::net::Ipv4Addr;
use std::thread::sleep;
use std::time::Duration;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);

/// Exchanges that are counted.
const EXCHANGES: u64 = 200;

/// How often they are counted until none of them asked for memory.
const AGAIN: u32 = 5;

/// Packets of a batch: no more than one call receives.
const BATCH: u32 = 60;

/// Batches of each kind.
const ROUNDS: u32 = 20;

/// Calls that a call made, once everything has come to rest.
fn counted(counting: &Counting, work: impl FnOnce()) -> Calls {
    let rest = || sleep(Duration::from_millis(300));
    rest();
    let before = counting.calls();
    work();
    rest();
    counting.calls() - before
}

fn answered(crowd: &Crowd) -> Answer {
    crowd.hear(seconds(5)).unwrap_or_else(|| panic!("no answer"))
}

fn exchange(crowd: &Crowd, client: u32) {
    crowd.ask(client, Discover, client, &[]);
    let offer = answered(crowd);
    assert_eq!((offer.client, offer.kind), (client, Offer));
    crowd.select(&offer, client);
    assert_eq!(answered(crowd).kind, Ack);
}

/// So many packets that wait for a server which stands still, and its answers.
fn at_once(server: &mut Server, crowd: &Crowd, count: u32, ask: impl Fn()) -> Vec<Answer> {
    server.process().stand_still();
    ask();
    sleep(Duration::from_millis(50));
    server.process().go_on();
    (0..count).map(|_| answered(crowd)).collect()
}

/// A server whose calls are counted, with its clients.
struct Counted {
    counting: Counting,
    server: Server,
    crowd: Crowd,
    _nodes: [Node; 2],
    _lab: Lab,
}

impl Counted {
    /// It has served once: all that is made once is made.
    fn start(name: &str) -> Counted {
        let lab = Lab::new(name);
        let (server_node, clients_node, setup) = for_many(&lab, "");
        let counting = Counting::new(server_node.folder());
        let server = Server::start_with(&server_node, ServerKind::Tandem, &setup, counting.environment());
        let crowd = Crowd::new(&clients_node, RELAY, SERVER);
        (0..40).for_each(|client| exchange(&crowd, client));
        // The log is filled ahead of what is written; that ends.
        let is_filled = (0..200).any(|_| counted(&counting, || ()).pwrite == 0);
        assert!(is_filled, "the log is written to for a minute, and nobody asks");
        Counted { counting, server, crowd, _nodes: [server_node, clients_node], _lab: lab }
    }
}

#[test]
fn an_exchange_alone() {
    let Counted { counting, mut server, crowd, _nodes, _lab } = Counted::start("cost-alone");
    let exchanges = |round: u32| {
        let first = 1000 * (1 + round);
        let alone = counted(&counting, || {
            (0..EXCHANGES).for_each(|number| exchange(&crowd, first + u32::try_from(number).unwrap()));
        });
        println!("{EXCHANGES} exchanges, one packet at a time: {alone:?}");
        alone
    };
    // Where neighbours hold up a thread, one buffer more goes round than before, and that one is made once.
    let mut rounds = (0..AGAIN).map(exchanges);
    let alone = rounds.find(|alone| alone.allocations == 0).expect("exchanges without an allocation");
    let each = |times: u64| times * EXCHANGES;
    assert_eq!([alone.recvmmsg, alone.sendmmsg], [each(2); 2], "one call for each packet");
    assert_eq!([alone.pwrite, alone.fdatasync], [each(1); 2], "one write and one sync for each DHCPACK");
    // Each packet wakes once. Beside them something may be due, and a look is taken every ten seconds.
    let beside = alone.epoll_wait - each(2);
    assert!(beside <= 5, "{alone:?}");
    assert!((each(12)..=each(12) + 10 * beside).contains(&alone.clock_gettime), "{alone:?}");
    server.stop();
}

#[test]
fn sixty_at_once() {
    let Counted { counting, mut server, crowd, _nodes, _lab } = Counted::start("cost-at-once");
    // What it takes to stand still and go on, without a packet: other threads wake too.
    let still = counted(&counting, || drop(at_once(&mut server, &crowd, 0, || {})));
    assert_eq!([still.recvmmsg, still.sendmmsg, still.pwrite, still.fdatasync], [0; 4]);
    // The last round is counted: by then each buffer that goes round has been as full once.
    for round in 1..=ROUNDS {
        let first = 10_000 + round * BATCH;
        let (mut offers, mut acks) = (Vec::new(), Vec::new());
        let mut discover = || {
            offers = at_once(&mut server, &crowd, BATCH, || {
                (first..first + BATCH).for_each(|client| crowd.ask(client, Discover, client, &[]));
            });
        };
        let discovers = if round == ROUNDS {
            Some(counted(&counting, discover))
        } else {
            discover();
            None
        };
        let mut select = || {
            acks = at_once(&mut server, &crowd, BATCH, || {
                for offer in &offers {
                    crowd.select(offer, offer.xid);
                }
            });
        };
        let requests = if round == ROUNDS {
            Some(counted(&counting, select))
        } else {
            select();
            None
        };
        assert!(offers.iter().all(|answer| answer.kind == Offer));
        assert!(acks.iter().all(|answer| answer.kind == Ack));
        for (calls, synced) in discovers.into_iter().zip([0]).chain(requests.into_iter().zip([1])) {
            println!("{BATCH} packets at once: {calls:?}");
            assert_eq!((calls.recvmmsg, calls.sendmmsg), (1, 1), "{calls:?}");
            assert_eq!((calls.pwrite, calls.fdatasync), (synced, synced), "{calls:?}");
            assert_eq!(calls.allocations, still.allocations, "{calls:?}");
        }
    }
    server.stop();
}
