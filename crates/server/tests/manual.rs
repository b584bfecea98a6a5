//! The manual says what the source says. `TANDEM_REWRITE=1` writes the generated chapter anew.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

use engine::event::{CATALOGUE, Level};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn events_are_those_of_the_catalogue() {
    let path = repository().join("docs/events.md");
    let mut text = String::from(
        "# Events\n\nWhat the log tells, by number. This chapter is made from the catalogue in `crates/engine/src/event.rs`.\n",
    );
    for entry in &CATALOGUE {
        let level = match entry.level {
            Level::Error => "error: somebody must act, or clients go without",
            Level::Warning => "warning: somebody should look",
            Level::Info => "info",
            Level::Debug => "debug",
        };
        writeln!(text, "\n## {} {}\n\n- Level: {level}", entry.id, entry.name).unwrap();
        if !entry.section.is_empty() {
            writeln!(text, "- Specified in: {}", entry.section).unwrap();
        }
        writeln!(text, "- What to do: {}", entry.what_to_do).unwrap();
    }
    if std::env::var_os("TANDEM_REWRITE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/events.md is not what the catalogue says: TANDEM_REWRITE=1 writes it anew"
    );
}

/// The last column of a row of `docs/limits.md`: file and declaration.
fn declarations(manual: &str) -> Vec<(&str, &str)> {
    let rows = manual.lines().filter(|line| line.contains("`crates/"));
    let cells = rows.map(|row| row.trim_end_matches(" |").rsplit("| ").next().unwrap());
    cells.map(|cell| cell.trim_matches('`').split_once("`: `").unwrap()).collect()
}

#[test]
fn limits_are_those_of_the_source() {
    let manual = fs::read_to_string(repository().join("docs/limits.md")).unwrap();
    let declarations = declarations(&manual);
    assert!(declarations.len() > 30);
    for (file, declaration) in &declarations {
        let source = fs::read_to_string(repository().join(file)).unwrap_or_else(|_| panic!("no {file}"));
        assert!(source.contains(&format!("const {declaration};")), "{file} has no longer {declaration}");
    }
}

#[test]
fn no_largest_number_is_missing_among_the_limits() {
    let manual = fs::read_to_string(repository().join("docs/limits.md")).unwrap();
    let mut files = Vec::new();
    for krate in ["config", "dhcp", "engine", "failover", "server", "store", "tandem"] {
        sources(&repository().join("crates").join(krate).join("src"), &mut files);
    }
    assert!(files.len() > 50, "only {} files were found", files.len());
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let names = source.lines().filter_map(|line| line.split_once("const MAX_")?.1.split_once(':'));
        for (name, _) in names {
            assert!(
                manual.contains(&format!("`MAX_{name}: ")),
                "{}: MAX_{name} is not listed",
                file.display()
            );
        }
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
