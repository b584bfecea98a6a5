//! How far the partner's clock is from ours.
//!
//! *Lives here:* [`PartnerClock`].
//! *May know:* F07 5.9 (table 1.19 of the catalogue, Q33).
//! *Must not know:* any clock.

use crate::time::{ClockDelta, Interval, Time, WireTime};

/// How many samples are remembered. Delay only ever adds to a sample, so the smallest is the best.
const SAMPLES: usize = 8;

/// Messages that come within so many seconds give one sample: they may have waited together.
const APART: Interval = Interval::from_seconds(5);

/// The difference in use changes only when it is wrong by more than this many seconds: the same moment, sent twice, is
/// to be corrected to the same moment.
const DEAD_BAND: i64 = 1;

/// A change of more than so many seconds is told to the operator (F07-5.9-07).
const DRASTIC: i64 = 10;

/// The smoothed difference (F07-5.9-04 to -08).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartnerClock {
    samples: [i64; SAMPLES],
    latest: usize,
    latest_began: Time,
    delta: ClockDelta,
}

impl PartnerClock {
    /// With the first sample as baseline: a message sent at `sent` by the partner's clock came at `received`.
    pub fn new(sent: WireTime, received: Time) -> PartnerClock {
        let sample = sample(sent, received);
        let delta = if sample.abs() <= DEAD_BAND { 0 } else { sample };
        PartnerClock {
            samples: [sample; SAMPLES],
            latest: 0,
            latest_began: received,
            delta: ClockDelta(delta),
        }
    }

    /// What is added to a time that the partner sends.
    pub fn delta(&self) -> ClockDelta {
        self.delta
    }

    /// Our own clock went forward by so much, and not the partner's: what was sampled before says the same of the new time.
    pub fn own_clock_jumped(&mut self, by: Interval) {
        let by = i64::try_from(by.as_seconds()).unwrap_or(i64::MAX);
        for sample in &mut self.samples {
            *sample = sample.saturating_add(by);
        }
        self.delta.0 = self.delta.0.saturating_add(by);
    }

    /// Takes a sample from any message (F07-5.9-04). The old difference, when the new one differs from it
    /// drastically: somebody set a clock.
    pub fn heard(&mut self, sent: WireTime, received: Time) -> Option<ClockDelta> {
        let sample = sample(sent, received);
        if received.since(self.latest_began) < APART {
            self.samples[self.latest] = self.samples[self.latest].min(sample);
        } else {
            self.latest = (self.latest + 1) % SAMPLES;
            (self.samples[self.latest], self.latest_began) = (sample, received);
        }
        let best = self.samples.iter().copied().min().unwrap_or(self.delta.0);
        let (old, change) = (self.delta, (best - self.delta.0).abs());
        if change <= DEAD_BAND {
            return None;
        }
        self.delta = ClockDelta(best);
        (change > DRASTIC).then_some(old)
    }
}

fn sample(sent: WireTime, received: Time) -> i64 {
    i64::try_from(received.as_seconds()).unwrap_or(i64::MAX) - i64::from(sent.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u32) -> Time {
        Time::from_seconds(u64::from(seconds))
    }

    #[test]
    fn clocks_in_step_need_no_correction() {
        let mut clock = PartnerClock::new(WireTime(1000), at(1001));
        for second in 1001..1100 {
            assert_eq!(clock.heard(WireTime(second), at(second + second % 2)), None);
            assert_eq!(clock.delta(), ClockDelta(0));
        }
    }

    /// F07-5.9-04, -06 to -08.
    #[test]
    fn delay_does_not_move_it_but_a_step_does() {
        let mut clock = PartnerClock::new(WireTime(1000), at(1050));
        assert_eq!(clock.delta(), ClockDelta(50));
        for delay in [0, 30, 1, 30, 30, 30, 30, 30] {
            assert_eq!(clock.heard(WireTime(2000), at(2050 + delay)), None);
            assert_eq!(clock.delta(), ClockDelta(50));
        }
        assert_eq!(clock.heard(WireTime(5000), at(3000)), Some(ClockDelta(50)), "their clock jumped ahead");
        assert_eq!(clock.delta(), ClockDelta(-2000));
        let steps: Vec<_> =
            (1..9).filter_map(|n| clock.heard(WireTime(3000 + 5 * n), at(3000 + 5 * n))).collect();
        assert_eq!(steps, [ClockDelta(-2000)], "and back: seen when no sample says otherwise any more");
        assert_eq!(clock.delta(), ClockDelta(0));
    }

    /// F07-5.9-06. A process that stood still finds many messages in its socket, and all of them are late.
    #[test]
    fn what_waited_together_does_not_move_it_however_much_it_is() {
        let mut clock = PartnerClock::new(WireTime(1000), at(1050));
        for sent in 1000..1040 {
            assert_eq!(clock.heard(WireTime(sent), at(1100)), None);
        }
        assert_eq!(clock.delta(), ClockDelta(50));
        for sent in 1041..1060 {
            assert_eq!(clock.heard(WireTime(sent), at(sent + 50)), None);
        }
        assert_eq!(clock.delta(), ClockDelta(50));
    }

    /// F07-5.9-05.
    #[test]
    fn drift_is_followed_quietly() {
        let mut clock = PartnerClock::new(WireTime(1000), at(1000));
        for second in 0..40_000u32 {
            assert_eq!(clock.heard(WireTime(second + second / 2000), at(second)), None);
        }
        assert!((-20..=-18).contains(&clock.delta().0), "{:?}", clock.delta());
    }
}
