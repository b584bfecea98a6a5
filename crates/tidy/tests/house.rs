//! The rules, over the whole repository.

#![allow(clippy::unwrap_used, reason = "a broken test may stop")]

use std::fs;
use std::path::{Path, PathBuf};
use tidy::{FILE_LINES, forbidden_arrows, has_head, has_unsafe, long_functions};

/// Where crates are: those that ship, and those that only test.
fn places() -> [PathBuf; 2] {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    [crates.to_owned(), crates.with_file_name("tests")]
}

/// The folder of each of our crates.
fn folders() -> Vec<PathBuf> {
    let entries = places().into_iter().flat_map(|place| fs::read_dir(place).unwrap());
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.join("Cargo.toml").exists()).collect();
    folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("benches"));
    folders
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn crates_name_only_whom_they_may() {
    let mut faults = Vec::new();
    for folder in folders() {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        faults.extend(forbidden_arrows(&name, &manifest).into_iter().map(|to| format!("{name} -> {to}")));
    }
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn files_and_functions_are_short_and_rooms_say_what_lives_in_them() {
    let mut all = Vec::new();
    for folder in folders() {
        sources(&folder, &mut all);
    }
    assert!(all.len() > 40, "only {} files were found", all.len());
    let mut faults = Vec::new();
    for path in all {
        let (text, name) = (fs::read_to_string(&path).unwrap(), path.display().to_string());
        let lines = text.lines().count();
        if lines > FILE_LINES {
            faults.push(format!("{name}: {lines} lines"));
        }
        faults
            .extend(long_functions(&text).into_iter().map(|(at, long)| format!("{name}:{at}: {long} lines")));
        let in_source = path.components().any(|part| part.as_os_str() == "src");
        if in_source && !name.ends_with("/lib.rs") && !name.ends_with("/main.rs") && !has_head(&text) {
            faults.push(format!("{name}: the head does not say what lives here"));
        }
        if has_unsafe(&text) && !name.contains("server/src/sys") && !name.contains("crates/tidy") {
            faults.push(format!("{name}: unsafe outside its room"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
