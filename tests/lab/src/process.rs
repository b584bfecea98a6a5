//! A program that runs on a node.
//!
//! *Lives here:* [`Process`]: its output, its signals, its end.
//! *Must not know:* which program it is.

use crate::wait_for;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The state of a process or thread, as one letter.
fn state(folder: &Path) -> String {
    let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
    stat.rsplit(") ").next().unwrap_or_default().chars().take(1).collect()
}

/// A running program; it is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    /// `nsenter`, which waits for the program and ends as it ended.
    outer: Child,
    /// The program itself, as this machine numbers it.
    pid: Pid,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts what enters the namespaces; what it prints goes to the file `log`.
    pub(crate) fn start(name: &str, mut command: Command, log: &Path) -> Process {
        let output = File::options().create(true).append(true).open(log).unwrap();
        let errors = output.try_clone().unwrap();
        let mut outer = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} could not be started: {error}"));
        let id = outer.id();
        let mut ended = None;
        let pid = wait_for(&format!("process of {name}"), Duration::from_secs(10), || {
            ended = outer.try_wait().unwrap();
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
            let first = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
            first.or_else(|| ended.is_some().then_some(0))
        });
        Process { name: name.to_owned(), outer, pid: Pid::from_raw(pid), log: log.to_owned(), ended }
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its number on this machine.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Waits until a text appears in what it prints.
    #[track_caller]
    pub fn wait_for_log(&mut self, text: &str, within: Duration) {
        let start = Instant::now();
        while !self.log().contains(text) {
            if let Some(status) = self.ended() {
                panic!(
                    "{} ended ({status}) before it printed `{text}`:\n{}",
                    self.name,
                    tail(&self.log(), 30)
                );
            }
            assert!(
                start.elapsed() < within,
                "{} did not print `{text}` in {} s:\n{}",
                self.name,
                within.as_secs(),
                tail(&self.log(), 30)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal to the program.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() && self.pid.as_raw() > 0 {
            // It may have ended between the question and this.
            let _ = kill(self.pid, signal);
            // `nsenter` stops with its program, and does not go on with it.
            if let (Signal::SIGCONT, Ok(outer)) = (signal, i32::try_from(self.outer.id())) {
                let _ = kill(Pid::from_raw(outer), signal);
            }
        }
    }

    /// Stops it, and waits until all its threads stand still.
    #[track_caller]
    pub fn stand_still(&mut self) {
        self.signal(Signal::SIGSTOP);
        // `nsenter` stops with its program.
        let (inner, outer) = (self.pid.as_raw(), self.outer.id());
        wait_for("all threads to stand still", Duration::from_secs(10), || {
            let tasks = fs::read_dir(format!("/proc/{inner}/task")).unwrap();
            let mut states = tasks.map(|task| state(&task.unwrap().path()));
            (states.all(|state| state == "T") && state(Path::new(&format!("/proc/{outer}"))) == "T")
                .then_some(())
        });
    }

    /// Lets it go on after [`Process::stand_still`].
    #[track_caller]
    pub fn go_on(&mut self) {
        let outer = self.outer.id();
        self.signal(Signal::SIGCONT);
        // It tells its program to go on, once more, and waits again: before that nobody may be stopped.
        wait_for("nsenter to go on", Duration::from_secs(10), || {
            (state(Path::new(&format!("/proc/{outer}"))) == "S").then_some(())
        });
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.outer.try_wait().unwrap();
        }
        self.ended
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        wait_for(&format!("the end of {}", self.name), within, || self.ended())
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait(Duration::from_secs(10));
    }

    /// Asks it to end, and waits until it has.
    #[track_caller]
    pub fn terminate(&mut self, within: Duration) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait(within)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        if self.ended().is_none() {
            let _ = self.outer.kill();
            let _ = self.outer.wait();
        }
    }
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
