//! The failover endpoints of this server: one for each relationship (F07-5.1.1-01).
//!
//! *Lives here:* [`Endpoint`], what an engine keeps for one partner; in the folder one room for each thing that passes
//! between the two: connection, state, updates out and in, acknowledgements, transfers, pools; and what a state permits.
//! *May know:* crate `failover`, which has the rules; bindings, to which they are applied.
//! *Must not know:* sockets, bytes on their way.

mod acknowledge;
mod outstanding;
mod permit;
mod pools;
mod receive;
mod send;
mod transaction;
mod transfer;

use crate::config::RelationshipId;
use crate::engine::Engine;
use crate::input::LinkId;
use crate::record::EndpointRecord;
use crate::table::Slot;
use failover::balance::HashBucketAssignment;
use failover::dialect::Dialect;
use failover::time::Time;
use outstanding::Outstanding;
use std::collections::{BTreeMap, BTreeSet};
use transfer::{Raise, Transfer};

/// What is kept for one partner.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// What must survive; stored before it is told or acted upon (F07-9.2-01).
    pub(crate) record: EndpointRecord,
    dialect: Dialect,
    delayed_service: Option<u8>,
    /// This process has been in NORMAL or CONFLICT-DONE, or an operator vouched for it: `alive` is now (trap T15).
    is_alive: bool,
    /// The connection that counts.
    link: Option<LinkId>,
    outstanding: Outstanding,
    /// What the partner refused, and when it is said again.
    refused: BTreeMap<Slot, Time>,
    /// BACKUP addresses that the primary asks back.
    recalled: BTreeSet<Slot>,
    transfer: Option<Transfer>,
    raise: Option<Raise>,
    /// Bindings that are owed before UPDDONE.
    owed: u32,
    /// The partner has asked for updates since we took it to be down (trap T17).
    partner_is_back: bool,
    /// The partner says that its bindings are lost (Q45).
    partner_storage_lost: bool,
    look_at_pools: Time,
}

impl Engine {
    pub(crate) fn endpoint(&self, relationship: RelationshipId) -> &Endpoint {
        &self.endpoints[relationship.0 as usize]
    }

    pub(crate) fn endpoint_mut(&mut self, relationship: RelationshipId) -> &mut Endpoint {
        &mut self.endpoints[relationship.0 as usize]
    }
}

impl Endpoint {
    fn buckets(&self) -> HashBucketAssignment {
        self.record.buckets.map_or(HashBucketAssignment::ALL_PRIMARY, HashBucketAssignment::from_bytes)
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
