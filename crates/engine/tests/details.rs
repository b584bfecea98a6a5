//! What clients, relays and a partner say along with a binding: kept, shown, passed on.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a broken test may stop")]

mod common;
mod link;
mod puppet;

use common::{Client, seconds};
use dhcp::{MessageType, code};
use engine::{LeaseView, record};
use failover::binding::BindingStatus;
use failover::message::{BindingUpdate, ClientHardware, ClientOptions, Ddns, Message};
use failover::state::{FailoverState, Role};
use failover::time::Time;
use link::{MCLT, Pair};
use puppet::Puppet;
use std::net::Ipv4Addr;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);
const DHCP: [u8; 4] = [99, 130, 83, 99];

/// What a client says of itself in each message.
const SAID: [(u8, &[u8]); 5] = [
    (code::HOST_NAME, b"laptop"),
    (code::VENDOR_CLASS_IDENTIFIER, b"MSFT 5.0"),
    (code::USER_CLASS, b"\x05staff"),
    (code::CLIENT_FQDN, b"\x04\0\0\x06laptop\x07example\0"),
    (code::SUBNET_SELECTION, &[10, 0, 0, 0]),
];

/// And what its relay says of it.
const RELAY: &[u8] = &[1, 2, 0, 7];

fn said_of(lease: &LeaseView) -> [&[u8]; 6] {
    [
        &lease.host_name,
        &lease.vendor_class,
        &lease.user_class,
        &lease.client_fqdn,
        &lease.subnet_selection,
        &lease.relay_agent_information,
    ]
}

/// F07-7.1.1-14, -15, F07-5.11.2-11, F07-7.1.4-01.
#[test]
fn what_a_client_said_is_known_to_both_and_comes_back_to_one_that_lost_its_disk() {
    let mut pair = Pair::normal(7200);
    let mut client = Client::new(1);
    client.relay_information = Some(RELAY.to_vec());
    let discover = client.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &SAID);
    let (n, offer) = pair.send(&client, None, &discover).into_iter().next().expect("an offer");
    let (address, server) = (offer.yiaddr(), pair.nodes[n].address.octets());
    let asked = address.octets();
    let mut options = SAID.to_vec();
    options.extend([(code::REQUESTED_ADDRESS, &asked[..]), (code::SERVER_IDENTIFIER, &server[..])]);
    let request = client.message(MessageType::Request, Ipv4Addr::UNSPECIFIED, &options);
    assert_eq!(pair.send(&client, None, &request).len(), 1);
    pair.pass(seconds(2));
    let mut expected = [RELAY; 6];
    expected[..5].copy_from_slice(&SAID.map(|(_, value)| value));
    for node in [0, 1] {
        assert_eq!(said_of(&pair.lease(node, address)), expected, "node {node}");
    }
    pair.kill(n);
    pair.lose_disk(n);
    pair.start(n);
    pair.pass(seconds(2 * MCLT));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
    assert_eq!(said_of(&pair.lease(n, address)), expected, "it is told of a lease that it gave itself");
}

fn leased(client: &Client, now: Time) -> BindingUpdate {
    let mut update = BindingUpdate::new(ADDRESS, BindingStatus::Active);
    update.hardware = Some(ClientHardware { htype: 1, address: client.hardware.as_bytes().to_vec() });
    update.lease_expiration = Some(now.plus(seconds(600)).to_wire());
    update.potential_expiration = Some(now.plus(seconds(1200)).to_wire());
    update.start_time_of_state = Some(now.to_wire());
    update.client_last_transaction_time = Some(now.to_wire());
    update
}

fn in_dns() -> Ddns {
    Ddns {
        name_done: true,
        controls_name: true,
        address_done: false,
        controls_address: true,
        name: b"\x06laptop\x07example\0".to_vec(),
    }
}

fn answered() -> ClientOptions {
    ClientOptions { magic: DHCP, options: vec![58, 4, 0, 0, 1, 44] }
}

/// What is told of the address to a partner that has forgotten it.
fn passed_on(puppet: &mut Puppet) -> BindingUpdate {
    let from = puppet.heard.len();
    puppet.say(Message::UpdReqAll);
    puppet.pass(seconds(1));
    let told = puppet.updates_since(from);
    told.into_iter().find(|update| update.address == ADDRESS).expect("it is told")
}

/// F07-5.11-03, F07-5.11.2-03, -04, F07-7.1-04.
#[test]
fn what_the_partner_did_in_dns_is_kept_and_told_back_and_people_are_warned_once() {
    let mut puppet = Puppet::normal(Role::Primary);
    let client = Client::new(1);
    let warned =
        |puppet: &Puppet| puppet.events.iter().filter(|event| event.contains("makes DNS updates")).count();
    let mut update = leased(&client, puppet.now);
    assert!(puppet.tell(vec![update.clone()])[0].rejected.is_none());
    assert_eq!((warned(&puppet), puppet.lease(ADDRESS).ddns), (0, None));
    // DNS has answered: the same word of the client, and more to say of it.
    (update.ddns, update.reply_options) = (Some(in_dns()), Some(answered()));
    puppet.tell(vec![update.clone()]);
    puppet.tell(vec![update.clone()]);
    assert_eq!(warned(&puppet), 1);
    let bytes = [&DHCP[..], &answered().options].concat();
    let known = |puppet: &Puppet| {
        let lease = puppet.lease(ADDRESS);
        (lease.ddns, lease.reply_options)
    };
    assert_eq!(known(&puppet), (Some(in_dns()), bytes.clone()));
    // What is left out did not change.
    (update.ddns, update.reply_options) = (None, None);
    puppet.tell(vec![update.clone()]);
    assert_eq!(known(&puppet), (Some(in_dns()), bytes));
    let told = passed_on(&mut puppet);
    // This server controls nothing in DNS.
    let told_back = Ddns { controls_name: false, controls_address: false, ..in_dns() };
    assert_eq!((told.ddns, told.reply_options), (Some(told_back.clone()), Some(answered())));
    // It survives a crash, and a renewal here; but this server answered that one.
    puppet.start();
    let mut puppet = puppet.in_normal();
    let mut at_home = client.clone();
    at_home.source = ADDRESS;
    assert!(puppet.ask(&at_home, &client.message(MessageType::Request, ADDRESS, &[])).is_some());
    assert_eq!(known(&puppet), (Some(in_dns()), Vec::new()));
    // The partner's work goes on although the client was heard here since.
    update.ddns = Some(Ddns { address_done: true, ..in_dns() });
    puppet.say(Message::BndUpd(vec![update.clone()].into()));
    assert!(puppet.lease(ADDRESS).ddns.expect("DDNS").address_done);
    assert_eq!(warned(&puppet), 2, "once for each connection");
    // The next client has none of it.
    puppet.give_back(&client, MessageType::Release, ADDRESS);
    puppet.pass(seconds(5));
    let next = leased(&Client::new(9), puppet.now.plus(seconds(20)));
    assert!(puppet.tell(vec![next])[0].rejected.is_none());
    assert_eq!(known(&puppet), (None, Vec::new()));
}

/// F07-12.7-01.
#[test]
fn much_that_is_said_stays_within_its_bounds() {
    let mut puppet = Puppet::normal(Role::Primary);
    let client = Client::new(1);
    let mut update = leased(&client, puppet.now);
    update.client_identifier = Some(vec![1; 255]);
    update.ddns = Some(Ddns { name: vec![b'x'; 255], ..in_dns() });
    let option = |code: u8, length: u8| [&[code, length][..], &vec![b'y'; usize::from(length)]].concat();
    let options = [option(12, 100), option(82, 120), option(60, 150), option(77, 100)].concat();
    update.request_options = Some(ClientOptions { magic: DHCP, options });
    update.reply_options = Some(ClientOptions { magic: DHCP, options: vec![0; 512] });
    assert!(puppet.tell(vec![update.clone()])[0].rejected.is_none());
    let told = passed_on(&mut puppet);
    assert_eq!(told.ddns.expect("DDNS").name.len(), 255);
    let options = told.request_options.expect("options of the request").options;
    assert!(options.starts_with(&option(12, 100)) && options.len() <= 396, "{} bytes", options.len());
    assert_eq!(told.reply_options, None, "there is no room for it");
    // Both are there while the rest is short.
    update.ddns = None;
    update.request_options = Some(ClientOptions { magic: DHCP, options: option(12, 100) });
    update.client_last_transaction_time = Some(puppet.now.plus(seconds(1)).to_wire());
    update.ddns = Some(Ddns { name: vec![0], ..in_dns() });
    puppet.tell(vec![update.clone()]);
    assert_eq!(passed_on(&mut puppet).reply_options, update.reply_options);
    // What no name can be, and what is more than is ever sent, is not kept.
    update.ddns = Some(Ddns { name: vec![b'x'; 256], ..in_dns() });
    update.reply_options = Some(ClientOptions { magic: DHCP, options: vec![1; 513] });
    puppet.tell(vec![update]);
    let lease = puppet.lease(ADDRESS);
    assert_eq!((lease.ddns.expect("as before").name.len(), lease.reply_options.len()), (1, 516));
    let longest = puppet.log.iter().map(Vec::len).max().expect("records");
    assert!(longest < record::MAX_RECORD, "{longest}");
}

/// Three pieces of a kibibyte each: more than a record has room for.
#[test]
fn a_client_that_says_too_much_has_a_lease_all_the_same() {
    let mut puppet = Puppet::normal(Role::Primary);
    let (client, address) = puppet.bind_one();
    let long = [b'z'; 255];
    let parts = |code| std::iter::repeat_n((code, &long[..]), 4);
    let options: Vec<(u8, &[u8])> = parts(12).chain(parts(60)).chain(parts(77)).collect();
    let mut at_home = client.clone();
    at_home.source = address;
    let mut request = client.message(MessageType::Request, address, &[]);
    let end = request.iter().rposition(|byte| *byte == 255).expect("an end");
    request.truncate(end);
    for (code, value) in options {
        request.extend([code, 255]);
        request.extend(value);
    }
    request.push(255);
    assert!(puppet.ask(&at_home, &request).is_some());
    let lease = puppet.lease(address);
    let kept = [&lease.host_name, &lease.vendor_class, &lease.user_class].map(Vec::len);
    assert_eq!(kept, [1020, 1020, 0]);
    assert!(puppet.log.iter().all(|record| record.len() < record::MAX_RECORD));
}
