//! All bindings, with the indexes by which they are found.
//!
//! *Lives here:* [`Table`]: slots by address, by client, by what is free, by what is due.
//! *May know:* which addresses the configuration has.
//! *Must not know:* messages, replies, records' way to the disk. It changes nothing by itself: who changes a binding
//! does it through [`Table::change`], and records it.
//!
//! A slot is in one list at most: FREE and nobody's in the list of its pool, oldest first; offered, ACTIVE or
//! ABANDONED with an end in the wheel; else in none.

mod binding;
mod extras;
mod lists;
mod offers;
mod wheel;

pub(crate) use binding::{Binding, NO_OFFER};
pub(crate) use offers::Offer;

use crate::config::{Config, NetworkId, PoolId, SubnetId};
use crate::record::{BindingRecord, Stamp};
use dhcp::ClientIdentity;
use failover::binding::BindingStatus;
use failover::time::{Interval, Time};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use lists::{ListId, Lists};
use offers::{Offers, hash_of};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use wheel::{Step, Tick, Wheel};

/// Number of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(u32);

/// Addresses that follow each other, with slots that follow each other.
#[derive(Debug, Clone, Copy)]
struct Range {
    first: u32,
    last: u32,
    slot: u32,
    /// `None` for a reservation outside all pools, and for what the configuration does not have any more.
    pool: Option<PoolId>,
    /// `None` for what the configuration does not have any more.
    subnet: Option<SubnetId>,
}

#[derive(Debug)]
pub(crate) struct Table {
    ranges: Vec<Range>,
    slots: Vec<Binding>,
    /// Records of addresses that the configuration does not have, until [`Table::start`].
    strangers: BTreeMap<u32, Binding>,
    hasher: FixedState,
    by_client: HashTable<u32>,
    offers: Offers,
    lists: Lists,
    wheel: Wheel,
    decline_time: Interval,
    orphans: u64,
    /// A planted bug: see [`crate::planted::Planted::expire_early`].
    expire_early: bool,
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
}

impl Table {
    /// All addresses of the configuration, unused. `seed` keys the hash tables.
    pub(crate) fn new(config: &Config, seed: u64) -> Table {
        let mut ranges: Vec<Range> = config
            .pools()
            .iter()
            .zip(0..)
            .map(|(pool, id)| Range {
                first: pool.first.into(),
                last: pool.last.into(),
                slot: 0,
                pool: Some(PoolId(id)),
                subnet: Some(pool.subnet),
            })
            .collect();
        ranges.sort_unstable_by_key(|range| range.first);
        let mut alone: Vec<Range> = Vec::new();
        for reservation in config.reservations() {
            let address = u32::from(reservation.address);
            if find(&ranges, address).is_none() {
                let subnet = Some(reservation.subnet);
                alone.push(Range { first: address, last: address, slot: 0, pool: None, subnet });
            }
        }
        ranges.append(&mut alone);
        ranges.sort_unstable_by_key(|range| range.first);
        let mut slots = Vec::new();
        for range in &mut ranges {
            range.slot = count(slots.len());
            slots.extend((range.first..=range.last).map(Binding::unused));
        }
        for reservation in config.reservations() {
            if let Some(slot) = find(&ranges, reservation.address.into()) {
                slots[slot as usize].reserved = true;
            }
        }
        Table {
            ranges,
            slots,
            strangers: BTreeMap::new(),
            hasher: FixedState::with_seed(seed),
            by_client: HashTable::new(),
            offers: Offers::new(seed),
            lists: Lists::new(0, 0),
            wheel: Wheel::new(0, 0),
            decline_time: config.decline_time(),
            orphans: 0,
            expire_early: false,
        }
    }

    /// Takes the state of a binding from a record. Before [`Table::start`] only.
    pub(crate) fn restore(&mut self, record: &BindingRecord<'_>) {
        let address = u32::from(record.address);
        match find(&self.ranges, address) {
            Some(slot) => self.slots[slot as usize].restore(record),
            None => self.strangers.entry(address).or_insert_with(|| Binding::unused(address)).restore(record),
        }
    }

    /// All records are in: builds what is not durable. Returns how many bindings have no place in the configuration.
    pub(crate) fn start(&mut self, config: &Config, now: Time) -> u64 {
        self.adopt_strangers();
        let pools = count(config.pools().len());
        let slots = count(self.slots.len());
        self.lists = Lists::new(pools + wheel::LISTS, slots);
        self.wheel = Wheel::new(pools, tick_before(now));
        // Room for all there will ever be: a table that grows stops everybody while it moves its entries.
        self.by_client = HashTable::with_capacity(self.slots.len());
        self.offers.reserve(self.slots.len());
        // Among several bindings of one client in a network, the index is to find the one heard of last.
        let mut with_client: Vec<u32> =
            (0..slots).filter(|slot| self.slots[*slot as usize].client.is_some()).collect();
        with_client.sort_by_key(|slot| {
            let binding = &self.slots[*slot as usize];
            (binding.status == BindingStatus::Active, binding.client_last_transaction_time)
        });
        for slot in with_client {
            self.index_newest(config, Slot(slot));
        }
        // Never used addresses first, then those that have been free for longest.
        let mut order: Vec<u32> = (0..slots).collect();
        order.sort_by_key(|slot| self.slots[*slot as usize].start_time_of_state);
        for slot in order {
            self.relist(Slot(slot));
        }
        self.orphans
    }

    /// How many bindings have no place in the configuration.
    pub(crate) fn orphans(&self) -> u64 {
        self.orphans
    }

    /// The slot of an address.
    pub(crate) fn at(&self, address: Ipv4Addr) -> Option<Slot> {
        find(&self.ranges, address.into()).map(Slot)
    }

    pub(crate) fn get(&self, slot: Slot) -> &Binding {
        &self.slots[slot.0 as usize]
    }

    /// The subnet of an address; `None` when the configuration does not have it any more.
    pub(crate) fn subnet(&self, slot: Slot) -> Option<SubnetId> {
        self.range(slot).subnet
    }

    /// The pool of an address; `None` for a reservation outside all pools.
    pub(crate) fn pool(&self, slot: Slot) -> Option<PoolId> {
        self.range(slot).pool
    }

    /// The binding that this client has, or had last, in this network.
    pub(crate) fn of_client(
        &self,
        config: &Config,
        network: NetworkId,
        client: &ClientIdentity,
    ) -> Option<Slot> {
        let hash = hash_of(&self.hasher, network, client);
        let found = self.by_client.find(hash, |&slot| {
            self.slots[slot as usize].client.as_ref() == Some(client)
                && self.network(config, Slot(slot)) == Some(network)
        })?;
        Some(Slot(*found))
    }

    /// The address that is offered to this client in this network.
    pub(crate) fn offered_to(&self, network: NetworkId, client: &ClientIdentity) -> Option<Slot> {
        self.offers.of(network, client).map(|offer| Slot(offer.slot))
    }

    /// Who this address is offered to, and until when.
    pub(crate) fn offer_of(&self, slot: Slot) -> Option<&Offer> {
        self.offers.get(self.get(slot).offer)
    }

    /// The address of this pool that has been free for longest.
    pub(crate) fn oldest_free(&self, pool: PoolId) -> Option<Slot> {
        self.lists.front(ListId(pool.0)).map(Slot)
    }

    /// Keeps an address for a client until `until`; replaces an offer that the client had before.
    pub(crate) fn offer(&mut self, slot: Slot, network: NetworkId, client: &ClientIdentity, until: Time) {
        if let Some(offer) = self.offers.get_mut(self.slots[slot.0 as usize].offer)
            && offer.client == *client
        {
            offer.until = until;
            return;
        }
        self.withdraw_offer_to(network, client);
        self.withdraw_offer(slot);
        let offer = Offer { client: client.clone(), network, slot: slot.0, until };
        self.slots[slot.0 as usize].offer = self.offers.insert(offer);
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
        let offer = std::mem::replace(&mut self.slots[slot.0 as usize].offer, NO_OFFER);
        if offer != NO_OFFER {
            self.offers.remove(offer);
            self.relist(slot);
        }
    }

    /// Changes a binding and puts it where it belongs then. An offer of it ends.
    pub(crate) fn change(
        &mut self,
        config: &Config,
        slot: Slot,
        change: impl FnOnce(&mut Binding),
    ) -> &Binding {
        self.withdraw_offer(slot);
        let before = self.get(slot);
        let (status, client) = (before.status, before.client.clone());
        let binding = &mut self.slots[slot.0 as usize];
        change(binding);
        if client != binding.client {
            let after = binding.client.take();
            binding.client = client;
            self.unindex(config, slot);
            self.slots[slot.0 as usize].client = after;
        }
        if self.get(slot).client.is_some() && !self.get(slot).indexed {
            self.index_newest(config, slot);
        }
        // An end that moved later needs no new place: deadlines are lazy.
        let stays = status == BindingStatus::Active && self.get(slot).status == BindingStatus::Active;
        if !stays || !self.lists.is_linked(slot.0) {
            self.relist(slot);
        }
        self.get(slot)
    }

    /// Puts a bug in: see [`crate::planted::Planted::expire_early`].
    pub(crate) fn plant_early_expiry(&mut self, early: bool) {
        self.expire_early = early;
    }

    /// Does up to `budget` units of work that is due at `now`, until a slot needs a decision.
    pub(crate) fn next_due(&mut self, now: Time, budget: &mut u32) -> Option<Due> {
        let now_tick = tick_before(now);
        while *budget > 0 {
            *budget -= 1;
            let Table { wheel, lists, slots, offers, decline_time, expire_early, .. } = self;
            let early = *expire_early;
            match wheel
                .step(lists, now_tick, |slot| deadline(&slots[slot as usize], offers, *decline_time, early))
            {
                Step::Due(slot) => {
                    let binding = &self.slots[slot as usize];
                    return Some(match binding.status {
                        _ if binding.offer != NO_OFFER => Due::Offer(Slot(slot)),
                        BindingStatus::Abandoned => Due::Abandoned(Slot(slot)),
                        _ => Due::Lease(Slot(slot)),
                    });
                }
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
        let from = u32::from(from);
        let start = self.ranges.partition_point(|range| range.last < from);
        self.ranges[start..].iter().flat_map(move |range| {
            let skip = from.saturating_sub(range.first);
            (range.slot + skip..=range.slot + (range.last - range.first)).map(Slot)
        })
    }

    /// Slots in the order of their numbers, from number `from` on.
    pub(crate) fn numbered(&self, from: u32) -> impl Iterator<Item = (u32, &Binding)> {
        (from..).zip(self.slots.iter().skip(from as usize))
    }

    fn adopt_strangers(&mut self) {
        for (address, binding) in std::mem::take(&mut self.strangers) {
            if !binding.is_worth_a_record() {
                continue;
            }
            let slot = count(self.slots.len());
            self.slots.push(binding);
            self.ranges.push(Range { first: address, last: address, slot, pool: None, subnet: None });
            self.orphans += 1;
        }
        self.ranges.sort_unstable_by_key(|range| range.first);
    }

    fn range(&self, slot: Slot) -> &Range {
        let address = self.get(slot).address;
        let after = self.ranges.partition_point(|range| range.first <= address);
        &self.ranges[after - 1]
    }

    fn network(&self, config: &Config, slot: Slot) -> Option<NetworkId> {
        self.subnet(slot).map(|subnet| config.subnet(subnet).network)
    }
}

/// Indexes and lists: what follows from the bindings.
impl Table {
    /// Makes the index find this binding by its client, instead of another of the same client and network.
    fn index_newest(&mut self, config: &Config, slot: Slot) {
        let (Some(client), Some(network)) = (self.get(slot).client.clone(), self.network(config, slot))
        else {
            return;
        };
        if let Some(older) = self.of_client(config, network, &client) {
            self.unindex(config, older);
        }
        let hash = hash_of(&self.hasher, network, &client);
        self.slots[slot.0 as usize].indexed = true;
        let Table { by_client, slots, ranges, hasher, .. } = self;
        by_client.insert_unique(hash, slot.0, |&slot| {
            let binding = &slots[slot as usize];
            let subnet = range_of(ranges, binding.address).and_then(|range| range.subnet);
            match (&binding.client, subnet) {
                (Some(client), Some(subnet)) => hash_of(hasher, config.subnet(subnet).network, client),
                _ => 0,
            }
        });
    }

    fn unindex(&mut self, config: &Config, slot: Slot) {
        let binding = self.get(slot);
        let (true, Some(client), Some(network)) =
            (binding.indexed, &binding.client, self.network(config, slot))
        else {
            return;
        };
        let hash = hash_of(&self.hasher, network, client);
        if let Ok(entry) = self.by_client.find_entry(hash, |&entry| entry == slot.0) {
            entry.remove();
        }
        self.slots[slot.0 as usize].indexed = false;
    }

    /// Puts a slot into the list, or to the place in the wheel, where it belongs as things stand.
    fn relist(&mut self, slot: Slot) {
        self.lists.unlink(slot.0);
        let binding = self.get(slot);
        let is_free = binding.status == BindingStatus::Free && binding.offer == NO_OFFER;
        if is_free {
            if let (Some(pool), false) = (self.pool(slot), binding.reserved) {
                self.lists.push_back(ListId(pool.0), slot.0);
            }
            return;
        }
        let deadline = deadline(binding, &self.offers, self.decline_time, self.expire_early);
        self.wheel.insert(&mut self.lists, slot.0, deadline);
    }
}

/// When a slot needs attention next.
fn deadline(binding: &Binding, offers: &Offers, decline_time: Interval, early: bool) -> Tick {
    let at = if let Some(offer) = offers.get(binding.offer) {
        offer.until
    } else {
        match binding.status {
            BindingStatus::Active if early => {
                binding.client_last_transaction_time.time().plus(binding.leased_for().fraction(1, 2))
            }
            // Trap T21: two clocks drift apart, so nobody's lease is called over before the slack has passed.
            BindingStatus::Active => binding.lease_expiration.time().plus(binding.leased_for().slack()),
            BindingStatus::Abandoned => binding.start_time_of_state.time().plus(decline_time),
            _ => Time::NEVER,
        }
    };
    Stamp::at_or_after(at).tick()
}

/// The last whole second that is over at `now`.
fn tick_before(now: Time) -> Tick {
    Stamp::at_or_before(now).tick()
}

fn range_of(ranges: &[Range], address: u32) -> Option<&Range> {
    let after = ranges.partition_point(|range| range.first <= address);
    let range = ranges.get(after.checked_sub(1)?)?;
    (address <= range.last).then_some(range)
}

fn find(ranges: &[Range], address: u32) -> Option<u32> {
    range_of(ranges, address).map(|range| range.slot + (address - range.first))
}

fn count(n: usize) -> u32 {
    // config::MAX_ADDRESSES, and what a store can hold of addresses, are below 2^32.
    u32::try_from(n).unwrap_or(u32::MAX)
}
