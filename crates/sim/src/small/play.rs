//! Scripts: moves that are made in order, and what must be so in between.
//!
//! *Lives here:* [`Play`], a script that is being played; [`Script`] and [`Played`].
//! *Must not know:* what is played: `scripts` does.

use super::moves::{Client, Move, Server};
use super::setup::Setup;
use super::world::World;
use crate::checkers::Violation;
use crate::planted::Planted;
use failover::binding::BindingStatus;
use failover::state::FailoverState;

/// A trap of the protocol, from a pair in NORMAL on.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// By which it is asked for.
    pub name: &'static str,
    /// Sizes and times.
    pub setup: Setup,
    /// The bugs that a checker must find in it.
    pub bugs: &'static [&'static str],
    pub(super) moves: fn(&mut Play),
}

/// A script that was played.
#[derive(Debug)]
pub struct Played {
    /// What a checker found, if one did.
    pub violation: Option<Violation>,
    /// The first thing that was not as the script says. Not asked with a bug in: the world goes another way then.
    pub unexpected: Option<String>,
    /// All that happened, in lines for people.
    pub trace: Vec<String>,
}

impl Script {
    /// Plays it with these bugs in, and lets the two come together at the end.
    pub fn play(&self, planted: Planted) -> Played {
        let mut world = match World::paired(self.setup, planted) {
            Ok(world) => world,
            Err(why) => {
                return Played { violation: None, unexpected: Some(why.to_string()), trace: Vec::new() };
            }
        };
        world.keep_trace();
        let is_spoiled = planted != Planted::default();
        let mut play = Play { world, is_spoiled, unexpected: None };
        if let Err(why) = play.world.are_one() {
            play.note(why);
        }
        (self.moves)(&mut play);
        play.world.come_together();
        Played {
            violation: play.world.violation().cloned(),
            unexpected: play.unexpected,
            trace: play.world.trace(),
        }
    }
}

/// A script that is being played.
pub(super) struct Play {
    pub(super) world: World,
    is_spoiled: bool,
    unexpected: Option<String>,
}

impl Play {
    fn note(&mut self, what: String) {
        if !self.is_spoiled && self.world.violation().is_none() {
            self.unexpected.get_or_insert(what);
        }
    }

    /// Makes moves, until a checker has found something.
    pub(super) fn go(&mut self, moves: impl IntoIterator<Item = Move>) -> &mut Play {
        for one in moves {
            if self.world.violation().is_some() {
                break;
            }
            if let Err(why) = self.world.apply(one) {
                self.note(format!("{one}: {why}"));
            }
        }
        self
    }

    /// Time goes on, and all is well between the two as far as it can be.
    pub(super) fn live(&mut self, seconds: u32) -> &mut Play {
        for _ in 0..seconds {
            let _ = self.world.apply(Move::Connect);
            self.go([Move::Settle, Move::Pass(1)]);
        }
        self.go([Move::Settle])
    }

    /// All that is on its way to this server arrives, in order.
    pub(super) fn hear(&mut self, server: Server) -> &mut Play {
        for _ in 0..self.world.coming(server) {
            self.go([Move::Deliver(server)]);
        }
        self
    }

    /// What must be so now.
    pub(super) fn expect(&mut self, what: &str, is_so: impl FnOnce(&World) -> bool) -> &mut Play {
        if !is_so(&self.world) {
            self.note(what.to_owned());
        }
        self
    }
}

pub(super) fn nobody_has(client: Client) -> impl FnOnce(&World) -> bool {
    move |world| world.held_by(client).is_none()
}

pub(super) fn has(client: Client) -> impl FnOnce(&World) -> bool {
    move |world| world.held_by(client).is_some()
}

pub(super) fn in_state(server: Server, state: FailoverState) -> impl FnOnce(&World) -> bool {
    move |world| world.state(server) == Some(state)
}

pub(super) fn has_status(server: Server, number: u8, status: BindingStatus) -> impl FnOnce(&World) -> bool {
    move |world| world.status(server, number) == Some(status)
}
