//! The state of an endpoint: what follows from it, and what it follows from.
//!
//! *Lives here:* the way from events to `failover::endpoint` and from its actions to records, messages and bindings.
//! *Must not know:* which state follows which: `failover::endpoint` does.

use super::{STAMP_EVERY, settings};
use crate::config::RelationshipId;
use crate::engine::Engine;
use crate::event::Event;
use crate::input::StorageHealth;
use crate::outbox::Outbox;
use crate::record::{EndpointRecord, Record};
use crate::table::Authority;
use failover::balance::HashBucketAssignment;
use failover::connection::{Established, Ticket};
use failover::endpoint::{Action, Durable, Endpoint as Machine, Event as Happening, PartnerState};
use failover::message::{Message, RejectReason, Rejection, StateMessage, TandemInfo};
use failover::state::{FailoverState, Role};
use failover::time::{ClockDelta, Interval, Time};

/// How long this server may be unable to serve before it leaves NORMAL (L8).
pub(super) const UNFIT_WAIT: Interval = Interval::from_seconds(30);

/// A partner's last-communicated time that is so much later than ours means that our store is not what it was (D12-5.16-02).
const MUCH_AHEAD: Interval = Interval::from_seconds(60);

/// A STATE message in our terms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) state: FailoverState,
    pub(super) startup: bool,
    pub(super) since: Time,
    pub(super) tandem: Option<TandemInfo>,
}

impl Engine {
    /// The replay is over: each endpoint goes on from what is stored, in STARTUP (F07-9.1-01).
    pub(crate) fn start_endpoints(&mut self, now: Time, outbox: &mut Outbox) {
        for relationship in self.relationships() {
            let parts = self.config.relationship(relationship).clone();
            let endpoint = self.endpoint_mut(relationship);
            let found = (endpoint.record.since > Time::ZERO).then(|| durable(&endpoint.record));
            let record = &mut endpoint.record;
            if record.mclt == Interval::ZERO || parts.role == Role::Primary {
                record.mclt = parts.mclt;
            }
            if parts.role == Role::Primary {
                record.buckets = Some(HashBucketAssignment::from_split(parts.split).to_bytes());
            }
            endpoint.last_communicated = record.last_communicated;
            let mut settings = settings(&parts);
            settings.skips_recover_wait = self.planted.skip_recover_wait;
            let endpoint = self.endpoint_mut(relationship);
            endpoint.machine = Machine::start(settings, found, endpoint.record.mclt, now);
            endpoint.connect_at = now;
            endpoint.stamp_at = now;
            self.store_endpoint(relationship, outbox);
            self.set_authority(relationship);
        }
    }

    /// Takes a stored endpoint, if the configuration still has it in the same role.
    pub(crate) fn restore_endpoint(&mut self, record: &EndpointRecord) {
        for endpoint in &mut self.endpoints {
            if endpoint.record.name == record.name && endpoint.record.role == record.role {
                endpoint.record = record.clone();
            }
        }
    }

    /// All endpoints as a snapshot has them.
    pub(crate) fn endpoint_records(&self) -> impl Iterator<Item = Record<'static>> + '_ {
        self.endpoints.iter().map(|endpoint| Record::Endpoint(endpoint.record.clone()))
    }

    /// Stores what must survive; what is queued for the partner from now on rests on it.
    pub(super) fn store_endpoint(&mut self, relationship: RelationshipId, outbox: &mut Outbox) {
        let endpoint = self.endpoint_mut(relationship);
        let durable = *endpoint.machine.durable();
        let record = &mut endpoint.record;
        record.state = durable.state;
        record.since = durable.since;
        record.resumes = durable.resumes;
        record.partner = durable.partner;
        record.storage_lost = durable.storage_lost;
        record.recover_from = durable.recover_from;
        record.last_operation = durable.last_operation;
        record.last_communicated = endpoint.last_communicated;
        let record = Record::Endpoint(endpoint.record.clone());
        outbox.record(&record);
    }

    /// The terms of a new connection, before anything is said on it (F07-7.8.2-11, -13; Q45).
    pub(super) fn take_terms(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        established: &Established,
        outbox: &mut Outbox,
    ) {
        let endpoint = self.endpoint_mut(relationship);
        if endpoint.role() == Role::Secondary {
            endpoint.record.mclt = established.mclt;
            endpoint.record.buckets = Some(established.service.buckets.to_bytes());
            endpoint.record.last_connect = established.connect_time;
            endpoint.machine.set_mclt(established.mclt);
        }
        if let Some(tandem) = established.tandem {
            endpoint.record.partner_store = Some((tandem.store_identity, tandem.store_generation));
            self.compare_memories(now, relationship, &tandem, established.delta, outbox);
        }
        self.set_authority(relationship);
        self.store_endpoint(relationship, outbox);
    }

    /// D12 5.16: a partner that remembers more of us than we do shows that our store is lost, or an old one.
    fn compare_memories(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        tandem: &TandemInfo,
        delta: ClockDelta,
        outbox: &mut Outbox,
    ) {
        let partners = tandem.last_communicated.to_time(delta);
        let endpoint = self.endpoint_mut(relationship);
        let ours = endpoint.record.last_communicated.max(endpoint.machine.durable().last_operation);
        if partners == Time::ZERO || endpoint.machine.durable().storage_lost {
            return;
        }
        if partners > ours.plus(MUCH_AHEAD) {
            let name = self.config.relationship(relationship).name.clone();
            outbox.event(Event::StorageLost { relationship: name });
            let actions = self.endpoint_mut(relationship).machine.storage_is_lost(now);
            self.act(now, relationship, actions, outbox);
        }
    }

    /// The partner's STATE (F07-7.10.2-01).
    pub(super) fn partner_said_state(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        told: &Told,
        outbox: &mut Outbox,
    ) {
        let partner = PartnerState {
            state: told.state,
            startup: told.startup,
            since: told.since,
            storage_lost: told.tandem.is_some_and(|tandem| tandem.storage_lost),
            never_ran: told.tandem.is_some_and(|tandem| tandem.last_communicated.0 == 0),
        };
        if !partner.storage_lost {
            self.endpoint_mut(relationship).record.raised_for = None;
        }
        self.happens(now, relationship, Happening::Partner(partner), outbox);
    }

    /// What was asked for is there, if this answers what was asked last.
    pub(super) fn update_done(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        ticket: Ticket,
        outbox: &mut Outbox,
    ) {
        if self.endpoint(relationship).asked == Some(ticket) {
            self.endpoint_mut(relationship).asked = None;
            self.happens(now, relationship, Happening::UpdateDone, outbox);
        }
    }

    /// Communications failed: what was under way is to be told again (F07-8.6-02, T9).
    pub(super) fn lost_contact(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        let keeps_seen = self.planted.seen_over_reconnection;
        let endpoint = self.endpoint_mut(relationship);
        endpoint.link = None;
        endpoint.said = None;
        endpoint.asked = None;
        endpoint.transfer = None;
        endpoint.recalled.clear();
        let again: Vec<_> =
            endpoint.outstanding.abandon().into_iter().chain(std::mem::take(&mut endpoint.refused).into_keys()).collect();
        for slot in again {
            if keeps_seen {
                self.table.set_flags(slot, crate::record::Flags::UNSEEN, false);
            } else {
                self.table.queue.push(relationship, slot);
            }
        }
        self.happens(now, relationship, Happening::ContactLost, outbox);
    }

    /// What is due for the state and for its promises.
    pub(super) fn endpoint_due(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        self.happens(now, relationship, Happening::Look, outbox);
        if self.endpoint(relationship).stamp_at <= now {
            let endpoint = self.endpoint_mut(relationship);
            endpoint.stamp_at = now.plus(STAMP_EVERY);
            if endpoint.machine.operates(now) {
                self.store_endpoint(relationship, outbox);
            }
        }
        if self.endpoint(relationship).is_in_contact() {
            self.retry_refused(now, relationship);
            if self.endpoint(relationship).look_at_pools <= now {
                self.look_at_pools(now, relationship, outbox);
            }
        }
        self.leave_if_unfit(now, relationship, outbox);
        self.tell_partner(relationship, outbox);
    }

    /// A server that cannot serve says so, and lets its partner serve (L8).
    pub(crate) fn look_at_fitness(&mut self, now: Time, outbox: &mut Outbox) {
        let fit = self.storage == StorageHealth::Ok && !self.interfaces.is_empty();
        for relationship in self.relationships() {
            let endpoint = self.endpoint_mut(relationship);
            match (fit, endpoint.unfit_since) {
                (true, Some(_)) => {
                    endpoint.unfit_since = None;
                    endpoint.connect_at = now;
                }
                (false, None) => endpoint.unfit_since = Some(now),
                _ => {}
            }
            self.leave_if_unfit(now, relationship, outbox);
        }
    }

    fn leave_if_unfit(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        let endpoint = self.endpoint(relationship);
        let over = endpoint.unfit_since.is_some_and(|since| since.plus(UNFIT_WAIT) <= now);
        if over && endpoint.link.is_some() {
            let name = self.config.relationship(relationship).name.clone();
            outbox.event(Event::CannotServe { relationship: name });
            let text = "this server cannot serve its clients at the moment".to_owned();
            self.hang_up(now, relationship, Rejection::saying(RejectReason::UNKNOWN, text), outbox);
        }
    }

    pub(super) fn happens(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        event: Happening,
        outbox: &mut Outbox,
    ) {
        let agreed = self.is_agreed(relationship);
        let actions = self.endpoint_mut(relationship).machine.handle(now, event, agreed);
        self.act(now, relationship, actions, outbox);
    }

    /// Trap T17: nothing is left that the partner must have agreed to before both are in NORMAL.
    fn is_agreed(&self, relationship: RelationshipId) -> bool {
        self.table.unagreed(relationship) == 0 || self.planted.ignore_unagreed
    }

    /// Something that the partner must agree to is agreed: NORMAL may have waited for it.
    pub(super) fn agreed_to_something(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        if self.is_agreed(relationship) {
            self.happens(now, relationship, Happening::Look, outbox);
        }
    }

    pub(super) fn act(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        actions: Vec<Action>,
        outbox: &mut Outbox,
    ) {
        for action in actions {
            match action {
                Action::Store => self.store_endpoint(relationship, outbox),
                Action::Entered { from, to } => self.entered(relationship, from, to, outbox),
                Action::Ask { everything } => {
                    // The STATE that goes with it comes first.
                    self.say_state(relationship, outbox);
                    let message = if everything { Message::UpdReqAll } else { Message::UpdReq };
                    let ticket = self.request(relationship, message, outbox);
                    self.endpoint_mut(relationship).asked = ticket;
                }
                Action::PartnerLostStorage => self.partner_lost_store(relationship, outbox),
                Action::BalancePools => self.endpoint_mut(relationship).look_at_pools = now,
            }
        }
        self.say_state(relationship, outbox);
    }

    fn entered(
        &mut self,
        relationship: RelationshipId,
        from: FailoverState,
        to: FailoverState,
        outbox: &mut Outbox,
    ) {
        self.counters.edge(from, to);
        self.set_authority(relationship);
        let endpoint = self.endpoint_mut(relationship);
        if to != FailoverState::Normal {
            endpoint.recalled.clear();
        }
        if to == FailoverState::PartnerDown || from == FailoverState::PartnerDown {
            endpoint.partner_is_back = false;
        }
        let name = self.config.relationship(relationship).name.clone();
        outbox.event(Event::StateChanged { relationship: name, from, to });
    }

    fn set_authority(&mut self, relationship: RelationshipId) {
        let endpoint = self.endpoint(relationship);
        let partner_down = endpoint.partner_down();
        let authority =
            Authority { partner_down, resets_abandoned: endpoint.role() == Role::Primary || partner_down.is_some() };
        if self.table.authority(relationship) != authority {
            self.table.set_authority(relationship, authority);
        }
    }

    /// STATE, whenever it differs from what was last said on this connection (F07-7.10-02, trap T24).
    pub(super) fn say_state(&mut self, relationship: RelationshipId, outbox: &mut Outbox) {
        let endpoint = self.endpoint(relationship);
        let announced = endpoint.machine.announced();
        if endpoint.link.is_none() || endpoint.said == Some(announced) {
            return;
        }
        let (state, startup, since) = announced;
        let tandem = endpoint.dialect.sends_vendor_options().then(|| self.tandem_info(relationship));
        let message = StateMessage { state, startup, since: since.to_wire(), tandem };
        self.endpoint_mut(relationship).said = Some(announced);
        self.request(relationship, Message::State(message), outbox);
    }
}

fn durable(record: &EndpointRecord) -> Durable {
    Durable {
        state: record.state,
        since: record.since,
        resumes: record.resumes,
        partner: record.partner,
        storage_lost: record.storage_lost,
        recover_from: record.recover_from,
        last_operation: record.last_operation,
    }
}
