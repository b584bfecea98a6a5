//! A crash at every record: an engine that is rebuilt from what was recorded so far is the one that was in memory.
//!
//! What is compared is [`engine::Essence`] of two engines that start now: one from the log, one from a snapshot of the memory. So all
//! that a start forgets (offers, connections, what is under way) is forgotten on both sides, and nothing else.

use super::words::Outcome;
use engine::config::Config;
use engine::{Engine, Outbox, Position, SnapshotCursor};
use failover::time::Time;

/// What a start needs beside the records.
pub struct Start<'w> {
    pub config: &'w Config,
    pub store: ([u8; 16], u64),
    pub now: Time,
}

impl Start<'_> {
    /// An engine that starts now with these records.
    pub fn rebuilt(&self, records: &[Vec<u8>]) -> Outcome<Engine> {
        let mut engine = Engine::new(self.config.clone(), 7);
        engine.set_store(self.store.0, self.store.1);
        for record in records {
            engine.replay(record).map_err(|error| format!("after a crash: {error}"))?;
        }
        engine.start(self.now, &mut Outbox::new(Position::START));
        Ok(engine)
    }

    /// The records of a whole snapshot, each behind its length.
    fn snapshot(engine: &Engine) -> Vec<u8> {
        let (mut cursor, mut bytes) = (SnapshotCursor::default(), Vec::new());
        while !engine.snapshot(&mut cursor, 1000, &mut bytes).1 {}
        bytes
    }

    /// The engine in memory against the one that its log gives.
    pub fn compare(&self, engine: &Engine, log: &[Vec<u8>]) -> Outcome<()> {
        let from_log = self.rebuilt(log)?;
        let records = super::super::common::records(&Start::snapshot(engine));
        let from_memory = self.rebuilt(&records)?;
        same("what is in memory and what is recorded", &from_memory, &from_log)
    }

    /// A crash between two records of one step: nobody knows what the memory would have been, but what starts then is whole, and what it
    /// would have in a snapshot is itself.
    pub fn starts(&self, log: &[Vec<u8>]) -> Outcome<()> {
        let engine = self.rebuilt(log)?;
        let records = super::super::common::records(&Start::snapshot(&engine));
        let again = self.rebuilt(&records)?;
        let once_more = self.rebuilt(&super::super::common::records(&Start::snapshot(&again)))?;
        same("two starts after a crash", &again, &once_more)
    }
}

/// Whether two engines are one.
pub fn same(what: &str, one: &Engine, other: &Engine) -> Outcome<()> {
    if format!("{:?}", one.essence()) == format!("{:?}", other.essence()) {
        return Ok(());
    }
    let (one, other) = (format!("{:#?}", one.essence()), format!("{:#?}", other.essence()));
    Err(format!("{what} differ:\n{}", super::text::difference(&one, &other)))
}
