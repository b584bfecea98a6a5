//! Bugs on purpose: a checker that has never failed proves nothing.
//!
//! *Lives here:* [`Planted`], the names by which each is chosen.
//! *Must not know:* which checker finds it.

/// Which bugs are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planted {
    pub(crate) engine: engine::planted::Planted,
    pub(crate) store: store::Planted,
    /// The owner reads on when the outbox is full (S15).
    pub(crate) read_past_bound: bool,
    /// The journal lets go what it has written, and syncs later (S3).
    pub(crate) release_unsynced: bool,
}

type Plant = fn(&mut Planted);

/// Each bug by its name.
const ALL: &[(&str, Plant)] = &[
    ("ack-before-stable", |planted| planted.engine.ack_before_stable = true),
    ("offer-leased", |planted| planted.engine.offer_leased = true),
    ("expire-early", |planted| planted.engine.expire_early = true),
    ("forget-recorded-end", |planted| planted.engine.forget_recorded_end = true),
    ("release-not-recorded", |planted| planted.engine.release_not_recorded = true),
    ("accept-torn-tail", |planted| planted.store.accept_torn_tail = true),
    ("snapshot-loses-record", |planted| planted.store.snapshot_loses_record = true),
    ("ignore-reservations", |planted| planted.engine.ignore_reservations = true),
    ("forget-probation", |planted| planted.engine.forget_probation = true),
    ("ignore-renewals", |planted| planted.engine.ignore_renewals = true),
    ("lose-expired", |planted| planted.engine.lose_expired = true),
    ("read-past-bound", |planted| planted.read_past_bound = true),
    ("release-unsynced", |planted| planted.release_unsynced = true),
];

impl Planted {
    /// The bug with this name.
    pub fn named(name: &str) -> Option<Planted> {
        let (_, plant) = ALL.iter().find(|(known, _)| *known == name)?;
        let mut planted = Planted::default();
        plant(&mut planted);
        Some(planted)
    }

    /// The names of all bugs.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|(name, _)| *name)
    }
}
