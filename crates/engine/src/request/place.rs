//! Where a client is, and who we are to it.
//!
//! *Lives here:* [`Place`]: the subnet of a request (RFC 2131 4.3.1, RFC 3011, RFC 3527) and the server-identifier
//! that it sees (RFC 5107).
//! *Must not know:* bindings.

use crate::config::{NetworkId, SubnetId};
use crate::counter::Counter;
use crate::engine::Engine;
use crate::input::Packet;
use crate::interfaces::Own;
use dhcp::Message;
use std::net::Ipv4Addr;

/// Where a request comes from (F07-4.1-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The subnet that the relay, or the interface, says.
    pub(crate) subnet: SubnetId,
    /// The shared network that this subnet is part of: any address of it will do.
    pub(crate) network: NetworkId,
    /// What goes into server-identifier.
    pub(crate) server_identifier: Ipv4Addr,
    /// Our address towards client or relay.
    pub(crate) source: Ipv4Addr,
    /// The shared network on the interface itself, if one is configured: clients with its addresses are on the link.
    pub(crate) link: Option<NetworkId>,
}

impl Place {
    /// Finds out; an error is why there is no answer.
    pub(crate) fn of(engine: &Engine, message: &Message<'_>, packet: &Packet<'_>) -> Result<Place, Counter> {
        let own = engine.interfaces.get(packet.interface).ok_or(Counter::DroppedNoInterface)?;
        let Own { local, link } = *own;
        let addressed = engine.interfaces.has(packet.destination).then_some(packet.destination);
        let source = addressed.unwrap_or(local);
        let relay = message.relay_agent_information();
        let overriding = relay.as_ref().and_then(dhcp::RelayAgentInformation::server_identifier_override);
        let selected = relay.and_then(|relay| relay.link_selection()).or_else(|| message.subnet_selection());
        let from = if let Some(selected) = selected {
            selected
        } else if !message.giaddr().is_unspecified() {
            message.giaddr()
        } else if addressed.is_some() && !message.ciaddr().is_unspecified() {
            message.ciaddr()
        } else {
            local
        };
        let subnet = engine.config.subnet_of(from).ok_or(Counter::DroppedNoSubnet)?;
        Ok(Place {
            subnet,
            network: engine.config.subnet(subnet).network,
            server_identifier: overriding.unwrap_or(source),
            source,
            link,
        })
    }

    /// Whether a server-identifier that a client sent means this server.
    pub(crate) fn is_us(&self, engine: &Engine, server_identifier: Ipv4Addr) -> bool {
        server_identifier == self.server_identifier || engine.interfaces.has(server_identifier)
    }
}
