//! S17: a reserved address never goes to another client; ABANDONED only by rule, and back to FREE only by rule.
//!
//! *Lives here:* [`S17`], for one server.
//! *Must not know:* how the engine keeps reservations.

use super::promise::promised;
use super::{At, Handled, Seen};
use crate::scene::Reserved;
use dhcp::{ClientIdentity, Message, MessageType};
use engine::config::ReservationKey;
use failover::time::{Interval, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// A reply leaves at most this long after it was decided.
const DECIDED_BEFORE: Interval = Interval::from_seconds(6);

#[derive(Debug, Clone)]
pub(crate) struct S17 {
    reserved: BTreeMap<Ipv4Addr, ReservationKey>,
    decline_time: Interval,
    /// A partner has the same addresses: what it heard, and when, shows here later or never.
    is_shared: bool,
    /// Addresses that a client has declined since they were last recorded.
    declined: BTreeSet<Ipv4Addr>,
    /// Since when each ABANDONED address is so.
    abandoned: BTreeMap<Ipv4Addr, Time>,
}

impl S17 {
    pub(super) fn new(reserved: &[Reserved], decline_time: Interval, is_shared: bool) -> S17 {
        let reserved = reserved.iter().map(|reserved| (reserved.address, reserved.key.clone())).collect();
        S17 { reserved, decline_time, is_shared, declined: BTreeSet::new(), abandoned: BTreeMap::new() }
    }

    pub(super) fn handled(&mut self, handled: &Handled<'_>) {
        if handled.message.message_type() == Some(MessageType::Decline) {
            self.declined.extend(handled.address());
        }
    }

    pub(super) fn sealed(&mut self, at: At, records: &[Seen]) -> Result<(), String> {
        for seen in records {
            let address = seen.address;
            let declined = self.declined.remove(&address);
            if seen.is_abandoned() {
                if !declined && !self.is_shared && !self.abandoned.contains_key(&address) {
                    return Err(format!("{address} became ABANDONED, and nobody had declined it"));
                }
                self.abandoned.entry(address).or_insert(at.engine);
            } else if let Some(since) = self.abandoned.remove(&address)
                && !self.is_shared
                && at.engine.plus(DECIDED_BEFORE) < since.plus(self.decline_time)
            {
                let after = at.engine.since(since);
                return Err(format!(
                    "{address} was ABANDONED for {after} only, decline-time is {}",
                    self.decline_time
                ));
            }
        }
        Ok(())
    }

    pub(super) fn left(
        &mut self,
        at: At,
        reply: &Message<'_>,
        identity: &ClientIdentity,
    ) -> Result<(), String> {
        let address = reply.yiaddr();
        if promised(reply).is_none() || address.is_unspecified() {
            return Ok(());
        }
        let theirs = self.reserved.get(&address).is_none_or(|key| match key {
            ReservationKey::Hardware(hardware) => reply.hardware_address() == *hardware,
            ReservationKey::ClientIdentifier(wanted) => {
                identity.client_identifier() == Some(wanted.as_slice())
            }
        });
        if !theirs {
            return Err(format!("{address} is reserved for another client, and {identity} got it"));
        }
        match self.abandoned.get(&address) {
            Some(since) if at.engine > since.plus(DECIDED_BEFORE) => {
                Err(format!("{address} is ABANDONED, and {identity} got it"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn recovered(&mut self, records: &[Seen]) {
        let latest: BTreeMap<Ipv4Addr, &Seen> = records.iter().map(|seen| (seen.address, seen)).collect();
        self.declined.clear();
        self.abandoned = latest
            .into_iter()
            .filter(|(_, seen)| seen.is_abandoned())
            .map(|(address, seen)| (address, seen.since))
            .collect();
    }
}
