//! What the two say to each other: dissected by tshark, and never before it is stable.

use crate::well_spoken;
use lab::pair::usual;
use lab::partners::{TYPES, count};
use lab::{ClientKind, Guests, Pair, Side, seconds};

/// Both counted what they sent; on the wire is all of it, and tshark can read it.
#[test]
fn all_that_was_sent_is_on_the_wire_and_tshark_reads_it() {
    let mut pair = Pair::start("counted", |side| usual(side, 60));
    pair.wait_for_normal(30);
    let mut guests = Guests::new();
    guests.one_of_each(&pair.lab);
    guests.add(&pair.lab, ClientKind::Udhcpc, "leaving", seconds(20));
    let leaving = &mut guests.all[3];
    leaving.client.release(&leaving.node);
    leaving.address = None;
    pair.wait_until_equal(20);
    let counted = |pair: &Pair| {
        Side::BOTH.map(|side| {
            let member = pair.of(side);
            let counters = member.server.counters(&member.node);
            TYPES.map(|kind| counters[&format!("sent-{}", kind.to_lowercase())])
        })
    };
    // CONTACT goes on: the count is taken after the last message that is seen, or a CONTACT is missing.
    let counts = counted(&pair);
    let said = well_spoken(&mut pair);
    for side in Side::BOTH {
        let seen =
            count(&said.iter().filter(|said| said.from == side.link_address()).cloned().collect::<Vec<_>>());
        for (kind, sent) in TYPES.iter().zip(counts[side as usize]) {
            let seen = seen.get(kind).copied().unwrap_or(0) as u64;
            let exact = *kind != "CONTACT";
            assert!(
                seen == sent || !exact && seen >= sent && seen <= sent + 2,
                "{} sent {sent} {kind}, on the wire are {seen}",
                side.name()
            );
        }
    }
}
