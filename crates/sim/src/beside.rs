//! A run of a Tandem beside a dhcpd, and what must come of it.
//!
//! *Lives here:* the two halves of such a run; [`Scene`] and [`Faults`] as far as they fit a dhcpd.
//! *May know:* which of the two is the dhcpd.
//! *Must not know:* its habits.
//!
//! What is asked: all that Tandem alone can keep (S2 to S17 of what it gives, records and says), D1 (nothing that a Tandem says stops a dhcpd, and
//! no end of a lease is told before the dhcpd was asked), S1 as far as no habit of the dhcpd explains it, L1 (both in NORMAL again),
//! L2 (both think the same of each address when all leases are over), L4 and L5. What two clients have by a habit is counted.

use crate::checkers::{l1, l5};
use crate::count::Count;
use crate::faults::{Faults, PairTrouble, Trouble};
use crate::random::Random;
use crate::scene::Scene;
use crate::world::World;
use failover::dialect::Dialect;
use failover::time::Interval;

impl Scene {
    /// A pair one of which is a dhcpd: the primary for even seeds, the secondary for odd ones.
    pub(crate) fn draw_beside_dhcpd(random: &mut Random, seed: u64) -> Scene {
        let mut scene = Scene::draw_pair(random, None);
        scene.dhcpd = Some(usize::from(seed % 2 == 1));
        // NTP keeps both clocks: `docs/dhcpd-partner.md` asks for it.
        let skew = random.pick(&[0, 0, -700, 900]);
        if let Some(terms) = &mut scene.terms {
            (terms.skew, terms.wrong_operator) = (skew, false);
        }
        scene.reserved.clear();
        let mut longest = 0;
        for parts in &mut scene.servers {
            parts.relationships.iter_mut().for_each(|terms| terms.dialect = Dialect::Dhcpd);
            for subnet in parts.shared_networks.iter_mut().flat_map(|network| &mut network.subnets) {
                subnet.reservations.clear();
                let most = 4 * subnet.lease.lease.as_seconds();
                subnet.lease.maximum = Interval::from_seconds(most);
                longest = longest.max(most * 1000);
            }
        }
        scene.longest = longest;
        scene
    }
}

impl Faults {
    /// What the scene of a dhcpd can bear: clocks are right, no old copy of a store, no word that only a Tandem takes, and a dhcpd keeps what
    /// was declined.
    pub(crate) fn draw_beside_dhcpd(random: &mut Random, scene: &Scene) -> Faults {
        let mut faults = Faults::draw_pair(random, scene);
        faults.pair_troubles.retain(|trouble| {
            !matches!(trouble, PairTrouble::Restore | PairTrouble::ServeAlone | PairTrouble::WrongPartnerDown)
        });
        faults.troubles.retain(|trouble| !matches!(trouble, Trouble::WallStep | Trouble::Freeze));
        (faults.declines, faults.wrong_battery_clock) = (0, false);
        faults
    }
}

/// See the module.
pub(crate) fn live(world: &mut World) {
    world.run_until(world.scene.lasts);
    if world.has_failed() {
        return;
    }
    if !world.heal() {
        world.outside.checkers.judge("L4", Err("a server did not serve again when all was well".to_owned()));
        return;
    }
    let Some(terms) = world.scene.terms else { return };
    let within = l1::bound(terms.mclt);
    let began = world.outside.now;
    while !world.are_normal() && world.outside.now < began + within && !world.has_failed() {
        world.run_until(world.outside.now + 1000);
    }
    let states = world.states();
    let verdict =
        if world.are_normal() { Ok(()) } else { Err(format!("after {} s: {states:?}", within / 1000)) };
    world.outside.checkers.judge("L1", verdict);
    world.outside.counts.add(Count::NormalAtLast, u64::from(world.are_normal()));
    world.run_until(world.outside.now + 60_000);
    world.outside.checkers.healed();
    world.run_until(world.outside.now + (world.scene.pace * 30).min(world.scene.longest));
    world.empty();
    // A dhcpd that was refused an end tells it again when it has lost the connection. A Tandem that lost its disk holds what it may
    // have told for half as long again as the longest lease.
    let forgotten = world.scene.longest / 2 * 3 / 1000 * 1003 + 3 * terms.mclt.as_millis() + 180_000;
    world.run_until(world.outside.now + forgotten);
    if world.has_failed() {
        return;
    }
    // A dhcpd keeps what was declined for a day, and its partner with it.
    let abandoned = failover::binding::BindingStatus::Abandoned;
    let kept = world.views().into_iter().filter(|view| view.status != abandoned);
    let verdict = l5::after_all_leases(&kept.collect::<Vec<_>>());
    world.outside.checkers.judge("L5", verdict);
    let verdict = world.agrees_with_dhcpd();
    world.outside.checkers.judge("L2", verdict);
    let all_declined = world.views().into_iter().all(|view| view.status == abandoned);
    world.newcomers();
    world.run_until(world.outside.now + 600_000);
    // Without delayed-service-parameter nobody answers for one who has nothing to give.
    let may_wait = terms.delayed_service.is_none();
    let verdict = if world.served() > 0 || all_declined || may_wait {
        Ok(())
    } else {
        Err("nobody who came last was served".to_owned())
    };
    world.outside.checkers.judge("L5", verdict);
}

impl World {
    /// What each says of its state.
    fn states(&self) -> Vec<Option<failover::state::FailoverState>> {
        (0..2).map(|server| self.state_of(server)).collect()
    }

    /// Both think the same of each address.
    fn agrees_with_dhcpd(&self) -> Result<(), String> {
        let Some(dhcpd) = self.dhcpd() else { return Ok(()) };
        for view in self.views() {
            let theirs = dhcpd.status(view.address);
            let is_kept = view.status == failover::binding::BindingStatus::Abandoned;
            if !is_kept && theirs.is_some_and(|theirs| theirs != view.status) {
                return Err(format!("{} is {} here, and {theirs:?} there", view.address, view.status));
            }
        }
        Ok(())
    }
}
