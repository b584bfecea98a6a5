//! L5: no address is lost for good, and a new client gets one while any is available.
//!
//! *Lives here:* [`after_all_leases`], [`newcomers`], asked at the end of a run; [`recorded`]: an end that moves later by itself, again
//! and again, never comes (trap T16, model M10).

use super::ledger::{BLUR, Ledger};
use super::{At, Seen};
use engine::LeaseView;
use failover::time::Time;

/// A server has recorded a binding. Its end moves later by a word of the client, by one of the partner, or once for each time that
/// the partner said that its bindings are lost: then by MCLT.
pub(super) fn recorded(ledger: &Ledger, at: At, before: &Seen, seen: &Seen) -> Result<(), String> {
    let book = &ledger.books[at.server];
    let address = seen.address;
    if !is_raise(ledger, at, before, seen) {
        return Ok(());
    }
    let Some(heard) = book.heard_loss else {
        return Err(format!("{address}: its end moved later, and nobody had asked for that"));
    };
    if book.raised.get(&address).is_some_and(|(loss, _)| *loss == heard) {
        return Err(format!("{address}: its end was raised twice for one loss"));
    }
    let most = before.latest().max(at.engine).plus(ledger.mclt).plus(BLUR);
    if seen.end > most {
        return Err(format!("{address}: its end was raised by {} too much", seen.end.since(most)));
    }
    Ok(())
}

/// Whether an end moved later without a word of anybody about this very address.
pub(super) fn is_raise(ledger: &Ledger, at: At, before: &Seen, seen: &Seen) -> bool {
    let book = &ledger.books[at.server];
    let address = seen.address;
    let granted = seen.identity.clone().is_some_and(|client| book.grants.contains(&(address, client)));
    seen.end > before.end && !granted && !book.touched.contains(&address) && ledger.is_shared(address)
}

/// When nobody has asked for longer than any lease and any probation lasts, every address is FREE or BACKUP, but for those that
/// were leased without end.
pub(crate) fn after_all_leases(views: &[LeaseView]) -> Result<(), String> {
    let lost = views.iter().find(|view| !view.status.is_available() && view.lease_expiration != Time::NEVER);
    lost.map_or(Ok(()), |view| {
        Err(format!(
            "{} is {:?} long after everybody has gone: it is lost for good",
            view.address, view.status
        ))
    })
}

/// As many new clients as there are FREE addresses have come: `served` of them got one.
pub(crate) fn newcomers(free: usize, served: usize) -> Result<(), String> {
    if served >= free {
        return Ok(());
    }
    Err(format!("{free} addresses are FREE, and only {served} of as many new clients got one"))
}
