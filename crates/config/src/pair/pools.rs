//! Which addresses two servers share.
//!
//! *Lives here:* the rules PAIR-305 to PAIR-311 ([`compare`]). Both servers' ranges are gone through from the lowest address
//! to the highest, in pieces that lie in one range of each at most.
//! *Must not know:* options and lease times.

use super::finding::Finding;
use super::relationship::{LABELS, Pair};
use super::rules::{self, Rule};
use super::view::{Kind, Pool, Sharing, View};
use super::words::{few, range};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Who gives a piece of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Given {
    /// Nobody.
    Not,
    /// This server alone.
    Alone,
    /// This server, with its partner: the number of the pair.
    Shared(usize),
    /// This server, with somebody else.
    Otherwise,
    /// This server, with a partner that its file does not have.
    Unknown,
}

/// Pools of both servers that share addresses with each other: ours, the partner's.
pub(super) type SharedPools = BTreeSet<(usize, usize)>;

/// Pieces for which the same rule does not hold, in the same pools.
type Differing = (&'static Rule, Vec<Piece>);

/// All rules about pools.
pub(super) fn compare(views: [&View; 2], pairs: &[Pair], findings: &mut Vec<Finding>) -> SharedPools {
    for (side, view) in views.into_iter().enumerate() {
        bootp(view, side, pairs, findings);
    }
    let pieces = [0, 1].map(|side| pieces(views[side], side, findings));
    let given = |side: usize, pool: Option<usize>| {
        let Some(pool) = pool else { return Given::Not };
        let relationship = match views[side].pools[pool].sharing {
            Sharing::Alone => return Given::Alone,
            Sharing::Unknown => return Given::Unknown,
            Sharing::With(relationship) => relationship,
        };
        let number = pairs.iter().position(|(o, p)| relationship == if side == 0 { *o } else { *p });
        number.map_or(Given::Otherwise, Given::Shared)
    };
    let mut shared = SharedPools::new();
    // By rule and pools: what differs, as ranges.
    let mut differ: BTreeMap<(u16, [Option<usize>; 2]), Differing> = BTreeMap::new();
    for (piece, [ours, partner]) in overlay(&pieces) {
        if let (Some(o), Some(p), Given::Shared(_)) = (ours, partner, given(0, ours)) {
            shared.insert((o, p));
        }
        // Where the other has no such subnet, that is what is said.
        let known = views.iter().all(|view| view.subnet_of(piece.first).is_some());
        if let Some(rule) = judge(given(0, ours), given(1, partner)).filter(|_| known) {
            let (_, pieces) = differ.entry((rule.number, [ours, partner])).or_insert((rule, Vec::new()));
            pieces.push(piece);
        }
    }
    for ((_, pools), (rule, pieces)) in differ {
        findings.push(finding(views, rule, pools, &pieces));
    }
    for (o, p) in &shared {
        permits([&views[0].pools[*o], &views[1].pools[*p]], views, findings);
    }
    shared
}

fn judge(ours: Given, partner: Given) -> Option<&'static Rule> {
    match (ours, partner) {
        (Given::Shared(a), Given::Shared(b)) if a == b => None,
        (Given::Unknown, _)
        | (_, Given::Unknown)
        | (Given::Not, Given::Not | Given::Alone | Given::Otherwise)
        | (Given::Alone | Given::Otherwise, Given::Not) => None,
        (Given::Shared(_), Given::Not) | (Given::Not, Given::Shared(_)) => Some(rules::NOT_THERE),
        (Given::Shared(_), Given::Alone) | (Given::Alone, Given::Shared(_)) => Some(rules::SHARED_BY_ONE),
        (Given::Alone, Given::Alone) => Some(rules::SHARED_BY_NONE),
        _ => Some(rules::OTHERWISE_SHARED),
    }
}

fn finding(views: [&View; 2], rule: &'static Rule, pools: [Option<usize>; 2], pieces: &[Piece]) -> Finding {
    let ranges: Vec<String> = pieces.iter().map(|piece| range(piece.first, piece.last)).collect();
    let ranges = few(&ranges);
    let shares =
        |side: usize| pools[side].is_some_and(|pool| views[side].pools[pool].sharing != Sharing::Alone);
    let one = usize::from(!shares(0));
    let message = match rule.number {
        305 => format!(
            "{ranges}: shared by {}, and in no pool of {}, which refuses what it hears of them, and while it serves alone \
             gives them to nobody; make the ranges the same",
            LABELS[one],
            LABELS[1 - one]
        ),
        306 => format!(
            "{ranges}: {} shares them, and {} gives them as its own: one address for two clients; name the relationship in \
             the pool there",
            LABELS[one],
            LABELS[1 - one]
        ),
        307 => format!(
            "{ranges}: both give them, and neither knows of the other's leases: one address for two clients; name the \
             relationship in the pool on both, or give each its own"
        ),
        _ => format!(
            "{ranges}: they are shared, but not by the same relationship on both: one address for two clients; name the same \
             one in the pools"
        ),
    };
    let mut finding = Finding::new(rule, message);
    for side in [0, 1] {
        let pool = pools[side].map(|pool| &views[side].pools[pool]);
        let spot = pool.map(|pool| &pool.spot);
        // Where the other has the subnet and not the addresses, its line says more than nothing.
        let subnet =
            || pieces.first().and_then(|piece| views[side].subnet_of(piece.first)).map(|subnet| &subnet.spot);
        let label = if spot.is_some() { LABELS[side] } else { "no such pool here" };
        finding = finding.at(spot.or_else(subnet), label);
    }
    finding
}

/// Addresses one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    first: Ipv4Addr,
    last: Ipv4Addr,
}

/// A range of one server, and the pool that it is of.
type Owned = (u64, u64, usize);

/// The ranges of a server in order, without what lies in two of them, which is a finding.
fn pieces(view: &View, side: usize, findings: &mut Vec<Finding>) -> Vec<Owned> {
    let number = |address: Ipv4Addr| u64::from(u32::from(address));
    let mut sorted: Vec<Owned> =
        view.pools.iter().enumerate().map(|(n, pool)| (number(pool.first), number(pool.last), n)).collect();
    sorted.sort_unstable();
    let mut pieces: Vec<Owned> = Vec::new();
    for (first, last, pool) in sorted {
        let Some((_, before, other)) = pieces.last().copied().filter(|(_, before, _)| *before >= first)
        else {
            pieces.push((first, last, pool));
            continue;
        };
        let twice = range(address(first), address(before.min(last)));
        let message = format!(
            "{twice}: in two pools of {}; {}",
            LABELS[side],
            if view.kind == Kind::Dhcpd { "dhcpd does not start" } else { "remove them from one" }
        );
        let spot = &view.pools[other].spot;
        let finding = Finding::new(rules::TWICE, message).at(Some(&view.pools[pool].spot), "here");
        findings.push(finding.at(Some(spot), "and here"));
        if last > before {
            pieces.push((before + 1, last, pool));
        }
    }
    pieces
}

fn address(number: u64) -> Ipv4Addr {
    Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Both servers' pieces laid over each other.
fn overlay(both: &[Vec<Owned>; 2]) -> Vec<(Piece, [Option<usize>; 2])> {
    let ends = both.iter().flatten().flat_map(|(first, last, _)| [*first, last + 1]);
    let ends: BTreeSet<u64> = ends.collect();
    let ends: Vec<u64> = ends.into_iter().collect();
    let mut at = [0_usize; 2];
    let mut laid = Vec::new();
    for window in ends.windows(2) {
        let [first, after] = *window else { continue };
        let owners = [0, 1].map(|side| {
            let pieces = &both[side];
            while pieces.get(at[side]).is_some_and(|(_, last, _)| *last < first) {
                at[side] += 1;
            }
            pieces.get(at[side]).filter(|(begin, _, _)| *begin <= first).map(|(_, _, pool)| *pool)
        });
        if owners != [None, None] {
            laid.push((Piece { first: address(first), last: address(after - 1) }, owners));
        }
    }
    laid
}

/// A lease of BOOTP never ends, and no MCLT holds for it (F07 5.13).
fn bootp(view: &View, side: usize, pairs: &[Pair], findings: &mut Vec<Finding>) {
    for pool in view.pools.iter().filter(|pool| pool.serves_bootp) {
        let Sharing::With(number) = pool.sharing else { continue };
        if !pairs.iter().any(|(o, p)| number == if side == 0 { *o } else { *p }) {
            continue;
        }
        let message = format!(
            "{}: the pool is shared and serves BOOTP, whose leases never end: write `deny dynamic bootp clients;` into it",
            range(pool.first, pool.last)
        );
        findings.push(Finding::new(rules::BOOTP, message).at(Some(&pool.spot), LABELS[side]));
    }
}

/// Whom the two pools serve.
fn permits(pools: [&Pool; 2], views: [&View; 2], findings: &mut Vec<Finding>) {
    let lines = pools.map(|pool| {
        let lines: BTreeSet<&str> = pool.permits.iter().map(|line| line.value.as_str()).collect();
        lines
    });
    if lines[0] == lines[1] {
        return;
    }
    let all: Vec<String> = lines[0].symmetric_difference(&lines[1]).map(|line| format!("`{line}`")).collect();
    let tandem = views.iter().position(|view| view.kind == Kind::Tandem);
    let what = match tandem {
        Some(side) => format!("{} is a Tandem, which gives such addresses to every client", LABELS[side]),
        None => "write the same on both".to_owned(),
    };
    let message = format!(
        "{}: {} holds on one side only, so that a client depends on which server it meets: {what}",
        range(pools[0].first, pools[0].last),
        few(&all)
    );
    let mut finding = Finding::new(rules::PERMITS, message);
    for ((pool, label), other) in pools.into_iter().zip(LABELS).zip([&lines[1], &lines[0]]) {
        let line = pool.permits.iter().find(|line| !other.contains(line.value.as_str()));
        finding = finding.at(line.and_then(|line| line.spot.as_ref()).or(Some(&pool.spot)), label);
    }
    findings.push(finding);
}
