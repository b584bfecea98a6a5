//! Where each requirement of the failover drafts is fulfilled and where it is tested.
//!
//! *Lives here:* the catalogue as it stands in `docs/conformance` ([`Catalogue`]), what sources cite of it ([`citations`]), what is
//! wrong between the two ([`faults`]), and the page that is made of both ([`page`]).
//! *Must not know:* what a requirement means.

mod cite;

pub use cite::{Citation, citations, ids};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// One requirement, a row of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `F07-` or `D12-`, the section, a number.
    pub id: String,
    /// MUST, SHOULD and so on as the drafts have it; `rule` for what they say without such a word.
    pub level: String,
    /// What it asks, in our words.
    pub gist: String,
    /// What there is to say beside code and test.
    pub decision: Option<Decision>,
}

/// Why a row needs neither code nor test, or what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Said again by other rows, which cover it.
    See(Vec<String>),
    /// It asks nothing of a program, because.
    Term(String),
    /// It is a duty of the people who run the servers.
    People(String),
    /// Not done, because.
    Not(String),
    /// Not done yet: what is missing.
    Open(String),
}

/// A question that the drafts leave open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// `Q` and a number.
    pub id: String,
    /// What is asked.
    pub gist: String,
    /// What was decided.
    pub answer: String,
}

/// What is in `docs/conformance`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// How many rows are open, as the file says. It may only go down.
    pub open: usize,
    /// The rows, in their order.
    pub rows: Vec<Row>,
    /// The questions, in their order.
    pub questions: Vec<Question>,
}

impl Catalogue {
    /// Reads both files.
    ///
    /// # Errors
    /// The line that cannot be read, with its number.
    pub fn read(requirements: &str, questions: &str) -> Result<Catalogue, String> {
        let mut catalogue = Catalogue::default();
        for (line, at) in lines(requirements) {
            if let Some(open) = line.strip_prefix("open = ") {
                catalogue.open = open.parse().map_err(|_| format!("requirements.txt:{at}: not a number"))?;
                continue;
            }
            let row =
                row(line).ok_or_else(|| format!("requirements.txt:{at}: ID | level | gist | decision"))?;
            catalogue.rows.push(row);
        }
        for (line, at) in lines(questions) {
            let Some([id, gist, answer]) = parts(line) else {
                return Err(format!("questions.txt:{at}: Q | question | answer"));
            };
            catalogue.questions.push(Question { id, gist, answer });
        }
        Ok(catalogue)
    }

    fn open(&self) -> impl Iterator<Item = (&Row, &String)> {
        self.rows.iter().filter_map(|row| match &row.decision {
            Some(Decision::Open(missing)) => Some((row, missing)),
            _ => None,
        })
    }

    /// The rows that are not fulfilled, as a list for people.
    pub fn what_is_open(&self) -> String {
        let list: Vec<String> = self.open().map(|(row, missing)| format!("{}: {missing}", row.id)).collect();
        format!("{} rows are open\n{}", list.len(), list.join("\n"))
    }
}

fn lines(text: &str) -> impl Iterator<Item = (&str, usize)> {
    text.lines().zip(1..).filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
}

fn parts<const N: usize>(line: &str) -> Option<[String; N]> {
    let parts: Vec<String> = line.split(" | ").map(|part| part.trim().to_owned()).collect();
    parts.try_into().ok()
}

fn row(line: &str) -> Option<Row> {
    if let Some([id, level, gist]) = parts(line) {
        return Some(Row { id, level, gist, decision: None });
    }
    let [id, level, gist, decision] = parts(line)?;
    Some(Row { id, level, gist, decision: Some(decision_of(&decision)?) })
}

fn decision_of(text: &str) -> Option<Decision> {
    if let Some(others) = text.strip_prefix("see ") {
        return Some(Decision::See(ids(others)));
    }
    let (kind, why) = text.split_once(": ")?;
    let why = why.to_owned();
    Some(match kind {
        "term" => Decision::Term(why),
        "people" => Decision::People(why),
        "not" => Decision::Not(why),
        "open" => Decision::Open(why),
        _ => return None,
    })
}

/// All that is wrong between the catalogue and what sources cite of it.
pub fn faults(catalogue: &Catalogue, cited: &[Citation]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut known = BTreeMap::new();
    for row in &catalogue.rows {
        if known.insert(row.id.as_str(), row).is_some() {
            faults.push(format!("{} is there twice", row.id));
        }
    }
    let questions: BTreeSet<&str> = catalogue.questions.iter().map(|question| question.id.as_str()).collect();
    for citation in cited {
        let Citation { id, file, item, .. } = citation;
        if !known.contains_key(id.as_str()) && !questions.contains(id.as_str()) {
            faults.push(format!("{file}: {item} cites {id}, which does not exist"));
        }
    }
    let places = Places::new(cited);
    for row in &catalogue.rows {
        let (code, test) = (places.of(&row.id, false), places.of(&row.id, true));
        match &row.decision {
            Some(Decision::See(others)) => {
                let refers = |id: &String| {
                    matches!(
                        known.get(id.as_str()),
                        None | Some(Row { decision: Some(Decision::See(_)), .. })
                    )
                };
                if others.is_empty() || others.iter().any(refers) {
                    faults.push(format!("{} refers to a row that is not there, or that refers on", row.id));
                }
            }
            None if code.is_empty() && test.is_empty() => {
                faults.push(format!("{}: no code, no test, no decision", row.id));
            }
            None if code.is_empty() => faults.push(format!("{}: no code cites it", row.id)),
            None if test.is_empty() => faults.push(format!("{}: no test cites it", row.id)),
            _ => {}
        }
    }
    for question in &catalogue.questions {
        if places.of(&question.id, false).is_empty() && !question.answer.starts_with("no code: ") {
            faults.push(format!("{}: no code cites it", question.id));
        }
    }
    let open = catalogue.open().count();
    if open != catalogue.open {
        faults.push(format!(
            "{open} rows are open; requirements.txt says {}: it may only go down",
            catalogue.open
        ));
    }
    faults
}

/// Where each ID is cited.
struct Places<'a>(BTreeMap<(&'a str, bool), BTreeSet<String>>);

impl<'a> Places<'a> {
    fn new(cited: &'a [Citation]) -> Places<'a> {
        let mut places: BTreeMap<(&str, bool), BTreeSet<String>> = BTreeMap::new();
        for Citation { id, file, item, is_test } in cited {
            let file = file.strip_prefix("crates/").unwrap_or(file).replace("/src/", "/");
            places.entry((id, *is_test)).or_default().insert(format!("{file}: {item}"));
        }
        Places(places)
    }

    fn of(&self, id: &str, is_test: bool) -> String {
        let places = self.0.get(&(id, is_test)).into_iter().flatten();
        places.map(|place| format!("`{place}`")).collect::<Vec<_>>().join("<br>")
    }
}

/// `docs/conformance.md`.
pub fn page(head: &str, catalogue: &Catalogue, cited: &[Citation]) -> String {
    let places = Places::new(cited);
    let mut page = head.to_owned();
    let count = |is: fn(&Row) -> bool| catalogue.rows.iter().filter(|row| is(row)).count();
    let counts = [
        ("code and test", count(|row| row.decision.is_none())),
        ("said again by another row", count(|row| matches!(row.decision, Some(Decision::See(_))))),
        ("nothing asked of a program", count(|row| matches!(row.decision, Some(Decision::Term(_))))),
        ("a duty of people", count(|row| matches!(row.decision, Some(Decision::People(_))))),
        ("not done, by decision", count(|row| matches!(row.decision, Some(Decision::Not(_))))),
        ("open", count(|row| matches!(row.decision, Some(Decision::Open(_))))),
    ];
    page.push_str("\n| rows | |\n| --- | --- |\n");
    for (what, count) in counts {
        let _ = writeln!(page, "| {what} | {count} |");
    }
    let _ = writeln!(page, "| all | {} |", catalogue.rows.len());
    let mut section = String::new();
    for row in &catalogue.rows {
        let draft = if row.id.starts_with("D12") { "draft-12" } else { "draft-07" };
        let number = row.id.split(['-', '.']).nth(1).unwrap_or_default();
        let title = format!("{draft}, section {number}");
        if title != section {
            let _ = write!(
                page,
                "\n## {title}\n\n| ID | level | what it asks | code | test, or why not |\n| --- | --- | --- | --- | --- |\n"
            );
            section = title;
        }
        let mut last: Vec<String> = decision_text(row).into_iter().collect();
        last.extend(Some(places.of(&row.id, true)).filter(|places| !places.is_empty()));
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} |",
            row.id,
            row.level,
            row.gist,
            places.of(&row.id, false),
            last.join("<br>")
        );
    }
    page.push_str("\n## Open questions\n\n| Q | question | decided | code |\n| --- | --- | --- | --- |\n");
    for Question { id, gist, answer } in &catalogue.questions {
        let _ = writeln!(page, "| {id} | {gist} | {answer} | {} |", places.of(id, false));
    }
    page
}

fn decision_text(row: &Row) -> Option<String> {
    Some(match row.decision.as_ref()? {
        Decision::See(others) => format!("see {}", others.join(", ")),
        Decision::Term(why) => format!("nothing asked: {why}"),
        Decision::People(why) => format!("people: {why}"),
        Decision::Not(why) => format!("not done: {why}"),
        Decision::Open(missing) => format!("**open**: {missing}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "# head\nopen = 1\n\nF07-1-01 | MUST | do it\nF07-1-02 | rule | again | see F07-1-01\n\
                        F07-1-03 | MAY | more | open: all of it\nF07-1-04 | MUST NOT | less | not: nobody asks\n";

    fn cited(id: &str, is_test: bool) -> Citation {
        let (file, item) = ("crates/a/src/b.rs".to_owned(), "B::c".to_owned());
        Citation { id: id.to_owned(), file, item, is_test }
    }

    #[test]
    fn a_catalogue_is_read_and_its_faults_are_named() {
        let catalogue = Catalogue::read(ROWS, "Q1 | which | this\n").unwrap();
        assert_eq!((catalogue.rows.len(), catalogue.open), (4, 1));
        let good = [cited("F07-1-01", false), cited("F07-1-01", true), cited("Q1", false)];
        assert_eq!(faults(&catalogue, &good), [""; 0]);
        for (without, fault) in [(0, "no code cites"), (1, "no test cites"), (2, "Q1: no code")] {
            let mut less = good.to_vec();
            less.remove(without);
            let faults = faults(&catalogue, &less);
            assert!(faults.len() == 1 && faults[0].contains(fault), "{faults:?}");
        }
        let mut more = good.to_vec();
        more.push(cited("F07-1-09", true));
        assert!(faults(&catalogue, &more)[0].contains("does not exist"));
        for (rows, fault) in [
            (ROWS.replace("open = 1", "open = 2"), "only go down"),
            (ROWS.replace("see F07-1-01", "see F07-1-09"), "not there"),
            (ROWS.replace("not: nobody asks", "see F07-1-02"), "refers on"),
            (ROWS.replace("F07-1-04", "F07-1-03"), "twice"),
            (ROWS.replace(" | not: nobody asks", ""), "no code, no test"),
        ] {
            let faults = faults(&Catalogue::read(&rows, "Q1 | which | this\n").unwrap(), &good);
            assert!(faults.len() == 1 && faults[0].contains(fault), "{faults:?}");
        }
        for rows in ["F07-1-01 | MUST", "F07-1-01 | MUST | it | perhaps", "open = many"] {
            assert!(Catalogue::read(rows, "").is_err(), "{rows}");
        }
        assert!(Catalogue::read("", "Q1 | which").is_err());
    }

    #[test]
    fn a_page_has_a_line_for_each_row() {
        let catalogue = Catalogue::read(ROWS, "Q1 | which | this\n").unwrap();
        let page = page("head\n", &catalogue, &[cited("F07-1-01", false), cited("F07-1-01", true)]);
        assert!(page.starts_with("head\n\n| rows"));
        assert!(page.contains("| F07-1-01 | MUST | do it | `a/b.rs: B::c` | `a/b.rs: B::c` |\n"));
        assert!(page.contains("| F07-1-02 | rule | again |  | see F07-1-01 |\n"));
        assert!(page.contains("| F07-1-03 | MAY | more |  | **open**: all of it |\n"));
        assert!(page.contains("| open | 1 |\n| all | 4 |\n") && page.contains("| Q1 | which | this |  |\n"));
        assert!(catalogue.what_is_open().ends_with("F07-1-03: all of it"));
    }
}
