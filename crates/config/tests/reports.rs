//! What an operator reads: every key has its effect, and every mistake its line.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

use config::{LogLevel, Report, ServerConfig, Severity, parse};
use dhcp::options::code;
use failover::time::Interval;
use std::net::Ipv4Addr;

const GOOD: &str = r#"
interfaces = ["eth0", "eth1"]
state-directory = "/var/lib/tandem"
log-level = "debug"
clock-wait = 0
segment-size = 1048576
backlog = 4096
offer-time = "30s"
decline-time = "2h"
lease-time = "8h"
options = { domain-name = "campus.example", 224 = "hex:0a:0b" }

[[subnet]]
prefix = "10.1.0.0/16"
max-lease-time = "1d"
renewal-time = "1h"
rebinding-time = "2h"
next-server = "10.0.0.5"
server-name = "boot"
boot-file = "pxelinux.0"
options = { routers = ["10.1.0.1"], classless-static-routes = ["10.2.0.0/16 via 10.1.0.2"], interface-mtu = 1400 }

[[subnet.pool]]
range = ["10.1.16.0-10.1.16.255", "10.1.20.7"]
failover = "campus"
options = { domain-name = "lab.example" }

[[subnet.reservation]]
hardware-address = "02:00:00:00:00:01"
address = "10.1.0.9"
host-name = "printer"

[[subnet.reservation]]
client-identifier = "hex:01:02"
address = "10.1.0.10"

[[subnet]]
prefix = "10.3.0.0/24"
lease-time = "infinite"
min-lease-time = 120
[[subnet.pool]]
range = "10.3.0.10-10.3.0.20"
failover = "old"

[[shared-network]]
name = "hall"
subnets = ["10.3.0.0/24", "10.1.0.0/16"]

[[failover]]
name = "campus"
role = "secondary"
listen = "127.0.0.1:6470"
partner = "127.0.0.2"
partner-kind = "tandem"
dialect = "draft-12"
mclt = "30m"
split = 100
max-unacked = 10
receive-timer = "5s"
startup-wait = "7s"
start-alone = true
restart-alone = "trust"
delayed-service = "3s"

[[failover]]
name = "old"
role = "primary"
listen = "192.0.2.1"
partner = "192.0.2.3:847"
partner-kind = "dhcpd"
"#;

fn good() -> ServerConfig {
    let (config, report) =
        parse("tandem.toml", GOOD).unwrap_or_else(|report| panic!("{}", report.render(false)));
    // A dhcpd as partner is never without a word of warning.
    let said: Vec<&str> = report.diagnostics().iter().map(|found| found.message.as_str()).collect();
    assert!(matches!(said[..], [one] if one.contains("docs/dhcpd-partner.md")), "{said:?}");
    config
}

fn bad(text: &str) -> Report {
    match parse("tandem.toml", text) {
        Ok(_) => panic!("taken: {text}"),
        Err(report) => report,
    }
}

/// Line and message of each error.
fn errors(text: &str) -> Vec<(usize, String)> {
    bad(text)
        .diagnostics()
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| (diagnostic.line, diagnostic.message.clone()))
        .collect()
}

#[test]
fn every_key_has_its_effect() {
    let config = good();
    assert_eq!(config.interfaces, ["eth0", "eth1"]);
    assert_eq!(config.state_directory.to_str(), Some("/var/lib/tandem"));
    assert_eq!(config.control_socket.to_str(), Some("/var/lib/tandem/control.sock"));
    assert_eq!(
        (config.log_level, config.clock_wait, config.segment_size, config.backlog),
        (LogLevel::Debug, Interval::ZERO, 1 << 20, 4096)
    );
    let engine = &config.engine;
    assert_eq!(
        (engine.offer_time(), engine.decline_time()),
        (Interval::from_seconds(30), Interval::from_seconds(7200))
    );
    let network = &engine.networks()[0];
    assert_eq!((network.name.as_str(), network.subnets.len(), network.pools.len()), ("hall", 2, 3));
    let campus = engine.subnet(engine.subnet_of(Ipv4Addr::new(10, 1, 0, 9)).unwrap());
    assert_eq!(campus.lease.lease, Interval::from_seconds(28_800));
    assert_eq!(campus.lease.maximum, Interval::from_seconds(86_400));
    assert_eq!(campus.lease.renewal, Some(Interval::from_seconds(3600)));
    assert_eq!(campus.lease.rebinding, Some(Interval::from_seconds(7200)));
    assert_eq!(campus.boot.next_server, Some(Ipv4Addr::new(10, 0, 0, 5)));
    assert_eq!(
        (campus.boot.server_name.as_slice(), campus.boot.file.as_slice()),
        (&b"boot"[..], &b"pxelinux.0"[..])
    );
    assert_eq!(campus.options.get(code::DOMAIN_NAME), Some(&b"campus.example"[..]));
    assert_eq!(campus.options.get(224), Some(&[10, 11][..]));
    assert_eq!(campus.options.get(121), Some(&[16, 10, 2, 10, 1, 0, 2][..]));
    assert_eq!(campus.options.get(26), Some(&[5, 120][..]));
    assert_eq!(campus.options.get(code::SUBNET_MASK), Some(&[255, 255, 0, 0][..]));
    let pool = engine.pools().iter().find(|pool| pool.first == Ipv4Addr::new(10, 1, 20, 7)).unwrap();
    assert_eq!((pool.last, pool.options.get(code::DOMAIN_NAME)), (pool.first, Some(&b"lab.example"[..])));
    let reserved = engine.reservation(engine.reservation_at(Ipv4Addr::new(10, 1, 0, 9)).unwrap());
    assert_eq!(reserved.options.get(code::HOST_NAME), Some(&b"printer"[..]));
    let other = engine.subnet(engine.subnet_of(Ipv4Addr::new(10, 3, 0, 1)).unwrap());
    assert_eq!((other.lease.lease, other.lease.minimum), (Interval::INFINITE, Interval::from_seconds(120)));
}

#[test]
fn all_errors_are_said_at_once_each_with_its_line() {
    let text = r#"interfaces = []
state-directory = 7
colour = "blue"
log-level = "loud"
[[failover]]
name = "campus"
[[subnet]]
prefix = "10.1.0.0/24"
lease-tim = "8h"
options = { routters = ["10.1.0.1"], lease-time = 5, interface-mtu = "big", 54 = "hex:01" }
[[subnet.pool]]
range = "10.1.0.0-10.1.0.99"
[[subnet.pool]]
range = "10.1.0.50-10.1.1.7"
[[subnet.reservation]]
address = "10.1.0.200"
"#;
    let found = errors(text);
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 5, 5, 6, 8, 9, 10, 10, 10, 10, 12, 14, 14, 15], "{found:#?}");
}

#[test]
fn a_backlog_has_a_size() {
    assert_eq!(parse("tandem.toml", &GOOD.replace("backlog = 4096\n", "")).unwrap().0.backlog, 1 << 17);
    for (value, says) in
        [("63", "from 64 to 4194304"), ("4194305", "from 64 to 4194304"), ("\"many\"", "a number of packets")]
    {
        let text = GOOD.replace("backlog = 4096", &format!("backlog = {value}"));
        let found = errors(&text);
        assert!(matches!(&found[..], [(7, message)] if message.contains(says)), "{value}: {found:?}");
    }
    for (value, packets) in [("64", 64), ("4194304", 1 << 22)] {
        let text = GOOD.replace("backlog = 4096", &format!("backlog = {value}"));
        assert_eq!(parse("tandem.toml", &text).unwrap().0.backlog, packets);
    }
}

#[test]
fn a_report_shows_file_line_caret_and_what_to_do() {
    let text = "interfaces = [\"eth0\"]\nstate-directory = \"/tmp/x\"\nlease-time = \"8h\"\n\n[[subnet]]\nprefix = \"10.1.0.0/24\"\n\n[[subnet.pool]]\nrang = \"10.1.0.5\"\nrange = \"10.1.0.90-10.1.0.10\"\n";
    assert_eq!(
        bad(text).render(false),
        r"error: [[subnet.pool]] has no key `rang`: remove it
 --> tandem.toml:9:1
  |
9 | rang = "
            .to_owned()
            + "\"10.1.0.5\"\n"
            + r"  | ^^^^ did you mean `range`?

error: the range ends before it begins: write 10.1.0.10-10.1.0.90
  --> tandem.toml:10:9
   |
10 | range = "
            + "\"10.1.0.90-10.1.0.10\"\n"
            + r"   |         ^^^^^^^^^^^^^^^^^^^^^ here"
    );
}

#[test]
fn what_the_engine_finds_is_shown_at_its_key() {
    let text = r#"interfaces = ["eth0"]
state-directory = "/var/lib/tandem"
offer-time = 0
lease-time = "8h"
options = { 51 = "hex:00000e10" }

[[subnet]]
prefix = "10.1.0.0/24"
min-lease-time = "1d"
renewal-time = "8h"
server-name = "a-name-of-a-server-that-is-longer-than-the-sixty-three-bytes-that-fit"
options = { routers = ["10.1.0.1"], 54 = "hex:0a010001" }

[[subnet.pool]]
range = ["10.1.0.10-10.1.0.20", "10.1.0.30-10.1.0.40"]
options = { 82 = [1, 2] }

[[subnet.reservation]]
client-identifier = "hex:"
address = "10.1.0.9"
options = { 1 = "hex:ffffff00", 58 = [0, 0, 0, 1] }
"#;
    insta::assert_snapshot!(bad(text).render(false));
}

#[test]
fn the_control_socket_is_found_in_a_file_that_is_wrong_elsewhere() {
    let path = std::env::temp_dir().join(format!("tandem-config-{}.toml", std::process::id()));
    let found = |text: &str| {
        std::fs::write(&path, text).unwrap();
        config::control_socket(&path).map_err(|report| report.diagnostics().len())
    };
    assert_eq!(found("state-directory = \"/x\"\ncolour = 7"), Ok("/x/control.sock".into()));
    assert_eq!(found("control-socket = \"/y\"\n"), Ok("/y".into()));
    assert_eq!(found("colour = 7"), Err(1));
    assert_eq!(found("colour ="), Err(1));
    std::fs::remove_file(&path).unwrap();
    assert!(config::control_socket(&path).is_err());
}

#[test]
fn options_of_the_server_are_refused_by_number_too() {
    for code in engine::config::SET_BY_SERVER {
        let text = GOOD.replace("224 = ", &format!("{code} = "));
        let found = errors(&text);
        assert!(
            found.iter().any(|(line, message)| *line == 11 && message.contains("option")),
            "{code}: {found:?}"
        );
    }
}

#[test]
fn warnings_do_not_keep_the_server_from_starting() {
    let text = GOOD.replace("lease-time = \"infinite\"\nmin-lease-time = 120", "lease-time = 30");
    let (_, report) = parse("tandem.toml", &text).unwrap();
    // The lease time, the MCLT of the pools that have it, and that a partner is a dhcpd.
    assert_eq!(report.diagnostics().len(), 3);
    assert!(report.diagnostics().iter().all(|found| found.severity == Severity::Warning));
}

#[test]
fn a_million_brackets_are_an_error_and_not_the_end() {
    let text = format!("interfaces = {}", "[".repeat(1_000_000));
    assert_eq!(errors(&text).len(), 1);
}

#[test]
fn no_text_makes_it_panic() {
    let mut state = 0x1234_5678_9abc_def1_u64;
    for _ in 0..3000 {
        let mut bytes = GOOD.as_bytes().to_vec();
        for _ in 0..3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = usize::try_from(state >> 8).unwrap() % bytes.len();
            match state % 3 {
                0 => bytes[at] = b"[]{}=\"',.-0aZ\n#"[at % 15],
                1 => drop(bytes.remove(at)),
                _ => bytes.truncate(bytes.len() - at % 40),
            }
        }
        if let Ok(text) = String::from_utf8(bytes)
            && let Err(report) = parse("mutated", &text)
        {
            assert!(!report.render(false).is_empty());
        }
    }
}
