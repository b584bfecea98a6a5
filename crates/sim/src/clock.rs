//! Clocks that drift, step, stand still and start anew.
//!
//! *Lives here:* [`Moment`] (true time, which nobody in the world can read), [`Oscillator`], [`Machine`].
//! *May know:* the readings that `engine::clock` takes.
//! *Must not know:* who looks at a clock.

use crate::random::Random;
use engine::clock::{BootId, Reading};
use failover::time::{Interval, Time};

/// True time: milliseconds since the world began.
pub(crate) type Moment = u64;

/// True wall time when the world begins, in seconds since 1970.
pub(crate) const BEGINNING: u64 = 1_800_000_000;

/// A clock that runs a little too fast or too slow, for ever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Oscillator {
    /// Parts in a thousand million that it is fast.
    drift: i64,
}

impl Oscillator {
    /// Up to so many parts in a million fast or slow.
    pub(crate) fn within(parts_per_million: u64, random: &mut Random) -> Oscillator {
        let most = i64::try_from(parts_per_million * 1000).unwrap_or(0);
        let drift = match random.below(4) {
            0 => most,
            1 => -most,
            _ => i64::try_from(random.below(2 * parts_per_million * 1000)).unwrap_or(0) - most,
        };
        Oscillator { drift }
    }

    /// What it counts while `span` passes in truth.
    pub(crate) fn counts(self, span: u64) -> u64 {
        scale(span, 1_000_000_000 + self.drift, 1_000_000_000)
    }

    /// How long it truly takes until it has counted `counted`, never too short.
    pub(crate) fn takes(self, counted: u64) -> u64 {
        if counted > u64::MAX / 4 {
            return counted;
        }
        scale(counted, 1_000_000_000, 1_000_000_000 + self.drift) + 1
    }
}

fn scale(value: u64, numerator: i64, denominator: i64) -> u64 {
    let scaled = i128::from(value) * i128::from(numerator) / i128::from(denominator.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// For how long a machine has stood still since it booted, as its clocks showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stillness(u64);

/// The clocks of one server's machine.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    oscillator: Oscillator,
    boot: BootId,
    booted: Moment,
    /// How long it has stood still since it booted.
    frozen: u64,
    /// Wall time minus true wall time, in milliseconds.
    wall_error: i64,
    synchronised: bool,
    /// It has stood still, and nothing that is stable tells of it yet.
    behind: bool,
    /// By how much the time that its network tells it is ahead of the truth, in milliseconds.
    pub(crate) skew: i64,
    /// How much of that came by and by.
    wandered: i64,
}

impl Machine {
    pub(crate) fn new(random: &mut Random) -> Machine {
        let oscillator = Oscillator::within(250, random);
        Machine {
            oscillator,
            boot: boot_id(random),
            booted: 0,
            frozen: 0,
            wall_error: 0,
            synchronised: true,
            behind: false,
            skew: 0,
            wandered: 0,
        }
    }

    pub(crate) fn boot(&self) -> BootId {
        self.boot
    }

    pub(crate) fn reading(&self, now: Moment) -> Reading {
        let wall = i128::from(BEGINNING) * 1000 + i128::from(now) + i128::from(self.wall_error + self.skew);
        Reading {
            since_boot: self.since_boot(now),
            wall: Time::from_millis(u64::try_from(wall.max(1)).unwrap_or(u64::MAX)),
            synchronised: self.synchronised,
        }
    }

    /// CLOCK_BOOTTIME, as long as the machine does not stand still right now.
    pub(crate) fn since_boot(&self, now: Moment) -> Interval {
        let up = now.saturating_sub(self.booted).saturating_sub(self.frozen);
        Interval::from_millis(self.oscillator.counts(up))
    }

    /// How long an interval of this machine's clock truly takes.
    pub(crate) fn takes(&self, interval: Interval) -> u64 {
        self.oscillator.takes(interval.as_millis())
    }

    /// It stood still for so long; neither of its clocks went on.
    pub(crate) fn stood_still(&mut self, span: u64) {
        self.frozen += span;
        self.behind = true;
        self.wall_error -= i64::try_from(span).unwrap_or(0);
    }

    /// A hand, or a broken program, set the wall clock.
    pub(crate) fn step(&mut self, by: i64) {
        self.wall_error += by;
        self.synchronised = false;
    }

    /// The network's time is behind by so much, in milliseconds, and the wall clock follows it, until it is set right.
    pub(crate) fn follows_wrong_time(&mut self, behind: u64) {
        self.wall_error -= i64::try_from(behind).unwrap_or(0);
    }

    /// What the network tells as time goes to so many milliseconds from what it told at first.
    pub(crate) fn wander(&mut self, to: i64) {
        self.skew += to - self.wandered;
        self.wandered = to;
    }

    /// It has stood still, and nothing that is stable tells of it yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    /// What a server that looks at the clocks sees of that: for how long the machine has stood still since it booted. `None` when
    /// there is nothing to see, or the wall clock does not show it.
    pub(crate) fn shows_stillness(&self) -> Option<Stillness> {
        let shown = self.behind && self.synchronised && self.wall_error >= -1000;
        shown.then_some(Stillness(self.frozen))
    }

    /// What was seen then is on stable storage.
    pub(crate) fn was_recorded(&mut self, seen: Stillness) {
        self.behind = self.behind && seen != Stillness(self.frozen);
    }

    /// The network's time was found: the wall clock is right again.
    pub(crate) fn synchronise(&mut self, error: i64) {
        self.wall_error = error;
        self.synchronised = true;
    }

    /// The machine starts again; its wall clock comes from the battery's clock, which is off by `wall_error`.
    pub(crate) fn reboot(&mut self, now: Moment, wall_error: i64, random: &mut Random) {
        self.boot = boot_id(random);
        (self.booted, self.frozen, self.wall_error, self.synchronised) = (now, 0, wall_error, false);
    }
}

fn boot_id(random: &mut Random) -> BootId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&random.next().to_le_bytes());
    bytes[8..].copy_from_slice(&random.next().to_le_bytes());
    BootId(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oscillator_takes_what_it_counts() {
        let fast = Oscillator { drift: 500_000 };
        assert_eq!(fast.counts(1_000_000), 1_000_500);
        assert!(fast.counts(fast.takes(3_600_000)) >= 3_600_000);
        let slow = Oscillator { drift: -250_000 };
        assert!(slow.takes(1_000_000) > 1_000_250);
        assert_eq!(fast.takes(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_machine_that_stood_still_is_behind_on_both_clocks() {
        let mut machine = Machine::new(&mut Random::new(3));
        let before = machine.reading(1000);
        machine.stood_still(60_000);
        let after = machine.reading(61_000);
        assert_eq!((after.since_boot, after.wall), (before.since_boot, before.wall));
        assert_eq!(machine.shows_stillness(), None);
        machine.synchronise(0);
        assert_eq!(machine.reading(61_000).wall, Time::from_millis(BEGINNING * 1000 + 61_000));
        // It is behind until what was seen is recorded, and if it stood still again meanwhile, until that is.
        let first = machine.shows_stillness().unwrap();
        assert!(machine.is_behind());
        machine.stood_still(1000);
        machine.synchronise(0);
        machine.was_recorded(first);
        let second = machine.shows_stillness().unwrap();
        machine.was_recorded(second);
        assert!(first != second && !machine.is_behind() && machine.shows_stillness().is_none());
    }
}
