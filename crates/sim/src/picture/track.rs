//! From what happened one after the other to what lasted: bands, bars, arrows.
//!
//! *Lives here:* [`Tracks`].
//! *Must not know:* colours, coordinates.

use crate::history::{Happening, Party, What};
use failover::state::FailoverState;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// No process serves.
    Down,
    /// It serves, and has no partner.
    Serves,
    In(FailoverState),
}

/// Something that lasts, in milliseconds since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span<T> {
    pub(super) from: u64,
    pub(super) to: u64,
    /// Where it begins in the history, and where it ends, if something there ended it: much may happen in one instant.
    pub(super) places: (usize, Option<usize>),
    pub(super) what: T,
}

/// A client uses an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) client: u8,
    /// How often it was extended.
    pub(super) extended: u32,
    /// When a server heard that it gives the address back, though it goes on.
    pub(super) given_back: Option<u64>,
}

/// A message from one to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrow {
    /// Its place in the history.
    pub(super) place: usize,
    pub(super) sent: u64,
    pub(super) from: Party,
    pub(super) to: Party,
    pub(super) name: &'static str,
    pub(super) brief: String,
    pub(super) text: String,
    /// When it was taken in, each time, and the place of that in the history.
    pub(super) heard: Vec<(u64, usize)>,
}

/// A trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: u64,
    pub(super) place: usize,
    pub(super) number: Option<u32>,
    pub(super) whom: Party,
    pub(super) kind: String,
}

/// All that lasted in a run.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    pub(super) begin: u64,
    pub(super) end: u64,
    /// Of each server.
    pub(super) conditions: Vec<Vec<Span<Condition>>>,
    /// When each server stood still.
    pub(super) stands: Vec<Vec<Span<()>>>,
    /// When nothing from each server got through to the other.
    pub(super) silent: Vec<Vec<Span<()>>>,
    /// Leases may go on after the end.
    pub(super) holds: BTreeMap<Ipv4Addr, Vec<Span<Hold>>>,
    pub(super) arrows: Vec<Arrow>,
    pub(super) marks: Vec<Mark>,
    pub(super) healed: Option<u64>,
    /// The two are a pair.
    pub(super) is_pair: bool,
}

/// Ends the last span now, if it would go on.
fn cut<T>(spans: &mut [Span<T>], now: u64, place: usize) {
    if let Some(span) = spans.last_mut().filter(|span| span.to >= now && span.places.1.is_none()) {
        (span.to, span.places.1) = (now, Some(place));
    }
}

/// Puts a span behind the others, the last of which ends where it begins.
fn follow<T>(spans: &mut Vec<Span<T>>, [from, to]: [u64; 2], place: usize, what: T) {
    cut(spans, from, place);
    spans.push(Span { from, to, places: (place, None), what });
}

impl Tracks {
    /// Of a run that ended at `end`.
    pub(super) fn of(history: &[Happening], end: u64) -> Tracks {
        let servers = history.iter().map(|one| one.what.server().map_or(0, |server| server + 1));
        let servers = servers.max().unwrap_or(0);
        let begin = history.first().map_or(0, |first| first.at);
        let mut tracks = Tracks {
            begin,
            end,
            conditions: vec![
                vec![Span { from: begin, to: end, places: (0, None), what: Condition::Down }];
                servers
            ],
            stands: vec![Vec::new(); servers],
            silent: vec![Vec::new(); servers],
            is_pair: history.iter().any(|one| matches!(one.what, What::State { .. })),
            ..Tracks::default()
        };
        // Of each message, where its arrows are.
        let mut sent: BTreeMap<u64, std::ops::Range<usize>> = BTreeMap::new();
        for (place, Happening { at, what }) in history.iter().enumerate() {
            match what {
                What::Sends { message, from, to, name, brief, text } => {
                    let first = tracks.arrows.len();
                    tracks.arrows.extend(to.iter().map(|to| Arrow {
                        place,
                        sent: *at,
                        from: *from,
                        to: *to,
                        name,
                        brief: brief.clone(),
                        text: text.clone(),
                        heard: Vec::new(),
                    }));
                    sent.insert(*message, first..tracks.arrows.len());
                }
                What::Heard { message, by, .. } => {
                    let arrows = sent.get(message).cloned().unwrap_or_default();
                    if let Some(arrow) = tracks.arrows[arrows].iter_mut().find(|arrow| arrow.to == *by) {
                        arrow.heard.push((*at, place));
                    }
                }
                What::Trouble { number, whom, kind } => {
                    let (number, whom, kind) = (*number, *whom, kind.clone());
                    tracks.marks.push(Mark { at: *at, place, number, whom, kind });
                }
                _ => tracks.lasts(*at, place, what),
            }
        }
        tracks
    }

    fn lasts(&mut self, now: u64, place: usize, what: &What) {
        let end = self.end;
        match what {
            What::Healed => {
                self.healed = Some(now);
                self.silent.iter_mut().for_each(|spans| cut(spans, now, place));
            }
            What::Serves { server, .. } if !self.is_pair => {
                follow(&mut self.conditions[*server], [now, end], place, Condition::Serves);
            }
            What::State { server, state } => {
                follow(&mut self.conditions[*server], [now, end], place, Condition::In(*state));
            }
            What::Ends { server, .. } => {
                follow(&mut self.conditions[*server], [now, end], place, Condition::Down);
                cut(&mut self.stands[*server], now, place);
            }
            What::Stands { server, until } => {
                follow(&mut self.stands[*server], [now, (*until).min(end)], place, ());
            }
            What::Silent { from, until } => {
                let spans = &mut self.silent[*from];
                match spans.last_mut().filter(|span| span.to >= now) {
                    Some(span) => span.to = span.to.max(*until).min(end),
                    None => {
                        spans.push(Span {
                            from: now,
                            to: (*until).min(end),
                            places: (place, None),
                            what: (),
                        });
                    }
                }
            }
            What::Holds { client, address, until, .. } => self.holds(now, place, *client, *address, *until),
            What::LetsGo { client, address, .. } => {
                let spans = self.holds.entry(*address).or_default();
                if let Some(span) = spans.iter_mut().rev().find(|span| span.what.client == *client) {
                    (span.to, span.places.1) = (span.to.min(now), Some(place));
                }
            }
            What::GivenBack { client, address } => {
                let spans = self.holds.entry(*address).or_default();
                let goes_on = |span: &&mut Span<Hold>| span.what.client == *client && span.to > now;
                if let Some(span) = spans.iter_mut().rev().find(goes_on) {
                    span.what.given_back.get_or_insert(now);
                }
            }
            _ => {}
        }
    }

    fn holds(&mut self, now: u64, place: usize, client: u8, address: Ipv4Addr, until: u64) {
        let spans = self.holds.entry(address).or_default();
        let last = spans.iter_mut().rev().find(|span| span.what.client == client);
        if let Some(span) = last.filter(|span| span.to >= now && span.what.given_back.is_none()) {
            (span.to, span.places.1) = (until, None);
            span.what.extended += 1;
        } else {
            let what = Hold { client, extended: 0, given_back: None };
            spans.push(Span { from: now, to: until, places: (place, None), what });
        }
    }

    /// Spans of one address in which two clients used it, neither having given it back.
    pub(super) fn shared(spans: &[Span<Hold>]) -> Vec<Span<()>> {
        let sure = |span: &Span<Hold>| span.what.given_back.unwrap_or(span.to).min(span.to);
        let mut shared = Vec::new();
        for (n, one) in spans.iter().enumerate() {
            for other in spans[n + 1..].iter().filter(|other| other.what.client != one.what.client) {
                let (from, to) = (one.from.max(other.from), sure(one).min(sure(other)));
                if from < to {
                    let place = one.places.0.max(other.places.0);
                    shared.push(Span { from, to, places: (place, None), what: () });
                }
            }
        }
        shared
    }
}

impl What {
    fn server(&self) -> Option<usize> {
        match self {
            What::Serves { server, .. }
            | What::Ends { server, .. }
            | What::Stands { server, .. }
            | What::State { server, .. }
            | What::Recorded { server, .. } => Some(*server),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(all: Vec<(u64, What)>) -> Vec<Happening> {
        all.into_iter().map(|(at, what)| Happening { at, what }).collect()
    }

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);

    fn holds(client: u8, until: u64) -> What {
        What::Holds { client, address: ADDRESS, until, how: "Selected" }
    }

    #[test]
    fn bands_follow_each_other_and_bars_end_where_clients_let_go() {
        let state = |state| What::State { server: 0, state };
        let tracks = Tracks::of(
            &history(vec![
                (10, state(FailoverState::Startup)),
                (20, state(FailoverState::Normal)),
                (30, holds(1, 90)),
                (40, holds(1, 200)),
                (50, What::Ends { server: 0, how: "Killed".to_owned() }),
                (60, What::GivenBack { client: 1, address: ADDRESS }),
                (70, What::LetsGo { client: 1, address: ADDRESS, why: "Released" }),
                (80, holds(2, u64::MAX)),
            ]),
            100,
        );
        let bands = [
            (10, 10, Condition::Down),
            (10, 20, Condition::In(FailoverState::Startup)),
            (20, 50, Condition::In(FailoverState::Normal)),
            (50, 100, Condition::Down),
        ];
        let seen = tracks.conditions[0].iter().map(|span| (span.from, span.to, span.what));
        assert_eq!(seen.collect::<Vec<_>>(), bands);
        let first = Hold { client: 1, extended: 1, given_back: Some(60) };
        let second = Hold { client: 2, extended: 0, given_back: None };
        let bars = [(30, 70, (2, Some(6)), first), (80, u64::MAX, (7, None), second)];
        let seen = tracks.holds[&ADDRESS].iter().map(|span| (span.from, span.to, span.places, span.what));
        assert_eq!(seen.collect::<Vec<_>>(), bars);
        assert_eq!(Tracks::shared(&tracks.holds[&ADDRESS]), []);
    }

    #[test]
    fn two_that_use_one_address_are_seen() {
        let tracks = Tracks::of(&history(vec![(10, holds(1, 90)), (50, holds(2, 70))]), 100);
        let both = Span { from: 50, to: 70, places: (1, None), what: () };
        assert_eq!(Tracks::shared(&tracks.holds[&ADDRESS]), [both]);
        // The run ends where this is found.
        let tracks = Tracks::of(&history(vec![(10, holds(1, 90)), (50, holds(2, 70))]), 50);
        assert_eq!(Tracks::shared(&tracks.holds[&ADDRESS]).len(), 1);
        let back = What::GivenBack { client: 1, address: ADDRESS };
        let tracks = Tracks::of(&history(vec![(10, holds(1, 90)), (40, back), (50, holds(2, 70))]), 100);
        assert_eq!(Tracks::shared(&tracks.holds[&ADDRESS]), []);
    }

    #[test]
    fn an_arrow_ends_at_whoever_heard_it() {
        let (client, both) = (Party::Client(3), vec![Party::Server(0), Party::Server(1)]);
        let name = "DHCPDISCOVER";
        let (brief, text) = (String::new(), String::new());
        let sends = What::Sends { message: 1, from: client, to: both, name, brief, text };
        let heard = What::Heard { message: 1, by: Party::Server(1), text: None };
        let tracks = Tracks::of(&history(vec![(10, sends), (12, heard)]), 100);
        let ends: Vec<_> = tracks.arrows.iter().map(|arrow| (arrow.to, arrow.heard.clone())).collect();
        assert_eq!(ends, [(Party::Server(0), vec![]), (Party::Server(1), vec![(12, 1)])]);
    }
}
