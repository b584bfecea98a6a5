//! What an operator may command an endpoint.
//!
//! *Lives here:* [`Command`], in which states each is legal, and what the refusal says.
//! *Must not know:* how commands arrive.

use super::{Action, Endpoint};
use crate::state::FailoverState;
use crate::time::Time;

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// The partner is down, and stays down until it has recovered from this server (F07-9.6.4-01).
    PartnerDown,
    /// This server may go on alone, in the state in which it is, as if it had met its partner now (trap T15).
    ServeAlone,
    /// The bindings of this server are lost or not to be trusted: fetch all, and wait (F07-9.3.2-02).
    RecoverStorageLost {
        /// When this server stopped, if that is known; else now.
        down_since: Option<Time>,
    },
    /// No server of this relationship ever gave a lease: there is nothing to wait for (D12-9.6.2-02).
    RecoverFirstRun,
    /// This server stops for a short time (F07 9.11).
    Pause,
    /// This server stops for long: the partner may take over at once (F07 9.12).
    Shutdown,
}

/// A command that is not for this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefused {
    /// Not from this state.
    #[error("not in state {state}: {help}")]
    State {
        /// The state.
        state: FailoverState,
        /// What to do instead.
        help: &'static str,
    },
    /// One who forgot cannot go on alone.
    #[error(
        "this server lost its bindings and has not got them back: it cannot know which addresses are leased. Bring the partner back, or restore a backup and wait MCLT"
    )]
    StorageLost,
}

impl Endpoint {
    /// Carries a command out.
    ///
    /// # Errors
    /// When it is not legal now; nothing has changed then.
    pub fn command(&mut self, now: Time, command: Command) -> Result<Vec<Action>, CommandRefused> {
        let mut actions = Vec::new();
        match command {
            Command::PartnerDown => self.partner_is_down(now, &mut actions)?,
            Command::ServeAlone => self.serve_alone(now, &mut actions)?,
            Command::RecoverStorageLost { down_since } => {
                self.startup = None;
                self.asked = false;
                self.durable.storage_lost = true;
                self.durable.recover_from = down_since.map_or(now, |since| since.min(now));
                self.is_alive = false;
                self.first_run = false;
                self.enter(now, FailoverState::Recover, &mut actions);
                self.follow(now, false, &mut actions);
                actions.insert(0, Action::Store);
            }
            Command::RecoverFirstRun => {
                if !matches!(self.durable.state, FailoverState::Recover | FailoverState::RecoverWait) {
                    return Err(self.refused("this is for a server that waits in RECOVER or RECOVER-WAIT"));
                }
                self.first_run = true;
                self.look(now, false, &mut actions);
            }
            Command::Pause => self.leave(now, FailoverState::Paused, &mut actions),
            Command::Shutdown => self.leave(now, FailoverState::Shutdown, &mut actions),
        }
        Ok(actions)
    }

    fn partner_is_down(&mut self, now: Time, actions: &mut Vec<Action>) -> Result<(), CommandRefused> {
        if self.durable.storage_lost {
            return Err(CommandRefused::StorageLost);
        }
        let legal = matches!(
            self.state(),
            FailoverState::Normal
                | FailoverState::CommunicationsInterrupted
                | FailoverState::ResolutionInterrupted
                | FailoverState::ConflictDone
        );
        if !legal {
            return Err(self.refused(
                "it is legal in NORMAL, COMMUNICATIONS-INTERRUPTED, RESOLUTION-INTERRUPTED and CONFLICT-DONE",
            ));
        }
        self.is_alive = true;
        self.durable.last_operation = now;
        self.enter(now, FailoverState::PartnerDown, actions);
        Ok(())
    }

    fn serve_alone(&mut self, now: Time, actions: &mut Vec<Action>) -> Result<(), CommandRefused> {
        if self.durable.storage_lost {
            return Err(CommandRefused::StorageLost);
        }
        let legal = matches!(
            self.state(),
            FailoverState::CommunicationsInterrupted
                | FailoverState::PartnerDown
                | FailoverState::ResolutionInterrupted
                | FailoverState::ConflictDone
        );
        if !legal {
            return Err(self.refused(
                "it is legal in COMMUNICATIONS-INTERRUPTED, PARTNER-DOWN, RESOLUTION-INTERRUPTED and CONFLICT-DONE",
            ));
        }
        self.is_alive = true;
        self.durable.last_operation = now;
        actions.push(Action::Store);
        Ok(())
    }

    /// F07 9.11, 9.12: the state before is what the next start goes on with.
    fn leave(&mut self, now: Time, to: FailoverState, actions: &mut Vec<Action>) {
        if matches!(self.durable.state, FailoverState::Paused | FailoverState::Shutdown) {
            return;
        }
        self.startup = None;
        self.durable.resumes = self.durable.state;
        if self.is_alive {
            self.durable.last_operation = now;
        }
        self.enter(now, to, actions);
    }

    fn refused(&self, help: &'static str) -> CommandRefused {
        CommandRefused::State { state: self.state(), help }
    }
}
