//! Two servers whose clocks differ, and go on to differ in another way: what one promises the other does not take for over before
//! it is (F07 5.9, trap T21).

#![allow(clippy::expect_used, reason = "a broken test may stop")]

mod common;
mod link;

use common::{Client, START, seconds};
use engine::clock::{BootId, ClockStamp};
use failover::binding::BindingStatus;
use failover::endpoint::Command;
use failover::state::FailoverState;
use failover::time::{Interval, Time};
use link::{MCLT, Pair};
use std::net::Ipv4Addr;

const NORMAL: (FailoverState, FailoverState) = (FailoverState::Normal, FailoverState::Normal);
const HOURS: u64 = 3600;

/// A pair in NORMAL whose clocks differ from the start.
fn apart(ahead: [u64; 2]) -> Pair {
    let mut pair = Pair::normal(HOURS);
    for n in [0, 1] {
        pair.kill(n);
        pair.nodes[n].log.clear();
        pair.nodes[n].generation = 0;
    }
    pair.ahead = ahead.map(seconds);
    for n in [0, 1] {
        start(&mut pair, n, false);
    }
    pair.pass(seconds(60));
    assert_eq!(pair.states(), NORMAL);
    pair
}

/// Starts it, and notes its clocks, as a server does; in a new boot, if it was off.
fn start(pair: &mut Pair, n: usize, new_boot: bool) {
    let now = pair.at(n);
    pair.nodes[n].start(now);
    note_clock(pair, n, u8::from(new_boot));
    pair.settle();
}

fn note_clock(pair: &mut Pair, n: usize, boot: u8) {
    note_clock_after(pair, n, boot, Interval::ZERO);
}

/// The same, of a machine that stood still for so long, besides as long as it jumps.
fn note_clock_after(pair: &mut Pair, n: usize, boot: u8, stood: Interval) {
    let up = pair.now.since(Time::from_seconds(START - HOURS));
    let stamp = ClockStamp {
        engine: pair.at(n),
        // What it counted: it stood still for as long as it jumps.
        since_boot: Interval::from_millis(up.as_millis() - stood.as_millis()),
        wall: pair.at(n),
        boot: BootId([boot; 16]),
        synchronised: boot == 0,
    };
    let node = &mut pair.nodes[n];
    node.engine.note_clock(stamp, &mut node.outbox);
}

/// Node `n` finds that it stood still for so long.
fn jump(pair: &mut Pair, n: usize, by: u64) {
    pair.ahead[n] = pair.ahead[n].plus(seconds(by));
    note_clock(pair, n, 0);
}

/// When a lease ends, by the clock of the test.
fn end(pair: &Pair, n: usize, address: Ipv4Addr) -> Time {
    pair.lease(n, address).lease_expiration.minus(pair.ahead[n])
}

/// Both take the lease to end at the same time, as far as a clock difference in whole seconds can say.
fn assert_same_end(pair: &Pair, address: Ipv4Addr) {
    let ends = [0, 1].map(|n| end(pair, n, address));
    let differ = ends[0].since(ends[1]).max(ends[1].since(ends[0]));
    assert!(differ <= seconds(2), "the ends of {address} differ by {differ}");
}

#[test]
fn hours_between_the_clocks_are_nothing_to_leases() {
    for ahead in [[5 * HOURS, 0], [0, 5 * HOURS], [3, 26 * HOURS]] {
        let mut pair = apart(ahead);
        let client = Client::new(1);
        let (_, address, lease) = pair.bind(&client).expect("a lease");
        assert_eq!(u64::from(lease), MCLT);
        assert_same_end(&pair, address);
        for n in [0, 1] {
            let reply = pair.renew(&client, n, address).expect("an answer");
            assert_eq!(u64::from(reply.lease()), HOURS, "node {n}");
            assert_same_end(&pair, address);
            pair.pass(seconds(600));
        }
        // It ends when it ends, and is free on both.
        let last = end(&pair, 0, address).since(pair.now);
        pair.pass(Interval::from_millis(last.as_millis() - 3000));
        assert_eq!(pair.status(address), [BindingStatus::Active; 2]);
        pair.pass(seconds(60));
        assert_eq!(pair.status(address), [BindingStatus::Free; 2]);
    }
}

#[test]
fn hours_between_the_clocks_are_nothing_to_the_wait_for_a_partner() {
    for (n, ahead) in [(0, [5 * HOURS, 0]), (1, [5 * HOURS, 0]), (0, [0, 5 * HOURS]), (1, [0, 5 * HOURS])] {
        let mut pair = apart(ahead);
        let client = Client::new(1);
        let (_, address, _) = pair.bind(&client).expect("a lease");
        assert!(pair.renew(&client, 1 - n, address).is_some());
        let held = end(&pair, 1 - n, address);
        pair.kill(1 - n);
        pair.command(n, Command::PartnerDown);
        pair.pass(held.plus(seconds(MCLT - 5)).since(pair.now));
        assert_ne!(pair.lease(n, address).status, BindingStatus::Free, "{n} {ahead:?}: too early");
        // It could have been promised for longer: up to the potential end, and MCLT more.
        pair.pass(seconds(2 * HOURS));
        assert_eq!(pair.lease(n, address).status, BindingStatus::Free, "{n} {ahead:?}: never");
    }
}

#[test]
fn a_clock_that_jumps_while_connected_takes_nothing_from_what_the_partner_promises() {
    for (n, by) in [(0, 15), (1, 15), (0, 2 * HOURS), (1, 2 * HOURS)] {
        let mut pair = apart([0, 0]);
        let client = Client::new(1);
        let (_, address, _) = pair.bind(&client).expect("a lease");
        pair.pass(seconds(1));
        jump(&mut pair, n, by);
        // The partner extends the lease before anything else was heard from it.
        assert!(pair.renew(&client, 1 - n, address).is_some());
        assert!(
            pair.nodes[n].told.contains(&"TDM-2002"),
            "what it says on this connection is not read any more"
        );
        pair.pass(seconds(10));
        assert!(
            end(&pair, n, address) >= end(&pair, 1 - n, address).minus(seconds(2)),
            "node {n} jumped by {by} s, and has the lease end {} early",
            end(&pair, 1 - n, address).since(end(&pair, n, address))
        );
        assert_eq!(pair.states(), NORMAL);
        assert!(!pair.nodes[n].told.contains(&"TDM-2011"), "it was not the partner's clock");
        pair.pass(seconds(120));
        assert!(pair.renew(&client, n, address).is_some());
        assert_same_end(&pair, address);
    }
}

/// What waited in the socket of a process, or of a machine, that stood still is late, and its times are not to be corrected by that.
#[test]
fn what_waited_meanwhile_is_not_taken_for_a_difference_of_the_clocks() {
    for (n, is_machine) in [(0, false), (1, false), (0, true), (1, true)] {
        let mut pair = apart([0, 40]);
        let clients: Vec<Client> = (1..=12).map(Client::new).collect();
        let addresses: Vec<Ipv4Addr> =
            clients.iter().map(|client| pair.bind(client).expect("a lease").1).collect();
        pair.pass(seconds(60));
        pair.freeze(n);
        for (client, address) in clients.iter().zip(&addresses) {
            assert!(pair.renew(client, 1 - n, *address).is_some());
            pair.pass(Interval::from_millis(250));
        }
        // Not so long that the partner counts as silent.
        pair.pass(seconds(13));
        pair.thaw(n);
        if is_machine {
            // Neither of its clocks went on meanwhile, and then it found the time again.
            note_clock_after(&mut pair, n, 0, seconds(16));
        }
        pair.pass(seconds(1));
        for address in &addresses {
            let ends = [0, 1].map(|n| end(&pair, n, *address));
            assert!(ends[n] <= ends[1 - n].plus(seconds(3)), "{n} {is_machine}: {ends:?}");
        }
        pair.pass(seconds(60));
        assert_eq!(pair.states(), NORMAL);
    }
}

#[test]
fn a_clock_that_jumps_while_cut_off_ends_no_lease_early() {
    for n in [0, 1] {
        let mut pair = apart([0, 0]);
        let client = Client::new(1);
        let (_, address, _) = pair.bind(&client).expect("a lease");
        assert!(pair.renew(&client, n, address).is_some());
        let held = end(&pair, 1 - n, address);
        pair.cut();
        pair.freeze(n);
        pair.pass(seconds(60));
        pair.thaw(n);
        // It stood still for a minute; two hours are found that nobody counted.
        jump(&mut pair, n, 2 * HOURS);
        pair.pass(held.since(pair.now.plus(seconds(30))));
        assert_eq!(pair.lease(n, address).status, BindingStatus::Active, "node {n}");
        pair.mend();
        pair.pass(seconds(25));
        assert_eq!(pair.status(address), [BindingStatus::Active; 2]);
        assert_eq!(pair.states(), NORMAL);
        pair.pass(seconds(4 * HOURS));
        assert_eq!(pair.status(address), [BindingStatus::Free; 2]);
    }
}

/// Engine time was ahead of the truth, and a reboot took that away: what the partner acknowledged is over by the partner's clock,
/// which did not go back, and so is what may be promised beyond it (F07-5.2.1-01).
#[test]
fn a_reboot_that_takes_time_back_promises_nothing_by_the_time_of_before() {
    let [usual, after_a_lead] = [0, 600].map(|lead| {
        let mut pair = apart([lead, 0]);
        let client = Client::new(1);
        let (_, address, _) = pair.bind(&client).expect("a lease");
        pair.pass(seconds(60));
        assert!(pair.renew(&client, 0, address).is_some());
        pair.pass(seconds(60));
        // The wall clock was set back meanwhile, and is right.
        let stamp = |pair: &Pair, boot: u8| ClockStamp {
            engine: pair.at(0),
            since_boot: seconds(HOURS),
            wall: pair.now,
            boot: BootId([boot; 16]),
            synchronised: true,
        };
        let before = stamp(&pair, 0);
        let node = &mut pair.nodes[0];
        node.engine.note_clock(before, &mut node.outbox);
        pair.pass(seconds(30));
        pair.cut();
        pair.kill(0);
        pair.pass(seconds(20 * 60));
        pair.ahead[0] = Interval::ZERO;
        let now = pair.at(0);
        pair.nodes[0].start(now);
        let after = stamp(&pair, 1);
        let node = &mut pair.nodes[0];
        node.engine.note_clock(after, &mut node.outbox);
        pair.settle();
        // So late that what the partner knows is the bound, and not what the client should have.
        pair.pass(seconds(35 * 60));
        assert!(pair.renew(&client, 0, address).is_some(), "{lead}");
        pair.pass(seconds(1));
        end(&pair, 0, address)
    });
    assert!(after_a_lead <= usual.plus(seconds(2)), "{} too long", after_a_lead.since(usual));
}

#[test]
fn who_boots_with_a_clock_that_is_behind_serves_and_finds_the_time_later() {
    for n in [0, 1] {
        let mut pair = apart([5 * HOURS, 5 * HOURS]);
        let client = Client::new(1);
        pair.kill(n);
        // Off for two hours; its clock goes on from the last stamp.
        pair.pass(seconds(2 * HOURS));
        pair.ahead[n] = seconds(3 * HOURS);
        start(&mut pair, n, true);
        pair.pass(seconds(60));
        assert_eq!(pair.states(), NORMAL, "a partner knows that the clocks differ");
        let (_, address, _) = pair.bind(&client).expect("a lease");
        assert!(pair.renew(&client, n, address).is_some());
        assert_same_end(&pair, address);
        let held = end(&pair, n, address);
        // The network's time is found.
        pair.ahead[n] = seconds(5 * HOURS);
        note_clock(&mut pair, n, 1);
        pair.pass(seconds(30));
        assert_eq!(pair.states(), NORMAL);
        pair.kill(1 - n);
        pair.command(n, Command::PartnerDown);
        pair.pass(held.since(pair.now));
        assert_ne!(pair.lease(n, address).status, BindingStatus::Free, "node {n}");
    }
}
