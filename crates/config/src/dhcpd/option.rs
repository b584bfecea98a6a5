//! Options of `dhcpd.conf`: by name, with values as they go over the wire.
//!
//! *Lives here:* [`Definitions`], the names that dhcpd knows and those that the file defines; [`value`].
//! *May know:* names and formats of crate `dhcp`, and what dhcpd calls the same options.
//! *Must not know:* who gets them.

use super::lexer::{Kind, Token};
use dhcp::encode;
use dhcp::options::{OptionFormat, definition_by_code, definition_by_name};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What dhcpd calls options that have another name here, and those that have none here.
const NAMES: &[(&str, u8)] = &[
    ("ien116-name-servers", 5),
    ("boot-size", 13),
    ("merit-dump", 14),
    ("policy-filter", 21),
    ("max-dgram-reassembly", 22),
    ("netbios-dd-server", 45),
    ("x-display-manager", 49),
    ("dhcp-lease-time", 51),
    ("dhcp-server-identifier", 54),
    ("dhcp-renewal-time", 58),
    ("dhcp-rebinding-time", 59),
    ("dhcp-client-identifier", 61),
    ("mobile-ip-home-agent", 68),
    ("smtp-server", 69),
    ("pop-server", 70),
    ("nntp-server", 71),
    ("www-server", 72),
    ("finger-server", 73),
    ("irc-server", 74),
    ("streettalk-server", 75),
    ("streettalk-directory-assistance-server", 76),
    ("pxe-system-type", 93),
    ("pxe-client-id", 97),
    ("pcode", 100),
    ("tcode", 101),
    ("default-url", 114),
    ("vivco", 124),
    ("vivso", 125),
    ("capwap-ac-v4", 138),
    ("tftp-server-address", 150),
    ("v4-captive-portal", 160),
    ("loader-configfile", 209),
    ("loader-pathprefix", 210),
    ("loader-reboottime", 211),
];

/// How options are made that crate `dhcp` has no name for.
const FORMATS: &[(u8, OptionFormat)] = &[
    (51, OptionFormat::U32),
    (54, OptionFormat::Address),
    (58, OptionFormat::U32),
    (59, OptionFormat::U32),
    (61, OptionFormat::Bytes),
    (160, OptionFormat::Text),
    (209, OptionFormat::Text),
    (210, OptionFormat::Text),
    (211, OptionFormat::U32),
];

/// Why the value of an option is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoValue {
    /// dhcpd would not take it either.
    Wrong(String),
    /// It is computed, or named, or of a kind that is not known here.
    NotLookedAt,
}

/// Whether `option` is followed by a definition, and not by a value: `NAME code N = TYPE`.
pub(super) fn is_definition(words: &[Token]) -> bool {
    matches!(words, [_, code, _, equals, ..] if code.is("code") && equals.is_mark('='))
}

/// The options that have a name in this file.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    defined: BTreeMap<String, (u8, Option<OptionFormat>)>,
}

impl Definitions {
    /// `option NAME code N = TYPE`: whether it is one, and a known name from now on.
    pub(super) fn define(&mut self, words: &[Token]) -> bool {
        let [name, _, number, _, kind @ ..] = words else { return false };
        let Some(name) = name.word().filter(|_| is_definition(words)) else { return false };
        // Of another space, in which the same code is another option.
        if name.contains('.') {
            return false;
        }
        let Some(number) = number.word().and_then(|number| number.parse().ok()) else { return false };
        self.defined.insert(name.to_ascii_lowercase(), (number, format(kind)));
        true
    }

    /// Code and format of a name; no format where the form of the value is not known here.
    pub(super) fn find(&self, name: &str) -> Option<(u8, Option<OptionFormat>)> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("dhcp.").unwrap_or(&name);
        if let Some(found) = self.defined.get(name) {
            return Some(*found);
        }
        let named = NAMES.iter().find(|(known, _)| *known == name).map(|(_, code)| *code);
        let numbered = || name.strip_prefix("unknown-")?.parse().ok();
        let Some(code) = named else {
            let definition = definition_by_name(name).map(|found| (found.code, Some(found.format)));
            return definition.or_else(|| numbered().map(|code| (code, Some(OptionFormat::Bytes))));
        };
        let own = FORMATS.iter().find(|(known, _)| *known == code).map(|(_, format)| *format);
        Some((code, own.or_else(|| definition_by_code(code).map(|definition| definition.format))))
    }
}

/// The bytes of a value.
pub(super) fn value(format: Option<OptionFormat>, words: &[Token]) -> Result<Vec<u8>, NoValue> {
    if words.is_empty() {
        return Err(NoValue::Wrong("the option has no value".to_owned()));
    }
    // A computed value: `= concat("a", …)`, `pick-first-value (…)`.
    let computed = words.iter().any(|word| matches!(word.kind, Kind::Mark(mark) if mark != ','));
    let Some(format) = format.filter(|_| !computed) else { return Err(NoValue::NotLookedAt) };
    let items: Vec<&[Token]> = words.split(|word| word.is_mark(',')).collect();
    let parts: Result<Vec<Vec<u8>>, NoValue> = items.iter().map(|item| part(format, item)).collect();
    let bytes = parts?.concat();
    let is_single = matches!(
        format,
        OptionFormat::Address | OptionFormat::U8 | OptionFormat::U16 | OptionFormat::U32 | OptionFormat::I32
    );
    if is_single && items.len() > 1 {
        return Err(NoValue::Wrong("the option has one value, and several are written".to_owned()));
    }
    Ok(bytes)
}

/// The format that a definition names; `None` if it is none of those that are known here.
fn format(kind: &[Token]) -> Option<OptionFormat> {
    let words: Vec<String> =
        kind.iter().map(|token| token.name().unwrap_or_default().to_ascii_lowercase()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "unsigned").collect();
    match words.as_slice() {
        ["ip-address"] => Some(OptionFormat::Address),
        ["array", "of", "ip-address"] => Some(OptionFormat::Addresses),
        ["integer", "8"] => Some(OptionFormat::U8),
        ["array", "of", "integer", "8"] => Some(OptionFormat::U8List),
        ["integer", "16"] => Some(OptionFormat::U16),
        ["array", "of", "integer", "16"] => Some(OptionFormat::U16List),
        ["integer", "32"] => Some(OptionFormat::U32),
        ["signed", "integer", "32"] => Some(OptionFormat::I32),
        ["boolean"] => Some(OptionFormat::Bool),
        ["text"] => Some(OptionFormat::Text),
        ["string"] => Some(OptionFormat::Bytes),
        ["domain-list", ..] => Some(OptionFormat::DomainList),
        _ => None,
    }
}

/// The bytes between two commas.
fn part(format: OptionFormat, item: &[Token]) -> Result<Vec<u8>, NoValue> {
    let wrong = |wanted: &str| NoValue::Wrong(format!("this is not {wanted}"));
    let word = || match item {
        [only] => only.word(),
        _ => None,
    };
    match format {
        OptionFormat::Address | OptionFormat::Addresses => address(item),
        OptionFormat::AddressPairs => match item {
            [first, second] => {
                Ok([address(std::slice::from_ref(first))?, address(std::slice::from_ref(second))?].concat())
            }
            _ => Err(wrong("a pair of addresses")),
        },
        OptionFormat::U8 | OptionFormat::U8List => {
            let number = word().and_then(number).and_then(|number| u8::try_from(number).ok());
            number.map(|number| vec![number]).ok_or_else(|| wrong("a number from 0 to 255"))
        }
        OptionFormat::U16 | OptionFormat::U16List => {
            let number = word().and_then(number).and_then(|number| u16::try_from(number).ok());
            number
                .map(|number| number.to_be_bytes().to_vec())
                .ok_or_else(|| wrong("a number from 0 to 65535"))
        }
        OptionFormat::U32 => {
            let number = word().and_then(number).and_then(|number| u32::try_from(number).ok());
            number
                .map(|number| number.to_be_bytes().to_vec())
                .ok_or_else(|| wrong("a number from 0 to 4294967295"))
        }
        OptionFormat::I32 => {
            let number = word().and_then(|word| word.parse::<i32>().ok());
            number.map(|number| number.to_be_bytes().to_vec()).ok_or_else(|| wrong("a number"))
        }
        OptionFormat::Bool => match word().map(str::to_ascii_lowercase).as_deref() {
            Some("on" | "true") => Ok(vec![1]),
            Some("off" | "false") => Ok(vec![0]),
            _ => Err(wrong("on or off")),
        },
        OptionFormat::Text if !matches!(item, [Token { kind: Kind::Text(_), .. }]) => {
            Err(wrong("text in quotes"))
        }
        OptionFormat::Text | OptionFormat::Bytes => bytes(item),
        OptionFormat::DomainList => {
            let name = item.first().filter(|_| item.len() == 1).and_then(Token::name);
            name.and_then(|name| encode::domain_name(&name).ok())
                .ok_or_else(|| wrong("a domain name in quotes"))
        }
        OptionFormat::ClasslessRoutes => Err(NoValue::NotLookedAt),
    }
}

fn address(item: &[Token]) -> Result<Vec<u8>, NoValue> {
    let word = item.first().filter(|_| item.len() == 1).and_then(Token::word);
    let word = word.ok_or_else(|| NoValue::Wrong("this is not an address".to_owned()))?;
    match word.parse::<Ipv4Addr>() {
        Ok(address) => Ok(address.octets().to_vec()),
        // A name, which dhcpd looks up when it starts; names have letters.
        Err(_) if word.contains(|character: char| character.is_ascii_alphabetic()) => {
            Err(NoValue::NotLookedAt)
        }
        Err(_) => Err(NoValue::Wrong("this is not an address".to_owned())),
    }
}

/// Text in quotes, or bytes in hexadecimal with colons between.
pub(super) fn bytes(item: &[Token]) -> Result<Vec<u8>, NoValue> {
    let text = match item {
        [Token { kind: Kind::Text(text), .. }] => Some(text),
        _ => None,
    };
    if let Some(text) = text {
        // Where the file is no UTF-8, the bytes that it has are not known any more.
        let replaced = text.windows(3).any(|three| three == "\u{fffd}".as_bytes());
        return if replaced { Err(NoValue::NotLookedAt) } else { Ok(text.clone()) };
    }
    let digits: String = item.iter().filter_map(Token::word).collect();
    hexadecimal(&digits)
        .ok_or_else(|| NoValue::Wrong("this is neither text in quotes nor bytes like 01:02:0a".to_owned()))
}

/// `1:02:ff`: one or two digits for each byte.
pub(super) fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let parts = digits.split(':');
    parts
        .map(|part| u8::from_str_radix(part, 16).ok().filter(|_| part.len() <= 2 && !part.starts_with('+')))
        .collect()
}

/// A number, in decimal or behind `0x`.
pub(super) fn number(word: &str) -> Option<u64> {
    match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_of_dhcpd_has_one_code_and_a_format() {
        for (name, code) in NAMES {
            let (found, format) = Definitions::default().find(name).unwrap_or_default();
            assert_eq!((found, format.is_some()), (*code, true), "{name}");
        }
        assert_eq!(Definitions::default().find("unknown-224"), Some((224, Some(OptionFormat::Bytes))));
        assert_eq!(Definitions::default().find("no-such-option"), None);
    }

    #[test]
    fn bytes_and_numbers() {
        assert_eq!(hexadecimal("1:02:fF"), Some(vec![1, 2, 255]));
        for digits in ["", "1:", "100", "g", "+1", "1::2"] {
            assert_eq!(hexadecimal(digits), None, "{digits}");
        }
        assert_eq!(
            (number("0x10"), number("16"), number("-1"), number("")),
            (Some(16), Some(16), None, None)
        );
    }
}
