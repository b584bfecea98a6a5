//! What an endpoint knows of one connection, and forgets with it.
//!
//! *Lives here:* [`Link`].
//! *May know:* what the partner said and was asked on this connection.
//! *Must not know:* what follows from it; what is stored.

use super::figure::Partner;
use super::values::RequestId;
use crate::message::{TandemInfo, Xid};
use crate::state::FailoverState;
use crate::time::Time;

/// Most requests for updates that a partner can have open; more are answered together with the last.
pub(super) const MAX_OWED: usize = 16;

/// An established connection, as far as states are concerned.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// What it said of itself last on this connection.
    pub(super) partner: Option<Partner>,
    /// What only a Tandem says.
    pub(super) partner_tandem: Option<TandemInfo>,
    /// Of what STATE told last.
    pub(super) last_told: Option<(FailoverState, bool, Time, Option<Time>)>,
    /// The request that ends the state we are in, until its UPDDONE.
    pub(super) requested: Option<RequestId>,
    /// By when UPDDONE or a BNDUPD must come.
    pub(super) progress_by: Option<Time>,
    /// The last request on this connection, whatever for, until its UPDDONE.
    pub(super) catching_up: Option<RequestId>,
    /// Whether the partner may be told of bindings: where it takes whatever it is told, not before it has told all that it had.
    pub(super) caught_up: bool,
    /// Requests of the partner that are being answered.
    pub(super) owed: Vec<Xid>,
    /// The partner sent UPDREQ or UPDREQALL on this connection.
    pub(super) partner_requested: bool,
    /// The partner came from POTENTIAL-CONFLICT to NORMAL while we were in POTENTIAL-CONFLICT: its conflict is over before ours.
    pub(super) partner_resolved: bool,
    /// The partner was in POTENTIAL-CONFLICT when it was sent UPDDONE, and told no state since: it may be in NORMAL.
    pub(super) partner_may_be_normal: bool,
    /// A partner of another make sent UPDREQALL on this connection, and recovers since: the loss of which that tells is known.
    pub(super) told_of_loss: bool,
    /// We asked for its end: nothing more is told.
    pub(super) closing: bool,
}

impl Link {
    /// A connection on which nothing was said yet but what came with CONNECT. `caught_up`: the partner may be told of bindings at once.
    pub(super) fn new(partner_tandem: Option<TandemInfo>, caught_up: bool) -> Link {
        Link {
            partner: None,
            partner_tandem,
            last_told: None,
            requested: None,
            progress_by: None,
            catching_up: None,
            caught_up,
            owed: Vec::new(),
            partner_requested: false,
            partner_resolved: false,
            partner_may_be_normal: false,
            told_of_loss: false,
            closing: false,
        }
    }
}
