//! What the partner is told without being asked: every change, as soon as the window allows.
//!
//! *Lives here:* [`Engine::changed`], [`Engine::tell_partner`].
//! *May know:* the queue, what is under way, the window.
//! *Must not know:* why a binding changed.

use super::outstanding::Sent;
use super::transaction::describe;
use crate::config::RelationshipId;
use crate::engine::Engine;
use crate::outbox::Outbox;
use crate::record::{Flags, Stamp};
use crate::table::Slot;
use failover::binding::BindingStatus;
use failover::message::{BindingUpdate, BindingUpdates, MAX_MESSAGE, Message, Xid};
use failover::time::Time;

/// Bytes of a message that transactions may fill: header, digest and something to spare stay free.
const ROOM: usize = MAX_MESSAGE - 64;

impl Engine {
    /// A binding changed by ourselves: records it, and has the partner told (F07-5.4-02).
    pub(crate) fn changed(&mut self, slot: Slot, outbox: &mut Outbox) {
        if let Some(relationship) = self.table.relationship(slot) {
            self.table.set_flags(slot, Flags::UNSEEN, true);
            self.to_be_told(relationship, slot);
        }
        self.record(slot, outbox);
    }

    /// Puts a binding into the queue, or, while it is under way, back into it when the answer has come (trap T22).
    pub(super) fn to_be_told(&mut self, relationship: RelationshipId, slot: Slot) {
        let endpoint = self.endpoint_mut(relationship);
        if endpoint.outstanding.get(slot).is_some() {
            endpoint.outstanding.changed(slot);
        } else {
            self.table.queue.push(relationship, slot);
        }
    }

    /// Sends what waits, as far as the partner's window allows (F07-7.3.2-08).
    pub(super) fn tell_partner(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        while self.endpoint(relationship).window_is_open() && self.table.queue.len(relationship) > 0 {
            let batches = self.endpoint(relationship).dialect.may_batch();
            let Some(xid) = self.endpoint_mut(relationship).next_xid() else { return };
            let mut updates = Vec::new();
            let mut size = 0;
            while let Some(slot) = self.table.queue.pop(relationship) {
                if let Some(update) = self.announce(now, relationship, slot, xid, outbox) {
                    size += size_of_update(&update);
                    updates.push(update);
                }
                if !batches && !updates.is_empty() || size + MAX_UPDATE > ROOM {
                    break;
                }
            }
            if !updates.is_empty() {
                let message = Message::BndUpd(BindingUpdates::from(updates));
                self.send_as(now, relationship, xid, message, outbox);
            }
        }
    }

    /// What is said of one binding now; `None` when nothing has to be.
    fn announce(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        slot: Slot,
        xid: Xid,
        outbox: &mut Outbox,
    ) -> Option<BindingUpdate> {
        let recalled = self.endpoint(relationship).recalled.contains(&slot);
        let flags = self.table.get(slot).flags;
        if !recalled && !flags.contains(Flags::UNSEEN) && !flags.contains(Flags::OWED) {
            return None;
        }
        let gone = matches!(
            self.table.get(slot).status,
            BindingStatus::Expired | BindingStatus::Released | BindingStatus::Reset
        );
        if gone && !flags.contains(Flags::TOLD) {
            // Trap T5: from here on the partner may agree, and the same client has no claim any more.
            self.table.set_flags(slot, Flags::TOLD, true);
            self.record(slot, outbox);
        }
        let endpoint = self.endpoint(relationship);
        let binding = self.table.get(slot);
        let mut update = describe(binding, endpoint.dialect);
        if recalled {
            update.status = BindingStatus::Free;
        }
        let active = update.status == BindingStatus::Active;
        let sent = Sent {
            xid,
            client: binding.client.clone(),
            status: update.status,
            potential: if active {
                binding.sent_potential_expiration.max(binding.lease_expiration)
            } else {
                Stamp::NONE
            },
            changed: false,
            counts: true,
        };
        self.endpoint_mut(relationship).outstanding.insert(now, slot, sent);
        Some(update)
    }
}

/// Largest transaction: every option of table 1.9, with identifiers and client options at their bounds.
const MAX_UPDATE: usize = 1000;

fn size_of_update(update: &BindingUpdate) -> usize {
    let times = [
        update.lease_expiration,
        update.potential_expiration,
        update.start_time_of_state,
        update.client_last_transaction_time,
    ];
    let sized = |length: Option<usize>| length.map_or(0, |length| 4 + length);
    8 + 5
        + 6
        + 8 * times.iter().flatten().count()
        + sized(update.client_identifier.as_ref().map(Vec::len))
        + sized(update.hardware.as_ref().map(|hardware| 1 + hardware.address.len()))
        + sized(update.request_options.as_ref().map(|options| 4 + options.options.len()))
}
