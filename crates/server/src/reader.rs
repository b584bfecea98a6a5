//! From the sockets to the engine.
//!
//! *Lives here:* [`Reader`]: while the server keeps up, what a socket gave is decided at once, where it lies. When it is behind, more
//! is read than is decided, and the [`Backlog`] says what is next.
//! *Must not know:* what a packet says.
//!
//! Reading comes before deciding, but not without end: of all that comes in one turn so much is read and so much decided that
//! neither starves the other, and partners and deadlines have their turn soon.

use crate::counter::{ShellCounter, ShellCounters};
use crate::desk::{Desk, JournalGone};
use crate::net::listener::Listeners;
use crate::pace::Found;
use crate::sys::receive::{DATAGRAMS, Inbox};
use engine::backlog::Backlog;
use engine::{Input, Packet};
use failover::time::{Interval, Time};
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// The server is behind when what it reads has waited for so long. A receive buffer takes what comes in that time.
const BEHIND: Interval = Interval::from_millis(20);

/// Calls to receive of one turn, all sockets together; at least one for each.
const CALLS_PER_TURN: usize = 16;

/// Packets of the backlog that one turn decides, those of the last client beyond it.
const DECIDED_PER_TURN: usize = 256;

/// What waits to be decided, and the room for what is read.
pub(crate) struct Reader {
    inbox: Inbox,
    backlog: Backlog,
    counters: Arc<ShellCounters>,
    /// Packets dropped since the backlog was empty.
    shed: u64,
}

/// One moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Engine time.
    pub(crate) now: Time,
    /// CLOCK_REALTIME, by which the kernel says when a datagram came.
    pub(crate) wall: Duration,
}

impl Moment {
    /// When a datagram came, by engine time.
    fn of(self, at: Option<Duration>) -> Time {
        let age = at.map_or(Duration::ZERO, |at| self.wall.saturating_sub(at));
        self.now.minus(Interval::from_millis(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl Reader {
    /// Room for so many packets that wait, by a seed that nobody else knows.
    pub(crate) fn new(packets: u32, seed: u64, counters: Arc<ShellCounters>) -> Reader {
        Reader { inbox: Inbox::new(), backlog: Backlog::new(packets, seed), counters, shed: 0 }
    }

    /// Packets that are read and not decided.
    pub(crate) fn waiting(&self) -> usize {
        self.backlog.len()
    }

    /// Takes what waits on the sockets with these numbers. What came in time is decided; else it is kept, and more is read. What
    /// there was.
    pub(crate) fn read(
        &mut self,
        sockets: impl Iterator<Item = usize> + Clone,
        at: Moment,
        listeners: &mut Listeners,
        desk: &mut Desk,
    ) -> Result<Found, JournalGone> {
        let mut found = Found::default();
        let calls = (CALLS_PER_TURN / sockets.clone().count().max(1)).max(1);
        for number in sockets {
            for _ in 0..calls {
                listeners.receive(number, &mut self.inbox, &self.counters);
                found.packets += u32::try_from(self.inbox.len()).unwrap_or(0);
                found.is_more |= self.inbox.len() == DATAGRAMS;
                // The first of a call is the oldest.
                let first = self.inbox.get(0).map_or(at.now, |(arrival, _)| at.of(arrival.at));
                if self.backlog.is_empty() && at.now.since(first) < BEHIND {
                    self.decide_at_once(number, at, listeners, desk)?;
                    break;
                }
                self.keep(number, at, listeners);
                if self.inbox.len() < DATAGRAMS {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Decides what is next of that which waits.
    pub(crate) fn decide(&mut self, now: Time, desk: &mut Desk) -> Result<(), JournalGone> {
        let mut decided = 0;
        while decided < DECIDED_PER_TURN && !self.backlog.is_empty() && !desk.must_wait() {
            decided += self.backlog.take(now, |packet| desk.handle(now, Input::Packet(packet)))?;
        }
        if self.backlog.is_empty() && self.shed > 0 {
            info!("all that waited is decided; {} packets found no room meanwhile", self.shed);
            self.shed = 0;
        }
        Ok(())
    }

    fn decide_at_once(
        &self,
        number: usize,
        at: Moment,
        listeners: &Listeners,
        desk: &mut Desk,
    ) -> Result<(), JournalGone> {
        for index in 0..self.inbox.len() {
            if let Some(packet) = packet(&self.inbox, index, number, at, listeners, &self.counters) {
                desk.handle(at.now, Input::Packet(packet))?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, number: usize, at: Moment, listeners: &Listeners) {
        let Reader { inbox, backlog, counters, shed } = self;
        let before = *shed;
        for index in 0..inbox.len() {
            let Some(packet) = packet(inbox, index, number, at, listeners, counters) else { continue };
            let added = backlog.add(&packet);
            counters.count(ShellCounter::PacketsWaited);
            counters.add(ShellCounter::DroppedRepeated, u64::from(added.repeats));
            *shed += added.shed as u64;
        }
        counters.add(ShellCounter::DroppedOverload, *shed - before);
        if before == 0 && *shed > 0 {
            warn!(
                "more is asked than can be answered: {} packets wait, and clients that have nothing yet go without an answer \
                 until they ask again; when this comes often, look at the disk and the processor of this machine",
                backlog.len()
            );
        }
    }
}

/// A datagram of the inbox as the engine wants it; `None` for one that is not for us.
fn packet<'a>(
    inbox: &'a Inbox,
    index: usize,
    socket: usize,
    at: Moment,
    listeners: &Listeners,
    counters: &ShellCounters,
) -> Option<Packet<'a>> {
    let (arrival, bytes) = inbox.get(index)?;
    if arrival.is_cut {
        counters.count(ShellCounter::ReceiveTooLong);
        return None;
    }
    let interface = listeners.interface_of(socket, &arrival, counters)?;
    counters.count(ShellCounter::PacketsReceived);
    Some(Packet {
        interface,
        source: arrival.source,
        destination: arrival.destination,
        received: at.of(arrival.at),
        bytes,
    })
}
