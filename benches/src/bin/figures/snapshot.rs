//! A snapshot while clients ask.
//!
//! *Lives here:* [`snapshot`]: how long the owner and the journal of a server are away for it, and what a renewal waits.
//! *Must not know:* sockets, threads.

use crate::many::write;
use crate::processor;
use benches::{Client, Kind, Site};
use engine::SnapshotCursor;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};
use store::{LinuxDisk, Options, RecordsRef, Store};

/// Slots of one piece: as many as one turn of a server takes.
const PIECE: usize = 2000;

/// A snapshot of so many leases, taken as a server takes it: after each piece somebody renews, who waits for the piece and for the sync.
/// Beside it the same renewals without a snapshot.
pub(crate) fn snapshot(
    kind: Kind,
    leases: u32,
    folder: &Path,
    sync_every: Option<u64>,
) -> Result<(), Box<dyn Error>> {
    let mut options = Options::default();
    options.snapshot_sync_every = sync_every.unwrap_or(options.snapshot_sync_every);
    let (mut store, mut site) = write(kind, leases, folder, options)?;
    let client = Client::new(0, kind);
    let renew = client.renew(site.lease(&client).ok_or("no address")?);
    let mut quiet = Vec::new();
    for _ in 0..leases.div_ceil(2000).max(100) {
        let began = Instant::now();
        renewed(&renew, &mut store, &mut site)?;
        quiet.push(began.elapsed());
    }
    let (mut cursor, mut bytes, mut size) = (SnapshotCursor::default(), Vec::new(), 0);
    let (mut pieces, mut waits, mut owner) = (Vec::new(), Vec::new(), Duration::ZERO);
    let (all, used) = (Instant::now(), processor()?);
    store.begin_snapshot()?;
    println!("snapshot-begin {} us", all.elapsed().as_micros());
    let mut is_last = false;
    while !is_last {
        let (began, before) = (Instant::now(), processor()?);
        bytes.clear();
        let count;
        (count, is_last) = site.engine.snapshot(&mut cursor, PIECE, &mut bytes);
        owner = owner.max(processor()?.saturating_sub(before));
        size += bytes.len();
        let piece = Instant::now();
        store.snapshot_chunk(RecordsRef { count, bytes: &bytes })?;
        pieces.push(piece.elapsed());
        if is_last {
            let end = Instant::now();
            store.finish_snapshot()?;
            println!("snapshot-finish {} us", end.elapsed().as_micros());
        }
        renewed(&renew, &mut store, &mut site)?;
        waits.push(began.elapsed());
    }
    println!("snapshot-all {} ms", all.elapsed().as_millis());
    println!("snapshot-processor {} ms", processor()?.saturating_sub(used).as_millis());
    println!("snapshot-owner-longest {} us-of-processor", owner.as_micros());
    println!("snapshot-size {} MiB", size >> 20);
    println!("snapshot-replaced-longest {} us", replaced(&mut store).as_micros());
    println!("snapshot-pieces {} pieces", pieces.len());
    for (name, times) in [("piece", pieces), ("renewal-without", quiet), ("renewal-during", waits)] {
        tell(name, times);
    }
    Ok(())
}

/// One renewal that is stable.
fn renewed(renew: &[u8], store: &mut Store<LinuxDisk>, site: &mut Site) -> Result<(), Box<dyn Error>> {
    site.decide(renew);
    let (mut count, mut bytes) = (0, Vec::new());
    site.settle(|_, more, records| {
        count += more;
        bytes.extend_from_slice(records);
    });
    store.append(store.next_position(), RecordsRef { count, bytes: &bytes })?;
    store.sync()?;
    Ok(())
}

/// Has what the snapshot replaced removed; the longest step of that.
fn replaced(store: &mut Store<LinuxDisk>) -> Duration {
    let mut longest = Duration::ZERO;
    while store.has_replaced() {
        let began = Instant::now();
        store.shrink_replaced();
        longest = longest.max(began.elapsed());
    }
    longest
}

fn tell(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |hundredths: usize| times.get(times.len() * hundredths / 100).map_or(0, Duration::as_micros);
    let longest = times.last().map_or(0, Duration::as_micros);
    println!("snapshot-{name} p50 {} p99 {} longest {longest} us", at(50), at(99));
}
