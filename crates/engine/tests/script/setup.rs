//! What a `server` line means.

use super::super::common::{reservation, seconds, small};
use super::words::{Fields, Outcome, hardware_of, number};
use engine::config::{Addresses, LeaseTimes, Parts, RelationshipParts, ReservationKey, TlsParts};
use failover::dialect::Dialect;
use failover::digest::Secret;
use failover::state::Role;
use failover::time::Time;
use std::net::Ipv4Addr;

/// The primary's address is 10.0.0.1, the secondary's 10.0.0.2: first that of a server in this role, then its partner's.
pub fn addresses_of(role: Role) -> [Ipv4Addr; 2] {
    let [primary, secondary] = [1, 2].map(|last| Ipv4Addr::new(10, 0, 0, last));
    if role == Role::Primary { [primary, secondary] } else { [secondary, primary] }
}

/// The configuration that a `server` line means.
pub fn parts(text: &str) -> Outcome<Parts> {
    let mut fields = Fields::of(text);
    let role = match fields.take_first().as_ref().map(|(role, _)| role.as_str()) {
        Some("primary") => Role::Primary,
        Some("secondary") => Role::Secondary,
        _ => return Err("a server is primary or secondary".to_owned()),
    };
    let mclt = fields.interval("mclt")?.unwrap_or(seconds(3600));
    let mut relationship = RelationshipParts::new("campus", role, mclt);
    relationship.split = fields.number("split")?.unwrap_or(relationship.split);
    relationship.max_unacked = fields.number("max-unacked")?.unwrap_or(relationship.max_unacked);
    relationship.receive_timer = fields.interval("receive-timer")?.unwrap_or(relationship.receive_timer);
    relationship.connect_interval =
        fields.interval("connect-interval")?.unwrap_or(relationship.connect_interval);
    relationship.max_clock_difference = fields.interval("max-clock-difference")?;
    relationship.startup = fields.interval("startup")?;
    relationship.safe_period = fields.interval("safe-period")?;
    relationship.start_alone = fields.flag("start-alone");
    relationship.trusts_restart = fields.flag("trusts-restart");
    relationship.delayed_service = fields.number("delayed-service")?;
    relationship.secret = fields.take("secret").and_then(|text| Secret::new(text.into_bytes()));
    if let Some(name) = fields.take("dialect") {
        let dialect = Dialect::ALL.into_iter().find(|dialect| dialect.name() == name);
        relationship.dialect = dialect.ok_or_else(|| format!("`{name}` is no dialect"))?;
    }
    let [own, partner] = addresses_of(role);
    relationship.addresses = Some(Addresses { own, partner });
    relationship.tls = match fields.take("tls").as_deref() {
        None => None,
        Some(use_of @ ("required" | "desired")) => {
            Some(TlsParts { is_required: use_of == "required", certificate_expires: Time::NEVER })
        }
        Some(other) => return Err(format!("tls is required or desired, not {other}")),
    };
    let mut parts = small(4);
    parts.decline_time = fields.interval("decline-time")?.unwrap_or(parts.decline_time);
    let subnet = &mut parts.shared_networks[0].subnets[0];
    subnet.lease = LeaseTimes::of(fields.interval("lease")?.unwrap_or(seconds(259_200)));
    subnet.pools[0].failover = Some(0);
    if let Some(range) = fields.take("pool") {
        let (first, last) = range.split_once('-').ok_or("a pool is FIRST-LAST")?;
        (subnet.pools[0].first, subnet.pools[0].last) = (number(first)?, number(last)?);
    }
    if let Some(text) = fields.take("reserved") {
        let (address, client) = text.split_once(" client ").ok_or("reserved ADDRESS client NUMBER")?;
        let hardware = hardware_of(number(client)?);
        let key = ReservationKey::Hardware(dhcp::HardwareAddress::ethernet(hardware));
        subnet.reservations.push(reservation(key, address));
    }
    parts.relationships = vec![relationship];
    fields.end()?;
    Ok(parts)
}
