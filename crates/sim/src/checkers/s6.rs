//! S6: an address passes from one client to another only after the partner's BNDACK for "it is not the first one's any more", or
//! in PARTNER-DOWN after the wait (F07 5.2.2, 9.4.2; traps T3, T5, T16, T18).
//!
//! *Lives here:* [`recorded`].

use super::ledger::{BLUR, Ledger};
use super::{At, Seen};
use failover::binding::BindingStatus;
use failover::state::FailoverState;
use failover::time::Time;

/// A server has recorded a binding. `possible`: the states in which it was meanwhile.
pub(super) fn recorded(
    ledger: &Ledger,
    at: At,
    before: &Seen,
    seen: &Seen,
    possible: &[FailoverState],
) -> Result<(), String> {
    let book = &ledger.books[at.server];
    let address = seen.address;
    if before.is_available() || book.touched.contains(&address) || !ledger.is_shared(address) {
        return Ok(());
    }
    let same = seen.identity == before.identity;
    let gone =
        matches!(before.status, BindingStatus::Expired | BindingStatus::Released | BindingStatus::Reset);
    if seen.is_active() && gone && same {
        let granted = seen.identity.clone().is_some_and(|client| book.grants.contains(&(address, client)));
        return if granted && book.told.contains(&address) {
            Err(format!("{address}: its client has it again, and the partner was told that it is gone"))
        } else {
            Ok(())
        };
    }
    if seen.is_active() && !same {
        return Err(format!("{address}: another client has it, and it was {:?}", before.status));
    }
    if !seen.is_available() || gone && book.let_go.contains(&address) && agreed(ledger, at, before) {
        return Ok(());
    }
    if !possible.contains(&FailoverState::PartnerDown) {
        return Err(format!(
            "{address}: it was {:?} and became FREE without the partner's consent",
            before.status
        ));
    }
    let Some(entered) = book.partner_down_since() else { return Ok(()) };
    let began_here = book.granted.get(&address).is_some_and(|granted| *granted >= entered);
    // Trap T18: what was leased since PARTNER-DOWN was entered waits for its own end.
    let from = if began_here {
        before.end.max(entered.plus(ledger.mclt))
    } else {
        before.latest().max(entered).plus(ledger.mclt)
    };
    if at.engine.plus(BLUR) >= from {
        return Ok(());
    }
    Err(format!(
        "{address}: it became FREE {} before the wait of PARTNER-DOWN was over",
        from.since(at.engine)
    ))
}

/// One that forgot cannot consent before the (raised) end (trap T16).
fn agreed(ledger: &Ledger, at: At, before: &Seen) -> bool {
    let book = &ledger.books[at.server];
    !book.partner_forgot || before.end == Time::ZERO || at.engine.plus(BLUR) >= before.end
}
