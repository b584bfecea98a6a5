//! What the shell counts next to the engine's counters: packets, batches, syncs, and what went wrong with them.
//!
//! *Lives here:* [`ShellCounter`], [`ShellCounters`], which both threads add to.
//! *Must not know:* how counters are shown.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// Something that the shell counts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ShellCounter {
            $($(#[$doc])* $variant,)*
        }

        impl ShellCounter {
            /// All, in the order in which they are shown.
            pub const ALL: &'static [ShellCounter] = &[$(ShellCounter::$variant,)*];

            /// The name in metrics and in the output of `tandem status`.
            pub const fn name(self) -> &'static str {
                match self { $(ShellCounter::$variant => $name,)* }
            }
        }
    };
}

counters! {
    /// Datagrams taken from the sockets, to be handed to the engine.
    PacketsReceived => "packets-received",
    /// Of these, the ones that waited, because the server was behind.
    PacketsWaited => "packets-waited",
    /// Packets that waited until their client said the same again; the later one counts.
    DroppedRepeated => "dropped-repeated",
    /// Packets that waited, or were to wait, and for which there was no room.
    DroppedOverload => "dropped-overload",
    /// Datagrams that the kernel dropped because a receive buffer was full.
    ReceiveOverflow => "receive-overflow",
    /// Datagrams longer than any DHCP message that is taken; dropped.
    ReceiveTooLong => "receive-too-long",
    /// Datagrams for an address or interface that is not served; dropped.
    ReceiveNotOurs => "receive-not-ours",
    /// Failed calls to receive.
    ReceiveErrors => "receive-errors",
    /// Times that reading stopped because the journal was behind.
    ReadingStopped => "reading-stopped",
    /// Replies handed to the kernel.
    PacketsSent => "packets-sent",
    /// Replies that the kernel did not take.
    SendErrors => "send-errors",
    /// Replies dropped because they had waited longer than 5 s.
    RepliesTooOld => "replies-too-old",
    /// Replies that left after the sync that they waited for.
    RepliesAfterSync => "replies-after-sync",
    /// Batches written.
    Batches => "batches",
    /// Records written.
    Records => "records",
    /// Syncs of the log.
    Syncs => "syncs",
    /// Microseconds spent in syncs of the log.
    SyncMicros => "sync-micros",
    /// Attempts to write that found no room, or a disk that did not write.
    AppendFailures => "append-failures",
    /// Snapshots finished.
    Snapshots => "snapshots",
    /// Snapshots given up.
    SnapshotsFailed => "snapshots-failed",
    /// Connections that this server opened to a partner.
    PartnerConnected => "partner-connected",
    /// Connections that a partner opened.
    PartnerAccepted => "partner-accepted",
    /// Attempts to connect that a partner did not answer, or refused.
    PartnerUnreachable => "partner-unreachable",
    /// Connections of a partner that had too many already.
    PartnerRefused => "partner-refused",
    /// Connections from addresses that are no partner's; closed.
    PartnerStrangers => "partner-strangers",
    /// Bytes that came from partners.
    PartnerBytesReceived => "partner-bytes-received",
    /// Events that were not logged: too many of one kind, or the log was not read fast enough.
    EventsNotLogged => "events-not-logged",
}

/// All of the shell's counters; they only grow.
#[derive(Debug)]
pub struct ShellCounters([AtomicU64; ShellCounter::ALL.len()]);

impl Default for ShellCounters {
    fn default() -> ShellCounters {
        ShellCounters(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl ShellCounters {
    /// Once more.
    pub fn count(&self, counter: ShellCounter) {
        self.add(counter, 1);
    }

    /// This many more.
    pub fn add(&self, counter: ShellCounter, count: u64) {
        // Counters order nothing else in memory.
        self.0[counter as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// How many by now.
    pub fn get(&self, counter: ShellCounter) -> u64 {
        self.0[counter as usize].load(Ordering::Relaxed)
    }

    /// Names and counts of all, in a fixed order.
    pub fn to_vec(&self) -> Vec<(&'static str, u64)> {
        ShellCounter::ALL.iter().map(|counter| (counter.name(), self.get(*counter))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_is_counted_for_itself_under_a_name_of_its_own() {
        let counters = ShellCounters::default();
        counters.count(ShellCounter::Syncs);
        counters.add(ShellCounter::Records, 7);
        assert_eq!((counters.get(ShellCounter::Syncs), counters.get(ShellCounter::Batches)), (1, 0));
        assert!(counters.to_vec().contains(&("records", 7)));
        let names: BTreeSet<&str> = ShellCounter::ALL.iter().map(|counter| counter.name()).collect();
        assert_eq!(names.len(), ShellCounter::ALL.len());
    }
}
