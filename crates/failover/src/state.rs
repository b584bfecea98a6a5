//! The states of a failover endpoint, and its role.
//!
//! *Lives here:* [`FailoverState`], [`Role`].
//! *May know:* the names and numbers that the drafts give them.
//! *Must not know:* transitions; they live in `endpoint`.

use std::fmt;

/// Which of the two servers of a relationship one is (F07 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sends CONNECT, owns FREE addresses, decides on the balance of pools.
    Primary,
    /// Waits for CONNECT, owns BACKUP addresses.
    Secondary,
}

impl Role {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Role {
        match self {
            Role::Primary => Role::Secondary,
            Role::Secondary => Role::Primary,
        }
    }

    /// As the drafts spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Primary => "primary",
            Role::Secondary => "secondary",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// State of a failover endpoint (F07 9; table 1.6 of the catalogue).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailoverState {
    /// Just started, silent, looking for the partner. Never sent: the STARTUP flag is.
    Startup,
    /// Both talk and share the load.
    Normal,
    /// The partner is not heard; it may be alive.
    CommunicationsInterrupted,
    /// The partner is known to be down.
    PartnerDown,
    /// Both may have been active without the guarantees; updates are exchanged, clients are not answered.
    PotentialConflict,
    /// Fetching from the partner what was missed.
    Recover,
    /// Leaving for a short time.
    Paused,
    /// Leaving for long.
    Shutdown,
    /// Recovered, waiting for the partner to be in NORMAL.
    RecoverDone,
    /// The exchange of POTENTIAL-CONFLICT broke off.
    ResolutionInterrupted,
    /// The primary has all updates of the secondary (draft-12).
    ConflictDone,
    /// Everything was fetched; the wait for old promises of our own runs (draft-12; it assigns no number: Q7).
    RecoverWait,
}

impl FailoverState {
    /// All of them.
    pub const ALL: [FailoverState; 12] = [
        FailoverState::Startup,
        FailoverState::Normal,
        FailoverState::CommunicationsInterrupted,
        FailoverState::PartnerDown,
        FailoverState::PotentialConflict,
        FailoverState::Recover,
        FailoverState::Paused,
        FailoverState::Shutdown,
        FailoverState::RecoverDone,
        FailoverState::ResolutionInterrupted,
        FailoverState::ConflictDone,
        FailoverState::RecoverWait,
    ];

    /// POTENTIAL-CONFLICT, RESOLUTION-INTERRUPTED, CONFLICT-DONE: the two are to come together, or did half.
    pub const fn is_conflict(self) -> bool {
        matches!(
            self,
            FailoverState::PotentialConflict
                | FailoverState::ResolutionInterrupted
                | FailoverState::ConflictDone
        )
    }

    /// The number in draft-12 and on disk; 254 for RECOVER-WAIT, as dhcpd has it (Q7).
    pub const fn number(self) -> u8 {
        match self {
            FailoverState::Startup => 1,
            FailoverState::Normal => 2,
            FailoverState::CommunicationsInterrupted => 3,
            FailoverState::PartnerDown => 4,
            FailoverState::PotentialConflict => 5,
            FailoverState::Recover => 6,
            FailoverState::Paused => 7,
            FailoverState::Shutdown => 8,
            FailoverState::RecoverDone => 9,
            FailoverState::ResolutionInterrupted => 10,
            FailoverState::ConflictDone => 11,
            FailoverState::RecoverWait => 254,
        }
    }

    /// The state with this number; `None` for a number that names none.
    pub fn from_number(number: u8) -> Option<FailoverState> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }

    /// As the drafts spell it.
    pub const fn name(self) -> &'static str {
        match self {
            FailoverState::Startup => "STARTUP",
            FailoverState::Normal => "NORMAL",
            FailoverState::CommunicationsInterrupted => "COMMUNICATIONS-INTERRUPTED",
            FailoverState::PartnerDown => "PARTNER-DOWN",
            FailoverState::PotentialConflict => "POTENTIAL-CONFLICT",
            FailoverState::Recover => "RECOVER",
            FailoverState::Paused => "PAUSED",
            FailoverState::Shutdown => "SHUTDOWN",
            FailoverState::RecoverDone => "RECOVER-DONE",
            FailoverState::ResolutionInterrupted => "RESOLUTION-INTERRUPTED",
            FailoverState::ConflictDone => "CONFLICT-DONE",
            FailoverState::RecoverWait => "RECOVER-WAIT",
        }
    }
}

impl fmt::Display for FailoverState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_and_nothing_else_does() {
        for number in 0..=255 {
            match FailoverState::from_number(number) {
                Some(state) => assert_eq!(state.number(), number),
                None => assert!(!(1..=11).contains(&number) && number != 254),
            }
        }
    }

    #[test]
    fn there_are_two_roles() {
        assert_eq!(Role::Primary.other(), Role::Secondary);
        assert_eq!(Role::Secondary.other().to_string(), "primary");
    }
}
