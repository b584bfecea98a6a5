//! DHCPDISCOVER: which address a client is offered (RFC 2131 4.3.1).
//!
//! *Lives here:* [`discover`] and the order in which addresses are considered.
//! *Must not know:* how a lease is recorded: an offer is not.

use super::{Request, Standing, reply, reserved_slot, standing, storage_allows};
use crate::config::PoolId;
use crate::counter::Counter;
use crate::engine::Engine;
use crate::event::Event;
use crate::outbox::Outbox;
use crate::table::Slot;
use failover::binding::BindingStatus;
use failover::time::Time;

/// Offers an address, or says why not.
pub(crate) fn discover(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    storage_allows(engine)?;
    let Some(slot) = choose(engine, request) else {
        let network = request.place.network;
        if !std::mem::replace(&mut engine.exhausted[network.0 as usize], true) {
            outbox.event(Event::NetworkExhausted { network: engine.config.network(network).name.clone() });
        }
        return Err(Counter::DroppedPoolExhausted);
    };
    if engine.table.get(slot).status == BindingStatus::Free {
        let until = now.plus(engine.config.offer_time());
        engine.table.offer(slot, request.place.network, &request.client, until);
    }
    reply::offer(engine, now, request, slot, outbox)?;
    engine.counters.count(Counter::Offer);
    Ok(())
}

/// The order of RFC 2131 4.3.1, with the reservation before all and a standing offer before what is only remembered.
fn choose(engine: &Engine, request: &Request<'_>) -> Option<Slot> {
    let network = request.place.network;
    let usable = |slot: &Slot| !matches!(standing(engine, request, *slot), Standing::Denied(_));
    let known = engine.table.of_client(&engine.config, network, &request.client);
    reserved_slot(engine, request)
        .filter(usable)
        .or_else(|| known.filter(|slot| standing(engine, request, *slot) == Standing::Holds))
        .or_else(|| engine.table.offered_to(network, &request.client).filter(usable))
        .or_else(|| known.filter(usable))
        .or_else(|| requested(engine, request).filter(|slot| engine.planted.offer_leased || usable(slot)))
        .or_else(|| oldest_free(engine, request))
}

/// The address that the client asks for, if it is in a pool of its network.
fn requested(engine: &Engine, request: &Request<'_>) -> Option<Slot> {
    let slot = engine.table.at(request.message.requested_address()?)?;
    let in_network = engine.network_of(slot) == Some(request.place.network);
    (in_network && engine.table.pool(slot).is_some()).then_some(slot)
}

/// What has been free for longest: in the client's own subnet, else in another of the same shared network.
fn oldest_free(engine: &Engine, request: &Request<'_>) -> Option<Slot> {
    let pools = &engine.config.network(request.place.network).pools;
    let own = |pool: &&PoolId| engine.config.pool(**pool).subnet == request.place.subnet;
    let others = pools.iter().filter(|pool| !own(pool));
    pools.iter().filter(own).chain(others).find_map(|pool| engine.table.oldest_free(*pool))
}
