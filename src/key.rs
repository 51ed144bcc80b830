//! The only maker of wire keys.
//!
//! Three forms, tried in this order, so that no byte of a SIP message ever reaches a server's command line as is:
//! * printable: `ipauth:alice`, with a generation `ipauth@1795206978:alice`: other clients read it as they know it;
//! * base64 (flag `b`) of the same bytes, when they are not all printable and still fit;
//! * hashed: `ipauth#:<sha256>`; the value then carries the full key, which is compared on reading.
//!
//! Beside an item may stand its tombstone, `!tomb:ipauth:alice`, and its counter of an epoch, `ipauth%17:alice`.
//! `@`, `#`, `%` and `!` cannot occur in a table's name, so no two forms meet; the table of tags is named `~tag`, as no other can be. Buffers are reused: no allocation once warm.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::table::{is_name, is_space};

mod head;
mod parse;
mod prefix;
mod stripes;

use head::Head;
pub use parse::{Form, Parsed, behind_full_key, full_length, parse, split_full};
pub use prefix::Prefix;
pub use stripes::{STRIPE_ROOT, STRIPES, stripe_key};

/// Longest key memcached takes, in bytes.
pub const WIRE_MAX: usize = 250;

/// Most bytes whose padded base64 fits into [`WIRE_MAX`].
pub const BASE64_MAX: usize = WIRE_MAX / 4 * 3;

const HASH_LEN: usize = 43;

/// Why there is no wire key for what the caller named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// An empty key names nothing.
    #[error("the key is empty")]
    Empty,
    /// The table (or the kind of a record) is not a name.
    #[error("the table's name is not 1 to 32 letters, digits and underscores")]
    Table,
    /// The full key would not fit its length field of 32 bits.
    #[error("the key is too long")]
    TooLong,
}

/// What is kept under a table's keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// The script's entries.
    #[default]
    Entry,
    /// Who holds a key's lock.
    Lock,
    /// The last number given to a holder.
    Fence,
}

impl Kind {
    /// As it is spelled behind `!`; empty for entries.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Entry => "",
            Self::Lock => "lock",
            Self::Fence => "fence",
        }
    }
}

/// A space of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space<'a> {
    pub kind: Kind,
    pub table: &'a str,
    /// 0 = the table was never bumped, or the kind outlives a bump.
    pub generation: u64,
}

/// What of a key is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Item,
    /// The counter of this epoch, not zero.
    Counter(u64),
    /// The mark that it was deleted.
    Tomb,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    Base64,
    Hashed,
}

/// A key as it goes on the wire; one per worker, set anew for each call.
pub struct WireKey {
    wire: [u8; WIRE_MAX],
    len: usize,
    shape: Shape,
    full: Vec<u8>,
}

impl Default for WireKey {
    fn default() -> Self {
        Self { wire: [0; WIRE_MAX], len: 0, shape: Shape::Plain, full: Vec::new() }
    }
}

impl WireKey {
    /// An empty key, to be set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the key of an entry; generation 0 = the table was never bumped.
    ///
    /// # Errors
    /// An empty key, a table that is no name, a key beyond 4 GiB. The key is empty then.
    pub fn set(&mut self, table: &str, generation: u64, key: &[u8]) -> Result<(), KeyError> {
        self.part(Space { kind: Kind::Entry, table, generation }, Part::Item, key)
    }

    /// Makes the key of an item, of its tombstone or of its counter.
    ///
    /// # Errors
    /// As for [`WireKey::set`].
    pub fn part(&mut self, space: Space<'_>, part: Part, key: &[u8]) -> Result<(), KeyError> {
        self.len = 0;
        if key.is_empty() {
            return Err(KeyError::Empty);
        }
        let Space { kind, table, generation } = space;
        if !is_space(table.as_bytes()) {
            return Err(KeyError::Table);
        }
        self.write(Head { kind: kind.text(), table, generation, part }, key)
    }

    /// Makes the key of one of our own records: `!gen:ipauth`, `!mark:home:mc1/mc2`. An empty table stands for the
    /// server itself (`!root:`), an empty key for the whole table.
    ///
    /// # Errors
    /// As for [`WireKey::set`]; `kind` must be a name too.
    pub fn record(&mut self, kind: &str, table: &str, key: &[u8]) -> Result<(), KeyError> {
        self.len = 0;
        if !is_name(kind.as_bytes()) || !(table.is_empty() || is_space(table.as_bytes())) {
            return Err(KeyError::Table);
        }
        self.write(Head { kind, table, generation: 0, part: Part::Item }, key)
    }

    /// The key of one of our own records, as [`record`](Self::record) makes it; empty where that refuses.
    #[must_use]
    pub fn of_record(kind: &str, table: &str, key: &[u8]) -> Self {
        let mut record = Self::new();
        let _ = record.record(kind, table, key);
        record
    }

    /// The bytes on the wire: 1 to 250, each within `0x21..=0x7e`; none before the first successful `set`.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.wire[..self.len]
    }

    /// True when the command needs the flag `b`.
    #[must_use]
    pub fn base64(&self) -> bool {
        self.shape == Shape::Base64
    }

    /// The raw `table:key` when the wire holds only its hash: goes before the value and is compared on reading.
    #[must_use]
    pub fn full(&self) -> Option<&[u8]> {
        (self.len > 0 && self.shape == Shape::Hashed).then_some(self.full.as_slice())
    }

    fn write(&mut self, head: Head<'_>, key: &[u8]) -> Result<(), KeyError> {
        let start = head.put(b'@', key.is_empty(), &mut self.wire);
        let total = start + key.len();
        if total <= WIRE_MAX && printable(key) {
            self.wire[start..total].copy_from_slice(key);
            self.len = total;
            self.shape = Shape::Plain;
            return Ok(());
        }
        if total <= BASE64_MAX { self.encode(start, key) } else { self.hash(head, key) }
    }

    fn encode(&mut self, start: usize, key: &[u8]) -> Result<(), KeyError> {
        let mut raw = [0; BASE64_MAX];
        let total = start + key.len();
        raw[..start].copy_from_slice(&self.wire[..start]);
        raw[start..total].copy_from_slice(key);
        self.len = STANDARD.encode_slice(&raw[..total], &mut self.wire).map_err(|_| KeyError::TooLong)?;
        self.shape = Shape::Base64;
        Ok(())
    }

    fn hash(&mut self, head: Head<'_>, key: &[u8]) -> Result<(), KeyError> {
        let mut text = [0; WIRE_MAX];
        let start = Head { generation: 0, part: Part::Item, ..head }.put(b'@', false, &mut text);
        if u32::try_from(start + key.len()).is_err() {
            return Err(KeyError::TooLong);
        }
        self.full.clear();
        self.full.extend_from_slice(&text[..start]);
        self.full.extend_from_slice(key);
        let start = head.put(b'#', false, &mut self.wire);
        let digest = Sha256::digest(&self.full);
        let tail = &mut self.wire[start..start + HASH_LEN];
        self.len = start + URL_SAFE_NO_PAD.encode_slice(digest, tail).map_err(|_| KeyError::TooLong)?;
        self.shape = Shape::Hashed;
        Ok(())
    }
}

impl fmt::Debug for WireKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.bytes()))?;
        if self.base64() { f.write_str(" (base64)") } else { Ok(()) }
    }
}

/// No early exit: the compiler turns this into a few vector steps.
fn printable(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |good, byte| good & (0x21..=0x7e).contains(byte))
}

#[cfg(test)]
mod tests;
