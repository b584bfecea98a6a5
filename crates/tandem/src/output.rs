//! Where a command prints.
//!
//! *Lives here:* [`Output`], and whether it may use colour.
//! *Must not know:* what is printed.

use crate::exit::{Code, Stop};
use serde::Serialize;
use std::io::{BufWriter, IsTerminal, Write};

/// Standard output, or a buffer in tests.
pub(crate) struct Output {
    to: Box<dyn Write>,
    color: bool,
}

/// What a word means, where there is colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// A heading.
    Bold,
    /// All is well.
    Good,
    /// Somebody should look.
    Warning,
    /// Somebody must act.
    Bad,
}

impl Output {
    /// Standard output; in colour on a terminal, unless NO_COLOR is set to anything (no-color.org).
    pub(crate) fn of_process() -> Output {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let stdout = std::io::stdout();
        let color = !refused && stdout.is_terminal();
        Output { to: Box::new(BufWriter::new(stdout)), color }
    }

    pub(crate) fn color(&self) -> bool {
        self.color
    }

    /// The text, in colour where that is wanted.
    pub(crate) fn toned(&self, tone: Tone, text: &str) -> String {
        toned(self.color, tone, text)
    }

    pub(crate) fn line(&mut self, text: &str) -> Result<(), Stop> {
        writeln!(self.to, "{text}").map_err(Stop::from)
    }

    /// The value as JSON, for people too.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Stop> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Stop::Because(Code::Failed, format!("error: no JSON: {error}")))?;
        self.line(&text)
    }

    /// For who writes pieces of lines.
    pub(crate) fn writer(&mut self) -> &mut dyn Write {
        &mut *self.to
    }

    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        self.to.flush().map_err(Stop::from)
    }
}

/// The text between the codes of its tone, or as it is.
pub(crate) fn toned(color: bool, tone: Tone, text: &str) -> String {
    if !color {
        return text.to_owned();
    }
    let code = match tone {
        Tone::Bold => "1",
        Tone::Good => "1;32",
        Tone::Warning => "1;33",
        Tone::Bad => "1;31",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}
