//! Pages of runs: that they are whole, and have what people look for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken test may stop")]

use sim::picture::{Subject, Window, page, page_of};
use sim::{Happening, Kind, Options, Party, Planted, What, run};
use std::collections::BTreeSet;

/// Stops where tags are not closed in the order in which they were opened, or text is not escaped.
fn check_form(page: &str) {
    let mut open = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("what it is comes first");
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains('>'), "a stray bracket: {}", &rest[..at]);
        let end = rest[at..].find('>').expect("a tag ends") + at;
        let tag = &rest[at + 1..end];
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}> closes another");
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap());
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
}

fn traced(kind: Kind, planted: Option<&str>) -> Options {
    let planted = planted.map(|name| (name.to_owned(), Planted::named(name).unwrap()));
    Options { kind, planted, traced: true, ..Options::default() }
}

#[test]
fn a_page_has_what_happened() {
    let report = run(4, &traced(Kind::Pair, None));
    let page = page_of(&report, Window::default());
    check_form(&page);
    let states = report.history.iter().filter_map(|one| match one.what {
        What::State { state, .. } => Some(state.name()),
        _ => None,
    });
    let states: BTreeSet<&str> = states.collect();
    assert!(states.len() >= 5, "{states:?}");
    for state in states {
        assert!(page.contains(&format!("<title>{state} from ")), "no band for {state}");
    }
    let holds = report.history.iter().filter_map(|one| match one.what {
        What::Holds { client, address, .. } => Some(format!("<title>client {client} uses {address} from ")),
        _ => None,
    });
    for bar in holds.collect::<BTreeSet<String>>() {
        assert!(page.contains(&bar), "no bar for {bar}");
    }
    for arrow in
        ["arrow dhcp\" d=", "arrow failover\" d=", "arrow lost failover\" d=", "BNDUPD 10.0.0.10 BACKUP"]
    {
        assert!(page.contains(arrow), "{arrow}");
    }
    let troubles = report.history.iter().filter(|one| matches!(one.what, What::Trouble { .. })).count();
    assert_eq!(page.matches("class=\"mark ").count() + page.matches("class=\"habit\"").count(), troubles + 5);
    assert!(page.contains("Nothing was violated.") && page.contains("tandem sim --pair --replay 4<"));
    for foreign in ["<script", "http:", "https:", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
}

#[test]
fn a_violation_is_where_it_was_and_a_part_can_be_asked_for() {
    let report = run(2, &traced(Kind::Pair, Some("always-alive")));
    let violation = report.violation.as_ref().unwrap();
    let page = page_of(&report, Window::default());
    check_form(&page);
    assert!(page.contains("S2 was violated") && page.contains("S2 violated</text>"));
    assert!(page.contains("<text class=\"violated\"") && page.contains("<summary>Before the violation, "));
    let window = Window { from: Some(violation.at - 400_000), to: Some(violation.at - 10_000) };
    let part = page_of(&report, window);
    check_form(&part);
    assert!(!part.contains("<text class=\"violated\"") && part.matches("<details").count() == 1);
    let sends = report.history.iter().filter(|one| {
        (window.from.unwrap()..=window.to.unwrap()).contains(&one.at)
            && matches!(&one.what, What::Sends { name, to, .. } if *name != "CONTACT" && !to.is_empty())
    });
    let sends = sends.count();
    assert!(sends > 0 && part.matches("<text class=\"label").count() == sends, "{sends}");
}

#[test]
fn nobody_is_seen_to_share_an_address_where_nobody_does() {
    for (kind, seeds) in [(Kind::Single, 1..6), (Kind::Pair, 1..6)] {
        for seed in seeds {
            let page = page_of(&run(seed, &traced(kind, None)), Window::default());
            assert!(!page.contains("class=\"shared\" x="), "seed {seed}");
        }
    }
}

#[test]
fn servers_without_a_partner_have_a_page_too() {
    let report = run(5, &traced(Kind::Single, None));
    let page = page_of(&report, Window::default());
    check_form(&page);
    assert!(page.contains("<title>serves from ") && page.contains("1d 00:00</text>"), "its days");
    assert!(!page.contains("between them"));
}

/// A run of a handful of happenings, so that the whole page can be read.
#[test]
fn a_tiny_page() {
    let address = std::net::Ipv4Addr::new(10, 0, 0, 10);
    let (client, server) = (Party::Client(1), Party::Server(0));
    let sends = |message, from, to: &[Party], name, brief: &str| What::Sends {
        message,
        from,
        to: to.to_vec(),
        name,
        brief: brief.to_owned(),
        text: "of <client> & \"others\"".to_owned(),
    };
    let heard = |message, by| What::Heard { message, by, text: None };
    let all = [
        (0, What::Serves { server: 0, text: "the beginning".to_owned() }),
        (1000, sends(1, client, &[server], "DHCPREQUEST", "10.0.0.10")),
        (1002, heard(1, server)),
        (1005, sends(2, server, &[client], "DHCPACK", "10.0.0.10 for 60 s")),
        (1007, heard(2, client)),
        (1007, What::Holds { client: 1, address, until: 61_000, how: "Selected" }),
        (31_000, What::Trouble { number: Some(1), whom: server, kind: "Kill".to_owned() }),
        (31_000, What::Ends { server: 0, how: "Killed".to_owned() }),
        (40_000, sends(3, client, &[server], "DHCPREQUEST", "10.0.0.10")),
        (120_000, What::Serves { server: 0, text: "the disk".to_owned() }),
    ];
    let history: Vec<Happening> = all.into_iter().map(|(at, what)| Happening { at, what }).collect();
    let subject = Subject {
        title: "a tiny run",
        command: "tandem sim --replay 1",
        counts: &[],
        violation: None,
        history: &history,
        end: 180_000,
    };
    let page = page(&subject, Window::default());
    check_form(&page);
    let body = page.split_once("</style>").unwrap().1;
    insta::assert_snapshot!(body);
}
