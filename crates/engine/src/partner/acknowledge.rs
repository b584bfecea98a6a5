//! A BNDACK: what the partner makes of what it was told (F07 7.2.2).
//!
//! *Lives here:* [`Engine::binding_acks`].
//! *May know:* what was said, and whether the binding is still that.
//! *Must not know:* how updates are made.

use super::outstanding::Sent;
use crate::config::RelationshipId;
use crate::counter::Counter;
use crate::engine::Engine;
use crate::event::Event;
use crate::outbox::Outbox;
use crate::record::{Flags, Stamp};
use crate::table::Slot;
use failover::binding::BindingStatus;
use failover::connection::Ticket;
use failover::lease::status_after_ack;
use failover::message::{BindingAck, RejectReason, Rejection};
use failover::state::Role;
use failover::time::{Interval, Time};

/// How long after a refusal the partner is told again (F07-7.2.1-08, F07-7.2.2-04, trap T7).
const RETRY: Interval = Interval::from_seconds(30);

impl Engine {
    /// The answers to the transactions of one of our BNDUPDs (F07-7.2.1-04).
    pub(super) fn binding_acks(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        ticket: Ticket,
        acks: &[BindingAck],
        outbox: &mut Outbox,
    ) {
        for (place, ack) in acks.iter().enumerate() {
            let Some(slot) = self.table.at(ack.address) else { continue };
            let Some(mut sent) = self.endpoint_mut(relationship).outstanding.answered(ticket, slot) else {
                self.counters.count(Counter::BndackUnexpected);
                continue;
            };
            if self.planted.later_acks_raise_nothing && place > 0 {
                sent.potential = Stamp::NONE;
            }
            match &ack.rejected {
                None => self.accepted(now, relationship, slot, &sent, outbox),
                Some(rejection) => self.rejected(now, relationship, slot, &sent, rejection, outbox),
            }
            self.queue_again(relationship, slot);
        }
        for slot in self.endpoint_mut(relationship).outstanding.unanswered(ticket) {
            self.queue_again(relationship, slot);
        }
        self.go_on_with_transfer(now, relationship, 0, outbox);
        self.tell_handover(now, relationship, outbox);
        self.tell_partner(relationship, outbox);
    }

    /// What is still to be told goes back into the queue, unless it waits for its time.
    fn queue_again(&mut self, relationship: RelationshipId, slot: Slot) {
        let flags = self.table.get(slot).flags;
        let again = flags.contains(Flags::UNSEEN) || flags.contains(Flags::OWED);
        if again && !self.endpoint(relationship).is_refused(slot) {
            self.table.queue.push(relationship, slot);
        }
    }

    fn accepted(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        slot: Slot,
        sent: &Sent,
        outbox: &mut Outbox,
    ) {
        self.counters.count(Counter::BndupdAcknowledged);
        self.endpoint_mut(relationship).giving.remove(&slot);
        if sent.counts || !sent.changed || self.planted.upddone_counts_addresses {
            self.no_longer_owed(relationship, slot);
        }
        // One who lost its bindings can't vouch for what it now says that it knows (trap T16).
        let vouches = !self.endpoint(relationship).partner_lost_storage() || self.planted.who_forgot_vouches;
        let binding = self.table.get(slot);
        let same = binding.client == sent.client && binding.status == BindingStatus::Active;
        if same && sent.status == BindingStatus::Active && vouches {
            let acked = binding.acked_potential_expiration.max(sent.potential);
            self.table.set_acked(slot, acked);
        }
        if sent.changed && !self.planted.ack_frees_whatever {
            if self.is_swapped(slot, sent) {
                // Each took what the other said: nobody would give the address.
                self.changed(slot, outbox);
            } else if same {
                // Who changed it meanwhile has recorded that.
                self.record_acknowledged(slot, outbox);
            }
            return;
        }
        let is_recalled = self.endpoint_mut(relationship).recalled.remove(&slot);
        let mut is_other = is_recalled;
        if is_recalled {
            // F07-5.12-02.
            self.set_status(now, slot, BindingStatus::Free);
        } else if matches!(
            sent.status,
            BindingStatus::Expired | BindingStatus::Released | BindingStatus::Reset
        ) {
            let binding = self.table.get(slot);
            let (until, times) = (binding.lease_expiration.time(), binding.times());
            if status_after_ack(now, sent.status, times, !vouches && !self.planted.who_forgot_consents)
                != BindingStatus::Free
            {
                self.endpoint_mut(relationship).refused.insert(slot, until.plus(Interval::from_seconds(1)));
                return;
            }
            self.set_status(now, slot, BindingStatus::Free);
            is_other = true;
            // F07-5.2.2-04.
            self.counters.count(Counter::Freed);
        }
        self.table.set_flags(slot, Flags::UNSEEN.with(Flags::UNAGREED), false);
        is_other |= self.reservation_agreed(now, relationship, slot, sent.status);
        if is_other {
            self.record(slot, outbox);
        } else {
            self.record_acknowledged(slot, outbox);
        }
    }

    /// Whether the partner took the one of FREE and BACKUP that we said, and we, meanwhile, the other, which it said (trap T22).
    fn is_swapped(&self, slot: Slot, sent: &Sent) -> bool {
        let binding = self.table.get(slot);
        let is_told = !binding.flags.contains(Flags::UNSEEN);
        let both_available = sent.status.is_available() && binding.status.is_available();
        is_told && sent.crossed && both_available && sent.status != binding.status
    }

    fn rejected(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        slot: Slot,
        sent: &Sent,
        rejection: &Rejection,
        outbox: &mut Outbox,
    ) {
        self.counters.count(Counter::BndupdRejected);
        if self.endpoint_mut(relationship).recalled.remove(&slot) {
            // The partner has used it: its own update says how.
            self.table.set_flags(slot, Flags::UNSEEN, false);
            self.record_acknowledged(slot, outbox);
            return;
        }
        let address = self.table.get(slot).ip();
        // Only the primary's own update comes before ours (trap T22). A secondary that says so has the address as ABANDONED, and
        // were both to say theirs again at once, these would cross for ever.
        let comes_second = sent.crossed
            && self.endpoint(relationship).role() == Role::Secondary
            && !self.planted.crossing_counts;
        if rejection.reason == RejectReason::LESS_CRITICAL_BINDING_INFORMATION && comes_second {
            // Said again once the partner's own is through, and owed until then. Its own came before this answer; where none
            // did, this is the figure's (ABANDONED), and an answer like others.
            let again = now.plus(Interval::from_seconds(1));
            self.endpoint_mut(relationship).refused.insert(slot, again);
            return;
        }
        if sent.counts || !sent.changed {
            // F07-7.5-01: a refusal is an answer too.
            self.no_longer_owed(relationship, slot);
        }
        let is_unknown = rejection.reason == RejectReason::ILLEGAL_IP_ADDRESS;
        if is_unknown {
            self.endpoint_mut(relationship).unknown.insert(slot);
        }
        let was_given = self.endpoint_mut(relationship).giving.remove(&slot);
        if sent.changed {
            return;
        }
        // In draft-07 the reason has no number of its own.
        let dialect = self.endpoint(relationship).dialect;
        let not_reserved = sent.status == BindingStatus::Backup
            && rejection.reason.0 == RejectReason::NOT_RESERVED.number(dialect)
            && self.table.get(slot).status == BindingStatus::Free;
        if is_unknown && was_given {
            // It was ours until now, and one that does not have it cannot have leased it: it is ours again.
            self.set_status(now, slot, BindingStatus::Free);
            self.table.set_flags(slot, Flags::UNSEEN.with(Flags::UNAGREED), false);
            self.record(slot, outbox);
        } else if not_reserved {
            // It is told at once that the address is FREE.
            self.reservation_rejected(relationship, slot);
        } else {
            self.endpoint_mut(relationship).refused.insert(slot, now.plus(RETRY));
        }
        if (is_unknown || not_reserved) && self.endpoint(relationship).terms_differ {
            // Once for all of them: the pools or the reservations differ.
            return;
        }
        let name = self.config.relationship(relationship).name.clone();
        outbox.event(Event::UpdateRejected { relationship: name, address, why: rejection.clone() });
    }

    /// Puts what was refused back into the queue when its time has come (F07-7.2.2-05).
    pub(super) fn retry_refused(&mut self, now: Time, relationship: RelationshipId) {
        let endpoint = self.endpoint_mut(relationship);
        let due: Vec<Slot> =
            endpoint.refused.iter().filter(|(_, at)| **at <= now).map(|(slot, _)| *slot).collect();
        for slot in due {
            self.endpoint_mut(relationship).refused.remove(&slot);
            self.table.queue.push(relationship, slot);
        }
    }
}
