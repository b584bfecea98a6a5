//! An MCLT that changes: from when on it is promised by, and until when the one of before is waited for (F07-5.2.1-01, -07).
//!
//! *Lives here:* what becomes of the record of an endpoint at a start, when the partner knows of the change, and later.
//! *Must not know:* connections, bindings.

use crate::record::EndpointRecord;
use failover::state::Role;
use failover::time::{Interval, Time};

/// A start with `configured` in the configuration. By a longer one nothing is promised before the partner knows it, for the partner waits
/// by the shorter; but it may know it since a connection that this server did not see complete. By a shorter one is promised
/// at once, and waited as before.
pub(super) fn begin(record: &mut EndpointRecord, configured: Interval, role: Role) {
    if record.mclt == Interval::ZERO {
        record.mclt = configured;
    } else if role == Role::Primary && record.mclt != configured {
        record.former_mclt = Some((record.longest_mclt().max(configured), Time::NEVER));
        record.mclt = record.mclt.min(configured);
    }
}

/// Whether the partner learns something by being told that it is `configured`.
pub(super) fn are_news(record: &EndpointRecord, configured: Interval) -> bool {
    record.mclt != configured || record.former_mclt.is_some_and(|(_, until)| until == Time::NEVER)
}

/// Both know at `now` that it is `mclt`. What either promised before by a longer one is over that much later.
pub(super) fn told(record: &mut EndpointRecord, mclt: Interval, now: Time) {
    let longest = record.longest_mclt();
    let is_news = are_news(record, mclt);
    record.mclt = mclt;
    if longest <= mclt {
        record.former_mclt = None;
    } else if is_news {
        record.former_mclt = Some((longest, now.plus(longest).plus(longest.slack())));
    }
}

/// The time of the longer one is over; whether that is so just now.
pub(super) fn forget(record: &mut EndpointRecord, now: Time) -> bool {
    record.former_mclt.take_if(|(_, until)| *until <= now).is_some()
}
