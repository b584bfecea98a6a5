//! Clients that are nothing but their messages.
//!
//! *Lives here:* [`Puppet`]: says what it is told to say, when it is told, and has what a capture shows.
//! *Must not know:* what servers should answer.

use crate::capture::{Capture, Seen, now};
use crate::client::{INTERFACE, hardware_text};
use crate::node::Node;
use crate::pair::Side;
use crate::raw::{frame, ipv4, message, send, udp};
use crate::wait_for;
use dhcp::MessageType::{self, Ack, Nak, Offer};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A client without a program. All of them say what they say by one interface.
#[derive(Debug)]
pub struct Puppet {
    /// Its hardware address.
    pub mac: [u8; 6],
}

/// No two messages of a process have the same xid, whoever says them.
static NEXT_XID: AtomicU32 = AtomicU32::new(1);

/// What a server gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The address.
    pub address: Ipv4Addr,
    /// Who gave it.
    pub server: Ipv4Addr,
    /// For how many seconds.
    pub lease: u32,
    /// When the answer was on the wire, in nanoseconds since 1970.
    pub at: u64,
}

impl Given {
    /// Who of a pair gave it.
    #[track_caller]
    pub fn server_side(&self) -> Side {
        let is_it = |side: &Side| side.address() == self.server;
        Side::BOTH.into_iter().find(is_it).unwrap_or_else(|| panic!("{} is none of the pair", self.server))
    }
}

impl Puppet {
    /// Each number is another client.
    pub fn new(number: u8) -> Puppet {
        Puppet { mac: [2, 0xf, 0, 0, 1, number] }
    }

    /// Says something to all, by the usual interface of a node; the xid of it.
    pub fn say(&self, node: &Node, kind: u8, ciaddr: Option<Ipv4Addr>, options: &[(u8, &[u8])]) -> u32 {
        let xid = NEXT_XID.fetch_add(1, Ordering::Relaxed);
        let mut bytes = message(kind, self.mac, xid, options);
        if let Some(address) = ciaddr {
            bytes[12..16].copy_from_slice(&address.octets());
        }
        let source = ciaddr.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let packet = ipv4(source, Ipv4Addr::BROADCAST, 1, 0x4000, &udp(68, 67, &bytes));
        send(node, INTERFACE, &[frame([0xff; 6], self.mac, &packet)], 0);
        xid
    }

    /// The first answer of this type to what was said as `xid`; none in 2 s is none.
    fn answer(&self, capture: &Capture, kind: MessageType, xid: u32) -> Option<Seen> {
        let start = now();
        let is_it = |seen: &Seen| {
            seen.kind() == Some(kind) && seen.chaddr() == self.mac && seen.message().xid().0 == xid
        };
        loop {
            if let Some(found) = capture.seen().into_iter().find(|seen| is_it(seen)) {
                return Some(found);
            }
            if now() - start > 2_000_000_000 {
                return None;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// DHCPDISCOVER, perhaps for an address: what is offered, and by whom.
    pub fn discover(
        &self,
        node: &Node,
        capture: &Capture,
        wish: Option<Ipv4Addr>,
    ) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let octets = wish.map(|wish| wish.octets());
        let options: Vec<(u8, &[u8])> = octets.iter().map(|octets| (50, &octets[..])).collect();
        let xid = self.say(node, 1, None, &options);
        let offer = self.answer(capture, Offer, xid)?;
        Some((offer.message().yiaddr(), offer.message().server_identifier()?))
    }

    /// DHCPREQUEST for what a server offered.
    pub fn select(
        &self,
        node: &Node,
        capture: &Capture,
        (address, server): (Ipv4Addr, Ipv4Addr),
    ) -> Option<Given> {
        let xid = self.say(node, 3, None, &[(50, &address.octets()), (54, &server.octets())]);
        given(&self.answer(capture, Ack, xid)?)
    }

    /// DHCPREQUEST to all for the address that it has: `None` when nobody answers. A DHCPNAK is the end of a scenario.
    #[track_caller]
    pub fn rebind(&self, node: &Node, capture: &Capture, address: Ipv4Addr) -> Option<Given> {
        let xid = self.say(node, 3, Some(address), &[]);
        let answer = self.answer(capture, Ack, xid);
        let refused =
            capture.seen().into_iter().find(|seen| seen.kind() == Some(Nak) && seen.message().xid().0 == xid);
        assert_eq!(refused, None, "{} may not have {address} any more", hardware_text(&self.mac));
        given(&answer?)
    }

    /// Asks, until it gets one, for an address: DISCOVER, OFFER, REQUEST, ACK.
    #[track_caller]
    pub fn bind(&self, node: &Node, capture: &Capture, within: u64) -> Given {
        let what = format!("a lease for {}", hardware_text(&self.mac));
        wait_for(&what, Duration::from_secs(within), || {
            let offer = self.discover(node, capture, None)?;
            self.select(node, capture, offer)
        })
    }

    /// Gives an address back.
    pub fn release(&self, node: &Node, given: Given) {
        self.say(node, 7, Some(given.address), &[(54, &given.server.octets())]);
    }
}

fn given(ack: &Seen) -> Option<Given> {
    let message = ack.message();
    Some(Given {
        address: message.yiaddr(),
        server: message.server_identifier()?,
        lease: message.lease_time()?,
        at: ack.at,
    })
}
