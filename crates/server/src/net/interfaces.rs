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
        // An address with a label comes under the label, as in `eth0:1`.
        let name = entry.interface_name.split(':').next().unwrap_or_default();
        let Some(status) = found.iter_mut().find(|status| status.name == name) else { continue };
        let Some(address) = entry.address else { continue };
        if let Some(link) = address.as_link_addr() {
            status.index = u32::try_from(link.ifindex()).ok();
            // Without a carrier nothing comes in, and whoever configured it up cannot see that.
            status.up = entry.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_loopback_interface_is_found_and_another_is_not() {
        let found = read(&["none such".to_owned(), "lo".to_owned()]).unwrap();
        assert_eq!((found[0].index, found[0].up), (None, false));
        assert_eq!(found[1].index, Some(nix::net::if_::if_nametoindex("lo").unwrap()));
        assert!(found[1].addresses.is_empty() || found[1].addresses.contains(&Ipv4Addr::LOCALHOST));
    }
}
