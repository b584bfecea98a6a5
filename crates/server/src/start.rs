//! From a configuration to a running server, and to its end.
//!
//! *Lives here:* [`serve`]: what is opened in which order, the two threads, what happens when one of them panics.
//! *Must not know:* what the threads do.

use crate::clocks::{Clocks, boot_id};
use crate::control;
use crate::desk::{Desk, JournalEnds};
use crate::error::{EXIT_PANIC, ServeError};
use crate::handle::OwnerHandle;
use crate::journal::Journal;
use crate::log::{self, EventLog};
use crate::net::interfaces::{self, Watch};
use crate::net::listener::{Change, Listeners};
use crate::net::sender::Sender;
use crate::net::socket;
use crate::owner::{Owner, Parts, StoreFacts};
use crate::partners::Partners;
use crate::reader::Reader;
use crate::shared::Shared;
use config::{Diagnostic, Report, ServerConfig, Severity};
use engine::clock::{Clock, ClockStamp, Origin, Reading, Start};
use engine::{Engine, Input, Outbox, Position};
use failover::time::{Interval, Time};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;
use store::{LinuxDisk, Options, Store};
use tracing::{info, warn};

/// How often a start that holds for the clock looks at it again, in milliseconds.
const LOOK_AGAIN: u16 = 200;

/// Serves with this configuration until SIGTERM or SIGINT; `warnings` is what its check had to say.
///
/// # Errors
/// Why it does not start, or did not end in order. A failed sync and a panic end the process at once instead.
pub fn serve(config: ServerConfig, warnings: &Report) -> Result<(), ServeError> {
    let served = start_and_run(config, warnings);
    log::flush();
    served
}

fn start_and_run(config: ServerConfig, warnings: &Report) -> Result<(), ServeError> {
    // Before any thread is made, so that all of them inherit it.
    let signals = take_signals()?;
    let counters = Arc::default();
    log::start(config.log_level, &counters);
    tell(warnings);
    let watch = Watch::new().map_err(|error| ServeError::system("netlink", error))?;
    let (listeners, udp) = hear(&config.interfaces)?;
    let packets = Arc::new(socket::packets().map_err(|error| socket_failed("a packet socket", error))?);

    let (seed, identity) = (u64::from_le_bytes(random()?), random()?);
    let before = Instant::now();
    let mut engine = Engine::new(config.engine, seed);
    let options = Options { segment_size: config.segment_size, ..Options::default() };
    let disk = LinuxDisk::new(&config.state_directory)?;
    let store = Store::open(disk, options, identity, &mut |record| {
        engine.replay(record).map_err(|error| error.to_string())
    })?;
    let replayed_in = before.elapsed();
    engine.set_store(store.identity().0, store.generation());

    let mut clocks = Clocks::default();
    let Some((clock, reading)) = hold_for_clock(&engine, &mut clocks, config.clock_wait, &signals)? else {
        info!("stopped while waiting for the clock");
        return Ok(());
    };
    let shared = Arc::new(Shared::new(counters, Position(store.stable_position().0), store.health()));
    let now = clock.at(reading.since_boot);
    shared.set_time(now, reading.since_boot);
    refuse_unsafe_changes(&engine, now)?;
    let outbox = Outbox::new(Position(store.next_position().0));
    let events = EventLog::new(config.log_level, Arc::clone(&shared.counters));
    let partners = Partners::new(
        engine.config(),
        &config.partners,
        &config.partner_tls,
        now,
        Arc::clone(&shared.counters),
    )?;
    let sender = || Sender::new(Arc::clone(&packets), Arc::clone(&udp), Arc::clone(&shared.counters));
    let (mut desk, ends) = Desk::new(engine, outbox, Box::new(sender()), Arc::clone(&shared), events);
    begin(&mut desk, now, clock.stamp(&reading), &listeners);
    banner(&desk, &listeners, &store, replayed_in.as_millis());

    let (handle, questions) = OwnerHandle::new().map_err(|error| ServeError::system("eventfd", error))?;
    // Questions are taken until both threads have ended: the last ones are told that the server is stopping.
    let _control = control::start(&config.control_socket, handle.clone())?;
    let facts =
        StoreFacts { identity: store.identity(), generation: store.generation(), opened: *store.opened() };
    let JournalEnds { work, spent } = ends;
    let journal = Journal::new(store, sender(), work, spent, handle.clone(), Arc::clone(&shared));
    let reader = Reader::new(config.backlog, seed, Arc::clone(&shared.counters));
    let owner = Owner::new(Parts {
        desk,
        partners,
        listeners,
        reader,
        names: config.interfaces,
        watch,
        signals,
        clock,
        clocks,
        questions,
        handle,
        shared,
        store: facts,
    })?;
    run(owner, journal)
}

/// What the configuration changed since the last run, and must not.
fn refuse_unsafe_changes(engine: &Engine, now: Time) -> Result<(), ServeError> {
    let changes = engine.unsafe_changes(now);
    if changes.is_empty() { Ok(()) } else { Err(ServeError::UnsafeChange(changes)) }
}

/// What was said of the configuration.
fn tell(warnings: &Report) {
    for said in warnings.diagnostics() {
        let Diagnostic { line, message, .. } = said;
        match said.severity {
            Severity::Remark => info!("configuration, line {line}: {message}"),
            Severity::Warning | Severity::Error => warn!("configuration, line {line}: {message}"),
        }
    }
}

/// Runs both threads to their end.
fn run(owner: Owner, journal: Journal<LinuxDisk, Sender>) -> Result<(), ServeError> {
    let journal = thread::Builder::new()
        .name("journal".to_owned())
        .spawn(|| guarded("journal", || journal.run()))
        .map_err(|error| ServeError::System { what: "the journal thread", error })?;
    let owner = thread::Builder::new()
        .name("owner".to_owned())
        .spawn(|| guarded("owner", || owner.run()))
        .map_err(|error| ServeError::System { what: "the owner thread", error })?;
    tell_systemd(&[sd_notify::NotifyState::Ready]);
    // A panic does not come this far: it ends the process in its own thread.
    let owned = owner.join().unwrap_or_else(|_| std::process::exit(EXIT_PANIC));
    let written = journal.join().unwrap_or_else(|_| std::process::exit(EXIT_PANIC));
    written.and(owned)?;
    info!("stopped in order: everything is written");
    Ok(())
}

/// A panic ends the process at once: what is not released yet does not leave.
fn guarded<T>(name: &str, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        log::fatal(
            &format!("the {name} thread panicked"),
            "this is a defect; the process ends, and starts anew from its log",
        );
        std::process::exit(EXIT_PANIC)
    })
}

fn take_signals() -> Result<SignalFd, ServeError> {
    let failed = |error| ServeError::system("signals", error);
    let mut set = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        set.add(signal);
    }
    set.thread_block().map_err(failed)?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map_err(failed)
}

/// Opens the sockets of all configured interfaces, each of which must be there, and the one for other ways, which also
/// sends.
fn hear(names: &[String]) -> Result<(Listeners, Arc<OwnedFd>), ServeError> {
    let found = interfaces::read(names)
        .map_err(|error| ServeError::system("the interfaces cannot be read", error))?;
    if let Some(missing) = found.iter().find(|interface| interface.index.is_none()) {
        return Err(ServeError::NoInterface(missing.name.clone()));
    }
    for interface in &found {
        if !interface.up {
            warn!("interface {} is down: nobody is heard there until it is up", interface.name);
        }
        if interface.addresses.is_empty() {
            warn!(
                "interface {} has no IPv4 address: give it one, else its clients get no answer",
                interface.name
            );
        }
    }
    // The sockets of the interfaces come first: they notice another server.
    let mut listeners = Listeners::new();
    for change in listeners.update(found) {
        match change {
            Change::Failed(name, Errno::EADDRINUSE) => return Err(ServeError::PortInUse(name)),
            Change::Failed(name, error) => {
                return Err(socket_failed(&format!("UDP port 67 on {name}"), error));
            }
            Change::Heard(_) | Change::Gone(_) => {}
        }
    }
    let udp = listeners.hear_other_ways().map_err(|error| match error {
        Errno::EADDRINUSE => ServeError::PortInUse("all interfaces".to_owned()),
        error => socket_failed("UDP port 67", error),
    })?;
    Ok((listeners, udp))
}

fn socket_failed(what: &str, error: Errno) -> ServeError {
    ServeError::Socket { what: what.to_owned(), error }
}

fn random<const N: usize>() -> Result<[u8; N], ServeError> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(ServeError::system("random bytes", std::io::Error::other(error.to_string()))),
    }
}

/// Waits until engine time can be had; `None` when a signal came first.
fn hold_for_clock(
    engine: &Engine,
    clocks: &mut Clocks,
    clock_wait: Interval,
    signals: &SignalFd,
) -> Result<Option<(Clock, Reading)>, ServeError> {
    let failed = |error| ServeError::system("the clock cannot be read", error);
    let boot = boot_id(random()?);
    let mut holds_since = None;
    loop {
        let (reading, _) = clocks.read().map_err(failed)?;
        let since = *holds_since.get_or_insert(reading.since_boot);
        let waited = Interval::from_millis(reading.since_boot.as_millis() - since.as_millis());
        match Clock::start(engine.stored_clock(), engine.last_operation(), boot, &reading, waited, clock_wait)
        {
            Start::Go(clock, origin) => {
                say_origin(origin, clock_wait);
                return Ok(Some((clock, reading)));
            }
            Start::Hold if since == reading.since_boot => {
                warn!(
                    "the clock of this machine is not synchronised: no lease is given for {clock_wait} at most, \
                     or until it is (`clock-wait`)"
                );
            }
            Start::Hold => {}
        }
        let mut waits = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waits, PollTimeout::from(LOOK_AGAIN)).unwrap_or(0) > 0
            && let Ok(Some(signal)) = signals.read_signal()
            && signal.ssi_signo != u32::try_from(Signal::SIGHUP as i32).unwrap_or(0)
        {
            return Ok(None);
        }
    }
}

fn say_origin(origin: Origin, clock_wait: Interval) {
    match origin {
        Origin::SameBoot => info!("engine time goes on from the last run in this boot"),
        Origin::Wall => info!("engine time is taken from the synchronised wall clock"),
        Origin::UnsynchronisedWall => warn!(
            "engine time is taken from a wall clock that nobody vouched for within {clock_wait}: when it is \
             wrong, leases end early or late; look at the time service of this machine"
        ),
        Origin::LastStamp { behind } => warn!(
            "the wall clock is {behind} behind the last time that was recorded; engine time goes on from there. \
             Set the clock of this machine right"
        ),
    }
}

/// The first inputs: the end of the replay, how the clocks stand, interfaces. In this order: what was lost of time since the last
/// run is known before anything is due.
fn begin(desk: &mut Desk, now: Time, stamp: ClockStamp, listeners: &Listeners) {
    desk.start(now);
    desk.note_clock(stamp);
    // The journal is not there yet, and takes what is sealed as soon as it is.
    let _ = desk.handle(now, Input::Interfaces(&listeners.for_engine()));
}

fn banner(desk: &Desk, listeners: &Listeners, store: &Store<LinuxDisk>, replayed_in: u128) {
    let config = desk.engine.config();
    let addresses: u64 = config
        .pools()
        .iter()
        .map(|pool| u64::from(u32::from(pool.last)) - u64::from(u32::from(pool.first)) + 1)
        .sum();
    let interfaces: Vec<String> = listeners
        .interfaces()
        .iter()
        .map(|interface| {
            let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
            format!("{} ({})", interface.name, addresses.join(", "))
        })
        .collect();
    let opened = store.opened();
    info!(
        "tandem {} serves {}; shared networks {}, pools {} with addresses {addresses}, reservations {}; store {} generation {}, \
         {} records replayed in {replayed_in} ms",
        env!("CARGO_PKG_VERSION"),
        interfaces.join(", "),
        config.networks().len(),
        config.pools().len(),
        config.reservations().len(),
        store.identity(),
        store.generation(),
        opened.snapshot_records + opened.log_records,
    );
    if opened.torn_bytes > 0 {
        info!(
            "{} bytes of an unfinished batch, which nobody had been promised, were cut off",
            opened.torn_bytes
        );
    }
}

/// Where systemd does not wait for it, nothing happens.
pub(crate) fn tell_systemd(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!("systemd could not be told: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_panic_in_a_thread_ends_the_process_at_once() {
        const CHILD: &str = "TANDEM_TEST_PANIC";
        if std::env::var_os(CHILD).is_some() {
            drop(thread::spawn(|| guarded("owner", || panic!("a defect"))).join());
            unreachable!("the process has ended");
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "start::tests::a_panic_in_a_thread_ends_the_process_at_once", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(EXIT_PANIC));
    }
}
