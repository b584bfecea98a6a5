//! Bugs that can be put in on purpose.
//!
//! *Lives here:* [`Planted`]: for the self-test of the simulator, whose checkers must find each of them.
//! *Must not be used* by the server: nothing there sets any of them.

/// Which bugs are in. The default is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planted {
    /// A DHCPACK does not wait for its record (S3).
    pub ack_before_stable: bool,
    /// An address that another client holds is offered to who asks for it (S1, S3).
    pub offer_leased: bool,
    /// A lease is taken back when half of it is over (S1).
    pub expire_early: bool,
    /// The recorded end moves earlier when a client is told less (trap T19, S1).
    pub forget_recorded_end: bool,
    /// A release is not recorded (S16).
    pub release_not_recorded: bool,
    /// Leases are not bounded by MCLT beyond what the partner knows (S2).
    pub drop_mclt: bool,
    /// The times of an address outlive their client (trap T14, S2).
    pub times_outlive_client: bool,
    /// `alive` is now whatever happened (trap T15, S2).
    pub always_alive: bool,
    /// A BNDACK does not wait for its records (S4).
    pub bndack_before_stable: bool,
    /// RECOVER-WAIT ends at once (S12).
    pub skip_recover_wait: bool,
    /// The primary allocates BACKUP, the secondary FREE (S7).
    pub swap_pools: bool,
    /// NORMAL does not wait for what must be agreed (trap T17).
    pub ignore_unagreed: bool,
    /// PARTNER-DOWN waits for MCLT after entry only (trap T18, S6).
    pub short_wait: bool,
    /// Updates that cross are judged as if they did not (trap T22).
    pub updates_cross: bool,
    /// A lease that is over displaces one that is not (trap T23).
    pub stale_active_wins: bool,
    /// UPDDONE does not wait for acknowledgements (S14).
    pub updone_early: bool,
    /// What was under way when a connection broke counts as acknowledged (trap T9, L2).
    pub seen_over_reconnection: bool,
    /// EXPIRED becomes FREE without a BNDACK (S6).
    pub expired_freed_alone: bool,
    /// A BNDACK frees whatever the record now is.
    pub ack_frees_whatever: bool,
    /// The primary goes on using what it gave to the secondary (S7).
    pub keeps_what_it_gave: bool,
    /// STATE is said before it is stable (S10).
    pub state_before_stable: bool,
    /// No raise for a partner that lost its store (trap T16).
    pub no_raise: bool,
    /// The same client gets its address back although the partner was told that it is gone (trap T5).
    pub same_client_after_told: bool,
    /// Who claims an address is believed although a lease of it was given back (trap T20, S1).
    pub believes_after_release: bool,
    /// A reserved address is anybody's (S17).
    pub ignore_reservations: bool,
    /// A declined address is FREE again at once (S17).
    pub forget_probation: bool,
    /// Nobody who renews or rebinds is answered (L4).
    pub ignore_renewals: bool,
    /// A lease that is over is forgotten, not freed (L5).
    pub lose_expired: bool,
}
