//! What the two say to each other: dissected by tshark, and never before it is stable.

use crate::well_spoken;
use lab::pair::usual;
use lab::partners::Said;
use lab::partners::{TYPES, count};
use lab::shim::{SlowSync, Sync};
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

/// Each of the twelve types occurs in a story that has all of them, and tshark finds none malformed.
#[test]
fn each_of_the_twelve_types_is_seen_and_none_is_malformed() {
    let mut pair = Pair::normal("twelve", 10);
    let mut guests = Guests::new();
    guests.one_of_each(&pair.lab);
    // UPDREQ is for one that has its bindings and missed some.
    pair.kill(Side::A);
    pair.wait_for_state(Side::B, "COMMUNICATIONS-INTERRUPTED", 10);
    pair.command(Side::B, &["partner-down", "--yes-it-is-off"]);
    guests.add(&pair.lab, ClientKind::Udhcpc, "late", seconds(20));
    pair.restart(Side::A);
    pair.wait_for_normal(60);
    // DISCONNECT is for one that talks and does not do its work.
    pair.draw_plug(Side::B, true);
    pair.wait_for_state(Side::A, "COMMUNICATIONS-INTERRUPTED", 45);
    pair.draw_plug(Side::B, false);
    pair.wait_for_normal(30);
    let counts = count(&well_spoken(&mut pair));
    let missing: Vec<_> = TYPES.iter().filter(|kind| !counts.contains_key(*kind)).collect();
    assert!(missing.is_empty(), "never said: {missing:?}");
}

/// From when on what a message tells may have been written: a BNDACK cannot be decided before its BNDUPD is there, a state
/// is decided when the log says so.
fn decided(message: &Said, said: &[Said], log: &[(u64, String)]) -> Option<u64> {
    if message.kind == "BNDACK" {
        let is_its =
            |other: &&Said| other.kind == "BNDUPD" && other.from != message.from && other.xid == message.xid;
        return said.iter().filter(is_its).map(|update| update.at).rfind(|at| *at < message.at);
    }
    let state = ["NORMAL", "COMMUNICATIONS-INTERRUPTED", "RECOVER", "RECOVER-WAIT", "RECOVER-DONE"];
    let number = [2, 3, 6, 254, 9].iter().position(|number| Some(*number) == message.state)?;
    let entered = format!("-> {} ", state[number]);
    // In STARTUP the state before is told, which was stored at the start.
    let is_it = |(at, line): &&(u64, String)| *at < message.at && line.contains(&entered) && !message.startup;
    log.iter().rfind(is_it).map(|(at, _)| *at)
}

/// Messages of one type, and those of them that left although no sync had begun after what they tell was decided, and ended
/// before they left. A line of the log may be a moment late, where the machine has much to do. A sync takes longer than that
/// moment: one that had begun before the decision ends after a message that did not wait for its own.
fn too_early(said: &[Said], by: Side, kind: &str, syncs: &[Sync], log: &[(u64, String)]) -> (usize, usize) {
    const MOMENT: u64 = 250_000_000;
    let own = said.iter().filter(|message| message.kind == kind && message.from == by.link_address());
    let decided: Vec<(u64, u64)> =
        own.filter_map(|message| Some((decided(message, said, log)?, message.at))).collect();
    let is_covered = |(decided, sent): &(u64, u64)| {
        syncs.iter().any(|sync| sync.begun + MOMENT > *decided && sync.done < *sent)
    };
    (decided.len(), decided.iter().filter(|times| !is_covered(times)).count())
}

/// The lines of a log with their times, in nanoseconds since 1970.
fn lines(log: &str) -> Vec<(u64, String)> {
    let time = |line: &str| {
        let (at, _) = line.split_once('Z')?;
        let (_, clock) = at.split_once('T')?;
        let mut parts = clock.split(':').map(|part| part.parse::<f64>().unwrap_or(0.0));
        let seconds = parts.next()? * 3600.0 + parts.next()? * 60.0 + parts.next()?;
        // The day is that of the test: what matters are differences.
        let midnight = lab::capture::now() / 86_400_000_000_000 * 86_400_000_000_000;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time of a day")]
        Some(midnight + (seconds * 1e9) as u64)
    };
    log.lines().filter_map(|line| Some((time(line)?, line.to_owned()))).collect()
}

/// A pair of which B's disk takes 300 ms for each sync, or says so at once and does it later.
fn with_slow_disk(name: &str, lie: bool) -> [(usize, usize); 2] {
    let shim = std::cell::OnceCell::new();
    let mut pair = Pair::start_with(
        name,
        |side| usual(side, 10),
        |side, node| {
            if side == Side::A {
                return Vec::new();
            }
            shim.get_or_init(|| SlowSync::new(node.folder(), 300, lie)).environment()
        },
    );
    pair.wait_for_normal(60);
    let mut guests = Guests::new();
    for n in 0..12 {
        guests.add(&pair.lab, ClientKind::Udhcpc, &format!("client{n}"), seconds(30));
    }
    // More changes of B's state: it is alone, it is told so, the partner comes back.
    pair.cut_link(true);
    pair.wait_for_state(Side::B, "COMMUNICATIONS-INTERRUPTED", 15);
    pair.cut_link(false);
    pair.wait_for_normal(30);
    std::thread::sleep(seconds(3));
    let said = well_spoken(&mut pair);
    let syncs = shim.get().unwrap().syncs();
    let log = lines(&pair.of_mut(Side::B).server.process().log());
    ["BNDACK", "STATE"].map(|kind| {
        let (all, early) = too_early(&said, Side::B, kind, &syncs, &log);
        pair.say(&format!("{all} {kind} of B, {early} of them before what they rest on was on the disk"));
        (all, early)
    })
}

#[test]
fn no_bndack_and_no_state_leaves_before_the_sync_that_covers_it() {
    let [(acks, early_acks), (states, early_states)] = with_slow_disk("slow", false);
    assert!(acks >= 5 && states >= 4, "{acks} BNDACK, {states} STATE: too few to say anything");
    assert_eq!((early_acks, early_states), (0, 0));
}

/// The same question to a server whose disk says "done" at once and does it later: the check can fail.
#[test]
fn the_check_of_messages_finds_a_disk_that_lies() {
    let [(acks, early_acks), (_, early_states)] = with_slow_disk("lying", true);
    assert!(early_acks * 2 > acks, "{early_acks} of {acks} were found");
    assert!(early_states > 0, "no STATE was found");
}
