//! What the drafts ask of connections, messages and endpoints beside the stories of the other files: a test for each thing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod world;

use failover::balance::{Bucket, HashBucketAssignment, Service};
use failover::binding::BindingStatus;
use failover::connection::{Cause, Connection, Opener, Outgoing, Output, Received, Settings, TlsPolicy};
use failover::dialect::Dialect;
use failover::digest::Secret;
use failover::endpoint::{Action, Command, NotOurs, RequestKind, Silence};
use failover::lease::Times;
use failover::message::{
    BindingAck, BindingUpdate, Codec, ConnectAck, DigestFault, Envelope, Message, MessageType, ParseError,
    Parsed, RejectReason, Rejection, Relationship, RelationshipName, StateMessage, TandemInfo, TlsRequest,
    VENDOR_CLASS, Xid, frame_length,
};
use failover::state::{FailoverState as S, Role};
use failover::time::{ClockDelta, Interval, Time, WallOffset, WireTime};
use std::net::Ipv4Addr;
use world::{World, at, seconds, stored};

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn settings(role: Role, dialect: Dialect) -> Settings {
    let (own, other) = if role == Role::Primary { (1, 2) } else { (2, 1) };
    let relationship = |last| match dialect {
        Dialect::Draft07 => Relationship::Address(Ipv4Addr::new(192, 0, 2, last)),
        _ => Relationship::Name(RelationshipName::new(b"campus").unwrap()),
    };
    Settings {
        role,
        codec: Codec::new(dialect, SERVER),
        relationship: relationship(own),
        partner: relationship(other),
        max_unacked_bndupd: 10 + u32::from(own),
        receive_timer: seconds(20 + u64::from(own)),
        mclt: seconds(3600),
        service: Service { buckets: HashBucketAssignment::from_split(100), delayed_service: None },
        tls: TlsPolicy::No,
        max_clock_difference: None,
        wall: WallOffset::default(),
        handshake_wait: seconds(15),
        ack_wait: seconds(30),
        tandem: TandemInfo::default(),
        last_connect: WireTime(0),
    }
}

fn with_secret(role: Role, secret: &[u8]) -> Settings {
    let mut settings = settings(role, Dialect::Draft12);
    settings.codec = settings.codec.with_secret(Secret::new(secret.to_vec()));
    settings
}

/// One end, what it said that is not for the wire, and what is.
struct End {
    connection: Connection,
    outputs: Vec<Output>,
    wire: Vec<u8>,
    codec: Codec,
}

impl End {
    fn new(settings: Settings) -> End {
        let opener = if settings.role == Role::Primary { Opener::Us } else { Opener::Partner };
        let (codec, mut outputs) = (settings.codec.clone(), Vec::new());
        let connection = Connection::new(settings, opener, at(0), &mut outputs);
        let mut end = End { connection, outputs: Vec::new(), wire: Vec::new(), codec };
        end.take(at(0), outputs);
        end
    }

    fn take(&mut self, now: Time, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(outgoing) => self.send(now, outgoing),
                other => self.outputs.push(other),
            }
        }
    }

    fn send(&mut self, now: Time, outgoing: Outgoing) {
        self.connection.encode(now, outgoing, &mut self.wire).unwrap();
    }

    fn ask(&mut self, now: Time, message: Message) {
        let outgoing = self.connection.request(message);
        self.send(now, outgoing);
    }

    fn act(&mut self, now: Time, act: impl FnOnce(&mut Connection, &mut Vec<Output>)) {
        let mut outputs = Vec::new();
        act(&mut self.connection, &mut outputs);
        self.take(now, outputs);
    }

    fn receive(&mut self, now: Time, bytes: &[u8]) {
        self.act(now, |connection, outputs| connection.receive(now, bytes, outputs));
    }

    /// What is on the wire, as messages; the wire is empty then.
    fn said(&mut self) -> Vec<Envelope> {
        messages(&self.codec, &std::mem::take(&mut self.wire))
    }

    fn cause(&self) -> Option<&Cause> {
        self.outputs.iter().rev().find_map(|output| match output {
            Output::Close(cause) => Some(cause),
            _ => None,
        })
    }
}

fn messages(codec: &Codec, mut bytes: &[u8]) -> Vec<Envelope> {
    let mut found = Vec::new();
    while let Some(length) = frame_length(bytes).unwrap() {
        let (frame, rest) = bytes.split_at(length);
        let Parsed::Message(envelope) = codec.parse(frame).unwrap() else { panic!("{frame:?}") };
        found.push(envelope);
        bytes = rest;
    }
    found
}

fn encoded(codec: &Codec, xid: u32, time: Time, message: Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec.encode(&Envelope { time: time.to_wire(), xid: Xid(xid), message }, &mut bytes).unwrap();
    bytes
}

/// Two ends that have agreed.
fn pair_of(primary: Settings, secondary: Settings) -> [End; 2] {
    let [mut primary, mut secondary] = [End::new(primary), End::new(secondary)];
    secondary.receive(at(0), &std::mem::take(&mut primary.wire));
    primary.receive(at(0), &std::mem::take(&mut secondary.wire));
    [primary, secondary]
}

fn pair() -> [End; 2] {
    pair_of(settings(Role::Primary, Dialect::Draft12), settings(Role::Secondary, Dialect::Draft12))
}

fn update(n: u32) -> Message {
    Message::BndUpd(vec![BindingUpdate::new(Ipv4Addr::from(n), BindingStatus::Free)].into())
}

fn told(state: S) -> StateMessage {
    StateMessage { state, startup: false, since: at(0).to_wire(), tandem: None }
}

/// F07-7.8.1-10 to -12, F07-7.9.1-11, -12, F07-12.27-01.
#[test]
fn what_a_handshake_carries() {
    let mut primary = End::new(settings(Role::Primary, Dialect::Draft12));
    let bytes = primary.wire.clone();
    let Message::Connect(connect) = primary.said().remove(0).message else { panic!() };
    assert_eq!((connect.max_unacked_bndupd, connect.receive_timer), (11, seconds(21)));
    assert_eq!((&connect.vendor_class[..], connect.protocol_version), (VENDOR_CLASS, 1));
    assert!(VENDOR_CLASS.starts_with(b"tandem-"));
    assert_eq!((connect.tls_request, connect.mclt), (Some(TlsRequest::No), seconds(3600)));
    let mut secondary = End::new(settings(Role::Secondary, Dialect::Draft12));
    secondary.receive(at(0), &bytes);
    let Message::ConnectAck(ConnectAck { answer: Ok(accepted), protocol_version: 1, tls_reply, .. }) =
        secondary.said().remove(0).message
    else {
        panic!()
    };
    assert_eq!((accepted.max_unacked_bndupd, accepted.receive_timer), (12, seconds(22)));
    assert_eq!((&accepted.vendor_class[..], tls_reply), (VENDOR_CLASS, Some(false)));
}

/// F07-7.8.1-03.
#[test]
fn a_connect_with_a_count_or_a_time_of_zero_is_rejected() {
    let connect = End::new(settings(Role::Primary, Dialect::Draft12)).wire;
    for (code, reason) in [(14, 6), (19, 6), (15, 5)] {
        let place = connect.windows(4).position(|option| option == [0, code, 0, 4]).unwrap();
        let mut zero = connect.clone();
        zero[place + 4..place + 8].fill(0);
        let mut secondary = End::new(settings(Role::Secondary, Dialect::Draft12));
        secondary.receive(at(0), &zero);
        assert!(
            matches!(secondary.cause(), Some(Cause::RejectedByUs(why)) if why.reason.0 == reason),
            "{code}"
        );
    }
}

/// F07-7.9.2-06.
#[test]
fn a_connectack_that_speaks_another_version_ends_the_connection() {
    let mut primary = End::new(settings(Role::Primary, Dialect::Draft12));
    let mut secondary = End::new(settings(Role::Secondary, Dialect::Draft12));
    secondary.receive(at(0), &std::mem::take(&mut primary.wire));
    let place = secondary.wire.windows(5).position(|option| option == [0, 20, 0, 1, 1]).unwrap();
    secondary.wire[place + 4] = 2;
    primary.receive(at(0), &secondary.wire);
    assert!(!primary.connection.is_established());
    assert!(matches!(primary.cause(), Some(Cause::RejectedByUs(why)) if why.reason.0 == 14));
}

/// F07-7.9.1-01, F07-7.9.2-01.
#[test]
fn an_answer_to_another_connect_is_ignored() {
    let mut primary = End::new(settings(Role::Primary, Dialect::Draft12));
    let mut secondary = End::new(settings(Role::Secondary, Dialect::Draft12));
    let asked = messages(&primary.codec, &primary.wire)[0].xid;
    secondary.receive(at(0), &std::mem::take(&mut primary.wire));
    let mut answer = secondary.said().remove(0);
    assert_eq!(answer.xid, asked);
    answer.xid = Xid(asked.0 + 7);
    let mut other = Vec::new();
    primary.codec.encode(&answer, &mut other).unwrap();
    primary.receive(at(0), &other);
    assert!(!primary.connection.is_established() && primary.cause().is_none());
    answer.xid = asked;
    other.clear();
    primary.codec.encode(&answer, &mut other).unwrap();
    primary.receive(at(0), &other);
    assert!(primary.connection.is_established());
}

/// F07-7.9.1-05.
#[test]
fn each_rejection_says_why_in_words() {
    type Case = (&'static str, fn(&mut Settings));
    let cases: [Case; 5] = [
        ("name", |s| s.relationship = Relationship::Name(RelationshipName::new(b"other").unwrap())),
        ("kind of partner", |s| s.codec = Codec::new(Dialect::Dhcpd, SERVER)),
        ("no secret there", |s| s.codec = s.codec.clone().with_secret(Secret::new(b"s".to_vec()))),
        ("TLS", |s| s.tls = TlsPolicy::Required),
        ("time", |s| s.max_clock_difference = Some(Interval::ZERO)),
    ];
    for (what, change) in cases {
        let mut secondary = settings(Role::Secondary, Dialect::Draft12);
        change(&mut secondary);
        let name = secondary.relationship.clone();
        if what == "name" {
            secondary.partner = name;
        }
        let mut secondary = End::new(secondary);
        secondary.receive(at(100), &End::new(settings(Role::Primary, Dialect::Draft12)).wire);
        let Message::ConnectAck(ConnectAck { answer: Err(why), .. }) = secondary.said().remove(0).message
        else {
            panic!("{what}")
        };
        assert!(why.message.is_some_and(|text| text.len() > 10), "{what}");
        assert!(secondary.connection.is_over());
    }
}

/// F07-7.8.2-15.
#[test]
fn a_partner_of_another_make_than_configured_is_rejected() {
    for (primary, secondary) in [(Dialect::Draft12, Dialect::Dhcpd), (Dialect::Dhcpd, Dialect::Dhcpd)] {
        let [_, secondary] = pair_of(settings(Role::Primary, primary), settings(Role::Secondary, secondary));
        assert!(
            matches!(secondary.cause(), Some(Cause::RejectedByUs(why)) if why.reason == RejectReason::CONNECTION_REJECTED
                && why.message.as_ref().is_some_and(|text| text.contains("partner-kind")))
        );
    }
}

/// F07-7.8.1-12, F07-7.9.1-09, F07-11.2-04.
#[test]
fn over_tls_neither_speaks_of_tls() {
    let with = |role| Settings { tls: TlsPolicy::Required, ..settings(role, Dialect::Draft12) };
    let [mut primary, mut secondary] = pair_of(with(Role::Primary), with(Role::Secondary));
    for end in [&mut primary, &mut secondary] {
        assert!(end.outputs.contains(&Output::StartTls) && !end.connection.is_established());
        end.act(at(1), |connection, outputs| connection.tls_started(at(1), "partner.example", outputs));
    }
    let bytes = primary.wire.clone();
    let Message::Connect(connect) = primary.said().remove(0).message else { panic!() };
    assert_eq!(connect.tls_request, None);
    secondary.receive(at(1), &bytes);
    let bytes = secondary.wire.clone();
    let Message::ConnectAck(ack) = secondary.said().remove(0).message else { panic!() };
    assert_eq!(ack.tls_reply, None);
    primary.receive(at(1), &bytes);
    assert!(primary.connection.is_established() && secondary.connection.is_established());
}

/// F07-6.1-09 to -11.
#[test]
fn each_message_has_an_xid_of_its_own_and_an_answer_that_of_its_request() {
    let [mut primary, mut secondary] = pair();
    for message in [update(1), Message::UpdReq, Message::State(told(S::Normal)), Message::Contact, update(2)]
    {
        primary.ask(at(1), message);
    }
    let why = Rejection::because(RejectReason::UNKNOWN);
    let bytes = primary.wire.clone();
    let mut xids: Vec<u32> = primary.said().iter().map(|envelope| envelope.xid.0).collect();
    secondary.receive(at(1), &bytes);
    let asked = secondary.outputs.iter().find_map(|output| match output {
        Output::Received(Received::UpdReq { xid, .. }) => Some(*xid),
        _ => None,
    });
    secondary.send(at(1), Connection::reply(asked.unwrap(), Message::UpdDone));
    assert_eq!(secondary.said()[0].xid.0, xids[1]);
    primary.act(at(1), |connection, outputs| connection.disconnect(why, outputs));
    xids.extend(primary.said().iter().map(|envelope| envelope.xid.0));
    assert_eq!(xids.len(), 6);
    xids.sort_unstable();
    xids.dedup();
    assert_eq!(xids.len(), 6, "{xids:?}");
}

/// F07-5.1-06, F07-7.9.1-16, -17.
#[test]
fn each_message_winds_up_the_timers() {
    let [mut primary, _] = pair();
    // The secondary's timer of 22 s makes a CONTACT due every 4.4 s; the own one is 21 s.
    let contact_due = |now: Time| Some(now.plus(seconds(22).fraction(1, 5)));
    assert_eq!(primary.connection.next_deadline(), contact_due(at(0)));
    primary.ask(at(3), Message::PoolReq);
    assert_eq!(primary.connection.next_deadline(), contact_due(at(3)));
    let heard = |end: &mut End, now: u64, message| {
        let bytes = encoded(&end.codec.clone(), 100 + u32::try_from(now).unwrap(), at(now), message);
        end.receive(at(now), &bytes);
        // Nothing of ours is due for as long as that: what is left is the partner's silence.
        end.ask(at(now + 20), Message::Contact);
        end.act(at(now + 20), |connection, outputs| connection.wake(at(now + 20), outputs));
        assert!(end.cause().is_none(), "at {now}");
        assert_eq!(end.connection.next_deadline(), Some(at(now + 21)));
    };
    for (now, message) in [
        (10, Message::Contact),
        (30, Message::State(told(S::Normal))),
        (50, update(1)),
        (70, Message::PoolReq),
    ] {
        heard(&mut primary, now, message);
    }
    primary.act(at(91), |connection, outputs| connection.wake(at(91), outputs));
    assert_eq!(primary.cause(), Some(&Cause::NoTraffic));
}

/// D12-8.3-01.
#[test]
fn a_silent_partner_is_told_why_the_connection_ends() {
    let [mut primary, _] = pair();
    primary.act(at(30), |connection, outputs| connection.wake(at(30), outputs));
    let Message::Disconnect(why) = primary.said().remove(0).message else { panic!() };
    assert_eq!(why.reason, RejectReason::NO_TRAFFIC);
    assert!(why.message.is_some());
}

/// F07-7.9.1-16. A process that stood still reads what waited in its socket: it is too old to be taken for news.
#[test]
fn what_waited_longer_than_the_receive_timer_is_not_taken() {
    let came = |end: &End| {
        end.outputs.iter().any(|output| matches!(output, Output::Received(Received::PoolReq { .. })))
    };
    for (late, is_taken) in [(20, true), (21, false)] {
        let [mut primary, _] = pair();
        primary.outputs.clear();
        let waited = encoded(&primary.codec.clone(), 9, at(1), Message::PoolReq);
        primary.receive(at(late), &waited);
        assert_eq!(came(&primary), is_taken, "{late}");
        assert_eq!(primary.cause(), (!is_taken).then_some(&Cause::NoTraffic));
    }
}

/// F07-7.9.1-13. A CONNECTACK waits for a sync, which may take long; CONTACT does not, and must not go before it.
#[test]
fn nothing_goes_before_a_connectack() {
    let primary = End::new(settings(Role::Primary, Dialect::Draft12));
    let mut secondary =
        Connection::new(settings(Role::Secondary, Dialect::Draft12), Opener::Partner, at(0), &mut Vec::new());
    let mut outputs = Vec::new();
    secondary.receive(at(0), &primary.wire, &mut outputs);
    let Some(Output::Send(answer)) = outputs.pop() else { panic!("{outputs:?}") };
    secondary.wake(at(12), &mut outputs);
    assert!(!outputs.iter().any(|output| matches!(output, Output::Send(_))), "{outputs:?}");
    secondary.encode(at(12), answer, &mut Vec::new()).unwrap();
    assert!(secondary.next_deadline().unwrap() <= at(20), "from then on it says that it is there");
}

/// F07-7.11.2-01.
#[test]
fn contact_refines_the_difference_of_the_clocks() {
    let [mut primary, _] = pair();
    assert_eq!(primary.connection.clock_delta(), ClockDelta(0));
    let ahead = encoded(&primary.codec.clone(), 9, at(105), Message::Contact);
    primary.receive(at(5), &ahead);
    assert_eq!(primary.connection.clock_delta(), ClockDelta(-100));
}

/// F07-11.1-01, -03.
#[test]
fn all_messages_have_a_digest_exactly_where_there_is_a_secret() {
    let why = Rejection::because(RejectReason::INVALID_PARTNER);
    for dialect in Dialect::ALL {
        let relationship = settings(Role::Primary, dialect).relationship;
        let rejecting = ConnectAck {
            relationship,
            protocol_version: 1,
            tls_reply: Some(false),
            answer: Err(why.clone()),
        };
        let without = Codec::new(dialect, SERVER);
        let with = without.clone().with_secret(Secret::new(b"secret".to_vec()));
        for message in [
            Message::PoolReq,
            Message::PoolResp { addresses_transferred: 1 },
            update(1),
            Message::BndAck(vec![BindingAck::accepted(SERVER)]),
            Message::ConnectAck(rejecting),
            Message::UpdReqAll,
            Message::UpdDone,
            Message::UpdReq,
            Message::State(told(S::Normal)),
            Message::Contact,
            Message::Disconnect(why.clone()),
        ] {
            let signed = encoded(&with, 1, at(0), message.clone());
            assert!(with.parse(&signed).is_ok());
            let fault = without.parse(&signed).unwrap_err().error;
            assert_eq!(fault, ParseError::Digest(DigestFault::NotConfigured), "{}", message.message_type());
            let plain = encoded(&without, 1, at(0), message);
            assert_eq!(with.parse(&plain).unwrap_err().error, ParseError::Digest(DigestFault::Missing));
        }
    }
}

/// D12-12.17-01.
#[test]
fn a_digest_of_another_type_is_not_supported() {
    let codec = with_secret(Role::Primary, b"secret").codec;
    let mut contact = encoded(&codec, 1, at(0), Message::Contact);
    assert_eq!(contact[12..17], [0, 17, 0, 17, 1]);
    for other in [0, 2, 255] {
        contact[16] = other;
        assert_eq!(codec.parse(&contact).unwrap_err().error, ParseError::Digest(DigestFault::NotSupported));
    }
}

/// F07-11.1-07.
#[test]
fn a_message_that_is_not_authentic_ends_the_connection_at_once() {
    let other = with_secret(Role::Secondary, b"other").codec;
    let none = settings(Role::Secondary, Dialect::Draft12).codec;
    for (codec, reason) in [(other, 20), (none, 21)] {
        let [mut primary, _] =
            pair_of(with_secret(Role::Primary, b"secret"), with_secret(Role::Secondary, b"secret"));
        assert!(primary.connection.is_established());
        primary.receive(at(1), &encoded(&codec, 50, at(1), Message::Contact));
        assert!(matches!(primary.cause(), Some(Cause::Malformed(ParseError::Digest(_)))));
        let Message::Disconnect(why) = primary.said().remove(0).message else { panic!() };
        assert_eq!(why.reason.0, reason);
    }
}

/// An option: its code and its value.
type Raw<'a> = (u16, &'a [u8]);

/// A BNDUPD with these options.
fn bndupd(options: &[Raw<'_>]) -> Vec<u8> {
    let mut bytes = vec![0, 0, MessageType::BndUpd.number(), 12, 0, 0, 0, 1, 0, 0, 0, 2];
    for (code, value) in options {
        bytes.extend_from_slice(&code.to_be_bytes());
        bytes.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(value);
    }
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    bytes[..2].copy_from_slice(&length);
    bytes
}

/// F07-6.2-02, F07-6.3-04.
#[test]
fn the_order_of_options_matters_only_for_the_address() {
    let codec = Codec::new(Dialect::Draft12, SERVER);
    let (first, second): (Raw<'_>, Raw<'_>) = ((2, &[10, 0, 0, 1]), (2, &[10, 0, 0, 2]));
    let options: [Raw<'_>; 4] =
        [(3, &[2]), (5, &[1, 2, 0, 0, 0, 0, 1]), (13, &[0, 0, 0, 9]), (18, &[0, 0, 0, 10])];
    let parsed = |options: &[Raw<'_>]| match codec.parse(&bndupd(options)).unwrap() {
        Parsed::Message(Envelope { message: Message::BndUpd(updates), .. }) => updates,
        other => panic!("{other:?}"),
    };
    let (mut straight, mut turned) = (vec![first], vec![first]);
    straight.extend(options);
    turned.extend(options.iter().rev());
    for all in [&mut straight, &mut turned] {
        all.extend([second, (3, &[1])]);
    }
    let updates = parsed(&straight);
    assert_eq!((updates.updates.len(), updates.malformed.len()), (2, 0));
    assert_eq!(updates.updates[0].lease_expiration, Some(WireTime(9)));
    assert_eq!(parsed(&turned), updates);
    // What concerns no address is not taken for a part of the last transaction, and may stand on either side.
    let vendor: Raw<'_> = (28, b"tandem-0");
    for place in [0, straight.len()] {
        let mut with = straight.clone();
        with.insert(place, vendor);
        assert_eq!(parsed(&with), updates);
    }
}

/// F07-12.9-03.
#[test]
fn unknown_flags_are_ignored_and_not_sent() {
    let codec = Codec::new(Dialect::Draft12, SERVER);
    let options: [Raw<'_>; 4] =
        [(2, &[10, 0, 0, 1]), (12, &[0xff, 0xfd]), (3, &[1]), (9, &[0xff, 0xf5, 1, b'a', 0])];
    let Parsed::Message(envelope) = codec.parse(&bndupd(&options)).unwrap() else { panic!() };
    let Message::BndUpd(updates) = &envelope.message else { panic!() };
    let ddns = updates.updates[0].ddns.as_ref().unwrap();
    assert_eq!(
        [ddns.name_done, ddns.controls_name, ddns.address_done, ddns.controls_address],
        [true, false, true, false]
    );
    assert!(updates.updates[0].flags.reserved && !updates.updates[0].flags.bootp);
    let again = encoded(&codec, 2, at(0), envelope.message.clone());
    assert!(again.windows(6).any(|option| option == [0, 9, 0, 5, 0, 5]), "{again:02x?}");
    assert!(again.windows(6).any(|option| option == [0, 12, 0, 2, 0, 1]), "{again:02x?}");
}

fn state_in(action: Action) -> Option<StateMessage> {
    match action {
        Action::SendState(state) => Some(state),
        _ => None,
    }
}

fn states_told(world: &World, who: usize) -> Vec<StateMessage> {
    world.servers[who].actions.iter().filter_map(|action| state_in(*action)).collect()
}

/// F07-9.3.1-02, F07-12.22-01, F07-12.23-01, F07-12.24-01.
#[test]
fn in_startup_state_has_the_flag_and_the_state_before() {
    let mut before = stored(S::PartnerDown, at(0));
    before.previous = S::PartnerDown;
    let mut world = World::new(Dialect::Draft12, Some(before), Some(stored(S::Recover, at(0))));
    world.now = at(50);
    world.servers[0].start(at(50), false);
    world.servers[1].start(at(50), false);
    world.connect();
    assert_eq!(world.servers[0].state(), S::Startup);
    let first = states_told(&world, 0)[0];
    assert_eq!((first.state, first.startup, first.since), (S::PartnerDown, true, at(0).to_wire()));
    world.run();
    let last = *states_told(&world, 0).last().unwrap();
    assert!(!last.startup && last.state != S::Startup);
    let codec = Codec::new(Dialect::Draft12, SERVER);
    for (state, flags) in [(first, 1), (last, 0)] {
        let bytes = encoded(&codec, 1, at(0), Message::State(StateMessage { tandem: None, ..state }));
        assert!(bytes.windows(5).any(|option| option == [0, 23, 0, 1, flags]), "{bytes:02x?}");
    }
}

/// F07-8.3-01.
#[test]
fn communications_are_ok_with_the_partners_first_state() {
    let mut world =
        World::new(Dialect::Draft12, Some(stored(S::Normal, at(0))), Some(stored(S::Normal, at(0))));
    for server in &mut world.servers {
        server.start(at(0), false);
    }
    world.connect();
    let ok = |world: &World| [0, 1].map(|who| world.servers[who].endpoint().communications_ok());
    assert_eq!(ok(&world), [false; 2]);
    world.deliver(1);
    assert_eq!(ok(&world), [true, false]);
    world.run();
    assert_eq!(ok(&world), [true; 2]);
    world.cut();
    assert_eq!(ok(&world), [false; 2]);
}

/// F07-9.2-04.
#[test]
fn the_partners_state_is_recorded_when_it_is_heard_and_when_it_changes() {
    let mut world = World::normal();
    let known = |world: &World| world.servers[0].disk.unwrap().partner.map(|(state, _)| state);
    assert_eq!(known(&world), Some(S::Normal));
    world.command(1, Command::Pause);
    assert_eq!(known(&world), Some(S::Paused));
}

/// F07-7.10.1-02, F07-7.10.2-02.
#[test]
fn state_is_told_once_and_heard_twice_without_harm() {
    let mut world = World::normal();
    let before = [0, 1].map(|who| states_told(&world, who).len());
    let normal = *states_told(&world, 1).last().unwrap();
    for _ in 0..3 {
        let now = world.now;
        let event = failover::endpoint::Event::State { state: normal, since: at(0) };
        world.servers[0].handle(now, event);
        world.run();
    }
    assert_eq!(world.states(), [S::Normal; 2]);
    assert_eq!([0, 1].map(|who| states_told(&world, who).len()), before);
}

/// F07-9.2-06.
#[test]
fn a_change_of_state_keeps_the_connection() {
    let mut world = World::normal();
    world.command(0, Command::PartnerDown);
    for server in &world.servers {
        let told: Vec<S> =
            server.actions.iter().filter_map(|action| state_in(*action)).map(|told| told.state).collect();
        assert!(told.contains(&S::PotentialConflict), "{told:?}");
        assert!(!server.actions.iter().any(|action| matches!(action, Action::Disconnect(_))));
    }
    assert_eq!(world.states(), [S::Normal; 2]);
}

/// F07-9.9.2-03.
#[test]
fn own_addresses_alone_are_given_while_a_conflict_waits() {
    for state in [S::ResolutionInterrupted, S::ConflictDone] {
        for (who, own, other) in
            [(0, BindingStatus::Free, BindingStatus::Backup), (1, BindingStatus::Backup, BindingStatus::Free)]
        {
            let disk = Some(stored(state, at(0)));
            let mut world = World::new(Dialect::Draft12, disk, disk);
            world.servers[who].start(at(0), false);
            world.pass(seconds(100_000));
            assert_eq!(world.servers[who].state(), state);
            let may =
                |status| world.servers[who].endpoint().may_allocate(world.now, status, Times::NONE, false);
            assert_eq!((may(own), may(other)), (Ok(()), Err(NotOurs::Partners)), "{state}");
        }
    }
}

/// D12-9.6.2-03.
#[test]
fn recover_wait_runs_on_without_the_partner() {
    let mut waiting = stored(S::RecoverWait, at(0));
    waiting.down_since = at(0);
    let mut world = World::new(Dialect::Draft12, Some(waiting), Some(stored(S::PartnerDown, at(0))));
    world.servers[1].operated = at(0);
    world.servers[0].start(at(0), false);
    world.servers[1].start(at(0), false);
    world.pass(seconds(100));
    world.connect();
    world.run();
    assert_eq!(world.servers[0].state(), S::RecoverWait);
    world.cut();
    assert_eq!(world.servers[0].state(), S::RecoverWait);
    world.pass(seconds(3600));
    assert_eq!(world.servers[0].state(), S::RecoverDone);
}

/// F07-9.12.2-01, -03.
#[test]
fn who_leaves_answers_nobody_and_waits_for_the_partner_to_take_over() {
    for (command, state) in [(Command::Pause, S::Paused), (Command::Shutdown, S::Shutdown)] {
        let mut world = World::normal();
        let now = world.now;
        world.servers[0].handle(now, failover::endpoint::Event::Command(command));
        for kind in [RequestKind::RenewOrRebind, RequestKind::NamesUs, RequestKind::Other] {
            let answer = world.servers[0].endpoint().may_answer(kind, Bucket(0), 0);
            assert_eq!(answer, Err(Silence::State(state)));
        }
        assert_eq!(world.servers[0].has(Action::Stop), state == S::Paused);
        if state == S::Shutdown {
            // Nobody answers it: it waits for some seconds, and goes.
            for (second, stops) in [(2, false), (3, true)] {
                let now = now.plus(seconds(second));
                world.servers[0].handle(now, failover::endpoint::Event::Wake);
                assert_eq!(world.servers[0].has(Action::Stop), stops);
            }
        }
    }
}
