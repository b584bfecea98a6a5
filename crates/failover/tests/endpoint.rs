//! The stories of section 9, told by two endpoints that talk.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod world;

use failover::balance::Bucket;
use failover::binding::BindingStatus;
use failover::dialect::Dialect;
use failover::endpoint::{
    Action, Alarm, Command, Event, NotOurs, Refusal, RejectionKind, RequestId, RequestKind, Silence,
};
use failover::lease::Times;
use failover::message::{StateMessage, Xid};
use failover::state::{FailoverState as S, Role};
use failover::time::Time;
use world::{MCLT, Message, World, at, seconds, stored};

/// F07-7.6-02, F07-9.3.2-03, -06, F07-9.6.1-02.
#[test]
fn a_first_run_of_both_needs_no_wait() {
    let world = World::started(None, None);
    assert_eq!(world.states(), [S::Normal, S::Normal]);
    let [primary, secondary] = &world.servers;
    for server in [primary, secondary] {
        assert!(server.has(Action::SendUpdreqall(RequestId(1))), "without a record all is asked for");
        assert!(server.has(Action::SendUpdates));
        let disk = server.disk.unwrap();
        assert!(!disk.storage_lost && !disk.first_run && !disk.owes_everything);
    }
    assert!(secondary.has(Action::SendPoolreq) && !primary.has(Action::SendPoolreq));
}

/// F07-7.10.2-01, F07-8.3-02, F07-9.2-01, -02, F07-9.4.2-03, F07-9.7.1-02.
#[test]
fn a_cut_and_its_end() {
    let mut world = World::normal();
    world.cut();
    assert_eq!(world.states(), [S::CommunicationsInterrupted; 2]);
    for server in &world.servers {
        assert!(server.has(Action::Alarm(Alarm::CommunicationsInterrupted)));
        assert_eq!(server.disk.unwrap().state, S::CommunicationsInterrupted);
    }
    world.pass(seconds(1_000_000));
    assert_eq!(world.states(), [S::CommunicationsInterrupted; 2], "no safe period: for ever");
    world.connect();
    world.run();
    assert_eq!(world.states(), [S::Normal; 2]);
}

/// F07-7.5.2-01, F07-9.5.2-03 to -05, F07-9.7.3-02, D12-9.6-01, D12-9.6.2-01.
#[test]
fn partner_down_and_the_return_of_the_partner() {
    for who in 0..2 {
        let mut world = World::normal();
        world.pass(seconds(100));
        world.crash(1 - who);
        world.pass(seconds(10));
        world.command(who, Command::PartnerDown);
        assert_eq!(world.servers[who].state(), S::PartnerDown);
        world.pass(seconds(500));
        let now = world.now;
        world.servers[1 - who].start(now, false);
        world.connect();
        world.run();
        assert_eq!(world.servers[1 - who].state(), S::RecoverWait, "it asked, got UPDDONE, and waits");
        assert!(world.servers[1 - who].has(Action::SendUpdreq(RequestId(1))));
        assert_eq!(world.servers[who].state(), S::PartnerDown);
        assert_eq!(
            world.servers[1 - who].endpoint().may_answer(RequestKind::RenewOrRebind, Bucket(0), 0),
            Err(Silence::State(S::RecoverWait))
        );
        // MCLT after it went down (and the stamp may be 5 s old), not after it came back.
        world.pass(seconds(3600 - 510 + 13 + 5 - 1));
        assert_eq!(world.servers[1 - who].state(), S::RecoverWait);
        world.pass(seconds(3));
        assert_eq!(world.states(), [S::Normal; 2]);
    }
}

#[test]
fn what_was_taken_over_holds_normal_back() {
    let mut world = World::normal();
    world.pass(seconds(100));
    world.crash(1);
    world.pass(seconds(10));
    world.command(0, Command::PartnerDown);
    world.pass(seconds(5000));
    let backup = |world: &World| {
        world.servers[0].endpoint().may_allocate(world.now, BindingStatus::Backup, Times::NONE, false)
    };
    assert_eq!(backup(&world), Ok(()));
    world.servers[0].handle(world.now, Event::HandoverPending(true));
    let now = world.now;
    world.servers[1].start(now, false);
    world.connect();
    world.run();
    assert_eq!(backup(&world), Err(NotOurs::Partners), "from UPDREQ on only the own pool");
    world.pass(seconds(4000));
    assert_eq!(world.states(), [S::PartnerDown, S::RecoverDone]);
    world.servers[0].handle(world.now, Event::HandoverPending(false));
    world.run();
    assert_eq!(world.states(), [S::Normal; 2]);
}

/// Both start in PARTNER-DOWN, and have just met.
fn both_were_alone() -> World {
    let down = Some(stored(S::PartnerDown, at(0)));
    let mut world = World::new(Dialect::Draft12, down, down);
    world.now = at(100);
    for server in &mut world.servers {
        server.operated = at(50);
        server.start(at(100), false);
    }
    world.connect();
    world
}

/// F07-9.8.3-02, -03, D12-9.12-01.
#[test]
fn a_conflict_is_resolved_primary_first() {
    let mut world = both_were_alone();
    let mut seen = Vec::new();
    for _ in 0..50 {
        for who in 0..2 {
            world.deliver(who);
            world.answer(who);
            if seen.last() != Some(&world.states()) {
                seen.push(world.states());
            }
        }
    }
    let place = |state| seen.iter().position(|states| *states == state);
    assert!(place([S::PotentialConflict; 2]).is_some(), "{seen:?}");
    assert!(place([S::ConflictDone, S::PotentialConflict]) < place([S::ConflictDone, S::Normal]), "{seen:?}");
    assert_eq!(seen.last(), Some(&[S::Normal; 2]), "{seen:?}");
    for server in &world.servers {
        assert!(server.has(Action::Alarm(Alarm::PotentialConflict)));
    }
}

/// The secondary hears of the CONFLICT-DONE that a cut left behind, asks at once, and is through before its primary: that one has
/// heard of its NORMAL when CONFLICT-DONE begins, and would wait for another for ever (D12-9.12-01).
#[test]
fn a_secondary_that_is_through_first_is_not_waited_for() {
    let mut world = both_were_alone();
    while world.states() != [S::ConflictDone, S::PotentialConflict] {
        for who in 0..2 {
            world.deliver(who);
            world.answer(who);
        }
    }
    world.cut();
    world.command(1, Command::PartnerDown);
    world.connect();
    for _ in 0..10 {
        world.deliver(0);
        world.deliver(1);
        world.answer(0);
    }
    assert_eq!(world.states(), [S::PotentialConflict, S::Normal]);
    world.run();
    assert_eq!(world.states(), [S::Normal; 2]);
}

/// A secondary goes to NORMAL by UPDDONE, and CONFLICT-DONE stops a dhcpd in NORMAL: it is told on the next connection.
#[test]
fn a_dhcpd_that_may_be_in_normal_is_not_told_of_conflict_done() {
    for is_answered in [false, true] {
        let mut world = World::new(Dialect::Dhcpd, Some(stored(S::ResolutionInterrupted, at(0))), None);
        let primary = &mut world.servers[0];
        primary.start(at(0), false);
        primary.handle(at(1), Event::Connected { tandem: None });
        let since = at(0);
        let state = StateMessage {
            state: S::PotentialConflict,
            startup: false,
            since: since.to_wire(),
            tandem: None,
        };
        primary.handle(at(1), Event::State { state, since });
        assert_eq!(primary.state(), S::PotentialConflict);
        if is_answered {
            primary.receive(at(2), Message::UpdReq { request: RequestId(7), all: false });
            primary.handle(at(2), Event::UpdatesDelivered);
        }
        primary.handle(at(3), Event::UpdDone(RequestId(1)));
        assert_eq!(primary.state(), S::ConflictDone);
        let ends = Action::Disconnect(RejectionKind::NotForThisPartner);
        assert_eq!(primary.has(ends), is_answered);
    }
}

/// One that recovers may have lost all, and asks for all in RECOVER alone: of a conflict it hears nothing (trap T16).
#[test]
fn a_dhcpd_that_recovers_is_not_told_of_a_conflict() {
    let told = |server: &world::Server| -> Vec<S> {
        let states = server.actions.iter().filter_map(|action| match action {
            Action::SendState(state) => Some(state.state),
            _ => None,
        });
        states.collect()
    };
    let since = at(0);
    let recover = StateMessage { state: S::Recover, startup: false, since: since.to_wire(), tandem: None };
    for role in 0..2 {
        for state in [S::ResolutionInterrupted, S::ConflictDone] {
            let mut world =
                World::new(Dialect::Dhcpd, Some(stored(state, at(0))), Some(stored(state, at(0))));
            let server = &mut world.servers[role];
            server.start(at(0), false);
            server.handle(at(1), Event::Connected { tandem: None });
            server.handle(at(1), Event::State { state: recover, since });
            assert_eq!(server.state(), S::CommunicationsInterrupted, "from STARTUP, {state}");
            assert_eq!(told(server).last(), Some(&S::CommunicationsInterrupted));
            assert!(!told(server).iter().any(|state| state.is_conflict()), "{:?}", told(server));
        }
        // A dhcpd that was there, and lost its disk before it connects again.
        let mut world = World::new(Dialect::Dhcpd, None, None);
        let server = &mut world.servers[role];
        server.disk = Some(stored(S::ResolutionInterrupted, at(0)));
        server.start(at(0), false);
        server.handle(at(1), Event::Connected { tandem: None });
        let conflict = StateMessage { state: S::PotentialConflict, ..recover };
        server.handle(at(1), Event::State { state: conflict, since });
        assert_eq!(server.state(), S::PotentialConflict);
        server.handle(at(2), Event::Lost);
        server.actions.clear();
        server.handle(at(3), Event::Connected { tandem: None });
        assert_eq!(told(server), [], "before it has told its own");
        server.handle(at(3), Event::State { state: recover, since });
        assert_eq!(told(server), [S::CommunicationsInterrupted]);
    }
}

/// F07-9.2-03, F07-9.8.2-01, F07-9.8.3-01, F07-9.9.1-01, F07-9.9.2-01.
#[test]
fn a_resolution_that_breaks_off_serves_and_is_begun_again() {
    let down = Some(stored(S::ResolutionInterrupted, at(0)));
    let mut world = World::new(Dialect::Draft12, down, down);
    world.servers[0].start(at(0), false);
    world.servers[1].start(at(0), false);
    world.connect();
    world.deliver(0);
    world.deliver(1);
    assert_eq!(world.states(), [S::PotentialConflict; 2]);
    for server in &world.servers {
        let silent = server.endpoint().may_answer(RequestKind::NamesUs, Bucket(0), 0);
        assert_eq!(silent, Err(Silence::State(S::PotentialConflict)));
    }
    world.cut();
    assert_eq!(world.states(), [S::ResolutionInterrupted; 2]);
    assert!(world.servers[0].has(Action::Alarm(Alarm::ResolutionInterrupted)));
    assert_eq!(world.servers[0].endpoint().may_answer(RequestKind::Other, Bucket(255), 0), Ok(()));
    world.connect();
    world.run();
    assert_eq!(world.states(), [S::Normal; 2]);
}

/// F07-7.4-01, F07-9.2-03, F07-9.5.2-03, D12-9.6.2-01.
#[test]
fn a_lost_disk_is_filled_and_waits() {
    for who in 0..2 {
        let mut world = World::normal();
        world.pass(seconds(100));
        world.crash(who);
        world.pass(seconds(100));
        world.servers[who].disk = None;
        world.servers[who].operated = Time::ZERO;
        world.servers[who].alive = Time::ZERO;
        let now = world.now;
        world.servers[who].start(now, false);
        world.connect();
        world.run();
        assert!(world.servers[who].has(Action::SendUpdreqall(RequestId(1))));
        let raised = |action: &Action| matches!(action, Action::RaiseAfterLoss { .. });
        assert_eq!(
            world.servers[1 - who].actions.iter().filter(|action| raised(action)).count(),
            1,
            "once for a loss"
        );
        assert!(world.servers[1 - who].has(Action::Alarm(Alarm::PartnerLostStorage)));
        assert!(world.servers[1 - who].endpoint().partner_lost_storage());
        assert_eq!(world.servers[who].state(), S::RecoverWait);
        // A crash in between changes nothing.
        world.crash(who);
        world.pass(seconds(1000));
        let now = world.now;
        world.servers[who].start(now, false);
        world.connect();
        world.run();
        world.pass(seconds(2600));
        assert_eq!(world.servers[who].state(), S::RecoverWait, "MCLT from the start after the loss");
        assert!(world.servers[who].disk.unwrap().storage_lost);
        world.pass(seconds(20));
        assert_eq!(world.states(), [S::Normal; 2]);
        assert!(!world.servers[who].disk.unwrap().storage_lost);
        let raises = world.servers[1 - who]
            .actions
            .iter()
            .filter(|action| matches!(action, Action::RaiseAfterLoss { .. }))
            .count();
        assert_eq!(raises, 1, "once for each loss");
    }
}

/// F07-9.3.2-02, -08.
#[test]
fn a_lost_disk_pulls_its_partner_out_of_the_conflict() {
    let mut world = World::new(
        Dialect::Draft12,
        Some(stored(S::ResolutionInterrupted, at(0))),
        Some(stored(S::PartnerDown, at(0))),
    );
    world.servers[0].start(at(0), false);
    world.servers[1].start(at(0), true);
    world.connect();
    world.run();
    assert_eq!(world.states(), [S::CommunicationsInterrupted, S::RecoverWait]);
    assert_eq!(world.servers[0].endpoint().may_answer(RequestKind::Other, Bucket(0), 0), Ok(()));
    world.pass(seconds(4000));
    assert_eq!(world.states(), [S::Normal; 2]);
}

/// F07-9.2-07, F07-9.3.2-01, -04, F07-9.11-01, F07-9.11.1-01, F07-9.11.2-01.
#[test]
fn a_paused_server_comes_back_as_what_it_was() {
    let mut world = World::normal();
    world.servers[1].handle(world.now, Event::Command(Command::Pause));
    assert!(world.servers[1].has(Action::Stop));
    let disk = world.servers[1].disk.unwrap();
    assert_eq!((disk.state, disk.previous), (S::Paused, S::Normal));
    world.deliver(1);
    assert_eq!(world.servers[0].state(), S::CommunicationsInterrupted);
    world.crash(1);
    let now = world.now;
    world.servers[1].start(now, false);
    assert_eq!(world.servers[1].disk.unwrap().state, S::CommunicationsInterrupted);
    world.connect();
    world.run();
    assert_eq!(world.states(), [S::Normal; 2]);
}

/// F07-9.12-01, F07-9.12.1-01, F07-9.12.2-02.
#[test]
fn shutdown_hands_everything_over() {
    let mut world = World::normal();
    world.pass(seconds(10));
    world.command(0, Command::Shutdown);
    assert_eq!(world.servers[1].state(), S::PartnerDown);
    assert_eq!(world.servers[0].disk.unwrap().previous, S::Recover, "the partner took over");
    assert!(world.servers[0].has(Action::Stop));
    world.crash(0);
    world.pass(seconds(10_000));
    let now = world.now;
    world.servers[0].start(now, false);
    world.connect();
    world.run();
    assert_eq!(world.states(), [S::Normal; 2], "it was down longer than MCLT: no wait is left");
    let mut alone = World::normal();
    alone.cut();
    alone.command(0, Command::Shutdown);
    assert!(alone.servers[0].has(Action::Stop));
    assert_eq!(alone.servers[0].disk.unwrap().previous, S::CommunicationsInterrupted);
}

/// F07-9.7.1-01, F07-9.7.3-01, F07-10-02.
#[test]
fn a_safe_period_ends_in_partner_down() {
    let mut world = World::normal();
    for server in &mut world.servers {
        server.settings.safe_period = Some(seconds(500));
    }
    world.crash(0);
    world.crash(1);
    let now = world.now;
    world.servers[0].start(now, false);
    world.pass(seconds(10));
    assert_eq!(world.servers[0].state(), S::CommunicationsInterrupted);
    world.pass(seconds(499));
    assert_eq!(world.servers[0].state(), S::CommunicationsInterrupted);
    world.pass(seconds(1));
    assert_eq!(world.servers[0].state(), S::PartnerDown);
    assert!(world.servers[0].has(Action::Alarm(Alarm::SafePeriodOver)));
}

/// F07-5.8-02, F07-9.1-01, F07-9.3.1-01, F07-9.3.2-05, -09.
#[test]
fn startup_is_silent_and_short_or_waits() {
    let mut world = World::new(Dialect::Draft12, Some(stored(S::Normal, at(0))), None);
    world.servers[0].operated = at(0);
    world.now = at(60);
    world.servers[0].start(at(60), false);
    assert_eq!(world.servers[0].state(), S::Startup);
    assert_eq!(
        world.servers[0].endpoint().may_answer(RequestKind::RenewOrRebind, Bucket(0), 9),
        Err(Silence::State(S::Startup))
    );
    assert_eq!(world.servers[0].endpoint().next_deadline(), Some(at(70)), "down less than MCLT: 10 s");
    world.pass(seconds(10));
    assert_eq!(world.servers[0].state(), S::CommunicationsInterrupted);
    world.servers[0].settings.waits_for_partner = true;
    world.crash(0);
    let now = world.now;
    world.servers[0].start(now, false);
    world.pass(seconds(100_000));
    assert_eq!(world.servers[0].state(), S::Startup);
    world.servers[0].settings.waits_for_partner = false;
    world.crash(0);
    world.now = world.now.plus(seconds(10_000));
    let now = world.now;
    world.servers[0].start(now, false);
    assert_eq!(world.servers[0].endpoint().next_deadline(), Some(now.plus(seconds(60))), "longer: 60 s");
}

/// D12-9.3.2-01.
#[test]
fn a_first_server_may_start_alone() {
    let mut world = World::new(Dialect::Draft12, None, None);
    world.servers[0].settings.start_alone = true;
    world.servers[0].start(at(0), false);
    world.pass(seconds(61));
    assert_eq!(world.servers[0].state(), S::PartnerDown);
    assert_eq!(world.servers[0].endpoint().alive(world.now), world.now);
    let now = world.now;
    world.servers[1].start(now, false);
    world.connect();
    world.run();
    assert_eq!(world.states(), [S::Normal; 2], "the second never ran: no wait");
}

#[test]
fn alive_is_what_can_be_proven() {
    // Trap T15: stopped at 0, back at 600 without contact.
    let mut world = World::normal();
    assert_eq!(world.servers[0].endpoint().alive(at(5)), at(5));
    world.crash(0);
    world.now = at(600);
    world.servers[0].start(at(600), false);
    world.pass(seconds(100));
    assert_eq!(world.servers[0].state(), S::CommunicationsInterrupted);
    assert_eq!(world.servers[0].endpoint().alive(world.now), at(0), "a run without contact does not count");
    world.crash(0);
    let now = world.now;
    world.servers[0].start(now, false);
    world.pass(seconds(100));
    assert_eq!(world.servers[0].endpoint().alive(world.now), at(0), "nor does a second one");
    world.command(0, Command::ServeAlone);
    assert_eq!(world.servers[0].state(), S::CommunicationsInterrupted);
    assert_eq!(world.servers[0].endpoint().alive(world.now), world.now);
}

#[test]
fn partner_down_said_to_a_server_that_may_have_been_replaced_counts_after_mclt() {
    let mut world = World::normal();
    world.crash(0);
    world.now = at(600);
    world.servers[0].start(at(600), false);
    world.pass(seconds(100));
    world.command(0, Command::PartnerDown);
    assert_eq!(world.servers[0].state(), S::PartnerDown);
    assert_eq!(world.servers[0].endpoint().alive(world.now), at(0));
    world.pass(seconds(3613));
    assert_eq!(world.servers[0].endpoint().alive(world.now), at(0));
    world.pass(seconds(1));
    assert_eq!(world.servers[0].endpoint().alive(world.now), world.now);
    // A stored PARTNER-DOWN vouches for nothing (model M4).
    let stamp = world.servers[0].alive;
    world.crash(0);
    let now = world.now.plus(seconds(100));
    world.now = now;
    world.servers[0].start(now, false);
    world.pass(seconds(100_000));
    assert_eq!(world.servers[0].state(), S::PartnerDown);
    assert_eq!(world.servers[0].endpoint().alive(world.now), stamp);
}

/// F07-9.6.4-01, F07-9.9.3-01.
#[test]
fn commands_are_refused_where_they_do_harm() {
    let refusal = |world: &World, who: usize| {
        world.servers[who].actions.iter().rev().find_map(|action| match action {
            Action::Refuse(refusal) => Some(*refusal),
            _ => None,
        })
    };
    let mut world = World::new(Dialect::Draft12, Some(stored(S::RecoverDone, at(0))), None);
    world.servers[0].start(at(0), false);
    world.command(0, Command::PartnerDown);
    assert_eq!(refusal(&world, 0), Some(Refusal::InState(S::Startup)));
    world.pass(seconds(61));
    world.command(0, Command::PartnerDown);
    assert_eq!(refusal(&world, 0), Some(Refusal::InState(S::RecoverDone)));
    world.command(0, Command::Resync);
    assert_eq!(refusal(&world, 0), Some(Refusal::NotConnected));
    world.command(0, Command::StorageLost { down_since: Some(at(0)) });
    assert_eq!(world.servers[0].state(), S::Recover);
    for command in [Command::PartnerDown, Command::ServeAlone] {
        world.command(0, command);
        assert_eq!(refusal(&world, 0), Some(Refusal::StorageLost));
    }
    for state in [S::CommunicationsInterrupted, S::ResolutionInterrupted, S::ConflictDone] {
        let mut world = World::new(Dialect::Draft12, Some(stored(state, at(0))), None);
        world.servers[0].start(at(0), false);
        world.pass(seconds(61));
        world.command(0, Command::PartnerDown);
        assert_eq!(world.servers[0].state(), S::PartnerDown, "{state}");
    }
    let mut connected = World::normal();
    connected.command(0, Command::Resync);
    assert!(connected.servers[1].has(Action::AnswerUpdreq { all: true }));
    assert_eq!(connected.states(), [S::Normal; 2]);
    connected.command(0, Command::PartnerDown);
    assert_eq!(connected.states(), [S::Normal; 2], "the partner lives: through POTENTIAL-CONFLICT, and back");
}

#[test]
fn an_operator_can_say_that_the_bindings_are_lost_and_that_there_were_none() {
    let mut world = World::normal();
    world.pass(seconds(10_000));
    world.command(0, Command::StorageLost { down_since: None });
    assert_eq!(world.states(), [S::RecoverWait, S::CommunicationsInterrupted]);
    world.command(0, Command::FirstRun);
    assert_eq!(world.states(), [S::Normal; 2]);
}

/// F07-9.5.2-06.
#[test]
fn updates_that_do_not_come_end_the_connection() {
    let mut world = World::new(
        Dialect::Draft12,
        Some(stored(S::Recover, at(0))),
        Some(stored(S::CommunicationsInterrupted, at(0))),
    );
    world.servers[0].start(at(0), false);
    world.servers[1].start(at(0), false);
    world.connect();
    world.deliver(0);
    world.deliver(1);
    assert_eq!(world.states(), [S::Recover, S::CommunicationsInterrupted]);
    world.servers[0].handle(at(59), Event::Progress);
    world.servers[0].handle(at(100), Event::Wake);
    assert!(!world.servers[0].wants_close);
    world.servers[0].handle(at(119), Event::Wake);
    assert!(world.servers[0].wants_close);
}

/// D12-7.4.2-01.
#[test]
fn an_updreqall_is_owed_across_connections() {
    let mut world = World::normal();
    world.servers[0].handle(world.now, Event::Command(Command::StorageLost { down_since: None }));
    world.deliver(0);
    world.deliver(1);
    while world.deliver(0) {}
    assert!(world.servers[1].disk.unwrap().owes_everything);
    world.cut();
    world.crash(1);
    assert!(world.servers[1].disk.unwrap().owes_everything);
    let now = world.now;
    world.servers[1].start(now, false);
    world.connect();
    world.run();
    assert!(!world.servers[1].disk.unwrap().owes_everything);
}

/// F07-7.10-02.
#[test]
fn a_state_that_changed_before_the_first_word_is_told() {
    // Trap T24: RECOVER-WAIT ends between our first STATE and the partner's.
    let mut waiting = stored(S::RecoverWait, at(0));
    waiting.down_since = at(0);
    let mut world =
        World::new(Dialect::Draft12, Some(waiting), Some(stored(S::CommunicationsInterrupted, at(0))));
    world.servers[0].start(at(0), false);
    world.servers[1].start(at(0), false);
    world.now = at(100);
    for server in &mut world.servers {
        server.handle(at(100), Event::Wake);
    }
    assert_eq!(world.states(), [S::RecoverWait, S::CommunicationsInterrupted]);
    world.now = at(3610);
    world.connect();
    world.deliver(0);
    world.servers[0].handle(at(3614), Event::Wake);
    assert_eq!(world.servers[0].state(), S::RecoverDone);
    world.run();
    assert_eq!(world.states(), [S::Normal; 2]);
}

#[test]
fn dhcpd_is_not_told_what_would_stop_it() {
    let mut world = World::new(
        Dialect::Dhcpd,
        Some(stored(S::CommunicationsInterrupted, at(0))),
        Some(stored(S::CommunicationsInterrupted, at(0))),
    );
    world.servers[0].start(at(0), false);
    world.servers[1].start(at(0), false);
    world.connect();
    world.run();
    assert_eq!(world.states(), [S::Normal; 2]);
    assert!(
        !world.servers[1].has(Action::SendPoolreq),
        "it looks at its pools by itself, and complains when asked"
    );
    let told = StateMessage { state: S::PartnerDown, startup: false, since: at(1).to_wire(), tandem: None };
    let normal = StateMessage { state: S::Normal, ..told };
    world.servers[0].handle(at(1), Event::Command(Command::PartnerDown));
    world.servers[0].outgoing.clear();
    // The partner says NORMAL once more: POTENTIAL-CONFLICT must not be told to it on this connection.
    world.servers[0].handle(at(2), Event::State { state: normal, since: at(2) });
    assert_eq!(world.servers[0].state(), S::PotentialConflict);
    assert!(world.servers[0].outgoing.is_empty() && world.servers[0].wants_close);
}

/// A dhcpd is asked for what it has on every connection, before it is told anything: its UPDDONE then ends no state.
#[test]
fn what_a_dhcpd_is_asked_for_beforehand_does_not_end_a_conflict() {
    let down = || Some(stored(S::PartnerDown, at(0)));
    let mut world = World::new(Dialect::Dhcpd, down(), down());
    world.servers[0].start(at(0), false);
    world.servers[1].start(at(0), false);
    world.connect();
    let secondary = &mut world.servers[1];
    let conflict =
        StateMessage { state: S::PotentialConflict, startup: false, since: at(1).to_wire(), tandem: None };
    secondary.handle(at(1), Event::State { state: conflict, since: at(1) });
    assert_eq!(secondary.state(), S::PotentialConflict);
    assert!(!secondary.endpoint().may_send_updates());
    secondary.handle(at(2), Event::UpdDone(RequestId(1)));
    assert!(secondary.endpoint().may_send_updates());
    assert_eq!((secondary.state(), secondary.wants_close), (S::PotentialConflict, false));
}

/// F07-5.3-07, F07-9.2-08, F07-9.4.2-01, F07-9.5.1-01, F07-9.6.2-01, -02, F07-9.7.2-01, F07-9.10.1-01, D12-9.6-01.
#[test]
fn who_answers_in_which_state() {
    let allowed = |state: S| {
        let mut world = World::new(Dialect::Draft12, Some(stored(state, at(0))), None);
        world.servers[0].start(at(0), false);
        world.servers[0].handle(at(100), Event::Wake);
        assert_eq!(world.servers[0].state(), state);
        let may = |kind, bucket| world.servers[0].endpoint().may_answer(kind, Bucket(bucket), 0).is_ok();
        [
            may(RequestKind::RenewOrRebind, 200),
            may(RequestKind::NamesUs, 200),
            may(RequestKind::Other, 0),
            may(RequestKind::Other, 200),
        ]
    };
    for (state, expected) in [
        (S::CommunicationsInterrupted, [true; 4]),
        (S::PartnerDown, [true; 4]),
        (S::ResolutionInterrupted, [true; 4]),
        (S::ConflictDone, [true; 4]),
        (S::Recover, [false; 4]),
        (S::RecoverWait, [false; 4]),
        (S::RecoverDone, [true, false, false, false]),
    ] {
        assert_eq!(allowed(state), expected, "{state}");
    }
    let world = World::normal();
    let may = |kind, bucket| world.servers[0].endpoint().may_answer(kind, Bucket(bucket), 0);
    assert_eq!(may(RequestKind::Other, 0), Ok(()));
    assert_eq!(may(RequestKind::Other, 200), Err(Silence::OtherServer(Role::Secondary)));
    assert_eq!(may(RequestKind::RenewOrRebind, 200), Ok(()));
    assert_eq!(may(RequestKind::NamesUs, 200), Ok(()));
    assert!(world.servers[0].endpoint().may_move_pools());
}

/// F07-5.10-08, -09, -13, F07-5.13-02, -03, F07-7.1.5-05, F07-9.4.2-04, F07-9.7.2-03.
#[test]
fn who_gives_which_address() {
    for (who, own, other) in
        [(0, BindingStatus::Free, BindingStatus::Backup), (1, BindingStatus::Backup, BindingStatus::Free)]
    {
        let mut world = World::normal();
        let may = |world: &World, status, bootp| {
            world.servers[who].endpoint().may_allocate(world.now, status, Times::NONE, bootp)
        };
        for _ in 0..2 {
            assert_eq!(may(&world, own, false), Ok(()));
            assert_eq!(may(&world, other, false), Err(NotOurs::Partners));
            assert_eq!(may(&world, BindingStatus::Active, false), Err(NotOurs::NotUnused));
            world.cut();
        }
        world.crash(1 - who);
        let no_wait = world.servers[who].endpoint().frees_alone(Times::NONE, false);
        assert_eq!(no_wait, None, "only in PARTNER-DOWN");
        world.command(who, Command::PartnerDown);
        let from = at(0).plus(MCLT).plus(MCLT.slack());
        assert_eq!(may(&world, own, true), Ok(()));
        assert_eq!(may(&world, other, false), Err(NotOurs::Until(from)));
        let stale = Times { received_potential_expiration: at(5000), ..Times::NONE };
        let endpoint = world.servers[who].endpoint();
        let later = at(8600).plus(seconds(8600).slack());
        assert_eq!(endpoint.may_allocate(at(0), other, stale, false), Err(NotOurs::Until(later)));
        assert_eq!(endpoint.frees_alone(stale, false), Some(later));
        assert_eq!(endpoint.frees_alone(stale, true), Some(from));
        world.pass(seconds(3613));
        assert_eq!(may(&world, other, false), Err(NotOurs::Until(from)));
        world.pass(seconds(1));
        assert_eq!(may(&world, other, false), Ok(()));
        assert_eq!(may(&world, other, true), Err(NotOurs::Partners), "never with dynamic BOOTP");
    }
}

#[test]
fn contact_since_entry_makes_leases_given_since_wait_like_all_others() {
    let mut world = World::normal();
    world.pass(seconds(100));
    world.crash(1);
    world.pass(seconds(10));
    world.command(0, Command::PartnerDown);
    let times = Times { lease_expiration: at(20_000), sent_potential_expiration: at(30_000), ..Times::NONE };
    let frees = |world: &World| world.servers[0].endpoint().frees_alone(times, true).unwrap();
    assert_eq!(frees(&world), at(20_000));
    world.pass(seconds(10));
    let now = world.now;
    world.servers[1].start(now, false);
    world.connect();
    world.run();
    assert!(frees(&world) > at(33_600), "the client may have renewed with the partner");
}

#[test]
fn dhcpd_loses_its_bindings_until_it_is_in_normal() {
    let mut world = World::new(Dialect::Dhcpd, Some(stored(S::PartnerDown, at(0))), None);
    world.servers[0].start(at(10), false);
    let told = |state| StateMessage { state, startup: false, since: at(5).to_wire(), tandem: None };
    let tell = |world: &mut World, state| {
        world.servers[0].handle(at(20), Event::State { state: told(state), since: at(5) });
        world.servers[0].endpoint().partner_lost_storage()
    };
    let connect = |world: &mut World| world.servers[0].handle(at(11), Event::Connected { tandem: None });
    connect(&mut world);
    assert!(!tell(&mut world, S::Recover));
    world.servers[0].requests.push(RequestId(1));
    world.servers[0].handle(at(20), Event::UpdReq { xid: Xid(0), all: true });
    assert!(world.servers[0].endpoint().partner_lost_storage());
    assert!(world.servers[0].has(Action::RaiseAfterLoss { loss: 1 }));
    world.servers[0].handle(at(21), Event::Lost);
    connect(&mut world);
    assert!(tell(&mut world, S::Recover), "also on the next connection");
    world.servers[0].handle(at(22), Event::UpdReq { xid: Xid(0), all: true });
    assert!(!world.servers[0].has(Action::RaiseAfterLoss { loss: 2 }), "the same loss, asked again");
    world.servers[0].handle(at(23), Event::UpdatesDelivered);
    assert!(tell(&mut world, S::RecoverDone));
    assert_eq!(world.servers[0].state(), S::Normal);
    assert!(!tell(&mut world, S::Normal));
    world.servers[0].handle(at(24), Event::UpdReq { xid: Xid(0), all: true });
    assert!(world.servers[0].has(Action::RaiseAfterLoss { loss: 2 }), "another one");
}
