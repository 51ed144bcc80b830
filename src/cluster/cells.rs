//! What every process of the host knows of one server and of one table: atomic numbers, each of its own meaning.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::address::SharedAddress;
use super::count::{Counts, NearCounts, ServerStat, TableStat};
use super::patrol::RepairCell;
use super::ushers::SeatCell;
use super::views::PairCell;
use crate::health::Cell;

/// What is known of one server by every process. All zero is a server nobody has asked yet.
#[derive(Debug, Default)]
#[repr(C)]
pub struct ServerCell {
    pub health: Cell,
    pub counts: Counts<{ ServerStat::ALL.len() }>,
    pub address: SharedAddress,
    /// `CLOCK_MONOTONIC` ms at which the watcher last *sent* a poll of this server that was answered.
    pub polled_ms: AtomicU64,
    /// Round trip of the last answered poll, microseconds.
    pub latency_us: AtomicU64,
    /// `major << 32 | minor << 16 | patch` of the server's version; 0 = not known.
    pub version: AtomicU64,
    /// The server's `item_size_max`, bytes; 0 = not known.
    pub item_max: AtomicU64,
    /// What is known of the pair whose home it is.
    pub pair: PairCell,
    /// The last failure (see `standing::Failure`); 0 = none yet.
    pub failure: AtomicU64,
    /// How far its copies are repaired.
    pub repair: RepairCell,
    /// Who serves its single keys.
    pub seat: SeatCell,
}

impl ServerCell {
    /// The cell is to be another server's. Nobody uses it at this time.
    pub(super) fn renew(&self, now_ms: u64) {
        let Self { health, counts, address, polled_ms, latency_us, version, item_max, pair, failure, repair, seat } =
            self;
        [polled_ms, latency_us, version, item_max, failure].into_iter().for_each(|word| word.store(0, Relaxed));
        counts.clear();
        address.forget();
        pair.clear();
        repair.clear();
        seat.clear();
        health.renew(now_ms);
    }
}

/// What is known of one table by every process.
#[derive(Debug, Default)]
#[repr(C)]
pub struct TableCell {
    pub counts: Counts<{ TableStat::ALL.len() }>,
    pub near: NearCounts,
    /// The generation: 0 until the table is bumped for the first time; only grows.
    pub generation: AtomicU64,
}
