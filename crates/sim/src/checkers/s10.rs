//! S10: the state and when it was entered are stable before STATE says so; PAUSED and SHUTDOWN keep the state before
//! (F07-9.2-01, F07-9.11.1-01, F07-9.12.1-01).
//!
//! *Lives here:* [`said`].

use super::book::Book;
use failover::endpoint::Stored;
use failover::message::StateMessage;
use failover::state::FailoverState;

/// A STATE has left.
pub(super) fn said(book: &Book, state: &StateMessage) -> Result<(), String> {
    let is_said = |stored: &&Stored| (stored.state, stored.entered.to_wire()) == (state.state, state.since);
    let Some(stored) = book.stable_states.iter().find(is_said) else {
        return Err(format!("{} since {} was said, and is not stable", state.state, state.since.0));
    };
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
        assert!(said(&Book::new(), &state).is_err());
    }
}
