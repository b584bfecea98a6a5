//! More is asked at once than can be kept: the newest are answered, the oldest asked for nothing that they still wait for, each
//! is counted, and in the end all have an address.

use dhcp::MessageType::{Ack, Discover, Offer};
use lab::crowd::{Answer, Crowd};
use lab::{Lab, Node, Server, ServerKind, Setup, seconds};
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::thread::sleep;
use std::time::Duration;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);

/// Who asks.
const CLIENTS: u32 = 20_000;

/// What the server keeps.
const BACKLOG: usize = 4096;

/// What one of its turns reads, and what it decides, while packets wait; of so many choices one is for who came first
/// (`docs/limits.md`).
const READ: u32 = 1024;
const DECIDED: u32 = 256;
const FIRST_EVERY: u32 = 8;

/// Clients ask so many at a time: the wire has a short queue of its own.
const AT_A_TIME: u32 = 200;

/// A server for many clients, and the node on which they are.
pub fn for_many(lab: &Lab, extra: &str) -> (Node, Node, Setup) {
    lab.wire("lan");
    let (server, clients) = (lab.node("server"), lab.node("clients"));
    lab.connect("lan", &server, "eth0", "10.1.0.1/8");
    lab.connect("lan", &clients, "eth0", "10.1.0.2/8");
    let mut setup = Setup::usual();
    setup.subnets[0].prefix = "10.0.0.0/8";
    setup.subnets[0].pool = (Ipv4Addr::new(10, 8, 0, 0), Ipv4Addr::new(10, 9, 255, 255));
    setup.subnets[0].times = (4000, 2000, 3500);
    setup.log_level = "info";
    extra.clone_into(&mut setup.extra);
    (server, clients, setup)
}

/// Who is to be answered, in this order, when all ask one after the other and nobody is decided meanwhile; and how many are not.
fn expected() -> (Vec<u32>, u64) {
    let (mut waiting, mut answered, mut shed) = (VecDeque::new(), Vec::new(), 0);
    let (mut next, mut choices) = (0, 0);
    while next < CLIENTS || !waiting.is_empty() {
        let until = CLIENTS.min(next + READ);
        for client in next..until {
            if waiting.len() == BACKLOG {
                waiting.pop_front();
                shed += 1;
            }
            waiting.push_back(client);
        }
        next = until;
        for _ in 0..DECIDED.min(u32::try_from(waiting.len()).unwrap()) {
            choices += 1;
            let first = choices % FIRST_EVERY == 0;
            answered.extend(if first { waiting.pop_front() } else { waiting.pop_back() });
        }
    }
    (answered, shed)
}

/// All that is answered until there is a second of silence.
fn hear(crowd: &Crowd) -> Vec<Answer> {
    std::iter::from_fn(|| crowd.hear(seconds(1))).collect()
}

/// All ask, one after the other.
fn ask_all(mut each: impl FnMut(u32)) {
    for client in 0..CLIENTS {
        if client % AT_A_TIME == 0 {
            sleep(Duration::from_millis(1));
        }
        each(client);
    }
}

/// Whoever had no answer asks again, and whoever had one takes it, until all have an address; how many DHCPACKs that took.
fn all_get_one(crowd: &Crowd, offers: &[Answer]) -> u64 {
    let mut offered: BTreeMap<u32, Answer> = offers.iter().map(|offer| (offer.client, *offer)).collect();
    let mut bound: BTreeMap<Ipv4Addr, u32> = BTreeMap::new();
    let mut has = vec![false; CLIENTS as usize];
    let mut acks = 0;
    for round in 1..40 {
        ask_all(|client| {
            let xid = round * CLIENTS + client;
            match offered.get(&client) {
                _ if has[client as usize] => {}
                Some(offer) => crowd.select(offer, xid),
                None => crowd.ask(client, Discover, xid, &[]),
            }
        });
        let mut transactions = BTreeMap::new();
        for answer in hear(crowd) {
            assert_eq!(transactions.insert(answer.xid, answer), None, "answered twice");
            if answer.kind == Ack {
                acks += 1;
                has[answer.client as usize] = true;
                assert_eq!(bound.insert(answer.address, answer.client), None, "an address of two clients");
            } else {
                assert_eq!(answer.kind, Offer);
                offered.insert(answer.client, answer);
            }
        }
        println!("after {round} more rounds {} have an address", bound.len());
        if bound.len() == CLIENTS as usize {
            break;
        }
    }
    assert_eq!(bound.len(), CLIENTS as usize, "not all have an address");
    acks
}

#[test]
fn twenty_thousand_at_once_and_a_server_that_stood_still() {
    let lab = Lab::new("avalanche");
    let (server_node, clients_node, setup) = for_many(&lab, &format!("backlog = {BACKLOG}"));
    let mut server = Server::start(&server_node, ServerKind::Tandem, &setup);
    let crowd = Crowd::new(&clients_node, RELAY, SERVER);
    server.process().stand_still();
    ask_all(|client| crowd.ask(client, Discover, client, &[]));
    // All have waited longer than a second: whoever asked last is next.
    sleep(Duration::from_millis(1100));
    server.process().go_on();
    let offers = hear(&crowd);

    let (answered, shed) = expected();
    assert!(offers.iter().all(|answer| answer.kind == Offer && answer.xid == answer.client));
    let order: Vec<u32> = offers.iter().map(|answer| answer.client).collect();
    assert_eq!(order.len(), answered.len());
    assert_eq!(order, answered);
    let counters = server.counters(&server_node);
    let found = ["packets-received", "packets-waited", "offer", "dropped-overload", "dropped-repeated"]
        .map(|name| counters[name]);
    assert_eq!(found, [20_000, 20_000, answered.len() as u64, shed, 0]);
    let found = ["receive-overflow", "dropped-too-old", "packets-waiting"].map(|name| counters[name]);
    assert_eq!(found, [0, 0, 0]);
    let log = server.process().log();
    let said = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(said("more is asked than can be answered"), 1, "{log}");
    assert_eq!(said(&format!("all that waited is decided; {shed} packets found no room")), 1, "{log}");

    let acks = all_get_one(&crowd, &offers);
    let counters = server.counters(&server_node);
    assert_eq!((counters["ack"], counters["receive-overflow"]), (acks, 0));
    let leases = server.status(&server_node)["networks"][0]["by-status"]["ACTIVE"].as_u64();
    assert_eq!(leases, Some(CLIENTS.into()));
    server.stop();
}
