//! Real child processes for tests: forked from the test, killed and reaped on drop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// A child process; `SIGKILL`ed and reaped when dropped.
pub(crate) struct Child {
    pub pid: libc::pid_t,
    reaped: bool,
}

impl Child {
    /// Runs `work` in a fork of this process; it ends with 0, or with 1 if `work` panicked.
    pub fn fork<T>(work: impl FnOnce() -> T) -> Self {
        // SAFETY: the child runs `work` only (our own atomics and system calls, no lock of another thread) and leaves by `_exit`.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
        if pid == 0 {
            let code = i32::from(catch_unwind(AssertUnwindSafe(work)).is_err());
            // SAFETY: ends this child without running the parent's exit handlers.
            unsafe { libc::_exit(code) };
        }
        Self { pid, reaped: false }
    }

    pub fn signal(&self, signal: libc::c_int) {
        if !self.reaped {
            // SAFETY: the child is ours and not reaped yet, so the pid is still its own.
            unsafe { libc::kill(self.pid, signal) };
        }
    }

    /// True once it ended (`WEXITED`) or stopped (`WSTOPPED`); it is not reaped.
    pub fn has(&self, what: libc::c_int) -> bool {
        let id = self.pid.unsigned_abs();
        // SAFETY: all zeros is a valid `siginfo_t`, and it is a valid place for the answer.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let options = what | libc::WNOHANG | libc::WNOWAIT;
            libc::waitid(libc::P_PID, id, &raw mut info, options) == 0 && info.si_pid() == self.pid
        }
    }

    /// Waits until it ended or stopped, without reaping it.
    pub fn wait_unreaped(&self, what: libc::c_int) {
        until(|| self.has(what));
    }

    /// Kills it; false if it had ended by itself before, as one does whose work panicked.
    pub fn kill(mut self) -> bool {
        self.signal(libc::SIGKILL);
        let mut status = 0;
        // SAFETY: `status` is a valid place for the answer.
        self.reaped = unsafe { libc::waitpid(self.pid, &raw mut status, 0) == self.pid };
        libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL
    }

    /// Waits for its end; true if it ended with 0.
    pub fn done(mut self) -> bool {
        let mut status = 0;
        until(|| {
            // SAFETY: `status` is a valid place for the answer.
            unsafe { libc::waitpid(self.pid, &raw mut status, libc::WNOHANG) == self.pid }
        });
        self.reaped = true;
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        self.signal(libc::SIGKILL);
        // SAFETY: reaps our own child; no status is asked for.
        unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), 0) };
    }
}

/// Waits, at most a minute, until `done`.
pub(crate) fn until(mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(60), "still waiting after a minute");
        std::thread::yield_now();
    }
}
