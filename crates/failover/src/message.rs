//! The twelve messages as values.
//!
//! *Lives here:* [`Message`] with what each kind carries, [`Envelope`], [`frame_length`]; in the folder the reason codes,
//! Tandem's vendor options, and the two directions of [`Codec`].
//! *May know:* F07 6, 7 and 12 and what draft-12 changes, by way of `dialect`.
//! *Must not know:* connections and states: whether a message is expected now is not its question.
//!
//! Times are as the partner's clock has them ([`WireTime`]); who uses one corrects it (F07-7.8.2-10).

mod encode;
mod parse;
mod reason;
mod vendor;

pub use encode::{Codec, EncodeError};
pub use parse::{DigestFault, Fault, ParseError, Parsed, Refusal};
pub use reason::RejectReason;
pub use vendor::{HeardStore, TandemInfo, VENDOR_CLASS};

use crate::balance::HashBucketAssignment;
use crate::binding::BindingStatus;
use crate::state::FailoverState;
use crate::time::{ClockDelta, Interval, WireTime};
use std::fmt;
use std::net::Ipv4Addr;

/// Shortest message in bytes: a header alone (F07-6.1-03).
pub const MIN_MESSAGE: usize = 12;

/// Longest message in bytes (F07-6.1-03).
pub const MAX_MESSAGE: usize = 2048;

/// The only protocol-version there is (F07-12.19-01).
pub const PROTOCOL_VERSION: u8 = 1;

/// Most transactions in one BNDUPD or BNDACK: so many that a BNDACK which rejects each of them fits in a message.
pub const MAX_TRANSACTIONS: usize = 155;

/// Longest text of a `message` option that is sent, in bytes.
pub const MAX_TEXT: usize = 255;

/// Longest client-request-options or client-reply-options that is sent, in bytes; longer ones stay at home (they are
/// only SHOULD), so that one transaction always fits in a message.
pub const MAX_CLIENT_OPTIONS: usize = 512;

/// Length of the first message in `buffer`, when at least its length field is there. The message is whole when the
/// buffer holds so many bytes.
///
/// # Errors
/// When the length is below 12 or above 2048: the stream cannot be read any further.
pub fn frame_length(buffer: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some(length) = buffer.first_chunk::<2>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes(*length));
    if (MIN_MESSAGE..=MAX_MESSAGE).contains(&length) { Ok(Some(length)) } else { Err(FrameError(length)) }
}

/// A message length that no message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message says that it has {0} bytes; messages have 12 to 2048: this is not a failover partner")]
pub struct FrameError(pub usize);

/// Transaction id of a message: unique among the messages that one endpoint sends on one connection; a response
/// has that of its request (F07-6.1-09, -10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xid(pub u32);

/// Name of a relationship, the same on both servers: 1 to 255 bytes (D12-12.22-01).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationshipName(Vec<u8>);

impl RelationshipName {
    /// The name with these bytes; `None` when there is none or there are more than 255.
    pub fn new(name: &[u8]) -> Option<RelationshipName> {
        (1..=255).contains(&name.len()).then(|| RelationshipName(name.to_vec()))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for RelationshipName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// How a relationship is told in CONNECT and CONNECTACK.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relationship {
    /// By its name (draft-12).
    Name(RelationshipName),
    /// By the address of the sender (draft-07: sending-server-IP-address).
    Address(Ipv4Addr),
}

/// The kinds of message (F07 6.1; table 1.2 of the catalogue).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// The secondary asks for addresses.
    PoolReq = 1,
    /// How many it gets.
    PoolResp = 2,
    /// Updates of bindings.
    BndUpd = 3,
    /// Each of them accepted or rejected.
    BndAck = 4,
    /// The primary opens the failover connection.
    Connect = 5,
    /// The secondary accepts or rejects it.
    ConnectAck = 6,
    /// Send me all your bindings.
    UpdReqAll = 7,
    /// All that you asked for was sent and acknowledged.
    UpdDone = 8,
    /// Send me what I have not acknowledged.
    UpdReq = 9,
    /// My state.
    State = 10,
    /// Still here.
    Contact = 11,
    /// Closing, and why.
    Disconnect = 12,
}

impl MessageType {
    /// All of them, in the order of their numbers.
    pub const ALL: [MessageType; 12] = [
        MessageType::PoolReq,
        MessageType::PoolResp,
        MessageType::BndUpd,
        MessageType::BndAck,
        MessageType::Connect,
        MessageType::ConnectAck,
        MessageType::UpdReqAll,
        MessageType::UpdDone,
        MessageType::UpdReq,
        MessageType::State,
        MessageType::Contact,
        MessageType::Disconnect,
    ];

    /// The number in the header.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The type with this number; `None` for a number that names none.
    pub fn from_number(number: u8) -> Option<MessageType> {
        let index = usize::from(number).checked_sub(1)?;
        Self::ALL.get(index).copied()
    }

    /// Whether this answers a request, and so carries the requester's xid (F07-6.1-12).
    pub const fn is_response(self) -> bool {
        matches!(
            self,
            MessageType::PoolResp | MessageType::BndAck | MessageType::ConnectAck | MessageType::UpdDone
        )
    }

    /// As the drafts spell it.
    pub const fn name(self) -> &'static str {
        match self {
            MessageType::PoolReq => "POOLREQ",
            MessageType::PoolResp => "POOLRESP",
            MessageType::BndUpd => "BNDUPD",
            MessageType::BndAck => "BNDACK",
            MessageType::Connect => "CONNECT",
            MessageType::ConnectAck => "CONNECTACK",
            MessageType::UpdReqAll => "UPDREQALL",
            MessageType::UpdDone => "UPDDONE",
            MessageType::UpdReq => "UPDREQ",
            MessageType::State => "STATE",
            MessageType::Contact => "CONTACT",
            MessageType::Disconnect => "DISCONNECT",
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A message with what belongs to the moment of its sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// When it was sent, by the sender's clock (F07-6.1-07).
    pub time: WireTime,
    /// Its transaction id.
    pub xid: Xid,
    /// What it says.
    pub message: Message,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Give me addresses (F07 7.6).
    PoolReq,
    /// So many addresses were moved to the secondary (F07 7.7).
    PoolResp {
        /// addresses-transferred.
        addresses_transferred: u32,
    },
    /// Updates of bindings (F07 7.1).
    BndUpd(BindingUpdates),
    /// The answers to all transactions of one BNDUPD (F07 7.2).
    BndAck(Vec<BindingAck>),
    /// Open the connection (F07 7.8).
    Connect(Connect),
    /// The answer to CONNECT (F07 7.9).
    ConnectAck(ConnectAck),
    /// Send me all your bindings (F07 7.4).
    UpdReqAll,
    /// Everything that was asked for is acknowledged (F07 7.5).
    UpdDone,
    /// Send me what I have not acknowledged (F07 7.3).
    UpdReq,
    /// My state (F07 7.10).
    State(StateMessage),
    /// Still here (F07 7.11).
    Contact,
    /// Closing, and why (F07 7.12).
    Disconnect(Rejection),
}

impl Message {
    /// Puts every time of ours in it into the clock of a partner that does not do so itself
    /// ([`crate::dialect::Dialect::corrects_times`]).
    pub(crate) fn tell_by_clock_of_partner(&mut self, delta: ClockDelta) {
        let tell = |time: &mut WireTime| *time = time.by_clock_of_partner(delta);
        match self {
            Message::State(state) => tell(&mut state.since),
            Message::BndUpd(updates) => {
                for update in &mut updates.updates {
                    let times = [
                        &mut update.lease_expiration,
                        &mut update.potential_expiration,
                        &mut update.start_time_of_state,
                        &mut update.client_last_transaction_time,
                    ];
                    times.into_iter().flatten().for_each(tell);
                }
            }
            _ => {}
        }
    }

    /// Its kind.
    pub const fn message_type(&self) -> MessageType {
        match self {
            Message::PoolReq => MessageType::PoolReq,
            Message::PoolResp { .. } => MessageType::PoolResp,
            Message::BndUpd(_) => MessageType::BndUpd,
            Message::BndAck(_) => MessageType::BndAck,
            Message::Connect(_) => MessageType::Connect,
            Message::ConnectAck(_) => MessageType::ConnectAck,
            Message::UpdReqAll => MessageType::UpdReqAll,
            Message::UpdDone => MessageType::UpdDone,
            Message::UpdReq => MessageType::UpdReq,
            Message::State(_) => MessageType::State,
            Message::Contact => MessageType::Contact,
            Message::Disconnect(_) => MessageType::Disconnect,
        }
    }
}

/// The transactions of one BNDUPD (F07 6.3). The BNDACK owes an answer to each of both lists (F07-6.3-05, -06).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BindingUpdates {
    /// Those that can be judged; 1 to [`MAX_TRANSACTIONS`] when sent.
    pub updates: Vec<BindingUpdate>,
    /// Received ones that can't, with the rejection that each is owed (F07-6.3-08, Q21). Never sent.
    pub malformed: Vec<BindingAck>,
}

impl From<Vec<BindingUpdate>> for BindingUpdates {
    fn from(updates: Vec<BindingUpdate>) -> BindingUpdates {
        BindingUpdates { updates, malformed: Vec::new() }
    }
}

/// One binding update transaction (F07-2.2-02; table 1.9 of the catalogue says what belongs to which status).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingUpdate {
    /// assigned-IP-address.
    pub address: Ipv4Addr,
    /// binding-status.
    pub status: BindingStatus,
    /// IP-flags; draft-07 has them not, but BACKUP with `reserved` is its BACKUP-RESERVED (Q36).
    pub flags: IpFlags,
    /// client-identifier: the value of DHCP option 61 (Q3), when the client used one; at most 255 bytes.
    pub client_identifier: Option<Vec<u8>>,
    /// client-hardware-address.
    pub hardware: Option<ClientHardware>,
    /// lease-expiration-time: the end that was acknowledged to the client (F07-7.1.1-05).
    pub lease_expiration: Option<WireTime>,
    /// potential-expiration-time (F07-7.1.1-06).
    pub potential_expiration: Option<WireTime>,
    /// start-time-of-state: when the address took on this status (F07-7.1.1-10).
    pub start_time_of_state: Option<WireTime>,
    /// client-last-transaction-time (F07-7.1.1-11).
    pub client_last_transaction_time: Option<WireTime>,
    /// DDNS.
    pub ddns: Option<Ddns>,
    /// client-request-options.
    pub request_options: Option<ClientOptions>,
    /// client-reply-options.
    pub reply_options: Option<ClientOptions>,
}

impl BindingUpdate {
    /// A transaction with nothing in it but what each needs.
    pub fn new(address: Ipv4Addr, status: BindingStatus) -> BindingUpdate {
        BindingUpdate {
            address,
            status,
            flags: IpFlags::default(),
            client_identifier: None,
            hardware: None,
            lease_expiration: None,
            potential_expiration: None,
            start_time_of_state: None,
            client_last_transaction_time: None,
            ddns: None,
            request_options: None,
            reply_options: None,
        }
    }
}

/// IP-flags (D12 12.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IpFlags {
    /// R: the address is reserved on the sender.
    pub reserved: bool,
    /// B: the address was leased to a BOOTP client.
    pub bootp: bool,
}

/// client-hardware-address (F07 12.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientHardware {
    /// ARP hardware type, never 0 (F07-12.5-02).
    pub htype: u8,
    /// chaddr, 0 to 16 bytes.
    pub address: Vec<u8>,
}

/// DDNS (F07 12.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ddns {
    /// C: the update of the name's address is complete.
    pub name_done: bool,
    /// A: the sender controls the A record.
    pub controls_name: bool,
    /// D: the update of the address's name is complete.
    pub address_done: bool,
    /// P: the sender controls the PTR record.
    pub controls_address: bool,
    /// FQDN in DNS wire encoding, as it came; at most 255 bytes when sent.
    pub name: Vec<u8>,
}

impl Ddns {
    /// The value of the option: two bytes of flags, then the name; `None` without flags.
    /// F07-12.9-01.
    pub fn from_bytes(value: &[u8]) -> Option<Ddns> {
        let (flags, name) = value.split_first_chunk::<2>()?;
        // F07-12.9-03.
        let flags = u16::from_be_bytes(*flags);
        Some(Ddns {
            name_done: flags & 1 != 0,
            controls_name: flags & 2 != 0,
            address_done: flags & 4 != 0,
            controls_address: flags & 8 != 0,
            name: name.to_vec(),
        })
    }

    /// The value of the option.
    pub fn to_bytes(&self) -> Vec<u8> {
        // F07-12.9-02.
        let flags = u8::from(self.name_done)
            | u8::from(self.controls_name) << 1
            | u8::from(self.address_done) << 2
            | u8::from(self.controls_address) << 3;
        [&[0, flags][..], &self.name].concat()
    }
}

/// client-request-options or client-reply-options (F07 12.7, 12.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// The magic number that says in which format the options are.
    pub magic: [u8; 4],
    /// The options, as they came.
    pub options: Vec<u8>,
}

/// The answer to one transaction (F07 7.2): exactly what table 1.9 calls the text of F07 7.2.1 (Q8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingAck {
    /// assigned-IP-address of the transaction.
    pub address: Ipv4Addr,
    /// `None`: accepted (F07-6.3-09).
    pub rejected: Option<Rejection>,
}

impl BindingAck {
    /// The address's transaction was accepted.
    pub const fn accepted(address: Ipv4Addr) -> BindingAck {
        BindingAck { address, rejected: None }
    }

    /// The address's transaction was rejected, with the words of the reason.
    pub fn rejected(address: Ipv4Addr, reason: RejectReason) -> BindingAck {
        BindingAck { address, rejected: Some(Rejection::because(reason)) }
    }
}

/// reject-reason and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// reject-reason.
    pub reason: RejectReason,
    /// message, for people; at most [`MAX_TEXT`] bytes of it are sent.
    pub message: Option<String>,
}

impl Rejection {
    /// With the words that the drafts have for the reason.
    pub fn because(reason: RejectReason) -> Rejection {
        Rejection { reason, message: Some(reason.name().to_owned()) }
    }

    /// With words of its own.
    pub fn saying(reason: RejectReason, message: String) -> Rejection {
        Rejection { reason, message: Some(message) }
    }
}

/// TLS-request (F07-12.26-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TlsRequest {
    /// The partner must not require TLS.
    No = 0,
    /// The partner may use TLS.
    Desired = 1,
    /// The partner must use TLS.
    Required = 2,
}

/// CONNECT (F07 7.8; table 1.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// Which relationship this is about.
    pub relationship: Relationship,
    /// How many BNDUPDs the primary takes without having answered them; at least 1 (F07-7.8.1-03).
    pub max_unacked_bndupd: u32,
    /// The primary's tReceive, in whole seconds.
    pub receive_timer: Interval,
    /// vendor-class-identifier.
    pub vendor_class: Vec<u8>,
    /// protocol-version.
    pub protocol_version: u8,
    /// TLS-request; `None` over TLS (F07-7.8.1-12).
    pub tls_request: Option<TlsRequest>,
    /// MCLT, in whole seconds.
    pub mclt: Interval,
    /// hash-bucket-assignment.
    pub buckets: HashBucketAssignment,
    /// delayed-service-parameter: 1 to 255 seconds (F07-12.10-01).
    pub delayed_service: Option<u8>,
    /// What one Tandem tells the other.
    pub tandem: Option<TandemInfo>,
}

/// CONNECTACK (F07 7.9; table 1.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectAck {
    /// Which relationship this is about.
    pub relationship: Relationship,
    /// protocol-version of the secondary.
    pub protocol_version: u8,
    /// TLS-reply; `None` over TLS and where CONNECT had no TLS-request.
    pub tls_reply: Option<bool>,
    /// Accepted with the secondary's parameters, or rejected.
    pub answer: Result<ConnectAccepted, Rejection>,
}

/// What an accepting CONNECTACK carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectAccepted {
    /// How many BNDUPDs the secondary takes without having answered them; at least 1.
    pub max_unacked_bndupd: u32,
    /// The secondary's tReceive, in whole seconds.
    pub receive_timer: Interval,
    /// vendor-class-identifier.
    pub vendor_class: Vec<u8>,
    /// What one Tandem tells the other.
    pub tandem: Option<TandemInfo>,
}

/// STATE (F07 7.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateMessage {
    /// server-state; in STARTUP the state before the stop. Never STARTUP itself (F07-12.23-01).
    pub state: FailoverState,
    /// The STARTUP flag (F07-9.3.1-02).
    pub startup: bool,
    /// start-time-of-state.
    pub since: WireTime,
    /// What one Tandem tells the other.
    pub tandem: Option<TandemInfo>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_and_nothing_else_does() {
        for number in 0..=255 {
            match MessageType::from_number(number) {
                Some(kind) => assert_eq!(kind.number(), number),
                None => assert!(!(1..=12).contains(&number)),
            }
        }
    }

    /// F07-6.1-03.
    #[test]
    fn a_frame_has_12_to_2048_bytes() {
        assert_eq!(frame_length(&[0]), Ok(None));
        assert_eq!(frame_length(&[0, 12]), Ok(Some(12)));
        assert_eq!(frame_length(&[8, 0, 9, 9]), Ok(Some(2048)));
        assert_eq!(frame_length(&[0, 11]), Err(FrameError(11)));
        assert_eq!(frame_length(&[8, 1]), Err(FrameError(2049)));
    }

    /// D12-12.22-01.
    #[test]
    fn a_name_has_1_to_255_bytes() {
        assert_eq!(RelationshipName::new(b""), None);
        assert_eq!(RelationshipName::new(&[b'a'; 256]), None);
        assert_eq!(RelationshipName::new(b"campus\n").unwrap().to_string(), "campus\\n");
    }
}
