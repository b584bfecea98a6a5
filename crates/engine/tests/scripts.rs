//! What is on the wire, as people read it: `tests/scripts` holds what is said to a server, and all that it does then.
//!
//! `REWRITE=1 cargo test -p engine --test scripts` writes what happens over what was expected. Read the difference before it is
//! committed: a script says what is right, not what is.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "scripts are files, and a broken test may stop"
)]

mod common;
mod script;

use failover::binding::BindingStatus;
use failover::dialect::Dialect;
use failover::endpoint::{Next, Partner, Situation, after_startup, communications_failed, on_partner};
use failover::judge;
use failover::lease::Times;
use failover::state::{FailoverState as S, Role};
use failover::time::{Interval, Time};
use script::visited::Visited;
use script::{files, folder, play, text};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::sync::OnceLock;

/// Plays all scripts, once. Where they have been, and what differs.
fn all() -> &'static (Visited, String) {
    static ALL: OnceLock<(Visited, String)> = OnceLock::new();
    ALL.get_or_init(play_all)
}

fn play_all() -> (Visited, String) {
    let (mut visited, mut faults) = (Visited::default(), String::new());
    let rewrites = std::env::var_os("REWRITE").is_some();
    for path in files(&folder()) {
        let name = path.strip_prefix(folder()).unwrap_or(&path).display().to_string();
        let old = fs::read_to_string(&path).unwrap_or_default();
        match play(&old, &mut visited, &mut || None) {
            Ok(new) if new == old => {}
            Ok(new) if rewrites => fs::write(&path, new).expect("a script can be written"),
            Ok(new) => {
                let _ = writeln!(faults, "--- {name}\n{}\n", text::difference(&old, &new));
            }
            Err(fault) => {
                let _ = writeln!(faults, "--- {name}\n{fault}\n");
            }
        }
    }
    (visited, faults)
}

#[test]
fn every_script_says_what_happens() {
    let (_, faults) = all();
    assert!(faults.is_empty(), "\n{faults}");
}

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

fn partner(state: S) -> Partner {
    Partner { state, startup: false, since: Time::from_seconds(100), storage_lost: false, came_from: None }
}

/// Every way from one state to another that `failover::endpoint` has in its figure, whatever else decides.
fn edges_of_the_figure() -> BTreeSet<(S, S)> {
    let mut edges = BTreeSet::new();
    let flags = [false, true];
    for own in S::ALL {
        edges.insert((own, communications_failed(own)));
        for (state, storage_lost) in PARTNERS.into_iter().flat_map(|state| flags.map(|flag| (state, flag))) {
            let seen = Partner { storage_lost, ..partner(state) };
            for role in [Role::Primary, Role::Secondary] {
                for (storage_lost, handover_pending) in [(false, false), (false, true), (true, false)] {
                    let dialect = Dialect::Draft12;
                    let situation = Situation { role, dialect, storage_lost, handover_pending };
                    if let Next::To(state) = on_partner(own, &seen, &situation) {
                        edges.insert((own, state));
                    }
                }
            }
            // Where a start can go on: what is stored never means a state with a connection.
            let can_be_stored = communications_failed(own) == own && own != S::Startup;
            if can_be_stored && !matches!(own, S::Paused | S::Shutdown) {
                for last in [99, 100] {
                    let next = after_startup(own, &seen, Time::from_seconds(last), storage_lost);
                    edges.insert((S::Startup, next));
                }
            }
        }
    }
    edges.retain(|(from, to)| from != to);
    edges
}

/// What is not in the figure: UPDDONE, timers, and the operator (table 1.10, other events).
fn edges_beside_the_figure() -> BTreeSet<(S, S)> {
    let mut edges = BTreeSet::from([
        (S::Recover, S::RecoverWait),
        (S::Recover, S::RecoverDone),
        (S::RecoverWait, S::RecoverDone),
        (S::PotentialConflict, S::ConflictDone),
        (S::PotentialConflict, S::Normal),
        (S::CommunicationsInterrupted, S::PartnerDown),
        (S::Normal, S::PartnerDown),
        (S::ResolutionInterrupted, S::PartnerDown),
        (S::ConflictDone, S::PartnerDown),
        (S::Startup, S::PartnerDown),
    ]);
    for from in S::ALL.into_iter().filter(|state| !matches!(state, S::Paused | S::Shutdown)) {
        edges.extend([(from, S::Paused), (from, S::Shutdown)]);
        if !matches!(from, S::Startup | S::Recover) {
            edges.insert((from, S::Recover));
        }
    }
    edges
}

#[test]
fn every_edge_of_figure_9_2_1_is_taken() {
    let (visited, _) = all();
    let wanted: BTreeSet<(S, S)> = edges_of_the_figure().union(&edges_beside_the_figure()).copied().collect();
    assert!(wanted.len() > 50, "{} edges", wanted.len());
    let missing: Vec<String> =
        wanted.difference(&visited.edges).map(|(from, to)| format!("{from} -> {to}")).collect();
    assert!(missing.is_empty(), "no script takes these of {}:\n{}", wanted.len(), missing.join("\n"));
}

/// Where a partner's STATE cannot be heard.
const DEAF: [(S, &str); 2] = [
    (S::Startup, "each start is a cell of its own, by what is stored"),
    (S::Paused, "the connection is ended in the step that enters it"),
];

#[test]
fn every_cell_of_figure_9_2_1_is_visited() {
    let (visited, _) = all();
    let mut missing = Vec::new();
    for own in S::ALL.into_iter().filter(|own| DEAF.iter().all(|(deaf, _)| deaf != own)) {
        for state in PARTNERS {
            let by = |role| visited.cells.contains(&(role, own, state));
            // Only there the two differ.
            let is_visited = if own == S::PotentialConflict {
                by(Role::Primary) && by(Role::Secondary)
            } else {
                by(Role::Primary) || by(Role::Secondary)
            };
            if !is_visited {
                missing.push(format!("{own}, partner in {state}"));
            }
        }
    }
    let can_be_stored = |state: &S| communications_failed(*state) == *state && *state != S::Startup;
    for stored in S::ALL.into_iter().filter(can_be_stored) {
        for state in [S::Normal, S::PartnerDown] {
            if !matches!(stored, S::Paused | S::Shutdown) && !visited.starts.contains(&(stored, state)) {
                missing.push(format!("a start in {stored}, partner in {state}"));
            }
        }
    }
    assert!(missing.is_empty(), "no script is in these:\n{}", missing.join("\n"));
}

/// All that `failover::judge` can say of a received status over one of ours, when nothing is missing and nothing crosses.
fn verdicts() -> BTreeSet<(BindingStatus, BindingStatus, Option<u8>)> {
    let at = Time::from_seconds;
    let now = 10_000;
    let mut verdicts = BTreeSet::new();
    for ours in BindingStatus::ALL {
        for received in BindingStatus::ALL {
            for (same_client, heard, end, role) in [true, false].into_iter().flat_map(|same| {
                [4000, 6000].into_iter().flat_map(move |heard| {
                    [now - 100, now - 5, now + 500].into_iter().flat_map(move |end| {
                        [Role::Primary, Role::Secondary].map(|role| (same, heard, end, role))
                    })
                })
            }) {
                let update = judge::Update {
                    status: received,
                    reserved: false,
                    has_client: true,
                    lease_expiration: Some(at(now + 900)),
                    potential_expiration: Some(at(now + 900)),
                    start_time_of_state: Some(at(heard)),
                    client_last_transaction_time: Some(at(heard)),
                };
                let binding = judge::Binding {
                    status: ours,
                    times: Times { lease_expiration: at(end), ..Times::NONE },
                    start_time_of_state: at(5000),
                    client_last_transaction_time: Some(at(5000)),
                    granted: Interval::from_seconds(1000),
                    same_client,
                    reserved: false,
                    outstanding: false,
                    untold: false,
                    probation_over: false,
                };
                verdicts.insert((
                    ours,
                    received,
                    match judge::judge(&update, Some(&binding), role, at(now)) {
                        judge::Verdict::Accept(_) => None,
                        judge::Verdict::Reject(reason) => Some(reason.0),
                    },
                ));
            }
        }
    }
    verdicts
}

#[test]
fn every_verdict_of_figure_7_1_3_1_is_heard() {
    let (visited, _) = all();
    let wanted = verdicts();
    assert!(wanted.len() > 49, "every cell has at least one");
    let missing: Vec<String> = wanted
        .difference(&visited.judged)
        .map(|(ours, received, reason)| format!("{ours} x {received}: {reason:?}"))
        .collect();
    assert!(missing.is_empty(), "no script has these of {}:\n{}", wanted.len(), missing.join("\n"));
}
