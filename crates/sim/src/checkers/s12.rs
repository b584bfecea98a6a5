//! S12: a server that lost its store answers nobody before UPDREQALL is done and MCLT has passed since it may have promised
//! something last (F07 9.5.2, trap T16). One that lost nothing does not say so: it would be silent for that long.
//!
//! *Lives here:* [`left`], [`came_back`], [`said`].

use super::At;
use super::book::{Book, Lost};
use super::ledger::{BLUR, Ledger};
use super::promise::promised;
use super::update::tells_loss;
use dhcp::Message;
use failover::message::StateMessage;
use failover::time::ClockDelta;

/// A reply has left.
pub(super) fn left(ledger: &Ledger, at: At, reply: &Message<'_>) -> Result<(), String> {
    let lost = ledger.books[at.server].lost;
    let promises = promised(reply).is_some() && ledger.is_shared(reply.yiaddr());
    lost.filter(|_| promises).map_or(Ok(()), |lost| check(ledger, at, lost))
}

/// It says that it has recovered.
pub(super) fn came_back(ledger: &Ledger, at: At) -> Result<(), String> {
    ledger.books[at.server].lost.map_or(Ok(()), |lost| check(ledger, at, lost))
}

/// A STATE has left.
pub(super) fn said(book: &Book, state: &StateMessage) -> Result<(), String> {
    let says_lost = tells_loss(state);
    let since = state.since.to_time(ClockDelta::default());
    match book.whole_since {
        Some(whole) if says_lost && since > whole.plus(BLUR) => {
            Err(format!("{} says that its bindings are lost, and they are not", state.state))
        }
        _ => Ok(()),
    }
}

fn check(ledger: &Ledger, at: At, lost: Lost) -> Result<(), String> {
    // By a clock that is fast by 250 parts in a million.
    let waited = (at.now - lost.at) / 1000 * 1001 + 1000;
    if lost.refilled && waited >= ledger.mclt.as_millis() {
        return Ok(());
    }
    Err(format!(
        "a server that lost its store {} s ago is back, {}",
        (at.now - lost.at) / 1000,
        if lost.refilled { "and MCLT has not passed" } else { "and has not got all bindings back" }
    ))
}
