//! A server that is a dhcpd: its machine, its sockets and its life are those of every server of this world.
//!
//! *Lives here:* what carries datagrams and connections to a [`Dhcpd`] and from it.
//! *Must not know:* what a dhcpd does with them.

use super::dhcpd::{Act, Dhcpd, Seconds};
use super::partner::Doing;
use super::{At, Server, client_of};
use crate::clock::{BEGINNING, Moment};
use crate::count::Count;
use crate::history::{Party, What};
use crate::line::Arrival;
use crate::outside::{Event, Outside, Sent};
use crate::words::{brief, contents};
use dhcp::{Message, MessageType};
use failover::dialect::Dialect;
use failover::message::{Codec, Envelope, Message as PartnerMessage};
use failover::state::FailoverState;
use failover::time::Time;
use std::net::Ipv4Addr;

impl Server {
    /// From its beginning it is this.
    pub(crate) fn become_dhcpd(&mut self, dhcpd: Dhcpd) {
        self.dhcpd = Some(dhcpd);
    }

    /// The state that it is in, or declared last, if it is a dhcpd.
    pub(crate) fn dhcpd_state(&self) -> Option<FailoverState> {
        self.dhcpd.as_ref().map(Dhcpd::state)
    }

    /// What it thinks of each address, if it is a dhcpd.
    pub(crate) fn dhcpd(&self) -> Option<&Dhcpd> {
        self.dhcpd.as_ref()
    }

    fn wall(&self, now: Moment) -> i128 {
        i128::from(BEGINNING) * 1000 + i128::from(now) + i128::from(self.machine.skew)
    }

    /// Its clock: NTP keeps it, whatever befalls the machine.
    pub(super) fn dhcpd_at(&self, now: Moment) -> At {
        let millis = u64::try_from(self.wall(now)).unwrap_or(0);
        At { now, server: self.number, engine: Time::from_millis(millis) }
    }

    fn moment_of(&self, seconds: Seconds) -> Moment {
        let ahead = i128::from(seconds) * 1000 - self.wall(0);
        Moment::try_from(ahead.max(0)).unwrap_or(Moment::MAX)
    }

    pub(super) fn start_dhcpd(&mut self, outside: &mut Outside) {
        let at = self.dhcpd_at(outside.now);
        let Some(dhcpd) = self.dhcpd.as_mut().filter(|dhcpd| !dhcpd.runs()) else { return };
        dhcpd.at(at.engine.as_seconds());
        dhcpd.start();
        outside.record(|| What::Serves { server: at.server, text: "a dhcpd".to_owned() });
        self.carry(outside, at);
        self.turn_at(outside, outside.now + 1);
    }

    /// Something waits for it.
    pub(super) fn turn_at(&mut self, outside: &mut Outside, at: Moment) {
        let (server, incarnation) = (self.number, self.incarnation);
        outside.schedule(at, Event::Owner { server, incarnation });
    }

    /// What is due, what came from the partner, what came from clients.
    pub(super) fn dhcpd_turn(&mut self, outside: &mut Outside) {
        let at = self.dhcpd_at(outside.now);
        let Some(dhcpd) = self.dhcpd.as_mut().filter(|dhcpd| dhcpd.runs()) else { return };
        dhcpd.at(at.engine.as_seconds());
        outside.checkers.clock_of(at);
        dhcpd.wake();
        while let Some((link, arrival)) = self.inbox.pop_front() {
            if let Arrival::Bytes { bytes, message } = &arrival {
                outside.stir(bytes);
                if let Some(message) = *message {
                    outside.record(|| What::Heard { message, by: Party::Server(at.server), text: None });
                }
            }
            dhcpd.hears(link, &arrival);
        }
        while let Some(arrived) = self.socket.pop_front() {
            let datagram = arrived.datagram;
            let recorded = dhcpd.packet(&datagram.bytes);
            outside.counts.add(Count::DhcpdRecords, u64::from(recorded));
            super::note_handled(outside, at, &datagram.bytes, datagram.message, recorded);
        }
        dhcpd.wake();
        // Its timers are whole seconds, and there is always one.
        if self.turns_at <= outside.now {
            self.turns_at = outside.now + 1000;
            self.turn_at(outside, self.turns_at);
        }
        self.carry(outside, at);
    }

    /// What it did.
    pub(super) fn carry(&mut self, outside: &mut Outside, at: At) {
        let acts = self.dhcpd.as_mut().map(Dhcpd::take_acts).unwrap_or_default();
        for act in acts {
            match act {
                Act::Reply { destination, bytes } => {
                    let number = outside.next_message();
                    if let Ok(message) = Message::parse(&bytes) {
                        let acked = message.message_type() == Some(MessageType::Ack);
                        outside.counts.add(Count::DhcpdLeases, u64::from(acked));
                        outside.record(|| What::Sends {
                            message: number,
                            from: Party::Server(at.server),
                            to: client_of(&message).map(Party::Client).into_iter().collect(),
                            name: crate::report::name_of(&message),
                            brief: crate::report::brief(&message),
                            text: crate::report::contents(&message),
                        });
                    }
                    outside.stir(&bytes);
                    outside.sent.push(Sent { server: at.server, destination, bytes, message: number });
                }
                Act::Connect => outside.doings.push((at.server, Doing::Connect)),
                Act::Close { link } => outside.doings.push((at.server, Doing::Close { link })),
                Act::Say { link, envelope } => say(outside, at, link, &envelope),
                Act::Broke { address, until, habit } => {
                    let until = self.moment_of(until);
                    outside.note(|| format!("server {}: {} at {address}", at.server, habit.name()));
                    outside.checkers.broke(address, until, habit);
                }
                Act::Wronged(why) => outside.checkers.judge("D1", Err(why)),
                Act::Entered(state) => outside.record(|| What::State { server: at.server, state }),
            }
        }
    }
}

fn say(outside: &mut Outside, at: At, link: engine::LinkId, envelope: &Envelope) {
    let mut bytes = Vec::new();
    if let Err(error) = Codec::new(Dialect::Dhcpd, Ipv4Addr::UNSPECIFIED).encode(envelope, &mut bytes) {
        return outside.checkers.judge("D1", Err(format!("a dhcpd cannot say something: {error}")));
    }
    let said = &envelope.message;
    let window = match said {
        PartnerMessage::Connect(connect) => Some(connect.max_unacked_bndupd),
        PartnerMessage::ConnectAck(ack) => ack.answer.as_ref().ok().map(|ack| ack.max_unacked_bndupd),
        _ => None,
    };
    if let Some(window) = window {
        outside.checkers.window_of(link, at.server, window);
    }
    let message = outside.next_message();
    outside.record(|| What::Sends {
        message,
        from: Party::Server(at.server),
        to: vec![Party::Server(1 - at.server)],
        name: said.message_type().name(),
        brief: brief(said),
        text: contents(link, said),
    });
    outside.doings.push((at.server, Doing::Send { link, bytes, message }));
}
