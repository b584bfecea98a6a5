//! Where partners are heard.
//!
//! *Lives here:* [`Listening`]: one listening socket for each address; one whose address is not there yet is tried again.
//! *Must not know:* which partner is who.

use super::socket;
use crate::error::ServeError;
use failover::time::{Interval, Time};
use nix::errno::Errno;
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use tracing::{info, warn};

/// How long until an address that was not there is tried again.
const TRY_AGAIN: Interval = Interval::from_seconds(5);

/// One address.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) at: SocketAddrV4,
    pub(super) socket: Option<TcpListener>,
    /// When it is tried again.
    again: Time,
    failed: Option<Errno>,
}

impl Listening {
    /// Opens all of `addresses`, each once.
    ///
    /// # Errors
    /// When one of them can't be had, for another reason than that its interface is not up yet.
    pub(super) fn all(addresses: &[SocketAddrV4], now: Time) -> Result<Vec<Listening>, ServeError> {
        let mut all: Vec<Listening> = Vec::new();
        for at in addresses {
            if all.iter().any(|one| one.at == *at) {
                continue;
            }
            let mut one = Listening { at: *at, socket: None, again: now, failed: None };
            match one.open(now) {
                Ok(()) | Err(Errno::EADDRNOTAVAIL) => all.push(one),
                Err(Errno::EADDRINUSE) => return Err(ServeError::PartnerPortInUse(*at)),
                Err(error) => return Err(ServeError::Socket { what: format!("TCP port {at}"), error }),
            }
        }
        Ok(all)
    }

    /// When it is to be tried again.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.socket.is_none().then_some(self.again)
    }

    /// Tries again, where that is due; says whether it is open now and was not.
    pub(super) fn look(&mut self, now: Time) -> bool {
        self.socket.is_none() && self.again <= now && self.open(now).is_ok()
    }

    /// The next connection that waits. Where the host has no room for it the socket is given up for a while: it would be
    /// readable again and again.
    pub(super) fn accept(&mut self, now: Time) -> Option<(TcpStream, SocketAddr)> {
        loop {
            let error = match self.socket.as_ref()?.accept() {
                Ok(accepted) => return Some(accepted),
                Err(error) => Errno::from_raw(error.raw_os_error().unwrap_or(0)),
            };
            match error {
                Errno::EINTR | Errno::ECONNABORTED => {}
                Errno::EAGAIN => return None,
                error => {
                    self.socket = None;
                    self.fails(now, error);
                    return None;
                }
            }
        }
    }

    fn open(&mut self, now: Time) -> Result<(), Errno> {
        match socket::listener(self.at) {
            Ok(socket) => {
                self.socket = Some(socket);
                if self.failed.take().is_some() {
                    info!("partners can reach {} now", self.at);
                }
                Ok(())
            }
            Err(error) => {
                self.fails(now, error);
                Err(error)
            }
        }
    }

    fn fails(&mut self, now: Time, error: Errno) {
        self.again = now.plus(TRY_AGAIN);
        if self.failed.replace(error) != Some(error) {
            let help = match error {
                Errno::EADDRNOTAVAIL => "; give an interface this address, or change `listen`",
                Errno::EMFILE => "; allow the server more open files (LimitNOFILE)",
                _ => "",
            };
            warn!("partners cannot reach {}: {}{help}. It is tried again", self.at, error.desc());
        }
    }
}
