//! The real engine and the real store in a world that fails: virtual time, disks, networks and clients.
//!
//! *Lives here:* the world, its faults, and one checker for each invariant.
//! *May know:* the engine's and the store's public faces, DHCP messages.
//! *Must not know:* the server: no socket, no thread, no clock of this machine.
//!
//! A seed decides everything: who is there, what fails and when. [`run`] makes one run of it, [`run_seeds`] many. A run has two
//! halves. In the first anything may fail, and what must never happen is looked for at every step (S1, S3, S15, S16, S17). Then
//! faults stop, and what must happen has to (L4, L5).

mod beside;
mod checkers;
pub mod cli;
mod client;
mod clock;
mod count;
mod disk;
mod faults;
mod history;
mod hunt;
mod line;
mod net;
mod outside;
pub mod picture;
mod plan;
mod planted;
mod random;
mod report;
mod run;
mod scene;
mod server;
mod shrink;
pub mod small;
mod step;
mod words;
mod world;

pub use checkers::Violation;
pub use count::{Count, Counts};
pub use history::{Happening, Party, What};
pub use hunt::{Catch, hunt, table};
pub use plan::{Befallen, Without};
pub use planted::{BUGS, Bug, Planted, Shown};
pub use report::{Report, Summary, moment};
pub use run::{Found, Kind, Options, Search, find_planted, run, run_seeds};
pub use server::dhcpd::{Habit, Habits};
pub use shrink::{Shrunk, Size, shrink};
pub use step::step;
