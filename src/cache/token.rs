//! What a worker remembers between two calls: tokens of entries it read, fencing numbers of locks it took.

use crate::cluster::copies;
use crate::cluster::seats::Seat;

/// How many entries of either kind are remembered; the oldest makes room.
const KEPT: usize = 16;

/// What a reading of an entry is worth to whoever wants to replace it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Token {
    /// Nothing: the copies are not settled.
    #[default]
    Unsettled,
    /// The entry's number where it has one copy, and the seat under which it was read.
    One { cas: u64, seat: Seat },
    /// Where it has two.
    Two(copies::Token),
}

/// What a reading of an entry is worth, and the number that the tag of its key had: 0 without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    pub token: Token,
    pub tag: u64,
}

/// The tokens of the last entries read, each valid within the scope (SIP message) of its reading.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    slots: [Slot<Hold>; KEPT],
    next: usize,
}

/// The fencing numbers of locks held.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    slots: [Slot<u64>; KEPT],
    next: usize,
}

#[derive(Debug, Default)]
struct Slot<T> {
    used: bool,
    scope: u64,
    table: usize,
    key: Vec<u8>,
    kept: T,
}

impl<T> Slot<T> {
    fn is(&self, scope: u64, table: usize, key: &[u8]) -> bool {
        self.used && self.scope == scope && self.table == table && self.key == key
    }
}

fn keep<T>(slots: &mut [Slot<T>; KEPT], next: &mut usize, scope: u64, table: usize, key: &[u8], kept: T) {
    let known = slots.iter().position(|slot| slot.is(scope, table, key));
    let slot = &mut slots[known.unwrap_or(*next)];
    if known.is_none() {
        *next = (*next + 1) % KEPT;
        slot.key.clear();
        slot.key.extend_from_slice(key);
    }
    (slot.used, slot.scope, slot.table, slot.kept) = (true, scope, table, kept);
}

impl Tokens {
    pub fn keep(&mut self, scope: u64, table: usize, key: &[u8], hold: Hold) {
        keep(&mut self.slots, &mut self.next, scope, table, key, hold);
    }

    /// The token of an entry read in this scope; a token serves once.
    pub fn take(&mut self, scope: u64, table: usize, key: &[u8]) -> Option<Hold> {
        let slot = self.slots.iter_mut().find(|slot| slot.is(scope, table, key))?;
        slot.used = false;
        Some(slot.kept)
    }
}

impl Fences {
    pub fn keep(&mut self, table: usize, key: &[u8], fence: u64) {
        keep(&mut self.slots, &mut self.next, 0, table, key, fence);
    }

    pub fn find(&self, table: usize, key: &[u8]) -> Option<u64> {
        self.slots.iter().find(|slot| slot.is(0, table, key)).map(|slot| slot.kept)
    }

    pub fn drop(&mut self, table: usize, key: &[u8]) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.is(0, table, key)) {
            slot.used = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(cas: u64) -> Hold {
        Hold { token: Token::One { cas, seat: Seat::UNKNOWN }, tag: cas + 1 }
    }

    #[test]
    fn a_token_belongs_to_its_message_and_serves_once() {
        let mut tokens = Tokens::default();
        tokens.keep(1, 0, b"alice", one(7));
        assert_eq!(tokens.take(2, 0, b"alice"), None, "another message");
        assert_eq!(tokens.take(1, 1, b"alice"), None, "another table");
        assert_eq!(tokens.take(1, 0, b"bob"), None, "another key");
        assert_eq!(tokens.take(1, 0, b"alice"), Some(one(7)));
        assert_eq!(tokens.take(1, 0, b"alice"), None, "taken already");
    }

    #[test]
    fn a_second_reading_replaces_the_token_and_the_oldest_makes_room() {
        let mut tokens = Tokens::default();
        tokens.keep(1, 0, b"alice", one(7));
        tokens.keep(1, 0, b"alice", one(8));
        assert_eq!(tokens.take(1, 0, b"alice"), Some(one(8)));
        tokens.keep(1, 0, b"first", one(1));
        for i in 0..KEPT {
            tokens.keep(1, 0, format!("k{i}").as_bytes(), one(2));
        }
        assert_eq!(tokens.take(1, 0, b"first"), None);
        assert_eq!(tokens.take(1, 0, b"k15"), Some(one(2)));
    }

    #[test]
    fn a_fence_is_found_until_it_is_dropped() {
        let mut fences = Fences::default();
        fences.keep(0, b"alice", 7);
        assert_eq!(fences.find(0, b"alice"), Some(7));
        assert_eq!(fences.find(0, b"bob"), None);
        fences.drop(0, b"alice");
        assert_eq!(fences.find(0, b"alice"), None);
    }
}
