//! A server and its partner: what comes on connections goes into the engine, and what became stable leaves.
//!
//! *Lives here:* the part of the shell that carries messages to and from a partner; an operator's commands.
//! *May know:* what the shell of `server` does with a link.
//! *Must not know:* what partners say to each other.

use super::{Ending, Server};
use crate::checkers::At;
use crate::count::Count;
use crate::disk::VirtualDisk;
use crate::history::{Party, What};
use crate::line::Arrival;
use crate::outside::Outside;
use crate::words::{brief, contents};
use engine::config::RelationshipId;
use engine::counter::Counter;
use engine::{Batch, Commanded, EndpointView, Engine, Input, Link, LinkId, Position, ToPartner};
use failover::endpoint::Command;
use failover::message::MessageType;
use failover::state::FailoverState;
use failover::time::ClockDelta;

/// The one relationship of a pair.
pub(crate) const PAIR: RelationshipId = RelationshipId(0);

/// What a server does on its connections.
#[derive(Debug)]
pub(crate) enum Doing {
    Connect,
    /// `message`: see [`What::Sends`].
    Send {
        link: LinkId,
        bytes: Vec<u8>,
        message: u64,
    },
    Close {
        link: LinkId,
    },
}

impl Server {
    /// Something arrives on a connection; the owner sees it at its next turn.
    pub(crate) fn hears(&mut self, outside: &mut Outside, link: LinkId, arrival: Arrival) {
        if self.is_down() {
            return;
        }
        self.inbox.push_back((link, arrival));
        let at = outside.now + self.random.below(3);
        if self.dhcpd.is_some() {
            return self.turn_at(outside, at);
        }
        self.call_owner(outside, at);
    }

    /// It takes connections: its process runs, and engine time is known.
    pub(crate) fn listens(&self) -> bool {
        if let Some(dhcpd) = &self.dhcpd {
            return dhcpd.runs();
        }
        self.process.as_ref().is_some_and(|process| process.clock.is_some())
    }

    pub(crate) fn is_down(&self) -> bool {
        self.process.is_none() && !self.dhcpd.as_ref().is_some_and(super::dhcpd::Dhcpd::runs)
    }

    /// The endpoint at a glance.
    pub(crate) fn endpoint(&self, outside: &Outside) -> Option<EndpointView> {
        let at = self.at(outside.now);
        let process = self.process.as_ref().filter(|process| process.clock.is_some())?;
        process.engine.endpoints(at.engine).pop()
    }

    pub(crate) fn state(&self, outside: &Outside) -> Option<FailoverState> {
        self.dhcpd_state().or_else(|| self.endpoint(outside).map(|view| view.state))
    }

    /// What came on connections, in order, as much as fits into a turn.
    pub(super) fn hear_partner(&mut self, outside: &mut Outside, at: At) {
        let Some(process) = &mut self.process else { return };
        let count = self.inbox.len().min(self.takes_at_once);
        for (link, arrival) in self.inbox.drain(..count) {
            let input = match &arrival {
                Arrival::Connected => Link::Connected { link, relationship: PAIR },
                Arrival::Accepted => Link::Accepted { link, relationship: PAIR },
                Arrival::Failed => Link::Failed { relationship: PAIR },
                Arrival::Bytes { bytes, message } => {
                    if let Some(message) = *message {
                        outside.record(|| What::Heard { message, by: Party::Server(at.server), text: None });
                    }
                    outside.stir(bytes);
                    // What is due comes first, and may be the end of this connection: then nobody hears what waited on it.
                    if process.engine.next_deadline().is_some_and(|due| due <= at.engine) {
                        process.engine.handle(at.engine, Input::Wake, &mut process.outbox);
                    }
                    if process.engine.takes_from(link) {
                        outside.checkers.heard_partner(at, link, bytes, &mut outside.counts);
                    }
                    Link::Received { link, at: at.engine, bytes }
                }
                Arrival::End => Link::Closed { link },
            };
            process.engine.handle(at.engine, Input::Link(input), &mut process.outbox);
        }
    }

    /// Carries out an operator's command; whether it was obeyed.
    pub(crate) fn command(&mut self, outside: &mut Outside, command: Command) -> bool {
        let at = self.at(outside.now);
        if let Some(dhcpd) = &mut self.dhcpd {
            let obeyed = dhcpd.command(command);
            self.carry(outside, at);
            return obeyed;
        }
        let Some(process) = self.process.as_mut().filter(|process| process.clock.is_some()) else {
            return false;
        };
        let done = process.engine.command_partner(at.engine, PAIR, command, &mut process.outbox);
        let obeyed = matches!(done, Commanded::Done(_));
        outside.note(|| format!("server {}: is told {command:?}: {done:?}", at.server));
        if obeyed {
            outside.checkers.commanded(at, command);
        }
        self.call_owner(outside, outside.now);
        obeyed
    }

    /// It was told PAUSED or SHUTDOWN: whether it has said so, and may end.
    pub(crate) fn has_stopped(&self) -> bool {
        if self.dhcpd.is_some() {
            return true;
        }
        self.process.as_ref().is_some_and(|process| {
            process.engine.partners_have_stopped() && process.jobs.is_empty() && process.in_flight.is_empty()
        })
    }

    /// Counts what the engine of this process has counted, as far as it concerns a pair.
    pub(crate) fn tally_engine(&self, outside: &mut Outside) {
        let Some(process) = self.process.as_ref().filter(|_| !self.config.relationships().is_empty()) else {
            return;
        };
        let counters = process.engine.counters();
        for (counter, count) in [
            (Counter::TakeOver, Count::TakeOvers),
            (Counter::GivenToSecondary, Count::GivenToSecondary),
            (Counter::Recalled, Count::Recalls),
            (Counter::Freed, Count::FreedTogether),
            (Counter::FreedAlone, Count::FreedAlone),
            (Counter::BndupdRejected, Count::UpdatesRejected),
            (Counter::DroppedLeadTimeOver, Count::LeadTimeOver),
            (Counter::DroppedBalanced, Count::LeftToPartner),
        ] {
            outside.counts.add(count, counters.get(counter));
        }
        for message in MessageType::ALL {
            outside.counts.message(message, counters.messages_sent(message));
        }
        for from in FailoverState::ALL {
            for to in FailoverState::ALL {
                outside.counts.edge(from, to, counters.edges(from, to));
            }
        }
    }

    /// The disk is replaced by an empty one.
    pub(crate) fn lose_disk(&mut self, outside: &mut Outside) {
        self.end(outside, Ending::PowerCut);
        self.disk = VirtualDisk::new(self.random.split());
        self.tally = self.disk.tally();
        if let Some(dhcpd) = &mut self.dhcpd {
            dhcpd.lose_leases();
            let at = self.at(outside.now);
            return self.carry(outside, at);
        }
        outside.checkers.lost_store(self.number);
        self.store_identity = self.store_identity.wrapping_add(16);
    }

    /// The folder of the store is replaced by an older copy.
    pub(crate) fn restore(&mut self, outside: &mut Outside, copy: VirtualDisk) {
        self.end(outside, Ending::Killed);
        self.disk = copy;
        self.tally = self.disk.tally();
        outside.checkers.lost_store(self.number);
    }
}

/// Lets go, in order, what is for the partner and rests on what is stable.
pub(super) fn release_to_partner(
    engine: &mut Engine,
    outside: &mut Outside,
    at: At,
    batch: &mut Batch,
    stable: Position,
) {
    batch.release_partners(stable, |to| send(engine, outside, at, to));
}

/// Lets go the CONTACTs alone.
pub(super) fn release_contacts(engine: &mut Engine, outside: &mut Outside, at: At, batch: &mut Batch) {
    batch.release_contacts(|to| send(engine, outside, at, to));
}

/// By how much the times in what is sent differ from those of who sends it: where the partner corrects none, it is told times by its
/// own clock.
fn clock_of_partner(engine: &Engine, link: LinkId) -> ClockDelta {
    let corrects = engine.config().relationships().iter().all(|partner| partner.dialect.corrects_times());
    if corrects { ClockDelta::default() } else { engine.clock_difference(link) }
}

fn send(engine: &mut Engine, outside: &mut Outside, at: At, to: ToPartner) {
    let doing = match to {
        ToPartner::Connect { .. } => Doing::Connect,
        // No server of this world is configured for TLS.
        ToPartner::StartTls { .. } => return,
        ToPartner::Close { link } => Doing::Close { link },
        ToPartner::Send { link, outgoing } => {
            let mut bytes = Vec::new();
            if let Err(error) = engine.encode(at.engine, link, outgoing, &mut bytes) {
                outside.checkers.judge("S14", Err(format!("a message cannot be said: {error}")));
            }
            if bytes.is_empty() {
                return;
            }
            outside.counts.one(Count::PartnerMessages);
            let message = outside.next_message();
            let clock = clock_of_partner(engine, link);
            if let Some(said) = outside.checkers.said_to_partner(at, link, &bytes, clock) {
                outside.record(|| What::Sends {
                    message,
                    from: Party::Server(at.server),
                    to: vec![Party::Server(1 - at.server)],
                    name: said.message_type().name(),
                    brief: brief(&said),
                    text: contents(link, &said),
                });
            }
            Doing::Send { link, bytes, message }
        }
    };
    outside.doings.push((at.server, doing));
}
