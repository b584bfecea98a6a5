//! A BNDUPD: what the partner tells of its bindings (F07 7.1).
//!
//! *Lives here:* [`Engine::binding_updates`]: judge, apply, record, acknowledge.
//! *May know:* figure 7.1.3-1 by way of `failover::judge`.
//! *Must not know:* connections; what we tell the partner.

use super::transaction::Claim;
use crate::config::RelationshipId;
use crate::counter::Counter;
use crate::engine::Engine;
use crate::event::Event;
use crate::outbox::Outbox;
use crate::record::{ClientDetails, Flags, Stamp};
use crate::table::{Binding, Slot};
use failover::binding::BindingStatus;
use failover::dialect::Dialect;
use failover::judge::{self, Apply, Client, Update, Verdict, judge};
use failover::lease::{Times, potential_expiration, raise_after_own_loss};
use failover::message::{BindingAck, BindingUpdate, BindingUpdates, Message, RejectReason, Xid};
use failover::state::Role;
use failover::time::{ClockDelta, Interval, Time};
use std::net::Ipv4Addr;

/// Two ends that are no farther apart are one: each of two differences of clocks is in whole seconds, and followed when it is wrong by
/// more than one (F07 5.9). Were each of the two servers to take its own for the later, and to say so at once, they would never come
/// to an end (trap T7).
const SAME_END: Interval = Interval::from_seconds(4);

/// How far from our own word the same word may be when a partner repeats it: a difference of clocks that was measured with
/// messages that were slow is off by as much.
const SAME_WORD: Interval = Interval::from_seconds(10);

impl Engine {
    /// Each transaction is judged and, when accepted, recorded; one BNDACK for all of them rests on these records
    /// (F07-6.3-05, F07-7.2-01, F07-5.2.1-09).
    pub(super) fn binding_updates(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        xid: Xid,
        updates: &BindingUpdates,
        delta: ClockDelta,
        outbox: &mut Outbox,
    ) {
        let mut acks = updates.malformed.clone();
        let dialect = self.endpoint(relationship).dialect;
        self.note_dns_updates(relationship, &updates.updates, outbox);
        // F07-6.3-02.
        for update in &updates.updates {
            let received = Update::received(update, delta, dialect);
            let claim = Claim::of(update);
            if let Some(slot) = self.table.at(update.address) {
                self.endpoint_mut(relationship).outstanding.crossed(slot);
            }
            let forgotten = self.forgotten(relationship, update.address, &received);
            let received = if forgotten.is_some() { still_held(received) } else { received };
            let feared = forgotten.is_some() || self.is_feared_of(update.address, &claim);
            let meant = Update {
                lease_expiration: self
                    .overwritten_end(dialect, update.address, &received, &claim)
                    .or(received.lease_expiration),
                ..received
            };
            let ack = match self.judged(now, relationship, update, &meant, &claim) {
                Ok((slot, mut apply)) => {
                    if let Some(end) = forgotten {
                        // What is over for the partner it counts on no more.
                        let known = if received.status == update.status { apply.times } else { Times::NONE };
                        apply.times = known.granted(end);
                        self.endpoint_mut(relationship).regained.insert(slot);
                    }
                    let agrees = received.status == update.status;
                    let is_active = received.status == BindingStatus::Active;
                    let is_longer =
                        apply.times.lease_expiration > meant.lease_expiration.unwrap_or(Time::ZERO);
                    let is_feared = feared && is_active && is_longer;
                    let flags = if is_feared { Flags::FEARED } else { Flags::NONE };
                    self.apply(now, relationship, slot, &received, &claim, &apply, flags, outbox);
                    if agrees {
                        self.counters.count(Counter::BndupdAccepted);
                        BindingAck::accepted(update.address)
                    } else {
                        self.counters.count(Counter::BndupdRefused);
                        BindingAck::rejected(update.address, RejectReason::OUTDATED_BINDING_INFORMATION)
                    }
                }
                Err(reason) => {
                    self.counters.count(Counter::BndupdRefused);
                    let has_a_say = !self.endpoint(relationship).machine.stored().storage_lost;
                    if reason == RejectReason::OUTDATED_BINDING_INFORMATION && has_a_say {
                        self.tell_what_stands(update, &claim, outbox);
                    }
                    self.note_refusal(relationship, update, reason, outbox);
                    BindingAck::rejected(update.address, reason)
                }
            };
            acks.push(ack);
        }
        // F07-7.2-06.
        if self.planted.answers_six_only {
            acks.truncate(6);
        }
        self.respond(relationship, xid, Message::BndAck(acks), outbox);
        self.tell_handover(now, relationship, outbox);
    }

    /// Who makes no DNS updates says so once when its partner does (F07-5.11-03).
    fn note_dns_updates(
        &mut self,
        relationship: RelationshipId,
        updates: &[BindingUpdate],
        outbox: &mut Outbox,
    ) {
        let are_made = updates
            .iter()
            .filter_map(|update| update.ddns.as_ref())
            .any(|ddns| ddns.name_done || ddns.controls_name || ddns.address_done || ddns.controls_address);
        if are_made && !std::mem::replace(&mut self.endpoint_mut(relationship).dns_is_told, true) {
            let name = self.config.relationship(relationship).name.clone();
            outbox.event(Event::PartnerUpdatesDns { relationship: name });
        }
    }

    /// A partner that does not judge takes an older word of ours over what it told its client since, but for the time at which it
    /// heard that client, and for potential-expiration-time: no lease of its own ends after that. `None` where nothing was
    /// overwritten.
    fn overwritten_end(
        &self,
        dialect: Dialect,
        address: Ipv4Addr,
        received: &Update,
        claim: &Claim,
    ) -> Option<Time> {
        let slot = self.table.at(address).filter(|_| !dialect.judges_updates())?;
        let binding = self.table.get(slot);
        let both_active = [binding.status, received.status] == [BindingStatus::Active; 2];
        let same_client = claim.client.is_some() && claim.client == binding.client;
        let ours = binding.lease_expiration.time();
        let (end, heard) = (received.lease_expiration?, received.client_last_transaction_time?);
        let potential = received.potential_expiration.filter(|potential| *potential > end)?;
        // What is only feared was never told, and a lease of its own is as long as potential-expiration-time says.
        let is_told = !binding.flags.contains(Flags::FEARED);
        let our_word = is_told && apart(end, ours) <= SAME_WORD;
        let length = end.since(heard);
        let is_its_own =
            apart(potential, potential_expiration(heard, length, length)) <= Interval::from_seconds(1);
        let heard_since = heard > binding.heard().unwrap_or(Time::ZERO);
        (both_active && same_client && our_word && !is_its_own && heard_since).then_some(potential)
    }

    /// Whose bindings are lost agrees to no end of a lease that it may have extended: where the partner does not see to that (trap
    /// T16), the end until which the client of this update may have the address. Once for each address: what the partner tells later
    /// is from after the loss.
    fn forgotten(&self, relationship: RelationshipId, address: Ipv4Addr, received: &Update) -> Option<Time> {
        let endpoint = self.endpoint(relationship);
        let stored = endpoint.machine.stored();
        let has_client = matches!(
            received.status,
            BindingStatus::Active | BindingStatus::Expired | BindingStatus::Released
        );
        if !stored.storage_lost || stored.first_run || endpoint.dialect.raises_for_who_forgot() || !has_client
        {
            return None;
        }
        let slot = self.table.at(address).filter(|slot| !self.is_regained(relationship, *slot))?;
        let longest = self.config.subnet(self.table.subnet(slot)?).lease.maximum;
        let heard = received.client_last_transaction_time;
        let potential = received.potential_expiration.unwrap_or(Time::ZERO);
        Some(raise_after_own_loss(stored.down_since, endpoint.longest_mclt(), longest, heard, potential))
    }

    /// Whether the partner has told of it since the loss: in this process, or in one before it that feared of it.
    fn is_regained(&self, relationship: RelationshipId, slot: Slot) -> bool {
        let is_feared = self.table.get(slot).flags.contains(Flags::FEARED);
        is_feared || self.endpoint(relationship).regained.contains(&slot)
    }

    /// Whether we fear of the client that the partner tells of that it has more than anybody knows.
    fn is_feared_of(&self, address: Ipv4Addr, claim: &Claim) -> bool {
        let binding = self.table.at(address).map(|slot| self.table.get(slot));
        binding.is_some_and(|binding| {
            binding.flags.contains(Flags::FEARED) && claim.client.is_some() && binding.client == claim.client
        })
    }

    fn judged(
        &self,
        now: Time,
        relationship: RelationshipId,
        update: &BindingUpdate,
        received: &Update,
        claim: &Claim,
    ) -> Result<(Slot, Apply), RejectReason> {
        let ours = |slot: &Slot| self.table.relationship(*slot) == Some(relationship);
        let Some(slot) = self.table.at(update.address).filter(ours) else {
            return Err(RejectReason::ILLEGAL_IP_ADDRESS);
        };
        let binding = self.table.get(slot);
        let endpoint = self.endpoint(relationship);
        let is_better = endpoint.dialect.keeps_the_better_of_two()
            && update.status == BindingStatus::Active
            && (binding.status != BindingStatus::Active || claim.client == binding.client)
            && !self.planted.refuses_the_better;
        let is_outstanding = endpoint.outstanding.get(slot).is_some();
        let crosses = is_outstanding && !is_better && !self.planted.updates_cross;
        // A server whose bindings are lost, or an old copy, has no say against one that kept its own (S13, trap T16).
        let forgot = endpoint.machine.stored().storage_lost
            && !self.is_regained(relationship, slot)
            && !self.planted.who_forgot_judges;
        let older_wins = self.planted.older_active_wins
            && (binding.status, update.status) == (BindingStatus::Released, BindingStatus::Active);
        let ours = judge::Binding {
            status: if forgot { BindingStatus::Free } else { binding.status },
            times: binding.times(),
            // D12-5.4-07.
            start_time_of_state: binding.start_time_of_state.time(),
            client_last_transaction_time: binding.heard().filter(|_| !older_wins),
            granted: binding.leased_for(),
            same_client: claim.client.is_some() && claim.client == binding.client,
            // One whose reservations differ may have it for another client.
            reserved: binding.reserved && !endpoint.terms_differ,
            outstanding: crosses && !forgot,
            untold: binding.flags.contains(Flags::UNSEEN) && !self.planted.releases_by_the_second,
            probation_over: binding.probation_end(self.config.decline_time()) <= now,
        };
        let mut received = *received;
        if self.planted.stale_active_wins && received.lease_expiration.is_some_and(|end| end <= now) {
            received.lease_expiration = Some(now.plus(Interval::from_seconds(1)));
        }
        // What we only fear gives way to what the partner did, whoever of the two is primary.
        let gives_way = binding.flags.contains(Flags::FEARED) && update.status == BindingStatus::Active;
        let role = if gives_way && !ours.same_client { Role::Secondary } else { endpoint.role() };
        match judge(&received, Some(&ours), role, now) {
            Verdict::Accept(mut apply) => {
                // A client that is not named is the one that was, but not in the memory of one who forgot.
                if forgot && apply.client == Client::Kept {
                    apply.client = Client::Nobody;
                }
                Ok((slot, apply))
            }
            Verdict::Reject(reason) => Err(reason),
        }
    }

    /// Puts what the partner said in place of what we had; of the same client the later times stay (F07-7.1.5-02, S11).
    #[expect(clippy::too_many_arguments, reason = "what was said, what it means, and where to")]
    fn apply(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        slot: Slot,
        received: &Update,
        claim: &Claim,
        apply: &Apply,
        flags: Flags,
        outbox: &mut Outbox,
    ) {
        let before = self.table.get(slot).clone();
        let released = apply.status == BindingStatus::Free && received.status == BindingStatus::Released;
        let older_time = self.planted.older_transaction_time_wins && released;
        let doubted_until = self.doubted_after(now, relationship, slot, received);
        let mut times = apply.times;
        let was_declined = [before.status, apply.status] == [BindingStatus::Abandoned, BindingStatus::Active];
        if was_declined && before.doubted_until != Stamp::NEVER {
            // Who declined it may have it back from the partner, with all that this one was told of before.
            let mclt = self.endpoint(relationship).longest_mclt();
            times = times.sent(before.doubted_until.time().minus(mclt));
        }
        self.table.change(slot, |binding| {
            binding.doubted_until = binding.doubted_until.max(doubted_until);
            binding.status = apply.status;
            binding.start_time_of_state = Stamp::at_or_before(apply.start_time_of_state);
            binding.set_times(times);
            take_client(binding, received, claim, apply);
            if older_time {
                binding.client_last_transaction_time =
                    received.client_last_transaction_time.map_or(Stamp::NONE, Stamp::at_or_before);
            }
            let has_client = matches!(
                apply.status,
                BindingStatus::Active | BindingStatus::Expired | BindingStatus::Released
            );
            binding.flags = flags.with(if claim.bootp && has_client { Flags::BOOTP } else { Flags::NONE });
        });
        self.reservation_heard(now, relationship, slot, received);
        if before.flags.contains(Flags::OWED) {
            // The partner knows what it said itself.
            self.settled(relationship);
        }
        self.endpoint_mut(relationship).forget(slot);
        self.endpoint_mut(relationship).outstanding.changed(slot);
        if is_held_longer(self.table.get(slot), received) {
            self.table.set_flags(slot, Flags::UNSEEN, true);
            self.tell_of(relationship, slot);
        } else if is_ahead(self.table.get(slot), &before, received, claim) {
            // What the client was told here since then is more than the partner knows.
            let keep = before.flags.durable().without(Flags::TOLD).with(Flags::UNSEEN);
            self.table.set_flags(slot, keep, true);
            self.tell_of(relationship, slot);
        } else {
            // F07-5.4-03.
            self.table.queue.remove(relationship, slot);
        }
        self.note_available(slot);
        self.record(slot, outbox);
        if apply.displaced
            && let (Some(loser), Some(winner)) = (before.client, claim.client.clone())
        {
            outbox.event(Event::ConflictResolved { address: self.table.get(slot).ip(), winner, loser });
        }
    }

    /// A partner that takes a lease to be over that is not is told of it again, once: it knew of it, and has forgotten.
    fn tell_what_stands(&mut self, update: &BindingUpdate, claim: &Claim, outbox: &mut Outbox) {
        let Some(slot) = self.table.at(update.address) else { return };
        let binding = self.table.get(slot);
        let is_told = !binding.flags.contains(Flags::UNSEEN);
        if is_told && binding.status == BindingStatus::Active && claim.client == binding.client {
            self.changed(slot, outbox);
        }
    }

    /// Until when nobody is believed about an address because of what the partner says of it (trap T20). It was given back there;
    /// or we have lost what we knew of it, and with that whether it was: then no lease can be older than the longest.
    fn doubted_after(&self, now: Time, relationship: RelationshipId, slot: Slot, received: &Update) -> Stamp {
        let endpoint = self.endpoint(relationship);
        let given_back = matches!(
            received.status,
            BindingStatus::Released | BindingStatus::Reset | BindingStatus::Abandoned
        );
        if endpoint.machine.stored().storage_lost {
            let subnet = self.table.subnet(slot).map(|subnet| self.config.subnet(subnet).lease.maximum);
            return Stamp::at_or_after(now.plus(subnet.unwrap_or(Interval::INFINITE)));
        }
        let binding = self.table.get(slot);
        if given_back {
            binding.doubted_if_given_back(now, endpoint.longest_mclt())
        } else {
            binding.doubted_until
        }
    }

    fn note_refusal(
        &mut self,
        relationship: RelationshipId,
        update: &BindingUpdate,
        reason: RejectReason,
        outbox: &mut Outbox,
    ) {
        if matches!(
            reason,
            RejectReason::LESS_CRITICAL_BINDING_INFORMATION | RejectReason::OUTDATED_BINDING_INFORMATION
        ) {
            return;
        }
        if reason == RejectReason::ILLEGAL_IP_ADDRESS && self.endpoint(relationship).terms_differ {
            // Said once for all of them: the pools differ.
            return;
        }
        let name = self.config.relationship(relationship).name.clone();
        let address = update.address;
        outbox.event(Event::UpdateRefused { relationship: name, address, status: update.status, reason });
    }
}

/// What the partner takes to be over is not for one who may have extended it.
fn still_held(received: Update) -> Update {
    let end = received.lease_expiration.unwrap_or(Time::ZERO);
    Update {
        status: BindingStatus::Active,
        lease_expiration: Some(end),
        potential_expiration: Some(received.potential_expiration.unwrap_or(end)),
        ..received
    }
}

fn take_client(binding: &mut Binding, received: &Update, claim: &Claim, apply: &Apply) {
    match apply.client {
        Client::Kept => {}
        Client::Nobody => binding.clear_client(),
        Client::OfUpdate => {
            let same = binding.client == claim.client;
            if claim.client.is_some() {
                binding.client.clone_from(&claim.client);
            }
            let before = if same { binding.clone() } else { Binding::unused(binding.address) };
            if !same || received.client_last_transaction_time >= binding.heard() {
                // F07-7.1.4-01.
                binding.set_client_details(claim.hardware, claim.details(before.details()));
            } else {
                // Of the same client, what was heard last stays; but DNS is the partner's work alone.
                let ddns = claim.details(before.details()).ddns;
                binding.set_client_details(before.hardware(), ClientDetails { ddns, ..before.details() });
            }
        }
    }
    // Of nobody nothing was heard; a dhcpd sends the time in each update.
    let heard = apply.client_last_transaction_time.filter(|_| binding.client.is_some());
    binding.client_last_transaction_time = heard.map_or(Stamp::NONE, Stamp::at_or_before);
}

/// Whether our end is later than what was said of it, by more than a difference of clocks is wrong.
fn ends_later(after: &Binding, received: &Update) -> bool {
    after.lease_expiration.time() > received.lease_expiration.unwrap_or(Time::ZERO).plus(SAME_END)
}

/// How far two times are from each other, whichever is the later.
fn apart(one: Time, other: Time) -> Interval {
    one.since(other).max(other.since(one))
}

/// Whether an ABANDONED address may be in use for longer than the partner knows.
fn is_held_longer(after: &Binding, received: &Update) -> bool {
    after.status == BindingStatus::Abandoned && ends_later(after, received)
}

/// Whether we know more of the same client than the update said: that its lease is longer, or was when it ended here, for that end
/// stays (trap T19); or, if that was not told, that it was heard later.
fn is_ahead(after: &Binding, before: &Binding, received: &Update, claim: &Claim) -> bool {
    let had_lease =
        matches!(before.status, BindingStatus::Active | BindingStatus::Expired | BindingStatus::Released);
    // An end that is only feared is nothing to tell: the partner asks before it frees the address.
    let is_known = !after.flags.contains(Flags::FEARED);
    let is_longer = had_lease && is_known && ends_later(after, received);
    let is_later = before.status == BindingStatus::Active
        && before.flags.contains(Flags::UNSEEN)
        && after.heard() > received.client_last_transaction_time;
    after.status == BindingStatus::Active && before.client == claim.client && (is_longer || is_later)
}
