//! What an operator should know beside what differs.
//!
//! *Lives here:* faults of each file by itself and what was not looked at ([`of_file`]); what no file can tell, and what a
//! dhcpd does wrong whoever its partner is ([`to_know`]).
//! *Must not know:* this host.

use super::finding::Finding;
use super::relationship::{LABELS, Pair, both};
use super::rules::{self, Rule};
use super::view::{Kind, Unread, View};
use failover::state::Role;
use std::collections::BTreeMap;

/// What is to be said of a file whatever the other says.
pub(super) fn of_file(view: &View, findings: &mut Vec<Finding>) {
    for fault in &view.faults {
        let help = if fault.help.is_empty() { "here" } else { fault.help.as_str() };
        findings.push(Finding::new(rules::FILE_FAULT, fault.message.clone()).at(Some(&fault.spot), help));
    }
    for spot in &view.borrowed {
        let message = "this file of the partner was read from this host, where it may be another: copy the partner's beside \
                       the file that includes it";
        findings.push(Finding::new(rules::BORROWED, message).at(Some(spot), "here"));
    }
    findings.extend(not_looked_at(&view.unread, &view.source.name));
}

/// All of a file in one remark: each kind of statement, where it is first, and how often.
fn not_looked_at(unread: &[Unread], main: &str) -> Option<Finding> {
    let order = |unread: &&Unread| {
        let source = &unread.spot.source.name;
        (source != main, source.clone(), unread.spot.span.start)
    };
    let first = unread.iter().min_by_key(order)?;
    let mut kinds: BTreeMap<&str, (usize, String, usize)> = BTreeMap::new();
    for one in unread {
        // Counting lines is what takes time in a large file.
        let place = || (0, one.spot.source.name.clone(), one.spot.position().0);
        let entry = kinds.entry(one.what.as_str()).or_insert_with(place);
        entry.0 += 1;
    }
    let lines: Vec<String> = kinds
        .iter()
        .map(|(what, (times, file, line))| {
            let times = if *times > 1 { format!(", {times} times") } else { String::new() };
            let place = if file == main { format!("line {line}") } else { format!("{file}:{line}") };
            format!("{what} ({place}{times})")
        })
        .collect();
    let message = format!("not looked at, so compare by hand what of it matters: {}", lines.join("; "));
    Some(Finding::new(rules::UNREAD, message).at(Some(&first.spot), "the first of them"))
}

/// What no file can tell.
pub(super) fn to_know(views: [&View; 2], pairs: &[Pair], findings: &mut Vec<Finding>) {
    let kinds = views.map(|view| view.kind);
    let sides = pairs.first().map(|pair| both(views, *pair));
    let primary = sides.and_then(|sides| sides.into_iter().find(|side| side.role.value == Role::Primary));
    let mclt = primary.and_then(|primary| primary.mclt.as_ref());
    if let Some(mclt) = mclt.filter(|_| kinds.contains(&Kind::Tandem)) {
        let message = format!(
            "a server that joins fetches all leases and is silent for the MCLT, {}, before it answers; the other serves all \
             clients meanwhile. Choose an hour in which one server is enough, and do not say partner-down",
            mclt.value
        );
        findings.push(Finding::new(rules::JOINING, message).at(mclt.spot.as_ref(), "so long"));
    }
    if kinds.contains(&Kind::Dhcpd) {
        for (rule, message) in TRAPS {
            findings.push(Finding::about(rule, "what the dhcpd does, whoever its partner is", *message));
        }
        let message = "a dhcpd refuses a partner whose clock is more than 60 s away, and corrects no time that it is told. Let \
                       NTP keep both clocks; compare them: `date +%s` on both at once, or `ssh PARTNER date +%s; date +%s`";
        findings.push(Finding::about(rules::CLOCKS, "clocks", message));
    }
    let message = "each relay, and each router with a helper address, must send to both servers: one that sends to one only has \
                   clients without service when that server is down. Compare the relays (giaddr) that each hears for some \
                   minutes: `timeout 600 tcpdump -ln 'udp dst port 67 and udp[32:4] != 0' -v | grep -o 'Gateway-IP [0-9.]*' | \
                   sort | uniq -c` on both must name the same";
    findings.push(Finding::about(rules::RELAYS, "relays", message));
    for (view, label) in views.into_iter().zip(LABELS) {
        if view.kind == Kind::Dhcpd && !view.hears_commands {
            let message = format!(
                "{label} has no `omapi-port`: where its partner is down, it can be told so only with an editor, in its stopped \
                 state, in dhcpd.leases; add `omapi-port 7911;` and a key"
            );
            let start = super::place::Spot::start_of(&view.source);
            let spot = view.relationships.first().map_or(start, |first| first.spot.clone());
            findings.push(Finding::new(rules::NO_COMMANDS, message).at(Some(&spot), label));
        }
    }
}

/// What a partner cannot heal (docs/dhcpd-partner.md).
const TRAPS: &[(&Rule, &str)] = &[
    (
        rules::TRAP_T15,
        "trap T15: a dhcpd that was off, was declared down, and starts again where it cannot reach its partner, extends leases \
         and gives addresses that the partner has given to others: start it only where it reaches its partner",
    ),
    (
        rules::TRAP_T16,
        "trap T16: a dhcpd that lost dhcpd.leases, and gets it back from a partner that did not know its last renewals, frees \
         what a client still holds: keep a copy of the file; where it is lost, wait for the longest lease before it is started",
    ),
    (
        rules::TRAP_T18,
        "trap T18: a dhcpd that is told partner-down, although the other extended leases and could not tell it, gives them to \
         others at their old end: say it only when the longest lease since the cut is over, or not at all",
    ),
];
