//! Names in the DNS: number 27. No update of the DNS is made yet; what a partner tells of its own disturbs nothing.

use crate::LEASE;
use crate::common::ip;
use crate::puppet::Puppet;
use failover::binding::BindingStatus;
use failover::message::{BindingUpdate, ClientHardware, Ddns};
use failover::state::Role;

/// F07-12.9-01: a dhcpd takes each DDNS option for one of a wrong length, and closes the connection.
#[test]
fn field_27_what_a_partner_tells_of_names_loses_no_update() {
    let names: [&[u8]; 6] = [
        b"",
        b"\x00",
        b"\x01a\x04test\x00",
        // No end, a pointer of compression, and the longest that is sent.
        b"\x03abc",
        b"\xc0\x0c",
        &[b'x'; 255],
    ];
    for role in [Role::Primary, Role::Secondary] {
        let mut puppet = Puppet::normal(role);
        let address = ip("10.0.0.10");
        for (turn, name) in names.into_iter().enumerate() {
            for (flags, status) in
                [(0, BindingStatus::Active), (5, BindingStatus::Active), (15, BindingStatus::Released)]
            {
                puppet.pass(crate::seconds(30));
                let now = puppet.now;
                let mut update = BindingUpdate::new(address, status);
                update.hardware = Some(ClientHardware { htype: 1, address: vec![2, 0, 0, 0, 1, 7] });
                if status == BindingStatus::Active {
                    update.lease_expiration = Some(now.plus(crate::seconds(LEASE)).to_wire());
                    update.potential_expiration = Some(now.plus(crate::seconds(2 * LEASE)).to_wire());
                }
                update.start_time_of_state = Some(now.to_wire());
                update.client_last_transaction_time = Some(now.to_wire());
                update.ddns = Some(Ddns {
                    name_done: flags & 1 != 0,
                    controls_name: flags & 2 != 0,
                    address_done: flags & 4 != 0,
                    controls_address: flags & 8 != 0,
                    name: name.to_vec(),
                });
                let acks = puppet.tell(vec![update]);
                let place = format!("{role:?}, name {turn}, flags {flags}");
                assert_eq!(acks.len(), 1, "{place}");
                assert_eq!(acks[0].rejected, None, "{place}");
                let after = if status == BindingStatus::Active { status } else { BindingStatus::Free };
                assert_eq!(puppet.lease(address).status, after, "{place}");
                assert!(puppet.view().in_contact, "{place}");
            }
        }
    }
}
