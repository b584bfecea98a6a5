//! From a seed to a report, and from many seeds to a summary.
//!
//! *Lives here:* [`run`], [`run_seeds`], [`find_planted`]; the parts of a run.
//! *Must not know:* terminals, arguments.

use crate::checkers::{l1, l2, l3, l4, l5, l7};
use crate::count::Count;
use crate::plan::{Occasion, Plan, Without};
use crate::planted::Planted;
use crate::report::{Report, Summary};
use crate::scene::Terms;
use crate::server::dhcpd::Habits;
use crate::world::World;
use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

/// Failing runs that a summary keeps with their traces.
const KEPT: usize = 3;

/// How many times the longest lease an address may take to come back.
const PATIENCE: u32 = 24;

/// How many servers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// One, or two that share nothing.
    #[default]
    Single,
    /// Two that share all their pools.
    Pair,
    /// Two that share all their pools, one of which is a dhcpd.
    Dhcpd,
}

/// How runs are made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// How many servers there are.
    pub kind: Kind,
    /// For how many hours everything may fail in a pair, and times are as long as in the world; drawn, and short, without.
    pub hours: Option<u32>,
    /// Bugs put in on purpose, by their name.
    pub planted: Option<(String, Planted)>,
    /// What a dhcpd does otherwise than the drafts want it.
    pub habits: Habits,
    /// What happens is kept.
    pub traced: bool,
    /// What is left out.
    pub without: Without,
    /// The run is over then, in milliseconds since it began, whatever becomes of it.
    pub until: Option<u64>,
}

/// One run. The same seed and options give the same report.
pub fn run(seed: u64, options: &Options) -> Report {
    if options.without.is_whole() {
        return made(seed, options, Plan::default()).0;
    }
    let plan = plan_of(seed, options);
    along(seed, options, &plan)
}

/// All that goes wrong in the whole run.
pub(crate) fn plan_of(seed: u64, options: &Options) -> Rc<[Occasion]> {
    // Who speaks BOOTP is drawn before all that goes wrong.
    let without = Without { bootp: options.without.bootp, ..Without::default() };
    let whole = Options { traced: false, without, until: None, ..options.clone() };
    made(seed, &whole, Plan::default()).1
}

/// The run of `seed` along the plan of its whole run, without what the options leave out.
pub(crate) fn along(seed: u64, options: &Options, plan: &Rc<[Occasion]>) -> Report {
    made(seed, options, Plan::following(plan, options.without.clone())).0
}

fn made(seed: u64, options: &Options, plan: Plan) -> (Report, Rc<[Occasion]>) {
    let mut world = World::new(seed, options, plan);
    match options.kind {
        Kind::Dhcpd => crate::beside::live(&mut world),
        Kind::Single | Kind::Pair => live(&mut world),
    }
    world.count_at_end();
    let occasions = world.plan.occasions();
    let befallen = std::mem::take(&mut world.plan.befallen);
    let (clients, healed) = (world.clients(), world.healed_at);
    // What was judged of a run that did not go on is no judgement.
    let is_cut_off = world.is_cut_off;
    let outside = &mut world.outside;
    let report = Report {
        seed,
        kind: options.kind,
        hours: options.hours,
        virtual_millis: outside.now,
        steps: outside.steps,
        digest: outside.digest,
        counts: network_counts(outside),
        violation: outside.checkers.violation.clone().filter(|_| !is_cut_off),
        history: outside.take_history(),
        befallen,
        habits: options.habits,
        planted: options.planted.as_ref().map(|(name, _)| name.clone()),
        without: options.without.clone(),
        clients,
        healed,
    };
    (report, occasions)
}

/// First everything may fail. Then all is well, and clients must live well (L4). Then all go away, every address must come
/// back, and whoever comes then must get one (L5).
fn live(world: &mut World) {
    world.run_until(world.scene.lasts);
    if world.has_failed() {
        return;
    }
    if !world.heal() {
        world.outside.checkers.judge("L4", Err("a server did not serve again when all was well".to_owned()));
        return;
    }
    if let Some(terms) = world.scene.terms {
        come_together(world, terms);
    }
    world.run_until(world.outside.now + (world.scene.pace * 30).min(world.scene.longest));
    let verdict = l4::answered(world.asks_in_vain());
    world.outside.checkers.judge("L4", verdict);
    world.empty();
    let probation = world.scene.decline_time.as_millis();
    // A pair raises ends by MCLT when one has lost its disk, and tells of them by MCLT more.
    let raised = world.scene.terms.map_or(0, |terms| 2 * terms.mclt.as_millis() + 120_000);
    // A partner was told of the lease that follows, too: where a client may not ask for more than the usual, that is farther.
    let spoken_of = if world.scene.are_days { world.scene.longest / 2 } else { 0 };
    let forgotten = (world.scene.longest + spoken_of).max(probation) / 1000 * 1003 + 60_000 + raised;
    // An address is kept for as much longer as time was lost and found while it was leased: again and again, but not for ever.
    for _ in 0..PATIENCE {
        pass(world, forgotten, |world| l5::after_all_leases(&world.views()).is_ok());
        if world.has_failed() {
            return;
        }
        if l5::after_all_leases(&world.views()).is_ok() {
            break;
        }
    }
    let verdict = l5::after_all_leases(&world.views());
    world.outside.checkers.judge("L5", verdict);
    if let Some(terms) = world.scene.terms {
        come_to_rest(world);
        if terms.delayed_service.is_none() {
            // A client that is the partner's waits until the pools are level again, one address at a time.
            return;
        }
    }
    let free = world.newcomers();
    world.run_until(world.outside.now + 1_800_000);
    let verdict = l5::newcomers(free, world.served());
    world.outside.checkers.judge("L5", verdict);
    if world.scene.terms.is_some() && !world.has_failed() {
        live_alone(world, forgotten);
    }
}

/// Lets so much time pass; in a run of days no more than is needed.
fn pass(world: &mut World, span: u64, is_enough: impl Fn(&World) -> bool) {
    const PARTS: u64 = 16;
    let parts = if world.scene.are_days { PARTS } else { 1 };
    let began = world.outside.now;
    for part in 1..=parts {
        world.run_until(began + span * part / parts);
        if world.has_failed() || parts > 1 && is_enough(world) {
            return;
        }
    }
}

/// One of a pair is dead for ever, and so are all clients: the other has all addresses for those who come then (L7).
fn live_alone(world: &mut World, forgotten: u64) {
    world.empty();
    let verdict = l7::obeyed(world.only_one_is_left());
    world.outside.checkers.judge("L7", verdict);
    pass(world, forgotten, |world| l7::is_ready(&world.views_of_one()));
    let available = world.newcomers();
    world.run_until(world.outside.now + 1_800_000);
    let verdict = l7::serves_all(&world.views_of_one(), available, world.served());
    world.outside.checkers.judge("L7", verdict);
}

/// What the two must do when faults have stopped: be in NORMAL (L1), and know the same (L2).
fn come_together(world: &mut World, terms: Terms) {
    let within = l1::bound(terms.mclt);
    let began = world.outside.now;
    while !world.are_normal() && world.outside.now < began + within && !world.has_failed() {
        world.run_until(world.outside.now + 1000);
    }
    let verdict = l1::both_normal(&world.endpoints());
    world.outside.checkers.judge("L1", verdict);
    world.outside.counts.add(Count::NormalAtLast, u64::from(world.are_normal()));
    world.hold_clients(true);
    let deadline = world.outside.now + within;
    while know_the_same(world).is_err() && world.outside.now < deadline && !world.has_failed() {
        world.run_until(world.outside.now + 5000);
    }
    let verdict = know_the_same(world);
    // Where a store was lost the two may think differently of an address until its raised end (trap T16).
    let counts = &world.outside.counts;
    if counts.get(Count::LostDisks) + counts.get(Count::Restored) == 0 {
        world.outside.checkers.judge("L2", verdict);
    }
    world.hold_clients(false);
    world.run_until(world.outside.now + 30_000);
    if !terms.wrong_operator {
        world.outside.checkers.healed();
    }
}

fn know_the_same(world: &World) -> Result<(), String> {
    let checkers = &world.outside.checkers;
    l2::know_the_same(
        &world.both_views(),
        &world.endpoints(),
        |address| checkers.is_shared(address),
        checkers.ahead(),
        world.outside.lost_time,
    )
}

/// Nobody asks for anything any more: pools are level, and nothing passes between the two but signs of life (L3).
fn come_to_rest(world: &mut World) {
    // The last lease may have ended just now: what is free since is shared out first.
    world.run_until(world.outside.now + 3 * l3::INTERVAL);
    let verdict = know_the_same(world);
    world.outside.checkers.judge("L2", verdict);
    let verdict = l3::level(&world.scene.servers[0], &world.both_views()[0]);
    world.outside.checkers.judge("L3", verdict);
    let before = world.outside.checkers.talk();
    world.run_until(world.outside.now + 2 * l3::INTERVAL);
    let verdict = l3::quiet(before, world.outside.checkers.talk());
    world.outside.checkers.judge("L3", verdict);
}

fn network_counts(outside: &mut crate::outside::Outside) -> crate::count::Counts {
    let tally = outside.network.tally;
    let mut counts = outside.counts.clone();
    counts.add(Count::Lost, tally.lost);
    counts.add(Count::Doubled, tally.doubled);
    counts.add(Count::Delayed, tally.delayed);
    counts.excuse(outside.checkers.excused());
    counts
}

/// Runs `count` seeds from `first_seed` on, on so many threads: the result is the same for any number of them. `progress` hears how
/// many are done. The first runs that fail are made once more with a trace.
pub fn run_seeds(
    first_seed: u64,
    count: u64,
    options: &Options,
    threads: usize,
    progress: &mut dyn FnMut(u64),
) -> Summary {
    let mut summary = Summary { kind: options.kind, hours: options.hours, first_seed, ..Summary::default() };
    let mut failed = Vec::new();
    let seeds = first_seed..first_seed.saturating_add(count);
    each_seed(seeds, threads, &|seed| run(seed, options), &mut |report| {
        summary.seeds += 1;
        summary.virtual_millis += report.virtual_millis;
        summary.troubled_millis += report.healed.unwrap_or(report.virtual_millis);
        summary.troubles += report.befallen.len() as u64;
        summary.steps += report.steps;
        summary.counts.merge(&report.counts);
        failed.extend(report.violation.is_some().then_some(report.seed));
        progress(summary.seeds);
        true
    });
    summary.failed = failed.len() as u64;
    failed.sort_unstable();
    let traced = Options { traced: true, ..options.clone() };
    summary.failures = failed.iter().take(KEPT).map(|seed| run(*seed, &traced)).collect();
    summary.failed_seeds = failed;
    summary
}

/// Makes something of each seed, on so many threads, and hands it to `take` in any order. When that says no, no other seed is begun;
/// all before those that were are done.
fn each_seed<T: Send>(
    seeds: Range<u64>,
    threads: usize,
    make: &(dyn Fn(u64) -> T + Sync),
    take: &mut dyn FnMut(T) -> bool,
) {
    let (next, goes_on) = (AtomicU64::new(seeds.start), AtomicBool::new(true));
    let (made, taken) = mpsc::channel();
    std::thread::scope(|scope| {
        let threads = u64::try_from(threads).unwrap_or(1).clamp(1, (seeds.end - seeds.start).max(1));
        for _ in 0..threads {
            let (made, next, goes_on) = (made.clone(), &next, &goes_on);
            scope.spawn(move || {
                while goes_on.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || made.send(make(seed)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(made);
        for one in taken {
            if !take(one) {
                goes_on.store(false, Ordering::Relaxed);
            }
        }
    });
}

/// What it took to find a bug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Seeds that were run, the failing one included.
    pub seeds: u64,
    /// The run that failed, with its trace.
    pub report: Report,
}

/// Where a bug is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    /// The first seed.
    pub first_seed: u64,
    /// How many seeds are run at most.
    pub most: u64,
    /// See [`Options::hours`].
    pub hours: Option<u32>,
    /// On how many threads; the result is the same for any number.
    pub threads: usize,
}

impl Search {
    /// Up to `most` seeds from `first_seed` on, each as long as it draws, on one thread.
    pub fn of(first_seed: u64, most: u64) -> Search {
        Search { first_seed, most, hours: None, threads: 1 }
    }

    /// The first seed in which something is violated with this bug, and the checker that found it.
    pub(crate) fn first_failing(
        self,
        kind: Kind,
        name: &str,
        planted: Planted,
    ) -> Option<(u64, &'static str)> {
        let options = self.options(kind, name, planted);
        let mut failing = Vec::new();
        let seeds = self.first_seed..self.first_seed.saturating_add(self.most);
        let make = |seed| (seed, run(seed, &options).violation);
        each_seed(seeds, self.threads, &make, &mut |(seed, violation)| {
            failing.extend(violation.map(|violation| (seed, violation.checker)));
            failing.is_empty()
        });
        failing.into_iter().min()
    }

    fn options(self, kind: Kind, name: &str, planted: Planted) -> Options {
        let hours = self.hours.filter(|_| kind == Kind::Pair);
        Options { kind, hours, planted: Some((name.to_owned(), planted)), ..Options::default() }
    }
}

/// Puts the bug of this name in, and runs seeds until a checker finds it. `None` when none does, or when there is no bug of this
/// name.
pub fn find_planted(name: &str, search: Search) -> Option<Found> {
    let (planted, kind) = (Planted::named(name)?, Planted::kind(name));
    let (seed, _) = search.first_failing(kind, name, planted)?;
    let traced = Options { traced: true, ..search.options(kind, name, planted) };
    Some(Found { seeds: seed - search.first_seed + 1, report: run(seed, &traced) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_along_its_plan_is_the_run() {
        for (kind, seeds) in [(Kind::Single, 1..4), (Kind::Pair, 3..8)] {
            let options = Options { kind, ..Options::default() };
            for seed in seeds {
                let (whole, plan) = made(seed, &options, Plan::default());
                assert_eq!(along(seed, &options, &plan), whole);
            }
        }
    }

    #[test]
    fn the_result_does_not_depend_on_threads() {
        let options = Options { kind: Kind::Single, ..Options::default() };
        let of = |threads| run_seeds(1, 12, &options, threads, &mut |_| {});
        assert_eq!(of(1), of(4));
        let planted = Some((
            "ignore-late-renewals".to_owned(),
            Planted::named("ignore-late-renewals").unwrap_or_default(),
        ));
        let options = Options { planted, ..options };
        let of = |threads| run_seeds(1, 12, &options, threads, &mut |_| {});
        let (one, four) = (of(1), of(4));
        assert_eq!(one, four);
        assert_eq!((one.failures.len(), one.failures[0].seed), (KEPT, one.failed_seeds[0]));
        let find = |threads| find_planted("ignore-late-renewals", Search { threads, ..Search::of(1, 12) });
        assert_eq!(find(1), find(3));
        assert_eq!(find(1).map(|found| found.report.seed), Some(one.failed_seeds[0]));
    }

    #[test]
    fn what_is_left_out_does_not_happen_and_the_rest_does() {
        let options = Options { kind: Kind::Pair, ..Options::default() };
        let (whole, plan) = made(4, &options, Plan::default());
        let all: Vec<u32> = whole.befallen.iter().map(|one| one.number).collect();
        assert!(all.len() > 20, "{all:?}");
        // A trouble that found nobody in the whole run may find somebody now.
        let last = all[all.len() - 1];
        let troubles = (2..=last).step_by(2).collect();
        let without = Without { troubles, clients: [1].into(), ..Without::default() };
        let options = Options { without, traced: true, ..options };
        let part = along(4, &options, &plan);
        assert_eq!(part, run(4, &options));
        assert!(
            part.befallen.iter().all(|one| one.number % 2 == 1 || one.number > last),
            "{:?}",
            part.befallen
        );
        assert!(part.befallen.len() > all.len() / 4, "{:?}", part.befallen);
        let is_of_first = |one: &crate::What| matches!(one, crate::What::Holds { client: 1, .. });
        assert!(!part.history.iter().any(|one| is_of_first(&one.what)));
        assert_eq!(part.violation, None);
    }
}
