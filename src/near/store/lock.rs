//! The lock of a shard: one word in shared memory, which names its holder.
//!
//! It is an [`owner`] word, with a mark while the holder is in the middle of a change: who takes it over from a
//! holder that died within one empties the shard.

use super::Fault;
use super::shard::Shard;
use crate::clock::Deadline;
use crate::near::owner;
use std::sync::atomic::{AtomicU64, Ordering, compiler_fence};

const CHANGING: u64 = owner::MARK;

/// A shard held by this process; dropping it lets go.
pub(super) struct Locked<'a> {
    word: &'a AtomicU64,
    shard: Shard<'a>,
    owner: u64,
    changing: bool,
}

impl<'a> Locked<'a> {
    /// Waits for the lock, at most until `deadline`; `open` gives the shard and is called once, under the lock.
    pub fn wait(word: &'a AtomicU64, deadline: Deadline, open: impl FnOnce() -> Shard<'a>) -> Result<Self, Fault> {
        let (owner, cut_short) = owner::take(word, deadline).ok_or(Fault::Busy)?;
        let mut locked = Self { word, shard: open(), owner, changing: cut_short };
        if cut_short {
            locked.shard.reset();
            locked.mark(false);
        }
        Ok(locked)
    }

    /// For looking, and for single stores that leave the shard whole.
    pub fn shard(&mut self) -> &mut Shard<'a> {
        &mut self.shard
    }

    /// For changes: whoever dies or unwinds inside leaves an empty shard, not a broken one.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Shard<'a>) -> T) -> T {
        self.mark(true);
        let done = change(&mut self.shard);
        self.mark(false);
        done
    }

    fn mark(&mut self, changing: bool) {
        compiler_fence(Ordering::SeqCst);
        self.changing = changing;
        self.word.store(self.owner | if changing { CHANGING } else { 0 }, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if self.changing {
            self.shard.reset();
        }
        self.word.store(0, Ordering::Release);
    }
}
