//! With whom pools are shared.
//!
//! *Lives here:* [`RelationshipParts`], one partner in one role (F07-5.1.1-02).
//! *Must not know:* where partners listen, certificates and keys: a link is the shell's.

use failover::connection::TlsPolicy;
use failover::dialect::Dialect;
use failover::digest::Secret;
use failover::state::Role;
use failover::time::{Interval, Time};
use std::net::Ipv4Addr;

/// Number of a relationship in [`super::Config`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationshipId(pub u32);

/// By what two servers know each other where the protocol has no names: what each tells in sending-server-IP-address
/// (F07-7.8.1-02).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Of this server.
    pub own: Ipv4Addr,
    /// Of the partner.
    pub partner: Ipv4Addr,
}

/// A partner in one role, and on what terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationshipParts {
    /// relationship-name, the same on both servers; 1 to 255 bytes (D12-12.22-01).
    pub name: String,
    /// Which of the two this server is.
    pub role: Role,
    /// What the partner speaks.
    pub dialect: Dialect,
    /// The addresses that both name; wanted where the dialect is draft-07, and of no use else.
    pub addresses: Option<Addresses>,
    /// Maximum client lead time, from 10 s on; the primary's counts (F07-5.2.1-07).
    pub mclt: Interval,
    /// How many of the 256 hash buckets the primary serves; the primary's counts (F07-5.3-02).
    pub split: u16,
    /// BNDUPDs that may wait here for their BNDACK (F07-7.8.1-03); 1 to 1,000.
    pub max_unacked: u32,
    /// A partner that is silent for this long is lost (F07-12.18-01); 3 s to 10 min.
    /// F07-8.3-03.
    pub receive_timer: Interval,
    /// How often a partner is called that is not there (F07-8.2-03); 1 s to 10 min.
    pub connect_interval: Interval,
    /// By how much the clocks of the two may differ (F07-7.8.2-08), from 5 s on; `None`: by anything, for times are corrected.
    pub max_clock_difference: Option<Interval>,
    /// How long STARTUP looks for the partner (F07-9.3.2-05); `None`: 10 s after a stop shorter than MCLT, else 60 s.
    pub startup: Option<Interval>,
    /// How long until the partner that does not come back is taken to be down (F07 10); `None`, never.
    pub safe_period: Option<Interval>,
    /// At a first commissioning, serve without having met the partner (D12-9.3.2-01).
    pub start_alone: bool,
    /// After a restart, trust the stored state although the partner may have gone on without us: the risk of the drafts
    /// (trap T15).
    pub trusts_restart: bool,
    /// The client waits longer than this (its `secs`): answer although it is the partner's (F07-12.10-01).
    pub delayed_service: Option<u8>,
    /// The secret that both know (F07 11.1).
    pub secret: Option<Secret>,
    /// TLS (F07 11.2); `None`: it is not configured.
    pub tls: Option<TlsParts>,
}

/// So long before a certificate ends people are told, and then every day.
pub const CERTIFICATE_WARNING: Interval = Interval::from_seconds(30 * 86_400);

/// What is decided about TLS with a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsParts {
    /// Not without; else only if the partner can (F07-12.26-01).
    pub is_required: bool,
    /// When the certificate of this server, or one of those above it, ends.
    pub certificate_expires: Time,
}

impl RelationshipParts {
    /// A relationship with a Tandem partner and usual timers.
    pub fn new(name: &str, role: Role, mclt: Interval) -> RelationshipParts {
        RelationshipParts {
            name: name.to_owned(),
            role,
            dialect: Dialect::Draft12,
            addresses: None,
            mclt,
            split: 128,
            max_unacked: Dialect::Draft12.usual_max_unacked(),
            receive_timer: Interval::from_seconds(20),
            connect_interval: Interval::from_seconds(5),
            max_clock_difference: None,
            startup: None,
            safe_period: None,
            start_alone: false,
            trusts_restart: false,
            delayed_service: None,
            secret: None,
            tls: None,
        }
    }

    /// The largest difference of clocks with which there is a connection: ours, and no more than the partner puts up with.
    /// D12-11.1-03.
    pub fn max_clock_difference(&self) -> Option<Interval> {
        let both = [self.max_clock_difference, self.dialect.clock_limit()];
        both.into_iter().flatten().min()
    }

    /// What is said of TLS in CONNECT and CONNECTACK (F07-11-02).
    pub fn tls_policy(&self) -> TlsPolicy {
        match self.tls {
            None => TlsPolicy::No,
            Some(TlsParts { is_required: false, .. }) => TlsPolicy::Desired,
            Some(TlsParts { is_required: true, .. }) => TlsPolicy::Required,
        }
    }
}
