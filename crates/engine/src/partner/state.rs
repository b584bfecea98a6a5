//! The state of an endpoint: what follows from it, and what it follows from.
//!
//! *Lives here:* the way from events to `failover::endpoint` and from its actions to records, messages and bindings.
//! *Must not know:* which state follows which: `failover::endpoint` does.

use super::{Endpoint, STAMP_EVERY, settings, terms};
use crate::config::{MAX_UNACKED, RelationshipId};
use crate::engine::Engine;
use crate::event::Event;
use crate::input::StorageHealth;
use crate::outbox::Outbox;
use crate::record::{EndpointRecord, Flags, Record};
use crate::table::Authority;
use failover::balance::HashBucketAssignment;
use failover::connection::Established;
use failover::endpoint::{
    Action, Alarm, Command, Endpoint as Machine, Event as Happening, Memory, Refusal, RejectionKind,
};
use failover::message::{Message, RejectReason, Rejection, StateMessage, TandemInfo};
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time, WireTime};

/// How long this server may be unable to serve before it leaves NORMAL (L8).
pub(super) const UNFIT_WAIT: Interval = Interval::from_seconds(30);

impl Engine {
    /// The replay is over: each endpoint goes on from what is stored, in STARTUP (F07-9.1-01).
    pub(crate) fn start_endpoints(&mut self, now: Time, outbox: &mut Outbox) {
        let forget = self.restore_endpoints(now);
        for relationship in self.relationships() {
            let parts = self.config.relationship(relationship).clone();
            let configuration = self.config.digest_of(relationship);
            let (store_identity, store_generation) = self.store;
            let endpoint = self.endpoint_mut(relationship);
            let record = &mut endpoint.record;
            terms::begin(record, parts.mclt, parts.role);
            if parts.role == Role::Primary {
                record.buckets = Some(HashBucketAssignment::from_split(parts.split).to_bytes());
                record.delayed_service = parts.delayed_service.unwrap_or(0);
            }
            let memory = Memory {
                stored: record.stored,
                last_operation: record.last_operation,
                alive: record.alive,
                storage_lost: forget.contains(&relationship),
            };
            let mut settings = settings(&parts);
            (settings.mclt, settings.longest_mclt) = (record.mclt, record.longest_mclt());
            settings.service = endpoint.service();
            settings.tandem =
                TandemInfo { store_identity, store_generation, configuration, ..TandemInfo::default() };
            let mut actions = Vec::new();
            endpoint.machine = Machine::start(settings, memory, now, &mut actions);
            endpoint.connect_at = now;
            endpoint.stamp_at = now;
            endpoint.started_from = endpoint.record.vouched_for;
            endpoint.is_new = endpoint.record.last_operation == Time::ZERO;
            if endpoint.record.is_raising {
                self.raise_from_start(relationship);
            }
            self.act(now, relationship, actions, outbox);
            self.set_authority(relationship);
        }
    }

    /// Whoever knew this server to be alive did so that much earlier, by the time that goes now (trap T15).
    pub(crate) fn endpoints_time_went_back(&mut self, by: Interval) {
        for relationship in self.relationships() {
            let endpoint = self.endpoint_mut(relationship);
            endpoint.record.alive = endpoint.record.alive.minus(by);
            endpoint.machine.time_went_back(by);
        }
    }

    /// All endpoints as a snapshot has them.
    pub(crate) fn endpoint_records(&self) -> impl Iterator<Item = Record<'_>> {
        self.endpoints.iter().map(|endpoint| Record::Endpoint(endpoint.record.clone()))
    }

    /// Stores what must survive; what is queued for the partner from now on rests on it.
    pub(super) fn store_endpoint(&self, relationship: RelationshipId, outbox: &mut Outbox) {
        outbox.record(&Record::Endpoint(self.endpoint(relationship).record.clone()));
    }

    /// The terms of a new connection, before anything is said on it (F07-7.8.2-11, -13).
    pub(super) fn take_terms(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        established: &Established,
        outbox: &mut Outbox,
    ) {
        let is_signed = self.config.relationship(relationship).secret.is_some();
        let endpoint = self.endpoint_mut(relationship);
        if endpoint.role() == Role::Secondary {
            let record = &mut endpoint.record;
            terms::told(record, established.mclt, now);
            record.buckets = Some(established.service.buckets.to_bytes());
            record.delayed_service = established.service.delayed_service.unwrap_or(0);
            record.last_connect = established.connect_time;
            self.set_terms(relationship);
            self.store_endpoint(relationship, outbox);
        } else if is_signed {
            endpoint.record.last_connect = established.connect_time;
            self.store_endpoint(relationship, outbox);
        }
    }

    /// The partner of a primary has stored its MCLT: its STATE rests on that.
    pub(super) fn terms_are_known(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        let mclt = self.config.relationship(relationship).mclt;
        let endpoint = self.endpoint_mut(relationship);
        if endpoint.role() == Role::Primary && terms::are_news(&endpoint.record, mclt) {
            terms::told(&mut endpoint.record, mclt, now);
            self.set_terms(relationship);
            self.store_endpoint(relationship, outbox);
        }
    }

    fn set_terms(&mut self, relationship: RelationshipId) {
        let endpoint = self.endpoint_mut(relationship);
        let (mclt, longest, service) = (endpoint.mclt(), endpoint.longest_mclt(), endpoint.service());
        endpoint.machine.set_terms(mclt, longest, service);
        self.set_authority(relationship);
    }

    /// Communications failed: what was under way is to be told again (F07-8.6-02, T9).
    pub(super) fn lost_contact(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        self.note_heard(relationship);
        let window = self.config.relationship(relationship).max_unacked;
        let endpoint = self.endpoint_mut(relationship);
        endpoint.link = None;
        let recovers = matches!(endpoint.state(), FailoverState::Recover | FailoverState::RecoverWait);
        if endpoint.dialect.keeps_what_is_under_way() && recovers && !endpoint.asked.is_empty() {
            endpoint.stuck = endpoint.stuck.saturating_add(window).min(MAX_UNACKED);
        }
        // F07-6.1-13.
        endpoint.asked.clear();
        endpoint.transfer = None;
        endpoint.recalled.clear();
        endpoint.giving.clear();
        endpoint.unknown.clear();
        endpoint.not_reserved.clear();
        let under_way = endpoint.outstanding.abandon();
        let refused = std::mem::take(&mut endpoint.refused).into_keys();
        for slot in under_way.into_iter().chain(refused) {
            if self.planted.seen_over_reconnection {
                self.table.set_flags(slot, Flags::UNSEEN, false);
                self.record(slot, outbox);
            } else {
                self.table.queue.push(relationship, slot);
            }
        }
        self.happens(now, relationship, Happening::Lost, outbox);
    }

    /// Records that this process runs, and what it has heard.
    pub(super) fn stamp(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        let stamps = self.planted.stamp_without_contact;
        self.note_heard(relationship);
        let endpoint = self.endpoint_mut(relationship);
        endpoint.stamp_at = now.plus(STAMP_EVERY);
        endpoint.note_operation(now);
        let alive = endpoint.machine.alive(now);
        endpoint.record.alive = if stamps { now } else { alive };
        if terms::forget(&mut endpoint.record, now) {
            self.set_terms(relationship);
        }
        self.store_endpoint(relationship, outbox);
    }

    /// What is due for the state and for its promises.
    pub(super) fn endpoint_due(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        if self.endpoint(relationship).machine.next_deadline().is_some_and(|at| at <= now) {
            self.happens(now, relationship, Happening::Wake, outbox);
        }
        if self.endpoint(relationship).stamp_at <= now {
            self.stamp(now, relationship, outbox);
        }
        self.look_at_certificate(now, relationship, outbox);
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
        if over && endpoint.link.is_some() && !self.planted.stays_unfit {
            let name = self.config.relationship(relationship).name.clone();
            outbox.event(Event::CannotServe { relationship: name });
            let text = "this server cannot serve its clients at the moment".to_owned();
            self.hang_up(now, relationship, Rejection::saying(RejectReason::UNKNOWN, text), outbox);
        }
    }

    /// Lets the endpoint take an event, and does what it says. The refusal, if it was a command and is refused.
    pub(super) fn happens(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        event: Happening,
        outbox: &mut Outbox,
    ) -> Option<Refusal> {
        self.tell_handover(now, relationship, outbox);
        let untold = self.planted.state_only_in_contact && !matches!(event, Happening::Connected { .. });
        self.let_endpoint(now, relationship, outbox, |machine, actions| {
            machine.handle(now, event, actions);
            if untold && !machine.communications_ok() {
                actions.retain(|action| !matches!(action, Action::SendState(_)));
            }
        })
    }

    /// Planted bugs that are in what the partner's STATE is taken for.
    pub(super) fn misread(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        state: &mut StateMessage,
        since: Time,
        outbox: &mut Outbox,
    ) {
        let is_late = self.endpoint(relationship).state() == FailoverState::Normal
            && state.state == FailoverState::ConflictDone;
        if self.planted.chase_normal && is_late {
            // From where it came to that is forgotten.
            let before = StateMessage { state: FailoverState::CommunicationsInterrupted, ..*state };
            self.happens(now, relationship, Happening::State { state: before, since }, outbox);
        }
        let endpoint = self.endpoint(relationship);
        let conflict = endpoint.state() == FailoverState::PotentialConflict;
        if self.planted.chase_normal && conflict && state.state == FailoverState::Normal {
            state.state = FailoverState::ConflictDone;
        }
        let Some(tandem) = state.tandem.as_mut().filter(|tandem| tandem.storage_lost.is_some()) else {
            return;
        };
        if self.planted.losses_look_alike {
            tandem.storage_lost = Some(WireTime(0));
        }
        let conflict = conflict || endpoint.state() == FailoverState::ResolutionInterrupted;
        if self.planted.conflict_with_who_forgot && conflict {
            tandem.storage_lost = None;
            self.raise(relationship, outbox);
        } else if self.planted.raise_again {
            self.raise(relationship, outbox);
        }
    }

    /// Trap T17: whether something is left that the partner must have agreed to before both are in NORMAL. The endpoint
    /// knows before anything else happens to it.
    pub(super) fn tell_handover(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        let pending = self.table.unagreed(relationship) > 0 && !self.planted.ignore_unagreed;
        if self.endpoint(relationship).handover_pending != pending {
            self.endpoint_mut(relationship).handover_pending = pending;
            self.let_endpoint(now, relationship, outbox, |machine, actions| {
                machine.handle(now, Happening::HandoverPending(pending), actions);
            });
        }
    }

    fn let_endpoint(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        outbox: &mut Outbox,
        act: impl FnOnce(&mut Machine, &mut Vec<Action>),
    ) -> Option<Refusal> {
        let before = self.endpoint(relationship).state();
        let mut actions = Vec::new();
        act(&mut self.endpoint_mut(relationship).machine, &mut actions);
        let after = self.endpoint(relationship).state();
        if before != after {
            self.entered(now, relationship, before, after, outbox);
        }
        self.act(now, relationship, actions, outbox)
    }

    fn act(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        actions: Vec<Action>,
        outbox: &mut Outbox,
    ) -> Option<Refusal> {
        let mut refused = None;
        for action in actions {
            match action {
                Action::Store(mut stored) => {
                    self.note_heard(relationship);
                    let leaves = matches!(stored.state, FailoverState::Paused | FailoverState::Shutdown);
                    let is_usual = matches!(
                        stored.previous,
                        FailoverState::Normal | FailoverState::CommunicationsInterrupted
                    );
                    if leaves && !is_usual && self.planted.leaves_from_nowhere {
                        stored.previous = stored.state;
                    }
                    let endpoint = self.endpoint_mut(relationship);
                    endpoint.record.stored = Some(stored);
                    endpoint.record.alive = endpoint.machine.alive(now);
                    if !stored.storage_lost {
                        endpoint.regained.clear();
                    }
                    if stored.state == FailoverState::Shutdown {
                        // Whatever the last stamp was (F07-9.12.1-01).
                        endpoint.note_operation(now);
                    }
                    self.store_endpoint(relationship, outbox);
                }
                Action::SendState(state) => {
                    self.request(relationship, Message::State(state), outbox);
                }
                Action::SendUpdreq(request) | Action::SendUpdreqall(request) => {
                    let all = matches!(action, Action::SendUpdreqall(_));
                    let message = if all { Message::UpdReqAll } else { Message::UpdReq };
                    if let Some(ticket) = self.request(relationship, message, outbox) {
                        self.endpoint_mut(relationship).asked.insert(ticket, request);
                    }
                }
                // F07-7.5-02.
                Action::SendUpddone { to } => self.respond(relationship, to, Message::UpdDone, outbox),
                Action::AnswerUpdreq { all } => self.begin_transfer(now, relationship, all, outbox),
                // What is queued goes out as soon as the window allows, in every state; POOLREQ after it (F07-9.6.1-01, -02).
                Action::SendUpdates => self.tell_partner(relationship, outbox),
                // F07-7.6-01.
                Action::SendPoolreq => {
                    self.request(relationship, Message::PoolReq, outbox);
                }
                Action::RaiseAfterLoss { .. } => self.raise(relationship, outbox),
                Action::Disconnect(kind) => self.hang_up(now, relationship, kind.rejection(), outbox),
                Action::Alarm(alarm) => self.alarm(relationship, alarm, outbox),
                Action::Refuse(refusal) => refused = Some(refusal),
                Action::Stop => {
                    self.endpoint_mut(relationship).has_stopped = true;
                    // Where it was not closed before: the partner has answered SHUTDOWN, and nothing more is to be said.
                    self.hang_up(now, relationship, RejectionKind::ShuttingDown.rejection(), outbox);
                }
            }
        }
        refused
    }

    fn entered(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        from: FailoverState,
        to: FailoverState,
        outbox: &mut Outbox,
    ) {
        self.counters.edge(from, to);
        self.endpoint_mut(relationship).lead_time_is_over = false;
        self.set_authority(relationship);
        let endpoint = self.endpoint_mut(relationship);
        if to == FailoverState::Normal {
            endpoint.look_at_pools = now.plus(STAMP_EVERY);
            endpoint.stuck = 0;
            self.look_at_reservations(relationship);
        } else {
            endpoint.recalled.clear();
        }
        if to == FailoverState::RecoverWait && self.planted.skip_recover_wait {
            self.endpoint_mut(relationship).machine.handle(
                now,
                Happening::Command(Command::FirstRun),
                &mut Vec::new(),
            );
        }
        let partner = self.endpoint(relationship).machine.partner();
        let partner_paused = to == FailoverState::CommunicationsInterrupted
            && partner.is_some_and(|partner| partner.state == FailoverState::Paused);
        let name = self.config.relationship(relationship).name.clone();
        outbox.event(Event::StateChanged { relationship: name, from, to, partner_paused });
    }

    fn set_authority(&mut self, relationship: RelationshipId) {
        let endpoint = self.endpoint(relationship);
        let mut partner_down = endpoint.partner_down();
        if let (true, Role::Secondary, Some(stay)) =
            (self.planted.waits_for_ever, endpoint.role(), &mut partner_down)
        {
            stay.mclt = Interval::INFINITE;
        }
        let resets_abandoned = endpoint.role() == Role::Primary || partner_down.is_some();
        let authority = Authority { partner_down, resets_abandoned };
        if self.table.authority(relationship) != authority {
            self.table.set_authority(relationship, authority);
        }
    }

    /// What a change of state does not say already.
    fn alarm(&self, relationship: RelationshipId, alarm: Alarm, outbox: &mut Outbox) {
        let name = self.config.relationship(relationship).name.clone();
        match alarm {
            Alarm::PartnerLostStorage => outbox.event(Event::PartnerLostStore { relationship: name }),
            Alarm::StorageLost => outbox.event(Event::StorageLost { relationship: name }),
            Alarm::CommunicationsInterrupted
            | Alarm::SafePeriodOver
            | Alarm::PotentialConflict
            | Alarm::ResolutionInterrupted
            | Alarm::Recovering => {}
        }
    }
}

impl Endpoint {
    /// This process runs at `now`: with the next record that is stable.
    fn note_operation(&mut self, now: Time) {
        self.record.last_operation = now;
        if self.was_compared {
            self.record.vouched_for = now;
        }
    }

    /// Goes on from what is stored.
    pub(crate) fn remember(&mut self, record: EndpointRecord) {
        self.record = record;
    }

    /// PAUSED or SHUTDOWN was told as far as it can be: the process may end.
    pub(super) fn has_stopped(&self) -> bool {
        self.has_stopped
    }
}
