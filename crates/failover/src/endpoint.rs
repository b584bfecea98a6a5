//! The states of an endpoint and how it passes from one to the next (F07 9, figure 9.2-1; table 1.10 of the catalogue).
//!
//! *Lives here:* [`Endpoint`]: events in, actions out; in the folder the table of transitions, to be read beside the
//! figure, and what an operator may command.
//! *May know:* states, times, what the partner said of itself.
//! *Must not know:* connections, bindings: it is told whether all that must be agreed is agreed (trap T17).
//!
//! A state is recorded before it is told or acted upon: whoever calls stores [`Endpoint::durable`] when an action says so,
//! and lets nothing leave before that is stable (F07-9.2-01).

mod command;
mod table;

pub use command::{Command, CommandRefused};

use crate::lease::recover_wait_ends;
use crate::state::{FailoverState, Role};
use crate::time::{Interval, Time};
use table::{Step, on_contact_lost, on_partner};

#[cfg(test)]
mod tests;

/// How far the last recorded time of operation may lag behind: who calls [`Endpoint::operates`] stores it more often.
pub const STAMP_INTERVAL: Interval = Interval::from_seconds(10);

/// What survives a restart (F07-9.2-07; table 1.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durable {
    /// The state; the one to go on with where this is PAUSED or SHUTDOWN is in `resumes`.
    pub state: FailoverState,
    /// When it was entered.
    pub since: Time,
    /// The state to go on with after PAUSED or SHUTDOWN (F07-9.11.1-01, F07-9.12.1-01).
    pub resumes: FailoverState,
    /// The partner's state as last told (F07-9.2-04); `None` before the first contact.
    pub partner: Option<FailoverState>,
    /// Bindings were lost and are not back yet (trap T16).
    pub storage_lost: bool,
    /// The recover wait counts from here: no later stop of this server is possible (F07-9.5.2-05).
    pub recover_from: Time,
    /// The last recorded time of operation (trap T15); [`Time::ZERO`] for never.
    pub last_operation: Time,
}

impl Durable {
    /// An endpoint that never ran: RECOVER on both servers (F07-9.3.2-03 as draft-12 has it, Q26).
    pub const fn new() -> Durable {
        Durable {
            state: FailoverState::Recover,
            since: Time::ZERO,
            resumes: FailoverState::Recover,
            partner: None,
            storage_lost: false,
            recover_from: Time::ZERO,
            last_operation: Time::ZERO,
        }
    }
}

impl Default for Durable {
    fn default() -> Durable {
        Durable::new()
    }
}

/// What the operator decided once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Which of the two this server is.
    pub role: Role,
    /// How long STARTUP looks for the partner (F07-9.3.2-05).
    pub startup: Interval,
    /// How long until a partner that is not heard counts as down (F07 10); `None`, never (trap T11).
    pub safe_period: Option<Interval>,
    /// A server that never ran serves without having met its partner (D12-9.3.2-01).
    pub start_alone: bool,
    /// The stored state is trusted after a restart: the risk of the drafts (trap T15).
    pub trusts_restart: bool,
    /// A planted bug, for the self-test of the simulator: RECOVER-WAIT ends at once (S12).
    pub skips_recover_wait: bool,
}

/// What the partner says of itself in STATE, in our clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartnerState {
    /// Its state; with `startup` the one before its stop.
    pub state: FailoverState,
    /// The STARTUP flag.
    pub startup: bool,
    /// When it entered the state.
    pub since: Time,
    /// It lost its bindings (Q45); never known of another make.
    pub storage_lost: bool,
    /// By its own word it was never in contact in this relationship (D12-9.6.2-02).
    pub never_ran: bool,
}

/// What happens to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The partner said its state, for the first time on this connection (communications are OK now, F07-8.3-01) or again.
    Partner(PartnerState),
    /// Communications failed (F07-8.3-02).
    ContactLost,
    /// What was asked for is there (F07-7.5.2-01).
    UpdateDone,
    /// Time has passed, or what had to be agreed with the partner is agreed.
    Look,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Store [`Endpoint::durable`].
    Store,
    /// The state is another one now; for people, and for what depends on it.
    Entered {
        /// From.
        from: FailoverState,
        /// To.
        to: FailoverState,
    },
    /// Send UPDREQALL (`everything`) or UPDREQ.
    Ask {
        /// All bindings, not only what was not acknowledged.
        everything: bool,
    },
    /// The partner lost its bindings: raise ends before anything else is told it (trap T16).
    PartnerLostStorage,
    /// NORMAL was entered: see to the balance of pools (F07-7.6-02).
    BalancePools,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    settings: Settings,
    durable: Durable,
    /// In STARTUP until then at the latest; `durable.state` is the previous state.
    startup: Option<Time>,
    /// The partner as it last spoke on the connection that stands.
    contact: Option<PartnerState>,
    /// UPDREQ or UPDREQALL was sent on this connection and is not answered.
    asked: bool,
    /// An operator vouched for this process, or it was in NORMAL or CONFLICT-DONE (trap T15).
    is_alive: bool,
    /// Both servers run for the first time: there is nothing to wait for (D12-9.6.2-02).
    first_run: bool,
    mclt: Interval,
}

impl Endpoint {
    /// A process has started with what is stored; `found` is `None` when nothing is (F07-9.3.2-03).
    pub fn start(settings: Settings, found: Option<Durable>, mclt: Interval, now: Time) -> Endpoint {
        let mut durable = found.unwrap_or_default();
        if matches!(durable.state, FailoverState::Paused | FailoverState::Shutdown) {
            durable.state = durable.resumes;
        }
        if durable.storage_lost && durable.state != FailoverState::RecoverWait {
            durable.state = FailoverState::Recover;
            durable.since = now;
        }
        // F07-9.3.2-04: what the loss of the partner makes of the state before the stop.
        let previous = on_contact_lost(durable.state);
        if previous != durable.state {
            durable.state = previous;
            durable.since = now;
        }
        if durable.state == FailoverState::Recover && found.is_none() {
            // It cannot have stopped later than it starts (Q31).
            durable.recover_from = now;
            durable.since = now;
        }
        Endpoint {
            settings,
            durable,
            startup: Some(now.plus(settings.startup)),
            contact: None,
            asked: false,
            is_alive: settings.trusts_restart && found.is_some(),
            first_run: false,
            mclt,
        }
    }

    /// The state in which it is.
    pub fn state(&self) -> FailoverState {
        if self.startup.is_some() { FailoverState::Startup } else { self.durable.state }
    }

    /// What STATE says: the state, or in STARTUP the previous one, with the STARTUP flag (F07-9.3.1-02); and since when.
    pub fn announced(&self) -> (FailoverState, bool, Time) {
        (self.durable.state, self.startup.is_some(), self.durable.since)
    }

    /// What must survive.
    pub fn durable(&self) -> &Durable {
        &self.durable
    }

    /// Which of the two servers this is.
    pub fn role(&self) -> Role {
        self.settings.role
    }

    /// Communications are OK (F07-8.3-01).
    pub fn is_in_contact(&self) -> bool {
        self.contact.is_some()
    }

    /// What the partner last said on the connection that stands.
    pub fn contact(&self) -> Option<&PartnerState> {
        self.contact.as_ref()
    }

    /// Whether `alive` is now (trap T15); else it is the last recorded time of operation.
    pub fn is_alive(&self) -> bool {
        self.is_alive
    }

    /// The MCLT in force became known, or another one.
    pub fn set_mclt(&mut self, mclt: Interval) {
        self.mclt = mclt;
    }

    /// This server worked with its partner's knowledge, or by an operator's word, until now (trap T15). Says whether that
    /// is to be stored: a run without contact does not renew the stamp.
    pub fn operates(&mut self, now: Time) -> bool {
        if self.is_alive && now > self.durable.last_operation {
            self.durable.last_operation = now;
            return true;
        }
        false
    }

    /// It was found that bindings are missing (D12-5.16-02, trap T16): everything is fetched, whatever the state, and no
    /// client is answered before the wait is over.
    pub fn storage_is_lost(&mut self, now: Time) -> Vec<Action> {
        let mut actions = vec![Action::Store];
        self.durable.storage_lost = true;
        self.durable.recover_from = now;
        self.is_alive = false;
        self.asked = false;
        self.enter(now, FailoverState::Recover, &mut actions);
        actions
    }

    /// When [`Event::Look`] is due.
    pub fn deadline(&self) -> Option<Time> {
        if let Some(startup) = self.startup {
            return Some(startup);
        }
        match self.durable.state {
            FailoverState::RecoverWait => Some(self.recover_wait_over()),
            FailoverState::CommunicationsInterrupted if !self.is_in_contact() => {
                self.settings.safe_period.map(|period| self.durable.since.plus(period))
            }
            _ => None,
        }
    }

    /// Something happened. `agreed`: nothing is left that the partner must have agreed to before NORMAL (trap T17).
    pub fn handle(&mut self, now: Time, event: Event, agreed: bool) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Partner(partner) => self.partner(now, partner, agreed, &mut actions),
            Event::ContactLost => self.contact_lost(now, &mut actions),
            Event::UpdateDone => self.update_done(now, agreed, &mut actions),
            Event::Look => self.look(now, agreed, &mut actions),
        }
        actions
    }

    fn partner(&mut self, now: Time, partner: PartnerState, agreed: bool, actions: &mut Vec<Action>) {
        self.contact = Some(partner);
        if self.durable.partner != Some(partner.state) {
            self.durable.partner = Some(partner.state);
            actions.push(Action::Store);
        }
        if partner.storage_lost {
            actions.push(Action::PartnerLostStorage);
        }
        if self.startup.is_some() {
            self.leave_startup(now, &partner, actions);
        }
        self.follow(now, agreed, actions);
    }

    /// F07-9.3.2-06, -07: contact ends STARTUP.
    fn leave_startup(&mut self, now: Time, partner: &PartnerState, actions: &mut Vec<Action>) {
        self.startup = None;
        let previous = self.durable.state;
        let partner_is_alone = partner.state == FailoverState::PartnerDown;
        let next = match previous {
            FailoverState::CommunicationsInterrupted if partner_is_alone => {
                // Q44: in doubt POTENTIAL-CONFLICT, which loses no binding.
                if partner.since > self.durable.last_operation.plus(STAMP_INTERVAL) {
                    FailoverState::Recover
                } else {
                    FailoverState::PotentialConflict
                }
            }
            other => other,
        };
        actions.push(Action::Entered { from: FailoverState::Startup, to: previous });
        if next == FailoverState::Recover && previous != FailoverState::Recover {
            self.durable.recover_from = self.durable.last_operation.plus(STAMP_INTERVAL);
        }
        self.enter(now, next, actions);
    }

    /// Takes the transitions that fit what the partner is in now, until none is left (F07-9.2-05).
    fn follow(&mut self, now: Time, agreed: bool, actions: &mut Vec<Action>) {
        // Each state is left at most once on the way; a longer way would be a circle.
        for _ in 0..FailoverState::ALL.len() {
            let Some(partner) = self.contact else { return };
            match on_partner(self.settings.role, &self.durable, &partner) {
                Step::Stay => return,
                Step::Go(next) => self.enter(now, next, actions),
                Step::GoWhenAgreed(next) if agreed => self.enter(now, next, actions),
                Step::GoWhenAgreed(_) => return,
                Step::Ask => {
                    if !self.asked {
                        self.asked = true;
                        self.first_run = partner.never_ran && self.durable.last_operation == Time::ZERO;
                        actions.push(Action::Ask { everything: self.wants_everything() });
                    }
                    return;
                }
            }
        }
    }

    /// F07-9.5.2-03: everything when the bindings were lost, or when there is no memory of ever having run.
    fn wants_everything(&self) -> bool {
        self.durable.storage_lost || self.durable.last_operation == Time::ZERO
    }

    fn contact_lost(&mut self, now: Time, actions: &mut Vec<Action>) {
        self.contact = None;
        self.asked = false;
        if self.startup.is_none() {
            let next = on_contact_lost(self.durable.state);
            self.enter(now, next, actions);
        }
    }

    fn update_done(&mut self, now: Time, agreed: bool, actions: &mut Vec<Action>) {
        if !std::mem::take(&mut self.asked) || self.startup.is_some() {
            return;
        }
        match (self.durable.state, self.settings.role) {
            (FailoverState::Recover, _) => {
                self.enter(now, FailoverState::RecoverWait, actions);
                self.look(now, agreed, actions);
            }
            (FailoverState::PotentialConflict, Role::Primary) => {
                self.enter(now, FailoverState::ConflictDone, actions);
                self.follow(now, agreed, actions);
            }
            (FailoverState::PotentialConflict, Role::Secondary) => {
                self.enter(now, FailoverState::Normal, actions);
                self.follow(now, agreed, actions);
            }
            _ => {}
        }
    }

    fn look(&mut self, now: Time, agreed: bool, actions: &mut Vec<Action>) {
        if self.startup.is_some_and(|until| until <= now) {
            self.startup = None;
            let previous = self.durable.state;
            actions.push(Action::Entered { from: FailoverState::Startup, to: previous });
            let never_ran = self.durable.last_operation == Time::ZERO && !self.durable.storage_lost;
            if self.settings.start_alone && never_ran && previous == FailoverState::Recover {
                self.is_alive = true;
                self.enter(now, FailoverState::PartnerDown, actions);
            }
        }
        if self.startup.is_some() {
            return;
        }
        match self.durable.state {
            FailoverState::RecoverWait if self.first_run || self.recover_wait_over() <= now => {
                self.durable.storage_lost = false;
                self.enter(now, FailoverState::RecoverDone, actions);
            }
            FailoverState::CommunicationsInterrupted => {
                let over = self.settings.safe_period.is_some_and(|period| {
                    self.durable.since.plus(period) <= now && !self.is_in_contact()
                });
                if over {
                    self.enter(now, FailoverState::PartnerDown, actions);
                }
            }
            _ => {}
        }
        self.follow(now, agreed, actions);
    }

    /// When no lease that this server can have promised before it stopped is left (F07-9.5.2-04, Q31, S12), slack included.
    fn recover_wait_over(&self) -> Time {
        let wait = if self.settings.skips_recover_wait { Interval::ZERO } else { self.mclt };
        recover_wait_ends(self.durable.recover_from, wait)
    }

    fn enter(&mut self, now: Time, next: FailoverState, actions: &mut Vec<Action>) {
        let from = self.durable.state;
        if from == next {
            return;
        }
        self.durable.state = next;
        self.durable.since = now;
        if matches!(next, FailoverState::Normal | FailoverState::ConflictDone) {
            self.is_alive = true;
            self.durable.last_operation = self.durable.last_operation.max(now);
        }
        if matches!(next, FailoverState::Recover | FailoverState::PotentialConflict) {
            // What was asked for in another state does not answer what is asked for in this one.
            self.asked = false;
        }
        actions.push(Action::Store);
        actions.push(Action::Entered { from, to: next });
        if next == FailoverState::Normal {
            actions.push(Action::BalancePools);
        }
    }
}
