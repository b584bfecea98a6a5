//! The way to the owner for other threads.
//!
//! *Lives here:* [`OwnerHandle`]: a question goes into a bounded queue, and the owner is woken.
//! *Must not know:* what a question means.

use crate::control::Question;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::sync::Arc;
use thiserror::Error;

/// Questions that wait for the owner at most.
const QUESTIONS: usize = 64;

/// Asks the owner. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OwnerHandle {
    questions: Sender<Question>,
    wake: Arc<EventFd>,
}

/// Why a question was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AskError {
    /// Too many questions wait already.
    #[error("the server has too many questions waiting: ask again later")]
    Busy,
    /// The owner has ended.
    #[error("the server is stopping")]
    Stopping,
}

impl OwnerHandle {
    /// A handle, and the owner's end of the queue.
    ///
    /// # Errors
    /// When the kernel has no file descriptor left.
    pub fn new() -> nix::Result<(OwnerHandle, Receiver<Question>)> {
        let (questions, receiver) = bounded(QUESTIONS);
        let wake = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok((OwnerHandle { questions, wake: Arc::new(wake) }, receiver))
    }

    /// Asks, without waiting: the answer comes on the channel in the question.
    ///
    /// # Errors
    /// See [`AskError`].
    pub fn ask(&self, question: Question) -> Result<(), AskError> {
        self.questions.try_send(question).map_err(|error| match error {
            TrySendError::Full(_) => AskError::Busy,
            TrySendError::Disconnected(_) => AskError::Stopping,
        })?;
        self.wake();
        Ok(())
    }

    /// Lets the owner look around.
    pub(crate) fn wake(&self) {
        // It fails only when the counter is full: then the owner is woken already.
        let _ = self.wake.write(1);
    }

    /// What the owner waits on.
    pub(crate) fn wake_fd(&self) -> &Arc<EventFd> {
        &self.wake
    }
}
