//! The connection of a dhcpd: CONNECT, CONNECTACK, STATE, signs of life, and what it drops.
//!
//! *Lives here:* [`Connection`].
//! *Must not know:* which state follows which.

use super::{Act, Dhcpd, Habit, Seconds};
use crate::line::Arrival;
use engine::LinkId;
use failover::dialect::Dialect;
use failover::message::{
    BindingAck, BindingUpdate, Codec, Connect, ConnectAccepted, ConnectAck, Envelope, Message, Parsed,
    RejectReason, Rejection, Relationship, RelationshipName, StateMessage, TlsRequest, Xid, frame_length,
};
use failover::state::{FailoverState as S, Role};
use failover::time::Interval;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Its partner's clock may be so far away.
const CLOCKS: Seconds = 60;

/// It tries to connect again after so long.
const AGAIN: Seconds = 5;

/// A handshake takes no longer.
const HANDSHAKE: Seconds = 15;

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: LinkId,
    buffer: Vec<u8>,
    xid: u32,
    /// CONNECT and CONNECTACK have passed.
    pub(super) is_open: bool,
    began: Seconds,
    heard_at: Seconds,
    pub(super) said_at: Seconds,
    pub(super) window: usize,
    timer: Seconds,
    /// What the partner said last that it is in.
    pub(super) partner: Option<(S, bool)>,
    /// Answers that wait for company.
    pub(super) acks: Vec<(Xid, BindingAck)>,
    pub(super) acks_at: Option<Seconds>,
    pub(super) outstanding: BTreeMap<Xid, BindingUpdate>,
    /// Requests of the partner, and what it must have answered first.
    pub(super) owed: Vec<(Xid, BTreeSet<Ipv4Addr>)>,
    /// Its partner has asked for what it has, and got UPDDONE.
    pub(super) has_told_all: bool,
    /// It has asked itself.
    pub(super) asked: Option<Xid>,
}

impl Connection {
    fn new(id: LinkId, now: Seconds) -> Connection {
        Connection {
            id,
            buffer: Vec::new(),
            xid: 1,
            is_open: false,
            began: now,
            heard_at: now,
            said_at: now,
            window: 1,
            timer: 60,
            partner: None,
            acks: Vec::new(),
            acks_at: None,
            outstanding: BTreeMap::new(),
            owed: Vec::new(),
            has_told_all: false,
            asked: None,
        }
    }

    pub(super) fn next_xid(&mut self) -> Xid {
        self.xid += 1;
        Xid(self.xid)
    }
}

fn relationship() -> Relationship {
    // One letter is a name.
    RelationshipName::new(b"pair").map_or(Relationship::Address(Ipv4Addr::UNSPECIFIED), Relationship::Name)
}

impl Dhcpd {
    /// Something arrives on a connection.
    pub(crate) fn hears(&mut self, id: LinkId, arrival: &Arrival) {
        if self.process.is_none() {
            return;
        }
        match arrival {
            Arrival::Connected | Arrival::Accepted => self.connected(id),
            Arrival::Failed => self.connect_later(),
            Arrival::Bytes { bytes, .. } => self.receives(id, bytes),
            Arrival::End => {
                if self.link().is_some_and(|link| link.id == id) {
                    self.lost();
                }
            }
        }
    }

    fn connected(&mut self, id: LinkId) {
        let now = self.now;
        let Some(process) = &mut self.process else { return };
        if process.link.is_some() {
            // One at a time: a second is a duplicate.
            self.acts.push(Act::Close { link: id });
            return;
        }
        process.connect_at = None;
        process.link = Some(Connection::new(id, now));
        if self.role == Role::Primary {
            let connect = Connect {
                relationship: relationship(),
                max_unacked_bndupd: self.max_unacked(),
                receive_timer: Interval::from_seconds(self.receive_timer),
                vendor_class: b"isc-4.4.3-P1".to_vec(),
                protocol_version: 1,
                tls_request: Some(TlsRequest::No),
                mclt: Interval::from_seconds(self.mclt),
                buckets: self.service.buckets,
                delayed_service: None,
                tandem: None,
            };
            self.say(Message::Connect(connect));
        }
    }

    fn max_unacked(&self) -> u32 {
        if self.has(Habit::SmallWindow) { 10 } else { 64 }
    }

    fn connect_later(&mut self) {
        let at = self.now + AGAIN;
        let primary = self.role == Role::Primary;
        if let Some(process) = self.process.as_mut().filter(|_| primary) {
            process.connect_at = Some(at);
        }
    }

    /// It closes the connection, with a word or without.
    pub(super) fn hang_up(&mut self, reason: Option<RejectReason>) {
        let Some(id) = self.link().map(|link| link.id) else { return };
        if let Some(reason) = reason {
            self.say(Message::Disconnect(Rejection::because(reason)));
        }
        self.acts.push(Act::Close { link: id });
        self.lost();
    }

    /// The connection is gone.
    fn lost(&mut self) {
        let Some(process) = &mut self.process else { return };
        let Some(link) = process.link.take() else { return };
        for update in link.outstanding.values() {
            if let Some(lease) = self.leases.get_mut(&update.address) {
                lease.untold = true;
            }
        }
        self.connect_later();
        if link.partner.is_some() {
            self.communications_failed();
        }
    }

    /// Signs of life, and the lack of them.
    pub(super) fn keep_link(&mut self) {
        let now = self.now;
        if let Some(process) = &mut self.process
            && process.link.is_none()
            && process.connect_at.is_some_and(|at| at <= now)
        {
            process.connect_at = None;
            self.acts.push(Act::Connect);
        }
        let Some(link) = self.link() else { return };
        if !link.is_open && link.began + HANDSHAKE < now || link.heard_at + self.receive_timer < now {
            return self.hang_up(None);
        }
        if link.is_open && link.said_at + (link.timer / 3).max(1) <= now {
            self.say(Message::Contact);
        }
    }

    fn receives(&mut self, id: LinkId, bytes: &[u8]) {
        let now = self.now;
        let Some(link) = self.link_mut().filter(|link| link.id == id) else { return };
        link.buffer.extend_from_slice(bytes);
        let codec = Codec::new(Dialect::Dhcpd, Ipv4Addr::UNSPECIFIED);
        while let Some(link) = self.link_mut().filter(|link| link.id == id) {
            let Ok(length) = frame_length(&link.buffer) else { return self.hang_up(None) };
            let Some(length) = length.filter(|length| link.buffer.len() >= *length) else { return };
            let rest = link.buffer.split_off(length);
            let frame = std::mem::replace(&mut link.buffer, rest);
            link.heard_at = now;
            match codec.parse(&frame) {
                Ok(Parsed::Message(envelope)) => self.message(&envelope),
                Ok(_) => {}
                Err(_) => return self.hang_up(None),
            }
        }
    }

    fn message(&mut self, envelope: &Envelope) {
        let is_open = self.link().is_some_and(|link| link.is_open);
        match &envelope.message {
            Message::Connect(connect) if self.role == Role::Secondary && !is_open => {
                self.takes_connect(envelope, connect);
            }
            Message::ConnectAck(ack) if self.role == Role::Primary && !is_open => self.takes_answer(ack),
            Message::Disconnect(_) => self.hang_up(None),
            _ if !is_open => {}
            Message::State(state) => self.hears_state(state.state, state.startup),
            Message::BndUpd(updates) => {
                let is_batch = updates.updates.len() + updates.malformed.len() > 1;
                let has_ddns = updates.updates.iter().any(|update| update.ddns.is_some());
                if self.has(Habit::DropsBatches) && (is_batch || has_ddns) {
                    self.acts.push(Act::Wronged("it was told several addresses at once, or DDNS".to_owned()));
                    return self.hang_up(None);
                }
                for update in &updates.updates {
                    self.takes_update(envelope.xid, update);
                }
            }
            Message::BndAck(acks) => self.takes_acks(envelope.xid, acks),
            Message::UpdReq => self.takes_request(envelope.xid, false),
            Message::UpdReqAll => self.takes_request(envelope.xid, true),
            Message::UpdDone => self.takes_done(envelope.xid),
            Message::PoolReq => self.takes_poolreq(envelope.xid),
            _ => {}
        }
    }

    fn takes_connect(&mut self, envelope: &Envelope, connect: &Connect) {
        let away = u64::from(envelope.time.0).abs_diff(self.now);
        let rejected = (self.has(Habit::ClockLimit) && away > CLOCKS).then_some(RejectReason::TIME_MISMATCH);
        let answer = match rejected {
            Some(reason) => Err(Rejection::because(reason)),
            None => Ok(ConnectAccepted {
                max_unacked_bndupd: self.max_unacked(),
                receive_timer: Interval::from_seconds(self.receive_timer),
                vendor_class: b"isc-4.4.3-P1".to_vec(),
                tandem: None,
            }),
        };
        let message = Message::ConnectAck(ConnectAck {
            relationship: relationship(),
            protocol_version: 1,
            tls_reply: Some(false),
            answer,
        });
        let (time, Some(id)) = (self.wire(self.now), self.link().map(|link| link.id)) else { return };
        self.push(id, Envelope { time, xid: envelope.xid, message });
        if rejected.is_some() {
            return self.hang_up(None);
        }
        self.service.buckets = connect.buckets;
        self.mclt = connect.mclt.as_seconds();
        self.opens(connect.max_unacked_bndupd, connect.receive_timer);
    }

    fn takes_answer(&mut self, ack: &ConnectAck) {
        match &ack.answer {
            Ok(accepted) => self.opens(accepted.max_unacked_bndupd, accepted.receive_timer),
            Err(_) => self.hang_up(None),
        }
    }

    fn opens(&mut self, window: u32, timer: Interval) {
        let Some(link) = self.link_mut() else { return };
        link.is_open = true;
        link.window = usize::try_from(window).unwrap_or(1).max(1);
        link.timer = timer.as_seconds();
        self.say_state();
    }

    /// In STARTUP the state before the stop is said, with the flag.
    pub(super) fn say_state(&mut self) {
        if !self.link().is_some_and(|link| link.is_open) {
            return;
        }
        let startup = self.state() == S::Startup;
        let (state, since) = (self.declared.state, self.wire(self.declared.since));
        self.say(Message::State(StateMessage { state, startup, since, tandem: None }));
    }
}
