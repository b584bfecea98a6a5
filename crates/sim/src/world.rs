//! The world of one seed: virtual time, and everybody in it.
//!
//! *Lives here:* [`World`]: it hands each event to whom it concerns, and carries what they do to each other.
//! `world/trouble.rs` has what goes wrong on purpose.
//! *May know:* everything of this crate.
//! *Must not know:* what is right: that is the checkers'.

mod pair;
mod trouble;

use crate::checkers::Checkers;
use crate::client::{Client, How, NEVER, Person, State, Step, Why, message::RELAY};
use crate::clock::{Moment, Oscillator};
use crate::count::Count;
use crate::faults::Faults;
use crate::history::{Party, What};
use crate::line::Lines;
use crate::net::{Link, Network, Weather};
use crate::outside::{Datagram, Event, Outside, Sent};
use crate::plan::{Plan, Without};
use crate::planted::Planted;
use crate::random::Random;
use crate::report::{brief, contents, name_of};
use crate::run::{Kind, Options};
use crate::scene::{Scene, server_address};
use crate::server::Server;
use crate::server::dhcpd::{Dhcpd, Habits};
use dhcp::Message;
use engine::config::Config;
use engine::{Destination, LeaseView};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A client with its clock.
#[derive(Debug)]
struct Actor {
    client: Client,
    oscillator: Oscillator,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scene: Scene,
    faults: Faults,
    pub(crate) outside: Outside,
    servers: Vec<Server>,
    actors: Vec<Actor>,
    random: Random,
    /// Faults have stopped.
    healed: bool,
    pub(crate) plan: Plan,
    /// Nothing of what comes later is of interest.
    last: Option<Moment>,
    /// It would go on after that.
    pub(crate) is_cut_off: bool,
    pub(crate) healed_at: Option<Moment>,
    pair: Option<pair::Pair>,
    clients_held: bool,
    /// One server of the pair is gone for ever.
    is_late: bool,
}

impl World {
    pub(crate) fn new(seed: u64, options: &Options, plan: Plan) -> World {
        let mut random = Random::new(seed);
        let (mut scene, mut faults) = match options.kind {
            Kind::Single => {
                let scene = Scene::draw(&mut random);
                let faults = Faults::draw(&mut random, scene.pace);
                (scene, faults)
            }
            Kind::Pair => {
                let scene = Scene::draw_pair(&mut random, options.hours);
                let faults = match options.hours {
                    Some(_) => Faults::draw_days(&mut random, &scene),
                    None => Faults::draw_pair(&mut random, &scene),
                };
                (scene, faults)
            }
            Kind::Dhcpd => {
                let scene = Scene::draw_beside_dhcpd(&mut random, seed);
                let faults = Faults::draw_beside_dhcpd(&mut random, &scene);
                (scene, faults)
            }
        };
        if options.kind != Kind::Dhcpd && !options.without.bootp {
            scene.draw_bootp(seed);
        }
        leave_out(plan.without(), &mut scene, &mut faults);
        let network = Network::new(scene.servers.len(), faults.weather, random.split());
        let outside = Outside::new(network, Checkers::new(&scene), options.traced);
        let pair = scene.terms.map(|_| pair::Pair::new(Lines::new(random.split()), seed));
        let mut world = World {
            servers: Vec::new(),
            actors: Vec::new(),
            healed: false,
            clients_held: false,
            is_late: false,
            scene,
            faults,
            outside,
            random,
            plan,
            last: options.until,
            is_cut_off: false,
            healed_at: None,
            pair,
        };
        if !world.faults.pair_troubles.is_empty() {
            let wait = world.random.wait(world.faults.pair_trouble_every);
            world.outside.schedule(world.faults.after_calm(wait), Event::PairTrouble);
        }
        let planted = options.planted.as_ref().map(|(_, planted)| *planted).unwrap_or_default();
        world.add_servers(planted, options.habits);
        for (person, link) in world.scene.clients.clone() {
            let person = Person { declines: world.faults.declines, wishes: world.faults.wishes, ..person };
            world.add_client(person, link);
        }
        world
    }

    fn add_servers(&mut self, planted: Planted, habits: Habits) {
        for (number, parts) in self.scene.servers.iter().enumerate() {
            // The scene draws configurations without faults.
            let Ok(config) = Config::check(parts) else { continue };
            let mut server = Server::new(number, config, planted, self.random.split());
            server.wrong_battery_clock = self.faults.wrong_battery_clock;
            server.look_every = (self.scene.pace / 30).clamp(20_000, 300_000);
            server.late_network_time = self.faults.late_network_time;
            if self.scene.are_days {
                server.settle();
            }
            if let (1, Some(terms)) = (number, self.scene.terms) {
                server.machine.skew = terms.skew;
            }
            if let (true, Some(terms)) = (self.scene.dhcpd == Some(number), self.scene.terms) {
                server.become_dhcpd(Dhcpd::new(number, parts, terms, habits));
            }
            self.outside.schedule(0, Event::Start { server: number, incarnation: 0 });
            self.servers.push(server);
            if !self.faults.troubles.is_empty() {
                let wait = self.random.wait(self.faults.trouble_every);
                self.outside.schedule(self.faults.after_calm(wait), Event::Trouble { server: number });
            }
        }
    }

    fn add_client(&mut self, person: Person, link: Link) {
        let oscillator = Oscillator::within(500, &mut self.random);
        let now = oscillator.counts(self.outside.now);
        let spread = if self.healed { 5000 } else { 120_000 };
        let due = now + self.random.between(1, spread);
        let mut client = Client::new(person, link, due, self.random.split());
        if self.plan.without().clients.contains(&client.person.number) {
            (client.state, client.due) = (State::Off, NEVER);
        }
        self.actors.push(Actor { client, oscillator });
        self.call_client(self.actors.len() - 1);
        if !self.faults.habits.is_empty() && !self.healed {
            let wait = self.random.wait(self.faults.habit_every);
            self.outside.schedule(self.outside.now + wait, Event::Habit { client: self.actors.len() - 1 });
        }
    }

    /// Runs until `end`, or until something is violated.
    pub(crate) fn run_until(&mut self, end: Moment) {
        let last = self.last.map_or(end, |last| last.min(end));
        while !self.has_failed() {
            let Some(event) = self.outside.next_until(last) else {
                self.is_cut_off = last < end;
                self.outside.now = end.max(self.outside.now);
                return;
            };
            self.happens(event);
            self.carry_between();
            self.look_for_moments();
            while let Some(sent) = self.outside.sent.pop() {
                self.deliver(&sent);
            }
        }
    }

    fn happens(&mut self, event: Event) {
        let standing = match &event {
            Event::Owner { server, .. } | Event::Journal { server, .. } | Event::Look { server, .. } => {
                let until = self.servers[*server].stands_until;
                (self.outside.now < until).then_some(until)
            }
            _ => None,
        };
        if let Some(until) = standing {
            self.outside.schedule(until, event);
            return;
        }
        match event {
            Event::Client { client, due } if self.actors[client].client.due == due => {
                if self.clients_held {
                    return self.outside.schedule(self.outside.now + 10_000, Event::Client { client, due });
                }
                self.wake(client);
            }
            Event::Habit { client } => self.habit(client),
            Event::AtServer { server, datagram } => {
                self.outside.stir(&datagram.bytes);
                self.servers[server].arrives(&mut self.outside, datagram);
            }
            Event::AtClient { client, bytes, message } => self.hear(client, &bytes, message),
            Event::Owner { server, incarnation } if self.lives(server, incarnation) => {
                self.servers[server].owner_turn(&mut self.outside);
            }
            Event::Journal { server, incarnation } if self.lives(server, incarnation) => {
                self.servers[server].journal_turn(&mut self.outside);
                self.servers[server].count_disk_faults(&mut self.outside);
            }
            Event::Look { server, incarnation } if self.lives(server, incarnation) => self.look(server),
            Event::Start { server, incarnation } if self.lives(server, incarnation) => {
                self.servers[server].start(&mut self.outside);
                self.servers[server].count_disk_faults(&mut self.outside);
            }
            Event::Trouble { server } => self.trouble(server),
            Event::AtPartner { server, link } => self.at_partner(server, link),
            Event::NoPartner { server, incarnation } => self.no_partner(server, incarnation),
            Event::PairTrouble => self.pair_trouble(),
            Event::Operator { server } => self.operator(server),
            Event::Leaving { server, incarnation, tries } => self.leaving(server, incarnation, tries),
            Event::NetworkTime { server } => {
                let error = i64::try_from(self.random.below(40)).unwrap_or(0) - 20;
                self.servers[server].machine.synchronise(error);
            }
            Event::SpaceFreed { server } => {
                self.servers[server].disk.set_faults(|faults| faults.space = None);
            }
            _ => {}
        }
    }

    fn lives(&self, server: usize, incarnation: u64) -> bool {
        self.servers[server].incarnation == incarnation
    }

    fn look(&mut self, server: usize) {
        let server = &mut self.servers[server];
        if server.is_quiet() && self.random.chance(if self.pair.is_some() { 4 } else { 20 }) {
            server.rebuild(&mut self.outside);
        }
        server.look(&mut self.outside);
    }
}

/// Clients, and what is between them and servers.
impl World {
    fn call_client(&mut self, client: usize) {
        let Actor { client: called, oscillator } = &self.actors[client];
        if called.due == NEVER {
            return;
        }
        let wait = oscillator.takes(called.due.saturating_sub(oscillator.counts(self.outside.now)));
        self.outside.schedule(self.outside.now + wait, Event::Client { client, due: called.due });
    }

    fn local(&self, client: usize) -> u64 {
        self.actors[client].oscillator.counts(self.outside.now)
    }

    fn wake(&mut self, client: usize) {
        let (now, mut steps) = (self.local(client), Vec::new());
        self.actors[client].client.wake(now, &mut steps);
        self.perform(client, steps);
        self.call_client(client);
    }

    fn hear(&mut self, client: usize, bytes: &[u8], number: u64) {
        let Ok(message) = Message::parse(bytes) else { return };
        let by = Party::Client(self.actors[client].client.person.number);
        self.outside.record(|| What::Heard { message: number, by, text: None });
        let (now, mut steps) = (self.local(client), Vec::new());
        let heard = &mut self.actors[client].client;
        let (before, due) = (heard.state, heard.due);
        heard.hear(now, &message, &mut steps);
        if before != heard.state && message.message_type() == Some(dhcp::MessageType::Nak) {
            self.outside.counts.one(Count::Naks);
        }
        let changed = heard.due != due;
        self.perform(client, steps);
        if changed {
            self.call_client(client);
        }
    }

    fn perform(&mut self, client: usize, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Send { bytes, to } => self.send(client, &bytes, to, 0),
                Step::Holds { address, until, how } => self.holds(client, address, until, how),
                Step::LetsGo { address, why } => self.lets_go(client, address, why),
            }
        }
    }

    fn holds(&mut self, client: usize, address: Ipv4Addr, until: u64, how: How) {
        let local = self.local(client);
        let Actor { client: holder, oscillator } = &self.actors[client];
        let number = holder.person.number;
        let until = if until == NEVER {
            Moment::MAX
        } else {
            self.outside.now + oscillator.takes(until.saturating_sub(local))
        };
        let Some(identity) = holder.identity() else { return };
        let far = holder.link == Link::Far;
        let reserved = self.scene.reserved.iter().any(|reserved| reserved.address == address);
        let counts = &mut self.outside.counts;
        match how {
            How::Selected => {
                counts.one(Count::Grants);
                counts.add(Count::RelayedGrants, u64::from(far));
                counts.add(Count::ReservedGrants, u64::from(reserved));
                counts.add(Count::ServedAtLast, u64::from(number >= NEWCOMER));
            }
            How::Renewed => counts.one(Count::Renewals),
            How::Rebound => counts.one(Count::Rebinds),
            How::Rebooted => counts.one(Count::InitReboots),
            How::Bootp => {
                counts.one(Count::BootpGrants);
                counts.add(Count::ServedAtLast, u64::from(number >= NEWCOMER));
            }
            How::StillIts => {}
        }
        self.outside.record(|| What::Holds { client: number, address, until, how: how.name() });
        self.outside.checkers.holds(number, &identity, address, until, how);
    }

    fn lets_go(&mut self, client: usize, address: Ipv4Addr, why: Why) {
        let gone = &self.actors[client].client;
        let number = gone.person.number;
        let here = link_of(address) == gone.link;
        let moves = self.scene.has_reservation(gone.hardware(), gone.person.identifier.as_deref());
        if why == Why::WasAway {
            self.outside.counts.one(Count::SleptPastExpiry);
        }
        self.outside.record(|| What::LetsGo { client: number, address, why: why.name() });
        self.outside.checkers.lets_go(number, address, why, here && !moves);
    }

    /// Sends a message to one server or to all, `after` so long.
    fn send(&mut self, client: usize, bytes: &[u8], to: Option<Ipv4Addr>, after: u64) {
        let link = self.actors[client].client.link;
        let number = self.actors[client].client.person.number;
        if let Ok(message) = Message::parse(bytes) {
            let servers = 0..self.servers.len();
            let is_meant = |server: &usize| to.is_none_or(|to| to == server_address(*server));
            let sent = self.outside.next_message();
            self.outside.record(|| What::Sends {
                message: sent,
                from: Party::Client(number),
                to: servers.clone().filter(is_meant).map(Party::Server).collect(),
                name: name_of(&message),
                brief: brief(&message),
                text: contents(&message),
            });
            for server in servers.filter(is_meant) {
                let address = server_address(server);
                let (source, destination) = match (to, link) {
                    (Some(_), _) => (SocketAddrV4::new(message.ciaddr(), 68), address),
                    (None, Link::Far) => (SocketAddrV4::new(RELAY, 67), address),
                    (None, Link::Wire) => (SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68), Ipv4Addr::BROADCAST),
                };
                for at in
                    self.outside.network.carry(self.outside.now + after, server, link).into_iter().flatten()
                {
                    let datagram = Datagram { source, destination, bytes: bytes.to_vec(), message: sent };
                    self.outside.schedule(at, Event::AtServer { server, datagram });
                }
            }
        }
    }

    /// A reply on its way: to whoever is there to take it.
    fn deliver(&mut self, sent: &Sent) {
        let Ok(message) = Message::parse(&sent.bytes) else { return };
        for client in 0..self.actors.len() {
            let to = &self.actors[client].client;
            let is_meant = message.hardware_address().as_ethernet() == Some(to.hardware());
            let arrives = match sent.destination {
                Destination::Relay { address, .. } => address == RELAY && to.link == Link::Far && is_meant,
                Destination::Link { hardware, .. } => to.link == Link::Wire && hardware == to.hardware(),
                Destination::Broadcast { .. } => to.link == Link::Wire && is_meant,
                Destination::Routed { address, .. } => {
                    to.link == Link::Far && to.lease.is_some_and(|lease| lease.address == address)
                }
            };
            if arrives {
                let link = to.link;
                for at in
                    self.outside.network.carry(self.outside.now, sent.server, link).into_iter().flatten()
                {
                    let (bytes, message) = (sent.bytes.clone(), sent.message);
                    self.outside.schedule(at, Event::AtClient { client, bytes, message });
                }
            }
        }
    }
}

/// What a world does without from its beginning.
fn leave_out(without: &Without, scene: &mut Scene, faults: &mut Faults) {
    if without.weather {
        faults.weather = Weather::default();
    }
    if without.declines {
        faults.declines = 0;
    }
    if without.wishes {
        faults.wishes = 0;
    }
    scene.lasts = without.after.map_or(scene.lasts, |after| after.min(scene.lasts));
}

/// Whoever asks for what is its own is answered within so many milliseconds when all is well.
const ASKED_FOR_LONG: u64 = 600_000;

/// Newcomers are numbered from here on, and those who come last of all from there.
const NEWCOMER: u8 = 150;
const LATE: u8 = 200;

/// The second part of a run: faults stop.
impl World {
    /// Everything is well from now on; returns whether all servers served again in time.
    pub(crate) fn heal(&mut self) -> bool {
        self.healed = true;
        self.outside.network.heal();
        if let Some(pair) = &mut self.pair {
            pair.lines.heal();
        }
        self.healed_at = Some(self.outside.now);
        self.outside.record(|| What::Healed);
        for server in &mut self.servers {
            server.heal();
        }
        for actor in &mut self.actors {
            actor.client.behave();
        }
        let deadline = self.outside.now + 5 * 3_600_000;
        while !self.all_well() && self.outside.now < deadline {
            self.run_until(self.outside.now + 1000);
            if self.has_failed() {
                return false;
            }
        }
        if self.pair.is_none() {
            self.outside.checkers.healed();
        }
        self.all_well()
    }

    fn all_well(&self) -> bool {
        self.servers.iter().all(|server| server.is_well(self.outside.now))
    }

    /// The clients that take part from the beginning, by their numbers.
    pub(crate) fn clients(&self) -> BTreeSet<u8> {
        let all = self.scene.clients.iter().map(|(person, _)| person.number);
        all.filter(|number| !self.plan.without().clients.contains(number)).collect()
    }

    /// A client that asks by BOOTP for what it was given before, and has done so in vain for long.
    pub(crate) fn asks_in_vain(&self) -> Option<u8> {
        let asks = |client: usize| {
            let (now, asking) = (self.local(client), &self.actors[client].client);
            let known = asking.lease.is_some_and(|lease| link_of(lease.address) == asking.link);
            (known && asking.asks_in_vain(now, ASKED_FOR_LONG)).then_some(asking.person.number)
        };
        (0..self.actors.len()).find_map(asks)
    }

    /// All clients go away without a word.
    pub(crate) fn empty(&mut self) {
        for actor in &mut self.actors {
            (actor.client.state, actor.client.due) = (State::Off, NEVER);
        }
    }

    pub(crate) fn views(&self) -> Vec<LeaseView> {
        self.servers.iter().flat_map(Server::views).collect()
    }

    /// Addresses of a pair, as one of the two shows them that runs.
    pub(crate) fn views_of_one(&self) -> Vec<LeaseView> {
        self.servers.iter().map(Server::views).find(|views| !views.is_empty()).unwrap_or_default()
    }

    /// One server of the pair is gone for ever; its operator says so to the other. Whether that was obeyed.
    pub(crate) fn only_one_is_left(&mut self) -> bool {
        let dead = usize::from(self.outside.digest.is_multiple_of(2));
        self.is_late = true;
        self.servers[dead].is_gone = true;
        self.servers[dead].end(&mut self.outside, crate::server::Ending::PowerCut);
        // Until the other has noticed, it is in NORMAL, and takes the word as well.
        self.run_until(self.outside.now + 1000);
        let obeyed =
            self.servers[1 - dead].command(&mut self.outside, failover::endpoint::Command::PartnerDown);
        self.outside.counts.add(Count::LeftAlone, u64::from(obeyed));
        obeyed
    }

    /// As many new clients come to each network as it has free addresses for everybody; for how many of them there is one.
    pub(crate) fn newcomers(&mut self) -> usize {
        use failover::binding::BindingStatus;
        // A pair's addresses are shown by both.
        let views = if self.pair.is_some() { self.views_of_one() } else { self.views() };
        // What is the partner's stays so where a pool serves BOOTP, also when the partner is dead (F07-5.13-02, -03): for these nobody
        // gets anything, and they ask all the same.
        let partners = match self.servers.iter().position(|server| server.is_gone) {
            Some(0) => Some(BindingStatus::Free),
            Some(_) => Some(BindingStatus::Backup),
            None => None,
        };
        let scene = &self.scene;
        let stays = |view: &LeaseView| Some(view.status) == partners && scene.serves_bootp(view.address);
        let free: Vec<LeaseView> = views
            .into_iter()
            .filter(|view| view.status.is_available())
            .filter(|view| !view.reserved)
            .collect();
        let usable = free.iter().filter(|view| !stays(view)).count();
        let free: Vec<Ipv4Addr> = free.into_iter().map(|view| view.address).collect();
        let first = if self.is_late { LATE } else { NEWCOMER };
        // Of two servers that share nothing each would give a client of BOOTP an address of its own, for ever.
        let one_gives = self.pair.is_some() || self.servers.len() == 1;
        for (address, number) in free.iter().zip(first..) {
            let person = Person {
                number,
                identifier: None,
                broadcast: false,
                fresh_transactions: false,
                declines: 0,
                wishes: 0,
                pace: 60_000,
                gossip: Vec::new(),
                bootp: one_gives && number.is_multiple_of(4) && self.scene.serves_bootp(*address),
            };
            self.add_client(person, link_of(*address));
        }
        usable
    }

    /// How many newcomers have an address.
    pub(crate) fn served(&self) -> usize {
        let first = if self.is_late { LATE } else { NEWCOMER };
        let served = |actor: &&Actor| actor.client.person.number >= first && actor.client.lease.is_some();
        self.actors.iter().filter(served).count()
    }
}

fn link_of(address: Ipv4Addr) -> Link {
    if address.octets()[1] == RELAY.octets()[1] { Link::Far } else { Link::Wire }
}
