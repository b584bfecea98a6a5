//! Connections to partners.
//!
//! *Lives here:* [`Partners`]: listens, connects, carries bytes between sockets and the engine; in the folder one connection,
//! TLS on it, the listening sockets, how sockets are made.
//! *May know:* addresses of partners, which relationship each is for, and what they prove themselves with.
//! *Must not know:* what the bytes say; any state of the protocol.
//!
//! Everything is done by the owner thread, and nothing here waits: an owner that is stuck looks dead to its partner.

mod listening;
mod socket;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

use crate::counter::{ShellCounter, ShellCounters};
use crate::desk::{Desk, JournalGone};
use crate::error::ServeError;
use crate::log;
use config::{PartnerAddresses, PartnerTls};
use engine::config::{Config, RelationshipId, RelationshipParts};
use engine::{Input, Link, LinkId, ToPartner};
use failover::state::Role;
use failover::time::{Interval, Time};
use listening::Listening;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use tls::{Opened, Terms};
use tracing::{error, warn};
use wire::{Broken, CLOSING, End, Taken, Wire};

/// How long a partner may take to accept a connection.
const CONNECT_WAIT: Interval = Interval::from_seconds(5);

/// Bytes that one turn takes from one connection: clients are not to wait for a partner.
const BYTES_PER_TURN: usize = 64 << 10;

/// Connections that one turn takes from one listening socket.
const ACCEPTS_PER_TURN: usize = 16;

/// Connections that one relationship may have here, those that are being closed counted; the engine takes fewer.
pub(crate) const MAX_LINKS: usize = 8;

/// Events of the kernel taken in one turn.
const EVENTS: usize = 64;

/// What a number in epoll is of, in its highest bits.
const LISTENING: u64 = 1 << 62;
const CALL: u64 = 2 << 62;
const KIND: u64 = 3 << 62;

/// A partner, and how it is reached.
#[derive(Debug, Clone)]
struct Partner {
    name: String,
    role: Role,
    addresses: PartnerAddresses,
    patience: Interval,
    /// What TLS with it is made with.
    terms: Option<Terms>,
    /// Why it could not be reached when that was last said.
    unreachable: Option<Errno>,
}

/// A connection that was begun.
#[derive(Debug)]
struct Call {
    socket: TcpStream,
    until: Time,
}

/// What the engine is to be told.
#[derive(Debug, Clone, Copy)]
enum News {
    Closed(LinkId),
    Failed(RelationshipId),
    /// TLS could not even begin.
    NoTls(LinkId),
}

/// All connections to partners.
pub(crate) struct Partners {
    epoll: Epoll,
    /// Partners, by the number of their relationship.
    known: Vec<Partner>,
    listening: Vec<Listening>,
    calls: BTreeMap<RelationshipId, Call>,
    wires: BTreeMap<LinkId, Wire>,
    next: u64,
    news: Vec<News>,
    buffer: Box<[u8]>,
    /// What one read brought out of TLS.
    plain: Vec<u8>,
    /// The bytes of one message.
    message: Vec<u8>,
    counters: Arc<ShellCounters>,
}

impl Partners {
    /// Listens for all of them.
    ///
    /// # Errors
    /// When an address can't be listened at, or a certificate can't be used: the text says what to do.
    pub(crate) fn new(
        config: &Config,
        addresses: &[PartnerAddresses],
        tls: &[Option<PartnerTls>],
        now: Time,
        counters: Arc<ShellCounters>,
    ) -> Result<Partners, ServeError> {
        let failed = |error| ServeError::system("epoll", error);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        let partner =
            |((parts, addresses), tls): ((&RelationshipParts, &PartnerAddresses), &Option<PartnerTls>)| {
                let terms = tls.as_ref().map(|tls| Terms::new(parts.role, tls)).transpose();
                let name = parts.name.clone();
                let terms = terms.map_err(|error| ServeError::Tls { name: name.clone(), error })?;
                let (role, patience) = (parts.role, parts.receive_timer);
                Ok(Partner { name, role, addresses: *addresses, patience, terms, unreachable: None })
            };
        let known: Result<Vec<Partner>, ServeError> =
            config.relationships().iter().zip(addresses).zip(tls).map(partner).collect();
        let known = known?;
        let places: Vec<SocketAddrV4> = known.iter().map(|partner| partner.addresses.listen).collect();
        let listening = Listening::all(&places, now)?;
        let partners = Partners {
            epoll,
            known,
            listening,
            calls: BTreeMap::new(),
            wires: BTreeMap::new(),
            next: 0,
            news: Vec::new(),
            buffer: vec![0; BYTES_PER_TURN].into_boxed_slice(),
            plain: Vec::new(),
            message: Vec::new(),
            counters,
        };
        for number in 0..partners.listening.len() {
            partners.watch_listening(number).map_err(failed)?;
        }
        Ok(partners)
    }

    /// Where they are.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddrV4> {
        self.known.iter().map(|partner| partner.addresses.partner)
    }

    /// Becomes readable when there is something for [`Partners::ready`].
    pub(crate) fn epoll(&self) -> &Epoll {
        &self.epoll
    }

    /// When [`Partners::due`] has work.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        if !self.news.is_empty() {
            return Some(Time::ZERO);
        }
        let calls = self.calls.values().map(|call| call.until);
        let wires = self.wires.values().filter_map(Wire::deadline);
        let listening = self.listening.iter().filter_map(Listening::deadline);
        calls.chain(wires).chain(listening).min()
    }

    /// Whether all that was to be sent is sent, and all that was to be closed is closed.
    pub(crate) fn are_at_rest(&self) -> bool {
        self.news.is_empty()
            && self.wires.values().all(|wire| !wire.waits() && !matches!(wire.end, End::Asked(_)))
    }

    /// Takes what came in, and hands it to the engine.
    pub(crate) fn ready(&mut self, now: Time, desk: &mut Desk) -> Result<(), JournalGone> {
        let mut events = [EpollEvent::empty(); EVENTS];
        let ready = self.epoll.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        for event in &events[..ready] {
            let number = event.data() & !KIND;
            match event.data() & KIND {
                LISTENING => self.accept(now, usize::try_from(number).unwrap_or(usize::MAX), desk)?,
                CALL => {
                    let relationship = RelationshipId(u32::try_from(number).unwrap_or(u32::MAX));
                    self.called(now, relationship, desk)?;
                }
                _ => self.readable(now, LinkId(number), event.events(), desk)?,
            }
        }
        Ok(())
    }

    /// What is due; and what the engine does not know yet.
    pub(crate) fn due(&mut self, now: Time, desk: &mut Desk) -> Result<(), JournalGone> {
        for number in 0..self.listening.len() {
            if self.listening[number].look(now)
                && let Err(error) = self.watch_listening(number)
            {
                warn!("epoll: {}", error.desc());
            }
        }
        let late: Vec<RelationshipId> =
            self.calls.iter().filter(|(_, call)| call.until <= now).map(|(of, _)| *of).collect();
        for relationship in late {
            self.calls.remove(&relationship);
            self.unreachable(relationship, Errno::ETIMEDOUT);
        }
        self.flush(now);
        for news in std::mem::take(&mut self.news) {
            let link = match news {
                News::Closed(link) => Link::Closed { link },
                News::Failed(relationship) => Link::Failed { relationship },
                News::NoTls(link) => Link::TlsFailed { link, why: "it cannot begin here: see the log" },
            };
            desk.handle(now, Input::Link(link))?;
        }
        Ok(())
    }

    /// Sends what the desk has for partners. The bytes are made here and now (F07 5.9).
    pub(crate) fn carry(&mut self, now: Time, desk: &mut Desk) {
        let mut any = false;
        while let Some(to) = desk.next_for_partner() {
            any = true;
            match to {
                ToPartner::Connect { relationship } => self.call(now, relationship),
                ToPartner::Send { link, outgoing } => {
                    let Some(wire) = self.wires.get_mut(&link).filter(|wire| wire.end == End::No) else {
                        continue;
                    };
                    self.message.clear();
                    if let Err(why) = desk.engine.encode(now, link, outgoing, &mut self.message) {
                        error!("a message to a partner has no bytes, which is a defect: {why}");
                    }
                    wire.say(&self.message);
                }
                ToPartner::StartTls { link } => self.start_tls(link),
                ToPartner::Close { link } => {
                    if let Some(wire) = self.wires.get_mut(&link).filter(|wire| wire.end == End::No) {
                        wire.finish(now.plus(CLOSING));
                    }
                }
            }
        }
        if any {
            self.flush(now);
        }
    }

    fn start_tls(&mut self, link: LinkId) {
        let Some(wire) = self.wires.get_mut(&link).filter(|wire| wire.end == End::No) else { return };
        let terms = self.known.get(wire.relationship.0 as usize).and_then(|partner| partner.terms.as_ref());
        let started = match terms {
            Some(terms) => wire.start_tls(terms),
            None => Err("it is not configured, which is a defect".to_owned()),
        };
        if let Err(why) = started {
            error!("TLS with a partner cannot begin: {why}");
            self.news.push(News::NoTls(link));
        }
    }

    fn watch_listening(&self, number: usize) -> nix::Result<()> {
        match &self.listening[number].socket {
            Some(socket) => {
                self.epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, LISTENING | number as u64))
            }
            None => Ok(()),
        }
    }

    fn accept(&mut self, now: Time, number: usize, desk: &mut Desk) -> Result<(), JournalGone> {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(listening) = self.listening.get_mut(number) else { return Ok(()) };
            let Some((socket, peer)) = listening.accept(now) else { return Ok(()) };
            let at = listening.at;
            let Some(relationship) = self.whose(at, peer) else {
                self.counters.count(ShellCounter::PartnerStrangers);
                log::stranger(peer.ip());
                continue;
            };
            let of_it = self.wires.values().filter(|wire| wire.relationship == relationship).count();
            let patience = self.known[relationship.0 as usize].patience;
            if of_it >= MAX_LINKS || socket::accepted(&socket, patience).is_err() {
                self.counters.count(ShellCounter::PartnerRefused);
                continue;
            }
            if let Some(link) = self.open(socket, relationship) {
                self.counters.count(ShellCounter::PartnerAccepted);
                desk.handle(now, Input::Link(Link::Accepted { link, relationship }))?;
            }
        }
        Ok(())
    }

    /// Whose connection it is that came from `peer` to `at`: of the one whose secondary we are, else of the one whose
    /// primary (D12-8.2-05).
    /// F07-5.1.1-04.
    fn whose(&self, at: SocketAddrV4, peer: SocketAddr) -> Option<RelationshipId> {
        let of_peer = |role: Role| {
            self.known.iter().zip(0..).find(|(partner, _)| {
                partner.role == role
                    && partner.addresses.listen == at
                    // F07-8.2-02.
                    && IpAddr::V4(*partner.addresses.partner.ip()) == peer.ip()
            })
        };
        // D12-7.8.2-03.
        let found = of_peer(Role::Secondary).or_else(|| of_peer(Role::Primary));
        found.map(|(_, number)| RelationshipId(number))
    }

    fn call(&mut self, now: Time, relationship: RelationshipId) {
        let Some(partner) = self.known.get(relationship.0 as usize) else { return };
        if self.calls.contains_key(&relationship) {
            return;
        }
        let PartnerAddresses { listen, partner: to } = partner.addresses;
        let socket = socket::connecting(listen, to, partner.patience).and_then(|socket| {
            let event = EpollEvent::new(EpollFlags::EPOLLOUT, CALL | u64::from(relationship.0));
            self.epoll.add(&socket, event).map(|()| socket)
        });
        match socket {
            Ok(socket) => {
                self.calls.insert(relationship, Call { socket, until: now.plus(CONNECT_WAIT) });
            }
            Err(error) => self.unreachable(relationship, error),
        }
    }

    fn called(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        desk: &mut Desk,
    ) -> Result<(), JournalGone> {
        let Some(call) = self.calls.remove(&relationship) else { return Ok(()) };
        if let Err(error) = socket::outcome(&call.socket) {
            self.unreachable(relationship, error);
            return Ok(());
        }
        // It is watched for something else from now on.
        let _ = self.epoll.delete(&call.socket);
        let Some(link) = self.open(call.socket, relationship) else {
            self.unreachable(relationship, Errno::ENOMEM);
            return Ok(());
        };
        self.known[relationship.0 as usize].unreachable = None;
        self.counters.count(ShellCounter::PartnerConnected);
        desk.handle(now, Input::Link(Link::Connected { link, relationship }))
    }

    fn unreachable(&mut self, relationship: RelationshipId, error: Errno) {
        self.counters.count(ShellCounter::PartnerUnreachable);
        self.news.push(News::Failed(relationship));
        let Some(partner) = self.known.get_mut(relationship.0 as usize) else { return };
        if partner.unreachable.replace(error) != Some(error) {
            warn!(
                "{}: no connection from {} to the partner at {}: {}; it is tried again",
                partner.name,
                partner.addresses.listen.ip(),
                partner.addresses.partner,
                error.desc()
            );
        }
    }

    /// `None` when the kernel does not watch it.
    fn open(&mut self, socket: TcpStream, relationship: RelationshipId) -> Option<LinkId> {
        self.next += 1;
        let link = LinkId(self.next);
        self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, link.0)).ok()?;
        self.wires.insert(link, Wire::new(socket, relationship));
        Some(link)
    }

    fn readable(
        &mut self,
        now: Time,
        link: LinkId,
        flags: EpollFlags,
        desk: &mut Desk,
    ) -> Result<(), JournalGone> {
        if flags.contains(EpollFlags::EPOLLOUT) {
            self.flush_one(now, link);
        }
        let wanted = EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        let Some(wire) = self.wires.get_mut(&link).filter(|_| flags.intersects(wanted)) else {
            return Ok(());
        };
        match wire.take(&mut self.buffer) {
            Taken::Bytes(count) if wire.end == End::No => {
                self.counters.add(ShellCounter::PartnerBytesReceived, count as u64);
                self.heard(now, link, count, desk)
            }
            Taken::Nothing | Taken::Bytes(_) => Ok(()),
            Taken::End => {
                self.close(link);
                Ok(())
            }
        }
    }

    /// Hands on the first bytes of the buffer, or what was in them.
    fn heard(&mut self, now: Time, link: LinkId, count: usize, desk: &mut Desk) -> Result<(), JournalGone> {
        let Some(wire) = self.wires.get_mut(&link) else { return Ok(()) };
        let bytes = &self.buffer[..count];
        self.plain.clear();
        let Some(opened) = wire.open(bytes, &mut self.plain) else {
            return desk.handle(now, Input::Link(Link::Received { link, at: now, bytes }));
        };
        let Opened { started, is_closed, failed } = opened;
        if let Some(peer) = &started {
            desk.handle(now, Input::Link(Link::TlsStarted { link, peer }))?;
        }
        if !self.plain.is_empty() {
            desk.handle(now, Input::Link(Link::Received { link, at: now, bytes: &self.plain }))?;
        }
        if let Some(why) = &failed {
            desk.handle(now, Input::Link(Link::TlsFailed { link, why }))?;
        }
        self.flush_one(now, link);
        if is_closed {
            self.close(link);
        }
        Ok(())
    }

    fn flush(&mut self, now: Time) {
        let all: Vec<LinkId> = self.wires.keys().copied().collect();
        for link in all {
            self.flush_one(now, link);
        }
    }

    /// Sends what can be sent, follows the end of a connection, and closes what is broken.
    fn flush_one(&mut self, now: Time, link: LinkId) {
        let Some(wire) = self.wires.get_mut(&link) else { return };
        let late = matches!(wire.end, End::Asked(until) | End::Told(until) if until <= now);
        let Ok(()) = wire.flush(now).map_err(|Broken| ()).and(if late { Err(()) } else { Ok(()) }) else {
            return self.close(link);
        };
        if matches!(wire.end, End::Asked(_)) && !wire.waits() {
            wire.hang_up();
            wire.end = End::Told(now.plus(CLOSING));
            self.news.push(News::Closed(link));
        }
        if wire.waits() != wire.is_watched {
            wire.is_watched = wire.waits();
            let out = if wire.is_watched { EpollFlags::EPOLLOUT } else { EpollFlags::empty() };
            let mut event = EpollEvent::new(EpollFlags::EPOLLIN | out, link.0);
            if self.epoll.modify(wire.socket.as_fd(), &mut event).is_err() {
                self.close(link);
            }
        }
    }

    /// Closed at once; the engine is told, unless it knows.
    fn close(&mut self, link: LinkId) {
        if let Some(wire) = self.wires.remove(&link)
            && !matches!(wire.end, End::Told(_))
        {
            self.news.push(News::Closed(link));
        }
    }
}
