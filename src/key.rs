//! The only maker of wire keys.
//!
//! Three forms, tried in this order, so that no byte of a SIP message ever reaches a server's command line as is:
//! * printable: `ipauth:alice`, with a generation `ipauth@1795206978:alice`: other clients read it as they know it;
//! * base64 (flag `b`) of the same bytes, when they are not all printable and still fit;
//! * hashed: `ipauth#:<sha256>`; the value then carries the full key, which is compared on reading.
//!
//! `@`, `#` and `!` cannot occur in a table's name, so no two forms meet. Buffers are reused: no allocation once warm.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::table::is_name;

mod prefix;

pub use prefix::Prefix;

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
        self.len = 0;
        if key.is_empty() {
            return Err(KeyError::Empty);
        }
        if !is_name(table.as_bytes()) {
            return Err(KeyError::Table);
        }
        self.write(Head { kind: "", table, generation }, key)
    }

    /// Makes the key of one of our own records: `!gen:ipauth`, `!lock:ipauth:alice`. An empty table stands for the
    /// server itself (`!root:`), an empty key for the whole table.
    ///
    /// # Errors
    /// As for [`WireKey::set`]; `kind` must be a name too.
    pub fn record(&mut self, kind: &str, table: &str, key: &[u8]) -> Result<(), KeyError> {
        self.len = 0;
        if !is_name(kind.as_bytes()) || !(table.is_empty() || is_name(table.as_bytes())) {
            return Err(KeyError::Table);
        }
        self.write(Head { kind, table, generation: 0 }, key)
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
        let start = Head { generation: 0, ..head }.put(b'@', false, &mut text);
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

/// What stands before the key: at most 33 + 1 + 32 + 1 + 20 + 1 bytes, so it always fits.
#[derive(Clone, Copy)]
struct Head<'a> {
    kind: &'a str,
    table: &'a str,
    generation: u64,
}

impl Head<'_> {
    /// Writes `!kind:table@generation:`; the last colon only before a key, the mark `@` only before a generation.
    fn put(self, mark: u8, bare: bool, out: &mut [u8; WIRE_MAX]) -> usize {
        let mut pen = Pen { out, at: 0 };
        if !self.kind.is_empty() {
            pen.put(b"!");
            pen.put(self.kind.as_bytes());
            pen.put(b":");
        }
        pen.put(self.table.as_bytes());
        if self.generation > 0 || mark == b'#' {
            pen.put(&[mark]);
        }
        if self.generation > 0 {
            pen.number(self.generation);
        }
        if !bare {
            pen.put(b":");
        }
        pen.at
    }
}

struct Pen<'a> {
    out: &'a mut [u8; WIRE_MAX],
    at: usize,
}

impl Pen<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn number(&mut self, mut rest: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        while rest > 0 {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.put(&digits[at..]);
    }
}

/// No early exit: the compiler turns this into a few vector steps.
fn printable(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |good, byte| good & (0x21..=0x7e).contains(byte))
}

/// What a wire key tells about the key it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form<'a> {
    /// The key itself.
    Plain(Cow<'a, [u8]>),
    /// Only a hash: the full key stands before the value.
    Hashed,
}

/// Reads a wire key back into table, generation (0 = none) and key; `None` for records and keys that are not ours.
#[must_use]
pub fn parse(wire: &[u8], base64: bool) -> Option<(Cow<'_, str>, u64, Form<'_>)> {
    if !base64 {
        let (table, generation, form) = split(wire)?;
        return (wire.len() <= WIRE_MAX && printable(wire)).then_some((table.into(), generation, form));
    }
    let raw = STANDARD.decode(wire).ok().filter(|_| wire.len() <= WIRE_MAX)?;
    match split(&raw)? {
        (table, generation, Form::Plain(key)) => {
            Some((table.to_owned().into(), generation, Form::Plain(key.into_owned().into())))
        }
        (_, _, Form::Hashed) => None,
    }
}

/// Splits a stored value of a hashed key into the full key and the value: `u32 big-endian length | raw key | value`.
#[must_use]
pub fn split_full(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = data.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)
}

fn split(raw: &[u8]) -> Option<(&str, u64, Form<'_>)> {
    let end = raw.iter().position(|byte| matches!(byte, b':' | b'@' | b'#'))?;
    let (table, rest) = raw.split_at(end);
    if !is_name(table) {
        return None;
    }
    let (mark, rest) = rest.split_first()?;
    let (generation, key) = match mark {
        b':' => (0, rest),
        _ => generation(rest)?,
    };
    let form = match mark {
        b'#' if key.len() == HASH_LEN && URL_SAFE_NO_PAD.decode(key).is_ok() => Form::Hashed,
        b'@' if generation > 0 && !key.is_empty() => Form::Plain(key.into()),
        b':' if !key.is_empty() => Form::Plain(key.into()),
        _ => return None,
    };
    Some((std::str::from_utf8(table).ok()?, generation, form))
}

/// Digits up to a colon, without leading zeros; none at all = 0.
fn generation(rest: &[u8]) -> Option<(u64, &[u8])> {
    let end = rest.iter().position(|byte| *byte == b':')?;
    let digits = &rest[..end];
    if digits.first() == Some(&b'0') || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let text = std::str::from_utf8(digits).ok()?;
    let number = if text.is_empty() { 0 } else { text.parse().ok()? };
    Some((number, &rest[end + 1..]))
}

#[cfg(test)]
mod tests;
