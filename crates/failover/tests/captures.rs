//! Every message that dhcpd was seen to send is understood, and encoded again to the same bytes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod common;

use common::{frames, streams};
use failover::balance::{Bucket, HashBucketAssignment};
use failover::binding::BindingStatus;
use failover::dialect::Dialect;
use failover::judge::{Binding, Update, Verdict, judge};
use failover::lease::Times;
use failover::message::{
    BindingAck, BindingUpdate, Codec, Envelope, Message, MessageType, Parsed, RejectReason, Relationship,
};
use failover::state::{FailoverState, Role};
use failover::time::{ClockDelta, Interval, Time};
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

/// The updates about one address in a capture, as its server sent them.
fn updates(capture: &str, server: Ipv4Addr, address: Ipv4Addr) -> Vec<BindingUpdate> {
    let streams = streams(capture);
    let of_server = streams.iter().filter(|((from, ..), _)| *from == server);
    of_server
        .flat_map(|(_, stream)| frames(stream))
        .filter_map(|frame| match dhcpd().parse(frame) {
            Ok(Parsed::Message(envelope)) => match envelope.message {
                Message::BndUpd(updates) => Some(updates.updates),
                _ => None,
            },
            other => panic!("{other:?}: {frame:02x?}"),
        })
        .flatten()
        .filter(|update| update.address == address)
        .collect()
}

/// What we have of a lease after this update, all of it acknowledged.
fn held(update: &Update) -> Binding {
    Binding {
        status: update.status,
        times: Times { lease_expiration: update.lease_expiration.unwrap(), ..Times::NONE },
        start_time_of_state: update.start_time_of_state.unwrap(),
        client_last_transaction_time: update.client_last_transaction_time,
        granted: Interval::from_seconds(60),
        same_client: true,
        reserved: false,
        outstanding: false,
        untold: false,
        probation_over: false,
    }
}

/// A client of a dhcpd releases its lease 3 s after it got it: the message says when by the end of the lease alone.
#[test]
fn what_a_client_of_dhcpd_released_is_released() {
    let (server, address) = (Ipv4Addr::new(10, 99, 0, 1), Ipv4Addr::new(10, 1, 0, 150));
    let all = updates("release-by-primary.pcap", server, address);
    let told = |status| all.iter().rfind(|update| update.status == status).unwrap();
    let heard = |update| Update::received(update, ClockDelta(0), Dialect::Dhcpd);
    let (leased, released) = (heard(told(BindingStatus::Active)), heard(told(BindingStatus::Released)));
    let now = released.lease_expiration.unwrap();
    let judged = |ours| judge(&released, Some(&ours), Role::Secondary, now);
    let ours = held(&leased);
    assert!(matches!(judged(ours), Verdict::Accept(apply) if apply.status == BindingStatus::Free));
    // A client that was heard here since then has its lease.
    let later: Option<Time> = Some(now.plus(Interval::from_seconds(1)));
    let outdated = Verdict::Reject(RejectReason::OUTDATED_BINDING_INFORMATION);
    assert_eq!(judged(Binding { client_last_transaction_time: later, ..ours }), outdated);
}

/// Why a dhcpd is told nothing before it has told all that it has: it takes the end of a lease that it extended itself.
#[test]
fn dhcpd_takes_what_is_older_than_what_it_knows() {
    let capture = "expired-over-a-running-lease.pcap";
    let (dhcpd_address, tandem) = (Ipv4Addr::new(10, 99, 0, 1), Ipv4Addr::new(10, 99, 0, 2));
    let address = Ipv4Addr::new(10, 1, 0, 150);
    let streams = streams(capture);
    let said = |by: Ipv4Addr| {
        let of_server = streams.iter().filter(move |((from, ..), _)| *from == by);
        of_server.flat_map(|(_, stream)| frames(stream)).filter_map(|frame| match dhcpd().parse(frame) {
            Ok(Parsed::Message(envelope)) => Some(envelope),
            _ => None,
        })
    };
    let expired = said(tandem)
        .find(|envelope| match &envelope.message {
            Message::BndUpd(updates) => {
                updates.updates[0].address == address && updates.updates[0].status == BindingStatus::Expired
            }
            _ => false,
        })
        .unwrap();
    let leased = updates(capture, dhcpd_address, address);
    let ends = leased.iter().filter(|update| update.status == BindingStatus::Active);
    let end = ends.filter_map(|update| update.lease_expiration).max().unwrap();
    assert!(end.0 > expired.time.0 + 30, "the lease runs");
    let accepts = |envelope: &Envelope| {
        let is_for = |ack: &BindingAck| ack.address == address && ack.rejected.is_none();
        envelope.xid == expired.xid
            && envelope.time >= expired.time
            && matches!(&envelope.message, Message::BndAck(acks) if is_for(&acks[0]))
    };
    assert!(said(dhcpd_address).any(|envelope| accepts(&envelope)), "and its end is taken");
    let is_freed = |update: &BindingUpdate| {
        update.status == BindingStatus::Free && update.start_time_of_state >= Some(expired.time)
    };
    assert!(leased.iter().any(is_freed), "it tells that nobody has it");
    assert!(!Dialect::Dhcpd.judges_updates());
}
