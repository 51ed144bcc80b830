//! What goes when the pool runs out: S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you need for cache
//! eviction", SOSP 2023), counted in chunks.
//!
//! New entries stand in a small queue, a twentieth of the chunks. Who was used there more than once goes on into the main
//! queue when its turn comes, everybody else goes and leaves the hash behind as a ghost; a new entry whose ghost is still
//! there begins in the main queue. That one is gone round like a clock: each use, up to three, spares an entry one round.
//! So a scan passes through the small queue and leaves the main one alone. What has expired goes first where it is met.
//! Readers only count uses; all else happens under the lock, and for each chunk that is needed one entry at most goes,
//! with [`MERCY`] others spared.

use super::chunk::{At, Rank};
use super::shard::Shard;
use super::view::{Queue, scale};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// Entries spared for one that is put in; who is met after that goes, used or not.
const MERCY: u32 = 64;

/// The small queue's part of the chunks.
const SMALL_PART: u64 = 20;

/// Uses that take an entry out of the small queue into the main one.
const PROVEN: u8 = 2;

/// Ghosts of one set: which of them goes is decided among these.
const WAYS: usize = 4;

impl<'a> Shard<'a> {
    /// Throws out entries until `count` chunks are free. (No more than half of all are ever asked for.)
    pub fn make_room(self, count: usize, now: u64) {
        let mut mercy = MERCY;
        while self.chunks.len() - (self.meta.used.get() as usize) < count {
            let (at, rank) = self.candidate(now);
            let chunk = self.at(at);
            let (heat, expired) = (chunk.heat(), chunk.head().expired(now));
            let spared = if rank == Rank::Small { heat >= PROVEN } else { heat > 0 };
            if spared && !expired && mercy > 0 {
                mercy -= 1;
                self.unqueue(at);
                self.enqueue(at, Rank::Main, if rank == Rank::Small { 0 } else { heat - 1 });
                continue;
            }
            if expired {
                self.meta.expired.add(1);
            } else {
                self.meta.evictions.add(1);
                if rank == Rank::Small {
                    self.leave_ghost(chunk.hash());
                }
            }
            self.remove(at);
        }
    }

    /// Whose turn it is.
    fn candidate(self, now: u64) -> (At, Rank) {
        let (small, main) = (self.meta.small.oldest.load(Relaxed), self.meta.main.oldest.load(Relaxed));
        let over = |at: At| at != 0 && self.at(at).head().expired(now);
        if main == 0 || over(small) || (self.small_is_full() && small != 0 && !over(main)) {
            (small, Rank::Small)
        } else {
            (main, Rank::Main)
        }
    }

    fn small_is_full(self) -> bool {
        self.meta.small.used.get() >= self.chunks.len() as u64 / SMALL_PART
    }

    /// Where a new entry with this hash begins. As long as there is room that was never used, nobody needs to prove
    /// anything.
    pub fn queue_for(self, hash: u32) -> Rank {
        let unused = (self.meta.fresh.load(Relaxed) as usize) < self.chunks.len();
        if self.take_ghost(hash) || (unused && self.small_is_full()) { Rank::Main } else { Rank::Small }
    }

    fn queue(self, rank: Rank) -> &'a Queue {
        if rank == Rank::Main { &self.meta.main } else { &self.meta.small }
    }

    /// The entry becomes the newest of that queue.
    pub fn enqueue(self, at: At, rank: Rank, heat: u8) {
        let (queue, chunk) = (self.queue(rank), self.at(at));
        let second = queue.newest.load(Relaxed);
        queue.newest.store(at, Relaxed);
        chunk.set_newer(0);
        chunk.set_older(second);
        match second {
            0 => queue.oldest.store(at, Relaxed),
            second => self.at(second).set_newer(at),
        }
        queue.used.add(chunk.chunks() as u64);
        chunk.set_rank(rank);
        chunk.set_heat(heat);
    }

    /// Takes the entry out of its queue.
    pub fn unqueue(self, at: At) {
        let (queue, chunk) = (self.queue(self.at(at).rank()), self.at(at));
        match chunk.newer() {
            0 => queue.newest.store(chunk.older(), Relaxed),
            newer => self.at(newer).set_older(chunk.older()),
        }
        match chunk.older() {
            0 => queue.oldest.store(chunk.newer(), Relaxed),
            older => self.at(older).set_newer(chunk.newer()),
        }
        queue.used.sub(chunk.chunks() as u64);
    }

    /// The places in which a hash may be remembered, newest first.
    fn ghosts_of(self, hash: u32) -> &'a [AtomicU32] {
        &self.ghosts[scale(hash, self.ghosts.len() / WAYS) * WAYS..][..WAYS]
    }

    fn leave_ghost(self, hash: u32) {
        let mut ghost = hash.max(1);
        for place in self.ghosts_of(hash) {
            ghost = place.swap(ghost, Relaxed);
        }
    }

    /// True if it was there; it is not any more.
    fn take_ghost(self, hash: u32) -> bool {
        let place = self.ghosts_of(hash).iter().find(|place| place.load(Relaxed) == hash.max(1));
        place.is_some_and(|place| {
            place.store(0, Relaxed);
            true
        })
    }
}
