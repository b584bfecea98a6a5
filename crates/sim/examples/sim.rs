//! `tandem sim` for those who build this crate alone: `--seeds N --first-seed S --replay SEED --planted NAME
//! --kind single|pair`.

#![allow(clippy::expect_used, reason = "a wrong argument may stop an example")]

use sim::cli::{Arguments, sim};

fn main() -> std::io::Result<()> {
    let mut arguments = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        let number = || value.parse().expect("a number");
        match name.as_str() {
            "--seeds" => arguments.seeds = number(),
            "--first-seed" => arguments.first_seed = number(),
            "--kind" => {
                arguments.kind = Some(if value == "pair" { sim::Kind::Pair } else { sim::Kind::Single });
            }
            "--shrink" => arguments.shrink = Some(number()),
            "--html" => arguments.html = Some(value.into()),
            "--without" => arguments.without = value.parse().expect("what is left out"),
            "--replay" => arguments.replay = Some(number()),
            _ => arguments.planted = Some(value),
        }
    }
    let good = sim(&arguments, &mut std::io::stdout())?;
    std::process::exit(i32::from(!good));
}
