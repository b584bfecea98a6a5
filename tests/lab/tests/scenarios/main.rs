//! Scenarios with real programs, one test each. They wait much and work little: run six at a time.
//!
//! `LAB_SERVER=dhcpd` runs those that any server must pass with ISC dhcpd: what fails then is the lab's fault.
//! `LAB_KEEP=1` keeps logs and captures.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod avalanche;
mod bad_input;
mod cost;
mod demo;
mod direct;
mod durable;
mod hygiene;
mod relayed;
mod storage;

use lab::ServerKind;

/// The server under test.
fn server_under_test() -> ServerKind {
    match std::env::var("LAB_SERVER").as_deref() {
        Ok("dhcpd") => ServerKind::Dhcpd,
        Err(_) | Ok("tandem") => ServerKind::Tandem,
        Ok(other) => panic!("LAB_SERVER={other}: it is tandem or dhcpd"),
    }
}
