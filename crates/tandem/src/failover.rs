//! `tandem failover`.
//!
//! *Lives here:* commands about the pair, what is asked before them, what is said after; in the folder how a pair is shown
//! (`pair`), whether two servers fit each other (`check`), and whether this host does (`live`).
//! *Must not know:* in which state what is legal: the server refuses, and says why.

mod check;
mod live;
pub(crate) mod pair;

use crate::args::{FailoverArguments, FailoverCommand, PairArguments, PairStatusArguments, RecoverArguments};
use crate::client::Server;
use crate::confirm::confirm;
use crate::exit::{Code, Stop};
use crate::output::Output;
use server::control::json::{Commanded, Relationship, Status};

const PARTNER_DOWN: &str = "\
The partner is said to be down. This must be true:
  - the partner is off, or its server is stopped, and it stays so until you bring it back;
  - it is not only cut off from here: ask at its console, not over the network.
If it is alive, both servers give the same addresses to different clients from now on.
Is the partner off?";

const SERVE_ALONE: &str = "\
This server is to trust its own leases again. Both must be true:
  - the partner is off, or its server is stopped;
  - the partner has not served alone since it was last in contact with this server.
If it has, it may have given addresses of leases that ended here to other clients, and both have them then.
Is the partner off, and has it not served alone?";

const FIRST_RUN: &str = "\
This server is to begin without waiting. This must be true:
  - it never gave a lease of this relationship to anybody, whatever became of its disk.
If it has, the addresses of those leases go to other clients.
Has this server never given a lease of this relationship?";

/// Asks or commands.
pub(crate) fn run(arguments: &FailoverArguments, output: &mut Output) -> Result<Code, Stop> {
    match &arguments.command {
        FailoverCommand::Status(arguments) => status(arguments, output),
        FailoverCommand::Check(arguments) => check::run(arguments, output),
        FailoverCommand::PartnerDown(arguments) => {
            confirm(PARTNER_DOWN, arguments.yes_it_is_off, "--yes-it-is-off")?;
            command(&arguments.pair, "partner-down", None, output)
        }
        FailoverCommand::ServeAlone(arguments) => {
            confirm(SERVE_ALONE, arguments.yes_it_is_off, "--yes-it-is-off")?;
            command(&arguments.pair, "serve-alone", None, output)
        }
        FailoverCommand::Recover(arguments) => recover(arguments, output),
        FailoverCommand::Pause(arguments) => command(arguments, "pause", None, output),
        FailoverCommand::Shutdown(arguments) => command(arguments, "shutdown", None, output),
        FailoverCommand::Resync(arguments) => command(arguments, "resync", None, output),
    }
}

fn recover(arguments: &RecoverArguments, output: &mut Output) -> Result<Code, Stop> {
    if arguments.first_run {
        confirm(FIRST_RUN, arguments.yes_it_never_served, "--yes-it-never-served")?;
        return command(&arguments.pair, "first-run", None, output);
    }
    command(&arguments.pair, "storage-lost", arguments.down_since.as_deref(), output)
}

fn command(
    arguments: &PairArguments,
    name: &str,
    down_since: Option<&str>,
    output: &mut Output,
) -> Result<Code, Stop> {
    let parameters = [("relationship", arguments.name.as_deref()), ("down-since", down_since)];
    let given = parameters.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
    let uri = format!("/v1/failover/{name}?{query}");
    let done: Commanded = Server::of(&arguments.server)?.command(&uri)?;
    let Commanded { relationship_name, state_before, state } = done;
    output.line(&if state_before == state {
        format!("{relationship_name}: done; the state is {state}")
    } else {
        format!("{relationship_name}: done; {state_before} -> {state}")
    })?;
    Ok(Code::Ok)
}

fn status(arguments: &PairStatusArguments, output: &mut Output) -> Result<Code, Stop> {
    let status: Status = Server::of(&arguments.pair.server)?.ask("/v1/status")?;
    let wanted = arguments.pair.name.as_deref();
    let is_wanted = |pair: &&Relationship| wanted.is_none_or(|name| pair.relationship_name == name);
    let shown: Vec<&Relationship> = status.failover.iter().filter(is_wanted).collect();
    if shown.is_empty() {
        let text = match wanted {
            Some(name) => format!("error: the server has no relationship \"{}\"", name.escape_debug()),
            None => "error: this server shares no pool with a partner: its configuration has no [[failover]]"
                .to_owned(),
        };
        return Err(Stop::Because(Code::Usage, text));
    }
    if arguments.json {
        output.json(&shown)?;
    } else {
        output.line(&render(&shown, output.color()))?;
    }
    let normal = shown.iter().all(|pair| pair.state == "NORMAL");
    Ok(if normal { Code::Ok } else { Code::NotNormal })
}

fn render(pairs: &[&Relationship], color: bool) -> String {
    let parts = pairs.iter().map(|pair| {
        let mut lines = pair::lines(pair, color);
        if pair.state != "NORMAL" {
            lines.push(format!("  {:<18}  {}", "what to do", pair.what_to_do));
        }
        lines.join("\n")
    });
    parts.collect::<Vec<_>>().join("\n\n")
}
