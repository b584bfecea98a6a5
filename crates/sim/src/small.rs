//! A small world: two servers, an address or two, a few clients, and nothing left to chance.
//!
//! *Lives here:* [`World`], which is moved by [`Move`]s and can be cloned at any moment; scripts are lists of moves, and the
//! exhaustive search tries all of them.
//! *May know:* the real engine, as its shell knows it; checkers, scenes and client messages of the big world.
//! *Must not know:* disks that fail, clocks that are wrong, networks that lose: runs by chance have them.
//!
//! A move happens in an instant, and all that follows from it at once, but for messages to the partner: they wait until they are
//! delivered. The disk of a server is the last record of each thing that became stable. By the rule of the outbox nothing leaves
//! before that; with [`Move::Stall`] a disk takes its time, so that a crash may come in between.

pub mod cli;
mod essence;
mod line;
mod look;
mod moves;
mod places;
mod play;
mod scripts;
mod search;
mod server;
mod setup;
mod world;

pub use moves::{Client, Move, Server};
pub use places::{Place, places};
pub use play::{Played, Script};
pub use scripts::SCRIPTS;
pub use search::{Budget, Found, Options, Outcome, search};
pub use setup::Setup;
pub use world::{Impossible, World};
