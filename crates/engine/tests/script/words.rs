//! The words of scripts: times, intervals, names of states and clients, and lists of `name value, name value`.

use super::super::common::START;
use dhcp::{ClientIdentity, HardwareAddress};
use failover::binding::BindingStatus;
use failover::state::FailoverState;
use failover::time::{Interval, Time, WireTime};

/// What a script cannot mean, in words.
pub type Outcome<T> = Result<T, String>;

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("ms", 1), ("s", 1000)];

/// `1d2h3m4s`, without the parts that are zero.
pub fn show_interval(interval: Interval) -> String {
    match interval {
        Interval::INFINITE => "infinite".to_owned(),
        Interval::ZERO => "0s".to_owned(),
        _ => {
            let millis = interval.as_millis();
            let seconds = millis / 1000;
            let parts = [
                (seconds / 86_400, "d"),
                (seconds / 3600 % 24, "h"),
                (seconds / 60 % 60, "m"),
                (seconds % 60, "s"),
                (millis % 1000, "ms"),
            ];
            let parts = parts.iter().filter(|(count, _)| *count > 0);
            parts.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().concat()
        }
    }
}

pub fn interval(text: &str) -> Outcome<Interval> {
    if text == "infinite" {
        return Ok(Interval::INFINITE);
    }
    let mut rest = text;
    let mut millis = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let count: u64 = rest[..digits].parse().map_err(|_| format!("`{text}` is no interval"))?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters]);
        millis += count * unit.ok_or_else(|| format!("`{text}` is no interval"))?.1;
        rest = &rest[letters..];
    }
    Ok(Interval::from_millis(millis))
}

/// A moment, counted from the beginning of the script; `-5m` is before it.
pub fn show_time(time: Time) -> String {
    let start = Time::from_seconds(START);
    match time {
        Time::NEVER => "never".to_owned(),
        Time::ZERO => "none".to_owned(),
        _ if time < start => format!("-{}", show_interval(start.since(time))),
        _ => show_interval(time.since(start)),
    }
}

pub fn time(text: &str) -> Outcome<Time> {
    let start = Time::from_seconds(START);
    match text {
        "never" => Ok(Time::NEVER),
        "none" => Ok(Time::ZERO),
        _ => match text.strip_prefix('-') {
            Some(before) => Ok(start.minus(interval(before)?)),
            None => Ok(start.plus(interval(text)?)),
        },
    }
}

pub fn show_wire(time: WireTime) -> String {
    show_time(match time {
        WireTime::NEVER => Time::NEVER,
        WireTime(seconds) => Time::from_seconds(u64::from(seconds)),
    })
}

pub fn wire(text: &str) -> Outcome<WireTime> {
    Ok(time(text)?.to_wire())
}

pub fn state(text: &str) -> Outcome<FailoverState> {
    FailoverState::ALL
        .into_iter()
        .find(|state| state.name() == text)
        .ok_or_else(|| format!("`{text}` is no failover state"))
}

pub fn status(text: &str) -> Outcome<BindingStatus> {
    BindingStatus::ALL
        .into_iter()
        .find(|status| status.name() == text)
        .ok_or_else(|| format!("`{text}` is no binding-status"))
}

pub fn number<T: std::str::FromStr>(text: &str) -> Outcome<T> {
    text.parse().map_err(|_| format!("`{text}` is not what belongs here"))
}

/// The hardware address of the client with this number.
pub fn hardware_of(client: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, client]
}

/// A client by its hardware address and its client-identifier: `client 1, client-identifier 6162`. What says nothing new is
/// left out.
pub fn show_client(
    htype: Option<u8>,
    address: &[u8],
    client_identifier: Option<&[u8]>,
    fields: &mut Vec<String>,
) {
    match (htype, address) {
        (Some(1), [2, 0, 0, 0, 0, number]) => fields.push(format!("client {number}")),
        (Some(htype), _) => fields.push(format!("client-hardware-address {htype}/{}", hex(address))),
        (None, _) => {}
    }
    fields.extend(client_identifier.map(|identifier| format!("client-identifier {}", hex(identifier))));
}

/// The client that `client` and `client-identifier` name.
pub fn take_client(fields: &mut Fields) -> Outcome<(Option<HardwareAddress>, Option<Vec<u8>>)> {
    let hardware = fields.take("client").map(|text| number::<u8>(&text)).transpose()?;
    let identifier = fields.take("client-identifier").map(|text| bytes(&text)).transpose()?;
    Ok((hardware.map(|number| HardwareAddress::ethernet(hardware_of(number))), identifier))
}

/// As the engine knows it.
pub fn identity(hardware: Option<HardwareAddress>, identifier: Option<&[u8]>) -> Option<ClientIdentity> {
    match identifier {
        Some(identifier) => ClientIdentity::from_client_identifier(identifier),
        None => hardware.and_then(|one| ClientIdentity::from_hardware(one.htype(), one.as_bytes())),
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

pub fn bytes(text: &str) -> Outcome<Vec<u8>> {
    let digits: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16))
        .collect::<Result<_, _>>()
        .map_err(|_| format!("`{text}` are no bytes"))
}

/// `name value, name value, flag`, in any order. What nobody takes is an error: nothing in a script is without meaning.
pub struct Fields(Vec<(String, String)>);

impl Fields {
    pub fn of(text: &str) -> Fields {
        let items = split(text, ',').into_iter().map(|item| match item.split_once(' ') {
            Some((name, value)) => (name.to_owned(), value.trim().to_owned()),
            None => (item, String::new()),
        });
        Fields(items.collect())
    }

    /// What stands first, as it is.
    pub fn take_first(&mut self) -> Option<(String, String)> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(of, _)| of == name)?;
        Some(self.0.remove(at).1)
    }

    pub fn flag(&mut self, name: &str) -> bool {
        self.take(name).is_some()
    }

    pub fn time(&mut self, name: &str) -> Outcome<Option<Time>> {
        self.take(name).map(|text| time(&text)).transpose()
    }

    pub fn wire(&mut self, name: &str) -> Outcome<Option<WireTime>> {
        self.take(name).map(|text| wire(&text)).transpose()
    }

    pub fn interval(&mut self, name: &str) -> Outcome<Option<Interval>> {
        self.take(name).map(|text| interval(&text)).transpose()
    }

    pub fn number<T: std::str::FromStr>(&mut self, name: &str) -> Outcome<Option<T>> {
        self.take(name).map(|text| number(&text)).transpose()
    }

    pub fn end(self) -> Outcome<()> {
        match self.0.first() {
            Some((name, value)) => Err(format!("`{name} {value}` means nothing here")),
            None => Ok(()),
        }
    }
}

/// The parts between `separator`s that stand neither in brackets nor in quotes.
pub fn split(text: &str, separator: char) -> Vec<String> {
    let (mut parts, mut part, mut depth, mut quoted) = (Vec::new(), String::new(), 0, false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if c == separator && depth == 0 && !quoted {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
    }
    parts.push(part);
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// What stands between the brackets or the quotes around `text`.
pub fn inner(text: &str) -> &str {
    text.trim_start_matches(['(', '"']).trim_end_matches([')', '"'])
}
