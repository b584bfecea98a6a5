//! A run event by event: what is said to each order.

#![allow(clippy::unwrap_used, reason = "a broken test may stop")]

use sim::{Happening, Party, What, step};
use std::net::Ipv4Addr;

fn history() -> Vec<Happening> {
    let address = Ipv4Addr::new(10, 0, 0, 10);
    let holds = |client, until| What::Holds { client, address, until, how: "Selected" };
    let note = |text: &str| What::Note(text.to_owned());
    let all = [
        (0, What::Serves { server: 0, text: "the beginning".to_owned() }),
        (5, note("one")),
        (6, What::GivenBack { client: 9, address }),
        (7, note("two")),
        (1000, holds(1, 61_000)),
        (2000, What::LetsGo { client: 1, address, why: "Released" }),
        (3000, holds(2, u64::MAX)),
        (31_000, What::Trouble { number: Some(1), whom: Party::Server(0), kind: "Kill".to_owned() }),
        (31_000, What::Ends { server: 0, how: "Killed".to_owned() }),
        (60_000, note("three")),
        (61_000, What::Heard { message: 1, by: Party::Client(2), text: None }),
    ];
    all.into_iter().map(|(at, what)| Happening { at, what }).collect()
}

fn told(orders: &str) -> (bool, String) {
    let mut out = Vec::new();
    let is_over = step(&history(), &mut orders.as_bytes(), &mut out, "> ").unwrap();
    (is_over, String::from_utf8(out).unwrap())
}

#[test]
fn a_run_goes_on_as_it_is_told() {
    let (is_over, out) = told("\n2\ns\n\ns\n/Killed\nwhat\ns\n9\n\n");
    assert!(is_over);
    insta::assert_snapshot!(out);
}

#[test]
fn it_ends_when_it_is_told_so_or_nobody_says_anything() {
    for orders in ["3\nq\n\n\n", "3\n"] {
        let (is_over, out) = told(orders);
        assert!(!is_over && out.contains("two") && !out.contains("holds"), "{out}");
    }
}
