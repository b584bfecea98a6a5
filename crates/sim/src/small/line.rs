//! Connections between the two: in order, until they break.
//!
//! *Lives here:* [`Line`].
//! *Must not know:* what is said on them, but for the handshake.

use super::essence::Essence;
use engine::LinkId;
use std::collections::VecDeque;
use std::sync::Arc;

/// What arrives at an end.
#[derive(Debug, Clone)]
pub(super) enum Arrival {
    Bytes {
        bytes: Vec<u8>,
        /// What they say.
        essence: Arc<Essence>,
        /// See [`crate::What::Sends`].
        message: u64,
    },
    /// The partner closed it.
    End,
}

#[derive(Debug, Clone)]
struct Connection {
    link: LinkId,
    is_open: [bool; 2],
    /// What is on its way to each server.
    coming: [VecDeque<Arrival>; 2],
    is_cut: bool,
}

/// All connections that have an open end, the oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    connections: Vec<Connection>,
    made: u64,
}

impl Line {
    /// Both ends are open from now on.
    pub(super) fn open(&mut self) -> LinkId {
        self.made += 1;
        let link = LinkId(self.made);
        let coming = [VecDeque::new(), VecDeque::new()];
        self.connections.push(Connection { link, is_open: [true; 2], coming, is_cut: false });
        link
    }

    pub(super) fn send(&mut self, from: usize, link: LinkId, what: Arrival) {
        let found = self.connections.iter_mut().find(|connection| connection.link == link);
        if let Some(connection) = found.filter(|found| !found.is_cut && found.is_open == [true; 2]) {
            connection.coming[1 - from].push_back(what);
        }
    }

    /// This end is closed by its server.
    pub(super) fn close(&mut self, at: usize, link: LinkId) {
        self.send(at, link, Arrival::End);
        self.shut(at, |connection| connection.link == link);
    }

    /// What arrives at this server next.
    pub(super) fn next(&self, to: usize) -> Option<&Arrival> {
        self.connections.iter().find_map(|connection| connection.coming[to].front())
    }

    pub(super) fn take(&mut self, to: usize) -> Option<(LinkId, Arrival)> {
        let mut arrived =
            self.connections.iter_mut().find_map(|one| Some((one.link, one.coming[to].pop_front()?)));
        if let Some((link, Arrival::End)) = &mut arrived {
            let link = *link;
            self.shut(to, |connection| connection.link == link);
        }
        arrived
    }

    /// Whether anything is on its way to this server.
    pub(super) fn is_empty(&self, to: usize) -> bool {
        self.next(to).is_none()
    }

    /// Whether there is a connection to break.
    pub(super) fn can_cut(&self) -> bool {
        self.connections.iter().any(|connection| !connection.is_cut && connection.is_open == [true; 2])
    }

    pub(super) fn cut(&mut self) {
        for connection in &mut self.connections {
            connection.is_cut = true;
            connection.coming.iter_mut().for_each(VecDeque::clear);
        }
    }

    /// The process of this server is gone, and its ends with it.
    pub(super) fn crashed(&mut self, server: usize) {
        self.shut(server, |_| true);
    }

    /// Connections that this server still has, with nobody at the other end: they end now.
    pub(super) fn notice(&mut self, server: usize) -> Vec<LinkId> {
        let dead = |one: &Connection| one.is_open[server] && (one.is_cut || !one.is_open[1 - server]);
        let links =
            self.connections.iter().filter(|connection| dead(connection)).map(|one| one.link).collect();
        self.shut(server, dead);
        links
    }

    /// Whether this server has one with nobody at the other end.
    pub(super) fn has_dead(&self, server: usize) -> bool {
        self.connections.iter().any(|one| one.is_open[server] && (one.is_cut || !one.is_open[1 - server]))
    }

    /// For each connection: its ends, and what is on its way.
    pub(super) fn parts(&self) -> impl Iterator<Item = ([bool; 2], bool, &[VecDeque<Arrival>; 2])> {
        self.connections.iter().map(|one| (one.is_open, one.is_cut, &one.coming))
    }

    fn shut(&mut self, server: usize, which: impl Fn(&Connection) -> bool) {
        for connection in self.connections.iter_mut().filter(|connection| which(connection)) {
            connection.is_open[server] = false;
            connection.coming[server].clear();
        }
        self.connections.retain(|connection| connection.is_open.contains(&true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(byte: u8) -> Arrival {
        Arrival::Bytes { bytes: vec![byte], essence: Arc::default(), message: 0 }
    }

    #[test]
    fn what_was_said_before_an_end_arrives_and_what_is_cut_does_not() {
        let mut line = Line::default();
        let link = line.open();
        line.send(0, link, bytes(1));
        line.crashed(0);
        let (of, arrived) = line.take(1).unwrap();
        assert!(of == link && matches!(arrived, Arrival::Bytes { bytes, .. } if bytes == [1]));
        assert!(line.take(1).is_none() && line.has_dead(1));
        assert_eq!((line.notice(1), line.has_dead(1)), (vec![link], false));
        let link = line.open();
        line.send(0, link, bytes(2));
        line.cut();
        line.send(0, link, bytes(3));
        assert!(line.take(1).is_none() && !line.can_cut());
        let link = line.open();
        line.close(0, link);
        assert!(matches!(line.take(1), Some((of, Arrival::End)) if of == link));
    }
}
