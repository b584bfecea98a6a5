//! L4: once faults have stopped, a client with a lease that keeps asking renews before its lease ends, and is not refused.
//!
//! *Lives here:* [`L4`].

use crate::client::Why;
use crate::clock::Moment;
use std::net::Ipv4Addr;

/// A client that asked in vain just before faults stopped asks again after 60 s (RFC 2131 4.4.5).
const ASKS_AGAIN: u64 = 70_000;

#[derive(Debug, Clone, Default)]
pub(crate) struct L4 {
    healed: Option<Moment>,
}

impl L4 {
    pub(super) fn healed(&mut self, now: Moment) {
        self.healed = Some(now);
    }

    /// `stays`: by its own view the client has a right to the address, in the network where it is.
    pub(super) fn lets_go(
        &mut self,
        now: Moment,
        client: u8,
        address: Ipv4Addr,
        why: Why,
        stays: bool,
    ) -> Result<(), String> {
        let Some(healed) = self.healed else { return Ok(()) };
        match why {
            Why::RanOut if now > healed + ASKS_AGAIN => Err(format!(
                "client {client} asked to renew {address} until its lease ran out, and all was well"
            )),
            Why::Refused if stays => {
                Err(format!("client {client} held {address}, and was refused when all was well"))
            }
            _ => Ok(()),
        }
    }
}
