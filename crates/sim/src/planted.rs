//! Bugs on purpose: a checker that has never failed proves nothing.
//!
//! *Lives here:* [`Planted`], and [`BUGS`], the names by which each is chosen, with where it shows and which checkers find it.
//! *Must not know:* how it is looked for.

use crate::run::Kind;

/// Which bugs are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planted {
    pub(crate) engine: engine::planted::Planted,
    pub(crate) store: store::Planted,
    /// The owner reads on when the outbox is full (S15).
    pub(crate) read_past_bound: bool,
    /// When a snapshot is complete the journal lets go what waits behind it, and writes it later (S3).
    pub(crate) release_unsynced: bool,
}

type Plant = fn(&mut Planted);

/// Where a bug shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// In runs by chance, of one server or of a pair.
    Seeds(Kind),
    /// In the script that names it.
    Script,
    /// In the exhaustive search from the place with this name, within so many states.
    Place(&'static str, usize),
}

/// A bug.
#[derive(Debug, Clone, Copy)]
pub struct Bug {
    /// By which it is chosen.
    pub name: &'static str,
    /// Where it shows.
    pub shown: Shown,
    /// One of these finds it.
    pub checkers: &'static [&'static str],
    plant: Plant,
}

const fn bug(name: &'static str, shown: Shown, checkers: &'static [&'static str], plant: Plant) -> Bug {
    Bug { name, shown, checkers, plant }
}

const SINGLE: Shown = Shown::Seeds(Kind::Single);
const PAIR: Shown = Shown::Seeds(Kind::Pair);
const BESIDE_DHCPD: Shown = Shown::Seeds(Kind::Dhcpd);

/// All bugs.
pub const BUGS: &[Bug] = &[
    bug("ack-before-stable", SINGLE, &["S3"], |planted| planted.engine.ack_before_stable = true),
    bug("offer-leased", SINGLE, &["S1", "S3", "S17"], |planted| planted.engine.offer_leased = true),
    bug("forget-lost-time", SINGLE, &["S1", "S3"], |planted| planted.engine.forget_lost_time = true),
    bug("forget-recorded-end", SINGLE, &["S1", "S3"], |planted| planted.engine.forget_recorded_end = true),
    bug("release-not-recorded", SINGLE, &["S16"], |planted| planted.engine.release_not_recorded = true),
    bug("accept-torn-tail", SINGLE, &["S3", "S16"], |planted| planted.store.accept_torn_tail = true),
    bug("snapshot-loses-record", SINGLE, &["S3", "S16"], |planted| {
        planted.store.snapshot_loses_record = true;
    }),
    bug("ignore-reservations", SINGLE, &["S17"], |planted| planted.engine.ignore_reservations = true),
    bug("forget-probation", SINGLE, &["S17"], |planted| planted.engine.forget_probation = true),
    bug("ignore-late-renewals", SINGLE, &["L4"], |planted| planted.engine.ignore_late_renewals = true),
    bug("lose-second-expired", SINGLE, &["L5"], |planted| planted.engine.lose_second_expired = true),
    bug("read-past-bound", SINGLE, &["S15"], |planted| planted.read_past_bound = true),
    bug("release-unsynced", SINGLE, &["S3"], |planted| planted.release_unsynced = true),
    bug("times-outlive-client", PAIR, &["S5", "S2"], |planted| planted.engine.times_outlive_client = true),
    bug("always-alive", Shown::Script, &["S2"], |planted| planted.engine.always_alive = true),
    bug("bndack-before-stable", PAIR, &["S4"], |planted| planted.engine.bndack_before_stable = true),
    bug("state-before-stable", PAIR, &["S10"], |planted| planted.engine.state_before_stable = true),
    bug("skip-recover-wait", PAIR, &["S10", "S12", "S9"], |planted| planted.engine.skip_recover_wait = true),
    bug("keeps-what-it-gave", PAIR, &["S7"], |planted| planted.engine.keeps_what_it_gave = true),
    bug("short-wait", Shown::Script, &["S3", "S6"], |planted| planted.engine.short_wait = true),
    bug("updates-cross", Shown::Script, &["S3"], |planted| planted.engine.updates_cross = true),
    bug("stale-active-wins", Shown::Script, &["S13"], |planted| planted.engine.stale_active_wins = true),
    bug("seen-over-reconnection", PAIR, &["L5", "L2"], |planted| {
        planted.engine.seen_over_reconnection = true;
    }),
    bug("expired-freed-alone", PAIR, &["S6"], |planted| planted.engine.expired_freed_alone = true),
    bug("ack-frees-whatever", Shown::Place("cut", 12_000), &["S3"], |planted| {
        planted.engine.ack_frees_whatever = true;
    }),
    bug("same-client-after-told", Shown::Place("quiet", 1_000), &["S6"], |planted| {
        planted.engine.same_client_after_told = true;
    }),
    bug("ignore-unagreed", Shown::Script, &["S3"], |planted| planted.engine.ignore_unagreed = true),
    bug("believe-old-copy", PAIR, &["S12", "S3"], |planted| planted.engine.believe_old_copy = true),
    bug("no-raise", Shown::Script, &["S3"], |planted| planted.engine.no_raise = true),
    bug("believes-after-release", Shown::Script, &["S1"], |planted| {
        planted.engine.believes_after_release = true;
    }),
    bug("partners-pool-at-once", PAIR, &["S8", "S3"], |planted| planted.engine.partners_pool_at_once = true),
    bug("never-takes-partners-pool", PAIR, &["L7"], |planted| {
        planted.engine.never_takes_partners_pool = true;
    }),
    bug("waits-for-ever", PAIR, &["L7"], |planted| planted.engine.waits_for_ever = true),
    bug("later-acks-raise-nothing", PAIR, &["L6"], |planted| planted.engine.later_acks_raise_nothing = true),
    bug("received-raises-nothing", PAIR, &["L6"], |planted| planted.engine.received_raises_nothing = true),
    bug("potential-without-renewal", PAIR, &["L6"], |planted| {
        planted.engine.potential_without_renewal = true;
    }),
    bug("older-active-wins", PAIR, &["S11"], |planted| planted.engine.older_active_wins = true),
    bug("older-transaction-time-wins", PAIR, &["S11"], |planted| {
        planted.engine.older_transaction_time_wins = true;
    }),
    bug("stays-unfit", PAIR, &["L8"], |planted| planted.engine.stays_unfit = true),
    bug("patient-with-silence", PAIR, &["L8"], |planted| planted.engine.patient_with_silence = true),
    bug("pools-never-rest", PAIR, &["L3", "L2"], |planted| planted.engine.pools_never_rest = true),
    bug("keeps-its-clients-addresses", PAIR, &["L3"], |planted| {
        planted.engine.keeps_its_clients_addresses = true;
    }),
    bug("ignore-window", PAIR, &["S14"], |planted| planted.engine.ignore_window = true),
    bug("answers-six-only", PAIR, &["S14"], |planted| planted.engine.answers_six_only = true),
    bug("own-end-bounds", PAIR, &["S2"], |planted| planted.engine.own_end_bounds = true),
    bug("sent-end-bounds", PAIR, &["S2"], |planted| planted.engine.sent_end_bounds = true),
    bug("answers-in-conflict", Shown::Place("alone", 2_000), &["S9"], |planted| {
        planted.engine.answers_in_conflict = true;
    }),
    bug("answers-in-recover", PAIR, &["S9", "S3"], |planted| planted.engine.answers_in_recover = true),
    bug("answers-all-in-recover-done", PAIR, &["S9", "S3"], |planted| {
        planted.engine.answers_all_in_recover_done = true;
    }),
    bug("everything-but-backup", PAIR, &["S14", "S3"], |planted| planted.engine.everything_but_backup = true),
    bug("leaves-from-nowhere", PAIR, &["S10"], |planted| planted.engine.leaves_from_nowhere = true),
    bug("seen-over-restart", PAIR, &["L2", "L5"], |planted| planted.engine.seen_over_restart = true),
    bug("takes-back-unasked", PAIR, &["S7"], |planted| planted.engine.takes_back_unasked = true),
    bug("who-forgot-consents", Shown::Script, &["S6"], |planted| planted.engine.who_forgot_consents = true),
    bug("who-forgot-judges", Shown::Script, &["L2", "S1", "S3"], |planted| {
        planted.engine.who_forgot_judges = true;
    }),
    bug("abandoned-freed-alone", PAIR, &["S6"], |planted| planted.engine.abandoned_freed_alone = true),
    bug("stamp-without-contact", PAIR, &["S2"], |planted| planted.engine.stamp_without_contact = true),
    bug("borrows-when-empty", PAIR, &["S7", "S3"], |planted| planted.engine.borrows_when_empty = true),
    bug("upddone-counts-addresses", Shown::Script, &["S1", "S3"], |planted| {
        planted.engine.upddone_counts_addresses = true;
    }),
    bug("released-freed-alone", PAIR, &["S6"], |planted| planted.engine.released_freed_alone = true),
    bug("raises-twice-as-far", PAIR, &["L5"], |planted| planted.engine.raises_twice_as_far = true),
    bug("raise-forgets-told", Shown::Script, &["S1", "S3"], |planted| {
        planted.engine.raise_forgets_told = true;
    }),
    bug("believes-reboots", Shown::Script, &["S7"], |planted| planted.engine.believes_reboots = true),
    bug("releases-by-the-second", Shown::Script, &["S3", "L2"], |planted| {
        planted.engine.releases_by_the_second = true;
    }),
    bug("take-over-in-contact", Shown::Script, &["S7"], |planted| planted.engine.take_over_in_contact = true),
    bug("refuse-unknown", Shown::Script, &["L4"], |planted| planted.engine.refuse_unknown = true),
    bug("chase-normal", Shown::Script, &["L1"], |planted| planted.engine.chase_normal = true),
    bug("state-only-in-contact", Shown::Script, &["L1"], |planted| {
        planted.engine.state_only_in_contact = true;
    }),
    bug("crossing-counts", Shown::Script, &["S3"], |planted| planted.engine.crossing_counts = true),
    bug("alive-at-contact", Shown::Script, &["S3"], |planted| planted.engine.alive_at_contact = true),
    bug("trust-stored-partner-down", Shown::Script, &["S3"], |planted| {
        planted.engine.trust_stored_partner_down = true;
    }),
    bug("freed-alone-is-agreed", Shown::Script, &["S3"], |planted| {
        planted.engine.freed_alone_is_agreed = true;
    }),
    bug("taken-over-is-agreed", Shown::Script, &["S3"], |planted| planted.engine.taken_over_is_agreed = true),
    bug("raise-leaves-ended", Shown::Script, &["S3"], |planted| planted.engine.raise_leaves_ended = true),
    bug("raise-without-now", Shown::Script, &["S3"], |planted| planted.engine.raise_without_now = true),
    bug("losses-look-alike", Shown::Script, &["S3"], |planted| planted.engine.losses_look_alike = true),
    bug("raise-again", Shown::Script, &["L5"], |planted| planted.engine.raise_again = true),
    bug("conflict-with-who-forgot", Shown::Script, &["S3"], |planted| {
        planted.engine.conflict_with_who_forgot = true;
    }),
    bug("who-forgot-vouches", Shown::Script, &["S5"], |planted| planted.engine.who_forgot_vouches = true),
    bug("bootp-before-told", PAIR, &["S2", "S1", "S3"], |planted| planted.engine.bootp_before_told = true),
    bug("bootp-takes-partners", PAIR, &["S8"], |planted| planted.engine.bootp_takes_partners = true),
    bug("reserved-is-own", Shown::Place("reserved", 2_000), &["S7", "S8"], |planted| {
        planted.engine.reserved_is_own = true;
    }),
    bug("refuses-the-better", BESIDE_DHCPD, &["L4", "S1", "S3"], |planted| {
        planted.engine.refuses_the_better = true;
    }),
    bug("tells-at-once", BESIDE_DHCPD, &["D1"], |planted| planted.engine.tells_at_once = true),
    bug("leased-since-at-once", Shown::Script, &["S6"], |planted| planted.engine.leased_since_at_once = true),
];

impl Bug {
    /// The bug with this name.
    pub fn named(name: &str) -> Option<&'static Bug> {
        BUGS.iter().find(|bug| bug.name == name)
    }

    /// This bug alone.
    pub fn planted(&self) -> Planted {
        let mut planted = Planted::default();
        (self.plant)(&mut planted);
        planted
    }
}

impl Planted {
    /// The bug with this name.
    pub fn named(name: &str) -> Option<Planted> {
        Bug::named(name).map(Bug::planted)
    }

    /// The names of all bugs.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUGS.iter().map(|bug| bug.name)
    }

    /// In which worlds the bug with this name shows.
    pub fn kind(name: &str) -> Kind {
        let shown = Bug::named(name).map(|bug| bug.shown);
        match shown {
            Some(Shown::Seeds(kind)) => kind,
            _ => Kind::Pair,
        }
    }
}
