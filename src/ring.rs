//! Who is at home where: ketama, point for point as libmemcached's KETAMA_WEIGHTED computes it.
//!
//! PHP, Python and C programs with the same server list therefore reach the same server. The ring is made once from
//! a list, in whatever order, and knows no health: when a home is away, the caller takes the next server of
//! [`Ring::order`], so only the keys of that server move. Cost of a look-up: one MD5 and one step or two along the ring.

use ::md5::{Digest as _, Md5};

mod md5;
mod order;

pub use order::Order;

/// Points each server has on average: 40 hashes of four points.
const POINTS: f32 = 160.0;
const POINTS_PER_HASH: f32 = 4.0;

/// A server to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// What the ring answers for it.
    pub slot: usize,
    /// In libmemcached's spelling.
    pub name: &'a str,
    /// 0 counts as 1.
    pub weight: u32,
}

/// The continuum of all servers of a list.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    /// Sorted by (point, name of the server); `owners` lies beside it so that a search touches points only.
    points: Vec<u32>,
    owners: Vec<u32>,
    /// By a hash's upper bits, the first point that may be at or after it: nearly always the one, or one before it.
    firsts: Vec<u32>,
    shift: u32,
    /// Of all servers, by their names.
    slots: Vec<usize>,
}

impl Ring {
    /// Places servers given as (name in libmemcached's spelling, weight), each in the slot of its place in the list.
    #[must_use]
    pub fn new(servers: &[(&str, u32)]) -> Self {
        Self::placed(servers.iter().enumerate().map(|(slot, &(name, weight))| Node { slot, name, weight }).collect())
    }

    /// Places servers, each in a slot of its own.
    #[must_use]
    pub fn placed(mut nodes: Vec<Node<'_>>) -> Self {
        nodes.sort_by_key(|node| node.name);
        let total: u64 = nodes.iter().map(|node| u64::from(node.weight.max(1))).sum();
        let mut places = Vec::with_capacity(nodes.len() * POINTS as usize);
        for (rank, node) in (0..).zip(&nodes) {
            for number in 0..hashes(node.weight, total, nodes.len()) {
                let digest = Md5::digest(format!("{}-{number}", node.name));
                places.extend(digest.chunks_exact(4).map(|chunk| (little_endian(chunk), rank)));
            }
        }
        places.sort_unstable();
        let slots: Vec<usize> = nodes.iter().map(|node| node.slot).collect();
        let (points, owners) =
            places.into_iter().map(|(point, rank): (u32, usize)| (point, slots[rank] as u32)).unzip();
        Self::of(points, owners, slots)
    }

    fn of(points: Vec<u32>, owners: Vec<u32>, slots: Vec<usize>) -> Self {
        let bits = points.len().next_power_of_two().ilog2().clamp(1, 20);
        let shift = u32::BITS - bits;
        let mut first = 0;
        let firsts = (0..1 << bits).map(|slot: u32| {
            first += points[first..].iter().take_while(|point| **point < slot << shift).count();
            first as u32
        });
        let firsts = firsts.collect();
        Self { points, owners, firsts, shift, slots }
    }

    /// The slot of the server that owns the key made of `parts` put together (the raw `table:key`, no generation).
    /// An empty ring has no home and answers 0.
    #[must_use]
    pub fn home(&self, parts: &[&[u8]]) -> usize {
        if let [only] = self.slots[..] {
            return only;
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
        self.slots.len()
    }

    /// True without any server.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
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
