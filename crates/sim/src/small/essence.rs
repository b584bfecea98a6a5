//! Whether two small worlds are the same, as far as what comes next goes.
//!
//! *Lives here:* [`World::essence`]: a hash of all that decides about the future, with times counted from now, and numbers of
//! transactions by their first appearance.
//! *May know:* how `Debug` writes the parts of an engine, by the names of fields.
//! *Must not know:* what any of them means.
//!
//! All that an engine remembers is in it unless it is named here, so that a new field is never forgotten. Times that are long
//! past are all the same: what differs by them alone is searched once.

use super::line::Arrival;
use super::moves::Server;
use super::world::World;
use crate::clock::BEGINNING;
use std::fmt;
use std::net::Ipv4Addr;

/// Fields that decide nothing: what people want to know, when a message left, and how often a store was opened.
const IRRELEVANT: &[&str] = &[
    "hardware",
    "details",
    "time",
    "store_identity",
    "store_generation",
    "configuration",
    "buckets",
    "name",
    "last_connect",
    "tandem",
];

/// Numbers of these kinds only tell one from another.
const NAMES: &[&str] = &["Xid", "Ticket", "RequestId", "LinkId"];

/// Seconds of a record count from here.
const STAMPS: u64 = 1_577_836_800;

/// Seconds after which the past is one.
const LONG_AGO: u64 = 100;

/// Seconds from the beginning within which a number is a time.
const NEAR: u64 = 10_000_000;

/// A text, ready to be compared: what is between times and names is one number.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Plain(u64),
    /// Of the unit with this number.
    Time(u8, u64),
    Name(u8, u64),
}

/// Units of time: how many make a second, and from when they count.
const UNITS: [(u64, u64); 3] = [(1000, 0), (1, 0), (1, STAMPS)];

/// What decides about the future of a part of the world.
#[derive(Debug, Clone, Default)]
pub(super) struct Essence(Vec<Token>);

impl World {
    /// Equal for worlds in which the same can happen, but for what is long past; different for others, but for chance.
    pub(super) fn essence(&self) -> u64 {
        let mut sum = Sum { hash: FNV, names: Vec::new(), now: self.now };
        for server in &self.servers {
            sum.add(server.essence());
            sum.number(u64::from(server.asks));
        }
        for server in Server::ALL {
            sum.number(u64::from(self.may_serve_alone(server)) << 1 | u64::from(self.copy_is_old(server)));
            sum.number(u64::from(self.calm == Some(server)));
        }
        for (ends, is_cut, coming) in self.line.parts() {
            let ends = ends.into_iter().chain([is_cut]).fold(1, |bits, bit| bits << 1 | u64::from(bit));
            sum.number(ends);
            for arrivals in coming {
                for arrival in arrivals {
                    match arrival {
                        Arrival::Bytes { essence, .. } => sum.add(essence),
                        Arrival::End => sum.number(3),
                    }
                }
                sum.number(4);
            }
        }
        for person in &self.clients {
            let [one, other] = person.offers.map(|offer| offer.map_or(0, u32::from));
            let (address, until, _) = person.lease.unwrap_or((Ipv4Addr::UNSPECIFIED, 0, Server::P));
            let until = until.saturating_sub(self.now);
            for number in [one, other, person.last.map_or(0, u32::from), address.into()] {
                sum.number(number.into());
            }
            sum.number(until);
        }
        sum.hash
    }
}

struct Sum {
    hash: u64,
    /// Names in the order of their appearance.
    names: Vec<(u8, u64)>,
    now: u64,
}

impl Sum {
    fn number(&mut self, number: u64) {
        self.hash = mix(self.hash, number);
    }

    fn add(&mut self, essence: &Essence) {
        for token in &essence.0 {
            let number = match token {
                Token::Plain(hash) => *hash,
                Token::Time(unit, time) => {
                    let (per_second, from) = UNITS[usize::from(*unit)];
                    let now = (BEGINNING * 1000 + self.now) / (1000 / per_second) - from * per_second;
                    // What is long past is one.
                    (time + LONG_AGO * per_second).saturating_sub(now)
                }
                Token::Name(kind, name) => {
                    let known = self.names.iter().position(|other| other == &(*kind, *name));
                    let place = known.unwrap_or(self.names.len());
                    if known.is_none() {
                        self.names.push((*kind, *name));
                    }
                    place as u64
                }
            };
            self.number(number);
        }
    }
}

const FNV: u64 = 0xcbf2_9ce4_8422_2325;

fn mix(hash: u64, number: u64) -> u64 {
    let mixed = (hash ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

impl Essence {
    pub(super) fn of(parts: impl fmt::Debug) -> Essence {
        let text = format!("{parts:?}");
        let mut reader = Reader { rest: text.as_bytes(), hash: FNV, tokens: Vec::new() };
        reader.read();
        Essence(reader.tokens)
    }
}

struct Reader<'t> {
    rest: &'t [u8],
    hash: u64,
    tokens: Vec<Token>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(&byte) = self.rest.first() {
            if byte.is_ascii_digit() {
                let number = self.number();
                self.time(number);
            } else if byte.is_ascii_alphabetic() || byte == b'_' {
                self.word();
            } else {
                self.rest = &self.rest[1..];
                self.plain(byte.into());
            }
        }
        self.tokens.push(Token::Plain(self.hash));
    }

    fn plain(&mut self, number: u64) {
        self.hash = mix(self.hash, number);
    }

    fn push(&mut self, token: Token) {
        let before = std::mem::replace(&mut self.hash, FNV);
        self.tokens.extend([Token::Plain(before), token]);
    }

    fn word(&mut self) {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let length = self.rest.iter().take_while(|byte| is_part(byte)).count();
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        if rest.starts_with(b": ") && IRRELEVANT.iter().any(|name| name.as_bytes() == word) {
            self.skip();
            return;
        }
        for byte in word {
            self.plain((*byte).into());
        }
        let kind = NAMES.iter().zip(0..).find(|(name, _)| name.as_bytes() == word);
        if let (Some((_, kind)), Some(b'(')) = (kind, rest.first()) {
            self.rest = &rest[1..];
            let number = self.number();
            self.push(Token::Name(kind, number));
        }
    }

    /// Goes on behind the value of a field.
    fn skip(&mut self) {
        let mut depth = 0u32;
        for (at, byte) in self.rest.iter().enumerate() {
            match byte {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' if depth > 0 => depth -= 1,
                b')' | b']' | b'}' | b',' if depth == 0 => {
                    self.rest = &self.rest[at..];
                    return;
                }
                _ => {}
            }
        }
        self.rest = &[];
    }

    fn number(&mut self) -> u64 {
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest;
        digits.iter().fold(0u64, |sum, digit| sum.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
    }

    /// A number that may be a time: near to when the world began.
    fn time(&mut self, number: u64) {
        let is_near = |(per_second, from): (u64, u64)| {
            number.abs_diff((BEGINNING - from) * per_second) < NEAR * per_second
        };
        match UNITS.into_iter().zip(0..).find(|(unit, _)| is_near(*unit)) {
            Some((_, unit)) => self.push(Token::Time(unit, number)),
            None => self.plain(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(now: u64, parts: &str) -> u64 {
        let mut sum = Sum { hash: FNV, names: Vec::new(), now };
        sum.add(&Essence::of(format_args!("{parts}")));
        sum.hash
    }

    #[test]
    fn times_count_from_now_and_numbers_of_transactions_by_their_order() {
        let at = |seconds: u64, xid: u64, hardware: u64| {
            let time = BEGINNING + seconds;
            format!(
                "A {{ a: Time({time}000), Xid({xid}), hardware: [1, {hardware}], b: Stamp({}) }}",
                time - STAMPS
            )
        };
        let one = sum(5000, &at(7, 3, 1));
        assert_eq!(one, sum(6000, &at(8, 4, 2)));
        assert_ne!(one, sum(6000, &at(7, 3, 1)));
        assert_ne!(sum(0, "Xid(1) Xid(1)"), sum(0, "Xid(1) Xid(2)"));
        assert_eq!(sum(900_000, &at(7, 3, 1)), sum(990_000, &at(7, 3, 1)), "both are long past");
        assert_ne!(sum(0, "a: 1"), sum(0, "a: 2"));
    }
}
