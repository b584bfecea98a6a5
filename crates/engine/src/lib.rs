//! Every decision of Tandem, in one deterministic state machine: `engine.handle(now, input, &mut outbox)` and
//! `engine.next_deadline()`.
//!
//! *Lives here:* the checked configuration, bindings with their indexes, pools, one room per DHCP message, records
//! (and their bytes), events, counters, the outbox that holds back what is not stable yet.
//! *May know:* crates `dhcp` and `failover`; time and entropy as arguments.
//! *Must not know:* sockets, disks, clocks, threads, randomness, configuration text.
//!
//! Server, simulator, fuzzers and `explain` run this same engine.

pub mod backlog;
pub mod clock;
pub mod config;
pub mod counter;
mod engine;
mod essence;
pub mod event;
mod former;
pub mod input;
mod interfaces;
mod operator;
pub mod outbox;
mod partner;
pub mod planted;
pub mod record;
mod request;
mod table;
mod view;

pub use engine::{Engine, SnapshotCursor, WORK_PER_CALL};
pub use essence::Essence;
pub use former::UnsafeChange;
pub use input::{Input, Interface, InterfaceId, Link, LinkId, Packet, StorageHealth};
pub use operator::{Reset, ResetRefusal};
pub use outbox::{Batch, Destination, Outbox, Position, Released, ToPartner};
pub use partner::{Commanded, EndpointView};
pub use view::{LeaseFilter, LeaseView, PoolView, Status};
