//! The codec: a request is looked at, a reply is written.

mod common;

use benches::{Client, Kind};
use criterion::{Criterion, criterion_group, criterion_main};
use dhcp::{Message, MessageType, ReplyHeader, Writer, code};
use std::hint::black_box;
use std::net::Ipv4Addr;

fn offer(buffer: &mut [u8; 1472], request: &Message<'_>) -> usize {
    let header = ReplyHeader { yiaddr: Ipv4Addr::new(10, 0, 0, 9), ..ReplyHeader::answering(request) };
    let mut writer = Writer::new(buffer, &header, 1472);
    let relay = request.relay_agent_information();
    if let Some(relay) = &relay {
        let _ = writer.reserve_for_relay_agent_information(relay);
    }
    writer.message_type(MessageType::Offer);
    for (code, value) in [
        (code::SERVER_IDENTIFIER, &[10, 0, 0, 1][..]),
        (code::LEASE_TIME, &[0, 0, 14, 16]),
        (code::SUBNET_MASK, &[255, 0, 0, 0]),
        (code::ROUTERS, &[10, 0, 0, 254]),
        (code::DOMAIN_NAME_SERVERS, &[10, 0, 0, 53, 10, 0, 0, 54]),
        (code::DOMAIN_NAME, b"campus.example"),
    ] {
        let _ = writer.option(code, value);
    }
    writer.finish(relay.as_ref())
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    for (kind, name) in [(Kind::Plain, "plain"), (Kind::Full, "full")] {
        let discover = Client::new(7, kind).discover();
        group.bench_function(format!("parse {name}"), |bencher| {
            bencher.iter(|| {
                let message = Message::parse(black_box(&discover));
                message.map(|message| (message.message_type(), message.requested_address()))
            });
        });
        group.bench_function(format!("parse and answer {name}"), |bencher| {
            let mut buffer = [0; 1472];
            bencher.iter(|| {
                let message = Message::parse(black_box(&discover)).ok()?;
                Some(offer(black_box(&mut buffer), &message))
            });
        });
    }
    group.finish();
}

criterion_group! { name = all; config = common::quick(); targets = codec }
criterion_main!(all);
