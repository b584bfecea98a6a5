//! Readers for captures.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

/// One direction of one TCP connection.
pub type Flow = (Ipv4Addr, u16, Ipv4Addr, u16);

/// The bytes of every direction of every connection in a capture of Ethernet frames, retransmissions left out.
pub fn streams(name: &str) -> BTreeMap<Flow, Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(name);
    #[expect(clippy::disallowed_methods, reason = "a test reads what was captured")]
    let capture = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(capture[..4], [0xd4, 0xc3, 0xb2, 0xa1], "a little-endian pcap");
    assert_eq!(capture[20..24], [1, 0, 0, 0], "of Ethernet frames");
    let mut segments: BTreeMap<Flow, BTreeMap<u32, Vec<u8>>> = BTreeMap::new();
    let mut rest = &capture[24..];
    while let Some((head, after)) = rest.split_first_chunk::<16>() {
        let length = u32::from_le_bytes(head[8..12].try_into().unwrap()) as usize;
        let (frame, after) = after.split_at(length);
        rest = after;
        if let Some((flow, sequence, payload)) = tcp(&frame[14..])
            && !payload.is_empty()
        {
            segments.entry(flow).or_default().entry(sequence).or_insert_with(|| payload.to_vec());
        }
    }
    segments.into_iter().map(|(flow, segments)| (flow, joined(&segments))).collect()
}

fn tcp(packet: &[u8]) -> Option<(Flow, u32, &[u8])> {
    if packet[0] >> 4 != 4 || packet[9] != 6 {
        return None;
    }
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let address = |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
    let segment = &packet[usize::from(packet[0] & 15) * 4..total];
    let port = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
    let sequence = u32::from_be_bytes(segment[4..8].try_into().unwrap());
    let payload = &segment[usize::from(segment[12] >> 4) * 4..];
    Some(((address(12), port(0), address(16), port(2)), sequence, payload))
}

fn joined(segments: &BTreeMap<u32, Vec<u8>>) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut next = *segments.keys().next().unwrap();
    for (sequence, payload) in segments {
        assert!(*sequence <= next, "the capture has a hole");
        let seen = (next - sequence) as usize;
        if seen < payload.len() {
            stream.extend_from_slice(&payload[seen..]);
            next = sequence + u32::try_from(payload.len()).unwrap();
        }
    }
    stream
}

/// The messages of a stream, by their length fields.
pub fn frames(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some(length) = failover::message::frame_length(stream).unwrap() {
        let (frame, rest) = stream.split_at(length);
        frames.push(frame);
        stream = rest;
    }
    assert!(stream.is_empty(), "the stream ends in the middle of a message");
    frames
}
