//! A Tandem and a real dhcpd, of which either is killed, restarted or cut off in a state that is not NORMAL.

use crate::beside::{ACK_CROSSED, MCLT, OVERTAKEN, PAUSED, comes_back, ends_well, is_whole, pair, stage};
use crate::field::in_conflict;
use lab::{Guests, Pair, Puppet, Side, seconds};

/// One dies, and is back.
#[track_caller]
fn dies_and_is_back(pair: &mut Pair, side: Side) {
    pair.kill(side);
    std::thread::sleep(seconds(2));
    comes_back(pair, side);
}

/// In COMMUNICATIONS-INTERRUPTED each is killed, and Tandem is restarted; the link stays cut.
fn in_communications_interrupted(tandem: Side) {
    let mut pair = pair("stage-interrupted", tandem, MCLT);
    let mut guests = Guests::new();
    guests.one_of_each(&pair.lab);
    pair.wait_until_equal(30);
    pair.cut_link(true);
    for side in Side::BOTH {
        pair.wait_for_state(side, "COMMUNICATIONS-INTERRUPTED", 40);
    }
    for side in [tandem, tandem.other()] {
        dies_and_is_back(&mut pair, side);
        pair.wait_for_state(side, "COMMUNICATIONS-INTERRUPTED", 60);
        guests.watch(seconds(15), || false);
    }
    pair.stop(tandem);
    pair.restart(tandem);
    pair.wait_for_state(tandem, "COMMUNICATIONS-INTERRUPTED", 30);
    guests.watch(seconds(15), || false);
    pair.cut_link(false);
    is_whole(&mut pair, &mut guests, 120, &[OVERTAKEN, PAUSED]);
}

#[test]
fn either_dies_in_communications_interrupted_with_a_dhcpd_as_primary() {
    in_communications_interrupted(Side::B);
}

#[test]
fn either_dies_in_communications_interrupted_with_a_dhcpd_as_secondary() {
    in_communications_interrupted(Side::A);
}

/// The one that is alone in PARTNER-DOWN is killed, then restarted; and the link is cut as soon as the other is back in RECOVER.
fn in_partner_down(tandem: Side, off: Side) {
    // No lease is shorter than what a dhcpd needs to start.
    let mclt = if off == tandem { MCLT } else { 30 };
    let mut pair = pair(&format!("stage-down-{}", off.name()), tandem, mclt);
    let mut guests = Guests::new();
    guests.one_of_each(&pair.lab);
    pair.wait_until_equal(30);
    let alone = off.other();
    pair.kill(off);
    pair.wait_for_state(alone, "COMMUNICATIONS-INTERRUPTED", 20);
    pair.partner_down(alone);
    pair.wait_for_state(alone, "PARTNER-DOWN", 10);
    for is_killed in [true, false] {
        guests.watch(seconds(15), || false);
        if is_killed {
            pair.kill(alone);
        } else {
            pair.stop(alone);
        }
        comes_back(&mut pair, alone);
        pair.wait_for_state(alone, "PARTNER-DOWN", 60);
        if alone == tandem {
            // It cannot know what its partner did while it was away: only people do (trap T15).
            pair.command(alone, &["serve-alone", "--yes-it-is-off"]);
        }
    }
    guests.watch(seconds(15), || false);
    pair.restart(off);
    lab::wait_for("the one that was off to be heard", seconds(60), || {
        let state = pair.standing(off)?.state;
        ["RECOVER", "RECOVER-WAIT", "RECOVER-DONE", "NORMAL"].contains(&state.as_str()).then_some(())
    });
    pair.cut_link(true);
    guests.watch(seconds(15), || false);
    pair.cut_link(false);
    is_whole(&mut pair, &mut guests, 150, &[OVERTAKEN, ACK_CROSSED]);
}

#[test]
fn tandem_dies_in_partner_down_while_a_dhcpd_primary_is_off() {
    in_partner_down(Side::B, Side::A);
}

#[test]
fn tandem_dies_in_partner_down_while_a_dhcpd_secondary_is_off() {
    in_partner_down(Side::A, Side::B);
}

#[test]
fn a_dhcpd_primary_dies_in_partner_down_while_tandem_is_off() {
    in_partner_down(Side::B, Side::B);
}

#[test]
fn a_dhcpd_secondary_dies_in_partner_down_while_tandem_is_off() {
    in_partner_down(Side::A, Side::A);
}

/// One has lost all that it wrote, and waits in RECOVER-WAIT: it is killed, the link is cut, the other is killed.
fn in_recover_wait(tandem: Side, loses: Side) {
    let mut pair = pair(&format!("stage-wait-{}", loses.name()), tandem, 50);
    let puppets = stage(&pair);
    for number in 0..8 {
        Puppet::new(number).bind(&puppets, &pair.clients, 20);
    }
    pair.wait_until_equal(30);
    pair.kill(loses);
    pair.lose(loses);
    pair.restart(loses);
    pair.wait_for_state(loses, "RECOVER-WAIT", 60);
    dies_and_is_back(&mut pair, loses);
    pair.wait_for_state(loses, "RECOVER-WAIT", 60);
    pair.cut_link(true);
    std::thread::sleep(seconds(8));
    let state = pair.standing(loses).map(|standing| standing.state);
    assert_eq!(state.as_deref(), Some("RECOVER-WAIT"));
    dies_and_is_back(&mut pair, loses.other());
    pair.cut_link(false);
    pair.wait_for_normal(180);
    pair.wait_until_equal(120);
    let late = Puppet::new(100).bind(&puppets, &pair.clients, 20);
    pair.say(&format!("a new client has {}", late.address));
    pair.wait_until_equal(30);
    ends_well(&mut pair, &[OVERTAKEN, ACK_CROSSED]);
}

#[test]
fn either_dies_while_a_dhcpd_primary_is_in_recover_wait() {
    in_recover_wait(Side::B, Side::A);
}

#[test]
fn either_dies_while_a_dhcpd_secondary_is_in_recover_wait() {
    in_recover_wait(Side::A, Side::B);
}

#[test]
fn either_dies_while_a_tandem_primary_of_a_dhcpd_is_in_recover_wait() {
    in_recover_wait(Side::A, Side::A);
}

#[test]
fn either_dies_while_a_tandem_secondary_of_a_dhcpd_is_in_recover_wait() {
    in_recover_wait(Side::B, Side::B);
}

/// In POTENTIAL-CONFLICT, while the two still tell each other what they gave, Tandem is killed, then dhcpd, then Tandem is restarted.
fn in_potential_conflict(tandem: Side) {
    let mut pair = in_conflict("stage-conflict", tandem);
    for (side, is_killed) in [(tandem, true), (tandem.other(), true), (tandem, false)] {
        std::thread::sleep(seconds(3));
        if is_killed {
            dies_and_is_back(&mut pair, side);
        } else {
            pair.stop(side);
            pair.restart(side);
        }
        pair.wait_for_state(tandem, "POTENTIAL-CONFLICT", 120);
    }
    pair.slow_link(false);
    pair.wait_for_normal(180);
    pair.wait_until_equal(60);
    ends_well(&mut pair, &[OVERTAKEN, PAUSED]);
}

#[test]
fn either_dies_in_a_conflict_with_a_dhcpd_primary() {
    in_potential_conflict(Side::B);
}

#[test]
fn either_dies_in_a_conflict_with_a_dhcpd_secondary() {
    in_potential_conflict(Side::A);
}
