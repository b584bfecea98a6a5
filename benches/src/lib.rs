//! What the measurements share: a site with many addresses, and its clients.
//!
//! *Lives here:* [`Site`], an engine with its outbox, from the packet to the reply that leaves; [`Client`], the messages of one
//! of many clients.
//! *May know:* the public interfaces of the crates that are measured.
//! *Must not know:* sockets; how a result is shown.

use dhcp::{HardwareAddress, MessageType, Op, ReplyHeader, TransactionId, Writer, code};
use engine::config::{
    Boot, Config, LeaseTimes, OptionSet, Parts, PoolParts, SharedNetworkParts, SubnetParts,
};
use engine::{Batch, Engine, Input, Interface, InterfaceId, Outbox, Packet, Position};
use failover::time::{Interval, Time};
use std::net::{Ipv4Addr, SocketAddrV4};

/// The server's address.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 1);

/// The relay that clients are behind, if nothing else is said.
pub const RELAY: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 2);

/// The first address of the pool.
pub const FIRST: u32 = u32::from_be_bytes([10, 0, 0, 16]);

/// How long a lease lasts.
pub const LEASE: Interval = Interval::from_seconds(3600);

/// The interface that all packets come by.
pub const INTERFACE: InterfaceId = InterfaceId(2);

/// How much a client says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its hardware address and the options that it asks for.
    Plain,
    /// A client-identifier, host name and vendor class too; and the relay adds circuit and remote id.
    Full,
}

impl Kind {
    /// `plain` or `full`.
    pub fn from_name(name: &str) -> Option<Kind> {
        match name {
            "plain" => Some(Kind::Plain),
            "full" => Some(Kind::Full),
            _ => None,
        }
    }
}

/// A configuration with one pool of `addresses` addresses, at most 16,000,000, and leases of [`LEASE`].
///
/// # Panics
/// When there are more, or none.
pub fn configuration(addresses: u32) -> Config {
    checked(&parts(addresses))
}

/// A configuration of these parts.
///
/// # Panics
/// When they contradict each other.
#[expect(clippy::panic, reason = "a wrong measurement stops")]
pub fn checked(parts: &Parts) -> Config {
    match Config::check(parts) {
        Ok(config) => config,
        Err(faults) => panic!("{faults:?}"),
    }
}

/// The parts of [`configuration`].
///
/// # Panics
/// When there are more addresses than a pool can have here, or none.
pub fn parts(addresses: u32) -> Parts {
    assert!((1..=16_000_000).contains(&addresses), "1 to 16,000,000 addresses");
    let mut options = OptionSet::default();
    options.set(code::SUBNET_MASK, [255, 0, 0, 0]);
    options.set(code::ROUTERS, [10, 255, 255, 254]);
    options.set(code::DOMAIN_NAME_SERVERS, [10, 255, 0, 53, 10, 255, 0, 54]);
    options.set(code::DOMAIN_NAME, *b"campus.example");
    let pool = PoolParts {
        failover: None,
        dynamic_bootp: false,
        first: Ipv4Addr::from_bits(FIRST),
        last: Ipv4Addr::from_bits(FIRST + addresses - 1),
        options: OptionSet::default(),
    };
    let subnet = SubnetParts {
        prefix: "10.0.0.0/8".parse().unwrap_or_default(),
        lease: LeaseTimes::of(LEASE),
        options,
        boot: Boot::default(),
        pools: vec![pool],
        reservations: Vec::new(),
    };
    Parts {
        relationships: Vec::new(),
        shared_networks: vec![SharedNetworkParts { name: "campus".into(), subnets: vec![subnet] }],
        options: OptionSet::default(),
        offer_time: Interval::from_seconds(60),
        decline_time: Interval::from_seconds(3600),
    }
}

/// An engine that has started, and the batches that go back and forth.
#[derive(Debug)]
pub struct Site {
    /// The engine.
    pub engine: Engine,
    /// What it fills.
    pub outbox: Outbox,
    /// Engine time; it stands still unless somebody moves it.
    pub now: Time,
    spare: Batch,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Bytes of the reply, 0 when there was none.
    pub replied: usize,
    /// `yiaddr` of the reply.
    pub address: Option<Ipv4Addr>,
}

impl Site {
    /// A site with a pool of this many addresses, all FREE.
    pub fn new(addresses: u32) -> Site {
        Site::with_engine(Engine::new(configuration(addresses), 7), Position::START)
    }

    /// A site of an engine that has replayed what there was, up to `next`.
    pub fn with_engine(engine: Engine, next: Position) -> Site {
        Site::at(engine, next, Time::from_seconds(1_800_000_000))
    }

    /// The same at a time of its own.
    pub fn at(mut engine: Engine, next: Position, now: Time) -> Site {
        let mut outbox = Outbox::new(next);
        engine.start(now, &mut outbox);
        let interfaces = [Interface { id: INTERFACE, addresses: vec![SERVER] }];
        engine.handle(now, Input::Interfaces(&interfaces), &mut outbox);
        Site { engine, outbox, now, spare: Batch::default() }
    }

    /// Decides about one packet; its reply, if any, stays in the outbox.
    pub fn decide(&mut self, bytes: &[u8]) {
        let packet = Packet {
            interface: INTERFACE,
            source: SocketAddrV4::new(RELAY, 67),
            destination: SERVER,
            received: self.now,
            bytes,
        };
        self.engine.handle(self.now, Input::Packet(packet), &mut self.outbox);
    }

    /// Seals what was decided and releases all of it; `records` gets the records.
    pub fn settle(&mut self, mut records: impl FnMut(Position, u32, &[u8])) -> Outcome {
        let mut batch = self.outbox.seal(std::mem::take(&mut self.spare));
        let (first, count, bytes) = batch.records();
        records(first, count, bytes);
        let mut outcome = Outcome::default();
        batch.release(batch.end(), self.now, |_, bytes| {
            outcome.replied = bytes.len();
            outcome.address = bytes.get(16..).and_then(<[u8]>::first_chunk).copied().map(Ipv4Addr::from);
        });
        self.spare = batch;
        outcome
    }

    /// From the packet to the reply that leaves.
    pub fn exchange(&mut self, bytes: &[u8]) -> Outcome {
        self.decide(bytes);
        self.settle(|_, _, _| {})
    }

    /// DISCOVER and REQUEST of this client; the address that it got.
    pub fn lease(&mut self, client: &Client) -> Option<Ipv4Addr> {
        let offered = self.exchange(&client.discover()).address?;
        self.exchange(&client.select(offered)).address
    }

    /// The same for a client that asks for this address.
    pub fn lease_wished(&mut self, client: &Client, address: Ipv4Addr) -> Option<Ipv4Addr> {
        let offered = self.exchange(&client.discover_wishing(address)).address?;
        self.exchange(&client.select(offered)).address
    }
}

/// One of many clients.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    number: u32,
    kind: Kind,
    relay: Ipv4Addr,
}

impl Client {
    /// Number `number` of this kind.
    pub fn new(number: u32, kind: Kind) -> Client {
        Client { number, kind, relay: RELAY }
    }

    /// The same behind another relay.
    #[must_use]
    pub fn behind(self, relay: Ipv4Addr) -> Client {
        Client { relay, ..self }
    }

    /// Its hardware address.
    pub fn hardware(self) -> HardwareAddress {
        let [a, b, c, d] = self.number.to_be_bytes();
        HardwareAddress::ethernet([2, 0, a, b, c, d])
    }

    /// DHCPDISCOVER.
    pub fn discover(self) -> Vec<u8> {
        self.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED)
    }

    /// DHCPDISCOVER that asks for this address (RFC 2131 4.3.1).
    pub fn discover_wishing(self, address: Ipv4Addr) -> Vec<u8> {
        self.asking(MessageType::Discover, Ipv4Addr::UNSPECIFIED, Some(address))
    }

    /// DHCPREQUEST that selects our offer of this address.
    pub fn select(self, address: Ipv4Addr) -> Vec<u8> {
        self.asking(MessageType::Request, Ipv4Addr::UNSPECIFIED, Some(address))
    }

    /// DHCPREQUEST that renews this address.
    pub fn renew(self, address: Ipv4Addr) -> Vec<u8> {
        self.message(MessageType::Request, address)
    }

    /// DHCPRELEASE of this address.
    pub fn release(self, address: Ipv4Addr) -> Vec<u8> {
        self.message(MessageType::Release, address)
    }

    fn message(self, kind: MessageType, ciaddr: Ipv4Addr) -> Vec<u8> {
        self.asking(kind, ciaddr, None)
    }

    fn asking(self, kind: MessageType, ciaddr: Ipv4Addr, requested: Option<Ipv4Addr>) -> Vec<u8> {
        let [a, b, c, d] = self.number.to_be_bytes();
        let hardware = self.hardware();
        let mut chaddr = [0; 16];
        chaddr[..6].copy_from_slice(hardware.as_bytes());
        let header = ReplyHeader {
            op: Op::BootRequest,
            htype: HardwareAddress::ETHERNET,
            hlen: 6,
            hops: 1,
            xid: TransactionId(self.number),
            secs: 0,
            flags: 0,
            ciaddr,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: self.relay,
            chaddr,
        };
        let mut buffer = [0; 1472];
        let mut writer = Writer::new(&mut buffer, &header, 1472);
        writer.message_type(kind);
        let mut put = |code: u8, value: &[u8]| {
            // 1,472 bytes hold all of these.
            let _ = writer.option(code, value);
        };
        if let Some(address) = requested {
            put(code::REQUESTED_ADDRESS, &address.octets());
            if kind == MessageType::Request {
                put(code::SERVER_IDENTIFIER, &SERVER.octets());
            }
        }
        put(code::PARAMETER_REQUEST_LIST, &[1, 3, 6, 15, 28, 51, 58, 59]);
        let mut information = None;
        if self.kind == Kind::Full {
            put(code::CLIENT_IDENTIFIER, &[&[1], hardware.as_bytes()].concat());
            put(code::HOST_NAME, format!("laptop-{:07}", self.number).as_bytes());
            put(code::VENDOR_CLASS_IDENTIFIER, b"MSFT 5.0");
            let circuit = format!("ge-1/0/{:05}", self.number % 65_536);
            let length = u8::try_from(circuit.len()).unwrap_or(0);
            information = Some([&[1, length], circuit.as_bytes(), &[2, 6, 2, 9, a, b, c, d]].concat());
        }
        let echoed = information.as_deref().map(dhcp::RelayAgentInformation::from_bytes);
        let length = writer.finish(echoed.as_ref());
        buffer[..length].to_vec()
    }
}
