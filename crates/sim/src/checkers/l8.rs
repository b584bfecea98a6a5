//! L8: a server that cannot serve its clients does not stay in NORMAL: its partner serves them (design: grey failure).
//!
//! *Lives here:* [`L8`]. What a server cannot know of itself, and its partner cannot see, is not asked: one that is cut off from its
//! clients alone serves nobody, and says CONTACT; clients that get no answer count their seconds, and the other takes them then.

use crate::clock::Moment;
use failover::state::FailoverState;
use failover::time::Interval;

/// How long it may take to find out and to say so, beyond the receive timer.
const FOUND_OUT: Moment = 60_000;

#[derive(Debug, Clone, Default)]
pub(crate) struct L8 {
    /// Since when each is as it is: whether it can serve.
    since: [(Moment, bool); 2],
}

impl L8 {
    /// `able`: whether each can hear, write and answer now; `states`: in what state each says that it is.
    pub(super) fn look(
        &mut self,
        now: Moment,
        able: [bool; 2],
        states: [Option<FailoverState>; 2],
        receive_timer: Interval,
    ) -> Result<(), String> {
        for (since, able) in self.since.iter_mut().zip(able) {
            if since.1 != able {
                *since = (now, able);
            }
        }
        let long = |since: Moment| now.saturating_sub(since) > receive_timer.as_millis() + FOUND_OUT;
        let stays = |server: usize| {
            let ((ill, is_able), (well, other_is_able)) = (self.since[server], self.since[1 - server]);
            let is_normal = states[1 - server] == Some(FailoverState::Normal);
            !is_able && other_is_able && long(ill) && long(well) && is_normal
        };
        (0..2).find(|server| stays(*server)).map_or(Ok(()), |server| {
            let ill = (now - self.since[server].0) / 1000;
            Err(format!("server {server} has served nobody for {ill} s, and its partner is in NORMAL"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_serve_for_long_must_not_be_counted_on() {
        let mut l8 = L8::default();
        let states = [Some(FailoverState::Normal); 2];
        let mut look = |now, able| l8.look(now, [true, able], states, Interval::from_seconds(5));
        assert_eq!(look(1000, true), Ok(()));
        assert_eq!(look(100_000, false), Ok(()));
        assert_eq!(look(165_000, false), Ok(()));
        assert!(look(165_001, false).is_err());
        assert_eq!(look(166_000, true), Ok(()));
    }
}
