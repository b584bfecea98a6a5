//! BNDUPDs that wait for their BNDACK.
//!
//! *Lives here:* [`Outstanding`]: which addresses are under way, with what content.
//! *Must not know:* bindings, messages.
//!
//! One address is under way once at most (trap T22). Bound: the partner's max-unacked-bndupd messages of at most
//! [`failover::message::MAX_TRANSACTIONS`] addresses.

use crate::record::Stamp;
use crate::table::Slot;
use dhcp::ClientIdentity;
use failover::binding::BindingStatus;
use failover::connection::Ticket;
use std::collections::BTreeMap;

/// What was said of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    /// Whose times these are (trap T14).
    pub(super) client: Option<ClientIdentity>,
    pub(super) status: BindingStatus,
    /// The potential-expiration-time that was said, if any.
    pub(super) potential: Stamp,
    /// The binding changed since.
    pub(super) changed: bool,
    /// The partner's own update of the address came meanwhile.
    pub(super) crossed: bool,
    /// It left after the UPDREQ that is being answered, or no such is.
    pub(super) counts: bool,
}

// Q32.
#[derive(Debug, Clone, Default)]
pub(super) struct Outstanding {
    by_slot: BTreeMap<Slot, (Ticket, Sent)>,
}

impl Outstanding {
    pub(super) fn get(&self, slot: Slot) -> Option<&Sent> {
        self.by_slot.get(&slot).map(|(_, sent)| sent)
    }

    /// How many addresses wait.
    pub(super) fn len(&self) -> usize {
        self.by_slot.len()
    }

    pub(super) fn insert(&mut self, ticket: Ticket, slot: Slot, sent: Sent) {
        self.by_slot.insert(slot, (ticket, sent));
    }

    /// The binding is not what was said of it any more.
    pub(super) fn changed(&mut self, slot: Slot) {
        if let Some((_, sent)) = self.by_slot.get_mut(&slot) {
            sent.changed = true;
        }
    }

    /// The partner speaks of this address while what we said is under way.
    pub(super) fn crossed(&mut self, slot: Slot) {
        if let Some((_, sent)) = self.by_slot.get_mut(&slot) {
            sent.crossed = true;
        }
    }

    /// An answer came: what had been said. `None` when nothing was, in the message with this ticket (F07-6.3-07).
    pub(super) fn answered(&mut self, ticket: Ticket, slot: Slot) -> Option<Sent> {
        self.by_slot.get(&slot).filter(|(of, _)| *of == ticket)?;
        self.by_slot.remove(&slot).map(|(_, sent)| sent)
    }

    /// What was said in the message with this ticket and not answered: a BNDACK is owed for all of it (F07-6.3-06), so that
    /// no other answer will come.
    pub(super) fn unanswered(&mut self, ticket: Ticket) -> Vec<Slot> {
        let slots: Vec<Slot> =
            self.by_slot.iter().filter(|(_, (of, _))| *of == ticket).map(|(slot, _)| *slot).collect();
        for slot in &slots {
            self.by_slot.remove(slot);
        }
        slots
    }

    /// What is under way now left before the request that came now.
    pub(super) fn request_came(&mut self) {
        for (_, sent) in self.by_slot.values_mut() {
            sent.counts = false;
        }
    }

    /// The connection is gone: nobody will answer. The addresses that were under way.
    pub(super) fn abandon(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.by_slot).into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Sent {
        Sent {
            client: None,
            status: BindingStatus::Active,
            potential: Stamp::NONE,
            changed: false,
            crossed: false,
            counts: true,
        }
    }

    #[test]
    fn an_answer_counts_once_and_for_its_own_message_only() {
        let [a, b] = [0, 1].map(Slot::numbered);
        let mut outstanding = Outstanding::default();
        outstanding.insert(Ticket(1), a, sent());
        outstanding.insert(Ticket(1), b, sent());
        outstanding.changed(b);
        assert_eq!(outstanding.answered(Ticket(2), a), None);
        assert_eq!(outstanding.answered(Ticket(1), a), Some(sent()));
        assert_eq!(outstanding.answered(Ticket(1), a), None);
        assert_eq!(outstanding.get(b), Some(&Sent { changed: true, ..sent() }));
        assert_eq!((outstanding.unanswered(Ticket(2)), outstanding.unanswered(Ticket(1))), (vec![], vec![b]));
        assert_eq!(outstanding.len(), 0);
    }
}
