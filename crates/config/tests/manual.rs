//! The manual has a row for each key and each named option, and for nothing else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

use config::TABLES;
use dhcp::options::DEFINITIONS;
use std::collections::BTreeSet;

const MANUAL: &str = include_str!("../../../docs/configuration.md");

/// The first cells of the rows under a heading, without their marks.
fn rows(heading: &str) -> BTreeSet<&'static str> {
    let section = MANUAL.split("\n## ").find(|section| section.lines().next() == Some(heading));
    let section = section.unwrap_or_else(|| panic!("no chapter {heading}"));
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    cells.map(|(cell, _)| cell).collect()
}

#[test]
fn every_key_is_in_the_manual() {
    for table in TABLES {
        let heading = if table.name.starts_with('[') {
            format!("`{}`", table.name)
        } else {
            "Top of the file".to_owned()
        };
        let known: BTreeSet<&str> = table.keys.iter().copied().collect();
        assert_eq!(rows(&heading), known, "{}", table.name);
    }
}

#[test]
fn every_named_option_is_in_the_manual() {
    let known: BTreeSet<&str> = DEFINITIONS.iter().map(|definition| definition.name).collect();
    assert_eq!(rows("Options"), known);
    for definition in DEFINITIONS {
        let row = format!("| `{}` | {} | ", definition.name, definition.code);
        assert!(MANUAL.contains(&row), "{row}");
    }
}

/// All examples of the manual together are a configuration.
#[test]
fn the_example_is_taken() {
    let examples = MANUAL.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let text: String = examples.collect();
    // The files of secret, certificates and key are not there; a pool that shares it is.
    let is_of_a_file = |line: &&str| line.contains("/etc/tandem/") || *line == "[failover.tls]";
    assert_eq!(text.lines().filter(is_of_a_file).count(), 5);
    let kept: Vec<&str> = text.lines().filter(|line| !is_of_a_file(line)).collect();
    let text = kept.join("\n");
    let text = text.replacen("range = \"10.3.0.10", "failover = \"campus\"\nrange = \"10.3.0.10", 1);
    let (config, report) = config::parse("manual", &text).map_err(|report| report.render(false)).unwrap();
    assert!(report.diagnostics().len() == 1 && config.engine.networks().len() == 2);
    assert_eq!((config.partners.len(), config.partners[0].listen.port()), (1, 647));
}

const PAIR_MANUAL: &str = include_str!("../../../docs/failover-check.md");

#[test]
fn every_number_of_a_finding_is_in_the_manual() {
    let known: Vec<String> = config::pair::rules::RULES
        .iter()
        .map(|rule| {
            let severity = match rule.severity {
                config::Severity::Error => "error",
                config::Severity::Warning => "warning",
                config::Severity::Remark => "remark",
            };
            format!("| {} | {severity} | {} |", rule.name(), rule.title)
        })
        .collect();
    let rows: Vec<&str> = PAIR_MANUAL.lines().filter(|line| line.starts_with("| PAIR-")).collect();
    assert_eq!(rows.len(), known.len());
    for (row, known) in rows.iter().zip(&known) {
        assert!(row.starts_with(known.as_str()), "{row}: {known}");
    }
}
