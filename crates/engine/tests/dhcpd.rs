//! One engine, and a partner that is a dhcpd by what it says.

#![allow(clippy::expect_used, clippy::panic, reason = "a broken test may stop")]

mod common;
mod link;

use common::{INTERFACE, START, ip, seconds};
use engine::clock::{BootId, ClockStamp};
use engine::config::{Config, Parts};
use engine::{Batch, Engine, Input, Interface, LeaseFilter, Link, LinkId, Outbox, Position, ToPartner};
use failover::balance::HashBucketAssignment;
use failover::binding::BindingStatus;
use failover::dialect::Dialect;
use failover::endpoint::Command;
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
    /// Numbers of the events that were logged.
    events: Vec<&'static str>,
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
        Talk {
            engine,
            outbox,
            now,
            ahead,
            next_xid: 1,
            heard: Vec::new(),
            is_open: true,
            link: LINK,
            events: Vec::new(),
        }
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
        self.events.extend(batch.events().0.iter().map(|event| event.entry().id));
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
        talk.has_told_all(&Message::UpdReqAll);
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

    /// The wall clock of this machine is looked at, and is this far ahead of engine time.
    fn look_at_wall_clock(&mut self, ahead: u32) {
        let stamp = ClockStamp {
            engine: self.now,
            since_boot: seconds(self.now.as_seconds() - START),
            wall: self.now.plus(seconds(ahead.into())),
            boot: BootId([1; 16]),
            synchronised: false,
        };
        self.engine.note_clock(stamp, &mut self.outbox);
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
        let now = self.now.to_wire().0;
        self.lease_since(now, address, [0, length, length + 30]);
    }

    /// Tells of a lease that began at `start`, with client-last-transaction-time, lease-expiration-time and potential-expiration-time,
    /// in seconds since then.
    fn lease_since(&mut self, start: u32, address: Ipv4Addr, [heard, end, potential]: [u32; 3]) {
        let at = |seconds| Some(WireTime(start + seconds));
        let mut update = BindingUpdate::new(address, BindingStatus::Active);
        update.hardware = Some(ClientHardware { htype: 1, address: vec![2, 0, 0, 0, 0, 9] });
        (update.lease_expiration, update.potential_expiration) = (at(end), at(potential));
        (update.start_time_of_state, update.client_last_transaction_time) = (at(0), at(heard));
        self.say(None, Message::BndUpd(vec![update].into()));
    }

    /// UPDDONE for the first such request that was heard.
    fn has_told_all(&mut self, request: &Message) {
        let asked = self.heard.iter().find(|(_, message)| message == request).map(|(xid, _)| *xid);
        self.say(Some(asked.expect("a request")), Message::UpdDone);
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

/// Trap T22: a dhcpd that forgot all says FREE while it is told BACKUP, and takes that. Each has taken what the other said.
#[test]
fn an_address_that_each_left_to_the_other_is_given_back() {
    let mut talk = Talk::normal(10);
    let address = Ipv4Addr::new(10, 0, 0, 10);
    talk.lose();
    talk.call();
    talk.state(FailoverState::Recover);
    talk.has_told_all(&Message::UpdReq);
    talk.say(None, Message::UpdReqAll);
    assert!(talk.told().contains(&(address, BindingStatus::Backup)), "{:?}", talk.told());
    talk.say(None, Message::BndUpd(vec![BindingUpdate::new(address, BindingStatus::Free)].into()));
    assert_eq!(talk.view().2, 9, "it is the primary's");
    let told = talk.acknowledge();
    let of_it = told.iter().filter(|update| update.address == address).map(|update| update.status);
    assert_eq!(of_it.collect::<Vec<_>>(), [BindingStatus::Backup, BindingStatus::Free]);
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
    assert_eq!(talk.told(), [], "before it has told what it has");
    talk.lease(extended, 60);
    talk.has_told_all(&Message::UpdReq);
    assert_eq!(talk.told(), [(forgotten, BindingStatus::Expired)]);
    talk.acknowledge();
    talk.pass(100);
    assert!(talk.told().contains(&(extended, BindingStatus::Expired)), "now it is over: {:?}", talk.told());
}

/// The clock of this machine was wrong, and is set right by hand: engine time does not follow, and dhcpd compares wall clocks.
#[test]
fn a_clock_that_was_mended_is_no_reason_to_refuse_a_dhcpd() {
    let mut talk = Talk::start(100);
    talk.connect();
    assert!(!talk.is_open, "100 s apart");
    talk.look_at_wall_clock(100);
    talk.call();
    assert!(talk.is_open, "the wall clock is right again");
    talk.state(FailoverState::Recover);
    talk.has_told_all(&Message::UpdReqAll);
    let since = talk.heard.iter().rev().find_map(|(_, message)| match message {
        Message::State(state) if state.state == FailoverState::RecoverWait => Some(state.since),
        _ => None,
    });
    assert_eq!(since, Some(WireTime(talk.now.to_wire().0 + 100)), "told by the clock of the dhcpd");
}

/// A dhcpd in RECOVER asks by UPDREQALL, and once more as soon as it hears STATE: that is one loss.
#[test]
fn a_loss_that_is_asked_about_twice_is_one() {
    let mut talk = Talk::start(0);
    talk.connect();
    talk.state(FailoverState::Recover);
    talk.say(None, Message::UpdReqAll);
    talk.say(None, Message::UpdReqAll);
    let told = |talk: &Talk| talk.events.iter().filter(|event| **event == "TDM-2012").count();
    assert_eq!(talk.heard.iter().filter(|(_, message)| *message == Message::UpdDone).count(), 2);
    assert_eq!(told(&talk), 1);
    talk.lose();
    talk.call();
    talk.state(FailoverState::Recover);
    talk.say(None, Message::UpdReqAll);
    assert_eq!(told(&talk), 2, "on another connection it may be another one");
}

/// What was under way when a connection broke off fills the window of a dhcpd until its state changes, and in PARTNER-DOWN it does
/// not change: the transfer goes on only in what it is told to have room for on top of that.
#[test]
fn a_transfer_that_broke_off_gets_room_for_what_is_stuck() {
    let room = |talk: &mut Talk| {
        talk.heard.drain(..).find_map(|(_, message)| match message {
            Message::ConnectAck(answer) => answer.answer.ok().map(|accepted| accepted.max_unacked_bndupd),
            _ => None,
        })
    };
    let mut talk = Talk::start(0);
    talk.connect();
    let usual = room(&mut talk).expect("CONNECTACK");
    talk.state(FailoverState::PartnerDown);
    for times in 2..5 {
        talk.lose();
        talk.call();
        assert_eq!(room(&mut talk), Some(usual * times), "UPDREQALL was not answered");
        talk.state(FailoverState::PartnerDown);
    }
    talk.has_told_all(&Message::UpdReqAll);
    talk.lose();
    talk.call();
    assert_eq!(room(&mut talk), Some(usual * 4), "what is stuck is so still");
    talk.state(FailoverState::PartnerDown);
    talk.has_told_all(&Message::UpdReqAll);
    talk.pass(MCLT + 60);
    talk.state(FailoverState::Normal);
    assert_eq!(talk.view().0, FailoverState::Normal);
    talk.lose();
    talk.call();
    assert_eq!(room(&mut talk), Some(usual), "its state has changed");
}

/// Each opens a connection at the same time, and a primary dhcpd says CONNECT on both: if the second were taken in the place of the
/// first, it would close that one too, for it is connected already.
#[test]
fn of_two_connections_at_once_one_is_enough() {
    let ours = LinkId(2);
    for connected_first in [false, true] {
        let mut talk = Talk::start(0);
        let connected = Input::Link(Link::Connected { link: ours, relationship: CAMPUS });
        if connected_first {
            talk.engine.handle(talk.now, connected, &mut talk.outbox);
            talk.connect();
        } else {
            talk.connect();
            talk.engine.handle(talk.now, connected, &mut talk.outbox);
            talk.hear();
        }
        assert!(!talk.is_open, "ours is closed, when one stands: {connected_first}");
        talk.heard.clear();
        talk.link = ours;
        talk.connect();
        assert!(talk.heard.is_empty(), "{:?}", talk.heard);
        talk.link = LINK;
        talk.state(FailoverState::Recover);
        assert!(talk.engine.endpoints(talk.now)[0].in_contact, "by the one that stood");
    }
}

/// The same where both were opened by the dhcpd, or ours was first: the second CONNECT is told that it is one too many. A connection
/// that has stood for a while may be dead: then the newer one counts.
#[test]
fn a_second_connect_at_once_is_refused_and_a_later_one_is_not() {
    for (later, is_refused) in [(1, true), (10, false)] {
        let mut talk = Talk::start(0);
        let other = LinkId(2);
        let accepted = |talk: &mut Talk| {
            let accepted = Input::Link(Link::Accepted { link: other, relationship: CAMPUS });
            talk.engine.handle(talk.now, accepted, &mut talk.outbox);
        };
        if is_refused {
            // There before the first CONNECT came.
            accepted(&mut talk);
        }
        talk.connect();
        talk.state(FailoverState::Recover);
        talk.pass(later);
        if !is_refused {
            accepted(&mut talk);
        }
        talk.heard.clear();
        talk.link = other;
        talk.connect();
        let answer = talk.heard.iter().find_map(|(_, message)| match message {
            Message::ConnectAck(answer) => Some(answer.answer.as_ref().err().map(|why| why.reason.0)),
            _ => None,
        });
        assert_eq!(answer, Some(is_refused.then_some(7)), "{later} s later");
        talk.link = if is_refused { LINK } else { other };
        talk.state(FailoverState::Recover);
        assert!(talk.engine.endpoints(talk.now)[0].in_contact);
    }
}

/// A dhcpd that still has a lease that is long over, and was freed while nobody could ask it, refuses FREE for ever: RESET it takes.
#[test]
fn what_was_freed_in_partner_down_is_told_as_reset() {
    let mut talk = Talk::normal(10);
    let address = Ipv4Addr::new(10, 0, 0, 25);
    talk.lease(address, 60);
    talk.lose();
    let done = talk.engine.command_partner(talk.now, CAMPUS, Command::PartnerDown, &mut talk.outbox);
    assert_eq!(talk.view().0, FailoverState::PartnerDown, "{done:?}");
    talk.pass(MCLT + 200);
    talk.call();
    talk.state(FailoverState::Recover);
    talk.has_told_all(&Message::UpdReq);
    talk.say(None, Message::UpdReqAll);
    assert!(talk.told().contains(&(address, BindingStatus::Reset)), "{:?}", talk.told());
    talk.acknowledge();
    talk.pass(5);
    talk.heard.clear();
    talk.say(None, Message::UpdReqAll);
    let again: Vec<_> = talk.told().into_iter().filter(|(of, _)| *of == address).collect();
    assert!(!again.contains(&(address, BindingStatus::Reset)), "it agreed: {again:?}");
}

/// It extended a lease, and then took an older word of ours for the end of it (`dialect`: it does not judge). Its client has the later
/// end: that is not after potential-expiration-time, which it keeps.
#[test]
fn an_end_that_it_overwrote_with_ours_is_the_later_one() {
    let mut talk = Talk::normal(10);
    let address = Ipv4Addr::new(10, 0, 0, 25);
    let start = talk.now.to_wire().0;
    talk.lease_since(start, address, [0, 400, 600]);
    assert_eq!(talk.acknowledge(), [], "it knows what it said");
    talk.pass(5);
    talk.lease_since(start, address, [2, 400, 6000]);
    let told = talk.acknowledge();
    let ends: Vec<_> = told.iter().map(|update| update.lease_expiration).collect();
    assert_eq!(ends, [Some(WireTime(start + 6000))], "{told:?}");
    talk.lease_since(start, address, [4, 6400, 9000]);
    assert_eq!(talk.acknowledge(), [], "extended beyond that: its word is whole again");
}

/// A client that asks again a few seconds later has an end a few seconds later: that is a word of its own.
#[test]
fn an_end_shortly_after_ours_is_its_own() {
    for forgot in [false, true] {
        let mut talk = if forgot { Talk::start(0) } else { Talk::normal(10) };
        if forgot {
            talk.connect();
            talk.state(FailoverState::CommunicationsInterrupted);
        }
        let address = Ipv4Addr::new(10, 0, 0, 25);
        let start = talk.now.to_wire().0;
        let renewed = |talk: &mut Talk, heard: u32, potential: u32| {
            talk.lease_since(start, address, [heard, heard + 400, heard + potential]);
        };
        renewed(&mut talk, 0, 600);
        if forgot {
            talk.has_told_all(&Message::UpdReqAll);
        }
        let end = |talk: &Talk| {
            let from = LeaseFilter { from: Some(address), ..LeaseFilter::default() };
            let (views, _) = talk.engine.leases(&from, 1);
            views[0].lease_expiration.to_wire().0 - start
        };
        // A lease of which one that lost its disk fears that it extended it: its end is near that of the next, and was never told.
        let after = if forgot { end(&talk) - 405 } else { 5 };
        assert_eq!(after > 400, forgot);
        talk.pass(after.into());
        renewed(&mut talk, after, if forgot { 900 } else { 600 });
        assert_eq!(end(&talk), if forgot { after + 405 } else { after + 400 });
        renewed(&mut talk, after + 60, 600);
        assert_eq!(end(&talk), after + 460);
        assert_eq!(talk.told(), []);
    }
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

/// Trap T16: a dhcpd frees what its partner agrees to, and one that lost its bindings does not know what it has promised. It agrees
/// to nothing before that is over, and then says so itself.
#[test]
fn who_forgot_does_not_agree_that_a_lease_is_over() {
    let mut talk = Talk::start(0);
    talk.connect();
    talk.state(FailoverState::CommunicationsInterrupted);
    let asked = talk.heard.iter().find(|(_, message)| *message == Message::UpdReqAll).expect("UPDREQALL").0;
    let end = talk.now.to_wire().0 + 100;
    let statuses = [BindingStatus::Active, BindingStatus::Expired, BindingStatus::Released];
    let address = |n: u8| Ipv4Addr::new(10, 0, 0, 10 + n);
    let update = |n: u8, status, end| {
        let mut update = BindingUpdate::new(address(n), status);
        update.hardware = Some(ClientHardware { htype: 1, address: vec![2, 0, 0, 0, 0, n] });
        (update.lease_expiration, update.potential_expiration) = (Some(WireTime(end)), Some(WireTime(end)));
        let heard = Some(WireTime(end - 600));
        (update.start_time_of_state, update.client_last_transaction_time) = (heard, heard);
        update
    };
    let rejections = |talk: &mut Talk| -> Vec<bool> {
        let acks = std::mem::take(&mut talk.heard);
        let acks = acks.into_iter().filter_map(|(_, message)| match message {
            Message::BndAck(acks) => Some(acks),
            _ => None,
        });
        acks.flatten().map(|ack| ack.rejected.is_some()).collect()
    };
    for (n, status) in (0..).zip(statuses) {
        let end = if status == BindingStatus::Active { end } else { end - 200 };
        talk.say(None, Message::BndUpd(vec![update(n, status, end)].into()));
    }
    assert_eq!(rejections(&mut talk), [false, true, true]);
    talk.say(Some(asked), Message::UpdDone);
    talk.pass(200);
    for n in 0..3 {
        talk.say(None, Message::BndUpd(vec![update(n, BindingStatus::Expired, end)].into()));
    }
    assert_eq!(rejections(&mut talk), [true; 3]);
    assert_eq!(talk.told(), [], "what it may have promised is no lease of anybody");
    talk.pass(MCLT + 60);
    talk.state(FailoverState::Normal);
    talk.heard.clear();
    let mut told = Vec::new();
    for _ in 0..600 {
        talk.pass(10);
        told.extend(talk.acknowledge().into_iter().map(|update| (update.address, update.status)));
    }
    // In the order in which the clients were heard last.
    let ends = [1, 0, 2].map(|n| (address(n), BindingStatus::Expired));
    assert_eq!(told, ends, "they are told by who knows them");
}
