//! The pair, as JSON.
//!
//! *Lives here:* [`Relationship`], one endpoint at a glance; [`Commanded`], the answer to a command that was obeyed.
//! *Must not know:* HTTP, terminals.

use super::Moment;
use crate::status::ServerStatus;
use engine::EndpointView;
use failover::time::Time;
use serde::{Deserialize, Serialize};
use std::net::SocketAddrV4;

/// A partner in one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Relationship {
    /// Its name, the same on both servers.
    pub relationship_name: String,
    /// What this server is in it: `primary` or `secondary`.
    pub role: String,
    /// Where the partner listens.
    pub partner: SocketAddrV4,
    /// `NORMAL`, `COMMUNICATIONS-INTERRUPTED`, … (F07 9).
    pub state: String,
    /// Since when this server is in it; in STARTUP since when in the state before.
    pub state_since: Option<Moment>,
    /// Whether any client is answered in it.
    pub answers: bool,
    /// What to do about it.
    pub what_to_do: String,
    /// State of the partner as last told; `null` if it was never heard.
    pub partner_state: Option<String>,
    /// Since when the partner is in it.
    pub partner_state_since: Option<Moment>,
    /// Whether the two talk to each other.
    pub in_contact: bool,
    /// When the partner was last heard, as far as that is recorded.
    pub last_communicated: Option<Moment>,
    /// Whom TLS proved the partner to be; `null` while there is no connection over TLS.
    pub tls_peer: Option<String>,
    /// Whether each message is signed with a secret.
    pub signed: bool,
    /// What is added to the partner's times, in seconds.
    pub clock_difference: i64,
    /// The MCLT in force, in seconds.
    #[serde(rename = "MCLT")]
    pub mclt: u64,
    /// Updates that wait to be sent.
    pub queued: u64,
    /// Updates that were sent and not acknowledged.
    pub unacked: u64,
    /// Updates that the partner rejected, and that are sent again.
    pub rejected: u64,
    /// Bindings that the partner must agree to before NORMAL.
    pub unagreed: u64,
    /// FREE addresses: the primary's.
    pub free: u64,
    /// BACKUP addresses: the secondary's.
    pub backup: u64,
    /// Whether this server lost its bindings, and does not have them back yet.
    pub storage_lost: bool,
    /// New leases end MCLT after this time at the latest, when that is past: this server was known to its partner last
    /// then; `null` if it is known now.
    pub alive: Option<Moment>,
}

/// A command was obeyed, and what it changed is on stable storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Commanded {
    /// Which relationship it was for.
    pub relationship_name: String,
    /// The state before.
    pub state_before: String,
    /// The state now.
    pub state: String,
}

impl Relationship {
    pub(super) fn all(status: &ServerStatus) -> Vec<Relationship> {
        let pairs = status.engine.endpoints.iter().zip(&status.partners);
        pairs.map(|(view, partner)| Relationship::of(view, *partner)).collect()
    }

    fn of(view: &EndpointView, partner: SocketAddrV4) -> Relationship {
        Relationship {
            relationship_name: view.name.clone(),
            role: view.role.name().to_owned(),
            partner,
            state: view.state.name().to_owned(),
            state_since: Moment::of(view.since),
            answers: view.answers,
            what_to_do: view.what_to_do.to_owned(),
            partner_state: view.partner.map(|state| state.name().to_owned()),
            partner_state_since: view.partner_since.and_then(Moment::of),
            in_contact: view.in_contact,
            last_communicated: Moment::of(view.last_communicated),
            tls_peer: view.tls_peer.clone(),
            signed: view.is_signed,
            clock_difference: view.clock_difference,
            mclt: view.mclt.as_seconds(),
            queued: u64::from(view.queued),
            unacked: view.unacked as u64,
            rejected: view.refused as u64,
            unagreed: u64::from(view.unagreed),
            free: view.free,
            backup: view.backup,
            storage_lost: view.storage_lost,
            alive: view.alive.map(alive),
        }
    }
}

/// A server that was never known to its partner has a time of its own here, not `null`.
fn alive(time: Time) -> Moment {
    Moment::of(time).unwrap_or_else(|| Moment { time: "1970-01-01T00:00:00Z".to_owned(), seconds: Some(0) })
}
