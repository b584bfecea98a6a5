//! Real programs on one machine: a server, clients and relays, each in namespaces of its own.
//!
//! *Lives here:* what a scenario is made of. [`Lab`] is its network, [`Node`] a machine in it, [`Server`], [`Client`] and
//! [`Relay`] are programs on nodes, [`Capture`] is what was on the wire.
//! *May know:* how each real program is called, where it keeps its files, what it prints.
//! *Must not know:* the inside of Tandem: it is met as its users meet it, by its binary, its files and its packets. The one
//! crate of ours that is named here is `dhcp`, and what it reads is compared with what tshark reads.
//!
//! A lab that cannot be built, and a program that does not do what it should in time, is the end of a scenario: the
//! functions here panic and say what they waited for. Namespaces have no names, and end with the process that holds them,
//! which ends with us, however we end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken scenario may stop")]
#![allow(clippy::missing_panics_doc, reason = "all of it may panic: see above")]

pub mod build;
pub mod capture;
pub mod client;
pub mod clock;
pub mod counted;
pub mod crowd;
pub mod dhcpd;
pub mod guest;
pub mod load;
pub mod network;
pub mod node;
pub mod pair;
pub mod partners;
pub mod process;
pub mod puppet;
pub mod raw;
pub mod relay;
pub mod server;
pub mod shim;
pub mod truth;

pub use capture::{Capture, Seen};
pub use client::{Client, ClientKind};
pub use clock::FakeClock;
pub use counted::{Calls, Counting};
pub use crowd::{Answer, Crowd};
pub use guest::{Guest, Guests};
pub use network::Lab;
pub use node::Node;
pub use pair::{Pair, Side};
pub use process::Process;
pub use puppet::Puppet;
pub use relay::{Relay, RelayKind};
pub use server::{Lease, Server, ServerKind, Setup, Subnet};

use std::time::{Duration, Instant};

/// Asks again and again, until there is an answer or the time is over.
///
/// `what` is what is waited for, as it is to stand in the message of the failure.
#[track_caller]
pub fn wait_for<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < within, "waited {} s for: {what}", within.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Seconds, as a short word in scenarios.
pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
