//! ISC dhcpd as one of two partners.
//!
//! *Lives here:* its part of `dhcpd.conf` about the partner, its states by its file of leases, its states by command
//! (omshell), what it complains of in its log.
//! *May know:* dhcpd's languages, the numbers of its states.
//! *Must not know:* Tandem.

use crate::node::Node;
use crate::server::Relationship;
use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
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

/// An entry of its file of leases: never leased, and for one client.
pub fn reserved_lease(address: Ipv4Addr, hardware: &str) -> String {
    format!(
        "lease {address} {{\n  starts epoch 1;\n  ends epoch 1;\n  cltt epoch 1;\n  binding state free;\n  reserved;\n  \
         hardware ethernet {hardware};\n}}\n"
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

/// What in a line of its log may be a complaint.
const BAD: [&str; 20] = [
    "reject",
    "error",
    "invalid",
    "fatal",
    "panic",
    "unable",
    "can't",
    "cannot",
    "failed",
    "failure",
    "mismatch",
    "unexpected",
    "unknown",
    "dropping",
    "too great",
    "too large",
    "corrupt",
    "refused",
    "no such",
    "exceed",
];

/// What is in order in the log of every dhcpd: a partner that was not heard yet has this state; and it says CONNECT on each connection
/// that is opened at the same time, of which one is enough.
const IN_ORDER: [&str; 3] = [
    "peer moves from unknown-state to",
    "rejected: Connection rejected, duplicate connection",
    "already connected",
];

/// The lines of all logs of dhcpd in a folder in which there is a complaint, but for those in which one of these is.
pub fn complaints(folder: &Path, in_order: &[&str]) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut logs: Vec<_> = files.filter(|file| file.to_string_lossy().ends_with("-dhcpd.log")).collect();
    logs.sort();
    let all = logs.iter().flat_map(|log| {
        let text = String::from_utf8_lossy(&fs::read(log).unwrap()).into_owned();
        complaints_in(&text, in_order)
    });
    all.collect()
}

fn complaints_in(log: &str, in_order: &[&str]) -> Vec<String> {
    let is_bad = |line: &&str| {
        let lower = line.to_lowercase();
        BAD.iter().any(|word| lower.contains(word))
            && !IN_ORDER.iter().chain(in_order).any(|phrase| line.contains(phrase))
    };
    log.lines().filter(is_bad).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::complaints_in;

    #[test]
    fn a_complaint_is_found_unless_it_is_in_order() {
        let log = "failover peer campus: peer moves from unknown-state to recover\n\
                   bind update on 10.1.0.5 from campus rejected: outdated binding information\n\
                   Both servers normal\nFailover CONNECT to campus rejected: Time offset too large\n";
        assert_eq!(complaints_in(log, &[]).len(), 2);
        assert_eq!(complaints_in(log, &["outdated binding information"]), [log.lines().last().unwrap()]);
    }
}
