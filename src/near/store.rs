//! Byte-string entries with TTL in memory that all processes of the host share.
//!
//! It holds the tables of a host without servers, and what a host with servers keeps near. Keys spread over shards by a
//! keyed hash (so that nobody can aim at one bucket). Readers take no lock (see `sequence`); those who change something
//! hold their shard's lock. Nothing waits longer than the deadline it is given, and a process may be killed at
//! any instruction: at worst one shard is emptied, which a cache may do at any time, and counted in `resets`.
//! Times are ticks of any clock that all callers share; an entry with TTL `n` put at `t` is gone at `t + n`. What goes
//! for lack of room is told in `evict`.

mod answer;
mod chunk;
mod evict;
mod keyed;
mod lock;
mod name;
mod number;
mod raw;
mod read;
mod scan;
mod sequence;
mod shard;
mod view;

#[cfg(test)]
mod forks;
#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod model;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod rules;

pub use answer::{Copied, Fault, Found, Hit, Mode, Put, Removed, Terms};
pub use name::spell;
pub use number::Delta;
pub use scan::{Entry, Page, Stats};

use super::Region;
use crate::clock::Deadline;
use chunk::{At, Chunk, Head};
use keyed::Keyed;
use lock::Locked;
use raw::Raw;
use shard::{New, Shard};
use std::io;
use std::sync::atomic::Ordering;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 65_535;

/// The longest value, in bytes; a store below 4 MiB may take less (see [`Store::limit`]).
pub const MAX_VALUE: usize = 1_000_000;

/// The store. Made once, before the host forks; every child uses its copy of this handle.
#[derive(Debug)]
pub struct Store {
    raw: Raw,
    keyed: Keyed,
}

impl Store {
    /// A store in `bytes` of new shared memory (at least 256 KiB).
    ///
    /// # Errors
    /// What the kernel says when it has no room.
    pub fn create(bytes: usize) -> io::Result<Self> {
        super::owner::forget_pid_on_fork();
        Ok(Self { raw: Raw::new(Region::anonymous(bytes.max(raw::LEAST))?), keyed: Keyed::new() })
    }

    /// The longest value that can be stored under a key of so many bytes.
    #[must_use]
    pub fn limit(&self, key_len: usize) -> usize {
        chunk::value_room(self.raw.chunks() / 2, key_len).min(MAX_VALUE)
    }

    /// Stores a value.
    ///
    /// # Errors
    /// See [`Fault`]; nothing was changed then.
    pub fn put(&self, mode: Mode, key: &[u8], value: &[u8], how: Terms, deadline: Deadline) -> Result<Put, Fault> {
        let (shard, hash) = self.checked(key)?;
        let limit = self.limit(key.len());
        if value.len() > limit {
            return Ok(Put::TooLarge { limit });
        }
        let mut locked = self.lock(shard, deadline)?;
        let old = live(&mut locked, hash, key, how.now);
        match (mode, old) {
            (Mode::Add, Some(_)) | (Mode::Replace, None) => return Ok(Put::NotStored),
            (Mode::Cas(_), None) => return Ok(Put::NotFound),
            (Mode::Cas(cas), Some((_, chunk))) if cas != chunk.head().cas => return Ok(Put::Exists),
            _ => {}
        }
        let head = self.new_head(hash, how);
        locked.change(|shard| store(shard, old, &New { head, key, value, now: how.now }));
        Ok(Put::Stored { cas: head.cas })
    }

    /// Stores a value, unless it is too large or somebody else is in the way until `deadline`; true if it was stored.
    pub fn keep(&self, key: &[u8], value: &[u8], how: Terms, deadline: Deadline) -> bool {
        matches!(self.put(Mode::Set, key, value, how, deadline), Ok(Put::Stored { .. }))
    }

    /// Gives the entry a new TTL; false if there is none.
    ///
    /// # Errors
    /// See [`Fault`]; nothing was changed then.
    pub fn touch(&self, key: &[u8], ttl: u64, now: u64, deadline: Deadline) -> Result<bool, Fault> {
        let (shard, hash) = self.checked(key)?;
        let mut locked = self.lock(shard, deadline)?;
        let Some((at, chunk)) = live(&mut locked, hash, key, now) else { return Ok(false) };
        locked.change(|shard| shard.set_expires(at, expiry(ttl, now)));
        chunk.saw();
        Ok(true)
    }

    /// Takes the entry away; with `cas` only if it still has that number.
    ///
    /// # Errors
    /// See [`Fault`]; nothing was changed then.
    pub fn remove(&self, key: &[u8], cas: Option<u64>, now: u64, deadline: Deadline) -> Result<Removed, Fault> {
        let (shard, hash) = self.checked(key)?;
        let mut locked = self.lock(shard, deadline)?;
        match live(&mut locked, hash, key, now) {
            None => Ok(Removed::NotFound),
            Some((_, chunk)) if cas.is_some_and(|cas| cas != chunk.head().cas) => Ok(Removed::Exists),
            Some((at, _)) => {
                locked.change(|shard| shard.remove(at));
                Ok(Removed::Done)
            }
        }
    }

    /// Sees to it that there is no entry.
    ///
    /// # Errors
    /// See [`Fault`]; nothing was changed then.
    pub fn void(&self, key: &[u8], deadline: Deadline) -> Result<(), Fault> {
        self.remove(key, None, 0, deadline).map(drop)
    }

    /// The shard's number, and the hash within it.
    fn place(&self, key: &[u8]) -> (usize, u32) {
        let hash = self.keyed.hash(key);
        ((hash >> 32) as usize, hash as u32)
    }

    fn checked(&self, key: &[u8]) -> Result<(usize, u32), Fault> {
        if key.len() > MAX_KEY { Err(Fault::KeyTooLong) } else { Ok(self.place(key)) }
    }

    fn lock(&self, shard: usize, deadline: Deadline) -> Result<Locked<'_>, Fault> {
        Locked::wait(self.raw.shard(shard), deadline)
    }

    fn new_head(&self, hash: u32, how: Terms) -> Head {
        let Terms { flags, ttl, now, stamp, note } = how;
        let cas = self.raw.cas().fetch_add(1, Ordering::Relaxed) + 1;
        Head { hash, flags, cas, expires: expiry(ttl, now), stored: now, stamp, note, ..Head::default() }
    }
}

/// The entry, if it is there and has not expired; an expired one is taken away.
fn live<'a>(locked: &mut Locked<'a>, hash: u32, key: &[u8], now: u64) -> Option<(At, &'a Chunk)> {
    let (at, chunk) = locked.view().find(hash, key)?;
    if !chunk.head().expired(now) {
        return Some((at, chunk));
    }
    locked.change(|shard| {
        shard.meta.expired.add(1);
        shard.remove(at);
    });
    None
}

fn store(shard: Shard<'_>, old: Option<(At, &Chunk)>, new: &New<'_>) {
    match old {
        Some((at, _)) => shard.replace(at, new),
        None => shard.insert(new),
    }
}

fn expiry(ttl: u64, now: u64) -> u64 {
    if ttl == 0 { 0 } else { now.saturating_add(ttl).max(1) }
}
