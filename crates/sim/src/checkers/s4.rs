//! S4: no BNDACK that accepts before what it accepts is stable; after any crash it is still there (F07-5.2.1-09, F07-7.2-01).
//!
//! *Lives here:* [`answered`], [`recovered`].

use super::book::{Book, Owed};
use super::ledger::Ledger;
use super::{At, Seen};
use failover::message::BindingAck;

/// A BNDACK has left.
pub(super) fn answered(ledger: &Ledger, at: At, owed: &Owed, acks: &[BindingAck]) -> Result<(), String> {
    let book = &ledger.books[at.server];
    for ack in acks.iter().filter(|ack| ack.rejected.is_none()) {
        if !owed.updates.iter().any(|(update, _)| update.address == ack.address) {
            continue;
        }
        let recorded = book.stable.get(&ack.address).is_some_and(|(end, _)| *end > owed.position);
        if !recorded {
            return Err(format!("{}: a BNDACK left before what it accepts was stable", ack.address));
        }
    }
    Ok(())
}

/// A process starts again from these records.
pub(super) fn recovered(book: &Book, records: &[Seen]) -> Result<(), String> {
    for (address, since) in &book.answered {
        let latest = records.iter().rev().find(|seen| seen.address == *address);
        let latest = latest.cloned().unwrap_or_else(|| Seen::never(*address));
        let is_same = |seen: &Seen| {
            (seen.status, &seen.identity, seen.end) == (latest.status, &latest.identity, latest.end)
        };
        if !since.iter().any(is_same) {
            return Err(format!(
                "{address}: {:?} was recovered, and {:?} had been acknowledged to the partner",
                latest.status,
                since.first().map(|seen| seen.status)
            ));
        }
    }
    Ok(())
}
