//! Elements of SVG and HTML.
//!
//! *Lives here:* how text is written so that it stays text; shapes that more than one part of a page has; colours.
//! *Must not know:* what is drawn.

use super::track::Condition;
use crate::report::Clocked;
use failover::state::FailoverState;
use std::fmt::{self, Write};

/// Text between tags or in an attribute.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                letter if letter.is_control() => f.write_char(' ')?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

/// A coordinate, with as many digits as the eye needs.
pub(super) struct At(pub(super) f64);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round() / 10.0;
        if tenths.fract() == 0.0 { write!(f, "{tenths:.0}") } else { write!(f, "{tenths:.1}") }
    }
}

/// A picture that grows. Writing to a `String` cannot fail, so that results are let go in this one place.
#[derive(Debug, Default)]
pub(super) struct Drawing(pub(super) String);

impl Drawing {
    pub(super) fn add(&mut self, what: fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(what);
        self.0.push('\n');
    }

    /// A rectangle of this class, with a text that shows under the pointer.
    pub(super) fn rectangle(&mut self, class: &str, [x, y, width, height]: [f64; 4], title: &str) {
        self.add(format_args!(
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>",
            At(x),
            At(y),
            At(width),
            At(height),
            Escaped(title)
        ));
    }

    pub(super) fn line(&mut self, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
        self.add(format_args!(
            "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            At(x1),
            At(y1),
            At(x2),
            At(y2)
        ));
    }

    pub(super) fn text(&mut self, class: &str, [x, y]: [f64; 2], text: &str) {
        self.add(format_args!(
            "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text>",
            At(x),
            At(y),
            Escaped(text)
        ));
    }

    /// A cross around a point.
    pub(super) fn cross(&mut self, class: &str, [x, y]: [f64; 2], size: f64) {
        self.add(format_args!(
            "<path class=\"{class}\" d=\"M{} {}l{s} {s}m0 -{s}l-{s} {s}\"/>",
            At(x - size / 2.0),
            At(y - size / 2.0),
            s = At(size)
        ));
    }
}

/// A moment that may never come.
pub(super) struct Until(pub(super) u64);

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == u64::MAX { f.write_str("the end of time") } else { Clocked(self.0).fmt(f) }
    }
}

/// The class of a band.
pub(super) const fn class_of(condition: Condition) -> &'static str {
    match condition {
        Condition::Down => "down",
        Condition::Serves => "serves",
        Condition::In(state) => match state {
            FailoverState::Startup => "startup",
            FailoverState::Normal => "normal",
            FailoverState::CommunicationsInterrupted => "interrupted",
            FailoverState::PartnerDown => "partner-down",
            FailoverState::PotentialConflict => "conflict",
            FailoverState::Recover => "recover",
            FailoverState::Paused => "paused",
            FailoverState::Shutdown => "shutdown",
            FailoverState::RecoverDone => "recover-done",
            FailoverState::ResolutionInterrupted => "resolution",
            FailoverState::ConflictDone => "conflict-done",
            FailoverState::RecoverWait => "recover-wait",
        },
    }
}

/// What a band is called.
pub(super) const fn name_of(condition: Condition) -> &'static str {
    match condition {
        Condition::Down => "down",
        Condition::Serves => "serves",
        Condition::In(state) => state.name(),
    }
}

/// How many colours clients have before they come again.
pub(super) const CLIENT_COLOURS: u8 = 12;

/// The class of what belongs to a client.
pub(super) fn class_of_client(client: u8) -> String {
    format!("c{}", client % CLIENT_COLOURS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(Escaped("a<b> & \"c\"\n").to_string(), "a&lt;b&gt; &amp; &quot;c&quot; ");
        assert_eq!([At(1.04), At(2.0), At(-0.26)].map(|at| at.to_string()), ["1", "2", "-0.3"]);
    }
}
