//! What people read of a run.
//!
//! *Lives here:* [`Report`] of one seed, [`Summary`] of many; how moments and messages are written.
//! *Must not know:* how a run is made.

use crate::checkers::Violation;
use crate::count::Counts;
use crate::history::Happening;
use crate::plan::{Befallen, Without};
use crate::run::Kind;
use crate::server::dhcpd::{Habit, Habits};
use dhcp::{ClientIdentity, Message};
use std::collections::BTreeSet;
use std::fmt;

/// Lines of the trace that are shown before a violation.
const SHOWN: usize = 40;

/// Seeds that failed and are named at most.
const NAMED: usize = 50;

/// Milliseconds since a run began, as days and a time of day.
pub(crate) struct Clocked(pub(crate) u64);

impl fmt::Display for Clocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Clocked(millis) = self;
        let seconds = millis / 1000;
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        write!(f, "{days}d {hours:02}:{minutes:02}:{:02}.{:03}", seconds % 60, millis % 1000)
    }
}

/// Milliseconds since a run began, as reports write them: `1d 03:12:09.123`. Days, seconds and their parts may be left out.
///
/// # Errors
/// When it is written otherwise; the text says how it should be.
pub fn moment(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no time of a run: write 03:12, 03:12:09.123 or \"1d 03:12:09\"");
    let (days, clock) = text.split_once('d').unwrap_or(("0", text));
    let mut parts = clock.trim().splitn(3, ':');
    let whole = |text: &str, below: u64| match text.trim().parse::<u64>() {
        Ok(number) if number < below => Ok(number),
        _ => Err(wrong()),
    };
    let days = whole(days, 100_000)?;
    let (Some(hours), Some(minutes)) = (parts.next(), parts.next()) else { return Err(wrong()) };
    let (hours, minutes) = (whole(hours, 24)?, whole(minutes, 60)?);
    let (seconds, millis) = match parts.next().map(|text| text.split_once('.').unwrap_or((text, ""))) {
        None => (0, 0),
        Some((seconds, "")) => (whole(seconds, 60)?, 0),
        Some((seconds, part)) if part.len() <= 3 => {
            (whole(seconds, 60)?, whole(&format!("{part:0<3}"), 1000)?)
        }
        Some(_) => return Err(wrong()),
    };
    Ok((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + millis)
}

/// The name of a message.
pub(crate) fn name_of(message: &Message<'_>) -> &'static str {
    message.message_type().map_or("BOOTP", dhcp::MessageType::name)
}

/// What a message is about: an address, and for how many seconds.
pub(crate) fn brief(message: &Message<'_>) -> String {
    let named = [Some(message.yiaddr()), message.requested_address(), Some(message.ciaddr())];
    let address = named.into_iter().flatten().find(|address| !address.is_unspecified());
    let seconds = message.lease_time().filter(|_| !message.yiaddr().is_unspecified());
    match (address, seconds) {
        (Some(address), Some(u32::MAX)) => format!("{address} for ever"),
        (Some(address), Some(seconds)) => format!("{address} for {seconds} s"),
        (Some(address), None) => address.to_string(),
        (None, _) => String::new(),
    }
}

/// One line for a message.
pub(crate) fn describe(message: &Message<'_>) -> String {
    format!("{} {}", name_of(message), contents(message))
}

/// The same without its name.
pub(crate) fn contents(message: &Message<'_>) -> String {
    let who = ClientIdentity::from_message(message).map_or("nobody".to_owned(), |client| client.to_string());
    let mut line = format!("of {who}, xid {:08x}", message.xid().0);
    let addresses =
        [("ciaddr", message.ciaddr()), ("yiaddr", message.yiaddr()), ("giaddr", message.giaddr())];
    for (name, address) in addresses.into_iter().filter(|(_, address)| !address.is_unspecified()) {
        line.extend([", ", name, " ", &address.to_string()]);
    }
    if let Some(address) = message.requested_address() {
        line.extend([", wants ", &address.to_string()]);
    }
    if let Some(seconds) = message.lease_time() {
        line.extend([", ", &seconds.to_string(), " s"]);
    }
    line
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What it was made from.
    pub seed: u64,
    /// How many servers there were.
    pub kind: Kind,
    /// For how many hours everything could fail, where that was asked for.
    pub hours: Option<u32>,
    /// How long it lasted in virtual time, in milliseconds.
    pub virtual_millis: u64,
    /// Events that were handled.
    pub steps: u64,
    /// Of everything that happened: the same run has the same.
    pub digest: u64,
    /// What happened.
    pub counts: Counts,
    /// What must not happen, and did.
    pub violation: Option<Violation>,
    /// All that happened, when somebody wanted to look at it.
    pub history: Vec<Happening>,
    /// What went wrong on purpose, in this order.
    pub befallen: Vec<Befallen>,
    /// What a dhcpd did otherwise than the drafts want it.
    pub habits: Habits,
    /// The bug that was put in on purpose.
    pub planted: Option<String>,
    /// What was left out.
    pub without: Without,
    /// The clients that took part, by their numbers.
    pub clients: BTreeSet<u8>,
    /// When faults stopped, if it came so far.
    pub healed: Option<u64>,
}

impl Report {
    /// The lines of all that happened, for people.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.history.iter().filter_map(Happening::line)
    }

    /// The command that makes this run again.
    pub fn command(&self) -> String {
        let mut command = self.command_to("--replay");
        if !self.without.is_empty() {
            command.extend([" --without ", &self.without.to_string()]);
        }
        command
    }

    fn command_to(&self, what: &str) -> String {
        let kind = match self.kind {
            Kind::Single => "--single",
            Kind::Pair => "--pair",
            Kind::Dhcpd => "--dhcpd",
        };
        let hours = self.hours.map_or_else(String::new, |hours| format!(" --hours {hours}"));
        let planted = self.planted.as_ref().map_or_else(String::new, |name| format!(" --planted {name}"));
        let missing: Vec<&str> =
            Habit::ALL.into_iter().filter(|habit| !self.habits.has(*habit)).map(Habit::name).collect();
        let habits =
            if missing.is_empty() { String::new() } else { format!(" --lacks {}", missing.join(",")) };
        format!("tandem sim {kind}{hours} {what} {}{planted}{habits}", self.seed)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { seed, virtual_millis, steps, digest, .. } = self;
        writeln!(
            f,
            "seed {seed}: {} of virtual time, {steps} steps, digest {digest:016x}",
            Clocked(*virtual_millis)
        )?;
        if let Some(violation) = &self.violation {
            let mut last: Vec<String> =
                self.history.iter().rev().filter_map(Happening::line).take(SHOWN).collect();
            last.reverse();
            for line in last {
                writeln!(f, "  {line}")?;
            }
            writeln!(f, "seed {seed}: {violation}")?;
            writeln!(f, "again: {}", self.command())?;
            writeln!(f, "with --html FILE as a page with pictures, with --step event by event")?;
            if self.without.is_empty() {
                writeln!(f, "smaller: {}", self.command_to("--shrink"))?;
            }
        }
        Ok(())
    }
}

/// Many runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// How many servers each had.
    pub kind: Kind,
    /// Runs made.
    pub seeds: u64,
    /// The first of them.
    pub first_seed: u64,
    /// For how many hours everything could fail in each, where that was asked for.
    pub hours: Option<u32>,
    /// Virtual time of all, in milliseconds.
    pub virtual_millis: u64,
    /// Of that, as long as everything could fail.
    pub troubled_millis: u64,
    /// Troubles and habits of all.
    pub troubles: u64,
    /// Events of all.
    pub steps: u64,
    /// What happened in all.
    pub counts: Counts,
    /// Runs in which something was violated, with their traces; the first few.
    pub failures: Vec<Report>,
    /// How many failed.
    pub failed: u64,
    /// And which.
    pub failed_seeds: Vec<u64>,
}

impl Summary {
    /// What never happened, where that proves the runs too quiet.
    pub fn missing(&self) -> Vec<String> {
        self.counts.missing(self.kind, self.hours.is_some())
    }

    /// Nothing was violated, and everything has happened.
    pub fn is_good(&self) -> bool {
        self.failed == 0 && self.missing().is_empty()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for report in &self.failures {
            write!(f, "{report}")?;
        }
        if self.failed_seeds.len() > self.failures.len() {
            let seeds: Vec<String> = self.failed_seeds.iter().take(NAMED).map(u64::to_string).collect();
            let more = if self.failed_seeds.len() > NAMED { " and more" } else { "" };
            writeln!(f, "all that failed: {}{more}", seeds.join(" "))?;
        }
        for (name, number) in self.counts.iter(self.kind, self.hours.is_some()) {
            writeln!(f, "{number:>12} {name}")?;
        }
        for (habit, number) in self.counts.excused() {
            let reason = habit.reason().unwrap_or_default();
            writeln!(f, "{number:>12} addresses with two clients by {}: {reason}", habit.name())?;
        }
        for name in self.missing() {
            writeln!(f, "never happened: {name}: these runs are too quiet to prove anything")?;
        }
        writeln!(
            f,
            "{}: {} seeds from {} on, {} simulated hours, {} of them with all that fails ({} troubles), {} steps: {} failed",
            match self.kind {
                Kind::Single => "single servers",
                Kind::Pair => "pairs",
                Kind::Dhcpd => "a Tandem beside a dhcpd",
            },
            self.seeds,
            self.first_seed,
            self.virtual_millis / 3_600_000,
            self.troubled_millis / 3_600_000,
            self.troubles,
            self.steps,
            self.failed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_is_written_can_be_read() {
        for millis in [0, 59_999, 3_600_000, 86_399_120, 950_400_001] {
            assert_eq!(moment(&Clocked(millis).to_string()), Ok(millis));
        }
        assert_eq!((moment("06:11"), moment("2d 0:1:2.5")), (Ok(22_260_000), Ok(172_862_500)));
        for wrong in ["", "12", "1d", "25:00", "1:60", "1:2:3.0001", "x d 1:2", "1:2:3:4", "-1:2"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
