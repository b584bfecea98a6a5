//! The DHCP failover protocol (draft-ietf-dhc-failover-07, with what draft-12 corrects) and nothing else.
//!
//! *Lives here:* the vocabulary of the drafts (time, bindings, messages, dialects) and their rules as pure functions.
//! *May know:* addresses, bindings, times.
//! *Must not know:* DHCP packets, pools, options of clients; sockets, clocks, disks, threads, randomness.

pub mod balance;
pub mod binding;
pub mod connection;
pub mod dialect;
pub mod digest;
pub mod endpoint;
pub mod judge;
pub mod lease;
pub mod message;
pub mod state;
pub mod time;
