//! A running server at a glance.
//!
//! *Lives here:* [`ServerStatus`] and its parts: copies for others.
//! *Must not know:* JSON, terminals, how the owner waits.

use failover::time::Interval;
use std::net::{Ipv4Addr, SocketAddrV4};
use store::{Health, Opened, Position, StoreIdentity};

/// The engine, and the shell around it.
#[derive(Debug, Clone)]
pub struct ServerStatus {
    /// Version of this program.
    pub version: &'static str,
    /// Since when this process serves.
    pub uptime: Interval,
    /// The engine at a glance.
    pub engine: engine::Status,
    /// The shell's counters since the start of the process, by name, in a fixed order; and `packets-waiting`, how many packets are
    /// read and not decided now.
    pub shell: Vec<(&'static str, u64)>,
    /// The store.
    pub store: StoreStatus,
    /// Each configured interface.
    pub interfaces: Vec<InterfaceStatus>,
    /// Where partners are, in the order of `engine.endpoints`.
    pub partners: Vec<SocketAddrV4>,
}

/// The store at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreStatus {
    /// Who it is.
    pub identity: StoreIdentity,
    /// How often it was opened, this time included.
    pub generation: u64,
    /// What it can take.
    pub health: Health,
    /// Every record below this is on stable storage.
    pub stable: Position,
    /// The number of the next record that the engine will make.
    pub next: Position,
    /// What opening it found.
    pub opened: Opened,
}

/// A configured interface at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceStatus {
    /// Its name, as configured.
    pub name: String,
    /// Its index; `None` while the host has no such interface.
    pub index: Option<u32>,
    /// Whether it is up and has a carrier.
    pub up: bool,
    /// Its addresses, the primary one first.
    pub addresses: Vec<Ipv4Addr>,
}
