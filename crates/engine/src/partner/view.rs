//! What others may see of an endpoint.
//!
//! *Lives here:* [`EndpointView`].
//! *Must not know:* JSON, tables, terminals.

use crate::config::RelationshipId;
use crate::engine::Engine;
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time};

/// One endpoint at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointView {
    /// relationship-name.
    pub name: String,
    /// Which of the two this server is.
    pub role: Role,
    /// Its state.
    pub state: FailoverState,
    /// Since when it is in it; in STARTUP since when in the state before.
    pub since: Time,
    /// The partner's state as last told.
    pub partner: Option<FailoverState>,
    /// Communications are OK.
    pub in_contact: bool,
    /// When the partner was last heard; [`Time::ZERO`] for never.
    pub last_communicated: Time,
    /// What is added to the partner's times, in seconds.
    pub clock_difference: i64,
    /// The MCLT in force.
    pub mclt: Interval,
    /// Bindings that wait to be told.
    pub queued: u32,
    /// Bindings that were told and not acknowledged.
    pub unacked: usize,
    /// Bindings that the partner refused, and that are told again later.
    pub refused: usize,
    /// Bindings that hold up NORMAL (trap T17).
    pub unagreed: u32,
    /// FREE addresses: the primary's.
    pub free: u64,
    /// BACKUP addresses: the secondary's.
    pub backup: u64,
    /// Bindings were lost and are not back yet (trap T16).
    pub storage_lost: bool,
    /// New leases end at the latest MCLT after now; else after `alive`, when this server was last known to its partner
    /// (trap T15).
    pub alive: Option<Time>,
}

impl Engine {
    /// All endpoints, in the order of the configuration.
    pub fn endpoints(&self) -> Vec<EndpointView> {
        self.relationships().map(|relationship| self.endpoint_view(relationship)).collect()
    }

    fn endpoint_view(&self, relationship: RelationshipId) -> EndpointView {
        let endpoint = self.endpoint(relationship);
        let durable = endpoint.machine.durable();
        let connection = endpoint.link.and_then(|link| self.links.get(link));
        let (free, backup) = self.available_in(relationship);
        EndpointView {
            name: self.config.relationship(relationship).name.clone(),
            role: endpoint.role(),
            state: endpoint.state(),
            since: durable.since,
            partner: durable.partner,
            in_contact: endpoint.machine.is_in_contact(),
            last_communicated: endpoint.last_communicated,
            clock_difference: connection.map_or(0, |connection| connection.clock_delta().0),
            mclt: endpoint.mclt(),
            queued: self.table.queue.len(relationship),
            unacked: endpoint.outstanding.len(),
            refused: endpoint.refused.len(),
            unagreed: self.table.unagreed(relationship),
            free,
            backup,
            storage_lost: durable.storage_lost,
            alive: (!endpoint.machine.is_alive()).then_some(durable.last_operation),
        }
    }
}
