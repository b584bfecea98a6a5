//! Scenarios with a real pair, one test each. They wait much and work little: run twelve at a time.
//!
//! `LAB_KEEP=1` keeps logs and captures.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken test may stop")]

mod beside;
mod bootp;
mod clocks;
mod dhcpd;
mod duplicates;
mod field;
mod fits;
mod load;
mod mismatch;
mod rush;
mod secured;
mod service;
mod stages;
mod talk;
mod traps;

use lab::{Guests, Pair, truth};

/// No client lost its address, and none shared one, neither by the interfaces of the clients nor by the wire.
#[track_caller]
fn nobody_noticed(pair: &mut Pair, guests: &mut Guests) {
    guests.look();
    assert_eq!(guests.faults(), Vec::<String>::new());
    nobody_shares(pair);
}

/// Nobody shared an address, by the wire.
#[track_caller]
fn nobody_shares(pair: &mut Pair) {
    assert_eq!(truth::shared(&pair.clients.stop()), Vec::<String>::new());
}

/// What the two said to each other, none of it malformed; how often each type was said goes to who reads along.
#[track_caller]
fn well_spoken(pair: &mut Pair) -> Vec<lab::partners::Said> {
    let said = pair.messages();
    pair.say(&format!("tshark: {:?}", lab::partners::count(&said)));
    said
}
