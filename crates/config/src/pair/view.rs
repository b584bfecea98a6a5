//! One server of a pair, as its partner must know it.
//!
//! *Lives here:* [`View`] and its parts: the same for a Tandem and for a dhcpd, so that rules need not ask which it is.
//! *Must not know:* languages; what must agree.

use super::place::{Source, Spot, Stated};
use dhcp::HardwareAddress;
use failover::state::Role;
use failover::time::Interval;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

/// Port of the failover protocol where none is set (F07 8.2).
pub(crate) const PORT: u16 = 647;

/// What runs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This program.
    Tandem,
    /// ISC dhcpd.
    Dhcpd,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Tandem => "Tandem",
            Kind::Dhcpd => "dhcpd",
        })
    }
}

/// Everything of one server that its partner must know.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) kind: Kind,
    /// Its main file.
    pub(crate) source: Arc<Source>,
    pub(crate) relationships: Vec<Relationship>,
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) pools: Vec<Pool>,
    pub(crate) reservations: Vec<Reservation>,
    /// What keeps this server from running with its file, whoever its partner is.
    pub(crate) faults: Vec<Fault>,
    /// What was not looked at.
    pub(crate) unread: Vec<Unread>,
    /// Files that were taken from this host although the configuration is that of another.
    pub(crate) borrowed: Vec<Spot>,
    /// A dhcpd hears commands (`omapi-port`).
    pub(crate) hears_commands: bool,
}

/// A file that does not hold together by itself.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) spot: Spot,
    pub(crate) help: String,
}

/// A statement that was not looked at.
#[derive(Debug, Clone)]
pub(crate) struct Unread {
    /// Its first words, as in `class "phones"`.
    pub(crate) what: String,
    pub(crate) spot: Spot,
}

/// A partner, and on what terms.
#[derive(Debug, Clone)]
pub(crate) struct Relationship {
    pub(crate) spot: Spot,
    pub(crate) name: String,
    pub(crate) role: Stated<Role>,
    /// Where this server listens; `None` if it is not said, or by a name that is not looked up.
    pub(crate) own: Option<Stated<SocketAddrV4>>,
    /// Where its partner does.
    pub(crate) peer: Option<Stated<SocketAddrV4>>,
    /// `None`: not said here.
    pub(crate) mclt: Option<Stated<Interval>>,
    /// `None`: not said here.
    pub(crate) split: Option<Stated<Split>>,
    /// `delayed-service`, `load balance max seconds`; `None`: never.
    pub(crate) delay: Option<Stated<u64>>,
    pub(crate) max_unacked: Option<Stated<u64>>,
    pub(crate) receive_timer: Option<Stated<Interval>>,
    /// `safe-period`, `auto-partner-down`.
    pub(crate) safe_period: Option<Stated<Interval>>,
    /// What the partner is said to be; a dhcpd does not say it.
    pub(crate) partner_kind: Option<Stated<Kind>>,
    pub(crate) secret: Option<Spot>,
    pub(crate) tls: Option<Spot>,
}

/// Which of the 256 buckets the primary serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Split {
    /// So many of the first.
    First(u16),
    /// Those whose bit is set: bucket b is bit b % 8 of byte b / 8.
    Buckets([u8; 32]),
}

impl Split {
    /// As a bitmap.
    pub(crate) fn buckets(&self) -> [u8; 32] {
        match self {
            Split::Buckets(buckets) => *buckets,
            Split::First(count) => {
                let mut buckets = [0; 32];
                for bucket in 0..usize::from(*count).min(256) {
                    buckets[bucket / 8] |= 1 << (bucket % 8);
                }
                buckets
            }
        }
    }

    /// How many.
    pub(crate) fn count(&self) -> u32 {
        self.buckets().iter().map(|byte| byte.count_ones()).sum()
    }
}

/// Options by code; `None` where one is set to a value that is not known here.
pub(crate) type Options = BTreeMap<u8, Stated<Option<Vec<u8>>>>;

/// What holds for clients of a place, with all that is inherited.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) lease: Stated<Interval>,
    pub(crate) minimum: Stated<Interval>,
    pub(crate) maximum: Stated<Interval>,
    pub(crate) renewal: Option<Stated<Interval>>,
    pub(crate) rebinding: Option<Stated<Interval>>,
    pub(crate) options: Options,
    /// next-server, server-name, boot-file, as far as they are set.
    pub(crate) boot: BTreeMap<&'static str, Stated<String>>,
    /// Whether it sends DHCPNAK for addresses of which it knows nothing.
    pub(crate) authoritative: Stated<bool>,
    /// What is refused: `unknown-clients`, `booting`, `declines`, `duplicates`.
    pub(crate) refuses: BTreeMap<String, Stated<bool>>,
}

/// A subnet.
#[derive(Debug, Clone)]
pub(crate) struct Subnet {
    pub(crate) prefix: Ipv4Net,
    pub(crate) spot: Spot,
    /// Number of its shared network; those with the same number are on one wire.
    pub(crate) network: usize,
    pub(crate) terms: Terms,
}

/// Who gives addresses of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sharing {
    /// This server alone.
    #[default]
    Alone,
    /// A partner too: the number in [`View::relationships`].
    With(usize),
    /// A partner that the file names and does not have, which is a fault of its own.
    Unknown,
}

/// A range of addresses for all clients.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) first: Ipv4Addr,
    pub(crate) last: Ipv4Addr,
    pub(crate) spot: Spot,
    pub(crate) sharing: Sharing,
    /// A client of BOOTP, whose lease never ends, may get an address of it.
    pub(crate) serves_bootp: bool,
    /// Which clients may have an address of it, as it is written: `deny unknown-clients`.
    pub(crate) permits: Vec<Stated<String>>,
    pub(crate) terms: Terms,
}

/// How a client is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Client {
    Hardware(HardwareAddress),
    Identifier(Vec<u8>),
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Client::Hardware(address) => write!(f, "{address}"),
            Client::Identifier(bytes) => write!(f, "client-identifier {}", super::words::hexadecimal(bytes)),
        }
    }
}

/// An address for one client.
#[derive(Debug, Clone)]
pub(crate) struct Reservation {
    pub(crate) spot: Spot,
    /// Any of these is the client.
    pub(crate) clients: Vec<Client>,
    pub(crate) address: Ipv4Addr,
    /// Options for this client alone.
    pub(crate) options: Options,
    pub(crate) boot: BTreeMap<&'static str, Stated<String>>,
}

impl View {
    pub(crate) fn new(kind: Kind, source: &Arc<Source>) -> View {
        View {
            kind,
            source: Arc::clone(source),
            relationships: Vec::new(),
            subnets: Vec::new(),
            pools: Vec::new(),
            reservations: Vec::new(),
            faults: Vec::new(),
            unread: Vec::new(),
            borrowed: Vec::new(),
            hears_commands: false,
        }
    }

    pub(crate) fn fault(&mut self, spot: &Spot, message: impl Into<String>, help: &str) {
        self.faults.push(Fault { message: message.into(), spot: spot.clone(), help: help.to_owned() });
    }

    /// The subnet in which an address lies.
    pub(crate) fn subnet_of(&self, address: Ipv4Addr) -> Option<&Subnet> {
        self.subnets.iter().find(|subnet| subnet.prefix.contains(&address))
    }
}
