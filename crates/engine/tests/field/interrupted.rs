//! An exchange of many steps that breaks off in its middle, at each of its steps: numbers 1, 2, 5, 29, 31.

use crate::common::{Client, seconds};
use crate::link::{Interruption, MCLT, Pair};
use crate::{LEASE, NORMAL, assert_whole, busy};
use engine::Commanded;
use engine::record::Record;
use failover::endpoint::Command;
use failover::state::FailoverState as S;

/// Those that can break off a conversation with node `n`.
fn interruptions() -> [Interruption; 3] {
    [Interruption::Cut, Interruption::Kill(0), Interruption::Kill(1)]
}

/// The state that a node has in its store.
fn stored(pair: &Pair, n: usize) -> S {
    let found = pair.nodes[n].log.iter().rev().find_map(|record| match Record::decode(record) {
        Ok(Record::Endpoint(endpoint)) => endpoint.stored,
        _ => None,
    });
    found.expect("a state").state
}

/// Lets the exchange that `begin` begins break off behind its first message, its second and so on, as often as it has messages. In
/// which states the two were then.
fn at_each_step(
    least: usize,
    made: impl Fn() -> (Pair, Vec<crate::Holder>),
    begin: impl Fn(&mut Pair),
) -> Vec<(S, S)> {
    let mut seen = Vec::new();
    for what in interruptions() {
        for step in 0.. {
            let (mut pair, holders) = made();
            pair.interruption = Some((step, what));
            begin(&mut pair);
            pair.pass(seconds(60));
            if pair.interruption.take().is_some() {
                assert!(step >= least, "{what:?}: over after {step} steps");
                break;
            }
            seen.push((stored(&pair, 0), stored(&pair, 1)));
            pair.repair();
            pair.pass(seconds(2 * MCLT + 120));
            assert_whole(&mut pair, &holders, &format!("{what:?} at step {step}"));
        }
    }
    seen
}

/// F07-9.5.2-01.
#[test]
fn field_01_interrupted_in_recover() {
    for n in [0, 1] {
        let lost = || {
            let (mut pair, holders) = busy();
            pair.lose_disk(n);
            pair.pass(seconds(10));
            (pair, holders)
        };
        let seen = at_each_step(7, lost, |pair| pair.start(n));
        let recovers = seen.iter().filter(|(a, b)| [*a, *b][n] == S::Recover).count();
        assert!(recovers > 10, "node {n}: {seen:?}");
    }
}

/// Who was in RECOVER-WAIT goes on waiting, and no longer than it had to, when the link is cut meanwhile.
#[test]
fn field_01_interrupted_in_recover_wait() {
    for n in [0, 1] {
        let (mut pair, holders) = busy();
        pair.lose_disk(n);
        pair.start(n);
        pair.pass(seconds(30));
        assert_eq!(pair.view(n).state, S::RecoverWait);
        for _ in 0..4 {
            pair.cut();
            pair.pass(seconds(60));
            pair.mend();
            pair.pass(seconds(60));
            assert!(!pair.view(n).answers, "node {n}");
        }
        pair.pass(seconds(MCLT - 8 * 60));
        assert_whole(&mut pair, &holders, &format!("node {n}"));
    }
}

/// F07-9.9.3-01 ends it as well; here nobody has to say anything.
#[test]
fn field_02_interrupted_in_potential_conflict() {
    for n in [0, 1] {
        let apart = || {
            let (mut pair, holders) = busy();
            pair.cut();
            assert_eq!(pair.command(n, Command::PartnerDown), Commanded::Done(S::PartnerDown));
            for number in 13..=16 {
                pair.bind(&Client::new(number)).expect("an address");
            }
            pair.pass(seconds(100));
            (pair, holders)
        };
        let seen = at_each_step(8, apart, Pair::mend);
        for node in [0, 1] {
            let broken = seen.iter().filter(|(a, b)| [*a, *b][node] == S::ResolutionInterrupted).count();
            assert!(broken > 2, "node {node} was never in RESOLUTION-INTERRUPTED: {seen:?}");
        }
    }
}

/// Both were interrupted, one of them restarts, and it breaks off again: RESOLUTION-INTERRUPTED meets each state of the conflict.
#[test]
fn field_02_interrupted_again_and_again() {
    let (mut pair, holders) = busy();
    pair.cut();
    assert_eq!(pair.command(1, Command::PartnerDown), Commanded::Done(S::PartnerDown));
    pair.pass(seconds(100));
    for (step, n) in (2..6).flat_map(|step| [(step, 0), (step, 1)]) {
        pair.interruption = Some((step, Interruption::Kill(n)));
        pair.repair();
        pair.pass(seconds(30));
        assert!(pair.interruption.is_none(), "it is through before step {step}: {:?}", pair.states());
        pair.is_cut = true;
        pair.repair_nodes();
        pair.pass(seconds(30));
        assert!(!pair.view(0).in_contact);
    }
    pair.repair();
    pair.pass(seconds(120));
    assert_whole(&mut pair, &holders, "in the end");
}

/// Shorter than the receive timer: nobody waits until it misses the other.
const SOON: u64 = 15;

#[test]
fn field_05_restarted_before_the_partner_noticed() {
    for n in [0, 1] {
        // The end of the connection is seen, or it is not: the machine was switched off and on.
        for is_seen in [true, false] {
            let (mut pair, holders) = busy();
            if is_seen {
                pair.kill(n);
            } else {
                pair.wire.clear();
            }
            pair.start(n);
            // A secondary asks its primary to call, and that believes in its own connection as long as the receive timer says.
            pair.pass(seconds(if is_seen || n == 0 { SOON } else { 2 * SOON }));
            assert!(pair.view(0).in_contact && pair.view(1).in_contact, "node {n}, seen: {is_seen}");
            assert_whole(&mut pair, &holders, &format!("node {n}, seen: {is_seen}"));
        }
    }
}

/// Its state is the one that it told before: that is no news, and a conversation begins all the same.
#[test]
fn field_05_restarted_again_while_it_comes_back() {
    for n in [0, 1] {
        let mut is_through = false;
        for step in 0.. {
            let (mut pair, holders) = busy();
            pair.kill(n);
            pair.interruption = Some((step, Interruption::Kill(n)));
            pair.start(n);
            pair.pass(seconds(SOON));
            if pair.interruption.take().is_some() {
                is_through = step > 3;
                break;
            }
            pair.start(n);
            // STARTUP would last for longer if it heard nothing.
            pair.pass(seconds(5));
            assert_whole(&mut pair, &holders, &format!("node {n}, step {step}"));
        }
        assert!(is_through, "node {n} had nothing to say");
    }
}

/// The state is one that only a later draft has, and only a primary is ever in it.
#[test]
fn field_29_restarted_in_conflict_done() {
    let mut met = 0;
    for step in 0..40 {
        let (mut pair, holders) = busy();
        pair.cut();
        assert_eq!(pair.command(0, Command::PartnerDown), Commanded::Done(S::PartnerDown));
        pair.pass(seconds(100));
        pair.interruption = Some((step, Interruption::Kill(0)));
        pair.mend();
        pair.pass(seconds(60));
        if pair.interruption.take().is_some() {
            break;
        }
        if stored(&pair, 0) == S::ConflictDone {
            met += 1;
            pair.is_cut = true;
            pair.repair_nodes();
            pair.pass(seconds(70));
            assert_eq!(pair.view(0).state, S::ConflictDone, "it is what it was, after STARTUP");
            pair.repair();
            pair.pass(seconds(120));
            assert_whole(&mut pair, &holders, &format!("step {step}"));
        }
    }
    assert!(met > 0, "it was never in CONFLICT-DONE");
}

/// Each leases, extends and takes back what the other does not hear of, in cuts of all lengths: shorter than what anybody notices,
/// and longer.
#[test]
fn field_31_a_short_cut_leaves_nothing_unsaid() {
    for (long, n) in [0, 1, 4, 9, 19, 21, 45, 300].into_iter().flat_map(|long| [(long, 0), (long, 1)]) {
        let (mut pair, mut holders) = busy();
        let (released, address) = holders.remove(0);
        pair.pass(seconds(300));
        // One update is under way when the link is cut, and lost with it.
        pair.interruption = Some((0, Interruption::Cut));
        pair.renew(&holders[1].0, n, holders[1].1).expect("an answer");
        assert!(pair.is_cut);
        pair.renew(&holders[2].0, 1 - n, holders[2].1).expect("an answer");
        pair.release(&released, n, address);
        let new = Client::new(30);
        let (_, address, _) = pair.bind(&new).expect("an address");
        holders.push((new, address));
        pair.pass(seconds(long));
        pair.mend();
        pair.pass(seconds(60));
        assert_whole(&mut pair, &holders, &format!("{long} s, node {n}"));
        assert!(pair.leases(0).iter().all(|lease| lease.lease_expiration <= pair.now.plus(seconds(LEASE))));
    }
    assert_eq!(Pair::normal(LEASE).states(), NORMAL);
}
