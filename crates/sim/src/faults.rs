//! What goes wrong in the world of one seed.
//!
//! *Lives here:* [`Faults`]: each seed draws a random subset of all faults, with weights (a swarm): a world in which
//! everything fails at once is as quiet as one in which nothing does.
//! *Must not know:* how a fault is carried out.

use crate::clock::Moment;
use crate::net::Weather;
use crate::random::Random;
use crate::scene::Scene;

/// What can befall a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The process is killed, between two of its steps.
    Kill,
    /// The power is cut, between two steps.
    PowerCut,
    /// The process is killed in the middle of a coming call to the disk.
    KillAtCall,
    /// The power is cut in the middle of a coming call to the disk.
    PowerCutAtCall,
    /// The process is told to end, and does so in order.
    Stop,
    /// The process stands still, the clocks go on.
    Pause,
    /// The machine stands still, and its clocks with it.
    Freeze,
    /// A coming sync fails.
    SyncFails,
    /// A coming write fails.
    WriteFails,
    /// The disk is nearly full for a while.
    DiskFull,
    /// Each sync takes seconds for a while.
    SlowSync,
    /// The wall clock is set wrong for a while.
    WallStep,
    /// Nothing passes between the server and one of its networks for a while.
    Cut,
    /// Hundreds of messages from clients of another network arrive at once.
    Storm,
    /// The process stands still for hours, the clocks go on.
    LongPause,
    /// The network's time is wrong for a while, and far behind: the wall clock follows, and is said to be synchronised.
    WrongTime,
    /// What the network tells as time moves by a second or so.
    Skew,
}

/// What only long runs have besides.
const TROUBLES_OF_DAYS: [Trouble; 3] = [Trouble::LongPause, Trouble::WrongTime, Trouble::Skew];

const TROUBLES: [Trouble; 14] = [
    Trouble::Kill,
    Trouble::PowerCut,
    Trouble::KillAtCall,
    Trouble::PowerCutAtCall,
    Trouble::Stop,
    Trouble::Pause,
    Trouble::Freeze,
    Trouble::SyncFails,
    Trouble::WriteFails,
    Trouble::DiskFull,
    Trouble::SlowSync,
    Trouble::WallStep,
    Trouble::Cut,
    Trouble::Storm,
];

/// What the two servers of a pair know of each other's machines: the same troubles, but for storms.
const TROUBLES_IN_A_PAIR: usize = 13;

/// What can befall a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PairTrouble {
    /// Nothing passes between the two for a while; nobody is told.
    Cut,
    /// Nothing passes from one to the other for a while.
    OneWay,
    /// Nothing passes between the two for so short a while that they may not notice.
    Stall,
    /// Everything between the two takes seconds for a while.
    Slow,
    /// Their connection is reset, perhaps in the middle of a message.
    Reset,
    /// Both end at once.
    KillBoth,
    /// One is down for long, and perhaps cut off when it comes back.
    Outage,
    /// The operator says of a server that is down that it is.
    PartnerDown,
    /// The operator says of a server that is down, and has not been alone, that the other may serve.
    ServeAlone,
    /// One loses its disk.
    LostDisk,
    /// An older copy of one's store takes its place.
    Restore,
    /// One leaves for long, and says so.
    Shutdown,
    /// One restarts in order, then the other.
    RollingRestart,
    /// The operator wants everything to be sent once more.
    Resync,
    /// The operator says of a server that it is down, whatever is true.
    WrongPartnerDown,
}

const PAIR_TROUBLES: [PairTrouble; 14] = [
    PairTrouble::Cut,
    PairTrouble::OneWay,
    PairTrouble::Stall,
    PairTrouble::Slow,
    PairTrouble::Reset,
    PairTrouble::KillBoth,
    PairTrouble::Outage,
    PairTrouble::PartnerDown,
    PairTrouble::ServeAlone,
    PairTrouble::LostDisk,
    PairTrouble::Restore,
    PairTrouble::Shutdown,
    PairTrouble::RollingRestart,
    PairTrouble::Resync,
];

/// What a client may do besides living by RFC 2131.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// It goes away without a word and comes back much later.
    Vanish,
    /// It sleeps until its lease is over, and a while more.
    Sleep,
    /// It restarts, and remembers its lease.
    Reboot,
    /// It restarts, and remembers nothing.
    Forget,
    /// It gives its lease back.
    Release,
    /// It gives its lease back, gets one anew, and the network delivers the release again later.
    ReleaseAgain,
    /// Somebody gives its lease back in its name.
    ForgedRelease,
    /// It boots another system, which calls itself something else.
    ChangeIdentity,
    /// It is carried to another network and asks for its old address there.
    Roam,
    /// It asks for parameters.
    Inform,
}

const HABITS: [Habit; 10] = [
    Habit::Vanish,
    Habit::Sleep,
    Habit::Reboot,
    Habit::Forget,
    Habit::Release,
    Habit::ReleaseAgain,
    Habit::ForgedRelease,
    Habit::ChangeIdentity,
    Habit::Roam,
    Habit::Inform,
];

/// The faults of one seed.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    pub(crate) weather: Weather,
    /// Each as often as it weighs; empty for a seed in which servers are well.
    pub(crate) troubles: Vec<Trouble>,
    /// Mean time between two troubles of a server, in milliseconds.
    pub(crate) trouble_every: u64,
    /// Each as often as it weighs; empty for a seed in which clients are honest.
    pub(crate) habits: Vec<Habit>,
    /// Mean time between two habits of a client, in milliseconds.
    pub(crate) habit_every: u64,
    /// Out of a thousand leases, how many are declined.
    pub(crate) declines: u64,
    /// Out of a thousand requests, how many wish another lease time than the one before.
    pub(crate) wishes: u64,
    /// The battery's clock is wrong after a power cut.
    pub(crate) wrong_battery_clock: bool,
    /// The network's time is found long after a start, if at all.
    pub(crate) late_network_time: bool,
    /// Each as often as it weighs; empty where there is no pair, or all is well between the two.
    pub(crate) pair_troubles: Vec<PairTrouble>,
    /// Mean time between two troubles of a pair, in milliseconds.
    pub(crate) pair_trouble_every: u64,
    /// From when to when nothing new befalls anybody but clients, in order.
    pub(crate) calms: Vec<(Moment, Moment)>,
}

impl Faults {
    /// Draws. Time between troubles and habits is in proportion to `pace`, the shortest lease, in milliseconds: so a
    /// seed with leases of a minute and one with leases of days both see something.
    pub(crate) fn draw(random: &mut Random, pace: u64) -> Faults {
        let rate = |random: &mut Random, most: &[u64]| if random.chance(600) { random.pick(most) } else { 0 };
        let weather = Weather {
            lost: rate(random, &[5, 50, 150, 300]),
            doubled: rate(random, &[10, 100, 300]),
            delayed: rate(random, &[5, 50, 200]),
        };
        let troubles = draw(random, &TROUBLES);
        let habits = draw(random, &HABITS);
        Faults {
            weather,
            troubles,
            trouble_every: pace * random.between(1, 6),
            habits,
            habit_every: pace * random.between(2, 20),
            declines: rate(random, &[20, 100]),
            wishes: rate(random, &[100, 500]),
            wrong_battery_clock: random.chance(500),
            late_network_time: random.chance(500),
            pair_troubles: Vec::new(),
            pair_trouble_every: u64::MAX / 100,
            calms: Vec::new(),
        }
    }

    /// Draws for a pair. Times are in proportion to its MCLT: most of what can go wrong takes one.
    pub(crate) fn draw_pair(random: &mut Random, scene: &Scene) -> Faults {
        let mut faults = Faults::draw(random, scene.pace);
        let mclt = scene.terms.map_or(60_000, |terms| terms.mclt.as_millis());
        faults.troubles =
            if random.chance(400) { Vec::new() } else { draw(random, &TROUBLES[..TROUBLES_IN_A_PAIR]) };
        faults.trouble_every = mclt * random.between(2, 10);
        faults.habit_every = scene.pace.min(600_000) * random.between(2, 12);
        // An address goes through ABANDONED and RESET while the two are apart only where many are declined.
        faults.declines *= 3;
        // A clock that nobody has set right yet may be behind by any time, and its leases reach that much farther.
        faults.late_network_time = false;
        faults.pair_troubles = draw(random, &PAIR_TROUBLES);
        if scene.terms.is_some_and(|terms| terms.wrong_operator) {
            faults.pair_troubles.extend([PairTrouble::WrongPartnerDown; 4]);
        }
        faults.pair_trouble_every = mclt.max(120_000) * random.between(1, 6) / 2;
        faults
    }

    /// Draws for a pair that is troubled for days: in some seeds without a pause, in others a few hours of a day, so that leases
    /// and waits of any length come to their ends between two troubles.
    pub(crate) fn draw_days(random: &mut Random, scene: &Scene) -> Faults {
        const HOUR: u64 = 3_600_000;
        let mut faults = Faults::draw_pair(random, scene);
        if !faults.troubles.is_empty() {
            faults.troubles.extend(draw(random, &TROUBLES_OF_DAYS));
        }
        faults.habit_every = scene.pace.max(1_200_000) * random.between(1, 8);
        let (calm, busy, often) = match random.below(4) {
            0 => return faults,
            1 => ([2, 8], [2, 8], 2),
            2 => ([8, 24], [1, 4], 4),
            _ => ([20, 40], [1, 3], 4),
        };
        faults.trouble_every /= often;
        faults.pair_trouble_every /= often;
        let mut at = if random.chance(500) { 0 } else { random.between(busy[0], busy[1]) * HOUR };
        while at < scene.lasts {
            let until = at + random.between(calm[0] * HOUR, calm[1] * HOUR);
            faults.calms.push((at, until));
            at = until + random.between(busy[0] * HOUR, busy[1] * HOUR);
        }
        faults
    }

    /// When what was to befall somebody `at` does: not before a calm is over.
    pub(crate) fn after_calm(&self, at: Moment) -> Moment {
        let within = |(from, until): &(Moment, Moment)| (*from..*until).contains(&at);
        let Some(place) = self.calms.iter().position(within) else { return at };
        let (from, until) = self.calms[place];
        let next = self.calms.get(place + 1).map_or(until + (until - from), |(next, _)| *next);
        until + (at - from) % (next - until).max(1)
    }
}

fn draw<T: Copy>(random: &mut Random, all: &[T]) -> Vec<T> {
    if random.chance(100) {
        return Vec::new();
    }
    let enabled = random.pick(&[200, 500, 800]);
    let mut drawn = Vec::new();
    for one in all {
        if random.chance(enabled) {
            let weight = random.pick(&[1, 2, 6]);
            drawn.extend(std::iter::repeat_n(*one, weight));
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_begins_in_a_calm_and_everything_after_it() {
        let (mut quiet, mut dense) = (0, 0);
        for seed in 0..40 {
            let mut random = Random::new(seed);
            let scene = Scene::draw_pair(&mut random, Some(72));
            let faults = Faults::draw_days(&mut random, &scene);
            dense += u32::from(faults.calms.is_empty());
            for at in (0..scene.lasts).step_by(600_000) {
                let is_calm =
                    |at: Moment| faults.calms.iter().any(|(from, until)| (*from..*until).contains(&at));
                let moved = faults.after_calm(at);
                assert!(moved >= at && !is_calm(moved), "seed {seed}: {at} to {moved} of {:?}", faults.calms);
                assert_eq!(moved == at, !is_calm(at));
                quiet += u32::from(is_calm(at));
            }
        }
        assert!(dense > 4 && quiet > 4000, "{dense} seeds without a calm, {quiet} moments in one");
    }
}
