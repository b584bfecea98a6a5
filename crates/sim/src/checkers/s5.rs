//! S5: what a server takes for acknowledged, the partner has acknowledged: for the same client (F07-5.2.1-08, trap T14).
//!
//! *Lives here:* [`recorded`].

use super::ledger::{BLUR, Ledger};
use super::{At, Seen};
use failover::time::Time;

/// A server has recorded a binding.
pub(super) fn recorded(ledger: &Ledger, at: At, seen: &Seen) -> Result<(), String> {
    let [_, acked, _] = seen.potentials;
    if acked == Time::ZERO || !seen.is_active() {
        return Ok(());
    }
    let agreed = ledger.books[at.server].agreed.get(&seen.address);
    let agreed = agreed.filter(|agreed| Some(&agreed.client) == seen.identity.as_ref());
    let heard = agreed.map_or(Time::ZERO, |agreed| agreed.acked);
    if acked <= heard.plus(BLUR) {
        return Ok(());
    }
    Err(format!(
        "{}: {} is recorded as acknowledged, and the partner acknowledged {} for this client",
        seen.address,
        acked.as_seconds(),
        heard.as_seconds()
    ))
}
