//! Reserved addresses of a pool that is shared (F07 5.12).
//!
//! *Lives here:* what is told of them: that a reservation began, and that it ended.
//! *May know:* reservations of the configuration, and for whom the two knew an address to be reserved.
//! *Must not know:* whether a client is the one for whom an address is reserved; how updates are sent.
//!
//! A reserved address that nobody has is FREE for the primary and BACKUP for the secondary at once: either may give it, and both to
//! one client only. So it is noted for whom, by the primary when it says so, by the secondary when it takes it. Where that is not
//! whom the configuration names now, the address belongs to one of the two again: for the primary it is BACKUP until the
//! secondary has let it go, and the secondary lets it go by itself. Else one would give it to the client of then,
//! and the other to that of now, or to anybody.
//!
//! A dhcpd has reservations beside its leases, and hears nothing of ours.

use super::Endpoint;
use super::pools::{AT_ONCE, GO_ON};
use crate::config::RelationshipId;
use crate::engine::Engine;
use crate::outbox::Outbox;
use crate::record::{Flags, Stamp};
use crate::table::{Binding, Slot};
use failover::binding::BindingStatus;
use failover::judge::Update;
use failover::state::Role;
use failover::time::Time;

impl Engine {
    /// Before the table is started: what becomes of addresses whose reservation is another than the two know, and which are to be
    /// looked at once both are in NORMAL. Those that changed.
    pub(crate) fn take_over_reservations(&mut self, now: Time) -> Vec<Slot> {
        let mut changed = Vec::new();
        for slot in self.table.all_slots() {
            let Some(relationship) = self.tells_reservation(slot) else { continue };
            let binding = self.table.get(slot);
            let (reserved, known) = (self.reserved_for(slot), binding.reserved_for());
            if reserved.is_none() && known.is_none() {
                continue;
            }
            let role = self.config.relationship(relationship).role;
            let ended = known.is_some() && known != reserved;
            match (role, binding.status) {
                (Role::Primary, BindingStatus::Free) if ended => {
                    self.table.change_one_before_start(slot, |binding| {
                        binding.status = BindingStatus::Backup;
                        binding.start_time_of_state = Stamp::at_or_before(now);
                    });
                    changed.push(slot);
                }
                // F07-5.12-06.
                (Role::Secondary, BindingStatus::Backup) if ended => {
                    self.table.change_one_before_start(slot, |binding| {
                        binding.status = BindingStatus::Free;
                        binding.start_time_of_state = Stamp::at_or_before(now);
                        binding.set_reserved_for(None);
                        binding.flags = binding.flags.with(Flags::UNSEEN);
                    });
                    changed.push(slot);
                }
                _ => {}
            }
            if role == Role::Primary {
                self.endpoint_mut(relationship).reserved.insert(slot);
            }
        }
        changed
    }

    /// Both are in NORMAL from now on: all reservations are looked at once.
    pub(super) fn look_at_reservations(&mut self, relationship: RelationshipId) {
        let endpoint = self.endpoint_mut(relationship);
        endpoint.unsettled = endpoint.reserved.clone();
    }

    /// The primary gives what is reserved to the secondary as well, and asks back what is reserved no longer, or was the
    /// secondary's alone when it became reserved. As pools, these move only while both are in NORMAL (trap T17).
    pub(super) fn settle_reservations(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        outbox: &mut Outbox,
    ) {
        if !self.endpoint(relationship).machine.may_move_pools() {
            return;
        }
        for _ in 0..AT_ONCE {
            let Some(slot) = self.endpoint_mut(relationship).unsettled.pop_first() else { return };
            let (reserved, binding) = (self.reserved_for(slot), self.table.get(slot));
            let known = binding.reserved_for();
            let takes = !self.endpoint(relationship).not_reserved.contains(&slot);
            match binding.status {
                // F07-5.12-03.
                BindingStatus::Free if known.is_none() && reserved.is_some() && takes => {
                    self.table.set_reserved_for(slot, reserved);
                    self.changed(slot, outbox);
                }
                // F07-5.12-02, -06.
                BindingStatus::Backup if known.is_some() || reserved.is_some() => {
                    self.recall_one(relationship, slot, outbox);
                }
                _ => {}
            }
        }
        self.endpoint_mut(relationship).look_at_pools = now.plus(GO_ON);
    }

    /// The partner agreed to what was said of an address, which the primary noted as `told`: the secondary has it as BACKUP then, else
    /// not. One that is FREE again is to be given to the secondary again (F07-5.12-02, -03). Whether the binding is another for that.
    pub(super) fn reservation_agreed(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        slot: Slot,
        told: BindingStatus,
    ) -> bool {
        if told == BindingStatus::Backup || self.tells_reservation(slot).is_none() {
            return false;
        }
        let was_known = self.table.get(slot).reserved_for().is_some();
        self.table.set_reserved_for(slot, None);
        self.note_reservation(now, relationship, slot);
        was_known
    }

    /// The secondary has no such reservation, or another: the address stays the primary's alone on this connection. Until it agreed
    /// to that it may have it from before, so that the note of it stays.
    pub(super) fn reservation_rejected(&mut self, relationship: RelationshipId, slot: Slot) {
        self.endpoint_mut(relationship).not_reserved.insert(slot);
    }

    /// What the partner said is ours now. A secondary that took BACKUP with R has it for its client alone; a primary tells the
    /// secondary what is reserved.
    pub(super) fn reservation_heard(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        slot: Slot,
        received: &Update,
    ) {
        if self.tells_reservation(slot).is_none() {
            return;
        }
        let is_secondary = self.endpoint(relationship).role() == Role::Secondary;
        let given = is_secondary && received.reserved && received.status == BindingStatus::Backup;
        let reserved = self.reserved_for(slot).filter(|_| given);
        self.table.set_reserved_for(slot, reserved);
        self.note_reservation(now, relationship, slot);
    }

    /// Of a reserved address that is nobody's the secondary is to hear.
    fn note_reservation(&mut self, now: Time, relationship: RelationshipId, slot: Slot) {
        let is_nobodys = self.table.get(slot).available().is_some();
        let is_reserved = self.reserved_for(slot).is_some();
        let endpoint = self.endpoint_mut(relationship);
        if endpoint.role() == Role::Primary
            && is_nobodys
            && is_reserved
            && !endpoint.not_reserved.contains(&slot)
        {
            endpoint.unsettled.insert(slot);
            endpoint.look_at_pools = endpoint.look_at_pools.min(now.plus(GO_ON));
        }
    }

    /// Whether the address is reserved by the configuration of now, and for whom.
    fn reserved_for(&self, slot: Slot) -> Option<[u8; 8]> {
        let binding = self.table.get(slot);
        let id = binding.reserved.then(|| self.config.reservation_at(binding.ip()))??;
        Some(self.config.reservation(id).key.digest())
    }

    /// The relationship of an address, if its partner is told of reservations.
    fn tells_reservation(&self, slot: Slot) -> Option<RelationshipId> {
        let relationship = self.table.relationship(slot)?;
        self.endpoint(relationship).dialect.tells_reservations().then_some(relationship)
    }

    /// Whether either server gives this address to its client although no word passed between the two: each has its own
    /// reservations beside its leases.
    pub(crate) fn is_reserved_beside(&self, slot: Slot) -> bool {
        self.table.get(slot).reserved
            && self.table.relationship(slot).is_some()
            && self.tells_reservation(slot).is_none()
    }
}

impl Endpoint {
    /// What is said of a binding: FREE for the primary itself is BACKUP for the secondary where both may give it.
    /// F07-5.12-03.
    pub(super) fn told_status(&self, slot: Slot, binding: &Binding) -> BindingStatus {
        let gives = self.role() == Role::Primary && !self.not_reserved.contains(&slot);
        match binding.status {
            BindingStatus::Free if gives && binding.reserved_for().is_some() => BindingStatus::Backup,
            // The partner may have it as a lease still.
            BindingStatus::Free
                if binding.flags.contains(Flags::UNAGREED) && !self.dialect.takes_free_over_active() =>
            {
                BindingStatus::Reset
            }
            status => status,
        }
    }
}
