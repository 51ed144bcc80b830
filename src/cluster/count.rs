//! What is counted per table and per server. The names are what operators see; docs/ explains each.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A row of counters in shared memory; every process adds to it.
#[derive(Debug)]
#[repr(C)]
pub struct Counts<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Counts<N> {
    pub fn add(&self, slot: usize, n: u64) {
        self.0[slot].fetch_add(n, Relaxed);
    }

    /// Begins anew.
    pub fn clear(&self) {
        self.0.iter().for_each(|count| count.store(0, Relaxed));
    }

    #[must_use]
    pub fn get(&self, slot: usize) -> u64 {
        self.0[slot].load(Relaxed)
    }
}

/// What is counted per table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum TableStat {
    /// Reads answered with a value.
    Hits,
    /// Reads that a server answered with "not there".
    Misses,
    /// Values stored: set, add, replace, cas.
    Sets,
    /// Entries deleted.
    Deletes,
    /// Entries invalidated, whether or not they were there.
    Invalidations,
    /// Increments and decrements done.
    Counts,
    /// Lifetimes renewed.
    Touches,
    /// Locks taken and given back.
    Locks,
    /// Times the whole table was made unreachable.
    Bumps,
    /// Calls that ended with -2: nobody could answer.
    Unavailable,
    /// Calls that ended with -3.
    Errors,
    /// Of these, calls that may or may not have taken effect.
    Ambiguous,
    /// Reads answered by another server than the key's home.
    Failovers,
}

impl TableStat {
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::Hits, "hits"),
        (Self::Misses, "misses"),
        (Self::Sets, "sets"),
        (Self::Deletes, "deletes"),
        (Self::Invalidations, "invalidations"),
        (Self::Counts, "counts"),
        (Self::Touches, "touches"),
        (Self::Locks, "locks"),
        (Self::Bumps, "bumps"),
        (Self::Unavailable, "unavailable"),
        (Self::Errors, "errors"),
        (Self::Ambiguous, "ambiguous"),
        (Self::Failovers, "failovers"),
    ];
}

/// What is counted per server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum ServerStat {
    /// Calls sent to this server.
    Requests,
    /// Reads it answered with a value.
    Hits,
    /// Reads it answered with "not there".
    Misses,
    /// Calls it failed for any reason.
    Errors,
    /// Of these, calls that ran out of time.
    Timeouts,
    /// Connections made to it.
    Connects,
    /// Times it was taken out of service.
    Trips,
    /// Questions of the watcher.
    Probes,
    /// Of these, those that failed.
    ProbeErrors,
    /// Keys at home there whose copies the watcher made equal again.
    Repaired,
    /// Times its copies were declared doubtful, because a write missed them.
    Voids,
    /// Times its copies were taken into use again after that.
    Activations,
    /// Entries taken away there because they have their place elsewhere.
    Strays,
}

impl ServerStat {
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::Requests, "requests"),
        (Self::Hits, "hits"),
        (Self::Misses, "misses"),
        (Self::Errors, "errors"),
        (Self::Timeouts, "timeouts"),
        (Self::Connects, "connects"),
        (Self::Trips, "trips"),
        (Self::Probes, "probes"),
        (Self::ProbeErrors, "probe_errors"),
        (Self::Repaired, "repaired"),
        (Self::Voids, "voids"),
        (Self::Activations, "activations"),
        (Self::Strays, "strays"),
    ];
}
