//! Two endpoints, their disks, and the wire between them.

#![allow(dead_code, reason = "not every test uses all of it")]

use failover::balance::{HashBucketAssignment, Service};
use failover::dialect::Dialect;
use failover::endpoint::{Action, Command, Endpoint, Event, Memory, RequestId, Settings, Stored};
use failover::message::{StateMessage, TandemInfo, Xid};
use failover::state::{FailoverState as S, Role};
use failover::time::{ClockDelta, Interval, Time};
use std::collections::VecDeque;

pub const MCLT: Interval = Interval::from_seconds(3600);

pub fn at(seconds: u64) -> Time {
    Time::from_seconds(1_800_000_000 + seconds)
}

pub fn settings(role: Role, dialect: Dialect) -> Settings {
    Settings {
        role,
        dialect,
        mclt: MCLT,
        longest_mclt: MCLT,
        service: Service { buckets: HashBucketAssignment::from_split(128), delayed_service: None },
        safe_period: None,
        startup_wait: None,
        waits_for_partner: false,
        start_alone: false,
        trusts_restart: false,
        stamp_interval: Interval::from_seconds(5),
        update_wait: Interval::from_seconds(60),
        tandem: TandemInfo::default(),
    }
}

pub fn stored(state: S, entered: Time) -> Stored {
    Stored {
        state,
        entered,
        previous: state,
        partner: None,
        last_contact: entered,
        storage_lost: false,
        surely_lost: false,
        first_run: false,
        down_since: entered,
        owes_everything: false,
        partner_loss: None,
        partner_forgot: false,
        unproven: false,
    }
}

#[derive(Debug, Clone, Copy)]
pub enum Message {
    State(StateMessage),
    UpdReq { request: RequestId, all: bool },
    UpdDone(RequestId),
}

/// A server: its endpoint, its disk, and as little of an engine as answers requests for updates.
pub struct Server {
    pub settings: Settings,
    pub endpoint: Option<Endpoint>,
    pub disk: Option<Stored>,
    pub alive: Time,
    pub operated: Time,
    pub outgoing: VecDeque<Message>,
    /// Requests of the partner, by the xid that the endpoint knows them by.
    pub requests: Vec<RequestId>,
    pub answering: bool,
    pub wants_close: bool,
    pub actions: Vec<Action>,
}

impl Server {
    pub fn new(settings: Settings, disk: Option<Stored>) -> Server {
        Server {
            settings,
            endpoint: None,
            disk,
            alive: Time::ZERO,
            operated: Time::ZERO,
            outgoing: VecDeque::new(),
            requests: Vec::new(),
            answering: false,
            wants_close: false,
            actions: Vec::new(),
        }
    }

    pub fn start(&mut self, now: Time, storage_lost: bool) {
        let memory =
            Memory { stored: self.disk, last_operation: self.operated, alive: self.alive, storage_lost };
        let mut out = Vec::new();
        self.endpoint = Some(Endpoint::start(self.settings, memory, now, &mut out));
        self.obey(&out);
    }

    pub fn crash(&mut self) {
        self.endpoint = None;
        self.outgoing.clear();
        self.requests.clear();
        self.answering = false;
        self.wants_close = false;
    }

    pub fn handle(&mut self, now: Time, event: Event) {
        let Some(endpoint) = &mut self.endpoint else { return };
        let mut out = Vec::new();
        endpoint.handle(now, event, &mut out);
        self.operated = now;
        self.alive = self.endpoint.as_ref().unwrap().alive(now);
        self.obey(&out);
    }

    pub fn obey(&mut self, actions: &[Action]) {
        for action in actions {
            match *action {
                Action::Store(stored) => self.disk = Some(stored),
                Action::SendState(state) => {
                    // Stable before told (S10).
                    let disk = self.disk.unwrap();
                    assert_eq!((state.state, state.since), (disk.state, disk.entered.to_wire()));
                    self.outgoing.push_back(Message::State(state));
                }
                Action::SendUpdreq(request) => {
                    self.outgoing.push_back(Message::UpdReq { request, all: false });
                }
                Action::SendUpdreqall(request) => {
                    self.outgoing.push_back(Message::UpdReq { request, all: true });
                }
                Action::SendUpddone { to } => {
                    self.outgoing.push_back(Message::UpdDone(self.requests[to.0 as usize]));
                }
                Action::AnswerUpdreq { .. } => self.answering = true,
                Action::Disconnect(_) => self.wants_close = true,
                _ => {}
            }
        }
        self.actions.extend_from_slice(actions);
    }

    pub fn receive(&mut self, now: Time, message: Message) {
        match message {
            Message::State(state) => {
                self.handle(now, Event::State { state, since: state.since.to_time(ClockDelta(0)) });
            }
            Message::UpdReq { request, all } => {
                let xid = Xid(u32::try_from(self.requests.len()).unwrap());
                self.requests.push(request);
                self.handle(now, Event::UpdReq { xid, all });
            }
            Message::UpdDone(request) => self.handle(now, Event::UpdDone(request)),
        }
    }

    pub fn state(&self) -> S {
        self.endpoint.as_ref().unwrap().state()
    }

    pub fn endpoint(&self) -> &Endpoint {
        self.endpoint.as_ref().unwrap()
    }

    pub fn has(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }
}

pub struct World {
    pub now: Time,
    pub connected: bool,
    pub servers: [Server; 2],
    pub dialect: Dialect,
}

impl World {
    pub fn new(dialect: Dialect, primary: Option<Stored>, secondary: Option<Stored>) -> World {
        World {
            now: at(0),
            connected: false,
            servers: [
                Server::new(settings(Role::Primary, dialect), primary),
                Server::new(settings(Role::Secondary, dialect), secondary),
            ],
            dialect,
        }
    }

    /// Both start, connect, and come to rest.
    pub fn started(primary: Option<Stored>, secondary: Option<Stored>) -> World {
        let mut world = World::new(Dialect::Draft12, primary, secondary);
        world.servers[0].start(world.now, false);
        world.servers[1].start(world.now, false);
        world.connect();
        world.run();
        world
    }

    pub fn normal() -> World {
        let interrupted = Some(stored(S::CommunicationsInterrupted, at(0)));
        let world = World::started(interrupted, interrupted);
        assert_eq!(world.states(), [S::Normal, S::Normal]);
        world
    }

    pub fn connect(&mut self) {
        if self.connected || self.servers.iter().any(|server| server.endpoint.is_none()) {
            return;
        }
        self.connected = true;
        let tandem = |server: &Server| (self.dialect == Dialect::Draft12).then(|| server.endpoint().tandem());
        let told = [tandem(&self.servers[1]), tandem(&self.servers[0])];
        for (server, tandem) in self.servers.iter_mut().zip(told) {
            server.outgoing.clear();
            server.requests.clear();
            server.answering = false;
            server.wants_close = false;
            server.handle(self.now, Event::Connected { tandem });
        }
    }

    pub fn cut(&mut self) {
        if !self.connected {
            return;
        }
        self.connected = false;
        for server in &mut self.servers {
            server.outgoing.clear();
            server.handle(self.now, Event::Lost);
            server.wants_close = false;
        }
    }

    pub fn crash(&mut self, who: usize) {
        self.servers[who].crash();
        self.cut();
    }

    pub fn deliver(&mut self, from: usize) -> bool {
        if self.connected
            && let Some(message) = self.servers[from].outgoing.pop_front()
        {
            self.servers[1 - from].receive(self.now, message);
            return true;
        }
        false
    }

    pub fn answer(&mut self, who: usize) -> bool {
        let answering = std::mem::take(&mut self.servers[who].answering);
        if answering {
            self.servers[who].handle(self.now, Event::UpdatesDelivered);
        }
        answering
    }

    /// Until nothing moves but time.
    pub fn run(&mut self) {
        for _ in 0..1000 {
            let mut moved = false;
            for who in 0..2 {
                moved |= self.deliver(who) | self.answer(who);
            }
            if self.connected && self.servers.iter().any(|server| server.wants_close) {
                self.cut();
                self.connect();
                moved = true;
            }
            if !moved {
                return;
            }
        }
        panic!("they never come to rest: {:?}", self.states());
    }

    pub fn pass(&mut self, interval: Interval) {
        let end = self.now.plus(interval);
        loop {
            let due = self
                .servers
                .iter()
                .filter_map(|server| server.endpoint.as_ref()?.next_deadline())
                .min()
                .filter(|due| *due <= end);
            self.now = due.unwrap_or(end).max(self.now);
            for who in 0..2 {
                self.servers[who].handle(self.now, Event::Wake);
            }
            self.run();
            if due.is_none() {
                return;
            }
        }
    }

    pub fn command(&mut self, who: usize, command: Command) {
        self.servers[who].handle(self.now, Event::Command(command));
        self.run();
    }

    pub fn states(&self) -> [S; 2] {
        [self.servers[0].state(), self.servers[1].state()]
    }
}

pub fn seconds(seconds: u64) -> Interval {
    Interval::from_seconds(seconds)
}
