//! All that is made to go wrong in a run, numbered, so that parts of it can be left out.
//!
//! *Lives here:* [`Plan`], [`Without`].
//! *May know:* whom a trouble befalls, and the numbers that chance gave for it.
//! *Must not know:* what a trouble does.
//!
//! A run draws its troubles from the same chance as all that happens in it. So a run with something left out goes in two steps:
//! first the whole run is made, which writes down of each trouble when it came and where chance stood before and after it; then
//! the run is made again along that plan. Chance is set to where it stood at each trouble, whether that is left out or not: what
//! is left out disturbs nothing but what follows from it, and a run without nothing is the whole run.

use crate::random::Random;
use failover::state::FailoverState;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

/// Where troubles come from, each with times of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Server(usize),
    Pair,
    /// The habits of a client, by its place in the list.
    Client(usize),
    /// A server has just entered a state, so often.
    Moment(usize, FailoverState, u32),
}

/// One time at which something may go wrong.
#[derive(Debug, Clone)]
pub(crate) struct Occasion {
    number: u32,
    source: Source,
    /// When the next one of this source is; of a moment, which deed it is.
    drawn: u64,
    before: Random,
    after: Random,
}

impl Occasion {
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

/// What went wrong in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Befallen {
    /// By which it can be left out.
    pub number: u32,
    /// Whom it befell, and what it is called.
    pub kind: String,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// What is left of the plan that is followed; `None` in a run that makes one.
    coming: Option<BTreeMap<Source, VecDeque<Occasion>>>,
    without: Without,
    /// The occasion that is on, and its number.
    present: Option<Occasion>,
    made: Vec<Occasion>,
    /// How often each server has entered each state.
    entered: BTreeMap<(usize, FailoverState), u32>,
    pub(crate) befallen: Vec<Befallen>,
}

impl Plan {
    /// Follows a plan that was made before.
    pub(crate) fn following(occasions: &Rc<[Occasion]>, without: Without) -> Plan {
        let mut coming: BTreeMap<Source, VecDeque<Occasion>> = BTreeMap::new();
        for occasion in occasions.iter() {
            coming.entry(occasion.source).or_default().push_back(occasion.clone());
        }
        Plan { coming: Some(coming), without, ..Plan::default() }
    }

    /// What was written down.
    pub(crate) fn occasions(&self) -> Rc<[Occasion]> {
        self.made.as_slice().into()
    }

    pub(crate) fn without(&self) -> &Without {
        &self.without
    }

    /// An occasion of this source, with what is drawn for it: when the next one is, or which deed it is. `None` where a plan that
    /// is followed has no such occasion.
    pub(crate) fn begin(
        &mut self,
        source: Source,
        random: &mut Random,
        draw: impl FnOnce(&mut Random) -> u64,
    ) -> Option<u64> {
        let occasion = if let Some(coming) = &mut self.coming {
            let occasion = coming.get_mut(&source).and_then(VecDeque::pop_front)?;
            *random = occasion.before.clone();
            occasion
        } else {
            let drawn = draw(random);
            let number = u32::try_from(self.made.len() + 1).unwrap_or(u32::MAX);
            Occasion { number, source, drawn, before: random.clone(), after: random.clone() }
        };
        let drawn = occasion.drawn;
        self.present = Some(occasion);
        Some(drawn)
    }

    /// Something of this kind would befall somebody now: its number, unless it is left out.
    pub(crate) fn befalls(&mut self, kind: impl FnOnce() -> String) -> Option<u32> {
        let number = self.present.as_ref()?.number;
        if self.without.has_trouble(number) {
            return None;
        }
        self.befallen.push(Befallen { number, kind: kind() });
        Some(number)
    }

    /// The occasion is over.
    pub(crate) fn end(&mut self, random: &mut Random) {
        let Some(mut occasion) = self.present.take() else { return };
        if self.coming.is_none() {
            occasion.after = random.clone();
            self.made.push(occasion);
        } else if self.without.has_trouble(occasion.number) {
            *random = occasion.after;
        }
    }

    /// A server has entered a state; the source of what befalls it just then.
    pub(crate) fn enters(&mut self, server: usize, state: FailoverState) -> Source {
        let times = self.entered.entry((server, state)).or_default();
        *times += 1;
        Source::Moment(server, state, *times)
    }

    /// Whether a plan is followed that has something for this source; `None` where none is followed.
    pub(crate) fn has(&self, source: Source) -> Option<bool> {
        self.coming.as_ref().map(|coming| coming.contains_key(&source))
    }
}

/// What is left out of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Without {
    /// Troubles, by their numbers.
    pub troubles: BTreeSet<u32>,
    /// Clients, by their numbers.
    pub clients: BTreeSet<u8>,
    /// Networks lose, double and delay nothing.
    pub weather: bool,
    /// Nobody declines an address.
    pub declines: bool,
    /// Nobody wishes a lease time.
    pub wishes: bool,
    /// Nobody speaks BOOTP, and no pool serves it: the run that a seed was before anybody did.
    pub bootp: bool,
    /// Faults stop then, in milliseconds since the run began.
    pub after: Option<u64>,
}

impl Without {
    /// Nothing is left out.
    pub fn is_empty(&self) -> bool {
        *self == Without::default()
    }

    /// Nothing is left out of what a seed draws when nobody speaks BOOTP.
    pub(crate) fn is_whole(&self) -> bool {
        *self == Without { bootp: self.bootp, ..Without::default() }
    }

    fn has_trouble(&self, number: u32) -> bool {
        self.troubles.contains(&number)
    }
}

/// The parts of a [`Without`] besides troubles and clients.
const WEATHER: &str = "weather";
const DECLINES: &str = "declines";
const WISHES: &str = "wishes";
const BOOTP: &str = "bootp";
const CLIENT: &str = "client-";
const AFTER: &str = "after-";

impl fmt::Display for Without {
    /// As it is written on the command line: `1-4,9,client-3,weather,after-7200000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut numbers = self.troubles.iter().copied().peekable();
        while let Some(first) = numbers.next() {
            let mut last = first;
            while let Some(next) = numbers.next_if(|next| Some(*next) == last.checked_add(1)) {
                last = next;
            }
            parts.push(if first == last { first.to_string() } else { format!("{first}-{last}") });
        }
        parts.extend(self.clients.iter().map(|client| format!("{CLIENT}{client}")));
        let flags =
            [(self.weather, WEATHER), (self.declines, DECLINES), (self.wishes, WISHES), (self.bootp, BOOTP)];
        parts.extend(flags.iter().filter(|(is_on, _)| *is_on).map(|(_, name)| (*name).to_owned()));
        parts.extend(self.after.map(|after| format!("{AFTER}{after}")));
        f.write_str(&parts.join(","))
    }
}

/// The longest range of troubles that may be written: no run has more.
const LONGEST: u32 = 1_000_000;

impl FromStr for Without {
    type Err = String;

    fn from_str(text: &str) -> Result<Without, String> {
        let mut without = Without::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let wrong = || {
                format!(
                    "{part:?} cannot be left out: name troubles by number (7 or 3-9), or {CLIENT}N, {WEATHER}, {DECLINES}, \
                     {WISHES}, {BOOTP}, {AFTER}MILLISECONDS"
                )
            };
            match part {
                WEATHER => without.weather = true,
                DECLINES => without.declines = true,
                WISHES => without.wishes = true,
                BOOTP => without.bootp = true,
                _ => {
                    if let Some(client) = part.strip_prefix(CLIENT) {
                        without.clients.insert(client.parse().map_err(|_| wrong())?);
                    } else if let Some(after) = part.strip_prefix(AFTER) {
                        without.after = Some(after.parse().map_err(|_| wrong())?);
                    } else {
                        let (first, last) = part.split_once('-').unwrap_or((part, part));
                        let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
                        let (first, last) = (number(first)?, number(last)?);
                        if first > last || last > LONGEST {
                            return Err(wrong());
                        }
                        without.troubles.extend(first..=last);
                    }
                }
            }
        }
        Ok(without)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let text = "1-4,9,11-12,client-3,client-17,weather,declines,wishes,bootp,after-7200000";
        let without: Without = text.parse().unwrap();
        assert_eq!(without.troubles, BTreeSet::from([1, 2, 3, 4, 9, 11, 12]));
        assert_eq!(without.to_string(), text);
        assert!("".parse::<Without>().unwrap().is_empty() && !without.is_empty());
        for wrong in ["4-1", "x", "client-", "client-300", "after-", "1-", "1-4000000000", "-3"] {
            assert!(wrong.parse::<Without>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn chance_is_where_it_stood_whether_a_trouble_is_left_out_or_not() {
        let mut random = Random::new(1);
        let mut plan = Plan::default();
        let mut drawn = Vec::new();
        for _ in 0..3 {
            let next = plan.begin(Source::Pair, &mut random, |random| random.below(1000)).unwrap();
            let number = plan.befalls(|| "Cut".to_owned()).unwrap();
            drawn.push((next, number, random.below(1000)));
            plan.end(&mut random);
        }
        let end = random.next();
        let occasions = plan.occasions();
        let mut random = Random::new(77);
        let mut plan = Plan::following(&occasions, "2-3".parse().unwrap());
        for (next, number, detail) in drawn {
            assert_eq!(plan.begin(Source::Pair, &mut random, |_| 0), Some(next));
            if let Some(befallen) = plan.befalls(|| "Cut".to_owned()) {
                assert_eq!((befallen, random.below(1000)), (number, detail));
            }
            plan.end(&mut random);
        }
        assert_eq!((random.next(), plan.begin(Source::Pair, &mut random, |_| 0)), (end, None));
        assert_eq!(plan.befallen.len(), 1);
    }
}
