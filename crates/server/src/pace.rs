//! How long the owner leaves its sockets alone when much comes in.
//!
//! *Lives here:* [`Pace`]: counts packets against time, and says how long to rest before the next look.
//! *May know:* when a turn began.
//! *Must not know:* what a packet says, who waits for it; clocks.
//!
//! A look at the sockets costs much the same for one packet as for fifty: the kernel wakes the thread, which asks what is ready, reads,
//! and wakes the journal, which syncs. Where packets come so fast that several fit into a rest, resting is cheaper for all, for those
//! too who send: they wake nobody. Where they do not, nobody rests, and each packet is answered at once; and where more came than one
//! call takes, there is enough to do without a rest.

use std::time::Duration;

/// From the beginning of one look to that of the next.
const BETWEEN: Duration = Duration::from_micros(500);

/// Packets a millisecond from which on the owner rests: eight come in the time of a rest. One client that asks as fast as it is
/// answered, each answer on stable storage, is not so many.
const BUSY: u32 = 16;

/// How long packets are counted until it is said whether they are many.
const WINDOW: Duration = Duration::from_millis(2);

/// What a look at the sockets found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Found {
    /// Packets.
    pub(crate) packets: u32,
    /// One call did not take all.
    pub(crate) is_more: bool,
}

/// Counts what comes in. Times are those of a clock that goes on evenly; a step of it costs one rest, or saves one.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When counting began.
    since: Duration,
    packets: u32,
    is_busy: bool,
    /// When the last look began, and whether it left something.
    began: Duration,
    is_more: bool,
}

impl Pace {
    /// What the look found that began at `began`.
    pub(crate) fn looked(&mut self, began: Duration, found: Found) {
        (self.began, self.is_more) = (began, found.is_more);
        self.packets = self.packets.saturating_add(found.packets);
        let counted = began.saturating_sub(self.since);
        if counted >= WINDOW {
            let millis = u32::try_from(counted.as_millis()).unwrap_or(u32::MAX).max(1);
            self.is_busy = self.packets / millis >= BUSY;
            (self.since, self.packets) = (began, 0);
        }
    }

    /// How long to rest from `now` on before the next look: `None` when little comes in, when there is more to be read, or when the
    /// last look and what followed it took so long themselves.
    pub(crate) fn rest(&self, now: Duration) -> Option<Duration> {
        if !self.may_rest() {
            return None;
        }
        let rest = BETWEEN.checked_sub(now.saturating_sub(self.began))?;
        (!rest.is_zero()).then_some(rest)
    }

    /// Whether it may rest at all: only then the time is of interest.
    pub(crate) fn may_rest(&self) -> bool {
        self.is_busy && !self.is_more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    /// Looks every so many microseconds for 20 ms, each of which finds so many packets; the rest after the last.
    fn after(every: u64, packets: u32, is_more: bool) -> Option<Duration> {
        let (mut pace, mut now) = (Pace::default(), 0);
        while now < 20_000 {
            now += every;
            pace.looked(micros(1_000_000 + now), Found { packets, is_more });
        }
        assert_eq!(pace.may_rest(), pace.rest(micros(1_000_000 + now)).is_some());
        pace.rest(micros(1_000_000 + now + 100))
    }

    #[test]
    fn nobody_rests_while_little_comes_in() {
        assert_eq!(after(1000, 1, false), None);
        assert_eq!(after(1000, 15, false), None);
        assert_eq!(Pace::default().rest(micros(0)), None);
    }

    #[test]
    fn where_much_comes_in_looks_are_so_far_apart() {
        assert_eq!(after(50, 1, false), Some(micros(400)), "one by one");
        assert_eq!(after(500, 20, false), Some(micros(400)), "twenty at a time");
    }

    #[test]
    fn where_more_waits_nobody_rests() {
        assert_eq!(after(500, 64, true), None);
    }

    #[test]
    fn a_turn_that_took_long_needs_no_rest() {
        let mut pace = Pace::default();
        for look in 0..10 {
            pace.looked(micros(1000 * look), Found { packets: 50, is_more: false });
        }
        assert_eq!(pace.rest(micros(9499)), Some(micros(1)));
        assert_eq!(pace.rest(micros(9500)), None);
        assert_eq!(pace.rest(micros(20_000)), None);
    }

    #[test]
    fn what_was_busy_comes_to_rest_again() {
        let mut pace = Pace::default();
        for look in 0..10 {
            pace.looked(micros(1000 * look), Found { packets: 50, is_more: false });
        }
        assert!(pace.may_rest());
        pace.looked(micros(1_000_000), Found { packets: 1, is_more: false });
        assert!(!pace.may_rest());
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm() {
        let mut pace = Pace::default();
        pace.looked(micros(5_000_000), Found { packets: 100, is_more: false });
        pace.looked(micros(1000), Found { packets: 100, is_more: false });
        assert!(pace.rest(micros(0)).is_none_or(|rest| rest <= BETWEEN));
    }
}
