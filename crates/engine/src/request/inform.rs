//! DHCPINFORM: a client with an address of its own asks for parameters (RFC 2131 4.3.5).
//!
//! *Lives here:* [`inform`].

use super::{Request, reply};
use crate::counter::Counter;
use crate::engine::Engine;
use crate::outbox::Outbox;
use failover::time::Time;

/// Answers with options; no lease is looked at or made.
pub(crate) fn inform(
    engine: &mut Engine,
    now: Time,
    request: &Request<'_>,
    outbox: &mut Outbox,
) -> Result<(), Counter> {
    if request.message.ciaddr().is_unspecified() {
        return Err(Counter::DroppedIncomplete);
    }
    engine.may_answer_in(request)?;
    reply::parameters(engine, now, request, outbox)?;
    engine.counters.count(Counter::AckInform);
    Ok(())
}
