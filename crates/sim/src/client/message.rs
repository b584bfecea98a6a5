//! The messages of a client (RFC 2131 table 5).
//!
//! *Lives here:* one function for each message.
//! *Must not know:* when it is sent.

use super::{Client, Lease, Step};
use crate::net::Link;
use dhcp::{MessageType, Op, RelayAgentInformation, ReplyHeader, TransactionId, Writer, code};
use std::net::Ipv4Addr;

/// Address of the relay on the far network.
pub(crate) const RELAY: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

/// Option 82 of the relay: a circuit-id.
const CIRCUIT: [u8; 5] = [1, 3, b'p', b'o', b'7'];

const LIMIT: usize = 548;

impl Client {
    /// A request of BOOTP.
    pub(super) fn asking(&self) -> Step {
        let relayed = self.link == Link::Far;
        Step::Send { bytes: self.compose(None, Ipv4Addr::UNSPECIFIED, None, None, relayed), to: None }
    }

    pub(super) fn discovering(&self, hint: Option<Ipv4Addr>) -> Step {
        self.to_all(MessageType::Discover, Ipv4Addr::UNSPECIFIED, hint, None)
    }

    pub(super) fn selecting(&self) -> Step {
        let (address, server) = self.selected;
        self.to_all(MessageType::Request, Ipv4Addr::UNSPECIFIED, Some(address), Some(server))
    }

    pub(crate) fn rebooting(&self, address: Ipv4Addr) -> Step {
        self.to_all(MessageType::Request, Ipv4Addr::UNSPECIFIED, Some(address), None)
    }

    pub(super) fn extending(&self, lease: Lease, rebinds: bool) -> Step {
        if rebinds {
            return self.to_all(MessageType::Request, lease.address, None, None);
        }
        self.to_server(MessageType::Request, lease, None)
    }

    pub(super) fn declining(&self, address: Ipv4Addr, server: Ipv4Addr) -> Step {
        self.to_all(MessageType::Decline, Ipv4Addr::UNSPECIFIED, Some(address), Some(server))
    }

    pub(crate) fn releasing(&self, lease: Lease) -> Step {
        self.to_server(MessageType::Release, lease, Some(lease.server))
    }

    pub(super) fn informing(&self, lease: Lease) -> Step {
        self.to_server(MessageType::Inform, lease, None)
    }

    fn to_server(&self, kind: MessageType, lease: Lease, server: Option<Ipv4Addr>) -> Step {
        let bytes = self.compose(Some(kind), lease.address, None, server, false);
        Step::Send { bytes, to: Some(lease.server) }
    }

    fn to_all(
        &self,
        kind: MessageType,
        ciaddr: Ipv4Addr,
        wanted: Option<Ipv4Addr>,
        server: Option<Ipv4Addr>,
    ) -> Step {
        let relayed = self.link == Link::Far;
        Step::Send { bytes: self.compose(Some(kind), ciaddr, wanted, server, relayed), to: None }
    }

    fn compose(
        &self,
        kind: Option<MessageType>,
        ciaddr: Ipv4Addr,
        wanted: Option<Ipv4Addr>,
        server: Option<Ipv4Addr>,
        relayed: bool,
    ) -> Vec<u8> {
        compose(
            kind,
            &Contents {
                hardware: self.hardware,
                identifier: self.person.identifier.as_deref(),
                transaction: self.transaction,
                secs: u16::try_from(self.now.saturating_sub(self.began) / 1000).unwrap_or(u16::MAX),
                broadcast: self.person.broadcast,
                ciaddr,
                wanted,
                server,
                wish: self.wish,
                relayed,
            },
        )
    }
}

/// What is in a client's message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contents<'a> {
    pub(crate) hardware: [u8; 6],
    pub(crate) identifier: Option<&'a [u8]>,
    pub(crate) transaction: u32,
    pub(crate) secs: u16,
    pub(crate) broadcast: bool,
    pub(crate) ciaddr: Ipv4Addr,
    /// Requested IP address.
    pub(crate) wanted: Option<Ipv4Addr>,
    /// Server identifier.
    pub(crate) server: Option<Ipv4Addr>,
    /// Lease time that it wishes.
    pub(crate) wish: Option<u32>,
    pub(crate) relayed: bool,
}

/// The message as the server sees it: through the relay, when there is one in between. Without a kind it is one of BOOTP.
pub(crate) fn compose(kind: Option<MessageType>, contents: &Contents<'_>) -> Vec<u8> {
    let mut chaddr = [0; 16];
    chaddr[..6].copy_from_slice(&contents.hardware);
    let header = ReplyHeader {
        op: Op::BootRequest,
        htype: 1,
        hlen: 6,
        hops: u8::from(contents.relayed),
        xid: TransactionId(contents.transaction),
        secs: contents.secs,
        flags: if contents.broadcast { 0x8000 } else { 0 },
        ciaddr: contents.ciaddr,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: if contents.relayed { RELAY } else { Ipv4Addr::UNSPECIFIED },
        chaddr,
    };
    let mut buffer = [0; LIMIT];
    let mut writer = match kind {
        Some(_) => Writer::new(&mut buffer, &header, LIMIT),
        None => Writer::for_bootp(&mut buffer, &header, LIMIT),
    };
    if let Some(kind) = kind {
        writer.message_type(kind);
    }
    // All of these fit into the smallest message that there is.
    let addresses = [(code::REQUESTED_ADDRESS, contents.wanted), (code::SERVER_IDENTIFIER, contents.server)];
    for (code, address) in addresses {
        if let Some(address) = address {
            let _ = writer.address(code, address);
        }
    }
    if let Some(identifier) = contents.identifier {
        let _ = writer.option(code::CLIENT_IDENTIFIER, identifier);
    }
    if let (Some(wish), Some(MessageType::Discover | MessageType::Request)) = (contents.wish, kind) {
        let _ = writer.u32(code::LEASE_TIME, wish);
    }
    let circuit = RelayAgentInformation::from_bytes(&CIRCUIT);
    let length = writer.finish(contents.relayed.then_some(&circuit));
    buffer[..length].to_vec()
}
