//! A received message, checked once.
//!
//! *Lives here:* [`Message`], the view of a received packet; [`Refusal`], the reasons for which one is not let in.
//! *May know:* the layout of RFC 2131 section 2, overload (RFC 2131 4.1), long options (RFC 3396).
//! *Must not know:* what a server does with a message.

pub use crate::hardware::HardwareAddress;
pub use crate::message_type::MessageType;
pub use crate::value::OptionValue;

use crate::options::code;
use crate::relay::RelayAgentInformation;
use crate::value::Areas;
use std::fmt;
use std::net::Ipv4Addr;

/// Fewest bytes of a DHCP message: the fixed fields and the magic cookie.
pub const MIN_MESSAGE_SIZE: usize = 240;

/// Most bytes of a message that [`Message::parse`] takes. Clients and relays send up to 1,472; what is longer is no
/// client's message, and refused unread.
pub const MAX_MESSAGE_SIZE: usize = 4096;

/// Where the fields lie (RFC 2131 figure 1).
pub(crate) mod layout {
    use std::ops::Range;

    pub(crate) const SNAME: Range<usize> = 44..108;
    pub(crate) const FILE: Range<usize> = 108..236;
    pub(crate) const COOKIE: Range<usize> = 236..240;
    pub(crate) const OPTIONS: usize = 240;
    pub(crate) const MAGIC_COOKIE: [u8; 4] = [99, 130, 83, 99];
}

/// A DHCP message as it came, checked once by [`parse`](Self::parse): afterwards no accessor fails, panics or
/// allocates. It borrows the packet and keeps an index of its options.
#[derive(Clone)]
pub struct Message<'a> {
    bytes: &'a [u8],
    header: &'a [u8; MIN_MESSAGE_SIZE],
    op: Op,
    #[expect(clippy::struct_field_names, reason = "the name that RFC 2132 gives it")]
    message_type: Option<MessageType>,
    areas: Areas<'a>,
    index: Index,
}

impl<'a> Message<'a> {
    /// Checks a packet (the payload of UDP).
    ///
    /// Lets in everything whose structure is certain, whatever its options hold: an option whose own length is wrong
    /// counts as absent and hides no other. Refused is a message whose structure is in doubt; see [`Refusal`].
    /// A missing END is tolerated, and what follows END is not looked at.
    pub fn parse(bytes: &'a [u8]) -> Result<Message<'a>, Refusal> {
        if bytes.len() > MAX_MESSAGE_SIZE {
            return Err(Refusal::TooLong);
        }
        let (header, options) = bytes.split_first_chunk::<MIN_MESSAGE_SIZE>().ok_or(Refusal::TooShort)?;
        let op = Op::from_number(header[0]).ok_or(Refusal::BadOp)?;
        if usize::from(header[2]) > HardwareAddress::MAX_LENGTH {
            return Err(Refusal::HlenTooLong);
        }
        if header[layout::COOKIE] != layout::MAGIC_COOKIE {
            return Err(Refusal::BadCookie);
        }

        let mut index = Index::new();
        index.enter(options, layout::OPTIONS).map_err(|Overrun| Refusal::OptionOverrun)?;
        let mut message =
            Message { bytes, header, op, message_type: None, areas: Areas([options, &[], &[]]), index };
        message.enter_overloaded_fields()?;
        message.message_type = message.check_message_type()?;
        Ok(message)
    }

    /// Follows option 52 into the fields that it names (RFC 2131 4.1). One that stands in such a field itself says
    /// nothing; nor does one of a wrong length or value.
    fn enter_overloaded_fields(&mut self) -> Result<(), Refusal> {
        let overload = self.option(code::OPTION_OVERLOAD).and_then(|value| value.to_array::<1>());
        let (in_file, in_sname) = match overload {
            Some([1]) => (true, false),
            Some([2]) => (false, true),
            Some([3]) => (true, true),
            _ => (false, false),
        };
        if in_file {
            self.areas.0[1] = self.file();
            self.index.enter(self.file(), layout::FILE.start).map_err(|Overrun| Refusal::BadOverload)?;
        }
        if in_sname {
            self.areas.0[2] = self.sname();
            self.index.enter(self.sname(), layout::SNAME.start).map_err(|Overrun| Refusal::BadOverload)?;
        }
        Ok(())
    }

    /// An unreadable option 53 must not turn the message into one of BOOTP, so it is refused, not ignored.
    fn check_message_type(&self) -> Result<Option<MessageType>, Refusal> {
        let Some(value) = self.option(code::DHCP_MESSAGE_TYPE) else { return Ok(None) };
        let [number] = value.to_array::<1>().ok_or(Refusal::BadMessageType)?;
        MessageType::from_number(number).map(Some).ok_or(Refusal::BadMessageType)
    }

    /// The packet.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Who sends: a client or a server.
    pub const fn op(&self) -> Op {
        self.op
    }

    /// Hardware type; 1 is Ethernet.
    pub const fn htype(&self) -> u8 {
        self.header[1]
    }

    /// Length of the hardware address, 0 to 16 bytes.
    pub const fn hlen(&self) -> u8 {
        self.header[2]
    }

    /// Number of relay agents that the message has passed; what is too many, the server decides.
    pub const fn hops(&self) -> u8 {
        self.header[3]
    }

    /// Transaction, chosen by the client.
    pub fn xid(&self) -> TransactionId {
        TransactionId(u32::from_be_bytes(self.field(4)))
    }

    /// Seconds for which the client has been trying, as it says.
    pub fn secs(&self) -> u16 {
        u16::from_be_bytes(self.field(8))
    }

    /// The flags as they came; see [`is_broadcast`](Self::is_broadcast).
    pub fn flags(&self) -> u16 {
        u16::from_be_bytes(self.field(10))
    }

    /// Whether the client asks for a broadcast answer (RFC 2131 figure 2).
    pub fn is_broadcast(&self) -> bool {
        self.flags() & 0x8000 != 0
    }

    /// The client's address, as far as it has one.
    pub fn ciaddr(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.field(12))
    }

    /// "Your" address.
    pub fn yiaddr(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.field(16))
    }

    /// Next server for booting.
    pub fn siaddr(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.field(20))
    }

    /// The relay agent's address; 0.0.0.0 when the message came from the wire.
    pub fn giaddr(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.field(24))
    }

    /// The client's hardware address: `hlen` bytes of [`chaddr_field`](Self::chaddr_field), 0 to 16.
    pub fn chaddr(&self) -> &'a [u8] {
        let field: &'a [u8] = self.chaddr_field();
        field.get(..usize::from(self.hlen())).unwrap_or(field)
    }

    /// The whole field, as it is to be copied to a reply.
    pub fn chaddr_field(&self) -> &'a [u8; 16] {
        let (_, rest) = self.header.split_at(28);
        rest.first_chunk().unwrap_or(&[0; 16])
    }

    /// The field `sname`, all 64 bytes; options, when [option 52](code::OPTION_OVERLOAD) says so.
    pub fn sname(&self) -> &'a [u8] {
        &self.header[layout::SNAME]
    }

    /// The field `file`, all 128 bytes; options, when [option 52](code::OPTION_OVERLOAD) says so.
    pub fn file(&self) -> &'a [u8] {
        &self.header[layout::FILE]
    }

    /// `htype` and the `hlen` bytes of `chaddr`.
    pub fn hardware_address(&self) -> HardwareAddress {
        // parse has seen that hlen is at most 16: the other arm is never taken.
        HardwareAddress::new(self.htype(), self.chaddr()).unwrap_or(HardwareAddress::ethernet([0; 6]))
    }

    /// Kind of the message; `None` when option 53 is absent: a message of BOOTP.
    pub const fn message_type(&self) -> Option<MessageType> {
        self.message_type
    }

    /// The value of an option: all parts of it together (RFC 3396 section 7), from the options field, then `file`,
    /// then `sname`. Of any length, 0 too; the typed accessors below look at that.
    pub fn option(&self, code: u8) -> Option<OptionValue<'a>> {
        let at = self.index.first(code)?;
        if self.index.is_repeated(code) {
            return Some(OptionValue::concatenated(self.areas, code));
        }
        let length = usize::from(*self.bytes.get(at + 1)?);
        self.bytes.get(at + 2..at + 2 + length).map(OptionValue::from_slice)
    }

    /// Whether there is such an option, of whatever length.
    pub fn has_option(&self, code: u8) -> bool {
        self.index.first(code).is_some()
    }

    /// Options as they lie in the message, parts apart, without PAD and END: options field, `file`, `sname`.
    pub fn options(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        self.areas.segments()
    }

    /// The address that the client asks for (option 50).
    pub fn requested_address(&self) -> Option<Ipv4Addr> {
        self.address(code::REQUESTED_ADDRESS)
    }

    /// The server that the client has chosen (option 54).
    pub fn server_identifier(&self) -> Option<Ipv4Addr> {
        self.address(code::SERVER_IDENTIFIER)
    }

    /// The lease time for which the client asks, in seconds; 0xffffffff is for ever (option 51).
    pub fn lease_time(&self) -> Option<u32> {
        self.option(code::LEASE_TIME)?.to_array().map(u32::from_be_bytes)
    }

    /// The largest message that the client takes, in bytes with the IP and UDP headers, at least 576: a smaller
    /// number counts as 576 (option 57, RFC 2132 9.10).
    pub fn max_message_size(&self) -> Option<u16> {
        let size = self.option(code::MAX_MESSAGE_SIZE)?.to_array().map(u16::from_be_bytes)?;
        Some(size.max(576))
    }

    /// The codes of the options for which the client asks, in its order of preference; at least one (option 55).
    pub fn parameter_request_list(&self) -> Option<OptionValue<'a>> {
        self.not_empty(code::PARAMETER_REQUEST_LIST)
    }

    /// The client-identifier; at least one byte (option 61). RFC 2132 9.14 asks for two; a single one still tells
    /// clients apart, and is taken.
    pub fn client_identifier(&self) -> Option<OptionValue<'a>> {
        self.not_empty(code::CLIENT_IDENTIFIER)
    }

    /// What the relay agent has added (option 82). Of any length, 0 too, since it is to be echoed as it is.
    pub fn relay_agent_information(&self) -> Option<RelayAgentInformation<'a>> {
        self.option(code::RELAY_AGENT_INFORMATION).map(RelayAgentInformation::new)
    }

    /// The client's name as it came: any bytes, at least one (option 12).
    pub fn host_name(&self) -> Option<OptionValue<'a>> {
        self.not_empty(code::HOST_NAME)
    }

    /// The vendor class identifier: any bytes, at least one (option 60).
    pub fn vendor_class(&self) -> Option<OptionValue<'a>> {
        self.not_empty(code::VENDOR_CLASS_IDENTIFIER)
    }

    /// The subnet from which the client wants an address (option 118, RFC 3011).
    pub fn subnet_selection(&self) -> Option<Ipv4Addr> {
        self.address(code::SUBNET_SELECTION)
    }

    /// Codes of the options that are there and yet count as absent, because their length is wrong: to be counted.
    pub fn ignored_options(&self) -> impl Iterator<Item = u8> + '_ {
        const LENGTHS: [(u8, Option<usize>); 10] = [
            (code::HOST_NAME, None),
            (code::REQUESTED_ADDRESS, Some(4)),
            (code::LEASE_TIME, Some(4)),
            (code::OPTION_OVERLOAD, Some(1)),
            (code::SERVER_IDENTIFIER, Some(4)),
            (code::PARAMETER_REQUEST_LIST, None),
            (code::MAX_MESSAGE_SIZE, Some(2)),
            (code::VENDOR_CLASS_IDENTIFIER, None),
            (code::CLIENT_IDENTIFIER, None),
            (code::SUBNET_SELECTION, Some(4)),
        ];
        LENGTHS.into_iter().filter_map(|(code, exactly)| {
            let length = self.option(code)?.len();
            let right = exactly.map_or(length > 0, |exactly| length == exactly);
            (!right).then_some(code)
        })
    }

    fn address(&self, code: u8) -> Option<Ipv4Addr> {
        self.option(code)?.to_array::<4>().map(Ipv4Addr::from)
    }

    fn not_empty(&self, code: u8) -> Option<OptionValue<'a>> {
        self.option(code).filter(|value| !value.is_empty())
    }

    /// `N` bytes of the header, all of them within it.
    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.header[at..at + N]);
        field
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("op", &self.op)
            .field("message_type", &self.message_type)
            .field("xid", &self.xid())
            .field("hardware_address", &self.hardware_address())
            .field("ciaddr", &self.ciaddr())
            .field("yiaddr", &self.yiaddr())
            .field("giaddr", &self.giaddr())
            .field("flags", &self.flags())
            .field("options", &Options(self))
            .finish_non_exhaustive()
    }
}

/// The options of a message, for `Debug`.
struct Options<'m, 'a>(&'m Message<'a>);

impl fmt::Debug for Options<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.0.options().map(|(code, value)| (code, OptionValue::from_slice(value)));
        f.debug_map().entries(options).finish()
    }
}

/// Where the options of a message lie: for each code the place of its first, and whether there are more.
#[derive(Clone)]
struct Index {
    /// Offset of the option in the packet; 0 for none.
    first: [u16; 256],
    repeated: [u64; 4],
}

/// An option does not fit into its field.
struct Overrun;

impl Index {
    const fn new() -> Index {
        Index { first: [0; 256], repeated: [0; 4] }
    }

    /// Enters the options of a field that begins at `start` of the packet.
    fn enter(&mut self, area: &[u8], start: usize) -> Result<(), Overrun> {
        let mut rest = area;
        loop {
            match rest {
                [] | [code::END, ..] => return Ok(()),
                [code::PAD, after @ ..] => rest = after,
                [option, length, after @ ..] => {
                    let at = u16::try_from(start + area.len() - rest.len()).map_err(|_| Overrun)?;
                    rest = after.get(usize::from(*length)..).ok_or(Overrun)?;
                    let first = &mut self.first[usize::from(*option)];
                    if *first == 0 {
                        *first = at;
                    } else {
                        self.repeated[usize::from(*option >> 6)] |= 1 << (*option & 63);
                    }
                }
                [_] => return Err(Overrun),
            }
        }
    }

    fn first(&self, code: u8) -> Option<usize> {
        match self.first[usize::from(code)] {
            0 => None,
            at => Some(usize::from(at)),
        }
    }

    const fn is_repeated(&self, code: u8) -> bool {
        self.repeated[(code >> 6) as usize] & (1 << (code & 63)) != 0
    }
}

/// Who sends a message (RFC 2131 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Op {
    /// A client, to servers.
    BootRequest = 1,
    /// A server, to clients.
    BootReply = 2,
}

impl Op {
    /// The number in the field `op`.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The op with this number; `None` for a number that names none.
    pub const fn from_number(number: u8) -> Option<Op> {
        match number {
            1 => Some(Op::BootRequest),
            2 => Some(Op::BootReply),
            _ => None,
        }
    }
}

/// A transaction of a client: the field `xid`. As text eight hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub u32);

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransactionId({self})")
    }
}

/// Why [`Message::parse`] does not let a packet in. Each reason is to be counted apart; see [`index`](Self::index).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[repr(u8)]
pub enum Refusal {
    /// Fewer bytes than [`MIN_MESSAGE_SIZE`].
    #[error("shorter than the 240 bytes that every DHCP message has")]
    TooShort,
    /// More bytes than [`MAX_MESSAGE_SIZE`].
    #[error("longer than 4096 bytes")]
    TooLong,
    /// The field `op` says neither BOOTREQUEST nor BOOTREPLY.
    #[error("op is neither 1 (BOOTREQUEST) nor 2 (BOOTREPLY)")]
    BadOp,
    /// `hlen` is more than the 16 bytes of `chaddr`.
    #[error("hlen is more than the 16 bytes that chaddr has")]
    HlenTooLong,
    /// The magic cookie is missing (RFC 2131 section 3): BOOTP without options, or not for us.
    #[error("no magic cookie before the options")]
    BadCookie,
    /// An option of the options field has no length, or is longer than what is left of the message: it was cut.
    #[error("an option is longer than the rest of the message")]
    OptionOverrun,
    /// The same in `file` or `sname`, of which option 52 says that they hold options.
    #[error(
        "an option in file or sname is longer than the rest of the field, though option 52 promises options there"
    )]
    BadOverload,
    /// Option 53 has not one byte, or one that names no kind of message.
    #[error("option 53 names no kind of message")]
    BadMessageType,
}

impl Refusal {
    /// All of them, in the order of [`index`](Self::index).
    pub const ALL: [Refusal; 8] = [
        Refusal::TooShort,
        Refusal::TooLong,
        Refusal::BadOp,
        Refusal::HlenTooLong,
        Refusal::BadCookie,
        Refusal::OptionOverrun,
        Refusal::BadOverload,
        Refusal::BadMessageType,
    ];

    /// Its place in [`ALL`](Self::ALL), for an array of counters.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Refusal::TooShort => "too-short",
            Refusal::TooLong => "too-long",
            Refusal::BadOp => "bad-op",
            Refusal::HlenTooLong => "hlen-too-long",
            Refusal::BadCookie => "bad-cookie",
            Refusal::OptionOverrun => "option-overrun",
            Refusal::BadOverload => "bad-overload",
            Refusal::BadMessageType => "bad-message-type",
        }
    }
}
