//! How many addresses of each network have each status, kept as they change.
//!
//! *Lives here:* [`Tally`].
//! *Must not know:* bindings, why they change.
//!
//! Who asks how full a network is must not make clients wait: to go through some millions of slots takes 100 ms.

use crate::config::NetworkId;
use failover::binding::BindingStatus;

/// Counts of one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// In the order of [`BindingStatus::ALL`].
    pub(crate) by_status: [u64; 7],
    /// FREE ones that are offered.
    pub(crate) offered: u64,
}

/// Counts of all networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tally(Vec<Counts>);

impl Tally {
    pub(crate) fn new(networks: usize) -> Tally {
        Tally(vec![Counts::default(); networks])
    }

    pub(crate) fn of(&self, network: NetworkId) -> Counts {
        self.0[network.0 as usize]
    }

    /// An address is there, with this status.
    pub(super) fn add(&mut self, network: NetworkId, status: BindingStatus) {
        self.0[network.0 as usize].by_status[index(status)] += 1;
    }

    /// An address has another status than before.
    pub(super) fn moved(&mut self, network: NetworkId, from: BindingStatus, to: BindingStatus) {
        let by_status = &mut self.0[network.0 as usize].by_status;
        by_status[index(from)] = by_status[index(from)].saturating_sub(1);
        by_status[index(to)] += 1;
    }

    /// An address is offered now, or is not any more. Only FREE ones count; none changes its status while it is offered.
    pub(super) fn offered(&mut self, network: NetworkId, status: BindingStatus, is_offered: bool) {
        if status == BindingStatus::Free {
            let count = &mut self.0[network.0 as usize].offered;
            *count = if is_offered { *count + 1 } else { count.saturating_sub(1) };
        }
    }
}

fn index(status: BindingStatus) -> usize {
    usize::from(status.number()) - 1
}

#[cfg(test)]
mod tests {
    use super::super::{Binding, NO_OFFER, Table};
    use super::*;
    use crate::config::{Config, LeaseTimes, OptionSet, Parts, PoolParts, SharedNetworkParts, SubnetParts};
    use crate::record::Stamp;
    use dhcp::ClientIdentity;
    use failover::time::{Interval, Time};
    use proptest::prelude::*;

    /// Two networks; in the second there are two pools.
    fn config() -> Config {
        let network = |name: &str, prefix: &str, pools: &[(&str, &str)]| SharedNetworkParts {
            name: name.into(),
            subnets: vec![SubnetParts {
                prefix: prefix.parse().expect("a prefix"),
                lease: LeaseTimes::of(Interval::from_seconds(600)),
                options: OptionSet::default(),
                boot: crate::config::Boot::default(),
                pools: pools
                    .iter()
                    .map(|(first, last)| PoolParts {
                        first: first.parse().expect("an address"),
                        last: last.parse().expect("an address"),
                        options: OptionSet::default(),
                        failover: None,
                        dynamic_bootp: false,
                    })
                    .collect(),
                reservations: Vec::new(),
            }],
        };
        let parts = Parts {
            shared_networks: vec![
                network("one", "10.0.0.0/24", &[("10.0.0.10", "10.0.0.13")]),
                network("two", "10.0.1.0/24", &[("10.0.1.10", "10.0.1.11"), ("10.0.1.20", "10.0.1.22")]),
            ],
            options: OptionSet::default(),
            offer_time: Interval::from_seconds(60),
            decline_time: Interval::from_seconds(600),
            relationships: Vec::new(),
        };
        Config::check(&parts).expect("a configuration without faults")
    }

    fn counted(table: &Table, config: &Config) -> Tally {
        let mut tally = Tally::new(config.networks().len());
        for (slot, binding) in table.numbered(0) {
            let Some(network) = table.network(table.ranges.numbered(slot)) else { continue };
            tally.add(network, binding.status);
            if binding.offer != NO_OFFER {
                tally.offered(network, binding.status, true);
            }
        }
        tally
    }

    #[derive(Debug, Clone)]
    enum Step {
        Offer(u32, u8),
        Withdraw(u32),
        Change(u32, usize),
        Restart,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let slot = 0..10_u32;
        let step = prop_oneof![
            (slot.clone(), 0..6_u8).prop_map(|(slot, client)| Step::Offer(slot, client)),
            slot.clone().prop_map(Step::Withdraw),
            (slot, 0..7_usize).prop_map(|(slot, status)| Step::Change(slot, status)),
            Just(Step::Restart),
        ];
        prop::collection::vec(step, 0..60)
    }

    fn started(config: &Config, before: Option<&Table>) -> Table {
        let mut table = Table::new(config, 1);
        for (_, binding) in before.into_iter().flat_map(|table| table.numbered(0)) {
            table.restore(&binding.record());
        }
        // What the configuration does not have any more is counted nowhere.
        let mut orphan = Binding::unused(0x0a09_0909);
        orphan.status = BindingStatus::Active;
        table.restore(&orphan.record());
        table.start(config, Time::from_seconds(1_800_000_000));
        table
    }

    proptest! {
        #[test]
        fn counts_are_what_a_recount_finds(steps in steps()) {
            let config = config();
            let mut table = started(&config, None);
            for step in steps {
                match step {
                    Step::Offer(slot, client) => {
                        let slot = table.ranges.numbered(slot % 9);
                        let client = ClientIdentity::from_client_identifier(&[client; 3]).expect("an identity");
                        let network = table.network(slot).expect("it has one");
                        if table.get(slot).available().is_some() {
                            table.offer(slot, network, &client, Time::from_seconds(1_800_000_060));
                        }
                    }
                    Step::Withdraw(slot) => table.withdraw_offer(table.ranges.numbered(slot % 9)),
                    Step::Change(slot, status) => {
                        table.change(table.ranges.numbered(slot), |binding| {
                            binding.status = BindingStatus::ALL[status];
                            binding.start_time_of_state = Stamp::at_or_after(Time::from_seconds(1_800_000_000));
                        });
                    }
                    Step::Restart => table = started(&config, Some(&table)),
                }
                prop_assert_eq!(&table.tally, &counted(&table, &config));
            }
        }
    }
}
