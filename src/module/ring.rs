//! A ring of buffers for values on their way to the script.
//!
//! The host keeps only a pointer to a getter's text while it evaluates an expression, and an expression may hold
//! several. Sixteen stay valid at a time; after warm-up a value costs no allocation.

use crate::host::ffi::kstr;
use crate::host::text;

const SLOTS: usize = 16;
/// A slot that grew beyond this gives its memory back on its next small value.
const KEEP: usize = 64 * 1024;

/// Texts that live until sixteen others were kept.
#[derive(Default)]
pub struct Ring {
    slots: [Slot; SLOTS],
    next: usize,
}

struct Slot {
    bytes: Vec<u8>,
    /// What the host reads, in one piece: a processor would wait if it had just been written in two.
    text: kstr,
}

impl Default for Slot {
    fn default() -> Self {
        Self { bytes: Vec::new(), text: text::view(b"") }
    }
}

impl Slot {
    /// Makes room for so many bytes and a NUL, and the text of them. Most often both are as they were.
    #[inline(always)]
    fn shape(&mut self, len: usize) {
        self.bytes.clear();
        if self.bytes.capacity() > KEEP && len < KEEP {
            self.bytes = Vec::new();
        }
        self.bytes.reserve(len + 1);
        let text = text::span(self.bytes.as_ptr(), len);
        if (self.text.s, self.text.len) != (text.s, text.len) {
            self.text = text;
        }
    }
}

impl Ring {
    /// Copies `bytes` and gives them the host's shape. A NUL follows them, for readers that trust C strings.
    #[inline(always)]
    pub fn keep(&mut self, bytes: &[u8]) -> &mut kstr {
        let slot = &mut self.slots[self.next];
        self.next = (self.next + 1) % SLOTS;
        slot.shape(bytes.len());
        slot.bytes.extend_from_slice(bytes);
        slot.bytes.push(0);
        &mut slot.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &kstr) -> &[u8] {
        // SAFETY: kept by a ring that still lives, fewer than sixteen texts ago.
        unsafe { text::bytes(text) }
    }

    #[test]
    fn sixteen_texts_stay_valid() {
        let mut ring = Ring::default();
        for round in 0..3_u8 {
            let kept: Vec<kstr> = (0..16_u8).map(|i| *ring.keep(&[round, i, 0])).collect();
            for (i, text) in (0..).zip(&kept) {
                assert_eq!(bytes(text), [round, i, 0]);
            }
        }
    }

    #[test]
    fn a_slot_is_used_again_in_place_but_a_large_one_shrinks() {
        let mut ring = Ring::default();
        let round = |ring: &mut Ring, text: &[u8]| (0..SLOTS).map(|_| ring.keep(text).s).collect::<Vec<_>>();
        let first = round(&mut ring, &[1; 40]);
        assert_eq!(round(&mut ring, &[2; 40]), first);
        round(&mut ring, &vec![3; 1_000_000]);
        round(&mut ring, b"small");
        assert!(ring.slots.iter().all(|slot| slot.bytes.capacity() <= KEEP));
    }
}
