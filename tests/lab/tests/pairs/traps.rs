//! Traps of the drafts (reliability, 4) with real servers: stories that would end with one address for two clients.

use crate::{nobody_noticed, nobody_shares};
use dhcp::MessageType::{Ack, Request};
use lab::capture::now;
use lab::client::INTERFACE;
use lab::pair::usual;
use lab::puppet::Given;
use lab::{ClientKind, Guests, Node, Pair, Puppet, Side, seconds, wait_for};
use std::net::Ipv4Addr;

const MCLT: u32 = 20;

/// A pair with long leases, and a node from which puppets speak.
fn pair_with_puppets(name: &str) -> (Pair, Node) {
    let pair = Pair::start(name, |side| {
        let mut setup = usual(side, MCLT);
        setup.subnets[0].times = (300, 150, 260);
        // Few enough for one client to ask for all of them.
        setup.subnets[0].pool.1 = Ipv4Addr::new(10, 1, 0, 107);
        setup
    });
    pair.wait_for_normal(30);
    // The secondary has its share before a scenario begins.
    wait_for("a share of the pool for each", seconds(30), || {
        let (free, backup) = pair.standing(Side::A)?.available;
        (free > 2 && backup > 2).then_some(())
    });
    let puppets = pair.lab.node("puppets");
    pair.lab.connect("lan", &puppets, INTERFACE, "");
    (pair, puppets)
}

/// A client that one of the two serves.
#[track_caller]
fn client_of(pair: &Pair, puppets: &Node, side: Side, from: u8) -> (Puppet, Given) {
    for number in from..from + 30 {
        let puppet = Puppet::new(number);
        if let Some(offer) = puppet.discover(puppets, &pair.clients, None)
            && offer.1 == side.address()
        {
            let given = puppet.select(puppets, &pair.clients, offer);
            return (puppet, given.unwrap_or_else(|| panic!("{offer:?} was not kept")));
        }
    }
    panic!("none of thirty clients is {}'s", side.name());
}

/// New clients ask one server for an address again and again, until one gets it.
#[track_caller]
fn until_given(pair: &Pair, puppets: &Node, wish: Ipv4Addr, within: u64) -> Given {
    let start = now();
    for number in 100.. {
        assert!(now() - start < within * 1_000_000_000, "nobody got {wish} in {within} s");
        let puppet = Puppet::new(number % 100 + 100);
        if let Some(offer) =
            puppet.discover(puppets, &pair.clients, Some(wish)).filter(|offer| offer.0 == wish)
            && let Some(given) = puppet.select(puppets, &pair.clients, offer)
        {
            return given;
        }
    }
    unreachable!("numbers do not end");
}

/// T14: what was agreed for one client is nothing that the next one may be promised.
#[test]
fn a_new_client_is_not_promised_what_was_agreed_for_the_one_before() {
    let (mut pair, puppets) = pair_with_puppets("t14");
    let (first, given) = client_of(&pair, &puppets, Side::A, 0);
    assert!(given.lease <= MCLT, "the first lease is longer than MCLT: {given:?}");
    let renewed = wait_for("a renewal for the whole time", seconds(20), || {
        first.rebind(&puppets, &pair.clients, given.address).filter(|renewed| renewed.lease == 300)
    });
    pair.wait_until_equal(20);
    first.release(&puppets, renewed);
    let is_free = |pair: &Pair| pair.bindings(Side::A)[&given.address]["binding-status"] == "FREE";
    wait_for("the released address to be FREE", seconds(30), || is_free(&pair).then_some(()));
    pair.wait_until_equal(20);
    pair.cut_link(true);
    pair.wait_for_state(Side::A, "COMMUNICATIONS-INTERRUPTED", 15);
    pair.cut_clients(Side::B, true);
    let next = until_given(&pair, &puppets, given.address, 20);
    assert!(next.lease <= MCLT, "a new client of {} was promised {} s", next.address, next.lease);
    pair.cut_clients(Side::B, false);
    pair.kill(Side::A);
    pair.command(Side::B, &["partner-down", "--yes-it-is-off"]);
    let reused = until_given(&pair, &puppets, given.address, 90);
    assert_eq!(reused.server, Side::B.address());
    pair.say(&format!(
        "B gave {} again {} s after A had",
        reused.address,
        (reused.at - next.at) / 1_000_000_000
    ));
    nobody_shares(&mut pair);
}

/// T15: each was rightly said to be alone, one after the other, while the link was cut; the one that comes back does not
/// give away what the other may have given.
#[test]
fn one_that_comes_back_alone_gives_nothing_after_mclt() {
    let (mut pair, puppets) = pair_with_puppets("t15");
    pair.kill(Side::A);
    pair.command(Side::B, &["partner-down", "--yes-it-is-off"]);
    pair.cut_link(true);
    let killed = now();
    pair.restart(Side::A);
    pair.wait_for_state(Side::A, "COMMUNICATIONS-INTERRUPTED", 30);
    pair.cut_clients(Side::B, true);
    let given = Puppet::new(1).bind(&puppets, &pair.clients, 5);
    let ends = (given.at - killed) / 1_000_000_000 + u64::from(given.lease);
    // Its last stamp may be some seconds older than its end, never younger.
    assert!(ends <= u64::from(MCLT) + 1, "A, back alone, promises until {ends} s after its end: {given:?}");
    pair.say(&format!("A, back alone, promises {} s", given.lease));
    let wait = seconds(u64::from(MCLT) + 2).saturating_sub(std::time::Duration::from_nanos(now() - killed));
    std::thread::sleep(wait);
    for number in 2..6 {
        let offer = Puppet::new(number).discover(&puppets, &pair.clients, None);
        assert_eq!(offer, None, "A, back alone, still gives");
    }
    assert!(pair.has_said(Side::A, "TDM-2015"), "the operator of A is not told that it gives nothing");
    pair.cut_clients(Side::B, false);
    let reused = until_given(&pair, &puppets, given.address, 60);
    assert_eq!(reused.server, Side::B.address());
    pair.cut_link(false);
    pair.wait_for_normal(90);
    pair.wait_until_equal(20);
    nobody_shares(&mut pair);
}

/// T16: a renewal that was not told before the disk was lost.
#[test]
fn a_lease_that_was_renewed_untold_survives_a_lost_disk() {
    let (mut pair, puppets) = pair_with_puppets("t16");
    let (client, given) = client_of(&pair, &puppets, Side::B, 0);
    wait_for("a renewal for the whole time", seconds(20), || {
        client.rebind(&puppets, &pair.clients, given.address).filter(|renewed| renewed.lease == 300)
    });
    pair.wait_until_equal(20);
    pair.cut_link(true);
    pair.cut_clients(Side::A, true);
    pair.wait_for_state(Side::B, "COMMUNICATIONS-INTERRUPTED", 15);
    let untold = client.rebind(&puppets, &pair.clients, given.address).expect("B renews alone");
    assert_eq!(untold.server, Side::B.address());
    pair.cut_clients(Side::A, false);
    pair.kill(Side::B);
    pair.lose(Side::B);
    pair.cut_link(false);
    pair.restart(Side::B);
    pair.wait_for_normal(90);
    pair.wait_until_equal(30);
    let binding = &pair.bindings(Side::B)[&given.address];
    let until: u64 = binding["lease-expiration-time"].parse().unwrap();
    assert_eq!(binding["binding-status"], "ACTIVE");
    assert!(
        until >= untold.at / 1_000_000_000 + u64::from(untold.lease) - 1,
        "{binding:?} ends before {untold:?}"
    );
    client.rebind(&puppets, &pair.clients, given.address).expect("the client renews with a whole pair");
    nobody_shares(&mut pair);
}

/// T20: leased in the last moment of its server, told to nobody. The other one knows nothing of this client, and extends.
fn last_lease(kind: ClientKind) {
    let mut pair = Pair::normal(&format!("t20-{}", kind.name()), 60);
    let mut guests = Guests::new();
    pair.cut_link(true);
    // Nobody may answer but the one who dies.
    pair.cut_clients(Side::B, true);
    let number = guests.begin(&pair.lab, kind, kind.name());
    let mac = guests.all[number].mac;
    let ack = pair
        .clients
        .wait("the last lease of A", 30, 0, |seen| seen.kind() == Some(Ack) && seen.chaddr() == mac);
    pair.kill(Side::A);
    let after = (now() - ack.at) / 1_000_000;
    pair.say(&format!(
        "{} was leased {} to a {}, {after} ms before A was dead",
        ack.source,
        ack.message().yiaddr(),
        kind.name()
    ));
    assert!(after < 150, "A lived on for {after} ms");
    pair.cut_clients(Side::B, false);
    let guest = &mut guests.all[number];
    guest.address = Some(guest.client.wait_for_address(&guest.node, 10));
    let killed = now();
    let is_extended = |pair: &Pair| {
        let seen = pair.clients.seen();
        let extended =
            seen.iter().filter(|seen| seen.at > killed && seen.kind() == Some(Ack) && seen.chaddr() == mac);
        extended.count() > 1
    };
    assert!(guests.watch(seconds(110), || is_extended(&pair)), "the client was not extended twice");
    let asked = pair.clients.of(Request).into_iter().filter(|seen| seen.chaddr() == mac && seen.at > killed);
    pair.say(&format!("the client asked {} times, and keeps its address", asked.count()));
    pair.cut_link(false);
    pair.restart(Side::A);
    pair.wait_for_normal(40);
    pair.wait_until_equal(20);
    nobody_noticed(&mut pair, &mut guests);
}

#[test]
fn udhcpc_keeps_what_it_was_leased_in_the_last_moment() {
    last_lease(ClientKind::Udhcpc);
}

#[test]
fn dhclient_keeps_what_it_was_leased_in_the_last_moment() {
    last_lease(ClientKind::Dhclient);
}

#[test]
fn dhcpcd_keeps_what_it_was_leased_in_the_last_moment() {
    last_lease(ClientKind::Dhcpcd);
}
