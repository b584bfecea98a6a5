//! The control socket, asked as any HTTP client would, with a real engine behind it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

use engine::record::{BindingRecord, ClientDetails, Flags, Record, Stamp};
use engine::{Engine, Interface, InterfaceId, Outbox};
use failover::binding::BindingStatus;
use failover::endpoint::{Command, Refusal};
use failover::state::FailoverState;
use failover::time::{Interval, Time};
use server::control::json::{Commanded, Failure, Leases, Status};
use server::control::{self, CommandAnswer, ControlError, ControlHandle, HealthState, Question};
use server::{InterfaceStatus, OwnerHandle, ServerStatus, StoreStatus};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use store::{Health, Opened, Position, StoreIdentity};

const CONFIG: &str = r#"
interfaces = ["eth0"]
state-directory = "/nonexistent"
lease-time = "1h"
[[subnet]]
prefix = "10.0.0.0/22"
[[subnet.pool]]
range = "10.0.0.10-10.0.3.250"
"#;

/// It is ABANDONED.
const DECLINED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 200);

fn engine() -> Engine {
    let (config, _) = config::parse("test", CONFIG).unwrap();
    let mut engine = Engine::new(config.engine, 1);
    let mut outbox = Outbox::new(engine::Position::default());
    let now = Time::from_seconds(1_795_561_618);
    engine.replay(&declined()).unwrap();
    engine.start(now, &mut outbox);
    let interfaces = [Interface { id: InterfaceId(1), addresses: vec![Ipv4Addr::new(10, 0, 0, 1)] }];
    engine.handle(now, engine::Input::Interfaces(&interfaces), &mut outbox);
    engine
}

fn declined() -> Vec<u8> {
    let since = Stamp::at_or_before(Time::from_seconds(1_795_561_600));
    let mut bytes = Vec::new();
    Record::Binding(BindingRecord {
        address: DECLINED,
        status: BindingStatus::Abandoned,
        flags: Flags::NONE,
        start_time_of_state: since,
        client_last_transaction_time: Stamp::NONE,
        lease_expiration: Stamp::NONE,
        sent_potential_expiration: Stamp::NONE,
        acked_potential_expiration: Stamp::NONE,
        received_potential_expiration: Stamp::NONE,
        doubted_until: Stamp::NONE,
        hardware: None,
        identity: &[],
        details: ClientDetails::default(),
        reserved_for: None,
    })
    .encode(&mut bytes);
    bytes
}

fn server_status(engine: &Engine, health: Health) -> ServerStatus {
    ServerStatus {
        version: "1.2.3",
        uptime: Interval::from_seconds(77),
        engine: engine.status(Time::from_seconds(1_795_561_618)),
        shell: vec![("packets-received", 5)],
        store: StoreStatus {
            identity: StoreIdentity::from_entropy([7; 16]),
            generation: 3,
            health,
            stable: Position(10),
            next: Position(12),
            opened: Opened::default(),
        },
        interfaces: vec![InterfaceStatus {
            name: "eth0".to_owned(),
            index: Some(2),
            up: true,
            addresses: vec![Ipv4Addr::new(10, 0, 0, 1)],
        }],
        partners: Vec::new(),
    }
}

/// A control socket with an owner that answers, until the handle is dropped.
fn answered(name: &str, health: Health) -> (PathBuf, ControlHandle) {
    let (owner, questions) = OwnerHandle::new().unwrap();
    std::thread::spawn(move || {
        let mut engine = engine();
        let now = Time::from_seconds(1_795_561_618);
        for question in questions {
            // Who asked may have gone away.
            match question {
                Question::Status { answer } => drop(answer.send(server_status(&engine, health))),
                Question::Leases { filter, limit, answer } => {
                    drop(answer.send(engine.leases(&filter, limit)));
                }
                Question::Reset { address, leased, answer } => {
                    let mut outbox = Outbox::new(engine::Position::default());
                    drop(answer.send(engine.reset_address(now, address, leased, &mut outbox)));
                }
                Question::Command { relationship, command, answer } => {
                    drop(answer.send(commanded(relationship.as_deref(), command)));
                }
            }
        }
    });
    let path = socket(name);
    let handle = control::start(&path, owner).unwrap();
    (path, handle)
}

/// What an owner in NORMAL with one relationship answers.
fn commanded(relationship: Option<&str>, command: Command) -> CommandAnswer {
    let campus = "campus".to_owned();
    match (relationship, command) {
        (Some(name), _) if name != "campus" => CommandAnswer::Which(vec![campus]),
        (_, Command::FirstRun) => {
            CommandAnswer::Refused { relationship: campus, why: Refusal::InState(FailoverState::Normal) }
        }
        (_, command) => {
            let state = match command {
                Command::PartnerDown => FailoverState::PartnerDown,
                Command::StorageLost { down_since: None } => FailoverState::Recover,
                Command::StorageLost { down_since: Some(since) } => {
                    assert_eq!(since, Time::from_seconds(1_795_561_618));
                    FailoverState::RecoverWait
                }
                Command::Pause => FailoverState::Paused,
                Command::Shutdown => FailoverState::Shutdown,
                _ => FailoverState::Normal,
            };
            CommandAnswer::Done { relationship: campus, before: FailoverState::Normal, state }
        }
    }
}

fn socket(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("tandem-control-{}-{name}.sock", std::process::id()))
}

/// Sends bytes and returns status and body.
fn send(path: &Path, request: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // What came before a reset counts: a refusal leaves the rest of the request unread.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer.as_str(), ""));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn get(path: &Path, uri: &str) -> (u16, String) {
    send(path, &format!("GET {uri} HTTP/1.1\r\nHost: tandem\r\n\r\n"))
}

#[test]
fn status_tells_health_and_counters() {
    let (path, _handle) = answered("status", Health::Ok);
    let (code, body) = get(&path, "/v1/status");
    let status: Status = serde_json::from_str(&body).unwrap();
    assert_eq!((code, status.version.as_str(), status.uptime_seconds), (200, "1.2.3", 77));
    assert_eq!((status.health.state, status.health.problems.len()), (HealthState::Ok, 0));
    assert_eq!(status.networks[0].by_status["FREE"], 1008);
    assert_eq!((status.store.stable_position, status.store.next_position), (10, 12));
    assert_eq!(status.store.identity, "07070707-0707-4707-8707-070707070707");
    assert_eq!((status.counters["received"], status.shell_counters["packets-received"]), (0, 5));
    assert_eq!(status.now.unwrap().time, "2026-11-24T23:06:58Z");
}

#[test]
fn a_store_that_takes_nothing_is_unhealthy() {
    for health in [Health::ReserveOnly, Health::Poisoned] {
        let (path, _handle) = answered(&format!("unhealthy-{health:?}"), health);
        let status: Status = serde_json::from_str(&get(&path, "/v1/status").1).unwrap();
        assert_eq!((status.health.state, status.health.problems.len()), (HealthState::Unhealthy, 1));
    }
}

#[test]
fn leases_come_in_pages_and_none_is_lost_between_two() {
    let (path, _handle) = answered("pages", Health::Ok);
    let (mut from, mut found) = (Some(Ipv4Addr::UNSPECIFIED), Vec::new());
    while let Some(at) = from {
        let (code, body) = get(&path, &format!("/v1/leases?from={at}&limit=100&unused=true&status=free"));
        let page: Leases = serde_json::from_str(&body).unwrap();
        assert!(code == 200 && page.leases.len() <= 100);
        found.extend(page.leases.iter().map(|lease| lease.address));
        from = page.next;
    }
    let all: Vec<Ipv4Addr> = (u32::from(Ipv4Addr::new(10, 0, 0, 10))
        ..=u32::from(Ipv4Addr::new(10, 0, 3, 250)))
        .map(Ipv4Addr::from)
        .filter(|address| *address != DECLINED)
        .collect();
    assert_eq!(found, all);
    let used: Leases = serde_json::from_str(&get(&path, "/v1/leases").1).unwrap();
    assert_eq!((used.leases.len(), used.next), (1, None));
}

#[test]
fn a_wrong_question_is_refused_in_words() {
    let (path, _handle) = answered("wrong", Health::Ok);
    let long = "x".repeat(20_000);
    let cases = [
        ("/v1/leases?limit=0", 400, "a page has 1 to 1000 leases"),
        ("/v1/leases?limit=1001", 400, "a page has 1 to 1000 leases"),
        ("/v1/leases?status=BUSY", 400, "FREE, ACTIVE"),
        ("/v1/leases?from=10.0.0", 400, "from"),
        ("/v1/leases?colour=blue", 400, "unknown field `colour`"),
        ("/v2/status", 404, "/v1/status"),
    ];
    for (uri, wanted, text) in cases {
        let (code, body) = get(&path, uri);
        let failure: Failure = serde_json::from_str(&body).unwrap();
        assert!(code == wanted && failure.error.contains(text), "{uri}: {code} {}", failure.error);
    }
    let (code, body) = send(&path, "DELETE /v1/status HTTP/1.1\r\nHost: tandem\r\n\r\n");
    assert!(code == 405 && body.contains("GET"), "{code} {body}");
    let (code, _) = send(&path, "POST /v1/status HTTP/1.1\r\nHost: tandem\r\nContent-Length: 5000\r\n\r\n");
    assert_eq!(code, 413);
    assert_eq!(send(&path, "no HTTP at all\r\n\r\n").0, 400);
    assert_eq!(get(&path, &format!("/{long}")).0, 431);
    assert_eq!(get(&path, "/v1/status").0, 200);
}

fn post(path: &Path, uri: &str) -> (u16, String) {
    send(path, &format!("POST {uri} HTTP/1.1\r\nHost: tandem\r\nContent-Length: 0\r\n\r\n"))
}

#[test]
fn commands_are_given_by_post_and_each_has_its_answer() {
    let (path, _handle) = answered("commands", Health::Ok);
    let done = [
        ("partner-down", "PARTNER-DOWN"),
        ("partner-down?relationship=campus", "PARTNER-DOWN"),
        ("serve-alone", "NORMAL"),
        ("storage-lost", "RECOVER"),
        ("storage-lost?down-since=2026-11-24T23:06:58Z", "RECOVER-WAIT"),
        ("resync", "NORMAL"),
        ("pause", "PAUSED"),
        ("shutdown", "SHUTDOWN"),
    ];
    for (command, wanted) in done {
        let (code, body) = post(&path, &format!("/v1/failover/{command}"));
        assert_eq!(code, 200, "{command}: {body}");
        let done: Commanded = serde_json::from_str(&body).unwrap();
        assert_eq!((done.relationship_name.as_str(), done.state_before.as_str()), ("campus", "NORMAL"));
        assert_eq!(done.state, wanted, "{command}");
    }
    let refused = [
        ("first-run", 409, "campus: refused: this is not possible in NORMAL"),
        ("pause?relationship=hall", 400, "Name one of campus"),
        ("pause?down-since=2026-11-24T23:06:58Z", 400, "for `storage-lost` only"),
        ("storage-lost?down-since=yesterday", 400, "`yesterday` is no time"),
        ("partner-up", 404, "partner-down"),
        ("pause?now=true", 400, "unknown field `now`"),
    ];
    for (command, wanted, text) in refused {
        let (code, body) = post(&path, &format!("/v1/failover/{command}"));
        let failure: Failure = serde_json::from_str(&body).unwrap();
        assert!(code == wanted && failure.error.contains(text), "{command}: {code} {}", failure.error);
    }
    let (code, body) = get(&path, "/v1/failover/shutdown");
    assert!(code == 405 && body.contains("POST"), "a command by GET: {code} {body}");
}

#[test]
fn an_address_is_reset_by_post_or_refused_in_words() {
    let (path, _handle) = answered("reset", Health::Ok);
    let refused = [
        ("10.0.0.9/reset", 404, "10.0.0.9 is in no pool"),
        ("10.0.0.10/reset", 409, "10.0.0.10 is FREE"),
        ("10.0.0/reset", 400, "`10.0.0` is no IPv4 address"),
        ("10.0.0.10/reset?leased=perhaps", 400, "leased"),
        ("10.0.0.10/reset?lease=true", 400, "unknown field `lease`"),
        ("10.0.0.10/abandon", 404, "/v1/leases/ADDRESS/reset"),
    ];
    for (what, wanted, text) in refused {
        let (code, body) = post(&path, &format!("/v1/leases/{what}"));
        let failure: Failure = serde_json::from_str(&body).unwrap();
        assert!(code == wanted && failure.error.contains(text), "{what}: {code} {}", failure.error);
    }
    assert_eq!(get(&path, "/v1/leases/10.0.0.10/reset").0, 405);
    assert_eq!(post(&path, &format!("/v1/leases/{DECLINED}/reset")).0, 200);
    let (code, body) = post(&path, &format!("/v1/leases/{DECLINED}/reset"));
    assert!(code == 409 && body.contains("is FREE"), "{code} {body}");
}

#[test]
fn an_owner_that_does_not_answer_is_told_of_in_two_seconds() {
    let (owner, questions) = OwnerHandle::new().unwrap();
    let path = socket("silent");
    let handle = control::start(&path, owner).unwrap();
    let begin = Instant::now();
    let (code, body) = get(&path, "/v1/status");
    assert!(code == 503 && body.contains("did not answer within 2 s"), "{code} {body}");
    assert!((2..4).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    let (code, body) = post(&path, "/v1/failover/partner-down");
    assert!(code == 503 && body.contains("it may be done yet"), "{code} {body}");
    drop(questions);
    let (code, body) = get(&path, "/v1/status");
    assert!(code == 503 && body.contains("stopping"), "{code} {body}");
    drop(handle);
    assert!(!path.exists(), "the socket outlives its server");
}

#[test]
fn idle_connections_give_way() {
    let (path, _handle) = answered("idle", Health::Ok);
    let idle: Vec<UnixStream> =
        (0..control::MAX_CONNECTIONS).map(|_| UnixStream::connect(&path).unwrap()).collect();
    let begin = Instant::now();
    assert_eq!(get(&path, "/v1/status").0, 200);
    assert!(begin.elapsed() >= Duration::from_secs(3), "the bound on connections does not bind");
    drop(idle);
}

#[test]
fn a_second_server_is_refused() {
    let (path, handle) = answered("second", Health::Ok);
    let (owner, _questions) = OwnerHandle::new().unwrap();
    assert!(matches!(control::start(&path, owner.clone()), Err(ControlError::InUse(_))));
    drop(handle);
    control::start(&path, owner).unwrap();
}
