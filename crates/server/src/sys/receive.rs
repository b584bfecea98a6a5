//! *Lives here:* [`Inbox`]: many datagrams with one call (recvmmsg), each with what the kernel knows of it.
//! *Must not know:* which sockets there are, what a datagram says.
#![allow(unsafe_code, reason = "nix has no recvmmsg that keeps its buffers without allocating for each call")]

use libc::{c_uint, cmsghdr, iovec, mmsghdr, msghdr, sockaddr_in, timespec};
use nix::errno::Errno;
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null_mut;
use std::time::Duration;

/// Datagrams taken by one call at most.
pub(crate) const DATAGRAMS: usize = 64;

/// Longest datagram that is taken whole: no longer DHCP message is accepted.
const LONGEST: usize = dhcp::message::MAX_MESSAGE_SIZE;

/// Room for IP_PKTINFO, SO_TIMESTAMPNS and SO_RXQ_OVFL, which take 88 bytes.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 128]);

/// Buffers for one call, used again and again.
pub(crate) struct Inbox {
    buffers: Box<[[u8; LONGEST]]>,
    arrivals: Vec<Arrival>,
}

/// What the kernel knows of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Its length.
    pub(crate) length: usize,
    /// It was longer than that.
    pub(crate) is_cut: bool,
    /// Who sent it.
    pub(crate) source: SocketAddrV4,
    /// The interface that it came in by.
    pub(crate) interface: u32,
    /// The destination in its header.
    pub(crate) destination: Ipv4Addr,
    /// When it came in, by CLOCK_REALTIME.
    pub(crate) at: Option<Duration>,
    /// How many datagrams this socket has dropped before this one, for want of room, since it was made.
    pub(crate) dropped: Option<u32>,
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox {
            buffers: vec![[0; LONGEST]; DATAGRAMS].into_boxed_slice(),
            arrivals: Vec::with_capacity(DATAGRAMS),
        }
    }

    /// The datagrams of the last call, in the order of their arrival.
    pub(crate) fn get(&self, index: usize) -> Option<(Arrival, &[u8])> {
        let arrival = *self.arrivals.get(index)?;
        Some((arrival, &self.buffers[index][..arrival.length]))
    }

    /// How many the last call took.
    pub(crate) fn len(&self) -> usize {
        self.arrivals.len()
    }

    /// Forgets the datagrams of the last call: they are handled.
    pub(crate) fn clear(&mut self) {
        self.arrivals.clear();
    }

    /// Takes what waits on `socket`, at most [`DATAGRAMS`], without waiting.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>) -> nix::Result<()> {
        self.clear();
        let mut control = [Control([0; 128]); DATAGRAMS];
        // SAFETY: all-zero bytes are valid values of these structures of integers and nullable pointers.
        let (mut names, mut pieces, mut headers): (
            [sockaddr_in; DATAGRAMS],
            [iovec; DATAGRAMS],
            [mmsghdr; DATAGRAMS],
        ) = unsafe { (zeroed(), zeroed(), zeroed()) };
        for index in 0..DATAGRAMS {
            pieces[index] = iovec { iov_base: self.buffers[index].as_mut_ptr().cast(), iov_len: LONGEST };
            let header = &mut headers[index].msg_hdr;
            header.msg_name = (&raw mut names[index]).cast();
            header.msg_namelen = length_of::<sockaddr_in>();
            header.msg_iov = &raw mut pieces[index];
            header.msg_iovlen = 1;
            header.msg_control = control[index].0.as_mut_ptr().cast();
            header.msg_controllen = size_of::<Control>();
        }
        let count = c_uint::try_from(DATAGRAMS).unwrap_or(0);
        // SAFETY: every header points to its own name, buffer and control room with their true lengths; all of them
        // live until after the call, and the kernel keeps no pointer.
        let received = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT, null_mut())
        };
        let received = usize::try_from(Errno::result(received)?).unwrap_or(0);
        for (header, name) in headers.iter().zip(&names).take(received) {
            self.arrivals.push(arrival(header, name));
        }
        Ok(())
    }
}

fn arrival(header: &mmsghdr, name: &sockaddr_in) -> Arrival {
    let message = &header.msg_hdr;
    let mut arrival = Arrival {
        length: usize::try_from(header.msg_len).unwrap_or(0).min(LONGEST),
        is_cut: message.msg_flags & libc::MSG_TRUNC != 0,
        source: SocketAddrV4::new(
            Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr)),
            u16::from_be(name.sin_port),
        ),
        interface: 0,
        destination: Ipv4Addr::UNSPECIFIED,
        at: None,
        dropped: None,
    };
    for_each_control(message, |level, kind, data| match (level, kind) {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            // struct in_pktinfo: interface index, local address, destination in the header.
            if let (Some(index), Some(address)) = (word(data, 0), word(data, 8)) {
                arrival.interface = u32::from_ne_bytes(index);
                arrival.destination = Ipv4Addr::from(address);
            }
        }
        (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) if data.len() >= size_of::<timespec>() => {
            // SAFETY: the kernel wrote a `timespec` there, which has no invalid values; it may lie unaligned.
            let at = unsafe { data.as_ptr().cast::<timespec>().read_unaligned() };
            if let (Ok(seconds), Ok(nanos)) = (u64::try_from(at.tv_sec), u32::try_from(at.tv_nsec)) {
                arrival.at = Some(Duration::new(seconds, nanos.min(999_999_999)));
            }
        }
        (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => arrival.dropped = word(data, 0).map(u32::from_ne_bytes),
        _ => {}
    });
    arrival
}

/// Walks the control messages that the kernel wrote.
fn for_each_control(message: &msghdr, mut each: impl FnMut(i32, i32, &[u8])) {
    let head = size_of::<cmsghdr>();
    // SAFETY: `msg_control` and `msg_controllen` describe the kernel's output in a buffer that still lives; the
    // CMSG macros stay inside of it, and `cmsg_len` counts head and data that the kernel wrote.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(message);
        while !next.is_null() {
            let length = (*next).cmsg_len.saturating_sub(head);
            let data = std::slice::from_raw_parts(libc::CMSG_DATA(next), length);
            each((*next).cmsg_level, (*next).cmsg_type, data);
            next = libc::CMSG_NXTHDR(message, next);
        }
    }
}

fn word(data: &[u8], at: usize) -> Option<[u8; 4]> {
    data.get(at..at + 4)?.try_into().ok()
}

/// The length of a structure as the kernel wants it.
pub(super) fn length_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::send::{Outgoing, Sent, To};
    use nix::sys::socket::{setsockopt, sockopt};
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::SystemTime;

    fn socket(address: &str) -> (UdpSocket, SocketAddrV4) {
        let socket = UdpSocket::bind(address).unwrap();
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true).unwrap();
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).unwrap();
        setsockopt(&socket, sockopt::RxqOvfl, &1).unwrap();
        let std::net::SocketAddr::V4(address) = socket.local_addr().unwrap() else { panic!("not IPv4") };
        (socket, address)
    }

    fn copy(bytes: &'static [u8]) -> impl FnOnce(&mut [u8]) -> Option<usize> {
        |buffer| {
            buffer.get_mut(..bytes.len())?.copy_from_slice(bytes);
            Some(bytes.len())
        }
    }

    #[test]
    fn what_is_sent_arrives_with_what_the_kernel_knows_of_it() {
        let (receiver, to) = socket("127.0.0.1:0");
        let (sender, from) = socket("0.0.0.0:0");
        let source = Ipv4Addr::new(127, 0, 0, 9);
        let mut outgoing = Outgoing::new();
        let before = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert!(outgoing.add(To::Network { to, source }, copy(b"one")));
        assert!(outgoing.add(To::Network { to, source }, copy(b"second")));
        assert_eq!(outgoing.send(sender.as_fd()), Sent { taken: 2, failed: 0, error: None });
        assert!(outgoing.is_empty());
        let mut inbox = Inbox::new();
        inbox.receive(receiver.as_fd()).unwrap();
        assert_eq!(inbox.len(), 2);
        for (index, expected) in [(0, &b"one"[..]), (1, b"second")] {
            let (arrival, bytes) = inbox.get(index).unwrap();
            assert_eq!(bytes, expected);
            assert_eq!(arrival.source, SocketAddrV4::new(source, from.port()));
            assert_eq!((arrival.destination, arrival.is_cut), (*to.ip(), false));
            assert_eq!(arrival.interface, nix::net::if_::if_nametoindex("lo").unwrap());
            let age = before.abs_diff(arrival.at.unwrap());
            assert!(age < Duration::from_secs(5), "{age:?}");
        }
        assert_eq!(inbox.receive(receiver.as_fd()), Err(Errno::EAGAIN));
        assert_eq!(inbox.len(), 0);
    }

    #[test]
    fn one_that_cannot_be_sent_holds_nobody_up() {
        let (receiver, to) = socket("127.0.0.1:0");
        let (sender, _) = socket("0.0.0.0:0");
        let (ours, foreign) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 1));
        let mut outgoing = Outgoing::new();
        for (source, bytes) in [(ours, &b"a"[..]), (foreign, b"b"), (ours, b"c")] {
            assert!(outgoing.add(To::Network { to, source }, copy(bytes)));
        }
        let sent = outgoing.send(sender.as_fd());
        assert_eq!((sent.taken, sent.failed), (2, 1));
        assert!(sent.error.is_some());
        let mut inbox = Inbox::new();
        inbox.receive(receiver.as_fd()).unwrap();
        let all: Vec<&[u8]> =
            (0..inbox.len()).filter_map(|at| inbox.get(at)).map(|(_, bytes)| bytes).collect();
        assert_eq!(all, [b"a", b"c"]);
    }

    #[test]
    fn the_kernel_says_what_it_dropped_and_what_it_cut() {
        let (receiver, to) = socket("127.0.0.1:0");
        setsockopt(&receiver, sockopt::RcvBuf, &4096).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut inbox = Inbox::new();
        for _ in 0..100 {
            sender.send_to(&[0; 300], to).unwrap();
        }
        inbox.receive(receiver.as_fd()).unwrap();
        let kept = u32::try_from(inbox.len()).unwrap();
        sender.send_to(&[0; 1], to).unwrap();
        inbox.receive(receiver.as_fd()).unwrap();
        assert_eq!(inbox.get(0).unwrap().0.dropped, Some(100 - kept));

        setsockopt(&receiver, sockopt::RcvBuf, &65536).unwrap();
        sender.send_to(&[7; LONGEST], to).unwrap();
        sender.send_to(&[7; LONGEST + 1], to).unwrap();
        inbox.receive(receiver.as_fd()).unwrap();
        let cut: Vec<(bool, usize)> = (0..2)
            .filter_map(|at| inbox.get(at))
            .map(|(arrival, bytes)| (arrival.is_cut, bytes.len()))
            .collect();
        assert_eq!(cut, [(false, LONGEST), (true, LONGEST)]);
    }
}
