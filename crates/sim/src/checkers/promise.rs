//! What a reply promises its client.
//!
//! *Lives here:* [`is_grant`], [`promised`].
//! *Must not know:* whether it may be promised.

use dhcp::{Message, MessageType};

/// Whether a reply gives its client a lease: a DHCPACK with a time, or an answer of BOOTP, which has neither type nor time.
pub(crate) fn is_grant(reply: &Message<'_>) -> bool {
    match reply.message_type() {
        Some(MessageType::Ack) => reply.lease_time().is_some(),
        Some(_) => false,
        None => !reply.yiaddr().is_unspecified(),
    }
}

/// For how many seconds a client is promised an address, or offered it; `u32::MAX` is for ever.
pub(crate) fn promised(reply: &Message<'_>) -> Option<u32> {
    let for_ever = reply.message_type().is_none() && is_grant(reply);
    reply.lease_time().or(for_ever.then_some(u32::MAX))
}
