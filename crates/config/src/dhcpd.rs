//! `dhcpd.conf` of ISC dhcpd 4, as far as a partner must know it.
//!
//! *Lives here:* [`read`]; in the folder the text and its includes (`text`), words (`lexer`), statements (`statement`), values
//! of options (`option`), and what the statements say of the server (`peer`, `scope`, `block`).
//! *May know:* dhcpd.conf(5), names and formats of options.
//! *Must not know:* `tandem.toml`; what must agree between two servers.
//!
//! Nothing is dropped in silence: a statement that says nothing here that a partner must know is kept by its name as one that
//! was not looked at.

mod block;
mod lexer;
mod option;
mod peer;
mod scope;
mod statement;
mod text;

pub(crate) use text::Files;

use crate::pair::view::View;
use std::path::Path;

/// Reads the file of a dhcpd; what is wrong with it is part of the view.
pub(crate) fn read(path: &Path, text: &str, files: &dyn Files) -> View {
    let mut parsed = text::parse(path, text, files);
    let statements = std::mem::take(&mut parsed.statements);
    block::server(&statements, parsed)
}

/// Whether a text is a `dhcpd.conf` and no `tandem.toml`: its first word is followed by what no key of TOML is.
///
/// In TOML the first line that is no comment is `key = value` or a `[table]`; a statement of dhcpd has neither there.
pub(crate) fn is_dhcpd(text: &str) -> bool {
    let line = text.lines().map(str::trim_start).find(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(line) = line else { return false };
    if line.starts_with('[') {
        return false;
    }
    let key = line.split_once('=').map(|(key, _)| key.trim());
    let is_key = key.is_some_and(|key| {
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '"');
        !key.is_empty() && key.chars().all(letter)
    });
    !is_key
}

#[cfg(test)]
mod tests {
    use super::is_dhcpd;

    #[test]
    fn the_two_languages_are_told_apart() {
        for text in
            ["authoritative;", "# x\n\nfailover peer \"a\" {", "option x code 1 = text;", "subnet 10.0.0.0"]
        {
            assert!(is_dhcpd(text), "{text}");
        }
        for text in ["", "# x", "interfaces = [\"eth0\"]", "[[subnet]]", "# dhcpd\noptions.routers = 1"] {
            assert!(!is_dhcpd(text), "{text}");
        }
    }
}
