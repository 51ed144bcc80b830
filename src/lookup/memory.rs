//! What one worker loaded while the cache could not be asked, for as long as a change may go unnoticed anyway.

use crate::value::frame::{Kept, Wire};

/// How many entries are remembered; the oldest makes room.
const SLOTS: usize = 16;

#[derive(Debug, Default)]
struct Slot {
    table: usize,
    key: Vec<u8>,
    entry: Kept,
    until_ms: u64,
}

/// The last entries loaded without a cache.
#[derive(Debug, Default)]
pub struct Memory {
    slots: [Slot; SLOTS],
    next: usize,
}

impl Memory {
    /// Keeps an entry until `until_ms`.
    pub fn keep(&mut self, table: usize, key: &[u8], wire: Wire<'_>, until_ms: u64) {
        let known = self.slots.iter().position(|slot| slot.table == table && slot.key == key);
        let slot = &mut self.slots[known.unwrap_or(self.next)];
        if known.is_none() {
            self.next = (self.next + 1) % SLOTS;
        }
        slot.key.clear();
        slot.key.extend_from_slice(key);
        slot.entry.keep(wire);
        (slot.table, slot.until_ms) = (table, until_ms);
    }

    /// An entry that was kept and may still be used at `now_ms`.
    #[must_use]
    pub fn find(&self, table: usize, key: &[u8], now_ms: u64) -> Option<Wire<'_>> {
        let slot = self.slots.iter().find(|slot| slot.table == table && slot.key == key && now_ms < slot.until_ms)?;
        Some(slot.entry.wire())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_remembered_for_its_moment_and_the_oldest_makes_room() {
        let mut memory = Memory::default();
        let wire = |data| Wire { data, flags: 7 };
        memory.keep(0, b"alice", wire(b"old"), 10);
        memory.keep(0, b"alice", wire(b"new"), 20);
        assert_eq!(memory.find(0, b"alice", 19), Some(wire(b"new")));
        assert_eq!(memory.find(0, b"alice", 20), None, "its moment is over");
        assert_eq!(memory.find(1, b"alice", 0), None, "another table");
        for i in 0..SLOTS {
            memory.keep(0, format!("k{i}").as_bytes(), wire(b""), 20);
        }
        assert_eq!(memory.find(0, b"alice", 0), None);
        assert_eq!(memory.find(0, b"k0", 0), Some(wire(b"")));
    }
}
