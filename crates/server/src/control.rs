//! What others may ask of a running server.
//!
//! *Lives here:* [`Question`], the one way by which other threads reach the owner of the engine; `control/`: the Unix socket on
//! which questions are taken ([`start`]), its routes and its JSON.
//! *May know:* the engine's views and the shell's.
//! *Must not know:* how the owner loop waits.

mod health;
pub mod json;
mod routes;
mod serve;
mod socket;

pub use health::{Health, HealthState};
pub use routes::{ANSWER_WAIT, DEFAULT_PAGE, MAX_BODY, MAX_PAGE, MAX_REQUESTS, REQUEST_WAIT};
pub use serve::{CONNECTION_WAIT, ControlHandle, HEAD_WAIT, MAX_CONNECTIONS, MAX_HEAD, start};
pub use socket::ControlError;

use crate::status::ServerStatus;
use crossbeam_channel::Sender;
use engine::{LeaseFilter, LeaseView, Reset, ResetRefusal};
use failover::endpoint::{Command, Refusal};
use failover::state::FailoverState;
use std::net::Ipv4Addr;

/// A question to the owner thread, with the channel on which it answers once. Who asks wakes the owner afterwards.
#[derive(Debug)]
pub enum Question {
    /// The server at a glance.
    Status {
        /// Where the answer goes.
        answer: Sender<ServerStatus>,
    },
    /// One page of bindings.
    Leases {
        /// Which are wanted.
        filter: LeaseFilter,
        /// At most this many.
        limit: usize,
        /// Where the answer goes: the page, and where to go on.
        answer: Sender<(Vec<LeaseView>, Option<Ipv4Addr>)>,
    },
    /// An operator's command about a partner. The answer comes when what it changed is stable.
    Command {
        /// relationship-name; it may be left out where there is one relationship.
        relationship: Option<String>,
        /// What is commanded.
        command: Command,
        /// Where the answer goes.
        answer: Sender<CommandAnswer>,
    },
    /// An operator's word that nobody uses an address. The answer comes when what it changed is stable.
    Reset {
        /// The address.
        address: Ipv4Addr,
        /// Also if a client has a lease of it.
        leased: bool,
        /// Where the answer goes.
        answer: Sender<Result<Reset, ResetRefusal>>,
    },
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandAnswer {
    /// It is done, and what it changed is stable.
    Done {
        /// Which relationship it was.
        relationship: String,
        /// The state before.
        before: FailoverState,
        /// The state now.
        state: FailoverState,
    },
    /// It is refused, and nothing has changed.
    Refused {
        /// Which relationship it was.
        relationship: String,
        /// Why.
        why: Refusal,
    },
    /// Which relationship is meant is not certain; the names of all.
    Which(Vec<String>),
}
