//! A dhcpd by itself: what no Tandem does to it, and so no run shows.
//!
//! *Lives here:* the habits that a partner must not wake.

use super::*;
use crate::line::Arrival;
use crate::random::Random;
use crate::scene::Scene;
use failover::dialect::Dialect;
use failover::message::{
    BindingUpdate, Codec, Connect, RejectReason, Relationship, RelationshipName, StateMessage, Xid,
};
use failover::time::{Interval, WireTime};

const NOW: Seconds = 1_800_000_000;
const LINK: LinkId = LinkId(1);

/// A secondary that runs, and has a connection.
fn dhcpd(habits: Habits) -> Dhcpd {
    let scene = Scene::draw_beside_dhcpd(&mut Random::new(3), 3);
    let terms = scene.terms.expect("a pair");
    let mut dhcpd = Dhcpd::new(1, &scene.servers[1], terms, habits);
    dhcpd.at(NOW);
    dhcpd.start();
    dhcpd.hears(LINK, &Arrival::Accepted);
    dhcpd
}

/// The primary says this by a clock that is so far ahead; what comes of it.
fn told(dhcpd: &mut Dhcpd, ahead: u32, message: Message) -> Vec<Act> {
    let time = WireTime(u32::try_from(NOW).expect("small") + ahead);
    let mut bytes = Vec::new();
    let codec = Codec::new(Dialect::Draft12, Ipv4Addr::UNSPECIFIED);
    codec.encode(&Envelope { time, xid: Xid(9), message }, &mut bytes).expect("a message");
    dhcpd.hears(LINK, &Arrival::Bytes { bytes, message: None });
    dhcpd.take_acts()
}

fn connect() -> Message {
    Message::Connect(Connect {
        relationship: Relationship::Name(RelationshipName::new(b"pair").expect("a name")),
        max_unacked_bndupd: 10,
        receive_timer: Interval::from_seconds(60),
        vendor_class: b"tandem".to_vec(),
        protocol_version: 1,
        tls_request: None,
        mclt: Interval::from_seconds(60),
        buckets: HashBucketAssignment::from_split(128),
        delayed_service: None,
        tandem: None,
    })
}

fn state(state: S) -> Message {
    Message::State(StateMessage { state, startup: false, since: WireTime(5), tandem: None })
}

fn is_wronged(acts: &[Act]) -> bool {
    acts.iter().any(|act| matches!(act, Act::Wronged(_)))
}

#[test]
fn a_clock_that_is_more_than_a_minute_away_is_refused() {
    let refuses = |habits, ahead| {
        let acts = told(&mut dhcpd(habits), ahead, connect());
        acts.iter().any(|act| match act {
            Act::Say { envelope: Envelope { message: Message::ConnectAck(ack), .. }, .. } => {
                ack.answer.as_ref().is_err_and(|no| no.reason == RejectReason::TIME_MISMATCH)
            }
            _ => false,
        })
    };
    assert!(refuses(Habits::ALL, 61) && !refuses(Habits::ALL, 59));
    assert!(!refuses(Habits::ALL.without(Habit::ClockLimit), 61));
}

#[test]
fn several_addresses_at_once_end_the_connection() {
    for (habits, expected) in [(Habits::ALL, true), (Habits::ALL.without(Habit::DropsBatches), false)] {
        let mut dhcpd = dhcpd(habits);
        told(&mut dhcpd, 0, connect());
        told(&mut dhcpd, 0, state(S::Recover));
        let addresses: Vec<Ipv4Addr> = dhcpd.leases.keys().copied().take(2).collect();
        let updates: Vec<BindingUpdate> =
            addresses.iter().map(|address| BindingUpdate::new(*address, B::Free)).collect();
        let acts = told(&mut dhcpd, 0, Message::BndUpd(updates.into()));
        assert_eq!(is_wronged(&acts), expected);
        assert_eq!(acts.iter().any(|act| matches!(act, Act::Close { .. })), expected);
    }
}

#[test]
fn a_conflict_told_in_normal_stops_it() {
    for (habits, expected) in
        [(Habits::ALL, S::Shutdown), (Habits::ALL.without(Habit::Panics), S::PotentialConflict)]
    {
        let mut dhcpd = dhcpd(habits);
        dhcpd.declared.state = S::CommunicationsInterrupted;
        told(&mut dhcpd, 0, connect());
        told(&mut dhcpd, 0, state(S::Normal));
        assert_eq!(dhcpd.state(), S::Normal);
        let acts = told(&mut dhcpd, 0, state(S::PotentialConflict));
        assert_eq!((dhcpd.state(), is_wronged(&acts)), (expected, expected == S::Shutdown));
    }
}
