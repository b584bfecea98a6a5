//! The owner thread: the one that decides.
//!
//! *Lives here:* [`Owner`]: waits for packets, deadlines, questions, signals and changes of interfaces; reads the clock
//! once a turn; asks the engine; hands on what it decided.
//! *May know:* the engine's inputs, the sockets; that packets may wait, while deadlines and partners never do.
//! *Must not know:* any rule of DHCP or of the failover protocol, the disk.

use crate::clocks::Clocks;
use crate::control::{CommandAnswer, Question};
use crate::counter::ShellCounter;
use crate::desk::{Desk, JournalGone};
use crate::error::ServeError;
use crate::handle::OwnerHandle;
use crate::net::interfaces::{self, Watch};
use crate::net::listener::{Change as Interfaces, Listeners};
use crate::pace::Pace;
use crate::partners::Partners;
use crate::reader::{Moment, Reader};
use crate::shared::Shared;
use crate::start::tell_systemd;
use crate::status::{ServerStatus, StoreStatus};
use crossbeam_channel::{Receiver, Sender};
use engine::clock::{Change, Clock, Reading};
use engine::config::RelationshipId;
use engine::{Commanded, Input, Reset, ResetRefusal, StorageHealth};
use failover::endpoint::Command;
use failover::time::{Interval, Time};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::{Health, Opened, Position, StoreIdentity};
use tracing::{info, warn};

/// How often engine time is recorded against the clocks of the machine.
const STAMP_EVERY: Interval = Interval::from_seconds(60);

/// How long the interfaces are left alone after a look at them: a host where they come and go all the time has other
/// work for its server.
const LOOK_EVERY: Interval = Interval::from_millis(200);

/// Longest wait in one turn, in milliseconds: so a step of the wall clock is noticed soon.
const LONGEST_WAIT: u64 = 10_000;

/// Events of the kernel taken in one turn.
const EVENTS: usize = 64;

/// Numbers by which epoll names what is no socket for clients.
const SIGNALS: u64 = u64::MAX;
const WAKE: u64 = u64::MAX - 1;
const INTERFACES: u64 = u64::MAX - 2;
const CONTROL: u64 = u64::MAX - 3;
const PARTNERS: u64 = u64::MAX - 4;

/// Commands that wait for the disk; more of them get no answer.
const COMMANDS: usize = 64;

/// How long the end waits for partners to be told of it.
const FAREWELL: Interval = Interval::from_seconds(2);

/// What the store was when it was opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreFacts {
    pub(crate) identity: StoreIdentity,
    pub(crate) generation: u64,
    pub(crate) opened: Opened,
}

/// What the owner is made of.
pub(crate) struct Parts {
    pub(crate) desk: Desk,
    pub(crate) partners: Partners,
    pub(crate) listeners: Listeners,
    pub(crate) reader: Reader,
    pub(crate) names: Vec<String>,
    pub(crate) watch: Watch,
    pub(crate) signals: SignalFd,
    pub(crate) clock: Clock,
    pub(crate) clocks: Clocks,
    pub(crate) questions: Receiver<Question>,
    pub(crate) handle: OwnerHandle,
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: StoreFacts,
}

/// A command that is carried out, with what is answered.
enum Carried {
    Partner(Sender<CommandAnswer>, CommandAnswer),
    Reset(Sender<Result<Reset, ResetRefusal>>, Result<Reset, ResetRefusal>),
}

impl Carried {
    /// Who commanded may be gone by now.
    fn answer(self) {
        match self {
            Carried::Partner(answer, done) => drop(answer.try_send(done)),
            Carried::Reset(answer, done) => drop(answer.try_send(done)),
        }
    }
}

/// Owns the engine.
pub(crate) struct Owner {
    parts: Parts,
    /// Signals, questions, interfaces.
    control: Epoll,
    /// The same, and the sockets for clients.
    all: Epoll,
    started: Interval,
    stamp_at: Time,
    /// When the interfaces are to be looked at, and when they were last.
    look_at: Option<Time>,
    looked_at: Time,
    storage: StorageHealth,
    /// Commands that are carried out; what they changed is stable at this position.
    commanded: Vec<(engine::Position, Carried)>,
    /// It was told to stop: partners are told, until then at the latest.
    end_by: Option<Time>,
    is_ending: bool,
    pace: Pace,
}

impl Owner {
    pub(crate) fn new(parts: Parts) -> Result<Owner, ServeError> {
        let failed = |error| ServeError::system("epoll", error);
        let control = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        let readable = |number| EpollEvent::new(EpollFlags::EPOLLIN, number);
        control.add(&parts.signals, readable(SIGNALS)).map_err(failed)?;
        control.add(parts.handle.wake_fd(), readable(WAKE)).map_err(failed)?;
        control.add(&parts.watch, readable(INTERFACES)).map_err(failed)?;
        let all = sockets(&control, parts.partners.epoll(), &parts.listeners).map_err(failed)?;
        let started = crate::clocks::since_boot().map_err(failed)?;
        let stamp_at = parts.clock.at(started);
        Ok(Owner {
            parts,
            control,
            all,
            started,
            stamp_at,
            look_at: None,
            looked_at: Time::ZERO,
            storage: StorageHealth::Ok,
            commanded: Vec::new(),
            end_by: None,
            is_ending: false,
            pace: Pace::default(),
        })
    }

    /// Serves until a signal says that it is enough, or the journal has ended.
    ///
    /// # Errors
    /// When the kernel refuses what it never refuses.
    pub(crate) fn run(mut self) -> Result<(), ServeError> {
        let ended = self.serve();
        self.parts.shared.stopping.store(true, Ordering::Release);
        if let Ok(Ok(())) = &ended {
            // Where the journal has ended already, it says why.
            let _ = self.parts.desk.finish();
        }
        ended.map(|_| ())
    }

    fn serve(&mut self) -> Result<Result<(), JournalGone>, ServeError> {
        let clock_failed = |error| ServeError::system("the clock cannot be read", error);
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            let waits = self.parts.desk.must_wait();
            if waits {
                self.parts.shared.counters.count(ShellCounter::ReadingStopped);
            }
            let ready = self.wait(waits, &mut events)?;
            let (reading, wall) = self.parts.clocks.read().map_err(clock_failed)?;
            let now = self.engine_time(&reading);
            if let Err(gone) = self.turn(now, &reading, wall, &events[..ready], waits) {
                return Ok(Err(gone));
            }
            if self.is_ending {
                tell_systemd(&[NotifyState::Stopping]);
                info!("stopping: what was decided is written and answered first");
                self.parts.desk.note_clock(self.parts.clock.stamp(&reading));
                return Ok(Ok(()));
            }
        }
    }

    fn turn(
        &mut self,
        now: Time,
        reading: &Reading,
        wall: Duration,
        events: &[EpollEvent],
        waits: bool,
    ) -> Result<(), JournalGone> {
        for event in events {
            match event.data() {
                SIGNALS => self.signals(now),
                WAKE => self.woken(now)?,
                INTERFACES => {
                    self.parts.watch.drain();
                    self.look_at = Some(now.max(self.looked_at.plus(LOOK_EVERY)));
                }
                _ => {}
            }
        }
        self.parts.partners.carry(now, &mut self.parts.desk);
        if waits || self.is_ending {
            self.answer_commands();
            self.look_at_end(now);
            return Ok(());
        }
        self.look_at_storage(now)?;
        if self.look_at.is_some_and(|at| at <= now) {
            (self.look_at, self.looked_at) = (None, now);
            self.look_at_interfaces(now)?;
        }
        if self.parts.desk.engine.next_deadline().is_some_and(|at| at <= now) {
            self.parts.desk.handle(now, Input::Wake)?;
        }
        self.parts.partners.due(now, &mut self.parts.desk)?;
        self.packets(Moment { now, wall }, events)?;
        // What becomes ready after this turn's wait is said by the next one.
        if events.iter().any(|event| event.data() == PARTNERS) {
            self.parts.partners.ready(now, &mut self.parts.desk)?;
        }
        if self.stamp_at <= now {
            self.stamp_at = now.plus(STAMP_EVERY);
            self.parts.desk.note_clock(self.parts.clock.stamp(reading));
        }
        self.parts.desk.seal()?;
        self.answer_commands();
        self.parts.partners.carry(now, &mut self.parts.desk);
        self.look_at_end(now);
        self.parts.desk.snapshot_step()
    }

    /// The end comes when each partner was told as far as it can be: after a signal, or by command of an operator.
    fn look_at_end(&mut self, now: Time) {
        let Owner { parts, .. } = self;
        if parts.desk.engine.config().relationships().is_empty() {
            self.is_ending |= self.end_by.is_some();
            return;
        }
        let stopped = parts.desk.engine.partners_have_stopped();
        if stopped && self.end_by.is_none() {
            self.end_by = Some(now.plus(FAREWELL));
        }
        let told = stopped && parts.desk.is_at_rest() && parts.partners.are_at_rest();
        self.is_ending |= told || self.end_by.is_some_and(|by| by <= now);
        if self.end_by.is_some() {
            parts.desk.want_batch();
        }
    }

    /// Waits for something to happen, or to be due. Where nothing more may be decided, packets stay where they are.
    fn wait(&mut self, waits: bool, events: &mut [EpollEvent]) -> Result<usize, ServeError> {
        // What was read already waits for nothing.
        let waits_for_nothing = !waits && self.parts.reader.waiting() > 0;
        if !waits && !waits_for_nothing {
            self.rest();
        }
        let millis = if waits_for_nothing { 0 } else { self.until_due(waits) };
        let timeout = EpollTimeout::try_from(millis).unwrap_or(EpollTimeout::NONE);
        let epoll = if waits { &self.control } else { &self.all };
        let mut ready = match epoll.wait(events, timeout) {
            Ok(ready) => ready,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(ServeError::system("epoll", error)),
        };
        if !waits && events[..ready].iter().any(|event| event.data() == CONTROL) {
            // The inner one says which; there are three of them.
            let room = events.len() - ready;
            let more = self.control.wait(&mut events[ready..], EpollTimeout::ZERO).unwrap_or(0);
            ready += more.min(room);
        }
        Ok(ready)
    }

    /// Where much comes in, the sockets are left alone for a moment.
    fn rest(&self) {
        if self.pace.may_rest()
            && let Ok(now) = crate::clocks::wall()
            && let Some(rest) = self.pace.rest(now)
        {
            std::thread::sleep(rest);
        }
    }

    fn until_due(&self, waits: bool) -> u64 {
        let Ok(now) = crate::clocks::since_boot().map(|since_boot| self.parts.clock.at(since_boot)) else {
            return 0;
        };
        let engine = self.parts.desk.engine.next_deadline();
        let due = [engine, self.look_at, self.parts.partners.next_deadline(), Some(self.stamp_at)];
        // Where nothing may be decided, nothing is due but the end.
        let due = due.into_iter().filter(|_| !waits).chain([self.end_by]).flatten().min();
        due.map_or(LONGEST_WAIT, |due| due.since(now).as_millis().min(LONGEST_WAIT))
    }

    fn engine_time(&mut self, reading: &Reading) -> Time {
        let (now, change) = self.parts.clock.read(reading);
        match change {
            Change::None => {}
            Change::WallStepped { by } => {
                warn!("the wall clock was stepped by {by} ms; leases do not follow it");
                self.stamp_at = now;
            }
            Change::TimeLost { by } => {
                warn!("this machine stood still for {by}: engine time jumps forward");
                // Before anything is decided by the new time: here the engine sees that time was lost.
                self.parts.desk.note_clock(self.parts.clock.stamp(reading));
            }
        }
        self.parts.shared.set_time(now, reading.since_boot);
        now
    }

    fn packets(&mut self, at: Moment, events: &[EpollEvent]) -> Result<(), JournalGone> {
        let Parts { reader, listeners, desk, .. } = &mut self.parts;
        let sockets = listeners.sockets().count();
        let numbers = events.iter().filter_map(|event| usize::try_from(event.data()).ok());
        let found = reader.read(numbers.filter(|number| *number < sockets), at, listeners, desk)?;
        self.pace.looked(at.wall, found);
        reader.decide(at.now, desk)
    }

    fn signals(&mut self, now: Time) {
        while let Ok(Some(signal)) = self.parts.signals.read_signal() {
            match i32::try_from(signal.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok()) {
                Some(Signal::SIGHUP) => {
                    warn!("SIGHUP: this version does not reload its configuration yet; restart it");
                }
                // Who asks twice does not want to wait.
                _ if self.end_by.is_some() => self.is_ending = true,
                _ => {
                    self.end_by = Some(now.plus(FAREWELL));
                    for relationship in self.parts.desk.engine.relationships() {
                        // Where it has stopped already there is nothing more to tell.
                        let _ = self.parts.desk.command(now, relationship, Command::Pause);
                    }
                }
            }
        }
    }

    fn woken(&mut self, now: Time) -> Result<(), JournalGone> {
        // Nothing but the number of wakes is in there.
        let _ = self.parts.handle.wake_fd().read();
        while let Ok(question) = self.parts.questions.try_recv() {
            self.answer(now, question);
        }
        self.look_at_storage(now)
    }

    fn look_at_storage(&mut self, now: Time) -> Result<(), JournalGone> {
        let health =
            if self.parts.shared.is_reserve_only() { StorageHealth::ReserveOnly } else { StorageHealth::Ok };
        if health == self.storage {
            return Ok(());
        }
        self.storage = health;
        self.parts.desk.handle(now, Input::Storage(health))
    }

    fn look_at_interfaces(&mut self, now: Time) -> Result<(), JournalGone> {
        let found = match interfaces::read(&self.parts.names) {
            Ok(found) => found,
            Err(error) => {
                warn!("the interfaces cannot be read: {}", error.desc());
                return Ok(());
            }
        };
        if found == self.parts.listeners.interfaces() {
            return Ok(());
        }
        for change in self.parts.listeners.update(found) {
            match change {
                Interfaces::Heard(name) => info!("interface {name} is there again: its clients are heard"),
                Interfaces::Gone(name) => {
                    warn!(
                        "interface {name} is gone: nobody is heard there until it is back; the others go on"
                    );
                }
                Interfaces::Failed(name, error) => {
                    warn!("interface {name} cannot be heard: {}", error.desc());
                }
            }
        }
        match sockets(&self.control, self.parts.partners.epoll(), &self.parts.listeners) {
            Ok(all) => self.all = all,
            Err(error) => warn!("epoll: {}", error.desc()),
        }
        let interfaces = self.parts.listeners.for_engine();
        self.parts.desk.handle(now, Input::Interfaces(&interfaces))
    }

    /// Who asked may be gone by now.
    fn answer(&mut self, now: Time, question: Question) {
        match question {
            Question::Command { relationship, command, answer } => {
                let (done, position) = self.command(now, relationship.as_deref(), command);
                self.carried(position, Carried::Partner(answer, done));
            }
            Question::Reset { address, leased, answer } => {
                let (done, position) = self.parts.desk.reset(now, address, leased);
                match &done {
                    Ok(reset) => info!("commanded to reset {address}: {} -> {}", reset.before, reset.status),
                    Err(why) => info!("commanded to reset an address: refused, {why}"),
                }
                let position = if done.is_ok() { position } else { engine::Position::START };
                self.carried(position, Carried::Reset(answer, done));
            }
            Question::Status { answer } => drop(answer.try_send(self.status(now))),
            Question::Leases { filter, limit, answer } => {
                drop(answer.try_send(self.parts.desk.engine.leases(&filter, limit)));
            }
        }
    }

    /// Carries out a command; and what must be stable before the answer is given.
    fn command(
        &mut self,
        now: Time,
        relationship: Option<&str>,
        command: Command,
    ) -> (CommandAnswer, engine::Position) {
        let desk = &mut self.parts.desk;
        let relationships = desk.engine.config().relationships();
        let names = || relationships.iter().map(|parts| parts.name.clone()).collect();
        let number = match (relationship, relationships) {
            (None, [_]) => Some(0),
            (None, _) => None,
            (Some(name), all) => all.iter().position(|parts| parts.name == name),
        };
        let Some(number) = number else { return (CommandAnswer::Which(names()), engine::Position::START) };
        let relationship = relationships[number].name.clone();
        let id = RelationshipId(u32::try_from(number).unwrap_or(u32::MAX));
        let before = desk.engine.endpoints(now)[number].state;
        match desk.command(now, id, command) {
            (Commanded::Done(state), position) => {
                info!("{relationship}: commanded {command:?} in {before}: done, the state is {state}");
                (CommandAnswer::Done { relationship, before, state }, position)
            }
            (Commanded::Refused(why), _) => {
                info!("{relationship}: commanded {command:?} in {before}: refused, {why}");
                (CommandAnswer::Refused { relationship, why }, engine::Position::START)
            }
            (Commanded::Unknown, _) => (CommandAnswer::Which(Vec::new()), engine::Position::START),
        }
    }

    fn carried(&mut self, position: engine::Position, carried: Carried) {
        if self.commanded.len() < COMMANDS {
            self.commanded.push((position, carried));
        }
    }

    /// Answers commands whose changes are stable.
    fn answer_commands(&mut self) {
        if self.commanded.is_empty() {
            return;
        }
        // Asked for first, looked at then: a batch that came back in between is not missed.
        self.parts.desk.want_batch();
        let stable = self.parts.shared.stable();
        for (_, carried) in self.commanded.extract_if(.., |(position, _)| *position <= stable) {
            carried.answer();
        }
    }

    fn status(&self, now: Time) -> ServerStatus {
        let parts = &self.parts;
        let since_boot = crate::clocks::since_boot().unwrap_or(self.started);
        ServerStatus {
            version: env!("CARGO_PKG_VERSION"),
            uptime: Interval::from_millis(since_boot.as_millis().saturating_sub(self.started.as_millis())),
            engine: parts.desk.engine.status(now),
            shell: parts
                .shared
                .counters
                .to_vec()
                .into_iter()
                .chain([("packets-waiting", parts.reader.waiting() as u64)])
                .collect(),
            store: StoreStatus {
                identity: parts.store.identity,
                generation: parts.store.generation,
                health: if parts.shared.is_reserve_only() { Health::ReserveOnly } else { Health::Ok },
                stable: Position(parts.shared.stable().0),
                next: Position(parts.desk.next_position().0),
                opened: parts.store.opened,
            },
            interfaces: parts.listeners.interfaces().to_vec(),
            partners: parts.partners.addresses().collect(),
        }
    }
}

/// An epoll over all sockets for clients, with the other two inside.
fn sockets(control: &Epoll, partners: &Epoll, listeners: &Listeners) -> nix::Result<Epoll> {
    let all = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    all.add(&partners.0, EpollEvent::new(EpollFlags::EPOLLIN, PARTNERS))?;
    all.add(&control.0, EpollEvent::new(EpollFlags::EPOLLIN, CONTROL))?;
    for (number, socket) in listeners.sockets() {
        all.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
    }
    Ok(all)
}
