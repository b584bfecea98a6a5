//! The text of a dhcpd: its main file, and those that it includes.
//!
//! *Lives here:* [`Files`], from where texts come; [`parse`], which puts the statements of all of them into one tree.
//! *Must not know:* what statements mean.

use super::lexer::{Lexer, Token};
use super::statement::{Parser, Statement};
use crate::pair::place::{Source, Spot};
use crate::pair::view::Fault;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Deepest nesting of files: more is a circle.
const MAX_INCLUDES: usize = 16;

/// Most bytes of all files together.
const MAX_BYTES: usize = crate::MAX_FILE;

/// Where included files come from.
pub(crate) trait Files {
    /// The text of a file, as UTF-8; what is not is replaced.
    ///
    /// # Errors
    /// A text for people, when it cannot be read.
    fn read(&self, path: &Path) -> Result<String, String>;

    /// Whether paths in the text are those of this host.
    fn are_of_this_host(&self) -> bool;
}

/// All that was read.
pub(super) struct Parsed {
    pub(super) main: Arc<Source>,
    pub(super) statements: Vec<Statement>,
    pub(super) faults: Vec<Fault>,
    pub(super) borrowed: Vec<Spot>,
}

/// Reads the main file and what it includes.
pub(super) fn parse(path: &Path, text: &str, files: &dyn Files) -> Parsed {
    let main = Arc::new(Source { name: path.display().to_string(), text: text.to_owned() });
    let mut reader = Reader {
        folder: path.parent().unwrap_or(Path::new("")).to_owned(),
        files,
        bytes: 0,
        faults: Vec::new(),
        borrowed: Vec::new(),
    };
    let tokens = reader.tokens(&main, 0);
    let mut parser = Parser::new(&main, tokens);
    let statements = parser.statements();
    reader.faults.append(&mut parser.faults);
    Parsed { main, statements, faults: reader.faults, borrowed: reader.borrowed }
}

struct Reader<'f> {
    folder: PathBuf,
    files: &'f dyn Files,
    bytes: usize,
    faults: Vec<Fault>,
    borrowed: Vec<Spot>,
}

impl Reader<'_> {
    fn fault(&mut self, spot: &Spot, message: impl Into<String>, help: &str) {
        self.faults.push(Fault { message: message.into(), spot: spot.clone(), help: help.to_owned() });
    }

    /// The words of a file, with those of an included one in the place of its `include`.
    fn tokens(&mut self, source: &Arc<Source>, depth: usize) -> Vec<Token> {
        let mut lexer = Lexer::new(source, &source.text);
        let cut: Vec<Token> = lexer.by_ref().collect();
        if let Some(spot) = lexer.unterminated {
            self.fault(&spot, "nothing ends this quoted text: close it with \"", "it begins here");
        }
        let mut tokens = Vec::with_capacity(cut.len());
        let mut begins = true;
        let mut cut = cut.into_iter().peekable();
        while let Some(token) = cut.next() {
            if !(begins && token.is("include")) {
                begins = [';', '{', '}'].into_iter().any(|mark| token.is_mark(mark));
                tokens.push(token);
                continue;
            }
            let named = cut.next_if(|next| next.name().is_some());
            match named.as_ref().and_then(|named| Some((named.name()?, token.spot.to(&named.spot)))) {
                Some((name, spot)) => tokens.extend(self.include(&name, &spot, depth)),
                None => self.fault(&token.spot, "include wants the name of a file in quotes", "here"),
            }
            if cut.next_if(|next| next.is_mark(';')).is_none() {
                self.fault(&token.spot, "a semicolon is missing behind this", "here");
            }
        }
        tokens
    }

    fn include(&mut self, name: &str, spot: &Spot, depth: usize) -> Vec<Token> {
        if depth >= MAX_INCLUDES {
            let message = format!("files include each other more than {MAX_INCLUDES} deep: is it a circle?");
            self.fault(spot, message, "here");
            return Vec::new();
        }
        let (path, text) = match self.text(Path::new(name), spot) {
            Ok(found) => found,
            Err(why) => {
                let message = format!(
                    "the included file cannot be read, and nothing of it was looked at: {why}; copy it beside the file \
                     that includes it"
                );
                self.fault(spot, message, "here");
                return Vec::new();
            }
        };
        self.bytes += text.len();
        if self.bytes > MAX_BYTES {
            self.fault(
                spot,
                format!("all files together have more than {MAX_BYTES} bytes"),
                "the rest is not read",
            );
            return Vec::new();
        }
        let source = Arc::new(Source { name: path.display().to_string(), text });
        self.tokens(&source, depth + 1)
    }

    /// On its own host a path is what it is; that of another host is looked for beside the file that came with it. Where it was
    /// found, and what it has.
    fn text(&mut self, path: &Path, spot: &Spot) -> Result<(PathBuf, String), String> {
        let as_written = self.folder.join(path);
        let beside = path.file_name().map_or_else(|| as_written.clone(), |name| self.folder.join(name));
        let is_of_another = path.is_absolute() && !self.files.are_of_this_host();
        let [first, second] = if is_of_another { [beside, as_written] } else { [as_written, beside] };
        let why = match self.files.read(&first) {
            Ok(text) => return Ok((first, text)),
            Err(why) => why,
        };
        match self.files.read(&second) {
            Ok(text) => {
                if is_of_another {
                    self.borrowed.push(spot.clone());
                }
                Ok((second, text))
            }
            Err(_) => Err(why),
        }
    }
}
