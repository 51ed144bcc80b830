//! The walk along the ring: who comes after the home.
//!
//! Lives on the stack up to 1,024 servers. The walk ends when every server was named, so it is bounded by one turn.

use super::Ring;

const INLINE: usize = 16;

/// Iterator over the slots of all servers of a [`Ring`], each once, nearest first.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    ring: &'a Ring,
    /// Where the walk began, and how many points it has passed.
    start: usize,
    passed: usize,
    left: usize,
    seen: Seen,
    /// Next server to ask about when the turn is over: one of tiny weight may own no point at all.
    rest: usize,
}

impl<'a> Order<'a> {
    pub(super) fn new(ring: &'a Ring, start: usize) -> Self {
        let slots = ring.slots.iter().max().map_or(0, |slot| slot + 1);
        Self { ring, start, passed: 0, left: ring.len(), seen: Seen::new(slots), rest: 0 }
    }

    fn on_the_ring(&mut self) -> Option<usize> {
        let owners = &self.ring.owners;
        while self.passed < owners.len() {
            let at = self.start + self.passed;
            self.passed += 1;
            let owner = owners[if at < owners.len() { at } else { at - owners.len() }] as usize;
            if self.seen.mark(owner) {
                return Some(owner);
            }
        }
        None
    }

    fn off_the_ring(&mut self) -> Option<usize> {
        while let Some(&slot) = self.ring.slots.get(self.rest) {
            self.rest += 1;
            if self.seen.mark(slot) {
                return Some(slot);
            }
        }
        None
    }
}

impl Iterator for Order<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        self.on_the_ring().or_else(|| self.off_the_ring())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Order<'_> {}
impl std::iter::FusedIterator for Order<'_> {}

/// One bit per slot.
#[derive(Clone, Debug)]
struct Seen {
    few: [u64; INLINE],
    many: Vec<u64>,
}

impl Seen {
    fn new(slots: usize) -> Self {
        Self { few: [0; INLINE], many: vec![0; slots.div_ceil(64).saturating_sub(INLINE)] }
    }

    /// True the first time.
    fn mark(&mut self, slot: usize) -> bool {
        let (word, bit) = (slot / 64, 1 << (slot % 64));
        let bits = if word < INLINE { &mut self.few[word] } else { &mut self.many[word - INLINE] };
        let fresh = *bits & bit == 0;
        *bits |= bit;
        fresh
    }
}
