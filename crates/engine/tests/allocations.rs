//! How often a packet makes the engine ask for memory, once the buffers have their size: never, but for what stays with a
//! lease.

#![expect(clippy::expect_used, reason = "a broken test may stop")]

mod common;

use common::{Client, INTERFACE, SERVER, Server, ip, seconds, small};
use dhcp::{MessageType, code};
use engine::{Batch, Input, Packet};
use std::net::{Ipv4Addr, SocketAddrV4};

/// A server whose buffers have their size: each of the two batches has carried every kind of output.
struct Steady {
    server: Server,
    spare: Batch,
    /// Bytes of the last reply.
    reply: [u8; 1500],
}

/// What one packet cost, and the address in the reply, if there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    allocations: u64,
    yiaddr: Option<Ipv4Addr>,
}

impl Steady {
    fn new() -> Steady {
        let mut steady =
            Steady { server: Server::new(&small(200)), spare: Batch::default(), reply: [0; 1500] };
        for number in [254, 255] {
            for _ in 0..2 {
                let mut client = full(number);
                client.identifier = Some(vec![number; 200]);
                let address = steady.lease(&client).1.yiaddr.expect("an address");
                steady.renew(&client, address);
                steady.release(&client, address);
                steady.refused(&client);
            }
        }
        steady
    }

    /// From the packet to the reply that leaves: decided, sealed, released.
    fn send(&mut self, client: &Client, bytes: &[u8]) -> Cost {
        let Steady { server, spare, reply } = self;
        let packet = Packet {
            interface: INTERFACE,
            source: SocketAddrV4::new(client.source, 68),
            destination: client.destination,
            received: server.now,
            bytes,
        };
        let mut sent = 0;
        let counted = allocation_counter::measure(|| {
            server.engine.handle(server.now, Input::Packet(packet), &mut server.outbox);
            let mut batch = server.outbox.seal(std::mem::take(spare));
            batch.release(batch.end(), server.now, |_, bytes| {
                reply[..bytes.len()].copy_from_slice(bytes);
                sent = bytes.len();
            });
            *spare = batch;
        });
        let yiaddr =
            (sent > 0).then(|| dhcp::Message::parse(&self.reply[..sent]).expect("our own reply").yiaddr());
        Cost { allocations: counted.count_total, yiaddr }
    }

    /// DISCOVER and REQUEST.
    fn lease(&mut self, client: &Client) -> (Cost, Cost) {
        let offer = self.send(client, &client.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[]));
        let address = offer.yiaddr.expect("an offer").octets();
        let chosen = SERVER.octets();
        let options: [(u8, &[u8]); 2] =
            [(code::REQUESTED_ADDRESS, &address), (code::SERVER_IDENTIFIER, &chosen)];
        let request = client.message(MessageType::Request, Ipv4Addr::UNSPECIFIED, &options);
        let ack = self.send(client, &request);
        assert_eq!(ack.yiaddr, offer.yiaddr);
        (offer, ack)
    }

    fn renew(&mut self, client: &Client, address: Ipv4Addr) -> u64 {
        let cost = self.send(client, &client.message(MessageType::Request, address, &[]));
        assert_eq!(cost.yiaddr, Some(address));
        cost.allocations
    }

    fn release(&mut self, client: &Client, address: Ipv4Addr) -> u64 {
        let chosen = SERVER.octets();
        let message = client.message(MessageType::Release, address, &[(code::SERVER_IDENTIFIER, &chosen)]);
        let cost = self.send(client, &message);
        assert_eq!(cost.yiaddr, None);
        cost.allocations
    }

    /// A DHCPNAK: the address is of another network.
    fn refused(&mut self, client: &Client) -> u64 {
        let wanted = ip("192.0.2.7").octets();
        let message = client.message(
            MessageType::Request,
            Ipv4Addr::UNSPECIFIED,
            &[(code::REQUESTED_ADDRESS, &wanted)],
        );
        let cost = self.send(client, &message);
        assert_eq!(cost.yiaddr, Some(Ipv4Addr::UNSPECIFIED));
        cost.allocations
    }
}

/// A client that says all that is kept with a lease, through a relay.
fn full(number: u8) -> Client {
    let mut client = Client::new(number);
    client.giaddr = ip("10.0.0.2");
    client.relay_information = Some(vec![1, 4, 0, 0, 0, number, 2, 2, 7, 7]);
    client.host_name = Some("laptop");
    client
}

#[test]
fn a_plain_client_costs_nothing() {
    let mut steady = Steady::new();
    for number in 1..=50 {
        let client = Client::new(number);
        let (offer, ack) = steady.lease(&client);
        assert_eq!((offer.allocations, ack.allocations), (0, 0), "client {number}");
        let address = ack.yiaddr.expect("an address");
        assert_eq!(steady.renew(&client, address), 0);
        let inform = client.message(MessageType::Inform, address, &[]);
        assert_eq!(steady.send(&client, &inform).allocations, 0);
        assert_eq!(steady.refused(&client), 0);
        assert_eq!(steady.release(&client, address), 0);
        let (offer, ack) = steady.lease(&client);
        assert_eq!((offer.allocations, ack.allocations), (0, 0), "client {number} again");
    }
}

#[test]
fn what_is_kept_with_a_lease_is_one_piece_of_memory() {
    let mut steady = Steady::new();
    for number in 1..=50 {
        let mut client = full(number);
        let (offer, ack) = steady.lease(&client);
        assert_eq!((offer.allocations, ack.allocations), (0, 1), "client {number}");
        let address = ack.yiaddr.expect("an address");
        assert_eq!(steady.renew(&client, address), 0);
        client.relay_information = Some(vec![1, 4, 0, 0, 9, number, 2, 2, 7, 7]);
        assert_eq!(steady.renew(&client, address), 0, "another circuit of the same length");
        client.relay_information = Some(vec![1, 5, 0, 0, 9, number, 1, 2, 2, 7, 7]);
        assert_eq!(steady.renew(&client, address), 1, "another length");
        assert_eq!(steady.release(&client, address), 0);
        let (offer, ack) = steady.lease(&client);
        assert_eq!((offer.allocations, ack.allocations), (0, 0), "client {number} again");
    }
}

#[test]
fn a_long_identifier_is_one_piece_of_memory_a_packet() {
    let mut steady = Steady::new();
    for number in 1..=50 {
        let mut client = Client::new(number);
        client.identifier = Some(vec![number; 21]);
        let (offer, ack) = steady.lease(&client);
        assert_eq!((offer.allocations, ack.allocations), (0, 0), "21 bytes are short");
        client.identifier = Some(vec![number; 22]);
        let (offer, ack) = steady.lease(&client);
        assert_eq!((offer.allocations, ack.allocations), (1, 1));
        let address = ack.yiaddr.expect("an address");
        assert_eq!(steady.renew(&client, address), 1);
        assert_eq!(steady.release(&client, address), 1);
    }
}

#[test]
fn what_is_refused_or_runs_out_costs_nothing() {
    let mut steady = Steady::new();
    let client = Client::new(1);
    for bytes in [&[0; 20][..], &[1; 300], &client.message(MessageType::Offer, Ipv4Addr::UNSPECIFIED, &[])] {
        assert_eq!(steady.send(&client, bytes), Cost { allocations: 0, yiaddr: None });
    }
    for number in 1..=40 {
        steady.lease(&Client::new(number));
    }
    for number in 41..=80 {
        let client = Client::new(number);
        let discover = client.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[]);
        assert_eq!(steady.send(&client, &discover).allocations, 0, "an offer that nobody takes");
    }
    let Steady { server, spare, .. } = &mut steady;
    let before = server.leases();
    server.now = server.now.plus(seconds(700));
    let counted = allocation_counter::measure(|| {
        server.engine.handle(server.now, Input::Wake, &mut server.outbox);
        *spare = server.outbox.seal(std::mem::take(spare));
    });
    assert_ne!(server.leases(), before, "forty leases and forty offers ran out");
    // The batch of forty records at once is larger than any before it: its buffers double.
    assert!(counted.count_total <= 8, "{} allocations", counted.count_total);
}
