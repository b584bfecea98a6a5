//! When each slot needs attention next: a timing wheel of one-second ticks.
//!
//! *Lives here:* [`Wheel`]: which bucket a deadline belongs to, and how time passes over the buckets.
//! *May know:* [`Lists`], in which its buckets are.
//! *Must not know:* what becomes of a slot whose time has come.
//!
//! Four levels of 256 buckets cover 2^32 seconds. Deadlines are lazy: one that moved later stays where it is until
//! its bucket comes up, and is then sorted in anew, so that a renewal costs nothing here (trap T19 makes ends move
//! later only). Work is done one slot at a time: a million deadlines in one second are no pause.

use super::lists::{ListId, Lists};

const LEVELS: u32 = 4;
const BUCKETS: u32 = 256;

/// How many lists a wheel needs: its buckets, the slots that are due, and those on their way to a lower level.
pub(crate) const LISTS: u32 = LEVELS * BUCKETS + 2;

/// A second, counted as [`crate::record::Stamp`] counts.
pub(crate) type Tick = u32;

#[derive(Debug, Clone)]
pub(crate) struct Wheel {
    /// The number of the first of its lists.
    first: u32,
    /// All ticks up to and including this one have been taken out of their buckets.
    current: Tick,
    /// Which buckets may be occupied: one bit each.
    occupied: [[u64; 4]; LEVELS as usize],
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The time of this slot has come; it is in no list now.
    Due(u32),
    /// A slot moved to a finer bucket.
    Moved,
    /// This slot has no deadline any more; it is in no list now.
    Never(u32),
    /// Nothing is due until later.
    Idle,
}

impl Wheel {
    /// An empty wheel at `current`, with the lists from number `first` on.
    pub(crate) fn new(first: u32, current: Tick) -> Wheel {
        Wheel { first, current, occupied: [[0; 4]; LEVELS as usize] }
    }

    /// Puts a slot, which is in no list, where it will be found at `deadline`. `Tick::MAX` is never.
    pub(crate) fn insert(&mut self, lists: &mut Lists, slot: u32, deadline: Tick) {
        if deadline == Tick::MAX {
            return;
        }
        if deadline <= self.current {
            lists.push_back(self.due(), slot);
            return;
        }
        let level = (deadline ^ self.current).ilog2() / 8;
        let bucket = deadline >> (8 * level) & 0xff;
        lists.push_back(self.bucket(level, bucket), slot);
        self.occupied[level as usize][(bucket / 64) as usize] |= 1 << (bucket % 64);
    }

    /// One unit of work towards `now`; `deadline_of` says when a slot needs attention as things stand.
    pub(crate) fn step(&mut self, lists: &mut Lists, now: Tick, deadline_of: impl Fn(u32) -> Tick) -> Step {
        loop {
            if let Some(slot) = lists.pop_front(self.due()) {
                let deadline = deadline_of(slot);
                if deadline <= self.current {
                    return Step::Due(slot);
                }
                return self.sort(lists, slot, deadline);
            }
            if let Some(slot) = lists.pop_front(self.moving()) {
                return self.sort(lists, slot, deadline_of(slot));
            }
            let Some((tick, level, bucket)) = self.next_bucket() else {
                self.current = self.current.max(now);
                return Step::Idle;
            };
            if tick > now {
                // Time may pass up to the bucket, but not into the range of another bucket of a higher level.
                self.current = self.current.max(now);
                return Step::Idle;
            }
            self.current = tick;
            self.occupied[level as usize][(bucket / 64) as usize] &= !(1 << (bucket % 64));
            let to = if level == 0 { self.due() } else { self.moving() };
            lists.append(self.bucket(level, bucket), to);
        }
    }

    /// Takes all slots of a list in, in constant time; they are sorted one by one as [`Wheel::step`] comes to them.
    pub(crate) fn take_all(&self, lists: &mut Lists, from: ListId) {
        lists.append(from, self.moving());
    }

    fn sort(&mut self, lists: &mut Lists, slot: u32, deadline: Tick) -> Step {
        if deadline == Tick::MAX {
            return Step::Never(slot);
        }
        self.insert(lists, slot, deadline);
        Step::Moved
    }

    /// The next tick at which there is work; `None` for never. At most [`Wheel::step`]'s `current` if work is pending.
    pub(crate) fn next(&self, lists: &Lists) -> Option<Tick> {
        if lists.front(self.due()).is_some() || lists.front(self.moving()).is_some() {
            return Some(self.current);
        }
        self.next_bucket().map(|(tick, _, _)| tick)
    }

    /// The next bucket that may hold slots, with the tick at which it begins.
    fn next_bucket(&self) -> Option<(Tick, u32, u32)> {
        (0..LEVELS).find_map(|level| {
            let at = self.current >> (8 * level) & 0xff;
            let bucket = first_after(&self.occupied[level as usize], at)?;
            // The ticks above this level stay, the one of this level is the bucket's, those below are zero.
            let above =
                if level == LEVELS - 1 { 0 } else { self.current >> (8 * (level + 1)) << (8 * (level + 1)) };
            Some((above | bucket << (8 * level), level, bucket))
        })
    }

    fn bucket(&self, level: u32, bucket: u32) -> ListId {
        ListId(self.first + level * BUCKETS + bucket)
    }

    fn due(&self) -> ListId {
        ListId(self.first + LEVELS * BUCKETS)
    }

    fn moving(&self) -> ListId {
        ListId(self.first + LEVELS * BUCKETS + 1)
    }
}

/// The first bit behind `at` that is set; bits are numbered from 0 on.
fn first_after(bits: &[u64; 4], at: u32) -> Option<u32> {
    let from = at + 1;
    (from / 64..4).find_map(|word| {
        let below = if word == from / 64 { from % 64 } else { 0 };
        let rest = bits[word as usize] >> below << below;
        (rest != 0).then(|| word * 64 + rest.trailing_zeros())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs to `now`, returns the slots that came due.
    fn run(wheel: &mut Wheel, lists: &mut Lists, now: Tick, deadlines: &[Tick]) -> Vec<u32> {
        let mut due = Vec::new();
        loop {
            match wheel.step(lists, now, |slot| deadlines[slot as usize]) {
                Step::Due(slot) => due.push(slot),
                Step::Moved | Step::Never(_) => {}
                Step::Idle => return due,
            }
        }
    }

    #[test]
    fn each_slot_comes_due_at_its_deadline_and_not_before() {
        let start = 200_000_123;
        let deadlines: Vec<Tick> =
            [1, 2, 255, 256, 257, 65_535, 65_536, 70_000, 16_777_216, 20_000_000, 900_000_000]
                .map(|d| start + d)
                .into();
        let slots = u32::try_from(deadlines.len()).unwrap();
        let mut lists = Lists::new(LISTS, slots);
        let mut wheel = Wheel::new(0, start);
        for slot in 0..slots {
            wheel.insert(&mut lists, slot, deadlines[slot as usize]);
        }
        for (slot, deadline) in (0..).zip(&deadlines) {
            assert_eq!(run(&mut wheel, &mut lists, deadline - 1, &deadlines), [], "slot {slot} early");
            assert_eq!(run(&mut wheel, &mut lists, *deadline, &deadlines), [slot], "slot {slot}");
        }
        assert_eq!(wheel.next(&lists), None);
    }

    #[test]
    fn following_next_alone_finds_every_deadline() {
        let mut state = 88_172_645_463_325_252_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let start = 1000;
        let deadlines: Vec<Tick> = (0..500)
            .map(|_| start + 1 + u32::try_from(random() % (1 << (1 + random() % 28))).unwrap())
            .collect();
        let mut lists = Lists::new(LISTS, 500);
        let mut wheel = Wheel::new(0, start);
        for slot in 0..500 {
            wheel.insert(&mut lists, slot, deadlines[slot as usize]);
        }
        let mut found = 0;
        while let Some(now) = wheel.next(&lists) {
            for slot in run(&mut wheel, &mut lists, now, &deadlines) {
                assert_eq!(deadlines[slot as usize], now);
                found += 1;
            }
        }
        assert_eq!(found, 500);
    }

    #[test]
    fn a_deadline_that_moved_later_is_found_later() {
        let mut lists = Lists::new(LISTS, 1);
        let mut wheel = Wheel::new(0, 100);
        wheel.insert(&mut lists, 0, 110);
        assert_eq!(run(&mut wheel, &mut lists, 120, &[5000]), []);
        assert_eq!(run(&mut wheel, &mut lists, 4999, &[5000]), []);
        assert_eq!(run(&mut wheel, &mut lists, 5000, &[5000]), [0]);
    }

    #[test]
    fn never_is_never_and_the_past_is_now() {
        let mut lists = Lists::new(LISTS, 2);
        let mut wheel = Wheel::new(0, 100);
        wheel.insert(&mut lists, 0, Tick::MAX);
        wheel.insert(&mut lists, 1, 7);
        assert_eq!(wheel.next(&lists), Some(100));
        assert_eq!(run(&mut wheel, &mut lists, 100, &[Tick::MAX, 7]), [1]);
        assert_eq!(wheel.next(&lists), None);
    }
    #[test]
    fn the_first_bit_behind_a_place_is_found_in_every_word() {
        for set in 0..256_u32 {
            let mut bits = [0_u64; 4];
            bits[(set / 64) as usize] |= 1 << (set % 64);
            for at in 0..256 {
                assert_eq!(first_after(&bits, at), (at < set).then_some(set), "{set} behind {at}");
            }
        }
        assert_eq!(first_after(&[1, 0, 1 << 5, u64::MAX], 0), Some(133));
    }
}
