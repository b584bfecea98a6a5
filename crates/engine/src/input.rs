//! What comes into the engine.
//!
//! *Lives here:* [`Input`] and its parts.
//! *Must not know:* where inputs come from.

use crate::config::RelationshipId;
use failover::time::Time;
use std::net::{Ipv4Addr, SocketAddrV4};

/// One thing that happened. Deadlines that are due are handled before any of them.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// A datagram arrived on port 67.
    Packet(Packet<'a>),
    /// Nothing happened but time: [`crate::Engine::next_deadline`] was reached.
    Wake,
    /// The interfaces and addresses of this host, at the start and whenever they change.
    Interfaces(&'a [Interface]),
    /// What the store can take changed.
    Storage(StorageHealth),
    /// Something happened on a connection to a partner.
    Link(Link<'a>),
}

/// A TCP connection to a partner, by the number that the shell gave it; numbers are not used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What happens on connections to partners.
#[derive(Debug, Clone, Copy)]
pub enum Link<'a> {
    /// The connection that was asked for stands.
    Connected {
        /// Its number from now on.
        link: LinkId,
        /// For which relationship it was asked.
        relationship: RelationshipId,
    },
    /// The connection that was asked for did not come about.
    Failed {
        /// For which relationship it was asked.
        relationship: RelationshipId,
    },
    /// Somebody connected to us.
    Accepted {
        /// Its number from now on.
        link: LinkId,
        /// The relationship with the partner that has this address: where it is our primary, else where it is our
        /// secondary (D12-8.2-05).
        relationship: RelationshipId,
    },
    /// Bytes came.
    Received {
        /// On which connection.
        link: LinkId,
        /// When they were taken from the socket (F07-5.9-03).
        at: Time,
        /// Some bytes of the stream.
        bytes: &'a [u8],
    },
    /// TLS runs on it, and what comes from now on was in it ([`crate::ToPartner::StartTls`]).
    TlsStarted {
        /// On which connection.
        link: LinkId,
        /// Whom the partner's certificate, which was verified, names.
        peer: &'a str,
    },
    /// TLS did not come about, or broke.
    TlsFailed {
        /// On which connection.
        link: LinkId,
        /// What is wrong, and what to do.
        why: &'a str,
    },
    /// The connection is gone, or was never ours.
    Closed {
        /// Which.
        link: LinkId,
    },
}

/// A datagram with what the socket knows of it.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Where it came in.
    pub interface: InterfaceId,
    /// Sender.
    pub source: SocketAddrV4,
    /// Destination address of the datagram, as in IP_PKTINFO: one of ours, or broadcast.
    pub destination: Ipv4Addr,
    /// When it was taken from the socket; one that waited more than [`crate::outbox::TOO_OLD`] is dropped.
    pub received: Time,
    /// The DHCP message, as it came.
    pub bytes: &'a [u8],
}

/// A network interface by the number that the shell uses for it (on Linux the interface index).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(pub u32);

/// An interface that clients and relays reach us by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its number.
    pub id: InterfaceId,
    /// Its addresses, the primary one first. The first that lies in a configured subnet is the server-identifier
    /// for directly connected clients; without such a one, the first.
    pub addresses: Vec<Ipv4Addr>,
}

/// What the store can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageHealth {
    /// Everything.
    Ok,
    /// Only the last reserve is left: no new grant is made, but RELEASE, expiry and state changes are recorded.
    ReserveOnly,
}
