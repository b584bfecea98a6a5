//! A binding as a binding update transaction, and back.
//!
//! *Lives here:* [`describe`], [`Claim`].
//! *May know:* table 1.9: what belongs to which status.
//! *Must not know:* whether an update is accepted; connections.

use crate::record::{Flags, MAX_EXTRA, Stamp};
use crate::table::Binding;
use dhcp::{ClientIdentity, HardwareAddress, code};
use failover::binding::BindingStatus;
use failover::dialect::Dialect;
use failover::message::{BindingUpdate, ClientHardware, ClientOptions, IpFlags, MAX_CLIENT_OPTIONS};
use failover::time::WireTime;

/// Names the format of client-request-options: options of DHCP (RFC 2131 3).
const DHCP_MAGIC: [u8; 4] = [99, 130, 83, 99];

/// What the partner is told of a binding (F07 7.1.1).
/// F07-7.1-01.
pub(super) fn describe(binding: &Binding, dialect: Dialect) -> BindingUpdate {
    let status = match binding.status {
        // The partner may have it as a lease still.
        BindingStatus::Free
            if binding.flags.contains(Flags::UNAGREED) && !dialect.takes_free_over_active() =>
        {
            BindingStatus::Reset
        }
        status => status,
    };
    let active = status == BindingStatus::Active;
    // F07-7.1-04.
    let mut update = BindingUpdate::new(binding.ip(), status);
    update.flags = IpFlags { reserved: binding.reserved, bootp: binding.flags.contains(Flags::BOOTP) };
    update.start_time_of_state = wire(binding.start_time_of_state);
    if active {
        update.lease_expiration = wire(binding.lease_expiration);
        // F07-7.1.1-06: later than the lease's end, whatever was asked for before.
        let potential = binding.sent_potential_expiration.max(binding.lease_expiration);
        update.potential_expiration = wire(potential);
    }
    // F07-5.10-05.
    if status == BindingStatus::Abandoned {
        // Not of the drafts, and ignored by others (Q35): somebody may use the address until then.
        update.lease_expiration = wire(binding.lease_expiration);
        return update;
    }
    if status == BindingStatus::Reset {
        // Not of the drafts either: up to when an operator knew that somebody may use it, and said that nobody does.
        update.lease_expiration = wire(binding.lease_expiration);
    }
    let Some(client) = &binding.client else { return update };
    // F07-5.10-02, F07-7.1.1-09, F07-12.4-01.
    update.client_identifier = client.client_identifier().map(<[u8]>::to_vec);
    // A client that said nothing of its hardware has a type all the same: the option must be there (F07-7.1.1-08).
    let hardware = binding.hardware();
    update.hardware = Some(ClientHardware {
        htype: hardware.map_or(HardwareAddress::ETHERNET, |hardware| hardware.htype().max(1)),
        address: hardware.map_or_else(Vec::new, |hardware| hardware.as_bytes().to_vec()),
    });
    // F07-7.1.3-03.
    update.client_last_transaction_time = wire(binding.client_last_transaction_time);
    if dialect.sends_client_details() {
        // F07-7.1.1-13.
        update.request_options = request_options(binding);
    }
    update
}

/// What a partner says of a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Claim {
    pub(super) client: Option<ClientIdentity>,
    pub(super) hardware: Option<HardwareAddress>,
    /// The client speaks BOOTP.
    pub(super) bootp: bool,
    /// Whether host name, option 82 and vendor class were said at all.
    pub(super) says_details: bool,
    pub(super) host_name: Vec<u8>,
    pub(super) relay_agent_information: Vec<u8>,
    pub(super) vendor_class: Vec<u8>,
}

impl Claim {
    pub(super) fn of(update: &BindingUpdate) -> Claim {
        let hardware = update
            .hardware
            .as_ref()
            .and_then(|hardware| HardwareAddress::new(hardware.htype, &hardware.address));
        let by_identifier =
            update.client_identifier.as_deref().and_then(ClientIdentity::from_client_identifier);
        let mut claim = Claim {
            client: by_identifier.or_else(|| {
                let hardware = hardware?;
                ClientIdentity::from_hardware(hardware.htype(), hardware.as_bytes())
            }),
            bootp: update.flags.bootp,
            hardware: hardware.filter(|hardware| !hardware.as_bytes().is_empty()),
            ..Claim::default()
        };
        if let Some(options) = update.request_options.as_ref().filter(|options| options.magic == DHCP_MAGIC) {
            claim.says_details = true;
            claim.read_options(&options.options);
        }
        claim
    }

    /// Parts of one option are put together (RFC 3396); what is cut short ends the reading.
    fn read_options(&mut self, mut options: &[u8]) {
        while let [option, rest @ ..] = options {
            if *option == code::PAD {
                options = rest;
                continue;
            }
            let Some((length, rest)) = rest.split_first() else { return };
            let Some((value, rest)) = rest.split_at_checked(usize::from(*length)) else { return };
            options = rest;
            let kept = match *option {
                code::HOST_NAME => &mut self.host_name,
                code::RELAY_AGENT_INFORMATION => &mut self.relay_agent_information,
                code::VENDOR_CLASS_IDENTIFIER => &mut self.vendor_class,
                _ => continue,
            };
            if kept.len() + value.len() <= MAX_EXTRA {
                kept.extend_from_slice(value);
            }
        }
    }
}

/// What the partner's people and hooks want to know of the client too (F07-7.1.1-15).
/// F07-12.8-01.
fn request_options(binding: &Binding) -> Option<ClientOptions> {
    let mut options = Vec::new();
    for (code, value) in [
        (code::HOST_NAME, binding.host_name()),
        (code::RELAY_AGENT_INFORMATION, binding.relay_agent_information()),
        (code::VENDOR_CLASS_IDENTIFIER, binding.vendor_class()),
    ] {
        let size = value.len() + 2 * value.len().div_ceil(255);
        if options.len() + size <= MAX_CLIENT_OPTIONS {
            for part in value.chunks(255) {
                options.push(code);
                options.push(u8::try_from(part.len()).unwrap_or(0));
                options.extend_from_slice(part);
            }
        }
    }
    (!options.is_empty()).then_some(ClientOptions { magic: DHCP_MAGIC, options })
}

// F07-7.1.3-04.
fn wire(stamp: Stamp) -> Option<WireTime> {
    (stamp != Stamp::NONE).then(|| stamp.time().to_wire())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F07-5.10-05, F07-7.1.3-04.
    #[test]
    fn an_abandoned_address_is_told_without_a_client_whatever_its_record_has() {
        for (status, is_told) in [(BindingStatus::Released, true), (BindingStatus::Abandoned, false)] {
            let mut binding = Binding::unused(0x0a00_0001);
            binding.status = status;
            binding.client = ClientIdentity::from_hardware(1, &[2, 0, 0, 0, 0, 1]);
            let update = describe(&binding, Dialect::Draft12);
            assert_eq!((update.status, update.hardware.is_some()), (status, is_told));
            assert_eq!(update.client_last_transaction_time, None, "it was never heard");
        }
    }
}
