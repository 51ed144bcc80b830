//! The smallest piece of the store: 128 bytes, of which 8 are its links and marks and 15 words its own.
//!
//! An entry is a chain of chunks. The first one begins with the entry's [`Head`]; key and value follow as one stream
//! of words through the chain, each filled up with zeros to a whole word. Chunks are named by their number, counted from
//! 1, so that zeroed memory means "none". All is atomic, because readers look at it while it changes.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

/// A chunk's number, from 1; 0 is none.
pub(super) type At = u32;

/// What a chunk is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Tag {
    Free = 0,
    /// A later part of an entry.
    Body = 1,
    /// The first part of an entry that stands in the queue of the new ones.
    Small = 2,
    /// The first part of an entry that stands in the queue of the proven ones.
    Main = 3,
}

const WORDS: usize = 15;
const HEAD_WORDS: usize = 11;

/// Uses beyond so many are not counted.
const HOTTEST: u16 = 3;

#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Chunk {
    /// The next chunk of the entry, or of the free list.
    link: AtomicU32,
    tag: AtomicU16,
    /// Uses of the entry since eviction last looked at it. A reader that is late counts for whoever has the chunk then.
    heat: AtomicU16,
    words: [AtomicU64; WORDS],
}

/// What is known of an entry besides its key, its value and its neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub hash: u32,
    pub key_len: u32,
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

// Where a head's numbers lie: pairs of halves first, then whole words.
const NEXT_HASH: usize = 0;
const LENGTHS: usize = 1;
const FLAGS: usize = 2;
const QUEUE: usize = 3;
const CAS: usize = 4;
const EXPIRES: usize = 5;
const STORED: usize = 6;
const STAMP: usize = 7;
const NOTE: usize = 8;

impl Chunk {
    pub fn link(&self) -> At {
        self.link.load(Relaxed)
    }

    pub fn set_link(&self, link: At) {
        self.link.store(link, Relaxed);
    }

    pub fn tag(&self) -> Tag {
        match self.tag.load(Relaxed) {
            1 => Tag::Body,
            2 => Tag::Small,
            3 => Tag::Main,
            _ => Tag::Free,
        }
    }

    pub fn set_tag(&self, tag: Tag) {
        self.tag.store(tag as u16, Relaxed);
    }

    pub fn heat(&self) -> u16 {
        self.heat.load(Relaxed)
    }

    pub fn set_heat(&self, heat: u16) {
        self.heat.store(heat.min(HOTTEST), Relaxed);
    }

    /// Counts a use of the entry.
    pub fn saw(&self) {
        let heat = self.heat();
        if heat < HOTTEST {
            self.heat.store(heat + 1, Relaxed);
        }
    }

    /// The next entry of the bucket.
    pub fn next(&self) -> At {
        low(self.word(NEXT_HASH))
    }

    pub fn set_next(&self, next: At) {
        self.set(NEXT_HASH, pair(next, self.hash()));
    }

    pub fn hash(&self) -> u32 {
        high(self.word(NEXT_HASH))
    }

    pub fn key_len(&self) -> u32 {
        low(self.word(LENGTHS))
    }

    /// How many chunks the entry has.
    pub fn chunks(&self) -> usize {
        let lengths = self.word(LENGTHS);
        chunks_for(low(lengths) as usize, high(lengths) as usize)
    }

    /// The entries before and behind it in its queue: put in later, and earlier.
    pub fn neighbours(&self) -> (At, At) {
        let word = self.word(QUEUE);
        (low(word), high(word))
    }

    pub fn set_neighbours(&self, newer: At, older: At) {
        self.set(QUEUE, pair(newer, older));
    }

    pub fn head(&self) -> Head {
        let lengths = self.word(LENGTHS);
        Head {
            hash: self.hash(),
            key_len: low(lengths),
            value_len: high(lengths),
            flags: low(self.word(FLAGS)),
            cas: self.word(CAS),
            expires: self.word(EXPIRES),
            stored: self.word(STORED),
            stamp: self.word(STAMP),
            note: [self.word(NOTE), self.word(NOTE + 1), self.word(NOTE + 2)],
        }
    }

    /// Leaves the neighbours as they are.
    pub fn set_head(&self, head: &Head) {
        self.set(NEXT_HASH, pair(self.next(), head.hash));
        self.set(LENGTHS, pair(head.key_len, head.value_len));
        let [first, second, third] = head.note;
        let words = [(FLAGS, head.flags.into()), (CAS, head.cas), (EXPIRES, head.expires), (STORED, head.stored)];
        let own = [(STAMP, head.stamp), (NOTE, first), (NOTE + 1, second), (NOTE + 2, third)];
        words.into_iter().chain(own).for_each(|(at, word)| self.set(at, word));
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

fn low(word: u64) -> u32 {
    word as u32
}

fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
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

/// Up to 8 bytes as a word, filled up with zeros.
pub(super) fn word_of(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_ne_bytes(word)
}
