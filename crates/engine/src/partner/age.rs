//! Whether the store of this server is an older copy than its partner knows (D12 5.16, Q45): a restored backup, a cloned
//! machine, a disk that was rolled back.
//!
//! *Lives here:* what is noted of the partner's store while it is heard, and told to it in the next CONNECT or CONNECTACK;
//! the comparison of what it notes of ours.
//! *May know:* stamps of the endpoint's record, time in headers.
//! *Must not know:* what follows for the state: that is `failover::endpoint`'s.
//!
//! What counts is this server's own clock on both sides. Each message has its time in the header, and the time of operation is
//! recorded every few seconds; so a store that is what it was knows a time that is hardly earlier than the last that was
//! heard, whatever clocks did and however long the partner stood still. A generation that was heard before is none of ours:
//! each opening of a store makes the next one, before anything is said.

use super::Endpoint;
use crate::config::RelationshipId;
use crate::engine::Engine;
use crate::outbox::Outbox;
use failover::connection::{Connection, Established};
use failover::endpoint::{Command, Event as Happening};
use failover::message::HeardStore;
use failover::time::{ClockDelta, Interval, Time};

/// By how much what was said may be ahead of the last stamp on the disk: CONTACT waits for no sync.
const STAMPS_LAG: Interval = Interval::from_seconds(60);

impl Engine {
    /// Notes in the endpoint's record what is heard of the partner; stored with the next stamp, or the next change of state.
    pub(super) fn note_heard(&mut self, relationship: RelationshipId) {
        let endpoint = self.endpoint(relationship);
        // Before its STATE it may not have compared yet: what was heard of an earlier process must not be forgotten.
        if !endpoint.is_in_contact() {
            return;
        }
        let connection = endpoint.link.and_then(|link| self.links.get(link));
        let at = connection.map(Connection::partner_time).unwrap_or_default();
        let Some((identity, generation)) = endpoint.partner_store else { return };
        self.endpoint_mut(relationship).record.heard = Some(HeardStore { identity, generation, at });
    }

    /// A partner that heard more of us than our own records have shows that an old copy is in their place.
    /// D12-5.16-02.
    pub(super) fn compare_memories(
        &mut self,
        now: Time,
        relationship: RelationshipId,
        established: &Established,
        outbox: &mut Outbox,
    ) {
        let (identity, generation) = self.store;
        let believes = self.planted.believe_old_copy;
        let endpoint = self.endpoint_mut(relationship);
        let tandem = established.tandem;
        endpoint.partner_store = tandem.map(|tandem| (tandem.store_identity, tandem.store_generation));
        // Later ones have heard this very process, which says nothing about the store that it found.
        let first = !std::mem::replace(&mut endpoint.was_compared, true);
        if !first {
            return;
        }
        let known = endpoint.started_from;
        let is_new = endpoint.is_known_to_be_new();
        let heard = tandem.and_then(|tandem| tandem.heard);
        // Nobody heard this store before it was compared: who did has seen a later one of which this is a copy.
        let heard = heard.filter(|heard| !is_new || heard.identity == identity);
        let is_old = heard.is_some_and(|heard| {
            // Those of a copy begin again; but what they said before it was refilled is known to be over.
            let opened_since = heard.identity == identity && heard.generation >= generation;
            opened_since && is_later(&heard, known) || is_later(&heard, known.plus(STAMPS_LAG))
        });
        if is_old && !believes {
            let lost = Happening::Command(Command::StorageLost { down_since: None });
            self.happens(now, relationship, lost, outbox);
        }
        // Before the partner hears our state and notes this process: one that comes after it must know as much.
        self.endpoint_mut(relationship).record.vouched_for = now;
        self.store_endpoint(relationship, outbox);
    }
}

impl Endpoint {
    /// No partner was met with this store, and that bindings are missing is known, or that there were none: what the partner
    /// heard of another store of ours is no news.
    fn is_known_to_be_new(&self) -> bool {
        let stored = self.machine.stored();
        self.is_new && (stored.storage_lost || stored.first_run)
    }
}

/// Whether we were heard after the time of which the store knows.
fn is_later(heard: &HeardStore, known: Time) -> bool {
    heard.at.to_time(ClockDelta::default()) > known
}
