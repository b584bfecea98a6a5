//! Table 1.10 of the catalogue: figure 9.2-1 cell by cell.

use failover::dialect::Dialect;
use failover::endpoint::{Next, Partner, Situation, after_startup, communications_failed, on_partner};
use failover::state::{FailoverState as S, Role};
use failover::time::Time;

const PARTNERS: [S; 11] = [
    S::Normal,
    S::CommunicationsInterrupted,
    S::PartnerDown,
    S::PotentialConflict,
    S::Recover,
    S::RecoverDone,
    S::ResolutionInterrupted,
    S::Paused,
    S::Shutdown,
    S::RecoverWait,
    S::ConflictDone,
];

/// A cell: `.` stay, `?` ask for updates, else the state that is entered.
#[rustfmt::skip]
const TABLE: [(S, [&str; 11]); 11] = [
    // partner:                      NORMAL COMM-INT P-DOWN P-CONF RECOVER R-DONE RES-INT PAUSED SHUTDOWN R-WAIT C-DONE
    (S::Normal,                    [".",   ".",     "PC",  "PC",  "CI",   ".",   "PC",   "CI",  "PD",    "CI",  "PC"]),
    (S::CommunicationsInterrupted, ["N",   "N",     "PC",  "PC",  ".",    "N",   "PC",   ".",   "PD",    ".",   "PC"]),
    (S::PartnerDown,               ["PC",  "PC",    "PC",  "PC",  ".",    "N",   "PC",   ".",   ".",     ".",   "PC"]),
    (S::Recover,                   ["?",   "?",     "?",   "PC",  "?",    "?",   "PC",   ".",   ".",     "?",   "PC"]),
    (S::RecoverWait,               [".",   ".",     ".",   ".",   ".",    ".",   ".",    ".",   ".",     ".",   "."]),
    (S::RecoverDone,               ["N",   ".",     ".",   "PC",  ".",    "N",   "PC",   ".",   ".",     ".",   "PC"]),
    (S::ResolutionInterrupted,     ["PC",  "PC",    "PC",  "PC",  "PC",   "PC",  "PC",   ".",   ".",     "PC",  "PC"]),
    (S::ConflictDone,              ["N",   ".",     "PC",  ".",   ".",    ".",   ".",    ".",   ".",     ".",   "."]),
    (S::Startup,                   [".",   ".",     ".",   ".",   ".",    ".",   ".",    ".",   ".",     ".",   "."]),
    (S::Paused,                    [".",   ".",     ".",   ".",   ".",    ".",   ".",    ".",   ".",     ".",   "."]),
    (S::Shutdown,                  [".",   ".",     ".",   ".",   ".",    ".",   ".",    ".",   ".",     ".",   "."]),
];

fn partner(state: S) -> Partner {
    Partner { state, startup: false, since: Time::from_seconds(100), storage_lost: false, came_from: None }
}

fn situation(role: Role) -> Situation {
    Situation { role, dialect: Dialect::Draft12, storage_lost: false, handover_pending: false }
}

fn name(next: Next) -> &'static str {
    match next {
        Next::Stay => ".",
        Next::Request => "?",
        Next::To(S::Normal) => "N",
        Next::To(S::CommunicationsInterrupted) => "CI",
        Next::To(S::PartnerDown) => "PD",
        Next::To(S::PotentialConflict) => "PC",
        Next::To(_) => "another",
    }
}

fn row(own: S, situation: Situation, change: impl Fn(Partner) -> Partner) -> Vec<&'static str> {
    PARTNERS.map(|state| name(on_partner(own, &change(partner(state)), &situation))).to_vec()
}

/// F07-7.10.2-01, F07-9.2-05, F07-9.4.2-03, F07-9.4.3-02 to -04, F07-9.5-01, F07-9.5.2-01, F07-9.6.4-04,
/// F07-9.7.3-03 to -06, F07-9.8.1-01, -02, F07-9.9.3-02, F07-9.10.2-01, F07-9.12.3-01, D12-9.12-01.
#[test]
fn every_cell() {
    for (own, cells) in TABLE {
        for role in [Role::Primary, Role::Secondary] {
            assert_eq!(row(own, situation(role), |partner| partner), cells, "{own}, {role}");
        }
    }
    // The primary asks first, the secondary when it sees CONFLICT-DONE, and on nothing else (T24).
    let primary = row(S::PotentialConflict, situation(Role::Primary), |partner| partner);
    assert_eq!(primary, ["?", "?", "?", "?", "?", "?", "?", ".", ".", "?", "?"]);
    let secondary = row(S::PotentialConflict, situation(Role::Secondary), |partner| partner);
    assert_eq!(secondary, [".", ".", ".", ".", ".", ".", ".", ".", ".", ".", "?"]);
}

/// F07-9.4.3-01.
#[test]
fn only_partner_down_ignores_a_partner_in_startup() {
    let starting = |partner| Partner { startup: true, ..partner };
    for (own, cells) in TABLE {
        let expected = if own == S::PartnerDown { ["."; 11] } else { cells };
        assert_eq!(row(own, situation(Role::Primary), starting), expected, "{own}");
    }
}

#[test]
fn normal_waits_until_what_was_taken_over_is_known() {
    let pending = Situation { handover_pending: true, ..situation(Role::Primary) };
    for (own, cells) in TABLE {
        let actual = row(own, pending, |partner| partner);
        for ((state, cell), actual) in PARTNERS.into_iter().zip(cells).zip(actual) {
            let expected = match (own, state) {
                (S::CommunicationsInterrupted | S::PartnerDown | S::RecoverDone, S::RecoverDone)
                | (S::RecoverDone, S::Normal) => ".",
                (S::Normal, S::RecoverDone) => "CI",
                _ => cell,
            };
            assert_eq!(actual, expected, "{own}, partner in {state}");
        }
    }
}

#[test]
fn who_lost_everything_has_no_conflict() {
    let lost = Situation { storage_lost: true, ..situation(Role::Primary) };
    assert_eq!(
        row(S::Recover, lost, |partner| partner),
        ["?", "?", "?", "?", "?", "?", "?", ".", ".", "?", "?"],
        "never from RECOVER to POTENTIAL-CONFLICT"
    );
    for role in [Role::Primary, Role::Secondary] {
        for own in [S::PotentialConflict, S::ResolutionInterrupted, S::ConflictDone] {
            let ours = situation(role);
            let forgot = |partner| Partner { storage_lost: true, ..partner };
            let (with, without) = (row(own, ours, forgot), row(own, ours, |partner| partner));
            for (at, state) in PARTNERS.into_iter().enumerate() {
                let recovering = matches!(state, S::Recover | S::RecoverWait);
                assert_eq!(
                    with[at],
                    if recovering { "CI" } else { without[at] },
                    "{own}, partner in {state}"
                );
            }
        }
    }
}

/// F07-9.8.3-03.
#[test]
fn a_draft_07_secondary_asks_when_its_primary_goes_from_potential_conflict_to_normal() {
    let secondary = Situation { dialect: Dialect::Draft07, ..situation(Role::Secondary) };
    let ask = |came_from| {
        let partner = Partner { came_from, ..partner(S::Normal) };
        name(on_partner(S::PotentialConflict, &partner, &secondary))
    };
    assert_eq!(ask(Some(S::PotentialConflict)), "?");
    assert_eq!(ask(Some(S::CommunicationsInterrupted)), ".", "a NORMAL that is only late");
    assert_eq!(ask(None), ".");
    let draft_12 = situation(Role::Secondary);
    let partner = Partner { came_from: Some(S::PotentialConflict), ..partner(S::Normal) };
    assert_eq!(name(on_partner(S::PotentialConflict, &partner, &draft_12)), ".");
}

/// F07-9.3.2-04, F07-9.6.4-03, F07-9.10.2-02.
#[test]
fn failing_communications_change_two_states() {
    for state in S::ALL {
        let expected = match state {
            S::Normal => S::CommunicationsInterrupted,
            S::PotentialConflict => S::ResolutionInterrupted,
            state => state,
        };
        assert_eq!(communications_failed(state), expected);
    }
}

/// F07-9.3.2-07.
#[test]
fn startup_ends_by_what_the_partner_did_meanwhile() {
    let last = |seconds| Time::from_seconds(seconds);
    for previous in S::ALL {
        for state in PARTNERS {
            if state != S::PartnerDown {
                assert_eq!(after_startup(previous, &partner(state), last(50), false), previous);
                assert_eq!(after_startup(previous, &partner(state), last(150), true), previous);
            }
        }
    }
    // The partner went to PARTNER-DOWN at 100.
    for (previous, after_us, before_us) in [
        (S::CommunicationsInterrupted, S::Recover, S::PotentialConflict),
        (S::Recover, S::Recover, S::Recover),
        (S::RecoverWait, S::Recover, S::RecoverWait),
        (S::RecoverDone, S::Recover, S::RecoverDone),
        (S::PartnerDown, S::PotentialConflict, S::PotentialConflict),
        (S::ResolutionInterrupted, S::PotentialConflict, S::PotentialConflict),
        (S::ConflictDone, S::PotentialConflict, S::PotentialConflict),
    ] {
        let down = partner(S::PartnerDown);
        assert_eq!(after_startup(previous, &down, last(99), false), after_us, "{previous}");
        assert_eq!(after_startup(previous, &down, last(100), false), before_us, "{previous}");
        assert_eq!(after_startup(previous, &down, last(150), true), S::Recover, "{previous}, storage lost");
    }
}

/// A primary tells CONFLICT-DONE before it has heard that its secondary is in NORMAL already: that begins nothing anew.
#[test]
fn a_conflict_that_is_over_is_not_begun_again() {
    let next = |role, came_from| {
        let partner = Partner { came_from, ..partner(S::ConflictDone) };
        name(on_partner(S::Normal, &partner, &situation(role)))
    };
    assert_eq!(next(Role::Secondary, Some(S::PotentialConflict)), ".");
    assert_eq!(next(Role::Secondary, None), "PC");
    assert_eq!(next(Role::Primary, Some(S::PotentialConflict)), "PC");
}
