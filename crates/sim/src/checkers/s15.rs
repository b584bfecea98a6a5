//! S15: every queue, table and buffer within its stated bound, for any input.
//!
//! *Lives here:* [`S15`], [`Queues`].

/// Replies that may wait in one batch: `engine::outbox::REPLIES_PER_BATCH` as it is documented.
const REPLIES: usize = 1024;

/// Events that one batch may keep: `engine::outbox::EVENTS_PER_BATCH` as it is documented.
const EVENTS: usize = 256;

/// Records that one call may make: 1,000 units of work that is due, and the input's own.
const RECORDS_PER_CALL: u64 = 1002;

/// How full everything is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Queues {
    pub(crate) replies: usize,
    pub(crate) events: usize,
    /// Most records that one call of this turn made.
    pub(crate) records_in_a_call: u64,
    /// Batches that wait for the disk, and the bound.
    pub(crate) batches: (usize, usize),
    /// Offers that the engine says are outstanding, and addresses.
    pub(crate) offers: (u64, u64),
    /// Files of the store, and the bound.
    pub(crate) files: (usize, usize),
}

#[derive(Debug, Clone)]
pub(crate) struct S15;

impl S15 {
    #[expect(clippy::unused_self, reason = "a checker like the others; it needs no memory")]
    pub(super) fn look(&self, queues: &Queues) -> Result<(), String> {
        let bound = |what: &str, is: usize, most: usize| {
            if is > most { Err(format!("{is} {what}, at most {most} are allowed")) } else { Ok(()) }
        };
        let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        bound("replies in a batch", queues.replies, REPLIES)?;
        bound("events in a batch", queues.events, EVENTS)?;
        bound("records in one call", number(queues.records_in_a_call), number(RECORDS_PER_CALL))?;
        bound("batches that wait for the disk", queues.batches.0, queues.batches.1)?;
        bound("offers", number(queues.offers.0), number(queues.offers.1))?;
        bound("files of the store", queues.files.0, queues.files.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_one() {
        let fits = Queues {
            replies: REPLIES,
            events: EVENTS,
            records_in_a_call: RECORDS_PER_CALL,
            batches: (4, 4),
            offers: (7, 7),
            files: (9, 9),
        };
        assert_eq!(S15.look(&fits), Ok(()));
        let beyond = [
            Queues { replies: REPLIES + 1, ..fits },
            Queues { events: EVENTS + 1, ..fits },
            Queues { records_in_a_call: RECORDS_PER_CALL + 1, ..fits },
            Queues { batches: (5, 4), ..fits },
            Queues { offers: (8, 7), ..fits },
            Queues { files: (10, 9), ..fits },
        ];
        assert!(beyond.iter().all(|queues| S15.look(queues).is_err()));
    }
}
