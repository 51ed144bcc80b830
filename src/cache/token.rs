//! What a worker remembers between two calls: tokens of entries it read, fencing numbers of locks it took.

/// How many entries of either kind are remembered; the oldest makes room.
const KEPT: usize = 16;

/// The tokens of the last entries read, each valid within the scope (SIP message) of its reading.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    slots: [Slot; KEPT],
    next: usize,
}

/// The fencing numbers of locks held.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    slots: [Slot; KEPT],
    next: usize,
}

#[derive(Debug, Default)]
struct Slot {
    used: bool,
    scope: u64,
    table: usize,
    key: Vec<u8>,
    number: u64,
}

impl Slot {
    fn is(&self, scope: u64, table: usize, key: &[u8]) -> bool {
        self.used && self.scope == scope && self.table == table && self.key == key
    }
}

fn keep(slots: &mut [Slot; KEPT], next: &mut usize, scope: u64, table: usize, key: &[u8], number: u64) {
    let known = slots.iter().position(|slot| slot.is(scope, table, key));
    let slot = &mut slots[known.unwrap_or(*next)];
    if known.is_none() {
        *next = (*next + 1) % KEPT;
        slot.key.clear();
        slot.key.extend_from_slice(key);
    }
    (slot.used, slot.scope, slot.table, slot.number) = (true, scope, table, number);
}

impl Tokens {
    pub fn keep(&mut self, scope: u64, table: usize, key: &[u8], token: u64) {
        keep(&mut self.slots, &mut self.next, scope, table, key, token);
    }

    /// The token of an entry read in this scope; a token serves once.
    pub fn take(&mut self, scope: u64, table: usize, key: &[u8]) -> Option<u64> {
        let slot = self.slots.iter_mut().find(|slot| slot.is(scope, table, key))?;
        slot.used = false;
        Some(slot.number)
    }
}

impl Fences {
    pub fn keep(&mut self, table: usize, key: &[u8], fence: u64) {
        keep(&mut self.slots, &mut self.next, 0, table, key, fence);
    }

    pub fn find(&self, table: usize, key: &[u8]) -> Option<u64> {
        self.slots.iter().find(|slot| slot.is(0, table, key)).map(|slot| slot.number)
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

    #[test]
    fn a_token_belongs_to_its_message_and_serves_once() {
        let mut tokens = Tokens::default();
        tokens.keep(1, 0, b"alice", 7);
        assert_eq!(tokens.take(2, 0, b"alice"), None, "another message");
        assert_eq!(tokens.take(1, 1, b"alice"), None, "another table");
        assert_eq!(tokens.take(1, 0, b"bob"), None, "another key");
        assert_eq!(tokens.take(1, 0, b"alice"), Some(7));
        assert_eq!(tokens.take(1, 0, b"alice"), None, "taken already");
    }

    #[test]
    fn a_second_reading_replaces_the_token_and_the_oldest_makes_room() {
        let mut tokens = Tokens::default();
        tokens.keep(1, 0, b"alice", 7);
        tokens.keep(1, 0, b"alice", 8);
        assert_eq!(tokens.take(1, 0, b"alice"), Some(8));
        tokens.keep(1, 0, b"first", 1);
        for i in 0..KEPT {
            tokens.keep(1, 0, format!("k{i}").as_bytes(), 2);
        }
        assert_eq!(tokens.take(1, 0, b"first"), None);
        assert_eq!(tokens.take(1, 0, b"k15"), Some(2));
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
