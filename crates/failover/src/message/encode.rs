//! Values to bytes.
//!
//! *Lives here:* [`Codec`] and its writing half.
//! *May know:* the order of options (F07 6.3, 7, 12.16) and `dialect`'s table.
//! *Must not know:* what is sent when.

use super::{
    BindingAck, BindingUpdate, Connect, ConnectAck, Envelope, MAX_CLIENT_OPTIONS, MAX_MESSAGE, MAX_TEXT,
    MAX_TRANSACTIONS, MIN_MESSAGE, Message, MessageType, Rejection, Relationship, StateMessage, TandemInfo,
    VENDOR_CLASS,
};
use crate::binding::BindingStatus;
use crate::dialect::{Dialect, OptionKind};
use crate::digest::{DIGEST_LENGTH, Secret, TYPE_HMAC_MD5};
use crate::state::FailoverState;
use crate::time::{Interval, WireTime};
use std::net::Ipv4Addr;

/// Turns messages into bytes and bytes into messages, for one partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    pub(super) dialect: Dialect,
    pub(super) secret: Option<Secret>,
    own_address: Ipv4Addr,
}

/// Why a message can't be sent as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It would be longer than 2048 bytes, or holds more than [`MAX_TRANSACTIONS`].
    #[error("a {0} is too long for one message: send its transactions in several")]
    TooLong(MessageType),
    /// A BNDUPD or BNDACK without a transaction.
    #[error("a {0} without a transaction says nothing")]
    Empty(MessageType),
    /// Several transactions for a partner that takes one at a time.
    #[error("this partner takes one transaction in a BNDUPD: send them one by one")]
    Batched,
    /// STATE with STARTUP, CONNECT without a name in draft-12 or without an address in draft-07.
    #[error("a {0} can't say this in the dialect of this partner")]
    Unspeakable(MessageType),
}

impl Codec {
    /// A codec without digests. `own_address` is told as sending-server-IP-address where the dialect wants it with
    /// a digest (Q20).
    pub fn new(dialect: Dialect, own_address: Ipv4Addr) -> Codec {
        Codec { dialect, secret: None, own_address }
    }

    /// The same with a digest in every message (F07-11.1-01).
    #[must_use]
    pub fn with_secret(mut self, secret: Option<Secret>) -> Codec {
        self.secret = secret;
        self
    }

    /// What the partner speaks.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether messages carry digests.
    pub fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// How many of the first `updates` fit into one BNDUPD: at least one when there is one.
    pub fn batch(&self, updates: &[BindingUpdate]) -> usize {
        if !self.dialect.may_batch() {
            return updates.len().min(1);
        }
        // Header, digest, and the address that draft-07 has with it.
        let mut room = MAX_MESSAGE - MIN_MESSAGE - (4 + 1 + DIGEST_LENGTH) - 8;
        let mut scratch = Vec::new();
        let fitting = updates.iter().take(MAX_TRANSACTIONS).take_while(|update| {
            scratch.clear();
            Writer { dialect: self.dialect, out: &mut scratch }.update(update);
            let fits = scratch.len() <= room;
            room = room.saturating_sub(scratch.len());
            fits
        });
        fitting.count().max(usize::from(!updates.is_empty()))
    }

    /// Appends the bytes of a message to `out`.
    ///
    /// # Errors
    /// When the message can't be said; then `out` is as it was.
    pub fn encode(&self, envelope: &Envelope, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let kind = envelope.message.message_type();
        self.check(&envelope.message)?;
        let start = out.len();
        self.write(envelope, true, out);
        if out.len() - start > MAX_MESSAGE {
            // Text for people is the first thing to go.
            out.truncate(start);
            self.write(envelope, false, out);
        }
        let length = out.len() - start;
        let Some(length) = u16::try_from(length).ok().filter(|_| length <= MAX_MESSAGE) else {
            out.truncate(start);
            return Err(EncodeError::TooLong(kind));
        };
        out[start..start + 2].copy_from_slice(&length.to_be_bytes());
        self.seal(&mut out[start..]);
        Ok(())
    }

    fn check(&self, message: &Message) -> Result<(), EncodeError> {
        let kind = message.message_type();
        let transactions = match message {
            Message::BndUpd(updates) if updates.updates.len() > 1 && !self.dialect.may_batch() => {
                return Err(EncodeError::Batched);
            }
            Message::BndUpd(updates) => updates.updates.len(),
            Message::BndAck(acks) => acks.len(),
            Message::State(StateMessage { state: FailoverState::Startup, .. }) => {
                return Err(EncodeError::Unspeakable(kind));
            }
            Message::Connect(Connect { relationship, .. })
            | Message::ConnectAck(ConnectAck { relationship, .. }) => {
                let named = matches!(relationship, Relationship::Name(_));
                return if named == self.dialect.has_relationship_name() {
                    Ok(())
                } else {
                    Err(EncodeError::Unspeakable(kind))
                };
            }
            _ => return Ok(()),
        };
        match transactions {
            0 => Err(EncodeError::Empty(kind)),
            1..=MAX_TRANSACTIONS => Ok(()),
            _ => Err(EncodeError::TooLong(kind)),
        }
    }

    // F07-6.1-02.
    fn write(&self, envelope: &Envelope, with_texts: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0, 0, envelope.message.message_type().number(), 12]);
        out.extend_from_slice(&envelope.time.0.to_be_bytes());
        out.extend_from_slice(&envelope.xid.0.to_be_bytes());
        let mut writer = Writer { dialect: self.dialect, out };
        // F07-11.1-03, Q43.
        let digest = self.secret.is_some();
        if digest && self.dialect.digest_is_first() {
            let mut value = [0; 1 + DIGEST_LENGTH];
            value[0] = TYPE_HMAC_MD5;
            writer.option(OptionKind::MessageDigest, &value);
        }
        writer.message(&envelope.message, with_texts);
        if digest && !self.dialect.digest_is_first() {
            if !matches!(envelope.message, Message::Connect(_) | Message::ConnectAck(_)) {
                // F07-12.21-01.
                writer.option(OptionKind::SendingServerIpAddress, &self.own_address.octets());
            }
            writer.option(OptionKind::MessageDigest, &[0; DIGEST_LENGTH]);
        }
    }

    fn seal(&self, message: &mut [u8]) {
        let Some(secret) = &self.secret else { return };
        let place =
            if self.dialect.digest_is_first() { MIN_MESSAGE + 4 + 1 } else { message.len() - DIGEST_LENGTH };
        if let Some(digest) = secret.digest(self.dialect, message, place) {
            message[place..place + DIGEST_LENGTH].copy_from_slice(&digest);
        }
    }
}

struct Writer<'a> {
    dialect: Dialect,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn message(&mut self, message: &Message, with_texts: bool) {
        match message {
            // F07-7.3-02.
            Message::PoolReq | Message::UpdReqAll | Message::UpdDone | Message::UpdReq | Message::Contact => {
            }
            Message::PoolResp { addresses_transferred } => {
                // F07-7.7.1-01.
                self.u32(OptionKind::AddressesTransferred, *addresses_transferred);
            }
            Message::BndUpd(updates) => updates.updates.iter().for_each(|update| self.update(update)),
            Message::BndAck(acks) => acks.iter().for_each(|ack| self.ack(ack, with_texts)),
            Message::Connect(connect) => self.connect(connect),
            Message::ConnectAck(ack) => self.connect_ack(ack),
            Message::State(state) => self.state(state),
            // F07-7.12.1-02.
            Message::Disconnect(rejection) => self.rejection(rejection, with_texts),
        }
    }

    /// Options in the order in which dhcpd has them; the drafts leave it free but for the address (F07-6.3-03).
    fn update(&mut self, update: &BindingUpdate) {
        self.option(OptionKind::AssignedIpAddress, &update.address.octets());
        if !self.dialect.ip_flags_are_late() {
            self.ip_flags(update);
        }
        let reserved_backup = update.status == BindingStatus::Backup && update.flags.reserved;
        let status = match self.dialect {
            Dialect::Draft07 if reserved_backup => super::parse::BACKUP_RESERVED,
            _ => update.status.number(),
        };
        // F07-7.1.1-04.
        self.option(OptionKind::BindingStatus, &[status]);
        if let Some(identifier) = &update.client_identifier {
            self.option(OptionKind::ClientIdentifier, identifier);
        }
        if let Some(hardware) = &update.hardware {
            // F07-12.5-01.
            let mut value = vec![hardware.htype];
            value.extend_from_slice(&hardware.address);
            self.option(OptionKind::ClientHardwareAddress, &value);
        }
        self.time(OptionKind::LeaseExpirationTime, update.lease_expiration);
        self.time(OptionKind::PotentialExpirationTime, update.potential_expiration);
        self.time(OptionKind::StartTimeOfState, update.start_time_of_state);
        self.time(OptionKind::ClientLastTransactionTime, update.client_last_transaction_time);
        if self.dialect.ip_flags_are_late() {
            self.ip_flags(update);
        }
        self.client_details(update);
    }

    fn client_details(&mut self, update: &BindingUpdate) {
        if !self.dialect.sends_client_details() {
            return;
        }
        if let Some(ddns) = &update.ddns {
            self.option(OptionKind::Ddns, &ddns.to_bytes());
        }
        for (kind, options) in [
            (OptionKind::ClientRequestOptions, &update.request_options),
            (OptionKind::ClientReplyOptions, &update.reply_options),
        ] {
            if let Some(options) = options.as_ref().filter(|all| all.options.len() <= MAX_CLIENT_OPTIONS) {
                // F07-12.7-01.
                let mut value = options.magic.to_vec();
                value.extend_from_slice(&options.options);
                self.option(kind, &value);
            }
        }
    }

    // D12-7.1.1-01.
    fn ip_flags(&mut self, update: &BindingUpdate) {
        // D12-12.12-01.
        let flags = u8::from(update.flags.reserved) | u8::from(update.flags.bootp) << 1;
        if flags != 0 {
            self.option(OptionKind::IpFlags, &[0, flags]);
        }
    }

    // F07-7.2.1-03.
    fn ack(&mut self, ack: &BindingAck, with_texts: bool) {
        self.option(OptionKind::AssignedIpAddress, &ack.address.octets());
        if let Some(rejection) = &ack.rejected {
            self.rejection(rejection, with_texts);
        }
    }

    fn rejection(&mut self, rejection: &Rejection, with_texts: bool) {
        self.option(OptionKind::RejectReason, &[rejection.reason.number(self.dialect)]);
        if let Some(text) = rejection.message.as_ref().filter(|_| with_texts) {
            // F07-7.2.1-07.
            self.option(OptionKind::Message, &text.as_bytes()[..text.floor_char_boundary(MAX_TEXT)]);
        }
    }

    fn connect(&mut self, connect: &Connect) {
        self.relationship(&connect.relationship);
        // F07-12.13-01.
        self.u32(OptionKind::MaxUnackedBndupd, connect.max_unacked_bndupd);
        self.seconds(OptionKind::ReceiveTimer, connect.receive_timer);
        self.option(OptionKind::VendorClassIdentifier, &connect.vendor_class);
        self.option(OptionKind::ProtocolVersion, &[connect.protocol_version]);
        if let Some(request) = connect.tls_request {
            self.option(OptionKind::TlsRequest, &[request as u8]);
        }
        // F07-12.14-01.
        self.seconds(OptionKind::Mclt, connect.mclt);
        self.option(OptionKind::HashBucketAssignment, &connect.buckets.to_wire(self.dialect));
        if let Some(seconds) = connect.delayed_service {
            self.option(OptionKind::DelayedServiceParameter, &[seconds]);
        }
        self.tandem(connect.tandem.as_ref());
    }

    // F07-7.9-02.
    fn connect_ack(&mut self, ack: &ConnectAck) {
        // F07-7.9.1-02.
        self.relationship(&ack.relationship);
        // F07-7.9.1-06.
        if let Ok(accepted) = &ack.answer {
            self.u32(OptionKind::MaxUnackedBndupd, accepted.max_unacked_bndupd);
            self.seconds(OptionKind::ReceiveTimer, accepted.receive_timer);
            self.option(OptionKind::VendorClassIdentifier, &accepted.vendor_class);
        }
        // F07-7.9.1-03.
        self.option(OptionKind::ProtocolVersion, &[ack.protocol_version]);
        // F07-7.9.1-08.
        if let Some(reply) = ack.tls_reply {
            self.option(OptionKind::TlsReply, &[u8::from(reply)]);
        }
        match &ack.answer {
            Ok(accepted) => self.tandem(accepted.tandem.as_ref()),
            // F07-7.9.1-04.
            Err(rejection) => self.rejection(rejection, true),
        }
    }

    // F07-7.10-03.
    fn state(&mut self, state: &StateMessage) {
        let told = match state.state {
            FailoverState::ConflictDone if !self.dialect.has_draft_12_states() => FailoverState::Normal,
            FailoverState::RecoverWait if !self.dialect.has_draft_12_states() => FailoverState::Recover,
            state => state,
        };
        self.option(OptionKind::ServerState, &[told.number()]);
        // F07-12.22-01.
        self.option(OptionKind::ServerFlags, &[u8::from(state.startup)]);
        self.option(OptionKind::StartTimeOfState, &state.since.0.to_be_bytes());
        if state.tandem.is_some() && self.dialect.sends_vendor_options() {
            self.option(OptionKind::VendorClassIdentifier, VENDOR_CLASS);
            self.tandem(state.tandem.as_ref());
        }
    }

    fn relationship(&mut self, relationship: &Relationship) {
        match relationship {
            Relationship::Name(name) => self.option(OptionKind::RelationshipName, name.as_bytes()),
            Relationship::Address(address) => {
                self.option(OptionKind::SendingServerIpAddress, &address.octets());
            }
        }
    }

    fn tandem(&mut self, info: Option<&TandemInfo>) {
        if let Some(info) = info.filter(|_| self.dialect.sends_vendor_options()) {
            let mut value = Vec::new();
            info.encode(&mut value);
            self.option(OptionKind::VendorSpecificOptions, &value);
        }
    }

    fn time(&mut self, kind: OptionKind, time: Option<WireTime>) {
        if let Some(time) = time {
            self.u32(kind, time.0);
        }
    }

    fn seconds(&mut self, kind: OptionKind, interval: Interval) {
        self.u32(kind, u32::try_from(interval.as_seconds()).unwrap_or(u32::MAX));
    }

    fn u32(&mut self, kind: OptionKind, value: u32) {
        self.option(kind, &value.to_be_bytes());
    }

    /// Nothing, where the dialect has no such option. A value too long for its length field makes the message too
    /// long as well, which is noticed at the end.
    fn option(&mut self, kind: OptionKind, value: &[u8]) {
        let Some(code) = self.dialect.code(kind) else { return };
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.out.extend_from_slice(&code.to_be_bytes());
        self.out.extend_from_slice(&length.to_be_bytes());
        self.out.extend_from_slice(value);
    }
}
