//! Two engines that speak draft-07: who they are to each other, who calls, and that the pair works as any other.

#![allow(clippy::expect_used, reason = "a broken test may stop")]

mod common;
mod link;

use common::{Client, INTERFACE, START, ip, reservation, seconds};
use engine::config::{Addresses, Config, Parts, ReservationKey};
use engine::counter::Counter;
use engine::{Batch, Engine, Input, Interface, Link, LinkId, Outbox, Position, ToPartner};
use failover::binding::BindingStatus;
use failover::dialect::Dialect;
use failover::state::{FailoverState, Role};
use failover::time::Time;
use link::{CAMPUS, MCLT, Pair, parts};

const OWN: LinkId = LinkId(1);
const THEIRS: LinkId = LinkId(2);

fn draft_07(role: Role) -> Parts {
    let mut parts = parts(role, 3600);
    let [primary, secondary] = ["192.0.2.1", "192.0.2.2"].map(ip);
    let (own, partner) = if role == Role::Primary { (primary, secondary) } else { (secondary, primary) };
    parts.relationships[0].dialect = Dialect::Draft07;
    parts.relationships[0].addresses = Some(Addresses { own, partner });
    parts
}

/// F07-5.1.1-04, F07-7.8.1-02.
#[test]
fn a_pair_in_draft_07_is_a_pair() {
    let mut pair = Pair::of(draft_07);
    // Neither can tell the other that it never ran before: both wait for the MCLT.
    pair.pass(seconds(MCLT - 60));
    assert_eq!(pair.states(), (FailoverState::RecoverWait, FailoverState::RecoverWait));
    pair.pass(seconds(120));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
    assert_eq!((pair.counts(0), pair.counts(1)), ((10, 10), (10, 10)));
    let client = Client::new(1);
    let (server, address, _) = pair.bind(&client).expect("an address");
    pair.pass(seconds(5));
    assert_eq!(pair.lease(1 - server, address).status, BindingStatus::Active);
    for n in [0, 1] {
        pair.kill(n);
        pair.pass(seconds(60));
        pair.start(n);
        pair.pass(seconds(60));
        assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal), "after {n} was killed");
    }
    pair.assert_equal();
}

/// F07-5.12-03, F07-5.12-06.
#[test]
fn a_reserved_address_is_told_as_backup_reserved_and_not_for_ever_where_it_is_not() {
    for both in [true, false] {
        let mut pair = Pair::of(|role| {
            let mut parts = draft_07(role);
            let key = ReservationKey::Hardware(Client::new(1).hardware);
            let reservations = &mut parts.shared_networks[0].subnets[0].reservations;
            if both || role == Role::Primary {
                reservations.push(reservation(key, "10.0.0.15"));
            }
            parts
        });
        pair.pass(seconds(MCLT + 120));
        assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
        let other = if both { BindingStatus::Backup } else { BindingStatus::Free };
        assert_eq!(pair.status(ip("10.0.0.15")), [BindingStatus::Free, other]);
        let refused = |pair: &Pair| pair.nodes[1].engine.counters().get(Counter::BndupdRefused);
        let before = refused(&pair);
        pair.pass(seconds(600));
        assert_eq!(refused(&pair), before, "it is said once");
        assert_eq!(before, u64::from(!both));
    }
}

#[test]
fn a_partner_of_another_address_is_refused_in_words() {
    let mut pair = Pair::of(|role| {
        let mut parts = draft_07(role);
        if role == Role::Secondary {
            parts.relationships[0].addresses =
                Some(Addresses { own: ip("192.0.2.2"), partner: ip("192.0.2.9") });
        }
        parts
    });
    pair.pass(seconds(40));
    assert_ne!(pair.states().1, FailoverState::Normal);
    assert!(pair.nodes[1].told.contains(&"TDM-2002"), "{:?}", pair.nodes[1].told);
    let mut parts = draft_07(Role::Primary);
    parts.relationships[0].addresses = None;
    assert!(Config::check(&parts).is_err(), "there is nothing to call itself");
}

/// One server, and what it wants of its connections.
struct Server {
    engine: Engine,
    outbox: Outbox,
    now: Time,
}

impl Server {
    fn new(role: Role, dialect: Dialect) -> Server {
        let mut parts = draft_07(role);
        parts.relationships[0].dialect = dialect;
        let config = Config::check(&parts).expect("a configuration without faults");
        let mut server = Server {
            engine: Engine::new(config, 7),
            outbox: Outbox::new(Position::START),
            now: Time::from_seconds(START),
        };
        server.engine.start(server.now, &mut server.outbox);
        let interfaces = [Interface { id: INTERFACE, addresses: vec![ip("10.0.0.1")] }];
        server.engine.handle(server.now, Input::Interfaces(&interfaces), &mut server.outbox);
        server
    }

    /// What comes of it: connections that are asked for, used and closed.
    fn hears(&mut self, link: Link<'_>) -> Vec<String> {
        self.engine.handle(self.now, Input::Link(link), &mut self.outbox);
        self.wants()
    }

    fn wants(&mut self) -> Vec<String> {
        let mut batch = self.outbox.seal(Batch::default());
        let (mut out, end) = (Vec::new(), batch.end());
        batch.release_partners(end, |to| {
            out.push(match to {
                ToPartner::Connect { .. } => "call".to_owned(),
                ToPartner::Send { link, outgoing } => {
                    format!("{} {}", outgoing.message.message_type(), link.0)
                }
                ToPartner::StartTls { link } => format!("TLS {}", link.0),
                ToPartner::Close { link } => format!("close {}", link.0),
            });
        });
        out
    }
}

/// F07-8.2-05, -07.
#[test]
fn a_primary_goes_on_with_its_own_call_and_calls_nobody_who_called() {
    let relationship = CAMPUS;
    let mut server = Server::new(Role::Primary, Dialect::Draft07);
    assert_eq!(server.wants(), ["call"]);
    assert_eq!(
        server.hears(Link::Accepted { link: THEIRS, relationship }),
        ["close 2"],
        "its own is under way"
    );
    assert_eq!(server.hears(Link::Connected { link: OWN, relationship }), ["CONNECT 1"]);
    assert_eq!(server.hears(Link::Accepted { link: THEIRS, relationship }), ["close 2"]);
    // Its own came to nothing: the other's is taken, and while it goes on there is no further call.
    let mut server = Server::new(Role::Primary, Dialect::Draft07);
    server.wants();
    assert!(server.hears(Link::Failed { relationship }).is_empty());
    assert_eq!(server.hears(Link::Accepted { link: THEIRS, relationship }), ["CONNECT 2"]);
    server.now = server.now.plus(seconds(10));
    server.engine.handle(server.now, Input::Wake, &mut server.outbox);
    assert!(!server.wants().contains(&"call".to_owned()));
    server.now = server.now.plus(seconds(30));
    server.engine.handle(server.now, Input::Wake, &mut server.outbox);
    assert_eq!(server.wants(), ["close 2"], "no CONNECTACK came");
    server.now = server.now.plus(seconds(6));
    server.engine.handle(server.now, Input::Wake, &mut server.outbox);
    assert!(server.wants().contains(&"call".to_owned()));
    // A dhcpd does otherwise.
    let mut server = Server::new(Role::Primary, Dialect::Dhcpd);
    server.wants();
    assert_eq!(server.hears(Link::Accepted { link: THEIRS, relationship }), ["CONNECT 2"]);
}

/// F07-8.2-05, -06.
#[test]
fn a_secondary_drops_its_own_call_for_the_primarys() {
    let relationship = CAMPUS;
    let mut server = Server::new(Role::Secondary, Dialect::Draft07);
    assert_eq!(server.wants(), ["call"]);
    assert!(server.hears(Link::Connected { link: OWN, relationship }).is_empty(), "it waits for CONNECT");
    assert_eq!(server.hears(Link::Accepted { link: THEIRS, relationship }), ["close 1"]);
    let mut server = Server::new(Role::Secondary, Dialect::Draft07);
    server.wants();
    assert!(server.hears(Link::Accepted { link: THEIRS, relationship }).is_empty());
    assert_eq!(server.hears(Link::Connected { link: OWN, relationship }), ["close 1"], "it was called");
}
