//! How values are written for people.
//!
//! *Lives here:* options, addresses and ranges as text.
//! *Must not know:* rules.

use dhcp::options::{OptionFormat, definition_by_code};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// Most characters of a value that are shown.
const MOST: usize = 60;

/// `01:0a:ff`.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (n, byte) in bytes.iter().enumerate() {
        let colon = if n == 0 { "" } else { ":" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{colon}{byte:02x}");
    }
    text
}

/// What to call an option.
pub(crate) fn option_name(code: u8) -> String {
    definition_by_code(code).map_or_else(|| format!("option {code}"), |definition| definition.name.to_owned())
}

/// The value of an option: addresses, numbers and texts as people write them, all else in hexadecimal.
pub(crate) fn option_value(code: u8, bytes: &[u8]) -> String {
    let shown = match definition_by_code(code).map(|definition| definition.format) {
        Some(OptionFormat::Address | OptionFormat::Addresses | OptionFormat::AddressPairs)
            if bytes.len().is_multiple_of(4) =>
        {
            let all = bytes.chunks(4).filter_map(|four| <[u8; 4]>::try_from(four).ok());
            let all: Vec<String> = all.map(|four| Ipv4Addr::from(four).to_string()).collect();
            all.join(", ")
        }
        Some(OptionFormat::Text) => format!("\"{}\"", String::from_utf8_lossy(bytes).escape_debug()),
        Some(OptionFormat::U8 | OptionFormat::U16 | OptionFormat::U32 | OptionFormat::Bool)
            if bytes.len() <= 4 =>
        {
            bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte)).to_string()
        }
        _ => hexadecimal(bytes),
    };
    cut(shown)
}

fn cut(text: String) -> String {
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// `10.1.0.5`, or `10.1.0.5 to 10.1.0.9`.
pub(crate) fn range(first: Ipv4Addr, last: Ipv4Addr) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

/// The first few of a list, and how many more there are.
pub(crate) fn few(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [only] => only.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, second, third] => format!("{first}, {second} and {third}"),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_well() {
        assert_eq!(option_value(3, &[10, 0, 0, 1, 10, 0, 0, 2]), "10.0.0.1, 10.0.0.2");
        assert_eq!(option_value(15, b"a\"b"), "\"a\\\"b\"");
        assert_eq!(option_value(26, &[5, 220]), "1500");
        assert_eq!(option_value(224, &[1, 255]), "01:ff");
        assert_eq!(option_value(224, &[0; 100]).chars().count(), 61);
        assert_eq!((option_name(3), option_name(224)), ("routers".to_owned(), "option 224".to_owned()));
    }

    #[test]
    fn lists_are_short() {
        let names: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let lengths = [0, 1, 2, 3, 4].map(|length| few(&names[..length]));
        assert_eq!(lengths, ["", "a", "a and b", "a, b and c", "a, b and 2 more"]);
    }
}
