//! `tandem sim`: what it does, without how its arguments are read.
//!
//! *Lives here:* [`Arguments`], [`sim`].
//! *Must not know:* the parser of command lines.

use crate::hunt::table;
use crate::planted::Planted;
use crate::run::{Kind, Options, find_planted, run, run_seeds};
use std::io::{self, IsTerminal, Write};

/// Every bug, one after the other.
const ALL: &str = "all";

/// Where bugs are looked for, from the first seed on.
const FIRST_SEEDS: [u64; 3] = [0, 1000, 2000];

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// One server, or a pair; `None` for both, one after the other.
    pub kind: Option<Kind>,
    /// How many seeds to run.
    pub seeds: u64,
    /// The first of them.
    pub first_seed: u64,
    /// Run this seed alone, and show all that happens.
    pub replay: Option<u64>,
    /// Put this bug in, and see it found; `all` for each of them, in a table.
    pub planted: Option<String>,
}

impl Default for Arguments {
    fn default() -> Arguments {
        Arguments { kind: None, seeds: 500, first_seed: 1, replay: None, planted: None }
    }
}

/// Runs what was asked for; whether all was as it should be.
///
/// # Errors
/// When `out` cannot be written to.
pub fn sim(arguments: &Arguments, out: &mut dyn Write) -> io::Result<bool> {
    if arguments.planted.as_deref() == Some(ALL) {
        return table(&FIRST_SEEDS.map(|seed| arguments.first_seed + seed), arguments.seeds, out);
    }
    let planted = arguments.planted.as_ref().map(|name| (name.clone(), Planted::named(name)));
    if let Some((name, None)) = &planted {
        writeln!(out, "there is no bug called {name}; those that can be put in:")?;
        for name in Planted::names() {
            writeln!(out, "  {name}")?;
        }
        return Ok(false);
    }
    let planted = planted.and_then(|(name, planted)| planted.map(|planted| (name, planted)));
    if let Some(seed) = arguments.replay {
        let kind = match &planted {
            Some((name, _)) => Planted::kind(name),
            None => arguments.kind.unwrap_or_default(),
        };
        return replay(seed, &Options { kind, planted, traced: true }, out);
    }
    if let Some((name, _)) = planted {
        return show_planted(&name, arguments, out);
    }
    let mut is_good = true;
    for kind in [Kind::Single, Kind::Pair] {
        if arguments.kind.is_none_or(|wanted| wanted == kind) {
            is_good &= run_all(kind, arguments, out)?;
        }
    }
    Ok(is_good)
}

fn run_all(kind: Kind, arguments: &Arguments, out: &mut dyn Write) -> io::Result<bool> {
    let terminal = io::stderr().is_terminal();
    let options = Options { kind, ..Options::default() };
    let summary = run_seeds(arguments.first_seed, arguments.seeds, &options, &mut |done| {
        if terminal && (done.is_multiple_of(10) || done == arguments.seeds) {
            let end = if done == arguments.seeds { "\n" } else { "" };
            // Nobody misses a progress line that could not be written.
            let _ = write!(io::stderr(), "\r{done} of {} seeds{end}", arguments.seeds);
        }
    });
    write!(out, "{summary}")?;
    Ok(summary.is_good())
}

fn replay(seed: u64, options: &Options, out: &mut dyn Write) -> io::Result<bool> {
    let report = run(seed, options);
    for line in &report.trace {
        writeln!(out, "{line}")?;
    }
    for (name, number) in report.counts.iter(options.kind).filter(|(_, number)| *number > 0) {
        writeln!(out, "{number:>12} {name}")?;
    }
    write!(out, "{report}")?;
    Ok(report.violation.is_none())
}

fn show_planted(name: &str, arguments: &Arguments, out: &mut dyn Write) -> io::Result<bool> {
    let Arguments { first_seed, seeds, .. } = *arguments;
    let Some(found) = find_planted(name, first_seed, seeds) else {
        writeln!(out, "{name}: not found in {seeds} seeds")?;
        return Ok(false);
    };
    write!(out, "{}", found.report)?;
    let checker = found.report.violation.map_or("nobody", |violation| violation.checker);
    writeln!(out, "{name}: found by {checker} after {} seeds", found.seeds)?;
    Ok(true)
}
