//! A second opinion on the codec: dhcproto 0.15 reads the same messages.
//!
//! Both must find the same fields and options in every message, except where dhcproto is known to be wrong. What it is known
//! to do wrong is a [`Fault`], with a predicate that says which messages show it and a message that shows it alone. The
//! test fails where the two disagree without a known reason, and where a known fault is gone.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "how long to try is the environment's, and a broken test may stop; the crate itself stays pure"
)]

mod corpus;
mod known_faults;

use corpus::generate::{Random, generated, mutate, random_options, reply};
use corpus::{request, samples, with};
use dhcp::{Message, Op, TransactionId};
use dhcproto::v4::{self, DhcpOption, OptionCode};
use dhcproto::{Decodable, Encodable, Encoder};
use known_faults::{Fault, faults};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many generated messages; a fiftieth of `TANDEM_FUZZ_ITERATIONS` where that is set.
fn iterations() -> u64 {
    let text = std::env::var("TANDEM_FUZZ_ITERATIONS").ok();
    text.and_then(|text| text.parse::<u64>().ok()).map_or(200_000, |count| count / 50)
}

/// Where the two codecs disagree about this message.
fn differences(bytes: &[u8]) -> Vec<String> {
    let theirs = v4::Message::from_bytes(bytes);
    match (Message::parse(bytes), theirs) {
        (Err(_), Err(_)) => Vec::new(),
        (Err(refusal), Ok(_)) => vec![format!("refused here: {refusal}")],
        (Ok(_), Err(error)) => vec![format!("refused by dhcproto: {error}")],
        (Ok(ours), Ok(theirs)) => {
            let mut found = fields(&ours, &theirs);
            found.extend((1..255).filter_map(|code| option(&ours, &theirs, code)));
            found.extend(typed(&ours, &theirs));
            found
        }
    }
}

fn fields(ours: &Message<'_>, theirs: &v4::Message) -> Vec<String> {
    let until_zero = |field: &[u8]| {
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
        field[..end].to_vec()
    };
    let name = |field: Option<&[u8]>| field.map(until_zero).unwrap_or_default();
    let mut found = Vec::new();
    let mut compare = |what: &str, same: bool| {
        if !same {
            found.push(format!("the field {what}"));
        }
    };
    compare("op", ours.op().number() == u8::from(theirs.opcode()));
    compare("htype", ours.htype() == u8::from(theirs.htype()));
    compare("hlen", ours.hlen() == theirs.hlen());
    compare("hops", ours.hops() == theirs.hops());
    compare("xid", ours.xid().0 == theirs.xid());
    compare("secs", ours.secs() == theirs.secs());
    compare("flags", ours.flags() == u16::from(theirs.flags()));
    compare("broadcast", ours.is_broadcast() == theirs.flags().broadcast());
    compare("ciaddr", ours.ciaddr() == theirs.ciaddr());
    compare("yiaddr", ours.yiaddr() == theirs.yiaddr());
    compare("siaddr", ours.siaddr() == theirs.siaddr());
    compare("giaddr", ours.giaddr() == theirs.giaddr());
    compare("chaddr", ours.chaddr() == theirs.chaddr());
    compare("sname", until_zero(ours.sname()) == name(theirs.sname()));
    compare("file", until_zero(ours.file()) == name(theirs.fname()));
    found
}

/// The bytes of an option, or why they differ.
fn option(ours: &Message<'_>, theirs: &v4::Message, code: u8) -> Option<String> {
    let value = ours.option(code).map(|value| value.to_vec());
    match (value, theirs.opts().get(OptionCode::from(code))) {
        (None, None) => None,
        (Some(value), Some(option)) if is_name(code) => {
            // Its encoder compresses names and writes them in lower case, so it reads our bytes instead.
            let alone = with(request(0, 0, [0; 4]), &[(code, &value)]);
            let read = v4::Message::from_bytes(&alone).ok()?;
            let same = read.opts().get(OptionCode::from(code)) == Some(option);
            (!same).then(|| format!("option {code}: {value:02x?} is not {option:?}"))
        }
        (Some(value), Some(option)) => {
            let written = value_of(option);
            (written != value).then(|| format!("option {code}: {value:02x?} is not {written:02x?}"))
        }
        (Some(value), None) => Some(format!("option {code}: dhcproto does not find {value:02x?}")),
        (None, Some(option)) => Some(format!("option {code}: only dhcproto finds {option:?}")),
    }
}

/// Options that hold domain names.
fn is_name(code: u8) -> bool {
    matches!(code, 81 | 88 | 119)
}

/// What dhcproto would write as the value, its parts together.
fn value_of(option: &DhcpOption) -> Vec<u8> {
    let mut bytes = Vec::new();
    option.encode(&mut Encoder::new(&mut bytes)).unwrap();
    let (mut value, mut rest) = (Vec::new(), bytes.as_slice());
    while let [_, length, after @ ..] = rest {
        let (part, after) = after.split_at(usize::from(*length));
        value.extend_from_slice(part);
        rest = after;
    }
    value
}

/// What the accessors say, against the values of dhcproto.
fn typed(ours: &Message<'_>, theirs: &v4::Message) -> Vec<String> {
    let mut found = Vec::new();
    for option in theirs.opts().iter().map(|(_, option)| option) {
        let same = match option {
            DhcpOption::MessageType(kind) => {
                ours.message_type().map(dhcp::MessageType::number) == Some(u8::from(*kind))
            }
            DhcpOption::RequestedIpAddress(address) => ours.requested_address() == Some(*address),
            DhcpOption::ServerIdentifier(address) => ours.server_identifier() == Some(*address),
            DhcpOption::SubnetSelection(address) => ours.subnet_selection() == Some(*address),
            DhcpOption::AddressLeaseTime(seconds) => ours.lease_time() == Some(*seconds),
            DhcpOption::MaxMessageSize(size) => ours.max_message_size() == Some((*size).max(576)),
            DhcpOption::ParameterRequestList(codes) => {
                let list = ours.parameter_request_list().map(|list| list.to_vec()).unwrap_or_default();
                list.into_iter().eq(codes.iter().map(|code| u8::from(*code)))
            }
            DhcpOption::ClientIdentifier(bytes) => {
                ours.client_identifier().map(|value| value.to_vec()).unwrap_or_default() == *bytes
            }
            DhcpOption::ClassIdentifier(bytes) => {
                ours.vendor_class().map(|value| value.to_vec()).unwrap_or_default() == *bytes
            }
            DhcpOption::Hostname(name) => {
                ours.host_name().map(|value| value.to_vec()).unwrap_or_default() == name.as_bytes()
            }
            DhcpOption::RelayAgentInformation(information) => relay(ours, information),
            _ => true,
        };
        if !same {
            found.push(format!("the accessor for {option:?}"));
        }
    }
    found
}

fn relay(ours: &Message<'_>, theirs: &v4::relay::RelayAgentInformation) -> bool {
    use v4::relay::RelayInfo;
    let Some(information) = ours.relay_agent_information() else { return theirs.is_empty() };
    theirs.iter().all(|(_, info)| match info {
        RelayInfo::AgentCircuitId(id) => {
            information.circuit_id().map(|id| id.to_vec()).unwrap_or_default() == *id
        }
        RelayInfo::AgentRemoteId(id) => {
            information.remote_id().map(|id| id.to_vec()).unwrap_or_default() == *id
        }
        RelayInfo::SubscriberId(id) => {
            information.subscriber_id().map(|id| id.to_vec()).unwrap_or_default() == *id
        }
        RelayInfo::LinkSelection(address) => information.link_selection() == Some(*address),
        RelayInfo::ServerIdentifierOverride(address) => {
            information.server_identifier_override() == Some(*address)
        }
        _ => true,
    })
}

/// Fails when the two disagree without a known reason; says whether they had to agree.
fn judge(name: &str, bytes: &[u8]) -> bool {
    let known = faults(bytes);
    if !known.is_empty() {
        return false;
    }
    let found = catch_unwind(AssertUnwindSafe(|| differences(bytes)))
        .unwrap_or_else(|_| vec!["dhcproto panics".to_owned()]);
    assert!(found.is_empty(), "{name}: {found:#?}\n{bytes:02x?}");
    true
}

#[test]
fn both_read_what_programs_send_alike() {
    let samples = samples();
    let mut unlike = Vec::new();
    for sample in &samples {
        assert!(Message::parse(&sample.bytes).is_ok(), "{}", sample.name);
        if !judge(&sample.name, &sample.bytes) {
            unlike.push((sample.name.as_str(), faults(&sample.bytes)));
        }
    }
    // udhcpc and others still send their name as ASCII in option 81, and dhcproto loses all options behind it.
    assert!(
        unlike.iter().all(|(_, faults)| faults.iter().eq([&Fault::StopsAtUnreadableValue])),
        "{unlike:?}"
    );
    assert!(unlike.len() <= 6 && samples.len() >= 37, "{} of {} agree", unlike.len(), samples.len());
}

#[test]
fn every_known_fault_of_dhcproto_is_still_there() {
    for fault in Fault::ALL {
        let bytes = fault.message();
        assert_eq!(
            faults(&bytes).into_iter().collect::<Vec<_>>(),
            [fault],
            "the message shows this fault alone"
        );
        let seen = catch_unwind(AssertUnwindSafe(|| !differences(&bytes).is_empty())).unwrap_or(true);
        assert!(seen, "dhcproto has mended {fault:?}: take the fault from the list");
    }
}

#[test]
fn both_read_generated_and_mutated_messages_alike() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let samples = samples();
    let (mut agreed, mut excused) = (0_u64, BTreeMap::<Fault, u64>::new());
    for round in 0..iterations() {
        let mut bytes = match round % 3 {
            0 => samples[random.below(samples.len())].bytes.clone(),
            _ => generated(&mut random),
        };
        if round % 4 != 0 {
            mutate(&mut random, &mut bytes);
        }
        if judge("generated", &bytes) {
            agreed += 1;
        } else {
            for fault in faults(&bytes) {
                *excused.entry(fault).or_default() += 1;
            }
        }
    }
    println!("{agreed} of {} messages read alike; not compared, by known fault: {excused:?}", iterations());
    assert!(agreed > iterations() / 3, "only {agreed} messages were compared: that proves little");
}

#[test]
fn what_the_writer_writes_dhcproto_reads() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut written = 0;
    for _ in 0..iterations() / 10 {
        let bytes = generated(&mut random);
        let Ok(request) = Message::parse(&bytes) else { continue };
        let reply = reply(&mut random, &request, true, |_| true);
        assert!(judge("reply", &reply.bytes), "{:?} {:02x?}", faults(&reply.bytes), reply.bytes);
        let theirs = v4::Message::from_bytes(&reply.bytes).unwrap();
        assert_eq!((theirs.xid(), theirs.giaddr()), (request.xid().0, request.giaddr()));
        assert_eq!(theirs.chaddr(), request.chaddr());
        for (code, value) in reply.options {
            let option = theirs.opts().get(OptionCode::from(code)).unwrap();
            assert!(
                is_name(code) || value_of(option) == value,
                "option {code}: {value:02x?} is not {option:?}"
            );
        }
        let relay = theirs.opts().get(OptionCode::RelayAgentInformation).map(value_of);
        assert_eq!(relay, reply.echoed);
        written += 1;
    }
    assert!(written > iterations() / 20);
}

#[test]
fn what_dhcproto_writes_is_read_here() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for _ in 0..iterations() / 10 {
        let chaddr: Vec<u8> = (0..random.below(17)).map(|_| random.byte()).collect();
        let mut message = v4::Message::default();
        message.set_xid(random.word()).set_secs(7).set_hops(random.byte()).set_chaddr(&chaddr);
        message.set_ciaddr(random.word()).set_yiaddr(random.word()).set_giaddr(random.word());
        let expected: BTreeMap<u8, Vec<u8>> = random_options(&mut random).into_iter().collect();
        for (code, value) in &expected {
            let alone = with(request(0, 0, [0; 4]), &[(*code, value)]);
            let read = v4::Message::from_bytes(&alone).unwrap();
            message.opts_mut().insert(read.opts().get(OptionCode::from(*code)).unwrap().clone());
        }
        let mut bytes = Vec::new();
        message.encode(&mut Encoder::new(&mut bytes)).unwrap();
        let ours = Message::parse(&bytes).unwrap();
        assert_eq!((ours.op(), ours.xid()), (Op::BootRequest, TransactionId(message.xid())));
        assert_eq!(fields(&ours, &message), Vec::<String>::new());
        for (code, value) in &expected {
            let read = ours.option(*code).map(|value| value.to_vec()).unwrap_or_default();
            assert!(is_name(*code) || read == *value, "option {code}: {read:02x?} is not {value:02x?}");
        }
        assert_eq!(typed(&ours, &message), Vec::<String>::new());
    }
}
