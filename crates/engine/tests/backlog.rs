//! What waits to be decided: the choice beside a slow and simple one that makes the same, what must always hold, and that no
//! packet makes it ask for memory.

#![expect(clippy::unwrap_used, reason = "a broken test may stop")]

use dhcp::message::MAX_MESSAGE_SIZE;
use engine::backlog::{Added, BLOCK, Backlog, LATE, LONGEST_EVERY, MAX_OF_CLIENT};
use engine::{InterfaceId, Packet};
use failover::time::{Interval, Time};
use proptest::prelude::*;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddrV4};

const DISCOVER: u8 = 1;
const REQUEST: u8 = 3;
const RELEASE: u8 = 7;

/// A message of a client; `says` is what differs from its other messages of that type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    client: u8,
    kind: u8,
    says: u8,
    /// The option that makes it long.
    long: usize,
    xid: u32,
    interface: u32,
}

impl Said {
    fn bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; 240];
        bytes[..3].copy_from_slice(&[1, 1, 6]);
        bytes[4..8].copy_from_slice(&self.xid.to_be_bytes());
        bytes[9] = self.xid.to_be_bytes()[3];
        bytes[28..34].copy_from_slice(&[2, 0, 0, 0, 0, self.client]);
        bytes[236..].copy_from_slice(&[99, 130, 83, 99]);
        bytes.extend([53, 1, self.kind, 12, 1, self.says]);
        for _ in 0..self.long {
            bytes.extend([43, 250]);
            bytes.extend([self.says; 250]);
        }
        bytes.push(255);
        bytes
    }

    fn plain(client: u8, kind: u8, xid: u32) -> Said {
        Said { client, kind, says: 0, long: 0, xid, interface: 1 }
    }

    /// Whether the client says the same once more.
    fn repeats(self, before: Said) -> bool {
        Said { xid: before.xid, ..self } == before && self.blocks() == 1
    }

    fn blocks(self) -> usize {
        self.bytes().len().div_ceil(BLOCK)
    }
}

fn add(backlog: &mut Backlog, said: Said, at: Time) -> Added {
    let source = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, said.client), 68);
    backlog.add(&Packet {
        interface: InterfaceId(said.interface),
        source,
        destination: Ipv4Addr::BROADCAST,
        received: at,
        bytes: &said.bytes(),
    })
}

/// What was taken: transactions of one client.
fn take(backlog: &mut Backlog, now: Time) -> Vec<u32> {
    let mut taken = Vec::new();
    let count = backlog.take(now, |packet| {
        taken.push(u32::from_be_bytes(packet.bytes[4..8].try_into().unwrap()));
        Ok::<(), Infallible>(())
    });
    assert_eq!(count, Ok(taken.len()));
    taken
}

/// The same choice by looking at everything each time.
struct Model {
    blocks: usize,
    choices: u32,
    /// In the order of their first packets: when each asked last, as a number of its own, and what it said.
    clients: Vec<(u64, Time, bool, Vec<Said>)>,
    number: u64,
}

impl Model {
    fn used(&self) -> usize {
        self.clients.iter().flat_map(|(.., said)| said).map(|said| said.blocks()).sum()
    }

    fn oldest(&self, goes_on: bool) -> Option<usize> {
        let those = self.clients.iter().enumerate().filter(|(_, client)| client.2 == goes_on);
        those.min_by_key(|(_, client)| client.0).map(|(at, _)| at)
    }

    fn add(&mut self, said: Said, at: Time) -> Added {
        self.number += 1;
        let goes_on = said.kind != DISCOVER;
        let find = |clients: &[(u64, Time, bool, Vec<Said>)]| {
            clients.iter().position(|client| client.3[0].client == said.client)
        };
        if let Some(client) = find(&self.clients)
            && said.repeats(*self.clients[client].3.last().unwrap())
        {
            let client = &mut self.clients[client];
            (client.0, client.1) = (self.number, at);
            *client.3.last_mut().unwrap() = said;
            return Added { repeats: true, shed: 0 };
        }
        let mut shed = 0;
        while self.used() + said.blocks() > self.blocks {
            let Some(victim) = self.oldest(false).or(self.oldest(true).filter(|_| goes_on)) else {
                return Added { repeats: false, shed: shed + 1 };
            };
            shed += self.clients.remove(victim).3.len();
        }
        match find(&self.clients) {
            Some(client) => {
                let client = &mut self.clients[client];
                (client.0, client.1, client.2) = (self.number, at, client.2 || goes_on);
                client.3.push(said);
                if client.3.len() > MAX_OF_CLIENT {
                    client.3.remove(0);
                    shed += 1;
                }
            }
            None => self.clients.push((self.number, at, goes_on, vec![said])),
        }
        Added { repeats: false, shed }
    }

    fn take(&mut self, now: Time) -> Vec<u32> {
        self.choices += 1;
        let next = if self.choices.is_multiple_of(LONGEST_EVERY) {
            (!self.clients.is_empty()).then_some(0)
        } else {
            let goes_on = self.oldest(true).is_some();
            self.oldest(goes_on).map(|oldest| {
                let those = self.clients.iter().enumerate().filter(|(_, client)| client.2 == goes_on);
                let newest = those.max_by_key(|(_, client)| client.0).unwrap().0;
                if now.since(self.clients[oldest].1) >= LATE { newest } else { oldest }
            })
        };
        next.map_or_else(Vec::new, |next| self.clients.remove(next).3.iter().map(|said| said.xid).collect())
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Said(u8, u8, u8, usize, u32),
    Take,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![4 => Just(DISCOVER), 2 => Just(REQUEST), 1 => Just(RELEASE)];
    let long = prop_oneof![9 => Just(0_usize), 1 => 1..14_usize];
    prop_oneof![
        6 => (0..30_u8, kind, 0..2_u8, long, 1..3_u32)
            .prop_map(|(client, kind, says, long, interface)| Step::Said(client, kind, says, long, interface)),
        3 => Just(Step::Take),
        1 => (0..1500_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Order of clients and of the packets of each, what repeats, what is shed, and how much waits.
    #[test]
    fn it_chooses_as_one_who_looks_at_everything(
        blocks in 7..40_u32,
        steps in proptest::collection::vec(step(), 1..300),
    ) {
        let mut backlog = Backlog::new(blocks, 1);
        let mut model = Model { blocks: blocks as usize, choices: 0, clients: Vec::new(), number: 0 };
        let mut now = Time::from_seconds(1000);
        for (xid, step) in (0..).zip(steps) {
            match step {
                Step::Said(client, kind, says, long, interface) => {
                    let said = Said { client, kind, says, long, xid, interface };
                    prop_assert_eq!(add(&mut backlog, said, now), model.add(said, now));
                }
                Step::Take => prop_assert_eq!(take(&mut backlog, now), model.take(now)),
                Step::Pass(millis) => now = now.plus(Interval::from_millis(millis)),
            }
            prop_assert_eq!(backlog.len(), model.clients.iter().map(|client| client.3.len()).sum::<usize>());
            prop_assert!(model.used() <= blocks as usize);
        }
        // What is left leaves too, and the memory is all there again.
        while !backlog.is_empty() {
            prop_assert_eq!(take(&mut backlog, now), model.take(now));
        }
        let longest = Said { long: 15, ..Said::plain(99, DISCOVER, 0) };
        prop_assert!(longest.bytes().len() <= MAX_MESSAGE_SIZE && longest.blocks() >= 6);
        let alone = Added::default();
        for client in 0..blocks as usize / longest.blocks() {
            let client = u8::try_from(100 + client).unwrap();
            prop_assert_eq!(add(&mut backlog, Said { client, ..longest }, now), alone);
        }
    }

    /// However many others ask, and whatever they ask, who was not dropped is next after so many choices.
    #[test]
    fn nobody_waits_for_ever(before in 0..40_u8, pressure in 1..4_usize) {
        let mut backlog = Backlog::new(1 << 12, 1);
        let now = Time::from_seconds(1000);
        for client in 0..before {
            add(&mut backlog, Said::plain(client, REQUEST, 0), now);
        }
        add(&mut backlog, Said::plain(200, DISCOVER, 77), now);
        let (mut choices, mut xid) = (0, 1000);
        loop {
            for _ in 0..pressure {
                xid += 1;
                let says = Said { says: u8::try_from(xid % 200).unwrap(), ..Said::plain(0, REQUEST, xid) };
                add(&mut backlog, Said { client: 100 + u8::try_from(xid % 50).unwrap(), ..says }, now);
            }
            choices += 1;
            if take(&mut backlog, now.plus(Interval::from_seconds(4))).contains(&77) {
                break;
            }
            prop_assert!(choices <= LONGEST_EVERY * (u32::from(before) + 1), "still waits after {choices}");
        }
    }
}

#[test]
fn first_come_first_served_until_one_has_waited_too_long() {
    let mut backlog = Backlog::new(100, 1);
    let at = Time::from_seconds(1000);
    for client in 0..6 {
        add(&mut backlog, Said::plain(client, DISCOVER, client.into()), at);
    }
    let soon = at.plus(Interval::from_millis(LATE.as_millis() - 1));
    assert_eq!(take(&mut backlog, soon), [0]);
    assert_eq!(take(&mut backlog, soon), [1]);
    let late = at.plus(LATE);
    assert_eq!(take(&mut backlog, late), [5]);
    // Who asks once more is the last that did, and its former question needs no answer.
    assert_eq!(add(&mut backlog, Said::plain(3, DISCOVER, 33), late), Added { repeats: true, shed: 0 });
    assert_eq!(take(&mut backlog, late), [33]);
    // Who goes on with something goes before all that begin.
    add(&mut backlog, Said::plain(9, REQUEST, 9), at);
    assert_eq!(take(&mut backlog, late), [9]);
    assert_eq!((take(&mut backlog, late), take(&mut backlog, late)), (vec![4], vec![2]));
    assert!(take(&mut backlog, late).is_empty());
}

/// RELEASE and DISCOVER, REQUEST and RELEASE, DISCOVER and REQUEST: what a client said first is decided first, although the one kind
/// goes before the other when two clients say them.
#[test]
fn what_one_client_says_is_never_turned_around() {
    let at = Time::from_seconds(1000);
    for late in [Interval::ZERO, LATE] {
        for kinds in [[RELEASE, DISCOVER], [REQUEST, RELEASE], [DISCOVER, REQUEST]] {
            let mut backlog = Backlog::new(100, 1);
            add(&mut backlog, Said::plain(1, DISCOVER, 1), at);
            for (xid, kind) in (10..).zip(kinds) {
                add(&mut backlog, Said::plain(7, kind, xid), at);
            }
            add(&mut backlog, Said::plain(2, DISCOVER, 2), at);
            assert_eq!(take(&mut backlog, at.plus(late)), [10, 11], "{kinds:?}");
        }
    }
}

#[test]
fn the_oldest_beginner_goes_where_there_is_no_room_and_who_goes_on_last() {
    let mut backlog = Backlog::new(7, 1);
    let at = Time::from_seconds(1000);
    let shed = |shed| Added { repeats: false, shed };
    for client in 0..5 {
        assert_eq!(add(&mut backlog, Said::plain(client, REQUEST, client.into()), at), shed(0));
    }
    assert_eq!(add(&mut backlog, Said::plain(5, DISCOVER, 5), at), shed(0));
    assert_eq!(add(&mut backlog, Said::plain(6, DISCOVER, 6), at), shed(0));
    assert_eq!(add(&mut backlog, Said::plain(7, DISCOVER, 7), at), shed(1));
    assert_eq!(add(&mut backlog, Said::plain(8, REQUEST, 8), at), shed(1));
    assert_eq!(add(&mut backlog, Said::plain(9, REQUEST, 9), at), shed(1));
    // All seven go on with something now: a beginner has no room, and one who goes on takes that of the oldest.
    assert_eq!(add(&mut backlog, Said::plain(10, DISCOVER, 10), at), shed(1));
    assert_eq!(add(&mut backlog, Said::plain(11, REQUEST, 11), at), shed(1));
    let all: Vec<u32> = std::iter::from_fn(|| take(&mut backlog, at).first().copied()).collect();
    assert_eq!(all, [1, 2, 3, 4, 8, 9, 11]);
}

#[test]
fn what_cannot_be_read_and_what_is_too_long_harm_nobody() {
    let mut backlog = Backlog::new(100, 1);
    let at = Time::from_seconds(1000);
    let source = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 68);
    let packet = |bytes| Packet {
        interface: InterfaceId(1),
        source,
        destination: Ipv4Addr::BROADCAST,
        received: at,
        bytes,
    };
    for bytes in [&[][..], &[1], &[1, 2], &[9; 300], &[8; 300]] {
        assert!(!backlog.add(&packet(bytes)).repeats, "nothing is taken for a repetition");
    }
    let long = vec![1; MAX_MESSAGE_SIZE + 1];
    assert_eq!(backlog.add(&packet(&long)), Added { repeats: false, shed: 1 });
    assert_eq!(backlog.len(), MAX_OF_CLIENT);
    let mut lengths = Vec::new();
    let taken = backlog.take(at, |packet| {
        lengths.push(packet.bytes.len());
        if lengths.len() == 2 { Err("no more") } else { Ok(()) }
    });
    assert_eq!((taken, lengths), (Err("no more"), vec![1, 2]));
    assert!(backlog.is_empty(), "what was not wanted does not come back");
}

#[test]
fn no_packet_makes_it_ask_for_memory() {
    let mut backlog = Backlog::new(500, 1);
    let at = Time::from_seconds(1000);
    let all: Vec<Vec<u8>> = (0..4000_u32)
        .map(|xid| {
            let client = u8::try_from(xid % 251).unwrap();
            let kind = [DISCOVER, REQUEST][xid as usize % 2];
            Said { long: xid as usize / 100 % 4, ..Said::plain(client, kind, xid) }.bytes()
        })
        .collect();
    let mut taken = 0;
    let counted = allocation_counter::measure(|| {
        for (bytes, number) in all.iter().zip(0_u32..) {
            let source = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 68);
            let (interface, destination) = (InterfaceId(number % 3), Ipv4Addr::BROADCAST);
            backlog.add(&Packet { interface, source, destination, received: at, bytes });
            if number % 5 == 0 {
                taken += backlog.take(at, |_| Ok::<(), Infallible>(())).unwrap();
            }
        }
    });
    assert!(taken > 500, "{taken}");
    assert_eq!((counted.count_total, counted.count_max), (0, 0));
}
