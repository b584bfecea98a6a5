//! One connection to a partner, as bytes.
//!
//! *Lives here:* [`Wire`]: what waits to be sent, with its bounds, in clear or over TLS; the end of a connection in good order.
//! *Must not know:* what the bytes say.

use super::tls::{Opened, Terms, Tls};
use engine::config::RelationshipId;
use failover::time::{Interval, Time};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

/// Most bytes that wait for a partner to take them.
pub(super) const MAX_WAITING: usize = 1 << 20;

/// A partner that takes nothing for so long, although something waits for it, is no partner (F07-8.4-01).
pub(super) const STUCK: Interval = Interval::from_seconds(5);

/// How long a connection that is being closed waits for its last bytes to be taken, and for the partner's end.
pub(super) const CLOSING: Interval = Interval::from_seconds(2);

/// A connection (F07-8.3-05).
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) socket: TcpStream,
    pub(super) relationship: RelationshipId,
    /// As the socket takes it: over TLS records.
    waiting: Vec<u8>,
    tls: Option<Tls>,
    /// How many bytes of `waiting` are gone.
    sent: usize,
    /// Since when the partner takes nothing.
    stuck_since: Option<Time>,
    /// The kernel tells when it takes bytes again.
    pub(super) is_watched: bool,
    pub(super) end: End,
}

/// How far the end of a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It is wanted.
    No,
    /// What waits is sent, until then at the latest.
    Asked(Time),
    /// All is sent, and the engine knows of the end; what the partner still sends is thrown away, until then at the latest.
    /// A socket closed with bytes unread would take back what was sent last.
    Told(Time),
}

/// What reading brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// So many bytes.
    Bytes(usize),
    /// None for now.
    Nothing,
    /// The connection has ended.
    End,
}

/// The connection broke, or the partner does not take what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

impl Wire {
    pub(super) fn new(socket: TcpStream, relationship: RelationshipId) -> Wire {
        Wire {
            socket,
            relationship,
            waiting: Vec::new(),
            tls: None,
            sent: 0,
            stuck_since: None,
            is_watched: false,
            end: End::No,
        }
    }

    /// Adds what waits for [`Wire::flush`].
    pub(super) fn say(&mut self, bytes: &[u8]) {
        match &mut self.tls {
            Some(tls) => tls.put(bytes, &mut self.waiting),
            None => self.waiting.extend_from_slice(bytes),
        }
    }

    /// What is said and comes from now on is over TLS.
    ///
    /// # Errors
    /// When it cannot begin.
    pub(super) fn start_tls(&mut self, terms: &Terms) -> Result<(), String> {
        self.tls = Some(Tls::begin(terms, &mut self.waiting)?);
        Ok(())
    }

    /// Takes what came out of TLS, and adds it to `plain`; `None` where there is no TLS.
    pub(super) fn open(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Option<Opened> {
        let Wire { tls, waiting, .. } = self;
        tls.as_mut().map(|tls| tls.take(bytes, plain, waiting))
    }

    /// What was said is still sent, until then at the latest; nothing more is said.
    pub(super) fn finish(&mut self, until: Time) {
        if let Some(tls) = &mut self.tls {
            tls.end(&mut self.waiting);
        }
        self.end = End::Asked(until);
    }

    /// Whether bytes wait.
    pub(super) fn waits(&self) -> bool {
        self.sent < self.waiting.len()
    }

    /// Sends what the partner takes now.
    pub(super) fn flush(&mut self, now: Time) -> Result<(), Broken> {
        let mut moved = false;
        while self.waits() {
            match self.socket.write(&self.waiting[self.sent..]) {
                Ok(0) => return Err(Broken),
                Ok(count) => {
                    self.sent += count;
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Err(Broken),
            }
        }
        if moved {
            self.waiting.drain(..self.sent);
            self.sent = 0;
            self.stuck_since = None;
        }
        if !self.waits() {
            self.stuck_since = None;
            return Ok(());
        }
        let since = *self.stuck_since.get_or_insert(now);
        if since.plus(STUCK) <= now || self.waiting.len() > MAX_WAITING { Err(Broken) } else { Ok(()) }
    }

    /// Takes what is there, as far as `buffer` has room.
    pub(super) fn take(&mut self, buffer: &mut [u8]) -> Taken {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Taken::End,
                Ok(count) => return Taken::Bytes(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Taken::Nothing,
                Err(_) => return Taken::End,
            }
        }
    }

    /// Nothing more will be sent.
    pub(super) fn hang_up(&self) {
        // A connection that broke meanwhile has no end to be told.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.end {
            End::No => self.stuck_since.map(|since| since.plus(STUCK)),
            End::Asked(until) | End::Told(until) => Some(until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const ANY: RelationshipId = RelationshipId(0);

    fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        ours.set_nonblocking(true).unwrap();
        (Wire::new(ours, ANY), listener.accept().unwrap().0)
    }

    /// F07-8.3-05, F07-8.4-01.
    #[test]
    fn a_partner_that_takes_nothing_is_closed_after_a_while() {
        let (mut wire, _partner) = pair();
        let now = Time::from_seconds(100);
        while !wire.waits() {
            wire.say(&vec![7; 200_000]);
            wire.flush(now).unwrap();
        }
        let due = wire.deadline().unwrap();
        assert_eq!(due, now.plus(STUCK));
        assert_eq!(wire.flush(due.minus(Interval::from_millis(1))), Ok(()));
        assert_eq!(wire.flush(due), Err(Broken));
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut wire, _partner) = pair();
        let now = Time::from_seconds(100);
        for _ in 0..20_000 {
            wire.say(&[7; 10_000]);
            if wire.flush(now).is_err() {
                assert!(wire.waiting.len() <= MAX_WAITING + 10_000);
                return;
            }
        }
        panic!("it took 200 MB");
    }

    #[test]
    fn bytes_come_in_their_order_and_so_does_the_end() {
        let (mut wire, mut partner) = pair();
        let mut buffer = [0; 8];
        assert_eq!(wire.take(&mut buffer), Taken::Nothing);
        partner.write_all(b"first").unwrap();
        drop(partner);
        while wire.take(&mut buffer) == Taken::Nothing {}
        assert_eq!(&buffer[..5], b"first");
        assert_eq!(wire.take(&mut buffer), Taken::End);
    }
}
