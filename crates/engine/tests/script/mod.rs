//! Scripts: what is said to one server, and all that it says, records and tells.
//!
//! *Lives here:* `text`, the files; `words`, `message`, `record` and `reply`, the two directions between text and values; `setup` and `world`,
//! the server under test with all that is around it; `log`, what it has recorded, and `claim`, what it says of that; `ground`, what may be beneath it; `crash`, the comparison with one that is rebuilt from its records; `visited`, where the
//! scripts have been.
//! *May know:* the engine as the shell knows it.
//! *Must not know:* which state follows which: that is what scripts say.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

pub mod claim;
pub mod crash;
pub mod ground;
pub mod log;
mod message;
mod record;
mod reply;
mod setup;
pub mod text;
pub mod visited;
pub mod words;
mod world;

use ground::Ground;
use std::fs;
use std::path::{Path, PathBuf};
use text::{Line, Script};
use visited::Visited;
use words::Outcome;
use world::World;

/// The folder of all scripts.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scripts")
}

/// All files of scripts below `folder`, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder of the scripts") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What is put beneath each server.
pub type Grounds<'g> = &'g mut dyn FnMut() -> Option<Box<dyn Ground>>;

/// The file as it would be if all that it expects were what happens.
///
/// # Errors
/// Which line means nothing, or what a crash would have changed.
pub fn play(text: &str, visited: &mut Visited, grounds: Grounds<'_>) -> Outcome<String> {
    let mut out = Vec::new();
    for script in text::parse(text) {
        let mut world = None;
        for line in &script.lines {
            match line {
                Line::Kept(line) => out.push(line.clone()),
                Line::Input { written, meant, number } => {
                    out.extend(written.iter().cloned());
                    let lines = step(&mut world, meant, visited, grounds)
                        .map_err(|fault| format!("{}line {number}, `{meant}`: {fault}", script.title))?;
                    for line in lines {
                        text::lay_out(&line, &mut out);
                    }
                }
            }
        }
        if let Some(world) = &mut world {
            world.note_edges(visited);
        }
    }
    Ok(out.join("\n") + "\n")
}

/// One line of a script, and what comes of it.
fn step(
    world: &mut Option<World>,
    meant: &str,
    visited: &mut Visited,
    grounds: Grounds<'_>,
) -> Outcome<Vec<String>> {
    if let Some(rest) = meant.strip_prefix("server ") {
        *world = Some(World::new(rest, grounds())?);
        return Ok(Vec::new());
    }
    if let Some(name) = meant.strip_prefix("after ") {
        *world = Some(after(name, grounds)?);
        return Ok(Vec::new());
    }
    let world = world.as_mut().ok_or("a script begins with `server` or `after`")?;
    world.step(meant, visited)
}

/// The server at the end of another script, whose own expectations are looked at there.
fn after(name: &str, grounds: Grounds<'_>) -> Outcome<World> {
    let path = folder().join(name).with_extension("txt");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut world = None;
    let scripts: Vec<Script> = text::parse(&text);
    let lines = scripts.iter().flat_map(|script| &script.lines);
    let mut visited = Visited { is_beginning: true, ..Visited::default() };
    for line in lines {
        if let Line::Input { meant, .. } = line {
            step(&mut world, meant, &mut visited, grounds)?;
        }
    }
    world.ok_or_else(|| format!("{name} has no server"))
}
