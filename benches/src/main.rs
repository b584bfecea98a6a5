//! `figures`: what takes a process of its own to measure. Each line that it prints is a name, a number and a unit.
//!
//! *Lives here:* memory at many leases, time to start from a store with many leases, allocations for each kind of packet.
//! *Must not know:* time by the thousandth: that is criterion's.

use benches::{Client, Kind, Site, configuration};
use engine::{Engine, Position};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use store::{LinuxDisk, Options, RecordsRef, Store};

const USAGE: &str =
    "figures memory plain|full LEASES\nfigures start plain|full LEASES FOLDER\nfigures allocations";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["memory", kind, leases] => numbers(kind, leases).and_then(|(kind, leases)| memory(kind, leases)),
        ["start", kind, leases, folder] => {
            numbers(kind, leases).and_then(|(kind, leases)| start(kind, leases, Path::new(folder)))
        }
        ["allocations"] => allocations(),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("figures: {error}");
            ExitCode::FAILURE
        }
    }
}

fn numbers(kind: &str, leases: &str) -> Result<(Kind, u32), Box<dyn Error>> {
    Ok((Kind::from_name(kind).ok_or(USAGE)?, leases.parse()?))
}

/// Resident memory of this process in bytes.
fn resident() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}

/// An engine alone, with each address of its pool leased to a client of its own.
fn memory(kind: Kind, leases: u32) -> Result<(), Box<dyn Error>> {
    let before = resident()?;
    let mut site = Site::new(leases);
    let empty = resident()?;
    for number in 0..leases {
        site.lease(&Client::new(number, kind)).ok_or("a client got no address")?;
    }
    let full = resident()?;
    println!("leases {leases} leases");
    println!("memory-pool {} MiB", (empty - before) >> 20);
    println!("memory-leased {} MiB", (full - before) >> 20);
    println!("memory-per-address {} bytes", (empty - before) / u64::from(leases));
    println!("memory-per-lease {} bytes", (full - before) / u64::from(leases));
    Ok(())
}

/// A store with so many leases is written, and then opened as a server opens it.
fn start(kind: Kind, leases: u32, folder: &Path) -> Result<(), Box<dyn Error>> {
    write(kind, leases, folder)?;
    let before = resident()?;
    let began = Instant::now();
    let mut engine = Engine::new(configuration(leases), 7);
    let made = began.elapsed();
    let store = Store::open(LinuxDisk::new(folder)?, Options::default(), [7; 16], &mut |record| {
        engine.replay(record).map_err(|error| error.to_string())
    })?;
    let replayed = began.elapsed();
    let site = Site::with_engine(engine, Position(store.next_position().0));
    let started = began.elapsed();
    let leased = site.engine.live_bindings();
    if leased != u64::from(leases) {
        return Err(format!("{leased} of {leases} leases came back").into());
    }
    println!("leases {leases} leases");
    println!("start-pool {} ms", made.as_millis());
    println!("start-replay {} ms", replayed.saturating_sub(made).as_millis());
    println!("start-index {} ms", started.saturating_sub(replayed).as_millis());
    println!("start-total {} ms", started.as_millis());
    println!("start-memory {} MiB", (resident()? - before) >> 20);
    Ok(())
}

fn write(kind: Kind, leases: u32, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut store = Store::open(LinuxDisk::new(folder)?, Options::default(), [7; 16], &mut |_| Ok(()))?;
    if !store.opened().new {
        return Err("the folder has a store already: name one that is not there".into());
    }
    let mut site = Site::new(leases);
    let (mut count, mut bytes) = (0, Vec::new());
    for number in 0..leases {
        let client = Client::new(number, kind);
        let offered = site.exchange(&client.discover()).address.ok_or("no offer")?;
        site.decide(&client.select(offered));
        site.settle(|_, more, records| {
            count += more;
            bytes.extend_from_slice(records);
        });
        if number % 256 == 255 || number + 1 == leases {
            // As a server does it: each batch is stable before the next.
            store.append(store.next_position(), RecordsRef { count, bytes: &bytes })?;
            store.sync()?;
            store.maintain();
            (count, bytes) = (0, Vec::new());
        }
    }
    Ok(())
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
