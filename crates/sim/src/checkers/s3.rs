//! S3: no DHCPACK before its binding is stable; after any crash the binding recovered is at least as late; no DHCPOFFER of
//! an address that another client holds, or was offered within the offer time. What is reserved for a machine is that machine's,
//! whatever it calls itself: that nobody else gets it is S17.
//!
//! *Lives here:* [`S3`], for one server.
//! *Must not know:* which outputs rest on which positions: it looks at the disk.

use super::promise::promised;
use super::s1::S1;
use super::{At, Dealings, Handled, Seen};
use crate::scene::Reserved;
use dhcp::{ClientIdentity, Message, MessageType};
use engine::config::ReservationKey;
use failover::time::{Interval, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// A reply leaves at most this long after it was decided, and a recorded second is whole.
const DECIDED_BEFORE: Interval = Interval::from_seconds(6);

/// What a DHCPACK that left has promised.
#[derive(Debug, Clone)]
struct Promise {
    identity: ClientIdentity,
    /// Not later than what the client was told, in engine time.
    end: Time,
}

#[derive(Debug, Clone)]
struct Offered {
    identity: ClientIdentity,
    at: At,
}

#[derive(Debug, Clone)]
pub(crate) struct S3 {
    /// [`Interval::ZERO`] where a partner's word may end an offer at any time.
    offer_time: Interval,
    /// Addresses that are reserved for a machine, by its hardware address.
    machines: BTreeSet<Ipv4Addr>,
    promises: BTreeMap<Ipv4Addr, Promise>,
    offers: BTreeMap<Ipv4Addr, Offered>,
    /// When each client last asked for offers, and last answered one: in the order in which messages were decided.
    asked: BTreeMap<ClientIdentity, (u64, u64)>,
    /// Latest engine time seen: after a reboot it may come back a little behind.
    latest: Time,
}

impl S3 {
    pub(super) fn new(offer_time: Interval, reserved: &[Reserved]) -> S3 {
        let machines = reserved.iter().filter(|reserved| matches!(reserved.key, ReservationKey::Hardware(_)));
        S3 {
            offer_time,
            machines: machines.map(|reserved| reserved.address).collect(),
            promises: BTreeMap::new(),
            offers: BTreeMap::new(),
            asked: BTreeMap::new(),
            latest: Time::ZERO,
        }
    }

    /// The other server has heard this: it may have given it back there.
    pub(super) fn handled_by_partner(&mut self, handled: &Handled<'_>) {
        if let (true, Some(address)) = (handled.gives_back(), handled.address())
            && self.promises.get(&address).is_some_and(|promise| promise.identity == handled.identity)
        {
            self.promises.remove(&address);
        }
    }

    /// The store is gone, or another: nothing of it can be expected.
    pub(super) fn lost_store(&mut self) {
        self.promises.clear();
    }

    pub(super) fn handled(&mut self, at: At, handled: &Handled<'_>) {
        self.latest = self.latest.max(at.engine);
        let asked = self.asked.entry(handled.identity.clone()).or_default();
        if handled.message.message_type() == Some(MessageType::Discover) {
            asked.0 = handled.order;
        } else {
            // It has answered: selected this one, or another, or wants none.
            asked.1 = handled.order;
            self.offers.retain(|_, offer| offer.identity != handled.identity);
        }
        if let (true, Some(address)) = (handled.gives_back(), handled.address())
            && self.promises.get(&address).is_some_and(|promise| promise.identity == handled.identity)
        {
            self.promises.remove(&address);
        }
    }

    /// Time goes on. An address that somebody found in use is nobody's (figure 7.1.3-1).
    pub(super) fn sealed(&mut self, at: At, records: &[Seen]) {
        self.latest = self.latest.max(at.engine);
        for seen in records.iter().filter(|seen| seen.is_abandoned()) {
            self.promises.remove(&seen.address);
        }
    }

    /// Offers are not durable.
    pub(super) fn ended(&mut self) {
        self.offers.clear();
    }

    pub(super) fn left(
        &mut self,
        at: At,
        reply: &Message<'_>,
        identity: &ClientIdentity,
        stable: bool,
        s1: &S1,
        dealings: &Dealings,
    ) -> Result<(), String> {
        self.latest = self.latest.max(at.engine);
        let (address, Some(seconds)) = (reply.yiaddr(), promised(reply)) else { return Ok(()) };
        match reply.message_type() {
            Some(MessageType::Ack) | None if !stable => {
                let kind = if reply.message_type().is_some() { "DHCPACK" } else { "answer of BOOTP" };
                Err(format!("the {kind} of {address} to {identity} left before its record was stable"))
            }
            Some(MessageType::Ack) | None => {
                if !dealings.given_back(address, identity) {
                    self.promise(at, address, identity, seconds);
                }
                Ok(())
            }
            Some(MessageType::Offer) => self.offer(at, address, identity, s1),
            _ => Ok(()),
        }
    }

    fn promise(&mut self, at: At, address: Ipv4Addr, identity: &ClientIdentity, seconds: u32) {
        let lease = match seconds {
            u32::MAX => Interval::INFINITE,
            seconds => Interval::from_seconds(u64::from(seconds)),
        };
        let mut end = at.engine.plus(lease).minus(DECIDED_BEFORE);
        if let Some(before) = self.promises.get(&address)
            && before.identity == *identity
        {
            end = end.max(before.end);
        }
        self.promises.insert(address, Promise { identity: identity.clone(), end });
    }

    fn offer(&mut self, at: At, address: Ipv4Addr, identity: &ClientIdentity, s1: &S1) -> Result<(), String> {
        if let Some(other) = s1.other(at.now, address, identity)
            && !self.machines.contains(&address)
        {
            return Err(format!("{address} was offered to {identity} while {other} holds it"));
        }
        let kept = self.offer_time.as_millis().saturating_sub(DECIDED_BEFORE.as_millis());
        if let Some(offer) = self.offers.get(&address)
            && offer.identity != *identity
            && at.now < offer.at.now + kept
            && at.engine.since(offer.at.engine).as_millis() < kept
        {
            return Err(format!(
                "{address} was offered to {identity} while it is offered to {}",
                offer.identity
            ));
        }
        self.offers.retain(|_, offer| offer.identity != *identity);
        // An offer may leave after its answer has come: both were decided in one batch.
        if self.asked.get(identity).is_some_and(|(asked, answered)| answered > asked) {
            return Ok(());
        }
        self.offers.insert(address, Offered { identity: identity.clone(), at });
        Ok(())
    }

    /// Of a lease for ever nobody but this server knew, and the other goes on as if it were dead.
    pub(super) fn forgotten(&mut self, address: Ipv4Addr, identity: &ClientIdentity) {
        self.promises.retain(|at, promise| *at != address || promise.identity != *identity);
    }

    /// `records` are all that was replayed, in order. What is `broken` a dhcpd gave to another client too: it may be that one's here.
    pub(super) fn recovered(
        &mut self,
        at: At,
        records: &[Seen],
        broken: &dyn Fn(Ipv4Addr) -> bool,
    ) -> Result<(), String> {
        let latest: BTreeMap<Ipv4Addr, &Seen> = records.iter().map(|seen| (seen.address, seen)).collect();
        self.latest = self.latest.max(at.engine);
        let over = self.latest;
        self.promises.retain(|_, promise| promise.end > over);
        for (address, promise) in self.promises.iter().filter(|(address, _)| !broken(**address)) {
            let Some(seen) = latest.get(address) else {
                return Err(format!("{address}: nothing was recovered of the lease of {}", promise.identity));
            };
            if !seen.is_active() || seen.identity.as_ref() != Some(&promise.identity) {
                return Err(format!(
                    "{address}: {} was recovered, but a DHCPACK to {} had left",
                    if seen.is_active() { "another client's lease" } else { "no lease" },
                    promise.identity
                ));
            }
            if seen.end < promise.end {
                return Err(format!(
                    "{address}: the recovered lease of {} ends {} earlier than its DHCPACK said",
                    promise.identity,
                    promise.end.since(seen.end)
                ));
            }
        }
        Ok(())
    }
}
