//! `[[failover]]`: every key has its effect, and every mistake its line.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

use config::{Report, ServerConfig, Severity, parse};
use engine::config::Addresses;
use failover::dialect::Dialect;
use failover::state::Role;
use failover::time::Interval;
use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;

const PAIR: &str = r#"interfaces = ["eth0"]
state-directory = "/var/lib/tandem"
lease-time = "8h"
[[failover]]
name = "campus"
role = "primary"
listen = "192.0.2.1"
partner = "192.0.2.2:747"
[[subnet]]
prefix = "10.1.0.0/24"
[[subnet.pool]]
range = "10.1.0.10-10.1.0.20"
failover = "campus"
[[subnet.pool]]
range = "10.1.0.30-10.1.0.40"
"#;

/// The text with lines added to its relationship, which then begin in line 9.
fn with(lines: &str) -> String {
    PAIR.replace("2:747\"\n", &format!("2:747\"\n{lines}\n"))
}

fn good(text: &str) -> (ServerConfig, Report) {
    parse("tandem.toml", text).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

fn errors(text: &str) -> Vec<(usize, usize, String)> {
    let report = parse("tandem.toml", text).err().unwrap_or_else(|| panic!("taken: {text}"));
    let errors = report.diagnostics().iter().filter(|found| found.severity == Severity::Error);
    errors.map(|found| (found.line, found.column, found.message.clone())).collect()
}

/// The one error of a text, which must stand there.
fn error(text: &str, line: usize, column: usize) -> String {
    let mut found = errors(text);
    assert_eq!((found.len(), found[0].0, found[0].1), (1, line, column), "{found:#?}");
    found.remove(0).2
}

/// F07-7.8.1-04, F07-8.2-01, D12-8.2-01.
#[test]
fn little_must_be_said_of_a_partner() {
    let (config, report) = good(PAIR);
    let [remark] = report.diagnostics() else { panic!("{}", report.render(false)) };
    assert_eq!((remark.severity, remark.line, remark.column), (Severity::Remark, 8, 11));
    let parts = &config.engine.relationships()[0];
    assert_eq!((parts.name.as_str(), parts.role, parts.dialect), ("campus", Role::Primary, Dialect::Draft12));
    assert_eq!((parts.mclt, parts.split, parts.max_unacked), (Interval::from_seconds(3600), 128, 64));
    assert_eq!((parts.safe_period, parts.startup, parts.delayed_service), (None, None, None));
    assert!(!parts.start_alone && !parts.trusts_restart && parts.secret.is_none());
    let addresses = config.partners[0];
    assert_eq!(
        (addresses.listen, addresses.partner),
        ("192.0.2.1:647".parse().unwrap(), "192.0.2.2:747".parse().unwrap())
    );
    let shared: Vec<bool> = config.engine.pools().iter().map(|pool| pool.failover.is_some()).collect();
    assert_eq!(shared, [true, false]);
}

/// F07-5.2.1-06, F07-8.2-03, F07-9.3.2-05, D12-11.1-03.
#[test]
fn every_key_has_its_effect() {
    let (config, _) = good(&with(
        "mclt = \"30m\"\nsplit = 256\nmax-unacked = 10\nreceive-timer = \"5s\"\nstartup-wait = \"7s\"\n\
         start-alone = true\nrestart-alone = \"trust\"\ndelayed-service = \"3s\"\nsafe-period = \"12h\"\n\
         connect-interval = \"30s\"\nmax-clock-difference = \"5m\"",
    ));
    let parts = &config.engine.relationships()[0];
    let seconds = Interval::from_seconds;
    assert_eq!((parts.mclt, parts.split, parts.max_unacked), (seconds(1800), 256, 10));
    assert_eq!((parts.receive_timer, parts.startup), (seconds(5), Some(seconds(7))));
    assert_eq!((parts.safe_period, parts.delayed_service), (Some(seconds(43_200)), Some(3)));
    assert!(parts.start_alone && parts.trusts_restart);
    assert_eq!((parts.connect_interval, parts.max_clock_difference()), (seconds(30), Some(seconds(300))));
    let (config, _) = good(&with("restart-alone = \"refuse\"\npartner-kind = \"dhcpd\""));
    let parts = &config.engine.relationships()[0];
    assert_eq!(parts.max_unacked, 10, "a dhcpd holds its BNDACKs until half as many wait");
    assert_eq!((parts.trusts_restart, parts.dialect), (false, Dialect::Dhcpd));
    assert_eq!((parts.connect_interval, parts.max_clock_difference()), (seconds(5), Some(seconds(60))));
    let (config, _) = good(&with("partner-kind = \"dhcpd\"\nmax-clock-difference = \"20s\""));
    assert_eq!(config.engine.relationships()[0].max_clock_difference(), Some(seconds(20)));
    let (config, _) = good(&with("dialect = \"draft-07\""));
    let parts = &config.engine.relationships()[0];
    let [own, partner] = [1, 2].map(|last| Ipv4Addr::new(192, 0, 2, last));
    assert_eq!((parts.dialect, parts.addresses), (Dialect::Draft07, Some(Addresses { own, partner })));
    let (config, _) = good(&with("max-unacked = 30\npartner-kind = \"dhcpd\""));
    assert_eq!(config.engine.relationships()[0].max_unacked, 30);
    let (config, _) = good(&PAIR.replace("\"primary\"", "\"secondary\""));
    assert_eq!(config.engine.relationships()[0].role, Role::Secondary);
}

#[test]
fn each_mistake_has_its_line() {
    let said = |text: &str, line, column, what: &str| {
        let message = error(text, line, column);
        assert!(message.contains(what), "{message}");
    };
    said(&with("split = 257"), 9, 9, "0 to 256");
    said(&with("split = \"half\""), 9, 9, "a number");
    said(&with("max-unacked = 0"), 9, 15, "from 1 to 1000");
    said(&with("max-unacked = 99999999999"), 9, 15, "from 1 to 1000");
    said(&with("mclt = \"9s\""), 9, 8, "mclt must be from");
    said(&with("receive-timer = \"1s\""), 9, 17, "from 3s to 10m");
    said(&with("safe-period = \"10s\""), 9, 15, "restart");
    said(&with("connect-interval = \"0s\""), 9, 20, "from 1s to 10m");
    said(&with("connect-interval = \"11m\""), 9, 20, "from 1s to 10m");
    said(&with("max-clock-difference = \"4s\""), 9, 24, "at least 5s");
    said(&with("partner-kind = \"dhcpd\"\nmax-clock-difference = \"61s\""), 10, 24, "at most 1m");
    said(&with("delayed-service = \"5m\""), 9, 19, "from 1s to 255s");
    said(&with("start-alone = 1"), 9, 15, "true or false");
    said(&with("restart-alone = \"maybe\""), 9, 17, "write \"refuse\" or \"trust\"");
    said(&with("partner-kind = \"kea\""), 9, 16, "write \"tandem\" or \"dhcpd\"");
    said(&with("dialect = \"draft-13\""), 9, 11, "write \"draft-12\" or \"draft-07\"");
    said(&with("partner-kind = \"dhcpd\"\ndialect = \"draft-12\""), 10, 11, "remove the key");
    said(&with("partner-kind = \"dhcpd\"\nsecret-file = \"/nowhere\""), 10, 15, "neither signs");
    said(&with("tls = true"), 9, 7, "wanted is a table, [failover.tls]");
    said(&with("port = 647"), 9, 1, "has no key `port`");
    said(&PAIR.replace("192.0.2.1\"", "eth0\""), 7, 10, "write it like");
    said(&PAIR.replace("192.0.2.1\"", "0.0.0.0\""), 7, 10, "no address of one server");
    said(&PAIR.replace("192.0.2.2:747", "192.0.2.2:0"), 8, 11, "no address of one server");
    said(&PAIR.replace("192.0.2.2:747", "192.0.2.1:747"), 8, 11, "its own partner");
    said(&PAIR.replace("role = \"primary\"\n", ""), 4, 1, "needs the key `role`");
    said(&PAIR.replace("failover = \"campus\"\n", ""), 5, 8, "no pool names the relationship");
}

/// F07-5.1.1-03.
#[test]
fn a_pool_names_a_relationship_that_is_there() {
    let found = errors(&PAIR.replace("failover = \"campus\"", "failover = \"campsu\""));
    assert!(found.iter().any(|(line, column, what)| (*line, *column) == (13, 12)
        && what.contains("there is no [[failover]] with the name \"campsu\"")));
    let report = parse("t", &PAIR.replace("failover = \"campus\"", "failover = \"campsu\"")).err().unwrap();
    assert!(report.render(false).contains("did you mean \"campus\"?"));
}

/// F07-4.2-01.
#[test]
fn one_partner_is_named_once_in_each_role() {
    let second = "[[failover]]\nname = \"other\"\nrole = \"ROLE\"\nlisten = \"192.0.2.1\"\npartner = \"192.0.2.2\"\n\
                  [[subnet]]\nprefix = \"10.2.0.0/24\"\n[[subnet.pool]]\nrange = \"10.2.0.9\"\nfailover = \"other\"\n";
    let message = error(&format!("{PAIR}{}", second.replace("ROLE", "primary")), 20, 11);
    assert!(message.starts_with("\"campus\" has this partner in the same role already"), "{message}");
    assert_eq!(good(&format!("{PAIR}{}", second.replace("ROLE", "secondary"))).0.partners.len(), 2);
    let twice = format!(
        "{PAIR}{}",
        second.replace("ROLE", "secondary").replace("name = \"other\"", "name = \"campus\"")
    );
    assert!(errors(&twice).iter().any(|(line, column, _)| (*line, *column) == (17, 8)));
}

/// F07-10-02.
#[test]
fn warnings_name_what_they_cost() {
    let warned = |text: &str, line: usize, column: usize, what: &str| {
        let (_, report) = good(text);
        let warnings: Vec<_> =
            report.diagnostics().iter().filter(|found| found.severity == Severity::Warning).collect();
        let [warning] = warnings[..] else { panic!("{}", report.render(false)) };
        assert_eq!((warning.line, warning.column), (line, column));
        assert!(warning.message.contains(what), "{}", warning.message);
    };
    warned(&with("dialect = \"draft-07\""), 9, 11, "its disk was lost");
    warned(&with("safe-period = \"12h\""), 9, 15, "trap T11");
    warned(&with("mclt = \"9h\""), 9, 8, "longer than lease-time");
    warned(&PAIR.replace("\"8h\"", "\"30m\""), 5, 8, "longer than lease-time");
    warned(&with("partner-kind = \"dhcpd\""), 9, 16, "more than 60 s");
    let (_, report) = good(&with("partner-kind = \"dhcpd\"\ndelayed-service = \"3s\""));
    let said: Vec<&str> = report.diagnostics().iter().map(|found| found.message.as_str()).collect();
    assert!(said.len() == 2 && said.iter().any(|said| said.contains("load balance max seconds")), "{said:?}");
}

/// F07-11.1-08.
#[test]
fn a_secret_is_read_and_never_shown() {
    let path = std::env::temp_dir().join(format!("tandem-secret-{}", std::process::id()));
    let text = with(&format!("secret-file = \"{}\"", path.display()));
    let write = |bytes: &[u8], mode| {
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    };
    write(b"open sesame\n", 0o640);
    let (config, _) = good(&text);
    let secret = config.engine.relationships()[0].secret.clone().unwrap();
    assert_eq!(Some(secret), failover::digest::Secret::new(b"open sesame".to_vec()));
    assert!(!format!("{config:?}").contains("sesame"));
    write(b"open sesame\n", 0o644);
    let message = error(&text, 9, 15);
    assert!(
        message.contains("everybody") && message.contains("644") && !message.contains("sesame"),
        "{message}"
    );
    for (bytes, what) in [(&b"\n"[..], "is empty"), (&[b'x'; 5000], "more than 4096 bytes")] {
        write(bytes, 0o600);
        assert!(error(&text, 9, 15).contains(what));
    }
    fs::remove_file(&path).unwrap();
    assert!(error(&text, 9, 15).contains("cannot be read"));
}

#[test]
fn bootp_clients_are_for_pairs_of_tandems() {
    let with = |extra: &str| {
        with(extra).replace("10.1.0.40\"\n", "10.1.0.40\"\nfailover = \"campus\"\ndynamic-bootp = true\n")
    };
    let (config, _) = good(&with(""));
    let pools: Vec<bool> = config.engine.pools().iter().map(|pool| pool.dynamic_bootp).collect();
    assert_eq!(pools, [false, true]);
    let said = error(&with("partner-kind = \"dhcpd\""), 18, 17);
    assert!(said.contains("remove dynamic-bootp"), "{said}");
}
