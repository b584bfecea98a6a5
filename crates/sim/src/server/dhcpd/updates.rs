//! What a dhcpd tells of its leases, and what it takes from its partner.
//!
//! *Lives here:* BNDUPD and BNDACK both ways, UPDREQ and UPDREQALL.
//! *Must not know:* states beyond whether it is in NORMAL.

use super::{Act, Client, Dhcpd, Habit, Lease, Seconds};
use crate::checkers::client_of;
use failover::binding::BindingStatus as B;
use failover::message::{BindingAck, BindingUpdate, ClientHardware, Envelope, Message, RejectReason, Xid};
use failover::state::{FailoverState as S, Role};
use failover::time::WireTime;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// How long an answer waits for company.
const COMPANY: Seconds = 2;

/// A clock may be off by so much, and the message on its way.
const TOLERANCE: Seconds = 65;

fn seconds(time: Option<WireTime>) -> Seconds {
    time.map_or(0, |time| Seconds::from(time.0))
}

impl Dhcpd {
    fn update(&self, address: Ipv4Addr, lease: &Lease) -> BindingUpdate {
        let mut update = BindingUpdate::new(address, lease.status);
        let speaks_of = matches!(lease.status, B::Active | B::Expired | B::Released);
        if let Some(client) = lease.client.as_ref().filter(|_| speaks_of) {
            update.client_identifier.clone_from(&client.identifier);
            update.hardware = Some(ClientHardware { htype: client.htype, address: client.hardware.clone() });
        }
        update.lease_expiration = Some(self.wire(lease.ends));
        update.potential_expiration = Some(self.wire(lease.tstp));
        update.start_time_of_state = Some(self.wire(lease.starts));
        update.client_last_transaction_time = Some(self.wire(lease.cltt));
        update
    }

    /// Its own update of an address, while it waits for the answer.
    fn own_under_way(&self, address: Ipv4Addr) -> Option<&BindingUpdate> {
        self.link()?.outstanding.values().find(|own| own.address == address)
    }

    /// Sends what waits, as far as the window reaches; answers first.
    pub(super) fn say_updates(&mut self) {
        let now = self.now;
        let is_due = self.link().is_some_and(|link| link.acks_at.is_some_and(|at| at <= now));
        if is_due {
            self.say_acks();
        }
        let can = self.link().is_some_and(|link| link.is_open && link.partner.is_some());
        if !can || matches!(self.state(), S::Startup | S::Shutdown) {
            return;
        }
        let untold: Vec<Ipv4Addr> =
            self.leases.iter().filter(|(_, lease)| lease.untold).map(|(address, _)| *address).collect();
        for address in untold {
            let Some(link) = self.link() else { return };
            if link.outstanding.len() >= link.window {
                break;
            }
            if self.own_under_way(address).is_some() {
                continue;
            }
            self.say_acks();
            let Some(lease) = self.leases.get(&address) else { continue };
            let update = self.update(address, lease);
            if let Some(lease) = self.leases.get_mut(&address) {
                (lease.untold, lease.said) = (false, true);
            }
            let time = self.wire(now);
            let Some(link) = self.link_mut() else { return };
            let (xid, id) = (link.next_xid(), link.id);
            link.outstanding.insert(xid, update.clone());
            self.push(id, Envelope { time, xid, message: Message::BndUpd(vec![update].into()) });
        }
        self.say_done();
    }

    fn say_acks(&mut self) {
        let time = self.wire(self.now);
        let Some(link) = self.link_mut() else { return };
        let (id, acks) = (link.id, std::mem::take(&mut link.acks));
        link.acks_at = None;
        for (xid, ack) in acks {
            self.push(id, Envelope { time, xid, message: Message::BndAck(vec![ack]) });
        }
    }

    /// UPDDONE, where all that was to be told is answered.
    fn say_done(&mut self) {
        let time = self.wire(self.now);
        let Some(link) = self.link_mut() else { return };
        let id = link.id;
        let (done, owed) = std::mem::take(&mut link.owed).into_iter().partition(|(_, left)| left.is_empty());
        link.owed = owed;
        let done: Vec<(Xid, BTreeSet<Ipv4Addr>)> = done;
        link.has_told_all |= !done.is_empty();
        for (xid, _) in done {
            self.push(id, Envelope { time, xid, message: Message::UpdDone });
        }
    }

    /// UPDREQ or UPDREQALL.
    pub(super) fn takes_request(&mut self, xid: Xid, all: bool) {
        for lease in self.leases.values_mut() {
            lease.untold |= all;
        }
        let waiting = self.leases.iter().filter(|(_, lease)| lease.untold).map(|(address, _)| *address);
        let mut owed: BTreeSet<Ipv4Addr> = waiting.collect();
        if let Some(link) = self.link_mut() {
            owed.extend(link.outstanding.values().map(|update| update.address));
            link.owed.push((xid, owed));
        }
        self.say_updates();
        self.say_done();
    }

    /// The partner answers.
    pub(super) fn takes_acks(&mut self, xid: Xid, acks: &[BindingAck]) {
        let Some(link) = self.link_mut() else { return };
        let Some(update) = link.outstanding.remove(&xid) else { return };
        for (_, owed) in &mut link.owed {
            owed.remove(&update.address);
        }
        let accepted = acks.iter().any(|ack| ack.address == update.address && ack.rejected.is_none());
        if let Some(lease) = self.leases.get_mut(&update.address).filter(|_| accepted) {
            if update.status == B::Active {
                lease.tsfp = lease.tsfp.max(seconds(update.potential_expiration));
                lease.tsfp_of_client = lease.tsfp_of_client.max(seconds(update.potential_expiration));
            }
            if lease.status == update.status && matches!(lease.status, B::Expired | B::Released | B::Reset) {
                self.frees(update.address, false);
            }
        }
        self.say_updates();
        self.say_done();
    }

    pub(super) fn frees(&mut self, address: Ipv4Addr, early: bool) {
        let (now, outlive) = (self.now, self.has(Habit::TimesOutliveClients));
        let Some(lease) = self.leases.get_mut(&address) else { return };
        (lease.status, lease.starts, lease.freed_early) = (B::Free, now, early);
        if !outlive {
            (lease.tsfp, lease.tstp) = (0, 0);
        }
    }

    /// A BNDUPD about one address.
    pub(super) fn takes_update(&mut self, xid: Xid, update: &BindingUpdate) {
        let rejected = self.judges(update);
        if rejected.is_none() {
            self.note_end(update);
            self.applies(update);
        }
        let ack = match rejected {
            None => BindingAck::accepted(update.address),
            Some(reason) => BindingAck::rejected(update.address, reason),
        };
        let (now, late) = (self.now, self.has(Habit::LateAcks));
        let half = if self.has(Habit::SmallWindow) { 5 } else { 32 };
        let Some(link) = self.link_mut() else { return };
        link.acks.push((xid, ack));
        link.acks_at.get_or_insert(now + COMPANY);
        if !late || link.acks.len() >= half {
            self.say_acks();
        }
    }

    fn judges(&self, update: &BindingUpdate) -> Option<RejectReason> {
        let Some(lease) = self.leases.get(&update.address) else {
            return Some(RejectReason::ILLEGAL_IP_ADDRESS);
        };
        let speaks_of = matches!(update.status, B::Active | B::Expired | B::Released);
        if speaks_of && client_of(update).is_none() {
            return Some(RejectReason::MISSING_BINDING_INFORMATION);
        }
        let crosses = self.own_under_way(update.address);
        if crosses.is_some_and(|own| !self.is_better(update, own)) {
            return Some(RejectReason::LESS_CRITICAL_BINDING_INFORMATION);
        }
        if lease.status != B::Active {
            return None;
        }
        let end = seconds(update.lease_expiration);
        let is_over = |at: Seconds, tolerance: Seconds| at <= self.now + tolerance;
        if !self.has(Habit::TakesEnds) {
            let is_end = matches!(update.status, B::Expired | B::Free | B::Backup);
            let older = seconds(update.client_last_transaction_time) < lease.cltt;
            if is_end && lease.ends > self.now || update.status == B::Released && older {
                return Some(RejectReason::OUTDATED_BINDING_INFORMATION);
            }
        }
        let taken = match (self.state() == S::Normal, update.status) {
            (true, B::Active | B::Released | B::Abandoned) => true,
            (true, B::Expired) if self.role == Role::Secondary => is_over(end, TOLERANCE),
            (true, B::Free | B::Backup) if self.role == Role::Secondary => {
                is_over(seconds(update.potential_expiration), 0)
            }
            (false, B::Expired) => is_over(end, TOLERANCE),
            (true, _) | (false, B::Free | B::Backup) => false,
            (false, _) => true,
        };
        (!taken).then_some(RejectReason::ADDRESS_IN_USE)
    }

    /// Of two that cross: ACTIVE before others, then who heard the client later, then the primary.
    fn is_better(&self, theirs: &BindingUpdate, own: &BindingUpdate) -> bool {
        let active = |update: &BindingUpdate| update.status == B::Active;
        let heard = |update: &BindingUpdate| seconds(update.client_last_transaction_time);
        let (one, other) = ((active(theirs), heard(theirs)), (active(own), heard(own)));
        one > other || one == other && self.role == Role::Secondary
    }

    /// An end over a lease that it has extended, and that its partner has not heard of.
    fn note_end(&mut self, update: &BindingUpdate) {
        let Some(lease) = self.leases.get(&update.address) else { return };
        let runs = lease.status == B::Active && lease.ends > self.now;
        let is_shorter = update.status == B::Active && seconds(update.lease_expiration) < lease.ends;
        let older = seconds(update.client_last_transaction_time) < lease.cltt;
        let ends = is_shorter
            || matches!(update.status, B::Expired | B::Free | B::Backup)
            || update.status == B::Released && older;
        let is_under_way = self.own_under_way(update.address).is_some();
        if !runs || !ends || !lease.untold && !is_under_way {
            return;
        }
        if is_under_way || self.link().is_some_and(|link| link.has_told_all) {
            let (address, until) = (update.address, lease.ends);
            self.acts.push(Act::Broke { address, until, habit: Habit::TakesEnds });
        } else {
            let why =
                format!("{}: {} was told to a dhcpd that was not asked first", update.address, update.status);
            self.acts.push(Act::Wronged(why));
        }
    }

    fn applies(&mut self, update: &BindingUpdate) {
        let (now, client) = (self.now, client_of(update));
        let is_under_way = self.own_under_way(update.address).is_some();
        let Some(lease) = self.leases.get_mut(&update.address) else { return };
        let same = client.is_some() && client == lease.client.as_ref().map(|client| client.identity.clone());
        let is_news = lease.untold || is_under_way;
        let own_end = if same && is_news && lease.status == B::Active { lease.ends } else { 0 };
        if !same {
            lease.tsfp_of_client = 0;
        }
        let keeps = !self.habits.has(Habit::TakesEnds) && own_end > seconds(update.lease_expiration);
        (lease.untold, lease.freed_early) = (keeps, false);
        lease.broken = lease.broken.filter(|_| same);
        if let (Some(identity), Some(hardware)) = (client, &update.hardware) {
            lease.client = Some(Client {
                identity,
                identifier: update.client_identifier.clone(),
                htype: hardware.htype,
                hardware: hardware.address.clone(),
            });
        }
        lease.cltt = lease.cltt.max(seconds(update.client_last_transaction_time));
        match update.status {
            B::Active => {
                (lease.status, lease.starts) = (B::Active, seconds(update.start_time_of_state));
                lease.ends = seconds(update.lease_expiration).max(if keeps { own_end } else { 0 });
                lease.tsfp = lease.tsfp.max(seconds(update.potential_expiration));
                lease.tsfp_of_client = lease.tsfp_of_client.max(seconds(update.potential_expiration));
            }
            B::Expired | B::Released | B::Reset => {
                lease.untold = false;
                self.frees(update.address, false);
            }
            status => {
                (lease.status, lease.starts) = (status, now);
                lease.untold = false;
                if !self.habits.has(Habit::TimesOutliveClients) {
                    (lease.tsfp, lease.tstp) = (0, 0);
                }
            }
        }
    }
}
