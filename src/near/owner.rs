//! A word in shared memory that names the process which may change something.
//!
//! Low 32 bits: the holder's pid (0 = free); bit 32 is a mark the holder may set. A waiter spins, then
//! yields, then sleeps in short naps until its deadline. When the holder is dead, one waiter takes the word over. A
//! holder that is only stopped is waited for. (Known doubt: a dead holder whose pid was given to a new process
//! before anybody waited looks alive.)

use crate::clock::{Deadline, monotonic_ns};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The holder may set it, with its own number beside it.
pub(crate) const MARK: u64 = 1 << 32;
const SPINS: u32 = 8;
const YIELDS: u32 = 40;
const NAP_NS: u64 = 50_000;

/// Waits for the word, at most until `deadline`: this process's number in it, and whether a holder that died had
/// marked it. Storing 0 there gives it back.
pub(crate) fn take(word: &AtomicU64, deadline: Deadline) -> Option<(u64, bool)> {
    let owner = u64::from(own_pid());
    let marked = match word.compare_exchange(0, owner, Ordering::Acquire, Ordering::Relaxed) {
        Ok(_) => false,
        Err(_) => contend(word, owner, deadline)?,
    };
    Some((owner, marked))
}

/// True when its holder died and had marked it.
#[cold]
fn contend(word: &AtomicU64, owner: u64, deadline: Deadline) -> Option<bool> {
    let mut round = 0;
    loop {
        let late = round > SPINS && deadline.passed(monotonic_ns());
        let held = word.load(Ordering::Relaxed);
        let dead = held != 0 && (late || round > YIELDS) && gone(held as u32);
        if held == 0 || dead {
            let next = owner | held & MARK;
            if word.compare_exchange(held, next, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return Some(held & MARK != 0);
            }
        }
        if late {
            return None;
        }
        pause(round, deadline);
        round = round.saturating_add(1);
    }
}

fn pause(round: u32, deadline: Deadline) {
    if round < SPINS {
        (0..1 << round).for_each(|_| std::hint::spin_loop());
    } else if round < YIELDS {
        std::thread::yield_now();
    } else {
        std::thread::sleep(deadline.left(monotonic_ns()).min(Duration::from_nanos(NAP_NS)));
    }
}

/// True when that process has ended, reaped or not.
fn gone(pid: u32) -> bool {
    let pid = libc::pid_t::try_from(pid).unwrap_or(libc::pid_t::MAX);
    // SAFETY: pidfd_open takes a pid and flags and touches no memory of ours.
    let handle = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let Ok(fd) = libc::c_int::try_from(handle) else { return false };
    if fd < 0 {
        // SAFETY: signal 0 sends nothing; it only asks whether the process exists.
        return unsafe { libc::kill(pid, 0) } < 0
            && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
    }
    let mut ended = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd, no waiting.
    let answered = unsafe { libc::poll(&raw mut ended, 1, 0) };
    // SAFETY: the descriptor was opened above and is closed once.
    unsafe { libc::close(fd) };
    answered == 1
}

static OWN: AtomicU32 = AtomicU32::new(0);

/// This process's pid without a system call per use; a fork forgets it (see [`forget_pid_on_fork`]).
fn own_pid() -> u32 {
    match OWN.load(Ordering::Relaxed) {
        0 => {
            let pid = std::process::id();
            OWN.store(pid, Ordering::Relaxed);
            pid
        }
        pid => pid,
    }
}

/// To be called before the first word is taken.
pub(crate) fn forget_pid_on_fork() {
    extern "C" fn forget() {
        OWN.store(0, Ordering::Relaxed);
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `forget` is a static function that does one atomic store, which is allowed in a new child. If it
        // cannot be registered, children carry their parent's pid, and only the take-over from a dead one suffers.
        let _ = unsafe { libc::pthread_atfork(None, None, Some(forget)) };
    });
}
