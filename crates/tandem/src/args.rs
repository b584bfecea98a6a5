//! What may be written on the command line.
//!
//! *Lives here:* the commands with their options and help.
//! *Must not know:* what the commands do.

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args, Parser, Subcommand};
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

const FAILOVER_EXIT_CODES: &str = "\
Exit codes:
  0  the command is done, and what it changed is on stable storage; `status`: NORMAL
  1  the configuration has errors, or cannot be read
  2  the command line makes no sense, or there is no such relationship
  3  the server cannot be reached, or did not answer: the command may be done yet
  5  something else failed, or the question was not answered with yes
  6  the server refuses the command in its state; nothing has changed
  7  `status`: a relationship is not in NORMAL";

const PAIR_CHECK_EXIT_CODES: &str = "\
Exit codes:
  0  nothing was found that keeps the two from working together safely; warnings do not count
  1  something was, or a file cannot be read
  2  the command line makes no sense
  5  something else failed";

const RESET_EXIT_CODES: &str = "\
Exit codes:
  0  all are reset, and what that changed is on stable storage
  1  the configuration has errors, or cannot be read
  2  the command line makes no sense, or an address is in no pool
  3  the server cannot be reached, or did not answer: it may be done yet
  5  something else failed, or the question was not answered with yes
  6  the server refuses it for an address; nothing has changed there";

const SERVE_EXIT_CODES: &str = "\
Exit codes:
  0   it was told to stop, and everything is written
  1   the configuration has errors, or cannot be read, or does not fit the leases of the last run
  2   the command line makes no sense
  5   it could not start, or could not end in order
  70  a defect; it may be started again
  74  the store failed; look at the disk, then it may be started again";

const SIM_EXIT_CODES: &str = "\
Exit codes:
  0  nothing was violated, and everything that is counted has happened; or the planted bug was found
  2  the command line makes no sense
  5  something was violated, the runs were too quiet, or the planted bug was not found";

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
    /// Give addresses back that nobody uses: ABANDONED ones, or leases of clients that are gone
    ///
    /// An address that a client declined is ABANDONED for `decline-time`, and for as long as anybody may hold a lease of it.
    /// Who has found and removed what used it need not wait. A shared address becomes RESET, and FREE when the partner agrees,
    /// which is at once while the two are in contact; in PARTNER-DOWN what was ABANDONED waits for the partner. If somebody
    /// uses the address all the same, two hosts have it: a client that looks first declines it again.
    ///
    /// Legal in NORMAL, COMMUNICATIONS-INTERRUPTED, PARTNER-DOWN, RESOLUTION-INTERRUPTED and CONFLICT-DONE, and without a
    /// partner; not before the partner knows that the address is ABANDONED.
    #[command(after_help = RESET_EXIT_CODES)]
    Reset(ResetArguments),
    /// Show the pair, and command it
    #[command(after_help = FAILOVER_EXIT_CODES, disable_help_subcommand = true)]
    Failover(FailoverArguments),
    /// Run the server's engine and store in a world that fails, and look for what must never happen
    #[command(after_help = SIM_EXIT_CODES)]
    Sim(SimArguments),
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

#[derive(Debug, Args)]
pub(crate) struct ResetArguments {
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// End leases too: their clients are gone for good
    #[arg(long)]
    pub(crate) leased: bool,
    /// No host uses any of these addresses: do not ask
    #[arg(long)]
    pub(crate) yes_nobody_uses_it: bool,
    /// The addresses
    #[arg(value_name = "ADDRESS", required = true)]
    pub(crate) addresses: Vec<Ipv4Addr>,
}

#[derive(Debug, Args)]
pub(crate) struct FailoverArguments {
    #[command(subcommand)]
    pub(crate) command: FailoverCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FailoverCommand {
    /// Show state and since when of both servers, contact, what is to be told, free addresses, clock difference
    #[command(after_help = FAILOVER_EXIT_CODES)]
    Status(PairStatusArguments),
    /// Say what would go wrong between two servers, by their files, before anything moves
    ///
    /// Each file is a tandem.toml or the dhcpd.conf of an ISC dhcpd, which its content says: so it looks at a pair of two
    /// dhcpd as it is, at a Tandem that is to take the place of one of them, and at two Tandems. Everything is said at once,
    /// with a number that docs/failover-check.md explains. No server is asked, and none need run.
    #[command(after_help = PAIR_CHECK_EXIT_CODES)]
    Check(PairCheckArguments),
    /// The partner is off, and stays off: take over its addresses
    ///
    /// Legal in NORMAL, COMMUNICATIONS-INTERRUPTED, RESOLUTION-INTERRUPTED and CONFLICT-DONE; refused while this server
    /// lost its own bindings. The partner's free addresses are given to clients once the MCLT has passed. If the partner
    /// is alive and only cut off, both give the same addresses to different clients, which nothing undoes: when they meet
    /// again, both stop answering until they have compared all leases (POTENTIAL-CONFLICT).
    #[command(name = "partner-down", after_help = FAILOVER_EXIT_CODES)]
    PartnerDown(ConfirmedArguments),
    /// The partner is off, and has not served alone since this server was last in contact with it: trust the leases here
    ///
    /// Legal in every state but PAUSED and SHUTDOWN; refused while this server lost its bindings. After a restart without
    /// the partner this server cannot know whether the partner went on alone: it then extends no lease by more than what
    /// both agreed upon. The state stays as it is. If the partner did serve alone, it may have given addresses of leases
    /// that ended here to other clients, and both clients then have them.
    #[command(name = "serve-alone", after_help = FAILOVER_EXIT_CODES)]
    ServeAlone(ConfirmedArguments),
    /// Say what this server cannot know: that its leases are lost, or that it never had any
    #[command(after_help = FAILOVER_EXIT_CODES)]
    Recover(RecoverArguments),
    /// Stop the server for a short time; its partner waits for it
    ///
    /// Legal in every state but PAUSED and SHUTDOWN. The partner goes to COMMUNICATIONS-INTERRUPTED at once, and serves. The
    /// server ends when all its relationships have stopped; SIGTERM does the same for all of them.
    #[command(after_help = FAILOVER_EXIT_CODES)]
    Pause(PairArguments),
    /// Stop the server for long; its partner takes over all addresses
    ///
    /// Legal in every state but PAUSED and SHUTDOWN. A partner that hears it goes to PARTNER-DOWN, and gives the addresses
    /// of this server to clients once the MCLT has passed. The server ends with exit code 0 when all its relationships have
    /// stopped; started again, it fetches what it missed before it serves.
    #[command(after_help = FAILOVER_EXIT_CODES)]
    Shutdown(PairArguments),
    /// Fetch all bindings of the partner (UPDREQALL); nobody waits meanwhile
    ///
    /// Legal while the two are in contact, in every state but STARTUP, RECOVER, POTENTIAL-CONFLICT, PAUSED and SHUTDOWN. It
    /// risks nothing but load.
    #[command(after_help = FAILOVER_EXIT_CODES)]
    Resync(PairArguments),
}

/// Which relationship of which server.
#[derive(Debug, Args)]
pub(crate) struct PairArguments {
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// The relationship; it may be left out where there is one
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PairStatusArguments {
    #[command(flatten)]
    pub(crate) pair: PairArguments,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PairCheckArguments {
    /// The configuration of this server: a tandem.toml or a dhcpd.conf
    #[arg(long, value_name = "FILE")]
    pub(crate) ours: PathBuf,
    /// That of its partner, with the files that it includes beside it
    #[arg(long, value_name = "FILE")]
    pub(crate) partner: PathBuf,
    /// Look at this host too, and whether the partner can be reached from it. Nothing is changed, and nothing is said to the
    /// partner: a connection is opened, listened to for 2 s, and closed
    #[arg(long)]
    pub(crate) live: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmedArguments {
    #[command(flatten)]
    pub(crate) pair: PairArguments,
    /// What must be true is true: do not ask
    #[arg(long)]
    pub(crate) yes_it_is_off: bool,
}

#[derive(Debug, Args)]
#[group(id = "what", required = true, args = ["storage_lost", "first_run"])]
pub(crate) struct RecoverArguments {
    #[command(flatten)]
    pub(crate) pair: PairArguments,
    /// The bindings of this server are lost or stale: fetch all from the partner, and wait until nobody holds a lease that
    /// only this server knew of. Legal in every state but PAUSED and SHUTDOWN; until it is over this server is silent
    #[arg(long)]
    pub(crate) storage_lost: bool,
    /// When this server last gave leases; without it the wait of MCLT begins now
    #[arg(long, value_name = "TIME", conflicts_with = "first_run")]
    pub(crate) down_since: Option<String>,
    /// This server never gave a lease of this relationship: do not wait. Legal in STARTUP, RECOVER and RECOVER-WAIT; if it
    /// did give leases, their addresses go to other clients
    #[arg(long)]
    pub(crate) first_run: bool,
    /// It never gave a lease: do not ask (for --first-run)
    #[arg(long, requires = "first_run")]
    pub(crate) yes_it_never_served: bool,
}

#[derive(Debug, Args)]
#[group(skip)]
#[command(group = ArgGroup::new("run").args(["replay", "moves"]))]
pub(crate) struct SimArguments {
    /// How many seeds to run; each makes a world of its own
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: u64,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) first_seed: u64,
    /// Run this seed alone, and show all that happens
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "first_seed"])]
    pub(crate) replay: Option<u64>,
    /// Make the run of this seed, in which something is violated, as small as it can be, and show how to replay it
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "first_seed", "replay", "small"])]
    pub(crate) shrink: Option<u64>,
    /// Go through the run that is replayed event by event: Enter for the next, a number for so many, /TEXT until a line has
    /// it, s for servers and leases, q for the end; standard input may be a file
    #[arg(long, requires = "replay", conflicts_with = "html")]
    pub(crate) step: bool,
    /// Put a bug in, and see it found; `all` writes a table of all bugs
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(sim::Planted::names().chain(["all"])))]
    pub(crate) planted: Option<String>,
    /// Leave out of the run that is replayed: troubles by number (7, 3-9), client-N, weather, declines, wishes, bootp, and all
    /// that fails after-MILLISECONDS
    #[arg(long, value_name = "WHAT,...", requires = "replay", default_value = "", hide_default_value = true)]
    pub(crate) without: sim::Without,
    /// Write the run that is replayed, or what these moves do, as a page with pictures into this file
    #[arg(long, value_name = "FILE", requires = "run")]
    pub(crate) html: Option<PathBuf>,
    /// Draw the run message by message from here on, "1d 03:12:09" since it began [default: what is most telling]
    #[arg(long, value_name = "TIME", requires = "html", value_parser = sim::moment)]
    pub(crate) from: Option<u64>,
    /// And up to here
    #[arg(long, value_name = "TIME", requires = "html", value_parser = sim::moment)]
    pub(crate) to: Option<u64>,
    /// Only worlds of one server
    #[arg(long, conflicts_with = "pair")]
    pub(crate) single: bool,
    /// Only worlds of a pair
    #[arg(long)]
    pub(crate) pair: bool,
    /// In each run everything may fail for so many hours, and leases and MCLT are as long as people have them, from minutes to a
    /// day [default: each draws some hours, with leases of minutes]
    #[arg(long, value_name = "N", requires = "pair", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) hours: Option<u32>,
    /// Worlds of a Tandem beside a dhcpd
    #[arg(long, conflicts_with_all = ["single", "pair"])]
    pub(crate) dhcpd: bool,
    /// Of a dhcpd that lacks these habits; a wrong name shows all there are
    #[arg(long, value_name = "HABIT,...", requires = "dhcpd", value_delimiter = ',', value_parser = habit)]
    pub(crate) lacks: Vec<sim::Habit>,
    /// A small world without chance: all that can happen in it, the shortest first
    #[arg(long, conflicts_with_all = ["single", "pair", "seeds", "first_seed", "replay"])]
    pub(crate) small: bool,
    /// How many different states of the small world to visit
    #[arg(long, value_name = "N", default_value_t = 1_000_000, requires = "small")]
    pub(crate) states: usize,
    /// On how many threads; the result is the same for any number
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with_all = ["replay", "shrink", "moves"])]
    pub(crate) threads: usize,
    /// Make these moves of the small world alone, and show all that happens
    #[arg(long, value_name = "MOVES", requires = "small", conflicts_with = "states")]
    pub(crate) moves: Option<String>,
}

fn habit(text: &str) -> Result<sim::Habit, String> {
    let names = || sim::Habit::ALL.map(sim::Habit::name).join(", ");
    sim::Habit::named(text).ok_or_else(|| format!("a dhcpd has these habits: {}", names()))
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
