//! Bugs on purpose: a checker that has never failed proves nothing.
//!
//! *Lives here:* [`Planted`], the names by which each is chosen.
//! *Must not know:* which checker finds it.

use crate::run::Kind;

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

/// Each bug of one server by its name.
const SINGLE: &[(&str, Plant)] = &[
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

/// Each bug of a pair by its name, where runs by chance find it.
const PAIR: &[(&str, Plant)] = &[
    ("drop-mclt", |planted| planted.engine.drop_mclt = true),
    ("times-outlive-client", |planted| planted.engine.times_outlive_client = true),
    ("always-alive", |planted| planted.engine.always_alive = true),
    ("bndack-before-stable", |planted| planted.engine.bndack_before_stable = true),
    ("state-before-stable", |planted| planted.engine.state_before_stable = true),
    ("skip-recover-wait", |planted| planted.engine.skip_recover_wait = true),
    ("swap-pools", |planted| planted.engine.swap_pools = true),
    ("keeps-what-it-gave", |planted| planted.engine.keeps_what_it_gave = true),
    ("short-wait", |planted| planted.engine.short_wait = true),
    ("updates-cross", |planted| planted.engine.updates_cross = true),
    ("stale-active-wins", |planted| planted.engine.stale_active_wins = true),
    ("updone-early", |planted| planted.engine.updone_early = true),
    ("seen-over-reconnection", |planted| planted.engine.seen_over_reconnection = true),
    ("expired-freed-alone", |planted| planted.engine.expired_freed_alone = true),
    ("ack-frees-whatever", |planted| planted.engine.ack_frees_whatever = true),
    ("same-client-after-told", |planted| planted.engine.same_client_after_told = true),
    ("ignore-unagreed", |planted| planted.engine.ignore_unagreed = true),
    ("believe-old-copy", |planted| planted.engine.believe_old_copy = true),
    ("no-raise", |planted| planted.engine.no_raise = true),
    ("believes-after-release", |planted| planted.engine.believes_after_release = true),
];

/// Each bug of a pair that runs by chance are not asked to find: scripts and the exhaustive search of a small world do.
const SMALL: &[(&str, Plant)] = &[
    ("releases-by-the-second", |planted| planted.engine.releases_by_the_second = true),
    ("take-over-in-contact", |planted| planted.engine.take_over_in_contact = true),
    ("refuse-unknown", |planted| planted.engine.refuse_unknown = true),
    ("chase-normal", |planted| planted.engine.chase_normal = true),
    ("state-only-in-contact", |planted| planted.engine.state_only_in_contact = true),
    ("crossing-counts", |planted| planted.engine.crossing_counts = true),
    ("alive-at-contact", |planted| planted.engine.alive_at_contact = true),
    ("trust-stored-partner-down", |planted| planted.engine.trust_stored_partner_down = true),
    ("freed-alone-is-agreed", |planted| planted.engine.freed_alone_is_agreed = true),
    ("taken-over-is-agreed", |planted| planted.engine.taken_over_is_agreed = true),
    ("raise-leaves-ended", |planted| planted.engine.raise_leaves_ended = true),
    ("raise-without-now", |planted| planted.engine.raise_without_now = true),
    ("losses-look-alike", |planted| planted.engine.losses_look_alike = true),
    ("raise-again", |planted| planted.engine.raise_again = true),
    ("conflict-with-who-forgot", |planted| planted.engine.conflict_with_who_forgot = true),
    ("who-forgot-vouches", |planted| planted.engine.who_forgot_vouches = true),
    ("leased-since-at-once", |planted| planted.engine.leased_since_at_once = true),
];

impl Planted {
    /// The bug with this name.
    pub fn named(name: &str) -> Option<Planted> {
        let (_, plant) = SINGLE.iter().chain(PAIR).chain(SMALL).find(|(known, _)| *known == name)?;
        let mut planted = Planted::default();
        plant(&mut planted);
        Some(planted)
    }

    /// The names of all bugs.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SINGLE.iter().chain(PAIR).chain(SMALL).map(|(name, _)| *name)
    }

    /// In which worlds the bug with this name shows.
    pub fn kind(name: &str) -> Kind {
        if PAIR.iter().chain(SMALL).any(|(known, _)| *known == name) { Kind::Pair } else { Kind::Single }
    }
}
