//! All bindings, with the indexes by which they are found.
//!
//! *Lives here:* [`Table`]: slots by address, by client, by what is free, by what is due; in the folder the lists, and counts of it all.
//! *May know:* which addresses the configuration has.
//! *Must not know:* messages, replies, records' way to the disk. It changes nothing by itself: who changes a binding
//! does it through [`Table::change`], and records it.
//!
//! A slot is in one list at most: FREE or BACKUP and nobody's in a list of its pool, oldest first; offered, ACTIVE or
//! ABANDONED with an end in the wheel, EXPIRED, RELEASED and RESET too while a wait for them runs (F07 9.4.2), else in the
//! list of what waits for the partner; else in none. Beside that it may be in the queue of what the partner is to be told.

mod binding;
mod extras;
mod lists;
mod lost;
mod offers;
mod queue;
mod ranges;
mod tally;
mod wheel;

pub(crate) use binding::{Binding, NO_OFFER};
pub(crate) use offers::Offer;
pub(crate) use queue::Queue;
pub(crate) use ranges::Slot;

use crate::config::{Config, NetworkId, PoolId, RelationshipId, SubnetId};
use crate::planted::Planted;
use crate::record::{AcknowledgedRecord, BindingRecord, Flags, Stamp};
use dhcp::ClientIdentity;
use failover::binding::BindingStatus;
use failover::lease::{PartnerDown, Times};
use failover::time::{Interval, Time};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use lists::{ListId, Lists};
use lost::LostTime;
use offers::{Offers, hash_of};
use ranges::Ranges;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tally::{Counts, Tally};
use wheel::{Step, Tick, Wheel};

/// Parts in which the index is filled at a start: one of them fits into a cache.
const PARTS: usize = 256;

/// What a server may do alone with the addresses of one relationship, as its state has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Authority {
    /// In PARTNER-DOWN: for the wait of F07-9.4.2-05 (trap T3).
    pub(crate) partner_down: Option<PartnerDown>,
    /// Whether an ABANDONED address may be RESET when its time is over.
    pub(crate) resets_abandoned: bool,
}

/// Which of the two lists of available addresses of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Available {
    /// FREE: the primary's (F07 5.4).
    Free,
    /// BACKUP: the secondary's.
    Backup,
}

#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// A clone shares them.
    ranges: Arc<Ranges>,
    slots: Vec<Binding>,
    /// Records of addresses that the configuration does not have, until [`Table::start`].
    strangers: BTreeMap<u32, Binding>,
    hasher: FixedState,
    by_client: HashTable<u32>,
    offers: Offers,
    lists: Lists,
    wheel: Wheel,
    /// By relationship.
    authorities: Vec<Authority>,
    /// By pool: how many addresses are FREE and how many BACKUP, reserved ones left out.
    available: Vec<[u32; 2]>,
    tally: Tally,
    /// By relationship: how many bindings are UNAGREED (trap T17).
    unagreed: Vec<u32>,
    /// What each partner is to be told.
    pub(crate) queue: Queue,
    decline_time: Interval,
    orphans: u64,
    lost: LostTime,
    back: LostTime,
    planted: Planted,
}

/// A slot whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Its offer has lapsed.
    Offer(Slot),
    /// Its lease is over, slack included.
    Lease(Slot),
    /// Its time as ABANDONED is over.
    Abandoned(Slot),
    /// EXPIRED, RELEASED or RESET, and the wait of PARTNER-DOWN is over.
    Waited(Slot),
}

impl Table {
    /// All addresses of the configuration, unused. `seed` keys the hash tables.
    pub(crate) fn new(config: &Config, seed: u64) -> Table {
        let ranges = Ranges::of_config(config);
        let mut slots = Vec::with_capacity(ranges.slots() as usize);
        for range in ranges.all() {
            slots.extend((range.first..=range.last).map(Binding::unused));
        }
        for reservation in config.reservations() {
            if let Some(slot) = ranges.at(reservation.address.into()) {
                slots[slot.index()].reserved = true;
            }
        }
        Table {
            ranges: Arc::new(ranges),
            slots,
            strangers: BTreeMap::new(),
            hasher: FixedState::with_seed(seed),
            by_client: HashTable::new(),
            offers: Offers::new(seed),
            lists: Lists::new(0, 0),
            wheel: Wheel::new(0, 0),
            authorities: vec![Authority::default(); config.relationships().len()],
            available: vec![[0; 2]; config.pools().len()],
            tally: Tally::new(config.networks().len()),
            unagreed: vec![0; config.relationships().len()],
            queue: Queue::new(0, 0),
            decline_time: config.decline_time(),
            orphans: 0,
            lost: LostTime::default(),
            back: LostTime::default(),
            planted: Planted::default(),
        }
    }

    /// Takes the state of a binding from a record. Before [`Table::start`] only.
    pub(crate) fn restore(&mut self, record: &BindingRecord<'_>) {
        self.before_start(record.address).restore(record);
    }

    /// Takes what the partner knows of a binding from a record. Before [`Table::start`] only.
    pub(crate) fn restore_acknowledged(&mut self, record: &AcknowledgedRecord) {
        self.before_start(record.address).restore_acknowledged(record);
    }

    fn before_start(&mut self, address: Ipv4Addr) -> &mut Binding {
        let address = u32::from(address);
        match self.ranges.at(address) {
            Some(slot) => &mut self.slots[slot.index()],
            None => self.strangers.entry(address).or_insert_with(|| Binding::unused(address)),
        }
    }

    /// Changes the bindings of these addresses; which of them are worth a record. Before [`Table::start`] only.
    pub(crate) fn change_before_start(
        &mut self,
        first: u32,
        last: u32,
        change: impl Fn(&mut Binding),
    ) -> Vec<Slot> {
        let Some((first, last)) = self.ranges.at(first).zip(self.ranges.at(last)) else {
            return Vec::new();
        };
        let mut changed = Vec::new();
        for slot in (first.number()..=last.number()).map(|number| self.ranges.numbered(number)) {
            let binding = &mut self.slots[slot.index()];
            if binding.is_worth_a_record() {
                change(binding);
                changed.push(slot);
            }
        }
        changed
    }

    /// The same for one address. Before [`Table::start`] only.
    pub(crate) fn change_one_before_start(&mut self, slot: Slot, change: impl FnOnce(&mut Binding)) {
        change(&mut self.slots[slot.index()]);
    }

    /// All addresses.
    pub(crate) fn all_slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let ranges = Arc::clone(&self.ranges);
        (0..ranges.slots()).map(move |number| ranges.numbered(number))
    }

    /// Notes for whom the two know an address to be reserved; that moves it into no other list.
    pub(crate) fn set_reserved_for(&mut self, slot: Slot, key: Option<[u8; 8]>) {
        self.slots[slot.index()].set_reserved_for(key);
    }

    /// All records are in: builds what is not durable. Returns how many bindings have no place in the configuration.
    pub(crate) fn start(&mut self, config: &Config, now: Time) -> u64 {
        self.adopt_strangers();
        let pools = count(config.pools().len());
        let slots = count(self.slots.len());
        let relationships = count(config.relationships().len());
        self.lists = Lists::new(2 * pools + relationships + wheel::LISTS, slots);
        self.wheel = Wheel::new(2 * pools + relationships, tick_before(now));
        self.queue = Queue::new(relationships, if relationships == 0 { 0 } else { slots });
        // Room for all there will ever be: a table that grows stops everybody while it moves its entries.
        self.by_client = HashTable::with_capacity(self.slots.len());
        self.offers.reserve(self.slots.len());
        self.index_all();
        // Never used addresses first, then those that have been free for longest. By number the order of two slots is that of both.
        let by_time =
            |(binding, slot): (&Binding, u64)| u64::from(binding.start_time_of_state.tick()) << 32 | slot;
        let mut order: Vec<u64> = self.slots.iter().zip(0..).map(by_time).collect();
        order.sort_unstable();
        for entry in order {
            // The lower half.
            let [.., a, b, c, d] = entry.to_be_bytes();
            self.place(self.ranges.numbered(u32::from_be_bytes([a, b, c, d])));
        }
        self.orphans
    }

    /// How many bindings have no place in the configuration.
    pub(crate) fn orphans(&self) -> u64 {
        self.orphans
    }

    /// The slot of an address.
    pub(crate) fn at(&self, address: Ipv4Addr) -> Option<Slot> {
        self.ranges.at(address.into())
    }

    pub(crate) fn get(&self, slot: Slot) -> &Binding {
        &self.slots[slot.index()]
    }

    /// The subnet of an address; `None` when the configuration does not have it any more.
    pub(crate) fn subnet(&self, slot: Slot) -> Option<SubnetId> {
        self.ranges.home(slot).map(|home| home.subnet)
    }

    /// The network of an address; `None` when the configuration does not have it any more.
    pub(crate) fn network(&self, slot: Slot) -> Option<NetworkId> {
        self.ranges.home(slot).map(|home| home.network)
    }

    /// How many addresses of a network have each status.
    pub(crate) fn counts_of(&self, network: NetworkId) -> Counts {
        self.tally.of(network)
    }

    /// The pool of an address; `None` for a reservation outside all pools.
    pub(crate) fn pool(&self, slot: Slot) -> Option<PoolId> {
        self.ranges.home(slot)?.pool
    }

    /// Which partner shares this address.
    pub(crate) fn relationship(&self, slot: Slot) -> Option<RelationshipId> {
        self.ranges.home(slot)?.relationship
    }

    /// What may be done alone with the addresses of this relationship.
    pub(crate) fn authority(&self, relationship: RelationshipId) -> Authority {
        self.authorities[relationship.0 as usize]
    }

    /// The state of an endpoint changed what may be done alone. What waits is looked at again, bit by bit.
    pub(crate) fn set_authority(&mut self, relationship: RelationshipId, authority: Authority) {
        self.authorities[relationship.0 as usize] = authority;
        let waiting = self.waiting(relationship);
        self.wheel.take_all(&mut self.lists, waiting);
    }

    /// How many bindings of this relationship the partner must have agreed to before both are in NORMAL (trap T17).
    pub(crate) fn unagreed(&self, relationship: RelationshipId) -> u32 {
        self.unagreed[relationship.0 as usize]
    }

    /// How many addresses of a pool are available to one of the two servers.
    pub(crate) fn available(&self, pool: PoolId, which: Available) -> u32 {
        self.available[pool.0 as usize][which as usize]
    }

    /// The binding that this client has, or had last, in this network.
    pub(crate) fn of_client(&self, network: NetworkId, client: &ClientIdentity) -> Option<Slot> {
        let hash = hash_of(&self.hasher, network, client);
        let found = self.by_client.find(hash, |&slot| {
            self.slots[slot as usize].client.as_ref() == Some(client)
                && self.network(self.ranges.numbered(slot)) == Some(network)
        })?;
        Some(self.ranges.numbered(*found))
    }

    /// The address that is offered to this client in this network.
    pub(crate) fn offered_to(&self, network: NetworkId, client: &ClientIdentity) -> Option<Slot> {
        self.offers.of(network, client).map(|offer| self.ranges.numbered(offer.slot))
    }

    /// Who this address is offered to, and until when.
    pub(crate) fn offer_of(&self, slot: Slot) -> Option<&Offer> {
        self.offers.get(self.get(slot).offer)
    }

    /// The address of this pool that has been available for longest.
    pub(crate) fn oldest(&self, pool: PoolId, which: Available) -> Option<Slot> {
        self.lists.front(list_of(pool, which)).map(|number| self.ranges.numbered(number))
    }

    /// The address that became available after this one.
    pub(crate) fn after(&self, pool: PoolId, which: Available, slot: Slot) -> Option<Slot> {
        let after = self.lists.after(list_of(pool, which), slot.number());
        after.map(|number| self.ranges.numbered(number))
    }

    /// Keeps an address for a client until `until`; replaces an offer that the client had before.
    pub(crate) fn offer(&mut self, slot: Slot, network: NetworkId, client: &ClientIdentity, until: Time) {
        if let Some(offer) = self.offers.get_mut(self.slots[slot.index()].offer)
            && offer.client == *client
        {
            offer.until = until;
            return;
        }
        self.withdraw_offer_to(network, client);
        self.withdraw_offer(slot);
        let offer = Offer { client: client.clone(), network, slot: slot.number(), until };
        self.slots[slot.index()].offer = self.offers.insert(offer);
        self.tally.offered(network, self.get(slot).status, true);
        self.relist(slot);
    }

    /// The client does not want what it was offered in this network.
    pub(crate) fn withdraw_offer_to(&mut self, network: NetworkId, client: &ClientIdentity) {
        if let Some(slot) = self.offered_to(network, client) {
            self.withdraw_offer(slot);
        }
    }

    /// The address is not offered any more.
    pub(crate) fn withdraw_offer(&mut self, slot: Slot) {
        let offer = std::mem::replace(&mut self.slots[slot.index()].offer, NO_OFFER);
        if let Some(network) = self.offers.get(offer).map(|offer| offer.network) {
            self.tally.offered(network, self.get(slot).status, false);
            self.offers.remove(offer);
            self.relist(slot);
        }
    }

    /// Changes a binding and puts it where it belongs then. An offer of it ends.
    pub(crate) fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Binding)) -> &Binding {
        self.withdraw_offer(slot);
        self.account(slot, false);
        let before = self.get(slot);
        let (status, client) = (before.status, before.client.clone());
        let binding = &mut self.slots[slot.index()];
        change(binding);
        if client != binding.client {
            let after = binding.client.take();
            binding.client = client;
            self.unindex(slot);
            self.slots[slot.index()].client = after;
        }
        if self.get(slot).client.is_some() && !self.get(slot).indexed {
            self.index_newest(slot);
        }
        // An end that moved later needs no new place: deadlines are lazy.
        let stays = status == BindingStatus::Active && self.get(slot).status == BindingStatus::Active;
        if !stays || !self.lists.is_linked(slot.number()) {
            self.relist(slot);
        }
        self.account(slot, true);
        let after = self.get(slot).status;
        if after != status
            && let Some(network) = self.network(slot)
        {
            self.tally.moved(network, status, after);
        }
        self.get(slot)
    }

    /// Sets or clears flags. They move none but an ABANDONED binding, whose time runs once the partner has seen it.
    pub(crate) fn set_flags(&mut self, slot: Slot, flags: Flags, on: bool) {
        self.account(slot, false);
        let binding = &mut self.slots[slot.index()];
        binding.flags = if on { binding.flags.with(flags) } else { binding.flags.without(flags) };
        let is_abandoned = binding.status == BindingStatus::Abandoned;
        self.account(slot, true);
        if is_abandoned {
            self.relist(slot);
        }
    }

    /// Changes the times of an ACTIVE binding that only grow: no deadline needs a new place for that.
    pub(crate) fn set_acked(&mut self, slot: Slot, acked: Stamp) {
        self.slots[slot.index()].acked_potential_expiration = acked;
    }

    /// Puts bugs in. Before [`Table::start`] only.
    pub(crate) fn plant(&mut self, planted: Planted) {
        self.planted = planted;
        if planted.forget_probation {
            self.decline_time = Interval::ZERO;
        }
    }

    /// Does up to `budget` units of work that is due at `now`, until a slot needs a decision.
    pub(crate) fn next_due(&mut self, now: Time, budget: &mut u32) -> Option<Due> {
        let now_tick = tick_before(now);
        while *budget > 0 {
            *budget -= 1;
            let Table {
                wheel, lists, slots, offers, ranges, authorities, lost, decline_time, planted, ..
            } = self;
            let rule = Deadlines { offers, ranges, authorities, lost, decline_time: *decline_time, planted };
            let step =
                wheel.step(lists, now_tick, |slot| rule.of(ranges.numbered(slot), &slots[slot as usize]));
            match step {
                Step::Due(number) => {
                    let slot = self.ranges.numbered(number);
                    let binding = self.get(slot);
                    return Some(match binding.status {
                        _ if binding.offer != NO_OFFER => Due::Offer(slot),
                        BindingStatus::Abandoned => Due::Abandoned(slot),
                        BindingStatus::Active => Due::Lease(slot),
                        _ => Due::Waited(slot),
                    });
                }
                Step::Never(number) => self.relist(self.ranges.numbered(number)),
                Step::Moved => {}
                Step::Idle => return None,
            }
        }
        None
    }

    /// When [`Table::next_due`] has work again.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.wheel.next(&self.lists).map(|tick| Stamp::from_tick(tick).time())
    }

    /// Slots in the order of addresses, from `from` on.
    pub(crate) fn from(&self, from: Ipv4Addr) -> impl Iterator<Item = Slot> + '_ {
        self.ranges.from(from.into())
    }

    /// Takes what this partner is to be told first.
    pub(crate) fn take_untold(&mut self, relationship: RelationshipId) -> Option<Slot> {
        self.queue.pop(relationship).map(|number| self.ranges.numbered(number))
    }

    /// What this partner is to be told, in order.
    pub(crate) fn untold(&self, relationship: RelationshipId) -> impl Iterator<Item = Slot> + '_ {
        self.queue.waiting(relationship).map(|number| self.ranges.numbered(number))
    }

    /// The slot with this number, if there are so many.
    pub(crate) fn by_number(&self, number: u32) -> Option<Slot> {
        (number < self.ranges.slots()).then(|| self.ranges.numbered(number))
    }

    /// Slots in the order of their numbers, from number `from` on.
    pub(crate) fn numbered(&self, from: u32) -> impl Iterator<Item = (u32, &Binding)> {
        (from..).zip(self.slots.iter().skip(from as usize))
    }

    fn adopt_strangers(&mut self) {
        if self.strangers.is_empty() {
            return;
        }
        let ranges = Arc::make_mut(&mut self.ranges);
        for (address, binding) in std::mem::take(&mut self.strangers) {
            if binding.is_worth_a_record() {
                ranges.push(address, address, None);
                self.slots.push(binding);
                self.orphans += 1;
            }
        }
        ranges.index();
    }
}

/// Indexes and lists: what follows from the bindings.
impl Table {
    /// At the start: the index finds each client, of several bindings in a network the one heard of last. Clients come in an order
    /// that has nothing to do with their places in the index, which is larger than a cache: so it is filled part by part.
    fn index_all(&mut self) {
        let ranges = Arc::clone(&self.ranges);
        let mut parts: Vec<Vec<(u64, u32)>> = vec![Vec::new(); PARTS];
        // The lower bits of a hash say where in the table its place is. If they did not, this would only be slower.
        let width = self.by_client.capacity().next_power_of_two().max(PARTS).ilog2() - PARTS.ilog2();
        for range in ranges.all() {
            let Some(home) = &range.home else { continue };
            for slot in range.slot..=range.slot + (range.last - range.first) {
                let binding = &mut self.slots[slot as usize];
                let Some(client) = &binding.client else { continue };
                let hash = hash_of(&self.hasher, home.network, client);
                binding.indexed = true;
                let [.., part] = (hash >> width).to_be_bytes();
                parts[usize::from(part)].push((hash, slot));
            }
        }
        for (hash, slot) in parts.into_iter().flatten() {
            self.index_if_heard_last(hash, slot);
        }
    }

    fn index_if_heard_last(&mut self, hash: u64, slot: u32) {
        let Table { by_client, slots, ranges, hasher, .. } = self;
        let key = |slot: u32| (&slots[slot as usize].client, network_of(ranges, slot));
        let heard = |slot: u32| {
            let binding = &slots[slot as usize];
            (binding.status == BindingStatus::Active, binding.client_last_transaction_time)
        };
        let found = by_client.entry(
            hash,
            |&other| key(other) == key(slot),
            |&slot| hash_in(hasher, ranges, slots, slot),
        );
        let hidden = match found {
            Entry::Occupied(found) if heard(*found.get()) > heard(slot) => slot,
            Entry::Occupied(mut found) => std::mem::replace(found.get_mut(), slot),
            Entry::Vacant(place) => {
                place.insert(slot);
                return;
            }
        };
        slots[hidden as usize].indexed = false;
    }

    /// At the start: puts a slot where it belongs, and counts it.
    fn place(&mut self, slot: Slot) {
        self.relist(slot);
        self.account(slot, true);
        let home = self.ranges.home(slot).copied();
        let Binding { status, flags, .. } = *self.get(slot);
        if let Some(home) = home {
            self.tally.add(home.network, status);
        }
        if let Some(relationship) = home.and_then(|home| home.relationship)
            && flags.contains(Flags::UNSEEN)
            && !self.planted.seen_over_restart
        {
            self.queue.push(relationship, slot);
        }
    }

    /// Makes the index find this binding by its client, instead of another of the same client and network.
    fn index_newest(&mut self, slot: Slot) {
        let (Some(client), Some(network)) = (self.get(slot).client.clone(), self.network(slot)) else {
            return;
        };
        if let Some(older) = self.of_client(network, &client) {
            self.unindex(older);
        }
        let hash = hash_of(&self.hasher, network, &client);
        self.slots[slot.index()].indexed = true;
        let Table { by_client, slots, ranges, hasher, .. } = self;
        by_client.insert_unique(hash, slot.number(), |&slot| hash_in(hasher, ranges, slots, slot));
    }

    fn unindex(&mut self, slot: Slot) {
        let binding = self.get(slot);
        let (true, Some(client), Some(network)) = (binding.indexed, &binding.client, self.network(slot))
        else {
            return;
        };
        let hash = hash_of(&self.hasher, network, client);
        if let Ok(entry) = self.by_client.find_entry(hash, |&entry| entry == slot.number()) {
            entry.remove();
        }
        self.slots[slot.index()].indexed = false;
    }

    /// Puts a slot into the list, or to the place in the wheel, where it belongs as things stand.
    fn relist(&mut self, slot: Slot) {
        self.lists.unlink(slot.number());
        let binding = self.get(slot);
        let home = self.ranges.home(slot);
        let is_offered = binding.offer != NO_OFFER;
        if let (Some(which), false) = (binding.available(), is_offered) {
            if let (Some(pool), false) = (home.and_then(|home| home.pool), binding.reserved) {
                self.lists.push_back(list_of(pool, which), slot.number());
            }
            return;
        }
        let deadline = self.deadlines().of(slot, binding);
        if deadline == Tick::MAX
            && !matches!(binding.status, BindingStatus::Active)
            && let Some(relationship) = home.and_then(|home| home.relationship)
        {
            self.lists.push_back(self.waiting(relationship), slot.number());
            return;
        }
        self.wheel.insert(&mut self.lists, slot.number(), deadline);
    }

    fn deadlines(&self) -> Deadlines<'_> {
        Deadlines {
            offers: &self.offers,
            ranges: &self.ranges,
            authorities: &self.authorities,
            lost: &self.lost,
            decline_time: self.decline_time,
            planted: &self.planted,
        }
    }

    /// The list of what can only wait for the partner.
    fn waiting(&self, relationship: RelationshipId) -> ListId {
        ListId(2 * count(self.available.len()) + relationship.0)
    }

    /// Keeps the counts that follow from a binding: before it changes, and after.
    fn account(&mut self, slot: Slot, more: bool) {
        let binding = self.get(slot);
        if binding.flags.contains(Flags::UNAGREED)
            && let Some(relationship) = self.relationship(slot)
        {
            let count = &mut self.unagreed[relationship.0 as usize];
            *count = if more { *count + 1 } else { count.saturating_sub(1) };
        }
        let binding = self.get(slot);
        if let (Some(which), false, Some(pool)) = (binding.available(), binding.reserved, self.pool(slot)) {
            let count = &mut self.available[pool.0 as usize][which as usize];
            *count = if more { *count + 1 } else { count.saturating_sub(1) };
        }
    }
}

fn list_of(pool: PoolId, which: Available) -> ListId {
    ListId(2 * pool.0 + which as u32)
}

/// When a slot needs attention next.
struct Deadlines<'t> {
    offers: &'t Offers,
    ranges: &'t Ranges,
    authorities: &'t [Authority],
    lost: &'t LostTime,
    decline_time: Interval,
    planted: &'t Planted,
}

impl Deadlines<'_> {
    fn of(&self, slot: Slot, binding: &Binding) -> Tick {
        let at = match (self.offers.get(binding.offer), binding.status) {
            (Some(offer), _) => offer.until,
            (None, BindingStatus::Active) if self.planted.forget_lost_time => {
                binding.lease_expiration.time().plus(binding.leased_for().slack())
            }
            // Trap T21: two clocks drift apart, so nobody's lease is called over before the slack has passed.
            (None, BindingStatus::Active) => {
                let held = self.lost.since(binding.client_last_transaction_time.time());
                binding.lease_expiration.time().plus(binding.leased_for().slack()).plus(held)
            }
            (None, BindingStatus::Abandoned) => match self.authority(slot) {
                Some(authority) if !authority.resets_abandoned => Time::NEVER,
                // A partner that has not heard of it may have leased the address meanwhile, and would have to take our RESET,
                // which is meant for operators who know better (figure 7.1.3-1).
                Some(_) if binding.flags.contains(Flags::UNSEEN) => Time::NEVER,
                // Whoever declined it may have got it from the partner since, which may have lost its store since: by the
                // client's word the address is used, and what it may have been promised is not over before.
                _ => {
                    let promised = Some(binding.doubted_until).filter(|until| *until != Stamp::NEVER);
                    binding.probation_end(self.decline_time).max(promised.map_or(Time::ZERO, Stamp::time))
                }
            },
            // RESET of what was ABANDONED: a partner that has it so takes that and no FREE (figure 7.1.3-1), so that it must hear of
            // it first. It has no client.
            (None, BindingStatus::Reset) if binding.client.is_none() => Time::NEVER,
            (None, BindingStatus::Expired | BindingStatus::Released | BindingStatus::Reset) => {
                match self.authority(slot).and_then(|authority| authority.partner_down) {
                    Some(stay)
                        if self.planted.leased_since_at_once
                            && binding.client_last_transaction_time.time() >= stay.entered =>
                    {
                        Time::ZERO
                    }
                    Some(stay) if self.planted.short_wait => stay.may_change_hands(Times::NONE),
                    Some(stay) => stay.may_change_hands(binding.times()),
                    None => Time::NEVER,
                }
            }
            (None, BindingStatus::Free | BindingStatus::Backup) => Time::NEVER,
        };
        Stamp::at_or_after(at).tick()
    }

    fn authority(&self, slot: Slot) -> Option<Authority> {
        let relationship = self.ranges.home(slot)?.relationship?;
        self.authorities.get(relationship.0 as usize).copied()
    }
}

/// The last whole second that is over at `now`.
fn tick_before(now: Time) -> Tick {
    Stamp::at_or_before(now).tick()
}

fn network_of(ranges: &Ranges, slot: u32) -> Option<NetworkId> {
    ranges.home(ranges.numbered(slot)).map(|home| home.network)
}

/// Where the index has a binding.
fn hash_in(hasher: &FixedState, ranges: &Ranges, slots: &[Binding], slot: u32) -> u64 {
    match (&slots[slot as usize].client, network_of(ranges, slot)) {
        (Some(client), Some(network)) => hash_of(hasher, network, client),
        _ => 0,
    }
}

fn count(n: usize) -> u32 {
    // config::MAX_ADDRESSES, and what a store can hold of addresses, are below 2^32.
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{OptionSet, PoolParts};

    /// One pool of 1,000 addresses.
    fn config() -> Config {
        let pool = PoolParts {
            first: Ipv4Addr::new(10, 0, 1, 0),
            last: Ipv4Addr::new(10, 0, 4, 231),
            options: OptionSet::default(),
            failover: None,
            dynamic_bootp: false,
        };
        Config::of_one_subnet("10.0.0.0/16", vec![pool])
    }

    #[test]
    fn after_a_start_each_client_is_found_where_it_has_a_lease_or_was_heard_last() {
        let (config, now) = (config(), Time::from_seconds(1_800_000_000));
        let mut table = Table::new(&config, 1);
        let client = |number: u32| ClientIdentity::from_client_identifier(&number.to_be_bytes());
        let mut best = BTreeMap::new();
        for slot in table.all_slots() {
            let number = slot.number() * 7919 % 331;
            let mut binding = Binding::unused(table.get(slot).address);
            binding.client = client(number);
            binding.client_last_transaction_time = Stamp::from_tick(1_000_000 + slot.number() * 613 % 1009);
            if slot.number() * 31 % 5 == 0 {
                binding.status = BindingStatus::Active;
            }
            let heard = (binding.status == BindingStatus::Active, binding.client_last_transaction_time);
            let entry = best.entry(number).or_insert((heard, slot));
            *entry = (*entry).max((heard, slot));
            table.restore(&binding.record());
        }
        table.start(&config, now);
        assert_eq!(best.len(), 331);
        for (number, (_, slot)) in &best {
            assert_eq!(table.of_client(NetworkId(0), &client(*number).unwrap()), Some(*slot));
        }
        let indexed = table.numbered(0).filter(|(_, binding)| binding.indexed).count();
        assert_eq!(indexed, best.len());
    }
}
