//! What befalls a server just when it has entered a state.
//!
//! *Lives here:* [`Moments`]: most states of a pair that is not whole pass within milliseconds, so that what comes by chance
//! never meets them.
//! *May know:* the state that a server said last.
//! *Must not know:* what the state means.

use super::World;
use crate::count::Count;
use crate::history::Party;
use crate::random::Random;
use crate::server::Ending;
use failover::endpoint::Command;
use failover::state::FailoverState;

/// See the module.
#[derive(Debug)]
pub(super) struct Moments {
    /// Of its own, so that a world without such moments is as it would be.
    random: Random,
    /// Out of a thousand moments, how many are seized.
    seized: u64,
    known: [Option<FailoverState>; 2],
}

/// What is done.
#[derive(Debug, Clone, Copy)]
enum Deed {
    /// The operator wants everything to be sent to this server once more, or to the other.
    Resync,
    /// The connection is reset.
    Reset,
    /// Nothing passes between the two for a while.
    Cut,
    Kill,
    Pause,
    Shutdown,
    /// The other is down for long, and an operator may say so.
    Alone,
}

impl Moments {
    pub(super) fn new(seed: u64) -> Moments {
        let mut random = Random::new(!seed);
        let seized = random.pick(&[0, 0, 0, 60, 300]);
        Moments { random, seized, known: [None; 2] }
    }

    /// What may be done now that `server` is in `state`; nothing while it stays there.
    fn enters(&mut self, server: usize, state: Option<FailoverState>) -> &'static [Deed] {
        use FailoverState as S;
        if std::mem::replace(&mut self.known[server], state) == state {
            return &[];
        }
        match state {
            Some(S::Normal) => &[Deed::Resync],
            Some(S::Recover | S::RecoverWait | S::RecoverDone) => {
                &[Deed::Resync, Deed::Resync, Deed::Reset, Deed::Kill, Deed::Pause, Deed::Shutdown]
            }
            Some(S::PotentialConflict) => {
                &[Deed::Reset, Deed::Cut, Deed::Cut, Deed::Kill, Deed::Pause, Deed::Shutdown]
            }
            Some(S::ConflictDone) => {
                &[Deed::Cut, Deed::Kill, Deed::Pause, Deed::Pause, Deed::Shutdown, Deed::Shutdown]
            }
            Some(S::ResolutionInterrupted) => {
                &[Deed::Kill, Deed::Cut, Deed::Pause, Deed::Shutdown, Deed::Alone, Deed::Alone]
            }
            _ => &[],
        }
    }

    /// Which of these is done, if any.
    fn draw(&mut self, deeds: &[Deed]) -> Option<u64> {
        self.random.chance(self.seized).then(|| self.random.below(deeds.len() as u64))
    }
}

impl World {
    /// Looks whether a server has entered a state, and seizes the moment.
    pub(in crate::world) fn look_for_moments(&mut self) {
        if let [one, other] = &self.servers[..]
            && self.pair.is_some()
        {
            let able = [one.is_well(self.outside.now), other.is_well(self.outside.now)];
            self.outside.checkers.serve(able);
        }
        for server in 0..2 {
            let state = self.state_of(server);
            let Some(pair) = &mut self.pair else { return };
            let deeds = pair.moments.enters(server, state);
            let Some(state) = state.filter(|_| !deeds.is_empty()) else { continue };
            let source = self.plan.enters(server, state);
            let drawn = match self.plan.has(source) {
                Some(has) => has.then_some(0),
                None => pair.moments.draw(deeds),
            };
            let Some(drawn) = drawn.filter(|_| !self.healed) else { continue };
            if !self.is_calm() {
                let drawn = self.plan.begin(source, &mut self.random, |_| drawn).unwrap_or(drawn);
                let deed = deeds[usize::try_from(drawn).unwrap_or(0)];
                if self.befalls(Party::Pair, || format!("{deed:?} just in {state} ({server})")) {
                    self.outside.counts.one(Count::Moments);
                    self.seize(server, deed);
                }
                self.plan.end(&mut self.random);
            }
        }
    }

    fn seize(&mut self, server: usize, deed: Deed) {
        match deed {
            Deed::Resync => {
                let whom = if self.random.chance(500) { server } else { 1 - server };
                self.servers[whom].command(&mut self.outside, Command::Resync);
            }
            Deed::Reset => self.reset(),
            Deed::Cut => {
                let lasts = self.how_long();
                self.cut([self.outside.now + lasts; 2]);
            }
            Deed::Kill => {
                let lasts = self.random.between(500, 60_000);
                self.take_down(server, Ending::Killed, lasts);
            }
            Deed::Pause => self.leave(server, Command::Pause),
            Deed::Shutdown => self.leave(server, Command::Shutdown),
            Deed::Alone => {
                let lasts = self.how_long();
                self.outage(1 - server, lasts);
            }
        }
    }
}
