//! One connection: handshake, silence, window, answers, clocks.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod ends;

use ends::{End, PRIMARY, Pair, SECONDARY, contact, free, kinds, pair, seconds, settings, start};
use failover::balance::{HashBucketAssignment, Service};
use failover::binding::BindingStatus;
use failover::connection::{Cause, Connection, Opener, Output, Received, Settings, Ticket, TlsPolicy};
use failover::dialect::Dialect;
use failover::digest::Secret;
use failover::message::{
    BindingAck, BindingUpdate, Codec, Connect, Envelope, Message, MessageType, Parsed, RejectReason,
    Rejection, Relationship, RelationshipName, StateMessage, TlsRequest, Xid, frame_length,
};
use failover::state::{FailoverState, Role};
use failover::time::{ClockDelta, WallOffset, WireTime};
use proptest::prelude::*;
use std::net::Ipv4Addr;

/// F07-5.2.1-07, F07-7.8.1-06, F07-7.8.2-11, -12, F07-12.10-01.
#[test]
fn two_servers_agree_on_what_the_primary_says() {
    for dialect in [Dialect::Draft12, Dialect::Draft07] {
        for secret in [false, true] {
            let with = |role, mclt| {
                let mut settings = settings(role, dialect);
                settings.mclt = seconds(mclt);
                let secret = secret.then(|| Secret::new(b"secret".to_vec()).unwrap());
                settings.codec = settings.codec.with_secret(secret);
                settings
            };
            let mut pair = Pair::new(with(Role::Primary, 1234), with(Role::Secondary, 99));
            pair.run(start());
            for end in [&pair.primary, &pair.secondary] {
                assert!(end.connection.is_established());
                let established = end.established();
                assert_eq!(established.mclt, seconds(1234));
                assert_eq!(established.service.buckets.split(), 100);
                assert_eq!(established.service.delayed_service, Some(3));
                let generation = established.tandem.map(|info| info.store_generation);
                assert_eq!(generation, (dialect == Dialect::Draft12).then_some(5));
                assert_eq!(end.connection.room(), 10);
            }
            assert_eq!(pair.secondary.established().connect_time, start().to_wire());
        }
    }
}

#[test]
fn the_secondary_says_what_must_be_stable_before_it_answers() {
    let mut primary = End::new(settings(Role::Primary, Dialect::Draft12), Opener::Us);
    let mut out = Vec::new();
    let mut secondary =
        Connection::new(settings(Role::Secondary, Dialect::Draft12), Opener::Partner, start(), &mut out);
    secondary.receive(start(), &std::mem::take(&mut primary.to_send), &mut out);
    assert!(matches!(out[..], [Output::Established(_), Output::Send(_)]), "{out:?}");
}

/// F07-7.8-01, F07-7.8.2-01, F07-8.2-12, D12-8.2-02 to -04.
#[test]
fn only_the_primary_speaks_first_and_in_draft_12_only_on_its_own_connection() {
    let open = |role, opener, dialect| End::new(settings(role, dialect), opener);
    let mut stimulus = open(Role::Primary, Opener::Partner, Dialect::Draft12);
    assert_eq!(stimulus.outputs, [Output::OpenOwn]);
    assert!(stimulus.to_send.is_empty());
    stimulus.connection.lost(&mut stimulus.outputs);
    assert_eq!(stimulus.cause(), Some(&Cause::Stimulus));
    assert_eq!(open(Role::Secondary, Opener::Us, Dialect::Draft12).cause(), Some(&Cause::Stimulus));
    for opener in [Opener::Us, Opener::Partner] {
        for dialect in [Dialect::Draft07, Dialect::Dhcpd] {
            assert!(!open(Role::Primary, opener, dialect).to_send.is_empty());
            assert!(open(Role::Secondary, opener, dialect).to_send.is_empty());
            assert!(!open(Role::Secondary, opener, dialect).connection.is_over());
        }
    }
}

/// F07-7.8.2-02, D12-7.9.2-01.
#[test]
fn a_handshake_does_not_take_for_ever() {
    for role in [Role::Primary, Role::Secondary] {
        let opener = if role == Role::Primary { Opener::Us } else { Opener::Partner };
        let mut end = End::new(settings(role, Dialect::Draft12), opener);
        end.to_send.clear();
        assert_eq!(end.connection.next_deadline(), Some(start().plus(seconds(15))));
        end.wake(start().plus(seconds(14)));
        assert_eq!(end.cause(), None);
        end.wake(start().plus(seconds(15)));
        assert_eq!(end.cause(), Some(&Cause::NoHandshake));
        assert!(end.to_send.is_empty(), "no DISCONNECT before CONNECTACK");
        assert_eq!(end.connection.next_deadline(), None);
    }
}

/// F07-7.8.2-06, -07, F07-7.9.1-07, F07-7.9.2-04, D12-12.22-01.
#[test]
fn a_wrong_partner_is_told_so() {
    type Case = (&'static str, fn(&mut Settings), u8);
    let secret = |name: &[u8]| Secret::new(name.to_vec());
    let cases: [Case; 5] = [
        ("name", |s| s.relationship = Relationship::Name(RelationshipName::new(b"campuS").unwrap()), 8),
        ("digest", |s| s.codec = s.codec.clone().with_secret(Secret::new(b"x".to_vec())), 13),
        ("TLS", |s| s.tls = TlsPolicy::Required, 10),
        ("dhcpd", |s| s.codec = Codec::new(Dialect::Dhcpd, PRIMARY), 0),
        ("nothing", |_| {}, 0),
    ];
    for (what, change, reason) in cases {
        let mut primary = settings(Role::Primary, Dialect::Draft12);
        change(&mut primary);
        let mut pair = Pair::new(primary, settings(Role::Secondary, Dialect::Draft12));
        pair.run(start());
        match (reason, pair.secondary.cause(), what) {
            (0, None, "nothing") => {}
            (0, Some(Cause::Disconnected(why)), "dhcpd") => {
                assert_eq!(why.reason, RejectReason::CONNECTION_REJECTED);
                assert!(why.message.as_ref().unwrap().contains("partner-kind"), "{why:?}");
            }
            (reason, Some(Cause::RejectedByUs(why)), _) => assert_eq!(why.reason.0, reason, "{what}"),
            other => panic!("{other:?}"),
        }
        if !matches!(what, "nothing" | "dhcpd" | "digest") {
            assert!(
                matches!(pair.primary.cause(), Some(Cause::RejectedByPartner(why)) if why.reason.0 == reason)
            );
        }
    }
    let mut secondary = settings(Role::Secondary, Dialect::Draft12);
    secondary.codec = secondary.codec.with_secret(secret(b"x"));
    let mut pair = Pair::new(settings(Role::Primary, Dialect::Draft12), secondary);
    pair.run(start());
    assert!(matches!(pair.secondary.cause(), Some(Cause::RejectedByUs(why)) if why.reason.0 == 21));
}

/// F07-7.8.1-11, F07-7.8.2-04.
#[test]
fn another_protocol_version_is_rejected_with_ours() {
    let mut primary = End::new(settings(Role::Primary, Dialect::Draft12), Opener::Us);
    let mut connect = std::mem::take(&mut primary.to_send);
    let at = connect.windows(5).position(|window| window == [0, 20, 0, 1, 1]).unwrap();
    connect[at + 4] = 2;
    let mut secondary = End::new(settings(Role::Secondary, Dialect::Draft12), Opener::Partner);
    secondary.receive(start(), &connect);
    assert!(matches!(secondary.cause(), Some(Cause::RejectedByUs(why)) if why.reason.0 == 14));
    assert!(secondary.to_send.windows(5).any(|window| window == [0, 20, 0, 1, 1]));
}

/// F07-5.9-01, -02, F07-7.8.2-03, -08, -09, F07-7.9.2-07.
#[test]
fn clocks_may_differ_unless_the_operator_says_otherwise() {
    let mut primary = settings(Role::Primary, Dialect::Draft12);
    primary.max_clock_difference = Some(seconds(100));
    let mut pair =
        Pair::new(settings(Role::Primary, Dialect::Draft12), settings(Role::Secondary, Dialect::Draft12));
    pair.primary =
        End { skew: seconds(500), ..End::new(settings(Role::Primary, Dialect::Draft12), Opener::Us) };
    pair.primary.to_send.clear();
    pair.primary.outputs.clear();
    let mut out = Vec::new();
    pair.primary.connection = Connection::new(
        settings(Role::Primary, Dialect::Draft12),
        Opener::Us,
        start().plus(seconds(500)),
        &mut out,
    );
    pair.primary.take(start(), out);
    pair.run(start());
    assert_eq!(pair.secondary.established().delta, ClockDelta(-500));
    assert_eq!(pair.primary.established().delta, ClockDelta(500));
    let mut secondary = settings(Role::Secondary, Dialect::Draft12);
    secondary.max_clock_difference = Some(seconds(100));
    let mut refusing = End::new(secondary, Opener::Partner);
    let mut sender = End::new(settings(Role::Primary, Dialect::Draft12), Opener::Us);
    refusing.receive(start().plus(seconds(101)), &std::mem::take(&mut sender.to_send));
    assert!(matches!(refusing.cause(), Some(Cause::RejectedByUs(why)) if why.reason.0 == 4));
    let mut pair = Pair::new(primary, settings(Role::Secondary, Dialect::Draft12));
    pair.secondary.skew = seconds(101);
    pair.run(start());
    assert!(matches!(pair.primary.cause(), Some(Cause::RejectedByUs(why)) if why.reason.0 == 4));
    assert!(matches!(pair.secondary.cause(), Some(Cause::Disconnected(why)) if why.reason.0 == 4));
}

/// A secondary of ours to which a dhcpd says CONNECT. The clock of the dhcpd, and our wall clock, are ahead of engine time by so
/// much.
fn called_by_dhcpd(ahead: u64, wall: i64) -> End {
    let mut settings = settings(Role::Secondary, Dialect::Dhcpd);
    settings.max_clock_difference = Dialect::Dhcpd.clock_limit();
    settings.wall = WallOffset(wall);
    let connect = Connect {
        relationship: settings.partner.clone(),
        max_unacked_bndupd: 10,
        receive_timer: seconds(20),
        vendor_class: b"isc-4.4.3-P1".to_vec(),
        protocol_version: 1,
        tls_request: Some(TlsRequest::No),
        mclt: settings.mclt,
        buckets: settings.service.buckets,
        delayed_service: None,
        tandem: None,
    };
    let time = start().plus(seconds(ahead)).to_wire();
    let mut bytes = Vec::new();
    let envelope = Envelope { time, xid: Xid(1), message: Message::Connect(connect) };
    settings.codec.encode(&envelope, &mut bytes).unwrap();
    let mut end = End::new(settings, Opener::Partner);
    end.receive(start(), &bytes);
    end
}

/// What this end sent last.
fn last_sent(end: &mut End) -> Envelope {
    let bytes = std::mem::take(&mut end.to_send);
    let mut rest = &bytes[..];
    let mut last = None;
    while let Ok(Some(length)) = frame_length(rest) {
        let (frame, after) = rest.split_at(length);
        (last, rest) = (Some(frame), after);
    }
    match Codec::new(Dialect::Dhcpd, SECONDARY).parse(last.unwrap()) {
        Ok(Parsed::Message(envelope)) => envelope,
        other => panic!("{other:?}"),
    }
}

/// dhcpd corrects nothing: every time that it is told is one of its own clock (F07-5.9-01).
#[test]
fn a_dhcpd_is_told_times_by_its_own_clock() {
    let mut end = called_by_dhcpd(59, 0);
    assert_eq!(end.established().delta, ClockDelta(-59));
    assert_eq!(last_sent(&mut end).time, start().to_wire(), "the header has the time of this machine");
    let mut update = BindingUpdate::new(PRIMARY, BindingStatus::Active);
    update.lease_expiration = Some(start().plus(seconds(1000)).to_wire());
    update.potential_expiration = Some(WireTime::NEVER);
    update.start_time_of_state = Some(start().to_wire());
    update.client_last_transaction_time = Some(WireTime(0));
    end.request(start(), Message::BndUpd(vec![update].into()));
    let Message::BndUpd(told) = last_sent(&mut end).message else { panic!("another message") };
    let told = told.updates.first().unwrap();
    let by_its_clock = |after: u64| Some(start().plus(seconds(59 + after)).to_wire());
    assert_eq!(told.lease_expiration, by_its_clock(1000));
    assert_eq!(told.start_time_of_state, by_its_clock(0));
    assert_eq!(told.potential_expiration, Some(WireTime::NEVER));
    assert_eq!(told.client_last_transaction_time, Some(WireTime(0)));
    let since = start().plus(seconds(7)).to_wire();
    let state = StateMessage { state: FailoverState::Normal, startup: false, since, tandem: None };
    end.request(start(), Message::State(state));
    let Message::State(told) = last_sent(&mut end).message else { panic!("another message") };
    assert_eq!(Some(told.since), by_its_clock(7));
}

/// Asked for everything once more, it begins with a new window.
#[test]
fn a_dhcpd_may_have_more_than_one_window_under_way() {
    let mut end = called_by_dhcpd(0, 0);
    let codec = Codec::new(Dialect::Dhcpd, PRIMARY);
    for n in 1..=41 {
        assert!(end.connection.is_established(), "{n}");
        let mut bytes = Vec::new();
        let envelope = Envelope { time: start().to_wire(), xid: Xid(n + 1), message: free(n) };
        codec.encode(&envelope, &mut bytes).unwrap();
        end.receive(start(), &bytes);
    }
    assert!(!end.connection.is_established(), "four windows are all");
}

/// It is the wall clocks that dhcpd compares: engine time, which follows no step of one, may stand where it stands.
#[test]
fn beside_a_dhcpd_the_wall_clocks_must_agree() {
    let refused = |end: &End| matches!(end.cause(), Some(Cause::RejectedByUs(why)) if why.reason == RejectReason::TIME_MISMATCH);
    for (ahead, wall, apart) in [(0, 0, 0), (60, 0, -60), (500, 500, 0), (500, 441, -59), (0, 60, 60)] {
        let mut end = called_by_dhcpd(ahead, wall);
        assert!(end.connection.is_established(), "{ahead} {wall}");
        assert_eq!(end.established().delta, ClockDelta(apart), "{ahead} {wall}: as people see them");
        let wall = u64::try_from(wall).unwrap();
        assert_eq!(last_sent(&mut end).time, start().plus(seconds(wall)).to_wire());
    }
    for (ahead, wall) in [(61, 0), (0, 61), (0, -61), (500, 439), (500, 0)] {
        assert!(refused(&called_by_dhcpd(ahead, wall)), "{ahead} {wall}");
    }
    let mut end = called_by_dhcpd(0, 0);
    end.connection.wall_clock(WallOffset(-61));
    end.receive(start(), &contact(&Codec::new(Dialect::Dhcpd, PRIMARY), start()));
    assert!(refused(&end), "set while they were in contact");
}

/// F07-5.1-05, F07-7.8.1-05, F07-7.9.1-12, -14 to -16, F07-7.9.2-11, F07-7.12-01, F07-8.3-02, -03, F07-12.18-01.
#[test]
fn silence_ends_a_connection_and_contact_prevents_it() {
    let mut pair = pair(Dialect::Draft12);
    let codec = Codec::new(Dialect::Draft12, PRIMARY);
    // A fifth, and a third, of the partner's 20 s.
    assert_eq!(pair.primary.connection.next_deadline(), Some(start().plus(seconds(4))));
    let third = seconds(20).fraction(1, 3);
    assert_eq!(pair.secondary.connection.next_deadline(), Some(start().plus(third)));
    let mut now = start();
    for _ in 0..100 {
        now = pair
            .primary
            .connection
            .next_deadline()
            .unwrap()
            .min(pair.secondary.connection.next_deadline().unwrap());
        pair.primary.wake(now);
        pair.secondary.wake(now);
        pair.run(now);
    }
    assert!(now > start().plus(seconds(200)));
    assert!(pair.primary.connection.is_established() && pair.secondary.connection.is_established());
    let last = pair.primary.connection.next_deadline().unwrap();
    assert!(last <= now.plus(seconds(4)));
    let mut alone = pair.primary;
    alone.to_send.clear();
    for second in 0..21 {
        alone.wake(now.plus(seconds(second)));
    }
    assert_eq!(alone.cause(), Some(&Cause::NoTraffic));
    let sent = kinds(&codec, &alone.to_send);
    assert_eq!(sent.first(), Some(&MessageType::Contact));
    assert_eq!(sent.last(), Some(&MessageType::Disconnect));
}

/// F07-7.9.1-11, F07-8.3-04.
#[test]
fn the_window_opens_and_closes() {
    let mut pair = pair(Dialect::Draft12);
    let tickets: Vec<Ticket> = (0..10).map(|n| pair.primary.request(start(), free(n)).unwrap()).collect();
    assert_eq!(pair.primary.connection.room(), 0);
    pair.run(start());
    let received: Vec<_> = pair
        .secondary
        .outputs
        .iter()
        .filter_map(|output| match output {
            Output::Received(Received::Updates { xid, updates, .. }) => {
                Some((*xid, updates.updates[0].address))
            }
            _ => None,
        })
        .collect();
    assert_eq!(received.len(), 10);
    // Answered in another order.
    for (xid, address) in received.iter().rev() {
        let ack = Message::BndAck(vec![BindingAck::accepted(*address)]);
        pair.secondary.send(start(), Connection::reply(*xid, ack));
    }
    pair.run(start());
    let answered: Vec<Ticket> = pair
        .primary
        .outputs
        .iter()
        .filter_map(|output| match output {
            Output::Received(Received::Acks { ticket, .. }) => Some(*ticket),
            _ => None,
        })
        .collect();
    assert_eq!(answered, tickets.into_iter().rev().collect::<Vec<_>>());
    assert_eq!(pair.primary.connection.room(), 10);
    let again = Connection::reply(received[0].0, Message::BndAck(vec![BindingAck::accepted(received[0].1)]));
    pair.secondary.send(start(), again);
    let before = pair.primary.outputs.len();
    pair.run(start());
    assert_eq!(pair.primary.outputs.len(), before, "an answer to nothing is ignored");
    assert_eq!(pair.primary.connection.room(), 10);
}

/// F07-7.8.1-03.
#[test]
fn a_partner_that_sends_more_than_it_may_is_disconnected() {
    let mut pair = pair(Dialect::Draft12);
    for n in 0..11 {
        pair.primary.request(start(), free(n));
    }
    pair.run(start());
    assert!(matches!(pair.secondary.cause(), Some(Cause::Unexpected(_))));
}

/// F07-9.6.4-02.
#[test]
fn a_partner_that_does_not_acknowledge_is_lost() {
    let mut pair = pair(Dialect::Draft12);
    pair.primary.request(start(), free(1));
    pair.run(start());
    let codec = Codec::new(Dialect::Draft12, SECONDARY);
    for second in 1..30 {
        let now = start().plus(seconds(second));
        pair.primary.receive(now, &contact(&codec, now));
        pair.primary.wake(now);
        assert_eq!(pair.primary.cause(), None, "after {second} s");
    }
    pair.primary.wake(start().plus(seconds(30)));
    assert_eq!(pair.primary.cause(), Some(&Cause::NotAcking));
}

/// F07-5.2.1-01, F07-5.9-04.
#[test]
fn what_came_while_our_machine_stood_still_is_not_read() {
    let mut pair = pair(Dialect::Draft12);
    pair.secondary.request(start(), free(1));
    let waited = std::mem::take(&mut pair.secondary.to_send);
    let (later, mut outputs) = (start().plus(seconds(15)), Vec::new());
    pair.primary.connection.time_was_lost(&mut outputs);
    pair.primary.take(later, outputs);
    pair.primary.receive(later, &waited);
    assert_eq!(pair.primary.cause(), Some(&Cause::TimeLost), "{:?}", pair.primary.outputs);
    pair.run(later);
    let Some(Cause::Disconnected(why)) = pair.secondary.cause() else { panic!("nobody was told") };
    assert_eq!(why.reason, RejectReason::NO_TRAFFIC);
    assert!(
        !Cause::TimeLost.is_refusal() && !Cause::Disconnected(why.clone()).is_refusal(),
        "both try again"
    );
}

#[test]
fn a_partner_that_acknowledges_slowly_is_not_lost() {
    let mut pair = pair(Dialect::Draft12);
    for n in 0..3 {
        pair.primary.request(start(), free(n));
    }
    pair.run(start());
    let xids: Vec<_> = pair
        .secondary
        .outputs
        .iter()
        .filter_map(|output| match output {
            Output::Received(Received::Updates { xid, .. }) => Some(*xid),
            _ => None,
        })
        .collect();
    let codec = Codec::new(Dialect::Draft12, SECONDARY);
    let mut now = start();
    for second in 1..=29 + 29 + 29 {
        now = start().plus(seconds(second));
        pair.primary.receive(now, &contact(&codec, now));
        if second % 29 == 0 && second < 87 {
            let n = second / 29 - 1;
            let ack = BindingAck::accepted(Ipv4Addr::from(u32::try_from(n).unwrap()));
            let reply = Connection::reply(xids[usize::try_from(n).unwrap()], Message::BndAck(vec![ack]));
            pair.secondary.send(now, reply);
            pair.primary.receive(now, &std::mem::take(&mut pair.secondary.to_send));
        }
        pair.primary.wake(now);
        assert_eq!(pair.primary.cause(), None, "after {second} s");
    }
    pair.primary.wake(now.plus(seconds(1)));
    assert_eq!(pair.primary.cause(), Some(&Cause::NotAcking), "the third was never acknowledged");
}

/// F07-6.1-12, F07-7.5-02.
#[test]
fn each_answer_finds_its_request() {
    let mut pair = pair(Dialect::Draft12);
    let pool = pair.secondary.request(start(), Message::PoolReq).unwrap();
    let update = pair.secondary.request(start(), Message::UpdReqAll).unwrap();
    pair.run(start());
    let mut xids = Vec::new();
    for output in &pair.primary.outputs {
        if let Output::Received(Received::PoolReq { xid } | Received::UpdReq { xid, all: true }) = output {
            xids.push(*xid);
        }
    }
    // An UPDDONE with the xid of a POOLREQ answers nothing.
    pair.primary.send(start(), Connection::reply(xids[0], Message::UpdDone));
    pair.primary.send(start(), Connection::reply(xids[1], Message::UpdDone));
    pair.primary.send(start(), Connection::reply(xids[0], Message::PoolResp { addresses_transferred: 7 }));
    pair.run(start());
    let received: Vec<_> =
        pair.secondary.outputs.iter().filter(|output| matches!(output, Output::Received(_))).collect();
    assert_eq!(
        received,
        [
            &Output::Received(Received::UpdDone { ticket: update }),
            &Output::Received(Received::PoolResp { ticket: pool, addresses_transferred: 7 }),
        ]
    );
}

/// F07-7.8.2-10.
#[test]
fn times_of_the_partner_are_corrected() {
    let mut secondary = End::new(settings(Role::Secondary, Dialect::Draft12), Opener::Partner);
    let mut primary = End::new(settings(Role::Primary, Dialect::Draft12), Opener::Us);
    let late = start().plus(seconds(300));
    secondary.receive(late, &std::mem::take(&mut primary.to_send));
    primary.receive(start(), &std::mem::take(&mut secondary.to_send));
    let state =
        StateMessage { state: FailoverState::Normal, startup: false, since: start().to_wire(), tandem: None };
    primary.request(start(), Message::State(state));
    secondary.receive(late, &std::mem::take(&mut primary.to_send));
    assert_eq!(secondary.outputs.last(), Some(&Output::Received(Received::State { state, since: late })));
}

/// F07-7.12-01, F07-7.12.1-03, F07-8.6-05.
#[test]
fn disconnect_says_why_at_both_ends() {
    let mut pair = pair(Dialect::Draft12);
    let why = Rejection::saying(RejectReason::UNKNOWN, "going home".to_owned());
    let mut out = Vec::new();
    pair.primary.connection.disconnect(why.clone(), &mut out);
    pair.primary.take(start(), out);
    pair.run(start());
    assert_eq!(pair.primary.cause(), Some(&Cause::Asked(why.clone())));
    assert_eq!(pair.secondary.cause(), Some(&Cause::Disconnected(why)));
    assert_eq!(pair.secondary.connection.room(), 0);
}

/// F07-6.1-04, -05, F07-7.8-02.
#[test]
fn nonsense_ends_a_connection() {
    let mut in_step = pair(Dialect::Draft12);
    in_step.secondary.receive(start(), &[0, 12, 13, 12, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(matches!(in_step.secondary.cause(), Some(Cause::Malformed(_))));
    in_step.run(start());
    assert!(matches!(in_step.primary.cause(), Some(Cause::Disconnected(why)) if why.reason.0 == 254));
    let mut ignoring = pair(Dialect::Draft12);
    ignoring.secondary.receive(start(), &[0, 12, 200, 12, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(ignoring.secondary.cause(), None);
    ignoring.secondary.receive(start(), &[0, 3]);
    assert!(matches!(ignoring.secondary.cause(), Some(Cause::OutOfStep(_))));
    let mut silent = End::new(settings(Role::Secondary, Dialect::Draft12), Opener::Partner);
    silent.receive(start(), &contact(&Codec::new(Dialect::Draft12, PRIMARY), start()));
    assert!(matches!(silent.cause(), Some(Cause::Unexpected(_))));
    assert!(silent.to_send.is_empty());
}

#[test]
fn dhcpd_s_connect_is_accepted() {
    // As in the captures, with the name `campus`.
    let mut secondary = settings(Role::Secondary, Dialect::Dhcpd);
    secondary.service = Service { buckets: HashBucketAssignment::ALL_PRIMARY, delayed_service: None };
    let mut end = End::new(secondary, Opener::Us);
    let connect = include_bytes!("captures/pair-start-lease-kill-recover.pcap");
    let at = connect.windows(10).position(|window| window == b"\0\x16\0\x06campus").unwrap() - 12;
    let length = usize::from(connect[at + 1]);
    end.receive(start(), &connect[at..at + length]);
    let established = end.established();
    assert_eq!(established.mclt, seconds(120));
    assert_eq!(established.service.buckets.split(), 128);
    assert_eq!(established.vendor_class, b"isc-4.4.3-P1");
    assert_eq!(established.tandem, None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn where_tcp_cuts_does_not_matter(cuts in proptest::collection::vec(1..40usize, 0..60)) {
        let mut whole = pair(Dialect::Draft12);
        let mut cut = pair(Dialect::Draft12);
        for n in 0..5 {
            whole.primary.request(start(), free(n));
            whole.primary.request(start(), Message::Contact);
            whole.primary.request(start(), Message::UpdReq);
        }
        let stream = std::mem::take(&mut whole.primary.to_send);
        whole.secondary.receive(start(), &stream);
        let mut rest = &stream[..];
        for length in cuts {
            let (now, later) = rest.split_at(length.min(rest.len()));
            cut.secondary.receive(start(), now);
            rest = later;
        }
        cut.secondary.receive(start(), rest);
        prop_assert_eq!(whole.secondary.outputs, cut.secondary.outputs);
    }

    #[test]
    fn noise_in_any_phase_never_panics(
        noise in proptest::collection::vec(any::<u8>(), 0..200),
        at in 0..300usize,
        established in any::<bool>(),
        dialect in prop::sample::select(&Dialect::ALL[..]),
    ) {
        let mut pair = if established && dialect != Dialect::Dhcpd {
            pair(dialect)
        } else {
            Pair::new(settings(Role::Primary, dialect), settings(Role::Secondary, dialect))
        };
        pair.primary.request(start(), free(1));
        let mut stream = std::mem::take(&mut pair.primary.to_send);
        let at = at.min(stream.len());
        stream.splice(at..at, noise.iter().copied());
        pair.secondary.receive(start(), &stream);
        pair.primary.receive(start(), &noise);
        for second in 0..60 {
            pair.secondary.wake(start().plus(seconds(second)));
            pair.primary.wake(start().plus(seconds(second)));
        }
        prop_assert!(pair.secondary.connection.is_over());
        prop_assert!(pair.primary.connection.is_over());
    }
}
