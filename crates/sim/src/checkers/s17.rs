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
    /// Addresses that a client has declined since the last batch was sealed.
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
        if handled.recorded && handled.message.message_type() == Some(MessageType::Decline) {
            self.declined.extend(handled.address());
        }
    }

    /// The record of a DECLINE is in the batch of the turn that heard it, perhaps behind others of its address: a lease and its
    /// DECLINE may be decided in one turn.
    pub(super) fn sealed(&mut self, at: At, records: &[Seen]) -> Result<(), String> {
        let mut declined = std::mem::take(&mut self.declined);
        for seen in records {
            let address = seen.address;
            if seen.is_abandoned() {
                if !declined.remove(&address) && !self.is_shared && !self.abandoned.contains_key(&address) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::message::{Contents, compose};
    use failover::binding::BindingStatus;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

    /// S17 of a server that has decided about a DECLINE.
    fn declined(recorded: bool) -> S17 {
        let contents = Contents {
            hardware: [2, 0, 0, 0, 0, 1],
            identifier: None,
            transaction: 1,
            secs: 0,
            broadcast: false,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            wanted: Some(ADDRESS),
            server: Some(Ipv4Addr::new(10, 0, 0, 1)),
            wish: None,
            relayed: false,
        };
        let bytes = compose(Some(MessageType::Decline), &contents);
        let message = Message::parse(&bytes).unwrap();
        let identity = ClientIdentity::from_message(&message).unwrap();
        let mut s17 = S17::new(&[], Interval::from_seconds(3600), false);
        s17.handled(&Handled { message, identity, recorded, order: 1 });
        s17
    }

    #[test]
    fn a_decline_explains_one_abandoned_in_the_batch_of_its_turn_and_no_other() {
        let at = At { now: 0, server: 0, engine: Time::from_seconds(1_800_000_000) };
        let with = |status| Seen { status, ..Seen::never(ADDRESS) };
        let [leased, abandoned] = [BindingStatus::Active, BindingStatus::Abandoned].map(with);
        let free = with(BindingStatus::Free);
        assert_eq!(declined(true).sealed(at, std::slice::from_ref(&abandoned)), Ok(()));
        assert_eq!(declined(true).sealed(at, &[leased.clone(), abandoned.clone()]), Ok(()));
        assert!(declined(false).sealed(at, std::slice::from_ref(&abandoned)).is_err());
        let mut later = declined(true);
        assert_eq!(later.sealed(at, &[leased]), Ok(()));
        assert!(later.sealed(at, std::slice::from_ref(&abandoned)).is_err());
        let mut again = declined(true);
        again.decline_time = Interval::ZERO;
        let late = At { engine: at.engine.plus(Interval::from_seconds(60)), ..at };
        assert!(again.sealed(late, &[abandoned.clone(), free, abandoned]).is_err());
    }
}
