//! `tandem sim --small`: what it does, without how its arguments are read.
//!
//! *Lives here:* [`Arguments`], [`small`].
//! *Must not know:* the parser of command lines.

use super::moves::Move;
use super::places::{Place, places};
use super::search::{Found, Options, Outcome, search};
use super::world::World;
use crate::picture::{Subject, Window, page};
use crate::planted::Planted;
use std::io::{self, Write};
use std::path::PathBuf;

/// From each so-manieth world the two must come together.
const COME_TOGETHER_EVERY: u32 = 50;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// How many different worlds to visit, in all places together.
    pub states: usize,
    /// On how many threads.
    pub threads: usize,
    /// Put this bug in, and see it found.
    pub planted: Option<String>,
    /// Make these moves alone, and show all that happens: a place, a colon, and moves with semicolons in between.
    pub moves: Option<String>,
    /// Write what happens then as a page into this file.
    pub html: Option<PathBuf>,
    /// The part of it that is drawn close.
    pub window: Window,
}

/// Does what was asked for; whether all was as it should be.
///
/// # Errors
/// When `out` cannot be written to.
pub fn small(arguments: &Arguments, out: &mut dyn Write) -> io::Result<bool> {
    let planted = arguments.planted.as_deref().map_or(Some(Planted::default()), Planted::named);
    let Some(planted) = planted else {
        writeln!(out, "there is no such bug")?;
        return Ok(false);
    };
    if let Some(moves) = &arguments.moves {
        return match play(arguments, moves, planted, out)? {
            Ok(is_good) => Ok(is_good),
            Err(why) => {
                writeln!(out, "{why}")?;
                Ok(false)
            }
        };
    }
    let all = places();
    let options = Options {
        states: (arguments.states / all.len()).max(1),
        threads: arguments.threads,
        come_together_every: COME_TOGETHER_EVERY,
        planted,
    };
    let (mut states, mut deepest) = (0, 0);
    for place in &all {
        let Ok(outcome) = search(place, &options) else {
            writeln!(out, "{}: cannot be reached", place.name)?;
            return Ok(false);
        };
        write!(out, "{}: {outcome}", place.name)?;
        (states, deepest) = (states + outcome.states, deepest.max(outcome.depth));
        if let Outcome { found: Some(found), .. } = outcome {
            let bug =
                arguments.planted.as_ref().map_or_else(String::new, |name| format!(" --planted {name}"));
            writeln!(out, "again: tandem sim --small{bug} --moves \"{}\"", written(place, &found))?;
            writeln!(out, "with --html FILE as a page with pictures")?;
            writeln!(out, "{states} states until it was found")?;
            return Ok(arguments.planted.is_some());
        }
    }
    writeln!(out, "{states} states, depth {deepest}: nothing was found")?;
    Ok(arguments.planted.is_none())
}

fn written(place: &Place, found: &Found) -> String {
    let moves: Vec<String> = found.moves.iter().map(Move::to_string).collect();
    format!("{}: {}", place.name, moves.join("; "))
}

fn play(
    arguments: &Arguments,
    text: &str,
    planted: Planted,
    out: &mut dyn Write,
) -> io::Result<Result<bool, String>> {
    let mut world = match begin(text, planted) {
        Ok(world) => world,
        Err(why) => return Ok(Err(why)),
    };
    world.keep_trace();
    let (_, moves) = text.split_once(':').unwrap_or(("", text));
    for one in moves.split(';').filter(|one| !one.trim().is_empty()) {
        let made =
            one.parse::<Move>().and_then(|one| world.apply(one).map_err(|why| format!("{one}: {why}")));
        if let Err(why) = made {
            return Ok(Err(why));
        }
    }
    let is_over = world.violation().is_some();
    if !is_over {
        world.come_together();
    }
    if let Some(path) = &arguments.html {
        let page = page_of(arguments, text, &world);
        std::fs::write(path, page)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        writeln!(out, "{}", path.display())?;
        return Ok(Ok(world.violation().is_none()));
    }
    for line in world.trace() {
        writeln!(out, "{line}")?;
    }
    if let Some(violation) = world.violation() {
        writeln!(out, "{violation}")?;
    }
    Ok(Ok(world.violation().is_none()))
}

fn page_of(arguments: &Arguments, text: &str, world: &World) -> String {
    let bug = arguments.planted.as_ref().map_or_else(String::new, |name| format!(" --planted {name}"));
    let subject = Subject {
        title: "a script of the small world",
        command: &format!("tandem sim --small{bug} --moves \"{text}\""),
        counts: &[],
        violation: world.violation(),
        history: world.history(),
        end: world.history().last().map_or(0, |last| last.at),
    };
    page(&subject, arguments.window)
}

fn begin(text: &str, planted: Planted) -> Result<World, String> {
    let name = text.split_once(':').map_or("", |(name, _)| name.trim());
    let place = places().into_iter().find(|place| place.name == name);
    let names = || places().iter().map(|place| place.name).collect::<Vec<_>>().join(", ");
    let place = place.ok_or_else(|| format!("there is no place {name:?}; there are: {}", names()))?;
    World::paired(place.setup, planted).map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(arguments: &Arguments) -> (bool, String) {
        let mut out = Vec::new();
        let is_good = small(arguments, &mut out).unwrap();
        (is_good, String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_was_found_can_be_played_again() {
        let planted = Some("releases-by-the-second".to_owned());
        let arguments = Arguments {
            states: 60_000,
            threads: 1,
            planted,
            moves: None,
            html: None,
            window: Window::default(),
        };
        let (is_good, out) = told(&arguments);
        assert!(is_good, "{out}");
        let violated =
            |text: &str| text.lines().find(|line| line.contains(" violated at ")).map(str::to_owned);
        let again = out.lines().find_map(|line| line.split_once("--moves \"")).unwrap().1;
        let moves = Some(again.trim_end_matches('"').to_owned());
        let (is_good, played) = told(&Arguments { moves: moves.clone(), ..arguments.clone() });
        assert!(!is_good && violated(&played).is_some() && violated(&played) == violated(&out), "{played}");
        let file = std::env::temp_dir().join(format!("tandem-small-{}.html", std::process::id()));
        let html = Some(file.clone());
        assert!(!told(&Arguments { moves: moves.clone(), html, ..arguments.clone() }).0);
        let page = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        for part in
            [" was violated</b>", "arrow dhcp\" d=", "arrow failover\" d=", "<title>NORMAL from ", "lease c1"]
        {
            assert!(page.contains(part), "{part}");
        }
        let nowhere = Some("nowhere: Cut".to_owned());
        assert!(!told(&Arguments { moves: nowhere, ..arguments }).0);
    }
}
