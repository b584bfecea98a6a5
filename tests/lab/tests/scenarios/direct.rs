//! Each client on the server's own wire: bind, renew by its own timer, init-reboot, release; rebind; decline.
//!
//! *Lives here:* these scenarios, and the steps that the relayed ones share.

use crate::server_under_test;
use dhcp::MessageType::{self, Ack, Decline, Discover, Offer, Release, Request};
use lab::capture::now;
use lab::client::{INTERFACE, hardware_address, hardware_text};
use lab::server::wait_for_lease;
use lab::{Capture, Client, ClientKind, Lab, Node, Seen, Server, ServerKind, Setup};
use std::net::Ipv4Addr;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

/// A server and a client on one wire, and what the server's interface sees. Nodes end before their lab does.
pub struct Wire {
    pub server: Server,
    pub capture: Capture,
    pub client_node: Node,
    pub server_node: Node,
    pub lab: Lab,
    pub mac: [u8; 6],
}

impl Wire {
    fn new(name: &str) -> Wire {
        let lab = Lab::new(name);
        lab.wire("lan");
        let (server_node, client_node) = (lab.node("server"), lab.node("client"));
        lab.connect("lan", &server_node, "eth0", "10.1.0.1/24");
        lab.connect("lan", &client_node, INTERFACE, "");
        let server = Server::start(&server_node, server_under_test(), &Setup::usual());
        let capture = Capture::start(&server_node, "eth0");
        let mac = hardware_address(&client_node, INTERFACE);
        Wire { server, capture, client_node, server_node, lab, mac }
    }

    /// Waits for a message of this client, or to it, after a time.
    #[track_caller]
    pub fn wait(&self, kind: MessageType, within: u64, after: u64, is: impl Fn(&Seen) -> bool) -> Seen {
        self.capture.wait(&format!("{kind:?} of the client"), within, after, |seen| {
            seen.kind() == Some(kind) && seen.chaddr() == self.mac && is(seen)
        })
    }

    /// Waits for the answer to a message.
    #[track_caller]
    pub fn answer(&self, kind: MessageType, to: &Seen) -> Seen {
        let xid = to.message().xid();
        self.wait(kind, 5, to.at, |seen| seen.message().xid() == xid)
    }

    /// The client binds: four messages, the address that it then has, and a lease that lasts as long as was promised.
    #[track_caller]
    pub fn bind(&self, client: &mut Client) -> (Ipv4Addr, Seen) {
        let start = now();
        let node = &self.client_node;
        let address = client.wait_for_address(node, 30);
        let request = self.wait(Request, 5, 0, |seen| {
            seen.message().server_identifier().is_some()
                && seen.message().requested_address() == Some(address)
        });
        let xid = request.message().xid();
        let discover = self.wait(Discover, 1, 0, |seen| seen.message().xid() == xid);
        let offer = self.answer(Offer, &discover);
        assert_eq!(offer.message().yiaddr(), address);
        let ack = self.answer(Ack, &request);
        assert_eq!(ack.message().yiaddr(), address);
        assert!(discover.at < offer.at && offer.at < request.at && request.at < ack.at, "out of order");
        assert!(ack.at > start.saturating_sub(30_000_000_000));
        self.check_ack(&ack, address);
        (address, ack)
    }

    /// A DHCPACK that a client can live with, and a lease that covers it.
    #[track_caller]
    pub fn check_ack(&self, ack: &Seen, address: Ipv4Addr) {
        let message = ack.message();
        assert_eq!(message.lease_time(), Some(60), "{ack:?}");
        assert!(message.server_identifier().is_some(), "{ack:?}");
        // To a client on its own wire Tandem answers with a packet of its own making; an unfinished checksum would be
        // dropped there by clients that read packets.
        if server_under_test() == ServerKind::Tandem && ack.source == SERVER {
            assert_eq!(ack.checksum, Some(true), "{ack:?}");
        }
        let ends = ack.at / 1_000_000_000 + 60;
        let lease = wait_for_lease(&self.server, &self.server_node, address, "active", |lease| {
            lease.status == "active" && lease.ends + 1 >= ends
        });
        assert_eq!(lease.hardware, hardware_text(&self.mac));
        assert!(lease.ends <= ends + 2, "the lease of {address} ends {} s late", lease.ends - ends);
    }

    /// The client renews when its own timer says so, by unicast.
    #[track_caller]
    pub fn renew(&self, client: &mut Client, address: Ipv4Addr, server: Ipv4Addr, bound: &Seen) {
        let renewal = self.wait(Request, 45, bound.at, |seen| {
            seen.message().ciaddr() == address && seen.message().server_identifier().is_none()
        });
        assert_eq!(renewal.destination, server, "{renewal:?} should have been unicast");
        assert_eq!(renewal.source, address);
        let waited = (renewal.at - bound.at) / 1_000_000_000;
        assert!((10..=35).contains(&waited), "renewed after {waited} s");
        let ack = self.answer(Ack, &renewal);
        assert_eq!(ack.message().yiaddr(), address);
        self.check_ack(&ack, address);
        assert_eq!(Client::address(&self.client_node), Some(address));
        assert!(client.process().ended().is_none());
    }

    /// The client gives its lease back.
    #[track_caller]
    pub fn release(&self, client: &mut Client, address: Ipv4Addr) {
        let start = now();
        client.release(&self.client_node);
        let release = self.wait(Release, 10, start, |seen| seen.message().ciaddr() == address);
        assert!(release.message().server_identifier().is_some());
        wait_for_lease(&self.server, &self.server_node, address, "given back", |lease| {
            lease.status == "free" || lease.status == "released"
        });
    }

    /// A machine that is switched off and on asks for the address that it had.
    #[track_caller]
    fn init_reboot(&self, client: &mut Client, address: Ipv4Addr) -> Seen {
        client.power_off(&self.client_node);
        let start = now();
        client.power_on(&self.client_node, address);
        assert_eq!(client.wait_for_address(&self.client_node, 30), address);
        let asking = if client.kind().reboots() { Request } else { Discover };
        let asked = self.wait(asking, 5, start, |seen| seen.message().requested_address() == Some(address));
        assert_eq!(asked.message().ciaddr(), Ipv4Addr::UNSPECIFIED);
        assert_eq!(asked.message().server_identifier(), None);
        let answer = self.answer(if client.kind().reboots() { Ack } else { Offer }, &asked);
        assert_eq!(answer.message().yiaddr(), address);
        let ack = self.wait(Ack, 5, start, |seen| seen.message().yiaddr() == address);
        self.check_ack(&ack, address);
        ack
    }

    /// Ends the capture and asks tshark about it.
    #[track_caller]
    pub fn second_opinion(&mut self, at_least: usize) {
        let compared = self.capture.second_opinion();
        assert!(compared >= at_least, "only {compared} messages");
    }
}

fn life(kind: ClientKind) {
    let mut wire = Wire::new(&format!("life-{}", kind.name()));
    let mut client = Client::start(&wire.client_node, kind);
    let (address, ack) = wire.bind(&mut client);
    wire.renew(&mut client, address, SERVER, &ack);
    wire.init_reboot(&mut client, address);
    wire.release(&mut client, address);
    wire.second_opinion(9);
}

fn rebind(kind: ClientKind) {
    let mut wire = Wire::new(&format!("rebind-{}", kind.name()));
    let mut client = Client::start(&wire.client_node, kind);
    let (address, ack) = wire.bind(&mut client);
    // What the client sends to the server alone now ends nowhere; what it sends to all arrives.
    wire.lab.known_addresses_only(&wire.server_node, "eth0");
    wire.client_node.run("ip neigh replace 10.1.0.1 lladdr 02:00:00:00:ff:ff nud permanent dev eth0");
    let lost = Capture::start(&wire.client_node, INTERFACE);
    let is_extension = |seen: &Seen| seen.kind() == Some(Request) && seen.message().ciaddr() == address;
    let renewal = lost
        .wait("DHCPREQUEST by unicast", 45, ack.at, |seen| is_extension(seen) && seen.destination == SERVER);
    let rebinding = wire.wait(Request, 45, renewal.at, |seen| is_extension(seen) && seen.is_broadcast());
    assert_eq!(rebinding.message().server_identifier(), None);
    assert_eq!(rebinding.message().requested_address(), None);
    let answer = wire.answer(Ack, &rebinding);
    wire.check_ack(&answer, address);
    assert_eq!(Client::address(&wire.client_node), Some(address));
    let arrived = wire.capture.seen().into_iter().filter(|seen| is_extension(seen) && !seen.is_broadcast());
    assert_eq!(arrived.count(), 0, "a renewal reached the server though its way was cut");
    wire.second_opinion(6);
}

fn decline(kind: ClientKind) {
    let mut wire = Wire::new(&format!("decline-{}", kind.name()));
    let mut client = Client::start(&wire.client_node, kind);
    let (address, _) = wire.bind(&mut client);
    wire.release(&mut client, address);
    client.power_off(&wire.client_node);
    drop(client);
    // Now somebody else has the address, of whom the server knows nothing.
    let squatter = wire.lab.node("squatter");
    wire.lab.connect("lan", &squatter, "eth0", &format!("{address}/24"));
    let start = now();
    let mut client = Client::start_probing(&wire.client_node, kind);
    let decline = wire.wait(Decline, 40, start, |seen| seen.message().requested_address() == Some(address));
    assert!(decline.message().server_identifier().is_some());
    wait_for_lease(&wire.server, &wire.server_node, address, "abandoned", |lease| {
        lease.status == "abandoned"
    });
    let other = client.wait_for_address(&wire.client_node, 60);
    let ack = wire.wait(Ack, 10, decline.at, |seen| seen.message().yiaddr() == other);
    assert_ne!(other, address);
    wire.check_ack(&ack, other);
    wire.second_opinion(10);
}

#[test]
fn udhcpc_binds_renews_restarts_and_releases() {
    life(ClientKind::Udhcpc);
}

#[test]
fn dhclient_binds_renews_restarts_and_releases() {
    life(ClientKind::Dhclient);
}

#[test]
fn dhcpcd_binds_renews_restarts_and_releases() {
    life(ClientKind::Dhcpcd);
}

#[test]
fn udhcpc_rebinds_when_its_server_does_not_answer() {
    rebind(ClientKind::Udhcpc);
}

#[test]
fn dhclient_rebinds_when_its_server_does_not_answer() {
    rebind(ClientKind::Dhclient);
}

#[test]
fn dhcpcd_rebinds_when_its_server_does_not_answer() {
    rebind(ClientKind::Dhcpcd);
}

#[test]
fn udhcpc_declines_an_address_that_another_machine_has() {
    decline(ClientKind::Udhcpc);
}

/// dhclient asks its script whether the address is free; Debian's script does not look, so here it does.
#[test]
fn dhclient_declines_an_address_that_another_machine_has() {
    decline(ClientKind::Dhclient);
}

#[test]
fn dhcpcd_declines_an_address_that_another_machine_has() {
    decline(ClientKind::Dhcpcd);
}
