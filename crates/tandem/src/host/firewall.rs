//! Whether the firewall may keep clients out.
//!
//! *Lives here:* [`in_the_way`]: it asks the tools of the system, if they are there and this user may.
//! *Must not know:* what follows from it.
//!
//! A guess on purpose: a firewall that refuses by default and never speaks of the port is worth a word; whether a rule really
//! lets clients in is not judged.

use std::process::{Command, Stdio};

/// The tool that shows a firewall which may be in the way; `None` when there is none, or nobody may tell.
pub(super) fn in_the_way() -> Option<&'static str> {
    let nft = output("nft", &["list", "ruleset"]).is_some_and(|rules| nft_refuses(&rules));
    let iptables =
        || output("iptables-save", &["-t", "filter"]).is_some_and(|rules| iptables_refuses(&rules));
    if nft { Some("nft") } else { iptables().then_some("iptables") }
}

fn output(tool: &str, arguments: &[&str]) -> Option<String> {
    let path = "/usr/sbin:/usr/bin:/sbin:/bin";
    let ran = Command::new(tool).args(arguments).env("PATH", path).stdin(Stdio::null()).output().ok()?;
    ran.status.success().then(|| String::from_utf8_lossy(&ran.stdout).into_owned())
}

/// A chain at the input hook that drops what no rule took, in a ruleset that never names the port.
fn nft_refuses(rules: &str) -> bool {
    let drops = rules.lines().any(|line| line.contains("hook input") && line.contains("policy drop"));
    // Without a policy, the last rule of such a chain may do the same.
    let ends_in_drop = rules.split("hook input").skip(1).any(|rest| {
        let chain = rest.split('}').next().unwrap_or("");
        chain.lines().last().is_some_and(is_refusal)
            || chain.lines().rev().find(|line| !line.trim().is_empty()).is_some_and(is_refusal)
    });
    (drops || ends_in_drop) && !speaks_of_port(rules)
}

fn is_refusal(line: &str) -> bool {
    let verdict = line.trim();
    verdict == "drop" || verdict.starts_with("reject") || verdict.ends_with(" drop")
}

/// A policy DROP of INPUT, or a last rule that refuses all, and never the port.
fn iptables_refuses(rules: &str) -> bool {
    let policy = rules.lines().any(|line| line.starts_with(":INPUT DROP"));
    let last = rules.lines().rfind(|line| line.starts_with("-A INPUT"));
    let last = last
        .is_some_and(|line| line.starts_with("-A INPUT -j DROP") || line.starts_with("-A INPUT -j REJECT"));
    (policy || last) && !speaks_of_port(rules)
}

/// Whether any rule names port 67, alone or in a set.
fn speaks_of_port(rules: &str) -> bool {
    rules.lines().filter(|line| line.contains("dport") || line.contains("sport")).any(|line| {
        line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "67" || word == "bootps")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rulesets_of_nft() {
        let of = |policy: &str, rules: &str| {
            format!(
                "table inet filter {{\n\tchain input {{\n\t\ttype filter hook input priority filter; policy {policy};\n{rules}\t}}\n}}\n"
            )
        };
        assert!(!nft_refuses(""));
        assert!(!nft_refuses(&of("accept", "\t\ttcp dport 22 accept\n")));
        assert!(nft_refuses(&of("drop", "\t\ttcp dport 22 accept\n")));
        assert!(!nft_refuses(&of("drop", "\t\tudp dport 67 accept\n")));
        assert!(!nft_refuses(&of("drop", "\t\tudp dport { 53, 67 } accept\n")));
        assert!(!nft_refuses(&of("drop", "\t\tudp dport bootps accept\n")));
        assert!(nft_refuses(&of("drop", "\t\tudp dport 6767 accept\n")));
        assert!(nft_refuses(&of(
            "accept",
            "\t\ttcp dport 22 accept\n\t\treject with icmpx type port-unreachable\n"
        )));
        assert!(nft_refuses(&of("accept", "\t\tcounter packets 0 bytes 0 drop\n")));
    }

    #[test]
    fn rules_of_iptables() {
        assert!(!iptables_refuses("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"));
        assert!(iptables_refuses(
            "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"
        ));
        assert!(iptables_refuses(
            "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j REJECT --reject-with x\nCOMMIT\n"
        ));
        assert!(!iptables_refuses(
            "*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp -m udp --dport 67 -j ACCEPT\nCOMMIT\n"
        ));
    }
}
