//! DHCPv4: bytes to values and back (RFC 2131, 2132, 3046, 3396).
//!
//! *Lives here:* the checked view of a received message ([`Message`]), the writer of replies ([`Writer`]), option 82
//! ([`RelayAgentInformation`]), the identity of a client ([`ClientIdentity`]), the table of options ([`options`]) and
//! the encoders of their values ([`encode`]).
//! *May know:* the RFCs that define messages and options.
//! *Must not know:* bindings, pools, configuration, failover; sockets, clocks, disks, threads, randomness.
//!
//! Bytes come from strangers. [`Message::parse`] checks them once, in one pass and without allocation; what it refuses
//! it refuses with a [`Refusal`] that can be counted, and on what it lets through no accessor can fail.

pub mod encode;
pub mod hardware;
pub mod identity;
pub mod message;
pub mod message_type;
pub mod options;
pub mod relay;
pub mod value;
pub mod writer;

pub use hardware::HardwareAddress;
pub use identity::{ClientIdentity, NoIdentity};
pub use message::{Message, Op, Refusal, TransactionId};
pub use message_type::MessageType;
pub use options::{OptionDefinition, OptionFormat, code};
pub use relay::RelayAgentInformation;
pub use value::OptionValue;
pub use writer::{NoRoom, ReplyHeader, Writer};
