//! BNDUPDs that wait for their BNDACK.
//!
//! *Lives here:* [`Outstanding`]: which addresses are under way, with what content, and since when.
//! *Must not know:* bindings, messages.
//!
//! One address is under way once at most (trap T22). Bound: the partner's max-unacked-bndupd messages of at most
//! [`failover::message::MAX_TRANSACTIONS`] addresses.

use crate::record::Stamp;
use crate::table::Slot;
use dhcp::ClientIdentity;
use failover::binding::BindingStatus;
use failover::message::Xid;
use failover::time::Time;
use std::collections::BTreeMap;

/// What was said of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) xid: Xid,
    /// Whose times these are (trap T14).
    pub(super) client: Option<ClientIdentity>,
    pub(super) status: BindingStatus,
    /// The potential-expiration-time that was said, if any.
    pub(super) potential: Stamp,
    /// The binding changed since.
    pub(super) changed: bool,
    /// It left after the UPDREQ that is being answered, or no such is.
    pub(super) counts: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Outstanding {
    by_slot: BTreeMap<Slot, Sent>,
    /// Open messages: when they were made, and how many of their addresses are not answered.
    by_xid: BTreeMap<Xid, (Time, usize)>,
}

impl Outstanding {
    /// How many messages wait.
    pub(super) fn messages(&self) -> usize {
        self.by_xid.len()
    }

    /// Since when the oldest message has waited: xids grow.
    pub(super) fn oldest(&self) -> Option<Time> {
        self.by_xid.first_key_value().map(|(_, (since, _))| *since)
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Sent> {
        self.by_slot.get(&slot)
    }

    pub(super) fn insert(&mut self, now: Time, slot: Slot, sent: Sent) {
        self.by_xid.entry(sent.xid).or_insert((now, 0)).1 += 1;
        self.by_slot.insert(slot, sent);
    }

    /// The binding is not what was said of it any more.
    pub(super) fn changed(&mut self, slot: Slot) {
        if let Some(sent) = self.by_slot.get_mut(&slot) {
            sent.changed = true;
        }
    }

    /// An answer came: what had been said. `None` when nothing was, in a message of this xid.
    pub(super) fn answered(&mut self, xid: Xid, slot: Slot) -> Option<Sent> {
        self.by_slot.get(&slot).filter(|sent| sent.xid == xid)?;
        let sent = self.by_slot.remove(&slot)?;
        if let Some((_, open)) = self.by_xid.get_mut(&xid) {
            *open -= 1;
            if *open == 0 {
                self.by_xid.remove(&xid);
            }
        }
        Some(sent)
    }

    /// What is under way now left before the request that came now.
    pub(super) fn request_came(&mut self) {
        for sent in self.by_slot.values_mut() {
            sent.counts = false;
        }
    }

    /// The connection is gone: nobody will answer. The addresses that were under way.
    pub(super) fn abandon(&mut self) -> Vec<Slot> {
        self.by_xid.clear();
        std::mem::take(&mut self.by_slot).into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn sent(xid: u32) -> Sent {
        Sent {
            xid: Xid(xid),
            client: None,
            status: BindingStatus::Active,
            potential: Stamp::NONE,
            changed: false,
            counts: true,
        }
    }

    #[test]
    fn an_answer_counts_once_and_for_its_own_message_only() {
        let [a, b] = [0, 1].map(Slot::numbered);
        let mut outstanding = Outstanding::default();
        outstanding.insert(Time::from_seconds(5), a, sent(1));
        outstanding.insert(Time::from_seconds(6), b, sent(1));
        outstanding.changed(b);
        assert_eq!((outstanding.messages(), outstanding.oldest()), (1, Some(Time::from_seconds(5))));
        assert_eq!(outstanding.answered(Xid(2), a), None);
        assert_eq!(outstanding.answered(Xid(1), a), Some(sent(1)));
        assert_eq!(outstanding.answered(Xid(1), a), None);
        assert_eq!(outstanding.messages(), 1);
        assert_eq!(outstanding.answered(Xid(1), b), Some(Sent { changed: true, ..sent(1) }));
        assert_eq!((outstanding.messages(), outstanding.oldest()), (0, None));
    }
}
