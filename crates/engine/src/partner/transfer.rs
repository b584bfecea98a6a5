//! UPDREQ and UPDREQALL: the partner wants all that it has not seen, or everything (F07 7.3, 7.4).
//!
//! *Lives here:* [`Transfer`], a cursor over all bindings, and the count of what is owed before UPDDONE; the raise of
//! trap T16 that goes before it when the partner lost its bindings.
//! *Must not know:* how updates are sent; they go through the same queue as all others.

use crate::config::RelationshipId;
use crate::engine::{Engine, WORK_PER_CALL};
use crate::event::Event;
use crate::input::LinkId;
use crate::outbox::Outbox;
use crate::record::{Flags, Stamp};
use crate::table::Slot;
use failover::binding::BindingStatus;
use failover::lease::raise_after_loss;
use failover::message::{Message, Xid};
use failover::time::Time;

/// A request that is being answered.
#[derive(Debug, Clone)]
pub(super) struct Transfer {
    xid: Xid,
    /// It dies with its connection (F07-8.6-02).
    link: LinkId,
    everything: bool,
    /// The next slot to be looked at; `None` when all were.
    next: Option<u32>,
}

/// The raise of trap T16, slot by slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raise {
    next: u32,
    store: ([u8; 16], u64),
}

impl Engine {
    /// The partner asks. What is under way now does not count, should it have changed since (F07-7.3.2-02, M2).
    pub(super) fn update_request(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        link: LinkId,
        xid: Xid,
        everything: bool,
        outbox: &mut Outbox,
    ) {
        let endpoint = self.endpoint_mut(relationship);
        // D12-7.4.2-01: what was asked for once is owed until an UPDDONE, whatever the partner asks now.
        let asked_for_everything = everything;
        let everything = everything || endpoint.record.owes_everything || endpoint.partner_lost_storage();
        endpoint.partner_is_back = true;
        endpoint.outstanding.request_came();
        endpoint.transfer = Some(Transfer { xid, link, everything, next: Some(0) });
        if everything && !endpoint.record.owes_everything {
            endpoint.record.owes_everything = true;
            self.store_endpoint(relationship, outbox);
        }
        if asked_for_everything {
            // Whoever wants everything has nothing: it can have promised what it does not know any more (trap T16).
            self.partner_lost_store(relationship, outbox);
        }
        self.go_on_with_transfer(now, relationship, WORK_PER_CALL, outbox);
    }

    /// A partner that lost its store may have renewed anything as far as it could, and told nobody (trap T16).
    pub(super) fn partner_lost_store(&mut self, relationship: RelationshipId, outbox: &mut Outbox) {
        if self.planted.no_raise {
            return;
        }
        let name = self.config.relationship(relationship).name.clone();
        let endpoint = self.endpoint_mut(relationship);
        // Another make has no identity to tell: then one loss is as good as another until it has recovered.
        let store = endpoint.record.partner_store.unwrap_or_default();
        let done = |raised: Option<([u8; 16], u64)>| raised.is_some_and(|raised| raised.0 == store.0);
        if done(endpoint.record.raised_for) || done(endpoint.raise.map(|raise| raise.store)) {
            return;
        }
        endpoint.raise = Some(Raise { next: 0, store });
        outbox.event(Event::PartnerLostStore { relationship: name });
    }

    /// Does up to `budget` slots of what is under way; returns what is left of the budget.
    pub(super) fn go_on_with_transfer(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        mut budget: u32,
        outbox: &mut Outbox,
    ) -> u32 {
        while budget > 0
            && let Some(raise) = self.endpoint(relationship).raise
        {
            budget -= 1;
            self.raise_one(now, relationship, raise, outbox);
        }
        while budget > 0
            && let Some(next) = self.endpoint(relationship).transfer.as_ref().and_then(|transfer| transfer.next)
        {
            budget -= 1;
            self.owe_one(relationship, next);
        }
        self.finish_transfer(relationship, outbox);
        budget
    }

    /// Whether there is work that does not wait for the partner.
    pub(super) fn transfer_has_work(&self, relationship: RelationshipId) -> bool {
        let endpoint = self.endpoint(relationship);
        endpoint.raise.is_some() || endpoint.transfer.as_ref().is_some_and(|transfer| transfer.next.is_some())
    }

    /// One binding that was owed has been acknowledged.
    pub(super) fn no_longer_owed(&mut self, relationship: RelationshipId, slot: Slot) {
        if self.table.get(slot).flags.contains(Flags::OWED) {
            self.table.set_flags(slot, Flags::OWED, false);
            self.settled(relationship);
        }
    }

    pub(super) fn settled(&mut self, relationship: RelationshipId) {
        let endpoint = self.endpoint_mut(relationship);
        endpoint.owed = endpoint.owed.saturating_sub(1);
    }

    /// To MCLT after the latest that either can have promised, counted from now: one record each, and EXPIRED and RELEASED
    /// are ACTIVE again, for the partner may have renewed them (M8, M9).
    fn raise_one(&mut self, now: Time, relationship: RelationshipId, raise: Raise, outbox: &mut Outbox) {
        let Some(slot) = self.table.by_number(raise.next) else {
            let endpoint = self.endpoint_mut(relationship);
            endpoint.raise = None;
            endpoint.record.raised_for = Some(raise.store);
            self.store_endpoint(relationship, outbox);
            return;
        };
        self.endpoint_mut(relationship).raise = Some(Raise { next: raise.next + 1, ..raise });
        if self.table.relationship(slot) != Some(relationship) {
            return;
        }
        let mclt = self.endpoint(relationship).mclt();
        let binding = self.table.get(slot);
        let told = binding.flags.contains(Flags::TOLD);
        let raised = raise_after_loss(now, mclt, binding.status, binding.times(), told, None, 0);
        let Some(raised) = raised else { return };
        self.table.change(&self.config, slot, |binding| {
            if binding.status != raised.status {
                binding.status = raised.status;
                binding.start_time_of_state = Stamp::at_or_before(now);
            }
            if binding.status == BindingStatus::Active {
                binding.lease_expiration = Stamp::at_or_after(raised.lease_expiration);
            }
        });
        self.changed(slot, outbox);
    }

    fn owe_one(&mut self, relationship: RelationshipId, next: u32) {
        let slot = self.table.by_number(next);
        let Some(transfer) = self.endpoint_mut(relationship).transfer.as_mut() else { return };
        let everything = transfer.everything;
        transfer.next = slot.map(|_| next + 1);
        let Some(slot) = slot.filter(|slot| self.table.relationship(*slot) == Some(relationship)) else {
            return;
        };
        let binding = self.table.get(slot);
        // D12-5.16-04, trap T16: an unused BACKUP address is told too, or an empty primary would own it.
        let owed = binding.flags.contains(Flags::UNSEEN) || everything && binding.is_worth_a_record();
        let flagged = binding.flags.contains(Flags::OWED);
        if owed {
            if !flagged {
                self.table.set_flags(slot, Flags::OWED, true);
                self.endpoint_mut(relationship).owed += 1;
            }
            let waits = self.endpoint(relationship).outstanding.get(slot).is_some()
                || self.endpoint(relationship).is_refused(slot);
            if !waits {
                self.table.queue.push(relationship, slot);
            }
        } else if flagged {
            self.no_longer_owed(relationship, slot);
        }
    }

    /// F07-7.5.1-01: as soon as the last of the acknowledgements is there.
    fn finish_transfer(&mut self, relationship: RelationshipId, outbox: &mut Outbox) {
        let endpoint = self.endpoint_mut(relationship);
        let done = endpoint.owed == 0
            && endpoint.raise.is_none()
            && endpoint.transfer.as_ref().is_some_and(|transfer| transfer.next.is_none());
        if !done && !(self.planted.updone_early && self.endpoint(relationship).transfer.is_some()) {
            return;
        }
        let endpoint = self.endpoint_mut(relationship);
        let Some(transfer) = endpoint.transfer.take() else { return };
        if endpoint.link != Some(transfer.link) {
            return;
        }
        if transfer.everything {
            endpoint.record.owes_everything = false;
            self.store_endpoint(relationship, outbox);
        }
        self.respond(relationship, transfer.xid, Message::UpdDone, outbox);
    }
}
