//! S13: no update without a word of the client replaces a lease that is not over, and none that is over displaces one that
//! is not (figure 7.1.3-1 time(1), time(2), note (5); trap T23).
//!
//! *Lives here:* [`answered`].

use super::book::Owed;
use super::ledger::BLUR;
use super::update::client_of;
use super::{At, Seen};
use failover::binding::BindingStatus;
use failover::message::{BindingAck, BindingUpdate};
use failover::time::{ClockDelta, Time};

/// A BNDACK has left.
pub(super) fn answered(at: At, owed: &Owed, acks: &[BindingAck]) -> Result<(), String> {
    for (update, ours) in &owed.updates {
        let accepted = acks.iter().any(|ack| ack.address == update.address && ack.rejected.is_none());
        if accepted && ours.is_active() && ours.end > at.engine.plus(BLUR) {
            accepted_over_a_lease(at, update, ours, owed.delta)?;
        }
    }
    Ok(())
}

fn accepted_over_a_lease(
    at: At,
    update: &BindingUpdate,
    ours: &Seen,
    delta: ClockDelta,
) -> Result<(), String> {
    let time = |time: Option<failover::time::WireTime>| time.map_or(Time::ZERO, |time| time.to_time(delta));
    let what = format!(
        "{}: {:?} was accepted over a lease that runs for {}",
        update.address,
        update.status,
        ours.end.since(at.engine)
    );
    match update.status {
        BindingStatus::Expired | BindingStatus::Free | BindingStatus::Backup => Err(what),
        BindingStatus::Released if time(update.client_last_transaction_time).plus(BLUR) < ours.heard => {
            Err(format!("{what}, and its client was heard since"))
        }
        BindingStatus::Active
            if client_of(update) != ours.identity
                && time(update.lease_expiration).plus(BLUR).plus(BLUR) < at.engine =>
        {
            Err(format!("{what}, and is over itself"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_expiry_cannot_end_a_lease_that_runs() {
        let address = Ipv4Addr::new(10, 0, 0, 9);
        let at = At { now: 0, server: 0, engine: Time::from_seconds(1_800_000_000) };
        let ours = Seen {
            status: BindingStatus::Active,
            end: Time::from_seconds(1_800_000_100),
            ..Seen::never(address)
        };
        let update = BindingUpdate::new(address, BindingStatus::Expired);
        let owed = Owed {
            updates: vec![(update, ours)],
            transactions: 1,
            delta: ClockDelta::default(),
            position: 0,
        };
        assert!(answered(at, &owed, &[BindingAck::accepted(address)]).is_err());
        let later = At { engine: Time::from_seconds(1_800_000_200), ..at };
        assert_eq!(answered(later, &owed, &[BindingAck::accepted(address)]), Ok(()));
    }
}
