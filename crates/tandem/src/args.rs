//! What may be written on the command line.
//!
//! *Lives here:* the commands with their options and help.
//! *Must not know:* what the commands do.

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use server::control::json::binding_status_names;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// Where the configuration is, when nothing else is said.
pub(crate) const CONFIG: &str = "/etc/tandem/tandem.toml";

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well; warnings do not count
  1  the configuration has errors, or cannot be read
  2  the command line makes no sense
  3  the server cannot be reached, or does not answer
  4  the server says that it is unhealthy
  5  something else failed";

const SERVE_EXIT_CODES: &str = "\
Exit codes:
  0   it was told to stop, and everything is written
  1   the configuration has errors, or cannot be read
  2   the command line makes no sense
  5   it could not start, or could not end in order
  70  a defect; it may be started again
  74  the store failed; look at the disk, then it may be started again";

/// A highly available DHCP server.
#[derive(Debug, Parser)]
#[command(name = "tandem", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    #[command(after_help = SERVE_EXIT_CODES)]
    Serve(ServeArguments),
    /// Say everything that is wrong with a configuration, and whether this host fits it
    #[command(after_help = EXIT_CODES)]
    Check(CheckArguments),
    /// Show whether a running server is well, how full its networks are, and what it counted
    #[command(after_help = EXIT_CODES)]
    Status(StatusArguments),
    /// Show the leases of a running server
    #[command(after_help = EXIT_CODES)]
    Leases(LeasesArguments),
    /// Run servers in simulated worlds that fail, and check what must always hold
    #[command(after_help = SIM_EXIT_CODES)]
    Sim(SimArguments),
}

const SIM_EXIT_CODES: &str = "\
Exit codes:
  0  nothing was violated, and everything that can fail has failed; with --planted: the bug was found
  2  the command line makes no sense
  5  something was violated, or the runs were too quiet to prove anything";

#[derive(Debug, Args)]
pub(crate) struct SimArguments {
    /// How many seeds to run
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) seeds: u64,
    /// The first of them
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) first_seed: u64,
    /// Run this seed alone, and print all that happens
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "first_seed"])]
    pub(crate) replay: Option<u64>,
    /// Put this bug in, and see it found; an unknown name lists them
    #[arg(long, value_name = "BUG")]
    pub(crate) planted: Option<String>,
    /// Only pairs of servers
    #[arg(long, conflicts_with = "single")]
    pub(crate) pair: bool,
    /// Only single servers
    #[arg(long)]
    pub(crate) single: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The configuration
    #[arg(short, long, value_name = "FILE", default_value = CONFIG)]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The configuration
    #[arg(short, long, value_name = "FILE", default_value = CONFIG)]
    pub(crate) config: PathBuf,
    /// Do not look at this host: interfaces, port 67, firewall, state directory
    #[arg(long)]
    pub(crate) no_host: bool,
}

/// How a running server is found.
#[derive(Debug, Args)]
pub(crate) struct ServerArguments {
    /// The configuration of the server, which names its control socket
    #[arg(short, long, value_name = "FILE", default_value = CONFIG)]
    pub(crate) config: PathBuf,
    /// The control socket itself, instead of the configuration
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    pub(crate) socket: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LeasesArguments {
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// Print a JSON array, one lease a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Only leases with this binding-status
    #[arg(long, value_name = "STATUS", ignore_case = true, value_parser = PossibleValuesParser::new(binding_status_names()))]
    pub(crate) status: Option<String>,
    /// Only leases from this address on
    #[arg(long, value_name = "ADDRESS", conflicts_with = "which")]
    pub(crate) from: Option<Ipv4Addr>,
    /// Also addresses that no client ever had
    #[arg(long, conflicts_with = "which")]
    pub(crate) unused: bool,
    /// Only this one: an address; or a hardware address, a client-identifier in hexadecimal, or a host-name
    #[arg(value_name = "ADDRESS|CLIENT")]
    pub(crate) which: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_contradict_nothing() {
        Arguments::command().debug_assert();
    }
}
