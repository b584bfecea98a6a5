//! Tandem as the partner of a real dhcpd, in both roles: each story is told twice.

use crate::beside::{
    ACK_CROSSED, CROSSED, FIRST, LIVES, MCLT, OVERTAKEN, PAUSED, balanced_with, client_of, ends_well,
    is_whole, long_leases, pair, stage, wait_for_balance, wait_for_status,
};
use dhcp::MessageType;
use lab::pair::{usual, usual_beside_dhcpd};
use lab::{ClientKind, Guests, Pair, Puppet, Side, seconds};
use std::net::Ipv4Addr;

/// Server-states on the wire (F07 12.23, D12 12.24).
const NORMAL: u8 = 2;
pub const POTENTIAL_CONFLICT: u8 = 5;
const PAUSED_STATE: u8 = 7;
pub const RESOLUTION_INTERRUPTED: u8 = 10;
const CONFLICT_DONE: u8 = 11;

/// Each client is answered by exactly one of the two, and each of the two answers some (F07-5.3; Q4).
fn balanced(tandem: Side) {
    let mut pair = pair("balanced", tandem, MCLT);
    let puppets = stage(&pair);
    let mut served = [0; 2];
    for number in 0..24 {
        let given = Puppet::new(number).bind(&puppets, &pair.clients, 10);
        served[usize::from(given.server == Side::B.address())] += 1;
    }
    std::thread::sleep(seconds(2));
    pair.say(&format!("A has {} of 24 new clients, B {}", served[0], served[1]));
    assert!(served[0] >= 4 && served[1] >= 4, "{served:?}");
    let seen = pair.clients.seen();
    for number in 0..24 {
        let mac = Puppet::new(number).mac;
        let offers =
            seen.iter().filter(|seen| seen.kind() == Some(MessageType::Offer) && seen.chaddr() == mac);
        assert_eq!(offers.count(), 1, "client {number} got another number of offers than one");
    }
    pair.wait_until_equal(30);
    ends_well(&mut pair, &[]);
}

#[test]
fn load_is_balanced_with_a_dhcpd_as_primary() {
    balanced(Side::B);
}

#[test]
fn load_is_balanced_with_a_dhcpd_as_secondary() {
    balanced(Side::A);
}

/// Clients of either, which then hear the other alone, keep their addresses.
fn renewed_by_the_other(tandem: Side, deaf: Side) {
    let mut pair = pair(&format!("renewed-without-{}", deaf.name()), tandem, MCLT);
    let mut guests = Guests::new();
    guests.one_of_each(&pair.lab);
    for n in 0..3 {
        guests.add(&pair.lab, ClientKind::Udhcpc, &format!("client{n}"), seconds(30));
    }
    pair.cut_clients(deaf, true);
    guests.watch(LIVES, || false);
    pair.cut_clients(deaf, false);
    is_whole(&mut pair, &mut guests, 30, &[]);
}

#[test]
fn a_tandem_secondary_extends_leases_of_a_dhcpd() {
    renewed_by_the_other(Side::B, Side::A);
}

#[test]
fn a_dhcpd_primary_extends_leases_of_a_tandem() {
    renewed_by_the_other(Side::B, Side::B);
}

#[test]
fn a_tandem_primary_extends_leases_of_a_dhcpd() {
    renewed_by_the_other(Side::A, Side::B);
}

#[test]
fn a_dhcpd_secondary_extends_leases_of_a_tandem() {
    renewed_by_the_other(Side::A, Side::A);
}

/// One of the two has given away most of what it had, and gets of what the other has (F07-7.6; Q42).
fn shared_anew(tandem: Side, short: Side) {
    let mut pair = balanced_with(&format!("short-{}", short.name()), tandem, |side| {
        let mut setup = usual_beside_dhcpd(side, tandem, 600);
        setup.subnets[0].times = (600, 300, 500);
        if side != tandem {
            // How often a dhcpd looks at it: from once a minute to once an hour is usual.
            setup.failover.as_mut().unwrap().extra.push_str("min-balance 10; max-balance 30;");
        }
        setup
    });
    let puppets = stage(&pair);
    let mut served = 0;
    for number in 0..=u8::MAX {
        let puppet = Puppet::new(number);
        let Some(offer) = puppet.discover(&puppets, &pair.clients, None) else { continue };
        if offer.1 == short.address() && puppet.select(&puppets, &pair.clients, offer).is_some() {
            served += 1;
        }
        if served == 34 {
            break;
        }
    }
    assert_eq!(served, 34, "clients of {}", short.name());
    pair.say(&format!("{} has given away 34 of its 50", short.name()));
    wait_for_balance(&pair, 180);
    let (free, backup) = pair.standing(tandem).unwrap().available;
    assert_eq!(free + backup, 66);
    pair.wait_until_equal(30);
    ends_well(&mut pair, &[]);
}

#[test]
fn a_dhcpd_primary_that_is_short_gets_of_what_tandem_has() {
    shared_anew(Side::B, Side::A);
}

#[test]
fn a_tandem_secondary_that_is_short_gets_of_what_a_dhcpd_has() {
    shared_anew(Side::B, Side::B);
}

#[test]
fn a_tandem_primary_that_is_short_gets_of_what_a_dhcpd_has() {
    shared_anew(Side::A, Side::A);
}

#[test]
fn a_dhcpd_secondary_that_is_short_gets_of_what_tandem_has() {
    shared_anew(Side::A, Side::B);
}

/// What becomes of a lease that a client gives back, declines, or forgets, is the same at both.
fn given_back(tandem: Side) {
    let mut pair = pair("back", tandem, MCLT);
    let puppets = stage(&pair);
    for (side, from) in [(Side::A, 0), (Side::B, 60)] {
        let (leaving, released) = client_of(&pair, &puppets, side, from);
        wait_for_status(&pair, released.address, &["active"], 10);
        // A dhcpd tells the time of a release by the end of the lease alone.
        std::thread::sleep(seconds(3));
        leaving.release(&puppets, released);
        wait_for_status(&pair, released.address, &["free", "backup"], 20);
        let (declining, declined) = client_of(&pair, &puppets, side, from + 30);
        std::thread::sleep(seconds(3));
        let address = declined.address.octets();
        declining.say(&puppets, 4, None, &[(50, &address), (54, &side.address().octets())]);
        wait_for_status(&pair, declined.address, &["abandoned"], 20);
        let (_, forgotten) = client_of(&pair, &puppets, side, from + 120);
        wait_for_status(&pair, forgotten.address, &["active"], 10);
        wait_for_status(&pair, forgotten.address, &["free", "backup"], 120);
    }
    pair.wait_until_equal(120);
    ends_well(&mut pair, &[CROSSED]);
}

#[test]
fn what_is_given_back_is_free_with_a_dhcpd_as_primary() {
    given_back(Side::B);
}

#[test]
fn what_is_given_back_is_free_with_a_dhcpd_as_secondary() {
    given_back(Side::A);
}

/// An address that both have reserved is the client's, whichever of them hears it, and nobody else's (D12-12.12-01).
fn reserved(tandem: Side) {
    let client = Puppet::new(200);
    let address = Ipv4Addr::new(10, 1, 0, 105);
    let mut pair = balanced_with("reserved", tandem, |side| {
        let mut setup = long_leases(side, tandem, 600);
        setup.subnets[0].pool.1 = Ipv4Addr::new(10, 1, 0, 111);
        setup.reserved = Some((address, client.mac));
        setup
    });
    let puppets = stage(&pair);
    let given = client.bind(&puppets, &pair.clients, 20);
    assert_eq!(given.address, address, "{} gave another one", given.server);
    wait_for_status(&pair, address, &["active"], 20);
    for deaf in Side::BOTH {
        pair.cut_clients(deaf, true);
        let extended = client.rebind(&puppets, &pair.clients, address);
        assert_eq!(extended.map(|extended| extended.server), Some(deaf.other().address()));
        pair.cut_clients(deaf, false);
    }
    std::thread::sleep(seconds(3));
    pair.cut_clients(given.server_side().other(), true);
    client.release(&puppets, given);
    wait_for_status(&pair, address, &["free", "backup"], 30);
    pair.cut_clients(given.server_side().other(), false);
    // All that is left, and it is not among it. They name no address: a dhcpd gives a reserved one to whoever asks for it.
    let mut others = Vec::new();
    for number in 0..16 {
        let puppet = Puppet::new(number);
        let Some(offer) = puppet.discover(&puppets, &pair.clients, None) else { continue };
        others.extend(puppet.select(&puppets, &pair.clients, offer).map(|given| given.address));
    }
    pair.say(&format!("{} others have an address", others.len()));
    assert!(others.len() >= 8 && !others.contains(&address), "{others:?}");
    assert_eq!(client.bind(&puppets, &pair.clients, 20).address, address);
    pair.wait_until_equal(30);
    ends_well(&mut pair, &[CROSSED]);
}

#[test]
fn a_reserved_address_is_so_beside_a_dhcpd_primary() {
    reserved(Side::B);
}

#[test]
fn a_reserved_address_is_so_beside_a_dhcpd_secondary() {
    reserved(Side::A);
}

/// One dies; the other serves all; they find together again.
fn killed(tandem: Side, dies: Side) {
    let mut pair = pair(&format!("killed-{}", dies.name()), tandem, MCLT);
    let mut guests = Guests::new();
    guests.one_of_each(&pair.lab);
    pair.wait_until_equal(30);
    pair.kill(dies);
    pair.wait_for_state(dies.other(), "COMMUNICATIONS-INTERRUPTED", 20);
    guests.add(&pair.lab, ClientKind::Udhcpc, "late", seconds(20));
    guests.watch(LIVES, || false);
    pair.restart(dies);
    pair.wait_for_normal(120);
    guests.add(&pair.lab, ClientKind::Udhcpc, "last", seconds(20));
    is_whole(&mut pair, &mut guests, 30, &[OVERTAKEN]);
}

#[test]
fn a_dhcpd_primary_is_killed() {
    killed(Side::B, Side::A);
}

#[test]
fn a_dhcpd_secondary_is_killed() {
    killed(Side::A, Side::B);
}

#[test]
fn a_tandem_primary_of_a_dhcpd_is_killed() {
    killed(Side::A, Side::A);
}

#[test]
fn a_tandem_secondary_of_a_dhcpd_is_killed() {
    killed(Side::B, Side::B);
}

/// Each is asked to end, and started again.
fn restarted(tandem: Side) {
    let mut pair = pair("restarted", tandem, MCLT);
    let mut guests = Guests::new();
    guests.one_of_each(&pair.lab);
    for side in [tandem, tandem.other(), tandem] {
        pair.stop(side);
        pair.wait_for_state(side.other(), "COMMUNICATIONS-INTERRUPTED", 20);
        pair.restart(side);
        pair.wait_for_normal(120);
    }
    let said = is_whole(&mut pair, &mut guests, 30, &[OVERTAKEN, PAUSED]);
    let paused =
        said.iter().filter(|said| said.from == tandem.link_address() && said.state == Some(PAUSED_STATE));
    assert_eq!(paused.count(), 2, "SIGTERM is told as PAUSED, each time");
}

#[test]
fn either_is_restarted_with_a_dhcpd_as_primary() {
    restarted(Side::B);
}

#[test]
fn either_is_restarted_with_a_dhcpd_as_secondary() {
    restarted(Side::A);
}

/// The two do not hear each other for longer than a lease.
fn cut(tandem: Side) {
    let mut pair = pair("cut", tandem, MCLT);
    let mut guests = Guests::new();
    guests.one_of_each(&pair.lab);
    pair.wait_until_equal(30);
    pair.cut_link(true);
    for side in Side::BOTH {
        pair.wait_for_state(side, "COMMUNICATIONS-INTERRUPTED", 40);
    }
    for n in 0..4 {
        guests.add(&pair.lab, ClientKind::Udhcpc, &format!("late{n}"), seconds(20));
    }
    guests.watch(LIVES, || false);
    pair.cut_link(false);
    is_whole(&mut pair, &mut guests, 120, &[OVERTAKEN]);
}

#[test]
fn the_link_to_a_dhcpd_primary_is_cut() {
    cut(Side::B);
}

#[test]
fn the_link_to_a_dhcpd_secondary_is_cut() {
    cut(Side::A);
}

/// One is off, the operator of the other says so, and it comes back: by RECOVER.
fn partner_down(tandem: Side, off: Side) {
    let mut pair = pair(&format!("down-{}", off.name()), tandem, 30);
    let mut guests = Guests::new();
    guests.one_of_each(&pair.lab);
    pair.wait_until_equal(30);
    pair.kill(off);
    pair.wait_for_state(off.other(), "COMMUNICATIONS-INTERRUPTED", 20);
    pair.partner_down(off.other());
    pair.wait_for_state(off.other(), "PARTNER-DOWN", 10);
    guests.add(&pair.lab, ClientKind::Udhcpc, "late", seconds(20));
    guests.watch(LIVES, || false);
    pair.restart(off);
    guests.watch(LIVES, || false);
    is_whole(&mut pair, &mut guests, 120, &[OVERTAKEN]);
}

#[test]
fn a_dhcpd_primary_is_declared_down() {
    partner_down(Side::B, Side::A);
}

#[test]
fn a_dhcpd_secondary_is_declared_down() {
    partner_down(Side::A, Side::B);
}

#[test]
fn a_dhcpd_primary_declares_tandem_down() {
    partner_down(Side::B, Side::B);
}

#[test]
fn a_dhcpd_secondary_declares_tandem_down() {
    partner_down(Side::A, Side::A);
}

/// One loses all that it wrote, and has it back from the other.
fn lost(tandem: Side, loses: Side) {
    let mut pair = pair(&format!("lost-{}", loses.name()), tandem, 30);
    let mut guests = Guests::new();
    guests.one_of_each(&pair.lab);
    pair.wait_until_equal(30);
    pair.kill(loses);
    pair.lose(loses);
    pair.restart(loses);
    guests.watch(LIVES, || false);
    is_whole(&mut pair, &mut guests, 150, &[ACK_CROSSED]);
}

#[test]
fn a_dhcpd_primary_loses_its_leases() {
    lost(Side::B, Side::A);
}

#[test]
fn a_dhcpd_secondary_loses_its_leases() {
    lost(Side::A, Side::B);
}

#[test]
fn a_tandem_primary_of_a_dhcpd_loses_its_disk() {
    lost(Side::A, Side::A);
}

#[test]
fn a_tandem_secondary_of_a_dhcpd_loses_its_disk() {
    lost(Side::B, Side::B);
}

/// Both were told that the other is down, and both served: POTENTIAL-CONFLICT, and out of it.
fn conflict(tandem: Side) {
    let mut pair = pair("conflict", tandem, 30);
    let puppets = stage(&pair);
    pair.cut_link(true);
    for side in Side::BOTH {
        pair.wait_for_state(side, "COMMUNICATIONS-INTERRUPTED", 40);
    }
    for side in Side::BOTH {
        pair.partner_down(side);
        pair.wait_for_state(side, "PARTNER-DOWN", 10);
    }
    // Within MCLT both give of their own alone.
    for number in 0..8 {
        let one = if number % 2 == 0 { Side::A } else { Side::B };
        pair.cut_clients(one.other(), true);
        let given = Puppet::new(number).bind(&puppets, &pair.clients, 20);
        assert_eq!(given.server, one.address());
        pair.cut_clients(one.other(), false);
    }
    pair.cut_link(false);
    pair.wait_for_normal(180);
    pair.wait_until_equal(60);
    let said = ends_well(&mut pair, &[OVERTAKEN]);
    // A dhcpd ends its service when its primary says NORMAL before it has said CONFLICT-DONE.
    let told: Vec<u8> = said
        .iter()
        .filter(|said| said.from == Side::A.link_address() && !said.startup)
        .filter_map(|said| said.state)
        .collect();
    let road = [POTENTIAL_CONFLICT, CONFLICT_DONE, NORMAL];
    assert!(road.iter().all(|state| told.contains(state)), "A said {told:?}");
    let last = |state| told.iter().rposition(|told| *told == state);
    assert!(road.windows(2).all(|pair| last(pair[0]) < last(pair[1])), "A said {told:?}");
}

#[test]
fn a_conflict_with_a_dhcpd_primary_is_resolved() {
    conflict(Side::B);
}

#[test]
fn a_conflict_with_a_dhcpd_secondary_is_resolved() {
    conflict(Side::A);
}

/// `docs/dhcpd-partner.md`: in a pair of two dhcpd first the secondary, then the primary becomes a Tandem, and no client notices.
#[test]
fn a_pair_of_two_dhcpd_becomes_one_of_two_tandems() {
    // Two dhcpd tell each other of the same addresses at the same time, and the primary refuses.
    const BOTH_TELL: &str = "rejected: incoming update is less critical than outgoing update";
    let mut pair = Pair::two_dhcpd("join", 30);
    pair.wait_for_normal(FIRST);
    let mut guests = Guests::new();
    guests.one_of_each(&pair.lab);
    pair.wait_until_equal(30);
    pair.replace(Side::B, usual_beside_dhcpd(Side::B, Side::B, 30));
    guests.watch(seconds(20), || false);
    pair.wait_for_normal(120);
    pair.wait_until_equal(60);
    guests.add(&pair.lab, ClientKind::Udhcpc, "second", seconds(20));
    guests.watch(LIVES, || false);
    pair.replace(Side::A, usual(Side::A, 30));
    pair.replace(Side::B, usual(Side::B, 30));
    guests.watch(seconds(20), || false);
    pair.wait_for_normal(120);
    guests.add(&pair.lab, ClientKind::Udhcpc, "third", seconds(20));
    guests.watch(LIVES, || false);
    is_whole(&mut pair, &mut guests, 30, &[OVERTAKEN, PAUSED, BOTH_TELL]);
}
