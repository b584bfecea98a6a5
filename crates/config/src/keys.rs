//! The tables of `tandem.toml` and the keys that each may have.
//!
//! *Lives here:* [`TABLES`]; the reader asks for no other key, and a test wants each of them in the manual.
//! *Must not know:* what a key means.

/// A kind of table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableKeys {
    /// What to call it: `[[subnet]]`.
    pub name: &'static str,
    /// The keys that it may have, sorted.
    pub keys: &'static [&'static str],
}

/// All kinds of tables.
pub const TABLES: [&TableKeys; 7] =
    [&TOP, &SUBNET, &POOL, &RESERVATION, &SHARED_NETWORK, &FAILOVER, &FAILOVER_TLS];

/// The top of the file.
pub(crate) const TOP: TableKeys = TableKeys {
    name: "the configuration",
    keys: &[
        "backlog",
        "clock-wait",
        "control-socket",
        "decline-time",
        "failover",
        "interfaces",
        "lease-time",
        "log-level",
        "max-lease-time",
        "min-lease-time",
        "offer-time",
        "options",
        "rebinding-time",
        "renewal-time",
        "segment-size",
        "shared-network",
        "state-directory",
        "subnet",
    ],
};

/// A subnet.
pub(crate) const SUBNET: TableKeys = TableKeys {
    name: "[[subnet]]",
    keys: &[
        "boot-file",
        "lease-time",
        "max-lease-time",
        "min-lease-time",
        "next-server",
        "options",
        "pool",
        "prefix",
        "rebinding-time",
        "renewal-time",
        "reservation",
        "server-name",
    ],
};

/// A pool.
pub(crate) const POOL: TableKeys =
    TableKeys { name: "[[subnet.pool]]", keys: &["dynamic-bootp", "failover", "options", "range"] };

/// A reservation.
pub(crate) const RESERVATION: TableKeys = TableKeys {
    name: "[[subnet.reservation]]",
    keys: &[
        "address",
        "boot-file",
        "client-identifier",
        "hardware-address",
        "host-name",
        "next-server",
        "options",
        "server-name",
    ],
};

/// Several subnets on one wire.
pub(crate) const SHARED_NETWORK: TableKeys =
    TableKeys { name: "[[shared-network]]", keys: &["name", "subnets"] };

/// A partner in one role.
pub(crate) const FAILOVER: TableKeys = TableKeys {
    name: "[[failover]]",
    keys: &[
        "connect-interval",
        "delayed-service",
        "dialect",
        "listen",
        "max-clock-difference",
        "max-unacked",
        "mclt",
        "name",
        "partner",
        "partner-kind",
        "receive-timer",
        "restart-alone",
        "role",
        "safe-period",
        "secret-file",
        "split",
        "start-alone",
        "startup-wait",
        "tls",
    ],
};

/// TLS with a partner.
pub(crate) const FAILOVER_TLS: TableKeys =
    TableKeys { name: "[failover.tls]", keys: &["certificate", "key", "partner-name", "trust", "use"] };
