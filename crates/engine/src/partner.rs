//! The failover endpoints of this server: one for each relationship (F07-5.1.1-01).
//!
//! *Lives here:* [`Endpoint`], what an engine keeps for one partner, and its deadlines; in the folder one room for each thing
//! that passes between the two: connection, state, updates out and in, acknowledgements, transfers, pools; what a state
//! permits; what an operator commands.
//! *May know:* crate `failover`, which has the rules; bindings, to which they are applied.
//! *Must not know:* sockets, bytes on their way.

mod acknowledge;
mod age;
mod agenda;
mod certificate;
mod command;
mod link;
mod outstanding;
mod permit;
mod pools;
mod receive;
mod reserved;
mod send;
mod state;
mod terms;
mod transaction;
mod transfer;
mod view;

pub(crate) use agenda::Agenda;
pub use command::Commanded;
pub(crate) use link::Links;
pub use view::EndpointView;

use crate::config::{Config, RelationshipId, RelationshipParts};
use crate::engine::Engine;
use crate::input::LinkId;
use crate::outbox::Outbox;
use crate::record::EndpointRecord;
use crate::table::Slot;
use failover::balance::{HashBucketAssignment, Service};
use failover::connection::{Retry, Ticket};
use failover::dialect::Dialect;
use failover::endpoint::{Endpoint as Machine, Memory, RequestId, Settings};
use failover::message::TandemInfo;
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time};
use outstanding::Outstanding;
use std::collections::{BTreeMap, BTreeSet};
use transfer::{Raise, Transfer};

/// How often the time of operation is recorded (trap T15), and by how much the last record of it may lag behind.
const STAMP_EVERY: Interval = Interval::from_seconds(5);
const STAMP_INTERVAL: Interval = Interval::from_seconds(10);

/// How long UPDDONE may take while no BNDUPD comes (F07-9.5.2-06).
const UPDATE_WAIT: Interval = Interval::from_seconds(60);

/// What is kept for one partner (F07-2.2-01).
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    machine: Machine,
    /// What must survive; stored before it is told or acted upon (F07-9.2-01).
    record: EndpointRecord,
    dialect: Dialect,
    /// The connection that counts: the handshake on it is complete.
    link: Option<LinkId>,
    /// Since when it counts.
    established_at: Time,
    /// A connection was asked for and is not there yet.
    is_connecting: bool,
    /// The one that was asked for is there, and its handshake goes on: CONNECT goes over one at a time (F07-8.2-11).
    handshake: Option<LinkId>,
    connect_at: Time,
    retry: Retry,
    /// The last connection ended by a refusal: another one before `connect_at` can only do the same.
    is_refused: bool,
    /// The partner's configuration has another MCLT, other pools or other reservations (Q45).
    terms_differ: bool,
    /// People were told, since the connection began, that it makes DNS updates.
    dns_is_told: bool,
    /// Our requests for updates that are not answered.
    asked: BTreeMap<Ticket, RequestId>,
    /// BNDUPDs of the partner that may take room from its window although nobody will ever answer them.
    stuck: u32,
    /// What the machine was last told of trap T17.
    handover_pending: bool,
    outstanding: Outstanding,
    /// What the partner refused, and when it is said again.
    refused: BTreeMap<Slot, Time>,
    /// Of the primary: addresses that are reserved, or were when the secondary last heard of them.
    reserved: BTreeSet<Slot>,
    /// Those of them of which the secondary may have to hear.
    unsettled: BTreeSet<Slot>,
    /// Those of which the secondary said, on this connection, that it has no such reservation.
    not_reserved: BTreeSet<Slot>,
    /// BACKUP addresses that the primary asks back.
    recalled: BTreeSet<Slot>,
    /// Addresses that were given on this connection and are not acknowledged yet.
    giving: BTreeSet<Slot>,
    /// Addresses that the partner, as it said on this connection, does not have: they are not given to it again.
    unknown: BTreeSet<Slot>,
    transfer: Option<Transfer>,
    raise: Option<Raise>,
    /// What the partner has told of since our bindings were lost, where it raises nothing for that: raised by us, once.
    regained: BTreeSet<Slot>,
    /// Bindings that are owed before UPDDONE.
    owed: u32,
    look_at_pools: Time,
    /// The last look at the balance gave a part of what the secondary lacks: the next one gives on.
    is_giving: bool,
    stamp_at: Time,
    /// It was to be recorded long ago: what is said meanwhile waits for that.
    is_late: bool,
    /// When people are to be told next how long the certificate of this server still holds.
    certificate_at: Time,
    /// The last time of operation that the partner had vouched for, as the store knew it at the start of this process.
    started_from: Time,
    /// Identity and generation of the partner's store, as told on the connection that counts.
    partner_store: Option<([u8; 16], u64)>,
    /// No process ran on this store before.
    is_new: bool,
    /// Our store was compared with what the partner heard, since the start of this process.
    was_compared: bool,
    has_stopped: bool,
    /// People were told that no lease can be given.
    lead_time_is_over: bool,
    /// Since when this server cannot serve its clients (design: grey failure).
    unfit_since: Option<Time>,
}

impl Engine {
    pub(crate) fn endpoint(&self, relationship: RelationshipId) -> &Endpoint {
        &self.endpoints[relationship.0 as usize]
    }

    /// Whoever changes it may change when it needs attention.
    pub(crate) fn endpoint_mut(&mut self, relationship: RelationshipId) -> &mut Endpoint {
        self.agenda.touch(relationship);
        &mut self.endpoints[relationship.0 as usize]
    }

    /// All relationships, in the order of the configuration (F07-4.1-06).
    pub fn relationships(&self) -> impl Iterator<Item = RelationshipId> + use<> {
        let count = u32::try_from(self.endpoints.len()).unwrap_or(u32::MAX);
        (0..count).map(RelationshipId)
    }

    /// Does what is due for the partners; up to `budget` units of it.
    pub(crate) fn partners_due(&mut self, now: Time, budget: &mut u32, outbox: &mut Outbox) {
        while let Some(relationship) = self.agenda.take_touched() {
            let deadline = self.endpoint_deadline(relationship);
            self.agenda.note(relationship, deadline);
        }
        debug_assert!(
            self.relationships()
                .all(|each| self.endpoint_deadline(each).unwrap_or(Time::NEVER) == self.agenda.of(each)),
            "an endpoint was changed and not touched"
        );
        if self.agenda.next().is_none_or(|at| at > now) {
            return;
        }
        for relationship in self.relationships() {
            // What comes before may have touched it.
            let at = if self.agenda.is_touched(relationship) {
                self.endpoint_deadline(relationship).unwrap_or(Time::NEVER)
            } else {
                self.agenda.of(relationship)
            };
            if at <= now {
                let is_late = self.endpoint(relationship).stamp_at.plus(STAMP_INTERVAL) < now;
                if is_late {
                    // It stood still: what it says now must not be later than what its store knows (D12-5.16-02).
                    self.stamp(now, relationship, outbox);
                }
                self.endpoint_mut(relationship).is_late = is_late;
                self.links_due(now, relationship, outbox);
                self.endpoint_mut(relationship).is_late = false;
                self.endpoint_due(now, relationship, outbox);
                *budget = self.go_on_with_transfer(now, relationship, *budget, outbox);
            }
        }
    }

    /// When [`Engine::partners_due`] has work.
    pub(crate) fn partner_deadline(&self) -> Option<Time> {
        let touched = self.agenda.touched().iter();
        touched.filter_map(|each| self.endpoint_deadline(*each)).chain(self.agenda.next()).min()
    }

    fn endpoint_deadline(&self, relationship: RelationshipId) -> Option<Time> {
        let endpoint = self.endpoint(relationship);
        if self.transfer_has_work(relationship) {
            return Some(Time::ZERO);
        }
        let connect = endpoint.wants_connection().then_some(endpoint.connect_at);
        [
            self.links.deadline(relationship),
            endpoint.machine.next_deadline(),
            connect,
            Some(endpoint.stamp_at),
            endpoint.machine.communications_ok().then_some(endpoint.look_at_pools),
            endpoint.refused.values().min().copied().filter(|_| endpoint.machine.communications_ok()),
            endpoint
                .unfit_since
                .map(|since| since.plus(state::UNFIT_WAIT))
                .filter(|_| endpoint.link.is_some()),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

impl Endpoint {
    /// The endpoints of a configuration, as they stand before the replay.
    pub(crate) fn all(config: &Config) -> Vec<Endpoint> {
        config.relationships().iter().map(Endpoint::new).collect()
    }

    fn new(parts: &RelationshipParts) -> Endpoint {
        let record = EndpointRecord::new(&parts.name, parts.role);
        Endpoint {
            machine: Machine::start(settings(parts), Memory::default(), Time::ZERO, &mut Vec::new()),
            record,
            dialect: parts.dialect,
            link: None,
            established_at: Time::ZERO,
            is_connecting: false,
            handshake: None,
            connect_at: Time::ZERO,
            retry: Retry::each(parts.connect_interval),
            is_refused: false,
            terms_differ: false,
            dns_is_told: false,
            asked: BTreeMap::new(),
            stuck: 0,
            handover_pending: false,
            outstanding: Outstanding::default(),
            refused: BTreeMap::new(),
            reserved: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            not_reserved: BTreeSet::new(),
            recalled: BTreeSet::new(),
            giving: BTreeSet::new(),
            unknown: BTreeSet::new(),
            transfer: None,
            raise: None,
            regained: BTreeSet::new(),
            owed: 0,
            look_at_pools: Time::ZERO,
            is_giving: false,
            stamp_at: Time::ZERO,
            is_late: false,
            certificate_at: Time::ZERO,
            started_from: Time::ZERO,
            partner_store: None,
            is_new: false,
            was_compared: false,
            has_stopped: false,
            lead_time_is_over: false,
            unfit_since: None,
        }
    }

    pub(crate) fn state(&self) -> FailoverState {
        self.machine.state()
    }

    pub(crate) fn role(&self) -> Role {
        self.record.role
    }

    /// The MCLT in force: the primary's (D12-7.8.2-02).
    fn mclt(&self) -> Interval {
        self.record.mclt
    }

    /// What waits go by: what is not over yet may have been promised by a longer MCLT.
    fn longest_mclt(&self) -> Interval {
        self.record.longest_mclt()
    }

    fn is_in_contact(&self) -> bool {
        self.machine.communications_ok()
    }

    /// The partner says that its bindings are lost (Q45).
    fn partner_lost_storage(&self) -> bool {
        self.machine.partner_lost_storage()
    }

    /// Who serves whom in NORMAL: the primary's word.
    fn service(&self) -> Service {
        Service {
            buckets: self
                .record
                .buckets
                .map_or(HashBucketAssignment::ALL_PRIMARY, HashBucketAssignment::from_bytes),
            delayed_service: Some(self.record.delayed_service).filter(|seconds| *seconds > 0),
        }
    }

    /// Whether a connection of our own is to be made (F07-9.4.1-01).
    fn wants_connection(&self) -> bool {
        self.link.is_none() && !self.is_connecting && self.handshake.is_none() && self.takes_connections()
    }

    /// Not while this server cannot serve (D12-8.2-06), and not once it has said that it goes.
    fn takes_connections(&self) -> bool {
        self.unfit_since.is_none() && !self.has_stopped
    }

    fn is_refused(&self, slot: Slot) -> bool {
        self.refused.contains_key(&slot)
    }

    /// Nothing is to be settled about this address any more.
    fn forget(&mut self, slot: Slot) {
        self.refused.remove(&slot);
        self.recalled.remove(&slot);
    }
}

fn settings(parts: &RelationshipParts) -> Settings {
    Settings {
        role: parts.role,
        dialect: parts.dialect,
        mclt: parts.mclt,
        longest_mclt: parts.mclt,
        service: Service {
            buckets: HashBucketAssignment::from_split(parts.split),
            delayed_service: parts.delayed_service,
        },
        safe_period: parts.safe_period,
        startup_wait: parts.startup,
        waits_for_partner: false,
        start_alone: parts.start_alone,
        trusts_restart: parts.trusts_restart,
        stamp_interval: STAMP_INTERVAL,
        update_wait: UPDATE_WAIT,
        tandem: TandemInfo::default(),
    }
}
