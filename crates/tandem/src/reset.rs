//! `tandem reset`.
//!
//! *Lives here:* one command for each address, what is asked before, what is said after.
//! *Must not know:* what may be reset: the server refuses, and says why.

use crate::args::ResetArguments;
use crate::client::Server;
use crate::confirm::confirm;
use crate::exit::{Code, Stop};
use crate::output::Output;
use server::control::json::WasReset;

const NOBODY_USES_IT: &str = "\
Other clients are to get these addresses. This must be true:
  - no host uses any of them: what was there is found, and removed.
If one does, two hosts have one address.
Does nobody use them?";

/// Commands for all addresses, also where one is refused.
pub(crate) fn run(arguments: &ResetArguments, output: &mut Output) -> Result<Code, Stop> {
    confirm(NOBODY_USES_IT, arguments.yes_nobody_uses_it, "--yes-nobody-uses-it")?;
    let server = Server::of(&arguments.server)?;
    let mut code = Code::Ok;
    for address in &arguments.addresses {
        let uri = format!("/v1/leases/{address}/reset?leased={}", arguments.leased);
        match server.command::<WasReset>(&uri) {
            Ok(done) => output.line(&line(&done))?,
            Err(Stop::Because(why @ (Code::Refused | Code::Usage), text)) => {
                // What was done before stands there first.
                output.flush()?;
                eprintln!("{text}");
                code = why;
            }
            Err(stop) => return Err(stop),
        }
    }
    Ok(code)
}

fn line(done: &WasReset) -> String {
    let WasReset { address, binding_status_before, binding_status } = done;
    let waits = if binding_status == "RESET" { "; it is FREE when the partner agrees" } else { "" };
    format!("{address}: done; {binding_status_before} -> {binding_status}{waits}")
}
