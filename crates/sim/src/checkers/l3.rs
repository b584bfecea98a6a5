//! L3: when nobody asks for anything, free addresses are level between the two, and then nothing passes but signs of life.
//!
//! *Lives here:* [`level`], [`quiet`].

use crate::clock::Moment;
use engine::LeaseView;
use engine::config::Parts;
use failover::binding::BindingStatus;

/// How often a server looks at the balance, in milliseconds.
pub(crate) const INTERVAL: Moment = 30_000;

/// Of each pool each server has its half, give or take 15 % and what does not divide.
pub(crate) fn level(parts: &Parts, views: &[LeaseView]) -> Result<(), String> {
    let subnets = parts.shared_networks.iter().flat_map(|network| &network.subnets);
    for pool in subnets.flat_map(|subnet| &subnet.pools) {
        let count = |status: BindingStatus| {
            let here = views
                .iter()
                .filter(|view| (pool.first..=pool.last).contains(&view.address) && !view.reserved);
            here.filter(|view| view.status == status).count()
        };
        let (free, backup) = (count(BindingStatus::Free), count(BindingStatus::Backup));
        let most = (free + backup) * 15 / 100 * 2 + 3;
        if free.abs_diff(backup) > most {
            return Err(format!(
                "of the pool from {} on {free} are FREE and {backup} are BACKUP",
                pool.first
            ));
        }
    }
    Ok(())
}

/// How many BNDUPDs and POOLREQs had been sent, and are now.
pub(crate) fn quiet(before: u64, now: u64) -> Result<(), String> {
    if before == now {
        return Ok(());
    }
    Err(format!("{} BNDUPDs or POOLREQs were sent while nothing happened", now - before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talk_is_heard() {
        assert_eq!(quiet(4, 4), Ok(()));
        assert!(quiet(4, 5).is_err());
    }
}
