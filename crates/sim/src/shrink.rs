//! From a run that fails to a small one in which the same checker finds something.
//!
//! *Lives here:* [`shrink`], [`Shrunk`].
//! *May know:* that a run can be made without a part of it, and what it says.
//! *Must not know:* what a trouble is.
//!
//! First whole kinds of troubles are left out, then all that are left, halves, quarters, and so on down to single ones; then clients,
//! weather and wishes; then faults stop earlier. What lets the same checker find something stays out. This is done again until
//! nothing more can go: at first no run may be in any way larger than the one before, then it may last as long as the whole one, so that
//! the rest may go that was held by time alone.

use crate::plan::{Occasion, Without};
use crate::report::{Clocked, Report};
use crate::run::{Options, along, plan_of, run};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

/// Runs that are tried at most.
const TRIALS: u32 = 1500;

/// Where in the time of faults they are tried to stop: so many tenths.
const TENTHS: [u64; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 9];

/// The size of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Troubles and habits.
    pub troubles: usize,
    /// Clients that take part.
    pub clients: usize,
    /// Events that were handled.
    pub steps: u64,
    /// How long it lasted, in milliseconds.
    pub millis: u64,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size { troubles, clients, steps, millis } = self;
        write!(f, "{troubles} troubles, {clients} clients, {steps} steps, {}", Clocked(*millis))
    }
}

impl Size {
    fn of(report: &Report) -> Size {
        Size {
            troubles: report.befallen.len(),
            clients: report.clients.len(),
            steps: report.steps,
            millis: report.virtual_millis,
        }
    }

    fn is_within(self, other: Size) -> bool {
        self.troubles <= other.troubles
            && self.clients <= other.clients
            && self.steps <= other.steps
            && self.millis <= other.millis
    }
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// The checker that finds something in both.
    pub checker: &'static str,
    /// The size of the whole run.
    pub before: Size,
    /// The size of the small one.
    pub after: Size,
    /// The small run, with its history.
    pub report: Report,
    /// How many runs were made for it.
    pub trials: u32,
}

struct Shrinker<'a> {
    options: &'a Options,
    plan: Rc<[Occasion]>,
    checker: &'static str,
    /// All clients of the whole run.
    clients: BTreeSet<u8>,
    before: Size,
    /// No run may be in any way larger than this.
    bound: Size,
    /// Nor last longer than the best.
    is_strict: bool,
    best: Report,
    trials: u32,
    progress: &'a mut dyn FnMut(u32, Size),
}

/// Makes the run of this seed smaller; `None` when nothing is violated in it. `progress` hears of each smaller run how many have
/// been tried, and its size. The same seed and options give the same small run.
pub fn shrink(seed: u64, options: &Options, progress: &mut dyn FnMut(u32, Size)) -> Option<Shrunk> {
    let options = Options { traced: false, ..options.clone() };
    let whole = run(seed, &options);
    let checker = whole.violation.as_ref()?.checker;
    let mut shrinker = Shrinker {
        options: &options,
        plan: plan_of(seed, &options),
        checker,
        clients: whole.clients.clone(),
        before: Size::of(&whole),
        bound: Size::of(&whole),
        is_strict: true,
        best: whole,
        trials: 0,
        progress,
    };
    // What befell nobody in the whole run shall befall nobody in a part of it.
    let idle = shrinker.idle();
    shrinker.tries(|without| without.troubles.extend(&idle));
    shrinker.tries_all();
    let Size { steps, millis, .. } = shrinker.before;
    (shrinker.is_strict, shrinker.bound) = (false, Size { steps, millis, ..shrinker.bound });
    shrinker.tries_all();
    let (before, trials, small) = (shrinker.before, shrinker.trials, shrinker.best.without.clone());
    let after = Size::of(&shrinker.best);
    let report = along(seed, &Options { traced: true, without: small, ..options.clone() }, &shrinker.plan);
    Some(Shrunk { checker, before, after, report, trials })
}

impl Shrinker<'_> {
    fn tries_all(&mut self) {
        loop {
            let without = self.best.without.clone();
            self.kinds();
            self.troubles();
            self.clients();
            self.rates();
            self.time();
            if self.best.without == without || self.trials >= TRIALS {
                return;
            }
        }
    }

    /// Occasions at which nothing befell anybody.
    fn idle(&self) -> BTreeSet<u32> {
        let all = self.plan.iter().map(Occasion::number);
        let befallen: BTreeSet<u32> = self.best.befallen.iter().map(|one| one.number).collect();
        all.filter(|number| !befallen.contains(number)).collect()
    }

    /// Leaves out what `more` says besides what is left out already; whether it can stay out.
    fn tries(&mut self, more: impl FnOnce(&mut Without)) -> bool {
        let mut without = self.best.without.clone();
        more(&mut without);
        if without == self.best.without || self.trials >= TRIALS {
            return false;
        }
        self.trials += 1;
        // A run that is longer is of no use.
        let options = Options { without, until: Some(self.bound.millis), ..self.options.clone() };
        let report = along(self.best.seed, &options, &self.plan);
        let same = report.violation.as_ref().is_some_and(|violation| violation.checker == self.checker);
        if !same || !Size::of(&report).is_within(self.bound) {
            return false;
        }
        self.best = report;
        let size = Size::of(&self.best);
        let lasts = if self.is_strict { size } else { self.bound };
        self.bound = Size { steps: lasts.steps, millis: lasts.millis, ..size };
        (self.progress)(self.trials, size);
        true
    }

    fn kinds(&mut self) {
        let mut kinds: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for one in &self.best.befallen {
            // Whom it befell stands before what it is, and details behind it.
            let kind = one.kind.split_once(": ").map_or(one.kind.as_str(), |(_, kind)| kind);
            let kind = kind.split(' ').next().unwrap_or_default();
            kinds.entry(kind.to_owned()).or_default().insert(one.number);
        }
        for numbers in kinds.values() {
            self.tries(|without| without.troubles.extend(numbers));
        }
    }

    /// Parts of the troubles that are left: all first, single ones at last.
    fn troubles(&mut self) {
        let mut length = self.best.befallen.len();
        while length > 0 {
            // The latest first: what comes after the cause is the easiest to miss.
            let numbers: Vec<u32> = self.best.befallen.iter().map(|one| one.number).collect();
            for part in numbers.rchunks(length) {
                self.tries(|without| without.troubles.extend(part));
            }
            length = if length == 1 { 0 } else { length.div_ceil(2) };
        }
    }

    fn clients(&mut self) {
        for client in self.clients.clone() {
            self.tries(|without| {
                without.clients.insert(client);
            });
        }
    }

    fn rates(&mut self) {
        self.tries(|without| without.weather = true);
        self.tries(|without| without.declines = true);
        self.tries(|without| without.wishes = true);
    }

    /// Faults stop earlier, so that what only shows when all is well shows earlier too.
    fn time(&mut self) {
        let Some(healed) = self.best.healed else { return };
        for tenth in TENTHS {
            if self.tries(|without| without.after = Some(healed / 10 * tenth)) {
                return;
            }
        }
    }
}
