//! Each scenario of `docs/field.md` has a test that exists, and each test with a number is in the table.

#![allow(clippy::unwrap_used, reason = "a broken test may stop")]

use std::fs;
use std::path::{Path, PathBuf};
use tidy::field::{faults, page, tests_in};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Sources and scripts; not this crate, whose tests have names of tests in them.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && path != root().join("crates/tidy") {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "txt") {
            found.push(path);
        }
    }
}

/// All tests: a path and a name, or a script.
fn existing() -> Vec<String> {
    let mut paths = Vec::new();
    for folder in ["crates", "tests"] {
        files(&root().join(folder), &mut paths);
    }
    paths.sort();
    let mut existing = Vec::new();
    for path in paths {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        if name.starts_with("tests/scripts/") {
            existing.push(name);
        } else if let Ok(text) = fs::read_to_string(&path) {
            existing.extend(tests_in(&text).into_iter().map(|test| format!("{name}: {test}")));
        }
    }
    existing
}

#[test]
fn each_scenario_has_a_test_that_exists() {
    let (path, existing) = (root().join("docs/field.md"), existing());
    assert!(existing.len() > 500, "only {} tests were found", existing.len());
    let stands = fs::read_to_string(&path).unwrap();
    let made = page(&stands, &existing);
    if std::env::var_os("TANDEM_REWRITE").is_some() {
        fs::write(&path, &made).unwrap();
    } else {
        assert!(stands == made, "docs/field.md is stale: TANDEM_REWRITE=1 cargo test -p tidy --test field");
    }
    let faults = faults(&made, &existing);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
