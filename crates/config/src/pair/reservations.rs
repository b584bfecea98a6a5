//! Addresses that belong to one client each.
//!
//! *Lives here:* the rules PAIR-401 to PAIR-406 ([`compare`]).
//! *Must not know:* how reservations are written.

use super::finding::Finding;
use super::place::{Spot, Stated};
use super::relationship::LABELS;
use super::rules;
use super::view::{Client, Kind, Pool, Reservation, View};
use super::words::{option_name, option_value, range};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The reservations of a server, by address and by client.
struct Index<'v> {
    by_address: BTreeMap<Ipv4Addr, &'v Reservation>,
    by_client: BTreeMap<&'v Client, Vec<&'v Reservation>>,
    /// Pools by their first address; those of one server that overlap have a finding of their own.
    pools: BTreeMap<Ipv4Addr, &'v Pool>,
}

impl<'v> Index<'v> {
    fn of(view: &'v View) -> Index<'v> {
        let mut by_client: BTreeMap<&Client, Vec<&Reservation>> = BTreeMap::new();
        for reservation in &view.reservations {
            for client in &reservation.clients {
                by_client.entry(client).or_default().push(reservation);
            }
        }
        let by_address =
            view.reservations.iter().map(|reservation| (reservation.address, reservation)).collect();
        let pools = view.pools.iter().map(|pool| (pool.first, pool)).collect();
        Index { by_address, by_client, pools }
    }

    fn pool_of(&self, address: Ipv4Addr) -> Option<&'v Pool> {
        let (_, pool) = self.pools.range(..=address).next_back()?;
        (pool.last >= address).then_some(*pool)
    }
}

/// All rules about reservations.
pub(super) fn compare(views: [&View; 2], findings: &mut Vec<Finding>) {
    let indexes = views.map(Index::of);
    for (side, view) in views.into_iter().enumerate() {
        for reservation in &view.reservations {
            in_own_pool(view, side, reservation, &indexes[side], findings);
            beside(views, side, reservation, &indexes[1 - side], findings);
        }
    }
}

/// A dhcpd gives a fixed address that lies in a range to other clients as well.
fn in_own_pool(
    view: &View,
    side: usize,
    reservation: &Reservation,
    own: &Index<'_>,
    findings: &mut Vec<Finding>,
) {
    let Some(pool) = own.pool_of(reservation.address).filter(|_| view.kind == Kind::Dhcpd) else { return };
    let message = format!(
        "{} is reserved, and lies in the range {}: dhcpd gives it to other clients as well; take it out of the range, on both",
        reservation.address,
        range(pool.first, pool.last)
    );
    let finding =
        Finding::new(rules::RESERVED_IN_OWN_POOL, message).at(Some(&reservation.spot), LABELS[side]);
    findings.push(finding.at(Some(&pool.spot), "the range"));
}

/// What the other server does with the address and with the client.
fn beside(
    views: [&View; 2],
    side: usize,
    reservation: &Reservation,
    other: &Index<'_>,
    findings: &mut Vec<Finding>,
) {
    let address = reservation.address;
    let same_client =
        |twin: &&Reservation| twin.clients.iter().any(|client| reservation.clients.contains(client));
    if let Some(twin) = other.by_address.get(&address) {
        if !same_client(twin) {
            let clients = [client(reservation), client(twin)];
            let message = format!(
                "{address} belongs to {} at {}, and to {} at {}: one address for two clients; write the same client on both",
                clients[0],
                LABELS[side],
                clients[1],
                LABELS[1 - side]
            );
            say_once(rules::RESERVED_FOR_OTHER, message, side, [&reservation.spot, &twin.spot], findings);
        } else if side == 0 {
            same(reservation, twin, findings);
        }
        return;
    }
    let elsewhere = reservation.clients.iter().filter_map(|client| other.by_client.get(client)).flatten();
    let subnet = views[side].subnet_of(address).map(|subnet| subnet.prefix);
    let in_subnet = |twin: &&&Reservation| subnet.is_some_and(|subnet| subnet.contains(&twin.address));
    if let Some(twin) = elsewhere.copied().find(|twin| in_subnet(&twin)) {
        let message = format!(
            "{} has {address} at {}, and {} at {}: its address changes with the server that it meets; write the same on both",
            client(reservation),
            LABELS[side],
            twin.address,
            LABELS[1 - side]
        );
        say_once(rules::OTHER_RESERVED, message, side, [&reservation.spot, &twin.spot], findings);
    }
    if let Some(pool) = other.pool_of(address) {
        let message = format!(
            "{address} is reserved for {} at {}, and in the range {} of {}: one address for two clients; take it out of the \
             range on both, or write the reservation there too",
            client(reservation),
            LABELS[side],
            range(pool.first, pool.last),
            LABELS[1 - side]
        );
        let finding =
            Finding::new(rules::RESERVED_IN_POOL, message).at(Some(&reservation.spot), LABELS[side]);
        findings.push(finding.at(Some(&pool.spot), LABELS[1 - side]));
    } else if !reservation.clients.iter().any(|client| other.by_client.contains_key(client)) {
        let message = format!(
            "the reservation of {address} for {} is not at {}: while {} is down, the client gets another address or none; \
             write it on both",
            client(reservation),
            LABELS[1 - side],
            LABELS[side]
        );
        findings
            .push(Finding::new(rules::RESERVED_BY_ONE, message).at(Some(&reservation.spot), LABELS[side]));
    }
}

fn client(reservation: &Reservation) -> String {
    reservation.clients.first().map_or_else(|| "nobody".to_owned(), ToString::to_string)
}

/// What both servers see from their sides is said from this one's.
fn say_once(
    rule: &'static super::rules::Rule,
    message: String,
    side: usize,
    [here, there]: [&Spot; 2],
    findings: &mut Vec<Finding>,
) {
    if side == 0 {
        findings.push(Finding::new(rule, message).at(Some(here), LABELS[0]).at(Some(there), LABELS[1]));
    }
}

/// The same reservation on both: what its client gets beside the address.
fn same(ours: &Reservation, partner: &Reservation, findings: &mut Vec<Finding>) {
    let mut say = |what: String, values: [String; 2], spots: [Option<&Spot>; 2]| {
        let message = format!(
            "{what} of the reservation of {} is {} at this server and {} at its partner: write the same on both",
            ours.address, values[0], values[1]
        );
        let finding = Finding::new(rules::RESERVED_OPTIONS, message);
        let finding = finding.at(spots[0].or(Some(&ours.spot)), LABELS[0]);
        findings.push(finding.at(spots[1].or(Some(&partner.spot)), LABELS[1]));
    };
    let sides = [ours, partner];
    let codes: BTreeSet<u8> = sides.iter().flat_map(|side| side.options.keys().copied()).collect();
    for code in codes {
        let stated = sides.map(|side| side.options.get(&code));
        if stated.into_iter().flatten().any(|stated| stated.value.is_none()) {
            continue;
        }
        let bytes = stated.map(|stated| stated.and_then(|stated| stated.value.as_deref()));
        if bytes[0] != bytes[1] {
            let values =
                bytes.map(|bytes| bytes.map_or("not set".to_owned(), |bytes| option_value(code, bytes)));
            say(option_name(code), values, stated.map(spot));
        }
    }
    let keys: BTreeSet<&'static str> = sides.iter().flat_map(|side| side.boot.keys().copied()).collect();
    for key in keys {
        let stated = sides.map(|side| side.boot.get(key));
        let values = stated.map(|stated| stated.map(|stated| stated.value.as_str()));
        if values[0] != values[1] {
            let shown = values.map(|value| {
                value.map_or("not set".to_owned(), |value| format!("\"{}\"", value.escape_debug()))
            });
            say(key.to_owned(), shown, stated.map(spot));
        }
    }
}

fn spot<T>(stated: Option<&Stated<T>>) -> Option<&Spot> {
    stated.and_then(|stated| stated.spot.as_ref())
}
