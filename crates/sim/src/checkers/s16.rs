//! S16: the engine rebuilt from its journal is the engine in memory.
//!
//! *Lives here:* [`S16`], for one server: what memory showed after each batch, until the batch is known to have survived.
//! *Must not know:* how either came about.

use engine::LeaseView;
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

#[derive(Debug, Clone, Default)]
pub(crate) struct S16 {
    /// What was shown at some position; `None` before the first start.
    base: Option<(u64, BTreeMap<Ipv4Addr, LeaseView>)>,
    /// What each batch since then changed, by the position behind it.
    since: VecDeque<(u64, Vec<LeaseView>)>,
}

/// Batches that are kept apart; older ones are stable long since.
const KEPT: usize = 512;

impl S16 {
    pub(super) fn sealed(&mut self, end: u64, views: Vec<LeaseView>) {
        self.since.push_back((end, views));
        if self.since.len() > KEPT {
            self.fold_one();
        }
    }

    /// The process is gone: is there anything in memory that no batch had?
    pub(super) fn ended(&mut self, memory: &[LeaseView]) -> Result<(), String> {
        let Some((_, base)) = &self.base else { return Ok(()) };
        let mut shown = base.clone();
        for (_, views) in &self.since {
            shown.extend(views.iter().map(|view| (view.address, view.clone())));
        }
        let shown: Vec<LeaseView> = shown.into_values().collect();
        same("the engine in memory", memory, "what its records had changed", &shown)
    }

    pub(super) fn recovered(&mut self, position: u64, views: Vec<LeaseView>) -> Result<(), String> {
        self.stable(position);
        self.since.clear();
        let verdict = match &self.base {
            Some((at, _)) if *at != position => Err(format!(
                "recovered up to record {position}, which is behind no batch; the last was at {at}"
            )),
            Some((_, base)) => {
                let base: Vec<LeaseView> = base.values().cloned().collect();
                same("the engine in memory", &base, "the one recovered", &views)
            }
            None => Ok(()),
        };
        self.base = Some((position, views.into_iter().map(|view| (view.address, view)).collect()));
        verdict
    }

    /// What is stable will be recovered, whatever happens: it need not be kept apart.
    pub(super) fn stable(&mut self, position: u64) {
        while self.since.front().is_some_and(|(end, _)| *end <= position) {
            self.fold_one();
        }
    }

    /// The store is gone, or another.
    pub(super) fn lost_store(&mut self) {
        *self = S16::default();
    }

    fn fold_one(&mut self) {
        if let (Some((end, views)), Some((at, base))) = (self.since.pop_front(), &mut self.base) {
            *at = end;
            base.extend(views.into_iter().map(|view| (view.address, view)));
        }
    }
}

/// Whether both show the same; else the first difference.
pub(super) fn same(one: &str, ones: &[LeaseView], other: &str, others: &[LeaseView]) -> Result<(), String> {
    if ones == others {
        return Ok(());
    }
    let differs = ones.iter().zip(others).find(|(one, other)| one != other);
    Err(match differs {
        Some((a, b)) => format!("{one} has {}, {other} has {}", line(a), line(b)),
        None => format!("{one} has {} addresses, {other} has {}", ones.len(), others.len()),
    })
}

fn line(view: &LeaseView) -> String {
    let client = view.client.as_ref().map_or("nobody".to_owned(), ToString::to_string);
    format!(
        "{} {:?} of {client} since {} until {}",
        view.address,
        view.status,
        view.start_time_of_state.as_seconds(),
        view.lease_expiration.as_seconds()
    )
}
