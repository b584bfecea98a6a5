//! What was found, and how it is shown.
//!
//! *Lives here:* [`Finding`] with its places, and their rendering.
//! *Must not know:* rules.

use super::place::Spot;
use super::rules::Rule;
use crate::report::Severity;
use annotate_snippets::{Annotation, AnnotationKind, Level, Origin, Renderer, Snippet};

/// Something that is not as it should be, or that people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub rule: &'static Rule,
    /// What is wrong, and what to do.
    pub message: String,
    /// Where, the most telling first; none where it is of no file.
    pub places: Vec<Place>,
    /// What it is about where it is of no file: `this host`.
    pub about: Option<String>,
}

/// A place that has to do with a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where.
    pub spot: Spot,
    /// A word at the caret.
    pub label: String,
}

impl Finding {
    /// A finding of no file.
    pub fn about(rule: &'static Rule, about: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding { rule, message: message.into(), places: Vec::new(), about: Some(about.into()) }
    }

    pub(crate) fn new(rule: &'static Rule, message: impl Into<String>) -> Finding {
        Finding { rule, message: message.into(), places: Vec::new(), about: None }
    }

    /// With a place, if there is one.
    pub(crate) fn at(mut self, spot: Option<&Spot>, label: &str) -> Finding {
        let places = spot.map(|spot| Place { spot: spot.clone(), label: label.to_owned() });
        self.places.extend(places);
        self
    }

    /// For people: with the lines and carets.
    pub fn render(&self, color: bool) -> String {
        let level = match self.rule.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Remark => Level::NOTE,
        };
        let name = self.rule.name();
        let mut group =
            level.primary_title(self.message.as_str()).id(name.as_str()).elements(Vec::<Origin<'_>>::new());
        for place in &self.places {
            let source = &place.spot.source;
            if source.text.is_empty() {
                group = group.element(Origin::path(source.name.as_str()));
                continue;
            }
            group = group.element(snippet(place));
        }
        if let Some(about) = &self.about {
            group = group.element(Origin::path(about.as_str()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// The lines of a place: a whole file would be gone through for each finding.
fn snippet(place: &Place) -> Snippet<'_, Annotation<'_>> {
    let Spot { source, span } = &place.spot;
    let text = source.text.as_str();
    let start = text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let rest = text.get(span.end..).and_then(|rest| rest.find('\n'));
    let end = rest.map_or(text.len(), |at| span.end + at);
    let lines = text.get(start..end).unwrap_or(text);
    let caret =
        AnnotationKind::Primary.span(span.start - start..span.end - start).label(place.label.as_str());
    Snippet::source(lines).line_start(place.spot.position().0).path(source.name.as_str()).annotation(caret)
}
