//! Whether somebody must act.
//!
//! *Lives here:* [`Health`], judged from what the server says of itself.
//! *Must not know:* how it is shown.

use super::json::Moment;
use crate::status::ServerStatus;
use engine::StorageHealth;
use failover::binding::BindingStatus;
use failover::state::FailoverState;
use serde::{Deserialize, Serialize};

/// Whether the server can do its work, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Health {
    /// In one word.
    pub state: HealthState,
    /// What keeps clients from being served, each with what to do. Empty when the state is ok.
    pub problems: Vec<String>,
    /// What somebody should look at.
    pub warnings: Vec<String>,
}

/// Health in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthState {
    /// All clients can be served.
    Ok,
    /// Some cannot.
    Unhealthy,
}

impl Health {
    /// Storage first: without it nobody is served.
    pub(super) fn of(status: &ServerStatus) -> Health {
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        storage(status, &mut problems);
        partners(status, &mut problems, &mut warnings);
        for interface in &status.interfaces {
            let name = &interface.name;
            if interface.index.is_none() {
                problems.push(format!(
                    "interface {name} does not exist: create it, or remove it from `interfaces`"
                ));
            } else if !interface.up {
                problems
                    .push(format!("interface {name} is down: clients behind it get no answer; bring it up, or look at its cable"));
            } else if interface.addresses.is_empty() {
                problems.push(format!(
                    "interface {name} has no IPv4 address: clients behind it get no answer; give it one"
                ));
            }
        }
        other_warnings(status, &mut warnings);
        let state = if problems.is_empty() { HealthState::Ok } else { HealthState::Unhealthy };
        Health { state, problems, warnings }
    }
}

fn storage(status: &ServerStatus, problems: &mut Vec<String>) {
    if status.store.health == store::Health::Poisoned {
        problems.push(
            "a sync of the store failed: nothing more can be recorded, and the server ends; look at the disk that \
             holds state-directory"
                .to_owned(),
        );
    } else if status.store.health == store::Health::ReserveOnly
        || status.engine.storage == StorageHealth::ReserveOnly
    {
        problems.push(
            "the store has no room but its last reserve: no lease is granted or renewed; free space on the disk that \
             holds state-directory (TDM-1008)"
                .to_owned(),
        );
    }
}

/// A pair that is not what it should be is a warning as long as clients are answered.
fn partners(status: &ServerStatus, problems: &mut Vec<String>, warnings: &mut Vec<String>) {
    for view in &status.engine.endpoints {
        let (name, state, what_to_do) = (&view.name, view.state, view.what_to_do);
        if !view.answers {
            problems.push(format!(
                "{name}: {state}: this server answers no client of the pools that it shares. {what_to_do}"
            ));
        } else if state != FailoverState::Normal {
            warnings.push(format!("{name}: {state}. {what_to_do}"));
        }
        if let Some(alive) = view.alive.filter(|_| view.answers) {
            let ends = Moment::of(alive.plus(view.mclt)).map_or_else(String::new, |end| end.time);
            warnings.push(format!(
                "{name}: it is not certain that the partner did not go on alone: new leases end before {ends}. When the \
                 partner is off and has not served alone, say `tandem failover serve-alone`"
            ));
        }
    }
}

fn other_warnings(status: &ServerStatus, warnings: &mut Vec<String>) {
    for network in &status.engine.networks {
        let free = BindingStatus::ALL.iter().zip(network.by_status);
        let free: u64 = free.filter(|(of, _)| of.is_available()).map(|(_, count)| count).sum();
        if network.size > 0 && free <= network.offered {
            warnings.push(format!(
                "network {} has no free address: its new clients go without; add a pool, or shorten lease-time (TDM-1007)",
                network.network
            ));
        }
    }
    if status.engine.orphans > 0 {
        warnings.push(format!(
            "{} addresses with bindings are in no pool any more: put the pool back if it was removed by mistake \
             (TDM-1010)",
            status.engine.orphans
        ));
    }
    if status.store.opened.torn_bytes > 0 {
        warnings.push(format!(
            "the last end was not orderly: {} bytes that were never promised to anybody were cut off at the start",
            status.store.opened.torn_bytes
        ));
    }
}
