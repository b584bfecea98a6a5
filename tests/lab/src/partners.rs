//! What two servers said to each other, by tshark.
//!
//! *Lives here:* [`Said`], one message of the failover protocol; [`said`], all of a capture; how many of each type.
//! *May know:* the fields of tshark, the numbers of message types (F07 6.1).
//! *Must not know:* who should say what, and when.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

/// Types of messages, by their numbers from 1 on.
pub const TYPES: [&str; 12] = [
    "POOLREQ",
    "POOLRESP",
    "BNDUPD",
    "BNDACK",
    "CONNECT",
    "CONNECTACK",
    "UPDREQALL",
    "UPDDONE",
    "UPDREQ",
    "STATE",
    "CONTACT",
    "DISCONNECT",
];

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When the frame that completes it was on the wire, in nanoseconds since 1970.
    pub at: u64,
    /// Who said it.
    pub from: Ipv4Addr,
    /// Its type, as in [`TYPES`].
    pub kind: &'static str,
    /// Its transaction.
    pub xid: u32,
    /// server-state of a STATE.
    pub state: Option<u8>,
    /// reject-reason.
    pub reject: Option<u8>,
    /// Whether a STATE has the flag STARTUP.
    pub startup: bool,
}

/// All messages of a capture, in order.
///
/// # Panics
/// When tshark finds one of them malformed, or has an objection to it that is more than a remark.
#[track_caller]
pub fn said(capture: &Path) -> Vec<Said> {
    let found = dissect(capture);
    let bad: Vec<&String> = found.iter().filter_map(|(_, objection)| objection.as_ref()).collect();
    assert!(bad.is_empty(), "{}: tshark objects to {} messages: {bad:?}", capture.display(), bad.len());
    found.into_iter().map(|(said, _)| said).collect()
}

/// How many there are of each type.
pub fn count(said: &[Said]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for said in said {
        *counts.entry(said.kind).or_default() += 1;
    }
    counts
}

/// Each message with tshark's objection to it. The text output of tshark is read, for one frame may hold many messages and
/// its fields do not say which of them has which.
fn dissect(capture: &Path) -> Vec<(Said, Option<String>)> {
    let mut tshark = Command::new("tshark");
    tshark.args(["-r", &capture.display().to_string(), "-d", "tcp.port==647,dhcpfo", "-Y", "dhcpfo"]);
    tshark.args(["-o", "tcp.reassemble_out_of_order:TRUE", "-T", "json", "--no-duplicate-keys"]);
    tshark.args(["-J", "frame ip dhcpfo _ws.malformed"]);
    let output = tshark.output().expect("tshark is there");
    assert!(output.status.success(), "tshark: {}", String::from_utf8_lossy(&output.stderr));
    let frames: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("tshark prints JSON");
    frames.iter().flat_map(|frame| messages(&frame["_source"]["layers"])).collect()
}

fn messages(layers: &serde_json::Value) -> Vec<(Said, Option<String>)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let at = nanoseconds(&text(&layers["frame"]["frame.time_epoch"]));
    let from: Ipv4Addr = text(&layers["ip"]["ip.src"]).parse().unwrap();
    let malformed = layers.get("_ws.malformed").map(ToString::to_string);
    let one = |message: &serde_json::Value| {
        let kind = text(&message["dhcpfo.type"]).parse::<usize>().unwrap_or(0);
        let kind = kind.checked_sub(1).and_then(|index| TYPES.get(index)).copied().unwrap_or("UNKNOWN");
        let xid = text(&message["dhcpfo.xid"]);
        let xid = u32::from_str_radix(xid.trim_start_matches("0x"), 16).unwrap_or(0);
        let whole = message.to_string();
        let state = field(&whole, "dhcpfo.serverstatus").and_then(|state| state.parse().ok());
        let startup = field(&whole, "dhcpfo.serverflag").is_some_and(|flags| flags != "0");
        let reject = field(&whole, "dhcpfo.rejectreason").and_then(|reason| reason.parse().ok());
        let is_bad = kind == "UNKNOWN" || is_objected_to(message);
        let objection = malformed.clone().or_else(|| is_bad.then(|| whole.clone()));
        (Said { at, from, kind, xid, state, reject, startup }, objection)
    };
    match &layers["dhcpfo"] {
        serde_json::Value::Array(many) => many.iter().map(one).collect(),
        message => vec![one(message)],
    }
}

/// Whether anything in a dissection is an objection. One is not heard: tshark takes a client-identifier for text, and complains
/// of the bytes that follow a zero.
fn is_objected_to(dissection: &serde_json::Value) -> bool {
    match dissection {
        serde_json::Value::Object(fields) => fields.iter().any(|(name, value)| match name.as_str() {
            "_ws.expert" | "_ws.malformed" | "dhcpfo.bad_length" => true,
            "dhcpfo.clientidentifier_tree" => {
                !value.to_string().contains("_ws.string.trailing_stray_characters")
            }
            _ => is_objected_to(value),
        }),
        serde_json::Value::Array(values) => values.iter().any(is_objected_to),
        _ => false,
    }
}

/// The first field of that name, however deep it is.
fn field(json: &str, name: &str) -> Option<String> {
    let (_, after) = json.split_once(&format!("\"{name}\":\""))?;
    after.split('"').next().map(str::to_owned)
}

/// `1795487289.023148000`
fn nanoseconds(text: &str) -> u64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let part: String = format!("{part:0<9}").chars().take(9).collect();
    whole.parse::<u64>().unwrap() * 1_000_000_000 + part.parse::<u64>().unwrap()
}
