//! Which addresses there are, and where each belongs.
//!
//! *Lives here:* [`Range`], addresses that follow each other with slots that follow each other; [`Ranges`], all of them by address
//! and by slot; [`Slot`].
//! *Must not know:* bindings.
//!
//! Each packet asks several times where its address belongs, and there may be ten thousand subnets: so that is looked up once, and a
//! [`Slot`] has it with it.

use crate::config::{ByAddress, Config, NetworkId, PoolId, RelationshipId, SubnetId};
use std::fmt;

/// Slots of which the first range is kept.
const BLOCK: usize = 64;

/// A place in the table, and in which range that is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    number: u32,
    /// Follows from the number.
    range: u32,
}

impl Slot {
    /// Its number: they are dense.
    pub(crate) fn number(self) -> u32 {
        self.number
    }

    pub(super) fn index(self) -> usize {
        self.number as usize
    }

    #[cfg(test)]
    pub(crate) fn numbered(number: u32) -> Slot {
        Slot { number, range: 0 }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slot").field(&self.number).finish()
    }
}

/// Addresses that follow each other, with slots that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u32,
    pub(super) last: u32,
    /// Number of the slot of the first address.
    pub(super) slot: u32,
    /// `None` for what the configuration does not have any more.
    pub(super) home: Option<Home>,
}

/// To what addresses belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) subnet: SubnetId,
    /// That of the subnet.
    pub(super) network: NetworkId,
    /// `None` for a reservation outside all pools.
    pub(super) pool: Option<PoolId>,
    /// Which partner shares these addresses.
    pub(super) relationship: Option<RelationshipId>,
}

/// Ranges that have no address in common, in the order of their slots.
#[derive(Debug, Clone, Default)]
pub(super) struct Ranges {
    all: Vec<Range>,
    by_address: ByAddress,
    /// For each block of slots the range of the first of them.
    by_slot: Vec<u32>,
}

impl Ranges {
    /// All pools, and the reservations outside of them, in the order of addresses.
    pub(super) fn of_config(config: &Config) -> Ranges {
        let pools = config.pools().iter().zip(0..).map(|(pool, id)| {
            let network = config.subnet(pool.subnet).network;
            let home =
                Home { subnet: pool.subnet, network, pool: Some(PoolId(id)), relationship: pool.failover };
            (pool.first.into(), pool.last.into(), home)
        });
        let mut all: Vec<(u32, u32, Home)> = pools.collect();
        let in_pools = ByAddress::new(all.iter().map(|(first, last, _)| (*first, *last, 0)));
        for reservation in config.reservations() {
            let address = u32::from(reservation.address);
            if in_pools.find(address).is_none() {
                let (subnet, network) = (reservation.subnet, config.subnet(reservation.subnet).network);
                all.push((address, address, Home { subnet, network, pool: None, relationship: None }));
            }
        }
        all.sort_unstable_by_key(|(first, ..)| *first);
        let mut ranges = Ranges::default();
        for (first, last, home) in all {
            ranges.push(first, last, Some(home));
        }
        ranges.index();
        ranges
    }

    /// Adds addresses behind all slots. [`Ranges::index`] is to follow.
    pub(super) fn push(&mut self, first: u32, last: u32, home: Option<Home>) {
        let slot = self.slots();
        match self.all.last_mut() {
            // Reservations that lie side by side are many.
            Some(before) if before.home == home && before.last.checked_add(1) == Some(first) => {
                before.last = last;
            }
            _ => self.all.push(Range { first, last, slot, home }),
        }
    }

    /// All were added: makes them to be found.
    pub(super) fn index(&mut self) {
        self.by_address =
            ByAddress::new(self.all.iter().zip(0..).map(|(range, number)| (range.first, range.last, number)));
        self.by_slot = Vec::with_capacity(self.slots() as usize / BLOCK + 2);
        for (range, number) in self.all.iter().zip(0..) {
            let end = range.slot + (range.last - range.first);
            while self.by_slot.len() * BLOCK <= end as usize {
                self.by_slot.push(number);
            }
        }
        // For who looks where the last block ends.
        self.by_slot.extend(self.all.len().checked_sub(1).map(count));
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> u32 {
        // As many as addresses: fewer than 2^32.
        self.all.last().map_or(0, |range| range.slot + (range.last - range.first) + 1)
    }

    pub(super) fn all(&self) -> &[Range] {
        &self.all
    }

    /// The slot of an address.
    pub(super) fn at(&self, address: u32) -> Option<Slot> {
        let range = self.by_address.find(address)?;
        let Range { first, slot, .. } = self.all.get(range as usize)?;
        Some(Slot { number: slot + (address - first), range })
    }

    /// The slot with this number.
    pub(super) fn numbered(&self, number: u32) -> Slot {
        let block = number as usize / BLOCK;
        let [from, to] = [block, block + 1].map(|block| self.by_slot.get(block).copied().unwrap_or(0));
        let mut range = from;
        if from != to {
            let among = &self.all[from as usize + 1..=to as usize];
            range += count(among.partition_point(|range| range.slot <= number));
        }
        Slot { number, range }
    }

    /// The slot with the lowest address of a range.
    fn first_of(&self, range: u32) -> (Slot, u32) {
        let Range { first, last, slot, .. } = self.all[range as usize];
        (Slot { number: slot, range }, last - first)
    }

    /// Slots in the order of addresses, from `from` on.
    pub(super) fn from(&self, from: u32) -> impl Iterator<Item = Slot> + '_ {
        self.by_address.from(from).flat_map(move |range| {
            let (Slot { number, range }, more) = self.first_of(range);
            let skip = from.saturating_sub(self.all[range as usize].first);
            (number + skip..=number + more).map(move |number| Slot { number, range })
        })
    }

    /// Where a slot is.
    pub(super) fn of(&self, slot: Slot) -> &Range {
        &self.all[slot.range as usize]
    }

    /// To what a slot belongs; `None` when the configuration does not have it any more.
    pub(super) fn home(&self, slot: Slot) -> Option<&Home> {
        self.of(slot).home.as_ref()
    }
}

fn count(n: usize) -> u32 {
    // Fewer ranges than addresses.
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn home(subnet: u32) -> Home {
        Home { subnet: SubnetId(subnet), network: NetworkId(9), pool: None, relationship: None }
    }

    fn ranges(all: &[(u32, u32, Option<Home>)]) -> Ranges {
        let mut ranges = Ranges::default();
        for (first, last, home) in all {
            ranges.push(*first, *last, *home);
        }
        ranges.index();
        ranges
    }

    #[test]
    fn each_address_is_found_in_its_range_and_no_other_is() {
        let ranges = ranges(&[
            (10, 12, Some(home(0))),
            (100, 199, Some(home(1))),
            (200, 200, Some(home(2))),
            (50, 50, None),
        ]);
        for (address, slot) in [
            (9, None),
            (10, Some((0, 0))),
            (12, Some((2, 0))),
            (13, None),
            (50, Some((104, 3))),
            (99, None),
            (100, Some((3, 1))),
            (199, Some((102, 1))),
            (200, Some((103, 2))),
            (201, None),
        ] {
            let found = ranges.at(address);
            assert_eq!(found.map(|slot| (slot.number, slot.range)), slot, "{address}");
            let again = found.map(|slot| ranges.numbered(slot.number));
            assert_eq!(again, found);
        }
        assert_eq!(ranges.from(12).map(Slot::number).collect::<Vec<_>>()[..4], [2, 104, 3, 4]);
        assert_eq!((ranges.slots(), ranges.from(201).count()), (105, 0));
    }

    #[test]
    fn what_lies_side_by_side_and_belongs_together_is_one() {
        let ranges = ranges(&[
            (1, 1, Some(home(0))),
            (2, 2, Some(home(0))),
            (4, 4, Some(home(0))),
            (5, 5, Some(home(1))),
            (6, 6, None),
        ]);
        let ends = ranges.all().iter().map(|range| (range.first, range.last, range.slot));
        assert_eq!(ends.collect::<Vec<_>>(), [(1, 2, 0), (4, 4, 2), (5, 5, 3), (6, 6, 4)]);
        assert_eq!(Ranges::default().slots(), 0);
    }

    proptest! {
        /// Short ranges, of which a block has many, and long ones, which have many blocks.
        #[test]
        fn a_slot_is_in_the_range_that_has_its_number(lengths in prop::collection::vec(prop_oneof![1..3_u32, 1..300_u32], 1..200)) {
            let mut all = Ranges::default();
            let mut first = 7;
            for length in lengths {
                all.push(first, first + length - 1, Some(home(0)));
                first += length + 1;
            }
            all.index();
            for (range, number) in all.all().iter().zip(0..) {
                for slot in range.slot..=range.slot + (range.last - range.first) {
                    prop_assert_eq!(all.numbered(slot), Slot { number: slot, range: number });
                }
            }
        }
    }
}
