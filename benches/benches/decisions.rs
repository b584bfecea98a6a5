//! The engine: from a packet to the reply that leaves, without sockets and disk.

mod common;

use benches::{Client, Kind, Site};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::net::Ipv4Addr;

/// Addresses of the pool, and clients that have one.
const LEASES: u32 = 100_000;

fn leased(kind: Kind) -> (Site, Vec<(Client, Ipv4Addr)>) {
    let mut site = Site::new(2 * LEASES);
    let clients = (0..LEASES).filter_map(|number| {
        let client = Client::new(number, kind);
        site.lease(&client).map(|address| (client, address))
    });
    let clients: Vec<_> = clients.collect();
    assert_eq!(clients.len(), LEASES as usize, "every client has an address");
    (site, clients)
}

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(1));
    for (kind, name) in [(Kind::Plain, "plain"), (Kind::Full, "full")] {
        let (mut site, clients) = leased(kind);
        let renewals: Vec<Vec<u8>> = clients.iter().map(|(client, address)| client.renew(*address)).collect();
        let mut turn = renewals.iter().cycle();
        group.bench_function(format!("renew {name}"), |bencher| {
            bencher.iter(|| turn.next().map(|bytes| site.exchange(black_box(bytes))));
        });
        let returning: Vec<(Vec<u8>, Vec<u8>)> =
            clients.iter().map(|(client, address)| (client.discover(), client.select(*address))).collect();
        let mut turn = returning.iter().cycle();
        group.bench_function(format!("discover and request of a known client {name}"), |bencher| {
            bencher.iter(|| {
                turn.next().map(|(discover, select)| (site.exchange(discover), site.exchange(select)))
            });
        });
        let mut number = LEASES;
        group.bench_function(format!("discover, request, release of a new client {name}"), |bencher| {
            bencher.iter_batched(
                || {
                    number = number.wrapping_add(1);
                    let client = Client::new(number, kind);
                    (client, client.discover())
                },
                |(client, discover)| {
                    let offered = site.exchange(&discover).address?;
                    let address = site.exchange(&client.select(offered)).address?;
                    Some(site.exchange(&client.release(address)))
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group! { name = all; config = common::quick(); targets = decisions }
criterion_main!(all);
