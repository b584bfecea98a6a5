//! What an operator frees: an address that nobody uses after all, and the lease of a client that does not come back
//! (F07-5.10-12, -17, -18).

#![allow(clippy::expect_used, reason = "a broken test may stop")]

mod common;
mod link;

use common::{Client, Server, ip, seconds, small};
use engine::{Reset, ResetRefusal};
use failover::binding::BindingStatus;
use failover::endpoint::Command;
use failover::state::FailoverState;
use link::{MCLT, Pair};
use std::net::Ipv4Addr;

fn reset(pair: &mut Pair, n: usize, address: Ipv4Addr, leased: bool) -> Result<Reset, ResetRefusal> {
    let node = &mut pair.nodes[n];
    let done = node.engine.reset_address(pair.now, address, leased, &mut node.outbox);
    pair.settle();
    done
}

/// A pair in NORMAL with an address that was leased and then declined; who gave it.
fn declined() -> (Pair, usize, Ipv4Addr) {
    let mut pair = Pair::normal(3600);
    let client = Client::new(1);
    let (n, address, _) = pair.bind(&client).expect("a lease");
    pair.decline(&client, n, address);
    assert_eq!(pair.status(address), [BindingStatus::Abandoned; 2]);
    (pair, n, address)
}

#[test]
fn without_a_partner_it_is_free_at_once() {
    let mut server = Server::new(&small(1));
    let client = Client::new(1);
    let address = client.bind(&mut server);
    client.decline(&mut server, address);
    assert!(Client::new(2).discover(&mut server).is_none(), "the pool has one address");
    let reset = |server: &mut Server, address, leased| {
        server.engine.reset_address(server.now, address, leased, &mut server.outbox)
    };
    let done = Reset { before: BindingStatus::Abandoned, status: BindingStatus::Free };
    assert_eq!(reset(&mut server, address, false), Ok(done));
    assert_eq!(Client::new(2).bind(&mut server), address);
    assert_eq!(reset(&mut server, address, false), Err(ResetRefusal::Leased(address)));
    let done = Reset { before: BindingStatus::Active, status: BindingStatus::Free };
    assert_eq!(reset(&mut server, address, true), Ok(done));
    let free = ResetRefusal::InStatus { address, status: BindingStatus::Free };
    assert_eq!(reset(&mut server, address, true), Err(free));
    let stranger = ip("10.9.9.9");
    assert_eq!(reset(&mut server, stranger, true), Err(ResetRefusal::UnknownAddress(stranger)));
}

#[test]
fn a_shared_address_is_free_when_the_partner_agrees() {
    let (mut pair, n, address) = declined();
    pair.freeze(1 - n);
    let done = Reset { before: BindingStatus::Abandoned, status: BindingStatus::Reset };
    assert_eq!(reset(&mut pair, n, address, false), Ok(done));
    assert_eq!(pair.lease(n, address).status, BindingStatus::Reset, "nobody's before the BNDACK");
    assert!(pair.nodes[n].told.contains(&"TDM-1011"));
    pair.thaw(1 - n);
    pair.settle();
    assert_eq!(pair.status(address), [BindingStatus::Free; 2]);
    pair.assert_equal();
}

#[test]
fn either_server_takes_the_command() {
    let (mut pair, n, address) = declined();
    assert!(reset(&mut pair, 1 - n, address, false).is_ok());
    assert_eq!(pair.status(address), [BindingStatus::Free; 2]);
    pair.assert_equal();
}

#[test]
fn both_at_once_come_to_the_same() {
    let (mut pair, _, address) = declined();
    for node in &mut pair.nodes {
        assert!(node.engine.reset_address(pair.now, address, false, &mut node.outbox).is_ok());
    }
    pair.settle();
    pair.pass(seconds(60));
    assert_eq!(pair.status(address), [BindingStatus::Free; 2]);
    pair.assert_equal();
}

#[test]
fn what_the_partner_does_not_know_to_be_abandoned_it_may_have_leased() {
    let mut pair = Pair::normal(3600);
    let client = Client::new(1);
    let (n, address, _) = pair.bind(&client).expect("a lease");
    pair.cut();
    pair.decline(&client, n, address);
    let untold = ResetRefusal::Untold { address, relationship: "campus".to_owned() };
    assert_eq!(reset(&mut pair, n, address, false), Err(untold));
    pair.mend();
    pair.pass(seconds(60));
    assert!(reset(&mut pair, n, address, false).is_ok());
    assert_eq!(pair.status(address), [BindingStatus::Free; 2]);
}

#[test]
fn an_operator_knows_better_than_the_end_of_a_lease_and_time_alone_does_not() {
    // The partner extended the lease while the two were cut off; here its client declines, and for all the partner knows, another.
    let declined_here = || {
        let mut pair = Pair::normal(8 * 3600);
        let client = Client::new(1);
        let (n, address, _) = pair.bind(&client).expect("a lease");
        assert!(pair.renew(&client, n, address).is_some_and(|reply| reply.lease() > 7 * 3600));
        pair.decline(&client, n, address);
        assert_eq!(pair.status(address), [BindingStatus::Abandoned; 2]);
        assert!(pair.lease(n, address).lease_expiration > pair.now.plus(seconds(7 * 3600)));
        (pair, n, address)
    };
    let (mut pair, _, address) = declined_here();
    pair.pass(seconds(2 * 3600));
    assert_eq!(pair.status(address), [BindingStatus::Abandoned; 2], "its time is over, the lease is not");
    for at in [0, 1] {
        let (mut pair, n, address) = declined_here();
        assert!(reset(&mut pair, n ^ at, address, false).is_ok());
        assert_eq!(pair.status(address), [BindingStatus::Free; 2]);
        pair.assert_equal();
    }
}

#[test]
fn the_lease_of_a_client_that_leased_ends_on_both() {
    for at in [0, 1] {
        let mut pair = Pair::normal(3600);
        let client = Client::new(1);
        let (n, address, _) = pair.bind(&client).expect("a lease");
        let n = if at == 0 { n } else { 1 - n };
        assert_eq!(reset(&mut pair, n, address, false), Err(ResetRefusal::Leased(address)));
        let done = Reset { before: BindingStatus::Active, status: BindingStatus::Reset };
        assert_eq!(reset(&mut pair, n, address, true), Ok(done));
        assert_eq!(pair.status(address), [BindingStatus::Free; 2]);
        pair.assert_equal();
        // It is not gone after all: as nobody has the address, it has it again by asking anew.
        assert!(pair.bind(&client).is_some());
    }
}

#[test]
fn nobody_is_believed_about_what_was_reset() {
    // Trap T20, with the roles that leave the address to the partner of whoever is asked.
    let mut pair = Pair::normal(3600);
    let client = Client::new(1);
    let (n, address, _) = pair.bind(&client).expect("a lease");
    assert!(reset(&mut pair, n, address, true).is_ok());
    assert_eq!(pair.status(address), [BindingStatus::Free; 2]);
    pair.cut();
    assert!(pair.renew(&client, 1, address).is_none(), "FREE is the primary's");
}

#[test]
fn a_client_heard_after_the_reset_has_more_to_say() {
    let mut pair = Pair::normal(3600);
    let client = Client::new(1);
    let (n, address, _) = pair.bind(&client).expect("a lease");
    pair.cut();
    assert!(reset(&mut pair, n, address, true).is_ok());
    assert!(pair.renew(&client, n, address).is_none(), "nobody's");
    pair.pass(seconds(60));
    assert!(pair.renew(&client, 1 - n, address).is_some(), "the partner does not know yet");
    pair.mend();
    pair.pass(seconds(60));
    assert_eq!(pair.status(address), [BindingStatus::Active; 2]);
    pair.assert_equal();
}

#[test]
fn in_partner_down_the_lease_is_waited_for_as_any_other() {
    let mut pair = Pair::normal(3600);
    let client = Client::new(1);
    let (n, address, _) = pair.bind(&client).expect("a lease");
    pair.kill(1 - n);
    pair.command(n, Command::PartnerDown);
    assert!(reset(&mut pair, n, address, true).is_ok());
    pair.pass(seconds(MCLT + 20));
    assert_eq!(pair.lease(n, address).status, BindingStatus::Reset, "trap T3");
    pair.pass(seconds(2 * 3600 + 60));
    assert_eq!(pair.lease(n, address).status, BindingStatus::Free);
    pair.start(1 - n);
    pair.pass(seconds(MCLT + 120));
    assert_eq!(pair.states(), (FailoverState::Normal, FailoverState::Normal));
    pair.assert_equal();
}

#[test]
fn not_while_the_bindings_are_not_those_that_go() {
    let (mut pair, n, address) = declined();
    pair.kill(n);
    pair.nodes[n].parts.relationships[0].startup = Some(seconds(30));
    pair.cut();
    pair.start(n);
    let refused =
        ResetRefusal::InState { address, relationship: "campus".to_owned(), state: FailoverState::Startup };
    assert_eq!(reset(&mut pair, n, address, false), Err(refused));
    pair.mend();
    pair.pass(seconds(60));
    assert!(reset(&mut pair, n, address, false).is_ok());
    pair.command(n, Command::StorageLost { down_since: None });
    assert!(matches!(reset(&mut pair, n, address, false), Err(ResetRefusal::InState { .. })));
}

#[test]
fn it_survives_a_restart() {
    let (mut pair, n, address) = declined();
    pair.cut();
    assert!(reset(&mut pair, n, address, false).is_ok());
    pair.kill(n);
    pair.start(n);
    assert_eq!(pair.lease(n, address).status, BindingStatus::Reset);
    pair.mend();
    pair.pass(seconds(60));
    assert_eq!(pair.status(address), [BindingStatus::Free; 2]);
    pair.assert_equal();
}
