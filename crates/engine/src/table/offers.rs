//! Addresses that are offered to a client and wait for its answer. Not durable: an offer promises little.
//!
//! *Lives here:* [`Offers`].
//! *Must not know:* bindings.
//!
//! Bound: an offer holds an address of a pool, so there are never more offers than addresses.

use crate::config::NetworkId;
use dhcp::ClientIdentity;
use failover::time::Time;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// How many offers have their memory from the start. More at a time are rare (an offer lives until the client answers, which
/// takes milliseconds), and only the first time that there are so many costs something.
const READY: usize = 16_384;

#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) client: ClientIdentity,
    pub(crate) network: NetworkId,
    pub(crate) slot: u32,
    pub(crate) until: Time,
}

#[derive(Debug, Clone)]
pub(crate) struct Offers {
    hasher: FixedState,
    all: Vec<Option<Offer>>,
    unused: Vec<u32>,
    by_client: HashTable<u32>,
}

impl Offers {
    pub(crate) fn new(seed: u64) -> Offers {
        Offers {
            hasher: FixedState::with_seed(seed),
            all: Vec::new(),
            unused: Vec::new(),
            by_client: HashTable::new(),
        }
    }

    /// Sets memory aside, for `addresses` at most.
    pub(crate) fn reserve(&mut self, addresses: usize) {
        let ready = addresses.min(READY);
        self.all.reserve(ready);
        self.unused.reserve(ready);
        self.by_client.reserve(ready, |_| 0);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.all.len() - self.unused.len()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Offer> {
        self.all.get(number as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Offer> {
        self.all.get_mut(number as usize)?.as_mut()
    }

    /// The offer that this client has in this network.
    pub(crate) fn of(&self, network: NetworkId, client: &ClientIdentity) -> Option<&Offer> {
        let hash = self.hash(network, client);
        let number = self.by_client.find(hash, |&number| self.is(number, network, client))?;
        self.get(*number)
    }

    /// Notes an offer; returns its number. The client has no other in this network.
    pub(crate) fn insert(&mut self, offer: Offer) -> u32 {
        let hash = self.hash(offer.network, &offer.client);
        let number = self.unused.pop().unwrap_or_else(|| {
            self.all.push(None);
            // Never more than there are addresses, which are fewer than 2^32.
            u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
        });
        self.all[number as usize] = Some(offer);
        let Offers { by_client, all, hasher, .. } = self;
        by_client.insert_unique(hash, number, |&number| {
            all[number as usize].as_ref().map_or(0, |offer| hash_of(hasher, offer.network, &offer.client))
        });
        number
    }

    pub(crate) fn remove(&mut self, number: u32) {
        let Some(offer) = self.all.get_mut(number as usize).and_then(Option::take) else { return };
        let hash = self.hash(offer.network, &offer.client);
        if let Ok(entry) = self.by_client.find_entry(hash, |&entry| entry == number) {
            entry.remove();
        }
        self.unused.push(number);
    }

    fn is(&self, number: u32, network: NetworkId, client: &ClientIdentity) -> bool {
        self.get(number).is_some_and(|offer| offer.network == network && offer.client == *client)
    }

    fn hash(&self, network: NetworkId, client: &ClientIdentity) -> u64 {
        hash_of(&self.hasher, network, client)
    }
}

/// The key under which a client is found in a network.
pub(crate) fn hash_of(hasher: &FixedState, network: NetworkId, client: &ClientIdentity) -> u64 {
    hasher.hash_one((network, client.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u8) -> ClientIdentity {
        ClientIdentity::from_client_identifier(&[number]).unwrap()
    }

    #[test]
    fn an_offer_is_found_by_client_and_network_until_it_is_removed() {
        let mut offers = Offers::new(1);
        let numbers: Vec<u32> = (0..100)
            .map(|n| {
                let (client, slot) = (client(n), u32::from(n));
                offers.insert(Offer { client, network: NetworkId(0), slot, until: Time::ZERO })
            })
            .collect();
        assert_eq!(offers.of(NetworkId(0), &client(42)).map(|offer| offer.slot), Some(42));
        assert!(offers.of(NetworkId(1), &client(42)).is_none());
        offers.remove(numbers[42]);
        offers.remove(numbers[42]);
        assert!(offers.of(NetworkId(0), &client(42)).is_none());
        assert_eq!(offers.len(), 99);
        let again =
            offers.insert(Offer { client: client(42), network: NetworkId(1), slot: 7, until: Time::ZERO });
        assert_eq!((again, offers.len()), (numbers[42], 100));
    }
}
