//! The host's own store: byte-string entries with TTL in memory that all processes of the host share.
//!
//! Used when no server is configured. Keys spread over shards by a keyed hash (so that nobody can aim at one bucket);
//! each shard has its own lock. Nothing waits longer than the deadline it is given, and a process may be killed at
//! any instruction: at worst one shard is emptied, which a cache may do at any time, and counted in `resets`.
//! Times are seconds of any clock that all callers share; an entry with TTL `n` put at `t` is gone at `t + n`.

mod chunk;
mod lock;
mod number;
mod raw;
mod scan;
mod shard;

#[cfg(test)]
mod forks;
#[cfg(test)]
mod model;
#[cfg(test)]
mod rules;

pub use number::Delta;
pub use scan::{Entry, Page, Stats};

use super::Region;
use crate::clock::Deadline;
use chunk::{At, Head};
use lock::Locked;
use raw::Raw;
use shard::Shard;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::Ordering;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 65_536;

/// The longest value, in bytes; a store below 4 MiB may take less (see [`Store::limit`]).
pub const MAX_VALUE: usize = 1_000_000;

/// Why nothing could be said or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Another process held that part of the store until the deadline passed.
    #[error("local store busy")]
    Busy,
    #[error("key longer than {MAX_KEY} bytes")]
    KeyTooLong,
}

/// When to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Set,
    /// Only if there is nothing.
    Add,
    /// Only if there is something.
    Replace,
    /// Only if the entry still has this cas number.
    Cas(u64),
}

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Stored {
        cas: u64,
    },
    /// `Add` found something, or `Replace` nothing.
    NotStored,
    /// `Cas` found another number.
    Exists,
    /// `Cas` found nothing.
    NotFound,
    /// The value has more than `limit` bytes; what was stored before stays.
    TooLarge {
        limit: usize,
    },
}

/// What became of a remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    Done,
    NotFound,
    /// It has another cas number than the one asked for.
    Exists,
}

/// What is known of an entry besides its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    pub flags: u32,
    pub cas: u64,
    /// When it will be gone; 0 = never.
    pub expires_s: u64,
    /// When it was put.
    pub stored_s: u64,
}

/// What to put beside the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub flags: u32,
    /// Seconds; 0 = for ever.
    pub ttl_s: u32,
    pub now_s: u64,
}

/// The store. Made once, before the host forks; every child uses its copy of this handle.
#[derive(Debug)]
pub struct Store {
    raw: Raw,
    hasher: RandomState,
}

impl Store {
    /// A store in `bytes` of new shared memory (at least 256 KiB).
    ///
    /// # Errors
    /// What the kernel says when it has no room.
    pub fn create(bytes: usize) -> io::Result<Self> {
        super::owner::forget_pid_on_fork();
        Ok(Self { raw: Raw::new(Region::anonymous(bytes.max(raw::LEAST))?), hasher: RandomState::new() })
    }

    /// The longest value that can be stored under a key of so many bytes.
    #[must_use]
    pub fn limit(&self, key_len: usize) -> usize {
        chunk::bytes_in(self.raw.chunks() / 2).saturating_sub(key_len).min(MAX_VALUE)
    }

    /// Reads the entry into `out` (emptied first; its buffer is reused).
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn get(&self, key: &[u8], now_s: u64, out: &mut Vec<u8>, deadline: Deadline) -> Result<Option<Hit>, Fault> {
        out.clear();
        let (mut locked, hash) = self.lock(key, deadline)?;
        let Some((at, head)) = live(&mut locked, hash, key, now_s) else { return Ok(None) };
        let shard = locked.shard();
        shard.copy_value(at, &head, out);
        shard.saw(at);
        Ok(Some(head.into()))
    }

    /// What is known of the entry without its value; does not count as use.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn look(&self, key: &[u8], now_s: u64, deadline: Deadline) -> Result<Option<Hit>, Fault> {
        let (mut locked, hash) = self.lock(key, deadline)?;
        Ok(live(&mut locked, hash, key, now_s).map(|(_, head)| head.into()))
    }

    /// Stores a value.
    ///
    /// # Errors
    /// See [`Fault`]; nothing was changed then.
    pub fn put(&self, mode: Mode, key: &[u8], value: &[u8], how: Terms, deadline: Deadline) -> Result<Put, Fault> {
        let (mut locked, hash) = self.lock(key, deadline)?;
        let limit = self.limit(key.len());
        if value.len() > limit {
            return Ok(Put::TooLarge { limit });
        }
        let old = live(&mut locked, hash, key, how.now_s);
        match (mode, old) {
            (Mode::Add, Some(_)) | (Mode::Replace, None) => return Ok(Put::NotStored),
            (Mode::Cas(_), None) => return Ok(Put::NotFound),
            (Mode::Cas(cas), Some((_, head))) if cas != head.cas => return Ok(Put::Exists),
            _ => {}
        }
        let head = self.new_head(hash, how);
        locked.change(|shard| store(shard, old, head, key, value, how.now_s));
        Ok(Put::Stored { cas: head.cas })
    }

    /// Gives the entry a new TTL; false if there is none.
    ///
    /// # Errors
    /// See [`Fault`]; nothing was changed then.
    pub fn touch(&self, key: &[u8], ttl_s: u32, now_s: u64, deadline: Deadline) -> Result<bool, Fault> {
        let (mut locked, hash) = self.lock(key, deadline)?;
        let Some((at, head)) = live(&mut locked, hash, key, now_s) else { return Ok(false) };
        locked.change(|shard| shard.set_head(at, &Head { expires_s: expiry(ttl_s, now_s), ..head }));
        locked.shard().saw(at);
        Ok(true)
    }

    /// Takes the entry away; with `cas` only if it still has that number.
    ///
    /// # Errors
    /// See [`Fault`]; nothing was changed then.
    pub fn remove(&self, key: &[u8], cas: Option<u64>, now_s: u64, deadline: Deadline) -> Result<Removed, Fault> {
        let (mut locked, hash) = self.lock(key, deadline)?;
        match live(&mut locked, hash, key, now_s) {
            None => Ok(Removed::NotFound),
            Some((_, head)) if cas.is_some_and(|cas| cas != head.cas) => Ok(Removed::Exists),
            Some((at, _)) => {
                locked.change(|shard| shard.remove(at));
                Ok(Removed::Done)
            }
        }
    }

    fn lock(&self, key: &[u8], deadline: Deadline) -> Result<(Locked<'_>, u32), Fault> {
        if key.len() > MAX_KEY {
            return Err(Fault::KeyTooLong);
        }
        let hash = self.hasher.hash_one(key);
        Ok((self.raw.lock((hash >> 32) as usize, deadline)?, hash as u32))
    }

    fn new_head(&self, hash: u32, how: Terms) -> Head {
        Head {
            next: 0,
            hash,
            key_len: 0,
            value_len: 0,
            flags: how.flags,
            cas: self.raw.cas().fetch_add(1, Ordering::Relaxed) + 1,
            expires_s: expiry(how.ttl_s, how.now_s),
            stored_s: how.now_s,
        }
    }
}

impl From<Head> for Hit {
    fn from(head: Head) -> Self {
        Self { flags: head.flags, cas: head.cas, expires_s: head.expires_s, stored_s: head.stored_s }
    }
}

/// The entry, if it is there and has not expired; an expired one is taken away.
fn live(locked: &mut Locked<'_>, hash: u32, key: &[u8], now_s: u64) -> Option<(At, Head)> {
    let (at, head) = locked.shard().find(hash, key)?;
    if !head.expired(now_s) {
        return Some((at, head));
    }
    locked.change(|shard| {
        shard.meta.expired += 1;
        shard.remove(at);
    });
    None
}

fn store(shard: &mut Shard<'_>, old: Option<(At, Head)>, head: Head, key: &[u8], value: &[u8], now_s: u64) {
    match old {
        Some((at, _)) => shard.rewrite(at, head, key, value, now_s),
        None => drop(shard.insert(head, key, value, now_s)),
    }
}

fn expiry(ttl_s: u32, now_s: u64) -> u64 {
    if ttl_s == 0 { 0 } else { now_s.saturating_add(u64::from(ttl_s)).max(1) }
}
