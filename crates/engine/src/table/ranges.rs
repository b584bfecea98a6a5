//! Which addresses there are, and where each belongs.
//!
//! *Lives here:* [`Range`], addresses that follow each other with slots that follow each other; [`Ranges`], all of them by address.
//! *Must not know:* bindings.
//!
//! Each packet asks several times, and there may be ten thousand subnets: so first addresses lie together, apart from the rest.

use crate::config::{NetworkId, PoolId, RelationshipId, SubnetId};

/// Addresses that follow each other, with slots that follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) slot: u32,
    /// `None` for a reservation outside all pools, and for what the configuration does not have any more.
    pub(super) pool: Option<PoolId>,
    /// `None` for what the configuration does not have any more.
    pub(super) subnet: Option<SubnetId>,
    /// That of the subnet.
    pub(super) network: Option<NetworkId>,
    /// Which partner shares these addresses.
    pub(super) relationship: Option<RelationshipId>,
}

/// Ranges that have no address in common.
#[derive(Debug, Clone)]
pub(super) struct Ranges {
    firsts: Vec<u32>,
    all: Vec<Range>,
}

impl Ranges {
    pub(super) fn new(mut all: Vec<Range>) -> Ranges {
        all.sort_unstable_by_key(|range| range.first);
        Ranges { firsts: all.iter().map(|range| range.first).collect(), all }
    }

    /// In the order of addresses.
    pub(super) fn all(&self) -> &[Range] {
        &self.all
    }

    /// That of an address.
    pub(super) fn of(&self, address: u32) -> Option<&Range> {
        let after = self.firsts.partition_point(|first| *first <= address);
        let range = self.all.get(after.checked_sub(1)?)?;
        (address <= range.last).then_some(range)
    }

    /// The number of the slot of an address.
    pub(super) fn slot(&self, address: u32) -> Option<u32> {
        self.of(address).map(|range| range.slot + (address - range.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_found_in_its_range_and_no_other_is() {
        let range = |first, last, slot| Range {
            first,
            last,
            slot,
            pool: None,
            subnet: None,
            network: None,
            relationship: None,
        };
        let ranges = Ranges::new(vec![range(100, 199, 3), range(10, 12, 0), range(200, 200, 103)]);
        for (address, slot) in [
            (9, None),
            (10, Some(0)),
            (12, Some(2)),
            (13, None),
            (99, None),
            (100, Some(3)),
            (199, Some(102)),
            (200, Some(103)),
            (201, None),
        ] {
            assert_eq!(ranges.slot(address), slot, "{address}");
        }
        assert_eq!(ranges.all().first().map(|range| range.first), Some(10));
    }
}
