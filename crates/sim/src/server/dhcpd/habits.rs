//! What a dhcpd does otherwise than the drafts want it, one by one, so that each can be left out.
//!
//! *Lives here:* [`Habit`], [`Habits`]; `dhcpd.rs` has the table with the sources.
//! *Must not know:* how a habit is carried out.

/// One habit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Habit {
    /// Takes EXPIRED, FREE, BACKUP or an older RELEASED over a lease that it has extended itself.
    TakesEnds,
    /// In PARTNER-DOWN waits for MCLT after entry only (trap T18).
    WaitsLess,
    /// Times of an address outlive their client (trap T14).
    TimesOutliveClients,
    /// After a start alone serves as if its partner had heard of it until now (trap T15).
    StartsAlone,
    /// Does not know what it forgot with its file of leases (trap T16).
    Forgets,
    /// In NORMAL and COMMUNICATIONS-INTERRUPTED goes to PARTNER-DOWN when its partner is in RECOVER.
    DeclaresDown,
    /// Ends, or is silent for ever, when it is told certain states in certain of its own.
    Panics,
    /// RECOVER-WAIT counts from the beginning of the state before the stop.
    RecoversAtOnce,
    /// A lease ends by its own clock, to the second.
    NoSlack,
    /// A BNDACK waits two seconds for company.
    LateAcks,
    /// Refuses a partner whose clock is more than 60 s away.
    ClockLimit,
    /// Takes ten updates at once, no more.
    SmallWindow,
    /// As secondary in NORMAL leaves the end of a lease to its primary.
    LeavesExpiry,
    /// Sends POOLREQ as primary too, and gives back as secondary.
    AsksBothWays,
    /// Drops the connection on several addresses in one BNDUPD, and on DDNS.
    DropsBatches,
    /// Ends on SIGTERM without a word.
    LeavesSilently,
    /// Answers nobody in RECOVER-DONE, and while its partner is in PARTNER-DOWN or a conflict.
    SilentBeside,
}

impl Habit {
    /// All of them, the most dangerous first.
    pub const ALL: [Habit; 17] = [
        Habit::TakesEnds,
        Habit::WaitsLess,
        Habit::TimesOutliveClients,
        Habit::StartsAlone,
        Habit::Forgets,
        Habit::DeclaresDown,
        Habit::Panics,
        Habit::RecoversAtOnce,
        Habit::NoSlack,
        Habit::LateAcks,
        Habit::ClockLimit,
        Habit::SmallWindow,
        Habit::LeavesExpiry,
        Habit::AsksBothWays,
        Habit::DropsBatches,
        Habit::LeavesSilently,
        Habit::SilentBeside,
    ];

    /// By which it is named in reports and commands.
    pub const fn name(self) -> &'static str {
        match self {
            Habit::TakesEnds => "takes-ends",
            Habit::WaitsLess => "waits-less",
            Habit::TimesOutliveClients => "times-outlive-clients",
            Habit::StartsAlone => "starts-alone",
            Habit::Forgets => "forgets",
            Habit::DeclaresDown => "declares-down",
            Habit::Panics => "panics",
            Habit::RecoversAtOnce => "recovers-at-once",
            Habit::NoSlack => "no-slack",
            Habit::LateAcks => "late-acks",
            Habit::ClockLimit => "clock-limit",
            Habit::SmallWindow => "small-window",
            Habit::LeavesExpiry => "leaves-expiry",
            Habit::AsksBothWays => "asks-both-ways",
            Habit::DropsBatches => "drops-batches",
            Habit::LeavesSilently => "leaves-silently",
            Habit::SilentBeside => "silent-beside",
        }
    }

    /// Why two clients may have one address by it, whatever the partner does; `None` for one that hurts nobody.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Habit::TakesEnds => Some("a dhcpd took the end of a lease that it had extended and not told"),
            Habit::WaitsLess => {
                Some("a dhcpd in PARTNER-DOWN gave away what its partner had given or extended (T18)")
            }
            Habit::TimesOutliveClients => Some("a dhcpd gave a new client the time of the one before (T14)"),
            Habit::StartsAlone => {
                Some("a dhcpd that started alone served beyond what its partner waits for (T15)")
            }
            Habit::Forgets => Some("a dhcpd lost its leases, and freed what clients still held (T16)"),
            Habit::NoSlack => Some("a dhcpd ended a lease to the second by its own clock"),
            _ => None,
        }
    }

    /// The habit with this name.
    pub fn named(name: &str) -> Option<Habit> {
        Habit::ALL.into_iter().find(|habit| habit.name() == name)
    }
}

/// Which habits a dhcpd has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Habits(u32);

impl Default for Habits {
    fn default() -> Habits {
        Habits::ALL
    }
}

impl Habits {
    /// A dhcpd as it is.
    pub const ALL: Habits = Habits((1 << Habit::ALL.len()) - 1);

    /// One that keeps to the drafts.
    pub const NONE: Habits = Habits(0);

    /// Without this one.
    #[must_use]
    pub const fn without(self, habit: Habit) -> Habits {
        Habits(self.0 & !(1 << habit as u32))
    }

    /// Whether it has this one.
    pub const fn has(self, habit: Habit) -> bool {
        self.0 & (1 << habit as u32) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_habit_can_be_left_out() {
        for (number, habit) in Habit::ALL.into_iter().enumerate() {
            assert_eq!(habit as usize, number, "the order is that of the list");
            assert_eq!(Habit::named(habit.name()), Some(habit));
            let rest = Habits::ALL.without(habit);
            assert!(Habits::ALL.has(habit) && !rest.has(habit));
            assert!(Habit::ALL.into_iter().all(|other| other == habit || rest.has(other)));
        }
    }
}
