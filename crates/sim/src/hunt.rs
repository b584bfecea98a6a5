//! Whether bugs on purpose are found: by runs by chance, by scripts, by the exhaustive search.
//!
//! *Lives here:* [`hunt`], and [`table`] of all bugs.
//! *Must not know:* what is wrong with a world that has one.

use crate::planted::{BUGS, Bug, Shown};
use crate::run::{Kind, Options, run};
use crate::small::{self, SCRIPTS, places};
use std::io::{self, Write};

/// What it took to find a bug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catch {
    /// The checker that found it.
    pub checker: &'static str,
    /// Seeds that were run, or states that were visited, until then; 1 for a script.
    pub after: u64,
}

/// Looks for a bug where it shows: up to `most` seeds from `first_seed` on, where it shows in runs by chance.
pub fn hunt(bug: &Bug, first_seed: u64, most: u64) -> Option<Catch> {
    match bug.shown {
        Shown::Seeds(kind) => by_chance(bug, kind, first_seed, most),
        Shown::Script => {
            let script = SCRIPTS.iter().find(|script| script.bugs.contains(&bug.name))?;
            script.play(bug.planted()).violation.map(|found| Catch { checker: found.checker, after: 1 })
        }
        Shown::Place(name, states) => {
            let place = places().into_iter().find(|place| place.name == name)?;
            let planted = bug.planted();
            let options = small::Options { states, threads: 1, come_together_every: 0, planted };
            let outcome = small::search(&place, &options).ok()?;
            let after = u64::try_from(outcome.states).unwrap_or(u64::MAX);
            outcome.found.map(|found| Catch { checker: found.violation.checker, after })
        }
    }
}

fn by_chance(bug: &Bug, kind: Kind, first_seed: u64, most: u64) -> Option<Catch> {
    let options = Options { kind, planted: Some((bug.name.to_owned(), bug.planted())), ..Options::default() };
    (1..=most).find_map(|after| {
        let violation = run(first_seed + after - 1, &options).violation?;
        Some(Catch { checker: violation.checker, after })
    })
}

/// Writes a line for each bug: which checker finds it, and the median of what it took from each of the first seeds on. Whether
/// all were found, each by one of its checkers.
///
/// # Errors
/// When `out` cannot be written to.
pub fn table(first_seeds: &[u64], most: u64, out: &mut dyn Write) -> io::Result<bool> {
    let (mut found, mut is_good) = (0, true);
    for bug in BUGS {
        let is_chance = matches!(bug.shown, Shown::Seeds(_));
        let seeds = if is_chance { first_seeds } else { first_seeds.get(..1).unwrap_or_default() };
        let catches: Vec<Option<Catch>> = seeds.iter().map(|first| hunt(bug, *first, most)).collect();
        let mut after: Vec<u64> =
            catches.iter().map(|catch| catch.as_ref().map_or(u64::MAX, |catch| catch.after)).collect();
        after.sort_unstable();
        let mut checkers: Vec<&str> = catches.iter().flatten().map(|catch| catch.checker).collect();
        checkers.sort_unstable();
        checkers.dedup();
        let is_found = !after.is_empty() && !after.contains(&u64::MAX);
        let is_known = checkers.iter().all(|checker| bug.checkers.contains(checker));
        is_good &= is_found && is_known;
        found += u64::from(is_found);
        let median = after.get(after.len() / 2).copied().unwrap_or(u64::MAX);
        let where_ = place_of(bug);
        let took = match bug.shown {
            _ if !is_found => "NOT FOUND".to_owned(),
            Shown::Seeds(_) => format!("{median} seeds"),
            Shown::Script => String::new(),
            Shown::Place(..) => format!("{median} states"),
        };
        let other = if is_known { "" } else { "  (NOT ONE OF ITS CHECKERS)" };
        writeln!(out, "{:<28} {:<8} {took:>12}  {where_}{other}", bug.name, checkers.join(" "))?;
    }
    writeln!(out, "{found} of {} bugs were found", BUGS.len())?;
    Ok(is_good)
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
