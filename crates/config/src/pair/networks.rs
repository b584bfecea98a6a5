//! Subnets and shared networks of two servers.
//!
//! *Lives here:* the rules PAIR-301 to PAIR-304 ([`compare`]).
//! *Must not know:* which addresses are shared; options.

use super::finding::Finding;
use super::relationship::LABELS;
use super::rules;
use super::view::{Sharing, Subnet, View};
use super::words::few;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};

/// All rules about networks.
pub(super) fn compare(views: [&View; 2], findings: &mut Vec<Finding>) {
    for side in [0, 1] {
        for subnet in &views[side].subnets {
            missing(views, side, subnet, findings);
        }
    }
    shared_networks(views, findings);
}

/// A subnet that the other server does not have, or has with another netmask.
fn missing(views: [&View; 2], side: usize, subnet: &Subnet, findings: &mut Vec<Finding>) {
    let [this, other] = [views[side], views[1 - side]];
    let prefix = subnet.prefix;
    if other.subnets.iter().any(|twin| twin.prefix == prefix) {
        return;
    }
    let overlaps = |twin: &&Subnet| twin.prefix.contains(&prefix) || prefix.contains(&twin.prefix);
    if let Some(twin) = other.subnets.iter().find(overlaps) {
        // It is said once, from this server's side.
        if side == 0 {
            let message = format!(
                "subnet {prefix} of this server is {} at its partner: clients get different netmasks and broadcast \
                 addresses; write the same prefix on both",
                twin.prefix
            );
            let finding = Finding::new(rules::NETMASK, message).at(Some(&subnet.spot), LABELS[0]);
            findings.push(finding.at(Some(&twin.spot), LABELS[1]));
        }
        return;
    }
    let pools: Vec<_> = this.pools.iter().filter(|pool| prefix.contains(&pool.first)).collect();
    if pools.iter().any(|pool| pool.sharing != Sharing::Alone) {
        let message = format!(
            "subnet {prefix} with shared addresses is not at {}, which refuses or ignores what it hears of them, and answers \
             no client there: add it",
            LABELS[1 - side]
        );
        findings.push(Finding::new(rules::SUBNET_MISSING, message).at(Some(&subnet.spot), LABELS[side]));
    } else if !pools.is_empty() {
        let message = format!(
            "subnet {prefix} is not at {}: while this one is down, nobody answers there; add it, unless that is meant",
            LABELS[1 - side]
        );
        findings.push(Finding::new(rules::SUBNET_ALONE, message).at(Some(&subnet.spot), LABELS[side]));
    }
}

/// A wire is the unit of which a client gets one address (F07 2.2).
fn shared_networks(views: [&View; 2], findings: &mut Vec<Finding>) {
    let common: BTreeSet<Ipv4Net> = {
        let theirs: BTreeSet<Ipv4Net> = views[1].subnets.iter().map(|subnet| subnet.prefix).collect();
        views[0].subnets.iter().map(|subnet| subnet.prefix).filter(|prefix| theirs.contains(prefix)).collect()
    };
    let wires = views.map(|view| wires(view, &common));
    let mut told: BTreeSet<BTreeSet<Ipv4Net>> = BTreeSet::new();
    for prefix in &common {
        let both = [&wires[0], &wires[1]].map(|wires| wires.get(prefix).cloned().unwrap_or_default());
        if both[0] == both[1] || !told.insert(both[0].union(&both[1]).copied().collect()) {
            continue;
        }
        let names = both.map(|wire| few(&wire.iter().map(ToString::to_string).collect::<Vec<_>>()));
        let message = format!(
            "on the wire of {prefix} are {} at this server, and {} at its partner: a client that has an address of the one is \
             told by the other that it is on the wrong network; group the same subnets in shared networks on both",
            names[0], names[1]
        );
        let mut finding = Finding::new(rules::SHARED_NETWORK, message);
        for (view, label) in views.into_iter().zip(LABELS) {
            let subnet = view.subnets.iter().find(|subnet| subnet.prefix == *prefix);
            finding = finding.at(subnet.map(|subnet| &subnet.spot), label);
        }
        findings.push(finding);
    }
}

/// For each subnet that both have, those of them on its wire.
fn wires(view: &View, common: &BTreeSet<Ipv4Net>) -> BTreeMap<Ipv4Net, BTreeSet<Ipv4Net>> {
    let mut by_network: BTreeMap<usize, BTreeSet<Ipv4Net>> = BTreeMap::new();
    for subnet in view.subnets.iter().filter(|subnet| common.contains(&subnet.prefix)) {
        by_network.entry(subnet.network).or_default().insert(subnet.prefix);
    }
    let all = by_network.values().flat_map(|wire| wire.iter().map(|prefix| (*prefix, wire.clone())));
    all.collect()
}
