//! What others may see of an endpoint.
//!
//! *Lives here:* [`EndpointView`].
//! *Must not know:* JSON, tables, terminals.

use super::Endpoint;
use crate::config::RelationshipId;
use crate::engine::Engine;
use crate::event::Event;
use crate::record::EndpointRecord;
use failover::balance::Bucket;
use failover::endpoint::RequestKind;
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time};
use std::fmt;

/// What decides about the future of an endpoint.
pub(crate) struct Essence<'e>(&'e Endpoint);

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
    /// Whether any client is answered in it.
    pub answers: bool,
    /// What to do about it, as in the catalogue of events.
    pub what_to_do: &'static str,
    /// The partner's state as last told.
    pub partner: Option<FailoverState>,
    /// Since when it is in it, in our clock.
    pub partner_since: Option<Time>,
    /// Communications are OK.
    pub in_contact: bool,
    /// When the partner was last heard, as far as that is recorded; [`Time::ZERO`] for never.
    pub last_communicated: Time,
    /// Whom TLS proved the partner to be, while there is a connection over TLS.
    pub tls_peer: Option<String>,
    /// Each message is signed with a secret.
    pub is_signed: bool,
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

/// What decides about the future, see [`crate::Essence`]: settings and what is told to people left out.
impl fmt::Debug for Essence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint {
            machine, record, link, is_connecting, handshake, connect_at, is_refused, asked, ..
        } = self.0;
        let Endpoint { outstanding, refused, recalled, transfer, raise, regained, owed, stuck, .. } = self.0;
        let Endpoint { look_at_pools, stamp_at, started_from, was_compared, has_stopped, .. } = self.0;
        let EndpointRecord { last_operation, alive, mclt, former_mclt, is_raising, stored, .. } = record;
        f.debug_list()
            .entry(&machine.essence())
            .entry(&(
                last_operation,
                alive,
                mclt,
                former_mclt,
                is_raising,
                stored.as_ref() == Some(machine.stored()),
            ))
            .entry(&(link, is_connecting, handshake, connect_at, is_refused, asked, look_at_pools, stamp_at))
            .entry(&(outstanding, refused, recalled, transfer, raise, regained, owed, stuck))
            .entry(&(started_from, was_compared, has_stopped, self.0.unfit_since, self.0.is_giving))
            .finish()
    }
}

impl Endpoint {
    pub(crate) fn essence(&self) -> Essence<'_> {
        Essence(self)
    }
}

impl Engine {
    /// All endpoints, in the order of the configuration.
    pub fn endpoints(&self, now: Time) -> Vec<EndpointView> {
        self.relationships().map(|relationship| self.endpoint_view(now, relationship)).collect()
    }

    fn endpoint_view(&self, now: Time, relationship: RelationshipId) -> EndpointView {
        let endpoint = self.endpoint(relationship);
        let stored = endpoint.machine.stored();
        let connection = endpoint.link.and_then(|link| self.links.get(link));
        let (free, backup) = self.available_in(relationship);
        let (name, state) = (self.config.relationship(relationship).name.clone(), endpoint.state());
        let partner_paused = stored.partner.is_some_and(|(state, _)| state == FailoverState::Paused);
        let entered =
            Event::StateChanged { relationship: name.clone(), from: state, to: state, partner_paused };
        // Of all requests a renewal is answered in most states.
        let renewal = endpoint.machine.may_answer(RequestKind::RenewOrRebind, Bucket(0), 0);
        EndpointView {
            name,
            role: endpoint.role(),
            state,
            answers: renewal.is_ok(),
            what_to_do: entered.entry().what_to_do,
            since: endpoint.machine.entered(),
            partner: stored.partner.map(|(state, _)| state),
            partner_since: stored.partner.map(|(_, since)| since),
            in_contact: endpoint.machine.communications_ok(),
            last_communicated: stored.last_contact,
            tls_peer: connection.and_then(|connection| connection.tls_peer()).map(str::to_owned),
            is_signed: self.config.relationship(relationship).secret.is_some(),
            clock_difference: connection.map_or(0, |connection| connection.clock_delta().0),
            mclt: endpoint.mclt(),
            queued: self.table.queue.len(relationship),
            unacked: endpoint.outstanding.len(),
            refused: endpoint.refused.len(),
            unagreed: self.table.unagreed(relationship),
            free,
            backup,
            storage_lost: stored.storage_lost,
            alive: Some(endpoint.machine.alive(now)).filter(|alive| *alive < now),
        }
    }
}
