//! DHCPDISCOVER: which address a client is offered (RFC 2131 4.3.1).
//!
//! *Lives here:* [`discover`] and the order in which addresses are considered.
//! *Must not know:* how a lease is recorded: an offer is not.

use super::{Request, Standing, answers, is_usable, reply, reserved_slot, standing, storage_allows};
use crate::config::{Pool, PoolId};
use crate::counter::Counter;
use crate::engine::Engine;
use crate::event::Event;
use crate::outbox::Outbox;
use crate::table::{Available, Slot};
use failover::time::{Interval, Time};

/// Offers an address, or says why not.
pub(crate) fn discover(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    storage_allows(engine)?;
    may_serve(engine, request)?;
    let Some(slot) = choose(engine, now, request) else {
        let network = request.place.network;
        if engine.partner_can_give(network) {
            return Err(Counter::DroppedBalanced);
        }
        if !std::mem::replace(&mut engine.exhausted[network.0 as usize], true) {
            outbox.event(Event::NetworkExhausted { network: engine.config.network(network).name.clone() });
        }
        return Err(Counter::DroppedPoolExhausted);
    };
    let lease = reply::lease_for(engine, now, request, slot);
    if lease == Interval::ZERO {
        engine.note_lead_time_over(slot, outbox);
        return Err(Counter::DroppedLeadTimeOver);
    }
    let until = now.plus(engine.config.offer_time());
    let binding = engine.table.get(slot);
    // What the client holds needs no keeping, unless its lease may end before it has answered.
    let own = binding.client.as_ref() == Some(&request.client) && binding.lease_expiration.time() <= until;
    if binding.available().is_some() || own {
        engine.table.offer(slot, request.place.network, &request.client, until);
    }
    reply::offer(engine, now, request, slot, lease, outbox)?;
    engine.counters.count(Counter::Offer);
    Ok(())
}

/// Whether there is anything in this network that this server may offer this client: what a state or the load balance
/// leaves to the partner is met with silence, and nothing is remembered of it (F07-9.2-08, trap T4).
pub(super) fn may_serve(engine: &Engine, request: &Request<'_>) -> Result<(), Counter> {
    if engine.endpoints.is_empty() {
        return Ok(());
    }
    let pools = &engine.config.network(request.place.network).pools;
    let mut silent = None;
    for pool in pools {
        match engine.config.pool(*pool).failover {
            None => return Ok(()),
            Some(relationship) => match engine.may_answer(relationship, request) {
                Ok(()) => return Ok(()),
                Err(reason) => silent = Some(reason),
            },
        }
    }
    silent.map_or(Ok(()), Err)
}

/// The order of RFC 2131 4.3.1, with the reservation before all and a standing offer before what is only remembered.
fn choose(engine: &Engine, now: Time, request: &Request<'_>) -> Option<Slot> {
    let network = request.place.network;
    let usable = |slot: &Slot| is_usable(engine, now, request, *slot);
    let held = |slot: &Slot| {
        answers(engine, request, *slot) && standing(engine, now, request, *slot) == Standing::Holds
    };
    let known = engine.table.of_client(network, &request.client);
    reserved_slot(engine, request)
        .filter(usable)
        .or_else(|| known.filter(held))
        .or_else(|| engine.table.offered_to(network, &request.client).filter(usable))
        .or_else(|| known.filter(usable))
        .or_else(|| {
            let late =
                |slot: &Slot| engine.planted.offer_leased && engine.table.get(*slot).is_past_rebinding(now);
            requested(engine, request).filter(|slot| late(slot) || usable(slot))
        })
        .or_else(|| oldest_available(engine, now, request, |_| true))
}

/// The address that the client asks for, if it is in a pool of its network.
fn requested(engine: &Engine, request: &Request<'_>) -> Option<Slot> {
    let slot = engine.table.at(request.message.requested_address()?)?;
    let in_network = engine.network_of(slot) == Some(request.place.network);
    (in_network && engine.table.pool(slot).is_some()).then_some(slot)
}

/// What has been available for longest in these pools: in the client's own subnet, else in another of the same shared network.
pub(super) fn oldest_available(
    engine: &Engine,
    now: Time,
    request: &Request<'_>,
    which: impl Fn(&Pool) -> bool,
) -> Option<Slot> {
    let pools = &engine.config.network(request.place.network).pools;
    let own = |pool: &&PoolId| engine.config.pool(**pool).subnet == request.place.subnet;
    let others = pools.iter().filter(|pool| !own(pool));
    let mut all = pools.iter().filter(own).chain(others).filter(|pool| which(engine.config.pool(**pool)));
    all.find_map(|pool| match engine.config.pool(*pool).failover {
        None => engine.table.oldest(*pool, Available::Free),
        Some(relationship) => {
            engine.may_answer(relationship, request).ok()?;
            engine.oldest_of_own(now, relationship, *pool)
        }
    })
}
