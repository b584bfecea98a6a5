//! t
use sim::Planted;
use sim::small::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let states = a[1].parse().unwrap();
    let b: Vec<u8> = a[2].split(',').map(|x| x.parse().unwrap()).collect();
    let planted = a.get(3).filter(|x| *x != "-").map_or(Planted::default(), |n| Planted::named(n).unwrap());
    let addresses = a.get(4).map_or(1, |x| x.parse().unwrap());
    let threads = a.get(5).map_or(1, |x| x.parse().unwrap());
    let every = a.get(6).map_or(0, |x| x.parse().unwrap());
    let roots: Vec<Vec<Move>> = a.get(7).map_or(vec![vec![]], |r| {
        r.split('|')
            .map(|r| r.split(';').filter(|m| !m.trim().is_empty()).map(|m| m.parse().unwrap()).collect())
            .collect()
    });
    let max_unacked = a.get(8).map_or(10, |x| x.parse().unwrap());
    let o = Options {
        setup: Setup { addresses, clients: 2, mclt: 10, lease: 20, max_unacked, wrong_operator: b[5] > 0 },
        roots,
        budget: Budget {
            ticks: b[0],
            crashes: b[1],
            cuts: b[2],
            lost_disks: b[3],
            partner_downs: b[4],
            wrong_partner_downs: b[5],
            releases: b[6],
            declines: b[7],
            reboots: b[8],
            stalls: b[9],
        },
        tick: 11,
        states,
        threads,
        come_together_every: every,
        planted,
    };
    let t = std::time::Instant::now();
    let r = search(&o).unwrap();
    println!("{r}{:?}", t.elapsed());
}
