//! From a seed to a report, and from many seeds to a summary.
//!
//! *Lives here:* [`run`], [`run_seeds`], [`find_planted`]; the parts of a run.
//! *Must not know:* terminals, arguments.

use crate::checkers::l5;
use crate::planted::Planted;
use crate::report::{Report, Summary};
use crate::world::World;

/// Failing runs that a summary keeps with their traces.
const KEPT: usize = 3;

/// How many times the longest lease an address may take to come back.
const PATIENCE: u32 = 24;

/// How runs are made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Bugs put in on purpose, by their name.
    pub planted: Option<(String, Planted)>,
    /// Lines of all that happens.
    pub traced: bool,
}

/// One run. The same seed and options give the same report.
pub fn run(seed: u64, options: &Options) -> Report {
    let (planted_name, planted) = options.planted.clone().unzip();
    let mut world = World::new(seed, planted.unwrap_or_default(), options.traced);
    live(&mut world);
    let outside = &mut world.outside;
    Report {
        seed,
        virtual_millis: outside.now,
        steps: outside.steps,
        digest: outside.digest,
        counts: network_counts(outside),
        violation: outside.checkers.violation.clone(),
        trace: outside.take_trace(),
        planted: planted_name,
    }
}

/// First everything may fail. Then all is well, and clients must live well (L4). Then all go away, every address must come
/// back, and whoever comes then must get one (L5).
fn live(world: &mut World) {
    world.run_until(world.scene.lasts);
    if !world.heal() {
        world.outside.checkers.judge("L4", Err("a server did not serve again when all was well".to_owned()));
        return;
    }
    world.run_until(world.outside.now + (world.scene.pace * 30).min(world.scene.longest));
    world.empty();
    let probation = world.scene.decline_time.as_millis();
    let forgotten = world.scene.longest.max(probation) / 1000 * 1003 + 60_000;
    // An address is kept for as much longer as time was lost and found while it was leased: again and again, but not for ever.
    for _ in 0..PATIENCE {
        world.run_until(world.outside.now + forgotten);
        if world.outside.checkers.violation.is_some() {
            return;
        }
        if l5::after_all_leases(&world.views()).is_ok() {
            break;
        }
    }
    let verdict = l5::after_all_leases(&world.views());
    world.outside.checkers.judge("L5", verdict);
    let free = world.newcomers();
    world.run_until(world.outside.now + 1_800_000);
    let verdict = l5::newcomers(free, world.served());
    world.outside.checkers.judge("L5", verdict);
}

fn network_counts(outside: &mut crate::outside::Outside) -> crate::count::Counts {
    use crate::count::Count;
    let tally = outside.network.tally;
    let mut counts = outside.counts.clone();
    counts.add(Count::Lost, tally.lost);
    counts.add(Count::Doubled, tally.doubled);
    counts.add(Count::Delayed, tally.delayed);
    counts
}

/// Runs `count` seeds from `first_seed` on. `progress` hears how many are done. A run that fails is made once more with a
/// trace.
pub fn run_seeds(first_seed: u64, count: u64, options: &Options, progress: &mut dyn FnMut(u64)) -> Summary {
    let mut summary = Summary { first_seed, ..Summary::default() };
    for seed in first_seed..first_seed.saturating_add(count) {
        let report = run(seed, options);
        summary.seeds += 1;
        summary.virtual_millis += report.virtual_millis;
        summary.steps += report.steps;
        summary.counts.merge(&report.counts);
        if report.violation.is_some() {
            summary.failed += 1;
            if summary.failures.len() < KEPT {
                summary.failures.push(run(seed, &Options { traced: true, ..options.clone() }));
            }
        }
        progress(summary.seeds);
    }
    summary
}

/// What it took to find a bug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Seeds that were run, the failing one included.
    pub seeds: u64,
    /// The run that failed, with its trace.
    pub report: Report,
}

/// Puts the bug of this name in, and runs up to `most` seeds from `first_seed` on until a checker finds it. `None` when none does,
/// or when there is no bug of this name.
pub fn find_planted(name: &str, first_seed: u64, most: u64) -> Option<Found> {
    let planted = Some((name.to_owned(), Planted::named(name)?));
    let options = Options { planted, traced: false };
    let end = first_seed.saturating_add(most);
    let seed = (first_seed..end).find(|seed| run(*seed, &options).violation.is_some())?;
    Some(Found { seeds: seed - first_seed + 1, report: run(seed, &Options { traced: true, ..options }) })
}
