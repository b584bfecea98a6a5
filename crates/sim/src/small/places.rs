//! Where searches begin, and how much may go wrong from there.
//!
//! *Lives here:* [`Place`], [`places`]: the beginnings of the traps, each with a budget of its own. All that can happen from one
//! beginning is far too much; what follows from each of these in a few moves is where rules were found to be wanting.
//! *Must not know:* what is found.

use super::moves::Client::{C, D};
use super::moves::Move;
use super::moves::Move::{
    Connect, Copy, Crash, Cut, Deliver, Lease, LoseDisk, Notice, PartnerDown, Pass, Rebind, Renew, Restart,
    Restore, Settle,
};
use super::moves::Server::{P, S};
use super::search::Budget;
use super::setup::Setup;

/// A beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// By which it is asked for.
    pub name: &'static str,
    /// Sizes and times.
    pub setup: Setup,
    /// From a pair in NORMAL to it.
    pub moves: Vec<Move>,
    /// What may happen from there.
    pub budget: Budget,
}

/// Times as short as they can be; a tick is a little less than MCLT.
const SHORT: Setup = Setup { mclt: 10, lease: 20, decline: 15, ..Setup::DEFAULT };

/// Two addresses, one for each, and a window of one BNDUPD.
const NARROW: Setup = Setup { addresses: 2, max_unacked: 1, ..SHORT };

const NOTHING: Budget = Budget {
    ticks: 0,
    crashes: 0,
    cuts: 0,
    lost_disks: 0,
    partner_downs: 0,
    wrong_partner_downs: 0,
    releases: 0,
    declines: 0,
    reboots: 0,
    stalls: 0,
    restores: 0,
    serve_alones: 0,
};

/// Seconds of a tick: a client holds its first lease for one, and the wait of MCLT with its slack takes three.
pub(super) const TICK: u32 = 9;

/// From a server that gave its last lease unheard to one that forgot it.
const TAKEN_OVER: &[Move] = &[
    Lease(C, P),
    Cut,
    Crash(P),
    LoseDisk(P),
    Notice(S),
    Restart(P),
    Connect,
    Settle,
    Cut,
    Notice(P),
    Notice(S),
];

/// All places.
pub fn places() -> Vec<Place> {
    [whole(), alone(), lost(), told()].concat()
}

fn place(name: &'static str, setup: Setup, moves: &[Move], budget: Budget) -> Place {
    Place { name, setup, moves: moves.to_vec(), budget }
}

const fn ticks(ticks: u8) -> Budget {
    Budget { ticks, ..NOTHING }
}

/// From a pair in NORMAL.
fn whole() -> Vec<Place> {
    vec![
        // No fault at all: updates that cross, equal times.
        place("quiet", SHORT, &[Lease(C, P), Settle], Budget { releases: 3, ..ticks(2) }),
        // The address is C's, whichever server it asks: what one gave and got back is the other's to give once it has agreed.
        place(
            "reserved",
            Setup { reserved: true, ..SHORT },
            &[Lease(C, P), Settle],
            Budget { releases: 2, cuts: 1, ..ticks(2) },
        ),
        place("cut", SHORT, &[], Budget { cuts: 1, releases: 1, reboots: 1, ..ticks(6) }),
        place(
            "narrow",
            NARROW,
            &[],
            Budget { crashes: 1, cuts: 1, partner_downs: 1, releases: 1, ..ticks(6) },
        ),
        // A disk that takes its time, and a crash in between.
        place("slow disk", SHORT, &[], Budget { stalls: 1, crashes: 1, releases: 1, ..ticks(4) }),
    ]
}

/// One was alone.
fn alone() -> Vec<Place> {
    vec![
        // PARTNER-DOWN, rightly: of one, or of each after the other.
        place(
            "alone",
            SHORT,
            &[Lease(C, P), Settle, Crash(P), Notice(S), PartnerDown(S)],
            Budget { crashes: 1, partner_downs: 1, cuts: 1, ..ticks(8) },
        ),
        // Leased out since PARTNER-DOWN was entered, and believed by one that came back alone (T18, M12).
        place(
            "alone and back",
            SHORT,
            &[Crash(S), Notice(P), PartnerDown(P), Lease(C, P), Restart(S), Pass(12)],
            Budget { releases: 1, cuts: 1, ..ticks(5) },
        ),
        // A lease that its server told nobody of is on its way while the other waits for its end (T23).
        place(
            "stale",
            SHORT,
            &[
                Cut,
                Notice(P),
                Notice(S),
                Connect,
                Settle,
                Lease(C, P),
                Settle,
                Pass(1),
                Renew(C, P),
                Crash(P),
                PartnerDown(S),
            ],
            ticks(6),
        ),
        // Back from the dead, in conflict (T15, M3, M11).
        place(
            "conflict",
            SHORT,
            &[Crash(P), Notice(S), PartnerDown(S), Restart(P), Pass(12), Connect, Deliver(P)],
            Budget { cuts: 1, crashes: 1, lost_disks: 1, ..ticks(5) },
        ),
    ]
}

/// A disk was lost.
fn lost() -> Vec<Place> {
    vec![
        // Renewed far ahead, told nobody, and lost (T16).
        place(
            "lost",
            SHORT,
            &[Lease(C, P), Settle, Cut, Notice(P), Notice(S), Pass(9), Rebind(C, S)],
            Budget { crashes: 1, lost_disks: 1, cuts: 1, ..ticks(7) },
        ),
        place(
            "forgot",
            SHORT,
            &[
                Lease(C, P),
                Settle,
                Cut,
                Notice(P),
                Notice(S),
                Pass(9),
                Rebind(C, S),
                Pass(9),
                Crash(S),
                LoseDisk(S),
                Restart(S),
                Connect,
            ],
            Budget { cuts: 1, ..ticks(5) },
        ),
        place(
            "forgot in conflict",
            SHORT,
            &[
                Crash(P),
                Notice(S),
                PartnerDown(S),
                Pass(30),
                Lease(D, S),
                Restart(P),
                Pass(12),
                Connect,
                Deliver(P),
                Cut,
                Notice(P),
                Notice(S),
                Lease(D, S),
                Crash(S),
                LoseDisk(S),
                Restart(S),
                Connect,
            ],
            ticks(4),
        ),
        // Taken over on a client's word from one that forgot (T17, T20, M7).
        place("taken over", SHORT, TAKEN_OVER, ticks(5)),
    ]
}

/// People were wrong, or clients were.
fn told() -> Vec<Place> {
    vec![
        // An address is found in use, and comes back by way of RESET while the two are apart or together.
        place("declined", SHORT, &[Lease(C, P), Settle], Budget { declines: 2, cuts: 1, ..ticks(6) }),
        place(
            "declined alone",
            SHORT,
            &[Lease(C, P), Settle, Cut, Notice(P), Notice(S)],
            Budget { declines: 2, crashes: 1, partner_downs: 1, ..ticks(6) },
        ),
        // An old copy of a store takes its place; the partner knows better.
        place(
            "old copy",
            SHORT,
            &[Copy(S), Pass(85), Lease(C, P), Settle],
            Budget { crashes: 1, restores: 1, cuts: 1, releases: 1, ..ticks(5) },
        ),
        place(
            "old copy twice",
            SHORT,
            &[
                Copy(S),
                Pass(85),
                Lease(C, P),
                Settle,
                Crash(S),
                Restore(S),
                Restart(S),
                Notice(P),
                Connect,
                Settle,
                Pass(40),
                Settle,
                Lease(C, P),
                Settle,
                Cut,
                Notice(P),
                Notice(S),
                Pass(9),
                Rebind(C, S),
            ],
            Budget { crashes: 1, restores: 1, ..ticks(5) },
        ),
        // Both were down, and one is back without the other.
        place(
            "one of two",
            SHORT,
            &[Lease(C, P), Settle, Crash(P), Notice(S), Crash(S), Restart(S), Pass(12)],
            Budget { crashes: 1, serve_alones: 1, partner_downs: 1, cuts: 1, ..ticks(6) },
        ),
        // The partner is alive, and said to be down: who holds what is not asked, but the two must come together.
        place(
            "wrong word",
            Setup { wrong_operator: true, ..SHORT },
            &[Lease(C, P), Settle],
            Budget { wrong_partner_downs: 2, cuts: 1, releases: 1, ..ticks(5) },
        ),
    ]
}
