//! Tandem as the partner of a real dhcpd, in both roles.

use crate::{nobody_noticed, well_spoken};
use lab::{ClientKind, Guests, Pair, Side, seconds};

/// MCLT of these pairs, in seconds: as long as the leases.
const MCLT: u32 = 60;

fn lease_by_either(tandem: Side) {
    let mut pair = Pair::with_dhcpd(&format!("isc-first-{}", tandem.name()), tandem, MCLT);
    pair.wait_for_normal(90);
    let mut guests = Guests::new();
    for n in 0..6 {
        guests.add(&pair.lab, ClientKind::Udhcpc, &format!("client{n}"), seconds(20));
    }
    pair.wait_until_equal(30);
    nobody_noticed(&mut pair, &mut guests);
    well_spoken(&mut pair);
}

#[test]
fn tandem_is_secondary() {
    lease_by_either(Side::B);
}

#[test]
fn tandem_is_primary() {
    lease_by_either(Side::A);
}
