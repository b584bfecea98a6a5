//! `failover peer "campus" { … }` of `dhcpd.conf`.
//!
//! *Lives here:* [`read`]: a partner of a dhcpd, and what dhcpd wants to know of it.
//! *Must not know:* what the partner says of the same.

use super::option::hexadecimal;
use super::scope::{interval, number_of};
use super::statement::Statement;
use crate::pair::place::{Spot, Stated};
use crate::pair::view::{PORT, Relationship, Split, Unread, View};
use failover::state::Role;
use failover::time::Interval;
use std::net::{Ipv4Addr, SocketAddrV4};

/// What the block says, before it is put together.
#[derive(Default)]
struct Said {
    role: Option<Stated<Role>>,
    addresses: [Option<Stated<Ipv4Addr>>; 2],
    /// An address is there, but by a name.
    named: [bool; 2],
    ports: [Option<Stated<u16>>; 2],
    mclt: Option<Stated<Interval>>,
    split: Option<Stated<u16>>,
    buckets: Option<Stated<[u8; 32]>>,
    delay: Option<Stated<u64>>,
    max_unacked: Option<Stated<u64>>,
    receive_timer: Option<Stated<Interval>>,
    safe_period: Option<Stated<Interval>>,
}

/// Reads the block; what is wrong with it is a fault of the view.
pub(super) fn read(statement: &Statement, block: &[Statement], view: &mut View) {
    let Some(name) = statement.behind(2).first().and_then(super::lexer::Token::name) else {
        view.fault(&statement.spot, "a failover peer needs a name: write it in quotes", "here");
        return;
    };
    let mut said = Said::default();
    for inner in block {
        if !said.take(inner, view) {
            let what = format!("{} (in failover peer)", inner.called());
            view.unread.push(Unread { what, spot: inner.spot.clone() });
        }
    }
    let twin = view.relationships.iter().find(|other| other.name == name);
    if twin.is_some() {
        let message =
            format!("there is a failover peer \"{}\" already: dhcpd does not start", name.escape_debug());
        return view.fault(&statement.spot, message, "here");
    }
    said.judge(&statement.spot, view);
    view.relationships.push(said.relationship(name, statement.spot.clone()));
}

impl Said {
    fn take(&mut self, statement: &Statement, view: &mut View) -> bool {
        let spot = || statement.spot.clone();
        let whole = statement.words.len();
        if statement.is(&["primary"]) && whole == 1 {
            self.role = Some(Stated::at(Role::Primary, spot()));
        } else if statement.is(&["secondary"]) && whole == 1 {
            self.role = Some(Stated::at(Role::Secondary, spot()));
        } else if statement.is(&["address"]) {
            self.address(0, statement, 1, view);
        } else if statement.is(&["peer", "address"]) {
            self.address(1, statement, 2, view);
        } else if statement.is(&["port"]) {
            self.ports[0] = port(statement, 1, view);
        } else if statement.is(&["peer", "port"]) {
            self.ports[1] = port(statement, 2, view);
        } else if statement.is(&["split"]) {
            self.split = split(statement, view);
        } else if statement.is(&["hba"]) {
            self.buckets = buckets(statement, view);
        } else {
            return self.take_number(statement, view);
        }
        true
    }

    fn take_number(&mut self, statement: &Statement, view: &mut View) -> bool {
        let number = |words, view: &mut View| number_of(statement, words, "a number", view);
        let time = |words, view: &mut View| {
            number(words, view).map(|Stated { value, spot }| Stated { value: interval(value), spot })
        };
        if statement.is(&["mclt"]) {
            self.mclt = time(1, view);
        } else if statement.is(&["load", "balance", "max", "seconds"]) {
            self.delay = number(4, view);
        } else if statement.is(&["max-unacked-updates"]) {
            self.max_unacked = number(1, view);
        } else if statement.is(&["max-response-delay"]) {
            self.receive_timer = time(1, view);
        } else if statement.is(&["auto-partner-down"]) {
            self.safe_period = time(1, view).filter(|period| period.value > Interval::ZERO);
        } else {
            return false;
        }
        true
    }

    fn address(&mut self, whose: usize, statement: &Statement, words: usize, view: &mut View) {
        let spot = statement.value_spot(words);
        let [value] = statement.behind(words) else {
            return view.fault(&spot, "this wants one address", "here");
        };
        match value.word().map(str::parse) {
            Some(Ok(address)) => self.addresses[whose] = Some(Stated::at(address, spot)),
            // dhcpd looks the name up when it starts.
            Some(Err(_)) => {
                self.named[whose] = true;
                view.unread.push(Unread { what: statement.called() + " (a name)", spot });
            }
            None => view.fault(&spot, "this is not an address", "here"),
        }
    }

    /// What keeps dhcpd from starting.
    fn judge(&self, spot: &Spot, view: &mut View) {
        if self.addresses[1].is_none() && !self.named[1] {
            view.fault(spot, "there is no `peer address`: dhcpd does not start without", "add it here");
        }
        let balanced =
            [self.split.as_ref().map(|split| &split.spot), self.buckets.as_ref().map(|all| &all.spot)];
        let balanced: Vec<&Spot> = balanced.into_iter().flatten().flatten().collect();
        match self.role.as_ref().map_or(Role::Primary, |role| role.value) {
            Role::Primary => {
                if self.mclt.is_none() {
                    view.fault(spot, "a primary needs `mclt`: dhcpd does not start without", "add it here");
                }
                match balanced[..] {
                    [] => {
                        view.fault(
                            spot,
                            "a primary needs `split`: dhcpd does not start without",
                            "add `split 128;` here",
                        );
                    }
                    [_, second] => view.fault(second, "`split` and `hba` are both there: remove one", "here"),
                    _ => {}
                }
            }
            Role::Secondary => {
                for spot in balanced {
                    let message = "a secondary may have neither `split` nor `hba`, the primary's counts: dhcpd does not start";
                    view.fault(spot, message, "remove it");
                }
            }
        }
    }

    fn relationship(self, name: String, spot: Spot) -> Relationship {
        let [own_port, peer_port] = self.ports;
        let [own, peer] = self.addresses;
        let socket = |address: Option<Stated<Ipv4Addr>>, port: Option<Stated<u16>>| {
            let address = address?;
            let number = port.as_ref().map_or(PORT, |port| port.value);
            Some(Stated { value: SocketAddrV4::new(address.value, number), spot: address.spot })
        };
        let split = self.split.map(|split| Stated { value: Split::First(split.value), spot: split.spot });
        let buckets = self.buckets.map(|all| Stated { value: Split::Buckets(all.value), spot: all.spot });
        Relationship {
            spot,
            name,
            role: self.role.unwrap_or(Stated::by_default(Role::Primary)),
            own: socket(own, own_port),
            peer: socket(peer, peer_port),
            mclt: self.mclt,
            split: split.or(buckets),
            // 0 is what holds without it: no load balancing.
            delay: Some(self.delay.unwrap_or(Stated::by_default(0))),
            max_unacked: self.max_unacked,
            receive_timer: self.receive_timer,
            safe_period: self.safe_period,
            partner_kind: None,
            secret: None,
            tls: None,
        }
    }
}

fn port(statement: &Statement, words: usize, view: &mut View) -> Option<Stated<u16>> {
    let stated = number_of(statement, words, "the number of a port", view)?;
    let port = u16::try_from(stated.value).ok().filter(|port| *port > 0);
    if port.is_none() {
        view.fault(&statement.value_spot(words), "this is no port: write a number from 1 to 65535", "here");
    }
    port.map(|value| Stated { value, spot: stated.spot })
}

fn split(statement: &Statement, view: &mut View) -> Option<Stated<u16>> {
    let stated = number_of(statement, 1, "a number from 0 to 256", view)?;
    let split = u16::try_from(stated.value).ok().filter(|split| *split <= 256);
    if split.is_none() {
        view.fault(&statement.value_spot(1), "split is from 0 to 256: dhcpd does not start", "here");
    }
    split.map(|value| Stated { value, spot: stated.spot })
}

fn buckets(statement: &Statement, view: &mut View) -> Option<Stated<[u8; 32]>> {
    let digits: String = statement.behind(1).iter().filter_map(super::lexer::Token::word).collect();
    let bytes = hexadecimal(&digits).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let spot = statement.value_spot(1);
    if bytes.is_none() {
        view.fault(&spot, "hba is 32 bytes in hexadecimal with colons between: dhcpd does not start", "here");
    }
    bytes.map(|bytes| Stated::at(bytes, spot))
}
