//! What is recorded and what is answered.
//!
//! *Lives here:* [`grant`] (the only place where a lease begins or is extended), [`nak`], the making of replies and
//! where they go (RFC 2131 4.1, 4.3.1 table 3).
//! *Must not know:* who deserves what: that was decided before.

use super::{Kind, Request};
use crate::config::{Boot, LeaseTimes, NetworkId, OptionSet, Subnet};
use crate::counter::Counter;
use crate::engine::Engine;
use crate::event::Event;
use crate::outbox::{Destination, Outbox, Position};
use crate::record::{ClientDetails, Flags, MAX_EXTRA, Stamp};
use crate::table::{Binding, Slot};
use dhcp::{MessageType, OptionValue, ReplyHeader, Writer, code};
use failover::binding::BindingStatus;
use failover::time::{Interval, Time};
use std::net::Ipv4Addr;

/// Largest message that is sent: what an Ethernet frame of 1500 bytes holds.
const MAX_MESSAGE: usize = 1472;

/// IP and UDP headers, which option 57 counts in.
const HEADERS: usize = 28;

/// A lease without end, on the wire (RFC 2131 3.3).
const INFINITE: u32 = u32::MAX;

/// Leases an address to the client, or extends its lease: the record first, then the DHCPACK that rests on it.
/// F07-3.1.3-02.
pub(crate) fn grant(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    slot: Slot,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    give(engine, now, request, slot, Flags::NONE, outbox)
}

/// The same on the client's word alone (trap T20): before both are in NORMAL again, the partner must have agreed (T17).
pub(crate) fn take_over(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    slot: Slot,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    let flags = if engine.planted.taken_over_is_agreed { Flags::NONE } else { Flags::UNAGREED };
    give(engine, now, request, slot, flags, outbox)?;
    engine.counters.count(Counter::TakeOver);
    Ok(())
}

// F07-3.1.3-01, F07-5.2.1-13.
fn give(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    slot: Slot,
    flags: Flags,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    let lease = lease_for(engine, now, request, slot);
    if lease == Interval::ZERO {
        engine.note_lead_time_over(slot, outbox);
        return Err(Counter::DroppedLeadTimeOver);
    }
    let potential = potential_expiration(engine, now, request, slot, lease);
    let granted = record_lease(engine, now, request, slot, &Terms { lease, potential, flags }, outbox);
    let at_once = engine.planted.ack_before_stable && request.kind == Kind::InitReboot;
    let rests_on = if at_once { Position::START } else { outbox.position() };
    lease_reply(engine, now, request, MessageType::Ack, slot, lease, rests_on, outbox)?;
    engine.counters.count(Counter::Ack);
    granted.tell(engine, request, slot, lease, outbox);
    Ok(())
}

/// Leases an address to a BOOTP client for ever: the record first. The answer rests on it; with `answers` unset there is none yet.
pub(crate) fn grant_for_ever(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    slot: Slot,
    answers: bool,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    let is_shared = engine.table.relationship(slot).is_some();
    let potential = if is_shared { Stamp::NEVER } else { Stamp::NONE };
    // D12-7.1.1-01.
    let terms = Terms { lease: Interval::INFINITE, potential, flags: Flags::BOOTP };
    let granted = record_lease(engine, now, request, slot, &terms, outbox);
    granted.tell(engine, request, slot, Interval::INFINITE, outbox);
    if !answers {
        return Err(Counter::DroppedBootpUntold);
    }
    bootp_reply(engine, now, request, slot, outbox)?;
    engine.counters.count(Counter::BootpReply);
    Ok(())
}

/// On what terms an address is leased.
struct Terms {
    lease: Interval,
    potential: Stamp,
    flags: Flags,
}

/// What a lease was to its client, and to the address.
struct Granted {
    is_renewal: bool,
    is_reallocation: bool,
}

impl Granted {
    fn tell(
        self,
        engine: &mut Engine,
        request: &Request<'_>,
        slot: Slot,
        lease: Interval,
        outbox: &mut Outbox,
    ) {
        engine.counters.count(if self.is_renewal { Counter::Renewal } else { Counter::Grant });
        if self.is_reallocation {
            engine.counters.count(Counter::Reallocation);
        }
        if !self.is_renewal {
            let (address, client) = (engine.table.get(slot).ip(), request.client.clone());
            outbox.event(Event::LeaseGranted { address, client, lease });
        }
    }
}

/// Changes the binding and records it.
fn record_lease(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    slot: Slot,
    terms: &Terms,
    outbox: &mut Outbox,
) -> Granted {
    let taken = engine.is_partners(slot) && !engine.planted.taken_over_is_agreed;
    let flags = if taken { terms.flags.with(Flags::UNAGREED) } else { terms.flags };
    let end = Stamp::at_or_after(now.plus(terms.lease));
    let before = engine.table.get(slot);
    let same_client = before.client.as_ref() == Some(&request.client);
    let is_renewal = same_client && before.status == BindingStatus::Active;
    let is_reallocation = !same_client && before.client.is_some();
    let recorded = if is_renewal && !engine.planted.forget_recorded_end {
        engine.table.kept_until(slot).max(end)
    } else {
        end
    };
    let heard = heard_of(before, same_client, is_renewal, now);
    let outlive = engine.planted.times_outlive_client;
    let extras = Extras::of(request);
    // What the partner made known of the client in DNS is its own work, and stays while the client does (F07-5.11.2-03).
    let ddns = if same_client { before.details().ddns.to_vec() } else { Vec::new() };
    engine.table.withdraw_offer_to(request.place.network, &request.client);
    engine.table.change(slot, |binding| {
        if !is_renewal {
            binding.status = BindingStatus::Active;
            binding.start_time_of_state = Stamp::at_or_before(now);
        }
        if !same_client {
            if !outlive {
                binding.clear_times();
            }
            binding.client = Some(request.client.clone());
        }
        binding.flags = binding.flags.without(Flags::BOOTP.with(Flags::FEARED)).with(flags);
        if binding.doubted_until.time() <= now {
            binding.doubted_until = Stamp::NONE;
        }
        binding.lease_expiration = recorded;
        // F07-7.1.1-07: stable before the BNDUPD that says it, by resting on this very record.
        binding.sent_potential_expiration = binding.sent_potential_expiration.max(terms.potential);
        binding.client_last_transaction_time = heard;
        binding.set_client_details(request.hardware(), extras.with(&ddns));
    });
    engine.changed(slot, outbox);
    Granted { is_renewal, is_reallocation }
}

/// When a client is heard that gets a lease, or has it extended.
fn heard_of(before: &Binding, same_client: bool, renewal: bool, now: Time) -> Stamp {
    match (same_client, renewal) {
        (true, false) => before.heard_anew(now),
        // It may have been a second ahead: what was heard of a client never becomes earlier (S11).
        (true, true) => before.client_last_transaction_time.max(Stamp::at_or_before(now)),
        (false, _) => Stamp::at_or_before(now),
    }
}

/// How long a lease of this address would be: the client's wish within the bounds of the subnet, and no longer than
/// what the partner allows for (F07-5.2.1-01). Zero when there can be none.
/// F07-5.2.1-11.
pub(crate) fn lease_for(engine: &Engine, now: Time, request: &Request<'_>, slot: Slot) -> Interval {
    let desired = desired_lease(engine, request, slot);
    match engine.longest_lease(now, slot, &request.client) {
        // In whole seconds, as clients are told: what is left of one would make the record end later than the bound.
        Some(longest) => desired.min(Interval::from_seconds(longest.as_seconds())),
        None => desired,
    }
}

/// The client's wish within the bounds of the subnet.
fn desired_lease(engine: &Engine, request: &Request<'_>, slot: Slot) -> Interval {
    let times = times_of(engine, request, slot);
    let wish = request.message.lease_time().map(|seconds| match seconds {
        INFINITE => Interval::INFINITE,
        seconds => Interval::from_seconds(u64::from(seconds)),
    });
    wish.map_or(times.lease, |wish| wish.clamp(times.minimum, times.maximum))
}

/// How far ahead the partner is told to think: what the client may be given when it renews (F07-5.2.1-12).
fn potential_expiration(
    engine: &Engine,
    now: Time,
    request: &Request<'_>,
    slot: Slot,
    lease: Interval,
) -> Stamp {
    if engine.table.relationship(slot).is_none() {
        return Stamp::NONE;
    }
    let times = times_of(engine, request, slot);
    let (mut renewal, _) = renewal_times(&times, lease);
    if engine.planted.potential_without_renewal && times.renewal.is_some() {
        renewal = Interval::ZERO;
    }
    Stamp::at_or_after(now.plus(renewal).plus(desired_lease(engine, request, slot)))
}

/// Tells the client that it cannot have `address`.
pub(crate) fn nak(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    address: Ipv4Addr,
    why: &'static str,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    let mut header = ReplyHeader::answering(&request.message);
    let relayed = !header.giaddr.is_unspecified();
    if relayed {
        // RFC 2131 4.3.2: the relay must broadcast it, for the client may have no usable address.
        header.flags |= 0x8000;
    }
    let mut buffer = [0; MAX_MESSAGE];
    let mut writer = begin(&mut buffer, &header, request, MessageType::Nak);
    let full = |_| Counter::DroppedNoRoom;
    writer.address(code::SERVER_IDENTIFIER, request.place.server_identifier).map_err(full)?;
    echo_identifier(&mut writer, request).map_err(full)?;
    writer.option(code::MESSAGE, why.as_bytes()).map_err(full)?;
    let length = writer.finish(request.message.relay_agent_information().as_ref());
    let destination = if relayed {
        Destination::Relay { address: header.giaddr, source: request.place.source }
    } else {
        Destination::Broadcast { interface: request.packet.interface, source: request.place.source }
    };
    // What the refusal says rests on all that was recorded so far.
    outbox.reply(now, outbox.position(), destination, &buffer[..length]);
    engine.counters.count(Counter::Nak);
    outbox.event(Event::Refused { address, client: request.client.clone(), why });
    Ok(())
}

/// A DHCPOFFER: it rests on nothing.
pub(crate) fn offer(
    engine: &Engine,
    now: Time,
    request: &Request<'_>,
    slot: Slot,
    lease: Interval,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    lease_reply(engine, now, request, MessageType::Offer, slot, lease, Position::START, outbox)
}

/// A DHCPACK for a DHCPINFORM: options alone, no times.
pub(crate) fn parameters(
    engine: &Engine,
    now: Time,
    request: &Request<'_>,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    let ciaddr = request.message.ciaddr();
    let found = engine.config.subnet_of(ciaddr).map(|subnet| engine.config.subnet(subnet));
    let subnet = found.unwrap_or_else(|| engine.config.subnet(request.place.subnet));
    let header = ReplyHeader {
        ciaddr,
        siaddr: subnet.boot.next_server.unwrap_or(Ipv4Addr::UNSPECIFIED),
        ..ReplyHeader::answering(&request.message)
    };
    let mut buffer = [0; MAX_MESSAGE];
    let mut writer = begin(&mut buffer, &header, request, MessageType::Ack);
    let full = |_| Counter::DroppedNoRoom;
    boot_fields(&mut writer, &subnet.boot).map_err(full)?;
    writer.address(code::SERVER_IDENTIFIER, request.place.server_identifier).map_err(full)?;
    echo_identifier(&mut writer, request).map_err(full)?;
    requested_options(&mut writer, request, &subnet.options);
    let length = writer.finish(request.message.relay_agent_information().as_ref());
    let destination = destination(request, ciaddr, found.map(|subnet| subnet.network));
    outbox.reply(now, Position::START, destination, &buffer[..length]);
    Ok(())
}

#[expect(
    clippy::too_many_arguments,
    reason = "a reply is made of just these; a struct would only rename them"
)]
fn lease_reply(
    engine: &Engine,
    now: Time,
    request: &Request<'_>,
    message_type: MessageType,
    slot: Slot,
    lease: Interval,
    rests_on: Position,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    let address = engine.table.get(slot).ip();
    let times = times_of(engine, request, slot);
    let (options, boot) = parameters_of(engine, request, slot);
    let ack = message_type == MessageType::Ack;
    let header = ReplyHeader {
        ciaddr: if ack { request.message.ciaddr() } else { Ipv4Addr::UNSPECIFIED },
        yiaddr: address,
        siaddr: boot.next_server.unwrap_or(Ipv4Addr::UNSPECIFIED),
        ..ReplyHeader::answering(&request.message)
    };
    let mut buffer = [0; MAX_MESSAGE];
    let mut writer = begin(&mut buffer, &header, request, message_type);
    let full = |_| Counter::DroppedNoRoom;
    boot_fields(&mut writer, boot).map_err(full)?;
    writer.address(code::SERVER_IDENTIFIER, request.place.server_identifier).map_err(full)?;
    writer.u32(code::LEASE_TIME, wire_seconds(lease)).map_err(full)?;
    if lease != Interval::INFINITE {
        let (renewal, rebinding) = renewal_times(&times, lease);
        writer.u32(code::RENEWAL_TIME, wire_seconds(renewal)).map_err(full)?;
        writer.u32(code::REBINDING_TIME, wire_seconds(rebinding)).map_err(full)?;
    }
    echo_identifier(&mut writer, request).map_err(full)?;
    requested_options(&mut writer, request, options);
    let length = writer.finish(request.message.relay_agent_information().as_ref());
    let destination = destination(request, address, engine.table.network(slot));
    outbox.reply(now, rests_on, destination, &buffer[..length]);
    Ok(())
}

/// The answer to a BOOTP client: neither message type nor times, and no more than it is known to take (RFC 1534 2).
fn bootp_reply(
    engine: &Engine,
    now: Time,
    request: &Request<'_>,
    slot: Slot,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    let address = engine.table.get(slot).ip();
    let (options, boot) = parameters_of(engine, request, slot);
    let header = ReplyHeader {
        ciaddr: request.message.ciaddr(),
        yiaddr: address,
        siaddr: boot.next_server.unwrap_or(Ipv4Addr::UNSPECIFIED),
        ..ReplyHeader::answering(&request.message)
    };
    let mut buffer = [0; MAX_MESSAGE];
    let mut writer = Writer::for_bootp(&mut buffer, &header, request.packet.bytes.len());
    let relay = request.message.relay_agent_information();
    if let Some(information) = &relay {
        // RFC 3046 2.2: where there is no room for it, the answer goes without.
        let _ = writer.reserve_for_relay_agent_information(information);
    }
    boot_fields(&mut writer, boot).map_err(|_| Counter::DroppedNoRoom)?;
    requested_options(&mut writer, request, options);
    let length = writer.finish(relay.as_ref());
    let destination = destination(request, address, engine.table.network(slot));
    outbox.reply(now, outbox.position(), destination, &buffer[..length]);
    Ok(())
}

fn begin<'b>(
    buffer: &'b mut [u8; MAX_MESSAGE],
    header: &ReplyHeader,
    request: &Request<'_>,
    message_type: MessageType,
) -> Writer<'b> {
    let limit = request.message.max_message_size().map_or(0, usize::from).saturating_sub(HEADERS);
    let mut writer = Writer::new(buffer, header, limit);
    if let Some(information) = request.message.relay_agent_information() {
        // RFC 3046 2.2: where there is no room for it, the answer goes without.
        let _ = writer.reserve_for_relay_agent_information(&information);
    }
    writer.message_type(message_type);
    writer
}

/// RFC 6842: a client-identifier comes back as it was sent.
fn echo_identifier(writer: &mut Writer<'_>, request: &Request<'_>) -> Result<(), dhcp::NoRoom> {
    match request.client.client_identifier() {
        Some(identifier) => writer.option(code::CLIENT_IDENTIFIER, identifier),
        None => Ok(()),
    }
}

fn boot_fields(writer: &mut Writer<'_>, boot: &Boot) -> Result<(), dhcp::NoRoom> {
    if !boot.server_name.is_empty() {
        writer.sname(&boot.server_name)?;
    }
    if !boot.file.is_empty() {
        writer.file(&boot.file)?;
    }
    Ok(())
}

/// What the client asked for, in its order, the subnet mask first (RFC 2132 3.3); all that fits, when it did not say.
/// An option that finds no room is left out: the client was told the order of importance by itself.
fn requested_options(writer: &mut Writer<'_>, request: &Request<'_>, options: &OptionSet) {
    let mut write = |code: u8| {
        if let Some(value) = options.get(code)
            && !writer.contains(code)
        {
            let _ = writer.option(code, value);
        }
    };
    write(code::SUBNET_MASK);
    match request.message.parameter_request_list() {
        Some(list) => list.iter().for_each(write),
        // RFC 8925 3.3: V6-only-preferred is for those who ask.
        None => options
            .iter()
            .map(|(code, _)| code)
            .filter(|code| *code != code::V6_ONLY_PREFERRED)
            .for_each(write),
    }
}

/// Options and boot fields: of the reservation, else of the pool, else of the subnet.
fn parameters_of<'e>(engine: &'e Engine, request: &Request<'_>, slot: Slot) -> (&'e OptionSet, &'e Boot) {
    let config = &engine.config;
    let (subnet, binding) = (subnet_of(engine, request, slot), engine.table.get(slot));
    if binding.reserved
        && let Some(id) = config.reservation_at(binding.ip())
    {
        let reservation = config.reservation(id);
        return (&reservation.options, &reservation.boot);
    }
    let options = engine.table.pool(slot).map_or(&subnet.options, |pool| &config.pool(pool).options);
    (options, &subnet.boot)
}

fn subnet_of<'e>(engine: &'e Engine, request: &Request<'_>, slot: Slot) -> &'e Subnet {
    engine.config.subnet(engine.table.subnet(slot).unwrap_or(request.place.subnet))
}

fn times_of(engine: &Engine, request: &Request<'_>, slot: Slot) -> LeaseTimes {
    subnet_of(engine, request, slot).lease
}

/// T1 and T2 for what was granted (RFC 2131 4.4.5): as configured where that is before the end, else by fractions.
fn renewal_times(times: &LeaseTimes, lease: Interval) -> (Interval, Interval) {
    let rebinding = times.rebinding.filter(|at| *at < lease).unwrap_or(lease.fraction(7, 8));
    let renewal = times.renewal.filter(|at| *at < rebinding).unwrap_or(lease.fraction(1, 2).min(rebinding));
    (renewal, rebinding)
}

fn wire_seconds(interval: Interval) -> u32 {
    u32::try_from(interval.as_seconds()).unwrap_or(INFINITE)
}

/// RFC 2131 4.1: to the relay; to the address that the client has; else to the one that it gets, by its hardware
/// address, unless it asked for a broadcast or its hardware cannot be written into a frame (F07-3.1.2-01). `network` is that of the
/// address.
fn destination(request: &Request<'_>, address: Ipv4Addr, network: Option<NetworkId>) -> Destination {
    let (message, place) = (&request.message, &request.place);
    let interface = request.packet.interface;
    if !message.giaddr().is_unspecified() {
        return Destination::Relay { address: message.giaddr(), source: place.source };
    }
    // A DISCOVER has none by RFC 2131 table 5; believing one would let anybody have an OFFER sent to anybody. What a BOOTP client
    // says of its address goes for nothing either, unless it is the one that it gets.
    let has_address = match request.kind {
        Kind::Discover => false,
        Kind::Bootp => message.ciaddr() == address,
        _ => !message.ciaddr().is_unspecified(),
    };
    if has_address && network != place.link {
        return Destination::Routed { address: message.ciaddr(), source: place.source };
    }
    match message.hardware_address().as_ethernet() {
        Some(hardware) if has_address || !message.is_broadcast() => {
            let address = if has_address { message.ciaddr() } else { address };
            Destination::Link { interface, hardware, address, source: place.source }
        }
        _ => Destination::Broadcast { interface, source: place.source },
    }
}

/// What is kept of a request for people and hooks, without allocation: values that lie in one piece are borrowed
/// (F07-7.1.1-15).
struct Extras<'a> {
    host_name: Kept<'a>,
    relay: Kept<'a>,
    vendor_class: Kept<'a>,
    client_fqdn: Kept<'a>,
    user_class: Kept<'a>,
    subnet_selection: Kept<'a>,
}

enum Kept<'a> {
    Nothing,
    Borrowed(&'a [u8]),
    Joined(Vec<u8>),
}

impl<'a> Extras<'a> {
    fn of(request: &Request<'a>) -> Extras<'a> {
        let option = |code| Kept::of(request.message.option(code));
        Extras {
            host_name: Kept::of(request.message.host_name()),
            relay: option(code::RELAY_AGENT_INFORMATION),
            vendor_class: Kept::of(request.message.vendor_class()),
            client_fqdn: option(code::CLIENT_FQDN),
            user_class: option(code::USER_CLASS),
            subnet_selection: option(code::SUBNET_SELECTION),
        }
    }

    /// These, and what the partner told of DNS. What it answered the client is over: this server answered later.
    fn with<'k>(&'k self, ddns: &'k [u8]) -> ClientDetails<'k> {
        ClientDetails {
            host_name: self.host_name.bytes(),
            relay_agent_information: self.relay.bytes(),
            vendor_class: self.vendor_class.bytes(),
            client_fqdn: self.client_fqdn.bytes(),
            user_class: self.user_class.bytes(),
            subnet_selection: self.subnet_selection.bytes(),
            ddns,
            reply_options: &[],
        }
    }
}

impl<'a> Kept<'a> {
    fn of(value: Option<OptionValue<'a>>) -> Kept<'a> {
        match value {
            Some(value) if value.len() <= MAX_EXTRA => match value.as_slice() {
                Some(bytes) => Kept::Borrowed(bytes),
                None => Kept::Joined(value.to_vec()),
            },
            _ => Kept::Nothing,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Kept::Nothing => &[],
            Kept::Borrowed(bytes) => bytes,
            Kept::Joined(bytes) => bytes,
        }
    }
}
