//! What goes wrong on purpose, one thing at a time.
//!
//! *Lives here:* how each [`Trouble`] of a server and each [`Habit`] of a client is carried out.
//! *Must not know:* how often: that is drawn in `faults`.

use super::World;
use crate::client::{Client, Person, Step};
use crate::clock::Moment;
use crate::count::Count;
use crate::faults::{Habit, Trouble};
use crate::history::{Party, What};
use crate::net::Link;
use crate::outside::{Datagram, Event};
use crate::plan::Source;
use crate::random::Random;
use crate::server::Ending;
use std::net::{Ipv4Addr, SocketAddrV4};

impl World {
    /// Something befalls a server.
    pub(super) fn trouble(&mut self, server: usize) {
        if self.healed {
            return;
        }
        let (now, every) = (self.outside.now, self.faults.trouble_every);
        let (source, faults) = (Source::Server(server), &self.faults);
        let draw = |random: &mut Random| faults.after_calm(now + random.wait(every));
        let next = self.plan.begin(source, &mut self.random, draw);
        let Some(next) = next else { return };
        self.outside.schedule(next, Event::Trouble { server });
        self.befall_server(server);
        self.plan.end(&mut self.random);
    }

    /// Whether what would befall somebody now does; it is left out otherwise.
    pub(super) fn befalls(&mut self, whom: Party, kind: impl FnOnce() -> String) -> bool {
        let number = self.plan.befalls(|| format!("{whom}: {}", kind()));
        if let Some(befallen) = self.plan.befallen.last().filter(|_| number.is_some()) {
            let kind = befallen.kind.split_once(": ").map_or("", |(_, kind)| kind);
            self.outside.record(|| What::Trouble { number, whom, kind: kind.to_owned() });
        }
        number.is_some()
    }

    fn befall_server(&mut self, server: usize) {
        let trouble = self.random.pick(&self.faults.troubles);
        let now = self.outside.now;
        if self.is_calm() {
            return;
        }
        if self.servers[server].is_frozen(now) || !self.servers[server].is_serving() {
            return;
        }
        if !self.befalls(Party::Server(server), || format!("{trouble:?}")) {
            return;
        }
        match trouble {
            Trouble::Kill => self.servers[server].end(&mut self.outside, Ending::Killed),
            Trouble::PowerCut => self.servers[server].end(&mut self.outside, Ending::PowerCut),
            Trouble::Stop if self.pair.is_some() => self.leave(server, failover::endpoint::Command::Pause),
            Trouble::Stop => self.servers[server].stop(&mut self.outside),
            Trouble::KillAtCall => self.crash_at_call(server, Ending::Killed),
            Trouble::PowerCutAtCall => self.crash_at_call(server, Ending::PowerCut),
            Trouble::Pause => {
                self.outside.counts.one(Count::Pauses);
                let most = self.random.pick(&[4000, 60_000, 600_000]);
                let lasts = self.random.between(500, most);
                self.stand(server, now + lasts);
            }
            Trouble::LongPause => {
                self.outside.counts.one(Count::LongPauses);
                let lasts = self.random.between(600_000, 14_400_000);
                self.stand(server, now + lasts);
            }
            Trouble::WrongTime => self.wrong_time(server),
            Trouble::Skew => {
                self.outside.counts.one(Count::SkewChanges);
                let to = i64::try_from(self.random.below(3000)).unwrap_or(0) - 1500;
                self.servers[server].machine.wander(to);
            }
            Trouble::Freeze => self.freeze(server),
            Trouble::SyncFails => {
                let after = self.random.below(4);
                self.servers[server].disk.set_faults(|faults| faults.fail_sync_after = Some(after));
            }
            Trouble::WriteFails => {
                let after = self.random.below(4);
                self.servers[server].disk.set_faults(|faults| faults.fail_write_after = Some(after));
            }
            Trouble::DiskFull => {
                let most = self.random.pick(&[0, 1000, 20_000]);
                let space = self.servers[server].disk.used() + self.random.below(most + 1);
                self.servers[server].disk.set_faults(|faults| faults.space = Some(space));
                let lasts = self.random.between(30_000, 3_600_000);
                self.outside.schedule(now + lasts, Event::SpaceFreed { server });
            }
            Trouble::SlowSync => {
                self.servers[server].slow_until = now + self.random.between(30_000, 1_200_000);
            }
            Trouble::WallStep => self.step_wall(server),
            Trouble::Cut => {
                let link = self.random.pick(&Link::ALL);
                let lasts = self.random.between(10_000, self.scene.pace.max(600_000));
                self.outside.network.cut(server, link, now + lasts);
            }
            Trouble::Storm => self.storm(server),
        }
    }

    fn crash_at_call(&mut self, server: usize, ending: Ending) {
        let most = self.random.pick(&[3, 12, 60]);
        let after = self.random.below(most);
        let server = &mut self.servers[server];
        (server.ending, server.crashes_in_recovery) = (ending, true);
        server.disk.set_faults(|faults| faults.crash_after = Some(after));
    }

    /// The process stands still until then. Who stands still already stands at least as long: what came meanwhile waits for
    /// that.
    fn stand(&mut self, server: usize, until: Moment) {
        let until = until.max(self.servers[server].stands_until);
        self.servers[server].stands_until = until;
        self.outside.record(|| What::Stands { server, until });
    }

    /// The machine stands still, and does not notice; later its wall clock is set right.
    fn freeze(&mut self, server: usize) {
        self.outside.counts.one(Count::Freezes);
        let most = self.random.pick(&[8000, 300_000, 7_200_000]);
        let span = self.random.between(1000, most);
        // A pair trusts its clocks as long as they drift by 250 parts in a million at most: it is noticed at once, or no
        // partner could know how far its leases reach.
        let noticed = if self.pair.is_some() { 0 } else { self.random.between(1000, 1_800_000) };
        let now = self.outside.now;
        self.servers[server].frozen_until = now + span;
        self.servers[server].machine.stood_still(span);
        // A process that was stopped on it stays so.
        self.stand(server, now + span);
        self.outside.schedule(now + span + noticed, Event::NetworkTime { server });
        if self.pair.is_some() {
            let incarnation = self.servers[server].incarnation;
            self.outside.schedule(now + span, Event::Look { server, incarnation });
        }
    }

    fn step_wall(&mut self, server: usize) {
        let most = self.random.pick(&[5_000_u64, 600_000, 86_400_000, 31_536_000_000]);
        let by = i64::try_from(self.random.below(2 * most)).unwrap_or(0) - i64::try_from(most).unwrap_or(0);
        self.servers[server].machine.step(by);
        let lasts = self.random.between(5000, 1_800_000);
        self.outside.schedule(self.outside.now + lasts, Event::NetworkTime { server });
    }

    /// The network's time is far behind for a while, and the machine follows. Ahead it must not be: that looks like a machine that
    /// stood still, and engine time goes after it (design, Time).
    fn wrong_time(&mut self, server: usize) {
        self.outside.counts.one(Count::WrongTimes);
        let most = self.random.pick(&[90_000_u64, 3_600_000, 86_400_000, 31_536_000_000]);
        let behind = self.random.between(3000, most);
        self.servers[server].machine.follows_wrong_time(behind);
        let lasts = self.random.between(5000, 7_200_000);
        self.outside.schedule(self.outside.now + lasts, Event::NetworkTime { server });
    }

    /// Hundreds of clients that were carried here from another network, and some that want an address, at once.
    fn storm(&mut self, server: usize) {
        self.outside.counts.one(Count::Storms);
        let count = self.random.pick(&[200, 400, 1300]);
        let at = self.outside.now + 1;
        let mut steps = Vec::new();
        for _ in 0..count {
            let mut stranger = Client::stranger(self.random.split());
            if self.random.chance(20) {
                stranger.wake(0, &mut steps);
            } else {
                steps.push(stranger.rebooting(Ipv4Addr::new(172, 16, 0, 1)));
            }
        }
        for step in steps {
            if let Step::Send { bytes, .. } = step {
                let source = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68);
                let message = self.outside.next_message();
                let datagram = Datagram { source, destination: Ipv4Addr::BROADCAST, bytes, message };
                self.outside.schedule(at, Event::AtServer { server, datagram });
            }
        }
    }

    /// A client does something unusual.
    pub(super) fn habit(&mut self, client: usize) {
        if self.healed {
            return;
        }
        let (now, every) = (self.outside.now, self.faults.habit_every);
        let source = Source::Client(client);
        let next = self.plan.begin(source, &mut self.random, |random| now + random.wait(every));
        let Some(next) = next else { return };
        self.outside.schedule(next, Event::Habit { client });
        self.follow_habit(client);
        self.plan.end(&mut self.random);
    }

    fn follow_habit(&mut self, client: usize) {
        let habit = self.random.pick(&self.faults.habits);
        let (now, mut steps) = (self.local(client), Vec::new());
        let actor = &mut self.actors[client].client;
        let (number, link, spoke_bootp) = (actor.person.number, actor.link, actor.speaks_bootp());
        if habit == Habit::ForgedRelease {
            return self.forge_release(client);
        }
        let heeds = actor.heeds(habit);
        if heeds && !self.befalls(Party::Client(number), || format!("{habit:?}")) {
            return;
        }
        let actor = &mut self.actors[client].client;
        actor.act(now, habit, &mut steps);
        if !heeds {
            return;
        }
        if spoke_bootp && !actor.speaks_bootp() {
            self.outside.counts.one(Count::BootpReturns);
        }
        match habit {
            Habit::ChangeIdentity if actor.person.bootp => {}
            Habit::ChangeIdentity => self.outside.counts.one(Count::IdentityChanges),
            Habit::Roam if actor.link != link => self.outside.counts.one(Count::Roams),
            Habit::ReleaseAgain => self.release_again(client, &steps),
            _ => {}
        }
        self.perform(client, steps);
        self.call_client(client);
    }

    /// Somebody gives a client's lease back in its name: to the server that gave it, or to the other of a pair, while the client
    /// itself may find at the first that somebody uses its address.
    fn forge_release(&mut self, client: usize) {
        let now = self.local(client);
        let at_partner = self.pair.is_some() && self.random.chance(660);
        let declines = at_partner && self.random.chance(500);
        let actor = &mut self.actors[client].client;
        let Some(lease) = actor.lease.filter(|_| !actor.speaks_bootp()) else { return };
        let number = actor.person.number;
        if !self.befalls(Party::Client(number), || "ForgedRelease".to_owned()) {
            return;
        }
        let actor = &mut self.actors[client].client;
        let mut steps = vec![actor.releasing(if at_partner { lease.at_partner() } else { lease })];
        if declines {
            actor.find_in_use(now, &mut steps);
        }
        self.outside.counts.one(Count::ForgedReleases);
        self.perform(client, steps);
        self.call_client(client);
    }

    /// The network delivers a release once more, much later.
    fn release_again(&mut self, client: usize, steps: &[Step]) {
        for step in steps {
            if let Step::Send { bytes, to } = step {
                let after = self.random.between(2000, 200_000);
                self.outside.counts.one(Count::ForgedReleases);
                self.send(client, bytes, *to, after);
            }
        }
    }
}

impl Client {
    /// Somebody whom nobody has heard of.
    fn stranger(mut random: crate::random::Random) -> Client {
        let person = Person {
            number: u8::MAX,
            identifier: Some(random.next().to_le_bytes().to_vec()),
            broadcast: true,
            fresh_transactions: false,
            declines: 0,
            wishes: 0,
            pace: 60_000,
            gossip: Vec::new(),
            bootp: false,
        };
        Client::new(person, Link::Wire, 0, random)
    }
}
