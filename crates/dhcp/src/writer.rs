//! The writer of messages.
//!
//! *Lives here:* [`Writer`], which puts a message into a buffer without allocating; [`ReplyHeader`], its fixed fields.
//! *May know:* the layout of RFC 2131, the limits of RFC 2132, long options (RFC 3396), the place of option 82.
//! *Must not know:* which options an answer has.

use crate::message::{Message, MessageType, Op, TransactionId, layout};
use crate::options::code;
use crate::relay::RelayAgentInformation;
use std::net::Ipv4Addr;

/// Bytes that every client takes: the 576 of RFC 2131 section 2 without the headers of IP and UDP.
pub const MIN_LIMIT: usize = 548;

/// Bytes that a message has at least (RFC 1542 2.1); old relay agents drop what is shorter.
pub const PADDED_SIZE: usize = 300;

/// The fixed fields of a message (RFC 2131 section 2), without `sname` and `file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyHeader {
    /// Who sends.
    pub op: Op,
    /// Hardware type.
    pub htype: u8,
    /// Length of the hardware address.
    pub hlen: u8,
    /// Relay agents passed.
    pub hops: u8,
    /// Transaction of the client.
    pub xid: TransactionId,
    /// Seconds since the client began.
    pub secs: u16,
    /// Bit 15: broadcast.
    pub flags: u16,
    /// Address of the client, in a DHCPACK as in the DHCPREQUEST.
    pub ciaddr: Ipv4Addr,
    /// Address for the client.
    pub yiaddr: Ipv4Addr,
    /// Next server for booting.
    pub siaddr: Ipv4Addr,
    /// Address of the relay agent.
    pub giaddr: Ipv4Addr,
    /// Hardware address of the client, the whole field.
    pub chaddr: [u8; 16],
}

impl ReplyHeader {
    /// The fields of an answer to `message` as RFC 2131 table 3 has them: from the client `htype`, `hlen`, `xid`,
    /// `flags`, `giaddr` and `chaddr`; all else zero. `yiaddr`, `siaddr`, and `ciaddr` of a DHCPACK, are the caller's.
    pub fn answering(message: &Message<'_>) -> ReplyHeader {
        ReplyHeader {
            op: Op::BootReply,
            htype: message.htype(),
            hlen: message.hlen(),
            hops: 0,
            xid: message.xid(),
            secs: 0,
            flags: message.flags(),
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: message.giaddr(),
            chaddr: *message.chaddr_field(),
        }
    }

    fn write(&self, buffer: &mut [u8; layout::OPTIONS]) {
        buffer[0] = self.op.number();
        buffer[1] = self.htype;
        buffer[2] = self.hlen;
        buffer[3] = self.hops;
        buffer[4..8].copy_from_slice(&self.xid.0.to_be_bytes());
        buffer[8..10].copy_from_slice(&self.secs.to_be_bytes());
        buffer[10..12].copy_from_slice(&self.flags.to_be_bytes());
        buffer[12..16].copy_from_slice(&self.ciaddr.octets());
        buffer[16..20].copy_from_slice(&self.yiaddr.octets());
        buffer[20..24].copy_from_slice(&self.siaddr.octets());
        buffer[24..28].copy_from_slice(&self.giaddr.octets());
        buffer[28..44].copy_from_slice(&self.chaddr);
        buffer[44..236].fill(0);
        buffer[layout::COOKIE].copy_from_slice(&layout::MAGIC_COOKIE);
    }
}

/// An option was not written, and the message is as it was: nowhere is there room left for it, or it never had a place
/// (see [`Writer::option`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no room for the option in the message")]
pub struct NoRoom;

/// Writes one message into a buffer, without allocating.
///
/// Options go to the options field; when one does not fit there any more, it goes to `file`, then `sname`, if these
/// are free, and option 52 says so (RFC 2131 4.1). The most important options are therefore to be written first, and
/// `sname` and `file` before all. Room for END, for option 53, for option 52 while it may come to that, and for what
/// [`reserve_for_relay_agent_information`](Self::reserve_for_relay_agent_information) asked, is kept aside.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    /// The message ends here at the latest.
    limit: usize,
    /// End of what is written of the options field.
    cursor: usize,
    /// Where the value of option 53 stands.
    message_type_at: Option<usize>,
    /// Where the value of option 52 stands.
    overload_at: Option<usize>,
    reserved: usize,
    file: Field,
    sname: Field,
    /// The client reads neither option 53 nor 52.
    is_bootp: bool,
    /// Codes written, one bit each.
    written: [u64; 4],
}

/// What `file` or `sname` is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Free,
    Named,
    Options { used: usize },
}

impl<'b> Writer<'b> {
    /// Begins a message.
    ///
    /// `limit` is the most bytes that it may have: the client's maximum DHCP message size (option 57) without 28 bytes
    /// of IP and UDP headers. Less than [`MIN_LIMIT`] counts as that; the buffer limits it too.
    ///
    /// # Panics
    ///
    /// When `buffer` has less than [`MIN_LIMIT`] bytes: a mistake of the program, never of what it received.
    pub fn new(buffer: &'b mut [u8], header: &ReplyHeader, limit: usize) -> Writer<'b> {
        assert!(buffer.len() >= MIN_LIMIT, "a buffer for a message has at least {MIN_LIMIT} bytes");
        let limit = limit.clamp(MIN_LIMIT, buffer.len());
        Writer::limited(buffer, header, limit)
    }

    /// Begins an answer to a BOOTP client, which has neither option 53 nor 52: `file` and `sname` are names or nothing
    /// (RFC 1534 2).
    ///
    /// `limit` is the most bytes that it may have: those of the request, for more the client is not known to take. Less than
    /// [`PADDED_SIZE`] counts as that (RFC 951 3, RFC 1542 2.1); the buffer limits it too.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn for_bootp(buffer: &'b mut [u8], header: &ReplyHeader, limit: usize) -> Writer<'b> {
        assert!(buffer.len() >= MIN_LIMIT, "a buffer for a message has at least {MIN_LIMIT} bytes");
        let limit = limit.clamp(PADDED_SIZE, buffer.len());
        Writer { is_bootp: true, ..Writer::limited(buffer, header, limit) }
    }

    fn limited(buffer: &'b mut [u8], header: &ReplyHeader, limit: usize) -> Writer<'b> {
        if let Some(fixed) = buffer.first_chunk_mut() {
            header.write(fixed);
        }
        Writer {
            buffer,
            limit,
            cursor: layout::OPTIONS,
            message_type_at: None,
            overload_at: None,
            reserved: 0,
            file: Field::Free,
            sname: Field::Free,
            is_bootp: false,
            written: [0; 4],
        }
    }

    /// Keeps room for the option 82 that [`finish`](Self::finish) is to echo. `NoRoom` when there is not enough: then
    /// the answer goes without it (RFC 3046 2.2), which is to be counted. Call it before writing options.
    pub fn reserve_for_relay_agent_information(
        &mut self,
        information: &RelayAgentInformation<'_>,
    ) -> Result<(), NoRoom> {
        let size = information.size();
        if size > self.room() + self.reserved {
            return Err(NoRoom);
        }
        self.reserved = size;
        Ok(())
    }

    /// Writes option 53. Some boot ROMs look for it at the start of the options: call it first. Always fits; a second
    /// call replaces the first.
    pub fn message_type(&mut self, message_type: MessageType) {
        let at = match self.message_type_at {
            Some(at) => at,
            None => self.put(code::DHCP_MESSAGE_TYPE, &[0]) - 1,
        };
        self.message_type_at = Some(at);
        self.buffer[at] = message_type.number();
    }

    /// Writes an option of any length, 0 too; one of more than 255 bytes in parts (RFC 3396). All of it goes to one
    /// field.
    ///
    /// `NoRoom` also for a code that has no place here: 0 and 255 are no options; 52, 53 and 82 are the writer's own;
    /// and a code that was written before (the client would take both values for one).
    pub fn option(&mut self, code: u8, value: &[u8]) -> Result<(), NoRoom> {
        if crate::options::is_structural(code) || self.contains(code) {
            return Err(NoRoom);
        }
        let needed = size(value);
        if needed <= self.room() {
            self.put(code, value);
        } else if self.is_bootp {
            return Err(NoRoom);
        } else {
            self.put_overloaded(code, value, needed)?;
        }
        self.written[usize::from(code >> 6)] |= 1 << (code & 63);
        Ok(())
    }

    /// Whether [`option`](Self::option) has written an option with this code.
    pub const fn contains(&self, code: u8) -> bool {
        self.written[(code >> 6) as usize] & (1 << (code & 63)) != 0
    }

    /// An option of one address; see [`option`](Self::option).
    pub fn address(&mut self, code: u8, address: Ipv4Addr) -> Result<(), NoRoom> {
        self.option(code, &address.octets())
    }

    /// An option of several addresses; see [`option`](Self::option). Without addresses there is no option.
    pub fn addresses(&mut self, code: u8, addresses: &[Ipv4Addr]) -> Result<(), NoRoom> {
        // 63 addresses are the most that a single part holds; more come as bytes.
        let mut bytes = [0; 252];
        if addresses.is_empty() {
            return Ok(());
        }
        if addresses.len() > 63 {
            return self.option(code, &crate::encode::addresses(addresses));
        }
        for (target, address) in bytes.chunks_exact_mut(4).zip(addresses) {
            target.copy_from_slice(&address.octets());
        }
        self.option(code, &bytes[..4 * addresses.len()])
    }

    /// An option of one byte; see [`option`](Self::option).
    pub fn u8(&mut self, code: u8, value: u8) -> Result<(), NoRoom> {
        self.option(code, &[value])
    }

    /// An option of two bytes; see [`option`](Self::option).
    pub fn u16(&mut self, code: u8, value: u16) -> Result<(), NoRoom> {
        self.option(code, &value.to_be_bytes())
    }

    /// An option of four bytes; see [`option`](Self::option).
    pub fn u32(&mut self, code: u8, value: u32) -> Result<(), NoRoom> {
        self.option(code, &value.to_be_bytes())
    }

    /// The server's name, at most 63 bytes (the field ends with a zero). `NoRoom` when it is longer, contains a zero,
    /// or the field is in use. An empty name leaves the field free.
    pub fn sname(&mut self, name: &[u8]) -> Result<(), NoRoom> {
        self.sname = name_field(&mut self.buffer[layout::SNAME], self.sname, name)?;
        Ok(())
    }

    /// The boot file's name, at most 127 bytes; see [`sname`](Self::sname).
    pub fn file(&mut self, name: &[u8]) -> Result<(), NoRoom> {
        self.file = name_field(&mut self.buffer[layout::FILE], self.file, name)?;
        Ok(())
    }

    /// Ends the message: option 82 as it came, byte for byte, last (RFC 3046 2.2: never in an overloaded field); END;
    /// zeros up to [`PADDED_SIZE`]. Returns its length.
    ///
    /// An option 82 for which no room was reserved, and for which there happens to be none, is left out.
    pub fn finish(mut self, relay_agent_information: Option<&RelayAgentInformation<'_>>) -> usize {
        if let Some(information) = relay_agent_information
            && information.size() < self.limit - self.cursor
        {
            for fragment in information.value().fragments() {
                self.put(code::RELAY_AGENT_INFORMATION, fragment);
            }
        }
        self.buffer[self.cursor] = code::END;
        self.cursor += 1;
        for (field, range) in [(self.file, layout::FILE), (self.sname, layout::SNAME)] {
            if let Field::Options { used } = field {
                self.buffer[range.start + used] = code::END;
            }
        }
        if self.cursor < PADDED_SIZE {
            self.buffer[self.cursor..PADDED_SIZE].fill(0);
        }
        self.cursor.max(PADDED_SIZE)
    }

    /// Bytes of the options field that are left for options.
    fn room(&self) -> usize {
        let mut kept = 1 + self.reserved;
        if self.is_bootp {
            return (self.limit - self.cursor).saturating_sub(kept);
        }
        if self.message_type_at.is_none() {
            kept += 3;
        }
        if self.overload_at.is_none() && (self.file == Field::Free || self.sname == Field::Free) {
            kept += 3;
        }
        (self.limit - self.cursor).saturating_sub(kept)
    }

    /// Writes to the options field, in which there is room; returns the new end.
    fn put(&mut self, code: u8, value: &[u8]) -> usize {
        self.cursor += write(&mut self.buffer[self.cursor..], code, value);
        self.cursor
    }

    fn put_overloaded(&mut self, code: u8, value: &[u8], needed: usize) -> Result<(), NoRoom> {
        for (bit, range) in [(1, layout::FILE), (2, layout::SNAME)] {
            let field = if bit == 1 { &mut self.file } else { &mut self.sname };
            let used = match *field {
                Field::Free => 0,
                Field::Named => continue,
                Field::Options { used } => used,
            };
            // One byte of each field is END's.
            if used + needed < range.len() {
                *field = Field::Options { used: used + needed };
                write(&mut self.buffer[range.start + used..range.end], code, value);
                self.set_overload(bit);
                return Ok(());
            }
        }
        Err(NoRoom)
    }

    fn set_overload(&mut self, bit: u8) {
        let at = match self.overload_at {
            Some(at) => at,
            None => self.put(code::OPTION_OVERLOAD, &[0]) - 1,
        };
        self.overload_at = Some(at);
        self.buffer[at] |= bit;
    }
}

/// Bytes that an option with this value needs, with its codes and lengths.
pub(crate) fn size(value: &[u8]) -> usize {
    value.len() + 2 * value.len().div_ceil(255).max(1)
}

/// Writes an option in parts of at most 255 bytes to the start of `target`, which has room; returns its size.
fn write(target: &mut [u8], code: u8, value: &[u8]) -> usize {
    let mut at = 0;
    let mut rest = value;
    loop {
        let (part, after) = rest.split_at(rest.len().min(255));
        target[at] = code;
        target[at + 1] = u8::try_from(part.len()).unwrap_or(u8::MAX);
        target[at + 2..at + 2 + part.len()].copy_from_slice(part);
        at += 2 + part.len();
        rest = after;
        if rest.is_empty() {
            return at;
        }
    }
}

fn name_field(target: &mut [u8], field: Field, name: &[u8]) -> Result<Field, NoRoom> {
    if name.is_empty() {
        return Ok(field);
    }
    if matches!(field, Field::Options { .. }) || name.len() >= target.len() || name.contains(&0) {
        return Err(NoRoom);
    }
    target.fill(0);
    target[..name.len()].copy_from_slice(name);
    Ok(Field::Named)
}
