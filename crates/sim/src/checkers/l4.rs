//! L4: once faults have stopped, a client with a lease that keeps asking renews before its lease ends, and is not refused.
//!
//! *Lives here:* [`L4`]; [`answered`], for those who ask by BOOTP.

use crate::client::Why;
use crate::clock::Moment;
use std::net::Ipv4Addr;

/// A client that asked in vain just before faults stopped asks again after 60 s (RFC 2131 4.4.5).
const ASKS_AGAIN: u64 = 70_000;

/// A client that asks by BOOTP, again and again, for what was given to it for ever; and all has been well for long.
pub(crate) fn answered(asks_in_vain: Option<u8>) -> Result<(), String> {
    asks_in_vain.map_or(Ok(()), |client| {
        Err(format!("client {client} asks by BOOTP for the address that it has, and nobody answers"))
    })
}

#[derive(Debug, Clone, Default)]
pub(crate) struct L4 {
    healed: Option<Moment>,
}

impl L4 {
    pub(super) fn healed(&mut self, now: Moment) {
        self.healed = Some(now);
    }

    /// `held_until`: none where somebody gave the address back in the client's name: then nobody owes it an answer. `stays`: the
    /// client is in the network of the address, and no other is reserved for it.
    pub(super) fn lets_go(
        &mut self,
        now: Moment,
        client: u8,
        address: Ipv4Addr,
        why: Why,
        held_until: Option<Moment>,
        stays: bool,
    ) -> Result<(), String> {
        let Some(healed) = self.healed else { return Ok(()) };
        match why {
            Why::RanOut if held_until.is_some() && now > healed + ASKS_AGAIN => Err(format!(
                "client {client} asked to renew {address} until its lease ran out, and all was well"
            )),
            Why::Refused if stays && held_until.is_some_and(|until| until > now) => {
                Err(format!("client {client} held {address}, and was refused when all was well"))
            }
            _ => Ok(()),
        }
    }
}
