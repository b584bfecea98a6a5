//! Many leases.
//!
//! *Lives here:* the memory that they take, the time to start from a store with them; a store for a real server in which all of them
//! end in one second.
//! *Must not know:* sockets.

use crate::processor;
use benches::{Client, Kind, LEASE, Site, configuration};
use engine::{Engine, Position};
use failover::time::Time;
use std::error::Error;
use std::path::Path;
use std::time::Instant;
use store::{LinuxDisk, Options, RecordsRef, Store};

/// Leases of one batch: so many wait for one sync of a server that has much to do.
const BATCH: u32 = 256;

/// The same where the store is what is needed, and so many syncs would take minutes.
const LARGE_BATCH: u32 = 8192;

/// Resident memory of this process in bytes.
fn resident() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}

/// An engine alone, with each address of its pool leased to a client of its own.
pub(crate) fn memory(kind: Kind, leases: u32) -> Result<(), Box<dyn Error>> {
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
    println!("memory-resident {} MiB", full >> 20);
    println!("memory-per-address {} bytes", (empty - before) / u64::from(leases));
    println!("memory-per-lease {} bytes", (full - before) / u64::from(leases));
    Ok(())
}

/// A store with so many leases is written, if the folder has none, and then opened as a server opens it.
pub(crate) fn start(kind: Kind, leases: u32, folder: &Path) -> Result<(), Box<dyn Error>> {
    if !folder.exists() {
        drop(write(kind, leases, folder, Options::default())?);
    }
    let before = resident()?;
    let (began, used) = (Instant::now(), processor()?);
    let mut engine = Engine::new(configuration(leases), 7);
    let made = began.elapsed();
    let store = Store::open(LinuxDisk::new(folder)?, Options::default(), [7; 16], &mut |record| {
        engine.replay(record).map_err(|error| error.to_string())
    })?;
    let replayed = began.elapsed();
    let site = Site::with_engine(engine, Position(store.next_position().0));
    let (started, used) = (began.elapsed(), processor()?.saturating_sub(used));
    let leased = site.engine.live_bindings();
    if leased != u64::from(leases) {
        return Err(format!("{leased} of {leases} leases came back").into());
    }
    println!("leases {leases} leases");
    println!("start-pool {} ms", made.as_millis());
    println!("start-replay {} ms", replayed.saturating_sub(made).as_millis());
    println!("start-index {} ms", started.saturating_sub(replayed).as_millis());
    println!("start-total {} ms", started.as_millis());
    println!("start-processor {} ms", used.as_millis());
    println!("start-memory {} MiB", (resident()? - before) >> 20);
    Ok(())
}

/// Writes a store with so many leases, all of which a server ends at `end`, in seconds since 1970. Its configuration has to have a pool of
/// as many addresses from 10.0.0.16.
pub(crate) fn ending(leases: u32, folder: &Path, end: u64) -> Result<(), Box<dyn Error>> {
    let engine = Engine::new(configuration(leases), 7);
    // A server waits for clocks that differ before it takes an address back.
    let given = Time::from_seconds(end).minus(LEASE.slack()).minus(LEASE);
    let site = Site::at(engine, Position::START, given);
    fill(site, Kind::Plain, leases, folder, Options::default(), LARGE_BATCH)?;
    Ok(())
}

/// A store with so many leases, and the engine that wrote it.
pub(crate) fn write(
    kind: Kind,
    leases: u32,
    folder: &Path,
    options: Options,
) -> Result<(Store<LinuxDisk>, Site), Box<dyn Error>> {
    let batch = if leases > 1_000_000 { LARGE_BATCH } else { BATCH };
    fill(Site::new(leases), kind, leases, folder, options, batch)
}

fn fill(
    mut site: Site,
    kind: Kind,
    leases: u32,
    folder: &Path,
    options: Options,
    batch: u32,
) -> Result<(Store<LinuxDisk>, Site), Box<dyn Error>> {
    let mut store = Store::open(LinuxDisk::new(folder)?, options, [7; 16], &mut |_| Ok(()))?;
    if !store.opened().new {
        return Err("the folder has a store already: name one that is not there".into());
    }
    let (mut count, mut bytes) = (0, Vec::new());
    for number in 0..leases {
        let client = Client::new(number, kind);
        let offered = site.exchange(&client.discover()).address.ok_or("no offer")?;
        site.decide(&client.select(offered));
        site.settle(|_, more, records| {
            count += more;
            bytes.extend_from_slice(records);
        });
        if number % batch == batch - 1 || number + 1 == leases {
            // As a server does it: each batch is stable before the next.
            store.append(store.next_position(), RecordsRef { count, bytes: &bytes })?;
            store.sync()?;
            store.maintain();
            (count, bytes) = (0, Vec::new());
        }
    }
    Ok((store, site))
}
