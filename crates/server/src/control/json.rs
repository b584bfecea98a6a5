//! What goes over the control socket, as JSON.
//!
//! *Lives here:* the types of the answers, made from the engine's views; keys are spelled as the drafts spell them.
//! *Must not know:* HTTP, terminals.
//!
//! Who asks reads the answers by the same types. Bytes that a client sent are hexadecimal, and beside that text where every
//! byte is printable ASCII: whatever a client sends, the answer is valid JSON, and harmless on a terminal.

mod names;
mod pair;

pub use names::DnsUpdates;
pub use pair::{Commanded, Relationship};

use super::health::Health;
use crate::status::{InterfaceStatus, ServerStatus, StoreStatus};
use dhcp::{ClientIdentity, HardwareAddress};
use engine::{LeaseView, PoolView, Reset};
use failover::binding::BindingStatus;
use failover::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::Ipv4Addr;

/// Every binding-status by its name, in the order of their numbers.
pub fn binding_status_names() -> [&'static str; 7] {
    BindingStatus::ALL.map(BindingStatus::name)
}

/// A moment; a field that was never set is `null` instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Moment {
    /// RFC 3339 in UTC, or `never`.
    pub time: String,
    /// Seconds since 1970-01-01 00:00 UTC; `null` for never.
    pub seconds: Option<u64>,
}

/// Bytes as they came from a client or relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Octets {
    /// Two digits for each byte.
    pub hex: String,
    /// The same as text, if all bytes are printable ASCII; zeros at the end, which some clients send, are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Who a client is (RFC 2131 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Client {
    /// `client-identifier`, or `hardware-address` of a client that sends none.
    pub kind: ClientKind,
    /// The client-identifier, or the hardware address without its type.
    #[serde(flatten)]
    pub bytes: Octets,
}

/// What an identity is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientKind {
    /// Option 61.
    ClientIdentifier,
    /// `htype` and `chaddr`.
    HardwareAddress,
}

/// One binding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lease {
    /// The address.
    #[serde(rename = "assigned-IP-address")]
    pub address: Ipv4Addr,
    /// `ACTIVE`, `FREE`, … (F07 5.10).
    pub binding_status: String,
    /// The client that holds it, or held it last.
    pub client: Option<Client>,
    /// `02:00:00:00:00:01`; with the hardware type before a slash where that is not Ethernet.
    pub client_hardware_address: Option<String>,
    /// When the binding took on its status.
    pub start_time_of_state: Option<Moment>,
    /// When the client was last heard.
    pub client_last_transaction_time: Option<Moment>,
    /// When the lease ends, or ended.
    pub lease_expiration_time: Option<Moment>,
    /// Whether the address is reserved for one client.
    pub reserved: bool,
    /// Whether the address is in no pool or reservation of the configuration any more.
    pub orphan: bool,
    /// Option 12.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host_name: Option<Octets>,
    /// Option 60.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub vendor_class_identifier: Option<Octets>,
    /// Option 82.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relay_agent_information: Option<Octets>,
    /// Option 81; its text is the name.
    #[serde(rename = "client-FQDN", skip_serializing_if = "Option::is_none", default)]
    pub client_fqdn: Option<Octets>,
    /// Option 77.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_class: Option<Octets>,
    /// Option 118; its text is the address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subnet_selection: Option<Octets>,
    /// What the partner said of its DNS updates.
    #[serde(rename = "DDNS", skip_serializing_if = "Option::is_none", default)]
    pub ddns: Option<DnsUpdates>,
    /// What the partner said that it answered: a magic number of four bytes, then options.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_reply_options: Option<Octets>,
}

/// One page of bindings, in the order of their addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Leases {
    /// The bindings; a page may be short or empty and yet not the last.
    pub leases: Vec<Lease>,
    /// Where the next page begins; `null` after the last.
    pub next: Option<Ipv4Addr>,
}

/// The server at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Version of the server.
    pub version: String,
    /// Since when it serves.
    pub uptime_seconds: u64,
    /// Its engine's time.
    pub now: Option<Moment>,
    /// Whether it can do its work.
    pub health: Health,
    /// Its store.
    pub store: Store,
    /// Each configured interface.
    pub interfaces: Vec<Interface>,
    /// Each shared network.
    pub networks: Vec<Network>,
    /// Each relationship with a partner.
    #[serde(default)]
    pub failover: Vec<Relationship>,
    /// Bindings of addresses that the configuration does not have any more.
    pub orphans: u64,
    /// What the engine counted since the start of the process.
    pub counters: BTreeMap<String, u64>,
    /// What the shell counted: packets, batches, syncs.
    pub shell_counters: BTreeMap<String, u64>,
}

/// The store at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Store {
    /// Its UUID.
    pub identity: String,
    /// How often it was opened.
    pub generation: u64,
    /// `ok`, `reserve-only` or `poisoned`.
    pub health: String,
    /// Every record below this number is on stable storage.
    pub stable_position: u64,
    /// Number of the next record.
    pub next_position: u64,
    /// Whether it was made at this start.
    pub new: bool,
    /// Records read from the snapshot at this start.
    pub snapshot_records: u64,
    /// Records read from the log at this start.
    pub log_records: u64,
    /// Bytes of unfinished batches that were cut off at this start.
    pub torn_bytes: u64,
}

/// A configured interface at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index; `null` while the host has no such interface.
    pub index: Option<u32>,
    /// Whether it is up and has a carrier.
    pub up: bool,
    /// Its addresses, the primary one first.
    pub addresses: Vec<Ipv4Addr>,
}

/// How full a shared network is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Network {
    /// Name of the shared network.
    pub name: String,
    /// Addresses in its pools and reservations.
    pub size: u64,
    /// Of these, by binding-status.
    pub by_status: BTreeMap<String, u64>,
    /// Of the FREE ones, how many are offered to a client now.
    pub offered: u64,
}

/// The answer to a command about an address that was obeyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WasReset {
    /// The address.
    #[serde(rename = "assigned-IP-address")]
    pub address: Ipv4Addr,
    /// What it was.
    pub binding_status_before: String,
    /// What it is now.
    pub binding_status: String,
}

impl WasReset {
    /// Of an address.
    pub fn of(address: Ipv4Addr, reset: &Reset) -> WasReset {
        WasReset {
            address,
            binding_status_before: reset.before.name().to_owned(),
            binding_status: reset.status.name().to_owned(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// What is wrong, and what to do.
    pub error: String,
}

impl Moment {
    /// `None` for [`Time::ZERO`], which stands for a time that was never set.
    pub fn of(time: Time) -> Option<Moment> {
        match time {
            Time::ZERO => None,
            Time::NEVER => Some(Moment { time: "never".to_owned(), seconds: None }),
            time => Some(Moment { time: rfc3339(time.as_seconds()), seconds: Some(time.as_seconds()) }),
        }
    }
}

fn rfc3339(seconds: u64) -> String {
    let timestamp =
        i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    timestamp.map_or_else(|| "after the year 9999".to_owned(), |timestamp| timestamp.to_string())
}

impl Octets {
    /// `None` when there are no bytes.
    pub fn of(bytes: &[u8]) -> Option<Octets> {
        if bytes.is_empty() {
            return None;
        }
        let hex = bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let (text, _) = bytes.split_at(end);
        let printable = !text.is_empty() && text.iter().all(|byte| matches!(byte, b' '..=b'~'));
        let text = printable.then(|| text.iter().map(|byte| char::from(*byte)).collect());
        Some(Octets { hex, text })
    }
}

impl Client {
    fn of(identity: &ClientIdentity) -> Option<Client> {
        let hardware = identity.hardware_address();
        let (kind, bytes) = match (identity.client_identifier(), &hardware) {
            (Some(identifier), _) => (ClientKind::ClientIdentifier, identifier),
            (None, hardware) => (ClientKind::HardwareAddress, hardware.as_ref()?.as_bytes()),
        };
        Octets::of(bytes).map(|bytes| Client { kind, bytes })
    }
}

impl From<&LeaseView> for Lease {
    fn from(view: &LeaseView) -> Lease {
        Lease {
            address: view.address,
            binding_status: view.status.name().to_owned(),
            client: view.client.as_ref().and_then(Client::of),
            client_hardware_address: view.hardware.as_ref().map(HardwareAddress::to_string),
            start_time_of_state: Moment::of(view.start_time_of_state),
            client_last_transaction_time: Moment::of(view.client_last_transaction_time),
            lease_expiration_time: Moment::of(view.lease_expiration),
            reserved: view.reserved,
            orphan: view.orphan,
            host_name: Octets::of(&view.host_name),
            vendor_class_identifier: Octets::of(&view.vendor_class),
            relay_agent_information: Octets::of(&view.relay_agent_information),
            client_fqdn: names::fqdn(&view.client_fqdn),
            user_class: Octets::of(&view.user_class),
            subnet_selection: names::address(&view.subnet_selection),
            ddns: view.ddns.as_ref().map(DnsUpdates::from),
            client_reply_options: Octets::of(&view.reply_options),
        }
    }
}

impl From<&PoolView> for Network {
    fn from(view: &PoolView) -> Network {
        let by_status = BindingStatus::ALL.iter().zip(view.by_status);
        Network {
            name: view.network.clone(),
            size: view.size,
            by_status: by_status.map(|(status, count)| (status.name().to_owned(), count)).collect(),
            offered: view.offered,
        }
    }
}

impl From<&ServerStatus> for Status {
    fn from(status: &ServerStatus) -> Status {
        Status {
            version: status.version.to_owned(),
            uptime_seconds: status.uptime.as_seconds(),
            now: Moment::of(status.engine.now),
            health: Health::of(status),
            store: Store::from(&status.store),
            interfaces: status.interfaces.iter().map(Interface::from).collect(),
            networks: status.engine.networks.iter().map(Network::from).collect(),
            failover: Relationship::all(status),
            orphans: status.engine.orphans,
            counters: status.engine.counters.iter().collect(),
            shell_counters: status.shell.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        }
    }
}

impl From<&StoreStatus> for Store {
    fn from(status: &StoreStatus) -> Store {
        let health = match status.health {
            store::Health::Ok => "ok",
            store::Health::ReserveOnly => "reserve-only",
            store::Health::Poisoned => "poisoned",
        };
        Store {
            identity: status.identity.to_string(),
            generation: status.generation,
            health: health.to_owned(),
            stable_position: status.stable.0,
            next_position: status.next.0,
            new: status.opened.new,
            snapshot_records: status.opened.snapshot_records,
            log_records: status.opened.log_records,
            torn_bytes: status.opened.torn_bytes,
        }
    }
}

impl From<&InterfaceStatus> for Interface {
    fn from(status: &InterfaceStatus) -> Interface {
        Interface {
            name: status.name.clone(),
            index: status.index,
            up: status.up,
            addresses: status.addresses.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_text_and_seconds() {
        assert_eq!(Moment::of(Time::ZERO), None);
        assert_eq!(Moment::of(Time::NEVER), Some(Moment { time: "never".to_owned(), seconds: None }));
        let moment = Moment::of(Time::from_millis(1_795_561_618_999)).unwrap();
        assert_eq!((moment.time.as_str(), moment.seconds), ("2026-11-24T23:06:58Z", Some(1_795_561_618)));
        let far = Moment::of(Time::from_seconds(400_000_000_000)).unwrap();
        assert_eq!((far.time.as_str(), far.seconds), ("after the year 9999", Some(400_000_000_000)));
    }

    #[test]
    fn bytes_are_hexadecimal_and_text_only_where_that_is_harmless() {
        let text = |bytes: &[u8]| Octets::of(bytes).unwrap().text;
        assert_eq!(Octets::of(&[]), None);
        assert_eq!(Octets::of(&[0, 0xff]).unwrap().hex, "00ff");
        assert_eq!(text(b"printer\0"), Some("printer".to_owned()));
        assert_eq!(text(b"\x1b[2J"), None);
        assert_eq!(text("dr\u{fc}cker".as_bytes()), None);
        assert_eq!(text(&[0]), None);
    }

    #[test]
    fn a_lease_of_hostile_bytes_is_valid_json_and_reads_back() {
        let view = LeaseView {
            address: Ipv4Addr::new(10, 0, 0, 9),
            status: BindingStatus::Active,
            client: ClientIdentity::from_client_identifier(&[0xff; 255]),
            hardware: HardwareAddress::new(6, &[1, 2, 3]),
            start_time_of_state: Time::from_seconds(1),
            client_last_transaction_time: Time::ZERO,
            lease_expiration: Time::NEVER,
            reserved: true,
            orphan: true,
            host_name: b"\"\\\n\0\xff".to_vec(),
            relay_agent_information: vec![1, 1, b'"'],
            vendor_class: b"MSFT \"5.0\"".to_vec(),
            user_class: vec![1, 0xff],
            client_fqdn: b"\x04\0\0\x01\"\0".to_vec(),
            subnet_selection: vec![10, 0, 0, 0],
            ddns: failover::message::Ddns::from_bytes(b"\0\x03\x01\x1b\0"),
            reply_options: vec![99, 130, 83, 99, 0xff],
        };
        let lease = Lease::from(&view);
        let text = serde_json::to_string(&lease).unwrap();
        assert!(text.is_ascii() && text.contains("\"assigned-IP-address\":\"10.0.0.9\""), "{text}");
        assert!(text.contains("\"client-last-transaction-time\":null"), "{text}");
        assert_eq!(serde_json::from_str::<Lease>(&text).unwrap(), lease);
        assert_eq!(lease.vendor_class_identifier.unwrap().text.as_deref(), Some("MSFT \"5.0\""));
        assert_eq!(lease.host_name.unwrap().text, None);
        assert!(text.contains("\"client-FQDN\":{\"hex\":\"040000012200\",\"text\":\"\\\\034.\"}"), "{text}");
        assert!(text.contains("\"DDNS\":{\"name\":\"\\\\027.\",\"name-done\":true"), "{text}");
        assert_eq!(lease.client_hardware_address.as_deref(), Some("6/01:02:03"));
    }
}
