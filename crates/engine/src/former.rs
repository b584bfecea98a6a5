//! What the store was last run with, and what of the configuration may have changed since.
//!
//! *Lives here:* [`Former`]: with whom each address was shared, and as what; [`UnsafeChange`]; what an address becomes that is
//! shared no longer, or with another.
//! *May know:* the configuration, records of endpoints, bindings before the start.
//! *Must not know:* configuration text; messages to the partner.
//!
//! A partner that still has a pool goes on to lease its part of it. So a pool leaves a relationship, and a server changes its role, only
//! where no partner can have promised anything that this server does not know of: it was told that the partner is down, and the wait of
//! PARTNER-DOWN is over (F07-9.4.2-05).

use crate::config::{Config, RelationshipId};
use crate::engine::Engine;
use crate::outbox::Outbox;
use crate::record::{EndpointRecord, Flags, PoolRecord, Record, Stamp};
use crate::table::{Binding, Slot};
use failover::binding::BindingStatus;
use failover::endpoint::Stored;
use failover::lease::{PartnerDown, Times};
use failover::state::{FailoverState, Role};
use failover::time::{Interval, Time};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// A change of the configuration that would give one address to two clients. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsafeChange {
    /// Addresses are shared no longer, or with another.
    #[error(
        "{first} to {last} were shared as \"{was}\", and are {now} now: the partner of then may still lease them. Give the pool \
         its `failover = \"{was}\"` back. To change it, stop the partner for good, say `tandem failover partner-down {was}` \
         here, and restart with the change once the MCLT, {mclt}, has passed since then, without a pause",
        now = if is.is_empty() { "this server's alone".to_owned() } else { format!("shared as \"{is}\"") }
    )]
    Pool {
        /// First address.
        first: Ipv4Addr,
        /// Last address, included.
        last: Ipv4Addr,
        /// relationship-name of then.
        was: String,
        /// relationship-name of now; empty for none.
        is: String,
        /// The MCLT of then.
        mclt: Interval,
    },
    /// The role is another.
    #[error(
        "\"{relationship}\": this server was the {was}, and is to be the {is}: which free addresses are whose depends on it. Put \
         `role` back. To swap the roles, say `tandem failover shutdown {relationship}` on one server, wait for the MCLT, {mclt}, \
         restart the other with its new role, and then start the one that was shut down with its new role"
    )]
    Role {
        /// relationship-name.
        relationship: String,
        /// The role of then.
        was: Role,
        /// The role of now.
        is: Role,
        /// The MCLT.
        mclt: Interval,
    },
}

/// What the store remembers of configurations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Former {
    /// By first address: the last one, and with whom these were shared; an empty name for nobody.
    pools: BTreeMap<u32, (u32, String)>,
    /// The last record of each endpoint.
    endpoints: BTreeMap<String, EndpointRecord>,
}

/// Addresses with whom they were shared, and with whom they are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Moved {
    first: u32,
    last: u32,
    was: String,
    is: Option<RelationshipId>,
}

impl Former {
    /// A later record says more than an earlier one about the same addresses.
    pub(crate) fn take_pool(&mut self, record: &PoolRecord<'_>) {
        let (first, last) = (u32::from(record.first), u32::from(record.last));
        let overlaps: Vec<u32> = self
            .pools
            .range(..=last)
            .filter(|(_, (end, _))| *end >= first)
            .map(|(start, _)| *start)
            .collect();
        for start in overlaps {
            let Some((end, name)) = self.pools.remove(&start) else { continue };
            if start < first {
                self.pools.insert(start, (first - 1, name.clone()));
            }
            if end > last {
                self.pools.insert(last + 1, (end, name));
            }
        }
        self.pools.insert(first, (last, record.relationship.to_owned()));
    }

    pub(crate) fn take_endpoint(&mut self, record: &EndpointRecord) {
        self.endpoints.insert(record.name.clone(), record.clone());
    }

    /// When any of the endpoints was in operation last.
    pub(crate) fn last_operation(&self) -> Time {
        self.endpoints.values().map(|endpoint| endpoint.last_operation).max().unwrap_or(Time::ZERO)
    }

    /// See [`failover::endpoint::Endpoint::time_went_back`].
    pub(crate) fn time_went_back(&mut self, by: Interval) {
        for endpoint in self.endpoints.values_mut() {
            endpoint.alive = endpoint.alive.minus(by);
        }
    }

    /// All that is remembered, but for the endpoints of this configuration.
    pub(crate) fn records<'f>(&'f self, config: &'f Config) -> impl Iterator<Item = Record<'f>> + 'f {
        let is_configured =
            |name: &str| config.relationships().iter().any(|relationship| relationship.name == name);
        let is_named = |name: &str| self.pools.values().any(|(_, of)| of == name);
        let endpoints = self
            .endpoints
            .iter()
            .filter(move |(name, _)| !is_configured(name) && is_named(name))
            .map(|(_, record)| Record::Endpoint(record.clone()));
        let pools = self.pools.iter().map(|(first, (last, relationship))| {
            Record::Pool(PoolRecord { first: (*first).into(), last: (*last).into(), relationship })
        });
        endpoints.chain(pools)
    }

    /// Which pools are shared otherwise than they were.
    fn moved(&self, config: &Config) -> Vec<Moved> {
        let mut moved = Vec::new();
        for pool in config.pools() {
            let (first, last) = (u32::from(pool.first), u32::from(pool.last));
            let name = pool.failover.map_or("", |id| config.relationship(id).name.as_str());
            // A store from before this was remembered: where the relationship is known, the pool was its.
            let unknown = if self.endpoints.contains_key(name) { name } else { "" };
            let mut at = first;
            let mut note = |from: u32, to: u32, was: &str| {
                if from <= to && was != name {
                    moved.push(Moved { first: from, last: to, was: was.to_owned(), is: pool.failover });
                }
            };
            for (start, (end, was)) in self.pools.range(..=last).filter(|(_, (end, _))| *end >= first) {
                if *start > at {
                    note(at, start - 1, unknown);
                }
                note((*start).max(at), (*end).min(last), was);
                at = end.saturating_add(1);
            }
            note(at, last, unknown);
        }
        moved
    }

    /// What an endpoint had stored, if it ever had anything.
    fn stored(&self, name: &str) -> Option<(&EndpointRecord, &Stored)> {
        let record = self.endpoints.get(name)?;
        Some((record, record.stored.as_ref()?))
    }

    /// Nobody but this server can have promised anything of these addresses.
    fn is_alone(&self, name: &str, now: Time) -> bool {
        let Some((record, stored)) = self.stored(name) else {
            // It never ran; or it is unknown, and nobody can tell.
            return self.endpoints.contains_key(name);
        };
        // Who stood still for so long may have been replaced by the partner (model M4).
        let went_on = now.since(record.last_operation) <= record.longest_mclt();
        went_on && stay(record, stored).is_some_and(|stay| stay.may_change_hands(Times::NONE) <= now)
    }

    /// The partner was told that this server is down: it has, or fetches, all that this one knew.
    fn was_replaced(&self, name: &str) -> bool {
        self.stored(name)
            .and_then(|(_, stored)| stored.partner)
            .is_some_and(|(state, _)| state == FailoverState::PartnerDown)
    }

    fn mclt(&self, name: &str) -> Interval {
        self.endpoints.get(name).map_or(Interval::ZERO, EndpointRecord::longest_mclt)
    }
}

/// The stay in PARTNER-DOWN.
fn stay(record: &EndpointRecord, stored: &Stored) -> Option<PartnerDown> {
    (stored.state == FailoverState::PartnerDown).then_some(PartnerDown {
        entered: stored.entered,
        last_contact: stored.last_contact,
        mclt: record.longest_mclt(),
    })
}

impl Engine {
    /// What of the configuration is not safe with the bindings of this store. Between the replay and [`Engine::start`], which is not
    /// to follow if there is any.
    pub fn unsafe_changes(&self, now: Time) -> Vec<UnsafeChange> {
        let former = &self.former;
        let mut found = Vec::new();
        for parts in self.config.relationships() {
            let Some((record, _)) = former.stored(&parts.name) else { continue };
            if record.role != parts.role
                && !former.is_alone(&parts.name, now)
                && !former.was_replaced(&parts.name)
            {
                let relationship = parts.name.clone();
                let (was, is, mclt) = (record.role, parts.role, record.longest_mclt());
                found.push(UnsafeChange::Role { relationship, was, is, mclt });
            }
        }
        for Moved { first, last, was, is } in former.moved(&self.config) {
            if !was.is_empty() && !former.is_alone(&was, now) {
                let mclt = former.mclt(&was);
                let is = is.map_or_else(String::new, |id| self.config.relationship(id).name.clone());
                found.push(UnsafeChange::Pool { first: first.into(), last: last.into(), was, is, mclt });
            }
        }
        found
    }

    /// Gives each endpoint what is remembered of it. One whose role is another fetches all bindings anew, unless it alone has them.
    pub(crate) fn restore_endpoints(&mut self, now: Time) -> Vec<RelationshipId> {
        let mut forget = Vec::new();
        for relationship in self.relationships() {
            let name = &self.config.relationship(relationship).name;
            let Some(record) = self.former.endpoints.get(name).cloned() else { continue };
            let role = self.config.relationship(relationship).role;
            if record.role != role && record.stored.is_some() && !self.former.is_alone(name, now) {
                forget.push(relationship);
            }
            self.endpoint_mut(relationship).remember(EndpointRecord { role, ..record });
        }
        forget
    }

    /// Bindings of pools that are shared otherwise than before become what they can be now, and what a former partner acknowledged is
    /// forgotten (D12-5.16-01, D12-5.17-01). Before the table is started.
    pub(crate) fn take_over_moved(&mut self, now: Time) -> Vec<Slot> {
        let mut changed = Vec::new();
        for Moved { first, last, was, is } in self.former.moved(&self.config) {
            let stay = self.former.stored(&was).and_then(|(record, stored)| stay(record, stored));
            changed.extend(self.table.change_before_start(first, last, |binding| {
                if !was.is_empty() {
                    leave(binding, now, stay);
                }
                if is.is_some() && binding.status != BindingStatus::Free {
                    // The partner of now has never heard of it, and must before both are in NORMAL (trap T17).
                    binding.flags = binding.flags.with(Flags::UNSEEN).with(Flags::UNAGREED);
                }
            }));
        }
        changed
    }

    /// Remembers with whom each address is shared. What the configuration has no more is remembered while there are bindings of it.
    pub(crate) fn remember_pools(&mut self, outbox: &mut Outbox) {
        let Engine { former, config, table, .. } = self;
        if config.relationships().is_empty() && former.pools.is_empty() {
            return;
        }
        let has_bindings = |first: u32, last: u32| {
            let mut slots = table.from(first.into()).map(|slot| table.get(slot));
            slots.find(|binding| binding.is_worth_a_record()).is_some_and(|binding| binding.address <= last)
        };
        former.pools.retain(|first, (last, _)| has_bindings(*first, *last));
        for pool in config.pools() {
            let relationship = pool.failover.map_or("", |id| config.relationship(id).name.as_str());
            let record = PoolRecord { first: pool.first, last: pool.last, relationship };
            former.take_pool(&record);
            outbox.record(&Record::Pool(record));
        }
    }
}

/// What a binding is to a server that has it alone from now on. Until the wait of PARTNER-DOWN is over, what was promised may
/// still be held: by the client of a lease, or by somebody of whom only the partner knew (traps T3, T5).
fn leave(binding: &mut Binding, now: Time, stay: Option<PartnerDown>) {
    let until = stay.map_or(binding.lease_expiration.time(), |stay| stay.may_change_hands(binding.times()));
    let is_held = binding.status == BindingStatus::Active && !binding.flags.contains(Flags::TOLD);
    match binding.status {
        BindingStatus::Abandoned => {}
        _ if is_held => {
            binding.clear_times();
            binding.lease_expiration = Stamp::at_or_after(until);
        }
        BindingStatus::Free | BindingStatus::Backup => {
            binding.status = BindingStatus::Free;
            binding.clear_times();
        }
        _ if until > now => {
            binding.status = BindingStatus::Abandoned;
            binding.start_time_of_state = Stamp::NONE;
            binding.clear_client();
            binding.clear_times();
            binding.lease_expiration = Stamp::at_or_after(until);
        }
        _ => {
            binding.status = BindingStatus::Free;
            binding.clear_times();
        }
    }
    binding.flags = Flags::NONE;
    binding.set_reserved_for(None);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(first: u32, last: u32, relationship: &str) -> PoolRecord<'_> {
        PoolRecord { first: first.into(), last: last.into(), relationship }
    }

    #[test]
    fn a_later_record_takes_its_part_of_an_earlier_one() {
        let mut former = Former::default();
        former.take_pool(&pool(10, 50, "a"));
        former.take_pool(&pool(20, 30, "b"));
        former.take_pool(&pool(45, 60, ""));
        let kept: Vec<_> =
            former.pools.iter().map(|(first, (last, name))| (*first, *last, name.as_str())).collect();
        assert_eq!(kept, [(10, 19, "a"), (20, 30, "b"), (31, 44, "a"), (45, 60, "")]);
        former.take_pool(&pool(0, u32::MAX, "c"));
        assert_eq!(former.pools.len(), 1);
    }
}
