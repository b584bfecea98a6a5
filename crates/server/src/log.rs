//! What people read: one line for each event, on standard error.
//!
//! *Lives here:* the set-up of `tracing`, [`EventLog`] (engine events, so many of a kind and no more), the few lines
//! that both threads write.
//! *Must not know:* why something happened.

mod writer;

use crate::counter::{ShellCounter, ShellCounters};
use config::LogLevel;
use engine::event::{CATALOGUE, Event, Level};
use nix::errno::Errno;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, info, warn};
use writer::Lines;

/// How long a count of events of one kind lasts.
const WINDOW: Duration = Duration::from_secs(10);

/// Lines about events of one kind in a window, unless the level is `debug`.
const LINES_PER_WINDOW: u32 = 100;

/// Makes `tracing` write to standard error, by a thread of its own: a reader that stands still stops nobody.
/// Only the first call has an effect.
pub(crate) fn start(level: LogLevel, counters: &Arc<ShellCounters>) {
    let filter = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let Some(lines) = Lines::start(Arc::clone(counters)) else { return };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(filter)
        .with_ansi(false)
        .with_target(false)
        .with_writer(lines)
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Waits, for a moment, until all lines are written.
pub(crate) fn flush() {
    writer::flush();
}

/// The last line of a process that ends at once.
pub(crate) fn fatal(what: &str, why: &str) {
    error!("{what}: {why}");
    flush();
}

/// At most one line in 10 s about sends that failed.
pub(crate) fn send_failed(error: Errno) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if is_due(&NEXT) {
        warn!("a reply could not be sent: {}; `tandem status` counts them", error.desc());
    }
}

/// At most one line in 10 s about connections of those who are no partners.
pub(crate) fn stranger(who: IpAddr) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if is_due(&NEXT) {
        warn!(
            "{who} connected as a partner and is none: closed. If it should be one, its address is not what `partner` says"
        );
    }
}

/// At most one line in 10 s about a disk that takes no records.
pub(crate) fn append_failed(why: &str) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if is_due(&NEXT) {
        error!("records cannot be written, and nothing that rests on them is answered; trying on: {why}");
    }
}

/// Whether the last line of this kind is long enough ago.
fn is_due(next: &AtomicU64) -> bool {
    let now = crate::clocks::since_boot().map_or(0, failover::time::Interval::as_seconds);
    next.fetch_max(now + WINDOW.as_secs(), Ordering::Relaxed) <= now
}

/// A snapshot was given up.
pub(crate) fn snapshot_failed(why: &str) {
    warn!("a snapshot was given up, the log goes on: {why}");
}

/// Writes engine events.
pub(crate) struct EventLog {
    level: Level,
    counters: Arc<ShellCounters>,
    window_ends: Instant,
    lines: [u32; CATALOGUE.len()],
}

impl EventLog {
    pub(crate) fn new(level: LogLevel, counters: Arc<ShellCounters>) -> EventLog {
        let level = match level {
            LogLevel::Error => Level::Error,
            LogLevel::Warning => Level::Warning,
            LogLevel::Info => Level::Info,
            LogLevel::Debug => Level::Debug,
        };
        EventLog { level, counters, window_ends: Instant::now() + WINDOW, lines: [0; CATALOGUE.len()] }
    }

    /// Writes those that matter at this level; `dropped` more were not even kept.
    pub(crate) fn write(&mut self, events: &[Event], dropped: u64) {
        self.counters.add(ShellCounter::EventsNotLogged, dropped);
        let level = self.level;
        for event in events.iter().filter(|event| event.entry().level <= level) {
            if self.may_write(event) {
                write(event);
            } else {
                self.counters.count(ShellCounter::EventsNotLogged);
            }
        }
    }

    fn may_write(&mut self, event: &Event) -> bool {
        if self.level == Level::Debug {
            return true;
        }
        let now = Instant::now();
        if self.window_ends <= now {
            self.window_ends = now + WINDOW;
            for (entry, lines) in CATALOGUE.iter().zip(&mut self.lines) {
                let more = std::mem::take(lines).saturating_sub(LINES_PER_WINDOW);
                if more > 0 {
                    warn!(id = entry.id, "{more} more events {} were not logged", entry.name);
                }
            }
        }
        let id = event.entry().id;
        let Some(at) = CATALOGUE.iter().position(|entry| entry.id == id) else { return true };
        self.lines[at] = self.lines[at].saturating_add(1);
        self.lines[at] <= LINES_PER_WINDOW
    }
}

fn write(event: &Event) {
    let entry = event.entry();
    let (id, what_to_do) = (entry.id, entry.what_to_do);
    match entry.level {
        Level::Error => error!(id, what_to_do, "{event}"),
        Level::Warning => warn!(id, what_to_do, "{event}"),
        Level::Info => info!(id, "{event}"),
        Level::Debug => debug!(id, "{event}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_so_many_lines_of_a_kind_but_the_others_too() {
        let counters = Arc::<ShellCounters>::default();
        let mut log = EventLog::new(LogLevel::Warning, Arc::clone(&counters));
        let full = Event::NetworkExhausted { network: "wire".to_owned() };
        let orphans = Event::OrphansKept { count: 1 };
        let events = vec![full; 130];
        log.write(&events, 7);
        assert_eq!(counters.get(ShellCounter::EventsNotLogged), 7 + 30);
        assert!(log.may_write(&orphans));
        log.window_ends = Instant::now();
        assert!(log.may_write(&events[0]), "a new window");
    }

    #[test]
    fn what_is_below_the_level_is_neither_written_nor_missed() {
        let counters = Arc::<ShellCounters>::default();
        let mut log = EventLog::new(LogLevel::Error, Arc::clone(&counters));
        log.write(&vec![Event::OrphansKept { count: 1 }; 1000], 0);
        assert_eq!(counters.get(ShellCounter::EventsNotLogged), 0);
    }
}
