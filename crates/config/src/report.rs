//! What is wrong with a text, and where.
//!
//! *Lives here:* [`Report`], [`Diagnostic`], their rendering.
//! *Must not know:* what the keys mean.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::ops::Range;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The server does not start with it.
    Error,
    /// The server starts, but an operator should look.
    Warning,
    /// The server starts, and an operator may know already.
    Remark,
}

/// One thing to be said of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
    /// A word at the caret.
    pub help: String,
    pub(crate) span: Range<usize>,
    /// Another place that has to do with it.
    other: Option<(Range<usize>, String)>,
}

/// All that is to be said of one text, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    name: String,
    text: String,
    diagnostics: Vec<Diagnostic>,
    elsewhere: bool,
}

impl Report {
    pub(crate) fn new(name: &str, text: &str) -> Report {
        Report { name: name.to_owned(), text: text.to_owned(), diagnostics: Vec::new(), elsewhere: false }
    }

    /// The same of a text of another host: the files that it names are not to be looked for on this one.
    pub(crate) fn of_another_host(name: &str, text: &str) -> Report {
        Report { elsewhere: true, ..Report::new(name, text) }
    }

    /// Whether files that the text names are those of another host.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.elsewhere
    }

    /// A report on a file that could not even be read.
    pub(crate) fn of_file(name: &str, message: &str) -> Report {
        let mut report = Report::new(name, "");
        report.error(0..0, message.to_owned(), "");
        report
    }

    pub(crate) fn error(&mut self, span: Range<usize>, message: String, help: &str) {
        self.push(Severity::Error, span, message, help, None);
    }

    pub(crate) fn error_with(
        &mut self,
        span: Range<usize>,
        message: String,
        help: &str,
        other: (Range<usize>, String),
    ) {
        self.push(Severity::Error, span, message, help, Some(other));
    }

    pub(crate) fn warning(&mut self, span: Range<usize>, message: String, help: &str) {
        self.push(Severity::Warning, span, message, help, None);
    }

    pub(crate) fn remark(&mut self, span: Range<usize>, message: String, help: &str) {
        self.push(Severity::Remark, span, message, help, None);
    }

    /// Whether anything keeps the server from starting.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// All of it, in the order of the text.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// For people: each with the line and a caret.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let parts: Vec<String> =
            self.diagnostics.iter().map(|diagnostic| renderer.render(&[self.group(diagnostic)])).collect();
        parts.join("\n\n")
    }

    fn group<'r>(&'r self, diagnostic: &'r Diagnostic) -> Group<'r> {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Remark => Level::NOTE,
        };
        let title = level.primary_title(diagnostic.message.as_str());
        if self.text.is_empty() {
            return title.element(annotate_snippets::Origin::path(self.name.as_str()));
        }
        let caret = AnnotationKind::Primary.span(diagnostic.span.clone()).label(diagnostic.help.as_str());
        let mut snippet = Snippet::source(self.text.as_str()).path(self.name.as_str()).annotation(caret);
        if let Some((span, label)) = &diagnostic.other {
            snippet = snippet.annotation(AnnotationKind::Context.span(span.clone()).label(label.as_str()));
        }
        title.element(snippet)
    }

    fn push(
        &mut self,
        severity: Severity,
        span: Range<usize>,
        message: String,
        help: &str,
        other: Option<(Range<usize>, String)>,
    ) {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let diagnostic = Diagnostic { severity, line, column, message, help: help.to_owned(), span, other };
        let after = self.diagnostics.partition_point(|other| other.span.start <= diagnostic.span.start);
        self.diagnostics.insert(after, diagnostic);
    }
}
