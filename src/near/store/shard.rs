//! A shard as its holder may change it.
//!
//! Zeroed memory is an empty shard. Invariant: the chunks of all entries and of the free list together are exactly the
//! `fresh` first ones, and `used` counts those of the entries. A new value is written into chunks that nobody can reach
//! yet; only the moment in which it takes its place in the bucket is a change that readers have to wait for.

use super::chunk::{At, Chunk, Head, chunks_for, last_word, words_for};
use super::sequence::Sequence;
use super::view::View;
use std::ops::Deref;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// An entry of so many chunks gets its new value where the old one is: readers are held up for a moment only.
const IN_PLACE: usize = 2;

/// Only the holder of the lock has one (see `lock`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Shard<'a>(View<'a>);

impl<'a> Deref for Shard<'a> {
    type Target = View<'a>;

    fn deref(&self) -> &View<'a> {
        &self.0
    }
}

/// What is put in: its head carries hash, flags, cas, times and the caller's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct New<'a> {
    pub head: Head,
    pub key: &'a [u8],
    pub value: &'a [u8],
    pub now: u64,
}

impl New<'_> {
    fn head(&self) -> Head {
        let (key_len, value_len) = (self.key.len() as u16, self.value.len() as u32);
        Head { key_len, value_len, ..self.head }
    }

    fn chunks(&self) -> usize {
        chunks_for(self.key.len(), self.value.len())
    }
}

impl<'a> Shard<'a> {
    /// To be called under the lock.
    pub fn held(view: View<'a>) -> Self {
        Self(view)
    }

    /// A chunk that is there because an entry or a queue names it.
    pub fn at(self, at: At) -> &'a Chunk {
        &self.chunks[at as usize - 1]
    }

    /// Forgets everything: for a shard whose holder died in the middle of a change.
    pub fn reset(self) {
        self.groups.iter().for_each(|group| group.sequence.open());
        self.groups.iter().flat_map(|group| &group.first).for_each(|first| first.store(0, Relaxed));
        let meta = self.meta;
        for link in
            [&meta.free, &meta.fresh, &meta.small.newest, &meta.small.oldest, &meta.main.newest, &meta.main.oldest]
        {
            link.store(0, Relaxed);
        }
        for number in [&meta.small.used, &meta.main.used, &meta.used, &meta.items, &meta.bytes] {
            number.set(0);
        }
        meta.resets.add(1);
        self.groups.iter().for_each(|group| group.sequence.close());
    }

    /// Puts a new entry in; it fits (see `Store::limit`).
    pub fn insert(self, new: &New<'_>) {
        let at = self.build(new);
        let first = self.first(self.bucket(new.head.hash));
        self.at(at).set_next(first.load(Relaxed));
        self.changing(new.head.hash, || first.store(at, Relaxed));
        self.enqueue(at, self.queue_for(new.head.hash), 0);
        self.count(&new.head());
    }

    /// Gives the entry `old` another value; that counts as a use.
    pub fn replace(self, old: At, new: &New<'_>) {
        let (chunk, head) = (self.at(old), self.at(old).head());
        let chunks = new.chunks();
        if chunks == chunk.chunks() && chunks <= IN_PLACE {
            self.changing(head.hash, || {
                chunk.set_head(&new.head());
                self.fill(old, new);
            });
            chunk.saw();
        } else {
            let (rank, heat) = (chunk.rank(), chunk.heat());
            self.unqueue(old);
            let at = self.build(new);
            self.at(at).set_next(chunk.next());
            self.changing(head.hash, || self.relink(old, at));
            self.release(old);
            self.enqueue(at, rank, heat + 1);
        }
        self.uncount(&head);
        self.count(&new.head());
    }

    /// Gives the entry another end.
    pub fn set_expires(self, at: At, expires: u64) {
        let chunk = self.at(at);
        let head = Head { expires, ..chunk.head() };
        self.changing(head.hash, || chunk.set_head(&head));
    }

    /// Takes the entry away.
    pub fn remove(self, at: At) {
        let (chunk, head) = (self.at(at), self.at(at).head());
        self.changing(head.hash, || self.relink(at, chunk.next()));
        self.unqueue(at);
        self.release(at);
        self.uncount(&head);
    }

    /// Readers of the entries with this hash take nothing that they see meanwhile.
    fn changing(self, hash: u32, change: impl FnOnce()) {
        let sequence = &self.group(hash).sequence;
        sequence.open();
        change();
        sequence.close();
    }

    /// Puts `new` where `old` stands in its bucket.
    fn relink(self, old: At, new: At) {
        let bucket = self.bucket(self.at(old).hash());
        match self.entries(bucket).find(|(_, chunk)| chunk.next() == old) {
            Some((_, before)) => before.set_next(new),
            None => self.first(bucket).store(new, Relaxed),
        }
    }

    fn count(self, head: &Head) {
        self.meta.items.add(1);
        self.meta.bytes.add(head.bytes());
    }

    fn uncount(self, head: &Head) {
        self.meta.items.sub(1);
        self.meta.bytes.sub(head.bytes());
    }

    /// The whole entry in chunks that nobody can reach.
    fn build(self, new: &New<'_>) -> At {
        let chunks = new.chunks();
        self.make_room(chunks, new.now);
        Sequence::<AtomicU64>::before_reuse();
        self.meta.used.add(chunks as u64);
        let first = self.pop();
        let last = (1..chunks).fold(first, |last, _| {
            let next = self.pop();
            self.at(last).set_link(next);
            next
        });
        self.at(last).set_link(0);
        self.at(first).set_head(&new.head());
        self.fill(first, new);
        first
    }

    fn fill(self, at: At, new: &New<'_>) {
        self.write(at, 0, new.key);
        self.write(at, words_for(new.key.len()), new.value);
    }

    /// Writes into the entry's stream of words, from word `skip` on.
    fn write(self, at: At, skip: usize, bytes: &[u8]) {
        let (mut words, tail) = bytes.as_chunks();
        for part in self.parts(at, skip, words_for(bytes.len())) {
            let (here, rest) = words.split_at(words.len().min(part.len()));
            here.iter().zip(part).for_each(|(word, place)| place.store(u64::from_ne_bytes(*word), Relaxed));
            if let Some(last) = part.get(here.len()) {
                last.store(last_word(tail), Relaxed);
            }
            words = rest;
        }
    }

    fn pop(self) -> At {
        let meta = self.meta;
        match meta.free.load(Relaxed) {
            0 => meta.fresh.fetch_add(1, Relaxed) + 1,
            at => {
                meta.free.store(self.at(at).link(), Relaxed);
                at
            }
        }
    }

    /// Gives back the chunks of an entry that nobody can find any more.
    fn release(self, first: At) {
        let (mut last, mut chunks) = (first, 1);
        while self.at(last).link() != 0 {
            (last, chunks) = (self.at(last).link(), chunks + 1);
        }
        self.at(last).set_link(self.meta.free.load(Relaxed));
        self.meta.free.store(first, Relaxed);
        self.meta.used.sub(chunks);
    }
}
