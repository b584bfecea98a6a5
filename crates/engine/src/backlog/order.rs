//! Clients in an order, each with its neighbours.
//!
//! *Lives here:* [`List`] and [`Links`]: the newest at one end, the oldest at the other; any can leave.
//! *Must not know:* why one comes or goes.

use super::{Backlog, Client, Kind};

/// By what clients are in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// By their first packet: all of them.
    Arrived,
    /// By their last packet: those that begin something.
    Begins,
    /// By their last packet: those that go on.
    GoesOn,
}

impl Order {
    pub(super) fn of(kind: Kind) -> Order {
        match kind {
            Kind::Begins => Order::Begins,
            Kind::GoesOn => Order::GoesOn,
        }
    }
}

/// The neighbours of a client.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Links {
    newer: Option<u32>,
    older: Option<u32>,
}

/// The ends of an order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct List {
    pub(super) newest: Option<u32>,
    pub(super) oldest: Option<u32>,
}

impl Client {
    fn links(&mut self, order: Order) -> &mut Links {
        match order {
            Order::Arrived => &mut self.arrived,
            Order::Begins | Order::GoesOn => &mut self.recent,
        }
    }
}

impl Backlog {
    fn ends(&mut self, order: Order) -> (&mut List, &mut [Client]) {
        let list = match order {
            Order::Arrived => &mut self.arrived,
            Order::Begins => &mut self.begins,
            Order::GoesOn => &mut self.goes_on,
        };
        (list, &mut self.clients)
    }

    /// A client comes in as the newest.
    pub(super) fn enter(&mut self, order: Order, number: u32) {
        let (list, clients) = self.ends(order);
        *clients[number as usize].links(order) = Links { newer: None, older: list.newest };
        match list.newest.replace(number) {
            Some(before) => clients[before as usize].links(order).newer = Some(number),
            None => list.oldest = Some(number),
        }
    }

    /// A client goes; it must be in.
    pub(super) fn leave(&mut self, order: Order, number: u32) {
        let (list, clients) = self.ends(order);
        let Links { newer, older } = std::mem::take(clients[number as usize].links(order));
        match newer {
            Some(newer) => clients[newer as usize].links(order).older = older,
            None => list.newest = older,
        }
        match older {
            Some(older) => clients[older as usize].links(order).newer = newer,
            None => list.oldest = newer,
        }
    }
}
