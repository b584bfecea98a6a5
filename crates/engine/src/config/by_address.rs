//! Which of many ranges an address lies in.
//!
//! *Lives here:* [`ByAddress`].
//! *Must not know:* what the ranges are.
//!
//! Each packet asks, and there may be ten thousand subnets. So the upper half of an address leads to a page, and its third byte to
//! the few ranges that begin in that /24: only among these is searched, in at most eight steps, and mostly in none.

/// Ranges of addresses that have none in common, each with its number. A clone is as large.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ByAddress {
    /// The upper half of the lowest address: that of the first page.
    lowest: u32,
    pages: Vec<Page>,
    /// For each split page 257 numbers: how many ranges begin below each /24 of it, and below its end.
    below: Vec<u32>,
    /// In the order of addresses.
    ranges: Vec<Numbered>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbered {
    first: u32,
    last: u32,
    number: u32,
}

/// Addresses whose upper halves are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    /// No range begins here, and so many begin below.
    Whole(u32),
    /// Where its numbers are.
    Split(u32),
}

impl ByAddress {
    /// Of ranges with first and last address; in any order.
    pub(crate) fn new(ranges: impl IntoIterator<Item = (u32, u32, u32)>) -> ByAddress {
        let mut ranges: Vec<Numbered> =
            ranges.into_iter().map(|(first, last, number)| Numbered { first, last, number }).collect();
        ranges.sort_unstable_by_key(|range| (range.first, range.last));
        let lowest = ranges.first().map_or(0, |range| range.first >> 16);
        let highest = ranges.iter().map(|range| range.last >> 16).max();
        let (mut pages, mut below) = (Vec::new(), Vec::new());
        let mut begun = 0;
        for half in highest.map(|highest| lowest..=highest).into_iter().flatten() {
            let in_page = ranges[begun..].iter().take_while(|range| range.first >> 16 == half).count();
            if in_page == 0 {
                pages.push(Page::Whole(number(begun)));
                continue;
            }
            pages.push(Page::Split(number(below.len())));
            let end = begun + in_page;
            for third in 0..=0xff {
                below.push(number(begun));
                while begun < end && ranges[begun].first >> 8 & 0xff == third {
                    begun += 1;
                }
            }
            below.push(number(end));
        }
        ByAddress { lowest, pages, below, ranges }
    }

    /// The number of the range in which an address lies.
    pub(crate) fn find(&self, address: u32) -> Option<u32> {
        let page = (address >> 16).checked_sub(self.lowest)?;
        let begun = match *self.pages.get(page as usize)? {
            Page::Whole(begun) => begun as usize,
            Page::Split(page) => {
                let block = (page + (address >> 8 & 0xff)) as usize;
                let (from, to) = (self.below[block] as usize, self.below[block + 1] as usize);
                from + self.ranges[from..to].partition_point(|range| range.first <= address)
            }
        };
        let range = self.ranges.get(begun.checked_sub(1)?)?;
        (address <= range.last).then_some(range.number)
    }

    /// Numbers of the ranges that end at `from` or behind it, in the order of addresses.
    pub(crate) fn from(&self, from: u32) -> impl Iterator<Item = u32> + '_ {
        let start = self.ranges.partition_point(|range| range.last < from);
        self.ranges[start..].iter().map(|range| range.number)
    }
}

fn number(n: usize) -> u32 {
    // There are fewer ranges than addresses, and at most 257 numbers for each of 2^16 pages.
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_ranges_nothing_is_found() {
        let none = ByAddress::default();
        assert_eq!(none, ByAddress::new([]));
        assert_eq!((none.find(0), none.find(u32::MAX), none.from(0).count()), (None, None, 0));
    }

    #[test]
    fn the_ends_of_all_addresses_are_found() {
        let all = ByAddress::new([(0, u32::MAX, 7)]);
        assert_eq!([0, 1, 0x1234_5678, u32::MAX].map(|address| all.find(address)), [Some(7); 4]);
    }

    /// Cuts close to each other, and far apart, and at the borders of pages and blocks.
    fn cuts() -> impl Strategy<Value = Vec<u32>> {
        let cut = prop_oneof![
            0x0a00_0000..0x0a00_0400_u32,
            (0x0a00..0x0a10_u32).prop_map(|half| half << 16),
            (0x0a_0000..0x0a_0300_u32).prop_map(|block| block << 8),
            any::<u32>(),
        ];
        prop::collection::vec((cut, any::<bool>()), 0..60).prop_map(|cuts| {
            cuts.into_iter()
                .flat_map(|(cut, two)| [cut].into_iter().chain(two.then_some(cut.saturating_add(1))))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_looking_at_each_finds(mut cuts in cuts(), others in prop::collection::vec(any::<u32>(), 20)) {
            cuts.sort_unstable();
            cuts.dedup();
            // Every other piece between two cuts is a range.
            let ranges: Vec<(u32, u32, u32)> =
                (0..).zip(cuts.chunks_exact(2)).map(|(number, ends)| (ends[0], ends[1], number)).collect();
            let by_address = ByAddress::new(ranges.iter().rev().copied());
            let near = cuts.iter().flat_map(|cut| [cut.saturating_sub(1), *cut, cut.saturating_add(1)]);
            for address in near.chain(others) {
                let holds = |range: &&(u32, u32, u32)| range.0 <= address && address <= range.1;
                prop_assert_eq!(by_address.find(address), ranges.iter().find(holds).map(|range| range.2), "{}", address);
                let behind = ranges.iter().filter(|range| range.1 >= address).map(|range| range.2);
                prop_assert!(by_address.from(address).eq(behind));
            }
        }
    }
}
