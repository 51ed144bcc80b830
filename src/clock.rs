//! Time as the rooms see it: plain numbers of one monotonic clock that all processes of a host share.

use std::time::Duration;

/// Nanoseconds of `CLOCK_MONOTONIC`: the same clock in every process of this machine.
#[must_use]
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Milliseconds of `CLOCK_MONOTONIC`.
#[must_use]
pub fn monotonic_ms() -> u64 {
    monotonic_ns() / 1_000_000
}

/// Milliseconds of `CLOCK_MONOTONIC` at the kernel's last tick, which may be some milliseconds ago, and more where a hypervisor took
/// the processor away: much cheaper than the exact time.
#[must_use]
pub fn coarse_ms() -> u64 {
    read(libc::CLOCK_MONOTONIC_COARSE) / 1_000_000
}

/// Microseconds since 1970 by the wall clock: for numbers that must not repeat after a restart.
#[must_use]
pub fn wall_us() -> u64 {
    read(libc::CLOCK_REALTIME) / 1_000
}

/// Tenths of seconds since 1970 by the wall clock, up to one tick of the kernel late: cheaper than the others.
#[must_use]
pub fn wall_tenths() -> u64 {
    read(libc::CLOCK_REALTIME_COARSE) / 100_000_000
}

/// Seconds since 1970 by the wall clock: memcached's own absolute times.
#[must_use]
pub fn wall_s() -> u64 {
    wall_us() / 1_000_000
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec and both clock ids exist on every Linux; the call cannot fail then.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// An absolute moment after which nothing is waited for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(u64);

impl Deadline {
    /// The moment `budget` from now.
    #[must_use]
    pub fn after(budget: Duration) -> Self {
        Self(monotonic_ns().saturating_add(u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// A moment given in nanoseconds of `CLOCK_MONOTONIC`.
    #[must_use]
    pub fn at_ns(at: u64) -> Self {
        Self(at)
    }

    /// What is left of the budget at `now_ns`; zero when it is used up.
    #[must_use]
    pub fn left(self, now_ns: u64) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(now_ns))
    }

    /// True once nothing is left at `now_ns`.
    #[must_use]
    pub fn passed(self, now_ns: u64) -> bool {
        now_ns >= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarse_clock_is_late_by_a_little() {
        for _ in 0..1_000 {
            let (before, coarse, after) = (monotonic_ms(), coarse_ms(), monotonic_ms());
            assert!(coarse <= after && coarse + 1_000 >= before, "{before} {coarse} {after}");
        }
    }
}
