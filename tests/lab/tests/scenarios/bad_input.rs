//! Packets that no client would send, through the real sockets: counted by reason, answered with nothing, server unharmed.

use dhcp::MessageType;
use lab::client::{INTERFACE, hardware_address};
use lab::raw::{fragments, frame, ipv4, message, seal, send, udp};
use lab::{Capture, Client, ClientKind, Lab, Node, Server, ServerKind, Setup, seconds, wait_for};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 9);
const ALL: [u8; 6] = [0xff; 6];

/// One message of a kind of nonsense, how it goes on the wire, and the counters of which one must count it.
struct Bad {
    name: &'static str,
    frames: Vec<Vec<u8>>,
    /// Empty for what the kernel does not let through.
    counted: &'static [&'static str],
}

/// The client from which all of it seems to come.
const MAC: [u8; 6] = [2, 0xba, 0xdd, 0, 0, 1];

fn broadcast(payload: &[u8]) -> Vec<u8> {
    frame(ALL, MAC, &ipv4(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, 1, 0x4000, &udp(68, 67, payload)))
}

fn bad(name: &'static str, payload: &[u8], counted: &'static [&'static str]) -> Bad {
    Bad { name, frames: vec![broadcast(payload)], counted }
}

/// A DHCPDISCOVER with one byte of its fixed part changed.
fn changed(at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = message(1, MAC, 1, &[]);
    bytes[at] = byte;
    bytes
}

/// A DHCPDISCOVER with bytes behind its message type, as they are, and no END.
fn ending_with(bytes: &[u8]) -> Vec<u8> {
    let mut whole = message(1, MAC, 1, &[]);
    whole.pop();
    whole.extend(bytes);
    whole
}

fn of_messages() -> Vec<Bad> {
    let discover = message(1, MAC, 1, &[]);
    let without_type = [&discover[..240], &[255]].concat();
    let mut no_identity = message(1, [0; 6], 1, &[]);
    no_identity[2] = 0;
    let mut no_identity_with_empty_option = message(1, [0; 6], 1, &[(61, &[])]);
    no_identity_with_empty_option[2] = 0;
    let mut overload = message(1, MAC, 1, &[(52, &[3])]);
    overload[44..46].copy_from_slice(&[12, 250]);
    let no_cookie = [&discover[..236], &[0; 64]].concat();
    let mut nowhere = message(1, MAC, 1, &[]);
    nowhere[24..28].copy_from_slice(&[203, 0, 113, 7]);
    let mut relayed_by_all = message(1, MAC, 1, &[]);
    relayed_by_all[24..28].copy_from_slice(&[255; 4]);
    let other_server: &[(u8, &[u8])] = &[(54, &[192, 0, 2, 99]), (50, &[10, 1, 0, 150])];
    let not_mine: &[(u8, &[u8])] = &[(54, &[10, 1, 0, 1]), (50, &[10, 1, 0, 150])];
    let mut release = message(7, MAC, 1, &[(54, &[10, 1, 0, 1])]);
    release[12..16].copy_from_slice(&[10, 1, 0, 150]);
    vec![
        bad("nothing", &[], &["refused-too-short"]),
        bad("one byte", &[1], &["refused-too-short"]),
        bad("cut before the cookie", &discover[..239], &["refused-too-short"]),
        bad("op 0", &changed(0, 0), &["refused-bad-op"]),
        bad("op 255", &changed(0, 255), &["refused-bad-op"]),
        bad("a reply (CVE-2003-0039)", &changed(0, 2), &["dropped-not-for-server"]),
        bad("hlen 17 (CVE-2012-3570)", &changed(2, 17), &["refused-hlen-too-long"]),
        bad("hlen 255", &changed(2, 255), &["refused-hlen-too-long"]),
        bad("BOOTP without a cookie (CVE-2011-2748)", &no_cookie, &["refused-bad-cookie"]),
        bad("BOOTP with a cookie (CVE-2011-2749)", &without_type, &["dropped-bootp"]),
        bad("an option that runs over the end", &ending_with(&[12, 200, 1]), &["refused-option-overrun"]),
        bad("an option without a length", &ending_with(&[12]), &["refused-option-overrun"]),
        bad("options promised in sname that run over", &overload, &["refused-bad-overload"]),
        bad("message type 0", &message(0, MAC, 1, &[]), &["refused-bad-message-type"]),
        bad("message type 255", &message(255, MAC, 1, &[]), &["refused-bad-message-type"]),
        bad("message type of two bytes", &ending_with(&[53, 1, 1, 255]), &["refused-bad-message-type"]),
        bad("DHCPOFFER to a server", &message(2, MAC, 1, &[]), &["dropped-not-for-server"]),
        bad("DHCPACK to a server", &message(5, MAC, 1, &[]), &["dropped-not-for-server"]),
        bad("no identity (CVE-2019-6474)", &no_identity, &["dropped-no-identity"]),
        bad("an empty identity (CVE-2010-2156)", &no_identity_with_empty_option, &["dropped-no-identity"]),
        bad("a relay of nowhere (CVE-2010-3611)", &nowhere, &["dropped-no-subnet"]),
        bad("a relay at 255.255.255.255", &relayed_by_all, &["dropped-no-subnet", "dropped-incomplete"]),
        bad("DHCPREQUEST to another server", &message(3, MAC, 1, other_server), &["dropped-other-server"]),
        bad("DHCPREQUEST for nothing", &message(3, MAC, 1, &[]), &["dropped-incomplete"]),
        bad("DHCPDECLINE of what it has not", &message(4, MAC, 1, not_mine), &["dropped-not-holder"]),
        bad("DHCPRELEASE of what it has not", &release, &["dropped-not-holder"]),
        Bad {
            name: "more than 4096 bytes",
            frames: fragments(MAC, STRANGER, SERVER, 6, &udp(68, 67, &[&discover[..], &[0; 4000]].concat())),
            counted: &TOO_LONG,
        },
    ]
}

/// What is wrong below DHCP: the kernel does not let it through, or only what fits.
fn of_frames() -> Vec<Bad> {
    let discover = message(1, MAC, 1, &[]);
    let datagram = udp(68, 67, &discover);
    let whole = |datagram: &[u8]| frame(ALL, MAC, &ipv4(STRANGER, Ipv4Addr::BROADCAST, 2, 0, datagram));
    let with_length = |length: u16| {
        let mut datagram = datagram.clone();
        datagram[4..6].copy_from_slice(&length.to_be_bytes());
        whole(&datagram)
    };
    let with_ip = |at: usize, bytes: &[u8]| {
        let mut packet = ipv4(STRANGER, Ipv4Addr::BROADCAST, 3, 0, &datagram);
        packet[at..at + bytes.len()].copy_from_slice(bytes);
        seal(&mut packet[..20]);
        frame(ALL, MAC, &packet)
    };
    let none: &[&str] = &[];
    let one = |name, frame, counted| Bad { name, frames: vec![frame], counted };
    let mut large = message(1, MAC, 1, &[]);
    large.resize(65_507, 0);
    let in_fragments = |to, id| fragments(MAC, STRANGER, to, id, &udp(68, 67, &large));
    let mut without_last = in_fragments(SERVER, 5);
    without_last.pop();
    vec![
        one("UDP length 0 (CVE-2015-8605)", with_length(0), none),
        one("UDP length 7", with_length(7), none),
        one("UDP length beyond the packet", with_length(2000), none),
        one("UDP length of the header alone", with_length(8), &["refused-too-short"]),
        one("IP length beyond the frame", with_ip(2, &[9, 0]), none),
        one("IP length inside the header", with_ip(2, &[0, 12]), none),
        one("IP header longer than the packet", with_ip(0, &[0x4f]), none),
        one("IP version 6", with_ip(0, &[0x65]), none),
        one("half a frame", whole(&datagram)[..40].to_vec(), none),
        Bad { name: "64 KiB in fragments", frames: in_fragments(SERVER, 4), counted: &TOO_LONG },
        Bad { name: "64 KiB in fragments, the last one missing", frames: without_last, counted: none },
    ]
}

const TOO_LONG: [&str; 2] = ["refused-too-long", "receive-too-long"];

/// Every option with values of many lengths, in every message type, by broadcast, by unicast, and from no known subnet.
fn every_option() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut noise: u32 = 0x2545_f491;
    for option in 1..=254_u8 {
        for kind in 1..=8_u8 {
            for (way, length) in [0_usize, 1, 4, 200].into_iter().enumerate() {
                let value: Vec<u8> = std::iter::repeat_with(|| {
                    noise ^= noise << 13;
                    noise ^= noise >> 17;
                    noise ^= noise << 5;
                    noise.to_le_bytes()[0]
                })
                .take(length)
                .collect();
                let mac = [2, 0xba, 0xdd, option, kind, 9];
                let options: &[(u8, &[u8])] = &[(option, &value)];
                let mut bytes = message(kind, mac, u32::from(option), options);
                // From a relay of nowhere, or from a client that has an address of nowhere: never from a known subnet.
                let place = if way % 2 == 0 { 24 } else { 12 };
                bytes[place..place + 4].copy_from_slice(&[203, 0, 113, 7]);
                frames.push(broadcast(&bytes));
            }
        }
    }
    frames
}

struct Wire {
    server: Server,
    capture: Capture,
    stranger: Node,
    server_node: Node,
    lab: Lab,
}

/// With room for all the strangers that are offered something before any of it lapses.
fn wire(name: &str) -> Wire {
    let lab = Lab::new(name);
    lab.wire("lan");
    let (server_node, stranger) = (lab.node("server"), lab.node("stranger"));
    lab.connect("lan", &server_node, "eth0", "10.1.0.1/16");
    lab.connect("lan", &stranger, "eth0", "");
    let mut setup = Setup::usual();
    setup.subnets[0].prefix = "10.1.0.0/16";
    setup.subnets[0].pool.1 = Ipv4Addr::new(10, 1, 20, 255);
    // The most verbose log: lines about packets that make no sense have stopped servers (CVE-2015-8373).
    let server = Server::start(&server_node, ServerKind::Tandem, &setup);
    let capture = Capture::start(&server_node, "eth0");
    Wire { server, capture, stranger, server_node, lab }
}

impl Wire {
    fn counters(&self) -> BTreeMap<String, u64> {
        self.server.counters(&self.server_node)
    }

    /// What a server has sent.
    fn answers(&self) -> Vec<lab::Seen> {
        self.capture.seen().into_iter().filter(|seen| seen.source == SERVER).collect()
    }

    /// A real client still gets its address.
    #[track_caller]
    fn still_serves(&mut self, name: &str) -> Ipv4Addr {
        assert!(self.server.process().ended().is_none(), "{}", self.server.process().log());
        let node = self.lab.node(name);
        self.lab.connect("lan", &node, INTERFACE, "");
        let mut client = Client::start(&node, ClientKind::Udhcpc);
        assert_ne!(hardware_address(&node, INTERFACE), MAC);
        client.wait_for_address(&node, 20)
    }
}

#[test]
fn nonsense_is_counted_by_reason_and_answered_with_nothing() {
    const TIMES: u64 = 5;
    let mut wire = wire("nonsense");
    let mut wrong = Vec::new();
    for bad in of_messages().into_iter().chain(of_frames()) {
        let before = wire.counters();
        for _ in 0..TIMES {
            send(&wire.stranger, "eth0", &bad.frames, 20);
        }
        let rise = |name: &str| {
            let now = wire.counters();
            now.get(name).unwrap_or_else(|| panic!("no counter {name} in {now:?}")) - before[name]
        };
        let counted = || bad.counted.iter().map(|name| rise(name)).sum::<u64>();
        let start = std::time::Instant::now();
        while counted() != TIMES && !bad.counted.is_empty() && start.elapsed().as_secs() < 3 {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        if !bad.counted.is_empty() && counted() != TIMES {
            let now = wire.counters();
            let risen: Vec<_> = now.iter().filter(|(name, count)| **count != before[*name]).collect();
            wrong.push(format!("{}: {:?} did not rise by {TIMES}, but {risen:?}", bad.name, bad.counted));
        }
        let answers = wire.answers();
        if !answers.is_empty() && !bad.counted.is_empty() {
            wrong.push(format!("{}: answered with {answers:?}", bad.name));
            break;
        }
        if wire.server.process().ended().is_some() {
            wrong.push(format!("{}: it ended the server:\n{}", bad.name, wire.server.process().log()));
            break;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    wire.still_serves("client");
}

#[test]
fn every_option_in_every_message_from_nowhere_harms_nobody() {
    let mut wire = wire("every-option");
    let frames = every_option();
    let before = wire.counters();
    send(&wire.stranger, "eth0", &frames, 50);
    let sent = u64::try_from(frames.len()).unwrap();
    wait_for("all to be counted", seconds(20), || {
        (wire.counters()["received"] - before["received"] >= sent).then_some(())
    });
    // What came from nowhere has no answer; that a client with an address of nowhere asks is no request to us either,
    // except DHCPDISCOVER, which may come from any address, and DHCPREQUEST for a network that is not this one.
    let from_nowhere = wire.answers().into_iter().filter(|seen| {
        seen.message().giaddr() != Ipv4Addr::UNSPECIFIED || seen.destination == Ipv4Addr::new(203, 0, 113, 7)
    });
    let from_nowhere: Vec<_> = from_nowhere.filter(|seen| seen.kind() == Some(MessageType::Ack)).collect();
    assert!(from_nowhere.is_empty(), "{from_nowhere:?}");
    wire.still_serves("client");
    let leases = wire.server.leases(&wire.server_node);
    wire.server.process().kill();
    wire.server.restart(&wire.server_node);
    assert_eq!(wire.server.leases(&wire.server_node), leases, "what was stored is not what comes back");
    wire.still_serves("later");
    // What is noise in an option 82 goes back as it came.
    let is_ours = |seen: &lab::Seen| seen.source == SERVER && !seen.message().has_option(82);
    assert!(wire.capture.second_opinion_of(is_ours) > 100);
}

/// Whatever else wakes the server: questions, signals, addresses that come and go. One datagram comes by the interface
/// that is served, one from a relay by another that is not, to an address of the first.
#[test]
fn a_datagram_is_handled_once() {
    let mut wire = wire("once");
    wire.lab.wire("core");
    wire.lab.connect("core", &wire.server_node, "eth1", "10.9.0.1/24");
    wire.lab.connect("core", &wire.stranger, "eth1", "");
    send(&wire.stranger, "eth0", &[broadcast(&message(1, MAC, 1, &[]))], 0);
    wire.capture.wait("DHCPOFFER", 5, 0, |seen| seen.kind() == Some(MessageType::Offer));
    let mut relayed = message(1, [2, 0xba, 0xdd, 0, 0, 2], 2, &[]);
    relayed[24..28].copy_from_slice(&[10, 1, 0, 9]);
    let packet = ipv4(Ipv4Addr::new(10, 9, 0, 2), SERVER, 7, 0, &udp(67, 67, &relayed));
    send(&wire.stranger, "eth1", &[frame(hardware_address(&wire.server_node, "eth1"), MAC, &packet)], 0);
    wait_for("the relayed one", seconds(5), || (wire.counters()["discover"] > 1).then_some(()));
    for _ in 0..5 {
        wire.counters();
    }
    wire.server.process().signal(nix::sys::signal::Signal::SIGHUP);
    wire.server_node
        .run("ip addr add 10.1.0.3/16 dev eth0; sleep 0.5; ip addr del 10.1.0.3/16 dev eth0; sleep 0.5");
    let counters = wire.counters();
    assert_eq!((counters["received"], counters["discover"], counters["offer"]), (2, 2, 2), "{counters:?}");
    assert!(wire.server.process().ended().is_none());
}

/// Identities of every shape (CVE-2010-2156, CVE-2012-3571, CVE-2019-6474), each of which may well have a lease: all of
/// them are there after a restart.
#[test]
fn strange_identities_come_back_as_they_were() {
    let mut wire = wire("identities");
    let mut discovers = Vec::new();
    let mut xid = 0;
    for length in [0_usize, 1, 2, 7, 128, 254, 255] {
        let value: Vec<u8> = (0..length).map(|n| u8::try_from(n % 256).unwrap().wrapping_mul(37)).collect();
        let mac = [2, 0xba, 0xdd, 1, 0, u8::try_from(length).unwrap()];
        for (hlen, htype) in [(6, 1), (0, 1), (16, 32), (16, 1), (1, 6)] {
            let names: &[&[u8]] = &[b"", b"\0", b"\xff\xfe; rm -rf /\n\x1b[2J", &[b'a'; 255]];
            for name in names {
                xid += 1;
                let mut discover = message(1, mac, xid, &[(61, &value), (12, name)]);
                discover[1] = htype;
                discover[2] = hlen;
                discovers.push(discover);
            }
        }
    }
    let frames: Vec<Vec<u8>> = discovers.iter().map(|bytes| broadcast(bytes)).collect();
    send(&wire.stranger, "eth0", &frames, 200);
    let offers = wait_for("offers", seconds(10), || {
        let offers = wire.capture.of(MessageType::Offer);
        // All but those with neither an option 61 nor a hardware address.
        (offers.len() >= discovers.len() - 4).then_some(offers)
    });
    // Each of them takes what it is offered.
    let requests = offers.iter().map(|offer| {
        let xid = offer.message().xid().0;
        let mut bytes = discovers[usize::try_from(xid).unwrap() - 1].clone();
        bytes[242] = MessageType::Request.number();
        bytes.pop();
        bytes.extend([50, 4]);
        bytes.extend(offer.message().yiaddr().octets());
        bytes.extend([54, 4, 10, 1, 0, 1, 255]);
        broadcast(&bytes)
    });
    send(&wire.stranger, "eth0", &requests.collect::<Vec<_>>(), 200);
    wire.still_serves("client");
    let leases = wire.server.leases(&wire.server_node);
    // Six by option 61, four by hardware address, and the real client.
    assert_eq!(leases.len(), 11, "{leases:?}");
    wire.server.process().kill();
    wire.server.restart(&wire.server_node);
    assert_eq!(wire.server.leases(&wire.server_node), leases, "what was stored is not what comes back");
    wire.still_serves("later");
}
