//! What was on the wire.
//!
//! *Lives here:* [`Capture`], which is tcpdump at work; [`Seen`], one DHCP message of it; the second opinion of tshark.
//! *May know:* the pcap file format, frames of Ethernet, IPv4 and UDP, the fields of tshark.
//! *Must not know:* who sent what and why.

use crate::node::Node;
use crate::process::Process;
use crate::{seconds, wait_for};
use dhcp::{Message, MessageType};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A capture that is running, or was.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Process,
    file: PathBuf,
    name: String,
}

/// One datagram to or from a port of DHCP.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    /// Nanoseconds since 1970 by this machine's clock, when the kernel saw it.
    pub at: u64,
    /// Ethernet address to which it went.
    pub to: [u8; 6],
    /// Ethernet address from which it came.
    pub from: [u8; 6],
    /// IP address from which it came.
    pub source: Ipv4Addr,
    /// IP address to which it went.
    pub destination: Ipv4Addr,
    /// UDP port to which it went.
    pub port: u16,
    /// Whether the UDP checksum is right; `None` when there is none.
    pub checksum: Option<bool>,
    /// The DHCP message.
    pub payload: Vec<u8>,
}

impl Seen {
    /// The message.
    #[track_caller]
    pub fn message(&self) -> Message<'_> {
        Message::parse(&self.payload).unwrap_or_else(|why| panic!("{self:?}: not a DHCP message: {why}"))
    }

    /// Its type; `None` for what is no DHCP message.
    pub fn kind(&self) -> Option<MessageType> {
        Message::parse(&self.payload).ok()?.message_type()
    }

    /// The client's hardware address.
    pub fn chaddr(&self) -> Vec<u8> {
        self.message().chaddr().to_vec()
    }

    /// Whether it went to everybody.
    pub fn is_broadcast(&self) -> bool {
        self.destination == Ipv4Addr::BROADCAST
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.at / 1_000_000_000 % 100_000, self.at % 1_000_000_000 / 1000);
        write!(f, "{seconds}.{micros:06} {} -> {}:{} ", self.source, self.destination, self.port)?;
        match Message::parse(&self.payload) {
            Ok(message) => write!(
                f,
                "{} xid {} ciaddr {} yiaddr {} giaddr {} requested {:?} server {:?} lease {:?}",
                message.message_type().map_or("BOOTP".to_owned(), |kind| format!("{kind:?}")),
                message.xid(),
                message.ciaddr(),
                message.yiaddr(),
                message.giaddr(),
                message.requested_address(),
                message.server_identifier(),
                message.lease_time()
            ),
            Err(why) => write!(f, "{} bytes ({why})", self.payload.len()),
        }
    }
}

impl Capture {
    /// Listens on an interface of a node for DHCP.
    pub fn start(node: &Node, interface: &str) -> Capture {
        // No frame of DHCP in the lab is longer than 1,514 bytes; the kernel keeps room for this length each.
        Capture::of_what(
            node,
            interface,
            "(udp and (port 67 or port 68)) or (ip[6:2] & 0x1fff != 0)",
            ("1600", "65536"),
        )
    }

    /// Listens for what partners say to each other. The kernel joins segments: a frame may be very long.
    pub fn start_partners(node: &Node, interface: &str) -> Capture {
        Capture::of_what(node, interface, "tcp port 647", ("262144", "65536"))
    }

    fn of_what(node: &Node, interface: &str, filter: &str, (length, room): (&str, &str)) -> Capture {
        let name = format!("{}-{interface}", node.name());
        let mut number = 0;
        // Not an older one of the same place; the ending is what the profile of tcpdump allows.
        let file = loop {
            let file = node.folder().join(format!("{name}-{number}.pcap"));
            if !file.exists() {
                break file;
            }
            number += 1;
        };
        let path = file.display().to_string();
        let arguments = ["-i", interface, "-w", &path, "-s", length, "-U", "-B", room, "-Z", "root", filter];
        let mut all = vec!["--immediate-mode", "--time-stamp-precision=nano", "-n"];
        all.extend(arguments);
        let mut tcpdump = node.spawn("tcpdump", &all);
        tcpdump.wait_for_log("listening on", seconds(20));
        Capture { tcpdump, file, name }
    }

    /// All so far, in order.
    pub fn seen(&self) -> Vec<Seen> {
        read(&fs::read(&self.file).unwrap_or_default())
    }

    /// The messages of one type so far.
    pub fn of(&self, kind: MessageType) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.kind() == Some(kind)).collect()
    }

    /// Waits for the first message after a time that is as asked.
    #[track_caller]
    pub fn wait(&self, what: &str, within: u64, after: u64, is: impl Fn(&Seen) -> bool) -> Seen {
        wait_for(&format!("{what}, seen on {}", self.name), seconds(within), || {
            self.seen().into_iter().find(|seen| seen.at > after && is(seen))
        })
    }

    /// Ends it. Nothing may have been missed.
    pub fn stop(&mut self) -> Vec<Seen> {
        self.end();
        self.seen()
    }

    /// The same, for who reads the file himself.
    pub fn end(&mut self) {
        // What is in tcpdump's buffer is written when it ends, what the kernel holds is read before.
        std::thread::sleep(std::time::Duration::from_millis(300));
        self.tcpdump.signal(Signal::SIGINT);
        self.tcpdump.wait(seconds(20));
        let log = self.tcpdump.log();
        assert!(log.contains("\n0 packets dropped by kernel"), "the capture has holes:\n{log}");
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Ends it, and asks tshark about every message in it: none is malformed, and what `dhcp` reads is what tshark reads:
    /// type, transaction, addresses, and every option with its bytes. How many messages were compared.
    #[track_caller]
    pub fn second_opinion(&mut self) -> usize {
        self.second_opinion_of(|_| true)
    }

    /// The same, of those messages that are as asked: what a scenario sends on purpose may be malformed.
    #[track_caller]
    pub fn second_opinion_of(&mut self, is: impl Fn(&Seen) -> bool) -> usize {
        let ours = self.stop();
        let theirs = dissect(&self.file);
        assert_eq!(ours.len(), theirs.len(), "{}: tshark sees another number of messages", self.name);
        let asked = ours.iter().zip(&theirs).filter(|(seen, _)| is(seen));
        asked.map(|(seen, fields)| compare(seen, fields)).count()
    }
}

/// Time of this machine's clock, in the unit of [`Seen::at`].
pub fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_nanos()).unwrap()
}

/// A pcap file, with nanoseconds, of Ethernet frames. What is cut off at its end is still being written.
fn read(bytes: &[u8]) -> Vec<Seen> {
    let mut found = Vec::new();
    let Some((head, mut rest)) = bytes.split_at_checked(24) else { return found };
    assert_eq!(head[..4], 0xa1b2_3c4d_u32.to_le_bytes(), "a pcap file with nanoseconds");
    assert_eq!(head[20..22], [1, 0], "of Ethernet");
    while let Some((head, after)) = rest.split_at_checked(16) {
        let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
        let Some((frame, after)) = after.split_at_checked(word(8) as usize) else { break };
        let at = u64::from(word(0)) * 1_000_000_000 + u64::from(word(4));
        found.extend(datagram(at, frame));
        rest = after;
    }
    found
}

/// A whole UDP datagram to or from a port of DHCP; fragments are nobody's message yet.
fn datagram(at: u64, frame: &[u8]) -> Option<Seen> {
    let (ethernet, ip) = frame.split_at_checked(14)?;
    if ethernet[12..] != [8, 0] || ip.first()? >> 4 != 4 {
        return None;
    }
    let header = usize::from(ip[0] & 15) * 4;
    let total = usize::from(u16::from_be_bytes(ip.get(2..4)?.try_into().ok()?));
    let fragment = u16::from_be_bytes(ip.get(6..8)?.try_into().ok()?) & 0x3fff;
    let udp = ip.get(header..total)?;
    if fragment != 0 || *ip.get(9)? != 17 {
        return None;
    }
    let word = |at: usize| udp.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    let (from, port, length) = (word(0)?, word(2)?, usize::from(word(4)?));
    if ![67, 68].contains(&port) && ![67, 68].contains(&from) {
        return None;
    }
    let quad = |at: usize| <[u8; 4]>::try_from(&ip[at..at + 4]).unwrap();
    let (source, destination) = (quad(12), quad(16));
    Some(Seen {
        at,
        to: ethernet[..6].try_into().ok()?,
        from: ethernet[6..12].try_into().ok()?,
        source: source.into(),
        destination: destination.into(),
        port,
        checksum: (word(6)? != 0)
            .then(|| udp_sum(source, destination, udp.get(..length).unwrap_or(udp)) == 0),
        payload: udp.get(8..length)?.to_vec(),
    })
}

/// The checksum of a datagram with its pseudo header (RFC 768): 0 when the one inside is right.
fn udp_sum(source: [u8; 4], destination: [u8; 4], udp: &[u8]) -> u16 {
    let length = u16::try_from(udp.len()).unwrap();
    let pseudo = [&source[..], &destination, &[0, 17], &length.to_be_bytes()].concat();
    let mut sum: u32 = 0;
    for part in [&pseudo[..], udp] {
        for pair in part.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

const FIELDS: [&str; 10] = [
    "dhcp.id",
    "dhcp.option.dhcp",
    "dhcp.ip.client",
    "dhcp.ip.your",
    "dhcp.ip.relay",
    "dhcp.hw.mac_addr",
    "dhcp.option.type",
    "dhcp.option.value",
    "_ws.malformed",
    "_ws.expert.severity",
];

/// What tshark says of each DHCP message in a file.
fn dissect(file: &Path) -> Vec<BTreeMap<&'static str, String>> {
    let mut tshark = Command::new("tshark");
    tshark.args(["-r", &file.display().to_string(), "-Y", "dhcp", "-T", "fields", "-E", "occurrence=a"]);
    tshark.args(["-E", "aggregator=,", "-E", "separator=/t"]);
    for field in FIELDS {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().expect("tshark is there");
    assert!(output.status.success(), "tshark: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| FIELDS.into_iter().zip(line.split('\t').map(str::to_owned)).collect()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[track_caller]
fn compare(seen: &Seen, fields: &BTreeMap<&'static str, String>) {
    let message = seen.message();
    let kind = message.message_type().map(|kind| kind.number().to_string()).unwrap_or_default();
    assert_eq!(fields["_ws.malformed"], "", "tshark finds {seen:?} malformed");
    assert_eq!(fields["_ws.expert.severity"], "", "tshark has an objection to {seen:?}");
    assert_eq!(fields["dhcp.id"], format!("0x{}", message.xid()), "{seen:?}");
    assert_eq!(fields["dhcp.option.dhcp"], kind, "{seen:?}");
    assert_eq!(fields["dhcp.ip.client"], message.ciaddr().to_string(), "{seen:?}");
    assert_eq!(fields["dhcp.ip.your"], message.yiaddr().to_string(), "{seen:?}");
    assert_eq!(fields["dhcp.ip.relay"], message.giaddr().to_string(), "{seen:?}");
    let mac: Vec<String> = message.chaddr().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(fields["dhcp.hw.mac_addr"].starts_with(&mac.join(":")), "{seen:?}: {fields:?}");
    let (codes, values): (Vec<String>, Vec<String>) =
        message.options().map(|(code, value)| (code.to_string(), hex(value))).unzip();
    let theirs = |field: &str| -> Vec<String> {
        // What has no bytes has no value there, or this one.
        let all = fields[field].split(',').filter(|part| !part.is_empty() && *part != "<MISSING>");
        all.map(str::to_owned).collect()
    };
    let their_codes: Vec<String> =
        theirs("dhcp.option.type").into_iter().filter(|code| code != "255" && code != "0").collect();
    assert_eq!(codes, their_codes, "{seen:?}");
    let values: Vec<String> = values.into_iter().filter(|value| !value.is_empty()).collect();
    assert_eq!(values, theirs("dhcp.option.value"), "{seen:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw;

    /// A file with one frame in it, as tcpdump writes it.
    fn file(frame: &[u8]) -> Vec<u8> {
        let length = u32::try_from(frame.len()).unwrap();
        let words = [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 65_535, 1, 7, 9, length, length];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(frame);
        bytes
    }

    fn discover(checksum: [u8; 2], options: &[(u8, &[u8])]) -> Vec<u8> {
        let mut udp = raw::udp(68, 67, &raw::message(1, [2, 0, 0, 0, 0, 1], 5, options));
        udp[6..8].copy_from_slice(&checksum);
        let packet = raw::ipv4(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, 1, 0, &udp);
        file(&raw::frame([0xff; 6], [2, 0, 0, 0, 0, 1], &packet))
    }

    #[test]
    fn a_frame_is_read_back_and_its_checksum_judged() {
        let bytes = discover([0, 0], &[]);
        let seen = read(&bytes);
        assert_eq!((seen.len(), seen[0].at, seen[0].checksum), (1, 7_000_000_009, None));
        assert_eq!(seen[0].kind(), Some(MessageType::Discover));
        let sum = udp_sum([0; 4], [255; 4], &bytes[24 + 16 + 14 + 20..]);
        assert_eq!(read(&discover(sum.to_be_bytes(), &[]))[0].checksum, Some(true));
        assert_eq!(read(&discover([1, 2], &[]))[0].checksum, Some(false));
        assert_eq!(read(&bytes[..bytes.len() - 1]), [], "still being written");
    }

    #[test]
    fn tshark_finds_what_is_malformed_and_what_was_read_otherwise() {
        let path = std::env::temp_dir().join(format!("tandem-lab-{}-tshark.pcap", std::process::id()));
        let opinion = |options: &[(u8, &[u8])]| {
            fs::write(&path, discover([0, 0], options)).unwrap();
            let mut theirs = dissect(&path);
            let fields = theirs.remove(0);
            (read(&fs::read(&path).unwrap()).remove(0), fields)
        };
        let (seen, fields) = opinion(&[(50, &[10, 1, 0, 5]), (12, b"host")]);
        compare(&seen, &fields);
        let (mut other, _) = opinion(&[(50, &[10, 1, 0, 6]), (12, b"host")]);
        let differ = |seen: &Seen, fields: &BTreeMap<_, _>| {
            std::panic::catch_unwind(|| compare(seen, fields)).is_err()
        };
        assert!(differ(&other, &fields), "another requested address");
        other.payload = seen.payload.clone();
        assert!(!differ(&other, &fields));
        let (short, fields) = opinion(&[(51, &[1, 2])]);
        assert!(differ(&short, &fields), "a lease time of two bytes: {fields:?}");
        fs::remove_file(&path).unwrap();
    }
}
