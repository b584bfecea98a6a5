//! `tandem status`.
//!
//! *Lives here:* the server at a glance, health first.
//! *Must not know:* how the server counts.

use crate::args::StatusArguments;
use crate::client::Server;
use crate::exit::{Code, Stop};
use crate::output::{Output, Tone, toned};
use crate::table::{Table, count, duration, moment};
use server::control::HealthState;
use server::control::json::{Network, Status};
use std::collections::{BTreeMap, BTreeSet};

/// Asks and prints.
pub(crate) fn run(arguments: &StatusArguments, output: &mut Output) -> Result<Code, Stop> {
    let server = Server::of(&arguments.server)?;
    let status: Status = server.ask("/v1/status")?;
    if arguments.json {
        let text = serde_json::to_string_pretty(&status)
            .map_err(|error| Stop::Because(Code::Failed, format!("error: no JSON: {error}")))?;
        output.line(&text)?;
    } else {
        output.line(&render(&status, output.color()))?;
    }
    Ok(match status.health.state {
        HealthState::Ok => Code::Ok,
        HealthState::Unhealthy => Code::Unhealthy,
    })
}

fn render(status: &Status, color: bool) -> String {
    let mut parts = vec![health(status, color)];
    parts.push(networks(&status.networks, color));
    parts.push(interfaces(status, color));
    parts.push(store(status, color));
    parts.extend(counters(status, color));
    parts.iter().filter(|part| !part.is_empty()).map(|part| part.join("\n")).collect::<Vec<_>>().join("\n\n")
}

fn health(status: &Status, color: bool) -> Vec<String> {
    let word = match status.health.state {
        HealthState::Ok => toned(color, Tone::Good, "HEALTHY"),
        HealthState::Unhealthy => toned(color, Tone::Bad, "UNHEALTHY"),
    };
    let now = status.now.as_ref().map_or_else(|| "unknown".to_owned(), |now| moment(&now.time));
    let mut lines = vec![format!(
        "{word}  tandem {}, up {}, engine time {now} UTC",
        status.version,
        duration(status.uptime_seconds)
    )];
    for problem in &status.health.problems {
        lines.push(format!("  {}  {problem}", toned(color, Tone::Bad, "problem")));
    }
    for warning in &status.health.warnings {
        lines.push(format!("  {}  {warning}", toned(color, Tone::Warning, "warning")));
    }
    lines
}

/// Characters of the bar of a full network.
const BAR: u64 = 20;

fn networks(networks: &[Network], color: bool) -> Vec<String> {
    let mut table = Table::new(
        &["NETWORK", "IN USE", "", "ACTIVE", "FREE", "OFFERED", "ABANDONED", "OTHER", "SIZE"],
        &[2, 3, 4, 5, 6, 7, 8],
    );
    for network in networks {
        let of = |status: &str| network.by_status.get(status).copied().unwrap_or(0);
        // Offered addresses are FREE, but not for another client.
        let free = of("FREE").saturating_sub(network.offered);
        let (active, abandoned) = (of("ACTIVE"), of("ABANDONED"));
        let used = network.size.saturating_sub(free);
        let other = used.saturating_sub(active + abandoned + network.offered);
        let percent = (used * 100).checked_div(network.size).unwrap_or(0);
        // A single address in use is seen, and a single free one too.
        let filled = (used * BAR).checked_div(network.size).unwrap_or(0);
        let filled = if used > 0 { filled.max(1) } else { 0 };
        let (full, empty) =
            (usize::try_from(filled).unwrap_or(0), usize::try_from(BAR - filled).unwrap_or(0));
        table.row(vec![
            network.name.clone(),
            format!("[{}{}]", "#".repeat(full), "-".repeat(empty)),
            format!("{percent} %"),
            count(active),
            count(free),
            count(network.offered),
            count(abandoned),
            count(other),
            count(network.size),
        ]);
    }
    headed(&table, color)
}

fn interfaces(status: &Status, color: bool) -> Vec<String> {
    let mut table = Table::new(&["INTERFACE", "STATE", "ADDRESSES"], &[]);
    for interface in &status.interfaces {
        let state = match (interface.index, interface.up) {
            (None, _) => "missing",
            (Some(_), true) => "up",
            (Some(_), false) => "down",
        };
        let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        let addresses = if addresses.is_empty() { "none".to_owned() } else { addresses.join(", ") };
        table.row(vec![interface.name.clone(), state.to_owned(), addresses]);
    }
    headed(&table, color)
}

fn store(status: &Status, color: bool) -> Vec<String> {
    let store = &status.store;
    let shell = |name: &str| status.shell_counters.get(name).copied().unwrap_or(0);
    let mut lines = vec![toned(color, Tone::Bold, "STORE")];
    let mut add = |name: &str, value: String| lines.push(format!("  {name:<18}  {value}"));
    add("health", store.health.clone());
    add("identity", format!("{}, opened {} times", store.identity, count(store.generation)));
    let waiting = store.next_position.saturating_sub(store.stable_position);
    add(
        "stable position",
        format!("{}, {} records wait for a sync", count(store.stable_position), count(waiting)),
    );
    if store.new {
        add("at the start", "the store was made".to_owned());
    } else {
        let (snapshot, log) = (count(store.snapshot_records), count(store.log_records));
        add("at the start", format!("{snapshot} records read from the snapshot, {log} from the log"));
    }
    if let Some(mean) = shell("sync-micros").checked_div(shell("syncs")) {
        add("mean sync", format!("{}.{:03} ms", mean / 1000, mean % 1000));
    }
    lines
}

/// Headings and the counters below them. Counters that are in no group stand under the last heading, if they are not 0.
const GROUPS: [(&str, &[&str], bool); 4] = [
    (
        "RECEIVED",
        &[
            "received",
            "discover",
            "request-selecting",
            "request-init-reboot",
            "request-renewing",
            "request-rebinding",
            "release",
            "decline",
            "inform",
        ],
        true,
    ),
    ("ANSWERS", &["offer", "ack", "ack-inform", "nak", "packets-sent", "replies-after-sync"], true),
    ("LEASES", &["grant", "renewal", "expiry", "reallocation", "offer-lapsed", "abandoned-freed"], true),
    ("STORAGE", &["records", "batches", "syncs", "append-failures", "snapshots", "snapshots-failed"], true),
];

/// How the counters of packets begin that got no answer.
const NO_ANSWER: [&str; 3] = ["dropped-", "refused-", "receive-"];

fn counters(status: &Status, color: bool) -> Vec<Vec<String>> {
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    all.extend(
        status.counters.iter().chain(&status.shell_counters).map(|(name, count)| (name.as_str(), *count)),
    );
    let mut shown: BTreeSet<&str> = BTreeSet::from(["sync-micros"]);
    let mut parts = Vec::new();
    for (heading, names, zeros) in GROUPS {
        let lines = names.iter().filter_map(|name| Some((*name, *all.get(name)?)));
        parts.push(group(heading, lines.filter(|(_, count)| zeros || *count > 0), color));
        shown.extend(names);
    }
    let silent = |name: &str| NO_ANSWER.iter().any(|start| name.starts_with(start)) || name == "send-errors";
    let rest =
        || all.iter().filter(|(name, count)| **count > 0 && !shown.contains(**name)).map(|(n, c)| (*n, *c));
    let no_answer = group("NO ANSWER, BY REASON", rest().filter(|(name, _)| silent(name)), color);
    parts.insert(2, no_answer);
    parts.push(group("OTHER", rest().filter(|(name, _)| !silent(name)), color));
    parts
}

fn group<'c>(heading: &str, lines: impl Iterator<Item = (&'c str, u64)>, color: bool) -> Vec<String> {
    let mut lines: Vec<String> =
        lines.map(|(name, number)| format!("  {name:<24}  {:>13}", count(number))).collect();
    if !lines.is_empty() {
        lines.insert(0, toned(color, Tone::Bold, heading));
    }
    lines
}

fn headed(table: &Table, color: bool) -> Vec<String> {
    let mut lines = table.lines();
    if lines.len() < 2 {
        return Vec::new();
    }
    if let Some(first) = lines.first_mut() {
        *first = toned(color, Tone::Bold, first);
    }
    lines
}
