//! `tandem status`.
//!
//! *Lives here:* the server at a glance, health first.
//! *Must not know:* how the server counts.

use crate::args::StatusArguments;
use crate::client::Server;
use crate::exit::{Code, Stop};
use crate::failover::pair;
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
        output.json(&status)?;
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
    parts.extend(status.failover.iter().map(|relationship| pair::lines(relationship, color)));
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
        // Offered addresses are FREE, or BACKUP, but not for another client.
        let free = (of("FREE") + of("BACKUP")).saturating_sub(network.offered);
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
    add("identity", format!("{}, generation {}", store.identity, count(store.generation)));
    let waiting = store.next_position.saturating_sub(store.stable_position);
    add(
        "stable position",
        format!("{}; records that wait for a sync: {}", count(store.stable_position), count(waiting)),
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

/// Counters in groups, each with its heading: two groups stand side by side.
const GROUPS: [(&str, &[&str]); 4] = [
    (
        "RECEIVED",
        &[
            "packets-received",
            "discover",
            "request-selecting",
            "request-init-reboot",
            "request-renewing",
            "request-rebinding",
            "release",
            "decline",
            "inform",
        ],
    ),
    ("ANSWERS", &["offer", "ack", "ack-inform", "nak", "packets-sent", "replies-after-sync"]),
    ("LEASES", &["grant", "renewal", "expiry", "reallocation", "offer-lapsed", "abandoned-freed"]),
    ("STORAGE", &["records", "batches", "syncs", "append-failures", "snapshots", "snapshots-failed"]),
];

/// Not shown as they are: what the shell received is, and the mean of a sync.
const HIDDEN: [&str; 2] = ["received", "sync-micros"];

/// How the counters of packets begin that got no answer.
const NO_ANSWER: [&str; 3] = ["dropped-", "refused-", "receive-"];

/// Characters of one group's lines.
const GROUP_WIDTH: usize = 36;

/// The groups; then why there was no answer; then what is in no group: the last two without zeros.
fn counters(status: &Status, color: bool) -> Vec<Vec<String>> {
    let all = status.counters.iter().chain(&status.shell_counters);
    let all: BTreeMap<&str, u64> = all.map(|(name, count)| (name.as_str(), *count)).collect();
    let mut parts: Vec<Vec<String>> = GROUPS
        .chunks(2)
        .map(|pair| {
            let groups: Vec<Vec<String>> =
                pair.iter().map(|(heading, names)| group(heading, names, &all)).collect();
            beside(&groups, color)
        })
        .collect();
    let grouped: BTreeSet<&str> =
        GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).chain(HIDDEN).collect();
    let rest = all.iter().filter(|(name, count)| **count > 0 && !grouped.contains(**name));
    let (silent, other): (Vec<&str>, Vec<&str>) = rest.map(|(name, _)| *name).partition(|name| {
        NO_ANSWER.iter().any(|start| name.starts_with(start))
            || *name == "send-errors"
            || *name == "replies-too-old"
    });
    for (heading, names) in [("NO ANSWER, BY REASON", silent), ("OTHER", other)] {
        if !names.is_empty() {
            parts.push(beside(&[group(heading, &names, &all)], color));
        }
    }
    parts
}

/// A heading, and a line for each counter that the server has.
fn group(heading: &str, names: &[&str], all: &BTreeMap<&str, u64>) -> Vec<String> {
    let counted = names.iter().filter_map(|name| Some((*name, *all.get(name)?)));
    let lines = counted.map(|(name, number)| {
        let room = (GROUP_WIDTH - 2).saturating_sub(name.len() + 1);
        format!("  {name} {:>room$}", count(number))
    });
    std::iter::once(heading.to_owned()).chain(lines).collect()
}

/// Groups side by side, their headings toned.
fn beside(groups: &[Vec<String>], color: bool) -> Vec<String> {
    let height = groups.iter().map(Vec::len).max().unwrap_or(0);
    let line = |n: usize| {
        let cells = groups.iter().map(|group| {
            let cell = format!("{:<GROUP_WIDTH$}", group.get(n).map_or("", String::as_str));
            if n == 0 { toned(color, Tone::Bold, &cell) } else { cell }
        });
        cells.collect::<Vec<_>>().join("    ").trim_end().to_owned()
    };
    (0..height).map(line).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use server::control::Health;
    use server::control::json::{Interface, Moment, Store};
    use std::net::Ipv4Addr;

    fn network(name: &str, active: u64, free: u64, offered: u64, abandoned: u64) -> Network {
        let by_status = [("ACTIVE", active), ("FREE", free), ("ABANDONED", abandoned), ("BACKUP", 0)];
        let by_status = by_status.map(|(status, count)| (status.to_owned(), count));
        let size = active + free + abandoned;
        Network { name: name.to_owned(), size, by_status: by_status.into(), offered }
    }

    fn status() -> Status {
        let named =
            |all: &[(&str, u64)]| all.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        Status {
            version: "1.2.3".to_owned(),
            uptime_seconds: 93_784,
            now: Some(Moment { time: "2026-11-24T23:06:58Z".to_owned(), seconds: Some(1_795_561_618) }),
            health: Health { state: HealthState::Ok, problems: Vec::new(), warnings: Vec::new() },
            store: Store {
                identity: "07070707-0707-4707-8707-070707070707".to_owned(),
                generation: 3,
                health: "ok".to_owned(),
                stable_position: 1_234_567,
                next_position: 1_234_579,
                new: false,
                snapshot_records: 1_000_000,
                log_records: 17,
                torn_bytes: 0,
            },
            interfaces: vec![Interface {
                name: "eth0".to_owned(),
                index: Some(2),
                up: true,
                addresses: vec![Ipv4Addr::new(10, 1, 0, 1), Ipv4Addr::new(10, 1, 0, 2)],
            }],
            failover: Vec::new(),
            networks: vec![network("hall", 60_000, 4000, 12, 3), network("10.9.0.0/24", 0, 200, 0, 0)],
            orphans: 0,
            counters: named(&[
                ("received", 2_000_000),
                ("discover", 900_000),
                ("request-renewing", 1_000_000),
                ("offer", 899_000),
                ("ack", 1_888_888),
                ("nak", 0),
                ("grant", 60_000),
                ("dropped-no-subnet", 0),
                ("dropped-unknown-client", 7),
                ("refused-bad-cookie", 1),
            ]),
            shell_counters: named(&[
                ("packets-received", 2_000_001),
                ("packets-sent", 1_900_000),
                ("syncs", 1000),
                ("sync-micros", 1_234_000),
                ("snapshots-failed", 0),
                ("receive-overflow", 12),
                ("events-not-logged", 5),
                ("reading-stopped", 0),
            ]),
        }
    }

    #[test]
    fn a_healthy_server() {
        insta::assert_snapshot!(render(&status(), false));
    }

    #[test]
    fn an_unhealthy_server_says_so_first() {
        let mut status = status();
        status.health = Health {
            state: HealthState::Unhealthy,
            problems: vec!["the store has no room".to_owned()],
            warnings: vec!["network hall has no free address".to_owned()],
        };
        let (index, up) = (None, false);
        status.interfaces.push(Interface { name: "eth7".to_owned(), index, up, addresses: Vec::new() });
        status.networks = vec![network("full", 10, 1, 1, 0)];
        status.store.new = true;
        insta::assert_snapshot!(render(&status, false));
    }

    #[test]
    fn colour_changes_no_word() {
        let (plain, colored) = (render(&status(), false), render(&status(), true));
        let mut bare = String::new();
        let mut rest = colored.as_str();
        while let Some((before, after)) = rest.split_once("\x1b[") {
            bare.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        bare.push_str(rest);
        let trimmed: Vec<&str> = bare.lines().map(str::trim_end).collect();
        assert_eq!(trimmed.join("\n"), plain);
        assert!(colored.contains("\x1b["));
    }
}
