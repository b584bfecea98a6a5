//! What an operator commands about a partner.
//!
//! *Lives here:* [`PartnerCommand`], [`Engine::command_partner`].
//! *May know:* which commands `failover::endpoint` takes.
//! *Must not know:* how commands arrive, or how they were confirmed.

use crate::config::RelationshipId;
use crate::engine::Engine;
use crate::outbox::Outbox;
use failover::endpoint::{Command, CommandRefused};
use failover::message::{Message, RejectReason, Rejection};
use failover::state::FailoverState;
use failover::time::Time;

/// A command about one relationship.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartnerCommand {
    /// To the endpoint.
    Endpoint(Command),
    /// Ask the partner for all its bindings once more (UPDREQALL).
    Resync,
}

/// What a command did, or why it did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commanded {
    /// The state in which the endpoint is now.
    Done(FailoverState),
    /// Not now.
    Refused(CommandRefused),
    /// This needs a partner that is heard.
    NoContact,
    /// There is no such relationship.
    Unknown,
}

impl Engine {
    /// Carries out a command. What it changes is recorded before it is told; the answer to whoever commanded rests on nothing:
    /// seal the outbox and wait until it is stable before it is given.
    pub fn command_partner(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        command: PartnerCommand,
        outbox: &mut Outbox,
    ) -> Commanded {
        if self.config.relationships().get(relationship.0 as usize).is_none() {
            return Commanded::Unknown;
        }
        let command = match command {
            PartnerCommand::Resync => return self.resync(relationship, outbox),
            PartnerCommand::Endpoint(command) => command,
        };
        match self.endpoint_mut(relationship).machine.command(now, command) {
            Ok(actions) => self.act(now, relationship, actions, outbox),
            Err(refused) => return Commanded::Refused(refused),
        }
        if matches!(command, Command::Pause | Command::Shutdown) {
            // F07-9.11-01: the state is told, then the connection closed.
            let why = Rejection::saying(RejectReason::UNKNOWN, "this server is stopping".to_owned());
            if command == Command::Pause {
                self.hang_up(now, relationship, why, outbox);
            }
        }
        self.tell_partners(outbox);
        Commanded::Done(self.endpoint(relationship).state())
    }

    fn resync(&mut self, relationship: RelationshipId, outbox: &mut Outbox) -> Commanded {
        if !self.endpoint(relationship).machine.is_in_contact() {
            return Commanded::NoContact;
        }
        self.request(relationship, Message::UpdReqAll, outbox);
        Commanded::Done(self.endpoint(relationship).state())
    }
}
