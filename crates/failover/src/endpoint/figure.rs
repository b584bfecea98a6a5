//! Figure 9.2-1, and the text of section 9 where it says more.
//!
//! *Lives here:* what a state becomes when communications fail ([`communications_failed`]), when the partner is seen in
//! a state ([`on_partner`]), and when STARTUP ends ([`after_startup`]).
//! *May know:* F07 9, draft-12 9 (table 1.10 of the catalogue); traps T16, T17, T24; Q13, Q25, Q27, Q28.
//! *Must not know:* timers, messages, stable storage: these are functions of states.

use crate::dialect::Dialect;
use crate::state::{FailoverState, Role};
use crate::time::Time;
use FailoverState as S;

/// What is to be done on seeing the partner in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// Nothing.
    Stay,
    /// Enter this state.
    To(FailoverState),
    /// Send UPDREQ, or UPDREQALL when the own storage is lost, once in this stay on this connection.
    Request,
}

/// What else decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Situation {
    /// Our role.
    pub role: Role,
    /// What the partner speaks.
    pub dialect: Dialect,
    /// Our bindings are lost and not back (T16).
    pub storage_lost: bool,
    /// Addresses that we took over are not acknowledged yet (T17).
    pub handover_pending: bool,
}

/// What was heard of the partner on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Partner {
    /// Its state; in STARTUP the one before.
    pub state: FailoverState,
    /// The STARTUP flag.
    pub startup: bool,
    /// When it entered that state, by our clock.
    pub since: Time,
    /// It said that its bindings are lost.
    pub storage_lost: bool,
    /// The state that it told on this connection before this one.
    pub came_from: Option<FailoverState>,
}

/// The state in which a server goes on when communications fail (F07-9.6.4-03, F07-9.8.3-01), or when it starts
/// (draft-12 9.3.2 step 2).
pub fn communications_failed(state: FailoverState) -> FailoverState {
    match state {
        // F07-3.3-01.
        S::Normal => S::CommunicationsInterrupted,
        S::PotentialConflict => S::ResolutionInterrupted,
        S::Startup
        | S::CommunicationsInterrupted
        | S::PartnerDown
        | S::Recover
        // D12-9.6.2-03.
        | S::RecoverWait
        // F07-9.10.2-02.
        | S::RecoverDone
        | S::ResolutionInterrupted
        | S::ConflictDone
        | S::Paused
        | S::Shutdown => state,
    }
}

/// Table 1.10. A row for each of our states, in it a line for each outcome.
///
/// The way "via COMMUNICATIONS-INTERRUPTED" (F07-9.2-05) is gone in one step: what is in between would be left at once.
/// F07-9.2-06.
#[allow(
    clippy::match_same_arms,
    reason = "a row for each state and a line for each outcome, as in the table"
)]
pub fn on_partner(own: FailoverState, partner: &Partner, situation: &Situation) -> Next {
    use Next::{Stay, To};
    let lost_and_recovering = partner.storage_lost && matches!(partner.state, S::Recover | S::RecoverWait);
    match (own, partner.state) {
        // A partner without bindings has no conflict with anybody: it is served alone until it has them (T16).
        (own, _) if own.is_conflict() && lost_and_recovering => To(S::CommunicationsInterrupted),
        _ if forgot_the_conflict(own, partner, situation.dialect) => To(S::CommunicationsInterrupted),

        (S::Normal, S::Normal | S::CommunicationsInterrupted) => Stay,
        (S::Normal, S::RecoverDone) if !situation.handover_pending => Stay,
        (S::Normal, S::Recover | S::RecoverWait | S::RecoverDone | S::Paused) => {
            To(S::CommunicationsInterrupted)
        }
        // Of the conflict that ended here as well, said before the primary heard so: were it the beginning of another, the two
        // would resolve it for ever, each by what the other said before.
        (S::Normal, S::ConflictDone)
            if situation.role == Role::Secondary && partner.came_from == Some(S::PotentialConflict) =>
        {
            Stay
        }
        (S::Normal, S::Shutdown) => To(S::PartnerDown),
        // F07-9.6.4-04.
        (S::Normal, _) => To(S::PotentialConflict),

        // F07-9.7.3-03.
        (S::CommunicationsInterrupted, S::Normal | S::CommunicationsInterrupted) => To(S::Normal),
        // What we granted of the partner's must be known to it before it answers again (T17).
        (S::CommunicationsInterrupted, S::RecoverDone) if situation.handover_pending => Stay,
        // F07-9.7.3-04.
        (S::CommunicationsInterrupted, S::RecoverDone) => To(S::Normal),
        // Q25.
        (S::CommunicationsInterrupted, S::Recover | S::RecoverWait | S::Paused) => Stay,
        // F07-9.7.3-06.
        (S::CommunicationsInterrupted, S::Shutdown) => To(S::PartnerDown),
        // F07-9.7.3-05.
        (S::CommunicationsInterrupted, _) => To(S::PotentialConflict),

        // Only PARTNER-DOWN ignores a partner in STARTUP (F07-9.4.3-01, Q28).
        (S::PartnerDown, _) if partner.startup => Stay,
        (S::PartnerDown, S::RecoverDone) if situation.handover_pending => Stay,
        // F07-9.4.3-04.
        (S::PartnerDown, S::RecoverDone) => To(S::Normal),
        // F07-9.4.3-03.
        (S::PartnerDown, S::Recover | S::RecoverWait | S::Paused | S::Shutdown) => Stay,
        // F07-9.4.3-02.
        (S::PartnerDown, _) => To(S::PotentialConflict),

        _ => on_partner_without_service(own, partner, *situation),
    }
}

/// The rows of the states in which the pair is not whole, and of those that only a restart ends.
#[allow(
    clippy::match_same_arms,
    reason = "a row for each state and a line for each outcome, as in the table"
)]
fn on_partner_without_service(own: FailoverState, partner: &Partner, situation: Situation) -> Next {
    use Next::{Request, Stay, To};
    let primary = situation.role == Role::Primary;
    match (own, partner.state) {
        (S::Recover, S::Paused | S::Shutdown) => Stay,
        // The road through POTENTIAL-CONFLICT is not for one who has nothing to bring (T16).
        // F07-9.5.2-01.
        (S::Recover, partner) if partner.is_conflict() && !situation.storage_lost => To(S::PotentialConflict),
        // F07-9.5-01.
        (S::Recover, _) => Request,

        // RECOVER-WAIT hears nothing but its timer.
        (S::RecoverWait, _) => Stay,

        (S::RecoverDone, S::Normal | S::RecoverDone) if situation.handover_pending => Stay,
        // F07-9.10.2-01, Q13.
        (S::RecoverDone, S::Normal | S::RecoverDone) => To(S::Normal),
        (S::RecoverDone, partner) if partner.is_conflict() => To(S::PotentialConflict),
        (S::RecoverDone, _) => Stay,

        (S::PotentialConflict, S::Paused | S::Shutdown) => Stay,
        // F07-9.8.1-01.
        (S::PotentialConflict, _) if primary => Request,
        // F07-9.8.1-02.
        (S::PotentialConflict, S::ConflictDone) => Request,
        // A draft-07 primary has no CONFLICT-DONE: it goes from POTENTIAL-CONFLICT to NORMAL (F07-9.8.3-03). A NORMAL
        // that is only late does not come from there (T24).
        (S::PotentialConflict, S::Normal)
            if !situation.dialect.has_draft_12_states()
                && partner.came_from == Some(S::PotentialConflict) =>
        {
            Request
        }
        (S::PotentialConflict, _) => Stay,

        (S::ResolutionInterrupted, S::Paused | S::Shutdown) => Stay,
        // F07-9.9.3-02.
        (S::ResolutionInterrupted, _) => To(S::PotentialConflict),

        // D12-9.12-01.
        (S::ConflictDone, S::Normal) => To(S::Normal),
        (S::ConflictDone, S::PartnerDown) => To(S::PotentialConflict),
        (S::ConflictDone, _) => Stay,

        // STARTUP ends by `after_startup`; PAUSED and SHUTDOWN by a restart (F07-9.12.3-01).
        _ => Stay,
    }
}

/// Whether a partner that recovers has no part in the conflict that we are in, so that we go to COMMUNICATIONS-INTERRUPTED. One of
/// another make does not say whether it lost its bindings: told of a conflict it would leave RECOVER (F07-9.5.2-01), and ask only for
/// what it was not told before; and what we believe that it knows it would not (trap T16).
pub(super) fn forgot_the_conflict(own: FailoverState, partner: &Partner, dialect: Dialect) -> bool {
    own.is_conflict() && partner.state == S::Recover && !dialect.sends_vendor_options()
}

/// The state after STARTUP, when the partner was heard (F07-9.3.2-06, -07): the `previous` one, unless the partner went
/// to PARTNER-DOWN. If it did after `last_operation`, nothing happened on our side since, and RECOVER will do; else, and in
/// doubt, POTENTIAL-CONFLICT, which loses no binding (Q44).
///
/// One that was recovering, and has not answered a client since, goes on with that. One that may have used the partner's
/// addresses itself meets a partner that may have done the same: never RECOVER.
#[allow(clippy::match_same_arms, reason = "a line for each case of the text")]
pub fn after_startup(
    previous: FailoverState,
    partner: &Partner,
    last_operation: Time,
    storage_lost: bool,
) -> FailoverState {
    let after_us = partner.since > last_operation;
    match previous {
        _ if partner.state != S::PartnerDown => previous,
        _ if storage_lost => S::Recover,
        S::Recover => S::Recover,
        S::RecoverWait | S::RecoverDone if !after_us => previous,
        S::PartnerDown | S::ResolutionInterrupted | S::ConflictDone => S::PotentialConflict,
        _ if after_us => S::Recover,
        _ => S::PotentialConflict,
    }
}
