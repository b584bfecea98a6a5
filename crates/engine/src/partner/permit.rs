//! What the state of an endpoint lets this server do for a client.
//!
//! *Lives here:* the questions that the rooms of DHCP messages ask: may it answer, from which pool may it give, how long
//! may a lease be.
//! *May know:* the state of the endpoint, the binding.
//! *Must not know:* how a state came about; messages to the partner.

use super::Endpoint;
use crate::config::{NetworkId, PoolId, RelationshipId};
use crate::counter::Counter;
use crate::engine::Engine;
use crate::event::Event;
use crate::outbox::Outbox;
use crate::request::{Kind, Request};
use crate::table::{Available, Slot};
use dhcp::ClientIdentity;
use failover::balance::Bucket;
use failover::binding::BindingStatus;
use failover::endpoint::{RequestKind, Silence};
use failover::lease::{PartnerDown, Times};
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time};

/// No datagram is on its way for longer (RFC 791 3.2: time to live).
const LONGEST_ON_ITS_WAY: Interval = Interval::from_seconds(255);

/// For so many seconds more than another client one of BOOTP is left to the partner, whose it is: it asks two or three times in them
/// (RFC 951 7.2).
const PARTNER_FIRST: u8 = 20;

impl Engine {
    /// Whether this server answers this request about addresses of this relationship (F07 9; table 1.6).
    pub(crate) fn may_answer(
        &self,
        relationship: RelationshipId,
        request: &Request<'_>,
    ) -> Result<(), Counter> {
        let endpoint = self.endpoint(relationship);
        let kind = match request.kind {
            Kind::Renewing | Kind::Rebinding => RequestKind::RenewOrRebind,
            Kind::Selecting | Kind::Release | Kind::Decline => RequestKind::NamesUs,
            // Nobody else heard it, and who is not answered asks the same server again.
            Kind::Inform if request.came_to_us_alone() => RequestKind::NamesUs,
            Kind::Discover | Kind::InitReboot | Kind::Inform | Kind::Bootp => RequestKind::Other,
        };
        let message = &request.message;
        let identifier = request.client.client_identifier();
        let bucket = Bucket::of_client(endpoint.dialect, identifier, message.htype(), message.chaddr());
        match endpoint.machine.may_answer(kind, bucket, message.secs()) {
            Ok(()) => Ok(()),
            Err(Silence::State(FailoverState::PotentialConflict)) if self.planted.answers_in_conflict => {
                Ok(())
            }
            Err(Silence::State(FailoverState::Recover | FailoverState::RecoverWait))
                if self.planted.answers_in_recover && kind == RequestKind::RenewOrRebind =>
            {
                Ok(())
            }
            Err(Silence::OnlyRenewals) if self.planted.answers_all_in_recover_done => Ok(()),
            // A balance that leaves a client without an address is none: who has one for it gives it (F07-4.1-07).
            Err(Silence::OtherServer(_))
                if request.kind == Kind::Discover
                    && !self.partner_has_any(relationship, request.place.network) =>
            {
                Ok(())
            }
            Err(Silence::OtherServer(_)) => Err(Counter::DroppedBalanced),
            Err(Silence::State(_) | Silence::OnlyRenewals | Silence::StorageLost) => {
                Err(Counter::DroppedSilentState)
            }
        }
    }

    /// Whether this server gives this client of BOOTP what it has not had before. A client that has waited is answered by both (RFC 3074),
    /// and of two offers it takes one; but of two leases without end both stay, and an operator has to find the second (F07-5.13-03).
    /// So the other server waits for longer than for an answer: who hears the client has given it something by then, which
    /// both know. It does not where the partner has nothing to give (F07-4.1-07).
    pub(crate) fn begins_for_ever(&self, relationship: RelationshipId, request: &Request<'_>) -> bool {
        let endpoint = self.endpoint(relationship);
        let message = &request.message;
        let identifier = request.client.client_identifier();
        let bucket = Bucket::of_client(endpoint.dialect, identifier, message.htype(), message.chaddr());
        let mut service = endpoint.service();
        service.delayed_service = service.delayed_service.map(|limit| limit.saturating_add(PARTNER_FIRST));
        endpoint.state() != FailoverState::Normal
            || service.serves(endpoint.role(), bucket, message.secs())
            || !self.partner_has_any(relationship, request.place.network)
    }

    /// Whether the partner has an available address of this network, as far as this server knows.
    fn partner_has_any(&self, relationship: RelationshipId, network: NetworkId) -> bool {
        let partners = self.endpoint(relationship).partners();
        let pools = &self.config.network(network).pools;
        pools
            .iter()
            .filter(|pool| self.config.pool(**pool).failover == Some(relationship))
            .any(|pool| self.table.available(*pool, partners) > 0)
    }

    /// Whether a client that got nothing here can get an address of its network from a partner, which is there to give it.
    pub(crate) fn partner_can_give(&self, network: NetworkId) -> bool {
        self.relationships().any(|relationship| {
            self.endpoint(relationship).machine.may_move_pools()
                && self.partner_has_any(relationship, network)
        })
    }

    /// The same where no address is looked at: by any relationship of the network, if it has one.
    pub(crate) fn may_answer_in(&self, request: &Request<'_>) -> Result<(), Counter> {
        if self.endpoints.is_empty() {
            return Ok(());
        }
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
        if self.planted.keeps_what_it_gave && endpoint.role() == Role::Primary {
            return binding.available().is_some();
        }
        let alone = endpoint.state() == FailoverState::PartnerDown && binding.available().is_some();
        if alone && binding.available() == Some(endpoint.partners()) {
            if self.planted.partners_pool_at_once {
                return true;
            }
            if self.planted.never_takes_partners_pool && endpoint.role() == Role::Secondary {
                return false;
            }
        }
        let cut_off = endpoint.state() == FailoverState::CommunicationsInterrupted;
        if self.planted.borrows_when_empty && cut_off && binding.available() == Some(endpoint.partners()) {
            let pool = self.table.pool(slot);
            return pool.is_some_and(|pool| self.table.available(pool, endpoint.own()) == 0);
        }
        // F07-5.13-02, F07-5.13-03.
        let bootp = self.table.pool(slot).is_some_and(|pool| self.config.pool(pool).dynamic_bootp);
        let bootp = bootp && !self.planted.bootp_takes_partners;
        endpoint.machine.may_allocate(now, binding.status, binding.times(), bootp).is_ok()
    }

    /// Whether the partner of this address, if it has one, can be told of something now.
    pub(crate) fn partner_is_in_contact(&self, slot: Slot) -> bool {
        let relationship = self.table.relationship(slot);
        relationship.is_some_and(|relationship| self.endpoint(relationship).is_in_contact())
    }

    /// Whether by the word of people, or of the safe period, there is no partner that could give this address to anybody.
    pub(crate) fn partner_is_down(&self, slot: Slot) -> bool {
        let relationship = self.table.relationship(slot);
        relationship
            .is_some_and(|relationship| self.endpoint(relationship).state() == FailoverState::PartnerDown)
    }

    /// What has been available for longest in this pool, the own list before the partner's.
    pub(crate) fn oldest_of_own(
        &self,
        now: Time,
        relationship: RelationshipId,
        pool: PoolId,
    ) -> Option<Slot> {
        let endpoint = self.endpoint(relationship);
        [endpoint.own(), endpoint.partners()]
            .into_iter()
            .filter_map(|which| self.table.oldest(pool, which))
            .find(|slot| self.may_allocate(now, *slot))
    }

    /// Whether an available address is the partner's.
    pub(crate) fn is_partners(&self, slot: Slot) -> bool {
        let binding = self.table.get(slot);
        self.table.relationship(slot).is_some_and(|relationship| {
            !self.is_reserved_beside(slot)
                && binding.available() == Some(self.endpoint(relationship).partners())
        })
    }

    /// Whether a client that claims an unknown lease is believed: only while the partner cannot be asked (trap T20).
    pub(crate) fn believes_clients(&self, slot: Slot) -> bool {
        self.table.relationship(slot).is_none_or(|relationship| {
            let endpoint = self.endpoint(relationship);
            let alone = !endpoint.is_in_contact() && endpoint.state() != FailoverState::Normal;
            alone || self.planted.take_over_in_contact
        })
    }

    /// Whether nobody is believed about this address at the moment: it was given back, or it became available so lately that what
    /// its last client said before may still come.
    pub(crate) fn is_doubted(&self, now: Time, slot: Slot) -> bool {
        let binding = self.table.get(slot);
        let late = binding.start_time_of_state.time().plus(LONGEST_ON_ITS_WAY);
        let until = if binding.client.is_some() { late } else { Time::ZERO };
        until.max(binding.doubted_until.time()) > now && !self.planted.believes_after_release
    }

    /// The state, where the bindings of this relationship are not what goes: they are missing, or first compared with the
    /// partner's, or this server has said that it goes.
    pub(crate) fn distrusts_bindings(&self, relationship: RelationshipId) -> Option<FailoverState> {
        let endpoint = self.endpoint(relationship);
        let state = endpoint.state();
        let relies = matches!(
            state,
            FailoverState::Normal
                | FailoverState::CommunicationsInterrupted
                | FailoverState::PartnerDown
                | FailoverState::ResolutionInterrupted
                | FailoverState::ConflictDone
        );
        (!relies || endpoint.machine.stored().storage_lost).then_some(state)
    }

    /// How much more than what is known here the partner may have promised of this address; nothing without a partner.
    pub(crate) fn mclt_of(&self, slot: Slot) -> Interval {
        self.table
            .relationship(slot)
            .map_or(Interval::ZERO, |relationship| self.endpoint(relationship).longest_mclt())
    }

    /// No lease can be given any more: said once until the partner is heard, or an operator says that we may go on (T15).
    pub(crate) fn note_lead_time_over(&mut self, slot: Slot, outbox: &mut Outbox) {
        let Some(relationship) = self.table.relationship(slot) else { return };
        if !std::mem::replace(&mut self.endpoint_mut(relationship).lead_time_is_over, true) {
            let name = self.config.relationship(relationship).name.clone();
            outbox.event(Event::LeadTimeOver { relationship: name });
        }
    }

    /// The longest lease that this client may be given of this address now (F07-5.2.1-01, traps T1, T2, T14, T15);
    /// `None`, without a partner, is no bound (F07-9.4.2-07).
    pub(crate) fn longest_lease(&self, now: Time, slot: Slot, client: &ClientIdentity) -> Option<Interval> {
        let endpoint = self.endpoint(self.table.relationship(slot)?);
        let binding = self.table.get(slot);
        let same = binding.client.as_ref() == Some(client);
        let times = if same || self.planted.times_outlive_client { binding.times() } else { Times::NONE };
        let mut bound = endpoint.machine.bound(now);
        let stored_partner_down =
            endpoint.state() == FailoverState::PartnerDown && !endpoint.machine.stored().unproven;
        if self.planted.always_alive
            || self.planted.alive_at_contact && endpoint.was_compared
            || self.planted.trust_stored_partner_down && stored_partner_down
        {
            bound.alive = now;
        }
        let mut times = self.as_the_partner_counts(slot, times);
        let cut_off = endpoint.state() == FailoverState::CommunicationsInterrupted;
        if self.planted.own_end_bounds && cut_off && endpoint.role() == Role::Secondary {
            times.acked_potential_expiration = times.acked_potential_expiration.max(times.lease_expiration);
        }
        if self.planted.sent_end_bounds && endpoint.state() == FailoverState::Normal {
            let sent = times.sent_potential_expiration;
            times.acked_potential_expiration = times.acked_potential_expiration.max(sent);
        }
        if self.planted.received_raises_nothing {
            times.received_potential_expiration = Time::ZERO;
        }
        Some(bound.latest_end(times).since(now))
    }
}

impl Engine {
    /// What the partner knows, by the time that goes now: what it told is over earlier than recorded where a reboot took away
    /// what our time was ahead.
    fn as_the_partner_counts(&self, slot: Slot, mut times: Times) -> Times {
        let back = self.table.went_back(slot);
        times.received_potential_expiration = times.received_potential_expiration.minus(back);
        times
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

    /// The stay in PARTNER-DOWN, for the waits in it.
    pub(super) fn partner_down(&self) -> Option<PartnerDown> {
        (self.state() == FailoverState::PartnerDown).then(|| PartnerDown {
            entered: self.machine.stored().entered,
            last_contact: self.machine.stored().last_contact,
            mclt: self.longest_mclt(),
        })
    }
}
