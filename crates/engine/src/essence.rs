//! What of an engine decides about the future.
//!
//! *Lives here:* [`Essence`]: as text, for who compares engines; an exhaustive search must know whether it has been
//! somewhere before.
//! *May know:* everything of this crate.
//! *Must not know:* how texts are compared.
//!
//! Left out is what was configured, what is only counted, and how a thing is found: wheel, lists, hash tables.

use crate::config::PoolId;
use crate::engine::Engine;
use crate::table::{Available, Slot};
use std::fmt;

/// Two engines of one configuration with the same essence answer everything that may come in the same way; times
/// and the numbers of transactions in it are as they are.
pub struct Essence<'e>(&'e Engine);

impl Engine {
    /// What decides about the future.
    pub fn essence(&self) -> Essence<'_> {
        Essence(self)
    }
}

impl fmt::Debug for Essence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Engine { table, endpoints, links, to_tell, storage, more, .. } = self.0;
        let mut all = f.debug_struct("Engine");
        for (_, binding) in table.numbered(0) {
            all.field("binding", &(binding.flags, binding.reserved, binding.record()));
        }
        for slot in table.numbered(0).filter_map(|(number, _)| table.by_number(number)) {
            if let Some(offer) = table.offer_of(slot) {
                all.field("offered", offer);
            }
        }
        for pool in (0..).map(PoolId).take(self.0.config.pools().len()) {
            for which in [Available::Free, Available::Backup] {
                let next = |slot: &Slot| table.after(pool, which, *slot);
                let available: Vec<Slot> = std::iter::successors(table.oldest(pool, which), next).collect();
                all.field("available", &available);
            }
        }
        for relationship in self.0.relationships() {
            all.field("queue", &table.untold(relationship).collect::<Vec<Slot>>());
        }
        all.field("lost_times", &table.lost_times().collect::<Vec<_>>());
        all.field("times_back", &table.times_back().collect::<Vec<_>>());
        for endpoint in endpoints {
            all.field("endpoint", &endpoint.essence());
        }
        for link in links.essence() {
            all.field("link", &link);
        }
        all.field("to_tell", to_tell).field("storage", storage).field("more", more).finish()
    }
}
