//! The catalogue of events: what an operator should hear of.
//!
//! *Lives here:* [`Event`] with its number, level, text, the section it rests on, and what to do.
//! *Must not know:* log files, journals, terminals.
//!
//! Counted things are in [`crate::counter`]; an event is what somebody may have to act on, or will look for later.

use crate::input::StorageHealth;
use dhcp::ClientIdentity;
use failover::time::{Interval, Time};
use std::fmt;
use std::net::Ipv4Addr;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Somebody must act, or clients go without.
    Error,
    /// Somebody should look.
    Warning,
    /// Good to know.
    Info,
    /// For who wants to follow each client.
    Debug,
}

/// What does not change from one occurrence to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Stable number, as logged: `TDM-` and four digits.
    pub id: &'static str,
    /// Stable name.
    pub name: &'static str,
    /// How much it matters.
    pub level: Level,
    /// Where the behaviour is specified; empty where it is ours.
    pub section: &'static str,
    /// What to do about it.
    pub what_to_do: &'static str,
}

/// Something that happened, with its particulars. [`fmt::Display`] is the log line's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A client got an address that it did not hold.
    LeaseGranted {
        /// The address.
        address: Ipv4Addr,
        /// Whose it is now.
        client: ClientIdentity,
        /// What the client was told.
        lease: Interval,
    },
    /// A client gave its address back.
    LeaseReleased {
        /// The address.
        address: Ipv4Addr,
        /// Whose it was.
        client: ClientIdentity,
    },
    /// A lease ran out.
    LeaseExpired {
        /// The address.
        address: Ipv4Addr,
        /// Whose it was.
        client: ClientIdentity,
        /// When the lease ended.
        end: Time,
    },
    /// A client found its address in use.
    AddressDeclined {
        /// The address.
        address: Ipv4Addr,
        /// Who declined it.
        client: ClientIdentity,
        /// How long it stays ABANDONED.
        probation: Interval,
    },
    /// A declined address may be given out again.
    AbandonedFreed {
        /// The address.
        address: Ipv4Addr,
    },
    /// A client was told that it cannot have an address.
    Refused {
        /// The address that it asked for.
        address: Ipv4Addr,
        /// Who.
        client: ClientIdentity,
        /// Why.
        why: &'static str,
    },
    /// A network has no address left for new clients.
    NetworkExhausted {
        /// Its name.
        network: String,
    },
    /// What the store can take changed.
    Storage(StorageHealth),
    /// An address of the store belongs to no pool of the configuration any more.
    OrphansKept {
        /// How many there are.
        count: usize,
    },
}

impl Event {
    /// The catalogue's entry of this event.
    pub fn entry(&self) -> &'static Entry {
        let number = match self {
            Event::LeaseGranted { .. } => 0,
            Event::LeaseReleased { .. } => 1,
            Event::LeaseExpired { .. } => 2,
            Event::AddressDeclined { .. } => 3,
            Event::AbandonedFreed { .. } => 4,
            Event::Refused { .. } => 5,
            Event::NetworkExhausted { .. } => 6,
            Event::Storage(StorageHealth::ReserveOnly) => 7,
            Event::Storage(StorageHealth::Ok) => 8,
            Event::OrphansKept { .. } => 9,
        };
        &CATALOGUE[number]
    }
}

/// All entries; the manual's chapter is made from them.
pub static CATALOGUE: [Entry; 10] = [
    Entry {
        id: "TDM-1001",
        name: "lease-granted",
        level: Level::Debug,
        section: "RFC 2131 4.3.2",
        what_to_do: "Nothing.",
    },
    Entry {
        id: "TDM-1002",
        name: "lease-released",
        level: Level::Debug,
        section: "RFC 2131 4.3.4",
        what_to_do: "Nothing.",
    },
    Entry {
        id: "TDM-1003",
        name: "lease-expired",
        level: Level::Debug,
        section: "F07 5.10",
        what_to_do: "Nothing. Many at once mean that clients went away together, or cannot reach this server: \
                     look at the relays and at the links to them.",
    },
    Entry {
        id: "TDM-1004",
        name: "address-declined",
        level: Level::Warning,
        section: "RFC 2131 4.3.3",
        what_to_do: "Find who else uses the address: a host with a fixed address inside a pool, or a second DHCP \
                     server. Take the host's address out of the pool, or give it a reservation.",
    },
    Entry {
        id: "TDM-1005",
        name: "abandoned-freed",
        level: Level::Info,
        section: "F07 5.10",
        what_to_do: "Nothing. If it is declined again soon, see TDM-1004.",
    },
    Entry {
        id: "TDM-1006",
        name: "refused",
        level: Level::Info,
        section: "RFC 2131 4.3.2",
        what_to_do: "Nothing when a client has moved to another network: it starts again and gets an address. If \
                     the same client is refused again and again, ask for its lease with `tandem leases`.",
    },
    Entry {
        id: "TDM-1007",
        name: "network-exhausted",
        level: Level::Error,
        section: "RFC 2131 4.3.1",
        what_to_do: "Clients of this network go without an address. Add a pool or a subnet to it, or shorten \
                     lease-time so that addresses come back sooner; `tandem status` shows how full each network is.",
    },
    Entry {
        id: "TDM-1008",
        name: "storage-full",
        level: Level::Error,
        section: "",
        what_to_do: "No lease is granted or renewed until there is room: free space on the disk that holds \
                     state-directory. Releases and expiries are still recorded; service resumes by itself.",
    },
    Entry {
        id: "TDM-1009",
        name: "storage-recovered",
        level: Level::Info,
        section: "",
        what_to_do: "Nothing: leases are granted again. Find out what filled the disk.",
    },
    Entry {
        id: "TDM-1010",
        name: "orphans-kept",
        level: Level::Warning,
        section: "",
        what_to_do: "Addresses with leases are in no pool any more. They are kept until they end, so that nobody \
                     else gets them if the pool comes back, and are not renewed. Put the pool back if it was \
                     removed by mistake.",
    },
];

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::LeaseGranted { address, client, lease } => {
                write!(f, "{address} leased to {client} for {lease}")
            }
            Event::LeaseReleased { address, client } => write!(f, "{address} released by {client}"),
            Event::LeaseExpired { address, client, end } => {
                write!(f, "lease of {address} to {client} ended at {} s", end.as_seconds())
            }
            Event::AddressDeclined { address, client, probation } => {
                write!(
                    f,
                    "{address} declined by {client}: in use by somebody else; ABANDONED for {probation}"
                )
            }
            Event::AbandonedFreed { address } => {
                write!(f, "{address} is FREE again after its time as ABANDONED")
            }
            Event::Refused { address, client, why } => write!(f, "{client} cannot have {address}: {why}"),
            Event::NetworkExhausted { network } => write!(f, "network {network} has no free address"),
            Event::Storage(StorageHealth::ReserveOnly) => {
                f.write_str("the store has no room but its last reserve: no lease is granted or renewed")
            }
            Event::Storage(StorageHealth::Ok) => f.write_str("the store has room again"),
            Event::OrphansKept { count } => {
                write!(f, "{count} addresses with bindings are in no pool any more")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_and_names_are_distinct_and_say_what_to_do() {
        let ids: BTreeSet<_> = CATALOGUE.iter().map(|entry| entry.id).collect();
        let names: BTreeSet<_> = CATALOGUE.iter().map(|entry| entry.name).collect();
        assert_eq!((ids.len(), names.len()), (CATALOGUE.len(), CATALOGUE.len()));
        assert!(CATALOGUE.iter().all(|entry| entry.id.len() == 8 && entry.what_to_do.ends_with('.')));
    }
}
