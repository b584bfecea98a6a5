//! The states of a dhcpd: figure 9.2-1, and where it departs.
//!
//! *Lives here:* what it becomes by what it hears, by time and by its operator.
//! *Must not know:* messages.

use super::{Act, Dhcpd, Habit, Seconds};
use failover::dialect::Dialect;
use failover::endpoint::{Command, Next, Partner, Situation, communications_failed, on_partner};
use failover::message::{Message, Xid};
use failover::state::{FailoverState as S, Role};
use failover::time::Time;

impl Dhcpd {
    pub(super) fn enter(&mut self, state: S) {
        let (now, was) = (self.now, self.state());
        let Some(process) = &mut self.process else { return };
        process.state = state;
        if was == state {
            return;
        }
        if matches!(state, S::Shutdown | S::Paused) && !matches!(self.declared.state, S::Shutdown | S::Paused)
        {
            self.declared.previous = self.declared.state;
        }
        if self.declared.state != state {
            (self.declared.state, self.declared.since) = (state, now);
        }
        process.balance_at = (state == S::Normal).then_some(now);
        if let Some(link) = &mut process.link {
            link.asked = None;
        }
        self.acts.push(Act::Entered(state));
        self.say_state();
    }

    /// Its partner says in which state it is.
    pub(super) fn hears_state(&mut self, state: S, startup: bool) {
        let Some(link) = self.link_mut() else { return };
        let is_first = link.partner.is_none();
        link.partner = Some((state, startup));
        self.declared.partner = state;
        if is_first {
            for lease in self.leases.values_mut() {
                use failover::binding::BindingStatus as B;
                lease.untold |= matches!(lease.status, B::Expired | B::Released | B::Reset);
            }
        }
        if self.state() == S::Startup {
            self.end_startup(Some(state));
        }
        self.meets(state, startup);
        if let Some(process) = &mut self.process {
            process.has_met |= matches!(process.state, S::Normal | S::ConflictDone);
        }
    }

    fn meets(&mut self, state: S, startup: bool) {
        let own = self.state();
        if let Some(why) = self.what_stops_it(own, state) {
            self.acts.push(Act::Wronged(why));
            return self.enter(S::Shutdown);
        }
        if self.has(Habit::DeclaresDown) {
            match (own, state) {
                (S::Normal | S::CommunicationsInterrupted, S::Recover) | (S::Normal, S::Shutdown) => {
                    return self.enter(S::PartnerDown);
                }
                (S::CommunicationsInterrupted, S::RecoverWait) => return self.enter(S::Normal),
                (S::Recover, S::Normal) => return self.enter(S::PotentialConflict),
                _ => {}
            }
        }
        let partner = Partner { state, startup, since: Time::ZERO, storage_lost: false, came_from: None };
        let situation = Situation {
            role: self.role,
            // It believes whoever recovers as a Tandem believes a Tandem.
            dialect: Dialect::Draft12,
            storage_lost: false,
            handover_pending: self.owes_what_it_took(),
        };
        match on_partner(own, &partner, &situation) {
            Next::Stay => {}
            Next::To(next) => {
                self.enter(next);
                // What follows from the same word.
                if next == S::PotentialConflict {
                    self.meets(state, startup);
                }
            }
            Next::Request => self.asks(),
        }
    }

    /// With the habit it goes on at once.
    fn owes_what_it_took(&self) -> bool {
        !self.has(Habit::WaitsLess) && self.leases.values().any(|lease| lease.untold)
    }

    fn what_stops_it(&self, own: S, partner: S) -> Option<String> {
        let stops = match own {
            S::Normal => partner.is_conflict(),
            S::PotentialConflict => partner == S::Normal && self.role == Role::Secondary,
            S::ConflictDone => {
                !matches!(partner, S::Normal | S::Shutdown | S::PotentialConflict | S::ResolutionInterrupted)
            }
            _ => false,
        };
        let stops = stops && self.has(Habit::Panics);
        stops.then(|| format!("in {own} it was told {partner}, and that stops it"))
    }

    /// It asks for what it does not know, once in its state on a connection.
    fn asks(&mut self) {
        let all = self.state() == S::Recover;
        let Some(link) = self.link_mut().filter(|link| link.asked.is_none()) else { return };
        let xid = link.next_xid();
        let id = link.id;
        link.asked = Some(xid);
        let message = if all { Message::UpdReqAll } else { Message::UpdReq };
        let time = self.wire(self.now);
        self.push(id, failover::message::Envelope { time, xid, message });
    }

    /// All that it asked for has come.
    pub(super) fn takes_done(&mut self, xid: Xid) {
        if self.link().is_none_or(|link| link.asked != Some(xid)) {
            return;
        }
        match self.state() {
            S::Recover if matches!(self.declared.partner, S::Recover | S::RecoverDone) => {
                self.enter(S::RecoverDone);
            }
            S::Recover => {
                let from = if self.has(Habit::RecoversAtOnce) { self.declared.since } else { self.now };
                self.enter(S::RecoverWait);
                let until = from + self.mclt;
                if let Some(process) = &mut self.process {
                    process.recovered_at = Some(until);
                }
            }
            S::PotentialConflict if self.role == Role::Primary => self.enter(S::ConflictDone),
            S::PotentialConflict => return self.enter(S::Normal),
            _ => return,
        }
        if matches!(self.state(), S::RecoverDone) {
            self.look_again();
        }
    }

    /// What the partner said last may mean something else now.
    fn look_again(&mut self) {
        if let Some((state, startup)) = self.link().and_then(|link| link.partner) {
            self.meets(state, startup);
        }
    }

    pub(super) fn communications_failed(&mut self) {
        match self.state() {
            S::Startup => {}
            state => self.enter(communications_failed(state)),
        }
    }

    fn end_startup(&mut self, partner: Option<S>) {
        let declared = self.declared.state;
        let next = match partner {
            Some(S::PartnerDown) => match declared {
                S::Normal | S::Recover => S::Recover,
                S::RecoverWait | S::RecoverDone => declared,
                _ => S::PotentialConflict,
            },
            Some(_) => declared,
            None => communications_failed(declared),
        };
        self.enter(next);
        if next == declared {
            // Nothing new is declared, and it is told that the start is over.
            self.say_state();
        }
    }

    /// What time does.
    pub(super) fn keep_state(&mut self) {
        let now = self.now;
        let Some(process) = &mut self.process else { return };
        let in_contact = process.link.as_ref().is_some_and(|link| link.partner.is_some());
        if in_contact && matches!(process.state, S::Normal | S::ConflictDone | S::CommunicationsInterrupted) {
            self.declared.met = now;
        }
        if process.state == S::Startup && process.startup_until <= now {
            return self.end_startup(None);
        }
        let waits = matches!(process.state, S::PartnerDown | S::CommunicationsInterrupted | S::RecoverDone);
        let partner = process.link.as_ref().and_then(|link| link.partner).map(|(state, _)| state);
        let is_back =
            partner == Some(S::RecoverDone) || (process.state, partner) == (S::RecoverDone, Some(S::Normal));
        if waits && is_back && !self.owes_what_it_took() {
            return self.look_again();
        }
        let Some(process) = &self.process else { return };
        if process.state == S::RecoverWait {
            let until: Seconds = process.recovered_at.unwrap_or(self.declared.since + self.mclt);
            if until <= now {
                self.enter(S::RecoverDone);
                self.look_again();
            }
        }
    }

    /// Its operator says something; whether it does it.
    pub(crate) fn command(&mut self, command: Command) -> bool {
        let may = matches!(
            self.state(),
            S::Normal | S::CommunicationsInterrupted | S::ResolutionInterrupted | S::ConflictDone
        );
        match command {
            Command::PartnerDown if may && self.runs() => {
                self.enter(S::PartnerDown);
                if let Some(process) = &mut self.process {
                    process.has_met = true;
                }
                true
            }
            // Told by OMAPI it says so; a signal ends it.
            Command::Shutdown => {
                self.enter(S::Shutdown);
                true
            }
            Command::Pause => {
                if !self.has(Habit::LeavesSilently) {
                    self.enter(S::Paused);
                }
                true
            }
            _ => false,
        }
    }
}
