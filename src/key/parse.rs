//! Wire keys read back.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{HASH_LEN, Kind, Part, WIRE_MAX, WireKey, printable};
use crate::table::is_space;
use crate::value::Value;

/// What a wire key tells about the key it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form<'a> {
    /// The key itself.
    Plain(Cow<'a, [u8]>),
    /// Only a hash: the full key stands before the value.
    Hashed,
}

/// A wire key taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<'a> {
    pub kind: Kind,
    pub table: Cow<'a, str>,
    /// 0 = none.
    pub generation: u64,
    pub part: Part,
    pub form: Form<'a>,
}

/// Reads a wire key back; `None` for records that are not about one key and for keys that are not ours.
#[must_use]
pub fn parse(wire: &[u8], base64: bool) -> Option<Parsed<'_>> {
    if !base64 {
        let parsed = split(wire)?;
        return (wire.len() <= WIRE_MAX && printable(wire)).then_some(parsed);
    }
    let raw = STANDARD.decode(wire).ok().filter(|_| wire.len() <= WIRE_MAX)?;
    let Parsed { kind, table, generation, part, form: Form::Plain(key) } = split(&raw)? else { return None };
    let (table, form) = (table.into_owned().into(), Form::Plain(key.into_owned().into()));
    Some(Parsed { kind, table, generation, part, form })
}

/// Splits a stored value of a hashed key into the full key and the value: `u32 big-endian length | raw key | value`.
#[must_use]
pub fn split_full(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = data.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)
}

/// How many bytes of a hashed key's value are its full key; `None` when another key's value lies there. A number is
/// kept bare, so that the server can count with it.
#[must_use]
pub fn behind_full_key(key: &WireKey, data: &[u8]) -> Option<usize> {
    let Some(full) = key.full() else { return Some(0) };
    if matches!(Value::from_wire(data, 0), Value::Int(_)) {
        return Some(0);
    }
    let (found, value) = split_full(data)?;
    (found == full).then_some(data.len() - value.len())
}

/// The length that goes before a full key which a hashed key's value carries.
#[must_use]
pub fn full_length(full: &[u8]) -> [u8; 4] {
    // No wire key is made of a longer one.
    u32::try_from(full.len()).unwrap_or(u32::MAX).to_be_bytes()
}

fn split(raw: &[u8]) -> Option<Parsed<'_>> {
    let (tomb, kind, raw) = record(raw)?;
    let end = raw.iter().position(|byte| matches!(byte, b':' | b'@' | b'#' | b'%'))?;
    let (table, rest) = raw.split_at(end);
    if !is_space(table) {
        return None;
    }
    let hashed = rest[0] == b'#';
    let (generation, rest) = match rest[0] {
        b'@' => number(&rest[1..]).filter(|(generation, _)| *generation > 0)?,
        b'#' => number(&rest[1..])?,
        _ => (0, rest),
    };
    let (epoch, rest) = match rest.first()? {
        b'%' if !tomb => number(&rest[1..]).filter(|(epoch, _)| *epoch > 0)?,
        _ => (0, rest),
    };
    let key = rest.strip_prefix(b":").filter(|key| !key.is_empty())?;
    let form = match hashed {
        true if key.len() != HASH_LEN || URL_SAFE_NO_PAD.decode(key).is_err() => return None,
        true => Form::Hashed,
        false => Form::Plain(key.into()),
    };
    let part = match epoch {
        _ if tomb => Part::Tomb,
        0 => Part::Item,
        epoch => Part::Counter(epoch),
    };
    Some(Parsed { kind, table: std::str::from_utf8(table).ok()?.into(), generation, part, form })
}

/// `!tomb!lock:` before the table.
fn record(raw: &[u8]) -> Option<(bool, Kind, &[u8])> {
    let Some(rest) = raw.strip_prefix(b"!") else { return Some((false, Kind::Entry, raw)) };
    let end = rest.iter().position(|byte| *byte == b':')?;
    let (words, rest) = (&rest[..end], &rest[end + 1..]);
    if words == b"tomb" {
        return Some((true, Kind::Entry, rest));
    }
    let word = words.strip_prefix(b"tomb!");
    let kind = [Kind::Lock, Kind::Fence].into_iter().find(|kind| kind.text().as_bytes() == word.unwrap_or(words))?;
    Some((word.is_some(), kind, rest))
}

/// Digits without leading zeros, and what follows them; none at all = 0.
fn number(rest: &[u8]) -> Option<(u64, &[u8])> {
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = rest.split_at(end);
    if digits.first() == Some(&b'0') {
        return None;
    }
    let text = std::str::from_utf8(digits).ok()?;
    Some((if text.is_empty() { 0 } else { text.parse().ok()? }, rest))
}
