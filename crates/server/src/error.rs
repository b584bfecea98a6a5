//! Why the server does not start, or stopped.
//!
//! *Lives here:* [`ServeError`], and the exit codes of a process that ends at once.
//! *Must not know:* how it came about.

use crate::control::ControlError;
use engine::UnsafeChange;
use nix::errno::Errno;
use std::io;
use std::net::SocketAddrV4;
use store::{DiskError, OpenError};
use thiserror::Error;

/// Exit code after a failed sync, or another failure of the store that nothing helps: EX_IOERR of sysexits.
pub const EXIT_STORE: i32 = 74;

/// Exit code after a panic: EX_SOFTWARE of sysexits.
pub const EXIT_PANIC: i32 = 70;

/// Why the server did not start, or did not end in order.
#[derive(Debug, Error)]
pub enum ServeError {
    /// A configured interface does not exist.
    #[error(
        "there is no interface {0}: name one that `ip link` lists, or wait for it in the unit of the service"
    )]
    NoInterface(String),
    /// Somebody else has the port.
    #[error(
        "UDP port 67 on {0} is in use by another program: stop it (`ss -ulpn sport = :67` shows which it is)"
    )]
    PortInUse(String),
    /// Somebody else has the port of the failover protocol.
    #[error(
        "TCP port {0}, where partners connect, is in use by another program: stop it (`ss -tlpn` shows which it is), or \
         change `listen`"
    )]
    PartnerPortInUse(SocketAddrV4),
    /// Certificate or key of a relationship can't be used, although their check found nothing.
    #[error("TLS of the relationship \"{name}\": {error}")]
    Tls {
        /// relationship-name.
        name: String,
        /// What is wrong.
        error: String,
    },
    /// A socket could not be made.
    #[error(
        "{what}: {error}. The server needs to run as root, or with CAP_NET_BIND_SERVICE, CAP_NET_RAW and CAP_NET_ADMIN"
    )]
    Socket {
        /// What was tried.
        what: String,
        /// What the kernel said.
        error: Errno,
    },
    /// The state directory cannot be used.
    #[error("state-directory: {0}")]
    Folder(#[from] DiskError),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The configuration does not fit the bindings of the store.
    #[error(
        "the configuration has changed since the last run in a way that could give one address to two clients:{}\nnothing was \
         started; the manual, docs/configuration.md, says more under \"Change what is shared\"",
        lines(.0)
    )]
    UnsafeChange(Vec<UnsafeChange>),
    /// Nobody could ask the server anything.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The kernel refused something that it never refuses in good health.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// The disk was full, or failed, until the end: what could not be written was answered to nobody.
    #[error(
        "the server stopped while the disk did not take its last records ({0}); nothing that rests on them was answered"
    )]
    Unwritten(String),
}

fn lines(changes: &[UnsafeChange]) -> String {
    let lines: Vec<String> = changes.iter().map(|change| format!("\n  - {change}")).collect();
    lines.concat()
}

impl ServeError {
    pub(crate) fn system(what: &'static str, error: impl Into<io::Error>) -> ServeError {
        ServeError::System { what, error: error.into() }
    }
}
