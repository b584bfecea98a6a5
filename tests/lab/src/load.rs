//! Many clients at once.
//!
//! *Lives here:* [`Load`], perfdhcp at work as a relay agent, and what of its work a capture shows.
//! *Must not know:* servers.

use crate::capture::Seen;
use crate::node::Node;
use crate::process::Process;
use dhcp::MessageType;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// perfdhcp at work.
#[derive(Debug)]
pub struct Load(Process);

impl Load {
    /// So many exchanges a second for so many seconds, from `clients` clients whose hardware addresses follow on
    /// `base`, by an interface of a node to a server.
    pub fn start(
        node: &Node,
        interface: &str,
        server: Ipv4Addr,
        (rate, seconds, clients): (u32, u32, u32),
        base: &str,
    ) -> Load {
        Load::to(node, interface, &server.to_string(), (rate, seconds, clients), base)
    }

    /// The same, to all servers on the wire.
    pub fn start_for_all(
        node: &Node,
        interface: &str,
        (rate, seconds, clients): (u32, u32, u32),
        base: &str,
    ) -> Load {
        Load::to(node, interface, "all", (rate, seconds, clients), base)
    }

    fn to(
        node: &Node,
        interface: &str,
        server: &str,
        (rate, seconds, clients): (u32, u32, u32),
        base: &str,
    ) -> Load {
        let numbers = [rate, clients, seconds].map(|number| number.to_string());
        let base = format!("mac={base}");
        let [rate, clients, seconds] = &numbers;
        let arguments = ["-4", "-l", interface, "-r", rate, "-R", clients, "-p", seconds, "-d", "8"];
        Load(node.spawn("perfdhcp", &[&arguments[..], &["-b", &base, server]].concat()))
    }

    /// The program.
    pub fn process(&mut self) -> &mut Process {
        &mut self.0
    }
}

/// One DHCPREQUEST and the DHCPACK that answered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// When the request was on the wire, in the unit of [`Seen::at`].
    pub asked: u64,
    /// When the DHCPACK was on the wire.
    pub acked: u64,
    /// The client's address.
    pub address: Ipv4Addr,
    /// Until when the client has it, in seconds since 1970: the promised seconds from its *request* on, as clients count
    /// (RFC 2131 4.4.1).
    pub ends: u64,
}

/// Every DHCPACK for a lease in a capture, with the request that it answers.
#[track_caller]
pub fn granted(seen: &[Seen]) -> Vec<Granted> {
    let mut asked = BTreeMap::new();
    let mut found = Vec::new();
    for seen in seen {
        let kind = seen.kind();
        let key = || (seen.message().xid(), seen.chaddr());
        if kind == Some(MessageType::Request) {
            asked.entry(key()).or_insert(seen.at);
        } else if kind == Some(MessageType::Ack)
            && let Some(lease) = seen.message().lease_time()
        {
            let at =
                *asked.get(&key()).unwrap_or_else(|| panic!("{seen:?} answers no request of the capture"));
            let ends = at / 1_000_000_000 + u64::from(lease);
            found.push(Granted { asked: at, acked: seen.at, address: seen.message().yiaddr(), ends });
        }
    }
    found
}
