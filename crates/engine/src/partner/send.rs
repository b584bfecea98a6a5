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
use failover::message::{BindingUpdate, BindingUpdates, MAX_MESSAGE, Message};

/// Bytes of a message that transactions may fill: header, digest and something to spare stay free.
const ROOM: usize = MAX_MESSAGE - 64;

impl Engine {
    /// A binding changed by ourselves: records it, and has the partner told (F07-5.4-02).
    /// F07-2.2-03.
    pub(crate) fn changed(&mut self, slot: Slot, outbox: &mut Outbox) {
        if let Some(relationship) = self.table.relationship(slot) {
            self.table.set_flags(slot, Flags::UNSEEN, true);
            // It is not BACKUP any more: what was asked of the partner about it is void.
            self.endpoint_mut(relationship).recalled.remove(&slot);
            self.tell_of(relationship, slot);
        }
        self.record(slot, outbox);
    }

    /// Puts a binding into the queue, or, while it is under way, back into it when the answer has come (trap T22).
    pub(super) fn tell_of(&mut self, relationship: RelationshipId, slot: Slot) {
        let endpoint = self.endpoint_mut(relationship);
        endpoint.refused.remove(&slot);
        if endpoint.outstanding.get(slot).is_some() {
            endpoint.outstanding.changed(slot);
        } else {
            self.table.queue.push(relationship, slot);
            if !self.to_tell.contains(&relationship) {
                self.to_tell.push(relationship);
            }
        }
    }

    /// Tells each partner what it is to be told since the last call.
    pub(crate) fn tell_partners(&mut self, outbox: &mut Outbox) {
        while let Some(relationship) = self.to_tell.pop() {
            self.tell_partner(relationship, outbox);
        }
    }

    /// Sends what waits, as far as the partner's window allows (F07-7.3.2-08).
    pub(super) fn tell_partner(&mut self, relationship: RelationshipId, outbox: &mut Outbox) {
        while self.endpoint(relationship).raise.is_none()
            && (self.endpoint(relationship).window_is_open(&self.links) || self.ignores_window(relationship))
            && self.table.queue.len(relationship) > 0
        {
            // F07-6.3-01.
            let batches = self.endpoint(relationship).dialect.may_batch();
            let (mut updates, mut under_way) = (Vec::new(), Vec::new());
            let mut size = 0;
            while let Some(slot) = self.table.take_untold(relationship) {
                if let Some((update, sent)) = self.announce(relationship, slot, outbox) {
                    size += size_of_update(&update);
                    updates.push(update);
                    under_way.push((slot, sent));
                }
                if !batches && !updates.is_empty() || size + MAX_UPDATE > ROOM {
                    break;
                }
            }
            if updates.is_empty() {
                continue;
            }
            let message = Message::BndUpd(BindingUpdates::from(updates));
            let Some(ticket) = self.request(relationship, message, outbox) else { return };
            for (slot, sent) in under_way {
                self.endpoint_mut(relationship).outstanding.insert(ticket, slot, sent);
            }
        }
    }

    fn ignores_window(&self, relationship: RelationshipId) -> bool {
        let endpoint = self.endpoint(relationship);
        let at_once = self.planted.tells_at_once
            && endpoint.machine.communications_ok()
            && endpoint.has_room(&self.links);
        at_once || self.planted.ignore_window && endpoint.machine.may_send_updates()
    }

    /// What is said of one binding now; `None` when nothing has to be.
    fn announce(
        &mut self,
        relationship: RelationshipId,
        slot: Slot,
        outbox: &mut Outbox,
    ) -> Option<(BindingUpdate, Sent)> {
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
            self.record_acknowledged(slot, outbox);
        }
        let endpoint = self.endpoint(relationship);
        let binding = self.table.get(slot);
        let status = if recalled { BindingStatus::Free } else { endpoint.told_status(slot, binding) };
        let update = describe(binding, status, endpoint.dialect);
        let potential = binding.sent_potential_expiration.max(binding.lease_expiration);
        let sent = Sent {
            client: binding.client.clone(),
            status: update.status,
            potential: if update.status == BindingStatus::Active { potential } else { Stamp::NONE },
            changed: false,
            crossed: false,
            // F07-7.3.2-03.
            counts: true,
        };
        Some((update, sent))
    }
}

/// Largest transaction: every option of table 1.9, with identifiers at their bounds, and [`super::transaction::MAX_DETAILS`].
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
        + sized(update.ddns.as_ref().map(|ddns| 2 + ddns.name.len()))
        + sized(update.request_options.as_ref().map(|options| 4 + options.options.len()))
        + sized(update.reply_options.as_ref().map(|options| 4 + options.options.len()))
}
