//! Messages that no program has sent: well-formed ones with any options, and what becomes of them when bytes change.

use crate::known_faults::{Shape, shape};
use dhcp::{Message, MessageType, RelayAgentInformation, ReplyHeader, Writer};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 5
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    pub fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    pub fn word(&mut self) -> u32 {
        u32::try_from(self.next() & 0xffff_ffff).unwrap()
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    pub fn name(&mut self, most: usize) -> Vec<u8> {
        (0..=self.below(most)).map(|_| b"abcdefghijklmnopqrstuvwxyz0123456789-"[self.below(37)]).collect()
    }

    pub fn domain(&mut self) -> Vec<u8> {
        let labels: Vec<String> =
            (0..=self.below(3)).map(|_| String::from_utf8(self.name(10)).unwrap()).collect();
        dhcp::encode::domain_name(&labels.join(".")).unwrap()
    }
}

/// A well-formed message.
pub fn generated(random: &mut Random) -> Vec<u8> {
    let mut bytes = random.bytes(240);
    bytes[0] = 1 + random.byte() % 2;
    bytes[2] = random.byte() % 17;
    bytes[44..236].fill(0);
    for field in [44..108, 108..236] {
        if random.below(4) == 0 {
            let name = random.name(40);
            bytes[field.start..field.start + name.len()].copy_from_slice(&name);
        }
    }
    bytes[236..240].copy_from_slice(&[99, 130, 83, 99]);
    for (code, value) in random_options(random) {
        bytes.extend(std::iter::repeat_n(0, usize::from(random.below(6) == 0)));
        for part in value.chunks(255).chain(value.is_empty().then_some(&[][..])) {
            bytes.extend_from_slice(&[code, u8::try_from(part.len()).unwrap()]);
            bytes.extend_from_slice(part);
        }
    }
    if random.below(8) > 0 {
        bytes.push(255);
        bytes.extend(std::iter::repeat_n(0, random.below(60)));
    }
    bytes
}

/// Options with values as they should be, in any order, a message type among them.
pub fn random_options(random: &mut Random) -> Vec<(u8, Vec<u8>)> {
    let mut options = BTreeMap::from([(53, vec![1 + random.byte() % 18])]);
    for _ in 0..random.below(12) {
        let code = match random.below(3) {
            0 => [12, 50, 51, 54, 55, 57, 60, 61, 82][random.below(9)],
            1 => dhcp::options::DEFINITIONS[random.below(dhcp::options::DEFINITIONS.len())].code,
            _ => 1 + random.byte() % 254,
        };
        if let Some(value) = value_for(random, code) {
            options.insert(code, value);
        }
    }
    let mut options: Vec<_> = options.into_iter().collect();
    for at in (1..options.len()).rev() {
        options.swap(at, random.below(at + 1));
    }
    options
}

/// A value that both codecs take for the option; `None` for a code that is not to be generated.
fn value_for(random: &mut Random, code: u8) -> Option<Vec<u8>> {
    let some = 1 + random.below(4);
    Some(match shape(code) {
        Shape::Exactly(length) => random.bytes(length),
        Shape::Times(length) => random.bytes(length * some),
        Shape::Flag => vec![random.byte() & 1],
        Shape::Text => {
            let most = if random.below(20) == 0 { 300 } else { 30 };
            random.name(most)
        }
        Shape::Any => {
            let length = if random.below(20) == 0 { 200 + random.below(200) } else { random.below(40) };
            random.bytes(length)
        }
        Shape::MessageType
        | Shape::Overload
        | Shape::TcpTtl
        | Shape::V6OnlyPreferred
        | Shape::Empty
        | Shape::StatusCode => return None,
        Shape::Fqdn => [vec![4 | random.byte() & 3, 0, 0], random.domain()].concat(),
        Shape::DomainList => (0..some).flat_map(|_| random.domain()).collect(),
        Shape::Routes => (0..some)
            .flat_map(|_| {
                let (destination, router) = (random.word().into(), random.word().into());
                dhcp::encode::classless_route(destination, random.byte() % 33, router)
            })
            .collect(),
        Shape::Relay => {
            let mut value = Vec::new();
            for code in [1, 2, 4, 5, 6, 9, 10, 11, 151] {
                if random.below(3) == 0 {
                    let length = match code {
                        4 | 5 | 11 => 4,
                        10 => 1,
                        _ => random.below(20),
                    };
                    value.extend_from_slice(&[code, u8::try_from(length).unwrap()]);
                    value.extend(random.bytes(length));
                }
            }
            value
        }
    })
}

pub fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        let at = if random.below(3) > 0 && bytes.len() > 241 {
            240 + random.below(bytes.len() - 240)
        } else {
            random.below(bytes.len())
        };
        match random.below(6) {
            0 => bytes[at] = random.byte(),
            1 => bytes[at] ^= 1 << random.below(8),
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, random.byte()),
            4 => bytes[at] = [0, 12, 50, 52, 53, 61, 82, 255][random.below(8)],
            _ if random.below(10) == 0 => bytes.truncate(at),
            _ => {}
        }
        if bytes.is_empty() {
            bytes.push(1);
        }
    }
}

/// A reply, and what must be found in it.
pub struct Reply {
    pub bytes: Vec<u8>,
    pub options: Vec<(u8, Vec<u8>)>,
    pub echoed: Option<Vec<u8>>,
}

/// A reply with some of the options that are wanted. With names in `sname` and `file`, no option goes there; without, there
/// are so many options that some have to.
pub fn reply(random: &mut Random, request: &Message<'_>, named: bool, wanted: fn(u8) -> bool) -> Reply {
    let header = ReplyHeader {
        yiaddr: Ipv4Addr::from_bits(random.word()),
        siaddr: Ipv4Addr::from_bits(random.word()),
        ..ReplyHeader::answering(request)
    };
    let mut buffer = [0; 1472];
    let limit = if named { 1472 } else { 0 };
    let mut writer = Writer::new(&mut buffer, &header, limit);
    let relay: Option<RelayAgentInformation<'_>> = request.relay_agent_information();
    let room = relay.is_none_or(|relay| writer.reserve_for_relay_agent_information(&relay).is_ok());
    writer.message_type(MessageType::ALL[random.below(18)]);
    if named {
        writer.sname(b"boot.campus.example").unwrap();
        writer.file(b"pxelinux.0").unwrap();
    }
    let mut options = Vec::new();
    let rounds = if named { 1 } else { 9 };
    for (code, value) in (0..rounds).flat_map(|_| random_options(random)) {
        if wanted(code) && writer.option(code, &value).is_ok() {
            options.push((code, value));
        }
    }
    let length = writer.finish(relay.as_ref());
    let echoed = relay.filter(|_| room).map(|relay| relay.value().to_vec());
    Reply { bytes: buffer[..length].to_vec(), options, echoed }
}
