//! One engine, and a partner that is a dhcpd by what it says.

#![allow(clippy::expect_used, clippy::panic, reason = "a broken test may stop")]

mod common;
mod link;

use common::{INTERFACE, START, ip, seconds};
use engine::config::{Config, Parts};
use engine::{Batch, Engine, Input, Interface, LeaseFilter, Link, LinkId, Outbox, Position, ToPartner};
use failover::balance::HashBucketAssignment;
use failover::binding::BindingStatus;
use failover::dialect::Dialect;
use failover::message::{
    BindingAck, BindingUpdate, ClientHardware, Codec, Connect, Envelope, Message, Parsed, Relationship,
    RelationshipName, StateMessage, TlsRequest, Xid, frame_length,
};
use failover::state::{FailoverState, Role};
use failover::time::{Time, WireTime};
use link::{CAMPUS, MCLT, parts};
use std::net::Ipv4Addr;

const LINK: LinkId = LinkId(1);

fn secondary() -> Parts {
    let mut parts = parts(Role::Secondary, 3600);
    parts.relationships[0].dialect = Dialect::Dhcpd;
    parts
}

/// A secondary of ours, and what a primary dhcpd says to it.
struct Talk {
    engine: Engine,
    outbox: Outbox,
    now: Time,
    /// By how much the clock of the dhcpd is ahead, in seconds.
    ahead: u32,
    next_xid: u32,
    /// What was said to it and not looked at yet.
    heard: Vec<(Xid, Message)>,
    is_open: bool,
    link: LinkId,
}

impl Talk {
    fn start(ahead: u32) -> Talk {
        let now = Time::from_seconds(START);
        let config = Config::check(&secondary()).expect("a configuration without faults");
        let mut engine = Engine::new(config, 7);
        engine.set_store([1; 16], 1);
        let mut outbox = Outbox::new(Position::START);
        engine.start(now, &mut outbox);
        let interfaces = [Interface { id: INTERFACE, addresses: vec![ip("10.0.0.2")] }];
        engine.handle(now, Input::Interfaces(&interfaces), &mut outbox);
        engine.handle(now, Input::Link(Link::Accepted { link: LINK, relationship: CAMPUS }), &mut outbox);
        Talk { engine, outbox, now, ahead, next_xid: 1, heard: Vec::new(), is_open: true, link: LINK }
    }

    fn codec() -> Codec {
        Codec::new(Dialect::Dhcpd, Ipv4Addr::LOCALHOST)
    }

    /// The dhcpd says this, as an answer where there is an xid.
    fn say(&mut self, answer_to: Option<Xid>, message: Message) -> Xid {
        let xid = answer_to.unwrap_or(Xid(self.next_xid));
        self.next_xid += 1;
        let time = WireTime(self.now.to_wire().0 + self.ahead);
        let mut bytes = Vec::new();
        Talk::codec().encode(&Envelope { time, xid, message }, &mut bytes).expect("a message");
        let received = Link::Received { link: self.link, at: self.now, bytes: &bytes };
        self.engine.handle(self.now, Input::Link(received), &mut self.outbox);
        self.hear();
        xid
    }

    /// What is recorded is stable at once.
    fn hear(&mut self) {
        let mut batch = self.outbox.seal(Batch::default());
        let end = batch.end();
        batch.release(end, self.now, |_, _| {});
        let mut out = Vec::new();
        batch.release_partners(end, |to| out.push(to));
        for to in out {
            match to {
                ToPartner::Send { link, outgoing } => {
                    let mut bytes = Vec::new();
                    self.engine.encode(self.now, link, outgoing, &mut bytes).expect("our own message");
                    let mut rest = &bytes[..];
                    while let Some(length) = frame_length(rest).expect("a frame") {
                        let (frame, after) = rest.split_at(length);
                        rest = after;
                        match Talk::codec().parse(frame) {
                            Ok(Parsed::Message(envelope)) => {
                                self.heard.push((envelope.xid, envelope.message));
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                }
                ToPartner::Close { .. } => self.is_open = false,
                ToPartner::Connect { .. } | ToPartner::StartTls { .. } => {}
            }
        }
    }

    fn connect(&mut self) {
        let name = RelationshipName::new(b"campus").expect("a name");
        self.say(
            None,
            Message::Connect(Connect {
                relationship: Relationship::Name(name),
                max_unacked_bndupd: 100,
                receive_timer: seconds(60),
                vendor_class: b"isc-4.4.3-P1".to_vec(),
                protocol_version: 1,
                tls_request: Some(TlsRequest::No),
                mclt: seconds(MCLT),
                buckets: HashBucketAssignment::from_split(128),
                delayed_service: None,
                tandem: None,
            }),
        );
    }

    fn state(&mut self, state: FailoverState) {
        let since = self.now.to_wire();
        self.say(None, Message::State(StateMessage { state, startup: false, since, tandem: None }));
    }

    /// To NORMAL on both sides, by way of RECOVER, with this many of the twenty addresses in BACKUP.
    fn normal(backup: u8) -> Talk {
        let mut talk = Talk::start(0);
        talk.connect();
        talk.state(FailoverState::Recover);
        let asked = |talk: &Talk| {
            talk.heard.iter().find(|(_, message)| *message == Message::UpdReqAll).map(|(xid, _)| *xid)
        };
        let asked = asked(&talk).expect("UPDREQALL");
        talk.say(Some(asked), Message::UpdDone);
        talk.pass(MCLT + 60);
        talk.state(FailoverState::RecoverDone);
        talk.state(FailoverState::Normal);
        for n in 0..backup {
            let address = Ipv4Addr::new(10, 0, 0, 10 + n);
            let update = BindingUpdate::new(address, BindingStatus::Backup);
            talk.say(None, Message::BndUpd(vec![update].into()));
        }
        talk.acknowledge();
        assert_eq!(talk.view(), (FailoverState::Normal, u64::from(20 - backup), u64::from(backup)));
        talk
    }

    fn view(&self) -> (FailoverState, u64, u64) {
        let view = self.engine.endpoints(self.now).remove(0);
        (view.state, view.free, view.backup)
    }

    fn pass(&mut self, interval: u64) {
        for _ in 0..interval {
            self.now = self.now.plus(seconds(1));
            self.engine.handle(self.now, Input::Wake, &mut self.outbox);
            self.hear();
            if self.is_open {
                self.say(None, Message::Contact);
            }
        }
    }

    /// The connection breaks.
    fn lose(&mut self) {
        self.engine.handle(self.now, Input::Link(Link::Closed { link: self.link }), &mut self.outbox);
        self.is_open = false;
        self.hear();
    }

    /// The dhcpd connects again.
    fn call(&mut self) {
        self.link = LinkId(self.link.0 + 1);
        self.is_open = true;
        self.heard.clear();
        let accepted = Link::Accepted { link: self.link, relationship: CAMPUS };
        self.engine.handle(self.now, Input::Link(accepted), &mut self.outbox);
        self.connect();
    }

    /// Tells of a lease from now on.
    fn lease(&mut self, address: Ipv4Addr, length: u32) {
        let mut update = BindingUpdate::new(address, BindingStatus::Active);
        let now = self.now.to_wire();
        update.hardware = Some(ClientHardware { htype: 1, address: vec![2, 0, 0, 0, 0, 9] });
        update.lease_expiration = Some(WireTime(now.0 + length));
        update.potential_expiration = Some(WireTime(now.0 + length + 30));
        (update.start_time_of_state, update.client_last_transaction_time) = (Some(now), Some(now));
        self.say(None, Message::BndUpd(vec![update].into()));
    }

    fn told(&self) -> Vec<(Ipv4Addr, BindingStatus)> {
        let updates = self.heard.iter().filter_map(|(_, message)| match message {
            Message::BndUpd(updates) => Some(&updates.updates),
            _ => None,
        });
        updates.flatten().map(|update| (update.address, update.status)).collect()
    }

    /// The dhcpd agrees to all that it was told; what that was.
    fn acknowledge(&mut self) -> Vec<BindingUpdate> {
        let mut all = Vec::new();
        while let Some(at) = self.heard.iter().position(|(_, message)| matches!(message, Message::BndUpd(_)))
        {
            let (xid, message) = self.heard.remove(at);
            let Message::BndUpd(updates) = message else { unreachable!("it was one") };
            let acks = updates.updates.iter().map(|update| BindingAck::accepted(update.address)).collect();
            all.extend(updates.updates);
            self.say(Some(xid), Message::BndAck(acks));
        }
        all
    }
}

/// Q42: dhcpd asks as primary too.
#[test]
fn a_primary_that_is_short_is_given_back_what_is_more_than_the_share() {
    let mut talk = Talk::normal(16);
    talk.heard.clear();
    let asked = talk.say(None, Message::PoolReq);
    let answer =
        talk.heard.iter().find(|(xid, message)| *xid == asked && matches!(message, Message::PoolResp { .. }));
    assert_eq!(answer.map(|(_, message)| message), Some(&Message::PoolResp { addresses_transferred: 6 }));
    // Ours no more from now on, whatever becomes of the message.
    assert_eq!(talk.view(), (FailoverState::Normal, 10, 10));
    let told = talk.acknowledge();
    assert_eq!(told.iter().filter(|update| update.status == BindingStatus::Free).count(), 6);
    assert_eq!(told.len(), 6);
    // Asked again, there is nothing more to give.
    let asked = talk.say(None, Message::PoolReq);
    assert!(talk.heard.contains(&(asked, Message::PoolResp { addresses_transferred: 0 })));
    assert!(talk.is_open);
}

/// It takes nothing back by itself, and asks only when it has nearly nothing left.
#[test]
fn a_primary_is_given_back_what_is_far_more_than_the_share_before_it_asks() {
    for (backup, left) in [(14, 10), (13, 13)] {
        let mut talk = Talk::normal(backup);
        talk.pass(31);
        talk.acknowledge();
        assert_eq!(talk.view(), (FailoverState::Normal, 20 - left, left), "with {backup} in BACKUP");
    }
}

/// dhcpd refuses a partner whose clock is further away, and corrects no time that it is told.
#[test]
fn clocks_that_differ_by_more_than_a_minute_are_refused() {
    for (ahead, expected) in [(59, true), (61, false)] {
        let mut talk = Talk::start(ahead);
        talk.connect();
        let accepted = talk
            .heard
            .iter()
            .any(|(_, message)| matches!(message, Message::ConnectAck(answer) if answer.answer.is_ok()));
        assert_eq!(accepted, expected, "{ahead} s");
    }
}

/// It takes EXPIRED over a lease that it extended itself: it is told nothing before it has told what it has.
#[test]
fn a_lease_that_it_extended_meanwhile_is_not_told_to_be_over() {
    let mut talk = Talk::normal(10);
    let [extended, forgotten] = [15, 16].map(|n| Ipv4Addr::new(10, 0, 0, n + 10));
    talk.lease(extended, 60);
    talk.lease(forgotten, 60);
    talk.lose();
    talk.pass(100);
    talk.call();
    talk.state(FailoverState::CommunicationsInterrupted);
    let asked = talk.heard.iter().find(|(_, message)| *message == Message::UpdReq).map(|(xid, _)| *xid);
    assert_eq!(talk.told(), [], "before it has told what it has");
    talk.lease(extended, 60);
    talk.say(Some(asked.expect("UPDREQ")), Message::UpdDone);
    assert_eq!(talk.told(), [(forgotten, BindingStatus::Expired)]);
    talk.acknowledge();
    talk.pass(100);
    assert!(talk.told().contains(&(extended, BindingStatus::Expired)), "now it is over: {:?}", talk.told());
}

/// It sends client-last-transaction-time in each update. Of nobody nothing was heard: what is in memory is what is recorded.
#[test]
fn the_time_of_an_update_about_nobody_is_not_kept() {
    let mut talk = Talk::normal(10);
    let address = Ipv4Addr::new(10, 0, 0, 28);
    let mut update = BindingUpdate::new(address, BindingStatus::Free);
    update.client_last_transaction_time = Some(talk.now.to_wire());
    talk.say(None, Message::BndUpd(vec![update].into()));
    let filter = LeaseFilter { from: Some(address), unused: true, ..LeaseFilter::default() };
    let view = talk.engine.leases(&filter, 1).0.remove(0);
    assert_eq!((view.address, view.client_last_transaction_time), (address, Time::ZERO));
}
