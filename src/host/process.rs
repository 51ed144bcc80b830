//! Extra processes of our own, forked by the host and known to it: they show in the process list, follow changes
//! of the host's settings and end with the host.
//!
//! The host's own timer loop runs in each, so nothing here waits, blocks or handles signals.

use super::api::api;
use super::entry::{Refused, entry};
use super::ffi::PROC_RPC;
use super::log;
use std::ffi::{CStr, c_int, c_uint, c_void};

/// What the process does each time: the work, and the process that must stay alive for it.
struct Work {
    parent: libc::pid_t,
    settled: bool,
    round: Box<dyn FnMut()>,
}

/// Tells the host that one more process will come. To be called from mod_init.
pub fn prepare() -> Result<(), Refused> {
    // SAFETY: the host counts up; valid in mod_init.
    if unsafe { (api().register_basic_timers)(1) } == 0 { Ok(()) } else { Err(Refused) }
}

/// Tells the host how many files each of its processes may open for us. To be called from mod_init.
pub fn reserve_files(count: usize) -> Result<(), Refused> {
    // SAFETY: the host adds up; valid in mod_init.
    if unsafe { (api().register_fds)(c_int::try_from(count).unwrap_or(c_int::MAX)) } < 0 {
        Err(Refused)
    } else {
        Ok(())
    }
}

/// Forks the process, which runs `round` every `interval_us` from then on, and returns in the parent only.
///
/// To be called from child_init of the main process. The rank is that of a process which answers RPC: modules open
/// their connections in it, so event routes may use them.
pub fn start(name: &'static CStr, interval_us: u32, round: Box<dyn FnMut()>) -> Result<(), Refused> {
    // SAFETY: getpid cannot fail.
    let parent = unsafe { libc::getpid() };
    let work = Box::into_raw(Box::new(Work { parent, settled: false, round })).cast::<c_void>();
    let interval = c_int::try_from(interval_us).unwrap_or(c_int::MAX);
    // SAFETY: the name and `work` stay valid in both processes; the child has its own copy of `work`.
    let pid = unsafe { (api().fork_basic_utimer)(PROC_RPC, name.as_ptr().cast_mut(), 1, Some(tick), work, interval) };
    // SAFETY: as above.
    if unsafe { libc::getpid() } != parent {
        // The child comes back here only when the host is shutting down, or could not set the child up.
        leave();
    }
    if pid > 0 { Ok(()) } else { Err(Refused) }
}

unsafe extern "C" fn tick(_now_ms: c_uint, work: *mut c_void) {
    entry("process", || {
        // SAFETY: `work` is the box made by `start`, used by this process alone and freed by nobody.
        let work = unsafe { &mut *work.cast::<Work>() };
        work.settle();
        (work.round)();
    });
}

impl Work {
    /// Ends this process once its parent is gone; the kernel is asked to say so at once.
    fn settle(&mut self) {
        if !self.settled {
            self.settled = true;
            // SAFETY: plain system call on this process.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
        }
        // SAFETY: getppid cannot fail.
        if unsafe { libc::getppid() } != self.parent {
            log::notice("the main process is gone; so this one ends");
            leave();
        }
    }
}

fn leave() -> ! {
    // SAFETY: ends this process at once, without the host's cleanup, as the host ends its own children.
    unsafe { libc::_exit(0) }
}

#[cfg(test)]
#[path = "process/tests.rs"]
mod tests;
