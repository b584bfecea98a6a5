//! What somebody between the two servers can do: TLS as both want it, and what a digest keeps out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod ends;

use ends::{End, PRIMARY, Pair, free, seconds, settings, start};
use failover::binding::BindingStatus;
use failover::connection::{Cause, Connection, Opener, Output, Received, Settings, TlsPolicy};
use failover::dialect::Dialect;
use failover::digest::Secret;
use failover::message::{BindingAck, Codec, Envelope, Message, MessageType, RejectReason, Xid, frame_length};
use failover::state::Role;
use failover::time::{Time, WireTime};
use proptest::prelude::*;
use std::net::Ipv4Addr;

const DIALECTS: [Dialect; 2] = [Dialect::Draft12, Dialect::Draft07];

fn with_tls(role: Role, dialect: Dialect, tls: TlsPolicy) -> Settings {
    Settings { tls, ..settings(role, dialect) }
}

fn with_secret(role: Role) -> Settings {
    let mut settings = settings(role, Dialect::Draft12);
    settings.codec = settings.codec.with_secret(Secret::new(b"secret".to_vec()));
    settings
}

fn codec() -> Codec {
    with_secret(Role::Primary).codec
}

/// A pair with a secret whose connection was opened at `now`.
fn signed(now: Time) -> Pair {
    let end = |role, opener| {
        let mut out = Vec::new();
        let connection = Connection::new(with_secret(role), opener, now, &mut out);
        let mut end = End { connection, outputs: Vec::new(), to_send: Vec::new(), skew: seconds(0) };
        end.take(now, out);
        end
    };
    let mut pair =
        Pair { primary: end(Role::Primary, Opener::Us), secondary: end(Role::Secondary, Opener::Partner) };
    pair.run(now);
    assert!(pair.primary.connection.is_established() && pair.secondary.connection.is_established());
    pair
}

fn start_tls(end: &mut End) {
    let mut out = Vec::new();
    end.connection.tls_started(start(), "partner.example", &mut out);
    end.take(start(), out);
}

/// F07-7.8.2-05, F07-7.9.1-08, F07-7.9.2-05, F07-11-02, F07-11.2-03, F07-12.26-01.
#[test]
fn tls_is_negotiated_by_the_table() {
    use TlsPolicy::{Desired, No, Required};
    for dialect in DIALECTS {
        for (primary, secondary, tls, reason) in [
            (No, No, false, None),
            (No, Desired, false, None),
            (No, Required, false, Some(11)),
            (Desired, No, false, None),
            (Desired, Desired, true, None),
            (Desired, Required, true, None),
            (Required, No, false, Some(10)),
            (Required, Desired, true, None),
            (Required, Required, true, None),
        ] {
            let case = format!("{dialect:?} {primary:?} {secondary:?}");
            let mut pair = Pair::new(
                with_tls(Role::Primary, dialect, primary),
                with_tls(Role::Secondary, dialect, secondary),
            );
            pair.run(start());
            for end in [&mut pair.primary, &mut pair.secondary] {
                assert_eq!(end.outputs.contains(&Output::StartTls), tls, "{case}");
                assert_eq!(end.connection.is_established(), !tls && reason.is_none(), "{case}");
                start_tls(end);
            }
            pair.run(start());
            for end in [&pair.primary, &pair.secondary] {
                assert_eq!(end.connection.is_established(), reason.is_none(), "{case}");
                if reason.is_none() {
                    assert_eq!(end.established().tls_peer.is_some(), tls, "{case}");
                }
            }
            if let Some(reason) = reason {
                let is_it = |why: &failover::message::Rejection| why.reason.0 == reason;
                assert!(
                    matches!(pair.primary.cause(), Some(Cause::RejectedByPartner(why)) if is_it(why)),
                    "{case}"
                );
                assert!(
                    matches!(pair.secondary.cause(), Some(Cause::RejectedByUs(why)) if is_it(why)),
                    "{case}"
                );
            }
        }
    }
}

/// A CONNECT as `settings` would send it, and a CONNECTACK to it that was meant for somebody with another wish.
fn answered_by(primary: TlsPolicy, asked_as: TlsPolicy, secondary: TlsPolicy) -> End {
    let mut primary = End::new(with_tls(Role::Primary, Dialect::Draft12, primary), Opener::Us);
    let mut other = End::new(with_tls(Role::Primary, Dialect::Draft12, asked_as), Opener::Us);
    let mut partner = End::new(with_tls(Role::Secondary, Dialect::Draft12, secondary), Opener::Partner);
    partner.receive(start(), &std::mem::take(&mut other.to_send));
    primary.to_send.clear();
    primary.receive(start(), &std::mem::take(&mut partner.to_send));
    primary
}

#[test]
fn who_requires_tls_does_not_do_without_it_whatever_the_answer_says() {
    use TlsPolicy::{Desired, No, Required};
    // Somebody in between makes "required" to "desired" on the way there.
    let primary = answered_by(Required, Desired, No);
    assert!(
        matches!(primary.cause(), Some(Cause::RejectedByUs(why)) if why.reason == RejectReason::TLS_REQUIRED)
    );
    assert!(primary.cause().unwrap().is_unauthenticated());
    // A yes to somebody who did not ask.
    let primary = answered_by(No, Desired, Desired);
    assert!(
        matches!(primary.cause(), Some(Cause::RejectedByUs(why)) if why.reason == RejectReason::TLS_NOT_CONFIGURED)
    );
    // A CONNECT without TLS-request.
    let mut over_tls = End::new(with_tls(Role::Primary, Dialect::Draft12, Required), Opener::Us);
    let mut asked = End::new(with_tls(Role::Secondary, Dialect::Draft12, Desired), Opener::Partner);
    asked.receive(start(), &std::mem::take(&mut over_tls.to_send));
    over_tls.receive(start(), &std::mem::take(&mut asked.to_send));
    start_tls(&mut over_tls);
    let mut secondary = End::new(with_tls(Role::Secondary, Dialect::Draft12, Required), Opener::Partner);
    secondary.receive(start(), &over_tls.to_send);
    assert!(
        matches!(secondary.cause(), Some(Cause::RejectedByUs(why)) if why.reason == RejectReason::TLS_REQUIRED)
    );
}

#[test]
fn over_tls_nothing_of_tls_is_said() {
    let wish = |role| with_tls(role, Dialect::Draft12, TlsPolicy::Required);
    let mut pair = Pair::new(wish(Role::Primary), wish(Role::Secondary));
    pair.run(start());
    start_tls(&mut pair.primary);
    start_tls(&mut pair.secondary);
    let connect = pair.primary.to_send.clone();
    let Ok(failover::message::Parsed::Message(envelope)) =
        settings(Role::Secondary, Dialect::Draft12).codec.parse(&connect)
    else {
        panic!("{connect:02x?}")
    };
    assert!(matches!(envelope.message, Message::Connect(connect) if connect.tls_request.is_none()));
    pair.secondary.receive(start(), &std::mem::take(&mut pair.primary.to_send));
    let ack = pair.secondary.to_send.clone();
    let Ok(failover::message::Parsed::Message(envelope)) =
        settings(Role::Primary, Dialect::Draft12).codec.parse(&ack)
    else {
        panic!("{ack:02x?}")
    };
    assert!(
        matches!(envelope.message, Message::ConnectAck(ack) if ack.tls_reply.is_none() && ack.answer.is_ok())
    );
}

#[test]
fn tls_has_its_time_and_its_failure_a_reason() {
    let wish = |role| with_tls(role, Dialect::Draft12, TlsPolicy::Desired);
    let waiting = || {
        let mut pair = Pair::new(wish(Role::Primary), wish(Role::Secondary));
        pair.run(start());
        [pair.primary, pair.secondary]
    };
    for mut end in waiting() {
        assert_eq!(end.connection.next_deadline(), Some(start().plus(seconds(15))));
        end.wake(start().plus(seconds(14)));
        assert_eq!(end.cause(), None);
        end.wake(start().plus(seconds(15)));
        assert_eq!(end.cause(), Some(&Cause::NoHandshake));
        assert!(end.to_send.is_empty());
    }
    for mut end in waiting() {
        let mut out = Vec::new();
        end.connection.tls_failed("the certificate has expired", &mut out);
        end.take(start(), out);
        let cause = end.cause().unwrap();
        assert!(cause.is_unauthenticated() && cause.is_refusal(), "{cause:?}");
        assert_eq!(cause.to_string(), "TLS: the certificate has expired");
        start_tls(&mut end);
        assert!(end.connection.is_over() && end.to_send.is_empty(), "it is over");
    }
    let mut early = End::new(wish(Role::Primary), Opener::Us);
    early.to_send.clear();
    start_tls(&mut early);
    assert!(early.to_send.is_empty(), "nobody asked for TLS");
}

#[test]
fn what_comes_in_clear_while_tls_begins_is_not_kept_for_later() {
    for length in [1, 12] {
        let wish = |role| with_tls(role, Dialect::Draft12, TlsPolicy::Desired);
        let mut pair = Pair::new(wish(Role::Primary), wish(Role::Secondary));
        let mut connect = std::mem::take(&mut pair.primary.to_send);
        // In the same segment as the CONNECT, and after it.
        connect.extend_from_slice(&[0, 12, 8, 12, 0, 0, 0, 0, 0, 0, 0, 9][..length]);
        pair.secondary.receive(start(), &connect);
        assert!(
            matches!(pair.secondary.cause(), Some(Cause::Unauthenticated(_))),
            "{:?}",
            pair.secondary.outputs
        );
        pair.primary.receive(start(), &std::mem::take(&mut pair.secondary.to_send));
        pair.primary.receive(start(), &[0; 12][..length]);
        assert!(matches!(pair.primary.cause(), Some(Cause::Unauthenticated(_))));
    }
}

/// D12-11.1-01, -02.
#[test]
fn a_replayed_connect_is_rejected() {
    let now = start().to_wire();
    for (last, accepted) in [(WireTime(now.0 - 1), true), (now, false), (WireTime(now.0 + 5), false)] {
        let mut secondary = with_secret(Role::Secondary);
        secondary.last_connect = last;
        let mut pair = Pair::new(with_secret(Role::Primary), secondary);
        pair.run(start());
        assert_eq!(pair.secondary.connection.is_established(), accepted);
    }
}

#[test]
fn the_same_bytes_again_and_bytes_in_another_order_end_a_connection() {
    let mut pair = signed(start());
    pair.primary.request(start(), Message::Contact);
    let first = std::mem::take(&mut pair.primary.to_send);
    pair.primary.request(start(), Message::Contact);
    let second = std::mem::take(&mut pair.primary.to_send);
    let mut again = pair.secondary.connection.clone();
    let mut out = Vec::new();
    again.receive(start(), &first, &mut out);
    assert!(out.is_empty());
    again.receive(start(), &first, &mut out);
    assert!(matches!(out[..], [Output::Send(_), Output::Close(Cause::Unauthenticated(_))]), "{out:?}");
    out.clear();
    let mut swapped = pair.secondary.connection.clone();
    swapped.receive(start(), &second, &mut out);
    assert!(
        matches!(out[..], [Output::Send(_), Output::Close(Cause::Unauthenticated(what))] if what.contains("missing"))
    );
    // Without a Tandem's word for it a gap may be the partner's habit (D12-11.1-02 wants higher ones, no more).
    let mut other = with_secret(Role::Primary).codec;
    let mut end = End::new(with_secret(Role::Secondary), Opener::Partner);
    let mut connect = std::mem::take(&mut End::new(with_secret(Role::Primary), Opener::Us).to_send);
    resign(&mut other, &mut connect, |message| {
        if let Message::Connect(connect) = message {
            connect.tandem = None;
        }
    });
    end.receive(start(), &connect);
    assert!(end.connection.is_established());
    let xid = |n| Xid(u32::try_from(start().as_millis() & 0x7fff_ffff).unwrap() + n);
    for n in [7, 20] {
        end.receive(start(), &message(start(), xid(n), Message::Contact));
        assert_eq!(end.cause(), None);
    }
}

/// The same message with something changed, signed by who knows the secret.
fn resign(codec: &mut Codec, frame: &mut Vec<u8>, change: impl Fn(&mut Message)) {
    let Ok(failover::message::Parsed::Message(mut envelope)) = codec.parse(frame) else {
        panic!("{frame:02x?}")
    };
    change(&mut envelope.message);
    frame.clear();
    codec.encode(&envelope, frame).unwrap();
}

fn message(now: Time, xid: Xid, message: Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec().encode(&Envelope { time: now.to_wire(), xid, message }, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_was_recorded_on_an_earlier_connection_is_no_message_of_this_one() {
    let mut old = signed(start());
    for n in 0..3 {
        old.primary.request(start(), free(n));
        old.secondary.request(start(), Message::PoolReq);
    }
    let (from_primary, from_secondary) = (old.primary.to_send.clone(), old.secondary.to_send.clone());
    let later = start().plus(seconds(1));
    let mut new = signed(later);
    new.secondary.receive(later, &from_primary);
    assert!(matches!(new.secondary.cause(), Some(Cause::Unauthenticated(what)) if what.contains("old time")));
    new.primary.receive(later, &from_secondary);
    assert!(matches!(new.primary.cause(), Some(Cause::Unauthenticated(what)) if what.contains("old time")));
    for end in [&new.primary, &new.secondary] {
        assert!(!end.outputs.iter().any(|output| matches!(output, Output::Received(_))));
    }
}

#[test]
fn an_answer_of_an_earlier_connection_answers_nothing() {
    // Even in the same second, where the time says nothing.
    let mut old = signed(start());
    old.primary.request(start(), free(1));
    old.run(start());
    let xid = old.secondary.outputs.iter().find_map(|output| match output {
        Output::Received(Received::Updates { xid, .. }) => Some(*xid),
        _ => None,
    });
    let ack = Message::BndAck(vec![BindingAck::accepted(Ipv4Addr::from(1))]);
    old.secondary.send(start(), Connection::reply(xid.unwrap(), ack));
    let recorded = old.secondary.to_send.clone();
    let mut same = signed(start());
    same.primary.request(start(), free(1));
    same.primary.receive(start(), &recorded);
    assert!(
        same.primary.outputs.iter().any(|output| matches!(output, Output::Received(_))),
        "opened in one millisecond"
    );
    let later = start().plus(failover::time::Interval::from_millis(20));
    let mut new = signed(later);
    new.primary.request(later, free(1));
    new.primary.receive(later, &recorded);
    assert!(!new.primary.outputs.iter().any(|output| matches!(output, Output::Received(_))));
    assert_eq!(new.primary.connection.room(), 9, "it still waits for its BNDACK");
}

#[test]
fn a_whole_recorded_connection_is_not_taken_for_the_partner() {
    let mut recorded = End::new(with_secret(Role::Secondary), Opener::Partner);
    recorded.receive(start(), &std::mem::take(&mut End::new(with_secret(Role::Primary), Opener::Us).to_send));
    recorded.request(start(), free(7));
    assert_eq!(frames(&recorded.to_send).len(), 2);
    // To a primary that connects a second later.
    let later = start().plus(seconds(1));
    let mut out = Vec::new();
    let mut settings = with_secret(Role::Primary);
    let mut primary = Connection::new(settings.clone(), Opener::Us, later, &mut out);
    let Some(Output::Send(connect)) = out.pop() else { panic!("no CONNECT") };
    primary.encode(later, connect, &mut Vec::new()).unwrap();
    primary.receive(later, &recorded.to_send, &mut out);
    assert!(!primary.is_established());
    assert!(
        !out.iter().any(|output| matches!(output, Output::Received(_) | Output::Established(_))),
        "{out:?}"
    );
    // And to one whose CONNECT had, by chance or design, the same xid.
    settings.last_connect = later.to_wire();
    let mut primary = End::new(settings, Opener::Us);
    primary.receive(later, &recorded.to_send);
    assert!(
        matches!(primary.cause(), Some(Cause::RejectedByUs(why)) if why.reason == RejectReason::TIME_MISMATCH)
    );
}

#[test]
fn an_unknown_message_keeps_a_connection_alive_only_if_it_is_signed() {
    let mut pair = signed(start());
    let unknown = [0, 12, 200, 12, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut signed_one = message(start(), Xid(1), Message::Contact);
    signed_one[2] = 200;
    let digest = Secret::new(b"secret".to_vec()).unwrap().digest(Dialect::Draft12, &signed_one, 17).unwrap();
    signed_one[17..33].copy_from_slice(&digest);
    pair.secondary.receive(start(), &signed_one);
    assert_eq!(pair.secondary.cause(), None);
    pair.secondary.receive(start(), &unknown);
    assert!(
        matches!(pair.secondary.cause(), Some(cause @ Cause::Malformed(_)) if cause.is_unauthenticated())
    );
    let mut short = signed(start());
    short.secondary.receive(start(), &[0, 12, 200, 99, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(matches!(short.secondary.cause(), Some(Cause::Malformed(_))));
}

fn frames(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Ok(Some(length)) = frame_length(stream) {
        let (frame, rest) = stream.split_at(length);
        frames.push(frame);
        stream = rest;
    }
    frames
}

/// Each end is told by the other's dialect why, where that can be said; in draft-07 20 and 21 are 254.
#[test]
fn who_signs_and_who_does_not_are_told_so() {
    let secret = |name: &[u8]| Secret::new(name.to_vec());
    for dialect in DIALECTS {
        for (ours, theirs, reason) in [(&b"a"[..], &b"b"[..], 20), (b"a", b"", 13), (b"", b"b", 21)] {
            let with = |role, name: &[u8]| {
                let mut settings = settings(role, dialect);
                settings.codec = settings.codec.with_secret(secret(name));
                settings
            };
            let mut pair = Pair::new(with(Role::Primary, ours), with(Role::Secondary, theirs));
            let connect = pair.primary.to_send.clone();
            pair.secondary.receive(start(), &connect);
            let cause = pair.secondary.cause().unwrap();
            assert!(
                matches!(cause, Cause::RejectedByUs(why) if why.reason.0 == reason),
                "{dialect:?} {cause:?}"
            );
            assert!(cause.is_unauthenticated(), "{cause:?}");
            let answer = pair.secondary.to_send.clone();
            let number = if dialect == Dialect::Draft07 && reason >= 20 { 254 } else { reason };
            let option = dialect.code(failover::dialect::OptionKind::RejectReason).unwrap().to_be_bytes();
            let bytes = [option[0], option[1], 0, 1, number];
            assert!(answer.windows(5).any(|window| window == bytes), "{dialect:?} {reason} {answer:02x?}");
            pair.primary.receive(start(), &answer);
            assert!(pair.primary.connection.is_over());
            // A digest that cannot be verified proves nothing; without secrets the reason is believed.
            let unauthenticated = pair.primary.cause().unwrap().is_unauthenticated();
            assert_eq!(unauthenticated, !ours.is_empty() || !theirs.is_empty());
        }
    }
}

/// What somebody in between does to a stream at one place.
#[derive(Debug, Clone, Copy)]
enum Meddling {
    Change(u8),
    Drop(usize),
    Insert(u8),
    Repeat(usize),
    Swap,
}

fn meddle(stream: &[u8], at: usize, how: Meddling) -> Vec<u8> {
    let mut changed = stream.to_vec();
    match how {
        Meddling::Change(bits) => changed[at] ^= bits,
        Meddling::Drop(count) => drop(changed.drain(at..(at + count).min(stream.len()))),
        Meddling::Insert(byte) => changed.insert(at, byte),
        Meddling::Repeat(count) => {
            let part = stream[at..(at + count).min(stream.len())].to_vec();
            drop(changed.splice(at..at, part));
        }
        Meddling::Swap => {
            let next = (at + 1) % stream.len();
            changed.swap(at, next);
        }
    }
    changed
}

fn meddling() -> impl Strategy<Value = Meddling> {
    prop_oneof![
        (1..=255u8).prop_map(Meddling::Change),
        (1..80usize).prop_map(Meddling::Drop),
        any::<u8>().prop_map(Meddling::Insert),
        (1..80usize).prop_map(Meddling::Repeat),
        Just(Meddling::Swap),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    /// Whatever is done to the bytes, nothing is received that was not sent, and nothing in another order; and the end comes at
    /// the latest when the partner's silence is noticed.
    #[test]
    fn who_meddles_with_signed_bytes_ends_the_connection_and_no_more(
        at in 0..400usize,
        how in meddling(),
    ) {
        let mut pair = signed(start());
        for n in 0..5 {
            pair.primary.request(start(), free(n));
            pair.primary.request(start(), Message::Contact);
        }
        let stream = std::mem::take(&mut pair.primary.to_send);
        let changed = meddle(&stream, at % stream.len(), how);
        pair.secondary.receive(start(), &changed);
        let received: Vec<Ipv4Addr> = pair.secondary.outputs.iter().filter_map(|output| match output {
            Output::Received(Received::Updates { updates, .. }) => {
                assert!(updates.updates.iter().all(|update| update.status == BindingStatus::Free));
                Some(updates.updates[0].address)
            }
            _ => None,
        }).collect();
        let sent: Vec<Ipv4Addr> = (0..received.len()).map(|n| Ipv4Addr::from(u32::try_from(n).unwrap())).collect();
        prop_assert_eq!(received, sent, "{:?} at {}", how, at);
        if changed != stream {
            // A frame that lost its end waits for more.
            pair.secondary.wake(start().plus(seconds(20)));
            prop_assert!(pair.secondary.connection.is_over(), "{:?} at {}", how, at);
        }
    }
}

#[test]
fn a_message_that_is_taken_away_is_missed() {
    let mut pair = signed(start());
    for n in 0..4 {
        pair.primary.request(start(), free(n));
    }
    let stream = std::mem::take(&mut pair.primary.to_send);
    let all = frames(&stream);
    for missing in 0..3 {
        let mut secondary = pair.secondary.connection.clone();
        let mut out = Vec::new();
        let rest: Vec<u8> = all
            .iter()
            .enumerate()
            .filter(|(n, _)| *n != missing)
            .flat_map(|(_, frame)| frame.to_vec())
            .collect();
        secondary.receive(start(), &rest, &mut out);
        assert!(secondary.is_over());
        let received = out.iter().filter(|output| matches!(output, Output::Received(_))).count();
        assert_eq!(received, missing);
    }
    assert_eq!(codec().parse(all[0]).map(|_| ()), Ok(()));
    assert_eq!(
        Codec::new(Dialect::Draft12, PRIMARY)
            .parse(all[0])
            .err()
            .map(|refusal| refusal.header.map(|(kind, _)| kind)),
        Some(Some(MessageType::BndUpd))
    );
}
