//! Bytes to values, or a typed refusal.
//!
//! *Lives here:* the reading half of [`Codec`], [`ParseError`] and its parts.
//! *May know:* F07 6 and 7 (what must be in which message), `dialect`'s table.
//! *Must not know:* what a connection makes of a refusal.
//!
//! The partner is a stranger until its digest says otherwise, and may be mad after that: nothing here panics, and what
//! is kept is bounded by the 2048 bytes of a message.

use super::{
    BindingAck, BindingUpdate, BindingUpdates, ClientHardware, ClientOptions, Codec, Connect,
    ConnectAccepted, ConnectAck, Ddns, Envelope, IpFlags, MAX_MESSAGE, MAX_TRANSACTIONS, MIN_MESSAGE,
    Message, MessageType, RejectReason, Rejection, Relationship, RelationshipName, StateMessage, TandemInfo,
    TlsRequest, Xid,
};
use crate::balance::HashBucketAssignment;
use crate::binding::BindingStatus;
use crate::dialect::{Dialect, Length, OptionKind};
use crate::digest::{DIGEST_LENGTH, Secret, TYPE_HMAC_MD5};
use crate::state::FailoverState;
use crate::time::{Interval, WireTime};
use std::net::Ipv4Addr;

/// Draft-07's status 8: BACKUP of a reserved address.
pub(super) const BACKUP_RESERVED: u8 = 8;

/// What a frame held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// A message.
    Message(Envelope),
    /// A message of a type from 128 to 255, none of which we know: to be ignored (F07-6.1-05).
    Ignored(u8),
}

/// A frame that is no message of this dialect, with as much of its header as could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    /// Its type and xid, when the type is known: a CONNECT is owed a CONNECTACK.
    pub header: Option<(MessageType, Xid)>,
    /// What is wrong.
    pub error: ParseError,
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not 12 to 2048 bytes, or not as many as the header says.
    #[error("a frame of {0} bytes does not hold one message: the stream is out of step")]
    FrameLength(usize),
    /// The options start before the header ends or after the message does (Q2).
    #[error("payload offset {0} lies outside the message: this is not a failover partner")]
    PayloadOffset(u8),
    /// A type below 128 that the drafts do not have (F07-6.1-04).
    #[error("message type {0} is unknown: the partner speaks a later protocol")]
    UnknownType(u8),
    /// An option ends after the message.
    #[error("an option goes beyond the end of its {0}: the message is damaged")]
    Overrun(MessageType),
    /// An option that can't be as it is.
    #[error("{} of a {message_type} {fault}: check that `dialect` is what the partner speaks", option.name())]
    Option {
        /// The message.
        message_type: MessageType,
        /// The option.
        option: OptionKind,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A BNDUPD or BNDACK with more transactions than a BNDACK can reject one by one.
    #[error("a {0} has more than {MAX_TRANSACTIONS} transactions: they can't all be answered in one message")]
    TooManyTransactions(MessageType),
    /// The message is not authenticated (F07-11.1-07).
    #[error("{0}")]
    Digest(DigestFault),
}

/// What is wrong with an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It must be there and is not.
    #[error("is missing")]
    Missing,
    /// It is there twice (F07-6.2-04, Q21).
    #[error("is there twice")]
    Repeated,
    /// Its length is not the one it has.
    #[error("has the wrong length")]
    WrongLength,
    /// Its value is none that it can have.
    #[error("has a value that it can't have")]
    WrongValue,
}

/// Why a message is not authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestFault {
    /// A secret here, and no digest (D12: reason 21).
    #[error("a message came without digest: the partner has no `secret-file` for this relationship")]
    Missing,
    /// A digest, and no secret here (reason 13).
    #[error(
        "a message came with a digest: the partner has a `secret-file` for this relationship, we have none"
    )]
    NotConfigured,
    /// Not HMAC-MD5, or in the wrong place (reason 12).
    #[error("the digest of a message is of a kind, or in a place, that `dialect` does not have")]
    NotSupported,
    /// Another secret, or an altered message (D12: reason 20).
    #[error(
        "the digest of a message is wrong: the two servers have different secrets, or somebody interferes"
    )]
    Mismatch,
}

impl ParseError {
    /// What the partner is told: in CONNECTACK when it was a CONNECT (F07 7.8.2), else in DISCONNECT.
    pub const fn reject_reason(&self) -> RejectReason {
        use ParseError as P;
        match self {
            P::Digest(DigestFault::Missing) => RejectReason::MISSING_DIGEST,
            P::Digest(DigestFault::NotConfigured) => RejectReason::DIGEST_NOT_CONFIGURED,
            P::Digest(DigestFault::NotSupported) => RejectReason::DIGEST_NOT_SUPPORTED,
            P::Digest(DigestFault::Mismatch) => RejectReason::DIGEST_MISMATCH,
            P::Option { message_type: MessageType::Connect, option, .. } => match option {
                OptionKind::HashBucketAssignment => RejectReason::HASH_BUCKET_CONFLICT,
                OptionKind::Mclt => RejectReason::INVALID_MCLT,
                OptionKind::RelationshipName | OptionKind::SendingServerIpAddress => {
                    RejectReason::INVALID_PARTNER
                }
                OptionKind::ProtocolVersion => RejectReason::PROTOCOL_VERSION_MISMATCH,
                _ => RejectReason::CONNECTION_REJECTED,
            },
            _ => RejectReason::UNKNOWN,
        }
    }
}

impl Codec {
    /// The message in `frame`, which holds exactly one (see [`super::frame_length`]); verified, when there is a
    /// secret (F07-11.1-06).
    ///
    /// # Errors
    /// When the message can't be understood or is not authenticated. Transactions of a BNDUPD that can't be
    /// understood are no error of the message as long as their limits are clear (Q21).
    pub fn parse(&self, frame: &[u8]) -> Result<Parsed, Refusal> {
        let bare = |error| Refusal { header: None, error };
        let (head, _) = frame
            .split_first_chunk::<MIN_MESSAGE>()
            .filter(|_| frame.len() <= MAX_MESSAGE)
            .ok_or(bare(ParseError::FrameLength(frame.len())))?;
        if usize::from(u16::from_be_bytes([head[0], head[1]])) != frame.len() {
            return Err(bare(ParseError::FrameLength(frame.len())));
        }
        let Some(message_type) = MessageType::from_number(head[2]) else {
            if head[2] < 128 {
                return Err(bare(ParseError::UnknownType(head[2])));
            }
            // Q11.
            self.authenticate_unknown(frame, head[3]).map_err(|fault| bare(ParseError::Digest(fault)))?;
            return Ok(Parsed::Ignored(head[2]));
        };
        let time = WireTime(u32::from_be_bytes([head[4], head[5], head[6], head[7]]));
        let xid = Xid(u32::from_be_bytes([head[8], head[9], head[10], head[11]]));
        let refuse = |error| Refusal { header: Some((message_type, xid)), error };
        // F07-6.1-06.
        let offset = usize::from(head[3]);
        if offset < MIN_MESSAGE || offset > frame.len() {
            return Err(refuse(ParseError::PayloadOffset(head[3])));
        }
        let reader = Reader { dialect: self.dialect, message_type, frame };
        let found = reader.read(offset).map_err(refuse)?;
        // F07-7.8.2-06.
        self.authenticate(frame, offset, &found).map_err(|fault| refuse(ParseError::Digest(fault)))?;
        let message = reader.message(&found).map_err(refuse)?;
        Ok(Parsed::Message(Envelope { time, xid, message }))
    }

    /// The relationship that a CONNECT names, before anything of it is believed: to find whose secret and settings
    /// apply when a partner has several (F07-7.8.2-07).
    pub fn relationship_of(dialect: Dialect, frame: &[u8]) -> Option<Relationship> {
        let (head, _) = frame.split_first_chunk::<MIN_MESSAGE>()?;
        let offset = usize::from(head[3]);
        if head[2] != MessageType::Connect.number() || offset < MIN_MESSAGE || offset > frame.len() {
            return None;
        }
        let reader = Reader { dialect, message_type: MessageType::Connect, frame };
        reader.relationship(&reader.read(offset).ok()?.whole).ok()
    }

    fn authenticate(&self, frame: &[u8], offset: usize, found: &Found<'_>) -> Result<(), DigestFault> {
        let (secret, place) = match (&self.secret, found.digest) {
            (None, None) => return Ok(()),
            // F07-11.1-04.
            (None, Some(_)) => return Err(DigestFault::NotConfigured),
            // F07-11.1-02.
            (Some(_), None) => return Err(DigestFault::Missing),
            (Some(secret), Some(place)) => (secret, place),
        };
        let right_place = if self.dialect.digest_is_first() {
            place.start == offset + 4
                && place.length == 1 + DIGEST_LENGTH
                && frame.get(place.start) == Some(&TYPE_HMAC_MD5)
        } else {
            place.start + place.length == frame.len() && place.length == DIGEST_LENGTH
        };
        if !right_place {
            return Err(DigestFault::NotSupported);
        }
        self.compare(secret, frame, place)
    }

    /// What a message of an unknown type says is not read; but that it is the partner's is to be known (F07-11.1-02).
    fn authenticate_unknown(&self, frame: &[u8], offset: u8) -> Result<(), DigestFault> {
        if self.secret.is_none() {
            return Ok(());
        }
        // All messages have their options in one form; the type stands in errors only.
        let reader = Reader { dialect: self.dialect, message_type: MessageType::Contact, frame };
        let offset = usize::from(offset);
        let in_frame = (MIN_MESSAGE..=frame.len()).contains(&offset);
        let found = in_frame.then(|| reader.read(offset).ok()).flatten().ok_or(DigestFault::Missing)?;
        self.authenticate(frame, offset, &found)
    }

    fn compare(&self, secret: &Secret, frame: &[u8], place: Place) -> Result<(), DigestFault> {
        let start = place.start + place.length - DIGEST_LENGTH;
        if secret.verifies(self.dialect, frame, start) { Ok(()) } else { Err(DigestFault::Mismatch) }
    }
}

/// Where in the frame the value of an option stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    length: usize,
}

/// The options of a message.
struct Found<'a> {
    whole: Group<'a>,
    transactions: Vec<(Ipv4Addr, Group<'a>)>,
    digest: Option<Place>,
}

/// The options of one transaction, or those of no transaction.
struct Group<'a> {
    values: [Option<&'a [u8]>; OptionKind::COUNT],
    fault: Option<(OptionKind, Fault)>,
}

impl<'a> Group<'a> {
    const EMPTY: Group<'static> = Group { values: [None; OptionKind::COUNT], fault: None };

    // F07-6.2-02.
    fn add(&mut self, kind: OptionKind, value: &'a [u8]) {
        let fits = match kind.length() {
            Length::Exactly(length) => value.len() == length,
            Length::AtLeast(length) => value.len() >= length,
        };
        let place = &mut self.values[kind as usize];
        if place.is_some() {
            self.fault = self.fault.or(Some((kind, Fault::Repeated)));
        } else if !fits {
            self.fault = self.fault.or(Some((kind, Fault::WrongLength)));
        }
        *place = Some(value);
    }

    fn get(&self, kind: OptionKind) -> Option<&'a [u8]> {
        self.values[kind as usize]
    }

    fn byte(&self, kind: OptionKind) -> Option<u8> {
        self.get(kind)?.first().copied()
    }

    fn u32(&self, kind: OptionKind) -> Option<u32> {
        self.get(kind)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn time(&self, kind: OptionKind) -> Option<WireTime> {
        self.u32(kind).map(WireTime)
    }

    fn rejection(&self) -> Option<Rejection> {
        let reason = RejectReason(self.byte(OptionKind::RejectReason)?);
        let text = self.get(OptionKind::Message);
        Some(Rejection { reason, message: text.map(|text| String::from_utf8_lossy(text).into_owned()) })
    }

    fn tandem(&self) -> Option<TandemInfo> {
        let options = self.get(OptionKind::VendorSpecificOptions)?;
        TandemInfo::parse(self.get(OptionKind::VendorClassIdentifier), options)
    }
}

/// Whether an option belongs to the message even when it stands behind a transaction (F07-6.3-04).
const fn is_of_message(kind: OptionKind) -> bool {
    matches!(
        kind,
        OptionKind::SendingServerIpAddress
            | OptionKind::VendorClassIdentifier
            | OptionKind::VendorSpecificOptions
    )
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    dialect: Dialect,
    message_type: MessageType,
    frame: &'a [u8],
}

impl<'a> Reader<'a> {
    fn read(self, offset: usize) -> Result<Found<'a>, ParseError> {
        let has_transactions = matches!(self.message_type, MessageType::BndUpd | MessageType::BndAck);
        let mut found = Found { whole: Group::EMPTY, transactions: Vec::new(), digest: None };
        let mut at = offset;
        while at < self.frame.len() {
            let overrun = ParseError::Overrun(self.message_type);
            let head = self.frame[at..].first_chunk::<4>().ok_or(overrun)?;
            let code = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let start = at + 4;
            let value = self.frame.get(start..start + length).ok_or(overrun)?;
            at = start + length;
            // What is not understood is ignored (F07-6.1-01).
            let Some(kind) = self.dialect.option(code) else { continue };
            match kind {
                OptionKind::MessageDigest if found.digest.is_some() => {
                    return Err(self.fault(kind, Fault::Repeated));
                }
                OptionKind::MessageDigest => found.digest = Some(Place { start, length }),
                OptionKind::AssignedIpAddress if has_transactions => {
                    let address: [u8; 4] =
                        value.try_into().map_err(|_| self.fault(kind, Fault::WrongLength))?;
                    if found.transactions.len() == MAX_TRANSACTIONS {
                        return Err(ParseError::TooManyTransactions(self.message_type));
                    }
                    found.transactions.push((Ipv4Addr::from(address), Group::EMPTY));
                }
                _ => match found.transactions.last_mut() {
                    Some((_, transaction)) if !is_of_message(kind) => transaction.add(kind, value),
                    _ => found.whole.add(kind, value),
                },
            }
        }
        Ok(found)
    }

    const fn fault(self, option: OptionKind, fault: Fault) -> ParseError {
        ParseError::Option { message_type: self.message_type, option, fault }
    }

    fn need<T>(self, value: Option<T>, option: OptionKind) -> Result<T, ParseError> {
        value.ok_or(self.fault(option, Fault::Missing))
    }

    fn message(self, found: &Found<'a>) -> Result<Message, ParseError> {
        let whole = &found.whole;
        if let Some((option, fault)) = whole.fault {
            return Err(self.fault(option, fault));
        }
        Ok(match self.message_type {
            MessageType::PoolReq => Message::PoolReq,
            MessageType::UpdReqAll => Message::UpdReqAll,
            MessageType::UpdDone => Message::UpdDone,
            MessageType::UpdReq => Message::UpdReq,
            MessageType::Contact => Message::Contact,
            MessageType::PoolResp => {
                let kind = OptionKind::AddressesTransferred;
                Message::PoolResp { addresses_transferred: self.need(whole.u32(kind), kind)? }
            }
            MessageType::BndUpd => Message::BndUpd(self.updates(found)?),
            MessageType::BndAck => Message::BndAck(self.acks(found)?),
            MessageType::Connect => Message::Connect(self.connect(whole)?),
            MessageType::ConnectAck => Message::ConnectAck(self.connect_ack(whole)?),
            MessageType::State => Message::State(self.state(whole)?),
            MessageType::Disconnect => {
                Message::Disconnect(self.need(whole.rejection(), OptionKind::RejectReason)?)
            }
        })
    }

    fn updates(self, found: &Found<'a>) -> Result<BindingUpdates, ParseError> {
        self.need(found.transactions.first(), OptionKind::AssignedIpAddress)?;
        let mut updates = BindingUpdates::default();
        for (address, transaction) in &found.transactions {
            match self.update(*address, transaction) {
                Ok(update) => updates.updates.push(update),
                Err((option, fault)) => {
                    let reason = match fault {
                        Fault::Missing => RejectReason::MISSING_BINDING_INFORMATION,
                        _ => RejectReason::UNKNOWN,
                    };
                    let text = format!("{} {fault}", option.name());
                    let rejected = Some(Rejection::saying(reason, text));
                    updates.malformed.push(BindingAck { address: *address, rejected });
                }
            }
        }
        Ok(updates)
    }

    fn update(self, address: Ipv4Addr, options: &Group<'a>) -> Result<BindingUpdate, (OptionKind, Fault)> {
        if let Some(fault) = options.fault {
            return Err(fault);
        }
        let wrong = |kind| (kind, Fault::WrongValue);
        let kind = OptionKind::BindingStatus;
        let number = options.byte(kind).ok_or((kind, Fault::Missing))?;
        let reserved_backup = number == BACKUP_RESERVED && self.dialect == Dialect::Draft07;
        let status =
            if reserved_backup { Some(BindingStatus::Backup) } else { BindingStatus::from_number(number) };
        let flags = options.get(OptionKind::IpFlags).and_then(|flags| flags.last()).copied().unwrap_or(0);
        let identifier = options.get(OptionKind::ClientIdentifier);
        if identifier.is_some_and(|identifier| identifier.len() > 255) {
            return Err(wrong(OptionKind::ClientIdentifier));
        }
        let hardware = match options.get(OptionKind::ClientHardwareAddress).and_then(<[u8]>::split_first) {
            Some((0, _)) => return Err(wrong(OptionKind::ClientHardwareAddress)),
            Some((_, address)) if address.len() > 16 => {
                return Err(wrong(OptionKind::ClientHardwareAddress));
            }
            Some((htype, address)) => Some(ClientHardware { htype: *htype, address: address.to_vec() }),
            None => None,
        };
        Ok(BindingUpdate {
            address,
            status: status.ok_or(wrong(kind))?,
            flags: IpFlags { reserved: reserved_backup || flags & 1 != 0, bootp: flags & 2 != 0 },
            client_identifier: identifier.map(<[u8]>::to_vec),
            hardware,
            lease_expiration: options.time(OptionKind::LeaseExpirationTime),
            potential_expiration: options.time(OptionKind::PotentialExpirationTime),
            start_time_of_state: options.time(OptionKind::StartTimeOfState),
            client_last_transaction_time: options.time(OptionKind::ClientLastTransactionTime),
            ddns: options.get(OptionKind::Ddns).and_then(Ddns::from_bytes),
            request_options: options.get(OptionKind::ClientRequestOptions).and_then(client_options),
            reply_options: options.get(OptionKind::ClientReplyOptions).and_then(client_options),
        })
    }

    fn acks(self, found: &Found<'a>) -> Result<Vec<BindingAck>, ParseError> {
        self.need(found.transactions.first(), OptionKind::AssignedIpAddress)?;
        found
            .transactions
            .iter()
            .map(|(address, options)| match (options.fault, options.get(OptionKind::RejectReason)) {
                // dhcpd's predecessors mirrored the whole update: only what decides must be right (Q8).
                (Some((kind @ (OptionKind::RejectReason | OptionKind::Message), fault)), _) => {
                    Err(self.fault(kind, fault))
                }
                _ => Ok(BindingAck { address: *address, rejected: options.rejection() }),
            })
            .collect()
    }

    fn relationship(self, options: &Group<'a>) -> Result<Relationship, ParseError> {
        if self.dialect.has_relationship_name() {
            let kind = OptionKind::RelationshipName;
            let name = self.need(options.get(kind), kind)?;
            let name = RelationshipName::new(name).ok_or(self.fault(kind, Fault::WrongLength))?;
            return Ok(Relationship::Name(name));
        }
        let kind = OptionKind::SendingServerIpAddress;
        Ok(Relationship::Address(Ipv4Addr::from(self.need(options.u32(kind), kind)?)))
    }

    fn connect(self, options: &Group<'a>) -> Result<Connect, ParseError> {
        let kind = OptionKind::ProtocolVersion;
        let protocol_version = self.need(options.byte(kind), kind)?;
        let kind = OptionKind::HashBucketAssignment;
        let buckets = self.need(options.get(kind).and_then(|bits| bits.try_into().ok()), kind)?;
        let kind = OptionKind::TlsRequest;
        let tls_request = match options.byte(kind) {
            None => None,
            Some(0) => Some(TlsRequest::No),
            Some(1) => Some(TlsRequest::Desired),
            Some(2) => Some(TlsRequest::Required),
            Some(_) => return Err(self.fault(kind, Fault::WrongValue)),
        };
        Ok(Connect {
            relationship: self.relationship(options)?,
            max_unacked_bndupd: self.max_unacked(options)?,
            receive_timer: self.seconds(options, OptionKind::ReceiveTimer)?,
            vendor_class: self.vendor_class(options)?,
            protocol_version,
            tls_request,
            mclt: self.seconds(options, OptionKind::Mclt)?,
            buckets: HashBucketAssignment::from_wire(self.dialect, buckets),
            delayed_service: options.byte(OptionKind::DelayedServiceParameter).filter(|seconds| *seconds > 0),
            tandem: options.tandem(),
        })
    }

    fn connect_ack(self, options: &Group<'a>) -> Result<ConnectAck, ParseError> {
        let kind = OptionKind::ProtocolVersion;
        let protocol_version = self.need(options.byte(kind), kind)?;
        let kind = OptionKind::TlsReply;
        let tls_reply = match options.byte(kind) {
            None => None,
            Some(0) => Some(false),
            Some(1) => Some(true),
            Some(_) => return Err(self.fault(kind, Fault::WrongValue)),
        };
        let answer = match options.rejection() {
            Some(rejection) => Err(rejection),
            None => Ok(ConnectAccepted {
                max_unacked_bndupd: self.max_unacked(options)?,
                receive_timer: self.seconds(options, OptionKind::ReceiveTimer)?,
                vendor_class: self.vendor_class(options)?,
                tandem: options.tandem(),
            }),
        };
        Ok(ConnectAck { relationship: self.relationship(options)?, protocol_version, tls_reply, answer })
    }

    fn max_unacked(self, options: &Group<'a>) -> Result<u32, ParseError> {
        let kind = OptionKind::MaxUnackedBndupd;
        match self.need(options.u32(kind), kind)? {
            0 => Err(self.fault(kind, Fault::WrongValue)),
            count => Ok(count),
        }
    }

    fn seconds(self, options: &Group<'a>, kind: OptionKind) -> Result<Interval, ParseError> {
        match self.need(options.u32(kind), kind)? {
            0 => Err(self.fault(kind, Fault::WrongValue)),
            seconds => Ok(Interval::from_seconds(u64::from(seconds))),
        }
    }

    fn vendor_class(self, options: &Group<'a>) -> Result<Vec<u8>, ParseError> {
        let kind = OptionKind::VendorClassIdentifier;
        Ok(self.need(options.get(kind), kind)?.to_vec())
    }

    fn state(self, options: &Group<'a>) -> Result<StateMessage, ParseError> {
        let kind = OptionKind::ServerState;
        let number = self.need(options.byte(kind), kind)?;
        let state = FailoverState::from_number(number).filter(|state| match state {
            FailoverState::Startup => false,
            FailoverState::ConflictDone | FailoverState::RecoverWait => self.dialect.has_draft_12_states(),
            _ => true,
        });
        let flags = OptionKind::ServerFlags;
        let since = OptionKind::StartTimeOfState;
        Ok(StateMessage {
            state: state.ok_or(self.fault(kind, Fault::WrongValue))?,
            startup: self.need(options.byte(flags), flags)? & 1 != 0,
            since: self.need(options.time(since), since)?,
            tandem: options.tandem(),
        })
    }
}

fn client_options(value: &[u8]) -> Option<ClientOptions> {
    let (magic, options) = value.split_first_chunk::<4>()?;
    Some(ClientOptions { magic: *magic, options: options.to_vec() })
}
