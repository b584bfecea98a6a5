//! Strangers' bytes through codec and engine: no panic, no reply without a request, no growth beyond the bounds, and what
//! was recorded replays.

#![expect(
    clippy::disallowed_methods,
    reason = "how long to try is the environment's; the crate itself stays pure"
)]

mod common;

use common::{Client, SERVER, Server, ip, records, seconds, small};
use dhcp::{MessageType, code};
use engine::outbox::REPLIES_PER_BATCH;
use std::net::Ipv4Addr;

/// How many packets; `TANDEM_FUZZ_ITERATIONS` says otherwise.
fn iterations() -> u64 {
    std::env::var("TANDEM_FUZZ_ITERATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000_000)
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 5
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Messages of all kinds as clients and relays send them.
fn corpus() -> Vec<Vec<u8>> {
    let mut client = Client::new(1);
    client.identifier = Some(vec![1, 2, 3]);
    client.host_name = Some("laptop");
    client.wish = Some(700);
    let address = ip("10.0.0.10").octets();
    let server = SERVER.octets();
    let long = [7_u8; 300];
    let options: [(u8, &[u8]); 4] = [
        (code::REQUESTED_ADDRESS, &address),
        (code::SERVER_IDENTIFIER, &server),
        (code::PARAMETER_REQUEST_LIST, &[1, 3, 6, 12, 15, 28, 51, 108, 121]),
        (code::VENDOR_CLASS_IDENTIFIER, &long),
    ];
    let mut messages = Vec::new();
    for kind in [
        MessageType::Discover,
        MessageType::Request,
        MessageType::Decline,
        MessageType::Release,
        MessageType::Inform,
    ] {
        messages.push(client.message(kind, Ipv4Addr::UNSPECIFIED, &options));
        messages.push(client.message(kind, ip("10.0.0.11"), &options[..1]));
        messages.push(client.message(kind, ip("10.0.0.12"), &[]));
        let mut relayed = client.clone();
        relayed.giaddr = ip("10.0.0.2");
        relayed.relay_information = Some(vec![1, 3, 9, 9, 9, 5, 4, 10, 0, 0, 0, 11, 4, 10, 0, 0, 9]);
        messages.push(relayed.message(kind, Ipv4Addr::UNSPECIFIED, &options));
    }
    messages
}

fn mutate(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus[random.below(corpus.len())].clone();
    for _ in 0..random.below(4) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = random.below(bytes.len());
        match random.below(7) {
            0 => bytes[at] = random.byte(),
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes.truncate(at),
            3 => drop(bytes.remove(at)),
            4 => bytes.insert(at, random.byte()),
            // Options, where the lengths are.
            5 if bytes.len() > 241 => {
                let at = 240 + random.below(bytes.len() - 240);
                bytes[at] = [0, 1, 4, 5, 50, 52, 53, 55, 61, 82, 255][random.below(11)];
            }
            _ => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len());
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

#[test]
fn nothing_that_comes_in_stops_it() {
    let parts = small(20);
    let mut server = Server::new(&parts);
    let mut random = Random(0x5eed_5eed_5eed_5eed);
    let corpus = corpus();
    let (mut answered, mut from_noise) = (0_u64, 0_u64);
    for round in 0..iterations() {
        let noise = round % 10 == 0;
        let bytes = if noise {
            (0..random.below(700)).map(|_| random.byte()).collect()
        } else {
            mutate(&mut random, &corpus)
        };
        let mut client = Client::new(random.byte());
        if random.below(2) == 0 {
            client.destination = SERVER;
        }
        if server.send(&client, &bytes).is_some() {
            answered += 1;
            from_noise += u64::from(noise);
        }
        if round % 50 == 0 {
            server.pass(seconds(random.below(400) as u64));
        }
        if round % 5000 == 0 {
            assert_eq!(server.crashed(&parts).leases(), server.leases(), "round {round}");
            // Only the latest record of each address matters: keeps the test's own log short.
            let mut cursor = engine::SnapshotCursor::default();
            let mut frames = Vec::new();
            assert!(server.engine.snapshot(&mut cursor, REPLIES_PER_BATCH, &mut frames).1);
            let kept = records(&frames);
            assert!(kept.len() <= 21, "{} records for 20 addresses", kept.len());
            server.log = kept;
        }
    }
    assert!(
        answered > iterations() / 20,
        "only {answered} answers: the packets are too broken to prove anything"
    );
    assert_eq!(from_noise, 0, "noise was answered");
    println!("{} packets, {answered} answered", iterations());
}
