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
    /// Of the hits, those from this host's own memory.
    NearHits,
    /// Of the misses, those that this host's own memory told.
    NearAbsent,
    /// Reads of near tables that had to ask a server, because nothing was kept.
    NearMisses,
    /// The same, because what was kept might no longer be true.
    NearVoids,
    /// Times a source was asked.
    Loads,
    /// Of these, times it could not answer.
    LoadFailures,
    /// Lookups that waited for another one's load.
    LoadWaits,
    /// Of the hits, those past their time.
    Stale,
    /// Of the hits, those answered with "there is nothing", which a source had said.
    NegHits,
    /// Of the misses, reads of entries that a tag had made void.
    TagVoids,
}

impl TableStat {
    pub const ALL: [(Self, &'static str); 23] = [
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
        (Self::NearHits, "near_hits"),
        (Self::NearAbsent, "near_absent"),
        (Self::NearMisses, "near_misses"),
        (Self::NearVoids, "near_voids"),
        (Self::Loads, "loads"),
        (Self::LoadFailures, "load_failures"),
        (Self::LoadWaits, "load_waits"),
        (Self::Stale, "stale"),
        (Self::NegHits, "neg_hits"),
        (Self::TagVoids, "tag_voids"),
    ];
}

/// So many workers of a host count side by side; those who come later share one lane more.
const LANES: usize = 128;

/// What the near cache counts: on a path so short that processes must not wait for each other's counters.
#[derive(Debug)]
#[repr(C)]
pub struct NearCounts([Row; LANES + 1]);

/// One worker's counters, in the order of [`NearCounts::STATS`], on two lines of memory: processors fetch both together.
#[derive(Debug, Default)]
#[repr(C, align(128))]
struct Row([AtomicU64; NearCounts::STATS.len()]);

/// Where a worker counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane(usize);

/// The lanes that were given to workers. All zero: none.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Lanes(AtomicU64);

impl Lanes {
    /// A lane for a new worker. It is its own for ever, so that what a dead one counted stays.
    pub fn take(&self) -> Lane {
        let taken = self.0.fetch_add(1, Relaxed);
        Lane(usize::try_from(taken).unwrap_or(LANES).min(LANES))
    }
}

impl Default for NearCounts {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Row::default()))
    }
}

impl NearCounts {
    const STATS: [TableStat; 4] =
        [TableStat::NearHits, TableStat::NearAbsent, TableStat::NearMisses, TableStat::NearVoids];

    /// Counts one more.
    #[inline]
    pub fn add(&self, lane: Lane, stat: TableStat) {
        let Some(at) = Self::place(stat) else { return };
        let count = &self.0[lane.0].0[at];
        if lane.0 < LANES {
            // Nobody else writes there, so nobody has to be kept out.
            count.store(count.load(Relaxed) + 1, Relaxed);
        } else {
            count.fetch_add(1, Relaxed);
        }
    }

    /// The sum of all processes; `None` where something else counts that.
    #[must_use]
    pub fn get(&self, stat: TableStat) -> Option<u64> {
        Self::place(stat).map(|at| self.0.iter().map(|row| row.0[at].load(Relaxed)).sum())
    }

    fn place(stat: TableStat) -> Option<usize> {
        (stat as usize).checked_sub(Self::STATS[0] as usize).filter(|at| *at < Self::STATS.len())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_near_counters_stand_in_the_order_of_their_names() {
        let (counts, lane) = (NearCounts::default(), Lanes::default().take());
        for (at, stat) in NearCounts::STATS.into_iter().enumerate() {
            (0..=at).for_each(|_| counts.add(lane, stat));
        }
        assert_eq!(NearCounts::STATS.map(|stat| counts.get(stat)), [1, 2, 3, 4].map(Some));
        assert_eq!(counts.get(TableStat::Failovers), None);
    }

    #[test]
    fn nothing_is_lost_where_more_workers_count_than_there_are_lanes() {
        const WORKERS: u64 = LANES as u64 + 3;
        const EACH: u64 = 1_000;
        let (counts, lanes) = (NearCounts::default(), Lanes::default());
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                let lane = lanes.take();
                let counts = &counts;
                scope.spawn(move || (0..EACH).for_each(|_| counts.add(lane, TableStat::NearHits)));
            }
        });
        assert_eq!(counts.get(TableStat::NearHits), Some(WORKERS * EACH));
    }
}
