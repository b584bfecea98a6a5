//! Bugs that can be put in on purpose.
//!
//! *Lives here:* [`Planted`]: for the self-test of the simulator, whose checkers must find each of them.
//! *Must not be used* by the server: nothing there sets any of them.

/// Which bugs are in. The default is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planted {
    /// The DHCPACK of a client that restarts does not wait for its record: it seems to confirm only what is known (S3).
    pub ack_before_stable: bool,
    /// An address whose client should have had it rebound and has not is offered to who asks for it (S1, S3).
    pub offer_leased: bool,
    /// Time that a machine lost and found is not added to the leases that ran meanwhile (S3).
    pub forget_lost_time: bool,
    /// The recorded end moves earlier when a client is told less (trap T19, S1).
    pub forget_recorded_end: bool,
    /// A release is not recorded (S16).
    pub release_not_recorded: bool,
    /// The times of an address outlive a client that gave it back (trap T14, S2).
    pub times_outlive_client: bool,
    /// `alive` is now whatever happened (trap T15, S2).
    pub always_alive: bool,
    /// In RECOVER a BNDACK does not wait for its records (S4).
    pub bndack_before_stable: bool,
    /// RECOVER-WAIT ends at once (S12).
    pub skip_recover_wait: bool,
    /// NORMAL does not wait for what must be agreed (trap T17).
    pub ignore_unagreed: bool,
    /// PARTNER-DOWN waits for MCLT after entry only (trap T18, S6).
    pub short_wait: bool,
    /// Updates that cross are judged as if they did not (trap T22).
    pub updates_cross: bool,
    /// An update that crosses is refused by the primary, also where a dhcpd keeps it (trap T22).
    pub refuses_the_better: bool,
    /// A dhcpd is told of ends before it was asked for what it has.
    pub tells_at_once: bool,
    /// A lease that is over displaces one that is not (trap T23).
    pub stale_active_wins: bool,
    /// What was under way when a connection broke counts as acknowledged (trap T9, L2).
    pub seen_over_reconnection: bool,
    /// EXPIRED becomes FREE without a BNDACK where the partner never knew of the lease, as far as we know (S6).
    pub expired_freed_alone: bool,
    /// A BNDACK frees whatever the record now is.
    pub ack_frees_whatever: bool,
    /// The primary goes on using what it gave to the secondary (S7).
    pub keeps_what_it_gave: bool,
    /// RECOVER-DONE is said before it is stable (S10).
    pub state_before_stable: bool,
    /// No raise for a partner that lost its store (trap T16).
    pub no_raise: bool,
    /// A store that is an older copy than the partner knows is taken for sound (S12).
    pub believe_old_copy: bool,
    /// The same client gets its address back although the partner was told that it is gone (trap T5).
    pub same_client_after_told: bool,
    /// A client is believed about a lease that the partner may know, also while it can be asked (trap T20, S7).
    pub take_over_in_contact: bool,
    /// A client with a lease that the dead partner gave is refused (trap T20, L4).
    pub refuse_unknown: bool,
    /// A secondary in POTENTIAL-CONFLICT takes the primary's NORMAL for CONFLICT-DONE, and in NORMAL a late CONFLICT-DONE for another
    /// conflict (trap T24, L1).
    pub chase_normal: bool,
    /// A state that changes before the partner's first STATE came is not told (trap T24, L1).
    pub state_only_in_contact: bool,
    /// A refusal of an update that crosses counts for UPDDONE (trap T22, model M2).
    pub crossing_counts: bool,
    /// `alive` is now from the first contact on (trap T15, model M3).
    pub alive_at_contact: bool,
    /// `alive` is now in a PARTNER-DOWN that was stored by an earlier process (trap T15, model M4).
    pub trust_stored_partner_down: bool,
    /// NORMAL does not wait for what the wait of PARTNER-DOWN has freed (trap T17, model M6).
    pub freed_alone_is_agreed: bool,
    /// NORMAL does not wait for what was granted on a client's word (trap T17, model M7).
    pub taken_over_is_agreed: bool,
    /// The raise leaves EXPIRED and RELEASED as they are (trap T16, model M8).
    pub raise_leaves_ended: bool,
    /// The raise counts from the four times, however old they are (trap T16, model M9).
    pub raise_without_now: bool,
    /// Two losses that left the same store behind are taken for one (trap T16).
    pub losses_look_alike: bool,
    /// The raise is made at each word of the loss (trap T16, model M10, L5).
    pub raise_again: bool,
    /// A partner that lost its store is waited for on the road of conflict (trap T16, model M11).
    pub conflict_with_who_forgot: bool,
    /// A partner that lost its store raises acked-potential-expiration-time (trap T16, model M11).
    pub who_forgot_vouches: bool,
    /// In PARTNER-DOWN what was leased since entry changes hands as soon as it ends (trap T18, model M12).
    pub leased_since_at_once: bool,
    /// Who claims an address is believed although a lease of it was given back (trap T20, S1).
    pub believes_after_release: bool,
    /// A RELEASED ends a lease of the same second that the partner did not know of (S1).
    pub releases_by_the_second: bool,
    /// A client of BOOTP is answered before the partner knows of it (F07-5.13-01, S2).
    pub bootp_before_told: bool,
    /// In PARTNER-DOWN the partner's addresses are used after the wait also where a pool serves BOOTP (F07-5.13-02, -03, S8).
    pub bootp_takes_partners: bool,
    /// A reserved address is given by either, whoever has it (F07-5.12-05, S7).
    pub reserved_is_own: bool,
    /// A reserved address is anybody's (S17).
    pub ignore_reservations: bool,
    /// A declined address is FREE again at once (S17).
    pub forget_probation: bool,
    /// Nobody who renews or rebinds in the last minute of a lease is answered (L4).
    pub ignore_late_renewals: bool,
    /// Of leases that are found to be over in one turn all but the first are forgotten, not freed (L5).
    pub lose_second_expired: bool,
    /// In PARTNER-DOWN the partner's available addresses are used at once (S8).
    pub partners_pool_at_once: bool,
    /// In PARTNER-DOWN the secondary never uses the primary's available addresses (L7).
    pub never_takes_partners_pool: bool,
    /// In PARTNER-DOWN what has ended waits for ever at the secondary (L7).
    pub waits_for_ever: bool,
    /// Of the acknowledgements in one BNDACK only the first makes a lease longer (L6).
    pub later_acks_raise_nothing: bool,
    /// What the partner told makes no lease longer (L6).
    pub received_raises_nothing: bool,
    /// Where T1 is configured, the partner is told of no more than the client would get now, without the time until it renews
    /// (F07-5.2.1-12, L6).
    pub potential_without_renewal: bool,
    /// An ACTIVE displaces a RELEASED of later (figure 7.1.3-1, time(1), S11).
    pub older_active_wins: bool,
    /// The partner's client-last-transaction-time comes with its RELEASED although ours is later (S11).
    pub older_transaction_time_wins: bool,
    /// A server that cannot write stays in NORMAL (L8).
    pub stays_unfit: bool,
    /// Silence of the partner is taken for health (L8).
    pub patient_with_silence: bool,
    /// Of three addresses in a pool one is asked back at each look at the balance, and given (L3).
    pub pools_never_rest: bool,
    /// The primary gives to the secondary nothing whose last client is its own (L3).
    pub keeps_its_clients_addresses: bool,
    /// The partner's max-unacked-bndupd is no bound (S14).
    pub ignore_window: bool,
    /// A BNDACK answers six transactions of its BNDUPD at most (S14).
    pub answers_six_only: bool,
    /// The own lease-expiration-time bounds a lease of the secondary in COMMUNICATIONS-INTERRUPTED (trap T2, S2).
    pub own_end_bounds: bool,
    /// In NORMAL what was told, and not acknowledged, bounds a lease (S2).
    pub sent_end_bounds: bool,
    /// Clients are answered in POTENTIAL-CONFLICT (S9).
    pub answers_in_conflict: bool,
    /// Clients with a lease are answered in RECOVER and RECOVER-WAIT (S9).
    pub answers_in_recover: bool,
    /// In RECOVER-DONE everybody is answered (S9).
    pub answers_all_in_recover_done: bool,
    /// UPDREQALL leaves out what is BACKUP (trap T16, S14).
    pub everything_but_backup: bool,
    /// PAUSED and SHUTDOWN are their own previous states, but for NORMAL and COMMUNICATIONS-INTERRUPTED (S10).
    pub leaves_from_nowhere: bool,
    /// After a restart nothing is left to be told (L2).
    pub seen_over_restart: bool,
    /// The primary takes BACKUP back without asking where nobody ever had the address (S7).
    pub takes_back_unasked: bool,
    /// One that lost its store may agree that an address is free (trap T16, S6).
    pub who_forgot_consents: bool,
    /// One that lost its store judges the partner's updates by what it has left (trap T16).
    pub who_forgot_judges: bool,
    /// An ABANDONED address becomes FREE without the partner's consent (S6).
    pub abandoned_freed_alone: bool,
    /// The recorded time of operation counts as alive also where the partner was not met (trap T15, S2).
    pub stamp_without_contact: bool,
    /// A server whose own pool is empty gives from the partner's while it is cut off (S7).
    pub borrows_when_empty: bool,
    /// UPDDONE counts addresses, whatever was said of them (model M2).
    pub upddone_counts_addresses: bool,
    /// RELEASED becomes FREE without a BNDACK where the partner never knew of the lease, as far as we know (S6).
    pub released_freed_alone: bool,
    /// The raise adds MCLT twice (L5).
    pub raises_twice_as_far: bool,
    /// The same client gets its address back in RECOVER of the partner, although that was told (trap T16).
    pub raise_forgets_told: bool,
    /// A client that restarts is believed like one that rebinds (F07-3.1.2-03).
    pub believes_reboots: bool,
}
