//! The sockets of the server.
//!
//! *Lives here:* how each is made: one per interface to hear by, one for what comes by other ways and for relays, one
//! for frames.
//! *Must not know:* who reads and writes them.

use crate::net::frame::SERVER_PORT;
use crate::sys::filter::only_to_this_host;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrIn, bind, setsockopt, socket, sockopt,
};
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};

/// Receive buffer in bytes; the kernel counts twice as much: some 100,000 packets, for which it takes no memory until they come. It
/// has to hold what comes until the owner knows that it is behind, and while nothing may be decided.
const RECEIVE_BUFFER: usize = 64 << 20;

/// The port of servers, at every address.
const PORT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, SERVER_PORT);

/// Send buffer in bytes.
const SEND_BUFFER: usize = 4 << 20;

/// UDP port 67 of one interface. `alone`: nobody may have it yet, [`other_ways`] included.
///
/// # Errors
/// EADDRINUSE when another program has the port.
pub(crate) fn of_interface(interface: &str, alone: bool) -> nix::Result<OwnedFd> {
    let socket = udp()?;
    setsockopt(&socket, sockopt::BindToDevice, &OsString::from(interface))?;
    if !alone {
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    }
    bind(socket.as_raw_fd(), &SockaddrIn::from(PORT))?;
    // Shared from now on, with the socket for the other ways.
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    Ok(socket)
}

/// UDP port 67 of all interfaces: hears what comes by other ways, and sends to relays and routed clients.
pub(crate) fn other_ways() -> nix::Result<OwnedFd> {
    let socket = udp()?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    send_buffer(&socket)?;
    // Broadcasts are heard by the sockets of the interfaces.
    only_to_this_host(&socket)?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(PORT))?;
    Ok(socket)
}

/// A packet socket that only sends: IPv4 packets, the kernel writes the Ethernet header.
pub(crate) fn packets() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Packet, SockType::Datagram, flags, None)?;
    send_buffer(&socket)?;
    Ok(socket)
}

fn udp() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, SockProtocol::Udp)?;
    setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    setsockopt(&socket, sockopt::RxqOvfl, &1)?;
    match setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER) {
        Err(Errno::EPERM) => setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER),
        result => result,
    }?;
    Ok(socket)
}

fn send_buffer(socket: &OwnedFd) -> nix::Result<()> {
    setsockopt(socket, sockopt::SndBufForce, &SEND_BUFFER)
        .or_else(|_| setsockopt(socket, sockopt::SndBuf, &SEND_BUFFER))
}
