//! A client of BOOTP gets an address for ever from a pair.

use crate::{nobody_shares, well_spoken};
use lab::client::{INTERFACE, hardware_address, hardware_text};
use lab::pair::usual;
use lab::{Node, Pair, Side};
use std::net::Ipv4Addr;

/// A machine that speaks BOOTP, not switched on yet.
fn machine(pair: &Pair, name: &str) -> Node {
    let node = pair.lab.node(name);
    pair.lab.connect("lan", &node, INTERFACE, "");
    // It sends by UDP, for which the kernel wants to know where everybody is.
    node.run(&format!("ip route add 255.255.255.255 dev {INTERFACE}"));
    node
}

/// Asks until somebody answers, as a machine does that is switched on; the address.
#[track_caller]
fn boot(node: &Node) -> Ipv4Addr {
    // It fails when nobody has answered for so long.
    let said = node.run(&format!("bootpc --dev {INTERFACE} --serverbcast --timeoutwait 40 --returniffail"));
    let address = said.lines().find_map(|line| line.strip_prefix("IPADDR="));
    let address = address.and_then(|text| text.trim_matches('\'').parse().ok());
    address.unwrap_or_else(|| panic!("no address in {said:?}"))
}

/// What both say of the address, and whose it is.
#[track_caller]
fn both_know(pair: &Pair, node: &Node, address: Ipv4Addr) {
    for side in Side::BOTH {
        let member = pair.of(side);
        let lease = member.server.lease(&member.node, address);
        let hardware = hardware_text(&hardware_address(node, INTERFACE));
        assert_eq!((lease.status.as_str(), lease.hardware), ("active", hardware), "{}", side.name());
    }
}

#[test]
fn a_bootp_client_has_its_address_whoever_is_there() {
    let bootp = |side| lab::Setup { pool_extra: "dynamic-bootp = true", ..usual(side, 60) };
    let mut pair = Pair::start("bootp", bootp);
    pair.wait_for_normal(30);
    let old = machine(&pair, "old");
    let address = boot(&old);
    both_know(&pair, &old, address);
    for side in Side::BOTH {
        pair.kill(side);
        pair.wait_for_state(side.other(), "COMMUNICATIONS-INTERRUPTED", 10);
        assert_eq!(boot(&old), address, "{} is down", side.name());
        pair.restart(side);
        pair.wait_for_normal(30);
    }
    // One that nobody knows waits while one of the two is away: what it got could be forgotten.
    pair.kill(Side::A);
    pair.wait_for_state(Side::B, "COMMUNICATIONS-INTERRUPTED", 10);
    let new = machine(&pair, "new");
    let asked =
        new.command("bootpc").args(["--dev", INTERFACE, "--timeoutwait", "6", "--returniffail"]).output();
    assert!(!asked.unwrap().status.success());
    pair.restart(Side::A);
    pair.wait_for_normal(30);
    let other = boot(&new);
    assert_ne!(other, address);
    both_know(&pair, &new, other);
    well_spoken(&mut pair);
    nobody_shares(&mut pair);
}
