//! One of the two fails, or both, and the clients do not notice.

use crate::{nobody_noticed, nobody_shares};
use lab::{ClientKind, Guests, Pair, Side, seconds};
use std::time::Duration;

/// Longer than the lease of each client: all of them have passed T1 and T2 by then, by their own timers, and who was not
/// answered has lost its address.
const LIVES: Duration = seconds(70);

/// MCLT of these pairs, in seconds: as long as the leases, so that the first lease is a whole one.
const MCLT: u32 = 60;

/// A pair and a client of each kind.
fn pair_with_guests(name: &str, mclt: u32) -> (Pair, Guests) {
    let pair = Pair::normal(name, mclt);
    let mut guests = Guests::new();
    guests.one_of_each(&pair.lab);
    pair.say("three clients are bound");
    (pair, guests)
}

/// The pair comes back to NORMAL by itself, with one truth, and nobody has noticed anything.
#[track_caller]
fn is_whole_again(pair: &mut Pair, guests: &mut Guests, within: u64) {
    pair.wait_for_normal(within);
    pair.wait_until_equal(20);
    nobody_noticed(pair, guests);
}

fn kill(side: Side) {
    let (mut pair, mut guests) = pair_with_guests(&format!("kill-{}", side.name()), MCLT);
    pair.kill(side);
    pair.wait_for_state(side.other(), "COMMUNICATIONS-INTERRUPTED", 10);
    guests.add(&pair.lab, ClientKind::Udhcpc, "late", seconds(20));
    guests.watch(LIVES, || false);
    pair.restart(side);
    is_whole_again(&mut pair, &mut guests, 30);
}

#[test]
fn the_primary_is_killed() {
    kill(Side::A);
}

#[test]
fn the_secondary_is_killed() {
    kill(Side::B);
}

fn stand_still(side: Side) {
    let (mut pair, mut guests) = pair_with_guests(&format!("still-{}", side.name()), MCLT);
    pair.freeze(side, true);
    // A silent partner is lost after its receive timer.
    pair.wait_for_state(side.other(), "COMMUNICATIONS-INTERRUPTED", 15);
    guests.add(&pair.lab, ClientKind::Dhclient, "late", seconds(20));
    guests.watch(LIVES, || false);
    pair.freeze(side, false);
    is_whole_again(&mut pair, &mut guests, 30);
}

#[test]
fn the_primary_stands_still_for_a_while() {
    stand_still(Side::A);
}

#[test]
fn the_secondary_stands_still_for_a_while() {
    stand_still(Side::B);
}

#[test]
fn the_link_between_the_two_is_cut() {
    let (mut pair, mut guests) = pair_with_guests("link", MCLT);
    pair.cut_link(true);
    for side in Side::BOTH {
        pair.wait_for_state(side, "COMMUNICATIONS-INTERRUPTED", 15);
    }
    for n in 0..4 {
        guests.add(&pair.lab, ClientKind::Udhcpc, &format!("late{n}"), seconds(20));
    }
    guests.watch(LIVES, || false);
    pair.cut_link(false);
    is_whole_again(&mut pair, &mut guests, 30);
}

/// The server's plug is drawn: it sees that, and leaves its clients to the partner.
fn drawn_plug(side: Side) {
    let (mut pair, mut guests) = pair_with_guests(&format!("plug-{}", side.name()), MCLT);
    pair.draw_plug(side, true);
    pair.wait_for_state(side.other(), "COMMUNICATIONS-INTERRUPTED", 60);
    for n in 0..4 {
        guests.add(&pair.lab, ClientKind::Udhcpc, &format!("late{n}"), seconds(20));
    }
    guests.watch(LIVES, || false);
    pair.draw_plug(side, false);
    is_whole_again(&mut pair, &mut guests, 60);
}

#[test]
fn the_plug_of_the_primary_is_drawn() {
    drawn_plug(Side::A);
}

#[test]
fn the_plug_of_the_secondary_is_drawn() {
    drawn_plug(Side::B);
}

/// Somewhere between a server and its clients nothing passes any more: the server cannot see that. Who has a lease keeps it.
fn deaf(side: Side) {
    let (mut pair, mut guests) = pair_with_guests(&format!("deaf-{}", side.name()), MCLT);
    pair.cut_clients(side, true);
    guests.watch(LIVES, || false);
    pair.cut_clients(side, false);
    is_whole_again(&mut pair, &mut guests, 30);
}

#[test]
fn the_primary_hears_no_client() {
    deaf(Side::A);
}

#[test]
fn the_secondary_hears_no_client() {
    deaf(Side::B);
}

fn lost_disk(side: Side) {
    let (mut pair, mut guests) = pair_with_guests(&format!("disk-{}", side.name()), 20);
    pair.kill(side);
    pair.lose(side);
    pair.restart(side);
    pair.wait_for_log(side, "RECOVER-WAIT", 20);
    pair.wait_for_state(side.other(), "COMMUNICATIONS-INTERRUPTED", 20);
    guests.add(&pair.lab, ClientKind::Udhcpc, "late", seconds(20));
    guests.watch(LIVES, || false);
    is_whole_again(&mut pair, &mut guests, 60);
}

#[test]
fn the_primary_loses_its_disk() {
    lost_disk(Side::A);
}

#[test]
fn the_secondary_loses_its_disk() {
    lost_disk(Side::B);
}

#[test]
fn both_are_killed() {
    let (mut pair, mut guests) = pair_with_guests("both", MCLT);
    pair.kill(Side::A);
    pair.kill(Side::B);
    guests.watch(seconds(5), || false);
    pair.restart(Side::B);
    pair.restart(Side::A);
    pair.wait_for_normal(40);
    guests.add(&pair.lab, ClientKind::Udhcpc, "late", seconds(20));
    guests.watch(LIVES, || false);
    is_whole_again(&mut pair, &mut guests, 10);
}

fn restart_in_normal(side: Side) {
    let (mut pair, mut guests) = pair_with_guests(&format!("again-{}", side.name()), MCLT);
    for _ in 0..3 {
        pair.kill(side);
        pair.restart(side);
        pair.wait_for_normal(30);
        guests.watch(seconds(3), || false);
    }
    guests.add(&pair.lab, ClientKind::Udhcpc, "late", seconds(20));
    is_whole_again(&mut pair, &mut guests, 10);
}

#[test]
fn the_primary_is_restarted_in_normal() {
    restart_in_normal(Side::A);
}

#[test]
fn the_secondary_is_restarted_in_normal() {
    restart_in_normal(Side::B);
}

/// While the link is cut, one is restarted: it has its leases, and goes on alone.
fn restart_when_interrupted(side: Side) {
    let (mut pair, mut guests) = pair_with_guests(&format!("cut-{}", side.name()), MCLT);
    pair.cut_link(true);
    pair.wait_for_state(side, "COMMUNICATIONS-INTERRUPTED", 15);
    guests.add(&pair.lab, ClientKind::Udhcpc, "late1", seconds(20));
    pair.kill(side);
    pair.restart(side);
    pair.wait_for_state(side, "COMMUNICATIONS-INTERRUPTED", 30);
    guests.watch(LIVES, || false);
    pair.cut_link(false);
    pair.wait_for_normal(30);
    guests.add(&pair.lab, ClientKind::Udhcpc, "late2", seconds(20));
    is_whole_again(&mut pair, &mut guests, 10);
}

#[test]
fn the_primary_is_restarted_in_communications_interrupted() {
    restart_when_interrupted(Side::A);
}

#[test]
fn the_secondary_is_restarted_in_communications_interrupted() {
    restart_when_interrupted(Side::B);
}

/// The partner is off, the operator says so, the survivor is restarted, and has not forgotten it; then the partner is back.
fn restart_in_partner_down(side: Side) {
    let (mut pair, mut guests) = pair_with_guests(&format!("down-{}", side.name()), 20);
    pair.kill(side.other());
    pair.wait_for_state(side, "COMMUNICATIONS-INTERRUPTED", 10);
    pair.command(side, &["partner-down", "--yes-it-is-off"]);
    pair.wait_for_state(side, "PARTNER-DOWN", 5);
    guests.watch(seconds(5), || false);
    pair.kill(side);
    pair.restart(side);
    pair.wait_for_state(side, "PARTNER-DOWN", 30);
    pair.command(side, &["serve-alone", "--yes-it-is-off"]);
    guests.add(&pair.lab, ClientKind::Udhcpc, "late", seconds(20));
    guests.watch(LIVES, || false);
    pair.restart(side.other());
    is_whole_again(&mut pair, &mut guests, 90);
}

#[test]
fn the_primary_is_restarted_in_partner_down() {
    restart_in_partner_down(Side::A);
}

#[test]
fn the_secondary_is_restarted_in_partner_down() {
    restart_in_partner_down(Side::B);
}

/// First one, then the other: each tells its partner that it stops, so that there is always one who answers.
#[test]
fn a_rolling_restart_costs_nothing() {
    let (mut pair, mut guests) = pair_with_guests("rolling", MCLT);
    for (n, side) in [Side::A, Side::B, Side::A, Side::B].into_iter().enumerate() {
        pair.stop(side);
        let at = guests.add(&pair.lab, ClientKind::Udhcpc, &format!("late{n}"), seconds(20));
        let after = guests.all[at].bound_after;
        pair.say(&format!("a new client is served after {:.1} s", after.as_secs_f64()));
        // Two of udhcpc's attempts, which are 4 s apart, and its ARP probe.
        assert!(after < seconds(8), "new clients waited {after:?}");
        pair.restart(side);
        pair.wait_for_normal(30);
    }
    guests.watch(LIVES, || false);
    is_whole_again(&mut pair, &mut guests, 10);
}

/// Nobody is served by the other's free addresses while only the link is cut, whatever happens to the two meanwhile.
#[test]
fn both_give_different_addresses_while_the_link_is_cut() {
    let pair_name = "apart";
    let mut pair = Pair::normal(pair_name, 20);
    pair.cut_link(true);
    let puppets = pair.lab.node("puppets");
    pair.lab.connect("lan", &puppets, lab::client::INTERFACE, "");
    for number in 0..10 {
        let one = if number % 2 == 0 { Side::A } else { Side::B };
        pair.cut_clients(one.other(), true);
        let given = lab::Puppet::new(number).bind(&puppets, &pair.clients, 20);
        assert_eq!(given.server, one.address());
        assert!(given.lease <= 20, "{given:?} is longer than MCLT");
        pair.cut_clients(one.other(), false);
        if number == 5 {
            pair.kill(Side::A);
            pair.restart(Side::A);
        }
    }
    pair.cut_link(false);
    pair.wait_for_normal(40);
    pair.wait_until_equal(60);
    nobody_shares(&mut pair);
}
