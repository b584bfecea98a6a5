//! `tandem sim`.
//!
//! *Lives here:* from arguments to the simulator.
//! *Must not know:* how anything is simulated.

use crate::args::SimArguments;
use crate::exit::{Code, Stop};
use crate::output::Output;
use ::sim::cli::{Arguments, sim};

/// Runs seeds.
pub(crate) fn run(arguments: &SimArguments, output: &mut Output) -> Result<Code, Stop> {
    let kind = match (arguments.single, arguments.pair) {
        (true, _) => Some(::sim::Kind::Single),
        (_, true) => Some(::sim::Kind::Pair),
        _ => None,
    };
    let arguments = Arguments {
        kind,
        seeds: arguments.seeds,
        first_seed: arguments.first_seed,
        replay: arguments.replay,
        planted: arguments.planted.clone(),
    };
    Ok(if sim(&arguments, output.writer())? { Code::Ok } else { Code::Failed })
}
