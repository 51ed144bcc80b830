//! How the store lies in its region, and the only way from there to references.
//!
//! One line with the counter of cas numbers, then the shards, each: lock word, numbers, buckets, chunks. A shard is
//! 4 MiB or somewhat more (the whole region when that is smaller), so that the largest value is a quarter of one.

use super::Fault;
use super::chunk::{At, Chunk};
use super::lock::Locked;
use super::shard::{Meta, Shard};
use crate::clock::Deadline;
use crate::near::Region;
use std::sync::atomic::AtomicU64;

const LINE: usize = 64;
const SHARD_BYTES: usize = 4 << 20;
const BUCKETS_AT: usize = 2 * LINE;
/// The least region that is of any use.
pub(super) const LEAST: usize = 256 << 10;

const _: () = assert!(size_of::<Meta>() <= LINE && size_of::<Chunk>() == 128 && align_of::<Chunk>() <= LINE);

#[derive(Debug)]
pub(super) struct Raw {
    region: Region,
    shards: usize,
    /// Bytes from one shard to the next.
    stride: usize,
    buckets: usize,
    chunks: usize,
}

impl Raw {
    /// Lays the store out in `region`, which is zeroed, page-aligned and at least [`LEAST`] bytes long.
    pub fn new(region: Region) -> Self {
        let bytes = region.bytes() - LINE;
        let shards = prev_power_of_two((bytes / SHARD_BYTES).max(1));
        let stride = bytes / shards / LINE * LINE;
        let buckets = prev_power_of_two((stride / size_of::<Chunk>()).max(1)).min(1 << 30);
        let chunks = (stride - BUCKETS_AT - buckets * size_of::<At>()) / size_of::<Chunk>();
        Self { region, shards, stride, buckets, chunks: chunks.min(u32::MAX as usize - 1) }
    }

    pub fn shards(&self) -> usize {
        self.shards
    }

    /// Chunks in each shard.
    pub fn chunks(&self) -> usize {
        self.chunks
    }

    /// Buckets in each shard.
    pub fn buckets(&self) -> usize {
        self.buckets
    }

    /// The counter of cas numbers.
    pub fn cas(&self) -> &AtomicU64 {
        // SAFETY: the region starts with a zeroed, aligned line that is only ever used as this atomic.
        unsafe { self.region.start().cast::<AtomicU64>().as_ref() }
    }

    /// Waits for shard number `at` (modulo their count), at most until `deadline`.
    pub fn lock(&self, at: usize, deadline: Deadline) -> Result<Locked<'_>, Fault> {
        let start = LINE + (at & (self.shards - 1)) * self.stride;
        // SAFETY: `start + stride` lies inside the region for every shard, so all offsets below do; `start` and the
        // offsets are multiples of 64, which aligns every type here; all of them accept any bytes.
        let (word, meta, buckets, chunks) = unsafe {
            let start = self.region.start().add(start);
            (
                start.cast::<AtomicU64>().as_ref(),
                start.add(LINE).cast::<Meta>(),
                start.add(BUCKETS_AT).cast::<At>(),
                start.add(BUCKETS_AT + self.buckets * size_of::<At>()).cast::<Chunk>(),
            )
        };
        // SAFETY: called under the lock, whose word lies outside of these three ranges; no other process or thread
        // has references into them until `Locked` is dropped and the lock free again.
        Locked::wait(word, deadline, || unsafe {
            Shard {
                meta: &mut *meta.as_ptr(),
                buckets: std::slice::from_raw_parts_mut(buckets.as_ptr(), self.buckets),
                chunks: std::slice::from_raw_parts_mut(chunks.as_ptr(), self.chunks),
            }
        })
    }
}

fn prev_power_of_two(number: usize) -> usize {
    1 << number.max(1).ilog2()
}
