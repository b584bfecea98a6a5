//! What this host is like.
//!
//! *Lives here:* [`Facts`], [`gather`].
//! *Must not know:* whether that is good or bad.

use super::firewall::{self, Firewall};
use config::ServerConfig;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrIn;
use nix::unistd::{AccessFlags, access};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::path::Path;

/// The port of a DHCP server (RFC 2131 4.1).
const SERVER_PORT: u16 = 67;

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Each configured interface, if the host has it.
    pub(super) interfaces: BTreeMap<String, Option<InterfaceFacts>>,
    /// UDP port 67.
    pub(super) port: Port,
    /// Each address where partners are to be heard.
    pub(super) partner_ports: BTreeMap<SocketAddrV4, Port>,
    /// The state directory.
    pub(super) state_directory: Folder,
    /// A firewall that may not let clients or partners in.
    pub(super) firewall: Option<Firewall>,
}

/// An interface that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct InterfaceFacts {
    pub(super) up: bool,
    pub(super) addresses: Vec<Ipv4Addr>,
    /// The larger of the interface's own and that of all: that is what holds.
    pub(super) rp_filter: Option<u8>,
}

/// Whether the port can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Port {
    Free,
    /// Names and numbers of the processes, as far as this user may see them.
    Taken(Vec<String>),
    NotAllowed,
    /// No interface has the address.
    NoAddress,
    Unknown(String),
}

/// Whether the store can live there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Folder {
    Writable,
    NotWritable(String),
    SomethingElse,
    CanBeMade,
    CannotBeMade(String),
}

/// Looks; changes nothing. The port is held for a moment, if it is free.
pub(super) fn gather(config: &ServerConfig) -> Facts {
    Facts {
        interfaces: interfaces(&config.interfaces),
        port: port(),
        partner_ports: config.partners.iter().map(|partner| (partner.listen, tcp(partner.listen))).collect(),
        state_directory: folder(&config.state_directory),
        firewall: firewall::in_the_way(&config.partners),
    }
}

/// The addresses of all interfaces.
pub(super) fn addresses() -> Vec<Ipv4Addr> {
    let all = getifaddrs().into_iter().flatten().filter_map(|entry| entry.address);
    all.filter_map(|address| address.as_sockaddr_in().map(SockaddrIn::ip)).collect()
}

fn interfaces(names: &[String]) -> BTreeMap<String, Option<InterfaceFacts>> {
    let mut found: BTreeMap<String, Option<InterfaceFacts>> =
        names.iter().map(|name| (name.clone(), None)).collect();
    for entry in getifaddrs().into_iter().flatten() {
        let Some(slot) = found.get_mut(&entry.interface_name) else { continue };
        let facts = slot.get_or_insert_with(InterfaceFacts::default);
        facts.up = entry.flags.contains(InterfaceFlags::IFF_UP);
        let address = entry.address.as_ref().and_then(|address| address.as_sockaddr_in()).map(SockaddrIn::ip);
        facts.addresses.extend(address);
    }
    for (name, facts) in &mut found {
        if let Some(facts) = facts {
            facts.rp_filter = ["all", name.as_str()].into_iter().filter_map(rp_filter).max();
        }
    }
    found
}

fn rp_filter(name: &str) -> Option<u8> {
    let path = Path::new("/proc/sys/net/ipv4/conf").join(name).join("rp_filter");
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// State of a socket that hears everybody, in /proc/net/udp and /proc/net/tcp.
const UDP_OPEN: &str = "07";
const TCP_LISTEN: &str = "0A";

fn port() -> Port {
    match UdpSocket::bind((Ipv4Addr::UNSPECIFIED, SERVER_PORT)) {
        Ok(_) => Port::Free,
        Err(error) => refused(&error, || holders("/proc/net/udp", SERVER_PORT, UDP_OPEN)),
    }
}

fn tcp(at: SocketAddrV4) -> Port {
    match TcpListener::bind(at) {
        Ok(_) => Port::Free,
        Err(error) => refused(&error, || holders("/proc/net/tcp", at.port(), TCP_LISTEN)),
    }
}

fn refused(error: &io::Error, holders: impl Fn() -> Vec<String>) -> Port {
    match error.kind() {
        ErrorKind::AddrInUse => Port::Taken(holders()),
        ErrorKind::PermissionDenied => Port::NotAllowed,
        ErrorKind::AddrNotAvailable => Port::NoAddress,
        _ => Port::Unknown(error.to_string()),
    }
}

/// The processes that hold the port, as `dhcpd (1234)`.
fn holders(table: &str, port: u16, state: &str) -> Vec<String> {
    let sockets = fs::read_to_string(table).map(|text| inodes(&text, port, state)).unwrap_or_default();
    let mut holders = BTreeSet::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = process.file_name();
        let Some(number) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) else {
            continue;
        };
        let files = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let holds = files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .filter_map(|link| link.to_str().map(str::to_owned))
            .any(|link| sockets.contains(&link));
        if holds {
            let command = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            holders.insert(format!("{} ({number})", command.trim()));
        }
    }
    holders.into_iter().collect()
}

/// The sockets on a port, as /proc/PID/fd shows them, from the text of /proc/net/udp or tcp: the second word of a line is
/// address and port in hexadecimal, the fourth the state, the tenth the inode.
fn inodes(text: &str, port: u16, state: &str) -> BTreeSet<String> {
    let port = format!(":{port:04X}");
    let lines = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|words| words.get(1).is_some_and(|local| local.ends_with(&port)))
        .filter(|words| words.get(3) == Some(&state))
        .filter_map(|words| words.get(9).map(|inode| format!("socket:[{inode}]")))
        .collect()
}

fn folder(path: &Path) -> Folder {
    let may_write = |path: &Path| access(path, AccessFlags::W_OK | AccessFlags::X_OK);
    let text = |errno: Errno| errno.desc().to_owned();
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => Folder::SomethingElse,
        Ok(_) => may_write(path).map_or_else(|errno| Folder::NotWritable(text(errno)), |()| Folder::Writable),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let above = path.ancestors().skip(1).find(|above| above.exists());
            let above = above.unwrap_or(Path::new("."));
            may_write(above).map_or_else(|errno| Folder::CannotBeMade(text(errno)), |()| Folder::CanBeMade)
        }
        Err(error) => Folder::NotWritable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_found_by_their_port() {
        let text = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
                    \x20 63: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0\n\
                    \x20 64: 0100007F:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0 0\n";
        assert_eq!(inodes(text, 67, UDP_OPEN), BTreeSet::from(["socket:[4711]".to_owned()]));
        assert_eq!(inodes(text, 67, TCP_LISTEN), BTreeSet::new());
        assert_eq!(inodes("", 67, UDP_OPEN), BTreeSet::new());
    }

    #[test]
    fn a_port_is_free_or_held_by_somebody_or_of_no_address() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let std::net::SocketAddr::V4(at) = held.local_addr().unwrap() else { panic!("an IPv4 address") };
        let Port::Taken(holders) = tcp(at) else { panic!("{:?}", tcp(at)) };
        let this = format!("({})", std::process::id());
        assert!(holders.iter().any(|holder| holder.ends_with(&this)), "{holders:?}");
        drop(held);
        assert_eq!(tcp(at), Port::Free);
        assert_eq!(tcp("192.0.2.77:6470".parse().unwrap()), Port::NoAddress);
    }

    #[test]
    fn folders_are_what_they_are() {
        let base = std::env::temp_dir().join(format!("tandem-folder-{}", std::process::id()));
        assert_eq!(folder(&base.join("a/b")), Folder::CanBeMade);
        fs::create_dir_all(&base).unwrap();
        assert_eq!(folder(&base), Folder::Writable);
        fs::write(base.join("file"), "").unwrap();
        assert_eq!(folder(&base.join("file")), Folder::SomethingElse);
        assert!(matches!(folder(Path::new("/proc/tandem")), Folder::CannotBeMade(_) | Folder::CanBeMade));
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn the_loopback_is_there_and_a_made_up_name_is_not() {
        let found = interfaces(&["lo".to_owned(), "no-such-name".to_owned()]);
        let loopback = found["lo"].as_ref().unwrap();
        assert_eq!((found["no-such-name"].as_ref(), loopback.rp_filter.is_some()), (None, true));
    }
}
