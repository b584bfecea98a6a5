//! What the state of an endpoint lets this server do for a client.
//!
//! *Lives here:* the questions that the rooms of DHCP messages ask: may it answer, from which pool may it give, how long
//! may a lease be.
//! *May know:* the state of the endpoint, the binding.
//! *Must not know:* how a state came about; messages to the partner.

use super::Endpoint;
use crate::config::{PoolId, RelationshipId};
use crate::counter::Counter;
use crate::engine::Engine;
use crate::request::{Kind, Request};
use crate::table::{Available, Binding, Slot};
use dhcp::ClientIdentity;
use failover::balance::Bucket;
use failover::binding::BindingStatus;
use failover::lease::{Bound, PartnerDown, Times};
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time};

impl Engine {
    /// Whether this server answers this request about addresses of this relationship (F07 9; table 1.6).
    pub(crate) fn may_answer(&self, relationship: RelationshipId, request: &Request<'_>) -> Result<(), Counter> {
        let endpoint = self.endpoint(relationship);
        let delayed_service = self.config.relationship(relationship).delayed_service;
        let renews = matches!(request.kind, Kind::Renewing | Kind::Rebinding);
        match endpoint.state() {
            FailoverState::CommunicationsInterrupted
            | FailoverState::PartnerDown
            | FailoverState::ResolutionInterrupted
            | FailoverState::ConflictDone => Ok(()),
            FailoverState::RecoverDone if renews => Ok(()),
            // What names this server is for nobody else: a selected offer, a release, a decline.
            FailoverState::Normal
                if renews || matches!(request.kind, Kind::Selecting | Kind::Release | Kind::Decline) =>
            {
                Ok(())
            }
            FailoverState::Normal if serves_bucket(endpoint, delayed_service, request) => Ok(()),
            FailoverState::Normal => Err(Counter::DroppedBalanced),
            _ => Err(Counter::DroppedSilentState),
        }
    }

    /// The same where no address is looked at: by any relationship of the network, if it has one.
    pub(crate) fn may_answer_in(&self, request: &Request<'_>) -> Result<(), Counter> {
        let pools = &self.config.network(request.place.network).pools;
        let relationship = pools.iter().find_map(|pool| self.config.pool(*pool).failover);
        relationship.map_or(Ok(()), |relationship| self.may_answer(relationship, request))
    }

    /// Whether an available address is this server's to give to a new client (table 1.12). Without a partner, if FREE.
    pub(crate) fn may_allocate(&self, now: Time, slot: Slot) -> bool {
        let binding = self.table.get(slot);
        let Some(relationship) = self.table.relationship(slot) else {
            return binding.status == BindingStatus::Free;
        };
        let endpoint = self.endpoint(relationship);
        match binding.available() {
            Some(which) if (which == endpoint.own()) != self.planted.swap_pools => true,
            Some(_) => endpoint.may_take_partners(now, binding),
            None => false,
        }
    }

    /// What has been available for longest in this pool, the own list before the partner's.
    pub(crate) fn oldest_of_own(&self, now: Time, relationship: RelationshipId, pool: PoolId) -> Option<Slot> {
        let endpoint = self.endpoint(relationship);
        self.table.oldest(pool, endpoint.own()).or_else(|| {
            let slot = self.table.oldest(pool, endpoint.partners())?;
            endpoint.may_take_partners(now, self.table.get(slot)).then_some(slot)
        })
    }

    /// Whether an available address is the partner's.
    pub(crate) fn is_partners(&self, slot: Slot) -> bool {
        let binding = self.table.get(slot);
        self.table.relationship(slot).is_some_and(|relationship| {
            !binding.reserved && binding.available() == Some(self.endpoint(relationship).partners())
        })
    }

    /// Whether a client that claims an unknown lease is believed: only while the partner cannot be asked (trap T20).
    pub(crate) fn believes_clients(&self, slot: Slot) -> bool {
        self.table.relationship(slot).is_none_or(|relationship| {
            let endpoint = self.endpoint(relationship);
            !endpoint.is_in_contact() && endpoint.state() != FailoverState::Normal
        })
    }

    /// The longest lease that this client may be given of this address now (F07-5.2.1-01, traps T1, T2, T14, T15);
    /// `None`, without a partner, is no bound.
    pub(crate) fn longest_lease(&self, now: Time, slot: Slot, client: &ClientIdentity) -> Option<Interval> {
        let endpoint = self.endpoint(self.table.relationship(slot)?);
        let binding = self.table.get(slot);
        let same = binding.client.as_ref() == Some(client);
        let times =
            if same || self.planted.times_outlive_client { binding.times() } else { Times::NONE };
        let alive = if self.planted.always_alive { now } else { endpoint.alive(now) };
        if self.planted.drop_mclt {
            return None;
        }
        let bound = Bound { mclt: endpoint.mclt(), alive };
        Some(bound.latest_end(times).since(now))
    }
}

impl Endpoint {
    /// Whose list of available addresses this server allocates from (F07-9.7.2-03).
    pub(super) fn own(&self) -> Available {
        match self.role() {
            Role::Primary => Available::Free,
            Role::Secondary => Available::Backup,
        }
    }

    /// The partner's list.
    pub(super) fn partners(&self) -> Available {
        match self.role() {
            Role::Primary => Available::Backup,
            Role::Secondary => Available::Free,
        }
    }

    /// In PARTNER-DOWN, after the wait, all addresses are this server's (F07-9.4.2-04), until the partner asks for updates
    /// (trap T17).
    fn may_take_partners(&self, now: Time, binding: &Binding) -> bool {
        !self.partner_is_back
            && self.partner_down().is_some_and(|stay| now >= stay.may_change_hands(binding.times()))
    }

    /// The stay in PARTNER-DOWN, for the waits in it.
    pub(super) fn partner_down(&self) -> Option<PartnerDown> {
        (self.state() == FailoverState::PartnerDown).then(|| PartnerDown {
            entered: self.machine.durable().since,
            last_contact: self.last_communicated,
            mclt: self.mclt(),
        })
    }

    /// The last time at which this server is known to have been alive to its partner (trap T15).
    pub(super) fn alive(&self, now: Time) -> Time {
        if self.machine.is_alive() { now } else { self.machine.durable().last_operation }
    }
}

/// Whether a client is this server's by the load balance (F07-9.6.2-02).
fn serves_bucket(endpoint: &Endpoint, delayed_service: Option<u8>, request: &Request<'_>) -> bool {
    let message = &request.message;
    let bucket = Bucket::of_client(
        endpoint.dialect,
        request.client.client_identifier(),
        message.htype(),
        message.chaddr(),
    );
    endpoint.service(delayed_service).serves(endpoint.role(), bucket, message.secs())
}
