//! Whether this host fits a configuration.
//!
//! *Lives here:* [`check`]: facts are gathered in `host/facts`, the firewall's in `host/firewall`; here they are judged.
//! *May know:* what the server needs of a host: interfaces with addresses, port 67, a folder to write to, and that an ordinary
//! socket, unlike the raw one of other servers, is subject to firewall and rp_filter.
//! *Must not know:* how facts are found out.
//!
//! Only what certainly keeps the server from starting is an error: a host may become fit before it starts.

mod facts;
mod firewall;

use config::{PartnerAddresses, ServerConfig};
use facts::{Facts, Folder, InterfaceFacts, Port};
use firewall::Firewall;
use std::net::Ipv4Addr;

/// Something to be said of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How bad it is.
    pub(crate) weight: Weight,
    /// What it is about: `interface eth0`.
    pub(crate) at: String,
    /// What is wrong, and what to do.
    pub(crate) text: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// The server will not start.
    Error,
    /// Clients may go without answers.
    Warning,
    /// Worth knowing when something does not work.
    Note,
}

/// Looks at this host.
pub(crate) fn check(config: &ServerConfig) -> Vec<Finding> {
    judge(config, &facts::gather(config))
}

/// What a firewall of this host may keep from these partners, whatever serves here.
pub(crate) fn firewall_before(partners: &[PartnerAddresses]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(firewall) = firewall::in_the_way(partners) {
        self::firewall(&firewall, &mut findings);
    }
    findings
}

/// All addresses of this host.
pub(crate) fn addresses() -> Vec<Ipv4Addr> {
    facts::addresses()
}

fn judge(config: &ServerConfig, facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, interface) in &facts.interfaces {
        self::interface(config, name, interface.as_ref(), &mut findings);
    }
    port(
        "UDP port 67".to_owned(),
        &facts.port,
        "as root, `ss -ulpn sport = :67` shows which it is",
        &mut findings,
    );
    for (at, state) in &facts.partner_ports {
        let shows = "as root, `ss -tlpn` shows which it is; or change `listen`";
        port(format!("TCP port {at}, where partners connect"), state, shows, &mut findings);
    }
    folder(config, &facts.state_directory, &mut findings);
    if let Some(firewall) = &facts.firewall {
        self::firewall(firewall, &mut findings);
    }
    findings
}

fn interface(
    config: &ServerConfig,
    name: &str,
    interface: Option<&InterfaceFacts>,
    findings: &mut Vec<Finding>,
) {
    let mut say =
        |weight, text: String| findings.push(Finding { weight, at: format!("interface {name}"), text });
    let Some(interface) = interface else {
        let text = "it does not exist: create it, or name in `interfaces` one that `ip link` lists";
        return say(Weight::Error, text.to_owned());
    };
    if !interface.up {
        say(
            Weight::Warning,
            format!("it is down: nobody is heard there; `ip link set {name} up` brings it up"),
        );
    }
    if interface.addresses.is_empty() {
        let text =
            "it has no IPv4 address: its clients get no answer; give it one in the subnet that it serves";
        say(Weight::Warning, text.to_owned());
    } else if !interface.addresses.iter().any(|address| config.engine.subnet_of(*address).is_some()) {
        let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        say(
            Weight::Warning,
            format!(
                "none of its addresses ({}) lies in a configured subnet: clients that are directly connected get no \
                 answer, only those behind relays; add their [[subnet]] if there are any",
                addresses.join(", ")
            ),
        );
    }
    // 1 is strict (RFC 3704): the kernel drops what came in by another interface than the way back.
    if interface.rp_filter == Some(1) {
        say(
            Weight::Note,
            format!(
                "rp_filter is 1 (strict): the kernel drops requests of relays whose way back leads over another \
                 interface; if relays go unheard, set net.ipv4.conf.{name}.rp_filter=2"
            ),
        );
    }
}

fn port(at: String, port: &Port, shows: &str, findings: &mut Vec<Finding>) {
    let (weight, text) = match port {
        Port::Free => return,
        Port::Taken(holders) if holders.iter().any(|holder| holder.starts_with("tandem ")) => {
            (Weight::Note, format!("in use by {}: the server runs already", holders.join(", ")))
        }
        Port::Taken(holders) if holders.is_empty() => {
            (Weight::Error, format!("in use by another program: stop it; {shows}"))
        }
        Port::Taken(holders) => {
            (Weight::Error, format!("in use by {}: stop it, and keep it from starting", holders.join(", ")))
        }
        Port::NotAllowed => {
            (Weight::Note, "whether it is free cannot be tried without rights: check as root".to_owned())
        }
        Port::NoAddress => (
            Weight::Warning,
            "no interface has this address: the partner cannot connect until one has; the server tries again by itself"
                .to_owned(),
        ),
        Port::Unknown(why) => (Weight::Warning, format!("it cannot be used: {why}")),
    };
    findings.push(Finding { weight, at, text });
}

fn folder(config: &ServerConfig, folder: &Folder, findings: &mut Vec<Finding>) {
    let (weight, text) = match folder {
        Folder::Writable | Folder::CanBeMade => return,
        Folder::SomethingElse => (Weight::Error, "it is not a folder: name another, or remove it".to_owned()),
        Folder::NotWritable(why) => (
            Weight::Warning,
            format!("it cannot be written to by this user ({why}): the server must be able to"),
        ),
        Folder::CannotBeMade(why) => (
            Weight::Warning,
            format!(
                "it does not exist, and this user cannot make it ({why}): make it, owned by the user that serves"
            ),
        ),
    };
    let at = format!("state-directory {}", config.state_directory.display());
    findings.push(Finding { weight, at, text });
}

fn firewall(firewall: &Firewall, findings: &mut Vec<Finding>) {
    let tool = firewall.tool;
    let mut say = |text| findings.push(Finding { weight: Weight::Warning, at: "firewall".to_owned(), text });
    if firewall.clients {
        say(format!(
            "the firewall ({tool}) refuses what it does not know, and no rule of it speaks of port 67: let UDP port 67 in on \
             the interfaces that clients and relays reach"
        ));
    }
    for at in &firewall.partners {
        let port = at.port();
        say(format!(
            "the firewall ({tool}) refuses what it does not know, and no rule of it speaks of port {port}: let TCP port {port} \
             in from the partner, to {}",
            at.ip()
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn config() -> ServerConfig {
        let text = "interfaces = [\"eth0\", \"eth1\"]\nstate-directory = \"/var/lib/tandem\"\nlease-time = \"8h\"\n\
                    [[subnet]]\nprefix = \"10.1.0.0/24\"\n[[subnet.pool]]\nrange = \"10.1.0.10-10.1.0.99\"\n";
        config::parse("test", text).unwrap().0
    }

    fn fit() -> Facts {
        let eth0 =
            InterfaceFacts { up: true, addresses: vec![Ipv4Addr::new(10, 1, 0, 1)], rp_filter: Some(0) };
        let interfaces =
            BTreeMap::from([("eth0".to_owned(), Some(eth0.clone())), ("eth1".to_owned(), Some(eth0))]);
        let partner_ports = BTreeMap::from([("192.0.2.1:647".parse().unwrap(), Port::Free)]);
        let (port, state_directory) = (Port::Free, Folder::Writable);
        Facts { interfaces, port, partner_ports, state_directory, firewall: None }
    }

    fn said(facts: &Facts) -> String {
        let lines = judge(&config(), facts);
        let lines: Vec<String> =
            lines.iter().map(|f| format!("{:?}, {}: {}", f.weight, f.at, f.text)).collect();
        lines.join("\n")
    }

    #[test]
    fn a_host_that_fits_is_not_talked_about() {
        assert_eq!(said(&fit()), "");
    }

    #[test]
    fn everything_that_is_wrong_with_a_host() {
        let mut facts = fit();
        facts.interfaces.insert("eth0".to_owned(), None);
        let eth1 = InterfaceFacts { up: false, addresses: Vec::new(), rp_filter: Some(1) };
        facts.interfaces.insert("eth1".to_owned(), Some(eth1));
        facts.port = Port::Taken(vec!["dhcpd (1234)".to_owned()]);
        facts.partner_ports.insert("192.0.2.1:647".parse().unwrap(), Port::NoAddress);
        facts.partner_ports.insert("192.0.2.2:647".parse().unwrap(), Port::Taken(Vec::new()));
        facts.state_directory = Folder::CannotBeMade("EACCES".to_owned());
        let partners = vec!["192.0.2.1:647".parse().unwrap()];
        facts.firewall = Some(Firewall { tool: "nft", clients: true, partners });
        insta::assert_snapshot!(said(&facts));
    }

    #[test]
    fn what_is_not_certain_is_no_error() {
        let mut facts = fit();
        let eth1 =
            InterfaceFacts { up: true, addresses: vec![Ipv4Addr::new(192, 0, 2, 1)], rp_filter: Some(2) };
        facts.interfaces.insert("eth1".to_owned(), Some(eth1));
        facts.port = Port::Taken(vec!["tandem (7)".to_owned()]);
        facts.state_directory = Folder::NotWritable("EROFS".to_owned());
        insta::assert_snapshot!(said(&facts));
        for port in [Port::NotAllowed, Port::Unknown("EADDRNOTAVAIL".to_owned())] {
            facts.port = port;
            assert!(!said(&facts).contains("Error"));
        }
        facts.port = Port::Taken(Vec::new());
        facts.state_directory = Folder::SomethingElse;
        assert_eq!(said(&facts).matches("Error").count(), 2);
    }
}
