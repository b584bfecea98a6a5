//! RFC 2131 4.3, message by message, through the whole engine.

mod common;

use common::{Client, SERVER, Server, ip, parts, reservation, seconds, small, subnet};
use dhcp::{MessageType, code};
use engine::config::ReservationKey;
use engine::counter::Counter;
use engine::{Destination, Input, StorageHealth};
use failover::binding::BindingStatus;
use failover::time::{Interval, Time};
use std::net::Ipv4Addr;

/// F07-3.1.3-01.
#[test]
fn a_client_is_offered_and_leased_an_address() {
    let mut server = Server::new(&small(5));
    let client = Client::new(1);
    let offer = client.discover(&mut server).unwrap();
    assert_eq!((offer.kind(), offer.yiaddr(), offer.lease()), (MessageType::Offer, ip("10.0.0.10"), 600));
    assert!(!offer.rests_on_record);
    let ack = client.select(&mut server, offer.yiaddr()).unwrap();
    assert_eq!((ack.kind(), ack.yiaddr(), ack.lease()), (MessageType::Ack, ip("10.0.0.10"), 600));
    assert!(ack.rests_on_record, "nothing is answered before it is on stable storage");
    assert_eq!(ack.message().option(code::SUBNET_MASK).unwrap().to_vec(), [255, 255, 255, 0]);
    assert_eq!(ack.message().option(code::RENEWAL_TIME).unwrap().to_vec(), 300_u32.to_be_bytes());
    assert_eq!(ack.message().option(code::REBINDING_TIME).unwrap().to_vec(), 525_u32.to_be_bytes());
    assert_eq!(ack.message().server_identifier(), Some(SERVER));
    let hardware = [2, 0, 0, 0, 0, 1];
    let address = ip("10.0.0.10");
    assert!(
        matches!(ack.destination, Destination::Link { hardware: to, address: of, .. } if to == hardware && of == address)
    );
    assert_eq!(server.status("10.0.0.10"), BindingStatus::Active);
}

#[test]
fn an_offered_address_is_offered_to_nobody_else_until_it_lapses() {
    let mut server = Server::new(&small(2));
    assert_eq!(Client::new(1).discover(&mut server).unwrap().yiaddr(), ip("10.0.0.10"));
    assert_eq!(Client::new(1).discover(&mut server).unwrap().yiaddr(), ip("10.0.0.10"));
    assert_eq!(Client::new(2).discover_wanting(&mut server, "10.0.0.10").unwrap().yiaddr(), ip("10.0.0.11"));
    assert!(Client::new(3).discover(&mut server).is_none());
    assert_eq!(server.engine.counters().get(Counter::DroppedPoolExhausted), 1);
    server.pass(seconds(61));
    assert_eq!(server.engine.counters().get(Counter::OfferLapsed), 2);
    assert!(Client::new(3).discover(&mut server).is_some());
}

#[test]
fn what_a_client_holds_and_is_offered_again_stays_its_own_while_it_answers() {
    let mut server = Server::new(&small(1));
    let address = Client::new(1).bind(&mut server);
    server.pass(seconds(595));
    assert_eq!(Client::new(1).discover(&mut server).unwrap().yiaddr(), address);
    server.pass(seconds(50));
    assert!(Client::new(2).discover(&mut server).is_none(), "the lease is over, the offer is not");
    assert_eq!(Client::new(1).select(&mut server, address).unwrap().kind(), MessageType::Ack);
    server.pass(seconds(595));
    Client::new(1).discover(&mut server);
    server.pass(seconds(61));
    assert_eq!(Client::new(2).discover(&mut server).unwrap().yiaddr(), address);
}

#[test]
fn a_client_that_selects_another_server_leaves_its_offer() {
    let mut server = Server::new(&small(1));
    let offer = Client::new(1).discover(&mut server).unwrap();
    assert!(Client::new(1).select_from(&mut server, offer.yiaddr(), ip("10.0.0.2")).is_none());
    assert_eq!(server.engine.counters().get(Counter::DroppedOtherServer), 1);
    assert!(Client::new(2).discover(&mut server).is_some());
}

/// F07-4.1-03.
#[test]
fn selecting_what_is_another_clients_is_refused() {
    let mut server = Server::new(&small(3));
    let address = Client::new(1).bind(&mut server);
    let nak = Client::new(2).select(&mut server, address).unwrap();
    assert_eq!(nak.kind(), MessageType::Nak);
    assert!(matches!(nak.destination, Destination::Broadcast { .. }));
    assert_eq!(Client::new(2).select(&mut server, ip("10.0.0.200")).unwrap().kind(), MessageType::Nak);
}

/// F07-3.1.2-01.
#[test]
fn renewing_and_rebinding_extend_the_lease() {
    let mut server = Server::new(&small(3));
    let client = Client::new(1);
    let address = client.bind(&mut server);
    let first = server.lease("10.0.0.10").lease_expiration;
    server.pass(seconds(300));
    let ack = client.renew(&mut server, address).unwrap();
    assert_eq!((ack.kind(), ack.message().ciaddr()), (MessageType::Ack, address));
    assert!(
        matches!(ack.destination, Destination::Link { .. }),
        "on-link renewals go to the hardware address"
    );
    assert_eq!(server.lease("10.0.0.10").lease_expiration.since(first), seconds(300));
    server.pass(seconds(525));
    assert_eq!(client.rebind(&mut server, address).unwrap().kind(), MessageType::Ack);
    assert_eq!(server.engine.counters().get(Counter::RequestRenewing), 1);
    assert_eq!(server.engine.counters().get(Counter::RequestRebinding), 1);
    assert_eq!(server.engine.counters().get(Counter::Renewal), 2);
}

/// F07-3.1.2-03.
#[test]
fn init_reboot_is_confirmed_refused_or_met_with_silence() {
    let mut server = Server::new(&small(3));
    let client = Client::new(1);
    let address = client.bind(&mut server);
    assert_eq!(client.reboot(&mut server, address).unwrap().kind(), MessageType::Ack);
    let wrong_network = client.reboot(&mut server, ip("192.168.7.7")).unwrap();
    assert_eq!(wrong_network.kind(), MessageType::Nak);
    assert_eq!(
        client.reboot(&mut server, ip("10.0.0.11")).unwrap().kind(),
        MessageType::Nak,
        "it holds another"
    );
    let stranger = Client::new(9);
    assert!(stranger.reboot(&mut server, ip("10.0.0.12")).is_none(), "no record of this client: silence");
    assert_eq!(
        stranger.reboot(&mut server, address).unwrap().kind(),
        MessageType::Nak,
        "a record says another"
    );
}

#[test]
fn a_returning_client_gets_its_old_address() {
    let mut server = Server::new(&small(3));
    let addresses: Vec<Ipv4Addr> = (1..=3).map(|n| Client::new(n).bind(&mut server)).collect();
    server.pass(seconds(700));
    assert_eq!(server.engine.counters().get(Counter::Expiry), 3);
    for n in (1..=3).rev() {
        assert_eq!(Client::new(n).bind(&mut server), addresses[usize::from(n) - 1]);
    }
    Client::new(2).release(&mut server, addresses[1]);
    assert_eq!(server.status("10.0.0.11"), BindingStatus::Free);
    assert_eq!(Client::new(2).reboot(&mut server, addresses[1]).unwrap().kind(), MessageType::Ack);
}

#[test]
fn what_has_been_free_for_longest_goes_first() {
    let mut server = Server::new(&small(3));
    for n in 1..=3 {
        Client::new(n).bind(&mut server);
        server.pass(seconds(10));
    }
    Client::new(2).release(&mut server, ip("10.0.0.11"));
    server.pass(seconds(1));
    Client::new(1).release(&mut server, ip("10.0.0.10"));
    assert_eq!(Client::new(4).bind(&mut server), ip("10.0.0.11"));
    assert_eq!(Client::new(5).bind(&mut server), ip("10.0.0.10"));
    assert_eq!(server.engine.counters().get(Counter::Reallocation), 2);
}

/// F07-5.10-16.
#[test]
fn a_lease_is_not_over_before_the_slack_has_passed() {
    let mut server = Server::new(&small(1));
    let address = Client::new(1).bind(&mut server);
    // 600 s, and the slack of 10 s + 0.1 % (trap T21).
    server.pass(seconds(609));
    assert_eq!(server.status("10.0.0.10"), BindingStatus::Active);
    assert!(Client::new(2).discover(&mut server).is_none());
    assert_eq!(Client::new(1).renew(&mut server, address).unwrap().kind(), MessageType::Ack);
    server.pass(seconds(612));
    assert_eq!(server.status("10.0.0.10"), BindingStatus::Free);
    assert_eq!(
        server.lease("10.0.0.10").lease_expiration,
        Time::ZERO,
        "times do not outlive their client (T14)"
    );
    assert!(Client::new(2).discover(&mut server).is_some());
}

#[test]
fn a_recorded_end_never_moves_earlier_for_the_same_client() {
    let mut server = Server::new(&small(1));
    let mut client = Client::new(1);
    let address = client.bind(&mut server);
    let end = server.lease("10.0.0.10").lease_expiration;
    client.wish = Some(60);
    let ack = client.renew(&mut server, address).unwrap();
    assert_eq!(ack.lease(), 60, "the client is told what it wished");
    assert_eq!(server.lease("10.0.0.10").lease_expiration, end, "the record keeps the later end (T19)");
    client.release(&mut server, address);
    assert_eq!(client.bind(&mut server), address);
    assert!(server.lease("10.0.0.10").lease_expiration < end);
}

/// F07-5.10-11.
#[test]
fn a_declined_address_is_nobodys_until_its_time_is_over() {
    let mut server = Server::new(&small(1));
    let client = Client::new(1);
    let address = client.bind(&mut server);
    Client::new(2).decline(&mut server, address);
    assert_eq!(server.status("10.0.0.10"), BindingStatus::Active, "only who holds it can decline it");
    client.decline(&mut server, address);
    assert_eq!(server.status("10.0.0.10"), BindingStatus::Abandoned);
    assert_eq!(server.lease("10.0.0.10").client, None);
    assert!(client.discover(&mut server).is_none());
    let mut restarted = server.crashed(&small(1));
    restarted.pass(seconds(3599));
    assert_eq!(restarted.status("10.0.0.10"), BindingStatus::Abandoned);
    restarted.pass(seconds(2));
    assert_eq!(restarted.status("10.0.0.10"), BindingStatus::Free);
    assert!(client.discover(&mut restarted).is_some());
}

#[test]
fn inform_is_answered_with_options_and_no_lease() {
    let mut server = Server::new(&small(1));
    let client = Client::new(1);
    let message = client.message(MessageType::Inform, ip("10.0.0.99"), &[]);
    let ack = server.send(&client, &message).unwrap();
    assert_eq!(
        (ack.kind(), ack.yiaddr(), ack.message().lease_time()),
        (MessageType::Ack, Ipv4Addr::UNSPECIFIED, None)
    );
    assert!(ack.message().option(code::DOMAIN_NAME_SERVERS).is_some());
    assert_eq!(server.log.len(), 0);
}

#[test]
fn only_what_was_asked_for_is_sent_and_the_mask_comes_first() {
    let mut server = Server::new(&small(1));
    let client = Client::new(1);
    let message =
        client.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[(code::PARAMETER_REQUEST_LIST, &[6])]);
    let offer = server.send(&client, &message).unwrap();
    let codes: Vec<u8> = offer.message().options().map(|(code, _)| code).collect();
    assert_eq!(codes, [53, 54, 51, 58, 59, 1, 6]);
}

#[test]
fn a_relayed_client_is_answered_through_its_relay_with_option_82_as_it_came() {
    let mut parts = small(1);
    parts.shared_networks.push(
        common::parts(vec![subnet("10.9.0.0/24", 600, Some(("10.9.0.10", "10.9.0.20")))]).shared_networks[0]
            .clone(),
    );
    parts.shared_networks[1].name = "far".into();
    let mut server = Server::new(&parts);
    let mut client = Client::new(1);
    client.giaddr = ip("10.9.0.1");
    client.destination = SERVER;
    let information = vec![2, 3, 7, 7, 7, 1, 1, 9, 250, 0];
    client.relay_information = Some(information.clone());
    let offer = client.discover(&mut server).unwrap();
    assert_eq!(offer.yiaddr(), ip("10.9.0.10"));
    assert_eq!(offer.destination, Destination::Relay { address: ip("10.9.0.1"), source: SERVER });
    assert_eq!(offer.message().option(82).unwrap().to_vec(), information);
    client.bind(&mut server);
    assert_eq!(server.lease("10.9.0.10").relay_agent_information, information);
    let nak = client.reboot(&mut server, ip("10.0.0.10")).unwrap();
    assert_eq!((nak.kind(), nak.message().is_broadcast()), (MessageType::Nak, true));
    client.giaddr = ip("172.16.0.1");
    assert!(client.discover(&mut server).is_none());
    assert_eq!(server.engine.counters().get(Counter::DroppedNoSubnet), 1);
}

#[test]
fn a_discover_with_a_foreign_ciaddr_sends_no_offer_there() {
    let mut server = Server::new(&small(5));
    let client = Client::new(1);
    let discover = client.message(MessageType::Discover, ip("203.0.113.7"), &[]);
    let offer = server.send(&client, &discover).expect("an offer");
    assert!(matches!(offer.destination, Destination::Link { address, .. } if address == offer.yiaddr()));
}

#[test]
fn link_selection_and_server_identifier_override_are_honoured() {
    let mut parts = small(1);
    parts.shared_networks.push(
        common::parts(vec![subnet("10.9.0.0/24", 600, Some(("10.9.0.10", "10.9.0.20")))]).shared_networks[0]
            .clone(),
    );
    parts.shared_networks[1].name = "far".into();
    let mut server = Server::new(&parts);
    let mut client = Client::new(1);
    client.giaddr = ip("10.0.0.254");
    client.relay_information = Some(vec![5, 4, 10, 9, 0, 0, 11, 4, 10, 9, 0, 1]);
    let offer = client.discover(&mut server).unwrap();
    assert_eq!(
        (offer.yiaddr(), offer.message().server_identifier()),
        (ip("10.9.0.10"), Some(ip("10.9.0.1")))
    );
    assert!(matches!(offer.destination, Destination::Relay { address, .. } if address == ip("10.0.0.254")));
    assert_eq!(
        client.select_from(&mut server, offer.yiaddr(), ip("10.9.0.1")).unwrap().kind(),
        MessageType::Ack
    );
}

/// F07-2.2-05.
#[test]
fn several_subnets_on_one_wire_are_one_network() {
    let first = subnet("10.0.0.0/24", 600, Some(("10.0.0.10", "10.0.0.10")));
    let second = subnet("10.0.1.0/24", 1200, Some(("10.0.1.10", "10.0.1.10")));
    let mut server = Server::new(&parts(vec![first, second]));
    assert_eq!(Client::new(1).bind(&mut server), ip("10.0.0.10"));
    let offer = Client::new(2).discover(&mut server).unwrap();
    assert_eq!(
        (offer.yiaddr(), offer.lease()),
        (ip("10.0.1.10"), 1200),
        "each subnet has its own lease time"
    );
    assert_eq!(Client::new(2).bind(&mut server), ip("10.0.1.10"));
    let renewal = Client::new(2).renew(&mut server, ip("10.0.1.10")).unwrap();
    assert!(matches!(renewal.destination, Destination::Link { .. }), "the other subnet is on the link too");
}

/// F07-5.12-04.
#[test]
fn reservations_by_hardware_and_by_identifier_are_kept_for_their_clients() {
    let mut network = subnet("10.0.0.0/24", 600, Some(("10.0.0.10", "10.0.0.12")));
    network.reservations.push(reservation(ReservationKey::Hardware(Client::new(1).hardware), "10.0.0.10"));
    network
        .reservations
        .push(reservation(ReservationKey::ClientIdentifier(b"printer".to_vec()), "10.0.0.200"));
    let mut server = Server::new(&parts(vec![network]));
    assert_eq!(Client::new(5).discover_wanting(&mut server, "10.0.0.10").unwrap().yiaddr(), ip("10.0.0.11"));
    assert_eq!(Client::new(5).select(&mut server, ip("10.0.0.10")).unwrap().kind(), MessageType::Nak);
    let mut reserved = Client::new(1);
    reserved.identifier = Some(vec![9, 9]);
    assert_eq!(reserved.bind(&mut server), ip("10.0.0.10"), "whatever client-identifier it sends");
    let mut printer = Client::new(7);
    printer.identifier = Some(b"printer".to_vec());
    assert_eq!(printer.bind(&mut server), ip("10.0.0.200"), "outside all pools");
}

#[test]
fn a_client_that_got_a_reservation_is_sent_there_at_its_next_renewal() {
    let before = small(3);
    let mut server = Server::new(&before);
    let address = Client::new(1).bind(&mut server);
    let mut after = before.clone();
    let key = ReservationKey::Hardware(Client::new(1).hardware);
    after.shared_networks[0].subnets[0].reservations.push(reservation(key, "10.0.0.100"));
    let mut server = server.crashed(&after);
    assert_eq!(Client::new(1).renew(&mut server, address).unwrap().kind(), MessageType::Nak);
    assert_eq!(Client::new(1).bind(&mut server), ip("10.0.0.100"));
    assert_eq!(server.status("10.0.0.10"), BindingStatus::Active, "the old lease runs to its end");
}

#[test]
fn identity_is_the_client_identifier_and_else_the_hardware_address() {
    let mut server = Server::new(&small(4));
    let mut client = Client::new(1);
    let by_hardware = client.bind(&mut server);
    client.identifier = Some(vec![1, 2, 3]);
    let by_identifier = client.bind(&mut server);
    assert_ne!(by_hardware, by_identifier);
    client.hardware = Client::new(2).hardware;
    assert_eq!(client.bind(&mut server), by_identifier);
}

#[test]
fn nothing_is_granted_on_a_full_disk_but_releases_are_recorded() {
    let mut server = Server::new(&small(2));
    let address = Client::new(1).bind(&mut server);
    server.engine.handle(server.now, Input::Storage(StorageHealth::ReserveOnly), &mut server.outbox);
    assert!(Client::new(2).discover(&mut server).is_none());
    assert!(Client::new(1).renew(&mut server, address).is_none());
    assert_eq!(server.engine.counters().get(Counter::DroppedStorageFull), 2);
    let records = server.log.len();
    Client::new(1).release(&mut server, address);
    assert_eq!(server.log.len(), records + 1);
    server.engine.handle(server.now, Input::Storage(StorageHealth::Ok), &mut server.outbox);
    assert!(Client::new(2).discover(&mut server).is_some());
}

#[test]
fn wishes_are_granted_within_bounds_and_infinity_is_one() {
    let mut with_bounds = small(4);
    let times = &mut with_bounds.shared_networks[0].subnets[0].lease;
    (times.minimum, times.maximum) = (seconds(120), Interval::INFINITE);
    let mut server = Server::new(&with_bounds);
    for (wish, granted) in [(1, 120), (500, 500), (100_000, 100_000), (u32::MAX, u32::MAX)] {
        let mut client = Client::new(1);
        client.wish = Some(wish);
        assert_eq!(client.discover(&mut server).unwrap().lease(), granted);
    }
    let mut client = Client::new(2);
    client.wish = Some(u32::MAX);
    let address = client.bind(&mut server);
    assert_eq!(
        server.leases().iter().find(|lease| lease.address == address).unwrap().lease_expiration,
        Time::NEVER
    );
    server.pass(seconds(10_000_000));
    assert_eq!(client.renew(&mut server, address).unwrap().lease(), u32::MAX);
}

#[test]
fn messages_that_are_not_for_a_server_are_counted_and_not_answered() {
    let mut server = Server::new(&small(2));
    let client = Client::new(1);
    for kind in [MessageType::Offer, MessageType::Ack, MessageType::Nak] {
        assert!(server.send(&client, &client.message(kind, Ipv4Addr::UNSPECIFIED, &[])).is_none());
    }
    let mut reply = client.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[]);
    reply[0] = 2;
    assert!(server.send(&client, &reply).is_none());
    assert_eq!(server.engine.counters().get(Counter::DroppedNotForServer), 4);
    assert!(server.send(&client, &reply[..100]).is_none());
    let refused: u64 = server
        .engine
        .counters()
        .iter()
        .filter(|(name, _)| name.starts_with("refused-"))
        .map(|(_, n)| n)
        .sum();
    assert_eq!(refused, 1);
    let mut nobody = client.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[]);
    nobody[2] = 0;
    assert!(server.send(&client, &nobody).is_none());
    assert_eq!(server.engine.counters().get(Counter::DroppedNoIdentity), 1);
}
