//! Reads of a table with a source: answered from the cache, or loaded once for all hosts and kept.
//!
//! A database may take its time, so it is asked in processes that handle calls. The watcher, which must not wait, only
//! sees what the cache has.

use super::arguments::{Args, Bad};
use super::sources;
use super::worker::Worker;
use crate::cache::Verdict;
use crate::clock::monotonic_ms;

/// A table, and which of the sources it has.
#[derive(Clone, Copy, Debug)]
pub struct Behind {
    pub table: usize,
    pub source: usize,
}

/// Why a process that does not load cannot answer.
const NOT_HERE: &str = "not loaded in this process";
/// Why some of many were not loaded.
const OUT_OF_TIME: &str = "load_wait is over";

/// Reads one entry. The value is in the cache.
pub fn look(worker: &mut Worker, args: &Args<'_>, behind: Behind, key: &[u8]) -> Result<Verdict, Bad> {
    check(args, behind, key)?;
    if !sources::loads_here() {
        return Ok(peek(worker, behind.table, key));
    }
    let verdict = load(worker, behind, key, u64::MAX);
    if verdict == Verdict::Done {
        worker.cache.remember(behind.table, key, args.scope);
    }
    Ok(verdict)
}

/// Reads many entries: what the cache has in one round, the others one by one, as long as a call may wait for loaders.
/// The values are in the cache.
pub fn look_many(worker: &mut Worker, args: &Args<'_>, behind: Behind, keys: &[&[u8]]) -> Result<Verdict, Bad> {
    keys.iter().try_for_each(|key| check(args, behind, key))?;
    let mut open = Vec::new();
    worker.cache.mget_known(behind.table, keys, &mut open);
    let end_ms = monotonic_ms() + u64::from(worker.cache.shared().config().load_wait_ms);
    let mut err = "";
    for i in open {
        let left_ms = end_ms.saturating_sub(monotonic_ms());
        let verdict = match sources::loads_here() {
            false => peek(worker, behind.table, keys[i]),
            true if left_ms == 0 => worker.cache.conclude_without(behind.table, Verdict::Unavailable, OUT_OF_TIME),
            true => load(worker, behind, keys[i], left_ms),
        };
        worker.cache.amend(i, verdict);
        if !worker.cache.last().err.is_empty() {
            err = worker.cache.last().err;
        }
    }
    Ok(worker.cache.settle_many(keys.len(), err))
}

fn check(args: &Args<'_>, behind: Behind, key: &[u8]) -> Result<(), Bad> {
    let good = sources::all().is_some_and(|all| all.takes(behind.source, key));
    let expected = "a part for each key column of the table's source, without NUL";
    if good { Ok(()) } else { Err(args.refuse(1, "the key", expected, "bad key")) }
}

fn load(worker: &mut Worker, behind: Behind, key: &[u8], wait_ms: u64) -> Verdict {
    let Worker { cache, lookups, .. } = worker;
    let looked =
        sources::with(behind.source, |source| lookups.desk.look_within(cache, behind.table, key, wait_ms, source));
    looked.unwrap_or(Verdict::Failed)
}

/// What the cache has. Without a "there is nothing" nobody knows whether there is.
fn peek(worker: &mut Worker, table: usize, key: &[u8]) -> Verdict {
    let cache = &mut worker.cache;
    match cache.peek(table, key) {
        Verdict::Missing if !cache.says_no() => cache.conclude_without(table, Verdict::Unavailable, NOT_HERE),
        verdict => verdict,
    }
}
