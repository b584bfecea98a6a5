//! The interfaces of this host.
//!
//! *Lives here:* [`read`], and [`Watch`], which says when to read again.
//! *Must not know:* sockets for clients, subnets.

use crate::status::InterfaceStatus;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// How the interfaces with these names stand now, in the order of `names`.
pub(crate) fn read(names: &[String]) -> nix::Result<Vec<InterfaceStatus>> {
    let mut found: Vec<InterfaceStatus> = names
        .iter()
        .map(|name| InterfaceStatus { name: name.clone(), index: None, up: false, addresses: Vec::new() })
        .collect();
    for entry in getifaddrs()? {
        let Some(status) = found.iter_mut().find(|status| status.name == entry.interface_name) else {
            continue;
        };
        let Some(address) = entry.address else { continue };
        if let Some(link) = address.as_link_addr() {
            status.index = u32::try_from(link.ifindex()).ok();
            status.up = entry.flags.contains(InterfaceFlags::IFF_UP);
        } else if let Some(address) = address.as_sockaddr_in()
            && !status.addresses.contains(&address.ip())
        {
            status.addresses.push(address.ip());
        }
    }
    Ok(found)
}

/// Becomes readable when links or addresses changed.
#[derive(Debug)]
pub(crate) struct Watch(OwnedFd);

impl Watch {
    pub(crate) fn new() -> nix::Result<Watch> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let watch = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        let groups = u32::try_from(libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR).unwrap_or(0);
        bind(watch.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Watch(watch))
    }

    /// Forgets all news: who calls reads everything again. Lost news is news too.
    pub(crate) fn drain(&self) {
        let mut buffer = [0; 8192];
        loop {
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(_) | Err(Errno::EINTR | Errno::ENOBUFS) => {}
                Err(_) => return,
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
