//! The one table of what differs between partners.
//!
//! *Lives here:* [`Dialect`], [`OptionKind`] with its codes and lengths, and every difference as a question with one
//! answer per dialect.
//! *May know:* both drafts and what was seen of dhcpd.
//! *Must not know:* how a message is laid out beyond its options.
//!
//! The dialect is set by configuration and never guessed (Q1): both drafts say protocol-version 1.

use crate::state::{FailoverState, Role};
use crate::time::Interval;

/// What a partner speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Dialect {
    /// Draft-12 as it is written: another Tandem, or who else keeps to it.
    #[default]
    Draft12,
    /// Draft-07: its own option codes; the partner is known by its address.
    Draft07,
    /// Draft-12's wire format as ISC dhcpd 4 speaks it (part 6 of the catalogue).
    Dhcpd,
}

/// An option of the failover protocol (F07 12; table 1.3 of the catalogue).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the drafts'; what each means is said where its value is kept")]
pub enum OptionKind {
    AddressesTransferred,
    AssignedIpAddress,
    BindingStatus,
    ClientIdentifier,
    ClientHardwareAddress,
    ClientLastTransactionTime,
    ClientReplyOptions,
    ClientRequestOptions,
    Ddns,
    DelayedServiceParameter,
    HashBucketAssignment,
    IpFlags,
    LeaseExpirationTime,
    MaxUnackedBndupd,
    Mclt,
    Message,
    MessageDigest,
    PotentialExpirationTime,
    ReceiveTimer,
    ProtocolVersion,
    RejectReason,
    SendingServerIpAddress,
    RelationshipName,
    ServerFlags,
    ServerState,
    StartTimeOfState,
    TlsReply,
    TlsRequest,
    VendorClassIdentifier,
    VendorSpecificOptions,
}

/// How long the value of an option is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Always this long.
    Exactly(usize),
    /// This long or longer.
    AtLeast(usize),
}

struct Row {
    option: OptionKind,
    name: &'static str,
    draft_07: Option<u16>,
    draft_12: Option<u16>,
    length: Length,
}

const fn row(
    option: OptionKind,
    name: &'static str,
    draft_07: Option<u16>,
    draft_12: Option<u16>,
    length: Length,
) -> Row {
    Row { option, name, draft_07, draft_12, length }
}

use Length::{AtLeast, Exactly};
use OptionKind as O;

/// Table 1.3, in the order of [`OptionKind`] (F07-6.2-01).
#[rustfmt::skip]
const OPTIONS: [Row; O::COUNT] = [
    row(O::AddressesTransferred,      "addresses-transferred",        Some(1),  Some(1),  Exactly(4)),
    row(O::AssignedIpAddress,         "assigned-IP-address",          Some(2),  Some(2),  Exactly(4)),
    row(O::BindingStatus,             "binding-status",               Some(3),  Some(3),  Exactly(1)),
    row(O::ClientIdentifier,          "client-identifier",            Some(4),  Some(4),  AtLeast(0)),
    row(O::ClientHardwareAddress,     "client-hardware-address",      Some(5),  Some(5),  AtLeast(1)),
    row(O::ClientLastTransactionTime, "client-last-transaction-time", Some(6),  Some(6),  Exactly(4)),
    row(O::ClientReplyOptions,        "client-reply-options",         Some(7),  Some(7),  AtLeast(4)),
    row(O::ClientRequestOptions,      "client-request-options",       Some(8),  Some(8),  AtLeast(4)),
    row(O::Ddns,                      "DDNS",                         Some(9),  Some(9),  AtLeast(2)),
    row(O::DelayedServiceParameter,   "delayed-service-parameter",    Some(10), Some(10), Exactly(1)),
    row(O::HashBucketAssignment,      "hash-bucket-assignment",       Some(11), Some(11), Exactly(32)),
    // Q5.
    row(O::IpFlags,                   "IP-flags",                     None,     Some(12), Exactly(2)),
    row(O::LeaseExpirationTime,       "lease-expiration-time",        Some(12), Some(13), Exactly(4)),
    row(O::MaxUnackedBndupd,          "max-unacked-bndupd",           Some(13), Some(14), Exactly(4)),
    row(O::Mclt,                      "MCLT",                         Some(14), Some(15), Exactly(4)),
    row(O::Message,                   "message",                      Some(15), Some(16), AtLeast(0)),
    row(O::MessageDigest,             "message-digest",               Some(16), Some(17), AtLeast(1)),
    row(O::PotentialExpirationTime,   "potential-expiration-time",    Some(17), Some(18), Exactly(4)),
    row(O::ReceiveTimer,              "receive-timer",                Some(18), Some(19), Exactly(4)),
    row(O::ProtocolVersion,           "protocol-version",             Some(19), Some(20), Exactly(1)),
    row(O::RejectReason,              "reject-reason",                Some(20), Some(21), Exactly(1)),
    row(O::SendingServerIpAddress,    "sending-server-IP-address",    Some(21), None,     Exactly(4)),
    row(O::RelationshipName,          "relationship-name",            None,     Some(22), AtLeast(1)),
    row(O::ServerFlags,               "server-flags",                 Some(22), Some(23), Exactly(1)),
    row(O::ServerState,               "server-state",                 Some(23), Some(24), Exactly(1)),
    row(O::StartTimeOfState,          "start-time-of-state",          Some(24), Some(25), Exactly(4)),
    row(O::TlsReply,                  "TLS-reply",                    Some(25), Some(26), Exactly(1)),
    row(O::TlsRequest,                "TLS-request",                  Some(26), Some(27), Exactly(1)),
    row(O::VendorClassIdentifier,     "vendor-class-identifier",      Some(27), Some(28), AtLeast(0)),
    row(O::VendorSpecificOptions,     "vendor-specific-options",      Some(28), Some(29), AtLeast(0)),
];

impl OptionKind {
    /// How many there are.
    pub const COUNT: usize = 30;

    /// As the drafts spell it.
    pub const fn name(self) -> &'static str {
        OPTIONS[self as usize].name
    }

    /// How long its value is.
    pub const fn length(self) -> Length {
        OPTIONS[self as usize].length
    }
}

/// What the client's part of the load-balancing key is when it sent no client-identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HardwareKey {
    /// chaddr alone (draft-12 9.8.2; dhcpd: `hlen` bytes of it).
    Address,
    /// htype, then chaddr (F07-9.6.2-03).
    TypeAndAddress,
}

/// dhcpd refuses a partner whose clock is further away.
const DHCPD_CLOCKS_APART: Interval = Interval::from_seconds(60);

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 3] = [Dialect::Draft12, Dialect::Draft07, Dialect::Dhcpd];

    /// The code of an option; `None` where the dialect does not have it.
    pub const fn code(self, option: OptionKind) -> Option<u16> {
        let row = &OPTIONS[option as usize];
        match self {
            Dialect::Draft07 => row.draft_07,
            Dialect::Draft12 | Dialect::Dhcpd => row.draft_12,
        }
    }

    /// The option with this code; `None` for one that is not known, which a receiver skips (F07-6.1-01).
    pub fn option(self, code: u16) -> Option<OptionKind> {
        OPTIONS.iter().map(|row| row.option).find(|option| self.code(*option) == Some(code))
    }

    /// Whether a relationship is told by its name (draft-12) and not by the address of the sender (F07-7.8.1-02).
    pub const fn has_relationship_name(self) -> bool {
        !matches!(self, Dialect::Draft07)
    }

    /// Whether message-digest is the first option (draft-12) and not the last (F07-12.16-01).
    pub const fn digest_is_first(self) -> bool {
        !matches!(self, Dialect::Draft07)
    }

    /// Whether CONFLICT-DONE and RECOVER-WAIT can be told. To a draft-07 partner the one goes as NORMAL, the
    /// other as RECOVER (Q7, Q27).
    pub const fn has_draft_12_states(self) -> bool {
        !matches!(self, Dialect::Draft07)
    }

    /// Whether several transactions may go in one BNDUPD. dhcpd drops the connection on it.
    pub const fn may_batch(self) -> bool {
        !matches!(self, Dialect::Dhcpd)
    }

    /// Whether DDNS, client-request-options and client-reply-options are sent. dhcpd drops the connection on the
    /// first and makes nothing of the others.
    pub const fn sends_client_details(self) -> bool {
        !matches!(self, Dialect::Dhcpd)
    }

    /// Whether vendor-specific-options of Tandem are sent (Q45).
    pub const fn sends_vendor_options(self) -> bool {
        matches!(self, Dialect::Draft12)
    }

    /// Whether the partner hears that our bindings are lost, and then raises the ends of its own (trap T16). Another takes what one
    /// who forgot agrees to for an agreement: it has to be refused by us.
    pub const fn raises_for_who_forgot(self) -> bool {
        self.sends_vendor_options()
    }

    /// Whether IP-flags stand after client-last-transaction-time, as dhcpd has them, and not before binding-status.
    pub const fn ip_flags_are_late(self) -> bool {
        matches!(self, Dialect::Dhcpd)
    }

    /// Whom a set bit of hash-bucket-assignment names. dhcpd has it the other way round than both drafts (Q4).
    pub const fn set_bucket_serves(self) -> Role {
        match self {
            Dialect::Draft12 | Dialect::Draft07 => Role::Secondary,
            Dialect::Dhcpd => Role::Primary,
        }
    }

    /// What the load-balancing key is without a client-identifier.
    pub const fn hardware_key(self) -> HardwareKey {
        match self {
            Dialect::Draft07 => HardwareKey::TypeAndAddress,
            Dialect::Draft12 | Dialect::Dhcpd => HardwareKey::Address,
        }
    }

    /// Whether CONNECT goes only over a connection that the primary itself opened (D12-8.2-03); else over any.
    pub const fn connects_on_own_connection_only(self) -> bool {
        matches!(self, Dialect::Draft12)
    }

    /// Whether CONNECT may go over a connection that either opened, so that of two at once the primary's is the one: it closes the
    /// secondary's, calls nobody who called it, and the secondary drops its own (F07-8.2-05 to -07). A dhcpd keeps
    /// the one on which the handshake is complete first.
    pub const fn has_one_call_at_a_time(self) -> bool {
        matches!(self, Dialect::Draft07)
    }

    /// Whether each of the two gives of what it has too much, unasked or on POOLREQ, which the primary sends as well (Q42); else the
    /// primary alone moves addresses, and a POOLREQ from it is an error of the partner (F07-7.6.2-06).
    pub const fn each_gives_its_surplus(self) -> bool {
        matches!(self, Dialect::Dhcpd)
    }

    /// Whether a reserved address is told as BACKUP with R, so that the secondary may give it too (F07-5.12-03). A dhcpd has its
    /// reservations beside its leases: it says R with the status that it has itself, and gives what it has reserved.
    pub const fn tells_reservations(self) -> bool {
        !matches!(self, Dialect::Dhcpd)
    }

    /// The largest difference of clocks that the partner puts up with, where it is known: beyond it the partner
    /// refuses the connection with reason 4, and does not correct what it receives.
    pub const fn clock_limit(self) -> Option<Interval> {
        match self {
            Dialect::Dhcpd => Some(DHCPD_CLOCKS_APART),
            Dialect::Draft12 | Dialect::Draft07 => None,
        }
    }

    /// Whether the partner corrects the times that it is told by the difference of the clocks (F07-5.9-01). dhcpd takes each for a
    /// time of its own clock: it is told them so. In the header it wants the wall clock of this machine, and refuses by it.
    pub const fn corrects_times(self) -> bool {
        !matches!(self, Dialect::Dhcpd)
    }

    /// max-unacked-bndupd, where nobody says another (F07-7.8.1-04). dhcpd keeps its BNDACKs until half as many wait for company,
    /// or 2 s are over; as it takes 10 BNDUPDs itself in its examples, there would never be half of a large number, and 5 BNDUPDs a
    /// second would be all.
    pub const fn usual_max_unacked(self) -> u32 {
        match self {
            Dialect::Dhcpd => 10,
            Dialect::Draft12 | Dialect::Draft07 => 64,
        }
    }

    /// Whether what was under way when a connection broke off takes room from the partner's window as long as the partner's state does
    /// not change. A dhcpd in PARTNER-DOWN whose answer to UPDREQALL broke off sends nothing more, on any connection, unless
    /// max-unacked-bndupd is larger there than what is stuck.
    pub const fn keeps_what_is_under_way(self) -> bool {
        matches!(self, Dialect::Dhcpd)
    }

    /// How many windows of BNDUPDs the partner may have under way at once. A dhcpd that is asked for everything once more begins with a
    /// new window, whatever is under way of the one before.
    pub const fn windows_at_once(self) -> u32 {
        match self {
            Dialect::Dhcpd => 4,
            Dialect::Draft12 | Dialect::Draft07 => 1,
        }
    }

    /// Whether FREE is accepted in the place of a lease that is over (figure 7.1.3-1). dhcpd refuses it whatever the time is
    /// (`invalid state transition: active to free`), and takes RESET, which is FREE as soon as it has agreed.
    pub const fn takes_free_over_active(self) -> bool {
        !matches!(self, Dialect::Dhcpd)
    }

    /// Whether the partner rejects an update that is older than what it knows (figure 7.1.3-1). dhcpd took EXPIRED over a lease that
    /// it had itself extended, while the BNDUPD about that was under way (`tests/captures/expired-over-a-running-lease.pcap`): it is
    /// told nothing on a connection before it has answered UPDREQ or UPDREQALL, which it does in every state.
    pub const fn judges_updates(self) -> bool {
        !matches!(self, Dialect::Dhcpd)
    }

    /// Whether the partner, of two updates of one address that cross, keeps the better one, and never tells its own again when that was
    /// refused. dhcpd does: ACTIVE before others, then who heard the client later, then the primary's (part 6 of the catalogue). A
    /// primary that refused its ACTIVE whatever it says (trap T22) would not hear of a lease that the client has.
    pub const fn keeps_the_better_of_two(self) -> bool {
        matches!(self, Dialect::Dhcpd)
    }

    /// Whether a partner bears to be told this state before it has told its own on a connection; `own` is our role. A dhcpd that was
    /// stopped in CONFLICT-DONE, as primary, starts in it, and ends when it is told that communications were interrupted. One that
    /// recovers forgets that when it is told of a conflict (F07-9.5.2-01), and with that to ask for what it lost. It tells its own
    /// unasked, with CONNECTACK or after it (`tests/captures/pair-start-lease-kill-recover.pcap`).
    pub const fn bears_to_hear_first(self, own: Role, state: FailoverState) -> bool {
        !matches!(self, Dialect::Dhcpd) || matches!(own, Role::Primary) && !state.is_conflict()
    }

    /// Whether what ends a lease is dated: client-last-transaction-time counts a release, and start-time-of-state is when the
    /// status began (F07-12.24-01, Q34). dhcpd leaves both as they were when the lease was last extended; the moment of a release is
    /// in lease-expiration-time alone (`tests/captures/release-by-primary.pcap`).
    pub const fn dates_what_ends_a_lease(self) -> bool {
        !matches!(self, Dialect::Dhcpd)
    }

    /// Whether the vendor-class-identifier of a partner fits this dialect: `isc-…` is dhcpd and nobody else.
    pub fn fits_vendor_class(self, vendor_class: &[u8]) -> bool {
        vendor_class.starts_with(b"isc-") == (self == Dialect::Dhcpd)
    }

    /// Whether `state` may be told to a partner that was last heard in `partner`. What stops dhcpd (part 6 of the
    /// catalogue) is not told: the connection is closed, and the state told on the next one.
    pub const fn may_announce(self, state: FailoverState, partner: FailoverState) -> bool {
        use FailoverState as S;
        if !matches!(self, Dialect::Dhcpd) {
            return true;
        }
        match partner {
            S::Normal => !state.is_conflict(),
            S::PotentialConflict => !matches!(state, S::Normal),
            S::ConflictDone => {
                matches!(state, S::Normal | S::Shutdown | S::PotentialConflict | S::ResolutionInterrupted)
            }
            _ => true,
        }
    }

    /// As it stands in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::Draft12 => "draft-12",
            Dialect::Draft07 => "draft-07",
            Dialect::Dhcpd => "dhcpd",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_kinds() {
        for (index, row) in OPTIONS.iter().enumerate() {
            assert_eq!(row.option as usize, index, "{}", row.name);
        }
    }

    /// F07-6.2-01, F07-13-01.
    #[test]
    fn codes_round_trip_in_each_dialect() {
        for (dialect, last) in [(Dialect::Draft12, 29), (Dialect::Draft07, 28), (Dialect::Dhcpd, 29)] {
            for code in 0..100 {
                let option = dialect.option(code);
                assert_eq!(option.is_some(), (1..=last).contains(&code), "{} {code}", dialect.name());
                assert_eq!(option.and_then(|option| dialect.code(option)).unwrap_or(code), code);
            }
        }
    }

    #[test]
    fn only_dhcpd_is_isc() {
        assert!(Dialect::Dhcpd.fits_vendor_class(b"isc-4.4.3-P1"));
        assert!(!Dialect::Draft12.fits_vendor_class(b"isc-4.4.3-P1"));
        assert!(!Dialect::Dhcpd.fits_vendor_class(b"tandem-0.1"));
        assert!(Dialect::Draft07.fits_vendor_class(b"anything"));
    }

    #[test]
    fn what_stops_dhcpd_is_not_announced() {
        use FailoverState as S;
        let dhcpd = Dialect::Dhcpd;
        assert!(!dhcpd.may_announce(S::PotentialConflict, S::Normal));
        assert!(!dhcpd.may_announce(S::ConflictDone, S::Normal));
        assert!(!dhcpd.may_announce(S::Normal, S::PotentialConflict));
        assert!(!dhcpd.may_announce(S::Paused, S::ConflictDone));
        assert!(dhcpd.may_announce(S::Normal, S::ConflictDone));
        assert!(Dialect::Draft12.may_announce(S::PotentialConflict, S::Normal));
    }
}
