//! What is beneath a server: where its records go before anything leaves that rests on them.
//!
//! The engine's own tests have nothing there, and records are stable at once. `crates/sim/tests/crash.rs` has the real store there, on a
//! disk that crashes at each of its calls.

use super::claim::Claim;
use super::crash::Start;
use super::words::Outcome;
use engine::{Batch, Engine};

pub trait Ground {
    /// Whether crashes are looked at: where scripts begin they are not, for each beginning is a script of its own.
    fn look(&mut self, looks: bool);

    /// Records that a script puts there before its server starts.
    fn put(&mut self, record: &[u8]);

    /// The disk is replaced by an empty one.
    fn replace(&mut self);

    /// A process starts, whatever became of the one before; the records that it finds.
    fn open(&mut self, start: &Start<'_>) -> Outcome<Vec<Vec<u8>>>;

    /// A batch is decided; when this returns, its records are stable.
    fn keep(&mut self, batch: &Batch, start: &Start<'_>) -> Outcome<()>;

    /// Something leaves, and is a claim about records.
    fn said(&mut self, claim: &Claim);

    /// All of the batch has left. `is_news`: there was more in it than that time has passed.
    fn rest(&mut self, engine: &Engine, start: &Start<'_>, is_news: bool) -> Outcome<()>;
}
