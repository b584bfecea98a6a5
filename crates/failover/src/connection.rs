//! One TCP connection to a partner, from its opening to its end, as a pure state machine.
//!
//! *Lives here:* [`Connection`]: bytes in, messages as values out; CONNECT and CONNECTACK, keeping alive, the window, xids,
//! the partner's clock, closing.
//! *May know:* F07 6 to 8, draft-12 8.2 (tables 1.14, 1.16 and 1.19 of the catalogue).
//! *Must not know:* sockets; failover states: who hears STATE is `endpoint`; bindings.
//!
//! What is to be sent is a value ([`Outgoing`]) until the moment of sending: xid, header time and digest belong to that
//! moment, so [`Connection::encode`] gives them. A value dies with its connection (F07-8.6-02).

mod clock;
mod handshake;
mod retry;

pub use clock::PartnerClock;
pub use handshake::{Established, TlsPolicy};
pub use retry::{Cause, Retry};

use crate::balance::Service;
use crate::dialect::Dialect;
use crate::message::{
    BindingAck, BindingUpdates, Codec, EncodeError, Envelope, Message, MessageType, ParseError, Parsed,
    RejectReason, Rejection, Relationship, StateMessage, TandemInfo, Xid, frame_length,
};
use crate::state::Role;
use crate::time::{ClockDelta, Interval, Time, WallOffset, WireTime};
use std::collections::BTreeMap;
use std::fmt;

/// CONTACT is sent at least so often, however long the partner would wait (Q9).
const LONGEST_SILENCE: Interval = Interval::from_seconds(60);

/// A connection that has given out this xid ends: none is used twice on it, with room for what is under way (F07-6.1-10, Q18).
const LAST_XID: u32 = u32::MAX - (1 << 24);

/// What one connection is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Our role in the relationship.
    pub role: Role,
    /// Dialect and secret.
    pub codec: Codec,
    /// What we say of the relationship: its name, or our address.
    pub relationship: Relationship,
    /// What the partner must say: the same name, or its address.
    pub partner: Relationship,
    /// How many BNDUPDs we take without having answered them; 11 to 99 is advised (F07-7.8.1-04).
    pub max_unacked_bndupd: u32,
    /// Our tReceive: whole seconds, at least one.
    pub receive_timer: Interval,
    /// MCLT that a primary tells; a secondary takes the partner's (F07-7.8.2-11).
    pub mclt: Interval,
    /// Buckets and delayed service that a primary tells; a secondary takes the partner's.
    pub service: Service,
    /// Whether TLS is used.
    pub tls: TlsPolicy,
    /// How far the clocks may differ; `None`: as far as they like (F07-5.9-01, -02).
    pub max_clock_difference: Option<Interval>,
    /// How our wall clock stands to the time that we are called with.
    pub wall: WallOffset,
    /// How long CONNECT or CONNECTACK is waited for (dhcpd: 15 s).
    pub handshake_wait: Interval,
    /// How long BNDUPDs may go unanswered while none is answered.
    pub ack_wait: Interval,
    /// What we tell another Tandem.
    pub tandem: TandemInfo,
    /// The time in the last CONNECT, or on a primary CONNECTACK, that was accepted, for the protection against replay
    /// (D12-11.1-01).
    pub last_connect: WireTime,
}

/// Who opened the TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opener {
    /// This server.
    Us,
    /// The partner.
    Partner,
}

/// One of our requests on this connection, by which its answer is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A message that waits for its sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// What it says.
    pub message: Message,
    /// The request that it answers.
    pub reply_to: Option<Xid>,
    /// Under which its own answer will come.
    pub ticket: Option<Ticket>,
}

/// What a connection wants or has to say. In order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// To be encoded and sent. What came before it in the list must be stable first.
    Send(Outgoing),
    /// Begin TLS on this connection as soon as what was sent before is out, the primary as its client; then call
    /// [`Connection::tls_started`] or [`Connection::tls_failed`].
    StartTls,
    /// The handshake is complete: store what it says, then send STATE (F07-7.10-01).
    Established(Established),
    /// A message came.
    Received(Received),
    /// The difference of the clocks changed drastically: an event for the operator.
    ClockStep {
        /// Before.
        from: ClockDelta,
        /// Now.
        to: ClockDelta,
    },
    /// A primary was told to open a connection of its own (D12-8.2-04).
    OpenOwn,
    /// Close TCP when what was sent before is out. The connection is over.
    Close(Cause),
}

/// A message of an established connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// BNDUPD. Owed: one BNDACK, on this connection only, for all of it (F07-7.2-05, -08).
    Updates {
        /// To answer it.
        xid: Xid,
        /// The transactions.
        updates: BindingUpdates,
        /// What is added to each time in it.
        delta: ClockDelta,
    },
    /// BNDACK of one of ours. What of ours it does not name was not answered.
    Acks {
        /// Which of ours.
        ticket: Ticket,
        /// The answers.
        acks: Vec<BindingAck>,
    },
    /// POOLREQ. Owed: POOLRESP.
    PoolReq {
        /// To answer it.
        xid: Xid,
    },
    /// POOLRESP to ours.
    PoolResp {
        /// Which of ours.
        ticket: Ticket,
        /// How many addresses were moved.
        addresses_transferred: u32,
    },
    /// UPDREQ or UPDREQALL. Owed: everything asked for, then UPDDONE.
    UpdReq {
        /// To answer it.
        xid: Xid,
        /// UPDREQALL.
        all: bool,
    },
    /// UPDDONE to ours.
    UpdDone {
        /// Which of ours.
        ticket: Ticket,
    },
    /// STATE, with its time in our clock.
    State {
        /// As it came.
        state: StateMessage,
        /// start-time-of-state, corrected.
        since: Time,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// For CONNECT (secondary) or CONNECTACK (primary).
    Handshake {
        until: Time,
    },
    /// For the shell to say that TLS runs.
    Tls {
        until: Time,
    },
    Established,
    Over,
}

/// A connection.
#[derive(Debug, Clone)]
pub struct Connection {
    settings: Settings,
    phase: Phase,
    opener: Opener,
    /// The secondary opened it to be called back (D12-8.2-02).
    is_stimulus: bool,
    /// A CONNECT that comes before this time is one too many.
    one_stands_until: Time,
    /// Whom TLS proved the partner to be; `None` while in clear.
    tls_peer: Option<String>,
    /// A first CONNECT was accepted on this connection (before TLS).
    connected_once: bool,
    buffer: Vec<u8>,
    next_xid: u32,
    next_ticket: u64,
    /// Sent requests without answer: the window of BNDUPDs and a few others.
    awaited: BTreeMap<Xid, (Ticket, MessageType)>,
    /// BNDUPDs queued or sent, and not answered.
    unacked: u32,
    /// BNDUPDs received, and not answered by us.
    owed: u32,
    /// The partner's, from the handshake.
    partner_max_unacked: u32,
    send_interval: Interval,
    clock: Option<PartnerClock>,
    partner_time: WireTime,
    highest_xid: Option<Xid>,
    /// The latest time in the header of an authenticated message.
    latest: WireTime,
    /// The partner leaves no xid out, as each Tandem does.
    counts_xids: bool,
    heard_by: Time,
    send_by: Time,
    /// When the wait for BNDACKs is over; `None` while none is awaited.
    ack_by: Option<Time>,
}

impl Connection {
    /// A TCP connection that was opened by `opener` at `now`.
    pub fn new(settings: Settings, opener: Opener, now: Time, out: &mut Vec<Output>) -> Connection {
        let until = now.plus(settings.handshake_wait);
        // With a secret no two connections have the same xids: an answer that was recorded on one answers nothing on another.
        let first_xid = if settings.codec.has_secret() { first_xid(now) } else { 1 };
        let mut connection = Connection {
            phase: Phase::Handshake { until },
            opener,
            is_stimulus: false,
            one_stands_until: Time::ZERO,
            tls_peer: None,
            connected_once: false,
            buffer: Vec::new(),
            next_xid: first_xid,
            next_ticket: 1,
            awaited: BTreeMap::new(),
            unacked: 0,
            owed: 0,
            partner_max_unacked: 0,
            send_interval: LONGEST_SILENCE,
            clock: None,
            partner_time: WireTime(0),
            highest_xid: None,
            latest: WireTime(0),
            counts_xids: false,
            heard_by: Time::NEVER,
            send_by: Time::NEVER,
            ack_by: None,
            settings,
        };
        let own_only = connection.dialect().connects_on_own_connection_only();
        match (connection.settings.role, opener) {
            (Role::Primary, Opener::Partner) if own_only => {
                // It stays open for a moment: another primary sends CONNECT, and is to hear why that is no use.
                connection.is_stimulus = true;
                out.push(Output::OpenOwn);
            }
            // F07-8.2-12.
            (Role::Secondary, Opener::Us) if own_only => connection.end(Cause::Stimulus, out),
            // F07-7.8-01.
            (Role::Primary, _) => connection.send_connect(out),
            // F07-7.8.2-01.
            (Role::Secondary, _) => {}
        }
        connection
    }

    /// Whether CONNECT was accepted: messages may be queued.
    pub fn is_established(&self) -> bool {
        self.phase == Phase::Established
    }

    /// Whether nothing more will come of this connection.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// What decides about the future, but for the settings, timers that every message winds up, and the clock: for who compares
    /// connections.
    pub fn essence(&self) -> impl fmt::Debug {
        let Connection {
            phase, is_stimulus, tls_peer, connected_once, buffer, awaited, unacked, owed, ..
        } = self;
        let flags = [*is_stimulus, tls_peer.is_some(), *connected_once];
        (
            phase,
            flags,
            buffer,
            awaited,
            unacked,
            owed,
            self.partner_max_unacked,
            self.clock_delta(),
            self.ack_by,
        )
    }

    /// How many more BNDUPDs the partner takes now (F07-7.3.2-08). 0 while not established.
    pub fn room(&self) -> u32 {
        if self.is_established() { self.partner_max_unacked.saturating_sub(self.unacked) } else { 0 }
    }

    /// What is added to times of the partner; nothing before it was heard.
    pub fn clock_delta(&self) -> ClockDelta {
        self.clock.map_or(ClockDelta::default(), |clock| clock.delta())
    }

    /// Whom TLS proved the partner to be; `None` in clear.
    pub fn tls_peer(&self) -> Option<&str> {
        self.tls_peer.as_deref()
    }

    /// The time in the header of the last message of the partner since the handshake, by its own clock; 0 before one came.
    pub fn partner_time(&self) -> WireTime {
        self.partner_time
    }

    /// Makes a request, or a message without answer, ready for sending. A BNDUPD takes a place in the window now:
    /// look at [`Connection::room`] first.
    pub fn request(&mut self, message: Message) -> Outgoing {
        let answered = matches!(
            message,
            Message::BndUpd(_)
                | Message::PoolReq
                | Message::UpdReq
                | Message::UpdReqAll
                | Message::Connect(_)
        );
        if matches!(message, Message::BndUpd(_)) {
            self.unacked += 1;
        }
        let ticket = answered.then(|| {
            self.next_ticket += 1;
            Ticket(self.next_ticket - 1)
        });
        Outgoing { message, reply_to: None, ticket }
    }

    /// Makes the answer to a request of the partner ready for sending.
    pub fn reply(to: Xid, message: Message) -> Outgoing {
        Outgoing { message, reply_to: Some(to), ticket: None }
    }

    /// Appends the bytes of a message that is sent at `now`: the next free xid, or that of the request; the time;
    /// the digest. Starts tSend anew (F07-7.9.1-17).
    ///
    /// # Errors
    /// When the message can't be said to this partner. `out` is as it was, and no answer will come.
    pub fn encode(&mut self, now: Time, outgoing: Outgoing, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let message_type = outgoing.message.message_type();
        let xid = outgoing.reply_to.unwrap_or(Xid(self.next_xid));
        let mut message = outgoing.message;
        if !self.dialect().corrects_times() {
            message.tell_by_clock_of_partner(self.clock_delta());
        }
        self.settings.codec.encode(&Envelope { time: self.header_time(now), xid, message }, out)?;
        if outgoing.reply_to.is_none() {
            // F07-6.1-11.
            self.next_xid = self.next_xid.saturating_add(1);
        }
        if let Some(ticket) = outgoing.ticket {
            self.awaited.insert(xid, (ticket, message_type));
        }
        match message_type {
            MessageType::BndUpd => {
                self.ack_by = self.ack_by.or(Some(now.plus(self.settings.ack_wait)));
            }
            MessageType::BndAck => self.owed = self.owed.saturating_sub(1),
            _ => {}
        }
        if self.is_established() {
            self.send_by = now.plus(self.send_interval);
        }
        Ok(())
    }

    /// The time of a message that is sent at `now`. Rounded down: the partner takes the difference to its receipt for delay
    /// (F07-6.1-08).
    fn header_time(&self, now: Time) -> WireTime {
        let seconds = i128::from(now.as_seconds()) + i128::from(self.wall().0);
        WireTime(u32::try_from(seconds.max(1)).unwrap_or(u32::MAX))
    }

    /// How the clock by which the partner compares itself with us stands to engine time.
    fn wall(&self) -> WallOffset {
        if self.dialect().corrects_times() { WallOffset::default() } else { self.settings.wall }
    }

    /// Takes bytes from TCP, as they come. Keeps less than one message (F07-8.3-04).
    pub fn receive(&mut self, now: Time, mut bytes: &[u8], out: &mut Vec<Output>) {
        while !self.is_over() {
            if let Phase::Tls { .. } = self.phase {
                if !bytes.is_empty() {
                    let clear = "bytes came in clear while TLS was to begin: somebody put them there";
                    self.end(Cause::Unauthenticated(clear), out);
                }
                return;
            }
            let wanted = match frame_length(&self.buffer) {
                Ok(length) => length.unwrap_or(2),
                Err(error) => return self.end_with_disconnect(Cause::OutOfStep(error), out),
            };
            if self.buffer.len() >= wanted.max(2) && frame_length(&self.buffer) == Ok(Some(wanted)) {
                let frame = std::mem::take(&mut self.buffer);
                self.frame(now, &frame, out);
                self.buffer = frame;
                self.buffer.clear();
                continue;
            }
            let missing = wanted - self.buffer.len();
            let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
            if taken.is_empty() {
                return;
            }
            self.buffer.extend_from_slice(taken);
            bytes = rest;
        }
    }

    /// The earliest time at which [`Connection::wake`] has something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        match self.phase {
            Phase::Handshake { until } | Phase::Tls { until } => Some(until),
            Phase::Established if self.next_xid > LAST_XID => Some(Time::ZERO),
            Phase::Established => {
                Some(self.heard_by.min(self.send_by).min(self.ack_by.unwrap_or(Time::NEVER)))
            }
            Phase::Over => None,
        }
    }

    /// Does what is due at `now`.
    pub fn wake(&mut self, now: Time, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Handshake { until } if now >= until && self.is_stimulus => self.end(Cause::Stimulus, out),
            Phase::Handshake { until } | Phase::Tls { until } if now >= until => {
                self.end(Cause::NoHandshake, out);
            }
            Phase::Established if self.next_xid > LAST_XID => {
                self.end_with_disconnect(Cause::XidsUsedUp, out);
            }
            Phase::Established if now >= self.heard_by => self.end_with_disconnect(Cause::NoTraffic, out),
            Phase::Established if self.ack_by.is_some_and(|by| now >= by) => {
                self.end_with_disconnect(Cause::NotAcking, out);
            }
            Phase::Established if now >= self.send_by => {
                self.send_by = now.plus(self.send_interval);
                // F07-5.1-05.
                let contact = self.request(Message::Contact);
                out.push(Output::Send(contact));
            }
            _ => {}
        }
    }

    /// Closes because the engine wants it so: DISCONNECT, when the connection was established (F07-8.6-05).
    pub fn disconnect(&mut self, why: Rejection, out: &mut Vec<Output>) {
        self.end_with_disconnect(Cause::Asked(why), out);
    }

    /// Another connection of the relationship was established meanwhile.
    pub fn not_needed(&mut self, out: &mut Vec<Output>) {
        self.end(Cause::Stimulus, out);
    }

    /// Another connection of the relationship was established just now: a CONNECT on this one that comes before `until` was said
    /// without knowing of it (F07-8.1-01).
    pub fn one_stands(&mut self, until: Time) {
        self.one_stands_until = until;
    }

    /// TCP broke (F07-8.3-02).
    pub fn lost(&mut self, out: &mut Vec<Output>) {
        let silent = matches!(self.phase, Phase::Handshake { .. }) && self.buffer.is_empty();
        let cause = match self.settings.role {
            _ if self.is_stimulus => Cause::Stimulus,
            // The primary goes on with its own (F07-8.2-07).
            Role::Secondary
                if silent && self.opener == Opener::Us && self.dialect().has_one_call_at_a_time() =>
            {
                Cause::Stimulus
            }
            Role::Secondary if silent && self.tls_peer.is_none() => Cause::NoConnect,
            _ => Cause::Lost,
        };
        self.end(cause, out);
    }

    /// The partner called at the same time, and its call is the one that counts (F07-8.2-06).
    pub fn given_up(&mut self, out: &mut Vec<Output>) {
        self.end(Cause::Stimulus, out);
    }

    fn dialect(&self) -> Dialect {
        self.settings.codec.dialect()
    }

    fn end(&mut self, cause: Cause, out: &mut Vec<Output>) {
        if !self.is_over() {
            self.phase = Phase::Over;
            out.push(Output::Close(cause));
        }
    }

    fn end_with_disconnect(&mut self, cause: Cause, out: &mut Vec<Output>) {
        let why = match &cause {
            // F07-7.12.1-03, D12-8.3-01.
            Cause::NoTraffic | Cause::NotAcking | Cause::StoodStill => {
                Rejection::because(RejectReason::NO_TRAFFIC)
            }
            Cause::RejectedByUs(why) | Cause::Asked(why) => why.clone(),
            Cause::Malformed(error) => Rejection::saying(error.reject_reason(), error.to_string()),
            other => Rejection::saying(RejectReason::UNKNOWN, other.to_string()),
        };
        if self.is_established() {
            // F07-7.12-01.
            let disconnect = self.request(Message::Disconnect(why));
            out.push(Output::Send(disconnect));
        }
        self.end(cause, out);
    }

    fn frame(&mut self, now: Time, frame: &[u8], out: &mut Vec<Output>) {
        let envelope = match self.settings.codec.parse(frame) {
            Ok(Parsed::Message(envelope)) => envelope,
            Ok(Parsed::Ignored(_)) => {
                self.heard_by = now.plus(self.settings.receive_timer);
                return;
            }
            Err(refusal) => {
                let waiting = matches!(self.phase, Phase::Handshake { .. });
                return match refusal.header {
                    Some((MessageType::Connect, xid)) if waiting && self.settings.role == Role::Secondary => {
                        self.reject_unread_connect(xid, refusal.error, out);
                    }
                    _ => self.end_with_disconnect(Cause::Malformed(refusal.error), out),
                };
            }
        };
        if let Err(replayed) = self.goes_on(&envelope) {
            return self.end_with_disconnect(Cause::Unauthenticated(replayed), out);
        }
        match self.phase {
            Phase::Handshake { .. } => self.handshake(now, envelope, out),
            Phase::Established => self.message(now, envelope, out),
            // `receive` gives no frame to these.
            Phase::Tls { .. } | Phase::Over => {}
        }
    }

    /// What was signed once stays signed. So with a secret the xid of each message that is not an answer is higher than the
    /// one before (D12-11.1-02, Q18), a Tandem's by one, since it leaves none out; and its time is no earlier than that of
    /// any message before it, CONNECT and CONNECTACK counted: what was recorded on an earlier connection is.
    fn goes_on(&mut self, envelope: &Envelope) -> Result<(), &'static str> {
        if !self.settings.codec.has_secret() || self.dialect() == Dialect::Draft07 {
            return Ok(());
        }
        if envelope.time < self.latest {
            return Err("a message came with an old time: it was replayed, or the partner's clock went back");
        }
        self.latest = envelope.time;
        if envelope.message.message_type().is_response() {
            return Ok(());
        }
        match self.highest_xid.replace(envelope.xid) {
            Some(last) if envelope.xid <= last => {
                Err("a message came with an old transaction id: it was replayed")
            }
            Some(last) if self.counts_xids && envelope.xid.0 - last.0 > 1 => {
                Err("a message of the partner is missing: somebody took it away")
            }
            _ => Ok(()),
        }
    }

    fn message(&mut self, now: Time, envelope: Envelope, out: &mut Vec<Output>) {
        self.heard_by = now.plus(self.settings.receive_timer);
        self.partner_time = self.partner_time.max(envelope.time);
        if !self.take_clock_sample(now, envelope.time, out) {
            return;
        }
        let (xid, delta) = (envelope.xid, self.clock_delta());
        let message_type = envelope.message.message_type();
        let ticket = match message_type.is_response().then(|| self.answered(xid, message_type)) {
            // An answer to nothing that we asked is ignored (F07-7.9.2-01).
            Some(None) => return,
            Some(Some(ticket)) => ticket,
            None => Ticket(0),
        };
        let received = match envelope.message {
            Message::BndUpd(updates) => {
                self.owed += 1;
                if self.owed
                    > self.settings.max_unacked_bndupd.saturating_mul(self.dialect().windows_at_once())
                {
                    let many = "the partner sent more unacknowledged BNDUPDs than it was told to";
                    return self.end_with_disconnect(Cause::Unexpected(many), out);
                }
                Received::Updates { xid, updates, delta }
            }
            Message::BndAck(acks) => {
                self.unacked = self.unacked.saturating_sub(1);
                let more = self.awaited.values().any(|(_, kind)| *kind == MessageType::BndUpd);
                self.ack_by = more.then(|| now.plus(self.settings.ack_wait));
                Received::Acks { ticket, acks }
            }
            Message::PoolReq => Received::PoolReq { xid },
            Message::PoolResp { addresses_transferred } => {
                Received::PoolResp { ticket, addresses_transferred }
            }
            Message::UpdReq => Received::UpdReq { xid, all: false },
            Message::UpdReqAll => Received::UpdReq { xid, all: true },
            Message::UpdDone => Received::UpdDone { ticket },
            Message::State(state) => Received::State { state, since: state.since.to_time(delta) },
            // F07-5.1-06.
            Message::Contact | Message::ConnectAck(_) => return,
            Message::Connect(_) => {
                let again = "CONNECT came on a connection that is established";
                return self.end_with_disconnect(Cause::Unexpected(again), out);
            }
            Message::Disconnect(why) => return self.end(Cause::Disconnected(why), out),
        };
        out.push(Output::Received(received));
    }

    /// The request that the answer `xid` of this kind belongs to, which is answered by it (Q40).
    fn answered(&mut self, xid: Xid, answer: MessageType) -> Option<Ticket> {
        let (ticket, request) = *self.awaited.get(&xid)?;
        let fits = match request {
            MessageType::BndUpd => answer == MessageType::BndAck,
            MessageType::PoolReq => answer == MessageType::PoolResp,
            MessageType::UpdReq | MessageType::UpdReqAll => answer == MessageType::UpdDone,
            _ => answer == MessageType::ConnectAck,
        };
        if fits {
            self.awaited.remove(&xid);
        }
        fits.then_some(ticket)
    }

    /// This machine stood still, and our own clock went forward at once. What waits was said meanwhile, and is read as if it had
    /// just been: by such a difference of clocks a lease could be promised for longer than the partner knows (F07-5.2.1-01). The next
    /// connection measures the clocks anew.
    pub fn stood_still(&mut self, out: &mut Vec<Output>) {
        self.end_with_disconnect(Cause::StoodStill, out);
    }

    /// Our own clock went forward at once by so little that it matters to nobody.
    pub fn own_clock_jumped(&mut self, by: Interval) {
        if let Some(clock) = &mut self.clock {
            clock.own_clock_jumped(by);
        }
    }

    /// Our wall clock was looked at: it stands so to engine time.
    pub fn wall_clock(&mut self, wall: WallOffset) {
        self.settings.wall = wall;
    }

    /// False when the clocks are further apart than allowed; then the connection is over.
    fn take_clock_sample(&mut self, now: Time, sent: WireTime, out: &mut Vec<Output>) -> bool {
        let Some(clock) = &mut self.clock else { return true };
        // F07-7.11.2-01.
        let step = clock.heard(sent, now);
        let to = clock.delta();
        if let Some(from) = step {
            out.push(Output::ClockStep { from, to });
        }
        if self.clock_is_allowed(to) {
            return true;
        }
        let why = Rejection::because(RejectReason::TIME_MISMATCH);
        self.end_with_disconnect(Cause::RejectedByUs(why), out);
        false
    }

    fn clock_is_allowed(&self, delta: ClockDelta) -> bool {
        let apart = self.apart(delta).0.unsigned_abs();
        self.settings.max_clock_difference.is_none_or(|most| apart <= most.as_seconds())
    }

    /// The difference of the two clocks as people see them.
    fn apart(&self, delta: ClockDelta) -> ClockDelta {
        ClockDelta(delta.0.saturating_add(self.wall().0))
    }

    /// Why a CONNECT that could not be read is rejected goes back in a CONNECTACK (F07 7.8.2).
    fn reject_unread_connect(&mut self, xid: Xid, error: ParseError, out: &mut Vec<Output>) {
        let why = Rejection::saying(error.reject_reason(), error.to_string());
        self.reject_connect(xid, None, why, out);
    }
}

/// Where the xids of a connection begin that was opened at `now`: half of all numbers remain for its messages.
fn first_xid(now: Time) -> u32 {
    u32::try_from(now.as_millis() & 0x7fff_ffff).unwrap_or(0).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::HashBucketAssignment;
    use std::net::Ipv4Addr;

    /// F07-6.1-10, Q18.
    #[test]
    fn a_connection_ends_before_its_xids_begin_again() {
        let address = Ipv4Addr::LOCALHOST;
        let settings = Settings {
            role: Role::Primary,
            codec: Codec::new(Dialect::Draft12, address),
            relationship: Relationship::Address(address),
            partner: Relationship::Address(address),
            max_unacked_bndupd: 10,
            receive_timer: Interval::from_seconds(20),
            mclt: Interval::from_seconds(3600),
            service: Service { buckets: HashBucketAssignment::ALL_PRIMARY, delayed_service: None },
            tls: TlsPolicy::No,
            max_clock_difference: None,
            wall: WallOffset::default(),
            handshake_wait: Interval::from_seconds(15),
            ack_wait: Interval::from_seconds(30),
            tandem: TandemInfo::default(),
            last_connect: WireTime(0),
        };
        let (now, mut out) = (Time::from_seconds(1_800_000_000), Vec::new());
        let mut connection = Connection::new(settings, Opener::Us, now, &mut out);
        connection.phase = Phase::Established;
        for (next, is_over) in [(LAST_XID, false), (LAST_XID + 1, true)] {
            (connection.next_xid, connection.send_by) = (next, now.plus(Interval::from_seconds(1)));
            out.clear();
            assert_eq!(connection.next_deadline().is_some_and(|at| at <= now), is_over);
            connection.wake(now, &mut out);
            assert_eq!(connection.is_over(), is_over);
        }
        assert!(matches!(out[..], [Output::Send(_), Output::Close(Cause::XidsUsedUp)]), "{out:?}");
    }
}
