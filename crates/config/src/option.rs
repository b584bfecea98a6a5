//! Options by name or number, from text to bytes.
//!
//! *Lives here:* [`read`]: the table `options = { … }`.
//! *May know:* names and formats of crate `dhcp`.
//! *Must not know:* who gets the options.

use crate::places::Spans;
use crate::reader::{Value, nearest, number, wrong};
use crate::report::Report;
use crate::value;
use dhcp::encode;
use dhcp::options::{DEFINITIONS, OptionFormat, definition_by_name};
use engine::config::OptionSet;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// Reads a table of options, notes where each stands; what is wrong goes to the report.
pub(crate) fn read(value: &Value<'_>, spans: &mut Spans, report: &mut Report) -> OptionSet {
    let mut options = OptionSet::default();
    let Some(table) = value.get_ref().as_table() else {
        wrong(value, "a table, as in { routers = [\"10.0.0.1\"] }", report);
        return options;
    };
    for (key, value) in table {
        let name: &str = key.get_ref();
        let Some((code, format)) = which(name) else {
            let near = nearest(name, DEFINITIONS.iter().map(|definition| definition.name));
            let help = near.map_or_else(String::new, |near| format!("did you mean `{near}`?"));
            let message = format!("there is no option `{name}`: write its name, or its number from 1 to 254");
            report.error(key.span(), message, &help);
            continue;
        };
        let Some(bytes) = bytes_of(value, format) else {
            report.error(value.span(), format!("option `{name}` wants {}", wanted(format)), "here");
            continue;
        };
        spans.option(code, key.span().start..value.span().end);
        if options.set(code, bytes) {
            report.error(
                key.span(),
                format!("option {code} is set twice: remove one of the two"),
                "the second",
            );
        }
    }
    options
}

fn which(name: &str) -> Option<(u8, OptionFormat)> {
    if let Some(definition) = definition_by_name(name) {
        return Some((definition.code, definition.format));
    }
    let code: u8 = name.parse().ok()?;
    // A number says what the operator wants: raw bytes, whatever the option is called.
    Some((code, OptionFormat::Bytes))
}

fn wanted(format: OptionFormat) -> &'static str {
    match format {
        OptionFormat::Address => "an address, as in \"10.0.0.1\"",
        OptionFormat::Addresses => "addresses, as in [\"10.0.0.1\", \"10.0.0.2\"]",
        OptionFormat::AddressPairs => "an even number of addresses, as in [\"10.2.0.0\", \"10.0.0.254\"]",
        OptionFormat::U8 => "a number from 0 to 255",
        OptionFormat::U8List => "numbers from 0 to 255, as in [1, 2]",
        OptionFormat::U16 => "a number from 0 to 65535",
        OptionFormat::U16List => "numbers from 0 to 65535, as in [68, 1500]",
        OptionFormat::U32 => "a number from 0 to 4294967295",
        OptionFormat::I32 => "a number from -2147483648 to 2147483647",
        OptionFormat::Bool => "true or false",
        OptionFormat::Text => "a text of at least one character, in quotes",
        OptionFormat::Bytes => "bytes, as in \"hex:0a0b\", \"text:abc\" or [10, 11]",
        OptionFormat::DomainList => "domain names, as in [\"campus.example\", \"example\"]",
        OptionFormat::ClasslessRoutes => "routes, as in [\"10.2.0.0/16 via 10.0.0.254\"]",
    }
}

fn bytes_of(value: &Value<'_>, format: OptionFormat) -> Option<Vec<u8>> {
    let text = || value.get_ref().as_str();
    match format {
        OptionFormat::Address => Some(text()?.parse::<Ipv4Addr>().ok()?.octets().to_vec()),
        OptionFormat::Addresses => each(value, |item| Some(address(item)?.octets().to_vec())),
        OptionFormat::AddressPairs => {
            each(value, |item| Some(address(item)?.octets().to_vec())).filter(|bytes| bytes.len() % 8 == 0)
        }
        OptionFormat::U8 => Some(vec![u8::try_from(number(value)?).ok()?]),
        OptionFormat::U8List => each(value, |item| Some(vec![u8::try_from(number(item)?).ok()?])),
        OptionFormat::U16 => Some(u16::try_from(number(value)?).ok()?.to_be_bytes().to_vec()),
        OptionFormat::U16List => {
            each(value, |item| Some(u16::try_from(number(item)?).ok()?.to_be_bytes().to_vec()))
        }
        OptionFormat::U32 => Some(u32::try_from(number(value)?).ok()?.to_be_bytes().to_vec()),
        OptionFormat::I32 => signed(value).map(|number| number.to_be_bytes().to_vec()),
        OptionFormat::Bool => value.get_ref().as_bool().map(|yes| vec![u8::from(yes)]),
        OptionFormat::Text => text().filter(|text| !text.is_empty()).map(|text| text.as_bytes().to_vec()),
        OptionFormat::Bytes => match text() {
            Some(text) => value::bytes(text),
            None => each(value, |item| Some(vec![u8::try_from(number(item)?).ok()?])),
        },
        OptionFormat::DomainList => each(value, |item| encode::domain_name(item.get_ref().as_str()?).ok()),
        OptionFormat::ClasslessRoutes => each(value, |item| route(item.get_ref().as_str()?)),
    }
}

/// The bytes of each item one after the other; a value that is no array counts as its only item.
fn each(value: &Value<'_>, bytes: impl Fn(&Value<'_>) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let Some(array) = value.get_ref().as_array() else { return bytes(value) };
    let parts: Option<Vec<Vec<u8>>> = array.iter().map(bytes).collect();
    parts.map(|parts| parts.concat()).filter(|bytes| !bytes.is_empty())
}

fn address(value: &Value<'_>) -> Option<Ipv4Addr> {
    value.get_ref().as_str()?.parse().ok()
}

fn signed(value: &Value<'_>) -> Option<i32> {
    let integer = value.get_ref().as_integer()?;
    i32::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
}

fn route(text: &str) -> Option<Vec<u8>> {
    let (destination, router) = text.split_once(" via ")?;
    let destination: Ipv4Net = destination.trim().parse().ok()?;
    Some(encode::classless_route(destination.addr(), destination.prefix_len(), router.trim().parse().ok()?))
}
