//! Files of scripts: what in them is the writer's, and what is expected; how an expectation is laid out; how two texts differ.

/// Longest line of an expectation.
const WIDTH: usize = 110;

/// What begins a line that the server is expected to cause.
const EXPECTED: [char; 6] = ['<', '*', '!', '=', '@', '~'];

/// A line of a script that stays as it is.
pub enum Line {
    /// A comment, or nothing.
    Kept(String),
    /// Something that happens to the server: as written, and in one piece.
    Input { written: Vec<String>, meant: String, number: usize },
}

pub struct Script {
    /// What stands behind `==`, for people; empty for the only script of a file.
    pub title: String,
    pub lines: Vec<Line>,
}

/// The scripts of a file, without what they expect.
pub fn parse(text: &str) -> Vec<Script> {
    let mut scripts = vec![Script { title: String::new(), lines: Vec::new() }];
    let mut is_expected = false;
    for (line, number) in text.lines().zip(1..) {
        if let Some(title) = line.strip_prefix("== ") {
            scripts.push(Script { title: format!("\"{title}\", "), lines: Vec::new() });
        }
        let Some(script) = scripts.last_mut() else { continue };
        if line.starts_with("== ") || line.starts_with('#') || line.trim().is_empty() {
            is_expected = false;
            script.lines.push(Line::Kept(line.to_owned()));
        } else if line.starts_with(' ') {
            if let (false, Some(Line::Input { written, meant, .. })) = (is_expected, script.lines.last_mut())
            {
                meant.push_str(if line.starts_with("        ") { " " } else { "; " });
                meant.push_str(line.trim());
                written.push(line.to_owned());
            }
        } else if line.starts_with(EXPECTED) && !line.starts_with("== ") {
            is_expected = true;
        } else {
            is_expected = false;
            let (written, meant) = (vec![line.to_owned()], line.to_owned());
            script.lines.push(Line::Input { written, meant, number });
        }
    }
    scripts
}

/// An expectation as it stands in a file: each transaction of a message on a line of its own, four spaces in; what is too long goes on
/// eight spaces in.
pub fn lay_out(line: &str, out: &mut Vec<String>) {
    let is_message = line.starts_with('<');
    let parts = if is_message { super::words::split(line, ';') } else { vec![line.to_owned()] };
    for (part, at) in parts.iter().zip(0..) {
        let mut current = if at == 0 { String::new() } else { "    ".to_owned() };
        for word in part.split_inclusive(", ") {
            if current.len() + word.trim_end().len() > WIDTH && !current.trim().is_empty() {
                out.push(current.trim_end().to_owned());
                current.replace_range(.., "        ");
            }
            current.push_str(word);
        }
        out.push(current.trim_end().to_owned());
    }
}

/// How `new` differs from `old`, with some lines around; empty when it does not.
pub fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same_before = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[same_before..], &new[same_before..]);
    let same_after = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_middle, new_middle) =
        (&old_rest[..old_rest.len() - same_after], &new_rest[..new_rest.len() - same_after]);
    if old_middle.is_empty() && new_middle.is_empty() {
        return String::new();
    }
    let mut out = Vec::new();
    let context = 3;
    let first = same_before.saturating_sub(context);
    out.extend(old[first..same_before].iter().zip(first + 1..).map(|(line, at)| format!("{at:5}   {line}")));
    out.extend(edits(old_middle, new_middle, same_before + 1));
    let after = &old[old.len() - same_after..];
    let at = old.len() - same_after + 1;
    out.extend(after.iter().take(context).zip(at..).map(|(line, at)| format!("{at:5}   {line}")));
    out.join("\n")
}

/// The shortest way from the one to the other: the longest sequence of lines that both have stays.
fn edits(old: &[&str], new: &[&str], first: usize) -> Vec<String> {
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            common[i][j] =
                if a == b { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            out.push(format!("{:5}   {}", first + i, old[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && (j == new.len() || common[i + 1][j] >= common[i][j + 1]) {
            out.push(format!("{:5} - {}", first + i, old[i]));
            i += 1;
        } else {
            out.push(format!("      + {}", new[j]));
            j += 1;
        }
    }
    out
}
