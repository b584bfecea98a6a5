//! Engine time: a clock that leases can trust, made from the clocks of a machine.
//!
//! *Lives here:* [`Clock`], the rule by which it starts ([`Clock::start`]) and goes on ([`Clock::read`]).
//! *May know:* readings of CLOCK_BOOTTIME, of wall time, and whether wall time is synchronised: as arguments.
//! *Must not know:* how these are read.
//!
//! Engine time is wall time at the first start plus CLOCK_BOOTTIME since then (CLOCK_MONOTONIC stops in suspend,
//! trap T21). Within one boot it never follows a step of the wall clock, except forward when time was lost (a frozen
//! machine). Where it is ahead of synchronised wall time, because CLOCK_BOOTTIME is fast or the wall clock was set back, it
//! goes slower by one part in two thousand, which is within the slack of all intervals, until it is not. After a reboot it is
//! taken from wall time, never behind the last stamp; what it was ahead then is lost between two stamps, which the engine sees.

use failover::time::{Interval, Time, WallOffset};

/// Steps of the wall clock below this are not worth a word.
const STEP: Interval = Interval::from_seconds(2);

/// Of so many milliseconds one is left out while engine time is ahead of wall time: as many as ntpd leaves out at most.
const SLOWER: u64 = 2000;

/// Names one boot of the machine (on Linux /proc/sys/kernel/random/boot_id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BootId(pub [u8; 16]);

/// One reading of the machine's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// CLOCK_BOOTTIME.
    pub since_boot: Interval,
    /// CLOCK_REALTIME.
    pub wall: Time,
    /// Whether the kernel says that wall time is synchronised (adjtimex).
    pub synchronised: bool,
}

/// How the clocks stood to each other at one moment; a record, so that the next start can go on from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStamp {
    /// Engine time then.
    pub engine: Time,
    /// CLOCK_BOOTTIME then.
    pub since_boot: Interval,
    /// Wall time then.
    pub wall: Time,
    /// The boot in which this was.
    pub boot: BootId,
    /// Whether wall time was synchronised then.
    pub synchronised: bool,
}

impl ClockStamp {
    /// By how much what was engine time is less at a later stamp, in another boot, than if it had gone on: so much later is
    /// each moment of before by that time.
    pub fn went_back(&self, later: &ClockStamp) -> Interval {
        if self.boot == later.boot {
            return Interval::ZERO;
        }
        Interval::from_millis(u64::try_from(later.wall_ahead() - self.wall_ahead()).unwrap_or(0))
    }

    /// How far wall time was ahead of engine time, in milliseconds.
    fn wall_ahead(&self) -> i128 {
        i128::from(self.wall.as_millis()) - i128::from(self.engine.as_millis())
    }

    /// What the wall clock showed, or would have, at another moment of engine time.
    pub(crate) fn wall_at(&self, engine: Time) -> Time {
        let wall = i128::from(engine.as_millis()) + self.wall_ahead();
        Time::from_millis(u64::try_from(wall.max(0)).unwrap_or(u64::MAX))
    }

    /// How far wall time was ahead of engine time, in whole seconds.
    pub(crate) fn wall_offset(&self) -> WallOffset {
        let millis = self.wall_ahead();
        let (half, second) = (500 * millis.signum(), 1000);
        WallOffset(i64::try_from((millis + half) / second).unwrap_or(0))
    }
}

/// Engine time, going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    base: ClockStamp,
    /// Where wall time last stood to engine time: wall minus engine, in milliseconds.
    offset: i128,
    /// CLOCK_BOOTTIME up to which it was made slower, where it was ahead.
    slowed_until: Interval,
    /// CLOCK_BOOTTIME when it was last read.
    seen: Interval,
}

/// Whether engine time can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Yes; with what an operator should know of how it was had.
    Go(Clock, Origin),
    /// Not yet: the machine has rebooted, and its wall clock is not synchronised.
    Hold,
}

/// Where engine time was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The same boot goes on: CLOCK_BOOTTIME bridged the pause, and a synchronised wall clock corrected it where time was lost.
    SameBoot,
    /// A synchronised wall clock.
    Wall,
    /// A wall clock that did not become synchronised within `clock-wait`.
    UnsynchronisedWall,
    /// The last stamp, because the wall clock is behind it by this much.
    LastStamp {
        /// How far wall time is behind.
        behind: Interval,
    },
}

/// What a reading showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The wall clock was stepped; engine time did not follow.
    WallStepped {
        /// By how many milliseconds, forward positive.
        by: i128,
    },
    /// The machine had stood still, and engine time jumped forward.
    TimeLost {
        /// By how much.
        by: Interval,
    },
}

impl Clock {
    /// Engine time at the start of a process: `stored` is the latest stamp of the store, `latest` the latest engine time that
    /// its other records vouch for, `waited` how long this process has been holding, `clock_wait` how long it may.
    pub fn start(
        stored: Option<&ClockStamp>,
        latest: Time,
        boot: BootId,
        reading: &Reading,
        waited: Interval,
        clock_wait: Interval,
    ) -> Start {
        if let Some(stamp) =
            stored.filter(|stamp| stamp.boot == boot && stamp.since_boot <= reading.since_boot)
        {
            let away = Interval::from_millis(reading.since_boot.as_millis() - stamp.since_boot.as_millis());
            let engine = stamp.engine.plus(away);
            // Time that was lost is found even when nobody was looking as the wall clock was set right.
            let found = reading.synchronised && reading.wall.since(engine) >= STEP;
            let engine = if found { reading.wall } else { engine };
            return Start::Go(Clock::based(engine, boot, reading), Origin::SameBoot);
        }
        if !reading.synchronised && waited < clock_wait {
            return Start::Hold;
        }
        let last = stored.map_or(Time::ZERO, |stamp| stamp.engine).max(latest);
        let (engine, origin) = if reading.wall < last {
            (last, Origin::LastStamp { behind: last.since(reading.wall) })
        } else if reading.synchronised {
            (reading.wall, Origin::Wall)
        } else {
            (reading.wall, Origin::UnsynchronisedWall)
        };
        Start::Go(Clock::based(engine, boot, reading), origin)
    }

    /// Engine time at `reading`, and what the wall clock did since the last one. Never goes backwards.
    pub fn read(&mut self, reading: &Reading) -> (Time, Change) {
        self.slow_down(reading);
        let engine = self.at(reading.since_boot);
        let offset = i128::from(reading.wall.as_millis()) - i128::from(engine.as_millis());
        let by = offset - self.offset;
        if reading.synchronised && offset >= i128::from(STEP.as_millis()) {
            // Ahead, and vouched for by the network's time: it is this machine that stood still, whatever was shown between.
            let lost = Interval::from_millis(u64::try_from(offset).unwrap_or(u64::MAX));
            *self = Clock::based(engine.plus(lost), self.base.boot, reading);
            return (engine.plus(lost), Change::TimeLost { by: lost });
        }
        if by.unsigned_abs() < u128::from(STEP.as_millis()) {
            // Clocks drift apart, which is no step.
            self.offset = offset;
            return (engine, Change::None);
        }
        if by > 0 && !reading.synchronised {
            // Perhaps time was lost, perhaps a hand set the clock: look again once it is synchronised.
            return (engine, Change::None);
        }
        self.offset = offset;
        (engine, Change::WallStepped { by })
    }

    /// Leaves a little of the time out that has passed, where engine time is ahead of the network's: never so much that it
    /// would stand.
    fn slow_down(&mut self, reading: &Reading) {
        let since = |before: Interval| reading.since_boot.as_millis().saturating_sub(before.as_millis());
        let (passed, unseen) = (since(self.slowed_until), since(self.seen));
        self.seen = reading.since_boot;
        if passed < SLOWER {
            return;
        }
        self.slowed_until = reading.since_boot;
        if reading.synchronised {
            let ahead = self.at(reading.since_boot).since(reading.wall).as_millis();
            let by = ahead.min(passed / SLOWER).min(unseen);
            self.base.engine = self.base.engine.minus(Interval::from_millis(by));
            self.offset += i128::from(by);
        }
    }

    /// Engine time at a reading of CLOCK_BOOTTIME alone.
    pub fn at(&self, since_boot: Interval) -> Time {
        let past = since_boot.as_millis().saturating_sub(self.base.since_boot.as_millis());
        self.base.engine.plus(Interval::from_millis(past))
    }

    /// What to record at `reading`, for the next start.
    pub fn stamp(&self, reading: &Reading) -> ClockStamp {
        ClockStamp {
            engine: self.at(reading.since_boot),
            since_boot: reading.since_boot,
            wall: reading.wall,
            boot: self.base.boot,
            synchronised: reading.synchronised,
        }
    }

    fn based(engine: Time, boot: BootId, reading: &Reading) -> Clock {
        let Reading { since_boot, wall, synchronised } = *reading;
        let base = ClockStamp { engine, since_boot, wall, boot, synchronised };
        Clock { base, offset: base.wall_ahead(), slowed_until: since_boot, seen: since_boot }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: BootId = BootId([1; 16]);
    const WAIT: Interval = Interval::from_seconds(60);

    fn reading(since_boot: u64, wall: u64, synchronised: bool) -> Reading {
        Reading {
            since_boot: Interval::from_seconds(since_boot),
            wall: Time::from_seconds(wall),
            synchronised,
        }
    }

    fn go(start: Start) -> (Clock, Origin) {
        match start {
            Start::Go(clock, origin) => (clock, origin),
            Start::Hold => panic!("the clock holds"),
        }
    }

    fn started() -> Clock {
        go(Clock::start(None, Time::ZERO, BOOT, &reading(100, 5000, true), Interval::ZERO, WAIT)).0
    }

    #[test]
    fn the_same_boot_goes_on_whatever_the_wall_says() {
        let stamp = started().stamp(&reading(110, 5010, true));
        let (clock, origin) =
            go(Clock::start(Some(&stamp), Time::ZERO, BOOT, &reading(150, 9, false), Interval::ZERO, WAIT));
        assert_eq!(origin, Origin::SameBoot);
        assert_eq!(clock.at(Interval::from_seconds(150)), Time::from_seconds(5050));
    }

    #[test]
    fn time_lost_before_a_start_is_found_at_the_start() {
        let stamp = started().stamp(&reading(110, 5010, true));
        let (clock, origin) =
            go(Clock::start(Some(&stamp), Time::ZERO, BOOT, &reading(150, 8000, true), Interval::ZERO, WAIT));
        assert_eq!(origin, Origin::SameBoot);
        assert_eq!(clock.at(Interval::from_seconds(151)), Time::from_seconds(8001));
    }

    #[test]
    fn after_a_reboot_it_waits_for_a_synchronised_clock_but_not_for_ever() {
        let stamp = started().stamp(&reading(110, 5010, true));
        let other = BootId([2; 16]);
        let unsynchronised = reading(5, 6000, false);
        assert_eq!(
            Clock::start(Some(&stamp), Time::ZERO, other, &unsynchronised, Interval::ZERO, WAIT),
            Start::Hold
        );
        let (clock, origin) = go(Clock::start(Some(&stamp), Time::ZERO, other, &unsynchronised, WAIT, WAIT));
        assert_eq!(origin, Origin::UnsynchronisedWall);
        assert_eq!(clock.at(Interval::from_seconds(5)), Time::from_seconds(6000));
    }

    #[test]
    fn engine_time_never_goes_behind_the_last_stamp() {
        let stamp = started().stamp(&reading(110, 5010, true));
        let (clock, origin) = go(Clock::start(
            Some(&stamp),
            Time::ZERO,
            BootId([2; 16]),
            &reading(5, 4000, true),
            Interval::ZERO,
            WAIT,
        ));
        assert_eq!(origin, Origin::LastStamp { behind: Interval::from_seconds(1010) });
        assert_eq!(clock.at(Interval::from_seconds(6)), Time::from_seconds(5011));
    }

    #[test]
    fn a_step_of_the_wall_clock_moves_no_lease() {
        let mut clock = started();
        let (engine, change) = clock.read(&reading(110, 4000, true));
        // It goes a little slower from then on.
        assert_eq!((engine, change), (Time::from_millis(5_009_995), Change::WallStepped { by: -1_010_000 }));
        assert_eq!(clock.read(&reading(111, 4001, true)), (Time::from_millis(5_010_995), Change::None));
    }

    #[test]
    fn a_forward_step_by_hand_is_not_believed_until_it_is_synchronised() {
        let mut clock = started();
        assert_eq!(clock.read(&reading(110, 9010, false)), (Time::from_seconds(5010), Change::None));
        let (engine, change) = clock.read(&reading(120, 9020, true));
        assert_eq!(
            (engine, change),
            (Time::from_seconds(9020), Change::TimeLost { by: Interval::from_seconds(4000) })
        );
        assert_eq!(clock.read(&reading(121, 9021, true)), (Time::from_seconds(9021), Change::None));
    }

    #[test]
    fn lost_time_is_found_behind_a_step_by_hand() {
        let mut clock = started();
        assert_eq!(clock.read(&reading(110, 2, false)).1, Change::WallStepped { by: -5_008_000 });
        assert_eq!(
            clock.read(&reading(120, 5320, true)),
            (Time::from_seconds(5320), Change::TimeLost { by: Interval::from_seconds(300) })
        );
        let stamp = started().stamp(&reading(110, 5010, true));
        let (mut clock, _) = go(Clock::start(
            Some(&stamp),
            Time::ZERO,
            BOOT,
            &reading(120, 90_000, false),
            Interval::ZERO,
            WAIT,
        ));
        assert_eq!(
            clock.read(&reading(130, 5330, true)),
            (Time::from_seconds(5330), Change::TimeLost { by: Interval::from_seconds(300) })
        );
    }

    #[test]
    fn what_it_is_ahead_of_the_networks_time_goes_away_slowly() {
        let mut clock = started();
        let (mut last, mut counted) = (Time::ZERO, 0);
        for second in 101..40_000 {
            // The wall clock is set back by 5 s at first, and CLOCK_BOOTTIME is fast by 250 parts in a million.
            let wall = Time::from_millis(5_000_000 - 5000 + (second - 100) * 1000 - (second - 100) / 4);
            let since_boot = Interval::from_seconds(second);
            let (engine, change) = clock.read(&Reading { since_boot, wall, synchronised: true });
            counted += u64::from(change != Change::None);
            assert!(
                engine > last && engine.since(last) <= Interval::from_seconds(5001),
                "{engine:?} after {last:?}"
            );
            let slower = engine.since(Time::from_millis(5_000_000 + (second - 100) * 999));
            assert!(engine >= wall && slower > Interval::ZERO, "{engine:?}");
            last = engine;
        }
        assert_eq!(counted, 1, "the step is told, and nothing after it");
        let wall = 5_000_000 - 5000 + 39_899 * 1000 - 39_899 / 4;
        assert!(last.as_millis() - wall <= 3, "{last:?} is as the wall clock has it");
        let (still, _) = clock.read(&reading(40_000, 4000, false));
        assert_eq!(still.since(last), Interval::from_seconds(1), "nobody vouches for that wall clock");
    }

    #[test]
    fn another_boot_never_begins_before_what_was_recorded_last() {
        let stamp = started().stamp(&reading(110, 5010, true));
        let latest = Time::from_seconds(5018);
        let start = Clock::start(
            Some(&stamp),
            latest,
            BootId([2; 16]),
            &reading(5, 5015, true),
            Interval::ZERO,
            WAIT,
        );
        let (clock, origin) = go(start);
        assert_eq!(origin, Origin::LastStamp { behind: Interval::from_seconds(3) });
        assert_eq!(clock.at(Interval::from_seconds(5)), latest);
    }

    #[test]
    fn a_stamp_of_another_boot_says_how_far_time_went_back() {
        let stamp = |engine, wall, boot| ClockStamp {
            engine: Time::from_seconds(engine),
            since_boot: Interval::ZERO,
            wall: Time::from_seconds(wall),
            boot: BootId([boot; 16]),
            synchronised: true,
        };
        let before = stamp(5000, 4990, 1);
        assert_eq!(before.went_back(&stamp(6000, 6000, 2)), Interval::from_seconds(10));
        assert_eq!(before.went_back(&stamp(5000, 4995, 2)), Interval::from_seconds(5));
        assert_eq!(before.went_back(&stamp(6000, 5990, 2)), Interval::ZERO);
        assert_eq!(before.went_back(&stamp(6000, 5900, 2)), Interval::ZERO);
        assert_eq!(before.went_back(&stamp(6000, 6000, 1)), Interval::ZERO, "one boot has one time");
    }

    #[test]
    fn a_step_back_and_forth_is_no_lost_time() {
        let mut clock = started();
        clock.read(&reading(110, 4000, true));
        let (engine, change) = clock.read(&reading(111, 5011, true));
        assert_eq!(engine, Time::from_millis(5_010_995));
        assert_eq!(change, Change::WallStepped { by: 1_010_000 });
    }
}
