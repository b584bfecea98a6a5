//! One DHCP message from a client, top to bottom.
//!
//! *Lives here:* [`handle`], which finds out who asks, from where and by which state (RFC 2131 4.3); one room for
//! each message below.
//! *May know:* the engine's table and configuration.
//! *Must not know:* sockets, how a reply reaches the wire.

mod discover;
mod extend;
mod give_back;
mod inform;
mod place;
mod reply;
mod select;

use crate::counter::Counter;
use crate::engine::Engine;
use crate::input::{Packet, StorageHealth};
use crate::outbox::{Outbox, TOO_OLD};
use crate::table::Slot;
use dhcp::{ClientIdentity, HardwareAddress, Message, MessageType, Op};
use failover::binding::BindingStatus;
use failover::time::Time;
use place::Place;
use std::net::Ipv4Addr;

/// A message with all that every room asks of it.
pub(crate) struct Request<'a> {
    pub(crate) message: Message<'a>,
    pub(crate) packet: &'a Packet<'a>,
    pub(crate) client: ClientIdentity,
    pub(crate) place: Place,
}

/// Decides about one datagram.
pub(crate) fn handle(engine: &mut Engine, now: Time, packet: &Packet<'_>, outbox: &mut Outbox) {
    engine.counters.count(Counter::Received);
    if let Err(reason) = decide(engine, now, packet, outbox) {
        engine.counters.count(reason);
    }
}

fn decide(engine: &mut Engine, now: Time, packet: &Packet<'_>, outbox: &mut Outbox) -> Result<(), Counter> {
    if now.since(packet.received) > TOO_OLD {
        return Err(Counter::DroppedTooOld);
    }
    let message = match Message::parse(packet.bytes) {
        Ok(message) => message,
        Err(refusal) => {
            engine.counters.refuse(refusal);
            return Ok(());
        }
    };
    if message.op() != Op::BootRequest {
        return Err(Counter::DroppedNotForServer);
    }
    let message_type = message.message_type().ok_or(Counter::DroppedBootp)?;
    let client = ClientIdentity::from_message(&message).map_err(|_| Counter::DroppedNoIdentity)?;
    engine.counters.count(kind(message_type, &message, packet)?);
    let place = Place::of(engine, &message, packet)?;
    let request = Request { message, packet, client, place };
    match message_type {
        MessageType::Discover => discover::discover(engine, now, &request, outbox),
        MessageType::Request if request.message.server_identifier().is_some() => {
            select::select(engine, now, &request, outbox)
        }
        MessageType::Request => extend::extend(engine, now, &request, outbox),
        MessageType::Release => give_back::release(engine, now, &request, outbox),
        MessageType::Decline => give_back::decline(engine, now, &request, outbox),
        MessageType::Inform => inform::inform(engine, now, &request, outbox),
        _ => Err(Counter::DroppedNotForServer),
    }
}

/// Which counter a message belongs to: for DHCPREQUEST the state that the client is in (RFC 2131 4.3.2).
fn kind(message_type: MessageType, message: &Message<'_>, packet: &Packet<'_>) -> Result<Counter, Counter> {
    Ok(match message_type {
        MessageType::Discover => Counter::Discover,
        MessageType::Request if message.server_identifier().is_some() => Counter::RequestSelecting,
        MessageType::Request if message.ciaddr().is_unspecified() => Counter::RequestInitReboot,
        MessageType::Request if packet.destination.is_broadcast() || !message.giaddr().is_unspecified() => {
            Counter::RequestRebinding
        }
        MessageType::Request => Counter::RequestRenewing,
        MessageType::Release => Counter::Release,
        MessageType::Decline => Counter::Decline,
        MessageType::Inform => Counter::Inform,
        _ => return Err(Counter::DroppedNotForServer),
    })
}

impl Request<'_> {
    /// The hardware address, when the client says one.
    pub(crate) fn hardware(&self) -> Option<HardwareAddress> {
        (!self.message.chaddr().is_empty()).then(|| self.message.hardware_address())
    }
}

/// What stands between a client and an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The client holds a lease on it.
    Holds,
    /// It is FREE, and neither offered to nor reserved for another.
    Available {
        /// This client was the last that had it.
        former: bool,
    },
    /// It is another's, by lease, offer or reservation, or nobody's.
    Denied(&'static str),
}

/// How this client stands to an address.
pub(crate) fn standing(engine: &Engine, request: &Request<'_>, slot: Slot) -> Standing {
    let binding = engine.table.get(slot);
    let own = binding.client.as_ref() == Some(&request.client);
    if engine.table.subnet(slot).is_none() {
        return Standing::Denied("the configuration does not have this address any more");
    }
    if binding.reserved && !is_reserved_for(engine, request, binding.ip()) {
        return Standing::Denied("the address is reserved for another client");
    }
    match binding.status {
        BindingStatus::Active if own => Standing::Holds,
        BindingStatus::Active => Standing::Denied("another client holds a lease on this address"),
        BindingStatus::Free => match engine.table.offer_of(slot) {
            Some(offer) if offer.client != request.client => {
                Standing::Denied("the address is offered to another client")
            }
            _ => Standing::Available { former: own },
        },
        _ => Standing::Denied("the address is not in use at the moment"),
    }
}

/// The address that is reserved for this client in the network in which it asks.
pub(crate) fn reserved_slot(engine: &Engine, request: &Request<'_>) -> Option<Slot> {
    let network = request.place.network;
    let id = engine.config.reservation_of(network, request.client.client_identifier(), request.hardware())?;
    engine.table.at(engine.config.reservation(id).address)
}

fn is_reserved_for(engine: &Engine, request: &Request<'_>, address: Ipv4Addr) -> bool {
    reserved_slot(engine, request).is_some_and(|slot| engine.table.get(slot).ip() == address)
}

/// Whether a grant can be recorded.
pub(crate) fn storage_allows(engine: &Engine) -> Result<(), Counter> {
    if engine.storage == StorageHealth::Ok { Ok(()) } else { Err(Counter::DroppedStorageFull) }
}
