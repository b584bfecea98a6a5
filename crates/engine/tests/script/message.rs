//! Messages of the failover protocol as text, with the names that the drafts give to options, and back.

use super::record::{show_heard, take_heard};
use super::words::{
    Fields, Outcome, bytes, hex, inner, number, show_client, show_interval, show_wire, split, state, status,
    take_client,
};
use failover::balance::HashBucketAssignment;
use failover::message::{
    BindingAck, BindingUpdate, BindingUpdates, ClientHardware, Connect, ConnectAccepted, ConnectAck,
    Envelope, IpFlags, Message, PROTOCOL_VERSION, RejectReason, Rejection, Relationship, RelationshipName,
    StateMessage, TandemInfo, TlsRequest, VENDOR_CLASS,
};
use failover::time::{Interval, WireTime};
use std::net::Ipv4Addr;

/// What the partner says where the script leaves it out.
#[derive(Clone)]
pub struct Defaults {
    pub now: WireTime,
    pub mclt: Interval,
    /// Another Tandem, and what it tells of itself.
    pub tandem: Option<TandemInfo>,
    /// TLS runs: it is not negotiated again.
    pub has_tls: bool,
    /// By which it is known where the dialect has no names.
    pub address: Option<Ipv4Addr>,
}

impl Defaults {
    fn vendor_class(&self) -> Vec<u8> {
        if self.tandem.is_some() { VENDOR_CLASS.to_vec() } else { b"another-1.0".to_vec() }
    }
}

/// A message with its xid; transactions stand behind `;`.
pub fn show(envelope: &Envelope) -> String {
    let mut fields = Vec::new();
    let mut items = Vec::new();
    match &envelope.message {
        Message::PoolReq | Message::UpdReq | Message::UpdReqAll | Message::UpdDone | Message::Contact => {}
        Message::PoolResp { addresses_transferred } => {
            fields.push(format!("addresses-transferred {addresses_transferred}"));
        }
        Message::BndUpd(updates) => {
            items.extend(updates.updates.iter().map(show_update));
            items.extend(updates.malformed.iter().map(|ack| format!("malformed {}", show_ack(ack))));
        }
        Message::BndAck(acks) => items.extend(acks.iter().map(show_ack)),
        Message::Connect(connect) => show_connect(connect, &mut fields),
        Message::ConnectAck(ack) => show_connect_ack(ack, &mut fields),
        Message::State(said) => {
            fields.push(said.state.to_string());
            fields.extend(said.startup.then(|| "server-flags STARTUP".to_owned()));
            fields.push(format!("start-time-of-state {}", show_wire(said.since)));
            fields.extend(said.tandem.as_ref().map(show_tandem));
        }
        Message::Disconnect(why) => show_rejection(why, &mut fields),
    }
    fields.push(format!("xid {}", envelope.xid.0));
    let head = format!("{} {}", envelope.message.message_type(), fields.join(", "));
    std::iter::once(head).chain(items).collect::<Vec<_>>().join("; ")
}

fn show_update(update: &BindingUpdate) -> String {
    let mut fields = vec![format!("{} {}", update.address, update.status)];
    let flags = [("R", update.flags.reserved), ("B", update.flags.bootp)];
    fields.extend(flags.iter().filter(|(_, is)| *is).map(|(name, _)| format!("IP-flags {name}")));
    let hardware = update.hardware.as_ref();
    show_client(
        hardware.map(|hardware| hardware.htype),
        hardware.map_or(&[], |hardware| &hardware.address),
        update.client_identifier.as_deref(),
        &mut fields,
    );
    for (name, time) in [
        ("lease-expiration-time", update.lease_expiration),
        ("potential-expiration-time", update.potential_expiration),
        ("start-time-of-state", update.start_time_of_state),
        ("client-last-transaction-time", update.client_last_transaction_time),
    ] {
        fields.extend(time.map(|time| format!("{name} {}", show_wire(time))));
    }
    fields.extend(update.ddns.as_ref().map(|ddns| format!("DDNS {}", hex(&ddns.name))));
    for (name, options) in
        [("client-request-options", &update.request_options), ("client-reply-options", &update.reply_options)]
    {
        fields.extend(options.as_ref().map(|options| format!("{name} {}", hex(&options.options))));
    }
    fields.join(", ")
}

fn show_ack(ack: &BindingAck) -> String {
    let mut fields = vec![ack.address.to_string()];
    if let Some(why) = &ack.rejected {
        show_rejection(why, &mut fields);
    }
    fields.join(", ")
}

fn show_rejection(why: &Rejection, fields: &mut Vec<String>) {
    fields.push(format!("reject-reason {}", why.reason.0));
    fields.extend(why.message.as_ref().map(|text| format!("message \"{text}\"")));
}

fn show_relationship(relationship: &Relationship) -> String {
    match relationship {
        Relationship::Name(name) => format!("relationship-name {name}"),
        Relationship::Address(address) => format!("sending-server-IP-address {address}"),
    }
}

fn show_connect(connect: &Connect, fields: &mut Vec<String>) {
    fields.push(show_relationship(&connect.relationship));
    fields.push(format!("max-unacked-bndupd {}", connect.max_unacked_bndupd));
    fields.push(format!("receive-timer {}", show_interval(connect.receive_timer)));
    fields.push(format!("vendor-class-identifier {}", connect.vendor_class.escape_ascii()));
    fields.push(format!("protocol-version {}", connect.protocol_version));
    fields.extend(connect.tls_request.map(|request| format!("TLS-request {}", request as u8)));
    fields.push(format!("MCLT {}", show_interval(connect.mclt)));
    fields.push(if connect.buckets == HashBucketAssignment::from_split(connect.buckets.split()) {
        format!("hash-bucket-assignment split {}", connect.buckets.split())
    } else {
        format!("hash-bucket-assignment {}", hex(&connect.buckets.to_bytes()))
    });
    fields.extend(connect.delayed_service.map(|seconds| format!("delayed-service-parameter {seconds}")));
    fields.extend(connect.tandem.as_ref().map(show_tandem));
}

fn show_connect_ack(ack: &ConnectAck, fields: &mut Vec<String>) {
    fields.push(show_relationship(&ack.relationship));
    fields.push(format!("protocol-version {}", ack.protocol_version));
    fields.extend(ack.tls_reply.map(|reply| format!("TLS-reply {}", u8::from(reply))));
    match &ack.answer {
        Ok(accepted) => {
            fields.push(format!("max-unacked-bndupd {}", accepted.max_unacked_bndupd));
            fields.push(format!("receive-timer {}", show_interval(accepted.receive_timer)));
            fields.push(format!("vendor-class-identifier {}", accepted.vendor_class.escape_ascii()));
            fields.extend(accepted.tandem.as_ref().map(show_tandem));
        }
        Err(why) => show_rejection(why, fields),
    }
}

fn show_tandem(tandem: &TandemInfo) -> String {
    let mut fields = vec![
        format!("store {}", tandem.store_identity[0]),
        format!("generation {}", tandem.store_generation),
        format!("last-communicated {}", show_wire(tandem.last_communicated)),
        format!("configuration {}", hex(&tandem.configuration)),
    ];
    fields.extend(tandem.storage_lost.map(|found| format!("storage-lost {}", show_wire(found))));
    fields.extend(tandem.heard.as_ref().map(show_heard));
    format!("vendor-specific-options ({})", fields.join(", "))
}

/// What a `>` line says, and the xid if it names one. `None` for BNDACK without transactions: all of them, accepted.
pub fn read(text: &str, defaults: &Defaults) -> Outcome<(Option<Message>, Option<u32>)> {
    let mut parts = split(text, ';').into_iter();
    let head = parts.next().unwrap_or_default();
    let (kind, rest) = head.split_once(' ').unwrap_or((&head, ""));
    let mut fields = Fields::of(rest);
    let xid = fields.number("xid")?;
    let message = match kind {
        "POOLREQ" => Message::PoolReq,
        "UPDREQ" => Message::UpdReq,
        "UPDREQALL" => Message::UpdReqAll,
        "UPDDONE" => Message::UpdDone,
        "CONTACT" => Message::Contact,
        "POOLRESP" => {
            Message::PoolResp { addresses_transferred: fields.number("addresses-transferred")?.unwrap_or(0) }
        }
        "BNDUPD" => {
            let updates = parts.by_ref().map(|text| read_update(&text)).collect::<Outcome<Vec<_>>>()?;
            Message::BndUpd(BindingUpdates::from(updates))
        }
        "BNDACK" => {
            let acks = parts.by_ref().map(|text| read_ack(&text)).collect::<Outcome<Vec<_>>>()?;
            if acks.is_empty() {
                fields.end()?;
                return Ok((None, xid));
            }
            Message::BndAck(acks)
        }
        "CONNECT" => Message::Connect(read_connect(&mut fields, defaults)?),
        "CONNECTACK" => Message::ConnectAck(read_connect_ack(&mut fields, defaults)?),
        "STATE" => Message::State(read_state(&mut fields, defaults)?),
        "DISCONNECT" => Message::Disconnect(read_rejection(&mut fields)?.ok_or("DISCONNECT says why")?),
        _ => return Err(format!("`{kind}` is no message")),
    };
    fields.end()?;
    match parts.next() {
        Some(part) => Err(format!("`{part}` does not belong to a {kind}")),
        None => Ok((Some(message), xid)),
    }
}

fn read_update(text: &str) -> Outcome<BindingUpdate> {
    let mut fields = Fields::of(text);
    let (address, status_name) = fields.take_first().ok_or("which address?")?;
    let mut update = BindingUpdate::new(number(&address)?, status(&status_name)?);
    while let Some(flag) = fields.take("IP-flags") {
        update.flags = IpFlags {
            reserved: update.flags.reserved || flag == "R",
            bootp: update.flags.bootp || flag == "B",
        };
    }
    let (hardware, identifier) = take_client(&mut fields)?;
    update.hardware = hardware
        .map(|hardware| ClientHardware { htype: hardware.htype(), address: hardware.as_bytes().to_vec() });
    update.client_identifier = identifier;
    update.lease_expiration = fields.wire("lease-expiration-time")?;
    update.potential_expiration = fields.wire("potential-expiration-time")?;
    update.start_time_of_state = fields.wire("start-time-of-state")?;
    update.client_last_transaction_time = fields.wire("client-last-transaction-time")?;
    fields.end()?;
    Ok(update)
}

fn read_ack(text: &str) -> Outcome<BindingAck> {
    let mut fields = Fields::of(text);
    let (address, _) = fields.take_first().ok_or("which address?")?;
    let rejected = read_rejection(&mut fields)?;
    fields.end()?;
    Ok(BindingAck { address: number(&address)?, rejected })
}

fn read_rejection(fields: &mut Fields) -> Outcome<Option<Rejection>> {
    let Some(reason) = fields.number("reject-reason")?.map(RejectReason) else { return Ok(None) };
    Ok(Some(match fields.take("message") {
        Some(text) => Rejection::saying(reason, inner(&text).to_owned()),
        None => Rejection::because(reason),
    }))
}

fn read_relationship(fields: &mut Fields, defaults: &Defaults) -> Outcome<Relationship> {
    if let Some(address) = defaults.address {
        let told = fields.take("sending-server-IP-address").map(|text| number(&text)).transpose()?;
        return Ok(Relationship::Address(told.unwrap_or(address)));
    }
    let name = fields.take("relationship-name").unwrap_or_else(|| "campus".to_owned());
    RelationshipName::new(name.as_bytes())
        .map(Relationship::Name)
        .ok_or("a name of 1 to 255 bytes".to_owned())
}

fn read_connect(fields: &mut Fields, defaults: &Defaults) -> Outcome<Connect> {
    let usual = (!defaults.has_tls).then_some(0);
    let request = match fields.number("TLS-request")?.or(usual) {
        None => None,
        Some(0) => Some(TlsRequest::No),
        Some(1) => Some(TlsRequest::Desired),
        Some(2) => Some(TlsRequest::Required),
        Some(other) => return Err(format!("TLS-request is 0, 1 or 2, not {other}")),
    };
    let buckets = match fields.take("hash-bucket-assignment") {
        Some(text) => number(text.strip_prefix("split ").ok_or("hash-bucket-assignment split N")?)?,
        None => 128,
    };
    Ok(Connect {
        relationship: read_relationship(fields, defaults)?,
        max_unacked_bndupd: fields.number("max-unacked-bndupd")?.unwrap_or(10),
        receive_timer: fields.interval("receive-timer")?.unwrap_or(Interval::from_seconds(60)),
        vendor_class: vendor_class(fields, defaults),
        protocol_version: fields.number("protocol-version")?.unwrap_or(PROTOCOL_VERSION),
        tls_request: request,
        mclt: fields.interval("MCLT")?.unwrap_or(defaults.mclt),
        buckets: HashBucketAssignment::from_split(buckets),
        delayed_service: fields.number("delayed-service-parameter")?,
        tandem: read_tandem(fields, defaults)?,
    })
}

fn vendor_class(fields: &mut Fields, defaults: &Defaults) -> Vec<u8> {
    fields.take("vendor-class-identifier").map_or_else(|| defaults.vendor_class(), String::into_bytes)
}

fn read_connect_ack(fields: &mut Fields, defaults: &Defaults) -> Outcome<ConnectAck> {
    let usual = (!defaults.has_tls).then_some(0);
    let tls_reply = match fields.number("TLS-reply")?.or(usual) {
        None => None,
        Some(0) => Some(false),
        Some(1) => Some(true),
        Some(other) => return Err(format!("TLS-reply is 0 or 1, not {other}")),
    };
    let answer = match read_rejection(fields)? {
        Some(why) => Err(why),
        None => Ok(ConnectAccepted {
            max_unacked_bndupd: fields.number("max-unacked-bndupd")?.unwrap_or(10),
            receive_timer: fields.interval("receive-timer")?.unwrap_or(Interval::from_seconds(60)),
            vendor_class: vendor_class(fields, defaults),
            tandem: read_tandem(fields, defaults)?,
        }),
    };
    Ok(ConnectAck {
        relationship: read_relationship(fields, defaults)?,
        protocol_version: fields.number("protocol-version")?.unwrap_or(PROTOCOL_VERSION),
        tls_reply,
        answer,
    })
}

fn read_state(fields: &mut Fields, defaults: &Defaults) -> Outcome<StateMessage> {
    let (name, _) = fields.take_first().ok_or("which state?")?;
    Ok(StateMessage {
        state: state(&name)?,
        startup: fields.take("server-flags").is_some_and(|flags| flags == "STARTUP"),
        since: fields.wire("start-time-of-state")?.unwrap_or(defaults.now),
        tandem: read_tandem(fields, defaults)?,
    })
}

/// What a Tandem partner says of itself; a script that names only a part of it leaves the rest as it is.
fn read_tandem(fields: &mut Fields, defaults: &Defaults) -> Outcome<Option<TandemInfo>> {
    let Some(mut tandem) = defaults.tandem else { return Ok(None) };
    if let Some(text) = fields.take("vendor-specific-options") {
        let mut fields = Fields::of(inner_brackets(&text));
        tandem.store_identity = fields.number("store")?.map_or(tandem.store_identity, |store| [store; 16]);
        tandem.store_generation = fields.number("generation")?.unwrap_or(tandem.store_generation);
        tandem.last_communicated = fields.wire("last-communicated")?.unwrap_or(tandem.last_communicated);
        tandem.storage_lost = fields.wire("storage-lost")?;
        tandem.heard = take_heard(&mut fields)?;
        if let Some(text) = fields.take("configuration") {
            tandem.configuration = bytes(&text)?.try_into().map_err(|_| "eight bytes")?;
        }
        fields.end()?;
    }
    Ok(Some(tandem))
}

/// One pair of brackets, not those that stand inside.
fn inner_brackets(text: &str) -> &str {
    text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text)
}
