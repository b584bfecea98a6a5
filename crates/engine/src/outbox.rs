//! The queue in which an output waits until what it rests on is stable.
//!
//! *Lives here:* [`Outbox`] (filled by the engine), [`Batch`] (what the shell carries to the disk and then to the
//! network), [`Position`].
//! *May know:* that records have positions and that outputs rest on them.
//! *Must not know:* what a record or a reply says; sockets and disks.
//!
//! The one rule of the house: nothing leaves before what it rests on is on stable storage. It is here, and not in
//! the shell, so that what the simulator tests is what ships.

use crate::config::RelationshipId;
use crate::event::Event;
use crate::input::{InterfaceId, LinkId};
use crate::record::Record;
use failover::connection::Outgoing;
use failover::message::Message;
use failover::time::{Interval, Time};
use std::collections::VecDeque;
use std::net::Ipv4Addr;

/// A reply, or a packet, that waited longer than this is dropped: its client has asked again.
pub const TOO_OLD: Interval = Interval::from_seconds(5);

/// How many replies a batch holds at most; at this bound the shell stops reading until it has sealed the batch.
pub const REPLIES_PER_BATCH: usize = 1024;

/// How many events a batch holds at most; more are counted, not kept.
pub const EVENTS_PER_BATCH: usize = 256;

/// A place in the sequence of all records ever made: the number of records before it. "Stable up to p" means that
/// every record with a number below p is on stable storage; to rest on p means to need just these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// Before every record: what rests on it rests on nothing.
    pub const START: Position = Position(0);
}

/// Where a reply goes, and from which address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To a relay, by an ordinary socket (RFC 2131 4.1: giaddr, port 67).
    Relay {
        /// The relay's giaddr.
        address: Ipv4Addr,
        /// The address that the relay used for us.
        source: Ipv4Addr,
    },
    /// To a client on the link, as a frame to its hardware address: no neighbour table is asked.
    Link {
        /// The interface that the client is on.
        interface: InterfaceId,
        /// Its hardware address.
        hardware: [u8; 6],
        /// yiaddr or ciaddr.
        address: Ipv4Addr,
        /// Our address on that interface.
        source: Ipv4Addr,
    },
    /// To all on the link, as a broadcast frame to 255.255.255.255.
    Broadcast {
        /// The interface that the client is on.
        interface: InterfaceId,
        /// Our address on that interface.
        source: Ipv4Addr,
    },
    /// To a client with an address behind a router, by an ordinary socket (port 68).
    Routed {
        /// ciaddr.
        address: Ipv4Addr,
        /// The address that the client used for us.
        source: Ipv4Addr,
    },
}

/// Something for a partner, or for the connection to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "nearly all of them are messages")]
pub enum ToPartner {
    /// Open a connection to the partner of this relationship.
    Connect {
        /// Which.
        relationship: RelationshipId,
    },
    /// Send a message. It is a value until it leaves: time and digest belong to that moment
    /// (`Engine::encode` makes the bytes, or none if the connection is gone).
    Send {
        /// The connection for which it was made; it dies with it.
        link: LinkId,
        /// What it says, and what it answers.
        outgoing: Outgoing,
    },
    /// Begin TLS once all that was to be sent is sent: the primary as its client. Then comes [`crate::Link::TlsStarted`], or
    /// [`crate::Link::TlsFailed`].
    StartTls {
        /// On which connection.
        link: LinkId,
    },
    /// Close a connection once all that was to be sent on it is sent.
    Close {
        /// Which.
        link: LinkId,
    },
}

/// Filled by the engine, sealed into batches by the shell.
#[derive(Debug, Clone)]
pub struct Outbox {
    next: Position,
    batch: Batch,
}

/// Records, and the outputs that rest on them or on earlier ones.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    first: Position,
    count: u32,
    frames: Vec<u8>,
    replies: Vec<Reply>,
    bytes: Vec<u8>,
    events: Vec<Event>,
    events_dropped: u64,
    waiting: usize,
    partners: VecDeque<(Position, ToPartner)>,
}

#[derive(Debug, Clone)]
struct Reply {
    rests_on: Position,
    destination: Destination,
    decided: Time,
    start: usize,
    end: usize,
    gone: bool,
}

/// What a release did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Released {
    /// Replies handed to the sender.
    pub sent: usize,
    /// Replies dropped because they had waited longer than [`TOO_OLD`].
    pub too_old: usize,
    /// Replies that still wait.
    pub waiting: usize,
}

impl Outbox {
    /// An empty outbox whose first record will have the number `next`: what the store says after its replay.
    pub fn new(next: Position) -> Outbox {
        Outbox { next, batch: Batch { first: next, ..Batch::default() } }
    }

    /// The position after all records made so far.
    pub fn position(&self) -> Position {
        self.next
    }

    /// Whether the bound on replies is reached: read no more packets before [`Outbox::seal`].
    pub fn is_full(&self) -> bool {
        self.batch.replies.len() >= REPLIES_PER_BATCH
    }

    /// Whether there is nothing to seal.
    pub fn is_empty(&self) -> bool {
        self.batch.count == 0
            && self.batch.replies.is_empty()
            && self.batch.events.is_empty()
            && self.batch.partners.is_empty()
    }

    /// Hands out the CONTACT messages of what was gathered, see [`Batch::release_contacts`]: also while no batch is free.
    pub fn release_contacts(&mut self, send: impl FnMut(ToPartner)) {
        self.batch.release_contacts(send);
    }

    /// Replies that were not released yet.
    pub fn waiting(&self) -> usize {
        self.batch.waiting
    }

    /// Hands out the replies of what was gathered that may leave already, see [`Batch::release`]: also while no batch is free.
    /// Where that was all, nothing is left to seal.
    pub fn release(
        &mut self,
        stable: Position,
        now: Time,
        send: impl FnMut(&Destination, &[u8]),
    ) -> Released {
        let released = self.batch.release(stable, now, send);
        if self.batch.count == 0 && self.batch.waiting == 0 {
            self.batch.replies.clear();
            self.batch.bytes.clear();
        }
        released
    }

    /// Takes what was gathered. `spare` is a batch that is done, or a new one; its memory is used again.
    pub fn seal(&mut self, mut spare: Batch) -> Batch {
        spare.clear(self.next);
        std::mem::replace(&mut self.batch, spare)
    }

    /// Appends a record; returns the position that an output must rest on if it needs this record.
    pub(crate) fn record(&mut self, record: &Record<'_>) -> Position {
        let start = self.batch.frames.len();
        self.batch.frames.extend_from_slice(&[0; 4]);
        record.encode(&mut self.batch.frames);
        let length = self.batch.frames.len() - start - 4;
        // A record is bounded by record::MAX_RECORD, far below 4 GiB.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.batch.frames[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.batch.count += 1;
        self.next = Position(self.next.0 + 1);
        self.next
    }

    /// Queues a reply that was decided at `now` and rests on `rests_on`.
    pub(crate) fn reply(&mut self, now: Time, rests_on: Position, destination: Destination, bytes: &[u8]) {
        let start = self.batch.bytes.len();
        self.batch.bytes.extend_from_slice(bytes);
        let end = self.batch.bytes.len();
        self.batch.replies.push(Reply { rests_on, destination, decided: now, start, end, gone: false });
        self.batch.waiting += 1;
    }

    /// Queues something for a partner that rests on all that was recorded so far. A BNDACK, a STATE or a BNDUPD never
    /// overtakes what it speaks of (F07-7.2-01, F07-9.2-01).
    pub(crate) fn partner(&mut self, to: ToPartner) {
        self.batch.partners.push_back((self.next, to));
    }

    /// Queues something for a partner that rests on nothing.
    pub(crate) fn partner_at_once(&mut self, to: ToPartner) {
        self.batch.partners.push_back((Position::START, to));
    }

    /// Notes an event for the log; events do not wait.
    pub(crate) fn event(&mut self, event: Event) {
        if self.batch.events.len() < EVENTS_PER_BATCH {
            self.batch.events.push(event);
        } else {
            self.batch.events_dropped += 1;
        }
    }
}

impl Batch {
    /// The number of the first record, how many there are, and their bytes: each a length (32 bits, little endian)
    /// and then that many bytes.
    pub fn records(&self) -> (Position, u32, &[u8]) {
        (self.first, self.count, &self.frames)
    }

    /// The position after the last record.
    pub fn end(&self) -> Position {
        Position(self.first.0 + u64::from(self.count))
    }

    /// The events, and how many more there were than fit.
    pub fn events(&self) -> (&[Event], u64) {
        (&self.events, self.events_dropped)
    }

    /// Replies that were not released yet.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// What is for partners and was not released yet.
    pub fn waiting_for_partner(&self) -> usize {
        self.partners.len()
    }

    /// Hands each reply whose records are all below `stable` to `send`, once, in the order of decision; drops those
    /// that are too old at `now`.
    pub fn release(
        &mut self,
        stable: Position,
        now: Time,
        mut send: impl FnMut(&Destination, &[u8]),
    ) -> Released {
        let mut released = Released::default();
        if self.waiting > 0 {
            for reply in self.replies.iter_mut().filter(|reply| !reply.gone && reply.rests_on <= stable) {
                reply.gone = true;
                self.waiting -= 1;
                if now.since(reply.decided) > TOO_OLD {
                    released.too_old += 1;
                } else {
                    send(&reply.destination, &self.bytes[reply.start..reply.end]);
                    released.sent += 1;
                }
            }
        }
        released.waiting = self.waiting;
        released
    }

    /// Hands what is for partners, and rests on records below `stable` only, to `send`, once and in the order of decision:
    /// what still waits holds up what comes after it. Returns how much waits.
    pub fn release_partners(&mut self, stable: Position, mut send: impl FnMut(ToPartner)) -> usize {
        while let Some((_, to)) = self.partners.pop_front_if(|(rests_on, _)| *rests_on <= stable) {
            send(to);
        }
        self.partners.len()
    }

    /// Whether something for partners waits in it.
    pub fn is_for_partners(&self) -> bool {
        !self.partners.is_empty()
    }

    /// Hands out the CONTACT messages alone, which rest on nothing: a slow disk is not to look like a dead server, and a
    /// stuck one is, since nobody else makes them.
    pub fn release_contacts(&mut self, mut send: impl FnMut(ToPartner)) {
        let is_contact = |to: &ToPartner| matches!(to, ToPartner::Send { outgoing, .. } if outgoing.message == Message::Contact);
        if self.partners.iter().any(|(_, to)| is_contact(to)) {
            for (rests_on, to) in std::mem::take(&mut self.partners) {
                if is_contact(&to) {
                    send(to);
                } else {
                    self.partners.push_back((rests_on, to));
                }
            }
        }
    }

    fn clear(&mut self, first: Position) {
        self.first = first;
        self.count = 0;
        self.waiting = 0;
        self.events_dropped = 0;
        self.frames.clear();
        self.partners.clear();
        self.replies.clear();
        self.bytes.clear();
        self.events.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{BootId, ClockStamp};

    fn record() -> Record<'static> {
        Record::Clock(ClockStamp {
            engine: Time::ZERO,
            since_boot: Interval::ZERO,
            wall: Time::ZERO,
            boot: BootId::default(),
            synchronised: true,
        })
    }

    const RELAY: Destination =
        Destination::Relay { address: Ipv4Addr::LOCALHOST, source: Ipv4Addr::LOCALHOST };

    /// F07-3.1.3-01.
    #[test]
    fn a_reply_waits_for_its_record_and_leaves_once() {
        let mut outbox = Outbox::new(Position(7));
        let now = Time::from_seconds(100);
        let rests_on = outbox.record(&record());
        assert_eq!(rests_on, Position(8));
        outbox.reply(now, Position::START, RELAY, b"offer");
        outbox.reply(now, rests_on, RELAY, b"ack");
        let mut batch = outbox.seal(Batch::default());
        let mut sent = Vec::new();
        assert_eq!(batch.release(Position(7), now, |_, bytes| sent.push(bytes.to_vec())).waiting, 1);
        assert_eq!(sent, [b"offer".to_vec()]);
        assert_eq!(batch.release(Position(8), now, |_, bytes| sent.push(bytes.to_vec())).sent, 1);
        assert_eq!(batch.release(Position(9), now, |_, bytes| sent.push(bytes.to_vec())).sent, 0);
        assert_eq!(sent, [b"offer".to_vec(), b"ack".to_vec()]);
        assert_eq!(batch.records().0, Position(7));
        assert_eq!(batch.end(), Position(8));
    }

    #[test]
    fn what_rests_on_nothing_leaves_before_the_outbox_is_sealed() {
        let mut outbox = Outbox::new(Position(7));
        let now = Time::from_seconds(100);
        let mut sent = Vec::new();
        outbox.reply(now, Position::START, RELAY, b"offer");
        assert_eq!(outbox.release(Position(7), now, |_, bytes| sent.push(bytes.to_vec())).sent, 1);
        assert!(outbox.is_empty(), "nothing is left to seal");
        let rests_on = outbox.record(&record());
        outbox.reply(now, rests_on, RELAY, b"ack");
        outbox.reply(now, Position::START, RELAY, b"second offer");
        outbox.release(Position(7), now, |_, bytes| sent.push(bytes.to_vec()));
        assert_eq!(sent, [b"offer".to_vec(), b"second offer".to_vec()]);
        assert_eq!((outbox.is_empty(), outbox.waiting()), (false, 1));
        let mut batch = outbox.seal(Batch::default());
        batch.release(Position(8), now, |_, bytes| sent.push(bytes.to_vec()));
        assert_eq!(sent[2..], [b"ack".to_vec()], "once, and what had left does not leave again");
    }

    #[test]
    fn what_waited_too_long_is_dropped() {
        let mut outbox = Outbox::new(Position::START);
        let now = Time::from_seconds(100);
        outbox.reply(now, Position::START, RELAY, b"late");
        let mut batch = outbox.seal(Batch::default());
        let later = now.plus(TOO_OLD).plus(Interval::from_millis(1));
        let released = batch.release(Position::START, later, |_, _| panic!("nothing may leave"));
        assert_eq!(released, Released { sent: 0, too_old: 1, waiting: 0 });
    }

    #[test]
    fn a_sealed_batch_leaves_an_empty_outbox_that_counts_on() {
        let mut outbox = Outbox::new(Position::START);
        outbox.record(&record());
        let spare = outbox.seal(Batch::default());
        assert!(outbox.is_empty());
        outbox.record(&record());
        let next = outbox.seal(spare);
        assert_eq!((next.records().0, next.records().1), (Position(1), 1));
    }
}
