//! What clients are given beside an address.
//!
//! *Lives here:* the rules PAIR-312 to PAIR-319 ([`compare`]): lease times, options, where clients boot from, who is refused.
//! What differs in many subnets because it differs above them is said once.
//! *Must not know:* which addresses are shared.

use super::finding::Finding;
use super::place::{Spot, Stated};
use super::pools::SharedPools;
use super::relationship::LABELS;
use super::rules::{self, Rule};
use super::view::{Kind, Subnet, Terms, View};
use super::words::{few, option_name, option_value, range};
use dhcp::options::code;
use failover::time::Interval;
use std::collections::{BTreeMap, BTreeSet};

/// Options that are no matter of the pair: lease-time and server-identifier are each server's own.
const OWN: [u8; 2] = [code::LEASE_TIME, code::SERVER_IDENTIFIER];

/// What T1 and T2 are called in either file.
const RENEWAL: &str = "renewal-time (dhcp-renewal-time)";
const REBINDING: &str = "rebinding-time (dhcp-rebinding-time)";

/// A difference: what holds on either side, and where that is written.
struct Differs {
    rule: &'static Rule,
    /// What differs: `lease-time`, `routers`.
    what: String,
    /// What holds, for people; `None`: nothing does.
    values: [Option<String>; 2],
    spots: [Option<Spot>; 2],
}

/// Under which differences are the same: rule, what differs, where the values are written.
type Key = (u16, String, [Option<(String, usize)>; 2]);

/// Differences, with the places in which each is seen.
struct All<'v> {
    views: [&'v View; 2],
    order: Vec<Key>,
    seen: BTreeMap<Key, (Differs, Vec<String>, [Spot; 2])>,
}

/// All rules about terms, in the pools that both share, and in those subnets of both that share none.
pub(super) fn compare(views: [&View; 2], shared: &SharedPools, findings: &mut Vec<Finding>) {
    let mut all = All { views, order: Vec::new(), seen: BTreeMap::new() };
    let mut covered = BTreeSet::new();
    for (o, p) in shared {
        let [ours, partner] = [&views[0].pools[*o], &views[1].pools[*p]];
        if let Some(subnet) = views[0].subnet_of(ours.first) {
            covered.insert(subnet.prefix);
            let spots = [ours.spot.clone(), partner.spot.clone()];
            all.terms([&ours.terms, &partner.terms], subnet, &range(ours.first, ours.last), &spots);
        }
    }
    let theirs: BTreeMap<_, &Subnet> =
        views[1].subnets.iter().map(|subnet| (subnet.prefix, subnet)).collect();
    for ours in views[0].subnets.iter().filter(|subnet| !covered.contains(&subnet.prefix)) {
        if let Some(partner) = theirs.get(&ours.prefix) {
            let spots = [ours.spot.clone(), partner.spot.clone()];
            all.terms([&ours.terms, &partner.terms], ours, &ours.prefix.to_string(), &spots);
        }
    }
    for key in &all.order {
        if let Some((differs, places, spots)) = all.seen.get(key) {
            findings.push(finding(differs, places, spots));
        }
    }
}

fn finding(differs: &Differs, places: &[String], spots: &[Spot; 2]) -> Finding {
    let value = |side: usize| differs.values[side].clone().unwrap_or_else(|| "not set".to_owned());
    let advice = match differs.rule.number {
        318 => {
            "a client on the wrong network is told so by the one, and waits for the other; write `authoritative;` on both"
        }
        319 => "whether a client is served depends on which server it meets; write the same on both",
        _ => "it changes for a client with the server that it meets; write the same on both",
    };
    let message = format!(
        "{} is {} at this server and {} at its partner, in {}: {advice}",
        differs.what,
        value(0),
        value(1),
        few(places)
    );
    let mut finding = Finding::new(differs.rule, message);
    for side in [0, 1] {
        let written = differs.spots[side].as_ref();
        let label =
            if written.is_some() || differs.values[side].is_some() { LABELS[side] } else { "not set here" };
        finding = finding.at(written.or(Some(&spots[side])), label);
    }
    finding
}

fn key_of(differs: &Differs) -> Key {
    let spots = [0, 1]
        .map(|side| differs.spots[side].as_ref().map(|spot| (spot.source.name.clone(), spot.span.start)));
    // What nobody wrote is the same everywhere; what follows from the place is not.
    (differs.rule.number, differs.what.clone(), spots)
}

impl All<'_> {
    fn see(&mut self, differs: Differs, place: &str, spots: &[Spot; 2]) {
        let key = key_of(&differs);
        if let Some((_, places, _)) = self.seen.get_mut(&key) {
            places.push(place.to_owned());
            return;
        }
        self.order.push(key.clone());
        self.seen.insert(key, (differs, vec![place.to_owned()], spots.clone()));
    }

    fn terms(&mut self, terms: [&Terms; 2], subnet: &Subnet, place: &str, spots: &[Spot; 2]) {
        for differs in differences(terms, subnet, self.views) {
            self.see(differs, place, spots);
        }
    }
}

fn differences(terms: [&Terms; 2], subnet: &Subnet, views: [&View; 2]) -> Vec<Differs> {
    let mut found = Vec::new();
    times(terms, &mut found);
    options(terms, subnet, &mut found);
    let keys: BTreeSet<&'static str> = terms.iter().flat_map(|side| side.boot.keys().copied()).collect();
    for key in keys {
        let stated = terms.map(|side| side.boot.get(key));
        let values = stated.map(|stated| stated.map(|stated| format!("\"{}\"", stated.value.escape_debug())));
        differ(rules::BOOT, key, values, stated.map(spot_of), &mut found);
    }
    let authoritative = terms.map(|side| Some(yes(side.authoritative.value)));
    let spots = terms.map(|side| side.authoritative.spot.clone());
    differ(rules::AUTHORITATIVE, "authoritative", authoritative, spots, &mut found);
    refused(terms, views, &mut found);
    found
}

fn yes(yes: bool) -> String {
    if yes { "true" } else { "false" }.to_owned()
}

fn spot_of<T>(stated: Option<&Stated<T>>) -> Option<Spot> {
    stated.and_then(|stated| stated.spot.clone())
}

fn differ(
    rule: &'static Rule,
    what: &str,
    values: [Option<String>; 2],
    spots: [Option<Spot>; 2],
    found: &mut Vec<Differs>,
) {
    if values[0] != values[1] {
        found.push(Differs { rule, what: what.to_owned(), values, spots });
    }
}

fn times(terms: [&Terms; 2], found: &mut Vec<Differs>) {
    type Field = fn(&Terms) -> Option<&Stated<Interval>>;
    let fields: [(&'static Rule, &str, Field); 5] = [
        (rules::LEASE_TIME, "lease-time (default-lease-time)", |terms| Some(&terms.lease)),
        (rules::MAX_LEASE_TIME, "max-lease-time", |terms| Some(&terms.maximum)),
        (rules::MIN_LEASE_TIME, "min-lease-time", |terms| Some(&terms.minimum)),
        (rules::RENEWAL, RENEWAL, |terms| terms.renewal.as_ref()),
        (rules::RENEWAL, REBINDING, |terms| terms.rebinding.as_ref()),
    ];
    for (rule, what, field) in fields {
        let stated = terms.map(field);
        // A time that is not set is the usual part of the lease on either kind of server (RFC 2131 4.4.5).
        let usual = [0, 1].map(|side| match (what, stated[side], &terms[side].lease) {
            (RENEWAL, None, lease) => Some(lease.value.fraction(1, 2)),
            (REBINDING, None, lease) => Some(lease.value.fraction(7, 8)),
            _ => None,
        });
        let holds = [0, 1].map(|side| stated[side].map(|stated| stated.value).or(usual[side]));
        if holds[0] != holds[1] && stated != [None, None] {
            let values = holds.map(|holds| holds.map(|holds| holds.to_string()));
            differ(rule, what, values, stated.map(spot_of), found);
        }
    }
}

/// Options by code. Where a server sends a broadcast-address that follows from the prefix, the client has it anyhow.
fn options(terms: [&Terms; 2], subnet: &Subnet, found: &mut Vec<Differs>) {
    let codes: BTreeSet<u8> = terms.iter().flat_map(|side| side.options.keys().copied()).collect();
    let natural = subnet.prefix.broadcast().octets();
    for code in codes.into_iter().filter(|code| !OWN.contains(code)) {
        let stated = terms.map(|side| {
            let is_natural = |value: &Stated<Option<Vec<u8>>>| {
                code == code::BROADCAST_ADDRESS && value.value.as_deref() == Some(&natural[..])
            };
            side.options.get(&code).filter(|value| !is_natural(value))
        });
        // What is computed there cannot be compared here; that it was not looked at is said elsewhere.
        if stated.into_iter().flatten().any(|stated| stated.value.is_none()) {
            continue;
        }
        let bytes = stated.map(|stated| stated.and_then(|stated| stated.value.as_deref()));
        if bytes[0] == bytes[1] {
            continue;
        }
        let values = bytes.map(|bytes| bytes.map(|bytes| option_value(code, bytes)));
        let spots = stated.map(spot_of);
        found.push(Differs { rule: rules::OPTIONS, what: option_name(code), values, spots });
    }
}

/// Who is refused. A Tandem refuses nobody but clients of BOOTP, whom it does not know.
fn refused(terms: [&Terms; 2], views: [&View; 2], found: &mut Vec<Differs>) {
    let words: BTreeSet<&String> = terms.iter().flat_map(|side| side.refuses.keys()).collect();
    for word in words {
        if word == "bootp" && views.iter().any(|view| view.kind == Kind::Tandem) {
            continue;
        }
        let stated = terms.map(|side| side.refuses.get(word));
        let values = stated.map(|stated| {
            let refuses = stated.is_some_and(|stated| stated.value);
            Some(if refuses { "refused" } else { "served" }.to_owned())
        });
        differ(rules::REFUSED, word, values, stated.map(spot_of), found);
    }
}
