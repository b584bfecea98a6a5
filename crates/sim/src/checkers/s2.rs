//! S2: no lease ends more than MCLT after what the partner knows of this client, or after this server was last known to it to
//! be alive (F07-5.2.1-01, traps T1, T2, T14, T15).
//!
//! *Lives here:* [`left`].

use super::At;
use super::ledger::{BLUR, DECIDED_BEFORE, Ledger};
use super::promise::{is_grant, promised};
use super::update::{client_of, until};
use dhcp::{ClientIdentity, Message};
use failover::state::FailoverState;
use failover::time::{Interval, Time};

/// A DHCPACK has left. `given_back`: the client gave the address back after it was granted.
pub(super) fn left(
    ledger: &Ledger,
    at: At,
    reply: &Message<'_>,
    identity: &ClientIdentity,
    given_back: bool,
) -> Result<(), String> {
    let address = reply.yiaddr();
    let Some(seconds) = promised(reply) else { return Ok(()) };
    if !is_grant(reply) || given_back || !ledger.is_shared(address) {
        return Ok(());
    }
    let book = &ledger.books[at.server];
    // F07-5.13-01: what goes to a client of BOOTP has no end, and the partner is to know of it. What is reserved for that client is no
    // one else's on either side, and one that was told that it is alone has nobody to tell.
    let decided = at.engine.minus(DECIDED_BEFORE);
    let is_bootp = reply.message_type().is_none();
    let is_alone = || book.states_since(decided).any(|state| state == FailoverState::PartnerDown);
    if is_bootp && (ledger.is_reserved(address) || is_alone()) {
        return Ok(());
    }
    let seen = book.seen(address);
    if !seen.is_active() || seen.identity.as_ref() != Some(identity) {
        // It has changed hands since this was decided.
        return Ok(());
    }
    let end = match seconds {
        u32::MAX => Time::NEVER,
        seconds => decided.plus(Interval::from_seconds(u64::from(seconds))),
    };
    let alive = book.alive(at.engine, ledger.mclt);
    let agreed = book.agreed.get(&address).filter(|agreed| agreed.client == *identity);
    let (acked, received) = agreed.map_or((Time::ZERO, Time::ZERO), |agreed| (agreed.acked, agreed.received));
    // What it has just recorded, and not answered yet.
    let owed = ledger.owed.iter().filter(|((_, server, _), _)| *server == at.server).map(|(_, owed)| owed);
    let owed = owed.flat_map(|owed| owed.updates.iter().map(|(update, _)| (update, owed.delta)));
    let pending = owed
        .filter(|(update, _)| update.address == address && client_of(update).as_ref() == Some(identity))
        .map(|(update, delta)| until(update, delta))
        .max();
    let known = alive.max(acked).max(received).max(pending.unwrap_or(Time::ZERO));
    let bound = known.plus(ledger.mclt).plus(BLUR);
    if end <= bound {
        return Ok(());
    }
    Err(format!(
        "the lease of {identity} on {address} goes {} beyond MCLT after what the partner knows: alive {}, acked {}, received {}, \
         end {}",
        end.since(known.plus(ledger.mclt)),
        alive.as_seconds(),
        acked.as_seconds(),
        received.as_seconds(),
        end.as_seconds()
    ))
}
