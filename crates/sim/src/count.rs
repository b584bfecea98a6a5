//! What happened in a run, counted: quiet seeds prove nothing.
//!
//! *Lives here:* [`Count`], [`Counts`], and which of them must not be zero over many seeds.
//! *Must not know:* what is right or wrong.

use crate::run::Kind;
use crate::server::dhcpd::Habit;
use failover::binding::BindingStatus;
use failover::message::MessageType;
use failover::state::FailoverState;
use std::collections::{BTreeMap, BTreeSet};

macro_rules! counts {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// Something that is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Count {
            $($(#[$doc])* $variant,)*
        }

        impl Count {
            /// All, in the order in which they are shown.
            pub const ALL: &'static [Count] = &[$(Count::$variant,)*];

            /// The name in reports.
            pub const fn name(self) -> &'static str {
                match self { $(Count::$variant => $name,)* }
            }
        }
    };
}

counts! {
    /// Leases that a client took up after it had selected an offer.
    Grants => "grants",
    /// Of these, of clients behind a relay.
    RelayedGrants => "relayed grants",
    /// Of these, of reserved addresses.
    ReservedGrants => "reserved grants",
    /// Leases extended by the server that gave them.
    Renewals => "renewals",
    /// Leases extended after T2.
    Rebinds => "rebinds",
    /// Leases confirmed to clients that restarted.
    InitReboots => "init-reboots",
    /// Addresses that a client of BOOTP took up, or was told again.
    BootpGrants => "answers taken up by clients of BOOTP",
    /// Clients of BOOTP that came back with DHCP.
    BootpReturns => "clients of BOOTP that came back with DHCP",
    /// Refusals that a client heard.
    Naks => "naks",
    /// Leases that ran out at a server.
    Expiries => "expiries",
    /// Leases of an address that another client had before.
    Reallocations => "reallocations to another client",
    /// Offers that no client took up in time.
    OffersLapsed => "offers lapsed",
    /// Releases received.
    Releases => "releases",
    /// Of these, sent by somebody else, or twice.
    ForgedReleases => "forged or repeated releases",
    /// Declines received.
    Declines => "declines",
    /// Declined addresses that became FREE again.
    AbandonedFreed => "abandoned addresses freed",
    /// Requests for parameters answered.
    Informs => "informs",
    /// Clients that came back after their lease was over.
    SleptPastExpiry => "clients that slept past expiry",
    /// Clients that changed their identity.
    IdentityChanges => "identity changes",
    /// Clients that were carried to another network.
    Roams => "clients carried to another network",
    /// Datagrams lost.
    Lost => "datagrams lost",
    /// Datagrams that arrived twice.
    Doubled => "datagrams doubled",
    /// Datagrams that were late.
    Delayed => "datagrams delayed",
    /// Replies, or requests, that were dropped because they had waited too long.
    TooOld => "dropped as too old",
    /// Processes killed.
    Kills => "processes killed",
    /// Power cuts.
    PowerCuts => "power cuts",
    /// Crashes inside of a call to the disk.
    CrashesInCall => "crashes inside a disk call",
    /// Crashes while a store was opened.
    CrashesInRecovery => "crashes during recovery",
    /// Crashes with a lease recorded and its DHCPACK not sent.
    BetweenRecordAndRelease => "crashes between record and release",
    /// Orderly ends of a process.
    Stops => "orderly stops",
    /// Starts that found an unfinished batch and cut it off.
    TornTails => "torn tails cut",
    /// Starts that copied batches nobody had vouched for.
    TailsCopied => "unvouched tails copied",
    /// Snapshots completed.
    Snapshots => "snapshots completed",
    /// Snapshots given up, or cut off by a crash.
    SnapshotsLost => "snapshots given up",
    /// Starts from a snapshot.
    FromSnapshot => "starts from a snapshot",
    /// Turns of a journal, and starts, in which the disk was full.
    DiskFull => "turns that found the disk full",
    /// Times that the disk ran full and the store said so to the engine.
    ReserveOnly => "episodes on the last reserve",
    /// Syncs that failed.
    FailedSyncs => "failed syncs",
    /// Writes that failed.
    FailedWrites => "failed writes",
    /// Syncs that took seconds.
    SlowSyncs => "slow syncs",
    /// Processes that stood still.
    Pauses => "pauses of a process",
    /// Machines that stood still.
    Freezes => "machines frozen",
    /// Times that engine time jumped forward.
    TimeLost => "lost time found",
    /// Steps of the wall clock that leases did not follow.
    WallSteps => "wall steps seen",
    /// Starts that waited for the network's time.
    ClockHolds => "starts that waited for the clock",
    /// Bursts of hundreds of messages.
    Storms => "storms",
    /// Comparisons of an engine with what its disk says, while it ran.
    Rebuilt => "engines rebuilt while running",
    /// Comparisons after a start.
    Recovered => "engines recovered",
    /// Clients that got an address when all was well again.
    ServedAtLast => "new clients served at the end",
    /// Connections between two servers.
    PartnerConnections => "connections to a partner",
    /// Messages to a partner.
    PartnerMessages => "messages to a partner",
    /// Times that nothing passed between two servers, in one direction or both.
    PartnerCuts => "cuts between partners",
    /// Connections between two servers that were reset.
    PartnerResets => "resets between partners",
    /// Times that both servers ended at once.
    BothKilled => "both servers ended at once",
    /// Disks lost.
    LostDisks => "disks lost",
    /// Stores replaced by an older copy.
    Restored => "stores replaced by a backup",
    /// An operator said rightly that a partner is down.
    PartnerDowns => "partner-down, rightly",
    /// An operator said wrongly that a partner is down.
    WrongPartnerDowns => "partner-down of a partner that lives",
    /// An operator said rightly that a server may serve alone.
    ServedAlone => "serve-alone",
    /// Orderly ends with PAUSED.
    PausesTold => "paused",
    /// Orderly ends with SHUTDOWN.
    Shutdowns => "shut down",
    /// Troubles that befell a server just when it had entered a state.
    Moments => "troubles at the right moment",
    /// Processes that stood still for hours.
    LongPauses => "long pauses of a process",
    /// Times that the network told a machine was far behind.
    WrongTimes => "wrong network times",
    /// Changes of what the network tells as time.
    SkewChanges => "changes of skew",
    /// Leases extended on the client's word alone (trap T20).
    TakeOvers => "taken over",
    /// Addresses given to the secondary.
    GivenToSecondary => "given to the secondary",
    /// Addresses asked back from the secondary.
    Recalls => "asked back from the secondary",
    /// Addresses freed with the partner's consent.
    FreedTogether => "freed with the partner's consent",
    /// Addresses freed by the wait of PARTNER-DOWN.
    FreedAlone => "freed by the wait of PARTNER-DOWN",
    /// Updates that the partner rejected.
    UpdatesRejected => "updates rejected",
    /// Requests not answered because the partner has not been heard for MCLT.
    LeadTimeOver => "silent because MCLT is over",
    /// Requests left to the partner.
    LeftToPartner => "left to the partner",
    /// Crashes with something on its way to the partner that its record was not stable for.
    BetweenRecordAndPartner => "crashes between record and message",
    /// Servers that were left alone for ever at the end of a run.
    LeftAlone => "left alone for ever",
    /// Pairs that were in NORMAL again after all that happened.
    NormalAtLast => "pairs in NORMAL at the end",
    /// DHCPACKs that a dhcpd sent.
    DhcpdLeases => "leases by a dhcpd",
    /// Messages of clients of which a dhcpd wrote something down.
    DhcpdRecords => "changes by a dhcpd",
}

/// What a pair does not have: a machine in it is believed only when its clock is, storms are for one server.
const NOT_IN_A_PAIR: [Count; 4] = [Count::Storms, Count::SlowSyncs, Count::DhcpdLeases, Count::DhcpdRecords];

/// What a world with a dhcpd must have seen.
const BESIDE_DHCPD: [Count; 14] = [
    Count::Grants,
    Count::Renewals,
    Count::Rebinds,
    Count::Expiries,
    Count::Kills,
    Count::PowerCuts,
    Count::PartnerConnections,
    Count::PartnerCuts,
    Count::PartnerResets,
    Count::PartnerDowns,
    Count::LostDisks,
    Count::NormalAtLast,
    Count::DhcpdLeases,
    Count::DhcpdRecords,
];

/// What only pairs have that are troubled for days.
const OF_DAYS: [Count; 3] = [Count::LongPauses, Count::WrongTimes, Count::SkewChanges];

/// How often each has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    numbers: [u64; Count::ALL.len()],
    /// Edges of figure 9.2-1 that were gone.
    edges: BTreeMap<(FailoverState, FailoverState), u64>,
    /// Cells of figure 7.1.3-1 that were judged: our status, the received one, and whether it was accepted.
    cells: BTreeMap<(BindingStatus, BindingStatus), [u64; 2]>,
    /// Messages sent to partners.
    messages: BTreeMap<MessageType, u64>,
    /// How often two clients had one address by a habit of a dhcpd.
    excused: BTreeMap<Habit, u64>,
}

impl Default for Counts {
    fn default() -> Counts {
        Counts {
            numbers: [0; Count::ALL.len()],
            edges: BTreeMap::new(),
            cells: BTreeMap::new(),
            messages: BTreeMap::new(),
            excused: BTreeMap::new(),
        }
    }
}

impl Counts {
    /// How often this has happened.
    pub fn get(&self, count: Count) -> u64 {
        self.numbers[count as usize]
    }

    /// Names and numbers of all that a world of this kind has, in a fixed order; `days`: one that is troubled for days.
    pub fn iter(&self, kind: Kind, days: bool) -> impl Iterator<Item = (String, u64)> {
        let in_scope = move |count: &Count| match kind {
            Kind::Single => (*count as usize) < Count::PartnerConnections as usize,
            Kind::Pair => !NOT_IN_A_PAIR.contains(count) && (days || !OF_DAYS.contains(count)),
            Kind::Dhcpd => BESIDE_DHCPD.contains(count),
        };
        let plain = Count::ALL.iter().zip(self.numbers).filter(move |(count, _)| in_scope(count));
        let plain = plain.map(|(count, number)| (count.name().to_owned(), number));
        let pair = kind == Kind::Pair;
        let messages = MessageType::ALL
            .iter()
            .filter(move |_| pair || kind == Kind::Dhcpd)
            .map(|message| (format!("sent {message}"), self.messages.get(message).copied().unwrap_or(0)));
        let edges = self.edges.keys().chain(&REQUIRED_EDGES).collect::<BTreeSet<_>>();
        let edges = edges
            .into_iter()
            .filter(move |_| pair)
            .map(|edge| (format!("{} -> {}", edge.0, edge.1), self.edges.get(edge).copied().unwrap_or(0)));
        let cells = BindingStatus::ALL
            .iter()
            .flat_map(|ours| BindingStatus::ALL.iter().map(move |theirs| (*ours, *theirs)));
        let cells = cells.filter(move |cell| pair && !UNUSUAL_CELLS.contains(cell)).map(|cell| {
            let [refused, accepted] = self.cells.get(&cell).copied().unwrap_or_default();
            (format!("{} x {}", cell.0, cell.1), refused + accepted)
        });
        plain.chain(messages).chain(edges).chain(cells)
    }

    /// How often two clients had one address by each habit of a dhcpd.
    pub fn excused(&self) -> impl Iterator<Item = (Habit, u64)> {
        self.excused.iter().map(|(habit, count)| (*habit, *count))
    }

    pub(crate) fn excuse(&mut self, excused: impl Iterator<Item = (Habit, u64)>) {
        for (habit, count) in excused {
            *self.excused.entry(habit).or_default() += count;
        }
    }

    /// What never happened: over many seeds nothing may be left here.
    pub fn missing(&self, kind: Kind, days: bool) -> Vec<String> {
        self.iter(kind, days).filter(|(_, number)| *number == 0).map(|(name, _)| name).collect()
    }

    pub(crate) fn add(&mut self, count: Count, number: u64) {
        self.numbers[count as usize] += number;
    }

    pub(crate) fn one(&mut self, count: Count) {
        self.add(count, 1);
    }

    pub(crate) fn cell(&mut self, ours: BindingStatus, theirs: BindingStatus, accepted: bool) {
        self.cells.entry((ours, theirs)).or_default()[usize::from(accepted)] += 1;
    }

    pub(crate) fn edge(&mut self, from: FailoverState, to: FailoverState, number: u64) {
        if number > 0 {
            *self.edges.entry((from, to)).or_default() += number;
        }
    }

    pub(crate) fn message(&mut self, message: MessageType, number: u64) {
        *self.messages.entry(message).or_default() += number;
    }

    pub(crate) fn merge(&mut self, other: &Counts) {
        for (sum, number) in self.numbers.iter_mut().zip(other.numbers) {
            *sum += number;
        }
        self.excuse(other.excused());
        for (edge, number) in &other.edges {
            *self.edges.entry(*edge).or_default() += number;
        }
        for (message, number) in &other.messages {
            *self.messages.entry(*message).or_default() += number;
        }
        for (cell, numbers) in &other.cells {
            let sum = self.cells.entry(*cell).or_default();
            *sum = [sum[0] + numbers[0], sum[1] + numbers[1]];
        }
    }
}

/// Edges of figure 9.2-1, as far as two Tandems take them. A state that is left at once does not show: STARTUP ends in the state that
/// the first STATE of the partner leads to.
///
/// Not here, because it takes two troubles within milliseconds, so that a thousand seeds may be without: PARTNER-DOWN,
/// COMMUNICATIONS-INTERRUPTED and RECOVER-DONE to RECOVER (an old store is found just then, that had not met its partner in STARTUP), RECOVER to POTENTIAL-CONFLICT (the partner, in conflict with the life
/// before this one), CONFLICT-DONE to PARTNER-DOWN (a wrong word of the operator) and to POTENTIAL-CONFLICT (the same at the
/// partner), RESOLUTION-INTERRUPTED and POTENTIAL-CONFLICT to COMMUNICATIONS-INTERRUPTED (the partner lost its disk just then).
const REQUIRED_EDGES: [(FailoverState, FailoverState); 45] = {
    use FailoverState as S;
    [
        (S::Startup, S::Normal),
        (S::Startup, S::CommunicationsInterrupted),
        (S::Startup, S::PartnerDown),
        (S::Startup, S::PotentialConflict),
        (S::Startup, S::ResolutionInterrupted),
        (S::Startup, S::Recover),
        (S::Startup, S::RecoverWait),
        (S::Startup, S::RecoverDone),
        (S::Startup, S::Paused),
        (S::Startup, S::Shutdown),
        (S::Normal, S::CommunicationsInterrupted),
        (S::Normal, S::PartnerDown),
        (S::Normal, S::PotentialConflict),
        (S::Normal, S::Paused),
        (S::Normal, S::Shutdown),
        (S::CommunicationsInterrupted, S::Normal),
        (S::CommunicationsInterrupted, S::PartnerDown),
        (S::CommunicationsInterrupted, S::PotentialConflict),
        (S::CommunicationsInterrupted, S::Paused),
        (S::CommunicationsInterrupted, S::Shutdown),
        (S::PartnerDown, S::Normal),
        (S::PartnerDown, S::PotentialConflict),
        (S::PartnerDown, S::Paused),
        (S::PartnerDown, S::Shutdown),
        (S::PotentialConflict, S::Normal),
        (S::PotentialConflict, S::ResolutionInterrupted),
        (S::PotentialConflict, S::ConflictDone),
        (S::PotentialConflict, S::Paused),
        (S::PotentialConflict, S::Shutdown),
        (S::ResolutionInterrupted, S::PotentialConflict),
        (S::ResolutionInterrupted, S::PartnerDown),
        (S::ResolutionInterrupted, S::Paused),
        (S::ResolutionInterrupted, S::Shutdown),
        (S::ConflictDone, S::Normal),
        (S::ConflictDone, S::Paused),
        (S::ConflictDone, S::Shutdown),
        (S::Recover, S::RecoverWait),
        (S::Recover, S::RecoverDone),
        (S::Recover, S::Paused),
        (S::Recover, S::Shutdown),
        (S::RecoverWait, S::RecoverDone),
        (S::RecoverWait, S::Paused),
        (S::RecoverWait, S::Shutdown),
        (S::RecoverDone, S::Normal),
        (S::RecoverDone, S::Paused),
    ]
};

/// Cells of figure 7.1.3-1 that two Tandems reach by no road that is known. RESET is said by itself only after the partner has taken
/// ABANDONED, and until it has answered it says nothing but that: it has the address neither leased nor waiting for an end.
const UNUSUAL_CELLS: [(BindingStatus, BindingStatus); 6] = [
    (BindingStatus::Active, BindingStatus::Reset),
    (BindingStatus::Expired, BindingStatus::Reset),
    (BindingStatus::Released, BindingStatus::Reset),
    (BindingStatus::Backup, BindingStatus::Reset),
    (BindingStatus::Reset, BindingStatus::Expired),
    (BindingStatus::Reset, BindingStatus::Released),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happened_is_named() {
        let mut counts = Counts::default();
        for count in Count::ALL {
            counts.one(*count);
        }
        assert_eq!(counts.missing(Kind::Single, false), Vec::<String>::new());
        let mut other = Counts::default();
        other.add(Count::Naks, 3);
        other.merge(&counts);
        assert_eq!((other.get(Count::Naks), other.get(Count::Grants)), (4, 1));
        let missing = Counts::default().missing(Kind::Pair, false);
        assert!(
            missing.contains(&"sent BNDUPD".to_owned()) && missing.contains(&"ACTIVE x ACTIVE".to_owned())
        );
        let of_days = Counts::default().missing(Kind::Pair, true);
        assert_eq!(of_days.len(), missing.len() + OF_DAYS.len());
        assert!(!Counts::default().missing(Kind::Single, false).contains(&"sent BNDUPD".to_owned()));
    }
}
