//! CONNECT and CONNECTACK: how a TCP connection becomes a failover connection.
//!
//! *Lives here:* the two sides of the handshake, [`Established`], [`TlsPolicy`] with table 1.16 of the catalogue.
//! *May know:* F07 7.8, 7.9, 11.2 and draft-12's additions.
//! *Must not know:* what comes after it.

use super::{Cause, Connection, LONGEST_SILENCE, Output, PartnerClock, Phase};
use crate::balance::Service;
use crate::message::{
    Connect, ConnectAccepted, ConnectAck, Envelope, Message, PROTOCOL_VERSION, RejectReason, Rejection,
    Relationship, TandemInfo, TlsRequest, VENDOR_CLASS, Xid,
};
use crate::state::Role;
use crate::time::{ClockDelta, Interval, Time, WireTime};

/// What both servers agreed on. A secondary keeps MCLT and service on stable storage before it answers (F07-7.8.2-13,
/// D12-7.8.2-01).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Established {
    /// The MCLT of the relationship: the primary's.
    pub mclt: Interval,
    /// Who serves whom: the primary's word.
    pub service: Service,
    /// The partner's vendor-class-identifier.
    pub vendor_class: Vec<u8>,
    /// What a Tandem told of itself.
    pub tandem: Option<TandemInfo>,
    /// How long the partner hears nothing before it says that communications failed.
    pub receive_timer: Interval,
    /// Difference of the clocks; where the partner corrects no times, of its clock and our wall clock.
    pub delta: ClockDelta,
    /// The time in the CONNECT, on a primary in the CONNECTACK, to be kept on stable storage where there is a secret
    /// (D12-11.1-01).
    pub connect_time: WireTime,
    /// Whom TLS proved the partner to be; `None` in clear.
    pub tls_peer: Option<String>,
}

/// Whether TLS is used in a relationship (Q17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TlsPolicy {
    /// Not configured.
    #[default]
    No,
    /// If the partner can.
    Desired,
    /// Not without.
    Required,
}

impl TlsPolicy {
    fn request(self) -> TlsRequest {
        match self {
            TlsPolicy::No => TlsRequest::No,
            TlsPolicy::Desired => TlsRequest::Desired,
            TlsPolicy::Required => TlsRequest::Required,
        }
    }

    /// TLS-reply of a secondary, and why it rejects, if it does (table 1.16; TLS-reply stands beside the reason: Q38).
    /// F07-7.8.2-05.
    pub(super) fn reply(self, request: TlsRequest) -> (bool, Option<RejectReason>) {
        match (request, self) {
            (TlsRequest::No, TlsPolicy::Required) => (true, Some(RejectReason::TLS_REQUIRED)),
            (TlsRequest::No, _) | (TlsRequest::Desired, TlsPolicy::No) => (false, None),
            (TlsRequest::Required, TlsPolicy::No) => (false, Some(RejectReason::TLS_NOT_CONFIGURED)),
            (TlsRequest::Desired | TlsRequest::Required, _) => (true, None),
        }
    }
}

impl Connection {
    /// TLS runs, and proved the partner to be `peer`: the primary sends CONNECT again, without TLS-request (F07-11.2-04).
    pub fn tls_started(&mut self, now: Time, peer: &str, out: &mut Vec<Output>) {
        if !matches!(self.phase, Phase::Tls { .. }) {
            return;
        }
        self.tls_peer = Some(peer.to_owned());
        self.phase = Phase::Handshake { until: now.plus(self.settings.handshake_wait) };
        if self.settings.role == Role::Primary {
            self.send_connect(out);
        }
    }

    /// TLS did not come about, or broke: `why` says what to do. Nothing more can be told to the partner.
    pub fn tls_failed(&mut self, why: &str, out: &mut Vec<Output>) {
        self.end(Cause::Tls(why.to_owned()), out);
    }

    pub(super) fn send_connect(&mut self, out: &mut Vec<Output>) {
        let settings = &self.settings;
        let connect = Connect {
            relationship: settings.relationship.clone(),
            max_unacked_bndupd: settings.max_unacked_bndupd,
            // F07-7.8.1-05.
            receive_timer: settings.receive_timer,
            // F07-7.8.1-10.
            vendor_class: VENDOR_CLASS.to_vec(),
            // F07-7.8.1-11.
            protocol_version: PROTOCOL_VERSION,
            tls_request: self.tls_peer.is_none().then(|| settings.tls.request()),
            // F07-7.8.1-06.
            mclt: settings.mclt,
            buckets: settings.service.buckets,
            delayed_service: settings.service.delayed_service,
            tandem: Some(settings.tandem),
        };
        let connect = self.request(Message::Connect(connect));
        out.push(Output::Send(connect));
    }

    pub(super) fn handshake(&mut self, now: Time, envelope: Envelope, out: &mut Vec<Output>) {
        let (xid, sent) = (envelope.xid, envelope.time);
        match (self.settings.role, envelope.message) {
            (Role::Secondary, Message::Connect(connect)) => self.connect_came(now, xid, sent, connect, out),
            (Role::Primary, Message::ConnectAck(ack)) => {
                // One with another xid is not for this CONNECT (F07-7.9.2-01).
                if self.answered(xid, crate::message::MessageType::ConnectAck).is_some() {
                    self.connect_ack_came(now, sent, ack, out);
                }
            }
            (Role::Primary, Message::Connect(_)) => {
                let text = "both servers are primary of this relationship: make one of them secondary";
                let why = Rejection::saying(RejectReason::INVALID_PARTNER, text.to_owned());
                self.reject_connect(xid, None, why, out);
            }
            (Role::Secondary, _) => {
                // F07-7.8-02.
                self.end(Cause::Unexpected("the partner began with another message than CONNECT"), out);
            }
            (Role::Primary, _) => {
                self.end(Cause::Unexpected("the partner answered CONNECT with something else"), out);
            }
        }
    }

    /// Steps 1 to 9 of F07 7.8.2. Step 4, the digest, was done when the message was read.
    fn connect_came(&mut self, now: Time, xid: Xid, sent: WireTime, connect: Connect, out: &mut Vec<Output>) {
        let (reply, tls) = match connect.tls_request.filter(|_| self.tls_peer.is_none()) {
            Some(request) => {
                let (reply, reason) = self.settings.tls.reply(request);
                (Some(reply), reason)
            }
            // Over TLS it is not negotiated again (F07-7.9.1-09).
            None if self.tls_peer.is_some() || self.settings.tls != TlsPolicy::Required => (None, None),
            None => (None, Some(RejectReason::TLS_REQUIRED)),
        };
        // F07-7.8.2-03.
        let clock = PartnerClock::new(sent, now);
        let duplicate = Rejection::because(RejectReason::DUPLICATE_CONNECTION);
        let one_too_many = (now < self.one_stands_until).then_some(duplicate);
        if let Some(why) = one_too_many.or_else(|| self.objection(sent, &connect, tls, clock.delta())) {
            return self.reject_connect(xid, reply, why, out);
        }
        // F07-7.8.2-09.
        self.clock = Some(clock);
        self.counts_xids = connect.tandem.is_some();
        let start_tls = reply == Some(true);
        if !start_tls {
            self.partner_max_unacked = connect.max_unacked_bndupd;
            // About a third of what the partner waits (F07-7.9.1-15).
            self.establish(now, connect.receive_timer.fraction(1, 3));
            out.push(Output::Established(Established {
                // F07-7.8.2-12.
                mclt: connect.mclt,
                service: Service { buckets: connect.buckets, delayed_service: connect.delayed_service },
                vendor_class: connect.vendor_class,
                tandem: connect.tandem,
                receive_timer: connect.receive_timer,
                delta: self.apart(self.clock_delta()),
                connect_time: sent,
                tls_peer: self.tls_peer.clone(),
            }));
        }
        // F07-7.9.1-12.
        let accepted = ConnectAccepted {
            // F07-7.9.1-11.
            max_unacked_bndupd: self.settings.max_unacked_bndupd,
            receive_timer: self.settings.receive_timer,
            vendor_class: VENDOR_CLASS.to_vec(),
            tandem: Some(self.settings.tandem),
        };
        // F07-7.9.1-01.
        out.push(Output::Send(Connection::reply(xid, self.connect_ack(reply, Ok(accepted)))));
        self.connected_once = true;
        if start_tls {
            self.start_tls(now, out);
        }
    }

    fn start_tls(&mut self, now: Time, out: &mut Vec<Output>) {
        self.phase = Phase::Tls { until: now.plus(self.settings.handshake_wait) };
        out.push(Output::StartTls);
    }

    /// Why a CONNECT is rejected, in the order of F07 7.8.2; `None`: it is not.
    fn objection(
        &self,
        sent: WireTime,
        connect: &Connect,
        tls: Option<RejectReason>,
        delta: ClockDelta,
    ) -> Option<Rejection> {
        let settings = &self.settings;
        // F07-7.8.2-04.
        if connect.protocol_version != PROTOCOL_VERSION {
            return Some(Rejection::because(RejectReason::PROTOCOL_VERSION_MISMATCH));
        }
        if let Some(reason) = tls {
            // F07-7.9.1-05.
            return Some(Rejection::because(reason));
        }
        // F07-7.8.2-07.
        if connect.relationship != settings.partner {
            return Some(Rejection::saying(
                RejectReason::INVALID_PARTNER,
                self.another(&connect.relationship),
            ));
        }
        if settings.codec.has_secret() && !self.connected_once && sent <= settings.last_connect {
            let text =
                "this CONNECT is not later than the last one: it was replayed, or your clock went back";
            return Some(Rejection::saying(RejectReason::TIME_MISMATCH, text.to_owned()));
        }
        // F07-7.8.2-08.
        if !self.clock_is_allowed(delta) {
            return Some(Rejection::because(RejectReason::TIME_MISMATCH));
        }
        self.wrong_vendor(&connect.vendor_class)
    }

    /// What is wrong when the partner tells this relationship.
    fn another(&self, told: &Relationship) -> String {
        match (told, &self.settings.partner) {
            (Relationship::Address(told), Relationship::Address(known)) => format!(
                "the partner has the address {told}, and is known here by {known}: set its `listen`, and `partner` here, to \
                 the same"
            ),
            _ => "the two give the relationship different names: set the same `name` on both servers"
                .to_owned(),
        }
    }

    // F07-7.8.2-15.
    fn wrong_vendor(&self, vendor_class: &[u8]) -> Option<Rejection> {
        if self.dialect().fits_vendor_class(vendor_class) {
            return None;
        }
        let kind = if vendor_class.starts_with(b"isc-") { "\"dhcpd\"" } else { "other than \"dhcpd\"" };
        let text = format!(
            "the partner says that it is {}: set `partner-kind` to {kind}",
            vendor_class.escape_ascii()
        );
        Some(Rejection::saying(RejectReason::CONNECTION_REJECTED, text))
    }

    pub(super) fn reject_connect(
        &mut self,
        xid: Xid,
        tls_reply: Option<bool>,
        why: Rejection,
        out: &mut Vec<Output>,
    ) {
        let ack = self.connect_ack(tls_reply, Err(why.clone()));
        out.push(Output::Send(Connection::reply(xid, ack)));
        // F07-7.9.1-07.
        self.end(Cause::RejectedByUs(why), out);
    }

    fn connect_ack(&self, tls_reply: Option<bool>, answer: Result<ConnectAccepted, Rejection>) -> Message {
        Message::ConnectAck(ConnectAck {
            relationship: self.settings.relationship.clone(),
            protocol_version: PROTOCOL_VERSION,
            tls_reply,
            answer,
        })
    }

    /// F07 7.9.2.
    fn connect_ack_came(&mut self, now: Time, sent: WireTime, ack: ConnectAck, out: &mut Vec<Output>) {
        let accepted = match ack.answer {
            Ok(accepted) => accepted,
            // F07-7.9.2-04.
            Err(why) => return self.end(Cause::RejectedByPartner(why), out),
        };
        let tls = ack.tls_reply.filter(|_| self.tls_peer.is_none());
        match (tls, self.settings.tls) {
            // F07-7.9.2-05.
            (Some(true), TlsPolicy::Desired | TlsPolicy::Required) => {
                return self.start_tls(now, out);
            }
            (Some(true), TlsPolicy::No) => return self.refuse(RejectReason::TLS_NOT_CONFIGURED, out),
            (_, TlsPolicy::Required) if self.tls_peer.is_none() => {
                return self.refuse(RejectReason::TLS_REQUIRED, out);
            }
            _ => {}
        }
        let clock = PartnerClock::new(sent, now);
        // F07-7.9.2-06.
        if ack.protocol_version != PROTOCOL_VERSION {
            return self.refuse(RejectReason::PROTOCOL_VERSION_MISMATCH, out);
        }
        if ack.relationship != self.settings.partner {
            let text = self.another(&ack.relationship);
            let why = Rejection::saying(RejectReason::INVALID_PARTNER, text);
            return self.end(Cause::RejectedByUs(why), out);
        }
        // In the same second it may be another one: its xid is that of our CONNECT, which no other connection has.
        if self.settings.codec.has_secret() && sent < self.settings.last_connect {
            let text = "this CONNECTACK is older than the last one: it was replayed, or the partner's clock went back";
            let why = Rejection::saying(RejectReason::TIME_MISMATCH, text.to_owned());
            return self.end(Cause::RejectedByUs(why), out);
        }
        self.clock = Some(clock);
        self.counts_xids = accepted.tandem.is_some();
        self.partner_max_unacked = accepted.max_unacked_bndupd;
        // About a fifth of what the partner waits (F07-7.9.2-11).
        self.establish(now, accepted.receive_timer.fraction(1, 5));
        // F07-7.9.2-07.
        if !self.clock_is_allowed(clock.delta()) {
            let why = Rejection::because(RejectReason::TIME_MISMATCH);
            return self.end_with_disconnect(Cause::RejectedByUs(why), out);
        }
        if let Some(why) = self.wrong_vendor(&accepted.vendor_class) {
            return self.end_with_disconnect(Cause::RejectedByUs(why), out);
        }
        out.push(Output::Established(Established {
            mclt: self.settings.mclt,
            service: self.settings.service,
            vendor_class: accepted.vendor_class,
            tandem: accepted.tandem,
            receive_timer: accepted.receive_timer,
            delta: self.apart(clock.delta()),
            connect_time: sent,
            tls_peer: self.tls_peer.clone(),
        }));
    }

    fn refuse(&mut self, reason: RejectReason, out: &mut Vec<Output>) {
        self.end(Cause::RejectedByUs(Rejection::because(reason)), out);
    }

    // F07-7.9.1-14.
    fn establish(&mut self, now: Time, send_interval: Interval) {
        self.phase = Phase::Established;
        self.send_interval = send_interval.clamp(Interval::from_millis(100), LONGEST_SILENCE);
        self.heard_by = now.plus(self.settings.receive_timer);
        // CONTACT waits for no sync, and the CONNECTACK may: it is the first thing that the partner hears (F07-7.9.1-13).
        let answers = self.settings.role == Role::Secondary;
        self.send_by = if answers { Time::NEVER } else { now.plus(self.send_interval) };
    }
}
