//! Walking the whole store: pages of entries for dumps, and the sum of the shards' numbers.

use super::view::View;
use super::{Fault, Hit, Store};
use crate::clock::{Deadline, monotonic_ns};

/// One entry of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub hit: Hit,
}

/// One page of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<u64>,
}

/// What the store holds and what became of the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries, those expired but not yet found so included.
    pub items: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Bytes of memory they take, and the most they may take.
    pub used: u64,
    pub capacity: u64,
    /// Thrown out for lack of room.
    pub evictions: u64,
    /// Found to be past their time.
    pub expired: u64,
    /// Shards emptied because a process died in the middle of a change.
    pub resets: u64,
}

/// Buckets looked at under one lock.
const BATCH: usize = 128;

/// A page ends early when its entries have so many bytes.
const PAGE_BYTES: usize = 4 << 20;

impl Store {
    /// Up to about `limit` live entries whose key begins with `prefix`, from `cursor` on (0 = the beginning). Entries
    /// that are there from the first page to the last are given exactly once. A page may be short, even empty, before
    /// the end (the deadline, or large values, ended it): go on while there is a `next`.
    ///
    /// # Errors
    /// [`Fault::Busy`] when nothing at all could be looked at.
    pub fn scan(&self, cursor: u64, limit: usize, prefix: &[u8], now: u64, deadline: Deadline) -> Result<Page, Fault> {
        let mut page = Page::default();
        let (buckets, mut bytes) = (self.raw.chunks(), 0);
        let end = (self.raw.shards() * buckets) as u64;
        let mut at = cursor;
        while at < end {
            let full = page.entries.len() >= limit.max(1) || bytes >= PAGE_BYTES;
            if full || (at != cursor && deadline.passed(monotonic_ns())) {
                return Ok(Page { next: Some(at), ..page });
            }
            let (shard, first) = (at as usize / buckets, at as usize % buckets);
            let locked = match self.lock(shard, deadline) {
                Ok(locked) => locked,
                Err(_) if at != cursor => return Ok(Page { next: Some(at), ..page }),
                Err(fault) => return Err(fault),
            };
            for bucket in first..(first + BATCH).min(buckets) {
                bytes += gather(locked.view(), bucket, prefix, now, &mut page.entries);
                at += 1;
                if page.entries.len() >= limit.max(1) || bytes >= PAGE_BYTES {
                    break;
                }
            }
        }
        Ok(page)
    }

    /// The sum over all shards.
    ///
    /// # Errors
    /// [`Fault::Busy`] when some shard could not be looked at.
    pub fn stats(&self, deadline: Deadline) -> Result<Stats, Fault> {
        let chunk = size_of::<super::chunk::Chunk>() as u64;
        let mut sum = Stats { capacity: (self.raw.shards() * self.raw.chunks()) as u64 * chunk, ..Stats::default() };
        for at in 0..self.raw.shards() {
            let locked = self.lock(at, deadline)?;
            let meta = locked.view().meta;
            sum.items += meta.items.get();
            sum.bytes += meta.bytes.get();
            sum.used += meta.used.get() * chunk;
            sum.evictions += meta.evictions.get();
            sum.expired += meta.expired.get();
            sum.resets += meta.resets.get();
        }
        Ok(sum)
    }
}

/// Adds the bucket's live entries whose key begins with `prefix`; how many bytes these are.
fn gather(view: View<'_>, bucket: usize, prefix: &[u8], now: u64, out: &mut Vec<Entry>) -> usize {
    let mut bytes = 0;
    for (at, chunk) in view.entries(bucket) {
        let head = chunk.head();
        if head.expired(now) || (head.key_len as usize) < prefix.len() {
            continue;
        }
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let whole = view.copy_key(at, &head, &mut key).is_ok();
        if whole && key.starts_with(prefix) && view.copy_value(at, &head, &mut value).is_ok() {
            bytes += key.len() + value.len();
            out.push(Entry { key, value, hit: head.into() });
        }
    }
    bytes
}
