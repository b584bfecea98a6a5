//! What happened, counted by reason: the packets that got no answer too.
//!
//! *Lives here:* [`Counter`], [`Counters`].
//! *Must not know:* how counters are shown.

use dhcp::Refusal;
use failover::message::MessageType;
use failover::state::FailoverState;

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// Something that is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Counter {
            $($(#[$doc])* $variant,)*
        }

        impl Counter {
            /// All, in the order in which they are shown.
            pub const ALL: &'static [Counter] = &[$(Counter::$variant,)*];

            /// The name in metrics and in the output of `tandem status`.
            pub const fn name(self) -> &'static str {
                match self { $(Counter::$variant => $name,)* }
            }
        }
    };
}

counters! {
    /// Datagrams that came in.
    Received => "received",
    /// DHCPDISCOVERs.
    Discover => "discover",
    /// Requests of BOOTP clients, which have no message type.
    Bootp => "bootp",
    /// DHCPREQUESTs, by the state that the client is in (RFC 2131 4.3.2).
    RequestSelecting => "request-selecting",
    /// DHCPREQUEST of a client that restarts.
    RequestInitReboot => "request-init-reboot",
    /// DHCPREQUEST of a client that renews.
    RequestRenewing => "request-renewing",
    /// DHCPREQUEST of a client that rebinds.
    RequestRebinding => "request-rebinding",
    /// DHCPRELEASEs.
    Release => "release",
    /// DHCPDECLINEs.
    Decline => "decline",
    /// DHCPINFORMs.
    Inform => "inform",
    /// DHCPOFFERs made.
    Offer => "offer",
    /// Answers to BOOTP clients.
    BootpReply => "bootp-reply",
    /// DHCPACKs made for leases.
    Ack => "ack",
    /// DHCPACKs made for DHCPINFORM.
    AckInform => "ack-inform",
    /// DHCPNAKs made.
    Nak => "nak",
    /// Leases given to a client that had none on this address.
    Grant => "grant",
    /// Leases extended.
    Renewal => "renewal",
    /// Leases extended on the client's word, while the partner could not be asked (trap T20).
    TakeOver => "take-over",
    /// Leases that ran out.
    Expiry => "expiry",
    /// Grants of an address that another client had before.
    Reallocation => "reallocation",
    /// BNDUPD transactions that the partner acknowledged.
    BndupdAcknowledged => "bndupd-acknowledged",
    /// BNDUPD transactions that the partner rejected.
    BndupdRejected => "bndupd-rejected",
    /// BNDUPD transactions of the partner that were accepted.
    BndupdAccepted => "bndupd-accepted",
    /// BNDUPD transactions of the partner that were refused.
    BndupdRefused => "bndupd-refused",
    /// BNDACKs for what was not under way.
    BndackUnexpected => "bndack-unexpected",
    /// POOLREQs that came to a secondary from a primary that should not send any.
    PoolreqUnexpected => "poolreq-unexpected",
    /// Addresses that POOLRESPs said were given to this server.
    PoolrespAddresses => "poolresp-addresses",
    /// FREE addresses made BACKUP for the secondary.
    GivenToSecondary => "given-to-secondary",
    /// BACKUP addresses made FREE for a primary that asked for them.
    GivenToPrimary => "given-to-primary",
    /// BACKUP addresses asked back from the secondary.
    Recalled => "recalled",
    /// Addresses freed with the partner's consent.
    Freed => "freed",
    /// Addresses freed by the wait of PARTNER-DOWN.
    FreedAlone => "freed-alone",
    /// Offers that no client took up in time.
    OfferLapsed => "offer-lapsed",
    /// Declined addresses that are FREE again after `decline-time`.
    AbandonedFreed => "abandoned-freed",
    /// No answer: the packet had waited longer than 5 s.
    DroppedTooOld => "dropped-too-old",
    /// No answer: a reply (op 2), or a message that only servers send.
    DroppedNotForServer => "dropped-not-for-server",
    /// No answer: a BOOTP client without a reservation, in a network where no pool has `dynamic-bootp`.
    DroppedBootp => "dropped-bootp",
    /// No answer yet: the partner is told first that a BOOTP client has the address for ever, and does not know it yet.
    DroppedBootpUntold => "dropped-bootp-untold",
    /// No answer: neither a client-identifier nor a hardware address.
    DroppedNoIdentity => "dropped-no-identity",
    /// No answer: no configured subnet for this giaddr, link selection or interface.
    DroppedNoSubnet => "dropped-no-subnet",
    /// No answer: the request names another server.
    DroppedOtherServer => "dropped-other-server",
    /// No answer: every address of the network is taken.
    DroppedPoolExhausted => "dropped-pool-exhausted",
    /// No answer: nothing is known of this client, another server may (RFC 2131 4.3.2).
    DroppedUnknownClient => "dropped-unknown-client",
    /// No answer: a RELEASE or DECLINE for an address that this client does not hold.
    DroppedNotHolder => "dropped-not-holder",
    /// No answer: the message lacks what its type must have.
    DroppedIncomplete => "dropped-incomplete",
    /// No answer: something about the address is still to be settled with the partner.
    DroppedWithheld => "dropped-withheld",
    /// No answer: the state of the failover endpoint forbids it (F07 9).
    DroppedSilentState => "dropped-silent-state",
    /// No answer: the client is the partner's by the load balance (F07 5.3).
    DroppedBalanced => "dropped-balanced",
    /// No answer: the partner has not been heard for MCLT, and no lease may end later (F07-5.2.1-01, trap T15).
    DroppedLeadTimeOver => "dropped-lead-time-over",
    /// No answer: the store has room for releases and expiries only.
    DroppedStorageFull => "dropped-storage-full",
    /// No answer: the reply does not fit into what the client or the network can take.
    DroppedNoRoom => "dropped-no-room",
    /// No answer: no address of ours on the interface.
    DroppedNoInterface => "dropped-no-interface",
}

/// All counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    counts: [u64; Counter::ALL.len()],
    refusals: [u64; Refusal::ALL.len()],
    messages: [u64; MessageType::ALL.len()],
    edges: [[u64; FailoverState::ALL.len()]; FailoverState::ALL.len()],
}

impl Default for Counters {
    fn default() -> Counters {
        Counters {
            counts: [0; Counter::ALL.len()],
            refusals: [0; Refusal::ALL.len()],
            messages: [0; MessageType::ALL.len()],
            edges: [[0; FailoverState::ALL.len()]; FailoverState::ALL.len()],
        }
    }
}

impl Counters {
    /// How often this happened.
    pub fn get(&self, counter: Counter) -> u64 {
        self.counts[counter as usize]
    }

    /// How many datagrams were no DHCP message, by reason.
    pub fn refused(&self, refusal: Refusal) -> u64 {
        Refusal::ALL.iter().zip(self.refusals).find(|(of, _)| **of == refusal).map_or(0, |(_, count)| count)
    }

    /// Names and counts of all, refusals as `refused-…`, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (String, u64)> {
        let counts =
            Counter::ALL.iter().zip(self.counts).map(|(counter, count)| (counter.name().to_owned(), count));
        let refusals = Refusal::ALL
            .iter()
            .zip(self.refusals)
            .map(|(of, count)| (format!("refused-{}", of.name()), count));
        let messages = MessageType::ALL
            .iter()
            .zip(self.messages)
            .map(|(of, count)| (format!("sent-{}", of.name().to_lowercase()), count));
        counts.chain(refusals).chain(messages)
    }

    /// How many messages of this type were sent to partners.
    pub fn messages_sent(&self, message_type: MessageType) -> u64 {
        self.messages[usize::from(message_type.number()) - 1]
    }

    /// How often an endpoint went from one state to another.
    pub fn edges(&self, from: FailoverState, to: FailoverState) -> u64 {
        self.edges[index(from)][index(to)]
    }

    pub(crate) fn message_sent(&mut self, message_type: MessageType) {
        self.messages[usize::from(message_type.number()) - 1] += 1;
    }

    pub(crate) fn edge(&mut self, from: FailoverState, to: FailoverState) {
        self.edges[index(from)][index(to)] += 1;
    }

    pub(crate) fn add(&mut self, counter: Counter, count: u64) {
        self.counts[counter as usize] = self.counts[counter as usize].wrapping_add(count);
    }

    pub(crate) fn count(&mut self, counter: Counter) {
        self.counts[counter as usize] = self.counts[counter as usize].wrapping_add(1);
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        for (of, count) in Refusal::ALL.iter().zip(&mut self.refusals) {
            if *of == refusal {
                *count = count.wrapping_add(1);
            }
        }
    }
}

fn index(state: FailoverState) -> usize {
    FailoverState::ALL.iter().position(|other| *other == state).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_distinct() {
        let names: BTreeSet<String> = Counters::default().iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), Counter::ALL.len() + Refusal::ALL.len() + MessageType::ALL.len());
    }

    #[test]
    fn each_is_counted_for_itself() {
        let mut counters = Counters::default();
        counters.count(Counter::Nak);
        counters.count(Counter::Nak);
        counters.refuse(Refusal::ALL[1]);
        assert_eq!(counters.get(Counter::Nak), 2);
        assert_eq!(counters.get(Counter::Ack), 0);
        assert_eq!(counters.refused(Refusal::ALL[1]), 1);
        assert_eq!(counters.refused(Refusal::ALL[0]), 0);
    }
}
