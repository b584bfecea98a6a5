//! A client of BOOTP (RFC 951): it asks until it is answered, and uses the address until it is switched off.
//!
//! *Lives here:* how it asks, and what it makes of an answer; how it changes to DHCP and back.
//! *Must not know:* leases: what it got once is its own for ever, whether it is on or not.

use super::{Client, How, Lease, Local, NEVER, State, Step, Why};
use crate::faults::Habit;
use crate::net::Link;
use dhcp::Message;
use std::net::Ipv4Addr;

/// The longest wait between two requests, in milliseconds (RFC 951 7.2).
const LONGEST_WAIT: u64 = 60_000;

impl Client {
    /// Whether it asks by BOOTP, and has done so for `long` at least, for an address that it was given before.
    pub(crate) fn asks_in_vain(&self, now: Local, long: u64) -> bool {
        self.state == State::Asking && self.lease.is_some() && self.began + long < now
    }

    /// Whether it speaks BOOTP now.
    pub(crate) fn speaks_bootp(&self) -> bool {
        self.speaks_bootp
    }

    pub(super) fn ask(&mut self, now: Local, tries: u32, steps: &mut Vec<Step>) {
        (self.state, self.tries) = (State::Asking, tries);
        if tries == 1 {
            self.began = now;
        }
        self.begin(now, tries == 1 || self.person.fresh_transactions);
        steps.push(self.asking());
        // RFC 951 7.2: twice as long each time, up to a minute.
        let wait = (4000 << tries.clamp(1, 5).saturating_sub(1)).min(LONGEST_WAIT);
        self.due = now + wait + self.random.between(0, 2000) - 1000;
    }

    pub(super) fn answered(&mut self, message: &Message<'_>, steps: &mut Vec<Step>) {
        let address = message.yiaddr();
        if message.message_type().is_some() || address.is_unspecified() {
            return;
        }
        if self.lease.is_some_and(|lease| lease.address != address) {
            self.let_go(Why::Forgot, steps);
        }
        // Nobody names itself in an answer, and nothing is ever sent to it.
        let server = Ipv4Addr::UNSPECIFIED;
        let lease = Lease { address, server, renewal: NEVER, rebinding: NEVER, end: NEVER };
        (self.lease, self.last_address, self.moved) = (Some(lease), Some(address), false);
        (self.state, self.due) = (State::Bound, NEVER);
        steps.push(Step::Holds { address, until: NEVER, how: How::Bootp });
    }

    /// What one that has both does out of a habit; false where it does as others do.
    pub(super) fn act_as_either(&mut self, soon: Local, habit: Habit, steps: &mut Vec<Step>) -> bool {
        let changes = match habit {
            Habit::ChangeIdentity => true,
            Habit::Forget | Habit::Reboot | Habit::Vanish => self.random.chance(400),
            _ => false,
        };
        if changes {
            self.let_go(Why::Forgot, steps);
            self.speaks_bootp = !self.speaks_bootp;
            self.last_address = None;
            (self.state, self.due) = (State::Init, soon);
        } else if self.speaks_bootp {
            if habit == Habit::Roam {
                self.let_go(Why::Forgot, steps);
                self.link = if self.link == Link::Wire { Link::Far } else { Link::Wire };
            }
            self.leave(soon);
        }
        changes || self.speaks_bootp
    }
}
