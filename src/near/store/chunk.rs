//! The smallest piece of the store: 128 bytes, of which 8 are its links and marks and 15 words its own.
//!
//! An entry is a chain of chunks. The first one begins with the entry's [`Head`]; key and value follow as one stream
//! of words through the chain, each filled up with zeros to a whole word. Chunks are named by their number, counted from
//! 1, so that zeroed memory means "none". All is atomic, because readers look at it while it changes.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64};

/// A chunk's number in its shard, from 1; 0 is none.
pub(super) type At = u16;

/// Which queue an entry stands in; see `evict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Rank {
    Small = 0,
    Main = 1,
}

const WORDS: usize = 15;
const HEAD_WORDS: usize = 9;

/// Uses beyond so many are not counted.
const HOTTEST: u8 = 3;

#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Chunk {
    /// The next chunk of the entry, or of the free list.
    link: AtomicU16,
    /// The entries beside this one in its queue: put in later, and earlier.
    newer: AtomicU16,
    older: AtomicU16,
    rank: AtomicU8,
    /// Uses of the entry since eviction last looked at it. A reader that is late counts for whoever has the chunk then.
    heat: AtomicU8,
    words: [AtomicU64; WORDS],
}

/// What is known of an entry besides its key, its value and its neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub hash: u32,
    pub key_len: u16,
    pub value_len: u32,
    pub flags: u32,
    pub cas: u64,
    /// 0 = never.
    pub expires: u64,
    pub stored: u64,
    pub stamp: u64,
    pub note: [u64; 3],
}

impl Head {
    pub fn expired(&self, now: u64) -> bool {
        self.expires != 0 && now >= self.expires
    }

    /// Bytes of key and value.
    pub fn bytes(&self) -> u64 {
        u64::from(self.key_len) + u64::from(self.value_len)
    }
}

// Where a head's numbers lie: the first two words are shared, see `Chunk::head`.
const IDENTITY: usize = 0;
const SHAPE: usize = 1;
const CAS: usize = 2;
const EXPIRES: usize = 3;
const STORED: usize = 4;
const STAMP: usize = 5;
const NOTE: usize = 6;

impl Chunk {
    pub fn link(&self) -> At {
        self.link.load(Relaxed)
    }

    pub fn set_link(&self, link: At) {
        self.link.store(link, Relaxed);
    }

    pub fn rank(&self) -> Rank {
        if self.rank.load(Relaxed) == Rank::Main as u8 { Rank::Main } else { Rank::Small }
    }

    pub fn set_rank(&self, rank: Rank) {
        self.rank.store(rank as u8, Relaxed);
    }

    pub fn newer(&self) -> At {
        self.newer.load(Relaxed)
    }

    pub fn set_newer(&self, newer: At) {
        self.newer.store(newer, Relaxed);
    }

    pub fn older(&self) -> At {
        self.older.load(Relaxed)
    }

    pub fn set_older(&self, older: At) {
        self.older.store(older, Relaxed);
    }

    pub fn heat(&self) -> u8 {
        self.heat.load(Relaxed)
    }

    pub fn set_heat(&self, heat: u8) {
        self.heat.store(heat.min(HOTTEST), Relaxed);
    }

    /// Counts a use of the entry.
    pub fn saw(&self) {
        let heat = self.heat();
        if heat < HOTTEST {
            self.heat.store(heat + 1, Relaxed);
        }
    }

    /// True if the entry has this hash and a key of this length.
    pub fn is(&self, hash: u32, key_len: usize) -> bool {
        let word = self.word(IDENTITY);
        word as u32 == hash && (word >> 48) as usize == key_len
    }

    pub fn hash(&self) -> u32 {
        self.word(IDENTITY) as u32
    }

    /// The next entry of the bucket.
    pub fn next(&self) -> At {
        (self.word(IDENTITY) >> 32) as At
    }

    pub fn set_next(&self, next: At) {
        self.set(IDENTITY, self.word(IDENTITY) & !(0xffff << 32) | u64::from(next) << 32);
    }

    /// How many chunks the entry has.
    pub fn chunks(&self) -> usize {
        chunks_for((self.word(IDENTITY) >> 48) as usize, (self.word(SHAPE) >> 32) as usize)
    }

    pub fn head(&self) -> Head {
        let (identity, shape) = (self.word(IDENTITY), self.word(SHAPE));
        Head {
            hash: identity as u32,
            key_len: (identity >> 48) as u16,
            flags: shape as u32,
            value_len: (shape >> 32) as u32,
            cas: self.word(CAS),
            expires: self.word(EXPIRES),
            stored: self.word(STORED),
            stamp: self.word(STAMP),
            note: [self.word(NOTE), self.word(NOTE + 1), self.word(NOTE + 2)],
        }
    }

    /// Leaves the next entry as it is.
    pub fn set_head(&self, head: &Head) {
        let identity = u64::from(head.hash) | u64::from(self.next()) << 32 | u64::from(head.key_len) << 48;
        let shape = u64::from(head.flags) | u64::from(head.value_len) << 32;
        let [first, second, third] = head.note;
        let words = [identity, shape, head.cas, head.expires, head.stored, head.stamp, first, second, third];
        words.into_iter().enumerate().for_each(|(at, word)| self.set(at, word));
    }

    /// The part of key and value that lies here.
    pub fn data(&self, first: bool) -> &[AtomicU64] {
        if first { &self.words[HEAD_WORDS..] } else { &self.words }
    }

    fn word(&self, at: usize) -> u64 {
        self.words[at].load(Relaxed)
    }

    fn set(&self, at: usize, word: u64) {
        self.words[at].store(word, Relaxed);
    }
}

/// How many words so many bytes take.
pub(super) const fn words_for(bytes: usize) -> usize {
    bytes.div_ceil(size_of::<u64>())
}

/// How many chunks an entry takes.
pub(super) const fn chunks_for(key_len: usize, value_len: usize) -> usize {
    let words = words_for(key_len) + words_for(value_len);
    1 + words.saturating_sub(WORDS - HEAD_WORDS).div_ceil(WORDS)
}

/// The longest value for a key of so many bytes in an entry of so many chunks.
pub(super) const fn value_room(chunks: usize, key_len: usize) -> usize {
    (chunks * WORDS).saturating_sub(HEAD_WORDS + words_for(key_len)) * size_of::<u64>()
}

/// What is left of `bytes` behind their whole words, filled up with zeros; not to be asked where nothing is.
pub(crate) fn last_word(bytes: &[u8]) -> u64 {
    let left = bytes.len() % 8;
    let word = match (bytes.last_chunk(), bytes.first_chunk(), bytes.last_chunk()) {
        // Cut from the last eight bytes, or put together from two halves that overlap.
        (Some(last), ..) => u64::from_le_bytes(*last) >> (8 * (8 - left)),
        (None, Some(low), Some(high)) => {
            u64::from(u32::from_le_bytes(*low)) | u64::from(u32::from_le_bytes(*high)) << (8 * (left - 4))
        }
        _ => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    word.to_le()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_what_is_left_behind_the_others() {
        let bytes: Vec<u8> = (1..=40).collect();
        for len in (1..=40).filter(|len| len % 8 != 0) {
            let left = &bytes[len / 8 * 8..len];
            let mut word = [0; 8];
            word[..left.len()].copy_from_slice(left);
            assert_eq!(last_word(&bytes[..len]).to_ne_bytes(), word, "{len}");
        }
    }
}
