//! The shell around the engine: sockets, disk, clock and threads. It carries values to the engine and from it.
//!
//! *Lives here:* the owner thread (reads packets and time, asks the engine), the journal thread (writes, syncs, then sends
//! what became stable), the control socket.
//! *May know:* everything of this host.
//! *Must not know:* any rule of DHCP or of the failover protocol: an `if` on protocol state here is a defect.

mod clocks;
pub mod control;
pub mod counter;
mod desk;
mod error;
pub mod handle;
mod journal;
mod log;
mod mailbox;
mod net;
mod owner;
mod pace;
mod partners;
mod reader;
mod shared;
mod start;
pub mod status;
mod sys;

pub use clocks::clock_is_synchronised;
pub use error::{EXIT_PANIC, EXIT_STORE, ServeError};
pub use handle::{AskError, OwnerHandle};
pub use start::serve;
pub use status::{InterfaceStatus, ServerStatus, StoreStatus};
