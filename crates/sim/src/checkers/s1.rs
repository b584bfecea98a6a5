//! S1: at no instant do two clients hold unexpired leases on one address, by the clients' own view.
//!
//! *Lives here:* [`S1`].
//! *Must not know:* what servers think.

use super::Handled;
use crate::clock::Moment;
use dhcp::ClientIdentity;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

#[derive(Debug)]
struct Hold {
    client: u8,
    identity: ClientIdentity,
    until: Moment,
}

#[derive(Debug, Default)]
pub(crate) struct S1 {
    holds: BTreeMap<Ipv4Addr, Vec<Hold>>,
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
        holds.push(Hold { client, identity: identity.clone(), until });
        Ok(())
    }

    /// Returns whether it held the address until now.
    pub(super) fn lets_go(&mut self, now: Moment, client: u8, address: Ipv4Addr) -> bool {
        let holds = self.holds.entry(address).or_default();
        let held = holds.iter().any(|hold| hold.client == client && hold.until > now);
        holds.retain(|hold| hold.client != client);
        held
    }

    /// A RELEASE or DECLINE that is received ends the hold, forged or late as it may be.
    pub(super) fn handled(&mut self, handled: &Handled<'_>) {
        if let (true, Some(address)) = (handled.gives_back(), handled.address())
            && let Some(holds) = self.holds.get_mut(&address)
        {
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
