//! Counters: unsigned decimal texts from 0 to 2^63-1.

use super::chunk::{At, Head, words_for};
use super::view::View;
use super::{Fault, New, Store, Terms, live, store};
use crate::clock::Deadline;
use crate::value::{Digits, decimal};
use std::sync::atomic::Ordering::Relaxed;

/// What became of an increment or decrement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delta {
    /// The counter's new value.
    Number(u64),
    NotFound,
    /// There is something else than a number from 0 to 2^63-1; it stays.
    NotANumber,
    /// The sum would be above 2^63-1; the counter stays.
    Overflow,
}

const MOST: u64 = i64::MAX as u64;

/// Longer texts, blanks included, are no numbers.
const LONGEST: usize = 24;

impl Store {
    /// Adds `n` to the counter, or takes it away, ending at 0. Where there is none it begins as `initial`, with the
    /// flags and TTL of `how`; an existing counter keeps its own.
    ///
    /// # Errors
    /// See [`Fault`]; nothing was changed then.
    pub fn delta(
        &self,
        key: &[u8],
        up: bool,
        n: u64,
        initial: Option<u64>,
        how: Terms,
        deadline: Deadline,
    ) -> Result<Delta, Fault> {
        let (shard, hash) = self.checked(key)?;
        let mut locked = self.lock(shard, deadline)?;
        let old = live(&mut locked, hash, key, how.now);
        let new = match (old, initial) {
            (None, None) => return Ok(Delta::NotFound),
            (None, Some(first)) => Some(first).filter(|first| *first <= MOST),
            (Some((at, chunk)), _) => {
                let mut room = [0; LONGEST];
                match number(text(locked.view(), at, &chunk.head(), &mut room)) {
                    None => return Ok(Delta::NotANumber),
                    Some(now) if up => now.checked_add(n).filter(|sum| *sum <= MOST),
                    Some(now) => Some(now.saturating_sub(n)),
                }
            }
        };
        let Some(new) = new else { return Ok(Delta::Overflow) };
        let mut room = Digits::default();
        let text = decimal(i64::try_from(new).unwrap_or(i64::MAX), &mut room);
        let mut head = self.new_head(hash, how);
        if let Some((_, chunk)) = old {
            let Head { flags, expires, .. } = chunk.head();
            head = Head { flags, expires, ..head };
        }
        locked.change(|shard| store(shard, old, &New { head, key, value: text, now: how.now }));
        Ok(Delta::Number(new))
    }
}

/// The entry's value, if it is short enough for a number; else nothing.
fn text<'a>(view: View<'_>, at: At, head: &Head, room: &'a mut [u8; LONGEST]) -> &'a [u8] {
    let len = head.value_len as usize;
    if len > LONGEST {
        return &[];
    }
    let words = view.parts(at, words_for(head.key_len.into()), words_for(len)).flatten();
    for (room, word) in room.chunks_exact_mut(8).zip(words) {
        room.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
    }
    &room[..len]
}

/// Digits, and perhaps the blanks that memcached leaves behind a number that shrank.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii_end();
    let blanks = &text[digits.len()..];
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) || blanks.iter().any(|byte| *byte != b' ') {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|number| *number <= MOST)
}
