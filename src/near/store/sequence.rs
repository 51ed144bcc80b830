//! The protocol between those who read without a lock and the one who changes something: a sequence lock.
//!
//! The number is even while all is at rest and odd during a change. A reader takes whatever it finds by relaxed loads and
//! keeps it only if the number is the same before and after. Writers exclude each other by other means.
//! (The fences are those of H.-J. Boehm, "Can seqlocks get along with programming language memory models?", 2012.)

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// What the protocol needs of an atomic word; the check of all its interleavings brings its own.
pub(super) trait Word {
    fn load(&self, order: Ordering) -> u64;
    fn store(&self, number: u64, order: Ordering);
    fn fence(order: Ordering);
    /// Lets the writer get on, the longer the more often it was in the way.
    fn pause(round: u32);
}

impl Word for AtomicU64 {
    fn load(&self, order: Ordering) -> u64 {
        self.load(order)
    }

    fn store(&self, number: u64, order: Ordering) {
        self.store(number, order);
    }

    fn fence(order: Ordering) {
        fence(order);
    }

    fn pause(round: u32) {
        (0..1_u32 << round.min(6)).for_each(|_| spin_loop());
    }
}

/// What a reader found cannot be: somebody was changing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Torn;

/// The number of one group of entries. Zeroed memory is a group at rest.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(super) struct Sequence<W = AtomicU64>(W);

/// Since when a reader has been reading.
pub(super) struct Since<'a, W> {
    sequence: &'a Sequence<W>,
    number: u64,
}

impl<W: Word> Sequence<W> {
    #[cfg(test)]
    pub fn new(word: W) -> Self {
        Self(word)
    }

    /// Tries to read, at most `tries` times, until nobody was changing anything meanwhile. What `read` finds may be torn
    /// in any way as long as it does not ask [`Since::holds`].
    #[inline(always)]
    pub fn read<T>(&self, tries: u32, mut read: impl FnMut(&Since<'_, W>) -> Result<T, Torn>) -> Result<T, Torn> {
        for round in 0..tries {
            if let Ok(found) = self.once(&mut read) {
                return Ok(found);
            }
            W::pause(round);
        }
        Err(Torn)
    }

    #[inline(always)]
    fn once<T>(&self, read: &mut impl FnMut(&Since<'_, W>) -> Result<T, Torn>) -> Result<T, Torn> {
        let number = self.0.load(Ordering::Acquire);
        if number % 2 == 1 {
            return Err(Torn);
        }
        let since = Since { sequence: self, number };
        let found = read(&since)?;
        if since.holds() { Ok(found) } else { Err(Torn) }
    }

    /// Begins a change; one that was never ended goes on.
    pub fn open(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) | 1, Ordering::Relaxed);
        W::fence(Ordering::Release);
    }

    /// Ends a change.
    pub fn close(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    }

    /// To be called before memory is used again that a reader of any group may still be walking: who finds the new
    /// contents there finds the number raised that took the old ones away, be it by another writer.
    pub fn before_reuse() {
        W::fence(Ordering::Release);
    }
}

impl<W: Word> Since<'_, W> {
    /// True if nothing was changed since: all that was read is whole.
    pub fn holds(&self) -> bool {
        W::fence(Ordering::Acquire);
        self.sequence.0.load(Ordering::Relaxed) == self.number
    }
}
