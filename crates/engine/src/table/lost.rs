//! Time that was lost and found again, as far as leases must know of it.
//!
//! *Lives here:* [`LostTime`], which serves time that went back in a reboot too.
//! *Must not know:* clocks: it is told by how much engine time jumped, and to when.
//!
//! Bound: [`KEPT`] jumps; older ones are taken together, so that leases older than these wait longer than they must.

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
