//! What happened in a run, as values, for those who look at it.
//!
//! *Lives here:* [`Happening`], and its line for people.
//! *May know:* names of messages and states.
//! *Must not know:* who looks at it, and how it is shown.
//!
//! Nothing of this is made in a run that nobody looks at.

use crate::client::{How, Why};
use crate::report::Clocked;
use failover::binding::BindingStatus;
use failover::state::FailoverState;
use std::fmt;
use std::net::Ipv4Addr;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// When, in milliseconds since the run began.
    pub at: u64,
    /// What.
    pub what: What,
}

/// Somebody in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// A server: 0 is the primary of a pair, 1 the secondary.
    Server(usize),
    /// A client, by its number.
    Client(u8),
    /// Both servers of a pair, and what is between them.
    Pair,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Party::Server(server) => write!(f, "server {server}"),
            Party::Client(client) => write!(f, "client {client}"),
            Party::Pair => f.write_str("the pair"),
        }
    }
}

/// What happened. Times are in milliseconds since the run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Only for reading.
    Note(String),
    /// Something goes wrong on purpose.
    Trouble {
        /// By which it can be left out; `None` where it cannot.
        number: Option<u32>,
        /// Whom it befalls.
        whom: Party,
        /// What it is called.
        kind: String,
    },
    /// All is well from now on.
    Healed,
    /// A server serves from now on.
    Serves {
        /// Which.
        server: usize,
        /// How it came to its engine time.
        text: String,
    },
    /// The process of a server ends.
    Ends {
        /// Which.
        server: usize,
        /// How.
        how: String,
    },
    /// The process of a server, or its whole machine, stands still.
    Stands {
        /// Which.
        server: usize,
        /// Until then, or until the process ends.
        until: u64,
    },
    /// Nothing that a server of a pair sends to the other gets through.
    Silent {
        /// Who sends.
        from: usize,
        /// Until then, or until all is well.
        until: u64,
    },
    /// The endpoint of a server has entered a state.
    State {
        /// Which.
        server: usize,
        /// The state.
        state: FailoverState,
    },
    /// A message leaves.
    Sends {
        /// By which [`What::Heard`] names it; counted from 1.
        message: u64,
        /// Who sends it.
        from: Party,
        /// Whom it is meant for.
        to: Vec<Party>,
        /// Its name, as RFC 2131 or the drafts spell it.
        name: &'static str,
        /// The heart of it: what it is about.
        brief: String,
        /// What is in it.
        text: String,
    },
    /// A message has been taken in.
    Heard {
        /// See [`What::Sends`].
        message: u64,
        /// By whom.
        by: Party,
        /// What is in it, where people read that.
        text: Option<String>,
    },
    /// A server hears that a client gives its address back; somebody else may have said so in its name.
    GivenBack {
        /// The client.
        client: u8,
        /// The address.
        address: Ipv4Addr,
    },
    /// A client uses an address from now on, or longer than it knew before.
    Holds {
        /// The client.
        client: u8,
        /// The address.
        address: Ipv4Addr,
        /// Until when, in true time; [`u64::MAX`] for ever.
        until: u64,
        /// How it came to it.
        how: &'static str,
    },
    /// A client stops to use an address.
    LetsGo {
        /// The client.
        client: u8,
        /// The address.
        address: Ipv4Addr,
        /// Why.
        why: &'static str,
    },
    /// A server has recorded another status of an address.
    Recorded {
        /// The server.
        server: usize,
        /// The address.
        address: Ipv4Addr,
        /// Its status.
        status: BindingStatus,
    },
}

/// Messages that only say that their sender lives.
pub(crate) const CONTACT: &str = "CONTACT";

impl Happening {
    /// The line for people, where this is something to be read.
    pub fn line(&self) -> Option<String> {
        let line = match &self.what {
            What::Note(text) => text.clone(),
            What::Trouble { number: Some(number), whom, kind } => format!("{whom}: trouble {number}: {kind}"),
            What::Trouble { number: None, whom, kind } => format!("{whom}: trouble: {kind}"),
            What::Healed => "all is well from now on".to_owned(),
            What::Serves { server, text } => format!("server {server}: serves from {text}"),
            What::Ends { server, how } => format!("server {server}: the process ends: {how}"),
            What::Sends { name, .. } if *name == CONTACT => return None,
            What::Sends { from, name, text, .. } => format!("{from}: sends {name} {text}"),
            What::Heard { by, text: Some(text), .. } => format!("{by}: hears {text}"),
            What::Holds { client, address, how, .. } => format!("client {client}: holds {address} ({how})"),
            What::LetsGo { client, address, why } => format!("client {client}: lets go of {address} ({why})"),
            What::Heard { .. }
            | What::Stands { .. }
            | What::Silent { .. }
            | What::State { .. }
            | What::GivenBack { .. }
            | What::Recorded { .. } => return None,
        };
        Some(format!("{}  {line}", Clocked(self.at)))
    }
}

impl How {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            How::Selected => "Selected",
            How::Rebooted => "Rebooted",
            How::Renewed => "Renewed",
            How::Rebound => "Rebound",
            How::StillIts => "StillIts",
            How::Bootp => "Bootp",
        }
    }
}

impl Why {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Why::RanOut => "RanOut",
            Why::WasAway => "WasAway",
            Why::Refused => "Refused",
            Why::Released => "Released",
            Why::Forgot => "Forgot",
        }
    }
}
