//! How the store lies in its region, and the only way from there to references.
//!
//! Two lines with the counter of cas numbers, then the shards, each: lock word, numbers, groups of buckets, chunks, ghosts.
//! A shard is 4 MiB or somewhat more (the whole region when that is smaller), so that the largest value is a quarter of
//! one, and below 8 MiB, so that the number of a chunk has 16 bits. Everything is atomic: any process may have references to it at any time.

use super::chunk::{At, Chunk};
use super::view::{BUCKETS, Group, Meta, View};
use crate::near::Region;
use std::slice::from_raw_parts;
use std::sync::atomic::{AtomicU32, AtomicU64};

const LINE: usize = 64;
/// What everything begins at a multiple of: two lines, which the processor likes to fetch together.
const STEP: usize = 2 * LINE;
const SHARD_BYTES: usize = 4 << 20;
const META_AT: usize = STEP;
const GROUPS_AT: usize = META_AT + size_of::<Meta>();
/// For each group: hashes of entries that were thrown out.
const GHOSTS: usize = 16;
/// Bytes of a group with its chunks, one for each bucket, and its ghosts.
const SHARE: usize = size_of::<Group>() + BUCKETS * size_of::<Chunk>() + GHOSTS * size_of::<AtomicU32>();
/// The least region that is of any use.
pub(super) const LEAST: usize = 256 << 10;

const _: () = assert!(size_of::<Group>() == LINE && size_of::<Chunk>() == STEP && size_of::<Meta>() == STEP);
const _: () = assert!(align_of::<Chunk>() == STEP && align_of::<Group>() == LINE && align_of::<Meta>() <= STEP);

#[derive(Debug)]
pub(super) struct Raw {
    region: Region,
    shards: usize,
    /// Bytes from one shard to the next.
    stride: usize,
    groups: usize,
}

impl Raw {
    /// Lays the store out in `region`, which is zeroed, page-aligned and at least [`LEAST`] bytes long.
    pub fn new(region: Region) -> Self {
        let bytes = region.bytes() - STEP;
        let shards = 1 << (bytes / SHARD_BYTES).max(1).ilog2();
        let stride = bytes / shards / STEP * STEP;
        // An even number of lines, so that the chunks begin at a whole step.
        let groups = (stride - GROUPS_AT) / SHARE / 2 * 2;
        debug_assert!(groups * BUCKETS < At::MAX.into());
        Self { region, shards, stride, groups }
    }

    pub fn shards(&self) -> usize {
        self.shards
    }

    /// Chunks in each shard, and as many buckets.
    pub fn chunks(&self) -> usize {
        self.groups * BUCKETS
    }

    /// The counter of cas numbers.
    pub fn cas(&self) -> &AtomicU64 {
        // SAFETY: the region starts with zeroed, aligned lines whose first word is only ever used as this atomic.
        unsafe { self.region.start().cast::<AtomicU64>().as_ref() }
    }

    /// The lock word of shard number `at` (modulo their count), and what may be looked at without the lock.
    pub fn shard(&self, at: usize) -> (&AtomicU64, View<'_>) {
        let start = STEP + (at & (self.shards - 1)) * self.stride;
        let chunks_at = GROUPS_AT + self.groups * size_of::<Group>();
        let ghosts_at = chunks_at + self.chunks() * size_of::<Chunk>();
        // SAFETY: `start + stride` lies inside the region for every shard, and `GROUPS_AT + groups * SHARE <= stride`, so
        // all ranges do and none overlap; `start` and the offsets are multiples of 128, which aligns every type here; all
        // of them consist of atomics, accept any bytes and are only ever used as these types.
        unsafe {
            let start = self.region.start().add(start);
            let view = View {
                meta: start.add(META_AT).cast::<Meta>().as_ref(),
                groups: from_raw_parts(start.add(GROUPS_AT).cast::<Group>().as_ptr(), self.groups),
                chunks: from_raw_parts(start.add(chunks_at).cast::<Chunk>().as_ptr(), self.chunks()),
                ghosts: from_raw_parts(start.add(ghosts_at).cast::<AtomicU32>().as_ptr(), self.groups * GHOSTS),
            };
            (start.cast::<AtomicU64>().as_ref(), view)
        }
    }
}
