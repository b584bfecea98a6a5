//! A DHCP server on a node.
//!
//! *Lives here:* [`Setup`], what a server is to serve; [`Server`], Tandem or ISC dhcpd at work; [`Lease`], what it says it
//! has given.
//! *May know:* both configuration languages, Tandem's command line, dhcpd's file of leases.
//! *Must not know:* clients.

use crate::client::hardware_text;
use crate::node::Node;
use crate::process::Process;
use crate::{build, dhcpd, seconds, wait_for};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which program serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// Ours.
    Tandem,
    /// dhcpd of ISC DHCP 4.4.
    Dhcpd,
}

/// Where dhcpd keeps its leases, in the folder for what must not be forgotten.
const DHCPD_LEASES: &str = "dhcpd.leases";

/// A subnet with one pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// As in `10.1.0.0/24`.
    pub prefix: &'static str,
    /// First and last address of the pool.
    pub pool: (Ipv4Addr, Ipv4Addr),
    /// Default router for the clients.
    pub router: Ipv4Addr,
    /// Lease time, T1 and T2 in seconds.
    pub times: (u32, u32, u32),
}

/// The partner with whom all pools are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relationship {
    /// relationship-name.
    pub name: String,
    /// `primary` or `secondary`.
    pub role: &'static str,
    /// Where this server listens, and where the partner does.
    pub addresses: (Ipv4Addr, Ipv4Addr),
    /// MCLT in seconds.
    pub mclt: u32,
    /// More lines of the table.
    pub extra: String,
}

/// What a server is to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Where it listens.
    pub interface: String,
    /// All subnets, its own first.
    pub subnets: Vec<Subnet>,
    /// More lines of the configuration, before all others.
    pub extra: String,
    /// Tandem's `log-level`.
    pub log_level: &'static str,
    /// The folder for what it must not forget; one of the node's by default.
    pub state: Option<PathBuf>,
    /// Whether, and with whom, Tandem shares its pools.
    pub failover: Option<Relationship>,
    /// More lines for each of Tandem's pools.
    pub pool_extra: &'static str,
    /// An address of the first pool that is reserved for the client with this hardware address.
    pub reserved: Option<(Ipv4Addr, [u8; 6])>,
}

/// A lease as the server tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Binding status in lower case, as `active`.
    pub status: String,
    /// The client's hardware address, as `02:00:00:00:00:01`; empty when there is none.
    pub hardware: String,
    /// When it ends, or ended, in seconds since 1970.
    pub ends: u64,
}

/// A server at work.
#[derive(Debug)]
pub struct Server {
    kind: ServerKind,
    process: Process,
    configuration: PathBuf,
    state: PathBuf,
    environment: Vec<(&'static str, String)>,
    interface: String,
}

impl Setup {
    /// The usual one: `10.1.0.1` on `eth0`, a pool of a hundred addresses, leases of a minute, T1 after 20 s, T2 after 30 s.
    pub fn usual() -> Setup {
        let subnet = Subnet {
            prefix: "10.1.0.0/24",
            pool: (Ipv4Addr::new(10, 1, 0, 100), Ipv4Addr::new(10, 1, 0, 199)),
            router: Ipv4Addr::new(10, 1, 0, 1),
            times: (60, 20, 30),
        };
        Setup {
            interface: "eth0".to_owned(),
            subnets: vec![subnet],
            extra: String::new(),
            log_level: "debug",
            state: None,
            failover: None,
            pool_extra: "",
            reserved: None,
        }
    }

    /// `tandem.toml`.
    pub fn tandem(&self, state: &Path) -> String {
        let mut text = format!(
            "interfaces = [\"{}\"]\nstate-directory = \"{}\"\nclock-wait = \"0s\"\nlog-level = \"{}\"\n{}\n",
            self.interface,
            state.display(),
            self.log_level,
            self.extra
        );
        if let Some(Relationship { name, role, addresses: (listen, partner), mclt, extra }) = &self.failover {
            writeln!(
                text,
                "[[failover]]\nname = \"{name}\"\nrole = \"{role}\"\nlisten = \"{listen}\"\npartner = \"{partner}\"\n\
                 mclt = \"{mclt}s\"\n{extra}"
            )
            .unwrap();
        }
        for Subnet { prefix, pool, router, times } in &self.subnets {
            let (lease, renewal, rebinding) = times;
            writeln!(
                text,
                "[[subnet]]\nprefix = \"{prefix}\"\nlease-time = \"{lease}s\"\nrenewal-time = \"{renewal}s\"\n\
                 rebinding-time = \"{rebinding}s\"\noptions = {{ routers = [\"{router}\"], domain-name-servers = \
                 [\"192.0.2.53\"], domain-name = \"lab.example\" }}\n[[subnet.pool]]\nrange = \"{}-{}\"\n{}",
                pool.0, pool.1, self.pool_extra
            )
            .unwrap();
            if let Some(relationship) = &self.failover {
                writeln!(text, "failover = \"{}\"", relationship.name).unwrap();
            }
            if let Some((address, mac)) =
                self.reserved.filter(|(address, _)| (pool.0..=pool.1).contains(address))
            {
                let mac = hardware_text(&mac);
                writeln!(
                    text,
                    "[[subnet.reservation]]\naddress = \"{address}\"\nhardware-address = \"{mac}\""
                )
                .unwrap();
            }
        }
        text
    }

    /// `dhcpd.conf`.
    pub fn dhcpd(&self) -> String {
        let mut text = format!(
            "authoritative; ping-check false; dhcp-cache-threshold 0; db-time-format local;\n{}\n",
            self.extra
        );
        let mut whose = String::new();
        if let Some(relationship) = &self.failover {
            text.push_str(&dhcpd::failover_peer(relationship));
            whose = format!("failover peer \"{}\"; deny dynamic bootp clients;", relationship.name);
        }
        for Subnet { prefix, pool, router, times } in &self.subnets {
            let (address, length) = prefix.split_once('/').unwrap();
            let mask = Ipv4Addr::from(u32::MAX << (32 - length.parse::<u32>().unwrap()));
            let (lease, renewal, rebinding) = times;
            writeln!(
                text,
                "subnet {address} netmask {mask} {{ default-lease-time {lease}; max-lease-time {lease}; \
                 option dhcp-renewal-time {renewal}; option dhcp-rebinding-time {rebinding}; option routers {router}; \
                 option domain-name-servers 192.0.2.53; option domain-name \"lab.example\"; pool {{ {whose} range {} {}; }} }}",
                pool.0, pool.1
            )
            .unwrap();
        }
        text
    }
}

impl Server {
    /// Starts one, and waits until it serves.
    #[track_caller]
    pub fn start(node: &Node, kind: ServerKind, setup: &Setup) -> Server {
        Server::start_with(node, kind, setup, Vec::new())
    }

    /// Starts one with variables in its environment, and waits until it serves.
    #[track_caller]
    pub fn start_with(
        node: &Node,
        kind: ServerKind,
        setup: &Setup,
        environment: Vec<(&'static str, String)>,
    ) -> Server {
        let state = setup.state.clone().unwrap_or_else(|| node.folder().join("state"));
        fs::create_dir_all(&state).unwrap();
        let configuration = match kind {
            ServerKind::Tandem => {
                let file = node.folder().join("tandem.toml");
                fs::write(&file, setup.tandem(&state)).unwrap();
                file
            }
            ServerKind::Dhcpd => {
                let file = node.folder().join("dhcpd.conf");
                fs::write(&file, setup.dhcpd()).unwrap();
                if let Some((address, mac)) = setup.reserved {
                    // A dhcpd has no other place for it.
                    let lease = dhcpd::reserved_lease(address, &hardware_text(&mac));
                    fs::write(state.join(DHCPD_LEASES), lease).unwrap();
                }
                file
            }
        };
        let process = launch(node, kind, &configuration, &state, &setup.interface, &environment);
        let interface = setup.interface.clone();
        let mut server = Server { kind, process, configuration, state, environment, interface };
        server.wait_until_ready();
        server
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        let text = match self.kind {
            ServerKind::Tandem => build::READY,
            ServerKind::Dhcpd => "Server starting service",
        };
        self.process.wait_for_log(text, seconds(30));
    }

    /// Starts it again, after it has ended.
    #[track_caller]
    pub fn restart(&mut self, node: &Node) {
        self.launch_again(node);
        self.wait_until_ready();
    }

    /// Gives it another configuration, for its next start.
    pub fn configure(&self, setup: &Setup) {
        fs::write(&self.configuration, setup.tandem(&self.state)).unwrap();
    }

    /// Starts it again without waiting until it serves.
    pub fn launch_again(&mut self, node: &Node) {
        self.process =
            launch(node, self.kind, &self.configuration, &self.state, &self.interface, &self.environment);
    }

    /// The program.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its configuration file.
    pub fn configuration(&self) -> &Path {
        &self.configuration
    }

    /// The folder of what it must not forget.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Asks it to end, and sees that it does so well.
    #[track_caller]
    pub fn stop(&mut self) {
        self.process.signal(Signal::SIGTERM);
        let status = self.process.wait(seconds(20));
        if self.kind == ServerKind::Tandem {
            assert!(status.success(), "it ended with {status}:\n{}", self.process.log());
        }
    }

    /// Its leases: addresses that are, or were, a client's.
    #[track_caller]
    pub fn leases(&self, node: &Node) -> BTreeMap<Ipv4Addr, Lease> {
        match self.kind {
            ServerKind::Tandem => tandem_leases(&self.ask(node, &["leases", "--json"])),
            ServerKind::Dhcpd => dhcpd_leases(&fs::read_to_string(self.dhcpd_leases()).unwrap()),
        }
    }

    /// All its addresses, whether or not they ever were a client's. dhcpd says nothing of those of which it has nothing to
    /// say.
    #[track_caller]
    pub fn addresses(&self, node: &Node) -> BTreeMap<Ipv4Addr, Lease> {
        match self.kind {
            ServerKind::Tandem => tandem_leases(&self.ask(node, &["leases", "--json", "--unused"])),
            ServerKind::Dhcpd => self.leases(node),
        }
    }

    /// dhcpd's file of leases.
    pub fn dhcpd_leases(&self) -> PathBuf {
        self.state.join(DHCPD_LEASES)
    }

    /// Which program it is.
    pub const fn kind(&self) -> ServerKind {
        self.kind
    }

    /// A lease that must be there.
    #[track_caller]
    pub fn lease(&self, node: &Node, address: Ipv4Addr) -> Lease {
        let leases = self.leases(node);
        leases.get(&address).unwrap_or_else(|| panic!("no lease of {address} in {leases:?}")).clone()
    }

    /// Tandem's counters by their names.
    #[track_caller]
    pub fn counters(&self, node: &Node) -> BTreeMap<String, u64> {
        let status = self.status(node);
        ["counters", "shell-counters"]
            .iter()
            .flat_map(|part| status[part].as_object().unwrap_or_else(|| panic!("no {part} in {status}")))
            .map(|(name, count)| (name.clone(), count.as_u64().unwrap()))
            .collect()
    }

    /// What `tandem status --json` says, be the server well or not.
    #[track_caller]
    pub fn status(&self, node: &Node) -> Value {
        let output = self.command(node, &["status", "--json"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("tandem status: {error}: {said}{errors}"))
    }

    /// Tandem, as it is asked a question or told what to do, for its exit code.
    pub fn command(&self, node: &Node, question: &[&str]) -> Command {
        let mut command = node.command(build::tandem());
        command.args(question).arg("--socket").arg(self.state.join("control.sock"));
        command
    }

    /// What a command of Tandem's prints.
    #[track_caller]
    pub fn ask(&self, node: &Node, question: &[&str]) -> String {
        let output = self.command(node, question).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tandem {question:?}: {}: {errors}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A server of ours that is to refuse to start: how it ended, and what it said.
#[track_caller]
pub fn refused(node: &Node, configuration: &Path) -> (Option<i32>, String) {
    let mut process = node.spawn(build::tandem(), &["serve", "-c", &configuration.display().to_string()]);
    let status = process.wait(seconds(30));
    (status.code(), process.log())
}

fn launch(
    node: &Node,
    kind: ServerKind,
    configuration: &Path,
    state: &Path,
    interface: &str,
    environment: &[(&'static str, String)],
) -> Process {
    let configuration = configuration.display().to_string();
    match kind {
        ServerKind::Tandem => node.spawn_with(build::tandem(), &["serve", "-c", &configuration], environment),
        ServerKind::Dhcpd => {
            let leases = state.join(DHCPD_LEASES);
            fs::File::options().create(true).append(true).open(&leases).unwrap();
            let leases = leases.display().to_string();
            let arguments = ["-4", "-f", "-d", "-cf", &configuration, "-lf", &leases, "--no-pid", interface];
            node.spawn_with(build::unconfined("dhcpd", node.folder()), &arguments, environment)
        }
    }
}

/// `tandem leases --json`.
fn tandem_leases(text: &str) -> BTreeMap<Ipv4Addr, Lease> {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let leases = value.as_array().or_else(|| value["leases"].as_array());
    let leases = leases.unwrap_or_else(|| panic!("no list of leases: {text}"));
    leases
        .iter()
        .map(|lease| {
            let text = |key: &str| lease[key].as_str().unwrap_or_default().to_lowercase();
            let hardware = text("client-hardware-address");
            let ends = lease["lease-expiration-time"]["seconds"].as_u64().unwrap_or_default();
            let address =
                text("assigned-IP-address").parse().unwrap_or_else(|_| panic!("no address in {lease}"));
            (address, Lease { status: text("binding-status"), hardware, ends })
        })
        .collect()
}

/// dhcpd's file: the last entry of an address counts.
fn dhcpd_leases(text: &str) -> BTreeMap<Ipv4Addr, Lease> {
    let mut found = BTreeMap::new();
    for entry in text.split("\nlease ").skip(1) {
        // What is still being written has no end yet.
        let Some((address, body)) = entry.split_once(' ').filter(|(_, body)| body.contains("\n}")) else {
            continue;
        };
        let value = |key: &str| {
            let line = body.lines().find_map(|line| line.trim().strip_prefix(key));
            line.map(|rest| rest.trim().split([';', ' ']).next().unwrap_or_default().to_owned())
        };
        let lease = Lease {
            status: value("binding state ").unwrap_or_default(),
            hardware: value("hardware ethernet ").unwrap_or_default(),
            ends: value("ends epoch ").and_then(|ends| ends.parse().ok()).unwrap_or_default(),
        };
        found.insert(address.parse().unwrap(), lease);
    }
    found
}

/// Waits until a lease is as asked.
#[track_caller]
pub fn wait_for_lease(
    server: &Server,
    node: &Node,
    address: Ipv4Addr,
    what: &str,
    is: impl Fn(&Lease) -> bool,
) -> Lease {
    wait_for(&format!("lease of {address} to be {what}"), seconds(20), || {
        server.leases(node).get(&address).filter(|lease| is(lease)).cloned()
    })
}
