//! What sources cite.
//!
//! *Lives here:* [`ids`] in a text, [`citations`] in a source with the item that each stands at.
//! *Must not know:* which IDs there are.

/// An ID somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation {
    /// Of a requirement, or of an open question.
    pub id: String,
    /// From the root of the repository.
    pub file: String,
    /// What it stands at: a function, a type, a field of it; `all` for the whole file.
    pub item: String,
    /// It stands in a test.
    pub is_test: bool,
}

/// The IDs in a text: `F07-…` and `D12-…` with what follows in short (`, -02`, `to -04`), and `Q…`.
pub fn ids(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = ["F07-", "D12-", "Q"].iter().filter_map(|start| rest.find(start)).min() {
        let before = rest[..at].chars().next_back();
        rest = &rest[at..];
        let taken = if before.is_some_and(char::is_alphanumeric) {
            None
        } else {
            requirement(rest, &mut found).or_else(|| question(rest, &mut found))
        };
        rest = &rest[taken.unwrap_or(1)..];
    }
    found
}

/// Takes a requirement with what follows in short. How many bytes that was.
fn requirement(text: &str, found: &mut Vec<String>) -> Option<usize> {
    let section =
        text.get(4..)?.find(|c: char| !c.is_ascii_digit() && c != '.').map(|end| &text[..end + 4])?;
    let mut at = section.len();
    let mut last = two_digits(text.get(at..)?.strip_prefix('-')?).filter(|_| section.len() > 4)?;
    at += 3;
    found.push(format!("{section}-{last:02}"));
    loop {
        let rest = &text[at..];
        let next = |between: &str| two_digits(rest.strip_prefix(between)?);
        if let Some(end) = next(" to -") {
            found.extend((last + 1..=end).map(|number| format!("{section}-{number:02}")));
            (last, at) = (end, at + 7);
        } else if let Some((length, number)) =
            [", -", " and -", ", and -"].iter().find_map(|between| Some((between.len(), next(between)?)))
        {
            found.push(format!("{section}-{number:02}"));
            (last, at) = (number, at + length + 2);
        } else {
            return Some(at);
        }
    }
}

fn two_digits(text: &str) -> Option<u32> {
    let digits = text.get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

fn question(text: &str, found: &mut Vec<String>) -> Option<usize> {
    let digits = text.strip_prefix('Q')?.chars().take_while(char::is_ascii_digit).count();
    let after = text[1 + digits..].chars().next();
    if !(1..=2).contains(&digits) || after.is_some_and(char::is_alphanumeric) {
        return None;
    }
    found.push(text[..=digits].to_owned());
    Some(1 + digits)
}

/// What a file cites: in code only comments count, in tests every line.
pub fn citations(file: &str, text: &str) -> Vec<Citation> {
    let lines: Vec<&str> = text.lines().collect();
    let tests_from = if is_test_file(file) {
        0
    } else {
        // A module in a file of its own begins with the same line.
        lines
            .windows(2)
            .position(|two| two[0] == "#[cfg(test)]" && two[1].ends_with('{'))
            .unwrap_or(lines.len())
    };
    let is_rust = std::path::Path::new(file).extension().is_some_and(|extension| extension == "rs");
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let is_test = at >= tests_from;
        let cited = if is_test { line } else { line.find("//").map_or("", |start| &line[start..]) };
        for id in ids(cited) {
            let item = if is_rust { item_at(&lines, at) } else { "all".to_owned() };
            found.push(Citation { id, file: file.to_owned(), item, is_test });
        }
    }
    found
}

/// A file that only tests. The simulator and its checkers are that too.
fn is_test_file(file: &str) -> bool {
    file.starts_with("tests/")
        || file.starts_with("crates/sim/")
        || file.contains("/tests/")
        || file.ends_with("/tests.rs")
}

/// What a line belongs to: a docstring to what follows it, anything else to what it stands in.
fn item_at(lines: &[&str], at: usize) -> String {
    let line = lines[at].trim_start();
    if line.starts_with("//!") {
        return "all".to_owned();
    }
    if line.starts_with("//") {
        let next = after_attributes(lines, at);
        // A docstring is of whatever follows, another comment of an item that does.
        let named = next.and_then(|next| {
            let name = head(lines[next]).map(|(_, name)| name);
            let name = name.or_else(|| line.starts_with("///").then(|| member(lines[next])))?;
            Some(within(lines, next, name))
        });
        if let Some(named) = named {
            return named;
        }
    }
    let Some((around, name)) = around(lines, at) else { return "all".to_owned() };
    within(lines, around, name)
}

/// The first line below that is neither comment nor attribute.
fn after_attributes(lines: &[&str], at: usize) -> Option<usize> {
    let mut in_attribute = false;
    (at..lines.len()).find(|next| {
        let line = lines[*next].trim();
        let begins = line.starts_with("#[");
        let is_it = !in_attribute && !begins && !line.is_empty() && !line.starts_with("//");
        in_attribute = (in_attribute || begins) && !line.ends_with(']');
        is_it
    })
}

/// The nearest item that a line stands in.
fn around(lines: &[&str], at: usize) -> Option<(usize, String)> {
    let mut indent = indent_of(lines[at]).max(1);
    for above in (0..at).rev() {
        let line = lines[above];
        if !is_around(line, indent) {
            continue;
        }
        indent = indent_of(line);
        match head(line) {
            Some(("mod" | "impl" | "macro", _)) | None => {}
            Some((_, name)) => return Some((above, name)),
        }
    }
    // A line of its own at the left, such as the constant itself.
    head(lines[at]).map(|(_, name)| (at, name))
}

/// A name with the type that it belongs to.
fn within(lines: &[&str], at: usize, name: String) -> String {
    let mut indent = indent_of(lines[at]);
    for above in (0..at).rev() {
        let line = lines[above];
        if !is_around(line, indent) {
            continue;
        }
        indent = indent_of(line);
        if let Some(("impl" | "struct" | "enum" | "trait", owner)) = head(line) {
            return format!("{owner}::{name}");
        }
    }
    name
}

/// A line that begins what stands further to the right below it; not the end of a list of arguments.
fn is_around(line: &str, indent: usize) -> bool {
    let text = line.trim_start();
    !text.is_empty() && !text.starts_with("//") && !text.starts_with(')') && indent_of(line) < indent
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The kind and the name of the item that begins in a line.
fn head(line: &str) -> Option<(&'static str, String)> {
    let mut words = line.trim_start();
    for before in ["pub(crate) ", "pub(super) ", "pub ", "async ", "unsafe "] {
        if let Some(rest) = words.strip_prefix(before) {
            words = rest;
        }
    }
    if words.starts_with("impl") {
        let of = words.split(" for ").last().unwrap_or(words);
        let of = if of.starts_with("impl") { of.trim_start_matches(|c| c != ' ').trim_start() } else { of };
        return Some(("impl", name(of)));
    }
    if words.starts_with("proptest!") {
        return Some(("macro", String::new()));
    }
    if let Some(rest) = words.strip_prefix("const fn ") {
        return Some(("fn", name(rest)));
    }
    ["fn", "struct", "enum", "trait", "const", "static", "type", "mod"].into_iter().find_map(|kind| {
        let rest = words.strip_prefix(kind)?.strip_prefix(' ')?;
        Some((kind, name(rest)))
    })
}

fn member(line: &str) -> String {
    name(
        line.trim_start()
            .trim_start_matches("pub(super) ")
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub "),
    )
}

fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_long_and_in_short() {
        let found = |text| ids(text).join(" ");
        assert_eq!(found("(F07-6.1-03)."), "F07-6.1-03");
        assert_eq!(
            found("F07-9.4.2-04 to -06, D12-5.4-03, -05 and -06"),
            "F07-9.4.2-04 F07-9.4.2-05 F07-9.4.2-06 D12-5.4-03 D12-5.4-05 D12-5.4-06"
        );
        assert_eq!(
            found("F07-10-02, Q15, Q4: Q123 SQ1 Q1a XF07-1-01 F07- F07-1 F07-1-0 F07--01 F07 9.2"),
            "F07-10-02 Q15 Q4"
        );
    }

    #[test]
    fn a_citation_belongs_to_what_it_stands_at() {
        let text = "//! F07-1-01\n\n/// Doc: F07-1-02.\n#[allow(\n    x,\n    y\n)]\npub struct A {\n    /// F07-1-03\n    pub b: u8,\n}\n\n\
                    impl<'a> fmt::Debug for A<'a> {\n    fn c(\n        x: u8,\n    ) -> u8 {\n        // F07-1-04\n        let d = \"F07-1-05\";\n    }\n}\n\
                    #[cfg(test)]\nmod g;\n// F07-1-06\nfn e() {}\n#[cfg(test)]\nmod tests {\n    /// F07-1-07\n    #[test]\n    fn f() {\n        \"F07-1-08\"\n    }\n}\n";
        let found: Vec<String> = citations("crates/x/src/y.rs", text)
            .into_iter()
            .map(|at| format!("{} {}{}", at.id, at.item, if at.is_test { " test" } else { "" }))
            .collect();
        assert_eq!(
            found,
            [
                "F07-1-01 all",
                "F07-1-02 A",
                "F07-1-03 A::b",
                "F07-1-04 A::c",
                "F07-1-06 e",
                "F07-1-07 f test",
                "F07-1-08 f test"
            ]
        );
        let at = |file: &str| citations(file, "F07-1-01\n").iter().any(|citation| citation.is_test);
        assert!(at("tests/scripts/a.txt") && at("crates/x/tests/y.rs") && at("crates/x/src/y/tests.rs"));
        assert!(at("crates/sim/src/checkers/s1.rs") && !at("crates/x/src/y.rs"));
    }
}
