//! `[[failover]]`: partners, and on what terms pools are shared with them.
//!
//! *Lives here:* [`PartnerAddresses`], the reader of these tables, which pool names which of them.
//! *May know:* the file of a shared secret, which it reads.
//! *Must not know:* sockets; what the terms mean.

use crate::keys;
use crate::places::Spans;
use crate::reader::{Section, nearest};
use crate::report::Report;
use crate::tls::{self, PartnerTls};
use crate::value::{duration_of, number_of, word_of, yes_of};
use engine::config::{Addresses, Parts, RelationshipParts};
use failover::dialect::Dialect;
use failover::digest::Secret;
use failover::state::Role;
use failover::time::Interval;
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::MetadataExt;

/// Port of the failover protocol (F07-8.2-01).
/// D12-8.2-01.
const PORT: u16 = 647;

/// MCLT where none is set: what the drafts advise (F07 5.2.1).
/// F07-5.2.1-06.
const MCLT: Interval = Interval::from_seconds(3600);

/// Most bytes that a shared secret may have.
const MAX_SECRET: u64 = 4096;

/// Where a partner is, and where it finds this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartnerAddresses {
    /// Where this server listens, and from where it connects.
    pub listen: SocketAddrV4,
    /// Where the partner listens.
    pub partner: SocketAddrV4,
}

/// All `[[failover]]` tables, in the order of the text.
pub(crate) struct Relationships {
    pub(crate) parts: Vec<RelationshipParts>,
    pub(crate) addresses: Vec<PartnerAddresses>,
    pub(crate) tls: Vec<Option<PartnerTls>>,
    pub(crate) spans: Vec<Spans>,
}

/// Reads all of them; what is wrong goes to the report.
pub(crate) fn read(top: &mut Section<'_>, report: &mut Report) -> Relationships {
    let mut all =
        Relationships { parts: Vec::new(), addresses: Vec::new(), tls: Vec::new(), spans: Vec::new() };
    for section in top.tables("failover", &keys::FAILOVER, report) {
        relationship(section, &mut all, report);
    }
    all
}

/// An MCLT above the lease time: allowed, and without use (design, 7).
pub(crate) fn warn_of_mclt(parts: &Parts, spans: &[Spans], report: &mut Report) {
    for (n, (relationship, spans)) in parts.relationships.iter().zip(spans).enumerate() {
        let subnets = parts.shared_networks.iter().flat_map(|network| &network.subnets);
        let shorter = subnets
            .filter(|subnet| subnet.pools.iter().any(|pool| pool.failover == Some(n)))
            .find(|subnet| subnet.lease.lease < relationship.mclt);
        if let Some(subnet) = shorter {
            let message = format!(
                "mclt {} is longer than lease-time {} of subnet {}: after a failure addresses are then waited for longer \
                 than any lease lasts; write at most {}",
                relationship.mclt, subnet.lease.lease, subnet.prefix, subnet.lease.lease
            );
            report.warning(spans.key("mclt"), message, "here");
        }
    }
}

impl Relationships {
    /// The number of the relationship that the key `failover` of a pool names; one that is not there goes to the report.
    pub(crate) fn named_by(&self, pool: &mut Section<'_>, report: &mut Report) -> Option<usize> {
        let (name, span) = pool.text("failover", report)?;
        let found = self.parts.iter().position(|parts| parts.name == name);
        if found.is_some() {
            return found;
        }
        let near = nearest(name, self.parts.iter().map(|parts| parts.name.as_str()));
        let help = near.map_or_else(|| "here".to_owned(), |near| format!("did you mean \"{near}\"?"));
        let message = format!("there is no [[failover]] with the name \"{}\": add it", name.escape_debug());
        report.error(span, message, &help);
        None
    }
}

fn relationship(mut section: Section<'_>, all: &mut Relationships, report: &mut Report) {
    let at = section.span();
    let name = section.require("name", report).map(|value| (value.get_ref().as_str(), value.span()));
    let spans_at = name.as_ref().map_or(at, |(_, span)| span.clone());
    let name = section.text("name", report).map_or("", |(name, _)| name);
    let role = role(&mut section, report);
    let mclt = duration_of(&mut section, "mclt", report).unwrap_or(MCLT);
    let mut parts = RelationshipParts::new(name, role, mclt);
    parts.dialect = dialect(&mut section, report);
    let range = "a number";
    if let Some(split) = number_of(&mut section, "split", range, report) {
        parts.split = u16::try_from(split).unwrap_or(u16::MAX);
    }
    let count = number_of(&mut section, "max-unacked", range, report);
    parts.max_unacked =
        count.map_or(parts.dialect.usual_max_unacked(), |count| u32::try_from(count).unwrap_or(u32::MAX));
    if let Some(timer) = duration_of(&mut section, "receive-timer", report) {
        parts.receive_timer = timer;
    }
    if let Some(interval) = duration_of(&mut section, "connect-interval", report) {
        parts.connect_interval = interval;
    }
    parts.max_clock_difference = duration_of(&mut section, "max-clock-difference", report);
    parts.startup = duration_of(&mut section, "startup-wait", report);
    parts.safe_period = safe_period(&mut section, report);
    parts.start_alone = yes_of(&mut section, "start-alone", report);
    parts.trusts_restart = word_of(&mut section, "restart-alone", &["refuse", "trust"], report) == 1;
    parts.delayed_service = delayed_service(&mut section, report);
    if parts.dialect == Dialect::Dhcpd {
        beside_dhcpd(&mut section, report);
    } else {
        parts.secret = secret(&mut section, report);
    }
    let addresses = addresses(&mut section, &parts, all, report);
    parts.addresses = Some(Addresses { own: *addresses.listen.ip(), partner: *addresses.partner.ip() });
    let partner = Some(*addresses.partner.ip()).filter(|address| !address.is_unspecified());
    let tls = tls::read(&mut section, (role, partner), report);
    let tls = tls.map(|(decided, tls)| {
        parts.tls = Some(decided);
        tls
    });
    security(&mut section, &parts, partner, report);
    let mut spans = Spans::at(spans_at);
    spans.keys_of(&section);
    section.finish(report);
    all.parts.push(parts);
    all.addresses.push(addresses);
    all.tls.push(tls);
    all.spans.push(spans);
}

fn role(section: &mut Section<'_>, report: &mut Report) -> Role {
    section.require("role", report);
    match word_of(section, "role", &["primary", "secondary"], report) {
        0 => Role::Primary,
        _ => Role::Secondary,
    }
}

fn dialect(section: &mut Section<'_>, report: &mut Report) -> Dialect {
    let kind = word_of(section, "partner-kind", &["tandem", "dhcpd"], report);
    let dialect = word_of(section, "dialect", &["draft-12", "draft-07"], report);
    let span = section.get("dialect").map(toml::Spanned::span);
    match (kind, dialect, span) {
        (1, _, None) => Dialect::Dhcpd,
        (1, _, Some(span)) => {
            let message =
                "a dhcpd speaks a dialect of its own: remove the key, `partner-kind` says it already";
            report.error(span, message.to_owned(), "here");
            Dialect::Dhcpd
        }
        (_, 1, Some(span)) => {
            let message = "in draft-07 one Tandem cannot tell the other of its store, its reservations and its pools: that \
                           its disk was lost is then known to itself alone, and a message that is repeated is not \
                           noticed. Between two Tandems remove the key";
            report.warning(span, message.to_owned(), "here");
            Dialect::Draft07
        }
        _ => Dialect::Draft12,
    }
}

/// What a dhcpd has no part of, and what it costs to have one as partner (docs/dhcpd-partner.md).
fn beside_dhcpd(section: &mut Section<'_>, report: &mut Report) {
    let mut span = |key: &'static str| section.get(key).map(toml::Spanned::span);
    if let Some(span) = span("delayed-service") {
        let message = "a dhcpd does not hear of this, and does as its own `load balance max seconds` says: set that to the \
                       same";
        report.warning(span, message.to_owned(), "here");
    }
    let message = "a dhcpd refuses a partner whose clock is more than 60 s away: keep both \
                   clocks synchronised. Where the partner down was not really down, and after a lost disk or an \
                   untold renewal, it gives one address to two clients, whoever its partner is: read docs/dhcpd-partner.md";
    report.warning(span("partner-kind").unwrap_or(0..0), message.to_owned(), "here");
}

/// Trap T11: a partner that is alive and cut off serves on, and so does this server then.
fn safe_period(section: &mut Section<'_>, report: &mut Report) -> Option<Interval> {
    let period = duration_of(section, "safe-period", report)?;
    let span = section.get("safe-period").map_or(0..0, toml::Spanned::span);
    if period < Interval::from_seconds(60) {
        let message = "a safe-period of less than a minute takes every restart of the partner for its end: write more, \
                       or remove it";
        report.error(span, message.to_owned(), "here");
        return None;
    }
    let message = "with a safe-period this server takes over by itself, without knowing that its partner is down: if \
                   only the connection between them is cut, both give the same addresses to different clients (trap \
                   T11). Without it, `tandem failover partner-down` says so";
    report.warning(span, message.to_owned(), "here");
    Some(period)
}

fn delayed_service(section: &mut Section<'_>, report: &mut Report) -> Option<u8> {
    let delay = duration_of(section, "delayed-service", report)?;
    let seconds = u8::try_from(delay.as_seconds()).ok().filter(|seconds| *seconds > 0);
    if seconds.is_none() {
        let span = section.get("delayed-service").map_or(0..0, toml::Spanned::span);
        report.error(span, "delayed-service must be from 1s to 255s, or left out".to_owned(), "here");
    }
    seconds
}

/// What is asked for and cannot be had, and what anybody on the network between the two could do.
fn security(
    section: &mut Section<'_>,
    parts: &RelationshipParts,
    partner: Option<Ipv4Addr>,
    report: &mut Report,
) {
    let [secret, tls, to] =
        ["secret-file", "tls", "partner"].map(|key| section.get(key).map(toml::Spanned::span));
    if parts.dialect == Dialect::Dhcpd {
        let own = "keep the connection on a network of its own";
        if let Some(span) = secret {
            let message =
                format!("a dhcpd neither signs messages nor looks at digests: remove the key, and {own}");
            report.error(span, message, "here");
        }
        if let Some(span) = tls {
            report.error(span, format!("a dhcpd has no TLS: remove the table, and {own}"), "here");
        }
        return;
    }
    let is_optional = parts.tls.is_some_and(|tls| !tls.is_required);
    if let Some(span) = tls.clone().filter(|_| is_optional && parts.secret.is_none()) {
        let message = "who sits between the two servers can take TLS away: write `use = \"required\"`, or add `secret-file`";
        report.warning(span, message.to_owned(), "here");
    }
    // What is written and wrong has its own error.
    let is_bare = secret.is_none() && tls.is_none() && partner.is_some_and(|address| !address.is_loopback());
    if let Some(span) = to.filter(|_| is_bare) {
        let message = "nothing proves that what comes from this address is from the partner: add [failover.tls] or \
                       `secret-file`, or keep the connection on a network of its own";
        report.remark(span, message.to_owned(), "here");
    }
}

/// The bytes of the file without the line break at its end. What it says is never part of a report.
fn secret(section: &mut Section<'_>, report: &mut Report) -> Option<Secret> {
    let (path, span) = section.text("secret-file", report)?;
    if report.is_elsewhere() {
        return None;
    }
    match read_secret(path) {
        Ok(secret) => Some(secret),
        Err(message) => {
            report.error(span, message, "here");
            None
        }
    }
}

fn read_secret(path: &str) -> Result<Secret, String> {
    let failed = |error: std::io::Error| format!("the file of the secret cannot be read: {error}");
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if about.mode() & 0o007 != 0 {
        return Err(format!(
            "everybody on this host may use the file of the secret (mode {:03o}): `chmod 0600` it, and set another secret",
            about.mode() & 0o777
        ));
    }
    let mut bytes = Vec::new();
    file.take(MAX_SECRET + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_SECRET {
        return Err(format!("the secret has more than {MAX_SECRET} bytes: is this the right file?"));
    }
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    bytes.truncate(end);
    Secret::new(bytes).ok_or_else(|| "the file of the secret is empty: put a secret into it".to_owned())
}

fn addresses(
    section: &mut Section<'_>,
    parts: &RelationshipParts,
    all: &Relationships,
    report: &mut Report,
) -> PartnerAddresses {
    let listen = address(section, "listen", report);
    let partner = address(section, "partner", report);
    let span = section.get("partner").map_or(0..0, toml::Spanned::span);
    let twin = all.parts.iter().zip(&all.addresses).zip(&all.spans).find(|((other, addresses), _)| {
        other.role == parts.role && partner.is_some_and(|partner| partner.ip() == addresses.partner.ip())
    });
    if let Some(((other, _), spans)) = twin {
        let message = format!(
            "\"{}\" has this partner in the same role already: one relationship may have any number of pools",
            other.name.escape_debug()
        );
        let at = (spans.key("partner"), "the other is here".to_owned());
        report.error_with(span, message, "here", at);
    } else if listen.is_some() && listen.map(|at| *at.ip()) == partner.map(|at| *at.ip()) {
        let message = "partner and listen are the same address: a server cannot be its own partner";
        report.error(span, message.to_owned(), "here");
    }
    let nowhere = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT);
    PartnerAddresses { listen: listen.unwrap_or(nowhere), partner: partner.unwrap_or(nowhere) }
}

/// `192.0.2.1:647`, or an address alone.
fn address(section: &mut Section<'_>, key: &'static str, report: &mut Report) -> Option<SocketAddrV4> {
    section.require(key, report);
    let (written, span) = section.text(key, report)?;
    let parsed = written
        .parse()
        .ok()
        .or_else(|| written.parse().ok().map(|address: Ipv4Addr| SocketAddrV4::new(address, PORT)));
    let Some(address) = parsed else {
        let message = "this is no IPv4 address with a port: write it like \"192.0.2.1:647\" or \"192.0.2.1\"";
        report.error(span, message.to_owned(), "here");
        return None;
    };
    let ip = address.ip();
    if ip.is_unspecified() || ip.is_broadcast() || ip.is_multicast() || address.port() == 0 {
        let message = "this is no address of one server: write the one by which the two know each other";
        report.error(span, message.to_owned(), "here");
        return None;
    }
    Some(address)
}
