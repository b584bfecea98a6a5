//! *Lives here:* [`Outgoing`]: many datagrams with one call (sendmmsg), to addresses of the link or of the network.
//! *Must not know:* what a datagram says.
#![allow(unsafe_code, reason = "nix has no sendmmsg that keeps its buffers without allocating for each call")]

use crate::sys::receive::length_of;
use libc::{c_uint, iovec, mmsghdr, sockaddr_in, sockaddr_ll};
use nix::errno::Errno;
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Datagrams that one call sends at most.
const DATAGRAMS: usize = 64;

/// Longest frame: an Ethernet frame's payload.
pub(crate) const LONGEST: usize = 1500;

/// Bytes of a control message with an `in_pktinfo`: 16 of head, 12 of data, padded to 32.
const CONTROL: usize = 32;

/// Where a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// An IPv4 packet to a hardware address on an interface (packet socket).
    Link { interface: u32, hardware: [u8; 6] },
    /// A payload to an address and port, from this address of ours (UDP socket).
    Network { to: SocketAddrV4, source: Ipv4Addr },
}

#[derive(Clone, Copy)]
struct Slot {
    bytes: [u8; LONGEST],
    length: usize,
    to: To,
}

/// Datagrams that wait for one call, in buffers that are used again and again.
pub(crate) struct Outgoing {
    slots: Box<[Slot]>,
    filled: usize,
}

/// What became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sent {
    /// Those that the kernel took.
    pub(crate) taken: u64,
    pub(crate) failed: u64,
    /// Why the last of them failed.
    pub(crate) error: Option<Errno>,
}

#[derive(Clone, Copy)]
#[repr(C)]
union Name {
    link: sockaddr_ll,
    network: sockaddr_in,
}

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

impl Outgoing {
    pub(crate) fn new() -> Outgoing {
        let to = To::Link { interface: 0, hardware: [0; 6] };
        let slot = Slot { bytes: [0; LONGEST], length: 0, to };
        Outgoing { slots: vec![slot; DATAGRAMS].into_boxed_slice(), filled: 0 }
    }

    /// Whether the next call is due before more can be added.
    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.slots.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Adds a datagram that `write` puts into the buffer; it returns the length, or `None` when it does not fit.
    pub(crate) fn add(&mut self, to: To, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let Some(slot) = self.slots.get_mut(self.filled) else { return false };
        match write(&mut slot.bytes) {
            Some(length) if length <= LONGEST => {
                (slot.length, slot.to) = (length, to);
                self.filled += 1;
                true
            }
            _ => false,
        }
    }

    /// Sends all, in order, without waiting: what the kernel does not take is given up.
    pub(crate) fn send(&mut self, socket: BorrowedFd<'_>) -> Sent {
        let filled = std::mem::take(&mut self.filled);
        // SAFETY: all-zero bytes are valid values of these structures of integers and nullable pointers.
        let (mut names, mut pieces, mut headers): (
            [Name; DATAGRAMS],
            [iovec; DATAGRAMS],
            [mmsghdr; DATAGRAMS],
        ) = unsafe { (zeroed(), zeroed(), zeroed()) };
        let mut control = [Control([0; CONTROL]); DATAGRAMS];
        for (index, slot) in self.slots.iter_mut().enumerate().take(filled) {
            pieces[index] = iovec { iov_base: slot.bytes.as_mut_ptr().cast(), iov_len: slot.length };
            let header = &mut headers[index].msg_hdr;
            header.msg_iov = &raw mut pieces[index];
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut names[index]).cast();
            match slot.to {
                To::Link { interface, hardware } => {
                    names[index].link = link_name(interface, hardware);
                    header.msg_namelen = length_of::<sockaddr_ll>();
                }
                To::Network { to, source } => {
                    names[index].network = network_name(to);
                    header.msg_namelen = length_of::<sockaddr_in>();
                    control[index] = source_control(source);
                    header.msg_control = control[index].0.as_mut_ptr().cast();
                    header.msg_controllen = CONTROL;
                }
            }
        }
        let mut sent = Sent::default();
        let mut done = 0;
        while done < filled {
            let rest = &mut headers[done..filled];
            let count = c_uint::try_from(rest.len()).unwrap_or(0);
            // SAFETY: each header points to its own name, buffer and control room with their true lengths, and all of
            // them live until after the call; the kernel keeps no pointer and only writes `msg_len`.
            let result =
                unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), count, libc::MSG_DONTWAIT) };
            match Errno::result(result) {
                Ok(0) => break,
                Ok(count) => {
                    let count = usize::try_from(count).unwrap_or(0);
                    sent.taken += count as u64;
                    done += count;
                }
                Err(Errno::EINTR) => {}
                Err(error) => {
                    // The first of the rest failed: it is given up, the others are tried.
                    sent.failed += 1;
                    sent.error = Some(error);
                    done += 1;
                }
            }
        }
        sent
    }
}

fn link_name(interface: u32, hardware: [u8; 6]) -> sockaddr_ll {
    let mut address = [0; 8];
    address[..6].copy_from_slice(&hardware);
    sockaddr_ll {
        sll_family: family(libc::AF_PACKET),
        sll_protocol: u16::try_from(libc::ETH_P_IP).unwrap_or(0).to_be(),
        sll_ifindex: i32::try_from(interface).unwrap_or(0),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: address,
    }
}

fn network_name(to: SocketAddrV4) -> sockaddr_in {
    sockaddr_in {
        sin_family: family(libc::AF_INET),
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*to.ip()).to_be() },
        sin_zero: [0; 8],
    }
}

fn family(family: i32) -> libc::sa_family_t {
    libc::sa_family_t::try_from(family).unwrap_or(0)
}

/// IP_PKTINFO with the source address; the route says the interface. A `cmsghdr` (length, level, type), then an
/// `in_pktinfo` (index, source address, unused address).
fn source_control(source: Ipv4Addr) -> Control {
    let mut bytes = [0; CONTROL];
    let head = size_of::<libc::cmsghdr>();
    let length = head + size_of::<libc::in_pktinfo>();
    bytes[..8].copy_from_slice(&length.to_ne_bytes());
    bytes[8..12].copy_from_slice(&libc::IPPROTO_IP.to_ne_bytes());
    bytes[12..16].copy_from_slice(&libc::IP_PKTINFO.to_ne_bytes());
    bytes[head + 4..head + 8].copy_from_slice(&source.octets());
    Control(bytes)
}
