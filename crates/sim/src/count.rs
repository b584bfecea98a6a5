//! What happened in a run, counted: quiet seeds prove nothing.
//!
//! *Lives here:* [`Count`], [`Counts`], and which of them must not be zero over many seeds.
//! *Must not know:* what is right or wrong.

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
    /// Times that the disk ran full.
    DiskFull => "disk-full episodes",
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
}

/// How often each has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts([u64; Count::ALL.len()]);

impl Default for Counts {
    fn default() -> Counts {
        Counts([0; Count::ALL.len()])
    }
}

impl Counts {
    /// How often this has happened.
    pub fn get(&self, count: Count) -> u64 {
        self.0[count as usize]
    }

    /// Names and numbers, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Count::ALL.iter().zip(self.0).map(|(count, number)| (count.name(), number))
    }

    /// What never happened: over many seeds nothing may be left here.
    pub fn missing(&self) -> Vec<&'static str> {
        self.iter().filter(|(_, number)| *number == 0).map(|(name, _)| name).collect()
    }

    pub(crate) fn add(&mut self, count: Count, number: u64) {
        self.0[count as usize] += number;
    }

    pub(crate) fn one(&mut self, count: Count) {
        self.add(count, 1);
    }

    pub(crate) fn merge(&mut self, other: &Counts) {
        for (sum, number) in self.0.iter_mut().zip(other.0) {
            *sum += number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happened_is_named() {
        let mut counts = Counts::default();
        for count in Count::ALL {
            counts.one(*count);
        }
        assert_eq!(counts.missing(), Vec::<&str>::new());
        let mut other = Counts::default();
        other.add(Count::Naks, 3);
        other.merge(&counts);
        assert_eq!((other.get(Count::Naks), other.get(Count::Grants)), (4, 1));
        assert_eq!(Counts::default().missing().len(), Count::ALL.len());
    }
}
