//! Many clients behind one relay agent, each of which does what it is told.
//!
//! *Lives here:* [`Crowd`]: asks as any of them, and hears what is answered, in the order in which it came.
//! *Must not know:* servers.

use crate::node::Node;
use crate::raw::message;
use dhcp::{Message, MessageType};
use nix::sys::socket::{setsockopt, sockopt};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

/// Port of servers and relay agents.
const PORT: u16 = 67;

/// Room for all that is answered while nobody listens.
const RECEIVE_BUFFER: usize = 64 << 20;

/// What one client was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The client, by its number.
    pub client: u32,
    /// The transaction.
    pub xid: u32,
    /// What kind of answer.
    pub kind: MessageType,
    /// The address in it.
    pub address: Ipv4Addr,
}

/// The relay agent with its clients.
#[derive(Debug)]
pub struct Crowd {
    socket: UdpSocket,
    relay: Ipv4Addr,
    server: Ipv4Addr,
}

impl Crowd {
    /// At an address of a node, for one server.
    #[track_caller]
    pub fn new(node: &Node, relay: Ipv4Addr, server: Ipv4Addr) -> Crowd {
        let socket = node.within(move || UdpSocket::bind(SocketAddrV4::new(relay, PORT)).unwrap());
        setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).unwrap();
        Crowd { socket, relay, server }
    }

    /// A client says something. Sent again it is the same but for its transaction.
    #[track_caller]
    pub fn ask(&self, client: u32, kind: MessageType, xid: u32, options: &[(u8, &[u8])]) {
        let [_, a, b, c] = client.to_be_bytes();
        let mut bytes = message(kind as u8, [2, 0xc0, 0, a, b, c], xid, options);
        bytes[3] = 1;
        bytes[24..28].copy_from_slice(&self.relay.octets());
        self.socket.send_to(&bytes, SocketAddrV4::new(self.server, PORT)).unwrap();
    }

    /// A client wants the address that this server has offered it.
    #[track_caller]
    pub fn select(&self, offer: &Answer, xid: u32) {
        let options: &[(u8, &[u8])] = &[(54, &self.server.octets()), (50, &offer.address.octets())];
        self.ask(offer.client, MessageType::Request, xid, options);
    }

    /// The next answer, if one comes within this time.
    #[track_caller]
    pub fn hear(&self, within: Duration) -> Option<Answer> {
        let mut buffer = [0; 1500];
        self.socket.set_read_timeout(Some(within)).unwrap();
        let length = self.socket.recv(&mut buffer).ok()?;
        let message = Message::parse(&buffer[..length]).unwrap();
        let [.., a, b, c] = *message.chaddr() else { panic!("{:?}", message.chaddr()) };
        Some(Answer {
            client: u32::from_be_bytes([0, a, b, c]),
            xid: message.xid().0,
            kind: message.message_type().unwrap(),
            address: message.yiaddr(),
        })
    }
}
