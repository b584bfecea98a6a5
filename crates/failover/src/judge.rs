//! Which update of the partner is accepted, and what of it is taken.
//!
//! *Lives here:* [`judge`]: figure 7.1.3-1, as one function of an update and our binding.
//! *May know:* F07 7.1.2 to 7.1.5, draft-12 7.1.3 (table 1.11 of the catalogue); traps T14, T16, T19, T22, T23; Q24.
//! *Must not know:* where bindings are kept; who a client is: it is told whether the two are the same.
//!
//! It is asked for every BNDUPD, in every state (F07-7.1.2-01).

use crate::binding::BindingStatus;
use crate::dialect::Dialect;
use crate::lease::Times;
use crate::message::{BindingUpdate, RejectReason};
use crate::state::Role;
use crate::time::{ClockDelta, Interval, Time};

/// What of a received transaction is judged, its times corrected to our clock (F07-7.8.2-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Update {
    /// binding-status.
    pub status: BindingStatus,
    /// The R flag.
    pub reserved: bool,
    /// Whether there is a client-hardware-address or a client-identifier.
    pub has_client: bool,
    /// lease-expiration-time.
    pub lease_expiration: Option<Time>,
    /// potential-expiration-time.
    pub potential_expiration: Option<Time>,
    /// start-time-of-state.
    pub start_time_of_state: Option<Time>,
    /// client-last-transaction-time; 0 on the wire is none (Q22).
    pub client_last_transaction_time: Option<Time>,
}

impl Update {
    /// Of a transaction received with this clock difference from a partner that speaks this dialect.
    pub fn received(update: &BindingUpdate, delta: ClockDelta, dialect: Dialect) -> Update {
        let time = |time: Option<crate::time::WireTime>| time.map(|time| time.to_time(delta));
        let mut received = Update {
            status: update.status,
            reserved: update.flags.reserved,
            has_client: update.hardware.is_some() || update.client_identifier.is_some(),
            lease_expiration: time(update.lease_expiration),
            potential_expiration: time(update.potential_expiration),
            start_time_of_state: time(update.start_time_of_state),
            client_last_transaction_time: time(update.client_last_transaction_time)
                .filter(|time| *time > Time::ZERO),
        };
        if !dialect.dates_what_ends_a_lease() {
            received.date();
        }
        received
    }

    /// Says when a lease ended as the drafts would have it said, where the partner leaves both times as they were when it was last
    /// extended: a release is heard when the lease is set to end, and no status began before its client was last heard.
    fn date(&mut self) {
        match self.status {
            BindingStatus::Released => {
                self.client_last_transaction_time =
                    self.client_last_transaction_time.max(self.lease_expiration);
            }
            BindingStatus::Abandoned | BindingStatus::Reset => {
                self.start_time_of_state = self.start_time_of_state.max(self.client_last_transaction_time);
            }
            _ => {}
        }
    }
}

/// What of our own binding decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Binding {
    /// Its status.
    pub status: BindingStatus,
    /// Its four times.
    pub times: Times,
    /// When it took on the status.
    pub start_time_of_state: Time,
    /// When the client was last heard; `None` for never.
    pub client_last_transaction_time: Option<Time>,
    /// How long the lease was, for the slack after its end.
    pub granted: Interval,
    /// Whether the client in the update is the client of this binding. False when either has none.
    pub same_client: bool,
    /// Whether our configuration reserves the address.
    pub reserved: bool,
    /// Whether a BNDUPD of ours about the address waits for its BNDACK.
    pub outstanding: bool,
    /// Whether the partner has not acknowledged what we have.
    pub untold: bool,
    /// Whether an address that is ABANDONED has been so for as long as it was to be.
    pub probation_over: bool,
}

/// By how much two times of two servers may be in the wrong order: a difference of clocks is measured with messages that take
/// their time, and in whole seconds (F07 5.9).
const DOUBT: Interval = Interval::from_seconds(10);

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Change the binding so, make it stable, then send the BNDACK (F07-7.1.3-05).
    Accept(Apply),
    /// Change nothing; BNDACK with this reason.
    Reject(RejectReason),
}

/// What an accepted update makes of the binding. All of it is to be written, none of it computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Apply {
    /// The new status: FREE for a received EXPIRED, RELEASED or RESET (F07-5.10-17).
    pub status: BindingStatus,
    /// What becomes of the client.
    pub client: Client,
    /// The new times. [`Times::NONE`] where nobody has the address any more (trap T14).
    pub times: Times,
    /// What the four times amounted to when they were set to none: the address stays with nobody else's promise, but a
    /// partner of the make of dhcpd may grant on stale times (table 1.12, Q15).
    pub wait_until: Time,
    /// The new start-time-of-state.
    pub start_time_of_state: Time,
    /// The new client-last-transaction-time.
    pub client_last_transaction_time: Option<Time>,
    /// Two clients had leases on the address, and ours lost it: an event for the operator (Q24).
    pub displaced: bool,
}

/// What becomes of the client of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// The client in the update is the client now; one that is told without identity leaves the present one.
    OfUpdate,
    /// As it was.
    Kept,
    /// Nobody: ABANDONED has none (F07-5.10-05).
    Nobody,
}

/// What a cell of figure 7.1.3-1 says.
enum Cell {
    Accept,
    Reject(RejectReason),
    /// time(1): later client-last-transaction-time.
    Time1,
    /// time(2): our lease is over.
    Time2,
    /// time(3): heard after our RESET or ABANDONED.
    Time3,
    /// The same seen from the other side: accept, unless our client was heard after the partner's RESET or ABANDONED.
    NotTime3,
    /// time(2), unless it is an operator who says so.
    Time2OrOperator,
    /// (5): accept, unless the clients differ.
    Clients,
}

/// Judges one transaction. `ours` is `None` for an address in no pool of this relationship; `role` is ours.
///
/// A malformed transaction does not come here; see [`crate::message::BindingUpdates::malformed`].
pub fn judge(update: &Update, ours: Option<&Binding>, role: Role, now: Time) -> Verdict {
    // D12-7.1.3-01.
    let Some(ours) = ours else { return Verdict::Reject(RejectReason::ILLEGAL_IP_ADDRESS) };
    if lacks_information(update) {
        return Verdict::Reject(RejectReason::MISSING_BINDING_INFORMATION);
    }
    // Updates that cross: the primary's comes first, whatever the other says (trap T22).
    if role == Role::Primary && ours.outstanding {
        return Verdict::Reject(RejectReason::LESS_CRITICAL_BINDING_INFORMATION);
    }
    // D12-7.1.3-02. Said by the secondary it is its own all the same, and asked back.
    let is_given = role == Role::Secondary;
    if is_given && update.reserved && update.status == BindingStatus::Backup && !ours.reserved {
        return Verdict::Reject(RejectReason::NOT_RESERVED);
    }
    // A lease that is over is EXPIRED, whether or not anybody got round to say so (last rule of table 1.11).
    let slack_over = now > ours.times.lease_expiration.plus(ours.granted.slack());
    let status = match ours.status {
        BindingStatus::Active if slack_over => BindingStatus::Expired,
        // So is an ABANDONED that lasted its time: the partner may have reset it alone, and leased it since. What it was reset
        // from it does not tell, so that it would be rejected for ever.
        BindingStatus::Abandoned if ours.probation_over => BindingStatus::Reset,
        status => status,
    };
    let later = |than: Option<Time>| match (update.client_last_transaction_time, than) {
        // F07-7.1.3-06.
        (None, _) => false,
        // F07-7.1.3-07.
        (Some(_), None) => true,
        (Some(theirs), Some(ours)) => theirs > ours,
    };
    let outdated = Verdict::Reject(RejectReason::OUTDATED_BINDING_INFORMATION);
    match cell(status, update.status) {
        Cell::Reject(reason) => return Verdict::Reject(reason),
        // F07-7.1.3-10.
        Cell::Time1 if later(time_1(update, ours, status)) || promises_more(update, ours, status, now) => {}
        Cell::Time1 => return outdated,
        Cell::Time2 if now <= ours.times.lease_expiration => return outdated,
        Cell::Time2OrOperator if now <= ours.times.lease_expiration && !by_operator(update, ours) => {
            return outdated;
        }
        Cell::Time3 if !later(Some(ours.start_time_of_state)) => return outdated,
        // The figure accepts. But then two would never agree: by time(3) the partner takes what we have; and the client would lose
        // a lease that is not over to a word that is older than its own (S13).
        Cell::NotTime3 if now <= ours.times.lease_expiration && heard_since(update, ours) => return outdated,
        Cell::Clients if !ours.same_client => return between_two_clients(update, ours, role, now),
        Cell::Accept | Cell::Time2 | Cell::Time2OrOperator | Cell::Time3 | Cell::NotTime3 | Cell::Clients => {
        }
    }
    Verdict::Accept(taken(update, ours, now, false))
}

/// What an update must be later than by time(1).
///
/// A client that releases its address at one server and gets it from the other within seconds is heard by each but once: while it is
/// in doubt which was first, it has the lease. Else it would lose one that it has just been given, and another would get the
/// address (S1); the other way round an address waits for an end that nobody needed.
fn time_1(update: &Update, ours: &Binding, status: BindingStatus) -> Option<Time> {
    let heard = ours.client_last_transaction_time;
    match (status, update.status) {
        (BindingStatus::Active, BindingStatus::Released) if ours.same_client && ours.untold => {
            heard.map(|heard| heard.plus(DOUBT))
        }
        (BindingStatus::Released, BindingStatus::Active) if ours.same_client && ours.untold => {
            heard.map(|heard| heard.minus(DOUBT))
        }
        _ => heard,
    }
}

/// Whether the partner promised the client of a lease that we take to be over more than we did, or another client a lease without end.
///
/// The figure asks who heard the client last. But what the partner promised stands although less was promised here later: that may
/// not have reached the client (trap T19). The partner rejects our EXPIRED as long as its lease runs (time(2)), so that, if we
/// rejected its ACTIVE, the two would not agree before that is over. With a lease without end they would never: the address would be
/// lost, and the two not in NORMAL.
fn promises_more(update: &Update, ours: &Binding, status: BindingStatus, now: Time) -> bool {
    (status, update.status) == (BindingStatus::Expired, BindingStatus::Active)
        && (ours.same_client || update.lease_expiration == Some(Time::NEVER))
        && update.lease_expiration.is_some_and(|end| end > now.max(ours.times.lease_expiration))
}

/// Whether a RESET is the word of an operator who has looked, about all that we know of who may hold what is ABANDONED: it names the
/// end of that. One that only ends the time of the ABANDONED names none.
fn by_operator(update: &Update, ours: &Binding) -> bool {
    update.lease_expiration.is_some_and(|end| end.plus(DOUBT) >= ours.times.lease_expiration)
}

/// Whether our client was heard after the partner's status began.
fn heard_since(update: &Update, ours: &Binding) -> bool {
    let heard = ours.client_last_transaction_time;
    heard.zip(update.start_time_of_state).is_some_and(|(heard, start)| heard > start)
}

/// Both have a lease that is not over by our clock, and the clients differ: note (5) of the figure (F07-7.1.3-08).
fn between_two_clients(update: &Update, ours: &Binding, role: Role, now: Time) -> Verdict {
    // A lease that is over displaces nobody (trap T23).
    if update.lease_expiration.is_some_and(|end| end <= now) {
        return Verdict::Reject(RejectReason::OUTDATED_BINDING_INFORMATION);
    }
    match role {
        Role::Primary => Verdict::Reject(RejectReason::ADDRESS_IN_USE),
        Role::Secondary => Verdict::Accept(taken(update, ours, now, true)),
    }
}

/// What a server cannot do without (table 1.9). A missing client-last-transaction-time is no lack: it is never later.
/// What does not belong to a status is ignored, not rejected (Q35).
fn lacks_information(update: &Update) -> bool {
    match update.status {
        BindingStatus::Active => {
            !update.has_client || update.lease_expiration.is_none() || update.potential_expiration.is_none()
        }
        BindingStatus::Expired | BindingStatus::Released => !update.has_client,
        BindingStatus::Free | BindingStatus::Abandoned | BindingStatus::Reset | BindingStatus::Backup => {
            false
        }
    }
}

/// Figure 7.1.3-1: one row for each status of ours, one column for each received.
///
/// In one thing it is not the figure's ([`promises_more`] is another). There ABANDONED stands until an operator resets it, and displaces an ACTIVE however late
/// that is. Here ABANDONED ends by itself, so that a client that lost its lease to one from before that lease would still hold
/// the address when it goes to the next (S1). Between ACTIVE and ABANDONED, as between ACTIVE and RESET, the later word counts:
/// time(3), the same seen from both sides. Who took an address after it was declined has found it in order.
fn cell(ours: BindingStatus, received: BindingStatus) -> Cell {
    use BindingStatus as S;
    use Cell::{Accept, Clients, NotTime3, Time1, Time2, Time2OrOperator, Time3};
    let less_critical = Cell::Reject(RejectReason::LESS_CRITICAL_BINDING_INFORMATION);
    #[rustfmt::skip]
    let row = match ours {
        //                      ACTIVE         EXPIRED        RELEASED       FREE, BACKUP
        // F07-7.1.3-09.
        S::Active =>           [Clients,       Time2,         Time1,         Time2],
        S::Expired =>          [Time1,         Accept,        Accept,        Accept],
        // F07-7.1.3-11.
        S::Released =>         [Time1,         Time1,         Accept,        Accept],
        // F07-7.1.3-12.
        S::Free | S::Backup => [Accept,        Accept,        Accept,        Accept],
        // F07-7.1.3-13.
        S::Reset =>            [Time3,         Accept,        Accept,        Accept],
        // F07-7.1.3-14.
        S::Abandoned => return match received {
            S::Active => Time3,
            // When it was taken over from the partner a client of ours may have held the address, and still does; unless an
            // operator has looked since.
            S::Reset => Time2OrOperator,
            S::Abandoned => Accept,
            _ => less_critical,
        },
    };
    let [active, expired, released, free] = row;
    match received {
        S::Active => active,
        S::Expired => expired,
        S::Released => released,
        S::Free | S::Backup => free,
        S::Reset | S::Abandoned if ours == S::Active => NotTime3,
        S::Reset | S::Abandoned => Accept,
    }
}

/// What the binding becomes.
fn taken(update: &Update, ours: &Binding, now: Time, displaced: bool) -> Apply {
    use BindingStatus as S;
    let status = match update.status {
        S::Expired | S::Released | S::Reset => S::Free,
        status => status,
    };
    let start = update.start_time_of_state.filter(|start| *start > Time::ZERO).unwrap_or(now);
    // A status that only another client takes over begins anew (Q34).
    let goes_on = status == ours.status && (status != S::Active || ours.same_client);
    let start_time_of_state = if goes_on { ours.start_time_of_state } else { start };
    let mut apply = Apply {
        status,
        client: if update.has_client { Client::OfUpdate } else { Client::Kept },
        times: Times::NONE,
        wait_until: Time::ZERO,
        start_time_of_state,
        client_last_transaction_time: update.client_last_transaction_time,
        displaced,
    };
    if ours.same_client || !update.has_client {
        // What was heard from this client last stays (S11, and F07-7.1.3-01).
        apply.client_last_transaction_time =
            update.client_last_transaction_time.max(ours.client_last_transaction_time);
    }
    match status {
        S::Active => apply.times = active_times(update, ours, displaced),
        S::Abandoned => {
            apply.client = Client::Nobody;
            apply.client_last_transaction_time = None;
            apply.wait_until = ours.times.latest();
            // Until then a client that declined nothing may use the address: no RESET frees it before.
            let held_until = match ours.status {
                S::Active => ours.times.lease_expiration.plus(ours.granted.slack()),
                S::Abandoned => ours.times.lease_expiration,
                _ => Time::ZERO,
            };
            let end = held_until.max(update.lease_expiration.unwrap_or(Time::ZERO));
            if end > now {
                apply.times.lease_expiration = end;
            }
        }
        _ => apply.wait_until = ours.times.latest(),
    }
    apply
}

/// The times of an accepted ACTIVE: they go on for the same client, and begin anew for another (trap T14). A recorded end
/// never moves earlier (trap T19); a potential end earlier than the lease's is taken as late as that (Q10).
fn active_times(update: &Update, ours: &Binding, displaced: bool) -> Times {
    let end = update.lease_expiration.unwrap_or(Time::ZERO);
    let potential = update.potential_expiration.unwrap_or(Time::ZERO).max(end);
    let before = if ours.same_client { ours.times } else { Times::NONE };
    let mut times = before.granted(end);
    // F07-7.1.5-03.
    times.received_potential_expiration = times.received_potential_expiration.max(potential);
    if displaced {
        // The address stays busy for both (Q24).
        times.lease_expiration = potential.max(ours.times.latest());
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use BindingStatus as S;

    const NOW: u64 = 10_000;

    fn at(seconds: u64) -> Time {
        Time::from_seconds(1_800_000_000 + seconds)
    }

    /// Ours: heard at 5,000, in its status since 6,000, lease of 1,000 s until `end`.
    fn ours(status: S, end: u64) -> Binding {
        Binding {
            status,
            times: Times { lease_expiration: at(end), ..Times::NONE },
            start_time_of_state: at(6000),
            client_last_transaction_time: Some(at(5000)),
            granted: Interval::from_seconds(1000),
            same_client: true,
            reserved: false,
            outstanding: false,
            untold: false,
            probation_over: false,
        }
    }

    fn update(status: S, heard: u64) -> Update {
        Update {
            status,
            reserved: false,
            has_client: true,
            lease_expiration: Some(at(NOW + 500)),
            potential_expiration: Some(at(NOW + 900)),
            start_time_of_state: Some(at(4000)),
            client_last_transaction_time: Some(at(heard)),
        }
    }

    fn verdict(update: &Update, ours: &Binding, role: Role) -> Result<Apply, u8> {
        match judge(update, Some(ours), role, at(NOW)) {
            Verdict::Accept(apply) => Ok(apply),
            Verdict::Reject(reason) => Err(reason.0),
        }
    }

    /// Every cell, with a client heard earlier, at the same time and later, and a lease that runs or is just over.
    /// F07-7.1.3-01, -09 to -12, -14.
    #[test]
    fn figure_7_1_3_1() {
        const YES: [Option<u8>; 3] = [None; 3];
        const NO: [Option<u8>; 3] = [Some(16); 3];
        const LATER: [Option<u8>; 3] = [Some(15), Some(15), None];
        const RUNS: [Option<u8>; 3] = [Some(15); 3];
        // Columns: ACTIVE, EXPIRED, RELEASED, FREE, BACKUP, RESET, ABANDONED.
        let columns = [S::Active, S::Expired, S::Released, S::Free, S::Backup, S::Reset, S::Abandoned];
        #[rustfmt::skip]
        let rows = [
            // Just over, but within the slack: still judged as ACTIVE, and time(2) says that it is over.
            (S::Active,    NOW - 5,  [YES,   YES,   LATER, YES,  YES,  YES, YES]),
            (S::Active,    NOW + 5,  [YES,   RUNS,  LATER, RUNS, RUNS, YES, YES]),
            // Equal is not later.
            (S::Active,    NOW,      [YES,   RUNS,  LATER, RUNS, RUNS, YES, YES]),
            // Over, the slack too: judged as EXPIRED. The figure's LATER but for the same client, who was promised more.
            (S::Active,    NOW - 12, [YES,   YES,   YES,   YES,  YES,  YES, YES]),
            (S::Expired,   NOW - 50, [YES,   YES,   YES,   YES,  YES,  YES, YES]),
            // The figure's LATER but for the doubt which was first.
            (S::Released,  NOW + 50, [LATER, LATER, YES,   YES,  YES,  YES, YES]),
            (S::Free,      0,        [YES,   YES,   YES,   YES,  YES,  YES, YES]),
            (S::Backup,    0,        [YES,   YES,   YES,   YES,  YES,  YES, YES]),
            (S::Abandoned, 0,        [RUNS,  NO,    NO,    NO,   NO,   YES, YES]),
            // Somebody held it when it was taken over as ABANDONED, and may still; a RESET that knows of it is an operator's.
            (S::Abandoned, NOW + 5,  [RUNS,  NO,    NO,    NO,   NO,   YES, YES]),
        ];
        for (status, end, cells) in rows {
            for (received, expected) in columns.into_iter().zip(cells) {
                for (heard, expected) in [4999, 5000, 5001].into_iter().zip(expected) {
                    for role in [Role::Primary, Role::Secondary] {
                        let told = Update { start_time_of_state: Some(at(7000)), ..update(received, heard) };
                        let verdict = verdict(&told, &ours(status, end), role);
                        let place = format!("{status} until {end} x {received} heard {heard}, {role}");
                        assert_eq!(verdict.err(), expected, "{place}");
                    }
                }
            }
        }
    }

    /// F07-7.1.3-10, trap T19.
    #[test]
    fn expired_gives_way_to_whoever_was_heard_later_and_to_who_was_promised_more() {
        for (same_client, end, heard, expected) in [
            (true, NOW + 1, 4999, None),
            // Over, or no longer than ours.
            (true, NOW, 4999, Some(15)),
            (true, NOW, 5000, Some(15)),
            (true, NOW, 5001, None),
            (false, NOW + 1, 4999, Some(15)),
            (false, NOW + 1, 5001, None),
        ] {
            let update = Update { lease_expiration: Some(at(end)), ..update(S::Active, heard) };
            let ours = Binding { same_client, ..ours(S::Expired, NOW - 50) };
            for role in [Role::Primary, Role::Secondary] {
                let apply = verdict(&update, &ours, role);
                assert_eq!(apply.err(), expected, "{same_client} {end} {heard}");
                if let Ok(apply) = apply {
                    let last = if same_client { heard.max(5000) } else { heard };
                    assert_eq!(
                        apply.client_last_transaction_time,
                        Some(at(last)),
                        "{same_client} {end} {heard}"
                    );
                }
            }
        }
        let for_ever = Update { lease_expiration: Some(Time::NEVER), ..update(S::Active, 4999) };
        let ended = Binding { same_client: false, ..ours(S::Expired, NOW - 50) };
        assert!(verdict(&for_ever, &ended, Role::Secondary).is_ok(), "it ends for nobody");
    }

    /// F07-7.1.3-13.
    #[test]
    fn reset_gives_way_only_to_a_client_heard_after_it() {
        for (heard, expected) in [(5999, Some(15)), (6000, Some(15)), (6001, None)] {
            assert_eq!(verdict(&update(S::Active, heard), &ours(S::Reset, 0), Role::Primary).err(), expected);
            for received in [S::Expired, S::Released, S::Free, S::Backup, S::Reset, S::Abandoned] {
                assert!(verdict(&update(received, heard), &ours(S::Reset, 0), Role::Primary).is_ok());
            }
        }
    }

    #[test]
    fn what_somebody_may_hold_is_reset_by_an_operator_alone() {
        let abandoned = ours(S::Abandoned, NOW + 500);
        let ends =
            [(None, Some(15)), (Some(NOW + 489), Some(15)), (Some(NOW + 490), None), (Some(NOW + 900), None)];
        for (end, expected) in ends {
            let reset = Update { lease_expiration: end.map(at), ..update(S::Reset, 1) };
            assert_eq!(verdict(&reset, &abandoned, Role::Primary).err(), expected, "{end:?}");
            assert!(verdict(&reset, &ours(S::Abandoned, NOW - 1), Role::Primary).is_ok(), "it is over");
        }
    }

    /// The clients of [`ours`] were heard at 5000 (F07-7.1.3-15).
    /// F07-7.1.3-14.
    #[test]
    fn a_lease_gives_way_only_to_what_is_later_than_its_client() {
        for status in [S::Reset, S::Abandoned] {
            for (start, expected) in [(4999, Some(15)), (5000, None), (5001, None)] {
                let end = Update { start_time_of_state: Some(at(start)), ..update(status, 1) };
                assert_eq!(verdict(&end, &ours(S::Active, NOW + 50), Role::Secondary).err(), expected);
                assert!(verdict(&end, &ours(S::Active, NOW - 50), Role::Secondary).is_ok(), "it is over");
                // The partner, whose it is, sees the same.
                let theirs = Binding { start_time_of_state: at(start), ..ours(status, 0) };
                let accepted = verdict(&update(S::Active, 5000), &theirs, Role::Primary).is_ok();
                assert_eq!(accepted, expected.is_some());
            }
            let silent = Update { start_time_of_state: None, ..update(status, 1) };
            assert!(verdict(&silent, &ours(S::Active, NOW + 50), Role::Secondary).is_ok());
        }
    }

    /// F07-7.1.3-10.
    #[test]
    fn between_a_release_and_a_lease_of_the_same_client_in_doubt_the_lease_stays() {
        for (heard, expected) in [(4990, Some(15)), (4991, None), (5001, None)] {
            let released = Binding { untold: true, ..ours(S::Released, NOW + 50) };
            assert_eq!(verdict(&update(S::Active, heard), &released, Role::Primary).err(), expected);
            let other = Binding { same_client: false, ..released };
            assert_eq!(verdict(&update(S::Active, heard), &other, Role::Primary).is_ok(), heard > 5000);
        }
        for (heard, untold, expected) in
            [(5001, false, None), (5001, true, Some(15)), (5010, true, Some(15)), (5011, true, None)]
        {
            let active = Binding { untold, ..ours(S::Active, NOW + 50) };
            assert_eq!(verdict(&update(S::Released, heard), &active, Role::Secondary).err(), expected);
        }
    }

    #[test]
    fn an_abandoned_that_lasted_its_time_is_judged_as_reset() {
        let over = Binding { probation_over: true, ..ours(S::Abandoned, 0) };
        for (heard, expected) in [(6000, Some(15)), (6001, None)] {
            assert_eq!(verdict(&update(S::Active, heard), &over, Role::Primary).err(), expected);
        }
        assert!(verdict(&update(S::Free, 1), &over, Role::Primary).is_ok());
    }

    /// F07-7.1.3-06, -07.
    #[test]
    fn a_time_that_is_missing_is_never_later_and_always_earlier() {
        let mut silent = update(S::Released, 9999);
        silent.client_last_transaction_time = None;
        let mut unheard = ours(S::Active, NOW + 5);
        assert_eq!(verdict(&silent, &unheard, Role::Primary).err(), Some(15));
        unheard.client_last_transaction_time = None;
        assert_eq!(verdict(&silent, &unheard, Role::Primary).err(), Some(15));
        assert!(verdict(&update(S::Released, 1), &unheard, Role::Primary).is_ok());
    }

    /// F07-7.1.3-08, F07-7.1.5-03.
    #[test]
    fn between_two_active_clients_the_secondary_gives_way() {
        let other = Binding { same_client: false, ..ours(S::Active, NOW + 50) };
        let theirs = update(S::Active, 1);
        assert_eq!(verdict(&theirs, &other, Role::Primary).err(), Some(2));
        let mut other = other;
        other.times.acked_potential_expiration = at(NOW + 5000);
        let apply = verdict(&theirs, &other, Role::Secondary).unwrap();
        assert!(apply.displaced);
        assert_eq!(apply.client, Client::OfUpdate);
        assert_eq!(apply.times.lease_expiration, at(NOW + 5000), "busy for both");
        assert_eq!(
            apply.times.acked_potential_expiration,
            Time::ZERO,
            "the loser's times are not the winner's"
        );
        assert_eq!(apply.times.received_potential_expiration, at(NOW + 900));
        assert_eq!(apply.client_last_transaction_time, Some(at(1)));
    }

    #[test]
    fn a_lease_that_is_over_displaces_nobody() {
        let other = Binding { same_client: false, ..ours(S::Active, NOW + 50) };
        let mut theirs = update(S::Active, 9999);
        theirs.lease_expiration = Some(at(NOW));
        for role in [Role::Primary, Role::Secondary] {
            assert_eq!(verdict(&theirs, &other, role).err(), Some(15));
        }
        let over = Binding { same_client: false, ..ours(S::Active, NOW - 12) };
        let apply = verdict(&update(S::Active, 9999), &over, Role::Primary).unwrap();
        assert!(!apply.displaced, "ours was over: the primary accepts");
        assert_eq!(
            apply.times,
            Times {
                lease_expiration: at(NOW + 500),
                received_potential_expiration: at(NOW + 900),
                ..Times::NONE
            }
        );
    }

    #[test]
    fn a_primary_refuses_what_crosses_its_own_update() {
        for received in S::ALL {
            for status in S::ALL {
                let crossing = Binding { outstanding: true, ..ours(status, NOW - 5) };
                assert_eq!(verdict(&update(received, 9999), &crossing, Role::Primary).err(), Some(16));
                let secondary = verdict(&update(received, 9999), &crossing, Role::Secondary);
                let judged = verdict(&update(received, 9999), &ours(status, NOW - 5), Role::Secondary);
                assert_eq!(secondary, judged, "the secondary judges by the figure");
            }
        }
    }

    /// D12-7.1.3-01, -02.
    #[test]
    fn what_is_missing_or_not_ours_is_rejected() {
        let judged = |update: &Update| verdict(update, &ours(S::Free, 0), Role::Secondary).err();
        assert_eq!(
            judge(&update(S::Active, 1), None, Role::Primary, at(NOW)),
            Verdict::Reject(RejectReason::ILLEGAL_IP_ADDRESS)
        );
        let nobody = |status| Update { has_client: false, ..update(status, 9999) };
        for (status, expected) in [
            (S::Active, Some(3)),
            (S::Expired, Some(3)),
            (S::Released, Some(3)),
            (S::Free, None),
            (S::Backup, None),
            (S::Reset, None),
            (S::Abandoned, None),
        ] {
            assert_eq!(judged(&nobody(status)), expected, "{status}");
        }
        assert_eq!(judged(&Update { lease_expiration: None, ..update(S::Active, 1) }), Some(3));
        assert_eq!(judged(&Update { potential_expiration: None, ..update(S::Active, 1) }), Some(3));
        assert_eq!(judged(&Update { client_last_transaction_time: None, ..update(S::Active, 1) }), None);
        let reserved = Update { reserved: true, ..update(S::Backup, 1) };
        assert_eq!(judged(&reserved), Some(19));
        let ours_too = Binding { reserved: true, ..ours(S::Free, 0) };
        assert!(verdict(&reserved, &ours_too, Role::Secondary).is_ok());
        assert!(judged(&Update { reserved: true, ..update(S::Free, 1) }).is_none(), "FREE and R: Q36");
    }

    /// F07-5.10-17.
    #[test]
    fn an_accepted_end_becomes_free_and_the_times_end_with_it() {
        for received in [S::Expired, S::Released, S::Reset, S::Free, S::Backup] {
            let mut held = ours(S::Active, NOW - 5);
            held.times.received_potential_expiration = at(NOW + 7000);
            let apply = verdict(&update(received, 9999), &held, Role::Secondary).unwrap();
            assert_eq!(apply.status, if received == S::Backup { S::Backup } else { S::Free });
            assert_eq!(apply.times, Times::NONE);
            assert_eq!(apply.wait_until, at(NOW + 7000));
            assert_eq!(apply.client_last_transaction_time, Some(at(9999)));
            assert_eq!(apply.start_time_of_state, at(4000));
        }
        let declined = Update { start_time_of_state: Some(at(5001)), ..update(S::Abandoned, 9999) };
        let apply = verdict(&declined, &ours(S::Active, NOW + 5), Role::Primary).unwrap();
        assert_eq!(
            (apply.status, apply.client, apply.client_last_transaction_time),
            (S::Abandoned, Client::Nobody, None)
        );
        // Until when somebody may use it, by our own promise, or by what the partner knows of one.
        assert_eq!(apply.times.lease_expiration, at(NOW + 500));
        let held = Update { lease_expiration: None, ..declined };
        let apply = verdict(&held, &ours(S::Active, NOW + 5), Role::Primary).unwrap();
        assert_eq!(apply.times.lease_expiration, at(NOW + 5).plus(Interval::from_seconds(1000).slack()));
        let apply = verdict(&held, &ours(S::Abandoned, NOW + 90), Role::Primary).unwrap();
        assert_eq!(apply.times.lease_expiration, at(NOW + 90));
        let apply = verdict(&held, &ours(S::Expired, NOW - 5), Role::Primary).unwrap();
        assert_eq!(apply.times, Times::NONE);
    }

    /// F07-7.1.5-02.
    #[test]
    fn for_the_same_client_nothing_moves_back() {
        let mut held = ours(S::Active, NOW + 50_000);
        held.times.acked_potential_expiration = at(NOW + 60_000);
        held.times.received_potential_expiration = at(NOW + 70_000);
        let apply = verdict(&update(S::Active, 1), &held, Role::Primary).unwrap();
        assert_eq!(apply.times, held.times);
        assert_eq!(
            apply.client_last_transaction_time,
            Some(at(5000)),
            "an older one never replaces a newer one"
        );
        assert_eq!(apply.start_time_of_state, at(6000));
        let mut short = update(S::Active, 1);
        short.potential_expiration = Some(Time::ZERO);
        let fresh = Binding { same_client: false, client_last_transaction_time: None, ..ours(S::Free, 0) };
        let apply = verdict(&short, &fresh, Role::Primary).unwrap();
        assert_eq!(apply.times.received_potential_expiration, at(NOW + 500), "as late as the lease: Q10");
    }

    /// Applying the same update twice is applying it once (S11).
    #[test]
    fn a_duplicate_changes_nothing() {
        for received in S::ALL {
            for status in S::ALL {
                for role in [Role::Primary, Role::Secondary] {
                    let Ok(first) = verdict(&update(received, 9999), &ours(status, NOW - 12), role) else {
                        continue;
                    };
                    let after = Binding {
                        status: first.status,
                        times: first.times,
                        start_time_of_state: first.start_time_of_state,
                        client_last_transaction_time: first.client_last_transaction_time,
                        same_client: first.client == Client::OfUpdate,
                        ..ours(status, NOW)
                    };
                    let Ok(second) = verdict(&update(received, 9999), &after, role) else {
                        panic!("{received} twice over {status}")
                    };
                    assert_eq!(
                        Apply { wait_until: first.wait_until, ..second },
                        first,
                        "{received} over {status}"
                    );
                }
            }
        }
    }

    /// F07-7.8.2-10.
    #[test]
    fn times_are_corrected_and_none_is_none() {
        let mut wire = BindingUpdate::new(std::net::Ipv4Addr::LOCALHOST, S::Active);
        wire.client_identifier = Some(vec![1]);
        wire.lease_expiration = Some(crate::time::WireTime(1000));
        wire.client_last_transaction_time = Some(crate::time::WireTime(0));
        let update = Update::received(&wire, ClockDelta(-30), Dialect::Draft12);
        assert_eq!(update.lease_expiration, Some(Time::from_seconds(970)));
        assert_eq!(update.client_last_transaction_time, None);
        assert!(update.has_client);
    }
}
