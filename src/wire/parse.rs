//! Finds the end of one reply in a buffer that may hold only a part of it.
//!
//! Pure: bytes in, positions out, nothing copied, never a panic. Feeding the bytes in any pieces gives the same frames.
//! What a server may send in answer to a command is narrow on purpose: anything else is [`Malformed`], because a
//! connection that is out of step would hand one key's value to another.

use super::reply::{Meta, head};
use memchr::memchr;

/// No value is longer; a larger length is taken for nonsense.
pub const MAX_VALUE: usize = 64 << 20;
/// No line of a reply is longer.
pub const MAX_LINE: usize = 4096;
/// No list of lines (`stats`) is longer in all.
const MAX_LINES: usize = 4 << 20;

/// The command a reply belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// `mg`
    Get,
    /// `ms`
    Store,
    /// `md`
    Delete,
    /// `ma`
    Count,
    /// `mn`
    Noop,
    /// Classic `get` of so many keys.
    Values { keys: u32 },
    /// A command answered by one line.
    Line,
    /// A command answered by lines up to `END`.
    Lines,
    /// The same, handed out line by line.
    Stream,
}

/// The bytes are not an answer to the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// What a complete reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Value,
    Done,
    Miss,
    NotStored,
    Exists,
    NotFound,
    Noop,
    Values,
    Line,
    Lines,
    /// One line of a stream that goes on.
    Row,
    Unknown,
    ClientError,
    ServerError,
}

/// One complete reply: what it is, where its text or data lies, and how many bytes it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub shape: Shape,
    /// First and one-past-last byte of the data or text.
    pub body: (usize, usize),
    pub meta: Meta,
    pub len: usize,
}

/// What is already known about a reply that is not complete. A fresh one belongs to each reply.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    line: usize,
    seen: usize,
    need: usize,
    items: u32,
}

impl Progress {
    /// How many bytes more than `have` are surely coming; 0 when unknown.
    #[must_use]
    pub fn missing(&self, have: usize) -> usize {
        self.need.saturating_sub(have)
    }
}

/// Looks for one reply at the start of `bytes`; `None` when more bytes are needed.
///
/// # Errors
/// [`Malformed`] when no further bytes can make this an answer to `expect`.
pub fn parse(expect: Expect, bytes: &[u8], progress: &mut Progress) -> Result<Option<Frame>, Malformed> {
    if bytes.len() < progress.need {
        return Ok(None);
    }
    match expect {
        // What most commands that change something are answered.
        Expect::Store | Expect::Delete | Expect::Count if bytes.starts_with(b"HD\r\n") => {
            Ok(Some(Frame::text(Shape::Done, 0, 2, 4)))
        }
        Expect::Values { keys } => values(keys, bytes, progress),
        Expect::Lines => lines(bytes, progress),
        Expect::Stream => Ok(line(bytes, progress, true)?.map(|line| stream(bytes, line))),
        Expect::Line => Ok(line(bytes, progress, false)?.map(|line| {
            refusal(bytes, line).unwrap_or_else(|| Frame::text(Shape::Line, line.start, line.end, line.next))
        })),
        _ => match line(bytes, progress, false)? {
            Some(line) => meta(expect, bytes, line, progress),
            None => Ok(None),
        },
    }
}

impl Frame {
    fn text(shape: Shape, start: usize, end: usize, len: usize) -> Self {
        Self { shape, body: (start, end), meta: Meta::default(), len }
    }
}

#[derive(Clone, Copy)]
struct Line {
    start: usize,
    end: usize,
    next: usize,
}

/// The line at `progress.line`, without its end. `bare` allows a line feed alone, as item dumps have it.
fn line(bytes: &[u8], progress: &mut Progress, bare: bool) -> Result<Option<Line>, Malformed> {
    let start = progress.line;
    let from = progress.seen.max(start);
    let Some(at) = memchr(b'\n', &bytes[from..]).map(|at| at + from) else {
        progress.seen = bytes.len();
        return if bytes.len() - start > MAX_LINE { Err(Malformed) } else { Ok(None) };
    };
    let end = match bytes[start..at].last() {
        Some(b'\r') => at - 1,
        _ if bare => at,
        _ => return Err(Malformed),
    };
    if at - start > MAX_LINE {
        return Err(Malformed);
    }
    Ok(Some(Line { start, end, next: at + 1 }))
}

/// The error replies that any command may get.
fn refusal(bytes: &[u8], line: Line) -> Option<Frame> {
    let text = &bytes[line.start..line.end];
    for (word, shape) in [
        (&b"ERROR"[..], Shape::Unknown),
        (b"CLIENT_ERROR", Shape::ClientError),
        (b"SERVER_ERROR", Shape::ServerError),
        (b"BUSY", Shape::ServerError),
    ] {
        let Some(rest) = text.strip_prefix(word) else { continue };
        if rest.is_empty() || rest.starts_with(b" ") {
            let skip = if word == b"BUSY" || rest.is_empty() { 0 } else { word.len() + 1 };
            return Some(Frame::text(shape, line.start + skip, line.end, line.next));
        }
    }
    None
}

fn meta(expect: Expect, bytes: &[u8], line: Line, progress: &mut Progress) -> Result<Option<Frame>, Malformed> {
    let text = &bytes[line.start..line.end];
    let (code, rest) = text.split_at_checked(2).ok_or(Malformed)?;
    let shape = match (code, expect) {
        (b"VA", Expect::Get | Expect::Count) => return value(bytes, line, rest, progress),
        (b"HD", Expect::Get | Expect::Store | Expect::Delete | Expect::Count) => Shape::Done,
        (b"EN", Expect::Get) => Shape::Miss,
        (b"NS", Expect::Store | Expect::Count) => Shape::NotStored,
        (b"EX", Expect::Store | Expect::Delete | Expect::Count) => Shape::Exists,
        (b"NF", Expect::Store | Expect::Delete | Expect::Count) => Shape::NotFound,
        (b"MN", Expect::Noop) => Shape::Noop,
        _ => return refusal(bytes, line).map(Some).ok_or(Malformed),
    };
    let meta = Meta::parse(rest).ok_or(Malformed)?;
    Ok(Some(Frame { meta, ..Frame::text(shape, line.start, line.end, line.next) }))
}

/// `VA <length> <flags>*` and its data block.
fn value(bytes: &[u8], line: Line, rest: &[u8], progress: &mut Progress) -> Result<Option<Frame>, Malformed> {
    let rest = rest.strip_prefix(b" ").ok_or(Malformed)?;
    let digits = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
    let length = length(&rest[..digits])?;
    let meta = Meta::parse(&rest[digits..]).ok_or(Malformed)?;
    let Some(len) = block(bytes, line.next, length, progress)? else { return Ok(None) };
    Ok(Some(Frame { shape: Shape::Value, body: (line.next, line.next + length), meta, len }))
}

/// The end of a data block of `length` bytes and its line end; `None` when it has not all come.
fn block(bytes: &[u8], start: usize, length: usize, progress: &mut Progress) -> Result<Option<usize>, Malformed> {
    let end = start + length + 2;
    if bytes.len() < end {
        progress.need = end;
        return Ok(None);
    }
    if bytes[start + length..].starts_with(b"\r\n") { Ok(Some(end)) } else { Err(Malformed) }
}

fn length(digits: &[u8]) -> Result<usize, Malformed> {
    super::reply::number(digits).ok_or(Malformed).and_then(sane)
}

fn sane(length: u64) -> Result<usize, Malformed> {
    usize::try_from(length).ok().filter(|length| *length <= MAX_VALUE).ok_or(Malformed)
}

/// `VALUE <key> <flags> <length>` and data, for each key found, then `END`.
fn values(keys: u32, bytes: &[u8], progress: &mut Progress) -> Result<Option<Frame>, Malformed> {
    while let Some(head) = bytes.get(progress.line..).and_then(head) {
        if progress.items == keys || head.len > MAX_LINE {
            return Err(Malformed);
        }
        let Some(end) = block(bytes, progress.line + head.len, sane(head.length)?, progress)? else { return Ok(None) };
        progress.items += 1;
        progress.line = end;
    }
    let Some(line) = line(bytes, progress, false)? else { return Ok(None) };
    match &bytes[line.start..line.end] {
        b"END" => Ok(Some(Frame::text(Shape::Values, 0, line.start, line.next))),
        _ if line.start == 0 => refusal(bytes, line).map(Some).ok_or(Malformed),
        _ => Err(Malformed),
    }
}

fn lines(bytes: &[u8], progress: &mut Progress) -> Result<Option<Frame>, Malformed> {
    while let Some(line) = line(bytes, progress, false)? {
        if &bytes[line.start..line.end] == b"END" {
            return Ok(Some(Frame::text(Shape::Lines, 0, line.start, line.next)));
        }
        if line.start == 0
            && let Some(frame) = refusal(bytes, line)
        {
            return Ok(Some(frame));
        }
        if line.next > MAX_LINES {
            return Err(Malformed);
        }
        progress.line = line.next;
    }
    Ok(None)
}

fn stream(bytes: &[u8], line: Line) -> Frame {
    if &bytes[line.start..line.end] == b"END" {
        return Frame::text(Shape::Lines, line.start, line.start, line.next);
    }
    refusal(bytes, line).unwrap_or_else(|| Frame::text(Shape::Row, line.start, line.end, line.next))
}

/// Parses arbitrary bytes whole and in two pieces: the first byte picks the command, the second the cut. True when
/// both ways agree and no frame reaches beyond the bytes. This is the body of the fuzz target for replies.
#[must_use]
pub fn agrees(data: &[u8]) -> bool {
    let [pick, cut, bytes @ ..] = data else { return true };
    let expect = match pick % 9 {
        0 => Expect::Get,
        1 => Expect::Store,
        2 => Expect::Delete,
        3 => Expect::Count,
        4 => Expect::Noop,
        5 => Expect::Values { keys: u32::from(pick / 9) },
        6 => Expect::Line,
        7 => Expect::Lines,
        _ => Expect::Stream,
    };
    let whole = parse(expect, bytes, &mut Progress::default());
    let mut progress = Progress::default();
    let first = parse(expect, &bytes[..bytes.len().min(usize::from(*cut))], &mut progress);
    let split = if first == Ok(None) { parse(expect, bytes, &mut progress) } else { first };
    let within = match whole {
        Ok(Some(frame)) => {
            let _ = super::reply::Reply::of(&frame, bytes);
            frame.len <= bytes.len() && frame.body.0 <= frame.body.1 && frame.body.1 <= frame.len
        }
        _ => true,
    };
    within && whole == split
}

#[cfg(test)]
mod tests;
