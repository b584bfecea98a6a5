//! What neither the standard library nor `nix` has in safe form.
//!
//! *Lives here:* receiving and sending many datagrams with one call, the kernel's word on whether its clock is
//! synchronised, a filter on a socket. All `unsafe` of Tandem is in this room.
//! *Must not know:* what a datagram says.

pub(crate) mod clock;
pub(crate) mod filter;
pub(crate) mod receive;
pub(crate) mod send;
