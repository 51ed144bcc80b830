//! The lock of a shard: one word in shared memory, which names its holder.
//!
//! Low 32 bits: the holder's pid (0 = free); bit 32: the holder is in the middle of a change. A waiter spins, then
//! yields, then sleeps in short naps until its deadline. When the holder is dead, one waiter takes the lock over and,
//! if a change was cut short, empties the shard. A holder that is only stopped is waited for. (Known doubt: a dead
//! holder whose pid was given to a new process before anybody waited looks alive.)

use super::Fault;
use super::shard::Shard;
use crate::clock::{Deadline, monotonic_ns};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence};

const CHANGING: u64 = 1 << 32;
const SPINS: u32 = 8;
const YIELDS: u32 = 40;
const NAP_NS: u64 = 50_000;

/// A shard held by this process; dropping it lets go.
pub(super) struct Locked<'a> {
    word: &'a AtomicU64,
    shard: Shard<'a>,
    owner: u64,
    changing: bool,
}

impl<'a> Locked<'a> {
    /// Waits for the lock, at most until `deadline`; `open` gives the shard and is called once, under the lock.
    pub fn wait(word: &'a AtomicU64, deadline: Deadline, open: impl FnOnce() -> Shard<'a>) -> Result<Self, Fault> {
        let owner = u64::from(own_pid());
        let cut_short = match word.compare_exchange(0, owner, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => false,
            Err(_) => contend(word, owner, deadline)?,
        };
        let mut locked = Self { word, shard: open(), owner, changing: cut_short };
        if cut_short {
            locked.shard.reset();
            locked.mark(false);
        }
        Ok(locked)
    }

    /// For looking, and for single stores that leave the shard whole.
    pub fn shard(&mut self) -> &mut Shard<'a> {
        &mut self.shard
    }

    /// For changes: whoever dies or unwinds inside leaves an empty shard, not a broken one.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Shard<'a>) -> T) -> T {
        self.mark(true);
        let done = change(&mut self.shard);
        self.mark(false);
        done
    }

    fn mark(&mut self, changing: bool) {
        compiler_fence(Ordering::SeqCst);
        self.changing = changing;
        self.word.store(self.owner | if changing { CHANGING } else { 0 }, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if self.changing {
            self.shard.reset();
        }
        self.word.store(0, Ordering::Release);
    }
}

/// True when a change was cut short by its holder's death.
#[cold]
fn contend(word: &AtomicU64, owner: u64, deadline: Deadline) -> Result<bool, Fault> {
    let mut round = 0;
    loop {
        let late = round > SPINS && deadline.passed(monotonic_ns());
        let held = word.load(Ordering::Relaxed);
        let dead = held != 0 && (late || round > YIELDS) && gone(held as u32);
        if held == 0 || dead {
            let next = owner | held & CHANGING;
            if word.compare_exchange(held, next, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return Ok(held & CHANGING != 0);
            }
        }
        if late {
            return Err(Fault::Busy);
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
        std::thread::sleep(deadline.left(monotonic_ns()).min(std::time::Duration::from_nanos(NAP_NS)));
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

/// To be called before the first lock is taken.
pub(super) fn forget_pid_on_fork() {
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
