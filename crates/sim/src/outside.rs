//! All that servers and clients act upon: the queue of what happens next, networks, checkers, counts, the trace.
//!
//! *Lives here:* [`Outside`], [`Event`].
//! *Must not know:* servers and clients themselves.

use crate::checkers::Checkers;
use crate::clock::Moment;
use crate::count::Counts;
use crate::history::{Happening, What};
use crate::net::Network;
use crate::server::partner::Doing;
use engine::{Destination, LinkId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A datagram on its way to a server.
#[derive(Debug, Clone)]
pub(crate) struct Datagram {
    pub(crate) source: SocketAddrV4,
    pub(crate) destination: Ipv4Addr,
    pub(crate) bytes: Vec<u8>,
    /// See [`What::Sends`].
    pub(crate) message: u64,
}

/// Something that happens at its time. An incarnation names one life of a server's process: what was meant for another
/// is void.
#[derive(Debug)]
pub(crate) enum Event {
    /// A client wanted to be woken.
    Client { client: usize, due: u64 },
    /// It is time that a client does something unusual.
    Habit { client: usize },
    /// A datagram reaches a server's machine.
    AtServer { server: usize, datagram: Datagram },
    /// A message reaches a client.
    AtClient { client: usize, bytes: Vec<u8>, message: u64 },
    /// The owner of a server's engine has something to do.
    Owner { server: usize, incarnation: u64 },
    /// The journal of a server has something to do.
    Journal { server: usize, incarnation: u64 },
    /// A server looks at its clocks.
    Look { server: usize, incarnation: u64 },
    /// A server's process starts, or tries again.
    Start { server: usize, incarnation: u64 },
    /// It is time that something befalls a server.
    Trouble { server: usize },
    /// The wall clock of a server's machine is set right.
    NetworkTime { server: usize },
    /// Space on a server's disk is freed.
    SpaceFreed { server: usize },
    /// Something arrives on a connection between the two servers of a pair.
    AtPartner { server: usize, link: LinkId },
    /// A connection that was asked for does not come about.
    NoPartner { server: usize, incarnation: u64 },
    /// An operator sees to a server whose partner is down.
    Operator { server: usize },
    /// It is time that something befalls the pair, or that its operator does something.
    PairTrouble,
    /// A server that was told to pause or to shut down may end.
    Leaving { server: usize, incarnation: u64, tries: u32 },
}

/// A reply that has left a server.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) server: usize,
    pub(crate) destination: Destination,
    pub(crate) bytes: Vec<u8>,
    /// See [`What::Sends`].
    pub(crate) message: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Outside {
    pub(crate) now: Moment,
    /// Time, order of scheduling, and place in `events` of all that is to come.
    queue: BinaryHeap<Reverse<(Moment, u64, usize)>>,
    events: Vec<Option<Event>>,
    /// Places in `events` that are free.
    free: Vec<usize>,
    next: u64,
    pub(crate) network: Network,
    pub(crate) checkers: Checkers,
    pub(crate) counts: Counts,
    pub(crate) sent: Vec<Sent>,
    /// What servers did on their connections to each other.
    pub(crate) doings: Vec<(usize, Doing)>,
    /// Processes that ended, and whether their machine did too.
    pub(crate) ended: Vec<(usize, bool)>,
    /// What happened, for people; `None` when nobody looks at it.
    history: Option<Vec<Happening>>,
    /// Messages that were sent.
    messages: u64,
    /// Of all that happened: two runs with the same digest were the same.
    pub(crate) digest: u64,
    pub(crate) steps: u64,
    /// By how much engine times have jumped, or stood otherwise after a start, all together, in milliseconds.
    pub(crate) lost_time: u64,
}

impl Outside {
    pub(crate) fn new(network: Network, checkers: Checkers, traced: bool) -> Outside {
        Outside {
            now: 0,
            queue: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            next: 0,
            network,
            checkers,
            counts: Counts::default(),
            sent: Vec::new(),
            doings: Vec::new(),
            ended: Vec::new(),
            history: traced.then(Vec::new),
            messages: 0,
            digest: 0xcbf2_9ce4_8422_2325,
            steps: 0,
            lost_time: 0,
        }
    }

    pub(crate) fn schedule(&mut self, at: Moment, event: Event) {
        let place = self.free.pop().unwrap_or(self.events.len());
        if let Some(free) = self.events.get_mut(place) {
            *free = Some(event);
        } else {
            self.events.push(Some(event));
        }
        self.queue.push(Reverse((at.max(self.now), self.next, place)));
        self.next += 1;
    }

    /// The next event, if it is not after `end`; time is its time then.
    pub(crate) fn next_until(&mut self, end: Moment) -> Option<Event> {
        let Reverse((at, _, place)) = *self.queue.peek()?;
        if at > end {
            return None;
        }
        self.queue.pop();
        self.now = at;
        self.checkers.at(at);
        self.steps += 1;
        self.stir(&at.to_le_bytes());
        self.free.push(place);
        self.events[place].take()
    }

    /// Mixes something into the digest (FNV-1a).
    pub(crate) fn stir(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Notes a line for people; made only when somebody reads it.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        self.record(|| What::Note(line()));
    }

    /// Records what happens now; made only when somebody looks at it.
    pub(crate) fn record(&mut self, what: impl FnOnce() -> What) {
        if let Some(history) = &mut self.history {
            history.push(Happening { at: self.now, what: what() });
        }
    }

    /// The number of a message that is sent now.
    pub(crate) fn next_message(&mut self) -> u64 {
        self.messages += 1;
        self.messages
    }

    pub(crate) fn take_history(&mut self) -> Vec<Happening> {
        self.history.take().unwrap_or_default()
    }
}
