//! One running program. It is asked to end when the guard is dropped, made to end after a deadline, and reaped; it also
//! ends when the test program itself is killed.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

pub struct Process {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` in a process group of its own, with both outputs appended to the file `log`.
    pub fn start(mut command: Command, log: &Path) -> Process {
        let name = command.get_program().to_string_lossy().into_owned();
        let out = File::options().create(true).append(true).open(log).expect("log file");
        command.stdin(Stdio::null()).stderr(out.try_clone().expect("log file")).stdout(out).process_group(0);
        let child = spawn(command).unwrap_or_else(|e| panic!("cannot start {name}: {e}"));
        Process { name, child, status: None }
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("wait");
        }
        self.status
    }

    pub fn signal(&self, signal: i32) {
        kill(self.pid(), signal);
    }

    /// Waits for the end; `None` when it still runs at the deadline.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while self.ended().is_none() && start.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.status
    }

    /// Polite, then firm: SIGTERM, a deadline, SIGKILL for the whole group, reap. False when force was needed.
    ///
    /// A process that was just forked may forget the signal, so the whole group is reminded.
    pub fn stop(&mut self, limit: Duration) -> bool {
        let start = Instant::now();
        let mut to = self.pid();
        while self.ended().is_none() && start.elapsed() < limit {
            kill(to, libc::SIGTERM);
            self.wait(Duration::from_millis(500));
            to = -self.pid();
        }
        let polite = self.ended().is_some();
        kill(-self.pid(), libc::SIGKILL);
        if !polite {
            self.wait(Duration::from_secs(5)).unwrap_or_else(|| panic!("{} does not end", self.name));
        }
        polite
    }

    /// Ends at once.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            self.signal(libc::SIGKILL);
            self.wait(Duration::from_secs(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop(Duration::from_secs(5));
    }
}

/// Sends a signal; a process (or group, when negative) that is gone is fine.
pub fn kill(pid: i32, signal: i32) {
    // SAFETY: kill takes plain integers and touches no memory of ours.
    unsafe { libc::kill(pid, signal) };
}

/// Whether a process of this id exists (a zombie counts).
pub fn alive(pid: i32) -> bool {
    // SAFETY: as above; signal 0 only checks.
    unsafe { libc::kill(pid, 0) == 0 }
}

pub fn is_root() -> bool {
    // SAFETY: geteuid has no arguments and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

type Spawn = (Command, Sender<std::io::Result<Child>>);

/// The kernel ends a child when the *thread* that made it ends, so one thread that never ends makes them all.
fn spawn(mut command: Command) -> std::io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<Sender<Spawn>>> = OnceLock::new();
    // SAFETY: the closure runs between fork and exec and makes one system call that is async-signal-safe.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = channel::<Spawn>();
        std::thread::spawn(move || requests.iter().for_each(|(mut command, back)| drop(back.send(command.spawn()))));
        Mutex::new(sender)
    });
    let (back, child) = channel();
    spawner.lock().unwrap_or_else(|p| p.into_inner()).send((command, back)).expect("spawner");
    child.recv().expect("spawner")
}

/// Full path of a program in PATH or in the system's sbin directories.
pub fn find(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"])
        .map(|d| Path::new(d).join(name))
        .find(|p| p.is_file())
}

/// The same, for a program a test cannot do without.
pub fn need(name: &str) -> std::path::PathBuf {
    find(name).unwrap_or_else(|| panic!("{name} is missing: run scripts/setup"))
}
