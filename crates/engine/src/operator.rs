//! What an operator commands about one address.
//!
//! *Lives here:* [`Engine::reset_address`]: an address that only people know to be free is freed (F07-5.10-18).
//! *May know:* bindings, what the state of an endpoint permits.
//! *Must not know:* how commands arrive, or how they were confirmed; messages to the partner.

use crate::engine::Engine;
use crate::event::Event;
use crate::outbox::Outbox;
use crate::record::Flags;
use crate::table::Slot;
use failover::binding::BindingStatus;
use failover::state::FailoverState;
use failover::time::Time;
use std::net::Ipv4Addr;

/// What was reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    /// The status before.
    pub before: BindingStatus,
    /// The status now: FREE; or RESET, where a partner must agree first (F07-5.2.2-02).
    pub status: BindingStatus,
}

/// Why an address is not reset. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResetRefusal {
    /// No pool, no reservation and no binding has it.
    #[error("{0} is in no pool: `tandem leases` shows which addresses there are")]
    UnknownAddress(Ipv4Addr),
    /// There is nothing to reset.
    #[error("{address} is {status}: only what is ABANDONED or ACTIVE can be reset")]
    InStatus {
        /// The address.
        address: Ipv4Addr,
        /// Its status.
        status: BindingStatus,
    },
    /// A client has it, and only what is ABANDONED was to be reset.
    #[error("{0} is ACTIVE: if its client is gone, and the lease is to end, say --leased")]
    Leased(Ipv4Addr),
    /// The partner does not know that it is ABANDONED, and may have leased it meanwhile.
    #[error(
        "{address}: the partner in {relationship} has not acknowledged that it is ABANDONED, and may have leased it: \
         reset it when the two are in contact and `tandem failover status` shows that nothing is unacked"
    )]
    Untold {
        /// The address.
        address: Ipv4Addr,
        /// relationship-name.
        relationship: String,
    },
    /// The bindings are not to be relied upon in this state.
    #[error(
        "{address}: not while {relationship} is in {state}: the leases of the two servers are compared first"
    )]
    InState {
        /// The address.
        address: Ipv4Addr,
        /// relationship-name.
        relationship: String,
        /// The state.
        state: FailoverState,
    },
}

impl Engine {
    /// Frees an address by an operator's word: nobody uses what is ABANDONED; or, with `leased`, what is ACTIVE. A shared address is RESET until the partner agrees, and FREE then (F07-5.10-17). What it changes is
    /// recorded before it is told.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub fn reset_address(
        &mut self,
        now: Time,
        address: Ipv4Addr,
        leased: bool,
        outbox: &mut Outbox,
    ) -> Result<Reset, ResetRefusal> {
        let slot = self.table.at(address).ok_or(ResetRefusal::UnknownAddress(address))?;
        self.may_reset(slot, leased)?;
        let before = self.table.get(slot).status;
        if self.table.relationship(slot).is_none() {
            self.free(now, slot, outbox);
        } else if before == BindingStatus::Abandoned {
            // As old as the ABANDONED that it ends: nothing was heard of the address since, and whoever got it from the partner
            // meanwhile has more to say (time(3) of figure 7.1.3-1).
            self.table.change(slot, |binding| binding.status = BindingStatus::Reset);
            self.changed(slot, outbox);
        } else {
            self.set_status(now, slot, BindingStatus::Reset);
            let mclt = self.mclt_of(slot);
            self.table.change(slot, |binding| binding.was_given_back(now, mclt));
            self.changed(slot, outbox);
        }
        let status = self.table.get(slot).status;
        outbox.event(Event::AddressReset { address, before, status });
        self.tell_partners(outbox);
        Ok(Reset { before, status })
    }

    fn may_reset(&self, slot: Slot, leased: bool) -> Result<(), ResetRefusal> {
        let binding = self.table.get(slot);
        let (address, status) = (binding.ip(), binding.status);
        let relationship = self.table.relationship(slot);
        let name = || relationship.map_or_else(String::new, |id| self.config.relationship(id).name.clone());
        if let Some(state) = relationship.and_then(|id| self.distrusts_bindings(id)) {
            return Err(ResetRefusal::InState { address, relationship: name(), state });
        }
        match status {
            BindingStatus::Abandoned if relationship.is_none() => Ok(()),
            // As for the end of its time: see the deadlines of the table.
            BindingStatus::Abandoned if binding.flags.contains(Flags::UNSEEN) => {
                Err(ResetRefusal::Untold { address, relationship: name() })
            }
            BindingStatus::Active if !leased => Err(ResetRefusal::Leased(address)),
            BindingStatus::Abandoned | BindingStatus::Active => Ok(()),
            _ => Err(ResetRefusal::InStatus { address, status }),
        }
    }
}
