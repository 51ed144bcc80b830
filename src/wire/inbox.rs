//! The bytes that came from a server and stay in place until the next request.

/// What is kept between exchanges; a larger buffer is given back.
pub const KEEP: usize = 64 * 1024;
/// The number of replies whose places are kept room for.
pub const KEEP_REPLIES: usize = 256;
/// No set of replies that fits a sane request is larger than this.
const LIMIT: usize = 256 << 20;
const FIRST: usize = 8 * 1024;
/// The space worth asking for when nothing is known about what comes.
pub const LEAST: usize = 2 * 1024;
const STRIDE: usize = 1 << 20;

/// A buffer filled at one end and parsed at the other.
#[derive(Default)]
pub struct Inbox {
    room: Vec<u8>,
    filled: usize,
    taken: usize,
}

impl Inbox {
    /// Forgets everything and gives a large buffer back.
    pub fn clear(&mut self) {
        self.filled = 0;
        self.taken = 0;
        if self.room.capacity() > KEEP {
            self.room.truncate(FIRST);
            self.room.shrink_to_fit();
        }
    }

    /// All bytes since the last `clear`.
    pub fn all(&self) -> &[u8] {
        &self.room[..self.filled]
    }

    /// The bytes that no reply has claimed yet.
    pub fn rest(&self) -> &[u8] {
        &self.room[self.taken..self.filled]
    }

    /// Where the unclaimed bytes begin.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// True while nothing has come.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Gives the next `count` unclaimed bytes to a reply.
    pub fn take(&mut self, count: usize) {
        self.taken = (self.taken + count).min(self.filled);
    }

    /// Throws claimed bytes away, so that a long stream needs little room.
    pub fn compact(&mut self) {
        self.room.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
    }

    /// Room for what comes next; `missing` bytes at least are on their way. `None` when the replies are too many.
    pub fn space(&mut self, missing: usize) -> Option<&mut [u8]> {
        let free = self.room.len() - self.filled;
        let wanted = missing.clamp(1, STRIDE);
        if free < wanted {
            let more = self.room.len().max(wanted - free).max(FIRST);
            if self.room.len() + more > LIMIT {
                return None;
            }
            self.room.resize(self.room.len() + more, 0);
        }
        Some(&mut self.room[self.filled..])
    }

    /// Takes note of `count` new bytes in the space given out before.
    pub fn fill(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.room.len());
    }
}
