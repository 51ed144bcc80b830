//! One shard: buckets of entries over a pool of chunks. Whoever holds it has it alone (see `lock`).
//!
//! Zeroed memory is an empty shard. When the pool runs out, the hand of a clock goes round the chunks: an entry used
//! since it last passed gets a second chance, any other goes. Invariant: the chunks of all entries and of the free
//! list together are exactly the `fresh` first ones, and `used` counts those of the entries.

use super::chunk::{At, BODY, Chunk, FREE, HEAD, Head, SEEN, chunks_for};

/// A shard's own numbers, in shared memory.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Meta {
    pub free: At,
    /// Chunks from here on were never used since the last reset.
    pub fresh: u32,
    pub hand: u32,
    pub used: u32,
    pub items: u64,
    pub bytes: u64,
    pub evictions: u64,
    pub expired: u64,
    pub resets: u64,
}

#[derive(Debug)]
pub(super) struct Shard<'a> {
    pub meta: &'a mut Meta,
    /// First entry of each bucket; a power of two of them.
    pub buckets: &'a mut [At],
    pub chunks: &'a mut [Chunk],
}

impl Shard<'_> {
    /// Forgets everything: for a shard whose holder died in the middle of a change.
    pub fn reset(&mut self) {
        self.buckets.fill(0);
        let Meta { evictions, expired, resets, .. } = *self.meta;
        *self.meta = Meta { evictions, expired, resets: resets + 1, ..Meta::default() };
    }

    pub fn chunk(&self, at: At) -> &Chunk {
        &self.chunks[at as usize - 1]
    }

    fn chunk_mut(&mut self, at: At) -> &mut Chunk {
        &mut self.chunks[at as usize - 1]
    }

    /// The entry of `key`, expired or not.
    pub fn find(&self, hash: u32, key: &[u8]) -> Option<(At, Head)> {
        let mut at = self.buckets[self.bucket(hash)];
        while at != 0 {
            let head = self.chunk(at).head();
            if head.hash == hash && head.key_len as usize == key.len() && self.has_key(at, key) {
                return Some((at, head));
            }
            at = head.next;
        }
        None
    }

    pub fn bucket(&self, hash: u32) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    /// Does the entry's key (with what follows it) begin with `key`?
    pub fn has_key(&self, mut at: At, mut key: &[u8]) -> bool {
        loop {
            let here = self.chunk(at).data();
            let (part, rest) = key.split_at(key.len().min(here.len()));
            if !here.starts_with(part) {
                return false;
            }
            if rest.is_empty() {
                return true;
            }
            (at, key) = (self.chunk(at).link, rest);
        }
    }

    /// The parts of the entry's key and value stream: `len` bytes from `skip` on.
    fn parts(&self, mut at: At, mut skip: usize, mut len: usize) -> impl Iterator<Item = &[u8]> {
        std::iter::from_fn(move || {
            let mut part: &[u8] = &[];
            while len > 0 && part.is_empty() {
                let chunk = self.chunk(at);
                let here = chunk.data();
                part = &here[skip.min(here.len())..];
                part = &part[..part.len().min(len)];
                (skip, len, at) = (skip.saturating_sub(here.len()), len - part.len(), chunk.link);
            }
            (!part.is_empty()).then_some(part)
        })
    }

    /// Appends the entry's key to `out`.
    pub fn copy_key(&self, at: At, head: &Head, out: &mut Vec<u8>) {
        out.reserve(head.key_len as usize);
        self.parts(at, 0, head.key_len as usize).for_each(|part| out.extend_from_slice(part));
    }

    /// Appends the entry's value to `out`.
    pub fn copy_value(&self, at: At, head: &Head, out: &mut Vec<u8>) {
        out.reserve(head.value_len as usize);
        self.parts(at, head.key_len as usize, head.value_len as usize).for_each(|part| out.extend_from_slice(part));
    }

    /// The entry's value, if it fits into `room`; else nothing.
    pub fn text<'b>(&self, at: At, head: &Head, room: &'b mut [u8; 24]) -> &'b [u8] {
        let len = head.value_len as usize;
        if len > room.len() {
            return &[];
        }
        let mut done = 0;
        for part in self.parts(at, head.key_len as usize, len) {
            room[done..done + part.len()].copy_from_slice(part);
            done += part.len();
        }
        &room[..len]
    }

    fn fill(&mut self, mut at: At, mut skip: usize, mut from: &[u8]) {
        while !from.is_empty() {
            let chunk = self.chunk_mut(at);
            let here = chunk.data_mut();
            let long = here.len();
            let room = &mut here[skip.min(long)..];
            let (part, rest) = from.split_at(from.len().min(room.len()));
            room[..part.len()].copy_from_slice(part);
            skip = skip.saturating_sub(long);
            (at, from) = (chunk.link, rest);
        }
    }

    /// Marks the entry as used.
    pub fn saw(&mut self, at: At) {
        let chunk = self.chunk_mut(at);
        if chunk.tag != SEEN {
            chunk.tag = SEEN;
        }
    }

    /// Gives the entry new times.
    pub fn set_head(&mut self, at: At, head: &Head) {
        self.chunk_mut(at).set_head(head);
    }

    /// Takes the entry away.
    pub fn remove(&mut self, at: At) {
        let head = self.chunk(at).head();
        let bucket = self.bucket(head.hash);
        let mut before = self.buckets[bucket];
        if before == at {
            self.buckets[bucket] = head.next;
        } else {
            while self.chunk(before).head().next != at {
                before = self.chunk(before).head().next;
            }
            let chunk = self.chunk_mut(before);
            chunk.set_head(&Head { next: head.next, ..chunk.head() });
        }
        self.meta.items -= 1;
        self.meta.bytes -= u64::from(head.key_len) + u64::from(head.value_len);
        self.release(at);
    }

    fn release(&mut self, first: At) {
        let mut at = first;
        loop {
            self.meta.used -= 1;
            let free = self.meta.free;
            let chunk = self.chunk_mut(at);
            chunk.tag = FREE;
            if chunk.link == 0 {
                chunk.link = free;
                break;
            }
            at = chunk.link;
        }
        self.meta.free = first;
    }

    /// Puts a new entry in; `head` carries flags, cas and times, and key and value fit (see `Store::limit`).
    pub fn insert(&mut self, head: Head, key: &[u8], value: &[u8], now_s: u64) -> At {
        let bucket = self.bucket(head.hash);
        let at = self.take(chunks_for(key.len() + value.len()), now_s);
        let head = Head { next: self.buckets[bucket], key_len: length(key), value_len: length(value), ..head };
        self.set_head(at, &head);
        self.fill(at, 0, key);
        self.fill(at, key.len(), value);
        self.buckets[bucket] = at;
        self.meta.items += 1;
        self.meta.bytes += (key.len() + value.len()) as u64;
        at
    }

    /// Gives the entry `at` another value, in its own chunks when they are as many as needed.
    pub fn rewrite(&mut self, at: At, head: Head, key: &[u8], value: &[u8], now_s: u64) {
        let old = self.chunk(at).head();
        if chunks_for(key.len() + value.len()) == old.chunks() {
            self.set_head(at, &Head { next: old.next, key_len: old.key_len, value_len: length(value), ..head });
            self.fill(at, key.len(), value);
            self.meta.bytes = self.meta.bytes - u64::from(old.value_len) + value.len() as u64;
            self.saw(at);
        } else {
            self.remove(at);
            let at = self.insert(head, key, value, now_s);
            self.saw(at);
        }
    }

    fn take(&mut self, count: usize, now_s: u64) -> At {
        self.make_room(count, now_s);
        let first = self.pop(HEAD);
        let mut last = first;
        for _ in 1..count {
            let next = self.pop(BODY);
            self.chunk_mut(last).link = next;
            last = next;
        }
        first
    }

    fn pop(&mut self, tag: u32) -> At {
        let at = match self.meta.free {
            0 => {
                self.meta.fresh += 1;
                self.meta.fresh
            }
            at => {
                self.meta.free = self.chunk(at).link;
                at
            }
        };
        self.meta.used += 1;
        let chunk = self.chunk_mut(at);
        (chunk.link, chunk.tag) = (0, tag);
        at
    }

    fn make_room(&mut self, count: usize, now_s: u64) {
        while self.chunks.len() - (self.meta.used as usize) < count {
            self.meta.hand = self.meta.hand % self.meta.fresh + 1;
            let at = self.meta.hand;
            let tag = self.chunk(at).tag;
            if tag != HEAD && tag != SEEN {
                continue;
            }
            if self.chunk(at).head().expired(now_s) {
                self.meta.expired += 1;
                self.remove(at);
            } else if tag == SEEN {
                self.chunk_mut(at).tag = HEAD;
            } else {
                self.meta.evictions += 1;
                self.remove(at);
            }
        }
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
