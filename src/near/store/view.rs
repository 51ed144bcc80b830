//! A shard as anyone may look at it: buckets of entries over a pool of chunks.
//!
//! Who looks without the lock may find anything: numbers of chunks that are none, chains that lead nowhere or in a
//! circle. So nothing here trusts what it reads, every walk ends, and [`Group::sequence`] tells what to keep.

use super::chunk::{At, Chunk, Head, last_word, words_for};
use super::sequence::{Sequence, Torn};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

/// Buckets of a group: what fills one line of memory.
pub(super) const BUCKETS: usize = 28;

/// There is at most one entry for each bucket, and their hash is keyed: no bucket has so many by chance.
const MOST_IN_BUCKET: usize = 256;

/// Some buckets and the sequence number that every change of one of their entries raises.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Group {
    pub sequence: Sequence,
    /// First entry of each bucket.
    pub first: [AtomicU16; BUCKETS],
}

/// A number of a shard, in shared memory; changed under the lock alone.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(super) struct Number(AtomicU64);

impl Number {
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub fn set(&self, number: u64) {
        self.0.store(number, Relaxed);
    }

    pub fn add(&self, more: u64) {
        self.set(self.get().wrapping_add(more));
    }

    pub fn sub(&self, less: u64) {
        self.set(self.get().wrapping_sub(less));
    }
}

/// Entries in the order in which they were put there; see `evict`.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Queue {
    pub newest: AtomicU16,
    pub oldest: AtomicU16,
    /// Chunks of its entries.
    pub used: Number,
}

/// A shard's own numbers, in shared memory.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Meta {
    /// First chunk of the free list.
    pub free: AtomicU16,
    /// Chunks with larger numbers were never used since the last reset.
    pub fresh: AtomicU16,
    pub small: Queue,
    pub main: Queue,
    /// Chunks of all entries.
    pub used: Number,
    pub items: Number,
    pub bytes: Number,
    pub evictions: Number,
    pub expired: Number,
    pub resets: Number,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub meta: &'a Meta,
    pub groups: &'a [Group],
    pub chunks: &'a [Chunk],
    pub ghosts: &'a [AtomicU32],
}

impl<'a> View<'a> {
    pub fn chunk(self, at: At) -> Option<&'a Chunk> {
        self.chunks.get((at as usize).wrapping_sub(1))
    }

    /// The bucket's number.
    pub fn bucket(self, hash: u32) -> usize {
        scale(hash, self.groups.len() * BUCKETS)
    }

    pub fn group(self, hash: u32) -> &'a Group {
        &self.groups[self.bucket(hash) / BUCKETS]
    }

    /// The place of the first entry of bucket number `bucket`.
    pub fn first(self, bucket: usize) -> &'a AtomicU16 {
        &self.groups[bucket / BUCKETS].first[bucket % BUCKETS]
    }

    /// The entries of a bucket, at most [`MOST_IN_BUCKET`].
    #[inline(always)]
    pub fn entries(self, bucket: usize) -> impl Iterator<Item = (At, &'a Chunk)> {
        let mut at = self.first(bucket).load(Relaxed);
        let next = move || {
            let here = (at, self.chunk(at)?);
            at = here.1.next();
            Some(here)
        };
        std::iter::from_fn(next).take(MOST_IN_BUCKET)
    }

    /// The entry of `key`, expired or not.
    #[inline(always)]
    pub fn find(self, hash: u32, key: &[u8]) -> Option<(At, &'a Chunk)> {
        for (at, chunk) in self.entries(self.bucket(hash)) {
            if chunk.is(hash, key.len()) && self.has_key(at, chunk, key) {
                return Some((at, chunk));
            }
        }
        None
    }

    #[inline(always)]
    fn has_key(self, at: At, chunk: &Chunk, key: &[u8]) -> bool {
        // Most keys lie in one piece.
        if let Some(words) = chunk.data(true).get(..words_for(key.len())) {
            return holds(words, key);
        }
        let mut rest = key;
        for part in self.parts(at, 0, words_for(key.len())) {
            let (here, behind) = rest.split_at(rest.len().min(part.len() * 8));
            if !holds(part, here) {
                return false;
            }
            rest = behind;
        }
        rest.is_empty()
    }

    /// The entry's stream of words, from word `skip` on, `len` of them or as many as there are.
    #[inline(always)]
    pub fn parts(self, first: At, mut skip: usize, mut len: usize) -> impl Iterator<Item = &'a [AtomicU64]> {
        let mut at = first;
        std::iter::from_fn(move || {
            let mut part: &[AtomicU64] = &[];
            while len > 0 && part.is_empty() {
                let chunk = self.chunk(at)?;
                let here = chunk.data(at == first);
                part = here.get(skip..).unwrap_or_default();
                part = &part[..part.len().min(len)];
                (skip, len, at) = (skip.saturating_sub(here.len()), len - part.len(), chunk.link());
            }
            (!part.is_empty()).then_some(part)
        })
    }

    /// Writes the entry's key to `out`, over what was there.
    pub fn copy_key(self, at: At, head: &Head, out: &mut Vec<u8>) -> Result<(), Torn> {
        self.copy(at, 0, head.key_len.into(), out)
    }

    /// Writes the entry's value to `out`, over what was there.
    #[inline(always)]
    pub fn copy_value(self, at: At, head: &Head, out: &mut Vec<u8>) -> Result<(), Torn> {
        self.copy(at, words_for(head.key_len.into()), head.value_len as usize, out)
    }

    #[inline(always)]
    fn copy(self, at: At, skip: usize, len: usize, out: &mut Vec<u8>) -> Result<(), Torn> {
        out.resize(words_for(len) * 8, 0);
        let mut rooms = out.as_chunks_mut().0;
        for part in self.parts(at, skip, rooms.len()) {
            let (here, rest) = rooms.split_at_mut(part.len());
            here.iter_mut().zip(part).for_each(|(room, word)| *room = word.load(Relaxed).to_ne_bytes());
            rooms = rest;
        }
        if !rooms.is_empty() {
            return Err(Torn);
        }
        out.truncate(len);
        Ok(())
    }
}

/// One of `count` places, from the whole range of hashes.
pub(super) fn scale(hash: u32, count: usize) -> usize {
    ((u64::from(hash) * count as u64) >> 32) as usize
}

/// Are these the words of `bytes`, of which there are as many?
fn holds(words: &[AtomicU64], bytes: &[u8]) -> bool {
    let (whole, rest) = bytes.as_chunks();
    let same = words.iter().zip(whole).all(|(word, bytes)| word.load(Relaxed) == u64::from_ne_bytes(*bytes));
    same && (rest.is_empty() || words.last().is_some_and(|word| word.load(Relaxed) == last_word(bytes)))
}
