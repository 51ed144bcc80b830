//! Who is at home where: ketama, point for point as libmemcached's KETAMA_WEIGHTED computes it.
//!
//! PHP, Python and C programs with the same server list therefore reach the same server. The ring is made once from
//! the configured list and knows no health: when a home is away, the caller takes the next server of [`Ring::order`],
//! so only the keys of that server move. Cost of a look-up: one MD5 and one step or two along the ring.

use ::md5::{Digest as _, Md5};

mod md5;
mod order;

pub use order::Order;

/// Points each server has on average: 40 hashes of four points.
const POINTS: f32 = 160.0;
const POINTS_PER_HASH: f32 = 4.0;

/// The continuum of all configured servers.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    /// Sorted by (point, server); `owners` lies beside it so that a search touches points only.
    points: Vec<u32>,
    owners: Vec<u32>,
    /// By a hash's upper bits, the first point that may be at or after it: nearly always the one, or one before it.
    firsts: Vec<u32>,
    shift: u32,
    servers: usize,
}

impl Ring {
    /// Places servers given as (name in libmemcached's spelling, weight); weight 0 counts as 1.
    #[must_use]
    pub fn new(servers: &[(&str, u32)]) -> Self {
        let total: u64 = servers.iter().map(|(_, weight)| u64::from((*weight).max(1))).sum();
        let mut places = Vec::with_capacity(servers.len() * POINTS as usize);
        for (owner, (name, weight)) in (0..).zip(servers) {
            for number in 0..hashes(*weight, total, servers.len()) {
                let digest = Md5::digest(format!("{name}-{number}"));
                places.extend(digest.chunks_exact(4).map(|chunk| (little_endian(chunk), owner)));
            }
        }
        places.sort_unstable();
        let (points, owners) = places.into_iter().unzip();
        Self::of(points, owners, servers.len())
    }

    fn of(points: Vec<u32>, owners: Vec<u32>, servers: usize) -> Self {
        let bits = points.len().next_power_of_two().ilog2().clamp(1, 20);
        let shift = u32::BITS - bits;
        let first = |slot: u32| points.partition_point(|point| *point < slot << shift) as u32;
        let firsts = (0..1 << bits).map(first).collect();
        Self { points, owners, firsts, shift, servers }
    }

    /// The server that owns the key made of `parts` put together (the raw `table:key`, no generation).
    /// An empty ring has no home and answers 0.
    #[must_use]
    pub fn home(&self, parts: &[&[u8]]) -> usize {
        if self.servers == 1 {
            return 0;
        }
        self.owners.get(self.place(parts)).map_or(0, |owner| *owner as usize)
    }

    /// Calls `each` with the number of every key and the home of `head` and that key put together: cheaper than as many
    /// calls of [`Ring::home`].
    pub fn homes(&self, head: &[u8], keys: &[&[u8]], mut each: impl FnMut(usize, usize)) {
        for (first, keys) in (0..).step_by(md5::LANES).zip(keys.chunks(md5::LANES)) {
            for (at, hash) in md5::hashes(head, keys).into_iter().take(keys.len()).enumerate() {
                each(first + at, self.owners.get(self.after(hash)).map_or(0, |owner| *owner as usize));
            }
        }
    }

    /// Every server exactly once, as they follow on the ring from the key: the home first.
    pub fn order(&self, parts: &[&[u8]]) -> Order<'_> {
        Order::new(self, self.place(parts))
    }

    /// Number of servers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.servers
    }

    /// True without any server.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.servers == 0
    }

    fn place(&self, parts: &[&[u8]]) -> usize {
        self.after(md5::hash(parts))
    }

    /// Index of the first point at or after a key's hash; past the last one it wraps to the first.
    fn after(&self, hash: u32) -> usize {
        let first = self.firsts.get((hash >> self.shift) as usize).map_or(0, |first| *first as usize);
        let ahead = self.points[first..].iter().position(|point| *point >= hash);
        ahead.map_or(0, |ahead| first + ahead)
    }
}

/// Single precision and this order of steps are part of the contract: 25 equal servers get 39 hashes each, not 40.
fn hashes(weight: u32, total: u64, servers: usize) -> u32 {
    let share = weight.max(1) as f32 / total as f32;
    ((share * POINTS / POINTS_PER_HASH) * servers as f32 + 1e-10).floor() as u32
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests;
