//! `load`: many DHCP clients in one thread, to find out what a server can do. Half of them are on a wire with the server, half
//! behind relays and routers, unless it is told otherwise.
//!
//! *Lives here:* the command line; the phases in their order; one line for each kind of message.
//! *Must not know:* how anything is measured.

mod clients;
mod frame;
mod histogram;
mod message;
mod phase;
mod wire;

use clients::Clients;
use phase::{Kind, Pace, Plan, Tally, Work, run};
use std::error::Error;
use std::fs;
use std::process::{Command, ExitCode};
use std::time::Duration;
use wire::{Link, Wire};

const USAGE: &str = "load --direct INTERFACE,ADDRESS,HARDWARE --routed INTERFACE,ADDRESS,HARDWARE \
[--partner-direct INTERFACE,ADDRESS,HARDWARE --partner-routed INTERFACE,ADDRESS,HARDWARE] [--clients 200000] [--relays 64] \
[--share 50] [--between COMMAND] PHASE...
  with a partner, both servers hear what is broadcast and what relays pass on; whoever gave a lease is asked to renew it
  COMMAND runs before the first phase and after each; the interface here, the server's address and hardware address there; how many clients, relays, and how many of a hundred \
clients are on the wire itself
  PHASE is WORK:PACE[:SECONDS]
    WORK   bind, renew, release, avalanche (all bind at once, nobody waits for anybody, and ask again as RFC 2131 says)
    PACE   w512: as fast as answers come, with 512 exchanges under way; 20000: so many a second";

/// How long a phase begins exchanges if nothing else is said.
const SECONDS: u64 = 5;

struct Arguments {
    servers: Vec<(Link, Link)>,
    clients: u32,
    relays: u32,
    share: u32,
    between: Option<String>,
    phases: Vec<(String, Plan)>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = Arguments::read(&arguments).and_then(|arguments| measure(&arguments));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut wire = Wire::open(&arguments.servers)?;
    let mut clients = Clients::new(arguments.clients, arguments.relays, arguments.share);
    between(arguments)?;
    for (name, plan) in &arguments.phases {
        let (refused, calls, sent, heard) = (wire.refused, wire.calls, wire.sent, wire.heard);
        let processor = processor_millis();
        let tally = run(*plan, &mut clients, &mut wire)?;
        report(name, plan, &tally);
        println!(
            "{name} clients-bound {} sent {} heard {} refused-by-kernel {} calls-to-send {} calls-to-receive {} \
             own-cpu-ms {}",
            clients.bound(),
            wire.sent - sent,
            wire.heard - heard,
            wire.refused - refused,
            wire.calls.0 - calls.0,
            wire.calls.1 - calls.1,
            processor_millis() - processor
        );
        between(arguments)?;
    }
    Ok(())
}

/// Milliseconds of processor that this process had; 0 where the kernel does not say.
fn processor_millis() -> u64 {
    let said = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    said.split(' ').next().and_then(|nanos| nanos.parse().ok()).map_or(0, |nanos: u64| nanos / 1_000_000)
}

/// Lets somebody count.
fn between(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Some(command) = &arguments.between else { return Ok(()) };
    if Command::new("sh").args(["-c", command]).status()?.success() {
        Ok(())
    } else {
        Err(format!("failed: {command}").into())
    }
}

fn report(name: &str, plan: &Plan, tally: &Tally) {
    let millis = u64::try_from(tally.lasted.as_millis()).unwrap_or(u64::MAX).max(1);
    let kinds = [
        ("discover", &tally.discover),
        ("select", &tally.select),
        ("renew", &tally.renew),
        ("release", &tally.release),
    ];
    for (kind, Kind { sent, again, answered, dropped, took }) in kinds {
        if *sent == 0 {
            continue;
        }
        let micros = |share| took.per_mille(share).as_micros();
        let rate = if kind == "release" { *sent } else { *answered } * 1000 / millis;
        println!(
            "{name} {kind} sent {sent} again {again} answered {answered} dropped {dropped} a-second {rate} p50-us {} p99-us {} \
             p99.9-us {} longest-us {}",
            micros(500),
            micros(990),
            micros(999),
            took.longest().as_micros()
        );
    }
    println!("{name} ms {millis} refused {} late {}", tally.refused, tally.late);
    if plan.persists {
        let bound = |share| tally.bound.per_mille(share).as_millis();
        println!(
            "{name} all-bound-ms {millis} all-asked-ms {} bound-p50-ms {} bound-p99-ms {} bound-p99.9-ms {}",
            tally.all_began.as_millis(),
            bound(500),
            bound(990),
            bound(999)
        );
        let series: Vec<String> = tally.series.iter().map(u64::to_string).collect();
        println!("{name} acks-each-100-ms {}", series.join(" "));
    }
}

impl Arguments {
    fn read(words: &[String]) -> Result<Arguments, Box<dyn Error>> {
        let (mut direct, mut routed) = (None, None);
        let (mut partner_direct, mut partner_routed) = (None, None);
        let (mut clients, mut relays, mut share) = (200_000, 64, 50);
        let (mut between, mut phases) = (None, Vec::new());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(USAGE);
            match word.as_str() {
                "--direct" => direct = Some(link(value()?)?),
                "--routed" => routed = Some(link(value()?)?),
                "--partner-direct" => partner_direct = Some(link(value()?)?),
                "--partner-routed" => partner_routed = Some(link(value()?)?),
                "--clients" => clients = value()?.parse()?,
                "--relays" => relays = value()?.parse()?,
                "--share" => share = value()?.parse()?,
                "--between" => between = Some(value()?.clone()),
                phase => phases.push((phase.to_owned(), plan(phase)?)),
            }
        }
        if phases.is_empty()
            || !(1..=256).contains(&relays)
            || share > 100
            || !(1..=clients::MOST).contains(&clients)
            || partner_direct.is_some() != partner_routed.is_some()
        {
            return Err(USAGE.into());
        }
        let mut servers = vec![direct.zip(routed).ok_or(USAGE)?];
        servers.extend(partner_direct.zip(partner_routed));
        Ok(Arguments { servers, clients, relays, share, between, phases })
    }
}

fn link(word: &str) -> Result<Link, Box<dyn Error>> {
    let [interface, server, hardware] = word.split(',').collect::<Vec<_>>()[..] else {
        return Err(USAGE.into());
    };
    let bytes =
        hardware.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<Vec<_>, _>>()?;
    Ok(Link {
        interface: interface.to_owned(),
        server: server.parse()?,
        hardware: bytes.try_into().map_err(|_| "a hardware address has six bytes")?,
    })
}

fn plan(word: &str) -> Result<Plan, Box<dyn Error>> {
    let mut parts = word.split(':');
    let work = parts.next().unwrap_or_default();
    let (work, persists) = match work {
        "bind" => (Work::Bind, false),
        "renew" => (Work::Renew, false),
        "release" => (Work::Release, false),
        "avalanche" => (Work::Bind, true),
        _ => return Err(USAGE.into()),
    };
    let pace = match parts.next() {
        None if persists => Pace::Flood,
        None => Pace::Window(512),
        Some(pace) => match pace.strip_prefix('w') {
            Some(window) => Pace::Window(window.parse()?),
            None => Pace::Rate(pace.parse()?),
        },
    };
    if matches!(pace, Pace::Window(0) | Pace::Rate(0)) {
        return Err("a pace of nothing".into());
    }
    let seconds = parts.next().map_or(Ok(if persists { 3600 } else { SECONDS }), str::parse)?;
    Ok(Plan { work, pace, lasts: Duration::from_secs(seconds), persists })
}
