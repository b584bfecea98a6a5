//! Two ends of a connection, and a wire that the test holds.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses its part of this, and a broken test may stop"
)]

use failover::balance::{HashBucketAssignment, Service};
use failover::binding::BindingStatus;
use failover::connection::{
    Cause, Connection, Established, Opener, Outgoing, Output, Settings, Ticket, TlsPolicy,
};
use failover::dialect::Dialect;
use failover::message::{
    BindingUpdate, Codec, Message, MessageType, Parsed, Relationship, RelationshipName, TandemInfo,
};
use failover::state::Role;
use failover::time::{Interval, Time, WallOffset, WireTime};
use std::net::Ipv4Addr;

pub const PRIMARY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub const SECONDARY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

pub fn start() -> Time {
    Time::from_seconds(1_800_000_000)
}

pub fn seconds(seconds: u64) -> Interval {
    Interval::from_seconds(seconds)
}

pub fn settings(role: Role, dialect: Dialect) -> Settings {
    let (own, other) = if role == Role::Primary { (PRIMARY, SECONDARY) } else { (SECONDARY, PRIMARY) };
    let relationship = |address| match dialect {
        Dialect::Draft07 => Relationship::Address(address),
        _ => Relationship::Name(RelationshipName::new(b"campus").unwrap()),
    };
    Settings {
        role,
        codec: Codec::new(dialect, own),
        relationship: relationship(own),
        partner: relationship(other),
        max_unacked_bndupd: 10,
        receive_timer: seconds(20),
        mclt: seconds(3600),
        service: Service { buckets: HashBucketAssignment::from_split(100), delayed_service: Some(3) },
        tls: TlsPolicy::No,
        max_clock_difference: None,
        wall: WallOffset::default(),
        handshake_wait: seconds(15),
        ack_wait: seconds(30),
        tandem: TandemInfo { store_generation: 5, ..TandemInfo::default() },
        last_connect: WireTime(0),
    }
}

/// One end: its connection, and what it said.
pub struct End {
    pub connection: Connection,
    pub outputs: Vec<Output>,
    pub to_send: Vec<u8>,
    pub skew: Interval,
}

impl End {
    pub fn new(settings: Settings, opener: Opener) -> End {
        let mut outputs = Vec::new();
        let connection = Connection::new(settings, opener, start(), &mut outputs);
        let mut end = End { connection, outputs: Vec::new(), to_send: Vec::new(), skew: Interval::ZERO };
        end.take(start(), outputs);
        end
    }

    pub fn take(&mut self, now: Time, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(outgoing) => self.send(now, outgoing),
                other => self.outputs.push(other),
            }
        }
    }

    pub fn send(&mut self, now: Time, outgoing: Outgoing) {
        self.connection.encode(now.plus(self.skew), outgoing, &mut self.to_send).unwrap();
    }

    pub fn request(&mut self, now: Time, message: Message) -> Option<Ticket> {
        let outgoing = self.connection.request(message);
        let ticket = outgoing.ticket;
        self.send(now, outgoing);
        ticket
    }

    pub fn receive(&mut self, now: Time, bytes: &[u8]) {
        let mut outputs = Vec::new();
        self.connection.receive(now.plus(self.skew), bytes, &mut outputs);
        self.take(now, outputs);
    }

    pub fn wake(&mut self, now: Time) {
        let mut outputs = Vec::new();
        self.connection.wake(now.plus(self.skew), &mut outputs);
        self.take(now, outputs);
    }

    pub fn cause(&self) -> Option<&Cause> {
        match self.outputs.last() {
            Some(Output::Close(cause)) => Some(cause),
            _ => None,
        }
    }

    pub fn established(&self) -> &Established {
        let found = self.outputs.iter().find_map(|output| match output {
            Output::Established(established) => Some(established),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{:?}", self.outputs))
    }
}

pub struct Pair {
    pub primary: End,
    pub secondary: End,
}

impl Pair {
    pub fn new(primary: Settings, secondary: Settings) -> Pair {
        Pair { primary: End::new(primary, Opener::Us), secondary: End::new(secondary, Opener::Partner) }
    }

    /// Carries bytes until nobody has any.
    pub fn run(&mut self, now: Time) {
        loop {
            let (down, up) =
                (std::mem::take(&mut self.primary.to_send), std::mem::take(&mut self.secondary.to_send));
            if down.is_empty() && up.is_empty() {
                return;
            }
            self.secondary.receive(now, &down);
            self.primary.receive(now, &up);
        }
    }
}

pub fn pair(dialect: Dialect) -> Pair {
    let mut pair = Pair::new(settings(Role::Primary, dialect), settings(Role::Secondary, dialect));
    pair.run(start());
    pair
}

pub fn kinds(codec: &Codec, mut bytes: &[u8]) -> Vec<MessageType> {
    let mut kinds = Vec::new();
    while let Ok(Some(length)) = failover::message::frame_length(bytes) {
        let (frame, rest) = bytes.split_at(length);
        let Ok(Parsed::Message(envelope)) = codec.parse(frame) else { panic!("{frame:02x?}") };
        kinds.push(envelope.message.message_type());
        bytes = rest;
    }
    kinds
}

pub fn contact(codec: &Codec, now: Time) -> Vec<u8> {
    let mut bytes = Vec::new();
    let envelope = failover::message::Envelope {
        time: now.to_wire(),
        xid: failover::message::Xid(900),
        message: Message::Contact,
    };
    codec.encode(&envelope, &mut bytes).unwrap();
    bytes
}

pub fn free(n: u32) -> Message {
    Message::BndUpd(vec![BindingUpdate::new(Ipv4Addr::from(n), BindingStatus::Free)].into())
}
