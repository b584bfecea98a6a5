//! DHCPREQUEST without a server-identifier: a client that has an address already (RFC 2131 4.3.2, INIT-REBOOT,
//! RENEWING, REBINDING).
//!
//! *Lives here:* [`extend`].
//!
//! A refusal costs the client its address at once, so it takes a reason that is certain: the wrong network, or a
//! record that gives the address to another (trap T20). What is merely unknown is met with silence.

use super::{Kind, Request, Standing, reply, reserved_slot, standing, storage_allows};
use crate::counter::Counter;
use crate::engine::Engine;
use crate::outbox::Outbox;
use crate::table::Slot;
use failover::time::{Interval, Time};
use std::net::Ipv4Addr;

/// See [`crate::planted::Planted::ignore_late_renewals`].
const LAST_MINUTE: Interval = Interval::from_seconds(60);

/// Extends the lease, refuses it, or is silent.
pub(crate) fn extend(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    let reboot = request.kind == Kind::InitReboot;
    let address = if reboot {
        request.message.requested_address().ok_or(Counter::DroppedIncomplete)?
    } else {
        request.message.ciaddr()
    };
    storage_allows(engine)?;
    let slot = engine.table.at(address);
    let ends_soon = |slot| {
        let end = engine.table.get(slot).lease_expiration.time();
        engine.planted.ignore_late_renewals && end.since(now) <= LAST_MINUTE
    };
    if !reboot && slot.is_some_and(ends_soon) {
        return Err(Counter::DroppedUnknownClient);
    }
    match slot.and_then(|slot| engine.table.relationship(slot)) {
        Some(relationship) => engine.may_answer(relationship, request)?,
        // Of what is in no pool of a partner, a pair speaks with one voice too.
        None => engine.may_answer_in(request)?,
    }
    if !is_in_network(engine, request, slot, address) {
        return reply::nak(engine, now, request, address, "the address belongs to another network", outbox);
    }
    let Some(slot) = slot else { return Err(Counter::DroppedUnknownClient) };
    match standing(engine, now, request, slot) {
        Standing::Denied(why) => reply::nak(engine, now, request, address, why, outbox),
        _ if moves_to_reservation(engine, now, request, slot) => {
            reply::nak(engine, now, request, address, "another address is reserved for this client", outbox)
        }
        Standing::Holds | Standing::Available { former: true } => {
            reply::grant(engine, now, request, slot, outbox)
        }
        Standing::Withheld => Err(Counter::DroppedWithheld),
        Standing::Available { former: false } if engine.table.relationship(slot).is_none() => {
            adopt(engine, now, request, slot, reboot, outbox)
        }
        // Somebody gave it back, and it may have been this client's without its knowing; or its lease has just ended, and this is from
        // before: then the partner may have leased it to another since. Nothing that the client says tells the one from the other.
        Standing::Partners if engine.is_doubted(now, slot) => Err(Counter::DroppedUnknownClient),
        Standing::Available { former: false } | Standing::Partners => {
            take_over(engine, now, request, slot, reboot, outbox)
        }
    }
}

/// A client that says it has an address of which we have no record (trap T20): the partner may have leased it in its last
/// second. Who renews or rebinds is believed (F07-3.1.2-02), who restarts is not (F07-3.1.2-03); and in contact with the
/// partner there is nothing to guess.
fn take_over(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    slot: Slot,
    reboot: bool,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    if reboot && !engine.planted.believes_reboots || !engine.believes_clients(slot) {
        return Err(Counter::DroppedUnknownClient);
    }
    if engine.planted.refuse_unknown {
        let address = engine.table.get(slot).ip();
        return reply::nak(engine, now, request, address, "there is no lease of this client", outbox);
    }
    reply::take_over(engine, now, request, slot, outbox)
}

/// An address that is nobody's by our records, and that the client says it has.
fn adopt(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    slot: Slot,
    reboot: bool,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    let address = engine.table.get(slot).ip();
    let other = engine.table.of_client(request.place.network, &request.client);
    if other.is_some_and(|other| standing(engine, now, request, other) == Standing::Holds) {
        return reply::nak(
            engine,
            now,
            request,
            address,
            "the client holds another address of this network",
            outbox,
        );
    }
    if reboot {
        // RFC 2131 4.3.2: without a record of this client, silence, so that servers can share a network.
        return Err(Counter::DroppedUnknownClient);
    }
    // It uses the address now, and nobody else has a claim: a lease makes that safe, a refusal would cut it off.
    reply::grant(engine, now, request, slot, outbox)
}

fn is_in_network(engine: &Engine, request: &Request<'_>, slot: Option<Slot>, address: Ipv4Addr) -> bool {
    let network = slot.and_then(|slot| engine.table.network(slot));
    network.or_else(|| engine.config.network_of(address)) == Some(request.place.network)
}

/// A client that got a reservation while it held another address is sent there as soon as it can have it.
fn moves_to_reservation(engine: &Engine, now: Time, request: &Request<'_>, slot: Slot) -> bool {
    reserved_slot(engine, request).is_some_and(|reserved| {
        reserved != slot
            && matches!(
                standing(engine, now, request, reserved),
                Standing::Holds | Standing::Available { .. }
            )
    })
}
