//! L1: when faults have stopped and both are up, both are in NORMAL soon, without a person.
//!
//! *Lives here:* [`bound`], [`both_normal`].

use crate::clock::Moment;
use engine::EndpointView;
use failover::state::FailoverState;
use failover::time::Interval;

/// How long that may take: one wait of MCLT, and time to find each other and to tell everything.
pub(crate) fn bound(mclt: Interval) -> Moment {
    mclt.as_millis() + mclt.slack().as_millis() + 300_000
}

/// Both are.
pub(crate) fn both_normal(endpoints: &[EndpointView]) -> Result<(), String> {
    let normal = |view: &EndpointView| view.state == FailoverState::Normal;
    if endpoints.len() == 2 && endpoints.iter().all(normal) {
        return Ok(());
    }
    let states: Vec<String> = endpoints.iter().map(|view| view.state.to_string()).collect();
    Err(format!("all is well, and the two are in {}", states.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_is_no_pair() {
        assert!(both_normal(&[]).is_err());
        assert!(bound(Interval::from_seconds(60)) > 60_000);
    }
}
