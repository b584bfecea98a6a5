//! What the failover drafts ask of a server, said by a partner that does as the test wants: a test for each thing.

#![allow(clippy::expect_used, clippy::panic, reason = "a broken test may stop")]

mod common;
mod link;
mod puppet;

use common::{Client, ip, reservation, seconds};
use dhcp::{HardwareAddress, MessageType};
use engine::config::ReservationKey;
use engine::counter::Counter;
use engine::{Commanded, Link, LinkId, ToPartner};
use failover::balance::Bucket;
use failover::binding::BindingStatus;
use failover::connection::{Opener, Outgoing};
use failover::dialect::Dialect;
use failover::endpoint::Command;
use failover::message::{
    BindingAck, BindingUpdate, ClientHardware, Envelope, Message, RejectReason, Rejection, StateMessage,
};
use failover::state::{FailoverState as S, Role};
use failover::time::{Time, WireTime};
use link::{CAMPUS, MCLT, Pair, parts};
use puppet::{Puppet, updates_in};
use std::net::Ipv4Addr;

/// A lease that the partner gave to a client.
fn leased(address: Ipv4Addr, number: u8, now: Time, length: u64) -> BindingUpdate {
    let mut update = BindingUpdate::new(address, BindingStatus::Active);
    update.hardware = Some(ClientHardware { htype: 1, address: vec![2, 0, 0, 0, 1, number] });
    update.lease_expiration = Some(now.plus(seconds(length)).to_wire());
    update.potential_expiration = Some(now.plus(seconds(2 * length)).to_wire());
    update.start_time_of_state = Some(now.to_wire());
    update.client_last_transaction_time = Some(now.to_wire());
    update
}

fn reasons(acks: &[BindingAck]) -> Vec<Option<u8>> {
    acks.iter().map(|ack| ack.rejected.as_ref().map(|why| why.reason.0)).collect()
}

fn kinds(heard: &[Envelope]) -> Vec<&'static str> {
    heard.iter().map(|envelope| envelope.message.message_type().name()).collect()
}

const FREE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);

/// F07-2.2-03, F07-3.1.3-02, F07-7.1.1-18.
#[test]
fn a_client_waits_for_nobody() {
    for role in [Role::Primary, Role::Secondary] {
        let mut puppet = Puppet::normal(role);
        if role == Role::Secondary {
            let given = BindingUpdate::new(FREE_ADDRESS, BindingStatus::Backup);
            assert_eq!(reasons(&puppet.tell(vec![given])), [None]);
        }
        puppet.obeys = false;
        let from = puppet.heard.len();
        let (_, address) = puppet.bind_one();
        // It has its lease, the partner has been told, and has not answered.
        let told = puppet.updates_since(from);
        assert_eq!((told.len(), told[0].address), (1, address));
        assert_eq!(puppet.view().unacked, 1);
    }
}

/// F07-5.2.1-09, F07-7.1.3-05, F07-7.2-01, F07-9.2-01.
#[test]
fn bndack_and_state_rest_on_what_they_say() {
    let mut puppet = Puppet::normal(Role::Primary);
    let now = puppet.now;
    let message = Message::BndUpd(vec![leased(FREE_ADDRESS, 1, now, 600)].into());
    let sent = puppet.partner.as_mut().expect("a connection").request(message);
    let mut bytes = Vec::new();
    puppet.partner.as_mut().expect("a connection").encode(now, sent, &mut bytes).expect("a message");
    puppet.hand(Link::Received { link: puppet.link, at: now, bytes: &bytes });
    let [at_once, after] = puppet.seal();
    let is = |of: &[ToPartner], what: &str| {
        of.iter().any(|to| matches!(to, ToPartner::Send { outgoing: Outgoing { message, .. }, .. } if message.message_type().name() == what))
    };
    assert!(!is(&at_once, "BNDACK") && is(&after, "BNDACK"), "{at_once:?} {after:?}");
    let restored = puppet.restored();
    assert_eq!(restored, BindingStatus::Active, "and is there after a crash");
    puppet.engine.command_partner(now, CAMPUS, Command::PartnerDown, &mut puppet.outbox);
    let [at_once, after] = puppet.seal();
    assert!(!is(&at_once, "STATE") && is(&after, "STATE"));
}

/// F07-5.4-03.
#[test]
fn what_the_partner_said_is_not_said_back() {
    let mut puppet = Puppet::normal(Role::Primary);
    let (from, now) = (puppet.heard.len(), puppet.now);
    assert_eq!(reasons(&puppet.tell(vec![leased(FREE_ADDRESS, 1, now, 600)])), [None]);
    puppet.pass(seconds(4));
    assert!(puppet.updates_since(from).is_empty());
    assert_eq!((puppet.view().queued, puppet.view().unacked), (0, 0));
}

/// F07-5.9-03, F07-7.8.2-10.
#[test]
fn times_of_the_partner_are_taken_by_the_difference_at_their_receipt() {
    let mut puppet = Puppet::new(Role::Primary);
    puppet.skew = seconds(500);
    let mut puppet = puppet.in_normal();
    let (now, partners) = (puppet.now, puppet.now.plus(seconds(500)));
    assert_eq!(reasons(&puppet.tell(vec![leased(FREE_ADDRESS, 1, partners, 600)])), [None]);
    assert_eq!(puppet.lease(FREE_ADDRESS).lease_expiration, now.plus(seconds(600)));
    assert_eq!(puppet.view().clock_difference, -500);
    // What is read late was not sent late.
    let mut puppet = Puppet::new(Role::Secondary);
    (puppet.skew, puppet.lag) = (seconds(500), seconds(10));
    puppet.connect();
    assert_eq!(puppet.view().clock_difference, -500);
}

/// F07-6.1-08.
#[test]
fn time_and_xid_are_those_of_the_sending() {
    let mut puppet = Puppet::normal(Role::Primary);
    puppet.engine.command_partner(puppet.now, CAMPUS, Command::PartnerDown, &mut puppet.outbox);
    let out = puppet.seal().concat();
    let later = puppet.now.plus(seconds(7));
    let mut times = Vec::new();
    for to in out {
        if let ToPartner::Send { link, outgoing } = to {
            let mut bytes = Vec::new();
            puppet.engine.encode(later, link, outgoing, &mut bytes).expect("our own message");
            times.extend(bytes[4..8].first_chunk::<4>().map(|time| u32::from_be_bytes(*time)));
        }
    }
    assert_eq!(times.first(), Some(&later.to_wire().0));
}

/// Two clients of a server that is the primary in NORMAL, and what it said of them.
struct Told {
    puppet: Puppet,
    /// Without client-identifier, with host name and option 82.
    plain: (Client, Ipv4Addr, u32),
    /// With one.
    identified: (Client, Ipv4Addr),
    start: Time,
}

impl Told {
    fn new() -> Told {
        let mut puppet = Puppet::normal(Role::Primary);
        let start = puppet.now;
        let serves = |puppet: &mut Puppet, client: &Client| puppet.discover(client).is_some();
        let mut plain =
            (1..=50).map(Client::new).find(|client| serves(&mut puppet, client)).expect("one of ours");
        (plain.host_name, plain.relay_information) = (Some("host"), Some(vec![1, 1, 7]));
        let (address, lease) = puppet.bind(&plain).expect("a lease");
        let with = |n| Client { identifier: Some(vec![0, n]), ..plain.clone() };
        let identified = (0..=255).map(with).find(|client| serves(&mut puppet, client)).expect("one of ours");
        let (second, _) = puppet.bind(&identified).expect("a lease");
        Told { puppet, plain: (plain, address, lease), identified: (identified, second), start }
    }

    /// The last word about an address with this status.
    fn last(&self, address: Ipv4Addr, status: BindingStatus) -> BindingUpdate {
        let all = self.puppet.updates_since(0).into_iter().rev();
        all.into_iter()
            .find(|update| (update.address, update.status) == (address, status))
            .expect("it was told")
    }
}

/// F07-5.10-02, -05, F07-7.1-01, -04, F07-7.1.1-05, -06, -08 to -11, -13 to -15, F07-7.1.3-03, -04, F07-12.4-01,
/// F07-12.8-01, F07-12.24-01.
#[test]
fn each_status_is_told_with_what_belongs_to_it() {
    let mut told = Told::new();
    let ((mut client, address, lease), (known, second)) = (told.plain.clone(), told.identified.clone());
    let start = told.start;
    let active = told.last(address, BindingStatus::Active);
    let hardware = Some(ClientHardware { htype: 1, address: client.hardware.as_bytes().to_vec() });
    assert_eq!((&active.hardware, &active.client_identifier), (&hardware, &None));
    assert_eq!(active.lease_expiration, Some(start.plus(seconds(lease.into())).to_wire()));
    let potential = start.plus(seconds(3600 + u64::from(lease) / 2));
    assert_eq!(active.potential_expiration, Some(potential.to_wire()));
    assert_eq!(active.start_time_of_state, Some(start.to_wire()));
    assert_eq!(active.client_last_transaction_time, Some(start.to_wire()));
    let options = active.request_options.expect("options of the request");
    let expected: [u8; 11] = [12, 4, b'h', b'o', b's', b't', 82, 3, 1, 1, 7];
    assert_eq!((options.magic, &options.options[..]), ([99, 130, 83, 99], &expected[..]));
    assert_eq!((active.ddns, active.reply_options), (None, None));
    let identified = told.last(second, BindingStatus::Active);
    assert_eq!((&identified.client_identifier, &identified.hardware), (&known.identifier, &hardware));
    // Renewed later: heard since, ACTIVE for as long as before.
    let puppet = &mut told.puppet;
    puppet.pass(seconds(100));
    client.source = address;
    let renewal = client.message(MessageType::Request, address, &[]);
    assert!(puppet.ask(&client, &renewal).is_some());
    let clients_end = puppet.lease(address).lease_expiration.to_wire();
    let renewed = told.last(address, BindingStatus::Active);
    assert_eq!(renewed.start_time_of_state, Some(start.to_wire()));
    assert_eq!(renewed.client_last_transaction_time, Some(start.plus(seconds(100)).to_wire()));
    assert_eq!(renewed.lease_expiration, Some(clients_end));
    assert!(renewed.potential_expiration > renewed.lease_expiration);
}

/// F07-7.1-01, F07-7.1.3-03, -04.
#[test]
fn what_ended_is_told_without_times_of_a_lease_and_with_the_clients_last_word() {
    let mut told = Told::new();
    let ((client, address, _), (known, second)) = (told.plain.clone(), told.identified.clone());
    told.puppet.pass(seconds(100));
    told.puppet.give_back(&client, MessageType::Release, address);
    told.puppet.pass(seconds(3 * MCLT));
    // Nobody is heard when a lease expires.
    for (address, status, heard, identifier) in [
        (address, BindingStatus::Released, told.start.plus(seconds(100)), None),
        (second, BindingStatus::Expired, told.start, known.identifier.clone()),
    ] {
        let ended = told.last(address, status);
        assert_eq!((ended.lease_expiration, ended.potential_expiration), (None, None), "{status}");
        assert_eq!((ended.hardware.is_some(), ended.client_identifier), (true, identifier), "{status}");
        assert!(ended.start_time_of_state >= Some(told.start.plus(seconds(100)).to_wire()), "{status}");
        let word = ended.client_last_transaction_time.expect("a time");
        assert!(word.0.abs_diff(heard.to_wire().0) <= 1, "{status}");
        assert_eq!((ended.request_options.is_some(), ended.ddns), (true, None), "{status}");
    }
    // An address that was given is one that nobody had.
    let given = told
        .puppet
        .updates_since(0)
        .into_iter()
        .find(|update| update.status == BindingStatus::Backup && update.hardware.is_none());
    let given = given.expect("some were given");
    let times = (given.client_last_transaction_time, given.lease_expiration, given.potential_expiration);
    assert_eq!((times, given.request_options), ((None, None, None), None));
    assert!(given.start_time_of_state.is_some());
}

/// F07-5.10-05, F07-7.1-01.
#[test]
fn an_abandoned_address_names_nobody_and_is_reset_in_the_end() {
    let mut told = Told::new();
    let (client, address, _) = told.plain.clone();
    told.puppet.give_back(&client, MessageType::Decline, address);
    told.puppet.pass(seconds(6 * 3600));
    for status in [BindingStatus::Abandoned, BindingStatus::Reset] {
        let declined = told.last(address, status);
        let client = (declined.hardware, declined.client_identifier, declined.client_last_transaction_time);
        assert_eq!(client, (None, None, None), "{status}");
        assert_eq!((declined.potential_expiration, declined.request_options), (None, None), "{status}");
    }
}

/// F07-7.1.4-01.
#[test]
fn host_name_and_option_82_are_saved_by_the_partner() {
    let mut pair = Pair::normal(3600);
    let mut client = Client::new(1);
    (client.host_name, client.relay_information) = (Some("printer"), Some(vec![1, 1, 7]));
    let (n, address, _) = pair.bind(&client).expect("an address");
    let there = pair.lease(1 - n, address);
    assert_eq!((&there.host_name[..], &there.relay_agent_information[..]), (&b"printer"[..], &[1, 1, 7][..]));
}

/// F07-5.12-02, -03, D12-7.1.1-01.
#[test]
fn a_reserved_address_is_free_again_and_told_as_reserved() {
    let mut with = parts(Role::Primary, 3600);
    let hardware = HardwareAddress::ethernet([2, 0, 0, 0, 0, 1]);
    with.relationships[0].split = 256;
    with.shared_networks[0].subnets[0]
        .reservations
        .push(reservation(ReservationKey::Hardware(hardware), "10.0.0.15"));
    let mut puppet = Puppet::of(with).in_normal();
    let from = puppet.heard.len();
    let client = Client::new(1);
    let (address, _) = puppet.bind(&client).expect("a lease");
    assert_eq!(address, ip("10.0.0.15"));
    puppet.give_back(&client, MessageType::Release, address);
    puppet.pass(seconds(120));
    let told = puppet.updates_since(from);
    let of_it: Vec<_> = told.iter().filter(|update| update.address == address).collect();
    assert!(!of_it.is_empty() && of_it.iter().all(|update| update.flags.reserved && !update.flags.bootp));
    assert!(told.iter().any(|update| update.address != address && !update.flags.reserved));
    assert_eq!(puppet.lease(address).status, BindingStatus::Free, "and it is not given away");
    assert_eq!(puppet.discover(&client), Some(address));
}

/// F07-6.3-01, -02, -05, -06, -08, -09, F07-7.2-05, -06.
#[test]
fn several_changes_are_told_and_answered_together() {
    let mut puppet = Puppet::normal(Role::Primary);
    let now = puppet.now;
    let nowhere = ip("10.9.9.9");
    let mut nobody = leased(ip("10.0.0.12"), 3, now, 600);
    nobody.hardware = None;
    let updates = vec![leased(FREE_ADDRESS, 1, now, 600), leased(nowhere, 2, now, 600), nobody];
    let from = puppet.heard.len();
    let acks = puppet.tell(updates);
    let addresses: Vec<_> = acks.iter().map(|ack| ack.address).collect();
    assert_eq!(addresses, [FREE_ADDRESS, nowhere, ip("10.0.0.12")]);
    assert_eq!(reasons(&acks), [None, Some(1), Some(3)]);
    assert_eq!(kinds(&puppet.heard[from..]), ["BNDACK"], "one, and at once");
    assert_eq!(puppet.lease(FREE_ADDRESS).status, BindingStatus::Active);
    assert_eq!(puppet.lease(ip("10.0.0.12")).status, BindingStatus::Free);
    // What waited for a connection goes together too.
    puppet.lose();
    for number in 20..=26 {
        assert!(puppet.bind(&Client::new(number)).is_some());
    }
    let from = puppet.heard.len();
    puppet.connect();
    puppet.state(S::CommunicationsInterrupted);
    let told = puppet.bndupds_since(from);
    assert!(told.iter().any(|bndupd| updates_in(bndupd).len() >= 7), "{}", told.len());
}

/// F07-6.3-07.
#[test]
fn acks_in_any_order_are_understood() {
    let mut puppet = Puppet::normal(Role::Primary);
    puppet.lose();
    for number in 20..=26 {
        assert!(puppet.bind(&Client::new(number)).is_some());
    }
    puppet.obeys = false;
    let from = puppet.heard.len();
    puppet.connect();
    puppet.state(S::CommunicationsInterrupted);
    for bndupd in puppet.bndupds_since(from) {
        let acks =
            updates_in(&bndupd).iter().rev().map(|update| BindingAck::accepted(update.address)).collect();
        puppet.reply(bndupd.xid, Message::BndAck(acks));
    }
    assert_eq!((puppet.view().queued, puppet.view().unacked), (0, 0));
}

/// F07-6.1-13, F07-7.2-08, F07-8.1-01, F07-8.6-02.
#[test]
fn an_answer_dies_with_its_connection() {
    let mut puppet = Puppet::normal(Role::Primary);
    let now = puppet.now;
    let sent = puppet
        .partner
        .as_mut()
        .expect("a connection")
        .request(Message::BndUpd(vec![leased(FREE_ADDRESS, 1, now, 600)].into()));
    let mut bytes = Vec::new();
    puppet.partner.as_mut().expect("a connection").encode(now, sent, &mut bytes).expect("a message");
    let old = puppet.link;
    puppet.hand(Link::Received { link: old, at: now, bytes: &bytes });
    let held = puppet.seal().concat();
    assert!(!held.is_empty());
    puppet.lose();
    puppet.connect();
    assert_ne!(puppet.link, old);
    for to in held {
        let ToPartner::Send { link, outgoing } = to else { continue };
        let mut out = Vec::new();
        puppet.engine.encode(puppet.now, link, outgoing, &mut out).expect("our own message");
        assert!((link, out.len()) == (old, 0), "nothing goes, and nowhere else");
    }
    assert!(!kinds(&puppet.heard).contains(&"BNDACK"));
    // A connection that is complete takes the place of one whose end was not seen.
    let before = puppet.link;
    puppet.open(Opener::Partner);
    assert!(puppet.closed.contains(&before) && !puppet.closed.contains(&puppet.link));
    puppet.state(S::CommunicationsInterrupted);
    assert!(puppet.view().in_contact);
}

/// F07-7.1.1-07, F07-7.1.5-01.
#[test]
fn what_was_promised_untold_is_waited_for_after_a_restart() {
    let mut puppet = Puppet::normal(Role::Primary);
    puppet.obeys = false;
    let from = puppet.heard.len();
    let (_, address) = puppet.bind_one();
    let potential = puppet.updates_since(from)[0].potential_expiration.expect("a time");
    assert_eq!(puppet.view().unacked, 1, "it was sent, and never acknowledged");
    puppet.lose();
    puppet.start();
    puppet.pass(seconds(70));
    puppet.engine.command_partner(puppet.now, CAMPUS, Command::PartnerDown, &mut puppet.outbox);
    puppet.settle();
    let wait = u64::from(potential.0) + MCLT - puppet.now.as_seconds();
    puppet.pass(seconds(wait));
    assert_eq!(puppet.lease(address).status, BindingStatus::Expired);
    puppet.pass(seconds(60));
    assert_eq!(puppet.lease(address).status, BindingStatus::Free);
}

/// F07-5.2.1-08, F07-7.1.5-01.
#[test]
fn what_was_agreed_is_known_after_a_restart() {
    for agrees in [true, false] {
        let mut puppet = Puppet::normal(Role::Primary);
        puppet.obeys = agrees;
        let (mut client, address) = puppet.bind_one();
        puppet.lose();
        puppet.start();
        puppet.pass(seconds(70));
        client.source = address;
        let renewal = client.message(MessageType::Request, address, &[]);
        let ack = puppet.ask(&client, &renewal).expect("an answer");
        assert_eq!(u64::from(ack.lease()) > MCLT, agrees, "{}", ack.lease());
    }
}

/// F07-5.10-14, F07-9.4.2-05, -07.
#[test]
fn what_ends_in_partner_down_is_free_after_the_wait_and_new_leases_keep_the_limit() {
    let mut pair = Pair::normal(3600);
    let client = Client::new(1);
    let (n, address, _) = pair.bind(&client).expect("an address");
    // The partner was told of a potential end an hour and five minutes ahead.
    let potential = pair.now.plus(seconds(3600 + MCLT / 2));
    pair.kill(1 - n);
    assert_eq!(pair.command(n, Command::PartnerDown), Commanded::Done(S::PartnerDown));
    pair.release(&client, n, address);
    assert_eq!(pair.lease(n, address).status, BindingStatus::Released);
    let (other, got, lease) = pair.bind(&Client::new(2)).expect("an address");
    assert_eq!((other, u64::from(lease)), (n, MCLT), "nobody acknowledges anything here");
    assert_ne!(got, address);
    pair.pass(potential.plus(seconds(MCLT)).since(pair.now));
    assert_eq!(pair.lease(n, address).status, BindingStatus::Released);
    pair.pass(seconds(60));
    assert_eq!(pair.lease(n, address).status, BindingStatus::Free);
}

/// F07-7.1.2-01.
#[test]
fn updates_are_judged_in_every_state() {
    let mut puppet = Puppet::normal(Role::Primary);
    let (_, address) = puppet.bind_one();
    let (now, length) = (puppet.now, 600);
    let theirs = leased(address, 77, now.plus(seconds(1)), length);
    let judged = |puppet: &mut Puppet, state| {
        assert_eq!(puppet.view().state, state);
        assert_eq!(reasons(&puppet.tell(vec![theirs.clone()])), [Some(2)], "{state}");
    };
    judged(&mut puppet, S::Normal);
    puppet.state(S::Recover);
    judged(&mut puppet, S::CommunicationsInterrupted);
    puppet.engine.command_partner(puppet.now, CAMPUS, Command::PartnerDown, &mut puppet.outbox);
    puppet.settle();
    judged(&mut puppet, S::PartnerDown);
    puppet.obeys = false;
    puppet.state(S::PartnerDown);
    judged(&mut puppet, S::PotentialConflict);
}

/// F07-7.2.1-08, F07-7.2.2-03 to -05.
#[test]
fn a_refused_update_is_said_again_but_not_at_once() {
    let mut puppet = Puppet::normal(Role::Primary);
    puppet.obeys = false;
    let from = puppet.heard.len();
    puppet.bind_one();
    let bndupds = |puppet: &Puppet| puppet.bndupds_since(from).len();
    let first = puppet.bndupds_since(from).remove(0);
    let address = updates_in(&first)[0].address;
    let why = Rejection::saying(RejectReason::OUTDATED_BINDING_INFORMATION, "we know better".to_owned());
    puppet.reply(first.xid, Message::BndAck(vec![BindingAck { address, rejected: Some(why) }]));
    assert!(puppet.events.iter().any(|event| event.contains("we know better")), "{:?}", puppet.events);
    let again = |puppet: &Puppet| {
        puppet.updates_since(from).iter().filter(|update| update.address == address).count()
    };
    puppet.pass(seconds(3));
    assert_eq!((bndupds(&puppet), again(&puppet)), (1, 1));
    puppet.obeys = true;
    puppet.pass(seconds(26));
    assert_eq!(again(&puppet), 1);
    puppet.pass(seconds(2));
    assert_eq!(again(&puppet), 2);
}

/// F07-7.3-01, F07-9.6.1-01.
#[test]
fn what_was_not_acknowledged_is_said_again_and_the_rest_is_not() {
    for restarts in [false, true] {
        let mut puppet = Puppet::normal(Role::Primary);
        let (_, known) = puppet.bind_one();
        puppet.obeys = false;
        let (_, unknown) = puppet.bind_one();
        puppet.obeys = true;
        puppet.lose();
        if restarts {
            puppet.start();
        }
        let from = puppet.heard.len();
        puppet.connect();
        puppet.state(S::CommunicationsInterrupted);
        assert_eq!(puppet.view().state, S::Normal);
        let told: Vec<_> = puppet.updates_since(from).iter().map(|update| update.address).collect();
        assert!(told.contains(&unknown) && !told.contains(&known), "{told:?}");
    }
}

/// F07-7.3.2-01 to -03, -05, F07-7.5-01, -02, F07-7.5.1-01.
#[test]
fn updreq_is_answered_when_all_that_was_there_is() {
    let mut puppet = Puppet::normal(Role::Primary);
    puppet.lose();
    let held: Vec<_> = (20..=24).filter_map(|number| puppet.bind(&Client::new(number))).collect();
    assert_eq!(held.len(), 5);
    puppet.obeys = false;
    puppet.connect();
    let from = puppet.heard.len();
    // Not heard yet: nothing goes before the partner's STATE.
    puppet.state(S::CommunicationsInterrupted);
    puppet.say(Message::UpdReq);
    let asked = puppet.bndupds_since(from);
    assert_eq!(asked.iter().map(|bndupd| updates_in(bndupd).len()).sum::<usize>(), 5);
    // A change since then is told too, and does not count.
    let (_, later) = puppet.bind_one();
    assert_eq!(puppet.updates_since(from).last().map(|update| update.address), Some(later));
    let done = |puppet: &Puppet| kinds(&puppet.heard[from..]).contains(&"UPDDONE");
    for (at, bndupd) in asked.iter().enumerate() {
        assert!(!done(&puppet), "before answer {at}");
        // A refusal is an answer too.
        puppet.reject(bndupd, RejectReason::OUTDATED_BINDING_INFORMATION);
    }
    assert!(done(&puppet));
    let upddone =
        puppet.heard[from..].iter().find(|envelope| envelope.message == Message::UpdDone).expect("UPDDONE");
    // The partner's CONNECTACK, STATEs and UPDREQ: the last of them asked.
    assert!(upddone.xid.0 >= 2);
    assert!(puppet.partner.is_some());
}

/// F07-7.4.2-01, D12-5.16-04, D12-7.4.2-01.
#[test]
fn updreqall_brings_everything_that_is_not_plainly_free() {
    let mut puppet = Puppet::normal(Role::Primary);
    puppet.pass(seconds(30));
    let (_, address) = puppet.bind_one();
    let backup = puppet.leases().iter().filter(|lease| lease.status == BindingStatus::Backup).count();
    assert_eq!((backup, puppet.view().unacked), (10, 0));
    let all = |puppet: &Puppet, from| {
        let told = puppet.updates_since(from);
        let of = |status| told.iter().filter(|update| update.status == status).count();
        assert!(told.iter().any(|update| update.address == address));
        (of(BindingStatus::Backup), of(BindingStatus::Free), told.len())
    };
    let from = puppet.heard.len();
    puppet.obeys = false;
    puppet.say(Message::UpdReqAll);
    assert_eq!(all(&puppet, from), (10, 0, 11));
    // It breaks off; then a plain UPDREQ is for everything too, until UPDDONE.
    puppet.lose();
    puppet.obeys = true;
    puppet.connect();
    puppet.state(S::CommunicationsInterrupted);
    let from = puppet.heard.len();
    puppet.say(Message::UpdReq);
    assert!(all(&puppet, from).2 >= 11);
    assert!(kinds(&puppet.heard[from..]).contains(&"UPDDONE"));
    let from = puppet.heard.len();
    puppet.say(Message::UpdReq);
    assert_eq!(kinds(&puppet.heard[from..]), ["UPDDONE"], "and nothing after it");
}

/// F07-7.6-01, F07-7.6.2-01, -02, -04, F07-7.7-02, F07-9.6.1-02, D12-5.4-02, -03.
#[test]
fn poolreq_is_answered_with_a_count_and_bndupds() {
    let mut puppet = Puppet::normal(Role::Primary);
    puppet.obeys = false;
    let from = puppet.heard.len();
    puppet.say(Message::PoolReq);
    let count = puppet.heard[from..].iter().find_map(|envelope| match envelope.message {
        Message::PoolResp { addresses_transferred } => Some(addresses_transferred),
        _ => None,
    });
    assert_eq!(count, Some(10));
    let given: Vec<_> = puppet
        .updates_since(from)
        .into_iter()
        .filter(|update| update.status == BindingStatus::Backup)
        .collect();
    assert_eq!(given.len(), 10);
    // None of them is given to a client, although no BNDACK has come.
    let got: Vec<_> =
        (1..=60).filter_map(|number| puppet.bind(&Client::new(number))).map(|(address, _)| address).collect();
    assert!(
        !got.is_empty() && got.iter().all(|address| given.iter().all(|update| update.address != *address))
    );
    // With nothing to give the count is 0.
    let from = puppet.heard.len();
    puppet.say(Message::PoolReq);
    assert!(
        puppet.heard[from..]
            .iter()
            .any(|envelope| envelope.message == Message::PoolResp { addresses_transferred: 0 })
    );
    // A secondary asks when it enters NORMAL, after what it has to tell.
    let mut puppet = Puppet::normal(Role::Secondary);
    assert!(kinds(&puppet.heard).contains(&"POOLREQ"));
    let given = BindingUpdate::new(FREE_ADDRESS, BindingStatus::Backup);
    puppet.tell(vec![given]);
    puppet.lose();
    puppet.bind_one();
    let from = puppet.heard.len();
    puppet.connect();
    puppet.state(S::CommunicationsInterrupted);
    let order = kinds(&puppet.heard[from..]);
    let place = |kind| order.iter().position(|said| *said == kind);
    assert!(place("BNDUPD").is_some() && place("BNDUPD") < place("POOLREQ"), "{order:?}");
}

/// D12-5.4-08.
#[test]
fn addresses_go_first_to_the_server_of_their_last_client() {
    let mut puppet = Puppet::normal(Role::Primary);
    // While the partner is away this server serves all clients.
    puppet.lose();
    let held: Vec<_> = (20..30).map(Client::new).map(|client| (puppet.bind(&client), client)).collect();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for (lease, client) in held {
        let (address, _) = lease.expect("an address");
        puppet.give_back(&client, MessageType::Release, address);
        let bucket = Bucket::of_client(Dialect::Draft12, None, 1, client.hardware.as_bytes());
        if bucket.0 < 128 { ours.push(address) } else { theirs.push(address) }
    }
    assert!(!ours.is_empty() && !theirs.is_empty());
    puppet.connect();
    puppet.state(S::CommunicationsInterrupted);
    puppet.state(S::Normal);
    let from = puppet.heard.len();
    puppet.say(Message::PoolReq);
    let given: Vec<_> = puppet.updates_since(from).iter().map(|update| update.address).collect();
    assert_eq!(given.len(), 10);
    assert_eq!(
        given.iter().take(theirs.len()).filter(|address| theirs.contains(address)).count(),
        theirs.len()
    );
    assert!(!given.iter().any(|address| ours.contains(address)), "{given:?} {ours:?}");
}

/// F07-7.6-03.
#[test]
fn a_secondary_that_is_short_asks_again() {
    let mut puppet = Puppet::normal(Role::Secondary);
    let from = puppet.heard.len();
    puppet.pass(seconds(65));
    let asked = kinds(&puppet.heard[from..]).iter().filter(|kind| **kind == "POOLREQ").count();
    assert!((2..=3).contains(&asked), "{asked}");
}

/// F07-7.6.2-06.
#[test]
fn a_primary_that_sends_poolreq_gets_no_answer_and_is_counted() {
    let mut puppet = Puppet::normal(Role::Secondary);
    let from = puppet.heard.len();
    puppet.say(Message::PoolReq);
    assert!(!kinds(&puppet.heard[from..]).contains(&"POOLRESP"));
    assert_eq!(puppet.engine.counters().get(Counter::PoolreqUnexpected), 1);
    assert_eq!(puppet.view().state, S::Normal);
}

/// F07-7.9.1-13, F07-7.10-01, -02.
#[test]
fn state_follows_connectack_and_each_change() {
    let mut puppet = Puppet::new(Role::Secondary);
    puppet.connect();
    assert_eq!(kinds(&puppet.heard), ["CONNECTACK", "STATE"]);
    let mut puppet = Puppet::new(Role::Primary);
    puppet.connect();
    assert_eq!(kinds(&puppet.heard)[..2], ["CONNECT", "STATE"]);
    let mut puppet = puppet.in_normal();
    let from = puppet.heard.len();
    puppet.engine.command_partner(puppet.now, CAMPUS, Command::PartnerDown, &mut puppet.outbox);
    puppet.settle();
    assert!(puppet.heard[from..].iter().any(|envelope| matches!(
        envelope.message,
        Message::State(StateMessage { state: S::PartnerDown, startup: false, .. })
    )));
}

/// F07-7.9.2-03, F07-7.12.2-01, F07-11.1-07.
#[test]
fn people_hear_why_a_connection_ended() {
    let heard = |puppet: &Puppet, text: &str| puppet.events.iter().any(|event| event.contains(text));
    let mut puppet = Puppet::normal(Role::Primary);
    puppet.say(Message::Disconnect(Rejection::saying(RejectReason::UNKNOWN, "tired of it".to_owned())));
    assert!(heard(&puppet, "tired of it"), "{:?}", puppet.events);
    // A rejection, in the partner's words.
    let mut puppet = Puppet::new(Role::Primary);
    puppet.settings.partner = failover::message::Relationship::Name(
        failover::message::RelationshipName::new(b"other").expect("a name"),
    );
    puppet.is_there = true;
    puppet.pass(seconds(10));
    assert!(heard(&puppet, "set the same `name` on both servers"), "{:?}", puppet.events);
    // Another secret.
    let mut with = parts(Role::Primary, 3600);
    with.relationships[0].secret = failover::digest::Secret::new(b"ours".to_vec());
    let mut puppet = Puppet::of(with).in_normal();
    let mut bytes = Vec::new();
    let codec = failover::message::Codec::new(Dialect::Draft12, ip("10.0.0.9"));
    let codec = codec.with_secret(failover::digest::Secret::new(b"theirs".to_vec()));
    let envelope =
        Envelope { time: WireTime(1), xid: failover::message::Xid(900), message: Message::Contact };
    codec.encode(&envelope, &mut bytes).expect("a message");
    puppet.hand(Link::Received { link: puppet.link, at: puppet.now, bytes: &bytes });
    puppet.settle();
    assert!(heard(&puppet, "different secrets"), "{:?}", puppet.events);
}

/// D12-8.2-04.
#[test]
fn a_stimulus_makes_the_primary_connect() {
    let mut puppet = Puppet::new(Role::Primary);
    // Nobody was there; the next attempt is some seconds away.
    puppet.seal();
    puppet.hand(Link::Accepted { link: LinkId(77), relationship: CAMPUS });
    let out = puppet.seal().concat();
    assert!(out.iter().any(|to| matches!(to, ToPartner::Connect { .. })), "{out:?}");
    assert!(!out.iter().any(|to| matches!(to, ToPartner::Send { .. })), "no CONNECT on that one");
}

/// F07-9.2-08, D12-9.2-01.
#[test]
fn who_is_not_answered_is_not_remembered() {
    let mut puppet = Puppet::normal(Role::Primary);
    let before = format!("{:?}", puppet.engine.essence());
    let silent: Vec<u8> = (1..=50)
        .filter(|number| {
            let before = format!("{:?}", puppet.engine.essence());
            let mut client = Client::new(*number);
            client.host_name = Some("unheard");
            let answered = puppet.discover(&client).is_some();
            assert_eq!(answered, format!("{:?}", puppet.engine.essence()) != before, "client {number}");
            !answered
        })
        .collect();
    assert!(silent.len() > 10 && silent.len() < 40, "{}", silent.len());
    // In a state that answers nobody, of no client.
    let mut recovering = Puppet::new(Role::Primary);
    recovering.pass(seconds(100));
    assert_ne!(format!("{:?}", recovering.engine.essence()), before);
    let before = format!("{:?}", recovering.engine.essence());
    assert!((1..=50).all(|number| recovering.discover(&Client::new(number)).is_none()));
    assert_eq!(format!("{:?}", recovering.engine.essence()), before);
}

/// F07-5.2.2-03.
#[test]
fn the_same_client_again_only_while_nothing_was_said() {
    let mut puppet = Puppet::normal(Role::Primary);
    let (client, address) = puppet.bind_one();
    puppet.lose();
    puppet.give_back(&client, MessageType::Release, address);
    assert_eq!(puppet.bind(&client).map(|(address, _)| address), Some(address), "nothing was said of it");
    // Said and not answered: the partner may have agreed.
    puppet.give_back(&client, MessageType::Release, address);
    puppet.obeys = false;
    puppet.connect();
    puppet.state(S::CommunicationsInterrupted);
    assert_eq!((puppet.lease(address).status, puppet.view().unacked), (BindingStatus::Released, 1));
    assert_ne!(puppet.discover(&client), Some(address));
    puppet.lose();
    assert_ne!(puppet.discover(&client), Some(address), "nor when the answer is lost");
    puppet.start();
    puppet.pass(seconds(70));
    assert_ne!(puppet.discover(&client), Some(address), "nor after a restart");
}

/// D12-5.4-07.
#[test]
fn an_address_that_is_asked_back_stays_with_whom_it_was_leased_to() {
    let mut puppet = Puppet::normal(Role::Secondary);
    puppet.tell(vec![
        BindingUpdate::new(FREE_ADDRESS, BindingStatus::Backup),
        BindingUpdate::new(ip("10.0.0.11"), BindingStatus::Backup),
    ]);
    puppet.obeys = false;
    let (_, address) = puppet.bind_one();
    let back = |address| BindingUpdate::new(address, BindingStatus::Free);
    let other = if address == FREE_ADDRESS { ip("10.0.0.11") } else { FREE_ADDRESS };
    let acks = puppet.tell(vec![back(address), back(other)]);
    assert_eq!(reasons(&acks), [Some(15), None]);
    assert_eq!(
        (puppet.lease(address).status, puppet.lease(other).status),
        (BindingStatus::Active, BindingStatus::Free)
    );
}
