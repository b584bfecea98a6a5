//! L2: when faults have stopped, both know the same of every address, and nothing is left to be told.
//!
//! *Lives here:* [`know_the_same`].

use engine::{EndpointView, LeaseView};
use failover::binding::BindingStatus;
use std::net::Ipv4Addr;

/// How far two recorded ends may be apart, in milliseconds: the partner's times are corrected by a difference that was
/// measured with messages that took up to 9 s, the later of two ends stays (trap T19), and seconds are whole.
const APART: i128 = 12_000;

/// `views` are those of each server; `shared` says which addresses the two share; the second's clock is `ahead`
/// so far, and was once `unsteady` by so much, in milliseconds.
pub(crate) fn know_the_same(
    views: &[Vec<LeaseView>],
    endpoints: &[EndpointView],
    shared: impl Fn(Ipv4Addr) -> bool,
    ahead: i128,
    unsteady: u64,
) -> Result<(), String> {
    for view in endpoints {
        let left =
            [u64::from(view.queued), view.unacked as u64, view.refused as u64, u64::from(view.unagreed)];
        if left != [0; 4] {
            return Err(format!("the {} has something left to be told: {left:?}", view.role));
        }
    }
    let [ones, others] = views else { return Err("there are no two servers".to_owned()) };
    for (one, other) in ones.iter().zip(others).filter(|(one, _)| shared(one.address)) {
        let ends = [one, other].map(|view| i128::from(view.lease_expiration.as_millis()));
        let holds = |view: &LeaseView| view.status == BindingStatus::Active;
        let endless = [one, other].map(|view| view.lease_expiration == failover::time::Time::NEVER);
        let apart = if endless[0] { 0 } else { (ends[1] - ends[0] - ahead).abs() };
        let same_end = !holds(one) || endless[0] == endless[1] && apart <= APART + i128::from(unsteady);
        if one.address != other.address
            || other.status != status_at_secondary(one)
            || holds(one) && one.client != other.client
            || !same_end
        {
            return Err(format!("the primary has {}, the secondary has {}", line(one), line(other)));
        }
    }
    Ok(())
}

/// What the secondary has where the primary has this: the same, but for what is reserved and nobody's, which is FREE for the one and
/// BACKUP for the other (F07-5.12-02, -03).
fn status_at_secondary(primary: &LeaseView) -> BindingStatus {
    match primary.status {
        BindingStatus::Free if primary.reserved => BindingStatus::Backup,
        status => status,
    }
}

fn line(view: &LeaseView) -> String {
    let client = view.client.as_ref().map_or("nobody".to_owned(), ToString::to_string);
    format!("{} {:?} of {client} until {}", view.address, view.status, view.lease_expiration.as_seconds())
}
