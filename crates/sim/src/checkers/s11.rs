//! S11: what is older never replaces what came from the client later (F07-7.1.3, time(1) of figure 7.1.3-1).
//!
//! *Lives here:* [`recorded`], [`answered`].

use super::Seen;
use super::book::Owed;
use super::ledger::BLUR;
use super::update::client_of;
use failover::binding::BindingStatus;
use failover::message::{BindingAck, BindingUpdate};
use failover::time::{Interval, Time};

/// While it is in doubt which of a release and a lease of one client came first, it has the lease: by so much may the lease be older.
const DOUBT: Interval = Interval::from_seconds(10);

/// A server has recorded a binding: of one client the time at which it was heard last never moves back.
pub(super) fn recorded(before: &Seen, seen: &Seen) -> Result<(), String> {
    let same = seen.identity.is_some() && seen.identity == before.identity;
    if !same || seen.heard >= before.heard {
        return Ok(());
    }
    Err(format!(
        "{}: its client was heard at {}, and {} is recorded now",
        seen.address,
        before.heard.as_seconds(),
        seen.heard.as_seconds()
    ))
}

/// A BNDACK has left: no lease comes back that is older than its end.
pub(super) fn answered(
    owed: &Owed,
    acks: &[BindingAck],
    raised: &dyn Fn(&BindingUpdate) -> bool,
) -> Result<(), String> {
    let accepted = |update: &BindingUpdate| {
        acks.iter().any(|ack| ack.address == update.address && ack.rejected.is_none()) && !raised(update)
    };
    for (update, ours) in owed.updates.iter().filter(|(update, _)| accepted(update)) {
        let over = matches!(ours.status, BindingStatus::Expired | BindingStatus::Released);
        let theirs = update.client_last_transaction_time.map_or(Time::ZERO, |time| time.to_time(owed.delta));
        let same = client_of(update) == ours.identity;
        // What was promised for longer stands, whoever heard the client last (trap T19), unless it gave the address back.
        let end = update.lease_expiration.map_or(Time::ZERO, |end| end.to_time(owed.delta));
        let longer = ours.status == BindingStatus::Expired && end > ours.end;
        if update.status == BindingStatus::Active
            && over
            && same
            && !longer
            && theirs.plus(DOUBT).plus(BLUR) < ours.heard
        {
            return Err(format!(
                "{}: a lease from {} was accepted over {:?}, and its client was heard at {}",
                update.address,
                theirs.as_seconds(),
                ours.status,
                ours.heard.as_seconds()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhcp::ClientIdentity;
    use std::net::Ipv4Addr;

    #[test]
    fn a_client_is_heard_later_and_later() {
        let heard = |seconds| Seen {
            identity: ClientIdentity::from_client_identifier(b"one"),
            heard: Time::from_seconds(seconds),
            ..Seen::never(Ipv4Addr::LOCALHOST)
        };
        assert_eq!(recorded(&heard(7), &heard(7)), Ok(()));
        assert!(recorded(&heard(7), &heard(6)).is_err());
        let other = Seen { identity: ClientIdentity::from_client_identifier(b"two"), ..heard(6) };
        assert_eq!(recorded(&heard(7), &other), Ok(()));
    }
}
