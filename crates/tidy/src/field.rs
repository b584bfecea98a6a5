//! What broke failover in the field, and which test plays it: `docs/field.md` against the tests that there are.
//!
//! *Lives here:* the table as it stands in the page ([`rows`]), what is wrong with it ([`faults`]), and the page with all tests that
//! have a number in their name ([`page`]).
//! *Must not know:* what a scenario means.

use std::fmt::Write;

/// How many scenarios there are: thirty of one server, seven of another.
pub const SCENARIOS: u8 = 37;

/// How a test with a number is called, and where scripts with a number are.
const NAME: &str = "field_";
const SCRIPTS: &str = "tests/scripts/field/";

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub number: u8,
    /// What went wrong, and what Tandem does.
    pub text: [String; 2],
    /// The tests: a path and the name of a test in it, or a script.
    pub tests: Vec<String>,
}

/// A row, if the line is one.
fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix('|')?.split(" | ").map(str::trim).collect();
    let [number, wrong, does, tests] = cells.as_slice() else { return None };
    let tests = tests.split("<br>").map(|test| test.trim_matches('`').to_owned());
    Some(Row {
        number: number.parse().ok()?,
        text: [(*wrong).to_owned(), (*does).to_owned()],
        tests: tests.filter(|test| !test.is_empty()).collect(),
    })
}

/// The rows of the page.
pub fn rows(page: &str) -> Vec<Row> {
    page.lines().filter_map(row).collect()
}

/// The number in the name of a test or of a script.
pub fn number_of(test: &str) -> Option<u8> {
    let name = test.rsplit(": ").next()?;
    let digits = name.strip_prefix(NAME).or_else(|| name.strip_prefix(SCRIPTS))?;
    digits.split(['_', '-']).next()?.parse().ok()
}

/// The tests of a source: the functions below `#[test]`.
pub fn tests_in(source: &str) -> Vec<&str> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let below = &lines[at + 1..];
        let next = below.iter().find(|line| !line.starts_with("#[") && !line.starts_with("//"));
        if *line == "#[test]"
            && let Some(name) = next.and_then(|line| line.strip_prefix("fn "))
        {
            found.extend(name.split('(').next());
        }
    }
    found
}

/// The page, with all tests of `existing` that have a number in their rows, and none that is gone. Other tests stay where somebody
/// wrote them.
pub fn page(text: &str, existing: &[String]) -> String {
    let mut made = String::new();
    for line in text.lines() {
        let Some(row) = row(line) else {
            let _ = writeln!(made, "{line}");
            continue;
        };
        let mut tests: Vec<&String> = row.tests.iter().filter(|test| number_of(test).is_none()).collect();
        tests.extend(existing.iter().filter(|test| number_of(test) == Some(row.number)));
        let tests: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
        let [wrong, does] = &row.text;
        let _ = writeln!(made, "| {} | {wrong} | {does} | {} |", row.number, tests.join("<br>"));
    }
    made
}

/// All that is wrong with the page.
pub fn faults(page: &str, existing: &[String]) -> Vec<String> {
    let rows = rows(page);
    let mut faults = Vec::new();
    let numbers: Vec<u8> = rows.iter().map(|row| row.number).collect();
    let wanted: Vec<u8> = (1..=SCENARIOS).collect();
    if numbers != wanted {
        faults.push(format!("the rows are {numbers:?}, and should be 1 to {SCENARIOS}"));
    }
    for Row { number, text, tests } in &rows {
        if text.iter().any(String::is_empty) {
            faults.push(format!("{number}: what went wrong, and what Tandem does, is not said"));
        }
        if tests.is_empty() {
            faults.push(format!("{number}: no test"));
        }
        let gone = tests.iter().filter(|test| !existing.contains(test));
        faults.extend(gone.map(|test| format!("{number}: there is no test `{test}`")));
    }
    let unknown =
        existing.iter().filter(|test| number_of(test).is_some_and(|number| !numbers.contains(&number)));
    faults.extend(unknown.map(|test| format!("`{test}` has a number that is not in the table")));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> String {
        let rows = (1..=SCENARIOS).map(|number| match number {
            1 => "| 1 | a pair never meets | it does | `a/b.rs: it_meets` |".to_owned(),
            _ => format!("| {number} | w | d | `c.rs: field_{number:02}_x` |"),
        });
        format!(
            "# Head\n\n| no. | wrong | does | tests |\n| --- | --- | --- | --- |\n{}\n",
            rows.collect::<Vec<_>>().join("\n")
        )
    }

    fn existing() -> Vec<String> {
        let mut all = vec!["a/b.rs: it_meets".to_owned()];
        all.extend((2..=SCENARIOS).map(|number| format!("c.rs: field_{number:02}_x")));
        all
    }

    #[test]
    fn a_table_with_a_test_for_each_number_is_in_order() {
        assert_eq!(rows(&table()).len(), usize::from(SCENARIOS));
        assert_eq!(faults(&table(), &existing()), [""; 0]);
        assert_eq!(page(&table(), &existing()), table());
    }

    #[test]
    fn what_is_missing_is_named() {
        let is_told = |page: &str, existing: &[String], fault: &str| {
            let faults = faults(page, existing);
            assert!(faults.iter().any(|said| said.contains(fault)), "{fault}: {faults:?}");
        };
        let without =
            |test: &str| -> Vec<String> { existing().into_iter().filter(|other| other != test).collect() };
        is_told(&table(), &without("a/b.rs: it_meets"), "1: there is no test");
        is_told(&table(), &without("c.rs: field_07_x"), "7: there is no test");
        is_told(&page(&table(), &without("c.rs: field_07_x")), &without("c.rs: field_07_x"), "7: no test");
        is_told(&table().replace("| 9 | w", "| 8 | w"), &existing(), "should be 1 to 37");
        is_told(&table().replace("| 9 | w | d", "| 9 |  | d"), &existing(), "9: what went wrong");
        let mut more = existing();
        more.push("d.rs: field_40_y".to_owned());
        is_told(&table(), &more, "field_40_y");
    }

    #[test]
    fn tests_are_found_by_their_number() {
        let mut more = existing();
        more.push("tests/scripts/field/04-y.txt".to_owned());
        let made = page(&table(), &more);
        assert!(
            made.contains("| 4 | w | d | `c.rs: field_04_x`<br>`tests/scripts/field/04-y.txt` |"),
            "{made}"
        );
        assert_eq!(number_of("crates/field_03_is_no_test.rs: other"), None);
        let source = "#[test]\nfn field_01_a() {}\n\n/// Words.\n#[test]\n#[ignore]\nfn b() {}\nfn field_02_helper() {}\n";
        assert_eq!(tests_in(source), ["field_01_a", "b"]);
    }
}
