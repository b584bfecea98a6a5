//! One phase of a measurement: all clients bind, renew or release, at some pace.
//!
//! *Lives here:* [`Plan`], [`run`] and the [`Tally`] of what came of it.
//! *Must not know:* bytes.

use crate::clients::{Clients, Heard, Step};
use crate::histogram::Histogram;
use crate::message::Answer;
use crate::wire::{Path, Wire};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::error::Error;
use std::time::{Duration, Instant};

/// Exchanges begun before answers are looked at.
const AT_ONCE: usize = 64;

/// The same where all begin at once: faster than answers are looked at, and yet who is answered goes on while others begin.
const FLOOD_AT_ONCE: usize = 1024;

/// How long a client that does not ask again waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// RFC 2131 4.1: the first pause before a message is sent again, and the longest; each has a second more or less.
const BACK_OFF: (u64, u64) = (4, 64);

/// How long a slot of the series of goodput is.
const SLOT: Duration = Duration::from_millis(100);

/// What clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// DISCOVER, OFFER, REQUEST, ACK.
    Bind,
    /// REQUEST, ACK of an address that they have.
    Renew,
    /// RELEASE, which nobody answers.
    Release,
}

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as answers come, with so many exchanges under way.
    Window(usize),
    /// So many exchanges begin each second, whatever becomes of them.
    Rate(u64),
    /// All at once.
    Flood,
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What clients do.
    pub work: Work,
    /// How fast.
    pub pace: Pace,
    /// No exchange begins after so long. Binding and releasing end when each client did it once, too.
    pub lasts: Duration,
    /// Whether clients ask again, with the pauses of RFC 2131, until they are answered.
    pub persists: bool,
}

/// One kind of message.
#[derive(Debug, Clone, Default)]
pub struct Kind {
    /// Messages that were sent.
    pub sent: u64,
    /// Of these, those that were sent again.
    pub again: u64,
    /// Answers that came.
    pub answered: u64,
    /// Exchanges that ended without an answer.
    pub dropped: u64,
    /// From the time at which a message was due to leave until its answer.
    pub took: Histogram,
}

/// What came of a phase.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// DISCOVER and OFFER.
    pub discover: Kind,
    /// REQUEST of an offer, and ACK.
    pub select: Kind,
    /// REQUEST of a client with an address, and ACK.
    pub renew: Kind,
    /// RELEASE.
    pub release: Kind,
    /// NAKs.
    pub refused: u64,
    /// Answers to questions that were over.
    pub late: u64,
    /// From the first message to the last answer.
    pub lasted: Duration,
    /// From the first message until each client had sent its first.
    pub all_began: Duration,
    /// From the first DISCOVER of a client to its address.
    pub bound: Histogram,
    /// ACKs in each tenth of a second.
    pub series: Vec<u64>,
}

impl Tally {
    fn of(&mut self, step: Step) -> &mut Kind {
        match step {
            Step::Discover => &mut self.discover,
            Step::Select(..) => &mut self.select,
            Step::Renew => &mut self.renew,
            Step::Rest => &mut self.release,
        }
    }
}

struct Run<'r> {
    plan: Plan,
    clients: &'r mut Clients,
    wire: &'r mut Wire,
    tally: Tally,
    began: Instant,
    last_answer: Instant,
    /// Exchanges begun; those that are under way.
    begun: u64,
    waiting: usize,
    /// The client whose turn is next.
    next: u32,
    /// When to look at a client again that has waited since then, and how often it has asked.
    timers: BinaryHeap<Reverse<(Instant, u32, Instant, u32)>>,
    heard: Vec<(Option<[u8; 6]>, Answer)>,
}

/// Carries out a phase.
///
/// # Errors
/// When the server says what no server may say, or the kernel refuses.
pub fn run(plan: Plan, clients: &mut Clients, wire: &mut Wire) -> Result<Tally, Box<dyn Error>> {
    let now = Instant::now();
    let mut run = Run {
        plan,
        clients,
        wire,
        tally: Tally::default(),
        began: now,
        last_answer: now,
        begun: 0,
        waiting: 0,
        next: 0,
        timers: BinaryHeap::new(),
        heard: Vec::new(),
    };
    loop {
        let came = run.hear()?;
        let now = Instant::now();
        // Whose answer is here already, unread, does not ask again: that we are slow is no fault of the server.
        if came == 0 {
            run.look_at_timers(now);
        }
        let more = run.begin(now);
        if more {
            run.tally.all_began = run.began.elapsed();
        }
        run.wire.flush();
        if !more && run.waiting == 0 {
            break;
        }
        if came == 0 {
            run.wire.wait(run.pause(now, more));
        }
    }
    let Run { mut tally, began, last_answer, .. } = run;
    // RELEASE has no answer: its phase is over when the last is sent.
    tally.lasted = if plan.work == Work::Release { began.elapsed() } else { last_answer - began };
    Ok(tally)
}

impl Run<'_> {
    /// Takes what came; how much it was.
    fn hear(&mut self) -> Result<usize, Box<dyn Error>> {
        let mut heard = std::mem::take(&mut self.heard);
        let came = self.wire.receive(|frame_to, message| {
            heard.extend(Answer::read(message).map(|answer| (frame_to, answer)));
        })?;
        let now = Instant::now();
        self.clients.at(now);
        for (frame_to, answer) in heard.drain(..) {
            match self.clients.hear(frame_to, &answer)? {
                Heard::Offer(number, took) => {
                    self.tally.discover.answered += 1;
                    self.tally.discover.took.add(took);
                    self.send(number, now, 0);
                }
                Heard::Bound(number, took) => {
                    let renewed = self.plan.work == Work::Renew;
                    let kind = if renewed { &mut self.tally.renew } else { &mut self.tally.select };
                    kind.answered += 1;
                    kind.took.add(took);
                    self.tally.bound.add(self.clients.since_begin(number));
                    let slot =
                        usize::try_from((now - self.began).as_millis() / SLOT.as_millis()).unwrap_or(0);
                    if self.tally.series.len() <= slot {
                        self.tally.series.resize(slot + 1, 0);
                    }
                    self.tally.series[slot] += 1;
                    self.last_answer = now;
                    self.waiting -= 1;
                }
                Heard::Refused(_) => {
                    self.tally.refused += 1;
                    self.last_answer = now;
                    self.waiting -= 1;
                }
                Heard::Late => self.tally.late += 1,
            }
        }
        self.heard = heard;
        Ok(came)
    }

    /// Those who have waited long enough ask again, or give up.
    fn look_at_timers(&mut self, now: Instant) {
        while let Some(Reverse((at, number, since, tries))) = self.timers.peek().copied()
            && at <= now
        {
            self.timers.pop();
            let Some(step) = self.clients.waits(number, since) else { continue };
            if self.plan.persists {
                self.tally.of(step).again += 1;
                self.send(number, now, tries + 1);
            } else {
                self.tally.of(step).dropped += 1;
                self.clients.give_up(number);
                self.waiting -= 1;
            }
        }
    }

    /// Begins what is due; whether more is to come.
    fn begin(&mut self, now: Instant) -> bool {
        let in_time = now - self.began < self.plan.lasts;
        let each_once = self.plan.work != Work::Renew;
        if !in_time || each_once && self.next == self.clients.count() {
            return false;
        }
        let room = match self.plan.pace {
            Pace::Window(window) => window.saturating_sub(self.waiting),
            Pace::Rate(rate) => {
                let due = (now - self.began).as_nanos() * u128::from(rate) / 1_000_000_000;
                usize::try_from(due.saturating_sub(u128::from(self.begun))).unwrap_or(0)
            }
            // Nobody waits for anybody.
            Pace::Flood => usize::MAX,
        };
        let at_once = if self.plan.pace == Pace::Flood { FLOOD_AT_ONCE } else { AT_ONCE };
        // Who finds nobody in a whole round has nobody.
        let mut looked = 0;
        let mut begun = 0;
        while begun < room.min(at_once) && looked <= self.clients.count() {
            if each_once && self.next == self.clients.count() {
                return false;
            }
            let number = self.next % self.clients.count();
            self.next = number + 1;
            looked += 1;
            let (step, _) = self.clients.state(number);
            if step != Step::Rest || self.plan.work != Work::Bind && self.clients.lease(number).is_none() {
                continue;
            }
            begun += 1;
            self.begin_one(number, now);
        }
        true
    }

    fn begin_one(&mut self, number: u32, now: Instant) {
        // What is late by the schedule has waited since it was due.
        let since = match self.plan.pace {
            Pace::Rate(rate) => self.began + Duration::from_nanos(self.begun * 1_000_000_000 / rate),
            Pace::Window(_) | Pace::Flood => now,
        };
        self.begun += 1;
        match self.plan.work {
            Work::Bind => self.clients.begin(number, Step::Discover, since),
            Work::Renew => self.clients.begin(number, Step::Renew, since),
            Work::Release => {
                self.put(number);
                self.tally.release.sent += 1;
                self.clients.release(number);
                return;
            }
        }
        self.waiting += 1;
        self.send(number, now, 0);
    }

    /// Sends what a client has to say, and looks at it again in time.
    fn send(&mut self, number: u32, now: Instant, tries: u32) {
        self.put(number);
        let (step, since) = self.clients.state(number);
        self.tally.of(step).sent += 1;
        let pause = if self.plan.persists { back_off(number, tries) } else { PATIENCE };
        self.timers.push(Reverse((now + pause, number, since, tries)));
    }

    fn put(&mut self, number: u32) {
        let path = self.clients.path(number);
        let ask = self.clients.ask(number);
        let write = |buffer: &mut [u8]| ask.write(buffer);
        match (path, ask.relay, self.clients.lease(number)) {
            (Path::Routed, Some((relay, _)), _) => self.wire.relay(relay, write),
            (_, _, Some((address, server))) if !ask.ciaddr.is_unspecified() => {
                self.wire.unicast(path, ask.hardware, address, server, write);
            }
            _ => self.wire.broadcast(ask.hardware, write),
        }
    }

    /// How long nothing is due.
    fn pause(&self, now: Instant, more: bool) -> Duration {
        let until_timer =
            self.timers.peek().map_or(PATIENCE, |Reverse((at, ..))| at.saturating_duration_since(now));
        match self.plan.pace {
            Pace::Rate(rate) if more => {
                let due = self.began + Duration::from_nanos((self.begun + 1) * 1_000_000_000 / rate);
                until_timer.min(due.saturating_duration_since(now))
            }
            Pace::Flood if more => Duration::ZERO,
            Pace::Window(window) if more && self.waiting < window => Duration::ZERO,
            _ => until_timer,
        }
    }
}

/// RFC 2131 4.1: 4, 8, 16, … seconds, each a second more or less, which here the number of the client decides.
fn back_off(number: u32, tries: u32) -> Duration {
    let (first, longest) = BACK_OFF;
    let seconds = (first << tries.min(5)).min(longest);
    let spread = (number.wrapping_add(tries)).wrapping_mul(2_654_435_761) >> 16;
    Duration::from_millis(seconds * 1000 - 1000 + u64::from(spread % 2001))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_differ() {
        for (tries, seconds) in [(0, 4), (1, 8), (4, 64), (9, 64)] {
            let all: Vec<Duration> = (0..1000).map(|number| back_off(number, tries)).collect();
            let (least, most) = (all.iter().min().unwrap(), all.iter().max().unwrap());
            assert!(*least >= Duration::from_secs(seconds - 1) && *most <= Duration::from_secs(seconds + 1));
            assert!(most.abs_diff(*least) > Duration::from_millis(1800), "{least:?} to {most:?}");
        }
    }
}
