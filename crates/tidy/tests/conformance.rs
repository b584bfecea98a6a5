//! Each requirement of the drafts has its code and its test, or a decision, and `docs/conformance.md` says so.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a broken test may stop, and says what is open")]

use std::fs;
use std::path::{Path, PathBuf};
use tidy::conformance::{Catalogue, Citation, citations, faults, page};

/// What the page says before its tables.
const HEAD: &str = "\
# Conformance

Each requirement of draft-ietf-dhc-failover-07 (`F07-`section`-`number), and what draft-12 adds (`D12-`): where it is fulfilled, and
which test fails when it is not. Code and tests cite the IDs; this page is made of the citations and of `docs/conformance`, by

    TANDEM_REWRITE=1 cargo test -p tidy --test conformance

A test holds the two together. The level is that of the drafts; `rule` is what they say without a word in capitals. A row without code and
test says why; **open** is what is missing, and their number may only go down.
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// All sources, and what else is played as a test; not this crate, which speaks of IDs that are none.
fn texts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let within = path.strip_prefix(root()).unwrap().to_owned();
        let is_script = within.components().any(|part| part.as_os_str() == "scripts");
        if path.is_dir() && !path.ends_with("target") && within != Path::new("crates/tidy") {
            texts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") || path.is_file() && is_script {
            found.push(path);
        }
    }
}

fn cited() -> Vec<Citation> {
    let mut paths = Vec::new();
    for folder in ["crates", "tests"] {
        texts(&root().join(folder), &mut paths);
    }
    paths.sort();
    let mut cited = Vec::new();
    for path in paths {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        if let Ok(text) = fs::read_to_string(&path) {
            cited.extend(citations(&name, &text));
        }
    }
    cited
}

#[test]
fn each_requirement_has_code_and_test_or_a_decision() {
    let read = |name: &str| fs::read_to_string(root().join("docs/conformance").join(name)).unwrap();
    let catalogue = Catalogue::read(&read("requirements.txt"), &read("questions.txt")).unwrap();
    let cited = cited();
    println!("{}", catalogue.what_is_open());
    let faults = faults(&catalogue, &cited);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert_eq!((catalogue.rows.len(), catalogue.questions.len()), (566, 45));
    let (path, made) = (root().join("docs/conformance.md"), page(HEAD, &catalogue, &cited));
    if std::env::var_os("TANDEM_REWRITE").is_some() {
        fs::write(&path, made).unwrap();
    } else {
        let stands = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stands == made,
            "docs/conformance.md is stale: TANDEM_REWRITE=1 cargo test -p tidy --test conformance"
        );
    }
}
