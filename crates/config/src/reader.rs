//! A table of the text, read key by key.
//!
//! *Lives here:* [`Section`]: it knows which keys were asked for, so that the rest can be called unknown.
//! *Must not know:* which keys there are.

use crate::keys::TableKeys;
use crate::report::Report;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with its place.
pub(crate) type Value<'t> = Spanned<DeValue<'t>>;

/// One table.
pub(crate) struct Section<'t> {
    table: &'t DeTable<'t>,
    span: Range<usize>,
    kind: &'static TableKeys,
    asked: BTreeSet<&'static str>,
}

impl<'t> Section<'t> {
    pub(crate) fn new(table: &'t DeTable<'t>, span: Range<usize>, kind: &'static TableKeys) -> Section<'t> {
        Section { table, span, kind, asked: BTreeSet::new() }
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The value of a key, if it is there.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<&'t Value<'t>> {
        debug_assert!(self.kind.keys.contains(&key), "{} does not list {key}", self.kind.name);
        self.asked.insert(key);
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// The value of a key that must be there.
    pub(crate) fn require(&mut self, key: &'static str, report: &mut Report) -> Option<&'t Value<'t>> {
        let value = self.get(key);
        if value.is_none() {
            report.error(self.span(), format!("{} needs the key `{key}`: add it", self.kind.name), "here");
        }
        value
    }

    /// The text of a key.
    pub(crate) fn text(&mut self, key: &'static str, report: &mut Report) -> Option<(&'t str, Range<usize>)> {
        let value = self.get(key)?;
        text(value, report).map(|text| (text, value.span()))
    }

    /// The tables of an array of tables.
    pub(crate) fn tables(
        &mut self,
        key: &'static str,
        kind: &'static TableKeys,
        report: &mut Report,
    ) -> Vec<Section<'t>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            wrong(value, &format!("tables, each under {}", kind.name), report);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in array {
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section::new(table, item.span(), kind)),
                None => wrong(item, "a table", report),
            }
        }
        sections
    }

    /// The table of a key.
    pub(crate) fn table(
        &mut self,
        key: &'static str,
        kind: &'static TableKeys,
        report: &mut Report,
    ) -> Option<Section<'t>> {
        let value = self.get(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            wrong(value, &format!("a table, {}", kind.name), report);
        }
        table.map(|table| Section::new(table, value.span(), kind))
    }

    /// Where the values of the keys stand that were asked for and are there.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (&'static str, Range<usize>)> {
        self.asked.iter().filter_map(|asked| {
            self.table
                .iter()
                .find(|(name, _)| name.get_ref() == asked)
                .map(|(_, value)| (*asked, value.span()))
        })
    }

    /// All keys have been asked for: what is left is a mistake.
    pub(crate) fn finish(self, report: &mut Report) {
        debug_assert!(self.kind.keys.iter().copied().eq(self.asked.iter().copied()), "{}", self.kind.name);
        for (key, _) in self.table {
            let name: &Cow<'_, str> = key.get_ref();
            if !self.asked.contains(name.as_ref()) {
                let near = nearest(name, self.asked.iter().copied());
                let help = near.map_or_else(String::new, |near| format!("did you mean `{near}`?"));
                report.error(key.span(), format!("{} has no key `{name}`: remove it", self.kind.name), &help);
            }
        }
    }
}

/// The text of a value.
pub(crate) fn text<'t>(value: &'t Value<'t>, report: &mut Report) -> Option<&'t str> {
    let text = value.get_ref().as_str();
    if text.is_none() {
        wrong(value, "a text in quotes", report);
    }
    text
}

/// A whole number that is not negative.
pub(crate) fn number(value: &Value<'_>) -> Option<u64> {
    let integer = value.get_ref().as_integer()?;
    u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
}

/// Says that a value is of the wrong kind.
pub(crate) fn wrong(value: &Value<'_>, wanted: &str, report: &mut Report) {
    report.error(
        value.span(),
        format!("this is of type {}, wanted is {wanted}", value.get_ref().type_str()),
        "here",
    );
}

/// The known name that differs least, if it differs little.
pub(crate) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let most = name.chars().count() / 3 + 1;
    known
        .map(|known| (distance(name, known), known))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, known)| known)
}

/// Insertions, removals and replacements from one to the other; names longer than 64 characters are far from all.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 64 {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
