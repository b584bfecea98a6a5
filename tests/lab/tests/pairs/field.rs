//! What broke failover in practice, told with a real dhcpd: each story with Tandem as primary and as secondary, at the same time.

use crate::beside::{
    ACK_CROSSED, OVERTAKEN, balanced_with, client_of, ends_well, in_both_roles, long_leases, stage,
    starts_at_once, wait_for_status,
};
use crate::clocks::{MISMATCH, TOO_FAR, pair_with_clocks};
use crate::dhcpd::{POTENTIAL_CONFLICT, RESOLUTION_INTERRUPTED};
use crate::rush::{each_serves, wide};
use lab::capture::now;
use lab::pair::usual_beside_dhcpd;
use lab::{Pair, Puppet, Side, seconds};
use std::net::Ipv4Addr;

#[track_caller]
fn is_in(pair: &Pair, side: Side, state: &str) {
    assert_eq!(pair.standing(side).map(|standing| standing.state).as_deref(), Some(state), "{}", side.name());
}

/// The bindings come back over a slow link that breaks off twice in the middle.
fn interrupted_in_recover(tandem: Side) {
    // So many that a busy machine is not through with them before each cut.
    let last = Ipv4Addr::new(10, 8, 31, 255);
    let mut pair = balanced_with("recover", tandem, |side| {
        let mut setup = wide(side, tandem, last);
        setup.failover.as_mut().unwrap().mclt = 30;
        setup
    });
    for loses in [tandem, tandem.other()] {
        pair.kill(loses);
        pair.lose(loses);
        pair.slow_link(true);
        pair.restart(loses);
        for _ in 0..2 {
            pair.wait_for_state(loses, "RECOVER", 60);
            std::thread::sleep(seconds(6));
            is_in(&pair, loses, "RECOVER");
            pair.cut_link(true);
            std::thread::sleep(seconds(14));
            is_in(&pair, loses, "RECOVER");
            pair.cut_link(false);
        }
        pair.slow_link(false);
        pair.wait_for_normal(180);
        pair.wait_until_equal(60);
    }
    ends_well(&mut pair, &[OVERTAKEN, ACK_CROSSED]);
}

#[test]
fn field_01_interrupted_in_recover() {
    in_both_roles(interrupted_in_recover);
}

/// Both were rightly told that they are alone, and gave hundreds of leases; now they tell each other, by a slow link.
#[track_caller]
pub fn in_conflict(story: &str, tandem: Side) -> Pair {
    let last = Ipv4Addr::new(10, 8, 15, 255);
    let pair = balanced_with(story, tandem, |side| wide(side, tandem, last));
    pair.cut_link(true);
    for side in Side::BOTH {
        pair.wait_for_state(side, "COMMUNICATIONS-INTERRUPTED", 40);
    }
    for side in Side::BOTH {
        pair.partner_down(side);
        pair.wait_for_state(side, "PARTNER-DOWN", 10);
    }
    // Within MCLT both give of their own alone.
    each_serves(&pair, [(Side::A, 100, 10), (Side::B, 100, 10)]);
    pair.slow_link(true);
    pair.cut_link(false);
    for side in Side::BOTH {
        pair.wait_for_state(side, "POTENTIAL-CONFLICT", 100);
    }
    pair
}

/// The exchange of a conflict breaks off in the middle: each is in RESOLUTION-INTERRUPTED, and goes on. Tandem says nothing of a
/// conflict before it has heard what the dhcpd is in, and has gone on then.
fn interrupted_in_potential_conflict(tandem: Side) {
    let mut pair = in_conflict("resolution", tandem);
    std::thread::sleep(seconds(5));
    is_in(&pair, tandem, "POTENTIAL-CONFLICT");
    pair.cut_link(true);
    for side in Side::BOTH {
        pair.wait_for_state(side, "RESOLUTION-INTERRUPTED", 40);
    }
    let interrupted = now();
    pair.slow_link(false);
    pair.cut_link(false);
    pair.wait_for_normal(180);
    pair.wait_until_equal(60);
    let said = ends_well(&mut pair, &[OVERTAKEN]);
    let told = |side: Side| {
        let mut after = said.iter().filter(|said| said.at > interrupted && said.from == side.link_address());
        after.find_map(|said| said.state)
    };
    assert_eq!(told(tandem.other()), Some(RESOLUTION_INTERRUPTED), "the dhcpd");
    assert_eq!(told(tandem), Some(POTENTIAL_CONFLICT), "Tandem");
}

#[test]
fn field_02_interrupted_in_potential_conflict() {
    in_both_roles(interrupted_in_potential_conflict);
}

/// First the clock of Tandem is set wrong, then that of the dhcpd: they part, both serve, and meet again when it is right.
fn clocks_more_than_sixty_seconds_apart(tandem: Side) {
    let (mut pair, clocks) = pair_with_clocks("clocks", tandem, 0);
    starts_at_once(&pair, tandem);
    let puppets = stage(&pair);
    let known: Vec<_> = (0..6).map(|number| Puppet::new(number).bind(&puppets, &pair.clients, 20)).collect();
    for (number, (whose, ahead)) in [(tandem, -61), (tandem.other(), 61)].into_iter().enumerate() {
        clocks[whose as usize].set(ahead);
        pair.say(&format!("the clock of {} is wrong by {ahead} s", whose.name()));
        for side in Side::BOTH {
            pair.wait_for_state(side, "COMMUNICATIONS-INTERRUPTED", 40);
        }
        std::thread::sleep(seconds(20));
        for side in Side::BOTH {
            is_in(&pair, side, "COMMUNICATIONS-INTERRUPTED");
        }
        let late = Puppet::new(100 + u8::try_from(number).unwrap()).bind(&puppets, &pair.clients, 20);
        pair.say(&format!("{} leased {} to a new client", late.server, late.address));
        for (number, given) in (0..).zip(&known) {
            let extended = Puppet::new(number).rebind(&puppets, &pair.clients, given.address);
            assert!(extended.is_some(), "{given:?} is not extended");
        }
        clocks[whose as usize].set(0);
        pair.say("the clock is right");
        pair.wait_for_normal(200);
        pair.wait_until_equal(90);
    }
    assert!(pair.has_said(tandem, MISMATCH), "Tandem does not say that the clocks are too far apart");
    ends_well(&mut pair, &[&TOO_FAR[..], &[OVERTAKEN]].concat());
}

#[test]
fn field_08_clocks_more_than_sixty_seconds_apart() {
    in_both_roles(clocks_more_than_sixty_seconds_apart);
}

/// A lease ends in PARTNER-DOWN while nobody says anything: its address is free when the wait is over, without an event.
fn lease_expires_in_partner_down(tandem: Side) {
    let mut pair = balanced_with("silent-end", tandem, |side| usual_beside_dhcpd(side, tandem, 50));
    let puppets = stage(&pair);
    let forgotten = Side::BOTH.map(|side| client_of(&pair, &puppets, side, 60 * side as u8).1.address);
    for address in forgotten {
        wait_for_status(&pair, address, &["active"], 10);
    }
    pair.kill(tandem.other());
    pair.wait_for_state(tandem, "COMMUNICATIONS-INTERRUPTED", 20);
    pair.partner_down(tandem);
    pair.wait_for_state(tandem, "PARTNER-DOWN", 10);
    let status = |pair: &Pair, address: Ipv4Addr| {
        let member = pair.of(tandem);
        member.server.addresses(&member.node).get(&address).map(|lease| lease.status.clone())
    };
    for address in forgotten {
        assert_eq!(status(&pair, address).as_deref(), Some("active"), "{address}");
    }
    for address in forgotten {
        lab::wait_for(&format!("{address} to be free"), seconds(200), || {
            status(&pair, address).filter(|status| status == "free" || status == "backup")
        });
        pair.say(&format!("{address} is free at {}", tandem.name()));
    }
    is_in(&pair, tandem, "PARTNER-DOWN");
    pair.restart(tandem.other());
    pair.wait_for_normal(120);
    pair.wait_until_equal(120);
    for address in forgotten {
        wait_for_status(&pair, address, &["free", "backup"], 30);
    }
    ends_well(&mut pair, &[OVERTAKEN]);
}

#[test]
fn field_11_lease_expires_in_partner_down() {
    in_both_roles(lease_expires_in_partner_down);
}

/// The other does not hear it, and is told: ABANDONED is taken over ACTIVE, from the secondary too.
fn declined_at_one_server_only(tandem: Side) {
    let mut pair = balanced_with("declined", tandem, |side| long_leases(side, tandem, 120));
    let puppets = stage(&pair);
    for side in Side::BOTH {
        let (declining, declined) = client_of(&pair, &puppets, side, 60 * side as u8);
        wait_for_status(&pair, declined.address, &["active"], 10);
        std::thread::sleep(seconds(3));
        pair.cut_clients(side.other(), true);
        let (address, server) = (declined.address.octets(), side.address().octets());
        declining.say(&puppets, 4, None, &[(50, &address), (54, &server)]);
        wait_for_status(&pair, declined.address, &["abandoned"], 20);
        pair.cut_clients(side.other(), false);
    }
    pair.wait_until_equal(30);
    ends_well(&mut pair, &[]);
}

#[test]
fn field_15_declined_at_one_server_only() {
    in_both_roles(declined_at_one_server_only);
}

/// An odd number of addresses can't be halved: the two are content all the same, and say nothing any more.
fn pool_requests_end(tandem: Side) {
    let mut pair = balanced_with("odd", tandem, |side| {
        let mut setup = long_leases(side, tandem, 600);
        setup.subnets[0].pool.1 = Ipv4Addr::new(10, 1, 0, 124);
        if side != tandem {
            setup.failover.as_mut().unwrap().extra.push_str("min-balance 10; max-balance 30;");
        }
        setup
    });
    let puppets = stage(&pair);
    let mut quiet = Vec::new();
    // An odd number of what is available, then an even one, and one in which only one of the two has given.
    for (from, count) in [(0, 4), (40, 1), (80, 3)] {
        for number in from..from + count {
            Puppet::new(number).bind(&puppets, &pair.clients, 20);
        }
        std::thread::sleep(seconds(35));
        let since = now();
        std::thread::sleep(seconds(65));
        quiet.push((since, now()));
        pair.say(&format!("FREE and BACKUP: {:?}", pair.standing(tandem).map(|standing| standing.available)));
    }
    pair.wait_until_equal(30);
    let said = ends_well(&mut pair, &[]);
    for (since, until) in quiet {
        let chatter: Vec<_> =
            said.iter().filter(|said| (since..until).contains(&said.at) && said.kind != "CONTACT").collect();
        assert!(chatter.is_empty(), "{} messages, as {:?}", chatter.len(), chatter.first());
    }
}

#[test]
fn field_20_pool_requests_end() {
    in_both_roles(pool_requests_end);
}
