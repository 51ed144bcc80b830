//! What is told to the store and what it answers.

use super::{MAX_KEY, chunk::Head};

/// Why nothing could be said or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Another process held that part of the store until the deadline passed.
    #[error("local store busy")]
    Busy,
    #[error("key longer than {MAX_KEY} bytes")]
    KeyTooLong,
}

/// When to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Set,
    /// Only if there is nothing.
    Add,
    /// Only if there is something.
    Replace,
    /// Only if the entry still has this cas number.
    Cas(u64),
}

/// What to put beside the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    pub flags: u32,
    /// Ticks of the caller's clock; 0 = for ever.
    pub ttl: u64,
    pub now: u64,
    /// The caller's own word about when the value was true; see [`Found::Stale`].
    pub stamp: u64,
    /// The caller's own, kept as it is.
    pub note: [u64; 3],
}

/// What is known of an entry besides its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hit {
    pub flags: u32,
    /// Every put of the store has another number; they grow.
    pub cas: u64,
    /// When it will be gone; 0 = never.
    pub expires: u64,
    /// When it was put.
    pub stored: u64,
    pub stamp: u64,
    pub note: [u64; 3],
}

impl From<Head> for Hit {
    fn from(head: Head) -> Self {
        let Head { flags, cas, expires, stored, stamp, note, .. } = head;
        Self { flags, cas, expires, stored, stamp, note }
    }
}

/// A reader's copy of an entry. Its room is used again.
#[derive(Debug, Default)]
pub struct Copied {
    pub hit: Hit,
    pub value: Vec<u8>,
}

/// What a look without any waiting found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// An entry, which was copied.
    Hit,
    /// There is an entry, which the caller does not take for fresh.
    Stale,
    Missing,
    /// Somebody was changing entries close by all the time: a miss for who cannot wait.
    Busy,
}

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Stored {
        cas: u64,
    },
    /// `Add` found something, or `Replace` nothing.
    NotStored,
    /// `Cas` found another number.
    Exists,
    /// `Cas` found nothing.
    NotFound,
    /// The value has more than `limit` bytes; what was stored before stays.
    TooLarge {
        limit: usize,
    },
}

/// What became of a remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    Done,
    NotFound,
    /// It has another cas number than the one asked for.
    Exists,
}
