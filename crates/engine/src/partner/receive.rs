//! A BNDUPD: what the partner tells of its bindings (F07 7.1).
//!
//! *Lives here:* [`Engine::binding_updates`]: judge, apply, record, acknowledge.
//! *May know:* figure 7.1.3-1 by way of `failover::judge`.
//! *Must not know:* connections; what we tell the partner.

use super::transaction::Claim;
use crate::config::RelationshipId;
use crate::counter::Counter;
use crate::engine::Engine;
use crate::event::Event;
use crate::outbox::Outbox;
use crate::record::{Flags, Stamp};
use crate::table::{Binding, Slot};
use failover::binding::BindingStatus;
use failover::message::{BindingAck, BindingUpdate, BindingUpdates, Message, RejectReason, Xid};
use failover::time::{ClockDelta, Time};

impl Engine {
    /// Each transaction is judged and, when accepted, recorded; one BNDACK for all of them rests on these records
    /// (F07-6.3-05, F07-7.2-01, F07-5.2.1-09).
    pub(super) fn binding_updates(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        xid: Xid,
        updates: &BindingUpdates,
        delta: ClockDelta,
        outbox: &mut Outbox,
    ) {
        let mut acks = updates.malformed.clone();
        for update in &updates.updates {
            let ack = match self.judged(now, relationship, update, delta) {
                Ok((slot, claim)) => {
                    self.counters.count(Counter::BndupdAccepted);
                    self.apply(relationship, slot, update.status, &claim, outbox);
                    BindingAck::accepted(update.address)
                }
                Err(reason) => {
                    self.counters.count(Counter::BndupdRefused);
                    self.note_refusal(relationship, update, reason, outbox);
                    BindingAck::rejected(update.address, reason)
                }
            };
            acks.push(ack);
        }
        self.respond(now, relationship, xid, Message::BndAck(acks), outbox);
    }

    /// Puts what the partner said in place of what we had; of the same client the later times stay (F07-7.1.5-02, S11).
    fn apply(
        &mut self,
        relationship: RelationshipId,
        slot: Slot,
        status: BindingStatus,
        claim: &Claim,
        outbox: &mut Outbox,
    ) {
        let before = self.table.get(slot).clone();
        // F07-5.10-17: whoever agrees that the client is gone sets FREE at once.
        let after = match status {
            BindingStatus::Expired | BindingStatus::Released | BindingStatus::Reset => BindingStatus::Free,
            other => other,
        };
        self.table.change(&self.config, slot, |binding| {
            binding.status = after;
            binding.start_time_of_state = claim.start_time_of_state;
            match after {
                BindingStatus::Active => lease(binding, claim),
                BindingStatus::Abandoned => {
                    binding.clear_times();
                    binding.clear_client();
                }
                _ => {
                    binding.clear_times();
                    if claim.client.is_some() {
                        take_client(binding, claim);
                    }
                }
            }
            binding.flags = binding.flags.without(
                Flags::UNSEEN.with(Flags::TOLD).with(Flags::UNAGREED).with(Flags::OWED),
            );
        });
        if before.flags.contains(Flags::OWED) {
            self.settled(relationship);
        }
        self.endpoint_mut(relationship).forget(slot);
        if is_ahead(self.table.get(slot), &before, claim) {
            // What the client was told here since then is more than the partner knows.
            let keep = before.flags.durable().without(Flags::TOLD).with(Flags::UNSEEN);
            self.table.set_flags(slot, keep, true);
            self.to_be_told(relationship, slot);
        } else {
            self.table.queue.remove(relationship, slot);
            self.endpoint_mut(relationship).outstanding.changed(slot);
        }
        self.note_available(slot);
        self.record(slot, outbox);
        if before.status == BindingStatus::Active
            && after == BindingStatus::Active
            && before.client != claim.client
            && let (Some(loser), Some(winner)) = (before.client, claim.client.clone())
        {
            outbox.event(Event::ConflictResolved { address: self.table.get(slot).ip(), winner, loser });
        }
    }

    fn note_refusal(
        &mut self,
        relationship: RelationshipId,
        update: &BindingUpdate,
        reason: RejectReason,
        outbox: &mut Outbox,
    ) {
        if matches!(
            reason,
            RejectReason::LESS_CRITICAL_BINDING_INFORMATION | RejectReason::OUTDATED_BINDING_INFORMATION
        ) {
            return;
        }
        let name = self.config.relationship(relationship).name.clone();
        let address = update.address;
        outbox.event(Event::UpdateRefused { relationship: name, address, status: update.status, reason });
    }
}

/// An ACTIVE binding as the partner has it.
fn lease(binding: &mut Binding, claim: &Claim) {
    let same = binding.client == claim.client;
    if !same {
        binding.clear_times();
        binding.client_last_transaction_time = Stamp::NONE;
    }
    let lease_expiration = Stamp::at_or_after(claim.lease_expiration.unwrap_or(Time::ZERO));
    let potential = Stamp::at_or_after(claim.potential_expiration.unwrap_or(Time::ZERO));
    binding.lease_expiration = binding.lease_expiration.max(lease_expiration);
    // Q10: what is announced is never before the end that was given.
    binding.received_potential_expiration =
        binding.received_potential_expiration.max(potential).max(lease_expiration);
    take_client(binding, claim);
}

fn take_client(binding: &mut Binding, claim: &Claim) {
    binding.client = claim.client.clone();
    let heard = Stamp::at_or_before(claim.client_last_transaction_time.unwrap_or(Time::ZERO));
    if heard >= binding.client_last_transaction_time {
        binding.client_last_transaction_time = heard;
        binding.set_hardware(claim.hardware);
        if claim.says_details {
            binding.set_extras(&claim.host_name, &claim.relay_agent_information, &claim.vendor_class);
        }
    }
}

/// Whether we know more of the same client than the update said, and had not told it.
fn is_ahead(after: &Binding, before: &Binding, claim: &Claim) -> bool {
    before.flags.contains(Flags::UNSEEN)
        && after.status == BindingStatus::Active
        && before.status == BindingStatus::Active
        && before.client == claim.client
        && (after.lease_expiration.time() > claim.lease_expiration.unwrap_or(Time::ZERO)
            || after.client_last_transaction_time.time()
                > claim.client_last_transaction_time.unwrap_or(Time::ZERO))
}
