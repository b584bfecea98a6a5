//! Configurations and disks that are not as they should be.

use dhcp::MessageType::{Ack, Offer};
use lab::capture::now;
use lab::client::{INTERFACE, hardware_text};
use lab::load::{Load, granted};
use lab::raw::{frame, ipv4, message, send, udp};
use lab::server::{refused, wait_for_lease};
use lab::{Capture, Lab, Node, Seen, Server, ServerKind, Setup, seconds, wait_for};
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

struct Wire {
    server: Server,
    clients: Node,
    server_node: Node,
    #[expect(dead_code, reason = "the network ends with it, after all that is in it")]
    lab: Lab,
}

fn wire(name: &str, setup: &Setup, prepare: impl FnOnce(&Node)) -> Wire {
    let lab = Lab::new(name);
    lab.wire("lan");
    let (server_node, clients) = (lab.node("server"), lab.node("clients"));
    lab.connect("lan", &server_node, "eth0", "10.1.0.1/16");
    lab.connect("lan", &clients, INTERFACE, "10.1.0.2/16");
    prepare(&server_node);
    let server = Server::start(&server_node, ServerKind::Tandem, setup);
    Wire { server, clients, server_node, lab }
}

fn large_pool() -> Setup {
    let mut setup = Setup::usual();
    setup.subnets[0].prefix = "10.1.0.0/16";
    setup.subnets[0].pool.1 = Ipv4Addr::new(10, 1, 200, 255);
    setup.log_level = "info";
    setup
}

#[test]
fn a_broken_configuration_starts_nothing_and_is_told_all_its_faults() {
    let lab = Lab::new("broken-configuration");
    let node = lab.node("server");
    let state = node.folder().join("state");
    let file = node.folder().join("tandem.toml");
    let text = format!(
        "interfaces = []\nstate-directory = \"{}\"\nclok-wait = \"0s\"\nlog-level = \"loud\"\n\n[[subnet]]\n\
         prefix = \"10.1.0.0/99\"\nlease-time = \"8 fortnights\"\n\n[[subnet]]\nprefix = \"10.2.0.0/24\"\n\
         lease-time = \"1h\"\n[[subnet.pool]]\nrange = \"10.3.0.1-10.3.0.9\"\n",
        state.display()
    );
    fs::write(&file, text).unwrap();
    let (code, said) = refused(&node, &file);
    assert_eq!(code, Some(1), "{said}");
    for fault in ["clok-wait", "loud", "10.1.0.0/99", "8 fortnights", "no interface", "10.3.0.1"] {
        assert!(said.contains(fault), "nothing is said of `{fault}`:\n{said}");
    }
    for line in ["tandem.toml:1", "tandem.toml:3", "tandem.toml:4", "tandem.toml:7", "tandem.toml:8"] {
        assert!(said.contains(line), "no fault is said to be at {line}:\n{said}");
    }
    assert!(!state.exists(), "the state directory was made");
    assert!(node.run("ss -Hulnp").trim().is_empty(), "a socket is open");
}

#[test]
fn a_damaged_store_is_refused_and_the_loss_is_named() {
    let mut wire = wire("damaged", &large_pool(), |_| {});
    for round in 0..3_u32 {
        let mut load = Load::start(
            &wire.clients,
            INTERFACE,
            SERVER,
            (200, 1, 10_000),
            &format!("02:0d:{round:02x}:00:00:00"),
        );
        load.process().wait(seconds(30));
    }
    wire.server.stop();
    let log = first_log(&wire.server);
    // The bytes of a record in the middle of what is written.
    let bytes = fs::read(&log).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let file = fs::File::options().write(true).open(&log).unwrap();
    let at = u64::try_from(written / 2).unwrap();
    let damage = b"\xff\x00 damaged \xff";
    file.write_all_at(damage, at).unwrap();
    let (code, said) = refused(&wire.server_node, wire.server.configuration());
    assert!(code.is_some_and(|code| code != 0), "{code:?} {said}");
    for word in ["damaged at byte", "records ", " to ", "had been stable", "backup"] {
        assert!(said.contains(word), "`{word}` is not said:\n{said}");
    }
    // Nothing was cut off or written over: with the bytes back, all is there.
    file.write_all_at(&bytes[written / 2..written / 2 + damage.len()], at).unwrap();
    wire.server.restart(&wire.server_node);
    assert!(wire.server.leases(&wire.server_node).len() > 300);
}

#[test]
fn a_second_server_on_the_same_store_is_refused() {
    let mut wire = wire("locked", &large_pool(), |_| {});
    // In a network of its own: it is the store that they would share.
    let (code, said) = refused_elsewhere(&wire);
    assert!(code.is_some_and(|code| code != 0) && said.contains("another process uses this store"), "{said}");
    assert!(wire.server.process().ended().is_none());
}

fn refused_elsewhere(wire: &Wire) -> (Option<i32>, String) {
    wire.clients.run("ip addr flush dev eth0; ip addr add 10.1.0.1/16 dev eth0");
    refused(&wire.clients, wire.server.configuration())
}

fn first_log(server: &Server) -> PathBuf {
    let entries = fs::read_dir(server.state()).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<PathBuf> =
        entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("log-")).collect();
    logs.sort();
    logs.remove(0)
}

/// A client that is nothing but its messages.
struct Puppet {
    mac: [u8; 6],
}

impl Puppet {
    fn say(&self, node: &Node, kind: u8, ciaddr: Option<Ipv4Addr>, options: &[(u8, &[u8])]) {
        let mut bytes = message(kind, self.mac, u32::from(kind), options);
        if let Some(address) = ciaddr {
            bytes[12..16].copy_from_slice(&address.octets());
        }
        let source = ciaddr.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let packet = ipv4(source, Ipv4Addr::BROADCAST, 1, 0x4000, &udp(68, 67, &bytes));
        send(node, INTERFACE, &[frame([0xff; 6], self.mac, &packet)], 0);
    }

    /// DISCOVER, OFFER, REQUEST, ACK.
    fn bind(&self, node: &Node, capture: &Capture) -> Ipv4Addr {
        let start = now();
        self.say(node, 1, None, &[]);
        let mine = |seen: &Seen, kind| seen.kind() == Some(kind) && seen.chaddr() == self.mac;
        let offer = capture.wait("DHCPOFFER", 10, start, |seen| mine(seen, Offer));
        let address = offer.message().yiaddr();
        self.say(node, 3, None, &[(50, &address.octets()), (54, &SERVER.octets())]);
        let ack = capture.wait("DHCPACK", 10, start, |seen| mine(seen, Ack));
        assert_eq!(ack.message().yiaddr(), address, "for {}", hardware_text(&self.mac));
        address
    }
}

/// Leases of a minute, a disk of 8 MiB: it fills up, nothing more is promised, what must be written still is, and with
/// room all goes on.
#[test]
fn a_full_disk_promises_nothing_and_serves_again_with_room() {
    let mut setup = large_pool();
    setup.extra = "segment-size = 1048576".to_owned();
    let mut wire = wire("full", &setup, |node| {
        let state = node.folder().join("state");
        fs::create_dir_all(&state).unwrap();
        node.run(&format!("mount -t tmpfs -o size=8m lab {}", state.display()));
    });
    let state = wire.server.state().display().to_string();
    let mut capture = Capture::start(&wire.server_node, "eth0");
    let (releasing, expiring) = (Puppet { mac: [2, 0xf, 0, 0, 0, 1] }, Puppet { mac: [2, 0xf, 0, 0, 0, 2] });
    let released = releasing.bind(&wire.clients, &capture);
    let expired = expiring.bind(&wire.clients, &capture);
    let bound = now();
    // Somebody else's file takes the rest of the disk; the log has what was set aside for it.
    wire.server_node.run(&format!("cat /dev/zero > {state}/filler 2> /dev/null || true"));
    let full = |wire: &Wire| wire.server.status(&wire.server_node)["store"]["health"] == "reserve-only";
    let mut rounds = 0;
    while !full(&wire) {
        rounds += 1;
        assert!(rounds < 40, "the disk is full, and leases are still written");
        let base = format!("02:0e:{rounds:02x}:00:00:00");
        let mut load = Load::start(&wire.clients, INTERFACE, SERVER, (1000, 2, 20_000), &base);
        load.process().wait(seconds(30));
    }
    let full_since = now();
    println!("the disk was full after {rounds} rounds");
    let before = wire.server.counters(&wire.server_node);
    let mut load = Load::start(&wire.clients, INTERFACE, SERVER, (50, 2, 1000), "02:0e:ff:00:00:00");
    load.process().wait(seconds(30));
    let dropped = wire.server.counters(&wire.server_node)["dropped-storage-full"];
    assert!(dropped > before["dropped-storage-full"], "no request was counted as dropped");
    // A release and an expiry are still written.
    releasing.say(&wire.clients, 7, Some(released), &[(54, &SERVER.octets())]);
    let node = &wire.server_node;
    let is_back = |lease: &lab::Lease| lease.status != "active";
    wait_for_lease(&wire.server, node, released, "given back", is_back);
    let over = seconds(90).saturating_sub(std::time::Duration::from_nanos(now() - bound));
    wait_for("the expiry of the other lease", over, || {
        wire.server.leases(node).get(&expired).is_some_and(is_back).then_some(())
    });
    // Nothing that was promised is lost, though the machine stops now.
    let seen = capture.seen();
    let acks = seen.iter().filter(|seen| seen.kind() == Some(Ack) && seen.at > full_since).count();
    assert_eq!(acks, 0, "DHCPACKs on a full disk");
    let told = wire.server.leases(node);
    wire.server.process().kill();
    // A start needs a little room: the log's last batches are written anew.
    wire.server_node.run(&format!("rm {state}/filler"));
    wire.server.restart(&wire.server_node);
    let after = wire.server.leases(&wire.server_node);
    for address in [released, expired] {
        assert_eq!(after[&address].status, told[&address].status, "of {address}: it was not written");
        assert_ne!(after[&address].status, "active");
    }
    let seconds_now = now() / 1_000_000_000;
    for granted in granted(&seen).iter().filter(|granted| granted.ends > seconds_now + 10) {
        if granted.address != released {
            let lease = after.get(&granted.address).unwrap_or_else(|| panic!("{granted:?} is forgotten"));
            assert!(lease.status == "active" && lease.ends >= granted.ends, "{granted:?}, but {lease:?}");
        }
    }
    let again = Puppet { mac: [2, 0xf, 0, 0, 0, 3] };
    again.bind(&wire.clients, &capture);
    capture.second_opinion();
}

/// Without a restart: room comes back, and the service with it.
#[test]
fn a_disk_with_room_again_takes_leases_without_a_restart() {
    let mut setup = large_pool();
    setup.extra = "segment-size = 1048576".to_owned();
    let mut wire = wire("room", &setup, |node| {
        let state = node.folder().join("state");
        fs::create_dir_all(&state).unwrap();
        node.run(&format!("mount -t tmpfs -o size=8m lab {}", state.display()));
    });
    let state = wire.server.state().display().to_string();
    let capture = Capture::start(&wire.server_node, "eth0");
    wire.server_node.run(&format!("cat /dev/zero > {state}/filler 2> /dev/null || true"));
    let health = |wire: &Wire| wire.server.status(&wire.server_node)["store"]["health"].clone();
    for round in 0..40 {
        if health(&wire) == "reserve-only" {
            break;
        }
        assert!(round < 39, "the disk is full, and leases are still written");
        let base = format!("02:0e:{round:02x}:00:00:00");
        let mut load = Load::start(&wire.clients, INTERFACE, SERVER, (1000, 2, 20_000), &base);
        load.process().wait(seconds(30));
    }
    wire.server_node.run(&format!("rm {state}/filler"));
    wait_for("a store with room", seconds(30), || (health(&wire) == "ok").then_some(()));
    let client = Puppet { mac: [2, 0xf, 0, 0, 0, 4] };
    let address = client.bind(&wire.clients, &capture);
    assert_eq!(wire.server.lease(&wire.server_node, address).status, "active");
    assert!(wire.server.process().ended().is_none());
}
