//! The sockets of connections to partners.
//!
//! *Lives here:* how each is made: one to listen on, one that connects, one that was accepted.
//! *Must not know:* who reads and writes them.

use failover::time::Interval;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrIn, bind, connect, listen, setsockopt,
    socket, sockopt,
};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

/// Connections that wait for the owner to take them.
const BACKLOG: i32 = 16;

/// A socket that listens at `at`.
///
/// # Errors
/// EADDRINUSE when another program has the port; EADDRNOTAVAIL while no interface has the address.
pub(super) fn listener(at: SocketAddrV4) -> nix::Result<TcpListener> {
    let socket = stream()?;
    // After a restart connections of the last process may linger.
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(at))?;
    listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(TcpListener::from(socket))
}

/// A socket that begins to connect from the address of `from` to `to`: it becomes writable when that is decided.
/// `patience`: how long what was sent may stay without acknowledgement of TCP.
///
/// # Errors
/// What the kernel knows at once.
pub(super) fn connecting(from: SocketAddrV4, to: SocketAddrV4, patience: Interval) -> nix::Result<TcpStream> {
    let socket = stream()?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(*from.ip(), 0)))?;
    let socket = TcpStream::from(socket);
    prepare(&socket, patience)?;
    match connect(socket.as_raw_fd(), &SockaddrIn::from(to)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}

/// Makes an accepted socket what one that connected is.
///
/// # Errors
/// When the connection is gone already.
pub(super) fn accepted(socket: &TcpStream, patience: Interval) -> nix::Result<()> {
    socket.set_nonblocking(true).map_err(|_| Errno::EINVAL)?;
    prepare(socket, patience)
}

/// What became of a connection that was begun.
pub(super) fn outcome(socket: &TcpStream) -> Result<(), Errno> {
    match nix::sys::socket::getsockopt(socket, sockopt::SocketError)? {
        0 => Ok(()),
        error => Err(Errno::from_raw(error)),
    }
}

fn prepare(socket: &TcpStream, patience: Interval) -> nix::Result<()> {
    setsockopt(socket, sockopt::TcpNoDelay, &true)?;
    let millis = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
    setsockopt(socket, sockopt::TcpUserTimeout, &millis)
}

fn stream() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Inet, SockType::Stream, flags, SockProtocol::Tcp)
}
