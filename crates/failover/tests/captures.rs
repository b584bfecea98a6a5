//! Every message that dhcpd was seen to send is understood, and encoded again to the same bytes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod common;

use common::{frames, streams};
use failover::balance::{Bucket, HashBucketAssignment};
use failover::dialect::Dialect;
use failover::message::{Codec, Message, MessageType, Parsed, RejectReason, Relationship};
use failover::state::{FailoverState, Role};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

const CAPTURES: [&str; 3] = [
    "pair-start-lease-kill-recover.pcap",
    "pair-pools-release-crash.pcap",
    "conflict-resolution-scripted-primary.pcap",
];

fn dhcpd() -> Codec {
    Codec::new(Dialect::Dhcpd, Ipv4Addr::LOCALHOST)
}

fn messages(capture: &str) -> Vec<Message> {
    let streams = streams(capture);
    let all = streams.values().flat_map(|stream| frames(stream));
    all.map(|frame| match dhcpd().parse(frame) {
        Ok(Parsed::Message(envelope)) => envelope.message,
        other => panic!("{other:?}: {frame:02x?}"),
    })
    .collect()
}

#[test]
fn every_message_round_trips() {
    let mut counts: BTreeMap<MessageType, usize> = BTreeMap::new();
    for capture in CAPTURES {
        for stream in streams(capture).values() {
            for frame in frames(stream) {
                let Ok(Parsed::Message(envelope)) = dhcpd().parse(frame) else {
                    panic!("{capture}: {frame:02x?}")
                };
                let mut encoded = Vec::new();
                dhcpd().encode(&envelope, &mut encoded).unwrap();
                assert_eq!(encoded, frame, "{capture}: {envelope:?}");
                *counts.entry(envelope.message.message_type()).or_default() += 1;
            }
        }
    }
    assert_eq!(counts.len(), 12, "all twelve types occur: {counts:?}");
    assert_eq!(counts[&MessageType::BndUpd], 522);
    assert_eq!(counts[&MessageType::BndAck], 522);
}

#[test]
fn a_connect_of_dhcpd_says_split_128() {
    let connect = messages(CAPTURES[0]).into_iter().find_map(|message| match message {
        Message::Connect(connect) => Some(connect),
        _ => None,
    });
    let connect = connect.unwrap();
    assert!(matches!(connect.relationship, Relationship::Name(name) if name.as_bytes() == b"campus"));
    assert!(connect.vendor_class.starts_with(b"isc-4.4.3"));
    assert_eq!((connect.max_unacked_bndupd, connect.mclt.as_seconds()), (10, 120));
    assert_eq!(connect.buckets, HashBucketAssignment::from_split(128));
    assert_eq!(connect.buckets.server_of(Bucket(0)), Role::Primary);
    assert_eq!(connect.buckets.server_of(Bucket(128)), Role::Secondary);
}

#[test]
fn states_and_rejections_are_what_the_lab_saw() {
    let all: Vec<Message> = CAPTURES.iter().flat_map(|capture| messages(capture)).collect();
    let states: Vec<FailoverState> = all
        .iter()
        .filter_map(|message| match message {
            Message::State(state) => Some(state.state),
            _ => None,
        })
        .collect();
    for state in [FailoverState::RecoverWait, FailoverState::ConflictDone, FailoverState::Normal] {
        assert!(states.contains(&state), "{state} was seen in the lab");
    }
    let reasons: Vec<RejectReason> = all
        .iter()
        .filter_map(|message| match message {
            Message::BndAck(acks) => acks[0].rejected.as_ref().map(|rejection| rejection.reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons.len(), 140);
    assert!(reasons.iter().all(|reason| *reason == RejectReason::LESS_CRITICAL_BINDING_INFORMATION));
}
