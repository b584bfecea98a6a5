//! Statements of `dhcpd.conf`.
//!
//! *Lives here:* [`Statement`], [`Parser`]: words up to a semicolon, or up to a block of statements in braces.
//! *Must not know:* what a statement means.
//!
//! The parser goes on behind whatever is wrong. It nests as deep as `MAX_DEPTH`, so that a file cannot use up the stack.

use super::lexer::Token;
use crate::pair::place::{Source, Spot};
use crate::pair::view::Fault;
use std::sync::Arc;

/// Deepest nesting of blocks: no configuration needs more than eight.
const MAX_DEPTH: usize = 64;

/// One statement.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    /// At least one.
    pub(super) words: Vec<Token>,
    /// The statements in its braces, if it has some.
    pub(super) block: Option<Vec<Statement>>,
    /// From its first word to its last before the braces.
    pub(super) spot: Spot,
}

impl Statement {
    /// Whether it begins with these keywords.
    pub(super) fn is(&self, keywords: &[&str]) -> bool {
        self.words.len() >= keywords.len()
            && self.words.iter().zip(keywords).all(|(word, keyword)| word.is(keyword))
    }

    /// The words behind the first so many.
    pub(super) fn behind(&self, count: usize) -> &[Token] {
        self.words.get(count..).unwrap_or(&[])
    }

    /// Where the words behind the first so many stand; the whole statement if there are none.
    pub(super) fn value_spot(&self, count: usize) -> Spot {
        match self.behind(count) {
            [first, .., last] => first.spot.to(&last.spot),
            [only] => only.spot.clone(),
            [] => self.spot.clone(),
        }
    }

    /// Its first words, to call it by: the keyword, and its name if it has one.
    pub(super) fn called(&self) -> String {
        let mut words = self.words.iter();
        let first = words.next().and_then(Token::name).unwrap_or_else(|| "…".to_owned());
        let keeps_second =
            ["allow", "deny", "ignore", "option", "class", "subclass", "host", "on", "key", "zone", "not"];
        let second = words.next().filter(|_| keeps_second.contains(&first.to_ascii_lowercase().as_str()));
        match second {
            Some(token) if token.word().is_none() => {
                format!("{first} \"{}\"", token.name().unwrap_or_default().escape_debug())
            }
            Some(token) => format!("{first} {}", token.name().unwrap_or_default().escape_debug()),
            None => first.escape_debug().to_string(),
        }
    }
}

/// Puts words together.
pub(super) struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    end: Spot,
    pub(super) faults: Vec<Fault>,
}

impl Parser {
    pub(super) fn new(source: &Arc<Source>, tokens: Vec<Token>) -> Parser {
        let end = tokens.last().map_or_else(|| Spot::start_of(source), |last| last.spot.clone());
        Parser { tokens: tokens.into_iter().peekable(), end, faults: Vec::new() }
    }

    fn fault(&mut self, spot: &Spot, message: impl Into<String>, help: &str) {
        self.faults.push(Fault { message: message.into(), spot: spot.clone(), help: help.to_owned() });
    }

    /// All statements to the end of the text.
    pub(super) fn statements(&mut self) -> Vec<Statement> {
        let mut all = Vec::new();
        loop {
            all.extend(self.block(0, None));
            match self.tokens.next() {
                Some(brace) => self.fault(&brace.spot, "there is no { that this } closes: remove it", "here"),
                None => return all,
            }
        }
    }

    /// Statements up to the brace that closes the block, which is left to the caller, or up to the end.
    fn block(&mut self, depth: usize, opened: Option<&Spot>) -> Vec<Statement> {
        let mut statements = Vec::new();
        loop {
            match self.tokens.peek() {
                None => {
                    if let Some(opened) = opened {
                        self.fault(
                            opened,
                            "nothing closes the block that begins here: add }",
                            "it begins here",
                        );
                    }
                    return statements;
                }
                Some(token) if token.is_mark('}') => return statements,
                Some(token) if token.is_mark(';') => {
                    self.tokens.next();
                }
                Some(_) => statements.extend(self.statement(depth)),
            }
        }
    }

    fn statement(&mut self, depth: usize) -> Option<Statement> {
        let mut words: Vec<Token> = Vec::new();
        // `option x code 200 = { integer 8, text };`: braces of a type hold no statements.
        let mut record = 0_usize;
        loop {
            let is_option = words.first().is_some_and(|first| first.is("option"));
            let Some(token) = self.tokens.next_if(|token| record > 0 || !token.is_mark('}')) else {
                let spot = words.last().map_or_else(|| self.end.clone(), |last| last.spot.clone());
                self.fault(&spot, "a semicolon is missing behind this", "here");
                break;
            };
            if token.is_mark('{') && is_option {
                record += 1;
            } else if token.is_mark('}') {
                record = record.saturating_sub(1);
            } else if token.is_mark(';') {
                break;
            } else if token.is_mark('{') {
                return self.with_block(words, &token.spot, depth);
            }
            words.push(token);
        }
        statement(words, None)
    }

    fn with_block(&mut self, words: Vec<Token>, brace: &Spot, depth: usize) -> Option<Statement> {
        if depth >= MAX_DEPTH {
            self.fault(
                brace,
                format!("blocks are nested deeper than {MAX_DEPTH}: the inner ones are not read"),
                "here",
            );
            self.skip();
            return statement(words, Some(Vec::new()));
        }
        if words.is_empty() {
            self.fault(brace, "nothing says what this block is: write it before {", "here");
        }
        let block = self.block(depth + 1, Some(brace));
        self.tokens.next();
        statement(words, Some(block))
    }

    /// To behind the brace that closes a block.
    fn skip(&mut self) {
        let mut open = 1_usize;
        for token in self.tokens.by_ref() {
            if token.is_mark('{') {
                open += 1;
            } else if token.is_mark('}') {
                open -= 1;
            }
            if open == 0 {
                return;
            }
        }
    }
}

fn statement(words: Vec<Token>, block: Option<Vec<Statement>>) -> Option<Statement> {
    let spot = match words.as_slice() {
        [] => return None,
        [only] => only.spot.clone(),
        [first, .., last] => first.spot.to(&last.spot),
    };
    Some(Statement { words, block, spot })
}
