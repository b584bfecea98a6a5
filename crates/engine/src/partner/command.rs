//! What an operator commands about a partner.
//!
//! *Lives here:* [`Commanded`], [`Engine::command_partner`].
//! *May know:* which commands `failover::endpoint` takes.
//! *Must not know:* how commands arrive, or how they were confirmed.

use crate::config::RelationshipId;
use crate::engine::Engine;
use crate::outbox::Outbox;
use failover::endpoint::{Command, Event as Happening, Refusal};
use failover::state::FailoverState;
use failover::time::Time;

/// What a command did, or why it did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commanded {
    /// The state in which the endpoint is now.
    Done(FailoverState),
    /// Not now.
    Refused(Refusal),
    /// There is no such relationship.
    Unknown,
}

impl Engine {
    /// The relationship with this name.
    pub fn relationship(&self, name: &str) -> Option<RelationshipId> {
        self.relationships().find(|relationship| self.config.relationship(*relationship).name == name)
    }

    /// Carries out a command. What it changes is recorded before it is told.
    pub fn command_partner(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        command: Command,
        outbox: &mut Outbox,
    ) -> Commanded {
        if self.config.relationships().get(relationship.0 as usize).is_none() {
            return Commanded::Unknown;
        }
        let refused = self.happens(now, relationship, Happening::Command(command), outbox);
        self.tell_partners(outbox);
        refused.map_or_else(|| Commanded::Done(self.endpoint(relationship).state()), Commanded::Refused)
    }

    /// Each endpoint has said that it stops, as far as it can (F07 9.11, 9.12): after PAUSED or SHUTDOWN was commanded, and
    /// what was queued has left, the process may end.
    pub fn partners_have_stopped(&self) -> bool {
        self.relationships().all(|relationship| self.endpoint(relationship).has_stopped())
    }
}
