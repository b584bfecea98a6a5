//! Connections between the two servers of a pair: in order, late, cut, half-open, one-way, reset at any byte.
//!
//! *Lives here:* [`Lines`]: which connections stand, and when something that is sent on one arrives.
//! *Must not know:* what the bytes say.
//!
//! As in TCP, what is sent arrives in order or not at all, and nothing of an old connection reaches a new one. While a direction is
//! silent nothing gets through; what was sent meanwhile arrives when it is over, if the connection still stands then. Nobody
//! is told that a direction is silent.

use crate::clock::Moment;
use crate::random::Random;
use engine::LinkId;
use std::collections::{BTreeMap, VecDeque};

/// One end of a connection, at the server with the same number.
#[derive(Debug)]
struct End {
    /// The life of the process that has it.
    incarnation: u64,
    is_open: bool,
    /// When the latest of what is on its way here arrives.
    last: Moment,
    /// What is on its way here.
    coming: VecDeque<Arrival>,
}

/// What arrives at an end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The connection that was asked for stands.
    Connected,
    /// The partner connects.
    Accepted,
    /// The connection that was asked for did not come about.
    Failed,
    Bytes {
        bytes: Vec<u8>,
        /// The message that is whole with these bytes.
        message: Option<u64>,
    },
    /// The connection is gone.
    End,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Lines {
    random: Random,
    /// Until when nothing of what this server sends gets through.
    pub(crate) silent: [Moment; 2],
    /// Each message takes seconds until then.
    pub(crate) slow_until: Moment,
    standing: BTreeMap<LinkId, [End; 2]>,
    next: u64,
}

impl Lines {
    pub(crate) fn new(random: Random) -> Lines {
        Lines { random, silent: [0; 2], slow_until: 0, standing: BTreeMap::new(), next: 1 }
    }

    /// From now on all that is sent arrives soon.
    pub(crate) fn heal(&mut self) {
        (self.silent, self.slow_until) = ([0; 2], 0);
    }

    /// Whether a connection can come about now.
    pub(crate) fn is_whole(&self, now: Moment) -> bool {
        self.silent.iter().all(|until| *until <= now)
    }

    fn latency(&mut self, now: Moment) -> u64 {
        if now < self.slow_until { self.random.between(200, 9000) } else { self.random.between(1, 30) }
    }

    /// A connection between these two lives, opened by `opener`; when each end learns of it.
    pub(crate) fn open(
        &mut self,
        now: Moment,
        opener: usize,
        incarnations: [u64; 2],
    ) -> (LinkId, [Moment; 2]) {
        let link = LinkId(self.next);
        self.next += 1;
        let at = [now + self.latency(now), now + self.latency(now)];
        let end = |n: usize| {
            let first = if n == opener { Arrival::Connected } else { Arrival::Accepted };
            End { incarnation: incarnations[n], is_open: true, last: at[n], coming: VecDeque::from([first]) }
        };
        self.standing.insert(link, [end(0), end(1)]);
        (link, at)
    }

    /// `from` sends something: when it arrives; `None` for never.
    pub(crate) fn send(&mut self, now: Moment, from: usize, link: LinkId, what: Arrival) -> Option<Moment> {
        let latency = self.latency(now);
        // The sender tries again after a while.
        let again = self.random.between(0, 3000);
        let silent = self.silent[from];
        let [first, second] = self.standing.get_mut(&link)?;
        let (here, there) = if from == 0 { (first, second) } else { (second, first) };
        if !here.is_open || !there.is_open {
            return None;
        }
        let at = if silent > now { silent.saturating_add(again) } else { now + latency };
        there.last = at.max(there.last);
        there.coming.push_back(what);
        Some(there.last)
    }

    /// The next thing arrives at `to`, whose process lives its life number `incarnation`: what that process gets.
    pub(crate) fn arrives(&mut self, to: usize, link: LinkId, incarnation: u64) -> Option<Arrival> {
        let end = &mut self.standing.get_mut(&link)?[to];
        if !end.is_open || end.incarnation != incarnation {
            return None;
        }
        let arrival = end.coming.pop_front()?;
        if arrival == Arrival::End {
            end.is_open = false;
            self.forget(link);
        }
        Some(arrival)
    }

    /// This end is closed by its process, or with it. When the other end learns of it; `None` for never.
    pub(crate) fn close(&mut self, now: Moment, at: usize, link: LinkId, silently: bool) -> Option<Moment> {
        let silent = silently || self.silent[at] > now && self.random.chance(500);
        let arrives = if silent { None } else { self.send(now, at, link, Arrival::End) };
        if let Some(ends) = self.standing.get_mut(&link) {
            ends[at].is_open = false;
        }
        self.forget(link);
        arrives
    }

    /// This end sees its cable pulled, and the other learns nothing. What its process gets: who asked for the connection,
    /// and was not told yet that it stands, is told that it did not come about, as every such process is within its wait.
    pub(crate) fn pull(&mut self, now: Moment, at: usize, link: LinkId) -> Arrival {
        let ends = self.standing.get(&link);
        let is_asked_for = ends.is_some_and(|ends| ends[at].coming.front() == Some(&Arrival::Connected));
        self.close(now, at, link, true);
        if is_asked_for { Arrival::Failed } else { Arrival::End }
    }

    /// The network resets this connection, perhaps in the middle of a message: when each end learns of it.
    pub(crate) fn reset(&mut self, now: Moment, link: LinkId) -> [Moment; 2] {
        let at = [0, 1].map(|_| now + self.random.pick(&[0, 1, 40, 4000]));
        let left = [0, 1].map(|_| self.random.pick(&[0, 7, 60, 300]));
        let left = left.map(|left| usize::try_from(self.random.below(left + 1)).unwrap_or(0));
        for (end, mut left) in self.standing.get_mut(&link).into_iter().flatten().zip(left) {
            for arrival in &mut end.coming {
                if let Arrival::Bytes { bytes, message } = arrival {
                    *message = message.filter(|_| bytes.len() <= left);
                    bytes.truncate(left);
                    left -= bytes.len();
                }
            }
            end.coming.push_back(Arrival::End);
        }
        at
    }

    /// The connections that have an open end here.
    pub(crate) fn of(&self, server: usize) -> Vec<LinkId> {
        self.standing.iter().filter(|(_, ends)| ends[server].is_open).map(|(link, _)| *link).collect()
    }

    fn forget(&mut self, link: LinkId) {
        if self.standing.get(&link).is_some_and(|ends| ends.iter().all(|end| !end.is_open)) {
            self.standing.remove(&link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> (Lines, LinkId) {
        let mut lines = Lines::new(Random::new(1));
        let (link, _) = lines.open(0, 0, [1, 1]);
        assert_eq!(lines.arrives(0, link, 1), Some(Arrival::Connected));
        assert_eq!(lines.arrives(1, link, 1), Some(Arrival::Accepted));
        (lines, link)
    }

    fn bytes(byte: u8) -> Arrival {
        Arrival::Bytes { bytes: vec![byte; 9], message: None }
    }

    #[test]
    fn what_is_sent_arrives_in_order_and_late_while_it_is_silent() {
        let (mut lines, link) = lines();
        lines.silent = [100_000, 0];
        let first = lines.send(10, 0, link, bytes(1)).unwrap_or(0);
        lines.heal();
        assert!(first >= 100_000);
        assert!(lines.send(20, 0, link, bytes(2)).unwrap_or(0) >= first);
        assert!(lines.send(20, 1, link, bytes(3)).unwrap_or(0) < 1000);
        assert_eq!(lines.arrives(1, link, 1), Some(bytes(1)));
        assert_eq!(lines.arrives(1, link, 1), Some(bytes(2)));
    }

    #[test]
    fn nothing_reaches_a_closed_end_or_another_life() {
        let (mut lines, link) = lines();
        lines.send(1, 0, link, bytes(1));
        assert_eq!(lines.arrives(1, link, 2), None);
        assert_eq!(lines.arrives(1, link, 1), Some(bytes(1)));
        lines.send(1, 0, link, bytes(2));
        assert!(lines.close(5, 1, link, false).is_some());
        assert_eq!(lines.arrives(1, link, 1), None);
        assert_eq!(lines.arrives(0, link, 1), Some(Arrival::End));
        assert_eq!((lines.of(0), lines.send(6, 0, link, bytes(3))), (vec![], None));
    }

    #[test]
    fn whoever_asks_for_a_connection_is_answered() {
        let mut lines = Lines::new(Random::new(1));
        let (link, _) = lines.open(0, 0, [1, 1]);
        assert_eq!(lines.pull(1, 0, link), Arrival::Failed);
        assert_eq!(lines.arrives(0, link, 1), None);
        assert_eq!(lines.pull(1, 1, link), Arrival::End);
        let (link, _) = lines.open(0, 0, [1, 1]);
        assert_eq!(lines.arrives(0, link, 1), Some(Arrival::Connected));
        assert_eq!(lines.pull(2, 0, link), Arrival::End);
    }

    #[test]
    fn a_reset_cuts_a_message_anywhere() {
        let (mut lines, link) = lines();
        lines.send(1, 0, link, Arrival::Bytes { bytes: vec![1; 1000], message: Some(7) });
        lines.reset(2, link);
        let Some(Arrival::Bytes { bytes, message: None }) = lines.arrives(1, link, 1) else {
            panic!("a part of it")
        };
        assert!(bytes.len() <= 300);
        assert_eq!(lines.arrives(1, link, 1), Some(Arrival::End));
        assert_eq!(lines.arrives(0, link, 1), Some(Arrival::End));
    }
}
