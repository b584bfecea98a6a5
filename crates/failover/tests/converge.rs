//! When faults stop, both endpoints come to NORMAL (L1), whatever happened before.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod world;

use failover::balance::Bucket;
use failover::dialect::Dialect;
use failover::endpoint::{Command, Event, RequestKind};
use failover::state::FailoverState as S;
use failover::time::Time;
use proptest::prelude::*;
use world::{World, at, seconds, stored};

/// L1: from every pair of stored states, with and without lost storage, both come to NORMAL (F07-4.1-05).
#[test]
fn every_pair_comes_to_normal() {
    let states: Vec<S> = S::ALL.into_iter().filter(|state| *state != S::Startup).collect();
    let mut pairs = 0;
    for dialect in [Dialect::Draft12, Dialect::Draft07] {
        for primary in &states {
            for secondary in &states {
                // A secondary is never in CONFLICT-DONE (draft-12 9.12.1).
                if *secondary == S::ConflictDone {
                    continue;
                }
                for lost in 0..4 {
                    for entered in [(100, 200), (200, 100)] {
                        let with_previous = |state: S, entered| {
                            let mut stored = stored(state, at(entered));
                            if matches!(state, S::Paused | S::Shutdown) {
                                stored.previous = S::Normal;
                            }
                            Some(stored)
                        };
                        let mut world = World::new(
                            dialect,
                            with_previous(*primary, entered.0),
                            with_previous(*secondary, entered.1),
                        );
                        world.now = at(500);
                        for who in 0..2 {
                            world.servers[who].operated = at(150);
                            world.servers[who].start(at(500), lost >> who & 1 == 1);
                        }
                        world.connect();
                        world.run();
                        world.pass(seconds(3 * 3600));
                        assert_eq!(
                            world.states(),
                            [S::Normal; 2],
                            "{} {primary} {secondary} lost {lost:02b} entered {entered:?}",
                            dialect.name()
                        );
                        pairs += 1;
                    }
                }
            }
        }
    }
    assert_eq!(pairs, 2 * 11 * 10 * 8);
}

/// A move of the world or of people.
#[derive(Debug, Clone)]
enum Move {
    Deliver(usize),
    Answer(usize),
    Cut,
    Connect,
    Pass(u64),
    Crash(usize),
    Start(usize),
    LoseDisk(usize),
    PartnerDown(usize),
    Pause(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let who = 0..2usize;
    let one = prop_oneof![
        8 => who.clone().prop_map(Move::Deliver),
        4 => who.clone().prop_map(Move::Answer),
        1 => Just(Move::Cut),
        3 => Just(Move::Connect),
        3 => (1..4000u64).prop_map(Move::Pass),
        1 => who.clone().prop_map(Move::Crash),
        3 => who.clone().prop_map(Move::Start),
        1 => who.clone().prop_map(Move::LoseDisk),
        1 => who.clone().prop_map(Move::PartnerDown),
        1 => who.prop_map(Move::Pause),
    ];
    proptest::collection::vec(one, 1..80)
}

fn step(world: &mut World, step: &Move) {
    match *step {
        Move::Deliver(who) => {
            world.deliver(who);
        }
        Move::Answer(who) => {
            world.answer(who);
        }
        Move::Cut => world.cut(),
        Move::Connect => world.connect(),
        Move::Pass(length) => {
            world.now = world.now.plus(seconds(length));
            for who in 0..2 {
                world.servers[who].handle(world.now, Event::Wake);
            }
        }
        Move::Crash(who) => world.crash(who),
        Move::Start(who) if world.servers[who].endpoint.is_none() => {
            let now = world.now;
            world.servers[who].start(now, false);
        }
        Move::LoseDisk(who) if world.servers[who].endpoint.is_none() => {
            world.servers[who].disk = None;
            world.servers[who].operated = Time::ZERO;
            world.servers[who].alive = Time::ZERO;
        }
        // Rightly or wrongly.
        Move::PartnerDown(who) => {
            world.servers[who].handle(world.now, Event::Command(Command::PartnerDown));
        }
        Move::Pause(who) => {
            world.servers[who].handle(world.now, Event::Command(Command::Pause));
            world.crash(who);
        }
        Move::Start(_) | Move::LoseDisk(_) => {}
    }
    if world.servers.iter().any(|server| server.wants_close) {
        world.cut();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    /// L1 again: whatever happened, when it stops both come to NORMAL, and no server answers while its storage is lost.
    #[test]
    fn when_faults_stop_both_come_to_normal(moves in moves(), dialect in prop::sample::select(vec![Dialect::Draft12, Dialect::Draft07])) {
        let mut world = World::new(dialect, None, None);
        for who in 0..2 {
            world.servers[who].start(at(0), false);
        }
        for one in &moves {
            step(&mut world, one);
            for server in &world.servers {
                if let Some(endpoint) = &server.endpoint {
                    let lost = server.disk.unwrap().storage_lost;
                    let answers = endpoint.may_answer(RequestKind::RenewOrRebind, Bucket(0), 0).is_ok();
                    prop_assert!(!(lost && answers));
                    prop_assert!(!(lost && endpoint.state() == S::PotentialConflict));
                    prop_assert!(endpoint.alive(world.now) <= world.now);
                }
            }
        }
        for who in 0..2 {
            step(&mut world, &Move::Start(who));
        }
        world.connect();
        world.run();
        world.pass(seconds(3 * 3600));
        prop_assert_eq!(world.states(), [S::Normal; 2]);
    }
}
