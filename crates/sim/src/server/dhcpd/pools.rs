//! How a dhcpd ends leases, and evens its pools.
//!
//! *Lives here:* expiry, what PARTNER-DOWN frees, POOLREQ and what it moves.
//! *Must not know:* clients.

use super::{Act, Dhcpd, Habit, Pool, Seconds};
use failover::binding::BindingStatus as B;
use failover::message::{Envelope, Message, Xid};
use failover::state::{FailoverState as S, Role};
use std::net::Ipv4Addr;

/// min-balance.
const EVERY: Seconds = 60;

/// What the drafts leave open, and a Tandem waits: so many seconds, and a thousandth of the lease.
const SLACK: Seconds = 10;

/// max-lease-misbalance and max-lease-ownership, in hundredths.
const MISBALANCE: usize = 15;
const OWNERSHIP: usize = 10;

impl Dhcpd {
    /// Leases that are over; in PARTNER-DOWN what may be used again.
    pub(super) fn end_leases(&mut self) {
        let (now, state) = (self.now, self.state());
        let waits = state == S::Normal && self.role == Role::Secondary && self.has(Habit::LeavesExpiry);
        let is_alone = state == S::PartnerDown;
        if matches!(state, S::Startup | S::Recover | S::RecoverWait) {
            return;
        }
        let has_slack = !self.has(Habit::NoSlack);
        for (address, lease) in &mut self.leases {
            let slack = SLACK + lease.ends.saturating_sub(lease.starts) / 1000;
            let end = lease.ends + if has_slack { slack } else { 0 };
            if lease.status == B::Active && end <= now && !waits {
                (lease.status, lease.starts, lease.untold) = (B::Expired, now, true);
                lease.said = false;
                let until = lease.ends + slack;
                self.acts.push(Act::Broke { address: *address, until, habit: Habit::NoSlack });
            }
        }
        if !is_alone {
            return;
        }
        let less = self.has(Habit::WaitsLess);
        let (mclt, entered) = (self.mclt, self.declared.since);
        let mut free = Vec::new();
        for (address, lease) in &self.leases {
            let full = lease.ends.max(lease.tstp).max(lease.tsfp).max(entered) + mclt;
            let from = if less { lease.ends.max(entered + mclt) } else { full };
            if matches!(lease.status, B::Expired | B::Released | B::Reset) && from <= now {
                free.push((*address, now < full));
            }
        }
        for (address, early) in free {
            self.frees(address, early);
            if let Some(lease) = self.leases.get_mut(&address) {
                lease.untold = true;
            }
        }
    }

    /// The timer of the balance, and the look on entry to NORMAL.
    pub(super) fn keep_pools(&mut self) {
        let now = self.now;
        let state = self.state();
        let partner = self.link().and_then(|link| link.partner).map(|(state, _)| state);
        if state != S::Normal || partner != Some(S::Normal) {
            return;
        }
        let Some(process) = &mut self.process else { return };
        if process.balance_at.is_none_or(|at| at > now) {
            return;
        }
        process.balance_at = Some(now + EVERY);
        self.evens(MISBALANCE);
        let is_short = (0..self.pools.len()).any(|pool| {
            let (own, other) = self.count(&self.pools[pool]);
            other > own + 2 * ((own + other) * MISBALANCE / 100).max(1)
        });
        if is_short && (self.role == Role::Secondary || self.has(Habit::AsksBothWays)) {
            self.say(Message::PoolReq);
        }
    }

    /// What is its own, and its partner's.
    fn count(&self, pool: &Pool) -> (usize, usize) {
        let of = |status: B| {
            self.leases.range(pool.first..=pool.last).filter(|(_, lease)| lease.status == status).count()
        };
        let own = self.own_status();
        (of(own), of(if own == B::Free { B::Backup } else { B::Free }))
    }

    /// Gives of what it has too much; how many.
    fn evens(&mut self, hundredths: usize) -> u32 {
        if self.role == Role::Secondary && !self.has(Habit::AsksBothWays) {
            return 0;
        }
        let own = self.own_status();
        let theirs = if own == B::Free { B::Backup } else { B::Free };
        let mut moved = 0;
        for pool in self.pools.clone() {
            let (mine, other) = self.count(&pool);
            let more = mine.saturating_sub(other) / 2;
            if more <= (mine + other) * hundredths / 100 {
                continue;
            }
            let range = self.leases.range(pool.first..=pool.last);
            let mut may: Vec<Ipv4Addr> =
                range.filter(|(_, lease)| lease.status == own && !lease.untold).map(|(at, _)| *at).collect();
            may.reverse();
            let now = self.now;
            for address in may.into_iter().take(more) {
                if let Some(lease) = self.leases.get_mut(&address) {
                    (lease.status, lease.starts, lease.untold) = (theirs, now, true);
                    moved += 1;
                }
            }
        }
        moved
    }

    pub(super) fn takes_poolreq(&mut self, xid: Xid) {
        let addresses_transferred = if self.state() == S::Normal { self.evens(OWNERSHIP) } else { 0 };
        let (time, Some(id)) = (self.wire(self.now), self.link().map(|link| link.id)) else { return };
        self.push(id, Envelope { time, xid, message: Message::PoolResp { addresses_transferred } });
        self.say_updates();
    }
}
