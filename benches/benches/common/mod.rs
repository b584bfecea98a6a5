//! How long and how often is measured, the same for all.

use criterion::Criterion;
use std::time::Duration;

/// Short enough that all are run before every change.
pub(crate) fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
}
