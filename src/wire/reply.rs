//! Replies as the caller reads them: slices of the link's own buffer.

use super::parse::{Frame, Shape};
use memchr::{memchr, memchr2};

/// What a server said about an item beside its data. Fields that were not asked for keep their default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Client flags (`f`).
    pub flags: u32,
    /// The item's unique number on its server (`c`).
    pub cas: u64,
    /// Seconds left to live, -1 = for ever (`t`).
    pub ttl: i64,
    /// Length of the value in bytes (`s`).
    pub size: u64,
    /// Seconds since the last access (`l`).
    pub idle: u64,
    /// Was read before (`h`).
    pub hit: bool,
    /// This reader won the right to refill (`W`).
    pub won: bool,
    /// The item is marked stale (`X`).
    pub stale: bool,
    /// Another reader has the right to refill (`Z`).
    pub taken: bool,
    /// The number sent as `O`; 0 when none or not a number.
    pub opaque: u64,
}

impl Default for Meta {
    fn default() -> Self {
        let (flags, cas, ttl, size, idle, opaque) = (0, 0, -1, 0, 0, 0);
        Self { flags, cas, ttl, size, idle, hit: false, won: false, stale: false, taken: false, opaque }
    }
}

impl Meta {
    /// Seconds left to live; `None` = for ever.
    #[must_use]
    pub fn left(&self) -> Option<i64> {
        (self.ttl >= 0).then_some(self.ttl)
    }

    /// Reads ` f0 c12 t-1 W`; `None` when a known flag has no proper number.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut meta = Self::default();
        if text.first().is_some_and(|byte| *byte != b' ') {
            return None;
        }
        for token in text.split(|byte| *byte == b' ') {
            let Some((flag, rest)) = token.split_first() else { continue };
            match flag {
                b'f' => meta.flags = u32::try_from(number(rest)?).unwrap_or(u32::MAX),
                b'c' => meta.cas = number(rest)?,
                b't' if rest == b"-1" => meta.ttl = -1,
                b't' => meta.ttl = i64::try_from(number(rest)?).ok()?,
                b's' => meta.size = number(rest)?,
                b'l' => meta.idle = number(rest)?,
                b'h' => meta.hit = number(rest)? > 0,
                b'W' => meta.won = true,
                b'X' => meta.stale = true,
                b'Z' => meta.taken = true,
                b'O' => meta.opaque = number(rest).unwrap_or(0),
                _ => {}
            }
        }
        Some(meta)
    }
}

/// The decimal number that is the whole of `digits`.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, digit| match digit {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// The decimal number before the first other byte, and the rest.
fn leading(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut sum = 0_u64;
    for (at, byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (at > 0).then_some((sum, &text[at..]));
        }
        sum = sum.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    None
}

/// A line `VALUE <key> <flags> <length>` of so many bytes with its end.
pub(super) struct Head<'a> {
    key: &'a [u8],
    flags: u64,
    pub length: u64,
    pub len: usize,
}

/// The whole line at the start of `text`; `None` when there is no such line, or not all of it.
pub(super) fn head(text: &[u8]) -> Option<Head<'_>> {
    let rest = text.strip_prefix(b"VALUE ")?;
    // A line feed ends the line, so none may stand before the blank.
    let end = memchr2(b' ', b'\n', rest).filter(|end| *end > 0)?;
    sizes(text, &rest[..end], &rest[end..])
}

/// The part of the line behind its key.
fn sizes<'a>(text: &'a [u8], key: &'a [u8], rest: &'a [u8]) -> Option<Head<'a>> {
    let (flags, rest) = leading(rest.strip_prefix(b" ")?)?;
    let (length, rest) = leading(rest.strip_prefix(b" ")?)?;
    let rest = rest.strip_prefix(b"\r\n")?;
    Some(Head { key, flags, length, len: text.len() - rest.len() })
}

/// One reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// No reply came; the link's status says why.
    Nothing,
    /// `VA`
    Value { data: &'a [u8], meta: Meta },
    /// `HD`
    Done(Meta),
    /// `EN`
    Miss,
    /// `NS`
    NotStored,
    /// `EX`
    Exists,
    /// `NF`
    NotFound,
    /// `MN`
    Noop,
    /// All that a classic `get` found.
    Values(Values<'a>),
    /// One line without its end.
    Line(&'a [u8]),
    /// Lines up to `END`.
    Lines(Lines<'a>),
    /// The text behind `SERVER_ERROR`, or a whole `BUSY` line.
    ServerError(&'a [u8]),
    /// The text behind `CLIENT_ERROR` or `ERROR`.
    ClientError(&'a [u8]),
}

impl<'a> Reply<'a> {
    /// The reply that `frame` found at the start of `bytes`.
    #[must_use]
    pub fn of(frame: &Frame, bytes: &'a [u8]) -> Self {
        let body = bytes.get(frame.body.0..frame.body.1).unwrap_or_default();
        match frame.shape {
            Shape::Value => Self::Value { data: body, meta: frame.meta },
            Shape::Done => Self::Done(frame.meta),
            Shape::Miss => Self::Miss,
            Shape::NotStored => Self::NotStored,
            Shape::Exists => Self::Exists,
            Shape::NotFound => Self::NotFound,
            Shape::Noop => Self::Noop,
            Shape::Values => Self::Values(Values(body)),
            Shape::Line | Shape::Row => Self::Line(body),
            Shape::Lines => Self::Lines(Lines(body)),
            Shape::ServerError => Self::ServerError(body),
            Shape::ClientError | Shape::Unknown => Self::ClientError(body),
        }
    }
}

/// One value of a classic `get`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    pub key: &'a [u8],
    /// Client flags.
    pub flags: u32,
    pub data: &'a [u8],
}

/// The values of a classic `get`, in the order of the keys asked for; absent keys are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    /// The text the values stand in.
    #[must_use]
    pub fn text(&self) -> &'a [u8] {
        self.0
    }

    /// The next value if it is that of the key made of `head` and `tail`; otherwise it stays the next.
    pub fn next_of(&mut self, head: &[u8], tail: &[u8]) -> Option<Item<'a>> {
        let key = self.0.strip_prefix(b"VALUE ")?;
        let rest = key.strip_prefix(head)?.strip_prefix(tail)?;
        self.item(&sizes(self.0, &key[..key.len() - rest.len()], rest)?)
    }

    fn item(&mut self, head: &Head<'a>) -> Option<Item<'a>> {
        let (data, rest) = self.0.get(head.len..)?.split_at_checked(usize::try_from(head.length).ok()?)?;
        self.0 = rest.get(2..)?;
        Some(Item { key: head.key, flags: u32::try_from(head.flags).unwrap_or(u32::MAX), data })
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        self.item(&head(self.0)?)
    }
}

/// Lines without their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr(b'\n', self.0)?;
        let line = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}
