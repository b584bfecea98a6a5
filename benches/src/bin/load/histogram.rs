//! How long things took, without keeping each of them.
//!
//! *Lives here:* [`Histogram`]: counts by magnitude, 32 to each power of two, so that a figure is exact to 3 %.
//! *Must not know:* what took so long.

use std::time::Duration;

/// Counts to each power of two.
const FINE: u64 = 32;

/// Counts in all: durations up to 2^63 ns.
const BUCKETS: usize = 60 * 32;

/// Durations by how long they are.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Box<[u64]>,
    total: u64,
    longest: Duration,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: vec![0; BUCKETS].into_boxed_slice(), total: 0, longest: Duration::ZERO }
    }
}

impl Histogram {
    /// Takes one more.
    pub fn add(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bucket_of(nanos).min(BUCKETS - 1);
        self.counts[bucket] += 1;
        self.total += 1;
        self.longest = self.longest.max(duration);
    }

    /// The longest of all; zero when there is none.
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// The duration that so many of a thousand do not exceed; zero when there is none.
    pub fn per_mille(&self, share: u64) -> Duration {
        let wanted = (self.total * share).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(end_of(bucket));
            }
        }
        Duration::ZERO
    }
}

fn bucket_of(nanos: u64) -> usize {
    let octave = nanos.max(FINE).ilog2() - FINE.ilog2();
    let fine = (nanos >> octave) & (FINE - 1);
    // Below 2 * FINE each value has a bucket of its own.
    let bucket = if nanos < FINE { nanos } else { u64::from(octave + 1) * FINE + fine };
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

/// The longest duration of a bucket.
fn end_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < FINE {
        return bucket;
    }
    let (octave, fine) = (bucket / FINE - 1, bucket % FINE);
    ((FINE + fine + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_a_bucket_that_is_hardly_longer() {
        let mut nanos = 1_u64;
        while nanos < 1 << 60 {
            for exact in [nanos, nanos + nanos / 3, nanos * 2 - 1] {
                let end = end_of(bucket_of(exact));
                assert!((exact..=exact + exact / 31).contains(&end), "{exact} is told as {end}");
            }
            nanos *= 2;
        }
    }

    #[test]
    fn shares_are_those_of_all_that_was_added() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.per_mille(500), Duration::ZERO);
        for micros in 1..=1000 {
            histogram.add(Duration::from_micros(micros));
        }
        for (share, micros) in [(1, 1), (500, 500), (990, 990), (1000, 1000)] {
            let told = histogram.per_mille(share);
            let exact = Duration::from_micros(micros);
            assert!(told >= exact && told <= exact + exact / 30, "{share}: {told:?}");
        }
        assert_eq!(histogram.longest(), Duration::from_millis(1));
    }
}
