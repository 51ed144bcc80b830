//! The keys that a pass goes through, each once, in little memory.

use crate::key::Kind;

/// So many keys are kept at a time; a pair with more is walked in slices.
pub const MOST: usize = 250_000;
/// The keys' text takes so many bytes at most.
const TEXT: usize = 64 << 20;

/// One key of a catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    pub kind: Kind,
    pub table: usize,
    pub key: &'a [u8],
    /// The larger of its items, bytes.
    pub size: u32,
}

/// The keys of one slice.
#[derive(Debug, Default)]
pub struct Catalogue {
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// Keys there was no room for.
    left_out: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: Kind,
    at: usize,
    len: u32,
    table: u32,
    size: u32,
}

impl Catalogue {
    /// Adds a key. One too many is only counted.
    pub fn add(&mut self, kind: Kind, table: usize, key: &[u8], size: u32) {
        let at = self.text.len();
        let numbers = u32::try_from(key.len()).ok().zip(u32::try_from(table).ok());
        match numbers {
            Some((len, table)) if self.entries.len() < 2 * MOST && at + key.len() <= TEXT => {
                self.text.extend_from_slice(key);
                self.entries.push(Entry { kind, at, len, table, size });
            }
            _ => self.leave_out(),
        }
    }

    /// Counts a key for which there is no room.
    pub fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// Brings the keys into order, so that one which both servers listed stands there once.
    pub fn settle(&mut self) {
        let text = &self.text;
        let name = |entry: &Entry| (entry.kind as u8, entry.table, &text[entry.at..entry.at + entry.len as usize]);
        self.entries.sort_unstable_by(|a, b| name(a).cmp(&name(b)));
        self.entries.dedup_by(|gone, kept| {
            let same = name(gone) == name(kept);
            if same {
                kept.size = kept.size.max(gone.size);
            }
            same
        });
    }

    #[must_use]
    pub fn get(&self, at: usize) -> Option<Key<'_>> {
        let Entry { kind, at, len, table, size } = *self.entries.get(at)?;
        Some(Key { kind, table: table as usize, key: &self.text[at..at + len as usize], size })
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many slices would have held all keys; 1 when this one does.
    #[must_use]
    pub fn slices(&self) -> u32 {
        let all = self.entries.len() + self.left_out;
        let fit = if self.left_out == 0 { 1 } else { 1 + all.div_ceil(MOST) };
        u32::try_from(fit).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_both_servers_list_stands_there_once() {
        let mut keys = Catalogue::default();
        for (table, key, size) in [(1, "b", 5), (0, "b", 1), (0, "ab", 1), (0, "b", 9), (0, "a", 2)] {
            keys.add(Kind::Entry, table, key.as_bytes(), size);
        }
        keys.add(Kind::Lock, 0, b"a", 3);
        keys.settle();
        let all: Vec<_> = (0..keys.len()).filter_map(|at| keys.get(at)).map(|k| (k.table, k.key, k.size)).collect();
        assert_eq!(all, [(0, &b"a"[..], 2), (0, b"ab", 1), (0, b"b", 9), (1, b"b", 5), (0, b"a", 3)]);
        assert_eq!((keys.get(5), keys.slices()), (None, 1));
    }

    #[test]
    fn what_does_not_fit_tells_how_many_slices_would_do() {
        let mut keys = Catalogue::default();
        (0..2 * MOST + 1).for_each(|n| keys.add(Kind::Entry, 0, &n.to_be_bytes(), 1));
        assert_eq!((keys.len(), keys.slices()), (2 * MOST, 4));
        let mut long = Catalogue::default();
        (0..3).for_each(|_| long.add(Kind::Entry, 0, &vec![b'x'; TEXT / 2], 1));
        assert_eq!((long.len(), long.slices()), (2, 2));
    }
}
