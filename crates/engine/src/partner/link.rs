//! Connections to partners: from bytes to messages, and to whom each message goes.
//!
//! *Lives here:* [`Links`], what the shell tells of connections, the way of a message in and out.
//! *May know:* `failover::connection`, which has the rules of one connection.
//! *Must not know:* sockets; what a message does: one room each.

use super::Endpoint;
use crate::clock::ClockStamp;
use crate::config::{Addresses, MAX_UNACKED, RelationshipId, RelationshipParts};
use crate::counter::Counter;
use crate::engine::Engine;
use crate::event::Event;
use crate::input::{Link, LinkId};
use crate::outbox::{Outbox, ToPartner};
use failover::connection::{
    Cause, Connection, Established, Opener, Outgoing, Output, Received, Settings, Ticket,
};
use failover::endpoint::Event as Happening;
use failover::message::{Codec, EncodeError, Message, Relationship, RelationshipName, TandemInfo, Xid};
use failover::state::{FailoverState, Role};
use failover::time::{ClockDelta, Interval, Time, WallOffset};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

/// How long CONNECT or CONNECTACK is waited for.
const HANDSHAKE_WAIT: Interval = Interval::from_seconds(15);

/// A partner that answers no BNDUPD for so long does not do its work (design: grey failure, F07-9.6.4-02).
const ACK_WAIT: Interval = Interval::from_seconds(30);

/// After so long a time in whole seconds is another one.
const NEXT_SECOND: Interval = Interval::from_seconds(1);

/// A dhcpd says CONNECT on each connection that there is, if it does not know yet that one is established: for so long a further
/// one is no sign that the first is dead.
const CONNECTS_TWICE: Interval = Interval::from_seconds(5);

/// Connections that one relationship may have at a time, those in their handshake counted.
const MAX_LINKS: usize = 4;

/// All connections that stand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links {
    all: BTreeMap<LinkId, (RelationshipId, Connection)>,
    by_relationship: BTreeSet<(RelationshipId, LinkId)>,
}

impl Links {
    /// When one of the connections of this relationship has something to do.
    pub(super) fn deadline(&self, relationship: RelationshipId) -> Option<Time> {
        self.of(relationship).filter_map(|(_, connection)| connection.next_deadline()).min()
    }

    fn insert(&mut self, link: LinkId, relationship: RelationshipId, connection: Connection) {
        self.by_relationship.insert((relationship, link));
        self.all.insert(link, (relationship, connection));
    }

    fn remove(&mut self, link: LinkId) {
        if let Some((relationship, _)) = self.all.remove(&link) {
            self.by_relationship.remove(&(relationship, link));
        }
    }

    /// Engine time went forward by so much at once, and no partner's did.
    pub(crate) fn own_clock_jumped(&mut self, by: Interval) {
        for (_, connection) in self.all.values_mut() {
            connection.own_clock_jumped(by);
        }
    }

    /// The wall clock of this machine stands so to engine time.
    pub(crate) fn wall_clock(&mut self, wall: WallOffset) {
        for (_, connection) in self.all.values_mut() {
            connection.wall_clock(wall);
        }
    }

    pub(super) fn get(&self, link: LinkId) -> Option<&Connection> {
        self.all.get(&link).map(|(_, connection)| connection)
    }

    /// What decides about the future of each.
    pub(crate) fn essence(&self) -> impl Iterator<Item = (LinkId, impl fmt::Debug)> {
        self.all.iter().map(|(link, (_, connection))| (*link, connection.essence()))
    }

    /// This connection of a relationship stands: the others hear of it.
    fn one_stands(&mut self, relationship: RelationshipId, standing: LinkId, until: Time) {
        for (link, (of, connection)) in &mut self.all {
            if *of == relationship && *link != standing {
                connection.one_stands(until);
            }
        }
    }

    fn of(&self, relationship: RelationshipId) -> impl Iterator<Item = (LinkId, &Connection)> {
        let numbers = (relationship, LinkId(0))..=(relationship, LinkId(u64::MAX));
        let links = self.by_relationship.range(numbers);
        links.filter_map(|(_, link)| Some((*link, self.get(*link)?)))
    }
}

impl Engine {
    /// The shell tells of a connection.
    pub(crate) fn link(&mut self, now: Time, link: &Link<'_>, outbox: &mut Outbox) {
        match *link {
            Link::Connected { link, relationship } => {
                self.endpoint_mut(relationship).is_connecting = false;
                if self.is_called(relationship) || self.endpoint(relationship).has_enough_of_one() {
                    // F07-8.2-05.
                    outbox.partner_at_once(ToPartner::Close { link });
                    return;
                }
                self.open(now, relationship, link, Opener::Us, outbox);
                if self.links.get(link).is_some_and(|connection| !connection.is_over()) {
                    self.endpoint_mut(relationship).handshake = Some(link);
                }
            }
            Link::Failed { relationship } => {
                let endpoint = self.endpoint_mut(relationship);
                endpoint.is_connecting = false;
                endpoint.connect_at = endpoint.retry.next(now, &Cause::Lost, false);
            }
            Link::Accepted { link, relationship } => self.called(now, relationship, link, outbox),
            Link::Received { link, at, bytes } => {
                self.on_link(now, link, outbox, |connection, outputs| connection.receive(at, bytes, outputs));
            }
            Link::TlsStarted { link, peer } => {
                self.on_link(now, link, outbox, |connection, outputs| {
                    connection.tls_started(now, peer, outputs);
                });
            }
            Link::TlsFailed { link, why } => {
                self.on_link(now, link, outbox, |connection, outputs| connection.tls_failed(why, outputs));
            }
            Link::Closed { link } => {
                self.on_link(now, link, outbox, Connection::lost);
                if let Some((relationship, _)) = self.links.all.get(&link) {
                    self.agenda.touch(*relationship);
                }
                self.links.remove(link);
            }
        }
    }

    /// The partner opened a connection.
    fn called(&mut self, now: Time, relationship: RelationshipId, link: LinkId, outbox: &mut Outbox) {
        let endpoint = self.endpoint(relationship);
        if !endpoint.dialect.has_one_call_at_a_time() {
            self.open(now, relationship, link, Opener::Partner, outbox);
            return;
        }
        let own = endpoint.handshake;
        if endpoint.role() == Role::Primary
            && (endpoint.is_connecting || own.is_some() || endpoint.link.is_some())
        {
            // F07-8.2-07.
            outbox.partner_at_once(ToPartner::Close { link });
            return;
        }
        // F07-8.2-06.
        if let Some(own) = own {
            self.on_link(now, own, outbox, Connection::given_up);
        }
        self.open(now, relationship, link, Opener::Partner, outbox);
        if self.links.get(link).is_some_and(|connection| !connection.is_over()) {
            self.endpoint_mut(relationship).handshake = Some(link);
        }
    }

    /// The partner called, so that a call of ours is one too many (F07-8.2-05).
    fn is_called(&self, relationship: RelationshipId) -> bool {
        let endpoint = self.endpoint(relationship);
        endpoint.dialect.has_one_call_at_a_time() && (endpoint.handshake.is_some() || endpoint.link.is_some())
    }

    /// The bytes of what is for a partner, made at the moment of sending; nothing if its connection is gone (F07-8.6-02).
    ///
    /// # Errors
    /// When the message cannot be said to this partner: a defect of ours, to be logged.
    pub fn encode(
        &mut self,
        now: Time,
        link: LinkId,
        outgoing: Outgoing,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        match self.connection_mut(link) {
            Some((_, connection)) => connection.encode(now, outgoing, out),
            None => Ok(()),
        }
    }

    /// Whether what comes on this connection is still taken: not once it has been given up.
    pub fn takes_from(&self, link: LinkId) -> bool {
        self.links.get(link).is_some_and(|connection| !connection.is_over())
    }

    /// What is added to the times of whoever is at the other end of a connection; nothing where it is gone.
    pub fn clock_difference(&self, link: LinkId) -> ClockDelta {
        self.links.get(link).map_or(ClockDelta::default(), Connection::clock_delta)
    }

    /// Connections whose time has come; and a new one, if none stands.
    pub(super) fn links_due(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        let due: Vec<LinkId> = self
            .links
            .of(relationship)
            .filter(|(_, connection)| connection.next_deadline().is_some_and(|at| at <= now))
            .map(|(link, _)| link)
            .collect();
        for link in due {
            self.on_link(now, link, outbox, |connection, outputs| connection.wake(now, outputs));
        }
        let endpoint = self.endpoint_mut(relationship);
        if endpoint.wants_connection() && endpoint.connect_at <= now {
            self.connect(now, relationship, outbox);
        }
    }

    /// Sends what answers nothing; the ticket under which its answer comes, if it has one.
    pub(super) fn request(
        &mut self,
        relationship: RelationshipId,
        message: Message,
        outbox: &mut Outbox,
    ) -> Option<Ticket> {
        let link = self.endpoint(relationship).link?;
        let outgoing = self.connection_mut(link)?.1.request(message);
        let ticket = outgoing.ticket;
        self.send(link, outgoing, outbox);
        ticket
    }

    /// Sends the answer to a request of the partner.
    pub(super) fn respond(
        &mut self,
        relationship: RelationshipId,
        xid: Xid,
        message: Message,
        outbox: &mut Outbox,
    ) {
        if let Some(link) = self.endpoint(relationship).link {
            self.send(link, Connection::reply(xid, message), outbox);
        }
    }

    /// Ends the connection that stands, with the reason (F07-8.6-05).
    pub(super) fn hang_up(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        why: failover::message::Rejection,
        outbox: &mut Outbox,
    ) {
        if let Some(link) = self.endpoint(relationship).link {
            self.on_link(now, link, outbox, |connection, outputs| connection.disconnect(why, outputs));
        }
    }

    /// Time was lost and found: no connection that stood meanwhile can tell how far the clocks are apart.
    pub(crate) fn hang_up_for_lost_time(&mut self, now: Time, outbox: &mut Outbox) {
        let links: Vec<LinkId> = self.links.all.keys().copied().collect();
        for link in links {
            self.on_link(now, link, outbox, Connection::time_was_lost);
        }
    }

    fn send(&mut self, link: LinkId, outgoing: Outgoing, outbox: &mut Outbox) {
        self.counters.message_sent(outgoing.message.message_type());
        let of = self.links.all.get(&link).map(|(relationship, _)| *relationship);
        let is_late = of.is_some_and(|of| self.endpoint(of).is_late);
        let is_contact = matches!(outgoing.message, Message::Contact) && !is_late;
        let recovers = of.is_some_and(|of| self.endpoint(of).state() == FailoverState::Recover);
        let to = ToPartner::Send { link, outgoing };
        let at_once = match to {
            ToPartner::Send { ref outgoing, .. } => match outgoing.message {
                Message::BndAck(_) => self.planted.bndack_before_stable && recovers,
                Message::State(ref said) => {
                    self.planted.state_before_stable && said.state == FailoverState::RecoverDone
                }
                _ => is_contact,
            },
            _ => false,
        };
        if at_once { outbox.partner_at_once(to) } else { outbox.partner(to) }
    }

    fn connect(&mut self, now: Time, relationship: RelationshipId, outbox: &mut Outbox) {
        let endpoint = self.endpoint_mut(relationship);
        endpoint.is_connecting = true;
        endpoint.connect_at = now.plus(endpoint.retry.interval);
        outbox.partner_at_once(ToPartner::Connect { relationship });
    }

    fn open(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        link: LinkId,
        opener: Opener,
        outbox: &mut Outbox,
    ) {
        let endpoint = self.endpoint(relationship);
        // The bound is on what strangers can hold open.
        if !endpoint.takes_connections() || self.links.of(relationship).count() >= MAX_LINKS {
            outbox.partner_at_once(ToPartner::Close { link });
            return;
        }
        self.note_heard(relationship);
        let endpoint = self.endpoint(relationship);
        let one_stands = endpoint.has_enough_of_one().then_some(endpoint.established_at);
        let settings = self.connection_settings(relationship);
        let mut outputs = Vec::new();
        let mut connection = Connection::new(settings, opener, now, &mut outputs);
        if let Some(since) = one_stands {
            connection.one_stands(since.plus(CONNECTS_TWICE));
        }
        self.links.insert(link, relationship, connection);
        self.agenda.touch(relationship);
        self.outputs(now, relationship, link, outputs, outbox);
    }

    fn connection_settings(&self, relationship: RelationshipId) -> Settings {
        let parts = self.config.relationship(relationship);
        let endpoint = self.endpoint(relationship);
        let patience =
            if self.planted.patient_with_silence { Interval::from_seconds(900) } else { Interval::ZERO };
        let receive_timer = parts.receive_timer.max(patience);
        let [relationship, partner] = names(parts);
        let own = parts.addresses.map_or(Ipv4Addr::UNSPECIFIED, |addresses| addresses.own);
        Settings {
            role: parts.role,
            // F07-12.21-01.
            codec: Codec::new(parts.dialect, own).with_secret(parts.secret.clone()),
            relationship,
            partner,
            max_unacked_bndupd: parts.max_unacked.saturating_add(endpoint.stuck).min(MAX_UNACKED),
            receive_timer,
            mclt: parts.mclt,
            service: endpoint.service(),
            tls: parts.tls_policy(),
            max_clock_difference: parts.max_clock_difference(),
            wall: self.clock.as_ref().map_or(WallOffset::default(), ClockStamp::wall_offset),
            handshake_wait: HANDSHAKE_WAIT,
            ack_wait: ACK_WAIT,
            tandem: TandemInfo { heard: endpoint.record.heard, ..endpoint.machine.tandem() },
            last_connect: endpoint.record.last_connect,
        }
    }

    /// A connection, to change it; and whose it is.
    fn connection_mut(&mut self, link: LinkId) -> Option<(RelationshipId, &mut Connection)> {
        let (relationship, connection) = self.links.all.get_mut(&link)?;
        self.agenda.touch(*relationship);
        Some((*relationship, connection))
    }

    /// Lets a connection do something, and does what it says.
    fn on_link(
        &mut self,
        now: Time,
        link: LinkId,
        outbox: &mut Outbox,
        act: impl FnOnce(&mut Connection, &mut Vec<Output>),
    ) {
        let Some((relationship, connection)) = self.connection_mut(link) else { return };
        let mut outputs = Vec::new();
        act(connection, &mut outputs);
        self.outputs(now, relationship, link, outputs, outbox);
    }

    fn outputs(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        link: LinkId,
        outputs: Vec<Output>,
        outbox: &mut Outbox,
    ) {
        let mut connected = None;
        for output in outputs {
            match output {
                Output::Send(outgoing) => self.send(link, outgoing, outbox),
                // After the CONNECTACK that says so (F07-11.2-03).
                Output::StartTls => outbox.partner(ToPartner::StartTls { link }),
                Output::Established(established) => {
                    self.established(now, relationship, link, &established, outbox);
                    connected = Some(established);
                }
                Output::Received(received) => {
                    // The partner's STATE may come in one piece with its CONNECTACK.
                    self.tell_connected(now, relationship, link, connected.take(), outbox);
                    self.received(now, relationship, link, received, outbox);
                }
                Output::ClockStep { from, to } => {
                    let name = self.config.relationship(relationship).name.clone();
                    outbox.event(Event::PartnerClock { relationship: name, by: to.0 - from.0 });
                }
                Output::OpenOwn => {
                    let endpoint = self.endpoint(relationship);
                    // One that refused us, or whom we refused, is not to drive us round in a circle.
                    let is_time = !endpoint.is_refused || endpoint.connect_at <= now;
                    if endpoint.wants_connection() && is_time {
                        self.connect(now, relationship, outbox);
                    }
                }
                Output::Close(cause) => self.closed(now, relationship, link, &cause, outbox),
            }
        }
        // CONNECTACK goes before STATE (F07-7.9.1-13).
        self.tell_connected(now, relationship, link, connected, outbox);
    }

    /// The endpoint hears of a connection before it hears anything that came by it.
    fn tell_connected(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        link: LinkId,
        connected: Option<Established>,
        outbox: &mut Outbox,
    ) {
        if let Some(established) = connected.filter(|_| self.endpoint(relationship).link == Some(link)) {
            // First the memories: what comes of that is stable before the partner hears a STATE, and counts us as heard.
            self.compare_memories(now, relationship, &established, outbox);
            let happening = Happening::Connected { tandem: established.tandem };
            self.happens(now, relationship, happening, outbox);
        }
    }

    /// The handshake is complete. A newer connection takes the place of one that the partner has given up already.
    fn established(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        link: LinkId,
        established: &Established,
        outbox: &mut Outbox,
    ) {
        // F07-8.1-01.
        if let Some(old) = self.endpoint(relationship).link.filter(|old| *old != link) {
            self.on_link(now, old, outbox, Connection::lost);
        }
        let name = self.config.relationship(relationship).name.clone();
        outbox.event(Event::PartnerConnected {
            relationship: name.clone(),
            clock: established.delta.0,
            tls_peer: established.tls_peer.clone(),
        });
        let own = self.config.digest_of(relationship);
        let differ = established.tandem.is_some_and(|tandem| tandem.configuration != own);
        self.endpoint_mut(relationship).terms_differ = differ;
        self.endpoint_mut(relationship).dns_is_told = false;
        if differ {
            outbox.event(Event::TermsDiffer { relationship: name, mclt: established.mclt });
        }
        self.take_terms(now, relationship, established, outbox);
        let endpoint = self.endpoint_mut(relationship);
        endpoint.link = Some(link);
        endpoint.handshake.take_if(|own| *own == link);
        endpoint.established_at = now;
        if endpoint.has_enough_of_one() {
            let own = endpoint.handshake;
            self.links.one_stands(relationship, link, now.plus(CONNECTS_TWICE));
            if let Some(own) = own {
                self.on_link(now, own, outbox, Connection::not_needed);
            }
        }
    }

    fn closed(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        link: LinkId,
        cause: &Cause,
        outbox: &mut Outbox,
    ) {
        outbox.partner(ToPartner::Close { link });
        self.endpoint_mut(relationship).handshake.take_if(|own| *own == link);
        if matches!(cause, Cause::Stimulus) {
            return;
        }
        let is_signed = self.config.relationship(relationship).secret.is_some();
        let endpoint = self.endpoint_mut(relationship);
        let worked = endpoint.link == Some(link);
        // A connection that came and went beside the one that works says nothing about it.
        if worked || endpoint.link.is_none() {
            endpoint.connect_at = endpoint.retry.next(now, cause, worked);
            if is_signed {
                // The time of a CONNECT, in whole seconds, is to be later than all that was signed before (D12-11.1-01).
                endpoint.connect_at = endpoint.connect_at.max(now.plus(NEXT_SECOND));
            }
            endpoint.is_refused = cause.is_refusal() && !worked;
        }
        let name = self.config.relationship(relationship).name.clone();
        // F07-7.12.2-01.
        outbox.event(if cause.is_unauthenticated() {
            Event::PartnerNotAuthenticated { relationship: name, cause: cause.to_string() }
        } else {
            Event::PartnerDisconnected { relationship: name, cause: cause.to_string() }
        });
        if worked {
            self.lost_contact(now, relationship, outbox);
        }
    }

    fn received(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        link: LinkId,
        received: Received,
        outbox: &mut Outbox,
    ) {
        if self.endpoint(relationship).link != Some(link) {
            return;
        }
        match received {
            Received::Updates { xid, updates, delta } => {
                self.happens(now, relationship, Happening::Progress, outbox);
                self.binding_updates(now, relationship, xid, &updates, delta, outbox);
            }
            Received::Acks { ticket, acks } => {
                self.binding_acks(now, relationship, ticket, &acks, outbox);
            }
            Received::PoolReq { xid } => self.pool_request(now, relationship, xid, outbox),
            Received::PoolResp { addresses_transferred, .. } => {
                self.counters.add(Counter::PoolrespAddresses, addresses_transferred.into());
            }
            Received::UpdReq { xid, all } => {
                self.happens(now, relationship, Happening::UpdReq { xid, all }, outbox);
            }
            Received::UpdDone { ticket } => {
                if let Some(request) = self.endpoint_mut(relationship).asked.remove(&ticket) {
                    self.happens(now, relationship, Happening::UpdDone(request), outbox);
                }
            }
            Received::State { mut state, since } => {
                self.terms_are_known(now, relationship, outbox);
                self.misread(now, relationship, &mut state, since, outbox);
                self.happens(now, relationship, Happening::State { state, since }, outbox);
            }
        }
        self.tell_partner(relationship, outbox);
    }
}

/// How the relationship is told by this server, and by the partner (F07-7.8.1-02, D12-12.22-01). Both are checked: a name has 1
/// to 255 bytes, and draft-07 has addresses.
fn names(parts: &RelationshipParts) -> [Relationship; 2] {
    let name = RelationshipName::new(parts.name.as_bytes()).filter(|_| parts.dialect.has_relationship_name());
    match (name, parts.addresses) {
        (Some(name), _) => [name.clone(), name].map(Relationship::Name),
        (None, Some(Addresses { own, partner })) => [own, partner].map(Relationship::Address),
        (None, None) => [Ipv4Addr::UNSPECIFIED; 2].map(Relationship::Address),
    }
}

impl Endpoint {
    /// Whether one that we opened ourselves is of no use any more, where the partner may use either: a dhcpd that is asked by one
    /// says CONNECT on it at once, also when it is connected, and then closes both.
    fn has_enough_of_one(&self) -> bool {
        self.link.is_some() && !self.dialect.connects_on_own_connection_only()
    }

    /// Whether another BNDUPD may be sent now: communications are OK (Q29), and the partner takes it (F07-7.3.2-08).
    pub(super) fn window_is_open(&self, links: &Links) -> bool {
        self.machine.may_send_updates() && self.has_room(links)
    }

    pub(super) fn has_room(&self, links: &Links) -> bool {
        self.link.and_then(|link| links.get(link)).map_or(0, Connection::room) > 0
    }
}
