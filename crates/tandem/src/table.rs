//! Text in columns.
//!
//! *Lives here:* [`Table`], and how numbers, times and durations are written for people.
//! *Must not know:* what stands in the columns.

use std::fmt::Write;

/// Rows whose columns stand under each other.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
}

impl Table {
    /// A table with a heading; the columns of these numbers are set to the right.
    pub(crate) fn new(heading: &[&str], right: &[usize]) -> Table {
        Table { rows: vec![heading.iter().map(|text| (*text).to_owned()).collect()], right: right.to_vec() }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, without spaces at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                // Writing to a String cannot fail.
                let _ = if self.right.contains(&column) {
                    write!(line, "{gap}{cell:>width$}")
                } else {
                    write!(line, "{gap}{cell:<width$}")
                };
            }
            line.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// `12345678` as `12,345,678`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 error`, `2 errors`.
pub(crate) fn some(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{} {what}s", count(number as u64)) }
}

/// `3d 4h 5m`, the two or three largest parts.
pub(crate) fn duration(seconds: u64) -> String {
    let parts =
        [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let parts: Vec<String> = parts
        .iter()
        .skip_while(|(number, _)| *number == 0)
        .take(3)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// `2026-11-24T23:06:58Z` as `2026-11-24 23:06:58`.
pub(crate) fn moment(rfc3339: &str) -> String {
    rfc3339.trim_end_matches('Z').replacen('T', " ", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_read_well() {
        let written = [0, 12, 123, 1234, 123_456, 1_234_567].map(count);
        assert_eq!(written, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
        let written = [0, 59, 3600, 90_061].map(duration);
        assert_eq!(written, ["0s", "59s", "1h 0m 0s", "1d 1h 1m"]);
        assert_eq!(moment("2026-11-24T23:06:58Z"), "2026-11-24 23:06:58");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let mut table = Table::new(&["A", "NUMBER"], &[1]);
        table.row(vec!["long".to_owned(), "7".to_owned()]);
        assert_eq!(table.lines(), ["A     NUMBER", "long       7"]);
    }
}
