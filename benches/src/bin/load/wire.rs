//! The wires to the server: one on which clients are, and one that leads to relays and routers; and the same to its partner.
//!
//! *Lives here:* [`Wire`]: frames leave many at a time by packet sockets; answers come as frames on the clients' wire, and as
//! datagrams for relays and for clients behind routers on the other. What all hear goes to each server.
//! *May know:* addresses of both ends.
//! *Must not know:* clients, messages.

use crate::frame::{self, Ends, HEADERS};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, MultiHeaders, SockFlag, SockProtocol, SockType, SockaddrIn, bind,
    recvmmsg, sendmmsg, setsockopt, socket, sockopt,
};
use std::error::Error;
use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

/// Frames of one call.
const BATCH: usize = 64;

/// Longest frame.
const LONGEST: usize = 1514;

/// Receive buffers: what the server sends is never lost here.
const RECEIVE_BUFFER: usize = 64 << 20;

/// How a frame leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// On the wire that clients are on, to all or to the server.
    Direct,
    /// By way of a router, to the server.
    Routed,
}

/// One end of a wire, as it is named on the command line.
#[derive(Debug, Clone)]
pub struct Link {
    /// The interface here.
    pub interface: String,
    /// The server's address on it.
    pub server: Ipv4Addr,
    /// The server's hardware address on it.
    pub hardware: [u8; 6],
}

/// Frames that wait for one call.
struct Queue {
    socket: OwnedFd,
    link: Link,
    /// Hardware address of our end.
    own: [u8; 6],
    frames: Vec<[u8; LONGEST]>,
    lengths: Vec<usize>,
    headers: MultiHeaders<LinkAddr>,
}

/// What became of the frames of a queue.
struct Sent {
    calls: u64,
    taken: u64,
    refused: u64,
}

/// Both wires of one server.
struct Server {
    direct: Queue,
    routed: Queue,
}

/// All wires.
pub struct Wire {
    /// One, or two that share their addresses.
    servers: Vec<Server>,
    /// Answers for relays, and for clients behind a router.
    relays: OwnedFd,
    renewed: OwnedFd,
    room: Vec<[u8; LONGEST]>,
    links: MultiHeaders<LinkAddr>,
    internet: MultiHeaders<SockaddrIn>,
    /// Frames that the kernel did not take.
    pub refused: u64,
    /// Calls to send and to receive.
    pub calls: (u64, u64),
    /// Frames that the kernel took, and answers that came. What the server sent beyond these was lost on the way or here.
    pub sent: u64,
    pub heard: u64,
}

impl Wire {
    /// Opens the sockets: to each server by its link on the wire of the clients, and by the one behind a router.
    ///
    /// # Errors
    /// Without root, or when an interface is not there.
    pub fn open(servers: &[(Link, Link)]) -> Result<Wire, Box<dyn Error>> {
        let open = |(direct, routed): &(Link, Link)| -> Result<Server, Box<dyn Error>> {
            Ok(Server {
                direct: Queue::open(direct, SockProtocol::EthIp)?,
                routed: Queue::open(routed, None)?,
            })
        };
        Ok(Wire {
            servers: servers.iter().map(open).collect::<Result<_, _>>()?,
            relays: listen(67)?,
            renewed: listen(68)?,
            room: vec![[0; LONGEST]; BATCH],
            links: MultiHeaders::preallocate(BATCH, None),
            internet: MultiHeaders::preallocate(BATCH, None),
            refused: 0,
            calls: (0, 0),
            sent: 0,
            heard: 0,
        })
    }

    /// Adds a message of a client on the wire to all: it has no address yet.
    pub fn broadcast(&mut self, hardware: [u8; 6], write: impl Fn(&mut [u8]) -> usize) {
        for server in 0..self.servers.len() {
            let ends = Ends {
                hardware: (hardware, [0xff; 6]),
                addresses: (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST),
                ports: (68, 67),
            };
            self.add(server, Path::Direct, &ends, &write);
        }
    }

    /// Adds a message of a client to the server that calls itself so, from an address that it has. Behind a router the frame is the
    /// router's.
    pub fn unicast(
        &mut self,
        path: Path,
        hardware: [u8; 6],
        from: Ipv4Addr,
        server: Ipv4Addr,
        write: impl Fn(&mut [u8]) -> usize,
    ) {
        // One that calls itself by no address of its own is the first all the same.
        let named = self.servers.iter().position(|each| each.queue(path).link.server == server).unwrap_or(0);
        let queue = self.servers[named].queue(path);
        let own = match path {
            Path::Direct => hardware,
            Path::Routed => queue.own,
        };
        let ends = Ends {
            hardware: (own, queue.link.hardware),
            addresses: (from, queue.link.server),
            ports: (68, 67),
        };
        self.add(named, path, &ends, &write);
    }

    /// Adds a message that a relay passes on to all servers that it knows.
    pub fn relay(&mut self, relay: Ipv4Addr, write: impl Fn(&mut [u8]) -> usize) {
        for server in 0..self.servers.len() {
            let queue = &self.servers[server].routed;
            let ends = Ends {
                hardware: (queue.own, queue.link.hardware),
                addresses: (relay, queue.link.server),
                ports: (67, 67),
            };
            self.add(server, Path::Routed, &ends, &write);
        }
    }

    fn add(&mut self, server: usize, path: Path, ends: &Ends, write: &impl Fn(&mut [u8]) -> usize) {
        let server = &mut self.servers[server];
        let queue = match path {
            Path::Direct => &mut server.direct,
            Path::Routed => &mut server.routed,
        };
        let at = queue.lengths.len();
        let length = write(&mut queue.frames[at][HEADERS..]);
        queue.lengths.push(frame::write(&mut queue.frames[at], ends, length));
        if at + 1 == BATCH {
            let sent = queue.send();
            self.count(sent);
        }
    }

    /// Sends all that was added.
    pub fn flush(&mut self) {
        for server in 0..self.servers.len() {
            let Server { direct, routed } = &mut self.servers[server];
            for sent in [direct.send(), routed.send()] {
                self.count(sent);
            }
        }
    }

    fn count(&mut self, Sent { calls, taken, refused }: Sent) {
        self.calls.0 += calls;
        self.sent += taken;
        self.refused += refused;
    }

    /// Takes what waits, at most one call's worth from each socket; `each` gets the messages, with the hardware address of the
    /// frame where there was one. How many there were.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn receive(&mut self, mut each: impl FnMut(Option<[u8; 6]>, &[u8])) -> nix::Result<usize> {
        let mut total = 0;
        for server in &self.servers {
            let lengths = gather(&server.direct.socket, &mut self.links, &mut self.room)?;
            for (frame, length) in self.room.iter().zip(&lengths) {
                if let Some((hardware, 68, message)) = frame::read(&frame[..*length]) {
                    self.heard += 1;
                    each(Some(hardware), message);
                }
            }
            total += lengths.len();
        }
        for socket in [&self.relays, &self.renewed] {
            let lengths = gather(socket, &mut self.internet, &mut self.room)?;
            for (datagram, length) in self.room.iter().zip(&lengths) {
                each(None, &datagram[..*length]);
            }
            self.heard += lengths.len() as u64;
            total += lengths.len();
        }
        self.calls.1 += 2 + self.servers.len() as u64;
        Ok(total)
    }

    /// Waits until something comes, at most this long.
    pub fn wait(&self, longest: Duration) {
        let direct = self.servers.iter().map(|server| &server.direct.socket);
        let mut all: Vec<PollFd<'_>> = direct
            .chain([&self.relays, &self.renewed])
            .map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN))
            .collect();
        // Whoever is interrupted looks around all the same.
        let _ = ppoll(&mut all, Some(longest.into()), None);
    }
}

impl Server {
    fn queue(&self, path: Path) -> &Queue {
        match path {
            Path::Direct => &self.direct,
            Path::Routed => &self.routed,
        }
    }
}

impl Queue {
    fn open(link: &Link, protocol: impl Into<Option<SockProtocol>>) -> Result<Queue, Box<dyn Error>> {
        let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_NONBLOCK, protocol)?;
        let own = getifaddrs()?
            .filter(|entry| entry.interface_name == link.interface)
            .find_map(|entry| entry.address?.as_link_addr().copied())
            .ok_or_else(|| format!("there is no interface {}", link.interface))?;
        receive_buffer(&socket)?;
        bind(socket.as_raw_fd(), &own)?;
        Ok(Queue {
            socket,
            link: link.clone(),
            own: own.addr().ok_or("an interface without a hardware address")?,
            frames: vec![[0; LONGEST]; BATCH],
            lengths: Vec::with_capacity(BATCH),
            headers: MultiHeaders::preallocate(BATCH, None),
        })
    }

    /// Sends all.
    fn send(&mut self) -> Sent {
        let (mut calls, mut refused, mut done) = (0, 0, 0);
        while done < self.lengths.len() {
            let pieces: Vec<[IoSlice<'_>; 1]> = self.frames[done..]
                .iter()
                .zip(&self.lengths[done..])
                .map(|(frame, length)| [IoSlice::new(&frame[..*length])])
                .collect();
            let to = vec![None; pieces.len()];
            calls += 1;
            match sendmmsg(self.socket.as_raw_fd(), &mut self.headers, &pieces, &to, [], MsgFlags::empty()) {
                Ok(sent) => done += sent.count().max(1),
                Err(Errno::EINTR) => {}
                Err(_) => {
                    refused += 1;
                    done += 1;
                }
            }
        }
        let taken = self.lengths.len() as u64 - refused;
        self.lengths.clear();
        Sent { calls, taken, refused }
    }
}

/// UDP on this port of every address.
fn listen(port: u16) -> Result<OwnedFd, Box<dyn Error>> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_NONBLOCK, SockProtocol::Udp)?;
    receive_buffer(&socket)?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)))?;
    Ok(socket)
}

fn receive_buffer(socket: &OwnedFd) -> nix::Result<()> {
    setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER)
}

/// The lengths of what one call took.
fn gather<S: nix::sys::socket::SockaddrLike + Copy>(
    socket: &OwnedFd,
    headers: &mut MultiHeaders<S>,
    room: &mut [[u8; LONGEST]],
) -> nix::Result<Vec<usize>> {
    let mut pieces: Vec<[IoSliceMut<'_>; 1]> =
        room.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
    match recvmmsg(socket.as_raw_fd(), headers, pieces.iter_mut(), MsgFlags::MSG_DONTWAIT, None) {
        Ok(messages) => Ok(messages.map(|message| message.bytes).collect()),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
