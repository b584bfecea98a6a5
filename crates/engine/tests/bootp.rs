//! BOOTP clients: an address for ever, and nobody else gets it whatever is lost (F07 5.13, RFC 1534).

#![allow(clippy::expect_used, reason = "a broken test may stop")]

mod common;
mod link;

use common::{Client, Reply, Server, binding_in, ip, reservation, seconds, small};
use dhcp::code;
use engine::Destination;
use engine::config::{Config, Parts, Problem, ReservationKey};
use engine::record::Flags;
use failover::binding::BindingStatus;
use failover::dialect::Dialect;
use failover::endpoint::Command;
use failover::state::{FailoverState as S, Role};
use link::{MCLT, Pair};
use std::net::Ipv4Addr;

const USUAL: usize = 300;

fn with_bootp(mut parts: Parts) -> Parts {
    parts.shared_networks[0].subnets[0].pools[0].dynamic_bootp = true;
    parts
}

fn pair() -> Pair {
    let mut pair = Pair::of(|role| with_bootp(link::parts(role, 3600)));
    pair.pass(seconds(60));
    assert_eq!(pair.states(), (S::Normal, S::Normal));
    pair
}

/// The client asks everybody once; who answers, and with which address.
fn ask(pair: &mut Pair, client: &Client) -> Vec<(usize, Ipv4Addr)> {
    let replies = pair.send(client, None, &client.bootp(USUAL));
    replies.into_iter().map(|(n, reply)| (n, reply.yiaddr())).collect()
}

/// As clients do: until somebody answers, some seconds apart.
fn boot(pair: &mut Pair, client: &Client) -> Option<(usize, Ipv4Addr)> {
    for _ in 0..3 {
        if let [answer] = ask(pair, client)[..] {
            return Some(answer);
        }
        pair.pass(seconds(4));
    }
    None
}

fn answer(server: &mut Server, client: &Client) -> Option<Reply> {
    server.send(client, &client.bootp(USUAL))
}

#[test]
fn who_has_a_reservation_gets_it_and_nobody_else_without_the_key() {
    let mut parts = small(5);
    let known = Client::new(1);
    parts.shared_networks[0].subnets[0]
        .reservations
        .push(reservation(ReservationKey::Hardware(known.hardware), "10.0.0.77"));
    let mut server = Server::new(&parts);
    assert_eq!(answer(&mut server, &known).expect("an answer").yiaddr(), ip("10.0.0.77"));
    assert!(answer(&mut server, &Client::new(2)).is_none(), "no pool has dynamic-bootp");
    assert_eq!(server.status("10.0.0.10"), BindingStatus::Free);
}

#[test]
fn an_answer_has_what_bootp_has_and_rests_on_its_record() {
    let mut server = Server::new(&with_bootp(small(5)));
    let client = Client::new(1);
    let reply = answer(&mut server, &client).expect("an answer");
    assert!(reply.rests_on_record);
    let message = reply.message();
    assert_eq!((message.message_type(), message.lease_time()), (None, None));
    assert_eq!(message.server_identifier(), None);
    assert!(
        message.option(code::SUBNET_MASK).is_some() && message.option(code::DOMAIN_NAME_SERVERS).is_some()
    );
    assert_eq!(reply.bytes.len(), USUAL);
    assert!(matches!(reply.destination, Destination::Link { address, .. } if address == reply.yiaddr()));
    let relayed = Client { giaddr: ip("10.0.0.200"), ..Client::new(2) };
    let reply = answer(&mut server, &relayed).expect("an answer");
    assert!(matches!(reply.destination, Destination::Relay { address, .. } if address == relayed.giaddr));
}

#[test]
fn what_does_not_fit_is_left_out_and_never_put_into_the_names() {
    let mut parts = with_bootp(small(5));
    let options = &mut parts.shared_networks[0].subnets[0].options;
    options.set(code::DOMAIN_NAME, vec![b'a'; 60]);
    let mut server = Server::new(&parts);
    let client = Client::new(1);
    let short = answer(&mut server, &client).expect("an answer");
    assert_eq!(short.bytes.len(), USUAL);
    let message = short.message();
    assert!(message.option(code::SUBNET_MASK).is_some() && message.option(code::DOMAIN_NAME).is_none());
    assert_eq!(short.bytes[44..236], [0; 192], "sname and file stay empty");
    // Who sends more takes more.
    let long = server.send(&client, &client.bootp(400)).expect("an answer");
    assert!(long.message().option(code::DOMAIN_NAME).is_some() && long.bytes.len() <= 400);
}

#[test]
fn the_address_is_the_clients_for_ever() {
    let parts = with_bootp(small(1));
    let mut server = Server::new(&parts);
    let client = Client::new(1);
    let address = answer(&mut server, &client).expect("an answer").yiaddr();
    server.pass(seconds(400 * 86_400));
    assert_eq!(server.lease("10.0.0.10").status, BindingStatus::Active);
    assert!(Client::new(2).discover(&mut server).is_none(), "the pool has one address");
    let mut server = server.crashed(&parts);
    assert_eq!(answer(&mut server, &client).expect("an answer").yiaddr(), address);
    // An operator knows better.
    let done = server.engine.reset_address(server.now, address, true, &mut server.outbox);
    assert_eq!(done.expect("a reset").status, BindingStatus::Free);
    assert_eq!(Client::new(2).bind(&mut server), address);
}

#[test]
fn the_partner_knows_before_the_client() {
    // F07-5.13-01, D12-7.1.1-01, D12-12.12-01.
    let mut pair = pair();
    let client = Client::new(1);
    assert_eq!(ask(&mut pair, &client), [], "nobody else knows yet");
    let (n, address) = boot(&mut pair, &client).expect("an answer");
    assert_eq!(pair.status(address), [BindingStatus::Active; 2]);
    for node in &pair.nodes {
        let last = binding_in(&node.log, address);
        assert!(last.expect("a record").flags.contains(Flags::BOOTP));
    }
    // Its server burns down, and all that it knew; the address is still the client's, here and there.
    pair.lose_disk(n);
    pair.start(n);
    pair.pass(seconds(2 * MCLT));
    assert_eq!(pair.states(), (S::Normal, S::Normal));
    assert_eq!(pair.status(address), [BindingStatus::Active; 2]);
    pair.pass(seconds(86_400));
    assert_eq!(boot(&mut pair, &client).map(|(_, same)| same), Some(address));
}

#[test]
fn who_is_cut_off_gives_nothing_new_and_answers_whom_it_knows() {
    let mut pair = pair();
    let (old, new) = (Client::new(1), Client::new(2));
    let (_, address) = boot(&mut pair, &old).expect("an answer");
    pair.cut();
    pair.pass(seconds(60));
    assert_eq!(pair.states(), (S::CommunicationsInterrupted, S::CommunicationsInterrupted));
    assert_eq!(boot(&mut pair, &new), None);
    let both = ask(&mut pair, &old);
    assert_eq!(both, [(0, address), (1, address)]);
    pair.mend();
    pair.pass(seconds(60));
    assert!(boot(&mut pair, &new).is_some_and(|(_, other)| other != address));
}

#[test]
fn who_is_alone_gives_its_own_and_never_the_partners() {
    // F07-5.13-02, F07-5.13-03.
    for n in [0, 1] {
        let mut pair = pair();
        pair.kill(1 - n);
        pair.pass(seconds(60));
        pair.command(n, Command::PartnerDown);
        pair.pass(seconds(4 * MCLT));
        let own = if n == 0 { BindingStatus::Free } else { BindingStatus::Backup };
        let mut left = pair.leases(n).iter().filter(|lease| lease.status == own).count();
        assert!(left > 2);
        assert!(boot(&mut pair, &Client::new(200)).is_some(), "at once: nobody can be asked");
        left -= 1;
        // Clients of DHCP neither: what the partner had may be with a BOOTP client.
        let given = (1..=20).filter(|number| pair.bind(&Client::new(*number)).is_some()).count();
        assert_eq!(given, left, "node {n}");
        let theirs =
            |lease: &engine::LeaseView| matches!(lease.status, BindingStatus::Free | BindingStatus::Backup);
        assert!(pair.leases(n).iter().any(theirs));
    }
}

#[test]
fn a_client_that_spoke_dhcp_before_is_told_to_the_partner_first() {
    let mut pair = pair();
    let client = Client::new(1);
    let (n, address, _) = pair.bind(&client).expect("a lease");
    pair.freeze(1 - n);
    // The lease of DHCP ends, and the partner would give the address to another after that.
    assert_eq!(ask(&mut pair, &client), []);
    pair.thaw(1 - n);
    pair.pass(seconds(10));
    assert!(ask(&mut pair, &client).iter().all(|(_, same)| *same == address));
    assert_eq!(pair.status(address), [BindingStatus::Active; 2]);
    pair.pass(seconds(86_400));
    assert_eq!(pair.status(address), [BindingStatus::Active; 2]);
}

#[test]
fn beside_a_dhcpd_there_is_none() {
    let mut parts = with_bootp(link::parts(Role::Primary, 3600));
    parts.relationships[0].dialect = Dialect::Dhcpd;
    let faults = Config::check(&parts).expect_err("a fault");
    assert!(faults.iter().any(|fault| fault.problem == Problem::BootpBesideDhcpd), "{faults:?}");
}

#[test]
fn it_is_one_of_the_terms_of_a_relationship() {
    let of = |parts: &Parts| Config::check(parts).expect("no fault").digest_of(link::CAMPUS);
    let without = link::parts(Role::Primary, 3600);
    assert_ne!(of(&without), of(&with_bootp(without.clone())));
}

/// The request of a client that says that it has asked for so many seconds.
fn waited(client: &Client, secs: u8) -> Vec<u8> {
    let mut bytes = client.bootp(USUAL);
    bytes[9] = secs;
    bytes
}

fn leased(pair: &Pair) -> Vec<Ipv4Addr> {
    let all = (10..30).map(|last| Ipv4Addr::new(10, 0, 0, last));
    all.filter(|address| pair.status(*address).contains(&BindingStatus::Active)).collect()
}

/// Who has waited for more than 4 s is answered by either.
fn patient_pair() -> Pair {
    let mut pair = Pair::of(|role| {
        let mut parts = with_bootp(link::parts(role, 3600));
        parts.relationships[0].delayed_service = Some(4);
        parts
    });
    pair.pass(seconds(60));
    pair
}

#[test]
fn of_two_that_hear_a_client_one_gives_it_an_address() {
    let mut pair = patient_pair();
    let client = Client::new(1);
    for secs in [7, 11] {
        pair.send(&client, None, &waited(&client, secs));
        pair.pass(seconds(4));
    }
    assert_eq!(leased(&pair).len(), 1, "{:?}: what either gives is gone for ever", leased(&pair));
}

#[test]
fn a_server_that_does_not_hear_a_client_keeps_nobody_from_giving_for_long() {
    let mut pair = patient_pair();
    let client = Client::new(1);
    let (own, _) = boot(&mut patient_pair(), &client).expect("an answer");
    for (secs, answers) in [(7, false), (11, false), (30, false), (34, true)] {
        let replies = pair.send(&client, Some(1 - own), &waited(&client, secs));
        assert_eq!(!replies.is_empty(), answers, "after {secs} s");
        pair.pass(seconds(4));
    }
}
