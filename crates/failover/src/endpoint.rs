//! The failover endpoint: one state machine for each partner and role (F07 5.1.1, 9).
//!
//! *Lives here:* [`Endpoint`]: events in, actions out; its timers, what it stores, what it tells. The figure itself is
//! in `figure`, what is known of one connection in `link`, what the state permits in `service`.
//! *May know:* states, what the partner said, when; traps T12, T15 to T17, T24.
//! *Must not know:* bindings: whether some are unseen is told to it, and those are sent by whoever holds them.

mod figure;
mod link;
mod service;
mod values;

pub use figure::{Next, Partner, Situation, after_startup, communications_failed, on_partner};
pub use service::{NotOurs, RequestKind, Silence};
pub use values::{
    Action, Alarm, Command, Event, Memory, Refusal, RejectionKind, RequestId, Settings, Stored,
};

use crate::balance::Service;
use crate::lease::recover_wait_ends;
use crate::message::{StateMessage, TandemInfo, Xid};
use crate::state::{FailoverState, Role};
use crate::time::{Interval, Time};
use FailoverState as S;
use figure::forgot_the_conflict;
use link::{Link, MAX_OWED};
use std::fmt;

/// How long SHUTDOWN waits for the partner to enter PARTNER-DOWN (F07-9.12.2-03).
const SHUTDOWN_WAIT: Interval = Interval::from_seconds(3);

/// An endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    settings: Settings,
    /// STARTUP, or what is stored.
    state: FailoverState,
    stored: Stored,
    had_record: bool,
    started: Time,
    last_operation: Time,
    alive_stamp: Time,
    /// This process has been in NORMAL or CONFLICT-DONE, or the operator vouches for it (trap T15).
    proven: bool,
    /// This process entered PARTNER-DOWN itself. A stored one vouches for nothing (model M4).
    entered_partner_down: bool,
    last_contact: Time,
    handover_pending: bool,
    link: Option<Link>,
    next_request: u32,
    /// When STARTUP, the safe period, RECOVER-WAIT or SHUTDOWN is over: a state has one of them at most.
    state_ends: Option<Time>,
    dirty: bool,
}

impl Endpoint {
    /// An endpoint of a process that starts at `now`: in STARTUP (F07-9.1-01, F07 9.3.2 steps 1 to 3).
    pub fn start(settings: Settings, memory: Memory, now: Time, out: &mut Vec<Action>) -> Endpoint {
        let down_since = match memory.last_operation {
            Time::ZERO => now,
            time => time.plus(settings.stamp_interval).min(now),
        };
        // Without a record nobody knows what was promised: that is a loss, until the partner says that there
        // was nothing (Q26, Q45).
        // F07-9.3.2-03.
        let nothing = Stored {
            state: S::Recover,
            entered: now,
            previous: S::Recover,
            partner: None,
            last_contact: Time::ZERO,
            storage_lost: true,
            surely_lost: false,
            first_run: false,
            down_since,
            owes_everything: false,
            partner_loss: None,
            partner_forgot: false,
            unproven: false,
        };
        // F07-9.3.2-01.
        let mut stored = memory.stored.unwrap_or(nothing);
        let recorded = stored.state;
        // F07-9.3.2-04.
        let mut previous = communications_failed(stored.previous);
        // F07-9.3.2-02.
        if memory.storage_lost && !stored.storage_lost {
            (stored.storage_lost, stored.surely_lost) = (true, true);
            // The stamps of a store that was lost or restored bound nothing (Q31).
            stored.down_since = now;
            previous = S::Recover;
        }
        if stored.storage_lost && !matches!(previous, S::Recover | S::RecoverWait) {
            previous = S::Recover;
        }
        if stored.storage_lost && memory.stored.is_some() {
            out.push(Action::Alarm(Alarm::StorageLost));
        }
        if previous != recorded {
            stored.entered = now;
        }
        stored.state = previous;
        // F07-9.11.2-01.
        stored.previous = previous;
        let short_stop = now.since(memory.last_operation) < settings.mclt;
        let wait = settings.startup_wait.unwrap_or(Interval::from_seconds(if short_stop { 10 } else { 60 }));
        out.push(Action::Store(stored));
        Endpoint {
            state: S::Startup,
            had_record: memory.stored.is_some(),
            started: now,
            last_operation: memory.last_operation,
            alive_stamp: memory.alive,
            proven: settings.trusts_restart,
            entered_partner_down: false,
            last_contact: stored.last_contact,
            handover_pending: false,
            link: None,
            next_request: 1,
            state_ends: (!settings.waits_for_partner).then(|| now.plus(wait)),
            dirty: false,
            settings,
            stored,
        }
    }

    /// The state that clients and operators see.
    pub fn state(&self) -> FailoverState {
        self.state
    }

    /// When that state was entered; for STARTUP the start of the process.
    pub fn entered(&self) -> Time {
        if self.state == S::Startup { self.started } else { self.stored.entered }
    }

    /// What is, or will be when the actions are done, on stable storage.
    pub fn stored(&self) -> &Stored {
        &self.stored
    }

    /// What decides about the future, but for the settings, the start of the process and numbers that only name: for who
    /// compares endpoints.
    pub fn essence(&self) -> impl fmt::Debug {
        let Endpoint { state, stored, had_record, last_operation, alive_stamp, proven, .. } = self;
        let Endpoint { entered_partner_down, last_contact, handover_pending, link, state_ends, .. } = self;
        let link = link.as_ref().map(|link| {
            let Link { partner, partner_tandem, last_told, requested, progress_by, owed, .. } = link;
            let forgot = partner_tandem.map(|tandem| tandem.storage_lost.is_some());
            let flags = [link.partner_requested, link.told_of_loss, link.closing, link.caught_up];
            (partner, forgot, last_told, requested, progress_by, owed, flags)
        });
        let flags = [had_record, proven, entered_partner_down, handover_pending, &self.dirty];
        (state, stored, last_operation, alive_stamp, last_contact, link, state_ends, flags)
    }

    /// The settings, with the terms of the primary.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes the terms of a primary, or of a new configuration.
    pub fn set_terms(&mut self, mclt: Interval, longest_mclt: Interval, service: Service) {
        self.settings.mclt = mclt;
        self.settings.longest_mclt = longest_mclt;
        self.settings.service = service;
    }

    /// What was heard of the partner on the present connection.
    pub fn partner(&self) -> Option<&Partner> {
        self.link.as_ref()?.partner.as_ref()
    }

    /// Whether communications are OK: a connection is established, and STATE was heard on it (F07-8.3-01).
    pub fn communications_ok(&self) -> bool {
        self.partner().is_some()
    }

    /// Whether the partner has lost what it agreed to (trap T16): its BNDACKs then free and raise nothing.
    pub fn partner_lost_storage(&self) -> bool {
        self.partner().is_some_and(|partner| partner.storage_lost)
    }

    /// When this server was last known to be alive, as seen at `now` (trap T15). To be recorded with each stamp.
    ///
    /// Now, once this process has come to NORMAL, or resolved a conflict to CONFLICT-DONE, or the operator said `serve-alone`. A process that was not
    /// in either, and was told that its partner is down, may have been replaced by that partner before: it counts as alive
    /// MCLT after it was told, when all that the partner can have promised alone is over.
    pub fn alive(&self, now: Time) -> Time {
        if self.proven { now } else { self.alive_stamp }
    }

    /// Time is less by so much than if it had gone on: whoever knew us to be alive did so that much earlier.
    pub fn time_went_back(&mut self, by: Interval) {
        self.alive_stamp = self.alive_stamp.minus(by);
    }

    /// What we tell another Tandem.
    pub fn tandem(&self) -> TandemInfo {
        let is_lost = self.stored.storage_lost && !self.stored.first_run;
        TandemInfo {
            storage_lost: is_lost.then(|| self.stored.down_since.to_wire()),
            last_communicated: self.last_contact.to_wire(),
            ..self.settings.tandem
        }
    }

    /// The earliest time at which [`Event::Wake`] has something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        let progress = self.link.as_ref().and_then(|link| link.progress_by);
        [self.state_ends, progress, self.proof_by()].into_iter().flatten().min()
    }

    /// Something happened at `now`.
    pub fn handle(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        if self.communications_ok() {
            // Else the connection would have ended within the receive timer.
            self.last_contact = now;
        }
        match event {
            Event::Connected { tandem } => self.connected(now, tandem, out),
            Event::State { state, since } => self.partner_told(now, &state, since, out),
            Event::Lost => self.lost(now, out),
            Event::UpdDone(request) => self.upd_done(now, request, out),
            Event::UpdReq { xid, all } => self.upd_req(now, xid, all, out),
            Event::UpdatesDelivered => self.updates_delivered(out),
            Event::Progress => self.heard_progress(now),
            Event::HandoverPending(pending) => {
                self.handover_pending = pending;
                // What waits for this is a partner in RECOVER-DONE, or an own one. What a partner said before it was declared
                // down is no news, and must not end PARTNER-DOWN (L7).
                let waits = match self.state {
                    S::PartnerDown | S::CommunicationsInterrupted => {
                        self.partner().is_some_and(|partner| partner.state == S::RecoverDone)
                    }
                    state => state == S::RecoverDone,
                };
                if waits {
                    self.look_at_partner(now, out);
                }
            }
            Event::Command(command) => self.command(now, command, out),
            Event::Wake => self.wake(now, out),
        }
        self.store_if_changed(out);
        // A state that changed before the partner's first STATE of a connection is told as well (trap T24).
        self.tell(out);
    }

    fn situation(&self) -> Situation {
        Situation {
            role: self.settings.role,
            dialect: self.settings.dialect,
            storage_lost: self.stored.storage_lost,
            handover_pending: self.handover_pending,
        }
    }

    /// Records, tells, and begins what belongs to the entry of a state (F07-9.2-01, -02).
    fn enter(&mut self, now: Time, state: FailoverState, out: &mut Vec<Action>) {
        let from = self.state;
        if state != self.stored.state {
            self.stored.entered = now;
        }
        self.state = state;
        self.stored.state = state;
        self.stored.previous = state;
        self.stored.last_contact = self.last_contact;
        self.state_ends = None;
        if let Some(link) = &mut self.link {
            link.requested = None;
            if link.caught_up {
                link.progress_by = None;
            }
        }
        match state {
            S::Normal | S::ConflictDone => {
                // Back in a stored CONFLICT-DONE proves nothing: the partner may have been in PARTNER-DOWN since, and may even have
                // forgotten what it gave then (traps T15, T16).
                self.proven |= self.communications_ok() && (state == S::Normal || from != S::Startup);
                self.stored.first_run = false;
            }
            S::CommunicationsInterrupted => {
                // F07-9.7.1-01.
                self.state_ends = self.settings.safe_period.map(|period| now.plus(period));
            }
            // F07-9.4.2-03.
            S::PartnerDown if from != S::Startup => {
                self.stored.unproven = !self.proven;
                self.entered_partner_down = true;
            }
            S::Recover if from != S::Startup && !self.stored.storage_lost => self.stored.down_since = now,
            S::RecoverWait => {
                // D12-9.6.2-01.
                let ends = recover_wait_ends(self.stored.down_since, self.settings.longest_mclt);
                self.state_ends = Some(if self.stored.first_run { now } else { ends });
            }
            _ => {}
        }
        self.dirty = true;
        self.store_if_changed(out);
        self.tell(out);
        let alarm = match state {
            S::CommunicationsInterrupted if from == S::Normal => Some(Alarm::CommunicationsInterrupted),
            S::PotentialConflict => Some(Alarm::PotentialConflict),
            S::ResolutionInterrupted => Some(Alarm::ResolutionInterrupted),
            S::Recover => Some(Alarm::Recovering),
            _ => None,
        };
        out.extend(alarm.map(Action::Alarm));
        if state == S::Normal {
            out.push(Action::SendUpdates);
            // A dhcpd looks at its pools itself now, and takes a request for a sign that something is wrong.
            if self.settings.role == Role::Secondary && !self.settings.dialect.each_gives_its_surplus() {
                // F07-7.6-02.
                out.push(Action::SendPoolreq);
            }
        }
    }

    fn store_if_changed(&mut self, out: &mut Vec<Action>) {
        if std::mem::take(&mut self.dirty) {
            out.push(Action::Store(self.stored));
        }
    }

    /// Sends STATE when it differs from the one last sent on this connection (F07-7.10-02, trap T24).
    fn tell(&mut self, out: &mut Vec<Action>) {
        let startup = self.state == S::Startup;
        let lost = self.stored.storage_lost.then_some(self.stored.down_since);
        let told = (self.stored.state, startup, self.stored.entered, lost);
        let tandem = self.tandem();
        // F07-7.10.1-02.
        let Some(link) = self.link.as_mut().filter(|link| !link.closing && link.last_told != Some(told))
        else {
            return;
        };
        let dialect = self.settings.dialect;
        if link.partner.is_none() && !dialect.bears_to_hear_first(self.settings.role, self.stored.state) {
            return;
        }
        let bears = |partner| dialect.may_announce(self.stored.state, partner);
        let bearable = link.partner.is_none_or(|partner| bears(partner.state))
            && (!link.partner_may_be_normal || bears(S::Normal));
        if !bearable {
            link.closing = true;
            out.push(Action::Disconnect(RejectionKind::NotForThisPartner));
            return;
        }
        link.last_told = Some(told);
        out.push(Action::SendState(StateMessage {
            state: self.stored.state,
            startup,
            // F07-12.24-01.
            since: self.stored.entered.to_wire(),
            tandem: self.settings.dialect.sends_vendor_options().then_some(tandem),
        }));
    }

    fn connected(&mut self, now: Time, tandem: Option<TandemInfo>, out: &mut Vec<Action>) {
        if self.link.is_some() {
            // A new connection takes the place of one whose end was not noticed.
            self.lost(now, out);
        }
        self.link = Some(Link::new(tandem, self.settings.dialect.judges_updates()));
        // A partner that has never been in contact says that nothing was lost here (D12-9.6.2-02), unless somebody knows better:
        // two that both lost their stores have no record of each other either.
        let may_be_new =
            self.stored.storage_lost && !self.stored.surely_lost && self.last_contact == Time::ZERO;
        if may_be_new && tandem.is_some_and(|tandem| tandem.last_communicated.0 == 0) {
            self.stored.first_run = true;
            self.dirty = true;
        }
    }

    // F07-7.10.2-01.
    fn partner_told(&mut self, now: Time, told: &StateMessage, since: Time, out: &mut Vec<Action>) {
        let Some(link) = &mut self.link else { return };
        let before = link.partner;
        link.partner_tandem = told.tandem.or(link.partner_tandem);
        // Another make says it by UPDREQALL, and is whole again in NORMAL.
        let forgot = self.stored.partner_forgot && told.state != S::Normal;
        // One that asks for everything after it was whole again has lost it again.
        link.told_of_loss &= told.state != S::Normal;
        let storage_lost = told.tandem.map_or(forgot, |tandem| tandem.storage_lost.is_some());
        if self.stored.partner_forgot != forgot {
            self.stored.partner_forgot = forgot;
            self.dirty = true;
        }
        let partner = Partner {
            state: told.state,
            startup: told.startup,
            since,
            storage_lost,
            came_from: before
                .map(|before| before.state)
                .filter(|state| *state != told.state)
                .or(before.and_then(|before| before.came_from)),
        };
        let repeated = before.is_some_and(|before| {
            (before.state, before.startup, before.storage_lost)
                == (partner.state, partner.startup, partner.storage_lost)
        });
        link.partner = Some(partner);
        link.partner_may_be_normal = false;
        link.partner_resolved = self.state == S::PotentialConflict
            && told.state == S::Normal
            && partner.came_from == Some(S::PotentialConflict);
        link.told_of_loss &= matches!(told.state, S::Recover | S::RecoverWait);
        self.last_contact = now;
        if self.stored.partner != Some((told.state, since)) {
            // F07-9.2-04.
            self.stored.partner = Some((told.state, since));
            self.stored.last_contact = now;
            self.dirty = true;
        }
        if let Some(tandem) = told.tandem.filter(|tandem| tandem.storage_lost.is_some()) {
            self.partner_lost(loss_of(&tandem), out);
        }
        match self.state {
            S::Startup => self.leave_startup(now, &partner, out),
            // What was expected is not a change (F07-7.10.2-02).
            S::Normal if repeated => {}
            S::Shutdown if told.state == S::PartnerDown => {
                // F07-9.12.2-02.
                self.stored.previous = S::Recover;
                self.dirty = true;
                self.state_ends = None;
                self.store_if_changed(out);
                out.push(Action::Stop);
            }
            _ => self.look_at_partner(now, out),
        }
        self.catch_up(now, out);
    }

    /// Asks a partner that takes whatever it is told for what it has, before it is told anything; where nothing else asked it. The
    /// answer changes no state.
    fn catch_up(&mut self, now: Time, out: &mut Vec<Action>) {
        let lags = |link: &Link| !link.caught_up && link.catching_up.is_none() && !link.closing;
        if self.state != S::Startup && self.link.as_ref().is_some_and(lags) {
            self.send_request(now, out);
        }
    }

    // F07-9.3.2-08.
    fn leave_startup(&mut self, now: Time, partner: &Partner, out: &mut Vec<Action>) {
        let next = after_startup(self.stored.state, partner, self.last_operation, self.stored.storage_lost);
        if next == S::Recover && !matches!(self.stored.state, S::Recover | S::RecoverWait) {
            self.stored.down_since = match self.last_operation {
                Time::ZERO => self.started,
                time => time.plus(self.settings.stamp_interval).min(self.started),
            };
        }
        // `on_partner` ends it too, but the partner would have been told of it then.
        let is_over = forgot_the_conflict(next, partner, self.settings.dialect);
        let next = if is_over { S::CommunicationsInterrupted } else { next };
        self.enter(now, next, out);
        self.look_at_partner(now, out);
    }

    /// Takes the transitions for the partner's present state (F07-4.1-05).
    fn look_at_partner(&mut self, now: Time, out: &mut Vec<Action>) {
        // After an entry the partner's state is looked at again where that state waits for one that was told before: no
        // other may take a STATE for news that is not (trap T24).
        for _ in 0..4 {
            // One that is not told our state any more leads to none: what is recorded comes in the order in which it was so.
            let stands = self.link.as_ref().is_some_and(|link| !link.closing);
            let Some(partner) = self.partner().copied().filter(|_| stands) else { return };
            match on_partner(self.state, &partner, &self.situation()) {
                Next::Stay => return,
                Next::Request => return self.ask_for_updates(now, out),
                Next::To(state) => {
                    self.enter(now, state, out);
                    if !matches!(state, S::PotentialConflict | S::Recover | S::RecoverDone) {
                        return;
                    }
                }
            }
        }
    }

    // F07-9.2-03.
    fn ask_for_updates(&mut self, now: Time, out: &mut Vec<Action>) {
        if self.link.as_ref().is_some_and(|link| link.requested.is_none() && !link.closing) {
            let request = self.send_request(now, out);
            if let Some(link) = &mut self.link {
                link.requested = Some(request);
            }
        }
    }

    fn send_request(&mut self, now: Time, out: &mut Vec<Action>) -> RequestId {
        let request = RequestId(self.next_request);
        self.next_request = self.next_request.wrapping_add(1);
        if let Some(link) = &mut self.link {
            link.catching_up = Some(request);
            link.progress_by = Some(now.plus(self.settings.update_wait));
        }
        // A lost storage asks for everything, in every state (trap T16).
        // F07-7.4-01, F07-9.5.2-03.
        out.push(if self.stored.storage_lost {
            // F07-4.1-08.
            Action::SendUpdreqall(request)
        } else {
            Action::SendUpdreq(request)
        });
        request
    }

    fn heard_progress(&mut self, now: Time) {
        if let Some(link) = self.link.as_mut().filter(|link| link.progress_by.is_some()) {
            link.progress_by = Some(now.plus(self.settings.update_wait));
        }
    }

    // F07-7.5.2-01.
    fn upd_done(&mut self, now: Time, request: RequestId, out: &mut Vec<Action>) {
        let Some(link) = &mut self.link else { return };
        if link.catching_up == Some(request) {
            link.catching_up = None;
            link.progress_by = None;
            if !std::mem::replace(&mut link.caught_up, true) {
                out.push(Action::SendUpdates);
            }
        }
        if link.requested != Some(request) {
            return;
        }
        link.requested = None;
        link.progress_by = None;
        match (self.state, self.settings.role) {
            (S::Recover, _) => {
                self.enter(now, S::RecoverWait, out);
                self.end_recover_wait(now, out);
            }
            // The primary leaves first (F07-9.8.3-02, draft-12 9.10.3).
            (S::PotentialConflict, Role::Primary) => {
                let comes_second = link.partner_resolved;
                self.enter(now, S::ConflictDone, out);
                // D12-9.12-01: of its NORMAL it tells once.
                if comes_second {
                    self.look_at_partner(now, out);
                }
            }
            (S::PotentialConflict, Role::Secondary) => self.enter(now, S::Normal, out),
            _ => {}
        }
    }

    fn end_recover_wait(&mut self, now: Time, out: &mut Vec<Action>) {
        if self.state == S::RecoverWait && self.state_ends.is_some_and(|ends| now >= ends) {
            // The bindings are back, and nothing that was promised before is left (trap T16).
            (self.stored.storage_lost, self.stored.surely_lost) = (false, false);
            self.enter(now, S::RecoverDone, out);
            self.look_at_partner(now, out);
        }
    }

    fn upd_req(&mut self, now: Time, xid: Xid, all: bool, out: &mut Vec<Action>) {
        let Some(link) = &mut self.link else { return };
        link.partner_requested = true;
        if link.owed.len() < MAX_OWED {
            link.owed.push(xid);
        }
        let tandem = link.partner_tandem;
        if all && tandem.is_none() {
            // Another make has no other way to say that it lost its bindings.
            if let Some(partner) =
                link.partner.as_mut().filter(|partner| matches!(partner.state, S::Recover | S::RecoverWait))
            {
                partner.storage_lost = true;
                self.stored.partner_forgot = true;
                self.dirty = true;
            }
            let loss = match (self.stored.owes_everything, self.stored.partner_loss) {
                // The same loss, asked again after an interruption, or at once: a dhcpd asks twice.
                (owes, Some(loss)) if owes || link.told_of_loss => loss,
                (_, loss) => loss.map_or(1, |loss| loss.wrapping_add(1)),
            };
            link.told_of_loss = true;
            self.partner_lost(loss, out);
        }
        if all && !self.stored.owes_everything {
            self.stored.owes_everything = true;
            self.dirty = true;
        }
        self.store_if_changed(out);
        // Until UPDDONE each request is for everything (D12-7.4.2-01), but only UPDREQALL begins from the start.
        out.push(Action::AnswerUpdreq { all });
        if self.state.is_conflict() && self.partner_lost_storage() {
            self.look_at_partner(now, out);
        }
    }

    fn partner_lost(&mut self, loss: u64, out: &mut Vec<Action>) {
        if self.stored.partner_loss != Some(loss) {
            self.stored.partner_loss = Some(loss);
            self.dirty = true;
            out.push(Action::Alarm(Alarm::PartnerLostStorage));
            out.push(Action::RaiseAfterLoss { loss });
        }
    }

    fn updates_delivered(&mut self, out: &mut Vec<Action>) {
        let Some(link) = self.link.as_mut().filter(|link| !link.owed.is_empty()) else { return };
        let owed = std::mem::take(&mut link.owed);
        // A secondary ends its conflict with that (F07 9.8.3).
        link.partner_may_be_normal |= self.settings.role == Role::Primary
            && link.partner.is_some_and(|partner| partner.state == S::PotentialConflict);
        if std::mem::take(&mut self.stored.owes_everything) {
            out.push(Action::Store(self.stored));
        }
        out.extend(owed.into_iter().map(|to| Action::SendUpddone { to }));
    }

    fn lost(&mut self, now: Time, out: &mut Vec<Action>) {
        if self.link.take().is_none() {
            return;
        }
        self.stored.last_contact = self.last_contact;
        let next = communications_failed(self.state);
        if next != self.state {
            self.enter(now, next, out);
        }
        if self.state == S::Shutdown && self.state_ends.take().is_some() {
            out.push(Action::Stop);
        }
    }

    fn wake(&mut self, now: Time, out: &mut Vec<Action>) {
        if self.proof_by().is_some_and(|by| now >= by) {
            self.proven = true;
        }
        if let Some(link) = self.link.as_mut().filter(|link| link.progress_by.is_some_and(|by| now >= by)) {
            link.progress_by = None;
            link.closing = true;
            out.push(Action::Disconnect(RejectionKind::NoUpdates));
        }
        if self.state_ends.is_none_or(|ends| now < ends) {
            return;
        }
        match self.state {
            S::Startup if !self.had_record && self.settings.start_alone => {
                // A first commissioning, by the operator's word in the configuration.
                self.stored.storage_lost = false;
                self.proven = true;
                self.enter(now, S::PartnerDown, out);
            }
            // To the previous state; what that permits is bounded by `alive` (traps T12, T15).
            S::Startup => self.enter(now, self.stored.state, out),
            S::CommunicationsInterrupted => {
                out.push(Action::Alarm(Alarm::SafePeriodOver));
                self.enter(now, S::PartnerDown, out);
                self.look_at_partner(now, out);
            }
            S::RecoverWait => self.end_recover_wait(now, out),
            S::Shutdown => {
                self.state_ends = None;
                out.push(Action::Disconnect(RejectionKind::ShuttingDown));
                out.push(Action::Stop);
            }
            _ => self.state_ends = None,
        }
    }

    /// When a process that was told `partner-down` without having been in NORMAL counts as alive.
    fn proof_by(&self) -> Option<Time> {
        let told = self.stored.unproven && self.entered_partner_down;
        let waits = self.state == S::PartnerDown && told && !self.proven;
        waits.then(|| recover_wait_ends(self.stored.entered, self.settings.longest_mclt))
    }

    #[allow(clippy::match_same_arms, reason = "a line for each command")]
    fn command(&mut self, now: Time, command: Command, out: &mut Vec<Action>) {
        let lost = self.stored.storage_lost;
        let refused = match (command, self.state) {
            (Command::Pause | Command::Shutdown, S::Paused | S::Shutdown) => {
                Some(Refusal::InState(self.state))
            }
            (Command::PartnerDown | Command::ServeAlone, _) if lost => Some(Refusal::StorageLost),
            (
                Command::PartnerDown,
                S::Normal | S::CommunicationsInterrupted | S::ResolutionInterrupted | S::ConflictDone,
            ) => None,
            (Command::PartnerDown, state) => Some(Refusal::InState(state)),
            (
                Command::StorageLost { .. } | Command::FirstRun | Command::ServeAlone,
                S::Paused | S::Shutdown,
            ) => Some(Refusal::InState(self.state)),
            (Command::FirstRun, S::Startup | S::Recover | S::RecoverWait) => None,
            (Command::FirstRun, state) => Some(Refusal::InState(state)),
            (Command::Resync, _) if !self.communications_ok() => Some(Refusal::NotConnected),
            (Command::Resync, S::Startup | S::Recover | S::PotentialConflict | S::Paused | S::Shutdown) => {
                Some(Refusal::InState(self.state))
            }
            _ => None,
        };
        if let Some(refusal) = refused {
            return out.push(Action::Refuse(refusal));
        }
        match command {
            Command::PartnerDown => self.enter(now, S::PartnerDown, out),
            Command::ServeAlone => self.proven = true,
            Command::StorageLost { down_since } => self.storage_lost(now, down_since, out),
            Command::FirstRun => self.first_run(now, out),
            Command::Resync => {
                let request = RequestId(self.next_request);
                self.next_request = self.next_request.wrapping_add(1);
                out.push(Action::SendUpdreqall(request));
            }
            Command::Pause => self.leave(now, S::Paused, out),
            Command::Shutdown => self.leave(now, S::Shutdown, out),
        }
    }

    fn storage_lost(&mut self, now: Time, down_since: Option<Time>, out: &mut Vec<Action>) {
        (self.stored.storage_lost, self.stored.surely_lost) = (true, true);
        self.stored.first_run = false;
        self.stored.down_since = down_since.unwrap_or(now).min(now);
        out.push(Action::Alarm(Alarm::StorageLost));
        if self.state == S::Startup {
            self.stored.state = S::Recover;
            self.stored.previous = S::Recover;
            self.stored.entered = now;
            self.dirty = true;
        } else {
            self.enter(now, S::Recover, out);
        }
        self.dirty = true;
        self.store_if_changed(out);
        self.look_at_partner(now, out);
    }

    fn first_run(&mut self, now: Time, out: &mut Vec<Action>) {
        self.stored.first_run = true;
        self.dirty = true;
        if self.state == S::RecoverWait {
            self.state_ends = Some(now);
            self.end_recover_wait(now, out);
        }
    }

    /// PAUSED or SHUTDOWN: where a restart goes on is stored first (F07-9.11.1-01, F07-9.12.1-01).
    fn leave(&mut self, now: Time, state: FailoverState, out: &mut Vec<Action>) {
        let previous = self.stored.state;
        self.state = state;
        self.stored.state = state;
        self.stored.entered = now;
        self.stored.previous = previous;
        self.stored.last_contact = self.last_contact;
        self.state_ends = None;
        self.dirty = true;
        self.store_if_changed(out);
        self.tell(out);
        let open = self.link.as_mut().filter(|link| !link.closing);
        match (state, open) {
            (S::Shutdown, Some(_)) => self.state_ends = Some(now.plus(SHUTDOWN_WAIT)),
            (_, Some(link)) => {
                link.closing = true;
                out.push(Action::Disconnect(RejectionKind::Pausing));
                out.push(Action::Stop);
            }
            (_, None) => out.push(Action::Stop),
        }
    }
}

/// Names one loss of a partner's store: a store that is made anew counts its generations anew, and one that an old copy replaces
/// again counts the same ones again.
fn loss_of(tandem: &TandemInfo) -> u64 {
    // FNV-1a.
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let identity = tandem.store_identity.iter().fold(0xcbf2_9ce4_8422_2325, mix);
    let generation = tandem.store_generation.to_be_bytes().iter().fold(identity, mix);
    tandem.storage_lost.unwrap_or_default().0.to_be_bytes().iter().fold(generation, mix)
}
