//! Records as text, and the other way round for what a server is to find in its store.

use super::words::{
    Fields, Outcome, bytes, hex, identity, inner, show_client, show_interval, show_time, show_wire, state,
    status, take_client, time,
};
use dhcp::ClientIdentity;
use engine::record::{
    AcknowledgedRecord, BindingRecord, ClientDetails, EndpointRecord, Flags, PoolRecord, Record, Stamp,
};
use failover::balance::HashBucketAssignment;
use failover::endpoint::Stored;
use failover::message::HeardStore;
use failover::state::Role;
use failover::time::{Interval, Time, WireTime};

const FLAGS: [(&str, Flags); 3] =
    [("UNSEEN", Flags::UNSEEN), ("TOLD", Flags::TOLD), ("UNAGREED", Flags::UNAGREED)];

pub fn show(record: &Record<'_>) -> String {
    match record {
        Record::Binding(binding) => show_binding(binding),
        Record::Endpoint(endpoint) => show_endpoint(endpoint),
        Record::Clock(stamp) => format!("clock {}", show_time(stamp.engine)),
        Record::Pool(pool) => show_pool(pool),
        Record::Acknowledged(acknowledged) => show_acknowledged(acknowledged),
    }
}

fn show_acknowledged(acknowledged: &AcknowledgedRecord) -> String {
    let mut fields = vec![format!("acknowledged {} {}", acknowledged.address, acknowledged.status)];
    show_stamps(
        &[
            ("sent-potential-expiration-time", acknowledged.sent_potential_expiration),
            ("acked-potential-expiration-time", acknowledged.acked_potential_expiration),
        ],
        &mut fields,
    );
    show_flags(acknowledged.flags, &mut fields);
    fields.join(", ")
}

fn show_stamps(stamps: &[(&str, Stamp)], fields: &mut Vec<String>) {
    let known = stamps.iter().filter(|(_, stamp)| *stamp != Stamp::NONE);
    fields.extend(known.map(|(name, stamp)| format!("{name} {}", show_time(stamp.time()))));
}

fn show_flags(flags: Flags, fields: &mut Vec<String>) {
    let set = FLAGS.iter().filter(|(_, flag)| flags.contains(*flag));
    fields.extend(set.map(|(name, _)| (*name).to_owned()));
}

fn show_pool(pool: &PoolRecord<'_>) -> String {
    let with = if pool.relationship.is_empty() { "nobody" } else { pool.relationship };
    format!("pool {}-{}, shared with {with}", pool.first, pool.last)
}

fn show_binding(binding: &BindingRecord<'_>) -> String {
    let mut fields = vec![format!("binding {} {}", binding.address, binding.status)];
    let known = ClientIdentity::from_bytes(binding.identity);
    let hardware = binding.hardware.as_ref();
    let identifier = known.as_ref().and_then(ClientIdentity::client_identifier);
    let address = hardware.map_or(&[][..], |hardware| hardware.as_bytes());
    show_client(hardware.map(dhcp::HardwareAddress::htype), address, identifier, &mut fields);
    let stamps = [
        ("start-time-of-state", binding.start_time_of_state),
        ("client-last-transaction-time", binding.client_last_transaction_time),
        ("lease-expiration-time", binding.lease_expiration),
        ("sent-potential-expiration-time", binding.sent_potential_expiration),
        ("acked-potential-expiration-time", binding.acked_potential_expiration),
        ("received-potential-expiration-time", binding.received_potential_expiration),
        ("doubted-until", binding.doubted_until),
    ];
    show_stamps(&stamps, &mut fields);
    let details = &binding.details;
    fields.extend(binding.reserved_for.map(|_| "reserved-for-both".to_owned()));
    for (name, bytes) in [
        ("host-name", details.host_name),
        ("relay-agent-information", details.relay_agent_information),
        ("vendor-class", details.vendor_class),
        ("client-FQDN", details.client_fqdn),
        ("user-class", details.user_class),
        ("subnet-selection", details.subnet_selection),
        ("DDNS", details.ddns),
        ("client-reply-options", details.reply_options),
    ] {
        if !bytes.is_empty() {
            fields.push(format!("{name} {}", hex(bytes)));
        }
    }
    show_flags(binding.flags, &mut fields);
    fields.join(", ")
}

fn show_endpoint(endpoint: &EndpointRecord) -> String {
    let mut fields = Vec::new();
    if let Some(stored) = &endpoint.stored {
        fields.push(format!("endpoint {}, entered {}", stored.state, show_time(stored.entered)));
        if stored.previous != stored.state {
            fields.push(format!("previous {}", stored.previous));
        }
        if let Some((state, since)) = stored.partner {
            fields.push(format!("partner {state} since {}", show_time(since)));
        }
        fields.extend(moment("last-contact", stored.last_contact));
        fields.push(format!("down-since {}", show_time(stored.down_since)));
        let flags = [
            ("storage-lost", stored.storage_lost),
            ("surely-lost", stored.surely_lost),
            ("first-run", stored.first_run),
            ("owes-everything", stored.owes_everything),
            ("partner-forgot", stored.partner_forgot),
            ("unproven", stored.unproven),
        ];
        fields.extend(flags.iter().filter(|(_, is)| *is).map(|(name, _)| (*name).to_owned()));
        fields.extend(stored.partner_loss.map(|loss| format!("partner-loss {loss:x}")));
    } else {
        fields.push("endpoint without a state".to_owned());
    }
    fields.extend(moment("last-operation", endpoint.last_operation));
    if endpoint.vouched_for != endpoint.last_operation {
        fields.push(format!("vouched-for {}", show_time(endpoint.vouched_for)));
    }
    fields.extend(moment("alive", endpoint.alive));
    fields.push(format!("MCLT {}", show_interval(endpoint.mclt)));
    fields.extend(endpoint.buckets.map(|buckets| {
        let split = HashBucketAssignment::from_bytes(buckets).split();
        format!("split {split}")
    }));
    if endpoint.delayed_service > 0 {
        fields.push(format!("delayed-service-parameter {}", endpoint.delayed_service));
    }
    if endpoint.last_connect != WireTime(0) {
        fields.push(format!("last-connect {}", show_wire(endpoint.last_connect)));
    }
    if endpoint.is_raising {
        fields.push("raising".to_owned());
    }
    fields.extend(endpoint.heard.map(|heard| show_heard(&heard)));
    fields.join(", ")
}

fn moment(name: &str, time: Time) -> Option<String> {
    (time != Time::ZERO).then(|| format!("{name} {}", show_time(time)))
}

pub fn show_heard(heard: &HeardStore) -> String {
    let (store, generation) = (heard.identity[0], heard.generation);
    format!("heard (store {store}, generation {generation}, at {})", show_wire(heard.at))
}

pub fn take_heard(fields: &mut Fields) -> Outcome<Option<HeardStore>> {
    let Some(text) = fields.take("heard") else { return Ok(None) };
    let mut fields = Fields::of(inner(&text));
    let heard = HeardStore {
        identity: [fields.number("store")?.unwrap_or(1); 16],
        generation: fields.number("generation")?.unwrap_or(1),
        at: fields.wire("at")?.unwrap_or_default(),
    };
    fields.end()?;
    Ok(Some(heard))
}

/// The bytes of `binding …` or `endpoint …`, as a `stored` line has it.
pub fn read(text: &str, role: Role, mclt: Interval) -> Outcome<Vec<u8>> {
    let mut fields = Fields::of(text);
    let (kind, rest) = fields.take_first().ok_or("what is stored?")?;
    let mut bytes = Vec::new();
    match kind.as_str() {
        "binding" => read_binding(&rest, fields, &mut bytes)?,
        "endpoint" => Record::Endpoint(read_endpoint(&rest, fields, role, mclt)?).encode(&mut bytes),
        _ => return Err(format!("`{kind}` is no record")),
    }
    Ok(bytes)
}

fn read_binding(head: &str, mut fields: Fields, out: &mut Vec<u8>) -> Outcome<()> {
    let (address, status_name) = head.split_once(' ').ok_or("address and status of the binding?")?;
    let (hardware, identifier) = take_client(&mut fields)?;
    let identity = identity(hardware, identifier.as_deref());
    let host_name = fields.take("host-name").map(|text| bytes(&text)).transpose()?.unwrap_or_default();
    let mut stamp = |name| Ok::<_, String>(Stamp::at_or_after(fields.time(name)?.unwrap_or(Time::ZERO)));
    let mut binding = BindingRecord {
        address: super::words::number(address)?,
        status: status(status_name)?,
        flags: Flags::NONE,
        start_time_of_state: stamp("start-time-of-state")?,
        client_last_transaction_time: stamp("client-last-transaction-time")?,
        lease_expiration: stamp("lease-expiration-time")?,
        sent_potential_expiration: stamp("sent-potential-expiration-time")?,
        acked_potential_expiration: stamp("acked-potential-expiration-time")?,
        received_potential_expiration: stamp("received-potential-expiration-time")?,
        doubted_until: stamp("doubted-until")?,
        hardware,
        identity: identity.as_ref().map_or(&[], |identity| identity.as_bytes()),
        details: ClientDetails { host_name: &host_name, ..ClientDetails::default() },
        reserved_for: None,
    };
    for (name, flag) in FLAGS {
        if fields.flag(name) {
            binding.flags = binding.flags.with(flag);
        }
    }
    Record::Binding(binding).encode(out);
    fields.end()
}

fn read_endpoint(head: &str, mut fields: Fields, role: Role, mclt: Interval) -> Outcome<EndpointRecord> {
    let own = state(head)?;
    let entered = fields.time("entered")?.unwrap_or(time("-1h")?);
    let partner = match fields.take("partner") {
        Some(text) => {
            let (name, since) = text.split_once(" since ").ok_or("since when is the partner in that?")?;
            Some((state(name)?, time(since)?))
        }
        None => None,
    };
    let mut record = EndpointRecord::new("campus", role);
    record.last_operation = fields.time("last-operation")?.unwrap_or(time("-10s")?);
    record.vouched_for = fields.time("vouched-for")?.unwrap_or(record.last_operation);
    record.alive = fields.time("alive")?.unwrap_or(record.last_operation);
    record.mclt = fields.interval("MCLT")?.unwrap_or(mclt);
    let split = fields.number("split")?.unwrap_or(128);
    record.buckets = Some(HashBucketAssignment::from_split(split).to_bytes());
    record.is_raising = fields.flag("raising");
    record.heard = take_heard(&mut fields)?;
    record.stored = Some(Stored {
        state: own,
        entered,
        previous: fields.take("previous").map_or(Ok(own), |text| state(&text))?,
        partner,
        last_contact: fields.time("last-contact")?.unwrap_or(record.last_operation),
        storage_lost: fields.flag("storage-lost"),
        surely_lost: fields.flag("surely-lost"),
        first_run: fields.flag("first-run"),
        down_since: fields.time("down-since")?.unwrap_or(entered),
        owes_everything: fields.flag("owes-everything"),
        partner_loss: fields.number("partner-loss")?,
        partner_forgot: fields.flag("partner-forgot"),
        unproven: fields.flag("unproven"),
    });
    fields.end()?;
    Ok(record)
}
