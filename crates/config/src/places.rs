//! Where each part of the configuration stands in the text.
//!
//! *Lives here:* [`Spans`], [`Places`], and the way back from the engine's faults to the text.
//! *Must not know:* how keys are read.

use crate::reader::Section;
use crate::report::Report;
use engine::config::{Fault, Place, Problem};
use std::collections::BTreeMap;
use std::ops::Range;

/// Where each part stands.
pub(crate) type Places = BTreeMap<Place, Spans>;

/// Where one part stands, with its keys and options.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spans {
    /// What stands for the whole of it: the prefix of a subnet, the range of a pool.
    pub(crate) part: Range<usize>,
    keys: BTreeMap<&'static str, Range<usize>>,
    options: BTreeMap<u8, Range<usize>>,
}

impl Spans {
    pub(crate) fn at(part: Range<usize>) -> Spans {
        Spans { part, ..Spans::default() }
    }

    /// The same keys and options, of another part: two ranges of one pool share them.
    pub(crate) fn moved_to(self, part: Range<usize>) -> Spans {
        Spans { part, ..self }
    }

    /// An option stands here.
    pub(crate) fn option(&mut self, code: u8, span: Range<usize>) {
        self.options.insert(code, span);
    }

    /// The keys of the table stand where they stand.
    pub(crate) fn keys_of(&mut self, section: &Section<'_>) {
        self.keys.extend(section.spans());
    }

    /// Where the value of a key stands, or else the whole part.
    pub(crate) fn key(&self, key: &str) -> Range<usize> {
        self.keys.get(key).unwrap_or(&self.part).clone()
    }

    /// Where the value of a key stands, if it is written.
    pub(crate) fn written(&self, key: &str) -> Option<Range<usize>> {
        self.keys.get(key).cloned()
    }

    /// Where an option stands, or else the whole part.
    pub(crate) fn option_span(&self, code: u8) -> Range<usize> {
        self.options.get(&code).unwrap_or(&self.part).clone()
    }

    /// The nearest place to what a problem speaks of.
    fn of(&self, problem: &Problem) -> Range<usize> {
        let keys: &[&str] = match problem {
            Problem::ServerOption(code) | Problem::OptionLength { code, .. } => {
                return self.options.get(code).unwrap_or(&self.part).clone();
            }
            Problem::NoLeaseTime | Problem::LeaseTimes { .. } => {
                &["lease-time", "min-lease-time", "max-lease-time"]
            }
            Problem::RenewalTimes => &["renewal-time", "rebinding-time"],
            Problem::NoOfferTime => &["offer-time"],
            Problem::BootLength { field, .. } => std::slice::from_ref(field),
            Problem::IdentifierLength(_) => &["client-identifier"],
            Problem::BootpBesideDhcpd => &["dynamic-bootp"],
            Problem::Mclt => &["mclt"],
            Problem::MaxUnacked => &["max-unacked"],
            Problem::Split => &["split"],
            Problem::ReceiveTimer => &["receive-timer"],
            Problem::ConnectInterval => &["connect-interval"],
            Problem::ClockDifference | Problem::ClockDifferenceOfPartner(_) => &["max-clock-difference"],
            _ => &[],
        };
        keys.iter().find_map(|key| self.keys.get(key)).unwrap_or(&self.part).clone()
    }
}

/// Says a fault at its place.
pub(crate) fn place_fault(fault: &Fault, places: &Places, report: &mut Report) {
    let nowhere = Spans::default();
    let spans = |place: &Place| places.get(place).unwrap_or(&nowhere);
    let span = spans(&fault.place).of(&fault.problem);
    let message = fault.problem.to_string();
    match &fault.problem {
        Problem::SubnetsOverlap { at, .. }
        | Problem::PoolsOverlap { at, .. }
        | Problem::ReservedTwice { at, .. }
        | Problem::SameRelationship { at, .. }
        | Problem::SameClient { at } => {
            let other = (spans(at).part.clone(), "the other is here".to_owned());
            report.error_with(span, message, "here", other);
        }
        _ => report.error(span, message, "here"),
    }
}
