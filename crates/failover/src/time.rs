//! Absolute time, intervals and what of them goes over the wire: three kinds that do not mix.
//!
//! *Lives here:* [`Time`], [`Interval`], [`WireTime`] and the arithmetic that is allowed between them.
//! *Must not know:* any clock. Time comes in as an argument, everywhere.

use std::fmt;

/// A moment of engine time: milliseconds since 1970-01-01 00:00 UTC. Saturates; [`Time::NEVER`] stays never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

/// A length of time in milliseconds. Never negative; [`Interval::INFINITE`] stays infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Interval(u64);

/// A moment as the failover protocol sends it: unsigned seconds since 1970-01-01 00:00 UTC (F07 6.1), in the
/// sender's clock. [`WireTime::NEVER`] (all ones) means "no end" (Q22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WireTime(pub u32);

/// How far the partner's clock is behind ours, in seconds: what is added to a time it sent (F07 5.9, Q33).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClockDelta(pub i64);

/// How far this machine's wall clock is ahead of engine time, in seconds. Engine time follows no step of it, so that the two may
/// stay apart for as long as the machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallOffset(pub i64);

impl Time {
    /// The start of 1970: "no time", for a field that was never set.
    pub const ZERO: Time = Time(0);
    /// After every other time.
    pub const NEVER: Time = Time(u64::MAX);

    /// From milliseconds since 1970.
    pub const fn from_millis(millis: u64) -> Time {
        Time(millis)
    }

    /// From seconds since 1970; saturates at [`Time::NEVER`].
    pub const fn from_seconds(seconds: u64) -> Time {
        Time(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn as_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The next whole second at or after this moment: what is promised to a client is never recorded as shorter.
    #[must_use]
    pub const fn round_up_to_second(self) -> Time {
        if self.0 == u64::MAX { self } else { Time::from_seconds(self.0.div_ceil(1000)) }
    }

    /// This moment plus `interval`; saturates at [`Time::NEVER`].
    #[must_use]
    pub const fn plus(self, interval: Interval) -> Time {
        Time(self.0.saturating_add(interval.0))
    }

    /// This moment minus `interval`; saturates at [`Time::ZERO`]. Never stays never.
    #[must_use]
    pub const fn minus(self, interval: Interval) -> Time {
        if self.0 == u64::MAX { self } else { Time(self.0.saturating_sub(interval.0)) }
    }

    /// How long after `earlier` this is; zero when it is not after. From [`Time::NEVER`] it is infinite.
    pub const fn since(self, earlier: Time) -> Interval {
        if self.0 == u64::MAX { Interval::INFINITE } else { Interval(self.0.saturating_sub(earlier.0)) }
    }

    /// As sent to a partner: rounded up to seconds; 0xffffffff for times after 2106 and for never (Q22).
    /// F07-6.2-03.
    pub fn to_wire(self) -> WireTime {
        WireTime(u32::try_from(self.0.div_ceil(1000)).unwrap_or(u32::MAX))
    }
}

impl Interval {
    /// No time at all.
    pub const ZERO: Interval = Interval(0);
    /// Longer than every other interval.
    pub const INFINITE: Interval = Interval(u64::MAX);

    /// From milliseconds.
    pub const fn from_millis(millis: u64) -> Interval {
        Interval(millis)
    }

    /// From seconds; saturates at [`Interval::INFINITE`].
    pub const fn from_seconds(seconds: u64) -> Interval {
        Interval(seconds.saturating_mul(1000))
    }

    /// Milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds, rounded down.
    pub const fn as_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The sum; saturates at [`Interval::INFINITE`].
    #[must_use]
    pub const fn plus(self, other: Interval) -> Interval {
        Interval(self.0.saturating_add(other.0))
    }

    /// `numerator / denominator` of this interval, rounded down; infinite stays infinite. A denominator of zero
    /// is taken as one.
    #[must_use]
    pub fn fraction(self, numerator: u32, denominator: u32) -> Interval {
        if self == Interval::INFINITE {
            return self;
        }
        let scaled = u128::from(self.0) * u128::from(numerator) / u128::from(denominator.max(1));
        Interval(u64::try_from(scaled).unwrap_or(u64::MAX))
    }

    /// The slack that is added to every wait, and before an expiry is announced: 10 s + 0.1 % of the interval
    /// waited, for two clocks that drift apart (trap T21).
    #[must_use]
    pub fn slack(self) -> Interval {
        if self == Interval::INFINITE { self } else { Interval(10_000 + self.0 / 1000) }
    }
}

impl WireTime {
    /// "No end" (Q22).
    pub const NEVER: WireTime = WireTime(u32::MAX);

    /// The time of ours that this is, in the clock of the partner: what [`WireTime::to_time`] undoes. 0 and all ones stay (Q22);
    /// saturates.
    #[must_use]
    pub fn by_clock_of_partner(self, delta: ClockDelta) -> WireTime {
        if matches!(self.0, 0 | u32::MAX) {
            return self;
        }
        let theirs = i128::from(self.0) - i128::from(delta.0);
        WireTime(u32::try_from(theirs.max(1)).unwrap_or(u32::MAX))
    }

    /// In our clock. 0 ("none") and all ones ("never") are not corrected (Q22); the sum saturates.
    pub fn to_time(self, delta: ClockDelta) -> Time {
        match self.0 {
            0 => Time::ZERO,
            u32::MAX => Time::NEVER,
            seconds => {
                let corrected = i128::from(seconds) + i128::from(delta.0);
                Time::from_seconds(u64::try_from(corrected.max(1)).unwrap_or(u64::MAX))
            }
        }
    }
}

impl fmt::Display for Interval {
    /// `1d 2h 3m 4s`, without the parts that are zero; `infinite` for no end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Interval::INFINITE {
            return f.write_str("infinite");
        }
        let seconds = self.as_seconds();
        if seconds == 0 {
            return if self.0 == 0 { f.write_str("0s") } else { write!(f, "{}ms", self.0) };
        }
        let parts = [
            (seconds / 86_400, "d"),
            (seconds / 3600 % 24, "h"),
            (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
        ];
        let mut separator = "";
        for (value, unit) in parts.into_iter().filter(|(value, _)| *value > 0) {
            write!(f, "{separator}{value}{unit}")?;
            separator = " ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_is_sticky() {
        assert_eq!(Time::NEVER.plus(Interval::from_seconds(5)), Time::NEVER);
        assert_eq!(Time::NEVER.minus(Interval::from_seconds(5)), Time::NEVER);
        assert_eq!(Time::NEVER.since(Time::from_seconds(5)), Interval::INFINITE);
        assert_eq!(Time::NEVER.to_wire(), WireTime::NEVER);
        assert_eq!(Time::NEVER.round_up_to_second(), Time::NEVER);
        assert_eq!(Interval::INFINITE.fraction(1, 2), Interval::INFINITE);
    }

    #[test]
    fn wire_time_is_corrected_but_for_none_and_never() {
        assert_eq!(WireTime(100).to_time(ClockDelta(-30)), Time::from_seconds(70));
        assert_eq!(WireTime(0).to_time(ClockDelta(50)), Time::ZERO);
        assert_eq!(WireTime::NEVER.to_time(ClockDelta(-50)), Time::NEVER);
        assert_eq!(WireTime(10).to_time(ClockDelta(-30)), Time::from_seconds(1));
        assert_eq!(WireTime(70).by_clock_of_partner(ClockDelta(-30)), WireTime(100));
        assert_eq!(WireTime(0).by_clock_of_partner(ClockDelta(50)), WireTime(0));
        assert_eq!(WireTime::NEVER.by_clock_of_partner(ClockDelta(50)), WireTime::NEVER);
        assert_eq!(WireTime(10).by_clock_of_partner(ClockDelta(30)), WireTime(1));
    }

    /// F07-6.2-03.
    #[test]
    fn promised_times_round_up() {
        assert_eq!(Time::from_millis(1001).to_wire(), WireTime(2));
        assert_eq!(Time::from_millis(1001).round_up_to_second(), Time::from_seconds(2));
        assert_eq!(Time::from_millis(2000).round_up_to_second(), Time::from_seconds(2));
    }

    #[test]
    fn intervals_read_like_a_person_writes_them() {
        assert_eq!(Interval::from_seconds(93_784).to_string(), "1d 2h 3m 4s");
        assert_eq!(Interval::from_seconds(28_800).to_string(), "8h");
        assert_eq!(Interval::ZERO.to_string(), "0s");
        assert_eq!(Interval::from_millis(250).to_string(), "250ms");
    }

    #[test]
    fn slack_is_ten_seconds_and_a_thousandth() {
        assert_eq!(Interval::from_seconds(3600).slack(), Interval::from_millis(13_600));
    }
}
