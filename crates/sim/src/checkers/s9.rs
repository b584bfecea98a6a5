//! S9: clients are answered only as the state allows (F07 9; table 1.6 of the catalogue).
//!
//! *Lives here:* [`left`].

use super::At;
use super::ledger::{DECIDED_BEFORE, Ledger};
use super::promise::promised;
use dhcp::{Message, MessageType};
use failover::state::FailoverState as S;

/// A reply has left. It may have been decided in a state that is over.
pub(super) fn left(ledger: &Ledger, at: At, reply: &Message<'_>) -> Result<(), String> {
    let is_nak = reply.message_type() == Some(MessageType::Nak);
    if !is_nak && (promised(reply).is_none() || !ledger.is_shared(reply.yiaddr())) {
        return Ok(());
    }
    // Only who has a lease is answered in RECOVER-DONE.
    let renews = reply.message_type() == Some(MessageType::Ack) && !reply.ciaddr().is_unspecified();
    let may_answer = |state: S| match state {
        S::Normal
        | S::CommunicationsInterrupted
        | S::PartnerDown
        | S::ResolutionInterrupted
        | S::ConflictDone => true,
        S::RecoverDone => renews || is_nak,
        S::Startup | S::Recover | S::RecoverWait | S::PotentialConflict | S::Paused | S::Shutdown => false,
    };
    let book = &ledger.books[at.server];
    if book.states_since(at.engine.minus(DECIDED_BEFORE)).any(may_answer) {
        return Ok(());
    }
    let kind = reply.message_type().map_or("reply", MessageType::name);
    Err(format!("a {kind} left in {}", book.state()))
}
