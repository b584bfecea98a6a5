//! UPDREQ and UPDREQALL: the partner wants all that it has not seen, or everything (F07 7.3, 7.4).
//!
//! *Lives here:* [`Transfer`], a cursor over all bindings, and the count of what is owed before UPDDONE; the raise of
//! trap T16 that goes before it when the partner lost its bindings.
//! *Must not know:* how updates are sent; they go through the same queue as all others.

use crate::config::RelationshipId;
use crate::engine::{Engine, WORK_PER_CALL};
use crate::outbox::Outbox;
use crate::record::{Flags, Stamp};
use crate::table::Slot;
use failover::binding::BindingStatus;
use failover::endpoint::Event as Happening;
use failover::lease::raise_after_loss;
use failover::time::{Interval, Time};

/// A request that is being answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transfer {
    everything: bool,
    /// The next slot to be looked at; `None` when all were.
    next: Option<u32>,
}

/// The raise of trap T16, slot by slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raise {
    next: u32,
}

impl Engine {
    /// The partner asks. What is under way now does not count, should it have changed since (F07-7.3.2-02, M2).
    /// F07-7.3.2-05.
    pub(super) fn begin_transfer(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        all: bool,
        outbox: &mut Outbox,
    ) {
        let endpoint = self.endpoint_mut(relationship);
        // D12-7.4.2-01: what was asked for once is owed until an UPDDONE, whatever the partner asks now.
        let everything = all || endpoint.machine.stored().owes_everything;
        endpoint.outstanding.request_came();
        endpoint.transfer = Some(Transfer { everything, next: Some(0) });
        self.go_on_with_transfer(now, relationship, WORK_PER_CALL, outbox);
    }

    /// A partner that lost its bindings may have renewed anything as far as it could, and told nobody (trap T16).
    pub(super) fn raise(&mut self, relationship: RelationshipId, outbox: &mut Outbox) {
        if !self.planted.no_raise {
            self.raise_from_start(relationship);
            // A crash in the middle begins it again: nothing was told meanwhile, and an end only moves later.
            self.endpoint_mut(relationship).record.is_raising = true;
            self.store_endpoint(relationship, outbox);
        }
    }

    pub(super) fn raise_from_start(&mut self, relationship: RelationshipId) {
        self.endpoint_mut(relationship).raise = Some(Raise { next: 0 });
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
            && let Some(next) = self.endpoint(relationship).transfer.and_then(|transfer| transfer.next)
        {
            budget -= 1;
            self.owe_one(relationship, next);
        }
        self.finish_transfer(now, relationship, outbox);
        budget
    }

    /// Whether there is work that does not wait for the partner.
    pub(super) fn transfer_has_work(&self, relationship: RelationshipId) -> bool {
        let endpoint = self.endpoint(relationship);
        endpoint.raise.is_some() || endpoint.transfer.is_some_and(|transfer| transfer.next.is_some())
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
            endpoint.record.is_raising = false;
            self.store_endpoint(relationship, outbox);
            return;
        };
        self.endpoint_mut(relationship).raise = Some(Raise { next: raise.next + 1 });
        if self.table.relationship(slot) != Some(relationship) {
            return;
        }
        let mclt = self.endpoint(relationship).longest_mclt();
        let binding = self.table.get(slot);
        let told = binding.flags.contains(Flags::TOLD);
        let now = if self.planted.raise_without_now { Time::ZERO } else { now };
        let ended = matches!(binding.status, BindingStatus::Expired | BindingStatus::Released);
        if ended && self.planted.raise_leaves_ended {
            return;
        }
        let raised = raise_after_loss(now, mclt, binding.status, binding.times(), told, None, 0);
        let Some(raised) = raised else { return };
        let more = if self.planted.raises_twice_as_far { mclt } else { Interval::ZERO };
        let forgets = self.planted.raise_forgets_told;
        self.table.change(slot, |binding| {
            if binding.status != raised.status {
                binding.status = raised.status;
                binding.start_time_of_state = Stamp::at_or_before(now);
            }
            if binding.status == BindingStatus::Active {
                binding.lease_expiration = Stamp::at_or_after(raised.lease_expiration.plus(more));
            }
            if forgets {
                binding.flags = binding.flags.without(Flags::TOLD);
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
        // D12-5.16-04, trap T16: an unused BACKUP address is told too, or an empty primary would own it; and a FREE one with a
        // past, which an old copy has as something else. What was always FREE here, no store of the partner's ever knew as
        // anything that both had agreed on (F07-7.3.2-01, F07-7.4.2-01).
        // D12-5.16-01.
        let left_out = self.planted.everything_but_backup && binding.status == BindingStatus::Backup;
        let owed =
            binding.flags.contains(Flags::UNSEEN) || everything && binding.is_worth_a_record() && !left_out;
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
    fn finish_transfer(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        let endpoint = self.endpoint_mut(relationship);
        let all_looked_at = endpoint.transfer.is_some_and(|transfer| transfer.next.is_none());
        let done = endpoint.owed == 0 && endpoint.raise.is_none() && all_looked_at;
        if done {
            self.endpoint_mut(relationship).transfer = None;
            self.happens(now, relationship, Happening::UpdatesDelivered, outbox);
        }
    }
}
