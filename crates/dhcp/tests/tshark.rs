//! A third opinion on the codec: tshark takes apart what the writer writes.
//!
//! It must see the same fields and the same options, byte for byte, whether they lie in the options field or in `file` and
//! `sname`; and find nothing malformed.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the messages go to tshark through a file, and a broken test may stop; the crate itself stays pure"
)]

mod corpus;
mod known_faults;

use corpus::generate::{Random, generated, reply};
use corpus::samples;
use dhcp::{Message, code};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

/// How many replies.
const MESSAGES: usize = 3000;

/// Options whose values tshark shows as they are. Vendor options, relay agent information, authentication and the like it takes
/// apart, and random bytes in them are malformed; those the other second opinion compares.
fn is_plain(code: u8) -> bool {
    let named = dhcp::options::DEFINITIONS.iter().any(|definition| definition.code == code);
    matches!(code, 50..=59 | 61) || (named && !matches!(code, 43 | 124 | 125))
}

fn messages() -> Vec<Vec<u8>> {
    let mut random = Random(0x0bad_cafe_0bad_cafe);
    let mut messages: Vec<Vec<u8>> = samples().into_iter().map(|sample| sample.bytes).collect();
    assert!(messages.len() > 30);
    while messages.len() < MESSAGES {
        let bytes = generated(&mut random);
        let Ok(request) = Message::parse(&bytes) else { continue };
        let named = random.below(2) == 0;
        if !request.has_option(code::RELAY_AGENT_INFORMATION) {
            messages.push(reply(&mut random, &request, named, is_plain).bytes);
        }
    }
    messages
}

/// A file of frames, each a message in UDP in IPv4 (link type 228: IPv4 without a frame around it).
fn capture(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 0xffff, 228] {
        // The version is two halves: 2 and 4.
        let bytes = if word == 0x0002_0004 { [2, 0, 4, 0] } else { word.to_le_bytes() };
        file.extend_from_slice(&bytes);
    }
    for message in messages {
        let udp = u16::try_from(message.len() + 8).unwrap();
        let (from, to) = if message[0] == 1 { (68_u16, 67_u16) } else { (67, 68) };
        let mut packet = vec![0x45, 0];
        packet.extend_from_slice(&(udp + 20).to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 255, 255, 255, 255]);
        for number in [from, to, udp, 0] {
            packet.extend_from_slice(&number.to_be_bytes());
        }
        packet.extend_from_slice(message);
        let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
        file.extend_from_slice(&[0; 8]);
        file.extend_from_slice(&length);
        file.extend_from_slice(&length);
        file.extend_from_slice(&packet);
    }
    file
}

const FIELDS: [&str; 12] = [
    "dhcp.type",
    "dhcp.id",
    "dhcp.ip.client",
    "dhcp.ip.your",
    "dhcp.ip.server",
    "dhcp.ip.relay",
    "dhcp.flags",
    "dhcp.option.dhcp",
    "dhcp.option.type",
    "dhcp.option.value",
    "_ws.malformed",
    "_ws.expert.severity",
];

fn ask_tshark(file: &Path) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-n", "-T", "fields", "-E", "separator=|"]);
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output =
        command.output().expect("tshark is not installed: apt-get install --no-install-recommends tshark");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

/// The same line as tshark should write, and options in order of code and value.
fn expected(message: &Message<'_>) -> (Vec<String>, Vec<(u8, String)>) {
    let address = |address: Ipv4Addr| address.to_string();
    let fields = vec![
        message.op().number().to_string(),
        format!("0x{}", message.xid()),
        address(message.ciaddr()),
        address(message.yiaddr()),
        address(message.siaddr()),
        address(message.giaddr()),
        format!("0x{:04x}", message.flags()),
        message.message_type().unwrap().number().to_string(),
    ];
    let hexadecimal =
        |value: &[u8]| value.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let mut options: Vec<(u8, String)> =
        message.options().map(|(code, value)| (code, hexadecimal(value))).collect();
    options.sort();
    (fields, options)
}

#[test]
fn tshark_sees_the_same() {
    let messages = messages();
    let file = std::env::temp_dir().join(format!("tandem-codec-{}.pcap", std::process::id()));
    fs::write(&file, capture(&messages)).unwrap();
    let lines = ask_tshark(&file);
    fs::remove_file(&file).unwrap();
    assert_eq!(lines.len(), messages.len(), "tshark sees every message");
    let mut overloaded = 0;
    for (line, bytes) in lines.iter().zip(&messages) {
        let message = Message::parse(bytes).unwrap();
        let (fields, options) = expected(&message);
        assert_eq!(line[..8], fields, "{bytes:02x?}");
        let codes =
            line[8].split(',').filter(|code| !matches!(*code, "0" | "255")).map(|code| code.parse().unwrap());
        // So it writes a value of no bytes.
        let values = line[9].split(',').map(|value| value.replace("<MISSING>", ""));
        let mut seen: Vec<(u8, String)> = codes.zip(values).collect();
        seen.sort();
        assert_eq!(seen, options, "{bytes:02x?}");
        assert_eq!(line[10], "", "malformed: {bytes:02x?}");
        overloaded += usize::from(message.has_option(code::OPTION_OVERLOAD));
    }
    assert!(overloaded > 300, "only {overloaded} messages had options in file or sname");
}
