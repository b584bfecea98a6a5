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
    /// By relationship; [`Time::NEVER`] where there is none.
    deadlines: Vec<Time>,
    is_touched: Vec<bool>,
    touched: Vec<RelationshipId>,
}

impl Agenda {
    /// For so many relationships, of which nothing is known yet.
    pub(crate) fn new(relationships: usize) -> Agenda {
        let mut agenda = Agenda {
            deadlines: vec![Time::NEVER; relationships],
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
        }
    }

    /// Something of all changes.
    pub(crate) fn touch_all(&mut self) {
        for number in 0..u32::try_from(self.deadlines.len()).unwrap_or(u32::MAX) {
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

    pub(super) fn note(&mut self, relationship: RelationshipId, deadline: Option<Time>) {
        self.deadlines[relationship.0 as usize] = deadline.unwrap_or(Time::NEVER);
    }

    /// What was noted; [`Time::NEVER`] for none.
    pub(super) fn of(&self, relationship: RelationshipId) -> Time {
        self.deadlines[relationship.0 as usize]
    }

    /// The earliest deadline of those that were not touched.
    pub(super) fn next(&self) -> Option<Time> {
        let deadlines = self.deadlines.iter().zip(&self.is_touched);
        let next = deadlines.map(|(at, is_touched)| if *is_touched { Time::NEVER } else { *at }).min();
        next.filter(|at| *at != Time::NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
