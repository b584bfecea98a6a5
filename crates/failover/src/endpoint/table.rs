//! Table 1.10: what follows from the partner's state, and from its loss.
//!
//! *Lives here:* [`on_partner`], one line for each cell of the table; [`on_contact_lost`].
//! *Must not know:* time.

use super::{Durable, PartnerState};
use crate::state::{FailoverState, Role};

/// What a cell of the table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Stay,
    /// Another state.
    Go(FailoverState),
    /// Another state, once the partner has agreed to all that was done without it (trap T17).
    GoWhenAgreed(FailoverState),
    /// Ask the partner for updates.
    Ask,
}

use FailoverState::{
    CommunicationsInterrupted, ConflictDone, Normal, PartnerDown, Paused, PotentialConflict, Recover,
    RecoverDone, RecoverWait, ResolutionInterrupted, Shutdown, Startup,
};
use Step::{Ask, Go, GoWhenAgreed, Stay};

/// Communications failed (F07 9.2; figure 9.2-1).
pub(super) const fn on_contact_lost(state: FailoverState) -> FailoverState {
    match state {
        Normal => CommunicationsInterrupted,
        PotentialConflict => ResolutionInterrupted,
        other => other,
    }
}

/// The partner is in a state, by what it said last.
pub(super) const fn on_partner(role: Role, own: &Durable, partner: &PartnerState) -> Step {
    // Trap T16, M11: with one who forgot, there is nothing to resolve. We serve, with leases bounded, until it has recovered.
    if partner.storage_lost
        && matches!(partner.state, Recover | RecoverWait)
        && matches!(own.state, PotentialConflict | ResolutionInterrupted | ConflictDone)
    {
        return Go(CommunicationsInterrupted);
    }
    match own.state {
        Normal => normal(partner.state),
        CommunicationsInterrupted => communications_interrupted(partner.state),
        PartnerDown => partner_down(partner),
        Recover => recover(own, partner.state),
        RecoverDone => recover_done(partner.state),
        PotentialConflict => potential_conflict(role, partner.state),
        ResolutionInterrupted => resolution_interrupted(partner.state),
        ConflictDone => conflict_done(partner.state),
        RecoverWait | Paused | Shutdown | Startup => Stay,
    }
}

/// F07 9.6.4; what is unexpected goes by way of COMMUNICATIONS-INTERRUPTED (F07-9.6.4-04).
const fn normal(partner: FailoverState) -> Step {
    match partner {
        Normal | CommunicationsInterrupted | RecoverDone | Startup => Stay,
        Recover | RecoverWait | Paused => Go(CommunicationsInterrupted),
        Shutdown => Go(PartnerDown),
        PartnerDown | PotentialConflict | ResolutionInterrupted | ConflictDone => Go(PotentialConflict),
    }
}

/// F07 9.7.3.
const fn communications_interrupted(partner: FailoverState) -> Step {
    match partner {
        Normal | CommunicationsInterrupted => Go(Normal),
        RecoverDone => GoWhenAgreed(Normal),
        Recover | RecoverWait | Paused | Startup => Stay,
        Shutdown => Go(PartnerDown),
        PartnerDown | PotentialConflict | ResolutionInterrupted | ConflictDone => Go(PotentialConflict),
    }
}

/// F07 9.4.3.
const fn partner_down(partner: &PartnerState) -> Step {
    if partner.startup {
        // F07-9.4.3-01.
        return Stay;
    }
    match partner.state {
        RecoverDone => GoWhenAgreed(Normal),
        Recover | RecoverWait | Paused | Shutdown | Startup => Stay,
        Normal | CommunicationsInterrupted | PartnerDown | PotentialConflict | ResolutionInterrupted
        | ConflictDone => Go(PotentialConflict),
    }
}

/// F07 9.5.2.
const fn recover(own: &Durable, partner: FailoverState) -> Step {
    match partner {
        PotentialConflict | ResolutionInterrupted | ConflictDone if !own.storage_lost => {
            Go(PotentialConflict)
        }
        Paused | Shutdown | Startup => Stay,
        _ => Ask,
    }
}

/// F07 9.10.2, draft-12 9.7.
const fn recover_done(partner: FailoverState) -> Step {
    match partner {
        Normal | RecoverDone => Go(Normal),
        PotentialConflict | ResolutionInterrupted | ConflictDone => Go(PotentialConflict),
        CommunicationsInterrupted | PartnerDown | Recover | RecoverWait | Paused | Shutdown | Startup => Stay,
    }
}

/// F07 9.8, trap T24: the primary asks at once, the secondary when the primary has all.
const fn potential_conflict(role: Role, partner: FailoverState) -> Step {
    match (role, partner) {
        (_, Paused | Shutdown | Startup) => Stay,
        (Role::Primary, _) | (Role::Secondary, ConflictDone) => Ask,
        (Role::Secondary, _) => Stay,
    }
}

/// F07 9.9.3.
const fn resolution_interrupted(partner: FailoverState) -> Step {
    match partner {
        // Silence would only last as long as its wait: from RECOVER-DONE on there is something to resolve.
        RecoverWait | Paused | Shutdown | Startup => Stay,
        _ => Go(PotentialConflict),
    }
}

/// D12-9.12-01.
const fn conflict_done(partner: FailoverState) -> Step {
    match partner {
        Normal => Go(Normal),
        PartnerDown => Go(PotentialConflict),
        _ => Stay,
    }
}
