//! S1: at no instant do two clients hold unexpired leases on one address, by the clients' own view.
//!
//! *Lives here:* [`S1`].
//! *Must not know:* what servers think.

use super::Handled;
use crate::client::NEVER;
use crate::clock::Moment;
use dhcp::ClientIdentity;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

#[derive(Debug, Clone)]
struct Hold {
    client: u8,
    identity: ClientIdentity,
    until: Moment,
    /// It gave the address back so shortly before that two servers cannot tell which was first.
    in_doubt: bool,
}

/// Clocks of two servers may be wrong by so much about which of two messages of a client was first.
const DOUBT: Moment = 15_000;

#[derive(Debug, Clone, Default)]
pub(crate) struct S1 {
    holds: BTreeMap<Ipv4Addr, Vec<Hold>>,
    given_back: BTreeMap<Ipv4Addr, (ClientIdentity, Moment)>,
}

impl S1 {
    /// `void`: the server has heard, after it granted this, that the client gives it back.
    pub(super) fn holds(
        &mut self,
        now: Moment,
        client: u8,
        identity: &ClientIdentity,
        address: Ipv4Addr,
        until: Moment,
        void: bool,
    ) -> Result<(), String> {
        let holds = self.holds.entry(address).or_default();
        holds.retain(|hold| hold.until > now && hold.client != client);
        if void {
            return Ok(());
        }
        let other = holds.iter().find(|hold| hold.identity != *identity);
        if let Some(other) = other {
            return Err(format!(
                "client {client} ({identity}) and client {} ({}) both hold {address}, the latter for {} s more",
                other.client,
                other.identity,
                (other.until - now) / 1000
            ));
        }
        let in_doubt =
            self.given_back.get(&address).is_some_and(|(client, at)| client == identity && now < at + DOUBT);
        holds.push(Hold { client, identity: identity.clone(), until, in_doubt });
        Ok(())
    }

    /// Until when it held the address, unless that was given back in its name, or may have been.
    pub(super) fn lets_go(&mut self, client: u8, address: Ipv4Addr) -> Option<Moment> {
        let holds = self.holds.entry(address).or_default();
        let held = holds.iter().find(|hold| hold.client == client && !hold.in_doubt).map(|hold| hold.until);
        holds.retain(|hold| hold.client != client);
        held
    }

    /// When the last of those who hold this address has it no more.
    pub(super) fn held_until(&self, address: Ipv4Addr) -> Option<Moment> {
        self.holds.get(&address)?.iter().map(|hold| hold.until).max()
    }

    /// The only server that knew of a lease for ever has lost its store. The client goes on using the address, and nobody can know.
    pub(super) fn forgotten(&mut self, address: Ipv4Addr, identity: &ClientIdentity) {
        if let Some(holds) = self.holds.get_mut(&address) {
            holds.retain(|hold| hold.until < NEVER || hold.identity != *identity);
        }
    }

    /// A RELEASE or DECLINE that is received ends the hold, forged or late as it may be.
    pub(super) fn handled(&mut self, now: Moment, handled: &Handled<'_>) {
        let Some(address) = handled.address().filter(|_| handled.gives_back()) else { return };
        self.given_back.insert(address, (handled.identity.clone(), now));
        if let Some(holds) = self.holds.get_mut(&address) {
            holds.retain(|hold| hold.identity != handled.identity);
        }
    }

    /// Who else holds this address.
    pub(super) fn other(
        &self,
        now: Moment,
        address: Ipv4Addr,
        identity: &ClientIdentity,
    ) -> Option<&ClientIdentity> {
        let holds = self.holds.get(&address)?;
        holds.iter().find(|hold| hold.until > now && hold.identity != *identity).map(|hold| &hold.identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_unexpired_holds_of_one_address_are_a_violation_and_nothing_less() {
        let client = |n: u8| ClientIdentity::from_client_identifier(&[n]).unwrap();
        let (address, other) = (Ipv4Addr::new(10, 0, 0, 9), Ipv4Addr::new(10, 0, 0, 8));
        let mut s1 = S1::default();
        s1.holds(0, 1, &client(1), address, 1000, false).unwrap();
        s1.holds(500, 1, &client(1), address, 2000, false).unwrap();
        s1.holds(500, 2, &client(2), other, 9000, false).unwrap();
        s1.holds(600, 2, &client(2), address, 3000, true).unwrap();
        assert_eq!(s1.other(700, address, &client(2)), Some(&client(1)));
        assert!(s1.holds(1999, 2, &client(2), address, 3000, false).is_err());
        assert!(s1.holds(2000, 2, &client(2), address, 3000, false).is_ok());
        assert_eq!(s1.lets_go(2, address), Some(3000));
        assert!(s1.holds(2600, 3, &client(3), address, 5000, false).is_ok());
    }
}
