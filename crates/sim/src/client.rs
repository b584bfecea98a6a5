//! A DHCP client (RFC 2131 4.4, figure 5) with a clock and habits of its own.
//!
//! *Lives here:* [`Client`]: what comes in is time and messages, what comes out are [`Step`]s.
//! *May know:* DHCP messages.
//! *Must not know:* servers, networks, true time; what anybody else has.
//!
//! The lease of a client counts from when it sent the request that was answered (RFC 2131 4.4.1). One that repeats a request
//! under the same transaction cannot tell which was answered, and counts from the first.

mod bootp;
pub(crate) mod message;

use crate::faults::Habit;
use crate::net::Link;
use crate::random::Random;
use dhcp::{ClientIdentity, Message, MessageType};
use std::net::Ipv4Addr;

/// Local time of a client, in milliseconds.
pub(crate) type Local = u64;

/// Never.
pub(crate) const NEVER: Local = Local::MAX;

/// How often a message is sent before the client gives up (RFC 2131 4.1).
const TRIES: u32 = 4;

/// Shortest wait between two requests of a client that renews (RFC 2131 4.4.5).
const RENEW_AGAIN: u64 = 60_000;

/// What a client does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Sends a message: to one server, or to all.
    Send { bytes: Vec<u8>, to: Option<Ipv4Addr> },
    /// From now on it uses this address, until then by its own clock.
    Holds { address: Ipv4Addr, until: Local, how: How },
    /// It does not use its address any more.
    LetsGo { address: Ipv4Addr, why: Why },
}

/// How a client came to hold an address, or to hold it longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Selected,
    Rebooted,
    Renewed,
    Rebound,
    /// It restarted, nobody answered, and its lease was not over.
    StillIts,
    /// By BOOTP: for ever.
    Bootp,
}

/// Why a client stops to use its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The lease ran out while it asked for more.
    RanOut,
    /// The lease ran out while it was away.
    WasAway,
    /// It was told so.
    Refused,
    /// It gave it back.
    Released,
    /// It forgot that it had one, or calls itself something else now.
    Forgot,
}

/// RFC 2131 figure 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Away.
    Off,
    Init,
    /// It asks by BOOTP.
    Asking,
    Selecting,
    Requesting,
    Rebooting,
    Bound,
    Renewing,
    Rebinding,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease {
    pub(crate) address: Ipv4Addr,
    server: Ipv4Addr,
    renewal: Local,
    rebinding: Local,
    pub(crate) end: Local,
}

impl Lease {
    /// The same, as if the other server of the pair had given it.
    pub(crate) fn at_partner(self) -> Lease {
        let [a, b, c, last] = self.server.octets();
        Lease { server: Ipv4Addr::new(a, b, c, 3 - last.clamp(1, 2)), ..self }
    }
}

/// What does not change about a client, or only by a habit.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) number: u8,
    pub(crate) identifier: Option<Vec<u8>>,
    pub(crate) broadcast: bool,
    /// Each repetition is a transaction of its own.
    pub(crate) fresh_transactions: bool,
    /// Out of a thousand: see [`crate::faults::Faults`].
    pub(crate) declines: u64,
    pub(crate) wishes: u64,
    /// Its scale of time, in milliseconds: how long it rests, what leases it wishes.
    pub(crate) pace: u64,
    /// Addresses that it may have heard of.
    pub(crate) gossip: Vec<Ipv4Addr>,
    /// It begins with BOOTP, and may change to DHCP and back when it restarts. It has no client-identifier.
    pub(crate) bootp: bool,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) person: Person,
    pub(crate) link: Link,
    pub(crate) state: State,
    pub(crate) lease: Option<Lease>,
    /// When it wants to be woken.
    pub(crate) due: Local,
    hardware: [u8; 6],
    wish: Option<u32>,
    transaction: u32,
    first_sent: Local,
    /// What it says in `secs` counts from here.
    began: Local,
    now: Local,
    tries: u32,
    /// Address and server that it selected.
    selected: (Ipv4Addr, Ipv4Addr),
    last_address: Option<Ipv4Addr>,
    /// It was carried elsewhere since it got its lease.
    moved: bool,
    /// What it does when it comes back: ask for its old address, or start anew.
    remembers: bool,
    /// As it is now.
    speaks_bootp: bool,
    random: Random,
}

impl Client {
    pub(crate) fn new(person: Person, link: Link, due: Local, random: Random) -> Client {
        let hardware = [2, 0, 0, 0, 0, person.number];
        let speaks_bootp = person.bootp;
        Client {
            person,
            link,
            state: State::Init,
            lease: None,
            due,
            hardware,
            wish: None,
            transaction: 0,
            first_sent: 0,
            began: 0,
            now: 0,
            tries: 0,
            selected: (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED),
            last_address: None,
            moved: false,
            remembers: false,
            speaks_bootp,
            random,
        }
    }

    /// Who it says it is.
    pub(crate) fn identity(&self) -> Option<ClientIdentity> {
        let identifier = self.person.identifier.as_deref().and_then(ClientIdentity::from_client_identifier);
        identifier.or_else(|| ClientIdentity::from_hardware(1, &self.hardware))
    }

    pub(crate) fn hardware(&self) -> [u8; 6] {
        self.hardware
    }

    /// From now on it is what RFC 2131 wants it to be.
    pub(crate) fn behave(&mut self) {
        (self.person.declines, self.person.wishes) = (0, 0);
    }

    /// Its time has come.
    pub(crate) fn wake(&mut self, now: Local, steps: &mut Vec<Step>) {
        self.now = now;
        if self.lease.is_some_and(|lease| lease.end <= now) {
            let asked = matches!(self.state, State::Renewing | State::Rebinding);
            self.let_go(if asked { Why::RanOut } else { Why::WasAway }, steps);
            if self.state != State::Off && self.state != State::Rebooting {
                self.state = State::Init;
            }
        }
        match self.state {
            State::Off | State::Init if self.speaks_bootp => self.ask(now, 1, steps),
            State::Asking => self.ask(now, self.tries + 1, steps),
            State::Off if self.remembers && self.last_address.is_some() => self.ask_for_old(now, steps),
            State::Off | State::Init => self.discover(now, 1, steps),
            State::Selecting if self.tries < TRIES => self.discover(now, self.tries + 1, steps),
            State::Requesting if self.tries < TRIES => self.request(now, steps),
            State::Selecting | State::Requesting => self.rest(now),
            State::Rebooting if self.tries < TRIES => self.request_old(now, steps),
            State::Rebooting => self.go_on_alone(now, steps),
            State::Bound | State::Renewing | State::Rebinding => self.extend(now, steps),
        }
    }

    /// A message has arrived that bears its hardware address.
    pub(crate) fn hear(&mut self, now: Local, message: &Message<'_>, steps: &mut Vec<Step>) {
        self.now = now;
        let waits = !matches!(self.state, State::Off | State::Init | State::Bound);
        if !waits || message.xid().0 != self.transaction {
            return;
        }
        if self.state == State::Asking {
            return self.answered(message, steps);
        }
        let Some(server) = message.server_identifier() else { return };
        match message.message_type() {
            Some(MessageType::Offer) if self.state == State::Selecting => {
                if self.random.chance(30) {
                    // It does not like the offer, and waits for another.
                    return;
                }
                self.selected = (message.yiaddr(), server);
                (self.state, self.tries) = (State::Requesting, 0);
                self.request(now, steps);
            }
            Some(MessageType::Ack) if self.state != State::Selecting => {
                self.acknowledged(now, message, server, steps);
            }
            Some(MessageType::Nak) if self.state != State::Selecting => {
                self.let_go(Why::Refused, steps);
                self.last_address = None;
                (self.state, self.due) = (State::Init, now + self.random.between(100, 2000));
            }
            _ => {}
        }
    }

    fn acknowledged(&mut self, now: Local, message: &Message<'_>, server: Ipv4Addr, steps: &mut Vec<Step>) {
        let (Some(seconds), address) = (message.lease_time(), message.yiaddr()) else { return };
        let (wanted, how) = match self.state {
            State::Requesting => (Some(self.selected.0), How::Selected),
            State::Rebooting => (self.last_address, How::Rebooted),
            State::Renewing => (self.lease.map(|lease| lease.address), How::Renewed),
            _ => (self.lease.map(|lease| lease.address), How::Rebound),
        };
        let after = |seconds: u32| {
            if seconds == u32::MAX { NEVER } else { self.first_sent + u64::from(seconds) * 1000 }
        };
        let end = after(seconds);
        if wanted != Some(address) || end <= now {
            return;
        }
        let option =
            |code: u8| message.option(code).and_then(|value| value.to_array()).map(u32::from_be_bytes);
        let renewal = option(dhcp::code::RENEWAL_TIME).unwrap_or(seconds / 2);
        let rebinding = option(dhcp::code::REBINDING_TIME).unwrap_or(seconds / 8 * 7);
        if self.state == State::Requesting && self.random.chance(self.person.declines) {
            steps.push(self.declining(address, server));
            self.last_address = None;
            (self.state, self.due) = (State::Init, now + 10_000);
            return;
        }
        let lease = Lease { address, server, renewal: after(renewal), rebinding: after(rebinding), end };
        (self.lease, self.last_address, self.moved) = (Some(lease), Some(address), false);
        (self.state, self.due) = (State::Bound, lease.renewal.max(now + 1));
        steps.push(Step::Holds { address, until: end, how });
    }

    /// The lease that it uses now.
    fn in_use(&self) -> Option<Lease> {
        match self.state {
            State::Bound | State::Renewing | State::Rebinding => self.lease,
            _ => None,
        }
    }

    /// Whether it would do something out of this habit now.
    pub(crate) fn heeds(&self, habit: Habit) -> bool {
        self.in_use().is_some_and(|lease| match habit {
            Habit::Sleep => lease.end != NEVER,
            Habit::Release | Habit::ReleaseAgain | Habit::Inform => !self.speaks_bootp,
            _ => true,
        })
    }

    /// Does what it is not supposed to do, or what is rare. Nothing when it has no lease.
    pub(crate) fn act(&mut self, now: Local, habit: Habit, steps: &mut Vec<Step>) {
        let Some(lease) = self.in_use() else { return };
        let soon = now + self.random.between(1000, 90_000);
        if self.person.bootp && self.act_as_either(soon, habit, steps) {
            return;
        }
        match habit {
            Habit::Vanish => {
                let away = self.random.pick(&[600_000, 7_200_000, 86_400_000]);
                let until = now + self.random.between(60_000, away);
                self.leave(until);
            }
            Habit::Sleep if lease.end != NEVER => {
                let after = self.random.between(1000, 600_000);
                self.leave(lease.end + after);
            }
            Habit::Reboot => {
                self.leave(soon);
                self.remembers = true;
            }
            Habit::Forget => {
                self.let_go(Why::Forgot, steps);
                self.last_address = None;
                (self.state, self.due) = (State::Init, soon);
            }
            Habit::Release | Habit::ReleaseAgain => {
                steps.push(self.releasing(lease));
                self.let_go(Why::Released, steps);
                let pause = if habit == Habit::Release { 1_800_000 } else { 5000 };
                (self.state, self.due) = (State::Init, now + self.random.between(1, pause));
            }
            Habit::ChangeIdentity => {
                self.let_go(Why::Forgot, steps);
                let name = [b'o', b's', self.person.number, self.random.pick(&[0, 1])];
                self.person.identifier = if self.random.chance(300) { None } else { Some(name.to_vec()) };
                (self.state, self.due) = (State::Init, soon);
            }
            Habit::Roam => {
                self.link = if self.link == Link::Wire { Link::Far } else { Link::Wire };
                self.leave(soon);
                (self.remembers, self.moved) = (true, true);
            }
            Habit::Inform => steps.push(self.informing(lease)),
            Habit::Sleep | Habit::ForgedRelease => {}
        }
    }

    /// Somebody else uses its address (RFC 5227): it says so and starts anew.
    pub(crate) fn find_in_use(&mut self, now: Local, steps: &mut Vec<Step>) {
        let Some(lease) = self.lease else { return };
        steps.push(self.declining(lease.address, lease.server));
        self.let_go(Why::Released, steps);
        self.last_address = None;
        (self.state, self.due) = (State::Init, now + 10_000);
    }

    fn leave(&mut self, until: Local) {
        (self.state, self.due, self.remembers) = (State::Off, until, self.random.chance(500));
    }

    fn let_go(&mut self, why: Why, steps: &mut Vec<Step>) {
        if let Some(lease) = self.lease.take() {
            steps.push(Step::LetsGo { address: lease.address, why });
        }
    }

    fn rest(&mut self, now: Local) {
        let longest = self.random.pick(&[10_000, 60_000, self.person.pace.max(60_000)]);
        (self.state, self.due) = (State::Init, now + self.random.between(1000, longest));
    }

    fn discover(&mut self, now: Local, tries: u32, steps: &mut Vec<Step>) {
        self.let_go(Why::Forgot, steps);
        (self.state, self.tries) = (State::Selecting, tries);
        if tries == 1 {
            self.began = now;
        }
        self.begin(now, tries == 1 || self.person.fresh_transactions);
        let hint = match self.random.below(100) {
            0..8 => self.gossip(),
            8..50 => self.last_address,
            _ => None,
        };
        steps.push(self.discovering(hint));
        self.due = now + self.patience();
    }

    fn gossip(&mut self) -> Option<Ipv4Addr> {
        let gossip = std::mem::take(&mut self.person.gossip);
        let heard = (!gossip.is_empty()).then(|| self.random.pick(&gossip));
        self.person.gossip = gossip;
        heard
    }

    fn request(&mut self, now: Local, steps: &mut Vec<Step>) {
        self.tries += 1;
        // RFC 2131 4.4.1: the first request has the transaction of the offer.
        let fresh = self.tries > 1 && self.person.fresh_transactions;
        if self.tries == 1 {
            self.first_sent = now;
        } else {
            self.begin(now, fresh);
        }
        steps.push(self.selecting());
        self.due = now + self.patience();
    }

    fn ask_for_old(&mut self, now: Local, steps: &mut Vec<Step>) {
        (self.state, self.tries, self.began) = (State::Rebooting, 0, now);
        self.request_old(now, steps);
    }

    fn request_old(&mut self, now: Local, steps: &mut Vec<Step>) {
        self.tries += 1;
        self.begin(now, self.tries == 1 || self.person.fresh_transactions);
        if let Some(address) = self.last_address {
            steps.push(self.rebooting(address));
        }
        self.due = now + self.patience();
    }

    /// RFC 2131 3.2: nobody answered a client that restarts: it may use its lease as long as that lasts.
    fn go_on_alone(&mut self, now: Local, steps: &mut Vec<Step>) {
        match self.lease {
            Some(lease) if !self.moved => {
                (self.state, self.due) = (State::Bound, lease.renewal.max(now + 1000));
                steps.push(Step::Holds { address: lease.address, until: lease.end, how: How::StillIts });
            }
            _ => self.discover(now, 1, steps),
        }
    }

    fn extend(&mut self, now: Local, steps: &mut Vec<Step>) {
        let Some(lease) = self.lease else { return };
        if now < lease.renewal && self.state == State::Bound {
            self.due = lease.renewal;
            return;
        }
        let rebinds = now >= lease.rebinding;
        let next = if rebinds { State::Rebinding } else { State::Renewing };
        // A transaction that has become old is given up: what is counted from its first request would be over soon.
        let old = now > self.first_sent + RENEW_AGAIN;
        self.begin(now, next != self.state || old || self.person.fresh_transactions);
        if next != self.state {
            self.began = now;
        }
        self.state = next;
        steps.push(self.extending(lease, rebinds));
        let until = if rebinds { lease.end } else { lease.rebinding };
        self.due = until.min(now + ((until - now) / 2).max(RENEW_AGAIN));
    }

    /// A new transaction, or the same one again.
    fn begin(&mut self, now: Local, fresh: bool) {
        if fresh {
            self.transaction = u32::try_from(self.random.below(1 << 32)).unwrap_or(0);
            self.first_sent = now;
        }
        if self.random.chance(self.person.wishes) {
            let pace = u32::try_from(self.person.pace / 1000).unwrap_or(60);
            let wishes = [
                None,
                Some(pace / 6),
                Some(pace / 2),
                Some(pace),
                Some(pace.saturating_mul(3)),
                Some(u32::MAX),
            ];
            self.wish = self.random.pick(&wishes);
        }
    }

    /// RFC 2131 4.1: 4, 8, 16, 32 seconds, one more or less.
    fn patience(&mut self) -> u64 {
        (4000 << self.tries.clamp(1, 4).saturating_sub(1)) + self.random.between(0, 2000) - 1000
    }
}
