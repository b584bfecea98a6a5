//! What survives: the engine rebuilt from its records is the engine in memory (S16), whatever happened.

mod common;

use common::{Client, Server, ip, records, seconds, small};
use engine::clock::{BootId, ClockStamp};
use engine::{Input, SnapshotCursor};
use failover::binding::BindingStatus;
use failover::time::Interval;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Bind(u8),
    Renew(u8),
    Release(u8),
    Decline(u8),
    Reboot(u8, u8),
    Pass(u64),
    Crash,
    Wish(u8, u32),
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..8_u8;
    prop_oneof![
        4 => client.clone().prop_map(Step::Bind),
        3 => client.clone().prop_map(Step::Renew),
        1 => client.clone().prop_map(Step::Release),
        1 => client.clone().prop_map(Step::Decline),
        1 => (client.clone(), 8..18_u8).prop_map(|(client, address)| Step::Reboot(client, address)),
        3 => (1..900_u64).prop_map(Step::Pass),
        1 => Just(Step::Crash),
        1 => (client, prop_oneof![Just(30_u32), Just(200), Just(u32::MAX)]).prop_map(|(client, wish)| Step::Wish(client, wish)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    /// F07-2.2-06.
    #[test]
    fn the_engine_rebuilt_is_the_engine_in_memory(steps in proptest::collection::vec(step(), 1..80)) {
        let parts = small(5);
        let mut server = Server::new(&parts);
        let mut clients: Vec<Client> = (0..8).map(Client::new).collect();
        let mut held = vec![None; clients.len()];
        for step in steps {
            match step {
                Step::Bind(n) => {
                    let client = &clients[usize::from(n)];
                    if let Some(offer) = client.discover(&mut server)
                        && let Some(ack) = client.select(&mut server, offer.yiaddr())
                    {
                        held[usize::from(n)] = Some(ack.yiaddr());
                    }
                }
                Step::Renew(n) => if let Some(address) = held[usize::from(n)] {
                    clients[usize::from(n)].renew(&mut server, address);
                },
                Step::Release(n) => if let Some(address) = held[usize::from(n)].take() {
                    clients[usize::from(n)].release(&mut server, address);
                },
                Step::Decline(n) => if let Some(address) = held[usize::from(n)].take() {
                    clients[usize::from(n)].decline(&mut server, address);
                },
                Step::Reboot(n, address) => {
                    clients[usize::from(n)].reboot(&mut server, ip(&format!("10.0.0.{address}")));
                }
                Step::Pass(interval) => server.pass(seconds(interval)),
                Step::Crash => server = server.crashed(&parts),
                Step::Wish(n, wish) => clients[usize::from(n)].wish = Some(wish),
            }
            prop_assert_eq!(server.crashed(&parts).leases(), server.leases());
            let status = server.engine.status(server.now);
            prop_assert_eq!(status.networks[0].by_status.iter().sum::<u64>(), 5, "no address is lost");
        }
        // L5: when nobody asks any more, every address comes back, but for leases without end.
        server.pass(seconds(100_000));
        for lease in server.leases() {
            let endless = lease.lease_expiration == failover::time::Time::NEVER;
            prop_assert!(lease.status == BindingStatus::Free || endless, "{lease:?}");
        }
    }
}

#[test]
fn a_snapshot_taken_piece_by_piece_while_leases_change_restores_the_same() {
    let parts = small(50);
    let mut server = Server::new(&parts);
    for n in 0..30 {
        Client::new(n).bind(&mut server);
    }
    let mut cursor = SnapshotCursor::default();
    let mut snapshot = Vec::new();
    let log_from = server.log.len();
    loop {
        let (_, done) = server.engine.snapshot(&mut cursor, 7, &mut snapshot);
        if done {
            break;
        }
        Client::new(3).renew(&mut server, ip("10.0.0.13"));
        Client::new(20).release(&mut server, ip("10.0.0.30"));
        Client::new(100).bind(&mut server);
        server.pass(seconds(5));
    }
    let mut log = records(&snapshot);
    log.extend_from_slice(&server.log[log_from..]);
    assert_eq!(Server::restored(&parts, &log, server.now).leases(), server.leases());
}

fn stamp(server: &Server, since_boot: u64, boot: u8, synchronised: bool) -> ClockStamp {
    let wall = server.now;
    ClockStamp {
        engine: server.now,
        since_boot: seconds(since_boot),
        wall,
        boot: BootId([boot; 16]),
        synchronised,
    }
}

/// Stamps, leases for 600 s, 10 s pass; then engine time jumps by 1000 s, and a second client wants the one address.
fn after_a_jump(before: impl Fn(&Server) -> ClockStamp, after: impl Fn(&Server) -> ClockStamp) -> Server {
    let mut server = Server::new(&small(1));
    let first = before(&server);
    server.note_clock(first);
    Client::new(1).bind(&mut server);
    server.pass(seconds(10));
    server.now = server.now.plus(seconds(1000));
    let second = after(&server);
    server.note_clock(second);
    server
}

#[test]
fn a_lease_given_by_a_clock_that_was_behind_is_not_over_before_its_client_thinks_so() {
    let lost = after_a_jump(|server| stamp(server, 50, 1, true), |server| stamp(server, 60, 1, true));
    let unknown = after_a_jump(|server| stamp(server, 50, 1, false), |server| stamp(server, 5, 2, true));
    for mut server in [lost, unknown] {
        server.pass(seconds(580));
        assert!(Client::new(2).discover(&mut server).is_none(), "client 1 has 10 s left by its own clock");
        // The same after a crash, and after a snapshot.
        let mut crashed = server.crashed(&small(1));
        crashed.pass(seconds(9));
        assert!(Client::new(2).discover(&mut crashed).is_none());
        let mut snapshot = Vec::new();
        server.engine.snapshot(&mut SnapshotCursor::default(), 100, &mut snapshot);
        let mut restored = Server::restored(&small(1), &records(&snapshot), server.now);
        restored.pass(seconds(9));
        assert!(Client::new(2).discover(&mut restored).is_none());
        // At most what may have been lost, 1010 s, and the slack are added.
        restored.pass(seconds(450));
        assert!(Client::new(2).discover(&mut restored).is_some());
    }
}

#[test]
fn a_shorter_renewal_that_may_not_have_been_heard_takes_nothing_from_a_lease_by_a_clock_that_was_behind() {
    let mut server = after_a_jump(|server| stamp(server, 50, 1, true), |server| stamp(server, 60, 1, true));
    let mut client = Client::new(1);
    client.wish = Some(60);
    assert_eq!(client.renew(&mut server, ip("10.0.0.10")).unwrap().lease(), 60);
    server.pass(seconds(580));
    assert!(Client::new(2).discover(&mut server).is_none(), "client 1 may still count on its first lease");
}

/// Leases are recorded by the second; the rest of the second in which lost time was found is after it.
#[test]
fn lost_time_is_added_once_to_a_lease_that_is_renewed_again_in_the_second_in_which_it_was_found() {
    let mut server = Server::new(&small(1));
    let first = stamp(&server, 50, 1, true);
    server.note_clock(first);
    Client::new(1).bind(&mut server);
    server.now = server.now.plus(Interval::from_millis(7_200_900));
    let second = stamp(&server, 50, 1, true);
    server.note_clock(second);
    // The first lease counts for 7200.9 s more.
    let kept = server.now.plus(seconds(601));
    for time in 1..=5 {
        Client::new(1).renew(&mut server, ip("10.0.0.10")).unwrap();
        let end = server.lease("10.0.0.10").lease_expiration;
        assert!(end <= kept, "{} too late after renewal {time}", end.since(kept));
    }
    server.pass(seconds(613));
    assert!(Client::new(2).discover(&mut server).is_some());
}

#[test]
fn a_reboot_of_a_machine_that_knew_the_time_holds_nothing_back() {
    let mut server = after_a_jump(|server| stamp(server, 50, 1, true), |server| stamp(server, 5, 2, true));
    server.pass(seconds(1));
    assert!(Client::new(2).discover(&mut server).is_some());
}

#[test]
fn an_address_that_left_the_configuration_is_kept_and_comes_back() {
    let large = small(5);
    let mut server = Server::new(&large);
    for n in 0..5 {
        Client::new(n).bind(&mut server);
    }
    let shrunk = server.crashed(&small(2));
    let orphan = shrunk.lease("10.0.0.14");
    assert!(orphan.orphan && orphan.status == BindingStatus::Active);
    let mut snapshot = Vec::new();
    let (records, done) = shrunk.engine.snapshot(&mut SnapshotCursor::default(), 100, &mut snapshot);
    assert!(done && records == 5, "a snapshot keeps what has no place");
    let again = shrunk.crashed(&large);
    assert_eq!(again.leases(), server.leases());
}

#[test]
fn expiries_are_done_piece_by_piece() {
    let mut parts = small(1);
    let subnet = &mut parts.shared_networks[0].subnets[0];
    subnet.prefix = "10.0.0.0/16".parse().unwrap();
    (subnet.pools[0].first, subnet.pools[0].last) = (ip("10.0.1.0"), ip("10.0.12.255"));
    let mut server = Server::new(&parts);
    for n in 0..=2500_u16 {
        let mut client = Client::new(0);
        client.identifier = Some(n.to_be_bytes().to_vec());
        client.bind(&mut server);
    }
    server.now = server.now.plus(seconds(1000));
    let began = server.now;
    let expired = |server: &Server| server.engine.counters().get(engine::counter::Counter::Expiry);
    while server.engine.next_deadline().is_some_and(|at| at <= began.plus(seconds(1))) {
        server.now = server.now.max(server.engine.next_deadline().unwrap());
        let before = expired(&server);
        // Whoever comes meanwhile does no share of it.
        for _ in 0..5 {
            server.engine.handle(server.now, Input::Wake, &mut server.outbox);
        }
        let now = expired(&server) - before;
        assert!(now <= u64::from(engine::WORK_PER_CALL), "{now} in one millisecond");
    }
    let took = server.now.since(began).as_millis();
    assert!((2..10).contains(&took), "{took} ms");
    assert_eq!(expired(&server), 2501);
}
