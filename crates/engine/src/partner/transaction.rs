//! A binding as a binding update transaction, and back.
//!
//! *Lives here:* [`describe`], [`Claim`].
//! *May know:* table 1.9: what belongs to which status.
//! *Must not know:* whether an update is accepted; connections.

use crate::record::{ClientDetails, Flags, MAX_EXTRA, Stamp};
use crate::table::Binding;
use dhcp::{ClientIdentity, HardwareAddress, code};
use failover::binding::BindingStatus;
use failover::dialect::Dialect;
use failover::message::{BindingUpdate, ClientHardware, ClientOptions, Ddns, IpFlags, MAX_CLIENT_OPTIONS};
use failover::time::WireTime;

/// Names the format of client-request-options: options of DHCP (RFC 2131 3).
const DHCP_MAGIC: [u8; 4] = [99, 130, 83, 99];

/// Code and length of an option of the failover protocol.
const OPTION_HEAD: usize = 4;

/// Longest name in DNS (RFC 1035 3.1).
const MAX_NAME: usize = 255;

/// Most bytes that DDNS, client-request-options and client-reply-options of one transaction have together, heads included: the
/// rest of it has at most 331, and [`super::send`] reckons with 1000.
pub(super) const MAX_DETAILS: usize = 660;

/// What the partner is told of a binding (F07 7.1.1), which has this status for it.
/// F07-7.1-01.
pub(super) fn describe(binding: &Binding, status: BindingStatus, dialect: Dialect) -> BindingUpdate {
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
        say_details(binding.details(), &mut update);
    }
    update
}

/// What was said along, as far as it fits: what the partner told first, for that nobody else knows.
fn say_details(details: ClientDetails<'_>, update: &mut BindingUpdate) {
    let mut room = MAX_DETAILS;
    let mut fits = |size: usize| {
        let fits = size <= room;
        room -= if fits { size } else { 0 };
        fits
    };
    // F07-7.1-04.
    update.ddns = Ddns::from_bytes(details.ddns)
        .filter(|ddns| fits(OPTION_HEAD + 2 + ddns.name.len()))
        // Who lost its bindings is to know the names that it made; this server controls none of them.
        .map(|ddns| Ddns { controls_name: false, controls_address: false, ..ddns });
    // F07-7.1.1-13.
    update.request_options = request_options(&details, &mut fits);
    let told = details.reply_options.split_first_chunk::<4>();
    update.reply_options = told
        .filter(|(_, options)| options.len() <= MAX_CLIENT_OPTIONS && fits(OPTION_HEAD + 4 + options.len()))
        .map(|(magic, options)| ClientOptions { magic: *magic, options: options.to_vec() });
}

/// What a partner says of a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Claim {
    pub(super) client: Option<ClientIdentity>,
    pub(super) hardware: Option<HardwareAddress>,
    /// The client speaks BOOTP.
    pub(super) bootp: bool,
    /// What the client said along; `None` where the partner does not say.
    pub(super) said: Option<Said>,
    /// DDNS, as it came; `None` where nothing is said of it, or it is too long to be kept.
    pub(super) ddns: Option<Vec<u8>>,
    /// client-reply-options, as they came.
    pub(super) reply_options: Option<Vec<u8>>,
}

/// Options of the client in client-request-options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Said {
    host_name: Vec<u8>,
    relay_agent_information: Vec<u8>,
    vendor_class: Vec<u8>,
    client_fqdn: Vec<u8>,
    user_class: Vec<u8>,
    subnet_selection: Vec<u8>,
}

impl Claim {
    pub(super) fn of(update: &BindingUpdate) -> Claim {
        let hardware = update
            .hardware
            .as_ref()
            .and_then(|hardware| HardwareAddress::new(hardware.htype, &hardware.address));
        let by_identifier =
            update.client_identifier.as_deref().and_then(ClientIdentity::from_client_identifier);
        let is_dhcp = |options: &&ClientOptions| options.magic == DHCP_MAGIC;
        let request = update.request_options.as_ref().filter(is_dhcp);
        let reply = update.reply_options.as_ref();
        Claim {
            client: by_identifier.or_else(|| {
                let hardware = hardware?;
                ClientIdentity::from_hardware(hardware.htype(), hardware.as_bytes())
            }),
            bootp: update.flags.bootp,
            hardware: hardware.filter(|hardware| !hardware.as_bytes().is_empty()),
            said: request.map(|options| Said::read(&options.options)),
            // F07-5.11.2-04.
            ddns: update.ddns.as_ref().filter(|ddns| ddns.name.len() <= MAX_NAME).map(Ddns::to_bytes),
            reply_options: reply
                .filter(|options| options.options.len() <= MAX_CLIENT_OPTIONS)
                .map(|options| [&options.magic[..], &options.options].concat()),
        }
    }

    /// What is known of the client with this, where `before` was; of another client nothing was known.
    pub(super) fn details<'a>(&'a self, before: ClientDetails<'a>) -> ClientDetails<'a> {
        let mut details = before;
        if let Some(said) = &self.said {
            details = ClientDetails {
                host_name: &said.host_name,
                relay_agent_information: &said.relay_agent_information,
                vendor_class: &said.vendor_class,
                client_fqdn: &said.client_fqdn,
                user_class: &said.user_class,
                subnet_selection: &said.subnet_selection,
                ..before
            };
        }
        // F07-5.11.2-03: what is left out did not change.
        details.ddns = self.ddns.as_deref().unwrap_or(before.ddns);
        details.reply_options = self.reply_options.as_deref().unwrap_or(before.reply_options);
        details
    }
}

impl Said {
    /// Parts of one option are put together (RFC 3396); what is cut short ends the reading.
    fn read(mut options: &[u8]) -> Said {
        let mut said = Said::default();
        while let [option, rest @ ..] = options {
            if *option == code::PAD {
                options = rest;
                continue;
            }
            let Some((length, rest)) = rest.split_first() else { break };
            let Some((value, rest)) = rest.split_at_checked(usize::from(*length)) else { break };
            options = rest;
            let kept = match *option {
                code::HOST_NAME => &mut said.host_name,
                code::RELAY_AGENT_INFORMATION => &mut said.relay_agent_information,
                code::VENDOR_CLASS_IDENTIFIER => &mut said.vendor_class,
                code::CLIENT_FQDN => &mut said.client_fqdn,
                code::USER_CLASS => &mut said.user_class,
                code::SUBNET_SELECTION => &mut said.subnet_selection,
                _ => continue,
            };
            if kept.len() + value.len() <= MAX_EXTRA {
                kept.extend_from_slice(value);
            }
        }
        said
    }
}

/// What the partner's people and hooks want to know of the client too (F07-5.11.2-11, F07-7.1.1-15).
/// F07-12.8-01.
fn request_options(
    details: &ClientDetails<'_>,
    fits: &mut impl FnMut(usize) -> bool,
) -> Option<ClientOptions> {
    let mut options = Vec::new();
    for (code, value) in [
        (code::HOST_NAME, details.host_name),
        (code::RELAY_AGENT_INFORMATION, details.relay_agent_information),
        (code::VENDOR_CLASS_IDENTIFIER, details.vendor_class),
        (code::CLIENT_FQDN, details.client_fqdn),
        (code::USER_CLASS, details.user_class),
        (code::SUBNET_SELECTION, details.subnet_selection),
    ] {
        let size = value.len() + 2 * value.len().div_ceil(255);
        let head = if options.is_empty() { OPTION_HEAD + 4 } else { 0 };
        if size > 0 && options.len() + size <= MAX_CLIENT_OPTIONS && fits(head + size) {
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
            let update = describe(&binding, status, Dialect::Draft12);
            assert_eq!((update.status, update.hardware.is_some()), (status, is_told));
            assert_eq!(update.client_last_transaction_time, None, "it was never heard");
        }
    }
}
