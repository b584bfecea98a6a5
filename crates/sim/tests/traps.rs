//! The traps of the protocol, and the counterexamples that a model of its rules found, as scripts: each ends as it must, and
//! the bug that takes its rule away is found by what watches over all runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken test may stop")]

use Client::{C, D};
use Move::{
    Connect, Crash, Cut, Deliver, Lease, LoseDisk, Notice, PartnerDown, Pass, Rebind, Reboot, Release, Renew,
    Restart, Settle,
};
use Server::{P, S};
use failover::binding::BindingStatus;
use failover::state::FailoverState;
use sim::Planted;
use sim::small::{Client, Move, Server, Setup, World};

/// A script that is being played.
struct Play {
    world: World,
    /// A bug is in: the world goes another way, and what the script expects is not asked.
    is_spoiled: bool,
}

impl Play {
    /// Makes moves, until a checker has found something.
    fn go(&mut self, moves: impl IntoIterator<Item = Move>) -> &mut Play {
        for one in moves {
            if self.world.violation().is_some() {
                break;
            }
            let made = self.world.apply(one);
            assert!(self.is_spoiled || made.is_ok(), "{one}: {made:?}\n{}", self.told());
        }
        self
    }

    /// Time goes on, and all is well between the two as far as it can be.
    fn live(&mut self, seconds: u32) -> &mut Play {
        for _ in 0..seconds {
            let _ = self.world.apply(Connect);
            self.go([Settle, Pass(1)]);
        }
        self.go([Settle])
    }

    /// What must be so now.
    fn expect(&mut self, what: &str, is_so: impl FnOnce(&World) -> bool) -> &mut Play {
        let holds = self.is_spoiled || self.world.violation().is_some() || is_so(&self.world);
        assert!(holds, "{what}\n{}", self.told());
        self
    }

    fn told(&self) -> String {
        self.world.trace().join("\n")
    }
}

fn play(setup: Setup, bug: Option<&str>, script: impl Fn(&mut Play)) -> Play {
    let planted = bug.map_or(Planted::default(), |bug| Planted::named(bug).expect("a bug that is known"));
    let mut world = World::paired(setup, planted).expect("a setup that can be");
    assert_eq!(world.are_one(), Ok(()));
    world.keep_trace();
    let mut play = Play { world, is_spoiled: bug.is_some() };
    script(&mut play);
    play.world.come_together();
    play
}

/// Plays a script as it is, and with each of the bugs, of which a checker must find a violation.
fn script(setup: Setup, bugs: &[&str], script: impl Fn(&mut Play)) {
    let clean = play(setup, None, &script);
    assert_eq!(clean.world.violation(), None, "\n{}", clean.told());
    for bug in bugs {
        let spoiled = play(setup, Some(bug), &script);
        let Some(violation) = spoiled.world.violation() else {
            panic!("{bug} was not found\n{}", spoiled.told())
        };
        println!("{bug}: {violation}");
    }
}

/// Times with which a lease is not longer than what leads up to it.
const SHORT: Setup =
    Setup { addresses: 1, clients: 2, mclt: 10, lease: 20, max_unacked: 10, wrong_operator: false };

fn nobody_has(client: Client) -> impl FnOnce(&World) -> bool {
    move |world| world.held_by(client).is_none()
}

fn in_state(server: Server, state: FailoverState) -> impl FnOnce(&World) -> bool {
    move |world| world.state(server) == Some(state)
}

fn in_status(server: Server, status: BindingStatus) -> impl FnOnce(&World) -> bool {
    move |world| world.status(server, 0) == Some(status)
}

fn has(client: Client) -> impl FnOnce(&World) -> bool {
    move |world| world.held_by(client).is_some()
}

/// The times of a client are not those of the next one.
#[test]
fn t14_a_released_address_begins_anew() {
    script(Setup::default(), &["times-outlive-client"], |play| {
        play.go([Lease(C, P), Settle, Renew(C, P), Settle, Release(C, P), Settle, Pass(5), Settle]);
        play.expect("it is free", |world| world.status(P, 0) == Some(BindingStatus::Free));
        play.go([Lease(D, P), Crash(P), Notice(S), PartnerDown(S)]);
        play.expect("MCLT and no more", |world| world.left(D) == 60);
        play.go([Pass(69), Lease(C, S)]).expect("not before MCLT and the slack", nobody_has(C));
        play.go([Pass(3), Lease(C, S)]).expect("C has it", has(C));
    });
}

/// Stopped, replaced, and back without knowing it.
#[test]
fn t15_who_was_away_gives_nothing_away() {
    script(Setup::default(), &["always-alive"], |play| {
        play.go([Crash(P), Notice(S), Pass(60), PartnerDown(S), Pass(540), Restart(P), Pass(61)]);
        play.go([Lease(C, P)]).expect("P is silent", nobody_has(C));
        play.go([Lease(D, S)]).expect("S serves all addresses", has(D));
        play.go([Lease(C, P)]).expect("P is silent", nobody_has(C));
    });
}

/// M3. Back, in contact for a moment, and cut off before anything was settled.
#[test]
fn t15_m3_a_moment_of_contact_is_no_proof_of_life() {
    script(Setup::default(), &["alive-at-contact"], |play| {
        play.go([Crash(P), Notice(S), PartnerDown(S), Restart(P), Pass(12), Connect, Deliver(P)]);
        play.expect("it sees the conflict", in_state(P, FailoverState::PotentialConflict));
        play.go([Cut, Notice(P), Notice(S), Pass(75)]);
        play.expect("it serves again", in_state(P, FailoverState::ResolutionInterrupted));
        play.go([Lease(D, S)]).expect("S serves all addresses", has(D));
        play.go([Lease(C, P)]).expect("P has nothing to give", nobody_has(C));
    });
}

/// M4. Each of the two was rightly told that the other is down, one after the other.
#[test]
fn t15_m4_a_stored_partner_down_is_no_proof_of_life() {
    script(Setup::default(), &["trust-stored-partner-down"], |play| {
        play.go([Crash(P), Notice(S), PartnerDown(S), Pass(100), Crash(S), Restart(P), Pass(61)]);
        play.go([PartnerDown(P), Restart(S), Pass(75)]);
        play.expect("it is stored", in_state(S, FailoverState::PartnerDown));
        play.go([Lease(C, P)]).expect("P serves, told so by this process", has(C));
        play.go([Lease(D, S)]).expect("S is silent", nobody_has(D));
    });
}

/// The secondary renews far ahead, tells nobody, and loses its disk (M8 too: what had ended is leased again).
#[test]
fn t16_m8_what_a_lost_disk_promised_is_waited_for() {
    script(Setup::default(), &["no-raise", "raise-leaves-ended"], |play| {
        play.go([Lease(C, P), Settle, Cut, Notice(P), Notice(S), Pass(30), Rebind(C, S)]);
        play.expect("a long lease", |world| world.left(C) == 600);
        play.go([Pass(60)]).expect("P thinks that it is over", in_status(P, BindingStatus::Expired));
        play.go([Crash(S), LoseDisk(S), Restart(S)]).live(20);
        play.go([Lease(D, P)]).expect("C has it", nobody_has(D)).live(520);
        play.go([Lease(D, P)]).expect("nobody before the raised end", nobody_has(D)).live(150);
        play.go([Lease(D, P)]).expect("then D has it", has(D));
    });
}

/// M9. What was renewed while cut off goes on from then, however long ago the partner was told last.
#[test]
fn t16_m9_a_raise_counts_from_now() {
    script(Setup::default(), &["raise-without-now"], |play| {
        play.go([Lease(C, P), Settle, Cut, Notice(P), Notice(S)]);
        for _ in 0..40 {
            play.go([Rebind(C, S), Pass(25)]);
        }
        play.go([Rebind(C, S)]).expect("MCLT", |world| world.left(C) == 60);
        play.go([Crash(S), LoseDisk(S), Restart(S)]).live(15);
        play.go([Lease(D, P)]).expect("C has it", nobody_has(D));
    });
}

/// M11. The partner of one in POTENTIAL-CONFLICT comes back empty: it has nothing to say, and what it gave is unknown.
#[test]
fn t16_m11_who_forgot_resolves_no_conflict() {
    script(Setup::default(), &["conflict-with-who-forgot"], |play| {
        play.go([Crash(P), Notice(S), PartnerDown(S), Pass(75), Lease(D, S), Restart(P), Pass(12)]);
        play.go([Connect, Deliver(P), Cut, Notice(P), Notice(S), Lease(D, S)]);
        play.expect("a conflict", in_state(P, FailoverState::ResolutionInterrupted));
        play.go([Crash(S), LoseDisk(S), Restart(S), Connect, Settle]);
        play.expect("not any more", in_state(P, FailoverState::CommunicationsInterrupted));
        play.go([Lease(C, P)]).expect("D has it", nobody_has(C));
    });
}

/// M11. One that lost its disk acknowledges what it is told: that makes no lease longer.
#[test]
fn t16_m11_who_forgot_vouches_for_nothing() {
    script(Setup::default(), &["who-forgot-vouches"], |play| {
        play.go([Crash(S), LoseDisk(S), Restart(S), Notice(P), Connect, Settle, Lease(C, P), Settle]);
        play.go([Renew(C, P)]).expect("MCLT", |world| world.left(C) == 60);
    });
}

/// M7. What was granted on a client's word must be known before the partner gives addresses again.
#[test]
fn t17_m7_a_partner_that_is_back_hears_of_take_overs_first() {
    script(Setup::default(), &["ignore-unagreed", "taken-over-is-agreed"], |play| {
        play.go([Lease(C, P), Cut, Crash(P), LoseDisk(P), Notice(S), Restart(P), Connect, Settle, Cut]);
        play.go([Notice(P), Notice(S), Pass(30), Rebind(C, S), Pass(45), Rebind(C, S)]);
        play.expect("C is believed", has(C)).expect("P has waited", in_state(P, FailoverState::RecoverDone));
        play.go([Connect, Deliver(S), Deliver(P), Deliver(P)]);
        play.expect("not yet", in_state(S, FailoverState::CommunicationsInterrupted));
        play.go([Lease(D, P)]).expect("C has it", nobody_has(D)).go([Settle]);
        play.expect("now", in_state(S, FailoverState::Normal));
    });
}

/// There is no short cut round the wait of PARTNER-DOWN.
#[test]
fn t18_what_the_partner_may_have_promised_is_waited_for() {
    script(Setup::default(), &["short-wait"], |play| {
        play.go([Lease(C, P), Settle, Cut, Renew(C, P), Crash(P), Notice(S), PartnerDown(S)]);
        play.expect("a long lease", |world| world.left(C) == 600);
        play.go([Pass(150), Lease(D, S)]).expect("too early", nobody_has(D));
        play.go([Pass(540), Lease(D, S)]).expect("still too early", nobody_has(D));
        play.go([Pass(80), Lease(D, S)]).expect("MCLT after all that was promised", has(D));
    });
}

/// M12. What was leased since PARTNER-DOWN was entered may have been taken over by the partner.
#[test]
fn t18_m12_what_was_leased_since_is_waited_for_too() {
    script(Setup::default(), &["leased-since-at-once"], |play| {
        play.go([Crash(S), Notice(P), PartnerDown(P), Lease(C, P), Restart(S), Pass(11), Rebind(C, S)]);
        play.expect("S believes C", in_status(S, BindingStatus::Active));
        play.go([Release(C, P), Lease(D, P)]).expect("not yet", nobody_has(D));
        play.go([Lease(C, S)]).expect("C has it again", has(C));
    });
}

/// Leased by the partner in its last second.
#[test]
fn t20_a_client_is_believed_about_what_its_dead_server_gave() {
    script(Setup::default(), &["refuse-unknown"], |play| {
        play.go([Lease(C, P), Cut, Crash(P), Notice(S)]);
        play.world.heal();
        play.go([Reboot(C, S)]).expect("silence for one that restarts", |world| world.left(C) == 60);
        play.go([Pass(40), Rebind(C, S)]).expect("MCLT for one that rebinds", |world| world.left(C) == 60);
    });
}

/// While the partner can be asked there is nothing to guess.
#[test]
fn t20_a_client_is_not_believed_in_contact() {
    script(Setup::default(), &["take-over-in-contact"], |play| {
        play.go([Lease(C, P), Pass(10), Rebind(C, S)]).expect("silence", |world| world.left(C) == 50);
    });
}

/// M1. Updates that cross, without any fault.
#[test]
fn t22_m1_updates_that_cross_are_told_again() {
    script(Setup::default(), &["updates-cross"], |play| {
        play.go([Lease(C, P), Settle, Release(C, S), Pass(2), Lease(C, P), Release(C, P), Deliver(P)]);
        play.go([Lease(D, P)]).expect("it is not free yet", nobody_has(D));
        play.go([Deliver(S), Lease(C, S), Settle]);
    });
}

/// M2. What crossed was not heard: the conflict is not resolved before it was told again.
#[test]
fn t22_m2_a_refusal_of_what_crosses_does_not_count_for_upddone() {
    script(SHORT, &["crossing-counts"], |play| {
        play.go([Lease(C, P), Settle, Crash(S), Notice(P), PartnerDown(P), Pass(80)]);
        play.expect("P waited, and has it", in_status(P, BindingStatus::Free));
        play.go([Crash(P), Restart(S), Pass(61), PartnerDown(S), Pass(80), Lease(D, S)]);
        play.expect("S waited, and gave it away", has(D));
        // What P says of the address and what S says of it are on their way at the same time.
        play.go([Restart(P), Connect, Settle]);
        play.go([Lease(C, P)]).expect("P does not know yet, and is silent", nobody_has(C));
    });
}

/// Found by the exhaustive search. Given back at one server and taken again at the other within one second: the two
/// times are whole seconds, and do not tell which was first.
#[test]
fn t22_a_release_does_not_end_the_lease_that_came_after_it() {
    for (pause, bugs) in [(0, &["releases-by-the-second"][..]), (1, &["releases-by-the-second"]), (2, &[])] {
        script(Setup::default(), bugs, |play| {
            play.go([Lease(C, P), Settle, Release(C, P), Pass(pause), Lease(C, S), Settle, Lease(D, P)]);
            play.expect("C has it", nobody_has(D));
        });
    }
}

/// M5. A lease that is long over displaces nobody.
#[test]
fn t23_m5_a_stale_active_is_refused() {
    script(SHORT, &["stale-active-wins"], |play| {
        // A connection on which nobody asked for updates.
        play.go([Cut, Notice(P), Notice(S), Connect, Settle]);
        play.go([Lease(C, P), Settle, Pass(1), Renew(C, P), Crash(P), PartnerDown(S), Pass(48)]);
        play.go([Lease(D, S)]).expect("C had its time", has(D));
        play.go([Deliver(S), Lease(C, S)]).expect("it is D's", nobody_has(C));
    });
}

/// L7. The connection to a partner that is rightly declared down may look whole for a while: what came by it is no news.
#[test]
fn l7_partner_down_lasts_although_the_connection_looks_whole() {
    play(SHORT, None, |play| {
        play.go([Lease(C, P), Settle, Crash(P), PartnerDown(S), Pass(120)]);
        play.expect("it serves alone", in_state(S, FailoverState::PartnerDown));
        play.go([Lease(D, S)]).expect("all addresses", has(D));
    });
}

/// With a stale NORMAL on its way, the two must not chase each other.
#[test]
fn t24_a_late_normal_is_no_news() {
    let setup = Setup { wrong_operator: true, ..Setup::default() };
    script(setup, &["chase-normal"], |play| {
        play.go([Cut, Notice(P), Notice(S), Connect, Deliver(P), PartnerDown(S), Settle]);
        play.expect("it comes to rest", |world| world.coming(P) + world.coming(S) == 0);
        play.expect("in NORMAL", in_state(P, FailoverState::Normal));
    });
}

/// A state that changes before the partner's first STATE is told.
#[test]
fn t24_a_state_that_changes_in_the_middle_of_a_greeting_is_told() {
    script(Setup::default(), &["state-only-in-contact"], |play| {
        play.go([Crash(S), LoseDisk(S), Restart(S), Notice(P), Connect, Settle, Cut, Notice(P), Notice(S)]);
        play.go([Pass(55)]).expect("it waits", in_state(S, FailoverState::RecoverWait));
        play.go([Connect, Pass(25)]).expect("it has waited", in_state(S, FailoverState::RecoverDone));
        play.go([Settle]).expect("both know", in_state(P, FailoverState::Normal));
    });
}
