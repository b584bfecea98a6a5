//! Small values: durations, addresses, ranges, bytes.
//!
//! *Lives here:* their readers.
//! *Must not know:* which key they belong to.

use crate::reader::{Section, Value, number, text, wrong};
use crate::report::Report;
use failover::time::Interval;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// `8h`, `90m`, `1d 2h`, `3600s`, `infinite`, or a number of seconds.
pub(crate) fn duration(value: &Value<'_>, report: &mut Report) -> Option<Interval> {
    if let Some(seconds) = number(value) {
        return Some(Interval::from_seconds(seconds));
    }
    let parsed = value.get_ref().as_str().and_then(parse_duration);
    if parsed.is_none() {
        let message =
            "this is no duration: write it like \"8h\", \"90m\", \"1d 12h\", \"3600s\" or \"infinite\"";
        report.error(value.span(), message.to_owned(), "here");
    }
    parsed
}

/// The duration of a key, if it is there.
pub(crate) fn duration_of(
    section: &mut Section<'_>,
    key: &'static str,
    report: &mut Report,
) -> Option<Interval> {
    section.get(key).and_then(|value| duration(value, report))
}

fn parse_duration(text: &str) -> Option<Interval> {
    if text == "infinite" {
        return Some(Interval::INFINITE);
    }
    let mut sum = Interval::ZERO;
    let mut parts = 0;
    for part in text.split_whitespace() {
        let digits = part.trim_end_matches(|character: char| character.is_ascii_lowercase());
        let factor: u64 = match &part[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let count: u64 = if all_digits { digits.parse().ok()? } else { return None };
        sum = sum.plus(Interval::from_seconds(count.checked_mul(factor)?));
        parts += 1;
    }
    (parts > 0).then_some(sum)
}

/// A value that is written as a text and has a form of its own.
pub(crate) fn parsed<T: FromStr>(value: &Value<'_>, wanted: &str, report: &mut Report) -> Option<T> {
    let parsed = text(value, report)?.parse();
    if parsed.is_err() {
        report.error(value.span(), format!("this is not {wanted}"), "here");
    }
    parsed.ok()
}

/// The same for a key, if it is there.
pub(crate) fn parsed_of<T: FromStr>(
    section: &mut Section<'_>,
    key: &'static str,
    wanted: &str,
    report: &mut Report,
) -> Option<T> {
    section.get(key).and_then(|value| parsed(value, wanted, report))
}

/// The whole number of a key, if it is there; `wanted` says which it can be.
pub(crate) fn number_of(
    section: &mut Section<'_>,
    key: &'static str,
    wanted: &str,
    report: &mut Report,
) -> Option<u64> {
    let value = section.get(key)?;
    let number = number(value);
    if number.is_none() {
        wrong(value, wanted, report);
    }
    number
}

/// `true` or `false` of a key; `false` if it is not there.
pub(crate) fn yes_of(section: &mut Section<'_>, key: &'static str, report: &mut Report) -> bool {
    let Some(value) = section.get(key) else { return false };
    let yes = value.get_ref().as_bool();
    if yes.is_none() {
        wrong(value, "true or false", report);
    }
    yes.unwrap_or(false)
}

/// One of some words, by the number of the word; the first if the key is not there or no such word.
pub(crate) fn word_of(
    section: &mut Section<'_>,
    key: &'static str,
    words: &[&str],
    report: &mut Report,
) -> usize {
    let Some((written, span)) = section.text(key, report) else { return 0 };
    let found = words.iter().position(|word| *word == written);
    if found.is_none() {
        let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let message = format!("`{}` is none of these: write {}", written.escape_debug(), words.join(" or "));
        report.error(span, message, "here");
    }
    found.unwrap_or(0)
}

/// `10.0.0.10-10.0.0.99`, or a single address.
pub(crate) fn range(value: &Value<'_>, report: &mut Report) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let written = text(value, report)?;
    let (first, last) = written.split_once('-').unwrap_or((written, written));
    if let (Ok(first), Ok(last)) = (first.trim().parse(), last.trim().parse()) {
        return Some((first, last));
    }
    report.error(value.span(), "this is no range: write it like \"10.0.0.10-10.0.0.99\"".to_owned(), "here");
    None
}

/// `hex:0a0b` or `hex:0a:0b`, `text:abc`.
pub(crate) fn bytes(written: &str) -> Option<Vec<u8>> {
    if let Some(text) = written.strip_prefix("text:") {
        return Some(text.as_bytes().to_vec());
    }
    let digits: Vec<u8> =
        written.strip_prefix("hex:")?.bytes().filter(|byte| !matches!(byte, b':' | b' ' | b'-')).collect();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (written, seconds) in
            [("8h", 28_800), ("1d 2h", 93_600), ("90m", 5400), ("5s", 5), ("1w", 604_800)]
        {
            assert_eq!(parse_duration(written), Some(Interval::from_seconds(seconds)), "{written}");
        }
        assert_eq!(parse_duration("infinite"), Some(Interval::INFINITE));
        for written in ["", "8", "h", "8x", "-8h", "8.5h", "99999999999999999999s", "8h30"] {
            assert_eq!(parse_duration(written), None, "{written}");
        }
    }

    #[test]
    fn bytes_are_hexadecimal_or_text() {
        assert_eq!(bytes("hex:0a:0B"), Some(vec![10, 11]));
        assert_eq!(bytes("text:ab"), Some(b"ab".to_vec()));
        for written in ["0a", "hex:0", "hex:zz", "hex:é"] {
            assert_eq!(bytes(written), None, "{written}");
        }
    }
}
