//! The store: a batch of records is appended and made stable, on the disk that holds `target`.

mod common;

use benches::{Client, Kind, Site};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::net::Ipv4Addr;
use std::path::Path;
use store::{LinuxDisk, Options, RecordsRef, Store};

/// Records as the engine makes them for new clients.
fn records(count: u32) -> Vec<u8> {
    let mut site = Site::new(4096);
    let (mut made, mut records) = (0, Vec::new());
    for number in 0..count {
        let client = Client::new(number, Kind::Full);
        let offered = site.exchange(&client.discover()).address;
        site.decide(&client.select(offered.unwrap_or(Ipv4Addr::UNSPECIFIED)));
        site.settle(|_, count, bytes| {
            made += count;
            records.extend_from_slice(bytes);
        });
    }
    assert_eq!(made, count, "a record for each lease");
    records
}

#[expect(clippy::panic, reason = "a wrong measurement stops")]
fn log(criterion: &mut Criterion) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("log-{}", std::process::id()));
    let mut group = criterion.benchmark_group("store");
    for count in [1_u32, 16, 256] {
        let bytes = records(count);
        let mut store = match LinuxDisk::new(&folder)
            .map_err(Into::into)
            .and_then(|disk| Store::open(disk, Options::default(), [7; 16], &mut |_| Ok(())))
        {
            Ok(store) => store,
            Err(error) => panic!("{}: {error}", folder.display()),
        };
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(format!("append and sync {count}"), |bencher| {
            bencher.iter(|| {
                let appended = store.append(store.next_position(), RecordsRef { count, bytes: &bytes });
                assert!(appended.is_ok(), "{appended:?}");
                let synced = store.sync();
                assert!(synced.is_ok(), "{synced:?}");
                store.maintain();
            });
        });
        drop(store);
        let _ = std::fs::remove_dir_all(&folder);
    }
    group.finish();
}

criterion_group! { name = all; config = common::quick(); targets = log }
criterion_main!(all);
