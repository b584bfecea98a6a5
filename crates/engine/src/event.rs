//! The catalogue of events: what an operator should hear of.
//!
//! *Lives here:* [`Event`] with its number, level, text, the section it rests on, and what to do.
//! *Must not know:* log files, journals, terminals.
//!
//! Counted things are in [`crate::counter`]; an event is what somebody may have to act on, or will look for later.

use crate::input::StorageHealth;
use dhcp::ClientIdentity;
use failover::binding::BindingStatus;
use failover::message::{RejectReason, Rejection};
use failover::state::FailoverState;
use failover::time::{Interval, Time};
use std::fmt;
use std::net::Ipv4Addr;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Somebody must act, or clients go without.
    Error,
    /// Somebody should look.
    Warning,
    /// Good to know.
    Info,
    /// For who wants to follow each client.
    Debug,
}

/// What does not change from one occurrence to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Stable number, as logged: `TDM-` and four digits.
    pub id: &'static str,
    /// Stable name.
    pub name: &'static str,
    /// How much it matters.
    pub level: Level,
    /// Where the behaviour is specified; empty where it is ours.
    pub section: &'static str,
    /// What to do about it.
    pub what_to_do: &'static str,
}

/// Something that happened, with its particulars. [`fmt::Display`] is the log line's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A client got an address that it did not hold.
    LeaseGranted {
        /// The address.
        address: Ipv4Addr,
        /// Whose it is now.
        client: ClientIdentity,
        /// What the client was told.
        lease: Interval,
    },
    /// A client gave its address back.
    LeaseReleased {
        /// The address.
        address: Ipv4Addr,
        /// Whose it was.
        client: ClientIdentity,
    },
    /// A lease ran out.
    LeaseExpired {
        /// The address.
        address: Ipv4Addr,
        /// Whose it was.
        client: ClientIdentity,
        /// When the lease ended.
        end: Time,
    },
    /// A client found its address in use.
    AddressDeclined {
        /// The address.
        address: Ipv4Addr,
        /// Who declined it.
        client: ClientIdentity,
        /// How long it stays ABANDONED.
        probation: Interval,
    },
    /// A declined address may be given out again.
    AbandonedFreed {
        /// The address.
        address: Ipv4Addr,
    },
    /// A client was told that it cannot have an address.
    Refused {
        /// The address that it asked for.
        address: Ipv4Addr,
        /// Who.
        client: ClientIdentity,
        /// Why.
        why: &'static str,
    },
    /// An operator freed an address.
    AddressReset {
        /// The address.
        address: Ipv4Addr,
        /// What it was.
        before: BindingStatus,
        /// What it is now.
        status: BindingStatus,
    },
    /// A network has no address left for new clients.
    NetworkExhausted {
        /// Its name.
        network: String,
    },
    /// What the store can take changed.
    Storage(StorageHealth),
    /// A connection to a partner is complete.
    PartnerConnected {
        /// relationship-name.
        relationship: String,
        /// What is added to the partner's times, in seconds.
        clock: i64,
        /// Whom TLS proved the partner to be; `None` without TLS.
        tls_peer: Option<String>,
    },
    /// A connection to a partner ended, or did not come about.
    PartnerDisconnected {
        /// relationship-name.
        relationship: String,
        /// Why.
        cause: String,
    },
    /// A connection ended because what came did not prove to be from the partner.
    PartnerNotAuthenticated {
        /// relationship-name.
        relationship: String,
        /// Why.
        cause: String,
    },
    /// The certificate of this server ends soon.
    CertificateExpires {
        /// relationship-name.
        relationship: String,
        /// After so long.
        after: Interval,
    },
    /// The certificate of this server has ended.
    CertificateExpired {
        /// relationship-name.
        relationship: String,
    },
    /// The partner makes DNS updates, and this server makes none.
    PartnerUpdatesDns {
        /// relationship-name.
        relationship: String,
    },
    /// The state of an endpoint changed.
    StateChanged {
        /// relationship-name.
        relationship: String,
        /// From.
        from: FailoverState,
        /// To.
        to: FailoverState,
        /// The partner said before that it goes, and comes back (PAUSED).
        partner_paused: bool,
    },
    /// The partner refused an update of ours.
    UpdateRejected {
        /// relationship-name.
        relationship: String,
        /// The address.
        address: Ipv4Addr,
        /// Why, in the partner's words where it has some.
        why: Rejection,
    },
    /// We refused an update of the partner.
    UpdateRefused {
        /// relationship-name.
        relationship: String,
        /// The address.
        address: Ipv4Addr,
        /// What it was to become.
        status: BindingStatus,
        /// Why.
        reason: RejectReason,
    },
    /// Two clients had leases on one address, and the primary's stays.
    ConflictResolved {
        /// The address.
        address: Ipv4Addr,
        /// Whose it is now.
        winner: ClientIdentity,
        /// Who will be refused at its next renewal.
        loser: ClientIdentity,
    },
    /// The partner's clock jumped against ours.
    PartnerClock {
        /// relationship-name.
        relationship: String,
        /// By how many seconds.
        by: i64,
    },
    /// The partner's bindings are lost: ends were raised until it has recovered.
    PartnerLostStore {
        /// relationship-name.
        relationship: String,
    },
    /// Our own bindings are not what the partner remembers of them.
    StorageLost {
        /// relationship-name.
        relationship: String,
    },
    /// This server cannot serve, and leaves its clients to the partner.
    CannotServe {
        /// relationship-name.
        relationship: String,
    },
    /// No lease can be given any more before the partner was heard, or an operator says so.
    LeadTimeOver {
        /// relationship-name.
        relationship: String,
    },
    /// The two servers' configurations of a relationship have another MCLT, other pools or other reservations.
    TermsDiffer {
        /// relationship-name.
        relationship: String,
        /// The MCLT that counts: the primary's.
        mclt: Interval,
    },
    /// An address of the store belongs to no pool of the configuration any more.
    OrphansKept {
        /// How many there are.
        count: usize,
    },
}

impl Event {
    /// The catalogue's entry of this event.
    pub fn entry(&self) -> &'static Entry {
        let number = match self {
            Event::LeaseGranted { .. } => 0,
            Event::LeaseReleased { .. } => 1,
            Event::LeaseExpired { .. } => 2,
            Event::AddressDeclined { .. } => 3,
            Event::AbandonedFreed { .. } => 4,
            Event::Refused { .. } => 5,
            Event::NetworkExhausted { .. } => 6,
            Event::Storage(StorageHealth::ReserveOnly) => 7,
            Event::Storage(StorageHealth::Ok) => 8,
            Event::OrphansKept { .. } => 9,
            Event::PartnerConnected { .. } => 10,
            Event::PartnerDisconnected { .. } => 11,
            Event::StateChanged { to, partner_paused, .. } => match to {
                FailoverState::Normal => 12,
                FailoverState::CommunicationsInterrupted if *partner_paused => 26,
                FailoverState::CommunicationsInterrupted | FailoverState::ResolutionInterrupted => 13,
                FailoverState::PartnerDown => 14,
                FailoverState::PotentialConflict => 15,
                _ => 16,
            },
            Event::UpdateRejected { .. } => 17,
            Event::UpdateRefused { .. } => 18,
            Event::ConflictResolved { .. } => 19,
            Event::PartnerClock { .. } => 20,
            Event::PartnerLostStore { .. } => 21,
            Event::StorageLost { .. } => 22,
            Event::CannotServe { .. } => 23,
            Event::LeadTimeOver { .. } => 24,
            Event::TermsDiffer { .. } => 25,
            Event::PartnerNotAuthenticated { .. } => 27,
            Event::CertificateExpires { .. } => 28,
            Event::CertificateExpired { .. } => 29,
            Event::AddressReset { .. } => 30,
            Event::PartnerUpdatesDns { .. } => 31,
        };
        &CATALOGUE[number]
    }
}

/// All entries; the manual's chapter is made from them.
pub static CATALOGUE: [Entry; 32] = [
    Entry {
        id: "TDM-1001",
        name: "lease-granted",
        level: Level::Debug,
        section: "RFC 2131 4.3.2",
        what_to_do: "Nothing.",
    },
    Entry {
        id: "TDM-1002",
        name: "lease-released",
        level: Level::Debug,
        section: "RFC 2131 4.3.4",
        what_to_do: "Nothing.",
    },
    Entry {
        id: "TDM-1003",
        name: "lease-expired",
        level: Level::Debug,
        section: "F07 5.10",
        what_to_do: "Nothing. Many at once mean that clients went away together, or cannot reach this server: \
                     look at the relays and at the links to them.",
    },
    Entry {
        id: "TDM-1004",
        name: "address-declined",
        level: Level::Warning,
        section: "RFC 2131 4.3.3",
        what_to_do: "Find who else uses the address: a host with a fixed address inside a pool, or a second DHCP \
                     server. Take the host's address out of the pool, or give it a reservation.",
    },
    Entry {
        id: "TDM-1005",
        name: "abandoned-freed",
        level: Level::Info,
        section: "F07 5.10",
        what_to_do: "Nothing. If it is declined again soon, see TDM-1004.",
    },
    Entry {
        id: "TDM-1006",
        name: "refused",
        level: Level::Info,
        section: "RFC 2131 4.3.2",
        what_to_do: "Nothing when a client has moved to another network: it starts again and gets an address. If \
                     the same client is refused again and again, ask for its lease with `tandem leases`.",
    },
    Entry {
        id: "TDM-1007",
        name: "network-exhausted",
        level: Level::Error,
        section: "RFC 2131 4.3.1",
        what_to_do: "Clients of this network go without an address. Add a pool or a subnet to it, or shorten \
                     lease-time so that addresses come back sooner; `tandem status` shows how full each network is.",
    },
    Entry {
        id: "TDM-1008",
        name: "storage-full",
        level: Level::Error,
        section: "",
        what_to_do: "No lease is granted or renewed until there is room: free space on the disk that holds \
                     state-directory. Releases and expiries are still recorded; service resumes by itself.",
    },
    Entry {
        id: "TDM-1009",
        name: "storage-recovered",
        level: Level::Info,
        section: "",
        what_to_do: "Nothing: leases are granted again. Find out what filled the disk.",
    },
    Entry {
        id: "TDM-1010",
        name: "orphans-kept",
        level: Level::Warning,
        section: "",
        what_to_do: "Addresses with leases are in no pool any more. They are kept until they end, so that nobody \
                     else gets them if the pool comes back, and are not renewed. Put the pool back if it was \
                     removed by mistake.",
    },
    Entry {
        id: "TDM-2001",
        name: "partner-connected",
        level: Level::Info,
        section: "F07 7.8",
        what_to_do: "Nothing. A clock difference of more than a few seconds means that one of the two is not \
                     synchronised: leases are corrected for it, but look at its time service.",
    },
    Entry {
        id: "TDM-2002",
        name: "partner-disconnected",
        level: Level::Warning,
        section: "F07 8.3",
        what_to_do: "If the partner was stopped, nothing: it is tried again by itself. Else look at the partner's host \
                     and at the network between the two; a rejection names the setting that differs.",
    },
    Entry {
        id: "TDM-2003",
        name: "state-normal",
        level: Level::Info,
        section: "F07 9.6",
        what_to_do: "Nothing: the pair is whole.",
    },
    Entry {
        id: "TDM-2004",
        name: "state-interrupted",
        level: Level::Error,
        section: "F07 9.7, 9.9",
        what_to_do: "Clients are served, new ones from this server's own addresses only. Find out whether the partner \
                     is down: if it is, and stays so for long, say `tandem failover partner-down`; if only the link \
                     between the two is cut, mend the link and say nothing.",
    },
    Entry {
        id: "TDM-2005",
        name: "state-partner-down",
        level: Level::Warning,
        section: "F07 9.4",
        what_to_do: "Make sure that the partner is really down and does not come up without a link to this server. \
                     After the MCLT all addresses are used. When the partner is back it recovers by itself.",
    },
    Entry {
        id: "TDM-2006",
        name: "state-potential-conflict",
        level: Level::Error,
        section: "F07 9.8",
        what_to_do: "Both servers were active without knowing of each other. They exchange all updates now, and do \
                     not answer clients until that is done, normally for seconds. Look for conflict-resolved events.",
    },
    Entry {
        id: "TDM-2007",
        name: "state-changed",
        level: Level::Info,
        section: "F07 9",
        what_to_do: "Nothing: the way to NORMAL leads through this state.",
    },
    Entry {
        id: "TDM-2008",
        name: "update-rejected",
        level: Level::Warning,
        section: "F07 7.2",
        what_to_do: "The partner does not accept what this server says of an address; it is said again later. If \
                     that goes on, compare the pools of the two configurations.",
    },
    Entry {
        id: "TDM-2009",
        name: "update-refused",
        level: Level::Warning,
        section: "F07 7.1.3",
        what_to_do: "What the partner says of an address contradicts what is known here. If that goes on, compare \
                     the pools of the two configurations.",
    },
    Entry {
        id: "TDM-2010",
        name: "conflict-resolved",
        level: Level::Error,
        section: "F07 7.1.3",
        what_to_do: "Two clients had one address; the one that lost it gets another when it renews. It happens only when \
                     a server was declared down while it ran: find out who said so, and why.",
    },
    Entry {
        id: "TDM-2011",
        name: "partner-clock",
        level: Level::Warning,
        section: "F07 5.9",
        what_to_do: "One of the two clocks was set. Leases do not follow it. Look at the time service of both hosts.",
    },
    Entry {
        id: "TDM-2012",
        name: "partner-lost-store",
        level: Level::Warning,
        section: "F07 7.4",
        what_to_do: "Nothing: everything is sent to it, and until it has recovered no address changes hands. Find out what \
                     happened to its disk.",
    },
    Entry {
        id: "TDM-2013",
        name: "storage-lost",
        level: Level::Error,
        section: "F07 9.5",
        what_to_do: "The partner remembers more than this server: its folder was lost, or an old backup is in its place. \
                     Everything is fetched, and no client is answered here for the MCLT. Leave the partner running.",
    },
    Entry {
        id: "TDM-2014",
        name: "cannot-serve",
        level: Level::Error,
        section: "",
        what_to_do: "No lease can be recorded here, or no interface is up: the partner serves alone until that is \
                     mended. See the events before this one.",
    },
    Entry {
        id: "TDM-2015",
        name: "lead-time-over",
        level: Level::Error,
        section: "F07 5.2.1",
        what_to_do: "This server restarted alone, and all that its partner knows of is used up. If the partner is off and \
                     did not serve alone since, say `tandem failover serve-alone`; else bring the link back.",
    },
    Entry {
        id: "TDM-2016",
        name: "terms-differ",
        level: Level::Error,
        section: "F07 5.2.1",
        what_to_do: "Give both servers the same mclt, pools and reservations of this relationship, then restart the one that was \
                     wrong. Until then the primary's mclt counts, and addresses that only one of the two has are leased by it \
                     without the other's knowledge.",
    },
    Entry {
        id: "TDM-2017",
        name: "state-partner-paused",
        level: Level::Warning,
        section: "F07 9.11",
        what_to_do: "Nothing: the partner said that it restarts, and this server serves meanwhile. If the partner stays \
                     away for long, say `tandem failover partner-down` once it is certainly off.",
    },
    Entry {
        id: "TDM-2018",
        name: "partner-not-authenticated",
        level: Level::Error,
        section: "F07 11",
        what_to_do: "Nothing that came was taken, and the connection is closed. If it happens at the first contact, compare \
                     secret-file and [failover.tls] of the two servers. If the pair worked before and nobody changed these, \
                     somebody may be interfering on the network between the two.",
    },
    Entry {
        id: "TDM-2019",
        name: "certificate-expires",
        level: Level::Warning,
        section: "F07 11.2",
        what_to_do: "Put a new certificate in the place of the one that `certificate` names, and restart this server: the \
                     partner serves meanwhile.",
    },
    Entry {
        id: "TDM-2020",
        name: "certificate-expired",
        level: Level::Error,
        section: "F07 11.2",
        what_to_do: "The partner takes no new connection from this server any more; one that stands goes on. Put a new \
                     certificate in the place of the one that `certificate` names, and restart this server.",
    },
    Entry {
        id: "TDM-1011",
        name: "address-reset",
        level: Level::Info,
        section: "F07 5.10",
        what_to_do: "Nothing: somebody said `tandem reset`. A shared address stays RESET until the partner agrees; where that \
                     lasts, look at `tandem failover status`.",
    },
    Entry {
        id: "TDM-2021",
        name: "partner-updates-dns",
        level: Level::Warning,
        section: "F07 5.11",
        what_to_do: "Names that the partner made stay in DNS when a lease ends here, until the partner itself removes them; and \
                     clients that this server leases to get none. Let another program make the names of all clients, or end the \
                     DNS updates of the partner (`ddns-update-style none` in a dhcpd).",
    },
];

/// A rejection, in the partner's own words where it has some (F07-7.2.2-03).
fn words_of(why: &Rejection) -> String {
    match &why.message {
        Some(text) if text != why.reason.name() => format!("{}: {}", why.reason, text.escape_debug()),
        _ => why.reason.to_string(),
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::LeaseGranted { address, client, lease } => {
                write!(f, "{address} leased to {client} for {lease}")
            }
            Event::LeaseReleased { address, client } => write!(f, "{address} released by {client}"),
            Event::LeaseExpired { address, client, end } => {
                write!(f, "lease of {address} to {client} ended at {} s", end.as_seconds())
            }
            Event::AddressDeclined { address, client, probation } => {
                write!(
                    f,
                    "{address} declined by {client}: in use by somebody else; ABANDONED for {probation}"
                )
            }
            Event::AbandonedFreed { address } => {
                write!(f, "{address} is FREE again after its time as ABANDONED")
            }
            Event::AddressReset { address, before, status } => {
                write!(f, "{address} was {before}, and is {status} by an operator's word")
            }
            Event::Refused { address, client, why } => write!(f, "{client} cannot have {address}: {why}"),
            Event::NetworkExhausted { network } => write!(f, "network {network} has no free address"),
            Event::Storage(health) => f.write_str(room(*health)),
            Event::OrphansKept { count } => {
                write!(f, "{count} addresses with bindings are in no pool any more")
            }
            event => event.of_partner(f),
        }
    }
}

impl Event {
    /// What happened between the two servers, in words.
    fn of_partner(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::PartnerConnected { relationship, clock, tls_peer } => {
                write!(f, "{relationship}: connected to the partner")?;
                if let Some(peer) = tls_peer {
                    write!(f, " over TLS, which is {}", peer.escape_debug())?;
                }
                write!(f, "; its clock differs by {clock} s")
            }
            Event::CertificateExpires { relationship, after } => {
                write!(f, "{relationship}: the certificate of this server expires in {after}")
            }
            Event::CertificateExpired { relationship } => {
                write!(f, "{relationship}: the certificate of this server has expired")
            }
            Event::PartnerUpdatesDns { relationship } => {
                write!(f, "{relationship}: the partner makes DNS updates, and this server makes none")
            }
            Event::PartnerNotAuthenticated { relationship, cause } => {
                write!(f, "{relationship}: the partner is not authenticated: {cause}")
            }
            Event::PartnerDisconnected { relationship, cause } => {
                write!(f, "{relationship}: no connection to the partner: {cause}")
            }
            Event::StateChanged { relationship, from, to, partner_paused } => {
                let because = if *partner_paused { ": the partner said that it pauses" } else { "" };
                write!(f, "{relationship}: {from} -> {to}{because}")
            }
            Event::UpdateRejected { relationship, address, why } => {
                write!(f, "{relationship}: the partner rejects our update of {address}: {}", words_of(why))
            }
            Event::UpdateRefused { relationship, address, status, reason } => {
                write!(f, "{relationship}: {address} does not become {status} as the partner says: {reason}")
            }
            Event::ConflictResolved { address, winner, loser } => {
                write!(f, "{address} was leased to {winner} and to {loser}: it stays with {winner}")
            }
            Event::PartnerClock { relationship, by } => {
                write!(f, "{relationship}: the partner's clock jumped by {by} s")
            }
            Event::PartnerLostStore { relationship } => {
                write!(f, "{relationship}: the partner lost its bindings")
            }
            Event::StorageLost { relationship } => {
                write!(f, "{relationship}: the partner remembers more of us than our store does")
            }
            Event::CannotServe { relationship } => {
                write!(f, "{relationship}: this server cannot serve, and leaves its clients to the partner")
            }
            Event::LeadTimeOver { relationship } => {
                write!(f, "{relationship}: no lease can be given: the partner has not been heard for MCLT")
            }
            Event::TermsDiffer { relationship, mclt } => {
                write!(
                    f,
                    "{relationship}: the two servers' mclt, pools or reservations differ; the primary's mclt of {mclt} counts"
                )
            }
            // Those about this server alone are told by the caller.
            _ => f.write_str(self.entry().name),
        }
    }
}

fn room(health: StorageHealth) -> &'static str {
    match health {
        StorageHealth::Ok => "the store has room again",
        StorageHealth::ReserveOnly => {
            "the store has no room but its last reserve: no lease is granted or renewed"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_and_names_are_distinct_and_say_what_to_do() {
        let ids: BTreeSet<_> = CATALOGUE.iter().map(|entry| entry.id).collect();
        let names: BTreeSet<_> = CATALOGUE.iter().map(|entry| entry.name).collect();
        assert_eq!((ids.len(), names.len()), (CATALOGUE.len(), CATALOGUE.len()));
        assert!(CATALOGUE.iter().all(|entry| entry.id.len() == 8 && entry.what_to_do.ends_with('.')));
    }
}
