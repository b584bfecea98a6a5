//! An MCLT that is changed between two starts: nobody promises by a longer one before the partner knows it, and nobody waits by a
//! shorter one before what was promised by the longer is over (F07-5.2.1-01, -07, F07-5.14-01).

#![allow(clippy::expect_used, reason = "a broken test may stop")]

mod common;
mod link;

use common::{Client, seconds};
use failover::binding::BindingStatus;
use failover::endpoint::Command;
use failover::state::FailoverState;
use link::{MCLT, Pair};

const NORMAL: (FailoverState, FailoverState) = (FailoverState::Normal, FailoverState::Normal);
const SHORT: u64 = 60;
const LONG: u64 = 3000;

/// A pair in NORMAL whose primary restarts with another MCLT, still cut off from the secondary.
fn restarted_alone(mclt: u64) -> Pair {
    let mut pair = Pair::normal(2 * 3600);
    pair.cut();
    change(&mut pair, mclt);
    pair.pass(seconds(12));
    assert_eq!(pair.view(0).state, FailoverState::CommunicationsInterrupted);
    pair
}

fn change(pair: &mut Pair, mclt: u64) {
    pair.kill(0);
    for node in &mut pair.nodes {
        node.parts.relationships[0].mclt = seconds(mclt);
    }
    pair.start(0);
}

/// How long node `n` waits in PARTNER-DOWN before it gives addresses of the partner, in seconds.
fn waits(pair: &mut Pair, n: usize) -> u64 {
    pair.kill(1 - n);
    pair.command(n, Command::PartnerDown);
    assert_eq!(pair.view(n).state, FailoverState::PartnerDown);
    let own = if n == 0 { BindingStatus::Free } else { BindingStatus::Backup };
    let own = pair.leases(n).iter().filter(|lease| lease.status == own).count();
    let entered = pair.now;
    let mut number = 100;
    for _ in 0..own {
        number += 1;
        assert!(pair.bind(&Client::new(number)).is_some(), "of its own");
    }
    while pair.bind(&Client::new(99)).is_none() {
        pair.pass(seconds(10));
        assert!(pair.now.since(entered) < seconds(2 * LONG), "it waits for ever");
    }
    pair.now.since(entered).as_seconds()
}

#[test]
fn a_shorter_one_is_not_waited_for_before_the_partner_knows_it() {
    let mut pair = restarted_alone(SHORT);
    // The secondary goes by what it knows.
    let gone = (1..40).map(Client::new).find_map(|client| {
        let discover = client.message(dhcp::MessageType::Discover, std::net::Ipv4Addr::UNSPECIFIED, &[]);
        let (n, offer) = pair.send(&client, Some(1), &discover).pop()?;
        let address = offer.yiaddr();
        let wanted: [(u8, &[u8]); 2] = [
            (dhcp::code::REQUESTED_ADDRESS, &address.octets()),
            (dhcp::code::SERVER_IDENTIFIER, &pair.nodes[n].address.octets()),
        ];
        let request = client.message(dhcp::MessageType::Request, std::net::Ipv4Addr::UNSPECIFIED, &wanted);
        pair.send(&client, Some(1), &request).pop().map(|(_, ack)| ack.lease())
    });
    assert_eq!(gone.map(u64::from), Some(MCLT));
    // It promises by the shorter one itself, which risks nothing.
    let given = waits(&mut pair, 0);
    assert!((MCLT..MCLT + 40).contains(&given), "{given}");
}

#[test]
fn a_shorter_one_counts_for_waits_when_the_longer_has_passed() {
    for n in [0, 1] {
        for pause in [30, MCLT + 60] {
            let mut pair = Pair::normal(2 * 3600);
            change(&mut pair, SHORT);
            let changed = pair.now;
            pair.pass(seconds(pause));
            assert_eq!(pair.states(), NORMAL);
            assert_eq!([0, 1].map(|n| pair.view(n).mclt), [seconds(SHORT); 2]);
            let (_, _, lease) = pair.bind(&Client::new(1)).expect("a lease");
            assert_eq!(u64::from(lease), SHORT);
            // What the partner may still hold by the longer is remembered over a restart.
            pair.kill(n);
            pair.start(n);
            pair.pass(seconds(5));
            let waited = waits(&mut pair, n);
            if pause < MCLT {
                let since = pair.now.since(changed).as_seconds();
                assert!((MCLT..MCLT + 40).contains(&since), "node {n}: {since}");
            } else {
                assert!((SHORT..SHORT + 40).contains(&waited), "node {n}: {waited}");
            }
        }
    }
}

#[test]
fn by_a_longer_one_nothing_is_promised_before_the_partner_knows_it() {
    let mut pair = restarted_alone(LONG);
    let client = Client::new(1);
    let alone = |pair: &mut Pair| {
        pair.freeze(1);
        let bound = pair.bind(&client);
        pair.thaw(1);
        bound.expect("a lease")
    };
    let (_, address, lease) = alone(&mut pair);
    // Less what passed since this server was known to be alive (trap T15).
    assert!((MCLT - 20..=MCLT).contains(&u64::from(lease)), "{lease}");
    let reply = pair.renew(&client, 0, address).expect("an answer");
    assert!((MCLT - 20..=MCLT).contains(&u64::from(reply.lease())));
    pair.mend();
    pair.pass(seconds(60));
    assert_eq!(pair.states(), NORMAL);
    assert_eq!([0, 1].map(|n| pair.view(n).mclt), [seconds(LONG); 2]);
    let (_, _, lease) = pair.bind(&Client::new(2)).expect("a lease");
    assert_eq!(u64::from(lease), LONG);
}

#[test]
fn a_longer_one_is_waited_for_from_the_start() {
    // The secondary may know of it since the connection that the primary has not seen complete.
    let mut pair = restarted_alone(LONG);
    let waited = waits(&mut pair, 0);
    assert!((LONG..LONG + 40).contains(&waited), "{waited}");
    let mut pair = Pair::normal(2 * 3600);
    change(&mut pair, LONG);
    pair.pass(seconds(30));
    let waited = waits(&mut pair, 1);
    assert!((LONG..LONG + 40).contains(&waited), "{waited}");
}
