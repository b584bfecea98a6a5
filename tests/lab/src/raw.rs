//! Packets that no client would send.
//!
//! *Lives here:* frames made by hand, and the way to put them on a wire; messages of DHCP byte by byte.
//! *Must not know:* what a server should make of them.

use crate::build;
use crate::node::Node;
use std::fs;
use std::net::Ipv4Addr;

/// A message of DHCP as its bytes, to be spoilt at will.
pub fn message(kind: u8, mac: [u8; 6], xid: u32, options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 236];
    bytes[0..4].copy_from_slice(&[1, 1, 6, 0]);
    bytes[4..8].copy_from_slice(&xid.to_be_bytes());
    // The broadcast flag: an answer would be seen by all.
    bytes[10] = 0x80;
    bytes[28..34].copy_from_slice(&mac);
    bytes.extend([99, 130, 83, 99, 53, 1, kind]);
    for (code, value) in options {
        bytes.extend([*code, u8::try_from(value.len()).unwrap()]);
        bytes.extend(*value);
    }
    bytes.push(255);
    bytes
}

/// A UDP datagram with header, its length as it should be, without a checksum.
pub fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap_or(u16::MAX);
    [&from.to_be_bytes()[..], &to.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
}

/// An IPv4 packet around `body`: `fragment` is the field with flags and offset.
pub fn ipv4(from: Ipv4Addr, to: Ipv4Addr, id: u16, fragment: u16, body: &[u8]) -> Vec<u8> {
    let total = u16::try_from(body.len() + 20).unwrap_or(u16::MAX);
    let mut head = vec![0x45, 0];
    head.extend(total.to_be_bytes());
    head.extend(id.to_be_bytes());
    head.extend(fragment.to_be_bytes());
    head.extend([64, 17, 0, 0]);
    head.extend(from.octets());
    head.extend(to.octets());
    seal(&mut head);
    [head, body.to_vec()].concat()
}

/// Puts the right checksum into an IPv4 header.
pub fn seal(header: &mut [u8]) {
    header[10..12].copy_from_slice(&[0, 0]);
    let mut sum: u32 = header.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    header[10..12].copy_from_slice(&(!u16::try_from(sum).unwrap()).to_be_bytes());
}

/// A frame of IPv4 to everybody on the wire, or to one.
pub fn frame(to: [u8; 6], from: [u8; 6], packet: &[u8]) -> Vec<u8> {
    [&to[..], &from, &[8, 0], packet].concat()
}

/// The frames of one large datagram, cut as the wire demands.
pub fn fragments(mac: [u8; 6], from: Ipv4Addr, to: Ipv4Addr, id: u16, datagram: &[u8]) -> Vec<Vec<u8>> {
    const PIECE: usize = 1480;
    let pieces: Vec<&[u8]> = datagram.chunks(PIECE).collect();
    let last = pieces.len() - 1;
    let pieces = pieces.into_iter().enumerate();
    pieces
        .map(|(n, piece)| {
            let offset = u16::try_from(n * PIECE / 8).unwrap();
            let more = if n < last { 0x2000 } else { 0 };
            frame([0xff; 6], mac, &ipv4(from, to, id, more | offset, piece))
        })
        .collect()
}

/// Puts frames on the wire, as they are, from an interface of a node, `pause` microseconds apart.
#[track_caller]
pub fn send(node: &Node, interface: &str, frames: &[Vec<u8>], pause: u32) {
    let program = node.folder().join("frames");
    if !program.exists() {
        build::compiled("frames.c", &program, &[]);
    }
    let mut bytes = Vec::new();
    for frame in frames {
        bytes.extend(u32::try_from(frame.len()).unwrap().to_le_bytes());
        bytes.extend(frame);
    }
    let file = node.folder().join("frames.bin");
    fs::write(&file, bytes).unwrap();
    node.run(&format!("{} {interface} {pause} < {}", program.display(), file.display()));
}
