//! What a client says, as a script writes it, and what it is answered, with the names of options.

use super::super::common::{Client, Reply};
use super::words::{Fields, Outcome, hex, interval, number, show_interval};
use dhcp::options::{OptionFormat, definition_by_code};
use dhcp::{HardwareAddress, MessageType, code};
use engine::Destination;
use failover::time::Interval;
use std::net::Ipv4Addr;

/// A message of a client, and from which address it comes, and to which.
pub struct Said {
    pub bytes: Vec<u8>,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
}

/// `1 REQUEST 10.0.0.10, server 10.0.0.2`: who, what, for which address, and with what else.
pub fn read(text: &str, own: Ipv4Addr) -> Outcome<Said> {
    let mut fields = Fields::of(text);
    let (who, what) = fields.take_first().ok_or("which client?")?;
    let mut client = Client::new(number(&who)?);
    client.hardware = HardwareAddress::ethernet(super::words::hardware_of(number(&who)?));
    let (what, address) = what.split_once(' ').unwrap_or((&what, ""));
    let address = if address.is_empty() { Ipv4Addr::UNSPECIFIED } else { number(address)? };
    let server = fields.take("server").map_or(Ok(own), |text| number(&text))?;
    client.wish = fields
        .take("lease-time")
        .map(|text| interval(&text).map(|wish| u32::try_from(wish.as_seconds()).unwrap_or(u32::MAX)))
        .transpose()?;
    client.identifier =
        fields.take("client-identifier").map(|text| super::words::bytes(&text)).transpose()?;
    let secs: u16 = fields.number("secs")?.unwrap_or(0);
    fields.end()?;
    let (asked, chosen) = (address.octets(), server.octets());
    let asked: (u8, &[u8]) = (code::REQUESTED_ADDRESS, &asked);
    let chosen: (u8, &[u8]) = (code::SERVER_IDENTIFIER, &chosen);
    let none = Ipv4Addr::UNSPECIFIED;
    let (kind, ciaddr, options, to_us) = match what {
        "DISCOVER" if address == none => (MessageType::Discover, none, vec![], false),
        "DISCOVER" => (MessageType::Discover, none, vec![asked], false),
        "REQUEST" => (MessageType::Request, none, vec![asked, chosen], false),
        "REBOOT" => (MessageType::Request, none, vec![asked], false),
        "RENEW" => (MessageType::Request, address, vec![], true),
        "REBIND" => (MessageType::Request, address, vec![], false),
        "RELEASE" => (MessageType::Release, address, vec![chosen], true),
        "DECLINE" => (MessageType::Decline, none, vec![asked, chosen], false),
        "INFORM" => (MessageType::Inform, address, vec![], true),
        _ => return Err(format!("`{what}` is nothing that a client says")),
    };
    let mut bytes = client.message(kind, ciaddr, &options);
    bytes[8..10].copy_from_slice(&secs.to_be_bytes());
    Ok(Said { bytes, source: ciaddr, destination: if to_us { own } else { Ipv4Addr::BROADCAST } })
}

pub fn show(reply: &Reply) -> String {
    let message = reply.message();
    let client = match message.chaddr() {
        [2, 0, 0, 0, 0, number] => format!("client {number}"),
        other => format!("client {}", hex(other)),
    };
    let mut fields = vec![match reply.kind() {
        MessageType::Offer => format!("OFFER {}", message.yiaddr()),
        MessageType::Ack => format!("ACK {}", message.yiaddr()),
        MessageType::Nak => "NAK".to_owned(),
        other => format!("{other:?}"),
    }];
    let options = message.options().filter(|(code, _)| *code != code::DHCP_MESSAGE_TYPE);
    fields.extend(options.map(|(code, value)| show_option(code, value)));
    fields.push(match reply.destination {
        Destination::Relay { address, .. } => format!("to relay {address}"),
        Destination::Link { address, .. } => format!("to {address} on the link"),
        Destination::Broadcast { .. } => "broadcast".to_owned(),
        Destination::Routed { address, .. } => format!("to {address}"),
    });
    format!("{client} {}", fields.join(", "))
}

fn show_option(code: u8, value: &[u8]) -> String {
    let definition = definition_by_code(code);
    let name = match code {
        code::SERVER_IDENTIFIER => "server-identifier".to_owned(),
        code::LEASE_TIME => "lease-time".to_owned(),
        code::RENEWAL_TIME => "renewal-time".to_owned(),
        code::REBINDING_TIME => "rebinding-time".to_owned(),
        code::MESSAGE => "message".to_owned(),
        _ => definition.map_or_else(|| format!("option {code}"), |definition| definition.name.to_owned()),
    };
    let is_address = code == code::SERVER_IDENTIFIER
        || matches!(
            definition.map(|definition| definition.format),
            Some(OptionFormat::Address | OptionFormat::Addresses)
        );
    let value = match value {
        [a, b, c, d] if matches!(code, code::LEASE_TIME | code::RENEWAL_TIME | code::REBINDING_TIME) => {
            match u32::from_be_bytes([*a, *b, *c, *d]) {
                u32::MAX => "infinite".to_owned(),
                seconds => show_interval(Interval::from_seconds(u64::from(seconds))),
            }
        }
        _ if is_address => {
            let addresses = value.chunks(4).filter_map(|bytes| <[u8; 4]>::try_from(bytes).ok());
            addresses.map(|bytes| Ipv4Addr::from(bytes).to_string()).collect::<Vec<_>>().join(" ")
        }
        _ if code == code::MESSAGE => format!("\"{}\"", value.escape_ascii()),
        _ => hex(value),
    };
    format!("{name} {value}")
}
