//! `tandem sim`.
//!
//! *Lives here:* from the arguments to the simulator, and back to an exit code.
//! *Must not know:* what is simulated.

use crate::args::SimArguments;
use crate::exit::{Code, Stop};
use sim::Kind;

/// Runs seeds.
pub(crate) fn run(arguments: &SimArguments) -> Result<Code, Stop> {
    let kind = match (arguments.single, arguments.pair) {
        (true, _) => Some(Kind::Single),
        (_, true) => Some(Kind::Pair),
        _ => None,
    };
    let wanted = sim::cli::Arguments {
        kind,
        seeds: arguments.seeds,
        first_seed: arguments.first_seed,
        replay: arguments.replay,
        planted: arguments.planted.clone(),
    };
    match sim::cli::sim(&wanted, &mut std::io::stdout().lock()) {
        Ok(true) => Ok(Code::Ok),
        Ok(false) => Ok(Code::Failed),
        Err(error) => Err(Stop::Because(Code::Failed, format!("error: {error}"))),
    }
}
