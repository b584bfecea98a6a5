//! What each partner is to be told, in the order in which it changed.
//!
//! *Lives here:* [`Queue`]: a slot is in it once at most, however often it changed.
//! *Must not know:* messages, windows, acknowledgements.
//!
//! Bound: each slot at most once.

use super::Slot;
use super::lists::{ListId, Lists};
use crate::config::RelationshipId;

#[derive(Debug, Clone)]
pub(crate) struct Queue {
    lists: Lists,
    lengths: Vec<u32>,
}

impl Queue {
    pub(crate) fn new(relationships: u32, slots: u32) -> Queue {
        Queue { lists: Lists::new(relationships, slots), lengths: vec![0; relationships as usize] }
    }

    /// Adds a slot at the end, unless it is in already.
    pub(crate) fn push(&mut self, relationship: RelationshipId, slot: Slot) {
        if !self.lists.is_linked(slot.number()) {
            self.lists.push_back(ListId(relationship.0), slot.number());
            self.lengths[relationship.0 as usize] += 1;
        }
    }

    /// Takes the slot that has waited for longest: its number.
    pub(super) fn pop(&mut self, relationship: RelationshipId) -> Option<u32> {
        let slot = self.lists.pop_front(ListId(relationship.0))?;
        self.lengths[relationship.0 as usize] -= 1;
        Some(slot)
    }

    /// The partner knows by other means.
    pub(crate) fn remove(&mut self, relationship: RelationshipId, slot: Slot) {
        if self.lists.is_linked(slot.number()) {
            self.lists.unlink(slot.number());
            self.lengths[relationship.0 as usize] -= 1;
        }
    }

    /// Numbers of the slots that wait, in order.
    pub(super) fn waiting(&self, relationship: RelationshipId) -> impl Iterator<Item = u32> + '_ {
        let list = ListId(relationship.0);
        let first = self.lists.front(list);
        std::iter::successors(first, move |slot| self.lists.after(list, *slot))
    }

    /// How many slots wait.
    pub(crate) fn len(&self, relationship: RelationshipId) -> u32 {
        self.lengths[relationship.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slot_once_in_order_of_its_first_change() {
        let (a, b) = (RelationshipId(0), RelationshipId(1));
        let mut queue = Queue::new(2, 5);
        for slot in [3, 1, 3, 4] {
            queue.push(a, Slot::numbered(slot));
        }
        queue.push(b, Slot::numbered(0));
        queue.remove(a, Slot::numbered(1));
        queue.remove(a, Slot::numbered(2));
        assert_eq!((queue.len(a), queue.len(b)), (2, 1));
        assert_eq!([queue.pop(a), queue.pop(a), queue.pop(a)], [Some(3), Some(4), None]);
        assert_eq!((queue.len(a), queue.pop(b)), (0, Some(0)));
    }
}
