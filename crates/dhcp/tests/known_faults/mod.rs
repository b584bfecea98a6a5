//! What dhcproto 0.15.0 is known to do wrong, and which messages show it.
//!
//! The predicates look at the bytes by themselves: they use neither codec.

#![allow(dead_code, reason = "each test file uses its part of this")]

use crate::corpus::{request, with};
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// `chaddr()` panics when `hlen` is more than the 16 bytes of the field.
    PanicsAtHlen,
    /// The magic cookie is read and not looked at.
    TakesAnyCookie,
    /// An op that is neither BOOTREQUEST nor BOOTREPLY is let in.
    TakesAnyOp,
    /// An option 53 that names no kind of message, or has not one byte, does not make the message a bad one.
    TakesAnyMessageType,
    /// A message of any length is read; here 4,096 bytes are the most.
    TakesAnyLength,
    /// An option that is longer than the rest of the message ends the options without an error.
    StopsAtOverrun,
    /// Option 52 is not followed into `file` and `sname` (RFC 2131 4.1).
    IgnoresOverload,
    /// `sname` or `file` without a zero in it is taken for empty.
    LosesUnterminatedName,
    /// Of an option in several parts with something between them, the last part is kept (RFC 3396 section 7: all).
    KeepsLastPart,
    /// An option whose value it cannot read ends the options without an error: text that is not UTF-8, a length that is
    /// wrong, an FQDN in ASCII.
    StopsAtUnreadableValue,
    /// A value that is longer than its format is cut: numbers, and the second architecture of option 93.
    CutsLongValue,
    /// A flag that is neither 0 nor 1 is read as 0.
    FlattensFlag,
    /// Option 37 (TCP TTL) is read as option 23 (IP TTL).
    MistakesTcpTtl,
    /// V6-only-preferred (RFC 8925) is taken for option 106; it is 108.
    MistakesV6OnlyPreferred,
    /// Option 82 is taken apart and put together: sub-options sorted, repeated ones merged, what follows an unreadable one
    /// dropped (RFC 3046 2.2: the server echoes the entire contents).
    RebuildsRelayAgentInformation,
}

impl Fault {
    pub const ALL: [Fault; 15] = [
        Fault::PanicsAtHlen,
        Fault::TakesAnyCookie,
        Fault::TakesAnyOp,
        Fault::TakesAnyMessageType,
        Fault::TakesAnyLength,
        Fault::StopsAtOverrun,
        Fault::IgnoresOverload,
        Fault::LosesUnterminatedName,
        Fault::KeepsLastPart,
        Fault::StopsAtUnreadableValue,
        Fault::CutsLongValue,
        Fault::FlattensFlag,
        Fault::MistakesTcpTtl,
        Fault::MistakesV6OnlyPreferred,
        Fault::RebuildsRelayAgentInformation,
    ];

    /// A message that shows this fault and no other.
    pub fn message(self) -> Vec<u8> {
        let mut fixed = request(0, 0, [0; 4]);
        let plain = |options: &[(u8, &[u8])]| with(request(0, 0, [0; 4]), options);
        match self {
            Fault::PanicsAtHlen => fixed[2] = 200,
            Fault::TakesAnyCookie => fixed[239] = 0,
            Fault::TakesAnyOp => fixed[0] = 3,
            Fault::TakesAnyLength => {
                let mut bytes = with(fixed, &[(53, &[1])]);
                bytes.resize(4097, 0);
                return bytes;
            }
            Fault::LosesUnterminatedName => fixed[44..108].fill(b'a'),
            Fault::StopsAtOverrun => {
                fixed.extend_from_slice(&[53, 1, 1, 12, 30, b'a']);
                return fixed;
            }
            Fault::IgnoresOverload => {
                fixed[108..115].copy_from_slice(&[50, 4, 10, 0, 0, 9, 255]);
                return with(fixed, &[(53, &[3]), (52, &[1])]);
            }
            Fault::TakesAnyMessageType => return plain(&[(53, &[77])]),
            Fault::KeepsLastPart => return plain(&[(61, &[1, 2]), (53, &[1]), (61, &[3, 4])]),
            Fault::StopsAtUnreadableValue => {
                return plain(&[
                    (53, &[3]),
                    (12, &[0xff, 0xfe, b'x']),
                    (50, &[10, 0, 0, 9]),
                    (82, &[1, 1, 7]),
                ]);
            }
            Fault::CutsLongValue => return plain(&[(53, &[1]), (93, &[0, 7, 0, 9])]),
            Fault::FlattensFlag => return plain(&[(53, &[1]), (19, &[2])]),
            Fault::MistakesTcpTtl => return plain(&[(53, &[1]), (37, &[64])]),
            Fault::MistakesV6OnlyPreferred => return plain(&[(53, &[1]), (106, b"other")]),
            Fault::RebuildsRelayAgentInformation => {
                return plain(&[(53, &[1]), (82, &[2, 1, 7, 1, 1, 8])]);
            }
        }
        with(fixed, &[(53, &[1])])
    }
}

/// The faults that may show when dhcproto reads this message. What is too short both refuse.
pub fn faults(bytes: &[u8]) -> BTreeSet<Fault> {
    let mut found = BTreeSet::new();
    let Some((header, options)) = bytes.split_at_checked(240) else { return found };
    let mut when = |condition: bool, fault: Fault| {
        if condition {
            found.insert(fault);
        }
    };
    when(header[2] > 16, Fault::PanicsAtHlen);
    when(header[236..] != [99, 130, 83, 99], Fault::TakesAnyCookie);
    when(!(1..=2).contains(&header[0]), Fault::TakesAnyOp);
    when(bytes.len() > 4096, Fault::TakesAnyLength);
    when(!header[44..108].contains(&0) || !header[108..236].contains(&0), Fault::LosesUnterminatedName);
    let (parts, whole) = parts(options);
    when(!whole, Fault::StopsAtOverrun);
    let mut runs: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut last_end = 0;
    for (at, code, value) in parts {
        match runs.last_mut() {
            Some((last, run)) if *last == code && last_end == at => run.extend_from_slice(value),
            _ => {
                when(runs.iter().any(|(other, _)| *other == code), Fault::KeepsLastPart);
                runs.push((code, value.to_vec()));
            }
        }
        last_end = at + 2 + value.len();
    }
    for (code, value) in &runs {
        if let Some(fault) = fault_of_value(*code, value) {
            when(true, fault);
        }
    }
    found
}

/// An offset, a code and a value.
type Part<'a> = (usize, u8, &'a [u8]);

/// Parts of options with their offsets, and whether all of them fit.
fn parts(options: &[u8]) -> (Vec<Part<'_>>, bool) {
    let (mut found, mut at) = (Vec::new(), 0);
    loop {
        match options.get(at..).unwrap_or_default() {
            [] | [255, ..] => return (found, true),
            [0, ..] => at += 1,
            [code, length, rest @ ..] if usize::from(*length) <= rest.len() => {
                found.push((at, *code, &rest[..usize::from(*length)]));
                at += 2 + usize::from(*length);
            }
            _ => return (found, false),
        }
    }
}

/// How dhcproto reads the value of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// So many bytes: fewer are unreadable, more are cut, or unreadable where it is an address.
    Exactly(usize),
    /// Any number of times so many bytes.
    Times(usize),
    /// One byte, 0 or 1.
    Flag,
    Text,
    Any,
    MessageType,
    Overload,
    TcpTtl,
    V6OnlyPreferred,
    Empty,
    StatusCode,
    Fqdn,
    DomainList,
    Routes,
    Relay,
}

#[expect(clippy::match_same_arms, reason = "addresses apart from numbers")]
pub fn shape(code: u8) -> Shape {
    match code {
        1 | 16 | 28 | 32 | 50 | 54 | 118 | 150 => Shape::Exactly(4),
        2 | 24 | 35 | 38 | 51 | 58 | 59 | 91 | 152..=155 => Shape::Exactly(4),
        13 | 22 | 26 | 57 | 93 => Shape::Exactly(2),
        23 | 46 | 156 | 157 => Shape::Exactly(1),
        94 => Shape::Exactly(3),
        3..=11 | 41 | 42 | 44 | 45 | 48 | 49 | 65 | 68..=76 | 89 | 92 => Shape::Times(4),
        21 | 33 => Shape::Times(8),
        25 => Shape::Times(2),
        19 | 20 | 27 | 29 | 30 | 31 | 34 | 36 | 39 | 116 => Shape::Flag,
        12 | 14 | 15 | 17 | 18 | 40 | 47 | 56 | 62 | 64 | 100 | 101 | 114 => Shape::Text,
        37 => Shape::TcpTtl,
        52 => Shape::Overload,
        53 => Shape::MessageType,
        80 => Shape::Empty,
        81 => Shape::Fqdn,
        82 => Shape::Relay,
        88 | 119 => Shape::DomainList,
        106 => Shape::V6OnlyPreferred,
        121 => Shape::Routes,
        151 => Shape::StatusCode,
        _ => Shape::Any,
    }
}

fn fault_of_value(code: u8, value: &[u8]) -> Option<Fault> {
    let unreadable = Some(Fault::StopsAtUnreadableValue);
    let is_address = matches!(code, 1 | 16 | 28 | 32 | 50 | 54 | 118 | 150);
    match shape(code) {
        Shape::Exactly(length) if value.len() > length && !is_address => Some(Fault::CutsLongValue),
        Shape::Exactly(length) if value.len() != length => unreadable,
        Shape::Times(2) if !value.len().is_multiple_of(2) => Some(Fault::CutsLongValue),
        Shape::Times(length) if !value.len().is_multiple_of(length) => unreadable,
        Shape::Flag | Shape::Overload | Shape::Empty if code != 80 && value.is_empty() => unreadable,
        Shape::Flag if code == 116 && value[0] > 1 => unreadable,
        Shape::Flag | Shape::Overload if value.len() > 1 => Some(Fault::CutsLongValue),
        Shape::Empty if !value.is_empty() => Some(Fault::CutsLongValue),
        Shape::Flag if value[0] > 1 => Some(Fault::FlattensFlag),
        Shape::Overload if (1..=3).contains(&value[0]) => Some(Fault::IgnoresOverload),
        Shape::MessageType if value.len() != 1 || !(1..=18).contains(&value[0]) => {
            Some(Fault::TakesAnyMessageType)
        }
        Shape::TcpTtl => Some(Fault::MistakesTcpTtl),
        Shape::V6OnlyPreferred => Some(Fault::MistakesV6OnlyPreferred),
        Shape::Text if std::str::from_utf8(value).is_err() => unreadable,
        Shape::StatusCode if value.is_empty() || std::str::from_utf8(&value[1..]).is_err() => unreadable,
        Shape::Fqdn if !is_wire_fqdn(value) => unreadable,
        Shape::Routes => fault_of_routes(value),
        Shape::Relay if !is_in_order(value) => Some(Fault::RebuildsRelayAgentInformation),
        _ => None,
    }
}

/// RFC 4702 with the E bit: one uncompressed name, to its end.
fn is_wire_fqdn(value: &[u8]) -> bool {
    let [flags, _, _, name @ ..] = value else { return false };
    let mut at = 0;
    while let Some(length) = name.get(at) {
        if *length == 0 {
            return flags & 4 != 0;
        }
        if *length > 63 {
            return false;
        }
        at += 1 + usize::from(*length);
    }
    false
}

fn fault_of_routes(value: &[u8]) -> Option<Fault> {
    let mut rest = value;
    while let [prefix_length, after @ ..] = rest {
        if *prefix_length > 32 {
            return Some(Fault::CutsLongValue);
        }
        let Some(next) = after.get(usize::from(prefix_length.div_ceil(8)) + 4..) else {
            return Some(Fault::StopsAtUnreadableValue);
        };
        rest = next;
    }
    None
}

/// Sub-options from end to end, each once, in the order of their codes, of the lengths that their types have.
fn is_in_order(value: &[u8]) -> bool {
    let (mut rest, mut last) = (value, None);
    while let [code, length, after @ ..] = rest {
        let wanted = match code {
            4 | 5 | 11 => Some(4),
            10 => Some(1),
            _ => None,
        };
        let right = wanted.is_none_or(|wanted| wanted == *length) && last.is_none_or(|last| last < *code);
        let Some(next) = after.get(usize::from(*length)..).filter(|_| right) else { return false };
        (rest, last) = (next, Some(*code));
    }
    rest.is_empty()
}
