//! S7: while the other may allocate too, the primary allocates FREE only and the secondary BACKUP only. S8: the partner's
//! addresses stay untouched until MCLT after PARTNER-DOWN was entered (F07 5.4, 9.4.2, 9.7.2), and for good where a pool serves BOOTP
//! (F07-5.13-02, -03).
//!
//! What is reserved is no exception: where nobody has it, it is FREE for the primary and BACKUP for the secondary at once, so that each
//! gives what it has as its own, and both to one client (S17). A reservation alone lets nobody give what is the partner's
//! (F07-5.12-05). Only a dhcpd has reservations beside its leases, and in worlds with one nothing is reserved.
//!
//! *Lives here:* [`recorded`].

use super::ledger::{BLUR, Ledger};
use super::{At, Seen};
use failover::binding::BindingStatus;
use failover::state::FailoverState;

/// A server has recorded a binding. `possible`: the states in which it was meanwhile.
pub(super) fn recorded(
    ledger: &Ledger,
    at: At,
    before: &Seen,
    seen: &Seen,
    possible: &[FailoverState],
) -> (&'static str, Result<(), String>) {
    let book = &ledger.books[at.server];
    let (address, primary) = (seen.address, at.server == 0);
    if book.touched.contains(&address) || !ledger.is_shared(address) {
        return ("S7", Ok(()));
    }
    if (before.status, seen.status) == (BindingStatus::Backup, BindingStatus::Free) {
        // Q42: beside a dhcpd each gives of what it has too much.
        let given = ledger.beside_dhcpd && !primary;
        let taken = given || primary && book.let_go.contains(&address);
        let verdict =
            if taken { Ok(()) } else { Err(format!("{address}: BACKUP became FREE without BNDACK")) };
        return ("S7", verdict);
    }
    let Some(client) = seen.identity.clone().filter(|_| seen.is_active() && before.is_available()) else {
        return ("S7", Ok(()));
    };
    let own = (before.status == BindingStatus::Free) == primary;
    let who = (address, client);
    if own || !book.grants.contains(&who) {
        return ("S7", Ok(()));
    }
    // Trap T20: a client that says that it has the address, while the partner cannot be asked.
    let claims = book.claims.contains(&who);
    if claims && possible.iter().any(|state| *state != FailoverState::Normal) {
        return ("S7", Ok(()));
    }
    if !possible.contains(&FailoverState::PartnerDown) {
        return (
            "S7",
            Err(format!("{address} was {:?}, the partner's, and went to {}", before.status, who.1)),
        );
    }
    if ledger.pools.serves_bootp(address) {
        return (
            "S8",
            Err(format!("{address}, the partner's, went to {}, and its pool serves BOOTP", who.1)),
        );
    }
    let Some(entered) = book.partner_down_since() else { return ("S8", Ok(())) };
    let from = entered.plus(ledger.mclt);
    let verdict = if at.engine.plus(BLUR) >= from {
        Ok(())
    } else {
        Err(format!("{address}, the partner's, went to {} {} too early", who.1, from.since(at.engine)))
    };
    ("S8", verdict)
}
