//! `tandem leases`.
//!
//! *Lives here:* the pages of leases, one after the other, as table, JSON, or one lease in full.
//! *Must not know:* how the server finds them.
//!
//! One page at a time is held: a million leases take no more memory than a thousand.

use crate::args::LeasesArguments;
use crate::client::Server;
use crate::exit::{Code, Stop};
use crate::output::{Output, Tone};
use crate::table::moment;
use server::control::MAX_PAGE;
use server::control::json::{DnsUpdates, Lease, Leases, Moment, Octets};
use std::net::Ipv4Addr;

/// Asks and prints.
pub(crate) fn run(arguments: &LeasesArguments, output: &mut Output) -> Result<Code, Stop> {
    let server = Server::of(&arguments.server)?;
    let wanted = arguments.which.as_deref().map(Wanted::of);
    let mut printer = Printer { json: arguments.json, full: wanted.is_some(), printed: 0 };
    printer.begin(output)?;
    match wanted {
        Some(Wanted::Address(address)) => {
            let page: Leases = server.ask(&uri(arguments, Some(address), 1, true))?;
            for lease in page.leases.iter().filter(|lease| lease.address == address) {
                printer.lease(lease, output)?;
            }
        }
        Some(Wanted::Client(client)) => {
            each_page(&server, arguments, |lease| {
                if client.is(lease) { printer.lease(lease, output) } else { Ok(()) }
            })?;
        }
        None => each_page(&server, arguments, |lease| printer.lease(lease, output))?,
    }
    printer.end(output)?;
    Ok(Code::Ok)
}

fn each_page(
    server: &Server,
    arguments: &LeasesArguments,
    mut each: impl FnMut(&Lease) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut from = arguments.from;
    loop {
        let page: Leases = server.ask(&uri(arguments, from, MAX_PAGE, arguments.unused))?;
        page.leases.iter().try_for_each(&mut each)?;
        from = page.next;
        if from.is_none() {
            return Ok(());
        }
    }
}

fn uri(arguments: &LeasesArguments, from: Option<Ipv4Addr>, limit: usize, unused: bool) -> String {
    let from = from.map_or_else(String::new, |from| format!("&from={from}"));
    let status = arguments.status.as_ref().map_or_else(String::new, |status| format!("&status={status}"));
    format!("/v1/leases?limit={limit}&unused={unused}{from}{status}")
}

/// What one argument may mean.
enum Wanted {
    Address(Ipv4Addr),
    Client(ClientPattern),
}

/// A client, by its bytes or by its name.
struct ClientPattern {
    /// Hexadecimal digits in small letters, if it is written in these.
    hex: Option<String>,
    name: String,
}

impl Wanted {
    fn of(text: &str) -> Wanted {
        if let Ok(address) = text.parse() {
            return Wanted::Address(address);
        }
        let bare = text.strip_prefix("hex:").unwrap_or(text);
        let digits: String = bare.chars().filter(|c| !matches!(c, ':' | '-' | ' ')).collect();
        let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let hex = is_hex.then(|| digits.to_ascii_lowercase());
        Wanted::Client(ClientPattern { hex, name: text.to_owned() })
    }
}

impl ClientPattern {
    fn is(&self, lease: &Lease) -> bool {
        let by_hex = self.hex.as_ref().is_some_and(|hex| {
            let hardware = lease.client_hardware_address.as_ref();
            hardware
                .is_some_and(|hardware| *hardware.rsplit('/').next().unwrap_or("").replace(':', "") == *hex)
                || lease.client.as_ref().is_some_and(|client| client.bytes.hex == *hex)
        });
        let name = lease.host_name.as_ref().and_then(|name| name.text.as_ref());
        by_hex || name.is_some_and(|name| name.eq_ignore_ascii_case(&self.name))
    }
}

struct Printer {
    json: bool,
    /// All that is known of a lease, instead of a row.
    full: bool,
    printed: u64,
}

impl Printer {
    fn begin(&self, output: &mut Output) -> Result<(), Stop> {
        if self.json || self.full {
            return Ok(());
        }
        let heading =
            row(["ADDRESS", "STATUS", "LEASE ENDS (UTC)", "HARDWARE ADDRESS", "HOST NAME", "NOTES"]);
        output.line(&output.toned(Tone::Bold, &heading))
    }

    fn lease(&mut self, lease: &Lease, output: &mut Output) -> Result<(), Stop> {
        let first = self.printed == 0;
        self.printed += 1;
        if self.json {
            let text = serde_json::to_string(lease)
                .map_err(|error| Stop::Because(Code::Failed, format!("error: no JSON: {error}")))?;
            return output.line(&format!("{}{text}", if first { "[" } else { "," }));
        }
        if self.full {
            if !first {
                output.line("")?;
            }
            return full(lease).iter().try_for_each(|line| output.line(line));
        }
        output.line(&short(lease))
    }

    fn end(&self, output: &mut Output) -> Result<(), Stop> {
        match (self.json, self.printed) {
            (true, 0) => output.line("[]"),
            (true, _) => output.line("]"),
            (false, 0) if self.full => {
                output.line("no lease: the address is in no pool, or the client has never had one here")
            }
            (false, 0) => output.line("no leases"),
            (false, _) => Ok(()),
        }
    }
}

/// Widths that suit nearly all leases: rows are printed before later ones are known.
fn row([address, status, ends, hardware, host, notes]: [&str; 6]) -> String {
    let line = format!("{address:<15}  {status:<9}  {ends:<19}  {hardware:<17}  {host:<24}  {notes}");
    line.trim_end().to_owned()
}

fn short(lease: &Lease) -> String {
    row([
        &lease.address.to_string(),
        &lease.binding_status,
        &time(lease.lease_expiration_time.as_ref()),
        lease.client_hardware_address.as_deref().unwrap_or("-"),
        &octets(lease.host_name.as_ref()),
        &notes(lease).join(", "),
    ])
}

fn notes(lease: &Lease) -> Vec<&'static str> {
    let notes = [(lease.reserved, "reserved"), (lease.orphan, "in no pool")];
    notes.iter().filter(|(holds, _)| *holds).map(|(_, note)| *note).collect()
}

fn full(lease: &Lease) -> Vec<String> {
    let client = lease.client.as_ref().map(|client| &client.bytes);
    let client = client.map_or_else(
        || "-".to_owned(),
        |bytes| {
            bytes.text.as_ref().map_or_else(|| bytes.hex.clone(), |text| format!("{} ({text})", bytes.hex))
        },
    );
    let mut lines = vec![
        format!("{:<15}  {}", lease.address, lease.binding_status),
        named("client", &client),
        named("client-hardware-address", lease.client_hardware_address.as_deref().unwrap_or("-")),
        named("lease-expiration-time", &utc(lease.lease_expiration_time.as_ref())),
        named("client-last-transaction-time", &utc(lease.client_last_transaction_time.as_ref())),
        named("start-time-of-state", &utc(lease.start_time_of_state.as_ref())),
    ];
    let bytes = [
        ("host-name", &lease.host_name),
        ("vendor-class-identifier", &lease.vendor_class_identifier),
        ("relay-agent-information", &lease.relay_agent_information),
        ("client-FQDN", &lease.client_fqdn),
        ("user-class", &lease.user_class),
        ("subnet-selection", &lease.subnet_selection),
        ("client-reply-options", &lease.client_reply_options),
    ];
    lines.extend(
        bytes
            .iter()
            .filter(|(_, bytes)| bytes.is_some())
            .map(|(name, bytes)| named(name, &octets(bytes.as_ref()))),
    );
    lines.extend(lease.ddns.as_ref().map(|ddns| named("DDNS of the partner", &dns_updates(ddns))));
    if !notes(lease).is_empty() {
        lines.push(named("notes", &notes(lease).join(", ")));
    }
    lines
}

/// The name, and by the letters of F07 12.9 what the partner has done and what it controls.
fn dns_updates(ddns: &DnsUpdates) -> String {
    let flags = [
        (ddns.name_done, "C"),
        (ddns.controls_name, "A"),
        (ddns.address_done, "D"),
        (ddns.controls_address, "P"),
    ];
    let set: Vec<&str> = flags.iter().filter(|(is, _)| *is).map(|(_, letter)| *letter).collect();
    let name = ddns.name.as_deref().unwrap_or("no name");
    if set.is_empty() { name.to_owned() } else { format!("{name} ({})", set.join(" ")) }
}

fn named(name: &str, value: &str) -> String {
    format!("  {name:<28}  {value}")
}

fn time(at: Option<&Moment>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| moment(&at.time))
}

fn utc(at: Option<&Moment>) -> String {
    match at {
        Some(Moment { seconds: Some(_), .. }) => format!("{} UTC", time(at)),
        _ => time(at),
    }
}

fn octets(bytes: Option<&Octets>) -> String {
    bytes.map_or_else(
        || "-".to_owned(),
        |bytes| bytes.text.clone().unwrap_or_else(|| format!("hex:{}", bytes.hex)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use server::control::json::{Client, ClientKind};

    fn lease() -> Lease {
        let moment = |time: &str| Some(Moment { time: time.to_owned(), seconds: Some(1) });
        Lease {
            address: Ipv4Addr::new(10, 1, 16, 5),
            binding_status: "ACTIVE".to_owned(),
            client: Some(Client {
                kind: ClientKind::ClientIdentifier,
                bytes: Octets { hex: "01020000000001".to_owned(), text: None },
            }),
            client_hardware_address: Some("02:00:00:00:00:01".to_owned()),
            start_time_of_state: moment("2026-11-24T20:00:00Z"),
            client_last_transaction_time: moment("2026-11-24T23:00:00Z"),
            lease_expiration_time: moment("2026-11-25T07:00:00Z"),
            reserved: true,
            orphan: false,
            host_name: Some(Octets { hex: "7072".to_owned(), text: Some("printer".to_owned()) }),
            vendor_class_identifier: None,
            relay_agent_information: Some(Octets { hex: "0104".to_owned(), text: None }),
            client_fqdn: Some(Octets { hex: "00".to_owned(), text: Some("printer.example.".to_owned()) }),
            user_class: Some(Octets { hex: "0175".to_owned(), text: None }),
            subnet_selection: Some(Octets { hex: "0a010000".to_owned(), text: Some("10.1.0.0".to_owned()) }),
            ddns: Some(DnsUpdates {
                name: Some("printer.example.".to_owned()),
                name_done: true,
                controls_name: true,
                address_done: false,
                controls_address: true,
            }),
            client_reply_options: Some(Octets { hex: "638253633a".to_owned(), text: None }),
        }
    }

    #[test]
    fn a_lease_in_a_row_and_in_full() {
        let mut bare = lease();
        bare.client = None;
        bare.client_hardware_address = None;
        bare.lease_expiration_time = Some(Moment { time: "never".to_owned(), seconds: None });
        (bare.host_name, bare.reserved, bare.orphan) = (None, false, true);
        (bare.client_fqdn, bare.user_class, bare.subnet_selection) = (None, None, None);
        (bare.ddns, bare.client_reply_options) = (None, None);
        let shown =
            [vec![short(&lease()), short(&bare)], full(&lease()), full(&bare)].map(|lines| lines.join("\n"));
        insta::assert_snapshot!(shown.join("\n\n"));
    }

    #[test]
    fn a_client_is_found_by_bytes_or_name() {
        let is = |text: &str| match Wanted::of(text) {
            Wanted::Client(client) => client.is(&lease()),
            Wanted::Address(_) => panic!("{text} is no address"),
        };
        let alike = [
            "02:00:00:00:00:01",
            "02-00-00-00-00-01",
            "01:02:00:00:00:00:01",
            "hex:01020000000001",
            "PRINTER",
        ];
        assert!(alike.iter().all(|text| is(text)));
        assert!(["02:00:00:00:00:02", "02:00", "print", "", "hex:"].iter().all(|text| !is(text)));
        assert!(matches!(Wanted::of("10.1.16.5"), Wanted::Address(_)));
    }
}
