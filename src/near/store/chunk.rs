//! The smallest piece of the store: 128 bytes, of which 8 are its links and 120 its own.
//!
//! An entry is a chain of chunks. The first one begins with the entry's [`Head`]; key and value follow as one stream
//! of bytes through the chain. Chunks are named by their number, counted from 1, so that zeroed memory means "none".

/// A chunk's number, from 1; 0 is none.
pub(super) type At = u32;

/// Nobody's.
pub(super) const FREE: u32 = 0;
/// A later part of an entry.
pub(super) const BODY: u32 = 1;
/// The first part of an entry.
pub(super) const HEAD: u32 = 2;
/// The first part of an entry used since the hand of the clock last passed.
pub(super) const SEEN: u32 = 3;

const ROOM: usize = 120;
const HEAD_BYTES: usize = 44;

#[derive(Clone, Debug)]
#[repr(C, align(8))]
pub(super) struct Chunk {
    /// The next chunk of the entry, or of the free list.
    pub link: At,
    pub tag: u32,
    bytes: [u8; ROOM],
}

/// What is known of an entry besides its key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The next entry of the bucket.
    pub next: At,
    pub hash: u32,
    pub key_len: u32,
    pub value_len: u32,
    pub flags: u32,
    pub cas: u64,
    /// 0 = never.
    pub expires_s: u64,
    pub stored_s: u64,
}

impl Head {
    pub fn expired(&self, now_s: u64) -> bool {
        self.expires_s != 0 && now_s >= self.expires_s
    }

    pub fn chunks(&self) -> usize {
        chunks_for(self.key_len as usize + self.value_len as usize)
    }
}

impl Chunk {
    pub fn head(&self) -> Head {
        Head {
            next: self.u32_at(0),
            hash: self.u32_at(4),
            key_len: self.u32_at(8),
            value_len: self.u32_at(12),
            flags: self.u32_at(16),
            cas: self.u64_at(20),
            expires_s: self.u64_at(28),
            stored_s: self.u64_at(36),
        }
    }

    pub fn set_head(&mut self, head: &Head) {
        for (at, number) in [(0, head.next), (4, head.hash), (8, head.key_len), (12, head.value_len), (16, head.flags)]
        {
            self.bytes[at..at + 4].copy_from_slice(&number.to_ne_bytes());
        }
        for (at, number) in [(20, head.cas), (28, head.expires_s), (36, head.stored_s)] {
            self.bytes[at..at + 8].copy_from_slice(&number.to_ne_bytes());
        }
    }

    /// The part of key and value that lies here.
    pub fn data(&self) -> &[u8] {
        if self.tag == BODY { &self.bytes } else { &self.bytes[HEAD_BYTES..] }
    }

    pub fn data_mut(&mut self) -> &mut [u8] {
        if self.tag == BODY { &mut self.bytes } else { &mut self.bytes[HEAD_BYTES..] }
    }

    fn u32_at(&self, at: usize) -> u32 {
        let mut number = [0; 4];
        number.copy_from_slice(&self.bytes[at..at + 4]);
        u32::from_ne_bytes(number)
    }

    fn u64_at(&self, at: usize) -> u64 {
        let mut number = [0; 8];
        number.copy_from_slice(&self.bytes[at..at + 8]);
        u64::from_ne_bytes(number)
    }
}

/// How many chunks an entry of so many bytes of key and value takes.
pub(super) const fn chunks_for(bytes: usize) -> usize {
    1 + bytes.saturating_sub(ROOM - HEAD_BYTES).div_ceil(ROOM)
}

/// How many bytes of key and value fit into so many chunks.
pub(super) const fn bytes_in(chunks: usize) -> usize {
    (chunks * ROOM).saturating_sub(HEAD_BYTES)
}
