//! The sockets that clients and relays are heard by.
//!
//! *Lives here:* [`Listeners`]: opens and closes them as interfaces come and go, and says for each datagram by which
//! interface it counts as having come.
//! *Must not know:* what a datagram says.
//!
//! Each interface has its own socket, which hears what comes in there. One more socket hears what comes in by other
//! ways (a relay's unicast to one of our addresses over another interface); copies of what an interface's own socket
//! hears are left to that.

use crate::counter::{ShellCounter, ShellCounters};
use crate::net::socket;
use crate::status::InterfaceStatus;
use crate::sys::receive::{Arrival, Inbox};
use engine::{Interface, InterfaceId};
use nix::errno::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// All sockets that are read.
pub(crate) struct Listeners {
    own: Vec<Listener>,
    other: Option<Listener>,
    interfaces: Vec<InterfaceStatus>,
}

struct Listener {
    socket: Arc<OwnedFd>,
    /// The interface that it is bound to.
    interface: Option<u32>,
    dropped: u32,
}

/// What changed at the last look at the interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// An interface is there, and is heard.
    Heard(String),
    /// An interface is gone; the others are heard as before.
    Gone(String),
    /// An interface is there, but cannot be heard.
    Failed(String, Errno),
}

impl Listeners {
    /// No sockets yet: [`Listeners::update`] opens those of the interfaces, [`Listeners::hear_other_ways`] the last.
    pub(crate) fn new() -> Listeners {
        Listeners { own: Vec::new(), other: None, interfaces: Vec::new() }
    }

    /// Opens the socket for what comes by other ways; returns it, because it also sends to relays. Before, an interface
    /// whose port another program has is noticed.
    pub(crate) fn hear_other_ways(&mut self) -> nix::Result<Arc<OwnedFd>> {
        let listener = Listener { socket: Arc::new(socket::other_ways()?), interface: None, dropped: 0 };
        let socket = Arc::clone(&listener.socket);
        self.other = Some(listener);
        Ok(socket)
    }

    /// Follows the interfaces: opens sockets for those that came, closes those of the ones that went.
    pub(crate) fn update(&mut self, interfaces: Vec<InterfaceStatus>) -> Vec<Change> {
        let mut changes = Vec::new();
        for before in &self.interfaces {
            let gone = before.index.filter(|index| interfaces.iter().all(|now| now.index != Some(*index)));
            if gone.is_some() {
                changes.push(Change::Gone(before.name.clone()));
            }
        }
        self.own.retain(|listener| interfaces.iter().any(|now| now.index == listener.interface));
        for now in &interfaces {
            let Some(index) = now.index else { continue };
            if self.own.iter().any(|listener| listener.interface == Some(index)) {
                continue;
            }
            match self.listener(&now.name, index) {
                Ok(listener) => {
                    self.own.push(listener);
                    changes.push(Change::Heard(now.name.clone()));
                }
                Err(error) => changes.push(Change::Failed(now.name.clone(), error)),
            }
        }
        self.interfaces = interfaces;
        changes
    }

    /// The interfaces as they were at the last update.
    pub(crate) fn interfaces(&self) -> &[InterfaceStatus] {
        &self.interfaces
    }

    /// The interfaces as the engine wants them.
    pub(crate) fn for_engine(&self) -> Vec<Interface> {
        // By one that is down nobody is served: the partner is to know (L8).
        let present = self.interfaces.iter().filter(|interface| interface.up).filter_map(|interface| {
            let id = InterfaceId(interface.index?);
            Some(Interface { id, addresses: interface.addresses.clone() })
        });
        present.collect()
    }

    /// The sockets, each with its number.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        let all = self.own.iter().chain(&self.other);
        all.enumerate().map(|(number, listener)| (number, listener.socket.as_fd()))
    }

    /// Takes what waits on the socket with this number; nothing when there is none with it.
    pub(crate) fn receive(&mut self, number: usize, inbox: &mut Inbox, counters: &ShellCounters) {
        // Also when there is no such socket: what is left of the last call was handled then.
        inbox.clear();
        let Some(listener) = self.own.iter_mut().chain(&mut self.other).nth(number) else { return };
        match inbox.receive(listener.socket.as_fd()) {
            Ok(()) => {
                let last = inbox.len().checked_sub(1).and_then(|last| inbox.get(last));
                if let Some(dropped) = last.and_then(|(arrival, _)| arrival.dropped) {
                    let more = dropped.wrapping_sub(listener.dropped);
                    listener.dropped = dropped;
                    counters.add(ShellCounter::ReceiveOverflow, u64::from(more));
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // ENETDOWN: the interface is gone or down, which is told when the interfaces are read again.
            Err(_) => counters.count(ShellCounter::ReceiveErrors),
        }
    }

    /// The interface by which a datagram on the socket with this number counts as having come; `None` when it is not
    /// for us, or its copy is heard elsewhere.
    pub(crate) fn interface_of(
        &self,
        number: usize,
        arrival: &Arrival,
        counters: &ShellCounters,
    ) -> Option<InterfaceId> {
        if let Some(listener) = self.own.get(number) {
            return listener.interface.map(InterfaceId);
        }
        if self.own.iter().any(|listener| listener.interface == Some(arrival.interface)) {
            return None;
        }
        let holder =
            self.interfaces.iter().find(|interface| interface.addresses.contains(&arrival.destination));
        let index = holder.and_then(|interface| interface.index);
        if index.is_none() {
            counters.count(ShellCounter::ReceiveNotOurs);
        }
        index.map(InterfaceId)
    }

    fn listener(&self, name: &str, index: u32) -> nix::Result<Listener> {
        let alone = self.other.is_none();
        let socket = Arc::new(socket::of_interface(name, alone)?);
        Ok(Listener { socket, interface: Some(index), dropped: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

    const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    fn listener(interface: Option<u32>) -> Listener {
        Listener { socket: Arc::new(File::open("/dev/null").unwrap().into()), interface, dropped: 0 }
    }

    fn arrival(interface: u32, destination: Ipv4Addr) -> Arrival {
        Arrival {
            length: 300,
            is_cut: false,
            source: SocketAddrV4::new(Ipv4Addr::new(10, 9, 9, 9), 67),
            interface,
            destination,
            at: None,
            dropped: None,
        }
    }

    #[test]
    fn each_datagram_counts_once_and_by_the_interface_whose_address_it_is_for() {
        let status =
            InterfaceStatus { name: "a".to_owned(), index: Some(2), up: true, addresses: vec![OURS] };
        let listeners =
            Listeners { own: vec![listener(Some(2))], other: Some(listener(None)), interfaces: vec![status] };
        let counters = ShellCounters::default();
        let of = |number, interface, destination| {
            listeners.interface_of(number, &arrival(interface, destination), &counters)
        };
        assert_eq!(of(0, 2, Ipv4Addr::BROADCAST), Some(InterfaceId(2)));
        assert_eq!(of(0, 2, OURS), Some(InterfaceId(2)));
        assert_eq!(of(1, 2, Ipv4Addr::BROADCAST), None, "a copy of what the interface's own socket hears");
        assert_eq!(of(1, 5, OURS), Some(InterfaceId(2)), "a relay whose packets come another way");
        assert_eq!(counters.get(ShellCounter::ReceiveNotOurs), 0);
        assert_eq!(of(1, 5, Ipv4Addr::new(10, 7, 0, 1)), None, "an address of no interface that is served");
        assert_eq!(counters.get(ShellCounter::ReceiveNotOurs), 1);
    }

    #[test]
    fn a_number_that_is_no_socket_s_brings_no_datagram_again() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"once", receiver.local_addr().unwrap()).unwrap();
        let mut listeners = Listeners::new();
        listeners.other = Some(Listener { socket: Arc::new(receiver.into()), interface: None, dropped: 0 });
        let (mut inbox, counters) = (Inbox::new(), ShellCounters::default());
        listeners.receive(0, &mut inbox, &counters);
        assert_eq!(inbox.len(), 1);
        listeners.receive(usize::MAX - 1, &mut inbox, &counters);
        assert_eq!(inbox.len(), 0);
    }

    #[test]
    fn an_interface_that_goes_is_told_once() {
        let status =
            InterfaceStatus { name: "a".to_owned(), index: Some(2), up: true, addresses: vec![OURS] };
        let gone = InterfaceStatus { index: None, addresses: Vec::new(), up: false, ..status.clone() };
        let mut listeners = Listeners { own: vec![listener(Some(2))], other: None, interfaces: vec![status] };
        listeners.interfaces[0].up = false;
        assert!(listeners.for_engine().is_empty(), "without a carrier it serves nobody");
        assert_eq!(listeners.update(vec![gone.clone()]), [Change::Gone("a".to_owned())]);
        assert_eq!(listeners.sockets().count(), 0);
        assert!(listeners.for_engine().is_empty());
        assert_eq!(listeners.update(vec![gone]), []);
    }
}
