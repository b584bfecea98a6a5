//! A real relay agent on a node with two interfaces.
//!
//! *Lives here:* [`Relay`].
//! *May know:* the options of dhcrelay and of dnsmasq.
//! *Must not know:* what it relays.

use crate::node::Node;
use crate::process::Process;
use crate::seconds;
use std::net::Ipv4Addr;

/// Which program relays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayKind {
    /// dhcrelay of ISC DHCP, which adds option 82.
    Dhcrelay,
    /// dnsmasq with `dhcp-relay`, which adds none.
    Dnsmasq,
}

/// A relay at work.
#[derive(Debug)]
pub struct Relay {
    process: Process,
}

impl Relay {
    /// Relays between `down`, where clients are and where the node has the address `own`, and `up`, where the server is.
    #[track_caller]
    pub fn start(
        node: &Node,
        kind: RelayKind,
        (down, own): (&str, Ipv4Addr),
        up: &str,
        server: Ipv4Addr,
    ) -> Relay {
        node.run("echo 1 > /proc/sys/net/ipv4/ip_forward");
        let server = server.to_string();
        let process = match kind {
            RelayKind::Dhcrelay => {
                let arguments = ["-4", "-d", "-a", "-m", "discard", "-id", down, "-iu", up, &server];
                let mut process = node.spawn("dhcrelay", &arguments);
                process.wait_for_log("Sending on   LPF", seconds(20));
                process
            }
            RelayKind::Dnsmasq => {
                let relay = format!("--dhcp-relay={own},{server}");
                let fixed =
                    ["-k", "-p", "0", "-C", "/dev/null", "-u", "root", "--log-facility=-", "--log-dhcp"];
                let mut arguments: Vec<&str> = fixed.to_vec();
                arguments.push(&relay);
                let mut process = node.spawn("dnsmasq", &arguments);
                process.wait_for_log("DHCP relay from", seconds(20));
                process
            }
        };
        Relay { process }
    }

    /// The program.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
