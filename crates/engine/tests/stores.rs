//! Old copies of stores: what is one is known as one, and what is none is not taken for one (D12 5.16, Q45).

#![allow(clippy::expect_used, reason = "a broken test may stop")]

mod common;
mod link;

use common::{Client, binding_in, seconds};
use engine::Commanded;
use engine::record::{Flags, Record};
use failover::endpoint::Command;
use failover::state::FailoverState;
use link::{MCLT, Pair};

const NORMAL: (FailoverState, FailoverState) = (FailoverState::Normal, FailoverState::Normal);

/// A store as it was: what is in it, who it is, how often it was opened.
fn copy(pair: &Pair, n: usize) -> (Vec<Vec<u8>>, [u8; 16], u64) {
    let node = &pair.nodes[n];
    (node.log.clone(), node.store, node.generation)
}

fn restore(pair: &mut Pair, n: usize, copy: (Vec<Vec<u8>>, [u8; 16], u64)) {
    pair.kill(n);
    (pair.nodes[n].log, pair.nodes[n].store, pair.nodes[n].generation) = copy;
    pair.start(n);
    pair.pass(seconds(30));
}

fn waits(pair: &Pair, n: usize) -> bool {
    let view = pair.view(n);
    view.state == FailoverState::RecoverWait && view.storage_lost
}

#[test]
fn who_stood_still_did_not_hear_the_partner_meanwhile() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        pair.freeze(1 - n);
        pair.pass(seconds(10));
        pair.kill(n);
        pair.pass(seconds(900));
        pair.start(n);
        pair.pass(seconds(5));
        pair.thaw(1 - n);
        pair.pass(seconds(20));
        assert_eq!(pair.states(), NORMAL, "node {n}: its store is sound");
        assert!(!pair.view(n).storage_lost);
    }
}

/// D12-5.16-02.
#[test]
fn a_backup_of_an_hour_ago_is_noticed_within_one_connection() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let backup = copy(&pair, n);
        pair.pass(seconds(3600));
        restore(&mut pair, n, backup);
        assert!(waits(&pair, n), "node {n}");
        pair.pass(seconds(MCLT + 60));
        assert_eq!(pair.states(), NORMAL);
        pair.assert_equal();
    }
}

#[test]
fn a_backup_is_noticed_by_a_partner_that_restarted_since() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let backup = copy(&pair, n);
        pair.pass(seconds(200));
        pair.kill(n);
        pair.pass(seconds(100));
        pair.kill(1 - n);
        pair.start(1 - n);
        pair.pass(seconds(100));
        restore(&mut pair, n, backup);
        assert!(waits(&pair, n), "node {n}");
    }
}

#[test]
fn a_backup_of_seconds_ago_is_noticed_when_the_store_was_opened_since() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let backup = copy(&pair, n);
        pair.kill(n);
        pair.start(n);
        pair.pass(seconds(20));
        assert!(pair.bind(&Client::new(1)).is_some());
        restore(&mut pair, n, backup);
        assert!(waits(&pair, n), "node {n}");
    }
}

#[test]
fn a_store_that_was_replaced_does_not_come_back() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let backup = copy(&pair, n);
        pair.lose_disk(n);
        pair.start(n);
        pair.pass(seconds(MCLT + 60));
        assert_eq!(pair.states(), NORMAL);
        restore(&mut pair, n, backup);
        assert!(waits(&pair, n), "node {n}");
    }
}

#[test]
fn an_old_copy_that_crashes_while_it_recovers_goes_on_recovering() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let backup = copy(&pair, n);
        pair.pass(seconds(300));
        restore(&mut pair, n, backup);
        pair.kill(n);
        pair.start(n);
        pair.pass(seconds(30));
        assert!(waits(&pair, n), "node {n}");
    }
}

/// Its loss was another one, and that wait is over.
#[test]
fn a_copy_from_before_a_new_store_met_anybody_waits_anew() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        pair.lose_disk(n);
        pair.is_cut = true;
        pair.start(n);
        pair.pass(seconds(100));
        let backup = copy(&pair, n);
        pair.mend();
        pair.pass(seconds(2 * MCLT));
        assert_eq!(pair.states(), NORMAL);
        restore(&mut pair, n, backup);
        assert!(waits(&pair, n), "node {n}");
        pair.pass(seconds(MCLT - 60));
        assert!(waits(&pair, n), "node {n}");
    }
}

/// Generations begin again from those of the copy: the partner may have heard them before, and forgotten since that it is over.
#[test]
fn a_store_that_was_refilled_is_sound_whatever_an_old_copy_of_the_partner_heard() {
    for n in [0, 1] {
        let mut pair = Pair::normal(3600);
        let ours = copy(&pair, n);
        for _ in 0..4 {
            pair.kill(n);
            pair.start(n);
            pair.pass(seconds(60));
        }
        let theirs = copy(&pair, 1 - n);
        pair.pass(seconds(200));
        restore(&mut pair, n, ours);
        pair.pass(seconds(2 * MCLT));
        assert_eq!(pair.states(), NORMAL);
        pair.kill(1 - n);
        (pair.nodes[1 - n].log, pair.nodes[1 - n].store, pair.nodes[1 - n].generation) = theirs;
        pair.kill(n);
        pair.start(n);
        pair.start(1 - n);
        pair.pass(seconds(30));
        assert!(!pair.view(n).storage_lost, "node {n}");
        assert!(waits(&pair, 1 - n));
    }
}

/// Both with empty disks, and neither runs.
fn both_lost() -> Pair {
    let mut pair = Pair::normal(3600);
    for n in [0, 1] {
        pair.lose_disk(n);
        pair.nodes[n].store = [97 + u8::try_from(n).expect("0 or 1"); 16];
    }
    pair
}

#[test]
fn a_server_that_was_started_twice_before_it_met_anybody_is_at_its_first_run() {
    for n in [0, 1] {
        let mut pair = both_lost();
        pair.start(n);
        pair.pass(seconds(100));
        pair.kill(n);
        pair.start(n);
        pair.pass(seconds(100));
        assert_eq!(pair.view(n).state, FailoverState::Recover);
        pair.start(1 - n);
        pair.pass(seconds(30));
        assert_eq!(pair.states(), NORMAL, "D12-9.6.2-02");
    }
}

/// Nothing shows that both lost their disks: it looks like a first run. The operator knows, and is heard.
#[test]
fn who_was_told_that_its_store_is_lost_waits_whatever_the_partner_knows() {
    for (n, restarts) in [(0, false), (1, false), (0, true), (1, true)] {
        let mut pair = both_lost();
        pair.start(n);
        pair.pass(seconds(10));
        let lost = Command::StorageLost { down_since: None };
        assert!(matches!(pair.command(n, lost), Commanded::Done(_)));
        if restarts {
            pair.kill(n);
            pair.start(n);
        }
        pair.start(1 - n);
        pair.pass(seconds(MCLT - 60));
        assert!(waits(&pair, n), "node {n}");
        assert!(pair.bind(&Client::new(1)).is_none(), "neither gives anything to anybody");
        pair.pass(seconds(120));
        assert_eq!(pair.states(), NORMAL);
    }
}

/// Something that clients or the world do.
fn happens(pair: &mut Pair, random: &mut u64, held: &mut Vec<(u8, usize, std::net::Ipv4Addr)>) {
    let mut below = |bound: u64| {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*random >> 33) % bound
    };
    let number = u8::try_from(1 + below(30)).expect("a small number");
    let client = Client::new(number);
    let place = held.iter().position(|(of, ..)| *of == number);
    match (below(8), place) {
        (0..3, None) => {
            if let Some((n, address, _)) = pair.bind(&client) {
                held.push((number, n, address));
            }
        }
        (0, Some(at)) => {
            let (_, n, address) = held.remove(at);
            pair.release(&client, n, address);
        }
        (1, Some(at)) => {
            let (_, n, address) = held.remove(at);
            pair.decline(&client, n, address);
        }
        (2, Some(at)) => {
            let (_, n, address) = held[at];
            if pair.renew(&client, n, address).is_none_or(|reply| reply.kind() != dhcp::MessageType::Ack) {
                held.remove(at);
            }
        }
        (3, _) => pair.cut(),
        (4, _) => pair.mend(),
        _ => pair.pass(seconds(below(400))),
    }
}

/// Whatever changed since the copy was made, nothing stale of it is left, what the partner has as FREE again included; also where
/// the partner lost its own disk meanwhile. And without any copy the two become equal too.
#[test]
fn an_old_copy_becomes_equal_to_what_the_partner_has() {
    for seed in 0..120 {
        let (mut random, mut held) = (seed, Vec::new());
        let n = usize::from(seed % 2 == 1);
        let mut pair = Pair::new(600);
        for _ in 0..60 {
            happens(&mut pair, &mut random, &mut held);
        }
        let backup = copy(&pair, n);
        if seed % 6 == 4 {
            pair.lose_disk(1 - n);
            pair.start(1 - n);
            pair.mend();
            pair.pass(seconds(2 * MCLT));
        }
        for _ in 0..60 {
            happens(&mut pair, &mut random, &mut held);
        }
        pair.mend();
        pair.pass(seconds(100));
        if seed % 3 != 0 {
            restore(&mut pair, n, backup);
            assert!(pair.view(n).storage_lost, "seed {seed}");
        }
        pair.pass(seconds(2 * MCLT));
        assert_eq!(pair.states(), NORMAL, "seed {seed}");
        pair.pass(seconds(7200));
        pair.assert_equal();
    }
}

#[test]
fn that_a_client_speaks_bootp_is_told_again_as_it_was_heard() {
    // D12-7.1.1-01: as a partner of another make has it.
    let mut pair = Pair::normal(3600);
    let client = Client::new(1);
    let (_, address, _) = pair.bind(&client).expect("a lease");
    let latest = |pair: &Pair, n: usize| binding_in(&pair.nodes[n].log, address).expect("a record").flags;
    pair.kill(0);
    let mut bytes = Vec::new();
    let mut binding = binding_in(&pair.nodes[0].log, address).expect("a record");
    binding.flags = Flags::UNSEEN.with(Flags::BOOTP);
    Record::Binding(binding).encode(&mut bytes);
    pair.nodes[0].log.push(bytes);
    pair.start(0);
    pair.pass(seconds(30));
    assert_eq!([0, 1].map(|n| latest(&pair, n)), [Flags::BOOTP; 2]);
    // One that lost its store hears of it from the other.
    pair.lose_disk(0);
    pair.start(0);
    pair.pass(seconds(60));
    assert!(latest(&pair, 0).contains(Flags::BOOTP), "{:?}", latest(&pair, 0));
    pair.pass(seconds(MCLT));
    // It speaks DHCP from now on.
    let (_, again, _) = pair.bind(&client).expect("a lease");
    assert_eq!(again, address);
    assert_eq!([0, 1].map(|n| latest(&pair, n).contains(Flags::BOOTP)), [false; 2]);
}
