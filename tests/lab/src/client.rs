//! A real DHCP client on a node.
//!
//! *Lives here:* [`Client`]: how dhclient, udhcpc and dhcpcd are started, asked to release, and restarted, and what address
//! their interface has.
//! *May know:* their options and files.
//! *Must not know:* servers.

use crate::node::Node;
use crate::process::Process;
use crate::{build, seconds, wait_for};
use nix::sys::signal::Signal;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;

/// The interface of every client.
pub const INTERFACE: &str = "eth0";

/// Which program asks for addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKind {
    /// Of ISC DHCP 4.4; remembers its lease, and restarts in INIT-REBOOT.
    Dhclient,
    /// Of BusyBox; remembers nothing, but may be given the address that it had, for which it asks in DHCPDISCOVER.
    Udhcpc,
    /// Of Roy Marples; remembers its lease, and restarts in INIT-REBOOT.
    Dhcpcd,
}

impl ClientKind {
    /// All.
    pub const ALL: [ClientKind; 3] = [ClientKind::Udhcpc, ClientKind::Dhclient, ClientKind::Dhcpcd];

    /// The program's name.
    pub const fn name(self) -> &'static str {
        match self {
            ClientKind::Dhclient => "dhclient",
            ClientKind::Udhcpc => "udhcpc",
            ClientKind::Dhcpcd => "dhcpcd",
        }
    }

    /// Whether it goes through INIT-REBOOT when it restarts.
    pub const fn reboots(self) -> bool {
        !matches!(self, ClientKind::Udhcpc)
    }
}

/// dhclient leaves the question whether an address is free to its script, and declines when that says no.
const PROBING_SCRIPT: &str = "#!/bin/sh
if [ \"$reason\" = BOUND ] && ! busybox arping -D -q -c 2 -w 2 -I \"$interface\" \"$new_ip_address\"; then
    exit 1
fi
. /sbin/dhclient-script
";

const DHCLIENT_CONF: &str =
    "timeout 60; retry 3; initial-interval 1; backoff-cutoff 2; reboot 5; select-timeout 0;
request subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, host-name, dhcp-lease-time,
  dhcp-renewal-time, dhcp-rebinding-time;
send host-name \"lab-dhclient\";
";

const DHCPCD_CONF: &str = "option routers, domain_name_servers, domain_name
clientid
hostname lab-dhcpcd
noipv6
noipv4ll
nodelay
";

/// A client at work.
#[derive(Debug)]
pub struct Client {
    kind: ClientKind,
    process: Process,
    probing: bool,
}

impl Client {
    /// Starts one that has no lease, or, of those that remember, has what it had.
    pub fn start(node: &Node, kind: ClientKind) -> Client {
        Client { kind, process: launch(node, kind, false, None), probing: false }
    }

    /// Starts one that asks by ARP whether its address is free before it uses it.
    pub fn start_probing(node: &Node, kind: ClientKind) -> Client {
        Client { kind, process: launch(node, kind, true, None), probing: true }
    }

    /// Which it is.
    pub const fn kind(&self) -> ClientKind {
        self.kind
    }

    /// The program.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The address that the client's interface has.
    pub fn address(node: &Node) -> Option<Ipv4Addr> {
        let shown = node.run(&format!("ip -4 -o addr show dev {INTERFACE}"));
        let with_length = shown.split_whitespace().skip_while(|word| *word != "inet").nth(1)?;
        with_length.split('/').next()?.parse().ok()
    }

    /// Waits until the interface has an address.
    #[track_caller]
    pub fn wait_for_address(&mut self, node: &Node, within: u64) -> Ipv4Addr {
        let what = format!("an address for {} on {}", self.kind.name(), node.name());
        let address = wait_for(&what, seconds(within), || Client::address(node));
        assert!(self.process.ended().is_none(), "{} has ended:\n{}", self.kind.name(), self.process.log());
        address
    }

    /// Gives the lease back, in the client's own way.
    #[track_caller]
    pub fn release(&mut self, node: &Node) {
        match self.kind {
            ClientKind::Udhcpc => self.process.signal(Signal::SIGUSR2),
            // Before its script has ended, the lease is not yet in its file.
            ClientKind::Dhclient => {
                self.process.wait_for_log("bound to ", seconds(20));
                let dhclient = build::unconfined("dhclient", node.folder());
                node.run(&format!("{} -r {}", dhclient.display(), dhclient_arguments(node, false).join(" ")));
            }
            // What `dhcpcd -k` ends in. While its hooks still run after it was bound, the signal only breaks it.
            ClientKind::Dhcpcd => {
                std::thread::sleep(seconds(3));
                self.process.signal(Signal::SIGALRM);
            }
        }
    }

    /// Kills it and takes its address from the interface, as a machine that is switched off.
    pub fn power_off(&mut self, node: &Node) {
        self.process.kill();
        node.run(&format!("ip addr flush dev {INTERFACE}; ip route flush dev {INTERFACE}; rm -f /run/*.pid"));
    }

    /// Starts it again with what it remembers: its file of the lease, or, for udhcpc, the address that it is given.
    pub fn power_on(&mut self, node: &Node, had: Ipv4Addr) {
        self.process = launch(node, self.kind, self.probing, Some(had));
    }
}

/// The hardware address of a node's interface.
pub fn hardware_address(node: &Node, interface: &str) -> [u8; 6] {
    let shown = node.run(&format!("ip -o link show dev {interface}"));
    let text = shown.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap();
    let bytes: Vec<u8> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

/// A hardware address as text.
pub fn hardware_text(address: &[u8]) -> String {
    address.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

fn dhclient_arguments(node: &Node, probing: bool) -> Vec<String> {
    let folder = node.folder();
    fs::write(folder.join("dhclient.conf"), DHCLIENT_CONF).unwrap();
    let script = folder.join("probing-script");
    fs::write(&script, PROBING_SCRIPT).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let script = if probing { script.display().to_string() } else { "/sbin/dhclient-script".to_owned() };
    let configuration = folder.join("dhclient.conf").display().to_string();
    [
        "-4",
        "-d",
        "-v",
        "-cf",
        &configuration,
        "-lf",
        "/var/lib/dhcp/dhclient.leases",
        "-pf",
        "/run/dhclient.pid",
    ]
    .into_iter()
    .chain(["-sf", &script, INTERFACE])
    .map(str::to_owned)
    .collect()
}

fn launch(node: &Node, kind: ClientKind, probing: bool, had: Option<Ipv4Addr>) -> Process {
    match kind {
        ClientKind::Dhclient => {
            let program = build::unconfined("dhclient", node.folder());
            node.spawn(program, &dhclient_arguments(node, probing))
        }
        ClientKind::Udhcpc => {
            let had = had.map(|address| address.to_string());
            let mut arguments = vec!["-f", "-i", INTERFACE, "-s", "/etc/udhcpc/default.script"];
            // It asks three times to renew and three times to rebind, then gives its lease up before its end: with four
            // seconds between, 24 s after T1, which for it is always half of the lease.
            arguments.extend(["-t", "5", "-T", "4", "-A", "2", "-x", "hostname:lab-udhcpc"]);
            if probing {
                arguments.push("-a500");
            }
            if let Some(had) = &had {
                arguments.extend(["-r", had]);
            }
            node.spawn("udhcpc", &arguments)
        }
        ClientKind::Dhcpcd => {
            let probe = if probing { "" } else { "noarp\n" };
            let file = node.folder().join("dhcpcd.conf");
            fs::write(&file, format!("{DHCPCD_CONF}{probe}")).unwrap();
            node.spawn("dhcpcd", &["-B", "-d", "-4", "-f", &file.display().to_string(), INTERFACE])
        }
    }
}
