//! What others may see of the engine: copies, never its insides.
//!
//! *Lives here:* [`LeaseView`], [`PoolView`], [`Status`].
//! *Must not know:* JSON, tables, terminals.

use crate::counter::Counters;
use crate::input::StorageHealth;
use crate::partner::EndpointView;
use dhcp::{ClientIdentity, HardwareAddress};
use failover::binding::BindingStatus;
use failover::message::Ddns;
use failover::time::Time;
use std::net::Ipv4Addr;

/// One binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseView {
    /// The address.
    pub address: Ipv4Addr,
    /// Its status. An ACTIVE lease whose end is over but not yet processed is shown as ACTIVE with that end.
    pub status: BindingStatus,
    /// The client that holds it, or held it last.
    pub client: Option<ClientIdentity>,
    /// Its hardware address.
    pub hardware: Option<HardwareAddress>,
    /// When the binding took on its status.
    pub start_time_of_state: Time,
    /// When the client was last heard.
    pub client_last_transaction_time: Time,
    /// When the lease ends, or ended.
    pub lease_expiration: Time,
    /// Whether the address is reserved for one client.
    pub reserved: bool,
    /// Whether the address is in no pool or reservation of the configuration any more.
    pub orphan: bool,
    /// Option 12 as the client sent it.
    pub host_name: Vec<u8>,
    /// Option 82 as the relay sent it.
    pub relay_agent_information: Vec<u8>,
    /// Option 60 as the client sent it.
    pub vendor_class: Vec<u8>,
    /// Option 77 as the client sent it.
    pub user_class: Vec<u8>,
    /// Option 81 as the client sent it.
    pub client_fqdn: Vec<u8>,
    /// Option 118 as the client sent it.
    pub subnet_selection: Vec<u8>,
    /// What the partner said of its DNS updates.
    pub ddns: Option<Ddns>,
    /// Options that the partner said it answered, behind their magic number.
    pub reply_options: Vec<u8>,
}

/// Which bindings are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaseFilter {
    /// Only from this address on.
    pub from: Option<Ipv4Addr>,
    /// Only with this status.
    pub status: Option<BindingStatus>,
    /// Also addresses that no client ever had.
    pub unused: bool,
}

/// How full a shared network is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolView {
    /// Name of the shared network.
    pub network: String,
    /// Addresses in its pools.
    pub size: u64,
    /// Of these, by status; offered ones are FREE. In the order of [`BindingStatus::ALL`].
    pub by_status: [u64; 7],
    /// Of the FREE ones, how many are offered to a client now.
    pub offered: u64,
}

/// The engine at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Engine time of this answer.
    pub now: Time,
    /// What the store can take.
    pub storage: StorageHealth,
    /// Each shared network.
    pub networks: Vec<PoolView>,
    /// Bindings of addresses that the configuration does not have any more.
    pub orphans: u64,
    /// Each failover endpoint.
    pub endpoints: Vec<EndpointView>,
    /// What happened since the start of the process.
    pub counters: Counters,
}
