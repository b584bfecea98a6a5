//! Whether the firewall may keep clients out, or partners.
//!
//! *Lives here:* [`in_the_way`]: it asks the tools of the system, if they are there and this user may.
//! *Must not know:* what follows from it.
//!
//! A guess on purpose: a firewall that refuses by default and never speaks of the port is worth a word; whether a rule really
//! lets clients in is not judged.

use config::PartnerAddresses;
use std::net::SocketAddrV4;
use std::process::{Command, Stdio};

/// A firewall that may be in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Firewall {
    /// The tool that shows it.
    pub(super) tool: &'static str,
    /// No rule of it speaks of UDP port 67.
    pub(super) clients: bool,
    /// Where partners are to be heard, and no rule of it speaks of that TCP port, nor of the partner.
    pub(super) partners: Vec<SocketAddrV4>,
}

/// The firewall that may be in the way; `None` when there is none, or nobody may tell.
pub(super) fn in_the_way(partners: &[PartnerAddresses]) -> Option<Firewall> {
    let nft = || Some(("nft", output("nft", &["list", "ruleset"]).filter(|rules| nft_refuses(rules))?));
    let iptables = || {
        let rules = output("iptables-save", &["-t", "filter"]);
        Some(("iptables", rules.filter(|rules| iptables_refuses(rules))?))
    };
    let (tool, rules) = nft().or_else(iptables)?;
    refused(tool, &rules, partners)
}

/// What a firewall refuses that refuses what it does not speak of.
fn refused(tool: &'static str, rules: &str, partners: &[PartnerAddresses]) -> Option<Firewall> {
    let refused = |partner: &&PartnerAddresses| {
        let named = speaks_of(rules, &partner.partner.ip().to_string());
        !named && !speaks_of_port(rules, "tcp", partner.listen.port())
    };
    let partners: Vec<SocketAddrV4> = partners.iter().filter(refused).map(|partner| partner.listen).collect();
    let clients = !speaks_of_port(rules, "udp", 67);
    (clients || !partners.is_empty()).then_some(Firewall { tool, clients, partners })
}

fn output(tool: &str, arguments: &[&str]) -> Option<String> {
    let path = "/usr/sbin:/usr/bin:/sbin:/bin";
    let ran = Command::new(tool).args(arguments).env("PATH", path).stdin(Stdio::null()).output().ok()?;
    ran.status.success().then(|| String::from_utf8_lossy(&ran.stdout).into_owned())
}

/// A chain at the input hook that drops what no rule took.
fn nft_refuses(rules: &str) -> bool {
    let drops = rules.lines().any(|line| line.contains("hook input") && line.contains("policy drop"));
    // Without a policy, the last rule of such a chain may do the same.
    let ends_in_drop = rules.split("hook input").skip(1).any(|rest| {
        let chain = rest.split('}').next().unwrap_or("");
        chain.lines().last().is_some_and(is_refusal)
            || chain.lines().rev().find(|line| !line.trim().is_empty()).is_some_and(is_refusal)
    });
    drops || ends_in_drop
}

fn is_refusal(line: &str) -> bool {
    let verdict = line.trim();
    verdict == "drop" || verdict.starts_with("reject") || verdict.ends_with(" drop")
}

/// A policy DROP of INPUT, or a last rule that refuses all.
fn iptables_refuses(rules: &str) -> bool {
    let policy = rules.lines().any(|line| line.starts_with(":INPUT DROP"));
    let last = rules.lines().rfind(|line| line.starts_with("-A INPUT"));
    let last = last
        .is_some_and(|line| line.starts_with("-A INPUT -j DROP") || line.starts_with("-A INPUT -j REJECT"));
    policy || last
}

/// Whether any rule for this protocol names the port, alone, in a set or in a range, or by the name of its service.
fn speaks_of_port(rules: &str, protocol: &str, port: u16) -> bool {
    let service = match port {
        67 => Some("bootps"),
        647 => Some("dhcp-failover"),
        _ => None,
    };
    let other = if protocol == "tcp" { "udp" } else { "tcp" };
    rules
        .lines()
        .filter(|line| line.contains("dport") || line.contains("sport"))
        .filter(|line| !has_word(line, other) || has_word(line, protocol))
        .any(|line| {
            let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != ':');
            words.any(|word| Some(word) == service || includes(word, port))
        })
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_ascii_alphanumeric()).any(|found| found == word)
}

/// Whether this is the port, or a range that has it: `600-700` of nft, `600:700` of iptables.
fn includes(word: &str, port: u16) -> bool {
    let (first, last) = word.split_once(['-', ':']).unwrap_or((word, word));
    matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(first), Ok(last)) if (first..=last).contains(&port))
}

/// Whether any rule names this address.
fn speaks_of(rules: &str, address: &str) -> bool {
    rules
        .lines()
        .any(|line| line.split(|c: char| !c.is_ascii_digit() && c != '.').any(|word| word == address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nft(policy: &str, rules: &[&str]) -> String {
        let rules = rules.iter().fold(String::new(), |text, rule| text + "\t\t" + rule + "\n");
        format!(
            "table inet filter {{\n\tchain input {{\n\t\ttype filter hook input priority filter; policy {policy};\n\
             {rules}\t}}\n}}\n"
        )
    }

    /// Whether clients are refused, and how many of two partners.
    fn judged(rules: &str) -> (bool, usize) {
        let partner = |listen: &str, partner: &str| PartnerAddresses {
            listen: listen.parse().unwrap(),
            partner: partner.parse().unwrap(),
        };
        let partners = [partner("10.0.0.1:647", "10.0.0.2:647"), partner("10.0.0.1:1647", "10.0.0.3:647")];
        if !nft_refuses(rules) && !iptables_refuses(rules) {
            return (false, 0);
        }
        refused("nft", rules, &partners).map_or((false, 0), |found| (found.clients, found.partners.len()))
    }

    #[test]
    fn rulesets_of_nft() {
        assert_eq!(judged(""), (false, 0));
        for (policy, rules, expected) in [
            ("accept", &["tcp dport 22 accept"][..], (false, 0)),
            ("drop", &["tcp dport 22 accept"], (true, 2)),
            ("drop", &["udp dport 67 accept"], (false, 2)),
            ("drop", &["udp dport { 53, 67 } accept"], (false, 2)),
            ("drop", &["udp dport bootps accept"], (false, 2)),
            ("drop", &["udp dport 6767 accept"], (true, 2)),
            ("drop", &["tcp dport 67 accept"], (true, 2)),
            ("drop", &["udp dport 67 accept", "tcp dport 647 accept"], (false, 1)),
            ("drop", &["udp dport 67 accept", "udp dport 647 accept"], (false, 2)),
            ("drop", &["udp dport 67 accept", "tcp dport dhcp-failover accept"], (false, 1)),
            ("drop", &["udp dport 67 accept", "tcp dport { 22, 600-2000 } accept"], (false, 0)),
            ("drop", &["udp dport 67 accept", "ip saddr { 10.0.0.2, 10.0.0.3 } accept"], (false, 0)),
            ("drop", &["udp dport 67 accept", "ip saddr 10.0.0.22 accept"], (false, 2)),
            ("drop", &["meta l4proto { tcp, udp } th dport { 67, 647, 1647 } accept"], (false, 0)),
            ("accept", &["tcp dport 22 accept", "reject with icmpx type port-unreachable"], (true, 2)),
            ("accept", &["counter packets 0 bytes 0 drop"], (true, 2)),
        ] {
            assert_eq!(judged(&nft(policy, rules)), expected, "{policy} {rules:?}");
        }
    }

    #[test]
    fn rules_of_iptables() {
        for (rules, expected) in [
            (":INPUT ACCEPT [0:0]\n", (false, 0)),
            (":INPUT DROP [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\n", (true, 2)),
            (":INPUT ACCEPT [0:0]\n-A INPUT -j REJECT --reject-with x\n", (true, 2)),
            (":INPUT DROP [0:0]\n-A INPUT -p udp -m udp --dport 67 -j ACCEPT\n", (false, 2)),
            (
                ":INPUT DROP [0:0]\n-A INPUT -p udp -m udp --dport 67 -j ACCEPT\n\
                 -A INPUT -p tcp -m tcp --dport 600:700 -j ACCEPT\n-A INPUT -s 10.0.0.3/32 -j ACCEPT\n",
                (false, 0),
            ),
        ] {
            assert_eq!(judged(&format!("*filter\n{rules}COMMIT\n")), expected, "{rules}");
        }
    }
}
