//! The messages of a client, and what an answer says.
//!
//! *Lives here:* [`Ask`] and its bytes; [`Answer`].
//! *Must not know:* how messages travel; what has become of a client.

use dhcp::{
    HardwareAddress, MessageType, Op, RelayAgentInformation, ReplyHeader, TransactionId, Writer, code,
};
use std::net::Ipv4Addr;

/// Where the options begin, behind the cookie.
const OPTIONS: usize = 240;

/// What a client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// DISCOVER, REQUEST or RELEASE.
    pub kind: MessageType,
    /// By which the answer is known again.
    pub xid: u32,
    /// Its hardware address.
    pub hardware: [u8; 6],
    /// The address that it has; unspecified before.
    pub ciaddr: Ipv4Addr,
    /// The relay that it is behind, if it asks by that, and the port of the relay that it is at.
    pub relay: Option<(Ipv4Addr, u32)>,
    /// The address that it was offered and wants.
    pub requested: Option<Ipv4Addr>,
    /// The server that it speaks to, where it has to name one.
    pub server: Option<Ipv4Addr>,
}

impl Ask {
    /// Writes the message; its length.
    pub fn write(&self, buffer: &mut [u8]) -> usize {
        let mut chaddr = [0; 16];
        chaddr[..6].copy_from_slice(&self.hardware);
        let header = ReplyHeader {
            op: Op::BootRequest,
            htype: HardwareAddress::ETHERNET,
            hlen: 6,
            hops: u8::from(self.relay.is_some()),
            xid: TransactionId(self.xid),
            secs: 0,
            flags: 0,
            ciaddr: self.ciaddr,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: self.relay.map_or(Ipv4Addr::UNSPECIFIED, |(address, _)| address),
            chaddr,
        };
        let limit = buffer.len();
        let mut writer = Writer::new(buffer, &header, limit);
        writer.message_type(self.kind);
        let mut put = |code: u8, value: &[u8]| {
            // A buffer for a frame holds all of these.
            let _ = writer.option(code, value);
        };
        if let Some(address) = self.requested {
            put(code::REQUESTED_ADDRESS, &address.octets());
        }
        if let Some(server) = self.server {
            put(code::SERVER_IDENTIFIER, &server.octets());
        }
        put(code::PARAMETER_REQUEST_LIST, &[1, 3, 6, 15, 28, 51, 58, 59]);
        let Some((_, port)) = self.relay else { return writer.finish(None) };
        let [_, a, b, c] = port.to_be_bytes();
        // RFC 3046: circuit id, as a switch would fill it.
        let information = [1, 6, 0, 4, 0, a, b, c];
        writer.finish(Some(&RelayAgentInformation::from_bytes(&information)))
    }
}

/// What of an answer is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Whose it is.
    pub xid: u32,
    /// The client's hardware address.
    pub hardware: [u8; 6],
    /// yiaddr.
    pub address: Ipv4Addr,
    /// OFFER, ACK or NAK, as a number.
    pub kind: u8,
    /// Server-identifier.
    pub server: Ipv4Addr,
}

impl Answer {
    /// Reads a message of a server; `None` for anything else.
    pub fn read(message: &[u8]) -> Option<Answer> {
        let (head, mut options) = message.split_at_checked(OPTIONS)?;
        if head[0] != 2 || head[236..] != [99, 130, 83, 99] {
            return None;
        }
        let (mut kind, mut server) = (None, None);
        while let [code, rest @ ..] = options {
            match code {
                0 => options = rest,
                255 => break,
                code => {
                    let (length, rest) = rest.split_first()?;
                    let (value, rest) = rest.split_at_checked(usize::from(*length))?;
                    match code {
                        53 => kind = value.first().copied(),
                        54 => server = value.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets)),
                        _ => {}
                    }
                    options = rest;
                }
            }
        }
        Some(Answer {
            xid: u32::from_be_bytes(*head[4..].first_chunk()?),
            hardware: *head[28..].first_chunk()?,
            address: Ipv4Addr::from(*head[16..].first_chunk::<4>()?),
            kind: kind?,
            server: server?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhcp::Message;

    #[test]
    fn what_is_asked_is_what_the_codec_reads() {
        let ask = Ask {
            kind: MessageType::Request,
            xid: 0x0102_0304,
            hardware: [2, 0, 0, 1, 2, 3],
            ciaddr: Ipv4Addr::UNSPECIFIED,
            relay: Some((Ipv4Addr::new(10, 64, 0, 1), 513)),
            requested: Some(Ipv4Addr::new(10, 64, 0, 77)),
            server: Some(Ipv4Addr::new(10, 99, 0, 2)),
        };
        let mut buffer = [0xaa; 1472];
        let length = ask.write(&mut buffer);
        let message = Message::parse(&buffer[..length]).unwrap();
        assert_eq!((message.xid().0, message.giaddr()), (0x0102_0304, Ipv4Addr::new(10, 64, 0, 1)));
        assert_eq!(length, 300, "no longer than the shortest message of BOOTP");
        assert_eq!(Answer::read(&buffer[..length]), None, "it is no answer");
        // The same as a server would send it.
        buffer[0] = 2;
        buffer[16..20].copy_from_slice(&[10, 64, 0, 77]);
        let answer = Answer::read(&buffer[..length]).unwrap();
        assert_eq!((answer.xid, answer.hardware, answer.kind), (ask.xid, ask.hardware, 3));
        assert_eq!(answer.address, Ipv4Addr::new(10, 64, 0, 77));
        assert_eq!(answer.server, Ipv4Addr::new(10, 99, 0, 2));
        for cut in 0..250 {
            assert_eq!(Answer::read(&buffer[..cut]), None, "cut at {cut}");
        }
    }
}
