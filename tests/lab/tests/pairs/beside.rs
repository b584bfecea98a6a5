//! What all stories of a Tandem beside a real dhcpd have in common: how they begin, what they wait for, how they must end.

use crate::{nobody_noticed, nobody_shares, well_spoken};
use lab::pair::usual_beside_dhcpd;
use lab::partners::Said;
use lab::puppet::Given;
use lab::{Guests, Node, Pair, Puppet, ServerKind, Setup, Side, seconds};
use std::net::Ipv4Addr;
use std::time::Duration;

/// In order where the two did not hear each other: a dhcpd tells the end of a lease that the other has extended, and is told no.
pub const OVERTAKEN: &str = "rejected: outdated binding information";

/// In order where both heard the same message of a client: of updates that cross the primary refuses the one that it is told (trap
/// T22).
pub const CROSSED: &str = "rejected: less critical binding information";

/// In order where Tandem was asked to end: it says PAUSED, and closes the connection.
pub const PAUSED: &str = "Failover DISCONNECT from campus: Unknown Error.";

/// In order where everything is told at once: a dhcpd tells of an address anew before it has the answer to what it told before.
pub const ACK_CROSSED: &str = "got ack from campus: xid mismatch.";

/// MCLT of these pairs, in seconds: as long as the leases.
pub const MCLT: u32 = 60;

/// Longer than the lease of each client.
pub const LIVES: Duration = seconds(70);

/// dhcpd is 15 s in STARTUP, and both wait for MCLT at their first meeting.
pub const FIRST: u64 = 120;

/// Both, in NORMAL, with equal databases.
#[track_caller]
pub fn pair(story: &str, tandem: Side, mclt: u32) -> Pair {
    let pair = Pair::with_dhcpd(&format!("{story}-{}", tandem.name()), tandem, mclt);
    pair.wait_for_normal(FIRST);
    wait_for_balance(&pair, 60);
    pair.wait_until_equal(30);
    pair
}

/// A new pair of one's own setup in NORMAL and in balance, without the wait of a first meeting: nobody ever served here.
#[track_caller]
pub fn balanced_with(story: &str, tandem: Side, setup: impl Fn(Side) -> Setup) -> Pair {
    let pair = Pair::with_dhcpd_as(&format!("{story}-{}", tandem.name()), tandem, setup);
    starts_at_once(&pair, tandem);
    pair
}

/// The same of a pair that was started already.
#[track_caller]
pub fn starts_at_once(pair: &Pair, tandem: Side) {
    pair.command(tandem, &["recover", "--first-run", "--yes-it-never-served"]);
    pair.wait_for_normal(90);
    wait_for_balance(pair, 90);
    pair.wait_until_equal(60);
}

/// The usual one with leases of ten minutes, so that nothing ends or is extended while the story is told.
pub fn long_leases(side: Side, tandem: Side, mclt: u32) -> Setup {
    let mut setup = usual_beside_dhcpd(side, tandem, mclt);
    setup.subnets[0].times = (600, 300, 500);
    setup
}

/// A story told twice at the same time, with Tandem as primary and as secondary.
pub fn in_both_roles(story: impl Fn(Side) + Sync) {
    std::thread::scope(|scope| {
        let told = Side::BOTH.map(|tandem| {
            let story = &story;
            std::thread::Builder::new()
                .name(format!("tandem is {}", tandem.name()))
                .spawn_scoped(scope, move || story(tandem))
        });
        let ended = told.map(|thread| thread.unwrap().join());
        assert!(ended.iter().all(Result::is_ok), "see what a thread said before");
    });
}

/// Starts one again that has ended, and waits until it is through STARTUP, of which a dhcpd does not tell while it lasts.
#[track_caller]
pub fn comes_back(pair: &mut Pair, side: Side) {
    pair.restart(side);
    if pair.of(side).server.kind() == ServerKind::Dhcpd {
        pair.wait_for_log(side, "I move from startup to", 40);
    }
}

/// Waits until each has its half of what is available, up to the misbalance of 15 % that both leave alone (D12-5.4-05).
#[track_caller]
pub fn wait_for_balance(pair: &Pair, within: u64) {
    lab::wait_for("pools in balance at both", seconds(within), || {
        let available = Side::BOTH.map(|side| pair.standing(side).map(|standing| standing.available));
        let even = |of: &Option<(u64, u64)>| {
            of.is_some_and(|(free, backup)| free.abs_diff(backup) * 10 <= (free + backup) * 3)
        };
        available.iter().all(even).then(|| pair.say(&format!("FREE and BACKUP: {available:?}")))
    });
}

/// A node on which puppets speak.
pub fn stage(pair: &Pair) -> Node {
    let puppets = pair.lab.node("puppets");
    pair.lab.connect("lan", &puppets, lab::client::INTERFACE, "");
    puppets
}

/// The end of a story: NORMAL, one truth, nobody was harmed, all that was said is well-formed.
#[track_caller]
pub fn is_whole(pair: &mut Pair, guests: &mut Guests, within: u64, in_order: &[&str]) -> Vec<Said> {
    pair.wait_for_normal(within);
    pair.wait_until_equal(60);
    nobody_noticed(pair, guests);
    let said = well_spoken(pair);
    nothing_was_complained_of(pair, in_order);
    said
}

/// The same where clients are puppets: what was said between the two.
#[track_caller]
pub fn ends_well(pair: &mut Pair, in_order: &[&str]) -> Vec<Said> {
    nobody_shares(pair);
    let said = well_spoken(pair);
    nothing_was_complained_of(pair, in_order);
    said
}

/// The log of the dhcpd has no rejected update, no error, nothing invalid, but for what is in order in this story.
#[track_caller]
pub fn nothing_was_complained_of(pair: &Pair, in_order: &[&str]) {
    assert_eq!(pair.complaints(in_order), Vec::<String>::new(), "what the dhcpd complains of");
}

/// Waits until both say this of an address.
#[track_caller]
pub fn wait_for_status(pair: &Pair, address: Ipv4Addr, statuses: &[&str], within: u64) {
    let what = format!("{address} to be {statuses:?} at both");
    lab::wait_for(&what, seconds(within), || {
        let said = Side::BOTH.map(|side| {
            let member = pair.of(side);
            member.server.addresses(&member.node).get(&address).map(|lease| lease.status.clone())
        });
        said.iter().flatten().all(|status| statuses.contains(&status.as_str())).then_some(())
    });
    pair.say(&format!("both say that {address} is {}", statuses.join(" or ")));
}

/// A client of this server; numbers from `from` on are tried.
#[track_caller]
pub fn client_of(pair: &Pair, puppets: &Node, server: Side, from: u8) -> (Puppet, Given) {
    for number in from..from + 30 {
        let puppet = Puppet::new(number);
        let given = puppet.bind(puppets, &pair.clients, 10);
        if given.server == server.address() {
            pair.say(&format!("{} is a client of {}", given.address, server.name()));
            return (puppet, given);
        }
    }
    panic!("30 clients, and none of {}", server.name());
}
