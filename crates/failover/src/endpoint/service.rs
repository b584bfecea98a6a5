//! Whom an endpoint answers, and which addresses it gives.
//!
//! *Lives here:* [`Endpoint::may_answer`], [`Endpoint::may_allocate`] and the waits of PARTNER-DOWN.
//! *May know:* the state and what it permits (tables 1.6 and 1.12 of the catalogue).
//! *Must not know:* requests beyond their kind; bindings beyond their times.

use super::Endpoint;
use crate::balance::Bucket;
use crate::binding::BindingStatus;
use crate::lease::{Bound, PartnerDown, Times};
use crate::state::{FailoverState, Role};
use crate::time::Time;

/// What a client wants, as far as states and load balancing care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// DHCPREQUEST in RENEWING or REBINDING: any server may answer (F07-9.6.2-01).
    /// F07-3.1.1-01.
    RenewOrRebind,
    /// Something that names this server by its server-identifier (the answer to our own offer, RELEASE, DECLINE), or was sent to it
    /// alone (INFORM by unicast).
    NamesUs,
    /// Everything else, heard by both: DISCOVER, INIT-REBOOT, INFORM by broadcast, BOOTP.
    Other,
}

/// Why a request is not answered, and nothing of it remembered (D12-9.2-01, trap T4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Silence {
    /// No client is answered in this state.
    #[error("no client is answered in {0}")]
    State(FailoverState),
    /// Only clients that have a lease are answered in RECOVER-DONE (F07-9.10.1-01).
    #[error("only renewals are answered in RECOVER-DONE")]
    OnlyRenewals,
    /// The bindings are lost (trap T16).
    #[error("the bindings are lost and not back")]
    StorageLost,
    /// The other server answers this client (F07-9.6.2-02).
    #[error("the {0} answers this client")]
    OtherServer(Role),
}

/// Why an unused address is not given to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotOurs {
    /// It is not unused.
    #[error("the address is not unused")]
    NotUnused,
    /// No address is given in this state.
    #[error("no address is given in {0}")]
    State(FailoverState),
    /// It is the partner's (F07-9.7.2-03).
    #[error("the address belongs to the partner")]
    Partners,
    /// It was the partner's, and is to be waited for (F07-9.4.2-04).
    #[error("the address belonged to the partner, which may have given it away")]
    Until(Time),
}

impl Endpoint {
    /// Whether a request of a client in `bucket`, which says that it has tried for `secs` seconds, is answered.
    ///
    /// # Errors
    /// Why not.
    pub fn may_answer(&self, kind: RequestKind, bucket: Bucket, secs: u16) -> Result<(), Silence> {
        use FailoverState as S;
        if self.stored.storage_lost {
            return Err(Silence::StorageLost);
        }
        match self.state {
            // F07-9.3.1-01, F07-9.5.1-01, F07-9.8.2-01, F07-9.12.2-01, D12-9.6-01.
            S::Startup | S::Recover | S::RecoverWait | S::PotentialConflict | S::Paused | S::Shutdown => {
                Err(Silence::State(self.state))
            }
            // Q39.
            S::RecoverDone if kind == RequestKind::RenewOrRebind => Ok(()),
            S::RecoverDone => Err(Silence::OnlyRenewals),
            S::Normal if kind != RequestKind::Other => Ok(()),
            // F07-5.3-07.
            S::Normal if self.settings.service.serves(self.settings.role, bucket, secs) => Ok(()),
            S::Normal => Err(Silence::OtherServer(self.settings.role.other())),
            // F07-4.1-02, F07-9.4.2-01, F07-9.7.2-01, F07-9.9.2-01, -03.
            S::CommunicationsInterrupted | S::PartnerDown | S::ResolutionInterrupted | S::ConflictDone => {
                Ok(())
            }
        }
    }

    /// The status of the unused addresses that are ours (F07-5.10-08, -13).
    pub fn own_pool(&self) -> BindingStatus {
        match self.settings.role {
            Role::Primary => BindingStatus::Free,
            Role::Secondary => BindingStatus::Backup,
        }
    }

    /// Whether an unused address may go to a client that does not have it. `times` are what the record still says of
    /// it; in a pool with dynamic BOOTP (`bootp`) the partner's addresses are never used (F07-5.13-02, -03).
    ///
    /// # Errors
    /// Why not, and until when when that is known.
    pub fn may_allocate(
        &self,
        now: Time,
        status: BindingStatus,
        times: Times,
        bootp: bool,
    ) -> Result<(), NotOurs> {
        use FailoverState as S;
        if !status.is_available() {
            return Err(NotOurs::NotUnused);
        }
        let own = status == self.own_pool();
        match self.state {
            S::Normal
            | S::CommunicationsInterrupted
            | S::ResolutionInterrupted
            | S::ConflictDone
            | S::PartnerDown
                if own =>
            {
                Ok(())
            }
            S::Normal | S::CommunicationsInterrupted | S::ResolutionInterrupted | S::ConflictDone => {
                Err(NotOurs::Partners)
            }
            // The partner is back and is being told: nothing more of its own is taken (trap T17).
            S::PartnerDown if bootp || self.is_handing_over() => Err(NotOurs::Partners),
            S::PartnerDown => {
                let from = self.partner_down().may_change_hands(times);
                // F07-5.10-09.
                if now > from { Ok(()) } else { Err(NotOurs::Until(from)) }
            }
            _ => Err(NotOurs::State(self.state)),
        }
    }

    /// From when on an address that ended (EXPIRED, RELEASED or RESET) becomes FREE without the partner's BNDACK: in
    /// PARTNER-DOWN after the wait of trap T3, else never (F07-5.2.2-01, -02). `leased_since`: it was leased out since
    /// entry, from the own pool, and there was no contact since.
    pub fn frees_alone(&self, times: Times, leased_since: bool) -> Option<Time> {
        if self.state != FailoverState::PartnerDown {
            return None;
        }
        let down = self.partner_down();
        let contact_since = self.last_contact > self.stored.entered;
        Some(if leased_since && !contact_since {
            down.may_change_hands_if_leased_since(times)
        } else {
            down.may_change_hands(times)
        })
    }

    /// What bounds each lease promised at `now` (traps T1, T15).
    pub fn bound(&self, now: Time) -> Bound {
        Bound { mclt: self.settings.mclt, alive: self.alive(now) }
    }

    /// Whether addresses may be moved between FREE and BACKUP: while both are in NORMAL (trap T17).
    pub fn may_move_pools(&self) -> bool {
        self.state == FailoverState::Normal
            && self.has_caught_up()
            && self
                .partner()
                .is_some_and(|partner| partner.state == FailoverState::Normal && !partner.startup)
    }

    /// Whether BNDUPDs may be sent: once STATE was heard, in every state (Q29), but not while leaving. What an old copy of a
    /// store says must not reach a partner that knows better: a stale RESET would end a lease (S13, D12 5.16). Nor what anybody
    /// says a partner that takes it, and knows better.
    pub fn may_send_updates(&self) -> bool {
        self.communications_ok()
            && self.has_caught_up()
            && !self.stored.storage_lost
            && !matches!(self.state, FailoverState::Paused | FailoverState::Shutdown)
    }

    fn has_caught_up(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.caught_up)
    }

    fn is_handing_over(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.partner_requested)
    }

    pub(super) fn partner_down(&self) -> PartnerDown {
        PartnerDown {
            entered: self.stored.entered,
            last_contact: self.stored.last_contact,
            mclt: self.settings.longest_mclt,
        }
    }
}
