//! `tandem sim`.
//!
//! *Lives here:* from arguments to the simulator.
//! *Must not know:* how anything is simulated.

use crate::args::SimArguments;
use crate::exit::{Code, Stop};
use crate::output::Output;
use ::sim::cli::{Arguments, sim};
use ::sim::picture::Window;
use ::sim::small::cli as small;

/// Runs seeds, or searches the small world.
pub(crate) fn run(arguments: &SimArguments, output: &mut Output) -> Result<Code, Stop> {
    if arguments.small {
        let arguments = small::Arguments {
            states: arguments.states,
            threads: arguments.threads,
            planted: arguments.planted.clone(),
            moves: arguments.moves.clone(),
            html: arguments.html.clone(),
            window: Window { from: arguments.from, to: arguments.to },
        };
        return Ok(if small::small(&arguments, output.writer())? { Code::Ok } else { Code::Failed });
    }
    let kind = match (arguments.single, arguments.pair) {
        _ if arguments.dhcpd => Some(::sim::Kind::Dhcpd),
        (true, _) => Some(::sim::Kind::Single),
        (_, true) => Some(::sim::Kind::Pair),
        _ => None,
    };
    let arguments = Arguments {
        kind,
        hours: arguments.hours,
        threads: arguments.threads,
        seeds: arguments.seeds,
        first_seed: arguments.first_seed,
        replay: arguments.replay,
        planted: arguments.planted.clone(),
        shrink: arguments.shrink,
        step: arguments.step,
        habits: arguments.lacks.iter().fold(::sim::Habits::ALL, |habits, habit| habits.without(*habit)),
        without: arguments.without.clone(),
        html: arguments.html.clone(),
        window: Window { from: arguments.from, to: arguments.to },
    };
    Ok(if sim(&arguments, output.writer())? { Code::Ok } else { Code::Failed })
}
