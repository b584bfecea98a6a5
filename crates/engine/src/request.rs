//! One DHCP message from a client, top to bottom.
//!
//! *Lives here:* [`handle`], which finds out who asks, from where and by which state (RFC 2131 4.3); one room for
//! each message below.
//! *May know:* the engine's table and configuration.
//! *Must not know:* sockets, how a reply reaches the wire.

mod bootp;
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
use crate::record::Flags;
use crate::table::Slot;
use dhcp::{ClientIdentity, HardwareAddress, Message, MessageType, Op};
use failover::binding::BindingStatus;
use failover::time::Time;
use place::Place;
use std::cell::OnceCell;

/// A message with all that every room asks of it.
pub(crate) struct Request<'a> {
    pub(crate) message: Message<'a>,
    pub(crate) packet: &'a Packet<'a>,
    pub(crate) client: ClientIdentity,
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    /// See [`reserved_slot`]: looked up once.
    reserved: OnceCell<Option<Slot>>,
}

/// What the client wants, and in which state it is (RFC 2131 4.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Discover,
    Selecting,
    InitReboot,
    Renewing,
    Rebinding,
    Release,
    Decline,
    Inform,
    /// Any request of BOOTP.
    Bootp,
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
    let client = ClientIdentity::from_message(&message).map_err(|_| Counter::DroppedNoIdentity)?;
    let kind = match message.message_type() {
        Some(of) => Kind::of(of, &message, packet).ok_or(Counter::DroppedNotForServer)?,
        None => Kind::Bootp,
    };
    engine.counters.count(kind.counter());
    let place = Place::of(engine, &message, packet)?;
    let request = Request { message, packet, client, place, kind, reserved: OnceCell::new() };
    match kind {
        Kind::Discover => discover::discover(engine, now, &request, outbox),
        Kind::Selecting => select::select(engine, now, &request, outbox),
        Kind::InitReboot | Kind::Renewing | Kind::Rebinding => extend::extend(engine, now, &request, outbox),
        Kind::Release => give_back::release(engine, now, &request, outbox),
        Kind::Decline => give_back::decline(engine, now, &request, outbox),
        Kind::Inform => inform::inform(engine, now, &request, outbox),
        Kind::Bootp => bootp::bootp(engine, now, &request, outbox),
    }
}

impl Kind {
    /// `None` for a message that no client sends.
    fn of(message_type: MessageType, message: &Message<'_>, packet: &Packet<'_>) -> Option<Kind> {
        Some(match message_type {
            MessageType::Discover => Kind::Discover,
            MessageType::Request if message.server_identifier().is_some() => Kind::Selecting,
            MessageType::Request if message.ciaddr().is_unspecified() => Kind::InitReboot,
            MessageType::Request
                if packet.destination.is_broadcast() || !message.giaddr().is_unspecified() =>
            {
                Kind::Rebinding
            }
            MessageType::Request => Kind::Renewing,
            MessageType::Release => Kind::Release,
            MessageType::Decline => Kind::Decline,
            MessageType::Inform => Kind::Inform,
            _ => return None,
        })
    }

    fn counter(self) -> Counter {
        match self {
            Kind::Discover => Counter::Discover,
            Kind::Selecting => Counter::RequestSelecting,
            Kind::InitReboot => Counter::RequestInitReboot,
            Kind::Renewing => Counter::RequestRenewing,
            Kind::Rebinding => Counter::RequestRebinding,
            Kind::Release => Counter::Release,
            Kind::Decline => Counter::Decline,
            Kind::Inform => Counter::Inform,
            Kind::Bootp => Counter::Bootp,
        }
    }
}

impl Request<'_> {
    /// The hardware address, when the client says one.
    pub(crate) fn hardware(&self) -> Option<HardwareAddress> {
        (!self.message.chaddr().is_empty()).then(|| self.message.hardware_address())
    }

    /// Whether the client sent it to this server, not to all that hear it: a relay passes what it hears to both.
    pub(crate) fn came_to_us_alone(&self) -> bool {
        !self.packet.destination.is_broadcast() && self.message.giaddr().is_unspecified()
    }
}

/// What stands between a client and an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The client holds a lease on it.
    Holds,
    /// Nobody has it, and this server may give it to this client.
    Available {
        /// This client was the last that had it.
        former: bool,
    },
    /// Nobody has it by our records, and it is not ours to give: the partner may have given it to this client.
    Partners,
    /// Nobody may have it before something is settled.
    Withheld,
    /// It is another's, by a record or the configuration, or nobody's: certain enough for a refusal.
    Denied(&'static str),
}

/// How this client stands to an address (F07-4.1-03).
pub(crate) fn standing(engine: &Engine, now: Time, request: &Request<'_>, slot: Slot) -> Standing {
    let binding = engine.table.get(slot);
    let own = binding.client.as_ref() == Some(&request.client);
    if engine.table.subnet(slot).is_none() {
        return Standing::Denied("the configuration does not have this address any more");
    }
    // F07-5.12-04.
    let theirs = !binding.reserved || reserved_slot(engine, request) == Some(slot);
    if !theirs && !engine.planted.ignore_reservations {
        return Standing::Denied("the address is reserved for another client");
    }
    let shared = engine.table.relationship(slot).is_some();
    match binding.status {
        BindingStatus::Active if own && binding.flags.contains(Flags::TOLD) => Standing::Withheld,
        BindingStatus::Active if own => Standing::Holds,
        BindingStatus::Active => Standing::Denied("another client holds a lease on this address"),
        BindingStatus::Free | BindingStatus::Backup => match engine.table.offer_of(slot) {
            Some(offer) if offer.client != request.client && shared => Standing::Withheld,
            Some(offer) if offer.client != request.client => {
                Standing::Denied("the address is offered to another client")
            }
            // F07-5.12-05: a reservation alone lets nobody give what is the partner's.
            _ if engine.planted.reserved_is_own && binding.reserved => Standing::Available { former: own },
            _ if engine.is_reserved_beside(slot) || engine.may_allocate(now, slot) => {
                Standing::Available { former: own }
            }
            _ => Standing::Partners,
        },
        // F07-5.2.2-03, trap T5: the same client again, as long as the partner was not told that it is gone. An end that was only
        // feared may be long over there, and the address another client's (trap T16).
        BindingStatus::Expired if binding.flags.contains(Flags::FEARED) => Standing::Withheld,
        BindingStatus::Expired | BindingStatus::Released
            if own && (!binding.flags.contains(Flags::TOLD) || engine.planted.same_client_after_told) =>
        {
            Standing::Available { former: true }
        }
        BindingStatus::Expired | BindingStatus::Released | BindingStatus::Reset => Standing::Withheld,
        BindingStatus::Abandoned => Standing::Denied("the address is not in use at the moment"),
    }
}

/// Whether this server answers this client about an address.
pub(crate) fn answers(engine: &Engine, request: &Request<'_>, slot: Slot) -> bool {
    let relationship = engine.table.relationship(slot);
    relationship.is_none_or(|relationship| engine.may_answer(relationship, request).is_ok())
}

/// Whether this server may give an address to this client who has not said which it has.
pub(crate) fn is_usable(engine: &Engine, now: Time, request: &Request<'_>, slot: Slot) -> bool {
    answers(engine, request, slot)
        && matches!(standing(engine, now, request, slot), Standing::Holds | Standing::Available { .. })
}

/// The address that is reserved for this client in the network in which it asks.
pub(crate) fn reserved_slot(engine: &Engine, request: &Request<'_>) -> Option<Slot> {
    *request.reserved.get_or_init(|| {
        let (network, client) = (request.place.network, &request.client);
        let id = engine.config.reservation_of(network, client.client_identifier(), request.hardware())?;
        engine.table.at(engine.config.reservation(id).address)
    })
}

/// Whether a grant can be recorded.
pub(crate) fn storage_allows(engine: &Engine) -> Result<(), Counter> {
    if engine.storage == StorageHealth::Ok { Ok(()) } else { Err(Counter::DroppedStorageFull) }
}
