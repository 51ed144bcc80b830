//! When tables are due to be filled: once per interval in the whole cluster.
//!
//! Whoever takes the lock that stands for the interval fills the table. It is never given back, it ends by itself; so when
//! the servers were emptied it is gone too, and the table is filled again at once.

use super::request;
use crate::cache::Verdict;
use crate::cluster::Shared;
use crate::lookup::Dice;
use crate::module::{sources, worker};

/// The key of that lock; no script spells it so.
const INTERVAL: &[u8] = b"\0reload";
/// Hosts look that often at most, milliseconds.
const LOOK_MS: u64 = 10_000;

/// The sources with an interval.
pub struct Calendar {
    dates: Vec<Date>,
    dice: Dice,
}

struct Date {
    source: usize,
    table: usize,
    interval_s: u32,
    rate: u32,
    next_ms: u64,
    /// This host took the lock of the interval.
    held: bool,
}

impl Calendar {
    pub fn new(shared: &Shared) -> Self {
        let spec = |source: usize| sources::all().map(|all| (source, all.spec(source)));
        let date = |(source, spec): (usize, &crate::config::SourceSpec)| {
            let table = shared.table(spec.name.as_bytes())?;
            let (interval_s, rate) = (spec.reload_s?, spec.reload_rate);
            Some(Date { source, table, interval_s, rate, next_ms: 0, held: false })
        };
        let n = sources::all().map_or(0, crate::lookup::sql::Sources::len);
        Self { dates: (0..n).filter_map(spec).filter_map(date).collect(), dice: Dice::default() }
    }

    /// Asks for what is due.
    pub fn look(&mut self, now_ms: u64) {
        for date in self.dates.iter_mut().filter(|date| now_ms >= date.next_ms) {
            let pause_ms = LOOK_MS.min(u64::from(date.interval_s) * 250);
            date.next_ms = now_ms + pause_ms / 2 + self.dice.throw() % (pause_ms / 2).max(1);
            let lock = |worker: &mut worker::Worker| worker.cache.lock(date.table, INTERVAL, date.interval_s);
            if worker::with(lock) == Some(Verdict::Done) {
                date.held = true;
                request(date.source, date.rate);
            }
        }
    }

    /// What this host could not do another one may try, or this one again.
    pub fn give_back(&mut self, source: usize) {
        for date in self.dates.iter_mut().filter(|date| date.source == source && date.held) {
            date.held = false;
            worker::with(|worker| worker.cache.unlock(date.table, INTERVAL, None));
        }
    }
}
