//! The vocabulary of a binding that both servers share.
//!
//! *Lives here:* [`BindingStatus`].
//! *May know:* what F07 5.10 and 12.3 say of it.
//! *Must not know:* how a server stores or finds bindings.

use std::fmt;

/// Status of a binding, with the number that it has on the wire (F07 5.10, 12.3; table 1.4 of the catalogue).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum BindingStatus {
    /// Unused; the primary may allocate it (F07 5.10).
    Free = 1,
    /// Leased to a client.
    Active = 2,
    /// The lease ran out, and the partner has not acknowledged it.
    Expired = 3,
    /// The client released it, and the partner has not acknowledged it.
    Released = 4,
    /// Unusable: declined, or it answered a ping.
    Abandoned = 5,
    /// Freed by an operator, and the partner has not acknowledged it.
    Reset = 6,
    /// Unused and set aside for the secondary.
    Backup = 7,
}

impl BindingStatus {
    /// All of them, in the order of their numbers.
    pub const ALL: [BindingStatus; 7] = [
        BindingStatus::Free,
        BindingStatus::Active,
        BindingStatus::Expired,
        BindingStatus::Released,
        BindingStatus::Abandoned,
        BindingStatus::Reset,
        BindingStatus::Backup,
    ];

    /// The number on the wire and on disk.
    pub const fn number(self) -> u8 {
        match self {
            BindingStatus::Free => 1,
            BindingStatus::Active => 2,
            BindingStatus::Expired => 3,
            BindingStatus::Released => 4,
            BindingStatus::Abandoned => 5,
            BindingStatus::Reset => 6,
            BindingStatus::Backup => 7,
        }
    }

    /// The status with this number; `None` for a number that names none (8, BACKUP-RESERVED, is draft-07's alone
    /// and belongs to the dialect).
    /// F07-12.3-01.
    pub fn from_number(number: u8) -> Option<BindingStatus> {
        Self::ALL.into_iter().find(|status| status.number() == number)
    }

    /// FREE or BACKUP: nobody has the address, and one of the two may give it.
    pub const fn is_available(self) -> bool {
        matches!(self, BindingStatus::Free | BindingStatus::Backup)
    }

    /// As the drafts spell it.
    pub const fn name(self) -> &'static str {
        match self {
            BindingStatus::Free => "FREE",
            BindingStatus::Active => "ACTIVE",
            BindingStatus::Expired => "EXPIRED",
            BindingStatus::Released => "RELEASED",
            BindingStatus::Abandoned => "ABANDONED",
            BindingStatus::Reset => "RESET",
            BindingStatus::Backup => "BACKUP",
        }
    }
}

impl fmt::Display for BindingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F07-12.3-01.
    #[test]
    fn numbers_round_trip_and_nothing_else_does() {
        for number in 0..=255 {
            match BindingStatus::from_number(number) {
                Some(status) => assert_eq!(status.number(), number),
                None => assert!(!(1..=7).contains(&number)),
            }
        }
    }
}
