//! L7: one server alone, its partner dead for ever: after PARTNER-DOWN and the waits in it every address is there for new clients.
//!
//! *Lives here:* [`obeyed`], [`serves_all`]; asked at the very end of a run.

use engine::LeaseView;
use failover::binding::BindingStatus;

/// The operator's word is taken.
pub(crate) fn obeyed(is_obeyed: bool) -> Result<(), String> {
    if is_obeyed {
        Ok(())
    } else {
        Err("a server does not take the word that its partner is dead".to_owned())
    }
}

/// Whether nothing that this server shows waits for anything.
pub(crate) fn is_ready(views: &[LeaseView]) -> bool {
    views.iter().all(|view| {
        matches!(view.status, BindingStatus::Free | BindingStatus::Backup | BindingStatus::Abandoned)
    })
}

/// All addresses of the one that is left are available, and `served` new clients came for them.
pub(crate) fn serves_all(views: &[LeaseView], available: usize, served: usize) -> Result<(), String> {
    let waits = |view: &&LeaseView| {
        matches!(view.status, BindingStatus::Expired | BindingStatus::Released | BindingStatus::Reset)
    };
    if let Some(view) = views.iter().find(waits) {
        return Err(format!("{} is {:?} for ever, and the partner is dead", view.address, view.status));
    }
    if served >= available {
        return Ok(());
    }
    Err(format!("{available} addresses are available to one alone, and only {served} new clients got one"))
}
