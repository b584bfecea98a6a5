//! What is said on the wire, as checkers read it.
//!
//! *Lives here:* whom an update is about, when that client was heard, until when, and by whose clock; whether a STATE tells a loss.
//! *Must not know:* servers, what was said before.

use dhcp::ClientIdentity;
use failover::binding::BindingStatus;
use failover::message::{BindingUpdate, Message, StateMessage};
use failover::time::{ClockDelta, Time, WireTime};

/// Puts the times of a message into the clock of who said it.
pub(super) fn by_own_clock(message: &mut Message, clock: ClockDelta) {
    let tell = |time: &mut WireTime| *time = time.to_time(clock).to_wire();
    match message {
        Message::State(state) => tell(&mut state.since),
        Message::BndUpd(updates) => {
            for update in &mut updates.updates {
                let times = [
                    &mut update.lease_expiration,
                    &mut update.potential_expiration,
                    &mut update.start_time_of_state,
                    &mut update.client_last_transaction_time,
                ];
                times.into_iter().flatten().for_each(tell);
            }
        }
        _ => {}
    }
}

/// The later of the two ends that an update tells.
pub(super) fn until(update: &BindingUpdate, delta: ClockDelta) -> Time {
    let ends = [update.lease_expiration, update.potential_expiration];
    ends.into_iter().flatten().map(|end| end.to_time(delta)).max().unwrap_or(Time::ZERO)
}

/// A dhcpd does not date a release: the moment is where the end of the lease stands.
pub(super) fn dated(update: &BindingUpdate, beside_dhcpd: bool) -> BindingUpdate {
    let mut update = update.clone();
    if beside_dhcpd && update.status == BindingStatus::Released {
        update.client_last_transaction_time = update.lease_expiration;
    }
    update
}

/// When the client was heard that an update is about, by the clock of who says it.
pub(super) fn heard_at(update: &BindingUpdate) -> Time {
    update.client_last_transaction_time.map_or(Time::ZERO, |time| time.to_time(ClockDelta::default()))
}

/// Whether a STATE says that the bindings of who says it are lost.
pub(super) fn tells_loss(state: &StateMessage) -> bool {
    state.tandem.is_some_and(|tandem| tandem.storage_lost.is_some())
}

/// Whom an update is about.
pub(crate) fn client_of(update: &BindingUpdate) -> Option<ClientIdentity> {
    let by_identifier = update.client_identifier.as_deref().and_then(ClientIdentity::from_client_identifier);
    by_identifier.or_else(|| {
        let hardware = update.hardware.as_ref()?;
        ClientIdentity::from_hardware(hardware.htype, &hardware.address)
    })
}
