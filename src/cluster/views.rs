//! What all processes of a host know about the marks of a pair, in shared memory.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::copies::{Mark, Side, View};
use crate::hash::fnv1a;

/// Bits of a mark within its word: tenths of seconds since 1970, doubled, fit until the year 3700.
const MARK_BITS: u32 = 40;

/// The view of one pair. Each word holds a mark and, above it, the tag of the pair it belongs to, so that a home with a new partner
/// starts anew. All zero: nothing is known.
#[derive(Debug, Default)]
#[repr(C)]
pub struct PairCell {
    marks: [AtomicU64; 2],
}

impl PairCell {
    /// What is known of the pair with this tag.
    #[must_use]
    pub fn view(&self, tag: u32) -> View {
        let [home, partner] = Side::BOTH.map(|side| mark(self.marks[side as usize].load(Relaxed), tag));
        View { home, partner }
    }

    /// Takes over what is newer in `view`.
    pub fn merge(&self, tag: u32, view: &View) {
        for side in Side::BOTH {
            let (cell, new) = (&self.marks[side as usize], view.of(side));
            if new.0 >> MARK_BITS != 0 || mark(cell.load(Relaxed), tag) >= new {
                continue;
            }
            let word = u64::from(tag) << MARK_BITS | new.0;
            let _ = cell.fetch_update(Relaxed, Relaxed, |old| (mark(old, tag) < new).then_some(word));
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.marks.iter().for_each(|mark| mark.store(0, Relaxed));
    }
}

fn mark(word: u64, tag: u32) -> Mark {
    let (of, mark) = (word >> MARK_BITS, word & ((1 << MARK_BITS) - 1));
    if of == u64::from(tag) { Mark(mark) } else { Mark::UNKNOWN }
}

/// The tag of a pair's name: 24 bits.
#[must_use]
pub fn tag(name: &[u8]) -> u32 {
    (fnv1a(name) >> MARK_BITS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_only_grow() {
        let cell = PairCell::default();
        assert_eq!(cell.view(7), View::default());
        cell.merge(7, &View { home: Mark(10), partner: Mark(0) });
        cell.merge(7, &View { home: Mark(9), partner: Mark(5) });
        assert_eq!(cell.view(7), View { home: Mark(10), partner: Mark(5) });
        cell.clear();
        assert_eq!(cell.view(7), View::default());
    }

    #[test]
    fn another_partner_starts_anew() {
        let (one, two) = (tag(b"a/b"), tag(b"a/c"));
        assert!(one != two && one >> 24 == 0);
        let cell = PairCell::default();
        cell.merge(one, &View { home: Mark(10), partner: Mark(10) });
        assert_eq!(cell.view(two), View::default());
        cell.merge(two, &View { home: Mark(3), partner: Mark(0) });
        assert_eq!(cell.view(two).home, Mark(3));
        assert_eq!(cell.view(one), View { home: Mark(0), partner: Mark(10) });
    }

    #[test]
    fn a_number_that_is_no_mark_is_not_kept() {
        let cell = PairCell::default();
        cell.merge(1, &View { home: Mark(u64::MAX), partner: Mark(1 << 40) });
        assert_eq!(cell.view(1), View::default());
    }
}
