//! The one owner of all bindings.
//!
//! *Lives here:* [`Engine`]: its life (replay, start, handle), deadlines, snapshots, views.
//! *May know:* everything of this crate.
//! *Must not know:* what calls it.

use crate::clock::{BootId, ClockStamp};
use crate::config::{Config, NetworkId, RelationshipId};
use crate::counter::{Counter, Counters};
use crate::event::Event;
use crate::former::Former;
use crate::input::{Input, StorageHealth};
use crate::interfaces::Interfaces;
use crate::outbox::Outbox;
use crate::partner::{Agenda, Endpoint, Links};
use crate::planted::Planted;
use crate::record::{Flags, Record, RecordError, Stamp};
use crate::request;
use crate::table::{Binding, Due, Slot, Table};
use crate::view::{LeaseFilter, LeaseView, PoolView, Status};
use failover::binding::BindingStatus;
use failover::message::Ddns;
use failover::time::{Interval, Time};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Units of work that one call does at most: a slot looked at, a lease expired. What is due of leases and offers gets no more than that in a
/// millisecond either, in however many calls: a packet does not wait until each packet before it has done its share of a million leases
/// that end at once, and the log takes what they make of it.
pub const WORK_PER_CALL: u32 = 1000;

/// Lost time that the slack of each lease covers: two clocks that drift apart look like that (trap T21).
const LOST_WITHIN_SLACK: Interval = Interval::from_seconds(4);

/// Slots that one look at the leases goes through at most.
const SLOTS_PER_LOOK: usize = 4096;

/// Every decision, in one deterministic state machine. The life of one: [`Engine::new`], [`Engine::replay`] for each
/// record of the store, [`Engine::start`], then [`Engine::handle`] for ever. A clone goes on by itself.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) config: Arc<Config>,
    pub(crate) table: Table,
    /// A clone shares them.
    pub(crate) interfaces: Arc<Interfaces>,
    pub(crate) storage: StorageHealth,
    pub(crate) counters: Counters,
    pub(crate) planted: Planted,
    /// Networks that are known to have no free address: an event is made when they become so, not for each client.
    pub(crate) exhausted: Vec<bool>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) links: Links,
    /// When which endpoint needs attention.
    pub(crate) agenda: Agenda,
    /// Partners that are to be told something.
    pub(crate) to_tell: Vec<RelationshipId>,
    /// Identity and generation of the store, as partners are told them (Q45).
    pub(crate) store: ([u8; 16], u64),
    /// What the store was last run with.
    pub(crate) former: Former,
    pub(crate) clock: Option<ClockStamp>,
    /// Work for partners was left over at the last call.
    pub(crate) more: bool,
    /// How much of what is due of leases and offers may still be done at the time of the last call.
    pub(crate) due: (Time, u32),
}

/// How far a snapshot has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotCursor {
    next: u32,
    begun: bool,
}

impl Engine {
    /// An engine without bindings. `seed` keys the hash tables: random in production, where clients choose the keys,
    /// fixed in a simulation.
    pub fn new(config: Config, seed: u64) -> Engine {
        let table = Table::new(&config, seed);
        let exhausted = vec![false; config.networks().len()];
        let endpoints = Endpoint::all(&config);
        Engine {
            config: Arc::new(config),
            table,
            interfaces: Arc::default(),
            storage: StorageHealth::Ok,
            counters: Counters::default(),
            planted: Planted::default(),
            exhausted,
            agenda: Agenda::new(endpoints.len()),
            endpoints,
            links: Links::default(),
            to_tell: Vec::new(),
            store: ([0; 16], 0),
            former: Former::default(),
            clock: None,
            more: false,
            due: (Time::ZERO, WORK_PER_CALL),
        }
    }

    /// Takes one record of the store, in the order in which they were made.
    ///
    /// # Errors
    /// When the bytes are no record that this version knows (F07-2.2-06).
    pub fn replay(&mut self, record: &[u8]) -> Result<(), RecordError> {
        match Record::decode(record)? {
            Record::Binding(binding) => self.table.restore(&binding),
            Record::Clock(stamp) => {
                self.take_clock(stamp);
            }
            Record::Endpoint(endpoint) => self.former.take_endpoint(&endpoint),
            Record::Pool(pool) => self.former.take_pool(&pool),
            Record::Acknowledged(acknowledged) => self.table.restore_acknowledged(&acknowledged),
        }
        Ok(())
    }

    /// How engine time stood to the machine's clocks when that was last recorded.
    pub fn stored_clock(&self) -> Option<&ClockStamp> {
        self.clock.as_ref()
    }

    /// The latest engine time at which this server is known to have been in operation; before [`Engine::start`].
    pub fn last_operation(&self) -> Time {
        self.former.last_operation()
    }

    /// Who the store is and how often it was opened: what another Tandem is told (Q45). Before [`Engine::start`].
    pub fn set_store(&mut self, identity: [u8; 16], generation: u64) {
        self.store = (identity, generation);
    }

    /// The replay is over: free lists and deadlines are built, and each endpoint is in STARTUP. What [`Engine::unsafe_changes`] finds
    /// is to be refused before.
    pub fn start(&mut self, now: Time, outbox: &mut Outbox) {
        let mut changed = self.take_over_moved(now);
        changed.extend(self.take_over_reservations(now));
        let orphans = self.table.start(&self.config, now);
        if orphans > 0 {
            outbox.event(Event::OrphansKept { count: usize::try_from(orphans).unwrap_or(usize::MAX) });
        }
        for slot in changed {
            self.record(slot, outbox);
        }
        self.remember_pools(outbox);
        self.start_endpoints(now, outbox);
    }

    /// Handles what is due at `now`, as far as [`WORK_PER_CALL`] goes, and then the input. `now` never goes backwards.
    pub fn handle(&mut self, now: Time, input: Input<'_>, outbox: &mut Outbox) {
        self.handle_due(now, outbox);
        match input {
            Input::Packet(packet) => request::handle(self, now, &packet, outbox),
            Input::Wake => {}
            Input::Interfaces(interfaces) => {
                self.interfaces = Arc::new(Interfaces::new(&self.config, interfaces));
                self.look_at_fitness(now, outbox);
            }
            Input::Link(link) => self.link(now, &link, outbox),
            Input::Storage(health) => {
                if health != self.storage {
                    self.storage = health;
                    outbox.event(Event::Storage(health));
                    self.look_at_fitness(now, outbox);
                }
            }
        }
        // F07-7.1.1-18.
        self.tell_partners(outbox);
    }

    /// When [`Engine::handle`] should be called, if nothing else happens before. A time that is past means that work
    /// is left over from the last call; the next millisecond, that it has done all that one may.
    pub fn next_deadline(&self) -> Option<Time> {
        if self.more {
            return Some(Time::ZERO);
        }
        let (at, left) = self.due;
        let table =
            if left == 0 { Some(at.plus(Interval::from_millis(1))) } else { self.table.next_deadline() };
        table.into_iter().chain(self.partner_deadline()).min()
    }

    /// Records how engine time stands to the machine's clocks, for the next start. To be called at a start and after each
    /// jump ([`crate::clock::Change::TimeLost`]), before anything is handled by the new time: it sees by how much time
    /// may have been lost.
    pub fn note_clock(&mut self, stamp: ClockStamp, outbox: &mut Outbox) {
        if self.take_clock(stamp) > LOST_WITHIN_SLACK {
            self.hang_up_for_lost_time(stamp.engine, outbox);
        }
        outbox.record(&Record::Clock(stamp));
    }

    /// Between two stamps, engine time may have gone on by more than was counted: time was lost and found. Nobody knows when
    /// it was lost, so that a lease given before it was found may have been given by a clock that was behind; its client
    /// counts from then, and keeps the address for that much longer. In a new boot nothing was counted: if the last one never
    /// knew the right time, all that passed since its last stamp may have been lost. How much was.
    fn take_clock(&mut self, stamp: ClockStamp) -> Interval {
        self.links.wall_clock(stamp.wall_offset());
        let before = self.clock.replace(stamp);
        let went_back = before.map_or(Interval::ZERO, |before| before.went_back(&stamp));
        if went_back > LOST_WITHIN_SLACK {
            self.time_went_back(stamp.engine, went_back);
        }
        let Some(before) = before.filter(|before| before.boot == stamp.boot || !before.synchronised) else {
            return Interval::ZERO;
        };
        let counted = if before.boot == stamp.boot {
            stamp.since_boot.as_millis().saturating_sub(before.since_boot.as_millis())
        } else {
            0
        };
        let passed = stamp.engine.since(before.engine).as_millis();
        let lost = Interval::from_millis(passed.saturating_sub(counted));
        self.links.own_clock_jumped(lost);
        self.agenda.touch_all();
        if lost > LOST_WITHIN_SLACK {
            self.table.time_was_lost(stamp.engine, lost);
        }
        lost
    }

    /// A reboot took away what engine time was ahead of the truth. What a partner knows ends, by the new time, so much earlier
    /// than recorded: no promise may rest on more (F07-5.2.1-01).
    fn time_went_back(&mut self, since: Time, by: Interval) {
        self.table.time_went_back(since, by);
        self.former.time_went_back(by);
        self.endpoints_time_went_back(by);
    }

    /// Puts bugs in, for the self-test of the simulator.
    pub fn plant(&mut self, planted: Planted) {
        self.planted = planted;
        self.table.plant(planted);
    }

    /// What happened, counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The configuration that it runs on.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Appends a record, and returns what an output must rest on that needs it.
    pub(crate) fn record(&self, slot: Slot, outbox: &mut Outbox) {
        outbox.record(&Record::Binding(self.table.get(slot).record()));
    }

    /// The same where nothing but flags and what the partner acknowledged differs from what is recorded: each lease of a pair comes by
    /// here.
    /// F07-5.2.1-08.
    pub(crate) fn record_acknowledged(&self, slot: Slot, outbox: &mut Outbox) {
        let binding = self.table.get(slot);
        debug_assert!(self.table.relationship(slot).is_some(), "{} has no partner", binding.ip());
        outbox.record(&Record::Acknowledged(binding.acknowledged()));
    }

    fn handle_due(&mut self, now: Time, outbox: &mut Outbox) {
        let mut ended = 0;
        if self.due.0 != now {
            self.due = (now, WORK_PER_CALL);
        }
        while let Some(due) = self.table.next_due(now, &mut self.due.1) {
            match due {
                Due::Offer(slot) => {
                    self.table.withdraw_offer(slot);
                    self.counters.count(Counter::OfferLapsed);
                }
                Due::Lease(_) if self.planted.lose_second_expired && ended > 0 => {}
                Due::Lease(slot) => {
                    ended += 1;
                    self.expire(now, slot, outbox);
                }
                Due::Abandoned(slot) => self.free_abandoned(now, slot, outbox),
                Due::Waited(slot) => self.waited(now, slot, outbox),
            }
        }
        let mut budget = WORK_PER_CALL;
        self.partners_due(now, &mut budget, outbox);
        self.more = budget == 0;
    }

    /// The wait of PARTNER-DOWN is over: nobody can hold the address any more (F07-5.10-14, trap T3).
    fn waited(&mut self, now: Time, slot: Slot, outbox: &mut Outbox) {
        self.set_status(now, slot, BindingStatus::Free);
        self.table.set_flags(slot, Flags::UNAGREED, !self.planted.freed_alone_is_agreed);
        self.changed(slot, outbox);
        self.counters.count(Counter::FreedAlone);
    }

    fn expire(&mut self, now: Time, slot: Slot, outbox: &mut Outbox) {
        let binding = self.table.get(slot);
        let (address, end) = (binding.ip(), binding.lease_expiration.time());
        let client = binding.client.clone();
        self.end_lease(now, slot, BindingStatus::Expired, outbox);
        self.counters.count(Counter::Expiry);
        if let Some(client) = client {
            outbox.event(Event::LeaseExpired { address, client, end });
        }
    }

    fn free_abandoned(&mut self, now: Time, slot: Slot, outbox: &mut Outbox) {
        if self.table.relationship(slot).is_some() && !self.planted.abandoned_freed_alone {
            // By way of RESET, so that the partner agrees (F07-5.10-15, D12's figure 5.11-1 note 3). It is as old as the ABANDONED that it
            // ends: nothing was heard of the address since, and whoever got it from the partner meanwhile has more to say (time(3) of
            // figure 7.1.3-1). No operator says this: it names no end, so that nobody who may have the address loses it.
            self.table.change(slot, |binding| {
                binding.status = BindingStatus::Reset;
                binding.lease_expiration = Stamp::NONE;
            });
            self.changed(slot, outbox);
            return;
        }
        self.free(now, slot, outbox);
        self.counters.count(Counter::AbandonedFreed);
        outbox.event(Event::AbandonedFreed { address: self.table.get(slot).ip() });
    }

    /// The client does not have the address any more. Shared addresses wait for the partner's consent as `status`
    /// (F07-5.2.2-02); without a partner EXPIRED and RELEASED pass in no time (F07 5.10).
    pub(crate) fn end_lease(&mut self, now: Time, slot: Slot, status: BindingStatus, outbox: &mut Outbox) {
        if self.table.relationship(slot).is_none() {
            self.free(now, slot, outbox);
            return;
        }
        let binding = self.table.get(slot);
        let known = binding.acked_potential_expiration.max(binding.received_potential_expiration);
        let alone = known == Stamp::NONE
            && match status {
                BindingStatus::Released => self.planted.released_freed_alone,
                _ => self.planted.expired_freed_alone,
            };
        let status = if alone { BindingStatus::Free } else { status };
        self.set_status(now, slot, status);
        if status == BindingStatus::Released {
            let heard = self.table.get(slot).heard_anew(now);
            let mclt = self.mclt_of(slot);
            self.table.change(slot, |binding| {
                binding.client_last_transaction_time = heard;
                binding.was_given_back(now, mclt);
            });
        }
        self.changed(slot, outbox);
    }

    /// Makes an address FREE. The client stays known, so that it can have the address again; its times do not (T14).
    pub(crate) fn free(&mut self, now: Time, slot: Slot, outbox: &mut Outbox) {
        self.set_status(now, slot, BindingStatus::Free);
        self.record(slot, outbox);
    }

    /// Gives a binding a status. What makes an address available ends the times of its client (trap T14).
    pub(crate) fn set_status(&mut self, now: Time, slot: Slot, status: BindingStatus) {
        let available = status.is_available();
        let was_released = self.table.get(slot).status == BindingStatus::Released;
        let outlive = self.planted.times_outlive_client && was_released;
        self.table.change(slot, |binding| {
            binding.status = status;
            binding.start_time_of_state = Stamp::at_or_before(now);
            if available {
                if !outlive {
                    binding.clear_times();
                }
                binding.flags = binding.flags.without(Flags::TOLD.with(Flags::BOOTP).with(Flags::FEARED));
            }
        });
        if available {
            self.note_available(slot);
        }
    }

    /// There may be an address for new clients of this network again.
    pub(crate) fn note_available(&mut self, slot: Slot) {
        if let Some(NetworkId(network)) = self.network_of(slot) {
            self.exhausted[network as usize] = false;
        }
    }
}

/// Snapshots and views: copies for others.
impl Engine {
    /// Pushes records of up to `limit` slots to `out`, each a length (32 bits, little endian) and its bytes; returns
    /// how many records, and whether that was the last. The engine may go on between two calls: what changes behind
    /// the cursor is in the log, which is replayed after the snapshot.
    pub fn snapshot(&self, cursor: &mut SnapshotCursor, limit: usize, out: &mut Vec<u8>) -> (u32, bool) {
        let mut pushed = 0;
        if !cursor.begun {
            cursor.begun = true;
            if let Some(clock) = self.clock {
                for stamp in self.stamps_of_the_past(&clock).chain([clock]) {
                    push(&Record::Clock(stamp), out);
                    pushed += 1;
                }
            }
            for record in self.endpoint_records().chain(self.former.records(&self.config)) {
                push(&record, out);
                pushed += 1;
            }
        }
        let mut looked = 0;
        for (slot, binding) in self.table.numbered(cursor.next).take(limit) {
            cursor.next = slot + 1;
            looked += 1;
            if binding.is_worth_a_record() {
                push(&Record::Binding(binding.record()), out);
                pushed += 1;
            }
        }
        (pushed, looked < limit)
    }

    /// How many records a snapshot would have.
    pub fn live_bindings(&self) -> u64 {
        let live = self.table.numbered(0).filter(|(_, binding)| binding.is_worth_a_record()).count();
        live as u64
            + u64::from(self.clock.is_some())
            + self.endpoint_records().chain(self.former.records(&self.config)).count() as u64
            + 2 * (self.table.lost_times().count() + self.table.times_back().count()) as u64
    }

    /// Each loss of time as the two stamps that show it, in a boot of their own; and each time that it went back, as the last
    /// stamp of one boot and the first of the next. The wall clock of all stands to engine time as it does now.
    fn stamps_of_the_past(&self, now: &ClockStamp) -> impl Iterator<Item = ClockStamp> {
        let stamp = |engine: Time, ahead: Interval, boot: u8| ClockStamp {
            engine,
            wall: now.wall_at(engine).minus(ahead),
            boot: BootId([boot; 16]),
            synchronised: true,
            ..*now
        };
        let mut stamps = Vec::new();
        for ((since, by), number) in self.table.times_back().zip(1..) {
            stamps.push(stamp(since, by, 0x80 | number));
            stamps.push(stamp(since, Interval::ZERO, 0xc0 | number));
        }
        for ((found, lost), number) in self.table.lost_times().zip(1..) {
            stamps.extend([found.minus(lost), found].map(|engine| stamp(engine, Interval::ZERO, number)));
        }
        stamps.into_iter()
    }

    /// The engine at a glance: from counts that are kept, not by going through all slots.
    pub fn status(&self, now: Time) -> Status {
        let networks = self.config.networks().iter().zip(0..).map(|(network, id)| {
            let counts = self.table.counts_of(NetworkId(id));
            PoolView {
                network: network.name.clone(),
                size: counts.by_status.iter().sum(),
                by_status: counts.by_status,
                offered: counts.offered,
            }
        });
        let networks = networks.collect();
        Status {
            now,
            storage: self.storage,
            networks,
            orphans: self.table.orphans(),
            endpoints: self.endpoints(now),
            counters: self.counters.clone(),
        }
    }

    /// Bindings in the order of their addresses, at most `limit`; and where to go on, `None` at the end. Looks at a
    /// bounded number of slots, so that a page may be short or empty and yet not the last.
    pub fn leases(&self, filter: &LeaseFilter, limit: usize) -> (Vec<LeaseView>, Option<Ipv4Addr>) {
        let mut page = Vec::new();
        for (looked, slot) in self.table.from(filter.from.unwrap_or(Ipv4Addr::UNSPECIFIED)).enumerate() {
            let binding = self.table.get(slot);
            if page.len() >= limit.max(1) || looked >= SLOTS_PER_LOOK {
                return (page, Some(binding.ip()));
            }
            let wanted = filter.status.is_none_or(|status| status == binding.status)
                && (filter.unused || binding.is_worth_a_record());
            if wanted {
                page.push(self.lease_view(slot, binding));
            }
        }
        (page, None)
    }

    pub(crate) fn network_of(&self, slot: Slot) -> Option<NetworkId> {
        self.table.network(slot)
    }

    fn lease_view(&self, slot: Slot, binding: &Binding) -> LeaseView {
        let details = binding.details();
        LeaseView {
            address: binding.ip(),
            status: binding.status,
            client: binding.client.clone(),
            hardware: binding.hardware(),
            start_time_of_state: binding.start_time_of_state.time(),
            client_last_transaction_time: binding.client_last_transaction_time.time(),
            lease_expiration: binding.lease_expiration.time(),
            reserved: binding.reserved,
            orphan: self.table.subnet(slot).is_none(),
            host_name: details.host_name.to_vec(),
            relay_agent_information: details.relay_agent_information.to_vec(),
            vendor_class: details.vendor_class.to_vec(),
            user_class: details.user_class.to_vec(),
            client_fqdn: details.client_fqdn.to_vec(),
            subnet_selection: details.subnet_selection.to_vec(),
            ddns: Ddns::from_bytes(details.ddns),
            reply_options: details.reply_options.to_vec(),
        }
    }
}

fn push(record: &Record<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    record.encode(out);
    let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}
