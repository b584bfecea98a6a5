//! A request of BOOTP: an address for ever (RFC 951, RFC 1534; F07 5.13).
//!
//! *Lives here:* [`bootp`] and which address such a client gets.
//! *Must not know:* how a lease is recorded.
//!
//! A BOOTP client may ask once in its life, and uses the address until it is switched off. No MCLT protects that: a server that loses
//! its store finds the address free by all that is known (F07-5.13-01). The drafts keep each server from the other's addresses for
//! this, which does not help who forgets what it gave itself. So one thing more goes here: while there is a partner, it knows of the
//! lease before the client does. The client asks again after some seconds (RFC 951 7.2), and is answered then. And what either gives is
//! gone, taken up or not: so of the two one begins, see [`Engine::begins_for_ever`].

use super::discover::{may_serve, oldest_available};
use super::{Request, Standing, is_usable, reply, reserved_slot, standing, storage_allows};
use crate::config::{Pool, RelationshipId};
use crate::counter::Counter;
use crate::engine::Engine;
use crate::outbox::Outbox;
use crate::table::Slot;
use failover::time::{Interval, Time};

/// Gives an address to the client, or says why not.
pub(crate) fn bootp(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    storage_allows(engine)?;
    may_serve(engine, request)?;
    let slot = choose(engine, now, request)?;
    let answers = is_certain(engine, now, request, slot) || engine.planted.bootp_before_told;
    if !answers && !engine.partner_is_in_contact(slot) {
        return Err(Counter::DroppedBootpUntold);
    }
    reply::grant_for_ever(engine, now, request, slot, answers, outbox)
}

/// Whether nobody else gets the address: both know it to be reserved for this client, there is no partner that could give it, or the
/// partner knows.
fn is_certain(engine: &Engine, now: Time, request: &Request<'_>, slot: Slot) -> bool {
    let binding = engine.table.get(slot);
    let is_reserved =
        binding.reserved && (binding.reserved_for().is_some() || engine.is_reserved_beside(slot));
    let longest = engine.longest_lease(now, slot, &request.client);
    is_reserved || engine.partner_is_down(slot) || longest.is_none_or(|longest| longest == Interval::INFINITE)
}

/// The reservation, else what the client has or had, else what has been available for longest; the last two in pools with
/// `dynamic-bootp` alone.
fn choose(engine: &Engine, now: Time, request: &Request<'_>) -> Result<Slot, Counter> {
    let usable = |slot: &Slot| is_usable(engine, now, request, *slot);
    if let Some(reserved) = reserved_slot(engine, request) {
        return Some(reserved).filter(usable).ok_or(Counter::DroppedWithheld);
    }
    let network = request.place.network;
    let has_bootp =
        |slot: &Slot| engine.table.pool(*slot).is_some_and(|pool| engine.config.pool(pool).dynamic_bootp);
    if !engine.config.network(network).pools.iter().any(|pool| engine.config.pool(*pool).dynamic_bootp) {
        return Err(Counter::DroppedBootp);
    }
    let begins = |relationship: Option<RelationshipId>| {
        relationship.is_none_or(|relationship| engine.begins_for_ever(relationship, request))
    };
    let is_for_us = |slot: &Slot| {
        standing(engine, now, request, *slot) == Standing::Holds || begins(engine.table.relationship(*slot))
    };
    let known = engine.table.of_client(network, &request.client).filter(has_bootp).filter(usable);
    let new = |pool: &Pool| pool.dynamic_bootp && begins(pool.failover);
    known
        .filter(is_for_us)
        .or_else(|| oldest_available(engine, now, request, new))
        .ok_or(Counter::DroppedPoolExhausted)
}
