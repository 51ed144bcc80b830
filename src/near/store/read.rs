//! Reading: without the lock, without waiting, without a system call. Who may wait takes the lock where that fails.

use super::Store;
use super::answer::{Fault, Found, Hit};
use super::chunk::Chunk;
use super::sequence::Torn;
use super::view::View;
use crate::clock::Deadline;

/// Tries until a reader gives up: about as long as the longest change takes.
const TRIES: u32 = 16;

/// One read: whose, when, and which entries count as fresh.
struct Query<'a, F> {
    hash: u32,
    key: &'a [u8],
    now: u64,
    fresh: F,
}

impl Store {
    /// Reads the entry into `out` (which is empty without one; its buffer is reused), if `fresh` agrees to what is known of it.
    /// Neither waits nor makes a system call.
    pub fn find(&self, key: &[u8], now: u64, fresh: impl Fn(&Hit) -> bool, out: &mut Vec<u8>) -> Found {
        let found = self.checked(key).map_or(Found::Missing, |(shard, hash)| {
            let (_, view) = self.raw.shard(shard);
            Query { hash, key, now, fresh }.without_lock(view, Some(out)).unwrap_or(Found::Busy)
        });
        if !matches!(found, Found::Hit(_)) {
            out.clear();
        }
        found
    }

    /// Reads the entry into `out` (which is empty without one; its buffer is reused).
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn get(&self, key: &[u8], now: u64, out: &mut Vec<u8>, deadline: Deadline) -> Result<Option<Hit>, Fault> {
        let answer = self.read(key, now, Some(out), deadline);
        if !matches!(answer, Ok(Some(_))) {
            out.clear();
        }
        answer
    }

    /// What is known of the entry without its value; does not count as use.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn look(&self, key: &[u8], now: u64, deadline: Deadline) -> Result<Option<Hit>, Fault> {
        self.read(key, now, None, deadline)
    }

    fn read(
        &self,
        key: &[u8],
        now: u64,
        mut out: Option<&mut Vec<u8>>,
        deadline: Deadline,
    ) -> Result<Option<Hit>, Fault> {
        let (shard, hash) = self.checked(key)?;
        let query = Query { hash, key, now, fresh: |_: &Hit| true };
        let found = match query.without_lock(self.raw.shard(shard).1, out.as_deref_mut()) {
            Ok(found) => found,
            Err(Torn) => {
                let locked = self.lock(shard, deadline)?;
                query.once(locked.view(), || true, out).map_or(Found::Missing, |(found, _)| found)
            }
        };
        Ok(if let Found::Hit(hit) = found { Some(hit) } else { None })
    }
}

impl<F: Fn(&Hit) -> bool> Query<'_, F> {
    fn without_lock(&self, view: View<'_>, mut out: Option<&mut Vec<u8>>) -> Result<Found, Torn> {
        let counts = out.is_some();
        let (found, chunk) = view
            .group(self.hash)
            .sequence
            .read(TRIES, |since| self.once(view, || since.holds(), out.as_deref_mut()))?;
        if let Some(chunk) = chunk.filter(|_| counts) {
            chunk.saw();
        }
        Ok(found)
    }

    /// What was found and, if it is a hit, where. The head is trusted, and the caller asked, only if it `holds`.
    fn once<'v>(
        &self,
        view: View<'v>,
        holds: impl Fn() -> bool,
        out: Option<&mut Vec<u8>>,
    ) -> Result<(Found, Option<&'v Chunk>), Torn> {
        let Some((at, chunk)) = view.find(self.hash, self.key) else { return Ok((Found::Missing, None)) };
        let head = chunk.head();
        if !holds() {
            return Err(Torn);
        }
        let hit = Hit::from(head);
        if head.expired(self.now) {
            return Ok((Found::Missing, None));
        }
        if !(self.fresh)(&hit) {
            return Ok((Found::Stale, None));
        }
        if let Some(out) = out {
            view.copy_value(at, &head, out)?;
        }
        Ok((Found::Hit(hit), Some(chunk)))
    }
}
