//! Much at once between a Tandem and a real dhcpd: thousands of updates that waited, and many clients with a kill in the middle.

use crate::beside::{OVERTAKEN, balanced_with, ends_well, starts_at_once};
use crate::load::told_is_known;
use dhcp::MessageType::{Discover, Offer};
use lab::capture::{Seen, now};
use lab::load::Load;
use lab::pair::usual_beside_dhcpd;
use lab::partners::Said;
use lab::shim::never_sync;
use lab::{Node, Pair, Setup, Side, seconds};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

/// As many BNDUPDs as dhcpd takes without having answered them: `max-unacked-updates` of its configuration.
const WINDOW: usize = 10;

/// A second in the unit of captures.
const SECOND: u64 = 1_000_000_000;

/// Many addresses, and leases that do not end while the story is told.
pub fn wide(side: Side, tandem: Side, last: Ipv4Addr) -> Setup {
    let mut setup = usual_beside_dhcpd(side, tandem, 400);
    setup.subnets[0].prefix = "10.0.0.0/8";
    setup.subnets[0].pool = (Ipv4Addr::new(10, 8, 0, 0), last);
    setup.subnets[0].times = (4000, 2000, 3500);
    setup.log_level = "info";
    setup
}

/// A relay agent on the clients' wire.
pub fn relay(pair: &Pair, number: u8) -> Node {
    let relay = pair.lab.node(&format!("relay{number}"));
    pair.lab.connect("lan", &relay, "eth0", &format!("10.1.0.{}/8", 10 + number));
    relay
}

/// Each of the two is asked by so many new clients a second, for so many seconds, while nobody else is.
pub fn each_serves(pair: &Pair, of: [(Side, u32, u32); 2]) {
    let relays = [relay(pair, 1), relay(pair, 2)];
    let mut loads = Vec::new();
    for ((side, rate, length), relay) in of.into_iter().zip(&relays) {
        let base = format!("02:0{}:00:00:00:00", side.name().to_lowercase());
        loads.push(Load::start(relay, "eth0", side.address(), (rate, length, 4_000_000), &base));
    }
    for load in &mut loads {
        load.process().wait(Duration::from_mins(2));
    }
}

/// How many BNDUPDs of one the other accepted, from a time on; how many it rejected; how many were under way at most.
fn told(said: &[Said], by: Side, from: u64) -> (usize, usize, usize) {
    let (mut accepted, mut rejected, mut most) = (0, 0, 0);
    let mut open = BTreeSet::new();
    for said in said.iter().filter(|said| said.at >= from) {
        let own = said.from == by.link_address();
        if said.kind == "BNDUPD" && own {
            open.insert(said.xid);
            most = most.max(open.len());
        } else if said.kind == "BNDACK" && !own && open.remove(&said.xid) {
            accepted += usize::from(said.reject.is_none());
            rejected += usize::from(said.reject.is_some());
        }
    }
    (accepted, rejected, most)
}

/// While the two do not hear each other, Tandem gives ten thousand leases, and dhcpd hundreds. Then each tells the other.
fn ten_thousand_wait(tandem: Side) {
    let last = Ipv4Addr::new(10, 8, 127, 255);
    let mut pair = balanced_with("thousands", tandem, |side| wide(side, tandem, last));
    pair.cut_link(true);
    for side in Side::BOTH {
        pair.wait_for_state(side, "COMMUNICATIONS-INTERRUPTED", 40);
    }
    each_serves(&pair, [(tandem, 700, 20), (tandem.other(), 60, 15)]);
    let untold = pair.standing(tandem).unwrap().untold;
    pair.say(&format!("{untold} updates wait"));
    assert!(untold >= 10_000, "only {untold} updates wait");
    let joined = now();
    pair.cut_link(false);
    pair.wait_for_normal(180);
    pair.wait_until_equal(180);
    let said = ends_well(&mut pair, &[]);
    for side in Side::BOTH {
        let (accepted, rejected, most) = told(&said, side, joined);
        pair.say(&format!(
            "{} told {accepted}, {rejected} were rejected, at most {most} were under way",
            side.name()
        ));
        assert!(accepted >= if side == tandem { 10_000 } else { 500 }, "{} told {accepted}", side.name());
        assert_eq!(rejected, 0, "BNDUPDs of {}", side.name());
        assert!(side != tandem || most <= WINDOW, "{most} BNDUPDs were under way to a dhcpd");
    }
}

#[test]
fn ten_thousand_updates_wait_for_a_dhcpd_primary() {
    ten_thousand_wait(Side::B);
}

#[test]
fn ten_thousand_updates_wait_for_a_dhcpd_secondary() {
    ten_thousand_wait(Side::A);
}

/// Clients that asked between two times, and those of them to whom this server offered nothing.
fn left_alone(seen: &[Seen], server: Side, (from, until): (u64, u64)) -> (usize, usize) {
    let of = |kind| seen.iter().filter(move |seen| seen.kind() == Some(kind));
    let key = |seen: &Seen| (seen.message().xid(), seen.chaddr());
    let offered: BTreeSet<_> = of(Offer)
        .filter(|seen| seen.message().server_identifier() == Some(server.address()))
        .map(key)
        .collect();
    let asked: BTreeSet<_> = of(Discover).filter(|seen| (from..until).contains(&seen.at)).map(key).collect();
    (asked.len(), asked.difference(&offered).count())
}

/// A minute of 500 exchanges a second, one of the two killed in the middle and started again while it goes on.
fn killed_in_the_rush(tandem: Side, dies: Side) {
    let last = Ipv4Addr::new(10, 8, 127, 255);
    let name = format!("rush-{}-{}", dies.name(), tandem.name());
    // A sync for each DHCPACK: how many of them the disk of this machine does is no matter here.
    let fast = |side, node: &Node| if side == tandem { Vec::new() } else { never_sync(node.folder()) };
    let mut pair = Pair::with_dhcpd_in(&name, tandem, |side| wide(side, tandem, last), fast);
    starts_at_once(&pair, tandem);
    let relay = relay(&pair, 1);
    let mut load = Load::start_for_all(&relay, "eth0", (500, 60, 20_000), "02:0c:00:00:00:00");
    std::thread::sleep(seconds(20));
    pair.kill(dies);
    let killed = now();
    std::thread::sleep(seconds(12));
    let back = now();
    pair.restart(dies);
    load.process().wait(Duration::from_mins(2));
    pair.say("the load is over");
    pair.wait_for_normal(120);
    pair.wait_until_equal(120);
    let seen = pair.clients.stop();
    told_is_known(&pair, &seen, 5_000);
    let (asked, alone) = left_alone(&seen, dies.other(), (killed + 2 * SECOND, back - SECOND));
    pair.say(&format!("{asked} asked {} while it was alone, {alone} were not answered", dies.other().name()));
    assert!(asked > 1_000, "only {asked} asked");
    if dies.other() == tandem {
        assert_eq!(alone, 0, "of {asked} clients that asked {}", dies.other().name());
    } else {
        // How fast a dhcpd is, with other programs beside it, is not our subject: that it serves is.
        assert!(asked - alone > 500, "a dhcpd answered {} of {asked}", asked - alone);
    }
    ends_well(&mut pair, &[OVERTAKEN]);
}

#[test]
fn a_dhcpd_primary_is_killed_in_the_rush() {
    killed_in_the_rush(Side::B, Side::A);
}

#[test]
fn a_dhcpd_secondary_is_killed_in_the_rush() {
    killed_in_the_rush(Side::A, Side::B);
}

#[test]
fn a_tandem_primary_of_a_dhcpd_is_killed_in_the_rush() {
    killed_in_the_rush(Side::A, Side::A);
}

#[test]
fn a_tandem_secondary_of_a_dhcpd_is_killed_in_the_rush() {
    killed_in_the_rush(Side::B, Side::B);
}
