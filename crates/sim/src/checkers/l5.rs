//! L5: no address is lost for good, and a new client gets one while any is available.
//!
//! *Lives here:* [`after_all_leases`], [`newcomers`]; asked at the end of a run.

use engine::LeaseView;
use failover::binding::BindingStatus;
use failover::time::Time;

/// When nobody has asked for longer than any lease and any probation lasts, every address is FREE or BACKUP, but for those that
/// were leased without end.
pub(crate) fn after_all_leases(views: &[LeaseView]) -> Result<(), String> {
    let available = |status| matches!(status, BindingStatus::Free | BindingStatus::Backup);
    let lost = views.iter().find(|view| !available(view.status) && view.lease_expiration != Time::NEVER);
    lost.map_or(Ok(()), |view| {
        Err(format!(
            "{} is {:?} long after everybody has gone: it is lost for good",
            view.address, view.status
        ))
    })
}

/// As many new clients as there are FREE addresses have come: `served` of them got one.
pub(crate) fn newcomers(free: usize, served: usize) -> Result<(), String> {
    if served >= free {
        return Ok(());
    }
    Err(format!("{free} addresses are FREE, and only {served} of as many new clients got one"))
}
