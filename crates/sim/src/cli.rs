//! `tandem sim`: what it does, without how its arguments are read.
//!
//! *Lives here:* [`Arguments`], [`sim`].
//! *Must not know:* the parser of command lines.

use crate::hunt::table;
use crate::picture::{Window, page_of};
use crate::plan::Without;
use crate::planted::Planted;
use crate::report::Report;
use crate::run::{Kind, Options, Search, find_planted, run, run_seeds};
use crate::server::dhcpd::Habits;
use crate::shrink::{Shrunk, shrink};
use crate::step::step;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

/// Every bug, one after the other.
const ALL: &str = "all";

/// Where bugs are looked for, so far behind the first seed.
const FIRST_SEEDS: [u64; 3] = [0, 1000, 2000];

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// One server, a pair, or one beside a dhcpd; `None` for the first two, one after the other.
    pub kind: Option<Kind>,
    /// For how many hours everything may fail in each run of a pair; each draws it without.
    pub hours: Option<u32>,
    /// On how many threads seeds are run.
    pub threads: usize,
    /// How many seeds to run.
    pub seeds: u64,
    /// The first of them.
    pub first_seed: u64,
    /// Run this seed alone, and show all that happens.
    pub replay: Option<u64>,
    /// Put this bug in, and see it found; `all` for each of them, in a table.
    pub planted: Option<String>,
    /// Make the run of this seed smaller, in which something is violated.
    pub shrink: Option<u64>,
    /// Go through the run that is replayed event by event, as standard input says.
    pub step: bool,
    /// What a dhcpd does otherwise than the drafts want it.
    pub habits: Habits,
    /// Leave this out of the run that is replayed.
    pub without: Without,
    /// Write the run that is replayed as a page into this file.
    pub html: Option<PathBuf>,
    /// The part of it that is drawn close.
    pub window: Window,
}

impl Default for Arguments {
    fn default() -> Arguments {
        Arguments {
            kind: None,
            hours: None,
            threads: 1,
            seeds: 500,
            first_seed: 1,
            replay: None,
            planted: None,
            shrink: None,
            step: false,
            habits: Habits::ALL,
            without: Without::default(),
            html: None,
            window: Window::default(),
        }
    }
}

impl Arguments {
    fn search(&self) -> Search {
        let Arguments { first_seed, seeds: most, hours, threads, .. } = *self;
        Search { first_seed, most, hours, threads }
    }
}

/// Runs what was asked for; whether all was as it should be.
///
/// # Errors
/// When `out` cannot be written to.
pub fn sim(arguments: &Arguments, out: &mut dyn Write) -> io::Result<bool> {
    if arguments.planted.as_deref() == Some(ALL) {
        return table(&FIRST_SEEDS, arguments.search(), out);
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
    if let Some(seed) = arguments.replay.or(arguments.shrink) {
        let kind = match &planted {
            Some((name, _)) => Planted::kind(name),
            None => arguments.kind.unwrap_or_default(),
        };
        let without = arguments.without.clone();
        let (hours, habits) = (arguments.hours, arguments.habits);
        let options = Options { kind, hours, planted, habits, traced: true, without, ..Options::default() };
        if arguments.shrink.is_some() {
            return make_smaller(seed, &options, out);
        }
        return replay(seed, &options, arguments, out);
    }
    if let Some((name, _)) = planted {
        return show_planted(&name, arguments, out);
    }
    let mut is_good = true;
    for kind in [Kind::Single, Kind::Pair, Kind::Dhcpd] {
        // A partner of another make is asked for by name.
        let is_usual = kind != Kind::Dhcpd;
        if arguments.kind.map_or(is_usual, |wanted| wanted == kind) {
            is_good &= run_all(kind, arguments, out)?;
        }
    }
    Ok(is_good)
}

fn run_all(kind: Kind, arguments: &Arguments, out: &mut dyn Write) -> io::Result<bool> {
    let terminal = io::stderr().is_terminal();
    let options = Options { kind, hours: arguments.hours, habits: arguments.habits, ..Options::default() };
    let Arguments { first_seed, seeds, threads, .. } = *arguments;
    let summary = run_seeds(first_seed, seeds, &options, threads, &mut |done| {
        if terminal && (done.is_multiple_of(10) || done == arguments.seeds) {
            let end = if done == arguments.seeds { "\n" } else { "" };
            // Nobody misses a progress line that could not be written.
            let _ = write!(io::stderr(), "\r{done} of {} seeds{end}", arguments.seeds);
        }
    });
    write!(out, "{summary}")?;
    Ok(summary.is_good())
}

fn replay(seed: u64, options: &Options, arguments: &Arguments, out: &mut dyn Write) -> io::Result<bool> {
    let report = run(seed, options);
    if let Some(path) = &arguments.html {
        std::fs::write(path, page_of(&report, arguments.window))
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        writeln!(out, "{}", path.display())?;
        return Ok(report.violation.is_none());
    }
    if arguments.step {
        return go_through(&report, out);
    }
    for line in report.lines() {
        writeln!(out, "{line}")?;
    }
    for (name, number) in
        report.counts.iter(options.kind, options.hours.is_some()).filter(|(_, number)| *number > 0)
    {
        writeln!(out, "{number:>12} {name}")?;
    }
    write!(out, "{report}")?;
    Ok(report.violation.is_none())
}

fn go_through(report: &Report, out: &mut dyn Write) -> io::Result<bool> {
    let mut input = io::stdin().lock();
    let prompt = if input.is_terminal() { "> " } else { "" };
    if step(&report.history, &mut input, out, prompt)? {
        match &report.violation {
            Some(violation) => writeln!(out, "seed {}: {violation}", report.seed)?,
            None => writeln!(out, "seed {}: nothing was violated", report.seed)?,
        }
    }
    Ok(report.violation.is_none())
}

fn make_smaller(seed: u64, options: &Options, out: &mut dyn Write) -> io::Result<bool> {
    let terminal = io::stderr().is_terminal();
    let shrunk = shrink(seed, options, &mut |trials, size| {
        if terminal {
            // Nobody misses a progress line that could not be written.
            let _ = write!(io::stderr(), "\r{trials} runs: {size}\x1b[K");
        }
    });
    if terminal {
        let _ = writeln!(io::stderr());
    }
    let Some(Shrunk { before, after, report, trials, .. }) = shrunk else {
        writeln!(
            out,
            "seed {seed}: nothing is violated in this run, so that there is nothing to make smaller"
        )?;
        return Ok(false);
    };
    write!(out, "{report}")?;
    for befallen in &report.befallen {
        writeln!(out, "left: {:>5} {}", befallen.number, befallen.kind)?;
    }
    writeln!(out, "before: {before}\nafter:  {after}, found in {trials} runs")?;
    Ok(true)
}

fn show_planted(name: &str, arguments: &Arguments, out: &mut dyn Write) -> io::Result<bool> {
    let Some(found) = find_planted(name, arguments.search()) else {
        writeln!(out, "{name}: not found in {} seeds", arguments.seeds)?;
        return Ok(false);
    };
    write!(out, "{}", found.report)?;
    let checker = found.report.violation.map_or("nobody", |violation| violation.checker);
    writeln!(out, "{name}: found by {checker} after {} seeds", found.seeds)?;
    Ok(true)
}
