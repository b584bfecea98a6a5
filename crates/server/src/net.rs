//! The network around the owner and the journal.
//!
//! *Lives here:* interfaces of this host, sockets to hear by, frames, the sender of replies.
//! *Must not know:* what a DHCP message says.

pub(crate) mod frame;
pub(crate) mod interfaces;
pub(crate) mod listener;
pub(crate) mod sender;
pub(crate) mod socket;
