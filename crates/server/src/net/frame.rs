//! IPv4 and UDP headers around a reply that leaves by a packet socket.
//!
//! *Lives here:* [`write`].
//! *Must not know:* Ethernet headers, which the kernel writes.
//!
//! The UDP checksum is whole: a broadcast of an ordinary socket crosses veth and virtio with an unfinished one, and
//! clients that read raw frames drop it.

use etherparse::{IpNumber, Ipv4Header, UdpHeader};
use std::net::Ipv4Addr;

/// Port of servers and relays.
pub(crate) const SERVER_PORT: u16 = 67;

/// Port of clients.
pub(crate) const CLIENT_PORT: u16 = 68;

/// Bytes of both headers.
const HEADERS: usize = Ipv4Header::MIN_LEN + UdpHeader::LEN;

/// Time to live of what we send on the link; a relay may be asked to route it on.
const TIME_TO_LIVE: u8 = 64;

/// Writes the packet from port 67 to port 68 into `buffer`; its length, or `None` when there is no room.
pub(crate) fn write(
    buffer: &mut [u8],
    source: Ipv4Addr,
    destination: Ipv4Addr,
    payload: &[u8],
) -> Option<usize> {
    let length = HEADERS + payload.len();
    let packet = buffer.get_mut(..length)?;
    let datagram = u16::try_from(UdpHeader::LEN + payload.len()).ok()?;
    let mut ip =
        Ipv4Header::new(datagram, TIME_TO_LIVE, IpNumber::UDP, source.octets(), destination.octets()).ok()?;
    ip.header_checksum = ip.calc_header_checksum();
    let udp = UdpHeader::with_ipv4_checksum(SERVER_PORT, CLIENT_PORT, &ip, payload).ok()?;
    packet[..Ipv4Header::MIN_LEN].copy_from_slice(&ip.to_bytes());
    packet[Ipv4Header::MIN_LEN..HEADERS].copy_from_slice(&udp.to_bytes());
    packet[HEADERS..].copy_from_slice(payload);
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Internet checksum (RFC 1071) over 16-bit words, an odd byte padded with zero.
    fn sum(parts: &[&[u8]]) -> u16 {
        let bytes = parts.concat();
        let mut sum: u32 = bytes
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
            .sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::try_from(sum).unwrap()
    }

    const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    #[test]
    fn the_bytes_are_these() {
        let mut buffer = [0xaa; 64];
        let length = write(&mut buffer, SOURCE, Ipv4Addr::BROADCAST, b"abc").unwrap();
        let expected = [
            0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17, 0x30, 0xce, 10, 0, 0, 1, 255, 255, 255, 255, // IPv4
            0, 67, 0, 68, 0, 11, 0x30, 0xee, b'a', b'b', b'c', // UDP
        ];
        assert_eq!(&buffer[..length], &expected);
        assert_eq!(buffer[length], 0xaa, "nothing behind the packet is touched");
    }

    #[test]
    fn both_checksums_are_whole_for_every_length() {
        for length in 0..600_usize {
            let payload: Vec<u8> = (0..length).map(|at| u8::try_from(at * 7 % 256).unwrap()).collect();
            let mut buffer = [0; 1500];
            let total = write(&mut buffer, SOURCE, Ipv4Addr::new(10, 0, 0, 77), &payload).unwrap();
            let (ip, udp) = buffer[..total].split_at(20);
            assert_eq!(sum(&[ip]), 0xffff, "header of {length}");
            let pseudo = [0, 17, udp[4], udp[5]];
            assert_eq!(sum(&[&ip[12..20], &pseudo, udp]), 0xffff, "datagram of {length}");
            assert_ne!(udp[6..8], [0, 0], "zero would mean: no checksum");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(write(&mut [0; 30], SOURCE, Ipv4Addr::BROADCAST, b"abc"), None);
        assert_eq!(write(&mut [0; 31], SOURCE, Ipv4Addr::BROADCAST, b"abc"), Some(31));
    }
}
