//! Where replies leave.
//!
//! *Lives here:* [`Sender`]: from a reply's destination to the socket and address that fit it.
//! *Must not know:* why a reply goes where it goes, or when it may.

use crate::counter::{ShellCounter, ShellCounters};
use crate::journal::Outlet;
use crate::net::frame::{self, CLIENT_PORT, SERVER_PORT};
use crate::sys::send::{Outgoing, To};
use engine::Destination;
use nix::errno::Errno;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

const TO_ALL: [u8; 6] = [0xff; 6];

/// Gathers replies and sends them with few calls.
pub(crate) struct Sender {
    frames: Outgoing,
    datagrams: Outgoing,
    packets: Arc<OwnedFd>,
    udp: Arc<OwnedFd>,
    counters: Arc<ShellCounters>,
    /// Why the last failure was, for the log; taken by [`Outlet::take_error`].
    error: Option<Errno>,
}

impl Sender {
    pub(crate) fn new(packets: Arc<OwnedFd>, udp: Arc<OwnedFd>, counters: Arc<ShellCounters>) -> Sender {
        Sender { frames: Outgoing::new(), datagrams: Outgoing::new(), packets, udp, counters, error: None }
    }

    fn datagram(&mut self, address: Ipv4Addr, port: u16, source: Ipv4Addr, bytes: &[u8]) -> bool {
        let to = To::Network { to: SocketAddrV4::new(address, port), source };
        self.datagrams.add(to, |buffer| {
            buffer.get_mut(..bytes.len())?.copy_from_slice(bytes);
            Some(bytes.len())
        })
    }
}

impl Outlet for Sender {
    fn add(&mut self, destination: &Destination, bytes: &[u8]) {
        if self.frames.is_full() || self.datagrams.is_full() {
            self.flush();
        }
        let added = match *destination {
            Destination::Relay { address, source } => self.datagram(address, SERVER_PORT, source, bytes),
            Destination::Routed { address, source } => self.datagram(address, CLIENT_PORT, source, bytes),
            Destination::Link { interface, hardware, address, source } => {
                self.frames.add(To::Link { interface: interface.0, hardware }, |buffer| {
                    frame::write(buffer, source, address, bytes)
                })
            }
            Destination::Broadcast { interface, source } => {
                self.frames.add(To::Link { interface: interface.0, hardware: TO_ALL }, |buffer| {
                    frame::write(buffer, source, Ipv4Addr::BROADCAST, bytes)
                })
            }
        };
        if !added {
            self.counters.count(ShellCounter::SendErrors);
            self.error = Some(Errno::EMSGSIZE);
        }
    }

    fn flush(&mut self) {
        for (outgoing, socket) in [(&mut self.frames, &self.packets), (&mut self.datagrams, &self.udp)] {
            if outgoing.is_empty() {
                continue;
            }
            let sent = outgoing.send(socket.as_fd());
            self.counters.add(ShellCounter::PacketsSent, sent.taken);
            self.counters.add(ShellCounter::SendErrors, sent.failed);
            self.error = sent.error.or(self.error);
        }
    }

    fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }
}
