//! What a server says outside, as a claim about what it has recorded.

use super::log::Log;
use super::record;
use super::words::Outcome;
use engine::record::Record;
use failover::binding::BindingStatus;
use failover::state::FailoverState;
use failover::time::{Time, WireTime};
use std::net::Ipv4Addr;

/// What must be on stable storage when something has been said.
#[derive(Debug, Clone)]
pub enum Claim {
    /// STATE: this is stored (F07-9.2-01).
    State { state: FailoverState, since: WireTime },
    /// BNDACK: what was accepted is stored, its potential-expiration-time too (F07-7.2.1-01).
    Acknowledged { address: Ipv4Addr, status: BindingStatus, promised: Time },
    /// DHCPACK: the lease is stored, and ends no earlier.
    Leased { address: Ipv4Addr, hardware: Vec<u8>, ends: Time },
}

impl Claim {
    /// Whether this is so where these are all records.
    ///
    /// # Errors
    /// What is said, and not recorded.
    pub fn holds(&self, log: &Log) -> Outcome<()> {
        match self {
            Claim::State { state, since } => {
                let endpoint = log.endpoint().ok_or("STATE, and nothing is stored")?;
                match &endpoint.stored {
                    Some(stored) if stored.state == *state && stored.entered.to_wire() == *since => Ok(()),
                    _ => {
                        let stable = record::show(&Record::Endpoint(endpoint));
                        Err(format!("STATE {state} is told, and what is stable is: {stable}"))
                    }
                }
            }
            Claim::Acknowledged { address, status, promised } => is_taken(log, *address, *status, *promised),
            Claim::Leased { address, hardware, ends } => {
                let is_recorded = log.binding(*address, |binding| {
                    binding.status == BindingStatus::Active
                        && binding.lease_expiration.time() >= *ends
                        && binding.hardware.is_none_or(|recorded| recorded.as_bytes() == hardware)
                });
                if is_recorded == Some(true) {
                    Ok(())
                } else {
                    Err(format!("{address} is leased and not recorded"))
                }
            }
        }
    }
}

fn is_taken(log: &Log, address: Ipv4Addr, told: BindingStatus, promised: Time) -> Outcome<()> {
    use BindingStatus as B;
    let status = match told {
        B::Expired | B::Released | B::Reset => B::Free,
        status => status,
    };
    let recorded = log.binding(address, |binding| {
        let received = binding.received_potential_expiration.time();
        (binding.status, received)
    });
    match recorded {
        Some((recorded, received)) if recorded == status && received >= promised => Ok(()),
        // What was never anything but FREE has no record.
        None if status == B::Free => Ok(()),
        _ => Err(format!("{address} {told} is acknowledged and not recorded")),
    }
}
