//! The balance of available addresses between the two servers (F07 7.6, 7.7; D12 5.4; table 1.17).
//!
//! *Lives here:* POOLREQ, POOLRESP, what the primary gives and what it takes back.
//! *May know:* counts of each pool; who leads the conversation about a pool is the primary.
//! *Must not know:* clients, leases.

use crate::config::{PoolId, RelationshipId};
use crate::counter::Counter;
use crate::engine::Engine;
use crate::outbox::Outbox;
use crate::table::{Available, Slot};
use failover::binding::BindingStatus;
use failover::message::{Message, Xid};
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time};

/// How often the balance is looked at while both are in NORMAL.
pub(super) const INTERVAL: Interval = Interval::from_seconds(30);

/// Addresses that one look moves at most: work per call is bounded, and the next look goes on.
const AT_ONCE: u32 = 200;

impl Engine {
    /// The secondary asks for addresses: how many it gets is said at once, which they are comes by BNDUPD (F07-7.6.2-01).
    pub(super) fn pool_request(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        xid: Xid,
        outbox: &mut Outbox,
    ) {
        if self.endpoint(relationship).record.role == Role::Secondary {
            // F07-7.6.2-06: an error of the partner.
            self.counters.count(Counter::PoolreqUnexpected);
            return;
        }
        let addresses_transferred = self.balance(now, relationship, outbox);
        self.respond(now, relationship, xid, Message::PoolResp { addresses_transferred }, outbox);
    }

    /// The balance is looked at: by the primary itself, by the secondary by asking when it is short.
    pub(super) fn look_at_pools(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        self.endpoint_mut(relationship).look_at_pools = now.plus(INTERVAL);
        match self.endpoint(relationship).record.role {
            Role::Primary => {
                self.balance(now, relationship, outbox);
            }
            Role::Secondary => {
                let short = self.pools_of(relationship).any(|pool| {
                    let (free, backup) = self.counts(pool);
                    surplus(free, backup) > 0
                });
                if short && self.endpoint(relationship).record.state == FailoverState::Normal {
                    self.request(now, relationship, Message::PoolReq, outbox);
                }
            }
        }
    }

    /// Gives to the secondary what it lacks, and asks back what it has too much of. Pools move only while both are in
    /// NORMAL (trap T17). Returns how many were given.
    fn balance(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) -> u32 {
        let endpoint = self.endpoint(relationship);
        let both_normal = endpoint.record.state == FailoverState::Normal
            && endpoint.record.partner == Some(FailoverState::Normal)
            && endpoint.is_in_contact();
        if !both_normal {
            return 0;
        }
        let mut given = 0;
        let pools: Vec<PoolId> = self.pools_of(relationship).collect();
        for pool in pools {
            let (free, backup) = self.counts(pool);
            match surplus(free, backup) {
                0 => {}
                more if more > 0 => given += self.give(now, pool, more.unsigned_abs(), outbox),
                less => self.recall(relationship, pool, less.unsigned_abs()),
            }
        }
        given
    }

    /// From the moment of sending, the primary does not allocate them (D12-5.4-02): they are BACKUP by our own record.
    fn give(&mut self, now: Time, pool: PoolId, count: u32, outbox: &mut Outbox) -> u32 {
        let mut given = 0;
        let mut next = self.table.oldest(pool, Available::Free);
        while given < count.min(AT_ONCE)
            && let Some(slot) = next
        {
            next = self.table.after(pool, Available::Free, slot);
            self.set_status(now, slot, BindingStatus::Backup);
            self.changed(slot, outbox);
            self.counters.count(Counter::GivenToSecondary);
            given += 1;
        }
        given
    }

    /// They stay BACKUP until the secondary agrees: it may have leased them meanwhile (D12-5.4-07).
    fn recall(&mut self, relationship: RelationshipId, pool: PoolId, count: u32) {
        let mut next = self.table.oldest(pool, Available::Backup);
        let mut recalled = 0;
        while recalled < count.min(AT_ONCE)
            && let Some(slot) = next
        {
            next = self.table.after(pool, Available::Backup, slot);
            if self.endpoint_mut(relationship).recalled.insert(slot) {
                self.to_be_told(relationship, slot);
                self.counters.count(Counter::Recalled);
                recalled += 1;
            }
        }
    }

    fn pools_of(&self, relationship: RelationshipId) -> impl Iterator<Item = PoolId> + '_ {
        self.config
            .pools()
            .iter()
            .zip(0..)
            .filter(move |(pool, _)| pool.failover == Some(relationship))
            .map(|(_, id)| PoolId(id))
    }

    fn counts(&self, pool: PoolId) -> (u32, u32) {
        (self.table.available(pool, Available::Free), self.table.available(pool, Available::Backup))
    }

    /// What stopped being under way with the partner stops being asked back.
    pub(super) fn forget_recalls(&mut self, relationship: RelationshipId) -> Vec<Slot> {
        std::mem::take(&mut self.endpoint_mut(relationship).recalled).into_iter().collect()
    }
}

/// How many addresses the primary has too many (negative: too few), half each being the aim; nothing is moved for a
/// difference below a tenth, so that the two do not send addresses back and forth for every lease (D12-5.4-05).
fn surplus(free: u32, backup: u32) -> i32 {
    let difference = i64::from(free) - i64::from(backup);
    let threshold = i64::from(free + backup) / 10;
    if difference.abs() <= threshold.max(1) {
        return 0;
    }
    // Half of a difference of two counts of addresses, of which there are fewer than 2^25.
    i32::try_from(difference / 2).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::surplus;

    #[test]
    fn half_each_with_a_threshold() {
        assert_eq!(surplus(100, 0), 50);
        assert_eq!(surplus(0, 100), -50);
        assert_eq!(surplus(55, 45), 0);
        assert_eq!(surplus(57, 43), 7);
        assert_eq!(surplus(1, 0), 0);
        assert_eq!(surplus(2, 0), 1);
        assert_eq!(surplus(0, 0), 0);
    }
}
