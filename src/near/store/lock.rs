//! The lock of a shard: one word in shared memory, which names its holder.
//!
//! It is an [`owner`] word, with a mark while the holder is in the middle of a change: who takes it over from a
//! holder that died within one empties the shard.

use super::answer::Fault;
use super::shard::Shard;
use super::view::View;
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
    /// Waits for the lock, at most until `deadline`.
    pub fn wait((word, view): (&'a AtomicU64, View<'a>), deadline: Deadline) -> Result<Self, Fault> {
        let (owner, cut_short) = owner::take(word, deadline).ok_or(Fault::Busy)?;
        let mut locked = Self { word, shard: Shard::held(view), owner, changing: cut_short };
        if cut_short {
            locked.shard.reset();
            locked.mark(false);
        }
        Ok(locked)
    }

    /// For looking: nothing changes meanwhile.
    pub fn view(&self) -> View<'a> {
        *self.shard
    }

    /// For changes: whoever dies or unwinds inside leaves an empty shard, not a broken one.
    pub fn change<T>(&mut self, change: impl FnOnce(Shard<'a>) -> T) -> T {
        self.mark(true);
        let done = change(self.shard);
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
