//! Clocks of a Tandem and a dhcpd that do not agree: up to a minute is nothing, and more is refused until it is mended.

use crate::beside::{CROSSED, ends_well, long_leases, stage, starts_at_once};
use lab::pair::Side;
use lab::{FakeClock, Pair, Puppet, seconds};
use std::cell::RefCell;

/// What a dhcpd logs of a partner whose clock is too far away: that it was refused, and that it refused.
pub const TOO_FAR: [&str; 2] = ["time mismatch too great", "time offset too large"];

/// What Tandem logs then, whoever refused whom.
pub const MISMATCH: &str = "time mismatch too great (4)";

/// A pair in which both have clocks that can be set; that of Tandem is so far ahead already.
pub fn pair_with_clocks(story: &str, tandem: Side, ahead: i64) -> (Pair, [FakeClock; 2]) {
    let clocks = RefCell::new(Vec::new());
    let name = format!("{story}-{}", tandem.name());
    let mut pair = Pair::with_dhcpd_in(
        &name,
        tandem,
        |side| long_leases(side, tandem, 120),
        |side, node| {
            let clock = FakeClock::new(node);
            clock.set(if side == tandem { ahead } else { 0 });
            let environment = clock.environment();
            clocks.borrow_mut().push(clock);
            environment
        },
    );
    pair.b_ahead = if tandem == Side::A { -ahead } else { ahead };
    (pair, clocks.into_inner().try_into().unwrap())
}

/// Twelve clients, of either; each is extended by one that did not lease it its address.
fn all_is_shared(pair: &mut Pair) {
    let puppets = stage(pair);
    let all: Vec<_> = (0..12).map(|number| Puppet::new(number).bind(&puppets, &pair.clients, 20)).collect();
    pair.wait_until_equal(30);
    for deaf in Side::BOTH {
        pair.cut_clients(deaf, true);
        for (number, given) in (0..).zip(&all).filter(|(_, given)| given.server == deaf.address()) {
            let puppet = Puppet::new(number);
            let extended = puppet.rebind(&puppets, &pair.clients, given.address);
            assert_eq!(extended.map(|extended| extended.server), Some(deaf.other().address()), "{given:?}");
        }
        pair.cut_clients(deaf, false);
    }
    assert!(Side::BOTH.iter().all(|side| all.iter().any(|given| given.server == side.address())), "{all:?}");
    // A dhcpd tells the time of a release by the end of the lease alone.
    std::thread::sleep(seconds(3));
    let (leaving, gone) = (Puppet::new(0), all[0]);
    leaving.release(&puppets, gone);
    pair.wait_until_equal(60);
}

/// 59 s apart, and all is as ever: each is told by its own clock until when a lease lasts.
fn nearly_a_minute(tandem: Side) {
    let (mut pair, _clocks) = pair_with_clocks("59s", tandem, -59);
    starts_at_once(&pair, tandem);
    all_is_shared(&mut pair);
    ends_well(&mut pair, &[CROSSED]);
}

#[test]
fn fifty_nine_seconds_from_a_dhcpd_primary_are_nothing() {
    nearly_a_minute(Side::B);
}

#[test]
fn fifty_nine_seconds_from_a_dhcpd_secondary_are_nothing() {
    nearly_a_minute(Side::A);
}

/// Tandem was started by a clock that was wrong by more than a minute. It is mended, and nobody starts anything again.
fn wrong_from_the_start(tandem: Side) {
    let (mut pair, clocks) = pair_with_clocks("61s", tandem, -61);
    pair.wait_for_log(tandem, MISMATCH, 60);
    std::thread::sleep(seconds(5));
    assert!(!pair.has_said(tandem, "TDM-2001"), "they are in contact, 61 s apart");
    clocks[tandem as usize].set(0);
    pair.say("the clock is right");
    pair.wait_for_log(tandem, "TDM-2001", 150);
    starts_at_once(&pair, tandem);
    all_is_shared(&mut pair);
    ends_well(&mut pair, &[&TOO_FAR[..], &[CROSSED]].concat());
}

#[test]
fn a_clock_that_was_wrong_at_the_start_is_mended_beside_a_dhcpd_primary() {
    wrong_from_the_start(Side::B);
}

#[test]
fn a_clock_that_was_wrong_at_the_start_is_mended_beside_a_dhcpd_secondary() {
    wrong_from_the_start(Side::A);
}
