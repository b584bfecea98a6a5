//! Where something stands in the files of a pair.
//!
//! *Lives here:* [`Source`], [`Spot`], and [`Stated`], a value with its place.
//! *Must not know:* languages, rules.

use std::ops::Range;
use std::sync::Arc;

/// A file that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// What to call it.
    pub name: String,
    /// All of it. Bytes that are no UTF-8 are replaced.
    pub text: String,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file.
    pub source: Arc<Source>,
    /// Bytes of its text.
    pub span: Range<usize>,
}

impl Spot {
    /// The beginning of a file.
    pub fn start_of(source: &Arc<Source>) -> Spot {
        Spot { source: Arc::clone(source), span: 0..0 }
    }

    /// Line and column (in characters), both counted from 1.
    pub fn position(&self) -> (usize, usize) {
        let text = &self.source.text;
        let before = text.get(..self.span.start).unwrap_or(text);
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }

    /// The line in which it begins, without spaces around it.
    pub fn line(&self) -> &str {
        let text = &self.source.text;
        let start = text.get(..self.span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("").trim()
    }

    /// From here to the end of the other, if both are in one file.
    pub(crate) fn to(&self, end: &Spot) -> Spot {
        if Arc::ptr_eq(&self.source, &end.source) && end.span.end >= self.span.start {
            return Spot { source: Arc::clone(&self.source), span: self.span.start..end.span.end };
        }
        self.clone()
    }

    /// As much of it as stands in its first line.
    pub(crate) fn first_line(&self) -> Spot {
        let text = self.source.text.get(self.span.clone()).unwrap_or("");
        let length = text.find('\n').unwrap_or(text.len());
        Spot { source: Arc::clone(&self.source), span: self.span.start..self.span.start + length }
    }
}

/// A value, and where it stands; one that nobody wrote is what holds by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stated<T> {
    pub(crate) value: T,
    pub(crate) spot: Option<Spot>,
}

impl<T> Stated<T> {
    pub(crate) fn at(value: T, spot: Spot) -> Stated<T> {
        Stated { value, spot: Some(spot) }
    }

    pub(crate) fn by_default(value: T) -> Stated<T> {
        Stated { value, spot: None }
    }
}
