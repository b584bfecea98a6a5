//! How a dhcpd serves clients.
//!
//! *Lives here:* DISCOVER, REQUEST, RELEASE, DECLINE; how long a lease may be.
//! *Must not know:* the connection.

use super::{Act, Client, Dhcpd, Habit, Lease, Seconds};
use dhcp::{ClientIdentity, Message, MessageType, ReplyHeader, Writer, code};
use engine::{Destination, InterfaceId};
use failover::balance::Bucket;
use failover::binding::BindingStatus as B;
use failover::dialect::Dialect;
use failover::state::FailoverState as S;
use std::net::Ipv4Addr;

const INTERFACE: InterfaceId = InterfaceId(2);

const LIMIT: usize = 548;

impl Dhcpd {
    /// A datagram from a client; whether it wrote something down.
    pub(crate) fn packet(&mut self, bytes: &[u8]) -> bool {
        let Ok(message) = Message::parse(bytes) else { return false };
        let Ok(identity) = ClientIdentity::from_message(&message) else { return false };
        if !self.answers(&message) {
            return false;
        }
        match message.message_type() {
            Some(MessageType::Discover) => {
                if let Some(address) = self.chooses(&message, &identity) {
                    let seconds = self.length(address, &identity).0;
                    self.reply(&message, MessageType::Offer, address, seconds);
                }
                false
            }
            Some(MessageType::Request) => self.request(&message, &identity),
            Some(MessageType::Release) => self.release(message.ciaddr(), &identity, B::Released),
            Some(MessageType::Decline) => {
                let address = message.requested_address().unwrap_or(Ipv4Addr::UNSPECIFIED);
                self.release(address, &identity, B::Abandoned)
            }
            _ => false,
        }
    }

    fn answers(&self, message: &Message<'_>) -> bool {
        let beside = self.partner_was_without_it();
        let in_contact = self.link().is_some_and(|link| link.partner.is_some());
        if self.has(Habit::SilentBeside) && beside && in_contact && self.state() != S::ConflictDone {
            return false;
        }
        let extends = !message.ciaddr().is_unspecified();
        match self.state() {
            S::Normal => {
                let to_us = message.server_identifier() == Some(self.own);
                let gives_back =
                    matches!(message.message_type(), Some(MessageType::Release | MessageType::Decline));
                let identifier = message.client_identifier().map(|value| value.to_vec());
                let bucket = Bucket::of_client(
                    Dialect::Dhcpd,
                    identifier.as_deref(),
                    message.htype(),
                    message.chaddr(),
                );
                extends || to_us || gives_back || self.service.serves(self.role, bucket, message.secs())
            }
            S::CommunicationsInterrupted | S::PartnerDown => true,
            S::ConflictDone => !self.has(Habit::SilentBeside),
            S::RecoverDone => !self.has(Habit::SilentBeside) && extends,
            _ => false,
        }
    }

    /// Whether this address may go to a client that does not have it.
    fn is_available(&self, lease: &Lease) -> bool {
        let own = self.own_status();
        let is_alone = self.state() == S::PartnerDown && self.declared.since + self.mclt <= self.now;
        match lease.status {
            B::Free | B::Backup if lease.status == own => {
                is_alone || self.has(Habit::WaitsLess) || !self.was_without_it()
            }
            B::Free | B::Backup => is_alone,
            _ => false,
        }
    }

    /// It is in PARTNER-DOWN, and its partner was there without it, or in the conflict that came of it: what the partner gave meanwhile, its
    /// own addresses too, it has not heard.
    fn was_without_it(&self) -> bool {
        self.state() == S::PartnerDown && self.partner_was_without_it()
    }

    fn partner_was_without_it(&self) -> bool {
        let partner = self.declared.partner;
        partner == S::PartnerDown || partner.is_conflict()
    }

    fn is_here(&self, message: &Message<'_>, address: Ipv4Addr) -> bool {
        let is_far = !message.giaddr().is_unspecified();
        self.pool_of(address).is_some_and(|pool| pool.is_far == is_far)
    }

    fn chooses(&self, message: &Message<'_>, identity: &ClientIdentity) -> Option<Ipv4Addr> {
        let here = |address: &Ipv4Addr| self.is_here(message, *address);
        let mut own = self.leases.iter().filter(|(address, lease)| here(address) && lease.is_of(identity));
        if let Some((address, _)) =
            own.find(|(_, lease)| lease.status == B::Active || self.is_available(lease))
        {
            return Some(*address);
        }
        let wanted = message.requested_address().filter(&here);
        let wanted = wanted.filter(|at| self.leases.get(at).is_some_and(|lease| self.is_available(lease)));
        let any = || {
            let mut all = self.leases.iter().filter(|(address, _)| here(address));
            all.find(|(_, lease)| self.is_available(lease)).map(|(address, _)| *address)
        };
        wanted.or_else(any)
    }

    /// How long a lease is, and the potential end that is told.
    fn length(&self, address: Ipv4Addr, identity: &ClientIdentity) -> (Seconds, Seconds) {
        let desired = self.pool_of(address).map_or(0, |pool| pool.lease);
        let lease = self.leases.get(&address);
        let same = lease.is_some_and(|lease| lease.is_of(identity) && lease.status == B::Active);
        let outlive = self.has(Habit::TimesOutliveClients);
        let known = lease.filter(|_| same || outlive).map_or(0, |lease| lease.tsfp);
        let now = self.alive();
        let most = (known.max(now) + self.mclt).saturating_sub(self.now);
        let actual = desired.min(most);
        (actual, self.now + desired + actual / 2)
    }

    /// Until when its partner counts on it: with the habit it does not ask.
    fn alive(&self) -> Seconds {
        let has_met = self.process.as_ref().is_some_and(|process| process.has_met);
        if has_met || self.has(Habit::StartsAlone) { self.now } else { self.declared.met }
    }

    fn request(&mut self, message: &Message<'_>, identity: &ClientIdentity) -> bool {
        if message.server_identifier().is_some_and(|server| server != self.own) {
            return false;
        }
        let ciaddr = message.ciaddr();
        let selects = message.server_identifier().is_some();
        let Some(address) = message.requested_address().or((!ciaddr.is_unspecified()).then_some(ciaddr))
        else {
            return false;
        };
        if !self.is_here(message, address) && ciaddr.is_unspecified() {
            self.reply(message, MessageType::Nak, Ipv4Addr::UNSPECIFIED, 0);
            return false;
        }
        let Some(lease) = self.leases.get(&address) else { return false };
        let has = lease.status == B::Active && lease.is_of(identity);
        // What ended and was not told yet may come back.
        let comes_back =
            matches!(lease.status, B::Expired | B::Released) && lease.is_of(identity) && !lease.said;
        let may = has || comes_back || self.is_available(lease);
        if !may {
            if lease.status == B::Active && !lease.is_of(identity) && !selects {
                self.reply(message, MessageType::Nak, Ipv4Addr::UNSPECIFIED, 0);
            }
            return false;
        }
        self.grants(message, identity, address, has)
    }

    fn grants(
        &mut self,
        message: &Message<'_>,
        identity: &ClientIdentity,
        address: Ipv4Addr,
        has: bool,
    ) -> bool {
        let (seconds, potential) = self.length(address, identity);
        if seconds == 0 {
            return false;
        }
        let (now, ends) = (self.now, self.now + seconds);
        self.note_danger(address, has, ends);
        let Some(lease) = self.leases.get_mut(&address) else { return false };
        let was = if has { lease.ends } else { 0 };
        lease.client = Some(Client {
            identity: identity.clone(),
            identifier: message.client_identifier().map(|value| value.to_vec()),
            htype: message.htype(),
            hardware: message.chaddr().to_vec(),
        });
        if !has {
            (lease.starts, lease.tsfp_of_client) = (now, 0);
        }
        (lease.status, lease.cltt, lease.untold, lease.freed_early) = (B::Active, now, true, false);
        // A client that is told less may not hear it.
        lease.ends = ends.max(was);
        lease.tstp = potential;
        self.reply(message, MessageType::Ack, address, seconds);
        true
    }

    /// By which habit another client may have this address too.
    fn note_danger(&mut self, address: Ipv4Addr, has: bool, until: Seconds) {
        let Some(lease) = self.leases.get(&address) else { return };
        let has_met = self.process.as_ref().is_some_and(|process| process.has_met);
        let beyond = until > self.declared.met.max(if has { lease.tsfp } else { 0 }) + self.mclt;
        let own = if has { lease.tsfp_of_client } else { 0 };
        let habit = if let Some(habit) = lease.broken.filter(|_| has) {
            habit
        } else if !has
            && (lease.freed_early || self.was_without_it() && self.now < self.declared.since + self.mclt)
        {
            Habit::WaitsLess
        } else if !has_met && beyond {
            Habit::StartsAlone
        } else if until > self.now.max(own) + self.mclt {
            Habit::TimesOutliveClients
        } else {
            if let Some(lease) = self.leases.get_mut(&address) {
                lease.broken = None;
            }
            return;
        };
        if let Some(lease) = self.leases.get_mut(&address) {
            lease.broken = Some(habit);
        }
        self.acts.push(Act::Broke { address, until, habit });
    }

    fn release(&mut self, address: Ipv4Addr, identity: &ClientIdentity, status: B) -> bool {
        let now = self.now;
        let Some(lease) = self.leases.get_mut(&address) else { return false };
        if lease.status != B::Active || !lease.is_of(identity) {
            return false;
        }
        // Neither is dated; lease-expiration-time of RELEASED is the moment.
        (lease.status, lease.ends, lease.untold, lease.said) = (status, now, true, false);
        if status == B::Abandoned {
            lease.client = None;
        }
        true
    }

    fn reply(&mut self, message: &Message<'_>, kind: MessageType, yiaddr: Ipv4Addr, seconds: Seconds) {
        let header = ReplyHeader { yiaddr, ..ReplyHeader::answering(message) };
        let mut buffer = [0; LIMIT];
        let mut writer = Writer::new(&mut buffer, &header, LIMIT);
        writer.message_type(kind);
        // Two options fit into every message.
        let _ = writer.address(code::SERVER_IDENTIFIER, self.own);
        if kind != MessageType::Nak {
            let _ = writer.u32(code::LEASE_TIME, u32::try_from(seconds).unwrap_or(u32::MAX));
        }
        let length = writer.finish(None);
        let source = self.own;
        let destination = match message.hardware_address().as_ethernet() {
            _ if !message.giaddr().is_unspecified() => {
                Destination::Relay { address: message.giaddr(), source }
            }
            _ if self.pool_of(message.ciaddr()).is_some_and(|pool| pool.is_far) => {
                Destination::Routed { address: message.ciaddr(), source }
            }
            Some(hardware) if kind != MessageType::Nak && !message.is_broadcast() => {
                Destination::Link { interface: INTERFACE, hardware, address: yiaddr, source }
            }
            _ => Destination::Broadcast { interface: INTERFACE, source },
        };
        self.acts.push(Act::Reply { destination, bytes: buffer[..length].to_vec() });
    }
}
