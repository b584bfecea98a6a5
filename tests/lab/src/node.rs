//! A machine of the lab: a network, a process tree and a file tree of its own.
//!
//! *Lives here:* [`Node`].
//! *May know:* `unshare`, `nsenter`.
//! *Must not know:* what runs on it.
//!
//! What programs write on a node stays there: `/run`, `/var/lib` and `/etc` are its own (the last as a copy); all else is
//! this machine's.

use crate::process::Process;
use crate::wait_for;
use nix::sched::{CloneFlags, setns};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What the first process of a node does: its own folders, no IPv6 (its noise on the wire is not our subject), then it sleeps.
const INIT: &str = r#"set -e
mount -t tmpfs lab "$1/etc"
cp -a /etc/. "$1/etc/"
mount --bind "$1/etc" /etc
mount -t tmpfs lab /run
mount -t tmpfs lab /var/lib
mkdir -p /run/lock /var/lib/dhcp /var/lib/dhcpcd /var/lib/misc
ip link set lo up
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
: > "$1/ready"
exec sleep infinity"#;

/// A machine. It ends, with all that runs on it, when this is dropped.
#[derive(Debug)]
pub struct Node {
    name: String,
    folder: PathBuf,
    /// `unshare`, which takes the first process of the node with it.
    holder: Child,
    /// The first process of the node.
    first: u32,
    logs: AtomicU32,
}

impl Node {
    pub(crate) fn new(name: &str, folder: PathBuf) -> Node {
        fs::create_dir_all(folder.join("etc")).unwrap();
        let log = File::create(folder.join("node.log")).unwrap();
        let mut holder = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork"])
            .args(["--kill-child=KILL", "--mount-proc", "sh", "-c", INIT, "init"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("setpriv and unshare, of Debian's util-linux, as root");
        let id = holder.id();
        let first = wait_for(&format!("node {name}"), Duration::from_secs(20), || {
            if let Some(status) = holder.try_wait().unwrap() {
                let said = fs::read_to_string(folder.join("node.log")).unwrap_or_default();
                panic!("node {name} could not be made ({status}); are we root? {said}");
            }
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
            let first = children.split_whitespace().next()?.parse().ok()?;
            folder.join("ready").exists().then_some(first)
        });
        Node { name: name.to_owned(), folder, holder, first, logs: AtomicU32::new(0) }
    }

    /// Its name in this lab.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A folder of this machine for what belongs to the node: logs, configurations, captures. On a real disk.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process whose namespaces these are, as this machine numbers it.
    pub(crate) fn first(&self) -> u32 {
        self.first
    }

    /// A command that is to run on the node.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.first.to_string(), "-n", "-m", "-p", "--"]).arg(program);
        command
    }

    /// Runs a shell command on the node to its end, which must be a good one; what it printed.
    #[track_caller]
    pub fn run(&self, shell: &str) -> String {
        let output = self.command("sh").args(["-c", shell]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "on {}: {shell}: {}\n{said}{errors}", self.name, output.status);
        said
    }

    /// Starts a program on the node.
    pub fn spawn<A: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, arguments: &[A]) -> Process {
        self.spawn_with(program, arguments, &[])
    }

    /// Starts a program on the node with variables in its environment.
    pub fn spawn_with<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        arguments: &[A],
        environment: &[(&str, String)],
    ) -> Process {
        let base = Path::new(program.as_ref()).file_name().map(|name| name.to_string_lossy().into_owned());
        let base = base.unwrap_or_default();
        let number = self.logs.fetch_add(1, Ordering::Relaxed);
        let mut command = self.command(program);
        command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
        let log = self.folder.join(format!("{number:02}-{base}.log"));
        Process::start(&format!("{base} on {}", self.name), command, &log)
    }

    /// Calls a function in the network of this node, on a thread of its own: sockets that it opens and returns stay there.
    pub fn within<T: Send>(&self, call: impl FnOnce() -> T + Send) -> T {
        let network = File::open(format!("/proc/{}/ns/net", self.first)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                setns(network, CloneFlags::CLONE_NEWNET).unwrap();
                call()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        // The folder can only be removed when the file tree in which it is mounted is gone.
        let first = format!("/proc/{}/ns/net", self.first);
        for _ in 0..200 {
            if fs::read_link(&first).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
