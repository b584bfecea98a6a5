//! The keys of `tandem.toml` and what they mean.
//!
//! *Lives here:* [`ServerConfig`], and the way from the text to the engine's parts.
//! *Must not know:* what the server does with it.

use crate::failover::{self as partners, PartnerAddresses, Relationships};
use crate::keys;
use crate::option;
use crate::places::{Places, Spans, place_fault};
use crate::reader::{Section, number, text, wrong};
use crate::report::Report;
use crate::tls::PartnerTls;
use crate::value::{bytes, duration_of, parsed, parsed_of, range, yes_of};
use dhcp::options::code;
use engine::config::{
    Boot, Config, LeaseTimes, OptionSet, Parts, Place, PoolParts, ReservationKey, ReservationParts,
    SharedNetworkParts, SubnetParts,
};
use failover::time::Interval;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// All that the server needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// `interfaces`: where clients and relays are heard; at least one.
    pub interfaces: Vec<String>,
    /// `state-directory`: the folder of the store.
    pub state_directory: PathBuf,
    /// `control-socket`: where commands are taken; `control.sock` in the state directory by default.
    pub control_socket: PathBuf,
    /// `log-level`: what is logged; `info` by default.
    pub log_level: LogLevel,
    /// `clock-wait`: how long a start waits for a synchronised clock; 60 s by default.
    pub clock_wait: Interval,
    /// `segment-size`: bytes of one file of the log; 64 MiB by default.
    pub segment_size: u64,
    /// `backlog`: packets that may wait to be decided, each of up to [`engine::backlog::BLOCK`] bytes; 131,072 by default.
    pub backlog: u32,
    /// Addresses of partners, by the number of their relationship.
    pub partners: Vec<PartnerAddresses>,
    /// What TLS with them is made with, by the number of their relationship.
    pub partner_tls: Vec<Option<PartnerTls>>,
    /// What the engine runs on.
    pub engine: Config,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What somebody must act upon.
    Error,
    /// Also what somebody should look at.
    Warning,
    /// Also what is good to know.
    Info,
    /// Also each client.
    Debug,
}

/// A subnet as it stands in the text, before it has found its shared network.
struct Read {
    parts: SubnetParts,
    spans: Spans,
    pools: Vec<Spans>,
    reservations: Vec<Spans>,
}

/// A text that was read: the configuration if it is without faults, and the parts with their places in any case.
pub(crate) struct Whole {
    pub(crate) config: Option<ServerConfig>,
    pub(crate) parts: Parts,
    pub(crate) places: Places,
    /// By the number of the relationship; unspecified where the text has none.
    pub(crate) addresses: Vec<PartnerAddresses>,
}

/// Reads the whole table; what is wrong goes to the report.
pub(crate) fn read(table: &DeTable<'_>, report: &mut Report) -> Whole {
    let mut top = Section::new(table, 0..0, &keys::TOP);
    let interfaces = interfaces(&mut top, report);
    let state_directory = top.require("state-directory", report).and_then(|value| text(value, report));
    let state_directory = state_directory.map(PathBuf::from);
    let control_socket = top.text("control-socket", report).map(|(path, _)| PathBuf::from(path));
    let log_level = log_level(&mut top, report);
    let clock_wait = duration_of(&mut top, "clock-wait", report).unwrap_or(Interval::from_seconds(60));
    let segment_size = segment_size(&mut top, report);
    let backlog = backlog(&mut top, report);
    let relationships = partners::read(&mut top, report);
    let mut spans = Spans::default();
    let options = options(&mut top, &mut spans, report);
    let lease = lease_keys(&mut top, report);
    let offer_time = duration_of(&mut top, "offer-time", report).unwrap_or(Interval::from_seconds(60));
    let decline_time =
        duration_of(&mut top, "decline-time", report).unwrap_or(Interval::from_seconds(86_400));
    let subnets: Vec<Read> = top
        .tables("subnet", &keys::SUBNET, report)
        .into_iter()
        .filter_map(|section| subnet(section, &lease, &relationships, report))
        .collect();
    let networks = top.tables("shared-network", &keys::SHARED_NETWORK, report);
    let (shared_networks, mut places) = group(networks, subnets, report);
    spans.keys_of(&top);
    places.insert(Place::Whole, spans);
    top.finish(report);
    let Relationships { parts: relationships, addresses, tls, spans } = relationships;
    let parts = Parts { shared_networks, options, offer_time, decline_time, relationships };
    partners::warn_of_mclt(&parts, &spans, report);
    places.extend(spans.into_iter().enumerate().map(|(n, spans)| (Place::Relationship(n), spans)));
    let engine = match Config::check(&parts) {
        Ok(config) => Some(config),
        Err(faults) => {
            for fault in &faults {
                place_fault(fault, &places, report);
            }
            None
        }
    };
    let named = interfaces.zip(state_directory).zip(engine);
    let config = named.map(|((interfaces, state_directory), engine)| ServerConfig {
        interfaces,
        control_socket: control_socket.unwrap_or_else(|| in_state_directory(&state_directory)),
        state_directory,
        log_level,
        clock_wait,
        segment_size,
        backlog,
        partners: addresses.clone(),
        partner_tls: tls,
        engine,
    });
    Whole { config, parts, places, addresses }
}

/// The control socket alone; a missing key goes to the report.
pub(crate) fn control_socket(table: &DeTable<'_>, report: &mut Report) -> Option<PathBuf> {
    let mut top = Section::new(table, 0..0, &keys::TOP);
    if let Some((path, _)) = top.text("control-socket", report) {
        return Some(PathBuf::from(path));
    }
    let directory = top.require("state-directory", report).and_then(|value| text(value, report))?;
    Some(in_state_directory(Path::new(directory)))
}

fn in_state_directory(state_directory: &Path) -> PathBuf {
    state_directory.join("control.sock")
}

fn options(section: &mut Section<'_>, spans: &mut Spans, report: &mut Report) -> OptionSet {
    section.get("options").map_or_else(OptionSet::default, |value| option::read(value, spans, report))
}

fn interfaces(top: &mut Section<'_>, report: &mut Report) -> Option<Vec<String>> {
    let value = top.require("interfaces", report)?;
    let Some(array) = value.get_ref().as_array() else {
        wrong(value, "names, as in [\"eth0\"]", report);
        return None;
    };
    let names: Vec<String> = array.iter().filter_map(|item| text(item, report)).map(str::to_owned).collect();
    if names.is_empty() {
        let message = "no interface is named: the server would hear nobody";
        report.error(value.span(), message.to_owned(), "name at least one");
    }
    let mut sorted = names.clone();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        report.warning(value.span(), "an interface is named twice".to_owned(), "once is enough");
    }
    Some(names)
}

fn log_level(top: &mut Section<'_>, report: &mut Report) -> LogLevel {
    match top.text("log-level", report) {
        None | Some(("info", _)) => LogLevel::Info,
        Some(("error", _)) => LogLevel::Error,
        Some(("warning", _)) => LogLevel::Warning,
        Some(("debug", _)) => LogLevel::Debug,
        Some((other, span)) => {
            let message =
                format!("`{other}` is no level: write \"error\", \"warning\", \"info\" or \"debug\"");
            report.error(span, message, "here");
            LogLevel::Info
        }
    }
}

/// Smallest, usual and largest number of packets that wait.
const BACKLOG: (u32, u32, u32) = (64, 1 << 17, 1 << 22);

fn backlog(top: &mut Section<'_>, report: &mut Report) -> u32 {
    let (smallest, usual, largest) = BACKLOG;
    let Some(value) = top.get("backlog") else { return usual };
    match number(value).map(u32::try_from) {
        Some(Ok(packets)) if (smallest..=largest).contains(&packets) => return packets,
        Some(_) => {
            let message = format!("no such backlog: write a number of packets from {smallest} to {largest}");
            report.error(value.span(), message, "here");
        }
        None => wrong(value, &format!("a number of packets from {smallest} to {largest}"), report),
    }
    usual
}

/// Smallest and usual number of bytes of a file of the log.
const SEGMENT_SIZE: (u64, u64) = (1 << 20, 64 << 20);

fn segment_size(top: &mut Section<'_>, report: &mut Report) -> u64 {
    let (smallest, usual) = SEGMENT_SIZE;
    let Some(value) = top.get("segment-size") else { return usual };
    match number(value) {
        Some(size) if size >= smallest => return size,
        Some(size) => {
            let message = format!("{size} bytes are too few: write a number of at least {smallest}");
            report.error(value.span(), message, "here");
        }
        None => wrong(value, &format!("a number of bytes, at least {smallest}"), report),
    }
    usual
}

/// The five keys of lease times, as far as they are set.
struct LeaseKeys {
    lease: Option<Interval>,
    minimum: Option<Interval>,
    maximum: Option<Interval>,
    renewal: Option<Interval>,
    rebinding: Option<Interval>,
}

fn lease_keys(section: &mut Section<'_>, report: &mut Report) -> LeaseKeys {
    LeaseKeys {
        lease: duration_of(section, "lease-time", report),
        minimum: duration_of(section, "min-lease-time", report),
        maximum: duration_of(section, "max-lease-time", report),
        renewal: duration_of(section, "renewal-time", report),
        rebinding: duration_of(section, "rebinding-time", report),
    }
}

fn lease_times(own: &LeaseKeys, top: &LeaseKeys, span: &Range<usize>, report: &mut Report) -> LeaseTimes {
    let lease = own.lease.or(top.lease);
    if lease.is_none() {
        report.error(
            span.clone(),
            "[[subnet]] needs the key `lease-time`: add it here or at the top".to_owned(),
            "here",
        );
    }
    let lease = lease.unwrap_or(Interval::from_seconds(3600));
    if lease < Interval::from_seconds(60) {
        let message = "leases of less than a minute: clients will do little else than renew";
        report.warning(span.clone(), message.to_owned(), "here");
    }
    let defaults = LeaseTimes::of(lease);
    LeaseTimes {
        lease,
        minimum: own.minimum.or(top.minimum).unwrap_or(defaults.minimum),
        maximum: own.maximum.or(top.maximum).unwrap_or(defaults.maximum),
        renewal: own.renewal.or(top.renewal),
        rebinding: own.rebinding.or(top.rebinding),
    }
}

fn subnet(
    mut section: Section<'_>,
    top: &LeaseKeys,
    relationships: &Relationships,
    report: &mut Report,
) -> Option<Read> {
    let span = section.span();
    let prefix = section.require("prefix", report).and_then(|value| {
        parsed::<Ipv4Net>(value, "a prefix like \"10.1.0.0/16\"", report).map(|p| (p, value.span()))
    });
    let keys = lease_keys(&mut section, report);
    let at = prefix.as_ref().map_or(span, |(_, span)| span.clone());
    let lease = lease_times(&keys, top, &at, report);
    let mut spans = Spans::at(at);
    let options = options(&mut section, &mut spans, report);
    let boot = boot(&mut section, report);
    let mut read = Read {
        parts: SubnetParts {
            prefix: prefix.as_ref().map_or(Ipv4Net::default(), |(prefix, _)| *prefix),
            lease,
            options,
            boot,
            pools: Vec::new(),
            reservations: Vec::new(),
        },
        spans,
        pools: Vec::new(),
        reservations: Vec::new(),
    };
    for pool in section.tables("pool", &keys::POOL, report) {
        self::pool(pool, relationships, &mut read, report);
    }
    for reservation in section.tables("reservation", &keys::RESERVATION, report) {
        self::reservation(reservation, &mut read, report);
    }
    read.spans.keys_of(&section);
    section.finish(report);
    if read.parts.pools.is_empty() && read.parts.reservations.is_empty() {
        let message = "this subnet has neither pool nor reservation: its clients get no address";
        report.warning(read.spans.part.clone(), message.to_owned(), "here");
    }
    prefix.map(|_| read)
}

fn boot(section: &mut Section<'_>, report: &mut Report) -> Boot {
    let bytes =
        |text: Option<(&str, Range<usize>)>| text.map_or_else(Vec::new, |(text, _)| text.as_bytes().to_vec());
    Boot {
        next_server: parsed_of(section, "next-server", "an address", report),
        server_name: bytes(section.text("server-name", report)),
        file: bytes(section.text("boot-file", report)),
    }
}

fn pool(mut section: Section<'_>, relationships: &Relationships, read: &mut Read, report: &mut Report) {
    let failover = relationships.named_by(&mut section, report);
    let dynamic_bootp = yes_of(&mut section, "dynamic-bootp", report);
    let mut spans = Spans::default();
    let options = options(&mut section, &mut spans, report);
    spans.keys_of(&section);
    if let Some(value) = section.require("range", report) {
        let values: Vec<_> =
            value.get_ref().as_array().map_or_else(|| vec![value], |array| array.iter().collect());
        for value in values {
            if let Some((first, last)) = range(value, report) {
                read.parts.pools.push(PoolParts {
                    first,
                    last,
                    options: options.clone(),
                    failover,
                    dynamic_bootp,
                });
                read.pools.push(spans.clone().moved_to(value.span()));
            }
        }
    }
    section.finish(report);
}

fn reservation(mut section: Section<'_>, read: &mut Read, report: &mut Report) {
    let span = section.span();
    let hardware =
        parsed_of(&mut section, "hardware-address", "a hardware address like \"02:00:00:00:00:01\"", report);
    let identifier = section.text("client-identifier", report).and_then(|(text, span)| {
        let identifier = bytes(text);
        if identifier.is_none() {
            report.error(span, "write it like \"hex:01:02:03\" or \"text:printer\"".to_owned(), "here");
        }
        identifier
    });
    let key = match (hardware, identifier) {
        (Some(hardware), None) => Some(ReservationKey::Hardware(hardware)),
        (None, Some(identifier)) => Some(ReservationKey::ClientIdentifier(identifier)),
        (None, None) => {
            let message = "a reservation needs one of `hardware-address` and `client-identifier`";
            report.error(span, message.to_owned(), "here");
            None
        }
        (Some(_), Some(_)) => {
            let message =
                "a reservation is for one of `hardware-address` and `client-identifier`: remove the other";
            report.error(span, message.to_owned(), "here");
            None
        }
    };
    let at = section.require("address", report);
    let address = at.and_then(|value| parsed(value, "an address", report));
    let mut spans = Spans::default();
    let mut options = options(&mut section, &mut spans, report);
    if let Some((name, span)) = section.text("host-name", report) {
        spans.option(code::HOST_NAME, span.clone());
        if options.set(code::HOST_NAME, name.as_bytes()) {
            report.error(span, "host-name is set as an option too: remove one of the two".to_owned(), "here");
        }
    }
    let boot = boot(&mut section, report);
    spans.keys_of(&section);
    section.finish(report);
    if let (Some(key), Some(address), Some(at)) = (key, address, at) {
        read.parts.reservations.push(ReservationParts { key, address, options, boot });
        read.reservations.push(spans.moved_to(at.span()));
    }
}

/// Puts subnets into their shared networks; those in none are networks of their own.
fn group(
    sections: Vec<Section<'_>>,
    subnets: Vec<Read>,
    report: &mut Report,
) -> (Vec<SharedNetworkParts>, Places) {
    let (mut networks, mut places) = (Vec::new(), Places::new());
    let by_prefix: BTreeMap<Ipv4Net, usize> =
        subnets.iter().enumerate().map(|(n, read)| (read.parts.prefix, n)).collect();
    let mut left: Vec<Option<Read>> = subnets.into_iter().map(Some).collect();
    for mut section in sections {
        let name = section.require("name", report).and_then(|value| text(value, report)).unwrap_or_default();
        let mut network = SharedNetworkParts { name: name.to_owned(), subnets: Vec::new() };
        let n = networks.len();
        places.insert(Place::SharedNetwork(n), Spans::at(section.span()));
        let listed = section.require("subnets", report).and_then(|value| value.get_ref().as_array());
        for value in listed.into_iter().flatten() {
            let Some(prefix) = parsed::<Ipv4Net>(value, "a prefix like \"10.1.0.0/16\"", report) else {
                continue;
            };
            match by_prefix.get(&prefix).map(|at| left[*at].take()) {
                Some(Some(read)) => add(&mut network, n, read, &mut places),
                Some(None) => {
                    let message =
                        format!("subnet {prefix} is in a shared network already: a wire is one network");
                    report.error(value.span(), message, "here");
                }
                None => {
                    let message =
                        format!("there is no [[subnet]] with prefix {prefix}: add it, or remove it here");
                    report.error(value.span(), message, "here");
                }
            }
        }
        section.finish(report);
        networks.push(network);
    }
    for read in left.into_iter().flatten() {
        let mut network = SharedNetworkParts { name: read.parts.prefix.to_string(), subnets: Vec::new() };
        places.insert(Place::SharedNetwork(networks.len()), Spans::at(read.spans.part.clone()));
        add(&mut network, networks.len(), read, &mut places);
        networks.push(network);
    }
    (networks, places)
}

fn add(network: &mut SharedNetworkParts, n: usize, read: Read, places: &mut Places) {
    let s = network.subnets.len();
    places.insert(Place::Subnet(n, s), read.spans);
    places.extend(read.pools.into_iter().enumerate().map(|(p, spans)| (Place::Pool(n, s, p), spans)));
    places.extend(
        read.reservations.into_iter().enumerate().map(|(r, spans)| (Place::Reservation(n, s, r), spans)),
    );
    network.subnets.push(read.parts);
}
