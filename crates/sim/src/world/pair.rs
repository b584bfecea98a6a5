//! What is between the two servers of a pair, and what befalls both.
//!
//! *Lives here:* [`Pair`]; connections carried from one to the other; troubles of the pair; the operator. `pair/moments.rs` has
//! what befalls a server just when it has entered a state.
//! *May know:* what a good operator knows: which process runs.
//! *Must not know:* what is right: that is the checkers'.

mod moments;

use super::World;
use crate::clock::Moment;
use crate::count::Count;
use crate::disk::{DiskFaults, VirtualDisk};
use crate::faults::PairTrouble;
use crate::history::{Party, What};
use crate::line::{Arrival, Lines};
use crate::outside::Event;
use crate::plan::Source;
use crate::random::Random;
use crate::server::Ending;
use crate::server::partner::Doing;
use engine::LinkId;
use failover::endpoint::Command;
use failover::state::FailoverState;
use moments::Moments;

/// See the module.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) lines: Lines,
    /// When the process of each server ended last.
    ended: [Moment; 2],
    /// The state that it was in then.
    ended_in: [Option<FailoverState>; 2],
    /// A copy of the folder of each store, and when it was made.
    backups: [Option<(Moment, VirtualDisk)>; 2],
    /// A store was replaced by an older one: nothing fails until its server has met its partner, which alone can notice it.
    pub(super) is_calm: Option<usize>,
    moments: Moments,
}

impl Pair {
    pub(super) fn new(lines: Lines, seed: u64) -> Pair {
        Pair {
            lines,
            ended: [0; 2],
            ended_in: [None; 2],
            backups: [None, None],
            is_calm: None,
            moments: Moments::new(seed),
        }
    }
}

impl World {
    /// What the two did on their connections, and the ends of connections whose process ended.
    pub(super) fn carry_between(&mut self) {
        if self.outside.doings.is_empty() && self.outside.ended.is_empty() {
            return;
        }
        for (server, doing) in std::mem::take(&mut self.outside.doings) {
            match doing {
                Doing::Connect => self.connect(server),
                Doing::Send { link, bytes, message } => self.carry_bytes(server, link, bytes, message),
                Doing::Close { link } => {
                    self.close(server, link, false);
                    self.servers[server].hears(&mut self.outside, link, Arrival::End);
                }
            }
        }
        for (server, silently) in std::mem::take(&mut self.outside.ended) {
            let now = self.outside.now;
            let state = self.state_of(server);
            let Some(pair) = &mut self.pair else { continue };
            (pair.ended[server], pair.ended_in[server]) = (now, state);
            for link in pair.lines.of(server) {
                self.close(server, link, silently);
            }
        }
    }

    fn carry_bytes(&mut self, from: usize, link: LinkId, mut bytes: Vec<u8>, message: u64) {
        let now = self.outside.now;
        let Some(pair) = &mut self.pair else { return };
        // A stream knows no messages.
        let second = if self.random.chance(100) { bytes.split_off(bytes.len() / 3) } else { Vec::new() };
        let whole = second.is_empty().then_some(message);
        for (bytes, message) in [(bytes, whole), (second, Some(message))] {
            if bytes.is_empty() {
                continue;
            }
            if let Some(at) = pair.lines.send(now, from, link, Arrival::Bytes { bytes, message }) {
                self.outside.schedule(at, Event::AtPartner { server: 1 - from, link });
            }
        }
    }

    fn close(&mut self, server: usize, link: LinkId, silently: bool) {
        let now = self.outside.now;
        let Some(pair) = &mut self.pair else { return };
        if let Some(at) = pair.lines.close(now, server, link, silently) {
            self.outside.schedule(at, Event::AtPartner { server: 1 - server, link });
        }
    }

    fn connect(&mut self, server: usize) {
        let (now, other) = (self.outside.now, 1 - server);
        let frozen = self.servers[other].is_frozen(now);
        let incarnations = [0, 1].map(|n| self.servers[n].incarnation);
        let Some(pair) = &mut self.pair else { return };
        if !frozen && pair.lines.is_whole(now) && self.servers[other].listens() {
            let (link, at) = pair.lines.open(now, server, incarnations);
            self.outside.counts.one(Count::PartnerConnections);
            for (server, at) in at.into_iter().enumerate() {
                self.outside.schedule(at, Event::AtPartner { server, link });
            }
            return;
        }
        let refused = !frozen && pair.lines.is_whole(now);
        let wait = if refused { self.random.between(1, 5) } else { self.random.between(3000, 15_000) };
        let incarnation = incarnations[server];
        self.outside.schedule(now + wait, Event::NoPartner { server, incarnation });
    }

    pub(super) fn at_partner(&mut self, server: usize, link: LinkId) {
        if self.servers[server].is_frozen(self.outside.now) {
            let until = self.servers[server].frozen_until;
            return self.outside.schedule(until, Event::AtPartner { server, link });
        }
        let incarnation = self.servers[server].incarnation;
        let arrival = self.pair.as_mut().and_then(|pair| pair.lines.arrives(server, link, incarnation));
        if let Some(arrival) = arrival {
            self.servers[server].hears(&mut self.outside, link, arrival);
        }
    }

    pub(super) fn no_partner(&mut self, server: usize, incarnation: u64) {
        if self.lives(server, incarnation) {
            self.servers[server].hears(&mut self.outside, LinkId(0), Arrival::Failed);
        }
    }

    /// Whether nothing may fail for now.
    pub(super) fn is_calm(&mut self) -> bool {
        let Some(server) = self.pair.as_ref().and_then(|pair| pair.is_calm) else { return false };
        // What it learned then is stable, or the next process would know as little as this one did.
        let met = self.servers[server].endpoint(&self.outside).is_some_and(|view| view.in_contact)
            && self.servers[server].is_quiet();
        if met && let Some(pair) = &mut self.pair {
            pair.is_calm = None;
        }
        !met
    }
}

/// Troubles of both.
impl World {
    pub(super) fn pair_trouble(&mut self) {
        if self.healed {
            return;
        }
        let (now, every) = (self.outside.now, self.faults.pair_trouble_every);
        let faults = &self.faults;
        let draw = |random: &mut Random| faults.after_calm(now + random.wait(every));
        let next = self.plan.begin(Source::Pair, &mut self.random, draw);
        let Some(next) = next else { return };
        self.outside.schedule(next, Event::PairTrouble);
        self.back_up();
        if !self.is_calm() {
            self.befall_pair();
        }
        self.plan.end(&mut self.random);
    }

    fn befall_pair(&mut self) {
        let trouble = self.random.pick(&self.faults.pair_troubles);
        let server = usize::try_from(self.random.below(2)).unwrap_or(0);
        if !self.befalls(Party::Pair, || format!("{trouble:?} ({server})")) {
            return;
        }
        let now = self.outside.now;
        let lasts = self.how_long();
        match trouble {
            PairTrouble::Cut => self.cut([now + lasts; 2]),
            PairTrouble::OneWay => {
                let mut silent = [0; 2];
                silent[server] = now + lasts;
                self.cut(silent);
            }
            PairTrouble::Stall => {
                let lasts = self.random.between(500, 30_000);
                self.cut([now + lasts; 2]);
            }
            PairTrouble::Slow => {
                if let Some(pair) = &mut self.pair {
                    pair.lines.slow_until = now + lasts;
                }
            }
            PairTrouble::Reset => self.reset(),
            PairTrouble::KillBoth => {
                self.outside.counts.one(Count::BothKilled);
                let ending = self.random.pick(&[Ending::Killed, Ending::PowerCut]);
                for server in 0..2 {
                    self.take_down(server, ending, lasts / 4);
                }
            }
            PairTrouble::Outage => self.outage(server, lasts),
            PairTrouble::PartnerDown | PairTrouble::ServeAlone => self.operator(server),
            PairTrouble::LostDisk => self.lose_disk(server),
            PairTrouble::Restore => self.restore(server),
            PairTrouble::Shutdown => self.leave(server, Command::Shutdown),
            PairTrouble::RollingRestart => {
                self.leave(server, Command::Pause);
                let wait = self.random.between(5000, 120_000);
                self.outside.schedule(now + wait, Event::Operator { server: 2 + (1 - server) });
            }
            PairTrouble::Resync => {
                self.servers[server].command(&mut self.outside, Command::Resync);
            }
            PairTrouble::WrongPartnerDown => {
                if self.servers[server].command(&mut self.outside, Command::PartnerDown) {
                    self.outside.counts.one(Count::WrongPartnerDowns);
                }
            }
        }
    }

    fn how_long(&mut self) -> u64 {
        let mclt = self.scene.terms.map_or(60_000, |terms| terms.mclt.as_millis());
        match self.random.below(4) {
            0 => self.random.between(1000, 60_000),
            1 | 2 => self.random.between(10_000, 2 * mclt),
            _ => self.random.between(mclt, 5 * mclt),
        }
    }

    fn cut(&mut self, silent: [Moment; 2]) {
        self.outside.counts.one(Count::PartnerCuts);
        let now = self.outside.now;
        let noticed = [0, 1].map(|_| self.random.chance(250));
        let Some(pair) = &mut self.pair else { return };
        pair.lines.silent = [0, 1].map(|n| pair.lines.silent[n].max(silent[n]));
        for (from, until) in pair.lines.silent.into_iter().enumerate().filter(|(_, until)| *until > now) {
            self.outside.record(|| What::Silent { from, until });
        }
        // An end may see its cable pulled; the other learns nothing.
        for server in (0..2).filter(|server| noticed[*server]) {
            for link in pair.lines.of(server) {
                let arrival = pair.lines.pull(now, server, link);
                self.servers[server].hears(&mut self.outside, link, arrival);
            }
        }
    }

    fn reset(&mut self) {
        self.outside.counts.one(Count::PartnerResets);
        let now = self.outside.now;
        let Some(pair) = &mut self.pair else { return };
        for link in pair.lines.of(0) {
            let at = pair.lines.reset(now, link);
            for (server, at) in at.into_iter().enumerate() {
                self.outside.schedule(at, Event::AtPartner { server, link });
            }
        }
    }

    fn take_down(&mut self, server: usize, ending: Ending, lasts: u64) {
        if self.servers[server].is_down() || self.servers[server].is_frozen(self.outside.now) {
            return;
        }
        self.servers[server].away = Some(lasts);
        self.servers[server].end(&mut self.outside, ending);
    }

    /// A server is down for long; an operator sees to the other. The switch may have failed with it, and for longer.
    fn outage(&mut self, server: usize, lasts: u64) {
        let now = self.outside.now;
        let ending = self.random.pick(&[Ending::Killed, Ending::PowerCut]);
        self.take_down(server, ending, lasts);
        if self.random.chance(500) {
            let longer = self.how_long();
            self.cut([now + lasts + longer; 2]);
        }
        if self.faults.pair_troubles.contains(&PairTrouble::PartnerDown) {
            let wait = self.random.below(lasts + 1);
            self.outside.schedule(now + wait, Event::Operator { server: 1 - server });
        }
    }

    /// The operator says `partner-down`, or `serve-alone`, where it is true. Numbers from 2 on: restarts a server instead.
    pub(super) fn operator(&mut self, server: usize) {
        if self.healed || self.is_calm() {
            return;
        }
        if server >= 2 {
            return self.leave(server - 2, Command::Pause);
        }
        let other = 1 - server;
        if !self.servers[other].is_down() || !self.servers[server].is_serving() {
            return;
        }
        let Some(pair) = &self.pair else { return };
        // It has not run since this server went down, and was not alone before.
        let fell_first = pair.ended[other] < pair.ended[server]
            && pair.ended_in[other] != Some(FailoverState::PartnerDown);
        let unproven = self.servers[server].endpoint(&self.outside).is_some_and(|view| view.alive.is_some());
        let alone = self.faults.pair_troubles.contains(&PairTrouble::ServeAlone);
        if unproven && fell_first && alone && self.random.chance(500) {
            if self.servers[server].command(&mut self.outside, Command::ServeAlone) {
                self.outside.counts.one(Count::ServedAlone);
            }
        } else if self.faults.pair_troubles.contains(&PairTrouble::PartnerDown)
            && self.servers[server].command(&mut self.outside, Command::PartnerDown)
        {
            self.outside.counts.one(Count::PartnerDowns);
        }
    }

    /// A server goes in order: it says so to its partner, and then ends.
    pub(super) fn leave(&mut self, server: usize, command: Command) {
        if !self.servers[server].is_frozen(self.outside.now)
            && self.servers[server].is_serving()
            && self.servers[server].command(&mut self.outside, command)
        {
            let shuts = command == Command::Shutdown;
            self.outside.counts.one(if shuts { Count::Shutdowns } else { Count::PausesTold });
            let incarnation = self.servers[server].incarnation;
            self.outside.schedule(self.outside.now + 50, Event::Leaving { server, incarnation, tries: 0 });
        }
    }

    pub(super) fn leaving(&mut self, server: usize, incarnation: u64, tries: u32) {
        if !self.lives(server, incarnation) {
            return;
        }
        if self.servers[server].has_stopped() || tries > 100 {
            return self.servers[server].stop(&mut self.outside);
        }
        let event = Event::Leaving { server, incarnation, tries: tries + 1 };
        self.outside.schedule(self.outside.now + 100, event);
    }

    /// A disk is lost only while the other server has everything: what both have lost nobody can bring back.
    fn lose_disk(&mut self, server: usize) {
        let checkers = &self.outside.checkers;
        if checkers.has_everything(0)
            && checkers.has_everything(1)
            && !self.servers[server].is_frozen(self.outside.now)
        {
            self.outside.counts.one(Count::LostDisks);
            if let Some(pair) = &mut self.pair {
                pair.backups[server] = None;
            }
            self.servers[server].away = Some(self.how_long() / 2);
            self.servers[server].lose_disk(&mut self.outside);
        }
    }

    fn back_up(&mut self) {
        let now = self.outside.now;
        let servers = &self.servers;
        let Some(pair) = &mut self.pair else { return };
        for (server, backup) in servers.iter().zip(&mut pair.backups) {
            let old = backup.as_ref().is_none_or(|(made, _)| *made + 1_200_000 < now);
            if old && server.is_serving() && server.is_quiet() {
                *backup = Some((now, server.disk.copy()));
            }
        }
    }

    /// An older copy of a store takes its place, while both are in NORMAL. The partner notices it by when it was heard last
    /// (D12 5.16), so that it must be a good while older, and the two must meet first of all: one whose disk is full takes no
    /// connection.
    fn restore(&mut self, server: usize) {
        let now = self.outside.now;
        let normal = (0..2).all(|n| self.servers[n].state(&self.outside) == Some(FailoverState::Normal));
        let whole = (0..2).all(|n| self.outside.checkers.has_everything(n));
        let are_well = self.servers.iter().all(|server| server.is_well(now));
        let Some(pair) = &mut self.pair else { return };
        let old = pair.backups[server].as_ref().is_some_and(|(made, _)| *made + 200_000 < now);
        if !normal || !whole || !old || !are_well || !pair.lines.is_whole(now) {
            return;
        }
        // By a clock that is behind, and that only the newer store would have corrected, an old copy looks young: times are all
        // there is to compare. And one that meets nobody while it is in STARTUP has nobody who could tell it. Whoever brings a
        // store back sees to both first (README, Run a pair).
        self.servers[server].machine.synchronise(0);
        pair.lines.slow_until = 0;
        let Some((_, copy)) = pair.backups[server].take() else { return };
        pair.is_calm = Some(server);
        for server in &mut self.servers {
            (server.slow_until, server.stands_until, server.frozen_until) = (0, 0, 0);
            // What was to fail at a coming call does not either.
            server.disk.set_faults(|faults| *faults = DiskFaults::default());
        }
        self.outside.counts.one(Count::Restored);
        self.servers[server].away = Some(2000);
        self.servers[server].restore(&mut self.outside, copy);
    }
}

/// The second part of a run: faults stop.
impl World {
    /// Both are in NORMAL, and each knows it of the other.
    pub(crate) fn are_normal(&self) -> bool {
        (0..2).all(|n| self.servers[n].state(&self.outside) == Some(FailoverState::Normal))
    }

    /// The state that a server said last that it is in.
    pub(crate) fn state_of(&self, server: usize) -> Option<FailoverState> {
        self.servers[server].dhcpd_state().or_else(|| self.outside.checkers.state_of(server))
    }

    /// The dhcpd of the two, if one is.
    pub(crate) fn dhcpd(&self) -> Option<&crate::server::dhcpd::Dhcpd> {
        self.servers.iter().find_map(crate::server::Server::dhcpd)
    }

    /// What each shows of its endpoint.
    pub(crate) fn endpoints(&self) -> Vec<engine::EndpointView> {
        self.servers.iter().filter_map(|server| server.endpoint(&self.outside)).collect()
    }

    /// What each shows of all addresses.
    pub(crate) fn both_views(&self) -> Vec<Vec<engine::LeaseView>> {
        self.servers.iter().map(crate::server::Server::views).collect()
    }

    /// Something was violated, or nothing that comes is of interest.
    pub(crate) fn has_failed(&self) -> bool {
        self.outside.checkers.violation.is_some() || self.is_cut_off
    }

    /// Counts what the processes that still run have counted.
    pub(crate) fn count_at_end(&mut self) {
        for server in &self.servers {
            server.tally_engine(&mut self.outside);
        }
    }

    /// Clients do nothing for a while.
    pub(crate) fn hold_clients(&mut self, hold: bool) {
        self.clients_held = hold;
    }
}
