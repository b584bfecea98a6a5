//! One server of a small world: the real engine, and what became stable of its records.
//!
//! *Lives here:* [`Server`], [`Disk`]: the order of things is the shell's, decide, seal, write, sync, release.
//! *Must not know:* the other server, clients.

use super::essence::Essence;
use crate::checkers::{At, Checkers, Seen};
use crate::clock::{BEGINNING, Moment};
use crate::planted::Planted;
use dhcp::{Message, MessageType};
use engine::clock::{BootId, ClockStamp};
use engine::config::Config;
use engine::record::Record;
use engine::{
    Batch, Engine, Input, Interface, InterfaceId, LeaseFilter, LeaseView, Outbox, Position, ToPartner,
};
use failover::time::{Interval, Time};
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};

/// The kind of record that a disk has one of for each address.
const BINDING: u8 = 1;

pub(super) const INTERFACE: InterfaceId = InterfaceId(2);

/// The last record of each thing: of each address with what the partner knows of it, of the clock, of the endpoint.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    records: BTreeMap<(u8, Option<Ipv4Addr>), Arc<[u8]>>,
    /// How many records were ever made stable.
    position: u64,
    /// Which store it is, and how often it was opened.
    pub(super) identity: u8,
    pub(super) generation: u64,
}

impl Disk {
    pub(super) fn empty(identity: u8) -> Disk {
        Disk { identity, ..Disk::default() }
    }

    fn write(&mut self, batch: &Batch) {
        let (_, _, mut frames) = batch.records();
        while let Some((length, rest)) = frames.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let Some((record, rest)) = rest.split_at_checked(length) else { break };
            self.put(record);
            frames = rest;
        }
        self.position = batch.end().0;
    }

    fn put(&mut self, record: &[u8]) {
        match Record::decode(record) {
            // Within the record of the binding: how a disk came to be what it is makes no other world of it.
            Ok(Record::Acknowledged(acknowledged)) => {
                let key = (BINDING, Some(acknowledged.address));
                let Some(Ok(Record::Binding(binding))) =
                    self.records.get(&key).map(|whole| Record::decode(whole))
                else {
                    return;
                };
                let mut whole = Vec::new();
                Record::Binding(binding.acknowledged(&acknowledged)).encode(&mut whole);
                self.records.insert(key, whole.into());
            }
            Ok(Record::Binding(binding)) => {
                self.records.insert((BINDING, Some(binding.address)), record.into());
            }
            _ => {
                self.records.insert((record.first().copied().unwrap_or(0), None), record.into());
            }
        }
    }

    /// What checkers read of it.
    fn bindings(&self) -> Vec<Seen> {
        self.records.values().filter_map(|record| Seen::read(record, |_| None)).collect()
    }
}

/// What left a server in one turn.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) replies: Vec<Vec<u8>>,
    pub(super) to_partner: Vec<ToPartner>,
}

#[derive(Debug, Clone)]
pub(super) struct Server {
    number: usize,
    config: Arc<Config>,
    planted: Planted,
    pub(super) engine: Option<Engine>,
    outbox: Outbox,
    pub(super) disk: Disk,
    /// Sealed, and not stable.
    waiting: VecDeque<Batch>,
    pub(super) is_stalled: bool,
    /// A connection was asked for.
    pub(super) asks: bool,
    /// What was stable at some time, and when that was.
    pub(super) copy: Option<(Moment, Disk)>,
    /// Its essence, until it changes.
    essence: OnceLock<Essence>,
}

pub(super) fn engine_time(now: Moment) -> Time {
    Time::from_millis(BEGINNING * 1000 + now)
}

pub(super) fn all_views(engine: &Engine) -> Vec<LeaseView> {
    engine.leases(&LeaseFilter { unused: true, ..LeaseFilter::default() }, usize::MAX).0
}

impl Server {
    pub(super) fn new(number: usize, config: Config, planted: Planted) -> Server {
        let identity = u8::try_from(number).unwrap_or(0);
        Server {
            number,
            config: Arc::new(config),
            planted,
            engine: None,
            outbox: Outbox::new(Position::START),
            disk: Disk::empty(identity),
            waiting: VecDeque::new(),
            is_stalled: false,
            asks: false,
            copy: None,
            essence: OnceLock::new(),
        }
    }

    pub(super) fn at(&self, now: Moment) -> At {
        At { now, server: self.number, engine: engine_time(now) }
    }

    /// The process starts, as the shell starts it.
    pub(super) fn start(&mut self, now: Moment, checkers: &mut Checkers) -> Left {
        let at = self.at(now);
        let mut engine = Engine::new((*self.config).clone(), 3);
        engine.plant(self.planted.engine);
        self.disk.generation += 1;
        for record in self.disk.records.values() {
            let read = engine.replay(record).map_err(|error| error.to_string());
            checkers.judge("S3", read);
        }
        let records = self.disk.bindings();
        self.outbox = Outbox::new(Position(self.disk.position));
        engine.set_store([self.disk.identity; 16], self.disk.generation);
        engine.start(at.engine, &mut self.outbox);
        let stamp = ClockStamp {
            engine: at.engine,
            since_boot: Interval::from_millis(now),
            wall: at.engine,
            boot: BootId([1; 16]),
            synchronised: true,
        };
        let views = all_views(&engine);
        engine.note_clock(stamp, &mut self.outbox);
        let interface =
            Interface { id: INTERFACE, addresses: vec![crate::scene::server_address(self.number)] };
        engine.handle(at.engine, Input::Interfaces(&[interface]), &mut self.outbox);
        self.engine = Some(engine);
        checkers.recovered(at, self.disk.position, &records, views);
        self.seal(now, checkers)
    }

    pub(super) fn crash(&mut self, now: Moment, checkers: &mut Checkers) {
        if let Some(engine) = self.engine.take() {
            checkers.at(now);
            checkers.ended(self.number, &all_views(&engine));
        }
        self.changed();
        self.waiting.clear();
        (self.is_stalled, self.asks) = (false, false);
    }

    /// Lets the engine do something; `None` for what is due. What leaves because of it, and whether a record was made.
    pub(super) fn turn(&mut self, now: Moment, input: Input<'_>) -> bool {
        let Some(engine) = &mut self.engine else { return false };
        self.essence = OnceLock::new();
        let position = self.outbox.position();
        engine.handle(engine_time(now), input, &mut self.outbox);
        self.outbox.position() > position
    }

    /// Lets an operator speak to the engine.
    pub(super) fn command<R>(
        &mut self,
        now: Moment,
        command: impl FnOnce(&mut Engine, Time, &mut Outbox) -> R,
    ) -> Option<R> {
        self.essence = OnceLock::new();
        let engine = self.engine.as_mut()?;
        Some(command(engine, engine_time(now), &mut self.outbox))
    }

    /// When the engine has something to do.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let deadline = self.engine.as_ref()?.next_deadline()?;
        Some(deadline.as_millis().saturating_sub(BEGINNING * 1000))
    }

    /// Seals what was decided, and lets go what may leave.
    pub(super) fn seal(&mut self, now: Moment, checkers: &mut Checkers) -> Left {
        let at = self.at(now);
        checkers.at(now);
        self.changed();
        let mut left = Left::default();
        let Some(engine) = &self.engine else { return left };
        if !self.outbox.is_empty() {
            let mut batch = self.outbox.seal(Batch::default());
            let records = checkers.read(self.number, &batch);
            let views = if records.is_empty() { Vec::new() } else { all_views(engine) };
            let views =
                views.into_iter().filter(|view| records.iter().any(|seen| seen.address == view.address));
            checkers.sealed(at, &batch, &records, views.collect());
            if self.is_stalled {
                let stable = Position(self.disk.position);
                release(at, &mut batch, stable, checkers, &mut left);
                if self.waiting.is_empty() {
                    batch.release_partners(stable, |to| left.to_partner.push(to));
                }
            }
            self.waiting.push_back(batch);
        }
        if !self.is_stalled {
            self.sync(at, checkers, &mut left);
        }
        left
    }

    fn sync(&mut self, at: At, checkers: &mut Checkers, left: &mut Left) {
        for mut batch in std::mem::take(&mut self.waiting) {
            self.disk.write(&batch);
            checkers.synced(self.number, self.disk.position);
            let stable = Position(self.disk.position);
            release(at, &mut batch, stable, checkers, left);
            batch.release_partners(stable, |to| left.to_partner.push(to));
        }
    }

    /// What decides about its future.
    pub(super) fn essence(&self) -> &Essence {
        self.essence.get_or_init(|| {
            // What memory and disk say of the endpoint differs only while the disk takes its time.
            let all = self.engine.is_none() || self.is_stalled;
            let records = self.disk.records.values().filter_map(|record| Record::decode(record).ok());
            let records = records.filter(|record| all || matches!(record, Record::Binding(_)));
            Essence::of((
                self.engine.as_ref().map(Engine::essence),
                records.collect::<Vec<Record<'_>>>(),
                (self.is_stalled, self.waiting.len()),
                self.copy.as_ref().map(|(made, copy)| {
                    let records = copy.records.values().filter_map(|record| Record::decode(record).ok());
                    // Each opening of a store is counted, and the partner knows how often it was.
                    let since = self.disk.generation.wrapping_sub(copy.generation);
                    let same = self.disk.identity == copy.identity;
                    (engine_time(*made), since, same, records.collect::<Vec<Record<'_>>>())
                }),
            ))
        })
    }

    /// Something is different from now on.
    pub(super) fn changed(&mut self) {
        self.essence = OnceLock::new();
    }
}

fn release(at: At, batch: &mut Batch, stable: Position, checkers: &mut Checkers, left: &mut Left) {
    let is_stable = batch.end() <= stable;
    let mut replies = Vec::new();
    batch.release(stable, at.engine, |_, bytes| replies.push(bytes.to_vec()));
    for bytes in replies {
        if let Ok(message) = Message::parse(&bytes) {
            let is_ack = message.message_type() == Some(MessageType::Ack) && message.lease_time().is_some();
            checkers.left(at, &message, !is_ack || is_stable);
        }
        left.replies.push(bytes);
    }
}
