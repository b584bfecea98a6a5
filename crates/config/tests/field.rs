//! What broke failover in the field, as far as `tandem.toml` decides it: `docs/field.md`, numbers 9, 24 and 26.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

use config::{ServerConfig, Severity, parse};
use engine::config::RelationshipId;

const HUB: &str = r#"interfaces = ["eth0"]
state-directory = "/var/lib/tandem"
lease-time = "8h"
[[failover]]
name = "campus"
role = "primary"
listen = "192.0.2.1"
partner = "192.0.2.2"
[[failover]]
name = "campos"
role = "secondary"
listen = "192.0.2.1"
partner = "192.0.2.3"
[[subnet]]
prefix = "10.1.0.0/24"
[[subnet.pool]]
range = "10.1.0.10-10.1.0.20"
failover = "campus"
[[subnet.pool]]
range = "10.1.0.30-10.1.0.40"
failover = "campos"
"#;

fn good(text: &str) -> ServerConfig {
    parse("tandem.toml", text).unwrap_or_else(|report| panic!("{}", report.render(false))).0
}

/// The first error of a text: its line, and what it says.
fn error(text: &str) -> (usize, String) {
    let report = parse("tandem.toml", text).err().unwrap_or_else(|| panic!("taken: {text}"));
    let mut errors = report.diagnostics().iter().filter(|found| found.severity == Severity::Error);
    errors.next().map(|found| (found.line, found.message.clone())).unwrap()
}

#[test]
fn field_09_names_of_one_length_are_told_apart() {
    let config = good(HUB);
    let names: Vec<&str> = config.engine.relationships().iter().map(|parts| parts.name.as_str()).collect();
    assert_eq!(names, ["campus", "campos"]);
    let of: Vec<_> = config.engine.pools().iter().map(|pool| pool.failover).collect();
    assert_eq!(of, [Some(RelationshipId(0)), Some(RelationshipId(1))]);
    let partners: Vec<_> = config.partners.iter().map(|addresses| *addresses.partner.ip()).collect();
    assert_eq!(partners.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.0.2.2", "192.0.2.3"]);
    let (line, message) = error(&HUB.replace("campos", "campus"));
    assert!(line == 10 && message.contains("rename one"), "{line}: {message}");
    let more = "[[subnet.pool]]\nrange = \"10.1.0.50-10.1.0.60\"\nfailover = \"campas\"\n";
    let (line, message) = error(&format!("{HUB}{more}"));
    assert!(line == 24 && message.contains("campas"), "{line}: {message}");
}

/// It is in no relationship any more, and its addresses are this server's alone; the other pool stays where it was.
#[test]
fn field_24_a_pool_leaves_failover() {
    let shared = |config: &ServerConfig| -> Vec<_> {
        config.engine.pools().iter().map(|pool| pool.failover).collect()
    };
    let more = "[[subnet.pool]]\nrange = \"10.1.0.50-10.1.0.60\"\nfailover = \"campus\"\n";
    let campus = Some(RelationshipId(0));
    assert_eq!(shared(&good(&format!("{HUB}{more}"))), [campus, Some(RelationshipId(1)), campus]);
    let left = more.replace("failover = \"campus\"\n", "");
    assert_eq!(shared(&good(&format!("{HUB}{left}"))), [campus, Some(RelationshipId(1)), None]);
}

/// F07-5.3-02.
#[test]
fn field_26_all_or_nothing_is_a_split_and_no_time_is_no_delay() {
    let with = |line: &str| HUB.replacen("\"192.0.2.2\"\n", &format!("\"192.0.2.2\"\n{line}\n"), 1);
    for split in [0, 1, 255, 256] {
        assert_eq!(good(&with(&format!("split = {split}"))).engine.relationships()[0].split, split);
    }
    for (split, why) in [("257", "0 to 256"), ("-1", "a number")] {
        let (line, message) = error(&with(&format!("split = {split}")));
        assert!(line == 9 && message.contains(why), "{line}: {message}");
    }
    // A dhcpd takes 0 for "serve all": both would answer every client. Here that is said by nothing.
    let (line, message) = error(&with("delayed-service = \"0s\""));
    assert!(line == 9 && message.contains("or left out"), "{line}: {message}");
    assert_eq!(good(&with("delayed-service = \"1s\"")).engine.relationships()[0].delayed_service, Some(1));
    assert_eq!(good(HUB).engine.relationships()[0].delayed_service, None);
}
