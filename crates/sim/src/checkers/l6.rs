//! L6: the first renewal after the partner's BNDACK gives a client the lease that it is to have (F07-5.2.1-12).
//!
//! *Lives here:* [`Known`], [`left`].

use super::At;
use super::ledger::{BLUR, DECIDED_BEFORE, Ledger};
use dhcp::{ClientIdentity, Message, MessageType, code};
use failover::time::{Interval, Time};

/// A lease that both know of.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) client: ClientIdentity,
    /// When the client was heard that got it.
    pub(super) heard: Time,
    /// Since when both know.
    pub(super) since: Time,
    /// After what part of it the client was to renew it; zero where no DHCPACK said so.
    pub(super) renewal: Interval,
}

/// T1 in a DHCPACK.
pub(super) fn renewal_of(reply: &Message<'_>) -> Option<Interval> {
    let seconds = reply.option(code::RENEWAL_TIME)?.to_array().map(u32::from_be_bytes)?;
    let is_ack = reply.message_type() == Some(MessageType::Ack);
    is_ack.then(|| Interval::from_seconds(u64::from(seconds)))
}

/// A DHCPACK has left.
pub(super) fn left(
    ledger: &Ledger,
    at: At,
    reply: &Message<'_>,
    identity: &ClientIdentity,
) -> Result<(), String> {
    let (address, book) = (reply.yiaddr(), &ledger.books[at.server]);
    let renews = reply.message_type() == Some(MessageType::Ack) && !reply.ciaddr().is_unspecified();
    let (true, Some(seconds)) = (renews, reply.lease_time()) else { return Ok(()) };
    let Some(known) = book.known.get(&address).filter(|known| known.client == *identity) else {
        return Ok(());
    };
    // The partner was told to think as far as a usual lease goes that begins at T1, and MCLT more may be given; and the reply was
    // decided by what is known now.
    let in_time = at.engine.plus(BLUR) <= known.heard.plus(known.renewal).plus(ledger.mclt);
    let settled = known.since.plus(DECIDED_BEFORE) < at.engine;
    // A client that wished for less then, or does so now, is to have that.
    let ago = at.engine.since(known.heard).as_millis() + 2 * DECIDED_BEFORE.as_millis();
    let wished = ledger.wishes.get(identity).is_some_and(|wish| wish + ago >= at.now);
    let usual = ledger.pools.usual_lease(address).unwrap_or(Interval::ZERO);
    let given = Interval::from_seconds(u64::from(seconds));
    let is_before_all = known.heard <= book.time_began;
    if !in_time || !settled || wished || given >= usual || is_before_all {
        return Ok(());
    }
    Err(format!("{address}: {identity} renewed for {given} and not for {usual}, and both knew of its lease"))
}
