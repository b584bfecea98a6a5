//! Every cell of table 1.10, written down once more; and the roads through several states.
//!
//! *Lives here:* tests.

use super::*;
use FailoverState::{
    CommunicationsInterrupted, ConflictDone, Normal, PartnerDown, Paused, PotentialConflict, Recover,
    RecoverDone, RecoverWait, ResolutionInterrupted, Shutdown, Startup,
};

const MCLT: Interval = Interval::from_seconds(3600);

fn at(seconds: u64) -> Time {
    Time::from_seconds(1_800_000_000 + seconds)
}

fn settings(role: Role) -> Settings {
    Settings {
        role,
        startup: Interval::from_seconds(10),
        safe_period: None,
        start_alone: false,
        trusts_restart: false,
        skips_recover_wait: false,
    }
}

fn says(state: FailoverState) -> Event {
    says_since(state, at(0))
}

fn says_since(state: FailoverState, since: Time) -> Event {
    Event::Partner(PartnerState { state, startup: false, since, storage_lost: false, never_ran: false })
}

fn forgot(state: FailoverState) -> Event {
    Event::Partner(PartnerState {
        state,
        startup: false,
        since: at(0),
        storage_lost: true,
        never_ran: false,
    })
}

/// An endpoint in this state, past STARTUP, without contact, that has run before.
fn endpoint(role: Role, state: FailoverState) -> Endpoint {
    let durable = Durable { state, since: at(0), last_operation: at(0), ..Durable::new() };
    let mut endpoint = Endpoint::start(settings(role), Some(durable), MCLT, at(100));
    endpoint.startup = None;
    endpoint.durable.state = state;
    endpoint
}

fn asks(actions: &[Action]) -> Option<bool> {
    actions.iter().find_map(|action| match action {
        Action::Ask { everything } => Some(*everything),
        _ => None,
    })
}

/// State, what the partner says, the next state of a primary and of a secondary, whether each asks for updates.
type Cell = (FailoverState, FailoverState, FailoverState, FailoverState, bool, bool);

#[rustfmt::skip]
const CELLS: &[Cell] = &[
    (Normal, Normal, Normal, Normal, false, false),
    (Normal, CommunicationsInterrupted, Normal, Normal, false, false),
    (Normal, PartnerDown, PotentialConflict, PotentialConflict, true, false),
    (Normal, PotentialConflict, PotentialConflict, PotentialConflict, true, false),
    (Normal, Recover, CommunicationsInterrupted, CommunicationsInterrupted, false, false),
    (Normal, RecoverDone, Normal, Normal, false, false),
    (Normal, ResolutionInterrupted, PotentialConflict, PotentialConflict, true, false),
    (Normal, Paused, CommunicationsInterrupted, CommunicationsInterrupted, false, false),
    (Normal, Shutdown, PartnerDown, PartnerDown, false, false),
    (CommunicationsInterrupted, Normal, Normal, Normal, false, false),
    (CommunicationsInterrupted, CommunicationsInterrupted, Normal, Normal, false, false),
    (CommunicationsInterrupted, PartnerDown, PotentialConflict, PotentialConflict, true, false),
    (CommunicationsInterrupted, PotentialConflict, PotentialConflict, PotentialConflict, true, false),
    (CommunicationsInterrupted, Recover, CommunicationsInterrupted, CommunicationsInterrupted, false, false),
    (CommunicationsInterrupted, RecoverWait, CommunicationsInterrupted, CommunicationsInterrupted, false, false),
    (CommunicationsInterrupted, RecoverDone, Normal, Normal, false, false),
    (CommunicationsInterrupted, ResolutionInterrupted, PotentialConflict, PotentialConflict, true, false),
    (CommunicationsInterrupted, ConflictDone, PotentialConflict, PotentialConflict, true, true),
    (CommunicationsInterrupted, Paused, CommunicationsInterrupted, CommunicationsInterrupted, false, false),
    (CommunicationsInterrupted, Shutdown, PartnerDown, PartnerDown, false, false),
    (PartnerDown, Normal, PotentialConflict, PotentialConflict, true, false),
    (PartnerDown, CommunicationsInterrupted, PotentialConflict, PotentialConflict, true, false),
    (PartnerDown, PartnerDown, PotentialConflict, PotentialConflict, true, false),
    (PartnerDown, PotentialConflict, PotentialConflict, PotentialConflict, true, false),
    (PartnerDown, Recover, PartnerDown, PartnerDown, false, false),
    (PartnerDown, RecoverWait, PartnerDown, PartnerDown, false, false),
    (PartnerDown, RecoverDone, Normal, Normal, false, false),
    (PartnerDown, ResolutionInterrupted, PotentialConflict, PotentialConflict, true, false),
    (PartnerDown, ConflictDone, PotentialConflict, PotentialConflict, true, true),
    (PartnerDown, Paused, PartnerDown, PartnerDown, false, false),
    (PartnerDown, Shutdown, PartnerDown, PartnerDown, false, false),
    (Recover, Normal, Recover, Recover, true, true),
    (Recover, CommunicationsInterrupted, Recover, Recover, true, true),
    (Recover, PartnerDown, Recover, Recover, true, true),
    (Recover, PotentialConflict, PotentialConflict, PotentialConflict, true, false),
    (Recover, Recover, Recover, Recover, true, true),
    (Recover, RecoverWait, Recover, Recover, true, true),
    (Recover, RecoverDone, Recover, Recover, true, true),
    (Recover, ResolutionInterrupted, PotentialConflict, PotentialConflict, true, false),
    (Recover, Paused, Recover, Recover, false, false),
    (Recover, Shutdown, Recover, Recover, false, false),
    (RecoverWait, Normal, RecoverWait, RecoverWait, false, false),
    (RecoverWait, PotentialConflict, RecoverWait, RecoverWait, false, false),
    (RecoverDone, Normal, Normal, Normal, false, false),
    (RecoverDone, CommunicationsInterrupted, RecoverDone, RecoverDone, false, false),
    (RecoverDone, PartnerDown, RecoverDone, RecoverDone, false, false),
    (RecoverDone, PotentialConflict, PotentialConflict, PotentialConflict, true, false),
    (RecoverDone, Recover, RecoverDone, RecoverDone, false, false),
    (RecoverDone, RecoverDone, Normal, Normal, false, false),
    (RecoverDone, Paused, RecoverDone, RecoverDone, false, false),
    (PotentialConflict, Normal, PotentialConflict, PotentialConflict, true, false),
    (PotentialConflict, PotentialConflict, PotentialConflict, PotentialConflict, true, false),
    (PotentialConflict, ConflictDone, PotentialConflict, PotentialConflict, true, true),
    (PotentialConflict, Paused, PotentialConflict, PotentialConflict, false, false),
    (PotentialConflict, Shutdown, PotentialConflict, PotentialConflict, false, false),
    (ResolutionInterrupted, Normal, PotentialConflict, PotentialConflict, true, false),
    (ResolutionInterrupted, CommunicationsInterrupted, PotentialConflict, PotentialConflict, true, false),
    (ResolutionInterrupted, PartnerDown, PotentialConflict, PotentialConflict, true, false),
    (ResolutionInterrupted, PotentialConflict, PotentialConflict, PotentialConflict, true, false),
    (ResolutionInterrupted, Recover, PotentialConflict, PotentialConflict, true, false),
    (ResolutionInterrupted, RecoverDone, PotentialConflict, PotentialConflict, true, false),
    (ResolutionInterrupted, ResolutionInterrupted, PotentialConflict, PotentialConflict, true, false),
    (ResolutionInterrupted, Paused, ResolutionInterrupted, ResolutionInterrupted, false, false),
    (ResolutionInterrupted, Shutdown, ResolutionInterrupted, ResolutionInterrupted, false, false),
    (ConflictDone, Normal, Normal, Normal, false, false),
    (ConflictDone, CommunicationsInterrupted, ConflictDone, ConflictDone, false, false),
    (ConflictDone, PartnerDown, PotentialConflict, PotentialConflict, true, false),
    (ConflictDone, PotentialConflict, ConflictDone, ConflictDone, false, false),
    (ConflictDone, ResolutionInterrupted, ConflictDone, ConflictDone, false, false),
    (ConflictDone, Recover, ConflictDone, ConflictDone, false, false),
    (ConflictDone, Paused, ConflictDone, ConflictDone, false, false),
    (ConflictDone, Shutdown, ConflictDone, ConflictDone, false, false),
];

#[test]
fn each_cell_of_the_table() {
    for (own, partner, primary, secondary, primary_asks, secondary_asks) in CELLS {
        for (role, next, asking) in
            [(Role::Primary, primary, primary_asks), (Role::Secondary, secondary, secondary_asks)]
        {
            let mut endpoint = endpoint(role, *own);
            let actions = endpoint.handle(at(200), says(*partner), true);
            assert_eq!(endpoint.state(), *next, "{role} in {own}, partner in {partner}");
            assert_eq!(asks(&actions).is_some(), *asking, "{role} in {own}, partner in {partner}");
            if endpoint.state() != *own {
                assert!(actions.contains(&Action::Store), "{own} to {next} is stored");
                assert_eq!(endpoint.durable().since, at(200));
            }
        }
    }
}

#[test]
fn the_loss_of_contact() {
    for state in FailoverState::ALL.into_iter().filter(|state| *state != Startup) {
        let mut endpoint = endpoint(Role::Primary, state);
        endpoint.handle(at(200), Event::ContactLost, true);
        let next = match state {
            Normal => CommunicationsInterrupted,
            PotentialConflict => ResolutionInterrupted,
            other => other,
        };
        assert_eq!(endpoint.state(), next);
    }
}

#[test]
fn two_that_never_ran_are_in_normal_without_a_wait() {
    let mut primary = Endpoint::start(settings(Role::Primary), None, MCLT, at(0));
    assert_eq!((primary.state(), primary.announced()), (Startup, (Recover, true, at(0))));
    let new = |state| {
        Event::Partner(PartnerState {
            state,
            startup: true,
            since: at(0),
            storage_lost: false,
            never_ran: true,
        })
    };
    let actions = primary.handle(at(1), new(Recover), true);
    assert_eq!((primary.state(), asks(&actions)), (Recover, Some(true)));
    primary.handle(at(2), Event::UpdateDone, true);
    assert_eq!(primary.state(), RecoverDone);
    assert!(!primary.is_alive());
    primary.handle(at(3), says(RecoverDone), true);
    assert_eq!((primary.state(), primary.is_alive()), (Normal, true));
}

#[test]
fn one_that_lost_its_disk_waits_whatever_the_partner_resolves() {
    let mut secondary = Endpoint::start(settings(Role::Secondary), None, MCLT, at(0));
    secondary.durable.storage_lost = true;
    let actions = secondary.handle(at(1), says(PotentialConflict), true);
    assert_eq!((secondary.state(), asks(&actions)), (Recover, Some(true)));
    secondary.handle(at(5), Event::UpdateDone, true);
    assert_eq!(secondary.state(), RecoverWait);
    let over = at(0).plus(MCLT).plus(MCLT.slack());
    assert_eq!(secondary.deadline(), Some(over));
    secondary.handle(Time::from_millis(over.as_millis() - 1), Event::Look, true);
    assert_eq!((secondary.state(), secondary.durable().storage_lost), (RecoverWait, true));
    secondary.handle(over, Event::Look, true);
    assert_eq!((secondary.state(), secondary.durable().storage_lost), (PotentialConflict, false));
}

#[test]
fn with_one_who_forgot_there_is_nothing_to_resolve() {
    for state in [PotentialConflict, ResolutionInterrupted, ConflictDone] {
        let mut primary = endpoint(Role::Primary, state);
        let actions = primary.handle(at(200), forgot(Recover), true);
        assert_eq!(primary.state(), CommunicationsInterrupted);
        assert!(actions.contains(&Action::PartnerLostStorage));
    }
}

#[test]
fn normal_waits_until_the_partner_has_agreed() {
    for state in [PartnerDown, CommunicationsInterrupted] {
        let mut endpoint = endpoint(Role::Secondary, state);
        endpoint.handle(at(200), says(RecoverDone), false);
        assert_eq!(endpoint.state(), state);
        endpoint.handle(at(201), Event::Look, true);
        assert_eq!(endpoint.state(), Normal);
    }
}

#[test]
fn a_partner_that_went_on_alone_after_our_end_is_recovered_from() {
    for (since, next) in [(at(11), Recover), (at(10), PotentialConflict), (at(0), PotentialConflict)] {
        let durable = Durable { state: Normal, since: at(0), last_operation: at(0), ..Durable::new() };
        let mut endpoint = Endpoint::start(settings(Role::Secondary), Some(durable), MCLT, at(500));
        assert_eq!(endpoint.announced().0, CommunicationsInterrupted);
        endpoint.handle(at(501), says_since(PartnerDown, since), true);
        assert_eq!(endpoint.state(), next);
    }
}

#[test]
fn a_restart_alone_is_not_alive_and_its_stamp_stands() {
    let durable = Durable { state: PartnerDown, since: at(0), last_operation: at(0), ..Durable::new() };
    let mut endpoint = Endpoint::start(settings(Role::Secondary), Some(durable), MCLT, at(500));
    endpoint.handle(at(510), Event::Look, true);
    assert_eq!(endpoint.state(), PartnerDown);
    assert!(!endpoint.operates(at(520)));
    assert_eq!(endpoint.durable().last_operation, at(0));
    endpoint.command(at(530), Command::ServeAlone).unwrap();
    assert!(endpoint.operates(at(540)));
    assert_eq!(endpoint.durable().last_operation, at(540));
}

#[test]
fn partner_down_is_legal_in_four_states() {
    for state in FailoverState::ALL.into_iter().filter(|state| *state != Startup) {
        let mut endpoint = endpoint(Role::Primary, state);
        let legal =
            matches!(state, Normal | CommunicationsInterrupted | ResolutionInterrupted | ConflictDone);
        let result = endpoint.command(at(200), Command::PartnerDown);
        assert_eq!(result.is_ok(), legal, "{state}");
        assert_eq!(endpoint.state(), if legal { PartnerDown } else { state });
    }
    let mut endpoint = endpoint(Role::Primary, CommunicationsInterrupted);
    endpoint.durable.storage_lost = true;
    assert_eq!(endpoint.command(at(200), Command::PartnerDown), Err(CommandRefused::StorageLost));
}

#[test]
fn a_pause_goes_on_where_it_was() {
    let mut endpoint = endpoint(Role::Primary, PartnerDown);
    endpoint.command(at(200), Command::Pause).unwrap();
    assert_eq!((endpoint.state(), endpoint.durable().resumes), (Paused, PartnerDown));
    let started = Endpoint::start(settings(Role::Primary), Some(*endpoint.durable()), MCLT, at(300));
    assert_eq!(started.announced().0, PartnerDown);
}

#[test]
fn the_safe_period_is_off_unless_set() {
    let mut endpoint = endpoint(Role::Primary, CommunicationsInterrupted);
    assert_eq!(endpoint.deadline(), None);
    endpoint.settings.safe_period = Some(Interval::from_seconds(1000));
    assert_eq!(endpoint.deadline(), Some(at(1000)));
    endpoint.handle(at(999), Event::Look, true);
    assert_eq!(endpoint.state(), CommunicationsInterrupted);
    endpoint.handle(at(1000), Event::Look, true);
    assert_eq!(endpoint.state(), PartnerDown);
}

#[test]
fn what_was_asked_for_in_another_state_does_not_resolve_a_conflict() {
    let mut primary = endpoint(Role::Primary, Recover);
    assert_eq!(asks(&primary.handle(at(200), says(PartnerDown), true)), Some(false));
    assert_eq!(asks(&primary.handle(at(201), says(PotentialConflict), true)), Some(false));
    assert_eq!(primary.state(), PotentialConflict);
}
