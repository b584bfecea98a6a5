//! A Tandem beside a dhcpd, in worlds that fail: what Tandem alone can keep, it keeps.

use sim::{Habit, Habits, Kind, Options, run, run_seeds};

fn beside(habits: Habits) -> Options {
    Options { kind: Kind::Dhcpd, habits, ..Options::default() }
}

/// Seeds that once failed: updates that cross (3, 29), a restart in CONFLICT-DONE (32), a time of nobody (10); a Tandem that lost its
/// disk and agreed that a lease is over which it may have extended (41), or that its address is free, after a restart (5892);
/// addresses that each left to the other (2232), or that a dhcpd forgot in a conflict (3393), a feared
/// lease that ended (2408), two extensions that crossed (779), and CONFLICT-DONE at the same moment as
/// NORMAL (3553); a client that the partner alone answers (2200), or whose address a dhcpd gave away long before (5960).
const ONCE_FAILED: [u64; 13] = [3, 10, 29, 32, 41, 779, 2200, 2232, 2408, 3393, 3553, 5892, 5960];

/// The same, beside a dhcpd that keeps to the drafts: a lost disk (2), what one who lost it fears against a lease that its partner
/// knows of (213), an end that was overwritten, told by clocks that were measured with slow messages (775).
const ONCE_FAILED_WITHOUT: [u64; 3] = [2, 213, 775];

#[test]
fn nothing_is_violated_beside_a_dhcpd() {
    let summary = run_seeds(1, 40, &beside(Habits::ALL), 1, &mut |_| {});
    println!("{summary}");
    assert!(summary.is_good(), "{summary}");
    assert!(summary.counts.excused().count() > 0, "its habits hurt, and that is counted");
}

#[test]
fn what_once_failed_does_not() {
    let all = ONCE_FAILED.map(|seed| (seed, Habits::ALL));
    let without = ONCE_FAILED_WITHOUT.map(|seed| (seed, Habits::NONE));
    for (seed, habits) in all.into_iter().chain(without) {
        let report = run(seed, &beside(habits));
        assert_eq!(report.violation, None, "{report}");
    }
}

/// What two clients have by a habit they do not have without it.
#[test]
fn without_its_habits_it_hurts_nobody() {
    let summary = run_seeds(1, 40, &beside(Habits::NONE), 1, &mut |_| {});
    assert_eq!(summary.failed, 0, "{summary}");
    let excused: Vec<(Habit, u64)> =
        summary.counts.excused().filter(|(habit, _)| *habit != Habit::Forgets).collect();
    assert_eq!(excused, [], "{summary}");
}

/// Each way of being primary and secondary comes to life: odd seeds have the dhcpd as secondary.
#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [4, 5] {
        let report = run(seed, &beside(Habits::ALL));
        assert_eq!(report, run(seed, &beside(Habits::ALL)));
        assert!(
            report.counts.get(sim::Count::DhcpdLeases) > 0
                && report.counts.get(sim::Count::NormalAtLast) == 1
        );
    }
}

/// These shape nearly every run; a habit that changes nothing is none.
#[test]
fn a_habit_that_is_left_out_makes_another_run() {
    for habit in [Habit::LateAcks, Habit::AsksBothWays, Habit::SmallWindow, Habit::NoSlack] {
        let differs = |seed| {
            let whole = run(seed, &beside(Habits::ALL)).digest;
            run(seed, &beside(Habits::ALL.without(habit))).digest != whole
        };
        assert!((4..24).any(differs), "{}", habit.name());
    }
}
