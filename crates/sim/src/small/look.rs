//! What scripts ask of a small world.
//!
//! *Lives here:* questions about it; they change nothing.
//! *Must not know:* the engine's insides.

use super::moves::{Client, Server};
use super::server::{all_views, engine_time};
use super::world::World;
use crate::checkers::l2;
use engine::{EndpointView, LeaseView};
use failover::binding::BindingStatus;
use failover::state::FailoverState;
use std::net::Ipv4Addr;

impl World {
    /// Seconds since the world began.
    pub fn seconds(&self) -> u64 {
        self.now / 1000
    }

    /// The state of a server; `None` while it is down.
    pub fn state(&self, server: Server) -> Option<FailoverState> {
        self.endpoint(server).map(|view| view.state)
    }

    /// The endpoint of a server at a glance.
    pub fn endpoint(&self, server: Server) -> Option<EndpointView> {
        let engine = self.servers[server.number()].engine.as_ref()?;
        engine.endpoints(engine_time(self.now)).pop()
    }

    /// What a server shows of an address of the pool.
    pub fn view(&self, server: Server, number: u8) -> Option<LeaseView> {
        let address = self.setup.address(number);
        self.views(server).into_iter().find(|view| view.address == address)
    }

    /// The status of an address of the pool at a server.
    pub fn status(&self, server: Server, number: u8) -> Option<BindingStatus> {
        self.view(server, number).map(|view| view.status)
    }

    /// For how many seconds more a client holds its address.
    pub fn left(&self, client: Client) -> u64 {
        let lease = self.clients.get(client.number()).and_then(|person| person.lease);
        lease.map_or(0, |(_, until, _)| until.saturating_sub(self.now) / 1000)
    }

    /// Who holds an address, by the clients' own view.
    pub fn holders(&self, address: Ipv4Addr) -> Vec<Client> {
        Client::ALL.into_iter().filter(|client| self.held_by(*client) == Some(address)).collect()
    }

    /// How many things are on their way to a server.
    pub fn coming(&self, server: Server) -> usize {
        self.line.parts().map(|(_, _, coming)| coming[server.number()].len()).sum()
    }

    /// Both are in NORMAL, know the same of every address, and have nothing left to tell.
    ///
    /// # Errors
    /// What is not so.
    pub fn are_one(&self) -> Result<(), String> {
        for server in Server::ALL {
            if self.state(server) != Some(FailoverState::Normal) {
                return Err(format!("{server:?} is in {:?}", self.state(server)));
            }
        }
        let views = Server::ALL.map(|server| self.views(server));
        let endpoints: Vec<EndpointView> = Server::ALL.iter().filter_map(|one| self.endpoint(*one)).collect();
        l2::know_the_same(&views, &endpoints, |_| true, 0, 0)
    }

    fn views(&self, server: Server) -> Vec<LeaseView> {
        self.servers[server.number()].engine.as_ref().map_or_else(Vec::new, all_views)
    }
}
