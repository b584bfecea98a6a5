//! Networks that lose, double, reorder and delay.
//!
//! *Lives here:* [`Network`]: when, how often and whether a datagram arrives.
//! *May know:* which network and which server a datagram is between.
//! *Must not know:* what it says.

use crate::clock::Moment;
use crate::random::Random;

/// Where a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Link {
    /// On the wire of the servers.
    Wire,
    /// Behind a relay.
    Far,
}

impl Link {
    pub(crate) const ALL: [Link; 2] = [Link::Wire, Link::Far];
}

/// How bad the networks are: out of a thousand datagrams.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    /// Delayed by seconds, and of these some by minutes.
    pub(crate) delayed: u64,
}

/// What happened to datagrams.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NetworkTally {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) delayed: u64,
}

/// All networks between clients and servers.
#[derive(Debug)]
pub(crate) struct Network {
    weather: Weather,
    random: Random,
    /// Until when nothing passes between a server and a network.
    cuts: Vec<[Moment; 2]>,
    pub(crate) tally: NetworkTally,
}

impl Network {
    pub(crate) fn new(servers: usize, weather: Weather, random: Random) -> Network {
        Network { weather, random, cuts: vec![[0; 2]; servers], tally: NetworkTally::default() }
    }

    /// From now on everything arrives, once and soon.
    pub(crate) fn heal(&mut self) {
        self.weather = Weather::default();
        self.cuts.fill([0; 2]);
    }

    /// Nothing passes between this server and this network until then.
    pub(crate) fn cut(&mut self, server: usize, link: Link, until: Moment) {
        self.cuts[server][link as usize] = until;
    }

    /// When a datagram that is sent now arrives: never, once, or twice.
    pub(crate) fn carry(&mut self, now: Moment, server: usize, link: Link) -> [Option<Moment>; 2] {
        if now < self.cuts[server][link as usize] || self.random.chance(self.weather.lost) {
            self.tally.lost += 1;
            return [None, None];
        }
        let first = now + self.delay();
        let mut second = None;
        if self.random.chance(self.weather.doubled) {
            self.tally.doubled += 1;
            second = Some(now + self.delay());
        }
        [Some(first), second]
    }

    fn delay(&mut self) -> u64 {
        if !self.random.chance(self.weather.delayed) {
            return self.random.between(1, 4);
        }
        self.tally.delayed += 1;
        let longest = self.random.pick(&[100, 3000, 20_000, 180_000]);
        self.random.between(5, longest)
    }
}
