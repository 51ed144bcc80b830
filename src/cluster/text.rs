//! A text in shared memory that one process at a time replaces and every process reads without waiting.
//!
//! Two rooms and a version: the text of a version lies in the room of its parity. Whoever holds the owner's word writes
//! the other room and then the version, so a writer that is killed at any instruction has changed all or nothing. A
//! reader copies a room and looks at the version again: as long as that is the same, nobody has begun to
//! write there.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::clock::Deadline;
use crate::near::owner;

const OWNER: usize = 0;
const VERSION: usize = 1;
const ROOMS: usize = 2;
const WORD: usize = size_of::<u64>();
/// How often a reader begins again while the text changes under it.
const TRIES: usize = 100;

/// How many words a text of up to `bytes` needs. All zero: version 0, empty.
pub(super) const fn words(bytes: usize) -> usize {
    ROOMS + 2 * (1 + bytes.div_ceil(WORD))
}

/// The text in `words(n)` words of shared memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharedText<'a>(&'a [AtomicU64]);

impl<'a> SharedText<'a> {
    pub fn new(words: &'a [AtomicU64]) -> Self {
        Self(words)
    }

    /// Grows by one with each change.
    pub fn version(self) -> u64 {
        self.0[VERSION].load(Ordering::Relaxed)
    }

    /// The text and its version; `None` when it changed again and again meanwhile.
    pub fn read(self) -> Option<(u64, Vec<u8>)> {
        (0..TRIES).find_map(|_| {
            let version = self.0[VERSION].load(Ordering::Acquire);
            let text = self.copy(version);
            fence(Ordering::Acquire);
            (self.version() == version).then_some((version, text))
        })
    }

    /// Takes the right to change the text; `None` when another process has it up to the deadline.
    pub fn hold(self, deadline: Deadline) -> Option<Held<'a>> {
        owner::forget_pid_on_fork();
        owner::take(&self.0[OWNER], deadline).map(|_| Held(self))
    }

    fn room(self, version: u64) -> &'a [AtomicU64] {
        let (even, odd) = self.0[ROOMS..].split_at((self.0.len() - ROOMS) / 2);
        if version.is_multiple_of(2) { even } else { odd }
    }

    fn copy(self, version: u64) -> Vec<u8> {
        let Some((length, words)) = self.room(version).split_first() else { return Vec::new() };
        let length = usize::try_from(length.load(Ordering::Relaxed)).unwrap_or(usize::MAX).min(words.len() * WORD);
        let mut text = Vec::with_capacity(length.next_multiple_of(WORD));
        words[..length.div_ceil(WORD)].iter().for_each(|word| text.extend(word.load(Ordering::Relaxed).to_le_bytes()));
        text.truncate(length);
        text
    }
}

/// The right to change the text, until it is dropped.
#[derive(Debug)]
pub(super) struct Held<'a>(SharedText<'a>);

impl Held<'_> {
    /// The text, which nobody else changes now, and its version.
    pub fn text(&self) -> (u64, Vec<u8>) {
        let version = self.0.version();
        (version, self.0.copy(version))
    }

    /// The most a text may have, bytes.
    pub fn capacity(&self) -> usize {
        (self.0.room(0).len() - 1) * WORD
    }

    /// Replaces the text and returns its version; `None` when it does not fit.
    pub fn publish(&mut self, text: &[u8]) -> Option<u64> {
        let version = self.0.version() + 1;
        let (length, words) = self.0.room(version).split_first()?;
        if text.len() > self.capacity() {
            return None;
        }
        // Whoever sees a word of the new text sees that the version before it is no longer the newest.
        fence(Ordering::Release);
        length.store(text.len() as u64, Ordering::Relaxed);
        for (word, bytes) in words.iter().zip(text.chunks(WORD)) {
            let mut padded = [0; WORD];
            padded[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_le_bytes(padded), Ordering::Relaxed);
        }
        self.0.0[VERSION].store(version, Ordering::Release);
        Some(version)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0[OWNER].store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::near::Region;
    use crate::near::children::{Child, until};
    use std::time::Duration;

    const BYTES: usize = 1000;

    /// Shared with children, for the rest of the test's life.
    fn shared() -> SharedText<'static> {
        let region = Box::leak(Box::new(Region::anonymous(words(BYTES) * WORD).unwrap()));
        // SAFETY: the region is zeroed, page-aligned, as long as that many words, and never unmapped.
        SharedText::new(unsafe { std::slice::from_raw_parts(region.start().as_ptr().cast(), words(BYTES)) })
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(60))
    }

    #[test]
    fn a_text_reads_back_with_its_version() {
        let shared = shared();
        assert_eq!(shared.read(), Some((0, Vec::new())));
        for (version, text) in [(1, &b"one"[..]), (2, b"exactly8"), (3, b""), (4, &[7; BYTES])] {
            let mut held = shared.hold(soon()).unwrap();
            assert_eq!(held.publish(text), Some(version));
            assert_eq!(held.text(), (version, text.to_vec()));
            drop(held);
            assert_eq!(shared.read(), Some((version, text.to_vec())));
        }
        let mut held = shared.hold(soon()).unwrap();
        assert_eq!((held.capacity(), held.publish(&[0; BYTES + 1])), (BYTES, None));
        assert_eq!(shared.version(), 4);
    }

    #[test]
    fn one_process_at_a_time_may_change_it_and_the_others_do_not_wait_for_ever() {
        let shared = shared();
        let held = shared.hold(soon());
        assert!(shared.hold(Deadline::after(Duration::from_millis(5))).is_none());
        assert_eq!(shared.read(), Some((0, Vec::new())), "reading needs no right");
        drop(held);
        assert!(shared.hold(Deadline::after(Duration::from_millis(5))).is_some());
    }

    /// As many bytes of one letter as the letter says.
    fn sample(version: u64) -> Vec<u8> {
        let letter = (version % 200) as u8;
        vec![letter; usize::from(letter) * 5]
    }

    fn change(shared: SharedText<'_>) {
        let mut held = shared.hold(soon()).unwrap();
        let (version, text) = held.text();
        assert_eq!(text, sample(version), "the writer before was killed half-way");
        held.publish(&sample(version + 1)).unwrap();
    }

    #[test]
    fn writers_killed_at_any_instruction_leave_one_of_the_texts_whole() {
        let shared = shared();
        let reader = Child::fork(|| {
            let mut last = 0;
            while last < 6_000 {
                let Some((version, text)) = shared.read() else { continue };
                assert!(version >= last && text == sample(version), "{last}, {version}: {text:?}");
                last = version;
            }
        });
        for _ in 0..60 {
            let before = shared.version();
            let writers: Vec<Child> = (0..3)
                .map(|_| {
                    Child::fork(|| {
                        while shared.version() < u64::MAX {
                            change(shared)
                        }
                    })
                })
                .collect();
            until(|| shared.version() > before + 50);
            drop(writers);
            change(shared);
        }
        while shared.version() < 6_000 {
            change(shared);
        }
        assert!(reader.done());
    }
}
