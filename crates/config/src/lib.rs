//! `tandem.toml` to a checked configuration, or to all that is wrong with it; and whether two servers fit each other.
//!
//! *Lives here:* the reader of the text, the meaning of its keys, the report with file, line and caret; the reader of
//! `dhcpd.conf`, and what must agree between the two servers of a pair.
//! *May know:* TOML, the engine's checked configuration, names and formats of options, certificates and keys.
//! *Must not know:* sockets, interfaces of this host, the running server.

mod dhcpd;
mod failover;
mod keys;
mod option;
pub mod pair;
mod places;
mod reader;
mod report;
mod schema;
mod tls;
mod value;

pub use self::failover::PartnerAddresses;
pub use keys::{TABLES, TableKeys};
pub use report::{Diagnostic, Report, Severity};
pub use schema::{LogLevel, ServerConfig};
pub use tls::PartnerTls;

use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::DeTable;

/// Largest configuration in bytes.
pub const MAX_FILE: usize = 16 << 20;

/// Deepest nesting of brackets: no configuration needs more than five.
const MAX_DEPTH: usize = 64;

/// Reads and checks a file.
///
/// # Errors
/// All that is wrong with it, at once.
pub fn load(path: &Path) -> Result<(ServerConfig, Report), Report> {
    let (name, text) = text_of(path)?;
    parse(&name, &text)
}

/// The control socket of a file, whatever else is wrong with it: a running server must be reachable while its
/// configuration is being mended.
///
/// # Errors
/// When the file is no TOML, or names neither control-socket nor state-directory.
pub fn control_socket(path: &Path) -> Result<PathBuf, Report> {
    let (name, text) = text_of(path)?;
    let mut report = Report::new(&name, &text);
    let table = table_of(&text, &mut report).ok_or_else(|| report.clone())?;
    schema::control_socket(table.get_ref(), &mut report).ok_or(report)
}

/// Checks a text; `name` is what the report calls it. The report that comes with a configuration has warnings only.
///
/// # Errors
/// All that is wrong with it, at once.
pub fn parse(name: &str, text: &str) -> Result<(ServerConfig, Report), Report> {
    let mut report = Report::new(name, text);
    let config =
        table_of(text, &mut report).and_then(|table| schema::read(table.get_ref(), &mut report).config);
    match config {
        Some(config) if !report.has_errors() => Ok((config, report)),
        _ => Err(report),
    }
}

fn text_of(path: &Path) -> Result<(String, String), Report> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| Report::of_file(&name, &format!("the file cannot be read: {error}")))?;
    if bytes.len() > MAX_FILE {
        let message = format!("the file has {} bytes, more than {MAX_FILE}", bytes.len());
        return Err(Report::of_file(&name, &message));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(Report::of_file(&name, &format!("the file is not UTF-8: {}", error.utf8_error()))),
    }
}

/// `None` with errors in the report when the text is no TOML.
fn table_of<'t>(text: &'t str, report: &mut Report) -> Option<Spanned<DeTable<'t>>> {
    if let Some(at) = too_deep(text) {
        report.error(
            at..at + 1,
            format!("brackets are nested deeper than {MAX_DEPTH}"),
            "remove the inner ones",
        );
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        report.error(error.span().unwrap_or(0..0), error.message().to_owned(), "this is not TOML");
    }
    (!report.has_errors()).then_some(table)
}

/// Where brackets are nested too deep: the parser is recursive, and its stack is not to be a stranger's to use up.
/// Brackets in texts and comments count too; nobody writes that many there.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Some(at);
        }
    }
    None
}
