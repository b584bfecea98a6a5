//! ISC dhcpd as one of two partners.
//!
//! *Lives here:* its part of `dhcpd.conf` about the partner, its states by its file of leases, its states by command
//! (omshell).
//! *May know:* dhcpd's languages, the numbers of its states.
//! *Must not know:* Tandem.

use crate::node::Node;
use crate::server::Relationship;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

/// Where omshell reaches it, and with what: each node has a network of its own, so that this is no secret.
pub const OMAPI: &str = "omapi-port 7911; key omapi_key { algorithm hmac-md5; secret \"c2VjcmV0c2VjcmV0c2VjcmV0\"; } \
                         omapi-key omapi_key;\n";

/// PARTNER-DOWN, as `local-state` of omshell has it.
const PARTNER_DOWN: u32 = 4;

/// `failover peer`, with all that dhcpd wants to know of it.
pub fn failover_peer(relationship: &Relationship) -> String {
    let Relationship { name, role, addresses: (own, partner), mclt, extra } = relationship;
    let terms = if *role == "primary" { format!("mclt {mclt}; split 128;") } else { String::new() };
    format!(
        "{OMAPI}failover peer \"{name}\" {{ {role}; address {own}; port 647; peer address {partner}; peer port 647; \
         max-response-delay 10; max-unacked-updates 10; load balance max seconds 3; {terms} {extra} }}\n"
    )
}

/// The state of dhcpd and the one of its partner, as it last wrote them, as in `NORMAL`.
pub fn states(leases: &Path) -> Option<(String, String)> {
    let text = fs::read_to_string(leases).ok()?;
    let (_, last) = text.rsplit_once("failover peer ")?;
    let state = |whose: &str| {
        let line = last.lines().find_map(|line| line.trim().strip_prefix(whose))?;
        Some(line.split_whitespace().next()?.to_uppercase())
    };
    Some((state("my state ")?, state("partner state ")?))
}

/// Tells it that its partner is down, as its operator would.
#[track_caller]
pub fn partner_down(node: &Node, relationship: &str) {
    let script = format!(
        "server 127.0.0.1\nkey omapi_key c2VjcmV0c2VjcmV0c2VjcmV0\nconnect\nnew failover-state\nset name = \
         \"{relationship}\"\nopen\nset local-state = {PARTNER_DOWN}\nupdate\n"
    );
    let mut omshell = node.command("omshell");
    let mut omshell = omshell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    omshell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = omshell.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("local-state = 4"), "omshell: {said}");
}
