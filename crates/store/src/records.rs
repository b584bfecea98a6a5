//! *Lives here*: runs of opaque records in one buffer. *May know*: length prefixes. *Must not know*: what a record means.

/// A borrowed run of records: for each its length as a little-endian `u32`, then its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordsRef<'a> {
    /// How many records `bytes` holds.
    pub count: u32,
    /// The records, each behind its length.
    pub bytes: &'a [u8],
}

impl<'a> RecordsRef<'a> {
    /// The run, if `bytes` holds exactly `count` records and nothing else.
    pub fn new(count: u32, bytes: &'a [u8]) -> Option<Self> {
        let records = Self { count, bytes };
        records.is_well_formed().then_some(records)
    }

    /// Whether `bytes` holds exactly `count` records and nothing else.
    pub fn is_well_formed(self) -> bool {
        let mut walk = self.iter();
        let mut found = 0u32;
        while walk.next().is_some() {
            found = found.saturating_add(1);
        }
        walk.rest.is_empty() && found == self.count
    }

    /// Whether there is no record in it.
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// The records in order. Stops early where the bytes are not well-formed.
    pub fn iter(self) -> Iter<'a> {
        Iter { rest: self.bytes }
    }
}

impl<'a> IntoIterator for RecordsRef<'a> {
    type Item = &'a [u8];
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The records of a [`RecordsRef`] one by one.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (record, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(record)
    }
}

/// An owned run of records, to be filled, appended and used again.
///
/// It grows as it is filled; whoever fills it keeps it below [`MAXIMUM_BATCH`](crate::MAXIMUM_BATCH), which
/// [`size`](Records::size) tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records {
    count: u32,
    bytes: Vec<u8>,
}

impl Records {
    /// An empty run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record. One that no batch can hold makes [`Store::append`](crate::Store::append) refuse the whole run.
    pub fn push(&mut self, record: &[u8]) {
        // A length beyond u32 ends up as one that the check in `append` finds wrong.
        let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(record);
        self.count = self.count.saturating_add(1);
    }

    /// Forgets all records and keeps the memory.
    pub fn clear(&mut self) {
        self.count = 0;
        self.bytes.clear();
    }

    /// How many records there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes that they take in a batch, lengths included.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The run as the store wants it.
    #[allow(clippy::should_implement_trait)] // A view that carries the count is no plain reference.
    pub fn as_ref(&self) -> RecordsRef<'_> {
        RecordsRef { count: self.count, bytes: &self.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_comes_back_in_order() {
        let mut records = Records::new();
        for record in [&b"one"[..], b"", b"three"] {
            records.push(record);
        }
        assert_eq!(records.as_ref().iter().collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        assert!(RecordsRef::new(3, records.as_ref().bytes).is_some());
        records.clear();
        assert!(records.is_empty() && records.as_ref().is_well_formed());
    }

    #[test]
    fn a_wrong_count_or_a_cut_run_is_refused() {
        let mut records = Records::new();
        records.push(b"abc");
        let bytes = records.as_ref().bytes;
        assert!(RecordsRef::new(0, bytes).is_none());
        assert!(RecordsRef::new(2, bytes).is_none());
        for end in 1..bytes.len() {
            assert!(RecordsRef::new(1, &bytes[..end]).is_none(), "cut at {end}");
        }
        assert!(RecordsRef::new(1, &[0xff, 0xff, 0xff, 0xff, 1]).is_none());
    }
}
