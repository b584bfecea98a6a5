//! Time that was lost and found again, as far as leases must know of it.
//!
//! *Lives here:* [`LostTime`], which serves time that went back in a reboot too; what both mean for a binding.
//! *Must not know:* clocks: it is told by how much engine time jumped, and to when.
//!
//! Bound: [`KEPT`] jumps; older ones are taken together, so that leases older than these wait longer than they must.

use super::{Slot, Table};
use crate::record::Stamp;
use failover::time::{Interval, Time};

/// Jumps that are kept apart.
const KEPT: usize = 16;

/// Jumps of engine time, oldest first: when each was over, in whole seconds, and its length.
#[derive(Debug, Clone, Default)]
pub(crate) struct LostTime(Vec<(Time, Interval)>);

impl LostTime {
    /// A binding knows only the second in which its client was heard. All of the second in which a jump ended counts as after it: what
    /// was given before is older by the whole jump. After a reboot it may be that young, but then nearly all of it is still to come.
    pub(crate) fn add(&mut self, found: Time, lost: Interval) {
        let found = Time::from_seconds(found.as_seconds());
        if self.0.iter().any(|(before, _)| *before == found) {
            // A record that was replayed twice.
            return;
        }
        self.0.push((found, lost));
        if self.0.len() > KEPT {
            let (_, oldest) = self.0.remove(0);
            self.0[0].1 = self.0[0].1.plus(oldest);
        }
    }

    /// How much was found after `given`: so much longer may a client count that was given its lease then.
    pub(crate) fn since(&self, given: Time) -> Interval {
        let after = self.0.iter().rev().take_while(|(found, _)| *found > given);
        after.fold(Interval::ZERO, |sum, (_, lost)| sum.plus(*lost))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Time, Interval)> + '_ {
        self.0.iter().copied()
    }
}

impl Table {
    /// Engine time has jumped by `lost`, to `found`: leases given before are not over until that much later.
    pub(crate) fn time_was_lost(&mut self, found: Time, lost: Interval) {
        self.lost.add(found, lost);
    }

    /// Engine time, when it began anew at `since`, was less by so much than if it had gone on: what the partner acknowledged is over
    /// that much earlier.
    pub(crate) fn time_went_back(&mut self, since: Time, by: Interval) {
        self.back.add(since, by);
        for binding in &mut self.slots {
            let acked = &mut binding.acked_potential_expiration;
            *acked = Stamp::at_or_before(acked.time().minus(by));
        }
    }

    /// By how much what the partner told of this address may be over earlier than is recorded. The record stays: it is waited for as
    /// long as it says.
    pub(crate) fn went_back(&self, slot: Slot) -> Interval {
        self.back.since(self.get(slot).client_last_transaction_time.time())
    }

    /// When engine time began anew after it had gone back, and by how much.
    pub(crate) fn times_back(&self) -> impl Iterator<Item = (Time, Interval)> + '_ {
        self.back.iter()
    }

    /// Until when the client of this address may think that it has it, if it has not heard our latest answer (trap T19): the
    /// recorded end, and what was found of lost time since it was recorded.
    pub(crate) fn kept_until(&self, slot: Slot) -> Stamp {
        let binding = self.get(slot);
        let held = self.lost.since(binding.client_last_transaction_time.time());
        Stamp::at_or_after(binding.lease_expiration.time().plus(held))
    }

    /// When lost time was found, and how much of it.
    pub(crate) fn lost_times(&self) -> impl Iterator<Item = (Time, Interval)> + '_ {
        self.lost.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_found_later_counts_and_nothing_is_forgotten() {
        let (at, span) = (Time::from_seconds, Interval::from_seconds);
        let mut lost = LostTime::default();
        for n in 1..=20 {
            lost.add(at(100 * n), span(n));
            lost.add(at(100 * n), span(n));
        }
        assert_eq!(lost.iter().count(), KEPT);
        assert_eq!(lost.since(at(2000)), Interval::ZERO);
        assert_eq!(lost.since(at(1850)), span(19 + 20));
        assert_eq!(lost.since(at(0)), span(210));
        lost.add(Time::from_millis(3_000_999), span(7));
        assert_eq!([lost.since(at(2999)), lost.since(at(3000))], [span(7), Interval::ZERO]);
    }
}
