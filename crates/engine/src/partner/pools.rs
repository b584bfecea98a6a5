//! The balance of available addresses between the two servers (F07 7.6, 7.7; D12 5.4; table 1.17).
//!
//! *Lives here:* POOLREQ, POOLRESP, what the primary gives and what it takes back.
//! *May know:* counts of each pool; who leads the conversation about a pool is the primary.
//! *Must not know:* clients, leases.

use crate::config::{PoolId, RelationshipId};
use crate::counter::Counter;
use crate::engine::Engine;
use crate::outbox::Outbox;
use crate::record::Flags;
use crate::table::{Available, Slot};
use failover::balance::{Bucket, Move, Occasion, PoolCount, PoolRule, Preference};
use failover::binding::BindingStatus;
use failover::message::{Message, Xid};
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time};

/// How often the balance is looked at while both are in NORMAL.
pub(super) const INTERVAL: Interval = Interval::from_seconds(30);

/// Addresses that one look moves at most: work per call is bounded, and the next look goes on.
pub(super) const AT_ONCE: u32 = 200;

/// Addresses that one look considers at most.
const LOOKS: usize = 1000;

/// How soon the next look goes on, where one did not move all.
pub(super) const GO_ON: Interval = Interval::from_millis(100);

impl Engine {
    /// The partner asks for addresses: how many it gets is said at once, which they are comes by BNDUPD (F07-7.6.2-01).
    pub(super) fn pool_request(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        xid: Xid,
        outbox: &mut Outbox,
    ) {
        let addresses_transferred = match self.endpoint(relationship).role() {
            // F07-7.6.2-04.
            Role::Primary => self.balance(now, relationship, Occasion::PoolReq, outbox),
            Role::Secondary if self.endpoint(relationship).dialect.each_gives_its_surplus() => {
                self.give_back(now, relationship, Occasion::PoolReq, outbox)
            }
            Role::Secondary => {
                // F07-7.6.2-06: an error of the partner.
                self.counters.count(Counter::PoolreqUnexpected);
                return;
            }
        };
        // F07-7.7-02.
        self.respond(relationship, xid, Message::PoolResp { addresses_transferred }, outbox);
    }

    /// The balance is looked at: by the primary itself, by the secondary by asking when it is short.
    pub(super) fn look_at_pools(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        self.endpoint_mut(relationship).look_at_pools = now.plus(INTERVAL);
        match self.endpoint(relationship).role() {
            Role::Primary if self.table.queue.len(relationship) >= AT_ONCE => {
                // What was moved before is told before more is.
                self.endpoint_mut(relationship).look_at_pools = now.plus(GO_ON);
            }
            Role::Primary => {
                self.settle_reservations(now, relationship, outbox);
                let goes_on = self.endpoint(relationship).is_giving;
                let occasion = if goes_on { Occasion::PoolReq } else { Occasion::Change };
                self.balance(now, relationship, occasion, outbox);
            }
            Role::Secondary => {
                if self.endpoint(relationship).dialect.each_gives_its_surplus() {
                    self.give_back(now, relationship, Occasion::Change, outbox);
                }
                let rule = PoolRule::default();
                let short =
                    self.pools_of(relationship).any(|pool| rule.secondary_is_short(self.counts(pool)));
                if short && self.endpoint(relationship).state() == FailoverState::Normal {
                    self.request(relationship, Message::PoolReq, outbox);
                }
            }
        }
    }

    /// Gives to the secondary what it lacks, and asks back what it has too much of. Pools move only while both are in
    /// NORMAL (trap T17). Returns how many were given (F07-4.1-04).
    fn balance(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        occasion: Occasion,
        outbox: &mut Outbox,
    ) -> u32 {
        if !self.endpoint(relationship).machine.may_move_pools() {
            return 0;
        }
        let (mut given, mut gives_on, mut goes_on) = (0, false, false);
        // F07-7.6.2-03.
        let pools: Vec<PoolId> = self.pools_of(relationship).collect();
        for pool in pools {
            match PoolRule::default().primary_moves(self.shared_counts(relationship, pool), occasion) {
                Move::Nothing if self.planted.pools_never_rest && has_three(self.counts(pool)) => {
                    self.recall(now, relationship, pool, 1, outbox);
                }
                Move::Nothing => {}
                Move::ToSecondary(count) => {
                    gives_on |= count > AT_ONCE;
                    given += self.give(now, relationship, pool, count, outbox);
                }
                Move::ToPrimary(count) => {
                    let endpoint = self.endpoint(relationship);
                    let asked = endpoint.recalled.iter().filter(|slot| self.table.pool(**slot) == Some(pool));
                    let count = count.saturating_sub(u32::try_from(asked.count()).unwrap_or(u32::MAX));
                    goes_on |= count > AT_ONCE;
                    self.recall(now, relationship, pool, count, outbox);
                }
            }
        }
        let endpoint = self.endpoint_mut(relationship);
        // F07-7.6.2-05.
        endpoint.is_giving = gives_on;
        if gives_on || goes_on {
            endpoint.look_at_pools = now.plus(GO_ON);
        }
        given
    }

    /// From the moment of sending, the primary does not allocate them (D12-5.4-02): they are BACKUP by our own record.
    /// None that it said it does not have.
    fn give(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        pool: PoolId,
        count: u32,
        outbox: &mut Outbox,
    ) -> u32 {
        let mut given = 0;
        for slot in self.by_preference(relationship, pool, Available::Free, Role::Secondary) {
            if given == count.min(AT_ONCE) {
                break;
            }
            if self.endpoint(relationship).unknown.contains(&slot) {
                continue;
            }
            if self.planted.keeps_its_clients_addresses
                && self.preference(relationship, slot, Role::Secondary) == Preference::Last
            {
                continue;
            }
            self.endpoint_mut(relationship).giving.insert(slot);
            self.set_status(now, slot, BindingStatus::Backup);
            // F07-7.6.2-02.
            self.changed(slot, outbox);
            self.counters.count(Counter::GivenToSecondary);
            given += 1;
        }
        given
    }

    /// As secondary, gives to a dhcpd what is more than our share, asked or not (Q42). From the moment of sending they are FREE by
    /// our own record, and not ours to allocate; the primary does not allocate them before it has heard it.
    fn give_back(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        occasion: Occasion,
        outbox: &mut Outbox,
    ) -> u32 {
        if !self.endpoint(relationship).machine.may_move_pools() {
            return 0;
        }
        let pools: Vec<PoolId> = self.pools_of(relationship).collect();
        let mut given = 0;
        for pool in pools {
            let surplus = PoolRule::default().secondary_gives_back(self.counts(pool), occasion).min(AT_ONCE);
            for _ in 0..surplus {
                let Some(slot) = self.table.oldest(pool, Available::Backup) else { break };
                self.set_status(now, slot, BindingStatus::Free);
                self.changed(slot, outbox);
                self.counters.count(Counter::GivenToPrimary);
                given += 1;
            }
        }
        given
    }

    /// They stay BACKUP until the secondary agrees: it may have leased them meanwhile (D12-5.4-07). That it was asked is stored: when
    /// its answer is lost, it may have them as FREE, and is told again that they are BACKUP.
    fn recall(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        pool: PoolId,
        count: u32,
        outbox: &mut Outbox,
    ) {
        let mut recalled = 0;
        for slot in self.by_preference(relationship, pool, Available::Backup, Role::Primary) {
            if recalled == count.min(AT_ONCE) {
                break;
            }
            if self.planted.takes_back_unasked && self.table.get(slot).client.is_none() {
                recalled += 1;
                self.set_status(now, slot, BindingStatus::Free);
                self.changed(slot, outbox);
                continue;
            }
            recalled += u32::from(self.recall_one(relationship, slot, outbox));
        }
    }

    /// Asks one back; false where that is under way.
    pub(super) fn recall_one(
        &mut self,
        relationship: RelationshipId,
        slot: Slot,
        outbox: &mut Outbox,
    ) -> bool {
        let is_new = self.endpoint_mut(relationship).recalled.insert(slot);
        if is_new {
            self.table.set_flags(slot, Flags::UNSEEN, true);
            self.record(slot, outbox);
            self.tell_of(relationship, slot);
            self.counters.count(Counter::Recalled);
        }
        is_new
    }

    /// Addresses of a list: those first whose last client the receiver serves, and of these what has been available for longest
    /// (D12-5.4-08).
    fn by_preference(
        &self,
        relationship: RelationshipId,
        pool: PoolId,
        which: Available,
        to: Role,
    ) -> Vec<Slot> {
        let oldest = self.table.oldest(pool, which);
        let list = std::iter::successors(oldest, |slot| self.table.after(pool, which, *slot));
        let mut slots: Vec<Slot> = list.take(LOOKS).collect();
        slots.sort_by_cached_key(|slot| self.preference(relationship, *slot, to));
        slots
    }

    fn preference(&self, relationship: RelationshipId, slot: Slot, to: Role) -> Preference {
        let (endpoint, binding) = (self.endpoint(relationship), self.table.get(slot));
        let hardware = binding.hardware();
        let htype = hardware.map_or(0, |hardware| hardware.htype());
        let chaddr = hardware.as_ref().map_or(&[][..], |hardware| hardware.as_bytes());
        let last_client = binding
            .client
            .as_ref()
            .map(|client| Bucket::of_client(endpoint.dialect, client.client_identifier(), htype, chaddr));
        Preference::of(endpoint.service().buckets, last_client, to)
    }

    fn pools_of(&self, relationship: RelationshipId) -> impl Iterator<Item = PoolId> + '_ {
        self.config
            .pools()
            .iter()
            .zip(0..)
            .filter(move |(pool, _)| pool.failover == Some(relationship))
            .map(|(_, id)| PoolId(id))
    }

    /// All FREE and all BACKUP addresses of a relationship.
    pub(super) fn available_in(&self, relationship: RelationshipId) -> (u64, u64) {
        self.pools_of(relationship).map(|pool| self.counts(pool)).fold((0, 0), |(free, backup), count| {
            (free + u64::from(count.free), backup + u64::from(count.backup))
        })
    }

    /// The same without what the partner's pools do not have.
    fn shared_counts(&self, relationship: RelationshipId, pool: PoolId) -> PoolCount {
        let is_free = |slot: &&Slot| {
            self.table.pool(**slot) == Some(pool) && self.table.get(**slot).status == BindingStatus::Free
        };
        let unknown = self.endpoint(relationship).unknown.iter().filter(is_free).count();
        let mut counts = self.counts(pool);
        counts.free = counts.free.saturating_sub(u32::try_from(unknown).unwrap_or(u32::MAX));
        counts
    }

    fn counts(&self, pool: PoolId) -> PoolCount {
        PoolCount {
            free: self.table.available(pool, Available::Free),
            backup: self.table.available(pool, Available::Backup),
        }
    }
}

/// One of which each has its share, and one that divides by nothing.
fn has_three(count: PoolCount) -> bool {
    count.free + count.backup == 3
}
