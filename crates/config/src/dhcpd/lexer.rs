//! Words of `dhcpd.conf`.
//!
//! *Lives here:* [`Lexer`], which cuts a text into [`Token`]s.
//! *Must not know:* what a word means.

use crate::pair::place::{Source, Spot};
use std::str::CharIndices;
use std::sync::Arc;

/// One piece of the text.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) spot: Spot,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword, a number, an address, bytes in hexadecimal.
    Word(String),
    /// Text between quotes, without them and with its escapes resolved.
    Text(Vec<u8>),
    /// Any other character.
    Mark(char),
}

impl Token {
    /// The word as it stands; of a quoted text, `None`.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            Kind::Text(_) | Kind::Mark(_) => None,
        }
    }

    /// Whether it is this keyword; dhcpd does not tell capitals from small letters.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.word().is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    pub(super) fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    /// A name, which may stand in quotes or without.
    pub(super) fn name(&self) -> Option<String> {
        match &self.kind {
            Kind::Word(word) => Some(word.clone()),
            Kind::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Kind::Mark(_) => None,
        }
    }
}

/// Cuts a text from its beginning to its end.
pub(super) struct Lexer<'t> {
    source: Arc<Source>,
    text: &'t str,
    at: usize,
    /// Where a quoted text began that nothing ends.
    pub(super) unterminated: Option<Spot>,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(source: &Arc<Source>, text: &'t str) -> Lexer<'t> {
        Lexer { source: Arc::clone(source), text, at: 0, unterminated: None }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn spot(&self, start: usize) -> Spot {
        Spot { source: Arc::clone(&self.source), span: start..self.at }
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn quoted(&mut self, start: usize) -> Kind {
        let mut bytes = Vec::new();
        let mut characters = self.rest().char_indices();
        characters.next();
        while let Some((offset, character)) = characters.next() {
            match character {
                '"' => {
                    self.at += offset + 1;
                    return Kind::Text(bytes);
                }
                '\\' => escape(&mut characters, &mut bytes),
                other => bytes.extend(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.at = self.text.len();
        self.unterminated = Some(self.spot(start).first_line());
        Kind::Text(bytes)
    }
}

/// What stands behind a backslash: `\n`, `\x41`, `\101`, or a character that stands for itself.
fn escape(characters: &mut CharIndices<'_>, bytes: &mut Vec<u8>) {
    let Some((_, character)) = characters.next() else { return };
    match character {
        'n' => bytes.push(b'\n'),
        'r' => bytes.push(b'\r'),
        't' => bytes.push(b'\t'),
        'b' => bytes.push(8),
        'x' => bytes.push(digits(characters, 0, 16, 2)),
        '0'..='7' => bytes.push(digits(characters, character.to_digit(8).unwrap_or(0), 8, 2)),
        other => bytes.extend(other.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Up to `most` digits behind what is there already; what does not fit into a byte is cut.
fn digits(characters: &mut CharIndices<'_>, so_far: u32, radix: u32, most: usize) -> u8 {
    let mut value = so_far;
    for _ in 0..most {
        let next = characters.clone().next().and_then(|(_, character)| character.to_digit(radix));
        let Some(digit) = next else { break };
        value = value * radix + digit;
        characters.next();
    }
    value.to_le_bytes()[0]
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '-' | '_' | '.' | ':' | '/')
        || !character.is_ascii()
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blanks();
        let start = self.at;
        let rest = self.rest();
        let first = rest.chars().next()?;
        let kind = if first == '"' {
            self.quoted(start)
        } else if is_of_word(first) {
            let length = rest.find(|character| !is_of_word(character)).unwrap_or(rest.len());
            self.at += length;
            Kind::Word(rest[..length].to_owned())
        } else {
            self.at += first.len_utf8();
            Kind::Mark(first)
        };
        Some(Token { kind, spot: self.spot(start) })
    }
}
