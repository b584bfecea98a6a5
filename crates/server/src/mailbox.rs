//! A queue from one thread to another, whose reader sleeps as soon as there is nothing in it.
//!
//! *Lives here:* [`mailbox`], its [`Sender`] and [`Receiver`].
//! *Must not know:* what goes through it.
//!
//! Channels of libraries look again a few times before they sleep, and give the processor away meanwhile (`sched_yield`). Between owner and
//! journal that is the wrong thing: a thread that gave the processor away is not woken when something comes, but waits until the other
//! has used up its time, which is 4 ms on many kernels. A thread that sleeps is woken, and goes first.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Puts things in.
#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Shared<T>>);

/// Takes them out, in order.
#[derive(Debug)]
pub(crate) struct Receiver<T>(Arc<Shared<T>>);

/// The other side is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<T>,
    /// The reader sleeps: only then it has to be woken, which is a system call.
    sleeps: bool,
    is_gone: bool,
}

/// A queue with room for so many; more than that would be asked of the allocator.
pub(crate) fn mailbox<T>(room: usize) -> (Sender<T>, Receiver<T>) {
    let state = State { queue: VecDeque::with_capacity(room), sleeps: false, is_gone: false };
    let shared = Arc::new(Shared { state: Mutex::new(state), filled: Condvar::new() });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Shared<T> {
    /// Nobody panics while they hold it; and if one did, the queue would still be one.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self) {
        self.lock().is_gone = true;
        self.filled.notify_one();
    }
}

impl<T> Sender<T> {
    /// Puts one in; never waits.
    ///
    /// # Errors
    /// When nobody will take it out.
    pub(crate) fn send(&self, value: T) -> Result<(), Gone> {
        let mut state = self.0.lock();
        if state.is_gone {
            return Err(Gone);
        }
        state.queue.push_back(value);
        if std::mem::take(&mut state.sleeps) {
            drop(state);
            self.0.filled.notify_one();
        }
        Ok(())
    }
}

impl<T> Receiver<T> {
    /// The next one, if it is there.
    pub(crate) fn try_recv(&self) -> Option<T> {
        self.0.lock().queue.pop_front()
    }

    /// Whether nothing is in it now.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().queue.is_empty()
    }

    /// The next one, which is waited for.
    ///
    /// # Errors
    /// When it is empty and the sender is no more.
    pub(crate) fn recv(&self) -> Result<T, Gone> {
        self.wait(None).and_then(|value| value.ok_or(Gone))
    }

    /// The same, for so long at most: `None` when nothing came.
    ///
    /// # Errors
    /// When it is empty and the sender is no more.
    pub(crate) fn recv_within(&self, patience: Duration) -> Result<Option<T>, Gone> {
        self.wait(Some(Instant::now() + patience))
    }

    fn wait(&self, until: Option<Instant>) -> Result<Option<T>, Gone> {
        let mut state = self.0.lock();
        loop {
            if let Some(value) = state.queue.pop_front() {
                return Ok(Some(value));
            }
            if state.is_gone {
                return Err(Gone);
            }
            let patience = until.map(|until| until.saturating_duration_since(Instant::now()));
            if patience.is_some_and(|patience| patience.is_zero()) {
                return Ok(None);
            }
            state.sleeps = true;
            state = match patience {
                None => self.0.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    self.0.filled.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.sleeps = false;
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order_and_a_sleeper_is_woken() {
        let (sender, receiver) = mailbox(2);
        assert_eq!(receiver.try_recv(), None);
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            while let Ok(value) = receiver.recv() {
                all.push(value);
            }
            all
        });
        for value in 0..1000 {
            if value % 100 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
            sender.send(value).unwrap();
        }
        drop(sender);
        assert_eq!(reader.join().unwrap(), (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn one_who_has_left_is_noticed_by_the_other() {
        let (sender, receiver) = mailbox(1);
        sender.send(1).unwrap();
        drop(sender);
        assert!(!receiver.is_empty());
        assert_eq!(receiver.recv_within(Duration::from_mins(1)), Ok(Some(1)));
        assert_eq!(receiver.recv_within(Duration::from_mins(1)), Err(Gone));
        assert_eq!(receiver.recv(), Err(Gone));
        let (sender, receiver) = mailbox(1);
        drop(receiver);
        assert_eq!(sender.send(1), Err(Gone));
    }

    #[test]
    fn patience_ends() {
        let (_sender, receiver) = mailbox::<u8>(1);
        assert_eq!(receiver.recv_within(Duration::from_millis(5)), Ok(None));
    }
}
