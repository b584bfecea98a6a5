//! DHCPREQUEST of a client that selects an offer (RFC 2131 4.3.2, SELECTING).
//!
//! *Lives here:* [`select`].

use super::{Request, Standing, reply, standing, storage_allows};
use crate::counter::Counter;
use crate::engine::Engine;
use crate::outbox::Outbox;
use failover::time::Time;

/// Leases the address that the client selected, or refuses it; silent when it selected another server.
pub(crate) fn select(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    let server_identifier = request.message.server_identifier().ok_or(Counter::DroppedIncomplete)?;
    if !request.place.is_us(engine, server_identifier) {
        engine.table.withdraw_offer_to(request.place.network, &request.client);
        return Err(Counter::DroppedOtherServer);
    }
    let address = request.message.requested_address().ok_or(Counter::DroppedIncomplete)?;
    storage_allows(engine)?;
    let slot =
        engine.table.at(address).filter(|slot| engine.network_of(*slot) == Some(request.place.network));
    let Some(slot) = slot else {
        return reply::nak(engine, now, request, address, "it is not in a pool of this network", outbox);
    };
    if let Some(relationship) = engine.table.relationship(slot) {
        engine.may_answer(relationship, request)?;
    }
    match standing(engine, now, request, slot) {
        Standing::Denied(_)
            if engine.planted.offer_leased && engine.table.get(slot).is_past_rebinding(now) =>
        {
            reply::grant(engine, now, request, slot, outbox)
        }
        Standing::Denied(why) => reply::nak(engine, now, request, address, why, outbox),
        Standing::Withheld | Standing::Partners => {
            // It has no address yet: it loses nothing, and starts again at once.
            reply::nak(engine, now, request, address, "the address is not available any more", outbox)
        }
        Standing::Holds | Standing::Available { .. } => reply::grant(engine, now, request, slot, outbox),
    }
}
