//! DHCPRELEASE and DHCPDECLINE: a client gives an address back (RFC 2131 4.3.3, 4.3.4). There is no answer.
//!
//! *Lives here:* [`release`], [`decline`].

use super::{Request, Standing, standing};
use crate::counter::Counter;
use crate::engine::Engine;
use crate::event::Event;
use crate::outbox::Outbox;
use crate::record::Stamp;
use crate::table::Slot;
use failover::binding::BindingStatus;
use failover::time::Time;

/// The client does not need its address any more.
pub(crate) fn release(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    for_us(engine, request)?;
    let slot = engine.table.at(request.message.ciaddr()).ok_or(Counter::DroppedNotHolder)?;
    if let Some(relationship) = engine.table.relationship(slot) {
        engine.may_answer(relationship, request)?;
    }
    if !holds(engine, now, request, slot) {
        return Err(Counter::DroppedNotHolder);
    }
    let address = engine.table.get(slot).ip();
    if engine.planted.release_not_recorded {
        engine.end_lease(now, slot, BindingStatus::Released, &mut Outbox::new(outbox.position()));
    } else {
        engine.end_lease(now, slot, BindingStatus::Released, outbox);
    }
    outbox.event(Event::LeaseReleased { address, client: request.client.clone() });
    Ok(())
}

/// The client found that somebody else uses the address.
pub(crate) fn decline(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    for_us(engine, request)?;
    let address = request.message.requested_address().ok_or(Counter::DroppedIncomplete)?;
    let slot = engine.table.at(address).ok_or(Counter::DroppedNotHolder)?;
    let offered = engine.table.offer_of(slot).is_some_and(|offer| offer.client == request.client);
    if let Some(relationship) = engine.table.relationship(slot) {
        engine.may_answer(relationship, request)?;
    }
    if !offered && !holds(engine, now, request, slot) {
        return Err(Counter::DroppedNotHolder);
    }
    let mclt = engine.mclt_of(slot);
    engine.table.change(slot, |binding| {
        // F07-5.10-11.
        binding.status = BindingStatus::Abandoned;
        binding.was_given_back(now, mclt);
        binding.start_time_of_state = Stamp::at_or_after(now);
        binding.clear_times();
        binding.clear_client();
    });
    engine.changed(slot, outbox);
    // As `Deadlines` has it: what the client may have been promised is over first.
    let promised = Some(engine.table.get(slot).doubted_until).filter(|until| *until != Stamp::NEVER);
    let promised = promised.map_or(Time::ZERO, Stamp::time).since(now);
    let probation = engine.config.decline_time().max(promised);
    outbox.event(Event::AddressDeclined { address, client: request.client.clone(), probation });
    Ok(())
}

/// A client may give back what the configuration would not give it again.
fn holds(engine: &Engine, now: Time, request: &Request<'_>, slot: Slot) -> bool {
    let binding = engine.table.get(slot);
    standing(engine, now, request, slot) == Standing::Holds
        || (binding.status == BindingStatus::Active && binding.client.as_ref() == Some(&request.client))
}

fn for_us(engine: &Engine, request: &Request<'_>) -> Result<(), Counter> {
    match request.message.server_identifier() {
        Some(server_identifier) if !request.place.is_us(engine, server_identifier) => {
            Err(Counter::DroppedOtherServer)
        }
        _ => Ok(()),
    }
}
