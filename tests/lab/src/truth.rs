//! Who holds which address, by what was on the wire.
//!
//! *Lives here:* [`shared`], which finds an address that two clients hold at one time; [`lasting`], who holds what when.
//! *May know:* how clients count their lease (RFC 2131 4.4.1).
//! *Must not know:* what any server believes.

use crate::capture::Seen;
use crate::client::hardware_text;
use dhcp::MessageType::{Ack, Decline, Release, Request};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// From when to when a client holds an address, in nanoseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The client's hardware address.
    pub client: Vec<u8>,
    /// When it was first promised the address.
    pub from: u64,
    /// The end of the last promise, or when it gave the address back.
    pub until: u64,
}

/// Who held which address, in order: a client holds it from the DHCPACK on, for the promised time since it asked.
pub fn lasting(seen: &[Seen]) -> BTreeMap<Ipv4Addr, Vec<Hold>> {
    let mut asked = BTreeMap::new();
    let mut holds: BTreeMap<Ipv4Addr, Vec<Hold>> = BTreeMap::new();
    for seen in seen {
        let Some(kind) = seen.kind() else { continue };
        let (message, client) = (seen.message(), seen.chaddr());
        if kind == Request {
            // A client that asks again counts from the first of its requests that were not answered.
            asked.entry((message.xid(), client)).or_insert(seen.at);
        } else if kind == Ack
            && let Some(lease) = message.lease_time()
        {
            let from = *asked.get(&(message.xid(), client.clone())).unwrap_or(&seen.at);
            let until = from + u64::from(lease) * 1_000_000_000;
            let of_address = holds.entry(message.yiaddr()).or_default();
            let own = of_address.iter_mut().find(|hold| hold.client == client && hold.until > seen.at);
            match own {
                // A shorter promise does not take back a longer one: the client may not have heard it (trap T19).
                Some(hold) => hold.until = hold.until.max(until),
                None => of_address.push(Hold { client, from: seen.at, until }),
            }
        } else if [Release, Decline].contains(&kind) {
            let address = message.requested_address().unwrap_or(message.ciaddr());
            for hold in holds.get_mut(&address).into_iter().flatten() {
                if hold.client == client && hold.until > seen.at {
                    hold.until = seen.at;
                }
            }
        }
    }
    holds
}

/// Each case of an address that two clients held at one time.
pub fn shared(seen: &[Seen]) -> Vec<String> {
    let mut found = Vec::new();
    for (address, holds) in lasting(seen) {
        for (n, hold) in holds.iter().enumerate() {
            for other in &holds[..n] {
                if other.client != hold.client && hold.from < other.until && other.from < hold.until {
                    found.push(format!(
                        "{address}: {} got it at {} s while {} held it for another {} s",
                        hardware_text(&hold.client),
                        hold.from / 1_000_000_000,
                        hardware_text(&other.client),
                        (other.until - hold.from) / 1_000_000_000
                    ));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw;

    fn seen(at: u64, kind: u8, client: u8, xid: u32, lease: u32) -> Seen {
        let mac = [2, 0, 0, 0, 0, client];
        let mut payload = raw::message(kind, mac, xid, &[(51, &lease.to_be_bytes()), (50, &[10, 1, 0, 9])]);
        if kind != 3 {
            payload[16..20].copy_from_slice(&[10, 1, 0, 9]);
        }
        let nowhere = Ipv4Addr::UNSPECIFIED;
        Seen {
            at: at * 1_000_000_000,
            to: mac,
            from: mac,
            source: nowhere,
            destination: nowhere,
            port: 67,
            checksum: None,
            payload,
        }
    }

    #[test]
    fn two_clients_with_one_address_are_found() {
        let first = [seen(10, 3, 1, 1, 60), seen(11, 5, 1, 1, 60)];
        let then = |at| [seen(at, 3, 2, 2, 60), seen(at, 5, 2, 2, 60)];
        assert_eq!(shared(&[&first[..], &then(69)].concat()).len(), 1);
        assert_eq!(shared(&[&first[..], &then(70)].concat()), Vec::<String>::new());
        let renewed = [seen(40, 3, 1, 3, 30), seen(41, 5, 1, 3, 30)];
        assert_eq!(
            shared(&[&first[..], &renewed, &then(69)].concat()).len(),
            1,
            "a shorter promise takes nothing back"
        );
        let released = seen(50, 7, 1, 4, 0);
        assert_eq!(shared(&[&first[..], &[released], &then(51)].concat()), Vec::<String>::new());
        let later = [seen(60, 3, 1, 5, 60), seen(60, 5, 1, 5, 60)];
        assert_eq!(shared(&[&first[..], &later, &then(110)].concat()).len(), 1);
    }
}
