//! A dhcpd as the partner: it speaks the failover messages as dhcpd 4.4 does, serves clients, and departs from the drafts where it does.
//!
//! *Lives here:* [`Dhcpd`], its leases and what it declares; in the folder its habits, the connection, states, updates, pools and
//! clients.
//! *May know:* the catalogue's part 6, the captures of `crates/failover/tests/captures`; bytes and vocabulary of `failover`, figure 9.2-1.
//! *Must not know:* the engine. What a rule of ours is, is not its rule.
//!
//! What it writes down is stable before it says so, and it survives every crash: its file has no faults here. Each habit can be left
//! out; then it does what the drafts and `docs/dhcpd-partner.md` want. Sources: *source*, its own program as the catalogue tells it; *seen*, captures
//! and the lab.
//!
//! | habit | what a dhcpd does | source |
//! | --- | --- | --- |
//! | takes-ends | takes EXPIRED over a lease that it has extended itself, FREE and BACKUP by the time in the message, RELEASED of any age | seen: `expired-over-a-running-lease.pcap` |
//! | waits-less | in PARTNER-DOWN an ended lease is free at its end, and MCLT after entry; its own free addresses at once, also when its partner was in PARTNER-DOWN before it and no conflict was resolved | seen: lab, `duplicates.sh t18`; source |
//! | times-outlive-clients | tsfp of an address stays when it gets another client | source |
//! | starts-alone | goes on alone in the state before the stop, and leases as ever | seen: lab, `duplicates.sh t15` |
//! | forgets | with a new dhcpd.leases takes what its partner has for all there was | seen: lab, `duplicates.sh t16` |
//! | declares-down | NORMAL and COMMUNICATIONS-INTERRUPTED, partner in RECOVER: PARTNER-DOWN; partner in RECOVER-WAIT: NORMAL | source; `docs/dhcpd-partner.md`, step 3 |
//! | panics | NORMAL and a partner in conflict, POTENTIAL-CONFLICT and one in NORMAL: SHUTDOWN; CONFLICT-DONE and most others: the process ends | seen: lab; source |
//! | recovers-at-once | RECOVER-WAIT counts from the beginning of the state before the stop | source |
//! | no-slack | a lease ends by its own clock, to the second | source |
//! | late-acks | a BNDACK leaves after 2 s, with half of the window, or before an own BNDUPD | seen: captures |
//! | clock-limit | reason 4 beyond 60 s | source |
//! | small-window | max-unacked-bndupd is 10 | seen: captures |
//! | leaves-expiry | as secondary in NORMAL it expires no lease | source |
//! | asks-both-ways | evens pools at NORMAL, on POOLREQ and by a timer, each end what it has too much; each end sends POOLREQ | seen: `pair-pools-release-crash.pcap` |
//! | drops-batches | a second assigned-IP-address, or DDNS: drops the connection | source |
//! | leaves-silently | SIGTERM: it is gone, and its connection with it | seen: lab |
//! | silent-beside | answers nobody in RECOVER-DONE, nor while its partner is in PARTNER-DOWN or a conflict | source |
//!
//! Not modelled: DDNS, reservations, declined addresses coming back, times that are not corrected (the clocks of these worlds agree to
//! seconds), and what its own file of leases can suffer.

mod habits;
mod link;
mod pools;
mod service;
mod states;
#[cfg(test)]
mod tests;
mod updates;

use crate::scene::Terms;
use dhcp::ClientIdentity;
use engine::config::Parts;
use engine::{Destination, LinkId};
use failover::balance::{HashBucketAssignment, Service};
use failover::binding::BindingStatus as B;
use failover::message::{Envelope, Message};
use failover::state::{FailoverState as S, Role};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub use habits::{Habit, Habits};
use link::Connection;

/// Seconds since 1970 by its own clock.
pub(crate) type Seconds = u64;

/// How long it stays in STARTUP when it hears nobody.
const STARTUP: Seconds = 15;

/// What it does outside.
#[derive(Debug)]
pub(crate) enum Act {
    Reply {
        destination: Destination,
        bytes: Vec<u8>,
    },
    Connect,
    Say {
        link: LinkId,
        envelope: Envelope,
    },
    Close {
        link: LinkId,
    },
    /// From now on until then two clients may have this address by this habit.
    Broke {
        address: Ipv4Addr,
        until: Seconds,
        habit: Habit,
    },
    /// Something stopped it, or its partner did what it must not beside a dhcpd.
    Wronged(String),
    Entered(S),
}

/// Who has a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Client {
    identity: ClientIdentity,
    identifier: Option<Vec<u8>>,
    htype: u8,
    hardware: Vec<u8>,
}

/// One lease of dhcpd.leases.
#[derive(Debug, Clone)]
struct Lease {
    status: B,
    client: Option<Client>,
    starts: Seconds,
    ends: Seconds,
    /// The potential end that it told last.
    tstp: Seconds,
    /// The potential end that its partner knows.
    tsfp: Seconds,
    /// The same of the client that has it now.
    tsfp_of_client: Seconds,
    cltt: Seconds,
    /// Its partner has not acknowledged it as it is.
    untold: bool,
    /// It was told, and may be acknowledged some day.
    said: bool,
    /// It became free sooner than the drafts want.
    freed_early: bool,
    /// By this another client may have it too, and as long as this one extends it.
    broken: Option<Habit>,
}

impl Lease {
    fn is_of(&self, identity: &ClientIdentity) -> bool {
        self.client.as_ref().is_some_and(|client| client.identity == *identity)
    }
}

#[derive(Debug, Clone)]
struct Pool {
    first: Ipv4Addr,
    last: Ipv4Addr,
    lease: Seconds,
    is_far: bool,
}

/// What it declares of the relationship in dhcpd.leases.
#[derive(Debug, Clone, Copy)]
struct Declared {
    state: S,
    since: Seconds,
    /// Before SHUTDOWN.
    previous: S,
    partner: S,
    /// When it was in contact last.
    met: Seconds,
}

#[derive(Debug)]
struct Process {
    state: S,
    startup_until: Seconds,
    link: Option<Connection>,
    connect_at: Option<Seconds>,
    /// When RECOVER-WAIT is over.
    recovered_at: Option<Seconds>,
    balance_at: Option<Seconds>,
    /// This process was in contact.
    has_met: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Dhcpd {
    pub(crate) habits: Habits,
    role: Role,
    own: Ipv4Addr,
    mclt: Seconds,
    receive_timer: Seconds,
    service: Service,
    pools: Vec<Pool>,
    leases: BTreeMap<Ipv4Addr, Lease>,
    declared: Declared,
    process: Option<Process>,
    now: Seconds,
    acts: Vec<Act>,
}

impl Dhcpd {
    /// The server of these parts, with an empty file of leases.
    pub(crate) fn new(number: usize, parts: &Parts, terms: Terms, habits: Habits) -> Dhcpd {
        let mut pools = Vec::new();
        for network in &parts.shared_networks {
            for subnet in &network.subnets {
                let lease = subnet.lease.lease.as_seconds();
                let is_far = network.name == "far";
                pools.extend(subnet.pools.iter().map(|pool| Pool {
                    first: pool.first,
                    last: pool.last,
                    lease,
                    is_far,
                }));
            }
        }
        let mut dhcpd = Dhcpd {
            habits,
            role: if number == 0 { Role::Primary } else { Role::Secondary },
            own: crate::scene::server_address(number),
            mclt: terms.mclt.as_seconds(),
            receive_timer: terms.receive_timer.as_seconds(),
            service: Service {
                buckets: HashBucketAssignment::from_split(terms.split),
                delayed_service: terms.delayed_service,
            },
            pools,
            leases: BTreeMap::new(),
            declared: Declared {
                state: S::Recover,
                since: 0,
                previous: S::Recover,
                partner: S::Recover,
                met: 0,
            },
            process: None,
            now: 0,
            acts: Vec::new(),
        };
        dhcpd.forget_leases();
        dhcpd
    }

    fn forget_leases(&mut self) {
        let all = self.pools.iter().flat_map(|pool| u32::from(pool.first)..=u32::from(pool.last));
        let unused = Lease {
            status: B::Free,
            client: None,
            starts: 0,
            ends: 0,
            tstp: 0,
            tsfp: 0,
            tsfp_of_client: 0,
            cltt: 0,
            untold: false,
            said: false,
            freed_early: false,
            broken: None,
        };
        self.leases = all.map(|address| (address.into(), unused.clone())).collect();
    }

    pub(crate) fn has(&self, habit: Habit) -> bool {
        self.habits.has(habit)
    }

    pub(crate) fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// What it has written down of an address.
    pub(crate) fn status(&self, address: Ipv4Addr) -> Option<B> {
        self.leases.get(&address).map(|lease| lease.status)
    }

    /// The state that it is in; while it does not run, the one it declared.
    pub(crate) fn state(&self) -> S {
        self.process.as_ref().map_or(self.declared.state, |process| process.state)
    }

    /// What it did since this was asked last.
    pub(crate) fn take_acts(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.acts)
    }

    /// Its clock shows this.
    pub(crate) fn at(&mut self, now: Seconds) {
        self.now = self.now.max(now);
    }

    pub(crate) fn start(&mut self) {
        if self.declared.since == 0 {
            self.declared.since = self.now;
        }
        let leaves = matches!(self.declared.state, S::Shutdown | S::Paused);
        if leaves {
            self.declared.state = self.declared.previous;
        }
        for lease in self.leases.values_mut() {
            // What ended and was not agreed upon is told again after a start.
            lease.untold |= matches!(lease.status, B::Expired | B::Released | B::Reset);
        }
        self.process = Some(Process {
            state: S::Startup,
            startup_until: self.now + STARTUP,
            link: None,
            connect_at: (self.role == Role::Primary).then_some(self.now),
            recovered_at: None,
            balance_at: None,
            has_met: false,
        });
        self.acts.push(Act::Entered(S::Startup));
    }

    /// The process is gone.
    pub(crate) fn die(&mut self) {
        let process = self.process.take();
        // Its file says what was acknowledged, and nothing of what was under way.
        for update in process
            .iter()
            .filter_map(|process| process.link.as_ref())
            .flat_map(|link| link.outstanding.values())
        {
            if let Some(lease) = self.leases.get_mut(&update.address) {
                lease.untold = true;
            }
        }
        self.acts.clear();
    }

    /// dhcpd.leases is gone too.
    pub(crate) fn lose_leases(&mut self) {
        let longest = self.pools.iter().map(|pool| 5 * pool.lease).max().unwrap_or(0);
        let until = self.now + longest + 3 * self.mclt;
        self.forget_leases();
        self.declared =
            Declared { state: S::Recover, since: 0, previous: S::Recover, partner: S::Recover, met: 0 };
        for address in self.leases.keys() {
            self.acts.push(Act::Broke { address: *address, until, habit: Habit::Forgets });
        }
    }

    /// Everything that is due.
    pub(crate) fn wake(&mut self) {
        if self.process.is_none() {
            return;
        }
        self.keep_link();
        self.keep_state();
        self.end_leases();
        self.keep_pools();
        self.say_updates();
    }

    fn say(&mut self, message: Message) {
        let time = self.wire(self.now);
        let Some(link) = self.link_mut() else { return };
        let xid = link.next_xid();
        let id = link.id;
        link.said_at = 0;
        self.push(id, Envelope { time, xid, message });
    }

    fn push(&mut self, link: LinkId, envelope: Envelope) {
        let now = self.now;
        if let Some(connection) = self.link_mut() {
            connection.said_at = now;
        }
        self.acts.push(Act::Say { link, envelope });
    }

    fn link_mut(&mut self) -> Option<&mut Connection> {
        self.process.as_mut()?.link.as_mut()
    }

    fn link(&self) -> Option<&Connection> {
        self.process.as_ref()?.link.as_ref()
    }

    #[allow(clippy::unused_self, reason = "its clock is the one that the times are by")]
    fn wire(&self, at: Seconds) -> failover::time::WireTime {
        failover::time::WireTime(u32::try_from(at).unwrap_or(u32::MAX))
    }

    fn pool_of(&self, address: Ipv4Addr) -> Option<&Pool> {
        self.pools.iter().find(|pool| (pool.first..=pool.last).contains(&address))
    }

    /// The status of addresses that are its own to give.
    fn own_status(&self) -> B {
        if self.role == Role::Primary { B::Free } else { B::Backup }
    }
}
