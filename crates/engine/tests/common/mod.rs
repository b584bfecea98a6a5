//! A server and its clients in one place: real engine, real messages, time that the test moves.

#![allow(
    dead_code,
    clippy::expect_used,
    reason = "each test file uses its part of this, and a broken test may stop"
)]

use dhcp::{HardwareAddress, Message, MessageType, Op, ReplyHeader, TransactionId, Writer, code};
use engine::clock::ClockStamp;
use engine::config::{
    Boot, Config, LeaseTimes, OptionSet, Parts, PoolParts, ReservationKey, ReservationParts,
    SharedNetworkParts, SubnetParts,
};
use engine::record::{BindingRecord, Record};
use engine::{
    Batch, Destination, Engine, Input, Interface, InterfaceId, LeaseFilter, LeaseView, Outbox, Packet,
    Position,
};
use failover::binding::BindingStatus;
use failover::time::{Interval, Time};
use std::net::{Ipv4Addr, SocketAddrV4};

pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const INTERFACE: InterfaceId = InterfaceId(2);
pub const START: u64 = 1_800_000_000;

pub fn ip(text: &str) -> Ipv4Addr {
    text.parse().expect("an address")
}

pub fn seconds(count: u64) -> Interval {
    Interval::from_seconds(count)
}

pub fn subnet(prefix: &str, lease: u64, range: Option<(&str, &str)>) -> SubnetParts {
    let mut options = OptionSet::default();
    options.set(code::DOMAIN_NAME_SERVERS, [10, 0, 0, 53]);
    SubnetParts {
        prefix: prefix.parse().expect("a prefix"),
        lease: LeaseTimes::of(seconds(lease)),
        options,
        boot: Boot::default(),
        pools: range
            .map(|(first, last)| PoolParts {
                first: ip(first),
                last: ip(last),
                options: OptionSet::default(),
                failover: None,
                dynamic_bootp: false,
            })
            .into_iter()
            .collect(),
        reservations: Vec::new(),
    }
}

pub fn parts(subnets: Vec<SubnetParts>) -> Parts {
    Parts {
        shared_networks: vec![SharedNetworkParts { name: "wire".into(), subnets }],
        options: OptionSet::default(),
        offer_time: seconds(60),
        decline_time: seconds(3600),
        relationships: Vec::new(),
    }
}

pub fn reservation(key: ReservationKey, address: &str) -> ReservationParts {
    ReservationParts { key, address: ip(address), options: OptionSet::default(), boot: Boot::default() }
}

/// One network, 10.0.0.0/24, with a pool of `size` addresses from 10.0.0.10 on, leases of 600 s.
pub fn small(size: u8) -> Parts {
    parts(vec![subnet("10.0.0.0/24", 600, Some(("10.0.0.10", &format!("10.0.0.{}", 9 + size))))])
}

pub struct Server {
    pub engine: Engine,
    pub outbox: Outbox,
    pub now: Time,
    pub log: Vec<Vec<u8>>,
}

/// A reply with where it went and what it rested on.
#[derive(Debug, Clone)]
pub struct Reply {
    pub destination: Destination,
    pub bytes: Vec<u8>,
    pub rests_on_record: bool,
}

impl Reply {
    pub fn message(&self) -> Message<'_> {
        Message::parse(&self.bytes).expect("our own reply")
    }

    pub fn kind(&self) -> MessageType {
        self.message().message_type().expect("a message type")
    }

    pub fn yiaddr(&self) -> Ipv4Addr {
        self.message().yiaddr()
    }

    pub fn lease(&self) -> u32 {
        self.message().lease_time().expect("a lease time")
    }
}

impl Server {
    pub fn new(parts: &Parts) -> Server {
        Server::restored(parts, &[], Time::from_seconds(START))
    }

    pub fn restored(parts: &Parts, log: &[Vec<u8>], now: Time) -> Server {
        let config = Config::check(parts).expect("a configuration without faults");
        let mut engine = Engine::new(config, 7);
        for record in log {
            engine.replay(record).expect("our own record");
        }
        let mut outbox = Outbox::new(Position(log.len() as u64));
        engine.start(now, &mut outbox);
        let interfaces = [Interface { id: INTERFACE, addresses: vec![SERVER] }];
        engine.handle(now, Input::Interfaces(&interfaces), &mut outbox);
        Server { engine, outbox, now, log: log.to_vec() }
    }

    /// The same server after a crash, with all that was recorded.
    pub fn crashed(&self, parts: &Parts) -> Server {
        Server::restored(parts, &self.log, self.now)
    }

    pub fn pass(&mut self, interval: Interval) {
        self.now = self.now.plus(interval);
        while self.engine.next_deadline().is_some_and(|at| at <= self.now) {
            self.engine.handle(self.now, Input::Wake, &mut self.outbox);
            self.collect();
        }
    }

    pub fn send(&mut self, client: &Client, bytes: &[u8]) -> Option<Reply> {
        let packet = Packet {
            interface: INTERFACE,
            source: SocketAddrV4::new(client.source, 68),
            destination: client.destination,
            received: self.now,
            bytes,
        };
        self.engine.handle(self.now, Input::Packet(packet), &mut self.outbox);
        self.collect()
    }

    pub fn note_clock(&mut self, stamp: ClockStamp) {
        self.engine.note_clock(stamp, &mut self.outbox);
        self.collect();
    }

    fn collect(&mut self) -> Option<Reply> {
        let mut batch = self.outbox.seal(Batch::default());
        let (first, _, frames) = batch.records();
        self.log.extend(records(frames));
        let mut replies = Vec::new();
        let end = batch.end();
        for (stable, rests_on_record) in [(first, false), (end, true)] {
            batch.release(stable, self.now, |destination, bytes| {
                replies.push(Reply { destination: *destination, bytes: bytes.to_vec(), rests_on_record });
            });
        }
        assert!(replies.len() <= 1, "one message has one answer");
        replies.pop()
    }

    pub fn leases(&self) -> Vec<LeaseView> {
        let filter = LeaseFilter { unused: true, ..LeaseFilter::default() };
        let (page, next) = self.engine.leases(&filter, usize::MAX);
        assert_eq!(next, None);
        page
    }

    pub fn lease(&self, address: &str) -> LeaseView {
        self.leases().into_iter().find(|lease| lease.address == ip(address)).expect("a binding")
    }

    pub fn status(&self, address: &str) -> BindingStatus {
        self.lease(address).status
    }
}

/// The records in a run of them, each behind its length.
pub fn records(mut frames: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some((length, rest)) = frames.split_first_chunk::<4>() {
        let (record, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        records.push(record.to_vec());
        frames = rest;
    }
    records
}

/// A binding as a log has it last.
pub fn binding_in(log: &[Vec<u8>], address: Ipv4Addr) -> Option<BindingRecord<'_>> {
    let mut last: Option<BindingRecord<'_>> = None;
    for record in log.iter().filter_map(|record| Record::decode(record).ok()) {
        match record {
            Record::Binding(binding) if binding.address == address => last = Some(binding),
            Record::Acknowledged(by) if by.address == address => {
                last = last.map(|binding| binding.acknowledged(&by));
            }
            _ => {}
        }
    }
    last
}

#[derive(Debug, Clone)]
pub struct Client {
    pub hardware: HardwareAddress,
    pub identifier: Option<Vec<u8>>,
    pub giaddr: Ipv4Addr,
    pub relay_information: Option<Vec<u8>>,
    pub broadcast: bool,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub wish: Option<u32>,
    pub host_name: Option<&'static str>,
}

impl Client {
    pub fn new(number: u8) -> Client {
        Client {
            hardware: HardwareAddress::ethernet([2, 0, 0, 0, 0, number]),
            identifier: None,
            giaddr: Ipv4Addr::UNSPECIFIED,
            relay_information: None,
            broadcast: false,
            source: Ipv4Addr::UNSPECIFIED,
            destination: Ipv4Addr::BROADCAST,
            wish: None,
            host_name: None,
        }
    }

    fn header(&self, ciaddr: Ipv4Addr) -> ReplyHeader {
        let mut chaddr = [0; 16];
        let address = self.hardware.as_bytes();
        chaddr[..address.len()].copy_from_slice(address);
        ReplyHeader {
            op: Op::BootRequest,
            htype: self.hardware.htype(),
            hlen: u8::try_from(address.len()).expect("at most 16"),
            hops: 0,
            xid: TransactionId(42),
            secs: 0,
            flags: if self.broadcast { 0x8000 } else { 0 },
            ciaddr,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: self.giaddr,
            chaddr,
        }
    }

    /// A request of BOOTP, with so many bytes.
    pub fn bootp(&self, length: usize) -> Vec<u8> {
        let mut buffer = [0; 1472];
        Writer::for_bootp(&mut buffer, &self.header(Ipv4Addr::UNSPECIFIED), length).finish(None);
        buffer[..length].to_vec()
    }

    pub fn message(&self, kind: MessageType, ciaddr: Ipv4Addr, options: &[(u8, &[u8])]) -> Vec<u8> {
        let header = self.header(ciaddr);
        let mut buffer = [0; 1472];
        let mut writer = Writer::new(&mut buffer, &header, 1472);
        writer.message_type(kind);
        for (code, value) in options {
            writer.option(*code, value).expect("room");
        }
        if let Some(identifier) = &self.identifier {
            writer.option(code::CLIENT_IDENTIFIER, identifier).expect("room");
        }
        if let Some(wish) = self.wish {
            writer.u32(code::LEASE_TIME, wish).expect("room");
        }
        if let Some(name) = self.host_name {
            writer.option(code::HOST_NAME, name.as_bytes()).expect("room");
        }
        let length = writer.finish(None);
        let mut bytes = buffer[..length].to_vec();
        if let Some(information) = &self.relay_information {
            // In place of END and padding, as a relay does it.
            let end = 240 + options_length(&bytes[240..]);
            bytes.truncate(end);
            bytes.extend_from_slice(&[82, u8::try_from(information.len()).expect("short")]);
            bytes.extend_from_slice(information);
            bytes.push(255);
        }
        bytes
    }

    pub fn discover(&self, server: &mut Server) -> Option<Reply> {
        server.send(self, &self.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[]))
    }

    pub fn discover_wanting(&self, server: &mut Server, address: &str) -> Option<Reply> {
        let wanted = ip(address).octets();
        let options: [(u8, &[u8]); 1] = [(code::REQUESTED_ADDRESS, &wanted)];
        server.send(self, &self.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &options))
    }

    pub fn select_from(&self, server: &mut Server, address: Ipv4Addr, chosen: Ipv4Addr) -> Option<Reply> {
        let (address, chosen) = (address.octets(), chosen.octets());
        let options: [(u8, &[u8]); 2] =
            [(code::REQUESTED_ADDRESS, &address), (code::SERVER_IDENTIFIER, &chosen)];
        server.send(self, &self.message(MessageType::Request, Ipv4Addr::UNSPECIFIED, &options))
    }

    pub fn select(&self, server: &mut Server, address: Ipv4Addr) -> Option<Reply> {
        self.select_from(server, address, SERVER)
    }

    /// DISCOVER, OFFER, REQUEST, ACK; returns the address.
    pub fn bind(&self, server: &mut Server) -> Ipv4Addr {
        let offer = self.discover(server).expect("an offer");
        assert_eq!(offer.kind(), MessageType::Offer);
        let ack = self.select(server, offer.yiaddr()).expect("an answer");
        assert_eq!((ack.kind(), ack.yiaddr()), (MessageType::Ack, offer.yiaddr()));
        ack.yiaddr()
    }

    pub fn renew(&self, server: &mut Server, address: Ipv4Addr) -> Option<Reply> {
        let mut client = self.clone();
        client.source = address;
        client.destination = SERVER;
        server.send(&client, &self.message(MessageType::Request, address, &[]))
    }

    pub fn rebind(&self, server: &mut Server, address: Ipv4Addr) -> Option<Reply> {
        server.send(self, &self.message(MessageType::Request, address, &[]))
    }

    pub fn reboot(&self, server: &mut Server, address: Ipv4Addr) -> Option<Reply> {
        let address = address.octets();
        let options: [(u8, &[u8]); 1] = [(code::REQUESTED_ADDRESS, &address)];
        server.send(self, &self.message(MessageType::Request, Ipv4Addr::UNSPECIFIED, &options))
    }

    pub fn release(&self, server: &mut Server, address: Ipv4Addr) {
        let chosen = SERVER.octets();
        let message = self.message(MessageType::Release, address, &[(code::SERVER_IDENTIFIER, &chosen)]);
        assert!(server.send(self, &message).is_none());
    }

    pub fn decline(&self, server: &mut Server, address: Ipv4Addr) {
        let (address, chosen) = (address.octets(), SERVER.octets());
        let options: [(u8, &[u8]); 2] =
            [(code::REQUESTED_ADDRESS, &address), (code::SERVER_IDENTIFIER, &chosen)];
        let message = self.message(MessageType::Decline, Ipv4Addr::UNSPECIFIED, &options);
        assert!(server.send(self, &message).is_none());
    }
}

fn options_length(options: &[u8]) -> usize {
    let mut at = 0;
    while at + 1 < options.len() && options[at] != 255 {
        at += if options[at] == 0 { 1 } else { 2 + usize::from(options[at + 1]) };
    }
    at
}
