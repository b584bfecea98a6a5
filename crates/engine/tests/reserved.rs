//! Reserved addresses of a pair (F07 5.12): who may give them, and what is told when a reservation begins or ends.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a broken test may stop")]

mod common;
mod link;
mod puppet;

use common::{Client, ip, reservation, seconds};
use dhcp::{HardwareAddress, MessageType};
use engine::config::ReservationKey;
use engine::counter::Counter;
use failover::binding::BindingStatus as B;
use failover::dialect::Dialect;
use failover::message::{BindingUpdate, RejectReason};
use failover::state::{FailoverState as S, Role};
use link::{MCLT, Pair, parts};
use puppet::Puppet;
use std::net::Ipv4Addr;

const ADDRESS: &str = "10.0.0.15";

fn key(client: u8) -> ReservationKey {
    ReservationKey::Hardware(HardwareAddress::ethernet([2, 0, 0, 0, 0, client]))
}

/// A pair in NORMAL in which both reserve the address for client 1.
fn reserved() -> Pair {
    let mut pair = Pair::of(|role| {
        let mut parts = parts(role, 3600);
        // Whoever hears a client answers it.
        parts.relationships[0].delayed_service = Some(1);
        parts.shared_networks[0].subnets[0].reservations.push(reservation(key(1), ADDRESS));
        parts
    });
    pair.pass(seconds(60));
    assert_eq!(pair.states(), (S::Normal, S::Normal));
    pair
}

/// Restarted with the address reserved for this client, or for nobody.
fn restart(pair: &mut Pair, n: usize, client: Option<u8>) {
    pair.kill(n);
    let subnet = &mut pair.nodes[n].parts.shared_networks[0].subnets[0];
    subnet.reservations = client.map(|client| reservation(key(client), ADDRESS)).into_iter().collect();
    pair.start(n);
}

/// What this server alone would lease to the client, DISCOVER to ACK.
fn bind(pair: &mut Pair, n: usize, client: &Client) -> Option<Ipv4Addr> {
    let discover = client.message(MessageType::Discover, Ipv4Addr::UNSPECIFIED, &[]);
    let (_, offer) = pair.send(client, Some(n), &discover).pop()?;
    let (address, server) = (offer.yiaddr().octets(), pair.nodes[n].address.octets());
    let options: [(u8, &[u8]); 2] =
        [(dhcp::code::REQUESTED_ADDRESS, &address), (dhcp::code::SERVER_IDENTIFIER, &server)];
    let request = client.message(MessageType::Request, Ipv4Addr::UNSPECIFIED, &options);
    let (_, ack) = pair.send(client, Some(n), &request).pop()?;
    (ack.kind() == MessageType::Ack).then(|| ack.yiaddr())
}

/// All that this server leases to clients other than the first while the two cannot talk.
fn exhaust(pair: &mut Pair, n: usize) -> Vec<Ipv4Addr> {
    (20..=60).filter_map(|number| bind(pair, n, &Client::new(number))).collect()
}

/// F07-5.12-02 to -04.
#[test]
fn a_reserved_address_is_free_for_the_one_and_backup_for_the_other_and_either_gives_it() {
    for n in [0, 1] {
        let mut pair = reserved();
        assert_eq!(pair.status(ip(ADDRESS)), [B::Free, B::Backup]);
        // It counts for neither's share, and nothing more is said of it.
        assert_eq!((pair.counts(0), pair.counts(1)), ((10, 9), (10, 9)));
        let records = pair.nodes.each_ref().map(|node| node.log.len());
        restart(&mut pair, 0, Some(1));
        restart(&mut pair, 1, Some(1));
        pair.pass(seconds(20));
        assert_eq!(pair.states(), (S::Normal, S::Normal));
        assert_eq!(pair.status(ip(ADDRESS)), [B::Free, B::Backup], "{records:?}");
        pair.cut();
        assert!(!exhaust(&mut pair, n).contains(&ip(ADDRESS)));
        assert_eq!(bind(&mut pair, n, &Client::new(1)), Some(ip(ADDRESS)), "node {n}");
        pair.mend();
        pair.pass(seconds(30));
        assert_eq!(pair.status(ip(ADDRESS)), [B::Active; 2]);
        // And again when its lease is over.
        pair.pass(seconds(2 * MCLT));
        assert_eq!(pair.status(ip(ADDRESS)), [B::Free, B::Backup]);
        assert_eq!((pair.view(0).queued, pair.view(0).unacked, pair.view(0).refused), (0, 0, 0));
    }
}

/// F07-5.12-06.
#[test]
fn a_reservation_that_ended_at_the_primary_is_asked_back_before_anybody_else_has_the_address() {
    let mut pair = reserved();
    pair.cut();
    restart(&mut pair, 0, None);
    pair.pass(seconds(30));
    assert_eq!(pair.lease(0, ip(ADDRESS)).status, B::Backup, "the secondary may have given it to its client");
    assert!(!exhaust(&mut pair, 0).contains(&ip(ADDRESS)));
    // Now it has.
    assert_eq!(bind(&mut pair, 1, &Client::new(1)), Some(ip(ADDRESS)));
    pair.mend();
    pair.pass(seconds(30));
    assert_eq!(pair.status(ip(ADDRESS)), [B::Active; 2]);
    pair.pass(seconds(2 * MCLT));
    assert_eq!(pair.status(ip(ADDRESS)), [B::Free; 2]);
    // Where nobody has it both agree within a minute, and it is the primary's.
    let mut pair = reserved();
    restart(&mut pair, 0, None);
    pair.pass(seconds(60));
    assert_eq!(pair.status(ip(ADDRESS)), [B::Free; 2]);
    restart(&mut pair, 1, None);
    pair.pass(seconds(60));
    pair.assert_equal();
}

/// F07-5.12-05, -06.
#[test]
fn a_reservation_that_ended_at_the_secondary_ends_its_part() {
    let mut pair = reserved();
    pair.cut();
    restart(&mut pair, 1, None);
    pair.pass(seconds(30));
    assert_eq!(pair.status(ip(ADDRESS)), [B::Free; 2], "it lets it go by itself");
    assert!(!exhaust(&mut pair, 1).contains(&ip(ADDRESS)));
    assert_ne!(bind(&mut pair, 1, &Client::new(1)), Some(ip(ADDRESS)));
    assert_eq!(bind(&mut pair, 0, &Client::new(1)), Some(ip(ADDRESS)), "the primary has it still");
    // It comes back as it was.
    let mut pair = reserved();
    restart(&mut pair, 1, None);
    pair.pass(seconds(60));
    assert_eq!(pair.status(ip(ADDRESS)), [B::Free; 2]);
    let rejected = |pair: &Pair| pair.nodes[1].engine.counters().get(Counter::BndupdRefused);
    let before = rejected(&pair);
    pair.pass(seconds(600));
    assert_eq!((before, rejected(&pair)), (1, 1), "it is not told for ever");
    restart(&mut pair, 1, Some(1));
    pair.pass(seconds(60));
    assert_eq!(pair.status(ip(ADDRESS)), [B::Free, B::Backup]);
}

/// F07-5.12-05: a reservation for another client is another one.
#[test]
fn a_reservation_that_changes_its_client_gives_the_address_to_one_of_them() {
    for n in [0, 1] {
        let mut pair = reserved();
        pair.cut();
        restart(&mut pair, n, Some(2));
        pair.pass(seconds(30));
        let new = bind(&mut pair, n, &Client::new(2));
        assert_ne!(new, Some(ip(ADDRESS)), "node {n}: the other may give it to client 1");
        assert_eq!(
            bind(&mut pair, 1 - n, &Client::new(1)),
            Some(ip(ADDRESS)),
            "node {n}, which leased {new:?}"
        );
        pair.mend();
        pair.pass(seconds(2 * MCLT + 60));
        assert_eq!(pair.status(ip(ADDRESS)), [B::Free; 2], "node {n}: the two differ");
        restart(&mut pair, 1 - n, Some(2));
        pair.pass(seconds(60));
        assert_eq!(pair.status(ip(ADDRESS)), [B::Free, B::Backup]);
        pair.cut();
        assert_eq!(bind(&mut pair, 1, &Client::new(2)), Some(ip(ADDRESS)));
    }
}

#[test]
fn who_lost_its_disk_is_told_of_reservations_again() {
    for n in [0, 1] {
        let mut pair = reserved();
        pair.lose_disk(n);
        pair.start(n);
        pair.pass(seconds(2 * MCLT));
        assert_eq!(pair.states(), (S::Normal, S::Normal), "node {n}");
        assert_eq!(pair.status(ip(ADDRESS)), [B::Free, B::Backup], "node {n}");
    }
}

/// F07-5.12-02: it was the secondary's share when it became reserved.
#[test]
fn an_address_of_the_secondary_that_becomes_reserved_is_asked_back_first() {
    let mut pair = Pair::normal(3600);
    let backup = pair.leases(0).into_iter().find(|lease| lease.status == B::Backup).expect("one").address;
    for n in [1, 0] {
        pair.kill(n);
        let reserved = reservation(key(1), &backup.to_string());
        pair.nodes[n].parts.shared_networks[0].subnets[0].reservations.push(reserved);
        pair.start(n);
        pair.pass(seconds(60));
    }
    assert_eq!(pair.status(backup), [B::Free, B::Backup]);
    pair.cut();
    assert_eq!(bind(&mut pair, 0, &Client::new(1)), Some(backup));
}

fn primary(dialect: Dialect) -> Puppet {
    let mut with = parts(Role::Primary, 3600);
    with.relationships[0].dialect = dialect;
    with.shared_networks[0].subnets[0].reservations.push(reservation(key(1), ADDRESS));
    Puppet::of(with)
}

fn of_it(told: &[BindingUpdate]) -> Vec<(B, bool)> {
    let of_it = told.iter().filter(|update| update.address == ip(ADDRESS));
    of_it.map(|update| (update.status, update.flags.reserved)).collect()
}

/// F07-5.12-03, D12-7.1.3-02.
#[test]
fn a_reservation_is_told_as_backup_with_r_and_as_free_where_that_is_rejected() {
    let mut puppet = primary(Dialect::Draft12).in_normal();
    puppet.obeys = false;
    puppet.pass(seconds(10));
    assert_eq!(of_it(&puppet.updates_since(0)), [(B::Backup, true)]);
    assert_eq!(puppet.lease(ip(ADDRESS)).status, B::Free, "for itself");
    let from = puppet.heard.len();
    for bndupd in puppet.bndupds_since(0) {
        puppet.reject(&bndupd, RejectReason::NOT_RESERVED);
    }
    assert_eq!(of_it(&puppet.updates_since(from)), [(B::Free, true)]);
    assert!(puppet.events.iter().any(|event| event.contains("not reserved")), "{:?}", puppet.events);
}

/// F07-5.12-05, D12-7.1.3-02.
#[test]
fn a_secondary_takes_backup_with_r_for_what_it_has_reserved() {
    let mut with = parts(Role::Secondary, 3600);
    with.shared_networks[0].subnets[0].reservations.push(reservation(key(1), ADDRESS));
    let mut puppet = Puppet::of(with);
    // What the two must agree on is the same.
    puppet.settings.tandem.configuration = puppet.engine.config().digest_of(link::CAMPUS);
    let mut puppet = puppet.in_normal();
    assert_ne!(puppet.discover(&Client::new(1)), Some(ip(ADDRESS)), "it is FREE: the primary's");
    let given = |address: &str| {
        let mut update = BindingUpdate::new(ip(address), B::Backup);
        update.flags.reserved = true;
        update
    };
    let acks = puppet.tell(vec![given(ADDRESS), given("10.0.0.16")]);
    let reasons: Vec<_> = acks.iter().map(|ack| ack.rejected.as_ref().map(|why| why.reason)).collect();
    assert_eq!(reasons, [None, Some(RejectReason::NOT_RESERVED)]);
    puppet.lose();
    assert_eq!(puppet.discover(&Client::new(1)), Some(ip(ADDRESS)));
}
