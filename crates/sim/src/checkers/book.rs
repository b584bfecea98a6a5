//! What one server of a pair has written down, told and heard, as seen from outside.
//!
//! *Lives here:* [`Book`], and what stands in it. The [`Ledger`](super::ledger::Ledger) writes it.
//! *May know:* records on disks, messages.
//! *Must not know:* the other server's book.

use super::update::heard_at;
use super::{At, Seen, l6};
use crate::clock::Moment;
use dhcp::ClientIdentity;
use engine::LinkId;
use failover::binding::BindingStatus;
use failover::endpoint::Stored;
use failover::message::{BindingUpdate, Xid};
use failover::state::FailoverState;
use failover::time::{ClockDelta, Interval, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;

/// What the two have agreed about one client's lease on an address, by one of them.
#[derive(Debug, Clone)]
pub(super) struct Agreed {
    pub(super) client: ClientIdentity,
    /// The latest potential end that it told, and the partner acknowledged.
    pub(super) acked: Time,
    /// The latest that it was told, and acknowledged.
    pub(super) received: Time,
}

impl Agreed {
    /// What is agreed about this client: nothing yet, if it was about another until now.
    pub(super) fn about(
        agreed: &mut BTreeMap<Ipv4Addr, Agreed>,
        address: Ipv4Addr,
        client: ClientIdentity,
    ) -> &mut Agreed {
        let nothing = Agreed { client, acked: Time::ZERO, received: Time::ZERO };
        let agreed = agreed.entry(address).or_insert_with(|| nothing.clone());
        if agreed.client != nothing.client {
            *agreed = nothing;
        }
        agreed
    }
}

/// A store that was lost, or replaced by an older one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lost {
    pub(super) at: Moment,
    /// UPDREQALL was sent since, on this connection.
    pub(super) asked: Option<(LinkId, Xid)>,
    /// UPDDONE came for it.
    pub(super) refilled: bool,
}

/// A BNDUPD that was heard and is not answered.
#[derive(Debug, Clone)]
pub(super) struct Owed {
    pub(super) updates: Vec<(BindingUpdate, Seen)>,
    /// How many there were, those that cannot be understood too.
    pub(super) transactions: usize,
    pub(super) delta: ClockDelta,
    /// Records that were made before it was heard.
    pub(super) position: u64,
}

/// What a server owes its partner before UPDDONE.
#[derive(Debug, Clone, Default)]
pub(super) struct Transfer {
    pub(super) owed: BTreeSet<Ipv4Addr>,
}

/// One server.
#[derive(Debug, Clone)]
pub(super) struct Book {
    /// The latest record of each address, and of each that is stable: with the position behind it.
    pub(super) sealed: BTreeMap<Ipv4Addr, Seen>,
    pub(super) stable: BTreeMap<Ipv4Addr, (u64, Seen)>,
    pub(super) waiting: VecDeque<(u64, Vec<Seen>, Vec<Stored>)>,
    /// Records made so far.
    pub(super) position: u64,
    /// What is recorded of the endpoint.
    pub(super) stored: Option<Stored>,
    /// States that are stable with what goes with them, the latest last: one batch may have several.
    pub(super) stable_states: VecDeque<Stored>,
    /// States of this process, each with when it was entered; the last is the present one.
    pub(super) states: VecDeque<(Time, FailoverState)>,
    /// This process was in NORMAL or CONFLICT-DONE, or was told to serve alone.
    pub(super) proven: bool,
    /// This process has heard a STATE of the partner.
    pub(super) has_met: bool,
    /// This process was told `partner-down` then.
    pub(super) told_partner_down: Option<Time>,
    /// When an earlier process that was proven was last seen.
    pub(super) alive_before: Time,
    pub(super) last_seen: Time,
    pub(super) agreed: BTreeMap<Ipv4Addr, Agreed>,
    /// Leases that both know of (L6).
    pub(super) known: BTreeMap<Ipv4Addr, l6::Known>,
    /// When the client was heard to whom each address was given here last.
    pub(super) gave: BTreeMap<Ipv4Addr, Time>,
    /// The same of those to whom T1 was told, and T1.
    pub(super) renewals: BTreeMap<Ipv4Addr, (Time, Interval)>,
    /// The partner said on its present connection that its store is lost.
    pub(super) partner_forgot: bool,
    /// The partner has said at any time that its store is lost: which loss it said last that was heard here.
    pub(super) heard_loss: Option<u64>,
    /// How often this server may have lost its bindings, or begun to say so anew: each start of a process is one.
    pub(super) losses: u64,
    /// Which loss of the partner the end of each address was raised for, and the position behind the record of it (trap T16).
    pub(super) raised: BTreeMap<Ipv4Addr, (u64, u64)>,
    /// Records that are stable.
    pub(super) stable_position: u64,
    /// Told as EXPIRED, RELEASED or RESET since it is so.
    pub(super) told: BTreeSet<Ipv4Addr>,
    /// When the lease on each address began here.
    pub(super) granted: BTreeMap<Ipv4Addr, Time>,
    pub(super) lost: Option<Lost>,
    /// Since when it has had all its bindings; `None` from a loss on.
    pub(super) whole_since: Option<Time>,
    /// What was accepted and answered: what was recorded of it since, oldest first (S4).
    pub(super) answered: BTreeMap<Ipv4Addr, Vec<Seen>>,
    /// Of this turn: addresses of the partner's updates, answers that let an address go, requests that name an address as
    /// theirs, and requests of which a record was made.
    pub(super) touched: BTreeSet<Ipv4Addr>,
    pub(super) let_go: BTreeSet<Ipv4Addr>,
    pub(super) settled: BTreeSet<Ipv4Addr>,
    pub(super) claims: BTreeSet<(Ipv4Addr, ClientIdentity)>,
    pub(super) grants: BTreeSet<(Ipv4Addr, ClientIdentity)>,
    /// When its time began anew, and may have gone back.
    pub(super) time_began: Time,
    /// Engine time minus true time.
    pub(super) offset: i128,
}

impl Book {
    pub(super) fn new() -> Book {
        Book {
            sealed: BTreeMap::new(),
            stable: BTreeMap::new(),
            waiting: VecDeque::new(),
            position: 0,
            stored: None,
            stable_states: VecDeque::new(),
            states: VecDeque::from([(Time::ZERO, FailoverState::Startup)]),
            proven: false,
            has_met: false,
            told_partner_down: None,
            alive_before: Time::ZERO,
            last_seen: Time::ZERO,
            agreed: BTreeMap::new(),
            known: BTreeMap::new(),
            gave: BTreeMap::new(),
            renewals: BTreeMap::new(),
            partner_forgot: false,
            heard_loss: None,
            losses: 0,
            raised: BTreeMap::new(),
            stable_position: 0,
            told: BTreeSet::new(),
            granted: BTreeMap::new(),
            lost: None,
            whole_since: None,
            answered: BTreeMap::new(),
            touched: BTreeSet::new(),
            let_go: BTreeSet::new(),
            settled: BTreeSet::new(),
            claims: BTreeSet::new(),
            grants: BTreeSet::new(),
            time_began: Time::ZERO,
            offset: 0,
        }
    }

    pub(super) fn state(&self) -> FailoverState {
        self.states.back().map_or(FailoverState::Startup, |(_, state)| *state)
    }

    /// The states in which a server was from `since` on.
    pub(super) fn states_since(&self, since: Time) -> impl Iterator<Item = FailoverState> {
        let after = self.states.iter().skip(1).map(|(entered, _)| Some(*entered)).chain([None]);
        let lasted = self.states.iter().zip(after);
        lasted.filter(move |(_, left)| left.is_none_or(|left| left >= since)).map(|((_, state), _)| *state)
    }

    pub(super) fn seen(&self, address: Ipv4Addr) -> Seen {
        self.sealed.get(&address).cloned().unwrap_or_else(|| Seen::never(address))
    }

    /// When PARTNER-DOWN was entered, by what is recorded.
    pub(super) fn partner_down_since(&self) -> Option<Time> {
        let stored = self.stored?;
        (stored.state == FailoverState::PartnerDown).then_some(stored.entered)
    }

    /// Trap T15: when this server was last known to its partner to be alive.
    pub(super) fn alive(&self, now: Time, mclt: Interval) -> Time {
        let waited = self.told_partner_down.is_some_and(|told| now >= told.plus(mclt));
        if self.proven || waited { now } else { self.alive_before }
    }

    /// Both know of this lease, if it is still what we have.
    pub(super) fn both_know(
        &mut self,
        at: At,
        update: &BindingUpdate,
        client: ClientIdentity,
        delta: ClockDelta,
        renewal: Interval,
    ) {
        let seen = self.seen(update.address);
        let heard = update.client_last_transaction_time.map_or(Time::ZERO, |time| time.to_time(delta));
        if seen.is_active() && seen.identity.as_ref() == Some(&client) {
            let known = l6::Known { client, heard, since: at.engine, renewal };
            self.known.insert(update.address, known);
        }
    }

    /// The partner is told that clients have gone. What was decided before its own word came may speak of what was until then.
    pub(super) fn tells(&mut self, updates: &[BindingUpdate]) {
        use BindingStatus as S;
        for update in updates.iter().filter(|it| matches!(it.status, S::Expired | S::Released | S::Reset)) {
            let seen = self.seen(update.address);
            if seen.status == update.status && seen.heard == heard_at(update) {
                self.told.insert(update.address);
            }
        }
    }

    /// T1 of the lease that this update tells of.
    pub(super) fn renewal_of(&self, update: &BindingUpdate) -> Interval {
        let told = self.renewals.get(&update.address).filter(|(heard, _)| *heard == heard_at(update));
        told.map_or(Interval::ZERO, |(_, renewal)| *renewal)
    }

    pub(super) fn end_turn(&mut self) {
        self.touched.clear();
        self.let_go.clear();
        self.settled.clear();
        self.claims.clear();
        self.grants.clear();
    }

    /// An address has another status or client now.
    pub(super) fn changed_hands(&mut self, at: At, before: &Seen, after: &Seen) {
        let address = after.address;
        if after.status != before.status {
            self.told.remove(&address);
        }
        if !after.is_active() || after.identity != before.identity {
            self.known.remove(&address);
        }
        if after.is_available() || after.identity != before.identity {
            let same = self
                .agreed
                .get(&address)
                .is_some_and(|agreed| Some(&agreed.client) == after.identity.as_ref());
            if after.is_available() || !same {
                self.agreed.remove(&address);
            }
        }
        if after.is_active() && (!before.is_active() || after.identity != before.identity) {
            self.granted.insert(address, at.engine);
        }
        if let Some(since) = self.answered.get_mut(&address) {
            since.push(after.clone());
            if since.len() > 64 {
                // All but the last are long stable.
                since.drain(..32);
            }
        }
    }
}
