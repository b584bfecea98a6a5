//! The thread that writes the log.
//!
//! *Lives here:* [`Lines`]: a bounded queue of lines before standard error; what does not fit is counted.
//! *Must not know:* what a line says.

use crate::counter::{ShellCounter, ShellCounters};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait at most.
const LINES: usize = 4096;

/// How long the end of the process waits for the log.
const PATIENCE: Duration = Duration::from_secs(1);

static QUEUE: OnceLock<Sender<Line>> = OnceLock::new();

enum Line {
    Text(Vec<u8>),
    /// All lines before this one are written.
    Written(Sender<()>),
}

/// Puts lines into the queue.
pub(super) struct Lines {
    queue: Sender<Line>,
    counters: Arc<ShellCounters>,
}

impl Lines {
    /// Starts the thread; `None` when it runs already.
    pub(super) fn start(counters: Arc<ShellCounters>) -> Option<Lines> {
        let (queue, lines) = bounded(LINES);
        QUEUE.set(queue.clone()).ok()?;
        thread::Builder::new().name("log".to_owned()).spawn(move || write(&lines)).ok()?;
        Some(Lines { queue, counters })
    }
}

/// Waits, for a moment, until all that is in the queue is written.
pub(super) fn flush() {
    let (written, done) = bounded(1);
    if let Some(queue) = QUEUE.get()
        && queue.send_timeout(Line::Written(written), PATIENCE).is_ok()
    {
        let _ = done.recv_timeout(PATIENCE);
    }
}

fn write(lines: &Receiver<Line>) {
    for line in lines {
        match line {
            // Nobody can be told that standard error is gone.
            Line::Text(text) => drop(io::stderr().write_all(&text)),
            Line::Written(written) => drop(written.try_send(())),
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Lines;

    fn make_writer(&'a self) -> &'a Lines {
        self
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Line::Text(line.to_vec())).is_err() {
            self.counters.count(ShellCounter::EventsNotLogged);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
