//! Whether bugs on purpose are found: by runs by chance, by scripts, by the exhaustive search.
//!
//! *Lives here:* [`hunt`], and [`table`] of all bugs.
//! *Must not know:* what is wrong with a world that has one.

use crate::planted::{BUGS, Bug, Shown};
use crate::run::{Kind, Search};
use crate::small::{self, SCRIPTS, places};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// What it took to find a bug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catch {
    /// The checker that found it.
    pub checker: &'static str,
    /// Seeds that were run, or states that were visited, until then; 1 for a script.
    pub after: u64,
}

/// Looks for a bug where it shows.
pub fn hunt(bug: &Bug, search: Search) -> Option<Catch> {
    match bug.shown {
        Shown::Seeds(kind) => by_chance(bug, kind, search),
        Shown::Script => {
            let script = SCRIPTS.iter().find(|script| script.bugs.contains(&bug.name))?;
            script.play(bug.planted()).violation.map(|found| Catch { checker: found.checker, after: 1 })
        }
        Shown::Place(name, states) => {
            let place = places().into_iter().find(|place| place.name == name)?;
            let planted = bug.planted();
            let options = small::Options { states, threads: search.threads, come_together_every: 0, planted };
            let outcome = small::search(&place, &options).ok()?;
            let after = u64::try_from(outcome.states).unwrap_or(u64::MAX);
            outcome.found.map(|found| Catch { checker: found.violation.checker, after })
        }
    }
}

fn by_chance(bug: &Bug, kind: Kind, search: Search) -> Option<Catch> {
    let (seed, checker) = search.first_failing(kind, bug.name, bug.planted())?;
    Some(Catch { checker, after: seed - search.first_seed + 1 })
}

/// All that look at runs and worlds: each must have found something.
const CHECKERS: [&str; 25] = [
    "S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14", "S15", "S16",
    "S17", "L1", "L2", "L3", "L4", "L5", "L6", "L7", "L8",
];

/// Writes a line for each bug: which checkers find it, what it took from each of these seeds behind the first on, the median first, and
/// where. Whether all were found, each by one of its checkers, and each checker found something.
///
/// # Errors
/// When `out` cannot be written to.
pub fn table(behind: &[u64], search: Search, out: &mut dyn Write) -> io::Result<bool> {
    let (mut found, mut is_good, mut medians, mut busy) = (0, true, Vec::new(), BTreeSet::new());
    for bug in BUGS {
        let is_chance = matches!(bug.shown, Shown::Seeds(_));
        let behind = if is_chance { behind } else { behind.get(..1).unwrap_or_default() };
        let catches: Vec<Option<Catch>> = behind
            .iter()
            .map(|behind| hunt(bug, Search { first_seed: search.first_seed + behind, ..search }))
            .collect();
        let mut after: Vec<u64> =
            catches.iter().map(|catch| catch.as_ref().map_or(u64::MAX, |catch| catch.after)).collect();
        after.sort_unstable();
        let mut checkers: Vec<&str> = catches.iter().flatten().map(|catch| catch.checker).collect();
        checkers.sort_unstable();
        checkers.dedup();
        busy.extend(checkers.iter().copied());
        let is_found = !after.is_empty() && !after.contains(&u64::MAX);
        let is_known = checkers.iter().all(|checker| bug.checkers.contains(checker));
        is_good &= is_found && is_known;
        found += u64::from(is_found);
        let median = after.get(after.len() / 2).copied().unwrap_or(u64::MAX);
        medians.extend(is_chance.then_some(median));
        let where_ = place_of(bug);
        let took = match bug.shown {
            _ if !is_found => "NOT FOUND".to_owned(),
            Shown::Seeds(_) => format!("{median} seeds"),
            Shown::Script => String::new(),
            Shown::Place(..) => format!("{median} states"),
        };
        let each: Vec<String> = if is_chance && is_found {
            catches.iter().flatten().map(|catch| catch.after.to_string()).collect()
        } else {
            Vec::new()
        };
        let other = if is_known { "" } else { "  (NOT ONE OF ITS CHECKERS)" };
        writeln!(
            out,
            "{:<28} {:<8} {took:>12} {:>11}  {where_}{other}",
            bug.name,
            checkers.join(" "),
            each.join(" ")
        )?;
    }
    medians.sort_unstable();
    let median = medians.get(medians.len() / 2).copied().unwrap_or(u64::MAX);
    writeln!(
        out,
        "{found} of {} bugs were found; in runs by chance after {median} seeds (median)",
        BUGS.len()
    )?;
    let idle: Vec<&str> = CHECKERS.iter().copied().filter(|checker| !busy.contains(checker)).collect();
    if !idle.is_empty() {
        writeln!(out, "checkers that found nothing, and so prove nothing: {}", idle.join(" "))?;
    }
    Ok(is_good && idle.is_empty())
}

fn place_of(bug: &Bug) -> String {
    match bug.shown {
        Shown::Seeds(Kind::Single) => "single servers".to_owned(),
        Shown::Seeds(Kind::Pair) => "pairs".to_owned(),
        Shown::Seeds(Kind::Dhcpd) => "beside a dhcpd".to_owned(),
        Shown::Script => {
            let script = SCRIPTS.iter().find(|script| script.bugs.contains(&bug.name));
            script.map_or_else(String::new, |script| format!("script {}", script.name))
        }
        Shown::Place(name, _) => format!("small world, {name}"),
    }
}
