//! The engine with its outbox, and the batches on their way to the journal and back.
//!
//! *Lives here:* [`Desk`]: what comes in is handed to the engine, what was decided is sealed and handed on; a reply that rests on
//! nothing leaves from here.
//! *Must not know:* sockets, the disk, any rule of the protocol.

use crate::counter::ShellCounter;
use crate::journal::Outlet;
use crate::log::{self, EventLog};
use crate::mailbox::{Receiver, Sender, mailbox};
use crate::shared::{BATCHES, Chunk, Shared, Spent, Work};
use engine::clock::ClockStamp;
use engine::config::RelationshipId;
use engine::{
    Batch, Commanded, Engine, Input, Outbox, Position, Reset, ResetRefusal, SnapshotCursor, ToPartner,
};
use failover::endpoint::Command;
use failover::time::Time;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tracing::info;

/// Records after which a batch is sealed while there is more to do: their bytes are memory that is kept.
const RECORDS_PER_BATCH: u64 = 4096;

/// Slots of the table that one turn of the owner puts into a snapshot.
const SLOTS_PER_TURN: usize = 2000;

/// What waits for the journal beside batches: a begun snapshot, its piece, the end.
const OTHER_WORK: usize = 4;

/// What the owner decides on.
pub(crate) struct Desk {
    pub(crate) engine: Engine,
    outbox: Outbox,
    /// Where the outbox stood when it was sealed last.
    sealed: Position,
    spare: Vec<Batch>,
    work: Sender<Work>,
    spent: Receiver<Spent>,
    /// What may leave to partners now, in order.
    for_partners: VecDeque<ToPartner>,
    /// Where replies leave that wait for no sync.
    outlet: Box<dyn Outlet + Send>,
    shared: Arc<Shared>,
    log: EventLog,
    snapshot: Option<SnapshotCursor>,
    /// The one buffer for pieces of a snapshot, while the journal does not have it.
    chunk: Option<Chunk>,
}

/// The journal's ends of the two mailboxes.
pub(crate) struct JournalEnds {
    pub(crate) work: Receiver<Work>,
    pub(crate) spent: Sender<Spent>,
}

/// The journal has ended: so must the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JournalGone;

impl Desk {
    pub(crate) fn new(
        engine: Engine,
        outbox: Outbox,
        outlet: Box<dyn Outlet + Send>,
        shared: Arc<Shared>,
        log: EventLog,
    ) -> (Desk, JournalEnds) {
        let (work, work_out) = mailbox(BATCHES + OTHER_WORK);
        let (spent_in, spent) = mailbox(BATCHES + OTHER_WORK);
        let desk = Desk {
            engine,
            sealed: outbox.position(),
            outbox,
            spare: std::iter::repeat_with(Batch::default).take(BATCHES).collect(),
            work,
            spent,
            for_partners: VecDeque::new(),
            outlet,
            shared,
            log,
            snapshot: None,
            chunk: Some(Chunk::default()),
        };
        (desk, JournalEnds { work: work_out, spent: spent_in })
    }

    /// Hands one input to the engine; a batch that has grown large is handed on.
    pub(crate) fn handle(&mut self, now: Time, input: Input<'_>) -> Result<(), JournalGone> {
        self.engine.handle(now, input, &mut self.outbox);
        if self.is_large() { self.seal() } else { Ok(()) }
    }

    /// Records how engine time stands to the clocks.
    pub(crate) fn note_clock(&mut self, stamp: ClockStamp) {
        self.engine.note_clock(stamp, &mut self.outbox);
    }

    /// The replay is over: the engine begins.
    pub(crate) fn start(&mut self, now: Time) {
        self.engine.start(now, &mut self.outbox);
    }

    /// Whether nothing more may be decided before the journal gives a batch back.
    pub(crate) fn must_wait(&mut self) -> bool {
        if !self.is_large() || self.take_spare() {
            return false;
        }
        // Said first, looked at once more then: a batch that came back in between has not been missed.
        self.shared.owner_waits.store(true, Ordering::SeqCst);
        !self.take_spare()
    }

    /// Carries out a command about a partner; what it changes is stable when every record below the position is.
    pub(crate) fn command(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        command: Command,
    ) -> (Commanded, Position) {
        let commanded = self.engine.command_partner(now, relationship, command, &mut self.outbox);
        (commanded, self.outbox.position())
    }

    /// Frees an address by an operator's word; what that changes is stable when every record below the position is.
    pub(crate) fn reset(
        &mut self,
        now: Time,
        address: Ipv4Addr,
        leased: bool,
    ) -> (Result<Reset, ResetRefusal>, Position) {
        let reset = self.engine.reset_address(now, address, leased, &mut self.outbox);
        (reset, self.outbox.position())
    }

    /// The next thing for a partner that rests on nothing, or on what is stable.
    pub(crate) fn next_for_partner(&mut self) -> Option<ToPartner> {
        if self.for_partners.is_empty() {
            self.take_spent();
        }
        self.for_partners.pop_front()
    }

    /// Lets the journal wake the owner when the next batch comes back.
    pub(crate) fn want_batch(&self) {
        self.shared.owner_waits.store(true, Ordering::SeqCst);
    }

    /// Whether all that was decided is written, and what was for partners is handed out.
    pub(crate) fn is_at_rest(&mut self) -> bool {
        self.take_spent();
        self.outbox.is_empty() && self.for_partners.is_empty() && self.spare.len() == BATCHES
    }

    /// Hands all that was decided to the journal, if a batch is free; else it stays, and later goes with more.
    pub(crate) fn seal(&mut self) -> Result<(), JournalGone> {
        // A CONTACT waits for no disk, or a slow disk would look like a dead server.
        self.outbox.release_contacts(|to| self.for_partners.push_back(to));
        self.release_at_once();
        if self.outbox.is_empty() {
            return Ok(());
        }
        if !self.take_spare() {
            self.shared.owner_waits.store(true, Ordering::SeqCst);
            if !self.take_spare() {
                return Ok(());
            }
        }
        let Some(spare) = self.spare.pop() else { return Ok(()) };
        let batch = self.outbox.seal(spare);
        self.sealed = self.outbox.position();
        let (events, dropped) = batch.events();
        if !events.is_empty() || dropped > 0 {
            self.log.write(events, dropped);
        }
        self.hand_on(Work::Batch(batch))
    }

    /// An OFFER rests on nothing: it waits neither for a sync that is under way nor for one to come, and where there is nothing but
    /// OFFERs the journal is left alone.
    fn release_at_once(&mut self) {
        if self.outbox.waiting() == 0 {
            return;
        }
        // Where the clock cannot be read, the journal finds so too, and ends the process.
        let Ok(now) = self.shared.now() else { return };
        let Desk { outbox, outlet, shared, .. } = self;
        let released =
            outbox.release(shared.stable(), now, |destination, bytes| outlet.add(destination, bytes));
        shared.counters.add(ShellCounter::RepliesTooOld, released.too_old as u64);
        if released.sent > 0 {
            outlet.flush();
        }
        if let Some(error) = outlet.take_error() {
            log::send_failed(error);
        }
    }

    /// The end: waits until all is handed on.
    pub(crate) fn finish(&mut self) -> Result<(), JournalGone> {
        while !self.outbox.is_empty() {
            if !self.take_spare() {
                let spent = self.spent.recv().map_err(|_| JournalGone)?;
                self.put_back(spent);
            }
            self.seal()?;
        }
        self.hand_on(Work::Stop)
    }

    /// One step of a snapshot, where one is wanted or under way.
    pub(crate) fn snapshot_step(&mut self) -> Result<(), JournalGone> {
        self.take_spent();
        if self.snapshot.is_none()
            && self.chunk.is_some()
            && self.shared.snapshot_wanted.load(Ordering::Acquire)
        {
            self.shared.snapshot_wanted.store(false, Ordering::Release);
            info!("a snapshot begins");
            self.snapshot = Some(SnapshotCursor::default());
            self.hand_on(Work::BeginSnapshot)?;
        }
        // What a piece says must be in the log before it: so it is only taken when nothing waits in the outbox.
        if self.snapshot.is_none() || self.chunk.is_none() || !self.outbox.is_empty() {
            return Ok(());
        }
        let (Some(mut cursor), Some(mut chunk)) = (self.snapshot.take(), self.chunk.take()) else {
            return Ok(());
        };
        chunk.bytes.clear();
        (chunk.count, chunk.is_last) = self.engine.snapshot(&mut cursor, SLOTS_PER_TURN, &mut chunk.bytes);
        if chunk.is_last {
            info!("a snapshot is complete");
        } else {
            self.snapshot = Some(cursor);
        }
        self.hand_on(Work::Chunk(chunk))
    }

    /// The number of the next record.
    pub(crate) fn next_position(&self) -> Position {
        self.outbox.position()
    }

    fn is_large(&self) -> bool {
        self.outbox.is_full() || self.outbox.position().0 - self.sealed.0 >= RECORDS_PER_BATCH
    }

    fn take_spare(&mut self) -> bool {
        if self.spare.is_empty() {
            self.take_spent();
        }
        !self.spare.is_empty()
    }

    fn take_spent(&mut self) {
        while let Some(spent) = self.spent.try_recv() {
            self.put_back(spent);
        }
    }

    fn put_back(&mut self, spent: Spent) {
        match spent {
            Spent::Batch(mut batch) => {
                // A batch comes back when all of it is stable.
                let stable = batch.end();
                batch.release_partners(stable, |to| self.for_partners.push_back(to));
                self.spare.push(batch);
            }
            Spent::Chunk(chunk, went_well) => {
                self.chunk = Some(chunk);
                if !went_well {
                    self.snapshot = None;
                }
            }
        }
    }

    /// Never waits, and asks for no memory: there are no more batches than the mailbox has room for.
    fn hand_on(&mut self, work: Work) -> Result<(), JournalGone> {
        self.work.send(work).map_err(|_| JournalGone)
    }
}
