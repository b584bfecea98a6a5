//! How long a lease may be promised, what the partner is told of it, and when an address may change hands.
//!
//! *Lives here:* [`Times`] of one binding and the arithmetic over them: part 2 of the catalogue, F07 5.2, 7.1.5, 9.4.2.
//! *May know:* one binding at a time; traps T1 to T3, T14 to T16, T18, T19, T21, T22.
//! *Must not know:* tables of bindings, messages.
//!
//! All of it serves one sentence (F07-5.2.1-01): no client's lease ends more than MCLT after what the partner has on stable
//! storage for this client, or after the time at which this server was last known to be alive, if that is later.

use crate::binding::BindingStatus;
use crate::time::{Interval, Time};

/// The four times of F07 7.1.5, of an address *and* a client: when the client loses the address they are
/// [`Times::NONE`] again (trap T14).
/// F07-7.1.5-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Times {
    /// The end that the client was promised, or a later one that it was promised before (trap T19).
    pub lease_expiration: Time,
    /// Latest potential-expiration-time sent to the partner.
    pub sent_potential_expiration: Time,
    /// Latest potential-expiration-time that the partner acknowledged.
    pub acked_potential_expiration: Time,
    /// Latest potential-expiration-time received from the partner and acknowledged to it.
    pub received_potential_expiration: Time,
}

impl Times {
    /// Of no client.
    pub const NONE: Times = Times {
        lease_expiration: Time::ZERO,
        sent_potential_expiration: Time::ZERO,
        acked_potential_expiration: Time::ZERO,
        received_potential_expiration: Time::ZERO,
    };

    /// The latest of the four: the partner may have granted up to MCLT beyond any of them (F07-7.1.5-05).
    pub fn latest(self) -> Time {
        self.lease_expiration
            .max(self.sent_potential_expiration)
            .max(self.acked_potential_expiration)
            .max(self.received_potential_expiration)
    }

    /// After a grant until `end`: a recorded end never moves earlier for the same client (trap T19).
    #[must_use]
    pub fn granted(mut self, end: Time) -> Times {
        self.lease_expiration = self.lease_expiration.max(end);
        self
    }

    /// After a BNDUPD with this potential-expiration-time was queued (F07-7.1.1-07).
    #[must_use]
    pub fn sent(mut self, potential_expiration: Time) -> Times {
        self.sent_potential_expiration = self.sent_potential_expiration.max(potential_expiration);
        self
    }

    /// After the partner acknowledged a BNDUPD with this potential-expiration-time (F07-7.2.2-01). The acknowledgement of
    /// a partner that has lost its storage raises nothing (trap T16).
    #[must_use]
    pub fn acked(mut self, potential_expiration: Time, partner_lost_storage: bool) -> Times {
        if !partner_lost_storage {
            self.acked_potential_expiration = self.acked_potential_expiration.max(potential_expiration);
        }
        self
    }
}

/// What bounds the promises of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bound {
    /// Maximum client lead time.
    pub mclt: Interval,
    /// When this server was last known to be alive: now, or the last recorded time of operation
    /// (trap T15).
    pub alive: Time,
}

impl Bound {
    /// The latest end that may be promised to the client that `times` belong to; for a client without the address
    /// pass [`Times::NONE`] (F07-7.1.5-04, Q16). The own lease-expiration-time does not count (trap T2).
    /// F07-9.7.2-05.
    pub fn latest_end(self, times: Times) -> Time {
        self.alive
            .max(times.acked_potential_expiration)
            .max(times.received_potential_expiration)
            .plus(self.mclt)
    }

    /// The lease for a client that should have `desired`: that, or less. `None` when nothing can be promised any more:
    /// then silence is honest, or a refusal, and an alarm.
    ///
    /// A lease without end is granted only when the partner has acknowledged one (F07-5.2.1-02).
    pub fn lease(self, now: Time, desired: Interval, times: Times) -> Option<Interval> {
        let longest = self.latest_end(times).since(now);
        Some(desired.min(longest)).filter(|lease| *lease > Interval::ZERO)
    }
}

/// potential-expiration-time to tell the partner of a lease granted at `now` (F07-5.2.1-12): the desired lease, from
/// the time at which the client is expected to renew. Later than the lease's end (F07-7.1.1-06).
pub fn potential_expiration(now: Time, granted: Interval, desired: Interval) -> Time {
    now.plus(granted.fraction(1, 2)).plus(desired.max(granted))
}

/// When a lease that ended is announced as EXPIRED: with the slack for the clocks of client and partner (Q23).
/// `granted` is how long the lease was (F07-5.10-16).
pub fn expiry_is_announced(lease_expiration: Time, granted: Interval) -> Time {
    lease_expiration.plus(granted.slack())
}

/// The stay in PARTNER-DOWN, for the waits in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartnerDown {
    /// When PARTNER-DOWN was entered (Q30).
    pub entered: Time,
    /// When the partner was last heard: since then the two clocks have drifted apart unseen (trap T21).
    /// [`Time::ZERO`] when that is not known; then `entered` counts.
    pub last_contact: Time,
    /// Maximum client lead time; while it is being changed, the longer one.
    pub mclt: Interval,
}

impl PartnerDown {
    /// From when on an address that was, or may have been, the partner's to give may go to another client than the one
    /// that `times` belong to: MCLT after the latest of entry and the four times, and the slack (F07-5.2.1-04,
    /// F07-9.4.2-04 to -06, Q15, trap T3).
    ///
    /// This one wait holds for every status, whenever it was entered (trap T18): EXPIRED, RELEASED and RESET, and
    /// FREE or BACKUP of the partner's pool.
    pub fn may_change_hands(self, times: Times) -> Time {
        self.with_slack(times.latest().max(self.entered).plus(self.mclt))
    }

    /// The same for an address of the own pool that was leased out since entry, without contact since: the lease's end, but
    /// not before the wait from entry is over (F07-5.2.1-05, trap T18).
    pub fn may_change_hands_if_leased_since(self, times: Times) -> Time {
        times.lease_expiration.max(self.with_slack(self.entered.plus(self.mclt)))
    }

    fn with_slack(self, end: Time) -> Time {
        let start =
            if self.last_contact == Time::ZERO { self.entered } else { self.last_contact.min(self.entered) };
        end.plus(end.since(start).slack())
    }
}

/// Until when a server that was down waits in RECOVER-WAIT: MCLT after it went down, and the slack (F07-9.5.2-04, -05).
/// `down_since` must not be earlier than it went down; without knowledge it is the start of the process (Q31).
pub fn recover_wait_ends(down_since: Time, mclt: Interval) -> Time {
    down_since.plus(mclt).plus(mclt.slack())
}

/// What trap T16 makes of a binding whose partner lost its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Raised {
    /// ACTIVE for what was EXPIRED or RELEASED, else as it was.
    pub status: BindingStatus,
    /// The end until which the address stays with its client.
    pub lease_expiration: Time,
    /// An EXPIRED or RELEASED had been sent: the partner may have agreed, leased the address to another, and
    /// forgotten. Nobody may have the address before the raised end, not even this client.
    pub nobody: bool,
}

/// The raise of trap T16, once for each loss of the partner's storage: `None` for FREE and BACKUP, and when
/// `raised_for` says that this loss was answered already (model M10).
///
/// `told`: a BNDUPD of the present EXPIRED or RELEASED was sent.
pub fn raise_after_loss(
    now: Time,
    mclt: Interval,
    status: BindingStatus,
    times: Times,
    told: bool,
    raised_for: Option<u64>,
    loss: u64,
) -> Option<Raised> {
    let ended = matches!(status, BindingStatus::Expired | BindingStatus::Released);
    if status.is_available() || raised_for == Some(loss) {
        return None;
    }
    Some(Raised {
        status: if ended { BindingStatus::Active } else { status },
        lease_expiration: times.latest().max(now).plus(mclt),
        nobody: ended && told,
    })
}

/// The raise of trap T16 by the one that lost its own bindings, of a lease of which a partner tells that raises nothing: the end up to
/// which we may have extended it, and forgotten that.
///
/// A partner tells of no potential-expiration-time but its own. Of ours none was later than what was said when the client was last
/// heard ([`potential_expiration`]), for a lease as long as `longest`. Nothing was promised after `down_since`.
pub fn raise_after_own_loss(
    down_since: Time,
    mclt: Interval,
    longest: Interval,
    heard: Option<Time>,
    received_potential_expiration: Time,
) -> Time {
    potential_expiration(heard.unwrap_or(down_since), longest, longest)
        .max(received_potential_expiration)
        .max(down_since)
        .plus(mclt)
}

/// The status after the partner accepted the BNDUPD of the present one (F07-5.10-17): EXPIRED, RELEASED and RESET become
/// FREE, the primary's, whoever had leased the address (D12-5.4-01).
///
/// A partner that lost its storage can't agree to free what it has forgotten (trap T16): then nothing is freed before
/// the (raised) end of the lease.
pub fn status_after_ack(
    now: Time,
    status: BindingStatus,
    times: Times,
    partner_lost_storage: bool,
) -> BindingStatus {
    let frees = matches!(status, BindingStatus::Expired | BindingStatus::Released | BindingStatus::Reset);
    if frees && (!partner_lost_storage || now > times.lease_expiration) {
        BindingStatus::Free
    } else {
        status
    }
}

/// Whether an address in `status` may go back to the client that had it, without another word to the partner:
/// EXPIRED or RELEASED, and only while no BNDUPD of that was sent (F07-5.2.2-03, Q37, trap T5).
pub fn same_client_may_return(status: BindingStatus, told: bool) -> bool {
    matches!(status, BindingStatus::Expired | BindingStatus::Released) && !told
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MCLT: Interval = Interval::from_seconds(3600);
    const DESIRED: Interval = Interval::from_seconds(259_200);

    fn at(seconds: u64) -> Time {
        Time::from_seconds(1_800_000_000 + seconds)
    }

    fn seconds(seconds: u64) -> Interval {
        Interval::from_seconds(seconds)
    }

    fn grant(now: Time, alive: Time, times: &mut Times) -> Option<(Interval, Time)> {
        let lease = Bound { mclt: MCLT, alive }.lease(now, DESIRED, *times)?;
        *times = times.granted(now.plus(lease));
        Some((lease, potential_expiration(now, lease, DESIRED)))
    }

    #[test]
    fn one_that_forgot_raises_as_far_as_it_can_have_promised() {
        let longest = seconds(1000);
        let raise = |heard, potential| raise_after_own_loss(at(5000), MCLT, longest, heard, at(potential));
        assert_eq!(raise(Some(at(4900)), 0), at(4900 + 1500 + 3600));
        assert_eq!(raise(Some(at(10)), 0), at(5000 + 3600), "what it promised when it was last alive");
        assert_eq!(raise(Some(at(10)), 9000), at(9000 + 3600), "what the partner told");
        assert_eq!(raise(None, 0), at(5000 + 1500 + 3600), "who was heard nobody says");
        let endless = raise_after_own_loss(at(0), MCLT, Interval::INFINITE, None, Time::ZERO);
        assert_eq!(endless, Time::NEVER);
    }

    /// Part 2 of the catalogue, row by row (F07-5.2.1-02, -12, F07-7.2.2-01).
    #[test]
    fn the_worked_example() {
        let mut times = Times::NONE;
        for (clock, lease, potential) in
            [(0, 3600, 261_000), (1800, 259_200, 390_600), (131_400, 259_200, 520_200)]
        {
            let granted = grant(at(clock), at(clock), &mut times).unwrap();
            assert_eq!(granted, (seconds(lease), at(potential)), "at {clock}");
            times = times.sent(granted.1).acked(granted.1, false);
        }
        // Contact is lost; the server was in NORMAL, so it is alive now.
        for (clock, lease, end) in [
            (261_000, 259_200, 520_200),
            (390_600, 133_200, 523_800),
            (457_200, 66_600, 523_800),
            (490_500, 33_300, 523_800),
            (520_200, 3600, 523_800),
            (530_000, 3600, 533_600),
        ] {
            let granted = grant(at(clock), at(clock), &mut times).unwrap();
            assert_eq!(granted.0, seconds(lease), "at {clock}");
            assert_eq!(times.lease_expiration, at(end), "at {clock}");
        }
    }

    /// F07-5.2.1-04, F07-7.1.5-05, F07-9.4.2-05, -06.
    #[test]
    fn the_other_server_of_the_worked_example() {
        let mut times = Times { received_potential_expiration: at(520_200), ..Times::NONE };
        let at_partner_down = |entered| PartnerDown { entered, last_contact: entered, mclt: MCLT };
        // The slack is part of each wait.
        let wait = |start: u64, end: u64| at(end).plus(seconds(end - start).slack());
        assert_eq!(at_partner_down(at(400_000)).may_change_hands(times), wait(400_000, 523_800));
        assert_eq!(at_partner_down(at(600_000)).may_change_hands(times), wait(600_000, 603_600));
        assert_eq!(grant(at(261_000), at(261_000), &mut times).unwrap().0, seconds(259_200));
    }

    #[test]
    fn a_server_that_was_down_promises_nothing_from_its_return() {
        // Trap T15: stopped at 0, back at 600 without contact.
        let bound = Bound { mclt: MCLT, alive: at(0) };
        assert_eq!(bound.lease(at(600), DESIRED, Times::NONE), Some(seconds(3000)));
        assert_eq!(bound.lease(at(3600), DESIRED, Times::NONE), None);
        let known = Times { acked_potential_expiration: at(10_000), ..Times::NONE };
        assert_eq!(
            bound.lease(at(3600), DESIRED, known),
            Some(seconds(10_000)),
            "what the partner agreed holds"
        );
    }

    /// F07-7.1.5-04, F07-9.7.2-05.
    #[test]
    fn the_own_unsent_end_does_not_count() {
        // Trap T2: else each renewal would add an MCLT.
        let times = Times {
            lease_expiration: at(523_800),
            sent_potential_expiration: at(900_000),
            acked_potential_expiration: at(520_200),
            ..Times::NONE
        };
        assert_eq!(Bound { mclt: MCLT, alive: at(457_200) }.latest_end(times), at(523_800));
    }

    #[test]
    fn a_lease_without_end_needs_the_partners_word() {
        let bound = Bound { mclt: MCLT, alive: at(0) };
        assert_eq!(bound.lease(at(0), Interval::INFINITE, Times::NONE), Some(MCLT));
        let potential = potential_expiration(at(0), MCLT, Interval::INFINITE);
        assert_eq!(potential, Time::NEVER);
        let times = Times::NONE.sent(potential).acked(potential, false);
        assert_eq!(bound.lease(at(0), Interval::INFINITE, times), Some(Interval::INFINITE));
        let down = PartnerDown { entered: at(0), last_contact: Time::ZERO, mclt: MCLT };
        assert_eq!(down.may_change_hands(times), Time::NEVER);
    }

    #[test]
    fn the_wait_counts_from_the_last_contact_for_its_slack() {
        let times = Times { lease_expiration: at(100_000), ..Times::NONE };
        let known = PartnerDown { entered: at(50_000), last_contact: at(0), mclt: MCLT };
        let unknown = PartnerDown { last_contact: Time::ZERO, ..known };
        assert_eq!(known.may_change_hands(times), at(103_600).plus(seconds(103_600).slack()));
        assert_eq!(unknown.may_change_hands(times), at(103_600).plus(seconds(53_600).slack()));
        let returned = PartnerDown { last_contact: at(60_000), ..known };
        assert_eq!(
            returned.may_change_hands(times),
            unknown.may_change_hands(times),
            "contact since changes nothing"
        );
    }

    /// F07-5.2.1-05.
    #[test]
    fn a_lease_given_since_entry_ends_when_it_ends_but_not_before_entry_and_mclt() {
        let down = PartnerDown { entered: at(0), last_contact: at(0), mclt: MCLT };
        let of = |end| {
            let times =
                Times { lease_expiration: at(end), sent_potential_expiration: at(99_999), ..Times::NONE };
            down.may_change_hands_if_leased_since(times)
        };
        assert_eq!(of(10), at(3600).plus(MCLT.slack()));
        assert_eq!(of(50_000), at(50_000));
    }

    #[test]
    fn a_loss_raises_once_all_that_has_a_client() {
        use BindingStatus as S;
        let times = Times { sent_potential_expiration: at(500), ..Times::NONE };
        let raise =
            |now, status, told, raised_for| raise_after_loss(now, MCLT, status, times, told, raised_for, 7);
        for (status, after) in [
            (S::Active, Some(S::Active)),
            (S::Expired, Some(S::Active)),
            (S::Released, Some(S::Active)),
            (S::Reset, Some(S::Reset)),
            (S::Abandoned, Some(S::Abandoned)),
            (S::Free, None),
            (S::Backup, None),
        ] {
            let raised = raise(at(100), status, true, Some(6));
            assert_eq!(raised.map(|raised| raised.status), after, "{status}");
            if let Some(raised) = raised {
                assert_eq!(raised.lease_expiration, at(4100));
                assert_eq!(raised.nobody, matches!(status, S::Expired | S::Released));
            }
            assert_eq!(raise(at(100), status, true, Some(7)), None, "once for each loss");
        }
        assert!(!raise(at(100), S::Expired, false, None).unwrap().nobody);
        assert_eq!(raise(at(9000), S::Active, false, None).unwrap().lease_expiration, at(12_600), "model M9");
    }

    /// F07-7.2.1-04, D12-5.4-01.
    #[test]
    fn who_forgot_frees_nothing_before_the_end_and_raises_nothing() {
        use BindingStatus as S;
        let times = Times { lease_expiration: at(100), ..Times::NONE };
        for status in S::ALL {
            let frees = matches!(status, S::Expired | S::Released | S::Reset);
            let after = |now, lost| status_after_ack(at(now), status, times, lost);
            let free = if frees { S::Free } else { status };
            assert_eq!(after(50, false), free);
            assert_eq!(after(100, true), status);
            assert_eq!(after(101, true), free);
        }
        assert_eq!(Times::NONE.acked(at(5), true), Times::NONE);
    }

    /// F07-5.2.2-03.
    #[test]
    fn the_same_client_returns_only_while_nothing_was_said() {
        for status in BindingStatus::ALL {
            let ended = matches!(status, BindingStatus::Expired | BindingStatus::Released);
            assert_eq!(same_client_may_return(status, false), ended);
            assert!(!same_client_may_return(status, true));
        }
    }

    /// F07-9.5.2-04.
    #[test]
    fn recover_waits_mclt_and_the_slack() {
        assert_eq!(recover_wait_ends(at(0), MCLT), at(3600).plus(MCLT.slack()));
        assert_eq!(expiry_is_announced(at(0), seconds(1000)), at(11));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The fundamental relationship, over any history of renewals at one server and its partner's PARTNER-DOWN.
        /// F07-5.2.1-01.
        #[test]
        fn no_lease_outlives_the_partners_wait(
            steps in proptest::collection::vec((0..400_000u64, any::<bool>()), 1..20),
            lost_at in 0..400_000u64,
            wait_from in 0..400_000u64,
        ) {
            let (mut ours, mut theirs, mut now) = (Times::NONE, Times::NONE, 0);
            let mut client_end = Time::ZERO;
            let mut last_contact = 0;
            for (pause, acked) in steps {
                now += pause;
                let Some((lease, potential)) = grant(at(now), at(now), &mut ours) else { continue };
                client_end = client_end.max(at(now).plus(lease));
                if now <= lost_at && acked {
                    ours = ours.sent(potential).acked(potential, false);
                    theirs.received_potential_expiration = theirs.received_potential_expiration.max(potential);
                    theirs = theirs.granted(at(now).plus(lease));
                    last_contact = now;
                }
            }
            // The server dies now at the latest, and is declared down after that.
            let down = PartnerDown { entered: at(now + wait_from), last_contact: at(last_contact), mclt: MCLT };
            prop_assert!(down.may_change_hands(theirs) >= client_end);
        }
    }
}
