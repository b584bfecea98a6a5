//! The scripts of the small world: each ends as it must, and a checker finds each bug that takes its rule away.

#![allow(clippy::expect_used, reason = "a broken test may stop")]

use sim::Planted;
use sim::small::SCRIPTS;

#[test]
fn each_script_ends_as_it_must() {
    for script in SCRIPTS {
        let played = script.play(Planted::default());
        assert_eq!(played.violation, None, "{}\n{}", script.name, played.trace.join("\n"));
        assert_eq!(played.unexpected, None, "{}\n{}", script.name, played.trace.join("\n"));
    }
}

#[test]
fn each_bug_of_a_script_is_found() {
    let mut missed = Vec::new();
    for script in SCRIPTS {
        for bug in script.bugs {
            let played = script.play(Planted::named(bug).expect("a bug that is known"));
            match played.violation {
                Some(violation) => println!("{bug}: {}: {violation}", script.name),
                None => missed.push(format!("{bug} in {}\n{}", script.name, played.trace.join("\n"))),
            }
        }
    }
    assert_eq!(missed, Vec::<String>::new(), "not found:\n{}", missed.join("\n"));
}
