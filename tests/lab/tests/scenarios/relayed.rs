//! Each client behind each relay agent: bind, renew by its own timer, release.

use crate::direct::Wire;
use crate::server_under_test;
use dhcp::MessageType::{Ack, Discover, Offer, Request};
use lab::client::{INTERFACE, hardware_address};
use lab::{Capture, Client, ClientKind, Lab, Node, Relay, RelayKind, Seen, Server, Setup, Subnet};
use std::net::Ipv4Addr;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 1);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

/// The relay's node outlives the program on it.
struct Behind {
    relay: Relay,
    wire: Wire,
    relay_node: Node,
}

fn behind(kind: ClientKind, relay: RelayKind) -> Behind {
    let lab = Lab::new(&format!("relay-{relay:?}-{}", kind.name()).to_lowercase());
    lab.wire("lan");
    lab.wire("core");
    let (server_node, client_node, relay_node) = (lab.node("server"), lab.node("client"), lab.node("relay"));
    lab.connect("core", &server_node, "eth0", "10.2.0.1/24");
    lab.connect("core", &relay_node, "up", "10.2.0.2/24");
    lab.connect("lan", &relay_node, "down", "10.1.0.1/24");
    lab.connect("lan", &client_node, INTERFACE, "");
    server_node.run("ip route add 10.1.0.0/24 via 10.2.0.2");
    let mut setup = Setup::usual();
    let own = Subnet {
        prefix: "10.2.0.0/24",
        pool: (Ipv4Addr::new(10, 2, 0, 100), Ipv4Addr::new(10, 2, 0, 199)),
        router: Ipv4Addr::new(10, 2, 0, 2),
        times: (60, 20, 30),
    };
    setup.subnets.insert(0, own);
    let server = Server::start(&server_node, server_under_test(), &setup);
    let capture = Capture::start(&server_node, "eth0");
    let mac = hardware_address(&client_node, INTERFACE);
    let relay = Relay::start(&relay_node, relay, ("down", RELAY), "up", SERVER);
    Behind { relay, wire: Wire { server, capture, client_node, server_node, lab, mac }, relay_node }
}

fn life(kind: ClientKind, relay: RelayKind) {
    let mut behind = behind(kind, relay);
    let mut near = Capture::start(&behind.wire.client_node, INTERFACE);
    let mut client = Client::start(&behind.wire.client_node, kind);
    let wire = &behind.wire;
    let (address, ack) = wire.bind(&mut client);
    assert_eq!(address.octets()[..3], [10, 1, 0], "an address of the client's wire");
    check_relayed(wire, relay);
    wire.renew(&mut client, address, SERVER, &ack);
    wire.release(&mut client, address);
    assert!(behind.relay.process().ended().is_none());
    for reply in near.seen().iter().filter(|seen| [Some(Offer), Some(Ack)].contains(&seen.kind())) {
        let option = reply.message().relay_agent_information();
        assert!(option.is_none(), "option 82 is the relay's, not the client's: {reply:?}");
    }
    assert!(near.second_opinion() >= 7);
    behind.wire.second_opinion(7);
    assert!(behind.relay_node.run("ip -o link").contains("down"));
}

/// What came by the relay goes back to the relay, with its option 82 as it came.
#[track_caller]
fn check_relayed(wire: &Wire, relay: RelayKind) {
    let seen = wire.capture.seen();
    let relayed = |seen: &&Seen| seen.message().giaddr() == RELAY;
    let mut pairs = 0;
    for asked in
        seen.iter().filter(relayed).filter(|seen| [Some(Discover), Some(Request)].contains(&seen.kind()))
    {
        let xid = asked.message().xid();
        let kind = if asked.kind() == Some(Discover) { Offer } else { Ack };
        let is_answer =
            |seen: &&Seen| seen.at > asked.at && seen.kind() == Some(kind) && seen.message().xid() == xid;
        let Some(answer) = seen.iter().find(is_answer) else { continue };
        pairs += 1;
        assert_eq!((answer.destination, answer.port), (RELAY, 67), "{answer:?}");
        assert_eq!(answer.message().giaddr(), RELAY);
        assert_eq!(answer.message().flags(), asked.message().flags());
        let bytes = |seen: &Seen| seen.message().option(82).map(|value| value.iter().collect::<Vec<u8>>());
        assert_eq!(bytes(asked).is_some(), relay == RelayKind::Dhcrelay, "{asked:?}");
        assert_eq!(bytes(asked), bytes(answer), "{answer:?}");
    }
    assert!(pairs >= 2, "only {pairs} messages came by the relay and were answered: {seen:?}");
}

#[test]
fn udhcpc_behind_dhcrelay() {
    life(ClientKind::Udhcpc, RelayKind::Dhcrelay);
}

/// F07-4.1-01.
#[test]
fn dhclient_behind_dhcrelay() {
    life(ClientKind::Dhclient, RelayKind::Dhcrelay);
}

#[test]
fn dhcpcd_behind_dhcrelay() {
    life(ClientKind::Dhcpcd, RelayKind::Dhcrelay);
}

#[test]
fn udhcpc_behind_dnsmasq() {
    life(ClientKind::Udhcpc, RelayKind::Dnsmasq);
}

#[test]
fn dhclient_behind_dnsmasq() {
    life(ClientKind::Dhclient, RelayKind::Dnsmasq);
}

#[test]
fn dhcpcd_behind_dnsmasq() {
    life(ClientKind::Dhcpcd, RelayKind::Dnsmasq);
}
