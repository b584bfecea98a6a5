//! The command line of Tandem, and nothing else.
//!
//! *Lives here:* arguments, what is printed, exit codes. One room for each command.
//! *May know:* the configuration, the control socket and its JSON; what this host looks like, for `check`.
//! *Must not know:* how the server decides.

mod args;
mod check;
mod client;
mod confirm;
mod exit;
mod failover;
mod host;
mod leases;
mod output;
mod reset;
mod serve;
mod sim;
mod status;
mod table;

use args::{Arguments, Command};
use clap::Parser;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut output = Output::of_process();
    let ended = match &arguments.command {
        Command::Serve(arguments) => serve::run(arguments, &mut output),
        Command::Check(arguments) => check::run(arguments, &mut output),
        Command::Status(arguments) => status::run(arguments, &mut output),
        Command::Leases(arguments) => leases::run(arguments, &mut output),
        Command::Reset(arguments) => reset::run(arguments, &mut output),
        Command::Failover(arguments) => failover::run(arguments, &mut output),
        Command::Sim(arguments) => sim::run(arguments, &mut output),
    };
    let ended = ended.and_then(|code| output.flush().map(|()| code));
    match ended {
        Ok(code) => code.into(),
        Err(stop) => stop.tell(),
    }
}
