//! `figures`: what takes a process of its own to measure. Each line that it prints is a name, a number and a unit.
//!
//! *Lives here:* the command line; allocations for each kind of packet. In the folder: what many leases take and how long a start
//! with them does, what large configurations cost, a pair.
//! *Must not know:* time by the thousandth: that is criterion's.

mod many;
mod pair;
mod scale;
mod snapshot;

use benches::{Client, Kind, Site};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "figures memory plain|full LEASES
figures start plain|full LEASES FOLDER    opens what another such run wrote there
figures ending LEASES FOLDER END            a store for a server, in which all end at END, seconds since 1970
figures snapshot plain|full LEASES FOLDER [BYTES-BETWEEN-SYNCS]
figures allocations
figures pool ADDRESSES            what a lease costs where nearly all addresses are leased
figures expiry LEASES             all of which end in the same second
figures subnets SUBNETS RESERVATIONS [one|many]
figures relationships COUNT
figures updates LEASES            two engines in NORMAL, then UPDREQALL";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("figures: {error}");
            ExitCode::FAILURE
        }
    }
}

fn command(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let kind = |name| Kind::from_name(name).ok_or(USAGE);
    match arguments {
        ["memory", name, leases] => many::memory(kind(name)?, leases.parse()?),
        ["start", name, leases, folder] => many::start(kind(name)?, leases.parse()?, Path::new(folder)),
        ["ending", leases, folder, end] => many::ending(leases.parse()?, Path::new(folder), end.parse()?),
        ["snapshot", name, leases, folder] => {
            snapshot::snapshot(kind(name)?, leases.parse()?, Path::new(folder), None)
        }
        ["snapshot", name, leases, folder, sync_every] => {
            snapshot::snapshot(kind(name)?, leases.parse()?, Path::new(folder), Some(sync_every.parse()?))
        }
        ["allocations"] => allocations(),
        ["pool", addresses] => scale::pool(addresses.parse()?),
        ["expiry", leases] => scale::expiry(leases.parse()?),
        ["subnets", subnets, reservations] => {
            scale::subnets(subnets.parse()?, reservations.parse()?, &["one", "many"])
        }
        ["subnets", subnets, reservations, only @ ("one" | "many")] => {
            scale::subnets(subnets.parse()?, reservations.parse()?, &[only])
        }
        ["relationships", count] => scale::relationships(count.parse()?),
        ["updates", leases] => pair::updates(leases.parse()?),
        _ => Err(USAGE.into()),
    }
}

/// Time of processor that this process has used: on a machine that does other things too it says more than a clock does.
fn processor() -> Result<Duration, Box<dyn Error>> {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    Ok(time.into())
}

/// Allocations for each kind of packet of a client that is new, in a process whose buffers have their size.
fn allocations() -> Result<(), Box<dyn Error>> {
    for (kind, name) in [(Kind::Plain, "plain"), (Kind::Full, "full")] {
        let mut site = Site::new(4096);
        for number in 0..200 {
            let client = Client::new(number, Kind::Full);
            let address = site.lease(&client).ok_or("no address")?;
            site.exchange(&client.release(address));
        }
        let mut counts = [0; 4];
        let clients = 1000;
        for number in 10_000..10_000 + clients {
            let client = Client::new(number, kind);
            let discover = client.discover();
            let offered = counted(&mut counts[0], || site.exchange(&discover)).ok_or("no offer")?;
            let select = client.select(offered);
            let address = counted(&mut counts[1], || site.exchange(&select)).ok_or("no lease")?;
            let renew = client.renew(address);
            counted(&mut counts[2], || site.exchange(&renew)).ok_or("no renewal")?;
            let release = client.release(address);
            counted(&mut counts[3], || site.exchange(&release));
        }
        for (count, packet) in counts.into_iter().zip(["discover", "request", "renew", "release"]) {
            let per_packet = f64::from(u32::try_from(count)?) / f64::from(clients);
            println!("allocations-{name}-{packet} {per_packet:.3} per-packet");
        }
    }
    Ok(())
}

fn counted(total: &mut u64, work: impl FnOnce() -> benches::Outcome) -> Option<std::net::Ipv4Addr> {
    let mut outcome = benches::Outcome::default();
    *total += allocation_counter::measure(|| outcome = work()).count_total;
    outcome.address
}
