//! Ethernet frames with a UDP datagram in them.
//!
//! *Lives here:* [`Ends`], from whom to whom a frame goes; [`write()`] and [`read`].
//! *Must not know:* what the datagram says.

use std::net::Ipv4Addr;

/// Bytes before the payload: Ethernet, IPv4 without options, UDP.
pub const HEADERS: usize = 14 + 20 + 8;

/// From whom to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Hardware addresses: source and destination.
    pub hardware: ([u8; 6], [u8; 6]),
    /// Addresses: source and destination.
    pub addresses: (Ipv4Addr, Ipv4Addr),
    /// Ports: source and destination.
    pub ports: (u16, u16),
}

/// Writes the headers before the `length` bytes of payload that stand at [`HEADERS`]; the length of the frame.
///
/// # Panics
/// When the buffer has no room for the frame.
pub fn write(frame: &mut [u8], ends: &Ends, length: usize) -> usize {
    frame[0..6].copy_from_slice(&ends.hardware.1);
    frame[6..12].copy_from_slice(&ends.hardware.0);
    frame[12..14].copy_from_slice(&[8, 0]);
    let field = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    let ip = &mut frame[14..34];
    ip.copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    ip[2..4].copy_from_slice(&field(28 + length));
    ip[12..16].copy_from_slice(&ends.addresses.0.octets());
    ip[16..20].copy_from_slice(&ends.addresses.1.octets());
    let sum = checksum(ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    // No checksum over the payload: IPv4 leaves it to the sender.
    let udp = &mut frame[34..42];
    udp[0..2].copy_from_slice(&ends.ports.0.to_be_bytes());
    udp[2..4].copy_from_slice(&ends.ports.1.to_be_bytes());
    udp[4..6].copy_from_slice(&field(8 + length));
    udp[6..8].copy_from_slice(&[0, 0]);
    HEADERS + length
}

/// The hardware address that a frame is for, its destination port, and what the datagram in it says; `None` for all that is
/// no UDP over IPv4.
pub fn read(frame: &[u8]) -> Option<([u8; 6], u16, &[u8])> {
    let (ethernet, packet) = frame.split_first_chunk::<14>()?;
    let head = packet.first_chunk::<20>()?;
    if ethernet[12..14] != [8, 0] || head[0] >> 4 != 4 || head[9] != 17 {
        return None;
    }
    let total = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let udp = packet.get(usize::from(head[0] & 0x0f) * 4..total)?;
    let (ports, payload) = udp.split_first_chunk::<8>()?;
    let to = [ethernet[0], ethernet[1], ethernet[2], ethernet[3], ethernet[4], ethernet[5]];
    Some((to, u16::from_be_bytes([ports[2], ports[3]]), payload))
}

fn checksum(header: &[u8]) -> u16 {
    let mut sum: u32 =
        header.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_its_header_adds_up() {
        let ends = Ends {
            hardware: ([2, 0, 0, 0, 0, 7], [0xff; 6]),
            addresses: (Ipv4Addr::new(10, 1, 2, 3), Ipv4Addr::BROADCAST),
            ports: (68, 67),
        };
        let mut frame = [0xaa; 100];
        frame[HEADERS..HEADERS + 3].copy_from_slice(b"abc");
        let length = write(&mut frame, &ends, 3);
        assert_eq!(read(&frame[..length]), Some(([0xff; 6], 67, &b"abc"[..])));
        assert_eq!(checksum(&frame[14..34]), 0, "with its checksum, a header adds up to nothing");
        // What Ethernet adds to a short frame does not belong to the datagram.
        assert_eq!(read(&frame), Some(([0xff; 6], 67, &b"abc"[..])));
        for cut in 0..length {
            assert_eq!(read(&frame[..cut]), None, "cut at {cut}");
        }
        frame[23] = 6;
        assert_eq!(read(&frame[..length]), None, "TCP");
    }
}
