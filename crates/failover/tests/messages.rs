//! Properties of the codec, and the bytes of each kind of message.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

use failover::balance::HashBucketAssignment;
use failover::binding::BindingStatus;
use failover::dialect::Dialect;
use failover::digest::Secret;
use failover::message::{
    BindingAck, BindingUpdate, ClientHardware, ClientOptions, Codec, Connect, ConnectAccepted, ConnectAck,
    Ddns, DigestFault, EncodeError, Envelope, Fault, HeardStore, IpFlags, MAX_TRANSACTIONS, Message,
    ParseError, Parsed, RejectReason, Rejection, Relationship, RelationshipName, StateMessage, TandemInfo,
    TlsRequest, VENDOR_CLASS, Xid,
};
use failover::state::FailoverState;
use failover::time::{Interval, WireTime};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::net::Ipv4Addr;

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn codec(dialect: Dialect, secret: bool) -> Codec {
    Codec::new(dialect, SERVER).with_secret(secret.then(|| Secret::new(b"secret".to_vec()).unwrap()))
}

fn encoded(codec: &Codec, message: &Message) -> Vec<u8> {
    let envelope = Envelope { time: WireTime(1_800_000_000), xid: Xid(7), message: message.clone() };
    let mut bytes = Vec::new();
    codec.encode(&envelope, &mut bytes).unwrap();
    bytes
}

fn parsed(codec: &Codec, frame: &[u8]) -> Message {
    match codec.parse(frame) {
        Ok(Parsed::Message(envelope)) => envelope.message,
        other => panic!("{other:?}"),
    }
}

fn time() -> impl Strategy<Value = Option<WireTime>> {
    option::of(any::<u32>().prop_map(WireTime))
}

fn client_options() -> impl Strategy<Value = Option<ClientOptions>> {
    option::of(
        (any::<[u8; 4]>(), vec(any::<u8>(), 0..100))
            .prop_map(|(magic, options)| ClientOptions { magic, options }),
    )
}

fn details() -> impl Strategy<Value = (Option<Ddns>, Option<ClientOptions>, Option<ClientOptions>)> {
    let ddns = (any::<[bool; 4]>(), vec(any::<u8>(), 0..80)).prop_map(|(flags, name)| Ddns {
        name_done: flags[0],
        controls_name: flags[1],
        address_done: flags[2],
        controls_address: flags[3],
        name,
    });
    (option::of(ddns), client_options(), client_options())
}

/// An update that `dialect` can say in full.
fn update(dialect: Dialect) -> impl Strategy<Value = BindingUpdate> {
    let hardware = option::of((1..=255u8, vec(any::<u8>(), 0..=16)));
    let flags = any::<(bool, bool)>();
    let client = (option::of(vec(any::<u8>(), 0..=255)), hardware);
    let fixed = (any::<u32>(), prop::sample::select(&BindingStatus::ALL[..]), flags);
    (fixed, client, (time(), time(), time(), time()), details()).prop_map(
        move |((address, status, flags), (client_identifier, hardware), times, details)| {
            let reserved = flags.0 && (dialect != Dialect::Draft07 || status == BindingStatus::Backup);
            let (ddns, request_options, reply_options) =
                if dialect == Dialect::Dhcpd { (None, None, None) } else { details };
            BindingUpdate {
                address: Ipv4Addr::from(address),
                status,
                flags: IpFlags { reserved, bootp: flags.1 && dialect != Dialect::Draft07 },
                client_identifier,
                hardware: hardware.map(|(htype, address)| ClientHardware { htype, address }),
                lease_expiration: times.0,
                potential_expiration: times.1,
                start_time_of_state: times.2,
                client_last_transaction_time: times.3,
                ddns,
                request_options,
                reply_options,
            }
        },
    )
}

fn rejection(dialect: Dialect) -> impl Strategy<Value = Rejection> {
    let last: u8 = if dialect == Dialect::Draft07 { 18 } else { 254 };
    (1..=last, option::of("[ -~é]{0,40}"))
        .prop_map(|(reason, message)| Rejection { reason: RejectReason(reason), message })
}

fn tandem(dialect: Dialect) -> impl Strategy<Value = Option<TandemInfo>> {
    option::of(any::<([u8; 16], u64, u32, [u8; 8], Option<u32>)>()).prop_flat_map(move |info| {
        heard_store().prop_map(move |heard| {
            let info = info.filter(|_| dialect == Dialect::Draft12);
            info.map(|(identity, generation, last, digest, lost)| TandemInfo {
                store_identity: identity,
                store_generation: generation,
                last_communicated: WireTime(last),
                configuration: digest,
                storage_lost: lost.map(WireTime),
                heard,
            })
        })
    })
}

fn heard_store() -> impl Strategy<Value = Option<HeardStore>> {
    option::of(any::<([u8; 16], u64, u32)>()).prop_map(|heard| {
        heard.map(|(identity, generation, at)| HeardStore { identity, generation, at: WireTime(at) })
    })
}

fn relationship(dialect: Dialect) -> impl Strategy<Value = Relationship> {
    (vec(any::<u8>(), 1..=255), any::<u32>()).prop_map(move |(name, address)| {
        if dialect == Dialect::Draft07 {
            Relationship::Address(Ipv4Addr::from(address))
        } else {
            Relationship::Name(RelationshipName::new(&name).unwrap())
        }
    })
}

fn vendor_class() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![VENDOR_CLASS.to_vec(), b"tandem-9".to_vec()])
}

fn seconds() -> impl Strategy<Value = Interval> {
    (1..=u32::MAX).prop_map(|seconds| Interval::from_seconds(u64::from(seconds)))
}

fn connect(dialect: Dialect) -> impl Strategy<Value = Message> {
    let tls = prop::sample::select(vec![
        None,
        Some(TlsRequest::No),
        Some(TlsRequest::Desired),
        Some(TlsRequest::Required),
    ]);
    let times = (seconds(), seconds(), option::of(1..=255u8));
    (relationship(dialect), 1..=u32::MAX, times, vendor_class(), any::<[u8; 32]>(), tls, tandem(dialect))
        .prop_map(|(relationship, max, times, vendor_class, bits, tls_request, tandem)| {
            Message::Connect(Connect {
                relationship,
                max_unacked_bndupd: max,
                receive_timer: times.0,
                vendor_class,
                protocol_version: 1,
                tls_request,
                mclt: times.1,
                buckets: HashBucketAssignment::from_bytes(bits),
                delayed_service: times.2,
                tandem,
            })
        })
}

fn connect_ack(dialect: Dialect) -> impl Strategy<Value = Message> {
    let accepted = (1..=u32::MAX, seconds(), vendor_class(), tandem(dialect)).prop_map(
        |(max_unacked_bndupd, receive_timer, vendor_class, tandem)| {
            Ok(ConnectAccepted { max_unacked_bndupd, receive_timer, vendor_class, tandem })
        },
    );
    let answer = prop_oneof![accepted, rejection(dialect).prop_map(Err)];
    (relationship(dialect), any::<u8>(), option::of(any::<bool>()), answer).prop_map(
        |(relationship, protocol_version, tls_reply, answer)| {
            Message::ConnectAck(ConnectAck { relationship, protocol_version, tls_reply, answer })
        },
    )
}

fn message(dialect: Dialect) -> impl Strategy<Value = Message> {
    let most = if dialect == Dialect::Dhcpd { 1 } else { 2 };
    let states: Vec<FailoverState> = FailoverState::ALL
        .into_iter()
        .filter(|state| state.number() > 1 && (dialect != Dialect::Draft07 || state.number() < 11))
        .collect();
    let acks = (any::<u32>(), option::of(rejection(dialect)))
        .prop_map(|(address, rejected)| BindingAck { address: Ipv4Addr::from(address), rejected });
    let state = (prop::sample::select(states), any::<bool>(), any::<u32>(), tandem(dialect)).prop_map(
        |(state, startup, since, tandem)| {
            Message::State(StateMessage { state, startup, since: WireTime(since), tandem })
        },
    );
    prop_oneof![
        Just(Message::PoolReq),
        Just(Message::UpdReqAll),
        Just(Message::UpdDone),
        Just(Message::UpdReq),
        Just(Message::Contact),
        any::<u32>().prop_map(|count| Message::PoolResp { addresses_transferred: count }),
        vec(update(dialect), 1..=most).prop_map(|updates| Message::BndUpd(updates.into())),
        vec(acks, 1..20).prop_map(Message::BndAck),
        connect(dialect),
        connect_ack(dialect),
        state,
        rejection(dialect).prop_map(Message::Disconnect),
    ]
}

fn dialect_and_message() -> impl Strategy<Value = (Dialect, Message)> {
    prop::sample::select(&Dialect::ALL[..]).prop_flat_map(|dialect| (Just(dialect), message(dialect)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn what_was_encoded_is_parsed((dialect, message) in dialect_and_message(), secret in any::<bool>()) {
        let codec = codec(dialect, secret);
        let bytes = encoded(&codec, &message);
        prop_assert_eq!(parsed(&codec, &bytes), message);
    }

    #[test]
    fn mutated_bytes_never_panic_and_what_is_parsed_can_be_said(
        (dialect, message) in dialect_and_message(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in option::of(any::<prop::sample::Index>()),
    ) {
        let codec = codec(dialect, false);
        let mut bytes = encoded(&codec, &message);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        if bytes.len() > 2 {
            bytes[..2].copy_from_slice(&length);
        }
        for dialect in Dialect::ALL {
            let codec = Codec::new(dialect, SERVER);
            if let Ok(Parsed::Message(envelope)) = codec.parse(&bytes) {
                let mut again = Vec::new();
                match codec.encode(&envelope, &mut again) {
                    Ok(()) => prop_assert!(again.len() <= 2048),
                    Err(error) => prop_assert!(
                        matches!(error, EncodeError::Empty(_) | EncodeError::Batched | EncodeError::TooLong(_)),
                        "{error}"
                    ),
                }
            }
        }
    }

    /// F07-11.1-06.
    #[test]
    fn one_changed_byte_fails_the_digest((dialect, message) in dialect_and_message(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let codec = codec(dialect, true);
        let mut bytes = encoded(&codec, &message);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(!matches!(codec.parse(&bytes), Ok(Parsed::Message(_))));
    }

    #[test]
    fn noise_never_panics(bytes in vec(any::<u8>(), 0..300)) {
        for dialect in Dialect::ALL {
            let _ = codec(dialect, bytes.len() % 2 == 0).parse(&bytes);
            let _ = Codec::relationship_of(dialect, &bytes);
        }
    }

    #[test]
    fn a_batch_fits(updates in vec(update(Dialect::Draft12), 1..40), secret in any::<bool>()) {
        let codec = codec(Dialect::Draft12, secret);
        let mut rest = &updates[..];
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(codec.batch(rest));
            prop_assert!(!batch.is_empty());
            encoded(&codec, &Message::BndUpd(batch.to_vec().into()));
            rest = after;
        }
    }
}

/// A frame with these options.
fn frame(kind: u8, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, 12, 0, 0, 0, 1, 0, 0, 0, 2];
    for (code, value) in options {
        bytes.extend_from_slice(&code.to_be_bytes());
        bytes.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(value);
    }
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    bytes[..2].copy_from_slice(&length);
    bytes
}

/// F07-6.1-01, -04, -05.
#[test]
fn unknown_options_are_skipped_and_unknown_messages_ignored_or_refused() {
    let codec = codec(Dialect::Draft12, false);
    assert_eq!(parsed(&codec, &frame(11, &[(99, b"x"), (0, b""), (65_535, b"yy")])), Message::Contact);
    for kind in 0..=255 {
        match (kind, codec.parse(&frame(kind, &[]))) {
            (0 | 13..=127, Err(refusal)) => assert_eq!(refusal.error, ParseError::UnknownType(kind)),
            (128..=255, Ok(Parsed::Ignored(ignored))) => assert_eq!(ignored, kind),
            (1 | 7..=9 | 11, Ok(Parsed::Message(_))) | (2..=6 | 10 | 12, Err(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// F07-6.1-06.
#[test]
fn extra_header_bytes_are_skipped_and_a_payload_offset_of_8_is_refused() {
    let codec = codec(Dialect::Draft12, false);
    let mut bytes = frame(2, &[(1, &[0, 0, 0, 5])]);
    bytes.splice(12..12, [1, 2, 3]);
    bytes[1] += 3;
    bytes[3] = 15;
    assert_eq!(parsed(&codec, &bytes), Message::PoolResp { addresses_transferred: 5 });
    bytes[3] = 8;
    assert_eq!(codec.parse(&bytes).unwrap_err().error, ParseError::PayloadOffset(8));
}

/// F07-2.2-02, F07-6.2-04, F07-6.3-03, F07-12.5-02.
#[test]
fn a_malformed_transaction_is_rejected_alone() {
    let codec = codec(Dialect::Draft12, false);
    let bytes = frame(
        3,
        &[
            (2, &[10, 0, 0, 1]),
            (3, &[2]),
            (3, &[2]),
            (2, &[10, 0, 0, 2]),
            (2, &[10, 0, 0, 3]),
            (3, &[1]),
            (13, &[1, 2, 3]),
            (2, &[10, 0, 0, 4]),
            (3, &[1]),
            (2, &[10, 0, 0, 5]),
            (3, &[8]),
            (2, &[10, 0, 0, 6]),
            (3, &[2]),
            (5, &[0, 1, 2]),
        ],
    );
    let Message::BndUpd(updates) = parsed(&codec, &bytes) else { panic!() };
    assert_eq!(updates.updates, [BindingUpdate::new(Ipv4Addr::new(10, 0, 0, 4), BindingStatus::Free)]);
    let malformed: Vec<(u8, u8)> = updates
        .malformed
        .iter()
        .map(|ack| (ack.address.octets()[3], ack.rejected.as_ref().unwrap().reason.0))
        .collect();
    assert_eq!(malformed, [(1, 254), (2, 3), (3, 254), (5, 254), (6, 254)]);
}

/// F07-6.2-04.
#[test]
fn a_repeated_option_of_another_message_is_an_error() {
    let refusal = codec(Dialect::Draft12, false).parse(&frame(2, &[(1, &[0; 4]), (1, &[0; 4])])).unwrap_err();
    assert!(matches!(refusal.error, ParseError::Option { fault: Fault::Repeated, .. }), "{refusal}");
    assert_eq!(refusal.error.reject_reason(), RejectReason::UNKNOWN);
}

#[test]
fn more_transactions_than_can_be_rejected_are_refused() {
    let codec = codec(Dialect::Draft12, true);
    let acks: Vec<BindingAck> = (0..155)
        .map(|n| BindingAck::rejected(Ipv4Addr::from(n), RejectReason::OUTDATED_BINDING_INFORMATION))
        .collect();
    let bytes = encoded(&codec, &Message::BndAck(acks));
    let Message::BndAck(acks) = parsed(&codec, &bytes) else { panic!() };
    assert_eq!(acks.len(), MAX_TRANSACTIONS);
    assert_eq!(acks[154].rejected.as_ref().unwrap().message, None, "the texts had to go");
    let many = vec![(2, &[10, 0, 0, 1][..]); 156];
    let refusal = Codec::new(Dialect::Draft12, SERVER).parse(&frame(3, &many)).unwrap_err();
    assert!(matches!(refusal.error, ParseError::TooManyTransactions(_)));
}

/// F07-7.8.1-07, -10.
#[test]
fn a_connect_without_something_is_refused_with_its_reason() {
    let complete: [(u16, &[u8]); 8] = [
        (22, b"campus"),
        (14, &[0, 0, 0, 10]),
        (19, &[0, 0, 0, 10]),
        (28, b"other-1"),
        (20, &[1]),
        (27, &[0]),
        (15, &[0, 0, 14, 16]),
        (11, &[0; 32]),
    ];
    let codec = codec(Dialect::Draft12, false);
    parsed(&codec, &frame(5, &complete));
    for (without, reason) in [(0, 8), (1, 6), (2, 6), (3, 6), (4, 14), (6, 5), (7, 18)] {
        let options: Vec<(u16, &[u8])> =
            complete.iter().enumerate().filter(|(at, _)| *at != without).map(|(_, option)| *option).collect();
        let refusal = codec.parse(&frame(5, &options)).unwrap_err();
        assert_eq!(refusal.header, Some((failover::message::MessageType::Connect, Xid(2))));
        assert_eq!(refusal.error.reject_reason().0, reason, "without {}", complete[without].0);
    }
    let relationship = Codec::relationship_of(Dialect::Draft12, &frame(5, &complete));
    assert_eq!(relationship, Some(Relationship::Name(RelationshipName::new(b"campus").unwrap())));
}

/// F07-7.8.2-06, F07-11.1-02, -04, F07-12.16-01.
#[test]
fn digests_are_wanted_exactly_where_there_is_a_secret() {
    for dialect in Dialect::ALL {
        let (with, without) = (codec(dialect, true), codec(dialect, false));
        let fault = |codec: &Codec, bytes: &[u8]| codec.parse(bytes).unwrap_err().error;
        let contact = encoded(&without, &Message::Contact);
        assert_eq!(fault(&with, &contact), ParseError::Digest(DigestFault::Missing));
        let contact = encoded(&with, &Message::Contact);
        assert_eq!(fault(&without, &contact), ParseError::Digest(DigestFault::NotConfigured));
        let other = Codec::new(dialect, SERVER).with_secret(Secret::new(b"other".to_vec()));
        assert_eq!(fault(&other, &contact), ParseError::Digest(DigestFault::Mismatch));
        let pool_resp = encoded(&with, &Message::PoolResp { addresses_transferred: 1 });
        let mut moved = pool_resp[..12].to_vec();
        if dialect.digest_is_first() {
            moved.extend_from_slice(&pool_resp[33..]);
            moved.extend_from_slice(&pool_resp[12..33]);
        } else {
            moved.extend_from_slice(&pool_resp[20..]);
            moved.extend_from_slice(&pool_resp[12..20]);
        }
        assert_eq!(fault(&with, &moved), ParseError::Digest(DigestFault::NotSupported));
    }
}

/// F07-12.3-01.
#[test]
fn draft_07_is_told_what_it_knows() {
    let codec = codec(Dialect::Draft07, false);
    for (state, heard) in [
        (FailoverState::ConflictDone, FailoverState::Normal),
        (FailoverState::RecoverWait, FailoverState::Recover),
    ] {
        let state = StateMessage { state, startup: false, since: WireTime(1), tandem: None };
        let Message::State(told) = parsed(&codec, &encoded(&codec, &Message::State(state))) else { panic!() };
        assert_eq!(told.state, heard);
    }
    let mut reserved = BindingUpdate::new(SERVER, BindingStatus::Backup);
    reserved.flags.reserved = true;
    let bytes = encoded(&codec, &Message::BndUpd(vec![reserved].into()));
    assert_eq!(bytes[bytes.len() - 1], 8, "BACKUP-RESERVED");
}

/// F07-12.23-01.
#[test]
fn what_cannot_be_said_is_refused_and_leaves_no_trace() {
    let two = Message::BndUpd(vec![BindingUpdate::new(SERVER, BindingStatus::Free); 2].into());
    let startup =
        StateMessage { state: FailoverState::Startup, startup: true, since: WireTime(1), tandem: None };
    let mut out = b"before".to_vec();
    for message in [two, Message::BndAck(Vec::new()), Message::State(startup)] {
        let envelope = Envelope { time: WireTime(1), xid: Xid(1), message };
        assert!(codec(Dialect::Dhcpd, false).encode(&envelope, &mut out).is_err());
        assert_eq!(out, b"before");
    }
}

/// F07-6.1-02, -07, F07-6.3-03, F07-7.1.1-04, F07-7.2.1-03, -07, F07-7.3-02, F07-7.7.1-01, F07-7.8.1-02, F07-7.9-02,
/// F07-7.9.1-02 to -04, -06, F07-7.10-03, F07-7.12.1-02, F07-11.1-01, -03, F07-12.5-01, F07-12.7-01, F07-12.9-01, -02,
/// F07-12.13-01, F07-12.14-01, F07-12.19-01, F07-12.20-01, F07-12.21-01, D12-7.1.1-01, D12-12.12-01, D12-12.17-01.
#[test]
fn the_bytes_of_each_message() {
    let expected = include_str!("wire-bytes.txt");
    let mut lines = Vec::new();
    let mut line = |name: &str, kind: &str, bytes: &[u8]| {
        let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        lines.push(format!("{name} {kind} {hex}\n"));
    };
    for dialect in Dialect::ALL {
        for message in samples(dialect) {
            let bytes = encoded(&codec(dialect, false), &message);
            line(dialect.name(), message.message_type().name(), &bytes);
        }
        line(dialect.name(), "CONTACT with digest", &encoded(&codec(dialect, true), &Message::Contact));
    }
    let actual = lines.concat();
    assert!(actual == expected, "the bytes changed:\n{actual}");
}

/// One of each, with every option that it can have.
fn samples(dialect: Dialect) -> Vec<Message> {
    let relationship = if dialect == Dialect::Draft07 {
        Relationship::Address(SERVER)
    } else {
        Relationship::Name(RelationshipName::new(b"campus").unwrap())
    };
    let heard = HeardStore { identity: [0xbb; 16], generation: 7, at: WireTime(9) };
    let tandem = Some(TandemInfo { store_identity: [0xaa; 16], heard: Some(heard), ..TandemInfo::default() });
    let timer = Interval::from_seconds(20);
    let rejection = Rejection::because(RejectReason::TIME_MISMATCH);
    let accepted = ConnectAccepted {
        max_unacked_bndupd: 10,
        receive_timer: timer,
        vendor_class: b"tandem-0".to_vec(),
        tandem,
    };
    let ack = |answer| {
        let relationship = relationship.clone();
        Message::ConnectAck(ConnectAck { relationship, protocol_version: 1, tls_reply: Some(false), answer })
    };
    vec![
        Message::PoolReq,
        Message::PoolResp { addresses_transferred: 500 },
        Message::BndUpd(vec![full_update()].into()),
        Message::BndAck(vec![
            BindingAck::accepted(SERVER),
            BindingAck { address: SERVER, rejected: Some(rejection.clone()) },
        ]),
        Message::Connect(Connect {
            relationship: relationship.clone(),
            max_unacked_bndupd: 10,
            receive_timer: timer,
            vendor_class: b"tandem-0".to_vec(),
            protocol_version: 1,
            tls_request: Some(TlsRequest::No),
            mclt: Interval::from_seconds(3600),
            buckets: HashBucketAssignment::from_split(128),
            delayed_service: Some(3),
            tandem,
        }),
        ack(Ok(accepted)),
        ack(Err(rejection.clone())),
        Message::UpdReqAll,
        Message::UpdDone,
        Message::UpdReq,
        Message::State(StateMessage {
            state: FailoverState::RecoverDone,
            startup: true,
            since: WireTime(1_800_000_001),
            tandem: None,
        }),
        Message::Contact,
        Message::Disconnect(rejection),
    ]
}

fn full_update() -> BindingUpdate {
    let mut update = BindingUpdate::new(Ipv4Addr::new(10, 1, 2, 3), BindingStatus::Active);
    update.flags = IpFlags { reserved: true, bootp: true };
    update.client_identifier = Some(vec![1, 2, 3]);
    update.hardware = Some(ClientHardware { htype: 1, address: vec![2, 0, 0, 0, 0, 1] });
    update.lease_expiration = Some(WireTime(1_800_003_600));
    update.potential_expiration = Some(WireTime(1_800_007_200));
    update.start_time_of_state = Some(WireTime(1_799_999_999));
    update.client_last_transaction_time = Some(WireTime(1_800_000_000));
    update.ddns = Some(Ddns {
        name_done: true,
        controls_name: false,
        address_done: true,
        controls_address: false,
        name: b"\x01a\0".to_vec(),
    });
    update.request_options = Some(ClientOptions { magic: [99, 130, 83, 99], options: vec![12, 1, b'a'] });
    update.reply_options = Some(ClientOptions { magic: [99, 130, 83, 99], options: vec![58, 0] });
    update
}
