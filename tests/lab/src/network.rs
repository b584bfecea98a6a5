//! The network of a scenario.
//!
//! *Lives here:* [`Lab`]: its folder, its wires, its nodes.
//! *May know:* `ip` and `bridge`.
//! *Must not know:* DHCP.

use crate::node::Node;
use crate::process::tail;
use std::fs;
use std::path::{Path, PathBuf};

/// A scenario's network and folder; all of it goes when this is dropped, except, after a failure, the folder.
#[derive(Debug)]
pub struct Lab {
    // Wires are bridges on this node. Dropped before the folder.
    switch: Node,
    folder: PathBuf,
}

impl Lab {
    /// A lab with a name that is unique among the scenarios.
    pub fn new(name: &str) -> Lab {
        let folder = std::env::temp_dir().join(format!("tandem-lab-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let switch = Node::new("switch", folder.join("switch"));
        Lab { switch, folder }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A node that is not yet connected to anything.
    pub fn node(&self, name: &str) -> Node {
        Node::new(name, self.folder.join(name))
    }

    /// A wire.
    pub fn wire(&self, wire: &str) {
        self.switch.run(&format!("ip link add {wire} type bridge forward_delay 0 && ip link set {wire} up"));
    }

    /// Connects an interface of a node to a wire. The address is one with a prefix length, or empty.
    pub fn connect(&self, wire: &str, node: &Node, interface: &str, address: &str) {
        let port = port(node, interface);
        let (switch, target) = (self.switch.first(), node.first());
        // Both numbers are of this machine: only the network is entered here.
        let script = format!(
            "nsenter -t {switch} -n ip link add {port} type veth peer name {interface} netns {target} && \
             nsenter -t {switch} -n ip link set {port} master {wire} up"
        );
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        node.run(&format!("ip link set dev {interface} address {} up", hardware_address(&port)));
        if !address.is_empty() {
            node.run(&format!("ip addr add {address} dev {interface}"));
        }
    }

    /// Takes an interface from its wire, or puts it back.
    pub fn plug(&self, node: &Node, interface: &str, plugged: bool) {
        let state = if plugged { "up" } else { "down" };
        self.switch.run(&format!("ip link set {} {state}", port(node, interface)));
    }

    /// Cuts an interface off from its wire, or joins it again; unlike a plug that is drawn, nobody notices but by silence.
    pub fn join(&self, wire: &str, node: &Node, interface: &str, joined: bool) {
        let master = if joined { format!("master {wire}") } else { "nomaster".to_owned() };
        self.switch.run(&format!("ip link set {} {master}", port(node, interface)));
    }

    /// The node on which the wires are: there all that is on a wire can be seen, once.
    pub fn switch(&self) -> &Node {
        &self.switch
    }

    /// From now on no frame reaches this interface whose address the wire does not know.
    pub fn known_addresses_only(&self, node: &Node, interface: &str) {
        self.switch.run(&format!("bridge link set dev {} flood off", port(node, interface)));
    }
}

/// The same at each run, and each with a zero byte, at which what takes an address for text would stop.
fn hardware_address(port: &str) -> String {
    let hash =
        port.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let [a, b, c, d] = hash.to_be_bytes();
    format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// The other end of a node's interface; interfaces have names of at most 15 bytes.
fn port(node: &Node, interface: &str) -> String {
    format!("{}-{interface}", node.name()).chars().take(15).collect()
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("LAB_KEEP").is_some() {
            for log in logs(&self.folder) {
                let text = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
                eprintln!("--- {}\n{}", log.display(), tail(&text, 40));
            }
            eprintln!("--- the folder is kept: {}", self.folder.display());
            return;
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        for inner in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
            if inner.path().extension().is_some_and(|extension| extension == "log") {
                found.push(inner.path());
            }
        }
    }
    found.sort();
    found
}
