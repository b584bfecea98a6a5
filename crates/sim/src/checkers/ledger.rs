//! What the two servers of a pair told each other, told clients and wrote down, as seen from outside.
//!
//! *Lives here:* [`Ledger`] with a [`Book`](super::book::Book) for each server. The rooms beside it ask it.
//! *May know:* bytes on the wire, records on disks, commands, the log that people read.
//! *Must not know:* anything of the engines' insides.

use super::book::{Agreed, Book, Lost, Owed, Transfer};
use super::pools::Pools;
use super::update::{by_own_clock, client_of, dated, heard_at, tells_loss, until};
use super::{At, Handled, Seen, l5, l6, s4, s5, s6, s7, s10, s11, s12, s13, s14};
use crate::clock::Moment;
use crate::count::Counts;
use crate::scene::Scene;
use dhcp::{ClientIdentity, Message as DhcpMessage, MessageType as DhcpType};
use engine::event::Event;
use engine::record::Record;
use engine::{Batch, LinkId};
use failover::binding::BindingStatus;
use failover::dialect::Dialect;
use failover::endpoint::{Command, Stored};
use failover::message::{BindingUpdate, Codec, Message, Parsed, Xid, frame_length};
use failover::state::FailoverState;
use failover::time::{ClockDelta, Interval, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;

/// A reply leaves at most this long after it was decided.
pub(super) const DECIDED_BEFORE: Interval = Interval::from_seconds(6);

/// How far two readings of one moment may be apart: recorded seconds are whole, messages take a while, clocks drift.
pub(super) const BLUR: Interval = Interval::from_seconds(4);

pub(super) type Verdicts = Vec<(&'static str, Result<(), String>)>;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pub(super) mclt: Interval,
    /// The other of the two is a dhcpd: it gives back what it has too much of, and says of no loss that it is one.
    pub(super) beside_dhcpd: bool,
    reserved: BTreeSet<Ipv4Addr>,
    pub(super) pools: Pools,
    pub(super) books: [Book; 2],
    /// When each client last wished for a lease time of its own, at either server.
    pub(super) wishes: BTreeMap<ClientIdentity, Moment>,
    codec: Codec,
    /// Of each connection what came to each end and is no whole message yet.
    streams: BTreeMap<(LinkId, usize), Vec<u8>>,
    /// BNDUPDs by who said them, not answered.
    pub(super) said: BTreeMap<(LinkId, usize, Xid), Vec<BindingUpdate>>,
    /// BNDUPDs by who heard them, not answered.
    pub(super) owed: BTreeMap<(LinkId, usize, Xid), Owed>,
    pub(super) transfers: BTreeMap<(LinkId, usize, Xid), Transfer>,
    /// max-unacked-bndupd as each said on a connection.
    pub(super) windows: BTreeMap<(LinkId, usize), u32>,
    /// One of the two has been in NORMAL: from then on there is something to lose.
    pub(super) has_served: bool,
    /// Losses that were told in STATE and are not heard yet, in order, by who told them.
    losses_told: BTreeMap<(LinkId, usize), VecDeque<u64>>,
    pub(super) talk: u64,
}

impl Ledger {
    pub(super) fn new(mclt: Interval, scene: &Scene) -> Ledger {
        Ledger {
            mclt,
            beside_dhcpd: scene.dhcpd.is_some(),
            reserved: scene.reserved.iter().map(|reserved| reserved.address).collect(),
            pools: Pools::of(scene),
            books: [Book::new(), Book::new()],
            wishes: BTreeMap::new(),
            codec: Codec::new(Dialect::Draft12, Ipv4Addr::UNSPECIFIED),
            streams: BTreeMap::new(),
            said: BTreeMap::new(),
            owed: BTreeMap::new(),
            transfers: BTreeMap::new(),
            windows: BTreeMap::new(),
            has_served: false,
            losses_told: BTreeMap::new(),
            talk: 0,
        }
    }

    pub(super) fn is_reserved(&self, address: Ipv4Addr) -> bool {
        self.reserved.contains(&address)
    }

    pub(crate) fn is_shared(&self, address: Ipv4Addr) -> bool {
        self.pools.has(address)
    }

    pub(super) fn sees(&mut self, at: At) {
        let book = &mut self.books[at.server];
        book.offset = i128::from(at.engine.as_millis()) - i128::from(at.now);
        book.last_seen = book.last_seen.max(at.engine);
    }

    /// By how much engine time at a new start stands otherwise to the truth than it did, in milliseconds.
    pub(super) fn shifted(&self, at: At) -> u64 {
        let book = &self.books[at.server];
        if book.last_seen == Time::ZERO {
            return 0;
        }
        let offset = i128::from(at.engine.as_millis()) - i128::from(at.now);
        u64::try_from((offset - book.offset).unsigned_abs()).unwrap_or(u64::MAX)
    }

    pub(super) fn ahead(&self) -> i128 {
        self.books[1].offset - self.books[0].offset
    }

    /// What is added to times of the other server.
    fn delta(&self, server: usize) -> ClockDelta {
        let millis = self.books[server].offset - self.books[1 - server].offset;
        ClockDelta(i64::try_from(millis.div_euclid(1000)).unwrap_or(0))
    }

    pub(super) fn handled(&mut self, at: At, handled: &Handled<'_>) {
        self.sees(at);
        if handled.message.lease_time().is_some() {
            self.wishes.insert(handled.identity.clone(), at.now);
        }
        let Some(address) = handled.address() else { return };
        let book = &mut self.books[at.server];
        if handled.message.message_type() == Some(DhcpType::Request) {
            let who = (address, handled.identity.clone());
            if !handled.message.ciaddr().is_unspecified() {
                book.claims.insert(who.clone());
            }
            if handled.recorded {
                book.grants.insert(who);
            }
        }
    }

    /// A client of BOOTP was given this address.
    pub(super) fn granted(&mut self, server: usize, address: Ipv4Addr, client: &ClientIdentity) {
        self.books[server].grants.insert((address, client.clone()));
    }

    /// A reply has left.
    pub(super) fn left(&mut self, at: At, reply: &DhcpMessage<'_>) {
        let book = &mut self.books[at.server];
        let (address, renewal) = (reply.yiaddr(), l6::renewal_of(reply));
        let told = book.gave.get(&address).copied().zip(renewal);
        book.renewals.extend(told.map(|told| (address, told)));
    }

    pub(super) fn commanded(&mut self, at: At, command: Command) {
        let mclt = self.mclt;
        let book = &mut self.books[at.server];
        match command {
            Command::ServeAlone => book.proven = true,
            Command::PartnerDown => {
                // What has been waited for once is not waited for again.
                book.proven |= book.alive(at.engine, mclt) == at.engine;
                book.told_partner_down = Some(at.engine);
            }
            Command::StorageLost { .. } => book.losses += 1,
            _ => {}
        }
    }

    /// A server has made a batch.
    pub(super) fn sealed(&mut self, at: At, batch: &Batch, records: &[Seen]) -> Verdicts {
        self.sees(at);
        let server = at.server;
        if batch.records().1 == 0 && batch.events().0.is_empty() {
            self.end_batch(at, batch);
            return Verdicts::new();
        }
        let changes = batch.events().0.iter().filter_map(|event| match event {
            Event::StateChanged { from, to, .. } => Some((*from, *to)),
            _ => None,
        });
        let changes: Vec<(FailoverState, FailoverState)> = changes.collect();
        let entered: Vec<FailoverState> = changes.iter().map(|(_, to)| *to).collect();
        let stored = stored_in(batch.records().2);
        // The partner's SHUTDOWN is its word. In STARTUP it is heard on the way through the state before; who only goes on in a stored
        // PARTNER-DOWN stores no other.
        let enters = stored.windows(2).any(|two| {
            two[0].state != FailoverState::PartnerDown && two[1].state == FailoverState::PartnerDown
        });
        let is_word = |(from, to): &(FailoverState, FailoverState)| {
            *to == FailoverState::PartnerDown && (*from != FailoverState::Startup || enters)
        };
        if changes.iter().any(is_word) {
            self.books[server].told_partner_down.get_or_insert(at.engine);
        }
        let possible: Vec<FailoverState> =
            [self.books[server].state()].into_iter().chain(entered.iter().copied()).collect();
        if let Some(latest) = stored.last() {
            self.books[server].stored = Some(*latest);
        }
        let mut verdicts = Verdicts::new();
        for seen in records {
            let before = self.books[server].seen(seen.address);
            verdicts.push(("S5", s5::recorded(self, at, seen)));
            verdicts.push(("S6", s6::recorded(self, at, &before, seen, &possible)));
            let (checker, verdict) = s7::recorded(self, at, &before, seen, &possible);
            verdicts.push((checker, verdict));
            verdicts.push(("S11", s11::recorded(&before, seen)));
            verdicts.push(("L5", l5::recorded(self, at, &before, seen)));
            let is_raise = l5::is_raise(self, at, &before, seen);
            let book = &mut self.books[server];
            let loss = book.heard_loss.filter(|_| is_raise);
            book.raised.extend(loss.map(|loss| (seen.address, (loss, batch.end().0))));
            book.changed_hands(at, &before, seen);
            if seen.identity.clone().is_some_and(|client| book.grants.contains(&(seen.address, client))) {
                book.gave.insert(seen.address, seen.heard);
            }
            book.sealed.insert(seen.address, seen.clone());
        }
        if entered.iter().any(|state| matches!(state, FailoverState::Normal | FailoverState::RecoverDone)) {
            verdicts.push(("S12", s12::came_back(self, at)));
        }
        self.has_served |= entered.contains(&FailoverState::Normal);
        let book = &mut self.books[server];
        for state in entered {
            book.states.push_back((at.engine, state));
            if matches!(state, FailoverState::Normal | FailoverState::ConflictDone) {
                let resolved = (FailoverState::PotentialConflict, FailoverState::ConflictDone);
                book.proven |=
                    book.has_met && (state == FailoverState::Normal || changes.contains(&resolved));
                book.whole_since.get_or_insert(at.engine);
            }
            if matches!(state, FailoverState::Normal | FailoverState::RecoverDone) {
                book.lost = None;
            }
        }
        book.waiting.push_back((batch.end().0, records.to_vec(), stored));
        self.end_batch(at, batch);
        verdicts
    }

    fn end_batch(&mut self, at: At, batch: &Batch) {
        let book = &mut self.books[at.server];
        while book.states.len() > 2 && book.states[1].0 < at.engine.minus(DECIDED_BEFORE) {
            book.states.pop_front();
        }
        book.position = batch.end().0;
        book.end_turn();
    }

    /// All records up to this one are stable.
    pub(super) fn synced(&mut self, server: usize, position: u64) {
        let book = &mut self.books[server];
        book.stable_position = position;
        while let Some((end, records, stored)) = book.waiting.pop_front_if(|(end, _, _)| *end <= position) {
            for seen in records {
                book.stable.insert(seen.address, (end, seen));
            }
            for stored in stored {
                if book.stable_states.back() != Some(&stored) {
                    book.stable_states.push_back(stored);
                }
            }
            while book.stable_states.len() > 16 {
                book.stable_states.pop_front();
            }
        }
    }

    /// A process ended.
    pub(super) fn ended(&mut self, server: usize) {
        let book = &mut self.books[server];
        if book.alive(book.last_seen, self.mclt) == book.last_seen {
            book.alive_before = book.last_seen;
        }
        (book.proven, book.has_met, book.told_partner_down, book.partner_forgot) =
            (false, false, None, false);
        let stable = book.stable_position;
        book.raised.retain(|_, (_, position)| *position <= stable);
        if book.stable_states.back().is_some_and(|stored| stored.storage_lost) {
            // That it has all its bindings again was written, and not stable.
            book.whole_since = None;
        }
        book.waiting.clear();
        book.known.clear();
        book.end_turn();
        book.states = VecDeque::from([(Time::ZERO, FailoverState::Startup)]);
        self.streams.retain(|(_, end), _| *end != server);
        self.said.retain(|(_, end, _), _| *end != server);
        self.owed.retain(|(_, end, _), _| *end != server);
        self.transfers.retain(|(_, end, _), _| *end != server);
    }

    /// Whom this server has given an address for ever, while its partner was down: no MCLT protects what is lost with its store
    /// (F07-5.13-01).
    pub(super) fn known_to_nobody_else(&self, server: usize) -> Vec<(Ipv4Addr, ClientIdentity)> {
        let for_ever = |seen: &&Seen| seen.is_active() && seen.end == Time::NEVER;
        let partner = &self.books[1 - server];
        let given = self.books[server].sealed.values().filter(for_ever);
        let unknown = given.filter(|seen| {
            let known = partner.seen(seen.address);
            !(for_ever(&&known) && known.identity == seen.identity)
        });
        unknown.filter_map(|seen| Some((seen.address, seen.identity.clone()?))).collect()
    }

    pub(super) fn lost_store(&mut self, server: usize, now: Moment) {
        // The states of a dhcpd are not known here: beside one S12 was never asked.
        let asked = self.has_served && !self.beside_dhcpd;
        let book = &mut self.books[server];
        book.answered.clear();
        book.raised.clear();
        book.agreed.clear();
        book.told.clear();
        (book.stored, book.whole_since) = (None, None);
        book.stable_states.clear();
        if asked {
            book.lost = Some(Lost { at: now, asked: None, refilled: false });
        }
    }

    pub(super) fn recovered(&mut self, at: At, records: &[Seen]) -> Result<(), String> {
        self.sees(at);
        let verdict = s4::recovered(&self.books[at.server], records);
        let book = &mut self.books[at.server];
        book.losses += 1;
        book.sealed = records.iter().map(|seen| (seen.address, seen.clone())).collect();
        book.stable = book.sealed.iter().map(|(address, seen)| (*address, (0, seen.clone()))).collect();
        // Of what was agreed, what is recorded is known.
        let before = std::mem::take(&mut book.agreed);
        for seen in book.sealed.values().filter(|seen| !seen.is_available()) {
            let Some(client) = seen.identity.clone() else { continue };
            let known = before.get(&seen.address).filter(|agreed| agreed.client == client);
            let (acked, received) =
                known.map_or((Time::ZERO, Time::ZERO), |agreed| (agreed.acked, agreed.received));
            let [_, stored_acked, stored_received] = seen.potentials;
            let agreed =
                Agreed { client, acked: acked.max(stored_acked), received: received.max(stored_received) };
            book.agreed.insert(seen.address, agreed);
        }
        verdict
    }
}

/// The wire.
impl Ledger {
    /// A message has left.
    pub(super) fn said(
        &mut self,
        at: At,
        link: LinkId,
        bytes: &[u8],
        clock: ClockDelta,
    ) -> (Option<Message>, Verdicts) {
        self.sees(at);
        let Ok(Parsed::Message(mut envelope)) = self.codec.parse(bytes) else {
            return (None, vec![("S14", Err("a message was sent that nobody understands".to_owned()))]);
        };
        by_own_clock(&mut envelope.message, clock);
        let (server, xid) = (at.server, envelope.xid);
        let mut verdicts = Verdicts::new();
        match &envelope.message {
            Message::BndUpd(updates) => {
                self.talk += 1;
                self.books[server].tells(&updates.updates);
                self.said.insert((link, server, xid), updates.updates.clone());
                verdicts.push(("S14", s14::window(self, link, server)));
            }
            Message::BndAck(acks) => {
                let owed = self.owed.remove(&(link, server, xid));
                verdicts.push(("S14", s14::answer(owed.as_ref(), acks)));
                if let Some(owed) = owed {
                    verdicts.push(("S4", s4::answered(self, at, &owed, acks)));
                    // One that lost its store promises nothing, and takes what its partner says.
                    let book = &self.books[server];
                    if book.lost.is_none() && !book.stored.is_some_and(|stored| stored.storage_lost) {
                        verdicts.push(("S13", s13::answered(at, &owed, acks)));
                        // What is ACTIVE again for a loss of the partner's did not come back.
                        let lost = self.beside_dhcpd && book.heard_loss.is_some();
                        let raised =
                            |update: &BindingUpdate| lost || book.raised.contains_key(&update.address);
                        verdicts.push(("S11", s11::answered(&owed, acks, &raised)));
                    }
                    self.accept(at, link, &owed, acks);
                }
            }
            Message::State(state) => {
                verdicts.push(("S10", s10::said(&self.books[server], state)));
                verdicts.push(("S12", s12::said(&self.books[server], state)));
                if tells_loss(state) {
                    let loss = self.books[server].losses;
                    self.losses_told.entry((link, server)).or_default().push_back(loss);
                }
            }
            Message::UpdReqAll => {
                if let Some(lost) = &mut self.books[server].lost {
                    lost.asked = Some((link, xid));
                }
            }
            Message::UpdDone => verdicts.push(("S14", s14::done(self, link, server, xid))),
            Message::Connect(connect) => {
                self.windows.insert((link, server), connect.max_unacked_bndupd);
            }
            Message::ConnectAck(ack) => {
                if let Ok(accepted) = &ack.answer {
                    self.windows.insert((link, server), accepted.max_unacked_bndupd);
                }
            }
            Message::PoolReq => self.talk += 1,
            _ => {}
        }
        (Some(envelope.message), verdicts)
    }

    /// The updates that this server accepts with its answer.
    fn accept(&mut self, at: At, link: LinkId, owed: &Owed, acks: &[failover::message::BindingAck]) {
        let [one, other] = &mut self.books;
        let (book, partner) = if at.server == 0 { (one, other) } else { (other, one) };
        for (update, _) in &owed.updates {
            let accepted = acks.iter().any(|ack| ack.address == update.address && ack.rejected.is_none());
            if !accepted {
                continue;
            }
            let own = self.transfers.iter_mut().filter(|(key, _)| key.0 == link && key.1 == at.server);
            for (_, transfer) in own {
                transfer.owed.remove(&update.address);
            }
            // What is stable, which the answer rests on, and what was recorded behind it and is not stable yet.
            let stable = book.stable.get(&update.address).map(|(_, seen)| seen);
            let waiting = book.waiting.iter().flat_map(|(_, records, _)| records);
            let waiting = waiting.filter(|seen| seen.address == update.address);
            let since: Vec<Seen> = stable.into_iter().chain(waiting).cloned().collect();
            book.answered.insert(update.address, since);
            if let (BindingStatus::Active, Some(client)) = (update.status, client_of(update)) {
                let agreed = Agreed::about(&mut book.agreed, update.address, client);
                agreed.received = agreed.received.max(until(update, owed.delta));
                let client = agreed.client.clone();
                if partner.gave.get(&update.address) == Some(&heard_at(update)) {
                    book.both_know(at, update, client, owed.delta, partner.renewal_of(update));
                }
            }
        }
    }

    /// Bytes that a server takes in.
    pub(super) fn heard(&mut self, at: At, link: LinkId, bytes: &[u8], counts: &mut Counts) -> Verdicts {
        self.sees(at);
        let mut stream = self.streams.remove(&(link, at.server)).unwrap_or_default();
        stream.extend_from_slice(bytes);
        let (mut verdicts, mut done) = (Verdicts::new(), 0);
        while let Ok(Some(length)) = frame_length(&stream[done..]) {
            let Some(frame) = stream.get(done..done + length) else { break };
            if let Ok(Parsed::Message(envelope)) = self.codec.parse(frame) {
                verdicts.extend(self.message(at, link, envelope.xid, &envelope.message, counts));
            }
            done += length;
        }
        stream.drain(..done);
        self.streams.insert((link, at.server), stream);
        verdicts
    }

    /// UPDREQALL is how a dhcpd says that it may have lost its leases.
    fn note_dhcpd_lost(&mut self, server: usize, all: bool) {
        if all && self.beside_dhcpd {
            self.books[1 - server].losses += 1;
            self.books[server].heard_loss = Some(self.books[1 - server].losses);
        }
    }

    fn message(
        &mut self,
        at: At,
        link: LinkId,
        xid: Xid,
        message: &Message,
        counts: &mut Counts,
    ) -> Verdicts {
        let server = at.server;
        let delta = self.delta(server);
        match message {
            Message::BndUpd(updates) => {
                let book = &mut self.books[server];
                let beside = self.beside_dhcpd;
                let judged =
                    updates.updates.iter().map(|update| (dated(update, beside), book.seen(update.address)));
                let mut judged: Vec<(BindingUpdate, Seen)> = judged.collect();
                // Of what changed in this very turn nobody outside knows how it stood.
                judged.retain(|(update, _)| !book.touched.contains(&update.address));
                for (update, seen) in &judged {
                    counts.cell(seen.status, update.status, false);
                }
                book.touched.extend(updates.updates.iter().map(|update| update.address));
                let owed = Owed {
                    updates: judged,
                    transactions: updates.malformed.len() + updates.updates.len(),
                    delta,
                    position: book.position,
                };
                self.owed.insert((link, server, xid), owed);
            }
            Message::BndAck(acks) => {
                let Some(updates) = self.said.remove(&(link, server, xid)) else { return Verdicts::new() };
                self.acknowledged(at, link, &updates, acks);
            }
            Message::State(state) => {
                let book = &mut self.books[server];
                (book.partner_forgot, book.has_met) = (tells_loss(state), true);
                if book.partner_forgot {
                    // Who said it may have started anew since.
                    let told = self.losses_told.get_mut(&(link, 1 - server));
                    book.heard_loss = told.and_then(VecDeque::pop_front);
                }
            }
            Message::UpdReq | Message::UpdReqAll => {
                let all = *message == Message::UpdReqAll;
                self.note_dhcpd_lost(server, all);
                let (book, pools) = (&self.books[server], &self.pools);
                // An old copy may have what is FREE again as something else.
                let owed =
                    book.sealed.values().filter(|seen| if all { seen.has_past() } else { seen.is_unseen });
                // What was settled in this very turn is not written down yet.
                let settled =
                    |address: &Ipv4Addr| book.touched.contains(address) || book.settled.contains(address);
                let owed = owed.map(|seen| seen.address).filter(|it| pools.has(*it) && !settled(it));
                self.transfers.insert((link, server, xid), Transfer { owed: owed.collect() });
            }
            Message::UpdDone => {
                if let Some(lost) = &mut self.books[server].lost
                    && lost.asked == Some((link, xid))
                {
                    lost.refilled = true;
                }
            }
            _ => {}
        }
        Verdicts::new()
    }

    fn acknowledged(
        &mut self,
        at: At,
        link: LinkId,
        updates: &[BindingUpdate],
        acks: &[failover::message::BindingAck],
    ) {
        let server = at.server;
        for (key, transfer) in &mut self.transfers {
            if key.0 == link && key.1 == server {
                for ack in acks {
                    transfer.owed.remove(&ack.address);
                }
            }
        }
        let book = &mut self.books[server];
        book.settled.extend(acks.iter().map(|ack| ack.address));
        for update in updates {
            let accepted = acks.iter().any(|ack| ack.address == update.address && ack.rejected.is_none());
            if !accepted {
                continue;
            }
            match (update.status, client_of(update)) {
                (BindingStatus::Active, Some(client)) if !book.partner_forgot => {
                    let agreed = Agreed::about(&mut book.agreed, update.address, client);
                    agreed.acked = agreed.acked.max(until(update, ClockDelta::default()));
                    let client = agreed.client.clone();
                    if book.gave.get(&update.address) == Some(&heard_at(update)) {
                        let renewal = book.renewal_of(update);
                        book.both_know(at, update, client, ClockDelta::default(), renewal);
                    }
                }
                (
                    BindingStatus::Expired
                    | BindingStatus::Released
                    | BindingStatus::Reset
                    | BindingStatus::Free,
                    _,
                ) => {
                    book.let_go.insert(update.address);
                }
                _ => {}
            }
        }
    }
}

fn stored_in(mut frames: &[u8]) -> Vec<Stored> {
    let mut all = Vec::new();
    while let Some((length, rest)) = frames.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((record, rest)) = rest.split_at_checked(length) else { break };
        if let Ok(Record::Endpoint(endpoint)) = Record::decode(record) {
            all.extend(endpoint.stored);
        }
        frames = rest;
    }
    all
}
