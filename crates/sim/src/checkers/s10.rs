//! S10: the state and when it was entered are stable before STATE says so; PAUSED and SHUTDOWN keep the state before
//! (F07-9.2-01, F07-9.11.1-01, F07-9.12.1-01).
//!
//! *Lives here:* [`said`].

use super::ledger::Book;
use failover::message::StateMessage;
use failover::state::FailoverState;

/// A STATE has left. `stable`: all records of its batch would survive a power cut now.
pub(super) fn said(book: &Book, state: &StateMessage, stable: bool) -> Result<(), String> {
    let stored = book.stable_endpoint.as_ref().and_then(|endpoint| endpoint.stored.as_ref());
    let Some(stored) = stored.filter(|_| stable) else {
        return Err(format!("{} was said, and nothing of it is stable", state.state));
    };
    if (stored.state, stored.entered.to_wire()) != (state.state, state.since) {
        return Err(format!(
            "{} since {} was said, and {} is stable",
            state.state, state.since.0, stored.state
        ));
    }
    let leaves = |state| matches!(state, FailoverState::Paused | FailoverState::Shutdown);
    if leaves(stored.state) && leaves(stored.previous) {
        return Err(format!("{} was said, and nothing else is stable to come back to", state.state));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use failover::time::WireTime;

    #[test]
    fn what_is_not_on_the_disk_must_not_be_said() {
        let state =
            StateMessage { state: FailoverState::Normal, startup: false, since: WireTime(5), tandem: None };
        assert!(said(&Book::new(), &state, true).is_err());
    }
}
