//! Messages that real programs send.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses its part of this, and a broken test may stop"
)]

pub mod generate;

/// Options as they are to be written.
type Options<'a> = &'a [(u8, &'a [u8])];

/// A message with a name for what sent it.
pub struct Sample {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// What was captured, and what programs send that cannot be run here.
pub fn samples() -> Vec<Sample> {
    let captured = include_str!("captured.hex").lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (name, hexadecimal) = line.split_once(' ').unwrap();
        Sample { name: name.to_owned(), bytes: bytes_of(hexadecimal) }
    });
    captured.chain(written()).collect()
}

/// The fixed fields of a request with this hardware address and no options yet; without END.
pub fn request(hops: u8, flags: u16, giaddr: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![0; 240];
    bytes[..4].copy_from_slice(&[1, 1, 6, hops]);
    bytes[4..8].copy_from_slice(&[0xde, 0xad, 0xbe, 0xef]);
    bytes[8..10].copy_from_slice(&[0, 4]);
    bytes[10..12].copy_from_slice(&flags.to_be_bytes());
    bytes[24..28].copy_from_slice(&giaddr);
    bytes[28..34].copy_from_slice(&[2, 0, 0, 0xaa, 0xbb, 0x10]);
    bytes[236..240].copy_from_slice(&[99, 130, 83, 99]);
    bytes
}

/// With these options and END.
pub fn with(mut bytes: Vec<u8>, options: Options<'_>) -> Vec<u8> {
    for (code, value) in options {
        for part in value.chunks(255).chain(value.is_empty().then_some(&[][..])) {
            bytes.extend_from_slice(&[*code, u8::try_from(part.len()).unwrap()]);
            bytes.extend_from_slice(part);
        }
    }
    bytes.push(255);
    bytes
}

/// By the published descriptions of their formats.
fn written() -> Vec<Sample> {
    let direct = || request(0, 0, [0; 4]);
    let relayed = || request(1, 0, [10, 9, 0, 1]);
    let uuid = [&[0][..], &[0x5a; 16]].concat();
    let pxe: Options<'_> = &[
        (53, &[1]),
        (57, &[0x04, 0xec]),
        (55, &[1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66]),
        (97, &uuid),
        (94, &[1, 3, 16]),
        (93, &[0, 7]),
        (60, b"PXEClient:Arch:00007:UNDI:003016"),
    ];
    let windows: Options<'_> = &[
        (53, &[3]),
        (61, &[1, 2, 0, 0, 0xaa, 0xbb, 0x10]),
        (50, &[10, 9, 1, 77]),
        (12, b"DESKTOP-7Q2"),
        (81, b"\x04\x00\x00\x0bdesktop-7q2\x06campus\x07example\x00"),
        (60, b"MSFT 5.0"),
        (55, &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252]),
    ];
    let android: Options<'_> = &[
        (53, &[3]),
        (50, &[10, 9, 1, 78]),
        (54, &[10, 9, 0, 1]),
        (57, &[5, 220]),
        (60, b"android-dhcp-14"),
        (12, b"Pixel-8"),
        (55, &[1, 3, 6, 15, 26, 28, 51, 58, 59, 43, 114, 108]),
    ];
    let cable: Options<'_> = &[
        (53, &[1]),
        (60, b"docsis3.1:010102"),
        (82, &[1, 4, 0, 0, 0, 9, 2, 6, 2, 0, 0, 1, 2, 3, 4, 4, 0, 0, 0, 2, 9, 5, 0, 0, 0, 9, 0]),
    ];
    let evpn: Options<'_> = &[
        (53, &[1]),
        (61, &[0xff, 0, 0, 0, 1, 0, 2, 0, 0, 0xab, 0x11, 1, 2, 3, 4, 5, 6, 7, 8]),
        (
            82,
            &[
                1, 6, b'E', b't', b'h', b'1', b'/', b'1', 5, 4, 10, 8, 0, 0, 11, 4, 10, 8, 0, 1, 151, 4, 0,
                b'v', b'r', b'f',
            ],
        ),
    ];
    let samples: [(&str, Vec<u8>, Options<'_>); 6] = [
        ("pxe-rom-discover", request(0, 0x8000, [0; 4]), pxe),
        ("pxe-rom-discover-relayed", request(1, 0x8000, [10, 9, 0, 1]), pxe),
        ("windows-init-reboot", direct(), windows),
        ("android-request", direct(), android),
        ("cable-modem-discover-relayed", relayed(), cable),
        ("evpn-leaf-discover-relayed", relayed(), evpn),
    ];
    let made =
        samples.map(|(name, bytes, options)| Sample { name: name.to_owned(), bytes: with(bytes, options) });
    made.into_iter().collect()
}

fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.trim().as_bytes();
    assert_eq!(digits.len() % 2, 0, "an odd number of digits");
    digits
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
