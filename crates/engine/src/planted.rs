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
}
