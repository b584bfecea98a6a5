//! Packets that were read and are not decided yet, and which of them is next, when more is asked than can be answered.
//!
//! *Lives here:* [`Backlog`]: memory of a fixed size, and the choice.
//! *May know:* of a message, who sent it, and whether it begins something or goes on with it.
//! *Must not know:* sockets, bindings, what a message is answered.
//!
//! The choice is between clients, never between packets of one client: those are decided together, in the order in which they
//! came. So a RELEASE and the DISCOVER after it are never turned around, whatever waits. Of what one client says over and over
//! again only the last is kept: an answer to what it has given up is of no use to it.
//!
//! | of eight choices | who is next |
//! | --- | --- |
//! | one | the client that has waited longest: so nobody waits for ever |
//! | seven | a client that goes on with something (REQUEST, RELEASE, DECLINE, INFORM), else one that begins (DISCOVER, BOOTP) |
//!
//! Among the latter it is the one that asked first, until that was [`LATE`] ago; then the one that asked last, who still
//! listens. Where there is no more room, the client that begins something and asked longest ago goes without an answer, and
//! asks again (RFC 2131 4.1).

mod memory;
mod order;

use crate::input::Packet;
use dhcp::identity::MAX_CLIENT_IDENTIFIER;
use dhcp::{Message, MessageType};
use failover::time::{Interval, Time};
use foldhash::fast::FixedState;
use memory::Memory;
use order::{Links, List, Order};
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, SocketAddrV4};

pub use memory::BLOCK;

/// How old a question may be before newer ones go first. Clients ask again after 3 to 5 s (RFC 2131 4.1), some after 2.
pub const LATE: Interval = Interval::from_seconds(1);

/// One choice of so many is for who has waited longest.
pub const LONGEST_EVERY: u32 = 8;

/// Packets of one client that wait; of more the oldest is dropped.
pub const MAX_OF_CLIENT: usize = 4;

/// Where the fields of a message lie that differ when a client says the same again: xid, secs, flags.
const CHANGING: std::ops::Range<usize> = 4..12;

/// What became of a packet that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Added {
    /// The client had said the same before: this packet has taken the place of that one.
    pub repeats: bool,
    /// Packets that were dropped because there was no room, this one perhaps among them.
    pub shed: usize,
}

/// Whether a message begins something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It does: whoever sends it has nothing yet, and asks again.
    Begins,
    /// It goes on with what was begun.
    GoesOn,
}

/// What is known of a packet beside its bytes.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    interface: crate::InterfaceId,
    source: SocketAddrV4,
    destination: Ipv4Addr,
    received: Time,
    length: usize,
    /// Where its bytes begin.
    block: u32,
}

/// A client with packets that wait.
#[derive(Debug, Clone)]
struct Client {
    /// The hash of who it is. Two with one hash only wait for each other.
    key: u64,
    kind: Kind,
    /// When it asked last.
    asked: Time,
    /// Its packets, in the order in which they came; at least one.
    packets: [Option<Waiting>; MAX_OF_CLIENT],
    /// The next client of the same bucket.
    next: Option<u32>,
    /// Its neighbours by the time of the first packet, and by that of the last.
    arrived: Links,
    recent: Links,
}

/// Packets that wait. Its memory is taken at once, and grows no more; what of it was never needed costs nothing.
#[derive(Debug)]
pub struct Backlog {
    memory: Memory,
    clients: Vec<Client>,
    free: Vec<u32>,
    /// The first client of each bucket.
    buckets: Box<[Option<u32>]>,
    hasher: FixedState,
    arrived: List,
    begins: List,
    goes_on: List,
    choices: u32,
    waiting: usize,
}

impl Backlog {
    /// Room for so many packets of at most [`BLOCK`] bytes; a longer one takes that of several. There is always room for one of
    /// the longest. The seed keeps strangers from knowing which clients share a bucket.
    pub fn new(packets: u32, seed: u64) -> Backlog {
        let memory = Memory::new(packets);
        let most = memory.blocks();
        Backlog {
            clients: Vec::with_capacity(most),
            free: Vec::with_capacity(most),
            buckets: vec![None; most.next_power_of_two()].into_boxed_slice(),
            memory,
            hasher: FixedState::with_seed(seed),
            arrived: List::default(),
            begins: List::default(),
            goes_on: List::default(),
            choices: 0,
            waiting: 0,
        }
    }

    /// How many packets wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Keeps a packet. One that is longer than any message is not kept.
    pub fn add(&mut self, packet: &Packet<'_>) -> Added {
        let (key, kind) = self.look(packet);
        if let Some(number) = self.find(key)
            && let Some(before) = self.last_of(number)
            && self.repeats(&before, packet)
        {
            self.memory.write(before.block, packet.bytes);
            let last = Waiting::of(packet, before.block);
            if let Some(slot) = self.clients[number as usize].packets.iter_mut().rev().flatten().next() {
                *slot = last;
            }
            self.move_up(number, kind, packet.received);
            return Added { repeats: true, shed: 0 };
        }
        let mut shed = self.make_room(packet.bytes.len(), kind);
        let Some(block) = self.memory.keep(packet.bytes) else {
            return Added { repeats: false, shed: shed + 1 };
        };
        let waiting = Waiting::of(packet, block);
        self.waiting += 1;
        // Who had no room a moment ago may be the sender itself: only now it is certain whether it waits.
        if let Some(number) = self.find(key) {
            shed += self.put_behind(number, waiting);
            self.move_up(number, kind, packet.received);
        } else {
            self.begin(key, kind, waiting);
        }
        Added { repeats: false, shed }
    }

    /// Takes the packets of the client that is next, in the order in which they came; how many there were. `each` may fail, and
    /// then gets no more of them.
    ///
    /// # Errors
    /// What `each` says.
    pub fn take<E>(
        &mut self,
        now: Time,
        mut each: impl FnMut(Packet<'_>) -> Result<(), E>,
    ) -> Result<usize, E> {
        let Some(number) = self.choose(now) else { return Ok(0) };
        let packets = self.end(number);
        let mut result = Ok(0);
        for waiting in packets.into_iter().flatten() {
            if let Ok(count) = &mut result {
                *count += 1;
                let bytes = self.memory.read(waiting.block, waiting.length);
                if let Err(error) = each(waiting.packet(bytes)) {
                    result = Err(error);
                }
            }
            self.memory.free(waiting.block);
        }
        result
    }

    /// The client that is next.
    fn choose(&mut self, now: Time) -> Option<u32> {
        self.choices = self.choices.wrapping_add(1);
        if self.choices.is_multiple_of(LONGEST_EVERY) {
            return self.arrived.oldest;
        }
        let list = if self.goes_on.oldest.is_some() { &self.goes_on } else { &self.begins };
        let oldest = list.oldest?;
        if now.since(self.clients[oldest as usize].asked) >= LATE { list.newest } else { Some(oldest) }
    }

    /// Who sent it, and of which kind it is. What cannot be read waits under the address that it came from; the engine counts
    /// what is wrong with it.
    fn look(&self, packet: &Packet<'_>) -> (u64, Kind) {
        let Ok(message) = Message::parse(packet.bytes) else {
            return (self.hasher.hash_one((0_u8, packet.source.ip().to_bits())), Kind::Begins);
        };
        let kind = match message.message_type() {
            None | Some(MessageType::Discover) => Kind::Begins,
            Some(_) => Kind::GoesOn,
        };
        let mut buffer = [0; MAX_CLIENT_IDENTIFIER];
        // RFC 2131 4.2: the client-identifier, else the hardware address.
        let identifier = message.client_identifier().and_then(|value| value.copy_into(&mut buffer));
        let key = match identifier {
            Some(identifier) => self.hasher.hash_one((1_u8, identifier)),
            None => self.hasher.hash_one((2_u8, message.htype(), message.chaddr())),
        };
        (key, kind)
    }

    /// Whether a packet says what one before it said, but for [`CHANGING`]. By another interface, or by another relay, it is
    /// another question.
    fn repeats(&self, before: &Waiting, packet: &Packet<'_>) -> bool {
        let length = packet.bytes.len();
        if length < CHANGING.end || before.length != length || before.interface != packet.interface {
            return false;
        }
        // Longer ones are not compared: they are rare, and the engine knows what to make of a question that comes twice.
        let Some(kept) = self.memory.whole(before.block, length) else { return false };
        let (start, end) = (CHANGING.start, CHANGING.end);
        kept[..start] == packet.bytes[..start] && kept[end..] == packet.bytes[end..]
    }

    /// Makes room for a packet, as far as those that wait do not go before it; how many others were dropped.
    fn make_room(&mut self, length: usize, kind: Kind) -> usize {
        let mut shed = 0;
        while !self.memory.has_room(length) {
            let last_resort = if kind == Kind::GoesOn { self.goes_on.oldest } else { None };
            let Some(number) = self.begins.oldest.or(last_resort) else { break };
            for waiting in self.end(number).into_iter().flatten() {
                self.memory.free(waiting.block);
                shed += 1;
            }
        }
        shed
    }

    /// A client that had nothing waiting.
    fn begin(&mut self, key: u64, kind: Kind, waiting: Waiting) {
        let bucket = self.bucket(key);
        let client = Client {
            key,
            kind,
            asked: waiting.received,
            packets: [Some(waiting), None, None, None],
            next: self.buckets[bucket],
            arrived: Links::default(),
            recent: Links::default(),
        };
        let number = if let Some(number) = self.free.pop() {
            self.clients[number as usize] = client;
            number
        } else {
            self.clients.push(client);
            // There are no more clients than blocks, and these are counted by a `u32`.
            u32::try_from(self.clients.len() - 1).unwrap_or(u32::MAX)
        };
        self.buckets[bucket] = Some(number);
        self.enter(Order::Arrived, number);
        self.enter(Order::of(kind), number);
    }

    /// One more packet of a client that waits; how many of its own were dropped for it.
    fn put_behind(&mut self, number: u32, waiting: Waiting) -> usize {
        let packets = &mut self.clients[number as usize].packets;
        if let Some(free) = packets.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(waiting);
            return 0;
        }
        packets.rotate_left(1);
        let Some(oldest) = packets[MAX_OF_CLIENT - 1].replace(waiting) else { return 0 };
        self.memory.free(oldest.block);
        self.waiting -= 1;
        1
    }

    /// A client has asked again: it is the last that did. Once it goes on with something, it does.
    fn move_up(&mut self, number: u32, kind: Kind, asked: Time) {
        let before = self.clients[number as usize].kind;
        self.leave(Order::of(before), number);
        let client = &mut self.clients[number as usize];
        client.asked = asked;
        if kind == Kind::GoesOn {
            client.kind = kind;
        }
        let now = client.kind;
        self.enter(Order::of(now), number);
    }

    /// A client waits no more; what it said is the caller's.
    fn end(&mut self, number: u32) -> [Option<Waiting>; MAX_OF_CLIENT] {
        let Client { key, kind, next, .. } = self.clients[number as usize];
        self.leave(Order::Arrived, number);
        self.leave(Order::of(kind), number);
        let bucket = self.bucket(key);
        let mut at = self.buckets[bucket];
        if at == Some(number) {
            self.buckets[bucket] = next;
        } else {
            while let Some(before) = at {
                let before = &mut self.clients[before as usize];
                if before.next == Some(number) {
                    before.next = next;
                }
                at = before.next;
            }
        }
        self.free.push(number);
        let packets = std::mem::take(&mut self.clients[number as usize].packets);
        self.waiting -= packets.iter().flatten().count();
        packets
    }

    fn find(&self, key: u64) -> Option<u32> {
        let mut at = self.buckets[self.bucket(key)];
        while let Some(number) = at {
            let client = &self.clients[number as usize];
            if client.key == key {
                return at;
            }
            at = client.next;
        }
        None
    }

    fn bucket(&self, key: u64) -> usize {
        // As many buckets as a power of two: the lowest bits are the number of one.
        usize::try_from(key & (self.buckets.len() as u64 - 1)).unwrap_or(0)
    }

    fn last_of(&self, number: u32) -> Option<Waiting> {
        self.clients[number as usize].packets.iter().rev().flatten().next().copied()
    }
}

impl Waiting {
    fn of(packet: &Packet<'_>, block: u32) -> Waiting {
        Waiting {
            interface: packet.interface,
            source: packet.source,
            destination: packet.destination,
            received: packet.received,
            length: packet.bytes.len(),
            block,
        }
    }

    fn packet<'a>(&self, bytes: &'a [u8]) -> Packet<'a> {
        Packet {
            interface: self.interface,
            source: self.source,
            destination: self.destination,
            received: self.received,
            bytes,
        }
    }
}
