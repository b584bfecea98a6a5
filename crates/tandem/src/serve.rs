//! `tandem serve`.
//!
//! *Lives here:* from the arguments to the running server.
//! *Must not know:* how it serves.

use crate::args::ServeArguments;
use crate::exit::{Code, Stop};
use crate::output::Output;
use server::ServeError;

/// Serves until it is told to stop.
pub(crate) fn run(arguments: &ServeArguments, output: &mut Output) -> Result<Code, Stop> {
    let (config, report) = config::load(&arguments.config).map_err(|report| {
        let text = format!("{}\n\nnothing was started", report.render(output.color()));
        Stop::Because(Code::Configuration, text)
    })?;
    server::serve(config, &report).map(|()| Code::Ok).map_err(|error| {
        let code = match error {
            ServeError::UnsafeChange(_) => Code::Configuration,
            _ => Code::Failed,
        };
        Stop::Because(code, format!("error: {error}"))
    })
}
