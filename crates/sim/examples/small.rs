//! t
use sim::Planted;
use sim::small::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let states = a[1].parse().unwrap();
    let every = a[2].parse().unwrap();
    let planted = a.get(3).filter(|x| *x != "-").map_or(Planted::default(), |n| Planted::named(n).unwrap());
    for p in places().iter().filter(|p| a.get(4).is_none_or(|n| *n == p.name)) {
        let t = std::time::Instant::now();
        let r = search(p, &Options { states, threads: 1, come_together_every: every, planted }).unwrap();
        println!("{}: {}{:?}", p.name, r.to_string(), t.elapsed());
    }
}
