//! When which partner needs attention.
//!
//! *Lives here:* [`Agenda`]: the deadline of each endpoint as it was last found, and whose may be another by now.
//! *Must not know:* what a deadline is for, where it comes from.
//!
//! A server may have hundreds of partners, and each packet asks what is due: only what was touched since is looked at anew.

use crate::config::RelationshipId;
use failover::time::Time;

#[derive(Debug, Clone)]
pub(crate) struct Agenda {
    /// A tree: in the second half by relationship, [`Time::NEVER`] where there is none or it was touched; before, each the earlier
    /// of the two at twice its place, so that the earliest of all is at 1.
    deadlines: Vec<Time>,
    is_touched: Vec<bool>,
    touched: Vec<RelationshipId>,
}

impl Agenda {
    /// For so many relationships, of which nothing is known yet.
    pub(crate) fn new(relationships: usize) -> Agenda {
        let mut agenda = Agenda {
            deadlines: vec![Time::NEVER; 2 * relationships.next_power_of_two()],
            is_touched: vec![false; relationships],
            touched: Vec::with_capacity(relationships),
        };
        agenda.touch_all();
        agenda
    }

    /// Something of this endpoint changes, or of a connection to it.
    pub(crate) fn touch(&mut self, relationship: RelationshipId) {
        if !std::mem::replace(&mut self.is_touched[relationship.0 as usize], true) {
            self.touched.push(relationship);
            self.set(relationship, Time::NEVER);
        }
    }

    /// Something of all changes.
    pub(crate) fn touch_all(&mut self) {
        for number in 0..u32::try_from(self.is_touched.len()).unwrap_or(u32::MAX) {
            self.touch(RelationshipId(number));
        }
    }

    /// One of those that were touched, which is not touched any more: [`Agenda::note`] its deadline.
    pub(super) fn take_touched(&mut self) -> Option<RelationshipId> {
        let relationship = self.touched.pop()?;
        self.is_touched[relationship.0 as usize] = false;
        Some(relationship)
    }

    /// Those that were touched.
    pub(super) fn touched(&self) -> &[RelationshipId] {
        &self.touched
    }

    pub(super) fn is_touched(&self, relationship: RelationshipId) -> bool {
        self.is_touched[relationship.0 as usize]
    }

    pub(super) fn note(&mut self, relationship: RelationshipId, deadline: Option<Time>) {
        self.set(relationship, deadline.unwrap_or(Time::NEVER));
    }

    /// What was noted; [`Time::NEVER`] for none, and for one that was touched.
    pub(super) fn of(&self, relationship: RelationshipId) -> Time {
        self.deadlines[self.place(relationship)]
    }

    /// The earliest deadline of those that were not touched.
    pub(super) fn next(&self) -> Option<Time> {
        Some(self.deadlines[1]).filter(|at| *at != Time::NEVER)
    }

    fn place(&self, relationship: RelationshipId) -> usize {
        self.deadlines.len() / 2 + relationship.0 as usize
    }

    fn set(&mut self, relationship: RelationshipId, deadline: Time) {
        let mut place = self.place(relationship);
        self.deadlines[place] = deadline;
        while place > 1 {
            place /= 2;
            let earlier = self.deadlines[2 * place].min(self.deadlines[2 * place + 1]);
            if std::mem::replace(&mut self.deadlines[place], earlier) == earlier {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_earliest_of_all_is_known(count in 0..9_u32, steps in prop::collection::vec((any::<u32>(), any::<bool>(), 1..20_u64), 0..60)) {
            let mut agenda = Agenda::new(count as usize);
            while agenda.take_touched().is_some() {}
            let mut deadlines = vec![Time::NEVER; count as usize];
            for (relationship, touches, seconds) in steps {
                let Some(relationship) = relationship.checked_rem(count) else { continue };
                let at = if touches { Time::NEVER } else { Time::from_seconds(seconds) };
                if touches {
                    agenda.touch(RelationshipId(relationship));
                } else {
                    agenda.note(RelationshipId(relationship), Some(at));
                }
                while agenda.take_touched().is_some() {}
                deadlines[relationship as usize] = at;
                prop_assert_eq!(agenda.of(RelationshipId(relationship)), at);
                prop_assert_eq!(agenda.next(), deadlines.iter().min().copied().filter(|at| *at != Time::NEVER));
            }
            prop_assert_eq!(Agenda::new(count as usize).next(), None);
        }
    }

    #[test]
    fn only_what_was_touched_is_looked_at_anew() {
        let mut agenda = Agenda::new(3);
        assert_eq!(agenda.touched().len(), 3, "nothing is known at first");
        for seconds in [30, 10, 20] {
            let relationship = agenda.take_touched().unwrap();
            agenda.note(relationship, Some(Time::from_seconds(seconds)));
        }
        assert_eq!((agenda.take_touched(), agenda.next()), (None, Some(Time::from_seconds(10))));
        agenda.touch(RelationshipId(1));
        agenda.touch(RelationshipId(1));
        assert_eq!(agenda.touched(), [RelationshipId(1)]);
        assert_eq!(agenda.next(), Some(Time::from_seconds(20)), "what was noted may be wrong by now");
        assert_eq!(agenda.take_touched(), Some(RelationshipId(1)));
        agenda.note(RelationshipId(1), None);
        assert_eq!(
            (agenda.of(RelationshipId(1)), agenda.next()),
            (Time::NEVER, Some(Time::from_seconds(20)))
        );
    }
}
