//! Doubly linked lists through all slots, each slot in at most one list.
//!
//! *Lives here:* [`Lists`]: constant-time insertion and removal without allocation.
//! *Must not know:* what a list means.

/// The number of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListId(pub u32);

#[derive(Debug, Clone, Copy)]
struct Link {
    previous: u32,
    next: u32,
}

/// Lists share one array: first a head for each list, then a link for each slot. A node that points to itself is
/// alone: an empty list, or a slot in no list.
#[derive(Debug, Clone)]
pub(crate) struct Lists {
    links: Vec<Link>,
    heads: u32,
}

impl Lists {
    /// `heads` empty lists, and `slots` slots in none of them.
    pub(crate) fn new(heads: u32, slots: u32) -> Lists {
        let links = (0..heads + slots).map(|node| Link { previous: node, next: node }).collect();
        Lists { links, heads }
    }

    pub(crate) fn push_back(&mut self, list: ListId, slot: u32) {
        let node = self.heads + slot;
        debug_assert!(!self.is_linked(slot), "slot {slot} is in a list already");
        let last = self.link(list.0).previous;
        *self.link_mut(node) = Link { previous: last, next: list.0 };
        self.link_mut(last).next = node;
        self.link_mut(list.0).previous = node;
    }

    /// Takes a slot out of its list, if it is in one.
    pub(crate) fn unlink(&mut self, slot: u32) {
        let node = self.heads + slot;
        let Link { previous, next } = self.link(node);
        self.link_mut(previous).next = next;
        self.link_mut(next).previous = previous;
        *self.link_mut(node) = Link { previous: node, next: node };
    }

    pub(crate) fn front(&self, list: ListId) -> Option<u32> {
        self.link(list.0).next.checked_sub(self.heads)
    }

    /// The slot behind this one in a list.
    pub(crate) fn after(&self, list: ListId, slot: u32) -> Option<u32> {
        let next = self.link(self.heads + slot).next;
        if next == list.0 { None } else { next.checked_sub(self.heads) }
    }

    pub(crate) fn pop_front(&mut self, list: ListId) -> Option<u32> {
        let slot = self.front(list)?;
        self.unlink(slot);
        Some(slot)
    }

    pub(crate) fn is_linked(&self, slot: u32) -> bool {
        let node = self.heads + slot;
        self.link(node).next != node
    }

    /// Moves all of `from` to the end of `to`, in constant time.
    pub(crate) fn append(&mut self, from: ListId, to: ListId) {
        let Link { previous: last, next: first } = self.link(from.0);
        if first == from.0 {
            return;
        }
        *self.link_mut(from.0) = Link { previous: from.0, next: from.0 };
        let before = self.link(to.0).previous;
        self.link_mut(before).next = first;
        self.link_mut(first).previous = before;
        self.link_mut(last).next = to.0;
        self.link_mut(to.0).previous = last;
    }

    fn link(&self, node: u32) -> Link {
        self.links[node as usize]
    }

    fn link_mut(&mut self, node: u32) -> &mut Link {
        &mut self.links[node as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(lists: &Lists, list: ListId) -> Vec<u32> {
        let mut lists = lists.clone();
        std::iter::from_fn(|| lists.pop_front(list)).collect()
    }

    #[test]
    fn slots_leave_in_the_order_they_came_from_anywhere_in_the_list() {
        let mut lists = Lists::new(2, 5);
        for slot in 0..5 {
            lists.push_back(ListId(0), slot);
        }
        lists.unlink(2);
        assert!(!lists.is_linked(2));
        lists.unlink(2);
        assert_eq!(content(&lists, ListId(0)), [0, 1, 3, 4]);
        assert_eq!(content(&lists, ListId(1)), []);
    }

    #[test]
    fn a_list_is_appended_whole() {
        let mut lists = Lists::new(2, 4);
        lists.push_back(ListId(0), 3);
        lists.push_back(ListId(1), 1);
        lists.push_back(ListId(1), 0);
        lists.append(ListId(1), ListId(0));
        lists.append(ListId(1), ListId(0));
        assert_eq!(content(&lists, ListId(0)), [3, 1, 0]);
        assert_eq!(lists.front(ListId(1)), None);
    }
}
