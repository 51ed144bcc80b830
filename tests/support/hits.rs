//! How often a cache has what it is asked for: traces made from a seed, and the caches that go through them.
#![allow(dead_code, reason = "each test and benchmark uses its part")]

use lru::LruCache;
use shardcache::clock::Deadline;
use shardcache::near::{Copied, Found, Store, Terms};
use std::num::NonZeroUsize;
use std::time::Duration;
use zipf::{Dice, Zipf};

#[path = "zipf.rs"]
mod zipf;

/// Keys that are asked for again and again; those of a scan have larger numbers.
pub const KEYS: usize = 200_000;

/// Requests from one change of popularity to the next, and from one scan to the next.
const EPOCH: usize = 50_000;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// The key of rank `r` with a probability like `r` to the power of minus this.
    Zipf(f64),
    /// The same, and for one fifth of the time a run of keys that are asked for so many times and never again.
    Scanned(f64, usize),
    /// So many keys in turn.
    Loop(usize),
    /// Like `Zipf`, but the 2,000 most popular keys are others each time.
    Shifting(f64),
}

/// So many requests, the same ones for the same seed.
pub fn trace(shape: Shape, requests: usize, seed: u64) -> Vec<u64> {
    let mut dice = Dice(seed);
    match shape {
        Shape::Loop(keys) => (0..requests).map(|at| (at % keys) as u64).collect(),
        Shape::Zipf(skew) => {
            let ranks = Zipf::new(KEYS, skew);
            (0..requests).map(|_| ranks.roll(&mut dice) as u64).collect()
        }
        Shape::Scanned(skew, times) => {
            let ranks = Zipf::new(KEYS, skew);
            let scan = |at: usize| at % EPOCH >= EPOCH / 5 * 4;
            let new = |at: usize| (KEYS + at / times) as u64;
            (0..requests).map(|at| if scan(at) { new(at) } else { ranks.roll(&mut dice) as u64 }).collect()
        }
        Shape::Shifting(skew) => {
            let ranks = Zipf::new(KEYS, skew);
            let shift = |at: usize| at / EPOCH * 2_000;
            (0..requests).map(|at| ((ranks.roll(&mut dice) + shift(at)) % KEYS) as u64).collect()
        }
    }
}

/// A cache that is asked for keys.
pub trait Asked {
    /// True if it had the key; if not, it gets it.
    fn ask(&mut self, key: u64) -> bool;

    /// The part of the requests that it had the key for, once the first quarter of them has warmed it up.
    fn hits(&mut self, trace: &[u64]) -> f64 {
        let (warm, counted) = trace.split_at(trace.len() / 4);
        for key in warm {
            self.ask(*key);
        }
        counted.iter().filter(|key| self.ask(**key)).count() as f64 / counted.len() as f64
    }
}

/// The store; each entry takes one chunk.
pub struct Near {
    store: Store,
    copied: Copied,
}

impl Near {
    pub fn new(bytes: usize) -> Self {
        Self { store: Store::create(bytes).expect("shared memory"), copied: Copied::default() }
    }

    /// How many entries it has room for.
    pub fn room(&self) -> usize {
        self.store.stats(soon()).expect("the store's numbers").capacity as usize / 128
    }
}

impl Asked for Near {
    fn ask(&mut self, key: u64) -> bool {
        let key = key.to_ne_bytes();
        let hit = self.store.find(&key, 1, |_| true, &mut self.copied) == Found::Hit;
        if !hit {
            assert!(self.store.keep(&key, &key, Terms { now: 1, ..Terms::default() }, soon()), "kept");
        }
        hit
    }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

/// Throws out what was not used for longest.
pub fn lru(room: usize) -> LruCache<u64, ()> {
    LruCache::new(NonZeroUsize::new(room).expect("room for an entry"))
}

impl Asked for LruCache<u64, ()> {
    fn ask(&mut self, key: u64) -> bool {
        self.get(&key).is_some() || self.put(key, ()).is_some()
    }
}
